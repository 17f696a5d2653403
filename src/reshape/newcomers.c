/*
 * newcomers.c
 *		Which children that a table gets while it gets another shape are sources as well,
 *		and which rows of the sources get no new child.
 *
 * Where only some children are copied, that is one that would be in the way of the new ones in the end.
 */
#include "compat.h"
#include "reshape/newcomers.h"

#include "utils/guc.h"

#include "route/cache.h"
#include "route/stored.h"

/* Is a source a default child whose rows wait there on, but those that belong to children of the shadow? */
bool
router_rows_wait(const RouterReshapeDef *def, Oid source)
{
	RouterChildDef *child = def->all ? NULL : router_catalog_child(source);

	return child && strcmp(child->bounds[0], "default") == 0;
}

/* Can a table that gets another shape get children meanwhile whose rows are to be copied? */
bool
router_may_grow(const RouterReshapeDef *def)
{
	return def->all || def->sources[0] != def->base;
}

/* Would a child that has these bounds and one that has the others share rows, or an outer bound only in part? */
static bool
is_in_the_way(RouterRoute *route, RouterBound **bounds, RouterBound **other)
{
	for (int i = 0; i < route->config.nkeys; i++)
	{
		RouterKey  *key = &route->config.keys[i];

		if (!router_bounds_overlap(key, bounds[i], other[i]))
			return false;
		if (i + 1 < route->config.nkeys &&
			strcmp(router_bound_text(key, bounds[i]), router_bound_text(key, other[i])) != 0)
			return true;
	}
	return true;
}

/* Has a bound a share in a group that the route will have and has not, and is it not just that? */
static bool
is_to_be_grouped(RouterKey *key, const RouterKey *wanted, const RouterBound *bound)
{
	for (int i = 0; i < wanted->ngroups; i++)
	{
		RouterBound *group = router_bound_parse(key, wanted->groups[i]);
		bool		known = strcmp(router_bound_text(key, group), router_bound_text(key, bound)) == 0;

		for (int j = 0; !known && j < key->ngroups; j++)
			known = strcmp(key->groups[j], wanted->groups[i]) == 0;
		if (!known && router_bounds_overlap(key, group, bound))
			return true;
	}
	return false;
}

/*
 * Is a child that the table got meanwhile a source? One that would be in the way of those of the shadow, or hold a
 * part of a new group. The table is locked.
 */
bool
router_is_source(const RouterReshapeDef *def, const RouterChildDef *child)
{
	RouterRoute *route = def->all ? NULL : router_cache_route(router_cache_entry(def->base));
	RouterConfig *wanted = route ? router_catalog_route(def->shadow) : NULL;
	RouterBound *bounds[ROUTER_MAX_LEVELS];
	RouterBound *others[ROUTER_MAX_LEVELS];
	bool		found = def->all;
	int			guc_level;
	ListCell   *lc;

	if (wanted == NULL)
		return found;
	guc_level = router_pin_settings(route->config.time_zone);
	router_stored_bounds(route->config.keys, child, bounds);
	for (int i = 0; !found && i < route->config.nkeys; i++)
		found = bounds[i]->form != ROUTER_BOUND_DEFAULT &&
			is_to_be_grouped(&route->config.keys[i], &wanted->keys[i], bounds[i]);
	foreach(lc, router_catalog_children(def->shadow))
	{
		if (found)
			break;
		router_stored_bounds(route->config.keys, lfirst(lc), others);
		found = is_in_the_way(route, bounds, others);
	}
	AtEOXact_GUC(false, guc_level);
	return found;
}
