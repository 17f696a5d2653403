/*
 * cache.c
 *		The routes that this backend has met: read, kept, invalidated.
 *
 * An entry is made for every table that a statement inserts into, routed or
 * not, is never freed, and may be kept by pointer. Its route is rebuilt when
 * the relcache entry of the base was invalidated: pointers into a route are
 * good until the next lock is taken or catalog read. Callbacks only mark.
 */
#include "compat.h"
#include "route/cache.h"

#include "access/transam.h"
#include "access/xact.h"
#include "catalog/pg_inherits.h"
#include "utils/guc.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/memutils.h"

#include "route/build.h"
#include "route/defs.h"
#include "route/growth.h"

/* How well the marks of a hot route (watermark, pending, reach) are known, or the version of a route's children. */
typedef enum Marks
{
	MARKS_OLD,					/* to be read again */
	MARKS_UNSETTLED,			/* read, but others may be about to change them */
	MARKS_SETTLING,				/* being read: no message has come meanwhile */
	MARKS_SETTLED,
} Marks;

struct RouterCacheEntry
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
static Oid	marks_id = InvalidOid;	/* router_marks_id, once there is a route */
static Oid	growth_id = InvalidOid;	/* router_growth_id */
static Oid	last_settled = InvalidOid;	/* a base of which it is settled that its children have this version */
static uint64 last_version;

/* -------------------------------------------------------------- the entries */

static void
invalidate(Datum arg, Oid relid)
{
	RouterCacheEntry *entry;
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
	ctl.entrysize = sizeof(RouterCacheEntry);
	ctl.hcxt = CacheMemoryContext ? CacheMemoryContext : TopMemoryContext;
	entries = hash_create("router routes", 64, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	CacheRegisterRelcacheCallback(invalidate, (Datum) 0);
}

/* The entry of a table, to be kept as long as one likes. */
RouterCacheEntry *
router_cache_entry(Oid base)
{
	bool		found;
	RouterCacheEntry *entry = hash_search(entries, &base, HASH_ENTER, &found);

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
refresh_marks(RouterCacheEntry *entry)
{
	RouterMarks marks;
	int			guc_level;

	if (!router_marks_read(entry->base, NULL, &marks) || !entry->valid || entry->route == NULL)
		return;
	guc_level = router_pin_settings(entry->route->config.time_zone);
	router_route_set_marks(entry->route, &marks);
	AtEOXact_GUC(false, guc_level);
}

static void
rebuild(RouterCacheEntry *entry)
{
	RouterRoute *old = entry->route;
	RouterRoute *route = NULL;
	Oid			parent = InvalidOid;

	if (router_catalog_exists())
	{
		/* known first: messages that come while it reads are for what it reads */
		marks_id = router_marks_id();
		growth_id = router_growth_id();
		route = router_route_build(entry->base, &parent);
	}
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
router_cache_route(RouterCacheEntry *entry)
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
router_route_locked(RouterCacheEntry *entry)
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
router_cache_route_and_strays(RouterCacheEntry *entry)
{
	RouterRoute *route = router_cache_route(entry);
	List	   *heirs;
	List	   *strays = NIL;
	Bitmapset  *absent;
	MemoryContext old;
	ListCell   *lc;

	if (route == NULL || route->strays_known)
		return route;
	heirs = find_inheritance_children(entry->base, NoLock);
	absent = bms_add_range(NULL, 0, route->nmembers - 1);
	foreach(lc, heirs)
	{
		int			member = router_route_member(route, lfirst_oid(lc));

		if (member >= 0)
			absent = bms_del_member(absent, member);
		else if (lfirst_oid(lc) != route->default_child)
			strays = lappend_oid(strays, lfirst_oid(lc));
	}
	old = MemoryContextSwitchTo(route->cxt);
	list_free(route->strays);
	bms_free(route->absent);
	route->strays = list_copy(strays);
	route->absent = bms_is_empty(absent) ? NULL : bms_copy(absent);
	route->strays_known = strays == NIL;	/* nothing invalidates the base when they leave it */
	MemoryContextSwitchTo(old);
	return route;
}

/* The routed table that a table is, or is a child of, or InvalidOid. */
Oid
router_cache_base(Oid relid)
{
	RouterCacheEntry *entry = router_cache_entry(relid);

	return router_cache_route(entry) ? relid : entry->parent;
}

/* False: the next router_cache_route will read the catalog. */
bool
router_cache_is_current(const RouterCacheEntry *entry)
{
	return entry->valid;
}

/* The next router_cache_route shall read the catalog. */
void
router_cache_forget(RouterCacheEntry *entry)
{
	entry->valid = entry->current = false;
}

/* Makes certain that the marks are those of the catalog, unless somebody is about to change them. */
static void
settle_marks(RouterCacheEntry *entry)
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
router_cache_marks(RouterCacheEntry *entry, Snapshot snapshot, int64 *watermark, int64 *reach)
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
settle_growth(RouterCacheEntry *entry)
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
	RouterCacheEntry *entry;

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
router_cache_add_child(RouterCacheEntry *entry, uint64 generation, Oid child, RouterBound **bounds, uint64 version)
{
	RouterRoute *route = entry->route;
	MemoryContext old;

	if (route == NULL || route->generation != generation || route->fenced != NIL ||
		(route->nmembers > 0 && child < route->members[route->nmembers - 1]))
	{
		entry->valid = entry->current = false;
		return;
	}
	entry->valid = entry->current = false;	/* stays so on error */
	route->strays_known = false;
	route->version = version;
	old = MemoryContextSwitchTo(route->cxt);
	router_route_add(route, child, bounds);
	router_route_sort(route);
	MemoryContextSwitchTo(old);
	entry->valid = true;
	entry->current = route->hot_level < 0;	/* the marks are read again */
	entry->marks = entry->growth = MARKS_OLD;
}
