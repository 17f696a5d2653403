/*
 * passed.h
 *		What a row that only changes its table need not go through again. See
 *		passed.c.
 */
#ifndef ROUTER_PASSED_H
#define ROUTER_PASSED_H

#include "compat.h"

#include "nodes/execnodes.h"

extern AttrNumber router_unlike_generated(Relation source, Relation rel);
extern void router_skip_check(ResultRelInfo *rri, EState *estate, Relation source, bool at_home);

#endif
