/*
 * cache.h
 *		Base -> route, with sorted bounds. See cache.c.
 */
#ifndef ROUTER_CACHE_H
#define ROUTER_CACHE_H

#include "route/catalog.h"

#include "utils/snapshot.h"

typedef struct RouterEntry RouterEntry;
typedef struct RouterNode RouterNode;

/* What a level leads to: a child at the last one, else the node of the next. */
typedef struct RouterTarget
{
	Oid			child;
	RouterNode *node;
} RouterTarget;

typedef struct RouterRange
{
	int64		lo;
	int64		hi;
	RouterTarget target;
} RouterRange;

typedef struct RouterValue
{
	Datum		value;
	uint32		hash;
	RouterTarget target;
} RouterValue;

typedef struct RouterBucket
{
	int			modulus;
	int			remainder;
	RouterTarget target;
} RouterBucket;

/* The bounds of one level below one outer child. */
struct RouterNode
{
	RouterBound *bound;			/* what leads here; NULL at the top */
	RouterRange *ranges;		/* range keys: sorted, disjoint */
	int			nranges;
	int			maxranges;
	bool		sorted;
	RouterValue *values;		/* list, prefix, suffix: open addressing */
	uint32		nvalues;
	uint32		maxvalues;		/* a power of two, or 0 */
	RouterBucket *buckets;		/* hash */
	int			nbuckets;
	RouterTarget null;
};

/* Between what values those of a sealed column of a child lie. */
typedef struct RouterSpan
{
	int64		lo;
	int64		hi;
	int64		reach;			/* the largest hi up to this one */
	Oid			child;
} RouterSpan;

/* What seals tell of one column. */
typedef struct RouterSealed
{
	RouterSpan *spans;			/* by lo; without the children that have no values */
	int			nspans;
	int			maxspans;
	List	   *sealed;			/* the children that have a seal of this column, sorted */
	List	   *others;			/* those that have none, sorted */
} RouterSealed;

typedef struct RouterRoute
{
	MemoryContext cxt;
	uint64		generation;		/* of the building; never the same twice in a session */
	uint64		version;		/* of its children: see growth.c */
	RouterConfig config;
	RouterNode	root;
	Oid			default_child;
	int			nchildren;
	Oid		   *members;		/* the children but for the default one, sorted */
	int			nmembers;
	int			maxmembers;
	bool		strays_known;	/* the next two are filled in */
	List	   *strays;			/* tables that inherit from the base and are no children */
	List	   *absent;			/* children that do not inherit from the base */
	List	   *loose;			/* children that are always read, and the base with them: see loose.c */
	int			hot_level;		/* the key that tells the age of rows, or -1: the base holds none */
	int64		watermark;		/* hot: rows before it live in children */
	int64		pending;		/* hot: from it on rows live in the base; between the two see home.c */
	int64		reach;			/* hot: children have no row from here on; the watermark, unless they were given some */
	TransactionId read_before;	/* none that was read of the last three comes from this transaction or a later one */
	List	   *global_keys;	/* of RouterGlobalKey */
	int			nlevels;		/* the keys, and behind them in config.keys the sealed columns */
	RouterSealed *seals;		/* of each of these columns */
	List	   *fenced;			/* children whose CHECK is to tell of rows beyond it */
} RouterRoute;

/* Where a row belongs by its age. */
typedef enum RouterZone
{
	ROUTER_COLD,				/* in a child */
	ROUTER_HOT,					/* in the base */
	ROUTER_BETWEEN,				/* archiving is on its way there: ask again under the home lock */
} RouterZone;

/* Where a search ended that found no child. */
typedef struct RouterMiss
{
	int			level;
	RouterNode *path[ROUTER_MAX_LEVELS];	/* path[level] is where it ended */
} RouterMiss;

extern void router_cache_init(void);
extern RouterEntry *router_cache_entry(Oid base);
extern RouterRoute *router_cache_route(RouterEntry *entry);
extern RouterRoute *router_route_locked(RouterEntry *entry);
extern Oid	router_cache_base(Oid relid);
extern bool router_cache_marks(RouterEntry *entry, Snapshot snapshot, int64 *watermark, int64 *reach);
extern bool router_cache_has_grown(Oid base, Snapshot snapshot, uint64 version);
extern bool router_cache_is_current(const RouterEntry *entry);
extern void router_cache_forget(RouterEntry *entry);
extern Oid	router_route_find(RouterRoute *route, const Datum *values, const bool *isnull, RouterMiss *miss);
extern int	router_node_first_range(const RouterNode *node, int64 value);
extern const RouterTarget *router_node_value(RouterKey *key, const RouterNode *node, Datum value);
extern RouterRoute *router_cache_route_and_strays(RouterEntry *entry);
extern bool router_route_end(RouterRoute *route, int64 value, int64 *end);
extern RouterZone router_route_zone(RouterRoute *route, const Datum *values, const bool *isnull);
extern int	router_hot_level(const RouterConfig *config);
extern void router_route_clip(const RouterNode *node, int64 value, int64 *lo, int64 *hi);
extern void router_route_leave_out(RouterKey *key, const RouterNode *node, RouterBound *bound);
extern void router_route_split(const RouterNode *node, uint64 hash, RouterBound *bound);
extern void router_cache_add_child(RouterEntry *entry, uint64 generation, Oid child, RouterBound **bounds,
								   uint64 version);

#endif
