/*
 * build.c
 *		A route made from what the catalog has.
 *
 * Memory: a context "router route" a route, below CacheMemoryContext, built
 * under the current context and re-parented when complete, as partcache.c does.
 */
#include "compat.h"
#include "route/build.h"

#include "access/table.h"
#include "access/transam.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "route/catalog.h"
#include "route/defs.h"
#include "route/growth.h"
#include "route/loose.h"
#include "route/search.h"
#include "route/stored.h"

static uint64 generations = 0;

static int
compare_children(const ListCell *a, const ListCell *b)
{
	return oid_cmp(&((RouterChildDef *) lfirst(a))->child, &((RouterChildDef *) lfirst(b))->child);
}

static void
add_children(RouterRoute *route, List *children)
{
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "router bounds", ALLOCSET_SMALL_SIZES);
	ListCell   *lc;

	list_sort(children, compare_children);
	foreach(lc, children)
	{
		RouterChildDef *def = lfirst(lc);
		RouterBound *bounds[ROUTER_MAX_LEVELS];
		MemoryContext old;

		if (def->nbounds != route->config.nkeys)
			elog(ERROR, "child %u of routed table %u has %d bounds for %d keys",
				 def->child, def->base, def->nbounds, route->config.nkeys);
		old = MemoryContextSwitchTo(scratch);
		router_stored_bounds(route->config.keys, def, bounds);
		MemoryContextSwitchTo(route->cxt);
		router_route_add(route, def->child, bounds);
		MemoryContextSwitchTo(old);
		MemoryContextReset(scratch);
	}
	MemoryContextDelete(scratch);
	router_route_sort(route);
}

static char *
copy_text(const char *text)
{
	return text ? pstrdup(text) : NULL;
}

/* Copies what a search or a creation needs of a configuration; label and groups included. */
static void
copy_config(RouterConfig *to, const RouterConfig *from)
{
	*to = *from;
	to->time_zone = pstrdup(from->time_zone);
	to->template = copy_text(from->template);
	to->child_schema = copy_text(from->child_schema);
	to->watermark = NULL;
	if (from->hot)
	{
		to->hot = palloc(sizeof(Interval));
		*to->hot = *from->hot;
	}
	for (int i = 0; i < from->nkeys; i++)
	{
		RouterKey  *key = &to->keys[i];

		key->column = pstrdup(key->column);
		key->every = copy_text(key->every);
		key->pivot = copy_text(key->pivot);
		key->label = copy_text(key->label);
		if (key->groups)
		{
			char	  **groups = palloc(key->ngroups * sizeof(char *));

			for (int j = 0; j < key->ngroups; j++)
				groups[j] = pstrdup(key->groups[j]);
			key->groups = groups;
		}
	}
}

/* Global keys get the columns' names of now. CurrentMemoryContext is the route's. */
static void
name_global_keys(Oid base, List *keys)
{
	ListCell   *lc;

	foreach(lc, keys)
	{
		RouterGlobalKey *key = lfirst(lc);

		for (int i = 0; i < key->ncolumns; i++)
			key->columns[i] = get_attname(base, key->attnums[i], false);
	}
}

/* The level of a sealed column, a new one if need be; -1: it cannot be one. */
static int
seal_level(RouterRoute *route, const RouterSeal *seal, Relation base)
{
	RouterKey  *key;

	for (int i = route->config.nkeys; i < route->nlevels; i++)
		if (strcmp(route->config.keys[i].column, seal->column) == 0)
			return i;
	if (route->nlevels == ROUTER_MAX_LEVELS)
		return -1;
	key = &route->config.keys[route->nlevels];
	if (!router_seal_key(key, base, seal->column, route->config.time_zone))
		return -1;
	if (route->seals == NULL)
		route->seals = palloc0((ROUTER_MAX_LEVELS - route->config.nkeys) * sizeof(RouterSealed));
	route->seals[route->nlevels - route->config.nkeys].others = bms_add_range(NULL, 0, route->nmembers - 1);
	return route->nlevels++;
}

static void
add_span(RouterSealed *seals, int member, const RouterBound *bound)
{
	if (seals->nspans == seals->maxspans)
	{
		seals->maxspans = Max(16, seals->maxspans * 2);
		seals->spans = seals->spans ? repalloc(seals->spans, seals->maxspans * sizeof(RouterSpan)) :
			palloc(seals->maxspans * sizeof(RouterSpan));
	}
	seals->spans[seals->nspans++] = (RouterSpan) {.lo = bound->lo,.hi = bound->hi,.member = member};
}

static int
compare_spans(const void *a, const void *b)
{
	int64		left = ((const RouterSpan *) a)->lo;
	int64		right = ((const RouterSpan *) b)->lo;

	return left < right ? -1 : left > right ? 1 : 0;
}

/* Fills in what seals tell. The members are known; CurrentMemoryContext is the route's. */
static void
add_seals(RouterRoute *route, List *seals, Relation base)
{
	ListCell   *lc;

	foreach(lc, seals)
	{
		RouterSeal *seal = lfirst(lc);
		int			member = router_route_member(route, seal->child);
		int			level;
		RouterSealed *column;

		if (seal->broken)
			continue;
		route->fenced = lappend_oid(route->fenced, seal->child);
		level = seal->sealed && member >= 0 ? seal_level(route, seal, base) : -1;
		if (level < 0)
			continue;
		column = &route->seals[level - route->config.nkeys];
		column->others = bms_del_member(column->others, member);
		if (seal->span)
			add_span(column, member, router_bound_parse(&route->config.keys[level], seal->span));
	}
	list_sort(route->fenced, list_oid_cmp);
	list_deduplicate_oid(route->fenced);
	for (int i = 0; i < route->nlevels - route->config.nkeys; i++)
	{
		RouterSealed *column = &route->seals[i];
		int64		reach = PG_INT64_MIN;

		qsort(column->spans, column->nspans, sizeof(RouterSpan), compare_spans);
		for (int j = 0; j < column->nspans; j++)
			column->spans[j].reach = reach = Max(reach, column->spans[j].hi);
	}
}

/* How far archiving is, by the catalog. Settings are pinned. */
void
router_route_set_marks(RouterRoute *route, const RouterMarks *marks)
{
	if (route->hot_level >= 0)
		router_marks_parse(&route->config.keys[route->hot_level], marks, &route->watermark, &route->pending,
						   &route->reach);
	/* what was read was committed by transactions before this one */
	route->read_before = ReadNextTransactionId();
}

static Bitmapset *
members_of(const RouterRoute *route, List *children)
{
	Bitmapset  *members = NULL;
	ListCell   *lc;

	foreach(lc, children)
	{
		int			member = router_route_member(route, lfirst_oid(lc));

		if (member >= 0)
			members = bms_add_member(members, member);
	}
	return members;
}

/* What the catalog has on a table. */
typedef struct Parts
{
	Oid			relid;
	MemoryContext cxt;			/* of the route to be built */
	RouterConfig *config;		/* it is a base; or NULL, and the rest is NIL */
	RouterChildDef *child;		/* it is a child */
	List	   *children;
	List	   *seals;
	List	   *global_keys;	/* in cxt */
	List	   *loose;
	uint64		version;
	RouterMarks marks;			/* of a hot one */
} Parts;

static void
read_parts(void *arg)
{
	Parts	   *parts = arg;
	MemoryContext old;

	parts->config = router_catalog_route(parts->relid);
	if (parts->config == NULL)
	{
		parts->child = router_catalog_child(parts->relid);
		return;
	}
	parts->children = router_catalog_children(parts->relid);
	parts->version = router_growth_version(parts->relid, NULL);
	if (parts->config->hot)
		(void) router_marks_read(parts->relid, NULL, &parts->marks);
	parts->seals = router_catalog_seals(parts->relid);
	old = MemoryContextSwitchTo(parts->cxt);
	parts->global_keys = router_catalog_global_keys(parts->relid);
	MemoryContextSwitchTo(old);
	parts->loose = router_loose_children(parts->relid);
}

/* Reads a route from the catalog, or of which base the table is a child. Leaves nothing behind on error. */
RouterRoute *
router_route_build(Oid base, Oid *parent)
{
	MemoryContext work = AllocSetContextCreate(CurrentMemoryContext, "router build", ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(work);
	MemoryContext cxt = AllocSetContextCreate(work, "router route", ALLOCSET_SMALL_SIZES);
	RouterRoute *route = NULL;
	Parts		parts = {.relid = base,.cxt = cxt};
	RouterConfig *config;
	Relation	rel = router_catalog_is_base(base) ? try_table_open(base, AccessShareLock) : NULL;

	/* not before it is locked: who was waited for may have changed it */
	router_catalog_read_at_once(read_parts, &parts);
	config = parts.config;
	if (rel && config)
	{
		int			guc_level = router_pin_settings(config->time_zone);

		MemoryContextSwitchTo(cxt);
		route = palloc0(sizeof(RouterRoute));
		route->cxt = cxt;
		route->generation = ++generations;
		route->root.sorted = true;
		copy_config(&route->config, config);
		for (int i = 0; i < config->nkeys; i++)
			router_key_resolve(&route->config.keys[i], rel, config->time_zone);
		route->hot_level = config->hot ? router_hot_level(config) : -1;
		route->version = parts.version;
		router_route_set_marks(route, &parts.marks);
		route->global_keys = parts.global_keys;
		name_global_keys(base, route->global_keys);
		route->nlevels = config->nkeys;
		MemoryContextSwitchTo(work);
		add_children(route, parts.children);
		MemoryContextSwitchTo(cxt);
		add_seals(route, parts.seals, rel);
		route->loose = members_of(route, parts.loose);
		MemoryContextSwitchTo(work);
		AtEOXact_GUC(false, guc_level);
		MemoryContextSetParent(cxt, CacheMemoryContext);
	}
	if (rel)
		table_close(rel, AccessShareLock);
	*parent = parts.child ? parts.child->base : InvalidOid;
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(work);
	return route;
}
