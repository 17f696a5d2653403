/*
 * location.h
 *		Where a child can be. See location.c.
 */
#ifndef ROUTER_LOCATION_H
#define ROUTER_LOCATION_H

#include "compat.h"

/* Where a child shall be; what is NULL stays as it is. */
typedef struct RouterPlace
{
	char	   *tablespace;
	char	   *access_method;
	char	   *server;
	char	   *remote_schema;
	bool		local;			/* back from a server */
} RouterPlace;

extern bool router_may_use_tablespace(Oid tablespace, Oid role);
extern void router_check_place(const RouterPlace *place, Oid owner);
extern bool router_is_in_place(Oid child, const RouterPlace *place);

#endif
