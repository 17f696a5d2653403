/*
 * regroup.c
 *		CALL router.merge_children and router.split_child: rows of some children of a
 *		routed table get other children, by the same keys, while it is used.
 *
 * What the sources hold the new children hold, together, at one level of the route: values of a
 * list or ends of a range are put together or parted, the bounds of all other levels are the same.
 *
 * Memory: bounds live in job->cxt.
 */
#include "compat.h"

#include "access/genam.h"
#include "access/table.h"
#include "catalog/pg_am.h"
#include "executor/spi.h"
#include "storage/lmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"

#include "base/args.h"
#include "base/owner.h"
#include "base/sql.h"
#include "child/child_bounds.h"
#include "reshape/reshape.h"
#include "reshape/shadow.h"
#include "route/catalog.h"
#include "route/owned.h"
#include "route/stored.h"
#include "rows/row_key.h"
#include "tier/relocate.h"

PG_FUNCTION_INFO_V1(router_merge_children);
PG_FUNCTION_INFO_V1(router_split_child);

/* ------------------------------------------------------------------------- bounds */

static void
refuse_bound(const RouterKey *key, const char *child)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("child \"%s\" is a default child, or a bucket of hash key \"%s\"", child, key->column),
			 errhint("Only ranges, and groups of values, can be put together or parted.")));
}

static bool
holds(RouterKey *key, const RouterBound *bound, const RouterBound *other)
{
	if (other->form == ROUTER_BOUND_RANGE)
		return bound->form == ROUTER_BOUND_RANGE && bound->lo <= other->lo && bound->hi >= other->hi;
	for (int i = 0; i < other->nvalues; i++)
		if (!router_bound_has(key, bound, other->values[i], false))
			return false;
	return !(other->with_null || other->form == ROUTER_BOUND_NULL) || router_bound_has(key, bound, (Datum) 0, true);
}

static RouterBound *
empty_group(int nvalues)
{
	RouterBound *bound = palloc0(sizeof(RouterBound));

	bound->form = ROUTER_BOUND_VALUES;
	bound->values = palloc(nvalues * sizeof(Datum));
	return bound;
}

static int
by_low_end(const ListCell *a, const ListCell *b)
{
	int64		x = ((RouterBound *) lfirst(a))->lo;
	int64		y = ((RouterBound *) lfirst(b))->lo;

	return x < y ? -1 : x > y;
}

/* One bound for all of these, of ranges or of values. */
static RouterBound *
join_bounds(RouterKey *key, List *bounds)
{
	RouterBound *first;
	RouterBound *all;
	int			nvalues = 0;
	ListCell   *lc;

	if (router_key_is_range(key))
		list_sort(bounds, by_low_end);
	first = linitial(bounds);
	foreach(lc, bounds)
		nvalues += ((RouterBound *) lfirst(lc))->nvalues;
	all = first->form == ROUTER_BOUND_RANGE ? router_bound_copy(key, first) : empty_group(nvalues);
	foreach(lc, bounds)
	{
		RouterBound *next = lfirst(lc);

		if (router_key_is_range(key) && lc != list_head(bounds) &&
			(next->form != ROUTER_BOUND_RANGE || first->form != ROUTER_BOUND_RANGE || next->lo != all->hi + 1))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("the children hold no ranges of \"%s\" that adjoin", key->column),
					 errhint("See router.children for their bounds; name those in between as well.")));
		all->hi = next->hi;
		all->with_null |= next->with_null || next->form == ROUTER_BOUND_NULL;
		for (int i = 0; i < next->nvalues; i++)
			all->values[all->nvalues++] = next->values[i];
	}
	return all;
}

/* The ranges that a range is parted into at some points. */
static List *
part_range(RouterKey *key, const RouterBound *bound, char **points, int npoints)
{
	List	   *parts = list_make1(router_bound_copy(key, bound));

	for (int i = 0; i < npoints; i++)
	{
		int64		point = router_key_parse(key, points[i]);
		RouterBound *upper = NULL;
		ListCell   *lc;

		foreach(lc, parts)
		{
			RouterBound *part = lfirst(lc);

			if (part->lo >= point || part->hi < point)
				continue;
			upper = router_bound_copy(key, part);
			upper->lo = point;
			part->hi = point - 1;
			break;
		}
		if (upper == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("point %s parts nothing of the range %s", points[i], router_bound_text(key, bound)),
					 errhint("Give points within the range, each once; a child begins at each of them.")));
		parts = lappend(parts, upper);
	}
	list_sort(parts, by_low_end);
	return parts;
}

/* The groups that a group is parted into: those given, and what they leave. */
static List *
part_group(RouterKey *key, const RouterBound *bound, char **groups, int ngroups)
{
	List	   *parts = NIL;
	RouterBound *rest = empty_group(bound->nvalues);
	bool		with_null = bound->with_null;
	ListCell   *lc;

	for (int i = 0; i < ngroups; i++)
	{
		RouterBound *part = router_bound_parse(key, groups[i]);
		bool		fits = part->form != ROUTER_BOUND_DEFAULT && holds(key, bound, part);

		foreach(lc, parts)
			fits = fits && !router_bounds_overlap(key, lfirst(lc), part);
		if (!fits)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("group %s is no part of %s, or shares a value with another one", groups[i],
							router_bound_text(key, bound)),
					 errhint("Give groups of values that the child holds; those that no group has stay together.")));
		with_null &= !(part->with_null || part->form == ROUTER_BOUND_NULL);
		parts = lappend(parts, part);
	}
	for (int i = 0; i < bound->nvalues; i++)
	{
		bool		taken = false;

		foreach(lc, parts)
			taken |= router_bound_has(key, lfirst(lc), bound->values[i], false);
		if (!taken)
			rest->values[rest->nvalues++] = bound->values[i];
	}
	rest->with_null = with_null && rest->nvalues > 0;
	if (rest->nvalues == 0)
		rest->form = ROUTER_BOUND_NULL;
	return rest->nvalues > 0 || with_null ? lappend(parts, rest) : parts;
}

/* ------------------------------------------------------------------ what it becomes */

/* A child with these bounds will be made, in which no other child than the sources may have a share. */
static void
add_bounds(RouterReshape *r, RouterCacheEntry *entry, RouterBound **bounds)
{
	RouterRoute *route = router_cache_route(entry);
	char	  **texts = palloc(route->config.nkeys * sizeof(char *));

	for (int i = 0; i < route->config.nkeys; i++)
		texts[i] = router_bound_text(&route->config.keys[i], bounds[i]);
	r->bounds = lappend(r->bounds, texts);
	router_child_check_bounds(entry, bounds, r->sources);
}

/* The bounds of a source, of which none is that of a default child or a bucket at the level. */
static RouterBound **
bounds_of(RouterRoute *route, Oid child, int level)
{
	RouterBound **bounds = palloc0(ROUTER_MAX_LEVELS * sizeof(RouterBound *));

	router_stored_bounds(route->config.keys, router_catalog_child(child), bounds);
	if (bounds[0]->form == ROUTER_BOUND_DEFAULT || (level >= 0 && bounds[level]->form == ROUTER_BOUND_HASH))
		refuse_bound(&route->config.keys[Max(level, 0)], get_rel_name(child));
	return bounds;
}

static void
plan_merge(RouterReshape *r, RouterCacheEntry *entry)
{
	RouterRoute *route = router_cache_route(entry);
	RouterBound **bounds = bounds_of(route, linitial_oid(r->sources), -1);
	List	   *at_level = NIL;
	int			level = -1;
	ListCell   *lc;

	for (int i = 0; i < route->config.nkeys; i++)
	{
		RouterKey  *key = &route->config.keys[i];
		bool		differ = false;

		foreach(lc, r->sources)
			differ |= strcmp(router_bound_text(key, bounds_of(route, lfirst_oid(lc), -1)[i]),
							 router_bound_text(key, bounds[i])) != 0;
		if (differ && level >= 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("the children differ in more than one key of \"%s\"", get_rel_name(r->job.base)),
					 errdetail("They differ in \"%s\" and in \"%s\".", route->config.keys[level].column, key->column),
					 errhint("Merge those that differ in one key only.")));
		if (differ)
			level = i;
	}
	foreach(lc, r->sources)
		at_level = lappend(at_level, bounds_of(route, lfirst_oid(lc), level)[level]);
	bounds[level] = join_bounds(&route->config.keys[level], at_level);
	add_bounds(r, entry, bounds);
}

/* The level of the key that a call names; without a name the innermost. */
static int
level_of(RouterReshape *r, RouterRoute *route)
{
	char	   *name = router_arg_name(r->fcinfo, 2);

	if (name == NULL)
		return route->config.nkeys - 1;
	for (int i = 0; i < route->config.nkeys; i++)
		if (strcmp(route->config.keys[i].column, name) == 0)
			return i;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("routed table \"%s\" has no key \"%s\"", get_rel_name(r->job.base), name),
			 errhint("See router.routes.")));
}

static void
plan_split(RouterReshape *r, RouterCacheEntry *entry)
{
	RouterRoute *route = router_cache_route(entry);
	FunctionCallInfo fcinfo = r->fcinfo;
	int			level = level_of(r, route);
	RouterKey  *key = &route->config.keys[level];
	RouterBound **bounds = bounds_of(route, linitial_oid(r->sources), level);
	RouterBound *whole = bounds[level];
	Datum	   *elements;
	bool	   *nulls;
	char	  **texts;
	int			n;
	List	   *parts;
	ListCell   *lc;

	deconstruct_array(PG_GETARG_ARRAYTYPE_P(1), TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, &n);
	texts = palloc(n * sizeof(char *));
	for (int i = 0; i < n; i++)
		texts[i] = nulls[i] ? pstrdup("null") : TextDatumGetCString(elements[i]);
	parts = whole->form == ROUTER_BOUND_RANGE ? part_range(key, whole, texts, n) : part_group(key, whole, texts, n);
	if (list_length(parts) < 2)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("child \"%s\" would not be parted", get_rel_name(linitial_oid(r->sources))),
				 errdetail("It holds %s, and so would the only new one.", router_bound_text(key, whole)),
				 errhint("Give points within its range, or groups of some of its values.")));
	foreach(lc, parts)
	{
		bounds[level] = lfirst(lc);
		add_bounds(r, entry, bounds);
	}
}

/* Is what was begun the same? */
static void
check_begun(RouterReshape *r, int nkeys)
{
	List	   *children = router_catalog_children(r->def.shadow);
	bool		same = r->def.nsources == list_length(r->sources) &&
		list_length(children) == list_length(r->bounds);
	ListCell   *lc;

	for (int i = 0; i < r->def.nsources; i++)
		same = same && list_member_oid(r->sources, r->def.sources[i]);
	foreach(lc, children)
	{
		RouterChildDef *child = lfirst(lc);
		bool		wanted = false;
		ListCell   *each;

		foreach(each, r->bounds)
		{
			bool		equal = true;

			for (int i = 0; i < nkeys; i++)
				equal = equal && strcmp(((char **) lfirst(each))[i], child->bounds[i]) == 0;
			wanted |= equal;
		}
		same = same && wanted;
	}
	if (!same)
		router_refuse_other_reshape(r);
}

static void
check(RouterReshape *r, void (*plan) (RouterReshape *, RouterCacheEntry *))
{
	RouterCacheEntry *entry;
	RouterConfig *config;
	MemoryContext old;
	ListCell   *lc;
	int			guc_level;

	LockRelationOid(r->job.base, AccessShareLock);
	entry = router_owned_route(r->job.base);
	config = router_catalog_route(r->job.base);
	if (config->hot)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("children of \"%s\", which holds current rows itself, are neither merged nor split", get_rel_name(r->job.base)),
				 errhint("End that first, with router.alter_route(…, hot => '0').")));
	foreach(lc, r->sources)
		router_check_source(r, lfirst_oid(lc));
	if (list_length(r->sources) > 1)
		router_check_keys(r->job.base);
	guc_level = router_pin_settings(config->time_zone);
	old = MemoryContextSwitchTo(r->job.cxt);
	r->bounds = NIL;
	plan(r, entry);
	MemoryContextSwitchTo(old);
	AtEOXact_GUC(false, guc_level);
	if (OidIsValid(r->def.shadow))
		check_begun(r, config->nkeys);
}

static void
check_merge(RouterReshape *r)
{
	check(r, plan_merge);
}

static void
check_split(RouterReshape *r)
{
	check(r, plan_split);
}

/* -------------------------------------------------------------------------- calls */

/* The base of a child that a call names. */
static Oid
base_of(Oid child)
{
	RouterChildDef *def = router_catalog_child(child);

	router_check_exists(child);
	if (def == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("relation %u is not a child of a routed table", child),
				 errhint("See router.children.")));
	return def->base;
}

/* The bounds of the new children, for messages. */
static char *
display(const RouterReshape *r)
{
	int			nkeys = router_catalog_route(r->job.base)->nkeys;
	StringInfoData buf;
	ListCell   *lc;

	initStringInfo(&buf);
	foreach(lc, r->bounds)
	{
		appendStringInfoString(&buf, buf.len > 0 ? ", " : "");
		for (int i = 0; i < nkeys; i++)
			appendStringInfo(&buf, "%s%s", i > 0 ? " " : "", ((char **) lfirst(lc))[i]);
	}
	return buf.data;
}

/* CALL router.merge_children(children, batch_rows, pause, time_budget, lock_timeout, dry_run) */
Datum
router_merge_children(PG_FUNCTION_ARGS)
{
	static const RouterReshapeKind kind = {check_merge, router_shadow_give_children};
	RouterReshape r;
	List	   *sources = NIL;
	Datum	   *elements;
	bool	   *nulls;
	int			n;

	router_require(fcinfo, 1);
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(0), REGCLASSOID, sizeof(Oid), true, TYPALIGN_INT, &elements, &nulls, &n);
	for (int i = 0; i < n; i++)
		if (nulls[i] || list_member_oid(sources, DatumGetObjectId(elements[i])))
			router_bad_argument("children", "Name each child once.");
		else
			sources = lappend_oid(sources, DatumGetObjectId(elements[i]));
	if (n < 2)
		router_bad_argument("children", "Name two children or more.");
	router_reshape_begin(&r, fcinfo, base_of(linitial_oid(sources)), "merge_children", 1);
	r.kind = &kind;
	r.sources = sources;
	if (router_reshape_call(&r))
		ereport(NOTICE,
				(errmsg("merged %d children of %s into one for %s, " UINT64_FORMAT " rows", n, router_job_name(r.job.base),
						display(&r), r.rows)));
	else if (r.job.dry_run)
		ereport(NOTICE,
				(errmsg("would merge %d children of %s into one for %s, about " UINT64_FORMAT " rows", n,
						router_job_name(r.job.base), display(&r), r.expected)));
	router_job_end(&r.job);
	PG_RETURN_VOID();
}

/* CALL router.split_child(child, bounds, key, batch_rows, pause, time_budget, lock_timeout, dry_run) */
Datum
router_split_child(PG_FUNCTION_ARGS)
{
	static const RouterReshapeKind kind = {check_split, router_shadow_give_children};
	RouterReshape r;
	Oid			child;

	router_require(fcinfo, 2);
	child = PG_GETARG_OID(0);
	router_reshape_begin(&r, fcinfo, base_of(child), "split_child", 3);
	r.kind = &kind;
	r.sources = list_make1_oid(child);
	if (router_reshape_call(&r))
		ereport(NOTICE,
				(errmsg("split a child of %s into %d, for %s, " UINT64_FORMAT " rows", router_job_name(r.job.base),
						list_length(r.bounds), display(&r), r.rows)));
	else if (r.job.dry_run)
		ereport(NOTICE,
				(errmsg("would split a child of %s into %d, for %s, about " UINT64_FORMAT " rows", router_job_name(r.job.base),
						list_length(r.bounds), display(&r), r.expected)));
	router_job_end(&r.job);
	PG_RETURN_VOID();
}
