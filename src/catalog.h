/*
 * catalog.h
 *		The router.* tables. See catalog.c.
 */
#ifndef ROUTER_CATALOG_H
#define ROUTER_CATALOG_H

#include "key.h"

#include "datatype/timestamp.h"
#include "nodes/pg_list.h"

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

extern const char *router_policy_name(RouterPolicy policy);
extern RouterPolicy router_policy_from_text(const char *setting, const char *policy, bool create_allowed);

extern bool router_catalog_exists(void);
extern List *router_catalog_bases(void);
extern RouterConfig *router_catalog_route(Oid base);
extern List *router_catalog_children(Oid base);
extern RouterChildDef *router_catalog_child(Oid child);

extern void router_catalog_put_route(const RouterConfig *config);
extern void router_catalog_remove_route(Oid base);
extern void router_catalog_remove_all(Oid base);
extern void router_catalog_add_child(Oid child, Oid base, char **bounds, int nbounds);
extern void router_catalog_remove_child(Oid child);
extern void router_catalog_rename_key(Oid base, AttrNumber attnum, const char *column);

#endif
