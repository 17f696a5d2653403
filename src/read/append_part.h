/*
 * append_part.h
 *		What append_plan.c, which makes RouterAppends, and append_exec.c, which runs them, share.
 */
#ifndef ROUTER_APPEND_PART_H
#define ROUTER_APPEND_PART_H

#include "route/route.h"

#include "nodes/extensible.h"

/* the members of custom_private */
enum
{
	PRIVATE_BASE,				/* list of one oid */
	PRIVATE_RELIDS,				/* what each plan of custom_plans reads; InvalidOid: who knows */
	PRIVATE_PROGRAM,
	PRIVATE_MERGE,				/* a MergeAppend without its plans, or NULL */
	PRIVATE_KEYS,				/* columns and kinds of the keys and seals that the program is about */
	PRIVATE_GENERATION,			/* list of two integers, its halves; this and the rest: see Plans */
	PRIVATE_MEMBERS,
	PRIVATE_PLACES,
	PRIVATE_OTHERS,
};

/* Which plans read which members of a route. */
typedef struct RouterPlans
{
	uint64		generation;		/* of the route; 0: they were not told apart yet */
	List	   *members;		/* those that one of the plans reads, ascending */
	List	   *places;			/* which plan reads each of them */
	List	   *others;			/* the plans left over: the base, strays, the default child */
} RouterPlans;

extern CustomScanMethods router_append_methods;

extern List *router_append_keys(const RouterRoute *route);
extern RouterPlans router_append_tell_apart(const RouterRoute *route, List *relids);

#endif
