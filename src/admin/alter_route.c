/*
 * alter_route.c
 *		router.alter_route: the settings of a route change.
 *
 * Locking: the creation locks of create.c, and of a route that becomes hot
 * ShareRowExclusiveLock on the base, for writers; AccessExclusiveLock on children that
 * go to another schema.
 */
#include "compat.h"

#include "access/table.h"
#include "catalog/namespace.h"
#include "utils/lsyscache.h"

#include "route/owned.h"
#include "admin/child_admin.h"
#include "admin/route_settings.h"

PG_FUNCTION_INFO_V1(router_alter_route);

/* Gives the innermost key of ranges another step, for children to come: they are cut to the gaps between others. */
static void
set_step(RouterConfig *config, char *every)
{
	for (int i = config->nkeys - 1; i >= 0; i--)
		if (router_key_is_range(&config->keys[i]))
		{
			config->keys[i].every = every;
			return;
		}
	router_bad_argument("every", "It is the step of a date or integer key, and the route has none.");
}

/* router.alter_route(base, settings …, every, dry_run): see RouterSettings. */
Datum
router_alter_route(PG_FUNCTION_ARGS)
{
	RouterSettings	settings;
	RouterReport report;
	RouterCreation creation = {0};
	RouterConfig *there,
			   *config;
	RouterCacheEntry *entry;
	RouterRoute *route;
	Relation	base;
	Oid			relid;

	router_report_begin(&report, fcinfo, 1, 11);
	relid = PG_GETARG_OID(0);
	router_read_settings(fcinfo, 1, &settings);
	entry = creation.entry = router_owned_route(relid);
	creation.base = relid;
	/* writers must know where rows go from now on */
	if (settings.hot && router_route_locked(entry)->hot_level < 0)
		creation.mode = ShareRowExclusiveLock;
	if (settings.child_schema && !report.dry_run)
		creation.schema = get_namespace_oid(settings.child_schema, false);
	route = router_lock_children(&creation);
	if (settings.default_child == 0 && OidIsValid(route->default_child))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("routed table \"%s\" has a default child", get_rel_name(relid)),
				 errhint("Empty it with router.redistribute, then detach or drop it.")));
	base = table_open(relid, NoLock);
	there = router_catalog_route(relid);
	config = router_wanted_config(relid, there, NULL, &settings, OidIsValid(route->default_child));
	if (!PG_ARGISNULL(10))
		set_step(config, router_arg_text(fcinfo, 10));
	router_check_config(config, base, false);
	if (config->hot && config->watermark == NULL)
		router_first_watermark(config, route, false);
	table_close(base, NoLock);
	router_report_route(&report, there, config);
	if (!report.dry_run && !(router_same_settings(there, config) && router_same_keys(there, config)))
		router_put_route(config, there);
	if (settings.child_schema)
		router_gather_children(&report, relid, settings.child_schema);
	if (settings.default_child == 1)
		router_create_default_child(&report, entry);
	return (Datum) 0;
}
