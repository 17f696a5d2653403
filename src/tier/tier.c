/*
 * tier.c
 *		Tiers: settings that say where children of some age live, and the
 *		procedures that take them there (relocate.c).
 *
 * A child is as old as the youngest row that it can hold, by the outermost date
 * key. Of several tiers that it is old enough for it belongs to the one of the
 * oldest children. Children on a server come back only when asked to.
 *
 * Locking: the settings are written under ShareUpdateExclusiveLock on the base.
 */
#include "compat.h"
#include "tier/tier.h"

#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"

#include "route/owned.h"
#include "base/owner.h"
#include "tier/relocate.h"
#include "base/args.h"
#include "base/report.h"
#include "base/sql.h"

PG_FUNCTION_INFO_V1(router_add_tier);
PG_FUNCTION_INFO_V1(router_drop_tier);
PG_FUNCTION_INFO_V1(router_tier);
PG_FUNCTION_INFO_V1(router_move_child);

/* ----------------------------------------------------------------- settings */

/* The arguments tablespace, access_method, server and remote_schema, from number n on. */
static RouterLocation
location_arguments(FunctionCallInfo fcinfo, int n)
{
	return (RouterLocation) {
		.tablespace = router_arg_name(fcinfo, n),
		.access_method = router_arg_name(fcinfo, n + 1),
		.server = router_arg_name(fcinfo, n + 2),
		.remote_schema = router_arg_name(fcinfo, n + 3),
	};
}

static bool
same_interval(const Interval *a, const Interval *b)
{
	return DatumGetBool(DirectFunctionCall2(interval_eq, IntervalPGetDatum(a), IntervalPGetDatum(b)));
}

static RouterTier *
find_tier(Oid base, const Interval *after)
{
	ListCell   *lc;

	foreach(lc, router_catalog_tiers(base))
		if (same_interval(((RouterTier *) lfirst(lc))->after, after))
			return lfirst(lc);
	return NULL;
}

static void
check_after(RouterRoute *route, const Interval *after)
{
	if (router_hot_level(&route->config) < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("routed table \"%s\" has no date among its keys", get_rel_name(route->config.base)),
				 errhint("Tiers go by the age of children. Move single ones with router.move_child.")));
	if (!router_is_above_zero(after))
		router_bad_value("after", router_interval_text(after), "Give an interval above zero.");
	if (route->config.hot && !router_is_longer(after, route->config.hot))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for after"),
				 errdetail("Rows stay in the base for %s.", router_interval_text(route->config.hot)),
				 errhint("Give a longer interval than that.")));
}

/* router.add_tier(base, after, tablespace, access_method, server, remote_schema, dry_run): replaces one of that age. */
Datum
router_add_tier(PG_FUNCTION_ARGS)
{
	RouterReport report;
	RouterCacheEntry *entry;
	RouterRoute *route;
	RouterTier	tier;
	Oid			base;
	bool		there;

	router_report_begin(&report, fcinfo, 2, 6);
	base = PG_GETARG_OID(0);
	entry = router_owned_locked(base, ShareUpdateExclusiveLock);
	route = router_route_locked(entry);
	tier.after = PG_GETARG_INTERVAL_P(1);
	tier.location = location_arguments(fcinfo, 2);
	check_after(route, tier.after);
	router_check_location(&tier.location, router_relation_owner(base));
	there = find_tier(base, tier.after) != NULL;
	router_report(&report, "%s tier of %s after %s:%s", there ? "replace" : "add", router_qualified_name(base),
				  router_interval_text(tier.after), router_location_text(&tier.location));
	if (report.dry_run)
		return (Datum) 0;
	if (there)
		router_catalog_remove_tier(base, tier.after);
	router_catalog_add_tier(base, &tier);
	return (Datum) 0;
}

/* router.drop_tier(base, after, dry_run) */
Datum
router_drop_tier(PG_FUNCTION_ARGS)
{
	RouterReport report;
	Interval   *after;
	Oid			base;

	router_report_begin(&report, fcinfo, 2, 2);
	base = PG_GETARG_OID(0);
	(void) router_owned_locked(base, ShareUpdateExclusiveLock);
	after = PG_GETARG_INTERVAL_P(1);
	if (find_tier(base, after) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("routed table \"%s\" has no tier after %s", get_rel_name(base), router_interval_text(after)),
				 errhint("See router.tier_def.")));
	router_report(&report, "drop tier of %s after %s", router_qualified_name(base), router_interval_text(after));
	if (!report.dry_run)
		router_catalog_remove_tier(base, after);
	return (Datum) 0;
}

/* ------------------------------------------------------------------- the tiers */

typedef struct Tiering
{
	RouterJob	job;
	List	   *moves;			/* of Due, in job.cxt, the oldest first */
} Tiering;

/* A move that is to be made, and the end of the child's range. */
typedef struct Due
{
	RouterMove	move;			/* first, for router_relocate */
	int64		hi;
} Due;

static int
oldest_first(const ListCell *a, const ListCell *b)
{
	int64		x = ((Due *) lfirst(a))->hi;
	int64		y = ((Due *) lfirst(b))->hi;

	return x < y ? -1 : x > y ? 1 : 0;
}

/* The tier that a child is old enough for, or NULL. *hi: the end of its range. Settings are pinned. */
static RouterTier *
tier_of(RouterRoute *route, const RouterChildDef *def, List *tiers, int64 *hi)
{
	RouterConfig config = route->config;
	int			level = router_hot_level(&config);
	RouterBound *bound = router_bound_parse(&config.keys[level], def->bounds[level]);
	RouterTier *found = NULL;
	ListCell   *lc;

	if (bound->form != ROUTER_BOUND_RANGE)
		return NULL;
	*hi = bound->hi;
	foreach(lc, tiers)
	{
		RouterTier *tier = lfirst(lc);

		config.hot = tier->after;
		if (bound->hi < router_hot_cutoff(&config) && (found == NULL || router_is_longer(tier->after, found->after)))
			found = tier;
	}
	return found;
}

/* Finds the children that are not where they belong. */
static bool
find_moves(RouterJob *job)
{
	Tiering    *tiering = (Tiering *) job;
	RouterRoute *route = router_cache_route(router_owned_route(job->base));
	List	   *tiers,
			   *children;
	int			guc_level;
	ListCell   *lc;

	MemoryContextSwitchTo(job->cxt);
	tiering->moves = NIL;
	tiers = router_catalog_tiers(job->base);
	children = router_catalog_children(job->base);
	if (tiers == NIL || router_hot_level(&route->config) < 0)
		return true;
	guc_level = router_pin_settings(route->config.time_zone);
	foreach(lc, children)
	{
		RouterChildDef *def = lfirst(lc);
		Due		   *due = palloc0(sizeof(Due));
		RouterTier *tier = tier_of(router_cache_route(router_cache_entry(job->base)), def, tiers, &due->hi);

		if (tier == NULL || get_rel_relkind(def->child) != RELKIND_RELATION)
			continue;
		due->move.child = def->child;
		due->move.location = tier->location;
		tiering->moves = lappend(tiering->moves, due);
	}
	list_sort(tiering->moves, oldest_first);
	AtEOXact_GUC(false, guc_level);
	return true;
}

/*
 * Moves the children of job->base that are old enough to their tier; commits in
 * between unless the job is atomic. One that fails does not stop the others.
 * NULL: all went well, as far as the deadline allows; else the first error,
 * which is in router.events already.
 */
ErrorData *
router_tier_base(RouterJob *job)
{
	Tiering		tiering = {.job = *job};
	ErrorData  *error = router_job_insist(&tiering.job, find_moves, false);

	if (error)
	{
		router_job_note(&tiering.job, 0, error);
		return error;
	}
	return router_relocate(job, tiering.moves);
}

/* ----------------------------------------------------------------- procedures */

/* CALL router.tier(base, time_budget, lock_timeout, dry_run, table_budget) */
Datum
router_tier(PG_FUNCTION_ARGS)
{
	static const RouterRound round = {
		.bases = "SELECT DISTINCT base FROM router.tier_def ORDER BY base",
		.work = router_tier_base,
		.time_budget = 1,
		.table_budget = 4,
		.failure = "children of %d of %d tables could not be moved",
	};
	RouterJob	job = {0};

	router_job_begin(&job, fcinfo, "tier", 2, 3);
	router_job_round(&job, fcinfo, &round);
	PG_RETURN_VOID();
}

/* CALL router.move_child(child, tablespace, access_method, server, remote_schema, local, lock_timeout, dry_run) */
Datum
router_move_child(PG_FUNCTION_ARGS)
{
	RouterJob	job = {0};
	RouterMove	move = {0};
	RouterChildDef *def;
	ErrorData  *error;

	router_require(fcinfo, 1);
	router_job_begin(&job, fcinfo, "move_child", 6, 7);
	move.child = PG_GETARG_OID(0);
	move.location = location_arguments(fcinfo, 1);
	move.location.local = router_arg_bool(fcinfo, 5);
	def = router_known_child(move.child, InvalidOid);
	job.base = def->base;
	(void) router_owned_route(job.base);
	error = router_relocate(&job, list_make1(&move));
	if (error)
		ReThrowError(error);
	router_job_end(&job);
	PG_RETURN_VOID();
}
