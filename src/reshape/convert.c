/*
 * convert.c
 *		CALL router.convert: an ordinary table with rows becomes a routed table while it
 *		is used.
 */
#include "compat.h"

#include "access/table.h"
#include "catalog/pg_am.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "admin/remarks.h"
#include "admin/route_settings.h"
#include "base/args.h"
#include "maintain/archive.h"
#include "reshape/reshape.h"
#include "reshape/shadow.h"
#include "route/catalog.h"
#include "route/owned.h"

PG_FUNCTION_INFO_V1(router_convert);
PG_FUNCTION_INFO_V1(router_convert_key);

/* arguments: the last but one of the route, and those behind them */
enum
{
	ARG_HOT = ROUTER_ROUTE_ARGUMENTS - 1,
	ARG_LATER = ROUTER_ROUTE_ARGUMENTS + 1,
};

/* Rows have to be known by their places. */
static void
check_table(Oid relid)
{
	Relation	rel = table_open(relid, AccessShareLock);

	if (rel->rd_rel->relpersistence == RELPERSISTENCE_TEMP ||
		(rel->rd_rel->relkind == RELKIND_RELATION && rel->rd_rel->relam != HEAP_TABLE_AM_OID))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("table \"%s\" is temporary, or has another access method than heap", RelationGetRelationName(rel)),
				 errhint("Move its rows with router.create_route(…, move_rows => true).")));
	table_close(rel, AccessShareLock);
}

static bool
create_hot_route(RouterJob *job)
{
	RouterReshape *r = (RouterReshape *) job;

	SPI_connect();
	router_shadow_create_route(job->base, r->fcinfo, job->dry_run);
	SPI_finish();
	return true;
}

static void
remark_children(RouterReshape *r)
{
	FunctionCallInfo fcinfo = r->fcinfo;

	if (r->job.dry_run)
		router_remark_children(r->job.base, PG_GETARG_ARRAYTYPE_P(1), router_arg_interval(fcinfo, ARG_HOT));
}

/* Rows of a hot base may stay where they are: it is routed at once, and then those that have aged are archived. */
static Datum
convert_to_hot(RouterReshape *r)
{
	ErrorData  *error;

	router_job_open(&r->job);
	error = router_job_insist(&r->job, create_hot_route, true);
	if (error == NULL && !r->job.dry_run)
		error = router_archive_base(&r->job, r->batch_rows, NULL, InvalidOid, &r->rows);
	if (error)
		ReThrowError(error);
	if (r->job.dry_run)
		ereport(NOTICE,
				(errmsg("would make %s hot, and archive its aged rows", router_job_name(r->job.base))));
	else
		ereport(NOTICE,
				(errmsg("converted %s, " UINT64_FORMAT " aged rows are in children", router_job_name(r->job.base), r->rows)));
	remark_children(r);
	router_job_end(&r->job);
	PG_RETURN_VOID();
}

static void
check(RouterReshape *r)
{
	router_shadow_check_route(r->job.base, r->def.shadow, r->fcinfo);
}

static Datum
convert(FunctionCallInfo fcinfo)
{
	static const RouterReshapeKind kind = {check, router_shadow_take_over};
	RouterSettings none = {.default_child = -1,.max_new_children = -1};
	RouterReshape r;
	bool		done;

	router_require(fcinfo, 2);
	router_reshape_begin(&r, fcinfo, PG_GETARG_OID(0), "convert", ARG_LATER);
	if (!PG_ARGISNULL(ARG_HOT))
		return convert_to_hot(&r);
	check_table(r.job.base);
	if (router_catalog_is_base(r.job.base))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table \"%s\" is a routed table already", get_rel_name(r.job.base)),
				 errhint("See router.routes.")));
	r.kind = &kind;
	r.route = fcinfo;
	r.sources = list_make1_oid(r.job.base);
	done = router_reshape_call(&r);
	if (done)
		ereport(NOTICE,
				(errmsg("converted %s, " UINT64_FORMAT " rows", router_job_name(r.job.base), r.rows)));
	else if (r.job.dry_run)
		ereport(NOTICE,
				(errmsg("would convert %s, about " UINT64_FORMAT " rows", router_job_name(r.job.base), r.expected)));
	if (done || r.job.dry_run)
		router_remark_table(r.job.base, done ? router_catalog_route(r.job.base) :
							router_wanted_config(r.job.base, NULL, PG_GETARG_ARRAYTYPE_P(1), &none, false));
	remark_children(&r);
	router_job_end(&r.job);
	PG_RETURN_VOID();
}

/* CALL router.convert(base, keys, settings of create_route, batch_rows, pause, time_budget, lock_timeout, dry_run) */
Datum
router_convert(PG_FUNCTION_ARGS)
{
	return convert(fcinfo);
}

/* The same with one key. */
Datum
router_convert_key(PG_FUNCTION_ARGS)
{
	router_reshape_one_key(fcinfo);
	return convert(fcinfo);
}
