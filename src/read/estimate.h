/*
 * estimate.h
 *		Sizes of children that nobody has analyzed. See estimate.c.
 */
#ifndef ROUTER_ESTIMATE_H
#define ROUTER_ESTIMATE_H

#include "compat.h"

#include "nodes/pathnodes.h"

extern void router_estimate_child(RelOptInfo *rel, Oid relid, int siblings);

#endif
