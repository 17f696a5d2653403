/*
 * create.c
 *		Creates children: name, CHECK, table, catalog row, rows from the default
 *		child. For a statement that needs one and for the admin functions alike.
 *
 * Lock order, for everything that creates children (route/lock.c and base/lock_all.c wait for one at a time):
 *	1. the creation lock of the base's owner, unless the base is temporary;
 *	2. the base, ShareUpdateExclusive: conflicts with no reader or writer. DDL
 *	   and VACUUM on the base wait for us or we for them;
 *	3. the default child, if any, ShareRowExclusive: taken only if free when a
 *	   statement creates (its row goes to the default child if not); and if it
 *	   has rows for the new child, AccessExclusive on the base, in the same way:
 *	   a query that was planned without the new child and has no snapshot yet
 *	   would see those rows in neither table;
 *	4. tables that foreign keys refer to, ShareRowExclusive, by oid.
 * All are kept until the transaction ends. A waiter looks again when it gets
 * the lock, and finds the child that the other session made.
 *
 * Rights: everything runs as the owner of the base in a security-restricted
 * operation, with search_path pinned to pg_catalog.
 */
#include "compat.h"
#include "child/create.h"
#include "child/default_child.h"
#include "child/child_bounds.h"
#include "child/child_name.h"

#include "access/table.h"
#include "catalog/namespace.h"
#include "commands/event_trigger.h"
#include "commands/tablespace.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"

#include "base/budget.h"
#include "route/growth.h"
#include "globalkey/triggers.h"
#include "mirror/mirror.h"
#include "rows/batch.h"
#include "rows/keep_in_step.h"
#include "base/name.h"
#include "base/owner.h"
#include "base/sql.h"
#include "base/waitpoint.h"

/* how many names a child is tried under */
#define MAX_NAMES 4

/* Children belong to the owner of the base, who needs to create tables in their schema and to find them there. */
void
router_check_child_schema(Oid base, Oid schema)
{
	Oid			owner = router_relation_owner(base);
	bool		may_use = router_may_use(schema, owner);

	if (isTempNamespace(schema) || (may_use && router_may_create_in(schema, owner)))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("permission denied for schema %s", get_namespace_name(schema)),
			 errdetail("New children of routed table \"%s\" are made there, which its owner %s may not do.",
					   get_rel_name(base), GetUserNameFromId(owner, false)),
			 errhint("GRANT %s ON SCHEMA %s TO %s.", may_use ? "CREATE" : "CREATE, USAGE",
					 quote_identifier(get_namespace_name(schema)), quote_identifier(GetUserNameFromId(owner, false)))));
}

/* A child in the making. */
typedef struct Making
{
	RouterCacheEntry *entry;
	uint64		generation;		/* of the route that was looked at */
	Oid			base;
	Oid			schema;
	RouterBound **bounds;
	char	   *texts[ROUTER_MAX_LEVELS];	/* of the bounds */
	int			nkeys;
	const char *condition;
	const char *name;
	Oid			child;
} Making;

/* Settings are pinned. */
static void
begin_making(Making *m, RouterCacheEntry *entry, RouterBound **bounds)
{
	RouterRoute *route = router_route_locked(entry);

	m->entry = entry;
	m->generation = route->generation;
	m->base = route->config.base;
	m->bounds = bounds;
	m->nkeys = route->config.nkeys;
	for (int i = 0; i < m->nkeys; i++)
		m->texts[i] = router_bound_text(&route->config.keys[i], bounds[i]);
}

/* Enters a child in the catalog and in this session's cache. */
static void
register_child(Making *m)
{
	uint64		version = router_growth_add(m->base, m->child);

	router_catalog_add_child(m->child, m->base, m->texts, m->nkeys);
	router_follow_new_child(m->base, m->child);
	router_cache_add_child(m->entry, m->generation, m->child, m->bounds, version);
}

/* The same for a table that is there. Creation locks are held, settings pinned. */
void
router_register_child(RouterCacheEntry *entry, Oid child, RouterBound **bounds)
{
	Making		m;

	begin_making(&m, entry, bounds);
	m.child = child;
	register_child(&m);
}

/* Gives a table that inherits, or is to be in a child's place, all that the base has. Runs as the owner. */
void
router_child_equip(Oid base, Oid child)
{
	RouterMirror everything = {.aspects = ROUTER_EVERYTHING};

	(void) router_mirror(&everything, base, child);
	router_globalkey_equip(base, child);
}

/* The command that event triggers are being told of; or NULL. */
static const Node *told = NULL;

/* Is this the making of a child? Router's own event triggers have nothing to do then. */
bool
router_child_is_told(const Node *command)
{
	return command == told;
}

static bool
fire_event_triggers(void *command)
{
	int			guc_level = NewGUCNestLevel();

	PushActiveSnapshot(GetTransactionSnapshot());
	EventTriggerDDLCommandEnd(command);
	PopActiveSnapshot();
	AtEOXact_GUC(false, guc_level);
	return true;
}

/*
 * Tells event triggers for ddl_command_end of a new child that is complete: of
 * one CREATE TABLE, with all commands that made it. Whoever inserts a row is no
 * author of DDL: what goes wrong there is a warning to him, and undone.
 */
static void
tell_event_triggers(Oid schema, const char *name)
{
	CreateStmt *command = makeNode(CreateStmt);
	const Node *outer = told;
	ErrorData  *error;

	command->relation = makeRangeVar(get_namespace_name(schema), pstrdup(name), -1);
	told = (Node *) command;
	error = router_attempt_step(fire_event_triggers, command);
	told = outer;
	if (error == NULL)
		return;
	ereport(WARNING,
			(errcode(error->sqlerrcode),
			 errmsg("an event trigger failed after child \"%s\" was made: %s", name, error->message),
			 errdetail("The child stays. The function ran as the owner of the routed table, with search_path set to pg_catalog."),
			 errhint("Such a function needs a search_path of its own: ALTER FUNCTION … SET search_path = ….")));
}

static void
create_table(const Making *m)
{
	Relation	base = table_open(m->base, NoLock);
	StringInfoData buf;
	char		persistence = base->rd_rel->relpersistence;
	char	   *options = router_missing_relation_options(RelationGetRelid(base), InvalidOid, "");
	char	   *toast_options = router_missing_relation_options(base->rd_rel->reltoastrelid, InvalidOid, "toast.");

	initStringInfo(&buf);
	appendStringInfo(&buf, "CREATE %sTABLE %s (",
					 persistence == RELPERSISTENCE_UNLOGGED ? "UNLOGGED " :
					 persistence == RELPERSISTENCE_TEMP ? "TEMPORARY " : "",
					 quote_qualified_identifier(persistence == RELPERSISTENCE_TEMP ? "pg_temp" :
												get_namespace_name(m->schema), m->name));
	if (m->condition[0] != '\0')
		appendStringInfo(&buf, "CONSTRAINT %s CHECK (%s)", ROUTER_CHECK_NAME, m->condition);
	appendStringInfo(&buf, ") INHERITS (%s)", router_qualified_name(RelationGetRelid(base)));
	if (OidIsValid(base->rd_rel->relam))
		appendStringInfo(&buf, " USING %s", quote_identifier(get_am_name(base->rd_rel->relam)));
	if (options || toast_options)
		appendStringInfo(&buf, " WITH (%s%s%s)", options ? options : "", options && toast_options ? ", " : "",
						 toast_options ? toast_options : "");
	if (OidIsValid(base->rd_rel->reltablespace))
		appendStringInfo(&buf, " TABLESPACE %s", quote_identifier(get_tablespace_name(base->rd_rel->reltablespace)));
	table_close(base, NoLock);
	router_run("%s", buf.data);
}

/*
 * Makes a child and tells of it: a command by itself for event triggers, whatever is under way. Labels and our own
 * DDL invalidate the route: it is not looked at any more.
 */
static bool
make_and_tell(void *arg)
{
	Making	   *m = arg;
	bool		observed = EventTriggerBeginCompleteQuery();

	PG_TRY();
	{
		router_check_parts(m->base);
		create_table(m);
		m->child = get_relname_relid(m->name, m->schema);
		if (router_original(m->base) != m->base)
			router_step_mark(m->child, router_original(m->base));	/* not to be known yet, like its base */
		router_child_equip(m->base, m->child);
		register_child(m);
		if (observed)
			tell_event_triggers(m->schema, m->name);
	}
	PG_FINALLY();
	{
		if (observed)
			EventTriggerEndCompleteQuery();
	}
	PG_END_TRY();
	return true;
}

/*
 * The same where strangers may create in the schema as well: one may take a name after we saw that it was free. Then
 * the child gets a name that he cannot foresee. A subtransaction is not for free where a statement makes many children.
 */
static void
make_among_strangers(Making *m)
{
	const char *wanted = m->name;
	ErrorData  *error;
	uint64		secret;

	for (int tries = 1; (error = router_attempt_step(make_and_tell, m)) != NULL; tries++)
	{
		if (tries == MAX_NAMES || !pg_strong_random(&secret, sizeof(secret)) ||
			(error->sqlerrcode != ERRCODE_DUPLICATE_TABLE && error->sqlerrcode != ERRCODE_DUPLICATE_OBJECT &&
			 error->sqlerrcode != ERRCODE_UNIQUE_VIOLATION))
			ReThrowError(error);
		m->name = router_another_name(wanted, psprintf("%s " UINT64_FORMAT, wanted, secret), m->schema, m->schema);
	}
}

/*
 * Creates the child with these bounds; name NULL: the one it gets by itself.
 * The creation locks are held, the route was looked at under them, and no
 * child holds any of this. Returns its oid. moved: or NULL, gets the number of
 * rows that came out of the default child.
 */
Oid
router_child_create(RouterCacheEntry *entry, RouterBound **bounds, const char *name, uint64 *moved)
{
	MemoryContext work = AllocSetContextCreate(CurrentMemoryContext, "router create", ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(work);
	RouterRoute *route = router_route_locked(entry);
	Relation	base = table_open(route->config.base, NoLock);
	Making		m;
	RouterAsOwner saved;
	uint64		n;

	router_become_owner(&saved, base->rd_rel->relowner, router_is_own_temp(route->config.base),
						route->config.time_zone);
	begin_making(&m, entry, bounds);
	m.schema = router_child_schema(&route->config);
	m.condition = router_child_condition(route, bounds);
	m.name = name ? name : router_child_name(route, bounds);
	if (name && OidIsValid(get_relname_relid(name, m.schema)))
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_TABLE),
				 errmsg("relation \"%s\" already exists, so it cannot become a child of \"%s\"",
						name, RelationGetRelationName(base)),
				 errhint("Rename it, or make it the child with router.attach_child.")));
	if (name)
		router_check_name(name, m.schema);
	router_check_child_schema(m.base, m.schema);
	ROUTER_WAITPOINT("naming");
	if (name == NULL && router_strangers_create(m.schema, base->rd_rel->relowner))
		make_among_strangers(&m);
	else
		(void) make_and_tell(&m);
	router_become_user(&saved);
	table_close(base, NoLock);
	n = router_child_fill(entry, m.child, bounds);
	if (moved)
		*moved = n;
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(work);
	return m.child;
}

static bool
is_referenced(Oid relid)
{
	Relation	rel = table_open(relid, NoLock);
	bool		referenced = router_is_referenced(rel);

	table_close(rel, NoLock);
	return referenced;
}

/*
 * Creates the child that a row of a running statement needs, or finds that
 * another session just did. InvalidOid: the default child or, when it has rows
 * for the new one, the base is in use by others, so that nothing can be taken
 * out of it now, or a foreign key refers to it; the row goes there.
 */
Oid
router_child_create_home(RouterCacheEntry *entry, const Datum *values, const bool *isnull)
{
	Oid			base = router_route_locked(entry)->config.base;
	RouterBound *bounds[ROUTER_MAX_LEVELS];
	RouterMiss	again;
	RouterRoute *route;
	Oid			child;

	router_lock_creation(base);
	route = router_route_locked(entry);
	child = router_route_find(route, values, isnull, &again);
	if (OidIsValid(child))
	{
		router_unlock_creation(base);
		return child;
	}
	if (OidIsValid(route->default_child) &&
		!ConditionalLockRelationOid(route->default_child, ShareRowExclusiveLock))
	{
		router_unlock_creation(base);
		return InvalidOid;
	}
	route = router_route_locked(entry); /* may be another copy: look again */
	child = router_route_find(route, values, isnull, &again);
	if (OidIsValid(child))
		return child;
	if (!router_child_bounds(route, values, isnull, &again, bounds))
		elog(ERROR, "row has no bounds");
	if (OidIsValid(route->default_child) && router_default_child_has(entry, list_make1(bounds)) &&
		(is_referenced(route->default_child) || !ConditionalLockRelationOid(base, AccessExclusiveLock)))
	{
		UnlockRelationOid(route->default_child, ShareRowExclusiveLock);
		router_unlock_creation(base);
		return InvalidOid;
	}
	return router_child_create(entry, bounds, NULL, NULL);
}
