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
 * the base's other AFTER triggers, foreign keys included, in the statement's
 * private copy of the trigger descriptor: those of the child fire, and then the
 * base's statement triggers, which "!router_flush" queues again.
 */
#include "compat.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "utils/memutils.h"

#include "copy.h"
#include "insert.h"
#include "mirror.h"
#include "mover.h"
#include "statement.h"

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
 * The descriptor that the running statement works with, from one of its
 * triggers: tg_trigger points into its array, which has the relcache's order.
 */
static Trigger *
statement_triggers(TriggerData *trigdata)
{
	TriggerDesc *known = trigdata->tg_relation->trigdesc;

	for (int i = 0; i < known->numtriggers; i++)
		if (known->triggers[i].tgoid == trigdata->tg_trigger->tgoid)
			return trigdata->tg_trigger - i;
	elog(ERROR, "trigger %u is not one of its table", trigdata->tg_trigger->tgoid);
}

static bool
is_after_insert(const Trigger *trigger)
{
	return (trigger->tgtype & TRIGGER_TYPE_TIMING_MASK) == TRIGGER_TYPE_AFTER && TRIGGER_FOR_INSERT(trigger->tgtype);
}

/*
 * Masks the AFTER INSERT triggers of the base other than ours: those of rows
 * fire on the child, those of the statement are queued again behind them.
 */
static void
mask_after_triggers(TriggerData *trigdata)
{
	Trigger    *triggers = statement_triggers(trigdata);

	for (int i = 0; i < trigdata->tg_relation->trigdesc->numtriggers; i++)
		if (is_after_insert(&triggers[i]) && !router_is_own_trigger(&triggers[i]))
			triggers[i].tgtype &= ~TRIGGER_TYPE_INSERT;
}

/* Queues the AFTER STATEMENT triggers that mask_after_triggers took away. */
static void
queue_statement_triggers(TriggerData *trigdata)
{
	Relation	base = trigdata->tg_relation;
	Trigger    *masked = statement_triggers(trigdata);
	EState	   *estate = router_make_estate(base, NULL);
	ResultRelInfo *rri = router_make_root(estate, base);
	TriggerDesc *triggers = rri->ri_TrigDesc;

	for (int i = 0; i < triggers->numtriggers; i++)
		if (masked[i].tgtype == triggers->triggers[i].tgtype || router_is_own_trigger(&masked[i]))
			triggers->triggers[i].tgtype &= ~TRIGGER_TYPE_INSERT;
	router_recount_insert_triggers(triggers);
	if (triggers->trig_insert_after_statement)
		ExecASInsertTriggers(estate, rri, MakeTransitionCaptureState(triggers, RelationGetRelid(base), CMD_INSERT));
	router_free_estate(estate);
}

/* BEFORE ROW: takes COPY's row, takes the statement over, or lets the row pass into the base. */
Datum
router_route_row(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = (TriggerData *) fcinfo->context;
	RouterEntry *entry;

	check_protocol(fcinfo, "route_row", TRIGGER_EVENT_BEFORE, true);
	if (router_copy_row(trigdata))
		return PointerGetDatum(NULL);
	entry = router_cache_entry(RelationGetRelid(trigdata->tg_relation));
	if (router_cache_route(entry) == NULL)
		return PointerGetDatum(trigdata->tg_trigtuple);	/* triggers restored, the route not yet */
	if (router_insert_late(trigdata))
		return PointerGetDatum(NULL);
	if (fcinfo->flinfo->fn_extra == NULL)
	{
		mask_after_triggers(trigdata);
		fcinfo->flinfo->fn_extra = fcinfo->flinfo;	/* done for this statement */
	}
	return PointerGetDatum(trigdata->tg_trigtuple);
}

/* AFTER ROW: the row goes home, and is deleted from the base. */
Datum
router_settle_row(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = (TriggerData *) fcinfo->context;
	Oid			base = RelationGetRelid(trigdata->tg_relation);
	EState	   *statement;
	RouterMover *mover;
	RouterDest *dest;
	int		   *created;

	check_protocol(fcinfo, "settle_row", TRIGGER_EVENT_AFTER, true);
	if (router_cache_route(router_cache_entry(base)) == NULL)
		return PointerGetDatum(NULL);
	created = fcinfo->flinfo->fn_extra;
	if (created == NULL)
	{
		created = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(int));
		fcinfo->flinfo->fn_extra = created;
		CommandCounterIncrement();	/* the statement's rows are to be deleted */
	}
	statement = router_running_estate();
	if (statement && statement->es_plannedstmt == NULL)
		statement = NULL;		/* COPY, replication: nobody would close the mover */
	mover = router_mover(statement, base, false);
	mover->homes.created = *created;
	mover->batch.cid = InvalidCommandId;
	dest = router_home(&mover->homes, trigdata->tg_trigslot);
	router_delete_row(trigdata->tg_relation, &trigdata->tg_trigtuple->t_self, GetCurrentCommandId(true));
	router_mover_insert(mover, dest, trigdata->tg_trigslot);
	*created = mover->homes.created;
	if (statement == NULL)
		router_mover_close(mover);
	return PointerGetDatum(NULL);
}

/* AFTER STATEMENT: COPY is at its end, or rows were settled. */
Datum
router_flush_rows(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = (TriggerData *) fcinfo->context;

	check_protocol(fcinfo, "flush_rows", TRIGGER_EVENT_AFTER, false);
	router_copy_flush(trigdata->tg_relation);
	queue_statement_triggers(trigdata);
	return PointerGetDatum(NULL);
}
