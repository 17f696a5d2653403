/*
 * remarks.h
 *		What one should know of a table that becomes a routed one. See remarks.c.
 */
#ifndef ROUTER_REMARKS_H
#define ROUTER_REMARKS_H

#include "compat.h"

#include "utils/array.h"

#include "route/catalog.h"

extern void router_remark_table(Oid relid, const RouterConfig *config);
extern void router_remark_children(Oid relid, ArrayType *keys, const Interval *hot);
extern void router_remark_dead_rows(Oid relid);

#endif
