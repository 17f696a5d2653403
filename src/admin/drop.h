/*
 * drop.h
 *		What DROP does to routes. See drop.c.
 */
#ifndef ROUTER_DROP_H
#define ROUTER_DROP_H

#include "compat.h"

#include "access/htup.h"
#include "executor/spi.h"
#include "nodes/parsenodes.h"

extern void router_drop_starts(const DropStmt *stmt);
extern void router_drop_ends(Node *parsetree, const SPITupleTable *found, bool restoring);
extern bool router_is_followed(Oid classid, HeapTuple row);

#endif
