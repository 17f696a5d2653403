/*
 * catalog.h
 *		The router.* tables. See catalog.c.
 */
#ifndef ROUTER_CATALOG_H
#define ROUTER_CATALOG_H

#include "key.h"

#include "datatype/timestamp.h"
#include "nodes/pg_list.h"
#include "utils/snapshot.h"

typedef enum RouterPolicy
{
	ROUTER_POLICY_CREATE,
	ROUTER_POLICY_DEFAULT,
	ROUTER_POLICY_ERROR,
} RouterPolicy;

/* A route as configured: one row of route_def and its rows of key_def. */
typedef struct RouterConfig
{
	Oid			base;
	char	   *time_zone;
	char	   *template;		/* of children's names; NULL: the default one */
	RouterPolicy on_missing;
	RouterPolicy on_reject;
	Interval	horizon;
	int			max_new_children;
	Interval   *hot;			/* how long a row stays in the base; NULL: not at all */
	char	   *watermark;		/* hot: rows before it live in children; literal of the hot key */
	char	   *pending;		/* hot: the watermark that an archive run is on its way to, or NULL */
	char	   *reach;			/* hot: children have no row from here on; NULL: none from the watermark on */
	int			nkeys;
	RouterKey	keys[ROUTER_MAX_LEVELS];
} RouterConfig;

/* One row of child_def. */
typedef struct RouterChildDef
{
	Oid			child;
	Oid			base;
	char	  **bounds;			/* one a level */
	int			nbounds;
} RouterChildDef;

/* One row of global_key_def: columns that are unique over the whole routed table. */
typedef struct RouterGlobalKey
{
	Oid			key_table;
	int			ncolumns;
	AttrNumber *attnums;		/* of the base; the key table has the columns 1 to ncolumns */
	char	  **columns;
} RouterGlobalKey;

extern const char *router_policy_name(RouterPolicy policy);
extern RouterPolicy router_policy_from_text(const char *setting, const char *policy, bool create_allowed);

extern bool router_catalog_exists(void);
extern List *router_catalog_bases(void);
extern RouterConfig *router_catalog_route(Oid base);
extern List *router_catalog_children(Oid base);
extern RouterChildDef *router_catalog_child(Oid child);

extern void router_catalog_put_route(const RouterConfig *config);
extern void router_catalog_put_watermark(Oid base, const char *watermark, const char *pending);
extern void router_catalog_put_reach(Oid base, const char *reach);
extern char *router_catalog_watermark(Oid base, Snapshot snapshot, char **reach);
extern void router_catalog_add_event(Oid base, const char *name, const char *action, uint64 rows, const char *error);
extern void router_catalog_remove_route(Oid base);
extern void router_catalog_remove_all(Oid base);
extern void router_catalog_add_child(Oid child, Oid base, char **bounds, int nbounds);
extern void router_catalog_remove_child(Oid child);
extern void router_catalog_rename_key(Oid base, AttrNumber attnum, const char *column);

extern List *router_catalog_global_keys(Oid base);
extern Oid	router_catalog_global_key_base(Oid key_table);
extern void router_catalog_add_global_key(Oid base, const RouterGlobalKey *key);
extern void router_catalog_remove_global_key(Oid key_table);
extern void router_catalog_rename_global_keys(Oid base);

#endif
