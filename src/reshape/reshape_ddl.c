/*
 * reshape_ddl.c
 *		What may not be done to a table while it gets another shape: event triggers.
 *
 * Columns and CHECKs of the table were copied to its shadow, and are compared before the swap. Indexes, foreign keys,
 * triggers, policies, grants and the like are given to the children in the end, as the table has them then.
 */
#include "compat.h"

#include "executor/spi.h"
#include "utils/lsyscache.h"

#include "base/guard.h"
#include "base/pin.h"
#include "base/sql.h"
#include "route/defs.h"

PG_FUNCTION_INFO_V1(router_on_reshape_ddl);

/* The table of reshape_def that a query of event trigger functions finds, or InvalidOid. */
static Oid
find(const char *query)
{
	int			guc_level = router_spi_begin();
	Oid			found = InvalidOid;
	bool		isnull;

	if (SPI_execute(query, true, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not look for tables that get another shape");
	if (SPI_processed > 0)
		found = DatumGetObjectId(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	router_spi_end(guc_level);
	return found;
}

/*
 * ddl_command_end of ALTER TABLE, and sql_drop.
 *
 * Errors: object_in_use (the table gets another shape).
 */
Datum
router_on_reshape_ddl(PG_FUNCTION_ARGS)
{
	const EventTriggerData *event = router_own_event(fcinfo, "ddl_command_end", "sql_drop");
	Oid			table;

	if (!router_catalog_exists())
		PG_RETURN_NULL();
	table = find(strcmp(event->event, "sql_drop") == 0 ?
				 "SELECT base FROM router.reshape_def WHERE base IN (SELECT objid FROM pg_event_trigger_dropped_objects()"
				 " WHERE classid = 'pg_class'::regclass AND objsubid = 0)" :
				 "SELECT base FROM router.reshape_def WHERE base IN (SELECT objid FROM pg_event_trigger_ddl_commands()"
				 " WHERE classid = 'pg_class'::regclass)");
	if (OidIsValid(table))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("table \"%s\" gets another shape", get_rel_name(table) ? get_rel_name(table) : psprintf("%u", table)),
				 errdetail("Its columns and constraints are those of the copies that are being made."),
				 errhint("Wait until that is done (router.progress), or CALL router.cancel_reshape.")));
	PG_RETURN_NULL();
}
