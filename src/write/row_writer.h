/*
 * row_writer.h
 *		Brings single rows home on behalf of a running statement. See row_writer.c.
 */
#ifndef ROUTER_ROW_WRITER_H
#define ROUTER_ROW_WRITER_H

#include "write/home.h"
#include "write/returning.h"
#include "write/statement.h"

typedef struct RouterRowWriter
{
	struct RouterRowWriter *next;	/* of the same statement */
	EState	   *statement;		/* NULL: none, to be closed by who opened it */
	Relation	base;
	EState	   *estate;
	RouterHomes homes;
	RouterBatch batch;
	RouterElsewhere *elsewhere; /* RETURNING of what was inserted */
	ResultRelInfo *target;		/* of the statement, whose policies count; or NULL */
	void	   *arg;			/* the user's */
} RouterRowWriter;

extern RouterRowWriter *router_writer(EState *statement, Oid base, bool moved);
extern void router_writer_close(RouterRowWriter *writer);
extern bool router_writer_insert(RouterRowWriter *writer, RouterDest *dest, TupleTableSlot *slot);
extern void router_writers_end(RouterStatement *statement);

#endif
