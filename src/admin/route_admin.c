/*
 * route_admin.c
 *		create_route, alter_route, drop_route: a table becomes a routed table,
 *		its settings change, it becomes an ordinary table again.
 *
 * Locking: the creation locks of create.c; to add triggers to the base, also
 * ShareRowExclusiveLock on it, which waits for running writers and holds up new
 * ones until the transaction ends; to move its rows, or to drop triggers,
 * AccessExclusiveLock, which holds up readers too.
 */
#include "compat.h"
#include "admin/route_admin.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/sysattr.h"
#include "access/relation.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/catalog.h"
#include "catalog/namespace.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "commands/tablecmds.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "optimizer/optimizer.h"
#include "storage/bufmgr.h"
#include "storage/ipc.h"
#include "storage/lmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

#include "child/child_bounds.h"
#include "child/child_name.h"
#include "child/default_child.h"
#include "route/defs.h"
#include "globalkey/entry.h"
#include "write/home.h"
#include "mirror/mirror.h"
#include "rows/move.h"
#include "rows/moving.h"
#include "route/owned.h"
#include "base/owner.h"
#include "admin/seal.h"
#include "admin/rehome.h"
#include "base/sql.h"

#define DEFAULT_HORIZON_MONTHS (100 * 12)
#define DEFAULT_MAX_NEW_CHILDREN 1000

PG_FUNCTION_INFO_V1(router_create_route);
PG_FUNCTION_INFO_V1(router_alter_route);
PG_FUNCTION_INFO_V1(router_drop_route);

/* bases that are temporary tables of this session */
static List *temporary_bases = NIL;

/* What both create_route and alter_route can set; NULL or -1: not given. */
typedef struct Settings
{
	char	   *template;
	char	   *time_zone;
	int			default_child;
	char	   *on_missing;
	char	   *on_reject;
	Interval   *horizon;
	int			max_new_children;
	Interval   *hot;
} Settings;

/* ------------------------------------------------------------------ checks */

static void
refuse_relation(Relation rel, int code, const char *why, const char *hint)
{
	ereport(ERROR,
			(errcode(code),
			 errmsg("table \"%s\" cannot be a routed table", RelationGetRelationName(rel)),
			 errdetail("%s", why),
			 errhint("%s", hint)));
}

static bool
has_row_transition_tables(Relation rel)
{
	TriggerDesc *triggers = rel->trigdesc;

	for (int i = 0; triggers && i < triggers->numtriggers; i++)
		if (TRIGGER_FOR_ROW(triggers->triggers[i].tgtype) &&
			(triggers->triggers[i].tgnewtable || triggers->triggers[i].tgoldtable))
			return true;
	return false;
}

/* Refuses what core hands on to no child, since the child's row is of another type. */
void
router_check_whole_rows(Relation rel)
{
	TupleConstr *constr = RelationGetDescr(rel)->constr;
	ListCell   *lc;

	for (int i = 0; constr && i < constr->num_check; i++)
		if (!constr->check[i].ccnoinherit && router_has_whole_row(stringToNode(constr->check[i].ccbin)))
			router_refuse_whole_row(RelationGetRelid(rel), constr->check[i].ccname);
	foreach(lc, RelationGetIndexList(rel))
	{
		Relation	index = index_open(lfirst_oid(lc), AccessShareLock);

		/* as they were written: the relation cache has functions inlined */
		if (router_has_whole_row(router_index_tree(index->rd_indextuple, Anum_pg_index_indexprs)) ||
			router_has_whole_row(router_index_tree(index->rd_indextuple, Anum_pg_index_indpred)))
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("index \"%s\" of \"%s\" refers to the whole row", RelationGetRelationName(index),
							RelationGetRelationName(rel)),
					 errdetail("Children cannot have such an index: their rows are of other types."),
					 errhint("Name the columns that the expression needs.")));
		index_close(index, NoLock);
	}
}

void
router_refuse_whole_row(Oid base, const char *constraint)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 constraint ? errmsg("CHECK \"%s\" of \"%s\" refers to the whole row", constraint, get_rel_name(base)) :
			 errmsg("CHECK of \"%s\" refers to the whole row", get_rel_name(base)),
			 errdetail("Children cannot inherit such a CHECK: their rows are of other types."),
			 errhint("Say NO INHERIT: router gives it to each child. Or name the columns that it needs.")));
}

static void
check_base(Relation rel)
{
	RouterChildDef *def;
	ListCell   *lc;

	router_check_owner(RelationGetRelid(rel));
	if (rel->rd_rel->relkind != RELKIND_RELATION || rel->rd_rel->relispartition)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not an ordinary table", RelationGetRelationName(rel)),
				 errhint("Only an ordinary table can become a routed table, not a view, a foreign table, a partitioned table or a partition.")));
	if (IsCatalogRelation(rel) || RelationGetNamespace(rel) == get_namespace_oid("router", false))
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_TABLE, RelationGetRelationName(rel));
	def = router_catalog_child(RelationGetRelid(rel));
	if (def)
		refuse_relation(rel, ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, "It is a child of a routed table.",
						"Give the routed table more keys instead.");
	if (OidIsValid(router_catalog_global_key_base(RelationGetRelid(rel))))
		refuse_relation(rel, ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, "It keeps a global key of a routed table.",
						"Entries of a key are kept in one table.");
	if (router_is_referenced(rel))
		refuse_relation(rel, ERRCODE_FEATURE_NOT_SUPPORTED,
						"A foreign key refers to it, and would not find the rows that live in children.",
						"Drop that foreign key first; let it refer to the key table of router.add_global_key afterwards.");
	router_check_whole_rows(rel);
	if (has_row_transition_tables(rel))
		refuse_relation(rel, ERRCODE_FEATURE_NOT_SUPPORTED,
						"It has a row trigger with transition tables, which children cannot have.",
						"Use a statement trigger.");
	foreach(lc, find_inheritance_children(RelationGetRelid(rel), NoLock))
	{
		def = router_catalog_child(lfirst_oid(lc));
		if (def == NULL || def->base != RelationGetRelid(rel))
			refuse_relation(rel, ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
							psprintf("It has the inheritance child \"%s\" already.", get_rel_name(lfirst_oid(lc))),
							"Detach it with ALTER TABLE … NO INHERIT, and make it a child with router.attach_child afterwards.");
	}
}

static void
check_template(const char *template, int nkeys)
{
	for (int i = 0; i < nkeys; i++)
		if (strstr(template, psprintf("{%d}", i + 1)) == NULL)
			router_bad_argument("template",
						psprintf("The template must hold {1} to {%d}, one for each key, and may hold {base}.", nkeys));
}

/* Groups must be disjoint; a pivot must be readable. Settings are pinned. */
static void
check_groups(RouterKey *key)
{
	RouterBound **groups = palloc(Max(key->ngroups, 1) * sizeof(RouterBound *));

	for (int i = 0; i < key->ngroups; i++)
	{
		if (key->groups[i][0] != '{')
			router_bad_argument("groups", "Each group is an array literal, such as {1,2,3}.");
		groups[i] = router_bound_parse(key, key->groups[i]);
		for (int j = 0; j < i; j++)
			if (router_bounds_overlap(key, groups[i], groups[j]))
				ereport(ERROR,
						(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						 errmsg("groups %s and %s of key \"%s\" overlap", key->groups[j], key->groups[i], key->column),
						 errhint("A value can be in one group only.")));
	}
}

/* --------------------------------------------------------------- arguments */

/* Reads the settings, which stand in the same order from argument n on. */
static void
read_settings(FunctionCallInfo fcinfo, int n, Settings *settings)
{
	settings->template = router_arg_text(fcinfo, n);
	settings->time_zone = router_arg_text(fcinfo, n + 1);
	settings->default_child = PG_ARGISNULL(n + 2) ? -1 : PG_GETARG_BOOL(n + 2);
	settings->on_missing = router_arg_text(fcinfo, n + 3);
	settings->on_reject = router_arg_text(fcinfo, n + 4);
	settings->horizon = router_arg_interval(fcinfo, n + 5);
	settings->max_new_children = PG_ARGISNULL(n + 6) ? -1 : PG_GETARG_INT32(n + 6);
	settings->hot = router_arg_interval(fcinfo, n + 7);
	if (!PG_ARGISNULL(n + 6) && settings->max_new_children < 0)
		router_bad_argument("max_new_children", "It is the number of children that one statement may create: 0 or more.");
}

static void
apply_settings(RouterConfig *config, const Settings *settings, bool has_default_child)
{
	if (settings->template)
	{
		check_template(settings->template, config->nkeys);
		config->template = settings->template;
	}
	if (settings->time_zone)
	{
		if (pg_tzset(settings->time_zone) == NULL)
			router_bad_argument("time_zone", "See pg_timezone_names for the names there are.");
		config->time_zone = settings->time_zone;
	}
	if (settings->on_missing)
		config->on_missing = router_policy_from_text("on_missing", settings->on_missing, true);
	if (settings->on_reject)
		config->on_reject = router_policy_from_text("on_reject", settings->on_reject, false);
	if (settings->horizon)
	{
		if (!router_is_above_zero(settings->horizon))
			router_bad_argument("horizon", "It is how far from now a date may be for a child to be made: an interval above zero.");
		config->horizon = *settings->horizon;
	}
	if (settings->hot)
	{
		if (!router_is_above_zero(settings->hot))
			router_bad_argument("hot", "It is how long a row stays in the base: an interval above zero, such as '7 days'.");
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

static bool
same_text(const char *a, const char *b)
{
	return (a == NULL && b == NULL) || (a && b && strcmp(a, b) == 0);
}

/* Do two configurations route rows alike? Labels only name children. */
static bool
same_keys(const RouterConfig *a, const RouterConfig *b)
{
	if (a->nkeys != b->nkeys)
		return false;
	for (int i = 0; i < a->nkeys; i++)
	{
		const RouterKey *x = &a->keys[i];
		const RouterKey *y = &b->keys[i];

		if (x->kind != y->kind || strcmp(x->column, y->column) != 0 || !same_text(x->every, y->every) ||
			x->modulus != y->modulus || x->ngroups != y->ngroups || !same_text(x->pivot, y->pivot))
			return false;
		for (int j = 0; j < x->ngroups; j++)
			if (strcmp(x->groups[j], y->groups[j]) != 0)
				return false;
	}
	return true;
}

/* Is it the same column by whose dates rows are hot? */
static bool
same_hot_key(const RouterConfig *a, const RouterConfig *b)
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

static bool
same_settings(const RouterConfig *a, const RouterConfig *b)
{
	return same_text(a->template, b->template) && strcmp(a->time_zone, b->time_zone) == 0 &&
		a->on_missing == b->on_missing && a->on_reject == b->on_reject &&
		memcmp(&a->horizon, &b->horizon, sizeof(Interval)) == 0 && a->max_new_children == b->max_new_children &&
		(a->hot == NULL) == (b->hot == NULL) && (a->hot == NULL || memcmp(a->hot, b->hot, sizeof(Interval)) == 0);
}

/* ---------------------------------------------------------------- children */

/* The bounds of a default child. */
RouterBound **
router_default_bounds(RouterRoute *route)
{
	RouterBound **bounds = palloc(ROUTER_MAX_LEVELS * sizeof(RouterBound *));

	for (int i = 0; i < route->config.nkeys; i++)
	{
		bounds[i] = palloc0(sizeof(RouterBound));
		bounds[i]->form = ROUTER_BOUND_DEFAULT;
	}
	return bounds;
}

/* Creates a child, or says so in a dry run. */
void
router_create_reported(RouterReport *report, RouterCacheEntry *entry, RouterBound **bounds, const char *name)
{
	RouterRoute *route = router_route_locked(entry);
	char	   *display = router_bounds_display(route, bounds);
	const char *schema = get_namespace_name(get_rel_namespace(route->config.base));
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
	child = router_child_create(entry, bounds, name);
	router_report(report, "create child %s for %s", router_qualified_name(child), display);
}

/* The children that a single key knows beforehand: below its pivot, its groups. */
static void
create_known_children(RouterReport *report, RouterCacheEntry *entry)
{
	RouterRoute *route = router_route_locked(entry);
	RouterKey	key = route->config.keys[0];
	int			ngroups = route->config.nkeys == 1 ? key.ngroups : 0;
	RouterBound *bound;
	int			guc_level = router_pin_settings(route->config.time_zone);
	List	   *bounds = NIL;
	ListCell   *lc;

	for (int i = 0; i < ngroups; i++)
		bounds = lappend(bounds, router_bound_parse(&key, key.groups[i]));
	if (route->config.nkeys == 1 && key.pivot)
	{
		bound = palloc0(sizeof(RouterBound));
		bound->form = ROUTER_BOUND_RANGE;
		bound->lo = PG_INT64_MIN;
		bound->hi = key.pivot_value - 1;
		bounds = lappend(bounds, bound);
	}
	AtEOXact_GUC(false, guc_level);
	foreach(lc, bounds)
	{
		bound = lfirst(lc);
		router_create_reported(report, entry, &bound, NULL);
	}
}

static void
create_default_child(RouterReport *report, RouterCacheEntry *entry)
{
	RouterRoute *route = router_route_locked(entry);

	if (!OidIsValid(route->default_child))
		router_create_reported(report, entry, router_default_bounds(route), NULL);
}

/* ------------------------------------------------------- rows there already */

static bool
has_rows(Relation rel)
{
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	TableScanDesc scan = table_beginscan(rel, snapshot, 0, NULL);
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	bool		found = table_scan_getnextslot(scan, ForwardScanDirection, slot);

	ExecDropSingleTupleTableSlot(slot);
	table_endscan(scan);
	UnregisterSnapshot(snapshot);
	return found;
}

/* Has a child any page? */
static bool
is_filled(Oid child)
{
	Relation	rel = table_open(child, AccessShareLock);
	bool		filled = rel->rd_rel->relkind != RELKIND_RELATION || RelationGetNumberOfBlocks(rel) > 0;

	table_close(rel, NoLock);
	return filled;
}

/* ---------------------------------------------------------------- triggers */

/* How a trigger of a table fires, or 0 if there is none of this name. */
static char
trigger_state(Oid relid, const char *name)
{
	Relation	rel = table_open(relid, AccessShareLock);
	char		state = 0;

	for (int i = 0; rel->trigdesc && i < rel->trigdesc->numtriggers; i++)
		if (strcmp(rel->trigdesc->triggers[i].tgname, name) == 0)
			state = rel->trigdesc->triggers[i].tgenabled;
	table_close(rel, NoLock);
	return state;
}

/* Creates the triggers of a base that are missing and enables those that are not. Returns how many those are. */
static int
create_triggers(const RouterMirror *request, Oid base)
{
	static const struct
	{
		const char *name;
		const char *when;
		const char *each;
		const char *function;
	}			triggers[] = {
		{ROUTER_TRIGGER_ROUTE, "BEFORE INSERT", "ROW", "route_row"},
		{ROUTER_TRIGGER_SETTLE, "AFTER INSERT", "ROW", "settle_row"},
		{ROUTER_TRIGGER_FLUSH, "AFTER INSERT", "STATEMENT", "flush_rows"},
		{ROUTER_TRIGGER_MOVE, "BEFORE UPDATE", "ROW", "move_row"},
	};
	char	   *table = router_qualified_name(base);
	int			differences = 0;

	for (int i = 0; i < lengthof(triggers); i++)
	{
		char		state = trigger_state(base, triggers[i].name);

		if (state == TRIGGER_FIRES_ALWAYS)
			continue;
		differences++;
		if (request->found)
			request->found(request->arg, base, "trigger",
						   psprintf("%s trigger \"%s\"", state ? "enable" : "create", triggers[i].name));
		if (request->dry_run)
			continue;
		if (state == 0)
			router_run("CREATE TRIGGER %s %s ON %s FOR EACH %s EXECUTE FUNCTION router.%s()",
					   quote_identifier(triggers[i].name), triggers[i].when, table, triggers[i].each,
					   triggers[i].function);
		router_run("ALTER TABLE %s ENABLE ALWAYS TRIGGER %s", table, quote_identifier(triggers[i].name));
	}
	return differences;
}

static void
drop_triggers(Oid base)
{
	static const char *const names[] = {ROUTER_TRIGGER_ROUTE, ROUTER_TRIGGER_SETTLE, ROUTER_TRIGGER_FLUSH};
	ListCell   *lc;

	for (int i = 0; i < lengthof(names); i++)
		router_run("DROP TRIGGER IF EXISTS %s ON %s", quote_identifier(names[i]), router_qualified_name(base));
	router_drop_move_trigger(base);
	foreach(lc, router_catalog_children(base))
	{
		router_drop_move_trigger(((RouterChildDef *) lfirst(lc))->child);
		router_drop_seal(((RouterChildDef *) lfirst(lc))->child);
	}
}

/* -------------------------------------------------------------- create_route */

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

/* Checks keys and settings of a wanted configuration against the table. fresh: are the keys new? */
static void
check_config(RouterConfig *config, Relation base, bool fresh)
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

/* Has a table a row whose key is at or behind a point? */
bool
router_reaches(Oid relid, const RouterKey *key, int64 point)
{
	Relation	rel = table_open(relid, AccessShareLock);
	AttrNumber	attnum = get_attnum(relid, key->column);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	TableScanDesc scan = table_beginscan(rel, snapshot, 0, NULL);
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	bool		found = false;

	while (!found && table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		bool		isnull;
		Datum		value = slot_getattr(slot, attnum, &isnull);

		CHECK_FOR_INTERRUPTS();
		found = !isnull && router_key_int(key, value) >= point;
	}
	ExecDropSingleTupleTableSlot(slot);
	table_endscan(scan);
	UnregisterSnapshot(snapshot);
	table_close(rel, NoLock);
	return found;
}

/* The first watermark of a route that becomes hot. The keys are resolved, the children locked. */
static void
set_watermark(RouterConfig *config, RouterRoute *route, bool has_hot_rows)
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
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("routed table \"%s\" cannot become hot", get_rel_name(config->base)),
					 errdetail("Child \"%s\" has rows without an end in time.", get_rel_name(def->child)),
					 errhint("Split that child first.")));
		watermark = Max(watermark, bound->hi + 1);
	}
	if (route && OidIsValid(route->default_child) && get_rel_relkind(route->default_child) == RELKIND_RELATION &&
		router_reaches(route->default_child, key, watermark))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("routed table \"%s\" cannot become hot", get_rel_name(config->base)),
				 errdetail("Its default child has rows that would be hot."),
				 errhint("Empty it with router.redistribute, or delete them.")));
	config->watermark = router_key_text(key, watermark);
	AtEOXact_GUC(false, guc_level);
}

/* What shall be, from what is, if anything, and what was asked for. */
static RouterConfig *
wanted_config(Oid base, const RouterConfig *there, ArrayType *keys, const Settings *settings, bool has_default_child)
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
static void
put_route(const RouterConfig *config, const RouterConfig *there)
{
	RouterMirror all = {0};
	RouterAsOwner saved;

	router_become_owner(&saved, router_relation_owner(config->base),
						router_is_own_temp(config->base), config->time_zone);
	if (there == NULL)
	{
		(void) create_triggers(&all, config->base);
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

static void
report_route(RouterReport *report, const RouterConfig *there, const RouterConfig *config)
{
	char	   *table = router_qualified_name(config->base);

	if (there == NULL)
		router_report(report, "route %s by %s", table, keys_display(config));
	else if (!same_keys(there, config))
		router_report(report, "route %s by %s instead", table, keys_display(config));
	else if (!same_settings(there, config) || !same_labels(there, config))
		router_report(report, "change the settings of %s", table);
}

/* Puts back the triggers of a base, or only tells what is to be done. The base is locked. */
int
router_mend_base(const RouterMirror *request, Oid base)
{
	RouterAsOwner saved;
	int			differences;

	router_become_owner(&saved, router_relation_owner(base), router_is_own_temp(base), NULL);
	differences = create_triggers(request, base);
	router_become_user(&saved);
	return differences;
}

/* A route that is about to be made. */
typedef struct NewRoute
{
	Oid			relid;
	ArrayType  *keys;
	Settings	settings;
	bool		move_rows;
	bool		dry_run;
	RouterConfig *there;		/* the route it has already, or NULL */
	RouterConfig *config;
	bool		has_default;
	bool		rows;			/* some leave the base */
} NewRoute;

/* Finds out what there is to do. The base is locked. */
static void
plan_route(NewRoute *plan)
{
	RouterCacheEntry *entry = router_cache_entry(plan->relid);
	Relation	base = try_relation_open(plan->relid, AccessShareLock);
	RouterConfig *config;

	if (base == NULL)
		router_check_exists(plan->relid);
	check_base(base);
	plan->there = router_catalog_route(plan->relid);
	plan->has_default = plan->there && router_cache_route(entry) &&
		OidIsValid(router_cache_route(entry)->default_child);
	config = wanted_config(plan->relid, plan->there, plan->keys, &plan->settings, plan->has_default);
	plan->config = config;
	check_config(config, base, plan->there == NULL || !same_keys(plan->there, config));
	if (plan->there && !same_keys(plan->there, config) && router_catalog_children(plan->relid) != NIL)
		refuse_relation(base, ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
						"It is routed by other keys and has children.",
						"Drop the route with router.drop_route, and its children, or keep the keys.");
	/* a label that is asked for a name, say */
	if (plan->there && !same_keys(plan->there, config))
		CheckTableNotInUse(base, "router.create_route");
	/* which rows are in the base, the watermark says */
	if (plan->there && plan->there->hot && !same_hot_key(plan->there, config))
		refuse_relation(base, ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, "It is hot by another date key.",
						"End that with router.end_hot, or keep the key.");
	plan->rows = has_rows(base);
	if (config->hot && config->watermark == NULL)
		set_watermark(config, plan->there ? router_cache_route(entry) : NULL, plan->rows && !plan->move_rows);
	/* rows of a hot base are hot, for the time being, but for those without a date */
	if (plan->rows && !plan->move_rows && config->hot)
	{
		int			attnum = config->keys[router_hot_level(config)].attnum;

		plan->rows = !TupleDescAttr(RelationGetDescr(base), attnum - 1)->attnotnull;
	}
	else if (plan->rows && !plan->move_rows)
		refuse_relation(base, ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, "It has rows.",
						"Say move_rows => true to move them into children in this transaction.");
	relation_close(base, NoLock);
}

static List *
find_for_route(void *arg, bool locked)
{
	NewRoute   *plan = arg;
	List	   *locks = router_lock_add_creation(NIL, plan->relid);

	locks = router_lock_add(locks, plan->relid, ShareRowExclusiveLock);
	if (locked)
		plan_route(plan);
	/* a query planned without the children must not get a snapshot in which the rows are there */
	if (locked && plan->rows && !plan->dry_run)
		locks = router_lock_add(locks, plan->relid, AccessExclusiveLock);
	return locks;
}

static void
put_new_route(RouterReport *report, NewRoute *plan)
{
	RouterCacheEntry *entry = router_cache_entry(plan->relid);

	if (plan->there == NULL)
		router_refuse_pending(plan->relid, "route");	/* it will be altered */
	put_route(plan->config, plan->there);
	if (plan->settings.default_child == 1)
		create_default_child(report, entry);
	if (plan->there == NULL || !same_keys(plan->there, plan->config))
		create_known_children(report, entry);
	if (plan->rows)
	{
		RouterSettle settle = {.entry = entry,.from = plan->relid};

		router_settle(&settle);
		if (settle.moved > 0)
			router_report(report, "move " UINT64_FORMAT " rows", settle.moved);
	}
}

/*
 * router.create_route(base, keys, settings …, move_rows, dry_run).
 *
 * Errors: wrong_object_type, insufficient_privilege, undefined_column,
 * datatype_mismatch, invalid_parameter_value, feature_not_supported,
 * object_not_in_prerequisite_state (rows or other children are in the way).
 */
Datum
router_create_route(PG_FUNCTION_ARGS)
{
	NewRoute	plan = {0};
	RouterReport report;
	RouterConfig *config;

	router_report_begin(&report, fcinfo, 2, 11);
	plan.relid = PG_GETARG_OID(0);
	router_check_exists(plan.relid);
	plan.keys = PG_GETARG_ARRAYTYPE_P(1);
	plan.move_rows = router_arg_bool(fcinfo, 10);
	plan.dry_run = report.dry_run;
	read_settings(fcinfo, 2, &plan.settings);
	router_check_owner(plan.relid);
	if (get_rel_relkind(plan.relid) == RELKIND_RELATION)
		router_lock_all(find_for_route, &plan);
	else
		plan_route(&plan);		/* tells what it is */
	config = plan.config;
	report_route(&report, plan.there, config);
	if (!report.dry_run)
	{
		put_new_route(&report, &plan);
		return (Datum) 0;
	}
	if (plan.settings.default_child == 1 && !plan.has_default)
		router_report(&report, "create the default child");
	if (plan.there == NULL && config->nkeys == 1 && (config->keys[0].ngroups > 0 || config->keys[0].pivot))
		router_report(&report, "create the children of its groups and pivot");
	if (plan.rows)
		router_report(&report, "move the rows of %s", router_qualified_name(plan.relid));
	return (Datum) 0;
}

/* -------------------------------------------------- alter_route, drop_route */

/* router.alter_route(base, settings …, dry_run): see Settings. */
Datum
router_alter_route(PG_FUNCTION_ARGS)
{
	Settings	settings;
	RouterReport report;
	RouterCreation creation = {0};
	RouterConfig *there,
			   *config;
	RouterCacheEntry *entry;
	RouterRoute *route;
	Relation	base;
	Oid			relid;

	router_report_begin(&report, fcinfo, 1, 9);
	relid = PG_GETARG_OID(0);
	read_settings(fcinfo, 1, &settings);
	entry = creation.entry = router_owned_route(relid);
	creation.base = relid;
	/* writers must know where rows go from now on */
	if (settings.hot && router_route_locked(entry)->hot_level < 0)
		creation.mode = ShareRowExclusiveLock;
	route = router_lock_children(&creation);
	if (settings.default_child == 0 && OidIsValid(route->default_child))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("routed table \"%s\" has a default child", get_rel_name(relid)),
				 errhint("Empty it with router.redistribute, then detach or drop it.")));
	base = table_open(relid, NoLock);
	there = router_catalog_route(relid);
	config = wanted_config(relid, there, NULL, &settings, OidIsValid(route->default_child));
	check_config(config, base, false);
	if (config->hot && config->watermark == NULL)
		set_watermark(config, route, false);
	table_close(base, NoLock);
	report_route(&report, there, config);
	if (!report.dry_run && !same_settings(there, config))
		put_route(config, there);
	if (settings.default_child == 1)
		create_default_child(&report, entry);
	return (Datum) 0;
}

/* Takes the rows of all children back into the base, and drops the children. */
static void
take_back(RouterReport *report, Oid relid)
{
	ListCell   *lc;

	foreach(lc, router_catalog_children(relid))
	{
		Oid			child = ((RouterChildDef *) lfirst(lc))->child;
		Relation	base,
					from;
		uint64		moved;

		if (get_rel_relkind(child) != RELKIND_RELATION)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("cannot take back the rows of foreign child \"%s\"", get_rel_name(child)),
					 errhint("Detach it first, with router.detach_child.")));
		router_report(report, "move the rows of %s back, and drop it", router_qualified_name(child));
		if (report->dry_run)
			continue;
		router_refuse_pending(child, "take back the rows of");
		base = table_open(relid, NoLock);
		from = table_open(child, NoLock);
		moved = router_move_rows(NULL, NULL, from, base, true);
		table_close(from, NoLock);
		table_close(base, NoLock);
		router_report(report, "moved " UINT64_FORMAT " rows", moved);
		router_drop_table(child);
	}
}

typedef struct Dropping
{
	Oid			base;
	bool		move_rows;
} Dropping;

static List *
find_for_drop(void *arg, bool locked)
{
	Dropping   *dropping = arg;
	List	   *creation = router_lock_add_creation(NIL, dropping->base);

	if (!dropping->move_rows)
		return router_lock_add(creation, dropping->base, AccessExclusiveLock);
	return list_concat(creation, router_lock_family(dropping->base, AccessExclusiveLock));
}

/*
 * router.drop_route(base, dry_run, move_rows): takes AccessExclusiveLock on the
 * base and its children. The route is not read: it may be that it cannot be.
 */
Datum
router_drop_route(PG_FUNCTION_ARGS)
{
	RouterReport report;
	RouterAsOwner saved;
	Oid			relid;
	bool		move_rows = router_arg_bool(fcinfo, 2);
	Dropping	dropping;

	router_report_begin(&report, fcinfo, 1, 1);
	relid = PG_GETARG_OID(0);
	router_check_owned_base(relid);
	dropping.base = relid;
	dropping.move_rows = move_rows;
	if (report.dry_run)
		router_lock_creation(relid);
	else
		router_lock_all(find_for_drop, &dropping);
	router_check_owned_base(relid);	/* it may have gone while we waited */
	if (router_catalog_global_keys(relid) != NIL)
		ereport(ERROR,
				(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
				 errmsg("cannot end the routing of \"%s\": it has a global key", get_rel_name(relid)),
				 errhint("Drop the global key first, with router.drop_global_key.")));
	router_report(&report, move_rows ? "end the routing of %s, which has %d children" :
				  "end the routing of %s, whose %d children stay", router_qualified_name(relid),
				  list_length(router_catalog_children(relid)));
	if (report.dry_run)
	{
		if (move_rows)
			take_back(&report, relid);
		return (Datum) 0;
	}
	router_become_owner(&saved, GetUserId(), true, router_catalog_route(relid)->time_zone);
	drop_triggers(relid);
	if (move_rows)
		take_back(&report, relid);
	router_catalog_remove_all(relid);
	router_become_user(&saved);
	return (Datum) 0;
}
