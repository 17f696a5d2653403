/*
 * bound.c
 *		What one child holds at one level: read, written, compared, as the SQL
 *		of its CHECK, as a part of its name.
 *
 * Pure functions: no catalog is written, no lock taken; results are palloc'd
 * in the current context. Names follow Architect (y2024m01, 1_100, m100_m1,
 * null), which many users come from.
 *
 * Text form of a bound, as stored in router.child_def.bounds:
 *		[lo,hi) [lo,hi] (,hi) [lo,)		range; dates half open, integers closed
 *		{a,b,NULL}						values, an array literal
 *		2/3								remainder/modulus of a hash
 *		null							rows whose column is NULL
 *		default							rows that no other child holds
 */
#include "compat.h"
#include "route/key.h"

#include <ctype.h>

#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/datum.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

/* ------------------------------------------------------- bounds as text: in */

static void
bad_bound(RouterKey *key, const char *text)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid bound \"%s\" for %s key \"%s\"", text, router_kind_name(key->kind), key->column),
			 router_key_is_range(key) ?
			 errhint("Give a value, a range such as [lo,hi), (,hi) or [lo,), or null.") :
			 key->kind == ROUTER_HASH ?
			 errhint("Give remainder/modulus, such as 0/%d, or null.", key->modulus) :
			 errhint("Give a value, a group of values such as {a,b}, or null.")));
}

static bool
parse_range(RouterKey *key, const char *text, RouterBound *bound)
{
	char	   *copy = pstrdup(text);
	size_t		len = strlen(copy);
	char	   *comma = strchr(copy, ',');
	char		open = copy[0];
	char		shut;

	if (len < 3 || (open != '[' && open != '(') || comma == NULL)
		return false;
	shut = copy[len - 1];
	if (shut != ']' && shut != ')')
		return false;
	copy[len - 1] = '\0';
	*comma = '\0';

	bound->form = ROUTER_BOUND_RANGE;
	bound->lo = PG_INT64_MIN;
	bound->hi = PG_INT64_MAX;
	if (copy[1] != '\0')
	{
		bound->lo = router_key_parse(key, copy + 1);
		if (open == '(' && (bound->lo == PG_INT64_MAX || key->kind == ROUTER_DATE))
			bad_bound(key, text);
		if (open == '(')
			bound->lo++;
	}
	if (comma[1] != '\0')
	{
		bound->hi = router_key_parse(key, comma + 1);
		if (shut == ')' && bound->hi == PG_INT64_MIN)
			bad_bound(key, text);
		if (shut == ')' && !(key->kind == ROUTER_DATE && bound->hi == PG_INT64_MAX))
			bound->hi--;
	}
	if (bound->lo > bound->hi)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("empty range \"%s\" for key \"%s\"", text, key->column),
				 errhint("The lower end comes first.")));
	return true;
}

/* The elements of an array literal, as text; of one bare value, that. */
static int
split_literal(const char *literal, Datum **texts, bool **nulls)
{
	int			n = 1;

	if (literal[0] == '{')
		deconstruct_array(DatumGetArrayTypeP(OidInputFunctionCall(F_ARRAY_IN, unconstify(char *, literal),
																  TEXTOID, -1)),
						  TEXTOID, -1, false, TYPALIGN_INT, texts, nulls, &n);
	else
	{
		*texts = palloc(sizeof(Datum));
		**texts = CStringGetTextDatum(literal);
		*nulls = palloc0(sizeof(bool));
	}
	return n;
}

/* Reads of an array literal all but the values, whose number it returns. */
int
router_bound_outline(const char *literal, RouterBound *bound)
{
	Datum	   *texts;
	bool	   *nulls;
	int			n = split_literal(literal, &texts, &nulls);
	int			nvalues = n;

	for (int i = 0; i < n; i++)
		nvalues -= nulls[i];
	bound->with_null = nvalues < n;
	bound->form = nvalues > 0 ? ROUTER_BOUND_VALUES : ROUTER_BOUND_NULL;
	return nvalues;
}

/* Values of a list, as an array literal or one bare value; prefixes and suffixes are folded, if they are not yet. */
static void
parse_values(RouterKey *key, const char *literal, bool folded, RouterBound *bound)
{
	Datum	   *texts;
	bool	   *nulls;
	int			n = split_literal(literal, &texts, &nulls);

	bound->form = ROUTER_BOUND_VALUES;
	if (n == 0)
		bad_bound(key, literal);

	bound->values = palloc(n * sizeof(Datum));
	for (int i = 0; i < n; i++)
	{
		Datum		value;
		bool		seen = false;

		CHECK_FOR_INTERRUPTS();
		if (nulls[i])
		{
			bound->with_null = true;
			continue;
		}
		if (key->kind == ROUTER_LIST)
			value = router_key_input(key, TextDatumGetCString(texts[i]));
		else
			value = folded ? texts[i] : router_key_fold(key, texts[i]);
		for (int j = 0; j < bound->nvalues && !seen; j++)
			seen = DatumGetBool(FunctionCall2Coll(&key->eq, key->collation, bound->values[j], value));
		if (!seen)
			bound->values[bound->nvalues++] = value;
	}
	if (bound->nvalues == 0)
		bound->form = ROUTER_BOUND_NULL;
}

static RouterBound *
parse(RouterKey *key, const char *text, bool folded)
{
	RouterBound *bound = palloc0(sizeof(RouterBound));

	if (strcmp(text, "null") == 0)
		bound->form = ROUTER_BOUND_NULL;
	else if (strcmp(text, "default") == 0)
		bound->form = ROUTER_BOUND_DEFAULT;
	else if (key->kind == ROUTER_HASH)
	{
		int			used = 0;

		bound->form = ROUTER_BOUND_HASH;
		if (sscanf(text, "%d/%d%n", &bound->remainder, &bound->modulus, &used) != 2 || text[used] != '\0' ||
			bound->modulus <= 0 || bound->modulus > ROUTER_MAX_MODULUS ||
			bound->remainder < 0 || bound->remainder >= bound->modulus)
			bad_bound(key, text);
	}
	else if (!router_key_is_range(key))
		parse_values(key, text, folded, bound);
	else if (!parse_range(key, text, bound))
	{
		bound->form = ROUTER_BOUND_RANGE;
		if (!router_key_bucket(key, router_key_parse(key, text), &bound->lo, &bound->hi))
			bad_bound(key, text);
	}
	return bound;
}

/*
 * Reads a bound (see the head of this file). A bare value stands for the step
 * of a range key that holds it. The caller has pinned the settings.
 */
RouterBound *
router_bound_parse(RouterKey *key, const char *text)
{
	return parse(key, text, false);
}

/*
 * The same, of what router_bound_text has written. What is folded may be longer
 * than what it was cut to: lower('İ') has two characters in some collations.
 */
RouterBound *
router_bound_read(RouterKey *key, const char *text)
{
	return parse(key, text, true);
}

/* A copy in the current context, values included. */
RouterBound *
router_bound_copy(RouterKey *key, const RouterBound *bound)
{
	RouterBound *copy = palloc(sizeof(RouterBound));
	int16		len;
	bool		byval;

	*copy = *bound;
	if (bound->nvalues == 0)
		return copy;
	get_typlenbyval(router_key_value_type(key), &len, &byval);
	copy->values = palloc(bound->nvalues * sizeof(Datum));
	for (int i = 0; i < bound->nvalues; i++)
		copy->values[i] = datumCopy(bound->values[i], byval, len);
	return copy;
}

/* ------------------------------------------------------ bounds as text: out */

/* A range's end as the literal that reads back the same in every session. */
static char *
int_text(const RouterKey *key, int64 value)
{
	char		buf[MAXDATELEN + 1];
	struct pg_tm tm;
	fsec_t		fsec = 0;
	int			tz = 0;
	bool		zoned = key->typid == TIMESTAMPTZOID;

	if (key->kind == ROUTER_INTEGER)
		return psprintf(INT64_FORMAT, value);
	memset(&tm, 0, sizeof(tm));
	if (key->typid == DATEOID)
	{
		j2date((int) value + POSTGRES_EPOCH_JDATE, &tm.tm_year, &tm.tm_mon, &tm.tm_mday);
		EncodeDateOnly(&tm, USE_ISO_DATES, buf);
	}
	else
	{
		if (timestamp2tm(value, zoned ? &tz : NULL, &tm, &fsec, NULL, key->tz) != 0)
			elog(ERROR, "timestamp of a bound is out of range");
		EncodeDateTime(&tm, fsec, zoned, tz, NULL, USE_ISO_DATES, buf);
	}
	return pstrdup(buf);
}

/* A point of a date key as router_key_parse reads it; the ends of int64 are the infinities. */
char *
router_key_text(const RouterKey *key, int64 value)
{
	return value == PG_INT64_MIN ? pstrdup("-infinity") : value == PG_INT64_MAX ? pstrdup("infinity") :
		int_text(key, value);
}

/* A list value, or a folded prefix or suffix, as its type writes it. */
char *
router_value_text(RouterKey *key, Datum value)
{
	Oid			output;
	bool		varlena;

	getTypeOutputInfo(router_key_value_type(key), &output, &varlena);
	return OidOutputFunctionCall(output, value);
}

static char *
values_text(RouterKey *key, const RouterBound *bound)
{
	ArrayBuildState *astate = NULL;

	for (int i = 0; i < bound->nvalues; i++)
		astate = accumArrayResult(astate, CStringGetTextDatum(router_value_text(key, bound->values[i])),
								  false, TEXTOID, CurrentMemoryContext);
	if (bound->with_null)
		astate = accumArrayResult(astate, (Datum) 0, true, TEXTOID, CurrentMemoryContext);
	return OidOutputFunctionCall(F_ARRAY_OUT, makeArrayResult(astate, CurrentMemoryContext));
}

/* The bounds that have no values, in text and in names. */
static const char *
word_of(const RouterBound *bound)
{
	return bound->form == ROUTER_BOUND_NULL ? "null" : "default";
}

/* The text form of a bound. The caller has pinned the settings. */
char *
router_bound_text(RouterKey *key, const RouterBound *bound)
{
	bool		closed = key->kind == ROUTER_INTEGER;

	if (bound->form == ROUTER_BOUND_HASH)
		return psprintf("%d/%d", bound->remainder, bound->modulus);
	if (bound->form == ROUTER_BOUND_VALUES)
		return values_text(key, bound);
	if (bound->form != ROUTER_BOUND_RANGE)
		return pstrdup(word_of(bound));
	return psprintf("%s%s,%s%s",
					bound->lo == PG_INT64_MIN ? "(" : "[",
					bound->lo == PG_INT64_MIN ? "" : int_text(key, bound->lo),
					bound->hi == PG_INT64_MAX ? "" : int_text(key, closed ? bound->hi : bound->hi + 1),
					bound->hi == PG_INT64_MAX || !closed ? ")" : "]");
}

/* ----------------------------------------------------------- bounds at work */

/* Does a child with this bound hold the value at this level? */
bool
router_bound_has(RouterKey *key, const RouterBound *bound, Datum value, bool isnull)
{
	int64		number;

	if (bound->form == ROUTER_BOUND_DEFAULT)
		return true;
	if (isnull)
		return bound->form == ROUTER_BOUND_NULL || bound->with_null;
	switch (bound->form)
	{
		case ROUTER_BOUND_RANGE:
			number = router_key_int(key, value);
			return number >= bound->lo && number <= bound->hi;
		case ROUTER_BOUND_HASH:
			return router_key_hash(key, value) % bound->modulus == bound->remainder;
		case ROUTER_BOUND_VALUES:
			value = router_key_fold(key, value);
			for (int i = 0; i < bound->nvalues; i++)
				if (DatumGetBool(FunctionCall2Coll(&key->eq, key->collation, bound->values[i], value)))
					return true;
			return false;
		default:
			return false;
	}
}

int
router_gcd(int a, int b)
{
	while (b != 0)
	{
		int			rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

/* Is there a value that both would hold? Default bounds overlap only each other. */
bool
router_bounds_overlap(RouterKey *key, const RouterBound *a, const RouterBound *b)
{
	bool		a_null = a->form == ROUTER_BOUND_NULL || a->with_null;
	bool		b_null = b->form == ROUTER_BOUND_NULL || b->with_null;
	int			gcd;

	CHECK_FOR_INTERRUPTS();		/* who has many bounds compares each with each */
	if (a_null && b_null)
		return true;
	if (a->form != b->form)
		return false;
	switch (a->form)
	{
		case ROUTER_BOUND_DEFAULT:
			return true;
		case ROUTER_BOUND_RANGE:
			return a->lo <= b->hi && b->lo <= a->hi;
		case ROUTER_BOUND_HASH:
			gcd = router_gcd(a->modulus, b->modulus);
			return a->remainder % gcd == b->remainder % gcd;
		case ROUTER_BOUND_VALUES:
			for (int i = 0; i < a->nvalues; i++)
			{
				CHECK_FOR_INTERRUPTS();
				for (int j = 0; j < b->nvalues; j++)
					if (DatumGetBool(FunctionCall2Coll(&key->eq, key->collation, a->values[i], b->values[j])))
						return true;
			}
			return false;
		default:
			return false;
	}
}

/* A value that a child with this bound holds: the first of the group, the lower end of the range. */
Datum
router_bound_sample(RouterKey *key, const RouterBound *bound, bool *isnull)
{
	int64		number;

	*isnull = false;
	if (bound->form == ROUTER_BOUND_VALUES)
		return bound->values[0];
	if (bound->form != ROUTER_BOUND_RANGE || (bound->lo == PG_INT64_MIN && bound->hi == PG_INT64_MAX))
	{
		*isnull = true;
		return (Datum) 0;
	}
	number = bound->lo != PG_INT64_MIN ? bound->lo : bound->hi;
	switch (key->typid)
	{
		case DATEOID:
			return DateADTGetDatum((DateADT) number);
		case INT2OID:
			return Int16GetDatum((int16) number);
		case INT4OID:
			return Int32GetDatum((int32) number);
		default:
			return Int64GetDatum(number);
	}
}

/* ------------------------------------------------------------ bounds as SQL */

static void
append_literal(StringInfo buf, const char *text, Oid type)
{
	/* bpchar, not character, which would cut the value to one */
	appendStringInfo(buf, "%s::%s", quote_literal_cstr(text),
					 format_type_extended(type, -1, FORMAT_TYPE_TYPEMOD_GIVEN | FORMAT_TYPE_FORCE_QUALIFY));
}

static void
append_range(StringInfo buf, RouterKey *key, const RouterBound *bound, const char *column)
{
	bool		date = key->kind == ROUTER_DATE;
	Oid			type = date ? key->typid : INT8OID;
	const char *upper = date ? "<" : "<=";

	if (bound->lo == bound->hi && !date)
	{
		appendStringInfo(buf, "%s = ", column);
		append_literal(buf, int_text(key, bound->lo), type);
		return;
	}
	if (bound->lo != PG_INT64_MIN)
	{
		appendStringInfo(buf, "%s >= ", column);
		append_literal(buf, int_text(key, bound->lo), type);
	}
	if (bound->lo != PG_INT64_MIN && bound->hi != PG_INT64_MAX)
		appendStringInfoString(buf, " AND ");
	if (bound->hi != PG_INT64_MAX)
	{
		appendStringInfo(buf, "%s %s ", column, upper);
		append_literal(buf, int_text(key, date ? bound->hi + 1 : bound->hi), type);
	}
	if (bound->lo == PG_INT64_MIN && bound->hi == PG_INT64_MAX)
		appendStringInfoString(buf, "true");
}

static char *
qualified_operator(Oid opr)
{
	HeapTuple	tup = SearchSysCache1(OPEROID, ObjectIdGetDatum(opr));
	Form_pg_operator form;
	char	   *name;

	if (!HeapTupleIsValid(tup))
		elog(ERROR, "cache lookup failed for operator %u", opr);
	form = (Form_pg_operator) GETSTRUCT(tup);
	name = psprintf("OPERATOR(%s.%s)", quote_identifier(get_namespace_name(form->oprnamespace)),
					NameStr(form->oprname));
	ReleaseSysCache(tup);
	return name;
}

static void
append_values(StringInfo buf, RouterKey *key, const RouterBound *bound, const char *column)
{
	bool		folded = key->kind != ROUTER_LIST;
	Oid			type = router_key_value_type(key);
	const char *opr = folded ? "OPERATOR(pg_catalog.=)" : qualified_operator(key->eq_opr);

	/* an ARRAY of arrays is one array of more dimensions */
	if (bound->nvalues > 1 && OidIsValid(get_element_type(type)))
	{
		for (int i = 0; i < bound->nvalues; i++)
		{
			RouterBound one = {.form = ROUTER_BOUND_VALUES,.nvalues = 1,.values = &bound->values[i]};

			appendStringInfoString(buf, i == 0 ? "(" : " OR ");
			append_values(buf, key, &one, column);
		}
		appendStringInfoChar(buf, ')');
		return;
	}
	if (key->kind == ROUTER_PREFIX)
		appendStringInfo(buf, "pg_catalog.lower(pg_catalog.substr(%s, 1, %d)) %s ", column, key->modulus, opr);
	else if (key->kind == ROUTER_SUFFIX)
		appendStringInfo(buf, "pg_catalog.lower(pg_catalog.\"right\"(%s, %d)) %s ", column, key->modulus, opr);
	else if (type_is_enum(type))
		/* a domain over an enum has no operators by itself */
		appendStringInfo(buf, "%s::%s %s ", column,
						 format_type_extended(type, -1, FORMAT_TYPE_TYPEMOD_GIVEN | FORMAT_TYPE_FORCE_QUALIFY), opr);
	else
		appendStringInfo(buf, "%s %s ", column, opr);
	if (bound->nvalues == 1)
	{
		append_literal(buf, router_value_text(key, bound->values[0]), type);
		return;
	}
	appendStringInfoString(buf, "ANY (ARRAY[");
	for (int i = 0; i < bound->nvalues; i++)
	{
		if (i > 0)
			appendStringInfoString(buf, ", ");
		append_literal(buf, router_value_text(key, bound->values[i]), type);
	}
	appendStringInfoString(buf, "])");
}

/* Before PostgreSQL 18 dates are hashed as the integers they are stored as. */
static bool
hash_takes_integer(Oid function)
{
	Oid		   *types;
	int			n;

	(void) get_func_signature(function, &types, &n);
	return n > 0 && types[0] == INT4OID;
}

/*
 * Appends the SQL condition that holds for exactly the rows of a child, in
 * terms of core only, so that it outlives the extension. Nothing for default.
 */
void
router_bound_condition(StringInfo buf, RouterKey *key, const RouterBound *bound)
{
	const char *column = quote_identifier(key->column);
	Oid			hash = key->hash_extended.fn_oid;

	if (bound->form == ROUTER_BOUND_DEFAULT)
		return;
	if (buf->len > 0)
		appendStringInfoString(buf, " AND ");
	if (bound->form == ROUTER_BOUND_NULL)
	{
		appendStringInfo(buf, "%s IS NOT DISTINCT FROM NULL", column);
		return;
	}
	/*
	 * A CHECK that is null passes: say that the column is not, or that it may be.
	 * IS NULL of a composite would look at its fields.
	 */
	appendStringInfo(buf, bound->with_null ? "(%s IS NOT DISTINCT FROM NULL OR " : "%s IS DISTINCT FROM NULL AND ", column);
	if (bound->form == ROUTER_BOUND_HASH && key->typid == DATEOID && hash_takes_integer(hash))
		/* the number that the function gets; infinities cannot be subtracted */
		column = psprintf("CASE WHEN pg_catalog.isfinite(%s) THEN %s OPERATOR(pg_catalog.-) '2000-01-01'::pg_catalog.date "
						  "WHEN %s OPERATOR(pg_catalog.>) '2000-01-01'::pg_catalog.date THEN 2147483647 "
						  "ELSE '-2147483648'::pg_catalog.int4 END", column, column, column);
	if (bound->form == ROUTER_BOUND_RANGE)
		append_range(buf, key, bound, column);
	else if (bound->form == ROUTER_BOUND_HASH)
		appendStringInfo(buf, "(%s.%s(%s, 0::pg_catalog.int8) & 9223372036854775807::pg_catalog.int8) %% %d = %d",
						 quote_identifier(get_namespace_name(get_func_namespace(hash))),
						 quote_identifier(get_func_name(hash)), column, bound->modulus, bound->remainder);
	else
		append_values(buf, key, bound, column);
	if (bound->with_null)
		appendStringInfoChar(buf, ')');
}

/* ------------------------------------------------------------ parts of names */

static char *
integer_part(int64 value)
{
	if (value >= 0)
		return psprintf(INT64_FORMAT, value);
	return psprintf("m" UINT64_FORMAT, -(uint64) value);
}

/* A date or instant in a name, for ranges that are no step of the key. */
static char *
date_part(const RouterKey *key, int64 value)
{
	char	   *text = int_text(key, value);
	char	   *out = text;

	/* 2020-01-01 00:00:00+01 -> 2020_01_01 */
	for (char *in = text; *in && *in != '+'; in++)
		*out++ = isalnum((unsigned char) *in) ? *in : '_';
	*out = '\0';
	if (strlen(text) > 9 && strcmp(text + strlen(text) - 9, "_00_00_00") == 0)
		text[strlen(text) - 9] = '\0';
	return text;
}

static char *
step_part(const RouterKey *key, int64 lo)
{
	struct pg_tm tm;
	fsec_t		fsec = 0;
	int			tz;
	int			day;
	bool		zoned = key->typid == TIMESTAMPTZOID;
	char	   *year;

	memset(&tm, 0, sizeof(tm));
	if (key->typid == DATEOID)
		j2date((int) lo + POSTGRES_EPOCH_JDATE, &tm.tm_year, &tm.tm_mon, &tm.tm_mday);
	else if (timestamp2tm(lo, zoned ? &tz : NULL, &tm, &fsec, NULL, key->tz) != 0)
		elog(ERROR, "timestamp of a bound is out of range");

	year = tm.tm_year > 0 ? psprintf("y%04d", tm.tm_year) : psprintf("y%04dbc", 1 - tm.tm_year);
	day = date2j(tm.tm_year, tm.tm_mon, tm.tm_mday) - date2j(tm.tm_year, 1, 1) + 1;
	if (key->days == 7)
		return psprintf("y%04dw%02d", date2isoyear(tm.tm_year, tm.tm_mon, tm.tm_mday),
						date2isoweek(tm.tm_year, tm.tm_mon, tm.tm_mday));
	if (key->days == 1)
		return psprintf("%sd%03d", year, day);
	if (key->months > 0)
		return key->months % 12 == 0 ? year : psprintf("%sm%02d", year, tm.tm_mon);
	if (key->width % USECS_PER_HOUR == 0)
		return psprintf("%sd%03dh%02d", year, day, tm.tm_hour);
	return psprintf("%sd%03dh%02dm%02d", year, day, tm.tm_hour, tm.tm_min);
}

static char *
range_part(const RouterKey *key, const RouterBound *bound)
{
	bool		date = key->kind == ROUTER_DATE;
	bool		no_lo = bound->lo == PG_INT64_MIN;
	bool		no_hi = bound->hi == PG_INT64_MAX;
	int64		lo,
				hi;

	if (!no_lo && router_key_bucket(key, bound->lo, &lo, &hi) && lo == bound->lo && hi == bound->hi && date)
		return step_part(key, lo);
	if (no_lo && no_hi)
		return pstrdup("all");
	if (no_lo)
		return date ? psprintf("before_%s", date_part(key, bound->hi + 1)) :
			psprintf("below_%s", integer_part(bound->hi + 1));
	/* the last step of bigint ends where the type does: it has an upper end */
	if (no_hi && !(!date && key->every && router_key_bucket(key, bound->lo, &lo, &hi) && hi == bound->hi))
		return psprintf("from_%s", date ? date_part(key, bound->lo) : integer_part(bound->lo));
	if (date)
		return psprintf("%s_to_%s", date_part(key, bound->lo), date_part(key, bound->hi + 1));
	if (bound->lo == bound->hi)
		return integer_part(bound->lo);
	return psprintf("%s_%s", integer_part(bound->lo), integer_part(bound->hi));
}

/* What a level adds to the name of a child. Not yet cut or made unique. */
char *
router_bound_part(RouterKey *key, const RouterBound *bound)
{
	StringInfoData buf;

	if (bound->form == ROUTER_BOUND_HASH)
		return psprintf("%d", bound->remainder);
	if (bound->form == ROUTER_BOUND_RANGE)
		return range_part(key, bound);
	if (bound->form != ROUTER_BOUND_VALUES)
		return pstrdup(word_of(bound));
	initStringInfo(&buf);
	for (int i = 0; i < bound->nvalues; i++)
	{
		appendStringInfo(&buf, "%s%s", i > 0 ? "_" : "", router_value_text(key, bound->values[i]));
		while (key->typid == BPCHAROID && buf.len > 0 && buf.data[buf.len - 1] == ' ')
			buf.data[--buf.len] = '\0';
	}
	if (bound->with_null)
		appendStringInfoString(&buf, "_null");
	return buf.data;
}
