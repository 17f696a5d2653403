/*
 * waiting.c
 *		Rows that wait in the default child are found, and go to children of their own, one
 *		child at a time, under locks. While the table is used: reshape/spread.c.
 *
 * Locking: the creation locks and the default child, in the order of child/create.c.
 */
#include "compat.h"
#include "admin/waiting.h"

#include "access/table.h"
#include "access/tableam.h"
#include "miscadmin.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"

#include "base/sql.h"
#include "child/child_bounds.h"
#include "child/create.h"
#include "child/default_child.h"
#include "route/owned.h"
#include "route/stored.h"
#include "write/home.h"

/* A scan of a default child, which is locked. */
struct RouterWaiting
{
	RouterCacheEntry *entry;
	Relation	from;
	Relation	base;
	AttrMap    *map;
	Snapshot	snapshot;
	TableScanDesc scan;
	TupleTableSlot *slot;
};

RouterWaiting *
router_waiting_begin(RouterCacheEntry *entry)
{
	RouterRoute *route = router_route_locked(entry);
	RouterWaiting *waiting = palloc0(sizeof(RouterWaiting));

	waiting->entry = entry;
	waiting->from = table_open(route->default_child, NoLock);
	waiting->base = table_open(route->config.base, NoLock);
	waiting->map = router_attrmap_by_name(RelationGetDescr(waiting->from), RelationGetDescr(waiting->base));
	waiting->snapshot = RegisterSnapshot(GetLatestSnapshot());
	waiting->scan = table_beginscan(waiting->from, waiting->snapshot, 0, NULL);
	waiting->slot = table_slot_create(waiting->from, NULL);
	return waiting;
}

void
router_waiting_end(RouterWaiting *waiting)
{
	ExecDropSingleTupleTableSlot(waiting->slot);
	table_endscan(waiting->scan);
	UnregisterSnapshot(waiting->snapshot);
	table_close(waiting->base, NoLock);
	table_close(waiting->from, NoLock);
}

/*
 * The bounds of the child that the next row has (*child) or could have; false if there is no such row. known: not of
 * rows that one of these children would hold, or that have a child.
 */
bool
router_waiting_next(RouterWaiting *waiting, RouterRoute *known, RouterBound **bounds, Oid *child)
{
	RouterRoute *route = router_route_locked(waiting->entry);
	int			nkeys = route->config.nkeys;
	bool		found = false;

	while (!found && table_scan_getnextslot(waiting->scan, ForwardScanDirection, waiting->slot))
	{
		Datum		values[ROUTER_MAX_LEVELS];
		bool		isnull[ROUTER_MAX_LEVELS];
		RouterMiss	miss;

		CHECK_FOR_INTERRUPTS();
		for (int i = 0; i < nkeys; i++)
			values[i] = slot_getattr(waiting->slot, waiting->map->attnums[route->config.keys[i].attnum - 1],
									 &isnull[i]);
		if (router_route_zone(route, values, isnull) != ROUTER_COLD ||
			(known && OidIsValid(router_route_find(known, values, isnull, &miss))))
			continue;			/* a stray of a hot base: no child is its home */
		*child = router_route_find(route, values, isnull, &miss);
		if (OidIsValid(*child))
		{
			/* a stray: written into the default child by name */
			int			guc_level = router_pin_settings(route->config.time_zone);

			router_stored_bounds(route->config.keys, router_catalog_child(*child), bounds);
			AtEOXact_GUC(false, guc_level);
			found = known == NULL;
			continue;
		}
		found = !router_home_is_beyond_horizon(route, values, isnull, &miss) &&
			!router_home_is_too_long(route, values, isnull, miss.level) &&
			router_child_bounds(route, values, isnull, &miss, bounds);
		/* values of this row outlive it in the bounds */
		for (int i = 0; found && i < nkeys; i++)
			bounds[i] = router_bound_copy(&route->config.keys[i], bounds[i]);
	}
	return found;
}

static bool
next_waiting(RouterCacheEntry *entry, RouterBound **bounds, Oid *child)
{
	RouterWaiting *waiting = router_waiting_begin(entry);
	bool		found = router_waiting_next(waiting, NULL, bounds, child);

	router_waiting_end(waiting);
	return found;
}

static bool
takes_waiting(RouterCreation *creation)
{
	RouterBound *bounds[ROUTER_MAX_LEVELS];
	Oid			child;

	return get_rel_relkind(router_route_locked(creation->entry)->default_child) == RELKIND_RELATION &&
		next_waiting(creation->entry, bounds, &child);
}

void
router_refuse_no_default_child(Oid base)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("routed table \"%s\" has no default child", get_rel_name(base)),
			 errhint("There is nothing to redistribute.")));
}

/* Makes one child for rows that wait in the default child, and adds their number; false: none can be made. */
bool
router_redistribute_once(Oid base, bool dry_run, uint64 *rows)
{
	RouterCacheEntry *entry = router_owned_route(base);
	RouterCreation creation = {.entry = entry,.base = base,.takes_rows = dry_run ? NULL : takes_waiting};
	RouterRoute *route = router_lock_children(&creation);
	RouterBound *bounds[ROUTER_MAX_LEVELS];
	char	   *display;
	Oid			child;
	uint64		moved;

	if (!OidIsValid(route->default_child))
		router_refuse_no_default_child(base);
	if (get_rel_relkind(route->default_child) != RELKIND_RELATION || !next_waiting(entry, bounds, &child))
		return false;
	display = router_bounds_display(router_route_locked(entry), bounds);
	if (dry_run)
	{
		ereport(NOTICE, (errmsg("rows wait in the default child, the first for a child of %s", display)));
		return false;
	}
	if (OidIsValid(child))
		moved = router_child_fill(entry, child, bounds);
	else
		child = router_child_create(entry, bounds, NULL, &moved);
	*rows += moved;
	ereport(NOTICE, (errmsg("moved rows of %s to child %s", display, router_qualified_name(child))));
	return true;
}
