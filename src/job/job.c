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
 * A deadlock is the job's to lose, not that of a transaction of the application:
 * it looks for one soon after it began to wait, and gives up before others do,
 * unless its lock_timeout is longer than their deadlock_timeout.
 *
 * Of several bases each has its turn (router_job_round), whatever becomes of the
 * others, and each owner: the next base is one of the owner who has had the least
 * time so far, so that who has many that take long keeps others waiting for one.
 *
 * Memory: job->cxt lives until router_job_end, what a step allocates until its end.
 */
#include "compat.h"
#include "job/job.h"

#include "access/xact.h"
#include "catalog/pg_class.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "pgstat.h"
#include "storage/latch.h"
#include "storage/proc.h"
#include "tcop/tcopprot.h"
#include "utils/backend_status.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/plancache.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "base/attempt.h"
#include "base/args.h"
#include "base/budget.h"
#include "route/catalog.h"
#include "child/create.h"
#include "route/loose.h"
#include "mirror/mirror.h"
#include "route/owned.h"
#include "base/owner.h"
#include "base/pin.h"
#include "base/sql.h"

/* how often a step that did not get its lock is tried again, and the longest pause between */
#define MAX_TRIES 20
#define MAX_PAUSE_MS 2000L

/* this try is the first with the full lock_timeout, each before it had half of that of the next */
#define SHORT_TRIES 5

/* a base whose locks could not be had once is tried so often from then on */
#define FEW_TRIES 5

/* tells the lock of a run from advisory locks of users, which have 1 and 2 there */
#define RUN_LOCK 3

/* deadlock_timeout of a step */
#define DEADLOCK_TIMEOUT "50ms"

/* how often a step of this base is tried */
static int	max_tries = MAX_TRIES;

/* An argument lock_timeout in milliseconds. */
static int
lock_timeout_of(const Interval *interval)
{
	double		ms = interval->time / 1000.0 + (interval->day + interval->month * 30.0) * 86400000.0;

	if (ms < 1 || ms > PG_INT32_MAX)
		router_bad_value("lock_timeout", router_interval_text(interval), "Give an interval from 1 millisecond to 24 days.");
	return (int) ms;
}

/* An argument time_budget, or NULL for none, as a point of time. */
static TimestampTz
deadline_of(const Interval *budget)
{
	return budget == NULL ? DT_NOEND :
		DatumGetTimestampTz(DirectFunctionCall2(timestamptz_pl_interval, TimestampTzGetDatum(GetCurrentTimestamp()),
												IntervalPGetDatum(budget)));
}

/* No step begins when so much time has gone; NULL: there is no end. */
void
router_job_set_budget(RouterJob *job, const Interval *budget)
{
	job->deadline = deadline_of(budget);
}

/*
 * Makes a job of the call of a procedure (of a function: an atomic one) and
 * connects to SPI. The base and the deadline are set later. lock_timeout,
 * dry_run: the numbers of these arguments; -1: there is none.
 */
void
router_job_begin(RouterJob *job, FunctionCallInfo fcinfo, const char *action, int lock_timeout, int dry_run)
{
	job->action = action;
	job->dry_run = dry_run >= 0 && router_arg_bool(fcinfo, dry_run);
	router_will_write(fcinfo, job->dry_run);
	if (lock_timeout >= 0)
		router_require_argument(fcinfo, lock_timeout);
	job->lock_timeout = lock_timeout >= 0 ? lock_timeout_of(PG_GETARG_INTERVAL_P(lock_timeout)) : LockTimeout;
	job->deadline = DT_NOEND;
	memset(&job->rejected, 0, sizeof(job->rejected));
	max_tries = MAX_TRIES;
	job->atomic = router_is_atomic(fcinfo);
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

typedef struct Try
{
	RouterJob  *job;
	RouterStep	step;
	bool		as_owner;
	MemoryContext work;
} Try;

/* With its locks in hand: was the base given to somebody else while a step waited for them? */
static void
check_same_owner(Oid base, Oid owner)
{
	if (get_rel_name(base) && router_relation_owner(base) != owner)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table \"%s\" got another owner meanwhile", get_rel_name(base)),
				 errhint("Nothing of this step was done. Run it again, as a role that may act for the owner.")));
}

static bool
run_step(void *arg)
{
	Try		   *try = arg;
	RouterJob  *job = try->job;
	RouterAsOwner saved;
	int			guc_level = NewGUCNestLevel();
	Oid			owner = InvalidOid;
	bool		keep;

	MemoryContextSwitchTo(try->work);
	(void) set_config_option("lock_timeout", psprintf("%d", job->lock_timeout), PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	(void) set_config_option("deadlock_timeout", DEADLOCK_TIMEOUT, PGC_SUSET, PGC_S_SESSION, GUC_ACTION_SAVE, true,
							 0, false);
	PushActiveSnapshot(GetTransactionSnapshot());
	if (try->as_owner && get_rel_name(job->base) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("table %u was dropped meanwhile", job->base)));
	/* expressions of indexes and constraints are the owner's, and run as such; an abort undoes it */
	if (try->as_owner)
	{
		router_check_owner(job->base);
		owner = router_relation_owner(job->base);
		router_become_owner(&saved, owner, router_is_own_temp(job->base), NULL);
	}
	keep = try->step(job);
	if (try->as_owner)
	{
		router_become_user(&saved);
		check_same_owner(job->base, owner);
	}
	PopActiveSnapshot();
	AtEOXact_GUC(false, guc_level);
	return keep;
}

/*
 * Runs a step once. NULL: it succeeded; else nothing of it is left but this error, in job->cxt. Commits nothing. Throws
 * a cancel.
 */
static ErrorData *
try_step(RouterJob *job, RouterStep step, bool as_owner)
{
	Try			try = {.job = job,.step = step,.as_owner = as_owner};
	ErrorData  *error;

	try.work = AllocSetContextCreate(job->cxt, "router job step", ALLOCSET_DEFAULT_SIZES);
	MemoryContextSwitchTo(job->cxt);
	error = router_attempt_step(run_step, &try);
	MemoryContextDelete(try.work);
	return error;
}

/* What a function of a procedural language raises has another domain than what core and router do. */
bool
router_job_is_worth_a_retry(const ErrorData *error)
{
	if (error->domain == NULL || strcmp(error->domain, PG_TEXTDOMAIN("postgres")) != 0)
		return false;
	return error->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE || error->sqlerrcode == ERRCODE_T_R_SERIALIZATION_FAILURE ||
		error->sqlerrcode == ERRCODE_T_R_DEADLOCK_DETECTED;
}

static void
commit(RouterJob *job)
{
	if (job->lazy)
		(void) set_config_option("synchronous_commit", "off", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_LOCAL, true, 0, false);
	if (!job->atomic)
		SPI_commit();
	MemoryContextSwitchTo(job->cxt);
}

/* Nothing is left of a step that failed. The transaction goes, too: with a broken server it could not commit. */
static void
abandon(RouterJob *job)
{
	if (!job->atomic)
		SPI_rollback();
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

/* Leaves the server to others for some milliseconds. */
void
router_job_sleep(long ms)
{
	if (ms == 0)
		return;
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, ms, PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
}

/* Waits for them, to the end of their transactions, as CREATE INDEX CONCURRENTLY does. */
void
router_job_wait(TransactionId xid)
{
	VirtualTransactionId *older;
	int			n = router_older_snapshots(xid, &older);

	for (int i = 0; i < n; i++)
		(void) VirtualXactLock(older[i], true);
}

/*
 * Runs a step until it gets its locks, and commits it. NULL: it succeeded. A
 * cancel is thrown at once. While it waits for a lock others queue up behind
 * it, so that first tries are short: most transactions are.
 */
ErrorData *
router_job_insist(RouterJob *job, RouterStep step, bool as_owner)
{
	int			lock_timeout = job->lock_timeout;

	for (int tries = 1;; tries++)
	{
		ErrorData  *error;

		job->lock_timeout = job->atomic ? lock_timeout : Max(lock_timeout >> Max(SHORT_TRIES - tries, 0), 1);
		error = try_step(job, step, as_owner);
		job->lock_timeout = lock_timeout;

		if (error == NULL)
		{
			commit(job);
			return NULL;
		}
		abandon(job);
		if (job->atomic || !router_job_is_worth_a_retry(error))
			return error;
		if (tries >= max_tries)
		{
			max_tries = FEW_TRIES;
			return error;
		}
		FreeErrorData(error);
		router_job_pause(tries);
	}
}

/* The name of a table that is not locked: its number if it is gone. */
char *
router_job_name(Oid relid)
{
	char	   *name = get_rel_name(relid);
	char	   *schema = name ? get_namespace_name(get_rel_namespace(relid)) : NULL;

	return schema ? quote_qualified_identifier(schema, name) : psprintf("%u", relid);
}

/* The session's text in pg_stat_activity: the statement, and as a comment behind it what it is at, or NULL. */
static void
report_activity(const char *what)
{
	uint64		query_id = pgstat_get_my_query_id();

	if (debug_query_string == NULL)
		return;					/* a worker that runs no statement */
	pgstat_report_activity(STATE_RUNNING, what ? psprintf("%s -- %s", debug_query_string, what) : debug_query_string);
	pgstat_report_query_id(query_id, true);
}

/*
 * Says how far the job is, in router.progress and pg_stat_activity: to be
 * called within a step, with whose work it is committed. child: what is worked
 * on, or InvalidOid. total: 0 for unknown; an estimate will do. What they count
 * is up to the phase: rows, or children. router_job_note ends it.
 */
void
router_job_progress(RouterJob *job, const char *phase, Oid child, uint64 done, uint64 total)
{
	RouterProgress progress = {.base = job->base,.action = job->action,.phase = phase,.child = child};
	const char *name = router_job_name(OidIsValid(child) ? child : job->base);

	progress.done = done;
	progress.total = total;
	progress.rejected = job->rejected;
	/* in a transaction block nobody else could see it before it is over */
	if (!job->atomic)
		router_catalog_put_progress(&progress);
	report_activity(total == 0 ? psprintf("%s: %s", name, phase) :
					psprintf("%s: %s, " UINT64_FORMAT " of " UINT64_FORMAT, name, phase, done, Max(done, total)));
}

/* The planner's estimate of the rows of a query. SPI is connected. */
uint64
router_job_estimate(const char *query)
{
	SPIPlanPtr	plan = SPI_prepare(query, 0, NULL);
	CachedPlan *cached = plan ? SPI_plan_get_cached_plan(plan) : NULL;
	double		rows = 0;

	if (cached)
	{
		rows = linitial_node(PlannedStmt, cached->stmt_list)->planTree->plan_rows;
		ReleaseCachedPlan(cached, NULL);
	}
	if (plan)
		SPI_freeplan(plan);
	return (uint64) rows;
}

typedef struct Note
{
	RouterJob  *job;
	uint64		rows;
	const ErrorData *error;
} Note;

/* What somebody tried who may not is no event of the table. */
static void
put_event(const Note *note, bool open)
{
	RouterJob  *job = note->job;
	RouterEvent event = {.base = job->base,.action = job->action,.rows = note->rows,.error = note->error};

	if (!OidIsValid(job->told_to) && get_rel_name(job->base) && !router_owns_relation(job->base, GetUserId()))
		return;
	event.name = get_rel_name(job->base) ? router_qualified_name(job->base) : NULL;
	event.told_to = job->told_to;
	event.open = open;
	event.heartbeat = !open && note->rows == 0 && note->error == NULL;
	router_catalog_note_event(&event);
}

/*
 * Notes that the job has begun with its base, and commits: so that it is known of if it does not come to its end,
 * whatever ends it. router_job_note completes it. In a transaction block it is noted in the end only.
 */
void
router_job_open(RouterJob *job)
{
	Note		note = {.job = job};

	if (job->atomic || job->dry_run)
		return;
	PushActiveSnapshot(GetTransactionSnapshot());
	put_event(&note, true);
	PopActiveSnapshot();
	commit(job);
}

static bool
write_note(void *arg)
{
	Note	   *note = arg;
	RouterJob  *job = note->job;

	/* a long message is toasted, which takes a snapshot */
	PushActiveSnapshot(GetTransactionSnapshot());
	put_event(note, false);
	router_catalog_end_progress(job->base);
	PopActiveSnapshot();
	report_activity(NULL);
	commit(job);
	return true;
}

/*
 * Records the outcome in router.events, ends what router.progress shows, and
 * commits; error NULL: it went well. Rolled back with the caller if atomic.
 */
void
router_job_note(RouterJob *job, uint64 rows, const ErrorData *error)
{
	Note		note = {job, rows, error};

	(void) write_note(&note);
}

/* -------------------------------------------------------------------------- errors */

/*
 * An error that nothing has raised, in job->cxt; detail, hint: or NULL. It is raised and caught at once: only errstart
 * knows who is to be told of it.
 */
ErrorData *
router_job_error(const RouterJob *job, int code, const char *message, const char *detail, const char *hint)
{
	ErrorData  *volatile error = NULL;

	PG_TRY();
	{
		ereport(ERROR,
				(errcode(code),
				 errmsg_internal("%s", message),
				 detail ? errdetail_internal("%s", detail) : 0,
				 hint ? errhint("%s", hint) : 0));
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(job->cxt);
		error = CopyErrorData();
		FlushErrorState();
	}
	PG_END_TRY();
	return error;
}

/* Says what went wrong, and lets the rest go on. */
void
router_job_warn(RouterJob *job, ErrorData *error)
{
	char	   *name = router_job_name(job->base);

	job->failed = true;
	ereport(WARNING,
			(errcode(error->sqlerrcode),
			 errmsg("%s of %s failed: %s", job->action, name, error->message),
			 error->detail ? errdetail("%s", error->detail) : 0,
			 error->hint ? errhint("%s", error->hint) : 0));
	FreeErrorData(error);
}

/* ----------------------------------------------------------------- one run a base */

/* An advisory lock of the session, of a class that SQL functions do not use: it outlives a rollback. */
static void
run_lock(LOCKTAG *tag, Oid base)
{
	SET_LOCKTAG_ADVISORY(*tag, MyDatabaseId, RelationRelationId, base, RUN_LOCK);
}

/* Of those who copy tables of a base one is at work. False: another one is. */
bool
router_job_begin_run(Oid base)
{
	LOCKTAG		tag;

	run_lock(&tag, base);
	return LockAcquire(&tag, ExclusiveLock, true, true) != LOCKACQUIRE_NOT_AVAIL;
}

void
router_job_end_run(Oid base)
{
	LOCKTAG		tag;

	run_lock(&tag, base);
	(void) LockRelease(&tag, ExclusiveLock, true);
}

/* Is one at work? */
bool
router_job_is_run(Oid base)
{
	LOCKTAG		tag;
	int			n;

	run_lock(&tag, base);
	(void) GetLockConflicts(&tag, ShareLock, &n);
	return n > 0;
}

/* ------------------------------------------------------------------ several bases */

/* Ends the transaction of an error that was caught, and begins another one. SPI is connected. */
void
router_job_rollback(void)
{
	PG_TRY();
	{
		SPI_rollback();
	}
	PG_CATCH();
	{
		/* it has begun another one nevertheless */
		FlushErrorState();
	}
	PG_END_TRY();
}

/*
 * As router_attempt, for what commits in between. What is thrown between steps has no subtransaction: the transaction
 * goes.
 */
ErrorData *
router_attempt_transactions(bool (*work) (void *arg), void *arg)
{
	MemoryContext caller = CurrentMemoryContext;
	ErrorData  *volatile error = NULL;

	PG_TRY();
	{
		(void) work(arg);
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(caller);
		error = CopyErrorData();
		FlushErrorState();
	}
	PG_END_TRY();
	if (error)
		router_job_rollback();
	MemoryContextSwitchTo(caller);
	return error;
}

typedef struct Turn
{
	RouterJob  *job;
	RouterWork	work;
	ErrorData  *error;			/* that work returned */
} Turn;

static bool
take_turn(void *arg)
{
	Turn	   *turn = arg;

	router_job_open(turn->job);
	turn->error = turn->work(turn->job);
	return true;
}

/*
 * A turn is over, and its event has not been completed: there was nothing to do, or its parts have noted what they did.
 */
static bool
close_turn(void *arg)
{
	Note	   *note = arg;
	RouterJob  *job = note->job;

	if (job->atomic || job->dry_run || !router_catalog_event_is_open(job->base, job->action))
		return true;
	if (note->error == NULL && job->failed)
		note->error = router_job_error(job, ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, "a part of it failed", NULL, NULL);
	return write_note(note);
}

/* Notes how a turn ended; that this fails is a WARNING. */
static void
note_turn(RouterJob *job, RouterAttempt attempt, bool (*write) (void *arg), const ErrorData *error)
{
	Note		note = {job, 0, error};
	ErrorData  *wrong = attempt(write, &note);

	if (wrong && router_is_cancel(wrong))
		ReThrowError(wrong);
	if (wrong)
		ereport(WARNING,
				(errcode(wrong->sqlerrcode),
				 errmsg("could not note a failure in router.events: %s", wrong->message)));
}

/*
 * Does all the work on job->base, no longer than the budget (NULL: no limit),
 * after which no step begins and what is under way is canceled. NULL: it went
 * well; else what work returned, or what was thrown, which is in router.events
 * then. Throws a cancel by others only.
 */
static ErrorData *
work_on(RouterJob *job, const Interval *budget, RouterWork work)
{
	TimestampTz deadline = job->deadline;
	const char *action = job->action;
	Turn		turn = {.job = job,.work = work};
	RouterAttempt attempt = job->atomic ? router_attempt : router_attempt_transactions;
	ErrorData  *thrown;

	MemoryContextSwitchTo(job->cxt);
	max_tries = MAX_TRIES;
	job->deadline = Min(deadline, deadline_of(budget));
	thrown = router_attempt_within(budget, attempt, take_turn, &turn);
	job->deadline = deadline;
	if (thrown)
		note_turn(job, attempt, write_note, thrown);
	job->action = action;
	note_turn(job, attempt, close_turn, thrown ? thrown : turn.error);
	return thrown ? thrown : turn.error;
}

/* The bases of an owner that wait for their turn. */
typedef struct Queue
{
	Oid			owner;
	List	   *bases;
	int64		used;			/* by those before, microseconds */
} Queue;

/* Whose turn is next. */
typedef struct Turns
{
	List	   *queues;
	Queue	   *current;
	TimestampTz since;			/* current has its turn */
} Turns;

/* Of an owner the bases come in the order in which they are given. */
static Turns *
make_turns(List *bases)
{
	Turns	   *turns = palloc0(sizeof(Turns));
	ListCell   *lb,
			   *lq;

	foreach(lb, bases)
	{
		Oid			base = lfirst_oid(lb);
		Oid			owner = get_rel_name(base) ? router_relation_owner(base) : InvalidOid;
		Queue	   *queue = NULL;

		foreach(lq, turns->queues)
			if (((Queue *) lfirst(lq))->owner == owner)
				queue = lfirst(lq);
		if (queue == NULL)
		{
			queue = palloc0(sizeof(Queue));
			queue->owner = owner;
			turns->queues = lappend(turns->queues, queue);
		}
		queue->bases = lappend_oid(queue->bases, base);
	}
	return turns;
}

/* The base whose turn is next; false: all have had theirs. */
static bool
next_turn(Turns *turns, Oid *base)
{
	TimestampTz now = GetCurrentTimestamp();
	Queue	   *next = NULL;
	ListCell   *lc;

	if (turns->current)
		turns->current->used += now - turns->since;
	foreach(lc, turns->queues)
	{
		Queue	   *queue = lfirst(lc);

		if (queue->bases != NIL && (next == NULL || queue->used < next->used))
			next = queue;
	}
	turns->current = next;
	turns->since = now;
	if (next == NULL)
		return false;
	*base = linitial_oid(next->bases);
	next->bases = list_delete_first(next->bases);
	return true;
}

bool
router_job_is_late(const RouterJob *job)
{
	return GetCurrentTimestamp() >= job->deadline;
}

/* Who calls for all of them, and owns none, has not made a mistake that he would notice. */
static void
warn_of_others(const RouterJob *job, List *others)
{
	List	   *owners = NIL;
	StringInfoData names;
	ListCell   *lc;

	initStringInfo(&names);
	foreach(lc, others)
	{
		HeapTuple	tup = SearchSysCache1(RELOID, ObjectIdGetDatum(lfirst_oid(lc)));

		if (!HeapTupleIsValid(tup))
			continue;
		if (((Form_pg_class) GETSTRUCT(tup))->relpersistence != RELPERSISTENCE_TEMP)
			owners = list_append_unique_oid(owners, ((Form_pg_class) GETSTRUCT(tup))->relowner);
		ReleaseSysCache(tup);
	}
	foreach(lc, owners)
		appendStringInfo(&names, "%s%s", names.len > 0 ? ", " : "", GetUserNameFromId(lfirst_oid(lc), false));
	if (owners != NIL)
		ereport(WARNING,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("%s has nothing to do: no routed table belongs to role \"%s\"", job->action,
						GetUserNameFromId(GetUserId(), false)),
				 errdetail("They belong to %s.", names.data),
				 errhint("Call it as such a role, or as a member of it.")));
}

/* Those of the bases that a query finds which are meant where none is named. */
static List *
find_bases(const RouterJob *job, const char *query)
{
	List	   *bases = NIL;
	List	   *others = NIL;
	int			guc_level = router_pin_settings(NULL);

	if (SPI_execute(query, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read the bases");
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		bool		isnull;
		Oid			base = DatumGetObjectId(SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1, &isnull));

		if (router_is_meant(base))
			bases = lappend_oid(bases, base);
		else
			others = lappend_oid(others, base);
	}
	AtEOXact_GUC(false, guc_level);
	if (bases == NIL)
		warn_of_others(job, others);
	return bases;
}

/*
 * Does a procedure's work on one base after the other, and ends the job. What
 * fails is a WARNING, and the next base has its turn; in the end it is an error. Of
 * a base that is named it is that error itself.
 */
void
router_job_round(RouterJob *job, FunctionCallInfo fcinfo, const RouterRound *round)
{
	const Interval *budget = router_table_budget(fcinfo, round->table_budget);
	bool		several = PG_ARGISNULL(0);
	List	   *bases = several ? find_bases(job, round->bases) : list_make1_oid(PG_GETARG_OID(0));
	int			n = list_length(bases);
	Turns	   *turns = make_turns(bases);
	int			done = 0;
	int			failed = 0;

	router_job_set_budget(job, router_arg_interval(fcinfo, round->time_budget));
	while ((done == 0 || !round->nightly || !router_job_is_late(job)) && next_turn(turns, &job->base))
	{
		ErrorData  *error;

		job->failed = false;
		error = work_on(job, budget, round->work);
		if (error && !several && !round->nightly)
			ReThrowError(error);
		if (error)
			router_job_warn(job, error);
		failed += job->failed;
		done++;
	}
	router_job_end(job);
	if (done < n)
		ereport(NOTICE, (errmsg("the time budget is used up: %d of %d tables wait for the next run", n - done, n)));
	if (failed > 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg(round->failure, failed, n),
				 job->atomic ? 0 : errdetail("What was done to the others is committed."),
				 errhint("See router.events for the reasons.")));
}
