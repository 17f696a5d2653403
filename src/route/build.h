/*
 * build.h
 *		A route made from what the catalog has. See build.c.
 */
#ifndef ROUTER_BUILD_H
#define ROUTER_BUILD_H

#include "route/route.h"
#include "route/watermark.h"

extern RouterRoute *router_route_build(Oid base, Oid *parent);
extern void router_route_set_marks(RouterRoute *route, const RouterMarks *marks);

#endif
