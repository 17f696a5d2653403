/*
 * clone_source.h
 *		The rows of a table that is cloned, batch by batch. See clone_source.c.
 */
#ifndef ROUTER_CLONE_SOURCE_H
#define ROUTER_CLONE_SOURCE_H

#include "compat.h"

#include "utils/portal.h"
#include "utils/tuplestore.h"

#include "route/defs_clone.h"

typedef struct RouterCloneSource
{
	RouterCloneDef *def;
	int			batch_rows;
	bool		by_place;		/* else by key, or at once */
	int64		step;			/* by places: blocks of a batch, to aim at batch_rows; 0: not known yet */

	/* of a batch */
	Portal		portal;
	TupleDesc	desc;			/* of rows */
	int64		block;			/* by places: where the next batch begins */
	int64		blocks;			/* and where the last one ends */
} RouterCloneSource;

extern void router_clone_check_source(Oid source, Oid base);
extern void router_clone_choose(RouterCloneSource *s, ArrayType *key);
extern char *router_clone_files(Oid source);
extern char *router_clone_all_rows(const RouterCloneDef *def, const char *list);
extern void router_clone_open(RouterCloneSource *s);
extern Tuplestorestate *router_clone_read(RouterCloneSource *s, int64 *n);
extern void router_clone_pass(RouterCloneSource *s, Tuplestorestate *rows, int64 n);
extern void router_clone_close(RouterCloneSource *s);
extern char *router_clone_row_name(const RouterCloneDef *def, TupleTableSlot *row);
extern Datum router_clone_row(TupleTableSlot *row);

#endif
