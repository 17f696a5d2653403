/*
 * default_child.h
 *		Rows in the default child. See default_child.c.
 */
#ifndef ROUTER_DEFAULT_CHILD_H
#define ROUTER_DEFAULT_CHILD_H

#include "route/cache.h"

extern bool router_default_child_has(RouterCacheEntry *entry, List *wanted);
extern uint64 router_child_fill(RouterCacheEntry *entry, Oid child, RouterBound **bounds);
extern uint64 router_move_rows(RouterCacheEntry *entry, RouterBound **bounds, Relation from, Relation to, bool leave);

#endif
