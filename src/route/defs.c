/*
 * defs.c
 *		Rows of the tables of router's schema: looked for, read, written.
 *
 * Rows are written with the heap functions, not SQL, so that a role with
 * nothing but INSERT on a base can cause a child without any right here; who
 * may do what is checked by the callers. Rows are read under a new snapshot:
 * what is committed now plus what this transaction did; what belongs together
 * under one (router_catalog_read_at_once). A child that another
 * session committed after our snapshot was taken must be seen at every
 * isolation level, and a serializable transaction must take no predicate lock
 * on the whole catalog (two creators would fail each other): hence SnapshotAny, and
 * a look at each row by router_catalog_next. SnapshotSelf would not do: it asks of each version what holds
 * now, and can meet neither the old nor the new one of a row that is being changed.
 *
 * Locking: AccessShareLock to read, RowExclusiveLock to write. Whoever changes
 * a route or its children holds ShareUpdateExclusiveLock or more on the base.
 * Each change invalidates the relcache entry of the base (there, and for
 * changes made with SQL by changed.c), which tells cache.c; or less: see
 * router_marks_id.
 */
#include "compat.h"
#include "route/defs.h"

#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "commands/extension.h"
#include "storage/bufmgr.h"
#include "utils/backend_status.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "base/waitpoint.h"

Oid
router_catalog_relid(const char *name)
{
	Oid			relid = get_relname_relid(name, get_namespace_oid("router", false));

	if (!OidIsValid(relid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("table router.%s does not exist", name),
				 errhint("Install the extension with CREATE EXTENSION router.")));
	return relid;
}

/* Is the extension installed in this database? */
bool
router_catalog_exists(void)
{
	Oid			nsp = get_namespace_oid("router", true);

	return OidIsValid(nsp) && OidIsValid(get_relname_relid("route_def", nsp)) &&
		OidIsValid(get_relname_relid("child_def", nsp)) && OidIsValid(get_extension_oid("router", true));
}

/* What several scans read at once; NULL: each has a snapshot of its own. */
static Snapshot shared_snapshot = NULL;

/* Calls a function whose scans all read what was committed when this began. It changes nothing. */
void
router_catalog_read_at_once(void (*read) (void *arg), void *arg)
{
	Snapshot	outer = shared_snapshot;
	Snapshot	snapshot = outer ? outer : RegisterSnapshot(GetCatalogSnapshot(router_catalog_relid("route_def")));

	shared_snapshot = snapshot;
	PG_TRY();
	{
		read(arg);
	}
	PG_FINALLY();
	{
		shared_snapshot = outer;
	}
	PG_END_TRY();
	if (outer == NULL)
		UnregisterSnapshot(snapshot);
}

/* snapshot NULL: what is committed now */
static SysScanDesc
begin_scan(Relation rel, const char *index, AttrNumber attno, Oid relid, Snapshot snapshot)
{
	ScanKeyData key;
	SysScanDesc scan;

	if (attno > 0)
		ScanKeyInit(&key, attno, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relid));
	scan = systable_beginscan(rel, index ? router_catalog_relid(index) : InvalidOid, index != NULL, SnapshotAny,
							  attno > 0 ? 1 : 0, &key);
	if (snapshot == NULL)
		snapshot = shared_snapshot ? shared_snapshot : GetCatalogSnapshot(RelationGetRelid(rel));
	/* systable_endscan lets go of it */
	scan->snapshot = RegisterSnapshot(snapshot);
	return scan;
}

/*
 * A scan for the rows whose regclass column attno (0: for all rows) is relid, in index order if there is an index; for
 * router_catalog_next and _end.
 */
SysScanDesc
router_catalog_scan(const char *table, const char *index, AttrNumber attno, Oid relid)
{
	return begin_scan(table_open(router_catalog_relid(table), AccessShareLock), index, attno, relid, NULL);
}

/* The same for the rows that a snapshot sees, in no order: queries ask, and a table of a page needs no index. */
SysScanDesc
router_catalog_scan_at(const char *table, const char *index, AttrNumber attno, Oid relid, Snapshot snapshot)
{
	Relation	rel = table_open(router_catalog_relid(table), AccessShareLock);

	return begin_scan(rel, RelationGetNumberOfBlocks(rel) > 1 ? index : NULL, attno, relid, snapshot);
}

/* The same for rows that are to be changed, in scan->heap_rel; for router_catalog_end_write. */
SysScanDesc
router_catalog_scan_to_write(const char *table, const char *index, AttrNumber attno, Oid relid)
{
	return begin_scan(table_open(router_catalog_relid(table), RowExclusiveLock), index, attno, relid, NULL);
}

/* The next row, or NULL. */
HeapTuple
router_catalog_next(SysScanDesc scan)
{
	HeapTuple	tup;

	while (HeapTupleIsValid(tup = systable_getnext(scan)))
		if (table_tuple_satisfies_snapshot(scan->heap_rel, scan->slot, scan->snapshot))
			break;
	if (HeapTupleIsValid(tup))
		ROUTER_WAITPOINT(RelationGetRelationName(scan->heap_rel));
	return tup;
}

void
router_catalog_end(SysScanDesc scan)
{
	Relation	rel = scan->heap_rel;

	systable_endscan(scan);
	table_close(rel, AccessShareLock);
}

/* What follows may change the same rows. */
void
router_catalog_end_write(SysScanDesc scan)
{
	Relation	rel = scan->heap_rel;

	systable_endscan(scan);
	table_close(rel, NoLock);
	CommandCounterIncrement();
}

/* Deletes the rows whose regclass column has this name and relid. */
void
router_catalog_delete(const char *table, const char *index, const char *column, Oid relid)
{
	SysScanDesc scan = router_catalog_scan_to_write(table, index, get_attnum(router_catalog_relid(table), column),
													 relid);
	HeapTuple	tup;

	while (HeapTupleIsValid(tup = router_catalog_next(scan)))
		CatalogTupleDelete(scan->heap_rel, &tup->t_self);
	router_catalog_end_write(scan);
}

void
router_catalog_insert(const char *table, Datum *values, bool *nulls)
{
	Relation	rel = table_open(router_catalog_relid(table), RowExclusiveLock);
	HeapTuple	tup = heap_form_tuple(RelationGetDescr(rel), values, nulls);

	CatalogTupleInsert(rel, tup);
	heap_freetuple(tup);
	table_close(rel, NoLock);
	CommandCounterIncrement();
}

Datum
router_text_array(char **elements, int n)
{
	Datum	   *datums = palloc(Max(n, 1) * sizeof(Datum));

	for (int i = 0; i < n; i++)
		datums[i] = CStringGetTextDatum(elements[i]);
	return PointerGetDatum(construct_array(datums, n, TEXTOID, -1, false, TYPALIGN_INT));
}

char **
router_text_elements(Datum array, int *n)
{
	Datum	   *datums;
	char	  **elements;

	deconstruct_array(DatumGetArrayTypeP(array), TEXTOID, -1, false, TYPALIGN_INT, &datums, NULL, n);
	elements = palloc(Max(*n, 1) * sizeof(char *));
	for (int i = 0; i < *n; i++)
		elements[i] = TextDatumGetCString(datums[i]);
	return elements;
}

/* The elements of an array of names that are not null. */
List *
router_catalog_names(ArrayType *array)
{
	List	   *names = NIL;
	Datum	   *datums;
	bool	   *nulls;
	int			n;

	deconstruct_array(array, NAMEOID, NAMEDATALEN, false, TYPALIGN_CHAR, &datums, &nulls, &n);
	for (int i = 0; i < n; i++)
		if (!nulls[i])
			names = lappend(names, pstrdup(NameStr(*DatumGetName(datums[i]))));
	return names;
}

Datum
router_name_array(List *names)
{
	Datum	   *datums = palloc(list_length(names) * sizeof(Datum));
	ListCell   *lc;

	foreach(lc, names)
		datums[foreach_current_index(lc)] = DirectFunctionCall1(namein, CStringGetDatum((char *) lfirst(lc)));
	return PointerGetDatum(construct_array(datums, list_length(names), NAMEOID, NAMEDATALEN, false, TYPALIGN_CHAR));
}

/* Tells the sessions that a relation changed, if it is still there. */
void
router_catalog_invalidate(Oid relid)
{
	if (SearchSysCacheExists1(RELOID, ObjectIdGetDatum(relid)))
		CacheInvalidateRelcacheByRelid(relid);
}

void
router_put_text(const char *value, Datum *datum, bool *isnull)
{
	*isnull = value == NULL;
	*datum = value ? CStringGetTextDatum(value) : (Datum) 0;
}

char *
router_get_text(HeapTuple tup, int attno, TupleDesc desc)
{
	bool		isnull;
	Datum		datum = heap_getattr(tup, attno, desc, &isnull);

	return isnull ? NULL : TextDatumGetCString(datum);
}

/* A number in a row; otherwise: what NULL stands for. */
int
router_get_int4(HeapTuple tup, int attno, TupleDesc desc, int otherwise)
{
	bool		isnull;
	Datum		datum = heap_getattr(tup, attno, desc, &isnull);

	return isnull ? otherwise : DatumGetInt32(datum);
}

AttrNumber
router_get_int2(HeapTuple tup, int attno, TupleDesc desc)
{
	bool		isnull;

	return DatumGetInt16(heap_getattr(tup, attno, desc, &isnull));
}

/* NULL is NULL. */
Interval *
router_get_interval(HeapTuple tup, int attno, TupleDesc desc)
{
	bool		isnull;
	Datum		datum = heap_getattr(tup, attno, desc, &isnull);

	return isnull ? NULL : (Interval *) memcpy(palloc(sizeof(Interval)), DatumGetIntervalP(datum), sizeof(Interval));
}

/* The elements of an array of names that are not null. */
List *
router_get_names(HeapTuple tup, int attno, TupleDesc desc)
{
	bool		isnull;
	Datum		array = heap_getattr(tup, attno, desc, &isnull);

	return isnull ? NIL : router_catalog_names(DatumGetArrayTypeP(array));
}

void
router_put_name(const char *value, Datum *datum, bool *isnull)
{
	*isnull = value == NULL;
	*datum = value ? DirectFunctionCall1(namein, CStringGetDatum(value)) : (Datum) 0;
}

char *
router_get_name(HeapTuple tup, int attno, TupleDesc desc)
{
	bool		isnull;
	Datum		datum = heap_getattr(tup, attno, desc, &isnull);

	return isnull ? NULL : pstrdup(NameStr(*DatumGetName(datum)));
}

/* An oid in a row; InvalidOid for NULL, which is refused after the trigger. */
Oid
router_get_oid(HeapTuple tup, int attno, TupleDesc desc)
{
	bool		isnull;
	Datum		datum = heap_getattr(tup, attno, desc, &isnull);

	return isnull ? InvalidOid : DatumGetObjectId(datum);
}

/*
 * Others hear of a change (of marks, for instance) when it can be seen already.
 * So they are told as soon as it is made that there is one, and look into the
 * catalog until it is settled: see router_cache_marks. id: what stands for it.
 */
void
router_catalog_forewarn(Oid id)
{
	SharedInvalidationMessage message;

	memset(&message, 0, sizeof(message));
	message.rc.id = SHAREDINVALRELCACHE_ID;
	message.rc.dbId = MyDatabaseId;
	message.rc.relId = id;
	SendSharedInvalidMessages(&message, 1);
}

/* The last transaction that wrote one of these rows, or an invalid one. *settled, or NULL: is none about to do so? */
TransactionId
router_catalog_written_by(const char *table, const char *index, AttrNumber attno, Oid relid, bool *settled)
{
	Relation	rel = table_open(router_catalog_relid(table), AccessShareLock);
	TransactionId last = InvalidTransactionId;
	SnapshotData dirty;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tup;

	if (settled)
		*settled = true;
	InitDirtySnapshot(dirty);
	ScanKeyInit(&key, attno, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relid));
	scan = systable_beginscan(rel, router_catalog_relid(index), true, &dirty, 1, &key);
	while (HeapTupleIsValid(tup = systable_getnext(scan)))
	{
		TransactionId xmin = HeapTupleHeaderGetXmin(tup->t_data);

		if (settled)
			*settled &= !TransactionIdIsValid(dirty.xmin) && !TransactionIdIsValid(dirty.xmax);
		if (!TransactionIdIsNormal(last) || (TransactionIdIsNormal(xmin) && TransactionIdFollows(xmin, last)))
			last = xmin;
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return last;
}
