/*
 * maintain_worker.c
 *		Maintenance once a day, by background workers, where router is in
 *		shared_preload_libraries.
 *
 * The launcher is a static worker without a database, so that it is in nobody's
 * way. At the time of router.maintain_at it makes a list of databases and starts
 * a dynamic worker for one after the other, which calls the procedure and
 * ends. It never waits for anything but its latch; what it does next follows
 * from its state: when the next run is, which databases are left, who works.
 *
 * A run that is missed because the server was down or a standby, or because the
 * clock was set forward, is not caught up. One that is due while another is
 * under way is left out. In a database only one worker does maintenance at a
 * time: a lock says so, which outlives a launcher that had to be restarted.
 *
 * Memory: the launcher's list of databases lives until they are done; a worker
 * keeps its query in a context of its own.
 */
#include "compat.h"
#include "maintain/maintain_worker.h"

#include "access/heapam.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_database.h"
#include "catalog/pg_extension.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "pgtime.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lock.h"
#include "tcop/pquery.h"
#include "tcop/tcopprot.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/guc.h"
#include "utils/memutils.h"
#include "utils/portal.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/varlena.h"

#include "base/worker.h"

/* what a worker runs in its database */
#define MAINTENANCE "CALL router.maintain()"

/* tells the lock of the maintenance worker from advisory locks of users, who have 1 and 2 */
#define MAINTENANCE_LOCK 3

/* the launcher looks at the clock so often: it may be set */
#define LOOK_MS 60000L
/* and so often for a free slot, while a worker cannot be started */
#define RETRY_MS 5000L
/* so late, a run was not due but missed */
#define TOO_LATE (10 * USECS_PER_MINUTE)

PG_FUNCTION_INFO_V1(router_maintain_next);

extern PGDLLEXPORT void router_launcher_main(Datum arg);
extern PGDLLEXPORT void router_maintenance_main(Datum arg);

static char *maintain_at = NULL;
static char *maintain_databases = NULL;
static char *maintain_role = NULL;

/* is there a launcher? */
static bool registered = false;

/* ----------------------------------------------------------------------- time */

/* A time of day. */
typedef struct DayTime
{
	int			hour;
	int			minute;
	int			second;
	pg_tz	   *zone;
} DayTime;

static bool
parse_number(const char **p, int max, int *number)
{
	if (!isdigit((unsigned char) **p))
		return false;
	*number = *(*p)++ - '0';
	if (isdigit((unsigned char) **p))
		*number = *number * 10 + *(*p)++ - '0';
	return *number <= max;
}

/* Reads 'HH:MM[:SS] [zone]'; without a zone it is log_timezone, which is one for the whole server. */
static bool
parse_day_time(const char *p, DayTime *at)
{
	at->second = 0;
	at->zone = log_timezone;
	while (isspace((unsigned char) *p))
		p++;
	if (!parse_number(&p, HOURS_PER_DAY - 1, &at->hour) || *p++ != ':' ||
		!parse_number(&p, MINS_PER_HOUR - 1, &at->minute))
		return false;
	if (*p == ':' && (p++, !parse_number(&p, SECS_PER_MINUTE - 1, &at->second)))
		return false;
	if (*p && !isspace((unsigned char) *p))
		return false;
	while (isspace((unsigned char) *p))
		p++;
	if (*p)
		at->zone = pg_tzset(p);
	return at->zone && pg_tz_acceptable(at->zone);
}

static bool
check_maintain_at(char **newval, void **extra, GucSource source)
{
	DayTime		at;

	if ((*newval)[0] == '\0' || parse_day_time(*newval, &at))
		return true;
	GUC_check_errhint("A time of day and, if need be, a time zone: \"03:00\", \"03:00:00 Europe/Zurich\". Empty: no maintenance.");
	return false;
}

static bool
check_maintain_databases(char **newval, void **extra, GucSource source)
{
	char	   *copy = pstrdup(*newval);
	List	   *names = NIL;
	bool		valid = SplitGUCList(copy, ',', &names);

	list_free(names);
	pfree(copy);
	if (!valid)
		GUC_check_errdetail("List syntax is invalid.");
	return valid;
}

/*
 * The first run after an instant; infinity: none. There is one on every day of
 * the zone: a time that is left out when clocks go forward is passed an hour
 * later, one that comes twice counts when it comes by standard time.
 */
static TimestampTz
next_run(TimestampTz after)
{
	DayTime		at;
	struct pg_tm tm;
	fsec_t		fsec;
	int			tz;
	int			day;

	if (maintain_at[0] == '\0' || !parse_day_time(maintain_at, &at) ||
		timestamp2tm(after, &tz, &tm, &fsec, NULL, at.zone) != 0)
		return DT_NOEND;
	day = date2j(tm.tm_year, tm.tm_mon, tm.tm_mday);
	for (int tries = 0; tries < 3; tries++, day++)
	{
		TimestampTz run;

		j2date(day, &tm.tm_year, &tm.tm_mon, &tm.tm_mday);
		tm.tm_hour = at.hour;
		tm.tm_min = at.minute;
		tm.tm_sec = at.second;
		tz = DetermineTimeZoneOffset(&tm, at.zone);
		if (tm2timestamp(&tm, 0, &tz, &run) == 0 && run > after)
			return run;
	}
	return DT_NOEND;			/* the end of the calendar */
}

/* router.maintain_next(after): when the worker does maintenance next; NULL: it does not. */
Datum
router_maintain_next(PG_FUNCTION_ARGS)
{
	TimestampTz next = registered ? next_run(PG_GETARG_TIMESTAMPTZ(0)) : DT_NOEND;

	if (TIMESTAMP_IS_NOEND(next))
		PG_RETURN_NULL();
	PG_RETURN_TIMESTAMPTZ(next);
}

/* ------------------------------------------------------------------- launcher */

/* The launcher's state. */
typedef struct Launcher
{
	MemoryContext cxt;
	TimestampTz next;			/* run */
	List	   *databases;		/* names of those that this run has still to do */
	BackgroundWorkerHandle *worker; /* at work, or NULL */
	bool		starved;		/* no slot for a worker: said so already */
} Launcher;

/* The names of all databases that can be connected to, in the current context. */
static List *
connectable_databases(void)
{
	MemoryContext cxt = CurrentMemoryContext;
	List	   *names = NIL;
	Relation	rel;
	TableScanDesc scan;
	HeapTuple	tup;

	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	MemoryContextSwitchTo(cxt);
	rel = table_open(DatabaseRelationId, AccessShareLock);
	scan = table_beginscan_catalog(rel, 0, NULL);
	while (HeapTupleIsValid(tup = heap_getnext(scan, ForwardScanDirection)))
	{
		Form_pg_database form = (Form_pg_database) GETSTRUCT(tup);

		/* below -1: half dropped */
		if (form->datallowconn && form->datconnlimit >= -1)
			names = lappend(names, pstrdup(NameStr(form->datname)));
	}
	table_endscan(scan);
	table_close(rel, AccessShareLock);
	CommitTransactionCommand();
	MemoryContextSwitchTo(cxt);
	return names;
}

static bool
has_name(const List *names, const char *name)
{
	ListCell   *lc;

	foreach(lc, names)
		if (strcmp(lfirst(lc), name) == 0)
			return true;
	return false;
}

/* The databases of router.maintain_databases that exist, or all that can be connected to, in the launcher's context. */
static List *
find_databases(Launcher *launcher)
{
	List	   *there = connectable_databases();
	List	   *names = NIL;
	List	   *result = NIL;
	ListCell   *lc;

	(void) SplitGUCList(pstrdup(maintain_databases), ',', &names);
	foreach(lc, names ? names : there)
	{
		char	   *name = lfirst(lc);
		MemoryContext old = MemoryContextSwitchTo(launcher->cxt);

		if (has_name(there, name))
			result = lappend(result, pstrdup(name));
		else
			ereport(LOG,
					(errcode(ERRCODE_UNDEFINED_DATABASE),
					 errmsg("database \"%s\" does not exist or cannot be connected to", name),
					 errhint("Correct router.maintain_databases.")));
		MemoryContextSwitchTo(old);
	}
	return result;
}

/* Starts a worker for the next database; the list stays as it is if there is no slot. */
static void
start_worker(Launcher *launcher)
{
	char	   *database = linitial(launcher->databases);
	BackgroundWorker worker;
	MemoryContext old;

	router_worker_describe(&worker, "router_maintenance_main", "router maintenance",
						   psprintf("router maintenance of %s", database));
	strlcpy(worker.bgw_extra, database, BGW_EXTRALEN);
	worker.bgw_notify_pid = MyProcPid;
	old = MemoryContextSwitchTo(launcher->cxt);
	if (RegisterDynamicBackgroundWorker(&worker, &launcher->worker))
	{
		launcher->databases = list_delete_first(launcher->databases);
		pfree(database);
		launcher->starved = false;
	}
	else
	{
		launcher->worker = NULL;
		if (!launcher->starved)
			ereport(LOG,
					(errcode(ERRCODE_CONFIGURATION_LIMIT_EXCEEDED),
					 errmsg("no background worker is free for the maintenance of database \"%s\"", database),
					 errdetail("It begins as soon as there is one."),
					 errhint("Raise max_worker_processes.")));
		launcher->starved = true;
	}
	MemoryContextSwitchTo(old);
}

/* Is it time for a run? Then lists what there is to do. */
static void
look_at_clock(Launcher *launcher)
{
	TimestampTz now = GetCurrentTimestamp();

	if (TIMESTAMP_IS_NOEND(launcher->next))
		return;
	if (now < launcher->next)
	{
		/* further away than any night is from the one before: the clock was set back */
		if (launcher->next - now > 2 * USECS_PER_DAY)
			launcher->next = next_run(now);
		return;
	}
	if (now - launcher->next > TOO_LATE)
		ereport(LOG,
				(errmsg("maintenance of %s was missed", timestamptz_to_str(launcher->next)),
				 errdetail("The clock was set forward, or the machine was asleep.")));
	else if (launcher->worker || launcher->databases != NIL)
		ereport(LOG,
				(errmsg("maintenance of %s is left out: the one before is still under way",
						timestamptz_to_str(launcher->next))));
	else
		launcher->databases = find_databases(launcher);
	launcher->next = next_run(now);
}

/* Shows in pg_stat_activity when the next run is. */
static void
show_next(Launcher *launcher)
{
	if (TIMESTAMP_IS_NOEND(launcher->next))
		pgstat_report_activity(STATE_IDLE, "router.maintain_at is not set");
	else
		pgstat_report_activity(STATE_IDLE, psprintf("next maintenance: %s", timestamptz_to_str(launcher->next)));
}

void
router_launcher_main(Datum arg)
{
	MemoryContext loop = AllocSetContextCreate(TopMemoryContext, "router launcher loop", ALLOCSET_SMALL_SIZES);
	Launcher	launcher = {0};

	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	router_worker_start();
	BackgroundWorkerInitializeConnection(NULL, NULL, 0);
	launcher.cxt = AllocSetContextCreate(TopMemoryContext, "router launcher", ALLOCSET_SMALL_SIZES);
	launcher.next = next_run(GetCurrentTimestamp());
	for (;;)
	{
		long		timeout = LOOK_MS;
		pid_t		pid;

		MemoryContextSwitchTo(loop);
		MemoryContextReset(loop);
		look_at_clock(&launcher);
		if (ConfigReloadPending)
		{
			ConfigReloadPending = false;
			ProcessConfigFile(PGC_SIGHUP);
			launcher.next = next_run(GetCurrentTimestamp());
		}
		if (launcher.worker && GetBackgroundWorkerPid(launcher.worker, &pid) == BGWH_STOPPED)
		{
			pfree(launcher.worker);
			launcher.worker = NULL;
		}
		if (launcher.worker == NULL && launcher.databases != NIL)
			start_worker(&launcher);
		show_next(&launcher);
		if (launcher.worker == NULL && launcher.databases != NIL)
			timeout = RETRY_MS;
		if (!TIMESTAMP_IS_NOEND(launcher.next))
			timeout = Min(timeout, TimestampDifferenceMilliseconds(GetCurrentTimestamp(), launcher.next));
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, timeout, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
}

/* -------------------------------------------------------------------- a worker */

/*
 * Runs a CALL as if a client had sent it: through a portal, outside of a
 * transaction block, so that the procedure may commit. A transaction is open
 * before and after.
 */
static void
run_call(const char *query)
{
	RawStmt    *raw = linitial_node(RawStmt, pg_parse_query(query));
	List	   *trees;
	Portal		portal;

	debug_query_string = query;
	pgstat_report_activity(STATE_RUNNING, query);
	PushActiveSnapshot(GetTransactionSnapshot());
	trees = pg_analyze_and_rewrite_fixedparams(raw, query, NULL, 0, NULL);
	trees = pg_plan_queries(trees, query, CURSOR_OPT_PARALLEL_OK, NULL);
	PopActiveSnapshot();
	portal = CreatePortal("", true, true);
	portal->visible = false;
	PortalDefineQuery(portal, NULL, query, CMDTAG_CALL, trees, NULL);
	PortalStart(portal, NULL, 0, InvalidSnapshot);
	(void) router_portal_run(portal, None_Receiver);
	PortalDrop(portal, false);
	debug_query_string = NULL;
}

/* Does maintenance, if the extension is there and nobody else is at it. */
static void
maintain(const char *database, MemoryContext cxt)
{
	TimestampTz began = GetCurrentTimestamp();
	bool		called = false;
	LOCKTAG		tag;
	Oid			extension;

	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	MemoryContextSwitchTo(cxt);
	/* another one may be set for the database */
	SetSessionAuthorization(GetAuthenticatedUserId(), superuser_arg(GetAuthenticatedUserId()));
	extension = get_extension_oid("router", true);
	if (OidIsValid(extension))
	{
		/* to the end of this process, over commits */
		SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, ExtensionRelationId, extension, MAINTENANCE_LOCK);
		if (LockAcquire(&tag, ExclusiveLock, true, true) == LOCKACQUIRE_NOT_AVAIL)
			ereport(LOG,
					(errmsg("maintenance of database \"%s\" is under way already", database)));
		else
		{
			run_call(MAINTENANCE);
			called = true;
		}
	}
	CommitTransactionCommand();
	if (called)
		ereport(LOG,
				(errmsg("maintenance of database \"%s\" took %.1f s", database,
						(GetCurrentTimestamp() - began) / (double) USECS_PER_SEC)));
}

static void
log_failure(const char *database, MemoryContext cxt)
{
	ErrorData  *error = router_worker_error(cxt);

	ereport(LOG,
			(errcode(error->sqlerrcode),
			 errmsg("maintenance of database \"%s\" failed: %s", database, error->message),
			 error->detail ? errdetail_internal("%s", error->detail) : 0,
			 error->hint ? errhint("%s", error->hint) : 0,
			 error->context ? errcontext("%s", error->context) : 0));
}

void
router_maintenance_main(Datum arg)
{
	MemoryContext cxt = AllocSetContextCreate(TopMemoryContext, "router maintenance", ALLOCSET_DEFAULT_SIZES);
	const char *database = MyBgworkerEntry->bgw_extra;

	router_worker_start();
	BackgroundWorkerInitializeConnection(database, maintain_role[0] ? maintain_role : NULL, 0);
	router_pin_worker();
	PG_TRY();
	{
		maintain(database, cxt);
	}
	PG_CATCH();
	{
		log_failure(database, cxt);
	}
	PG_END_TRY();
	pgstat_report_stat(true);
	proc_exit(0);
}

/* ---------------------------------------------------------------------- set-up */

void
router_worker_init(void)
{
	BackgroundWorker launcher;

	DefineCustomStringVariable("router.maintain_at",
							   "Time of day at which a background worker does maintenance, with an optional time zone.",
							   "Empty: none. Without a zone it is log_timezone. Needs router in shared_preload_libraries.",
							   &maintain_at, "", PGC_SIGHUP, 0, check_maintain_at, NULL, NULL);
	DefineCustomStringVariable("router.maintain_databases",
							   "Databases in which the background worker does maintenance.",
							   "Empty: all that have the extension.",
							   &maintain_databases, "", PGC_SIGHUP, GUC_LIST_INPUT, check_maintain_databases, NULL, NULL);
	DefineCustomStringVariable("router.maintain_role",
							   "Role as which the background worker does maintenance.",
							   "Empty: the superuser of initdb.",
							   &maintain_role, "", PGC_SIGHUP, 0, NULL, NULL, NULL);
	if (!process_shared_preload_libraries_in_progress || IsBinaryUpgrade)
		return;
	router_worker_describe(&launcher, "router_launcher_main", "router launcher", "router launcher");
	launcher.bgw_restart_time = 10;
	RegisterBackgroundWorker(&launcher);
	registered = true;
}
