/*
 * catalog.c
 *		Sole reader and writer of the tables router.route_def, key_def,
 *		child_def, reach_def, global_key_def, tier_def, maintain_def and progress_def;
 *		for seal_def and unsealed_def see seal_catalog.c.
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
 * Each change invalidates the relcache entry of the base (here, and for
 * changes made with SQL by the trigger config_changed), which tells cache.c;
 * or less: see router_catalog_marks_id.
 */
#include "compat.h"
#include "catalog.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/relscan.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/transam.h"
#include "access/xact.h"
#include "catalog/dependency.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "commands/trigger.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "storage/sinval.h"
#include "utils/array.h"
#include "utils/backend_status.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "catalog_part.h"
#include "growth.h"
#include "guard.h"
#include "loose.h"
#include "waitpoint.h"

enum
{
	ROUTE_BASE = 1,
	ROUTE_TIME_ZONE,
	ROUTE_TEMPLATE,
	ROUTE_ON_MISSING,
	ROUTE_ON_REJECT,
	ROUTE_HORIZON,
	ROUTE_MAX_NEW_CHILDREN,
	ROUTE_HOT,
	ROUTE_WATERMARK,
	ROUTE_PENDING,
	ROUTE_NATTS = ROUTE_PENDING,
};

enum
{
	REACH_BASE = 1,
	REACH_REACH,
	REACH_NATTS = REACH_REACH,
};

enum
{
	KEY_BASE = 1,
	KEY_LEVEL,
	KEY_KIND,
	KEY_COLUMN,
	KEY_ATTNUM,
	KEY_EVERY,
	KEY_MODULUS,
	KEY_GROUPS,
	KEY_PIVOT,
	KEY_LABEL,
	KEY_NATTS = KEY_LABEL,
};

enum
{
	CHILD_CHILD = 1,
	CHILD_BASE,
	CHILD_BOUNDS,
	CHILD_NATTS = CHILD_BOUNDS,
};

enum
{
	GLOBAL_BASE = 1,
	GLOBAL_KEY_TABLE,
	GLOBAL_COLUMNS,
	GLOBAL_ATTNUMS,
	GLOBAL_NATTS = GLOBAL_ATTNUMS,
};

enum
{
	EVENT_AT = 1,
	EVENT_BASE,
	EVENT_NAME,
	EVENT_ACTION,
	EVENT_ROWS,
	EVENT_ERROR,
	EVENT_NATTS = EVENT_ERROR,
};

enum
{
	TIER_BASE = 1,
	TIER_AFTER,
	TIER_TABLESPACE,
	TIER_ACCESS_METHOD,
	TIER_SERVER,
	TIER_REMOTE_SCHEMA,
	TIER_NATTS = TIER_REMOTE_SCHEMA,
};

enum
{
	UPKEEP_BASE = 1,
	UPKEEP_PREMAKE,
	UPKEEP_KEEP,
	UPKEEP_KEEP_CHILDREN,
	UPKEEP_RETIRE,
	UPKEEP_RETIRE_SCHEMA,
	UPKEEP_SEAL,
	UPKEEP_NATTS = UPKEEP_SEAL,
};

enum
{
	PROGRESS_BASE = 1,
	PROGRESS_PID,
	PROGRESS_BACKEND_START,
	PROGRESS_QUERY_START,
	PROGRESS_ACTION,
	PROGRESS_PHASE,
	PROGRESS_CHILD,
	PROGRESS_DONE,
	PROGRESS_TOTAL,
	PROGRESS_STARTED,
	PROGRESS_PHASE_STARTED,
	PROGRESS_UPDATED,
	PROGRESS_NATTS = PROGRESS_UPDATED,
};

PG_FUNCTION_INFO_V1(router_config_changed);
PG_FUNCTION_INFO_V1(router_is_at_work);

static const char *const policy_names[] = {"create", "default", "error"};
static const char *const retire_names[] = {"drop", "detach", "schema"};

static void sweep_progress(Oid base, bool all);

const char *
router_policy_name(RouterPolicy policy)
{
	return policy_names[policy];
}

RouterPolicy
router_policy_from_text(const char *setting, const char *policy, bool create_allowed)
{
	for (int i = create_allowed ? 0 : 1; i < lengthof(policy_names); i++)
		if (strcmp(policy, policy_names[i]) == 0)
			return (RouterPolicy) i;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid value \"%s\" for %s", policy, setting),
			 errhint("Allowed are %s'default' and 'error'.", create_allowed ? "'create', " : "")));
}

/* ------------------------------------------------------------------ helpers */

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
begin_scan(Relation rel, const char *index, int nkeys, ScanKey keys, Snapshot snapshot)
{
	SysScanDesc scan = systable_beginscan(rel, index ? router_catalog_relid(index) : InvalidOid, index != NULL,
										  SnapshotAny, nkeys, keys);

	if (snapshot == NULL)
		snapshot = shared_snapshot ? shared_snapshot : GetCatalogSnapshot(RelationGetRelid(rel));
	/* systable_endscan lets go of it */
	scan->snapshot = RegisterSnapshot(snapshot);
	return scan;
}

/* As the next one, but for the rows that a snapshot sees. */
SysScanDesc
router_catalog_scan_at(Relation rel, const char *index, AttrNumber attno, Oid relid, Snapshot snapshot)
{
	ScanKeyData skey;

	ScanKeyInit(&skey, attno, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relid));
	return begin_scan(rel, index, 1, &skey, snapshot);
}

/* A scan for rows whose regclass column attno is relid, in index order if there is one; for router_catalog_next. */
SysScanDesc
router_catalog_scan(Relation rel, const char *index, AttrNumber attno, Oid relid)
{
	return router_catalog_scan_at(rel, index, attno, relid, NULL);
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

/* Is there any route in this database? */
bool
router_catalog_any_base(void)
{
	Relation	rel = table_open(router_catalog_relid("route_def"), AccessShareLock);
	SysScanDesc scan = begin_scan(rel, NULL, 0, NULL, NULL);
	bool		found = HeapTupleIsValid(router_catalog_next(scan));

	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return found;
}

/* The bases of all routes, by oid. */
List *
router_catalog_bases(void)
{
	Relation	rel = table_open(router_catalog_relid("route_def"), AccessShareLock);
	SysScanDesc scan = begin_scan(rel, NULL, 0, NULL, NULL);
	List	   *bases = NIL;
	HeapTuple	tup;
	bool		isnull;

	while (HeapTupleIsValid(tup = router_catalog_next(scan)))
		bases = lappend_oid(bases, DatumGetObjectId(heap_getattr(tup, ROUTE_BASE, RelationGetDescr(rel), &isnull)));
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	list_sort(bases, list_oid_cmp);
	return bases;
}

void
router_catalog_delete(const char *table, const char *index, AttrNumber attno, Oid relid)
{
	Relation	rel = table_open(router_catalog_relid(table), RowExclusiveLock);
	SysScanDesc scan = router_catalog_scan(rel, index, attno, relid);
	HeapTuple	tup;

	while (HeapTupleIsValid(tup = router_catalog_next(scan)))
		CatalogTupleDelete(rel, &tup->t_self);
	systable_endscan(scan);
	table_close(rel, NoLock);
	CommandCounterIncrement();	/* what follows may change the same rows */
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

static Datum
text_array(char **elements, int n)
{
	Datum	   *datums = palloc(Max(n, 1) * sizeof(Datum));

	for (int i = 0; i < n; i++)
		datums[i] = CStringGetTextDatum(elements[i]);
	return PointerGetDatum(construct_array(datums, n, TEXTOID, -1, false, TYPALIGN_INT));
}

static char **
text_array_elements(Datum array, int *n)
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

static Datum
name_array(List *names)
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

static void
put_text(const char *value, Datum *datum, bool *isnull)
{
	*isnull = value == NULL;
	*datum = value ? CStringGetTextDatum(value) : (Datum) 0;
}

static char *
get_text(HeapTuple tup, int attno, TupleDesc desc)
{
	bool		isnull;
	Datum		datum = heap_getattr(tup, attno, desc, &isnull);

	return isnull ? NULL : TextDatumGetCString(datum);
}

/* ------------------------------------------------------------------- routes */

static void
read_key(RouterKey *key, HeapTuple tup, TupleDesc desc)
{
	bool		isnull;
	Datum		datum;

	key->kind = router_kind_from_text(get_text(tup, KEY_KIND, desc));
	key->column = pstrdup(NameStr(*DatumGetName(heap_getattr(tup, KEY_COLUMN, desc, &isnull))));
	key->attnum = DatumGetInt16(heap_getattr(tup, KEY_ATTNUM, desc, &isnull));
	key->every = get_text(tup, KEY_EVERY, desc);
	datum = heap_getattr(tup, KEY_MODULUS, desc, &isnull);
	key->modulus = isnull ? 0 : DatumGetInt32(datum);
	datum = heap_getattr(tup, KEY_GROUPS, desc, &isnull);
	key->groups = isnull ? NULL : text_array_elements(datum, &key->ngroups);
	key->pivot = get_text(tup, KEY_PIVOT, desc);
	key->label = get_text(tup, KEY_LABEL, desc);
}

static void
read_keys(RouterConfig *config)
{
	Relation	rel = table_open(router_catalog_relid("key_def"), AccessShareLock);
	SysScanDesc scan = router_catalog_scan(rel, "key_def_pkey", KEY_BASE, config->base);
	HeapTuple	tup;

	while (HeapTupleIsValid(tup = router_catalog_next(scan)))
	{
		bool		isnull;
		int			level = DatumGetInt16(heap_getattr(tup, KEY_LEVEL, RelationGetDescr(rel), &isnull));

		if (level < 1 || level > ROUTER_MAX_LEVELS)
			elog(ERROR, "key of relation %u has level %d", config->base, level);
		read_key(&config->keys[level - 1], tup, RelationGetDescr(rel));
		config->nkeys = Max(config->nkeys, level);
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
}

/* Where children end that were given current rows, as a snapshot (NULL: that of this file) sees it; NULL: none were. */
static char *
read_reach(Oid base, Snapshot snapshot)
{
	Relation	rel = table_open(router_catalog_relid("reach_def"), AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tup;
	char	   *reach = NULL;

	/* as a rule it is empty: every query on a hot table asks */
	if (RelationGetNumberOfBlocks(rel) == 0)
	{
		table_close(rel, AccessShareLock);
		return NULL;
	}
	ScanKeyInit(&key, REACH_BASE, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(base));
	scan = snapshot ? systable_beginscan(rel, router_catalog_relid("reach_def_pkey"), true, snapshot, 1, &key) :
		begin_scan(rel, "reach_def_pkey", 1, &key, NULL);
	tup = snapshot ? systable_getnext(scan) : router_catalog_next(scan);
	if (HeapTupleIsValid(tup))
		reach = get_text(tup, REACH_REACH, RelationGetDescr(rel));
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return reach;
}

typedef struct RouteScan
{
	Oid			base;
	RouterConfig *config;
} RouteScan;

static void
read_route(void *arg)
{
	RouteScan  *result = arg;
	Oid			base = result->base;
	Relation	rel = table_open(router_catalog_relid("route_def"), AccessShareLock);
	SysScanDesc scan = router_catalog_scan(rel, "route_def_pkey", ROUTE_BASE, base);
	HeapTuple	tup = router_catalog_next(scan);
	RouterConfig *config = NULL;
	Datum		datum;
	bool		isnull;

	if (HeapTupleIsValid(tup))
	{
		TupleDesc	desc = RelationGetDescr(rel);

		config = palloc0(sizeof(RouterConfig));
		config->base = base;
		config->time_zone = get_text(tup, ROUTE_TIME_ZONE, desc);
		config->template = get_text(tup, ROUTE_TEMPLATE, desc);
		config->on_missing = router_policy_from_text("on_missing", get_text(tup, ROUTE_ON_MISSING, desc), true);
		config->on_reject = router_policy_from_text("on_reject", get_text(tup, ROUTE_ON_REJECT, desc), false);
		config->horizon = *DatumGetIntervalP(heap_getattr(tup, ROUTE_HORIZON, desc, &isnull));
		config->max_new_children = DatumGetInt32(heap_getattr(tup, ROUTE_MAX_NEW_CHILDREN, desc, &isnull));
		datum = heap_getattr(tup, ROUTE_HOT, desc, &isnull);
		if (!isnull)
		{
			config->hot = palloc(sizeof(Interval));
			*config->hot = *DatumGetIntervalP(datum);
		}
		config->watermark = get_text(tup, ROUTE_WATERMARK, desc);
		config->pending = get_text(tup, ROUTE_PENDING, desc);
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	if (config && config->hot)
		config->reach = read_reach(base, NULL);
	if (config)
		read_keys(config);
	result->config = config && config->nkeys > 0 ? config : NULL;
}

/* Has a table a route? To be asked before it is locked; after that it may have none. */
bool
router_catalog_is_base(Oid relid)
{
	Relation	rel = table_open(router_catalog_relid("route_def"), AccessShareLock);
	SysScanDesc scan = router_catalog_scan(rel, "route_def_pkey", ROUTE_BASE, relid);
	bool		found = HeapTupleIsValid(router_catalog_next(scan));

	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return found;
}

/* The route of a base, its keys not yet resolved, or NULL. */
RouterConfig *
router_catalog_route(Oid base)
{
	RouteScan	result = {.base = base};

	router_catalog_read_at_once(read_route, &result);
	return result.config;
}

static void
insert_key(Oid base, int level, const RouterKey *key)
{
	Datum		values[KEY_NATTS];
	bool		nulls[KEY_NATTS] = {0};
	NameData	column;

	namestrcpy(&column, key->column);
	values[KEY_BASE - 1] = ObjectIdGetDatum(base);
	values[KEY_LEVEL - 1] = Int16GetDatum(level);
	values[KEY_KIND - 1] = CStringGetTextDatum(router_kind_name(key->kind));
	values[KEY_COLUMN - 1] = NameGetDatum(&column);
	values[KEY_ATTNUM - 1] = Int16GetDatum(key->attnum);
	put_text(key->every, &values[KEY_EVERY - 1], &nulls[KEY_EVERY - 1]);
	values[KEY_MODULUS - 1] = Int32GetDatum(key->modulus);
	nulls[KEY_MODULUS - 1] = key->modulus == 0;
	nulls[KEY_GROUPS - 1] = key->groups == NULL;
	values[KEY_GROUPS - 1] = key->groups ? text_array(key->groups, key->ngroups) : (Datum) 0;
	put_text(key->pivot, &values[KEY_PIVOT - 1], &nulls[KEY_PIVOT - 1]);
	put_text(key->label, &values[KEY_LABEL - 1], &nulls[KEY_LABEL - 1]);
	router_catalog_insert("key_def", values, nulls);
}

static bool
same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

/* Have two routes the same rows of key_def? */
static bool
same_keys(const RouterConfig *a, const RouterConfig *b)
{
	bool		same = a->nkeys == b->nkeys;

	for (int i = 0; same && i < a->nkeys; i++)
	{
		const RouterKey *x = &a->keys[i];
		const RouterKey *y = &b->keys[i];

		same = x->kind == y->kind && strcmp(x->column, y->column) == 0 && x->attnum == y->attnum &&
			same_text(x->every, y->every) && x->modulus == y->modulus && x->ngroups == y->ngroups &&
			same_text(x->pivot, y->pivot) && same_text(x->label, y->label);
		for (int j = 0; same && j < x->ngroups; j++)
			same = strcmp(x->groups[j], y->groups[j]) == 0;
	}
	return same;
}

/* Writes a row of route_def, in place of the one there was. */
static void
put_settings(const RouterConfig *config)
{
	Relation	rel = table_open(router_catalog_relid("route_def"), RowExclusiveLock);
	SysScanDesc scan = router_catalog_scan(rel, "route_def_pkey", ROUTE_BASE, config->base);
	HeapTuple	there = router_catalog_next(scan);
	HeapTuple	tup;
	Datum		values[ROUTE_NATTS];
	bool		nulls[ROUTE_NATTS] = {0};

	values[ROUTE_BASE - 1] = ObjectIdGetDatum(config->base);
	values[ROUTE_TIME_ZONE - 1] = CStringGetTextDatum(config->time_zone);
	put_text(config->template, &values[ROUTE_TEMPLATE - 1], &nulls[ROUTE_TEMPLATE - 1]);
	values[ROUTE_ON_MISSING - 1] = CStringGetTextDatum(policy_names[config->on_missing]);
	values[ROUTE_ON_REJECT - 1] = CStringGetTextDatum(policy_names[config->on_reject]);
	values[ROUTE_HORIZON - 1] = PointerGetDatum(&config->horizon);
	values[ROUTE_MAX_NEW_CHILDREN - 1] = Int32GetDatum(config->max_new_children);
	values[ROUTE_HOT - 1] = PointerGetDatum(config->hot);
	nulls[ROUTE_HOT - 1] = config->hot == NULL;
	put_text(config->watermark, &values[ROUTE_WATERMARK - 1], &nulls[ROUTE_WATERMARK - 1]);
	put_text(config->pending, &values[ROUTE_PENDING - 1], &nulls[ROUTE_PENDING - 1]);
	if (config->hot && there && get_text(there, ROUTE_WATERMARK, RelationGetDescr(rel)))
	{
		/* archiving may have gone on since config was read: the watermark never goes back */
		values[ROUTE_WATERMARK - 1] = heap_getattr(there, ROUTE_WATERMARK, RelationGetDescr(rel),
												   &nulls[ROUTE_WATERMARK - 1]);
		values[ROUTE_PENDING - 1] = heap_getattr(there, ROUTE_PENDING, RelationGetDescr(rel),
												 &nulls[ROUTE_PENDING - 1]);
	}
	tup = heap_form_tuple(RelationGetDescr(rel), values, nulls);
	if (there)
		CatalogTupleUpdate(rel, &there->t_self, tup);
	else
		CatalogTupleInsert(rel, tup);
	heap_freetuple(tup);
	systable_endscan(scan);
	table_close(rel, NoLock);
	CommandCounterIncrement();
}

/*
 * What stands for the marks of all routes (watermark, pending, reach) in
 * messages to other sessions: a view that shows them, which no statement but
 * those about it has in its relation cache or depends on.
 */
Oid
router_catalog_marks_id(void)
{
	return router_catalog_relid("routes");
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

/* The last transaction that wrote one of these rows, or an invalid one. settled: is none about to change them? */
TransactionId
router_catalog_written_by(const char *table, const char *index, AttrNumber attno, Oid relid, bool *settled)
{
	Relation	rel = table_open(router_catalog_relid(table), AccessShareLock);
	TransactionId last = InvalidTransactionId;
	SnapshotData dirty;
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tup;

	*settled = true;
	InitDirtySnapshot(dirty);
	ScanKeyInit(&key, attno, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relid));
	scan = systable_beginscan(rel, router_catalog_relid(index), true, &dirty, 1, &key);
	while (HeapTupleIsValid(tup = systable_getnext(scan)))
	{
		TransactionId xmin = HeapTupleHeaderGetXmin(tup->t_data);

		*settled &= !TransactionIdIsValid(dirty.xmin) && !TransactionIdIsValid(dirty.xmax);
		if (!TransactionIdIsNormal(last) || (TransactionIdIsNormal(xmin) && TransactionIdFollows(xmin, last)))
			last = xmin;
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return last;
}

/* Is no transaction about to change the marks of a base? */
bool
router_catalog_marks_are_settled(Oid base)
{
	bool		settled;

	(void) router_catalog_written_by("route_def", "route_def_pkey", ROUTE_BASE, base, &settled);
	if (settled)
		(void) router_catalog_written_by("reach_def", "reach_def_pkey", REACH_BASE, base, &settled);
	return settled;
}

/* Who changed a route last: its settings, or the watermark, and moved rows with it. */
TransactionId
router_catalog_route_changed(Oid base)
{
	bool		unused;

	return router_catalog_written_by("route_def", "route_def_pkey", ROUTE_BASE, base, &unused);
}

/* Who gave children of a hot base current rows last. */
TransactionId
router_catalog_reach_raised(Oid base)
{
	bool		unused;

	return router_catalog_written_by("reach_def", "reach_def_pkey", REACH_BASE, base, &unused);
}

/* Writes a route, in place of the one there was; but the watermark of one that stays hot stays as well. */
void
router_catalog_put_route(const RouterConfig *config)
{
	RouterConfig *there = router_catalog_route(config->base);

	put_settings(config);
	if (there == NULL || !same_keys(there, config))
	{
		router_catalog_delete("key_def", "key_def_pkey", KEY_BASE, config->base);
		for (int i = 0; i < config->nkeys; i++)
			insert_key(config->base, i + 1, &config->keys[i]);
	}
	router_catalog_forewarn(router_catalog_marks_id());
	CacheInvalidateRelcacheByRelid(config->base);
	CommandCounterIncrement();	/* where a restore has left the triggers, nothing else does */
}

/*
 * Sets how far archiving is, and how far it is going (NULL: nowhere). Plans go on
 * as they are, unless the watermark goes back.
 */
void
router_catalog_put_watermark(Oid base, const char *watermark, const char *pending, bool back)
{
	Relation	rel = table_open(router_catalog_relid("route_def"), RowExclusiveLock);
	SysScanDesc scan = router_catalog_scan(rel, "route_def_pkey", ROUTE_BASE, base);
	HeapTuple	tup = router_catalog_next(scan);
	int			columns[2] = {ROUTE_WATERMARK, ROUTE_PENDING};
	Datum		values[2];
	bool		nulls[2];

	if (!HeapTupleIsValid(tup))
		elog(ERROR, "route of relation %u is gone", base);
	put_text(watermark, &values[0], &nulls[0]);
	put_text(pending, &values[1], &nulls[1]);
	tup = heap_modify_tuple_by_cols(tup, RelationGetDescr(rel), 2, columns, values, nulls);
	CatalogTupleUpdate(rel, &tup->t_self, tup);
	systable_endscan(scan);
	table_close(rel, NoLock);
	router_catalog_forewarn(router_catalog_marks_id());
	CacheInvalidateRelcacheByRelid(back ? base : router_catalog_marks_id());
	CommandCounterIncrement();
}

/* Sets from where on children have no rows; NULL: from the watermark on. Nobody else may do so meanwhile. */
void
router_catalog_put_reach(Oid base, const char *reach)
{
	Datum		values[REACH_NATTS];
	bool		nulls[REACH_NATTS] = {0};

	router_catalog_delete("reach_def", "reach_def_pkey", REACH_BASE, base);
	if (reach)
	{
		values[REACH_BASE - 1] = ObjectIdGetDatum(base);
		values[REACH_REACH - 1] = CStringGetTextDatum(reach);
		router_catalog_insert("reach_def", values, nulls);
	}
	router_catalog_forewarn(router_catalog_marks_id());
	router_catalog_invalidate(base);
}

/* The watermark and reach (or NULL) of a hot base as a snapshot sees them; NULL: it saw no hot route. */
char *
router_catalog_watermark(Oid base, Snapshot snapshot, char **reach)
{
	Relation	rel = table_open(router_catalog_relid("route_def"), AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tup;
	char	   *watermark = NULL;
	bool		by_index = RelationGetNumberOfBlocks(rel) > 1;

	*reach = read_reach(base, snapshot);
	ScanKeyInit(&key, ROUTE_BASE, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(base));
	scan = systable_beginscan(rel, by_index ? router_catalog_relid("route_def_pkey") : InvalidOid, by_index, snapshot, 1,
							  &key);
	tup = systable_getnext(scan);
	if (HeapTupleIsValid(tup))
		watermark = get_text(tup, ROUTE_WATERMARK, RelationGetDescr(rel));
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return watermark;
}

/* Notes what maintenance did to a table; name, error: or NULL. */
void
router_catalog_add_event(Oid base, const char *name, const char *action, uint64 rows, const char *error)
{
	Datum		values[EVENT_NATTS];
	bool		nulls[EVENT_NATTS] = {0};

	values[EVENT_AT - 1] = TimestampTzGetDatum(GetCurrentTimestamp());
	values[EVENT_BASE - 1] = ObjectIdGetDatum(base);
	put_text(name, &values[EVENT_NAME - 1], &nulls[EVENT_NAME - 1]);
	values[EVENT_ACTION - 1] = CStringGetTextDatum(action);
	values[EVENT_ROWS - 1] = Int64GetDatum(rows);
	put_text(error, &values[EVENT_ERROR - 1], &nulls[EVENT_ERROR - 1]);
	router_catalog_insert("event_def", values, nulls);
}

/* Forgets a route, its keys and tiers, not its children. The base may be gone already. */
void
router_catalog_remove_route(Oid base)
{
	router_catalog_delete("route_def", "route_def_pkey", ROUTE_BASE, base);
	router_catalog_delete("key_def", "key_def_pkey", KEY_BASE, base);
	router_catalog_delete("tier_def", "tier_def_pkey", TIER_BASE, base);
	router_catalog_delete("reach_def", "reach_def_pkey", REACH_BASE, base);
	router_catalog_remove_upkeep(base);
	sweep_progress(base, true);
	router_growth_remove(base);
	if (router_catalog_exists())
		router_catalog_forewarn(router_catalog_marks_id());
	router_catalog_invalidate(base);
}

/* Follows the rename of a key column. */
void
router_catalog_rename_key(Oid base, AttrNumber attnum, const char *column)
{
	RouterConfig *config = router_catalog_route(base);
	bool		changed = false;

	if (config == NULL)
		return;
	for (int i = 0; i < config->nkeys; i++)
		if (config->keys[i].attnum == attnum && strcmp(config->keys[i].column, column) != 0)
		{
			config->keys[i].column = pstrdup(column);
			changed = true;
		}
	if (changed)
		router_catalog_put_route(config);
}

/* ----------------------------------------------------------------- children */

static RouterChildDef *
read_child(HeapTuple tup, TupleDesc desc)
{
	RouterChildDef *def = palloc(sizeof(RouterChildDef));
	bool		isnull;

	def->child = DatumGetObjectId(heap_getattr(tup, CHILD_CHILD, desc, &isnull));
	def->base = DatumGetObjectId(heap_getattr(tup, CHILD_BASE, desc, &isnull));
	def->bounds = text_array_elements(heap_getattr(tup, CHILD_BOUNDS, desc, &isnull), &def->nbounds);
	return def;
}

/* The children of a base: a list of RouterChildDef. */
List *
router_catalog_children(Oid base)
{
	Relation	rel = table_open(router_catalog_relid("child_def"), AccessShareLock);
	SysScanDesc scan = router_catalog_scan(rel, "child_def_base_idx", CHILD_BASE, base);
	List	   *children = NIL;
	HeapTuple	tup;

	while (HeapTupleIsValid(tup = router_catalog_next(scan)))
		children = lappend(children, read_child(tup, RelationGetDescr(rel)));
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return children;
}

/* The definition of a child, or NULL. */
RouterChildDef *
router_catalog_child(Oid child)
{
	Relation	rel = table_open(router_catalog_relid("child_def"), AccessShareLock);
	SysScanDesc scan = router_catalog_scan(rel, "child_def_pkey", CHILD_CHILD, child);
	HeapTuple	tup = router_catalog_next(scan);
	RouterChildDef *def = HeapTupleIsValid(tup) ? read_child(tup, RelationGetDescr(rel)) : NULL;

	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return def;
}

void
router_catalog_add_child(Oid child, Oid base, char **bounds, int nbounds)
{
	Datum		values[CHILD_NATTS];
	bool		nulls[CHILD_NATTS] = {0};

	values[CHILD_CHILD - 1] = ObjectIdGetDatum(child);
	values[CHILD_BASE - 1] = ObjectIdGetDatum(base);
	values[CHILD_BOUNDS - 1] = text_array(bounds, nbounds);
	/* before the row, so that the message is dealt with when this returns: see router_cache_add_child */
	CacheInvalidateRelcacheByRelid(base);
	router_catalog_invalidate(child);
	router_catalog_insert("child_def", values, nulls);
}

/* Writes anew what a child holds, which is the same. The messages are for who finds neither version of the row. */
void
router_catalog_put_bounds(Oid child, char **bounds, int nbounds)
{
	Relation	rel = table_open(router_catalog_relid("child_def"), RowExclusiveLock);
	SysScanDesc scan = router_catalog_scan(rel, "child_def_pkey", CHILD_CHILD, child);
	HeapTuple	tup = router_catalog_next(scan);
	int			column = CHILD_BOUNDS;
	Datum		value = text_array(bounds, nbounds);
	bool		isnull = false;

	if (HeapTupleIsValid(tup))
	{
		router_catalog_invalidate(child);
		router_catalog_invalidate(read_child(tup, RelationGetDescr(rel))->base);
		tup = heap_modify_tuple_by_cols(tup, RelationGetDescr(rel), 1, &column, &value, &isnull);
		CatalogTupleUpdate(rel, &tup->t_self, tup);
	}
	systable_endscan(scan);
	table_close(rel, NoLock);
	CommandCounterIncrement();
}

/* Forgets a child, which may be gone already; does nothing for a table that is none. */
void
router_catalog_remove_child(Oid child)
{
	RouterChildDef *def = router_catalog_child(child);

	if (def == NULL)
		return;
	router_catalog_delete("child_def", "child_def_pkey", CHILD_CHILD, child);
	router_catalog_remove_seal(child);
	router_loose_remove(def->base, child);
	router_catalog_invalidate(child);
	router_catalog_invalidate(def->base);
}

/* Forgets a route with its keys, children and global keys. */
void
router_catalog_remove_all(Oid base)
{
	router_catalog_delete("child_def", "child_def_base_idx", CHILD_BASE, base);
	router_catalog_remove_seals(base);
	router_loose_remove(base, InvalidOid);
	router_catalog_delete("global_key_def", "global_key_def_base_idx", GLOBAL_BASE, base);
	router_catalog_remove_route(base);
}

/* -------------------------------------------------------------- global keys */

static RouterGlobalKey *
read_global_key(HeapTuple tup, TupleDesc desc)
{
	RouterGlobalKey *key = palloc0(sizeof(RouterGlobalKey));
	bool		isnull;
	Datum	   *columns,
			   *attnums;
	int			n;

	key->key_table = DatumGetObjectId(heap_getattr(tup, GLOBAL_KEY_TABLE, desc, &isnull));
	deconstruct_array(DatumGetArrayTypeP(heap_getattr(tup, GLOBAL_COLUMNS, desc, &isnull)),
					  NAMEOID, NAMEDATALEN, false, TYPALIGN_CHAR, &columns, NULL, &key->ncolumns);
	deconstruct_array(DatumGetArrayTypeP(heap_getattr(tup, GLOBAL_ATTNUMS, desc, &isnull)),
					  INT2OID, sizeof(int16), true, TYPALIGN_SHORT, &attnums, NULL, &n);
	if (n != key->ncolumns || n == 0)
		elog(ERROR, "global key %u has %d columns and %d numbers", key->key_table, key->ncolumns, n);
	key->columns = palloc(n * sizeof(char *));
	key->attnums = palloc(n * sizeof(AttrNumber));
	for (int i = 0; i < n; i++)
	{
		key->columns[i] = pstrdup(NameStr(*DatumGetName(columns[i])));
		key->attnums[i] = DatumGetInt16(attnums[i]);
	}
	return key;
}

/* The global keys of a base: a list of RouterGlobalKey. */
List *
router_catalog_global_keys(Oid base)
{
	Relation	rel = table_open(router_catalog_relid("global_key_def"), AccessShareLock);
	SysScanDesc scan = router_catalog_scan(rel, "global_key_def_base_idx", GLOBAL_BASE, base);
	List	   *keys = NIL;
	HeapTuple	tup;

	while (HeapTupleIsValid(tup = router_catalog_next(scan)))
		keys = lappend(keys, read_global_key(tup, RelationGetDescr(rel)));
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return keys;
}

/* The base whose global key a table keeps, or InvalidOid. */
Oid
router_catalog_global_key_base(Oid key_table)
{
	Relation	rel = table_open(router_catalog_relid("global_key_def"), AccessShareLock);
	SysScanDesc scan = router_catalog_scan(rel, "global_key_def_pkey", GLOBAL_KEY_TABLE, key_table);
	HeapTuple	tup = router_catalog_next(scan);
	bool		isnull;
	Oid			base = InvalidOid;

	if (HeapTupleIsValid(tup))
		base = DatumGetObjectId(heap_getattr(tup, GLOBAL_BASE, RelationGetDescr(rel), &isnull));
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return base;
}

/* The key table goes when its base goes, and cannot be dropped without leave of what refers to it. */
static void
depend_on_base(Oid key_table, Oid base)
{
	ObjectAddress depender = {RelationRelationId, key_table, 0};
	ObjectAddress referenced = {RelationRelationId, base, 0};

	deleteDependencyRecordsForSpecific(RelationRelationId, key_table, DEPENDENCY_AUTO, RelationRelationId, base);
	recordDependencyOn(&depender, &referenced, DEPENDENCY_AUTO);
}

void
router_catalog_add_global_key(Oid base, const RouterGlobalKey *key)
{
	Datum		values[GLOBAL_NATTS];
	bool		nulls[GLOBAL_NATTS] = {0};
	Datum	   *columns = palloc(key->ncolumns * sizeof(Datum));
	Datum	   *attnums = palloc(key->ncolumns * sizeof(Datum));

	for (int i = 0; i < key->ncolumns; i++)
	{
		columns[i] = DirectFunctionCall1(namein, CStringGetDatum(key->columns[i]));
		attnums[i] = Int16GetDatum(key->attnums[i]);
	}
	values[GLOBAL_BASE - 1] = ObjectIdGetDatum(base);
	values[GLOBAL_KEY_TABLE - 1] = ObjectIdGetDatum(key->key_table);
	values[GLOBAL_COLUMNS - 1] = PointerGetDatum(construct_array(columns, key->ncolumns, NAMEOID, NAMEDATALEN,
																 false, TYPALIGN_CHAR));
	values[GLOBAL_ATTNUMS - 1] = PointerGetDatum(construct_array(attnums, key->ncolumns, INT2OID, sizeof(int16),
																 true, TYPALIGN_SHORT));
	router_catalog_insert("global_key_def", values, nulls);
	depend_on_base(key->key_table, base);
	CacheInvalidateRelcacheByRelid(base);
}

/* Forgets a global key; its table may be gone already. */
void
router_catalog_remove_global_key(Oid key_table)
{
	Oid			base = router_catalog_global_key_base(key_table);

	router_catalog_delete("global_key_def", "global_key_def_pkey", GLOBAL_KEY_TABLE, key_table);
	router_catalog_invalidate(base);
}

/* Follows renamed columns of a base. */
void
router_catalog_rename_global_keys(Oid base)
{
	ListCell   *lc;

	foreach(lc, router_catalog_global_keys(base))
	{
		RouterGlobalKey *key = lfirst(lc);
		bool		changed = false;

		for (int i = 0; i < key->ncolumns; i++)
		{
			char	   *column = get_attname(base, key->attnums[i], true);

			changed = changed || (column && strcmp(column, key->columns[i]) != 0);
			if (column)
				key->columns[i] = column;
		}
		if (!changed)
			continue;
		router_catalog_remove_global_key(key->key_table);
		router_catalog_add_global_key(base, key);
	}
}

/* -------------------------------------------------------------------- tiers */

static void
put_name(const char *value, Datum *datum, bool *isnull)
{
	*isnull = value == NULL;
	*datum = value ? DirectFunctionCall1(namein, CStringGetDatum(value)) : (Datum) 0;
}

static char *
get_name(HeapTuple tup, int attno, TupleDesc desc)
{
	bool		isnull;
	Datum		datum = heap_getattr(tup, attno, desc, &isnull);

	return isnull ? NULL : pstrdup(NameStr(*DatumGetName(datum)));
}

/* The tiers of a base, those of the youngest children first: a list of RouterTier. */
List *
router_catalog_tiers(Oid base)
{
	Relation	rel = table_open(router_catalog_relid("tier_def"), AccessShareLock);
	SysScanDesc scan = router_catalog_scan(rel, "tier_def_pkey", TIER_BASE, base);
	List	   *tiers = NIL;
	HeapTuple	tup;

	while (HeapTupleIsValid(tup = router_catalog_next(scan)))
	{
		RouterTier *tier = palloc(sizeof(RouterTier));
		TupleDesc	desc = RelationGetDescr(rel);
		bool		isnull;

		tier->after = palloc(sizeof(Interval));
		*tier->after = *DatumGetIntervalP(heap_getattr(tup, TIER_AFTER, desc, &isnull));
		tier->tablespace = get_name(tup, TIER_TABLESPACE, desc);
		tier->access_method = get_name(tup, TIER_ACCESS_METHOD, desc);
		tier->server = get_name(tup, TIER_SERVER, desc);
		tier->remote_schema = get_name(tup, TIER_REMOTE_SCHEMA, desc);
		tiers = lappend(tiers, tier);
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return tiers;
}

/* The bases that have tiers, by oid. */
List *
router_catalog_tiered_bases(void)
{
	List	   *bases = NIL;
	ListCell   *lc;

	foreach(lc, router_catalog_bases())
		if (router_catalog_tiers(lfirst_oid(lc)) != NIL)
			bases = lappend_oid(bases, lfirst_oid(lc));
	return bases;
}

void
router_catalog_add_tier(Oid base, const RouterTier *tier)
{
	Datum		values[TIER_NATTS];
	bool		nulls[TIER_NATTS] = {0};

	values[TIER_BASE - 1] = ObjectIdGetDatum(base);
	values[TIER_AFTER - 1] = IntervalPGetDatum(tier->after);
	put_name(tier->tablespace, &values[TIER_TABLESPACE - 1], &nulls[TIER_TABLESPACE - 1]);
	put_name(tier->access_method, &values[TIER_ACCESS_METHOD - 1], &nulls[TIER_ACCESS_METHOD - 1]);
	put_name(tier->server, &values[TIER_SERVER - 1], &nulls[TIER_SERVER - 1]);
	put_name(tier->remote_schema, &values[TIER_REMOTE_SCHEMA - 1], &nulls[TIER_REMOTE_SCHEMA - 1]);
	router_catalog_insert("tier_def", values, nulls);
}

/* Forgets the tier of children of this age, if there is one. */
void
router_catalog_remove_tier(Oid base, const Interval *after)
{
	Relation	rel = table_open(router_catalog_relid("tier_def"), RowExclusiveLock);
	SysScanDesc scan = router_catalog_scan(rel, "tier_def_pkey", TIER_BASE, base);
	HeapTuple	tup;
	bool		isnull;

	while (HeapTupleIsValid(tup = router_catalog_next(scan)))
		if (DatumGetBool(DirectFunctionCall2(interval_eq, IntervalPGetDatum(after),
											 heap_getattr(tup, TIER_AFTER, RelationGetDescr(rel), &isnull))))
			CatalogTupleDelete(rel, &tup->t_self);
	systable_endscan(scan);
	table_close(rel, NoLock);
	CommandCounterIncrement();
}

/* ----------------------------------------------- changes that come with SQL */

/* What a row of a table of the catalog names: its base, and a column of it with its number. */
typedef struct Watched
{
	const char *table;
	AttrNumber	base;
	AttrNumber	column;
	AttrNumber	attnum;
} Watched;

static const Watched watched[] = {
	{"route_def", ROUTE_BASE},
	{"key_def", KEY_BASE, KEY_COLUMN, KEY_ATTNUM},
	{"child_def", CHILD_BASE},
	{"reach_def", REACH_BASE},
	{"global_key_def", GLOBAL_BASE},
	{"seal_def", SEAL_BASE, SEAL_COLUMN, SEAL_ATTNUM},
	{"unsealed_def", SEAL_BASE},
};

/* Errors: trigger_protocol_violated, for a table that is none of the catalog, whatever it is called. */
static const Watched *
watched_table(Oid relid)
{
	for (int i = 0; i < lengthof(watched); i++)
		if (router_catalog_relid(watched[i].table) == relid)
			return &watched[i];
	ereport(ERROR,
			(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
			 errmsg("function \"router.%s\" is for the tables of router itself", "config_changed")));
}

/* An oid in a row; InvalidOid for NULL, which is refused after the trigger. */
static Oid
get_oid(HeapTuple tup, int attno, TupleDesc desc)
{
	bool		isnull;
	Datum		datum = heap_getattr(tup, attno, desc, &isnull);

	return isnull ? InvalidOid : DatumGetObjectId(datum);
}

/* A restored row of key_def names its column; its number may be another one now. */
static HeapTuple
refill_attnum(HeapTuple tup, TupleDesc desc, const Watched *table)
{
	int			attno = table->attnum;
	char	   *column = get_name(tup, table->column, desc);
	AttrNumber	attnum = column ? get_attnum(get_oid(tup, table->base, desc), column) : InvalidAttrNumber;
	Datum		value = Int16GetDatum(attnum);
	bool		null = false;

	if (attnum == InvalidAttrNumber)
		return tup;
	return heap_modify_tuple_by_cols(tup, desc, 1, &attno, &value, &null);
}

/* The same for a row of global_key_def; and what pg_dump does not know, that the key table depends on its base. */
static HeapTuple
refill_global_key(HeapTuple tup, TupleDesc desc)
{
	Oid			base = get_oid(tup, GLOBAL_BASE, desc);
	Oid			key_table = get_oid(tup, GLOBAL_KEY_TABLE, desc);
	bool		isnull;
	Datum		columns = heap_getattr(tup, GLOBAL_COLUMNS, desc, &isnull);
	List	   *names = isnull ? NIL : router_catalog_names(DatumGetArrayTypeP(columns));
	Datum	   *attnums = palloc((list_length(names) + 1) * sizeof(Datum));
	int			attno = GLOBAL_ATTNUMS;
	Datum		value;
	bool		null = false;
	ListCell   *lc;

	foreach(lc, names)
	{
		AttrNumber	attnum = get_attnum(base, lfirst(lc));

		if (attnum == InvalidAttrNumber)
			return tup;
		attnums[foreach_current_index(lc)] = Int16GetDatum(attnum);
	}
	if (names == NIL)
		return tup;
	if (SearchSysCacheExists1(RELOID, ObjectIdGetDatum(key_table)))
		depend_on_base(key_table, base);
	value = PointerGetDatum(construct_array(attnums, list_length(names), INT2OID, sizeof(int16), true, TYPALIGN_SHORT));
	return heap_modify_tuple_by_cols(tup, desc, 1, &attno, &value, &null);
}

/*
 * BEFORE ROW trigger on some of the tables: what pg_restore or a superuser writes
 * there takes effect. AFTER ROW on those with marks: the forewarning comes after
 * the change.
 */
Datum
router_config_changed(PG_FUNCTION_ARGS)
{
	static const int16 any_row = TRIGGER_TYPE_ROW | TRIGGER_TYPE_INSERT | TRIGGER_TYPE_UPDATE | TRIGGER_TYPE_DELETE;
	const RouterOwnTrigger own[] = {{"config_changed", any_row | TRIGGER_TYPE_BEFORE}, {"marks_changed", any_row}};
	TriggerData *trigdata = router_own_call(fcinfo, "config_changed", own, lengthof(own));
	const Watched *table = watched_table(RelationGetRelid(trigdata->tg_relation));
	HeapTuple	tup = TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event) ? trigdata->tg_newtuple : trigdata->tg_trigtuple;
	TupleDesc	desc = RelationGetDescr(trigdata->tg_relation);

	router_catalog_invalidate(get_oid(tup, table->base, desc));
	if (TRIGGER_FIRED_AFTER(trigdata->tg_event))
	{
		router_catalog_forewarn(router_catalog_marks_id());
		return PointerGetDatum(NULL);
	}
	if (strcmp(table->table, "child_def") == 0)
		router_catalog_invalidate(get_oid(tup, CHILD_CHILD, desc));
	if (TRIGGER_FIRED_BY_DELETE(trigdata->tg_event))
		return PointerGetDatum(tup);
	if (table->column)
		tup = refill_attnum(tup, desc, table);
	else if (strcmp(table->table, "global_key_def") == 0)
		tup = refill_global_key(tup, desc);
	return PointerGetDatum(tup);
}

/* ------------------------------------------------- settings of router.maintain */

const char *
router_retire_name(RouterRetire retire)
{
	return retire_names[retire];
}

/* Errors: invalid_parameter_value. */
RouterRetire
router_retire_from_text(const char *retire)
{
	for (int i = 0; i < lengthof(retire_names); i++)
		if (strcmp(retire, retire_names[i]) == 0)
			return (RouterRetire) i;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid value \"%s\" for retire", retire),
			 errhint("Allowed are 'drop', 'detach' and 'schema'.")));
}

/* The settings of a base, and whether there are any; what is not set is as the struct says. */
bool
router_catalog_upkeep(Oid base, RouterUpkeep *upkeep)
{
	Relation	rel = table_open(router_catalog_relid("maintain_def"), AccessShareLock);
	SysScanDesc scan = router_catalog_scan(rel, "maintain_def_pkey", UPKEEP_BASE, base);
	HeapTuple	tup = router_catalog_next(scan);
	bool		found = HeapTupleIsValid(tup);

	memset(upkeep, 0, sizeof(*upkeep));
	upkeep->base = base;
	upkeep->premake = -1;
	if (found)
	{
		TupleDesc	desc = RelationGetDescr(rel);
		bool		isnull;
		Datum		datum = heap_getattr(tup, UPKEEP_PREMAKE, desc, &isnull);

		upkeep->premake = isnull ? -1 : DatumGetInt32(datum);
		datum = heap_getattr(tup, UPKEEP_KEEP, desc, &isnull);
		if (!isnull)
		{
			upkeep->keep = palloc(sizeof(Interval));
			*upkeep->keep = *DatumGetIntervalP(datum);
		}
		datum = heap_getattr(tup, UPKEEP_KEEP_CHILDREN, desc, &isnull);
		upkeep->keep_children = isnull ? 0 : DatumGetInt32(datum);
		upkeep->retire = router_retire_from_text(get_text(tup, UPKEEP_RETIRE, desc));
		datum = heap_getattr(tup, UPKEEP_RETIRE_SCHEMA, desc, &isnull);
		upkeep->retire_schema = isnull ? NULL : pstrdup(NameStr(*DatumGetName(datum)));
		datum = heap_getattr(tup, UPKEEP_SEAL, desc, &isnull);
		upkeep->seal = isnull ? NIL : router_catalog_names(DatumGetArrayTypeP(datum));
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return found;
}

/* Puts these settings in the place of what was there. */
void
router_catalog_put_upkeep(const RouterUpkeep *upkeep)
{
	Datum		values[UPKEEP_NATTS] = {0};
	bool		nulls[UPKEEP_NATTS] = {0};

	router_catalog_remove_upkeep(upkeep->base);
	values[UPKEEP_BASE - 1] = ObjectIdGetDatum(upkeep->base);
	values[UPKEEP_PREMAKE - 1] = Int32GetDatum(upkeep->premake);
	nulls[UPKEEP_PREMAKE - 1] = upkeep->premake < 0;
	values[UPKEEP_KEEP - 1] = IntervalPGetDatum(upkeep->keep);
	nulls[UPKEEP_KEEP - 1] = upkeep->keep == NULL;
	values[UPKEEP_KEEP_CHILDREN - 1] = Int32GetDatum(upkeep->keep_children);
	nulls[UPKEEP_KEEP_CHILDREN - 1] = upkeep->keep_children == 0;
	values[UPKEEP_RETIRE - 1] = CStringGetTextDatum(router_retire_name(upkeep->retire));
	nulls[UPKEEP_RETIRE_SCHEMA - 1] = upkeep->retire_schema == NULL;
	if (upkeep->retire_schema)
		values[UPKEEP_RETIRE_SCHEMA - 1] = DirectFunctionCall1(namein, CStringGetDatum(upkeep->retire_schema));
	nulls[UPKEEP_SEAL - 1] = upkeep->seal == NIL;
	if (upkeep->seal)
		values[UPKEEP_SEAL - 1] = name_array(upkeep->seal);
	router_catalog_insert("maintain_def", values, nulls);
}

/* A column of a base got another name, or (NULL) is gone. */
void
router_catalog_follow_upkeep(Oid base, const char *column, const char *to)
{
	RouterUpkeep upkeep;
	List	   *seal = NIL;
	bool		changed = false;
	ListCell   *lc;

	if (!router_catalog_upkeep(base, &upkeep))
		return;
	foreach(lc, upkeep.seal)
	{
		bool		same = strcmp(lfirst(lc), column) == 0;

		changed |= same;
		if (!same || to)
			seal = lappend(seal, same ? pstrdup(to) : lfirst(lc));
	}
	upkeep.seal = seal;
	if (changed)
		router_catalog_put_upkeep(&upkeep);
}

void
router_catalog_remove_upkeep(Oid base)
{
	router_catalog_delete("maintain_def", "maintain_def_pkey", UPKEEP_BASE, base);
}

/* ------------------------------------------------------------------ progress */

/*
 * Is the session that wrote a row of progress_def still at the statement that
 * did? A session is told by its pid and start, a statement by its start. With
 * track_activities off the statement cannot be told.
 */
static bool
is_at_work(int pid, TimestampTz backend_start, TimestampTz query_start)
{
	for (int i = 1; i <= pgstat_fetch_stat_numbackends(); i++)
	{
		PgBackendStatus *status = &router_backend_status(i)->backendStatus;

		if (status->st_procpid == pid && status->st_proc_start_timestamp == backend_start)
			return status->st_state == STATE_DISABLED ||
				((status->st_state == STATE_RUNNING || status->st_state == STATE_FASTPATH) &&
				 status->st_activity_start_timestamp == query_start);
	}
	return false;
}

/* router.is_at_work(pid, backend_start, query_start) */
Datum
router_is_at_work(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(is_at_work(PG_GETARG_INT32(0), PG_GETARG_TIMESTAMPTZ(1), PG_GETARG_TIMESTAMPTZ(2)));
}

static TimestampTz
get_time(HeapTuple tup, int attno, TupleDesc desc)
{
	bool		isnull;

	return DatumGetTimestampTz(heap_getattr(tup, attno, desc, &isnull));
}

static bool
is_mine(HeapTuple tup, TupleDesc desc)
{
	bool		isnull;

	return DatumGetInt32(heap_getattr(tup, PROGRESS_PID, desc, &isnull)) == MyProcPid &&
		get_time(tup, PROGRESS_BACKEND_START, desc) == MyStartTimestamp &&
		get_time(tup, PROGRESS_QUERY_START, desc) == GetCurrentStatementStartTimestamp();
}

/* Removes what interrupted statements left about a base, or all rows. Who else does so just now is not waited for. */
static void
sweep_progress(Oid base, bool all)
{
	Relation	rel = table_open(router_catalog_relid("progress_def"), RowExclusiveLock);
	TupleDesc	desc = RelationGetDescr(rel);
	SysScanDesc scan = router_catalog_scan(rel, "progress_def_pkey", PROGRESS_BASE, base);
	HeapTuple	tup;

	while (HeapTupleIsValid(tup = router_catalog_next(scan)))
	{
		TM_FailureData failure;
		bool		isnull;
		int			pid = DatumGetInt32(heap_getattr(tup, PROGRESS_PID, desc, &isnull));

		if (all || pid == MyProcPid || !is_at_work(pid, get_time(tup, PROGRESS_BACKEND_START, desc),
												   get_time(tup, PROGRESS_QUERY_START, desc)))
			(void) table_tuple_delete(rel, &tup->t_self, GetCurrentCommandId(true), InvalidSnapshot, InvalidSnapshot,
									  false, &failure, false);
	}
	systable_endscan(scan);
	table_close(rel, NoLock);
	CommandCounterIncrement();
}

/* Says how far this session's statement is with a base; others see it when it is committed. */
void
router_catalog_put_progress(const RouterProgress *progress)
{
	Relation	rel;
	SysScanDesc scan;
	HeapTuple	tup;
	TimestampTz now = GetCurrentTimestamp();
	TimestampTz started = now;
	TimestampTz phase_started = now;
	bool		found;
	Datum		values[PROGRESS_NATTS] = {0};
	bool		nulls[PROGRESS_NATTS] = {0};

	values[PROGRESS_BASE - 1] = ObjectIdGetDatum(progress->base);
	values[PROGRESS_PID - 1] = Int32GetDatum(MyProcPid);
	values[PROGRESS_BACKEND_START - 1] = TimestampTzGetDatum(MyStartTimestamp);
	values[PROGRESS_QUERY_START - 1] = TimestampTzGetDatum(GetCurrentStatementStartTimestamp());
	values[PROGRESS_ACTION - 1] = CStringGetTextDatum(progress->action);
	values[PROGRESS_PHASE - 1] = CStringGetTextDatum(progress->phase);
	values[PROGRESS_CHILD - 1] = ObjectIdGetDatum(progress->child);
	nulls[PROGRESS_CHILD - 1] = !OidIsValid(progress->child);
	values[PROGRESS_DONE - 1] = Int64GetDatum(progress->done);
	values[PROGRESS_TOTAL - 1] = Int64GetDatum(progress->total);
	nulls[PROGRESS_TOTAL - 1] = progress->total == 0;
	values[PROGRESS_UPDATED - 1] = TimestampTzGetDatum(now);

	rel = table_open(router_catalog_relid("progress_def"), RowExclusiveLock);
	scan = router_catalog_scan(rel, "progress_def_pkey", PROGRESS_BASE, progress->base);
	while (HeapTupleIsValid(tup = router_catalog_next(scan)) && !is_mine(tup, RelationGetDescr(rel)))
		;
	found = HeapTupleIsValid(tup);
	if (found && strcmp(get_text(tup, PROGRESS_ACTION, RelationGetDescr(rel)), progress->action) == 0)
	{
		started = get_time(tup, PROGRESS_STARTED, RelationGetDescr(rel));
		if (strcmp(get_text(tup, PROGRESS_PHASE, RelationGetDescr(rel)), progress->phase) == 0)
			phase_started = get_time(tup, PROGRESS_PHASE_STARTED, RelationGetDescr(rel));
	}
	values[PROGRESS_STARTED - 1] = TimestampTzGetDatum(started);
	values[PROGRESS_PHASE_STARTED - 1] = TimestampTzGetDatum(phase_started);
	if (found)
	{
		HeapTuple	new = heap_form_tuple(RelationGetDescr(rel), values, nulls);

		CatalogTupleUpdate(rel, &tup->t_self, new);
	}
	systable_endscan(scan);
	table_close(rel, NoLock);
	if (!found)
	{
		sweep_progress(progress->base, false);
		router_catalog_insert("progress_def", values, nulls);
	}
	CommandCounterIncrement();
}

/* This session's statement is done with a base. */
void
router_catalog_end_progress(Oid base)
{
	Relation	rel = table_open(router_catalog_relid("progress_def"), RowExclusiveLock);
	SysScanDesc scan = router_catalog_scan(rel, "progress_def_pkey", PROGRESS_BASE, base);
	HeapTuple	tup;

	while (HeapTupleIsValid(tup = router_catalog_next(scan)))
		if (is_mine(tup, RelationGetDescr(rel)))
			CatalogTupleDelete(rel, &tup->t_self);
	systable_endscan(scan);
	table_close(rel, NoLock);
	CommandCounterIncrement();
}
