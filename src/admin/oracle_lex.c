/*
 * oracle_lex.c
 *		Words, literals and signs of Oracle's SQL, one after the other, and where in the text an error is.
 *
 * A token is palloc'd in the current context. Names are lower case unless they
 * are quoted, as from PostgreSQL's own parser.
 */
#include "compat.h"
#include "admin/oracle.h"

#include <ctype.h>

#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "parser/scansup.h"

/* as much of the text as an error shows */
#define NEAR_CHARACTERS 24

/* For ereport: says where in the text it is. */
int
router_oracle_place(const char *text, int at)
{
	const char *near = text + at;
	int			position = pg_mbstrlen_with_len(text, at) + 1;

	if (*near == '\0')
		return errdetail("At character %d, the end of the text.", position);
	return errdetail("At character %d, near \"%.*s\".", position,
					 pg_mbcharcliplen(near, strcspn(near, "\r\n"), NEAR_CHARACTERS), near);
}

/* A callback for errors that others raise; arg: the OracleLexer at that place. */
void
router_oracle_add_place(void *arg)
{
	const OracleLexer *lexer = arg;

	errcontext("clause of Oracle at character %d", pg_mbstrlen_with_len(lexer->text, lexer->at) + 1);
}

static bool
is_name_start(char c)
{
	return isalpha((unsigned char) c) || IS_HIGHBIT_SET(c);
}

static bool
is_name_part(char c)
{
	return is_name_start(c) || isdigit((unsigned char) c) || c == '_' || c == '$' || c == '#';
}

/* Skips blanks and comments; the first byte behind them. */
static int
skip_blanks(const char *text, int at)
{
	for (;;)
	{
		const char *end;

		while (text[at] != '\0' && isspace((unsigned char) text[at]))
			at++;
		if (text[at] == '-' && text[at + 1] == '-')
			at += strcspn(text + at, "\r\n");
		else if (text[at] == '/' && text[at + 1] == '*')
		{
			end = strstr(text + at + 2, "*/");
			if (end == NULL)
				ereport(ERROR,
						(errcode(ERRCODE_SYNTAX_ERROR),
						 errmsg("unterminated comment"),
						 router_oracle_place(text, at)));
			at = end + 2 - text;
		}
		else
			return at;
	}
}

/* Reads what stands between quotes, doubled ones as one. */
static void
read_quoted(OracleLexer *lexer, char quote)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (const char *in = lexer->text + lexer->at + 1; *in != '\0'; in++)
	{
		if (*in == quote && *++in != quote)
		{
			lexer->token = buf.data;
			lexer->end = in - lexer->text;
			return;
		}
		appendStringInfoChar(&buf, *in);
	}
	ereport(ERROR,
			(errcode(ERRCODE_SYNTAX_ERROR),
			 errmsg("unterminated quote"),
			 router_oracle_place(lexer->text, lexer->at)));
}

static int
skip_number(const char *text, int at)
{
	at += strspn(text + at, "0123456789.");
	if ((text[at] == 'e' || text[at] == 'E') && strspn(text + at + 1, "+-0123456789") > 0)
		at += 1 + strspn(text + at + 1, "+-0123456789");
	return at;
}

/* Goes to the next token. Errors: syntax_error. */
void
router_oracle_next(OracleLexer *lexer)
{
	const char *start;

	CHECK_FOR_INTERRUPTS();
	lexer->at = skip_blanks(lexer->text, lexer->end);
	lexer->end = lexer->at;
	start = lexer->text + lexer->at;
	if (*start == '\0')
		lexer->kind = ORACLE_END;
	else if (*start == '\'' || *start == '"')
	{
		lexer->kind = *start == '"' ? ORACLE_QUOTED : ORACLE_STRING;
		read_quoted(lexer, *start);
		return;
	}
	else if (is_name_start(*start))
	{
		lexer->kind = ORACLE_NAME;
		while (is_name_part(lexer->text[lexer->end]))
			lexer->end++;
		lexer->token = downcase_identifier(start, lexer->end - lexer->at, false, false);
		return;
	}
	else if (isdigit((unsigned char) *start) || (*start == '.' && isdigit((unsigned char) start[1])))
	{
		lexer->kind = ORACLE_NUMBER;
		lexer->end = skip_number(lexer->text, lexer->at);
	}
	else
	{
		lexer->kind = ORACLE_SIGN;
		lexer->end++;
	}
	lexer->token = pnstrdup(start, lexer->end - lexer->at);
}

void
router_oracle_begin(OracleLexer *lexer, const char *text)
{
	lexer->text = text;
	lexer->end = 0;
	router_oracle_next(lexer);
}

/* ------------------------------------------------------------------- patterns */

/* Goes behind the parenthesis that closes the one that is next. False: none is next, or it is not closed. */
static bool
skip_parentheses(OracleLexer *lexer)
{
	int			depth = 0;

	do
	{
		if (lexer->kind == ORACLE_SIGN && lexer->token[0] == '(')
			depth++;
		else if (lexer->kind == ORACLE_SIGN && lexer->token[0] == ')')
			depth--;
		else if (depth == 0 || lexer->kind == ORACLE_END)
			return false;
		router_oracle_next(lexer);
	} while (depth > 0);
	return depth == 0;
}

static bool
match_word(OracleLexer *lexer, const char *word)
{
	bool		fits;

	if (strcmp(word, "()") == 0)
		return skip_parentheses(lexer);
	if (strcmp(word, "@") == 0)
		fits = lexer->kind == ORACLE_NAME || lexer->kind == ORACLE_QUOTED;
	else if (strcmp(word, "#") == 0)
		fits = lexer->kind == ORACLE_NUMBER;
	else
		fits = (lexer->kind == ORACLE_NAME || lexer->kind == ORACLE_SIGN) && pg_strcasecmp(lexer->token, word) == 0;
	if (fits)
		router_oracle_next(lexer);
	return fits;
}

/*
 * Is this next? Then goes behind it. Words and signs, with a blank between
 * them; "@" is any name, "#" a number, "()" a pair of parentheses and what is within.
 */
bool
router_oracle_match(OracleLexer *lexer, const char *pattern)
{
	OracleLexer saved = *lexer;
	char	   *words = pstrdup(pattern);
	char	   *next;

	for (char *word = words; word; word = next)
	{
		next = strchr(word, ' ');
		if (next)
			*next++ = '\0';
		if (!match_word(lexer, word))
		{
			*lexer = saved;
			return false;
		}
	}
	return true;
}

void
router_oracle_expected(const OracleLexer *lexer, const char *what)
{
	ereport(ERROR,
			(errcode(ERRCODE_SYNTAX_ERROR),
			 errmsg("expected %s", what),
			 router_oracle_place(lexer->text, lexer->at)));
}

/* The same, and it must be next. Errors: syntax_error. */
void
router_oracle_expect(OracleLexer *lexer, const char *pattern)
{
	if (!router_oracle_match(lexer, pattern))
		router_oracle_expected(lexer, strcmp(pattern, "#") == 0 ? "a number" : pattern);
}
