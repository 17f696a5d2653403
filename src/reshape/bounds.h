/*
 * bounds.h
 *		Bounds of one level put together and parted. See bounds.c.
 */
#ifndef ROUTER_RESHAPE_BOUNDS_H
#define ROUTER_RESHAPE_BOUNDS_H

#include "compat.h"

#include "nodes/pg_list.h"

#include "route/key.h"

extern bool router_bound_holds(RouterKey *key, const RouterBound *bound, const RouterBound *other);
extern RouterBound *router_bound_empty(int nvalues);
extern void router_bound_take(RouterKey *key, RouterBound *group, const RouterBound *bound);
extern void router_bound_settle(RouterBound *bound);
extern RouterBound *router_bound_without(RouterKey *key, const RouterBound *bound, List *groups);
extern RouterBound *router_bounds_join(RouterKey *key, List *bounds);
extern List *router_range_part(RouterKey *key, const RouterBound *bound, char **points, int npoints);
extern List *router_group_part(RouterKey *key, const RouterBound *bound, char **groups, int ngroups);
extern List *router_bucket_part(RouterKey *key, const RouterBound *bound);

#endif
