/*
 * swap_storage.c
 *		Two tables of a route exchange their storage.
 *
 * The storage of a table is its heap with all forks, its TOAST table (the
 * table itself changes hands, since TOAST pointers name it by OID), each index,
 * values of columns added later (attmissingval), and what pg_class knows about
 * them: sizes, relfrozenxid, relminmxid. What is swapped is modelled on
 * swap_relation_files and finish_heap_swap in src/backend/commands/cluster.c.
 * No file comes or goes, so that nothing is to be done at commit or abort, in
 * recovery or on a standby but what any change of the catalog asks for.
 *
 * It is refused unless every row version of either table would be as good in
 * the other: same layout, same indexes, and no constraint that only one has.
 *
 * Locking: AccessExclusiveLock on both tables; it is taken here on their TOAST
 * tables and indexes.
 */
#include "compat.h"
#include "maintain/swap_storage.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/toast_internals.h"
#include "access/xact.h"
#include "catalog/dependency.h"
#include "catalog/indexing.h"
#include "catalog/objectaccess.h"
#include "catalog/pg_am.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_index.h"
#include "catalog/pg_publication.h"
#include "commands/tablecmds.h"
#include "pgstat.h"
#include "storage/lmgr.h"
#include "storage/predicate.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "globalkey/entry.h"
#include "route/key.h"
#include "mirror/mirror.h"
#include "rows/moving.h"
#include "rows/passed.h"

/* ---------------------------------------------------------------- may they swap? */

static void
refuse(Relation child, int code, const char *why, const char *hint)
{
	ereport(ERROR,
			(errcode(code),
			 errmsg("cannot swap the storage of a base with that of \"%s\"", RelationGetRelationName(child)),
			 errdetail("%s", why),
			 errhint("%s", hint ? hint : "Use router.archive, which copies the rows.")));
}

static void
check_tables(Relation base, Relation child)
{
	Form_pg_class x = base->rd_rel;
	Form_pg_class y = child->rd_rel;

	if (y->relkind != RELKIND_RELATION || x->relam != HEAP_TABLE_AM_OID || y->relam != HEAP_TABLE_AM_OID)
		refuse(child, ERRCODE_FEATURE_NOT_SUPPORTED, "Both have to be ordinary tables of the access method heap.", NULL);
	if (x->reltablespace != y->reltablespace || x->relpersistence != y->relpersistence)
		refuse(child, ERRCODE_FEATURE_NOT_SUPPORTED, "They are in different tablespaces, or one of them is UNLOGGED.",
			   NULL);
	if (x->relowner != y->relowner)
		refuse(child, ERRCODE_FEATURE_NOT_SUPPORTED, "They belong to different roles.",
			   "Mend that with router.sync, or use router.archive.");
	if (OidIsValid(x->reltoastrelid) != OidIsValid(y->reltoastrelid))
		refuse(child, ERRCODE_FEATURE_NOT_SUPPORTED, "Only one of them has a TOAST table.", NULL);
	if (router_is_referenced(base))
		refuse(child, ERRCODE_FEATURE_NOT_SUPPORTED, "A foreign key refers to the base.", NULL);
}

static bool
is_not_null(TupleDesc desc, int i)
{
	return TupleDescAttr(desc, i)->attnotnull && router_not_null_is_valid(desc, i);
}

static void
check_columns(Relation base, Relation child)
{
	TupleDesc	x = RelationGetDescr(base);
	TupleDesc	y = RelationGetDescr(child);
	bool		same = x->natts == y->natts;

	for (int i = 0; same && i < x->natts; i++)
	{
		Form_pg_attribute a = TupleDescAttr(x, i);
		Form_pg_attribute b = TupleDescAttr(y, i);

		/* types name themselves in composite values: a dropped column has none */
		same = a->attisdropped == b->attisdropped && a->attlen == b->attlen && a->attalign == b->attalign &&
			a->attbyval == b->attbyval && a->attgenerated == b->attgenerated &&
			(a->attisdropped || (a->atttypid == b->atttypid && a->atttypmod == b->atttypmod &&
								 a->attcollation == b->attcollation &&
								 strcmp(NameStr(a->attname), NameStr(b->attname)) == 0));
	}
	if (!same)
		refuse(child, ERRCODE_FEATURE_NOT_SUPPORTED,
			   "Their rows are not laid out alike: a column was dropped, or stands in another place.", NULL);
	for (int i = 0; i < x->natts; i++)
		if (is_not_null(x, i) != is_not_null(y, i))
			refuse(child, ERRCODE_FEATURE_NOT_SUPPORTED,
				   psprintf("Column \"%s\" may be null in one of them only.", NameStr(TupleDescAttr(x, i)->attname)),
				   NULL);
}

/* Values are computed by the base, and would be computed alike by the child. */
static void
check_generated(Relation base, Relation child)
{
	AttrNumber	attnum = router_unlike_generated(base, child);

	if (AttributeNumberIsValid(attnum))
		refuse(child, ERRCODE_FEATURE_NOT_SUPPORTED,
			   psprintf("Column \"%s\" is generated otherwise in the child.",
						NameStr(TupleDescAttr(RelationGetDescr(child), attnum - 1)->attname)), NULL);
}

/* The row of a constraint of this name and type, or NULL. */
static HeapTuple
find_constraint(Oid relid, const char *name, char type)
{
	HeapTuple	tup = SearchSysCache1(CONSTROID, ObjectIdGetDatum(get_relation_constraint_oid(relid, name, true)));

	if (HeapTupleIsValid(tup) && ((Form_pg_constraint) GETSTRUCT(tup))->contype != type)
	{
		ReleaseSysCache(tup);
		return NULL;
	}
	return tup;
}

static bool
same_attribute(HeapTuple a, HeapTuple b, AttrNumber attnum)
{
	bool		a_null,
				b_null;
	Datum		x = SysCacheGetAttr(CONSTROID, a, attnum, &a_null);
	Datum		y = SysCacheGetAttr(CONSTROID, b, attnum, &b_null);

	return router_same_array(x, a_null, y, b_null);
}

static bool
same_check(HeapTuple a, HeapTuple b)
{
	bool		a_null,
				b_null;
	Datum		x = SysCacheGetAttr(CONSTROID, a, Anum_pg_constraint_conbin, &a_null);
	Datum		y = SysCacheGetAttr(CONSTROID, b, Anum_pg_constraint_conbin, &b_null);

	return !a_null && !b_null && equal(stringToNode(TextDatumGetCString(x)), stringToNode(TextDatumGetCString(y)));
}

/* Do the rows of the other table satisfy this constraint, since that has it as well? */
static bool
is_kept_by(Oid other, HeapTuple tup)
{
	Form_pg_constraint form = (Form_pg_constraint) GETSTRUCT(tup);
	HeapTuple	own = find_constraint(other, NameStr(form->conname), form->contype);
	bool		kept;

	if (own == NULL)
		return false;
	kept = ((Form_pg_constraint) GETSTRUCT(own))->convalidated;
	if (form->contype == CONSTRAINT_CHECK)
		kept = kept && same_check(own, tup);
	else
		kept = kept && ((Form_pg_constraint) GETSTRUCT(own))->confrelid == form->confrelid &&
			same_attribute(own, tup, Anum_pg_constraint_conkey) &&
			same_attribute(own, tup, Anum_pg_constraint_confkey) &&
			same_attribute(own, tup, Anum_pg_constraint_conpfeqop);
	ReleaseSysCache(own);
	return kept;
}

/*
 * Does the other table keep the constraints of one? Those of the child, since
 * rows come to it to stay. The CHECKs of the base, since planners trust them, and older
 * snapshots see the rows of the child there.
 */
static void
check_constraints(Relation rel_of, Relation other, Relation child)
{
	Relation	rel = table_open(ConstraintRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tup;

	ScanKeyInit(&key, Anum_pg_constraint_conrelid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(RelationGetRelid(rel_of)));
	scan = systable_beginscan(rel, ConstraintRelidTypidNameIndexId, true, NULL, 1, &key);
	while ((tup = systable_getnext(scan)) != NULL)
	{
		Form_pg_constraint form = (Form_pg_constraint) GETSTRUCT(tup);

		/* what belongs to another constraint is as that is */
		if ((form->contype != CONSTRAINT_CHECK && (form->contype != CONSTRAINT_FOREIGN || other == child)) ||
			!form->convalidated || OidIsValid(form->conparentid) ||
			strcmp(NameStr(form->conname), ROUTER_CHECK_NAME) == 0)
			continue;
		if (!is_kept_by(RelationGetRelid(other), tup))
			refuse(child, ERRCODE_FEATURE_NOT_SUPPORTED,
				   psprintf("Constraint \"%s\" of \"%s\" is not one of \"%s\".", NameStr(form->conname),
							RelationGetRelationName(rel_of), RelationGetRelationName(other)),
				   "Drop it or add it to the other, or use router.archive.");
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
}

static bool
same_options(Oid a, Oid b)
{
	HeapTuple	x = SearchSysCache1(RELOID, ObjectIdGetDatum(a));
	HeapTuple	y = SearchSysCache1(RELOID, ObjectIdGetDatum(b));
	bool		x_null,
				y_null,
				same;
	Datum		x_options,
				y_options;

	if (!HeapTupleIsValid(x) || !HeapTupleIsValid(y))
		elog(ERROR, "cache lookup failed for relation %u or %u", a, b);
	x_options = SysCacheGetAttr(RELOID, x, Anum_pg_class_reloptions, &x_null);
	y_options = SysCacheGetAttr(RELOID, y, Anum_pg_class_reloptions, &y_null);
	same = router_same_array(x_options, x_null, y_options, y_null) &&
		((Form_pg_class) GETSTRUCT(x))->reltablespace == ((Form_pg_class) GETSTRUCT(y))->reltablespace;
	ReleaseSysCache(x);
	ReleaseSysCache(y);
	return same;
}

/* Pairs the indexes, those of the base first. */
static void
check_indexes(Relation base, Relation child, List **base_indexes, List **child_indexes)
{
	Oid			odd = router_pair_indexes(RelationGetRelid(base), RelationGetRelid(child), base_indexes, child_indexes);
	ListCell   *x,
			   *y;

	if (OidIsValid(odd))
		refuse(child, ERRCODE_FEATURE_NOT_SUPPORTED,
			   psprintf("Index \"%s\" has no counterpart, or is not valid.", get_rel_name(odd)),
			   "Mend that with router.sync, or use router.archive.");
	forboth(x, *base_indexes, y, *child_indexes)
	{
		if (!same_options(lfirst_oid(x), lfirst_oid(y)))
			refuse(child, ERRCODE_FEATURE_NOT_SUPPORTED,
				   psprintf("Indexes \"%s\" and \"%s\" have other options or tablespaces.",
							get_rel_name(lfirst_oid(x)), get_rel_name(lfirst_oid(y))),
				   "Mend that with router.sync, or use router.archive.");
	}
	if (OidIsValid(base->rd_rel->reltoastrelid) &&
		!same_options(base->rd_rel->reltoastrelid, child->rd_rel->reltoastrelid))
		refuse(child, ERRCODE_FEATURE_NOT_SUPPORTED, "Their TOAST tables have other options or tablespaces.",
			   "Mend that with router.sync, or use router.archive.");
}

/* Refuses to swap what does not fit. The indexes of the base, each with its counterpart. */
static void
check_swap(Relation base, Relation child, List **base_indexes, List **child_indexes)
{
	check_tables(base, child);
	check_columns(base, child);
	check_generated(base, child);
	check_constraints(child, base, child);
	check_constraints(base, child, child);
	check_indexes(base, child, base_indexes, child_indexes);
}

/*
 * Sees whether two tables may exchange their storage. As far as nothing of it is
 * locked exclusively, that may change until the swap.
 *
 * Errors: feature_not_supported, with what is in the way.
 */
void
router_check_swap(Relation base, Relation child)
{
	List	   *base_indexes,
			   *child_indexes;

	check_swap(base, child, &base_indexes, &child_indexes);
}

static void
check_published(Relation rel, Relation child)
{
	PublicationDesc desc;

	RelationBuildPublicationDesc(rel, &desc);
	if (desc.pubactions.pubinsert || desc.pubactions.pubupdate || desc.pubactions.pubdelete)
		refuse(child, ERRCODE_FEATURE_NOT_SUPPORTED,
			   psprintf("Changes of \"%s\" are published, and a subscriber would not learn of the swap.",
						RelationGetRelationName(rel)), NULL);
}

/* A subscriber would not be told that rows changed hands: refuses that, where it is no mere copy that comes. */
void
router_check_unpublished(Relation base, Relation child)
{
	check_published(base, child);
	check_published(child, child);
}

/* What was created in this transaction may have written no WAL yet: the files are synced by relation at commit. */
static void
check_not_new(Relation rel, Relation child)
{
	if (rel->rd_createSubid != InvalidSubTransactionId || router_first_file_subid(rel) != InvalidSubTransactionId)
		refuse(child, ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
			   psprintf("\"%s\" was created, truncated or rewritten in this transaction.", RelationGetRelationName(rel)),
			   "Commit first, or use router.archive.");
}

/* -------------------------------------------------------------------- the swap */

static void
take_storage(Form_pg_class to, const FormData_pg_class *from)
{
	to->relfilenode = from->relfilenode;
	to->reltoastrelid = from->reltoastrelid;
	to->relpages = from->relpages;
	to->reltuples = from->reltuples;
	to->relallvisible = from->relallvisible;
	to->relfrozenxid = from->relfrozenxid;
	to->relminmxid = from->relminmxid;
}

static void
swap_class_rows(Relation pg_class, Oid a, Oid b)
{
	HeapTuple	tup_a = SearchSysCacheCopy1(RELOID, ObjectIdGetDatum(a));
	HeapTuple	tup_b = SearchSysCacheCopy1(RELOID, ObjectIdGetDatum(b));
	Form_pg_class x,
				y;
	FormData_pg_class was;

	if (!HeapTupleIsValid(tup_a) || !HeapTupleIsValid(tup_b))
		elog(ERROR, "cache lookup failed for relation %u or %u", a, b);
	x = (Form_pg_class) GETSTRUCT(tup_a);
	y = (Form_pg_class) GETSTRUCT(tup_b);
	if (x->relfilenode == 0 || y->relfilenode == 0)
		elog(ERROR, "relation %u or %u is mapped", a, b);
	was = *x;
	take_storage(x, y);
	take_storage(y, &was);
	router_swap_all_frozen(x, y);
	CatalogTupleUpdate(pg_class, &tup_a->t_self, tup_a);
	CatalogTupleUpdate(pg_class, &tup_b->t_self, tup_b);
	InvokeObjectPostAlterHookArg(RelationRelationId, a, 0, InvalidOid, true);
	InvokeObjectPostAlterHookArg(RelationRelationId, b, 0, InvalidOid, true);
	router_close_storage(a);
	router_close_storage(b);
	heap_freetuple(tup_a);
	heap_freetuple(tup_b);
}

/* indcheckxmin tells of the chains of row versions that an index was built over: it goes with them. */
static void
swap_index_rows(Oid a, Oid b)
{
	Relation	rel = table_open(IndexRelationId, RowExclusiveLock);
	HeapTuple	tup_a = SearchSysCacheCopy1(INDEXRELID, ObjectIdGetDatum(a));
	HeapTuple	tup_b = SearchSysCacheCopy1(INDEXRELID, ObjectIdGetDatum(b));
	Form_pg_index x,
				y;

	if (!HeapTupleIsValid(tup_a) || !HeapTupleIsValid(tup_b))
		elog(ERROR, "cache lookup failed for index %u or %u", a, b);
	x = (Form_pg_index) GETSTRUCT(tup_a);
	y = (Form_pg_index) GETSTRUCT(tup_b);
	if (x->indcheckxmin != y->indcheckxmin)
	{
		x->indcheckxmin = !x->indcheckxmin;
		y->indcheckxmin = !y->indcheckxmin;
		CatalogTupleUpdate(rel, &tup_a->t_self, tup_a);
		CatalogTupleUpdate(rel, &tup_b->t_self, tup_b);
	}
	table_close(rel, RowExclusiveLock);
}

/* What a column has where a row ends before it. */
static void
swap_missing_values(Relation base, Relation child)
{
	Relation	rel = table_open(AttributeRelationId, RowExclusiveLock);
	int			columns[] = {Anum_pg_attribute_atthasmissing, Anum_pg_attribute_attmissingval};

	for (AttrNumber attnum = 1; attnum <= RelationGetNumberOfAttributes(base); attnum++)
	{
		HeapTuple	tups[2];
		Datum		values[2][2];
		bool		nulls[2][2] = {{false}};

		if (!TupleDescAttr(RelationGetDescr(base), attnum - 1)->atthasmissing &&
			!TupleDescAttr(RelationGetDescr(child), attnum - 1)->atthasmissing)
			continue;
		for (int i = 0; i < 2; i++)
		{
			tups[i] = SearchSysCacheCopy2(ATTNUM, ObjectIdGetDatum(RelationGetRelid(i == 0 ? base : child)),
										  Int16GetDatum(attnum));
			if (!HeapTupleIsValid(tups[i]))
				elog(ERROR, "cache lookup failed for column %d", attnum);
			values[i][0] = BoolGetDatum(((Form_pg_attribute) GETSTRUCT(tups[i]))->atthasmissing);
			values[i][1] = heap_getattr(tups[i], Anum_pg_attribute_attmissingval, RelationGetDescr(rel), &nulls[i][1]);
		}
		for (int i = 0; i < 2; i++)
		{
			HeapTuple	changed = heap_modify_tuple_by_cols(tups[i], RelationGetDescr(rel), 2, columns, values[1 - i],
															nulls[1 - i]);

			CatalogTupleUpdate(rel, &changed->t_self, changed);
		}
	}
	table_close(rel, RowExclusiveLock);
}

/* Names a TOAST table and its index after the table that they belong to, or by a name for the time being. */
static void
rename_toast(Oid toast, Oid owner, bool temporarily)
{
	const char *suffix = temporarily ? "_swap" : "";

	RenameRelationInternal(toast, psprintf("pg_toast_%u%s", owner, suffix), true, false);
	RenameRelationInternal(toast_get_valid_index(toast, AccessExclusiveLock),
						   psprintf("pg_toast_%u%s_index", owner, suffix), true, true);
	CommandCounterIncrement();
}

static void
swap_toast_owners(Oid base, Oid base_toast, Oid child, Oid child_toast)
{
	if (changeDependencyFor(RelationRelationId, base_toast, RelationRelationId, base, child) != 1 ||
		changeDependencyFor(RelationRelationId, child_toast, RelationRelationId, child, base) != 1)
		elog(ERROR, "TOAST table of relation %u or %u does not depend on it", base, child);
	CommandCounterIncrement();
	rename_toast(base_toast, child, true);
	rename_toast(child_toast, base, false);
	rename_toast(base_toast, child, false);
}

/* The CHECK of a child holds for its rows, but not for all versions that somebody may still see. */
static void
unvalidate_home(Oid child)
{
	Relation	rel = table_open(ConstraintRelationId, RowExclusiveLock);
	Oid			constraint = get_relation_constraint_oid(child, ROUTER_CHECK_NAME, true);
	HeapTuple	tup = SearchSysCacheCopy1(CONSTROID, ObjectIdGetDatum(constraint));

	if (HeapTupleIsValid(tup))
	{
		((Form_pg_constraint) GETSTRUCT(tup))->convalidated = false;
		CatalogTupleUpdate(rel, &tup->t_self, tup);
		CacheInvalidateRelcacheByRelid(child);
		heap_freetuple(tup);
	}
	table_close(rel, RowExclusiveLock);
	CommandCounterIncrement();
}

/*
 * Exchanges the storage of two tables, both locked AccessExclusive, and leaves
 * the CHECK of the child NOT VALID.
 *
 * Errors: those of router_check_swap; object_not_in_prerequisite_state (new in
 * this transaction), object_in_use (command: on behalf of what).
 */
void
router_swap_storage(Relation base, Relation child, const char *command)
{
	Oid			base_toast = base->rd_rel->reltoastrelid;
	Oid			child_toast = child->rd_rel->reltoastrelid;
	Relation	pg_class;
	List	   *base_indexes,
			   *child_indexes;
	ListCell   *x,
			   *y;

	check_swap(base, child, &base_indexes, &child_indexes);
	router_refuse_pending(RelationGetRelid(base), "swap the storage of");
	router_refuse_pending(RelationGetRelid(child), "swap the storage of");
	check_not_new(base, child);
	check_not_new(child, child);
	CheckTableNotInUse(base, command);
	CheckTableNotInUse(child, command);
	/* VACUUM updates their rows of pg_class in place, under ShareUpdateExclusiveLock */
	if (OidIsValid(base_toast))
	{
		LockRelationOid(base_toast, AccessExclusiveLock);
		LockRelationOid(child_toast, AccessExclusiveLock);
	}
	/* predicate locks on pages and rows would be found on the wrong ones */
	TransferPredicateLocksToHeapRelation(base);
	TransferPredicateLocksToHeapRelation(child);
	pgstat_copy_relation_stats(child, base);

	pg_class = table_open(RelationRelationId, RowExclusiveLock);
	swap_class_rows(pg_class, RelationGetRelid(base), RelationGetRelid(child));
	forboth(x, base_indexes, y, child_indexes)
	{
		LockRelationOid(lfirst_oid(x), AccessExclusiveLock);
		LockRelationOid(lfirst_oid(y), AccessExclusiveLock);
		swap_class_rows(pg_class, lfirst_oid(x), lfirst_oid(y));
		swap_index_rows(lfirst_oid(x), lfirst_oid(y));
	}
	table_close(pg_class, RowExclusiveLock);
	swap_missing_values(base, child);
	CommandCounterIncrement();
	if (OidIsValid(base_toast))
		swap_toast_owners(RelationGetRelid(base), base_toast, RelationGetRelid(child), child_toast);
	unvalidate_home(RelationGetRelid(child));
}
