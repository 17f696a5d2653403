/*
 * mirror_grant.c
 *		The part of the mirror for grants on the table and its columns.
 *
 * Children have the grants of their base, without those by which somebody could pass by
 * the base's policies, statement triggers or rules.
 */
#include "compat.h"
#include "mirror/mirror_part.h"

#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_trigger.h"
#include "storage/lmgr.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

/*
 * Writes the grants on a table (subid 0) or a column, of which there is no C
 * interface. The lock is the one that VACUUM holds for its update in place of
 * the same row of pg_class.
 */
static void
set_acl(Oid relid, Oid owner, AttrNumber subid, Datum new_acl, bool no_new)
{
	Relation	rel;
	HeapTuple	tup,
				changed;
	bool		no_old;
	Datum		old_acl;
	Oid		   *old_members = NULL;
	Oid		   *new_members = NULL;
	int			nold,
				nnew;
	int			column = subid == 0 ? Anum_pg_class_relacl : Anum_pg_attribute_attacl;

	LockRelationOid(relid, ShareUpdateExclusiveLock);
	rel = table_open(subid == 0 ? RelationRelationId : AttributeRelationId, RowExclusiveLock);
	tup = subid == 0 ? SearchSysCacheCopy1(RELOID, ObjectIdGetDatum(relid)) :
		SearchSysCacheCopy2(ATTNUM, ObjectIdGetDatum(relid), Int16GetDatum(subid));
	if (!HeapTupleIsValid(tup))
		elog(ERROR, "cache lookup failed for relation %u", relid);
	old_acl = heap_getattr(tup, column, RelationGetDescr(rel), &no_old);
	nold = no_old ? 0 : aclmembers(DatumGetAclPCopy(old_acl), &old_members);
	nnew = no_new ? 0 : aclmembers(DatumGetAclPCopy(new_acl), &new_members);
	changed = heap_modify_tuple_by_cols(tup, RelationGetDescr(rel), 1, &column, &new_acl, &no_new);
	CatalogTupleUpdate(rel, &tup->t_self, changed);
	updateAclDependencies(RelationRelationId, relid, subid, owner, nold, old_members, nnew, new_members);
	table_close(rel, RowExclusiveLock);
	CommandCounterIncrement();
}

/* Takes away from a new table what default privileges grant: it is for its owner only. */
void
router_take_grants_away(Oid relid)
{
	HeapTuple	tup = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	bool		none;

	(void) SysCacheGetAttr(RELOID, tup, Anum_pg_class_relacl, &none);
	if (!none)
		set_acl(relid, ((Form_pg_class) GETSTRUCT(tup))->relowner, 0, (Datum) 0, true);
	ReleaseSysCache(tup);
}

/* Foreign tables have no policies: while the base has row security they are read and written through it only. */
bool
router_is_closed(const Mirror *m)
{
	return m->relkind == RELKIND_FOREIGN_TABLE && m->base->rd_rel->relrowsecurity;
}

/*
 * What only the owner may do with children: what the base has statement triggers or rules for. These count for
 * statements that name the base, so that who names a child would pass them by.
 */
static AclMode
guarded_rights(const Mirror *m)
{
	const TriggerDesc *triggers = m->base->trigdesc;
	const RuleLock *rules = m->base->rd_rules;
	AclMode		rights = 0;

	for (int i = 0; triggers && i < triggers->numtriggers; i++)
	{
		const Trigger *trigger = &triggers->triggers[i];

		if (TRIGGER_FOR_ROW(trigger->tgtype) || strncmp(trigger->tgname + 1, "router_", strlen("router_")) == 0)
			continue;
		rights |= (TRIGGER_FOR_INSERT(trigger->tgtype) ? ACL_INSERT : 0) |
			(TRIGGER_FOR_UPDATE(trigger->tgtype) ? ACL_UPDATE : 0) |
			(TRIGGER_FOR_DELETE(trigger->tgtype) ? ACL_DELETE : 0) |
			(TRIGGER_FOR_TRUNCATE(trigger->tgtype) ? ACL_TRUNCATE : 0);
	}
	for (int i = 0; rules && i < rules->numLocks; i++)
	{
		CmdType		event = rules->rules[i]->event;

		rights |= event == CMD_INSERT ? ACL_INSERT :
			event == CMD_UPDATE ? ACL_UPDATE :
			event == CMD_DELETE ? ACL_DELETE : 0;
	}
	return rights;
}

/* Grants without some rights, but for the owner; NULL: nothing is left. */
static Acl *
without_rights(const Acl *acl, Oid owner, AclMode rights)
{
	Acl		   *left = aclcopy(acl);
	AclItem    *items = ACL_DAT(left);
	int			n = 0;

	for (int i = 0; i < ACL_NUM(acl); i++)
	{
		AclItem		item = items[i];

		if (item.ai_grantee != owner)
			ACLITEM_SET_PRIVS_GOPTIONS(item, ACLITEM_GET_PRIVS(item) & ~rights, ACLITEM_GET_GOPTIONS(item) & ~rights);
		if (ACLITEM_GET_RIGHTS(item) != 0)
			items[n++] = item;
	}
	*ARR_DIMS(left) = n;
	SET_VARSIZE(left, ACL_N_SIZE(n));
	return n == 0 ? NULL : left;
}

static void
mirror_acl(Mirror *m, int cache, HeapTuple base, HeapTuple child, AttrNumber attno, AttrNumber subid)
{
	bool		no_base,
				no_child;
	Datum		base_acl = SysCacheGetAttr(cache, base, attno, &no_base);
	Datum		child_acl = SysCacheGetAttr(cache, child, attno, &no_child);

	if (router_is_closed(m))
	{
		base_acl = (Datum) 0;
		no_base = true;
	}
	if (!no_base && guarded_rights(m) != 0)
	{
		Acl		   *open = without_rights(DatumGetAclP(base_acl), m->base->rd_rel->relowner, guarded_rights(m));

		base_acl = PointerGetDatum(open);
		no_base = open == NULL;
	}
	if (no_base && no_child)
		return;
	if (!no_base && !no_child && aclequal(DatumGetAclP(base_acl), DatumGetAclP(child_acl)))
		return;
	if (subid == 0 ? router_mend(m, "grants", "%s the grants", no_base ? "take away" : "set") :
		router_mend(m, "grants", "%s the grants on column \"%s\"", no_base ? "take away" : "set",
					get_attname(m->child, subid, false)))
		set_acl(m->child, m->base->rd_rel->relowner, subid, base_acl, no_base);
}

static void
mirror_column_grants(Mirror *m, HeapTuple from, HeapTuple to)
{
	mirror_acl(m, ATTNUM, from, to, Anum_pg_attribute_attacl, ((Form_pg_attribute) GETSTRUCT(to))->attnum);
}

void
router_mirror_grants(Mirror *m)
{
	HeapTuple	from,
				to;

	/* row security counts for grants where there are no policies */
	if (m->relkind == RELKIND_RELATION && !(m->request->aspects & (ROUTER_GRANTS | ROUTER_TRIGGERS)))
		return;
	from = SearchSysCache1(RELOID, ObjectIdGetDatum(RelationGetRelid(m->base)));
	to = SearchSysCache1(RELOID, ObjectIdGetDatum(m->child));
	mirror_acl(m, RELOID, from, to, Anum_pg_class_relacl, 0);
	ReleaseSysCache(from);
	ReleaseSysCache(to);
	router_for_columns(m, true, mirror_column_grants);
}
