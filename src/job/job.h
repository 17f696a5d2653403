/*
 * job.h
 *		Maintenance of one base, step by step. See job.c.
 */
#ifndef ROUTER_JOB_H
#define ROUTER_JOB_H

#include "compat.h"

#include "datatype/timestamp.h"
#include "fmgr.h"
#include "storage/lock.h"
#include "utils/elog.h"
#include "utils/timestamp.h"

#include "route/catalog.h"

/* A struct of the job's own begins with this one. */
typedef struct RouterJob
{
	Oid			base;
	const char *action;			/* for router.events */
	MemoryContext cxt;			/* outlives transactions */
	bool		atomic;			/* the caller's transaction must go on: nothing is committed */
	bool		dry_run;		/* say what would be done, do nothing */
	bool		lazy;			/* what is committed may be lost in a crash: it is done again */
	bool		failed;			/* something of this base, and it was said: router_job_warn */
	int			lock_timeout;	/* of each step, milliseconds */
	TimestampTz deadline;		/* no step begins after it */
	RouterRejected rejected;	/* for router.progress */
	Oid			told_to;		/* for router.events: whose rights reading the error takes; InvalidOid: the owner's */
} RouterJob;

/* All that is done for job->base. NULL: it went well. */
typedef ErrorData *(*RouterWork) (RouterJob *job);

/* What a procedure does to the base that its first argument names, or else to several, each in its turn. */
typedef struct RouterRound
{
	const char *bases;			/* the query for them */
	RouterWork	work;
	int			time_budget;	/* arguments */
	int			table_budget;
	bool		nightly;		/* none but the first begins after the deadline; one that is named is no exception */
	const char *failure;		/* the error: "… %d of %d …" */
} RouterRound;

/* False: what it did is to be undone, although nothing failed. */
typedef bool (*RouterStep) (RouterJob *job);

extern void router_job_begin(RouterJob *job, FunctionCallInfo fcinfo, const char *action, int lock_timeout,
							 int dry_run);
extern void router_job_end(RouterJob *job);
extern bool router_job_is_worth_a_retry(const ErrorData *error);
extern ErrorData *router_job_insist(RouterJob *job, RouterStep step, bool as_owner);
extern void router_job_pause(int tries);
extern void router_job_sleep(long ms);
extern void router_job_wait(TransactionId xid);
extern char *router_job_name(Oid relid);
extern void router_job_progress(RouterJob *job, const char *phase, Oid child, uint64 done, uint64 total);
extern uint64 router_job_estimate(const char *query);
extern void router_job_open(RouterJob *job);
extern void router_job_rollback(void);
extern void router_job_note(RouterJob *job, uint64 rows, const ErrorData *error);
extern ErrorData *router_attempt_transactions(bool (*work) (void *arg), void *arg);
extern ErrorData *router_job_error(const RouterJob *job, int code, const char *message, const char *detail,
								   const char *hint);
extern void router_job_warn(RouterJob *job, ErrorData *error);
extern bool router_job_begin_run(Oid base);
extern void router_job_end_run(Oid base);
extern bool router_job_is_run(Oid base);
extern void router_job_set_budget(RouterJob *job, const Interval *budget);
extern bool router_job_is_late(const RouterJob *job);
extern void router_job_round(RouterJob *job, FunctionCallInfo fcinfo, const RouterRound *round);

#endif
