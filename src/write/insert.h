/*
 * insert.h
 *		INSERT with the child as target. See insert.c.
 */
#ifndef ROUTER_INSERT_H
#define ROUTER_INSERT_H

#include "route/cache.h"
#include "write/statement.h"

#include "commands/trigger.h"
#include "nodes/execnodes.h"

extern bool router_insert_start(ModifyTableState *mtstate, RouterCacheEntry *entry);
extern bool router_insert_late(TriggerData *trigdata, bool *done);
extern void router_insert_end(RouterStatement *statement);

#endif
