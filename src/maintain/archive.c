/*
 * archive.c
 *		router.archive: moves the rows that have left the hot window from the
 *		base into their children, batch by batch.
 *
 * The watermark says where a row lives: before it in a child, from it on in
 * the base. A run takes it to a cutoff:
 *	1. Announce: record the cutoff as pending, under ShareRowExclusiveLock on
 *	   the base, which waits for writers that do not know of it. From then on a
 *	   writer of a row between watermark and cutoff takes the home lock
 *	   (ShareLock, see home.c) and looks again.
 *	2. Drain: a batch takes the home lock (ExclusiveLock), moves all rows from
 *	   the watermark to some later point, and advances the watermark there, in
 *	   one transaction. It ends where a child is missing, or not known to all.
 *	3. Then create all children that aged rows need, commit, and wait for
 *	   everybody who holds a lock on the base: their plans may not know all
 *	   children. Rows move only into children that were there before the wait.
 *	   Back to 2. At every instant each row has one home, so that unique
 *	   keys hold. Rows are deleted as moved: whoever waits for one gets core's
 *	   serialization error.
 * Readers see each row once by their snapshot. Nobody who reads or writes rows
 * after the cutoff waits for any of this, but for a moment in step 1.
 *
 * Each step is one of job.c; a run that was interrupted anywhere is carried on
 * by the next. In a transaction block nothing can be committed
 * between the steps: then the base is locked AccessExclusive instead.
 */
#include "compat.h"
#include "admin/child_admin.h"

#include "access/table.h"
#include "catalog/pg_operator.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "replication/walsender.h"
#include "replication/walsender_private.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "storage/procarray.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "maintain/archive.h"
#include "rows/key_scan.h"
#include "rows/estate.h"
#include "rows/keep_in_step.h"
#include "route/owned.h"
#include "maintain/seal.h"
#include "admin/rehome.h"
#include "base/sql.h"

/* how often children are looked for that a row needs and that somebody else is making */
#define MAX_TRIES 20

/* a batch into empty children, whose indexes are filled by the page, may have so many times batch_rows */
#define EMPTY_CHILD_BATCHES 50

/* without an index each batch reads the whole base: so there are not more of them, or batch_rows a batch */
#define MAX_UNINDEXED_BATCHES 50

/* a cutoff later than so long from now is taken for a mistake */
#define LATEST_CUTOFF USECS_PER_DAY

PG_FUNCTION_INFO_V1(router_archive);
PG_FUNCTION_INFO_V1(router_archive_now);

typedef struct Archive
{
	RouterJob	job;
	RouterCacheEntry *entry;
	int			batch_rows;
	const char *cutoff_text;	/* or NULL: by the hot window */
	Oid			child;			/* no further than its end; or InvalidOid */
	int64		cutoff;
	uint64		moved;
	int			nbatches;		/* that were not undone */
	int			created;		/* children, by the last step 3 */
	bool		more;			/* it goes on in another transaction */
	bool		fenced;			/* queries on standbys know the children there are */
	bool		done;			/* the watermark has reached the cutoff */
	uint64		expected;		/* rows, as the planner sees it */
	bool		missing;		/* a row needs a child that is not there, or not known to all */
	bool		unknown;		/* the latter, of a child that step 3 did not make */
	List	   *known;			/* children that everybody knows who has a plan */
	int64	   *ends;			/* without an index: where batches end, in order; or NULL */
	int			nends;
} Archive;

/* A batch under way. */
typedef struct Drain
{
	Archive    *archive;
	Relation	base;
	RouterRehoming rows;
	RouterKeyScan scan;
	int64		until;			/* where it is going */
	int64		next;			/* without an index: the first key there is from until on */
	int64		last;			/* of the row before */
	uint64		moved;
	int			portion;		/* of children */
	bool		all_empty;		/* the children that it met, before */
	bool		undo;			/* it cannot be finished, nor ended before this row */
} Drain;

/* Begins to read the rows of the base from a point on that are aged, as of now. */
static void
begin_aged(RouterKeyScan *scan, Relation base, Archive *archive, int64 from)
{
	router_key_scan_begin(scan, base, router_hot_route(archive->entry), GetLatestSnapshot(), from, archive->cutoff);
}

/* Where all rows leave, those of 'infinity' stay. */
static bool
next_aged(RouterKeyScan *scan, const Archive *archive)
{
	while (router_key_scan_next(scan))
		if (scan->value < archive->cutoff)
			return true;
	return false;
}

/* --------------------------------------------------------------------- the steps */

/* The end of the child that the run shall not go beyond. */
static int64
end_of_child(Archive *archive, RouterRoute *route)
{
	RouterKey	key = route->config.keys[route->hot_level];
	int			level = route->hot_level;
	const char *base = get_rel_name(archive->job.base);
	const char *child = get_rel_name(archive->child);
	RouterChildDef *def = router_catalog_child(archive->child);
	RouterBound *bound;

	if (def == NULL || def->base != archive->job.base)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("table \"%s\" is not a child of \"%s\"", child ? child : "?", base),
				 errhint("See router.children.")));
	bound = level < def->nbounds ? router_bound_parse(&key, def->bounds[level]) : NULL;
	if (bound == NULL || bound->form != ROUTER_BOUND_RANGE)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("child \"%s\" has no range of dates to archive up to", child),
				 errdetail("Its bounds are %s.", def->bounds[Min(level, def->nbounds - 1)]),
				 errhint("Name a child with a range of %s, or give a cutoff.", key.column)));
	return bound->hi == PG_INT64_MAX ? PG_INT64_MAX : bound->hi + 1;
}

/* Sets archive->cutoff, by what the caller gave. */
static void
find_cutoff(Archive *archive)
{
	RouterRoute *route = router_hot_route(archive->entry);
	RouterKey  *key = &route->config.keys[route->hot_level];
	int			guc_level = router_pin_settings(route->config.time_zone);

	archive->cutoff = archive->cutoff_text ? router_key_parse(key, archive->cutoff_text) :
		router_hot_cutoff(&route->config);
	if (archive->cutoff != PG_INT64_MAX && archive->cutoff_text &&
		archive->cutoff > router_key_now(key, GetCurrentTransactionStartTimestamp() + LATEST_CUTOFF))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("cutoff \"%s\" lies in the future", archive->cutoff_text),
				 errdetail("Rows until then would go to children as they come, and the watermark never goes back."),
				 errhint("The latest cutoff is a day from now. To keep no row in the base any more, say 'infinity'.")));
	if (OidIsValid(archive->child))
	{
		int64		end = end_of_child(archive, route);

		archive->cutoff = Min(archive->cutoff, end);
	}
	AtEOXact_GUC(false, guc_level);
}

/* How many rows lie between watermark and cutoff, by the statistics. */
static uint64
estimate(Archive *archive)
{
	RouterRoute *route = router_hot_route(archive->entry);
	RouterKey	key = route->config.keys[route->hot_level];
	int			guc_level = router_pin_settings(route->config.time_zone);
	const char *column = quote_identifier(key.column);
	char	   *from = router_key_text(&key, route->watermark);
	char	   *before = router_key_text(&key, archive->cutoff);
	uint64		rows;

	(void) router_see_all_rows();	/* nor does row_security = off forbid to look */
	SPI_connect();
	rows = router_job_estimate(psprintf("SELECT FROM ONLY %s WHERE %s >= %s AND %s < %s",
										router_qualified_name(archive->job.base), column, quote_literal_cstr(from),
										column, quote_literal_cstr(before)));
	SPI_finish();
	AtEOXact_GUC(false, guc_level);
	return rows;
}

/* Step 1. What an interrupted run announced is replaced: rows from this cutoff on are hot again, and in the base. */
static bool
announce(RouterJob *job)
{
	Archive    *archive = (Archive *) job;
	RouterRoute *route;
	int64		pending;

	/* a transaction that keeps everybody away from the base must not wait for who creates children, and wants it */
	if (archive->job.atomic)
		router_lock_these(router_lock_add(router_lock_add_creation(NIL, job->base), job->base, AccessExclusiveLock));
	else
		LockRelationOid(job->base, ShareRowExclusiveLock);
	find_cutoff(archive);
	route = router_hot_route(archive->entry);
	archive->done = archive->cutoff <= route->watermark;
	pending = archive->done ? route->watermark : archive->cutoff;
	if (route->pending != pending)
		router_put_watermark(route, route->watermark, pending);
	if (!archive->done)
	{
		archive->expected = estimate(archive);
		router_job_progress(job, "move rows", InvalidOid, 0, archive->expected);
	}
	return true;
}

/* The number of children that a transaction makes or fills; in a block all are locked to its end. */
static int
portion(const Archive *archive, Relation base)
{
	return archive->job.atomic ? PG_INT32_MAX : router_lock_portion(base);
}

/* Has a row a child there? Takes no lock on it. */
static bool
has_child(RouterRoute *route, TupleTableSlot *slot)
{
	Datum		values[ROUTER_MAX_LEVELS];
	bool		isnull[ROUTER_MAX_LEVELS];
	RouterMiss	miss;

	for (int i = 0; i < route->config.nkeys; i++)
		values[i] = slot_getattr(slot, route->config.keys[i].attnum, &isnull[i]);
	return OidIsValid(router_route_find(route, values, isnull, &miss));
}

/*
 * Step 3, but for the waiting: some of the missing children (archive->more), or
 * all. Where the date is all that decides and has an index, one row a child is read.
 */
static bool
create_children(RouterJob *job)
{
	Archive    *archive = (Archive *) job;
	Relation	base = table_open(archive->job.base, RowExclusiveLock);
	RouterRoute *route = router_hot_route(archive->entry);
	EState	   *estate = router_make_estate(base);
	int64		from = route->watermark;
	RouterHomes homes;
	int			limit = portion(archive, base);
	bool		more = true;

	archive->more = false;
	router_homes_init(&homes, archive->entry, base, estate, router_make_root(estate, base));
	router_homes_take(&homes, base);
	homes.archiving = true;
	while (more)
	{
		RouterKeyScan scan;
		int64		end;

		more = false;
		begin_aged(&scan, base, archive, from);
		while (!more && !archive->more && next_aged(&scan, archive))
		{
			if (!has_child(router_hot_route(archive->entry), scan.slot))
				(void) router_home(&homes, scan.slot);
			archive->more = homes.created >= limit;
			route = router_hot_route(archive->entry);
			more = scan.index && route->config.nkeys == 1 && router_route_end(route, scan.value, &end);
		}
		router_key_scan_end(&scan);
		from = more ? end : from;
		more = more && !archive->more && from < archive->cutoff;
	}
	archive->created += homes.created;
	router_homes_close(&homes);
	router_free_estate(estate);
	table_close(base, NoLock);
	return true;
}

/* Without an index: divides the keys of aged rows among batches, by one more scan. */
static void
plan_ends(Archive *archive, Relation base)
{
	RouterRoute *route = router_hot_route(archive->entry);
	int64		from = route->watermark;
	Tuplesortstate *sort = tuplesort_begin_datum(INT8OID, Int8LessOperator, InvalidOid, false, work_mem, NULL,
												 TUPLESORT_NONE);
	RouterKey	key = route->config.keys[route->hot_level];
	int			most = portion(archive, base);
	RouterKeyScan scan;
	int64		nrows = 0,
				size,
				value,
				last = from,
				lo,
				hi = PG_INT64_MIN,
				rows = 0,
				steps = 0;
	Datum		datum;
	bool		isnull;

	begin_aged(&scan, base, archive, from);
	while (next_aged(&scan, archive))
	{
		tuplesort_putdatum(sort, Int64GetDatum(scan.value), false);
		nrows++;
	}
	router_key_scan_end(&scan);
	tuplesort_performsort(sort);
	size = Max((int64) archive->batch_rows, nrows / MAX_UNINDEXED_BATCHES + 1);
	archive->ends = MemoryContextAlloc(archive->job.cxt, (nrows / Min(size, most) + 1) * sizeof(int64));
	archive->nends = 0;
	while (router_getdatum(sort, &datum, &isnull))
	{
		value = DatumGetInt64(datum);
		if (value > hi)
		{
			steps++;
			if (key.every == NULL || !router_key_bucket(&key, value, &lo, &hi))
				hi = value;
		}
		if ((rows >= size || steps > most) && value > last)
		{
			archive->ends[archive->nends++] = value;
			rows = 0;
			steps = 1;
		}
		rows++;
		last = value;
	}
	tuplesort_end(sort);
}

/* Without an index: where the batch that begins at the watermark ends. */
static int64
end_of_batch(Archive *archive, Relation base, int64 watermark)
{
	if (archive->ends == NULL)
		plan_ends(archive, base);
	for (int i = 0; i < archive->nends; i++)
		if (archive->ends[i] > watermark)
			return archive->ends[i];
	return archive->cutoff;
}

/*
 * Does everybody who has a plan know this child? Those planned with a snapshot
 * to which the child was there already, or were waited for.
 */
static bool
is_known(Archive *archive, Relation base, RouterDest *dest)
{
	HeapTuple	tup;
	TransactionId xmin;

	if (archive->job.atomic || list_member_oid(archive->known, RelationGetRelid(dest->rel)))
		return true;
	tup = SearchSysCache1(RELOID, ObjectIdGetDatum(RelationGetRelid(dest->rel)));
	if (!HeapTupleIsValid(tup))
		elog(ERROR, "cache lookup failed for relation %u", RelationGetRelid(dest->rel));
	xmin = HeapTupleHeaderGetXmin(tup->t_data);
	ReleaseSysCache(tup);
	return TransactionIdPrecedes(xmin, GetOldestNonRemovableTransactionId(base));
}

/* Called for each child that a batch meets. */
static void
meet_child(RouterHomes *homes, RouterDest *dest)
{
	Drain	   *drain = homes->arg;

	dest->barred = !is_known(drain->archive, drain->base, dest);
	if (!RELKIND_HAS_TABLE_AM(dest->rel->rd_rel->relkind) || RelationGetNumberOfBlocks(dest->rel) > 0)
		drain->all_empty = false;
}

/* Is there a home to which rows may move now? */
static bool
is_ready(Drain *drain, RouterDest *dest)
{
	if (dest && !dest->barred)
		return true;
	drain->archive->missing = true;
	drain->archive->unknown = dest != NULL;
	return false;
}

/* Shall the batch end before the row in the slot? It may where there is a point between this row and the one before. */
static bool
ends_before(Drain *drain, RouterDest *dest)
{
	uint64		limit = drain->archive->batch_rows;

	if (drain->all_empty)
		limit *= EMPTY_CHILD_BATCHES;
	return drain->scan.index && drain->moved > 0 && drain->scan.value > drain->last &&
		(drain->moved >= limit || drain->rows.homes.nopened > drain->portion || !is_ready(drain, dest));
}

/*
 * Deletes the row in the scan's slot, in its newest version, which the slot
 * holds afterwards. False: it is gone, or became hot.
 */
static bool
take_row(Drain *drain)
{
	RouterKeyScan *scan = &drain->scan;
	int64		value = scan->value;

	for (;;)
	{
		TM_FailureData failure;
		ItemPointerData tid = scan->slot->tts_tid;
		CommandId	cid = drain->rows.batch.cid;
		TM_Result	result = table_tuple_delete(drain->base, &tid, cid, GetActiveSnapshot(), InvalidSnapshot, true,
												&failure, true);

		if (result == TM_Ok)
		{
			router_step_deleted(drain->base, &tid);
			return true;
		}
		/* writers of aged rows hold the home lock: what went on was an update of other columns, or to a fresh date */
		if (result == TM_Updated)
		{
			result = table_tuple_lock(drain->base, &tid, GetActiveSnapshot(), scan->slot, cid, LockTupleExclusive,
									  LockWaitBlock, TUPLE_LOCK_FLAG_FIND_LAST_VERSION, &failure);
			if (result == TM_Ok && router_key_scan_takes(scan) && scan->value == value)
				continue;
		}
		if (result == TM_Ok || result == TM_Deleted)
			return false;
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("could not serialize access due to concurrent update")));
	}
}

/* Moves the row in the scan's slot, if it is one of the batch. False: the batch is at its end. */
static bool
drain_row(Drain *drain)
{
	RouterRehoming *rows = &drain->rows;
	TupleTableSlot *slot = drain->scan.slot;
	int64		value = drain->scan.value;
	ItemPointerData tid = slot->tts_tid;
	RouterDest *dest;

	if (value >= drain->until)
	{
		drain->next = Min(drain->next, value);
		return true;
	}
	dest = router_home(&rows->homes, slot);
	if (ends_before(drain, dest))
	{
		drain->until = value;
		return false;
	}
	drain->last = value;
	drain->undo = !is_ready(drain, dest);
	if (drain->undo)
		return false;
	if (!take_row(drain))
		return true;
	if (!ItemPointerEquals(&tid, &slot->tts_tid))
	{
		dest = router_home(&rows->homes, slot); /* the newest version may have another one */
		drain->undo = !is_ready(drain, dest);
		if (drain->undo)
			return false;
	}
	router_batch_source(&rows->batch, dest, slot);
	router_batch_add(&rows->batch, dest, slot);
	drain->moved++;
	return true;
}

/* Step 2: one batch. archive->missing: it ended, or was undone, where a child is missing. */
static bool
drain(RouterJob *job)
{
	Archive    *archive = (Archive *) job;
	Relation	base = table_open(archive->job.base, RowExclusiveLock);
	Drain		state = {.archive = archive,.base = base,.all_empty = true};
	RouterHomes *homes = &state.rows.homes;
	RouterRoute *route;
	int64		from;

	router_lock_homes(archive->job.base, ExclusiveLock);
	route = router_hot_route(archive->entry);
	/* another run may have announced less: rows from there on are hot again */
	archive->cutoff = Min(archive->cutoff, route->pending);
	from = route->watermark;
	state.until = state.next = archive->cutoff;
	archive->done = from >= archive->cutoff;
	archive->missing = false;
	if (archive->done)
	{
		table_close(base, NoLock);
		return true;
	}
	state.portion = portion(archive, base);
	begin_aged(&state.scan, base, archive, from);
	if (state.scan.index == NULL)
		state.until = end_of_batch(archive, base, from);
	router_rehoming_begin(&state.rows, archive->entry, base, base, state.scan.snapshot, true);
	state.rows.batch.cid = GetCurrentCommandId(true);
	state.rows.batch.bulk_kb = maintenance_work_mem;
	homes->create_none = true;
	homes->opened = meet_child;
	homes->arg = &state;
	while (next_aged(&state.scan, archive))
	{
		ResetPerTupleExprContext(state.rows.estate);
		if (!drain_row(&state))
			break;
	}
	router_rehoming_end(&state.rows, !state.undo);
	router_key_scan_end(&state.scan);
	table_close(base, NoLock);
	if (state.undo)
		return false;
	CommandCounterIncrement();
	if (!state.scan.index)
		state.until = state.next;	/* nothing can come between: the home lock is held */
	route = router_hot_route(archive->entry);
	router_put_watermark(route, state.until, route->pending);
	archive->done = state.until >= archive->cutoff;
	archive->moved += state.moved;
	archive->nbatches++;
	router_job_progress(job, "move rows", InvalidOid, archive->moved, Max(archive->expected, archive->moved));
	return true;
}

/* ------------------------------------------------------------------- the procedure */

/* Waits for those whose plans may not know the children there are now, whoever made them. */
static void
make_known(Archive *archive)
{
	if (archive->job.atomic)
		return;
	list_free(archive->known);
	archive->known = router_children_by_oid(archive->job.base);
	router_wait_for_planners(archive->job.base);
}

/* Does somebody follow this server by its WAL? */
static bool
has_standby(void)
{
	bool		found = XLogArchivingActive();

	for (int i = 0; i < max_wal_senders && !found; i++)
		found = WalSndCtl->walsnds[i].pid != 0;
	return found && XLogStandbyInfoActive();
}

/*
 * Nobody here waits for who plans on a standby, without the children that have
 * come, and takes his snapshot when rows have moved into them. So the base is
 * locked for an instant: where that is replayed, he is waited for or cancelled.
 */
static bool
fence_standbys(RouterJob *job)
{
	LockRelationOid(job->base, AccessExclusiveLock);
	return true;
}

static ErrorData *
let_standbys_know(Archive *archive)
{
	ErrorData  *error = NULL;

	/* a transaction block has the lock, and has it before rows move */
	if (!archive->fenced && !archive->job.atomic && has_standby())
		error = router_job_insist(&archive->job, fence_standbys, true);
	archive->fenced = true;
	return error;
}

static bool
count_aged(RouterJob *job)
{
	Archive    *archive = (Archive *) job;
	Relation	base = table_open(archive->job.base, AccessShareLock);
	RouterKeyScan scan;

	find_cutoff(archive);
	archive->moved = 0;
	begin_aged(&scan, base, archive, router_hot_route(archive->entry)->watermark);
	while (next_aged(&scan, archive))
		archive->moved++;
	router_key_scan_end(&scan);
	table_close(base, NoLock);
	return true;
}

static ErrorData *
give_up(Archive *archive)
{
	return router_job_error(&archive->job, ERRCODE_LOCK_NOT_AVAILABLE,
							psprintf("could not create the children that rows of %s need", router_job_name(archive->job.base)),
							"The default child holds rows for them, and is in use.",
							"CALL router.redistribute, and archive again.");
}

static bool
open_base(RouterJob *job)
{
	Archive    *archive = (Archive *) job;

	archive->entry = router_owned_route(archive->job.base);
	(void) router_hot_route(archive->entry);
	return true;
}

static ErrorData *
run_batches(Archive *archive)
{
	ErrorData  *error = router_job_insist(&archive->job, announce, true);
	int			idle = 0;

	while (error == NULL && !archive->done &&
		   (archive->nbatches == 0 || !router_job_is_late(&archive->job)))
	{
		if (archive->missing)
		{
			archive->created = 0;
			archive->fenced = false;
			do
				error = router_job_insist(&archive->job, create_children, true);
			while (error == NULL && archive->more);
			if (error == NULL && (archive->created > 0 || archive->unknown))
				make_known(archive);
			/* somebody else may be making it */
			if (error == NULL && archive->created == 0 && idle++ > 2)
			{
				if (idle > MAX_TRIES || archive->job.atomic)
					error = give_up(archive);
				else
					router_job_pause(idle);
			}
		}
		if (error == NULL)
			error = let_standbys_know(archive);
		if (error == NULL)
		{
			int			nbatches = archive->nbatches;

			error = router_job_insist(&archive->job, drain, true);
			idle = archive->nbatches > nbatches ? 0 : idle;
		}
	}
	return error;
}

/* Archives the base of a run, and notes it. NULL: all went well. */
static ErrorData *
archive_base(Archive *archive)
{
	ErrorData  *error = router_job_insist(&archive->job, open_base, false);

	if (error == NULL)
		error = archive->job.dry_run ? router_job_insist(&archive->job, count_aged, true) : run_batches(archive);
	if (!archive->job.dry_run)
		router_job_note(&archive->job, archive->moved, error);
	return error;
}

/* Tells by NOTICE how many rows it were, or would be. */
static void
tell_rows(Archive *archive)
{
	const char *base = router_job_name(archive->job.base);
	unsigned long n = archive->moved;

	if (archive->job.dry_run)
		ereport(NOTICE,
				(errmsg_plural("would archive %lu row of %s", "would archive %lu rows of %s", n, n, base)));
	else
		ereport(NOTICE,
				(errmsg_plural("archived %lu row of %s%s", "archived %lu rows of %s%s", n, n, base,
							   archive->done ? "" : ", more to come: the time budget is used up")));
}

/*
 * Archives job->base, as router.archive does; commits in between unless the
 * job is atomic. cutoff NULL: by the hot window; child InvalidOid: all. moved:
 * gets the number of rows, which a NOTICE says as well, or NULL. Returns NULL
 * when all went well, as far as the deadline allows; else the error, which is
 * in router.events already.
 */
ErrorData *
router_archive_base(const RouterJob *job, int batch_rows, const char *cutoff, Oid child, uint64 *moved)
{
	Archive		archive = {.job = *job,.batch_rows = batch_rows,.cutoff_text = cutoff,.child = child};
	ErrorData  *error = archive_base(&archive);

	if (error == NULL)
		tell_rows(&archive);
	if (moved)
		*moved = archive.moved;
	return error;
}

/* One base's turn in router.archive. Its aged children are sealed, if set_maintenance says by which columns. */
static ErrorData *
archive_and_seal(RouterJob *job)
{
	Archive    *call = (Archive *) job;
	ErrorData  *error = router_archive_base(job, call->batch_rows, call->cutoff_text, call->child, NULL);
	RouterUpkeep upkeep;

	if (error)
		return error;
	MemoryContextSwitchTo(job->cxt);
	(void) router_catalog_upkeep(job->base, &upkeep);
	return router_seal_children(job, upkeep.seal);
}

/* CALL router.archive(base, batch_rows, time_budget, lock_timeout, cutoff, dry_run, child, table_budget) */
Datum
router_archive(PG_FUNCTION_ARGS)
{
	static const RouterRound round = {
		.bases = "SELECT base FROM router.route_def WHERE hot IS NOT NULL ORDER BY base",
		.work = archive_and_seal,
		.time_budget = 2,
		.table_budget = 7,
		.failure = "%d of %d tables could not be archived",
	};
	Archive		call = {.child = router_arg_oid(fcinfo, 6)};

	router_require_argument(fcinfo, 1);
	call.batch_rows = PG_GETARG_INT32(1);
	if (call.batch_rows <= 0)
		router_bad_value("batch_rows", psprintf("%d", call.batch_rows), "It is a number above zero.");
	if (!PG_ARGISNULL(6))
		router_check_exists(call.child);
	if (OidIsValid(call.child) && PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("child needs a base"),
				 errhint("Name the base to which the child belongs as well.")));
	router_job_begin(&call.job, fcinfo, "archive", 3, 5);
	call.cutoff_text = router_arg_text(fcinfo, 4);
	router_job_round(&call.job, fcinfo, &round);
	PG_RETURN_VOID();
}

/* SELECT router.archive_now(base, cutoff, dry_run) */
Datum
router_archive_now(PG_FUNCTION_ARGS)
{
	Archive		archive = {.batch_rows = PG_INT32_MAX};
	ErrorData  *error;

	router_require(fcinfo, 1);
	router_job_begin(&archive.job, fcinfo, "archive", -1, 2);
	archive.job.base = PG_GETARG_OID(0);
	archive.cutoff_text = router_arg_text(fcinfo, 1);
	error = archive_base(&archive);
	if (error)
		ReThrowError(error);
	router_job_end(&archive.job);
	PG_RETURN_INT64(archive.moved);
}
