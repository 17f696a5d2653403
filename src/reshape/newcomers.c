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

struct RouterNewcomers
{
	bool		all;
	RouterRoute *route;			/* of the table */
	RouterConfig *wanted;		/* of the shadow; NULL: no child is a source, or all are */
	List	   *bounds;			/* of its children, each RouterBound ** */
};

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
bool
router_in_the_way(RouterRoute *route, RouterBound **bounds, RouterBound **other)
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

/* What children have to do with those of the shadow is looked up once. The table is locked, and stays so. */
RouterNewcomers *
router_newcomers_open(const RouterReshapeDef *def)
{
	RouterNewcomers *news = palloc0(sizeof(RouterNewcomers));
	ListCell   *lc;
	int			guc_level;

	news->all = def->all;
	news->route = def->all ? NULL : router_cache_route(router_cache_entry(def->base));
	news->wanted = news->route ? router_catalog_route(def->shadow) : NULL;
	if (news->wanted == NULL)
		return news;
	guc_level = router_pin_settings(news->route->config.time_zone);
	foreach(lc, router_catalog_children(def->shadow))
	{
		RouterBound **bounds = palloc0(ROUTER_MAX_LEVELS * sizeof(RouterBound *));

		router_stored_bounds(news->route->config.keys, lfirst(lc), bounds);
		news->bounds = lappend(news->bounds, bounds);
	}
	AtEOXact_GUC(false, guc_level);
	return news;
}

/* Is a child a source? One that would be in the way of those of the shadow, or hold a part of a new group. */
bool
router_is_source(const RouterNewcomers *news, const RouterChildDef *child)
{
	RouterBound *bounds[ROUTER_MAX_LEVELS];
	bool		found = news->all;
	int			guc_level;
	ListCell   *lc;

	if (news->wanted == NULL)
		return found;
	guc_level = router_pin_settings(news->route->config.time_zone);
	router_stored_bounds(news->route->config.keys, child, bounds);
	for (int i = 0; !found && i < news->route->config.nkeys; i++)
		found = bounds[i]->form != ROUTER_BOUND_DEFAULT &&
			is_to_be_grouped(&news->route->config.keys[i], &news->wanted->keys[i], bounds[i]);
	foreach(lc, news->bounds)
		found = found || router_in_the_way(news->route, bounds, lfirst(lc));
	AtEOXact_GUC(false, guc_level);
	return found;
}
