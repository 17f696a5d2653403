/*
 * swap.c
 *		Copies take the place of children of a base: in the catalogs of core and in
 *		router's, within one transaction. It knows nothing of why, and any number of
 *		copies can come for any number of children.
 *
 * The bridge. A query looks for the children of a base, then locks each; one
 * that was dropped meanwhile it passes over, and would miss the rows that are in
 * the copy now. So before all that an empty child is made, the bridge,
 * committed, and everybody waited for who does not know of it (who holds a lock
 * on the base). The copy becomes a child of the base and of the bridge: who
 * looked too early finds it there. In the end all are waited for again, and the
 * bridge goes.
 *
 * The swap: router_swap_attach for each copy, router_swap_leave for each child, names
 * of the copies as they shall be, router_swap_enter for each copy. A mere instant:
 * the copies are in step with the children (rows/keep_in_step.c).
 *
 * Everything runs as the owner of the base, settings are pinned. Locking: children
 * AccessExclusive, base and bridge ShareUpdateExclusive, by the caller. Who has a lock on
 * a child may want any other: so only those that are free are taken with one in hand.
 */
#include "compat.h"
#include "tier/swap.h"

#include "access/table.h"
#include "catalog/heap.h"
#include "catalog/pg_inherits.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "child/create.h"
#include "base/name.h"
#include "base/owner.h"
#include "base/sql.h"
#include "globalkey/triggers.h"
#include "mirror/mirror.h"
#include "rows/keep_in_step.h"

/* ------------------------------------------------------------------ the bridge */

/* The bridge of a base, or InvalidOid. A mark tells it: who may create in the schema can take any name. */
Oid
router_bridge(Oid base)
{
	ListCell   *lc;

	if (!SearchSysCacheExists1(RELOID, ObjectIdGetDatum(base)))
		return InvalidOid;
	foreach(lc, find_inheritance_children(base, NoLock))
		if (router_step_marked(lfirst_oid(lc), base))
			return lfirst_oid(lc);
	return InvalidOid;
}

/* Makes the bridge: no row gets into it, and plans leave it out. */
void
router_bridge_build(Oid base)
{
	Oid			schema = get_rel_namespace(base);
	char	   *name = router_private_name(psprintf("router_bridge_%u", base), schema);

	LockRelationOid(base, ShareUpdateExclusiveLock);
	router_check_parts(base);
	router_run("CREATE TABLE %s (CHECK (false) NO INHERIT) INHERITS (%s)",
			   quote_qualified_identifier(get_namespace_name(schema), name), router_qualified_name(base));
	router_step_mark(get_relname_relid(name, schema), base);
	router_take_grants_away(router_bridge(base));
}

/* Drops a bridge or copy, as its owner: the base may have got another one meanwhile. */
void
router_drop_marked(Oid relid, Oid of)
{
	RouterAsOwner saved;

	LockRelationOid(relid, AccessExclusiveLock);
	if (!router_step_marked(relid, of))
		return;
	router_become_owner(&saved, router_relation_owner(relid), false, NULL);
	router_run("DROP %s %s", router_table_word(relid), router_qualified_name(relid));
	router_become_user(&saved);
}

/* Takes the bridge away. Everybody has been waited for who may not know what it leads to. */
void
router_bridge_remove(Oid base)
{
	Oid			bridge = router_bridge(base);
	ListCell   *lc;

	if (!OidIsValid(bridge))
		return;
	LockRelationOid(bridge, AccessExclusiveLock);
	foreach(lc, find_inheritance_children(bridge, AccessExclusiveLock))
		router_run("ALTER TABLE %s NO INHERIT %s", router_qualified_name(lfirst_oid(lc)), router_qualified_name(bridge));
	router_drop_marked(bridge, base);
}

/* ------------------------------------------------------------------- the swap */

/*
 * What the planner knows of the child it knows of the copy; nobody analyzes a foreign table unasked.
 * Columns have other numbers where the child has dropped ones: then it has to be found out anew.
 */
void
router_inherit_statistics(Oid child, Oid copy)
{
	Relation	classes = table_open(RelationRelationId, RowExclusiveLock);
	HeapTuple	from = SearchSysCache1(RELOID, ObjectIdGetDatum(child));
	HeapTuple	to = SearchSysCacheCopy1(RELOID, ObjectIdGetDatum(copy));
	Form_pg_class old = (Form_pg_class) GETSTRUCT(from);
	Form_pg_class new = (Form_pg_class) GETSTRUCT(to);

	if (old->reltuples >= 0)
	{
		new->reltuples = old->reltuples;
		new->relpages = old->relpages;
		CatalogTupleUpdate(classes, &to->t_self, to);
	}
	if (old->relnatts == new->relnatts)
	{
		RemoveStatistics(copy, InvalidAttrNumber);	/* autovacuum may have analyzed it */
		CommandCounterIncrement();
		CopyStatistics(child, copy);
	}
	ReleaseSysCache(from);
	heap_freetuple(to);
	table_close(classes, NoLock);
	CommandCounterIncrement();
}

/* Who reads on a standby cannot be waited for: if his snapshot is older he has 40001, after a while. */
void
router_tell_standbys(Oid base, TransactionId since)
{
	FullTransactionId next = ReadNextFullTransactionId();
	uint32		epoch = EpochFromFullTransactionId(next);
	Relation	rel = table_open(base, NoLock);

	if (since > XidFromFullTransactionId(next))
		epoch--;
	if (XLogStandbyInfoActive() && RelationNeedsWAL(rel) && TransactionIdIsNormal(since))
		router_log_conflict(rel, FullTransactionIdFromEpochAndXid(epoch, since));
	table_close(rel, NoLock);
}

/* The copy becomes a child of the base for core, and of the bridge if there is one; and a table of its own. */
void
router_swap_attach(Oid base, Oid bridge, Oid copy)
{
	char	   *name = router_qualified_name(copy);

	router_run("ALTER TABLE %s INHERIT %s", name, router_qualified_name(base));
	if (OidIsValid(bridge))
		router_run("ALTER TABLE %s INHERIT %s", name, router_qualified_name(bridge));
	router_step_mark(copy, InvalidOid);
}

/* A child goes, and its rows with it. */
void
router_swap_leave(Oid child)
{
	router_globalkey_strip(child);
	router_catalog_remove_child(child);
	router_run("DROP %s %s", router_table_word(child), router_qualified_name(child));
}

/* An attached copy is a child of the route, with these bounds, and all that children have. */
void
router_swap_enter(Oid base, Oid copy, const RouterChildDef *def)
{
	router_catalog_add_child(copy, base, def->bounds, def->nbounds);
	router_child_equip(base, copy);
	router_follow_new_child(base, copy);
}
