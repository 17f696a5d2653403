/*
 * report.c
 *		The result of admin functions: a line for each thing done, or, with
 *		dry_run, for each that would be done.
 *
 * Memory: the tuplestore belongs to the query, as for any set-returning
 * function in materialize mode.
 */
#include "compat.h"
#include "base/report.h"
#include "base/sql.h"

#include "funcapi.h"
#include "utils/builtins.h"

/* The first so many arguments may not be NULL; dry_run is the number of that argument, -1: it changes nothing. */
void
router_report_begin(RouterReport *report, FunctionCallInfo fcinfo, int required, int dry_run)
{
	report->dry_run = dry_run < 0 || router_arg_bool(fcinfo, dry_run);
	router_will_write(fcinfo, report->dry_run);
	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	report->result = (ReturnSetInfo *) fcinfo->resultinfo;
	report->nlines = 0;
	router_require(fcinfo, required);
}

/* Adds a line, "would " in front of it in a dry run. */
void
router_report(RouterReport *report, const char *fmt,...)
{
	va_list		args;
	char	   *line;
	Datum		value;
	bool		isnull = false;

	va_start(args, fmt);
	line = router_format(fmt, args);
	va_end(args);
	value = CStringGetTextDatum(report->dry_run ? psprintf("would %s", line) : line);
	router_report_row(report, &value, &isnull);
	pfree(line);
}

void
router_report_row(RouterReport *report, Datum *values, bool *nulls)
{
	tuplestore_putvalues(report->result->setResult, report->result->setDesc, values, nulls);
	report->nlines++;
}
