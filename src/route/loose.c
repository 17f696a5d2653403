/*
 * loose.c
 *		Sole reader and writer of the table router.loose_def, in the ways of
 *		defs.c: the children that have exchanged storage with their base
 *		(rotate.c), while somebody may still have a snapshot from before.
 *
 * Such a snapshot finds the rows of the base in the child and those of the
 * child in the base, whatever watermark, bounds and seals say. So as long as a
 * child is loose, plans of every session read it and the base for all rows.
 *
 * Rows come and go, and are never changed. One comes under AccessExclusiveLock on the base. It goes when no
 * such snapshot is left, so that who still meets it then does needless work only.
 *
 * A standby's snapshots are not waited for. What they need they find in rows
 * that are deleted, and not yet vacuumed away: where that is replayed, core
 * cancels who has so old a snapshot.
 */
#include "compat.h"
#include "route/loose.h"

#include "access/htup_details.h"
#include "access/transam.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/indexing.h"
#include "storage/lmgr.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "route/defs.h"
#include "route/key.h"

enum
{
	LOOSE_BASE = 1,
	LOOSE_CHILD,
	LOOSE_SWAPPED,
	LOOSE_NATTS = LOOSE_SWAPPED,
};

/* The transaction that swapped. Invalid: it is so long ago that nobody has a snapshot from before. */
static TransactionId
swapped_by(HeapTuple tup, TupleDesc desc)
{
	bool		isnull;
	uint64		swapped = DatumGetUInt64(heap_getattr(tup, LOOSE_SWAPPED, desc, &isnull));
	uint64		next = U64FromFullTransactionId(ReadNextFullTransactionId());

	return next - swapped < PG_INT32_MAX ? (TransactionId) swapped : InvalidTransactionId;
}

/* Has this session a snapshot from before the swap? The row may be deleted. */
static bool
is_loose_here(HeapTuple tup, TupleDesc desc)
{
	TransactionId swapped = swapped_by(tup, desc);

	return TransactionIdIsValid(swapped) && TransactionIdIsValid(MyProc->xmin) &&
		TransactionIdFollowsOrEquals(swapped, MyProc->xmin) && TransactionIdDidCommit(swapped);
}

/* The children of a base that are to be read whatever their bounds are, by oid. */
List *
router_loose_children(Oid base)
{
	SysScanDesc scan = router_catalog_scan("loose_def", "loose_def_base_idx", LOOSE_BASE, base);
	TupleDesc	desc = RelationGetDescr(scan->heap_rel);
	List	   *children = NIL;
	HeapTuple	tup;

	while (HeapTupleIsValid(tup = router_catalog_next(scan)))
		children = lappend_oid(children, router_get_oid(tup, LOOSE_CHILD, desc));
	router_catalog_end(scan);
	if (RecoveryInProgress())
	{
		/* deleted ones as well */
		scan = router_catalog_scan("loose_def", NULL, LOOSE_BASE, base);
		desc = RelationGetDescr(scan->heap_rel);
		while (HeapTupleIsValid(tup = systable_getnext(scan)))
			if (is_loose_here(tup, desc))
				children = lappend_oid(children, router_get_oid(tup, LOOSE_CHILD, desc));
		router_catalog_end(scan);
	}
	list_sort(children, list_oid_cmp);
	list_deduplicate_oid(children);
	return children;
}

/* The current transaction swaps the storage of a child with its base's, which is locked AccessExclusive. */
void
router_loose_add(Oid base, Oid child)
{
	Datum		values[LOOSE_NATTS];
	bool		nulls[LOOSE_NATTS] = {0};

	values[LOOSE_BASE - 1] = ObjectIdGetDatum(base);
	values[LOOSE_CHILD - 1] = ObjectIdGetDatum(child);
	values[LOOSE_SWAPPED - 1] = UInt64GetDatum(U64FromFullTransactionId(GetTopFullTransactionId()));
	router_catalog_insert("loose_def", values, nulls);
	router_catalog_invalidate(base);
}

/* Has this session a snapshot from before any of these swaps? It may be that of what is being planned. */
bool
router_loose_is_seen(Oid base)
{
	SysScanDesc scan = router_catalog_scan("loose_def", "loose_def_base_idx", LOOSE_BASE, base);
	TupleDesc	desc = RelationGetDescr(scan->heap_rel);
	bool		seen = false;
	HeapTuple	tup;

	while (!seen && HeapTupleIsValid(tup = router_catalog_next(scan)))
		seen = is_loose_here(tup, desc);
	router_catalog_end(scan);
	return seen;
}

/* The last transaction that swapped a child, or an invalid one. */
static TransactionId
last_swap(Oid base, Oid child)
{
	SysScanDesc scan = router_catalog_scan("loose_def", "loose_def_base_idx", LOOSE_BASE, base);
	TupleDesc	desc = RelationGetDescr(scan->heap_rel);
	TransactionId last = InvalidTransactionId;
	HeapTuple	tup;

	while (HeapTupleIsValid(tup = router_catalog_next(scan)))
	{
		TransactionId swapped = swapped_by(tup, desc);

		if (router_get_oid(tup, LOOSE_CHILD, desc) == child && TransactionIdIsValid(swapped) &&
			(!TransactionIdIsValid(last) || TransactionIdPrecedes(last, swapped)))
			last = swapped;
	}
	router_catalog_end(scan);
	return last;
}

/* Those who have a snapshot to which a transaction has not happened; InvalidTransactionId: all who are in one. */
int
router_older_snapshots(TransactionId xid, VirtualTransactionId **who)
{
	int			n;

	*who = GetCurrentVirtualXIDs(xid, TransactionIdIsValid(xid), false,
								 PROC_IS_AUTOVACUUM | PROC_IN_VACUUM | PROC_IN_SAFE_IC, &n);
	return n;
}

/*
 * Has nobody a snapshot any more from before the swap of a child? wait: for
 * those who have, to the end of their transactions. Who wants it to stay so
 * has a lock on the child.
 */
bool
router_loose_wait(Oid base, Oid child, bool wait)
{
	TransactionId swapped = last_swap(base, child);
	VirtualTransactionId *older;
	int			n;

	if (!TransactionIdIsValid(swapped))
		return true;
	n = router_older_snapshots(swapped, &older);
	for (int i = 0; wait && i < n; i++)
		(void) VirtualXactLock(older[i], true);
	return n == 0 || wait;
}

/* Nobody has a snapshot from before any more; or the child is none any more. */
void
router_loose_remove(Oid base, Oid child)
{
	SysScanDesc scan = router_catalog_scan_to_write("loose_def", "loose_def_base_idx", LOOSE_BASE, base);
	TupleDesc	desc = RelationGetDescr(scan->heap_rel);
	HeapTuple	tup;

	while (HeapTupleIsValid(tup = router_catalog_next(scan)))
		if (router_get_oid(tup, LOOSE_CHILD, desc) == child)
			CatalogTupleDelete(scan->heap_rel, &tup->t_self);
	router_catalog_invalidate(base);
	router_catalog_end_write(scan);
}

/* May an older snapshot see rows in a child that do not satisfy its CHECK? */
bool
router_has_unvalidated_home(Relation rel)
{
	TupleConstr *constr = RelationGetDescr(rel)->constr;

	for (int i = 0; constr && i < constr->num_check; i++)
		if (!constr->check[i].ccvalid && strcmp(constr->check[i].ccname, ROUTER_CHECK_NAME) == 0)
			return true;
	return false;
}
