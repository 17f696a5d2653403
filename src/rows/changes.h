/*
 * changes.h
 *		What was written to a table between two snapshots. See changes.c.
 */
#ifndef ROUTER_CHANGES_H
#define ROUTER_CHANGES_H

#include "utils/rel.h"
#include "utils/snapshot.h"
#include "utils/tuplestore.h"

/* Rows of a table that came, and rows that went, in its layout; an UPDATE is one of each. */
typedef struct RouterChanges
{
	Tuplestorestate *come;
	Tuplestorestate *gone;
} RouterChanges;

/* Brings what was copied of a table from one state of it to the next. */
typedef void (*RouterApply) (void *arg, RouterChanges *changes);

extern RouterChanges *router_changes_begin(void);
extern void router_changes_clear(RouterChanges *changes);
extern void router_changes_end(RouterChanges *changes);
extern int64 router_changes_count(const RouterChanges *changes);
extern void router_changes_find(RouterChanges *changes, Relation rel, Snapshot earlier, Snapshot later);
extern void router_catch_up(Relation rel, Snapshot *snapshot, RouterChanges *changes, RouterApply apply, void *arg);
extern TransactionId router_newest_write(Relation rel);

#endif
