/*
 * row_writer.h
 *		Brings single rows home on behalf of a running statement. See row_writer.c.
 */
#ifndef ROUTER_ROW_WRITER_H
#define ROUTER_ROW_WRITER_H

#include "write/home.h"
#include "write/returning.h"
#include "write/statement.h"

#include "nodes/parsenodes.h"

typedef struct RouterRowWriter
{
	struct RouterRowWriter *next;	/* of the same statement */
	EState	   *statement;		/* NULL: none, to be closed by who opened it */
	Relation	base;
	EState	   *estate;
	RouterHomes homes;
	RouterBatch batch;
	RouterElsewhere *elsewhere; /* RETURNING of what was inserted */
	/* of the row in hand: see router_writer_expect */
	ResultRelInfo *target;
	WCOKind		policy;
	TupleTableSlot *came;
	TupleTableSlot *shown;
	Oid			home;			/* where it was inserted */
	TupleConversionMap *back;	/* from back_of's layout to that of back_to, NULL if alike */
	Oid			back_of;
	TupleDesc	back_to;
} RouterRowWriter;

extern RouterRowWriter *router_writer(EState *statement, Oid base, bool moved);
extern void router_writer_close(RouterRowWriter *writer);
extern void router_writer_expect(RouterRowWriter *writer, ResultRelInfo *target, WCOKind policy, TupleTableSlot *came,
								 TupleTableSlot *shown, bool show);
extern bool router_writer_insert(RouterRowWriter *writer, RouterDest *dest, TupleTableSlot *slot);
extern void router_writers_end(RouterStatement *statement);

#endif
