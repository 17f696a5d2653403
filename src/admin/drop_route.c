/*
 * drop_route.c
 *		router.drop_route: a routed table becomes an ordinary table again.
 *
 * Locking: the creation lock, and AccessExclusiveLock on the base, to drop
 * triggers, which holds up readers too; on its children as well if their rows go back.
 */
#include "compat.h"

#include "access/table.h"
#include "miscadmin.h"
#include "utils/lsyscache.h"

#include "base/sql.h"
#include "route/owned.h"
#include "rows/keep_in_step.h"
#include "rows/moving.h"
#include "admin/child_admin.h"
#include "admin/route_triggers.h"
#include "child/default_child.h"

PG_FUNCTION_INFO_V1(router_drop_route);

typedef struct Dropping
{
	Oid			base;
	bool		move_rows;
} Dropping;

/* Takes the rows of all children back into the base, and drops the children. */
static void
take_back(RouterReport *report, Oid relid)
{
	ListCell   *lc;

	foreach(lc, router_catalog_children(relid))
	{
		Oid			child = ((RouterChildDef *) lfirst(lc))->child;
		Relation	base,
					from;
		uint64		moved;

		if (get_rel_relkind(child) != RELKIND_RELATION)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("cannot take back the rows of foreign child \"%s\"", get_rel_name(child)),
					 errhint("Detach it first, with router.detach_child.")));
		router_report(report, "move the rows of %s back, and drop it", router_qualified_name(child));
		if (report->dry_run)
			continue;
		router_refuse_pending(child, "take back the rows of");
		base = table_open(relid, NoLock);
		from = table_open(child, NoLock);
		moved = router_move_rows(NULL, NULL, from, base, true);
		table_close(from, NoLock);
		table_close(base, NoLock);
		router_report(report, "moved " UINT64_FORMAT " rows", moved);
		router_drop_table(child);
	}
}

/* Do the rows go to the base? */
static bool
read_rows(const char *rows)
{
	if (rows == NULL || strcmp(rows, "keep") == 0)
		return false;
	if (strcmp(rows, "base") != 0)
		router_bad_value("rows", rows, "'keep' leaves the rows in the children, 'base' moves them into the base and drops the children.");
	return true;
}

static List *
find_for_drop(void *arg, bool locked)
{
	Dropping   *dropping = arg;
	List	   *creation = router_lock_add_creation(NIL, dropping->base);

	if (!dropping->move_rows)
		return router_lock_add(creation, dropping->base, AccessExclusiveLock);
	return list_concat(creation, router_lock_family(dropping->base, AccessExclusiveLock));
}

/*
 * router.drop_route(base, rows, dry_run): takes AccessExclusiveLock on the
 * base and its children. The route is not read: it may be that it cannot be.
 */
Datum
router_drop_route(PG_FUNCTION_ARGS)
{
	RouterReport report;
	RouterAsOwner saved;
	Oid			relid;
	bool		move_rows;
	Dropping	dropping;

	router_report_begin(&report, fcinfo, 1, 2);
	move_rows = read_rows(router_arg_text(fcinfo, 1));
	relid = PG_GETARG_OID(0);
	router_check_owned_base(relid);
	dropping.base = relid;
	dropping.move_rows = move_rows;
	if (report.dry_run)
		router_lock_creation(relid);
	else
		router_lock_all(find_for_drop, &dropping);
	router_check_owned_base(relid);	/* it may have gone while we waited */
	router_refuse_followed(relid);
	if (router_catalog_global_keys(relid) != NIL)
		ereport(ERROR,
				(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
				 errmsg("cannot end the routing of \"%s\": it has a global key", get_rel_name(relid)),
				 errhint("Drop the global key first, with router.drop_global_key.")));
	router_report(&report, move_rows ? "end the routing of %s, which has %d children" :
				  "end the routing of %s, whose %d children stay", router_qualified_name(relid),
				  list_length(router_catalog_children(relid)));
	if (report.dry_run)
	{
		if (move_rows)
			take_back(&report, relid);
		return (Datum) 0;
	}
	router_become_owner(&saved, GetUserId(), true, router_catalog_route(relid)->time_zone);
	router_drop_triggers(relid);
	if (move_rows)
		take_back(&report, relid);
	router_catalog_remove_all(relid);
	router_become_user(&saved);
	return (Datum) 0;
}
