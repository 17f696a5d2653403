/*
 * copy_rows.h
 *		Copying rows into new tables, in batches. See copy_rows.c.
 */
#ifndef ROUTER_COPY_ROWS_H
#define ROUTER_COPY_ROWS_H

#include "rows/batch.h"

/* Rows on their way into copies of a table, or of several. */
typedef struct RouterCopier RouterCopier;

extern RouterCopier *router_copier_begin(Oid base);
extern RouterDest *router_copier_open(RouterCopier *copier, Oid copy, TupleDesc source, Relation passed);
extern void router_copier_put(RouterCopier *copier, RouterDest *dest, TupleTableSlot *slot);
extern void router_copier_end(RouterCopier *copier);

#endif
