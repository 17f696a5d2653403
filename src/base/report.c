/*
 * report.c
 *		The SETOF text result of admin functions: a line for each thing done,
 *		or, with dry_run, for each that would be done. Their arguments.
 *
 * Memory: the tuplestore belongs to the query, as for any set-returning
 * function in materialize mode.
 */
#include "compat.h"
#include "base/report.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_proc.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

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

void
router_report_begin(RouterReport *report, FunctionCallInfo fcinfo, bool dry_run)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;

	router_will_write(fcinfo, dry_run);
	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	report->store = rsinfo->setResult;
	report->desc = rsinfo->setDesc;
	report->dry_run = dry_run;
}

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

/* Adds a line, "would " in front of it in a dry run. */
void
router_report(RouterReport *report, const char *fmt,...)
{
	StringInfoData line;
	Datum		value;
	bool		isnull = false;

	initStringInfo(&line);
	for (;;)
	{
		va_list		args;
		int			needed;

		resetStringInfo(&line);
		if (report->dry_run)
			appendStringInfoString(&line, "would ");
		va_start(args, fmt);
		needed = appendStringInfoVA(&line, fmt, args);
		va_end(args);
		if (needed == 0)
			break;
		enlargeStringInfo(&line, needed);
	}
	value = CStringGetTextDatum(line.data);
	tuplestore_putvalues(report->store, report->desc, &value, &isnull);
	pfree(line.data);
}
