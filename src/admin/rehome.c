/*
 * rehome.c
 *		Sends rows of one table of a route to where they belong: out of a base
 *		that is not hot any more, back into one from a child, or to either side
 *		after a swap of storage.
 *
 * Rows are moved, as archiving moves them: deleted with changingPart set,
 * inserted by batch.c, and no trigger fires.
 *
 * Locking: the caller keeps writers away from the table, so that the rows of a
 * fresh snapshot are all there are; homes are opened as home.c does.
 * Memory: everything lives in an EState of the run.
 */
#include "compat.h"
#include "admin/rehome.h"

#include "access/table.h"
#include "miscadmin.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"

#include "rows/key_scan.h"
#include "rows/estate.h"
#include "route/owned.h"

/*
 * Begins to move rows from a table; base: its own, or that of the child. archiving:
 * the base is no home, and no rail holds a row back. The snapshot is the active one meanwhile.
 */
void
router_rehoming_begin(RouterRehoming *rehoming, RouterCacheEntry *entry, Relation base, Relation from,
					  Snapshot snapshot, bool archiving)
{
	EState	   *estate = router_make_estate(base);

	PushActiveSnapshot(snapshot);
	rehoming->from = from;
	rehoming->estate = estate;
	router_homes_init(&rehoming->homes, entry, base, estate, router_make_root(estate, base));
	router_homes_take(&rehoming->homes, from);
	rehoming->homes.archiving = archiving;
	rehoming->batch = (RouterBatch) {.estate = estate,.cid = InvalidCommandId};
	router_moving_begin(&rehoming->moving, base, from);
}

/* Ends it. keep: else all of it is about to be undone. */
void
router_rehoming_end(RouterRehoming *rehoming, bool keep)
{
	if (keep)
	{
		router_batch_flush(&rehoming->batch);
		for (RouterDest *dest = rehoming->homes.first; dest; dest = dest->next_opened)
			router_dest_enter(dest);
	}
	router_moving_end(&rehoming->moving, rehoming->estate);
	PopActiveSnapshot();
	router_homes_close(&rehoming->homes);
	router_free_estate(rehoming->estate);
}

/* One run. */
typedef struct Run
{
	RouterRehome *rehome;
	RouterRehoming rehoming;
	TupleConversionMap *map;	/* layout of the table -> that of the base; NULL: alike */
	TupleTableSlot *row;		/* for map */
	bool		is_default;		/* the table is the default child */
} Run;

/* Sends a row home; false: its child is missing. */
static bool
send_home(Run *run, TupleTableSlot *stored)
{
	TupleTableSlot *slot = stored;
	ItemPointerData tid = stored->tts_tid;
	RouterDest *dest;

	CHECK_FOR_INTERRUPTS();
	ResetPerTupleExprContext(run->rehoming.estate);
	if (run->map)
		slot = execute_attr_map_slot(run->map->attrMap, slot, run->row);
	dest = router_home(&run->rehoming.homes, slot);
	if (dest == NULL)
		return run->is_default; /* which is the home of rows that lack one */
	if (RelationGetRelid(dest->rel) == run->rehome->from)
		return true;
	router_delete_row(run->rehoming.from, &tid, GetCurrentCommandId(true));
	router_batch_source(&run->rehoming.batch, dest, stored);
	router_batch_add(&run->rehoming.batch, dest, slot);
	run->rehome->moved++;
	return true;
}

static void
rehome_scan(Run *run, RouterKeyScan *scan)
{
	while (!run->rehome->missing && router_key_scan_next(scan))
		run->rehome->missing = !send_home(run, scan->slot);
	router_key_scan_end(scan);
}

static void
rehome_some(Run *run)
{
	RouterRehome *rehome = run->rehome;
	Relation	from = run->rehoming.from;
	Snapshot	snapshot = GetActiveSnapshot();
	RouterKeyScan scan;

	if (rehome->stay_from != PG_INT64_MIN)
	{
		router_key_scan_begin(&scan, from, router_hot_route(rehome->entry), snapshot, PG_INT64_MIN, rehome->stay_from);
		rehome_scan(run, &scan);
	}
	router_key_scan_begin(&scan, from, router_hot_route(rehome->entry), snapshot, rehome->stay_before, PG_INT64_MAX);
	rehome_scan(run, &scan);
	router_null_scan_begin(&scan, from, router_hot_route(rehome->entry), snapshot);
	rehome_scan(run, &scan);
}

static void
rehome_all(Run *run)
{
	Relation	from = run->rehoming.from;
	TableScanDesc scan = table_beginscan(from, GetActiveSnapshot(), 0, NULL);
	TupleTableSlot *slot = table_slot_create(from, NULL);

	while (!run->rehome->missing && table_scan_getnextslot(scan, ForwardScanDirection, slot))
		run->rehome->missing = !send_home(run, slot);
	ExecDropSingleTupleTableSlot(slot);
	table_endscan(scan);
}

/* Moves the rows of a table that are not at home. */
void
router_rehome(RouterRehome *rehome)
{
	RouterRoute *route = router_route_locked(rehome->entry);
	Relation	base = table_open(route->config.base, NoLock);
	Relation	from = table_open(rehome->from, NoLock);
	Run			run = {.rehome = rehome};

	route = router_route_locked(rehome->entry);
	run.is_default = rehome->from == route->default_child;
	rehome->moved = 0;
	rehome->missing = false;
	router_rehoming_begin(&run.rehoming, rehome->entry, base, from, GetLatestSnapshot(), rehome->archiving);
	run.rehoming.homes.create_none = rehome->create_none;
	if (from != base)
		run.map = convert_tuples_by_name(RelationGetDescr(from), RelationGetDescr(base));
	if (run.map)
		run.row = table_slot_create(base, &run.rehoming.estate->es_tupleTable);
	if (rehome->some_stay && router_has_key_index(from, router_hot_route(rehome->entry)))
		rehome_some(&run);
	else
		rehome_all(&run);
	router_rehoming_end(&run.rehoming, true);
	table_close(from, NoLock);
	table_close(base, NoLock);
	CommandCounterIncrement();
}

/* Has a table a row whose key is at or behind a point? */
bool
router_reaches(Oid relid, const RouterKey *key, int64 point)
{
	Relation	rel = table_open(relid, AccessShareLock);
	AttrNumber	attnum = get_attnum(relid, key->column);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	TableScanDesc scan = table_beginscan(rel, snapshot, 0, NULL);
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	bool		found = false;

	while (!found && table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		bool		isnull;
		Datum		value = slot_getattr(slot, attnum, &isnull);

		CHECK_FOR_INTERRUPTS();
		found = !isnull && router_key_int(key, value) >= point;
	}
	ExecDropSingleTupleTableSlot(slot);
	table_endscan(scan);
	UnregisterSnapshot(snapshot);
	table_close(rel, NoLock);
	return found;
}
