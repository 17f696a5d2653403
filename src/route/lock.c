/*
 * lock.c
 *		Locks on a base and its children, and of those who create children.
 *
 * Lock order: the creation lock, the base, its default child, the other
 * children by oid. Several at once are taken by base/lock_all.c.
 *
 * The creation lock: one for the bases of an owner in a database,
 * ShareUpdateExclusive on his role as an object of the database, which core never
 * locks (to it a role is a shared object). All who create children of his pass
 * here first, so that two of them cannot each hold what the other wants, whatever
 * bases they work on in whatever order. It is against deadlocks only: that nobody
 * else makes children of a base is for the lock on the base. Not one for all
 * owners: who has no rights on an owner's tables shall not keep him waiting.
 * Temporary bases need none, nobody else gets at them.
 */
#include "compat.h"
#include "route/lock.h"

#include "catalog/pg_authid.h"
#include "catalog/pg_class.h"
#include "pgstat.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "utils/lsyscache.h"

#include "base/owner.h"
#include "route/owned.h"

/* The children of a base, in the order in which they are locked. */
List *
router_children_by_oid(Oid base)
{
	List	   *children = NIL;
	ListCell   *lc;

	foreach(lc, router_catalog_children(base))
		children = lappend_oid(children, ((RouterChildDef *) lfirst(lc))->child);
	list_sort(children, list_oid_cmp);
	return children;
}

/* Those that stand in another schema. Foreign ones do not count: on their server they may be found by its name. */
List *
router_children_elsewhere(Oid base, Oid schema)
{
	List	   *children = router_children_by_oid(base);
	ListCell   *lc;

	foreach(lc, children)
		if (get_rel_relkind(lfirst_oid(lc)) != RELKIND_RELATION || get_rel_namespace(lfirst_oid(lc)) == schema)
			children = foreach_delete_current(children, lc);
	return children;
}

/* Locks on a base and all its children. */
List *
router_lock_family(Oid base, LOCKMODE mode)
{
	List	   *locks = router_lock_add(NIL, base, mode);
	ListCell   *lc;

	foreach(lc, router_children_by_oid(base))
		locks = router_lock_add(locks, lfirst_oid(lc), mode);
	return locks;
}

/*
 * How many children of a base a transaction may make or write to and stay within
 * its share of the lock table: each is a table with indexes and TOAST table.
 */
int
router_lock_portion(Relation base)
{
	return Max(1, max_locks_per_xact / (3 + list_length(RelationGetIndexList(base))));
}

/* Waits for all who hold a lock on a base: they may have a plan that does not know the children there are now. */
void
router_wait_for_planners(Oid base)
{
	LOCKTAG		tag;

	SET_LOCKTAG_RELATION(tag, MyDatabaseId, base);
	WaitForLockers(tag, AccessExclusiveLock, false);
}

/* ------------------------------------------------------------ locks of creators */

static List *
find_creation(void *arg, bool locked)
{
	Oid			base = *(Oid *) arg;

	return router_lock_add(router_lock_add_creation(NIL, base), base, ShareUpdateExclusiveLock);
}

/* The creation lock and the base: what who creates a child needs. */
void
router_lock_creation(Oid base)
{
	router_lock_all(find_creation, &base);
}

/* Gives them back when nothing was changed under them. The owner is the same: the base is locked. */
void
router_unlock_creation(Oid base)
{
	router_unlock_these(find_creation(&base, true));
}

/* Does this transaction hold the creation lock of a base's owner, having created a child or looked after some? */
bool
router_creation_is_locked(Oid base)
{
	LOCKTAG		tag;

	if (router_lock_add_creation(NIL, base) == NIL)
		return false;
	SET_LOCKTAG_OBJECT(tag, MyDatabaseId, AuthIdRelationId, router_relation_owner(base), 0);
	return router_lock_is_held(&tag, ShareUpdateExclusiveLock);
}

static List *
find_for_creation(void *arg, bool locked)
{
	RouterCreation *creation = arg;
	RouterRoute *route = router_route_locked(creation->entry);
	List	   *locks = router_lock_add_creation(NIL, creation->base);
	bool		has_default = OidIsValid(route->default_child);
	ListCell   *lc;

	locks = router_lock_add(locks, creation->base, Max(creation->mode, ShareUpdateExclusiveLock));
	if (has_default)
		locks = router_lock_add(locks, route->default_child, ShareRowExclusiveLock);
	locks = list_concat(locks, creation->others);
	foreach(lc, OidIsValid(creation->schema) ? router_children_elsewhere(creation->base, creation->schema) : NIL)
		locks = router_lock_add(locks, lfirst_oid(lc), AccessExclusiveLock);
	/* a query that was planned without the new child must not get a snapshot in which the rows are there */
	if (locked && has_default && creation->takes_rows && creation->takes_rows(creation))
		locks = router_lock_add(locks, creation->base, AccessExclusiveLock);
	return locks;
}

/*
 * For the admin functions, whose caller has to own the base, still: the creation lock, the base, the default child, and
 * the base in AccessExclusiveLock if rows leave the default child. takes_rows is
 * called whenever things may have changed.
 */
RouterRoute *
router_lock_children(RouterCreation *creation)
{
	router_lock_all(find_for_creation, creation);
	return router_cache_route(router_owned_route(creation->base));
}
