/*
 * insert.c
 *		INSERT into a base: the ModifyTable node inserts into the row's child as
 *		if the statement had named it.
 *
 * At the start of a statement each INSERT node on a base gets its subplan
 * wrapped; if the library was not loaded then, the first row's trigger does it,
 * where it can find the node (running_statement.c). The wrapper fetches a row,
 * finds its home, and makes the child the node's target relation: it puts the
 * contents of the child's ResultRelInfo into the node's own. Core then does
 * everything natively: constraints, indexes, ON CONFLICT, AFTER triggers,
 * RETURNING, counts. Before another child becomes the target, what core built
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
 * Memory: a RouterInsert lives in es_query_cxt. Children are closed at
 * ExecutorEnd.
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
#include "nodes/makefuncs.h"
#include "nodes/plannodes.h"
#include "rewrite/rewriteManip.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "write/copy.h"
#include "rows/look.h"
#include "rows/mask.h"
#include "write/row_writer.h"
#include "write/running_statement.h"

/* rows a statement inserts one by one before batching begins */
#define ROWS_BEFORE_BATCH 8

typedef struct RouterInsert
{
	struct RouterInsert *next;	/* of the same statement */
	PlanState  *subplan;
	ExecProcNodeMtd fetch;		/* what the subplan did before */
	ModifyTableState *mtstate;
	ResultRelInfo *target;		/* the node's own struct */
	ResultRelInfo base;			/* the base's contents while a child is the target */
	RouterDest *current;		/* whose contents are there; NULL: the base's */
	RouterHomes homes;
	RouterBatch batch;
	bool		batching;		/* rows may be held back */
	int			nrows;			/* up to ROWS_BEFORE_BATCH */
	TupleTableSlot *trigger_slot;	/* for BEFORE ROW triggers of the base, or NULL */
	TupleTableSlot *replay;		/* a row that has been through them, to come next; or NULL */
} RouterInsert;

/* ---------------------------------------------------- a child as the target */

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
set_on_conflict_update(RouterInsert *insert, RouterDest *dest, AttrMap *map, int varno)
{
	ModifyTableState *mtstate = insert->mtstate;
	ModifyTable *node = (ModifyTable *) mtstate->ps.plan;
	OnConflictSetState *base = insert->base.ri_onConflict;
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
set_check_options(RouterInsert *insert, RouterDest *dest, AttrMap *map, int varno)
{
	List	   *exprs = NIL;
	List	   *options;
	ListCell   *lc;

	if (insert->base.ri_WithCheckOptions == NIL)
		return;
	if (dest->map == NULL)
	{
		dest->rri->ri_WithCheckOptions = insert->base.ri_WithCheckOptions;
		dest->rri->ri_WithCheckOptionExprs = insert->base.ri_WithCheckOptionExprs;
		return;
	}
	options = (List *) map_expr((Node *) insert->base.ri_WithCheckOptions, varno, dest, map);
	foreach(lc, options)
		exprs = lappend(exprs, ExecInitQual((List *) lfirst_node(WithCheckOption, lc)->qual, &insert->mtstate->ps));
	dest->rri->ri_WithCheckOptions = options;
	dest->rri->ri_WithCheckOptionExprs = exprs;
}

static void
set_returning(RouterInsert *insert, RouterDest *dest, AttrMap *map, int varno)
{
	PlanState  *ps = &insert->mtstate->ps;

	if (insert->base.ri_projectReturning == NULL)
		return;
	dest->rri->ri_returningList = insert->base.ri_returningList;
	dest->rri->ri_projectReturning = insert->base.ri_projectReturning;
	if (dest->map == NULL)
		return;
	dest->rri->ri_returningList = (List *) map_expr((Node *) insert->base.ri_returningList, varno, dest, map);
	dest->rri->ri_projectReturning =
		ExecBuildProjectionInfo(dest->rri->ri_returningList, ps->ps_ExprContext, ps->ps_ResultTupleSlot, ps,
								RelationGetDescr(dest->rel));
}

/* Gives a child, just opened, what the statement asks of its target. */
static void
init_target(RouterHomes *homes, RouterDest *dest)
{
	RouterInsert *insert = homes->arg;
	ModifyTable *node = (ModifyTable *) insert->mtstate->ps.plan;
	MemoryContext old = MemoryContextSwitchTo(homes->estate->es_query_cxt);
	int			varno = insert->base.ri_RangeTableIndex;
	AttrMap    *map = NULL;
	ListCell   *lc;

	/* expressions are to be renumbered only for another layout, indexes compared by a map in any case */
	if (dest->map || insert->base.ri_onConflictArbiterIndexes != NIL)
		map = router_attrmap_by_name(RelationGetDescr(dest->rel), homes->source);
	set_check_options(insert, dest, map, varno);
	set_returning(insert, dest, map, varno);
	foreach(lc, insert->base.ri_onConflictArbiterIndexes)
		dest->rri->ri_onConflictArbiterIndexes =
			lappend_oid(dest->rri->ri_onConflictArbiterIndexes, child_arbiter(lfirst_oid(lc), dest, map));
	if (node->onConflictAction == ONCONFLICT_UPDATE)
	{
		Bitmapset  *updated = NULL;
		RouterRoute *route = router_cache_route(homes->entry);

		set_on_conflict_update(insert, dest, map, varno);
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
set_target(RouterInsert *insert, RouterDest *dest)
{
	if (insert->current == dest)
		return;
	*(insert->current ? insert->current->rri : &insert->base) = *insert->target;
	*insert->target = dest ? *dest->rri : insert->base;
	insert->current = dest;
}

/* -------------------------------------------------------------- the wrapper */

static inline RouterInsert *
find_insert(PlanState *subplan)
{
	RouterStatement *statement = router_statement_find(subplan->state);

	for (RouterInsert *insert = statement ? statement->inserts : NULL; insert; insert = insert->next)
		if (insert->subplan == subplan)
			return insert;
	elog(ERROR, "statement on a routed table has lost its state");
}

/* Fires the base's BEFORE ROW triggers; NULL: they want no insert. */
static TupleTableSlot *
fire_before_triggers(RouterInsert *insert, TupleTableSlot *slot)
{
	ResultRelInfo *base = insert->current ? &insert->base : insert->target;

	ExecCopySlot(insert->trigger_slot, slot);
	insert->trigger_slot->tts_tableOid = insert->homes.base;
	return ExecBRInsertTriggers(insert->homes.estate, base, insert->trigger_slot) ? insert->trigger_slot : NULL;
}

/*
 * Could other nodes of the statement, which take turns with this one, tell whether its rows are there yet? Those that
 * write to the same base could, by conflicts, and whatever looks into tables. One without RETURNING feeds no other: it
 * runs from its first row to the last before this one or after it, which has none either.
 */
static bool
others_look(RouterInsert *insert)
{
	EState	   *estate = insert->homes.estate;
	ListCell   *lc;

	foreach(lc, estate->es_opened_result_relations)
	{
		ResultRelInfo *rri = lfirst(lc);
		ResultRelInfo *root = rri->ri_RootResultRelInfo ? rri->ri_RootResultRelInfo : rri;
		TriggerDesc *triggers = rri->ri_TrigDesc;
		ModifyTable *plan = rri == insert->target ? NULL : router_target_plan(estate, rri);

		if (plan == NULL || plan->returningLists == NIL)
			continue;
		if (plan->operation != CMD_DELETE && RelationGetRelid(root->ri_RelationDesc) == insert->homes.base)
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
may_batch(RouterInsert *insert)
{
	ModifyTableState *mtstate = insert->mtstate;
	ModifyTable *node = (ModifyTable *) mtstate->ps.plan;
	TriggerDesc *triggers = insert->base.ri_TrigDesc;
	ListCell   *lc;

	if (node->returningLists != NIL || node->onConflictAction != ONCONFLICT_NONE ||
		mtstate->ps.state->es_instrument != 0 ||
		router_has_row_triggers(triggers, TRIGGER_TYPE_BEFORE) || router_has_row_triggers(triggers, TRIGGER_TYPE_AFTER))
		return false;
	foreach(lc, insert->base.ri_WithCheckOptions)
		if (lfirst_node(WithCheckOption, lc)->kind == WCO_VIEW_CHECK)
			return false;
	return !router_plan_looks(mtstate->ps.state->es_plannedstmt) && !others_look(insert);
}

/* The subplan's ExecProcNode: its next row, with the row's home as the node's target. */
static TupleTableSlot *
fetch_routed(PlanState *subplan)
{
	RouterInsert *insert = find_insert(subplan);
	EState	   *estate = insert->homes.estate;

	for (;;)
	{
		TupleTableSlot *slot = insert->replay;
		RouterDest *dest;

		if (likely(slot == NULL))
		{
			slot = insert->fetch(subplan);
			if (TupIsNull(slot))
			{
				if (insert->batching)
					router_batch_flush(&insert->batch);
				set_target(insert, NULL);
				return slot;
			}
			if (insert->trigger_slot && (slot = fire_before_triggers(insert, slot)) == NULL)
			{
				ResetPerTupleExprContext(estate);
				continue;
			}
		}
		insert->replay = NULL;
		if (!insert->batching && router_row_is_hot(&insert->homes, slot))
		{
			set_target(insert, NULL);
			if (insert->nrows < ROWS_BEFORE_BATCH && ++insert->nrows == ROWS_BEFORE_BATCH)
				insert->batching = may_batch(insert);
			return slot;
		}
		dest = router_home(&insert->homes, slot);
		if (insert->nrows < ROWS_BEFORE_BATCH && ++insert->nrows == ROWS_BEFORE_BATCH)
			insert->batching = may_batch(insert);
		else if (insert->batching)
		{
			if (!router_dest_is_by_row(dest))
			{
				router_batch_add(&insert->batch, dest, slot);
				if (insert->mtstate->canSetTag)
					estate->es_processed++;
				ResetPerTupleExprContext(estate);
				continue;
			}
			router_batch_flush(&insert->batch);
		}
		set_target(insert, dest);
		return dest->map ? execute_attr_map_slot(dest->map->attrMap, slot, dest->rri->ri_newTupleSlot) : slot;
	}
}

/* --------------------------------------------------------------- statements */

/* Takes a node over, whose target is a base. */
static RouterInsert *
take_over(ModifyTableState *mtstate, RouterCacheEntry *entry)
{
	EState	   *estate = mtstate->ps.state;
	ResultRelInfo *rri = mtstate->resultRelInfo;
	Relation	base = rri->ri_RelationDesc;
	RouterRoute *route = router_cache_route(entry);
	RouterStatement *statement = router_statement_get(estate);
	RouterInsert *insert;
	MemoryContext old;

	old = MemoryContextSwitchTo(estate->es_query_cxt);
	insert = palloc0(sizeof(RouterInsert));
	router_mask_own_triggers(rri->ri_TrigDesc);
	insert->mtstate = mtstate;
	insert->target = rri;
	insert->base = *rri;
	router_homes_init(&insert->homes, entry, base, estate, &insert->base);
	if (route == NULL || route->global_keys != NIL)
		router_globalkey_watch(&insert->homes.keys, estate, rri);	/* hot rows; as the children's */
	insert->homes.speculative = ((ModifyTable *) mtstate->ps.plan)->onConflictAction != ONCONFLICT_NONE;
	insert->homes.mtstate = mtstate;
	insert->homes.opened = init_target;
	insert->homes.arg = insert;
	insert->batch.estate = estate;
	insert->batch.cid = estate->es_output_cid;
	insert->batch.capture = mtstate->mt_transition_capture;
	if (rri->ri_TrigDesc->trig_insert_before_row)
	{
		insert->trigger_slot = table_slot_create(base, &estate->es_tupleTable);
		rri->ri_TrigDesc->trig_insert_before_row = false;	/* core shall not fire them for hot rows again */
	}
	insert->subplan = outerPlanState(mtstate);
	insert->fetch = insert->subplan->ExecProcNodeReal;
	insert->next = statement->inserts;
	statement->inserts = insert;
	ExecSetExecProcNode(insert->subplan, fetch_routed);
	MemoryContextSwitchTo(old);
	return insert;
}

/* At the start of a statement: takes its node over if it inserts into a base. entry: of its target. */
bool
router_insert_start(ModifyTableState *mtstate, RouterCacheEntry *entry)
{
	if (mtstate->operation != CMD_INSERT || !mtstate->resultRelInfo->ri_TrigDesc->trig_insert_before_row ||
		router_cache_route(entry) == NULL)
		return false;
	(void) take_over(mtstate, entry);
	return true;
}

/* ON CONFLICT DO NOTHING. False: there is a conflict, or a trigger wants no insert. */
static bool
insert_unless_conflict(RouterRowWriter *writer, ResultRelInfo *rri, RouterDest *dest, TupleTableSlot *slot)
{
	MemoryContext old = MemoryContextSwitchTo(GetPerTupleMemoryContext(writer->estate));
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
																			  writer->homes.source)));
	inserted = router_insert_unless_conflict(&writer->batch, dest, slot, arbiters, writer->statement->es_snapshot);
	MemoryContextSwitchTo(old);
	ResetPerTupleExprContext(writer->estate);
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
	RouterRowWriter *writer = router_writer(estate, RelationGetRelid(rri->ri_RelationDesc), false);
	ModifyTable *plan = router_target_plan(estate, rri);
	RouterDest *dest;

	rri->ri_FdwRoutine = NULL;	/* for this row only: transition tables refuse foreign tables */
	router_writer_expect(writer, rri, WCO_RLS_INSERT_CHECK, slot, slot,
						 rri->ri_projectReturning || rri->ri_TrigDesc->trig_insert_new_table);
	dest = router_home(&writer->homes, slot);
	if (plan && plan->onConflictAction == ONCONFLICT_NOTHING ?
		!insert_unless_conflict(writer, rri, dest, slot) : !router_writer_insert(writer, dest, slot))
		return NULL;
	router_return_from(&writer->elsewhere, estate, rri, RelationGetRelid(dest->rel));
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
	RouterInsert *insert;

	/* the apply worker has an EState and a target, too, but no plan, and looks at nothing that we would change there */
	if (rri == NULL || (estate->es_plannedstmt == NULL && !router_copy_calls(trigdata->tg_relation)))
		return false;
	node = router_target_node(estate, rri);
	*done = node && node->operation == CMD_INSERT && router_is_last_before_trigger(trigdata);
	if (*done)
	{
		insert = take_over(node, router_cache_entry(RelationGetRelid(node->resultRelInfo->ri_RelationDesc)));
		old = MemoryContextSwitchTo(estate->es_query_cxt);
		insert->replay = table_slot_create(trigdata->tg_relation, &estate->es_tupleTable);
		ExecCopySlot(insert->replay, trigdata->tg_trigslot);
		MemoryContextSwitchTo(old);
		return true;
	}
	rri->ri_FdwRoutine = &insert_routine;
	router_mask_after_insert(rri->ri_TrigDesc, true);	/* those of the home fire */
	return true;
}

/* At the end of a statement. */
void
router_insert_end(RouterStatement *statement)
{
	for (RouterInsert *insert = statement->inserts; insert; insert = insert->next)
	{
		set_target(insert, NULL);
		router_homes_close(&insert->homes);
	}
}
