/*
 * regroup.c
 *		CALL router.merge_children, router.split_child and router.add_hash_child: rows of some
 *		children of a routed table get other children, by the same keys, while it is used.
 *
 * What the sources hold the new children hold, together, at one level of the route: values of a
 * list, ends of a range or buckets are put together or parted, the bounds of all other levels are the same.
 *
 * Memory: bounds live in job->cxt.
 */
#include "compat.h"
#include "reshape/regroup.h"

#include "access/table.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"

#include "admin/route_settings.h"
#include "base/args.h"
#include "base/sql.h"
#include "child/child_bounds.h"
#include "reshape/bounds.h"
#include "reshape/newcomers.h"
#include "reshape/shadow.h"
#include "route/catalog.h"
#include "route/owned.h"
#include "route/stored.h"

PG_FUNCTION_INFO_V1(router_merge_children);
PG_FUNCTION_INFO_V1(router_split_child);
PG_FUNCTION_INFO_V1(router_add_hash_child);

/* ------------------------------------------------------------------ what it becomes */

/* The bounds as text, one a level. */
char **
router_bound_texts(RouterRoute *route, RouterBound **bounds)
{
	char	  **texts = palloc(route->config.nkeys * sizeof(char *));

	for (int i = 0; i < route->config.nkeys; i++)
		texts[i] = router_bound_text(&route->config.keys[i], bounds[i]);
	return texts;
}

/* Are bounds alike, as far as that level? */
bool
router_same_texts(char **a, char **b, int level)
{
	for (int i = 0; i <= level; i++)
		if (strcmp(a[i], b[i]) != 0)
			return false;
	return true;
}

/* A child with these bounds will be made, once. */
void
router_plan_child(RouterReshape *r, RouterRoute *route, RouterBound **bounds)
{
	int			nkeys = route->config.nkeys;
	char	  **texts = router_bound_texts(route, bounds);
	ListCell   *lc;
	RouterBound **copy;

	foreach(lc, r->planned)
	{
		RouterBound **other = lfirst(lc);

		if (router_same_texts(texts, list_nth(r->bounds, foreach_current_index(lc)), nkeys - 1))
			return;
		if (router_in_the_way(route, bounds, other))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
					 errmsg("new children of \"%s\" would overlap: %s and %s", get_rel_name(r->job.base),
							router_bounds_display(route, bounds), router_bounds_display(route, other)),
					 errhint("Give the children that are put together the same bounds in the other keys first, with router.merge_children or router.split_child.")));
	}
	copy = palloc(nkeys * sizeof(RouterBound *));
	memcpy(copy, bounds, nkeys * sizeof(RouterBound *));
	r->planned = lappend(r->planned, copy);
	r->bounds = lappend(r->bounds, texts);
}

/* Rows of the default child may belong to the new children: it is a source, and another one takes its place. */
void
router_plan_default(RouterReshape *r, RouterRoute *route)
{
	char	  **texts = palloc(route->config.nkeys * sizeof(char *));

	for (int i = 0; i < route->config.nkeys; i++)
		texts[i] = "default";
	r->bounds = lappend(r->bounds, texts);
}

/* Has another child than the sources a share in one that will be made? Those that came since it began are sources. */
static void
check_planned(RouterReshape *r, RouterRoute *route)
{
	ListCell   *lc,
			   *lp;

	foreach(lc, OidIsValid(r->def.shadow) ? NIL : router_catalog_children(r->job.base))
	{
		RouterChildDef *def = lfirst(lc);
		RouterBound *others[ROUTER_MAX_LEVELS];

		if (list_member_oid(r->sources, def->child))
			continue;
		router_stored_bounds(route->config.keys, def, others);
		foreach(lp, r->planned)
			if (router_in_the_way(route, lfirst(lp), others))
				ereport(ERROR,
						(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
						 errmsg("bounds %s overlap those of child \"%s\"", router_bounds_display(route, lfirst(lp)),
								get_rel_name(def->child)),
						 errhint("See router.children for the bounds there are.")));
	}
}

static void
refuse_bound(const char *child, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("child \"%s\" is a default child, or a bucket of a hash key", child),
			 errhint("%s", hint)));
}

/* The bounds of a source, which is no default child. */
static RouterBound **
bounds_of(RouterRoute *route, Oid child)
{
	RouterBound **bounds = palloc0(ROUTER_MAX_LEVELS * sizeof(RouterBound *));

	router_stored_bounds(route->config.keys, router_catalog_child(child), bounds);
	if (bounds[0]->form == ROUTER_BOUND_DEFAULT)
		refuse_bound(get_rel_name(child), "CALL router.redistribute takes rows out of a default child.");
	return bounds;
}

/* The level at which the sources differ. Buckets may have several children each, by inner keys. */
static int
merge_level(RouterReshape *r, RouterRoute *route)
{
	RouterBound **bounds = bounds_of(route, linitial_oid(r->sources));
	int			level = -1;
	ListCell   *lc;

	for (int i = 0; i < route->config.nkeys; i++)
	{
		RouterKey  *key = &route->config.keys[i];
		bool		differ = false;

		foreach(lc, r->sources)
			differ |= strcmp(router_bound_text(key, bounds_of(route, lfirst_oid(lc))[i]),
							 router_bound_text(key, bounds[i])) != 0;
		if (differ && level >= 0 && route->config.keys[level].kind != ROUTER_HASH)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("the children differ in more than one key of \"%s\"", get_rel_name(r->job.base)),
					 errdetail("They differ in \"%s\" and in \"%s\".", route->config.keys[level].column, key->column),
					 errhint("Merge those that differ in one key only.")));
		if (differ && level < 0)
			level = i;
	}
	return level;
}

static void
plan_merge(RouterReshape *r, RouterCacheEntry *entry)
{
	RouterRoute *route = router_cache_route(entry);
	List	   *at_level = NIL;
	RouterBound *all;
	RouterKey  *key;
	ListCell   *lc,
			   *lb;

	r->level = merge_level(r, route);
	key = &route->config.keys[r->level];
	foreach(lc, r->sources)
	{
		RouterBound *bound = bounds_of(route, lfirst_oid(lc))[r->level];
		bool		known = false;

		foreach(lb, at_level)
			known |= strcmp(router_bound_text(key, lfirst(lb)), router_bound_text(key, bound)) == 0;
		if (!known)
			at_level = lappend(at_level, bound);
	}
	all = router_bounds_join(key, at_level);
	foreach(lc, r->sources)
	{
		RouterBound **bounds = bounds_of(route, lfirst_oid(lc));

		bounds[r->level] = all;
		router_plan_child(r, route, bounds);
	}
}

/* The level of the key that argument n names; without a name the innermost of that kind, or -1. */
int
router_level_of(RouterReshape *r, RouterRoute *route, int n, const RouterKeyKind *kind)
{
	char	   *name = router_arg_name(r->fcinfo, n);

	for (int i = route->config.nkeys - 1; i >= 0; i--)
		if ((name == NULL || strcmp(route->config.keys[i].column, name) == 0) &&
			(kind == NULL || route->config.keys[i].kind == *kind))
			return i;
	if (kind && name == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("routed table \"%s\" has no %s key", get_rel_name(r->job.base), router_kind_name(*kind)),
				 errhint("See router.routes.")));
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("routed table \"%s\" has no %skey \"%s\"", get_rel_name(r->job.base),
					kind ? psprintf("%s ", router_kind_name(*kind)) : "", name),
			 errhint("See router.routes.")));
}

static void
plan_split(RouterReshape *r, RouterCacheEntry *entry)
{
	RouterRoute *route = router_cache_route(entry);
	FunctionCallInfo fcinfo = r->fcinfo;
	int			level = r->level = router_level_of(r, route, 2, NULL);
	RouterKey  *key = &route->config.keys[level];
	RouterBound **bounds = bounds_of(route, linitial_oid(r->sources));
	RouterBound *whole = bounds[level];
	Datum	   *elements;
	bool	   *nulls;
	char	  **texts;
	int			n;
	List	   *parts;
	ListCell   *lc;

	if (whole->form == ROUTER_BOUND_HASH)
		refuse_bound(get_rel_name(linitial_oid(r->sources)), "CALL router.add_hash_child parts a bucket.");
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(1), TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, &n);
	texts = palloc(n * sizeof(char *));
	for (int i = 0; i < n; i++)
		texts[i] = nulls[i] ? pstrdup("null") : TextDatumGetCString(elements[i]);
	parts = whole->form == ROUTER_BOUND_RANGE ? router_range_part(key, whole, texts, n) :
		router_group_part(key, whole, texts, n);
	if (list_length(parts) < 2)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("child \"%s\" would not be parted", get_rel_name(linitial_oid(r->sources))),
				 errdetail("It holds %s, and so would the only new one.", router_bound_text(key, whole)),
				 errhint("Give points within its range, or groups of some of its values.")));
	foreach(lc, parts)
	{
		bounds[level] = lfirst(lc);
		router_plan_child(r, route, bounds);
	}
}

/* ------------------------------------------------------------------------ buckets */

static BlockNumber
pages_of(Oid child)
{
	Relation	rel = table_open(child, AccessShareLock);
	BlockNumber pages = rel->rd_rel->relkind == RELKIND_RELATION ? RelationGetNumberOfBlocks(rel) : 0;

	table_close(rel, NoLock);
	return pages;
}

/* Those that hold the same bucket, below the same bounds, as a child does. */
static List *
same_bucket(List *defs, const RouterChildDef *one, int level)
{
	List	   *found = NIL;
	ListCell   *lc;

	foreach(lc, defs)
		if (router_same_texts(((RouterChildDef *) lfirst(lc))->bounds, one->bounds, level))
			found = lappend_oid(found, ((RouterChildDef *) lfirst(lc))->child);
	return found;
}

/* A child of the bucket that has most rows. */
static Oid
largest_bucket(RouterReshape *r, RouterRoute *route)
{
	List	   *defs = router_catalog_children(r->job.base);
	Oid			largest = InvalidOid;
	uint64		most = 0;
	ListCell   *lc;

	foreach(lc, defs)
	{
		RouterChildDef *def = lfirst(lc);
		uint64		pages = 0;
		ListCell   *each;

		if (router_bound_read(&route->config.keys[r->level], def->bounds[r->level])->form != ROUTER_BOUND_HASH)
			continue;
		foreach(each, same_bucket(defs, def, r->level))
			pages += pages_of(lfirst_oid(each));
		if (!OidIsValid(largest) || pages > most)
		{
			largest = def->child;
			most = pages;
		}
	}
	if (!OidIsValid(largest))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("routed table \"%s\" has no bucket yet", get_rel_name(r->job.base)),
				 errhint("There is nothing to part.")));
	return largest;
}

/* All children of a bucket, those of all inner levels, are parted alike. */
static void
plan_hash_child(RouterReshape *r, RouterCacheEntry *entry)
{
	static const RouterKeyKind hash = ROUTER_HASH;
	RouterRoute *route = router_cache_route(entry);
	Oid			child = router_arg_oid(r->fcinfo, 1);
	RouterKey  *key;
	List	   *parts;
	ListCell   *lc,
			   *lp;

	r->level = router_level_of(r, route, 2, &hash);
	key = &route->config.keys[r->level];
	if (!OidIsValid(child))
		child = OidIsValid(r->def.shadow) ? r->def.sources[0] : largest_bucket(r, route);
	router_check_source(r, child);
	if (bounds_of(route, child)[r->level]->form != ROUTER_BOUND_HASH)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("child \"%s\" has the rows whose \"%s\" is NULL", get_rel_name(child), key->column),
				 errhint("Name a child that holds a bucket.")));
	r->sources = same_bucket(router_catalog_children(r->job.base), router_catalog_child(child), r->level);
	parts = router_bucket_part(key, bounds_of(route, child)[r->level]);
	foreach(lc, r->sources)
	{
		RouterBound **bounds = bounds_of(route, lfirst_oid(lc));

		router_check_source(r, lfirst_oid(lc));
		foreach(lp, parts)
		{
			bounds[r->level] = lfirst(lp);
			router_plan_child(r, route, bounds);
		}
	}
}

/* ------------------------------------------------------------------------- checks */

/* Is what was begun the same? Children that came meanwhile are not known beforehand. */
static bool
is_begun(RouterReshape *r)
{
	bool		same = router_same_keys(router_catalog_route(r->def.shadow), r->config);
	ListCell   *lc;

	if (r->level < 0)
		return same;
	same = same && list_member_oid(r->sources, r->def.sources[0]);
	foreach(lc, router_catalog_children(r->def.shadow))
	{
		RouterChildDef *child = lfirst(lc);
		bool		wanted = false;
		ListCell   *each;

		foreach(each, r->bounds)
			wanted |= strcmp(((char **) lfirst(each))[r->level], child->bounds[r->level]) == 0;
		same = same && wanted;
	}
	return same;
}

/* What all of these have in common. */
void
router_check_regroup(RouterReshape *r, void (*plan) (RouterReshape *, RouterCacheEntry *))
{
	RouterCacheEntry *entry;
	MemoryContext old;
	ListCell   *lc;
	int			guc_level;

	LockRelationOid(r->job.base, AccessShareLock);
	entry = router_owned_route(r->job.base);
	foreach(lc, r->sources)
		router_check_source(r, lfirst_oid(lc));
	old = MemoryContextSwitchTo(r->job.cxt);
	r->config = router_catalog_route(r->job.base);
	guc_level = router_pin_settings(r->config->time_zone);
	r->bounds = NIL;
	r->planned = NIL;
	plan(r, entry);
	check_planned(r, router_cache_route(entry));
	AtEOXact_GUC(false, guc_level);
	MemoryContextSwitchTo(old);
	/* of an outer level, or of a group, there may come more */
	if (list_length(r->sources) > 1 || (r->sources && r->level < r->config->nkeys - 1))
		router_check_keys(r);
	if (OidIsValid(r->def.shadow) && !is_begun(r))
		router_refuse_other_reshape(r);
}

static void
check_merge(RouterReshape *r)
{
	router_check_regroup(r, plan_merge);
}

static void
check_split(RouterReshape *r)
{
	router_check_regroup(r, plan_split);
}

static void
check_hash_child(RouterReshape *r)
{
	router_check_regroup(r, plan_hash_child);
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
char *
router_regroup_display(const RouterReshape *r)
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
				(errmsg("merged %d children of %s into %d, for %s, " UINT64_FORMAT " rows", n, router_job_name(r.job.base),
						list_length(r.bounds), router_regroup_display(&r), r.rows)));
	else if (r.job.dry_run)
		ereport(NOTICE,
				(errmsg("would merge %d children of %s into %d, for %s, about " UINT64_FORMAT " rows", n,
						router_job_name(r.job.base), list_length(r.bounds), router_regroup_display(&r), r.expected)));
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
						list_length(r.bounds), router_regroup_display(&r), r.rows)));
	else if (r.job.dry_run)
		ereport(NOTICE,
				(errmsg("would split a child of %s into %d, for %s, about " UINT64_FORMAT " rows", router_job_name(r.job.base),
						list_length(r.bounds), router_regroup_display(&r), r.expected)));
	router_job_end(&r.job);
	PG_RETURN_VOID();
}

/* CALL router.add_hash_child(base, child, key, batch_rows, pause, time_budget, lock_timeout, dry_run) */
Datum
router_add_hash_child(PG_FUNCTION_ARGS)
{
	static const RouterReshapeKind kind = {check_hash_child, router_shadow_give_children};
	RouterReshape r;

	router_require(fcinfo, 1);
	router_check_exists(PG_GETARG_OID(0));
	if (!PG_ARGISNULL(1))
		router_check_exists(PG_GETARG_OID(1));
	router_reshape_begin(&r, fcinfo, PG_GETARG_OID(0), "add_hash_child", 3);
	r.kind = &kind;
	if (router_reshape_call(&r))
		ereport(NOTICE,
				(errmsg("parted a bucket of %s, for %s, " UINT64_FORMAT " rows", router_job_name(r.job.base),
						router_regroup_display(&r), r.rows)));
	else if (r.job.dry_run)
		ereport(NOTICE,
				(errmsg("would part a bucket of %s, for %s, about " UINT64_FORMAT " rows", router_job_name(r.job.base),
						router_regroup_display(&r), r.expected)));
	router_job_end(&r.job);
	PG_RETURN_VOID();
}
