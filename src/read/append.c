/*
 * append.c
 *		The plan node "RouterAppend": reads a routed table like Append, but not
 *		those children that cannot hold rows for the values at hand: parameters of
 *		a generic plan, of the outer side of a nested loop, results of
 *		subqueries, now().
 *
 * A finished plan is searched for Appends and MergeAppends over the children of
 * a routed table. They become RouterAppends where it may pay: where keys are compared with
 * what was not a constant to the planner, or where the base is hot. What is
 * known when the plan starts decides which children may be read; the rest
 * decides at each rescan which of them are. A child is opened, or rescanned,
 * when it is its turn, so that a nested loop pays for those that it
 * reads. The clauses are those of one child's scan: all children have the same,
 * translated from the base's.
 *
 * A hot base: at each instant rows before the watermark are in children, the
 * others in the base. The watermark is the one of the very snapshot that the
 * rows are read with. Both move in one transaction, so the two agree at every
 * isolation level, whenever the plan was made.
 *
 * A MergeAppend goes on below the RouterAppend, with the plans that are opened;
 * which of them it merges is set in its state.
 *
 * Nothing below a Gather is touched: workers would have to decide alike.
 */
#include "compat.h"
#include "read/append.h"

#include "access/parallel.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/extensible.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parsetree.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"

#include "read/clause.h"
#include "read/survivors.h"
#include "route/cache.h"

/* the members of custom_private */
enum
{
	PRIVATE_BASE,				/* list of one oid */
	PRIVATE_RELIDS,				/* what each plan of custom_plans reads; InvalidOid: who knows */
	PRIVATE_PROGRAM,
	PRIVATE_MERGE,				/* a MergeAppend without its plans, or NULL */
	PRIVATE_KEYS,				/* columns and kinds of the keys and seals that the program is about */
	PRIVATE_GENERATION,			/* list of two integers, its halves; this and the rest: see Plans */
	PRIVATE_MEMBERS,
	PRIVATE_PLACES,
	PRIVATE_OTHERS,
};

/* Which plans read which members of a route. */
typedef struct Plans
{
	uint64		generation;		/* of the route; 0: they were not told apart yet */
	List	   *members;		/* those that one of the plans reads, ascending */
	List	   *places;			/* which plan reads each of them */
	List	   *others;			/* the plans left over: the base, strays, the default child */
} Plans;

typedef struct RouterAppend
{
	CustomScanState css;		/* must be first */
	Oid			base;
	List	   *program;
	List	   *keys;
	List	   *exprs;			/* of ExprState, for the program */
	bool	   *late;			/* which of them have no value before the first row is asked for */
	bool		any_late;

	List	   *relids;
	Plans		told;
	Bitmapset  *possible;		/* the plans that may be read, as far as is known when the plan starts */
	Bitmapset  *wanted;			/* which of them to read until the next rescan */
	PlanState **plans;			/* of all; NULL: not opened yet */
	int			nplans;
	int			current;		/* of wanted; -1: not begun */
	int			eflags;
	Bitmapset  *changed;		/* parameters that changed at any rescan */
	uint64		rescans;
	uint64	   *prepared;		/* the rescan that each opened plan has seen */
	int64		watermark;		/* of a hot base, as of the snapshot */
	int64		reach;
	bool		watermark_known;
	bool		chosen;			/* wanted is what the late values ask for; it lives in the per-tuple context then */
	MergeAppendState *merge;	/* reads the plans in order; or NULL: one after the other */
	bool		nothing;		/* merge has nothing to read */
} RouterAppend;

static CustomScanMethods plan_methods;
static CustomExecMethods exec_methods;

/* --------------------------------------------------------------- rewriting plans */

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
has_exec_param(Node *node, void *unused)
{
	if (node == NULL)
		return false;
	if (IsA(node, Param))
		return ((Param *) node)->paramkind == PARAM_EXEC;
	return expression_tree_walker(node, has_exec_param, unused);
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

static List *
keys_of(const RouterRoute *route)
{
	List	   *keys = NIL;

	for (int i = 0; i < route->nlevels; i++)
		keys = lappend_int(lappend_int(keys, route->config.keys[i].attnum), route->config.keys[i].kind);
	return keys;
}

/* Tells plans that read members of the route from the others. Core appends children by oid, as members are sorted. */
static Plans
tell_apart(const RouterRoute *route, List *relids)
{
	Plans		told = {.generation = route->generation};
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
	Plans		told;
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
	scan->custom_private = list_make5(list_make1_oid(rte->relid), relids, program, merge, keys_of(route));
	told = tell_apart(route, relids);
	scan->custom_private = list_concat(scan->custom_private,
									   list_make4(list_make2_int((int) (told.generation >> 32), (int) told.generation),
												  told.members, told.places, told.others));
	scan->custom_scan_tlist = shown;
	scan->custom_relids = relids_appended;
	scan->methods = &plan_methods;
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
router_scan_rewrite(PlannedStmt *stmt, bool prunes)
{
	stmt->planTree = rewrite(stmt, stmt->planTree, prunes);
	rewrite_list(stmt, stmt->subplans, prunes);
}

/* --------------------------------------------------------------------- running */

static Node *
create_state(CustomScan *scan)
{
	RouterAppend *node = palloc0(sizeof(RouterAppend));

	NodeSetTag(node, T_CustomScanState);
	node->css.methods = &exec_methods;
	return (Node *) node;
}

/* The values that the keys are compared with, as far as there are any yet. */
static RouterArg *
run_args(RouterAppend *node, bool late)
{
	RouterArg  *args = palloc0((list_length(node->exprs) + 1) * sizeof(RouterArg));
	ListCell   *lc;

	foreach(lc, node->exprs)
	{
		int			i = foreach_current_index(lc);

		args[i].known = late || !node->late[i];
		if (args[i].known)
			args[i].value = ExecEvalExpr((ExprState *) lfirst(lc), node->css.ss.ps.ps_ExprContext, &args[i].isnull);
	}
	return args;
}

/* NULL also for a route made anew: it has other keys, and no children that this plan knows. */
static RouterRoute *
known_route(RouterAppend *node)
{
	RouterRoute *route = router_cache_route(router_cache_entry(node->base));

	return route && equal(keys_of(route), node->keys) ? route : NULL;
}

/*
 * How far archiving is for the snapshot, if the base is hot and the program is about the age of rows: asked for once.
 * Returns the route, which may be another one now.
 */
static RouterRoute *
learn_marks(RouterAppend *node, RouterRoute *route)
{
	Snapshot	snapshot = node->css.ss.ps.state->es_snapshot;

	if (route == NULL || route->hot_level < 0 || node->watermark_known || snapshot == NULL ||
		!IsMVCCSnapshot(snapshot) || !router_clause_has_level(node->program, route->hot_level))
		return route;
	node->watermark_known = true;
	if (!router_cache_marks(router_cache_entry(node->base), snapshot, &node->watermark, &node->reach))
	{
		node->watermark = PG_INT64_MIN;
		node->reach = PG_INT64_MAX;
	}
	return known_route(node);
}

/* What the planner told apart. A parallel worker counts generations of its own. */
static Plans
planned(const CustomScan *scan)
{
	List	   *halves = list_nth(scan->custom_private, PRIVATE_GENERATION);
	Plans		told = {0};

	if (!IsParallelWorker())
		told.generation = (uint64) (uint32) linitial_int(halves) << 32 | (uint32) lsecond_int(halves);
	told.members = list_nth(scan->custom_private, PRIVATE_MEMBERS);
	told.places = list_nth(scan->custom_private, PRIVATE_PLACES);
	told.others = list_nth(scan->custom_private, PRIVATE_OTHERS);
	return told;
}

/* The first of some ascending numbers that is not less than this one. */
static int
seek(const List *numbers, int number)
{
	int			from = 0;
	int			to = list_length(numbers);

	while (from < to)
	{
		int			mid = (from + to) / 2;

		if (list_nth_int(numbers, mid) < number)
			from = mid + 1;
		else
			to = mid;
	}
	return from;
}

/* The plans to read for some members of the route, and the others; those that read the base only if it is wanted. */
static Bitmapset *
plans_of(RouterAppend *node, const Bitmapset *members, bool base_wanted)
{
	const Plans *told = &node->told;
	Bitmapset  *plans = NULL;
	int			member = -1;
	ListCell   *lc;

	foreach(lc, told->others)
	{
		if (base_wanted || list_nth_oid(node->relids, lfirst_int(lc)) != node->base)
			plans = bms_add_member(plans, lfirst_int(lc));
	}
	while ((member = bms_next_member(members, member)) >= 0)
	{
		int			i = seek(told->members, member);

		if (i < list_length(told->members) && list_nth_int(told->members, i) == member)
			plans = bms_add_member(plans, list_nth_int(told->places, i));
	}
	return plans;
}

/* Which plans are to be read, by the values there are. In the per-tuple context. */
static Bitmapset *
choose(RouterAppend *node, bool late)
{
	RouterRoute *route;
	RouterSurvivors survivors;
	RouterArg  *args;
	Bitmapset  *plans;
	bool		base_wanted = true;
	MemoryContext old;

	ResetExprContext(node->css.ss.ps.ps_ExprContext);
	old = MemoryContextSwitchTo(node->css.ss.ps.ps_ExprContext->ecxt_per_tuple_memory);
	args = run_args(node, late);
	route = learn_marks(node, known_route(node));
	if (route == NULL)
		plans = bms_add_range(NULL, 0, node->nplans - 1);
	else
	{
		/* from here on the route stays what it is: survivors and members are those of the same */
		survivors = router_survivors(route, node->program, args);
		if (node->told.generation != route->generation)
		{
			MemoryContextSwitchTo(node->css.ss.ps.state->es_query_cxt);
			node->told = tell_apart(route, node->relids);
			MemoryContextSwitchTo(node->css.ss.ps.ps_ExprContext->ecxt_per_tuple_memory);
		}
		if (node->watermark_known && route->hot_level >= 0)
		{
			base_wanted = route->loose != NULL || survivors.ageless || survivors.newest >= node->watermark;
			if (!survivors.ageless && survivors.oldest >= node->reach && node->reach != PG_INT64_MAX)
				survivors.members = NULL;
		}
		plans = plans_of(node, bms_add_members(survivors.members, route->loose), base_wanted);
	}
	MemoryContextSwitchTo(old);
	return plans;
}

/* Opens one of the plans. */
static PlanState *
open_plan(RouterAppend *node, int i)
{
	EState	   *estate = node->css.ss.ps.state;
	CustomScan *scan = (CustomScan *) node->css.ss.ps.plan;
	MemoryContext old = MemoryContextSwitchTo(estate->es_query_cxt);

	node->plans[i] = ExecInitNode(list_nth(scan->custom_plans, i), estate, node->eflags);
	node->prepared[i] = node->rescans;
	node->css.custom_ps = lappend(node->css.custom_ps, node->plans[i]);
	MemoryContextSwitchTo(old);
	return node->plans[i];
}

/* Opens a MergeAppend of the plans that may be read. */
static void
open_merge(RouterAppend *node, MergeAppend *planned)
{
	CustomScan *scan = (CustomScan *) node->css.ss.ps.plan;
	MergeAppend *merge = copyObject(planned);
	int			i = -1;

	while ((i = bms_next_member(node->possible, i)) >= 0)
		merge->mergeplans = lappend(merge->mergeplans, list_nth(scan->custom_plans, i));
	node->merge = castNode(MergeAppendState, ExecInitNode((Plan *) merge, node->css.ss.ps.state, node->eflags));
	node->css.custom_ps = list_make1(node->merge);
}

static void
begin(CustomScanState *css, EState *estate, int eflags)
{
	RouterAppend *node = (RouterAppend *) css;
	CustomScan *scan = (CustomScan *) css->ss.ps.plan;
	MergeAppend *merge = list_nth(scan->custom_private, PRIVATE_MERGE);
	bool		explained = (eflags & EXEC_FLAG_EXPLAIN_ONLY) || estate->es_instrument;
	int			i = -1;
	ListCell   *lc;

	node->base = linitial_oid(list_nth(scan->custom_private, PRIVATE_BASE));
	node->program = list_nth(scan->custom_private, PRIVATE_PROGRAM);
	node->keys = list_nth(scan->custom_private, PRIVATE_KEYS);
	node->relids = list_nth(scan->custom_private, PRIVATE_RELIDS);
	node->told = planned(scan);
	node->exprs = ExecInitExprList(scan->custom_exprs, (PlanState *) css);
	node->late = palloc0(Max(list_length(node->exprs), 1) * sizeof(bool));
	foreach(lc, scan->custom_exprs)
	{
		node->late[foreach_current_index(lc)] = has_exec_param(lfirst(lc), NULL);
		node->any_late |= node->late[foreach_current_index(lc)];
	}
	node->nplans = list_length(scan->custom_plans);
	node->possible = router_explains_generic(eflags) ? bms_add_range(NULL, 0, node->nplans - 1) :
		bms_copy(choose(node, false));
	node->wanted = node->possible;

	/* the slots are the plans' own */
	css->ss.ps.resultopsset = true;
	css->ss.ps.resultopsfixed = false;
	node->eflags = eflags;
	node->plans = palloc0(node->nplans * sizeof(PlanState *));
	node->prepared = palloc(node->nplans * sizeof(uint64));
	if (merge && !bms_is_empty(node->possible))
		open_merge(node, merge);
	/* the others open when it is their turn: most never are. EXPLAIN shows them all. */
	while (!merge && (explained || !node->any_late) && (i = bms_next_member(node->possible, i)) >= 0)
		(void) open_plan(node, i);
	node->chosen = !node->any_late;
	node->current = -1;
}

/* Goes on to the next plan that is wanted. False: there is none in this direction. */
static bool
advance(RouterAppend *node)
{
	int			i;
	PlanState  *plan;

	if (ScanDirectionIsForward(node->css.ss.ps.state->es_direction))
		i = bms_next_member(node->wanted, node->current);
	else
		i = node->current < 0 ? -1 : bms_prev_member(node->wanted, node->current);
	if (i < 0)
		return false;
	node->current = i;
	plan = node->plans[i] ? node->plans[i] : open_plan(node, i);
	if (node->prepared[i] != node->rescans)
	{
		node->prepared[i] = node->rescans;
		if (node->changed)
			UpdateChangedParamSet(plan, node->changed);
		/* a plan with changed parameters is rescanned when it is asked for a row */
		if (plan->chgParam == NULL)
			ExecReScan(plan);
	}
	return true;
}

/* Has the MergeAppend read no more than is wanted of its plans, which are those that may be read. */
static void
set_merged(RouterAppend *node)
{
	MergeAppendState *merge = node->merge;
	int			nth = 0;
	int			i = -1;

	bms_free(merge->ms_valid_subplans);
	merge->ms_valid_subplans = NULL;
	for (; (i = bms_next_member(node->possible, i)) >= 0; nth++)
		if (bms_is_member(i, node->wanted))
			merge->ms_valid_subplans = bms_add_member(merge->ms_valid_subplans, nth);
	/* none at all would mean "not looked for yet" */
	node->nothing = merge->ms_valid_subplans == NULL;
}

static TupleTableSlot *
next_row(CustomScanState *css)
{
	RouterAppend *node = (RouterAppend *) css;

	if (!node->chosen)
	{
		node->wanted = bms_int_members(choose(node, true), node->possible);
		node->chosen = true;
		if (node->merge)
			set_merged(node);
	}
	if (node->merge && !node->nothing)
		return ExecProcNode((PlanState *) node->merge);
	if (node->merge)
		return ExecClearTuple(css->ss.ps.ps_ResultTupleSlot);
	if (node->current < 0 && !advance(node))
		return ExecClearTuple(css->ss.ps.ps_ResultTupleSlot);
	for (;;)
	{
		TupleTableSlot *slot = ExecProcNode(node->plans[node->current]);

		if (!TupIsNull(slot))
			return slot;
		if (!advance(node))
			return ExecClearTuple(css->ss.ps.ps_ResultTupleSlot);
	}
}

static void
end(CustomScanState *css)
{
	ListCell   *lc;

	foreach(lc, css->custom_ps)
		ExecEndNode(lfirst(lc));
}

/* The plans are rescanned when it is their turn, as they are opened. */
static void
rescan(CustomScanState *css)
{
	RouterAppend *node = (RouterAppend *) css;
	MemoryContext old = MemoryContextSwitchTo(css->ss.ps.state->es_query_cxt);

	node->changed = bms_add_members(node->changed, css->ss.ps.chgParam);
	MemoryContextSwitchTo(old);
	node->rescans++;
	if (node->merge)
	{
		if (css->ss.ps.chgParam)
			UpdateChangedParamSet(&node->merge->ps, css->ss.ps.chgParam);
		if (node->merge->ps.chgParam == NULL)
			ExecReScan(&node->merge->ps);
	}
	node->chosen = !node->any_late;
	node->current = -1;
}

static void
explain(CustomScanState *css, List *ancestors, ExplainState *es)
{
	RouterAppend *node = (RouterAppend *) css;
	int			nremoved = node->nplans - bms_num_members(node->possible);

	if (nremoved > 0)
		ExplainPropertyInteger("Children Removed", NULL, nremoved, es);
}

static CustomScanMethods plan_methods = {
	.CustomName = "RouterAppend",
	.CreateCustomScanState = create_state,
};

static CustomExecMethods exec_methods = {
	.CustomName = "RouterAppend",
	.BeginCustomScan = begin,
	.ExecCustomScan = next_row,
	.EndCustomScan = end,
	.ReScanCustomScan = rescan,
	.ExplainCustomScan = explain,
};

void
router_scan_init(void)
{
	RegisterCustomScanMethods(&plan_methods);
}
