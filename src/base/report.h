/*
 * report.h
 *		What an admin function did, line by line. See report.c.
 */
#ifndef ROUTER_REPORT_H
#define ROUTER_REPORT_H

#include "compat.h"

#include "fmgr.h"
#include "nodes/execnodes.h"

#include "base/args.h"

/* The result of an admin function, SETOF text mostly. */
typedef struct RouterReport
{
	ReturnSetInfo *result;
	uint64		nlines;
	bool		dry_run;		/* say what would be done, do nothing */
} RouterReport;

extern void router_report_begin(RouterReport *report, FunctionCallInfo fcinfo, int required, int dry_run);
extern void router_report(RouterReport *report, const char *fmt,...) pg_attribute_printf(2, 3);
extern void router_report_row(RouterReport *report, Datum *values, bool *nulls);
extern void router_report_line(RouterReport *report, const char *line);
extern void router_refuse_lines(const char *message, List *lines, const char *hint);

#endif
