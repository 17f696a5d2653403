/*
 * create_route.c
 *		router.create_route: a table becomes a routed table.
 *
 * Locking: the creation locks of create.c; to add triggers to the base, also
 * ShareRowExclusiveLock on it, which waits for running writers and holds up new
 * ones until the transaction ends; to move its rows, AccessExclusiveLock, which
 * holds up readers too; AccessExclusiveLock on children that go to another schema.
 */
#include "compat.h"
#include "admin/create_route.h"

#include "access/relation.h"
#include "access/genam.h"
#include "catalog/catalog.h"
#include "catalog/namespace.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_trigger.h"
#include "commands/tablecmds.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "base/sql.h"
#include "route/owned.h"
#include "rows/keep_in_step.h"
#include "rows/moving.h"
#include "write/home.h"
#include "route/growth.h"
#include "admin/child_admin.h"
#include "admin/remarks.h"
#include "admin/route_settings.h"
#include "admin/route_triggers.h"
#include "admin/rehome.h"

PG_FUNCTION_INFO_V1(router_create_route);

/* A route that is about to be made. */
typedef struct NewRoute
{
	Oid			relid;
	ArrayType  *keys;
	RouterSettings	settings;
	bool		move_rows;
	bool		dry_run;
	RouterConfig *there;		/* the route it has already, or NULL */
	RouterConfig *config;
	bool		has_default;
	bool		rows;			/* some leave the base */
} NewRoute;

/* ---------------------------------------------------------------------- checks */

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
		if (router_has_whole_row(router_stored_tree(INDEXRELID, index->rd_indextuple, Anum_pg_index_indexprs)) ||
			router_has_whole_row(router_stored_tree(INDEXRELID, index->rd_indextuple, Anum_pg_index_indpred)))
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

/* Refuses a table that cannot be a base. adopting: its inheritance children are looked at elsewhere. */
void
router_check_base(Relation rel, bool adopting)
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
	if (OidIsValid(get_trigger_oid(RelationGetRelid(rel), ROUTER_TRIGGER_RESHAPE, true)))
		refuse_relation(rel, ERRCODE_OBJECT_IN_USE, "It gets another shape just now.",
						"Wait until that is done (router.progress), or CALL router.cancel_reshape.");
	if (router_is_referenced(rel))
		refuse_relation(rel, ERRCODE_FEATURE_NOT_SUPPORTED,
						"A foreign key refers to it, and would not find the rows that live in children.",
						"Drop that foreign key first; let it refer to the key table of router.add_global_key afterwards.");
	router_check_whole_rows(rel);
	if (has_row_transition_tables(rel))
		refuse_relation(rel, ERRCODE_FEATURE_NOT_SUPPORTED,
						"It has a row trigger with transition tables, which children cannot have.",
						"Use a statement trigger.");
	foreach(lc, adopting ? NIL : find_inheritance_children(RelationGetRelid(rel), NoLock))
	{
		def = router_catalog_child(lfirst_oid(lc));
		if (def == NULL || def->base != RelationGetRelid(rel))
			refuse_relation(rel, ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
							psprintf("It has the inheritance child \"%s\" already.", get_rel_name(lfirst_oid(lc))),
							"Take all of them over with router.adopt; or detach it with ALTER TABLE … NO INHERIT, and make it a child with router.attach_child afterwards.");
	}
}

/* ---------------------------------------------------------------- create_route */

/* Is there a child below the pivot beforehand? With from_pivot the owner may make ranges of his own there. */
static bool
knows_below(const RouterKey *key)
{
	return key->pivot && !key->from_pivot;
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
	if (route->config.nkeys == 1 && knows_below(&key))
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

/* Has it rows that are committed by now? */
bool
router_has_rows_now(Relation rel)
{
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	bool		found = router_has_rows(rel, snapshot);

	UnregisterSnapshot(snapshot);
	return found;
}

/* Finds out what there is to do. The base is locked. */
static void
plan_route(NewRoute *plan)
{
	RouterCacheEntry *entry = router_cache_entry(plan->relid);
	Relation	base = try_relation_open(plan->relid, AccessShareLock);
	RouterConfig *config;

	if (base == NULL)
		router_check_exists(plan->relid);
	router_check_base(base, false);
	plan->there = router_catalog_route(plan->relid);
	plan->has_default = plan->there && router_cache_route(entry) &&
		OidIsValid(router_cache_route(entry)->default_child);
	config = router_wanted_config(plan->relid, plan->there, plan->keys, &plan->settings, plan->has_default);
	plan->config = config;
	router_check_config(config, base, plan->there == NULL || !router_same_keys(plan->there, config));
	if (plan->there && !router_same_keys(plan->there, config) && router_catalog_children(plan->relid) != NIL)
		refuse_relation(base, ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
						"It is routed by other keys and has children.",
						"Keep the keys, or change them with CALL router.rekey, which keeps the rows.");
	/* a label that is asked for a name, say */
	if (plan->there && !router_same_keys(plan->there, config))
		CheckTableNotInUse(base, "router.create_route");
	/* which rows are in the base, the watermark says */
	if (plan->there && plan->there->hot && !router_same_hot_key(plan->there, config))
		refuse_relation(base, ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, "It is hot by another date key.",
						"End that with router.end_hot, or keep the key.");
	plan->rows = router_has_rows_now(base);
	if (config->hot && config->watermark == NULL)
		router_first_watermark(config, plan->there ? router_cache_route(entry) : NULL, plan->rows && !plan->move_rows);
	/* rows of a hot base are hot, for the time being, but for those without a date */
	if (plan->rows && !plan->move_rows && config->hot)
	{
		int			attnum = config->keys[router_hot_level(config)].attnum;

		plan->rows = !TupleDescAttr(RelationGetDescr(base), attnum - 1)->attnotnull;
	}
	else if (plan->rows && !plan->move_rows)
		refuse_relation(base, ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE, "It has rows.",
						"CALL router.convert moves them while the table is in use; move_rows => true moves them in this transaction, while readers and writers wait.");
	relation_close(base, NoLock);
}

static List *
find_for_route(void *arg, bool locked)
{
	NewRoute   *plan = arg;
	List	   *locks = router_lock_add_creation(NIL, plan->relid);
	ListCell   *lc;

	locks = router_lock_add(locks, plan->relid, ShareRowExclusiveLock);
	if (locked)
		plan_route(plan);
	if (locked && plan->there && plan->settings.child_schema && !plan->dry_run)
		foreach(lc, router_children_elsewhere(plan->relid, get_namespace_oid(plan->settings.child_schema, false)))
			locks = router_lock_add(locks, lfirst_oid(lc), AccessExclusiveLock);
	/* a query planned without the children must not get a snapshot in which the rows are there */
	if (locked && plan->rows && !plan->dry_run)
		locks = router_lock_add(locks, plan->relid, AccessExclusiveLock);
	return locks;
}

/* Moves the rows of a base, which is locked AccessExclusive, to children. */
void
router_take_rows_home(RouterReport *report, RouterCacheEntry *entry, Oid base)
{
	RouterRehome rehome = {.entry = entry,.from = base};

	router_rehome(&rehome);
	if (rehome.moved > 0)
		router_report(report, "move " UINT64_FORMAT " rows", rehome.moved);
	if (rehome.moved > 0)
		router_remark_dead_rows(base);
}

static void
put_new_route(RouterReport *report, NewRoute *plan)
{
	RouterCacheEntry *entry = router_cache_entry(plan->relid);

	if (plan->there == NULL)
		router_refuse_pending(plan->relid, "route");	/* it will be altered */
	router_put_route(plan->config, plan->there);
	if (plan->there && plan->settings.child_schema)
		router_gather_children(report, plan->relid, plan->settings.child_schema);
	if (plan->settings.default_child == 1)
		router_create_default_child(report, entry);
	if (plan->there == NULL || !router_same_keys(plan->there, plan->config))
		create_known_children(report, entry);
	if (plan->rows)
		router_take_rows_home(report, entry, plan->relid);
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

	router_report_begin(&report, fcinfo, 2, 12);
	plan.relid = PG_GETARG_OID(0);
	router_check_exists(plan.relid);
	plan.keys = PG_GETARG_ARRAYTYPE_P(1);
	plan.move_rows = router_arg_bool(fcinfo, 11);
	plan.dry_run = report.dry_run;
	router_read_settings(fcinfo, 2, &plan.settings);
	router_check_owner(plan.relid);
	if (get_rel_relkind(plan.relid) == RELKIND_RELATION)
		router_lock_all(find_for_route, &plan);
	else
		plan_route(&plan);		/* tells what it is */
	config = plan.config;
	router_report_route(&report, plan.there, config);
	if (plan.there == NULL || !router_same_keys(plan.there, config))
		router_remark_table(plan.relid, config);
	if (report.dry_run && plan.there == NULL && plan.rows)
		router_remark_children(plan.relid, plan.keys, plan.settings.hot);
	if (!report.dry_run)
	{
		put_new_route(&report, &plan);
		return (Datum) 0;
	}
	if (plan.there && plan.settings.child_schema)
		router_gather_children(&report, plan.relid, plan.settings.child_schema);
	if (plan.settings.default_child == 1 && !plan.has_default)
		router_report(&report, "create the default child");
	if (plan.there == NULL && config->nkeys == 1 && (config->keys[0].ngroups > 0 || knows_below(&config->keys[0])))
		router_report(&report, "create the children of its groups and pivot");
	if (plan.rows)
		router_report(&report, "move the rows of %s", router_qualified_name(plan.relid));
	return (Datum) 0;
}
