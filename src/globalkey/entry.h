/*
 * entry.h
 *		Entries of global keys. See entry.c.
 */
#ifndef ROUTER_ENTRY_H
#define ROUTER_ENTRY_H

#include "route/cache.h"

#include "nodes/execnodes.h"
#include "utils/reltrigger.h"

#define ROUTER_TRIGGER_KEY "~router_key"
#define ROUTER_TRIGGER_KEY_TRUNCATE "~router_key_truncate"

/* The global keys of a base as one statement uses them; a list, one a base. */
typedef struct RouterKeys RouterKeys;

extern bool router_is_global_key_trigger(const Trigger *trigger);
extern bool router_has_key_trigger(Relation rel);
extern Oid	router_entry_index(Relation rel, Oid base, const AttrNumber *attnums, int n);
extern bool router_is_referenced(Relation rel);

extern void router_keys_watch(RouterKeys **list, EState *estate, ResultRelInfo *rri);
extern void router_keys_follow_move(RouterKeys **list, EState *estate, Relation from, TupleTableSlot *old,
									Relation to, TupleTableSlot *new);
extern void router_keys_follow(Oid base, Relation rel, TupleTableSlot *old, TupleTableSlot *new);
extern void router_keys_close(RouterKeys **list);
extern void router_keys_collect(RouterKeys *keys, struct CopyFromStateData *copy);
extern void router_keys_flush(RouterKeys *keys);

extern uint64 router_keys_apply(Oid base, Oid key_table, Oid reader, const char *query, bool enter);

#endif
