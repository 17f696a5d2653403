/*
 * rehome.c
 *		Sends rows of one table of a route to where they belong: out of a base
 *		that is not hot any more, back into one from a child, or to either side
 *		after a swap of storage.
 *
 * Rows are moved, as archiving moves them: deleted with changingPart set,
 * inserted by move.c, and no trigger fires.
 *
 * Locking: the caller keeps writers away from the table, so that the rows of a
 * fresh snapshot are all there are; homes are opened as home.c does.
 * Memory: everything lives in an EState of the run.
 */
#include "compat.h"
#include "admin/rehome.h"

#include "access/stratnum.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/pg_am.h"
#include "catalog/pg_index.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "utils/date.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"

#include "child/create.h"
#include "rows/estate.h"
#include "write/home.h"
#include "rows/move.h"
#include "rows/moving.h"
#include "base/owner.h"

/* ------------------------------------------------------- reading by the hot key */

/* An index of a table whose first column is the one named, in its order, plain and complete; or InvalidOid. */
Oid
router_key_index(Relation rel, const char *column)
{
	AttrNumber	attnum = get_attnum(RelationGetRelid(rel), column);
	Oid			found = InvalidOid;
	ListCell   *lc;

	foreach(lc, RelationGetIndexList(rel))
	{
		Relation	index = index_open(lfirst_oid(lc), AccessShareLock);

		if (index->rd_index->indisvalid && index->rd_rel->relam == BTREE_AM_OID &&
			index->rd_index->indkey.values[0] == attnum && RelationGetIndexPredicate(index) == NIL &&
			index->rd_opcintype[0] == TupleDescAttr(RelationGetDescr(rel), attnum - 1)->atttypid &&
			(index->rd_indoption[0] & INDOPTION_DESC) == 0)
			found = RelationGetRelid(index);
		index_close(index, AccessShareLock);
		if (OidIsValid(found))
			break;
	}
	return found;
}

static void
add_bound(ScanKey scankey, Relation index, const RouterKey *key, StrategyNumber strategy, int64 value)
{
	Oid			type = index->rd_opcintype[0];
	Oid			opr = get_opfamily_member(index->rd_opfamily[0], type, type, strategy);

	ScanKeyInit(scankey, 1, strategy, get_opcode(opr),
				key->typid == DATEOID ? DateADTGetDatum((DateADT) value) : Int64GetDatum(value));
}

/* Begins a scan of an index of router_key_index, from one point to before another; PG_INT64_MIN and _MAX: no end. */
IndexScanDesc
router_key_scan(Relation rel, Relation index, const RouterKey *key, Snapshot snapshot, int64 from, int64 before)
{
	ScanKeyData keys[2];
	int			nkeys = 0;
	IndexScanDesc scan;

	if (from != PG_INT64_MIN)
		add_bound(&keys[nkeys++], index, key, BTGreaterEqualStrategyNumber, from);
	if (before != PG_INT64_MAX)
		add_bound(&keys[nkeys++], index, key, BTLessStrategyNumber, before);
	if (nkeys == 0)
		ScanKeyEntryInitialize(&keys[nkeys++], SK_ISNULL | SK_SEARCHNOTNULL, 1, InvalidStrategy, InvalidOid, InvalidOid,
							   InvalidOid, (Datum) 0);
	scan = router_index_beginscan(rel, index, snapshot, nkeys);
	index_rescan(scan, keys, nkeys, NULL, 0);
	return scan;
}

static IndexScanDesc
scan_nulls(Relation rel, Relation index, Snapshot snapshot)
{
	IndexScanDesc scan = router_index_beginscan(rel, index, snapshot, 1);
	ScanKeyData key;

	ScanKeyEntryInitialize(&key, SK_ISNULL | SK_SEARCHNULL, 1, InvalidStrategy, InvalidOid, InvalidOid, InvalidOid,
						   (Datum) 0);
	index_rescan(scan, &key, 1, NULL, 0);
	return scan;
}

/* ---------------------------------------------------------------------- moving */

/* One run. */
typedef struct Run
{
	RouterSettle *settle;
	Relation	from;
	EState	   *estate;
	RouterHomes homes;
	RouterBatch batch;
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
	ResetPerTupleExprContext(run->estate);
	if (run->map)
		slot = execute_attr_map_slot(run->map->attrMap, slot, run->row);
	dest = router_home(&run->homes, slot);
	if (dest == NULL)
		return run->is_default; /* which is the home of rows that lack one */
	if (RelationGetRelid(dest->rel) == run->settle->from)
		return true;
	router_delete_row(run->from, &tid, GetCurrentCommandId(true));
	router_batch_source(&run->batch, dest, stored);
	router_batch_add(&run->batch, dest, slot);
	run->settle->moved++;
	return true;
}

static void
settle_scan(Run *run, IndexScanDesc scan, TupleTableSlot *slot)
{
	while (!run->settle->missing && index_getnext_slot(scan, ForwardScanDirection, slot))
		run->settle->missing = !send_home(run, slot);
	index_endscan(scan);
}

static void
settle_some(Run *run, Oid relid, TupleTableSlot *slot)
{
	RouterRoute *route = router_route_locked(run->settle->entry);
	RouterKey	key = route->config.keys[route->hot_level];
	Relation	index = index_open(relid, AccessShareLock);
	Snapshot	snapshot = GetActiveSnapshot();

	if (run->settle->stay_from != PG_INT64_MIN)
		settle_scan(run, router_key_scan(run->from, index, &key, snapshot, PG_INT64_MIN, run->settle->stay_from), slot);
	settle_scan(run, router_key_scan(run->from, index, &key, snapshot, run->settle->stay_before, PG_INT64_MAX), slot);
	settle_scan(run, scan_nulls(run->from, index, snapshot), slot);
	index_close(index, NoLock);
}

static void
settle_all(Run *run, TupleTableSlot *slot)
{
	TableScanDesc scan = table_beginscan(run->from, GetActiveSnapshot(), 0, NULL);

	while (!run->settle->missing && table_scan_getnextslot(scan, ForwardScanDirection, slot))
		run->settle->missing = !send_home(run, slot);
	table_endscan(scan);
}

/* Moves the rows of a table that are not at home. */
void
router_settle(RouterSettle *settle)
{
	RouterRoute *route = router_route_locked(settle->entry);
	const char *column = route->hot_level < 0 ? NULL : pstrdup(route->config.keys[route->hot_level].column);
	bool		is_default = settle->from == route->default_child;
	Relation	base = table_open(route->config.base, NoLock);
	Relation	from = table_open(settle->from, NoLock);
	EState	   *estate = router_make_estate(base, NULL);
	Run			run = {.settle = settle,.from = from,.is_default = is_default,.estate = estate};
	TupleTableSlot *slot = table_slot_create(from, &estate->es_tupleTable);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	Oid			index = settle->some_stay ? router_key_index(from, column) : InvalidOid;
	RouterMoving moving;

	settle->moved = 0;
	settle->missing = false;
	run.batch.estate = estate;
	run.batch.cid = InvalidCommandId;
	PushActiveSnapshot(snapshot);
	router_homes_init(&run.homes, settle->entry, base, estate, router_make_root(estate, base));
	router_homes_take(&run.homes, from);
	router_moving_begin(&moving, base, from);
	run.homes.archiving = settle->archiving;
	run.homes.create_none = settle->create_none;
	if (settle->archiving)
		run.homes.created = PG_INT32_MIN;	/* the rows are there: no rail holds them back */
	if (from != base)
		run.map = convert_tuples_by_name(RelationGetDescr(from), RelationGetDescr(base));
	if (run.map)
		run.row = table_slot_create(base, &estate->es_tupleTable);
	if (OidIsValid(index))
		settle_some(&run, index, slot);
	else
		settle_all(&run, slot);
	router_batch_flush(&run.batch);
	router_moving_end(&moving, estate);
	PopActiveSnapshot();
	UnregisterSnapshot(snapshot);
	router_homes_close(&run.homes);
	router_free_estate(estate);
	table_close(from, NoLock);
	table_close(base, NoLock);
	CommandCounterIncrement();
}
