/*
 * create.h
 *		Creating children. See create.c.
 */
#ifndef ROUTER_CREATE_H
#define ROUTER_CREATE_H

#include "route/lock.h"

extern Oid	router_child_create(RouterCacheEntry *entry, RouterBound **bounds, const char *name, uint64 *moved);
extern Oid	router_child_create_home(RouterCacheEntry *entry, const Datum *values, const bool *isnull);
extern void router_check_child_schema(Oid base, Oid schema);
extern bool router_child_is_told(const Node *command);
extern void router_child_equip(Oid base, Oid child);
extern void router_register_child(RouterCacheEntry *entry, Oid child, RouterBound **bounds);

#endif
