/*
 * changes.c
 *		What was written to a table between two snapshots, for who copies it while
 *		it is written to: the log of changes is the table itself, whose old versions
 *		the snapshots keep.
 *
 * The table is locked, AccessShare is enough. Memory: the caller's; rows beyond
 * work_mem go to temporary files.
 */
#include "compat.h"
#include "rows/changes.h"

#include "miscadmin.h"
#include "utils/snapmgr.h"

/* catching up ends when so few rows are left, or after so many rounds */
#define FEW_CHANGES 1000
#define MAX_ROUNDS 10

RouterChanges *
router_changes_begin(void)
{
	RouterChanges *changes = palloc(sizeof(RouterChanges));

	changes->come = tuplestore_begin_heap(false, false, work_mem);
	changes->gone = tuplestore_begin_heap(false, false, work_mem);
	return changes;
}

void
router_changes_clear(RouterChanges *changes)
{
	tuplestore_clear(changes->come);
	tuplestore_clear(changes->gone);
}

void
router_changes_end(RouterChanges *changes)
{
	tuplestore_end(changes->come);
	tuplestore_end(changes->gone);
	pfree(changes);
}

int64
router_changes_count(const RouterChanges *changes)
{
	return tuplestore_tuple_count(changes->come) + tuplestore_tuple_count(changes->gone);
}

/* Adds what the later snapshot sees of a table and the earlier one does not, and the other way round. */
void
router_changes_find(RouterChanges *changes, Relation rel, Snapshot earlier, Snapshot later)
{
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	TableScanDesc scan = table_beginscan(rel, SnapshotAny, 0, NULL);

	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		bool		had = table_tuple_satisfies_snapshot(rel, slot, earlier);
		bool		has = table_tuple_satisfies_snapshot(rel, slot, later);

		CHECK_FOR_INTERRUPTS();
		if (had != has)
			tuplestore_puttupleslot(has ? changes->come : changes->gone, slot);
	}
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
}

/*
 * Has what was written to a table since a snapshot applied, and what was written meanwhile, until little is left.
 * Nobody waits. The snapshot, registered, is replaced by the one that what was copied is like now.
 */
void
router_catch_up(Relation rel, Snapshot *snapshot, RouterChanges *changes, RouterApply apply, void *arg)
{
	int64		n = FEW_CHANGES;

	for (int round = 0; round < MAX_ROUNDS && n >= FEW_CHANGES; round++)
	{
		Snapshot	later = RegisterSnapshot(GetLatestSnapshot());

		router_changes_find(changes, rel, *snapshot, later);
		n = router_changes_count(changes);
		apply(arg, changes);
		router_changes_clear(changes);
		UnregisterSnapshot(*snapshot);
		*snapshot = later;
	}
}

/* The last transaction that wrote to a table, or InvalidTransactionId if that was long ago. */
TransactionId
router_newest_write(Relation rel)
{
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	TableScanDesc scan = table_beginscan(rel, SnapshotAny, 0, NULL);
	TransactionId newest = InvalidTransactionId;

	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		HeapTupleHeader tuple;
		TransactionId xids[2] = {InvalidTransactionId, InvalidTransactionId};

		CHECK_FOR_INTERRUPTS();
		if (!TTS_IS_BUFFERTUPLE(slot))
		{
			newest = ReadNextTransactionId();	/* of another access method: who knows */
			break;
		}
		tuple = ExecFetchSlotHeapTuple(slot, false, NULL)->t_data;
		xids[0] = HeapTupleHeaderGetXmin(tuple);
		if ((tuple->t_infomask & HEAP_XMAX_INVALID) == 0 && !HEAP_XMAX_IS_LOCKED_ONLY(tuple->t_infomask))
			xids[1] = HeapTupleHeaderGetUpdateXid(tuple);
		for (int i = 0; i < lengthof(xids); i++)
			if (TransactionIdIsNormal(xids[i]) &&
				(newest == InvalidTransactionId || TransactionIdFollows(xids[i], newest)))
				newest = xids[i];
	}
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	return newest;
}
