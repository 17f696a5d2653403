/*
 * route_settings.c
 *		The keys and settings of a route, as create_route and alter_route are given
 *		them: read, checked against the table, compared with what there is, written.
 */
#include "compat.h"
#include "admin/route_settings.h"

#include "access/table.h"
#include "catalog/catalog.h"
#include "catalog/namespace.h"
#include "storage/bufmgr.h"
#include "storage/ipc.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"

#include "base/sql.h"
#include "route/defs.h"
#include "rows/moving.h"
#include "write/home.h"
#include "admin/child_admin.h"
#include "admin/route_triggers.h"
#include "admin/rehome.h"
#include "child/child_name.h"

#define DEFAULT_HORIZON_MONTHS (100 * 12)
#define DEFAULT_MAX_NEW_CHILDREN 1000

/* bases that are temporary tables of this session */
static List *temporary_bases = NIL;

/* ------------------------------------------------------------------- arguments */

/* Reads the settings, which stand in the same order from argument n on. */
void
router_read_settings(FunctionCallInfo fcinfo, int n, RouterSettings *settings)
{
	settings->template = router_arg_text(fcinfo, n);
	settings->time_zone = router_arg_text(fcinfo, n + 1);
	settings->default_child = PG_ARGISNULL(n + 2) ? -1 : PG_GETARG_BOOL(n + 2);
	settings->on_missing = router_arg_text(fcinfo, n + 3);
	settings->on_reject = router_arg_text(fcinfo, n + 4);
	settings->horizon = router_arg_interval(fcinfo, n + 5);
	settings->max_new_children = PG_ARGISNULL(n + 6) ? -1 : PG_GETARG_INT32(n + 6);
	settings->hot = router_arg_interval(fcinfo, n + 7);
	settings->child_schema = router_arg_name(fcinfo, n + 8);
	if (!PG_ARGISNULL(n + 6) && settings->max_new_children < 0)
		router_bad_value("max_new_children", psprintf("%d", settings->max_new_children),
						 "It is the number of children that one statement may create: 0 or more.");
}

static char *
attribute_text(HeapTupleHeader tup, const char *name)
{
	bool		isnull;
	Datum		value = GetAttributeByName(tup, name, &isnull);

	return isnull ? NULL : TextDatumGetCString(value);
}

static void
read_groups(RouterKey *key, Datum array)
{
	Datum	   *elements;
	bool	   *nulls;

	deconstruct_array(DatumGetArrayTypeP(array), TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, &key->ngroups);
	key->groups = palloc(Max(key->ngroups, 1) * sizeof(char *));
	for (int i = 0; i < key->ngroups; i++)
	{
		if (nulls[i])
			router_bad_argument("groups", "A group is an array literal, such as {1,2,3}.");
		key->groups[i] = TextDatumGetCString(elements[i]);
	}
}

static void
read_key(RouterKey *key, HeapTupleHeader tup)
{
	bool		isnull;
	Datum		value;
	char	   *kind = attribute_text(tup, "kind");

	if (kind == NULL)
		router_bad_argument("keys", "Make keys with router.by_list, by_date, by_integer, by_prefix, by_suffix or by_hash.");
	key->kind = router_kind_from_text(kind);
	value = GetAttributeByName(tup, "column_name", &isnull);
	if (isnull)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("the column of a key cannot be null")));
	key->column = pstrdup(NameStr(*DatumGetName(value)));
	key->every = attribute_text(tup, "every");
	value = GetAttributeByName(tup, "modulus", &isnull);
	key->modulus = isnull ? 0 : DatumGetInt32(value);
	value = GetAttributeByName(tup, "groups", &isnull);
	if (!isnull)
		read_groups(key, value);
	key->pivot = attribute_text(tup, "pivot");
	value = GetAttributeByName(tup, "from_pivot", &isnull);
	key->from_pivot = !isnull && DatumGetBool(value);
	key->label = attribute_text(tup, "label");
}

static void
read_keys(RouterConfig *config, ArrayType *array)
{
	Datum	   *elements;
	bool	   *nulls;
	int16		len;
	bool		byval;
	char		align;

	get_typlenbyvalalign(ARR_ELEMTYPE(array), &len, &byval, &align);
	deconstruct_array(array, ARR_ELEMTYPE(array), len, byval, align, &elements, &nulls, &config->nkeys);
	if (config->nkeys < 1 || config->nkeys > ROUTER_MAX_LEVELS)
		router_bad_argument("keys", psprintf("Give 1 to %d keys, outermost first.", ROUTER_MAX_LEVELS));
	for (int i = 0; i < config->nkeys; i++)
	{
		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("keys of a routed table cannot be null")));
		read_key(&config->keys[i], DatumGetHeapTupleHeader(elements[i]));
	}
}

/* ---------------------------------------------------------------------- checks */

static void
check_template(const char *template, int nkeys)
{
	for (int i = 0; i < nkeys; i++)
		if (strstr(template, psprintf("{%d}", i + 1)) == NULL)
			router_bad_value("template", template,
							 psprintf("The template must hold {1} to {%d}, one for each key, and may hold {base}.", nkeys));
	if (strstr(template, psprintf("{%d}", nkeys + 1)))
		router_bad_value("template", template, psprintf("It holds {%d}, and there are %d keys.", nkeys + 1, nkeys));
	if (strchr(template, '.'))
		router_bad_value("template", template,
						 "A dot would be part of each child's name. For children in a schema of their own use child_schema.");
}

/* Groups must be disjoint; a pivot must be readable. RouterSettings are pinned. */
static void
check_groups(RouterKey *key)
{
	RouterBound **groups = palloc(Max(key->ngroups, 1) * sizeof(RouterBound *));

	for (int i = 0; i < key->ngroups; i++)
	{
		if (key->groups[i][0] != '{')
			router_bad_value("groups", key->groups[i], "Each group is an array literal, such as {1,2,3}.");
		groups[i] = router_bound_parse(key, key->groups[i]);
		for (int j = 0; j < i; j++)
			if (router_bounds_overlap(key, groups[i], groups[j]))
				ereport(ERROR,
						(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						 errmsg("groups %s and %s of key \"%s\" overlap", key->groups[j], key->groups[i], key->column),
						 errhint("A value can be in one group only.")));
	}
}

/* Where children are made from now on. What names the schema of the base, goes with that. */
static void
apply_child_schema(RouterConfig *config, const char *name)
{
	Oid			schema = get_namespace_oid(name, false);

	if (get_rel_persistence(config->base) == RELPERSISTENCE_TEMP || isAnyTempNamespace(schema) ||
		IsCatalogNamespace(schema) || IsToastNamespace(schema) || schema == get_namespace_oid("router", false))
		router_bad_value("child_schema", name, "It is a schema for tables; children of a temporary table are where that is.");
	router_check_child_schema(config->base, schema);
	config->child_schema = schema == get_rel_namespace(config->base) ? NULL : pstrdup(name);
}

static void
apply_settings(RouterConfig *config, const RouterSettings *settings,
					 bool has_default_child)
{
	if (settings->template)
	{
		check_template(settings->template, config->nkeys);
		config->template = settings->template;
	}
	if (settings->child_schema)
		apply_child_schema(config, settings->child_schema);
	if (settings->time_zone)
	{
		if (pg_tzset(settings->time_zone) == NULL)
			router_bad_value("time_zone", settings->time_zone, "See pg_timezone_names for the names there are.");
		config->time_zone = settings->time_zone;
	}
	if (settings->on_missing)
		config->on_missing = router_policy_from_text("on_missing", settings->on_missing, true);
	if (settings->on_reject)
		config->on_reject = router_policy_from_text("on_reject", settings->on_reject, false);
	if (settings->horizon)
	{
		if (!router_is_above_zero(settings->horizon))
			router_bad_value("horizon", router_interval_text(settings->horizon),
							 "It is how far from now a date may be for a child to be made: an interval above zero.");
		config->horizon = *settings->horizon;
	}
	if (settings->hot)
	{
		if (!router_is_above_zero(settings->hot))
			router_bad_value("hot", router_interval_text(settings->hot),
							 "It is how long a row stays in the base: an interval above zero, such as '7 days'.");
		if (router_hot_level(config) < 0)
			router_bad_argument("hot", "The age of rows needs a date key: add router.by_date to the keys.");
		config->hot = settings->hot;
	}
	if (settings->max_new_children >= 0)
		config->max_new_children = settings->max_new_children;
	if ((config->on_missing == ROUTER_POLICY_DEFAULT || config->on_reject == ROUTER_POLICY_DEFAULT) &&
		!has_default_child && settings->default_child != 1)
		router_bad_argument(config->on_missing == ROUTER_POLICY_DEFAULT ? "on_missing" : "on_reject",
					"'default' needs a default child: say default_child => true.");
}

/* Checks keys and settings of a wanted configuration against the table. fresh: are the keys new? */
void
router_check_config(RouterConfig *config, Relation base, bool fresh)
{
	int			guc_level = router_pin_settings(config->time_zone);

	for (int i = 0; i < config->nkeys; i++)
	{
		router_key_resolve(&config->keys[i], base, config->time_zone);
		if (fresh)
			router_key_check_type(&config->keys[i], config->keys[i].typid);
		check_groups(&config->keys[i]);
		router_check_label(&config->keys[i], base->rd_rel->relowner, config->time_zone);
	}
	AtEOXact_GUC(false, guc_level);
}

/* What shall be, from what is, if anything, and what was asked for. */
RouterConfig *
router_wanted_config(Oid base, const RouterConfig *there, ArrayType *keys, const RouterSettings *settings,
					 bool has_default_child)
{
	RouterConfig *config = palloc0(sizeof(RouterConfig));

	if (there)
		*config = *there;
	else
	{
		config->time_zone = pstrdup(pg_get_timezone_name(session_timezone));
		config->on_missing = ROUTER_POLICY_CREATE;
		config->on_reject = ROUTER_POLICY_ERROR;
		config->horizon.month = DEFAULT_HORIZON_MONTHS;
		config->max_new_children = DEFAULT_MAX_NEW_CHILDREN;
	}
	config->base = base;
	if (keys)
	{
		memset(config->keys, 0, sizeof(config->keys));
		read_keys(config, keys);
	}
	apply_settings(config, settings, has_default_child);
	return config;
}

/* ------------------------------------------------------------------- comparing */

static bool
same_text(const char *a, const char *b)
{
	return (a == NULL && b == NULL) || (a && b && strcmp(a, b) == 0);
}

/* Do two configurations route rows alike? Labels only name children. */
bool
router_same_keys(const RouterConfig *a, const RouterConfig *b)
{
	if (a->nkeys != b->nkeys)
		return false;
	for (int i = 0; i < a->nkeys; i++)
	{
		const RouterKey *x = &a->keys[i];
		const RouterKey *y = &b->keys[i];

		if (x->kind != y->kind || strcmp(x->column, y->column) != 0 || !same_text(x->every, y->every) ||
			x->modulus != y->modulus || x->ngroups != y->ngroups || !same_text(x->pivot, y->pivot) ||
			x->from_pivot != y->from_pivot)
			return false;
		for (int j = 0; j < x->ngroups; j++)
			if (strcmp(x->groups[j], y->groups[j]) != 0)
				return false;
	}
	return true;
}

/* Is it the same column by whose dates rows are hot? */
bool
router_same_hot_key(const RouterConfig *a, const RouterConfig *b)
{
	int			x = router_hot_level(a);
	int			y = router_hot_level(b);

	return x >= 0 && y >= 0 && strcmp(a->keys[x].column, b->keys[y].column) == 0;
}

static bool
same_labels(const RouterConfig *a, const RouterConfig *b)
{
	for (int i = 0; i < a->nkeys; i++)
		if (!same_text(a->keys[i].label, b->keys[i].label))
			return false;
	return true;
}

bool
router_same_settings(const RouterConfig *a, const RouterConfig *b)
{
	return same_text(a->template, b->template) && same_text(a->child_schema, b->child_schema) &&
		strcmp(a->time_zone, b->time_zone) == 0 &&
		a->on_missing == b->on_missing && a->on_reject == b->on_reject &&
		memcmp(&a->horizon, &b->horizon, sizeof(Interval)) == 0 && a->max_new_children == b->max_new_children &&
		(a->hot == NULL) == (b->hot == NULL) && (a->hot == NULL || memcmp(a->hot, b->hot, sizeof(Interval)) == 0);
}

static char *
keys_display(const RouterConfig *config)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (int i = 0; i < config->nkeys; i++)
		appendStringInfo(&buf, "%s%s(%s)", i > 0 ? ", " : "", router_kind_name(config->keys[i].kind),
						 quote_identifier(config->keys[i].column));
	return buf.data;
}

void
router_report_route(RouterReport *report, const RouterConfig *there, const RouterConfig *config)
{
	char	   *table = router_qualified_name(config->base);

	if (there == NULL)
		router_report(report, "route %s by %s", table, keys_display(config));
	else if (!router_same_keys(there, config))
		router_report(report, "route %s by %s instead", table, keys_display(config));
	else if (!router_same_settings(there, config) || !same_labels(there, config))
		router_report(report, "change the settings of %s", table);
}

/* --------------------------------------------------------------- the watermark */

/* Has a child any page? */
static bool
is_filled(Oid child)
{
	Relation	rel = table_open(child, AccessShareLock);
	bool		filled = rel->rd_rel->relkind != RELKIND_RELATION || RelationGetNumberOfBlocks(rel) > 0;

	table_close(rel, NoLock);
	return filled;
}

static void
refuse_hot(const RouterConfig *config, const char *detail, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("routed table \"%s\" cannot become hot", get_rel_name(config->base)),
			 errdetail("%s", detail),
			 errhint("%s", hint)));
}

/* The first watermark of a route that becomes hot. The keys are resolved, the children locked. */
void
router_first_watermark(RouterConfig *config, RouterRoute *route, bool has_hot_rows)
{
	RouterKey  *key = &config->keys[router_hot_level(config)];
	int64		watermark = has_hot_rows ? PG_INT64_MIN : router_hot_cutoff(config);
	int			guc_level = router_pin_settings(config->time_zone);
	ListCell   *lc;

	/* where rows live in children already they go on living there */
	foreach(lc, route ? router_catalog_children(config->base) : NIL)
	{
		RouterChildDef *def = lfirst(lc);
		RouterBound *bound = router_bound_parse(key, def->bounds[router_hot_level(config)]);

		if (bound->form != ROUTER_BOUND_RANGE || !is_filled(def->child))
			continue;
		if (has_hot_rows || bound->hi == PG_INT64_MAX)
			refuse_hot(config, psprintf("Child \"%s\" has rows without an end in time.", get_rel_name(def->child)),
					   "Split that child first.");
		watermark = Max(watermark, bound->hi + 1);
	}
	if (route && OidIsValid(route->default_child) && get_rel_relkind(route->default_child) == RELKIND_RELATION &&
		router_reaches(route->default_child, key, watermark))
		refuse_hot(config, "Its default child has rows that would be hot.",
				   "Empty it with router.redistribute, or delete them.");
	config->watermark = router_key_text(key, watermark);
	AtEOXact_GUC(false, guc_level);
}

/* --------------------------------------------------------------------- writing */

/* Temporary tables go when the session ends, without an event trigger: the catalog forgets them here. */
static void
forget_temporary_routes(int code, Datum arg)
{
	ListCell   *lc;

	AbortOutOfAnyTransaction();
	StartTransactionCommand();
	PushActiveSnapshot(GetTransactionSnapshot());
	foreach(lc, temporary_bases)
		if (router_catalog_exists())
			router_catalog_remove_all(lfirst_oid(lc));
	PopActiveSnapshot();
	CommitTransactionCommand();
}

static void
note_temporary(Oid base)
{
	MemoryContext old;

	if (get_rel_persistence(base) != RELPERSISTENCE_TEMP)
		return;
	if (temporary_bases == NIL)
		before_shmem_exit(forget_temporary_routes, (Datum) 0);
	old = MemoryContextSwitchTo(TopMemoryContext);
	temporary_bases = list_append_unique_oid(temporary_bases, base);
	MemoryContextSwitchTo(old);
}

/* Writes a route and, if it is new, its triggers. The base is locked, not open. */
void
router_put_route(const RouterConfig *config, const RouterConfig *there)
{
	RouterMirror all = {0};
	RouterAsOwner saved;

	router_become_owner(&saved, router_relation_owner(config->base),
						router_is_own_temp(config->base), config->time_zone);
	if (there == NULL)
	{
		(void) router_sync_triggers(&all, config->base);
		note_temporary(config->base);
	}
	router_catalog_put_route(config);
	if (config->hot && (there == NULL || there->hot == NULL))
	{
		ListCell   *lc;

		/* children are watched for current rows that are put into them by name */
		router_put_move_trigger(config->base, true);
		foreach(lc, router_catalog_children(config->base))
		{
			Oid			child = ((RouterChildDef *) lfirst(lc))->child;

			if (get_rel_relkind(child) == RELKIND_RELATION)
				router_put_move_trigger(child, true);
		}
	}
	router_become_user(&saved);
}
