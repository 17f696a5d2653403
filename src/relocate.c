/*
 * relocate.c
 *		Moves a child to another tablespace, access method or server while it is
 *		read and written: a copy is made beside it, kept up with what is written
 *		meanwhile, compared, and takes the child's place.
 *
 * One transaction does it, from copy to swap; the rows on a server are
 * committed with it, an instant earlier. Whatever fails or crashes, the child is
 * as it was, and nobody has seen the copy.
 *	1. Copy, with the snapshot S1. AccessShareLock on the child: nobody waits. A
 *	   foreign child that comes back is locked Share, since changes over there
 *	   cannot be told: its writers wait, readers do not.
 *	2. Catch up: rows that S1 and a later snapshot see differently are deleted
 *	   from the copy, by primary key, and inserted, until few are left.
 *	3. Compare count and checksum of the child, by the last snapshot, and the copy.
 *	4. Lock the child, Share: writers wait. Find what changed since. Then
 *	   AccessExclusive. Each of them is waited for lock_timeout at a time, and
 *	   given back in between.
 *	5. Apply these last changes, drop the child, give the copy its name and
 *	   place in the catalog. A mere instant.
 *
 * The bridge. A query looks for the children of a base, then locks each; one
 * that was dropped meanwhile it passes over, and would miss the rows that are in
 * the copy now. So before all that an empty child is made, the bridge,
 * committed, and everybody waited for who does not know of it (who holds a lock
 * on the base). The copy becomes a child of the base and of the bridge: who
 * looked too early finds it there. In the end all are waited for again, and the
 * bridge goes. In a transaction block, where none of this can be committed, the
 * base is locked AccessExclusive instead.
 *
 * Old snapshots: the copy's rows are written as frozen, or are on a server. A
 * transaction whose snapshot is older than the swap sees them as of the swap.
 *
 * Locking, beyond this: ShareUpdateExclusiveLock on base and bridge for the swap, taken
 * only if free, while the child is locked. An advisory lock of the session, of a class
 * that SQL functions do not use, keeps two runs apart: it outlives a rollback.
 * Memory: what a step allocates lives until its end, a Relocation in job->cxt.
 */
#include "compat.h"
#include "relocate_part.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/heap.h"
#include "catalog/indexing.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_inherits.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "keep.h"
#include "mirror.h"
#include "route.h"

/* tells the lock of a run from advisory locks of users, which have 1 and 2 there */
#define RUN_LOCK 3

/* how often the locks for the swap are tried */
#define MAX_TRIES 20

/* the part of an error about a table that is not on the server */
#define HINT_NO_DBLINK "Make the table there, empty, with the commands that dry_run tells; or CREATE EXTENSION dblink, and router makes it."

/* ------------------------------------------------------------------- before it */

/* What would be lost or be in the way: the child is dropped in the end, and its copy is made after the base. */
static void
check_dependents(Oid child, Oid base)
{
	char	   *what = router_ask(psprintf(
		"SELECT string_agg(pg_describe_object(classid, objid, objsubid), ', ') FROM ("
		"  SELECT classid, objid, objsubid FROM pg_depend d"
		"   WHERE (refclassid = 'pg_class'::regclass AND refobjid = $1 OR refclassid = 'pg_type'::regclass"
		"          AND refobjid IN (SELECT t.oid FROM pg_type t JOIN pg_type r ON t.oid IN (r.oid, r.typarray) WHERE r.typrelid = $1))"
		"     AND deptype = 'n' AND NOT EXISTS (SELECT FROM pg_policy WHERE classid = tableoid AND oid = objid AND polrelid = $1)"
		"     AND NOT EXISTS (SELECT FROM pg_trigger WHERE classid = tableoid AND oid = objid AND tgrelid = $1)"
		"     AND NOT EXISTS (SELECT FROM pg_constraint WHERE classid = tableoid AND oid = objid AND conrelid = $1)"
		"     AND NOT EXISTS (SELECT FROM pg_attrdef WHERE classid = tableoid AND oid = objid AND adrelid = $1)"
		"     AND NOT (classid = 'pg_class'::regclass AND objid = $1)"
		"  UNION SELECT classid, objid, 0 FROM pg_depend JOIN pg_class c ON classid = c.tableoid AND objid = c.oid"
		"   WHERE refclassid = 'pg_class'::regclass AND refobjid = $1 AND relkind = 'S'"
		"  UNION SELECT tableoid, oid, 0 FROM pg_trigger WHERE tgrelid = $1 AND NOT tgisinternal"
		"     AND tgname NOT IN (SELECT tgname FROM pg_trigger WHERE tgrelid = %u)"
		"  UNION SELECT tableoid, oid, 0 FROM pg_policy WHERE polrelid = $1"
		"     AND polname NOT IN (SELECT polname FROM pg_policy WHERE polrelid = %u)"
		"  UNION SELECT tableoid, oid, 0 FROM pg_constraint WHERE conrelid = $1 AND contype = 'f' AND conparentid = 0"
		"     AND conname NOT IN (SELECT conname FROM pg_constraint WHERE conrelid = %u AND contype = 'f')"
		"  UNION SELECT tableoid, oid, 0 FROM pg_publication_rel WHERE prrelid = $1"
		"     AND prpubid NOT IN (SELECT prpubid FROM pg_publication_rel WHERE prrelid = %u)) things",
		base, base, base, base), child);

	if (what)
		ereport(ERROR,
				(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
				 errmsg("child \"%s\" cannot be replaced by a copy", get_rel_name(child)),
				 errdetail("Things that its base does not have refer to it or belong to it: %s.", what),
				 errhint("Drop them, or move the child with ALTER TABLE, which keeps readers away meanwhile.")));
}

/* What a foreign child cannot have, and a route must not lose unasked. */
static void
check_foreign(Oid child, Oid base, RouterRoute *route)
{
	if (route->default_child == child)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("the default child of \"%s\" cannot go to a server", get_rel_name(base)),
				 errhint("Rows of a foreign table cannot be taken out of it again when they get a child of their own.")));
	if (router_ask(psprintf("SELECT conname FROM pg_constraint WHERE conrelid IN ($1, %u) AND contype = 'f' LIMIT 1", base),
				   child))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("child \"%s\" has foreign keys, which a foreign table cannot have", get_rel_name(child)),
				 errdetail("Nothing would check its rows, and no referential action would reach them."),
				 errhint("Drop the foreign keys of \"%s\", or move the child to another tablespace.", get_rel_name(base))));
}

/* Looks at everything that can be wrong, as the caller, and tells of a dry run. */
static bool
prepare(RouterJob *job)
{
	Relocation *r = (Relocation *) job;
	RouterChildDef *def = router_catalog_child(r->child);
	RouterAsOwner saved;
	RouterRoute *route;
	Oid			owner;

	if (def == NULL || def->base != job->base)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("relation %u is not a child of a routed table", r->child),
				 errhint("See router.children.")));
	route = router_cache_route(router_owned_route(job->base));
	owner = router_relation_owner(job->base);
	if (!router_owns_relation(r->child, owner))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("owner of routed table \"%s\" does not own its child \"%s\"", get_rel_name(job->base),
						get_rel_name(r->child)),
				 errhint("SELECT router.sync(…) sets the owner.")));
	if (get_rel_persistence(job->base) == RELPERSISTENCE_TEMP)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("children of temporary table \"%s\" stay where they are", get_rel_name(job->base))));
	router_check_place(r->place, owner);
	r->from_server = get_rel_relkind(r->child) == RELKIND_FOREIGN_TABLE;
	r->needed = !router_is_in_place(r->child, r->place);
	if (!r->needed)
		return true;
	if (r->from_server != r->place->local)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("child \"%s\" %s", get_rel_name(r->child), r->from_server ? "is on a server" : "is on no server"),
				 errhint("%s", r->from_server ? "Bring it back first, with local => true." : "Leave local out.")));
	router_become_owner(&saved, owner, false, route->config.time_zone);
	SPI_connect();
	check_dependents(r->child, job->base);
	if (r->place->server)
		check_foreign(r->child, job->base, route);
	MemoryContextSwitchTo(job->cxt);
	r->child_name = router_qualified_name(r->child);
	if (r->place->server)
		r->remote = router_remote_for(r->child, r->place->server, r->place->remote_schema);
	else if (r->from_server)
		r->remote = router_remote_of(r->child);
	SPI_finish();
	router_become_user(&saved);
	if (r->dry_run)
		ereport(NOTICE,
				(errmsg("would move %s to %s", r->child_name,
						r->place->server ? psprintf("server %s", quote_identifier(r->place->server)) :
						r->place->tablespace ? psprintf("tablespace %s", quote_identifier(r->place->tablespace)) :
						r->place->access_method ? psprintf("access method %s", quote_identifier(r->place->access_method)) :
						"this server"),
				 r->place->server ? errdetail("The table over there:\n%s", r->remote->create) : 0));
	return true;
}

static bool
create_remote(RouterJob *job)
{
	Relocation *r = (Relocation *) job;

	MemoryContextSwitchTo(job->cxt);
	router_remote_create(r->remote);
	return true;
}

/* ------------------------------------------------------------------ the bridge */

static char *
bridge_name(Oid base)
{
	return psprintf("router_bridge_%u", base);
}

/* The bridge of a base, or InvalidOid. */
static Oid
find_bridge(Oid base)
{
	Oid			relid = get_relname_relid(bridge_name(base), get_rel_namespace(base));

	return OidIsValid(relid) && list_member_oid(find_inheritance_children(base, NoLock), relid) ? relid : InvalidOid;
}

/* Makes the bridge: no row gets into it, and plans leave it out. */
static bool
build_bridge(RouterJob *job)
{
	LockRelationOid(job->base, ShareUpdateExclusiveLock);
	router_run("CREATE TABLE %s (CHECK (false) NO INHERIT) INHERITS (%s)",
								quote_qualified_identifier(get_namespace_name(get_rel_namespace(job->base)),
														   bridge_name(job->base)),
								router_qualified_name(job->base));
	return true;
}

/* Takes the bridge away. Everybody has been waited for who may not know what it leads to. */
static bool
remove_bridge(RouterJob *job)
{
	Oid			bridge = find_bridge(job->base);
	char	   *name;
	ListCell   *lc;

	if (!OidIsValid(bridge))
		return true;
	LockRelationOid(bridge, AccessExclusiveLock);
	name = router_qualified_name(bridge);
	foreach(lc, find_inheritance_children(bridge, AccessExclusiveLock))
		router_run("ALTER TABLE %s NO INHERIT %s", router_qualified_name(lfirst_oid(lc)), name);
	router_run("DROP TABLE %s", name);
	return true;
}

/* Waits for all who have planned with the children that there were. */
static void
wait_for_planners(Oid base)
{
	LOCKTAG		tag;

	SET_LOCKTAG_RELATION(tag, MyDatabaseId, base);
	WaitForLockers(tag, AccessExclusiveLock, false);
}

/* --------------------------------------------------------------------- the swap */

/*
 * Locks what the swap needs and finds the last changes, in a subtransaction.
 * False: not to be had now, and given back. While the child is locked nothing
 * else is waited for: its holders may be waiting for somebody who wants the child.
 */
static bool
lock_for_swap(Relocation *r, Changes *changes)
{
	MemoryContext caller = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	volatile bool locked = false;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(caller);
	PG_TRY();
	{
		if (r->snapshot)
		{
			Snapshot	last;

			LockRelationOid(r->child, ShareLock);
			last = RegisterSnapshot(GetLatestSnapshot());
			router_find_changes(r, last, changes);
			UnregisterSnapshot(last);
		}
		LockRelationOid(r->child, AccessExclusiveLock);
		locked = ConditionalLockRelationOid(r->job.base, ShareUpdateExclusiveLock) &&
			ConditionalLockRelationOid(r->bridge, ShareUpdateExclusiveLock);
		if (locked)
			ReleaseCurrentSubTransaction();
		else
			RollbackAndReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(caller);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		CurrentResourceOwner = owner;
		if (error->sqlerrcode != ERRCODE_LOCK_NOT_AVAILABLE && error->sqlerrcode != ERRCODE_T_R_DEADLOCK_DETECTED)
			ReThrowError(error);
		FreeErrorData(error);
		locked = false;
	}
	PG_END_TRY();
	MemoryContextSwitchTo(caller);
	CurrentResourceOwner = owner;
	if (!locked)
		router_clear_changes(changes);
	return locked;
}

static void
insist_on_locks(Relocation *r, Changes *changes)
{
	for (int tries = 1; !lock_for_swap(r, changes); tries++)
	{
		/* not 55P03: the copying would begin again */
		if (tries >= MAX_TRIES)
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_IN_USE),
					 errmsg("could not lock child \"%s\" to put its copy in its place", get_rel_name(r->child)),
					 errdetail("It was tried %d times; other transactions use it.", MAX_TRIES),
					 errhint("The child is as it was. Try again, with a longer lock_timeout or when there are no long transactions.")));
		router_job_pause(tries);
		if (r->snapshot)
			router_catch_up(r, changes);
	}
	router_apply_changes(r, changes);
	if (changes->ncome + changes->ngone > 0)
		router_verify_count(r);
}

/*
 * What the planner knows of the child it knows of the copy; nobody analyzes a foreign table unasked.
 * Columns have other numbers where the child has dropped ones: then it has to be found out anew.
 */
static void
inherit_statistics(Oid child, Oid copy)
{
	Relation	classes = table_open(RelationRelationId, RowExclusiveLock);
	HeapTuple	from = SearchSysCache1(RELOID, ObjectIdGetDatum(child));
	HeapTuple	to = SearchSysCacheCopy1(RELOID, ObjectIdGetDatum(copy));
	Form_pg_class old = (Form_pg_class) GETSTRUCT(from);
	Form_pg_class new = (Form_pg_class) GETSTRUCT(to);

	if (old->reltuples >= 0)
	{
		new->reltuples = old->reltuples;
		new->relpages = old->relpages;
		CatalogTupleUpdate(classes, &to->t_self, to);
	}
	if (old->relnatts == new->relnatts)
		CopyStatistics(child, copy);
	ReleaseSysCache(from);
	heap_freetuple(to);
	table_close(classes, NoLock);
	CommandCounterIncrement();
}

/* The copy takes the place of the child, which is locked. */
static void
swap(Relocation *r)
{
	RouterChildDef *def = router_catalog_child(r->child);
	RouterMirror everything = {.aspects = ROUTER_EVERYTHING};
	char	   *name = get_rel_name(r->child);
	char	   *schema = get_namespace_name(get_rel_namespace(r->child));
	int			n = 0;
	ListCell   *lc;

	router_run("ALTER TABLE %s INHERIT %s", r->copy_name, router_qualified_name(r->job.base));
	if (OidIsValid(r->bridge))
		router_run("ALTER TABLE %s INHERIT %s", r->copy_name, router_qualified_name(r->bridge));
	inherit_statistics(r->child, r->copy);
	router_keys_strip(r->child);
	router_catalog_remove_child(r->child);
	router_run("DROP %sTABLE %s", r->from_server ? "FOREIGN " : "", r->child_name);
	router_run("ALTER TABLE %s RENAME TO %s", r->copy_name, quote_identifier(name));
	foreach(lc, r->index_names)
		router_run("ALTER INDEX %s RENAME TO %s",
									quote_qualified_identifier(schema, router_copy_index_name(r, ++n)),
									quote_identifier(lfirst(lc)));
	router_catalog_add_child(r->copy, r->job.base, def->bounds, def->nbounds);
	(void) router_mirror(&everything, r->job.base, r->copy);
	router_keys_equip(r->job.base, r->copy);
}

/* Steps 1 to 5 of the head of this file. */
static bool
copy_and_swap(RouterJob *job)
{
	Relocation *r = (Relocation *) job;
	int			guc_level = NewGUCNestLevel();
	Changes		changes;

	if (job->atomic)
		LockRelationOid(job->base, AccessExclusiveLock);
	LockRelationOid(r->child, job->atomic ? AccessExclusiveLock : r->from_server ? ShareLock : AccessShareLock);
	if (router_catalog_child(r->child) == NULL || router_is_in_place(r->child, r->place))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("child %u was moved or dropped meanwhile", r->child)));
	SPI_connect();
	router_make_copy(r);
	r->index_names = NIL;
	r->snapshot = r->from_server ? NULL : RegisterSnapshot(GetLatestSnapshot());
	router_init_changes(&changes);
	router_fill_copy(r);
	if (r->snapshot && !job->atomic)
		router_catch_up(r, &changes);
	router_verify_copy(r);
	if (!job->atomic)
		insist_on_locks(r, &changes);
	router_end_changes(&changes);
	if (r->snapshot)
		UnregisterSnapshot(r->snapshot);
	swap(r);
	SPI_finish();
	AtEOXact_GUC(false, guc_level);
	return true;
}

static bool
drop_remote(RouterJob *job)
{
	Relocation *r = (Relocation *) job;

	if (!router_remote_drop(r->remote))
		ereport(WARNING,
				(errmsg("table %s on server \"%s\" is still there", quote_qualified_identifier(r->remote->schema, r->remote->table),
						r->remote->server),
				 errhint("Drop it there; its rows are here again.")));
	return true;
}

/* ----------------------------------------------------------------------- a run */

/* Copies one child and swaps it; the bridge is there. NULL: it went well. */
static ErrorData *
relocate(Relocation *r)
{
	ErrorData  *error = NULL;

	if (r->place->server)
		error = router_job_insist(&r->job, create_remote, true);
	/* dblink wants a password of those who are no superusers, which postgres_fdw may do without */
	if (error && error->sqlerrcode == ERRCODE_S_R_E_PROHIBITED_SQL_STATEMENT_ATTEMPTED)
		error = NULL;
	if (error == NULL)
		error = router_job_insist(&r->job, copy_and_swap, true);
	if (error && error->sqlerrcode == ERRCODE_UNDEFINED_TABLE && r->place->server && !r->remote->made)
		error->hint = MemoryContextStrdup(r->job.cxt, HINT_NO_DBLINK);
	if (error == NULL && r->from_server)
	{
		/* the child is back; what cannot be cleared away is no reason to say that it is not */
		ErrorData  *left = router_job_insist(&r->job, drop_remote, true);

		if (left)
			ereport(WARNING,
					(errcode(left->sqlerrcode),
					 errmsg("could not drop table %s on server \"%s\": %s",
							quote_qualified_identifier(r->remote->schema, r->remote->table), r->remote->server,
							left->message)));
	}
	return error;
}

/* The moves that are to be made: of Relocation. *error: the first thing that is wrong. */
static List *
prepare_all(const RouterJob *job, List *moves, bool dry_run, ErrorData **error)
{
	List	   *relocations = NIL;
	ListCell   *lc;

	foreach(lc, moves)
	{
		RouterMove *move = lfirst(lc);
		Relocation *r = MemoryContextAllocZero(job->cxt, sizeof(Relocation));
		ErrorData  *wrong;

		r->job = *job;
		r->child = move->child;
		r->place = &move->place;
		r->dry_run = dry_run;
		wrong = router_job_insist(&r->job, prepare, false);
		if (wrong && *error == NULL)
			*error = wrong;
		if (wrong == NULL && r->needed && !dry_run)
			relocations = lappend(relocations, r);
	}
	return relocations;
}

/* Once nobody may look past it. Does nothing if there is none. */
static ErrorData *
take_bridge_away(RouterJob *job)
{
	if (!OidIsValid(find_bridge(job->base)))
		return NULL;
	wait_for_planners(job->base);
	return router_job_insist(job, remove_bridge, true);
}

/* Makes the moves between the making of a bridge and its end. */
static ErrorData *
relocate_all(RouterJob *job, List *relocations, uint64 *rows)
{
	ErrorData  *error = NULL;
	ErrorData  *wrong;
	Oid			bridge = InvalidOid;
	ListCell   *lc;

	if (!job->atomic)
	{
		/* one that an interrupted run left may lead to what not all know */
		error = take_bridge_away(job);
		if (error == NULL && relocations != NIL)
			error = router_job_insist(job, build_bridge, true);
		if (error || relocations == NIL)
			return error;
		bridge = find_bridge(job->base);
		wait_for_planners(job->base);
	}
	foreach(lc, relocations)
	{
		Relocation *r = lfirst(lc);

		if (lc != list_head(relocations) && GetCurrentTimestamp() >= job->deadline)
			break;
		r->bridge = bridge;
		wrong = relocate(r);
		if (wrong == NULL)
		{
			*rows += r->rows;
			ereport(NOTICE,
					(errmsg("moved child %s, " UINT64_FORMAT " rows", r->child_name, r->rows)));
		}
		else if (error == NULL)
			error = wrong;
	}
	wrong = job->atomic ? NULL : take_bridge_away(job);
	return error ? error : wrong;
}

/*
 * Moves children of job->base; moves: of RouterMove, in job->cxt. What is in its
 * place is left alone. One that fails does not stop the others. NULL: all went
 * well, as far as the deadline allows; else the first error. It is in
 * router.events already, unless there was nothing to do.
 */
ErrorData *
router_relocate(const RouterJob *job, List *moves, bool dry_run)
{
	RouterJob	run = *job;
	ErrorData  *error = NULL;
	List	   *relocations = prepare_all(job, moves, dry_run, &error);
	uint64		rows = 0;
	LOCKTAG		tag;

	if (dry_run || (relocations == NIL && error == NULL && !OidIsValid(find_bridge(job->base))))
		return error;
	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, RelationRelationId, job->base, RUN_LOCK);
	if (LockAcquire(&tag, ExclusiveLock, true, true) == LOCKACQUIRE_NOT_AVAIL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("another session is moving children of \"%s\"", get_rel_name(job->base)),
				 errhint("Wait for it.")));
	PG_TRY();
	{
		ErrorData  *wrong = relocate_all(&run, relocations, &rows);

		if (error == NULL)
			error = wrong;
	}
	PG_FINALLY();
	{
		(void) LockRelease(&tag, ExclusiveLock, true);
	}
	PG_END_TRY();
	router_job_note(&run, rows, error);
	return error;
}
