/*
 * keep_in_step.h
 *		A copy that is kept in step with its table. See keep_in_step.c.
 */
#ifndef ROUTER_KEEP_IN_STEP_H
#define ROUTER_KEEP_IN_STEP_H

#include "compat.h"

#include "executor/tuptable.h"
#include "utils/reltrigger.h"

#define ROUTER_TRIGGER_STEP "!router_step"
#define ROUTER_TRIGGER_STEP_TRUNCATE "!router_step_truncate"
#define ROUTER_TRIGGER_RESHAPE "!router_reshape"	/* these two of reshape/follow.c */
#define ROUTER_TRIGGER_RESHAPE_TRUNCATE "!router_reshape_truncate"

/* What reshape/ does about a row that was taken out without firing triggers. */
extern void (*router_follow_deleted) (Relation rel, TupleTableSlot *old);
/* And about a table that is about to be a child. */
extern void (*router_follow_new_child) (Oid base, Oid child);

extern bool router_gets_another_shape(Oid relid);
extern void router_refuse_followed(Oid relid);
extern void router_step_mark(Oid copy, Oid table);
extern bool router_step_marked(Oid copy, Oid table);
extern Oid	router_step_copy(Relation rel);
extern bool router_is_step_trigger(const Trigger *trigger);
extern void router_step_begin(Oid table, Oid copy);
extern void router_step_end(Oid table);
extern void router_step_deleted(Relation rel, ItemPointer tid);

#endif
