/*
 * copy_batches.c
 *		The rows of a table that gets another shape are copied, in batches that are committed: step 2 of reshape.c.
 *
 * Memory: a batch's ends with it.
 */
#include "compat.h"
#include "reshape/reshape_part.h"

#include "access/table.h"
#include "access/tableam.h"
#include "access/twophase.h"
#include "executor/executor.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/latch.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "base/owner.h"
#include "base/sql.h"
#include "reshape/newcomers.h"
#include "reshape/shadow_rows.h"
#include "reshape/whole_rows.h"
#include "route/catalog.h"
#include "route/lock.h"
#include "rows/estate.h"
#include "rows/moving.h"
#include "write/home.h"

/* What one batch copies from and to. */
typedef struct Copier
{
	RouterReshape *r;
	Relation	table;
	Relation	shadow;
	EState	   *estate;
	RouterHomes homes;
	RouterBatch batch;
	TupleConversionMap *map;	/* the table's layout -> the shadow's; NULL if they are alike */
	TupleTableSlot *slot;		/* a row as it is */
	TupleTableSlot *mapped;
	Snapshot	snapshot;
	int64		rows;
} Copier;

static void
begin_copying(Copier *c, RouterReshape *r)
{
	memset(c, 0, sizeof(*c));
	c->r = r;
	c->table = table_open(r->def.sources[r->def.source], AccessShareLock);
	c->shadow = table_open(r->def.shadow, RowExclusiveLock);
	c->estate = router_make_estate(c->shadow);
	c->map = convert_tuples_by_name(RelationGetDescr(c->table), RelationGetDescr(c->shadow));
	c->slot = table_slot_create(c->table, NULL);
	c->mapped = MakeSingleTupleTableSlot(RelationGetDescr(c->shadow), &TTSOpsVirtual);
	c->batch.estate = c->estate;
	c->batch.cid = InvalidCommandId;
	c->batch.bulk_kb = maintenance_work_mem;
	router_homes_init(&c->homes, router_cache_entry(r->def.shadow), c->shadow, c->estate,
					  router_make_root(c->estate, c->shadow));
	router_homes_take(&c->homes, c->table);
	c->homes.waiting = router_rows_wait(&r->def, RelationGetRelid(c->table));
	c->snapshot = RegisterSnapshot(GetLatestSnapshot());
	PushActiveSnapshot(c->snapshot);
}

static void
end_copying(Copier *c)
{
	PopActiveSnapshot();
	UnregisterSnapshot(c->snapshot);
	router_homes_close(&c->homes);
	ExecDropSingleTupleTableSlot(c->slot);
	ExecDropSingleTupleTableSlot(c->mapped);
	router_free_estate(c->estate);
	table_close(c->shadow, NoLock);
	table_close(c->table, NoLock);
}

static TableScanDesc
begin_scan(Copier *c)
{
	ItemPointerData last;

	ItemPointerSet(&last, c->r->def.blocks - 1, MaxOffsetNumber);
	return table_beginscan_tidrange(c->table, c->snapshot, &c->r->def.position, &last);
}

/*
 * How many children are open in one batch: rows of all of them may come in any order, so that it takes a quarter of the
 * lock table, and not what is left for one transaction among many.
 */
static int
copy_portion(Relation shadow)
{
	int			locks = max_locks_per_xact * (MaxBackends + max_prepared_xacts);

	return Max(1, locks / 4 / (2 + list_length(RelationGetIndexList(shadow))));
}

/* The swap locks all children, with their indexes and TOAST tables. It is told as soon as they do not fit. */
static void
check_locks(const RouterReshapeDef *def, Relation table, Relation shadow)
{
	int			slots = MaxBackends + max_prepared_xacts;
	int			children = list_length(router_catalog_children(RelationGetRelid(shadow))) + def->nsources;
	int			each = 3 + list_length(RelationGetIndexList(shadow)) + def->whole;

	/* for others there is what core adds to that */
	if (children > max_locks_per_xact * slots / each)
		ereport(ERROR,
				(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
				 errmsg("table \"%s\" gets more children than can be locked at once", RelationGetRelationName(table)),
				 errdetail("There are %d tables already, old and new, of %d locks each.", children, each),
				 errhint("Raise max_locks_per_transaction (%d) and call it again; or CALL router.cancel_reshape(%s) and take larger groups or steps.",
						 max_locks_per_xact,
						 quote_literal_cstr(router_qualified_name(def->base)))));
}

static TupleTableSlot *
in_shadow_layout(Copier *c)
{
	return c->map ? execute_attr_map_slot(c->map->attrMap, c->slot, c->mapped) : c->slot;
}

/* The children that the rows of the next batch need are made, some of them at least. */
static bool
create_children(RouterJob *job)
{
	RouterReshape *r = (RouterReshape *) job;
	Copier		c;
	TableScanDesc scan;
	int			limit,
				portion;

	LockRelationOid(job->base, AccessShareLock);
	SPI_connect();
	router_reshape_read(r);
	begin_copying(&c, r);
	limit = router_lock_portion(c.shadow);
	portion = copy_portion(c.shadow);
	scan = begin_scan(&c);
	while (c.rows < r->batch_rows && c.homes.created < limit && c.homes.nopened < portion &&
		   table_scan_getnextslot_tidrange(scan, ForwardScanDirection, c.slot))
	{
		CHECK_FOR_INTERRUPTS();
		ResetPerTupleExprContext(c.estate);
		(void) router_home(&c.homes, in_shadow_layout(&c));
		c.rows++;
	}
	table_endscan(scan);
	check_locks(&r->def, c.table, c.shadow);
	end_copying(&c);
	SPI_finish();
	return true;
}

/* Copies a row; false: its child is missing, or others have to be closed first. */
static bool
copy_row(Copier *c, int portion)
{
	TupleTableSlot *row = in_shadow_layout(c);
	RouterDest *dest;

	if (c->homes.nopened > portion)
		return false;
	dest = router_home(&c->homes, row);
	c->r->missing = dest == NULL;
	if (dest)
		(void) router_batch_add(&c->batch, dest, row);
	return dest != NULL;
}

/* Copies rows until the batch is full; the place of the next one is r->def.position. */
static void
copy_rows(Copier *c)
{
	TableScanDesc scan = begin_scan(c);
	int			portion = copy_portion(c->shadow);
	RouterShadowRows *careful = c->r->careful ? router_shadow_rows_open(&c->r->def) : NULL;

	while (table_scan_getnextslot_tidrange(scan, ForwardScanDirection, c->slot))
	{
		CHECK_FOR_INTERRUPTS();
		ResetPerTupleExprContext(c->estate);
		c->r->def.position = c->slot->tts_tid;
		if (c->rows >= c->r->batch_rows || (careful == NULL && !copy_row(c, portion)))
			goto full;
		if (careful)
			(void) router_shadow_rows_add(careful, c->table, c->slot);
		c->rows++;
	}
	ItemPointerSet(&c->r->def.position, c->r->def.blocks, FirstOffsetNumber);
full:
	table_endscan(scan);
	if (careful)
		router_shadow_rows_close(careful);
}

/* Step 2: one batch. */
static bool
copy_batch(RouterJob *job)
{
	RouterReshape *r = (RouterReshape *) job;
	RouterMoving moving;
	ItemPointerData from;
	Copier		c;

	r->missing = false;
	LockRelationOid(job->base, AccessShareLock);
	SPI_connect();
	router_reshape_read(r);
	while (router_reshape_is_copied(&r->def, false) && !router_reshape_is_copied(&r->def, true))
		router_reshape_begin_source(r, r->def.source + 1);
	LockRelationOid(r->def.sources[r->def.source], AccessShareLock);
	r->again = !router_reshape_check(r, r->def.source, r->def.source + 1);
	if (r->again || router_reshape_is_copied(&r->def, true))
	{
		router_catalog_put_reshape(&r->def);
		SPI_finish();
		return true;
	}
	begin_copying(&c, r);
	c.homes.create_none = true;
	from = r->def.position;
	router_moving_begin(&moving, c.shadow, c.table);
	copy_rows(&c);
	router_batch_flush(&c.batch);
	for (RouterDest *dest = c.homes.first; dest; dest = dest->next_opened)
		router_dest_enter(dest);
	router_moving_end(&moving, c.estate);
	r->def.done += c.rows;
	if (r->def.whole)
		router_whole_note_range(&r->def, RelationGetRelid(c.table), &from, &r->def.position);
	end_copying(&c);
	CommandCounterIncrement();
	router_catalog_put_reshape(&r->def);
	router_job_progress(job, "copy rows", InvalidOid, r->def.done, Max(r->expected, r->def.done));
	SPI_finish();
	return true;
}

/* The rows of the table have other places: all copies are of no use. */
bool
router_reshape_begin_again(RouterJob *job)
{
	RouterReshape *r = (RouterReshape *) job;
	RouterAsOwner saved;

	router_reshape_lock(r, AccessShareLock);
	router_become_owner(&saved, router_relation_owner(job->base), false, NULL);
	router_run("TRUNCATE %s", router_qualified_name(r->def.log));
	router_run("TRUNCATE %s", router_qualified_name(r->def.shadow));
	router_become_user(&saved);
	router_reshape_begin_source(r, 0);
	r->def.done = 0;
	router_catalog_put_reshape(&r->def);
	return true;
}

/*
 * Has a batch met a row that is there, as one that moved meanwhile may be? A deferred check of that cannot be put off
 * while we are the owner (42501).
 */
static bool
is_double(const ErrorData *error)
{
	return error->sqlerrcode == ERRCODE_UNIQUE_VIOLATION || error->sqlerrcode == ERRCODE_EXCLUSION_VIOLATION ||
		error->sqlerrcode == ERRCODE_INSUFFICIENT_PRIVILEGE;
}

/* Step 2. NULL: all is copied, or the time is over. */
ErrorData *
router_reshape_copy(RouterReshape *r)
{
	RouterJob  *job = &r->job;

	while (!router_job_is_late(job))
	{
		ErrorData  *error;

		job->lazy = true;
		error = router_job_insist(job, copy_batch, true);
		job->lazy = false;

		if (error && !r->careful && is_double(error))
		{
			r->careful = true;
			continue;
		}
		r->careful = false;
		if (error == NULL && r->again)
			error = router_job_insist(job, router_reshape_begin_again, true);
		else if (error == NULL && r->missing)
			error = router_job_insist(job, create_children, true);
		else if (error == NULL && router_reshape_is_copied(&r->def, true))
			return NULL;
		if (error)
			return error;
		router_job_sleep(r->pause_ms);
	}
	return NULL;
}
