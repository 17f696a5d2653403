/*
 * relocate.h
 *		Children move to another tablespace, access method or server. See relocate.c.
 */
#ifndef ROUTER_RELOCATE_H
#define ROUTER_RELOCATE_H

#include "job/job.h"

#include "nodes/pg_list.h"

#include "tier/location.h"

typedef struct RouterMove
{
	Oid			child;
	RouterLocation location;
} RouterMove;

extern void router_check_replaceable(Oid child, Oid base, const char *follower);
extern ErrorData *router_relocate(const RouterJob *job, List *moves);

#endif
