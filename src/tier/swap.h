/*
 * swap.h
 *		Copies take the place of children. See swap.c.
 */
#ifndef ROUTER_SWAP_H
#define ROUTER_SWAP_H

#include "route/catalog.h"

extern Oid	router_bridge(Oid base);
extern void router_bridge_build(Oid base);
extern void router_bridge_remove(Oid base);
extern void router_drop_marked(Oid relid, Oid of);

extern void router_swap_attach(Oid base, Oid bridge, Oid copy);
extern void router_swap_leave(Oid child);
extern void router_swap_enter(Oid base, Oid copy, const RouterChildDef *def);
extern void router_inherit_statistics(Oid child, Oid copy);
extern void router_tell_standbys(Oid base, TransactionId since);

#endif
