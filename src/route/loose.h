/*
 * loose.h
 *		Children whose storage was swapped, while somebody may still have a
 *		snapshot from before. See loose.c.
 */
#ifndef ROUTER_LOOSE_H
#define ROUTER_LOOSE_H

#include "nodes/pg_list.h"
#include "storage/lock.h"
#include "utils/relcache.h"

extern List *router_loose_children(Oid base);
extern bool router_loose_is_seen(Oid base);
extern void router_loose_add(Oid base, Oid child);
extern int	router_older_snapshots(TransactionId xid, VirtualTransactionId **who);
extern bool router_loose_wait(Oid base, Oid child, bool wait);
extern void router_loose_remove(Oid base, Oid child);
extern bool router_has_unvalidated_home(Relation rel);

#endif
