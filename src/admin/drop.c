/*
 * drop.c
 *		What DROP does to routes: the catalog forgets what is gone, children lose
 *		what their base has lost.
 *
 * DROP TABLE of a base drops its children, as that of a partitioned table
 * drops its partitions: without CASCADE, unless something else depends on
 * one of them.
 * An inheritance child depends on its parent by a normal dependency, which stops
 * a DROP without CASCADE; a partition by an automatic one. When DROP TABLE starts
 * the children's become automatic, in its own transaction: a child that leaves
 * its base, a dump, the end of the extension need not know of such dependencies,
 * since there are none at any other time. Where event triggers are off, core
 * asks for CASCADE.
 *
 * Locking: the base as DROP TABLE locks it, before its children are read; then
 * the children likewise, by oid, so that nobody else changes their dependencies.
 */
#include "compat.h"
#include "admin/drop.h"

#include "access/genam.h"
#include "access/relation.h"
#include "access/table.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_rewrite.h"
#include "catalog/pg_trigger.h"
#include "catalog/namespace.h"
#include "catalog/pg_inherits.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "admin/ddl_object.h"
#include "admin/globalkey_admin.h"
#include "route/defs_clone.h"
#include "route/defs_reshape.h"
#include "write/fence.h"
#include "admin/sync.h"
#include "admin/type_ddl.h"
#include "tier/swap.h"
#include "rows/keep_in_step.h"

static bool
may_drop(Oid relid)
{
	return router_owns_relation(relid, GetUserId()) || router_owns_schema(get_rel_namespace(relid), GetUserId());
}

/* The rows of a child that inherits from another table, too, are that one's as well. */
static bool
has_other_parent(Oid child, Oid base, Oid bridge)
{
	Relation	rel = table_open(InheritsRelationId, AccessShareLock);
	bool		found = false;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tup;

	ScanKeyInit(&key, Anum_pg_inherits_inhrelid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(child));
	scan = systable_beginscan(rel, InheritsRelidSeqnoIndexId, true, NULL, 1, &key);
	while (!found && HeapTupleIsValid(tup = systable_getnext(scan)))
	{
		Oid			parent = ((Form_pg_inherits) GETSTRUCT(tup))->inhparent;

		found = parent != base && parent != bridge;
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return found;
}

/* Does a table inherit from a base as one of its route's children? */
static bool
is_child(Oid relid, Oid base)
{
	RouterChildDef *def = router_catalog_child(relid);

	return def && def->base == base;
}

/* The dependency of a child on what goes becomes automatic. One that was taken away meanwhile has none. */
static void
let_go(Oid child, Oid parent)
{
	ObjectAddress depender,
				referenced;

	ObjectAddressSet(depender, RelationRelationId, child);
	ObjectAddressSet(referenced, RelationRelationId, parent);
	if (deleteDependencyRecordsForSpecific(RelationRelationId, child, DEPENDENCY_NORMAL,
										   RelationRelationId, parent) > 0)
		recordDependencyOn(&depender, &referenced, DEPENDENCY_AUTO);
}

/* A copy that is kept in step with a child goes with it. */
static void
take_copy(Oid child)
{
	Relation	rel = try_relation_open(child, NoLock);
	Oid			copy = rel ? router_step_copy(rel) : InvalidOid;
	ObjectAddress depender,
				referenced;

	if (rel)
		relation_close(rel, NoLock);
	if (!OidIsValid(copy))
		return;
	LockRelationOid(copy, AccessExclusiveLock);
	if (!router_step_marked(copy, child))
		return;
	ObjectAddressSet(depender, RelationRelationId, copy);
	ObjectAddressSet(referenced, RelationRelationId, child);
	recordDependencyOn(&depender, &referenced, DEPENDENCY_AUTO);
}

/* The children of a base, which is locked, are to go with it, and what an interrupted move_child has left. */
static void
take_children(Oid base)
{
	Oid			bridge = router_bridge(base);
	ListCell   *lc;

	foreach(lc, find_inheritance_children(base, NoLock))
	{
		Oid			child = lfirst_oid(lc);

		if (child != bridge && !is_child(child, base))
			continue;
		LockRelationOid(child, AccessExclusiveLock);
		if (has_other_parent(child, base, bridge))
			continue;
		let_go(child, base);
		if (OidIsValid(bridge))
			let_go(child, bridge);
		take_copy(child);
	}
	CommandCounterIncrement();
}

/*
 * At the start of DROP TABLE. What the command will refuse or not find is left to
 * it: an error undoes what is done here.
 */
void
router_drop_starts(const DropStmt *stmt)
{
	ListCell   *lc;

	if (stmt->removeType != OBJECT_TABLE)
		return;
	foreach(lc, stmt->objects)
	{
		RangeVar   *name = makeRangeVarFromNameList(lfirst_node(List, lc));
		Oid			relid = RangeVarGetRelid(name, NoLock, true);

		if (!OidIsValid(relid) || router_catalog_route(relid) == NULL || !may_drop(relid))
			continue;
		LockRelationOid(relid, AccessExclusiveLock);
		if (RangeVarGetRelid(name, NoLock, true) == relid && router_catalog_route(relid) && may_drop(relid))
			take_children(relid);
	}
}

/* -------------------------------------------------------------------- sql_drop */

/*
 * A table that gets another shape goes with the copies that are made, as with its schema, or not at all, and its
 * columns stay. ALTER TABLE and DROP TABLE were refused when they began, unless that was just before.
 */
static void
refuse_reshaped(Oid relid, AttrNumber attnum, const char *name)
{
	RouterReshapeDef *def;

	/* somebody may have dropped that, too */
	if (!OidIsValid(get_relname_relid("reshape_def", get_namespace_oid("router", true))))
		return;
	def = router_catalog_reshape(relid);
	if (def == NULL)
		return;
	if (attnum != 0)
		router_refuse_followed(relid);
	else if (get_rel_name(def->shadow) || get_rel_name(def->log))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("table \"%s\" gets another shape", name),
				 errdetail("The copies that are being made would stay behind."),
				 errhint("Wait until that is done (router.progress), or CALL router.cancel_reshape(…).")));
	else
		router_catalog_remove_reshape(relid);
}

/* A base or child is gone, or a column: which must not be a key. */
static void
forget_dropped(Oid relid, AttrNumber attnum, const char *name)
{
	RouterConfig *route = router_catalog_route(relid);

	refuse_reshaped(relid, attnum, name);
	router_global_dropped(relid, attnum);
	if (attnum == 0)
	{
		router_catalog_remove_child(relid);
		router_catalog_remove_clones(relid);
	}
	if (route == NULL)
		return;
	if (attnum != 0)
	{
		router_catalog_follow_seals(relid, attnum);
		router_catalog_follow_upkeep(relid, name, NULL);
		for (int i = 0; i < route->nkeys; i++)
			if (route->keys[i].attnum == attnum)
				ereport(ERROR,
						(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
						 errmsg("cannot drop column \"%s\" of routed table \"%s\": it is a key",
								route->keys[i].column, get_rel_name(relid)),
						 errhint("End the routing first, with router.drop_route.")));
		return;
	}
	router_catalog_remove_all(relid);
}

/* Was the command told to drop what depends on the object, too? And is it addressed to children, too? */
static bool
drop_cascades(Node *parsetree)
{
	ListCell   *lc;

	if (IsA(parsetree, DropStmt))
		return castNode(DropStmt, parsetree)->behavior == DROP_CASCADE;
	if (IsA(parsetree, AlterTableStmt))
		foreach(lc, castNode(AlterTableStmt, parsetree)->cmds)
			if (lfirst_node(AlterTableCmd, lc)->behavior == DROP_CASCADE)
				return true;
	return false;
}

/* Was it dropped in a subtransaction that was rolled back? Core tells of that all the same. */
static bool
is_there_still(Oid classid, Oid oid, int subid)
{
	HeapTuple	tup;

	if (classid != RelationRelationId)
		return false;
	tup = subid == 0 ? SearchSysCache1(RELOID, ObjectIdGetDatum(oid)) : SearchSysCacheAttNum(oid, subid);
	if (HeapTupleIsValid(tup))
		ReleaseSysCache(tup);
	return HeapTupleIsValid(tup);
}

/*
 * Is the like of a dropped object on children by router? Constraints that core keeps for a foreign key to a
 * partitioned table, and those that it passes on itself, are left to it.
 */
bool
router_is_followed(Oid classid, HeapTuple row)
{
	if (classid == ConstraintRelationId)
	{
		Form_pg_constraint form = (Form_pg_constraint) GETSTRUCT(row);

		return form->contype == CONSTRAINT_FOREIGN ? !OidIsValid(form->conparentid) :
			(form->contype == CONSTRAINT_CHECK || form->contype == CONSTRAINT_NOTNULL) && form->connoinherit;
	}
	return classid != TriggerRelationId || !((Form_pg_trigger) GETSTRUCT(row))->tgisinternal;
}

/* Is it a rule or a statement trigger, for which children have not all grants? */
static bool
withholds_grants(Oid classid, HeapTuple row)
{
	return classid == RewriteRelationId ||
		(classid == TriggerRelationId && !TRIGGER_FOR_ROW(((Form_pg_trigger) GETSTRUCT(row))->tgtype));
}

/* Something that a base may have had is gone. */
static void
follow_dropped(Node *parsetree, Oid classid, Oid oid, char *name)
{
	RouterMirror request = {.aspects = ROUTER_GRANTS};
	RouterChange change = {.classid = classid,.name = name,.cascade = drop_cascades(parsetree)};
	Oid			base;

	change.dropped = router_object_row(classid, oid, true, &base);
	if (change.dropped == NULL || !router_is_base(base))
		return;
	if (withholds_grants(classid, change.dropped))
	{
		LockRelationOid(base, ShareUpdateExclusiveLock);
		(void) router_sync_children(&request, base);
		return;
	}
	if (!router_is_followed(classid, change.dropped) ||
		(IsA(parsetree, AlterTableStmt) && !castNode(AlterTableStmt, parsetree)->relation->inh))
		return;
	if (classid == RelationRelationId && !((Form_pg_index) GETSTRUCT(change.dropped))->indisvalid)
	{
		if (IsA(parsetree, DropStmt) && castNode(DropStmt, parsetree)->concurrent)
			ereport(NOTICE,
					(errmsg("index \"%s\" was dropped from \"%s\" only, not from its children", name,
							get_rel_name(base)),
					 errhint("DROP INDEX CONCURRENTLY of each child drops it there.")));
		return;
	}
	LockRelationOid(base, ShareUpdateExclusiveLock);
	router_for_children(base, router_mirror_change, &change);
}

/* Without its CHECK a seal would not hear of rows beyond it. */
static void
forget_seal(Oid classid, Oid oid)
{
	Oid			table;
	HeapTuple	row = classid == ConstraintRelationId ? router_object_row(classid, oid, true, &table) : NULL;

	if (row && ((Form_pg_constraint) GETSTRUCT(row))->contype == CONSTRAINT_CHECK &&
		strcmp(NameStr(((Form_pg_constraint) GETSTRUCT(row))->conname), ROUTER_SEAL_NAME) == 0)
		router_drop_seal(table);
}

/* New children of whom it concerns are made in the schema of their base from now on. */
static void
forget_schema(const char *schema)
{
	ListCell   *lc;

	foreach(lc, OidIsValid(get_namespace_oid(schema, true)) ? NIL : router_catalog_rename_schema(schema, NULL))
		ereport(NOTICE,
				(errmsg("new children of \"%s\" are made in its own schema again", get_rel_name(lfirst_oid(lc)))));
}

/*
 * sql_drop: what a command has dropped, rows of (classid, objid, objsubid, name). Tables first: what belonged to
 * them is not followed then. restoring: the catalog follows, children do not.
 */
void
router_drop_ends(Node *parsetree, const SPITupleTable *found, bool restoring)
{
	List	   *lost = NIL;

	for (int pass = 0; pass < 2; pass++)
		for (uint64 i = 0; i < found->numvals; i++)
		{
			bool		isnull;
			Oid			classid = DatumGetObjectId(SPI_getbinval(found->vals[i], found->tupdesc, 1, &isnull));
			Oid			oid = DatumGetObjectId(SPI_getbinval(found->vals[i], found->tupdesc, 2, &isnull));
			int			subid = DatumGetInt32(SPI_getbinval(found->vals[i], found->tupdesc, 3, &isnull));
			char	   *name = SPI_getvalue(found->vals[i], found->tupdesc, 4);

			if (is_there_still(classid, oid, subid))
				continue;
			if (pass == 1)
			{
				if (classid == NamespaceRelationId)
					forget_schema(name);
				else if (subid == 0 && !restoring)
					follow_dropped(parsetree, classid, oid, name);
				continue;
			}
			if (classid != RelationRelationId)
				forget_seal(classid, oid);
			else
			{
				if (subid != 0)
					lost = lappend_oid(lost, oid);
				forget_dropped(oid, subid, name);
			}
		}
	router_type_columns_dropped(lost);
}
