/*
 * cache.c
 *		The routes that this backend has met, with the bounds of their children
 *		arranged for search: ranges sorted, values hashed, one node a level.
 *
 * An entry is made for every table that a statement inserts into, routed or
 * not, is never freed, and may be kept by pointer. Its route is rebuilt when
 * the relcache entry of the base was invalidated: pointers into a route are
 * good until the next lock is taken or catalog read. Callbacks only mark.
 *
 * Memory: a context "router route" a route, below CacheMemoryContext, built
 * under the current context and re-parented when complete, as partcache.c does.
 */
#include "compat.h"
#include "route/cache.h"

#include "access/table.h"
#include "access/transam.h"
#include "access/xact.h"
#include "catalog/pg_inherits.h"
#include "common/hashfn.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/guc.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/typcache.h"

#include "route/defs.h"
#include "route/growth.h"
#include "route/loose.h"
#include "route/stored.h"

/* How well the marks of a hot route (watermark, pending, reach) are known, or the version of a route's children. */
typedef enum Marks
{
	MARKS_OLD,					/* to be read again */
	MARKS_UNSETTLED,			/* read, but others may be about to change them */
	MARKS_SETTLING,				/* being read: no message has come meanwhile */
	MARKS_SETTLED,
} Marks;

struct RouterEntry
{
	Oid			base;			/* hash key */
	bool		valid;
	bool		current;		/* valid, and its marks are not old */
	bool		reading;		/* the catalog: what comes meanwhile counts, whatever route there was before */
	Marks		marks;
	Marks		growth;
	RouterRoute *route;			/* NULL: not a routed table */
	Oid			parent;			/* of a child: its base */
};

static HTAB *entries = NULL;
static uint64 generations = 0;
static Oid	marks_id = InvalidOid;	/* router_marks_id, once there is a route */
static Oid	growth_id = InvalidOid;	/* router_growth_id */
static Oid	last_settled = InvalidOid;	/* a base of which it is settled that its children have this version */
static uint64 last_version;

/* ------------------------------------------------------------- building */

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

static void
sort_ranges(RouterNode *node)
{
	if (!node->sorted)
		qsort(node->ranges, node->nranges, sizeof(RouterRange), compare_ranges);
	node->sorted = true;
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
	Oid			type = key->kind == ROUTER_LIST ? key->typid : TEXTOID;
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
	get_typlenbyval(type, &len, &byval);
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

/* Keeps the members sorted. Most come in the order of their oids. */
static void
add_member(RouterRoute *route, Oid child)
{
	int			i = route->nmembers;

	if (route->nmembers == route->maxmembers)
	{
		route->maxmembers = Max(16, route->maxmembers * 2);
		route->members = route->members ? repalloc(route->members, route->maxmembers * sizeof(Oid)) :
			palloc(route->maxmembers * sizeof(Oid));
	}
	for (; i > 0 && route->members[i - 1] > child; i--)
		route->members[i] = route->members[i - 1];
	route->members[i] = child;
	route->nmembers++;
}

/* The list stays sorted. */
static List *
insert_oid(List *oids, Oid oid)
{
	int			i = list_length(oids);

	while (i > 0 && list_nth_oid(oids, i - 1) > oid)
		i--;
	return i == list_length(oids) ? lappend_oid(oids, oid) : list_insert_nth_oid(oids, i, oid);
}

/* Adds a child to a route. CurrentMemoryContext is the route's. */
static void
add_child(RouterRoute *route, Oid child, RouterBound **bounds)
{
	RouterNode *node = &route->root;
	int			last = route->config.nkeys - 1;

	route->nchildren++;
	if (bounds[0]->form == ROUTER_BOUND_DEFAULT)
	{
		route->default_child = child;
		return;
	}
	add_member(route, child);
	for (int i = 0; i < route->nlevels - route->config.nkeys; i++)
		route->seals[i].others = insert_oid(route->seals[i].others, child);
	for (int i = 0; i < last; i++)
	{
		RouterTarget *known = find_bound(&route->config.keys[i], node, bounds[i]);
		RouterTarget next = {InvalidOid, NULL};

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
	add_bound(&route->config.keys[last], node, bounds[last], (RouterTarget) {child, NULL});
}

static void
sort_node(RouterNode *node)
{
	sort_ranges(node);
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

static void
add_children(RouterRoute *route, List *children)
{
	MemoryContext scratch = AllocSetContextCreate(CurrentMemoryContext, "router bounds", ALLOCSET_SMALL_SIZES);
	ListCell   *lc;

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
		add_child(route, def->child, bounds);
		MemoryContextSwitchTo(old);
		MemoryContextReset(scratch);
	}
	MemoryContextDelete(scratch);
	sort_node(&route->root);
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
	return route->nlevels++;
}

static void
add_span(RouterSealed *seals, Oid child, const RouterBound *bound)
{
	if (seals->nspans == seals->maxspans)
	{
		seals->maxspans = Max(16, seals->maxspans * 2);
		seals->spans = seals->spans ? repalloc(seals->spans, seals->maxspans * sizeof(RouterSpan)) :
			palloc(seals->maxspans * sizeof(RouterSpan));
	}
	seals->spans[seals->nspans++] = (RouterSpan) {.lo = bound->lo,.hi = bound->hi,.child = child};
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
		int			level;
		RouterSealed *column;

		if (seal->broken)
			continue;
		route->fenced = lappend_oid(route->fenced, seal->child);
		level = seal->sealed ? seal_level(route, seal, base) : -1;
		if (level < 0)
			continue;
		column = &route->seals[level - route->config.nkeys];
		column->sealed = lappend_oid(column->sealed, seal->child);
		if (seal->span)
			add_span(column, seal->child, router_bound_parse(&route->config.keys[level], seal->span));
	}
	list_sort(route->fenced, list_oid_cmp);
	list_deduplicate_oid(route->fenced);
	for (int i = 0; i < route->nlevels - route->config.nkeys; i++)
	{
		RouterSealed *column = &route->seals[i];
		int64		reach = PG_INT64_MIN;
		int			next = 0;

		qsort(column->spans, column->nspans, sizeof(RouterSpan), compare_spans);
		for (int j = 0; j < column->nspans; j++)
			column->spans[j].reach = reach = Max(reach, column->spans[j].hi);
		list_sort(column->sealed, list_oid_cmp);
		for (int j = 0; j < route->nmembers; j++)
		{
			while (next < list_length(column->sealed) && list_nth_oid(column->sealed, next) < route->members[j])
				next++;
			if (next == list_length(column->sealed) || list_nth_oid(column->sealed, next) != route->members[j])
				column->others = lappend_oid(column->others, route->members[j]);
		}
	}
}

/* How far archiving is, by the catalog. Settings are pinned. */
static void
set_marks(RouterRoute *route, const RouterMarks *marks)
{
	if (route->hot_level >= 0)
		router_marks_parse(&route->config.keys[route->hot_level], marks, &route->watermark, &route->pending,
						   &route->reach);
	/* what was read was committed by transactions before this one */
	route->read_before = ReadNextTransactionId();
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
	List	   *global_keys;	/* in cxt, as are these */
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
	parts->loose = router_loose_children(parts->relid);
	MemoryContextSwitchTo(old);
}

/* Reads a route from the catalog, or of which base the table is a child. Leaves nothing behind on error. */
static RouterRoute *
build_route(Oid base, Oid *parent)
{
	MemoryContext work = AllocSetContextCreate(CurrentMemoryContext, "router build", ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(work);
	MemoryContext cxt = AllocSetContextCreate(work, "router route", ALLOCSET_SMALL_SIZES);
	RouterRoute *route = NULL;
	Parts		parts = {.relid = base,.cxt = cxt};
	RouterConfig *config;
	bool		exists = router_catalog_exists();
	Relation	rel = exists && router_catalog_is_base(base) ? try_table_open(base, AccessShareLock) : NULL;

	/* not before it is locked: who was waited for may have changed it */
	if (exists)
	{
		/* known first: messages that come while it reads are for what it reads */
		marks_id = router_marks_id();
		growth_id = router_growth_id();
		router_catalog_read_at_once(read_parts, &parts);
	}
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
		set_marks(route, &parts.marks);
		route->global_keys = parts.global_keys;
		name_global_keys(base, route->global_keys);
		route->nlevels = config->nkeys;
		MemoryContextSwitchTo(work);
		add_children(route, parts.children);
		MemoryContextSwitchTo(cxt);
		add_seals(route, parts.seals, rel);
		route->loose = parts.loose;
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

/* -------------------------------------------------------------- the entries */

static void
invalidate(Datum arg, Oid relid)
{
	RouterEntry *entry;
	HASH_SEQ_STATUS status;

	last_settled = InvalidOid;
	if (OidIsValid(relid))
	{
		entry = hash_search(entries, &relid, HASH_FIND, NULL);
		if (entry)
		{
			entry->valid = entry->current = false;
			entry->growth = MARKS_OLD;
		}
		if (relid != marks_id && relid != growth_id)
			return;
	}
	hash_seq_init(&status, entries);
	while ((entry = hash_seq_search(&status)) != NULL)
	{
		entry->valid &= OidIsValid(relid);
		if (!entry->valid || relid == growth_id)
			entry->growth = MARKS_OLD;
		if (!entry->valid ||
			(relid == marks_id && (entry->reading || (entry->route && entry->route->hot_level >= 0))))
		{
			entry->current = false;
			entry->marks = MARKS_OLD;
		}
	}
}

void
router_cache_init(void)
{
	HASHCTL		ctl;

	memset(&ctl, 0, sizeof(ctl));
	ctl.keysize = sizeof(Oid);
	ctl.entrysize = sizeof(RouterEntry);
	ctl.hcxt = CacheMemoryContext ? CacheMemoryContext : TopMemoryContext;
	entries = hash_create("router routes", 64, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	CacheRegisterRelcacheCallback(invalidate, (Datum) 0);
}

/* The entry of a table, to be kept as long as one likes. */
RouterEntry *
router_cache_entry(Oid base)
{
	bool		found;
	RouterEntry *entry = hash_search(entries, &base, HASH_ENTER, &found);

	if (!found)
	{
		entry->valid = entry->current = entry->reading = false;
		entry->marks = entry->growth = MARKS_OLD;
		entry->route = NULL;
		entry->parent = InvalidOid;
	}
	return entry;
}

/* Reads again how far archiving is. */
static void
refresh_marks(RouterEntry *entry)
{
	RouterMarks marks;
	int			guc_level;

	if (!router_marks_read(entry->base, NULL, &marks) || !entry->valid || entry->route == NULL)
		return;
	guc_level = router_pin_settings(entry->route->config.time_zone);
	set_marks(entry->route, &marks);
	AtEOXact_GUC(false, guc_level);
}

static void
rebuild(RouterEntry *entry)
{
	RouterRoute *old = entry->route;
	Oid			parent;
	RouterRoute *route = build_route(entry->base, &parent);

	entry->route = route;
	entry->parent = parent;
	if (old)
		MemoryContextDelete(old->cxt);
}

/*
 * The route of an entry as of now, or NULL for an ordinary table. Takes
 * AccessShareLock to rebuild. An invalidation that comes while it reads does
 * not make it read again at once, which might never end: the next call does.
 * Who must be certain holds the creation lock, or looks again when it has
 * locked the child.
 */
RouterRoute *
router_cache_route(RouterEntry *entry)
{
	if (unlikely(!entry->current))
	{
		bool		marks_only = entry->valid;

		/* cleared again by what happens meanwhile */
		entry->valid = entry->current = true;
		entry->marks = MARKS_UNSETTLED;
		entry->growth = MARKS_OLD;
		entry->reading = true;
		PG_TRY();
		{
			if (marks_only)
				refresh_marks(entry);
			else
				rebuild(entry);
		}
		PG_CATCH();
		{
			entry->valid = entry->current = entry->reading = false;
			PG_RE_THROW();
		}
		PG_END_TRY();
		entry->reading = false;
	}
	return entry->route;
}

/* The route of a base whose creation locks are held; an error if it is gone. */
RouterRoute *
router_route_locked(RouterEntry *entry)
{
	RouterRoute *route = router_cache_route(entry);

	if (route == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the route was dropped while the statement waited"),
				 errhint("Run the statement again.")));
	return route;
}

/*
 * The same, with its strays and absent ones. Both are rare: a table that somebody
 * made to inherit from the base, a child taken away while event triggers were off.
 */
RouterRoute *
router_cache_route_and_strays(RouterEntry *entry)
{
	RouterRoute *route = router_cache_route(entry);
	List	   *heirs;
	List	   *strays = NIL;
	List	   *absent = NIL;
	MemoryContext old;
	ListCell   *lc;
	int			i = 0;

	if (route == NULL || route->strays_known)
		return route;
	heirs = find_inheritance_children(entry->base, NoLock);	/* sorted, as the members are */
	foreach(lc, heirs)
	{
		Oid			heir = lfirst_oid(lc);

		for (; i < route->nmembers && route->members[i] < heir; i++)
			absent = lappend_oid(absent, route->members[i]);
		if (i < route->nmembers && route->members[i] == heir)
			i++;
		else if (heir != route->default_child)
			strays = lappend_oid(strays, heir);
	}
	for (; i < route->nmembers; i++)
		absent = lappend_oid(absent, route->members[i]);
	old = MemoryContextSwitchTo(route->cxt);
	list_free(route->strays);
	list_free(route->absent);
	route->strays = list_copy(strays);
	route->absent = list_copy(absent);
	route->strays_known = strays == NIL;	/* nothing invalidates the base when they leave it */
	MemoryContextSwitchTo(old);
	return route;
}

/* The routed table that a table is, or is a child of, or InvalidOid. */
Oid
router_cache_base(Oid relid)
{
	RouterEntry *entry = router_cache_entry(relid);

	return router_cache_route(entry) ? relid : entry->parent;
}

/* False: the next router_cache_route will read the catalog. */
bool
router_cache_is_current(const RouterEntry *entry)
{
	return entry->valid;
}

/* The next router_cache_route shall read the catalog. */
void
router_cache_forget(RouterEntry *entry)
{
	entry->valid = entry->current = false;
}

/* Makes certain that the marks are those of the catalog, unless somebody is about to change them. */
static void
settle_marks(RouterEntry *entry)
{
	bool		settled;

	entry->marks = MARKS_SETTLING;	/* undone by what happens meanwhile */
	(void) router_watermark_written_by(entry->base, &settled);
	if (settled)
		(void) router_reach_written_by(entry->base, &settled);
	if (settled)
	{
		refresh_marks(entry);
		if (entry->marks == MARKS_SETTLING)
			entry->marks = MARKS_SETTLED;
	}
	else if (entry->marks == MARKS_SETTLING)
		entry->marks = MARKS_UNSETTLED;
}

/*
 * How far archiving was for a snapshot: it sees no row in the base that is older
 * than the watermark, and none in the children that is not older than reach.
 * False: the table was no hot route then, and rows may be anywhere.
 *
 * The catalog need not be read if
 *	- the snapshot sees what the marks were read from: its xmin tells;
 *	- there is nothing newer that it could see. Nobody was about to change the
 *	  marks when they were read, and who did so since has told before he ended.
 *	  That has been heard of, as it is asked for after the snapshot was taken. (What
 *	  tells of the change itself comes too late: when others see it already.)
 * A standby is told later.
 */
bool
router_cache_marks(RouterEntry *entry, Snapshot snapshot, int64 *watermark, int64 *reach)
{
	RouterRoute *route;
	RouterMarks marks;
	int64		pending;
	bool		hot;
	int			guc_level;

	AcceptInvalidationMessages();
	route = router_cache_route(entry);
	if (route == NULL || route->hot_level < 0)
		return false;
	if (unlikely(entry->marks != MARKS_SETTLED) && !snapshot->takenDuringRecovery)
	{
		settle_marks(entry);
		route = router_cache_route(entry);
		if (route == NULL || route->hot_level < 0)
			return false;
	}
	if (likely(entry->valid && entry->marks == MARKS_SETTLED && !snapshot->takenDuringRecovery &&
			   TransactionIdFollowsOrEquals(snapshot->xmin, route->read_before)))
	{
		*watermark = route->watermark;
		*reach = route->reach;
		hot = true;
	}
	else
	{
		hot = router_marks_read(entry->base, snapshot, &marks);
		route = router_cache_route(entry);
		hot = hot && route && route->hot_level >= 0;
		if (hot)
		{
			guc_level = router_pin_settings(route->config.time_zone);
			router_marks_parse(&route->config.keys[route->hot_level], &marks, watermark, &pending, reach);
			AtEOXact_GUC(false, guc_level);
		}
	}
	/* rows of one's own went where the newest watermark said, which has gone back if archived rows were restored */
	if (hot && IsolationUsesXactSnapshot())
	{
		*watermark = Min(*watermark, route->watermark);
		*reach = Max(*reach, route->pending);
	}
	return hot;
}

/* Makes certain that the children in the cache are those of the catalog, unless somebody is about to add some. */
static void
settle_growth(RouterEntry *entry)
{
	bool		settled;

	entry->growth = MARKS_SETTLING; /* undone by what happens meanwhile */
	settled = router_growth_is_settled(entry->base);
	if (settled)
		settled = router_growth_version(entry->base, NULL) == entry->route->version;
	if (entry->growth == MARKS_SETTLING)
		entry->growth = settled ? MARKS_SETTLED : MARKS_UNSETTLED;
}

/*
 * May a snapshot see rows in children that came after this version of a route?
 * The catalog need not be read if there is no later version, and nobody was
 * about to make one: see router_cache_marks. Invalidations were accepted after
 * the snapshot was taken.
 */
bool
router_cache_has_grown(Oid base, Snapshot snapshot, uint64 version)
{
	RouterEntry *entry;

	if (likely(base == last_settled && version == last_version && !snapshot->takenDuringRecovery))
		return false;
	entry = router_cache_entry(base);
	if (!snapshot->takenDuringRecovery && entry->valid && entry->route && entry->route->version == version)
	{
		if (entry->growth != MARKS_SETTLED)
			settle_growth(entry);
		if (entry->growth == MARKS_SETTLED)
		{
			last_settled = base;
			last_version = version;
			return false;
		}
	}
	return router_growth_matters(base, snapshot, version);
}

/*
 * Adds a child that this session just created to the route it looked at, known
 * by its generation. The caller has held ShareUpdateExclusiveLock on the base
 * since then, so that nobody else can have changed the bounds: the only
 * invalidations that tell of them are those of our own commands, and reading thousands of
 * children again for each new one is saved. Archiving and sealing go on
 * meanwhile, so what they change is read again. If the route was rebuilt in the
 * meantime (a trigger on DDL inserted into it), the catalog is read once more.
 * An abort invalidates again.
 */
void
router_cache_add_child(RouterEntry *entry, uint64 generation, Oid child, RouterBound **bounds, uint64 version)
{
	MemoryContext old;

	if (entry->route == NULL || entry->route->generation != generation || entry->route->fenced != NIL)
	{
		entry->valid = entry->current = false;
		return;
	}
	entry->valid = entry->current = false;	/* stays so on error */
	entry->route->strays_known = false;
	entry->route->version = version;
	old = MemoryContextSwitchTo(entry->route->cxt);
	add_child(entry->route, child, bounds);
	sort_node(&entry->route->root);
	MemoryContextSwitchTo(old);
	entry->valid = true;
	entry->current = entry->route->hot_level < 0;	/* the marks are read again */
	entry->marks = entry->growth = MARKS_OLD;
}

/* ------------------------------------------------------------------- search */

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

	/* almost always all buckets have one modulus and stand in order */
	if (node->nbuckets > 0)
	{
		RouterBucket *guess = &node->buckets[hash % node->buckets[0].modulus % node->nbuckets];

		if (hash % guess->modulus == guess->remainder)
			return &guess->target;
	}
	for (int i = 0; i < node->nbuckets; i++)
		if (hash % node->buckets[i].modulus == node->buckets[i].remainder)
			return &node->buckets[i].target;
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

/* Splits the bucket of a hash that no bucket of the node holds, until it overlaps none. */
void
router_route_split(const RouterNode *node, uint64 hash, RouterBound *bound)
{
	for (int i = 0; i < node->nbuckets; i++)
	{
		const RouterBucket *other = &node->buckets[i];
		int			gcd = router_gcd(bound->modulus, other->modulus);

		if (bound->remainder % gcd != other->remainder % gcd)
			continue;
		bound->modulus = bound->modulus / gcd * other->modulus;
		bound->remainder = hash % bound->modulus;
	}
}
