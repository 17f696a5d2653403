/*
 * report.c
 *		The SETOF text result of admin functions: a line for each thing done,
 *		or, with dry_run, for each that would be done.
 *
 * Memory: the tuplestore belongs to the query, as for any set-returning
 * function in materialize mode.
 */
#include "compat.h"
#include "report.h"

#include "funcapi.h"
#include "utils/builtins.h"

void
router_report_begin(RouterReport *report, FunctionCallInfo fcinfo, bool dry_run)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;

	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	report->store = rsinfo->setResult;
	report->desc = rsinfo->setDesc;
	report->dry_run = dry_run;
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
