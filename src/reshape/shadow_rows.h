/*
 * shadow_rows.h
 *		The rows of a shadow follow those of its table. See shadow_rows.c.
 */
#ifndef ROUTER_SHADOW_ROWS_H
#define ROUTER_SHADOW_ROWS_H

#include "compat.h"

#include "executor/tuptable.h"
#include "utils/rel.h"
#include "utils/snapshot.h"

#include "route/defs_reshape.h"
#include "rows/twin.h"

/* The first columns of a log of whole rows: see whole_rows.c. */
#define ROUTER_WHOLE_COLUMNS \
	"\"!router_source\" oid, \"!router_tid\" tid, \"!router_until\" tid, \"!router_xid\" xid8," \
	" \"!router_count\" int, \"!router_snapshot\" pg_snapshot"
#define ROUTER_WHOLE_NCOLUMNS 6

/* The children of a shadow, opened as rows come that belong there. */
typedef struct RouterShadowRows RouterShadowRows;

extern RouterShadowRows *router_shadow_rows_open(const RouterReshapeDef *def);
extern void router_shadow_rows_be_quiet(RouterShadowRows *rows);
extern void router_shadow_rows_close(RouterShadowRows *rows);
extern void router_shadow_rows_bring(RouterShadowRows *rows, Relation source, TupleTableSlot *version,
									 Snapshot snapshot);
extern bool router_shadow_rows_add(RouterShadowRows *rows, Relation source, TupleTableSlot *version);
extern int64 router_shadow_rows_apply(RouterShadowRows *rows, Relation log, Snapshot snapshot);
extern AttrNumber *router_log_map(const RouterReshapeDef *def, Relation log, Relation table);
extern void router_shadow_rows_clear(const RouterReshapeDef *def, Relation source, Snapshot snapshot);
extern char *router_log_columns(const RouterReshapeDef *def, Relation table, List *keys);
extern void router_shadow_rows_from(RouterShadowRows *rows, Oid source);
extern TupleTableSlot *router_shadow_rows_went(RouterShadowRows *rows, Relation source, TupleTableSlot *slot);
extern TupleTableSlot *router_shadow_rows_came(RouterShadowRows *rows, Relation source, TupleTableSlot *slot);
extern TupleTableSlot *router_shadow_rows_noted(RouterShadowRows *rows, const AttrNumber *attnums,
												TupleTableSlot *noted);
extern RouterTwin *router_shadow_rows_twin(RouterShadowRows *rows, TupleTableSlot *slot, bool create);

#endif
