/*
 * update.h
 *		UPDATE that moves a row to another child. See update.c.
 */
#ifndef ROUTER_UPDATE_H
#define ROUTER_UPDATE_H

#include "route/cache.h"
#include "write/statement.h"

#include "nodes/execnodes.h"

extern void router_update_start(ModifyTableState *mtstate, RouterCacheEntry *entry);
extern void router_update_finish(RouterStatement *statement);

#endif
