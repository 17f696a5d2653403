/*
 * restore.c
 *		The ways back: router.restore brings archived rows back into a hot base
 *		and sets its watermark back; router.end_hot ends the hot window.
 *
 * Elsewhere the watermark only moves forward. Here it moves back in one
 * transaction with the rows, and nobody else can write meanwhile:
 *	- restore: ExclusiveLock on the base and on every child that has, or could
 *	  get, a row from the new watermark on. Who updates a row of yet another
 *	  child waits for one of these, and looks for the row's home again. Readers
 *	  go on: base and children are in every plan, so that each row is seen once.
 *	- end_hot: AccessExclusiveLock on the base, since rows go to children that
 *	  a plan made before does not know; then the creation lock, which is not
 *	  waited for meanwhile.
 */
#include "compat.h"
#include "admin/child_admin.h"

#include "catalog/pg_extension.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"

#include "route/owned.h"
#include "read/serializable.h"
#include "admin/rehome.h"
#include "base/sql.h"
#include "admin/sync.h"

PG_FUNCTION_INFO_V1(router_restore);
PG_FUNCTION_INFO_V1(router_end_hot);

/* -------------------------------------------------------------------- restore */

/* What a child holds of the hot key. Settings are pinned. */
static RouterBound *
hot_bound(RouterRoute *route, const RouterChildDef *def)
{
	return router_bound_parse(&route->config.keys[route->hot_level], def->bounds[route->hot_level]);
}

/* The point where a child begins; an error if it has none. */
static int64
beginning(RouterRoute *route, Oid child)
{
	int			guc_level = router_pin_settings(route->config.time_zone);
	RouterBound *bound = hot_bound(route, router_known_child(child, route->config.base));

	AtEOXact_GUC(false, guc_level);
	if (bound->form != ROUTER_BOUND_RANGE)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("cannot restore \"%s\"", get_rel_name(child)),
				 errdetail("It holds no range of dates, so that no watermark could stand before it."),
				 errhint("Restore a child that was archived; see router.children.")));
	return bound->lo;
}

/* The children, by oid, that may have rows from a point on; each is locked in this mode. */
static List *
children_from(RouterCacheEntry *entry, Oid base, int64 from)
{
	List	   *found = NIL;
	ListCell   *lc;

	foreach(lc, router_children_by_oid(base))
	{
		Oid			child = lfirst_oid(lc);
		RouterRoute *route = router_route_locked(entry);
		int			guc_level = router_pin_settings(route->config.time_zone);
		RouterChildDef *def = router_catalog_child(child);
		RouterBound *bound = def ? hot_bound(route, def) : NULL;
		bool		touched = bound && (bound->form == ROUTER_BOUND_DEFAULT ||
									(bound->form == ROUTER_BOUND_RANGE && bound->hi >= from));

		AtEOXact_GUC(false, guc_level);
		if (touched)
			found = lappend_oid(found, child);
	}
	return found;
}

typedef struct Restoring
{
	RouterCacheEntry *entry;
	Oid			base;
	Oid			child;
	LOCKMODE	mode;
} Restoring;

static List *
find_for_restore(void *arg, bool locked)
{
	Restoring  *restoring = arg;
	RouterRoute *route = router_route_locked(restoring->entry);
	List	   *locks = router_lock_add(NIL, restoring->base, restoring->mode);
	int64		from;
	ListCell   *lc;

	if (!locked || route->hot_level < 0)
		return locks;
	(void) router_known_child(restoring->child, restoring->base);	/* who was waited for may have dropped it */
	from = beginning(route, restoring->child);
	if (from < router_route_locked(restoring->entry)->watermark)
		foreach(lc, children_from(restoring->entry, restoring->base, from))
			locks = router_lock_add(locks, lfirst_oid(lc), restoring->mode);
	return locks;
}

static void
refuse_foreign(Oid child)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("cannot bring back the rows of foreign child \"%s\"", get_rel_name(child)),
			 errhint("Detach it with router.detach_child, and insert its rows again.")));
}

/* Those of the children that have rows from a point on. */
static List *
with_rows_from(RouterCacheEntry *entry, List *children, int64 from)
{
	List	   *found = NIL;
	ListCell   *lc;

	foreach(lc, children)
	{
		RouterRoute *route = router_route_locked(entry);
		RouterKey	key = route->config.keys[route->hot_level];

		if (get_rel_relkind(lfirst_oid(lc)) != RELKIND_RELATION)
			refuse_foreign(lfirst_oid(lc));
		key.column = pstrdup(key.column);
		if (router_reaches(lfirst_oid(lc), &key, from))
			found = lappend_oid(found, lfirst_oid(lc));
	}
	return found;
}

static void
refuse_younger(Oid child, List *others)
{
	StringInfoData names;
	ListCell   *lc;

	initStringInfo(&names);
	foreach(lc, others)
		if (lfirst_oid(lc) != child)
			appendStringInfo(&names, "%s%s", names.len > 0 ? ", " : "", router_qualified_name(lfirst_oid(lc)));
	if (names.len > 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("cannot restore \"%s\" alone", get_rel_name(child)),
				 errdetail("Rows as young or younger live in %s.", names.data),
				 errhint("Restore the youngest first, or say younger => true to bring them back as well.")));
}

static void
bring_back(RouterReport *report, RouterCacheEntry *entry, Oid base, List *children)
{
	ListCell   *lc;

	foreach(lc, children)
	{
		RouterRehome rehome = {.entry = entry,.from = lfirst_oid(lc),.create_none = true};

		if (report->dry_run)
		{
			router_report(report, "move the rows of %s back into %s", router_qualified_name(lfirst_oid(lc)),
						  router_qualified_name(base));
			continue;
		}
		router_rehome(&rehome);
		if (rehome.missing)
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("a row of \"%s\" belongs to a child that does not exist", get_rel_name(lfirst_oid(lc))),
					 errhint("See router.check.")));
		router_report(report, "moved " UINT64_FORMAT " rows of %s back into %s", rehome.moved,
					  router_qualified_name(lfirst_oid(lc)), router_qualified_name(base));
	}
}

/*
 * router.restore(child, younger, dry_run).
 *
 * Errors: object_not_in_prerequisite_state (no child of a hot base, younger
 * rows), feature_not_supported (a foreign child), unique_violation.
 */
Datum
router_restore(PG_FUNCTION_ARGS)
{
	RouterReport report;
	RouterChildDef *def;
	RouterCacheEntry *entry;
	RouterRoute *route;
	Oid			child;
	int64		from;
	List	   *children;
	int			guc_level;
	Restoring	restoring;

	router_report_begin(&report, fcinfo, 1, 2);
	child = PG_GETARG_OID(0);
	def = router_known_child(child, InvalidOid);
	entry = router_owned_route(def->base);
	restoring.entry = entry;
	restoring.base = def->base;
	restoring.child = child;
	restoring.mode = report.dry_run ? AccessShareLock : ExclusiveLock;
	router_lock_all(find_for_restore, &restoring);
	from = beginning(router_hot_route(router_owned_route(def->base)), child);
	route = router_route_locked(entry);
	if (from >= route->watermark)
		return (Datum) 0;		/* its rows are current */
	children = with_rows_from(entry, children_from(entry, def->base, from), from);
	if (!router_arg_bool(fcinfo, 1))
		refuse_younger(child, children);
	route = router_route_locked(entry);
	guc_level = router_pin_settings(route->config.time_zone);
	router_report(&report, "set the watermark of %s back to %s", router_qualified_name(def->base),
				  router_key_text(&route->config.keys[route->hot_level], from));
	AtEOXact_GUC(false, guc_level);
	/* what a run of archive has announced stays so: it may be going on */
	if (!report.dry_run)
		router_put_watermark(route, from, route->pending > route->watermark ? route->pending : from);
	bring_back(&report, entry, def->base, children);
	if (!report.dry_run)
		router_serial_mark(def->base);
	return (Datum) 0;
}

/* -------------------------------------------------------------------- end_hot */

/*
 * router.end_hot(base, dry_run).
 *
 * Errors: as an INSERT of the rows of the base by the policies of the route
 * (check_violation), and whatever creating a child may raise.
 */
Datum
router_end_hot(PG_FUNCTION_ARGS)
{
	RouterReport report;
	RouterCacheEntry *entry;
	RouterConfig *config;
	RouterRehome rehome = {.archiving = true};
	Oid			base;

	router_report_begin(&report, fcinfo, 1, 1);
	base = PG_GETARG_OID(0);
	entry = router_owned_route(base);
	if (!report.dry_run)
		router_lock_these(router_lock_add(router_lock_add_creation(NIL, base), base, AccessExclusiveLock));
	if (router_cache_route(router_owned_route(base))->hot_level < 0)
		return (Datum) 0;
	router_report(&report, "end the hot window of %s", router_qualified_name(base));
	router_report(&report, "move the rows of %s into children", router_qualified_name(base));
	if (report.dry_run)
		return (Datum) 0;
	config = router_catalog_route(base);
	config->hot = NULL;
	config->watermark = NULL;
	router_catalog_put_route(config);
	rehome.entry = entry;
	rehome.from = base;
	router_rehome(&rehome);
	router_report(&report, "moved " UINT64_FORMAT " rows", rehome.moved);
	return (Datum) 0;
}
