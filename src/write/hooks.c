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
#include "write/row_mover.h"
#include "read/expand.h"
#include "read/serializable.h"
#include "write/update.h"

static ExecutorStart_hook_type previous_start = NULL;
static ExecutorFinish_hook_type previous_finish = NULL;
static ExecutorEnd_hook_type previous_end = NULL;

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
	router_globalkey_start(mtstate, entry);	/* before the contents of its targets are copied */
	router_insert_start(mtstate, entry);
	router_update_start(mtstate, entry);
}

static void
executor_start(QueryDesc *queryDesc, int eflags)
{
	ListCell   *lc;

	if (!(eflags & EXEC_FLAG_EXPLAIN_ONLY))
	{
		router_serial_start(queryDesc->plannedstmt, queryDesc->snapshot);
		router_prune_verify(queryDesc->plannedstmt, queryDesc->snapshot);
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
	router_update_finish(queryDesc->estate);
	router_serial_finish(queryDesc->estate, queryDesc->planstate);
	if (previous_finish)
		previous_finish(queryDesc);
	else
		standard_ExecutorFinish(queryDesc);
}

static void
executor_end(QueryDesc *queryDesc)
{
	router_insert_end(queryDesc->estate);
	router_movers_end(queryDesc->estate);
	router_globalkey_end(queryDesc->estate);
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
