/*
 * owner.c
 *		Running as the owner of a table: what he has defined runs with his rights,
 *		in a security-restricted operation, with pinned settings.
 */
#include "compat.h"
#include "base/owner.h"

#include "catalog/namespace.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "base/pin.h"

Oid
router_relation_owner(Oid relid)
{
	HeapTuple	tup = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	Oid			owner;

	if (!HeapTupleIsValid(tup))
		elog(ERROR, "cache lookup failed for relation %u", relid);
	owner = ((Form_pg_class) GETSTRUCT(tup))->relowner;
	ReleaseSysCache(tup);
	return owner;
}

/*
 * A temporary table of this session: who owns it is at work here, or was let to be. What owners of those of other
 * sessions have defined is theirs as elsewhere.
 */
bool
router_is_own_temp(Oid relid)
{
	return isTempNamespace(get_rel_namespace(relid));
}

/* Is a base one of those that are meant where none is named? Nobody can work on a temporary one of another session. */
bool
router_is_meant(Oid base)
{
	return get_rel_name(base) && router_owns_relation(base, GetUserId()) &&
		!isOtherTempNamespace(get_rel_namespace(base));
}

/* temp: router_is_own_temp */
void
router_become_owner(RouterAsOwner *saved, Oid owner, bool temp, const char *time_zone)
{
	GetUserIdAndSecContext(&saved->user, &saved->context);
	/* temporary tables cannot be made in a restricted operation; they are the user's own */
	SetUserIdAndSecContext(owner, saved->context | SECURITY_LOCAL_USERID_CHANGE |
						   (temp ? 0 : SECURITY_RESTRICTED_OPERATION));
	saved->guc_level = router_pin_settings(time_zone);
	router_pin_creation();
}

void
router_become_user(const RouterAsOwner *saved)
{
	AtEOXact_GUC(false, saved->guc_level);
	SetUserIdAndSecContext(saved->user, saved->context);
}

/*
 * For who has become an owner: row security hides nothing from him, not even
 * where it is forced on him. Returns the security context that there was;
 * router_become_user brings it back as well.
 */
int
router_see_all_rows(void)
{
	Oid			user;
	int			context;

	GetUserIdAndSecContext(&user, &context);
	SetUserIdAndSecContext(user, context | SECURITY_NOFORCE_RLS);
	return context;
}
