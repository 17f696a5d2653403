/*
 * growth.c
 *		Sole reader and writer of the table router.grown_def, in the ways of
 *		defs.c: how often a route was given children, and which came last.
 *
 * A query looks for the children when it is planned, and at READ COMMITTED takes
 * its snapshot afterwards. A child that was committed in between may hold rows
 * that the snapshot sees and the plan does not read. So each transaction that
 * gives a route children raises the version of the route by one and leaves a row
 * for each child in place of those of the last one. A plan knows the version
 * that it was made with (verify.c), and a snapshot sees the version of its time.
 *
 * Versions of a base never repeat: the first is the id of a transaction, and
 * each further one takes a transaction. Nothing is dumped: no row is version 0.
 *
 * Locking: who adds holds ShareUpdateExclusiveLock on the base, to the end of
 * his transaction. Temporary bases have no versions: nobody else reads them.
 */
#include "compat.h"
#include "route/growth.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/transam.h"
#include "access/xact.h"
#include "catalog/indexing.h"
#include "catalog/pg_class.h"
#include "executor/tuptable.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "route/defs.h"

enum
{
	GROWN_BASE = 1,
	GROWN_VERSION,
	GROWN_CHILD,
	GROWN_NATTS = GROWN_CHILD,
};

/* A child with more pages than this is taken to hold rows. */
#define MAX_PAGES_TO_READ 16

/* What stands for the versions of all routes in messages: see router_marks_id. */
Oid
router_growth_id(void)
{
	return router_catalog_relid("children");
}

static uint64
version_of(HeapTuple tup, TupleDesc desc)
{
	bool		isnull;

	return (uint64) DatumGetInt64(heap_getattr(tup, GROWN_VERSION, desc, &isnull));
}

static bool
is_own(HeapTuple tup)
{
	return TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetXmin(tup->t_data));
}

/* A child has come to a base. Returns the new version. */
uint64
router_growth_add(Oid base, Oid child)
{
	SysScanDesc scan;
	TupleDesc	desc;
	HeapTuple	tup;
	uint64		version;
	bool		raised;
	Datum		values[GROWN_NATTS];
	bool		nulls[GROWN_NATTS] = {0};

	if (get_rel_persistence(base) == RELPERSISTENCE_TEMP)
		return 0;
	scan = router_catalog_scan_to_write("grown_def", "grown_def_base_idx", GROWN_BASE, base);
	desc = RelationGetDescr(scan->heap_rel);
	tup = router_catalog_next(scan);
	raised = HeapTupleIsValid(tup) && is_own(tup);
	if (HeapTupleIsValid(tup))
		version = version_of(tup, desc) + (raised ? 0 : 1);
	else
		version = U64FromFullTransactionId(GetTopFullTransactionId());
	values[GROWN_BASE - 1] = ObjectIdGetDatum(base);
	values[GROWN_VERSION - 1] = Int64GetDatum((int64) version);
	values[GROWN_CHILD - 1] = ObjectIdGetDatum(child);
	if (raised || !HeapTupleIsValid(tup))
		router_catalog_insert("grown_def", values, nulls);
	else
	{
		/* in place, so that the index does not grow */
		CatalogTupleUpdate(scan->heap_rel, &tup->t_self, heap_form_tuple(desc, values, nulls));
		while (HeapTupleIsValid(tup = router_catalog_next(scan)))
			CatalogTupleDelete(scan->heap_rel, &tup->t_self);
	}
	router_catalog_end_write(scan);
	if (!raised)
		router_catalog_forewarn(router_growth_id());
	return version;
}

/* The version of a base; snapshot: as it sees it, NULL: as of now. */
uint64
router_growth_version(Oid base, Snapshot snapshot)
{
	SysScanDesc scan = router_catalog_scan_at("grown_def", "grown_def_base_idx", GROWN_BASE, base, snapshot);
	TupleDesc	desc = RelationGetDescr(scan->heap_rel);
	HeapTuple	tup = router_catalog_next(scan);
	uint64		version = HeapTupleIsValid(tup) ? version_of(tup, desc) : 0;

	router_catalog_end(scan);
	return version;
}

/* Is no other transaction about to change the version of a base? */
bool
router_growth_is_settled(Oid base)
{
	bool		settled;

	(void) router_catalog_written_by("grown_def", "grown_def_base_idx", GROWN_BASE, base, &settled);
	return settled;
}

/* Has a table rows that a snapshot sees? */
bool
router_has_rows(Relation rel, Snapshot snapshot)
{
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	TableScanDesc scan = table_beginscan(rel, snapshot, 0, NULL);
	bool		found = table_scan_getnextslot(scan, ForwardScanDirection, slot);

	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	return found;
}

/* Does a snapshot see no row in a table that came lately? If that is not found out at once: false. */
static bool
is_empty(Oid relid, Snapshot snapshot)
{
	Relation	rel;
	bool		empty = false;

	if (!ConditionalLockRelationOid(relid, AccessShareLock))
		return false;
	rel = try_table_open(relid, NoLock);
	if (rel && rel->rd_rel->relkind == RELKIND_RELATION && RelationGetNumberOfBlocks(rel) <= MAX_PAGES_TO_READ)
		empty = !router_has_rows(rel, snapshot);
	if (rel)
		table_close(rel, NoLock);
	UnlockRelationOid(relid, AccessShareLock);
	return empty;
}

/*
 * May a snapshot see rows in children that came after a version? Not if this
 * transaction has made them: what it plans knows them.
 */
bool
router_growth_matters(Oid base, Snapshot snapshot, uint64 version)
{
	SysScanDesc scan = router_catalog_scan_at("grown_def", "grown_def_base_idx", GROWN_BASE, base, snapshot);
	TupleDesc	desc = RelationGetDescr(scan->heap_rel);
	bool		matters = false;
	HeapTuple	tup;

	while (!matters && HeapTupleIsValid(tup = router_catalog_next(scan)))
	{
		uint64		seen = version_of(tup, desc);

		if (seen <= version || is_own(tup))
			break;
		matters = seen != version + 1 ||
			!is_empty(router_get_oid(tup, GROWN_CHILD, desc), snapshot);
	}
	router_catalog_end(scan);
	return matters;
}
