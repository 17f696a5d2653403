/*
 * cache.h
 *		Base -> route. See cache.c.
 */
#ifndef ROUTER_CACHE_H
#define ROUTER_CACHE_H

#include "route/catalog.h"
#include "route/search.h"
#include "route/watermark.h"

typedef struct RouterCacheEntry RouterCacheEntry;

extern void router_cache_init(void);
extern RouterCacheEntry *router_cache_entry(Oid base);
extern RouterRoute *router_cache_route(RouterCacheEntry *entry);
extern RouterRoute *router_route_locked(RouterCacheEntry *entry);
extern Oid	router_cache_base(Oid relid);
extern bool router_cache_marks(RouterCacheEntry *entry, Snapshot snapshot, int64 *watermark, int64 *reach);
extern bool router_cache_has_grown(Oid base, Snapshot snapshot, uint64 version);
extern bool router_cache_is_current(const RouterCacheEntry *entry);
extern void router_cache_forget(RouterCacheEntry *entry);
extern RouterRoute *router_cache_route_and_strays(RouterCacheEntry *entry);
extern void router_cache_add_child(RouterCacheEntry *entry, uint64 generation, Oid child, RouterBound **bounds,
								   uint64 version);

#endif
