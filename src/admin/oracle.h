/*
 * oracle.h
 *		PARTITION BY clauses of Oracle: read by oracle_lex.c and oracle_parse.c, for from_oracle.c.
 */
#ifndef ROUTER_ORACLE_H
#define ROUTER_ORACLE_H

#include "compat.h"

#include "nodes/pg_list.h"

typedef enum OracleTokenKind
{
	ORACLE_END,
	ORACLE_NAME,				/* or a keyword; lower case */
	ORACLE_QUOTED,				/* a name in double quotes, as it is */
	ORACLE_STRING,
	ORACLE_NUMBER,
	ORACLE_SIGN,				/* any other character */
} OracleTokenKind;

/* A text and the token that is next in it. Small, and copied to go back. */
typedef struct OracleLexer
{
	const char *text;
	int			end;			/* behind the token */
	OracleTokenKind kind;
	char	   *token;
	int			at;				/* where the token begins */
} OracleLexer;

typedef enum OracleValueKind
{
	ORACLE_VALUE_TEXT,
	ORACLE_VALUE_NUMBER,
	ORACLE_VALUE_DATE,
	ORACLE_VALUE_NULL,
	ORACLE_VALUE_DEFAULT,
	ORACLE_VALUE_MAXVALUE,
} OracleValueKind;

typedef struct OracleValue
{
	OracleValueKind kind;
	int			at;
	char	   *text;			/* NULL: of the last three */
	int64		point;			/* of a date: a timestamp */
} OracleValue;

typedef struct OraclePartition
{
	int			at;
	char	   *name;			/* NULL: Oracle finds one */
	List	   *values;			/* OracleValue; hash: NIL */
	List	   *subs;			/* OraclePartition; NIL: as the template says */
} OraclePartition;

typedef enum OracleMethod
{
	ORACLE_LIST,
	ORACLE_RANGE,
	ORACLE_HASH,
} OracleMethod;

typedef struct OracleLevel
{
	OracleMethod method;
	int			at;				/* of the column */
	char	   *column;
	bool		automatic;
	char	   *every;			/* of INTERVAL; NULL: none */
	bool		by_number;		/* INTERVAL is a number */
	int			every_at;
	List	   *partitions;		/* OraclePartition; of the inner level: the template, or NIL */
} OracleLevel;

typedef struct OracleColumn
{
	char	   *name;
	char	   *type;			/* its first word */
	bool		computed;
	bool		not_null;
} OracleColumn;

typedef struct OracleTable
{
	char	   *schema;			/* NULL: not given, as the name */
	char	   *name;
	List	   *columns;		/* OracleColumn; NIL: not given */
	OracleLevel levels[2];		/* PARTITION BY, SUBPARTITION BY */
	int			nlevels;
} OracleTable;

/* oracle_lex.c */
extern void router_oracle_begin(OracleLexer *lexer, const char *text);
extern void router_oracle_next(OracleLexer *lexer);
extern bool router_oracle_match(OracleLexer *lexer, const char *pattern);
extern void router_oracle_expect(OracleLexer *lexer, const char *pattern);
extern void router_oracle_expected(const OracleLexer *lexer, const char *what);
extern int	router_oracle_place(const char *text, int at);
extern void router_oracle_add_place(void *arg);

/* oracle_value.c */
extern OracleValue *router_oracle_value(OracleLexer *lexer);
extern void router_oracle_interval(OracleLexer *lexer, OracleLevel *level);

/* oracle_parse.c */
extern OracleTable *router_oracle_parse(const char *text);
extern OracleColumn *router_oracle_column(const OracleTable *table, const char *name);

#endif
