/*
 * see.c
 *		What may be shown to the user: values of rows appear in messages and views
 *		where he could read them of the table, as core has it in
 *		BuildIndexValueDescription and ExecBuildSlotPartitionKeyDescription.
 */
#include "compat.h"
#include "base/see.h"

#include "miscadmin.h"
#include "utils/rls.h"

/* May the user see these columns of all rows of a table? */
bool
router_may_see(Oid relid, const AttrNumber *attnums, int n)
{
	if (check_enable_rls(relid, InvalidOid, true) == RLS_ENABLED)
		return false;
	if (pg_class_aclcheck(relid, GetUserId(), ACL_SELECT) == ACLCHECK_OK)
		return true;
	for (int i = 0; i < n; i++)
		if (pg_attribute_aclcheck(relid, attnums[i], GetUserId(), ACL_SELECT) != ACLCHECK_OK)
			return false;
	return true;
}

/* May the user lock a table by a statement of his? Who has no right on it is not to do so by other means. */
bool
router_may_lock(Oid relid)
{
	return pg_class_aclcheck(relid, GetUserId(), ACL_SELECT | ACL_INSERT | ACL_UPDATE | ACL_DELETE | ACL_TRUNCATE) ==
		ACLCHECK_OK ||
		pg_attribute_aclcheck_all(relid, GetUserId(), ACL_SELECT | ACL_INSERT | ACL_UPDATE, ACLMASK_ANY) == ACLCHECK_OK;
}

/* May the user see all columns of all rows of a table, by a right on it? */
bool
router_may_see_all(Oid relid)
{
	return check_enable_rls(relid, InvalidOid, true) != RLS_ENABLED &&
		pg_class_aclcheck(relid, GetUserId(), ACL_SELECT) == ACLCHECK_OK;
}
