/*
 * defs_route.c
 *		Sole reader and writer of the tables router.route_def (but for its marks, see
 *		watermark.c) and key_def.
 */
#include "compat.h"
#include "route/catalog.h"

#include "access/table.h"
#include "catalog/indexing.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

#include "route/defs.h"
#include "route/watermark.h"

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
	KEY_FROM_PIVOT,
	KEY_LABEL,
	KEY_NATTS = KEY_LABEL,
};

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
	SysScanDesc scan = router_catalog_scan("route_def", NULL, 0, InvalidOid);
	bool		found = HeapTupleIsValid(router_catalog_next(scan));

	router_catalog_end(scan);
	return found;
}

/* The bases of all routes, by oid. */
List *
router_catalog_bases(void)
{
	SysScanDesc scan = router_catalog_scan("route_def", NULL, 0, InvalidOid);
	TupleDesc	desc = RelationGetDescr(scan->heap_rel);
	List	   *bases = NIL;
	HeapTuple	tup;

	while (HeapTupleIsValid(tup = router_catalog_next(scan)))
		bases = lappend_oid(bases, router_get_oid(tup, ROUTE_BASE, desc));
	router_catalog_end(scan);
	list_sort(bases, list_oid_cmp);
	return bases;
}

/* ------------------------------------------------------------------- routes */

static void
read_key(RouterKey *key, HeapTuple tup, TupleDesc desc)
{
	bool		isnull;
	Datum		groups = heap_getattr(tup, KEY_GROUPS, desc, &isnull);

	key->groups = isnull ? NULL : router_text_elements(groups, &key->ngroups);
	key->kind = router_kind_from_text(router_get_text(tup, KEY_KIND, desc));
	key->column = router_get_name(tup, KEY_COLUMN, desc);
	key->attnum = router_get_int2(tup, KEY_ATTNUM, desc);
	key->every = router_get_text(tup, KEY_EVERY, desc);
	key->modulus = router_get_int4(tup, KEY_MODULUS, desc, 0);
	key->pivot = router_get_text(tup, KEY_PIVOT, desc);
	key->from_pivot = DatumGetBool(heap_getattr(tup, KEY_FROM_PIVOT, desc, &isnull));
	key->label = router_get_text(tup, KEY_LABEL, desc);
}

static void
read_keys(RouterConfig *config)
{
	SysScanDesc scan = router_catalog_scan("key_def", "key_def_pkey", KEY_BASE, config->base);
	TupleDesc	desc = RelationGetDescr(scan->heap_rel);
	HeapTuple	tup;

	while (HeapTupleIsValid(tup = router_catalog_next(scan)))
	{
		int			level = router_get_int2(tup, KEY_LEVEL, desc);

		if (level < 1 || level > ROUTER_MAX_LEVELS)
			elog(ERROR, "key of relation %u has level %d", config->base, level);
		read_key(&config->keys[level - 1], tup, desc);
		config->nkeys = Max(config->nkeys, level);
	}
	router_catalog_end(scan);
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
	SysScanDesc scan = router_catalog_scan("route_def", "route_def_pkey", ROUTE_BASE, base);
	TupleDesc	desc = RelationGetDescr(scan->heap_rel);
	HeapTuple	tup = router_catalog_next(scan);
	RouterConfig *config = NULL;

	if (HeapTupleIsValid(tup))
	{

		config = palloc0(sizeof(RouterConfig));
		config->base = base;
		config->time_zone = router_get_text(tup, ROUTE_TIME_ZONE, desc);
		config->template = router_get_text(tup, ROUTE_TEMPLATE, desc);
		config->child_schema = router_get_name(tup, ROUTE_CHILD_SCHEMA, desc);
		config->on_missing = router_policy_from_text("on_missing", router_get_text(tup, ROUTE_ON_MISSING, desc), true);
		config->on_reject = router_policy_from_text("on_reject", router_get_text(tup, ROUTE_ON_REJECT, desc), false);
		config->horizon = *router_get_interval(tup, ROUTE_HORIZON, desc);
		config->max_new_children = router_get_int4(tup, ROUTE_MAX_NEW_CHILDREN, desc, 0);
		config->hot = router_get_interval(tup, ROUTE_HOT, desc);
		config->watermark = router_get_text(tup, ROUTE_WATERMARK, desc);
	}
	router_catalog_end(scan);
	if (config)
		read_keys(config);
	result->config = config && config->nkeys > 0 ? config : NULL;
}

/* Has a table a route? To be asked before it is locked; after that it may have none. */
bool
router_catalog_is_base(Oid relid)
{
	SysScanDesc scan = router_catalog_scan("route_def", "route_def_pkey", ROUTE_BASE, relid);
	bool		found = HeapTupleIsValid(router_catalog_next(scan));

	router_catalog_end(scan);
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
	values[KEY_FROM_PIVOT - 1] = BoolGetDatum(key->from_pivot);
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
			same_text(x->pivot, y->pivot) && x->from_pivot == y->from_pivot && same_text(x->label, y->label);
		for (int j = 0; same && j < x->ngroups; j++)
			same = strcmp(x->groups[j], y->groups[j]) == 0;
	}
	return same;
}

/* Writes a row of route_def, in place of the one there was. */
static void
put_settings(const RouterConfig *config)
{
	SysScanDesc scan = router_catalog_scan_to_write("route_def", "route_def_pkey", ROUTE_BASE, config->base);
	TupleDesc	desc = RelationGetDescr(scan->heap_rel);
	HeapTuple	there = router_catalog_next(scan);
	HeapTuple	tup;
	Datum		values[ROUTE_NATTS];
	bool		nulls[ROUTE_NATTS] = {0};

	values[ROUTE_BASE - 1] = ObjectIdGetDatum(config->base);
	values[ROUTE_TIME_ZONE - 1] = CStringGetTextDatum(config->time_zone);
	router_put_text(config->template, &values[ROUTE_TEMPLATE - 1], &nulls[ROUTE_TEMPLATE - 1]);
	router_put_name(config->child_schema, &values[ROUTE_CHILD_SCHEMA - 1], &nulls[ROUTE_CHILD_SCHEMA - 1]);
	values[ROUTE_ON_MISSING - 1] = CStringGetTextDatum(policy_names[config->on_missing]);
	values[ROUTE_ON_REJECT - 1] = CStringGetTextDatum(policy_names[config->on_reject]);
	values[ROUTE_HORIZON - 1] = PointerGetDatum(&config->horizon);
	values[ROUTE_MAX_NEW_CHILDREN - 1] = Int32GetDatum(config->max_new_children);
	values[ROUTE_HOT - 1] = PointerGetDatum(config->hot);
	nulls[ROUTE_HOT - 1] = config->hot == NULL;
	router_put_text(config->watermark, &values[ROUTE_WATERMARK - 1], &nulls[ROUTE_WATERMARK - 1]);
	nulls[ROUTE_PENDING - 1] = true;
	if (config->hot && there && router_get_text(there, ROUTE_WATERMARK, desc))
	{
		/* archiving may have gone on since config was read: the watermark never goes back */
		values[ROUTE_WATERMARK - 1] = heap_getattr(there, ROUTE_WATERMARK, desc,
												   &nulls[ROUTE_WATERMARK - 1]);
		values[ROUTE_PENDING - 1] = heap_getattr(there, ROUTE_PENDING, desc,
												 &nulls[ROUTE_PENDING - 1]);
	}
	tup = heap_form_tuple(desc, values, nulls);
	if (there)
		CatalogTupleUpdate(scan->heap_rel, &there->t_self, tup);
	else
		CatalogTupleInsert(scan->heap_rel, tup);
	heap_freetuple(tup);
	router_catalog_end_write(scan);
}

/* Writes a route, in place of the one there was; but the watermark of one that stays hot stays as well. */
void
router_catalog_put_route(const RouterConfig *config)
{
	RouterConfig *there = router_catalog_route(config->base);

	put_settings(config);
	if (there == NULL || !same_keys(there, config))
	{
		router_catalog_delete("key_def", "key_def_pkey", "base", config->base);
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

/* Follows the rename of a schema where children are made; to NULL: it was dropped. The bases that it concerns. */
List *
router_catalog_rename_schema(const char *schema, const char *to)
{
	List	   *bases = NIL;
	ListCell   *lc;

	foreach(lc, router_catalog_bases())
	{
		Oid			base = lfirst_oid(lc);
		RouterConfig *config = router_catalog_route(base);

		if (config == NULL || !same_text(config->child_schema, schema))
			continue;
		LockRelationOid(base, ShareUpdateExclusiveLock);
		config = router_catalog_route(base);
		if (config == NULL || !same_text(config->child_schema, schema) || get_rel_name(base) == NULL)
			continue;
		config->child_schema = to ? pstrdup(to) : NULL;
		router_catalog_put_route(config);
		bases = lappend_oid(bases, base);
	}
	return bases;
}
