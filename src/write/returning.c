/*
 * returning.c
 *		RETURNING of a row that router put into another table than the target that core computes it for: in core's
 *		slot the row is to look as if it had been inserted from there, system columns and all.
 *
 * Memory: projections live in es_query_cxt.
 */
#include "compat.h"
#include "write/returning.h"

#include "access/htup_details.h"
#include "access/sysattr.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"

/* One target and table; those of a statement are linked. */
struct RouterElsewhere
{
	const ResultRelInfo *rri;
	Oid			home;
	ProjectionInfo *returning;
	RouterElsewhere *next;
};

static HeapTuple
tuple_of(TupleTableSlot *slot)
{
	return TTS_IS_HEAPTUPLE(slot) || TTS_IS_BUFFERTUPLE(slot) ? ExecFetchSlotHeapTuple(slot, true, NULL) : NULL;
}

/* Makes "to" the row as it was inserted: map leads from its layout there, NULL if alike. */
void
router_show_row(TupleTableSlot *to, TupleTableSlot *from, const TupleConversionMap *map)
{
	HeapTuple	shown,
				inserted;

	if (map)
		execute_attr_map_slot(map->attrMap, from, to);
	else
		ExecCopySlot(to, from);
	ExecMaterializeSlot(to);
	to->tts_tid = from->tts_tid;
	shown = tuple_of(to);
	inserted = tuple_of(from);
	if (map == NULL || shown == NULL || inserted == NULL)
		return;
	shown->t_self = inserted->t_self;
	shown->t_data->t_choice.t_heap = inserted->t_data->t_choice.t_heap;
	shown->t_data->t_infomask = (shown->t_data->t_infomask & ~HEAP_XACT_MASK) |
		(inserted->t_data->t_infomask & HEAP_XACT_MASK);
}

/* ----------------------------------------------------------------- tableoid */

static bool
is_tableoid(Node *node)
{
	Var		   *var = (Var *) node;

	return IsA(node, Var) && var->varattno == TableOidAttributeNumber && !IS_SPECIAL_VARNO(var->varno) &&
		var->varlevelsup == 0 && router_var_is_new(var);
}

static bool
has_tableoid(Node *node, void *context)
{
	return node && (is_tableoid(node) || expression_tree_walker(node, has_tableoid, context));
}

static Node *
set_tableoid(Node *node, void *context)
{
	if (node == NULL)
		return NULL;
	if (is_tableoid(node))
		return (Node *) makeConst(OIDOID, -1, InvalidOid, sizeof(Oid), ObjectIdGetDatum(*(Oid *) context), false, true);
	return expression_tree_mutator(node, set_tableoid, context);
}

/* What to put back when the row in hand is done with. */
typedef struct Lent
{
	MemoryContextCallback callback;
	ResultRelInfo *rri;
	ProjectionInfo *returning;
} Lent;

static void
put_back(void *arg)
{
	Lent	   *lent = arg;

	lent->rri->ri_projectReturning = lent->returning;
}

static ProjectionInfo *
returning_elsewhere(RouterElsewhere **known, EState *estate, ResultRelInfo *rri, Oid home)
{
	PlanState  *parent = rri->ri_projectReturning->pi_state.parent;
	RouterElsewhere *other;
	MemoryContext old;

	for (other = *known; other; other = other->next)
		if (other->home == home && other->rri == rri)
			return other->returning;
	old = MemoryContextSwitchTo(estate->es_query_cxt);
	other = palloc(sizeof(RouterElsewhere));
	other->rri = rri;
	other->home = home;
	other->returning = ExecBuildProjectionInfo((List *) set_tableoid((Node *) rri->ri_returningList, &home),
											   parent->ps_ExprContext, parent->ps_ResultTupleSlot, parent,
											   RelationGetDescr(rri->ri_RelationDesc));
	other->next = *known;
	*known = other;
	MemoryContextSwitchTo(old);
	return other->returning;
}

/*
 * The row in hand is in another table than its target: core would return the target's tableoid. known: those that
 * were met before. For this row only: the executor resets the per-tuple context before the next.
 */
void
router_return_from(RouterElsewhere **known, EState *estate, ResultRelInfo *rri, Oid home)
{
	Lent	   *lent;

	if (rri->ri_projectReturning == NULL || !has_tableoid((Node *) rri->ri_returningList, NULL))
		return;
	lent = MemoryContextAlloc(GetPerTupleMemoryContext(estate), sizeof(Lent));
	lent->rri = rri;
	lent->returning = rri->ri_projectReturning;
	lent->callback.func = put_back;
	lent->callback.arg = lent;
	MemoryContextRegisterResetCallback(GetPerTupleMemoryContext(estate), &lent->callback);
	rri->ri_projectReturning = returning_elsewhere(known, estate, rri, home);
}
