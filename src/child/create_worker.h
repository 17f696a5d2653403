/*
 * create_worker.h
 *		Creating children in a transaction of their own. See create_worker.c.
 */
#ifndef ROUTER_CREATE_WORKER_H
#define ROUTER_CREATE_WORKER_H

#include "route/cache.h"

extern void router_child_worker_init(void);
extern Oid	router_child_create_aside(RouterCacheEntry *entry, const Datum *values, const bool *isnull);

#endif
