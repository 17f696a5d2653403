/*
 * regroup.h
 *		Rows of some children get other children. See regroup.c.
 */
#ifndef ROUTER_REGROUP_H
#define ROUTER_REGROUP_H

#include "reshape/reshape.h"
#include "route/cache.h"

extern char **router_bound_texts(RouterRoute *route, RouterBound **bounds);
extern bool router_same_texts(char **a, char **b, int level);
extern void router_plan_child(RouterReshape *r, RouterRoute *route, RouterBound **bounds);
extern void router_plan_default(RouterReshape *r, RouterRoute *route);
extern int	router_level_of(RouterReshape *r, RouterRoute *route, int n, const RouterKeyKind *kind);
extern void router_check_regroup(RouterReshape *r, void (*plan) (RouterReshape *, RouterCacheEntry *));
extern char *router_regroup_display(const RouterReshape *r);

#endif
