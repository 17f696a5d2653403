/*
 * rename_children.c
 *		router.rename_children: children, their indexes and extended statistics get
 *		the names that those of a new child would get now.
 *
 * Each of them is a Named. A name that another one is about to give up counts as free,
 * so that two may exchange theirs: those in the way of others go to a name of no
 * meaning first.
 *
 * Locking: the creation locks of create.c; AccessExclusiveLock on a child that is renamed,
 * ShareUpdateExclusiveLock on one whose indexes are. The labels are asked under the
 * creation locks.
 * Rights: labels run as the owner, the renames as the caller, as by hand.
 */
#include "compat.h"

#include "catalog/pg_class.h"
#include "catalog/pg_statistic_ext.h"
#include "commands/tablecmds.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/hsearch.h"
#include "utils/lsyscache.h"

#include "base/name.h"
#include "base/owner.h"
#include "base/report.h"
#include "base/sql.h"
#include "child/child_name.h"
#include "mirror/mirror.h"
#include "route/lock.h"
#include "route/owned.h"
#include "route/stored.h"

PG_FUNCTION_INFO_V1(router_rename_children);

/* One thing that has a name. */
typedef struct Named
{
	Oid			classid;
	Oid			oid;
	Oid			child;			/* that it is, or belongs to */
	Oid			schema;
	const char *kind;			/* "TABLE", as commands say it */
	const char *word;			/* "child", as reports do */
	char	   *name;			/* that it has */
	char	   *usual;			/* that it should have */
	char	   *hashed;			/* what to hash if it cannot */
	bool		odd;			/* it cannot: too long, say */
	char	   *to;				/* that it gets */
	bool		in_the_way;		/* its name is one that another gets */
} Named;

/* A name in a schema. Relations and statistics have names of their own. */
typedef struct UsedName
{
	Oid			schema;
	Oid			classid;
	char		name[NAMEDATALEN];
} UsedName;

/* Who has a name, and who gets it. */
typedef struct Use
{
	UsedName		name;			/* hash key */
	Named	   *left_by;
	bool		given;
} Use;

typedef struct Renaming
{
	RouterCacheEntry *entry;
	Oid			base;
	List	   *items;			/* that get another name, children first */
	HTAB	   *uses;
} Renaming;

/* ------------------------------------------------------------------- names */

static Use *
use_of(Renaming *r, const Named *item, const char *name, HASHACTION action)
{
	UsedName		key;
	Use		   *use;
	bool		found;

	memset(&key, 0, sizeof(key));
	key.schema = item->schema;
	key.classid = item->classid;
	strlcpy(key.name, name, NAMEDATALEN);
	use = hash_search(r->uses, &key, action, &found);
	if (use && !found)
	{
		use->left_by = NULL;
		use->given = false;
	}
	return use;
}

/* Can an item have a name, once others have left theirs? */
static bool
is_available(Renaming *r, const Named *item, const char *name)
{
	Use		   *use = use_of(r, item, name, HASH_FIND);

	if (use && use->given)
		return false;
	if (use && use->left_by && use->left_by != item)
		return true;
	return strcmp(name, item->name) == 0 ||
		(item->classid == StatisticExtRelationId ? router_statistics_name_is_free(name, item->schema) :
		 router_name_is_free(name, item->schema));
}

static void
choose_name(Renaming *r, Named *item)
{
	char	   *name = item->usual;

	for (int i = 1; (item->odd && i == 1) || !is_available(r, item, name); i++)
		name = router_cut_name(item->usual, i == 1 ? item->hashed : psprintf("%s %d", item->hashed, i));
	item->to = name;
	use_of(r, item, name, HASH_ENTER)->given = true;
}

/* ------------------------------------------------------------------- items */

static Named *
add_item(List **items, Oid classid, Oid oid, Oid child)
{
	Named	   *item = palloc0(sizeof(Named));

	item->classid = classid;
	item->oid = oid;
	item->child = child;
	*items = lappend(*items, item);
	return item;
}

/* The children but for those on servers, which may be found there by their names. */
static List *
read_children(Renaming *r)
{
	List	   *items = NIL;
	RouterAsOwner saved;
	ListCell   *lc;

	router_become_owner(&saved, router_relation_owner(r->base), router_is_own_temp(r->base),
						router_route_locked(r->entry)->config.time_zone);
	foreach(lc, router_catalog_children(r->base))
	{
		RouterChildDef *def = lfirst(lc);
		RouterRoute *route = router_route_locked(r->entry);
		RouterBound *bounds[ROUTER_MAX_LEVELS];
		Named	   *item;

		if (get_rel_relkind(def->child) != RELKIND_RELATION)
			continue;
		router_stored_bounds(route->config.keys, def, bounds);
		item = add_item(&items, RelationRelationId, def->child, def->child);
		item->kind = "TABLE";
		item->word = "child";
		item->schema = get_rel_namespace(def->child);
		item->name = get_rel_name(def->child);
		item->usual = router_child_usual_name(route, bounds, &item->hashed, &item->odd);
	}
	router_become_user(&saved);
	return items;
}

static void
read_objects(Renaming *r, const Named *child, List **items)
{
	ListCell   *lc;

	foreach(lc, router_object_names(r->base, child->oid, child->to))
	{
		RouterObjectName *object = lfirst(lc);
		Named	   *item = add_item(items, object->classid, object->oid, child->oid);

		item->kind = object->classid == StatisticExtRelationId ? "STATISTICS" : "INDEX";
		item->word = object->classid == StatisticExtRelationId ? "statistics" : "index";
		item->schema = object->schema;
		item->name = object->name;
		item->usual = item->hashed = object->by_rule;
		item->odd = strlen(object->by_rule) >= NAMEDATALEN;
	}
}

/* Chooses the names of these, which are all of their kind. */
static void
choose_names(Renaming *r, List *items)
{
	ListCell   *lc;

	foreach(lc, items)
	{
		Named	   *item = lfirst(lc);
		bool		stays = !item->odd && strcmp(item->name, item->usual) == 0;
		Use		   *use = use_of(r, item, item->name, HASH_ENTER);

		use->left_by = stays ? NULL : item;
		use->given = stays;
		item->to = stays ? item->name : NULL;
	}
	foreach(lc, items)
		if (((Named *) lfirst(lc))->to == NULL)
			choose_name(r, lfirst(lc));
}

/* Finds out what gets another name. The creation locks are held. */
static void
plan(Renaming *r)
{
	HASHCTL		ctl = {.keysize = sizeof(UsedName),.entrysize = sizeof(Use),.hcxt = CurrentMemoryContext};
	List	   *children;
	List	   *objects = NIL;
	ListCell   *lc;

	r->uses = hash_create("router names", 256, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	r->items = NIL;
	children = read_children(r);
	choose_names(r, children);
	foreach(lc, children)
		read_objects(r, lfirst(lc), &objects);
	choose_names(r, objects);
	foreach(lc, list_concat(children, objects))
	{
		Named	   *item = lfirst(lc);

		if (strcmp(item->name, item->to) == 0)
			continue;
		item->in_the_way = use_of(r, item, item->name, HASH_ENTER)->given;
		r->items = lappend(r->items, item);
	}
}

static List *
find_for_rename(void *arg, bool locked)
{
	Renaming   *r = arg;
	List	   *locks = router_lock_add_creation(NIL, r->base);
	List	   *tables = NIL;
	ListCell   *lc;

	locks = router_lock_add(locks, r->base, ShareUpdateExclusiveLock);
	if (!locked)
		return locks;
	(void) router_owned_route(r->base);
	plan(r);
	/* children come first */
	foreach(lc, r->items)
	{
		Named	   *item = lfirst(lc);

		if (!list_member_oid(tables, item->child))
			locks = router_lock_add(locks, item->child, item->oid == item->child ? AccessExclusiveLock :
									ShareUpdateExclusiveLock);
		tables = lappend_oid(tables, item->child);
	}
	return locks;
}

/* ----------------------------------------------------------------- renaming */

/* As by hand: event triggers fire. SPI is connected. */
static void
rename_item(Renaming *r, const Named *item, const char *name, const char *to)
{
	char	   *sql = psprintf("ALTER %s %s RENAME TO %s", item->kind,
							   quote_qualified_identifier(get_namespace_name(item->schema), name),
							   quote_identifier(to));

	if (SPI_execute(sql, false, 0) != SPI_OK_UTILITY)
		elog(ERROR, "SPI_execute failed: %s", sql);
}

static void
rename_items(Renaming *r)
{
	ListCell   *lc;

	SPI_connect();
	foreach(lc, r->items)
	{
		Named	   *item = lfirst(lc);
		char	   *other;

		if (!item->in_the_way)
			continue;
		other = psprintf("router_rename_%u", item->oid);
		for (int i = 2; !is_available(r, item, other); i++)
			other = psprintf("router_rename_%u_%d", item->oid, i);
		rename_item(r, item, item->name, other);
		item->name = other;
	}
	foreach(lc, r->items)
		rename_item(r, lfirst(lc), ((Named *) lfirst(lc))->name, ((Named *) lfirst(lc))->to);
	SPI_finish();
}

/*
 * router.rename_children(base, dry_run)
 *
 * Errors: insufficient_privilege, duplicate_table if somebody takes a name meanwhile, and what a label raises.
 */
Datum
router_rename_children(PG_FUNCTION_ARGS)
{
	RouterReport report;
	Renaming	r = {0};
	ListCell   *lc;

	router_report_begin(&report, fcinfo, 1, 1);
	r.base = PG_GETARG_OID(0);
	r.entry = router_owned_route(r.base);
	if (report.dry_run)
	{
		router_lock_creation(r.base);
		r.entry = router_owned_route(r.base);
		plan(&r);
	}
	else
		router_lock_all(find_for_rename, &r);
	foreach(lc, r.items)
	{
		Named	   *item = lfirst(lc);

		router_report(&report, "rename %s %s to %s", item->word,
					  quote_qualified_identifier(get_namespace_name(item->schema), item->name),
					  quote_identifier(item->to));
	}
	if (!report.dry_run)
		rename_items(&r);
	return (Datum) 0;
}
