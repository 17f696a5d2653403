/*
 * child_admin.h
 *		Children that come and go other than by INSERT. See child_admin.c.
 */
#ifndef ROUTER_CHILD_ADMIN_H
#define ROUTER_CHILD_ADMIN_H

#include "child/create.h"
#include "base/report.h"

extern void router_create_reported(RouterReport *report, RouterCacheEntry *entry, RouterBound **bounds,
								   const char *name);
extern void router_create_default_child(RouterReport *report, RouterCacheEntry *entry);
extern char *router_column_base_lacks(Relation child, Oid base);
extern void router_attach(RouterCacheEntry *entry, Oid child, RouterBound **bounds, bool inherits);
extern void router_move_to_schema(Oid child, Oid schema);
extern void router_gather_children(RouterReport *report, Oid base, const char *schema_name);
extern void router_child_end(Oid base, Oid child);
extern void router_child_release(Oid base, Oid child);
extern List *router_premake_bounds(RouterRoute *route, int n, bool nightly);
extern void router_check_steps(int n);

#endif
