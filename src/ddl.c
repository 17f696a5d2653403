/*
 * ddl.c
 *		Event triggers: the catalog follows what happens to bases and children.
 *
 * They run as whoever runs the DDL, so they read with a pinned search_path and
 * write through catalog.c. What they cannot allow they refuse, which undoes
 * the DDL.
 */
#include "compat.h"
#include "catalog.h"

#include "access/table.h"
#include "catalog/pg_inherits.h"
#include "commands/event_trigger.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"

#include "global.h"
#include "keep.h"

PG_FUNCTION_INFO_V1(router_on_sql_drop);
PG_FUNCTION_INFO_V1(router_on_ddl_end);

typedef void (*ObjectVisitor) (Oid relid, AttrNumber attnum);

/* Visits the relations, or their columns, that a set-returning function of event triggers names. */
static void
visit_objects(FunctionCallInfo fcinfo, const char *function, ObjectVisitor visit)
{
	int			guc_level;
	uint64		n;
	SPITupleTable *found;

	if (!CALLED_AS_EVENT_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function must be called by an event trigger")));
	if (!router_catalog_exists())
		return;					/* the extension itself is going */
	guc_level = router_pin_settings(NULL);
	SPI_connect();
	if (SPI_execute(psprintf("SELECT objid, objsubid FROM pg_catalog.%s() WHERE classid = 1259", function),
					true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read %s", function);
	found = SPI_tuptable;
	n = SPI_processed;
	for (uint64 i = 0; i < n; i++)
	{
		bool		isnull;

		visit(DatumGetObjectId(SPI_getbinval(found->vals[i], found->tupdesc, 1, &isnull)),
			  DatumGetInt32(SPI_getbinval(found->vals[i], found->tupdesc, 2, &isnull)));
	}
	SPI_finish();
	AtEOXact_GUC(false, guc_level);
}

/* A base or child is gone, or a column: which must not be a key. */
static void
forget_dropped(Oid relid, AttrNumber attnum)
{
	RouterConfig *route = router_catalog_route(relid);

	router_global_dropped(relid, attnum);
	if (attnum == 0)
		router_catalog_remove_child(relid);
	if (route == NULL)
		return;
	if (attnum != 0)
	{
		for (int i = 0; i < route->nkeys; i++)
			if (route->keys[i].attnum == attnum)
				ereport(ERROR,
						(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
						 errmsg("cannot drop column \"%s\" of routed table \"%s\": it is a key",
								route->keys[i].column, get_rel_name(relid)),
						 errhint("End the routing first, with router.drop_route.")));
		return;
	}
	router_catalog_remove_all(relid);
}

/* Keys follow a renamed column, and must still fit its type. */
static void
check_altered_base(Oid relid, RouterConfig *route)
{
	Relation	rel = table_open(relid, AccessShareLock);

	for (int i = 0; i < route->nkeys; i++)
	{
		char	   *column = get_attname(relid, route->keys[i].attnum, true);

		if (column)
		{
			router_catalog_rename_key(relid, route->keys[i].attnum, column);
			route->keys[i].column = column;
		}
		router_key_resolve(&route->keys[i], rel, route->time_zone);
	}
	table_close(rel, AccessShareLock);
}

static void
follow_altered(Oid relid, AttrNumber attnum)
{
	RouterChildDef *child = router_catalog_child(relid);
	RouterConfig *route = router_catalog_route(relid);

	if (child && !list_member_oid(find_inheritance_children(child->base, NoLock), relid))
	{
		router_keys_detach(child->base, relid);
		router_catalog_remove_child(relid);
	}
	if (route)
	{
		check_altered_base(relid, route);
		router_global_altered(relid);
	}
}

/* sql_drop */
Datum
router_on_sql_drop(PG_FUNCTION_ARGS)
{
	visit_objects(fcinfo, "pg_event_trigger_dropped_objects", forget_dropped);
	PG_RETURN_NULL();
}

/* ddl_command_end of ALTER TABLE */
Datum
router_on_ddl_end(PG_FUNCTION_ARGS)
{
	visit_objects(fcinfo, "pg_event_trigger_ddl_commands", follow_altered);
	PG_RETURN_NULL();
}
