/*
 * owned.h
 *		The tables that a caller names. See owned.c.
 */
#ifndef ROUTER_OWNED_H
#define ROUTER_OWNED_H

#include "storage/lockdefs.h"

#include "route/cache.h"

extern void router_check_exists(Oid relid);
extern void router_check_owner(Oid relid);
extern void router_check_routed(Oid base);
extern void router_check_owned_base(Oid base);
extern RouterCacheEntry *router_owned_route(Oid base);
extern RouterCacheEntry *router_owned_locked(Oid base, LOCKMODE mode);
extern RouterRoute *router_hot_route(RouterCacheEntry *entry);
extern RouterChildDef *router_known_child(Oid child, Oid base);

#endif
