/*
 * lock_all.c
 *		Locks on several tables at once, whose holders may want each other's, and
 *		nobody knows for how long.
 *
 * Writers take locks as their rows come: one that holds a child may want any other, or
 * the creation lock (route/lock.c). So whoever wants several
 * (router_lock_all) waits for one with none of the others in hand, keeps it, and
 * takes the others if they are free or become so within its patience; else it
 * gives all back and waits for the one that was busy. Nobody can be in a
 * deadlock with that. Patience grows, and who waits for the base first finds the
 * children free, as a rule, when it gets it: so it comes to an end under any
 * number of writers. It ends by the caller's lock_timeout for all together.
 */
#include "compat.h"
#include "base/lock_all.h"

#include "catalog/pg_authid.h"
#include "pgstat.h"
#include "storage/lmgr.h"
#include "storage/proc.h"
#include "utils/lsyscache.h"
#include "utils/resowner.h"
#include "utils/syscache.h"

#include "base/attempt.h"

/* how long a lock is waited for with others in hand: at first, and at most */
#define PATIENCE_MS 50
#define MAX_PATIENCE_MS 5000
#define MAX_PAUSE_MS 20L

/* On a table, or (relid InvalidOid) the creation lock of an owner. */
typedef struct RouterLock
{
	Oid			relid;
	Oid			owner;
	LOCKMODE	mode;
} RouterLock;

List *
router_lock_add(List *locks, Oid relid, LOCKMODE mode)
{
	RouterLock *lock = palloc0(sizeof(RouterLock));

	lock->relid = relid;
	lock->mode = mode;
	return lappend(locks, lock);
}

/* The creation lock of a table's owner as of now. None for temporary tables, nor for one that is gone. */
List *
router_lock_add_creation(List *locks, Oid base)
{
	HeapTuple	tup = SearchSysCache1(RELOID, ObjectIdGetDatum(base));

	if (!HeapTupleIsValid(tup))
		return locks;
	if (((Form_pg_class) GETSTRUCT(tup))->relpersistence != RELPERSISTENCE_TEMP)
	{
		locks = router_lock_add(locks, InvalidOid, ShareUpdateExclusiveLock);
		((RouterLock *) llast(locks))->owner = ((Form_pg_class) GETSTRUCT(tup))->relowner;
	}
	ReleaseSysCache(tup);
	return locks;
}

typedef enum LockAction
{
	TAKE,
	TAKE_IF_FREE,
	GIVE_BACK,
} LockAction;

/* In the name of the transaction: a lock that was taken in a subtransaction of wait_alone is no other statement's. */
static bool
act(const RouterLock *lock, LockAction action)
{
	ResourceOwner owner = CurrentResourceOwner;
	bool		done = true;

	CurrentResourceOwner = CurTransactionResourceOwner;
	if (!OidIsValid(lock->relid))
	{
		if (action == TAKE)
			LockDatabaseObject(AuthIdRelationId, lock->owner, 0, lock->mode);
		else if (action == TAKE_IF_FREE)
			done = ConditionalLockDatabaseObject(AuthIdRelationId, lock->owner, 0, lock->mode);
		else
			UnlockDatabaseObject(AuthIdRelationId, lock->owner, 0, lock->mode);
	}
	else if (action == TAKE)
		LockRelationOid(lock->relid, lock->mode);
	else if (action == TAKE_IF_FREE)
		done = ConditionalLockRelationOid(lock->relid, lock->mode);
	else
		UnlockRelationOid(lock->relid, lock->mode);
	CurrentResourceOwner = owner;
	return done;
}

/* The milliseconds that are left of the caller's lock_timeout; 0: there is none. */
static int
time_left(const RouterLock *lock, TimestampTz start)
{
	int64		left;
	char	   *name;

	if (LockTimeout <= 0)
		return 0;
	left = LockTimeout - TimestampDifferenceMilliseconds(start, GetCurrentTimestamp());
	if (left > 0)
		return (int) left;
	name = OidIsValid(lock->relid) ? get_rel_name(lock->relid) : NULL;
	ereport(ERROR,
			(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
			 errmsg("canceling statement due to lock timeout"),
			 name ? errdetail("Table \"%s\" could not be locked together with others.", name) : 0,
			 errhint("Try again when there are no long transactions, or with a longer lock_timeout.")));
}

typedef struct Wait
{
	const RouterLock *lock;
	int			lock_timeout;
} Wait;

static bool
wait_for(void *arg)
{
	Wait	   *wait = arg;
	int			lock_timeout = LockTimeout;

	LockTimeout = wait->lock_timeout;
	PG_TRY();
	{
		(void) act(wait->lock, TAKE);
	}
	PG_FINALLY();
	{
		LockTimeout = lock_timeout;
	}
	PG_END_TRY();
	return true;
}

/*
 * Waits for a lock, with none of the others in hand. If that is a deadlock, it
 * waits once more: the other one, CREATE INDEX CONCURRENTLY for instance, looks
 * for it once as well, and it is better if that ends.
 */
static void
wait_alone(const RouterLock *lock, TimestampTz start)
{
	Wait		wait = {lock, time_left(lock, start)};
	ErrorData  *error = router_attempt(wait_for, &wait);

	if (error == NULL)
		return;
	if (error->sqlerrcode != ERRCODE_T_R_DEADLOCK_DETECTED)
		ReThrowError(error);
	FreeErrorData(error);
	wait.lock_timeout = time_left(lock, start);
	(void) wait_for(&wait);
}

/*
 * A lock that nobody holds against us, but somebody waits for who has to wait for us, since this transaction has
 * another lock on the table: core lets us go ahead of him, at once. Two who wait for each other's turn never would.
 */
static bool
go_ahead(const RouterLock *lock)
{
	Wait		wait = {lock, 1};
	bool		has_another = false;
	ErrorData  *error;
	LOCKTAG		tag;
	int			n;

	if (!OidIsValid(lock->relid))
		return false;
	SET_LOCKTAG_RELATION(tag, MyDatabaseId, lock->relid);
	for (LOCKMODE mode = AccessShareLock; mode <= MaxLockMode; mode++)
		has_another |= router_lock_is_held(&tag, mode);
	if (!has_another)
		return false;
	pfree(GetLockConflicts(&tag, lock->mode, &n));
	if (n > 0)
		return false;
	error = router_attempt(wait_for, &wait);
	if (error && error->sqlerrcode != ERRCODE_LOCK_NOT_AVAILABLE && error->sqlerrcode != ERRCODE_T_R_DEADLOCK_DETECTED)
		ReThrowError(error);
	return error == NULL;
}

static bool
take_if_free(const RouterLock *lock)
{
	return act(lock, TAKE_IF_FREE) || go_ahead(lock);
}

/* Takes a lock as soon as it is free, with others in hand; false: not within so many milliseconds. */
static bool
take_within(const RouterLock *lock, int patience, TimestampTz start)
{
	TimestampTz since = GetCurrentTimestamp();

	for (long pause = 1; !take_if_free(lock); pause = Min(2 * pause, MAX_PAUSE_MS))
	{
		if (TimestampDifferenceExceeds(since, GetCurrentTimestamp(), patience))
			return false;
		(void) time_left(lock, start);
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, pause, PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
	return true;
}

static bool
holds(const List *locks, const RouterLock *lock)
{
	ListCell   *lc;

	foreach(lc, locks)
	{
		RouterLock *other = lfirst(lc);

		if (other->relid == lock->relid && other->owner == lock->owner && other->mode == lock->mode)
			return true;
	}
	return false;
}

/* Is one of the locks behind this place held? */
static bool
holds_later(const List *held, const List *wanted, int place)
{
	for (int i = place + 1; i < list_length(wanted); i++)
		if (holds(held, list_nth(wanted, i)))
			return true;
	return false;
}

/*
 * Takes those that are not held yet; or returns the one that is busy. Against
 * the order nobody is patient: two who each hold what the other wants would
 * give back, wait for, and get, what the other had, time and again.
 */
static RouterLock *
take_others(List *wanted, List **held, int patience, TimestampTz start)
{
	ListCell   *lc;

	foreach(lc, wanted)
	{
		RouterLock *lock = lfirst(lc);

		if (holds(*held, lock))
			continue;
		if (!(*held && !holds_later(*held, wanted, foreach_current_index(lc)) ? take_within(lock, patience, start) :
			  take_if_free(lock)))
			return lock;
		*held = lappend(*held, lock);
	}
	return NULL;
}

/*
 * Takes the locks that find gives, until it gives no others when they are held.
 * See the head of this file. Errors: lock_not_available.
 */
void
router_lock_all(RouterLockFinder find, void *arg)
{
	TimestampTz start = GetCurrentTimestamp();
	List	   *held = NIL;
	bool		locked = false;
	int			patience = PATIENCE_MS;
	ListCell   *lc;

	for (;;)
	{
		List	   *wanted = find(arg, locked);
		int			nheld = list_length(held);
		RouterLock *busy = take_others(wanted, &held, patience, start);

		if (busy == NULL && locked && list_length(held) == nheld)
		{
			/* one that was waited for may not be wanted any more */
			foreach(lc, held)
				if (!holds(wanted, lfirst(lc)))
					(void) act(lfirst(lc), GIVE_BACK);
			return;
		}
		locked = busy == NULL;
		if (busy == NULL)
			continue;
		foreach(lc, held)
			(void) act(lfirst(lc), GIVE_BACK);
		wait_alone(busy, start);
		held = list_make1(busy);
		patience = Min(2 * patience, MAX_PATIENCE_MS);
	}
}

static List *
find_these(void *arg, bool locked)
{
	return arg;
}

/* Takes all of these locks. Errors: lock_not_available. */
void
router_lock_these(List *locks)
{
	router_lock_all(find_these, locks);
}

/* Gives locks back under which nothing was changed. */
void
router_unlock_these(List *locks)
{
	ListCell   *lc;

	foreach(lc, locks)
		(void) act(lfirst(lc), GIVE_BACK);
}
