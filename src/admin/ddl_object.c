/*
 * ddl_object.c
 *		What a command is about: objects of tables, their rows in core's catalogs, the
 *		bases that are reached.
 *
 * Dropped objects are found by the rows of the catalog that the command has
 * just deleted, which nobody can have vacuumed.
 */
#include "compat.h"
#include "admin/ddl_object.h"

#include "access/table.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_policy.h"
#include "catalog/pg_rewrite.h"
#include "catalog/pg_statistic_ext.h"
#include "catalog/pg_trigger.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "admin/sync.h"
#include "route/defs.h"
#include "admin/type_ddl.h"

/* A kind of object that belongs to a table. */
typedef struct Kind
{
	Oid			catalog;
	Oid			index;			/* of the catalog, by oid */
	AttrNumber	oid;
	AttrNumber	table;
	int			aspects;		/* in which children are compared for it */
} Kind;

static const Kind kinds[] = {
	{IndexRelationId, IndexRelidIndexId, Anum_pg_index_indexrelid, Anum_pg_index_indrelid, ROUTER_INDEXES},
	{ConstraintRelationId, ConstraintOidIndexId, Anum_pg_constraint_oid, Anum_pg_constraint_conrelid,
	ROUTER_INDEXES | ROUTER_FOREIGN_KEYS | ROUTER_CHECKS | ROUTER_INHERITANCE},
	{StatisticExtRelationId, StatisticExtOidIndexId, Anum_pg_statistic_ext_oid,
	Anum_pg_statistic_ext_stxrelid, ROUTER_STATISTICS},
	{TriggerRelationId, TriggerOidIndexId, Anum_pg_trigger_oid, Anum_pg_trigger_tgrelid, ROUTER_TRIGGERS},
	{PolicyRelationId, PolicyOidIndexId, Anum_pg_policy_oid, Anum_pg_policy_polrelid, ROUTER_POLICIES},
	/* what a base has rules for is not granted on children */
	{RewriteRelationId, RewriteOidIndexId, Anum_pg_rewrite_oid, Anum_pg_rewrite_ev_class, ROUTER_GRANTS},
};

static const Kind *
kind_of(Oid classid)
{
	Oid			catalog = classid == RelationRelationId ? IndexRelationId : classid;

	for (int i = 0; i < lengthof(kinds); i++)
		if (kinds[i].catalog == catalog)
			return &kinds[i];
	return NULL;
}

/* Has this transaction deleted a row? Of its versions only the last counts, which no update leads on from. */
static bool
is_deleted(HeapTuple tup)
{
	return TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetRawXmax(tup->t_data)) &&
		ItemPointerEquals(&tup->t_self, &tup->t_data->t_ctid);
}

/*
 * The row of an object of a table, of an index that of pg_index, and the table. deleted: the one that this
 * transaction has deleted. NULL and InvalidOid: there is none.
 */
HeapTuple
router_object_row(Oid classid, Oid oid, bool deleted, Oid *table)
{
	const Kind *kind = kind_of(classid);
	HeapTuple	found = NULL;
	Relation	catalog;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tup;
	bool		isnull;

	*table = InvalidOid;
	if (kind == NULL)
		return NULL;
	catalog = table_open(kind->catalog, AccessShareLock);
	ScanKeyInit(&key, kind->oid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(oid));
	scan = systable_beginscan(catalog, kind->index, true, deleted ? SnapshotAny : NULL, 1, &key);
	while (HeapTupleIsValid(tup = systable_getnext(scan)))
		if (!deleted || is_deleted(tup))
		{
			found = heap_copytuple(tup);
			*table = DatumGetObjectId(heap_getattr(tup, kind->table, RelationGetDescr(catalog), &isnull));
		}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return found;
}

/* The table that an object is (no aspects) or belongs to, and the aspects in which children are compared for it. */
Oid
router_object_table(const ObjectAddress *object, int *aspects)
{
	const Kind *kind = kind_of(object->classId);
	Oid			table;

	*aspects = 0;
	if (object->classId == RelationRelationId && get_rel_relkind(object->objectId) != RELKIND_INDEX)
		return object->objectId;
	(void) router_object_row(object->classId, object->objectId, false, &table);
	if (kind)
		*aspects = kind->aspects;
	return table;
}

bool
router_is_base(Oid relid)
{
	return SearchSysCacheExists1(RELOID, ObjectIdGetDatum(relid)) && router_catalog_route(relid) != NULL;
}

/* The bases that a command on this relation or composite type may come to: it, or what is made after it. */
List *
router_bases_below(Oid relid)
{
	List	   *bases = NIL;
	ListCell   *lc;

	foreach(lc, router_tables_below(relid))
		if (router_catalog_is_base(lfirst_oid(lc)))
			bases = list_append_unique_oid(bases, lfirst_oid(lc));
	list_sort(bases, list_oid_cmp);
	return bases;
}
