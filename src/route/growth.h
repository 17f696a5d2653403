/*
 * growth.h
 *		The last children that came to a route. See growth.c.
 */
#ifndef ROUTER_GROWTH_H
#define ROUTER_GROWTH_H

#include "utils/relcache.h"
#include "utils/snapshot.h"

extern Oid	router_growth_id(void);
extern uint64 router_growth_add(Oid base, Oid child);
extern uint64 router_growth_version(Oid base, Snapshot snapshot);
extern bool router_growth_is_settled(Oid base);
extern bool router_growth_matters(Oid base, Snapshot snapshot, uint64 version);
extern bool router_has_rows(Relation rel, Snapshot snapshot);

#endif
