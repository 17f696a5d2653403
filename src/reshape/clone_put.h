/*
 * clone_put.h
 *		Rows at hand go into a table, but for those that cannot. See clone_put.c.
 */
#ifndef ROUTER_CLONE_PUT_H
#define ROUTER_CLONE_PUT_H

#include "compat.h"

#include "executor/spi.h"
#include "utils/queryenvironment.h"
#include "utils/tuplestore.h"

typedef struct RouterClonePut RouterClonePut;

/* By an INSERT that reads them as ROUTER_CLONE_ROWS. */
struct RouterClonePut
{
	Oid			base;
	const char *insert;			/* into it */
	TupleDesc	desc;			/* of the rows */
	/* so many rows, from this one on, are in; or NULL */
	void		(*done) (RouterClonePut *put, int64 first, int64 n);
	/* one is not, nor are those after it as yet */
	void		(*reject) (RouterClonePut *put, int64 which, TupleTableSlot *row, ErrorData *error);
	void	   *arg;			/* of these two */
	bool		parts;			/* begin with parts: some may be rejected */
	bool		rejected;		/* some were */

	SPIPlanPtr	plan;
	EphemeralNamedRelationData rows;
	bool		known;			/* a statement without rows went well */
};

extern void router_clone_put_begin(RouterClonePut *put);
extern void router_clone_put(RouterClonePut *put, Tuplestorestate *rows, int64 n);

#endif
