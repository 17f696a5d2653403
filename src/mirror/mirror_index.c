/*
 * mirror_index.c
 *		The part of the mirror for what is matched by definition: indexes with
 *		the constraints on them, and extended statistics.
 *
 * An index of the child stands for one of the base if access method, columns,
 * expressions, predicate, operator classes, collations, uniqueness, constraint
 * and deferrability are the same: at most one for each, the one that has the
 * name by rule first. Storage parameters, statistics targets, comment and
 * CLUSTER ON are properties that a match is given.
 *
 * Names by rule: "<base>_rest" becomes "<child>_rest", another name
 * "<child>_name"; what is too long or taken is cut and gets a hash.
 */
#include "compat.h"
#include "mirror/mirror_part.h"

#include "access/reloptions.h"
#include "access/table.h"
#include "catalog/pg_constraint.h"
#include "commands/tablespace.h"
#include "parser/parse_utilcmd.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "base/sql.h"

/* What an index is, as far as two can be alike. */
typedef struct Shape
{
	Oid			oid;
	char	   *name;
	Oid			am;
	Form_pg_index form;			/* a copy */
	Oid			constraint;		/* it implements; or InvalidOid */
	int			natts;
	Oid		   *opclass;
	Oid		   *collation;
	int16	   *option;
	Oid		   *exclusion;		/* operators; NULL: none, or not known any more */
	Node	   *exprs;
	Node	   *predicate;
	struct Shape *match;		/* its counterpart */
} Shape;

/* ------------------------------------------------------------------- shapes */

static void *
vector_copy(HeapTuple tup, AttrNumber attno, Size element, int n)
{
	bool		isnull;
	Datum		vector = SysCacheGetAttr(INDEXRELID, tup, attno, &isnull);
	void	   *copy = palloc0(element * Max(n, 1));

	if (!isnull)
	{
		/* oidvector and int2vector have the same header */
		oidvector  *values = (oidvector *) DatumGetPointer(vector);

		memcpy(copy, values->values, element * Min(n, values->dim1));
	}
	return copy;
}

/* An expression of a row of pg_index as it was written; NULL: there is none. */
Node *
router_index_tree(HeapTuple tup, AttrNumber attno)
{
	bool		isnull;
	Datum		tree = SysCacheGetAttr(INDEXRELID, tup, attno, &isnull);

	return isnull ? NULL : stringToNode(TextDatumGetCString(tree));
}

/* Reads a row of pg_index, which may be of an index just dropped. */
static Shape *
read_shape(HeapTuple tup)
{
	Shape	   *shape = palloc0(sizeof(Shape));
	Form_pg_index form = (Form_pg_index) GETSTRUCT(tup);
	Size		size = offsetof(FormData_pg_index, indkey) + offsetof(int2vector, values) +
		form->indnatts * sizeof(int16);

	shape->oid = form->indexrelid;
	shape->natts = form->indnatts;
	shape->form = palloc(size);
	memcpy(shape->form, form, size);
	shape->opclass = vector_copy(tup, Anum_pg_index_indclass, sizeof(Oid), form->indnkeyatts);
	shape->collation = vector_copy(tup, Anum_pg_index_indcollation, sizeof(Oid), form->indnkeyatts);
	shape->option = vector_copy(tup, Anum_pg_index_indoption, sizeof(int16), form->indnkeyatts);
	shape->exprs = router_index_tree(tup, Anum_pg_index_indexprs);
	shape->predicate = router_index_tree(tup, Anum_pg_index_indpred);
	return shape;
}

static void
read_exclusion(Shape *shape)
{
	HeapTuple	tup = SearchSysCache1(CONSTROID, ObjectIdGetDatum(shape->constraint));
	Datum	   *operators;
	bool		isnull;
	Datum		array;
	int			n;

	if (!HeapTupleIsValid(tup))
		return;
	array = SysCacheGetAttr(CONSTROID, tup, Anum_pg_constraint_conexclop, &isnull);
	if (!isnull)
	{
		deconstruct_array(DatumGetArrayTypeP(array), OIDOID, sizeof(Oid), true, TYPALIGN_INT, &operators, NULL, &n);
		shape->exclusion = palloc(n * sizeof(Oid));
		for (int i = 0; i < n; i++)
			shape->exclusion[i] = DatumGetObjectId(operators[i]);
	}
	ReleaseSysCache(tup);
}

/* The shapes of a relation's indexes. */
static List *
read_shapes(Relation rel)
{
	List	   *shapes = NIL;
	ListCell   *lc;

	foreach(lc, RelationGetIndexList(rel))
	{
		HeapTuple	tup = SearchSysCache1(INDEXRELID, ObjectIdGetDatum(lfirst_oid(lc)));
		HeapTuple	relation = SearchSysCache1(RELOID, ObjectIdGetDatum(lfirst_oid(lc)));

		if (HeapTupleIsValid(tup) && HeapTupleIsValid(relation))
		{
			Shape	   *shape = read_shape(tup);

			shape->name = pstrdup(NameStr(((Form_pg_class) GETSTRUCT(relation))->relname));
			shape->am = ((Form_pg_class) GETSTRUCT(relation))->relam;
			if (shape->form->indisunique || shape->form->indisexclusion)
				shape->constraint = get_index_constraint(shape->oid);
			if (shape->form->indisexclusion)
				read_exclusion(shape);
			shapes = lappend(shapes, shape);
		}
		if (HeapTupleIsValid(tup))
			ReleaseSysCache(tup);
		if (HeapTupleIsValid(relation))
			ReleaseSysCache(relation);
	}
	return shapes;
}

static List *
read_child_shapes(const Mirror *m)
{
	Relation	child = table_open(m->child, NoLock);
	List	   *shapes = read_shapes(child);

	table_close(child, NoLock);
	return shapes;
}

/* Parameters of operator classes. A dropped index has none any more. */
static bool
same_class_options(const Shape *base, const Shape *child)
{
	if (base->name == NULL)
		return true;
	for (int i = 1; i <= base->form->indnkeyatts; i++)
	{
		Datum		x = get_attoptions(base->oid, i);
		Datum		y = get_attoptions(child->oid, i);

		if (!router_same_array(x, x == (Datum) 0, y, y == (Datum) 0))
			return false;
	}
	return true;
}

/* Do both index the same? */
static bool
same_content(const Mirror *m, const Shape *base, const Shape *child)
{
	Form_pg_index x = base->form;
	Form_pg_index y = child->form;
	Size		nkeys = x->indnkeyatts;

	if (x->indnatts != y->indnatts || x->indnkeyatts != y->indnkeyatts || x->indisunique != y->indisunique ||
		x->indisexclusion != y->indisexclusion || x->indnullsnotdistinct != y->indnullsnotdistinct ||
		(OidIsValid(base->am) && base->am != child->am))
		return false;
	for (int i = 0; i < base->natts; i++)
		if (router_child_attnum(m, x->indkey.values[i]) != y->indkey.values[i] ||
			(x->indkey.values[i] != 0 && y->indkey.values[i] == 0))
			return false;
	if (memcmp(base->opclass, child->opclass, nkeys * sizeof(Oid)) != 0 ||
		memcmp(base->collation, child->collation, nkeys * sizeof(Oid)) != 0 ||
		memcmp(base->option, child->option, nkeys * sizeof(int16)) != 0)
		return false;
	if (base->exclusion && child->exclusion && memcmp(base->exclusion, child->exclusion, nkeys * sizeof(Oid)) != 0)
		return false;
	return router_same_expr(m, base->exprs, child->exprs) && router_same_expr(m, base->predicate, child->predicate) &&
		same_class_options(base, child);
}

/* INITIALLY DEFERRED is not in pg_index. */
static bool
is_deferred(Oid constraint)
{
	HeapTuple	tup = SearchSysCache1(CONSTROID, ObjectIdGetDatum(constraint));
	bool		deferred;

	if (!HeapTupleIsValid(tup))
		return false;
	deferred = ((Form_pg_constraint) GETSTRUCT(tup))->condeferred;
	ReleaseSysCache(tup);
	return deferred;
}

static bool
same_constraint(const Shape *base, const Shape *child)
{
	if (base->form->indisprimary != child->form->indisprimary || base->form->indimmediate != child->form->indimmediate)
		return false;
	if (base->name == NULL)
		return true;			/* dropped, and its constraint with it */
	return OidIsValid(base->constraint) == OidIsValid(child->constraint) &&
		(!OidIsValid(base->constraint) || is_deferred(base->constraint) == is_deferred(child->constraint));
}

/* Finds the counterpart of each of the base's indexes, those with names by rule first. */
static void
match_shapes(const Mirror *m, List *base, List *child)
{
	ListCell   *lb,
			   *lc;

	if (child == NIL)
		return;
	for (int by_name = 1; by_name >= 0; by_name--)
		foreach(lb, base)
		{
			Shape	   *x = lfirst(lb);

			foreach(lc, child)
			{
				Shape	   *y = lfirst(lc);

				if (x->match || y->match || !y->form->indisvalid || !x->form->indisvalid ||
					(by_name && !router_has_rule_name(m, y->name, x->name)))
					continue;
				if (same_content(m, x, y) && same_constraint(x, y))
				{
					x->match = y;
					y->match = x;
				}
			}
		}
}

/* ------------------------------------------------------------------ indexes */

/* The statement that makes an index of the base on the child. */
static IndexStmt *
index_statement(const Mirror *m, const Shape *from)
{
	Relation	index = index_open(from->oid, AccessShareLock);
	Oid			constraint;
	Oid			tablespace = get_rel_tablespace(m->child);
	IndexStmt  *stmt = generateClonedIndexStmt(NULL, index, m->map, &constraint);

	/* an index that lies with its table does so on the child */
	if (index->rd_rel->reltablespace == m->base->rd_rel->reltablespace)
		stmt->tableSpace = OidIsValid(tablespace) ? get_tablespace_name(tablespace) : NULL;
	stmt->idxname = router_free_name(m, RelationRelationId, from->name);
	index_close(index, AccessShareLock);
	return stmt;
}

/* Drops an index of the child, by way of its constraint if it has one. */
static void
drop_index(const Mirror *m, const Shape *shape, bool cascade)
{
	if (OidIsValid(shape->constraint))
		router_run("%s DROP CONSTRAINT %s%s", m->alter, quote_identifier(get_constraint_name(shape->constraint)),
				   cascade ? " CASCADE" : "");
	else
		router_run("DROP INDEX %s%s", router_qualified_name(shape->oid), cascade ? " CASCADE" : "");
}

/* An index of the child that becomes one of the base's by making it a constraint. */
static Shape *
find_promotable(const Mirror *m, const Shape *base, List *child)
{
	ListCell   *lc;

	if (!OidIsValid(base->constraint) || base->form->indisexclusion)
		return NULL;
	foreach(lc, child)
	{
		Shape	   *shape = lfirst(lc);

		if (shape->match == NULL && shape->form->indisvalid && !OidIsValid(shape->constraint) &&
			router_has_rule_name(m, shape->name, base->name) && same_content(m, base, shape))
			return shape;
	}
	return NULL;
}

static void
promote(const Mirror *m, const Shape *base, const Shape *child)
{
	router_run("%s ADD CONSTRAINT %s %s USING INDEX %s%s%s", m->alter, quote_identifier(child->name),
			   base->form->indisprimary ? "PRIMARY KEY" : "UNIQUE", quote_identifier(child->name),
			   base->form->indimmediate ? "" : " DEFERRABLE",
			   is_deferred(base->constraint) ? " INITIALLY DEFERRED" : "");
}

static void
mirror_index_statistics(Mirror *m, const Shape *base, const Shape *child)
{
	for (int i = 1; i <= base->natts; i++)
	{
		HeapTuple	from = SearchSysCache2(ATTNUM, ObjectIdGetDatum(base->oid), Int16GetDatum(i));
		HeapTuple	to = SearchSysCache2(ATTNUM, ObjectIdGetDatum(child->oid), Int16GetDatum(i));
		bool		no_from,
					no_to;
		Datum		wanted = SysCacheGetAttr(ATTNUM, from, Anum_pg_attribute_attstattarget, &no_from);
		Datum		there = SysCacheGetAttr(ATTNUM, to, Anum_pg_attribute_attstattarget, &no_to);
		int			target = no_from ? -1 : (int16) DatumGetInt32(wanted);

		if (target >= 0 && (no_to || (int16) DatumGetInt32(there) != target) &&
			router_mend(m, "index", "set the statistics target of column %d of index \"%s\" to %d", i, child->name, target))
			router_run("ALTER INDEX %s ALTER COLUMN %d SET STATISTICS %d", router_qualified_name(child->oid), i, target);
		ReleaseSysCache(from);
		ReleaseSysCache(to);
	}
}

static void
mirror_index_options(Mirror *m, const Shape *base, const Shape *child)
{
	HeapTuple	from = SearchSysCache1(RELOID, ObjectIdGetDatum(base->oid));
	HeapTuple	to = SearchSysCache1(RELOID, ObjectIdGetDatum(child->oid));
	bool		no_from,
				no_to;
	Datum		wanted = SysCacheGetAttr(RELOID, from, Anum_pg_class_reloptions, &no_from);
	Datum		there = SysCacheGetAttr(RELOID, to, Anum_pg_class_reloptions, &no_to);
	char	   *missing = router_missing_options(wanted, no_from, there, no_to, "");

	ReleaseSysCache(from);
	ReleaseSysCache(to);
	if (missing && router_mend(m, "index", "set (%s) of index \"%s\"", missing, child->name))
		router_run("ALTER INDEX %s SET (%s)", router_qualified_name(child->oid), missing);
}

/* What may differ between an index and its counterpart. */
static void
mirror_index_properties(Mirror *m, const Shape *base, const Shape *child)
{
	mirror_index_options(m, base, child);
	mirror_index_statistics(m, base, child);
	router_mend_comment(m, RelationRelationId, base->oid, child->oid, "index", child->name);
	if (OidIsValid(base->constraint) && OidIsValid(child->constraint))
		router_mend_comment(m, ConstraintRelationId, base->constraint, child->constraint, "constraint", child->name);
	if (base->form->indisclustered && !child->form->indisclustered &&
		router_mend(m, "index", "cluster on \"%s\"", child->name))
		router_run("%s CLUSTER ON %s", m->alter, quote_identifier(child->name));
}

/* The index of the child that is as the base's, made if it is missing; NULL in a dry run. */
static Shape *
make_counterpart(Mirror *m, const Shape *base, List *child)
{
	Shape	   *there = find_promotable(m, base, child);
	IndexStmt  *stmt;
	ObjectAddress made;
	ListCell   *lc;

	if (there)
	{
		if (!router_mend(m, "index", "make index \"%s\" the constraint that \"%s\" is", there->name, base->name))
			return NULL;
		promote(m, base, there);
		there->constraint = get_index_constraint(there->oid);
		return there;
	}
	/* what an interrupted CREATE INDEX CONCURRENTLY left */
	foreach(lc, child)
	{
		there = lfirst(lc);
		if (!there->form->indisvalid && there->match == NULL && same_content(m, base, there) &&
			router_mend(m, "index", "drop the invalid index \"%s\"", there->name))
		{
			drop_index(m, there, false);
			there->match = there;	/* gone */
		}
	}
	stmt = index_statement(m, base);
	if (!router_mend(m, "index", "create index \"%s\" like \"%s\"", stmt->idxname, base->name))
		return NULL;
	made = router_define_index(m->child, stmt, InvalidOid);
	CommandCounterIncrement();
	there = palloc0(sizeof(Shape));
	*there = *base;
	there->oid = made.objectId;
	there->name = get_rel_name(made.objectId);
	there->constraint = OidIsValid(base->constraint) ? get_index_constraint(there->oid) : InvalidOid;
	there->form = palloc0(sizeof(FormData_pg_index));
	return there;
}

void
router_mirror_indexes(Mirror *m)
{
	List	   *base = read_shapes(m->base);
	List	   *child = base ? read_child_shapes(m) : NIL;
	ListCell   *lc;

	match_shapes(m, base, child);
	foreach(lc, base)
	{
		Shape	   *shape = lfirst(lc);

		if (!shape->form->indisvalid || !(router_wanted(m, shape->oid) || router_wanted(m, shape->constraint)))
			continue;
		if (shape->match == NULL)
		{
			shape->match = make_counterpart(m, shape, child);
			m->is_part = true;
		}
		if (shape->match)
			mirror_index_properties(m, shape, shape->match);
		m->is_part = false;
	}
}

/*
 * The next step towards the base's indexes on a child that is done without
 * blocking its writers; false: there is none. What is left to router_mirror:
 * exclusion constraints, and making constraints of unique indexes.
 */
bool
router_next_index_step(Oid base, Oid child, RouterIndexStep *step)
{
	RouterMirror request = {.aspects = ROUTER_INDEXES,.dry_run = true};
	Mirror		m;
	List	   *theirs,
			   *own;
	ListCell   *lb,
			   *lc;

	memset(step, 0, sizeof(*step));
	router_open_mirror(&m, &request, base, child);
	theirs = read_shapes(m.base);
	own = read_child_shapes(&m);
	match_shapes(&m, theirs, own);
	foreach(lb, theirs)
	{
		Shape	   *shape = lfirst(lb);

		if (shape->match || !shape->form->indisvalid || shape->form->indisexclusion ||
			find_promotable(&m, shape, own) != NULL)
			continue;
		foreach(lc, own)
		{
			Shape	   *there = lfirst(lc);

			if (!there->form->indisvalid && !OidIsValid(there->constraint) && same_content(&m, shape, there))
				step->drop = there->oid;
		}
		if (!OidIsValid(step->drop))
		{
			step->create = index_statement(&m, shape);
			step->create->concurrent = true;
			step->create->isconstraint = step->create->primary = false;
			step->create->deferrable = step->create->initdeferred = false;
		}
		break;
	}
	router_close_mirror(&m);
	return step->create != NULL || OidIsValid(step->drop);
}

/* The index of the base that one of the child stands for, or the other way around; InvalidOid: there is none. */
Oid
router_index_counterpart(Oid base, Oid child, Oid index)
{
	RouterMirror request = {.aspects = ROUTER_INDEXES,.dry_run = true};
	Mirror		m;
	Oid			found = InvalidOid;
	List	   *own;
	ListCell   *lc;

	router_open_mirror(&m, &request, base, child);
	own = read_child_shapes(&m);
	match_shapes(&m, read_shapes(m.base), own);
	foreach(lc, own)
	{
		Shape	   *shape = lfirst(lc);

		if (shape->match && (shape->oid == index || shape->match->oid == index))
			found = shape->oid == index ? shape->match->oid : shape->oid;
	}
	router_close_mirror(&m);
	return found;
}

/*
 * The indexes of a base, and in the same order those of a child that stand for
 * them. Returns an index of either that has no counterpart, or InvalidOid.
 */
Oid
router_pair_indexes(Oid base, Oid child, List **base_indexes, List **child_indexes)
{
	RouterMirror request = {.aspects = ROUTER_INDEXES,.dry_run = true};
	Mirror		m;
	Oid			odd = InvalidOid;
	List	   *of_base,
			   *of_child;
	ListCell   *lc;

	*base_indexes = *child_indexes = NIL;
	router_open_mirror(&m, &request, base, child);
	of_base = read_shapes(m.base);
	of_child = read_child_shapes(&m);
	match_shapes(&m, of_base, of_child);
	foreach(lc, list_concat_copy(of_child, of_base))
	{
		Shape	   *shape = lfirst(lc);

		if (shape->match == NULL)
			odd = shape->oid;
	}
	foreach(lc, OidIsValid(odd) ? NIL : of_base)
	{
		Shape	   *shape = lfirst(lc);

		*base_indexes = lappend_oid(*base_indexes, shape->oid);
		*child_indexes = lappend_oid(*child_indexes, shape->match->oid);
	}
	router_close_mirror(&m);
	return odd;
}

void
router_mirror_replica_identity(Mirror *m)
{
	Relation	child = table_open(m->child, NoLock);
	char		wanted = m->base->rd_rel->relreplident;
	char		there = child->rd_rel->relreplident;
	Oid			there_index = child->rd_rel->relreplident == REPLICA_IDENTITY_INDEX ?
		RelationGetReplicaIndex(child) : InvalidOid;
	const char *how = wanted == REPLICA_IDENTITY_FULL ? "FULL" :
		wanted == REPLICA_IDENTITY_NOTHING ? "NOTHING" : "DEFAULT";
	Oid			index = InvalidOid;

	table_close(child, NoLock);
	if (wanted == REPLICA_IDENTITY_INDEX)
	{
		List	   *base = read_shapes(m->base);
		ListCell   *lc;

		match_shapes(m, base, read_child_shapes(m));
		foreach(lc, base)
		{
			Shape	   *shape = lfirst(lc);

			if (shape->form->indisreplident && shape->match)
				index = shape->match->oid;
		}
		if (!OidIsValid(index))
			return;				/* the base's is gone or invalid, or this is a dry run */
		how = psprintf("USING INDEX %s", quote_identifier(get_rel_name(index)));
	}
	if (wanted == there && index == there_index)
		return;
	if (router_mend(m, "replica identity", "set replica identity %s", how))
		router_run("%s REPLICA IDENTITY %s", m->alter, how);
}

/* ------------------------------------------------------------------- drops */

/* Drops from a child the counterpart of an index that the base just lost; a row of pg_index. */
void
router_drop_index_like(Mirror *m, HeapTuple dropped, const char *name, bool cascade)
{
	Shape	   *lost = read_shape(dropped);
	List	   *child = read_child_shapes(m);
	Shape	   *found = NULL;
	ListCell   *lc;

	/* one that stands for another index of the base stays */
	match_shapes(m, read_shapes(m->base), child);
	foreach(lc, child)
	{
		Shape	   *shape = lfirst(lc);

		if (shape->match == NULL && same_content(m, lost, shape) && same_constraint(lost, shape) &&
			(found == NULL || router_has_rule_name(m, shape->name, name)))
			found = shape;
	}
	if (found && router_mend(m, "index", "drop index \"%s\"", found->name))
		drop_index(m, found, cascade);
}

/* ------------------------------------------------------------------ renames */

/* The base's index was renamed, and the constraint on it. */
void
router_rename_index_like(Mirror *m, Oid index, const char *old_name)
{
	List	   *base = read_shapes(m->base);
	ListCell   *lc;

	match_shapes(m, base, read_child_shapes(m));
	foreach(lc, base)
	{
		Shape	   *shape = lfirst(lc);
		char	   *name;

		if (shape->oid != index || shape->match == NULL || !router_has_rule_name(m, shape->match->name, old_name) ||
			router_has_rule_name(m, shape->match->name, shape->name))
			continue;
		name = router_free_name(m, RelationRelationId, shape->name);
		if (router_mend(m, "index", "rename index \"%s\" to \"%s\"", shape->match->name, name))
			router_run("ALTER INDEX %s RENAME TO %s", router_qualified_name(shape->match->oid), quote_identifier(name));
	}
}
