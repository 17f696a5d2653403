/*
 * cache.h
 *		Base -> route, with sorted bounds. See cache.c.
 */
#ifndef ROUTER_CACHE_H
#define ROUTER_CACHE_H

#include "route/catalog.h"
#include "route/watermark.h"

typedef struct RouterEntry RouterEntry;

/* Where a search ended that found no child. */
typedef struct RouterMiss
{
	int			level;
	RouterNode *path[ROUTER_MAX_LEVELS];	/* path[level] is where it ended */
} RouterMiss;

extern void router_cache_init(void);
extern RouterEntry *router_cache_entry(Oid base);
extern RouterRoute *router_cache_route(RouterEntry *entry);
extern RouterRoute *router_route_locked(RouterEntry *entry);
extern Oid	router_cache_base(Oid relid);
extern bool router_cache_marks(RouterEntry *entry, Snapshot snapshot, int64 *watermark, int64 *reach);
extern bool router_cache_has_grown(Oid base, Snapshot snapshot, uint64 version);
extern bool router_cache_is_current(const RouterEntry *entry);
extern void router_cache_forget(RouterEntry *entry);
extern Oid	router_route_find(RouterRoute *route, const Datum *values, const bool *isnull, RouterMiss *miss);
extern int	router_node_first_range(const RouterNode *node, int64 value);
extern const RouterTarget *router_node_value(RouterKey *key, const RouterNode *node, Datum value);
extern RouterRoute *router_cache_route_and_strays(RouterEntry *entry);
extern bool router_route_end(RouterRoute *route, int64 value, int64 *end);
extern void router_route_clip(const RouterNode *node, int64 value, int64 *lo, int64 *hi);
extern void router_route_leave_out(RouterKey *key, const RouterNode *node, RouterBound *bound);
extern void router_route_split(const RouterNode *node, uint64 hash, RouterBound *bound);
extern void router_cache_add_child(RouterEntry *entry, uint64 generation, Oid child, RouterBound **bounds,
								   uint64 version);

#endif
