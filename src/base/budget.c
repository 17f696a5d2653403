/*
 * budget.c
 *		What one base may cost those whose turn comes after it, where several
 *		are worked on: its errors are its own, and its time is limited.
 *
 * What the owner of a base has defined runs in the midst of maintenance, and
 * may raise whatever it likes, catch whatever comes, or never end. So:
 *	- A cancel is one if core has raised it when it processed an interrupt
 *	  (router_is_cancel), not if it has that SQLSTATE only. It ends all of the
 *	  work, also where a function has caught it: each error passes the context
 *	  callbacks when it is raised, ours among them, before anybody can catch it.
 *	- A timer of our own cancels what runs for a base too long, again and again,
 *	  until it lets go. That is told from a cancel of others by who set the flag.
 *	- Where transaction_timeout exists, it would end the session: what runs in a
 *	  security-restricted operation must not set it meanwhile.
 * A function that catches every cancel and goes on can only be terminated.
 *
 * Memory: the error of a cancel, in the context that the work was begun in.
 */
#include "compat.h"
#include "base/budget.h"

#include "miscadmin.h"
#include "storage/latch.h"
#include "utils/fmgrprotos.h"
#include "utils/guc_tables.h"
#include "utils/timeout.h"

#include "base/args.h"

/* of a base, where all have their turn: most of a night, so that one that is stuck leaves some to the others */
#define USUAL_HOURS 6

/* the pause before the next cancel: what cleans up after the first shall have the time */
#define AGAIN_MS 10000

/* what is under way when the budget is used up may go on for so much of it, as nothing new is begun */
#define OVERTIME 10

/* The base that is worked on. */
typedef struct Watch
{
	bool		active;
	MemoryContext cxt;
	char	   *budget;			/* in text */
	bool		over;			/* we have canceled something */
	ErrorData  *canceled;		/* somebody else has; NULL: no, or thrown already */
	bool		thrown;
} Watch;

static Watch watch;

/* A cancel is pending that the timer has asked for. */
static volatile sig_atomic_t ours;

static TimeoutId timer = MAX_TIMEOUTS;

/* An argument table_budget. NULL: the usual for all bases (the first argument is NULL), none for one that is named. */
const Interval *
router_table_budget(FunctionCallInfo fcinfo, int arg)
{
	static const Interval usual = {.time = USUAL_HOURS * USECS_PER_HOUR};
	const Interval *budget;

	if (PG_ARGISNULL(arg))
		return PG_ARGISNULL(0) ? &usual : NULL;
	budget = PG_GETARG_INTERVAL_P(arg);
	if (!router_is_above_zero(budget))
		router_bad_value("table_budget", router_interval_text(budget), "Give an interval above zero.");
	return budget;
}

/* Core tells of one cause, if several have come before it could look. */
static bool
is_statement_timeout(const ErrorData *error)
{
	return error->message_id && strcmp(error->message_id, "canceling statement due to statement timeout") == 0;
}

/* Sees each error of the work when it is raised. There may be millions, and FreeErrorData leaves some memory behind. */
static void
see_error(void *arg)
{
	MemoryContext cxt;
	MemoryContext old;
	ErrorData  *error;
	bool		mine;

	if (geterrcode() != ERRCODE_QUERY_CANCELED && geterrcode() != ERRCODE_LOCK_NOT_AVAILABLE)
		return;
	cxt = AllocSetContextCreate(watch.cxt, "router error", ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(cxt);
	error = CopyErrorData();
	MemoryContextSwitchTo(old);
	mine = ours && router_is_interrupt(error);
	if (mine)
		ours = false;			/* also a lock_timeout at the same time takes the pending cancel away */
	if (mine && !is_statement_timeout(error))
		watch.over = true;
	else if (router_is_cancel(error) && watch.canceled == NULL)
	{
		watch.canceled = error;
		return;
	}
	MemoryContextDelete(cxt);
}

/* The timer, in a signal handler. */
static void
ask_for_cancel(void)
{
	if (!QueryCancelPending)
		ours = true;
	QueryCancelPending = true;
	InterruptPending = true;
	SetLatch(MyLatch);
}

static void
start_timer(const Interval *budget)
{
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz end = DatumGetTimestampTz(DirectFunctionCall2(timestamptz_pl_interval, TimestampTzGetDatum(now),
															  IntervalPGetDatum(budget)));

	watch.budget = DatumGetCString(DirectFunctionCall1(interval_out, IntervalPGetDatum(budget)));
	/* the alarm of a longer one could not be set */
	if (end - now > 365 * USECS_PER_DAY)
		return;
	if (timer == MAX_TIMEOUTS)
		timer = RegisterTimeout(USER_TIMEOUT, ask_for_cancel);
	enable_timeout_every(timer, end + (end - now) / OVERTIME, AGAIN_MS);
}

static void
stop_timer(void)
{
	if (timer != MAX_TIMEOUTS)
		disable_timeout(timer, false);
	/* that one was not for what comes next; a statement_timeout in the same moment is */
	if (ours && !get_timeout_indicator(STATEMENT_TIMEOUT, false))
		QueryCancelPending = false;
	ours = false;
}

static bool
raise_overdue(void *arg)
{
	ereport(ERROR,
			(errcode(ERRCODE_QUERY_CANCELED),
			 errmsg("it took longer than its table_budget of %s", watch.budget),
			 errhint("What is committed stays, and the next run goes on. Look what its functions do and what it waits for, or give it more time by table_budget.")));
	return false;
}

/*
 * Has the work on one base done by an attempt, within a budget (NULL: no limit).
 * NULL: it went well. Throws a cancel by others only. Within work that is
 * watched already there is no other budget.
 */
ErrorData *
router_attempt_within(const Interval *budget, RouterAttempt attempt, bool (*work) (void *arg), void *arg)
{
	ErrorContextCallback seer = {.previous = error_context_stack,.callback = see_error};
	ErrorData  *error = NULL;

	if (watch.active)
		return router_attempt_step(work, arg);
	memset(&watch, 0, sizeof(watch));
	watch.cxt = CurrentMemoryContext;
	ours = false;
	if (budget)
		start_timer(budget);
	watch.active = true;
	error_context_stack = &seer;
	PG_TRY();
	{
		error = attempt(work, arg);
	}
	PG_FINALLY();
	{
		watch.active = false;
		stop_timer();
	}
	PG_END_TRY();
	error_context_stack = seer.previous;
	if (watch.canceled)
		ReThrowError(error && router_is_cancel(error) ? error : watch.canceled);
	if (error && watch.thrown)
		ReThrowError(error);
	return error && watch.over ? router_attempt(raise_overdue, NULL) : error;
}

/*
 * Does a part of the work as router_attempt does. Throws a cancel by others, also
 * if the work has caught it, but not one from before: this may be what cleans up.
 */
ErrorData *
router_attempt_step(bool (*work) (void *arg), void *arg)
{
	Watch		before = watch;
	ErrorData  *canceled;
	ErrorData  *error;
	bool		over;

	watch.over = false;
	watch.canceled = NULL;
	error = router_attempt(work, arg);
	canceled = error && router_is_cancel(error) && !watch.over ? error : watch.canceled;
	over = watch.over;
	watch.over |= before.over;
	watch.canceled = before.canceled;
	if (canceled)
	{
		watch.thrown = true;
		ReThrowError(canceled);
	}
	return error && over ? router_attempt(raise_overdue, NULL) : error;
}

/* ------------------------------------------------------------ transaction_timeout */

#ifdef ROUTER_HAS_TRANSACTION_TIMEOUT
static GucIntCheckHook next_check_hook = NULL;

static bool
check_transaction_timeout(int *newval, void **extra, GucSource source)
{
	if (watch.active && InSecurityRestrictedOperation())
	{
		GUC_check_errcode(ERRCODE_INSUFFICIENT_PRIVILEGE);
		GUC_check_errmsg("cannot set \"%s\" within maintenance", "transaction_timeout");
		return false;
	}
	return next_check_hook == NULL || next_check_hook(newval, extra, source);
}
#endif

void
router_budget_init(void)
{
#ifdef ROUTER_HAS_TRANSACTION_TIMEOUT
	struct config_int *setting = (struct config_int *) find_option("transaction_timeout", false, false, ERROR);

	next_check_hook = setting->check_hook;
	setting->check_hook = check_transaction_timeout;
#endif
}
