/*
 * route_settings.h
 *		The keys and settings of a route. See route_settings.c.
 */
#ifndef ROUTER_ROUTE_SETTINGS_H
#define ROUTER_ROUTE_SETTINGS_H

#include "route/cache.h"
#include "base/report.h"
#include "utils/array.h"

/* What both create_route and alter_route can set; NULL or -1: not given. */
typedef struct RouterSettings
{
	char	   *template;
	char	   *time_zone;
	int			default_child;
	char	   *on_missing;
	char	   *on_reject;
	Interval   *horizon;
	int			max_new_children;
	Interval   *hot;
	char	   *child_schema;
} RouterSettings;

extern void router_read_settings(FunctionCallInfo fcinfo, int n, RouterSettings *settings);
extern RouterConfig *router_wanted_config(Oid base, const RouterConfig *there, ArrayType *keys,
										  const RouterSettings *settings, bool has_default_child);
extern void router_check_config(RouterConfig *config, Relation base, bool fresh);
extern bool router_same_keys(const RouterConfig *a, const RouterConfig *b);
extern bool router_same_hot_key(const RouterConfig *a, const RouterConfig *b);
extern bool router_same_settings(const RouterConfig *a, const RouterConfig *b);
extern void router_report_route(RouterReport *report, const RouterConfig *there, const RouterConfig *config);
extern void router_first_watermark(RouterConfig *config, RouterRoute *route, bool has_hot_rows);
extern void router_put_route(const RouterConfig *config, const RouterConfig *there);

#endif
