/*
 * shadow.h
 *		A routed table that will take the place of another table. See shadow.c.
 */
#ifndef ROUTER_SHADOW_H
#define ROUTER_SHADOW_H

#include "compat.h"

#include "nodes/pg_list.h"

#include "route/defs_reshape.h"
#include "route/route.h"

/* The arguments of a call that create_route takes as well, from the keys on. */
#define ROUTER_ROUTE_ARGUMENTS 10

/* Rows that are there have passed the rails for those that are new: years, and children a statement. */
#define ROUTER_ANY_HORIZON 200000
#define ROUTER_ANY_NUMBER PG_INT32_MAX

extern void router_shadow_make(RouterReshapeDef *def, FunctionCallInfo fcinfo, const RouterConfig *config,
							   List *bounds);
extern void router_shadow_create_route(Oid table, FunctionCallInfo fcinfo, bool dry_run);
extern void router_shadow_check_route(Oid table, Oid shadow, FunctionCallInfo fcinfo);
extern bool router_shadow_name_indexes(const RouterReshapeDef *def, Oid child);
extern void router_shadow_take_over(const RouterReshapeDef *def);
extern void router_shadow_give_children(const RouterReshapeDef *def);
extern void router_shadow_give_storage(const RouterReshapeDef *def);
extern void router_shadow_give_keys(const RouterReshapeDef *def);
extern bool router_shadow_drop(const RouterReshapeDef *def);

#endif
