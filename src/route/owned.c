/*
 * owned.c
 *		The tables that a caller names: are there such, routed ones or children,
 *		and his?
 */
#include "compat.h"
#include "route/owned.h"

#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/lsyscache.h"

void
router_check_owner(Oid relid)
{
	if (!router_owns_relation(relid, GetUserId()))
		aclcheck_error(ACLCHECK_NOT_OWNER, OBJECT_TABLE, get_rel_name(relid));
}

void
router_check_exists(Oid relid)
{
	if (!OidIsValid(relid) || get_rel_name(relid) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("the table does not exist"), errdetail("No table has the OID %u.", relid)));
}

/* Checks that this is a routed table. Its bounds are not read. */
void
router_check_routed(Oid base)
{
	router_check_exists(base);
	if (router_catalog_route(base) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table \"%s\" is not a routed table", get_rel_name(base)),
				 errhint("Make it one with router.create_route.")));
}

/* The same, and of the user's. */
void
router_check_owned_base(Oid base)
{
	router_check_exists(base);
	router_check_owner(base);
	router_check_routed(base);
}

/* The cache entry of a routed table that the user owns. */
RouterCacheEntry *
router_owned_route(Oid base)
{
	RouterCacheEntry *entry;

	router_check_owned_base(base);
	entry = router_cache_entry(base);
	/* which waits for who drops the table */
	if (router_cache_route(entry) == NULL)
	{
		router_check_owned_base(base);
		(void) router_route_locked(entry);
	}
	return entry;
}

/* The same of one that is locked now: who was waited for may have dropped it, or given it to somebody else. */
RouterCacheEntry *
router_owned_locked(Oid base, LOCKMODE mode)
{
	(void) router_owned_route(base);
	LockRelationOid(base, mode);
	return router_owned_route(base);
}

/* A route, by its entry, that is hot; an error if it is not. The base is locked. */
RouterRoute *
router_hot_route(RouterCacheEntry *entry)
{
	RouterRoute *route = router_route_locked(entry);

	if (route->hot_level < 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("routed table \"%s\" is not hot", get_rel_name(route->config.base)),
				 errhint("Say how long rows stay in it, with router.alter_route(…, hot => '7 days').")));
	return route;
}

/*
 * The definition of a child, of this base if one is given; an error if there is none. To be
 * looked for again once locks were waited for: the child may have been dropped.
 */
RouterChildDef *
router_known_child(Oid child, Oid base)
{
	RouterChildDef *def = router_catalog_child(child);

	router_check_exists(child);
	if (def == NULL || (OidIsValid(base) && def->base != base))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("relation \"%s\" is not a child of a routed table", get_rel_name(child)),
				 errhint("See router.children.")));
	return def;
}
