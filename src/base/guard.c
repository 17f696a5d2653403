/*
 * guard.c
 *		Trigger functions, which everybody may attach to tables of his own, since
 *		triggers that router makes are checked for EXECUTE as their owner: what
 *		calls them?
 *
 * Nothing here takes locks or keeps memory.
 */
#include "compat.h"
#include "base/guard.h"

#include "catalog/pg_trigger.h"
#include "miscadmin.h"

/* What of a tgtype has led to an event. */
static int16
fired_type(TriggerEvent event)
{
	return (TRIGGER_FIRED_FOR_ROW(event) ? TRIGGER_TYPE_ROW : 0) |
		(TRIGGER_FIRED_BEFORE(event) ? TRIGGER_TYPE_BEFORE : 0) |
		(TRIGGER_FIRED_INSTEAD(event) ? TRIGGER_TYPE_INSTEAD : 0) |
		(TRIGGER_FIRED_BY_INSERT(event) ? TRIGGER_TYPE_INSERT :
		 TRIGGER_FIRED_BY_UPDATE(event) ? TRIGGER_TYPE_UPDATE :
		 TRIGGER_FIRED_BY_DELETE(event) ? TRIGGER_TYPE_DELETE : TRIGGER_TYPE_TRUNCATE);
}

static bool
is_fired_as(const TriggerData *trigdata, const RouterOwnTrigger *own)
{
	int16		type = fired_type(trigdata->tg_event);

	return (own->type & (TRIGGER_TYPE_LEVEL_MASK | TRIGGER_TYPE_TIMING_MASK | type)) == type &&
		strcmp(trigdata->tg_trigger->tgname, own->name) == 0;
}

/*
 * Refuses a call of a trigger function other than by a trigger as router makes them: under another name it would fire
 * besides the true one, and would not be told from triggers of users. Whether its
 * table has a route is up to the caller: a dump brings triggers first.
 */
TriggerData *
router_own_call(FunctionCallInfo fcinfo, const char *function, const RouterOwnTrigger *triggers, int n)
{
	TriggerData *trigdata = (TriggerData *) fcinfo->context;

	CHECK_FOR_INTERRUPTS();		/* core does not between triggers */
	if (CALLED_AS_TRIGGER(fcinfo) && !trigdata->tg_trigger->tgdeferrable)
		for (int i = 0; i < n; i++)
			if (is_fired_as(trigdata, &triggers[i]))
				return trigdata;
	ereport(ERROR,
			(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
			 errmsg("function \"router.%s\" is for triggers that router makes itself", function),
			 errhint("Make a table a routed table with router.create_route; let its triggers keep their names.")));
}
