/*
 * drop.h
 *		DROP TABLE of a base. See drop.c.
 */
#ifndef ROUTER_DROP_H
#define ROUTER_DROP_H

#include "compat.h"

#include "nodes/parsenodes.h"

extern void router_drop_starts(const DropStmt *stmt);

#endif
