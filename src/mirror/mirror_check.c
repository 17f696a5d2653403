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

#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/pg_constraint.h"
#include "optimizer/optimizer.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

typedef struct Check
{
	MirrorObject object;		/* not_ours: core passes it on, or has passed it on */
	AttrNumber	attnum;			/* NOT NULL: of this column; 0: a CHECK */
	Node	   *condition;		/* of a CHECK */
	Form_pg_constraint form;
} Check;

/* Is this the row of a CHECK, or of a NOT NULL? */
static bool
is_check(Form_pg_constraint form)
{
	return form->contype == CONSTRAINT_CHECK || form->contype == CONSTRAINT_NOTNULL;
}

/* Reads a copy of a row of pg_constraint, which may be of one just dropped. */
static Check *
read_check(HeapTuple tup)
{
	Form_pg_constraint form = (Form_pg_constraint) GETSTRUCT(tup);
	Check	   *check = palloc0(sizeof(Check));
	bool		isnull;
	Datum		value;

	check->object.oid = form->oid;
	check->object.name = NameStr(form->conname);
	check->form = form;
	if (form->contype == CONSTRAINT_CHECK)
		check->condition = router_stored_tree(CONSTROID, tup, Anum_pg_constraint_conbin);
	else
	{
		value = SysCacheGetAttr(CONSTROID, tup, Anum_pg_constraint_conkey, &isnull);
		check->attnum = isnull ? InvalidAttrNumber : *(int16 *) ARR_DATA_PTR(DatumGetArrayTypeP(value));
	}
	return check;
}

static MirrorObject *
read_dropped_check(const RouterChange *change)
{
	return is_check((Form_pg_constraint) GETSTRUCT(change->dropped)) ? &read_check(change->dropped)->object : NULL;
}

static List *
read_checks(const Mirror *m, Oid relid)
{
	List	   *checks = NIL;
	ListCell   *lc;

	foreach(lc, router_constraints_of(relid))
	{
		Form_pg_constraint form = (Form_pg_constraint) GETSTRUCT((HeapTuple) lfirst(lc));
		Check	   *check;

		if (!is_check(form))
			continue;
		check = read_check(lfirst(lc));
		check->object.not_ours = relid == m->child ? form->coninhcount > 0 : !form->connoinherit;
		checks = lappend(checks, check);
	}
	return checks;
}

/* A CHECK of this name, or NOT NULL of the column. */
static bool
check_stands_for(const Mirror *m, const MirrorObject *base, const MirrorObject *child)
{
	AttrNumber	attnum = ((const Check *) child)->attnum;

	return attnum == router_child_attnum(m, ((const Check *) base)->attnum) &&
		(attnum != 0 || strcmp(base->name, child->name) == 0);
}

static bool
same_check(const Mirror *m, const MirrorObject *base, const MirrorObject *child)
{
	const Check *x = (const Check *) base;
	const Check *y = (const Check *) child;

	return x->attnum != 0 ||
		(router_is_enforced(x->form) == router_is_enforced(y->form) && router_same_expr(m, x->condition, y->condition));
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
	return check->condition && check->form->convalidated && router_has_whole_row(check->condition);
}

static MirrorObject *
make_check(Mirror *m, MirrorObject *object, List *own)
{
	const Check *wanted = (const Check *) object;
	char	   *what = wanted->attnum == 0 ?
		psprintf("CHECK (%s)", router_child_expr_text(m, router_child_expr(m, copyObject(wanted->condition), 1))) :
		psprintf("NOT NULL %s", quote_identifier(get_attname(RelationGetRelid(m->base), wanted->attnum, false)));

	router_run("%s ADD CONSTRAINT %s %s%s", m->alter, quote_identifier(object->name), what,
			   !router_is_enforced(wanted->form) ? " NOT ENFORCED" : wanted->form->convalidated ? "" : " NOT VALID");
	if (is_spared(wanted))
		spare_dump(m->child, get_relation_constraint_oid(m->child, object->name, false));
	return object;
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

static void
mirror_check_properties(Mirror *m, const MirrorObject *object, const MirrorObject *own)
{
	const Check *wanted = (const Check *) object;
	const Check *there = (const Check *) own;

	if (there == NULL)
		return;
	if (object->not_ours && own->not_ours && there->form->conislocal && m->request->aspects & ROUTER_INHERITANCE &&
		router_mend(m, "inheritance", "leave constraint \"%s\" to the base", own->name))
		leave_constraint(m->child, own->oid);
	if (!(m->request->aspects & ROUTER_CHECKS))
		return;
	if (!object->not_ours && wanted->form->convalidated && !there->form->convalidated &&
		router_is_enforced(there->form) && (m->request->exact || !is_spared(wanted)) &&
		router_mend(m, "constraint", "validate constraint \"%s\"", own->name))
	{
		router_run("%s VALIDATE CONSTRAINT %s", m->alter, quote_identifier(own->name));
		if (is_spared(wanted))
			spare_dump(m->child, own->oid);
	}
	if (wanted->attnum == 0)
		router_mend_object_comment(m, &router_mirror_check, object, own);
}

const MirrorKind router_mirror_check = {
	.aspect = ROUTER_CHECKS,
	.classid = ConstraintRelationId,
	.word = "constraint",
	.verb = "add",
	.alike = true,
	.by_name = get_relation_constraint_oid,
	.read = read_checks,
	.read_dropped = read_dropped_check,
	.stands_for = check_stands_for,
	.same = same_check,
	.make = make_check,
	.properties = mirror_check_properties,
};

static void
mirror_inherited_column(Mirror *m, HeapTuple from, HeapTuple to)
{
	Form_pg_attribute column = (Form_pg_attribute) GETSTRUCT(to);

	if (column->attislocal && column->attinhcount > 0 &&
		router_mend(m, "inheritance", "leave column \"%s\" to the base", NameStr(column->attname)))
		leave_column(m->child, column->attnum);
}

void
router_mirror_inherited_columns(Mirror *m)
{
	router_for_columns(m, false, mirror_inherited_column);
}

/*
 * A child, locked AccessExclusive by who may alter it, is about to leave its base: its
 * CHECKs that core will take for the base's are counted so, and become its own again.
 */
void
router_before_no_inherit(Oid base, Oid child)
{
	ListCell   *lc;

	foreach(lc, router_disinherits_namesakes ? router_constraints_of(base) : NIL)
	{
		Form_pg_constraint form = (Form_pg_constraint) GETSTRUCT((HeapTuple) lfirst(lc));
		Oid			namesake = get_relation_constraint_oid(child, NameStr(form->conname), true);
		HeapTuple	tup = is_check(form) && form->connoinherit ?
			SearchSysCacheCopy1(CONSTROID, ObjectIdGetDatum(namesake)) : NULL;

		if (!HeapTupleIsValid(tup) || ((Form_pg_constraint) GETSTRUCT(tup))->contype != CONSTRAINT_CHECK)
			continue;
		((Form_pg_constraint) GETSTRUCT(tup))->coninhcount++;
		update_row(ConstraintRelationId, tup);
	}
}
