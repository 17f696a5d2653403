/*
 * create_route.h
 *		What a base must not have. See create_route.c.
 */
#ifndef ROUTER_CREATE_ROUTE_H
#define ROUTER_CREATE_ROUTE_H

#include "compat.h"
#include "utils/rel.h"

#include "base/report.h"
#include "route/cache.h"

extern void router_check_base(Relation rel, bool adopting);
extern bool router_has_rows_now(Relation rel);
extern void router_take_rows_home(RouterReport *report, RouterCacheEntry *entry, Oid base);
extern void router_check_whole_rows(Relation rel);
extern void router_refuse_whole_row(Oid base, const char *constraint);

#endif
