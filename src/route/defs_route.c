/*
 * defs_route.c
 *		Sole reader and writer of the tables router.route_def (but for its marks, see
 *		watermark.c) and key_def.
 */
#include "compat.h"
#include "route/catalog.h"

#include "access/table.h"
#include "catalog/indexing.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

#include "route/defs.h"
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
