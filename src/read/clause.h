/*
 * clause.h
 *		Clauses are compiled into programs. See clause.c.
 */
#ifndef ROUTER_CLAUSE_H
#define ROUTER_CLAUSE_H

#include "route/cache.h"

#include "nodes/primnodes.h"

extern List *router_qual_compile(RouterRoute *route, Index varno, List *clauses, List **exprs);
extern bool router_qual_has_level(const List *program, int level);

#endif
