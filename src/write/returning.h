/*
 * returning.h
 *		RETURNING of a row that is in another table than its statement thinks. See returning.c.
 */
#ifndef ROUTER_RETURNING_H
#define ROUTER_RETURNING_H

#include "compat.h"

#include "access/tupconvert.h"
#include "nodes/execnodes.h"

/* RETURNING of targets as if their rows stood in other tables, for one statement. */
typedef struct RouterElsewhere RouterElsewhere;

extern void router_show_row(TupleTableSlot *to, TupleTableSlot *from, const TupleConversionMap *map);
extern void router_return_from(RouterElsewhere **known, EState *estate, ResultRelInfo *rri, Oid home);

#endif
