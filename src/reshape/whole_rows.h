/*
 * whole_rows.h
 *		Rows without a key, while their table gets another shape. See whole_rows.c.
 */
#ifndef ROUTER_WHOLE_ROWS_H
#define ROUTER_WHOLE_ROWS_H

#include "reshape/shadow_rows.h"

extern void router_whole_init(void);
extern bool router_is_without_key(Oid base, List *sources);
extern void router_whole_index_make(Oid child, Oid table);
extern void router_whole_index_drop(Oid child);
extern void router_whole_note(Relation log, const RouterReshapeDef *def, Relation table, TupleTableSlot *row,
							  int count);
extern void router_whole_note_range(const RouterReshapeDef *def, Oid source, ItemPointer from, ItemPointer until);
extern int64 router_whole_apply(RouterShadowRows *rows, const RouterReshapeDef *def, Relation log, Snapshot snapshot);
extern void router_whole_follow(RouterShadowRows *rows, const RouterReshapeDef *def, Relation source,
								TupleTableSlot *old, TupleTableSlot *new);
extern bool router_whole_has_doubles(const RouterReshapeDef *def);
extern void router_whole_check_unique(const RouterReshapeDef *def, Snapshot snapshot);
extern void router_whole_set_actions(Oid child, bool on);

#endif
