/*
 * lock.h
 *		Locks on a base and its children. See lock.c.
 */
#ifndef ROUTER_LOCK_H
#define ROUTER_LOCK_H

#include "base/lock_all.h"
#include "route/cache.h"

extern int	router_lock_portion(Relation base);
extern List *router_children_by_oid(Oid base);
extern List *router_children_elsewhere(Oid base, Oid schema);
extern List *router_lock_family(Oid base, LOCKMODE mode);
extern void router_wait_for_planners(Oid base);

extern void router_lock_creation(Oid base);
extern void router_unlock_creation(Oid base);
extern bool router_creation_is_locked(Oid base);

/* What an admin function locks that makes children. */
typedef struct RouterCreation
{
	RouterCacheEntry *entry;
	Oid			base;
	LOCKMODE	mode;			/* of the base, ShareUpdateExclusiveLock or more; 0: that */
	List	   *others;			/* more locks */
	Oid			schema;			/* children that stand elsewhere are locked to go there; InvalidOid: none is */
	/* Do rows of the default child, which is locked, go to a child that is about to be made? NULL: no */
	bool		(*takes_rows) (struct RouterCreation *creation);
	void	   *arg;			/* for takes_rows */
} RouterCreation;

extern RouterRoute *router_lock_children(RouterCreation *creation);

#endif
