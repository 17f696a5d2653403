/*
 * report.h
 *		What an admin function did, line by line. See report.c.
 */
#ifndef ROUTER_REPORT_H
#define ROUTER_REPORT_H

#include "compat.h"

#include "fmgr.h"
#include "utils/tuplestore.h"

/* The result of an admin function: SETOF text. */
typedef struct RouterReport
{
	Tuplestorestate *store;
	TupleDesc	desc;
	bool		dry_run;		/* say what would be done, do nothing */
} RouterReport;

extern void router_require_argument(FunctionCallInfo fcinfo, int n);
extern void router_require(FunctionCallInfo fcinfo, int n);
extern void router_will_write(FunctionCallInfo fcinfo, bool dry_run);
extern void router_report_begin(RouterReport *report, FunctionCallInfo fcinfo, bool dry_run);
extern void router_report(RouterReport *report, const char *fmt,...) pg_attribute_printf(2, 3);

#endif
