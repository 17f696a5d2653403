/*
 * import_declarative.c
 *		router.import_declarative: a partitioned table of PostgreSQL becomes a routed
 *		table, its partitions the children. No row is copied, and none is read.
 *
 * What partitions hold is read of their bounds as adopt.c reads it of CHECKs. They
 * get theirs while they are partitions, whose bounds prove it (implied.c); then they
 * are detached, the table is made anew as an ordinary one (rebuild.c), and they are
 * attached to its route. What cannot be understood is told, and nothing is done then.
 *
 * Locking: the creation lock, the table and all below it AccessExclusive; in a dry
 * run AccessShare.
 * Rights: the caller owns the table; what is of the table or its partitions runs as
 * its owner.
 */
#include "compat.h"
#include "admin/adopt_part.h"
#include "admin/rebuild.h"

#include "access/table.h"
#include "catalog/partition.h"
#include "catalog/pg_inherits.h"
#include "miscadmin.h"
#include "optimizer/optimizer.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/partcache.h"

#include "admin/child_admin.h"
#include "admin/create_route.h"
#include "admin/implied.h"
#include "admin/route_settings.h"
#include "admin/sync.h"
#include "base/sql.h"
#include "child/child_bounds.h"
#include "route/owned.h"
#include "rows/moving.h"

PG_FUNCTION_INFO_V1(router_import_declarative);

typedef struct Import
{
	Adoption	adoption;		/* of the partitions; base is the partitioned table, then the new one */
	AttrNumber	columns[ROUTER_MAX_LEVELS]; /* of the table, outermost first */
	int			nlevels;
	char		persistence;	/* of all partitions */
	AdoptChild *default_part;	/* of the whole table, or NULL; not among the children until they have bounds */
	RouterScript script;
	RouterRebuild rebuild;
} Import;

static void refuse(Import *im, const char *fmt,...) pg_attribute_printf(2, 3);

static void
refuse(Import *im, const char *fmt,...)
{
	va_list		args;

	va_start(args, fmt);
	im->adoption.problems = lappend(im->adoption.problems, router_format(fmt, args));
	va_end(args);
}

/* ------------------------------------------------------------------ the tree */

/* The column of the table that a level is partitioned by, or 0: that is told. */
static AttrNumber
key_column(Import *im, Relation rel)
{
	PartitionKey key = RelationGetPartitionKey(rel);
	const char *name = RelationGetRelationName(rel);
	AttrNumber	attnum = get_partition_col_attnum(key, 0);
	Bitmapset  *attnums = NULL;

	if (get_partition_strategy(key) == PARTITION_STRATEGY_HASH)
		refuse(im, "%s: it is partitioned by hash, by which router has other rows in each child", name);
	else if (get_partition_natts(key) > 1)
		refuse(im, "%s: it is partitioned by several columns at once", name);
	else
	{
		if (attnum == 0)
			pull_varattnos((Node *) linitial(key->partexprs), 1, &attnums);
		if (bms_membership(attnums) == BMS_SINGLETON)
			attnum = bms_singleton_member(attnums) + FirstLowInvalidHeapAttributeNumber;
		if (attnum > 0)
			return get_attnum(im->adoption.base, get_attname(RelationGetRelid(rel), attnum, false));
		refuse(im, "%s: it is partitioned by an expression", name);
	}
	return 0;
}

/* Has a partition rows with NULL only, by its CHECK? */
static bool
is_for_null(const AdoptChild *child)
{
	ListCell   *lc;

	foreach(lc, child->facts)
		if (((AdoptFact *) lfirst(lc))->null && ((AdoptFact *) lfirst(lc))->values == NIL)
			return true;
	return false;
}

static void
add_leaf(Import *im, Oid relid, Relation base, int level, bool in_default)
{
	AdoptChild *child = palloc0(sizeof(AdoptChild));
	Relation	rel = table_open(relid, AccessShareLock);
	Oid			root_default = get_default_partition_oid(RelationGetRelid(base));

	child->relid = relid;
	child->problem = router_adopt_problem_of(rel, base);
	if (im->persistence == '\0')
		im->persistence = rel->rd_rel->relpersistence;
	else if (im->persistence != rel->rd_rel->relpersistence)
		child->problem = pstrdup("it is UNLOGGED, or others are: ALTER TABLE … SET LOGGED");
	if (child->problem == NULL)
	{
		router_adopt_read_partition(child, rel, base, im->adoption.config->time_zone);
		/* which may be one for NULL */
		if (in_default)
			router_adopt_read_checks(child, rel, base, im->adoption.config->time_zone);
	}
	if (relid == root_default && child->problem == NULL && !is_for_null(child))
		im->default_part = child;
	else
	{
		if (child->problem == NULL && level < im->nlevels)
			child->problem = pstrdup("others are parted further");
		im->adoption.children = lappend(im->adoption.children, child);
	}
	table_close(rel, NoLock);
}

/* Goes through the tables above the partitions: which levels there are. */
static void
walk_levels(Import *im, Oid relid, int level)
{
	Relation	rel = table_open(relid, AccessShareLock);
	bool		detached = false;
	AttrNumber	column;
	ListCell   *lc;

	column = level < ROUTER_MAX_LEVELS ? key_column(im, rel) : 0;
	if (level >= ROUTER_MAX_LEVELS)
		refuse(im, "%s: it stands below %d others", RelationGetRelationName(rel), level);
	else if (level == im->nlevels)
		im->columns[im->nlevels++] = column;
	else if (im->columns[level] != column && column != 0)
		refuse(im, "%s: it is partitioned by another column than its likes", RelationGetRelationName(rel));
	foreach(lc, find_inheritance_children_extended(relid, false, NoLock, &detached, NULL))
		if (level < ROUTER_MAX_LEVELS && get_rel_relkind(lfirst_oid(lc)) == RELKIND_PARTITIONED_TABLE)
			walk_levels(im, lfirst_oid(lc), level + 1);
	if (detached)
		refuse(im, "%s: a partition is being detached: finish that with ALTER TABLE … DETACH PARTITION … FINALIZE",
			   RelationGetRelationName(rel));
	table_close(rel, NoLock);
}

/* in_default: below a default partition */
static void
walk_leaves(Import *im, Oid relid, Relation base, int level, bool in_default)
{
	Oid			default_part = get_default_partition_oid(relid);
	ListCell   *lc;

	foreach(lc, find_inheritance_children(relid, NoLock))
		if (get_rel_relkind(lfirst_oid(lc)) == RELKIND_PARTITIONED_TABLE)
			walk_leaves(im, lfirst_oid(lc), base, level + 1, in_default || lfirst_oid(lc) == default_part);
		else
			add_leaf(im, lfirst_oid(lc), base, level + 1, in_default || lfirst_oid(lc) == default_part);
}

/* ------------------------------------------------------------------- plan */

static void
find_keys(Import *im, Relation base)
{
	Adoption   *adoption = &im->adoption;

	for (int i = 0; i < im->nlevels && adoption->problems == NIL; i++)
		if (!router_adopt_add_key(adoption, base, im->columns[i]))
			refuse(im, "%s: bounds of column \"%s\" are of a kind that no key has", RelationGetRelationName(base),
				   get_attname(adoption->base, im->columns[i], false));
	if (adoption->problems == NIL)
		router_adopt_find_steps(adoption, base);
}

/* A partition that has what no other one has is the default child. */
static void
add_default(Import *im)
{
	RouterConfig *config = im->adoption.config;

	if (im->default_part == NULL)
		return;
	for (int i = 0; i < config->nkeys; i++)
	{
		im->default_part->bounds[i] = palloc0(sizeof(RouterBound));
		im->default_part->bounds[i]->form = ROUTER_BOUND_DEFAULT;
		im->default_part->texts[i] = pstrdup("default");
	}
	im->adoption.children = lappend(im->adoption.children, im->default_part);
	config->on_missing = ROUTER_POLICY_DEFAULT;
}

/* Finds out what there is to do. All is locked. */
static void
plan_import(Import *im)
{
	RouterSettings settings = {.default_child = -1,.max_new_children = -1};
	Adoption   *adoption = &im->adoption;
	Relation	base = table_open(adoption->base, AccessShareLock);
	RouterAsOwner saved;

	adoption->config = router_wanted_config(adoption->base, NULL, NULL, &settings, false);
	adoption->children = adoption->notes = adoption->problems = NIL;
	im->nlevels = 0;
	im->default_part = NULL;
	im->persistence = '\0';
	memset(&im->script, 0, sizeof(im->script));
	im->script.owner = base->rd_rel->relowner;
	walk_levels(im, adoption->base, 0);
	router_become_owner(&saved, base->rd_rel->relowner, router_is_own_temp(adoption->base),
						adoption->config->time_zone);
	walk_leaves(im, adoption->base, base, 0, false);
	find_keys(im, base);
	router_become_user(&saved);
	if (base->rd_rel->relpersistence == RELPERSISTENCE_TEMP)
		refuse(im, "%s: it is a temporary table", RelationGetRelationName(base));
	table_close(base, NoLock);
}

static List *
find_for_import(void *arg, bool locked)
{
	Import	   *im = arg;
	LOCKMODE	mode = im->adoption.dry_run ? AccessShareLock : AccessExclusiveLock;
	List	   *locks = router_lock_add_creation(NIL, im->adoption.base);
	List	   *tables = find_all_inheritors(im->adoption.base, NoLock, NULL);
	ListCell   *lc;

	locks = router_lock_add(locks, im->adoption.base, mode);
	list_sort(tables, list_oid_cmp);
	foreach(lc, tables)
		/* what is not the caller's is not for him to lock */
		if (router_owns_relation(lfirst_oid(lc), GetUserId()))
			locks = router_lock_add(locks, lfirst_oid(lc), mode);
	if (locked)
		plan_import(im);
	return locked && !im->adoption.dry_run ? router_rebuild_lock(locks, im->adoption.base) : locks;
}

/* The commands that make the table anew, as it is now. */
static void
plan_rebuild(Import *im)
{
	int			guc_level = router_pin_settings(im->adoption.config->time_zone);

	router_rebuild_init(&im->rebuild, &im->script, im->adoption.base, NULL, "{}");
	im->rebuild.unlogged = im->persistence == RELPERSISTENCE_UNLOGGED;
	router_rebuild_begin(&im->rebuild);
	router_rebuild_end(&im->rebuild);
	AtEOXact_GUC(false, guc_level);
	im->adoption.problems = list_concat(im->adoption.problems, im->script.problems);
}

/* -------------------------------------------------------------------- doing */

/* Children have foreign keys by the name that the base has them by. As in rebuild.c. */
static const char *const names[] = {
	"WITH RECURSIVE c AS (SELECT oid, conrelid, conname, conname AS wanted FROM pg_constraint WHERE conrelid = $1 AND contype = 'f'"
	" AND conparentid = 0 UNION ALL SELECT p.oid, p.conrelid, p.conname, wanted FROM pg_constraint p JOIN c ON p.conparentid = c.oid"
	" WHERE p.conrelid <> c.conrelid) SELECT NULL::oid, format('ALTER TABLE %s RENAME CONSTRAINT %I TO %I', conrelid::regclass, conname, wanted)"
	" FROM c JOIN pg_class r ON r.oid = conrelid WHERE relkind <> 'p' AND conname <> wanted ORDER BY 2",
};

/* Partitions become tables of their own, with the CHECKs of children, which their bounds prove. */
static void
detach_partitions(Import *im)
{
	RouterRoute route = {.config = *im->adoption.config};
	RouterScript naming = {.owner = im->script.owner};
	RouterAsOwner saved;
	ListCell   *lc;

	im->rebuild.script = &naming;
	router_rebuild_ask(&im->rebuild, names, lengthof(names), NULL);
	router_become_owner(&saved, im->script.owner, false, route.config.time_zone);
	foreach(lc, im->adoption.children)
	{
		AdoptChild *child = lfirst(lc);
		Oid			parent = get_partition_parent(child->relid, true);

		CHECK_FOR_INTERRUPTS();
		router_refuse_pending(child->relid, "detach");
		router_put_home_check(child->relid, router_child_condition(&route, child->bounds));
		router_run("ALTER TABLE %s DETACH PARTITION %s", router_qualified_name(parent),
				   router_qualified_name(child->relid));
	}
	router_become_user(&saved);
	router_script_run(&naming);
}

/* The new table, which has the name of the old one, gets the route. */
static void
route_anew(Import *im, const char *name, Oid schema)
{
	Adoption   *adoption = &im->adoption;
	RouterConfig *config = adoption->config;
	RouterMirror request = {.aspects = ROUTER_ALL};
	RouterCacheEntry *entry;
	Relation	base;
	ListCell   *lc;

	adoption->base = config->base = get_relname_relid(name, schema);
	base = table_open(adoption->base, AccessExclusiveLock);
	router_check_base(base, false);
	for (int i = 0; i < config->nkeys; i++)
		router_key_resolve(&config->keys[i], base, config->time_zone);
	table_close(base, NoLock);
	router_put_route(config, NULL);
	entry = router_cache_entry(adoption->base);
	foreach(lc, adoption->children)
		router_attach(entry, ((AdoptChild *) lfirst(lc))->relid, ((AdoptChild *) lfirst(lc))->bounds, false);
	(void) router_sync_children(&request, adoption->base);
}

static void
import(Import *im)
{
	char	   *name = get_rel_name(im->adoption.base);
	Oid			schema = get_rel_namespace(im->adoption.base);

	router_refuse_pending(im->adoption.base, "import");
	detach_partitions(im);
	router_script_run(&im->script);
	route_anew(im, name, schema);
}

/* Refuses what is no partitioned table, or not the caller's. */
static void
check_partitioned(Oid relid)
{
	router_check_exists(relid);
	router_check_owner(relid);
	if (get_rel_relkind(relid) != RELKIND_PARTITIONED_TABLE || get_rel_relispartition(relid))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not a partitioned table", get_rel_name(relid)),
				 errhint("Name the table above all partitions. For others see router.create_route, router.convert and router.adopt.")));
}

/*
 * router.import_declarative(partitioned, dry_run).
 *
 * Errors: wrong_object_type; object_not_in_prerequisite_state, with a line for each thing that is in the way; those
 * of create_route.
 */
Datum
router_import_declarative(PG_FUNCTION_ARGS)
{
	Import		im = {0};
	RouterReport report;

	router_report_begin(&report, fcinfo, 1, 1);
	im.adoption.base = PG_GETARG_OID(0);
	im.adoption.dry_run = report.dry_run;
	check_partitioned(im.adoption.base);
	router_lock_all(find_for_import, &im);
	check_partitioned(im.adoption.base);
	plan_rebuild(&im);
	if (router_adopt_refuses(&report, &im.adoption,
							 psprintf("partitioned table \"%s\" cannot become a routed table",
									  get_rel_name(im.adoption.base)),
							 "With dry_run => true router.import_declarative lists all that is in the way."))
		return (Datum) 0;
	router_adopt_finish_plan(&im.adoption);
	add_default(&im);
	router_adopt_tell_plan(&report, &im.adoption);
	if (!report.dry_run)
		import(&im);
	return (Datum) 0;
}
