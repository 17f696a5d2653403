/*
 * follow.c
 *		What is written to a table that gets another shape: first noted in a log, then
 *		written to the shadow in the writers' own transactions.
 *
 * By a trigger on the table, ENABLE ALWAYS, "!router_reshape", AFTER INSERT OR UPDATE OR
 * DELETE of each row, with two arguments: how, and with what.
 *		log, table		notes the row, old and new: its key, and the columns that tell its home
 *		step, shadow	brings the shadow to what the table has now
 * and "!router_reshape_truncate" for TRUNCATE, once the shadow is in step. Before that the table's new file tells of it.
 *
 * Nobody but us can set pg_class.relrewrite, which marks log and shadow with the oid
 * of their table: so nobody can direct writes elsewhere.
 *
 * Rights: the shadow is written to as its owner, who is that of the table. The log has no index, and no expression.
 * Locking: RowExclusiveLock on the log. Triggers are made under ShareRowExclusiveLock on the table, dropped under
 * AccessExclusiveLock.
 * Memory: that of the caller.
 */
#include "compat.h"
#include "reshape/follow.h"

#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/snapmgr.h"

#include "base/guard.h"
#include "base/owner.h"
#include "base/sql.h"
#include "reshape/shadow_rows.h"
#include "route/catalog.h"
#include "rows/keep_in_step.h"


PG_FUNCTION_INFO_V1(router_follow_reshape);

/* ------------------------------------------------------------------------ triggers */

static void
create_trigger(Oid table, const char *name, const char *when, const char *each, const char *how, Oid with)
{
	router_run("CREATE OR REPLACE TRIGGER %s %s ON %s FOR EACH %s EXECUTE FUNCTION router.follow_reshape('%s', '%u')",
			   quote_identifier(name), when, router_qualified_name(table), each, how, with);
	router_run("ALTER TABLE %s ENABLE ALWAYS TRIGGER %s", router_qualified_name(table), quote_identifier(name));
}

/* From the commit on, what is written to the table is noted. */
void
router_follow_log(const RouterReshapeDef *def)
{
	create_trigger(def->base, ROUTER_TRIGGER_RESHAPE, "AFTER INSERT OR UPDATE OR DELETE", "ROW", "log", def->log);
}

/* From the commit on, it is written to the shadow as well. */
void
router_follow_in_step(const RouterReshapeDef *def)
{
	create_trigger(def->base, ROUTER_TRIGGER_RESHAPE, "AFTER INSERT OR UPDATE OR DELETE", "ROW", "step", def->shadow);
	create_trigger(def->base, ROUTER_TRIGGER_RESHAPE_TRUNCATE, "BEFORE TRUNCATE", "STATEMENT", "step", def->shadow);
}

/* Neither. */
void
router_follow_end(Oid table)
{
	router_run("DROP TRIGGER IF EXISTS %s ON %s", quote_identifier(ROUTER_TRIGGER_RESHAPE), router_qualified_name(table));
	router_run("DROP TRIGGER IF EXISTS %s ON %s", quote_identifier(ROUTER_TRIGGER_RESHAPE_TRUNCATE),
			   router_qualified_name(table));
}

/* The log or shadow that a trigger names, if it is that for true; else InvalidOid. */
static Oid
argument(const Trigger *trigger, Relation table)
{
	Oid			other = trigger->tgnargs == 2 ? (Oid) strtoul(trigger->tgargs[1], NULL, 10) : InvalidOid;

	return OidIsValid(other) && router_step_marked(other, RelationGetRelid(table)) &&
		router_relation_owner(other) == table->rd_rel->relowner ? other : InvalidOid;
}

static bool
is_in_step(const Trigger *trigger)
{
	return strcmp(trigger->tgargs[0], "step") == 0;
}

/* Is what is written to the table noted, or written to the shadow, as the definition says? */
bool
router_follow_is_on(const RouterReshapeDef *def)
{
	Relation	rel = table_open(def->base, NoLock);
	bool		row = false;
	bool		truncate = !def->in_step;

	for (int i = 0; rel->trigdesc && i < rel->trigdesc->numtriggers; i++)
	{
		const Trigger *trigger = &rel->trigdesc->triggers[i];
		Oid			other = trigger->tgenabled == TRIGGER_FIRES_ALWAYS ? argument(trigger, rel) : InvalidOid;

		if (!OidIsValid(other) || other != (def->in_step ? def->shadow : def->log))
			continue;
		row |= strcmp(trigger->tgname, ROUTER_TRIGGER_RESHAPE) == 0;
		truncate |= strcmp(trigger->tgname, ROUTER_TRIGGER_RESHAPE_TRUNCATE) == 0;
	}
	table_close(rel, NoLock);
	return row && truncate;
}

/* The table is about to be truncated; so is its shadow. */
static void
truncate_shadow(Relation table, Oid shadow)
{
	RouterAsOwner saved;
	ListCell   *lc;

	router_become_owner(&saved, table->rd_rel->relowner, false, NULL);
	foreach(lc, router_catalog_children(shadow))
		router_run("TRUNCATE ONLY %s", router_qualified_name(((RouterChildDef *) lfirst(lc))->child));
	router_become_user(&saved);
}

/* --------------------------------------------------------------------- the log */

static void
note(Relation log, TupleTableSlot *row)
{
	table_tuple_insert(log, row, GetCurrentCommandId(true), 0, NULL);
}

/* Notes the old and the new version of a row, or one of them if the columns are the same. */
static void
write_log(Relation log, Relation table, TupleTableSlot *old, TupleTableSlot *new)
{
	TupleDesc	desc = RelationGetDescr(log);
	AttrNumber *attnums = router_log_map(log, table);
	TupleTableSlot *rows[2] = {NULL, NULL};
	TupleTableSlot *versions[2] = {old, new};
	bool		same = old && new;

	for (int v = 0; v < 2; v++)
	{
		if (versions[v] == NULL)
			continue;
		rows[v] = MakeSingleTupleTableSlot(desc, &TTSOpsVirtual);
		for (int i = 0; i < desc->natts; i++)
			rows[v]->tts_values[i] = slot_getattr(versions[v], attnums[i], &rows[v]->tts_isnull[i]);
		ExecStoreVirtualTuple(rows[v]);
	}
	for (int i = 0; same && i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		same = rows[0]->tts_isnull[i] == rows[1]->tts_isnull[i] &&
			(rows[0]->tts_isnull[i] ||
			 datum_image_eq(rows[0]->tts_values[i], rows[1]->tts_values[i], att->attbyval, att->attlen));
	}
	if (old && !same)
		note(log, rows[0]);
	if (new)
		note(log, rows[1]);
	for (int v = 0; v < 2; v++)
		if (rows[v])
			ExecDropSingleTupleTableSlot(rows[v]);
}

/* ---------------------------------------------------------------------- in step */

static void
say_where(void *arg)
{
	errcontext("while \"%s\" gets another shape", RelationGetRelationName((Relation) arg));
}

static void
follow(Relation table, Oid shadow, TupleTableSlot *old, TupleTableSlot *new)
{
	RouterAsOwner saved;
	RouterShadowRows *rows;

	router_become_owner(&saved, table->rd_rel->relowner, false, NULL);
	SPI_connect();
	PushActiveSnapshot(GetLatestSnapshot());
	rows = router_shadow_rows_open(table, shadow);
	if (old)
		router_shadow_rows_bring(rows, old, SnapshotSelf);
	if (new)
		router_shadow_rows_bring(rows, new, SnapshotSelf);
	router_shadow_rows_close(rows);
	PopActiveSnapshot();
	SPI_finish();
	router_become_user(&saved);
}

/* The trigger function. What an interrupted run has left, or a table that got another owner, is let alone. */
Datum
router_follow_reshape(PG_FUNCTION_ARGS)
{
	static const RouterOwnTrigger own[] = {
		{ROUTER_TRIGGER_RESHAPE, TRIGGER_TYPE_ROW | TRIGGER_TYPE_INSERT | TRIGGER_TYPE_UPDATE | TRIGGER_TYPE_DELETE},
		{ROUTER_TRIGGER_RESHAPE_TRUNCATE, TRIGGER_TYPE_BEFORE | TRIGGER_TYPE_TRUNCATE},
	};
	TriggerData *trigdata = router_own_call(fcinfo, "follow_reshape", own, lengthof(own));
	Relation	table = trigdata->tg_relation;
	ErrorContextCallback context = {.callback = say_where,.arg = table,.previous = error_context_stack};
	bool		insert = TRIGGER_FIRED_BY_INSERT(trigdata->tg_event);
	TupleTableSlot *old = insert ? NULL : trigdata->tg_trigslot;
	TupleTableSlot *new = insert ? trigdata->tg_trigslot :
		TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event) ? trigdata->tg_newslot : NULL;
	Oid			other = argument(trigdata->tg_trigger, table);

	if (!OidIsValid(other))
		return PointerGetDatum(NULL);
	error_context_stack = &context;
	if (TRIGGER_FIRED_BY_TRUNCATE(trigdata->tg_event))
		truncate_shadow(table, other);
	else if (is_in_step(trigdata->tg_trigger))
		follow(table, other, old, new);
	else
	{
		Relation	log = table_open(other, RowExclusiveLock);

		write_log(log, table, old, new);
		table_close(log, NoLock);
	}
	error_context_stack = context.previous;
	return PointerGetDatum(NULL);
}
