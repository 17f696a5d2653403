/*
 * child_admin.c
 *		create_child, attach_child, detach_child, premake: the
 *		functions by which children come and go other than by an INSERT.
 *
 * Locking: the creation locks and the default child, in the order of create.c.
 * attach_child and detach_child take AccessExclusiveLock on the child, as
 * ALTER TABLE … INHERIT does.
 */
#include "compat.h"
#include "admin/child_admin.h"

#include "access/genam.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/dependency.h"
#include "catalog/namespace.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "storage/lmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "child/child_bounds.h"
#include "child/default_child.h"
#include "globalkey/triggers.h"
#include "mirror/mirror.h"
#include "base/name.h"
#include "route/owned.h"
#include "base/owner.h"
#include "write/fence.h"
#include "base/sql.h"
#include "rows/keep_in_step.h"
#include "route/stored.h"
#include "child/child_name.h"
#include "admin/implied.h"

#define MAX_PREMAKE 10000

PG_FUNCTION_INFO_V1(router_create_child);
PG_FUNCTION_INFO_V1(router_attach_child);
PG_FUNCTION_INFO_V1(router_detach_child);
PG_FUNCTION_INFO_V1(router_premake);

/* ----------------------------------------------------------------- helpers */

/* The bounds of a default child. */
static RouterBound **
default_bounds(RouterRoute *route)
{
	RouterBound **bounds = palloc(ROUTER_MAX_LEVELS * sizeof(RouterBound *));

	for (int i = 0; i < route->config.nkeys; i++)
	{
		bounds[i] = palloc0(sizeof(RouterBound));
		bounds[i]->form = ROUTER_BOUND_DEFAULT;
	}
	return bounds;
}

/* Is this a value rather than a bound? */
static bool
is_value(RouterKey *key, const char *text)
{
	if (strcmp(text, "default") == 0)
		return false;
	if (router_key_is_range(key))
		return text[0] != '[' && text[0] != '(';
	return key->kind == ROUTER_HASH ? strchr(text, '/') == NULL : text[0] != '{';
}

/*
 * Reads values that a row could have, one a level. False: a child holds them
 * already; else in bounds what an INSERT of such a row would create.
 */
static bool
bounds_of_values(RouterRoute *route, Datum *elements, bool *nulls, RouterBound **bounds)
{
	Datum		values[ROUTER_MAX_LEVELS];
	bool		isnull[ROUTER_MAX_LEVELS];
	RouterMiss	miss;

	for (int i = 0; i < route->config.nkeys; i++)
	{
		char	   *value = nulls[i] ? NULL : TextDatumGetCString(elements[i]);

		isnull[i] = value == NULL || strcmp(value, "null") == 0;
		values[i] = isnull[i] ? (Datum) 0 : router_key_input(&route->config.keys[i], value);
	}
	if (OidIsValid(router_route_find(route, values, isnull, &miss)))
		return false;
	if (!router_child_bounds(route, values, isnull, &miss, bounds))
	{
		char	   *row = router_row_display(route, values, isnull);

		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("no step of the key holds %s", row ? row : "these values"),
				 errhint("Give a range such as [lo,hi), (,hi) or [lo,).")));
	}
	return true;
}

/*
 * Reads bounds given as text[]: one a level; a null element means rows with
 * NULL. NULL: they are values, and a child holds them already.
 */
static RouterBound **
parse_bounds(RouterRoute *route, ArrayType *array)
{
	RouterBound **bounds = palloc(ROUTER_MAX_LEVELS * sizeof(RouterBound *));
	int			guc_level = router_pin_settings(route->config.time_zone);
	Datum	   *elements;
	bool	   *nulls;
	int			n;
	int			ndefaults = 0;
	bool		all_values = true;

	deconstruct_array(array, TEXTOID, -1, false, TYPALIGN_INT, &elements, &nulls, &n);
	if (n == 1 && !nulls[0] && strcmp(TextDatumGetCString(elements[0]), "default") == 0)
	{
		AtEOXact_GUC(false, guc_level);
		return default_bounds(route);
	}
	if (n != route->config.nkeys)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%d bounds given for a route of %d keys", n, route->config.nkeys),
				 errhint("Give one bound a key, outermost first, or 'default' alone.")));
	for (int i = 0; i < n; i++)
		all_values = all_values && (nulls[i] || is_value(&route->config.keys[i], TextDatumGetCString(elements[i])));
	if (all_values && !bounds_of_values(route, elements, nulls, bounds))
		bounds = NULL;
	for (int i = 0; i < n && !all_values; i++)
	{
		bounds[i] = router_bound_parse(&route->config.keys[i], nulls[i] ? "null" : TextDatumGetCString(elements[i]));
		ndefaults += bounds[i]->form == ROUTER_BOUND_DEFAULT;
	}
	AtEOXact_GUC(false, guc_level);
	if (ndefaults > 0 && ndefaults < n)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a default child is default at every level"),
				 errhint("Give 'default' alone.")));
	return bounds;
}

/* The child that has exactly these bounds, or InvalidOid. */
static Oid
find_exact(RouterRoute *route, RouterBound **bounds)
{
	int			guc_level = router_pin_settings(route->config.time_zone);
	Oid			found = InvalidOid;
	char	   *texts[ROUTER_MAX_LEVELS];
	ListCell   *lc;

	for (int i = 0; i < route->config.nkeys; i++)
		texts[i] = router_bound_text(&route->config.keys[i], bounds[i]);
	foreach(lc, router_catalog_children(route->config.base))
	{
		RouterChildDef *def = lfirst(lc);
		RouterBound *others[ROUTER_MAX_LEVELS];
		bool		same = true;

		/* as it would be written now: the route's zone may have changed since */
		router_stored_bounds(route->config.keys, def, others);
		for (int i = 0; same && i < route->config.nkeys; i++)
			same = strcmp(router_bound_text(&route->config.keys[i], others[i]), texts[i]) == 0;
		if (same)
			found = def->child;
	}
	AtEOXact_GUC(false, guc_level);
	return found;
}

static void
check_bounds(RouterCacheEntry *entry, RouterBound **bounds)
{
	RouterRoute *route = router_route_locked(entry);
	int			guc_level = router_pin_settings(route->config.time_zone);

	router_child_check_bounds(entry, bounds);
	AtEOXact_GUC(false, guc_level);
}

/* ------------------------------------------------------------ create_child */

/* Creates a child, or says so in a dry run. */
void
router_create_reported(RouterReport *report, RouterCacheEntry *entry, RouterBound **bounds, const char *name)
{
	RouterRoute *route = router_route_locked(entry);
	char	   *display = router_bounds_display(route, bounds);
	const char *schema = get_namespace_name(router_child_schema(&route->config));
	Oid			child;

	if (report->dry_run)
	{
		RouterAsOwner saved;
		char	   *given;

		router_become_owner(&saved, router_relation_owner(route->config.base), false, route->config.time_zone);
		given = name ? pstrdup(name) : router_child_name(route, bounds);
		router_become_user(&saved);
		router_report(report, "create child %s for %s", quote_qualified_identifier(schema, given), display);
		return;
	}
	child = router_child_create(entry, bounds, name, NULL);
	router_report(report, "create child %s for %s", router_qualified_name(child), display);
}

void
router_create_default_child(RouterReport *report, RouterCacheEntry *entry)
{
	RouterRoute *route = router_route_locked(entry);

	if (!OidIsValid(route->default_child))
		router_create_reported(report, entry, default_bounds(route), NULL);
}

/* The bounds given for a child. */
typedef struct Given
{
	ArrayType  *array;
	RouterBound **bounds;		/* NULL: a child holds these values already */
} Given;

static bool
takes_given(RouterCreation *creation)
{
	Given	   *given = creation->arg;

	given->bounds = parse_bounds(router_route_locked(creation->entry), given->array);
	return given->bounds && router_default_child_has(creation->entry, list_make1(given->bounds));
}

/* Takes the locks for making or attaching a child, and reads its bounds under them. */
static RouterBound **
lock_for_bounds(RouterCacheEntry *entry, Oid base, ArrayType *array, List *others)
{
	Given		given = {.array = array};
	RouterCreation creation = {.entry = entry,.base = base,.others = others,.takes_rows = takes_given,.arg = &given};
	RouterRoute *route = router_lock_children(&creation);

	return parse_bounds(route, array);
}

/* router.create_child(base, bounds, child_name, dry_run). Nothing happens if the child is there. */
Datum
router_create_child(PG_FUNCTION_ARGS)
{
	RouterReport report;
	RouterCacheEntry *entry;
	RouterBound **bounds;

	router_report_begin(&report, fcinfo, 2, 3);
	entry = router_owned_route(PG_GETARG_OID(0));
	bounds = lock_for_bounds(entry, PG_GETARG_OID(0), PG_GETARG_ARRAYTYPE_P(1), NIL);
	if (bounds == NULL || OidIsValid(find_exact(router_route_locked(entry), bounds)))
		return (Datum) 0;
	check_bounds(entry, bounds);
	router_create_reported(&report, entry, bounds, router_arg_name(fcinfo, 2));
	return (Datum) 0;
}

/* ---------------------------------------------------------- attach, detach */

static bool
inherits_from(Oid child, Oid base)
{
	return list_member_oid(find_inheritance_children(base, NoLock), child);
}

static void
check_attachable(Oid child, Oid base)
{
	char		relkind = get_rel_relkind(child);
	RouterChildDef *def;

	router_check_exists(child);
	router_check_owner(child);
	if ((relkind != RELKIND_RELATION && relkind != RELKIND_FOREIGN_TABLE) || get_rel_relispartition(child) ||
		child == base)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("relation cannot become a child of \"%s\"", get_rel_name(base)),
				 errhint("A child is an ordinary table or a foreign table of its own.")));
	def = router_catalog_child(child);
	if (def || router_catalog_route(child))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("\"%s\" %s", get_rel_name(child), def ? "is a child already" : "is a routed table itself"),
				 errhint("%s it first.", def ? "Detach" : "End the routing of")));
	if (OidIsValid(router_catalog_global_key_base(child)))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("\"%s\" keeps a global key of a routed table", get_rel_name(child)),
				 errhint("Entries of a key are no rows: attach another table.")));
}

/* A child may lay out its columns as it likes, but what the base lacks no row would bring. The column, or NULL. */
char *
router_column_base_lacks(Relation child, Oid base)
{
	for (int i = 0; i < RelationGetNumberOfAttributes(child); i++)
	{
		Form_pg_attribute att = TupleDescAttr(RelationGetDescr(child), i);

		if (!att->attisdropped && get_attnum(base, NameStr(att->attname)) == InvalidAttrNumber)
			return pstrdup(NameStr(att->attname));
	}
	return NULL;
}

/* Rows that router moves to a child pass its indexes as the base's owner. */
static void
check_table(Oid child, Oid base)
{
	Relation	rel = try_table_open(child, AccessShareLock);
	char	   *column;

	if (rel == NULL)
		router_check_exists(child);
	router_check_definer(RelationGetRelid(rel), router_relation_owner(base));
	column = router_column_base_lacks(rel, base);
	if (column)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("\"%s\" has a column \"%s\" that its base lacks", get_rel_name(child), column),
				 errhint("Add the column to \"%s\", or drop it.", get_rel_name(base))));
	table_close(rel, NoLock);
}

/*
 * Makes the table inherit and gives it the CHECK, for which all its rows may be
 * read. Runs as the owner of both; if they have two, as the caller, who acts for both.
 */
static void
alter_attached(RouterRoute *route, Oid child, RouterBound **bounds, bool inherits)
{
	Oid			base = route->config.base;
	Oid			owner = router_relation_owner(base);
	char	   *name = router_qualified_name(child);
	char	   *base_name = router_qualified_name(base);
	RouterAsOwner saved;

	router_become_owner(&saved, router_relation_owner(child) == owner ? owner : GetUserId(),
						router_is_own_temp(base), route->config.time_zone);
	router_put_home_check(child, router_child_condition(route, bounds));
	if (!inherits)
		router_run("ALTER %s %s INHERIT %s", router_table_word(child), name, base_name);
	router_leave_to_base(base, child);
	if (get_rel_relkind(child) == RELKIND_RELATION)
	{
		router_drop_move_trigger(child);
		router_put_move_trigger(child, route->hot_level >= 0);
	}
	router_become_user(&saved);
}

/*
 * Makes a table a child: both, and what creating children takes, are locked, and
 * the bounds are free. inherits: from the base, already.
 */
void
router_attach(RouterCacheEntry *entry, Oid child, RouterBound **bounds, bool inherits)
{
	RouterRoute *route = router_route_locked(entry);
	Oid			base = route->config.base;
	int			guc_level;

	alter_attached(route, child, bounds, inherits);
	route = router_route_locked(entry);
	guc_level = router_pin_settings(route->config.time_zone);
	router_register_child(entry, child, bounds);
	AtEOXact_GUC(false, guc_level);
	if (router_cache_route(entry)->hot_level >= 0)
		router_raise_reach(router_cache_route(entry), bounds[router_cache_route(entry)->hot_level]);
	router_globalkey_attach(base, child);
	(void) router_child_fill(entry, child, bounds);
}

/* router.attach_child(base, child, bounds, dry_run) */
Datum
router_attach_child(PG_FUNCTION_ARGS)
{
	RouterReport report;
	RouterCacheEntry *entry;
	RouterBound **bounds;
	Oid			base,
				child;

	router_report_begin(&report, fcinfo, 3, 3);
	base = PG_GETARG_OID(0);
	child = PG_GETARG_OID(1);
	entry = router_owned_route(base);
	check_attachable(child, base);
	check_table(child, base);
	bounds = lock_for_bounds(entry, base, PG_GETARG_ARRAYTYPE_P(2),
							 report.dry_run ? NIL : router_lock_add(NIL, child, AccessExclusiveLock));
	check_attachable(child, base);
	if (bounds == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
				 errmsg("a child of \"%s\" holds these values already", get_rel_name(base)),
				 errhint("See router.children for the bounds there are.")));
	check_bounds(entry, bounds);
	router_report(&report, "attach %s for %s", router_qualified_name(child),
				  router_bounds_display(router_route_locked(entry), bounds));
	if (!report.dry_run)
		router_attach(entry, child, bounds, inherits_from(child, base));
	return (Datum) 0;
}

/*
 * A child that does not inherit from its base any more loses what it had as a child, but for its CHECK. It is locked
 * AccessExclusive, settings are pinned. Errors: foreign_key_violation if something refers to an entry of its rows.
 */
void
router_child_end(Oid base, Oid child)
{
	router_globalkey_detach(base, child);
	router_step_end(child);
	router_drop_move_trigger(child);
	router_drop_seal(child);
	router_catalog_remove_child(child);
}

/* Makes a child a table of its own again. As router_child_end. */
void
router_child_release(Oid base, Oid child)
{
	int			guc_level = router_pin_settings(NULL);

	router_refuse_followed(child);
	router_before_no_inherit(base, child);
	router_run("ALTER %s %s NO INHERIT %s", router_table_word(child), router_qualified_name(child),
			   router_qualified_name(base));
	router_child_end(base, child);
	AtEOXact_GUC(false, guc_level);
}

/* router.detach_child(child, dry_run) */
Datum
router_detach_child(PG_FUNCTION_ARGS)
{
	RouterReport report;
	RouterChildDef *def;
	List	   *locks;
	Oid			child;

	router_report_begin(&report, fcinfo, 1, 1);
	child = PG_GETARG_OID(0);
	def = router_known_child(child, InvalidOid);
	(void) router_owned_route(def->base);
	locks = router_lock_add(router_lock_add_creation(NIL, def->base), def->base, ShareUpdateExclusiveLock);
	router_lock_these(report.dry_run ? locks : router_lock_add(locks, child, AccessExclusiveLock));
	/* who was waited for may have dropped it, or given it to somebody else */
	(void) router_owned_route(def->base);
	def = router_known_child(child, def->base);
	router_report(&report, "detach %s from %s", router_qualified_name(child), router_qualified_name(def->base));
	if (report.dry_run)
		return (Datum) 0;
	router_child_release(def->base, child);
	return (Datum) 0;
}

/*
 * Takes a child, or one that was, to another schema: under another name if its own
 * is taken there, and so for the indexes and sequences that go along. As the
 * caller.
 */
void
router_move_to_schema(Oid child, Oid schema)
{
	Relation	rel = table_open(child, AccessExclusiveLock);
	List	   *moving = lcons_oid(child, list_concat(RelationGetIndexList(rel), getOwnedSequences(child)));
	ListCell   *lc;

	table_close(rel, NoLock);
	router_check_owner(child);
	foreach(lc, moving)
		router_make_room(lfirst_oid(lc), schema);
	router_run("ALTER %s %s SET SCHEMA %s", router_table_word(child), router_qualified_name(child),
			   quote_identifier(get_namespace_name(schema)));
}

/* The children that stand elsewhere go to this schema. As the caller. */
void
router_gather_children(RouterReport *report, Oid base, const char *schema_name)
{
	Oid			schema = get_namespace_oid(schema_name, false);
	int			guc_level = router_pin_settings(NULL);
	ListCell   *lc;

	router_refuse_followed(base);
	foreach(lc, router_children_elsewhere(base, schema))
	{
		router_report(report, "move child %s to schema %s", router_qualified_name(lfirst_oid(lc)),
					  quote_identifier(schema_name));
		if (!report->dry_run)
			router_move_to_schema(lfirst_oid(lc), schema);
	}
	AtEOXact_GUC(false, guc_level);
}

/* ----------------------------------------------------------------- premake */

typedef struct Premake
{
	RouterRoute *route;
	int			n;
	bool		nightly;		/* called again and again: integer steps, which know no now, get no more */
	RouterBound *path[ROUTER_MAX_LEVELS];
	List	   *wanted;			/* of RouterBound *[nkeys] */
} Premake;

static void premake_level(Premake *pm, RouterNode *node, int level);

/* Wants a bound at a level; target: where it leads already, or NULL. */
static void
premake_bound(Premake *pm, RouterBound *bound, const RouterTarget *target, int level)
{
	RouterBound **copy;

	pm->path[level] = bound;
	if (level + 1 < pm->route->config.nkeys)
	{
		premake_level(pm, target ? target->node : NULL, level + 1);
		return;
	}
	if (target)
		return;
	copy = palloc(ROUTER_MAX_LEVELS * sizeof(RouterBound *));
	memcpy(copy, pm->path, sizeof(pm->path));
	pm->wanted = lappend(pm->wanted, copy);
	if (list_length(pm->wanted) > MAX_PREMAKE)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("premake would create more than %d children", MAX_PREMAKE),
				 errhint("Ask for fewer.")));
}

static RouterRange *
range_at(RouterNode *node, int64 value)
{
	for (int i = 0; node && i < node->nranges; i++)
		if (node->ranges[i].lo <= value && value <= node->ranges[i].hi)
			return &node->ranges[i];
	return NULL;
}

/* So many steps of a range key from value on; what others leave of a step, if they were made by another one. */
static void
premake_steps(Premake *pm, RouterNode *node, int level, int64 value, int steps)
{
	RouterKey  *key = &pm->route->config.keys[level];

	while (steps > 0)
	{
		RouterBound *bound = palloc0(sizeof(RouterBound));
		RouterRange *range = range_at(node, value);
		int64		end;

		bound->form = ROUTER_BOUND_RANGE;
		if (!router_key_bucket(key, value, &bound->lo, &bound->hi))
			return;
		end = bound->hi;
		if (range)
			value = Min(end, range->hi);
		else
		{
			if (node)
				router_route_clip(node, value, &bound->lo, &bound->hi);
			value = bound->hi;
		}
		if (range && level + 1 < pm->route->config.nkeys)
			bound = router_bound_copy(key, range->target.node->bound);
		premake_bound(pm, bound, range ? &range->target : NULL, level);
		if (value == end)
			steps--;
		if (value == PG_INT64_MAX)
			return;
		value++;
	}
}

/* The ranges there are. */
static void
premake_below_ranges(Premake *pm, RouterNode *node, int level)
{
	RouterKey  *key = &pm->route->config.keys[level];

	for (int i = 0; node && level + 1 < pm->route->config.nkeys && i < node->nranges; i++)
		premake_bound(pm, router_bound_copy(key, node->ranges[i].target.node->bound), &node->ranges[i].target, level);
}

static void
premake_ranges(Premake *pm, RouterNode *node, int level)
{
	RouterKey  *key = &pm->route->config.keys[level];
	bool		any = node && node->nranges > 0;

	if (key->every == NULL)
		return;
	if (key->kind == ROUTER_DATE)
		premake_steps(pm, node, level, router_key_now(key, GetCurrentTransactionStartTimestamp()), pm->n + 1);
	else if (pm->nightly)
		premake_below_ranges(pm, node, level);
	else if (!any || node->ranges[node->nranges - 1].hi < PG_INT64_MAX)
		premake_steps(pm, node, level, any ? node->ranges[node->nranges - 1].hi + 1 :
					  key->from_pivot ? key->pivot_value : 1, pm->n);
}

/* The outer bounds there are, other than the steps that were just wanted. */
static void
premake_existing(Premake *pm, RouterNode *node, int level)
{
	RouterKey  *key = &pm->route->config.keys[level];

	if (node == NULL || level + 1 == pm->route->config.nkeys)
		return;
	for (uint32 i = 0; i < node->maxvalues; i++)
	{
		RouterNode *next = node->values[i].target.node;
		RouterBound *bound;

		/* a group is met once, at its first value */
		if (next == NULL)
			continue;
		bound = router_bound_copy(key, next->bound);
		if (DatumGetBool(FunctionCall2Coll(&key->eq, key->collation, bound->values[0], node->values[i].value)))
			premake_bound(pm, bound, &node->values[i].target, level);
	}
	if (node->null.node && node->null.node->bound->form == ROUTER_BOUND_NULL)
		premake_bound(pm, router_bound_copy(key, node->null.node->bound), &node->null, level);
}

/* A bucket that has been parted is there as others, or those that were put together have taken its place. */
static void
premake_buckets(Premake *pm, RouterNode *node, int level)
{
	RouterKey  *key = &pm->route->config.keys[level];
	bool		last = level + 1 == pm->route->config.nkeys;

	for (int j = 0; !last && node && j < node->nbuckets; j++)
		premake_bound(pm, router_bound_copy(key, node->buckets[j].target.node->bound), &node->buckets[j].target, level);
	for (int i = 0; i < key->modulus; i++)
	{
		RouterBound *bound = palloc0(sizeof(RouterBound));
		bool		there = false;

		bound->form = ROUTER_BOUND_HASH;
		bound->modulus = key->modulus;
		bound->remainder = i;
		for (int j = 0; node && j < node->nbuckets; j++)
		{
			int			gcd = router_gcd(key->modulus, node->buckets[j].modulus);

			there |= i % gcd == node->buckets[j].remainder % gcd;
		}
		if (!there)
			premake_bound(pm, bound, NULL, level);
	}
}

static void
premake_level(Premake *pm, RouterNode *node, int level)
{
	RouterKey  *key = &pm->route->config.keys[level];

	if (router_key_is_range(key))
		premake_ranges(pm, node, level);
	else if (key->kind == ROUTER_HASH)
		premake_buckets(pm, node, level);
	else
	{
		premake_existing(pm, node, level);
		for (int i = 0; i < key->ngroups; i++)
		{
			RouterBound *bound = router_bound_parse(key, key->groups[i]);
			bool		there = false;

			for (uint32 j = 0; node && j < node->maxvalues && !there; j++)
				there = (node->values[j].target.node || OidIsValid(node->values[j].target.child)) &&
					router_bound_has(key, bound, node->values[j].value, false);
			if (!there)
				premake_bound(pm, bound, NULL, level);
		}
	}
}

/*
 * The children that premaking n steps would create: a list of RouterBound *[].
 * nightly: as router.maintain does it. The route is current and stays so.
 */
List *
router_premake_bounds(RouterRoute *route, int n, bool nightly)
{
	Premake		pm = {.route = route,.n = n,.nightly = nightly};
	int			guc_level = router_pin_settings(route->config.time_zone);

	premake_level(&pm, &route->root, 0);
	AtEOXact_GUC(false, guc_level);
	return pm.wanted;
}

/* An argument n of premake. Errors: invalid_parameter_value. */
void
router_check_steps(int n)
{
	if (n < 0 || n > MAX_PREMAKE)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid number of steps %d", n),
				 errhint("Give 0 to %d.", MAX_PREMAKE)));
}

static bool
takes_premade(RouterCreation *creation)
{
	List	   *wanted = router_premake_bounds(router_route_locked(creation->entry), *(int *) creation->arg, false);

	return router_default_child_has(creation->entry, wanted);
}

/* router.premake(base, n, dry_run): see docs/reference.md for what it creates for which key. */
Datum
router_premake(PG_FUNCTION_ARGS)
{
	RouterReport report;
	RouterCreation creation = {.takes_rows = takes_premade};
	RouterCacheEntry *entry;
	RouterRoute *route;
	int			n;
	ListCell   *lc;

	router_report_begin(&report, fcinfo, 2, 2);
	n = PG_GETARG_INT32(1);
	router_check_steps(n);
	entry = router_owned_route(PG_GETARG_OID(0));
	creation.entry = entry;
	creation.base = PG_GETARG_OID(0);
	creation.arg = &n;
	route = router_lock_children(&creation);
	foreach(lc, router_premake_bounds(route, n, false))
		router_create_reported(&report, entry, lfirst(lc), NULL);
	return (Datum) 0;
}
