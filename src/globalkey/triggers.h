/*
 * triggers.h
 *		Triggers and hooks that keep global keys. See triggers.c.
 */
#ifndef ROUTER_TRIGGERS_H
#define ROUTER_TRIGGERS_H

#include "route/cache.h"

#include "nodes/execnodes.h"

extern void router_globalkey_init(void);

extern void router_globalkey_equip(Oid base, Oid relid);
extern void router_globalkey_strip(Oid relid);
extern void router_globalkey_attach(Oid base, Oid child);
extern void router_globalkey_detach(Oid base, Oid child);

#endif
