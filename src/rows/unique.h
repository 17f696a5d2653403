/*
 * unique.h
 *		Rows that are equal in what a unique index says is unique. See unique.c.
 */
#ifndef ROUTER_UNIQUE_H
#define ROUTER_UNIQUE_H

#include "compat.h"

#include "nodes/execnodes.h"

extern bool router_has_equal(ResultRelInfo *rri, EState *estate, TupleTableSlot *row, TupleTableSlot *found);
extern void router_check_unique(ResultRelInfo *rri, EState *estate, Snapshot snapshot, const char *of);

#endif
