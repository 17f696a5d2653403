/*
 * append_exec.c
 *		The plan node "RouterAppend": reads a routed table like Append, but not
 *		those children that cannot hold rows for the values at hand: parameters of
 *		a generic plan, of the outer side of a nested loop, results of
 *		subqueries, now().
 *
 * What is known when the plan starts decides which children may be read; the rest
 * decides at each rescan which of them are. A child is opened, or rescanned,
 * when it is its turn, so that a nested loop pays for those that it
 * reads.
 *
 * A hot base: at each instant rows before the watermark are in children, the
 * others in the base. The watermark is the one of the very snapshot that the
 * rows are read with. Both move in one transaction, so the two agree at every
 * isolation level, whenever the plan was made.
 *
 * A MergeAppend goes on below the RouterAppend, with the plans that are opened;
 * which of them it merges is set in its state.
 */
#include "compat.h"
#include "read/append_exec.h"

#include "nodes/nodeFuncs.h"
#include "utils/snapmgr.h"

#include "read/append_part.h"
#include "read/clause.h"
#include "read/survivors.h"
#include "route/cache.h"

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
	RouterPlans told;
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

static CustomExecMethods exec_methods;

static bool
has_exec_param(Node *node, void *unused)
{
	if (node == NULL)
		return false;
	if (IsA(node, Param))
		return ((Param *) node)->paramkind == PARAM_EXEC;
	return expression_tree_walker(node, has_exec_param, unused);
}

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

	return route && equal(router_append_keys(route), node->keys) ? route : NULL;
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
static RouterPlans
planned(const CustomScan *scan)
{
	List	   *halves = list_nth(scan->custom_private, PRIVATE_GENERATION);
	RouterPlans told = {0};

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
	const RouterPlans *told = &node->told;
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
			node->told = router_append_tell_apart(route, node->relids);
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

CustomScanMethods router_append_methods = {
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
router_append_init(void)
{
	RegisterCustomScanMethods(&router_append_methods);
}
