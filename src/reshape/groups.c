/*
 * groups.c
 *		CALL router.regroup: values of a list key live in one child from now on, and the
 *		route knows them for a group.
 *
 * Under each outer bound those children are sources that hold some of the values, and not just
 * them. All that they hold of the group goes to the child of the group, what they hold beside it
 * stays together. Rows of the default child that the new children hold go there, too. Where no child holds
 * any of the values none is made; the group is known then for rows to come.
 *
 * Memory: bounds live in job->cxt.
 */
#include "compat.h"

#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"

#include "admin/route_settings.h"
#include "base/args.h"
#include "base/sql.h"
#include "reshape/bounds.h"
#include "reshape/regroup.h"
#include "reshape/shadow.h"
#include "route/catalog.h"
#include "route/stored.h"

PG_FUNCTION_INFO_V1(router_regroup);

enum
{
	ARG_BASE,
	ARG_MEMBERS,
	ARG_JOINING,
	ARG_KEY,
	ARG_LATER,
};

typedef struct Grouping
{
	RouterReshape *r;
	RouterRoute *route;
	int			level;
	RouterKey  *key;
	RouterBound *group;
} Grouping;

/* A child of the route, with its bounds. */
typedef struct Child
{
	Oid			oid;
	RouterBound *bounds[ROUTER_MAX_LEVELS];
} Child;

/* --------------------------------------------------------------------- the group */

static List *
read_children(Grouping *g)
{
	List	   *children = NIL;
	ListCell   *lc;

	foreach(lc, router_catalog_children(g->route->config.base))
	{
		Child	   *child = palloc0(sizeof(Child));

		child->oid = ((RouterChildDef *) lfirst(lc))->child;
		router_stored_bounds(g->route->config.keys, lfirst(lc), child->bounds);
		if (child->bounds[0]->form != ROUTER_BOUND_DEFAULT)
			children = lappend(children, child);
	}
	return children;
}

/* All that lives with the value, or values, that the group is to join. */
static List *
what_joins(Grouping *g, const char *text, List *children)
{
	RouterBound *with = router_bound_parse(g->key, text);
	List	   *parts = NIL;
	ListCell   *lc;

	if (with->form == ROUTER_BOUND_DEFAULT)
		router_bad_argument("joining", "Give a value whose group the values join, or leave it out for a group of their own.");
	for (int i = 0; i < g->key->ngroups; i++)
	{
		RouterBound *there = router_bound_parse(g->key, g->key->groups[i]);

		if (router_bounds_overlap(g->key, there, with))
			parts = lappend(parts, there);
	}
	foreach(lc, children)
	{
		RouterBound *there = ((Child *) lfirst(lc))->bounds[g->level];

		if (router_bounds_overlap(g->key, there, with))
			parts = lappend(parts, there);
	}
	return lappend(parts, with);
}

/* The group that the call asks for: of the values given, behind those that they join. */
static void
read_group(Grouping *g, List *children)
{
	FunctionCallInfo fcinfo = g->r->fcinfo;
	RouterBound *given;
	List	   *parts;
	int			n = 0;
	ListCell   *lc;

	if (ArrayGetNItems(ARR_NDIM(PG_GETARG_ARRAYTYPE_P(ARG_MEMBERS)), ARR_DIMS(PG_GETARG_ARRAYTYPE_P(ARG_MEMBERS))) == 0)
		router_bad_argument("members", "Give the values that are to live in one child.");
	given = router_bound_parse(g->key, OidOutputFunctionCall(F_ARRAY_OUT, PG_GETARG_DATUM(ARG_MEMBERS)));
	parts = PG_ARGISNULL(ARG_JOINING) ? NIL : what_joins(g, router_arg_text(fcinfo, ARG_JOINING), children);
	parts = lappend(parts, given);
	foreach(lc, parts)
		n += ((RouterBound *) lfirst(lc))->nvalues;
	g->group = router_bound_empty(n);
	foreach(lc, parts)
		router_bound_take(g->key, g->group, lfirst(lc));
	router_bound_settle(g->group);
}

static bool
is_many(const RouterBound *group)
{
	return group->nvalues + group->with_null > 1;
}

/* The groups of the route: no other one has a value of this one. */
static void
put_group(Grouping *g)
{
	RouterKey  *key = &g->r->config->keys[g->level];
	char	  **groups = palloc((key->ngroups + 1) * sizeof(char *));
	int			n = 0;

	for (int i = 0; i < key->ngroups; i++)
	{
		RouterBound *there = router_bound_parse(g->key, key->groups[i]);
		RouterBound *rest = router_bound_without(g->key, there, list_make1(g->group));

		if (!router_bounds_overlap(g->key, there, g->group))
			groups[n++] = key->groups[i];
		else if (rest && is_many(rest))
			groups[n++] = router_bound_text(g->key, rest);
	}
	if (is_many(g->group))
		groups[n++] = router_bound_text(g->key, g->group);
	key->groups = groups;
	key->ngroups = n;
}

/* ------------------------------------------------------------------- the children */

/* What a source has of the group, and what it has beside it, go to two children. */
static void
plan_parts(Grouping *g, const Child *child)
{
	RouterBound *rest = router_bound_without(g->key, child->bounds[g->level], list_make1(g->group));
	RouterBound *bounds[ROUTER_MAX_LEVELS];

	memcpy(bounds, child->bounds, sizeof(bounds));
	bounds[g->level] = g->group;
	router_plan_child(g->r, g->route, bounds);
	if (rest == NULL)
		return;
	bounds[g->level] = rest;
	router_plan_child(g->r, g->route, bounds);
}

/* Under one outer bound a child that holds just the group is the only one that has a share in it. */
static bool
is_source(Grouping *g, const Child *child)
{
	RouterBound *there = child->bounds[g->level];

	return router_bounds_overlap(g->key, there, g->group) &&
		!(router_bound_holds(g->key, there, g->group) && router_bound_holds(g->key, g->group, there));
}

static void
plan(RouterReshape *r, RouterCacheEntry *entry)
{
	static const RouterKeyKind list = ROUTER_LIST;
	Grouping	g = {.r = r,.route = router_cache_route(entry)};
	List	   *children;
	ListCell   *lc;

	g.level = router_level_of(r, g.route, ARG_KEY, &list);
	g.key = &g.route->config.keys[g.level];
	children = read_children(&g);
	read_group(&g, children);
	put_group(&g);
	r->level = -1;
	r->sources = NIL;
	foreach(lc, children)
		if (is_source(&g, lfirst(lc)))
			r->sources = lappend_oid(r->sources, ((Child *) lfirst(lc))->oid);
	foreach(lc, children)
		if (is_source(&g, lfirst(lc)))
			plan_parts(&g, lfirst(lc));
	if (r->sources && OidIsValid(g.route->default_child))
	{
		r->sources = lappend_oid(r->sources, g.route->default_child);
		router_plan_default(r, g.route);
	}
	foreach(lc, r->sources)
		router_check_source(r, lfirst_oid(lc));
	if (r->sources == NIL && router_same_keys(router_catalog_route(r->job.base), r->config))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("values %s of \"%s\" are a group already", router_bound_text(g.key, g.group), g.key->column),
				 errhint("See router.route_ddl and router.children.")));
}

/* -------------------------------------------------------------------------- the call */

static void
check(RouterReshape *r)
{
	router_check_regroup(r, plan);
}

/* CALL router.regroup(base, members, joining, key, batch_rows, pause, time_budget, lock_timeout, dry_run) */
Datum
router_regroup(PG_FUNCTION_ARGS)
{
	static const RouterReshapeKind kind = {check, router_shadow_give_keys};
	RouterReshape r;
	char	   *what;
	bool		done;

	router_require(fcinfo, 2);
	router_reshape_begin(&r, fcinfo, PG_GETARG_OID(ARG_BASE), "regroup", ARG_LATER);
	r.kind = &kind;
	done = router_reshape_call(&r);
	what = r.sources ? psprintf("children for %s", router_regroup_display(&r)) : "no child";
	if (done)
		ereport(NOTICE,
				(errmsg("regrouped %s, %s, " UINT64_FORMAT " rows", router_job_name(r.job.base), what, r.rows)));
	else if (r.job.dry_run)
		ereport(NOTICE,
				(errmsg("would regroup %s, %s, about " UINT64_FORMAT " rows", router_job_name(r.job.base), what, r.expected)));
	router_job_end(&r.job);
	PG_RETURN_VOID();
}
