/*
 * rotate.c
 *		router.rotate: turnover of a hot base. When nearly all of its rows are
 *		aged and belong to one child that is new, or nearly empty, the two
 *		tables exchange their storage, and only the other rows are moved: the
 *		hot ones back into the base, those of other children into these.
 *
 * Steps, each one of job.c:
 *	1. Survey: find the child that most rows of the base belong to, create it
 *	   and those that other aged rows need, and see that the swap is possible.
 *	2. Swap, under AccessExclusiveLock on both tables: storage, watermark, and
 *	   the rows that are not at home afterwards, in one transaction. Nobody else
 *	   has a plan then that he could still run without looking at the catalog again,
 *	   so that the child need not be known before.
 *	3. Afterwards: wait until every snapshot is gone that was taken before the
 *	   swap, validate the CHECK of the child, ANALYZE it.
 *
 * Row versions stay where they lie, so that an older snapshot sees what it saw,
 * now by way of the child: that of a row which is hot as well. A planner that
 * trusts the CHECK of the child would pass it over. So the CHECK is NOT VALID
 * from the swap until step 3.
 *
 * The storage of a table is its heap with all forks, its TOAST table (the
 * table itself changes hands, since TOAST pointers name it by OID), each index,
 * values of columns added later (attmissingval), and what pg_class knows about
 * them: sizes, relfrozenxid, relminmxid. What is swapped is modelled on
 * swap_relation_files and finish_heap_swap in src/backend/commands/cluster.c.
 * No file comes or goes, so that nothing is to be done at commit or abort,
 * in recovery or on a standby but what any change of the catalog asks for.
 *
 * Memory: as job.c says.
 */
#include "compat.h"
#include "rotate.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/toast_internals.h"
#include "access/transam.h"
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
#include "executor/spi.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "pgstat.h"
#include "storage/lmgr.h"
#include "storage/predicate.h"
#include "storage/proc.h"
#include "storage/procarray.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "home.h"
#include "mirror.h"
#include "route.h"
#include "settle.h"

/* how often a row is met whose child has just been dropped, or that came late */
#define MAX_SURVEYS 5

/* archive swaps if it has to move back less than one row of so many */
#define PAYS_FROM 5

/* the lock timeout that archive grants */
#define SHORT_TIMEOUT_MS 100

PG_FUNCTION_INFO_V1(router_rotate);

typedef struct Rotate
{
	RouterJob	job;
	RouterEntry *entry;
	const char *cutoff_text;	/* or NULL: by the hot window */
	int64		cutoff;
	bool		dry_run;
	bool		if_it_pays;		/* else whenever it is possible */

	/* the survey */
	Oid			child;			/* or InvalidOid: no aged row, or it does not pay */
	uint64		stay;			/* rows that the swap brings home */
	uint64		rest;			/* others */
	char	   *would;			/* dry run: the name of the child */

	bool		done;
	TransactionId xid;			/* that swapped */
	uint64		moved;
} Rotate;

/* ------------------------------------------------------------------ refusals */

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
		same = a->attisdropped == b->attisdropped && a->atttypid == b->atttypid && a->atttypmod == b->atttypmod &&
			a->attlen == b->attlen && a->attalign == b->attalign && a->attbyval == b->attbyval &&
			a->attcollation == b->attcollation && a->attgenerated == b->attgenerated &&
			(a->attisdropped || strcmp(NameStr(a->attname), NameStr(b->attname)) == 0);
	}
	if (!same)
		refuse(child, ERRCODE_FEATURE_NOT_SUPPORTED,
			   "Their rows are not laid out alike: a column was dropped, or stands in another place.", NULL);
	for (int i = 0; i < x->natts; i++)
		if (TupleDescAttr(y, i)->attnotnull && router_not_null_is_valid(y, i) &&
			!(TupleDescAttr(x, i)->attnotnull && router_not_null_is_valid(x, i)))
			refuse(child, ERRCODE_FEATURE_NOT_SUPPORTED,
				   psprintf("Column \"%s\" may be null in the base only.", NameStr(TupleDescAttr(x, i)->attname)), NULL);
}

static Node *
default_tree(TupleDesc desc, AttrNumber attnum)
{
	for (int i = 0; desc->constr && i < desc->constr->num_defval; i++)
		if (desc->constr->defval[i].adnum == attnum)
			return stringToNode(desc->constr->defval[i].adbin);
	return NULL;
}

/* Values are computed by the base, and would be computed alike by the child. */
static void
check_generated(Relation base, Relation child)
{
	TupleDesc	desc = RelationGetDescr(base);

	for (AttrNumber attnum = 1; attnum <= desc->natts; attnum++)
	{
		Bitmapset  *columns = NULL;
		Node	   *tree;

		if (TupleDescAttr(desc, attnum - 1)->attgenerated == '\0')
			continue;
		tree = default_tree(desc, attnum);
		pull_varattnos(tree, 1, &columns);
		if (!equal(tree, default_tree(RelationGetDescr(child), attnum)) ||
			bms_is_member(TableOidAttributeNumber - FirstLowInvalidHeapAttributeNumber, columns))
			refuse(child, ERRCODE_FEATURE_NOT_SUPPORTED,
				   psprintf("Column \"%s\" is generated otherwise in the child.",
							NameStr(TupleDescAttr(desc, attnum - 1)->attname)), NULL);
	}
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

/* Do the rows of the base satisfy this constraint of the child, since the base has it as well? */
static bool
is_kept_by_base(Oid base, HeapTuple tup)
{
	Form_pg_constraint form = (Form_pg_constraint) GETSTRUCT(tup);
	HeapTuple	own = find_constraint(base, NameStr(form->conname), form->contype);
	bool		kept;

	if (own == NULL)
		return false;
	kept = ((Form_pg_constraint) GETSTRUCT(own))->convalidated;
	if (form->contype == CONSTRAINT_CHECK)
		kept = kept && same_check(own, tup);
	else
		kept = kept && ((Form_pg_constraint) GETSTRUCT(own))->confrelid == form->confrelid &&
			same_attribute(own, tup, Anum_pg_constraint_conkey) && same_attribute(own, tup, Anum_pg_constraint_confkey) &&
			same_attribute(own, tup, Anum_pg_constraint_conpfeqop);
	ReleaseSysCache(own);
	return kept;
}

static void
check_constraints(Relation base, Relation child)
{
	Relation	rel = table_open(ConstraintRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tup;

	ScanKeyInit(&key, Anum_pg_constraint_conrelid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(RelationGetRelid(child)));
	scan = systable_beginscan(rel, ConstraintRelidTypidNameIndexId, true, NULL, 1, &key);
	while ((tup = systable_getnext(scan)) != NULL)
	{
		Form_pg_constraint form = (Form_pg_constraint) GETSTRUCT(tup);

		if ((form->contype != CONSTRAINT_CHECK && form->contype != CONSTRAINT_FOREIGN) || !form->convalidated ||
			strcmp(NameStr(form->conname), ROUTER_CHECK_NAME) == 0)
			continue;
		if (!is_kept_by_base(RelationGetRelid(base), tup))
			refuse(child, ERRCODE_FEATURE_NOT_SUPPORTED,
				   psprintf("Constraint \"%s\" of the child is not one of the base.", NameStr(form->conname)),
				   "Drop it or add it to the base, or use router.archive.");
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

/* A subscriber would not be told that rows changed hands. */
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

/* All that does not change while the tables are locked. */
static void
check_pair(Relation base, Relation child, List **base_indexes, List **child_indexes)
{
	check_tables(base, child);
	check_columns(base, child);
	check_generated(base, child);
	check_constraints(base, child);
	check_indexes(base, child, base_indexes, child_indexes);
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
swap_class_rows(Relation pg_class, Oid a, Oid b)
{
	HeapTuple	tup_a = SearchSysCacheCopy1(RELOID, ObjectIdGetDatum(a));
	HeapTuple	tup_b = SearchSysCacheCopy1(RELOID, ObjectIdGetDatum(b));
	Form_pg_class x,
				y;

	if (!HeapTupleIsValid(tup_a) || !HeapTupleIsValid(tup_b))
		elog(ERROR, "cache lookup failed for relation %u or %u", a, b);
	x = (Form_pg_class) GETSTRUCT(tup_a);
	y = (Form_pg_class) GETSTRUCT(tup_b);
	if (x->relfilenode == 0 || y->relfilenode == 0)
		elog(ERROR, "relation %u or %u is mapped", a, b);
	router_swap(Oid, x->relfilenode, y->relfilenode);
	router_swap(Oid, x->reltoastrelid, y->reltoastrelid);
	router_swap(int32, x->relpages, y->relpages);
	router_swap(float4, x->reltuples, y->reltuples);
	router_swap(int32, x->relallvisible, y->relallvisible);
	router_swap_all_frozen(x, y);
	router_swap(TransactionId, x->relfrozenxid, y->relfrozenxid);
	router_swap(TransactionId, x->relminmxid, y->relminmxid);
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
		router_swap(bool, x->indcheckxmin, y->indcheckxmin);
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

/* Exchanges the storage of two tables that check_pair found alike, both locked AccessExclusive. */
static void
swap_storage(Relation base, Relation child, List *base_indexes, List *child_indexes)
{
	Oid			base_toast = base->rd_rel->reltoastrelid;
	Oid			child_toast = child->rd_rel->reltoastrelid;
	Relation	pg_class;
	ListCell   *x,
			   *y;

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
}

/* The CHECK of a child holds for its rows, but not for all versions that somebody may still see. */
static void
unvalidate_home(Oid child)
{
	Relation	rel = table_open(ConstraintRelationId, RowExclusiveLock);
	HeapTuple	tup = SearchSysCacheCopy1(CONSTROID,
										  ObjectIdGetDatum(get_relation_constraint_oid(child, ROUTER_CHECK_NAME, true)));

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

/* ------------------------------------------------------------------ the survey */

static RouterRoute *
hot_route(Rotate *rotate)
{
	RouterRoute *route = router_route_locked(rotate->entry);

	if (route->hot_level < 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("routed table \"%s\" is not hot", get_rel_name(rotate->job.base)),
				 errhint("Say how long rows stay in it, with router.alter_route(…, hot => '7 days').")));
	return route;
}

/* Rows of the base by home. */
typedef struct Count
{
	Oid			home;			/* hash key; InvalidOid: hot */
	uint64		rows;
} Count;

static HTAB *
make_counts(void)
{
	HASHCTL		ctl = {.keysize = sizeof(Oid),.entrysize = sizeof(Count),.hcxt = CurrentMemoryContext};

	return hash_create("router rotate", 64, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

static Count *
count_of(HTAB *counts, Oid home)
{
	bool		found;
	Count	   *count = hash_search(counts, &home, HASH_ENTER, &found);

	if (!found)
		count->rows = 0;
	return count;
}

/* The rows between two points of an index, up to a limit. */
static uint64
count_range(Relation base, Relation index, const RouterKey *key, int64 from, int64 before, uint64 limit)
{
	IndexScanDesc scan = router_key_scan(base, index, key, GetActiveSnapshot(), from, before);
	TupleTableSlot *slot = table_slot_create(base, NULL);
	uint64		n = 0;

	while (n < limit && index_getnext_slot(scan, ForwardScanDirection, slot))
	{
		CHECK_FOR_INTERRUPTS();
		n++;
	}
	ExecDropSingleTupleTableSlot(slot);
	index_endscan(scan);
	return n;
}

/* Hot rows are counted up to here: with more of them the swap would not be worth it. */
static uint64
hot_limit(Rotate *rotate, Relation base)
{
	if (!rotate->if_it_pays || base->rd_rel->reltuples < 0)
		return PG_UINT64_MAX;
	return (uint64) base->rd_rel->reltuples / PAYS_FROM + 1;
}

/*
 * Counts by an index on the only key, from child to child. The homes are those
 * of archiving. False: the default child is one of them, whose rows lie scattered.
 */
static bool
count_by_index(Rotate *rotate, Relation base, Oid relid, RouterHomes *homes, HTAB *counts)
{
	Relation	index = index_open(relid, AccessShareLock);
	RouterKey	key = hot_route(rotate)->config.keys[0];
	TupleTableSlot *slot = table_slot_create(base, NULL);
	uint64		limit = hot_limit(rotate, base);
	int64		from = PG_INT64_MIN;
	bool		ranges = true;

	count_of(counts, InvalidOid)->rows = count_range(base, index, &key, rotate->cutoff, PG_INT64_MAX, limit);
	while (ranges && from < rotate->cutoff && count_of(counts, InvalidOid)->rows < limit)
	{
		IndexScanDesc scan = router_key_scan(base, index, &key, GetActiveSnapshot(), from, rotate->cutoff);
		bool		found = index_getnext_slot(scan, ForwardScanDirection, slot);
		RouterDest *dest;
		RouterBound *bound;
		int			guc_level;

		CHECK_FOR_INTERRUPTS();
		if (found)
			ExecMaterializeSlot(slot);
		index_endscan(scan);
		if (!found)
			break;
		dest = router_home(homes, slot);
		guc_level = router_pin_settings(hot_route(rotate)->config.time_zone);
		bound = router_bound_parse(&key, router_catalog_child(RelationGetRelid(dest->rel))->bounds[0]);
		AtEOXact_GUC(false, guc_level);
		ranges = bound->form == ROUTER_BOUND_RANGE;
		if (!ranges)
			break;
		count_of(counts, RelationGetRelid(dest->rel))->rows +=
			count_range(base, index, &key, bound->lo, bound->hi >= rotate->cutoff ? rotate->cutoff : bound->hi + 1,
						PG_UINT64_MAX);
		from = bound->hi >= rotate->cutoff ? rotate->cutoff : bound->hi + 1;
	}
	ExecDropSingleTupleTableSlot(slot);
	index_close(index, NoLock);
	return ranges;
}

static void
count_all(Rotate *rotate, Relation base, RouterHomes *homes, HTAB *counts)
{
	RouterKey	key = hot_route(rotate)->config.keys[hot_route(rotate)->hot_level];
	TupleTableSlot *slot = table_slot_create(base, NULL);
	TableScanDesc scan = table_beginscan(base, GetActiveSnapshot(), 0, NULL);
	uint64		limit = hot_limit(rotate, base);
	Count	   *hot = count_of(counts, InvalidOid);

	while (hot->rows < limit && table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		bool		isnull;
		Datum		datum = slot_getattr(slot, key.attnum, &isnull);

		CHECK_FOR_INTERRUPTS();
		ResetPerTupleExprContext(homes->estate);
		if (!isnull && router_key_int(&key, datum) >= rotate->cutoff)
			hot->rows++;
		else
			count_of(counts, RelationGetRelid(router_home(homes, slot)->rel))->rows++;
	}
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
}

/* The rows there are in a child, up to a limit. */
static uint64
count_child(Relation child, uint64 limit)
{
	TableScanDesc scan = table_beginscan(child, GetActiveSnapshot(), 0, NULL);
	TupleTableSlot *slot = table_slot_create(child, NULL);
	uint64		n = 0;

	while (n < limit && table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		CHECK_FOR_INTERRUPTS();
		n++;
	}
	ExecDropSingleTupleTableSlot(slot);
	table_endscan(scan);
	return n;
}

/* Takes the home of most aged rows for the child, if there is one. */
static void
choose_child(Rotate *rotate, HTAB *counts)
{
	Oid			default_child = hot_route(rotate)->default_child;
	HASH_SEQ_STATUS status;
	Count	   *count;
	Relation	child;

	rotate->child = InvalidOid;
	rotate->stay = rotate->rest = 0;
	hash_seq_init(&status, counts);
	while ((count = hash_seq_search(&status)) != NULL)
	{
		rotate->rest += count->rows;
		if (OidIsValid(count->home) && count->home != default_child && count->rows > rotate->stay)
		{
			rotate->child = count->home;
			rotate->stay = count->rows;
		}
	}
	rotate->rest -= rotate->stay;
	if (!OidIsValid(rotate->child))
		return;
	child = table_open(rotate->child, AccessShareLock);
	if (child->rd_rel->relkind == RELKIND_RELATION)
		rotate->rest += count_child(child, rotate->stay);
	table_close(child, NoLock);
}

/* Refuses a child that is not worth it, or forgets it. */
static void
weigh(Rotate *rotate)
{
	uint64		limit = rotate->if_it_pays ? (rotate->stay + rotate->rest) / PAYS_FROM : rotate->stay;

	if (!OidIsValid(rotate->child) || rotate->rest < limit)
		return;
	if (!rotate->if_it_pays)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("swapping the storage of \"%s\" would not save work", get_rel_name(rotate->job.base)),
				 errdetail("%llu aged rows belong to child \"%s\", but %llu others would have to be moved.",
						   (unsigned long long) rotate->stay, get_rel_name(rotate->child),
						   (unsigned long long) rotate->rest),
				 errhint("Use router.archive, which copies the rows.")));
	rotate->child = InvalidOid;
}

/* Step 1. */
static bool
survey(RouterJob *job)
{
	Rotate	   *rotate = (Rotate *) job;
	Relation	base = table_open(job->base, RowExclusiveLock);
	EState	   *estate = router_make_estate(base, NULL);
	HTAB	   *counts = make_counts();
	RouterRoute *route = hot_route(rotate);
	int			guc_level = router_pin_settings(route->config.time_zone);
	bool		one_key = route->config.nkeys == 1;
	RouterHomes homes;
	Oid			index = router_key_index(base, route->config.keys[route->hot_level].column);

	rotate->cutoff = rotate->cutoff_text ?
		router_key_parse(&route->config.keys[route->hot_level], rotate->cutoff_text) : router_hot_cutoff(&route->config);
	AtEOXact_GUC(false, guc_level);
	router_homes_init(&homes, rotate->entry, base, estate, router_make_root(estate, base));
	homes.archiving = true;
	homes.moving = true;
	homes.created = PG_INT32_MIN;	/* the rows are there: no rail holds them back */
	PushActiveSnapshot(GetLatestSnapshot());
	if (rotate->cutoff > hot_route(rotate)->watermark)
	{
		if (!one_key || !OidIsValid(index) || !count_by_index(rotate, base, index, &homes, counts))
		{
			counts = make_counts();
			count_all(rotate, base, &homes, counts);
		}
	}
	router_homes_close(&homes);
	router_free_estate(estate);
	choose_child(rotate, counts);
	PopActiveSnapshot();
	weigh(rotate);
	if (OidIsValid(rotate->child))
	{
		Relation	child = table_open(rotate->child, AccessShareLock);
		List	   *base_indexes,
				   *child_indexes;

		check_pair(base, child, &base_indexes, &child_indexes);
		table_close(child, NoLock);
	}
	table_close(base, NoLock);
	/* in this step notices are not sent, and the child may be gone after it */
	if (rotate->dry_run && OidIsValid(rotate->child))
		rotate->would = MemoryContextStrdup(job->cxt, router_qualified_name(rotate->child));
	/* a run that will swap nothing leaves no children behind */
	return OidIsValid(rotate->child) && !rotate->dry_run;
}

/* -------------------------------------------------------------- the other steps */

static bool
send_rows_home(Rotate *rotate, Oid from)
{
	RouterRoute *route = router_route_locked(rotate->entry);
	RouterSettle settle = {.entry = rotate->entry,.from = from,.create_none = true};

	if (from == rotate->child && route->config.nkeys == 1)
	{
		RouterKey  *key = &route->config.keys[0];
		int			guc_level = router_pin_settings(route->config.time_zone);
		RouterBound *bound = router_bound_parse(key, router_catalog_child(from)->bounds[0]);

		AtEOXact_GUC(false, guc_level);
		settle.some_stay = bound->form == ROUTER_BOUND_RANGE;
		settle.stay_from = bound->lo;
		settle.stay_before = bound->hi >= rotate->cutoff ? rotate->cutoff : bound->hi + 1;
	}
	router_settle(&settle);
	rotate->moved += settle.moved;
	return !settle.missing;
}

/* Is the child still one, and are the rows the survey counted still there? */
static bool
is_current(Rotate *rotate)
{
	RouterChildDef *def = router_catalog_child(rotate->child);

	return def && def->base == rotate->job.base && hot_route(rotate)->watermark < rotate->cutoff;
}

/* Step 2. */
static bool
swap(RouterJob *job)
{
	Rotate	   *rotate = (Rotate *) job;
	Relation	base = table_open(job->base, AccessExclusiveLock);
	Relation	child = try_table_open(rotate->child, AccessExclusiveLock);
	List	   *base_indexes,
			   *child_indexes;
	bool		done;

	if (child == NULL || !is_current(rotate))
	{
		if (child)
			table_close(child, NoLock);
		table_close(base, NoLock);
		return false;
	}
	check_pair(base, child, &base_indexes, &child_indexes);
	check_not_new(base, child);
	check_not_new(child, child);
	CheckTableNotInUse(base, "router.rotate");
	CheckTableNotInUse(child, "router.rotate");
	swap_storage(base, child, base_indexes, child_indexes);
	unvalidate_home(rotate->child);
	rotate->moved = 0;
	rotate->xid = GetTopTransactionId();
	router_put_watermark(rotate->entry, rotate->cutoff, hot_route(rotate)->pending);
	done = send_rows_home(rotate, job->base) && send_rows_home(rotate, rotate->child);
	table_close(child, NoLock);
	table_close(base, NoLock);
	rotate->done = done;
	return done;
}

/* Waits for those who have a snapshot to which the swap has not happened: to the end of their transactions. */
static void
wait_for_old_snapshots(TransactionId xid)
{
	VirtualTransactionId *older;
	int			n;

	older = GetCurrentVirtualXIDs(xid, true, false, PROC_IS_AUTOVACUUM | PROC_IN_VACUUM | PROC_IN_SAFE_IC, &n);
	for (int i = 0; i < n; i++)
		(void) VirtualXactLock(older[i], true);
}

/* Step 3. Two that wait for each other are told apart by the deadlock detector, and try again. */
static bool
validate(RouterJob *job)
{
	Rotate	   *rotate = (Rotate *) job;
	char	   *name = router_qualified_name(rotate->child);

	wait_for_old_snapshots(rotate->xid);
	SPI_connect();
	router_run_at_rest(psprintf("ALTER TABLE %s VALIDATE CONSTRAINT %s", name, ROUTER_CHECK_NAME));
	router_run("ANALYZE %s", name);
	SPI_finish();
	return true;
}

static void
finish(Rotate *rotate)
{
	ErrorData  *error = rotate->job.atomic ? NULL : router_job_insist(&rotate->job, validate, true);

	if (error || rotate->job.atomic)
		ereport(error ? WARNING : NOTICE,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("constraint \"%s\" of %s is not validated yet: %s", ROUTER_CHECK_NAME,
						router_qualified_name(rotate->child),
						error ? error->message : "snapshots older than this transaction may be in use"),
				 errhint("Queries read the child without need until ALTER TABLE %s VALIDATE CONSTRAINT %s.",
						 router_qualified_name(rotate->child), ROUTER_CHECK_NAME)));
}

/* --------------------------------------------------------------- the procedure */

static bool
open_base(RouterJob *job)
{
	Rotate	   *rotate = (Rotate *) job;

	rotate->entry = router_owned_route(job->base);
	(void) hot_route(rotate);
	return true;
}

static ErrorData *
run(Rotate *rotate)
{
	ErrorData  *error = router_job_insist(&rotate->job, open_base, false);

	for (int i = 0; error == NULL && !rotate->done && i < MAX_SURVEYS; i++)
	{
		error = router_job_insist(&rotate->job, survey, true);
		if (error || !OidIsValid(rotate->child) || rotate->dry_run)
			return error;
		error = router_job_insist(&rotate->job, swap, true);
	}
	if (error == NULL && rotate->done)
		finish(rotate);
	return error;
}

/*
 * Rotates job->base, as router.rotate does; commits in between unless the job
 * is atomic. cutoff NULL: by the hot window. NULL: all went well, and *rows
 * came home; else the error, which is in router.events already.
 */
ErrorData *
router_rotate_base(const RouterJob *job, const char *cutoff, bool dry_run, uint64 *rows)
{
	Rotate		rotate = {.job = *job,.cutoff_text = cutoff,.dry_run = dry_run};
	ErrorData  *error = run(&rotate);

	*rows = rotate.done ? rotate.stay : 0;
	if (rotate.would)
		ereport(NOTICE,
				(errmsg("would swap the storage of %s with that of %s, which brings %llu rows home, and move %llu others",
						router_qualified_name(job->base), rotate.would, (unsigned long long) rotate.stay,
						(unsigned long long) rotate.rest)));
	else if (rotate.done)
		ereport(NOTICE,
				(errmsg("swapped the storage of %s with that of %s, and moved %llu rows", router_qualified_name(job->base),
						router_qualified_name(rotate.child), (unsigned long long) rotate.moved)));
	else if (error == NULL)
		ereport(NOTICE,
				(errmsg("nothing to rotate: %s has no aged rows", router_qualified_name(job->base))));
	if (!dry_run)
		router_job_note(&rotate.job, *rows, error);
	return error;
}

/*
 * For router.archive: rotates job->base if that is much less work than copying
 * its aged rows, and if the locks are free for the asking. False: it is not, or
 * cannot be done; nothing happened. Nothing goes to router.events.
 */
bool
router_rotate_if_it_pays(const RouterJob *job, const char *cutoff, uint64 *rows)
{
	Rotate		rotate = {.job = *job,.cutoff_text = cutoff,.if_it_pays = true};
	ErrorData  *error;

	rotate.job.lock_timeout = Min(job->lock_timeout, SHORT_TIMEOUT_MS);
	error = run(&rotate);
	if (error && error->sqlerrcode != ERRCODE_FEATURE_NOT_SUPPORTED &&
		error->sqlerrcode != ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE && error->sqlerrcode != ERRCODE_LOCK_NOT_AVAILABLE)
		ereport(WARNING,
				(errcode(error->sqlerrcode),
				 errmsg("could not rotate %s, so its rows are copied: %s", router_qualified_name(job->base),
						error->message)));
	*rows = rotate.done ? rotate.stay : 0;
	return rotate.done;
}

/* CALL router.rotate(base, lock_timeout, cutoff, dry_run) */
Datum
router_rotate(PG_FUNCTION_ARGS)
{
	RouterJob	job = {0};
	char	   *cutoff;
	ErrorData  *error;
	uint64		rows;

	if (PG_ARGISNULL(0) || PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("arguments base and lock_timeout of router.rotate cannot be null")));
	job.lock_timeout = router_job_lock_timeout(PG_GETARG_INTERVAL_P(1));
	job.deadline = router_job_deadline(NULL);
	job.base = PG_GETARG_OID(0);
	router_job_begin(&job, fcinfo, "rotate");
	cutoff = PG_ARGISNULL(2) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(2));
	error = router_rotate_base(&job, cutoff, !PG_ARGISNULL(3) && PG_GETARG_BOOL(3), &rows);
	if (error)
		ReThrowError(error);
	router_job_end(&job);
	PG_RETURN_VOID();
}
