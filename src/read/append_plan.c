/*
 * append_plan.c
 *		Finished plans are searched for Appends over children, which become RouterAppends.
 *
 * It is done where it may pay: where keys are compared with what was not a
 * constant to the planner, or where the base is hot. The clauses are those of one child's
 * scan: all children have the same, translated from the base's; and a parameter
 * of a nested loop is found nowhere else. What is not a scan whose clauses are known
 * stays as it is.
 *
 * Nothing below a Gather is touched: workers would have to decide alike.
 */
#include "compat.h"
#include "read/append_plan.h"

#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "parser/parsetree.h"
#include "utils/lsyscache.h"

#include "read/append_part.h"
#include "read/clause.h"
#include "route/cache.h"

/* Columns and kinds of the keys and seals of a route. */
List *
router_append_keys(const RouterRoute *route)
{
	List	   *keys = NIL;

	for (int i = 0; i < route->nlevels; i++)
		keys = lappend_int(lappend_int(keys, route->config.keys[i].attnum), route->config.keys[i].kind);
	return keys;
}

/* Tells plans that read members of the route from the others. Core appends children by oid, as members are sorted. */
RouterPlans
router_append_tell_apart(const RouterRoute *route, List *relids)
{
	RouterPlans told = {.generation = route->generation};
	int			last = -1;
	ListCell   *lc;

	foreach(lc, relids)
	{
		int			member = router_route_member(route, lfirst_oid(lc));

		if (member > last)
		{
			told.members = lappend_int(told.members, last = member);
			told.places = lappend_int(told.places, foreach_current_index(lc));
		}
		else
			told.others = lappend_int(told.others, foreach_current_index(lc));
	}
	return told;
}

/* Columns of what lies below (an index, or a plan), as what they are there. */
typedef struct Below
{
	int			varno;			/* INDEX_VAR or OUTER_VAR */
	List	   *tlist;
} Below;

static Node *
resolve(Node *node, void *arg)
{
	Below	   *below = arg;

	if (node == NULL)
		return NULL;
	if (IsA(node, Var) && ((Var *) node)->varno == below->varno)
	{
		TargetEntry *tle = list_nth(below->tlist, ((Var *) node)->varattno - 1);

		return (Node *) copyObject(tle->expr);
	}
	return expression_tree_mutator(node, resolve, arg);
}

static List *
from_below(List *exprs, int varno, List *tlist)
{
	Below		below = {varno, tlist};

	return (List *) resolve((Node *) exprs, &below);
}

/* All that the rows of a scan satisfy. False: not a scan whose clauses are known in full. */
static bool
scan_clauses(Plan *plan, List **clauses)
{
	switch (nodeTag(plan))
	{
		case T_SeqScan:
		case T_TidScan:
		case T_TidRangeScan:
			*clauses = plan->qual;
			return true;
		case T_IndexScan:
			*clauses = list_concat_copy(plan->qual, ((IndexScan *) plan)->indexqualorig);
			return true;
		case T_IndexOnlyScan:
			*clauses = from_below(list_concat_copy(plan->qual, ((IndexOnlyScan *) plan)->recheckqual), INDEX_VAR,
								  ((IndexOnlyScan *) plan)->indextlist);
			return true;
		case T_BitmapHeapScan:
			*clauses = list_concat_copy(plan->qual, ((BitmapHeapScan *) plan)->bitmapqualorig);
			return true;
		default:
			return false;
	}
}

/* What reads the child in a plan of an Append or MergeAppend. */
static Plan *
below_sort(Plan *plan)
{
	while (IsA(plan, Sort) || IsA(plan, IncrementalSort))
		plan = plan->lefttree;
	return plan;
}

static Index
scanned(Plan *plan)
{
	List	   *unused;

	return scan_clauses(plan, &unused) || IsA(plan, ForeignScan) ? ((Scan *) plan)->scanrelid : 0;
}

/* Renumbers the columns of a child's clauses as those of its base, by name. */
typedef struct ToBase
{
	Index		varno;
	Oid			child;
	Oid			base;
} ToBase;

static Node *
to_base(Node *node, void *arg)
{
	ToBase	   *context = arg;

	if (node == NULL)
		return NULL;
	if (IsA(node, Var) && ((Var *) node)->varno == context->varno)
	{
		Var		   *var = (Var *) copyObject(node);

		if (var->varattno > 0)
			var->varattno = get_attnum(context->base, get_attname(context->child, var->varattno, false));
		return (Node *) var;
	}
	return expression_tree_mutator(node, to_base, arg);
}

static bool
all_constant(List *exprs)
{
	ListCell   *lc;

	foreach(lc, exprs)
	{
		if (!IsA(lfirst(lc), Const))
			return false;
	}
	return true;
}

/* The columns of an Append by their names in the query, where these are known. */
static List *
shown_tlist(List *tlist)
{
	List	   *result = NIL;
	ListCell   *lc;

	foreach(lc, tlist)
	{
		TargetEntry *tle = flatCopyTargetEntry(lfirst(lc));
		Oid			type = exprType((Node *) tle->expr);
		int32		typmod = exprTypmod((Node *) tle->expr);
		Oid			collation = exprCollation((Node *) tle->expr);
		Var		   *var = (Var *) tle->expr;

		if (IsA(var, Var) && var->varnosyn > 0)
			tle->expr = (Expr *) makeVar(var->varnosyn, var->varattnosyn, type, typmod, collation, 0);
		else
			tle->expr = (Expr *) makeNullConst(type, typmod, collation);
		result = lappend(result, tle);
	}
	return result;
}

static List *
own_tlist(List *tlist)
{
	List	   *result = NIL;
	ListCell   *lc;

	foreach(lc, tlist)
	{
		TargetEntry *tle = flatCopyTargetEntry(lfirst(lc));

		tle->expr = (Expr *) makeVar(INDEX_VAR, tle->resno, exprType((Node *) tle->expr),
									 exprTypmod((Node *) tle->expr), exprCollation((Node *) tle->expr), 0);
		result = lappend(result, tle);
	}
	return result;
}

/* What takes the place of an Append or MergeAppend: a RouterAppend, or nothing else. shown: its columns in EXPLAIN. */
static Plan *
replace_append(PlannedStmt *stmt, Plan *append, Relids relids_appended, List *plans, List *shown)
{
	int			rti;
	RangeTblEntry *rte;
	RouterRoute *route;
	List	   *relids = NIL;
	List	   *clauses = NIL;
	List	   *exprs = NIL;
	List	   *program;
	Index		sample = 0;		/* the child whose clauses were taken */
	RouterPlans told;
	MergeAppend *merge = NULL;
	CustomScan *scan;
	ListCell   *lc;

	/* foreign scans that run asynchronously yield rows to an Append only */
	if (!bms_get_singleton_member(relids_appended, &rti) || append->parallel_aware || list_length(plans) < 2 ||
		(IsA(append, Append) && ((Append *) append)->nasyncplans > 0))
		return append;
	rte = rt_fetch(rti, stmt->rtable);
	if (rte->rtekind != RTE_RELATION || !rte->inh)
		return append;
	if (router_cache_route(router_cache_entry(rte->relid)) == NULL)
		return append;
	foreach(lc, plans)
	{
		Plan	   *plan = below_sort(lfirst(lc));
		Index		scanrelid = scanned(plan);
		Oid			relid = scanrelid ? rt_fetch(scanrelid, stmt->rtable)->relid : InvalidOid;

		relids = lappend_oid(relids, relid);
		if (plan->parallel_aware)
			return append;
		if (sample == 0 && scan_clauses(plan, &clauses))
		{
			ToBase		context = {scanrelid, relid, rte->relid};

			clauses = (List *) to_base((Node *) clauses, &context);
			sample = scanrelid;
		}
	}
	if (sample == 0)
		return append;
	route = router_cache_route(router_cache_entry(rte->relid));
	program = router_clause_compile(route, sample, clauses, &exprs);
	if (program == NIL ||
		(all_constant(exprs) && (route->hot_level < 0 || !router_clause_has_level(program, route->hot_level) ||
								 !list_member_oid(relids, rte->relid))))
		return append;

	scan = makeNode(CustomScan);
	scan->scan.plan = *append;
	scan->scan.plan.type = T_CustomScan;
	scan->scan.plan.targetlist = own_tlist(append->targetlist);
	if (IsA(append, MergeAppend))
	{
		merge = (MergeAppend *) append;
		merge->mergeplans = NIL;
	}
	else if (ExecSupportsBackwardScan(append))
		scan->flags = CUSTOMPATH_SUPPORT_BACKWARD_SCAN;
	scan->custom_plans = plans;
	scan->custom_exprs = exprs;
	scan->custom_private = list_make5(list_make1_oid(rte->relid), relids, program, merge, router_append_keys(route));
	told = router_append_tell_apart(route, relids);
	scan->custom_private = list_concat(scan->custom_private,
									   list_make4(list_make2_int((int) (told.generation >> 32), (int) told.generation),
												  told.members, told.places, told.others));
	scan->custom_scan_tlist = shown;
	scan->custom_relids = relids_appended;
	scan->methods = &router_append_methods;
	return (Plan *) scan;
}

/* Would a plan notice that an expression comes into its target list? It knows its parameters and subplans. */
static bool
is_bound(Node *node, void *unused)
{
	if (node == NULL)
		return false;
	if (IsA(node, SubPlan) || (IsA(node, Param) && ((Param *) node)->paramkind == PARAM_EXEC))
		return true;
	return expression_tree_walker(node, is_bound, unused);
}

/*
 * Expressions over the rows of an Append, such as those to group by, are
 * computed by a Result above it. The plans below have to project anyway, and
 * do it in one go, as those of partitions do. *shown: see replace_append.
 */
static Plan *
push_target(Plan *plan, List **shown)
{
	Result	   *result = (Result *) plan;
	Append	   *append = (Append *) plan->lefttree;
	List	   *tlist = NIL;
	ListCell   *lc;

	if (append == NULL || !IsA(append, Append) || append->plan.parallel_aware || append->plan.initPlan != NIL ||
		plan->initPlan != NIL || plan->qual != NIL || result->resconstantqual != NULL ||
		is_bound((Node *) plan->targetlist, NULL) || expression_returns_set((Node *) plan->targetlist))
		return plan;
	foreach(lc, append->appendplans)
	{
		List	   *unused;

		if (!scan_clauses(lfirst(lc), &unused))
			return plan;
	}
	*shown = from_below(plan->targetlist, OUTER_VAR, shown_tlist(append->plan.targetlist));
	foreach(lc, append->appendplans)
	{
		Plan	   *below = lfirst(lc);

		below->targetlist = from_below(plan->targetlist, OUTER_VAR, below->targetlist);
		below->plan_width = plan->plan_width;
	}
	foreach(lc, plan->targetlist)
	{
		TargetEntry *tle = flatCopyTargetEntry(lfirst(lc));
		Var		   *var = makeVar(OUTER_VAR, tle->resno, exprType((Node *) tle->expr), exprTypmod((Node *) tle->expr),
								  exprCollation((Node *) tle->expr), 0);

		var->varnosyn = 0;
		tle->expr = (Expr *) var;
		tlist = lappend(tlist, tle);
	}
	append->plan.targetlist = tlist;
	append->plan.plan_width = plan->plan_width;
	append->plan.total_cost = plan->total_cost;
	return &append->plan;
}

static void rewrite_list(PlannedStmt *stmt, List *plans, bool prunes);

static Plan *
rewrite(PlannedStmt *stmt, Plan *plan, bool prunes)
{
	List	   *shown = NIL;

	if (plan == NULL || IsA(plan, Gather) || IsA(plan, GatherMerge))
		return plan;
	check_stack_depth();
	if (IsA(plan, Result))
		plan = push_target(plan, &shown);
	/* core wants to see that generated and dropped columns are given NULL */
	if (IsA(plan, ModifyTable) && plan->lefttree && IsA(plan->lefttree, Result))
		plan->lefttree->lefttree = rewrite(stmt, plan->lefttree->lefttree, prunes);
	else
		plan->lefttree = rewrite(stmt, plan->lefttree, prunes);
	plan->righttree = rewrite(stmt, plan->righttree, prunes);
	switch (nodeTag(plan))
	{
		case T_Append:
			rewrite_list(stmt, ((Append *) plan)->appendplans, prunes);
			return !prunes ? plan :
				replace_append(stmt, plan, ((Append *) plan)->apprelids, ((Append *) plan)->appendplans,
							   shown ? shown : shown_tlist(plan->targetlist));
		case T_MergeAppend:
			rewrite_list(stmt, ((MergeAppend *) plan)->mergeplans, prunes);
			return !prunes ? plan :
				replace_append(stmt, plan, ((MergeAppend *) plan)->apprelids, ((MergeAppend *) plan)->mergeplans,
							   shown_tlist(plan->targetlist));
		case T_SubqueryScan:
			((SubqueryScan *) plan)->subplan = rewrite(stmt, ((SubqueryScan *) plan)->subplan, prunes);
			return plan;
		default:
			return plan;
	}
}

static void
rewrite_list(PlannedStmt *stmt, List *plans, bool prunes)
{
	ListCell   *lc;

	foreach(lc, plans)
		lfirst(lc) = rewrite(stmt, lfirst(lc), prunes);
}

/*
 * Puts RouterAppends into a plan that reads routed tables, if children may be
 * left out when it runs, and has Appends compute what is made of their rows.
 * Changes the plan in place.
 */
void
router_append_rewrite(PlannedStmt *stmt, bool prunes)
{
	stmt->planTree = rewrite(stmt, stmt->planTree, prunes);
	rewrite_list(stmt, stmt->subplans, prunes);
}
