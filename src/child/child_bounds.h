/*
 * child_bounds.h
 *		Bounds of children. See child_bounds.c.
 */
#ifndef ROUTER_CHILD_BOUNDS_H
#define ROUTER_CHILD_BOUNDS_H

#include "route/cache.h"

extern bool router_child_bounds(RouterRoute *route, const Datum *values, const bool *isnull,
								const RouterMiss *miss, RouterBound **bounds);
extern void router_child_check_bounds(RouterCacheEntry *entry, RouterBound **bounds);
extern char *router_child_condition(RouterRoute *route, RouterBound **bounds);
extern char *router_bounds_display(RouterRoute *route, RouterBound **bounds);
extern char *router_row_display(RouterRoute *route, const Datum *values, const bool *isnull);

#endif
