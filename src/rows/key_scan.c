/*
 * key_scan.c
 *		Reads the rows of a base, or of a child, between two points of the key
 *		that tells their age: in its order if there is an index for it, else all
 *		rows of the table, of which those are left out that lie elsewhere.
 *
 * The route may be made anew while a scan goes on: what is needed of it is copied.
 *
 * Memory: what it is begun in. The snapshot is registered until the end.
 */
#include "compat.h"
#include "rows/key_scan.h"

#include "catalog/pg_am.h"
#include "miscadmin.h"
#include "utils/date.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"

/* An index of a table whose first column is this one, in its order, plain and complete; or InvalidOid. */
static Oid
find_index(Relation rel, AttrNumber attnum)
{
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

/* Begins to read an index; PG_INT64_MIN and _MAX: no end. */
static IndexScanDesc
begin_index(const RouterKeyScan *scan, Relation rel)
{
	ScanKeyData keys[2];
	int			nkeys = 0;
	IndexScanDesc iscan;

	if (!scan->nulls && scan->from != PG_INT64_MIN)
		add_bound(&keys[nkeys++], scan->index, &scan->key, BTGreaterEqualStrategyNumber, scan->from);
	if (!scan->nulls && scan->before != PG_INT64_MAX)
		add_bound(&keys[nkeys++], scan->index, &scan->key, BTLessStrategyNumber, scan->before);
	if (nkeys == 0)
		ScanKeyEntryInitialize(&keys[nkeys++], SK_ISNULL | (scan->nulls ? SK_SEARCHNULL : SK_SEARCHNOTNULL), 1,
							   InvalidStrategy, InvalidOid, InvalidOid, InvalidOid, (Datum) 0);
	iscan = router_index_beginscan(rel, scan->index, scan->snapshot, nkeys);
	index_rescan(iscan, keys, nkeys, NULL, 0);
	return iscan;
}

static AttrNumber
key_attnum(Relation rel, const RouterRoute *route)
{
	return get_attnum(RelationGetRelid(rel), route->config.keys[route->hot_level].column);
}

/* Can the rows of a table be read in the order of the key? The route is hot. */
bool
router_has_key_index(Relation rel, const RouterRoute *route)
{
	return OidIsValid(find_index(rel, key_attnum(rel, route)));
}

static void
begin(RouterKeyScan *scan, Relation rel, const RouterRoute *route, Snapshot snapshot)
{
	Oid			index;

	scan->key = route->config.keys[route->hot_level];
	scan->attnum = key_attnum(rel, route);
	index = find_index(rel, scan->attnum);
	scan->snapshot = RegisterSnapshot(snapshot);
	scan->slot = table_slot_create(rel, NULL);
	scan->index = OidIsValid(index) ? index_open(index, AccessShareLock) : NULL;
	if (scan->index)
		scan->iscan = begin_index(scan, rel);
	else
		scan->tscan = table_beginscan(rel, scan->snapshot, 0, NULL);
}

/* Begins to read the rows from one point to before another; those without a key are none of them. The route is hot. */
void
router_key_scan_begin(RouterKeyScan *scan, Relation rel, const RouterRoute *route, Snapshot snapshot, int64 from,
					  int64 before)
{
	*scan = (RouterKeyScan) {.from = from,.before = before};
	begin(scan, rel, route, snapshot);
}

/* The same of those without a key. */
void
router_null_scan_begin(RouterKeyScan *scan, Relation rel, const RouterRoute *route, Snapshot snapshot)
{
	*scan = (RouterKeyScan) {.nulls = true};
	begin(scan, rel, route, snapshot);
}

/* Is the row that is in the slot now one of them? */
bool
router_key_scan_takes(RouterKeyScan *scan)
{
	bool		isnull;
	Datum		datum = slot_getattr(scan->slot, scan->attnum, &isnull);

	if (!isnull)
		scan->value = router_key_int(&scan->key, datum);
	if (scan->nulls || isnull)
		return scan->nulls && isnull;
	return scan->value >= scan->from && (scan->value < scan->before || scan->before == PG_INT64_MAX);
}

/* Puts the next row into the slot. False: there is none. */
bool
router_key_scan_next(RouterKeyScan *scan)
{
	do
	{
		CHECK_FOR_INTERRUPTS();
		if (!(scan->index ? index_getnext_slot(scan->iscan, ForwardScanDirection, scan->slot) :
			  table_scan_getnextslot(scan->tscan, ForwardScanDirection, scan->slot)))
			return false;
	} while (!router_key_scan_takes(scan));
	return true;
}

void
router_key_scan_end(RouterKeyScan *scan)
{
	if (scan->index)
	{
		index_endscan(scan->iscan);
		index_close(scan->index, NoLock);
	}
	else
		table_endscan(scan->tscan);
	ExecDropSingleTupleTableSlot(scan->slot);
	UnregisterSnapshot(scan->snapshot);
}
