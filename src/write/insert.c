/*
 * insert.c
 *		INSERT into a base: the ModifyTable node inserts into the row's child as
 *		if the statement had named it.
 *
 * At the start of a statement each INSERT node on a base gets its subplan
 * wrapped; if the library was not loaded then, the first row's trigger does it,
 * where it can find the node (running_statement.c). The wrapper fetches a row,
 * finds its home, and puts the contents of the
 * child's ResultRelInfo into the node's own: the node "wears" the child. Core
 * then does everything natively: constraints, indexes, ON CONFLICT, AFTER
 * triggers, RETURNING, counts. Before another child is worn, what core built
 * into the struct goes back to its owner; when the subplan ends, the base's
 * contents come back, for statement triggers and the executor's shutdown.
 *
 * A long statement without RETURNING, ON CONFLICT and row triggers is not
 * handed over row by row: the wrapper batches rows by child (batch.c), adds to
 * es_processed, and lets the node see the end only.
 *
 * router's own triggers are masked in the statement's private copy of the
 * base's trigger descriptor. BEFORE ROW triggers of the base are fired here,
 * since they may change the key; their clones on children are masked.
 *
 * Memory: a Wear lives in es_query_cxt; a reset callback takes it off the list
 * when an error frees that. Children are closed at ExecutorEnd.
 */
#include "compat.h"
#include "write/insert.h"

#include "access/genam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/index.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "executor/execdesc.h"
#include "executor/executor.h"
#include "foreign/fdwapi.h"
#include "lib/ilist.h"
#include "nodes/makefuncs.h"
#include "nodes/plannodes.h"
#include "rewrite/rewriteManip.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "write/copy.h"
#include "rows/look.h"
#include "rows/mask.h"
#include "write/row_mover.h"
#include "write/running_statement.h"

/* rows a statement inserts one by one before batching begins */
#define ROWS_BEFORE_BATCH 8

typedef struct Wear
{
	dlist_node	link;
	PlanState  *subplan;
	ExecProcNodeMtd fetch;		/* what the subplan did before */
	ModifyTableState *mtstate;
	ResultRelInfo *worn;		/* the node's own struct */
	ResultRelInfo base;			/* the base's contents while a child is worn */
	RouterDest *wearing;		/* NULL: the base */
	RouterHomes homes;
	RouterBatch batch;
	bool		batching;		/* rows may be held back */
	int			nrows;			/* up to ROWS_BEFORE_BATCH */
	TupleTableSlot *trigger_slot;	/* for BEFORE ROW triggers of the base, or NULL */
	TupleTableSlot *replay;		/* a row that has been through them, to come next; or NULL */
	MemoryContextCallback forget;
} Wear;

static dlist_head wears = DLIST_STATIC_INIT(wears);

/* ---------------------------------------------------- a child's clothes */

static bool
same_index(Relation a, IndexInfo *a_info, Relation b, IndexInfo *b_info, AttrMap *map)
{
	IndexInfo	a_plain = *a_info;
	IndexInfo	b_plain = *b_info;

	if (a->rd_index->indimmediate != b->rd_index->indimmediate)
		return false;
	/* CompareIndexInfo declines exclusion constraints: their operators are compared here */
	if ((a_info->ii_ExclusionOps == NULL) != (b_info->ii_ExclusionOps == NULL))
		return false;
	if (a_info->ii_ExclusionOps &&
		(a_info->ii_NumIndexKeyAttrs != b_info->ii_NumIndexKeyAttrs ||
		 memcmp(a_info->ii_ExclusionOps, b_info->ii_ExclusionOps, a_info->ii_NumIndexKeyAttrs * sizeof(Oid)) != 0))
		return false;
	a_plain.ii_ExclusionOps = b_plain.ii_ExclusionOps = NULL;
	return CompareIndexInfo(&a_plain, &b_plain, a->rd_indcollation, b->rd_indcollation, a->rd_opfamily, b->rd_opfamily,
							map);
}

/* The child's index that corresponds to an arbiter index of the base. */
static Oid
child_arbiter(Oid base_index, RouterDest *dest, AttrMap *map)
{
	Relation	index;
	IndexInfo  *info;
	Oid			found = InvalidOid;

	if (dest->rri->ri_FdwRoutine)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("ON CONFLICT with columns or a constraint cannot reach foreign child \"%s\"",
						RelationGetRelationName(dest->rel)),
				 errhint("ON CONFLICT DO NOTHING without them can.")));
	index = index_open(base_index, AccessShareLock);
	info = BuildIndexInfo(index);

	for (int i = 0; i < dest->rri->ri_NumIndices && !OidIsValid(found); i++)
	{
		Relation	other = dest->rri->ri_IndexRelationDescs[i];

		if (other->rd_index->indisvalid &&
			same_index(other, dest->rri->ri_IndexRelationInfo[i], index, info, map))
			found = RelationGetRelid(other);
	}
	index_close(index, AccessShareLock);
	if (!OidIsValid(found))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_COLUMN_REFERENCE),
				 errmsg("child \"%s\" has no unique index or constraint like \"%s\" of its base",
						RelationGetRelationName(dest->rel), get_rel_name(base_index)),
				 errhint("Make the children like their base with router.sync: ON CONFLICT needs the index there.")));
	return found;
}

static Node *
map_expr(Node *expr, int varno, RouterDest *dest, AttrMap *map)
{
	bool		whole_row;

	return map_variable_attnos(expr, varno, 0, map, dest->rel->rd_rel->reltype, &whole_row);
}

static void
set_on_conflict_update(Wear *wear, RouterDest *dest, AttrMap *map, int varno)
{
	ModifyTableState *mtstate = wear->mtstate;
	ModifyTable *node = (ModifyTable *) mtstate->ps.plan;
	OnConflictSetState *base = wear->base.ri_onConflict;
	OnConflictSetState *own = makeNode(OnConflictSetState);
	List	   *set,
			   *columns = NIL;
	ListCell   *lc;

	own->oc_Existing = table_slot_create(dest->rel, &mtstate->ps.state->es_tupleTable);
	dest->rri->ri_onConflict = own;
	if (dest->map == NULL)
	{
		own->oc_ProjSlot = base->oc_ProjSlot;
		own->oc_ProjInfo = base->oc_ProjInfo;
		own->oc_WhereClause = base->oc_WhereClause;
		return;
	}
	/* EXCLUDED first, then the target, as execPartition.c does */
	set = (List *) map_expr(copyObject((Node *) node->onConflictSet), INNER_VAR, dest, map);
	set = (List *) map_expr((Node *) set, varno, dest, map);
	foreach(lc, node->onConflictCols)
		columns = lappend_int(columns, map->attnums[lfirst_int(lc) - 1]);
	own->oc_ProjSlot = table_slot_create(dest->rel, &mtstate->ps.state->es_tupleTable);
	own->oc_ProjInfo = ExecBuildUpdateProjection(set, true, columns, RelationGetDescr(dest->rel),
												 mtstate->ps.ps_ExprContext, own->oc_ProjSlot, &mtstate->ps);
	if (node->onConflictWhere)
	{
		Node	   *where = map_expr(copyObject(node->onConflictWhere), INNER_VAR, dest, map);

		where = map_expr(where, varno, dest, map);
		own->oc_WhereClause = ExecInitQual((List *) where, &mtstate->ps);
	}
}

static void
set_check_options(Wear *wear, RouterDest *dest, AttrMap *map, int varno)
{
	List	   *exprs = NIL;
	List	   *options;
	ListCell   *lc;

	if (wear->base.ri_WithCheckOptions == NIL)
		return;
	if (dest->map == NULL)
	{
		dest->rri->ri_WithCheckOptions = wear->base.ri_WithCheckOptions;
		dest->rri->ri_WithCheckOptionExprs = wear->base.ri_WithCheckOptionExprs;
		return;
	}
	options = (List *) map_expr((Node *) wear->base.ri_WithCheckOptions, varno, dest, map);
	foreach(lc, options)
		exprs = lappend(exprs, ExecInitQual((List *) lfirst_node(WithCheckOption, lc)->qual, &wear->mtstate->ps));
	dest->rri->ri_WithCheckOptions = options;
	dest->rri->ri_WithCheckOptionExprs = exprs;
}

static void
set_returning(Wear *wear, RouterDest *dest, AttrMap *map, int varno)
{
	PlanState  *ps = &wear->mtstate->ps;

	if (wear->base.ri_projectReturning == NULL)
		return;
	dest->rri->ri_returningList = wear->base.ri_returningList;
	dest->rri->ri_projectReturning = wear->base.ri_projectReturning;
	if (dest->map == NULL)
		return;
	dest->rri->ri_returningList = (List *) map_expr((Node *) wear->base.ri_returningList, varno, dest, map);
	dest->rri->ri_projectReturning =
		ExecBuildProjectionInfo(dest->rri->ri_returningList, ps->ps_ExprContext, ps->ps_ResultTupleSlot, ps,
								RelationGetDescr(dest->rel));
}

/* Gives a child, just opened, what the statement asks of its target. */
static void
dress_up(RouterHomes *homes, RouterDest *dest)
{
	Wear	   *wear = homes->arg;
	ModifyTable *node = (ModifyTable *) wear->mtstate->ps.plan;
	MemoryContext old = MemoryContextSwitchTo(homes->estate->es_query_cxt);
	int			varno = wear->base.ri_RangeTableIndex;
	AttrMap    *map = NULL;
	ListCell   *lc;

	/* expressions are to be renumbered only for another layout, indexes compared by a map in any case */
	if (dest->map || wear->base.ri_onConflictArbiterIndexes != NIL)
		map = router_attrmap_by_name(RelationGetDescr(dest->rel), homes->source);
	set_check_options(wear, dest, map, varno);
	set_returning(wear, dest, map, varno);
	foreach(lc, wear->base.ri_onConflictArbiterIndexes)
		dest->rri->ri_onConflictArbiterIndexes =
			lappend_oid(dest->rri->ri_onConflictArbiterIndexes, child_arbiter(lfirst_oid(lc), dest, map));
	if (node->onConflictAction == ONCONFLICT_UPDATE)
	{
		Bitmapset  *updated = NULL;
		RouterRoute *route = router_cache_route(homes->entry);

		set_on_conflict_update(wear, dest, map, varno);
		router_check_exprs(dest->rri) = NULL;	/* the row may be changed: router's CHECK counts */
		foreach(lc, node->onConflictCols)
			updated = bms_add_member(updated, lfirst_int(lc) - FirstLowInvalidHeapAttributeNumber);
		if (route)
			router_mask_move(dest->rri->ri_TrigDesc, &route->config, updated);
	}
	MemoryContextSwitchTo(old);
}

/* Makes the node insert into dest, or into the base again when dest is NULL. */
static inline void
put_on(Wear *wear, RouterDest *dest)
{
	if (wear->wearing == dest)
		return;
	*(wear->wearing ? wear->wearing->rri : &wear->base) = *wear->worn;
	*wear->worn = dest ? *dest->rri : wear->base;
	wear->wearing = dest;
}

/* -------------------------------------------------------------- the wrapper */

static inline Wear *
find_wear(PlanState *subplan)
{
	dlist_iter	iter;

	dlist_foreach(iter, &wears)
	{
		Wear	   *wear = dlist_container(Wear, link, iter.cur);

		if (wear->subplan == subplan)
			return wear;
	}
	elog(ERROR, "statement on a routed table has lost its state");
}

/* Fires the base's BEFORE ROW triggers; NULL: they want no insert. */
static TupleTableSlot *
fire_before_triggers(Wear *wear, TupleTableSlot *slot)
{
	ResultRelInfo *base = wear->wearing ? &wear->base : wear->worn;

	ExecCopySlot(wear->trigger_slot, slot);
	wear->trigger_slot->tts_tableOid = wear->homes.base;
	return ExecBRInsertTriggers(wear->homes.estate, base, wear->trigger_slot) ? wear->trigger_slot : NULL;
}

/*
 * Could other nodes of the statement, which take turns with this one, tell whether its rows are there yet? Those that
 * write to the same base could, by conflicts, and whatever looks into tables. One without RETURNING feeds no other: it
 * runs from its first row to the last before this one or after it, which has none either.
 */
static bool
others_look(Wear *wear)
{
	EState	   *estate = wear->homes.estate;
	ListCell   *lc;

	foreach(lc, estate->es_opened_result_relations)
	{
		ResultRelInfo *rri = lfirst(lc);
		ResultRelInfo *root = rri->ri_RootResultRelInfo ? rri->ri_RootResultRelInfo : rri;
		TriggerDesc *triggers = rri->ri_TrigDesc;
		ModifyTable *plan = rri == wear->worn ? NULL : router_target_plan(estate, rri);

		if (plan == NULL || plan->returningLists == NIL)
			continue;
		if (plan->operation != CMD_DELETE && RelationGetRelid(root->ri_RelationDesc) == wear->homes.base)
			return true;
		if ((triggers && (triggers->trig_insert_before_row || triggers->trig_update_before_row ||
						  triggers->trig_delete_before_row)) || router_row_looks(rri))
			return true;
	}
	return false;
}

/*
 * May rows be held back? Not when somebody could tell: RETURNING, ON CONFLICT
 * and the CHECK OPTION of a view, row triggers, EXPLAIN ANALYZE, or functions that might look into the table while the
 * statement runs (look.c). Of a child see router_dest_is_by_row.
 */
static bool
may_batch(Wear *wear)
{
	ModifyTableState *mtstate = wear->mtstate;
	ModifyTable *node = (ModifyTable *) mtstate->ps.plan;
	TriggerDesc *triggers = wear->base.ri_TrigDesc;
	ListCell   *lc;

	if (node->returningLists != NIL || node->onConflictAction != ONCONFLICT_NONE ||
		mtstate->ps.state->es_instrument != 0 ||
		router_has_row_triggers(triggers, TRIGGER_TYPE_BEFORE) || router_has_row_triggers(triggers, TRIGGER_TYPE_AFTER))
		return false;
	foreach(lc, wear->base.ri_WithCheckOptions)
		if (lfirst_node(WithCheckOption, lc)->kind == WCO_VIEW_CHECK)
			return false;
	return !router_plan_looks(mtstate->ps.state->es_plannedstmt) && !others_look(wear);
}

/* The subplan's ExecProcNode: its next row, with the node wearing the row's home. */
static TupleTableSlot *
fetch_and_wear(PlanState *subplan)
{
	Wear	   *wear = find_wear(subplan);
	EState	   *estate = wear->homes.estate;

	for (;;)
	{
		TupleTableSlot *slot = wear->replay;
		RouterDest *dest;

		if (likely(slot == NULL))
		{
			slot = wear->fetch(subplan);
			if (TupIsNull(slot))
			{
				if (wear->batching)
					router_batch_flush(&wear->batch);
				put_on(wear, NULL);
				return slot;
			}
			if (wear->trigger_slot && (slot = fire_before_triggers(wear, slot)) == NULL)
			{
				ResetPerTupleExprContext(estate);
				continue;
			}
		}
		wear->replay = NULL;
		if (!wear->batching && router_row_is_hot(&wear->homes, slot))
		{
			put_on(wear, NULL);
			if (wear->nrows < ROWS_BEFORE_BATCH && ++wear->nrows == ROWS_BEFORE_BATCH)
				wear->batching = may_batch(wear);
			return slot;
		}
		dest = router_home(&wear->homes, slot);
		if (wear->nrows < ROWS_BEFORE_BATCH && ++wear->nrows == ROWS_BEFORE_BATCH)
			wear->batching = may_batch(wear);
		else if (wear->batching)
		{
			if (!router_dest_is_by_row(dest))
			{
				router_batch_add(&wear->batch, dest, slot);
				if (wear->mtstate->canSetTag)
					estate->es_processed++;
				ResetPerTupleExprContext(estate);
				continue;
			}
			router_batch_flush(&wear->batch);
		}
		put_on(wear, dest);
		return dest->map ? execute_attr_map_slot(dest->map->attrMap, slot, dest->rri->ri_newTupleSlot) : slot;
	}
}

/* --------------------------------------------------------------- statements */

static void
forget_wear(void *arg)
{
	dlist_delete(&((Wear *) arg)->link);
}

/* Takes a node over, whose target is a base. */
static Wear *
take_over(ModifyTableState *mtstate, RouterCacheEntry *entry)
{
	EState	   *estate = mtstate->ps.state;
	ResultRelInfo *rri = mtstate->resultRelInfo;
	Relation	base = rri->ri_RelationDesc;
	RouterRoute *route = router_cache_route(entry);
	Wear	   *wear;
	MemoryContext old;

	old = MemoryContextSwitchTo(estate->es_query_cxt);
	wear = palloc0(sizeof(Wear));
	router_mask_own_triggers(rri->ri_TrigDesc);
	wear->mtstate = mtstate;
	wear->worn = rri;
	wear->base = *rri;
	router_homes_init(&wear->homes, entry, base, estate, &wear->base);
	if (route == NULL || route->global_keys != NIL)
		router_globalkey_watch(&wear->homes.keys, estate, rri);	/* hot rows; as the children's */
	wear->homes.speculative = ((ModifyTable *) mtstate->ps.plan)->onConflictAction != ONCONFLICT_NONE;
	wear->homes.mtstate = mtstate;
	wear->homes.opened = dress_up;
	wear->homes.arg = wear;
	wear->batch.estate = estate;
	wear->batch.cid = estate->es_output_cid;
	wear->batch.capture = mtstate->mt_transition_capture;
	if (rri->ri_TrigDesc->trig_insert_before_row)
	{
		wear->trigger_slot = table_slot_create(base, &estate->es_tupleTable);
		rri->ri_TrigDesc->trig_insert_before_row = false;	/* core shall not fire them for hot rows again */
	}
	wear->subplan = outerPlanState(mtstate);
	wear->fetch = wear->subplan->ExecProcNodeReal;
	wear->forget.func = forget_wear;
	wear->forget.arg = wear;
	dlist_push_head(&wears, &wear->link);
	MemoryContextRegisterResetCallback(estate->es_query_cxt, &wear->forget);
	ExecSetExecProcNode(wear->subplan, fetch_and_wear);
	MemoryContextSwitchTo(old);
	return wear;
}

/* At the start of a statement: takes its node over if it inserts into a base. entry: of its target. */
void
router_insert_start(ModifyTableState *mtstate, RouterCacheEntry *entry)
{
	if (mtstate->operation == CMD_INSERT && mtstate->resultRelInfo->ri_TrigDesc->trig_insert_before_row &&
		router_cache_route(entry) != NULL)
		(void) take_over(mtstate, entry);
}

/* The statement's slot is to have the row as it is in its home. */
static void
note_place(RouterBatch *batch, RouterDest *dest, TupleTableSlot *slot)
{
	RouterMover *mover = batch->arg;

	router_show_row(mover->arg, slot, dest->map ? ExecGetChildToRootMap(dest->rri) : NULL);
}

/* Policies hold for what BEFORE ROW triggers and generated columns of the home have made of the row. */
static void
check_placed(RouterBatch *batch, RouterDest *dest, TupleTableSlot *slot)
{
	RouterMover *mover = batch->arg;

	if (slot != mover->arg)
		note_place(batch, dest, slot);
	ExecWithCheckOptions(WCO_RLS_INSERT_CHECK, mover->target, mover->arg, mover->statement);
}

/* ON CONFLICT DO NOTHING. False: there is a conflict, or a trigger wants no insert. */
static bool
insert_unless_conflict(RouterMover *mover, ResultRelInfo *rri, RouterDest *dest, TupleTableSlot *slot)
{
	MemoryContext old = MemoryContextSwitchTo(GetPerTupleMemoryContext(mover->estate));
	List	   *arbiters = NIL;
	bool		inserted;
	ListCell   *lc;

	if (dest->rri->ri_FdwRoutine)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("ON CONFLICT cannot reach foreign child \"%s\" in the first statement of a session",
						RelationGetRelationName(dest->rel)),
				 errhint("Set session_preload_libraries = 'router', or run the statement again.")));
	foreach(lc, rri->ri_onConflictArbiterIndexes)
		arbiters = lappend_oid(arbiters, child_arbiter(lfirst_oid(lc), dest,
													   router_attrmap_by_name(RelationGetDescr(dest->rel),
																			  mover->homes.source)));
	inserted = router_insert_unless_conflict(&mover->batch, dest, slot, arbiters, mover->statement->es_snapshot);
	MemoryContextSwitchTo(old);
	ResetPerTupleExprContext(mover->estate);
	return inserted;
}

/*
 * Instead of core, for a statement that cannot be taken over. A slot in the
 * base's layout comes, and goes back as it was inserted, if core still looks at
 * it; it goes on to count, to fill transition tables and to compute RETURNING.
 */
static TupleTableSlot *
insert_instead(EState *estate, ResultRelInfo *rri, TupleTableSlot *slot, TupleTableSlot *planSlot)
{
	RouterMover *mover = router_mover(estate, RelationGetRelid(rri->ri_RelationDesc), false);
	ModifyTable *plan = router_target_plan(estate, rri);
	RouterDest *dest;

	rri->ri_FdwRoutine = NULL;	/* for this row only: transition tables refuse foreign tables */
	mover->batch.check = rri->ri_WithCheckOptions != NIL ? check_placed : NULL;
	mover->batch.inserted = rri->ri_projectReturning || rri->ri_TrigDesc->trig_insert_new_table ? note_place : NULL;
	mover->batch.arg = mover;
	mover->target = rri;
	mover->arg = slot;
	dest = router_home(&mover->homes, slot);
	if (plan && plan->onConflictAction == ONCONFLICT_NOTHING ?
		!insert_unless_conflict(mover, rri, dest, slot) : !router_mover_insert(mover, dest, slot))
		return NULL;
	router_return_from(&mover->elsewhere, estate, rri, RelationGetRelid(dest->rel));
	return slot;
}

static FdwRoutine insert_routine = {
	.type = T_FdwRoutine,
	.ExecForeignInsert = insert_instead,
};

/*
 * From the BEFORE ROW trigger of a base, which only statements get to that were
 * not taken over at their start: MERGE, COPY that was not announced, and those
 * that began before the library was loaded. Where the node of an INSERT can be
 * found the rest of the statement runs as if it had been taken over, beginning
 * with this very row. Else core goes on with the row, and hands it to
 * insert_instead where it would insert it. *done: core shall not go on.
 * False: no executor runs this (logical replication).
 */
bool
router_insert_late(TriggerData *trigdata, bool *done)
{
	EState	   *estate = router_running_estate();
	ResultRelInfo *rri = estate ? router_running_target(estate, trigdata->tg_trigger) : NULL;
	ModifyTableState *node;
	MemoryContext old;
	Wear	   *wear;

	/* the apply worker has an EState and a target, too, but no plan, and looks at nothing that we would change there */
	if (rri == NULL || (estate->es_plannedstmt == NULL && !router_copy_calls(trigdata->tg_relation)))
		return false;
	node = router_target_node(estate, rri);
	*done = node && node->operation == CMD_INSERT && router_is_last_before_trigger(trigdata);
	if (*done)
	{
		wear = take_over(node, router_cache_entry(RelationGetRelid(node->resultRelInfo->ri_RelationDesc)));
		old = MemoryContextSwitchTo(estate->es_query_cxt);
		wear->replay = table_slot_create(trigdata->tg_relation, &estate->es_tupleTable);
		ExecCopySlot(wear->replay, trigdata->tg_trigslot);
		MemoryContextSwitchTo(old);
		return true;
	}
	rri->ri_FdwRoutine = &insert_routine;
	router_mask_after_insert(rri->ri_TrigDesc, true);	/* those of the home fire */
	return true;
}

/* At the end of a statement. */
void
router_insert_end(EState *estate)
{
	dlist_iter	iter;

	dlist_foreach(iter, &wears)
	{
		Wear	   *wear = dlist_container(Wear, link, iter.cur);

		if (wear->homes.estate != estate)
			continue;
		put_on(wear, NULL);
		router_homes_close(&wear->homes);
	}
}
