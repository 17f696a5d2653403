/*
 * triggers.c
 *		By what entries of global keys (entry.c) follow rows: triggers on the base
 *		and each child,
 *			"~router_key"			AFTER INSERT OR UPDATE OR DELETE, row
 *			"~router_key_truncate"	BEFORE TRUNCATE, statement
 *		and a hook that sees TRUNCATE.
 *
 * Wherever the library sees a statement begin, write/hooks.c puts a watch on
 * the relations that it changes; home.c does so for the children that rows are
 * sent to. Both, or neither: entries made at once and others removed at
 * the end of the statement would collide. The row trigger itself does the
 * rest: a statement that began before the library was loaded, logical replication.
 *
 * Locking: triggers are created under ShareRowExclusiveLock, dropped under
 * AccessExclusiveLock on their table.
 */
#include "compat.h"
#include "globalkey/triggers.h"

#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"

#include "globalkey/entry.h"
#include "base/guard.h"
#include "base/owner.h"
#include "mirror/mirror.h"
#include "base/sql.h"

/* relations that the running TRUNCATE names, key tables that we added to it included */
static List *truncated = NIL;

static ProcessUtility_hook_type previous_utility = NULL;

PG_FUNCTION_INFO_V1(router_keep_global_keys);

/* ----------------------------------------------------------- rows of a table */

/* The keys of the rows that stand in one table itself. */
static char *
keys_of_table(Oid relid, const RouterGlobalKey *key)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (int i = 0; i < key->ncolumns; i++)
		appendStringInfo(&buf, "%s%s", i > 0 ? ", " : "SELECT ", quote_identifier(key->columns[i]));
	appendStringInfo(&buf, " FROM ONLY %s", router_qualified_name(relid));
	for (int i = 0; i < key->ncolumns; i++)
		appendStringInfo(&buf, "%s%s IS DISTINCT FROM NULL", i > 0 ? " AND " : " WHERE ", quote_identifier(key->columns[i]));
	return buf.data;
}

static void
apply_table(Oid base, Oid relid, bool enter)
{
	ListCell   *lc;

	foreach(lc, router_catalog_global_keys(base))
	{
		RouterGlobalKey *key = lfirst(lc);

		(void) router_globalkey_apply(base, key->key_table, router_relation_owner(relid), keys_of_table(relid, key),
									  enter);
	}
}

/* ----------------------------------------------------------------- triggers */

static bool
has_trigger(Oid relid, const char *name)
{
	return OidIsValid(get_trigger_oid(relid, name, true));
}

/* Runs a command as the owner of a table. */
static void
run_as_owner(Oid relid, const char *command)
{
	int			guc_level = router_pin_settings(NULL);
	Oid			user;
	int			context;

	GetUserIdAndSecContext(&user, &context);
	SetUserIdAndSecContext(router_relation_owner(relid), context | SECURITY_LOCAL_USERID_CHANGE);
	router_run("%s", command);
	SetUserIdAndSecContext(user, context);
	AtEOXact_GUC(false, guc_level);
}

static void
create_trigger(Oid relid, const char *name, const char *when, const char *each)
{
	const char *table = router_qualified_name(relid);

	run_as_owner(relid, psprintf("CREATE TRIGGER %s %s ON %s FOR EACH %s EXECUTE FUNCTION router.keep_global_keys()",
								 quote_identifier(name), when, table, each));
	run_as_owner(relid, psprintf("ALTER TABLE %s ENABLE ALWAYS TRIGGER %s", table, quote_identifier(name)));
}

/*
 * Gives a table of a routed table, the base or a child, the triggers of global
 * keys that it lacks, as its owner. Nothing happens if the base has no such key.
 */
void
router_globalkey_equip(Oid base, Oid relid)
{
	if (router_catalog_global_keys(base) == NIL)
		return;
	if (!has_trigger(relid, ROUTER_TRIGGER_GLOBALKEY))
		create_trigger(relid, ROUTER_TRIGGER_GLOBALKEY, "AFTER INSERT OR UPDATE OR DELETE", "ROW");
	if (router_has_truncate_triggers(get_rel_relkind(relid)) && !has_trigger(relid, ROUTER_TRIGGER_GLOBALKEY_TRUNCATE))
		create_trigger(relid, ROUTER_TRIGGER_GLOBALKEY_TRUNCATE, "BEFORE TRUNCATE", "STATEMENT");
}

/* Takes those triggers away again, as the table's owner; AccessExclusiveLock on the table. */
void
router_globalkey_strip(Oid relid)
{
	static const char *const names[] = {ROUTER_TRIGGER_GLOBALKEY, ROUTER_TRIGGER_GLOBALKEY_TRUNCATE};

	for (int i = 0; i < lengthof(names); i++)
		if (has_trigger(relid, names[i]))
			run_as_owner(relid, psprintf("DROP TRIGGER %s ON %s", quote_identifier(names[i]),
										 router_qualified_name(relid)));
}

/* A table with rows became a child: they get their entries. Nobody else can write to it. */
void
router_globalkey_attach(Oid base, Oid child)
{
	router_globalkey_equip(base, child);
	apply_table(base, child, true);
}

/*
 * A child goes with its rows: they lose their entries, which is refused if a
 * foreign key refers to one of them. Nothing happens to a table without the
 * triggers. The caller holds AccessExclusiveLock on it.
 */
void
router_globalkey_detach(Oid base, Oid child)
{
	if (!has_trigger(child, ROUTER_TRIGGER_GLOBALKEY))
		return;
	apply_table(base, child, false);
	router_globalkey_strip(child);
}

/* All rows of one table go. */
static void
truncate_entries(Relation rel, Oid base)
{
	ListCell   *lc;

	foreach(lc, router_catalog_global_keys(base))
	{
		RouterGlobalKey *key = lfirst(lc);
		Relation	table;
		bool		referenced;

		if (list_member_oid(truncated, key->key_table))
			continue;
		table = table_open(key->key_table, RowExclusiveLock);
		referenced = router_is_referenced(table);
		table_close(table, NoLock);
		if (referenced)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("cannot truncate a table referenced in a foreign key constraint"),
					 errdetail("A foreign key refers to key table \"%s\" of routed table \"%s\".",
							   get_rel_name(key->key_table), get_rel_name(base)),
					 errhint("Delete the rows, or truncate the whole routed table and the referring tables in one statement.")));
		(void) router_globalkey_apply(base, key->key_table, rel->rd_rel->relowner,
									  keys_of_table(RelationGetRelid(rel), key), false);
	}
}

/* The trigger function of all of them. */
Datum
router_keep_global_keys(PG_FUNCTION_ARGS)
{
	static const RouterOwnTrigger own[] = {
		{ROUTER_TRIGGER_GLOBALKEY, TRIGGER_TYPE_ROW | TRIGGER_TYPE_INSERT | TRIGGER_TYPE_UPDATE | TRIGGER_TYPE_DELETE},
		{ROUTER_TRIGGER_GLOBALKEY_TRUNCATE, TRIGGER_TYPE_BEFORE | TRIGGER_TYPE_TRUNCATE},
	};
	TriggerData *trigdata = router_own_call(fcinfo, "keep_global_keys", own, lengthof(own));
	Oid			base = router_cache_base(RelationGetRelid(trigdata->tg_relation));

	if (!OidIsValid(base))
		return PointerGetDatum(NULL);	/* triggers restored, the route not yet */
	if (TRIGGER_FIRED_BY_TRUNCATE(trigdata->tg_event))
		truncate_entries(trigdata->tg_relation, base);
	else
		router_globalkey_follow(base, trigdata->tg_relation,
								TRIGGER_FIRED_BY_INSERT(trigdata->tg_event) ? NULL : trigdata->tg_trigslot,
								TRIGGER_FIRED_BY_INSERT(trigdata->tg_event) ? trigdata->tg_trigslot :
								TRIGGER_FIRED_BY_DELETE(trigdata->tg_event) ? NULL : trigdata->tg_newslot);
	return PointerGetDatum(NULL);
}

/* ------------------------------------------------------------------ TRUNCATE */

/*
 * TRUNCATE of a whole routed table truncates its key tables as well, if the
 * user may: then all is as for an ordinary table, foreign keys and CASCADE
 * included. Otherwise the triggers remove the entries.
 */
static void
add_key_tables(TruncateStmt *stmt)
{
	List	   *added = NIL;
	ListCell   *lc;

	truncated = NIL;
	foreach(lc, stmt->relations)
	{
		RangeVar   *rv = lfirst(lc);
		Oid			relid = RangeVarGetRelid(rv, NoLock, true);
		RouterRoute *route = NULL;
		List	   *keys = NIL;
		ListCell   *each;

		truncated = list_append_unique_oid(truncated, relid);
		if (OidIsValid(relid) && rv->inh)
			route = router_cache_route(router_cache_entry(relid));
		if (route && route->global_keys != NIL)
			keys = router_catalog_global_keys(relid);
		foreach(each, keys)
		{
			Oid			table = ((RouterGlobalKey *) lfirst(each))->key_table;

			if (list_member_oid(truncated, table) ||
				pg_class_aclcheck(table, GetUserId(), ACL_TRUNCATE) != ACLCHECK_OK)
				continue;
			truncated = lappend_oid(truncated, table);
			added = lappend(added, makeRangeVar(get_namespace_name(get_rel_namespace(table)), get_rel_name(table), -1));
		}
	}
	stmt->relations = list_concat(stmt->relations, added);
}

static void
process_utility(PlannedStmt *pstmt, const char *queryString, bool readOnlyTree, ProcessUtilityContext context,
				ParamListInfo params, QueryEnvironment *queryEnv, DestReceiver *dest, QueryCompletion *qc)
{
	ProcessUtility_hook_type next = previous_utility ? previous_utility : standard_ProcessUtility;
	List	   *outer = truncated;

	if (!IsA(pstmt->utilityStmt, TruncateStmt))
	{
		next(pstmt, queryString, readOnlyTree, context, params, queryEnv, dest, qc);
		return;
	}
	if (readOnlyTree)
		pstmt = copyObject(pstmt);
	PG_TRY();
	{
		add_key_tables((TruncateStmt *) pstmt->utilityStmt);
		next(pstmt, queryString, false, context, params, queryEnv, dest, qc);
	}
	PG_FINALLY();
	{
		truncated = outer;
	}
	PG_END_TRY();
}

void
router_globalkey_init(void)
{
	previous_utility = ProcessUtility_hook;
	ProcessUtility_hook = process_utility;
}
