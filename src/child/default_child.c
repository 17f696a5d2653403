/*
 * default_child.c
 *		Rows that wait in the default child for a child of their own, and how rows go from
 *		one table of a route to another.
 *
 * Locking: the callers have locked the default child; see create.c.
 */
#include "compat.h"
#include "child/default_child.h"

#include "access/table.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"

#include "rows/estate.h"
#include "rows/batch.h"
#include "rows/moving.h"
#include "base/see.h"

static bool
row_belongs(RouterRoute *route, RouterBound **bounds, const AttrMap *map, TupleTableSlot *slot)
{
	for (int i = 0; i < route->config.nkeys; i++)
	{
		RouterKey  *key = &route->config.keys[i];
		bool		isnull;
		Datum		value = slot_getattr(slot, map->attnums[key->attnum - 1], &isnull);

		if (!router_bound_has(key, bounds[i], value, isnull))
			return false;
	}
	return true;
}

/*
 * Does the default child, which is locked, hold a row that one of these (of RouterBound *[nkeys]) holds?
 */
bool
router_default_child_has(RouterCacheEntry *entry, List *wanted)
{
	RouterRoute *route = router_route_locked(entry);
	Relation	from = table_open(route->default_child, NoLock);
	bool		found = false;
	ListCell   *lc;

	if (from->rd_rel->relkind == RELKIND_RELATION && RelationGetNumberOfBlocks(from) > 0)
	{
		Relation	base = table_open(route->config.base, NoLock);
		AttrMap    *map = router_attrmap_by_name(RelationGetDescr(from), RelationGetDescr(base));
		TupleTableSlot *slot = table_slot_create(from, NULL);
		Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
		TableScanDesc scan = table_beginscan(from, snapshot, 0, NULL);

		route = router_route_locked(entry);
		while (!found && table_scan_getnextslot(scan, ForwardScanDirection, slot))
		{
			CHECK_FOR_INTERRUPTS();
			foreach(lc, wanted)
				found |= row_belongs(route, lfirst(lc), map, slot);
		}
		table_endscan(scan);
		UnregisterSnapshot(snapshot);
		ExecDropSingleTupleTableSlot(slot);
		table_close(base, NoLock);
	}
	table_close(from, NoLock);
	return found;
}

/*
 * Moves rows between two tables of a route, both locked, as their owner and
 * without triggers: all of them, or those that these bounds hold. leave: the
 * old ones are not deleted, their table is about to go. Returns their number.
 */
uint64
router_move_rows(RouterCacheEntry *entry, RouterBound **bounds, Relation from, Relation to, bool leave)
{
	Relation	base = table_open(bounds ? router_route_locked(entry)->config.base : RelationGetRelid(to), NoLock);
	EState	   *estate = router_make_estate(base);
	AttrMap    *map = router_attrmap_by_name(RelationGetDescr(from), RelationGetDescr(base));
	RouterBatch batch = {.estate = estate,.cid = InvalidCommandId};
	TupleTableSlot *slot = table_slot_create(from, &estate->es_tupleTable);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	TableScanDesc scan = table_beginscan(from, snapshot, 0, NULL);
	RouterMoving moving;
	RouterDest *dest;
	uint64		moved = 0;

	PushActiveSnapshot(snapshot);
	router_moving_begin(&moving, base, from);
	dest = router_dest_open(estate, table_open(RelationGetRelid(to), NoLock), RelationGetDescr(from), NULL, false);
	router_dest_take(dest, from, true, moving.pending);
	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		CHECK_FOR_INTERRUPTS();
		ResetPerTupleExprContext(estate);
		if (bounds && !row_belongs(router_route_locked(entry), bounds, map, slot))
			continue;
		if (!leave)
			router_delete_row(from, &slot->tts_tid, GetCurrentCommandId(true));
		router_batch_source(&batch, dest, slot);
		router_batch_add(&batch, dest, slot);
		moved++;
	}
	router_batch_flush(&batch);
	router_moving_end(&moving, estate);
	table_endscan(scan);
	PopActiveSnapshot();
	UnregisterSnapshot(snapshot);
	router_dest_close(dest);
	router_free_estate(estate);
	table_close(base, NoLock);
	CommandCounterIncrement();
	return moved;
}

/* Of rows that the user may not see an error tells him nothing: constraints and functions say what is in them. */
static uint64
move_unseen(RouterCacheEntry *entry, RouterBound **bounds, Relation from, Relation to)
{
	MemoryContext caller = CurrentMemoryContext;
	volatile uint64 moved = 0;

	PG_TRY();
	{
		moved = router_move_rows(entry, bounds, from, to, false);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(caller);
		error = CopyErrorData();
		FlushErrorState();
		ereport(LOG_SERVER_ONLY,
				(errcode(error->sqlerrcode),
				 errmsg_internal("%s", error->message),
				 error->detail ? errdetail_internal("%s", error->detail) : 0));
		ereport(ERROR,
				(errcode(error->sqlerrcode),
				 errmsg("cannot move rows out of default child \"%s\"", RelationGetRelationName(from)),
				 errdetail("What is wrong with them is only for those who may see all rows, and in the server's log."),
				 errhint("Let the owner of the table CALL router.redistribute.")));
	}
	PG_END_TRY();
	return moved;
}

/* Moves the rows that a new child now holds out of the default child, which is locked. Returns their number. */
uint64
router_child_fill(RouterCacheEntry *entry, Oid child, RouterBound **bounds)
{
	RouterRoute *route = router_route_locked(entry);
	Oid			default_child = route->default_child;
	Relation	base,
				from,
				to;
	uint64		moved;

	if (!OidIsValid(default_child) || default_child == child)
		return 0;
	LockRelationOid(default_child, ShareRowExclusiveLock);
	if (!router_default_child_has(entry, list_make1(bounds)))
		return 0;
	/* its caller has locked the base, if this is not to wait with the default child in hand */
	base = table_open(route->config.base, AccessExclusiveLock);
	from = table_open(default_child, NoLock);
	to = table_open(child, RowExclusiveLock);
	moved = router_may_see_all(RelationGetRelid(base)) ? router_move_rows(entry, bounds, from, to, false) :
		move_unseen(entry, bounds, from, to);
	table_close(to, NoLock);
	table_close(from, NoLock);
	table_close(base, NoLock);
	return moved;
}
