/*
 * moving.h
 *		Brackets for whoever moves rows. See moving.c.
 */
#ifndef ROUTER_MOVING_H
#define ROUTER_MOVING_H

#include "nodes/execnodes.h"
#include "utils/rel.h"

#include "base/owner.h"

/* Between router_moving_begin and _end. */
typedef struct RouterMoving
{
	RouterAsOwner saved;
	ErrorContextCallback tell;
	bool		pending;
} RouterMoving;

extern bool router_may_be_pending(Relation source);
extern void router_refuse_pending(Oid relid, const char *command);
extern void router_moving_begin(RouterMoving *moving, Relation base, Relation from);
extern void router_moving_end(const RouterMoving *moving, EState *estate);

#endif
