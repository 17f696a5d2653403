/*
 * ddl.c
 *		Event triggers: catalog and children follow what happens to bases.
 *
 * They run as whoever runs the DDL, so they read with a pinned search_path and
 * write through the catalog (route/catalog.h); children are changed as the owner of the base, by
 * sync.c. What they cannot allow they refuse, which undoes the DDL. At each event
 * what may not be comes first (ddl_guard.c, drop.c, type_ddl.c), then children follow
 * (follow.c, drop.c).
 *
 * Locking: the command holds its lock on the base; see there what is added.
 */
#include "compat.h"

#include "catalog/namespace.h"
#include "commands/event_trigger.h"
#include "utils/guc.h"

#include "route/defs.h"
#include "admin/drop.h"
#include "admin/type_ddl.h"
#include "admin/follow.h"
#include "admin/ddl_guard.h"
#include "child/create.h"
#include "admin/route_triggers.h"

PG_FUNCTION_INFO_V1(router_on_sql_drop);
PG_FUNCTION_INFO_V1(router_on_ddl_start);
PG_FUNCTION_INFO_V1(router_on_ddl_end);

/* The data of an event trigger, which is one for this event. */
static EventTriggerData *
event_data(FunctionCallInfo fcinfo, const char *name)
{
	if (!CALLED_AS_EVENT_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function must be called by an event trigger")));
	if (strcmp(((EventTriggerData *) fcinfo->context)->event, name) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_EVENT_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function must be called by an event trigger for %s", name)));
	return (EventTriggerData *) fcinfo->context;
}

/* Not for a child that router made; the extension itself going; a database without routes. */
static bool
concerns_routes(const EventTriggerData *event)
{
	return !router_child_is_told(event->parsetree) && router_catalog_exists() && router_catalog_any_base();
}

/*
 * Is this session restoring a dump? pg_dump's scripts and pg_restore set both of
 * these. Nothing is followed then: the dump brings what children have, and
 * would meet what we had made.
 */
static bool
is_restoring(void)
{
	return !check_function_bodies && namespace_search_path[0] == '\0';
}

static SPITupleTable *
select_all(const char *query)
{
	if (SPI_execute(query, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not execute: %s", query);
	return SPI_tuptable;
}

/* ddl_command_start of ALTER TABLE, DROP TABLE, GRANT and REVOKE */
Datum
router_on_ddl_start(PG_FUNCTION_ARGS)
{
	EventTriggerData *event = event_data(fcinfo, "ddl_command_start");

	if (!concerns_routes(event))
		PG_RETURN_NULL();
	router_guard_reshape(event->parsetree);
	router_type_ddl_start(event->parsetree);
	if (IsA(event->parsetree, AlterTableStmt))
		router_guard_alter_table(castNode(AlterTableStmt, event->parsetree));
	else if (IsA(event->parsetree, GrantStmt))
		router_guard_grant(castNode(GrantStmt, event->parsetree));
	else if (IsA(event->parsetree, DropStmt))
		router_drop_starts(castNode(DropStmt, event->parsetree));
	PG_RETURN_NULL();
}

/* ddl_command_end */
Datum
router_on_ddl_end(PG_FUNCTION_ARGS)
{
	EventTriggerData *event = event_data(fcinfo, "ddl_command_end");
	bool		restoring = is_restoring();
	SPITupleTable *found;
	List	   *follows = NIL;
	int			guc_level;

	if (IsA(event->parsetree, AlterTableStmt) && router_catalog_exists())
		router_keep_always((AlterTableStmt *) event->parsetree);
	if (!concerns_routes(event))
		PG_RETURN_NULL();
	router_guard_reshape(event->parsetree); /* it may have begun since the start */
	/* with the search_path that the command had */
	router_type_ddl_end(event->parsetree);
	if (IsA(event->parsetree, AlterTableStmt))
		router_follow_alter_table(&follows, castNode(AlterTableStmt, event->parsetree));
	guc_level = router_spi_begin();
	found = select_all("SELECT command FROM pg_catalog.pg_event_trigger_ddl_commands()");
	for (uint64 i = 0; i < found->numvals; i++)
	{
		bool		isnull;
		CollectedCommand *command = (CollectedCommand *)
			DatumGetPointer(SPI_getbinval(found->vals[i], found->tupdesc, 1, &isnull));

		router_check_command(event->parsetree, command);
		router_follow_command(&follows, event->parsetree, command);
	}
	if (!restoring)
		router_follow(follows);
	router_spi_end(guc_level);
	PG_RETURN_NULL();
}

/* sql_drop */
Datum
router_on_sql_drop(PG_FUNCTION_ARGS)
{
	EventTriggerData *event = event_data(fcinfo, "sql_drop");
	bool		restoring = is_restoring();
	int			guc_level;

	if (!concerns_routes(event))
		PG_RETURN_NULL();
	guc_level = router_spi_begin();
	/* names of triggers, policies and constraints stand last in the address */
	router_drop_ends(event->parsetree,
					 select_all("SELECT classid, objid, objsubid, coalesce(address_names[cardinality(address_names)], object_name)"
								"  FROM pg_catalog.pg_event_trigger_dropped_objects()"), restoring);
	router_spi_end(guc_level);
	PG_RETURN_NULL();
}
