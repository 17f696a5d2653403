/*
 * stored.h
 *		What a child holds by the catalog. See stored.c.
 */
#ifndef ROUTER_STORED_H
#define ROUTER_STORED_H

#include "route/catalog.h"

#include "nodes/nodes.h"

extern Node *router_home_check(Oid child, bool *valid);
extern void router_stored_bounds(RouterKey *keys, const RouterChildDef *def, RouterBound **bounds);
extern bool router_refresh_bounds(RouterConfig *config, const RouterChildDef *def, bool dry_run);

#endif
