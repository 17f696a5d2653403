/*
 * job.c
 *		The frame of maintenance: steps that succeed or leave nothing behind,
 *		tried again while locks cannot be had, committed one by one, and the
 *		outcome in router.events.
 *
 * A step runs in a subtransaction with a lock_timeout of its own, as the owner
 * of the base unless told otherwise. In a transaction block nothing is
 * committed between steps, and none is tried twice: the lock of who is in the
 * way would be waited for with all of ours in hand.
 *
 * Memory: job->cxt lives until router_job_end, what a step allocates until its end.
 */
#include "compat.h"
#include "job.h"

#include "access/xact.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "pgstat.h"
#include "storage/latch.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "child.h"
#include "mirror.h"

/* how often a step that did not get its lock is tried again, and the longest pause between */
#define MAX_TRIES 20
#define MAX_PAUSE_MS 2000L

/* Makes a job of the call of a procedure (of a function: an atomic one) and connects to SPI. The base is set later. */
void
router_job_begin(RouterJob *job, FunctionCallInfo fcinfo, const char *action)
{
	job->action = action;
	job->atomic = !(fcinfo->context && IsA(fcinfo->context, CallContext) &&
					!castNode(CallContext, fcinfo->context)->atomic);
	job->cxt = AllocSetContextCreate(PortalContext, "router job", ALLOCSET_DEFAULT_SIZES);
	SPI_connect_ext(job->atomic ? 0 : SPI_OPT_NONATOMIC);
	MemoryContextSwitchTo(job->cxt);
}

void
router_job_end(RouterJob *job)
{
	SPI_finish();
	MemoryContextDelete(job->cxt);
}

/* Runs a step once. NULL: it succeeded; else nothing of it is left but this error, in job->cxt. Commits nothing. */
ErrorData *
router_job_try(RouterJob *job, RouterStep step, bool as_owner)
{
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData  *error = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(job->cxt);
	PG_TRY();
	{
		MemoryContext work = AllocSetContextCreate(job->cxt, "router job step", ALLOCSET_DEFAULT_SIZES);
		RouterAsOwner saved;
		int			guc_level = NewGUCNestLevel();
		bool		keep;

		MemoryContextSwitchTo(work);
		(void) set_config_option("lock_timeout", psprintf("%d", job->lock_timeout), PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_SAVE, true, 0, false);
		PushActiveSnapshot(GetTransactionSnapshot());
		/* expressions of indexes and constraints are the owner's, and run as such; an abort undoes it */
		if (as_owner)
			router_become_owner(&saved, router_relation_owner(job->base),
								get_rel_persistence(job->base) == RELPERSISTENCE_TEMP, NULL);
		keep = step(job);
		if (as_owner)
			router_become_user(&saved);
		PopActiveSnapshot();
		AtEOXact_GUC(true, guc_level);
		MemoryContextSwitchTo(job->cxt);
		MemoryContextDelete(work);
		if (keep)
			ReleaseCurrentSubTransaction();
		else
			RollbackAndReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(job->cxt);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(job->cxt);
	CurrentResourceOwner = owner;
	return error;
}

static bool
worth_a_retry(const ErrorData *error)
{
	return error->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE || error->sqlerrcode == ERRCODE_T_R_SERIALIZATION_FAILURE ||
		error->sqlerrcode == ERRCODE_T_R_DEADLOCK_DETECTED;
}

static void
commit(RouterJob *job)
{
	if (!job->atomic)
		SPI_commit();
	MemoryContextSwitchTo(job->cxt);
}

/* Waits before the next try, the longer the more there were. */
void
router_job_pause(int tries)
{
	ResetLatch(MyLatch);		/* a lock timeout leaves it set */
	CHECK_FOR_INTERRUPTS();
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, Min(MAX_PAUSE_MS, 50L << Min(tries, 6)),
					 PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
}

/* Runs a step until it gets its locks, and commits it. NULL: it succeeded. A cancel is thrown at once. */
ErrorData *
router_job_insist(RouterJob *job, RouterStep step, bool as_owner)
{
	for (int tries = 1;; tries++)
	{
		ErrorData  *error = router_job_try(job, step, as_owner);

		if (error && error->sqlerrcode == ERRCODE_QUERY_CANCELED)
			ReThrowError(error);
		if (error == NULL || job->atomic || tries >= MAX_TRIES || !worth_a_retry(error))
		{
			commit(job);
			return error;
		}
		FreeErrorData(error);
		commit(job);
		router_job_pause(tries);
	}
}

/* Records the outcome in router.events and commits; error NULL: it went well. Rolled back with the caller if atomic. */
void
router_job_note(RouterJob *job, uint64 rows, const ErrorData *error)
{
	char	   *name = get_rel_name(job->base) ? router_qualified_name(job->base) : NULL;

	/* a long message is toasted, which takes a snapshot */
	PushActiveSnapshot(GetTransactionSnapshot());
	router_catalog_add_event(job->base, name, job->action, rows, error ? error->message : NULL);
	PopActiveSnapshot();
	commit(job);
}

/* An argument lock_timeout in milliseconds. */
int
router_job_lock_timeout(const Interval *interval)
{
	double		ms = interval->time / 1000.0 + (interval->day + interval->month * 30.0) * 86400000.0;

	if (ms < 1 || ms > PG_INT32_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for lock_timeout"),
				 errhint("Give an interval from 1 millisecond to 24 days.")));
	return (int) ms;
}

/* An argument time_budget, or NULL for none, as a point of time. */
TimestampTz
router_job_deadline(const Interval *budget)
{
	return budget == NULL ? DT_NOEND :
		DatumGetTimestampTz(DirectFunctionCall2(timestamptz_pl_interval, TimestampTzGetDatum(GetCurrentTimestamp()),
												IntervalPGetDatum(budget)));
}
