/*
 * entry.h
 *		Entries of global keys. See entry.c.
 */
#ifndef ROUTER_ENTRY_H
#define ROUTER_ENTRY_H

#include "route/cache.h"

#include "nodes/execnodes.h"
#include "utils/reltrigger.h"

struct CopyFromStateData;

#define ROUTER_TRIGGER_GLOBALKEY "~router_key"
#define ROUTER_TRIGGER_GLOBALKEY_TRUNCATE "~router_key_truncate"

/* The global keys of a base as one statement uses them; a list, one a base. */
typedef struct RouterGlobalKeyState RouterGlobalKeyState;

extern bool router_globalkey_is_trigger(const Trigger *trigger);
extern bool router_globalkey_has_trigger(const TriggerDesc *triggers);
extern Oid	router_globalkey_index(Relation rel, Oid base, const AttrNumber *attnums, int n);
extern bool router_is_referenced(Relation rel);

extern void router_globalkey_watch(RouterGlobalKeyState **list, EState *estate, ResultRelInfo *rri);
extern void router_globalkey_follow_move(RouterGlobalKeyState **list, EState *estate, Relation rel,
										 TupleTableSlot *old, TupleTableSlot *new);
extern void router_globalkey_follow(Oid base, Relation rel, TupleTableSlot *old, TupleTableSlot *new);
extern void router_globalkey_close(RouterGlobalKeyState **list);
extern void router_globalkey_collect(RouterGlobalKeyState *keys, struct CopyFromStateData *copy);
extern void router_globalkey_flush(RouterGlobalKeyState *keys);

extern uint64 router_globalkey_apply(Oid base, Oid key_table, Oid reader, const char *query, bool enter);

#endif
