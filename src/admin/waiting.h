/*
 * waiting.h
 *		Rows that wait in a default child for children of their own. See waiting.c.
 */
#ifndef ROUTER_WAITING_H
#define ROUTER_WAITING_H

#include "route/cache.h"

typedef struct RouterWaiting RouterWaiting;

extern RouterWaiting *router_waiting_begin(RouterCacheEntry *entry);
extern bool router_waiting_next(RouterWaiting *waiting, RouterRoute *known, RouterBound **bounds, Oid *child);
extern void router_waiting_end(RouterWaiting *waiting);
extern bool router_redistribute_once(Oid base, bool dry_run, uint64 *rows);
extern void router_refuse_no_default_child(Oid base);

#endif
