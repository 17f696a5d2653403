/*
 * owner.c
 *		Running as the owner of a table: what he has defined runs with his rights,
 *		in a security-restricted operation, with pinned settings.
 */
#include "compat.h"
#include "base/owner.h"

#include "catalog/namespace.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "base/pin.h"
#include "base/sql.h"

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

/*
 * The table whose place another one will take, or with which that is made; of any other table that table itself.
 * The mark is one that nobody but router can set.
 */
Oid
router_original(Oid relid)
{
	HeapTuple	tup = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	Oid			original = HeapTupleIsValid(tup) ? ((Form_pg_class) GETSTRUCT(tup))->relrewrite : InvalidOid;

	if (HeapTupleIsValid(tup))
		ReleaseSysCache(tup);
	return OidIsValid(original) ? original : relid;
}

/* Is a base one of those that are meant where none is named? Nobody can work on a temporary one of another session. */
bool
router_is_meant(Oid base)
{
	return get_rel_name(base) && router_original(base) == base && router_owns_relation(base, GetUserId()) &&
		!isOtherTempNamespace(get_rel_namespace(base));
}

/*
 * Refuses to evaluate as a role what was defined by the owner of a table, who may
 * not act for that role: a child, or a key table, need not belong to the owner of
 * its base.
 */
void
router_check_definer(Oid relid, Oid role)
{
	Oid			definer = router_relation_owner(relid);

	if (has_privs_of_role(definer, role))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("\"%s\" belongs to another role than its routed table", get_rel_name(relid)),
			 errdetail("What %s defined for it would run with the rights of %s.", GetUserNameFromId(definer, false),
					   GetUserNameFromId(role, false)),
			 errhint("Look at what it has of its own, then ALTER TABLE %s OWNER TO %s, or for a child router.sync.",
					 router_qualified_name(relid), quote_identifier(GetUserNameFromId(role, false)))));
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
