/*
 * remote.c
 *		Children on another server: the DDL of the table there, and of the
 *		foreign table here.
 *
 * postgres_fdw cannot run DDL. Where the extension dblink is installed it makes
 * and drops the table, with the server and the user mapping that postgres_fdw
 * uses, in connections and transactions of its own. A table that we made has
 * a comment that names this cluster, database and child; only such a table is
 * ever dropped, and only while no foreign table here points to it.
 *
 * Everything runs as the owner of the base, SPI is connected, settings are pinned.
 * Memory: results are palloc'd in the context of the caller.
 */
#include "compat.h"
#include "tier/remote.h"

#include "access/xlog.h"
#include "catalog/pg_type.h"
#include "commands/dbcommands.h"
#include "commands/defrem.h"
#include "executor/spi.h"
#include "foreign/foreign.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "base/attempt.h"
#include "route/key.h"
#include "route/lock.h"
#include "mirror/mirror.h"
#include "base/sql.h"

/* ------------------------------------------------------------------ helpers */

/* A field of the row in hand, in a context that outlives SPI. */
static char *
field(MemoryContext cxt, uint64 row, int column)
{
	char	   *value = SPI_getvalue(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column);

	return value ? MemoryContextStrdup(cxt, value) : NULL;
}

/* The indexes of a table as texts, those of constraints first; invalid ones are left out. */
List *
router_index_texts(Oid relid)
{
	static const char *const query =
		"SELECT c.relname, con.oid IS NOT NULL, i.indisunique,"
		"  CASE WHEN con.oid IS NOT NULL THEN pg_get_constraintdef(con.oid)"
		"       ELSE substr(pg_get_indexdef(i.indexrelid), 1 + length(format('CREATE %sINDEX %I ON %s ',"
		"              CASE WHEN i.indisunique THEN 'UNIQUE ' ELSE '' END, c.relname, i.indrelid::regclass))) END"
		"  FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
		"  LEFT JOIN pg_constraint con ON con.conindid = i.indexrelid AND con.conrelid = i.indrelid AND con.contype IN ('p', 'u', 'x')"
		" WHERE i.indrelid = $1 AND i.indisvalid"
		" ORDER BY con.contype = 'p' DESC NULLS LAST, con.oid, i.indexrelid";
	MemoryContext caller = CurrentMemoryContext;
	Oid			type = OIDOID;
	Datum		value = ObjectIdGetDatum(relid);
	List	   *indexes = NIL;
	int			guc_level = router_spi_begin();

	if (SPI_execute_with_args(query, 1, &type, &value, NULL, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read the indexes of relation %u", relid);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		MemoryContext spi = MemoryContextSwitchTo(caller);
		RouterIndexText *index = palloc(sizeof(RouterIndexText));

		index->name = field(caller, i, 1);
		index->constraint = field(caller, i, 2)[0] == 't';
		index->unique = field(caller, i, 3)[0] == 't';
		index->text = field(caller, i, 4);
		indexes = lappend(indexes, index);
		MemoryContextSwitchTo(spi);
	}
	router_spi_end(guc_level);
	return indexes;
}

/* The command that gives a table such an index under a name. */
char *
router_add_index(const char *table, const RouterIndexText *index, const char *name)
{
	if (index->constraint)
		return psprintf("ALTER TABLE %s ADD CONSTRAINT %s %s", table, quote_identifier(name), index->text);
	return psprintf("CREATE %sINDEX %s ON %s %s", index->unique ? "UNIQUE " : "", quote_identifier(name), table,
					index->text);
}

/* ---------------------------------------------------------------------- texts */

/* The columns and CHECKs of a table. */
char *
router_columns_text(Oid relid)
{
	char	   *columns = router_ask(
		"SELECT string_agg(format('%%I %%s', attname, format_type(atttypid, atttypmod))"
		"  || CASE WHEN attcollation <> typcollation THEN ' COLLATE ' || attcollation::regcollation ELSE '' END"
		"  || CASE WHEN attgenerated <> '' THEN format(' GENERATED ALWAYS AS (%%s) %%s', pg_get_expr(adbin, adrelid),"
		"            CASE attgenerated WHEN 's' THEN 'STORED' ELSE 'VIRTUAL' END) ELSE '' END"
		"  || CASE WHEN attnotnull THEN ' NOT NULL' ELSE '' END, ', ' ORDER BY attnum)"
		"  FROM pg_attribute JOIN pg_type t ON t.oid = atttypid LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum"
		" WHERE attrelid = %u AND attnum > 0 AND NOT attisdropped", relid);
	char	   *checks = router_ask(
		"SELECT string_agg(format('CONSTRAINT %%I %%s', conname, pg_get_constraintdef(oid)), ', ' ORDER BY conname)"
		"  FROM pg_constraint WHERE conrelid = %u AND contype = 'c' AND conname <> '" ROUTER_SEAL_NAME "'", relid);

	return checks ? psprintf("%s, %s", columns ? columns : "", checks) : columns ? columns : pstrdup("");
}

static char *
mark_of(Oid child)
{
	return psprintf("router: %s of database %s in system " UINT64_FORMAT, router_qualified_name(child),
					get_database_name(MyDatabaseId), GetSystemIdentifier());
}

static const char *
remote_name(const RouterRemote *remote)
{
	return quote_qualified_identifier(remote->schema, remote->table);
}

/* What a child would be on a server; schema NULL: that of the child. */
RouterRemote *
router_remote_for(Oid child, const char *server, const char *schema)
{
	RouterRemote *remote = palloc0(sizeof(RouterRemote));
	StringInfoData buf;
	ListCell   *lc;

	remote->server = pstrdup(server);
	remote->schema = schema ? pstrdup(schema) : get_namespace_name(get_rel_namespace(child));
	remote->table = get_rel_name(child);
	remote->mark = mark_of(child);
	remote->columns = router_columns_text(child);
	initStringInfo(&buf);
	appendStringInfo(&buf, "CREATE TABLE %s (%s);\n", remote_name(remote), remote->columns);
	foreach(lc, router_index_texts(child))
	{
		RouterIndexText *index = lfirst(lc);

		appendStringInfo(&buf, "%s;\n", router_add_index(remote_name(remote), index, index->name));
	}
	appendStringInfo(&buf, "COMMENT ON TABLE %s IS %s;", remote_name(remote), quote_literal_cstr(remote->mark));
	remote->create = buf.data;
	return remote;
}

/* What a foreign table stands for. */
RouterRemote *
router_remote_of(Oid foreign_table)
{
	RouterRemote *remote = palloc0(sizeof(RouterRemote));
	ForeignTable *table = GetForeignTable(foreign_table);
	ListCell   *lc;

	remote->server = GetForeignServer(table->serverid)->servername;
	remote->schema = get_namespace_name(get_rel_namespace(foreign_table));
	remote->table = get_rel_name(foreign_table);
	remote->mark = mark_of(foreign_table);
	foreach(lc, table->options)
	{
		DefElem    *option = lfirst(lc);

		if (strcmp(option->defname, "schema_name") == 0)
			remote->schema = defGetString(option);
		else if (strcmp(option->defname, "table_name") == 0)
			remote->table = defGetString(option);
	}
	return remote;
}

static bool
has_option(const RouterRemote *remote, const char *name)
{
	ListCell   *lc;

	foreach(lc, GetForeignServerByName(remote->server, false)->options)
		if (strcmp(((DefElem *) lfirst(lc))->defname, name) == 0)
			return true;
	return false;
}

/* The command that makes the foreign table. Rows travel by the thousand, unless the server says otherwise. */
char *
router_remote_foreign_table(const RouterRemote *remote, const char *name)
{
	return psprintf("CREATE FOREIGN TABLE %s (%s) SERVER %s OPTIONS (schema_name %s, table_name %s%s%s)", name,
					remote->columns, quote_identifier(remote->server), quote_literal_cstr(remote->schema),
					quote_literal_cstr(remote->table),
					has_option(remote, "batch_size") ? "" : ", batch_size '1000'",
					has_option(remote, "fetch_size") ? "" : ", fetch_size '1000'");
}

/* --------------------------------------------------------------------- dblink */

/* The schema of the extension dblink, quoted; NULL: it is not there, or not for the owner of the base. */
static char *
dblink_schema(void)
{
	return router_ask("SELECT quote_ident(nspname) FROM pg_extension JOIN pg_namespace n ON n.oid = extnamespace"
					  " JOIN pg_proc p ON pronamespace = n.oid AND proname = 'dblink_connect' AND pronargs = 2"
					  " WHERE extname = 'dblink' AND has_schema_privilege(n.oid, 'USAGE')"
					  " AND has_function_privilege(p.oid, 'EXECUTE')");
}

/* A word with the server, by a connection of dblink. */
typedef struct Talk
{
	char	   *query;
	char	   *answer;
} Talk;

static bool
talk(void *arg)
{
	Talk	   *t = arg;

	t->answer = router_ask("%s", t->query);
	return true;
}

/*
 * Sends SQL to the server, and returns what it answers. Given a server's name, dblink
 * prefers a connection that this session has under the name, opened by whomever and to wherever. So
 * the connection is our own, with a name that nobody can foresee.
 */
static char *
remote_ask(const RouterRemote *remote, const char *dblink, const char *format, const char *sql)
{
	Talk		t = {0};
	ErrorData  *error;
	uint64		secret;
	char	   *name;

	if (!pg_strong_random(&secret, sizeof(secret)))
		ereport(ERROR,
				(errcode(ERRCODE_INTERNAL_ERROR),
				 errmsg("could not generate a random number")));
	name = psprintf("'router_" UINT64_FORMAT "'::text", secret);
	(void) router_ask("SELECT %s.dblink_connect(%s, %s::text)", dblink, name, quote_literal_cstr(remote->server));
	t.query = psprintf(format, dblink, name, quote_literal_cstr(sql));
	error = router_attempt(talk, &t);
	(void) router_ask("SELECT %s.dblink_disconnect(%s)", dblink, name);
	if (error)
		ReThrowError(error);
	return t.answer;
}

static void
remote_run(const RouterRemote *remote, const char *dblink, const char *commands)
{
	(void) remote_ask(remote, dblink, "SELECT %s.dblink_exec(%s, %s::text)", commands);
}

/* The comment of the table there; "" without one, NULL if there is no such table. */
static char *
remote_comment(const RouterRemote *remote, const char *dblink)
{
	char	   *name = quote_literal_cstr(remote_name(remote));

	return remote_ask(remote, dblink, "SELECT comment FROM %s.dblink(%s, %s::text) AS t(comment text)",
					  psprintf("SELECT coalesce(obj_description(to_regclass(%s), 'pg_class'), '')"
							   " WHERE to_regclass(%s) IS NOT NULL", name, name));
}

/* The foreign table here that stands for the remote table, or NULL. */
static char *
user_of(const RouterRemote *remote)
{
	return router_ask(
		"SELECT ftrelid::regclass FROM pg_foreign_table JOIN pg_class c ON c.oid = ftrelid JOIN pg_namespace n ON n.oid = relnamespace"
		"  JOIN pg_foreign_server s ON s.oid = ftserver"
		" WHERE srvname = %s"
		"   AND coalesce((SELECT option_value FROM pg_options_to_table(ftoptions) WHERE option_name = 'schema_name'), nspname) = %s"
		"   AND coalesce((SELECT option_value FROM pg_options_to_table(ftoptions) WHERE option_name = 'table_name'), relname) = %s",
		quote_literal_cstr(remote->server), quote_literal_cstr(remote->schema), quote_literal_cstr(remote->table));
}

/*
 * Makes the table on the server, committed at once; one that an interrupted run
 * left there is made anew. Does nothing if dblink is not installed, or if
 * somebody else made the table: then it has to be right, and empty.
 *
 * Errors: object_in_use; those of dblink and of the server.
 */
void
router_remote_create(RouterRemote *remote)
{
	char	   *dblink = dblink_schema();
	char	   *comment = dblink ? remote_comment(remote, dblink) : NULL;
	char	   *user = user_of(remote);

	if (user)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("foreign table %s stands for table %s on server \"%s\" already", user, remote_name(remote),
						remote->server),
				 errhint("Give another remote_schema, or drop the foreign table.")));
	if (dblink == NULL || (comment && strcmp(comment, remote->mark) != 0))
		return;
	remote_run(remote, dblink, comment ? psprintf("DROP TABLE %s; %s", remote_name(remote), remote->create) :
			   remote->create);
	remote->made = true;
}

/* Drops the table on the server if we made it and need it no more; false: it is still there. */
bool
router_remote_drop(const RouterRemote *remote)
{
	char	   *dblink = dblink_schema();
	char	   *comment = dblink ? remote_comment(remote, dblink) : NULL;

	if (comment == NULL || strcmp(comment, remote->mark) != 0 || user_of(remote))
		return dblink && comment == NULL;
	remote_run(remote, dblink, psprintf("DROP TABLE %s", remote_name(remote)));
	return true;
}
