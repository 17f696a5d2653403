/*
 * triggers.h
 *		Triggers and hooks that keep global keys. See triggers.c.
 */
#ifndef ROUTER_TRIGGERS_H
#define ROUTER_TRIGGERS_H

#include "route/cache.h"

#include "nodes/execnodes.h"

extern void router_keep_init(void);
extern void router_keep_start(ModifyTableState *mtstate, RouterEntry *entry);
extern void router_keep_end(EState *estate);

extern void router_keys_equip(Oid base, Oid relid);
extern void router_keys_strip(Oid relid);
extern void router_keys_attach(Oid base, Oid child);
extern void router_keys_detach(Oid base, Oid child);

#endif
