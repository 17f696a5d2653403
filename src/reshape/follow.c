/*
 * follow.c
 *		What is written to a table that gets another shape: first noted in a log, then
 *		written to the shadow in the writers' own transactions.
 *
 * By a trigger on each source, ENABLE ALWAYS, "!router_reshape", AFTER INSERT OR UPDATE OR
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
#include "utils/lsyscache.h"
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

/* From the commit on, what is written to the sources is noted. */
void
router_follow_log(const RouterReshapeDef *def)
{
	for (int i = 0; i < def->nsources; i++)
		create_trigger(def->sources[i], ROUTER_TRIGGER_RESHAPE, "AFTER INSERT OR UPDATE OR DELETE", "ROW", "log", def->log);
}

/* From the commit on, it is written to the shadow as well. */
void
router_follow_in_step(const RouterReshapeDef *def)
{
	for (int i = 0; i < def->nsources; i++)
	{
		create_trigger(def->sources[i], ROUTER_TRIGGER_RESHAPE, "AFTER INSERT OR UPDATE OR DELETE", "ROW", "step", def->shadow);
		create_trigger(def->sources[i], ROUTER_TRIGGER_RESHAPE_TRUNCATE, "BEFORE TRUNCATE", "STATEMENT", "step", def->shadow);
	}
}

/* Neither. */
void
router_follow_end(const RouterReshapeDef *def)
{
	static const char *const names[] = {ROUTER_TRIGGER_RESHAPE, ROUTER_TRIGGER_RESHAPE_TRUNCATE};

	for (int i = 0; i < def->nsources; i++)
		for (int j = 0; j < lengthof(names); j++)
			if (get_rel_name(def->sources[i]))
				router_run("DROP TRIGGER IF EXISTS %s ON %s", quote_identifier(names[j]),
						   router_qualified_name(def->sources[i]));
}

static bool
is_child(Oid relid, Oid base)
{
	RouterChildDef *def = router_catalog_child(relid);

	return def && def->base == base;
}

/* The log or shadow that a trigger names, if it is that for true; else InvalidOid. */
static Oid
argument(const Trigger *trigger, Relation table)
{
	Oid			other = trigger->tgnargs == 2 ? (Oid) strtoul(trigger->tgargs[1], NULL, 10) : InvalidOid;
	Oid			relid = RelationGetRelid(table);

	return OidIsValid(other) && get_rel_name(other) &&
		(router_step_marked(other, relid) || is_child(relid, router_original(other))) &&
		router_relation_owner(other) == table->rd_rel->relowner ? other : InvalidOid;
}

static bool
is_in_step(const Trigger *trigger)
{
	return strcmp(trigger->tgargs[0], "step") == 0;
}

/* Is what is written to a source noted, or written to the shadow, as the definition says? */
bool
router_follow_is_on(const RouterReshapeDef *def, Oid source)
{
	Relation	rel = table_open(source, NoLock);
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

/* A source is about to be truncated; what the shadow has of it goes. */
static void
truncate_shadow(Relation table, const RouterReshapeDef *def)
{
	RouterAsOwner saved;
	char	   *condition = NULL;
	ListCell   *lc;

	router_become_owner(&saved, table->rd_rel->relowner, false, NULL);
	SPI_connect();
	if (def->nsources > 1)
		condition = router_ask("SELECT pg_get_expr(conbin, conrelid) FROM pg_constraint WHERE conrelid = %u AND conname = '%s'",
							   RelationGetRelid(table), ROUTER_CHECK_NAME);
	if (def->nsources > 1 && condition == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("child \"%s\" has no CHECK that tells its rows", RelationGetRelationName(table)),
				 errhint("CALL router.cancel_reshape(…) first.")));
	foreach(lc, router_catalog_children(def->shadow))
	{
		char	   *child = router_qualified_name(((RouterChildDef *) lfirst(lc))->child);

		if (condition)
			router_execute_at(psprintf("DELETE FROM ONLY %s WHERE %s", child, condition), InvalidSnapshot, SPI_OK_DELETE);
		else
			router_run("TRUNCATE ONLY %s", child);
	}
	SPI_finish();
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
follow(Relation table, const RouterReshapeDef *def, TupleTableSlot *old, TupleTableSlot *new)
{
	RouterAsOwner saved;
	RouterShadowRows *rows;

	router_become_owner(&saved, table->rd_rel->relowner, false, NULL);
	SPI_connect();
	PushActiveSnapshot(GetLatestSnapshot());
	rows = router_shadow_rows_open(def);
	if (old)
		router_shadow_rows_bring(rows, table, old, SnapshotSelf);
	if (new)
		router_shadow_rows_bring(rows, table, new, SnapshotSelf);
	router_shadow_rows_close(rows);
	PopActiveSnapshot();
	SPI_finish();
	router_become_user(&saved);
}

/*
 * Does what one event of a table asks for; no slots: TRUNCATE. What an interrupted run has left, or a table that got
 * another owner, is let alone.
 */
static void
act(const Trigger *trigger, Relation table, TupleTableSlot *old, TupleTableSlot *new)
{
	ErrorContextCallback context = {.callback = say_where,.arg = table,.previous = error_context_stack};
	Oid			other = argument(trigger, table);
	RouterReshapeDef *def = OidIsValid(other) ? router_catalog_reshape(router_original(other)) : NULL;

	if (def == NULL)
		return;
	error_context_stack = &context;
	if (old == NULL && new == NULL)
		truncate_shadow(table, def);
	else if (is_in_step(trigger))
		follow(table, def, old, new);
	else
	{
		Relation	log = table_open(other, RowExclusiveLock);

		write_log(log, table, old, new);
		table_close(log, NoLock);
	}
	error_context_stack = context.previous;
}

/* The trigger function. */
Datum
router_follow_reshape(PG_FUNCTION_ARGS)
{
	static const RouterOwnTrigger own[] = {
		{ROUTER_TRIGGER_RESHAPE, TRIGGER_TYPE_ROW | TRIGGER_TYPE_INSERT | TRIGGER_TYPE_UPDATE | TRIGGER_TYPE_DELETE},
		{ROUTER_TRIGGER_RESHAPE_TRUNCATE, TRIGGER_TYPE_BEFORE | TRIGGER_TYPE_TRUNCATE},
	};
	TriggerData *trigdata = router_own_call(fcinfo, "follow_reshape", own, lengthof(own));

	if (TRIGGER_FIRED_BY_TRUNCATE(trigdata->tg_event))
		act(trigdata->tg_trigger, trigdata->tg_relation, NULL, NULL);
	else if (TRIGGER_FIRED_BY_INSERT(trigdata->tg_event))
		act(trigdata->tg_trigger, trigdata->tg_relation, NULL, trigdata->tg_trigslot);
	else
		act(trigdata->tg_trigger, trigdata->tg_relation, trigdata->tg_trigslot,
			TRIGGER_FIRED_BY_DELETE(trigdata->tg_event) ? NULL : trigdata->tg_newslot);
	return PointerGetDatum(NULL);
}

/* A row was taken out of a table without firing triggers. */
static void
follow_deleted(Relation table, TupleTableSlot *old)
{
	for (int i = 0; table->trigdesc && i < table->trigdesc->numtriggers; i++)
		if (strcmp(table->trigdesc->triggers[i].tgname, ROUTER_TRIGGER_RESHAPE) == 0)
			act(&table->trigdesc->triggers[i], table, old, NULL);
}

void
router_follow_init(void)
{
	router_follow_deleted = follow_deleted;
}
