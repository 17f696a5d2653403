/*
 * mirror_check.c
 *		The part of the mirror for CHECK and NOT NULL.
 *
 * Core passes them on to children, but for those that say NO INHERIT. Since they
 * have to hold for all rows of the table, children get these as well: a CHECK
 * of the same name and condition, a NOT NULL on the same column. There they are
 * without NO INHERIT, so that core merges them with one that the base gets later.
 *
 * What a child has from its base it has from there only, as a partition does:
 * then it goes when the base drops it, and becomes the child's own when that is
 * detached. A table that is made to inherit keeps its columns and constraints
 * as its own otherwise.
 */
#include "compat.h"
#include "mirror/mirror_part.h"
#include "base/sql.h"

#include "access/htup_details.h"
#include "access/sysattr.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/indexing.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_constraint.h"
#include "optimizer/optimizer.h"
#include "storage/lmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

typedef struct Check
{
	Oid			oid;
	char	   *name;
	AttrNumber	attnum;			/* NOT NULL: of this column; 0: a CHECK */
	Node	   *condition;		/* of a CHECK */
	bool		stays;			/* NO INHERIT */
	bool		validated;
	bool		enforced;
	bool		local;
	bool		inherited;
} Check;

/* Is this the row of a CHECK, or of a NOT NULL? */
static bool
is_check(Form_pg_constraint form)
{
	return form->contype == CONSTRAINT_CHECK || form->contype == CONSTRAINT_NOTNULL;
}

/* Reads a row of pg_constraint, which may be of one just dropped. */
static Check *
read_check(HeapTuple tup)
{
	Form_pg_constraint form = (Form_pg_constraint) GETSTRUCT(tup);
	Check	   *check = palloc0(sizeof(Check));
	bool		isnull;
	Datum		value;

	check->oid = form->oid;
	check->name = pstrdup(NameStr(form->conname));
	check->stays = form->connoinherit;
	check->validated = form->convalidated;
	check->enforced = router_is_enforced(form);
	check->local = form->conislocal;
	check->inherited = form->coninhcount > 0;
	if (form->contype == CONSTRAINT_CHECK)
	{
		value = SysCacheGetAttr(CONSTROID, tup, Anum_pg_constraint_conbin, &isnull);
		check->condition = isnull ? NULL : stringToNode(TextDatumGetCString(value));
	}
	else
	{
		value = SysCacheGetAttr(CONSTROID, tup, Anum_pg_constraint_conkey, &isnull);
		check->attnum = isnull ? InvalidAttrNumber : *(int16 *) ARR_DATA_PTR(DatumGetArrayTypeP(value));
	}
	return check;
}

static List *
checks_of(Oid relid)
{
	List	   *rows = router_rows_with(ConstraintRelationId, ConstraintRelidTypidNameIndexId,
												 Anum_pg_constraint_conrelid, relid);
	List	   *checks = NIL;
	ListCell   *lc;

	foreach(lc, rows)
		if (is_check((Form_pg_constraint) GETSTRUCT((HeapTuple) lfirst(lc))))
			checks = lappend(checks, read_check(lfirst(lc)));
	return checks;
}

/* The child's constraint in the place of one of the base: a CHECK of this name, or NOT NULL of the column. */
static Check *
find_check(const Mirror *m, List *checks, const Check *base, const char *name)
{
	ListCell   *lc;

	foreach(lc, checks)
	{
		Check	   *check = lfirst(lc);

		if (check->attnum == router_child_attnum(m, base->attnum) &&
			(check->attnum != 0 || strcmp(check->name, name) == 0))
			return check;
	}
	return NULL;
}

static Node *
child_condition(const Mirror *m, const Check *base)
{
	return router_child_expr(m, copyObject(base->condition), 1);
}

static bool
same_check(const Mirror *m, const Check *base, const Check *child)
{
	return base->attnum != 0 ||
		(base->enforced == child->enforced && router_same_tree(m, child_condition(m, base), child->condition));
}

static void
update_row(Oid catalog, HeapTuple tup)
{
	Relation	rel = table_open(catalog, RowExclusiveLock);

	CatalogTupleUpdate(rel, &tup->t_self, tup);
	table_close(rel, RowExclusiveLock);
	CommandCounterIncrement();
}

/* Does an expression on a table refer to the whole row? */
bool
router_has_whole_row(Node *expr)
{
	Bitmapset  *attnos = NULL;

	pull_varattnos(expr, 1, &attnos);
	return bms_is_member(0 - FirstLowInvalidHeapAttributeNumber, attnos);
}

/*
 * A dump has CHECKs in CREATE TABLE, where the child does not inherit yet, so that
 * its row is none of the base's type. Those that are not valid it adds later. They hold
 * for each new row all the same, and for the old ones it was verified.
 */
static void
spare_dump(Oid child, Oid constraint)
{
	HeapTuple	tup = SearchSysCacheCopy1(CONSTROID, ObjectIdGetDatum(constraint));

	((Form_pg_constraint) GETSTRUCT(tup))->convalidated = false;
	update_row(ConstraintRelationId, tup);
	CacheInvalidateRelcacheByRelid(child);
}

static bool
is_spared(const Check *check)
{
	return check->condition && check->validated && router_has_whole_row(check->condition);
}

static void
add_check(Mirror *m, const Check *wanted)
{
	char	   *what = wanted->attnum == 0 ?
		psprintf("CHECK (%s)", router_child_expr_text(m, child_condition(m, wanted))) :
		psprintf("NOT NULL %s", quote_identifier(get_attname(RelationGetRelid(m->base), wanted->attnum, false)));

	router_run("%s ADD CONSTRAINT %s %s%s", m->alter, quote_identifier(wanted->name), what,
			   !wanted->enforced ? " NOT ENFORCED" : wanted->validated ? "" : " NOT VALID");
	if (is_spared(wanted))
		spare_dump(m->child, get_relation_constraint_oid(m->child, wanted->name, false));
}

/* One that core does not pass on. */
static void
mirror_check(Mirror *m, const Check *wanted, const Check *there)
{
	if (there == NULL || !same_check(m, wanted, there))
	{
		if (!router_mend(m, "constraint", "%s constraint \"%s\"", there ? "replace" : "add", wanted->name))
			return;
		if (there)
			router_run("%s DROP CONSTRAINT %s", m->alter, quote_identifier(there->name));
		add_check(m, wanted);
		m->is_part = true;
	}
	else if (wanted->validated && !there->validated && there->enforced && (m->request->exact || !is_spared(wanted)) &&
			 router_mend(m, "constraint", "validate constraint \"%s\"", there->name))
	{
		router_run("%s VALIDATE CONSTRAINT %s", m->alter, quote_identifier(there->name));
		if (is_spared(wanted))
			spare_dump(m->child, there->oid);
	}
}

static void
leave_constraint(Oid child, Oid constraint)
{
	HeapTuple	tup;

	LockRelationOid(child, ShareUpdateExclusiveLock);
	tup = SearchSysCacheCopy1(CONSTROID, ObjectIdGetDatum(constraint));
	((Form_pg_constraint) GETSTRUCT(tup))->conislocal = false;
	update_row(ConstraintRelationId, tup);
}

static void
leave_column(Oid child, AttrNumber attnum)
{
	HeapTuple	tup;

	LockRelationOid(child, ShareUpdateExclusiveLock);
	tup = SearchSysCacheCopy2(ATTNUM, ObjectIdGetDatum(child), Int16GetDatum(attnum));
	((Form_pg_attribute) GETSTRUCT(tup))->attislocal = false;
	update_row(AttributeRelationId, tup);
}

void
router_mirror_checks(Mirror *m)
{
	List	   *wanted = checks_of(RelationGetRelid(m->base));
	List	   *own = wanted ? checks_of(m->child) : NIL;
	ListCell   *lc;

	foreach(lc, wanted)
	{
		Check	   *check = lfirst(lc);
		Check	   *there = find_check(m, own, check, check->name);

		if (!router_wanted(m, check->oid))
			continue;
		if (check->stays && m->request->aspects & ROUTER_CHECKS)
			mirror_check(m, check, there);
		if (!check->stays && there && there->local && there->inherited && m->request->aspects & ROUTER_INHERITANCE &&
			router_mend(m, "inheritance", "leave constraint \"%s\" to the base", there->name))
			leave_constraint(m->child, there->oid);
		if (check->attnum == 0 && m->request->aspects & ROUTER_CHECKS)
		{
			Oid			constraint = get_relation_constraint_oid(m->child, check->name, true);

			if (OidIsValid(constraint))
				router_mend_comment(m, ConstraintRelationId, check->oid, constraint, "constraint", check->name);
		}
		m->is_part = false;
	}
}

void
router_mirror_inherited_columns(Mirror *m)
{
	for (int i = 1; i <= m->map->maplen; i++)
	{
		AttrNumber	attnum = router_child_attnum(m, i);
		HeapTuple	tup;
		Form_pg_attribute column;

		if (attnum == 0 || (m->request->exact && !list_member_int(m->request->columns, i)))
			continue;
		tup = SearchSysCache2(ATTNUM, ObjectIdGetDatum(m->child), Int16GetDatum(attnum));
		column = (Form_pg_attribute) GETSTRUCT(tup);
		if (column->attislocal && column->attinhcount > 0 &&
			router_mend(m, "inheritance", "leave column \"%s\" to the base", NameStr(column->attname)))
			leave_column(m->child, attnum);
		ReleaseSysCache(tup);
	}
}

/*
 * A child, locked AccessExclusive by who may alter it, is about to leave its base: its
 * CHECKs that core will take for the base's are counted so, and become its own again.
 */
void
router_before_no_inherit(Oid base, Oid child)
{
	ListCell   *lc;

	foreach(lc, router_disinherits_namesakes ? checks_of(base) : NIL)
	{
		Check	   *check = lfirst(lc);
		HeapTuple	tup = SearchSysCacheCopy1(CONSTROID,
											  ObjectIdGetDatum(get_relation_constraint_oid(child, check->name, true)));

		if (!check->stays || !HeapTupleIsValid(tup) ||
			((Form_pg_constraint) GETSTRUCT(tup))->contype != CONSTRAINT_CHECK)
			continue;
		((Form_pg_constraint) GETSTRUCT(tup))->coninhcount++;
		update_row(ConstraintRelationId, tup);
	}
}

/* Drops from a child the counterpart of what the base just lost and had not passed on; a row of pg_constraint. */
void
router_drop_check_like(Mirror *m, HeapTuple dropped, bool cascade)
{
	Check	   *lost = read_check(dropped);
	Check	   *there = find_check(m, checks_of(m->child), lost, lost->name);

	if (there && !there->inherited && strcmp(there->name, lost->name) == 0 && same_check(m, lost, there) &&
		router_mend(m, "constraint", "drop constraint \"%s\"", there->name))
		router_run("%s DROP CONSTRAINT %s%s", m->alter, quote_identifier(there->name), cascade ? " CASCADE" : "");
}

/* The base's constraint was renamed: the child's is, unless it has one of the new name. */
void
router_rename_check_like(Mirror *m, const RouterRenamed *renamed)
{
	HeapTuple	tup = SearchSysCache1(CONSTROID, ObjectIdGetDatum(renamed->oid));
	Check	   *base;
	Check	   *there;

	if (!HeapTupleIsValid(tup))
		return;
	if (is_check((Form_pg_constraint) GETSTRUCT(tup)))
	{
		base = read_check(tup);
		there = find_check(m, checks_of(m->child), base, renamed->name);
		if (base->stays && there && !there->inherited && strcmp(there->name, renamed->name) == 0 &&
			same_check(m, base, there) && !OidIsValid(get_relation_constraint_oid(m->child, base->name, true)) &&
			router_mend(m, "constraint", "rename constraint \"%s\" to \"%s\"", renamed->name, base->name))
			router_run("%s RENAME CONSTRAINT %s TO %s", m->alter, quote_identifier(renamed->name),
					   quote_identifier(base->name));
	}
	ReleaseSysCache(tup);
}
