/*
 * bounds.c
 *		Bounds of one level put together and parted: ranges, groups of values, buckets.
 *
 * Pure functions: no catalog is written, no lock taken; results are palloc'd in the current context.
 */
#include "compat.h"
#include "reshape/bounds.h"

#define MAX_STEP ((int64) 1 << 40)

/* Does a bound hold all that another one of its key does? */
bool
router_bound_holds(RouterKey *key, const RouterBound *bound, const RouterBound *other)
{
	if (other->form == ROUTER_BOUND_RANGE)
		return bound->form == ROUTER_BOUND_RANGE && bound->lo <= other->lo && bound->hi >= other->hi;
	for (int i = 0; i < other->nvalues; i++)
		if (!router_bound_has(key, bound, other->values[i], false))
			return false;
	return !(other->with_null || other->form == ROUTER_BOUND_NULL) || router_bound_has(key, bound, (Datum) 0, true);
}

/* NULL alone is no group. */
void
router_bound_settle(RouterBound *bound)
{
	if (bound->nvalues > 0 || !bound->with_null)
		return;
	bound->form = ROUTER_BOUND_NULL;
	bound->with_null = false;
}

/* Takes what another bound holds into a group, which has room for it. */
void
router_bound_take(RouterKey *key, RouterBound *group, const RouterBound *bound)
{
	for (int i = 0; i < bound->nvalues; i++)
		if (!router_bound_has(key, group, bound->values[i], false))
			group->values[group->nvalues++] = bound->values[i];
	group->with_null |= bound->with_null || bound->form == ROUTER_BOUND_NULL;
}

/* A group to which so many values can be added. */
RouterBound *
router_bound_empty(int nvalues)
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

/* The bucket that some buckets, none of which overlaps another, are parts of, and all of it; NULL: there is none. */
static RouterBound *
join_buckets(List *bounds)
{
	RouterBound *first = linitial(bounds);
	RouterBound *all = palloc0(sizeof(RouterBound));
	int64		step = 1;		/* that all moduli divide */
	int64		share = 0;		/* of step */
	ListCell   *lc;

	all->form = ROUTER_BOUND_HASH;
	all->modulus = first->modulus;
	foreach(lc, bounds)
	{
		RouterBound *next = lfirst(lc);

		if (next->form != ROUTER_BOUND_HASH || step > MAX_STEP)
			return NULL;
		all->modulus = router_gcd(all->modulus, next->modulus);
		all->modulus = router_gcd(all->modulus, abs(next->remainder - first->remainder));
		step *= next->modulus / router_gcd(step % next->modulus, next->modulus);
	}
	all->remainder = first->remainder % all->modulus;
	foreach(lc, bounds)
		share += step / ((RouterBound *) lfirst(lc))->modulus;
	return share == step / all->modulus ? all : NULL;
}

/* One bound for all of these, of ranges, values or buckets. */
RouterBound *
router_bounds_join(RouterKey *key, List *bounds)
{
	RouterBound *first;
	RouterBound *all;
	int			nvalues = 0;
	ListCell   *lc;

	if (key->kind == ROUTER_HASH)
	{
		all = join_buckets(bounds);
		if (all == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("the children hold no buckets of \"%s\" that make one together", key->column),
					 errhint("See router.children: 2/6 and 5/6 make 2/3.")));
		return all;
	}
	if (router_key_is_range(key))
		list_sort(bounds, by_low_end);
	first = linitial(bounds);
	foreach(lc, bounds)
		nvalues += ((RouterBound *) lfirst(lc))->nvalues;
	all = first->form == ROUTER_BOUND_RANGE ? router_bound_copy(key, first) : router_bound_empty(nvalues);
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
List *
router_range_part(RouterKey *key, const RouterBound *bound, char **points, int npoints)
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

/* What groups leave of a group; NULL: nothing. */
RouterBound *
router_bound_without(RouterKey *key, const RouterBound *bound, List *groups)
{
	RouterBound *rest = router_bound_empty(bound->nvalues);
	ListCell   *lc;

	rest->with_null = bound->with_null || bound->form == ROUTER_BOUND_NULL;
	foreach(lc, groups)
		if (router_bound_has(key, lfirst(lc), (Datum) 0, true))
			rest->with_null = false;
	for (int i = 0; i < bound->nvalues; i++)
	{
		bool		taken = false;

		foreach(lc, groups)
			taken = taken || router_bound_has(key, lfirst(lc), bound->values[i], false);
		if (!taken)
			rest->values[rest->nvalues++] = bound->values[i];
	}
	if (rest->nvalues == 0 && !rest->with_null)
		return NULL;
	router_bound_settle(rest);
	return rest;
}

/* The groups that a group is parted into: those given, and what they leave. */
List *
router_group_part(RouterKey *key, const RouterBound *bound, char **groups, int ngroups)
{
	List	   *parts = NIL;
	RouterBound *rest;
	ListCell   *lc;

	for (int i = 0; i < ngroups; i++)
	{
		RouterBound *part = router_bound_parse(key, groups[i]);
		bool		fits = part->form != ROUTER_BOUND_DEFAULT && router_bound_holds(key, bound, part);

		foreach(lc, parts)
			fits = fits && !router_bounds_overlap(key, lfirst(lc), part);
		if (!fits)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("group %s is no part of %s, or shares a value with another one", groups[i],
							router_bound_text(key, bound)),
					 errhint("Give groups of values that the child holds; those that no group has stay together.")));
		parts = lappend(parts, part);
	}
	rest = router_bound_without(key, bound, parts);
	return rest ? lappend(parts, rest) : parts;
}

/* The two buckets of a modulus twice as large. */
List *
router_bucket_part(RouterKey *key, const RouterBound *bound)
{
	RouterBound *low = palloc(sizeof(RouterBound));
	RouterBound *high = palloc(sizeof(RouterBound));

	if (bound->modulus > ROUTER_MAX_MODULUS / 2)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("bucket %s of \"%s\" cannot be parted further", router_bound_text(key, bound), key->column),
				 errdetail("The greatest modulus is %d.", ROUTER_MAX_MODULUS)));
	*low = *high = *bound;
	low->modulus = high->modulus = bound->modulus * 2;
	high->remainder += bound->modulus;
	return list_make2(low, high);
}
