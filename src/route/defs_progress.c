/*
 * defs_progress.c
 *		Sole reader and writer of router.progress_def: what maintenance is at.
 */
#include "compat.h"
#include "route/defs.h"

#include "access/table.h"
#include "catalog/indexing.h"
#include "utils/backend_status.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "route/catalog.h"

enum
{
	PROGRESS_BASE = 1,
	PROGRESS_PID,
	PROGRESS_BACKEND_START,
	PROGRESS_QUERY_START,
	PROGRESS_ACTION,
	PROGRESS_PHASE,
	PROGRESS_CHILD,
	PROGRESS_DONE,
	PROGRESS_TOTAL,
	PROGRESS_STARTED,
	PROGRESS_PHASE_STARTED,
	PROGRESS_PHASE_DONE,
	PROGRESS_UPDATED,
	PROGRESS_ERRORS,
	PROGRESS_DUPLICATES,
	PROGRESS_CONSTRAINTS,
	PROGRESS_NATTS = PROGRESS_CONSTRAINTS,
};

PG_FUNCTION_INFO_V1(router_is_at_work);

/*
 * Is the session that wrote a row of progress_def still at the statement that
 * did? A session is told by its pid and start, a statement by its start. With
 * track_activities off the statement cannot be told.
 */
static bool
is_at_work(int pid, TimestampTz backend_start, TimestampTz query_start)
{
	for (int i = 1; i <= pgstat_fetch_stat_numbackends(); i++)
	{
		PgBackendStatus *status = &router_backend_status(i)->backendStatus;

		if (status->st_procpid == pid && status->st_proc_start_timestamp == backend_start)
			return status->st_state == STATE_DISABLED ||
				((status->st_state == STATE_RUNNING || status->st_state == STATE_FASTPATH) &&
				 status->st_activity_start_timestamp == query_start);
	}
	return false;
}

/* router.is_at_work(pid, backend_start, query_start) */
Datum
router_is_at_work(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(is_at_work(PG_GETARG_INT32(0), PG_GETARG_TIMESTAMPTZ(1), PG_GETARG_TIMESTAMPTZ(2)));
}

static TimestampTz
get_time(HeapTuple tup, int attno, TupleDesc desc)
{
	bool		isnull;

	return DatumGetTimestampTz(heap_getattr(tup, attno, desc, &isnull));
}

static int64
get_number(HeapTuple tup, int attno, TupleDesc desc)
{
	bool		isnull;

	return DatumGetInt64(heap_getattr(tup, attno, desc, &isnull));
}

static bool
is_mine(HeapTuple tup, TupleDesc desc)
{
	return router_get_int4(tup, PROGRESS_PID, desc, 0) == MyProcPid &&
		get_time(tup, PROGRESS_BACKEND_START, desc) == MyStartTimestamp &&
		get_time(tup, PROGRESS_QUERY_START, desc) == GetCurrentStatementStartTimestamp();
}

/* What an interrupted statement was at, and how far, stays with its event. */
static void
keep_what_was_done(HeapTuple tup, TupleDesc desc)
{
	int64		done = get_number(tup, PROGRESS_DONE, desc);
	bool		isnull;
	Datum		total = heap_getattr(tup, PROGRESS_TOTAL, desc, &isnull);
	char	   *detail = psprintf("It was at: %s, %s, " INT64_FORMAT "%s.", router_get_text(tup, PROGRESS_ACTION, desc),
								  router_get_text(tup, PROGRESS_PHASE, desc), done,
								  isnull ? "" : psprintf(" of " INT64_FORMAT, DatumGetInt64(total)));

	router_catalog_interrupt_event(router_get_oid(tup, PROGRESS_BASE, desc),
								   router_get_int4(tup, PROGRESS_PID, desc, 0),
								   get_time(tup, PROGRESS_QUERY_START, desc), done, detail);
}

/* Removes what interrupted statements left about a base, or all rows. Who else does so just now is not waited for. */
static void
sweep_progress(Oid base, bool all)
{
	SysScanDesc scan = router_catalog_scan_to_write("progress_def", "progress_def_pkey", PROGRESS_BASE, base);
	TupleDesc	desc = RelationGetDescr(scan->heap_rel);
	List	   *interrupted = NIL;
	ListCell   *lc;
	HeapTuple	tup;

	while (HeapTupleIsValid(tup = router_catalog_next(scan)))
	{
		TM_FailureData failure;
		int			pid = router_get_int4(tup, PROGRESS_PID, desc, 0);

		if ((all || pid == MyProcPid || !is_at_work(pid, get_time(tup, PROGRESS_BACKEND_START, desc),
													get_time(tup, PROGRESS_QUERY_START, desc))) &&
			table_tuple_delete(scan->heap_rel, &tup->t_self, GetCurrentCommandId(true), InvalidSnapshot,
							   InvalidSnapshot, false, &failure, false) == TM_Ok)
			interrupted = lappend(interrupted, heap_copytuple(tup));
	}
	foreach(lc, interrupted)
		keep_what_was_done(lfirst(lc), desc);
	router_catalog_end_write(scan);
}

/* Says how far this session's statement is with a base; others see it when it is committed. */
void
router_catalog_put_progress(const RouterProgress *progress)
{
	SysScanDesc scan = router_catalog_scan_to_write("progress_def", "progress_def_pkey", PROGRESS_BASE, progress->base);
	TupleDesc	desc = RelationGetDescr(scan->heap_rel);
	HeapTuple	tup;
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz started = now;
	TimestampTz phase_started = now;
	uint64		phase_done = progress->done;
	bool		found;
	Datum		values[PROGRESS_NATTS] = {0};
	bool		nulls[PROGRESS_NATTS] = {0};

	values[PROGRESS_BASE - 1] = ObjectIdGetDatum(progress->base);
	values[PROGRESS_PID - 1] = Int32GetDatum(MyProcPid);
	values[PROGRESS_BACKEND_START - 1] = TimestampTzGetDatum(MyStartTimestamp);
	values[PROGRESS_QUERY_START - 1] = TimestampTzGetDatum(GetCurrentStatementStartTimestamp());
	values[PROGRESS_ACTION - 1] = CStringGetTextDatum(progress->action);
	values[PROGRESS_PHASE - 1] = CStringGetTextDatum(progress->phase);
	values[PROGRESS_CHILD - 1] = ObjectIdGetDatum(progress->child);
	nulls[PROGRESS_CHILD - 1] = !OidIsValid(progress->child);
	values[PROGRESS_DONE - 1] = Int64GetDatum(progress->done);
	values[PROGRESS_TOTAL - 1] = Int64GetDatum(progress->total);
	nulls[PROGRESS_TOTAL - 1] = progress->total == 0;
	values[PROGRESS_UPDATED - 1] = TimestampTzGetDatum(now);
	values[PROGRESS_ERRORS - 1] = Int64GetDatum(progress->rejected.errors);
	values[PROGRESS_DUPLICATES - 1] = Int64GetDatum(progress->rejected.duplicates);
	values[PROGRESS_CONSTRAINTS - 1] = Int64GetDatum(progress->rejected.constraints);

	while (HeapTupleIsValid(tup = router_catalog_next(scan)) && !is_mine(tup, desc))
		;
	found = HeapTupleIsValid(tup);
	if (found && strcmp(router_get_text(tup, PROGRESS_ACTION, desc), progress->action) == 0)
	{
		started = get_time(tup, PROGRESS_STARTED, desc);
		if (strcmp(router_get_text(tup, PROGRESS_PHASE, desc), progress->phase) == 0)
		{
			phase_started = get_time(tup, PROGRESS_PHASE_STARTED, desc);
			phase_done = get_number(tup, PROGRESS_PHASE_DONE, desc);
		}
	}
	values[PROGRESS_STARTED - 1] = TimestampTzGetDatum(started);
	values[PROGRESS_PHASE_STARTED - 1] = TimestampTzGetDatum(phase_started);
	values[PROGRESS_PHASE_DONE - 1] = Int64GetDatum(phase_done);
	if (found)
		CatalogTupleUpdate(scan->heap_rel, &tup->t_self, heap_form_tuple(desc, values, nulls));
	router_catalog_end_write(scan);
	if (!found)
	{
		sweep_progress(progress->base, false);
		router_catalog_insert("progress_def", values, nulls);
	}
}

/* This session's statement is done with a base. */
void
router_catalog_end_progress(Oid base)
{
	SysScanDesc scan = router_catalog_scan_to_write("progress_def", "progress_def_pkey", PROGRESS_BASE, base);
	TupleDesc	desc = RelationGetDescr(scan->heap_rel);
	HeapTuple	tup;

	while (HeapTupleIsValid(tup = router_catalog_next(scan)))
		if (is_mine(tup, desc))
			CatalogTupleDelete(scan->heap_rel, &tup->t_self);
	router_catalog_end_write(scan);
}

/* A base is a routed table no longer. */
void
router_catalog_remove_progress(Oid base)
{
	sweep_progress(base, true);
}
