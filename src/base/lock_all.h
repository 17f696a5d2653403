/*
 * lock_all.h
 *		Locks on several tables at once. See lock_all.c.
 */
#ifndef ROUTER_LOCK_ALL_H
#define ROUTER_LOCK_ALL_H

#include "nodes/pg_list.h"
#include "storage/lockdefs.h"

/*
 * Gives the locks that are wanted as things are now, in lock order: a list of
 * router_lock_add. locked: those that it gave last are held, so that it may look
 * closer and want more.
 */
typedef List *(*RouterLockFinder) (void *arg, bool locked);

extern List *router_lock_add(List *locks, Oid relid, LOCKMODE mode);
extern List *router_lock_add_creation(List *locks, Oid base);
extern void router_lock_all(RouterLockFinder find, void *arg);
extern void router_lock_these(List *locks);
extern void router_unlock_these(List *locks);

#endif
