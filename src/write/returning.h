/*
 * returning.h
 *		RETURNING of a row that is in another table than its statement thinks. See returning.c.
 */
#ifndef ROUTER_RETURNING_H
#define ROUTER_RETURNING_H

#include "compat.h"

#include "access/tupconvert.h"
#include "nodes/execnodes.h"

/* RETURNING of a target as if its rows stood in another table; those of a statement are linked. */
typedef struct RouterElsewhere
{
	const ResultRelInfo *rri;
	Oid			home;
	ProjectionInfo *returning;
	struct RouterElsewhere *next;
} RouterElsewhere;

extern void router_show_row(TupleTableSlot *to, TupleTableSlot *from, const TupleConversionMap *map);
extern void router_return_from(RouterElsewhere **known, EState *estate, ResultRelInfo *rri, Oid home);

#endif
