/*
 * insert.h
 *		INSERT by wearing the child. See insert.c.
 */
#ifndef ROUTER_INSERT_H
#define ROUTER_INSERT_H

#include "route/cache.h"

#include "commands/trigger.h"
#include "nodes/execnodes.h"

extern void router_insert_start(ModifyTableState *mtstate, RouterCacheEntry *entry);
extern bool router_insert_late(TriggerData *trigdata, bool *done);
extern void router_insert_end(EState *estate);

#endif
