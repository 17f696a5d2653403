/*
 * route.h
 *		A route: as configured, and with the bounds of its children arranged for search.
 */
#ifndef ROUTER_ROUTE_H
#define ROUTER_ROUTE_H

#include "route/key.h"

#include "datatype/timestamp.h"
#include "nodes/bitmapset.h"
#include "nodes/pg_list.h"

typedef enum RouterPolicy
{
	ROUTER_POLICY_CREATE,
	ROUTER_POLICY_DEFAULT,
	ROUTER_POLICY_ERROR,
} RouterPolicy;

/* A route as configured: one row of route_def and its rows of key_def. */
typedef struct RouterConfig
{
	Oid			base;
	char	   *time_zone;
	char	   *template;		/* of children's names; NULL: the default one */
	char	   *child_schema;	/* where new children are made; NULL: in the schema of the base */
	RouterPolicy on_missing;
	RouterPolicy on_reject;
	Interval	horizon;
	int			max_new_children;
	Interval   *hot;			/* how long a row stays in the base; NULL: not at all */
	char	   *watermark;		/* hot: the first one, for a route that becomes so; see watermark.h */
	int			nkeys;
	RouterKey	keys[ROUTER_MAX_LEVELS];
} RouterConfig;

typedef struct RouterNode RouterNode;

/* What a level leads to: a child at the last one, else the node of the next. */
typedef struct RouterTarget
{
	Oid			child;
	int			member;			/* which of the route's members the child is */
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
	int			next;			/* the first one of another modulus */
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
	RouterBucket *buckets;		/* hash: by modulus, then remainder */
	int			nbuckets;
	RouterTarget null;
};

/* Between what values those of a sealed column of a child lie. */
typedef struct RouterSpan
{
	int64		lo;
	int64		hi;
	int64		reach;			/* the largest hi up to this one */
	int			member;
} RouterSpan;

/* What seals tell of one column. */
typedef struct RouterSealed
{
	RouterSpan *spans;			/* by lo; without the children that have no values */
	int			nspans;
	int			maxspans;
	Bitmapset  *others;			/* the members that have no seal of this column */
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
	Oid		   *members;		/* the children but for the default one, sorted; sets of them are of their places */
	int			nmembers;
	int			maxmembers;
	bool		strays_known;	/* the next two are filled in */
	List	   *strays;			/* tables that inherit from the base and are no children */
	Bitmapset  *absent;			/* members that do not inherit from the base */
	Bitmapset  *loose;			/* members that are always read, and the base with them: see loose.c */
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

#endif
