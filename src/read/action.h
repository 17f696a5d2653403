/*
 * action.h
 *		Referential actions on routed tables. See action.c.
 */
#ifndef ROUTER_ACTION_H
#define ROUTER_ACTION_H

#include "compat.h"

#include "nodes/parsenodes.h"

extern void router_widen_action(Query *parse, const char *query_string);

#endif
