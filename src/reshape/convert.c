/*
 * convert.c
 *		CALL router.convert and router.cancel_reshape: an ordinary table with rows
 *		becomes a routed table while it is used.
 */
#include "compat.h"

#include "access/genam.h"
#include "access/table.h"
#include "catalog/pg_am.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "base/args.h"
#include "maintain/archive.h"
#include "reshape/reshape.h"
#include "reshape/shadow.h"
#include "route/catalog.h"
#include "route/owned.h"
#include "rows/row_key.h"

PG_FUNCTION_INFO_V1(router_convert);
PG_FUNCTION_INFO_V1(router_convert_key);
PG_FUNCTION_INFO_V1(router_cancel_reshape);

/* arguments behind those of the route */
enum
{
	ARG_BATCH_ROWS = ROUTER_ROUTE_ARGUMENTS + 1,
	ARG_PAUSE,
	ARG_TIME_BUDGET,
	ARG_LOCK_TIMEOUT,
	ARG_DRY_RUN,
};

/* Rows have to be told from each other, and be known by their places. */
static void
check_table(Oid relid)
{
	Relation	rel = table_open(relid, AccessShareLock);
	RouterRowKey key = {0};

	if (rel->rd_rel->relkind == RELKIND_RELATION)
		router_row_key_open(rel, &key, NULL, NULL);
	if (key.index)
		index_close(key.index, AccessShareLock);
	else if (rel->rd_rel->relkind == RELKIND_RELATION)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("rows of table \"%s\" cannot be told from each other", RelationGetRelationName(rel)),
				 errdetail("It has no primary key, and no unique index of columns that are NOT NULL."),
				 errhint("Add one, or move the rows at once with router.create_route(…, move_rows => true), which keeps others away meanwhile.")));
	if (rel->rd_rel->relpersistence == RELPERSISTENCE_TEMP ||
		(rel->rd_rel->relkind == RELKIND_RELATION && rel->rd_rel->relam != HEAP_TABLE_AM_OID))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("table \"%s\" is temporary, or has another access method than heap", RelationGetRelationName(rel)),
				 errhint("Move its rows with router.create_route(…, move_rows => true).")));
	table_close(rel, AccessShareLock);
}

static void
begin_run(RouterReshape *r, FunctionCallInfo fcinfo, const char *action, int lock_timeout, int dry_run)
{
	router_require(fcinfo, 1);
	memset(r, 0, sizeof(*r));
	r->fcinfo = fcinfo;
	r->job.base = PG_GETARG_OID(0);
	router_check_exists(r->job.base);
	router_check_owner(r->job.base);
	router_job_begin(&r->job, fcinfo, action, lock_timeout, dry_run);
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

/* Rows of a hot base may stay where they are: it is routed at once, and then those that have aged are archived. */
static Datum
convert_to_hot(RouterReshape *r)
{
	ErrorData  *error = router_job_insist(&r->job, create_hot_route, true);

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
	router_job_end(&r->job);
	PG_RETURN_VOID();
}

static Datum
convert(FunctionCallInfo fcinfo)
{
	RouterReshape r;
	ErrorData  *error;
	bool		done;

	router_require(fcinfo, 2);
	router_require_argument(fcinfo, ARG_BATCH_ROWS);
	begin_run(&r, fcinfo, "convert", ARG_LOCK_TIMEOUT, ARG_DRY_RUN);
	r.batch_rows = PG_GETARG_INT32(ARG_BATCH_ROWS);
	if (r.batch_rows < 1)
		router_bad_argument("batch_rows", "It is how many rows are copied between two commits: 1 or more.");
	r.pause = router_arg_interval(fcinfo, ARG_PAUSE);
	router_job_set_budget(&r.job, router_arg_interval(fcinfo, ARG_TIME_BUDGET));
	if (r.job.atomic && !r.job.dry_run)
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("router.convert cannot run inside a transaction block"),
				 errhint("It commits as it goes. Within a transaction, router.create_route(…, move_rows => true) moves the rows.")));
	if (!PG_ARGISNULL(ROUTER_ROUTE_ARGUMENTS))
		return convert_to_hot(&r);
	check_table(r.job.base);
	if (router_catalog_is_base(r.job.base))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table \"%s\" is a routed table already", get_rel_name(r.job.base)),
				 errhint("See router.routes.")));
	if (!router_job_begin_run(r.job.base))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("another session is giving table \"%s\" another shape", get_rel_name(r.job.base)),
				 errhint("See router.progress.")));
	PG_TRY();
	{
		error = router_reshape_run(&r, &done);
	}
	PG_FINALLY();
	{
		router_job_end_run(r.job.base);
	}
	PG_END_TRY();
	if (r.job.dry_run)
	{
		if (error == NULL)
			ereport(NOTICE,
					(errmsg("would convert %s, about " UINT64_FORMAT " rows", router_job_name(r.job.base), r.expected)));
	}
	else
		router_job_note(&r.job, done ? r.rows : r.def.done, error);
	if (error)
		ReThrowError(error);
	if (!r.job.dry_run)
		ereport(NOTICE,
				(done ? errmsg("converted %s, " UINT64_FORMAT " rows", router_job_name(r.job.base), r.rows) :
				 errmsg("the time is over: " INT64_FORMAT " rows of %s are copied", r.def.done, router_job_name(r.job.base)),
				 done ? 0 : errhint("Call it again to go on, or CALL router.cancel_reshape.")));
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
	Datum		key;
	Oid			type;
	int16		len;
	bool		byval;
	char		align;

	router_require(fcinfo, 2);
	key = PG_GETARG_DATUM(1);
	type = HeapTupleHeaderGetTypeId(DatumGetHeapTupleHeader(key));
	get_typlenbyvalalign(type, &len, &byval, &align);
	fcinfo->args[1].value = PointerGetDatum(construct_array(&key, 1, type, len, byval, align));
	return convert(fcinfo);
}

/* CALL router.cancel_reshape(base, lock_timeout) */
Datum
router_cancel_reshape(PG_FUNCTION_ARGS)
{
	RouterReshape r;
	ErrorData  *error;

	begin_run(&r, fcinfo, "cancel_reshape", 1, -1);
	if (router_catalog_reshape(r.job.base) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table \"%s\" does not get another shape", get_rel_name(r.job.base)),
				 errhint("There is nothing to cancel.")));
	if (!router_job_begin_run(r.job.base))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("another session is giving table \"%s\" another shape", get_rel_name(r.job.base)),
				 errhint("Cancel that call first, with pg_cancel_backend; router.progress has its pid.")));
	PG_TRY();
	{
		error = router_reshape_cancel(&r);
	}
	PG_FINALLY();
	{
		router_job_end_run(r.job.base);
	}
	PG_END_TRY();
	router_job_note(&r.job, 0, error);
	if (error)
		ReThrowError(error);
	router_job_end(&r.job);
	PG_RETURN_VOID();
}
