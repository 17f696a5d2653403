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

/* the members of custom_private */
enum
{
	PRIVATE_BASE,				/* list of one oid */
	PRIVATE_RELIDS,				/* what each plan of custom_plans reads; InvalidOid: who knows */
	PRIVATE_PROGRAM,
	PRIVATE_MERGE,				/* a MergeAppend without its plans, or NULL */
	PRIVATE_KEYS,				/* columns and kinds of the keys and seals that the program is about */
	PRIVATE_MEMBERS,			/* this and the rest: see Tables */
	PRIVATE_PLACES,
	PRIVATE_OTHERS,
	PRIVATE_GENERATION,			/* list of two integers, its halves */
};

/* What some plans read, to be searched by oid. */
typedef struct Tables
{
	List	   *relids;			/* of each plan; InvalidOid: who knows */
	List	   *members;		/* those that are children of the route, sorted */
	List	   *places;			/* which plan each of them is */
	List	   *others;			/* the plans left over: the base, strays, the default child */
	uint64		generation;		/* of the route, when they were told apart */
} Tables;

typedef struct RouterAppend
{
	CustomScanState css;		/* must be first */
	Oid			base;
	List	   *program;
	List	   *keys;
	List	   *exprs;			/* of ExprState, for the program */
	bool	   *late;			/* which of them have no value before the first row is asked for */
	bool		any_late;

	PlanState **plans;			/* those that may be read; NULL: not opened yet */
	List	   *sources;		/* of these, the Plans */
	Tables		tables;			/* what these read; filled in if any_late */
	int			nplans;
	int			nremoved;
	int		   *wanted;			/* which of them to read until the next rescan, ascending */
	int			nwanted;
	int			current;		/* of wanted; -1: not begun */
	int			eflags;
	Bitmapset  *changed;		/* parameters that changed at any rescan */
	uint64		rescans;
	uint64	   *prepared;		/* the rescan that each plan has seen */
	int64		watermark;		/* of a hot base, as of the snapshot */
	int64		reach;
	bool		watermark_known;
	bool		chosen;			/* wanted is what the late values ask for */
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

static int
compare_places(const void *a, const void *b, void *relids)
{
	Oid			left = list_nth_oid(relids, *(const int *) a);
	Oid			right = list_nth_oid(relids, *(const int *) b);

	return left < right ? -1 : left > right ? 1 : 0;
}

/* Tells the children of the route from other tables. */
static void
tell_apart(Tables *tables, RouterRoute *route)
{
	int		   *places = palloc(Max(list_length(tables->relids), 1) * sizeof(int));
	int			nplaces = 0;
	int			member = 0;
	bool		sorted = true;
	ListCell   *lc;

	tables->members = tables->places = tables->others = NIL;
	tables->generation = route->generation;
	foreach(lc, tables->relids)
	{
		int			i = foreach_current_index(lc);

		/* both are sorted by oid, but for the base and strays among the plans */
		if (i > 0 && lfirst_oid(lc) < list_nth_oid(tables->relids, i - 1))
			member = 0;
		while (member < route->nmembers && route->members[member] < lfirst_oid(lc))
			member++;
		if (member == route->nmembers || route->members[member] != lfirst_oid(lc))
		{
			tables->others = lappend_int(tables->others, i);
			continue;
		}
		sorted &= nplaces == 0 || compare_places(&places[nplaces - 1], &i, tables->relids) < 0;
		places[nplaces++] = i;
	}
	if (!sorted)
		qsort_arg(places, nplaces, sizeof(int), compare_places, tables->relids);
	for (int i = 0; i < nplaces; i++)
	{
		tables->members = lappend_oid(tables->members, list_nth_oid(tables->relids, places[i]));
		tables->places = lappend_int(tables->places, places[i]);
	}
	pfree(places);
}

/* What takes the place of an Append or MergeAppend: a RouterAppend, or nothing else. shown: its columns in EXPLAIN. */
static Plan *
replace_append(PlannedStmt *stmt, Plan *append, Relids relids_appended, List *plans, List *shown)
{
	int			rti;
	RangeTblEntry *rte;
	RouterRoute *route;
	Tables		tables = {0};
	List	   *clauses = NIL;
	List	   *exprs = NIL;
	List	   *program;
	Index		sample = 0;		/* the child whose clauses were taken */
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

		tables.relids = lappend_oid(tables.relids, relid);
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
	program = router_qual_compile(route, sample, clauses, &exprs);
	if (program == NIL ||
		(all_constant(exprs) && (route->hot_level < 0 || !router_qual_has_level(program, route->hot_level) ||
								 !list_member_oid(tables.relids, rte->relid))))
		return append;
	tell_apart(&tables, route);

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
	scan->custom_private = list_make5(list_make1_oid(rte->relid), tables.relids, program, merge, keys_of(route));
	scan->custom_private = lappend(scan->custom_private, tables.members);
	scan->custom_private = lappend(scan->custom_private, tables.places);
	scan->custom_private = lappend(scan->custom_private, tables.others);
	scan->custom_private = lappend(scan->custom_private, list_make2_int((int) (tables.generation >> 32),
																		(int) tables.generation));
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

/* The first of some sorted oids, from a place on, that is not less than this one. */
static int
seek(const List *oids, int from, Oid oid)
{
	int			step = 1;
	int			to = from;

	/* what is looked for comes in the same order, and is often close by */
	while (to < list_length(oids) && list_nth_oid(oids, to) < oid)
	{
		from = to + 1;
		to += step;
		step *= 2;
	}
	to = Min(to, list_length(oids));
	while (from < to)
	{
		int			mid = (from + to) / 2;

		if (list_nth_oid(oids, mid) < oid)
			from = mid + 1;
		else
			to = mid;
	}
	return from;
}

static int
compare_ints(const void *a, const void *b)
{
	int			left = *(const int *) a;
	int			right = *(const int *) b;

	return left < right ? -1 : left > right ? 1 : 0;
}

/* Sorts some numbers, and leaves each of them once. Returns how many. */
static int
tidy(int *numbers, int n)
{
	int			kept = 0;
	bool		sorted = true;

	for (int i = 1; i < n; i++)
		sorted &= numbers[i - 1] < numbers[i];
	if (sorted)
		return n;
	qsort(numbers, n, sizeof(int), compare_ints);
	for (int i = 0; i < n; i++)
		if (i == 0 || numbers[i] != numbers[i - 1])
			numbers[kept++] = numbers[i];
	return kept;
}

/* The values that the keys are compared with, as far as there are any yet. */
static RouterArgs
run_args(RouterAppend *node, bool late)
{
	RouterArgs	args = {0};
	ListCell   *lc;

	args.n = list_length(node->exprs);
	args.values = palloc0(args.n * sizeof(Datum));
	args.isnull = palloc0(args.n * sizeof(bool));
	args.known = palloc0(args.n * sizeof(bool));
	foreach(lc, node->exprs)
	{
		int			i = foreach_current_index(lc);

		args.known[i] = late || !node->late[i];
		if (args.known[i])
			args.values[i] = ExecEvalExpr((ExprState *) lfirst(lc), node->css.ss.ps.ps_ExprContext, &args.isnull[i]);
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
 * Which plans are to be read, by the values there are: their places in tables,
 * ascending, into wanted, which has room for twice as many as there are. Returns how many.
 */
static int
choose(RouterAppend *node, Tables *tables, bool late, int *wanted)
{
	EState	   *estate = node->css.ss.ps.state;
	RouterRoute *route;
	RouterSurvivors survivors;
	RouterArgs	args;
	bool		base_wanted = true;
	MemoryContext old;
	ListCell   *lc;
	int			place = 0;
	int			n = 0;

	ResetExprContext(node->css.ss.ps.ps_ExprContext);
	old = MemoryContextSwitchTo(node->css.ss.ps.ps_ExprContext->ecxt_per_tuple_memory);
	args = run_args(node, late);
	route = known_route(node);
	if (route && route->hot_level >= 0 && estate->es_snapshot && IsMVCCSnapshot(estate->es_snapshot) &&
		!node->watermark_known && router_qual_has_level(node->program, route->hot_level))
	{
		node->watermark_known = true;
		if (!router_cache_marks(router_cache_entry(node->base), estate->es_snapshot, &node->watermark, &node->reach))
		{
			node->watermark = PG_INT64_MIN;
			node->reach = PG_INT64_MAX;
		}
		route = known_route(node);
	}
	if (route == NULL)
	{
		foreach(lc, tables->relids)
			wanted[n++] = foreach_current_index(lc);
		MemoryContextSwitchTo(old);
		return n;
	}

	/* from here on the route stays what it is: survivors and members are those of the same */
	router_qual_survivors(route, node->program, &args, &survivors);
	if (tables->generation != route->generation)
	{
		MemoryContextSwitchTo(estate->es_query_cxt);
		tell_apart(tables, route);
	}
	if (node->watermark_known && route->hot_level >= 0)
	{
		base_wanted = route->loose != NIL || survivors.ageless || survivors.newest >= node->watermark;
		if (!survivors.ageless && survivors.oldest >= node->reach && node->reach != PG_INT64_MAX)
			survivors.nchildren = 0;
	}
	foreach(lc, tables->others)
	{
		if (base_wanted || list_nth_oid(tables->relids, lfirst_int(lc)) != node->base)
			wanted[n++] = lfirst_int(lc);
	}
	for (int i = 0; i < survivors.nchildren; i++)
	{
		place = seek(tables->members, place, survivors.children[i]);
		if (place < list_length(tables->members) && list_nth_oid(tables->members, place) == survivors.children[i])
			wanted[n++] = list_nth_int(tables->places, place);
	}
	foreach(lc, route->loose)
	{
		place = seek(tables->members, 0, lfirst_oid(lc));
		if (place < list_length(tables->members) && list_nth_oid(tables->members, place) == lfirst_oid(lc))
			wanted[n++] = list_nth_int(tables->places, place);
	}
	MemoryContextSwitchTo(old);
	return tidy(wanted, n);
}

/* Opens one of the plans. */
static PlanState *
open_plan(RouterAppend *node, int i)
{
	EState	   *estate = node->css.ss.ps.state;
	MemoryContext old = MemoryContextSwitchTo(estate->es_query_cxt);

	node->plans[i] = ExecInitNode(list_nth(node->sources, i), estate, node->eflags);
	node->prepared[i] = node->rescans;
	node->css.custom_ps = lappend(node->css.custom_ps, node->plans[i]);
	MemoryContextSwitchTo(old);
	return node->plans[i];
}

static void
begin(CustomScanState *css, EState *estate, int eflags)
{
	RouterAppend *node = (RouterAppend *) css;
	CustomScan *scan = (CustomScan *) css->ss.ps.plan;
	int			n = list_length(scan->custom_plans);
	List	   *generation = list_nth(scan->custom_private, PRIVATE_GENERATION);
	MergeAppend *merge = list_nth(scan->custom_private, PRIVATE_MERGE);
	Tables		all = {
		.relids = list_nth(scan->custom_private, PRIVATE_RELIDS),
		.members = list_nth(scan->custom_private, PRIVATE_MEMBERS),
		.places = list_nth(scan->custom_private, PRIVATE_PLACES),
		.others = list_nth(scan->custom_private, PRIVATE_OTHERS),
		.generation = (uint64) (uint32) linitial_int(generation) << 32 | (uint32) lsecond_int(generation),
	};
	bool		explained = (eflags & EXEC_FLAG_EXPLAIN_ONLY) || estate->es_instrument;
	ListCell   *lc;

	node->base = linitial_oid(list_nth(scan->custom_private, PRIVATE_BASE));
	node->program = list_nth(scan->custom_private, PRIVATE_PROGRAM);
	node->keys = list_nth(scan->custom_private, PRIVATE_KEYS);
	node->exprs = ExecInitExprList(scan->custom_exprs, (PlanState *) css);
	node->late = palloc0(Max(list_length(node->exprs), 1) * sizeof(bool));
	foreach(lc, scan->custom_exprs)
	{
		node->late[foreach_current_index(lc)] = has_exec_param(lfirst(lc), NULL);
		node->any_late |= node->late[foreach_current_index(lc)];
	}
	node->wanted = palloc(2 * n * sizeof(int));
	if (router_explains_generic(eflags))
		for (int i = 0; i < n; i++)
			node->wanted[node->nwanted++] = i;
	else
		node->nwanted = choose(node, &all, false, node->wanted);
	node->nplans = node->nwanted;
	node->nremoved = n - node->nplans;
	for (int i = 0; i < node->nplans; i++)
	{
		node->sources = lappend(node->sources, list_nth(scan->custom_plans, node->wanted[i]));
		/* to be told apart when the first row is asked for */
		if (node->any_late)
			node->tables.relids = lappend_oid(node->tables.relids, list_nth_oid(all.relids, node->wanted[i]));
		node->wanted[i] = i;
	}

	/* the slots are the plans' own */
	css->ss.ps.resultopsset = true;
	css->ss.ps.resultopsfixed = false;
	node->eflags = eflags;
	node->plans = palloc0(Max(node->nplans, 1) * sizeof(PlanState *));
	node->prepared = palloc0(Max(node->nplans, 1) * sizeof(uint64));
	if (merge && node->nplans > 0)
	{
		merge = copyObject(merge);
		merge->mergeplans = node->sources;
		node->merge = castNode(MergeAppendState, ExecInitNode((Plan *) merge, estate, eflags));
		css->custom_ps = list_make1(node->merge);
	}
	/* the others open when it is their turn: most never are. EXPLAIN shows them all. */
	for (int i = 0; !merge && i < node->nplans && (explained || !node->any_late); i++)
		(void) open_plan(node, i);
	node->chosen = !node->any_late;
	node->current = -1;
}

/* Goes on to the next plan that is wanted. False: there is none in this direction. */
static bool
advance(RouterAppend *node)
{
	int			next = node->current + (ScanDirectionIsForward(node->css.ss.ps.state->es_direction) ? 1 : -1);
	PlanState  *plan;
	int			i;

	if (next < 0 || next >= node->nwanted)
		return false;
	node->current = next;
	i = node->wanted[next];
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

static TupleTableSlot *
next_row(CustomScanState *css)
{
	RouterAppend *node = (RouterAppend *) css;

	if (!node->chosen)
	{
		node->nwanted = choose(node, &node->tables, true, node->wanted);
		node->chosen = true;
		if (node->merge)
		{
			bms_free(node->merge->ms_valid_subplans);
			node->merge->ms_valid_subplans = NULL;
			for (int i = 0; i < node->nwanted; i++)
				node->merge->ms_valid_subplans = bms_add_member(node->merge->ms_valid_subplans, node->wanted[i]);
			/* none at all would mean "not looked for yet" */
			node->nothing = node->nwanted == 0;
		}
	}
	if (node->merge && !node->nothing)
		return ExecProcNode((PlanState *) node->merge);
	if (node->merge)
		return ExecClearTuple(css->ss.ps.ps_ResultTupleSlot);
	if (node->current < 0 && !advance(node))
		return ExecClearTuple(css->ss.ps.ps_ResultTupleSlot);
	for (;;)
	{
		TupleTableSlot *slot = ExecProcNode(node->plans[node->wanted[node->current]]);

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

	if (node->nremoved > 0)
		ExplainPropertyInteger("Children Removed", NULL, node->nremoved, es);
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
