/*
 * location.h
 *		Where a child can be. See location.c.
 */
#ifndef ROUTER_LOCATION_H
#define ROUTER_LOCATION_H

#include "route/catalog.h"

extern void router_check_location(const RouterLocation *location, Oid owner);
extern bool router_is_at_location(Oid child, const RouterLocation *location);
extern char *router_location_text(const RouterLocation *location);

#endif
