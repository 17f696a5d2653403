/*
 * clause.h
 *		Clauses are compiled into programs. See clause.c.
 */
#ifndef ROUTER_CLAUSE_H
#define ROUTER_CLAUSE_H

#include "route/route.h"

#include "nodes/primnodes.h"

extern List *router_clause_compile(RouterRoute *route, Index varno, List *clauses, List **exprs);
extern bool router_clause_has_level(const List *program, int level);

#endif
