/*
 * home.c
 *		Finds the home of a row, creates it when it is missing and may be, and
 *		keeps the children opened that one statement needs.
 *
 * Locking: a child is opened RowExclusive, and kept locked to the end of the
 * transaction as any table written to. After waiting for a lock the route is
 * looked at again: the child may have been dropped, or the row's home changed.
 * For the home lock of a hot base see watermark.c.
 * Memory: everything lives in es_query_cxt of the statement's EState.
 */
#include "compat.h"
#include "write/home.h"

#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_trigger.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "child/child_bounds.h"
#include "child/create.h"
#include "child/create_worker.h"
#include "write/defer.h"
#include "rows/mask.h"
#include "rows/moving.h"
#include "rows/passed.h"
#include "read/serializable.h"

/* up to so many opened homes are searched one by one */
#define FEW_HOMES 8

typedef struct OpenedHome
{
	Oid			child;			/* hash key */
	RouterDest *dest;
} OpenedHome;

/* Why no child is made for a row. */
typedef enum Refusal
{
	REFUSED_NOT,
	REFUSED_BOUNDS,				/* no step holds the value: manual ranges, infinity */
	REFUSED_HORIZON,
	REFUSED_COUNT,
	REFUSED_LENGTH,				/* of a value */
} Refusal;

void
router_homes_init(RouterHomes *homes, RouterCacheEntry *entry, Relation base, EState *estate, ResultRelInfo *root)
{
	memset(homes, 0, sizeof(*homes));
	homes->entry = entry;
	homes->base = RelationGetRelid(base);
	homes->source = RelationGetDescr(base);
	homes->estate = estate;
	homes->root = root;
}

/* The rows are those of a table of the route, and move as they are. */
void
router_homes_take(RouterHomes *homes, Relation from)
{
	homes->moved = true;
	homes->taken_from = from;
	homes->pending = router_may_be_pending(from);
}

/* -------------------------------------------------------------- guard rails */

static bool
beyond_horizon(RouterRoute *route, const RouterKey *key, Datum value)
{
	const Interval *horizon = &route->config.horizon;
	int64		number = router_key_int(key, value);

	if (number == PG_INT64_MIN || number == PG_INT64_MAX)
		return number >= key->pivot_value;
	return number > router_key_from_now(key, horizon, 1) ||
		(number < router_key_from_now(key, horizon, -1) && number >= key->pivot_value);
}

/* Is one of the dates that would name a new child beyond the horizon? */
bool
router_home_is_beyond_horizon(RouterRoute *route, const Datum *values, const bool *isnull, const RouterMiss *miss)
{
	for (int i = miss->level; i < route->config.nkeys; i++)
		if (route->config.keys[i].kind == ROUTER_DATE && !isnull[i] && route->config.keys[i].every &&
			beyond_horizon(route, &route->config.keys[i], values[i]))
			return true;
	return false;
}

/* Is a value too long to be a bound, at this level or further in? */
bool
router_home_is_too_long(RouterRoute *route, const Datum *values, const bool *isnull, int level)
{
	for (; level < route->config.nkeys; level++)
		if (!isnull[level] && !router_key_admits(&route->config.keys[level], values[level]))
			return true;
	return false;
}

static void
refuse_length(const RouterRoute *route)
{
	ereport(ERROR,
			(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
			 errmsg("row for routed table \"%s\" has a key that is too long",
						get_rel_name(router_original(route->config.base))),
			 errdetail("A value that a list key makes a child for has up to %d bytes of text.", ROUTER_MAX_VALUE_TEXT),
			 errhint("Route by router.by_hash or router.by_prefix, or have a default child take such rows, with on_reject.")));
}

static Refusal
check_rails(RouterHomes *homes, RouterRoute *route, const Datum *values, const bool *isnull, const RouterMiss *miss)
{
	RouterBound *bounds[ROUTER_MAX_LEVELS];

	/* a hot row may lie as far off as it likes; when it is archived it has to go somewhere */
	if (router_home_is_beyond_horizon(route, values, isnull, miss) &&
		(!homes->archiving || route->config.on_reject == ROUTER_POLICY_DEFAULT))
		return REFUSED_HORIZON;
	if (router_home_is_too_long(route, values, isnull, miss->level) &&
		(!homes->archiving || route->config.on_reject == ROUTER_POLICY_DEFAULT))
		return REFUSED_LENGTH;
	if (!router_child_bounds(route, values, isnull, miss, bounds))
		return REFUSED_BOUNDS;
	if (!homes->archiving && homes->created >= route->config.max_new_children)
		return REFUSED_COUNT;
	return REFUSED_NOT;
}

static void
refuse(RouterHomes *homes, RouterRoute *route, Refusal why, const Datum *values, const bool *isnull)
{
	const char *base = get_rel_name(router_original(homes->base));
	const char *row;

	if (why == REFUSED_LENGTH)
		refuse_length(route);
	row = homes->quiet ? NULL : router_row_display(route, values, isnull);
	if (why == REFUSED_HORIZON)
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_FIELD_OVERFLOW),
				 errmsg("row for routed table \"%s\" is beyond its horizon", base),
				 row ? errdetail("The row has %s; no child is made for a date so far from today.", row) : 0,
				 errhint("Correct the date, create the child with router.create_child, or change horizon or on_reject with router.alter_route.")));
	if (why == REFUSED_COUNT)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("statement needs more than %d new children of routed table \"%s\"",
						route->config.max_new_children, base),
				 row ? errdetail("The row in hand has %s.", row) : 0,
				 errhint("If that is meant, raise max_new_children with router.alter_route, or create the children beforehand.")));
	ereport(ERROR,
			(errcode(ERRCODE_CHECK_VIOLATION),
			 errmsg("no child of routed table \"%s\" for the row", base),
			 row ? errdetail("The row has %s.", row) : 0,
			 errhint("Create a child with router.create_child, or set on_missing or on_reject with router.alter_route."),
			 err_generic_string(PG_DIAG_TABLE_NAME, base)));
}

/* The key values of a row for which a child was made. */
typedef struct Made
{
	Datum		values[ROUTER_MAX_LEVELS];
	bool		isnull[ROUTER_MAX_LEVELS];
} Made;

/* See router_homes_note. */
static struct
{
	Oid			base;
	MemoryContext cxt;
	List	   *made;
	List	   *again;			/* oids of children that were made again */
}			notes;

/*
 * From now on children that statements make for the rows of a base are noted, for who undoes such statements and tries
 * a part of them again: router_homes_make_again. Until it is called with InvalidOid.
 */
void
router_homes_note(Oid base)
{
	notes.base = base;
	notes.cxt = CurrentMemoryContext;
	notes.made = notes.again = NIL;
}

static void
note_child(RouterHomes *homes, const Datum *values, const bool *isnull)
{
	MemoryContext old = MemoryContextSwitchTo(notes.cxt);
	RouterConfig *config = &router_cache_route(homes->entry)->config;
	Made	   *made = palloc0(sizeof(Made));

	for (int i = 0; i < config->nkeys; i++)
	{
		Form_pg_attribute att = TupleDescAttr(homes->source, config->keys[i].attnum - 1);

		made->isnull[i] = isnull[i];
		if (!isnull[i])
			made->values[i] = datumCopy(values[i], att->attbyval, att->attlen);
	}
	notes.made = lappend(notes.made, made);
	MemoryContextSwitchTo(old);
}

/* Makes the children that were noted, as far as they are not there. */
void
router_homes_make_again(void)
{
	RouterCacheEntry *entry = router_cache_entry(notes.base);
	ListCell   *lc;

	foreach(lc, notes.made)
	{
		Made	   *made = lfirst(lc);
		RouterRoute *route = router_cache_route(entry);
		RouterMiss	miss;

		if (route && !OidIsValid(router_route_find(route, made->values, made->isnull, &miss)))
		{
			Oid			child = router_child_create_home(entry, made->values, made->isnull);
			MemoryContext old = MemoryContextSwitchTo(notes.cxt);

			notes.again = lappend_oid(notes.again, child);
			MemoryContextSwitchTo(old);
		}
	}
	if (notes.made)
		CommandCounterIncrement();
	notes.made = NIL;
}

/* The children that were made again, since router_homes_note. */
List *
router_homes_made_again(void)
{
	return notes.again;
}

/* The child of a row that no child holds: a new one or the default one, or an error. InvalidOid: see create_none. */
static Oid
missing_home(RouterHomes *homes, RouterRoute *route, const Datum *values, const bool *isnull, const RouterMiss *miss)
{
	Refusal		why;
	Oid			child;

	if (route->config.on_missing != ROUTER_POLICY_CREATE || homes->waiting)
	{
		if ((route->config.on_missing == ROUTER_POLICY_DEFAULT || homes->waiting) && OidIsValid(route->default_child))
			return route->default_child;
		refuse(homes, route, REFUSED_BOUNDS, values, isnull);
	}
	why = check_rails(homes, route, values, isnull, miss);
	if (why == REFUSED_NOT && homes->create_none)
		return InvalidOid;
	if (why != REFUSED_NOT)
	{
		if (route->config.on_reject == ROUTER_POLICY_DEFAULT && OidIsValid(route->default_child))
			return route->default_child;
		refuse(homes, route, why, values, isnull);
	}
	child = homes->archiving ? InvalidOid : router_child_create_aside(homes->entry, values, isnull);
	if (!OidIsValid(child))
		child = router_child_create_home(homes->entry, values, isnull);
	if (OidIsValid(child))
	{
		homes->created++;
		if (notes.base == homes->base)
			note_child(homes, values, isnull);
		return child;
	}
	return router_cache_route(homes->entry)->default_child;
}

/* -------------------------------------------------------------------- homes */

static void
remember_in_hash(RouterHomes *homes, RouterDest *dest)
{
	Oid			child = RelationGetRelid(dest->rel);
	OpenedHome *opened = hash_search(homes->dests, &child, HASH_ENTER, NULL);

	opened->dest = dest;
}

/* A statement of few homes, such as that of one row, does without a hash table. */
static void
remember(RouterHomes *homes, RouterDest *dest)
{
	dest->next_opened = homes->first;
	homes->first = dest;
	homes->nopened++;
	if (homes->dests == NULL && homes->nopened > FEW_HOMES)
	{
		HASHCTL		ctl;

		memset(&ctl, 0, sizeof(ctl));
		ctl.keysize = sizeof(Oid);
		ctl.entrysize = sizeof(OpenedHome);
		ctl.hcxt = homes->estate->es_query_cxt;
		homes->dests = hash_create("router homes", 64, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
		for (RouterDest *each = homes->first; each; each = each->next_opened)
			remember_in_hash(homes, each);
	}
	else if (homes->dests)
		remember_in_hash(homes, dest);
}

static RouterDest *
recall(RouterHomes *homes, Oid child)
{
	OpenedHome *opened;

	if (homes->dests == NULL)
	{
		for (RouterDest *dest = homes->first; dest; dest = dest->next_opened)
			if (RelationGetRelid(dest->rel) == child)
				return dest;
		return NULL;
	}
	opened = hash_search(homes->dests, &child, HASH_FIND, NULL);
	return opened ? opened->dest : NULL;
}

/*
 * Do rows with these key values live in the base? *locked: does the statement
 * hold the home lock already; taken if need be. The route is another one afterwards.
 *
 * Errors: program_limit_exceeded (archiving could not take the row out again).
 */
bool
router_home_is_base(RouterCacheEntry *entry, Oid base, const Datum *values, const bool *isnull, bool *locked)
{
	RouterRoute *route = router_cache_route(entry);
	RouterZone	zone = route ? router_route_zone(route, values, isnull) : ROUTER_COLD;

	if (unlikely(zone == ROUTER_BETWEEN && !*locked))
	{
		router_lock_homes(base, ShareLock);
		*locked = true;
		route = router_cache_route(entry);
		zone = route ? router_route_zone(route, values, isnull) : ROUTER_COLD;
	}
	if (zone != ROUTER_COLD && router_home_is_too_long(route, values, isnull, 0) &&
		!(route->config.on_reject == ROUTER_POLICY_DEFAULT && OidIsValid(route->default_child)))
		refuse_length(route);
	return zone != ROUTER_COLD;
}

static Oid
find_home(RouterHomes *homes, const Datum *values, const bool *isnull)
{
	RouterRoute *route = router_cache_route(homes->entry);
	RouterMiss	miss;
	Oid			child;

	if (route && route->hot_level >= 0 && !homes->archiving)
	{
		if (router_home_is_base(homes->entry, homes->base, values, isnull, &homes->home_locked))
			return homes->base;
		route = router_cache_route(homes->entry);
	}
	if (unlikely(route == NULL))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the route of table %u was dropped during the statement", homes->base)));
	child = router_route_find(route, values, isnull, &miss);
	return OidIsValid(child) ? child : missing_home(homes, route, values, isnull, &miss);
}

/* Opens a child; NULL: look for the home again. */
static RouterDest *
open_home(RouterHomes *homes, Oid child, const Datum *values, const bool *isnull)
{
	Relation	rel = try_table_open(child, RowExclusiveLock);
	RouterDest *dest;

	if (rel == NULL)
	{
		/* dropped while this session made a child, when it heard of nothing else: see router_cache_add_child */
		if (router_cache_is_current(homes->entry) && router_catalog_child(child) == NULL)
			router_cache_forget(homes->entry);
		if (router_cache_is_current(homes->entry))
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_TABLE),
					 errmsg("a child of routed table \"%s\" is missing", get_rel_name(homes->base)),
					 errdetail("router.child_def names relation %u, which does not exist.", child)));
		return NULL;
	}
	if (!router_cache_is_current(homes->entry) && find_home(homes, values, isnull) != child)
	{
		table_close(rel, NoLock);
		return NULL;
	}
	if (child != homes->base)
		router_defer_child(homes->base, child);
	dest = router_dest_open(homes->estate, rel, homes->source, homes->root, homes->speculative);
	router_dest_prepare(dest, homes->moved ? NULL : homes->root->ri_TrigDesc, homes->mtstate);
	if (homes->taken_from)
		router_dest_take(dest, homes->taken_from, true, homes->pending);
	else if (dest->rri->ri_TrigDesc == NULL || !dest->rri->ri_TrigDesc->trig_insert_before_row)
		router_skip_check(dest->rri, homes->estate, NULL, true);
	if (homes->moved)
		router_mask_globalkey_triggers(dest->rri->ri_TrigDesc, TRIGGER_TYPE_INSERT, true);
	else
		router_globalkey_watch(&homes->keys, homes->estate, dest->rri);
	dest->keys = homes->keys;
	remember(homes, dest);
	router_serial_wrote(homes->base, child);
	if (homes->opened)
		homes->opened(homes, dest);
	return dest;
}

/*
 * The home of a row, opened. The slot has the base's layout.
 *
 * Errors: check_violation, datetime_field_overflow, program_limit_exceeded by
 * the route's policies, and whatever creating a child may raise.
 */
RouterDest *
router_home(RouterHomes *homes, TupleTableSlot *slot)
{
	RouterRoute *route = router_cache_route(homes->entry);
	Datum		values[ROUTER_MAX_LEVELS];
	bool		isnull[ROUTER_MAX_LEVELS];
	int			nkeys = route ? route->config.nkeys : 0;

	for (int i = 0; i < nkeys; i++)
		values[i] = slot_getattr(slot, route->config.keys[i].attnum, &isnull[i]);
	for (;;)
	{
		Oid			child = find_home(homes, values, isnull);
		RouterDest *dest;

		if (homes->create_none && !OidIsValid(child))
			return NULL;
		if (child == homes->last_child)
			return homes->last_dest;
		dest = recall(homes, child);
		if (dest == NULL)
			dest = open_home(homes, child, values, isnull);
		if (dest != NULL)
		{
			homes->last_child = child;
			homes->last_dest = dest;
			return dest;
		}
		CHECK_FOR_INTERRUPTS();
	}
}

/* Is the base the home of this row? Cheaper than router_home, which opens it. */
bool
router_row_is_hot(RouterHomes *homes, TupleTableSlot *slot)
{
	RouterRoute *route = router_cache_route(homes->entry);
	Datum		values[ROUTER_MAX_LEVELS];
	bool		isnull[ROUTER_MAX_LEVELS];

	if (route == NULL || route->hot_level < 0)
		return false;
	for (int i = 0; i < route->config.nkeys; i++)
		values[i] = slot_getattr(slot, route->config.keys[i].attnum, &isnull[i]);
	return router_home_is_base(homes->entry, homes->base, values, isnull, &homes->home_locked);
}

/* Closes what was opened; locks stay. */
void
router_homes_close(RouterHomes *homes)
{
	for (RouterDest *dest = homes->first; dest; dest = dest->next_opened)
		router_dest_close(dest);
	router_globalkey_close(&homes->keys);
	homes->first = NULL;
	homes->nopened = 0;
	homes->dests = NULL;
	homes->last_child = InvalidOid;
	homes->last_dest = NULL;
}
