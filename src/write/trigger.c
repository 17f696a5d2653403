/*
 * trigger.c
 *		The SQL trigger functions of a base. They do the work for whatever
 *		insert.c does not handle: COPY, and statements that began before the
 *		library was loaded, MERGE, or logical replication.
 *
 * A base has these triggers for INSERT, all ENABLE ALWAYS, with names that sort
 * around those of users; for "~router_move" see update.c:
 *	"~router_route"		BEFORE ROW, the last one: COPY's rows go into batches;
 *						other statements are taken over (insert.c), the rows of
 *						logical replication's apply worker inserted here
 *	"~router_settle"	AFTER ROW: what the apply worker inserted into the base all
 *						the same, since a user's trigger comes after ours, goes home
 *						from there
 *	"!router_flush"		AFTER STATEMENT, the first one: ends COPY's batches
 */
#include "compat.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "utils/memutils.h"

#include "write/copy.h"
#include "base/guard.h"
#include "write/insert.h"
#include "mirror/mirror.h"
#include "rows/mask.h"
#include "write/row_writer.h"
#include "write/running_statement.h"

PG_FUNCTION_INFO_V1(router_route_row);
PG_FUNCTION_INFO_V1(router_settle_row);
PG_FUNCTION_INFO_V1(router_flush_rows);

static const RouterOwnTrigger route_trigger[] = {
	{ROUTER_TRIGGER_ROUTE, TRIGGER_TYPE_BEFORE | TRIGGER_TYPE_ROW | TRIGGER_TYPE_INSERT},
};
static const RouterOwnTrigger settle_trigger[] = {
	{ROUTER_TRIGGER_SETTLE, TRIGGER_TYPE_ROW | TRIGGER_TYPE_INSERT},
};
static const RouterOwnTrigger flush_trigger[] = {
	{ROUTER_TRIGGER_FLUSH, TRIGGER_TYPE_INSERT},
};

/*
 * Masks the AFTER INSERT ROW triggers of the base other than ours, in the copy that the running statement works with,
 * since a trigger before us may have made others: those of the child fire.
 */
static void
mask_after_triggers(TriggerData *trigdata)
{
	EState	   *estate = router_running_estate();
	ResultRelInfo *rri = estate ? router_running_target(estate, trigdata->tg_trigger) : NULL;

	if (rri == NULL)
		elog(ERROR, "could not find the statement that inserts into \"%s\"", RelationGetRelationName(trigdata->tg_relation));
	router_mask_after_insert(rri->ri_TrigDesc, false);
}

/*
 * Inserts the apply worker's row, if it is not hot. True: core shall not. The
 * writer is closed at once, after the triggers of the child: nobody tells us when the
 * worker is done with a row.
 */
static bool
insert_applied(TriggerData *trigdata)
{
	Oid			base = RelationGetRelid(trigdata->tg_relation);
	RouterRowWriter *writer = router_writer(NULL, base, false);
	RouterDest *dest = router_home(&writer->homes, trigdata->tg_trigslot);
	bool		hot = RelationGetRelid(dest->rel) == base;

	if (!hot)
		router_writer_insert(writer, dest, trigdata->tg_trigslot);
	router_writer_close(writer);
	return !hot;
}

/* BEFORE ROW: takes COPY's row, takes the statement over, inserts the row, or lets it pass into the base. */
Datum
router_route_row(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = router_own_call(fcinfo, "route_row", route_trigger, 1);
	RouterCacheEntry *entry;
	bool		done;

	if (router_copy_row(trigdata))
		return PointerGetDatum(NULL);
	entry = router_cache_entry(RelationGetRelid(trigdata->tg_relation));
	if (router_cache_route(entry) == NULL)
		return PointerGetDatum(trigdata->tg_trigtuple);	/* triggers restored, the route not yet */
	if (router_insert_late(trigdata, &done))
		return PointerGetDatum(done ? NULL : trigdata->tg_trigtuple);
	if (router_is_last_before_trigger(trigdata) && insert_applied(trigdata))
		return PointerGetDatum(NULL);
	mask_after_triggers(trigdata);
	return PointerGetDatum(trigdata->tg_trigtuple);
}

/* AFTER ROW: the row goes home, and is deleted from the base. */
Datum
router_settle_row(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = router_own_call(fcinfo, "settle_row", settle_trigger, 1);
	Oid			base = RelationGetRelid(trigdata->tg_relation);
	RouterRowWriter *writer;
	RouterDest *dest;

	if (router_cache_route(router_cache_entry(base)) == NULL)
		return PointerGetDatum(NULL);
	if (fcinfo->flinfo->fn_extra == NULL)
	{
		CommandCounterIncrement();	/* the row is to be deleted */
		fcinfo->flinfo->fn_extra = fcinfo->flinfo;
	}
	writer = router_writer(NULL, base, false);
	dest = router_home(&writer->homes, trigdata->tg_trigslot);
	if (RelationGetRelid(dest->rel) != base)
	{
		router_delete_row(trigdata->tg_relation, &trigdata->tg_trigtuple->t_self, writer->batch.cid);
		router_writer_insert(writer, dest, trigdata->tg_trigslot);
	}
	else	/* a hot row: its triggers were masked with those of all the others */
		ExecARInsertTriggers(writer->estate, dest->rri, trigdata->tg_trigslot, NIL, NULL);
	router_writer_close(writer);
	return PointerGetDatum(NULL);
}

/* AFTER STATEMENT: COPY is at its end. */
Datum
router_flush_rows(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = router_own_call(fcinfo, "flush_rows", flush_trigger, 1);
	RouterStatement *statement;

	router_copy_flush(trigdata->tg_relation);
	statement = router_statement_of_copy(RelationGetRelid(trigdata->tg_relation));
	if (statement)
		router_writers_end(statement);
	return PointerGetDatum(NULL);
}
