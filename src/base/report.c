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

/* lines in the detail of an error */
#define MAX_TOLD 100

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

	va_start(args, fmt);
	line = router_format(fmt, args);
	va_end(args);
	router_report_line(report, report->dry_run ? psprintf("would %s", line) : line);
	pfree(line);
}

/* Adds a line as it is. */
void
router_report_line(RouterReport *report, const char *line)
{
	Datum		value = CStringGetTextDatum(line);
	bool		isnull = false;

	router_report_row(report, &value, &isnull);
}

void
router_report_row(RouterReport *report, Datum *values, bool *nulls)
{
	tuplestore_putvalues(report->result->setResult, report->result->setDesc, values, nulls);
	report->nlines++;
}

/* Refuses to do something: the detail has a line for each thing that is in the way. */
void
router_refuse_lines(const char *message, List *lines, const char *hint)
{
	StringInfoData detail;
	ListCell   *lc;

	initStringInfo(&detail);
	foreach(lc, lines)
		if (foreach_current_index(lc) < MAX_TOLD)
			appendStringInfo(&detail, "%s%s", detail.len > 0 ? "\n" : "", (char *) lfirst(lc));
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("%s", message),
			 errdetail_internal("%s", detail.data),
			 errhint("%s", hint)));
}
