/*
 * row_mover.h
 *		Brings single rows home on behalf of a running statement. See row_mover.c.
 */
#ifndef ROUTER_ROW_MOVER_H
#define ROUTER_ROW_MOVER_H

#include "write/home.h"
#include "write/returning.h"

#include "lib/ilist.h"

typedef struct RouterMover
{
	dlist_node	link;
	EState	   *statement;		/* NULL: none, to be closed by who opened it */
	bool		moving;			/* rows come from a table of the route; else they are new */
	Relation	base;
	EState	   *estate;
	RouterHomes homes;
	RouterBatch batch;
	RouterElsewhere *elsewhere; /* RETURNING of what was inserted */
	ResultRelInfo *target;		/* of the statement, whose policies count; or NULL */
	void	   *arg;			/* the user's */
	MemoryContextCallback forget;
} RouterMover;

extern RouterMover *router_mover(EState *statement, Oid base, bool moving);
extern void router_mover_close(RouterMover *mover);
extern bool router_mover_insert(RouterMover *mover, RouterDest *dest, TupleTableSlot *slot);
extern void router_movers_end(EState *statement);
extern void router_movers_end_copy(Oid base);

#endif
