/*
 * hooks.c
 *		The hooks into the executor: at a statement's start, before its AFTER
 *		triggers, and at its end, the parts that handle INSERT, UPDATE and global
 *		keys get their turn.
 */
#include "compat.h"
#include "write/hooks.h"

#include "executor/execdesc.h"
#include "executor/executor.h"

#include "write/defer.h"
#include "write/insert.h"
#include "globalkey/triggers.h"
#include "write/row_writer.h"
#include "read/verify.h"
#include "read/serializable.h"
#include "write/update.h"

static ExecutorStart_hook_type previous_start = NULL;
static ExecutorFinish_hook_type previous_finish = NULL;
static ExecutorEnd_hook_type previous_end = NULL;

/* Entries of global keys shall follow what this node does. entry: of the root of its targets. */
static void
watch_targets(ModifyTableState *mtstate, RouterCacheEntry *entry)
{
	RouterRoute *route = router_cache_route(entry);
	EState	   *estate = mtstate->ps.state;

	if (route && route->global_keys == NIL)
		return;
	for (int i = 0; i < mtstate->mt_nrels; i++)
		if (router_globalkey_has_trigger(mtstate->resultRelInfo[i].ri_TrigDesc))
			router_globalkey_watch(&router_statement_get(estate)->keys, estate, &mtstate->resultRelInfo[i]);
}

static void
start_node(ModifyTableState *mtstate)
{
	ResultRelInfo *root = mtstate->rootResultRelInfo;
	RouterCacheEntry *entry;

	/* a base has triggers, and so have its children: others need no look into the cache */
	if (root->ri_TrigDesc == NULL)
		return;
	entry = router_cache_entry(RelationGetRelid(root->ri_RelationDesc));
	router_defer_start(mtstate);
	if (router_insert_start(mtstate, entry))
		return;
	watch_targets(mtstate, entry);
	router_update_start(mtstate, entry);
}

static void
executor_start(QueryDesc *queryDesc, int eflags)
{
	ListCell   *lc;

	if (!(eflags & EXEC_FLAG_EXPLAIN_ONLY))
	{
		router_serial_start(queryDesc->plannedstmt, queryDesc->snapshot);
		router_verify_plan(queryDesc->plannedstmt, queryDesc->snapshot);
	}
	if (previous_start)
		previous_start(queryDesc, eflags);
	else
		standard_ExecutorStart(queryDesc, eflags);
	if (eflags & EXEC_FLAG_EXPLAIN_ONLY)
		return;
	if (queryDesc->planstate && IsA(queryDesc->planstate, ModifyTableState))
		start_node((ModifyTableState *) queryDesc->planstate);
	foreach(lc, queryDesc->estate->es_auxmodifytables)
		start_node((ModifyTableState *) lfirst(lc));
}

static void
executor_finish(QueryDesc *queryDesc)
{
	RouterStatement *statement = router_statement_find(queryDesc->estate);

	if (statement)
		router_update_finish(statement);
	router_serial_finish(queryDesc->estate, queryDesc->planstate);
	if (previous_finish)
		previous_finish(queryDesc);
	else
		standard_ExecutorFinish(queryDesc);
}

static void
executor_end(QueryDesc *queryDesc)
{
	RouterStatement *statement = router_statement_find(queryDesc->estate);

	if (statement)
	{
		router_insert_end(statement);
		router_writers_end(statement);
		router_globalkey_close(&statement->keys);
	}
	if (previous_end)
		previous_end(queryDesc);
	else
		standard_ExecutorEnd(queryDesc);
}

void
router_executor_init(void)
{
	previous_start = ExecutorStart_hook;
	ExecutorStart_hook = executor_start;
	previous_finish = ExecutorFinish_hook;
	ExecutorFinish_hook = executor_finish;
	previous_end = ExecutorEnd_hook;
	ExecutorEnd_hook = executor_end;
}
