/*
 * args.c
 *		Arguments of functions that SQL calls: what is NULL, or not as it should be.
 */
#include "compat.h"
#include "base/args.h"

#include "catalog/pg_proc.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

/* Refuses NULL for an argument of a function of router. */
void
router_require_argument(FunctionCallInfo fcinfo, int n)
{
	HeapTuple	tup;
	Oid		   *types;
	char	  **names;
	char	   *modes;

	if (!PG_ARGISNULL(n))
		return;
	tup = SearchSysCache1(PROCOID, ObjectIdGetDatum(fcinfo->flinfo->fn_oid));
	if (!HeapTupleIsValid(tup))
		elog(ERROR, "cache lookup failed for function %u", fcinfo->flinfo->fn_oid);
	(void) get_func_arg_info(tup, &types, &names, &modes);
	ereport(ERROR,
			(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
			 errmsg("argument \"%s\" of router.%s cannot be null", names[n],
					NameStr(((Form_pg_proc) GETSTRUCT(tup))->proname))));
}

/* The same for the first n. */
void
router_require(FunctionCallInfo fcinfo, int n)
{
	for (int i = 0; i < n; i++)
		router_require_argument(fcinfo, i);
}

bool
router_arg_bool(FunctionCallInfo fcinfo, int n)
{
	return !PG_ARGISNULL(n) && PG_GETARG_BOOL(n);
}

Oid
router_arg_oid(FunctionCallInfo fcinfo, int n)
{
	return PG_ARGISNULL(n) ? InvalidOid : PG_GETARG_OID(n);
}

char *
router_arg_text(FunctionCallInfo fcinfo, int n)
{
	return PG_ARGISNULL(n) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(n));
}

char *
router_arg_name(FunctionCallInfo fcinfo, int n)
{
	return PG_ARGISNULL(n) ? NULL : pstrdup(NameStr(*PG_GETARG_NAME(n)));
}

Interval *
router_arg_interval(FunctionCallInfo fcinfo, int n)
{
	return PG_ARGISNULL(n) ? NULL : PG_GETARG_INTERVAL_P(n);
}

/* How long to wait between two batches, in milliseconds; NULL: not at all. */
long
router_arg_pause(FunctionCallInfo fcinfo, int n)
{
	const Interval *pause = router_arg_interval(fcinfo, n);
	double		ms = pause ? (pause->time + (pause->day + pause->month * 30.0) * USECS_PER_DAY) / 1000 : 0;

	if (ms < 0 || ms > USECS_PER_DAY / 1000)
		router_bad_value("pause", router_interval_text(pause), "It is how long to wait between two batches: an interval up to a day.");
	return (long) ms;
}

/* Refuses a value of an argument; of router_bad_argument, one that cannot be told in a word. */
void
router_bad_value(const char *name, const char *value, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid value \"%s\" for %s", value, name),
			 errhint("%s", hint)));
}

char *
router_interval_text(const Interval *interval)
{
	return interval ? DatumGetCString(DirectFunctionCall1(interval_out, IntervalPGetDatum(interval))) : NULL;
}

void
router_bad_argument(const char *name, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid value for %s", name),
			 errhint("%s", hint)));
}

bool
router_is_longer(const Interval *a, const Interval *b)
{
	return DatumGetBool(DirectFunctionCall2(interval_gt, IntervalPGetDatum(a), IntervalPGetDatum(b)));
}

bool
router_is_above_zero(const Interval *interval)
{
	static const Interval zero = {0};

	return router_is_longer(interval, &zero);
}

/* May the function not commit, since it is part of a transaction of the caller? */
bool
router_is_atomic(FunctionCallInfo fcinfo)
{
	return !(fcinfo->context && IsA(fcinfo->context, CallContext) && !castNode(CallContext, fcinfo->context)->atomic);
}

/*
 * Refuses a function that changes something, unless in a dry run, in a read-only transaction and on a standby, as core
 * does commands: rows of the catalog are not written by SQL. Errors: read_only_sql_transaction.
 */
void
router_will_write(FunctionCallInfo fcinfo, bool dry_run)
{
	if (!dry_run && XactReadOnly)
		PreventCommandIfReadOnly(psprintf("router.%s", get_func_name(fcinfo->flinfo->fn_oid)));
}
