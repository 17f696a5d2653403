/*
 * copy_rows.c
 *		Copying rows into tables that nobody else sees yet, in batches, frozen where
 *		the table is new in this subtransaction.
 *
 * The caller reads the rows and says of each where it goes. He has become the
 * owner of the base, and the settings are pinned. Copies are locked RowExclusive.
 * Memory: the EState's; see batch.c for how many rows wait.
 */
#include "compat.h"
#include "rows/copy_rows.h"

#include "access/table.h"
#include "miscadmin.h"
#include "utils/snapmgr.h"

#include "rows/estate.h"

struct RouterCopier
{
	RouterBatch batch;
	Relation	base;
	List	   *dests;			/* of RouterDest */
};

RouterCopier *
router_copier_begin(Oid base)
{
	RouterCopier *copier = palloc0(sizeof(RouterCopier));

	copier->base = table_open(base, AccessShareLock);
	copier->batch.estate = router_make_estate(copier->base);
	copier->batch.freeze = true;
	PushActiveSnapshot(GetLatestSnapshot());
	AfterTriggerBeginQuery();
	return copier;
}

/*
 * Opens a copy. source: the layout of the rows that will come; passed: the table they come from, whose constraints
 * they need not pass again, or NULL.
 */
RouterDest *
router_copier_open(RouterCopier *copier, Oid copy, TupleDesc source, Relation passed)
{
	EState	   *estate = copier->batch.estate;
	RouterDest *dest = router_dest_open(estate, table_open(copy, RowExclusiveLock), source, NULL, false);

	if (passed)
		router_dest_take(dest, passed, false, false);
	copier->dests = lappend(copier->dests, dest);
	return dest;
}

void
router_copier_put(RouterCopier *copier, RouterDest *dest, TupleTableSlot *slot)
{
	CHECK_FOR_INTERRUPTS();
	ResetPerTupleExprContext(copier->batch.estate);
	(void) router_batch_add(&copier->batch, dest, slot);
}

void
router_copier_end(RouterCopier *copier)
{
	EState	   *estate = copier->batch.estate;
	ListCell   *lc;

	router_batch_flush(&copier->batch);
	AfterTriggerEndQuery(estate);
	ExecCloseResultRelations(estate);
	PopActiveSnapshot();
	foreach(lc, copier->dests)
		router_dest_close(lfirst(lc));
	router_free_estate(estate);
	table_close(copier->base, NoLock);
	pfree(copier);
	CommandCounterIncrement();
}
