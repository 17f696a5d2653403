/*
 * drop.c
 *		DROP TABLE of a base drops its children, as that of a partitioned table
 *		drops its partitions: without CASCADE, unless something else depends on
 *		one of them.
 *
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
#include "access/xact.h"
#include "catalog/dependency.h"
#include "catalog/namespace.h"
#include "catalog/pg_inherits.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "storage/lmgr.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"

#include "route/catalog.h"
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
