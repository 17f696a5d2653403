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
#include "drop.h"

#include "access/genam.h"
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

#include "catalog.h"

static bool
may_drop(Oid relid)
{
	return router_owns_relation(relid, GetUserId()) || router_owns_schema(get_rel_namespace(relid), GetUserId());
}

/* The rows of a child that inherits from another table, too, are that one's as well. */
static bool
has_other_parent(Oid child)
{
	Relation	rel = table_open(InheritsRelationId, AccessShareLock);
	int			parents = 0;
	ScanKeyData key;
	SysScanDesc scan;

	ScanKeyInit(&key, Anum_pg_inherits_inhrelid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(child));
	scan = systable_beginscan(rel, InheritsRelidSeqnoIndexId, true, NULL, 1, &key);
	while (HeapTupleIsValid(systable_getnext(scan)))
		parents++;
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return parents > 1;
}

/* Does a table inherit from a base as one of its route's children? */
static bool
is_child(Oid relid, Oid base)
{
	RouterChildDef *def = router_catalog_child(relid);

	return def && def->base == base;
}

/* The children of a base, which is locked, are to go with it. */
static void
take_children(Oid base)
{
	ObjectAddress parent;
	ListCell   *lc;

	ObjectAddressSet(parent, RelationRelationId, base);
	foreach(lc, find_inheritance_children(base, NoLock))
	{
		ObjectAddress child;

		ObjectAddressSet(child, RelationRelationId, lfirst_oid(lc));
		if (!is_child(child.objectId, base))
			continue;
		LockRelationOid(child.objectId, AccessExclusiveLock);
		/* whoever dropped it or took it away meanwhile removed its dependency */
		if (!has_other_parent(child.objectId) &&
			deleteDependencyRecordsForSpecific(RelationRelationId, child.objectId, DEPENDENCY_NORMAL,
											   RelationRelationId, base) > 0)
			recordDependencyOn(&child, &parent, DEPENDENCY_AUTO);
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
