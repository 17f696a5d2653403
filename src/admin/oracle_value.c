/*
 * oracle_value.c
 *		Values of Oracle's bounds: numbers, strings, dates; and what INTERVAL counts by.
 *
 * Dates are read by PostgreSQL's to_timestamp, in UTC, after their format was
 * looked through. The caller has pinned the settings, with the zone UTC.
 */
#include "compat.h"
#include "admin/oracle.h"

#include <ctype.h>

#include "catalog/pg_collation.h"
#include "common/string.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"

#define MIDNIGHT " 00:00:00"

/* ---------------------------------------------------------------------- dates */

/* Appends PostgreSQL's format for the element that is next in Oracle's; its length, 0: none that is known. */
static int
convert_element(StringInfo buf, const char *format)
{
	/* what begins with another one comes first */
	static const char *const elements[][2] = {
		{"SYYYY", "YYYY"}, {"YYYY", "YYYY"}, {"RRRR", "YYYY"}, {"MONTH", "MONTH"}, {"MON", "MON"}, {"MM", "MM"}, {"MI", "MI"},
		{"DD", "DD"}, {"HH24", "HH24"}, {"HH12", "HH12"}, {"HH", "HH"}, {"SS", "SS"}, {"FF1", "FF1"}, {"FF2", "FF2"},
		{"FF3", "FF3"}, {"FF4", "FF4"}, {"FF5", "FF5"}, {"FF6", "FF6"}, {"AM", "AM"}, {"PM", "PM"},
	};
	int			quoted;

	for (int i = 0; i < lengthof(elements); i++)
	{
		int			length = strlen(elements[i][0]);

		/* DDD and SSSSS are others */
		if (pg_strncasecmp(format, elements[i][0], length) != 0 ||
			toupper((unsigned char) format[length]) == elements[i][0][length - 1])
			continue;
		appendStringInfoString(buf, elements[i][1]);
		return length;
	}
	if (pg_strncasecmp(format, "FF", 2) == 0 && !isalnum((unsigned char) format[2]))
	{
		appendStringInfoString(buf, "US");
		return 2;
	}
	quoted = *format == '"' ? strcspn(format + 1, "\"") + 1 : 0;
	if (quoted > 0 && format[quoted] == '"')
		quoted++;
	else if (strchr(" -/,.;:", *format) != NULL)
		quoted = 1;
	else
		return 0;
	appendBinaryStringInfo(buf, format, quoted);
	return quoted;
}

static char *
convert_format(const OracleLexer *lexer, const char *format)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (int length; *format != '\0'; format += length)
	{
		length = convert_element(&buf, format);
		if (length == 0)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("date format \"%s\" is not read", format),
					 router_oracle_place(lexer->text, lexer->at),
					 errhint("Read are YYYY, MM, MON, MONTH, DD, HH24, HH12, MI, SS, FF to FF6, AM, PM: write the date with these, its year with four digits.")));
	}
	return buf.data;
}

/* Makes a date of a value from its text. at: of the text. */
static void
read_date(OracleValue *value, OracleLexer *at, const char *text, const char *format)
{
	ErrorContextCallback context = {.callback = router_oracle_add_place,.arg = at,.previous = error_context_stack};

	error_context_stack = &context;
	value->kind = ORACLE_VALUE_DATE;
	value->point = DatumGetTimestampTz(DirectFunctionCall2Coll(to_timestamp, DEFAULT_COLLATION_OID,
															   CStringGetTextDatum(text), CStringGetTextDatum(format)));
	value->text = DatumGetCString(DirectFunctionCall1(timestamp_out, TimestampGetDatum(value->point)));
	if (pg_str_endswith(value->text, MIDNIGHT))
		value->text[strlen(value->text) - strlen(MIDNIGHT)] = '\0';
	error_context_stack = context.previous;
}

static char *
take_string(OracleLexer *lexer)
{
	char	   *text = lexer->token;

	if (lexer->kind != ORACLE_STRING)
		router_oracle_expected(lexer, "a string");
	router_oracle_next(lexer);
	return text;
}

/* DATE '…' or TIMESTAMP '…', behind the word. */
static void
read_literal(OracleLexer *lexer, OracleValue *value)
{
	OracleLexer at = *lexer;
	char	   *text = take_string(lexer);

	if (text[strspn(text, "0123456789-:. ")] != '\0')
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("date \"%s\" is not read", text),
				 router_oracle_place(at.text, at.at),
				 errhint("Write it as 2024-01-31 or 2024-01-31 12:00:00, without a time zone: it is a time in that of the route.")));
	read_date(value, &at, text, "YYYY-MM-DD HH24:MI:SS.US");
}

/* TO_DATE or TO_TIMESTAMP, behind the parenthesis. */
static void
read_function(OracleLexer *lexer, OracleValue *value)
{
	OracleLexer at = *lexer;
	OracleLexer format_at;
	char	   *text = take_string(lexer);
	char	   *format;

	if (!router_oracle_match(lexer, ","))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("date without a format is not read"),
				 router_oracle_place(at.text, at.at),
				 errhint("What it means depends on NLS_DATE_FORMAT: give the format, such as 'YYYY-MM-DD'.")));
	format_at = *lexer;
	format = convert_format(&format_at, take_string(lexer));
	/* names of months are read in English, which nlsparam would say otherwise */
	if (router_oracle_match(lexer, ",") && pg_strcasecmp(take_string(lexer), "NLS_CALENDAR=GREGORIAN") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("parameters of national language are not read"),
				 router_oracle_place(format_at.text, format_at.at),
				 errhint("Write the date in numbers, and leave the third argument out.")));
	router_oracle_expect(lexer, ")");
	read_date(value, &at, text, format);
}

/* --------------------------------------------------------------------- values */

static void
refuse_value(const OracleLexer *lexer)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("expression is not read"),
			 router_oracle_place(lexer->text, lexer->at),
			 errhint("Bounds are numbers, strings, DATE '…', TIMESTAMP '…', TO_DATE, TO_TIMESTAMP, NULL, DEFAULT and MAXVALUE.")));
}

/* Reads one value. Errors: syntax_error, feature_not_supported, those of to_timestamp. */
OracleValue *
router_oracle_value(OracleLexer *lexer)
{
	OracleValue *value = palloc0(sizeof(OracleValue));
	bool		minus;

	value->at = lexer->at;
	if (router_oracle_match(lexer, "NULL"))
		value->kind = ORACLE_VALUE_NULL;
	else if (router_oracle_match(lexer, "DEFAULT"))
		value->kind = ORACLE_VALUE_DEFAULT;
	else if (router_oracle_match(lexer, "MAXVALUE"))
		value->kind = ORACLE_VALUE_MAXVALUE;
	else if (lexer->kind == ORACLE_STRING)
		value->text = take_string(lexer);
	else if (router_oracle_match(lexer, "TO_DATE (") || router_oracle_match(lexer, "TO_TIMESTAMP ("))
		read_function(lexer, value);
	else if (router_oracle_match(lexer, "DATE") || router_oracle_match(lexer, "TIMESTAMP"))
		read_literal(lexer, value);
	else if (lexer->kind == ORACLE_NAME || lexer->kind == ORACLE_QUOTED)
		refuse_value(lexer);
	else
	{
		minus = router_oracle_match(lexer, "-");
		if (!minus)
			(void) router_oracle_match(lexer, "+");
		if (lexer->kind != ORACLE_NUMBER)
			router_oracle_expected(lexer, "a value");
		value->kind = ORACLE_VALUE_NUMBER;
		value->text = psprintf("%s%s", minus ? "-" : "", lexer->token);
		router_oracle_next(lexer);
	}
	/* such as 1 + 1 or 'a' || 'b' */
	if (!(lexer->kind == ORACLE_SIGN && strchr(",)", lexer->token[0])))
		refuse_value(lexer);
	return value;
}

/* ------------------------------------------------------------------- INTERVAL */

/* So many units, as router.by_date takes them. */
static char *
step_text(const char *number, const char *unit)
{
	return strcmp(number, "1") == 0 ? pstrdup(unit) : psprintf("%s %ss", number, unit);
}

static char *
read_unit(const OracleLexer *at, const char *word)
{
	static const char *const units[] = {"year", "month", "day", "hour", "minute"};

	for (int i = 0; i < lengthof(units); i++)
		if (pg_strcasecmp(word, units[i]) == 0)
			return pstrdup(units[i]);
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("unit \"%s\" is not read", word),
			 router_oracle_place(at->text, at->at),
			 errhint("Units are YEAR, MONTH, DAY, HOUR, MINUTE.")));
}

/* Reads the parentheses behind INTERVAL. Errors: syntax_error, feature_not_supported. */
void
router_oracle_interval(OracleLexer *lexer, OracleLevel *level)
{
	OracleLexer at;
	char	   *number;
	bool		literal;

	router_oracle_expect(lexer, "(");
	level->every_at = lexer->at;
	literal = router_oracle_match(lexer, "INTERVAL");
	level->by_number = !literal && !router_oracle_match(lexer, "NUMTOYMINTERVAL (") &&
		!router_oracle_match(lexer, "NUMTODSINTERVAL (");
	number = lexer->token;
	if (lexer->kind != (literal ? ORACLE_STRING : ORACLE_NUMBER))
		router_oracle_expected(lexer, literal ? "a number in quotes" : "a number, NUMTOYMINTERVAL, NUMTODSINTERVAL or INTERVAL");
	if (strspn(number, "0123456789") < strlen(number) || strspn(number, "0") == strlen(number))
		router_oracle_expected(lexer, "a whole number above zero");
	router_oracle_next(lexer);
	if (level->by_number)
		level->every = number;
	else
	{
		if (!literal)
			router_oracle_expect(lexer, ",");
		at = *lexer;
		if (lexer->kind != (literal ? ORACLE_NAME : ORACLE_STRING))
			router_oracle_expected(lexer, "a unit");
		router_oracle_next(lexer);
		if (!literal)
			router_oracle_expect(lexer, ")");
		level->every = step_text(number, read_unit(&at, at.token));
	}
	router_oracle_expect(lexer, ")");
}
