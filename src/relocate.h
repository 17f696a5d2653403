/*
 * relocate.h
 *		Children move to another tablespace, access method or server. See relocate.c.
 */
#ifndef ROUTER_RELOCATE_H
#define ROUTER_RELOCATE_H

#include "job.h"

#include "nodes/pg_list.h"

/* Where a child shall be; what is NULL stays as it is. */
typedef struct RouterPlace
{
	char	   *tablespace;
	char	   *access_method;
	char	   *server;
	char	   *remote_schema;
	bool		local;			/* back from a server */
} RouterPlace;

typedef struct RouterMove
{
	Oid			child;
	RouterPlace place;
} RouterMove;

extern void router_check_place(const RouterPlace *place, Oid owner);
extern bool router_is_in_place(Oid child, const RouterPlace *place);
extern ErrorData *router_relocate(const RouterJob *job, List *moves, bool dry_run);

#endif
