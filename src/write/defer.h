/*
 * defer.h
 *		SET CONSTRAINTS of a base's constraint is one of its children's, too. See defer.c.
 */
#ifndef ROUTER_DEFER_H
#define ROUTER_DEFER_H

#include "compat.h"

#include "nodes/execnodes.h"

extern void router_defer_child(Oid base, Oid child);
extern void router_defer_start(ModifyTableState *mtstate);
extern void router_defer_init(void);

#endif
