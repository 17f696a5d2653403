/*
 * create_route.h
 *		What a base must not have. See create_route.c.
 */
#ifndef ROUTER_CREATE_ROUTE_H
#define ROUTER_CREATE_ROUTE_H

#include "compat.h"
#include "utils/rel.h"

extern void router_check_whole_rows(Relation rel);
extern void router_refuse_whole_row(Oid base, const char *constraint);

#endif
