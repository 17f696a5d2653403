/*
 * keep_in_step.c
 *		A copy that is kept in step with its table: whoever writes to the table
 *		writes to the copy as well, in the same transaction, so that both answer alike
 *		under every snapshot.
 *
 * By triggers on the table, ENABLE ALWAYS:
 *		"!router_step"			AFTER INSERT OR UPDATE OR DELETE, row
 *		"!router_step_truncate"	BEFORE TRUNCATE, statement
 * and, for rows that router takes out without firing triggers, router_step_deleted.
 *
 * How a row of the copy is found and changed: twin.c.
 *
 * The copy is known by an argument of the triggers and by pg_class.relrewrite, which nobody but us can
 * set: so nobody can direct writes elsewhere, whoever has its name. And logical decoding passes
 * over tables that have it: no subscriber hears of the copy. A copy whose columns
 * are not those of the table any more is of no use, and is let alone.
 *
 * Rights: everything is done as the table's owner, whose expressions indexes have.
 *
 * Locking: RowExclusiveLock on the copy, after that on the table, to the end of the
 * transaction. Triggers are made under ShareRowExclusiveLock on the table, dropped under AccessExclusiveLock.
 * Memory: that of the caller.
 */
#include "compat.h"
#include "rows/keep_in_step.h"

#include "access/relation.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "base/guard.h"
#include "base/owner.h"
#include "base/sql.h"
#include "rows/twin.h"

PG_FUNCTION_INFO_V1(router_keep_in_step);

void		(*router_follow_deleted) (Relation rel, TupleTableSlot *old);
void		(*router_follow_new_child) (Oid base, Oid child);

/* Are rows of a table copied, or of a child of it? Router's catalog is not asked: it may be broken. */
bool
router_gets_another_shape(Oid relid)
{
	ListCell   *lc;

	if (OidIsValid(get_trigger_oid(relid, ROUTER_TRIGGER_RESHAPE, true)))
		return true;
	if (has_subclass(relid))
		foreach(lc, find_inheritance_children(relid, NoLock))
			if (OidIsValid(get_trigger_oid(lfirst_oid(lc), ROUTER_TRIGGER_RESHAPE, true)))
				return true;
	return false;
}

/* Refuses to change a table that gets another shape (see reshape/), a child that is copied for it, or a copy. */
void
router_refuse_followed(Oid relid)
{
	Oid			original = router_original(relid);

	if (get_rel_name(original) == NULL || !router_gets_another_shape(original))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_IN_USE),
			 errmsg("table \"%s\" gets another shape", get_rel_name(original)),
			 errdetail("Its columns and constraints are those of the copies that are being made."),
			 errhint("Wait until that is done (router.progress), or CALL router.cancel_reshape(…).")));
}

/* -------------------------------------------------------------------- the copy */

static void
set_rewrite(Relation classes, Oid relid, Oid of)
{
	HeapTuple	tup;

	LockRelationOid(relid, ShareUpdateExclusiveLock);	/* as for any change of its row */
	tup = SearchSysCacheCopy1(RELOID, ObjectIdGetDatum(relid));
	if (!HeapTupleIsValid(tup))
		elog(ERROR, "cache lookup failed for relation %u", relid);
	((Form_pg_class) GETSTRUCT(tup))->relrewrite = of;
	CatalogTupleUpdate(classes, &tup->t_self, tup);
	heap_freetuple(tup);
}

/* Makes a table, or an index of it, known as the copy of another one; InvalidOid: it is a table of its own. */
void
router_step_mark(Oid copy, Oid table)
{
	Relation	classes = table_open(RelationRelationId, RowExclusiveLock);
	Relation	rel = relation_open(copy, NoLock);
	Oid			toast = rel->rd_rel->reltoastrelid;

	relation_close(rel, NoLock);
	set_rewrite(classes, copy, table);
	if (OidIsValid(toast))
		set_rewrite(classes, toast, table);
	table_close(classes, NoLock);
	CommandCounterIncrement();
}

/* Did router_step_mark make this so? Nobody else can. */
bool
router_step_marked(Oid copy, Oid table)
{
	HeapTuple	tup = SearchSysCache1(RELOID, ObjectIdGetDatum(copy));
	bool		marked;

	if (!HeapTupleIsValid(tup))
		return false;
	marked = ((Form_pg_class) GETSTRUCT(tup))->relrewrite == table;
	ReleaseSysCache(tup);
	return marked;
}

/* ------------------------------------------------------------------- triggers */

/* One by which copies follow a table, this file's or those of reshape/. */
bool
router_is_step_trigger(const Trigger *trigger)
{
	return trigger->tgname[0] == '!' &&
		(strcmp(trigger->tgname, ROUTER_TRIGGER_STEP) == 0 ||
		 strcmp(trigger->tgname, ROUTER_TRIGGER_STEP_TRUNCATE) == 0 ||
		 strcmp(trigger->tgname, ROUTER_TRIGGER_RESHAPE) == 0 ||
		 strcmp(trigger->tgname, ROUTER_TRIGGER_RESHAPE_TRUNCATE) == 0);
}

/* Does any copy follow this table? */
static bool
is_followed(Relation rel)
{
	for (int i = 0; rel->trigdesc && i < rel->trigdesc->numtriggers; i++)
		if (router_is_step_trigger(&rel->trigdesc->triggers[i]))
			return true;
	return false;
}

/*
 * The copy that a table is kept in step with, or InvalidOid. Its triggers name it, its own mark confirms it.
 * A copy that did not go along when the table got another owner is let alone: the former one can read it,
 * and define what runs.
 */
Oid
router_step_copy(Relation rel)
{
	for (int i = 0; rel->trigdesc && i < rel->trigdesc->numtriggers; i++)
	{
		const Trigger *trigger = &rel->trigdesc->triggers[i];
		Oid			copy = router_is_step_trigger(trigger) && trigger->tgnargs == 1 ?
			(Oid) strtoul(trigger->tgargs[0], NULL, 10) : InvalidOid;

		if (OidIsValid(copy) && router_step_marked(copy, RelationGetRelid(rel)) &&
			router_relation_owner(copy) == rel->rd_rel->relowner)
			return copy;
	}
	return InvalidOid;
}

static void
create_trigger(const char *table, Oid copy, const char *name, const char *when, const char *each)
{
	router_run("CREATE OR REPLACE TRIGGER %s %s ON %s FOR EACH %s EXECUTE FUNCTION router.keep_in_step('%u')",
			   quote_identifier(name), when, table, each, copy);
	router_run("ALTER TABLE %s ENABLE ALWAYS TRIGGER %s", table, quote_identifier(name));
}

/* From the commit on, whoever writes to the table writes to the copy. The caller is its owner. */
void
router_step_begin(Oid table, Oid copy)
{
	char	   *name = router_qualified_name(table);

	create_trigger(name, copy, ROUTER_TRIGGER_STEP, "AFTER INSERT OR UPDATE OR DELETE", "ROW");
	if (router_has_truncate_triggers(get_rel_relkind(table)))
		create_trigger(name, copy, ROUTER_TRIGGER_STEP_TRUNCATE, "BEFORE TRUNCATE", "STATEMENT");
}

/* Nobody does any more; the copy is out of date from here on. */
void
router_step_end(Oid table)
{
	static const char *const names[] = {ROUTER_TRIGGER_STEP, ROUTER_TRIGGER_STEP_TRUNCATE};
	RouterAsOwner saved;

	for (int i = 0; i < lengthof(names); i++)
	{
		if (!OidIsValid(get_trigger_oid(table, names[i], true)))
			continue;
		router_become_owner(&saved, router_relation_owner(table), false, NULL);
		router_run("DROP TRIGGER %s ON %s", quote_identifier(names[i]), router_qualified_name(table));
		router_become_user(&saved);
	}
}

/* --------------------------------------------------------------------- in step */

static void
say_where(void *arg)
{
	errcontext("while a copy of \"%s\" is kept in step with it", RelationGetRelationName((Relation) arg));
}

/* Does what one event of the table asks for; no slots: TRUNCATE. */
static void
keep_in_step(Relation rel, TupleTableSlot *old, TupleTableSlot *new)
{
	Oid			copy = router_step_copy(rel);
	ErrorContextCallback context = {.callback = say_where,.arg = rel,.previous = error_context_stack};
	RouterAsOwner saved;
	RouterTwin *twin;

	if (!OidIsValid(copy))
		return;					/* what an interrupted run has left */
	error_context_stack = &context;
	router_become_owner(&saved, rel->rd_rel->relowner, false, NULL);
	SPI_connect();
	if (old == NULL && new == NULL)
		router_run("TRUNCATE ONLY %s", router_qualified_name(copy));
	else if ((twin = router_twin_open(rel, copy)) != NULL)
	{
		router_twin_follow(twin, old, new);
		router_twin_close(twin);
	}
	SPI_finish();
	router_become_user(&saved);
	error_context_stack = context.previous;
}

/* A row was taken out of a table without firing triggers. */
void
router_step_deleted(Relation rel, ItemPointer tid)
{
	TupleTableSlot *slot;

	if (!is_followed(rel))
		return;
	slot = table_slot_create(rel, NULL);
	if (!table_tuple_fetch_row_version(rel, tid, SnapshotAny, slot))
		elog(ERROR, "failed to fetch deleted row of \"%s\"", RelationGetRelationName(rel));
	keep_in_step(rel, slot, NULL);
	router_follow_deleted(rel, slot);
	ExecDropSingleTupleTableSlot(slot);
}

/* The trigger function. */
Datum
router_keep_in_step(PG_FUNCTION_ARGS)
{
	static const RouterOwnTrigger own[] = {
		{ROUTER_TRIGGER_STEP, TRIGGER_TYPE_ROW | TRIGGER_TYPE_INSERT | TRIGGER_TYPE_UPDATE | TRIGGER_TYPE_DELETE},
		{ROUTER_TRIGGER_STEP_TRUNCATE, TRIGGER_TYPE_BEFORE | TRIGGER_TYPE_TRUNCATE},
	};
	TriggerData *trigdata = router_own_call(fcinfo, "keep_in_step", own, lengthof(own));

	if (TRIGGER_FIRED_BY_TRUNCATE(trigdata->tg_event))
		keep_in_step(trigdata->tg_relation, NULL, NULL);
	else if (TRIGGER_FIRED_BY_INSERT(trigdata->tg_event))
		keep_in_step(trigdata->tg_relation, NULL, trigdata->tg_trigslot);
	else
		keep_in_step(trigdata->tg_relation, trigdata->tg_trigslot,
					 TRIGGER_FIRED_BY_DELETE(trigdata->tg_event) ? NULL : trigdata->tg_newslot);
	return PointerGetDatum(NULL);
}
