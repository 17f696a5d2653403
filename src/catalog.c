/*
 * catalog.c
 *		Sole reader and writer of the tables router.route_def, key_def,
 *		child_def and global_key_def.
 *
 * Rows are written with the heap functions, not SQL, so that a role with
 * nothing but INSERT on a base can cause a child without any right here; who
 * may do what is checked by the callers. Rows are read with SnapshotSelf: what
 * is committed now plus what this transaction did. A child that another
 * session committed after our snapshot was taken must be seen at every
 * isolation level, and a serializable transaction must take no predicate lock
 * on the whole catalog (two creators would fail each other).
 *
 * Locking: AccessShareLock to read, RowExclusiveLock to write. Whoever changes
 * a route or its children holds ShareUpdateExclusiveLock or more on the base.
 * Each change invalidates the relcache entry of the base (here, and for
 * changes made with SQL by the trigger config_changed), which tells cache.c.
 */
#include "compat.h"
#include "catalog.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/dependency.h"
#include "catalog/indexing.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "commands/trigger.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

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
	ROUTE_REACH,
	ROUTE_NATTS = ROUTE_REACH,
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

PG_FUNCTION_INFO_V1(router_config_changed);

static const char *const policy_names[] = {"create", "default", "error"};

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

static Oid
catalog_relid(const char *name)
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

/* A scan for rows whose regclass column attno is relid, in index order if there is one. */
static SysScanDesc
begin_scan(Relation rel, const char *index, AttrNumber attno, Oid relid)
{
	ScanKeyData skey;

	ScanKeyInit(&skey, attno, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relid));
	return systable_beginscan(rel, catalog_relid(index), true, SnapshotSelf, 1, &skey);
}

/* The bases of all routes, by oid. */
List *
router_catalog_bases(void)
{
	Relation	rel = table_open(catalog_relid("route_def"), AccessShareLock);
	SysScanDesc scan = systable_beginscan(rel, InvalidOid, false, SnapshotSelf, 0, NULL);
	List	   *bases = NIL;
	HeapTuple	tup;
	bool		isnull;

	while (HeapTupleIsValid(tup = systable_getnext(scan)))
		bases = lappend_oid(bases, DatumGetObjectId(heap_getattr(tup, ROUTE_BASE, RelationGetDescr(rel), &isnull)));
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	list_sort(bases, list_oid_cmp);
	return bases;
}

static void
delete_rows(const char *table, const char *index, AttrNumber attno, Oid relid)
{
	Relation	rel = table_open(catalog_relid(table), RowExclusiveLock);
	SysScanDesc scan = begin_scan(rel, index, attno, relid);
	HeapTuple	tup;

	while (HeapTupleIsValid(tup = systable_getnext(scan)))
		CatalogTupleDelete(rel, &tup->t_self);
	systable_endscan(scan);
	table_close(rel, NoLock);
	CommandCounterIncrement();	/* what follows may change the same rows */
}

static void
insert_row(const char *table, Datum *values, bool *nulls)
{
	Relation	rel = table_open(catalog_relid(table), RowExclusiveLock);
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

/* Tells the sessions that a relation changed, if it is still there. */
static void
invalidate(Oid relid)
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
	Relation	rel = table_open(catalog_relid("key_def"), AccessShareLock);
	SysScanDesc scan = begin_scan(rel, "key_def_pkey", KEY_BASE, config->base);
	HeapTuple	tup;

	while (HeapTupleIsValid(tup = systable_getnext(scan)))
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

/* The route of a base, its keys not yet resolved, or NULL. */
RouterConfig *
router_catalog_route(Oid base)
{
	Relation	rel = table_open(catalog_relid("route_def"), AccessShareLock);
	SysScanDesc scan = begin_scan(rel, "route_def_pkey", ROUTE_BASE, base);
	HeapTuple	tup = systable_getnext(scan);
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
		config->reach = get_text(tup, ROUTE_REACH, desc);
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	if (config)
		read_keys(config);
	return config && config->nkeys > 0 ? config : NULL;
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
	insert_row("key_def", values, nulls);
}

/* Writes a row of route_def, in place of the one there was. */
static void
put_settings(const RouterConfig *config)
{
	Relation	rel = table_open(catalog_relid("route_def"), RowExclusiveLock);
	SysScanDesc scan = begin_scan(rel, "route_def_pkey", ROUTE_BASE, config->base);
	HeapTuple	there = systable_getnext(scan);
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
	put_text(config->reach, &values[ROUTE_REACH - 1], &nulls[ROUTE_REACH - 1]);
	if (there && get_text(there, ROUTE_WATERMARK, RelationGetDescr(rel)))
	{
		/* archiving may have gone on since config was read: the watermark never goes back */
		values[ROUTE_WATERMARK - 1] = heap_getattr(there, ROUTE_WATERMARK, RelationGetDescr(rel),
												   &nulls[ROUTE_WATERMARK - 1]);
		values[ROUTE_PENDING - 1] = heap_getattr(there, ROUTE_PENDING, RelationGetDescr(rel),
												 &nulls[ROUTE_PENDING - 1]);
		values[ROUTE_REACH - 1] = heap_getattr(there, ROUTE_REACH, RelationGetDescr(rel), &nulls[ROUTE_REACH - 1]);
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

/* Writes a route, in place of the one there was; but the watermark of a hot one stays. */
void
router_catalog_put_route(const RouterConfig *config)
{
	put_settings(config);
	delete_rows("key_def", "key_def_pkey", KEY_BASE, config->base);
	for (int i = 0; i < config->nkeys; i++)
		insert_key(config->base, i + 1, &config->keys[i]);
	CacheInvalidateRelcacheByRelid(config->base);
}

/* Replaces texts of a route's row. */
static void
put_texts(Oid base, int n, int *columns, const char **texts)
{
	Relation	rel = table_open(catalog_relid("route_def"), RowExclusiveLock);
	SysScanDesc scan = begin_scan(rel, "route_def_pkey", ROUTE_BASE, base);
	HeapTuple	tup = systable_getnext(scan);
	Datum		values[2];
	bool		nulls[2];

	if (!HeapTupleIsValid(tup))
		elog(ERROR, "route of relation %u is gone", base);
	for (int i = 0; i < n; i++)
		put_text(texts[i], &values[i], &nulls[i]);
	tup = heap_modify_tuple_by_cols(tup, RelationGetDescr(rel), n, columns, values, nulls);
	CatalogTupleUpdate(rel, &tup->t_self, tup);
	systable_endscan(scan);
	table_close(rel, NoLock);
	CacheInvalidateRelcacheByRelid(base);
	CommandCounterIncrement();
}

/* Sets how far archiving is, and how far it is going (NULL: nowhere). */
void
router_catalog_put_watermark(Oid base, const char *watermark, const char *pending)
{
	put_texts(base, 2, (int[]) {ROUTE_WATERMARK, ROUTE_PENDING}, (const char *[]) {watermark, pending});
}

/* Sets from where on children have no rows. */
void
router_catalog_put_reach(Oid base, const char *reach)
{
	put_texts(base, 1, (int[]) {ROUTE_REACH}, (const char *[]) {reach});
}

/* The watermark and reach (or NULL) of a hot base as a snapshot sees them; NULL: it saw no hot route. */
char *
router_catalog_watermark(Oid base, Snapshot snapshot, char **reach)
{
	Relation	rel = table_open(catalog_relid("route_def"), AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tup;
	char	   *watermark = NULL;

	*reach = NULL;
	ScanKeyInit(&key, ROUTE_BASE, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(base));
	scan = systable_beginscan(rel, catalog_relid("route_def_pkey"), true, snapshot, 1, &key);
	tup = systable_getnext(scan);
	if (HeapTupleIsValid(tup))
	{
		watermark = get_text(tup, ROUTE_WATERMARK, RelationGetDescr(rel));
		*reach = get_text(tup, ROUTE_REACH, RelationGetDescr(rel));
	}
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
	insert_row("events", values, nulls);
}

/* Forgets a route and its keys, not its children. The base may be gone already. */
void
router_catalog_remove_route(Oid base)
{
	delete_rows("route_def", "route_def_pkey", ROUTE_BASE, base);
	delete_rows("key_def", "key_def_pkey", KEY_BASE, base);
	invalidate(base);
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
	Relation	rel = table_open(catalog_relid("child_def"), AccessShareLock);
	SysScanDesc scan = begin_scan(rel, "child_def_base_idx", CHILD_BASE, base);
	List	   *children = NIL;
	HeapTuple	tup;

	while (HeapTupleIsValid(tup = systable_getnext(scan)))
		children = lappend(children, read_child(tup, RelationGetDescr(rel)));
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return children;
}

/* The definition of a child, or NULL. */
RouterChildDef *
router_catalog_child(Oid child)
{
	Relation	rel = table_open(catalog_relid("child_def"), AccessShareLock);
	SysScanDesc scan = begin_scan(rel, "child_def_pkey", CHILD_CHILD, child);
	HeapTuple	tup = systable_getnext(scan);
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
	invalidate(child);
	insert_row("child_def", values, nulls);
}

/* Forgets a child, which may be gone already; does nothing for a table that is none. */
void
router_catalog_remove_child(Oid child)
{
	RouterChildDef *def = router_catalog_child(child);

	if (def == NULL)
		return;
	delete_rows("child_def", "child_def_pkey", CHILD_CHILD, child);
	invalidate(child);
	invalidate(def->base);
}

/* Forgets a route with its keys, children and global keys. */
void
router_catalog_remove_all(Oid base)
{
	delete_rows("child_def", "child_def_base_idx", CHILD_BASE, base);
	delete_rows("global_key_def", "global_key_def_base_idx", GLOBAL_BASE, base);
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
	Relation	rel = table_open(catalog_relid("global_key_def"), AccessShareLock);
	SysScanDesc scan = begin_scan(rel, "global_key_def_base_idx", GLOBAL_BASE, base);
	List	   *keys = NIL;
	HeapTuple	tup;

	while (HeapTupleIsValid(tup = systable_getnext(scan)))
		keys = lappend(keys, read_global_key(tup, RelationGetDescr(rel)));
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return keys;
}

/* The base whose global key a table keeps, or InvalidOid. */
Oid
router_catalog_global_key_base(Oid key_table)
{
	Relation	rel = table_open(catalog_relid("global_key_def"), AccessShareLock);
	SysScanDesc scan = begin_scan(rel, "global_key_def_pkey", GLOBAL_KEY_TABLE, key_table);
	HeapTuple	tup = systable_getnext(scan);
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
	insert_row("global_key_def", values, nulls);
	depend_on_base(key->key_table, base);
	CacheInvalidateRelcacheByRelid(base);
}

/* Forgets a global key; its table may be gone already. */
void
router_catalog_remove_global_key(Oid key_table)
{
	Oid			base = router_catalog_global_key_base(key_table);

	delete_rows("global_key_def", "global_key_def_pkey", GLOBAL_KEY_TABLE, key_table);
	invalidate(base);
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

/* ----------------------------------------------- changes that come with SQL */

/* A restored row of key_def names its column; its number may be another one now. */
static HeapTuple
refill_attnum(HeapTuple tup, TupleDesc desc)
{
	bool		isnull;
	Oid			base = DatumGetObjectId(heap_getattr(tup, KEY_BASE, desc, &isnull));
	Name		column = DatumGetName(heap_getattr(tup, KEY_COLUMN, desc, &isnull));
	AttrNumber	attnum = get_attnum(base, NameStr(*column));
	int			attno = KEY_ATTNUM;
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
	bool		isnull;
	Oid			base = DatumGetObjectId(heap_getattr(tup, GLOBAL_BASE, desc, &isnull));
	RouterGlobalKey *key = read_global_key(tup, desc);
	Datum	   *attnums = palloc(key->ncolumns * sizeof(Datum));
	int			attno = GLOBAL_ATTNUMS;
	Datum		value;
	bool		null = false;

	for (int i = 0; i < key->ncolumns; i++)
	{
		AttrNumber	attnum = get_attnum(base, key->columns[i]);

		if (attnum == InvalidAttrNumber)
			return tup;
		attnums[i] = Int16GetDatum(attnum);
	}
	if (SearchSysCacheExists1(RELOID, ObjectIdGetDatum(key->key_table)))
		depend_on_base(key->key_table, base);
	value = PointerGetDatum(construct_array(attnums, key->ncolumns, INT2OID, sizeof(int16), true, TYPALIGN_SHORT));
	return heap_modify_tuple_by_cols(tup, desc, 1, &attno, &value, &null);
}

/* BEFORE ROW trigger on the four tables: what pg_restore or a superuser writes there takes effect. */
Datum
router_config_changed(PG_FUNCTION_ARGS)
{
	TriggerData *trigdata = (TriggerData *) fcinfo->context;
	HeapTuple	tup;
	TupleDesc	desc;
	const char *table;
	bool		is_child;
	bool		isnull;
	Oid			base;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_FOR_ROW(trigdata->tg_event) ||
		!TRIGGER_FIRED_BEFORE(trigdata->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function \"%s\" must be called as a BEFORE ROW trigger", "router.config_changed")));
	tup = TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event) ? trigdata->tg_newtuple : trigdata->tg_trigtuple;
	desc = RelationGetDescr(trigdata->tg_relation);
	table = RelationGetRelationName(trigdata->tg_relation);
	is_child = strcmp(table, "child_def") == 0;
	base = DatumGetObjectId(heap_getattr(tup, is_child ? CHILD_BASE : ROUTE_BASE, desc, &isnull));
	if (!isnull)
		invalidate(base);
	if (is_child)
		invalidate(DatumGetObjectId(heap_getattr(tup, CHILD_CHILD, desc, &isnull)));
	if (TRIGGER_FIRED_BY_DELETE(trigdata->tg_event))
		return PointerGetDatum(tup);
	if (strcmp(table, "key_def") == 0)
		tup = refill_attnum(tup, desc);
	else if (strcmp(table, "global_key_def") == 0)
		tup = refill_global_key(tup, desc);
	return PointerGetDatum(tup);
}
