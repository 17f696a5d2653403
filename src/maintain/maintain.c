/*
 * maintain.c
 *		router.maintain: the nightly work on every route, and its settings.
 *
 * For one base after the other: premake, archive, retention, tiers, seals,
 * statistics of the parent, and a snapshot of sizes. What fails is told by a WARNING and in router.events, and the next
 * thing follows; an error at the end says that something failed.
 *
 * Locking: that of each step, see child_admin.c, archive.c, retention.c; ANALYZE
 * takes ShareUpdateExclusiveLock on the base. Steps are those of job.c.
 *
 * Memory: what lives as long as a base is worked on is in job->cxt.
 */
#include "compat.h"
#include "admin/child_admin.h"

#include "catalog/namespace.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"

#include "maintain/archive.h"
#include "child/child_name.h"
#include "child/default_child.h"
#include "base/budget.h"
#include "route/owned.h"
#include "base/owner.h"
#include "maintain/retention.h"
#include "maintain/seal.h"
#include "base/sql.h"
#include "tier/tier.h"

/* steps premade for a route by date that has no setting */
#define DEFAULT_PREMAKE 1

/* how long events are kept */
#define EVENT_DAYS 90

PG_FUNCTION_INFO_V1(router_maintain);
PG_FUNCTION_INFO_V1(router_set_maintenance);
PG_FUNCTION_INFO_V1(router_clear_maintenance);

typedef struct Maintain
{
	RouterJob	job;
	RouterCacheEntry *entry;
	RouterUpkeep upkeep;
	bool		gone;			/* the route was dropped meanwhile */
	bool		hot;
	int			steps;			/* to premake; 0: none */
	int			batch_rows;
	int			wanted;			/* children to premake */
	List	   *names;			/* of them, in a dry run */
	char	   *made_name;		/* NULL: it was there already */
	bool		stale;			/* the statistics of the parent */
	uint64		changed;		/* rows that moved, children that came or went */
} Maintain;

/* ------------------------------------------------------------------ settings */

/* The key by which children have an age, or NULL. */
static const RouterKey *
dated_key(const RouterConfig *config)
{
	int			level = router_hot_level(config);

	return level >= 0 ? &config->keys[level] : NULL;
}

static void
check_keep(const RouterConfig *config, const Interval *keep)
{
	if (!router_is_above_zero(keep))
		router_bad_value("keep", router_interval_text(keep), "Give an interval above zero.");
	if (config->hot && !router_is_longer(keep, config->hot))
		router_bad_value("keep", router_interval_text(keep), "Give an interval longer than hot: younger rows are in the base.");
}

static void
check_schema(const RouterUpkeep *upkeep)
{
	Oid			schema = get_namespace_oid(upkeep->retire_schema, false);

	if (!router_may_create_in(schema, router_relation_owner(upkeep->base)))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for schema %s", upkeep->retire_schema),
				 errhint("The owner of the routed table needs it: GRANT CREATE ON SCHEMA %s TO %s;",
						 quote_identifier(upkeep->retire_schema),
						 quote_identifier(GetUserNameFromId(router_relation_owner(upkeep->base), false)))));
}

/* Checks settings against the route. */
static void
check_upkeep(const RouterConfig *config, const RouterUpkeep *upkeep)
{
	const RouterKey *key = dated_key(config);

	if (upkeep->premake >= 0)
		router_check_steps(upkeep->premake);
	if (upkeep->premake > 0 && (key == NULL || key->every == NULL))
		router_bad_argument("premake", "It is for routes with a date key that has steps: router.by_date(column, every).");
	if ((upkeep->keep || upkeep->keep_children != 0) && key == NULL)
		router_bad_argument(upkeep->keep ? "keep" : "keep_children", "It is for routes with a date key: router.by_date(column, every).");
	if (upkeep->keep)
		check_keep(config, upkeep->keep);
	if (upkeep->keep_children < 0)
		router_bad_value("keep_children", psprintf("%d", upkeep->keep_children), "Give a number above zero.");
	if (upkeep->seal && key == NULL)
		router_bad_argument("seal", "It is for routes with a date key, which tells when a child is aged; seal others with router.seal.");
	router_check_seal_columns(upkeep->base, upkeep->seal);
	if (upkeep->retire == ROUTER_RETIRE_SCHEMA && upkeep->retire_schema == NULL)
		router_bad_argument("retire_schema", "Name the schema that children shall go to.");
	if (upkeep->retire != ROUTER_RETIRE_SCHEMA && upkeep->retire_schema)
		router_bad_argument("retire_schema", "It goes with retire => 'schema'.");
	if (upkeep->retire_schema)
		check_schema(upkeep);
}

static char *
join_names(List *names)
{
	StringInfoData buf;
	ListCell   *lc;

	initStringInfo(&buf);
	foreach(lc, names)
		appendStringInfo(&buf, "%s%s", buf.len > 0 ? ", " : "", quote_identifier(lfirst(lc)));
	return buf.len > 0 ? buf.data : "no column";
}

/* Takes over the arguments that are not null, a line in the report for each that changes something. */
static void
apply_arguments(RouterUpkeep *upkeep, FunctionCallInfo fcinfo, RouterReport *report)
{
	char	   *table = router_qualified_name(upkeep->base);

	if (!PG_ARGISNULL(1) && PG_GETARG_INT32(1) != upkeep->premake)
	{
		upkeep->premake = PG_GETARG_INT32(1);
		router_check_steps(upkeep->premake);
		router_report(report, "set premake of %s to %d", table, upkeep->premake);
	}
	if (!PG_ARGISNULL(2) && (upkeep->keep == NULL ||
							 !DatumGetBool(DirectFunctionCall2(interval_eq, PG_GETARG_DATUM(2),
															   IntervalPGetDatum(upkeep->keep)))))
	{
		upkeep->keep = PG_GETARG_INTERVAL_P(2);
		router_report(report, "set keep of %s to %s", table,
					  DatumGetCString(DirectFunctionCall1(interval_out, PG_GETARG_DATUM(2))));
	}
	if (!PG_ARGISNULL(3) && PG_GETARG_INT32(3) != upkeep->keep_children)
	{
		upkeep->keep_children = PG_GETARG_INT32(3);
		router_report(report, "set keep_children of %s to %d", table, upkeep->keep_children);
	}
	if (!PG_ARGISNULL(3) && PG_GETARG_INT32(3) == 0)
		router_bad_value("keep_children", psprintf("%d", upkeep->keep_children), "Give a number above zero.");
	if (!PG_ARGISNULL(4))
	{
		RouterRetire retire = router_retire_from_text(text_to_cstring(PG_GETARG_TEXT_PP(4)));

		if (retire != ROUTER_RETIRE_SCHEMA)
			upkeep->retire_schema = NULL;
		if (retire != upkeep->retire)
			router_report(report, "set retire of %s to %s", table, router_retire_name(retire));
		upkeep->retire = retire;
	}
	if (!PG_ARGISNULL(5) && (upkeep->retire_schema == NULL ||
							 strcmp(NameStr(*PG_GETARG_NAME(5)), upkeep->retire_schema) != 0))
	{
		upkeep->retire_schema = pstrdup(NameStr(*PG_GETARG_NAME(5)));
		router_report(report, "set retire_schema of %s to %s", table, quote_identifier(upkeep->retire_schema));
	}
	if (!PG_ARGISNULL(6))
	{
		List	   *seal = router_seal_columns(PG_GETARG_ARRAYTYPE_P(6));

		if (strcmp(join_names(seal), join_names(upkeep->seal)) != 0)
			router_report(report, "set seal of %s to %s", table, join_names(seal));
		upkeep->seal = seal;
	}
}

/*
 * router.set_maintenance(base, premake, keep, keep_children, retire,
 * retire_schema, seal, dry_run): what is null stays as it is.
 *
 * Errors: invalid_parameter_value, undefined_schema, undefined_column, insufficient_privilege.
 * Locks: ShareUpdateExclusiveLock on the base.
 */
Datum
router_set_maintenance(PG_FUNCTION_ARGS)
{
	RouterReport report;
	RouterCacheEntry *entry;
	RouterUpkeep upkeep;
	Oid			base;

	router_report_begin(&report, fcinfo, 1, 7);
	base = PG_GETARG_OID(0);
	entry = router_owned_locked(base, ShareUpdateExclusiveLock);
	router_catalog_upkeep(base, &upkeep);
	apply_arguments(&upkeep, fcinfo, &report);
	check_upkeep(&router_route_locked(entry)->config, &upkeep);
	if (!report.dry_run && report.nlines > 0)
		router_catalog_put_upkeep(&upkeep);
	return (Datum) 0;
}

/* router.clear_maintenance(base, dry_run): a base is maintained as one without settings. */
Datum
router_clear_maintenance(PG_FUNCTION_ARGS)
{
	RouterReport report;
	RouterUpkeep upkeep;
	Oid			base;

	router_report_begin(&report, fcinfo, 1, 1);
	base = PG_GETARG_OID(0);
	(void) router_owned_locked(base, ShareUpdateExclusiveLock);
	if (!router_catalog_upkeep(base, &upkeep))
		return (Datum) 0;
	router_report(&report, "clear the maintenance settings of %s", router_qualified_name(base));
	if (!report.dry_run)
		router_catalog_remove_upkeep(base);
	return (Datum) 0;
}

/* -------------------------------------------------------------------- premake */

/* Without a setting: one step to come, where children are made by themselves and dates tell which. */
static int
steps_to_premake(const RouterConfig *config, const RouterUpkeep *upkeep)
{
	const RouterKey *key = dated_key(config);

	if (upkeep->premake >= 0)
		return upkeep->premake;
	return key && key->every && config->on_missing == ROUTER_POLICY_CREATE ? DEFAULT_PREMAKE : 0;
}

/* Which children are missing? Takes no lock. */
static bool
find_wanted(RouterJob *job)
{
	Maintain   *maintain = (Maintain *) job;
	List	   *wanted = router_premake_bounds(router_route_locked(maintain->entry), maintain->steps, true);
	ListCell   *lc;

	maintain->wanted = list_length(wanted);
	maintain->names = NIL;
	if (wanted != NIL && !job->dry_run)
		router_job_progress(job, "create children", InvalidOid, 0, maintain->wanted);
	if (job->dry_run)
		foreach(lc, wanted)
		{
			char	   *name = router_child_name(router_route_locked(maintain->entry), lfirst(lc));
			MemoryContext old = MemoryContextSwitchTo(job->cxt);

			maintain->names = lappend(maintain->names, pstrdup(name));
			MemoryContextSwitchTo(old);
		}
	return true;
}

static bool
takes_wanted(RouterCreation *creation)
{
	Maintain   *maintain = creation->arg;
	List	   *wanted = router_premake_bounds(router_route_locked(maintain->entry), maintain->steps, true);

	return wanted != NIL && router_default_child_has(maintain->entry, list_make1(linitial(wanted)));
}

/* Makes the first of them that is still missing. */
static bool
make_wanted(RouterJob *job)
{
	Maintain   *maintain = (Maintain *) job;
	RouterCreation creation = {.entry = maintain->entry,.base = job->base,.takes_rows = takes_wanted,.arg = maintain};
	List	   *wanted = router_premake_bounds(router_lock_children(&creation), maintain->steps, true);
	Oid			child;

	maintain->made_name = NULL;
	if (wanted == NIL)
		return true;
	child = router_child_create(maintain->entry, linitial(wanted), NULL, NULL);
	router_job_progress(job, "create children", InvalidOid, maintain->changed + 1, maintain->wanted);
	maintain->made_name = MemoryContextStrdup(job->cxt, router_qualified_name(child));
	return true;
}

/* The children of now and of the steps to come, a transaction each. */
static ErrorData *
premake(Maintain *maintain)
{
	RouterJob  *job = &maintain->job;
	ErrorData  *error;
	uint64		made = 0;
	ListCell   *lc;

	if (maintain->steps == 0)
		return NULL;
	error = router_job_insist(job, find_wanted, true);
	foreach(lc, maintain->names)
		ereport(NOTICE, (errmsg("would create child %s", quote_identifier(lfirst(lc)))));
	if (error == NULL && (job->dry_run || maintain->wanted == 0))
		return NULL;
	while (error == NULL && made < maintain->wanted && !router_job_is_late(job))
	{
		error = router_job_insist(job, make_wanted, true);
		if (error || maintain->made_name == NULL)
			break;
		made++;
		maintain->changed++;
		ereport(NOTICE, (errmsg("created child %s", maintain->made_name)));
	}
	router_job_note(job, made, error);
	return error;
}

/* ----------------------------------------------------------- what other files do */

static ErrorData *
archive(Maintain *maintain)
{
	ErrorData  *error;
	uint64		moved;

	if (!maintain->hot)
		return NULL;
	error = router_archive_base(&maintain->job, maintain->batch_rows, NULL, InvalidOid, &moved);
	maintain->changed += moved;
	return error;
}

static ErrorData *
retention(Maintain *maintain)
{
	ErrorData  *error;
	uint64		retired;

	if (maintain->upkeep.keep == NULL && maintain->upkeep.keep_children == 0)
		return NULL;
	error = router_retire_children(&maintain->job, &maintain->upkeep, &retired);
	maintain->changed += retired;
	return error;
}

static ErrorData *
tier(Maintain *maintain)
{
	return router_catalog_tiers(maintain->job.base) == NIL ? NULL : router_tier_base(&maintain->job);
}

static ErrorData *
seal(Maintain *maintain)
{
	return router_seal_children(&maintain->job, maintain->upkeep.seal);
}

/* ------------------------------------------------------------------ statistics */

/*
 * Are the statistics over base and children behind? Autovacuum does not look
 * after those: it collects them with the base's own, when these have changed.
 */
static bool
find_stale(RouterJob *job)
{
	Maintain   *maintain = (Maintain *) job;
	bool		isnull;
	int			guc_level = router_spi_begin();

	if (SPI_execute(psprintf("SELECT bool_or(greatest(pg_stat_get_last_analyze_time(child), pg_stat_get_last_autoanalyze_time(child))"
							 " > coalesce(greatest(pg_stat_get_last_analyze_time(base), pg_stat_get_last_autoanalyze_time(base)), '-infinity'))"
							 " FROM router.child_def WHERE base = %u", job->base), true, 1) != SPI_OK_SELECT ||
		SPI_processed != 1)
		elog(ERROR, "could not read the statistics of children");
	maintain->stale = DatumGetBool(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	if (isnull)
		maintain->stale = false;
	router_spi_end(guc_level);
	return true;
}

static bool
analyze_base(RouterJob *job)
{
	router_job_progress(job, "analyze", InvalidOid, 0, 0);
	router_run("%s %s", ROUTER_ANALYZE_PARENT, router_qualified_name(job->base));
	return true;
}

static ErrorData *
analyze(Maintain *maintain)
{
	RouterJob  *job = &maintain->job;
	ErrorData  *error = router_job_insist(job, find_stale, true);

	if (error == NULL && maintain->changed == 0 && !maintain->stale)
		return NULL;
	if (job->dry_run && error == NULL)
	{
		ereport(NOTICE, (errmsg("would analyze %s", router_job_name(job->base))));
		return NULL;
	}
	if (error == NULL)
		error = router_job_insist(job, analyze_base, true);
	router_job_note(job, 0, error);
	return error;
}

/* --------------------------------------------------------------------- sizes */

static bool
measure_base(RouterJob *job)
{
	router_catalog_measure(job->base);
	return true;
}

/* The snapshot of the day; only what fails is noted. */
static ErrorData *
measure(Maintain *maintain)
{
	RouterJob  *job = &maintain->job;
	ErrorData  *error = job->dry_run ? NULL : router_job_insist(job, measure_base, true);

	if (error)
		router_job_note(job, 0, error);
	return error;
}

/* ------------------------------------------------------------------ the procedure */

static bool
open_base(RouterJob *job)
{
	Maintain   *maintain = (Maintain *) job;
	RouterConfig *config = router_catalog_route(job->base);
	RouterUpkeep upkeep;
	MemoryContext old;

	maintain->gone = config == NULL;
	if (maintain->gone)
		return true;
	maintain->entry = router_owned_route(job->base);
	config = &router_route_locked(maintain->entry)->config;
	maintain->hot = config->hot != NULL;
	old = MemoryContextSwitchTo(job->cxt);
	(void) router_catalog_upkeep(job->base, &upkeep);
	MemoryContextSwitchTo(old);
	maintain->upkeep = upkeep;
	maintain->steps = steps_to_premake(&router_route_locked(maintain->entry)->config, &maintain->upkeep);
	/* if nothing else tells that it had its turn, as this process is terminated: see router_maintain */
	if (!job->dry_run)
		router_job_progress(job, "begin", InvalidOid, 0, 0);
	return true;
}

static bool
end_turn(RouterJob *job)
{
	router_catalog_end_progress(job->base);
	router_catalog_forget_events(job->base, EVENT_DAYS);
	return true;
}

static const struct
{
	const char *action;
	ErrorData  *(*work) (Maintain *maintain);
}			parts[] = {
	{"premake", premake},
	{"archive", archive},
	{"retention", retention},
	{"tier", tier},				/* not before: what goes need not move */
	{"seal", seal},				/* where children stay */
	{"analyze", analyze},		/* after the others, for what they changed */
	{"measure", measure},
};

/* All the work on one base. What fails says so itself, and is noted. */
static ErrorData *
maintain_base(RouterJob *job)
{
	Maintain   *maintain = (Maintain *) job;
	ErrorData  *error;

	maintain->changed = 0;
	job->action = "maintain";
	error = router_job_insist(job, open_base, false);
	if (error)
		router_job_note(job, 0, error);
	if (error || maintain->gone)
		return error;
	for (int i = 0; i < lengthof(parts) && (i == 0 || !router_job_is_late(job)); i++)
	{
		job->action = parts[i].action;
		error = parts[i].work(maintain);
		if (error)
			router_job_warn(job, error);
	}
	if (!job->dry_run && !job->atomic)
		(void) router_job_insist(job, end_turn, false);
	return NULL;
}

/* CALL router.maintain(base, time_budget, lock_timeout, batch_rows, dry_run, table_budget) */
Datum
router_maintain(PG_FUNCTION_ARGS)
{
	/*
	 * Those first whose last turn is longest ago: a time budget shall reach all. Those last whose turn before had no
	 * end, since the process had one.
	 */
	static const RouterRound round = {
		.bases = "SELECT r.base FROM router.route_def r"
		"  LEFT JOIN (SELECT base, max(at) AS at FROM router.events GROUP BY 1) e ON e.base = r.base"
		" ORDER BY EXISTS (SELECT FROM router.progress p WHERE p.base = r.base), e.at NULLS FIRST, r.base",
		.work = maintain_base,
		.time_budget = 1,
		.table_budget = 5,
		.nightly = true,
		.failure = "%d of %d tables could not be maintained",
	};
	Maintain	maintain = {0};

	router_require_argument(fcinfo, 3);
	maintain.batch_rows = PG_GETARG_INT32(3);
	if (maintain.batch_rows <= 0)
		router_bad_value("batch_rows", psprintf("%d", maintain.batch_rows), "It is a number above zero.");
	if (!PG_ARGISNULL(0))
		(void) router_owned_route(PG_GETARG_OID(0));
	router_job_begin(&maintain.job, fcinfo, "maintain", 2, 4);
	router_job_round(&maintain.job, fcinfo, &round);
	PG_RETURN_VOID();
}
