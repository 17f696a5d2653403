/*
 * twin.h
 *		A table and its copy, opened to change rows of the copy. See twin.c.
 */
#ifndef ROUTER_TWIN_H
#define ROUTER_TWIN_H

#include "compat.h"

#include "executor/tuptable.h"
#include "utils/snapshot.h"

typedef struct RouterTwin RouterTwin;

extern RouterTwin *router_twin_open(Relation rel, Oid copy);
extern bool router_twin_remove(RouterTwin *twin, TupleTableSlot *slot);
extern void router_twin_insert(RouterTwin *twin, TupleTableSlot *slot);
extern bool router_twin_has(RouterTwin *twin, TupleTableSlot *like);
extern bool router_twin_change(RouterTwin *twin, TupleTableSlot *old, TupleTableSlot *new, bool moved);
extern void router_twin_bring(RouterTwin *twin, TupleTableSlot *slot);
extern bool router_twin_is_double(RouterTwin *twin);
extern void router_twin_check_unique(RouterTwin *twin, Snapshot snapshot);
extern Oid	router_twin_copy(const RouterTwin *twin);
extern void router_twin_follow(RouterTwin *twin, TupleTableSlot *old, TupleTableSlot *new);
extern bool router_row_went_home(TupleTableSlot *old);
extern void router_twin_close(RouterTwin *twin);

#endif
