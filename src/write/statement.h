/*
 * statement.h
 *		What router keeps for a running statement. See statement.c.
 */
#ifndef ROUTER_STATEMENT_H
#define ROUTER_STATEMENT_H

#include "globalkey/entry.h"

#include "lib/ilist.h"
#include "nodes/execnodes.h"

typedef struct RouterStatement
{
	dlist_node	link;
	EState	   *estate;
	RouterGlobalKeyState *keys; /* of the tables that it changes: hooks.c */
	struct RouterInsert *inserts;	/* nodes that insert into bases: insert.c */
	struct RouterRowWriter *writers;	/* one a base and purpose: row_writer.c */
	struct RouterDetour *detour;	/* of the row in hand, or NULL: update.c */
	MemoryContextCallback forget;
} RouterStatement;

extern RouterStatement *router_statement_find(EState *estate);
extern RouterStatement *router_statement_get(EState *estate);
extern RouterStatement *router_statement_of_copy(Oid base);

#endif
