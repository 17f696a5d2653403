/*
 * child_bounds.c
 *		Bounds of the child that a row needs, and bounds and keys in words.
 */
#include "compat.h"
#include "child/child_bounds.h"

#include "utils/guc.h"
#include "utils/lsyscache.h"

#include "base/see.h"
#include "route/stored.h"

/* The configured group that holds a value of a list key, or the value by itself. */
static RouterBound *
group_of(RouterKey *key, Datum value, bool isnull)
{
	RouterBound *bound = NULL;
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext work = key->ngroups > 0 ? AllocSetContextCreate(caller, "router groups", ALLOCSET_SMALL_SIZES) : NULL;

	/* a statement may make many children, of a key with many groups */
	for (int i = 0; i < key->ngroups && bound == NULL; i++)
	{
		RouterBound *group;

		MemoryContextReset(work);
		MemoryContextSwitchTo(work);
		group = router_bound_parse(key, key->groups[i]);
		MemoryContextSwitchTo(caller);
		if (router_bound_has(key, group, value, isnull))
			bound = router_bound_copy(key, group);
	}
	if (work)
		MemoryContextDelete(work);
	if (bound)
		return bound;
	bound = palloc0(sizeof(RouterBound));
	if (isnull)
	{
		bound->form = ROUTER_BOUND_NULL;
		return bound;
	}
	bound->form = ROUTER_BOUND_VALUES;
	bound->nvalues = 1;
	bound->values = palloc(sizeof(Datum));
	bound->values[0] = router_key_fold(key, value);
	return bound;
}

static bool
fill_bounds(RouterRoute *route, const Datum *values, const bool *isnull, const RouterMiss *miss, RouterBound **bounds)
{
	for (int i = 0; i < route->config.nkeys; i++)
	{
		RouterKey  *key = &route->config.keys[i];
		RouterBound *bound;

		if (i < miss->level)
		{
			bounds[i] = router_bound_copy(key, miss->path[i + 1]->bound);
			continue;
		}
		if (!router_key_is_range(key) && key->kind != ROUTER_HASH)
		{
			bounds[i] = group_of(key, values[i], isnull[i]);
			if (i == miss->level)
				router_route_leave_out(key, miss->path[i], bounds[i]);
			continue;
		}
		bounds[i] = bound = palloc0(sizeof(RouterBound));
		if (isnull[i])
			bound->form = ROUTER_BOUND_NULL;
		else if (router_key_is_range(key))
		{
			int64		value = router_key_int(key, values[i]);

			bound->form = ROUTER_BOUND_RANGE;
			if (!router_key_bucket(key, value, &bound->lo, &bound->hi))
				return false;
			if (i == miss->level)
				router_route_clip(miss->path[i], value, &bound->lo, &bound->hi);
		}
		else
		{
			bound->form = ROUTER_BOUND_HASH;
			bound->modulus = key->modulus;
			bound->remainder = router_key_hash(key, values[i]) % key->modulus;
			if (i == miss->level)
				router_route_split(miss->path[i], router_key_hash(key, values[i]), bound);
		}
	}
	return true;
}

/* Fills bounds with those of the child that a row needs; false if there can be none. */
bool
router_child_bounds(RouterRoute *route, const Datum *values, const bool *isnull, const RouterMiss *miss,
					RouterBound **bounds)
{
	int			guc_level = router_pin_settings(route->config.time_zone);
	bool		found = fill_bounds(route, values, isnull, miss, bounds);

	AtEOXact_GUC(false, guc_level);
	return found;
}

/* Refuses bounds that overlap those of a child there is, or share an outer bound only in part. */
void
router_child_check_bounds(RouterCacheEntry *entry, RouterBound **bounds)
{
	RouterRoute *route = router_route_locked(entry);
	ListCell   *lc;

	foreach(lc, router_catalog_children(route->config.base))
	{
		RouterChildDef *def = lfirst(lc);
		RouterBound *others[ROUTER_MAX_LEVELS];
		bool		overlap = true;

		router_stored_bounds(route->config.keys, def, others);
		for (int i = 0; overlap && i < route->config.nkeys; i++)
		{
			overlap = router_bounds_overlap(&route->config.keys[i], others[i], bounds[i]);
			/* the same outer bound leads on to the next level */
			if (overlap && i + 1 < route->config.nkeys &&
				strcmp(router_bound_text(&route->config.keys[i], others[i]),
					   router_bound_text(&route->config.keys[i], bounds[i])) != 0)
				break;
		}
		if (overlap)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
					 errmsg("bounds %s overlap those of child \"%s\"",
							router_bounds_display(route, bounds), get_rel_name(def->child)),
					 errhint("See router.children for the bounds there are.")));
	}
}

/*
 * "(a, b) = (1, 2)": the key values of a row, for messages. NULL: the user may not read them of any
 * row. Who changes a row, or has defaults put into it, need not know them.
 */
char *
router_row_display(RouterRoute *route, const Datum *values, const bool *isnull)
{
	AttrNumber	attnums[ROUTER_MAX_LEVELS] = {0};
	StringInfoData columns;
	StringInfoData texts;
	int			nkeys = route->config.nkeys;
	int			guc_level;

	for (int i = 0; i < nkeys; i++)
		attnums[i] = route->config.keys[i].attnum;
	if (!router_may_see(route->config.base, attnums, nkeys))
		return NULL;
	guc_level = router_pin_settings(route->config.time_zone);
	initStringInfo(&columns);
	initStringInfo(&texts);
	for (int i = 0; i < nkeys; i++)
	{
		const char *comma = i == 0 ? "" : ", ";
		Oid			output;
		bool		varlena;

		getTypeOutputInfo(route->config.keys[i].typid, &output, &varlena);
		appendStringInfo(&columns, "%s%s", comma, route->config.keys[i].column);
		appendStringInfo(&texts, "%s%s", comma, isnull[i] ? "null" : OidOutputFunctionCall(output, values[i]));
	}
	AtEOXact_GUC(false, guc_level);
	return psprintf("(%s) = (%s)", columns.data, texts.data);
}

/* The bounds as they stand in router.children. */
char *
router_bounds_display(RouterRoute *route, RouterBound **bounds)
{
	StringInfoData buf;
	int			guc_level = router_pin_settings(route->config.time_zone);

	initStringInfo(&buf);
	for (int i = 0; i < route->config.nkeys; i++)
		appendStringInfo(&buf, "%s%s", i > 0 ? " " : "", router_bound_text(&route->config.keys[i], bounds[i]));
	AtEOXact_GUC(false, guc_level);
	return buf.data;
}

/* The condition of the CHECK, or "" for a default child. Settings are pinned. */
char *
router_child_condition(RouterRoute *route, RouterBound **bounds)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (int i = 0; i < route->config.nkeys; i++)
		router_bound_condition(&buf, &route->config.keys[i], bounds[i]);
	return buf.data;
}
