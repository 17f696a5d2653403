/*
 * sql.c
 *		Commands of router's own in SQL, and the names of tables in them.
 */
#include "compat.h"
#include "base/sql.h"

#include "executor/spi.h"
#include "miscadmin.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"

#include "base/pin.h"

/* What a command of router says goes wrong names the command, as SPI has it. */
static void
add_command(void *arg)
{
	int			position = geterrposition();

	if (position > 0)
	{
		errposition(0);
		internalerrposition(position);
		internalerrquery(arg);
	}
	else
		errcontext("SQL statement \"%s\"", (char *) arg);
}

static void
run_utility(char *sql)
{
	ErrorContextCallback context = {.callback = add_command,.arg = sql,.previous = error_context_stack};
	PlannedStmt *stmt = makeNode(PlannedStmt);
	int			guc_level;

	Assert(router_is_pinned() || InLocalUserIdChange());
	/* what the owner defined may have set something since, or does so now */
	guc_level = router_pin_settings(NULL);
	error_context_stack = &context;
	stmt->commandType = CMD_UTILITY;
	stmt->utilityStmt = linitial_node(RawStmt, raw_parser(sql, RAW_PARSE_DEFAULT))->stmt;
	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
	ProcessUtility(stmt, sql, false, PROCESS_UTILITY_SUBCOMMAND, NULL, NULL, None_Receiver, NULL);
	PopActiveSnapshot();
	CommandCounterIncrement();
	AtEOXact_GUC(false, guc_level);
	error_context_stack = context.previous;
}

/* As psprintf. */
char *
router_format(const char *fmt, va_list args)
{
	size_t		size = 256;

	for (;;)
	{
		char	   *text = palloc(size);
		size_t		needed;
		va_list		again;

		va_copy(again, args);
		needed = pvsnprintf(text, size, fmt, again);
		va_end(again);
		if (needed < size)
			return text;
		pfree(text);
		size = needed;
	}
}

/*
 * Runs one command that is no query. It is a part of what somebody else does, an
 * INSERT, CREATE INDEX or function: no event triggers fire for it, neither
 * router's, which need not follow what router does, nor those of users. What
 * watches commands by ProcessUtility_hook sees it.
 */
void
router_run(const char *fmt,...)
{
	va_list		args;
	char	   *sql;

	va_start(args, fmt);
	sql = router_format(fmt, args);
	va_end(args);
	run_utility(sql);
	pfree(sql);
}

/* The first column of the first row of a query, as text; NULL: there is none. */
char *
router_ask(const char *fmt,...)
{
	MemoryContext caller = CurrentMemoryContext;
	va_list		args;
	char	   *sql;
	char	   *answer = NULL;
	int			guc_level;

	va_start(args, fmt);
	sql = router_format(fmt, args);
	va_end(args);
	guc_level = router_spi_begin();
	if (SPI_execute(sql, false, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not run: %s", sql);
	if (SPI_processed > 0)
		answer = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
	if (answer)
		answer = MemoryContextStrdup(caller, answer);
	router_spi_end(guc_level);
	pfree(sql);
	return answer;
}

/* Runs a query by a snapshot; NULL: the latest. SPI is connected. */
void
router_execute_at(const char *query, Snapshot snapshot, int expected)
{
	SPIPlanPtr	plan = SPI_prepare(query, 0, NULL);
	bool		read_only = snapshot && expected == SPI_OK_SELECT;

	if (plan == NULL ||
		SPI_execute_snapshot(plan, NULL, NULL, snapshot, InvalidSnapshot, read_only, true, 0) != expected)
		elog(ERROR, "could not run: %s", query);
	SPI_freeplan(plan);
}

/* "TABLE" or "FOREIGN TABLE", for ALTER and DROP. */
const char *
router_table_word(Oid relid)
{
	return get_rel_relkind(relid) == RELKIND_FOREIGN_TABLE ? "FOREIGN TABLE" : "TABLE";
}

/* Drops a table with its rows, as by hand: event triggers that guard tables fire. */
void
router_drop_table(Oid relid)
{
	char	   *sql = psprintf("DROP %s %s", router_table_word(relid), router_qualified_name(relid));

	SPI_connect();
	if (SPI_execute(sql, false, 0) < 0)
		elog(ERROR, "SPI_execute failed: %s", sql);
	SPI_finish();
}

/* The name of a table; an error if it is gone, as one may be that is not locked. */
char *
router_qualified_name(Oid relid)
{
	char	   *name = get_rel_name(relid);
	char	   *schema = name ? get_namespace_name(get_rel_namespace(relid)) : NULL;

	if (schema == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("relation with OID %u was dropped by another session", relid),
				 errhint("Run the statement again.")));
	return quote_qualified_identifier(schema, name);
}

/* What is not found under the pinned search_path may be there for those who write rows. Of an error callback. */
void
router_hint_at_search_path(void)
{
	int			code = geterrcode();

	if (code == ERRCODE_UNDEFINED_TABLE || code == ERRCODE_UNDEFINED_FUNCTION || code == ERRCODE_UNDEFINED_OBJECT)
		errhint("Give the function that the table's indexes or constraints call a search_path of its own, with ALTER FUNCTION … SET search_path.");
}
