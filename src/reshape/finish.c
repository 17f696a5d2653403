/*
 * finish.c
 *		Copies that are in step with a table get what else it has, are compared with it, and take its place: steps
 *		5 and 6 of reshape.c.
 */
#include "compat.h"
#include "reshape/reshape_part.h"

#include "access/table.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/backend_status.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "base/pin.h"
#include "base/sql.h"
#include "base/waitpoint.h"
#include "mirror/mirror.h"
#include "reshape/shadow.h"
#include "reshape/whole_rows.h"
#include "route/catalog.h"
#include "rows/compare.h"
#include "tier/swap.h"

/* --------------------------------------------------------------------- the children */

/* Takes each child of the shadow through some steps. */
ErrorData *
router_reshape_each_child(RouterReshape *r, const RouterStep *steps, int nsteps)
{
	ErrorData  *error = NULL;
	MemoryContext old = MemoryContextSwitchTo(r->job.cxt);
	List	   *children = router_catalog_children(r->def.shadow);
	ListCell   *lc;

	MemoryContextSwitchTo(old);
	foreach(lc, children)
	{
		r->child = ((RouterChildDef *) lfirst(lc))->child;
		for (int i = 0; error == NULL && i < nsteps; i++)
			error = router_job_insist(&r->job, steps[i], true);
	}
	return error;
}

/* Each child gets the index by which rows that have no key are found. */
bool
router_reshape_index_child(RouterJob *job)
{
	RouterReshape *r = (RouterReshape *) job;

	SPI_connect();
	LockRelationOid(job->base, AccessShareLock);
	router_job_progress(job, "index copies", r->child, 0, 0);
	if (get_rel_name(r->child))
		router_whole_index_make(r->child, job->base);
	SPI_finish();
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
	if (r->def.whole && commands)
		router_whole_set_actions(r->child, false);
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
	if (r->def.whole)
		router_whole_set_actions(r->child, false);
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
	router_reshape_lock(r, AccessShareLock);
	(void) router_reshape_check(r, 0, r->def.nsources);
	router_job_progress(job, "compare", InvalidOid, 0, 0);
	snapshot = RegisterSnapshot(GetLatestSnapshot());
	rel = table_open(job->base, NoLock);
	for (int i = 0; i < r->def.nsources; i++)
		router_sum_rows(r->def.sources[i], rel, snapshot, &rows[0], &sums[0]);
	foreach(lc, router_catalog_children(r->def.shadow))
		router_sum_rows(((RouterChildDef *) lfirst(lc))->child, rel, snapshot, &rows[1], &sums[1]);
	table_close(rel, NoLock);
	if (r->def.whole)
		router_whole_check_unique(&r->def, snapshot);
	UnregisterSnapshot(snapshot);
	SPI_finish();
	if (rows[0] != rows[1] || sums[0] != sums[1])
		ereport(ERROR,
				(errcode(ERRCODE_DATA_CORRUPTED),
				 errmsg("the copies of the rows of \"%s\" are not like them", get_rel_name(job->base)),
				 errdetail("The table has " UINT64_FORMAT " rows, checksum %016llx; the copies are " UINT64_FORMAT ", checksum %016llx.",
						   rows[0], (unsigned long long) sums[0], rows[1], (unsigned long long) sums[1]),
				 errhint("The table is as it was. CALL router.cancel_reshape(%s), and report it as a bug of router.",
						 quote_literal_cstr(router_qualified_name(job->base)))));
	r->rows = rows[0];
	return true;
}

/* ----------------------------------------------------------------------- the swap */

static void
lock_for_swap(RouterReshape *r)
{
	ListCell   *lc;

	LockRelationOid(r->job.base, AccessExclusiveLock);
	router_reshape_read(r);
	for (int i = 0; i < r->def.nsources; i++)
		router_reshape_lock_if_free(r, r->def.sources[i], AccessExclusiveLock);
	foreach(lc, router_catalog_children(r->def.shadow))
		router_reshape_lock_if_free(r, ((RouterChildDef *) lfirst(lc))->child, AccessExclusiveLock);
	router_reshape_lock_if_free(r, r->def.shadow, AccessExclusiveLock);
	router_reshape_lock_if_free(r, r->def.log, AccessExclusiveLock);
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

/* The copies are as those of rows with a key. All are locked. */
static void
end_whole(RouterReshape *r)
{
	Relation	rel = table_open(r->job.base, NoLock);
	ListCell   *lc;

	foreach(lc, RelationGetFKeyList(rel))
		router_reshape_lock_if_free(r, ((ForeignKeyCacheInfo *) lfirst(lc))->confrelid, ShareRowExclusiveLock);
	table_close(rel, NoLock);
	foreach(lc, router_catalog_children(r->def.shadow))
	{
		Oid			child = ((RouterChildDef *) lfirst(lc))->child;

		router_whole_index_drop(child);
		router_whole_set_actions(child, true);
	}
}

/* Has the table got an index that a child lacks? It is not made while all wait. */
static bool
has_late_index(RouterReshape *r)
{
	ListCell   *lc;
	List	   *of_base;
	List	   *of_child;

	foreach(lc, router_catalog_children(r->def.shadow))
		if (OidIsValid(router_pair_indexes(r->job.base, ((RouterChildDef *) lfirst(lc))->child, &of_base, &of_child)))
			return true;
	return false;
}

/* Step 6. */
static bool
swap(RouterJob *job)
{
	RouterReshape *r = (RouterReshape *) job;

	lock_for_swap(r);
	r->again = has_late_index(r) || (r->def.whole && router_whole_has_doubles(&r->def));
	if (r->again)
		return true;
	SPI_connect();
	(void) router_reshape_check(r, 0, r->def.nsources);
	router_tell_standbys(job->base, r->def.since);
	if (r->def.whole)
		end_whole(r);
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
ErrorData *
router_reshape_finish(RouterReshape *r)
{
	static const RouterStep steps[] = {
		add_foreign_keys, finish_child, analyze_child,
	};
	ErrorData  *error;

	wait_for_snapshots(r);
	do
	{
		error = router_reshape_each_child(r, steps, lengthof(steps));
		if (error == NULL)
			error = router_job_insist(&r->job, verify, true);
		ROUTER_WAITPOINT("reshape_swap");
		if (error == NULL)
			error = router_job_insist(&r->job, swap, true);
	} while (error == NULL && r->again);
	if (error == NULL && r->def.sources[0] == r->job.base)
		error = router_job_insist(&r->job, analyze_base, true);
	return error;
}
