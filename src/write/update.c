/*
 * update.c
 *		UPDATE that changes a key moves the row to its new home, as core does
 *		between partitions: delete here, insert there, one row updated.
 *
 * The base and its children have a BEFORE UPDATE ROW trigger "~router_move",
 * the last one. When core calls it, the row is locked and, if it was changed
 * meanwhile, seen in its newest version. If the new row's home is another
 * table, the trigger makes core take a detour for this one row: it gives the
 * target a foreign data wrapper, and core hands over the row instead of
 * updating it in place. The wrapper deletes the old row, marked as moved, so
 * that whoever waits for it gets core's serialization error, and inserts the
 * new one. Core goes on to count, and to compute RETURNING from the row that
 * was inserted. Triggers are core's for this case: BEFORE DELETE and AFTER
 * DELETE where the row was, BEFORE INSERT and AFTER INSERT where it goes, no
 * AFTER UPDATE.
 *
 * MERGE does not look at wrappers, nor does the apply worker of logical
 * replication: there the trigger itself moves and counts, and tells core to do
 * nothing more.
 *
 * A trigger that fires makes core lock each row beforehand. When the library
 * is loaded before the statement starts, the trigger is masked in the
 * statement's copy of the descriptors unless a key column is set or another
 * BEFORE trigger might do that.
 *
 * Locking: the new home RowExclusive, as for any INSERT.
 * Memory: a Source for each table and statement is kept by the trigger. What
 * the detour changes in the executor's state is put back by a reset callback on
 * the per-tuple context, which ends with the row.
 */
#include "compat.h"
#include "write/update.h"

#include "access/table.h"
#include "access/tableam.h"
#include "access/tupconvert.h"
#include "access/xact.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "executor/nodeModifyTable.h"
#include "foreign/fdwapi.h"
#include "nodes/makefuncs.h"
#include "nodes/plannodes.h"
#include "utils/datum.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "base/guard.h"
#include "route/loose.h"
#include "mirror/mirror.h"
#include "rows/mask.h"
#include "write/row_writer.h"
#include "rows/passed.h"
#include "read/serializable.h"
#include "write/running_statement.h"
#include "rows/keep_in_step.h"

/* with more targets than these the trigger of each that is met looks for itself, and router's CHECKs are evaluated */
#define MAX_TARGETS 32

PG_FUNCTION_INFO_V1(router_move_row);

/* A table whose trigger was called: in fn_extra, for the statement. */
typedef struct Source
{
	RouterCacheEntry *entry;	/* NULL: nothing to do */
	Oid			base;
	AttrNumber	attnums[ROUTER_MAX_LEVELS]; /* of the keys */
	TupleConversionMap *map;	/* to the base's layout, NULL if alike */
	TupleTableSlot *base_slot;	/* for it */
	bool		referenced;		/* foreign keys refer to this very table */
	bool		home_locked;	/* this statement has taken the home lock */
	bool		looked;			/* whether keys can change at all */
	RouterElsewhere *elsewhere;
	/* of the row in hand */
	ItemPointerData tid;
	TupleTableSlot *old;
	HeapTuple	old_tuple;		/* while the trigger is to be called once more, or NULL */
	TupleTableSlot *slot;		/* the new row, in the source's layout */
	Oid			home;			/* where it was inserted */
} Source;

/* What to put back when the row in hand is done with. */
typedef struct RouterDetour
{
	RouterStatement *statement;
	MemoryContextCallback callback;
	ResultRelInfo *rri;			/* NULL: nothing */
	bool		after_row;
	Trigger    *instead;		/* ours, while it is to be called once more; or NULL */
} RouterDetour;

/* --------------------------------------------------------------------- a move */

static TupleTableSlot *
base_layout(Source *source, TupleTableSlot *slot)
{
	return source->map ? execute_attr_map_slot(source->map->attrMap, slot, source->base_slot) : slot;
}

/* Deletes the row in hand, which the trigger's caller locked. False: its turn was before. */
static bool
delete_old(Relation rel, ItemPointer tid, EState *estate, CommandId cid)
{
	TM_FailureData failure;
	TM_Result	result = table_tuple_delete(rel, tid, cid, estate ? estate->es_snapshot : NULL, InvalidSnapshot, true,
											&failure, true);

	if (result == TM_Ok)
		return true;
	if (result == TM_SelfModified)
	{
		if (failure.cmax != cid)
			ereport(ERROR,
					(errcode(ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION),
					 errmsg("tuple to be updated was already modified by an operation triggered by the current command"),
					 errhint("Consider using an AFTER trigger instead of a BEFORE trigger to propagate changes to other rows.")));
		return false;
	}
	ereport(ERROR,
			(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
			 errmsg("could not serialize access due to concurrent update")));
}

/* A row that goes to a foreign table which the statement changes, too, may be met there and changed again. */
static void
check_foreign_target(EState *statement, ResultRelInfo *rri, RouterDest *dest)
{
	ModifyTableState *node = rri ? router_target_node(statement, rri) : NULL;

	for (int i = 0; node && i < node->mt_nrels; i++)
		if (RelationGetRelid(node->resultRelInfo[i].ri_RelationDesc) == RelationGetRelid(dest->rel))
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("cannot move row to foreign child \"%s\", which the statement changes, too",
							RelationGetRelationName(dest->rel)),
					 errhint("Let the statement leave that child out, by a condition on the key: the old one of the row.")));
}

/*
 * Moves the row in hand. source->slot becomes what was inserted. False: a
 * trigger wants it otherwise. statement, rri, epqstate: NULL for the apply worker.
 */
static bool
move_row(Source *source, EState *statement, ResultRelInfo *rri, EPQState *epqstate, Relation rel)
{
	RouterRowWriter *writer = router_writer(statement, source->base, true);
	TriggerDesc *triggers = rri ? rri->ri_TrigDesc : NULL;
	TupleTableSlot *row;
	RouterDest *dest;
	bool		inserted;

	if (source->referenced)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot move row out of \"%s\", to which a foreign key refers directly",
						RelationGetRelationName(rel)),
				 errdetail("The row's key was changed, so that it belongs in another child of \"%s\".",
						   RelationGetRelationName(writer->base)),
				 errhint("Let the foreign key refer to a table that rows do not leave.")));
	if (triggers && triggers->trig_delete_before_row &&
		!router_fire_before_delete(statement, epqstate, rri, &source->tid))
		return false;
	if (!delete_old(rel, &source->tid, statement, writer->batch.cid))
	{
		if (statement == NULL)
			router_writer_close(writer);
		return false;
	}
	if (rri == NULL)
		router_step_deleted(rel, &source->tid);
	if (triggers && triggers->trig_delete_after_row)
	{
		/* the entry of a global key goes with the row: see below */
		router_mask_globalkey_triggers(triggers, TRIGGER_TYPE_DELETE, true);
		ExecARDeleteTriggers(statement, rri, &source->tid, NULL, NULL, true);
		router_mask_globalkey_triggers(triggers, TRIGGER_TYPE_DELETE, false);
	}
	row = base_layout(source, source->slot);
	dest = router_home(&writer->homes, row);
	if (dest->rri->ri_FdwRoutine)
		check_foreign_target(statement, rri, dest);
	router_writer_expect(writer, rri, WCO_RLS_UPDATE_CHECK, row, source->slot, true);
	inserted = router_writer_insert(writer, dest, row) && OidIsValid(writer->home);
	source->home = writer->home;
	if (inserted)
		router_globalkey_follow_move(&writer->homes.keys, writer->estate, rel, source->old, source->slot);
	if (statement == NULL)
		router_writer_close(writer);
	return inserted;
}

/* ------------------------------------------------------------------ the detour */

static void
put_back(RouterDetour *detour)
{
	if (detour->rri == NULL)
		return;
	if (detour->instead)
		router_fire_instead(detour->rri->ri_TrigDesc, detour->instead, false);
	detour->rri->ri_FdwRoutine = NULL;
	detour->rri->ri_FdwState = NULL;
	detour->rri->ri_TrigDesc->trig_update_after_row = detour->after_row;
	detour->rri = NULL;
}

static void
end_detour(void *arg)
{
	RouterDetour *detour = arg;

	if (detour->statement->detour == detour)
		detour->statement->detour = NULL;
	put_back(detour);
}

/* ExecForeignUpdate: core hands over the row, with all that BEFORE triggers made of it. */
static TupleTableSlot *
take_detour(EState *estate, ResultRelInfo *rri, TupleTableSlot *slot, TupleTableSlot *planSlot)
{
	Source	   *source = rri->ri_FdwState;
	ModifyTableState *node = router_target_node(estate, rri);

	rri->ri_FdwRoutine = NULL;
	rri->ri_FdwState = NULL;
	if (rri->ri_WithCheckOptions != NIL)
		ExecWithCheckOptions(WCO_RLS_UPDATE_CHECK, rri, slot, estate);
	source->slot = slot;
	if (!move_row(source, estate, rri, &node->mt_epqstate, rri->ri_RelationDesc))
		return NULL;
	rri->ri_TrigDesc->trig_update_after_row = false;
	router_return_from(&source->elsewhere, estate, rri, source->home);
	return slot;
}

/* ExecInsert of the same target must not take it for a foreign table. */
static FdwRoutine detour_routine = {
	.type = T_FdwRoutine,
	.ExecForeignUpdate = take_detour,
};

/* What the row in hand changes is put back after it. CurrentMemoryContext is the per-tuple context. */
static RouterDetour *
make_detour(EState *estate, ResultRelInfo *rri)
{
	RouterDetour *detour = palloc0(sizeof(RouterDetour));

	detour->statement = router_statement_get(estate);
	detour->rri = rri;
	detour->after_row = rri->ri_TrigDesc->trig_update_after_row;
	detour->callback.func = end_detour;
	detour->callback.arg = detour;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, &detour->callback);
	detour->statement->detour = detour;
	return detour;
}

/* Sends the row in hand on the detour. */
static void
begin_detour(Source *source, EState *estate, ResultRelInfo *rri)
{
	(void) make_detour(estate, rri);
	rri->ri_FdwRoutine = &detour_routine;
	rri->ri_FdwState = source;
}

/*
 * MERGE ... RETURNING, which does not look at wrappers: core shall call the trigger once more, as it calls those
 * of views, in place of the update; then it goes on to count and to compute RETURNING. It has no old tuple for these.
 */
static void
begin_instead(Source *source, TriggerData *trigdata, EState *estate, ResultRelInfo *rri)
{
	if (!TTS_IS_BUFFERTUPLE(trigdata->tg_trigslot))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("MERGE with RETURNING cannot move a row out of \"%s\"",
						RelationGetRelationName(trigdata->tg_relation)),
				 errdetail("A key of routed table \"%s\" was changed, and the table is not stored as a heap.",
						   get_rel_name(source->base)),
				 errhint("Leave RETURNING out, or use UPDATE.")));
	source->old_tuple = heap_copytuple(trigdata->tg_trigtuple);
	make_detour(estate, rri)->instead = trigdata->tg_trigger;
	router_fire_instead(rri->ri_TrigDesc, trigdata->tg_trigger, true);
}

/* Asks the policies as core does before it changes the row: when generated columns are computed. */
static void
check_policies(EState *estate, ResultRelInfo *rri, TupleTableSlot *slot)
{
	TupleConstr *constr = RelationGetDescr(rri->ri_RelationDesc)->constr;

	if (rri->ri_WithCheckOptions == NIL)
		return;
	if (constr && constr->has_generated_stored)
		ExecComputeStoredGenerated(rri, estate, slot, CMD_UPDATE);
	ExecWithCheckOptions(WCO_RLS_UPDATE_CHECK, rri, slot, estate);
}

/* The second call. False: a trigger wants it otherwise. */
static bool
move_instead(Source *source, TriggerData *trigdata, EState *estate, ResultRelInfo *rri)
{
	ModifyTableState *node = router_target_node(estate, rri);
	BufferHeapTupleTableSlot *old = (BufferHeapTupleTableSlot *) trigdata->tg_trigslot;
	MemoryContext caller = MemoryContextSwitchTo(trigdata->tg_trigslot->tts_mcxt);
	bool		moved;

	old->base.tuple = heap_copytuple(source->old_tuple);	/* core stored what it had: NULL */
	MemoryContextSwitchTo(estate->es_query_cxt);
	router_fire_instead(rri->ri_TrigDesc, trigdata->tg_trigger, false);
	source->old_tuple = NULL;
	check_policies(estate, rri, trigdata->tg_newslot);
	source->slot = trigdata->tg_newslot;
	moved = move_row(source, estate, rri, &node->mt_epqstate, trigdata->tg_relation);
	rri->ri_TrigDesc->trig_update_after_row = false;
	if (moved)
		router_return_from(&source->elsewhere, estate, rri, source->home);
	MemoryContextSwitchTo(caller);
	return moved;
}

/* ---------------------------------------------------------------- the trigger */

static Source *
open_source(MemoryContext cxt, Relation rel)
{
	MemoryContext old = MemoryContextSwitchTo(cxt);
	Source	   *source = palloc0(sizeof(Source));
	RouterRoute *route;
	Relation	base;

	source->base = router_cache_base(RelationGetRelid(rel));
	if (OidIsValid(source->base) && (route = router_cache_route(router_cache_entry(source->base))) != NULL)
	{
		base = table_open(source->base, AccessShareLock);
		source->map = convert_tuples_by_name(RelationGetDescr(rel), RelationGetDescr(base));
		if (source->map)
			source->base_slot = MakeSingleTupleTableSlot(CreateTupleDescCopy(RelationGetDescr(base)), &TTSOpsVirtual);
		route = router_cache_route(router_cache_entry(source->base));
		for (int i = 0; route && i < route->config.nkeys; i++)
			source->attnums[i] = source->map ?
				get_attnum(RelationGetRelid(rel), route->config.keys[i].column) : route->config.keys[i].attnum;
		source->referenced = router_is_referenced(rel);
		source->entry = router_cache_entry(source->base);
		table_close(base, NoLock);
	}
	MemoryContextSwitchTo(old);
	return source;
}

/* Has the row in hand the same key values as before? */
static bool
same_key_values(Source *source, TriggerData *trigdata, int nkeys)
{
	TupleDesc	desc = RelationGetDescr(trigdata->tg_relation);

	for (int i = 0; i < nkeys; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, source->attnums[i] - 1);
		bool		old_null;
		bool		new_null;
		Datum		old_value = slot_getattr(trigdata->tg_trigslot, source->attnums[i], &old_null);
		Datum		new_value = slot_getattr(trigdata->tg_newslot, source->attnums[i], &new_null);

		if (old_null != new_null ||
			(!old_null && !datumIsEqual(old_value, new_value, att->attbyval, att->attlen)))
			return false;
	}
	return true;
}

/* Is the new row's home the table it is in? */
static bool
stays(Source *source, RouterRoute *route, TriggerData *trigdata)
{
	Datum		values[ROUTER_MAX_LEVELS];
	bool		isnull[ROUTER_MAX_LEVELS];
	RouterMiss	miss;
	Oid			home;

	for (int i = 0; i < route->config.nkeys; i++)
		values[i] = slot_getattr(trigdata->tg_newslot, source->attnums[i], &isnull[i]);
	if (route->hot_level >= 0)
	{
		if (router_home_is_base(source->entry, source->base, values, isnull, &source->home_locked))
			return source->base == RelationGetRelid(trigdata->tg_relation);
		route = router_cache_route(source->entry);
		if (route == NULL)
			return true;
	}
	home = router_route_find(route, values, isnull, &miss);
	/* making a child for it would take the very row out of the default child */
	if (!OidIsValid(home) && route->default_child == RelationGetRelid(trigdata->tg_relation))
		return true;
	return home == RelationGetRelid(trigdata->tg_relation);
}

/*
 * Somebody inserts into a child by its name. A row that belongs into the hot
 * base is let in, as its CHECK does, but noted: queries for current rows would not
 * look there.
 */
static void
watch_insert(Source *source, TriggerData *trigdata)
{
	RouterRoute *route = source->entry ? router_cache_route(source->entry) : NULL;
	Oid			child = RelationGetRelid(trigdata->tg_relation);
	RouterBound *bound;
	RouterChildDef *def;
	RouterKey	key;
	Datum		value;
	bool		isnull;
	int			guc_level;

	if (route == NULL || route->hot_level < 0 || child == source->base)
		return;
	key = route->config.keys[route->hot_level];
	value = slot_getattr(trigdata->tg_trigslot, source->attnums[route->hot_level], &isnull);
	if (isnull || router_key_int(&key, value) < route->reach)
		return;
	def = router_catalog_child(child);
	route = router_cache_route(source->entry);
	if (def == NULL || route == NULL || route->hot_level < 0)
		return;
	guc_level = router_pin_settings(route->config.time_zone);
	bound = router_bound_parse(&key, def->bounds[route->hot_level]);
	AtEOXact_GUC(false, guc_level);
	if (bound->form == ROUTER_BOUND_DEFAULT)
	{
		bound->form = ROUTER_BOUND_RANGE;
		bound->hi = PG_INT64_MAX;
	}
	router_raise_reach(router_cache_route(source->entry), bound);
}

/*
 * Moves the row at once, and counts it: core shall do nothing. To be called in es_query_cxt, where core keeps
 * what it builds in rri on the way.
 */
static void
move_at_once(Source *source, TriggerData *trigdata, EState *estate, ResultRelInfo *rri, ModifyTableState *node)
{
	Relation	rel = trigdata->tg_relation;

	if (node)
		check_policies(estate, rri, trigdata->tg_newslot);
	source->slot = trigdata->tg_newslot;
	if (!move_row(source, node ? estate : NULL, node ? rri : NULL, node ? &node->mt_epqstate : NULL, rel) ||
		node == NULL)
		return;
	if (node->mt_transition_capture)
	{
		bool		after_row = rri->ri_TrigDesc->trig_update_after_row;

		rri->ri_TrigDesc->trig_update_after_row = false;
		ExecARUpdateTriggers(estate, rri, NULL, NULL, &source->tid, NULL, source->slot, NIL,
							 node->mt_transition_capture, false);
		rri->ri_TrigDesc->trig_update_after_row = after_row;
	}
	if (rri->ri_WithCheckOptions != NIL)
		ExecWithCheckOptions(WCO_VIEW_CHECK, rri, source->slot, estate);
	if (node->canSetTag)
		estate->es_processed++;
}

/*
 * A row stayed where it was. If that will be so for all rows that the statement
 * updates in this table, they need not come here: see router_update_start, which
 * leaves it to us where there are many tables.
 */
static void
stop_firing(Source *source, TriggerData *trigdata)
{
	EState	   *estate = router_running_estate();
	ResultRelInfo *rri = estate ? router_running_target(estate, trigdata->tg_trigger) : NULL;
	RouterRoute *route = router_cache_route(source->entry);

	source->looked = true;
	/* not for a child that is the target of an INSERT ... ON CONFLICT: it has no columns of its own to ask for */
	if (rri == NULL || rri->ri_RangeTableIndex == 0 || estate->es_plannedstmt == NULL ||
		estate->es_plannedstmt->commandType != CMD_UPDATE || route == NULL || source->map ||
		router_has_unvalidated_home(trigdata->tg_relation))
		return;
	(void) router_mask_move(rri->ri_TrigDesc, &route->config, ExecGetUpdatedCols(rri, estate));
}

/* BEFORE UPDATE ROW: lets the row pass, sends it on the detour, or moves it. */
Datum
router_move_row(PG_FUNCTION_ARGS)
{
	/* the second is the first, while begin_instead has made it so: only then is there a row that waits for it */
	static const RouterOwnTrigger own[] = {
		{ROUTER_TRIGGER_MOVE, TRIGGER_TYPE_BEFORE | TRIGGER_TYPE_ROW | TRIGGER_TYPE_UPDATE | TRIGGER_TYPE_INSERT},
		{ROUTER_TRIGGER_MOVE, TRIGGER_TYPE_INSTEAD | TRIGGER_TYPE_ROW | TRIGGER_TYPE_UPDATE},
	};
	Source	   *source = fcinfo->flinfo->fn_extra;
	TriggerData *trigdata = router_own_call(fcinfo, "move_row", own, source && source->old_tuple ? 2 : 1);
	EState	   *estate;
	ResultRelInfo *rri;
	ModifyTableState *node;
	RouterRoute *route;
	MemoryContext old;

	if (source == NULL)
		fcinfo->flinfo->fn_extra = source = open_source(fcinfo->flinfo->fn_mcxt, trigdata->tg_relation);
	if (source->entry)
		router_serial_wrote(source->base, RelationGetRelid(trigdata->tg_relation));
	if (TRIGGER_FIRED_BY_INSERT(trigdata->tg_event))
	{
		watch_insert(source, trigdata);
		return PointerGetDatum(trigdata->tg_trigtuple);
	}
	if (TRIGGER_FIRED_INSTEAD(trigdata->tg_event))
	{
		estate = router_running_estate();
		rri = router_running_target(estate, trigdata->tg_trigger);
		return PointerGetDatum(move_instead(source, trigdata, estate, rri) ? trigdata->tg_newtuple : NULL);
	}
	route = source->entry ? router_cache_route(source->entry) : NULL;
	if (route == NULL || same_key_values(source, trigdata, route->config.nkeys) || stays(source, route, trigdata))
	{
		if (route && !source->looked)
			stop_firing(source, trigdata);
		return PointerGetDatum(trigdata->tg_newtuple);
	}

	estate = router_running_estate();
	if (estate == NULL)
		elog(ERROR, "could not find the statement that updates a row of \"%s\"",
			 RelationGetRelationName(trigdata->tg_relation));
	rri = router_running_target(estate, trigdata->tg_trigger);
	node = rri ? router_target_node(estate, rri) : NULL;
	if (node == NULL && estate->es_plannedstmt)
		elog(ERROR, "could not find the plan node that updates a row of \"%s\"",
			 RelationGetRelationName(trigdata->tg_relation));
	source->tid = trigdata->tg_trigtuple->t_self;
	source->old = trigdata->tg_trigslot;
	if (node && node->operation == CMD_MERGE && ((ModifyTable *) node->ps.plan)->returningLists != NIL)
	{
		begin_instead(source, trigdata, estate, rri);
		return PointerGetDatum(trigdata->tg_newtuple);
	}
	if (node == NULL || node->operation == CMD_MERGE)
	{
		old = MemoryContextSwitchTo(estate->es_query_cxt);
		move_at_once(source, trigdata, estate, rri, node);
		MemoryContextSwitchTo(old);
		return PointerGetDatum(NULL);
	}
	begin_detour(source, estate, rri);
	return PointerGetDatum(trigdata->tg_newtuple);
}

/* ----------------------------------------------------------------- statements */

/*
 * At the start of a statement: are the trigger and router's CHECK needed? What
 * keeps its key stays where the CHECK has let it in. Reading the CHECK costs more
 * than the update of a row, but a statement with many targets, as generic plans have, will
 * hardly meet all of them: see stop_firing. entry: of the root of its targets.
 */
void
router_update_start(ModifyTableState *mtstate, RouterCacheEntry *entry)
{
	ResultRelInfo *root = mtstate->rootResultRelInfo;
	RouterRoute *route;
	Bitmapset  *updated;

	if (mtstate->operation != CMD_UPDATE || mtstate->mt_nrels > MAX_TARGETS ||
		!root->ri_TrigDesc->trig_update_before_row)
		return;
	route = router_cache_route(entry);
	if (route == NULL)
		return;
	updated = ExecGetUpdatedCols(root, mtstate->ps.state);
	for (int i = 0; i < mtstate->mt_nrels; i++)
		if (!router_has_unvalidated_home(mtstate->resultRelInfo[i].ri_RelationDesc) &&
			router_mask_move(mtstate->resultRelInfo[i].ri_TrigDesc, &route->config, updated))
			router_skip_check(&mtstate->resultRelInfo[i], mtstate->ps.state, NULL, true);
}

/* Before AFTER triggers fire: the executor may have stopped with a row on the detour. */
void
router_update_finish(RouterStatement *statement)
{
	if (statement->detour)
		put_back(statement->detour);
}
