/*
 * copy.c
 *		COPY FROM into a base: core's COPY reads the rows, router's triggers
 *		send them to the children in batches, as core does for partitions.
 *
 * A ProcessUtility hook announces each COPY FROM. The BEFORE ROW trigger then
 * takes the row (router_copy_row) and core inserts nothing into the base; the
 * AFTER STATEMENT trigger inserts what still waits (router_copy_flush), early
 * enough for foreign keys and other AFTER triggers to fire within the
 * statement; the hook adds the rows to the count in the command tag, and would
 * refuse to go on if a row were left.
 *
 * COPY's own state is found through its error context callback, which is on
 * top of the stack exactly when COPY itself calls the trigger. It gives line
 * numbers for error messages, the transition tables and the range table.
 *
 * A COPY that was not announced, because its trigger call loaded the library,
 * is handled like any other such statement: see trigger.c.
 *
 * Memory: an EState of its own a COPY, freed by the hook, on error with the
 * context it was made in.
 */
#include "compat.h"
#include "write/copy.h"

#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_trigger.h"
#include "commands/copy.h"
#include "commands/copyfrom_internal.h"
#include "commands/progress.h"
#include "nodes/parsenodes.h"
#include "pgstat.h"
#include "tcop/utility.h"
#include "utils/backend_progress.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "rows/estate.h"
#include "write/home.h"
#include "rows/look.h"
#include "mirror/mirror.h"
#include "rows/mask.h"
#include "base/sql.h"
#include "write/running_statement.h"

typedef struct CopyRun
{
	struct CopyRun *outer;		/* the COPY that this one runs within */
	MemoryContext cxt;
	Oid			base;			/* InvalidOid until the first row came */
	EState	   *estate;
	RouterHomes homes;
	RouterBatch batch;
	bool		each_row;		/* somebody could tell: insert every row at once */
	uint64		processed;
} CopyRun;

static CopyRun *running = NULL;
static ProcessUtility_hook_type previous_utility = NULL;

/* COPY's state, if it is COPY itself that calls the trigger on this table. */
static CopyFromState
calling_copy(Relation base)
{
	CopyFromState copy;

	if (error_context_stack == NULL || error_context_stack->callback != CopyFromErrorCallback)
		return NULL;
	copy = (CopyFromState) error_context_stack->arg;
	return copy->rel == base ? copy : NULL;
}

static void
note_by_row(RouterHomes *homes, RouterDest *dest)
{
	CopyRun    *run = homes->arg;

	if (!router_dest_is_by_row(dest))
		return;
	run->each_row = true;
	router_batch_flush(&run->batch);
}

static void
begin_run(CopyRun *run, Relation base, CopyFromState copy)
{
	MemoryContext old = MemoryContextSwitchTo(run->cxt);

	run->base = RelationGetRelid(base);
	run->estate = router_make_estate(base);
	/* COPY's own says what columns the user may see in an error message */
	router_init_range_table(run->estate, copy->range_table, router_copy_permissions(copy));
	router_homes_init(&run->homes, router_cache_entry(run->base), base, run->estate,
					  router_make_root(run->estate, base));
	run->homes.opened = note_by_row;
	run->homes.arg = run;
	run->batch.estate = run->estate;
	run->batch.cid = run->estate->es_output_cid;
	run->batch.capture = copy->transition_capture;
	run->batch.copy = copy;
	run->batch.freeze = copy->opts.freeze;
	run->batch.may_take = true; /* COPY does not look at a row that the trigger took */
	/* as core: whoever looks into the table while COPY runs must see the rows before */
	run->each_row = router_has_row_triggers(base->trigdesc, TRIGGER_TYPE_BEFORE) ||
		router_has_row_triggers(base->trigdesc, TRIGGER_TYPE_AFTER) ||
		router_input_looks(base) || router_expr_looks(copy->whereClause);
	MemoryContextSwitchTo(old);
}

/* Is it COPY, announced or not, that calls the trigger on this table? */
bool
router_copy_calls(Relation base)
{
	return calling_copy(base) != NULL;
}

/* Is the first row of a COPY that was announced at hand? */
static bool
may_begin(TriggerData *trigdata, CopyFromState copy)
{
	RouterCacheEntry *entry = router_cache_entry(RelationGetRelid(trigdata->tg_relation));

	if (router_cache_route(entry) == NULL)
		return false;			/* triggers restored, the route not yet */
	return running != NULL && !OidIsValid(running->base) && router_is_last_before_trigger(trigdata);
}

/*
 * Takes a row from the BEFORE ROW trigger of a base. False: this is no COPY
 * that was announced, or its row is not final.
 */
bool
router_copy_row(TriggerData *trigdata)
{
	Relation	base = trigdata->tg_relation;
	CopyFromState copy = calling_copy(base);
	RouterDest *dest;
	CopyRun    *run = running;

	if (copy == NULL)
		return false;
	if (run == NULL || run->batch.copy != copy || run->base != RelationGetRelid(base))
	{
		if (!may_begin(trigdata, copy))
			return false;
		begin_run(run, base, copy);
	}

	ResetPerTupleExprContext(run->estate);
	dest = router_home(&run->homes, trigdata->tg_trigslot);
	if (!router_batch_add(&run->batch, dest, trigdata->tg_trigslot))
		return true;
	if (run->each_row)
		router_batch_flush(&run->batch);
	run->processed++;
	pgstat_progress_update_param(PROGRESS_COPY_TUPLES_PROCESSED, run->processed);
	return true;
}

/* Inserts the rows that still wait, when the statement on this base ends. */
void
router_copy_flush(Relation base)
{
	CopyRun    *run = running;
	ErrorContextCallback context;

	if (run == NULL || run->base != RelationGetRelid(base) || router_batch_is_empty(&run->batch))
		return;
	/* COPY has left its error context, but its state is still there */
	context.callback = CopyFromErrorCallback;
	context.arg = run->batch.copy;
	context.previous = error_context_stack;
	error_context_stack = &context;
	router_batch_flush(&run->batch);
	error_context_stack = context.previous;
}

static void
end_run(CopyRun *run, QueryCompletion *qc)
{
	if (!OidIsValid(run->base))
		return;
	if (!router_batch_is_empty(&run->batch))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("trigger \"%s\" of the routed table did not fire", ROUTER_TRIGGER_FLUSH),
				 errhint("Enable it with ALTER TABLE … ENABLE ALWAYS TRIGGER.")));
	if (qc && qc->commandTag == CMDTAG_COPY)
		qc->nprocessed += run->processed;
	router_homes_close(&run->homes);
	router_free_estate(run->estate);
}

/*
 * COPY TO of a base copies, as of any parent, what is in the base itself: next
 * to nothing. It must, since pg_dump copies each table so; but users should know.
 */
static void
tell_of_children(CopyStmt *stmt)
{
	Oid			base;

	if (stmt->relation == NULL || strcmp(application_name, "pg_dump") == 0)
		return;
	base = RangeVarGetRelid(stmt->relation, NoLock, true);
	if (OidIsValid(base) && get_rel_relkind(base) == RELKIND_RELATION &&
		router_cache_route(router_cache_entry(base)) != NULL)
		ereport(NOTICE,
				(errmsg("COPY TO leaves out the rows that are in children of \"%s\"", stmt->relation->relname),
				 errhint("Use COPY (SELECT * FROM %s) TO.", router_qualified_name(base))));
}

static void
process_utility(PlannedStmt *pstmt, const char *queryString, bool readOnlyTree, ProcessUtilityContext context,
				ParamListInfo params, QueryEnvironment *queryEnv, DestReceiver *dest, QueryCompletion *qc)
{
	ProcessUtility_hook_type next = previous_utility ? previous_utility : standard_ProcessUtility;
	CopyRun    *outer = running;
	CopyRun		run = {0};

	if (!IsA(pstmt->utilityStmt, CopyStmt) || !((CopyStmt *) pstmt->utilityStmt)->is_from)
	{
		if (IsA(pstmt->utilityStmt, CopyStmt))
			tell_of_children((CopyStmt *) pstmt->utilityStmt);
		next(pstmt, queryString, readOnlyTree, context, params, queryEnv, dest, qc);
		return;
	}
	run.outer = outer;
	run.cxt = AllocSetContextCreate(CurrentMemoryContext, "router copy", ALLOCSET_DEFAULT_SIZES);
	running = &run;
	PG_TRY();
	{
		next(pstmt, queryString, readOnlyTree, context, params, queryEnv, dest, qc);
		end_run(&run, qc);
	}
	PG_FINALLY();
	{
		running = outer;
	}
	PG_END_TRY();
	MemoryContextDelete(run.cxt);
}

void
router_copy_init(void)
{
	previous_utility = ProcessUtility_hook;
	ProcessUtility_hook = process_utility;
}
