/*
 * reshape.c
 *		A table gets another shape while it is used: its rows are copied to where they
 *		will live, the copies follow what is written meanwhile, and take the place of
 *		the table when they are right for whoever looks.
 *
 *	1. Make the shadow, a routed table that nobody knows (shadow.c), and a log. Lock each
 *	   source ShareRowExclusive for an instant: from the commit on, what is written is noted.
 *	2. Copy the rows, in batches that are committed, in the order of the file. What a batch
 *	   passes over, since it came or went meanwhile, is noted.
 *	3. Catch up: bring the shadow to what the table has of the rows that were noted, and
 *	   again, until few are left.
 *	4. Keep in step: lock the sources ShareRowExclusive, so that writers wait; bring up the last rows;
 *	   from the commit on whoever writes to the table writes to the shadow.
 *	5. Wait, without a lock or a snapshot, until nobody has a snapshot from before. Give the shadow
 *	   and its children what else the table has: foreign keys, names. Compare both, count and
 *	   checksum of all rows, by one snapshot.
 *	6. Swap: lock the table AccessExclusive; it gets new, empty storage, the route, and the
 *	   children of the shadow. Nothing is left to copy.
 *
 * An error, a cancel or a crash leaves the table as it was, and what was done: the same
 * call goes on from there. Where the file of the table is another one, since it was
 * rewritten or truncated, step 2 begins again: rows are known by their places there.
 *
 * Two versions of a row can be copied, if it was changed between two batches and the
 * new one came to lie further on. Then a unique index fails the batch, which is done again
 * row by row, each only if there is none of its key; for the key is noted.
 *
 * On a standby nobody is waited for: who has a snapshot from before step 4 is cancelled when the swap is replayed.
 *
 * Locking: an advisory lock of the session, as those who move children have, keeps two runs apart. Beyond the
 * table, AccessExclusiveLock on the shadow and its children for the swap.
 * Memory: a batch's and a step's end with it; a RouterReshape is its caller's.
 */
#include "compat.h"
#include "reshape/reshape.h"

#include "access/table.h"
#include "access/tableam.h"
#include "access/twophase.h"
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "commands/vacuum.h"
#include "executor/executor.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/bufmgr.h"
#include "storage/latch.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "utils/backend_status.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "base/owner.h"
#include "base/pin.h"
#include "base/sql.h"
#include "base/waitpoint.h"
#include "mirror/mirror.h"
#include "reshape/follow.h"
#include "reshape/newcomers.h"
#include "reshape/shadow.h"
#include "reshape/shadow_rows.h"
#include "route/catalog.h"
#include "route/lock.h"
#include "route/owned.h"
#include "rows/compare.h"
#include "rows/estate.h"
#include "rows/keep_in_step.h"
#include "rows/moving.h"
#include "tier/swap.h"
#include "tier/table_text.h"
#include "write/home.h"

/* catching up ends when so few rows were noted, or after so many rounds */
#define FEW_NOTED 500
#define MAX_ROUNDS 20

/* -------------------------------------------------------------------- the state */

/* Children that the table got since. No row came to them that was not noted. */
static void
add_new_sources(RouterReshapeDef *def)
{
	MemoryContext work = AllocSetContextCreate(CurrentMemoryContext, "router newcomers", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(work);
	List	   *children = router_catalog_children(def->base);
	RouterNewcomers *news = NULL;
	ListCell   *lc;
	int			known = def->nsources;

	def->sources = repalloc(def->sources, (known + list_length(children)) * sizeof(Oid));
	def->files = repalloc(def->files, (known + list_length(children)) * sizeof(Oid));
	foreach(lc, children)
	{
		Oid			child = ((RouterChildDef *) lfirst(lc))->child;
		bool		is_new = true;

		for (int i = 0; is_new && i < known; i++)
			is_new = def->sources[i] != child;
		if (is_new && news == NULL)
			news = router_newcomers_open(def);
		if (!is_new || !router_is_source(news, lfirst(lc)))
			continue;
		def->files[def->nsources] = InvalidOid;
		def->sources[def->nsources++] = child;
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(work);
}

/* Reads how far the table is. Its name and columns have to be those that were copied. */
static void
read_state(RouterReshape *r)
{
	MemoryContext old = MemoryContextSwitchTo(r->job.cxt);
	RouterReshapeDef *def = router_catalog_reshape(r->job.base);

	if (def == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table \"%s\" does not get another shape any more", get_rel_name(r->job.base)),
				 errdetail("Somebody has called router.cancel_reshape meanwhile.")));
	r->def = *def;
	if (router_may_grow(&r->def))
		add_new_sources(&r->def);
	MemoryContextSwitchTo(old);
}

static Oid
current_file(Oid relid)
{
	Relation	rel = table_open(relid, NoLock);
	Oid			file = rel->rd_rel->relfilenode;

	table_close(rel, NoLock);
	return file;
}

/* Copying a source begins. What comes to lie further on meanwhile is noted, since a trigger stands on it. */
static void
begin_source(RouterReshape *r, int source)
{
	Oid			relid = r->def.sources[source];
	Relation	rel = table_open(relid, AccessShareLock);

	r->def.source = source;
	r->def.files[source] = current_file(relid);
	r->def.blocks = RelationGetNumberOfBlocks(rel);
	ItemPointerSet(&r->def.position, 0, FirstOffsetNumber);
	table_close(rel, NoLock);
}

/* With a table in hand nothing is waited for. */
static void
lock_if_free(RouterReshape *r, Oid relid, LOCKMODE mode)
{
	if (!ConditionalLockRelationOid(relid, mode))
		ereport(ERROR,
				(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
				 errmsg("could not obtain lock on relation \"%s\"", get_rel_name(relid ? relid : r->job.base))));
}

/*
 * Reads how far the table is, and locks what is copied, and what it belongs to. With a lock that others mind only the
 * table is waited for.
 */
static void
lock_and_read(RouterReshape *r, LOCKMODE mode)
{
	Oid			base = r->job.base;

	LockRelationOid(base, mode);
	read_state(r);
	for (int i = 0; i < r->def.nsources; i++)
		if (r->def.sources[i] == base)
			continue;
		else if (mode == AccessShareLock)
			LockRelationOid(r->def.sources[i], mode);
		else
			lock_if_free(r, r->def.sources[i], mode);
}

static void
check_source(RouterReshape *r, Oid source)
{
	RouterChildDef *def = source == r->job.base ? NULL : router_catalog_child(source);
	Relation	rel;

	if (source != r->job.base && (def == NULL || def->base != r->job.base))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("a child of \"%s\" was moved, detached or dropped while it gets another shape",
						get_rel_name(r->job.base)),
				 errhint("CALL router.cancel_reshape(%s) and begin again.",
						 quote_literal_cstr(router_qualified_name(r->job.base)))));
	rel = table_open(source, NoLock);
	if (router_is_referenced(rel))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("a foreign key refers to table \"%s\" now", get_rel_name(source)),
				 errdetail("It would not find the rows that live in children."),
				 errhint("Drop it, and go on.")));
	table_close(rel, NoLock);
}

/*
 * The sources from one on to another are locked, and are they still what is copied? False: by other storage, as far
 * as it is copied.
 */
static bool
check_table(RouterReshape *r, int from, int to)
{
	bool		followed = true;
	bool		same_files = true;

	for (int i = from; i < to; i++)
	{
		check_source(r, r->def.sources[i]);
		same_files &= i > r->def.source || r->def.files[i] == current_file(r->def.sources[i]);
		followed &= router_follow_is_on(r->def.sources[i]);
	}
	if (strcmp(router_columns_text(r->job.base), r->def.columns) != 0 || !followed ||
		get_rel_name(r->def.shadow) == NULL || get_rel_name(r->def.log) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table \"%s\" was altered while it gets another shape", get_rel_name(r->job.base)),
				 errdetail("It has other columns or CHECKs, another owner, or no trigger that tells what is written."),
				 errhint("CALL router.cancel_reshape(%s) and begin again. The table is as it was.",
						 quote_literal_cstr(router_qualified_name(r->job.base)))));
	return same_files;
}

/* Step 1, its first half: as the owner. */
static bool
make_shadow(RouterJob *job)
{
	RouterReshape *r = (RouterReshape *) job;
	RouterReshapeDef *def = &r->def;
	ListCell   *lc;

	memset(def, 0, sizeof(*def));
	def->base = job->base;
	def->action = MemoryContextStrdup(job->cxt, job->action);
	def->all = r->kind->all;
	def->sources = MemoryContextAllocZero(job->cxt, list_length(r->sources) * sizeof(Oid));
	def->files = MemoryContextAllocZero(job->cxt, list_length(r->sources) * sizeof(Oid));
	foreach(lc, r->sources)
	{
		LockRelationOid(lfirst_oid(lc), AccessShareLock);
		def->sources[def->nsources++] = lfirst_oid(lc);
	}
	SPI_connect();
	router_shadow_make(def, r->route, r->config, r->bounds);
	def->columns = MemoryContextStrdup(job->cxt, router_columns_text(job->base));
	begin_source(r, 0);
	router_catalog_put_reshape(def);
	SPI_finish();
	return true;
}

/*
 * From now on children that the table gets are followed from the beginning. Those who make one now have to be waited
 * for: they did not know of it.
 */
static bool
know_all_children(RouterJob *job)
{
	RouterReshape *r = (RouterReshape *) job;

	LockRelationOid(job->base, ShareUpdateExclusiveLock);
	read_state(r);
	router_catalog_put_reshape(&r->def);
	return true;
}

/* Its second half, for each source. */
static bool
watch(RouterJob *job)
{
	RouterReshape *r = (RouterReshape *) job;

	if (r->child != job->base)
		LockRelationOid(job->base, AccessShareLock);
	LockRelationOid(r->child, ShareRowExclusiveLock);
	check_source(r, r->child);
	router_follow_source(&r->def, r->child);
	return true;
}

static bool
begin_first(RouterJob *job)
{
	RouterReshape *r = (RouterReshape *) job;

	lock_and_read(r, AccessShareLock);
	begin_source(r, 0);
	router_catalog_put_reshape(&r->def);
	return true;
}

static ErrorData *
watch_all(RouterReshape *r)
{
	ErrorData  *error = router_may_grow(&r->def) ? router_job_insist(&r->job, know_all_children, true) : NULL;

	for (int i = 0; error == NULL && i < r->def.nsources; i++)
	{
		r->child = r->def.sources[i];
		error = router_job_insist(&r->job, watch, true);
	}
	return error ? error : router_job_insist(&r->job, begin_first, true);
}

/* ---------------------------------------------------------------------- copying */

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
	int			each = 3 + list_length(RelationGetIndexList(shadow));

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
	read_state(r);
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

/* Are the rows copied of a source, the last one? */
static bool
is_copied(const RouterReshapeDef *def, bool last)
{
	return ItemPointerGetBlockNumber(&def->position) >= def->blocks && (!last || def->source == def->nsources - 1);
}

/* Step 2: one batch. */
static bool
copy_batch(RouterJob *job)
{
	RouterReshape *r = (RouterReshape *) job;
	RouterMoving moving;
	Copier		c;

	r->missing = false;
	LockRelationOid(job->base, AccessShareLock);
	SPI_connect();
	read_state(r);
	while (is_copied(&r->def, false) && !is_copied(&r->def, true))
		begin_source(r, r->def.source + 1);
	LockRelationOid(r->def.sources[r->def.source], AccessShareLock);
	r->again = !check_table(r, r->def.source, r->def.source + 1);
	if (r->again || is_copied(&r->def, true))
	{
		router_catalog_put_reshape(&r->def);
		SPI_finish();
		return true;
	}
	begin_copying(&c, r);
	c.homes.create_none = true;
	router_moving_begin(&moving, c.shadow, c.table);
	copy_rows(&c);
	router_batch_flush(&c.batch);
	for (RouterDest *dest = c.homes.first; dest; dest = dest->next_opened)
		router_dest_enter(dest);
	router_moving_end(&moving, c.estate);
	r->def.done += c.rows;
	end_copying(&c);
	CommandCounterIncrement();
	router_catalog_put_reshape(&r->def);
	router_job_progress(job, "copy rows", InvalidOid, r->def.done, Max(r->expected, r->def.done));
	SPI_finish();
	return true;
}

/* The rows of the table have other places: all copies are of no use. */
static bool
begin_again(RouterJob *job)
{
	RouterReshape *r = (RouterReshape *) job;
	RouterAsOwner saved;

	lock_and_read(r, AccessShareLock);
	router_become_owner(&saved, router_relation_owner(job->base), false, NULL);
	router_run("TRUNCATE %s", router_qualified_name(r->def.log));
	router_run("TRUNCATE %s", router_qualified_name(r->def.shadow));
	router_become_user(&saved);
	begin_source(r, 0);
	r->def.done = 0;
	router_catalog_put_reshape(&r->def);
	return true;
}

static void
pause_between(const RouterReshape *r)
{
	long		ms = r->pause ? (r->pause->time + (r->pause->day + r->pause->month * 30.0) * USECS_PER_DAY) / 1000 : 0;

	if (ms <= 0)
		return;
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, ms, PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
}

/* Step 2. NULL: all is copied, or the time is over. */
static ErrorData *
copy_all(RouterReshape *r)
{
	RouterJob  *job = &r->job;

	while (!router_job_is_late(job))
	{
		ErrorData  *error;

		job->lazy = true;
		error = router_job_insist(job, copy_batch, true);
		job->lazy = false;

		if (error && !r->careful &&
			(error->sqlerrcode == ERRCODE_UNIQUE_VIOLATION || error->sqlerrcode == ERRCODE_EXCLUSION_VIOLATION))
		{
			r->careful = true;
			continue;
		}
		r->careful = false;
		if (error == NULL && r->again)
			error = router_job_insist(job, begin_again, true);
		else if (error == NULL && r->missing)
			error = router_job_insist(job, create_children, true);
		else if (error == NULL && is_copied(&r->def, true))
			return NULL;
		if (error)
			return error;
		pause_between(r);
	}
	return NULL;
}

/* --------------------------------------------------------------------- catching up */

/* Brings the shadow to what the sources have, as far as it was noted. They are locked. */
static void
apply_log(RouterReshape *r)
{
	Relation	log = table_open(r->def.log, RowExclusiveLock);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	RouterShadowRows *rows;

	PushActiveSnapshot(snapshot);
	rows = router_shadow_rows_open(&r->def);
	r->noted = router_shadow_rows_apply(rows, log, snapshot);
	router_shadow_rows_close(rows);
	PopActiveSnapshot();
	UnregisterSnapshot(snapshot);
	table_close(log, NoLock);
}

/* Brings the shadow up to what was noted, unless all has to be copied again. */
static void
bring_up(RouterReshape *r, LOCKMODE mode)
{
	lock_and_read(r, mode);
	r->again = !check_table(r, 0, r->def.nsources);
	r->noted = 0;
	if (!r->again && is_copied(&r->def, true))
		apply_log(r);
}

/* Step 3: one round. */
static bool
catch_up(RouterJob *job)
{
	RouterReshape *r = (RouterReshape *) job;

	SPI_connect();
	bring_up(r, AccessShareLock);
	if (!r->again)
		router_job_progress(job, "catch up", InvalidOid, r->noted, 0);
	SPI_finish();
	return true;
}

/* Step 4. A child that came meanwhile is copied first. */
static bool
keep_in_step(RouterJob *job)
{
	RouterReshape *r = (RouterReshape *) job;

	SPI_connect();
	bring_up(r, ShareRowExclusiveLock);
	if (!r->again && is_copied(&r->def, true))
	{
		r->def.in_step = true;
		r->def.since = GetTopTransactionId();
		router_catalog_put_reshape(&r->def);
	}
	SPI_finish();
	return true;
}

/* Steps 2 to 4. NULL: the shadow is in step, or the time is over. */
static ErrorData *
copy_and_catch_up(RouterReshape *r)
{
	ErrorData  *error;

	do
	{
		error = copy_all(r);
		if (error || router_job_is_late(&r->job))
			return error;
		r->noted = FEW_NOTED;
		for (int round = 0; error == NULL && !r->again && r->noted >= FEW_NOTED && round < MAX_ROUNDS; round++)
			error = router_job_insist(&r->job, catch_up, true);
		ROUTER_WAITPOINT("reshape_step");
		if (error == NULL && !r->again)
			error = router_job_insist(&r->job, keep_in_step, true);
		if (error == NULL && r->again)
			error = router_job_insist(&r->job, begin_again, true);
	} while (error == NULL && !r->def.in_step);
	return error;
}

/* ------------------------------------------------------------------- before the swap */

/* No lock and no snapshot is held. */
static void
wait_for_snapshots(RouterReshape *r)
{
	PushActiveSnapshot(GetTransactionSnapshot());
	router_job_progress(&r->job, "wait for older snapshots", InvalidOid, 0, 0);
	PopActiveSnapshot();
	SPI_commit();
	MemoryContextSwitchTo(r->job.cxt);
	router_job_wait(r->def.since);
	SPI_commit();
	MemoryContextSwitchTo(r->job.cxt);
}

/* Step 5: are table and shadow alike? */
static bool
verify(RouterJob *job)
{
	RouterReshape *r = (RouterReshape *) job;
	Snapshot	snapshot;
	Relation	rel;
	uint64		rows[2] = {0, 0};
	uint64		sums[2] = {0, 0};
	ListCell   *lc;

	SPI_connect();
	lock_and_read(r, AccessShareLock);
	(void) check_table(r, 0, r->def.nsources);
	router_job_progress(job, "compare", InvalidOid, 0, 0);
	snapshot = RegisterSnapshot(GetLatestSnapshot());
	rel = table_open(job->base, NoLock);
	for (int i = 0; i < r->def.nsources; i++)
		router_sum_rows(r->def.sources[i], rel, snapshot, &rows[0], &sums[0]);
	foreach(lc, router_catalog_children(r->def.shadow))
		router_sum_rows(((RouterChildDef *) lfirst(lc))->child, rel, snapshot, &rows[1], &sums[1]);
	table_close(rel, NoLock);
	UnregisterSnapshot(snapshot);
	SPI_finish();
	if (rows[0] != rows[1] || sums[0] != sums[1])
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("the copies of the rows of \"%s\" are not like them", get_rel_name(job->base)),
				 errdetail("The table has " UINT64_FORMAT " rows, checksum %016llx; the copies are " UINT64_FORMAT ", checksum %016llx.",
						   rows[0], (unsigned long long) sums[0], rows[1], (unsigned long long) sums[1]),
				 errhint("The table is as it was. CALL router.cancel_reshape(%s), and tell those who make router.",
						 quote_literal_cstr(router_qualified_name(job->base)))));
	r->rows = rows[0];
	return true;
}

/*
 * Foreign keys of the table hold for its child as well: first for rows to come, under locks on it and on the table that
 * it refers to, then, without, for those there.
 */
static bool
add_foreign_keys(RouterJob *job)
{
	RouterReshape *r = (RouterReshape *) job;
	int			guc_level = router_spi_begin();
	List	   *commands = NIL;
	ListCell   *lc;

	if (SPI_execute_with_args("SELECT format('ALTER TABLE %s ADD CONSTRAINT %I %s NOT VALID',"
							  "              $2::regclass, f.conname, pg_get_constraintdef(f.oid))"
							  "  FROM pg_constraint f WHERE conrelid = $1 AND contype = 'f' AND conparentid = 0 AND convalidated"
							  "   AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conrelid = $2 AND c.conname = f.conname)"
							  " ORDER BY confrelid, conname",
							  2, (Oid[]) {OIDOID, OIDOID},
							  (Datum[]) {ObjectIdGetDatum(job->base), ObjectIdGetDatum(r->child)}, NULL, true, 0) !=
		SPI_OK_SELECT)
		elog(ERROR, "could not read foreign keys");
	for (uint64 i = 0; i < SPI_processed; i++)
		commands = lappend(commands, SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1));
	foreach(lc, commands)
		router_run("%s", (char *) lfirst(lc));
	router_spi_end(guc_level);
	return true;
}

/* What was added is checked, what came to the table since is made, and indexes get their names. One child a call. */
static bool
finish_child(RouterJob *job)
{
	RouterReshape *r = (RouterReshape *) job;
	RouterMirror request = {.aspects = ROUTER_INDEXES | ROUTER_FOREIGN_KEYS};

	LockRelationOid(job->base, AccessShareLock);
	if (get_rel_name(r->child) == NULL)
		return true;
	(void) router_mirror(&request, job->base, r->child);
	if (!router_shadow_name_indexes(&r->def, r->child))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table \"%s\" was altered while it gets another shape", get_rel_name(job->base)),
				 errdetail("It has other indexes."),
				 errhint("CALL router.cancel_reshape(%s) and begin again. The table is as it was.",
						 quote_literal_cstr(router_qualified_name(job->base)))));
	return true;
}

/* Statistics: the plans that come after the swap need them at once. */
static bool
analyze_child(RouterJob *job)
{
	router_run("ANALYZE %s", router_qualified_name(((RouterReshape *) job)->child));
	return true;
}

static ErrorData *
finish_children(RouterReshape *r)
{
	ErrorData  *error = NULL;
	MemoryContext old = MemoryContextSwitchTo(r->job.cxt);
	List	   *children = router_catalog_children(r->def.shadow);
	ListCell   *lc;

	MemoryContextSwitchTo(old);
	foreach(lc, children)
	{
		r->child = ((RouterChildDef *) lfirst(lc))->child;
		if (error == NULL)
			error = router_job_insist(&r->job, add_foreign_keys, true);
		if (error == NULL)
			error = router_job_insist(&r->job, finish_child, true);
		if (error == NULL)
			error = router_job_insist(&r->job, analyze_child, true);
	}
	return error;
}

/* ----------------------------------------------------------------------- the swap */

static void
lock_for_swap(RouterReshape *r)
{
	ListCell   *lc;

	LockRelationOid(r->job.base, AccessExclusiveLock);
	read_state(r);
	for (int i = 0; i < r->def.nsources; i++)
		lock_if_free(r, r->def.sources[i], AccessExclusiveLock);
	foreach(lc, router_catalog_children(r->def.shadow))
		lock_if_free(r, ((RouterChildDef *) lfirst(lc))->child, AccessExclusiveLock);
	lock_if_free(r, r->def.shadow, AccessExclusiveLock);
	lock_if_free(r, r->def.log, AccessExclusiveLock);
}

/*
 * pg_dump looks which tables there are, and then locks them: one that did so before the swap and locks the table
 * afterwards would find it empty, and not the children. From one that has just come we step back.
 */
static void
give_way_to_dump(Oid base)
{
	pgstat_clear_backend_activity_snapshot();
	for (int i = 1; i <= pgstat_fetch_stat_numbackends(); i++)
	{
		PgBackendStatus *status = &router_backend_status(i)->backendStatus;

		if (status->st_procpid != 0 && status->st_databaseid == MyDatabaseId && status->st_appname &&
			strcmp(status->st_appname, "pg_dump") == 0)
			ereport(ERROR,
					(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
					 errmsg("\"%s\" is not given its new shape while pg_dump runs", get_rel_name(base)),
					 errdetail("It has pid %d.", status->st_procpid),
					 errhint("Call it again to go on.")));
	}
}

/* Step 6. */
static bool
swap(RouterJob *job)
{
	RouterReshape *r = (RouterReshape *) job;

	lock_for_swap(r);
	SPI_connect();
	(void) check_table(r, 0, r->def.nsources);
	router_tell_standbys(job->base, r->def.since);
	r->kind->take_over(&r->def);
	SPI_finish();
	give_way_to_dump(job->base);
	return true;
}

static bool
analyze_base(RouterJob *job)
{
	router_run("ANALYZE %s", router_qualified_name(job->base));
	return true;
}

/* Steps 5 and 6; the shadow is in step. */
static ErrorData *
finish(RouterReshape *r)
{
	ErrorData  *error;

	wait_for_snapshots(r);
	error = finish_children(r);
	if (error == NULL)
		error = router_job_insist(&r->job, verify, true);
	ROUTER_WAITPOINT("reshape_swap");
	if (error == NULL)
		error = router_job_insist(&r->job, swap, true);
	if (error == NULL && r->def.sources[0] == r->job.base)
		error = router_job_insist(&r->job, analyze_base, true);
	return error;
}

/* ------------------------------------------------------------------------- a run */

static bool
find_state(RouterJob *job)
{
	RouterReshape *r = (RouterReshape *) job;
	MemoryContext old;
	RouterReshapeDef *def;

	old = MemoryContextSwitchTo(job->cxt);
	def = router_catalog_reshape(job->base);
	if (def)
		r->def = *def;
	MemoryContextSwitchTo(old);
	return true;
}

/* How many rows there are, for router.progress. */
static bool
estimate(RouterJob *job)
{
	RouterReshape *r = (RouterReshape *) job;
	ListCell   *lc;

	r->expected = 0;
	foreach(lc, r->sources)
	{
		Relation	rel = table_open(lfirst_oid(lc), AccessShareLock);
		BlockNumber pages;
		double		rows;
		double		all_visible;

		table_relation_estimate_size(rel, NULL, &pages, &rows, &all_visible);
		r->expected += rows;
		table_close(rel, AccessShareLock);
	}
	return true;
}

static bool
check(RouterJob *job)
{
	RouterReshape *r = (RouterReshape *) job;

	if (OidIsValid(r->def.shadow) && strcmp(r->def.action, job->action) != 0)
		router_refuse_other_reshape(r);
	SPI_connect();
	r->kind->check(r);
	SPI_finish();
	return true;
}

/* Nothing is to be copied: the route becomes another one, unless a child came just now. */
static bool
configure(RouterJob *job)
{
	RouterReshape *r = (RouterReshape *) job;

	LockRelationOid(job->base, ShareUpdateExclusiveLock);
	SPI_connect();
	r->kind->check(r);
	if (r->sources == NIL)
		router_catalog_put_route(r->config);
	SPI_finish();
	return true;
}

/*
 * Goes on with, or begins, the reshaping of job->base; *done: it is at its end, not just its time over.
 * NULL: no error.
 */
ErrorData *
router_reshape_run(RouterReshape *r, bool *done)
{
	RouterJob  *job = &r->job;
	ErrorData  *error = router_job_insist(job, find_state, true);

	*done = false;
	if (error == NULL)
		error = router_job_insist(job, check, true);
	if (error == NULL)
		error = router_job_insist(job, estimate, true);
	if (error || r->job.dry_run)
		return error;
	if (r->sources == NIL && !OidIsValid(r->def.shadow))
		error = router_job_insist(job, configure, true);
	*done = error == NULL && r->sources == NIL && !OidIsValid(r->def.shadow);
	if (error || *done)
		return error;
	if (!OidIsValid(r->def.shadow))
		error = router_job_insist(job, make_shadow, true);
	if (error == NULL && !r->def.in_step && r->def.done == 0)
		error = watch_all(r);
	if (error == NULL && !r->def.in_step)
		error = copy_and_catch_up(r);
	if (error == NULL && r->def.in_step)
	{
		error = finish(r);
		*done = error == NULL;
	}
	return error;
}

/* Lets go of the sources, as far as they are there, so that nobody writes to the shadow any more. */
static bool
let_go(RouterJob *job)
{
	RouterReshape *r = (RouterReshape *) job;

	lock_and_read(r, AccessExclusiveLock);
	router_follow_end(&r->def);
	return true;
}

static bool
drop_shadow(RouterJob *job)
{
	RouterReshape *r = (RouterReshape *) job;

	LockRelationOid(job->base, AccessShareLock);
	read_state(r);
	r->again = !router_shadow_drop(&r->def);
	return true;
}

/* A dump of a table that got another shape has triggers, and tables that nothing belongs to any more. */
static bool
let_go_of_restored(RouterJob *job)
{
	RouterReshapeDef def = {.base = job->base};
	List	   *tables;
	ListCell   *lc;

	LockRelationOid(job->base, AccessExclusiveLock);
	tables = lcons_oid(job->base, find_inheritance_children(job->base, AccessExclusiveLock));
	def.sources = palloc(list_length(tables) * sizeof(Oid));
	foreach(lc, tables)
		def.sources[def.nsources++] = lfirst_oid(lc);
	router_follow_end(&def);
	ereport(NOTICE,
			(errmsg("triggers of another server were taken from \"%s\"", get_rel_name(job->base)),
			 errhint("Drop its tables that were called router_shadow_… and router_log_…, if they are there.")));
	return true;
}

/* Undoes what an interrupted run has left. The table is as it was. NULL: no error. */
ErrorData *
router_reshape_cancel(RouterReshape *r)
{
	ErrorData  *error;

	if (router_catalog_reshape(r->job.base) == NULL)
		return router_job_insist(&r->job, let_go_of_restored, true);
	error = router_job_insist(&r->job, let_go, true);
	do
	{
		if (error == NULL)
			error = router_job_insist(&r->job, drop_shadow, true);
	} while (error == NULL && r->again);
	return error;
}
