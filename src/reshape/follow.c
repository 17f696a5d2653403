/*
 * follow.c
 *		What is written to a table that gets another shape: first noted in a log, then
 *		written to the shadow in the writers' own transactions.
 *
 * By two triggers on each source, ENABLE ALWAYS, with the shadow as their argument: "!router_reshape", AFTER INSERT OR
 * UPDATE OR DELETE of each row, notes old and new version in the log: key, and the columns that tell their homes; once
 * the shadow is in step (RouterReshapeDef), it brings that to what the table has now. Then "!router_reshape_truncate"
 * does so for TRUNCATE as well; before, the table's new file tells of it.
 *
 * Nobody but us can set pg_class.relrewrite, which marks log and shadow with the oid
 * of their table: so nobody can direct writes elsewhere.
 *
 * Rights: the shadow is written to as its owner, who is that of the table. The log has no index, and no expression.
 * Locking: RowExclusiveLock on the log. Triggers are made under ShareRowExclusiveLock on the table, dropped under
 * AccessExclusiveLock. Whoever writes has a lock on the table until the end, which ShareRowExclusiveLock conflicts
 * with: under that the shadow comes in step.
 * Memory: that of the caller.
 */
#include "compat.h"
#include "reshape/follow.h"

#include "access/relation.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "executor/spi.h"
#include "storage/bufmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"

#include "base/guard.h"
#include "base/owner.h"
#include "base/sql.h"
#include "reshape/newcomers.h"
#include "reshape/shadow_rows.h"
#include "reshape/whole_rows.h"
#include "route/catalog.h"
#include "rows/keep_in_step.h"
#include "rows/row_hash.h"

PG_FUNCTION_INFO_V1(router_follow_reshape);

/* ------------------------------------------------------------------------ triggers */

static void
create_trigger(Oid table, const char *name, const char *when, const char *each, Oid shadow)
{
	router_run("CREATE OR REPLACE TRIGGER %s %s ON %s FOR EACH %s EXECUTE FUNCTION router.follow_reshape('%u')",
			   quote_identifier(name), when, router_qualified_name(table), each, shadow);
	router_run("ALTER TABLE %s ENABLE ALWAYS TRIGGER %s", router_qualified_name(table), quote_identifier(name));
}

/* From the commit on, what is written to a source is noted, or written to the shadow as well. */
void
router_follow_source(const RouterReshapeDef *def, Oid source)
{
	create_trigger(source, ROUTER_TRIGGER_RESHAPE, "AFTER INSERT OR UPDATE OR DELETE", "ROW", def->shadow);
	create_trigger(source, ROUTER_TRIGGER_RESHAPE_TRUNCATE, "BEFORE TRUNCATE", "STATEMENT", def->shadow);
}

/*
 * A table that has become a child. Rows that it has already are copied, unless it is too late for that. One of the
 * shadow, to which single rows come from now on, gets the index by which those are found that have no key.
 */
static void
follow_new_child(Oid base, Oid child)
{
	Oid			original = router_original(base);
	RouterReshapeDef *def = router_catalog_reshape(original);
	RouterAsOwner saved;
	Relation	rel;

	if (def && base != original && def->whole && router_reshape_is_copied(def, true))
		router_whole_index_make(child, original);
	if (def == NULL || base != original || !router_may_grow(def) ||
		!router_is_source(router_newcomers_open(def), router_catalog_child(child)))
		return;
	rel = relation_open(child, NoLock);
	if (rel->rd_rel->relkind != RELKIND_RELATION || (def->in_step && RelationGetNumberOfBlocks(rel) > 0))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("\"%s\" cannot become a child of \"%s\", which gets another shape", RelationGetRelationName(rel),
						get_rel_name(base)),
				 errhint("Wait until that is done (router.progress), or CALL router.cancel_reshape(…).")));
	relation_close(rel, NoLock);
	router_become_owner(&saved, router_relation_owner(base), false, NULL);
	router_follow_source(def, child);
	router_become_user(&saved);
}

/* Neither any more. */
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

/* What a trigger of a table follows for; NULL: what it names is not what it was, or never was. */
static RouterReshapeDef *
followed(const Trigger *trigger, Relation table)
{
	Oid			shadow = trigger->tgnargs == 1 ? (Oid) strtoul(trigger->tgargs[0], NULL, 10) : InvalidOid;
	Oid			relid = RelationGetRelid(table);
	Oid			base = OidIsValid(shadow) ? router_original(shadow) : InvalidOid;
	RouterReshapeDef *def;

	if (base == shadow || (base != relid && !is_child(relid, base)) ||
		router_relation_owner(shadow) != table->rd_rel->relowner)
		return NULL;
	def = router_catalog_reshape(base);
	return def && def->shadow == shadow ? def : NULL;
}

/* Does the shadow follow what is written to a source? */
bool
router_follow_is_on(Oid source)
{
	Relation	rel = table_open(source, NoLock);
	int			n = 0;

	for (int i = 0; rel->trigdesc && i < rel->trigdesc->numtriggers; i++)
	{
		const Trigger *trigger = &rel->trigdesc->triggers[i];

		n += (strcmp(trigger->tgname, ROUTER_TRIGGER_RESHAPE) == 0 ||
			  strcmp(trigger->tgname, ROUTER_TRIGGER_RESHAPE_TRUNCATE) == 0) &&
			trigger->tgenabled == TRIGGER_FIRES_ALWAYS && followed(trigger, rel);
	}
	table_close(rel, NoLock);
	return n == 2;
}

/* A source is about to be truncated; what the shadow has of it goes. */
static void
truncate_shadow(Relation table, const RouterReshapeDef *def)
{
	RouterAsOwner saved;
	ListCell   *lc;

	router_become_owner(&saved, table->rd_rel->relowner, false, NULL);
	SPI_connect();
	PushActiveSnapshot(GetLatestSnapshot());
	if (router_may_grow(def))
		router_shadow_rows_clear(def, table, SnapshotSelf);
	else
		foreach(lc, router_catalog_children(def->shadow))
			router_run("TRUNCATE ONLY %s", router_qualified_name(((RouterChildDef *) lfirst(lc))->child));
	PopActiveSnapshot();
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
write_log(Relation log, const RouterReshapeDef *def, Relation table, TupleTableSlot *old, TupleTableSlot *new)
{
	TupleDesc	desc = RelationGetDescr(log);
	AttrNumber *attnums = router_log_map(def, log, table);
	TupleTableSlot *rows[2] = {NULL, NULL};
	TupleTableSlot *versions[2] = {old, new};
	bool		same = false;

	for (int v = 0; v < 2; v++)
	{
		if (versions[v] == NULL)
			continue;
		rows[v] = MakeSingleTupleTableSlot(desc, &TTSOpsVirtual);
		for (int i = 0; i < desc->natts; i++)
			rows[v]->tts_values[i] = slot_getattr(versions[v], attnums[i], &rows[v]->tts_isnull[i]);
		ExecStoreVirtualTuple(rows[v]);
	}
	if (old && new)
		same = router_same_values(desc, rows[0], rows[1], NULL, desc->natts);
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
	router_shadow_rows_be_quiet(rows);
	if (def->whole)
		router_whole_follow(rows, def, table, old, new);
	else if (old)
		router_shadow_rows_bring(rows, table, old, SnapshotSelf);
	if (new && !def->whole)
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
	RouterReshapeDef *def = followed(trigger, table);

	if (def == NULL)
		return;
	error_context_stack = &context;
	if (!def->in_step && (old || new))
	{
		Relation	log = table_open(def->log, RowExclusiveLock);

		if (!def->whole)
			write_log(log, def, table, old, new);
		if (def->whole && old)
			router_whole_note(log, def, table, old, -1);
		if (def->whole && new)
			router_whole_note(log, def, table, new, 1);
		table_close(log, NoLock);
	}
	else if (def->in_step && (old || new))
		follow(table, def, old, new);
	else if (def->in_step)
		truncate_shadow(table, def);
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
	router_follow_new_child = follow_new_child;
	router_whole_init();
}
