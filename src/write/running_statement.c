/*
 * running_statement.c
 *		Finds, from within a trigger function, the statement that fired it.
 *
 * A trigger is told its table and its row, not its statement. But it runs in
 * the statement's per-tuple memory context, which is a child of the EState's
 * own context, and the EState is the first thing that CreateExecutorState puts
 * there: always at the same distance from the context's start, which is learnt
 * from one made for the purpose. What is found is verified: it must be an
 * EState node that names that very context.
 *
 * From the EState on there are plain pointers: to the ResultRelInfo by the
 * trigger's address, and to the ModifyTable node by what the executor built for
 * the target, which knows its parent.
 *
 * Nothing here takes locks or keeps memory.
 */
#include "compat.h"
#include "write/running_statement.h"

#include "catalog/pg_trigger.h"
#include "executor/executor.h"
#include "nodes/plannodes.h"
#include "utils/memutils.h"

/* Is the trigger that runs the last BEFORE INSERT ROW trigger, so that the row is final? */
bool
router_is_last_before_trigger(TriggerData *trigdata)
{
	TriggerDesc *triggers = trigdata->tg_relation->trigdesc;
	bool		after_us = false;

	for (int i = 0; i < triggers->numtriggers; i++)
	{
		if (triggers->triggers[i].tgoid == trigdata->tg_trigger->tgoid)
			after_us = true;
		else if (after_us && TRIGGER_TYPE_MATCHES(triggers->triggers[i].tgtype, TRIGGER_TYPE_ROW,
												  TRIGGER_TYPE_BEFORE, TRIGGER_TYPE_INSERT))
			return false;
	}
	return true;
}

/* How far behind the start of its memory context an EState lies. */
static Size
estate_offset(void)
{
	static Size offset = 0;

	if (offset == 0)
	{
		EState	   *sample = CreateExecutorState();

		offset = (char *) sample - (char *) sample->es_query_cxt;
		FreeExecutorState(sample);
	}
	return offset;
}

/*
 * The EState of the statement that fired the trigger function now running, or
 * NULL. To be called in the memory context that the function was called in.
 */
EState *
router_running_estate(void)
{
	MemoryContext cxt = CurrentMemoryContext->parent;
	EState	   *estate;

	if (cxt == NULL || !IsA(cxt, AllocSetContext) || strcmp(cxt->name, "ExecutorState") != 0)
		return NULL;
	estate = (EState *) ((char *) cxt + estate_offset());
	return IsA(estate, EState) && estate->es_query_cxt == cxt ? estate : NULL;
}

/* The target of a statement whose trigger this is, or NULL. COPY and logical replication have one too, but no plan. */
ResultRelInfo *
router_running_target(EState *estate, const Trigger *trigger)
{
	ListCell   *lc;

	foreach(lc, estate->es_opened_result_relations)
	{
		ResultRelInfo *rri = lfirst(lc);
		TriggerDesc *triggers = rri->ri_TrigDesc;

		if (triggers && trigger >= triggers->triggers && trigger < triggers->triggers + triggers->numtriggers)
			return rri;
	}
	return NULL;
}

static PlanState *
parent_of_first(List *exprs)
{
	ListCell   *lc;

	foreach(lc, exprs)
		if (lfirst(lc))
			return ((ExprState *) lfirst(lc))->parent;
	return NULL;
}

static ModifyTable *
plan_of(Plan *plan, Index rti)
{
	ModifyTable *node = (ModifyTable *) plan;

	return plan && IsA(plan, ModifyTable) && (node->nominalRelation == rti || node->rootRelation == rti ||
											  list_member_int(node->resultRelations, rti)) ? node : NULL;
}

/* The ModifyTable plan that a target belongs to, or NULL. */
ModifyTable *
router_target_plan(EState *estate, ResultRelInfo *rri)
{
	PlannedStmt *stmt = estate->es_plannedstmt;
	ModifyTable *found;
	ListCell   *lc;

	if (stmt == NULL)
		return NULL;
	found = plan_of(stmt->planTree, rri->ri_RangeTableIndex);
	foreach(lc, stmt->subplans)
	{
		if (found)
			break;
		found = plan_of(lfirst(lc), rri->ri_RangeTableIndex);
	}
	return found;
}

/* The actions of MERGE are with the children, also those that insert into the root. */
static PlanState *
merge_parent(EState *estate, ResultRelInfo *rri)
{
	ModifyTable *plan = router_target_plan(estate, rri);
	PlanState  *parent = NULL;
	ListCell   *lc;

	if (plan == NULL || plan->operation != CMD_MERGE)
		return NULL;
	foreach(lc, estate->es_opened_result_relations)
	{
		ResultRelInfo *other = lfirst(lc);

		if (parent == NULL && list_member_int(plan->resultRelations, other->ri_RangeTableIndex))
			parent = router_merge_parent(other);
	}
	return parent;
}

/*
 * The ModifyTable node that a target belongs to. NULL for an INSERT without
 * RETURNING, DO UPDATE and view options: nothing that was built for it needs
 * the node.
 */
ModifyTableState *
router_target_node(EState *estate, ResultRelInfo *rri)
{
	PlanState  *parent = NULL;

	if (rri->ri_projectReturning)
		parent = rri->ri_projectReturning->pi_state.parent;
	else if (rri->ri_projectNew)
		parent = rri->ri_projectNew->pi_state.parent;
	else if (rri->ri_onConflict && rri->ri_onConflict->oc_ProjInfo)
		parent = rri->ri_onConflict->oc_ProjInfo->pi_state.parent;
	else if (rri->ri_WithCheckOptionExprs)
		parent = parent_of_first(rri->ri_WithCheckOptionExprs);
	if (parent == NULL)
		parent = merge_parent(estate, rri);
	return parent && IsA(parent, ModifyTableState) ? (ModifyTableState *) parent : NULL;
}
