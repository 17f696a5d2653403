/*
 * param.c
 *		Plans know what parameters they depend on.
 *
 * When an Append has one plan, setrefs.c takes it away, and gives its initPlans to that plan, but not the
 * parameters that these depend on. A rescan then does not tell them, and they keep the value of an earlier row.
 * A routed table is seldom read from more than one child; so the parameters are put right in the finished plan.
 */
#include "compat.h"
#include "read/param.h"

#include "miscadmin.h"

/* What SS_finalize_plan makes of a plan's initPlans. */
static void
restore_params(PlannedStmt *stmt, Plan *plan)
{
	Bitmapset  *given = NULL;
	ListCell   *lc;

	foreach(lc, plan->initPlan)
	{
		SubPlan    *init = lfirst_node(SubPlan, lc);
		Plan	   *below = list_nth(stmt->subplans, init->plan_id - 1);
		ListCell   *lc2;

		plan->extParam = bms_union(plan->extParam, below->extParam);
		plan->allParam = bms_union(plan->allParam, below->extParam);
		foreach(lc2, init->setParam)
			given = bms_add_member(given, lfirst_int(lc2));
	}
	plan->extParam = bms_del_members(plan->extParam, given);
	plan->allParam = bms_union(plan->allParam, given);
}

static void restore_all(PlannedStmt *stmt, Plan *plan);

static void
restore_list(PlannedStmt *stmt, List *plans)
{
	ListCell   *lc;

	foreach(lc, plans)
		restore_all(stmt, lfirst(lc));
}

static void
restore_all(PlannedStmt *stmt, Plan *plan)
{
	if (plan == NULL)
		return;
	check_stack_depth();
	if (plan->initPlan)
		restore_params(stmt, plan);
	restore_all(stmt, plan->lefttree);
	restore_all(stmt, plan->righttree);
	if (IsA(plan, Append))
		restore_list(stmt, ((Append *) plan)->appendplans);
	else if (IsA(plan, MergeAppend))
		restore_list(stmt, ((MergeAppend *) plan)->mergeplans);
	else if (IsA(plan, SubqueryScan))
		restore_all(stmt, ((SubqueryScan *) plan)->subplan);
	else if (IsA(plan, CustomScan))
		restore_list(stmt, ((CustomScan *) plan)->custom_plans);
}

/* Changes the plan in place. */
void
router_restore_params(PlannedStmt *stmt)
{
	if (stmt->subplans == NIL)
		return;
	restore_all(stmt, stmt->planTree);
	restore_list(stmt, stmt->subplans);
}
