/*
 * bulk.h
 *		Index entries of many rows, in the order of each index. See bulk.c.
 */
#ifndef ROUTER_BULK_H
#define ROUTER_BULK_H

#include "compat.h"

#include "nodes/execnodes.h"

typedef struct RouterBulk RouterBulk;

extern RouterBulk *router_bulk_begin(ResultRelInfo *rri, EState *estate, int memory_kb);
extern void router_bulk_add(RouterBulk *bulk, TupleTableSlot *slot);
extern void router_bulk_finish(RouterBulk *bulk);

#endif
