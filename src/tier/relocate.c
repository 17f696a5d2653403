/*
 * relocate.c
 *		Moves a child to another tablespace, access method or server while it is
 *		read and written: a copy is made beside it, kept up with what is written
 *		meanwhile, compared, and takes the child's place.
 *
 *	1. Copy, with the snapshot S1. AccessShareLock on the child: nobody waits. A
 *	   foreign child that comes back is locked Share, since changes over there
 *	   cannot be told: its writers wait, readers do not.
 *	2. Catch up: rows that S1 and a later snapshot see differently are taken out of
 *	   the copy and put into it, until few are left.
 *	3. Keep in step: lock the child, ShareRowExclusive, so that writers wait; apply the
 *	   last changes; from now on whoever writes to the child writes to the copy
 *	   (keep_in_step.c). Commit: child and copy are the same for every snapshot from here on.
 *	4. Wait, without a lock or a snapshot, until nobody has an older one. Compare count
 *	   and checksum of both by one snapshot.
 *	5. Swap: lock the child, AccessExclusive, drop it, give the copy its name and
 *	   place in the catalog. A mere instant; nothing is left to apply.
 * Whatever fails, the child is as it was, and nobody has seen the copy. A run that
 * was killed leaves one that is kept in step, and the next run drops it.
 *
 * To and from a server there is less to go by: rows over there are the same for all
 * snapshots, and seen by a transaction as of its first look at that server. So they
 * are compared in steps 1 and 3; after step 3 all transactions are waited for; and the
 * swap waits for snapshots once more that are older than the last write to the child.
 *
 * Before and after that everybody is waited for who has planned without knowing of the copy: see the bridge in swap.c.
 *
 * In a transaction block nothing can be committed in between: base and child are locked
 * AccessExclusive from the beginning, and it is an error if somebody has a snapshot
 * older than what was last written to the child.
 *
 * Nobody is waited for on a standby: queries there are cancelled that have an older snapshot
 * when the swap is replayed. The rows that are copied are written as frozen, since no such snapshot will see them.
 *
 * Locking, beyond this: ShareUpdateExclusiveLock on base and bridge for the swap, taken
 * only if free, while the child is locked. An advisory lock of the session, of a class
 * that SQL functions do not use, keeps two runs apart: it outlives a rollback.
 * Memory: what a step allocates lives until its end, a Relocation in job->cxt.
 */
#include "compat.h"
#include "tier/relocate_part.h"

#include "access/relation.h"
#include "access/table.h"
#include "catalog/pg_inherits.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"

#include "base/attempt.h"
#include "route/lock.h"
#include "route/loose.h"
#include "base/name.h"
#include "route/owned.h"
#include "base/owner.h"
#include "base/sql.h"
#include "rows/keep_in_step.h"
#include "route/lock.h"
#include "tier/swap.h"
#include "base/waitpoint.h"

/* how often the locks for the swap are tried */
#define MAX_TRIES 20

/* the part of an error about a table that is not on the server */
#define HINT_NO_DBLINK "Make the table there, empty, with the commands that dry_run tells; or CREATE EXTENSION dblink, and router makes it."

/* ------------------------------------------------------------------- before it */

/*
 * What would be lost or be in the way: the child is dropped in the end, and its copy is made after the base.
 * follower: the trigger function by which the caller's copies follow it.
 */
void
router_check_replaceable(Oid child, Oid base, const char *follower)
{
	char	   *what = router_ask(
		"SELECT string_agg(pg_describe_object(classid, objid, objsubid), ', ') FROM ("
		"  SELECT classid, objid, objsubid FROM pg_depend d"
		"   WHERE (refclassid = 'pg_class'::regclass AND refobjid = %1$u OR refclassid = 'pg_type'::regclass"
		"          AND refobjid IN (SELECT t.oid FROM pg_type t JOIN pg_type r ON t.oid IN (r.oid, r.typarray) WHERE r.typrelid = %1$u))"
		"     AND deptype = 'n' AND NOT EXISTS (SELECT FROM pg_policy WHERE classid = tableoid AND oid = objid AND polrelid = %1$u)"
		"     AND NOT EXISTS (SELECT FROM pg_trigger WHERE classid = tableoid AND oid = objid AND tgrelid = %1$u)"
		"     AND NOT EXISTS (SELECT FROM pg_constraint WHERE classid = tableoid AND oid = objid AND conrelid = %1$u)"
		"     AND NOT EXISTS (SELECT FROM pg_attrdef WHERE classid = tableoid AND oid = objid AND adrelid = %1$u)"
		"     AND NOT (classid = 'pg_class'::regclass AND objid = %1$u)"
		"  UNION SELECT classid, objid, 0 FROM pg_depend JOIN pg_class c ON classid = c.tableoid AND objid = c.oid"
		"   WHERE refclassid = 'pg_class'::regclass AND refobjid = %1$u AND relkind = 'S'"
		"  UNION SELECT tableoid, oid, 0 FROM pg_trigger WHERE tgrelid = %1$u AND NOT tgisinternal"
		"     AND tgfoid <> 'router.%3$s()'::regprocedure"
		"     AND tgname NOT IN (SELECT tgname FROM pg_trigger WHERE tgrelid = %2$u)"
		"  UNION SELECT tableoid, oid, 0 FROM pg_policy WHERE polrelid = %1$u"
		"     AND polname NOT IN (SELECT polname FROM pg_policy WHERE polrelid = %2$u)"
		"  UNION SELECT tableoid, oid, 0 FROM pg_constraint WHERE conrelid = %1$u AND contype = 'f' AND conparentid = 0"
		"     AND conname NOT IN (SELECT conname FROM pg_constraint WHERE conrelid = %2$u AND contype = 'f')"
		"  UNION SELECT tableoid, oid, 0 FROM pg_publication_rel WHERE prrelid = %1$u"
		"     AND prpubid NOT IN (SELECT prpubid FROM pg_publication_rel WHERE prrelid = %2$u)) things",
		child, base, follower);

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
	if (router_ask("SELECT conname FROM pg_constraint WHERE conrelid IN (%u, %u) AND contype = 'f' LIMIT 1", child, base))
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
	const char *where;
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
	router_check_definer(r->child, owner);	/* the copy, which is the base's owner's, gets the child's expressions */
	if (get_rel_persistence(job->base) == RELPERSISTENCE_TEMP)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("children of temporary table \"%s\" stay where they are", get_rel_name(job->base))));
	router_check_location(r->location, owner);
	r->from_server = get_rel_relkind(r->child) == RELKIND_FOREIGN_TABLE;
	r->needed = !router_is_at_location(r->child, r->location);
	if (!r->needed)
		return true;
	if (r->from_server != r->location->local)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("child \"%s\" %s", get_rel_name(r->child), r->from_server ? "is on a server" : "is on no server"),
				 errhint("%s", r->from_server ? "Bring it back first, with local => true." : "Leave local out.")));
	router_become_owner(&saved, owner, false, route->config.time_zone);
	SPI_connect();
	router_check_replaceable(r->child, job->base, "keep_in_step");
	if (r->location->server)
		check_foreign(r->child, job->base, route);
	MemoryContextSwitchTo(job->cxt);
	r->child_name = router_qualified_name(r->child);
	if (r->location->server)
		r->remote = router_remote_for(r->child, r->location->server, r->location->remote_schema);
	else if (r->from_server)
		r->remote = router_remote_of(r->child);
	SPI_finish();
	router_become_user(&saved);
	where = router_location_text(r->location);
	if (job->dry_run)
		ereport(NOTICE,
				(errmsg("would move %s to%s", r->child_name, *where ? where : " this server"),
				 r->location->server ? errdetail("The table over there:\n%s", router_remote_commands(r->remote)) : 0));
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

static bool
build_bridge(RouterJob *job)
{
	router_bridge_build(job->base);
	return true;
}

static bool
remove_bridge(RouterJob *job)
{
	router_bridge_remove(job->base);
	return true;
}

/* -------------------------------------------------------------------- the copy */

/* Locks the child for writers, and finds what they wrote last. */
static bool
lock_writers_out(void *arg)
{
	Relocation *r = arg;
	Snapshot	last;

	LockRelationOid(r->child, ShareRowExclusiveLock);
	if (r->snapshot)
	{
		last = RegisterSnapshot(GetLatestSnapshot());
		router_changes_find(r->changes, r->rel, r->snapshot, last);
		UnregisterSnapshot(last);
	}
	return true;
}

/* Are others in the way? */
static bool
is_busy(const ErrorData *error)
{
	return error->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE || error->sqlerrcode == ERRCODE_T_R_DEADLOCK_DETECTED;
}

/* The error for locks that are not to be had. Not 55P03: the copying would begin again. */
static bool
raise_busy(void *arg)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_IN_USE),
			 errmsg("could not lock child \"%s\" to put its copy in its place", get_rel_name(((Relocation *) arg)->child)),
			 errdetail("It was tried %d times; other transactions use it.", MAX_TRIES),
			 errhint("The child is as it was. Try again, with a longer lock_timeout or when there are no long transactions.")));
	return false;
}

static ErrorData *
give_up(Relocation *r)
{
	MemoryContext old = MemoryContextSwitchTo(r->job.cxt);
	ErrorData  *error = router_attempt(raise_busy, r);

	MemoryContextSwitchTo(old);
	return error;
}

/* From the commit on, the copy has what the child has, for all who write and look from then on. Closes the child. */
static void
step_in(Relocation *r)
{
	ErrorData  *error;

	for (int tries = 1; (error = router_attempt(lock_writers_out, r)) != NULL; tries++)
	{
		if (!is_busy(error))
			ReThrowError(error);
		FreeErrorData(error);
		if (tries >= MAX_TRIES)
			(void) raise_busy(r);
		router_job_pause(tries);
		router_changes_clear(r->changes);
		if (r->snapshot)
			router_copy_catch_up(r);
	}
	router_copy_apply(r);
	if (r->location->server && router_changes_count(r->changes) > 0)
		router_copy_verify_count(r);
	table_close(r->rel, NoLock);
	router_step_begin(r->child, r->copy);
	r->since = GetTopTransactionId();
	r->in_step = true;
}

/* Whose snapshots are older than what was written to the child would see it again, or miss it, in the copy. */
static void
check_old_snapshots(Relocation *r)
{
	VirtualTransactionId *older;
	TransactionId newest = r->from_server ? InvalidTransactionId : router_newest_write(r->rel);

	if (TransactionIdIsValid(newest) &&
		(TransactionIdIsCurrentTransactionId(newest) || router_older_snapshots(newest, &older) > 0))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("child \"%s\" was written to by transactions that others may not see as ended", get_rel_name(r->child)),
				 errhint("CALL router.move_child outside of a transaction block, where it waits for them.")));
	r->since = newest;
}

/* --------------------------------------------------------------------- the swap */

/* The copy takes the place of the child, which is locked. */
static void
swap(Relocation *r)
{
	RouterChildDef *def = router_catalog_child(r->child);
	char	   *name = get_rel_name(r->child);
	Oid			schema = get_rel_namespace(r->child);
	ListCell   *from,
			   *to;

	router_tell_standbys(r->job.base, r->since);
	router_swap_attach(r->job.base, r->bridge, r->copy);
	router_inherit_statistics(r->child, r->copy);
	router_swap_leave(r->child);
	router_run("ALTER TABLE %s RENAME TO %s", r->copy_name, quote_identifier(name));
	forboth(from, r->copy_index_names, to, r->index_names)
		router_run("ALTER INDEX %s RENAME TO %s",
				   quote_qualified_identifier(get_namespace_name(schema), lfirst(from)),
				   quote_identifier(router_private_name(lfirst(to), schema)));
	router_swap_enter(r->job.base, r->copy, def);
}

static void
moved_meanwhile(Relocation *r, const char *why)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("child %s was moved, changed or dropped meanwhile", r->child_name),
			 errdetail("%s", why),
			 errhint("Nothing was done to it. Move it again.")));
}

/* Steps 1 to 3 of the head of this file; in a transaction block all of them. */
static bool
copy_child(RouterJob *job)
{
	Relocation *r = (Relocation *) job;
	int			guc_level = NewGUCNestLevel();

	if (job->atomic)
		LockRelationOid(job->base, AccessExclusiveLock);
	LockRelationOid(r->child, job->atomic ? AccessExclusiveLock : r->from_server ? ShareLock : AccessShareLock);
	if (router_catalog_child(r->child) == NULL || router_is_at_location(r->child, r->location))
		moved_meanwhile(r, "It is no child any more, or where it shall be.");
	router_check_definer(r->child, GetUserId());
	(void) router_see_all_rows();
	SPI_connect();
	/* open, so that what indexes of the copy evaluate cannot drop or alter it */
	r->rel = table_open(r->child, NoLock);
	router_copy_make(r);
	r->in_step = false;
	r->snapshot = r->from_server ? NULL : RegisterSnapshot(GetLatestSnapshot());
	r->changes = router_changes_begin();
	router_copy_fill(r);
	if (r->snapshot && !job->atomic)
		router_copy_catch_up(r);
	if (r->from_server || r->location->server || job->atomic)
		router_copy_verify(r);
	if (job->atomic)
	{
		check_old_snapshots(r);
		table_close(r->rel, NoLock);
	}
	else
	{
		step_in(r);
		r->shape = MemoryContextStrdup(job->cxt, router_copy_shape(r->child));
	}
	router_changes_end(r->changes);
	if (r->snapshot)
		UnregisterSnapshot(r->snapshot);
	r->snapshot = NULL;
	if (job->atomic)
		swap(r);
	SPI_finish();
	AtEOXact_GUC(false, guc_level);
	return true;
}

/* Is it still the child that was copied, and the copy in step with it? The child is locked. */
static void
check_in_step(Relocation *r)
{
	Relation	rel = try_relation_open(r->child, NoLock);
	bool		in_step = rel && router_step_copy(rel) == r->copy;

	if (rel)
		relation_close(rel, NoLock);
	if (!in_step || router_catalog_child(r->child) == NULL)
		moved_meanwhile(r, "It is no child any more, or has other rows, or its copy was dropped.");
	if (strcmp(router_copy_shape(r->child), r->shape) != 0)
		moved_meanwhile(r, "It has other columns or CHECKs, another owner or schema, or its triggers were disabled.");
	r->child_name = MemoryContextStrdup(r->job.cxt, router_qualified_name(r->child));
}

/* Step 4, after the wait. What is on a server was compared before: no snapshot of ours tells what it has. */
static bool
verify(RouterJob *job)
{
	Relocation *r = (Relocation *) job;

	LockRelationOid(r->child, AccessShareLock);
	(void) router_see_all_rows();
	SPI_connect();
	check_in_step(r);
	r->snapshot = RegisterSnapshot(GetLatestSnapshot());
	router_copy_verify(r);
	UnregisterSnapshot(r->snapshot);
	r->snapshot = NULL;
	SPI_finish();
	return true;
}

/*
 * Rows on a server are the same for every snapshot. So nobody may have one that is older than
 * what was last written to the child.
 */
static bool
is_old_enough(Relocation *r)
{
	VirtualTransactionId *older;
	Relation	rel = table_open(r->child, NoLock);
	TransactionId newest = router_newest_write(rel);

	table_close(rel, NoLock);
	if (!TransactionIdIsValid(newest) || router_older_snapshots(newest, &older) == 0)
		return true;
	r->since = newest;
	return false;
}

/* While the child is locked nothing else is waited for: its holders may be waiting for somebody who wants the child. */
static void
lock_for_swap(Relocation *r)
{
	LockRelationOid(r->child, AccessExclusiveLock);
	if (!ConditionalLockRelationOid(r->job.base, ShareUpdateExclusiveLock) ||
		!ConditionalLockRelationOid(r->bridge, ShareUpdateExclusiveLock))
		ereport(ERROR,
				(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
				 errmsg("could not obtain lock on relation \"%s\"", get_rel_name(r->job.base))));
}

/* Step 5. */
static bool
put_in_place(RouterJob *job)
{
	Relocation *r = (Relocation *) job;

	r->waiting = false;
	if (r->location->server)
	{
		LockRelationOid(r->child, ShareLock);
		r->waiting = !is_old_enough(r);
		if (r->waiting)
			return false;
	}
	lock_for_swap(r);
	(void) router_see_all_rows();
	SPI_connect();
	check_in_step(r);
	if (r->from_server && !router_has_truncate_triggers(RELKIND_FOREIGN_TABLE))
		router_copy_verify_count(r);
	swap(r);
	SPI_finish();
	return true;
}

static bool
drop_remote(RouterJob *job)
{
	Relocation *r = (Relocation *) job;

	router_remote_drop(r->remote);
	return true;
}

/* ----------------------------------------------------------------------- a run */

/* Takes the triggers off a child whose copy comes to nothing. */
static bool
step_out(RouterJob *job)
{
	Relocation *r = (Relocation *) job;

	LockRelationOid(r->child, AccessExclusiveLock);
	if (get_rel_name(r->child))
		router_step_end(r->child);
	return true;
}

/* A table over there that router did not make has to be empty for the next try. */
static bool
empty_remote(RouterJob *job)
{
	Relocation *r = (Relocation *) job;

	router_run("TRUNCATE ONLY %s", router_qualified_name(r->copy));
	return true;
}

static bool
drop_copy(RouterJob *job)
{
	Relocation *r = (Relocation *) job;

	router_drop_marked(r->copy, r->child);
	return true;
}

/* Takes away a copy that is committed and will not be the child. */
static ErrorData *
discard_copy(Relocation *r)
{
	ErrorData  *error;

	if (get_rel_name(r->job.base) == NULL)
		return NULL;			/* DROP TABLE has taken the copy along */
	error = router_job_insist(&r->job, step_out, true);
	if (error || get_rel_name(r->copy) == NULL)
		return error;
	if (get_rel_relkind(r->copy) == RELKIND_FOREIGN_TABLE)
		(void) router_job_insist(&r->job, empty_remote, true);
	return router_job_insist(&r->job, drop_copy, true);
}

/*
 * Whoever is in a transaction may have one over there already, in which the rows are not. Of two that wait for all
 * others none would ever be first, if they did not end their transactions in between.
 */
static void
wait_for_all(Relocation *r)
{
	VirtualTransactionId *others;
	int			n = router_older_snapshots(InvalidTransactionId, &others);

	for (int i = 0; i < n; i++)
		for (int tries = 1; !VirtualXactLock(others[i], false); tries++)
		{
			SPI_commit();
			MemoryContextSwitchTo(r->job.cxt);
			router_job_pause(tries);
		}
}

/* No lock and no snapshot is held. */
static void
wait_for_snapshots(Relocation *r)
{
	PushActiveSnapshot(GetTransactionSnapshot());
	router_job_progress(&r->job, "wait for older snapshots", r->child, 0, 0);
	PopActiveSnapshot();
	SPI_commit();
	MemoryContextSwitchTo(r->job.cxt);
	if (r->location->server && !r->waiting)
		wait_for_all(r);
	router_job_wait(r->since);
	SPI_commit();
	MemoryContextSwitchTo(r->job.cxt);
}

/* Steps 4 and 5: the copy is committed and in step. */
static bool
finish_copy(void *arg)
{
	Relocation *r = arg;
	ErrorData  *error = NULL;

	r->waiting = false;
	for (int tries = 1;; tries++)
	{
		wait_for_snapshots(r);
		if (!r->waiting && !r->location->server && !r->from_server)
			error = router_job_insist(&r->job, verify, true);
		ROUTER_WAITPOINT("move_child_swap");
		if (error == NULL)
			error = router_job_insist(&r->job, put_in_place, true);
		if (error || !r->waiting || tries >= MAX_TRIES)
			break;
		router_job_pause(tries);
	}
	r->error = (error ? is_busy(error) : r->waiting) ? give_up(r) : error;
	return true;
}

/* The same; whatever comes in between, a cancel most likely, no copy is left. NULL: it went well. */
static ErrorData *
finish_or_discard(Relocation *r)
{
	ErrorData  *thrown = router_attempt_transactions(finish_copy, r);
	ErrorData  *left = thrown || r->error ? discard_copy(r) : NULL;

	if (left)
		ereport(WARNING,
				(errcode(left->sqlerrcode),
				 errmsg("could not drop the copy of child %u: %s", r->child, left->message),
				 errhint("It costs its writers time. The next move of a child of that base drops it.")));
	if (thrown)
		ReThrowError(thrown);
	return r->error;
}

/* Copies one child and swaps it; the bridge is there. NULL: it went well. */
static ErrorData *
relocate(Relocation *r)
{
	ErrorData  *error = NULL;

	if (r->location->server)
		error = router_job_insist(&r->job, create_remote, true);
	/* dblink wants a password of those who are no superusers, which postgres_fdw may do without */
	if (error && error->sqlerrcode == ERRCODE_S_R_E_PROHIBITED_SQL_STATEMENT_ATTEMPTED)
		error = NULL;
	if (error == NULL)
		error = router_job_insist(&r->job, copy_child, true);
	if (error && error->sqlerrcode == ERRCODE_UNDEFINED_TABLE && r->location->server &&
		router_remote_is_given(r->remote))
		error->hint = MemoryContextStrdup(r->job.cxt, HINT_NO_DBLINK);
	if (error == NULL && !r->job.atomic)
		error = finish_or_discard(r);
	if (error == NULL && r->from_server)
	{
		/* the child is back; what cannot be cleared away is no reason to say that it is not */
		ErrorData  *left = router_job_insist(&r->job, drop_remote, true);

		if (left)
			router_remote_warn(r->remote, left);
	}
	return error;
}

/* Finding the copies that interrupted runs left, of the children of a base or of tables that are gone. */
typedef struct Search
{
	RouterJob	job;
	List	   *leftovers;		/* of Relocation: those of which there is but a child and a copy */
} Search;

static bool
find_leftovers(RouterJob *job)
{
	Search	   *search = (Search *) job;
	List	   *children = find_inheritance_children(job->base, NoLock);
	int			guc_level = router_spi_begin();

	search->leftovers = NIL;
	if (SPI_execute("SELECT oid, relrewrite, pg_has_role(relowner, 'USAGE') FROM pg_class"
					" WHERE relrewrite <> 0 AND starts_with(relname, 'router_copy_')", true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not look for copies");
	MemoryContextSwitchTo(job->cxt);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		Relocation *left = palloc0(sizeof(Relocation));
		HeapTuple	row = SPI_tuptable->vals[i];
		bool		isnull;

		left->job = *job;
		left->copy = DatumGetObjectId(SPI_getbinval(row, SPI_tuptable->tupdesc, 1, &isnull));
		left->child = DatumGetObjectId(SPI_getbinval(row, SPI_tuptable->tupdesc, 2, &isnull));
		if (list_member_oid(children, left->child) ||
			(DatumGetBool(SPI_getbinval(row, SPI_tuptable->tupdesc, 3, &isnull)) && get_rel_name(left->child) == NULL))
			search->leftovers = lappend(search->leftovers, left);
	}
	router_spi_end(guc_level);
	return true;
}

static ErrorData *
discard_leftovers(const RouterJob *job)
{
	Search		search = {.job = *job};
	ErrorData  *error = router_job_insist(&search.job, find_leftovers, true);
	ListCell   *lc;

	foreach(lc, search.leftovers)
		if (error == NULL)
			error = discard_copy(lfirst(lc));
	return error;
}

/* The moves that are to be made: of Relocation. *error: the first thing that is wrong. */
static List *
prepare_all(const RouterJob *job, List *moves, ErrorData **error)
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
		r->location = &move->location;
		wrong = router_job_insist(&r->job, prepare, false);
		if (wrong && *error == NULL)
			*error = wrong;
		if (wrong == NULL && r->needed && !job->dry_run)
			relocations = lappend(relocations, r);
	}
	return relocations;
}

/* Once nobody may look past it. Does nothing if there is none. */
static ErrorData *
take_bridge_away(RouterJob *job)
{
	if (!OidIsValid(router_bridge(job->base)))
		return NULL;
	router_wait_for_planners(job->base);
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
		if (error == NULL)
			error = discard_leftovers(job);
		if (error == NULL && relocations != NIL)
			error = router_job_insist(job, build_bridge, true);
		if (error || relocations == NIL)
			return error;
		bridge = router_bridge(job->base);
		router_wait_for_planners(job->base);
	}
	foreach(lc, relocations)
	{
		Relocation *r = lfirst(lc);

		if (lc != list_head(relocations) && router_job_is_late(job))
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
router_relocate(const RouterJob *job, List *moves)
{
	RouterJob	run = *job;
	ErrorData  *error = NULL;
	List	   *relocations = prepare_all(job, moves, &error);
	uint64		rows = 0;

	if (job->dry_run || (relocations == NIL && error == NULL && !OidIsValid(router_bridge(job->base))))
		return error;
	if (!router_job_begin_run(job->base))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("another session is moving children of \"%s\"", get_rel_name(job->base)),
				 errhint("Wait for it.")));
	router_job_open(&run);
	PG_TRY();
	{
		ErrorData  *wrong = relocate_all(&run, relocations, &rows);

		if (error == NULL)
			error = wrong;
	}
	PG_FINALLY();
	{
		router_job_end_run(job->base);
	}
	PG_END_TRY();
	router_job_note(&run, rows, error);
	return error;
}
