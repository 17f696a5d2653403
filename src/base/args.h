/*
 * args.h
 *		Arguments of functions. See args.c.
 */
#ifndef ROUTER_ARGS_H
#define ROUTER_ARGS_H

#include "compat.h"

#include "fmgr.h"
#include "utils/timestamp.h"

extern void router_require_argument(FunctionCallInfo fcinfo, int n);
extern void router_require(FunctionCallInfo fcinfo, int n);

/* what is NULL: false, InvalidOid, NULL */
extern bool router_arg_bool(FunctionCallInfo fcinfo, int n);
extern Oid	router_arg_oid(FunctionCallInfo fcinfo, int n);
extern char *router_arg_text(FunctionCallInfo fcinfo, int n);
extern char *router_arg_name(FunctionCallInfo fcinfo, int n);
extern Interval *router_arg_interval(FunctionCallInfo fcinfo, int n);
extern long router_arg_pause(FunctionCallInfo fcinfo, int n);

pg_noreturn extern void router_bad_argument(const char *name, const char *hint);
pg_noreturn extern void router_bad_value(const char *name, const char *value, const char *hint);
extern char *router_interval_text(const Interval *interval);
extern bool router_is_longer(const Interval *a, const Interval *b);
extern bool router_is_above_zero(const Interval *interval);

extern bool router_is_atomic(FunctionCallInfo fcinfo);
extern void router_will_write(FunctionCallInfo fcinfo, bool dry_run);

#endif
