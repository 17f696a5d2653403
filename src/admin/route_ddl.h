/*
 * route_ddl.h
 *		A route as text. See route_ddl.c.
 */
#ifndef ROUTER_ROUTE_DDL_H
#define ROUTER_ROUTE_DDL_H

#include "compat.h"

#include "lib/stringinfo.h"

#include "route/key.h"

extern void router_append_key(StringInfo buf, const RouterKey *key);

#endif
