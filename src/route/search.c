/*
 * search.c
 *		The children of a route arranged for search: one node a level, with ranges
 *		sorted and values hashed. Filled, and asked which child holds a row.
 *
 * Memory: what is added lives in the route's context, which is the current one then.
 */
#include "compat.h"
#include "route/search.h"

#include "common/hashfn.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"

/* ------------------------------------------------------------------- filled */

static RouterRange *
add_range(RouterNode *node, const RouterBound *bound)
{
	RouterRange *range;

	if (node->nranges == node->maxranges)
	{
		node->maxranges = Max(8, node->maxranges * 2);
		node->ranges = node->ranges ?
			repalloc(node->ranges, node->maxranges * sizeof(RouterRange)) :
			palloc(node->maxranges * sizeof(RouterRange));
	}
	if (node->nranges > 0 && node->ranges[node->nranges - 1].lo > bound->lo)
		node->sorted = false;
	range = &node->ranges[node->nranges++];
	memset(range, 0, sizeof(*range));
	range->lo = bound->lo;
	range->hi = bound->hi;
	return range;
}

static int
compare_ranges(const void *a, const void *b)
{
	int64		left = ((const RouterRange *) a)->lo;
	int64		right = ((const RouterRange *) b)->lo;

	return left < right ? -1 : left > right ? 1 : 0;
}

static int
compare_buckets(const void *a, const void *b)
{
	const RouterBucket *left = a;
	const RouterBucket *right = b;

	return left->modulus != right->modulus ? left->modulus - right->modulus : left->remainder - right->remainder;
}

/* Ranges and buckets in order; of each bucket it is known where the next modulus begins. */
static void
sort_bounds(RouterNode *node)
{
	if (!node->sorted)
	{
		qsort(node->ranges, node->nranges, sizeof(RouterRange), compare_ranges);
		qsort(node->buckets, node->nbuckets, sizeof(RouterBucket), compare_buckets);
	}
	node->sorted = true;
	for (int i = node->nbuckets - 1; i >= 0; i--)
		node->buckets[i].next = i + 1 < node->nbuckets && node->buckets[i].modulus == node->buckets[i + 1].modulus ?
			node->buckets[i + 1].next : i + 1;
}

static uint32
hash_value(RouterKey *key, Datum value)
{
	if (key->is_int)
		return murmurhash32((uint32) value ^ (uint32) (value >> 32));
	return DatumGetUInt32(FunctionCall1Coll(&key->hash, key->collation, value));
}

static bool
values_equal(RouterKey *key, Datum a, Datum b)
{
	return DatumGetBool(FunctionCall2Coll(&key->eq, key->collation, a, b));
}

static inline RouterValue *
probe(RouterKey *key, const RouterNode *node, Datum value, uint32 hash)
{
	uint32		mask = node->maxvalues - 1;
	uint32		i;

	if (node->maxvalues == 0)
		return NULL;
	for (i = hash & mask; node->values[i].target.child != InvalidOid || node->values[i].target.node; i = (i + 1) & mask)
		if (node->values[i].hash == hash &&
			(key->is_int ? node->values[i].value == value : values_equal(key, node->values[i].value, value)))
			return &node->values[i];
	return NULL;
}

static void
place_value(RouterNode *node, RouterValue entry)
{
	uint32		mask = node->maxvalues - 1;
	uint32		i = entry.hash & mask;

	while (node->values[i].target.child != InvalidOid || node->values[i].target.node)
		i = (i + 1) & mask;
	node->values[i] = entry;
}

static void
add_value(RouterKey *key, RouterNode *node, Datum value, RouterTarget target)
{
	RouterValue entry;
	int16		len;
	bool		byval;

	if ((node->nvalues + 1) * 2 > node->maxvalues)
	{
		RouterValue *old = node->values;
		uint32		oldmax = node->maxvalues;

		node->maxvalues = Max(8, oldmax * 2);
		node->values = palloc0(node->maxvalues * sizeof(RouterValue));
		for (uint32 i = 0; i < oldmax; i++)
			if (old[i].target.child != InvalidOid || old[i].target.node)
				place_value(node, old[i]);
		if (old)
			pfree(old);
	}
	get_typlenbyval(router_key_value_type(key), &len, &byval);
	entry.value = datumCopy(value, byval, len);
	entry.hash = hash_value(key, value);
	entry.target = target;
	place_value(node, entry);
	node->nvalues++;
}

static void
add_bucket(RouterNode *node, const RouterBound *bound, RouterTarget target)
{
	RouterBucket *bucket;

	node->buckets = node->buckets ?
		repalloc(node->buckets, (node->nbuckets + 1) * sizeof(RouterBucket)) :
		palloc(sizeof(RouterBucket));
	bucket = &node->buckets[node->nbuckets++];
	node->sorted = false;
	bucket->modulus = bound->modulus;
	bucket->remainder = bound->remainder;
	bucket->target = target;
}

/* The target of a bound that a node has already; NULL if it has not. */
static RouterTarget *
find_bound(RouterKey *key, RouterNode *node, const RouterBound *bound)
{
	RouterValue *value;

	switch (bound->form)
	{
		case ROUTER_BOUND_RANGE:
			for (int i = 0; i < node->nranges; i++)
				if (node->ranges[i].lo == bound->lo && node->ranges[i].hi == bound->hi)
					return &node->ranges[i].target;
			return NULL;
		case ROUTER_BOUND_VALUES:
			value = probe(key, node, bound->values[0], hash_value(key, bound->values[0]));
			return value ? &value->target : NULL;
		case ROUTER_BOUND_HASH:
			for (int i = 0; i < node->nbuckets; i++)
				if (node->buckets[i].modulus == bound->modulus && node->buckets[i].remainder == bound->remainder)
					return &node->buckets[i].target;
			return NULL;
		default:
			return node->null.node || OidIsValid(node->null.child) ? &node->null : NULL;
	}
}

static void
add_bound(RouterKey *key, RouterNode *node, const RouterBound *bound, RouterTarget target)
{
	switch (bound->form)
	{
		case ROUTER_BOUND_RANGE:
			add_range(node, bound)->target = target;
			break;
		case ROUTER_BOUND_VALUES:
			for (int i = 0; i < bound->nvalues; i++)
				add_value(key, node, bound->values[i], target);
			if (bound->with_null)
				node->null = target;
			break;
		case ROUTER_BOUND_HASH:
			add_bucket(node, bound, target);
			break;
		default:
			node->null = target;
			break;
	}
}

/* Members come in the order of their oids. Returns which one the child is. */
static int
add_member(RouterRoute *route, Oid child)
{
	if (route->nmembers == route->maxmembers)
	{
		route->maxmembers = Max(16, route->maxmembers * 2);
		route->members = route->members ? repalloc(route->members, route->maxmembers * sizeof(Oid)) :
			palloc(route->maxmembers * sizeof(Oid));
	}
	route->members[route->nmembers] = child;
	return route->nmembers++;
}

/* Which of the members of a route a child is, or -1. */
int
router_route_member(const RouterRoute *route, Oid child)
{
	const Oid  *found = route->nmembers == 0 ? NULL :
		bsearch(&child, route->members, route->nmembers, sizeof(Oid), oid_cmp);

	return found ? found - route->members : -1;
}

/*
 * Adds a child, whose oid is above those of the members, to a route without seals.
 * CurrentMemoryContext is the route's.
 */
void
router_route_add(RouterRoute *route, Oid child, RouterBound **bounds)
{
	RouterNode *node = &route->root;
	int			last = route->config.nkeys - 1;
	RouterTarget target = {.child = child};

	route->nchildren++;
	if (bounds[0]->form == ROUTER_BOUND_DEFAULT)
	{
		route->default_child = child;
		return;
	}
	target.member = add_member(route, child);
	for (int i = 0; i < last; i++)
	{
		RouterTarget *known = find_bound(&route->config.keys[i], node, bounds[i]);
		RouterTarget next = {InvalidOid};

		if (known)
		{
			node = known->node;
			continue;
		}
		next.node = palloc0(sizeof(RouterNode));
		next.node->sorted = true;
		next.node->bound = router_bound_copy(&route->config.keys[i], bounds[i]);
		add_bound(&route->config.keys[i], node, bounds[i], next);
		node = next.node;
	}
	add_bound(&route->config.keys[last], node, bounds[last], target);
}

static void
sort_node(RouterNode *node)
{
	sort_bounds(node);
	for (int i = 0; i < node->nranges; i++)
		if (node->ranges[i].target.node)
			sort_node(node->ranges[i].target.node);
	for (uint32 i = 0; i < node->maxvalues; i++)
		if (node->values[i].target.node)
			sort_node(node->values[i].target.node);
	for (int i = 0; i < node->nbuckets; i++)
		if (node->buckets[i].target.node)
			sort_node(node->buckets[i].target.node);
	if (node->null.node)
		sort_node(node->null.node);
}

void
router_route_sort(RouterRoute *route)
{
	sort_node(&route->root);
}

/* ------------------------------------------------------------------- asked */

/* The first range of a node that does not end before a value; nranges: there is none. */
int
router_node_first_range(const RouterNode *node, int64 value)
{
	int			lo = 0;
	int			hi = node->nranges;

	while (lo < hi)
	{
		int			mid = (lo + hi) / 2;

		if (node->ranges[mid].hi < value)
			lo = mid + 1;
		else
			hi = mid;
	}
	return lo;
}

static inline RouterRange *
search_ranges(RouterNode *node, int64 value)
{
	int			i = router_node_first_range(node, value);

	return i < node->nranges && node->ranges[i].lo <= value ? &node->ranges[i] : NULL;
}

static RouterTarget *
search_values(RouterKey *key, const RouterNode *node, Datum value)
{
	RouterValue *entry = probe(key, node, value, hash_value(key, value));

	return entry ? &entry->target : NULL;
}

static RouterTarget *
search_buckets(RouterKey *key, const RouterNode *node, Datum value)
{
	uint64		hash = router_key_hash(key, value);

	/* almost always there are all buckets of one modulus */
	for (int i = 0; i < node->nbuckets; i = node->buckets[i].next)
	{
		int			lo = i;
		int			hi = node->buckets[i].next - 1;
		int			remainder = hash % node->buckets[i].modulus;

		if (hi - lo + 1 == node->buckets[i].modulus)
			return &node->buckets[i + remainder].target;
		while (lo < hi)
		{
			int			mid = (lo + hi) / 2;

			if (node->buckets[mid].remainder < remainder)
				lo = mid + 1;
			else
				hi = mid;
		}
		if (node->buckets[lo].remainder == remainder)
			return &node->buckets[lo].target;
	}
	return NULL;
}

/* Where a node of a list, prefix, suffix or hash key leads to for a value, folded if that is the key's way; or NULL. */
const RouterTarget *
router_node_value(RouterKey *key, const RouterNode *node, Datum value)
{
	return key->kind == ROUTER_HASH ? search_buckets(key, node, value) : search_values(key, node, value);
}

/*
 * The child that holds rows with these key values (one a level), or InvalidOid
 * and in *miss how far the search came. The default child does not count.
 */
Oid
router_route_find(RouterRoute *route, const Datum *values, const bool *isnull, RouterMiss *miss)
{
	RouterNode *node = &route->root;

	for (int level = 0;; level++)
	{
		RouterKey  *key = &route->config.keys[level];
		RouterTarget *target;

		miss->path[level] = node;
		miss->level = level;
		if (isnull[level])
			target = &node->null;
		else if (router_key_is_range(key))
		{
			RouterRange *range = search_ranges(node, router_key_int(key, values[level]));

			target = range ? &range->target : NULL;
		}
		else if (key->kind == ROUTER_HASH)
			target = search_buckets(key, node, values[level]);
		else
			target = search_values(key, node, router_key_fold(key, values[level]));
		if (target == NULL || (target->node == NULL && !OidIsValid(target->child)))
			return InvalidOid;
		if (target->node == NULL)
			return target->child;
		node = target->node;
	}
}

/* Where the range of the outermost key ends that holds a value; false: there is none. An open end is PG_INT64_MAX. */
bool
router_route_end(RouterRoute *route, int64 value, int64 *end)
{
	RouterRange *range = search_ranges(&route->root, value);

	if (range)
		*end = range->hi == PG_INT64_MAX ? PG_INT64_MAX : range->hi + 1;
	return range != NULL;
}

/* Narrows a range around a value that no range of the node holds to the gap it lies in. */
void
router_route_clip(const RouterNode *node, int64 value, int64 *lo, int64 *hi)
{
	for (int i = 0; i < node->nranges; i++)
	{
		const RouterRange *range = &node->ranges[i];

		if (range->hi < value)
			*lo = Max(*lo, range->hi + 1);
		else
			*hi = Min(*hi, range->lo - 1);
	}
}

/* Takes the values that a node holds already out of a group. */
void
router_route_leave_out(RouterKey *key, const RouterNode *node, RouterBound *bound)
{
	int			kept = 0;

	for (int i = 0; i < bound->nvalues; i++)
		if (probe(key, node, bound->values[i], hash_value(key, bound->values[i])) == NULL)
			bound->values[kept++] = bound->values[i];
	bound->nvalues = kept;
	if (node->null.node || OidIsValid(node->null.child))
		bound->with_null = false;
	if (kept == 0 && bound->with_null)
	{
		bound->form = ROUTER_BOUND_NULL;
		bound->with_null = false;
	}
}

static int
smallest_factor(int n)
{
	for (int factor = 2; factor * factor <= n; factor++)
		if (n % factor == 0)
			return factor;
	return n;
}

/* Splits the bucket of a hash that no bucket of the node holds, until it overlaps none, and no further. */
void
router_route_split(const RouterNode *node, uint64 hash, RouterBound *bound)
{
	for (int i = 0; i < node->nbuckets; i++)
	{
		const RouterBucket *other = &node->buckets[i];
		int			gcd = router_gcd(bound->modulus, other->modulus);

		while (bound->remainder % gcd == other->remainder % gcd)
		{
			bound->modulus *= smallest_factor(other->modulus / gcd);
			bound->remainder = hash % bound->modulus;
			gcd = router_gcd(bound->modulus, other->modulus);
		}
	}
}
