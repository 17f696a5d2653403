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
#include "reshape/reshape_part.h"

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
#include "reshape/whole_rows.h"
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

/* ------------------------------------------------------------------------ beginning */

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
	def->whole = r->whole;
	def->sources = MemoryContextAllocZero(job->cxt, list_length(r->sources) * sizeof(Oid));
	def->files = MemoryContextAllocZero(job->cxt, list_length(r->sources) * sizeof(Oid));
	foreach(lc, r->sources)
	{
		LockRelationOid(lfirst_oid(lc), AccessShareLock);
		def->sources[def->nsources++] = lfirst_oid(lc);
	}
	SPI_connect();
	router_shadow_make(def, r->route, r->config, r->bounds);
	def->columns = MemoryContextStrdup(job->cxt, router_reshape_nature(job->base));
	router_reshape_begin_source(r, 0);
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
	router_reshape_read(r);
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
	router_reshape_check_source(r, r->child);
	/* until there is a trigger nothing refuses ALTER TABLE; and one that fails would fail writers */
	SPI_connect();
	router_reshape_check_columns(r);
	SPI_finish();
	router_follow_source(&r->def, r->child);
	return true;
}

static bool
begin_first(RouterJob *job)
{
	RouterReshape *r = (RouterReshape *) job;

	router_reshape_lock(r, AccessShareLock);
	router_reshape_begin_source(r, 0);
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
	r->noted = r->def.whole ? router_whole_apply(rows, &r->def, log, snapshot) :
		router_shadow_rows_apply(rows, log, snapshot);
	router_shadow_rows_close(rows);
	PopActiveSnapshot();
	UnregisterSnapshot(snapshot);
	table_close(log, NoLock);
}

/* Brings the shadow up to what was noted, unless all has to be copied again. */
static void
bring_up(RouterReshape *r, LOCKMODE mode)
{
	router_reshape_lock(r, mode);
	r->again = !router_reshape_check(r, 0, r->def.nsources);
	r->noted = 0;
	if (!r->again && router_reshape_is_copied(&r->def, true))
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
	if (!r->again && router_reshape_is_copied(&r->def, true))
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
	static const RouterStep index_steps[] = {router_reshape_index_child};
	ErrorData  *error;

	do
	{
		error = router_reshape_copy(r);
		if (error || router_job_is_late(&r->job))
			return error;
		if (r->def.whole)
			error = router_reshape_each_child(r, index_steps, lengthof(index_steps));
		r->noted = FEW_NOTED;
		for (int round = 0; error == NULL && !r->again && r->noted >= FEW_NOTED && round < MAX_ROUNDS; round++)
			error = router_job_insist(&r->job, catch_up, true);
		ROUTER_WAITPOINT("reshape_step");
		if (error == NULL && !r->again)
			error = router_job_insist(&r->job, keep_in_step, true);
		if (error == NULL && r->again)
			error = router_job_insist(&r->job, router_reshape_begin_again, true);
	} while (error == NULL && !r->def.in_step);
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
	if (OidIsValid(r->def.shadow) && r->whole && !r->def.whole)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table \"%s\" was altered while it gets another shape", get_rel_name(job->base)),
				 errdetail("Its key does not tell rows of different children from each other any more."),
				 errhint("CALL router.cancel_reshape(…) and begin again.")));
	r->whole = OidIsValid(r->def.shadow) ? r->def.whole : r->whole || router_is_without_key(job->base, r->sources);
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
	if (error == NULL && r->whole)
		ereport(NOTICE,
				(errmsg("rows of %s are followed as wholes", router_job_name(job->base)),
				 errdetail("No primary key, and no unique index of columns that are NOT NULL, tells each row from all others."),
				 errhint("With one, or a global key over all children, what is written meanwhile costs less.")));
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
		error = router_reshape_finish(r);
		*done = error == NULL;
	}
	return error;
}

/* Lets go of the sources, as far as they are there, so that nobody writes to the shadow any more. */
static bool
let_go(RouterJob *job)
{
	RouterReshape *r = (RouterReshape *) job;

	router_reshape_lock(r, AccessExclusiveLock);
	router_follow_end(&r->def);
	return true;
}

static bool
drop_shadow(RouterJob *job)
{
	RouterReshape *r = (RouterReshape *) job;

	LockRelationOid(job->base, AccessShareLock);
	router_reshape_read(r);
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
