/*
 * trigger.c
 *		The SQL trigger functions of a base. They do the work for whatever
 *		insert.c does not handle: COPY, and statements that began before the
 *		library was loaded, MERGE, or logical replication.
 *
 * A base has three triggers, all ENABLE ALWAYS, with names that sort around
 * those of users:
 *	"~router_route"		BEFORE ROW, the last one: COPY's rows go into batches;
 *						any other row goes into the base for the moment
 *	"~router_settle"	AFTER ROW: inserts such a row into its home and deletes
 *						it from the base, within the same statement
 *	"!router_flush"		AFTER STATEMENT, the first one: ends COPY's batches
 *
 * So that the second way has the same results as insert.c, the first row masks
 * the base's other AFTER ROW triggers, foreign keys included, in the
 * statement's private copy of the trigger descriptor: those of the child fire.
 */
#include "compat.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "utils/memutils.h"

#include "copy.h"
#include "home.h"
#include "mirror.h"

PG_FUNCTION_INFO_V1(router_route_row);
PG_FUNCTION_INFO_V1(router_settle_row);
PG_FUNCTION_INFO_V1(router_flush_rows);

static void
check_protocol(FunctionCallInfo fcinfo, const char *name, TriggerEvent when, bool row)
{
	TriggerData *trigdata = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_BY_INSERT(trigdata->tg_event) ||
		(trigdata->tg_event & TRIGGER_EVENT_TIMINGMASK) != when ||
		(TRIGGER_FIRED_FOR_ROW(trigdata->tg_event) != 0) != row)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"router.%s\" is for the triggers of routed tables", name),
				 errhint("Make a table a routed table with router.create_route.")));
}

/*
 * Masks the AFTER ROW INSERT triggers of the base other than ours, in the
 * descriptor that the statement works with. tg_trigger points into its array,
 * which has the order of the relcache's.
 */
static void
mask_after_triggers(TriggerData *trigdata)
{
	TriggerDesc *known = trigdata->tg_relation->trigdesc;
	Trigger    *array = NULL;

	for (int i = 0; i < known->numtriggers; i++)
		if (known->triggers[i].tgoid == trigdata->tg_trigger->tgoid)
			array = trigdata->tg_trigger - i;
	for (int i = 0; array && i < known->numtriggers; i++)
		if (array[i].tgoid == known->triggers[i].tgoid && !router_is_own_trigger(&array[i]) &&
			TRIGGER_TYPE_MATCHES(array[i].tgtype, TRIGGER_TYPE_ROW, TRIGGER_TYPE_AFTER, TRIGGER_TYPE_INSERT))
			array[i].tgtype &= ~TRIGGER_TYPE_INSERT;
}

/* BEFORE ROW: takes COPY's row, or lets the row pass into the base. */
Datum
router_route_row(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = (TriggerData *) fcinfo->context;
	RouterEntry *entry;

	check_protocol(fcinfo, "route_row", TRIGGER_EVENT_BEFORE, true);
	entry = router_cache_entry(RelationGetRelid(trigdata->tg_relation));
	if (router_cache_route(entry) == NULL)
		return PointerGetDatum(trigdata->tg_trigtuple);	/* triggers restored, the route not yet */
	if (router_copy_row(trigdata))
		return PointerGetDatum(NULL);
	if (fcinfo->flinfo->fn_extra == NULL)
	{
		mask_after_triggers(trigdata);
		fcinfo->flinfo->fn_extra = fcinfo->flinfo;	/* done for this statement */
	}
	return PointerGetDatum(trigdata->tg_trigtuple);
}

/* Inserts a row of the base into its home and deletes it from the base. *created counts new children. */
static void
settle(Relation base, TupleTableSlot *slot, ItemPointer tid, int *created)
{
	EState	   *estate = router_make_estate(base, NULL);
	RouterHomes homes;
	RouterBatch batch = {.estate = estate,.cid = InvalidCommandId};
	RouterDest *dest;

	router_homes_init(&homes, router_cache_entry(RelationGetRelid(base)), base, estate,
					  router_make_root(estate, base));
	homes.created = *created;
	dest = router_home(&homes, slot);
	router_delete_row(base, tid, GetCurrentCommandId(true));
	router_batch_add(&batch, dest, slot);
	router_batch_flush(&batch);
	*created = homes.created;
	router_homes_close(&homes);
	router_free_estate(estate);
}

/* AFTER ROW: the row goes home. */
Datum
router_settle_row(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = (TriggerData *) fcinfo->context;
	RouterEntry *entry;
	int		   *created;

	check_protocol(fcinfo, "settle_row", TRIGGER_EVENT_AFTER, true);
	entry = router_cache_entry(RelationGetRelid(trigdata->tg_relation));
	if (router_cache_route(entry) == NULL)
		return PointerGetDatum(NULL);
	created = fcinfo->flinfo->fn_extra;
	if (created == NULL)
	{
		created = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(int));
		fcinfo->flinfo->fn_extra = created;
		CommandCounterIncrement();	/* the statement's rows are to be deleted */
	}
	settle(trigdata->tg_relation, trigdata->tg_trigslot, &trigdata->tg_trigtuple->t_self, created);
	return PointerGetDatum(NULL);
}

/* AFTER STATEMENT: COPY is at its end. */
Datum
router_flush_rows(PG_FUNCTION_ARGS)
{
	check_protocol(fcinfo, "flush_rows", TRIGGER_EVENT_AFTER, false);
	router_copy_flush(((TriggerData *) fcinfo->context)->tg_relation);
	return PointerGetDatum(NULL);
}
