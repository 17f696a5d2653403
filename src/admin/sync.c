/*
 * sync.c
 *		router.sync: compares the children of a base with it and mends what
 *		differs (mirror.c), the owner and the CHECK as well.
 *
 * Locking: no creation lock is taken here. A lock on the base that conflicts
 * with ShareUpdateExclusive keeps creators of its children away, and an INSERT
 * that holds the creation lock and waits for the base never waits for a cycle.
 *	- router.sync looks with AccessShareLock on base and children. If something
 *	  is to be done it takes ShareRowExclusiveLock on the base, so that no writer
 *	  comes through it and locks children in another order, then the children
 *	  by oid, each as its commands want it.
 *	- CALL router.sync(base, concurrently => …) works on one child a
 *	  transaction: ShareUpdateExclusiveLock on the base, then the child
 *	  AccessExclusiveLock, for which it waits only without the base's.
 *
 * Rights: the caller is an owner of the base. Work is done as the owner, in a
 * security-restricted operation; owners are changed as the caller, who must own
 * the child.
 */
#include "compat.h"
#include "admin/sync.h"

#include "catalog/pg_constraint.h"
#include "commands/tablecmds.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "tcop/pquery.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "child/child_bounds.h"
#include "route/loose.h"
#include "admin/route_triggers.h"

#include "admin/globalkey_admin.h"
#include "route/owned.h"
#include "base/owner.h"
#include "base/sql.h"
#include "route/stored.h"
#include "base/report.h"
#include "base/attempt.h"
#include "job/job.h"
#include "child/create.h"

PG_FUNCTION_INFO_V1(router_sync);
PG_FUNCTION_INFO_V1(router_sync_concurrently);
PG_FUNCTION_INFO_V1(router_base_constraint);

/* ----------------------------------------------------------------- children */

static void
differs(const RouterMirror *request, int *differences, Oid child, const char *kind, const char *action)
{
	(*differences)++;
	if (request->found)
		request->found(request->arg, child, kind, action);
}

/* The condition that the CHECK of a child should have; NULL: none, it is the default child. Settings are pinned. */
static char *
home_condition(RouterRoute *route, Oid child)
{
	RouterChildDef *def = router_catalog_child(child);
	RouterBound *bounds[ROUTER_MAX_LEVELS];
	char	   *condition;

	if (def)
		router_stored_bounds(route->config.keys, def, bounds);
	condition = def ? router_child_condition(route, bounds) : "";
	return condition[0] != '\0' ? condition : NULL;
}

/* The CHECK says what the catalog says. Runs as the owner. */
static int
sync_home(const RouterMirror *request, Oid base, Oid child)
{
	RouterRoute *route = router_cache_route(router_cache_entry(base));
	char	   *condition = route ? home_condition(route, child) : NULL;
	const char *word = router_table_word(child);
	char	   *name = router_qualified_name(child);
	bool		loose = !router_loose_wait(base, child, false);
	bool		valid = true;
	Node	   *there = router_home_check(child, &valid);
	int			differences = 0;

	if (condition == NULL ? there == NULL :
		there && (valid || loose) && router_same_condition(child, condition, there))
		return 0;
	differs(request, &differences, child, "check",
			condition == NULL ? "drop constraint \"" ROUTER_CHECK_NAME "\"" :
			there == NULL ? "add constraint \"" ROUTER_CHECK_NAME "\"" :
			!valid ? "validate constraint \"" ROUTER_CHECK_NAME "\"" :
			"replace constraint \"" ROUTER_CHECK_NAME "\"");
	if (request->dry_run)
		return differences;
	if (there)
		router_run("ALTER %s %s DROP CONSTRAINT %s", word, name, ROUTER_CHECK_NAME);
	if (condition)
		router_run("ALTER %s %s ADD CONSTRAINT %s CHECK (%s)%s", word, name, ROUTER_CHECK_NAME, condition,
				   loose ? " NOT VALID" : "");
	if (!valid && !loose)
		router_loose_remove(base, child);
	return differences;
}

/* The catalog's texts of values are those that their types would write. */
static int
sync_bounds(const RouterMirror *request, Oid base, Oid child)
{
	RouterRoute *route = router_cache_route(router_cache_entry(base));
	RouterChildDef *def = router_catalog_child(child);
	int			differences = 0;

	if (route == NULL || def == NULL || router_refresh_bounds(&route->config, def, true))
		return 0;
	differs(request, &differences, child, "bounds", "write the bounds as the CHECK has them");
	if (!request->dry_run)
		(void) router_refresh_bounds(&route->config, def, false);
	return differences;
}

/* The child belongs to whom the base belongs. Runs as the caller. */
static int
sync_owner(const RouterMirror *request, Oid base, Oid child)
{
	Oid			owner = router_relation_owner(base);
	Oid			before = router_relation_owner(child);
	int			differences = 0;

	if (before == owner)
		return 0;
	differs(request, &differences, child, "owner",
			psprintf("set the owner to %s", quote_identifier(GetUserNameFromId(owner, false))));
	if (request->dry_run)
		return differences;
	router_check_owner(child);
	ATExecChangeOwner(child, owner, true, AccessExclusiveLock);
	router_give_statistics(child, before, owner);
	CommandCounterIncrement();
	return differences;
}

/*
 * Compares one child with its base in the aspects of the request, and mends it
 * unless that is a dry run. Returns the number of differences. The base is
 * locked as mirror.c wants it.
 */
int
router_sync_child(const RouterMirror *request, Oid base, Oid child)
{
	MemoryContext work = AllocSetContextCreate(CurrentMemoryContext, "router sync", ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(work);
	RouterConfig *config = router_catalog_route(base);
	RouterAsOwner saved;
	int			differences = 0;

	if (request->aspects & ROUTER_OWNER)
		differences += sync_owner(request, base, child);
	router_become_owner(&saved, router_relation_owner(base), router_is_own_temp(base),
						config ? config->time_zone : NULL);
	differences += router_mirror(request, base, child);
	if (request->aspects & ROUTER_HOME)
		differences += sync_home(request, base, child) + sync_bounds(request, base, child);
	router_become_user(&saved);
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(work);
	return differences;
}

/* The same for all children of a base. */
int
router_sync_children(const RouterMirror *request, Oid base)
{
	int			differences = 0;
	ListCell   *lc;

	foreach(lc, router_children_by_oid(base))
	{
		LockRelationOid(lfirst_oid(lc), AccessShareLock);
		if (SearchSysCacheExists1(RELOID, lfirst_oid(lc)))
			differences += router_sync_child(request, base, lfirst_oid(lc));
	}
	return differences;
}

/* Does something to all children of a base, as its owner. */
void
router_for_children(Oid base, RouterChildAction action, void *arg)
{
	RouterAsOwner saved;
	ListCell   *lc;

	router_become_owner(&saved, router_relation_owner(base), router_is_own_temp(base), NULL);
	foreach(lc, router_children_by_oid(base))
	{
		LockRelationOid(lfirst_oid(lc), AccessShareLock);
		if (SearchSysCacheExists1(RELOID, lfirst_oid(lc)))
			action(base, lfirst_oid(lc), arg);
	}
	router_become_user(&saved);
}

/* --------------------------------------------------------------------- sync */

static void
report_difference(void *arg, Oid child, const char *kind, const char *action)
{
	router_report(arg, "%s: %s", router_qualified_name(child), action);
}

/* router.sync(base, dry_run) */
Datum
router_sync(PG_FUNCTION_ARGS)
{
	RouterReport report;
	RouterMirror request = {.aspects = ROUTER_ALL,.dry_run = true};
	Oid			base;

	router_report_begin(&report, fcinfo, 1, 1);
	base = PG_GETARG_OID(0);
	(void) router_owned_locked(base, AccessShareLock);
	request.arg = &report;
	if (report.dry_run)
		request.found = report_difference;
	if (router_sync_triggers(&request, base) + router_sync_children(&request, base) == 0 || report.dry_run)
		return (Datum) 0;
	LockRelationOid(base, ShareRowExclusiveLock);
	(void) router_owned_route(base);	/* it may have gone while we waited */
	request.dry_run = false;
	request.found = report_difference;
	(void) router_sync_triggers(&request, base);
	(void) router_sync_children(&request, base);
	return (Datum) 0;
}

/* -------------------------------------------------------------- concurrently */

/* What one transaction does, told when it is done: NOTICEs are off while it runs as the owner. */
typedef struct Told
{
	MemoryContext cxt;
	List	   *lines;
} Told;

static void
note_difference(void *arg, Oid child, const char *kind, const char *action)
{
	Told	   *told = arg;
	MemoryContext old = MemoryContextSwitchTo(told->cxt);

	told->lines = lappend(told->lines, psprintf("%s: %s", router_qualified_name(child), action));
	MemoryContextSwitchTo(old);
}

static void
tell(Told *told, bool dry_run)
{
	ListCell   *lc;

	foreach(lc, told->lines)
		ereport(NOTICE, (errmsg("%s%s", dry_run ? "would " : "", (char *) lfirst(lc))));
	list_free_deep(told->lines);
	told->lines = NIL;
}

/* Commits and goes on in a new transaction, as SPI_commit does. */
static void
next_transaction(MemoryContext cxt)
{
	ForgetPortalSnapshots();
	CommitTransactionCommand();
	StartTransactionCommand();
	EnsurePortalSnapshotExists();
	MemoryContextSwitchTo(cxt);
}

/* Does one step; each ends in a new transaction. */
static void
do_index_step(Oid child, Node *step, MemoryContext cxt)
{
	if (IsA(step, DropStmt))
		ereport(NOTICE,
				(errmsg("%s: drop the invalid index \"%s\"", router_qualified_name(child),
						strVal(llast(linitial_node(List, castNode(DropStmt, step)->objects))))));
	else
		ereport(NOTICE,
				(errmsg("%s: create index \"%s\"", router_qualified_name(child), castNode(IndexStmt, step)->idxname)));
	/* these commit in between, with the active snapshot that a utility command has */
	ForgetPortalSnapshots();
	PushActiveSnapshot(GetTransactionSnapshot());
	if (IsA(step, DropStmt))
		RemoveRelations(castNode(DropStmt, step));
	else
		(void) router_define_index(child, castNode(IndexStmt, step), InvalidOid);
	if (ActiveSnapshotSet())
		PopActiveSnapshot();
	CommitTransactionCommand();
	StartTransactionCommand();
	EnsurePortalSnapshotExists();
	MemoryContextSwitchTo(cxt);
}

static bool
is_child_still(Oid base, Oid child)
{
	RouterChildDef *def = router_catalog_child(child);

	return def && def->base == base && get_rel_relkind(child) != '\0';
}

/* Builds the indexes that a child lacks, without keeping writers away; false: none. */
static bool
build_indexes(Oid base, Oid child, MemoryContext cxt)
{
	for (bool built = false;; built = true)
	{
		Node	   *step;

		(void) router_owned_route(base);
		if (!is_child_still(base, child) || get_rel_relkind(child) != RELKIND_RELATION)
			return built;
		router_check_owner(child);
		step = router_next_index_step(base, child);
		if (step == NULL)
			return built;
		do_index_step(child, step, cxt);
	}
}

/* What one call does. */
typedef struct Sync
{
	RouterJob	job;			/* for router.events; SPI is not connected: building indexes commits by itself */
	bool		concurrently;
	uint64		mended;			/* children */
} Sync;

static void
sync_one_child(Sync *sync, Oid child)
{
	Oid			base = sync->job.base;
	MemoryContext cxt = sync->job.cxt;
	bool		dry_run = sync->job.dry_run;
	Told		told = {.cxt = cxt};
	RouterMirror request = {.aspects = ROUTER_ALL,.dry_run = true,.arg = &told};
	int			differences = 0;
	bool		built = false;

	if (dry_run)
		request.found = note_difference;
	else if (sync->concurrently)
		built = build_indexes(base, child, cxt);
	(void) router_owned_locked(base, AccessShareLock);
	LockRelationOid(child, AccessShareLock);
	if (is_child_still(base, child))
		differences = router_sync_child(&request, base, child);
	tell(&told, true);
	next_transaction(cxt);
	sync->mended += built || differences > 0;
	if (differences == 0 || dry_run)
		return;
	router_lock_these(router_lock_add(router_lock_add(NIL, base, ShareUpdateExclusiveLock), child,
									  AccessExclusiveLock));
	(void) router_owned_route(base);
	request.dry_run = false;
	request.found = note_difference;
	if (is_child_still(base, child))
		(void) router_sync_child(&request, base, child);
	tell(&told, false);
	next_transaction(cxt);
}

static ErrorData *
sync_each(Sync *sync, List *children)
{
	ErrorData  *volatile error = NULL;
	ListCell   *lc;

	PG_TRY();
	{
		foreach(lc, children)
			sync_one_child(sync, lfirst_oid(lc));
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(sync->job.cxt);
		error = CopyErrorData();
		FlushErrorState();
	}
	PG_END_TRY();
	return error;
}

static void
note_begin(Sync *sync)
{
	SPI_connect_ext(SPI_OPT_NONATOMIC);
	router_job_open(&sync->job);
	SPI_finish();
	EnsurePortalSnapshotExists();
}

static void
note_end(Sync *sync, const ErrorData *error)
{
	SPI_connect_ext(SPI_OPT_NONATOMIC);
	if (error)
		router_job_rollback();
	router_job_note(&sync->job, sync->mended, error);
	SPI_finish();
	EnsurePortalSnapshotExists();
}

/*
 * CALL router.sync(base, concurrently, dry_run): one transaction a child, with
 * indexes built as CREATE INDEX CONCURRENTLY does; tells what it does by NOTICEs.
 *
 * Errors: active_sql_transaction unless it is called by itself.
 */
Datum
router_sync_concurrently(PG_FUNCTION_ARGS)
{
	MemoryContext cxt = AllocSetContextCreate(CurrentMemoryContext, "router sync", ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(cxt);
	bool		atomic = router_is_atomic(fcinfo) || SPI_inside_nonatomic_context();
	Oid			base;
	Sync		sync = {.job = {.action = "sync",.cxt = cxt}};
	RouterMirror look = {.dry_run = true};
	List	   *children;
	ErrorData  *error;

	sync.concurrently = router_arg_bool(fcinfo, 1);
	sync.job.dry_run = router_arg_bool(fcinfo, 2);
	router_require(fcinfo, 2);
	router_will_write(fcinfo, sync.job.dry_run);
	base = sync.job.base = PG_GETARG_OID(0);
	router_check_exists(base);
	if (atomic)
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("CALL router.sync cannot run inside a transaction block or a function"),
				 errhint("Call it by itself, or use SELECT router.sync(…), which keeps writers away while it builds indexes.")));
	(void) router_owned_locked(base, AccessShareLock);
	if (router_sync_triggers(&look, base) > 0)
		ereport(NOTICE, (errmsg("triggers of \"%s\" are missing or disabled", get_rel_name(base)),
						 errhint("SELECT router.sync(…) repairs them.")));
	children = router_children_by_oid(base);
	next_transaction(cxt);
	note_begin(&sync);
	error = sync_each(&sync, children);
	if (!sync.job.dry_run && !(error && router_is_cancel(error)))
		note_end(&sync, error);
	if (error)
		ReThrowError(error);
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(cxt);
	PG_RETURN_VOID();
}

/* ------------------------------------------------------------ base_constraint */

/* The foreign key that core made a constraint for, one partition of what it refers to; else the constraint itself. */
static Oid
whole_constraint(Oid constraint)
{
	HeapTuple	tup = SearchSysCache1(CONSTROID, ObjectIdGetDatum(constraint));
	Oid			parent = HeapTupleIsValid(tup) ? ((Form_pg_constraint) GETSTRUCT(tup))->conparentid : InvalidOid;

	if (HeapTupleIsValid(tup))
		ReleaseSysCache(tup);
	return OidIsValid(parent) ? whole_constraint(parent) : constraint;
}

/*
 * router.base_constraint(child, name): the name of the base's constraint or
 * index for one of the child's, or for the primary key of a key table; NULL if
 * there is none. Indexes are matched by definition, other constraints have the
 * same name.
 */
Datum
router_base_constraint(PG_FUNCTION_ARGS)
{
	Oid			child = PG_GETARG_OID(0);
	const char *name = NameStr(*PG_GETARG_NAME(1));
	RouterChildDef *def = router_catalog_child(child);
	Oid			base = def ? def->base : router_catalog_global_key_base(child);
	Oid			index,
				constraint,
				found;
	Name		result = palloc(sizeof(NameData));

	if (!OidIsValid(base) || get_rel_name(child) == NULL)
		PG_RETURN_NULL();
	constraint = whole_constraint(get_relation_constraint_oid(child, name, true));
	if (OidIsValid(constraint))
		name = get_constraint_name(constraint);
	index = OidIsValid(constraint) ? get_constraint_index(constraint) :
		get_relname_relid(name, get_rel_namespace(child));
	if (def && !OidIsValid(index) && OidIsValid(constraint) &&
		OidIsValid(get_relation_constraint_oid(base, name, true)))
	{
		namestrcpy(result, name);
		PG_RETURN_NAME(result);
	}
	if (!OidIsValid(index))
		PG_RETURN_NULL();
	found = def ? router_index_counterpart(base, child, index) : router_global_base_index(base, child);
	if (!OidIsValid(found))
		PG_RETURN_NULL();
	namestrcpy(result, get_rel_name(found));
	PG_RETURN_NAME(result);
}
