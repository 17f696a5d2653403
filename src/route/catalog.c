/*
 * catalog.c
 *		Sole reader and writer of the tables router.route_def (but for its marks, see
 *		watermark.c), key_def, child_def and global_key_def.
 *
 * Locking: AccessShareLock to read, RowExclusiveLock to write. Whoever changes
 * a route or its children holds ShareUpdateExclusiveLock or more on the base.
 * Each change invalidates the relcache entry of the base (here, and for
 * changes made with SQL by changed.c), which tells cache.c; or less: see
 * router_marks_id.
 */
#include "compat.h"
#include "route/catalog.h"

#include "access/table.h"
#include "catalog/dependency.h"
#include "catalog/indexing.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"

#include "route/defs.h"
#include "route/growth.h"
#include "route/loose.h"
#include "route/watermark.h"

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

/* Is there any route in this database? */
bool
router_catalog_any_base(void)
{
	Relation	rel = table_open(router_catalog_relid("route_def"), AccessShareLock);
	SysScanDesc scan = router_catalog_begin(rel, NULL, 0, NULL, NULL);
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
	SysScanDesc scan = router_catalog_begin(rel, NULL, 0, NULL, NULL);
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

/* ------------------------------------------------------------------- routes */

static void
read_key(RouterKey *key, HeapTuple tup, TupleDesc desc)
{
	bool		isnull;
	Datum		datum;

	key->kind = router_kind_from_text(router_get_text(tup, KEY_KIND, desc));
	key->column = pstrdup(NameStr(*DatumGetName(heap_getattr(tup, KEY_COLUMN, desc, &isnull))));
	key->attnum = DatumGetInt16(heap_getattr(tup, KEY_ATTNUM, desc, &isnull));
	key->every = router_get_text(tup, KEY_EVERY, desc);
	datum = heap_getattr(tup, KEY_MODULUS, desc, &isnull);
	key->modulus = isnull ? 0 : DatumGetInt32(datum);
	datum = heap_getattr(tup, KEY_GROUPS, desc, &isnull);
	key->groups = isnull ? NULL : router_text_elements(datum, &key->ngroups);
	key->pivot = router_get_text(tup, KEY_PIVOT, desc);
	key->label = router_get_text(tup, KEY_LABEL, desc);
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
		config->time_zone = router_get_text(tup, ROUTE_TIME_ZONE, desc);
		config->template = router_get_text(tup, ROUTE_TEMPLATE, desc);
		config->on_missing = router_policy_from_text("on_missing", router_get_text(tup, ROUTE_ON_MISSING, desc), true);
		config->on_reject = router_policy_from_text("on_reject", router_get_text(tup, ROUTE_ON_REJECT, desc), false);
		config->horizon = *DatumGetIntervalP(heap_getattr(tup, ROUTE_HORIZON, desc, &isnull));
		config->max_new_children = DatumGetInt32(heap_getattr(tup, ROUTE_MAX_NEW_CHILDREN, desc, &isnull));
		datum = heap_getattr(tup, ROUTE_HOT, desc, &isnull);
		if (!isnull)
		{
			config->hot = palloc(sizeof(Interval));
			*config->hot = *DatumGetIntervalP(datum);
		}
		config->watermark = router_get_text(tup, ROUTE_WATERMARK, desc);
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
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
	router_put_text(key->every, &values[KEY_EVERY - 1], &nulls[KEY_EVERY - 1]);
	values[KEY_MODULUS - 1] = Int32GetDatum(key->modulus);
	nulls[KEY_MODULUS - 1] = key->modulus == 0;
	nulls[KEY_GROUPS - 1] = key->groups == NULL;
	values[KEY_GROUPS - 1] = key->groups ? router_text_array(key->groups, key->ngroups) : (Datum) 0;
	router_put_text(key->pivot, &values[KEY_PIVOT - 1], &nulls[KEY_PIVOT - 1]);
	router_put_text(key->label, &values[KEY_LABEL - 1], &nulls[KEY_LABEL - 1]);
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
	router_put_text(config->template, &values[ROUTE_TEMPLATE - 1], &nulls[ROUTE_TEMPLATE - 1]);
	values[ROUTE_ON_MISSING - 1] = CStringGetTextDatum(policy_names[config->on_missing]);
	values[ROUTE_ON_REJECT - 1] = CStringGetTextDatum(policy_names[config->on_reject]);
	values[ROUTE_HORIZON - 1] = PointerGetDatum(&config->horizon);
	values[ROUTE_MAX_NEW_CHILDREN - 1] = Int32GetDatum(config->max_new_children);
	values[ROUTE_HOT - 1] = PointerGetDatum(config->hot);
	nulls[ROUTE_HOT - 1] = config->hot == NULL;
	router_put_text(config->watermark, &values[ROUTE_WATERMARK - 1], &nulls[ROUTE_WATERMARK - 1]);
	nulls[ROUTE_PENDING - 1] = true;
	if (config->hot && there && router_get_text(there, ROUTE_WATERMARK, RelationGetDescr(rel)))
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
	router_marks_forewarn();
	CacheInvalidateRelcacheByRelid(config->base);
	CommandCounterIncrement();	/* where a restore has left the triggers, nothing else does */
}

/* Forgets a route, its keys and tiers, not its children. The base may be gone already. */
void
router_catalog_remove_route(Oid base)
{
	router_catalog_delete("route_def", "route_def_pkey", ROUTE_BASE, base);
	router_catalog_delete("key_def", "key_def_pkey", KEY_BASE, base);
	router_catalog_remove_tiers(base);
	router_catalog_remove_upkeep(base);
	router_catalog_remove_progress(base);
	router_growth_remove(base);
	router_marks_remove(base);
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
	def->bounds = router_text_elements(heap_getattr(tup, CHILD_BOUNDS, desc, &isnull), &def->nbounds);
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
	values[CHILD_BOUNDS - 1] = router_text_array(bounds, nbounds);
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
	Datum		value = router_text_array(bounds, nbounds);
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
void
router_depend_on_base(Oid key_table, Oid base)
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
	router_depend_on_base(key->key_table, base);
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
