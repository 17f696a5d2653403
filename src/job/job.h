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

/* A struct of the job's own begins with this one. */
typedef struct RouterJob
{
	Oid			base;
	const char *action;			/* for router.events */
	MemoryContext cxt;			/* outlives transactions */
	bool		atomic;			/* the caller's transaction must go on: nothing is committed */
	int			lock_timeout;	/* of each step, milliseconds */
	TimestampTz deadline;		/* no step begins after it */
} RouterJob;

/* All that is done for job->base. NULL: it went well. */
typedef ErrorData *(*RouterWork) (RouterJob *job);

/* Whose turn is next. */
typedef struct RouterTurns RouterTurns;

/* False: what it did is to be undone, although nothing failed. */
typedef bool (*RouterStep) (RouterJob *job);

extern void router_job_begin(RouterJob *job, FunctionCallInfo fcinfo, const char *action);
extern void router_job_end(RouterJob *job);
extern ErrorData *router_job_try(RouterJob *job, RouterStep step, bool as_owner);
extern ErrorData *router_job_insist(RouterJob *job, RouterStep step, bool as_owner);
extern void router_job_pause(int tries);
extern void router_job_wait(TransactionId xid);
extern char *router_job_name(Oid relid);
extern void router_job_progress(RouterJob *job, const char *phase, Oid child, uint64 done, uint64 total);
extern uint64 router_job_estimate(const char *query);
extern void router_job_note(RouterJob *job, uint64 rows, const ErrorData *error);
extern ErrorData *router_job_base(RouterJob *job, const Interval *budget, RouterWork work);
extern RouterTurns *router_turns(List *bases);
extern bool router_next_turn(RouterTurns *turns, Oid *base);
extern int	router_job_lock_timeout(const Interval *interval);
extern TimestampTz router_job_deadline(const Interval *budget);

#endif
