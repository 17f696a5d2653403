/*
 * mirror_constraint.c
 *		Which constraint of a child stands for one of the base, and the part of
 *		the mirror for the triggers by which core checks them.
 *
 * A foreign key has triggers on the table that has it and on the one that it
 * refers to, a deferrable unique or exclusion constraint has one on its table.
 * ALTER TABLE … DISABLE TRIGGER ALL turns these off as well: a child's are on
 * or off as the base's are, also if the child is made meanwhile. Only a
 * superuser turns them off by hand. Here they follow what was done to the base.
 */
#include "compat.h"
#include "mirror/mirror_part.h"

#include "access/genam.h"
#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_trigger.h"
#include "storage/lmgr.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

/* Copies of the rows of a catalog that have this oid in a column. */
List *
router_rows_with(Oid catalog, Oid index, AttrNumber attno, Oid oid)
{
	Relation	rel = table_open(catalog, AccessShareLock);
	List	   *rows = NIL;
	ScanKeyData skey;
	SysScanDesc scan;
	HeapTuple	tup;

	ScanKeyInit(&skey, attno, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(oid));
	scan = systable_beginscan(rel, index, true, NULL, 1, &skey);
	while (HeapTupleIsValid(tup = systable_getnext(scan)))
		rows = lappend(rows, heap_copytuple(tup));
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return rows;
}

List *
router_constraints_of(Oid relid)
{
	return router_rows_with(ConstraintRelationId, ConstraintRelidTypidNameIndexId, Anum_pg_constraint_conrelid, relid);
}

/* The child's constraint of the same kind and name as one of the base that is no index's; or InvalidOid. */
static Oid
namesake(Oid child, Form_pg_constraint form)
{
	Oid			found = get_relation_constraint_oid(child, NameStr(form->conname), true);
	HeapTuple	there = SearchSysCache1(CONSTROID, ObjectIdGetDatum(found));

	if (!HeapTupleIsValid(there))
		return InvalidOid;
	if (((Form_pg_constraint) GETSTRUCT(there))->contype != form->contype)
		found = InvalidOid;
	ReleaseSysCache(there);
	return found;
}

static bool
is_of_index(Form_pg_constraint form)
{
	return OidIsValid(form->conindid) && form->contype != CONSTRAINT_FOREIGN;
}

/*
 * The child's constraint in the place of one of the base, which is of the kinds that
 * can be deferred; or InvalidOid.
 */
Oid
router_constraint_of_child(Oid base, Oid child, Oid constraint)
{
	HeapTuple	tup = SearchSysCache1(CONSTROID, ObjectIdGetDatum(constraint));
	Form_pg_constraint form;
	Oid			found;

	if (!HeapTupleIsValid(tup))
		return InvalidOid;
	form = (Form_pg_constraint) GETSTRUCT(tup);
	found = is_of_index(form) ? get_index_constraint(router_index_counterpart(base, child, form->conindid)) :
		namesake(child, form);
	ReleaseSysCache(tup);
	return found;
}

/* The triggers of a constraint, and of those that core made for it partition by partition. */
static List *
triggers_of(Oid constraint)
{
	List	   *triggers = router_rows_with(TriggerRelationId, TriggerConstraintIndexId,
											Anum_pg_trigger_tgconstraint, constraint);
	List	   *parts = router_rows_with(ConstraintRelationId, ConstraintParentIndexId,
										 Anum_pg_constraint_conparentid, constraint);
	ListCell   *lc;

	foreach(lc, parts)
		triggers = list_concat(triggers, triggers_of(((Form_pg_constraint) GETSTRUCT((HeapTuple) lfirst(lc)))->oid));
	return triggers;
}

/* The trigger that does for the child's constraint what one does for the base's, or NULL. */
static HeapTuple
find_trigger(const Mirror *m, List *triggers, Form_pg_trigger base)
{
	Oid			table = base->tgrelid == RelationGetRelid(m->base) ? m->child : base->tgrelid;
	ListCell   *lc;

	foreach(lc, triggers)
	{
		Form_pg_trigger trigger = (Form_pg_trigger) GETSTRUCT((HeapTuple) lfirst(lc));

		if (trigger->tgrelid == table && trigger->tgfoid == base->tgfoid && trigger->tgtype == base->tgtype)
			return lfirst(lc);
	}
	return NULL;
}

/* ENABLE or DISABLE of a trigger. */
static void
set_enabled(HeapTuple tup, char enabled)
{
	Form_pg_trigger form = (Form_pg_trigger) GETSTRUCT(tup);
	Relation	rel;

	LockRelationOid(form->tgrelid, ShareRowExclusiveLock);
	rel = table_open(TriggerRelationId, RowExclusiveLock);
	form->tgenabled = enabled;
	CatalogTupleUpdate(rel, &tup->t_self, tup);
	CacheInvalidateRelcacheByRelid(form->tgrelid);
	table_close(rel, RowExclusiveLock);
	CommandCounterIncrement();
}

static void
mirror_triggers_of(Mirror *m, Oid base, Oid child)
{
	List	   *there = triggers_of(child);
	ListCell   *lc;

	foreach(lc, triggers_of(base))
	{
		Form_pg_trigger wanted = (Form_pg_trigger) GETSTRUCT((HeapTuple) lfirst(lc));
		HeapTuple	trigger = wanted->tgisinternal ? find_trigger(m, there, wanted) : NULL;

		if (trigger == NULL || ((Form_pg_trigger) GETSTRUCT(trigger))->tgenabled == wanted->tgenabled ||
			!(router_wanted(m, base) || router_wanted(m, wanted->oid)))
			continue;
		if (router_mend(m, "trigger", "set what checks constraint \"%s\" on or off as the base has it",
						get_constraint_name(child)))
			set_enabled(trigger, wanted->tgenabled);
		m->is_part = true;
	}
	m->is_part = false;
}

void
router_mirror_constraint_triggers(Mirror *m)
{
	ListCell   *lc;

	foreach(lc, router_constraints_of(RelationGetRelid(m->base)))
	{
		Form_pg_constraint form = (Form_pg_constraint) GETSTRUCT((HeapTuple) lfirst(lc));
		Oid			child;

		if (is_of_index(form) && form->condeferrable)
			child = get_index_constraint(router_matched_index(m, form->conindid));
		else if (form->contype == CONSTRAINT_FOREIGN && !OidIsValid(form->conparentid))
			child = namesake(m->child, form);
		else
			continue;
		if (OidIsValid(child))
			mirror_triggers_of(m, form->oid, child);
	}
}
