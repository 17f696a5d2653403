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

#include "commands/dbcommands.h"
#include "foreign/foreign.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "base/attempt.h"
#include "base/sql.h"
#include "tier/table_text.h"

struct RouterRemote
{
	char	   *server;
	char	   *schema;			/* names over there */
	char	   *table;
	char	   *mark;			/* the comment by which we know our tables */
	char	   *columns;		/* "id integer NOT NULL, …, CONSTRAINT …", for the foreign table as well */
	char	   *create;			/* commands that make the table; NULL: it is there */
	bool		made;			/* they were run */
};

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

		appendStringInfo(&buf, "%s;\n", router_add_index(remote_name(remote), index, router_index_name(index)));
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

/*
 * Makes the foreign table. Rows travel by the thousand, unless the server says otherwise. A table that somebody else
 * made may have rows of somebody else. Errors: object_not_in_prerequisite_state.
 */
void
router_remote_attach(const RouterRemote *remote, const char *name)
{
	router_run("CREATE FOREIGN TABLE %s (%s) SERVER %s OPTIONS (schema_name %s, table_name %s%s%s)", name,
			   remote->columns, quote_identifier(remote->server), quote_literal_cstr(remote->schema),
			   quote_literal_cstr(remote->table),
			   has_option(remote, "batch_size") ? "" : ", batch_size '1000'",
			   has_option(remote, "fetch_size") ? "" : ", fetch_size '1000'");
	if (router_ask("SELECT 1 FROM ONLY %s LIMIT 1", name))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table %s on server \"%s\" is not empty", remote_name(remote), remote->server),
				 errdetail("It was not made by router for this child."),
				 errhint("Empty or drop it over there, or give another remote_schema.")));
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

/* The commands that make the table on the server. */
const char *
router_remote_commands(const RouterRemote *remote)
{
	return remote->create;
}

/* Was the table not made by router? */
bool
router_remote_is_given(const RouterRemote *remote)
{
	return !remote->made;
}

/* Drops the table on the server, if we made it and need it no more. */
void
router_remote_drop(const RouterRemote *remote)
{
	char	   *dblink = dblink_schema();
	char	   *comment = dblink ? remote_comment(remote, dblink) : NULL;

	if (dblink && comment == NULL)
		return;					/* it is gone */
	if (dblink && strcmp(comment, remote->mark) == 0 && !user_of(remote))
		remote_run(remote, dblink, psprintf("DROP TABLE %s", remote_name(remote)));
	else
		ereport(WARNING,
				(errmsg("table %s on server \"%s\" is still there", remote_name(remote), remote->server),
				 errhint("Drop it there; its rows are here again.")));
}

/* Tells that router_remote_drop has failed. */
void
router_remote_warn(const RouterRemote *remote, const ErrorData *error)
{
	ereport(WARNING,
			(errcode(error->sqlerrcode),
			 errmsg("could not drop table %s on server \"%s\": %s", remote_name(remote), remote->server, error->message)));
}
