/*
 * oracle_parse.c
 *		The grammar of Oracle's PARTITION BY clause, alone or in a CREATE TABLE: recursive descent.
 *
 * It knows what router can make, or can leave out without harm (options[]), for
 * which there is a NOTICE. All else is an error that names it.
 */
#include "compat.h"
#include "admin/oracle.h"

#include "utils/formatting.h"

#include "route/key.h"

typedef struct OracleParser
{
	OracleLexer lexer;
	OracleTable *table;
	List	   *ignored;		/* strings */
} OracleParser;

/* What rows do not depend on. What begins with another one comes first. */
static const char *const options[] = {
	"TABLESPACE @", "PCTFREE #", "PCTUSED #", "INITRANS #", "MAXTRANS #", "STORAGE ()", "STORE IN ()",
	"LOGGING", "NOLOGGING", "FILESYSTEM_LIKE_LOGGING", "SEGMENT CREATION @",
	"ROW STORE COMPRESS ADVANCED", "ROW STORE COMPRESS BASIC", "ROW STORE COMPRESS",
	"COLUMN STORE COMPRESS FOR @ LOW", "COLUMN STORE COMPRESS FOR @ HIGH", "COLUMN STORE COMPRESS FOR @",
	"COMPRESS FOR @ LOW", "COMPRESS FOR @ HIGH", "COMPRESS FOR @ OPERATIONS", "COMPRESS FOR @", "COMPRESS BASIC",
	"COMPRESS ADVANCED LOW", "COMPRESS ADVANCED HIGH", "COMPRESS ADVANCED", "COMPRESS #", "COMPRESS", "NOCOMPRESS",
	"PARALLEL #", "PARALLEL ()", "PARALLEL", "NOPARALLEL", "CACHE", "NOCACHE", "MONITORING", "NOMONITORING",
	"INMEMORY", "NO INMEMORY", "INDEXING ON", "INDEXING OFF", "RESULT_CACHE ()", "ORGANIZATION HEAP", "ORGANIZATION INDEX",
	"ENABLE ROW MOVEMENT", "DISABLE ROW MOVEMENT", "ROWDEPENDENCIES", "NOROWDEPENDENCIES",
	"LOB () STORE AS @ @ ()", "LOB () STORE AS @ ()", "LOB () STORE AS ()", "LOB () STORE AS @",
};

/* Passes over one option, and notes it. False: none is next. */
static bool
skip_option(OracleParser *parser)
{
	for (int i = 0; i < lengthof(options); i++)
		if (router_oracle_match(&parser->lexer, options[i]))
		{
			int			words = strcspn(options[i], "@#(");
			char	   *name = pnstrdup(options[i], options[i][words] == '\0' ? words : words - 1);
			ListCell   *lc;

			foreach(lc, parser->ignored)
				if (strcmp(lfirst(lc), name) == 0)
					return true;
			parser->ignored = lappend(parser->ignored, name);
			return true;
		}
	return false;
}

static void
skip_options(OracleParser *parser)
{
	while (skip_option(parser))
		continue;
}

static void
refuse(const OracleLexer *lexer, const char *what, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("%s is not supported by router", what),
			 router_oracle_place(lexer->text, lexer->at),
			 errhint("%s", hint)));
}

/* A word that is not known, where something else would do. */
static void
refuse_word(const OracleLexer *lexer)
{
	if (lexer->kind == ORACLE_NAME && strcmp(lexer->token, "partition") != 0 && strcmp(lexer->token, "subpartition") != 0)
		refuse(lexer, psprintf("\"%s\"", lexer->token), "Leave it out.");
}

static char *
take_name(OracleLexer *lexer)
{
	char	   *name = lexer->token;

	if (!router_oracle_match(lexer, "@"))
		router_oracle_expected(lexer, "a name");
	return name;
}

static int
take_count(OracleLexer *lexer)
{
	OracleLexer at = *lexer;
	long		count;

	router_oracle_expect(lexer, "#");
	errno = 0;
	count = strtol(at.token, NULL, 10);
	if (errno != 0 || count < 1 || count > ROUTER_MAX_MODULUS || strspn(at.token, "0123456789") < strlen(at.token))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid number of partitions"),
				 router_oracle_place(at.text, at.at),
				 errhint("Give 1 to %d.", ROUTER_MAX_MODULUS)));
	return count;
}

/* So many partitions of a hash, whose names Oracle finds. */
static List *
count_partitions(OracleParser *parser)
{
	int			at = parser->lexer.at;
	List	   *partitions = NIL;

	for (int i = take_count(&parser->lexer); i > 0; i--)
	{
		OraclePartition *partition = palloc0(sizeof(OraclePartition));

		partition->at = at;
		partitions = lappend(partitions, partition);
	}
	return partitions;
}

/* ------------------------------------------------------------------ partitions */

static List *
parse_values(OracleLexer *lexer)
{
	List	   *values = NIL;

	router_oracle_expect(lexer, "(");
	do
		values = lappend(values, router_oracle_value(lexer));
	while (router_oracle_match(lexer, ","));
	router_oracle_expect(lexer, ")");
	return values;
}

static List *parse_partitions(OracleParser *parser, int n);

/* Is the name of a partition next, and not what follows it? */
static bool
has_name(OracleParser *parser)
{
	OracleParser copy = *parser;

	if (parser->lexer.kind == ORACLE_QUOTED)
		return true;
	return parser->lexer.kind == ORACLE_NAME && !router_oracle_match(&copy.lexer, "VALUES") && !skip_option(&copy);
}

/* One partition, behind the word, of the level n. */
static OraclePartition *
parse_partition(OracleParser *parser, int n)
{
	OracleLexer *lexer = &parser->lexer;
	OraclePartition *partition = palloc0(sizeof(OraclePartition));
	OracleMethod method = parser->table->levels[n].method;

	partition->at = lexer->at;
	if (has_name(parser))
		partition->name = take_name(lexer);
	if (method == ORACLE_RANGE)
		router_oracle_expect(lexer, "VALUES LESS THAN");
	else if (method == ORACLE_LIST)
		router_oracle_expect(lexer, "VALUES");
	if (method != ORACLE_HASH)
		partition->values = parse_values(lexer);
	skip_options(parser);
	if (n == 0 && parser->table->nlevels == 2)
	{
		if (parser->table->levels[1].method == ORACLE_HASH && router_oracle_match(lexer, "SUBPARTITIONS"))
			partition->subs = count_partitions(parser);
		else if (lexer->kind == ORACLE_SIGN && lexer->token[0] == '(')
			partition->subs = parse_partitions(parser, 1);
		skip_options(parser);
	}
	return partition;
}

/* What stands in parentheses: partitions of the level n. */
static List *
parse_partitions(OracleParser *parser, int n)
{
	List	   *partitions = NIL;

	router_oracle_expect(&parser->lexer, "(");
	do
	{
		router_oracle_expect(&parser->lexer, n == 0 ? "PARTITION" : "SUBPARTITION");
		partitions = lappend(partitions, parse_partition(parser, n));
	} while (router_oracle_match(&parser->lexer, ","));
	refuse_word(&parser->lexer);
	router_oracle_expect(&parser->lexer, ")");
	return partitions;
}

/* ---------------------------------------------------------------------- levels */

/* The kind of key of a level and its column. */
static void
parse_level(OracleParser *parser, int n)
{
	OracleLexer *lexer = &parser->lexer;
	OracleLevel *level = &parser->table->levels[n];

	if (router_oracle_match(lexer, "LIST"))
		level->method = ORACLE_LIST;
	else if (router_oracle_match(lexer, "RANGE"))
		level->method = ORACLE_RANGE;
	else if (router_oracle_match(lexer, "HASH"))
		level->method = ORACLE_HASH;
	else if (lexer->kind == ORACLE_NAME)
		refuse(lexer, psprintf("%s BY %s", n == 0 ? "PARTITION" : "SUBPARTITION", asc_toupper(lexer->token, strlen(lexer->token))),
				"Routes go by LIST, RANGE and HASH of a column. A table that was partitioned by REFERENCE gets a key of its own, of the same columns as the table it refers to.");
	else
		router_oracle_expected(lexer, "LIST, RANGE or HASH");
	router_oracle_expect(lexer, "(");
	level->at = lexer->at;
	level->column = take_name(lexer);
	if (lexer->kind == ORACLE_SIGN && lexer->token[0] == ',')
		refuse(lexer, "a key of several columns", "Give a column to each level: SUBPARTITION BY.");
	router_oracle_expect(lexer, ")");
	if (n == 0 && level->method == ORACLE_LIST && router_oracle_match(lexer, "AUTOMATIC"))
		level->automatic = true;
	if (n == 0 && level->method == ORACLE_RANGE && router_oracle_match(lexer, "INTERVAL"))
		router_oracle_interval(lexer, level);
	skip_options(parser);
}

static void
parse_template(OracleParser *parser)
{
	OracleLexer *lexer = &parser->lexer;
	OracleLevel *level = &parser->table->levels[1];

	bool		hash = level->method == ORACLE_HASH;

	if (hash && router_oracle_match(lexer, "SUBPARTITIONS"))
		level->partitions = count_partitions(parser);
	else if (router_oracle_match(lexer, "SUBPARTITION TEMPLATE"))
		level->partitions = hash && lexer->kind == ORACLE_NUMBER ? count_partitions(parser) :
			parse_partitions(parser, 1);
	skip_options(parser);
}

/* Behind PARTITION BY. */
static void
parse_partitioning(OracleParser *parser)
{
	OracleLexer *lexer = &parser->lexer;
	OracleTable *table = parser->table;

	table->nlevels = 1;
	parse_level(parser, 0);
	if (router_oracle_match(lexer, "SUBPARTITION BY"))
	{
		table->nlevels = 2;
		parse_level(parser, 1);
		parse_template(parser);
	}
	if (table->levels[0].method == ORACLE_HASH && router_oracle_match(lexer, "PARTITIONS"))
		table->levels[0].partitions = count_partitions(parser);
	else
		table->levels[0].partitions = parse_partitions(parser, 0);
	skip_options(parser);
}

/* ----------------------------------------------------------------- the table */

/* The column with a name, or NULL. */
OracleColumn *
router_oracle_column(const OracleTable *table, const char *name)
{
	ListCell   *lc;

	foreach(lc, table->columns)
	{
		OracleColumn *column = lfirst(lc);

		if (strcmp(column->name, name) == 0)
			return column;
	}
	return NULL;
}

/* The columns of a PRIMARY KEY of the table, behind these words. */
static void
parse_primary_key(OracleParser *parser)
{
	router_oracle_expect(&parser->lexer, "(");
	do
	{
		OracleColumn *column = router_oracle_column(parser->table, take_name(&parser->lexer));

		if (column)
			column->not_null = true;
	} while (router_oracle_match(&parser->lexer, ","));
	router_oracle_expect(&parser->lexer, ")");
}

/* A column, or a constraint, up to what follows it. */
static void
parse_column(OracleParser *parser)
{
	static const char *const words[] = {"CONSTRAINT @", "PRIMARY", "UNIQUE", "FOREIGN", "CHECK", "SUPPLEMENTAL", "SCOPE", "PERIOD"};
	OracleLexer *lexer = &parser->lexer;
	OracleColumn *column = NULL;
	bool		constraint = false;

	for (int i = 0; i < lengthof(words) && !constraint; i++)
	{
		OracleLexer ahead = *lexer;

		constraint = router_oracle_match(&ahead, words[i]);
	}
	if (!constraint)
	{
		column = palloc0(sizeof(OracleColumn));
		column->name = take_name(lexer);
		column->type = lexer->kind == ORACLE_NAME ? lexer->token : "";
		parser->table->columns = lappend(parser->table->columns, column);
	}
	while (!(lexer->kind == ORACLE_SIGN && strchr(",)", lexer->token[0])))
	{
		if (lexer->kind == ORACLE_END)
			router_oracle_expected(lexer, ")");
		else if (router_oracle_match(lexer, "PRIMARY KEY"))
		{
			if (column)
				column->not_null = true;
			else
				parse_primary_key(parser);
		}
		else if (column && router_oracle_match(lexer, "NOT NULL"))
			column->not_null = true;
		else if (column && (router_oracle_match(lexer, "VIRTUAL") || router_oracle_match(lexer, "AS ()")))
			column->computed = true;
		else if (lexer->kind != ORACLE_SIGN || lexer->token[0] != '(')
			router_oracle_next(lexer);
		else if (!router_oracle_match(lexer, "()"))
			router_oracle_expected(lexer, "a parenthesis that is closed");
	}
}

/* CREATE TABLE up to PARTITION BY. */
static void
parse_table(OracleParser *parser)
{
	OracleLexer *lexer = &parser->lexer;
	OracleTable *table = parser->table;

	router_oracle_expect(lexer, "CREATE TABLE");
	(void) router_oracle_match(lexer, "IF NOT EXISTS");
	table->name = take_name(lexer);
	if (router_oracle_match(lexer, "."))
	{
		table->schema = table->name;
		table->name = take_name(lexer);
	}
	if (router_oracle_match(lexer, "("))
	{
		do
			parse_column(parser);
		while (router_oracle_match(lexer, ","));
		router_oracle_expect(lexer, ")");
	}
	skip_options(parser);
}

static void
tell_ignored(const List *ignored)
{
	StringInfoData buf;
	ListCell   *lc;

	if (ignored == NIL)
		return;
	initStringInfo(&buf);
	foreach(lc, ignored)
		appendStringInfo(&buf, "%s%s", buf.len > 0 ? ", " : "", (char *) lfirst(lc));
	ereport(NOTICE,
			(errmsg("left out: %s", buf.data)));
}

/*
 * Reads a PARTITION BY clause, or a CREATE TABLE with one. The caller has pinned
 * the settings.
 *
 * Errors: syntax_error, feature_not_supported, invalid_parameter_value, those of dates.
 */
OracleTable *
router_oracle_parse(const char *text)
{
	OracleParser parser = {.table = palloc0(sizeof(OracleTable))};
	OracleLexer *lexer = &parser.lexer;

	router_oracle_begin(lexer, text);
	if (lexer->kind == ORACLE_NAME && strcmp(lexer->token, "create") == 0)
		parse_table(&parser);
	if (!router_oracle_match(lexer, "PARTITION BY"))
	{
		if (parser.table->name)
			refuse_word(lexer);
		router_oracle_expected(lexer, parser.table->name ? "PARTITION BY" : "CREATE TABLE or PARTITION BY");
	}
	parse_partitioning(&parser);
	while (router_oracle_match(lexer, ";") || router_oracle_match(lexer, "/"))
		continue;
	refuse_word(lexer);
	if (lexer->kind != ORACLE_END)
		router_oracle_expected(lexer, "the end of the clause");
	tell_ignored(parser.ignored);
	return parser.table;
}
