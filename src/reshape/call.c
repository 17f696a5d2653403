/*
 * call.c
 *		What the calls that give a table another shape have in common: their last
 *		arguments, one run a table. And CALL router.cancel_reshape.
 */
#include "compat.h"

#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "base/args.h"
#include "base/sql.h"
#include "reshape/reshape.h"
#include "route/catalog.h"
#include "route/owned.h"
#include "rows/keep_in_step.h"

PG_FUNCTION_INFO_V1(router_cancel_reshape);

/* arguments from "later" on */
enum
{
	BATCH_ROWS,
	PAUSE,
	TIME_BUDGET,
	LOCK_TIMEOUT,
	DRY_RUN,
};

static void
begin(RouterReshape *r, FunctionCallInfo fcinfo, Oid base, const char *action, int lock_timeout, int dry_run)
{
	memset(r, 0, sizeof(*r));
	r->fcinfo = fcinfo;
	r->job.base = base;
	router_check_exists(base);
	router_check_owner(base);
	router_job_begin(&r->job, fcinfo, action, lock_timeout, dry_run);
}

/* Begins a call. later: number of its argument batch_rows, which the others follow. */
void
router_reshape_begin(RouterReshape *r, FunctionCallInfo fcinfo, Oid base, const char *action, int later)
{
	router_require_argument(fcinfo, later + BATCH_ROWS);
	begin(r, fcinfo, base, action, later + LOCK_TIMEOUT, later + DRY_RUN);
	r->batch_rows = PG_GETARG_INT32(later + BATCH_ROWS);
	if (r->batch_rows < 1)
		router_bad_value("batch_rows", psprintf("%d", r->batch_rows), "It is how many rows are copied between two commits: 1 or more.");
	r->pause_ms = router_arg_pause(fcinfo, later + PAUSE);
	router_job_set_budget(&r->job, router_arg_interval(fcinfo, later + TIME_BUDGET));
	if (r->job.atomic && !r->job.dry_run)
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("router.%s cannot run inside a transaction block", action),
				 errhint("It commits as it goes. Call it outside of one; a table with rows becomes a routed one in a transaction by router.create_route(…, move_rows => true).")));
}

/* Makes argument 1, a key, the array of keys that the call with several has there. */
void
router_reshape_one_key(FunctionCallInfo fcinfo)
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
}

static void
begin_run(Oid base)
{
	if (!router_job_begin_run(base))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("another session is giving table \"%s\" another shape, or moves its children", get_rel_name(base)),
				 errhint("Wait for it, or cancel it first with pg_cancel_backend; router.progress has its pid.")));
}

/* What was begun with the table is not what is asked for now. */
void
router_refuse_other_reshape(const RouterReshape *r)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("table \"%s\" gets another shape already", get_rel_name(r->job.base)),
			 errdetail("router.%s was begun with it, with other arguments.", r->def.action),
			 errhint("Go on with that call, or CALL router.cancel_reshape(%s).",
					 quote_literal_cstr(router_qualified_name(r->job.base)))));
}

/* Runs it, one at a time a table. True: it is at its end; false: the time is over, or this is a dry run. */
bool
router_reshape_call(RouterReshape *r)
{
	ErrorData  *error;
	bool		done = false;

	begin_run(r->job.base);
	router_job_open(&r->job);
	PG_TRY();
	{
		error = router_reshape_run(r, &done);
	}
	PG_FINALLY();
	{
		router_job_end_run(r->job.base);
	}
	PG_END_TRY();
	if (!r->job.dry_run)
		router_job_note(&r->job, done ? r->rows : r->def.done, error);
	if (error)
		ReThrowError(error);
	if (!r->job.dry_run && !done)
		ereport(NOTICE,
				(errmsg("the time is over: " INT64_FORMAT " rows of %s are copied", r->def.done, router_job_name(r->job.base)),
				 errhint("Call it again to go on, or CALL router.cancel_reshape.")));
	return done;
}

/* CALL router.cancel_reshape(base, lock_timeout) */
Datum
router_cancel_reshape(PG_FUNCTION_ARGS)
{
	RouterReshape r;
	ErrorData  *error;

	router_require(fcinfo, 1);
	begin(&r, fcinfo, PG_GETARG_OID(0), "cancel_reshape", 1, -1);
	if (router_catalog_reshape(r.job.base) == NULL && !router_gets_another_shape(r.job.base))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table \"%s\" does not get another shape", get_rel_name(r.job.base)),
				 errhint("There is nothing to cancel.")));
	begin_run(r.job.base);
	router_job_open(&r.job);
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
