/*
 * type_ddl.c
 *		What happens to the types of keys: labels of enums that get another name,
 *		attributes that composite types get or lose. Called by the event triggers.
 *
 * A value lives on, its text does not (see stored.c). What the catalog has as
 * text is written anew when the type is changed: bounds by the CHECKs of the
 * children, groups by what was read of them just before. What changes the
 * hash of values, or makes two of them one, is refused once there are children.
 *
 * Locking: ShareUpdateExclusiveLock on each base whose catalog rows are written anew.
 * Memory: groups are held in a child of TopTransactionContext until the command is done.
 */
#include "compat.h"
#include "admin/type_ddl.h"

#include "access/genam.h"
#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_depend.h"
#include "catalog/pg_inherits.h"
#include "nodes/makefuncs.h"
#include "parser/parse_type.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"

#include "base/budget.h"
#include "route/stored.h"

#define ANOTHER_TYPE "Make another routed table with another type and move the rows into it, or end the routing first, with router.drop_route."

/* The groups of one key, read. */
typedef struct Held
{
	Oid			base;
	int			level;
	RouterBound **groups;
	char	  **texts;			/* as the type writes them before it changes */
} Held;

static MemoryContext held_cxt = NULL;
static List *held = NIL;		/* of Held */

/* A route with keys of a type that changes. */
typedef struct Affected
{
	RouterConfig *config;
	List	   *levels;			/* of those keys */
} Affected;

/* ------------------------------------------------------------------ which routes */

/* What is made of types: found upwards from them, so that nobody who alters a table pays for the routes of others. */
typedef struct Users
{
	List	   *types;			/* those seen, and those made of them */
	List	   *bases;			/* that have columns of one */
} Users;

/* Adds what is made of a type directly: arrays, domains, ranges; columns, of which row types are made. */
static void
add_users(Users *users, Oid type)
{
	Relation	rel = table_open(DependRelationId, AccessShareLock);
	ScanKeyData keys[2];
	SysScanDesc scan;
	HeapTuple	tup;

	ScanKeyInit(&keys[0], Anum_pg_depend_refclassid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(TypeRelationId));
	ScanKeyInit(&keys[1], Anum_pg_depend_refobjid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(type));
	scan = systable_beginscan(rel, DependReferenceIndexId, true, NULL, 2, keys);
	while (HeapTupleIsValid(tup = systable_getnext(scan)))
	{
		Form_pg_depend user = (Form_pg_depend) GETSTRUCT(tup);
		Oid			made = InvalidOid;

		if (user->classid == TypeRelationId)
			made = user->objid;
		else if (user->classid == RelationRelationId && user->objsubid != 0)
		{
			made = get_rel_type_id(user->objid);
			if (router_catalog_is_base(user->objid))
				users->bases = list_append_unique_oid(users->bases, user->objid);
		}
		if (OidIsValid(made))
			users->types = list_append_unique_oid(users->types, made);
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
}

/* The routes with keys whose values are of one of these types, or made of them: of Affected. */
static List *
affected_by(List *types)
{
	Users		users = {.types = types};
	List	   *result = NIL;
	ListCell   *lc;

	for (int i = 0; i < list_length(users.types); i++)
		add_users(&users, list_nth_oid(users.types, i));
	list_sort(users.bases, list_oid_cmp);
	foreach(lc, users.bases)
	{
		RouterConfig *config = router_catalog_route(lfirst_oid(lc));
		Affected   *affected = palloc0(sizeof(Affected));

		affected->config = config;
		for (int i = 0; config && i < config->nkeys; i++)
		{
			Oid			type = InvalidOid;
			Oid			collation;
			int32		typmod;

			if (get_attname(config->base, config->keys[i].attnum, true))
				get_atttypetypmodcoll(config->base, config->keys[i].attnum, &type, &typmod, &collation);
			if (list_member_oid(users.types, type))
				affected->levels = lappend_int(affected->levels, i);
		}
		if (affected->levels != NIL)
			result = lappend(result, affected);
	}
	return result;
}

/* The tables OF a composite type. */
static List *
typed_tables(Oid type)
{
	Relation	rel = table_open(RelationRelationId, AccessShareLock);
	List	   *tables = NIL;
	ScanKeyData skey;
	SysScanDesc scan;
	HeapTuple	tup;

	ScanKeyInit(&skey, Anum_pg_class_reloftype, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(type));
	scan = systable_beginscan(rel, InvalidOid, false, NULL, 1, &skey);
	while (HeapTupleIsValid(tup = systable_getnext(scan)))
		tables = lappend_oid(tables, ((Form_pg_class) GETSTRUCT(tup))->oid);
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return tables;
}

/* A relation or composite type, the tables OF it, and all that inherit from these. */
List *
router_tables_below(Oid relid)
{
	bool		typed = get_rel_relkind(relid) == RELKIND_COMPOSITE_TYPE;
	List	   *below = NIL;
	ListCell   *lc;

	foreach(lc, lcons_oid(relid, typed ? typed_tables(get_rel_type_id(relid)) : NIL))
		below = list_concat(below, find_all_inheritors(lfirst_oid(lc), NoLock, NULL));
	return below;
}

/* The row types of relations. */
static List *
row_types(List *relids)
{
	List	   *types = NIL;
	ListCell   *lc;

	foreach(lc, relids)
		if (OidIsValid(get_rel_type_id(lfirst_oid(lc))))
			types = lappend_oid(types, get_rel_type_id(lfirst_oid(lc)));
	return types;
}

/* Does the command add columns or attributes, or give them other types? */
bool
router_changes_columns(const AlterTableStmt *stmt)
{
	ListCell   *lc;

	foreach(lc, stmt->cmds)
	{
		AlterTableType subtype = lfirst_node(AlterTableCmd, lc)->subtype;

		if (subtype == AT_AddColumn || subtype == AT_AlterColumnType)
			return true;
	}
	return false;
}

/* The types whose values are written in another way after this command. The search_path is the command's. */
static List *
changing_types(Node *parsetree)
{
	Oid			oid = InvalidOid;

	if (IsA(parsetree, AlterEnumStmt) && ((AlterEnumStmt *) parsetree)->oldVal)
	{
		oid = LookupTypeNameOid(NULL, makeTypeNameFromNameList(((AlterEnumStmt *) parsetree)->typeName), true);
		return OidIsValid(oid) ? list_make1_oid(oid) : NIL;
	}
	if (IsA(parsetree, AlterTableStmt) && router_changes_columns((AlterTableStmt *) parsetree))
		oid = RangeVarGetRelid(((AlterTableStmt *) parsetree)->relation, NoLock, true);
	else if (IsA(parsetree, ViewStmt) && ((ViewStmt *) parsetree)->replace)
		oid = RangeVarGetRelid(((ViewStmt *) parsetree)->view, NoLock, true);
	return OidIsValid(oid) ? row_types(router_tables_below(oid)) : NIL;
}

/* ------------------------------------------------------------------------ before */

static void
let_go(void *arg)
{
	held_cxt = NULL;
	held = NIL;
}

/* What cannot be read stays as it is: the command may be what puts it right. */
static void
attempt(bool (*work) (void *arg), Affected *affected)
{
	ErrorData  *error = router_attempt_step(work, affected);

	if (error == NULL)
		return;
	ereport(WARNING,
			(errcode(error->sqlerrcode),
			 errmsg("bounds or groups of routed table \"%s\" do not follow the type: %s",
					get_rel_name(affected->config->base), error->message),
			 errhint("See router.check.")));
}

/* Opens a base whose keys of an affected route are resolved as the types are now. */
static Relation
open_affected(const Affected *affected)
{
	Relation	base = table_open(affected->config->base, AccessShareLock);

	for (int i = 0; i < affected->config->nkeys; i++)
		router_key_resolve(&affected->config->keys[i], base, affected->config->time_zone);
	return base;
}

static bool
hold_groups(void *arg)
{
	const Affected *affected = arg;
	int			guc_level = router_pin_settings(affected->config->time_zone);
	Relation	base = open_affected(affected);
	ListCell   *lc;

	foreach(lc, affected->levels)
	{
		RouterKey  *key = &affected->config->keys[lfirst_int(lc)];
		MemoryContext old = MemoryContextSwitchTo(held_cxt);
		Held	   *groups = palloc(sizeof(Held));

		groups->base = affected->config->base;
		groups->level = lfirst_int(lc);
		groups->groups = palloc(Max(key->ngroups, 1) * sizeof(RouterBound *));
		groups->texts = palloc(Max(key->ngroups, 1) * sizeof(char *));
		for (int i = 0; i < key->ngroups; i++)
		{
			groups->groups[i] = router_bound_parse(key, key->groups[i]);
			groups->texts[i] = router_bound_text(key, groups->groups[i]);
		}
		held = lappend(held, groups);
		MemoryContextSwitchTo(old);
	}
	table_close(base, AccessShareLock);
	AtEOXact_GUC(false, guc_level);
	return true;
}

/* ddl_command_start */
void
router_type_ddl_start(Node *parsetree)
{
	MemoryContextCallback *callback;
	ListCell   *lc;

	if (held_cxt)
		MemoryContextDelete(held_cxt);	/* of a command that failed */
	foreach(lc, affected_by(changing_types(parsetree)))
	{
		if (held_cxt == NULL)
		{
			held_cxt = AllocSetContextCreate(TopTransactionContext, "router groups", ALLOCSET_SMALL_SIZES);
			callback = MemoryContextAllocZero(held_cxt, sizeof(MemoryContextCallback));
			callback->func = let_go;
			MemoryContextRegisterResetCallback(held_cxt, callback);
		}
		attempt(hold_groups, lfirst(lc));
	}
}

/* ------------------------------------------------------------------------- after */

static void
refuse(const RouterConfig *config, int level, const char *what, const char *detail)
{
	Oid			type = get_atttype(config->base, config->keys[level].attnum);

	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("cannot %s a type of key \"%s\" of routed table \"%s\"", what, config->keys[level].column,
					get_rel_name(config->base)),
			 errdetail("The key is of type %s. %s", format_type_be(type), detail),
			 errhint(ANOTHER_TYPE)));
}

static bool
write_anew(void *arg)
{
	Affected   *affected = arg;
	RouterConfig *config = affected->config;
	int			guc_level = router_pin_settings(config->time_zone);
	Relation	base = open_affected(affected);
	bool		changed = false;
	ListCell   *lc;

	foreach(lc, held)
	{
		Held	   *groups = lfirst(lc);
		RouterKey  *key = &config->keys[groups->level];

		for (int i = 0; groups->base == config->base && i < key->ngroups; i++)
		{
			char	   *text = router_bound_text(key, groups->groups[i]);

			/* what is as it was stays as its owner wrote it */
			if (strcmp(text, groups->texts[i]) == 0)
				continue;
			key->groups[i] = text;
			changed = true;
		}
	}
	if (changed)
		router_catalog_put_route(config);
	foreach(lc, router_catalog_children(config->base))
		(void) router_refresh_bounds(config, lfirst(lc), false);
	table_close(base, AccessShareLock);
	AtEOXact_GUC(false, guc_level);
	return true;
}

/*
 * The hash of values in a route may be another one. Done in a subtransaction,
 * since no message may be left over when the next begins.
 */
static bool
invalidate(void *arg)
{
	CacheInvalidateRelcacheByRelid(((Affected *) arg)->config->base);
	return true;
}

static void
tell_route(void *arg)
{
	errcontext("key of routed table \"%s\"", get_rel_name(*(Oid *) arg));
	errhint(ANOTHER_TYPE);
}

/* A row type has changed: can it still be within keys? Where there are children, its values must keep their hash. */
static void
check_levels(Affected *affected)
{
	RouterConfig *config = affected->config;
	int			guc_level = router_pin_settings(config->time_zone);
	bool		filled = router_catalog_children(config->base) != NIL;
	ErrorContextCallback callback = {error_context_stack, tell_route, &config->base};
	Relation	base;
	ListCell   *lc;

	error_context_stack = &callback;
	base = open_affected(affected);
	foreach(lc, affected->levels)
	{
		RouterKey  *key = &config->keys[lfirst_int(lc)];

		router_key_check_type(key, key->typid);
		if (filled && key->kind == ROUTER_HASH)
			refuse(config, lfirst_int(lc), "add an attribute to", "Its hash would be another one for each value.");
	}
	error_context_stack = callback.previous;
	table_close(base, AccessShareLock);
	AtEOXact_GUC(false, guc_level);
}

/* ddl_command_end. Errors: feature_not_supported, datatype_mismatch. */
void
router_type_ddl_end(Node *parsetree)
{
	ListCell   *lc;

	foreach(lc, affected_by(changing_types(parsetree)))
	{
		Affected   *affected = lfirst(lc);

		if (!IsA(parsetree, AlterEnumStmt))
			check_levels(affected);
		LockRelationOid(affected->config->base, ShareUpdateExclusiveLock);
		attempt(write_anew, affected);
		attempt(invalidate, affected);
	}
	if (held_cxt)
		MemoryContextDelete(held_cxt);
}

/* sql_drop: these relations and composite types have lost columns. Errors: feature_not_supported. */
void
router_type_columns_dropped(List *relids)
{
	ListCell   *lc;

	foreach(lc, affected_by(row_types(relids)))
	{
		Affected   *affected = lfirst(lc);

		if (router_catalog_children(affected->config->base) != NIL)
			refuse(affected->config, linitial_int(affected->levels), "drop an attribute of",
				   "Values of different children could become one.");
	}
}
