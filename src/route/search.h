/*
 * search.h
 *		Which child holds a row. See search.c.
 */
#ifndef ROUTER_SEARCH_H
#define ROUTER_SEARCH_H

#include "route/route.h"

/* Where a search ended that found no child. */
typedef struct RouterMiss
{
	int			level;
	RouterNode *path[ROUTER_MAX_LEVELS];	/* path[level] is where it ended */
} RouterMiss;

extern void router_route_add(RouterRoute *route, Oid child, RouterBound **bounds);
extern void router_route_sort(RouterRoute *route);
extern int	router_route_member(const RouterRoute *route, Oid child);

extern Oid	router_route_find(RouterRoute *route, const Datum *values, const bool *isnull, RouterMiss *miss);
extern int	router_node_first_range(const RouterNode *node, int64 value);
extern const RouterTarget *router_node_value(RouterKey *key, const RouterNode *node, Datum value);
extern bool router_route_end(RouterRoute *route, int64 value, int64 *end);
extern void router_route_clip(const RouterNode *node, int64 value, int64 *lo, int64 *hi);
extern void router_route_leave_out(RouterKey *key, const RouterNode *node, RouterBound *bound);
extern void router_route_split(const RouterNode *node, uint64 hash, RouterBound *bound);

#endif
