/*
 * watermark.c
 *		The marks of a hot base, which say where a row lives by its age: read, judged,
 *		written and locked.
 *
 * Rows before the watermark live in children, those from pending on in the base; in
 * between their home is changing, since archiving takes the watermark to where pending
 * is. The marks are columns of route_def. reach_def has, for the bases whose
 * children were given rows by name, from where on children have none.
 *
 * Others hear of a change of marks twice: when it is made, and when it can be seen.
 * What they do about it, and how a session knows its marks: see router_cache_marks.
 *
 * Locking: two locks of their own on the base, told apart by the objsubid of
 * LockDatabaseObject, so that nothing else waits for them. They are kept to the
 * end of the transaction.
 *	- The home lock. Writers of a row whose home is changing hold it in ShareLock
 *	  mode; archiving advances the watermark under ExclusiveLock.
 *	- The reach lock, Exclusive, of those who raise the reach. Archiving does not wait for it.
 */
#include "compat.h"
#include "route/watermark.h"

#include "catalog/indexing.h"
#include "catalog/pg_class.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/inval.h"

#include "route/defs.h"

enum
{
	REACH_BASE = 1,
	REACH_REACH,
	REACH_NATTS = REACH_REACH,
};

#define HOME_LOCK 1
#define REACH_LOCK 2

/* ------------------------------------------------------------------- judged */

/* The key by which a hot route tells the age of rows: the outermost date; -1: there is none. */
int
router_hot_level(const RouterConfig *config)
{
	for (int i = 0; i < config->nkeys; i++)
		if (config->keys[i].kind == ROUTER_DATE)
			return i;
	return -1;
}

/* Where rows with these key values belong by their age. NULL is no age: such rows live in children. */
RouterZone
router_route_zone(const RouterRoute *route, const Datum *values, const bool *isnull)
{
	int64		value;

	if (route->hot_level < 0 || isnull[route->hot_level])
		return ROUTER_COLD;
	value = router_key_int(&route->config.keys[route->hot_level], values[route->hot_level]);
	return value >= route->pending ? ROUTER_HOT : value < route->watermark ? ROUTER_COLD : ROUTER_BETWEEN;
}

/* The instant before which rows are older than an age, in units of the key that tells it. The route's zone is set. */
int64
router_age_cutoff(const RouterConfig *config, const Interval *age)
{
	return router_key_from_now(&config->keys[router_hot_level(config)], age, -1);
}

/* The instant before which rows of a hot route are aged. */
int64
router_hot_cutoff(const RouterConfig *config)
{
	return router_age_cutoff(config, config->hot);
}

/* --------------------------------------------------------------------- read */

/* The marks of a base as a snapshot sees them, NULL: as of now. False: it has no hot route. */
bool
router_marks_read(Oid base, Snapshot snapshot, RouterMarks *marks)
{
	SysScanDesc scan = router_catalog_scan_at("route_def", "route_def_pkey", ROUTE_BASE, base, snapshot);
	HeapTuple	tup = router_catalog_next(scan);

	memset(marks, 0, sizeof(*marks));
	if (HeapTupleIsValid(tup))
	{
		marks->watermark = router_get_text(tup, ROUTE_WATERMARK, RelationGetDescr(scan->heap_rel));
		marks->pending = router_get_text(tup, ROUTE_PENDING, RelationGetDescr(scan->heap_rel));
	}
	router_catalog_end(scan);
	if (marks->watermark == NULL)
		return false;
	/* as a rule this table is empty */
	scan = router_catalog_scan_at("reach_def", "reach_def_pkey", REACH_BASE, base, snapshot);
	tup = router_catalog_next(scan);
	if (HeapTupleIsValid(tup))
		marks->reach = router_get_text(tup, REACH_REACH, RelationGetDescr(scan->heap_rel));
	router_catalog_end(scan);
	return true;
}

/* The marks as points of the key that tells the age. Settings are pinned. */
void
router_marks_parse(RouterKey *key, const RouterMarks *marks, int64 *watermark, int64 *pending, int64 *reach)
{
	*watermark = marks->watermark ? router_key_parse(key, marks->watermark) : 0;
	*pending = marks->pending ? router_key_parse(key, marks->pending) : *watermark;
	*reach = marks->reach ? Max(*watermark, router_key_parse(key, marks->reach)) : *watermark;
}

/* Who changed a route last: its settings, or the watermark, and moved rows with it. settled: is nobody about to? */
TransactionId
router_watermark_written_by(Oid base, bool *settled)
{
	return router_catalog_written_by("route_def", "route_def_pkey", ROUTE_BASE, base, settled);
}

/* The same of who gave children of a hot base current rows. */
TransactionId
router_reach_written_by(Oid base, bool *settled)
{
	return router_catalog_written_by("reach_def", "reach_def_pkey", REACH_BASE, base, settled);
}

/* ------------------------------------------------------------------- written */

/*
 * What stands for the marks of all routes in messages to other sessions: a view
 * that shows them, which no statement but those about it has in its relation
 * cache or depends on.
 */
Oid
router_marks_id(void)
{
	return router_catalog_relid("routes");
}

/* Marks were changed, if only for this transaction. */
void
router_marks_forewarn(void)
{
	router_catalog_forewarn(router_marks_id());
}

/*
 * Sets how far archiving is, and how far it is going: nowhere, if pending is not behind it. Plans go on
 * as they are, unless the watermark goes back.
 */
void
router_put_watermark(RouterRoute *route, int64 watermark, int64 pending)
{
	Oid			base = route->config.base;
	RouterKey	key = route->config.keys[route->hot_level];
	bool		back = watermark < route->watermark;
	int			guc_level = router_pin_settings(route->config.time_zone);
	char	   *texts[] = {
		router_key_text(&key, watermark),
		pending > watermark ? router_key_text(&key, pending) : NULL,
	};
	int			columns[] = {ROUTE_WATERMARK, ROUTE_PENDING};
	Datum		values[lengthof(columns)];
	bool		nulls[lengthof(columns)];
	SysScanDesc scan = router_catalog_scan_to_write("route_def", "route_def_pkey", ROUTE_BASE, base);
	TupleDesc	desc = RelationGetDescr(scan->heap_rel);
	HeapTuple	tup = router_catalog_next(scan);

	if (!HeapTupleIsValid(tup))
		elog(ERROR, "route of relation %u is gone", base);
	for (int i = 0; i < lengthof(columns); i++)
		router_put_text(texts[i], &values[i], &nulls[i]);
	tup = heap_modify_tuple_by_cols(tup, desc, lengthof(columns), columns, values, nulls);
	CatalogTupleUpdate(scan->heap_rel, &tup->t_self, tup);
	router_catalog_end_write(scan);
	AtEOXact_GUC(false, guc_level);
	router_marks_forewarn();
	CacheInvalidateRelcacheByRelid(back ? base : router_marks_id());
	CommandCounterIncrement();
}

/* Sets from where on children have no rows. */
static void
put_reach(Oid base, const char *reach)
{
	Datum		values[REACH_NATTS] = {ObjectIdGetDatum(base), CStringGetTextDatum(reach)};
	bool		nulls[REACH_NATTS] = {0};

	router_catalog_delete("reach_def", "reach_def_pkey", "base", base);
	router_catalog_insert("reach_def", values, nulls);
	router_marks_forewarn();
	router_catalog_invalidate(base);
}

/*
 * A child of a hot base is given rows by name, or comes with rows, which may lie
 * beyond the watermark. Queries for current rows have to read it until the
 * watermark has passed its bound. If there is something to note, takes a lock for that alone.
 */
void
router_raise_reach(const RouterRoute *route, const RouterBound *bound)
{
	Oid			base;
	RouterKey	key;
	RouterMarks marks;
	int64		watermark;
	int64		pending;
	int64		reach;
	int			guc_level;

	if (route == NULL || route->hot_level < 0 || bound->form != ROUTER_BOUND_RANGE || bound->hi < route->reach)
		return;
	base = route->config.base;
	key = route->config.keys[route->hot_level];
	guc_level = router_pin_settings(route->config.time_zone);
	LockDatabaseObject(RelationRelationId, base, REACH_LOCK, ExclusiveLock);
	if (router_marks_read(base, NULL, &marks))
	{
		router_marks_parse(&key, &marks, &watermark, &pending, &reach);
		if (bound->hi >= reach)
			put_reach(base, router_key_text(&key, bound->hi == PG_INT64_MAX ? bound->hi : bound->hi + 1));
	}
	AtEOXact_GUC(false, guc_level);
}

/* -------------------------------------------------------------------- locked */

/* The home lock. */
void
router_lock_homes(Oid base, LOCKMODE mode)
{
	LockDatabaseObject(RelationRelationId, base, HOME_LOCK, mode);
}
