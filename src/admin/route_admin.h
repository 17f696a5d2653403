/*
 * route_admin.h
 *		What the admin functions share. See route_admin.c, child_admin.c.
 */
#ifndef ROUTER_ROUTE_ADMIN_H
#define ROUTER_ROUTE_ADMIN_H

#include "child/create.h"
#include "mirror/mirror.h"
#include "base/report.h"

extern void router_check_whole_rows(Relation rel);
extern void router_refuse_whole_row(Oid base, const char *constraint);
extern void router_create_reported(RouterReport *report, RouterCacheEntry *entry, RouterBound **bounds,
								   const char *name);
extern int	router_mend_base(const RouterMirror *request, Oid base);
extern void router_move_to_schema(Oid child, Oid schema);
extern void router_child_release(Oid base, Oid child);
extern List *router_premake_bounds(RouterRoute *route, int n, bool nightly);
extern void router_check_steps(int n);
extern bool router_reaches(Oid relid, const RouterKey *key, int64 point);
extern RouterBound **router_default_bounds(RouterRoute *route);

#endif
