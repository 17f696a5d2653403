/*
 * row_mover.c
 *		Brings single rows home on behalf of a statement that is running: opened
 *		homes, kept for as long as the statement runs.
 *
 * Memory: a mover for each statement and route lives in es_query_cxt of the
 * statement and is closed at ExecutorEnd; a reset callback takes it off the
 * list when an error frees that. It has an EState of its own, whose per-tuple
 * context may be reset while the statement's row is in hand.
 */
#include "compat.h"
#include "write/row_mover.h"

#include "access/table.h"
#include "access/xact.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "utils/memutils.h"

#include "rows/estate.h"

static dlist_head movers = DLIST_STATIC_INIT(movers);

static void
forget_mover(void *arg)
{
	dlist_delete(&((RouterMover *) arg)->link);
}

static RouterMover *
open_mover(EState *statement, Oid base, bool moving)
{
	MemoryContext old = CurrentMemoryContext;
	RouterMover *mover;

	if (statement)
		MemoryContextSwitchTo(statement->es_query_cxt);
	mover = palloc0(sizeof(RouterMover));
	mover->statement = statement;
	mover->moving = moving;
	mover->base = table_open(base, AccessShareLock);
	mover->estate = router_make_estate(mover->base, NULL);
	router_homes_init(&mover->homes, router_cache_entry(base), mover->base, mover->estate,
					  router_make_root(mover->estate, mover->base));
	mover->homes.moving = moving;
	mover->homes.speculative = !moving; /* one INSERT of the statement may have ON CONFLICT, another not */
	mover->batch.estate = mover->estate;
	mover->batch.cid = statement ? statement->es_output_cid : GetCurrentCommandId(true);
	if (statement == NULL)
		AfterTriggerBeginQuery();	/* the apply worker would not close the home whose triggers it fires */
	else
	{
		mover->forget.func = forget_mover;
		mover->forget.arg = mover;
		dlist_push_head(&movers, &mover->link);
		MemoryContextRegisterResetCallback(statement->es_query_cxt, &mover->forget);
	}
	MemoryContextSwitchTo(old);
	return mover;
}

/*
 * The mover of a statement (NULL: a new one, to be closed, when AFTER triggers fire) for rows of a base;
 * moving: rows that come from another table of the route, for which the base's
 * BEFORE INSERT triggers were not fired.
 */
RouterMover *
router_mover(EState *statement, Oid base, bool moving)
{
	dlist_iter	iter;

	if (statement)
		dlist_foreach(iter, &movers)
		{
			RouterMover *mover = dlist_container(RouterMover, link, iter.cur);

			if (mover->statement == statement && mover->homes.base == base && mover->moving == moving && mover->base)
				return mover;
		}
	return open_mover(statement, base, moving);
}

void
router_mover_close(RouterMover *mover)
{
	if (mover->base == NULL)
		return;
	if (mover->statement == NULL)
	{
		AfterTriggerEndQuery(mover->estate);
		ExecCloseResultRelations(mover->estate);
	}
	router_homes_close(&mover->homes);
	router_free_estate(mover->estate);
	table_close(mover->base, NoLock);
	mover->base = NULL;
}

/* Inserts a row, in the base's layout, into its home. False: a trigger wants no insert. */
bool
router_mover_insert(RouterMover *mover, RouterDest *dest, TupleTableSlot *slot)
{
	bool		inserted = router_batch_add(&mover->batch, dest, slot);

	router_batch_flush(&mover->batch);
	return inserted;
}

/* At the end of a statement. */
void
router_movers_end(EState *statement)
{
	dlist_iter	iter;

	dlist_foreach(iter, &movers)
	{
		RouterMover *mover = dlist_container(RouterMover, link, iter.cur);

		if (mover->statement == statement)
			router_mover_close(mover);
	}
}

/* At the end of a COPY, which has no plan, and whose EState no hook sees. */
void
router_movers_end_copy(Oid base)
{
	dlist_iter	iter;

	dlist_foreach(iter, &movers)
	{
		RouterMover *mover = dlist_container(RouterMover, link, iter.cur);

		if (mover->homes.base == base && mover->statement->es_plannedstmt == NULL)
			router_mover_close(mover);
	}
}
