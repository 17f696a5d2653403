/*
 * spread.c
 *		CALL router.redistribute: rows that wait in the default child get children of their
 *		own, under locks one child at a time, or all at once while the table is used.
 *
 * Then the default child is the only source, and the new children, and a new default child, take its place. What rows
 * that come meanwhile would need is not made: they wait on.
 */
#include "compat.h"

#include "executor/spi.h"
#include "storage/lmgr.h"
#include "tcop/pquery.h"
#include "utils/lsyscache.h"

#include "access/table.h"
#include "admin/waiting.h"
#include "base/args.h"
#include "base/attempt.h"
#include "job/job.h"
#include "reshape/regroup.h"
#include "reshape/shadow.h"
#include "route/catalog.h"
#include "route/lock.h"
#include "route/owned.h"
#include "route/search.h"

PG_FUNCTION_INFO_V1(router_redistribute);

enum
{
	ARG_BASE,
	ARG_DRY_RUN,
	ARG_ONLINE,
	ARG_LATER,
	ARG_END = ARG_LATER + 4,
};

static int
portion_of(Oid base)
{
	Relation	rel = table_open(base, NoLock);
	int			portion = router_lock_portion(rel);

	table_close(rel, NoLock);
	return portion;
}

/* The children that rows of the default child need, as many as one transaction may make. */
static void
plan(RouterReshape *r, RouterCacheEntry *entry)
{
	RouterRoute *route = router_cache_route(entry);
	RouterRoute made = {.config = route->config,.root.sorted = true};
	int			left = portion_of(r->job.base);
	RouterBound *bounds[ROUTER_MAX_LEVELS];
	RouterWaiting *waiting;
	Oid			child;

	if (!OidIsValid(route->default_child))
		router_refuse_no_default_child(r->job.base);
	if (route->hot_level >= 0)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("rows of the default child of \"%s\", which holds current rows itself, are not copied while it is used",
						get_rel_name(r->job.base)),
				 errhint("CALL router.redistribute(…) without online.")));
	r->level = -1;
	r->sources = list_make1_oid(route->default_child);
	router_check_source(r, route->default_child);
	LockRelationOid(route->default_child, AccessShareLock);
	waiting = router_waiting_begin(entry);
	while (left-- > 0 && router_waiting_next(waiting, &made, bounds, &child))
	{
		router_plan_child(r, route, bounds);
		router_route_add(&made, FirstNormalObjectId + made.nmembers, bounds);
		router_route_sort(&made);
	}
	router_waiting_end(waiting);
	if (r->planned == NIL)
		r->sources = NIL;
	else
		router_plan_default(r, route);
}

static void
check(RouterReshape *r)
{
	router_check_regroup(r, plan);
}

/* Arguments from batch_rows on stand before dry_run, as those of all calls that give another shape. */
static void
reorder(FunctionCallInfo fcinfo)
{
	NullableDatum dry_run = fcinfo->args[ARG_DRY_RUN];

	memmove(&fcinfo->args[ARG_DRY_RUN], &fcinfo->args[ARG_LATER], (ARG_END - ARG_LATER) * sizeof(NullableDatum));
	fcinfo->args[ARG_DRY_RUN + ARG_END - ARG_LATER] = dry_run;
}

static void
spread_online(FunctionCallInfo fcinfo)
{
	static const RouterReshapeKind kind = {check, router_shadow_give_children};
	RouterReshape r;
	bool		done;

	router_require_argument(fcinfo, ARG_LATER);
	reorder(fcinfo);
	router_reshape_begin(&r, fcinfo, PG_GETARG_OID(ARG_BASE), "redistribute", ARG_DRY_RUN);
	r.kind = &kind;
	done = router_reshape_call(&r);
	if (done && r.sources)
		ereport(NOTICE,
				(errmsg("redistributed %s, children for %s, " UINT64_FORMAT " rows", router_job_name(r.job.base),
						router_regroup_display(&r), r.rows)));
	else if (r.job.dry_run)
		ereport(NOTICE,
				(errmsg("would redistribute %s, %d children, about " UINT64_FORMAT " rows", router_job_name(r.job.base),
						list_length(r.planned), r.expected)));
	router_job_end(&r.job);
}

/* What one call moves under locks. */
typedef struct Spread
{
	RouterJob	job;
	uint64		rows;
} Spread;

static bool
spread_child_by_child(void *arg)
{
	Spread	   *spread = arg;

	while (router_redistribute_once(spread->job.base, spread->job.dry_run, &spread->rows))
		if (!spread->job.atomic)
		{
			SPI_commit();
			EnsurePortalSnapshotExists();
		}
	return true;
}

static void
spread_under_locks(FunctionCallInfo fcinfo)
{
	Spread		spread = {0};
	ErrorData  *error = NULL;

	router_job_begin(&spread.job, fcinfo, "redistribute", -1, ARG_DRY_RUN);
	spread.job.base = PG_GETARG_OID(ARG_BASE);
	(void) router_owned_route(spread.job.base);
	if (spread.job.atomic)
		(void) spread_child_by_child(&spread);
	else
	{
		router_job_open(&spread.job);
		EnsurePortalSnapshotExists();
		error = router_attempt_transactions(spread_child_by_child, &spread);
	}
	if (!spread.job.dry_run && !(error && router_is_cancel(error)))
		router_job_note(&spread.job, spread.rows, error);
	if (error)
		ReThrowError(error);
	router_job_end(&spread.job);
}

/*
 * CALL router.redistribute(base, dry_run, online, batch_rows, pause, time_budget, lock_timeout): one transaction a
 * child, or all in the caller's when there is one. Rows beyond the horizon stay, and those with keys that are too long.
 */
Datum
router_redistribute(PG_FUNCTION_ARGS)
{
	router_require(fcinfo, 1);
	if (router_arg_bool(fcinfo, ARG_ONLINE))
		spread_online(fcinfo);
	else
		spread_under_locks(fcinfo);
	PG_RETURN_VOID();
}
