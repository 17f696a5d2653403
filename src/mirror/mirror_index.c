/*
 * mirror_index.c
 *		The part of the mirror for indexes with the constraints on them, and for the
 *		replica identity that may be one of them.
 *
 * An index of the child stands for one of the base if access method, columns,
 * expressions, predicate, operator classes, collations, uniqueness, constraint
 * and deferrability are the same. Storage parameters, statistics targets, comment
 * and CLUSTER ON are properties that a match is given.
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

typedef struct TableIndex
{
	MirrorObject object;
	Oid			am;				/* InvalidOid: the index was dropped, and its constraint with it */
	HeapTuple	row;			/* of pg_index */
	Form_pg_index form;			/* in it */
	HeapTuple	constraint;		/* row of pg_constraint, if it implements one that is there */
} TableIndex;

/* Of an index itself, without a child that is mended. */
static const RouterMirror look = {.aspects = ROUTER_INDEXES,.dry_run = true};

static TableIndex *
read_index(HeapTuple row)
{
	TableIndex	   *index = palloc0(sizeof(TableIndex));

	index->row = row;
	index->form = (Form_pg_index) GETSTRUCT(row);
	index->object.oid = index->form->indexrelid;
	index->object.invalid = !index->form->indisvalid;
	return index;
}

static MirrorObject *
read_dropped_index(const RouterChange *change)
{
	TableIndex	   *index = read_index(change->dropped);

	index->object.name = pstrdup(change->name);
	return &index->object;
}

static List *
read_indexes(const Mirror *m, Oid relid)
{
	Relation	rel = table_open(relid, NoLock);
	List	   *indexes = NIL;
	ListCell   *lc;

	foreach(lc, RelationGetIndexList(rel))
	{
		HeapTuple	row = SearchSysCacheCopy1(INDEXRELID, ObjectIdGetDatum(lfirst_oid(lc)));
		HeapTuple	relation = SearchSysCache1(RELOID, ObjectIdGetDatum(lfirst_oid(lc)));

		/* not one that router made for a while: rows/row_hash.c */
		if (HeapTupleIsValid(row) && HeapTupleIsValid(relation) &&
			!OidIsValid(((Form_pg_class) GETSTRUCT(relation))->relrewrite))
		{
			Form_pg_class class = (Form_pg_class) GETSTRUCT(relation);
			TableIndex	   *index = read_index(row);

			index->object.name = pstrdup(NameStr(class->relname));
			index->object.schema = class->relnamespace;
			index->am = class->relam;
			if (index->form->indisunique || index->form->indisexclusion)
				index->object.constraint = get_index_constraint(lfirst_oid(lc));
			if (OidIsValid(index->object.constraint))
				index->constraint = SearchSysCacheCopy1(CONSTROID, ObjectIdGetDatum(index->object.constraint));
			indexes = lappend(indexes, index);
		}
		if (HeapTupleIsValid(relation))
			ReleaseSysCache(relation);
	}
	table_close(rel, NoLock);
	return indexes;
}

/* ----------------------------------------------------------------- matching */

static bool
same_attribute(int cache, HeapTuple base, HeapTuple child, AttrNumber attno)
{
	bool		no_base,
				no_child;
	Datum		x = SysCacheGetAttr(cache, base, attno, &no_base);
	Datum		y = SysCacheGetAttr(cache, child, attno, &no_child);

	return router_same_array(x, no_base, y, no_child);
}

static bool
same_index_tree(const Mirror *m, const TableIndex *base, const TableIndex *child, AttrNumber attno)
{
	return router_same_expr(m, router_stored_tree(INDEXRELID, base->row, attno),
							router_stored_tree(INDEXRELID, child->row, attno));
}

/* Parameters of operator classes. A dropped index has none any more. */
static bool
same_class_options(const TableIndex *base, const TableIndex *child)
{
	for (int i = 1; i <= base->form->indnkeyatts && OidIsValid(base->am); i++)
	{
		Datum		x = get_attoptions(base->object.oid, i);
		Datum		y = get_attoptions(child->object.oid, i);

		if (!router_same_array(x, x == (Datum) 0, y, y == (Datum) 0))
			return false;
	}
	return true;
}

/* Do both index the same? */
static bool
same_content(const Mirror *m, const TableIndex *base, const TableIndex *child)
{
	Form_pg_index x = base->form;
	Form_pg_index y = child->form;

	if (x->indnatts != y->indnatts || x->indnkeyatts != y->indnkeyatts || x->indisunique != y->indisunique ||
		x->indisexclusion != y->indisexclusion || x->indnullsnotdistinct != y->indnullsnotdistinct ||
		(OidIsValid(base->am) && base->am != child->am))
		return false;
	for (int i = 0; i < x->indnatts; i++)
		if (router_child_attnum(m, x->indkey.values[i]) != y->indkey.values[i] ||
			(x->indkey.values[i] != 0 && y->indkey.values[i] == 0))
			return false;
	return same_attribute(INDEXRELID, base->row, child->row, Anum_pg_index_indclass) &&
		same_attribute(INDEXRELID, base->row, child->row, Anum_pg_index_indcollation) &&
		same_attribute(INDEXRELID, base->row, child->row, Anum_pg_index_indoption) &&
		(!x->indisexclusion || base->constraint == NULL || child->constraint == NULL ||
		 same_attribute(CONSTROID, base->constraint, child->constraint, Anum_pg_constraint_conexclop)) &&
		same_index_tree(m, base, child, Anum_pg_index_indexprs) &&
		same_index_tree(m, base, child, Anum_pg_index_indpred) &&
		same_class_options(base, child);
}

/* INITIALLY DEFERRED is not in pg_index. */
static bool
is_deferred(const TableIndex *index)
{
	return index->constraint && ((Form_pg_constraint) GETSTRUCT(index->constraint))->condeferred;
}

static bool
same_constraint(const TableIndex *base, const TableIndex *child)
{
	return base->form->indisprimary == child->form->indisprimary &&
		base->form->indimmediate == child->form->indimmediate &&
		(!OidIsValid(base->am) ||
		 (OidIsValid(base->object.constraint) == OidIsValid(child->object.constraint) &&
		  is_deferred(base) == is_deferred(child)));
}

static bool
index_stands_for(const Mirror *m, const MirrorObject *base, const MirrorObject *child)
{
	const TableIndex *x = (const TableIndex *) base;
	const TableIndex *y = (const TableIndex *) child;

	return same_content(m, x, y) && same_constraint(x, y);
}

/* ------------------------------------------------------------------ indexes */

/* The statement that makes an index of the base on the child. */
static IndexStmt *
index_statement(const Mirror *m, const TableIndex *from)
{
	Relation	index = index_open(from->object.oid, AccessShareLock);
	Oid			constraint;
	Oid			tablespace = get_rel_tablespace(m->child);
	IndexStmt  *stmt = generateClonedIndexStmt(NULL, index, m->map, &constraint);

	/* an index that lies with its table does so on the child */
	if (index->rd_rel->reltablespace == m->base->rd_rel->reltablespace)
		stmt->tableSpace = OidIsValid(tablespace) ? get_tablespace_name(tablespace) : NULL;
	stmt->idxname = router_free_name(m, RelationRelationId, from->object.name);
	index_close(index, AccessShareLock);
	return stmt;
}

/* An index of the child that becomes one of the base's by making it a constraint. */
static TableIndex *
find_promotable(const Mirror *m, const TableIndex *base, List *child)
{
	ListCell   *lc;

	if (!OidIsValid(base->object.constraint) || base->form->indisexclusion)
		return NULL;
	foreach(lc, child)
	{
		TableIndex	   *index = lfirst(lc);

		if (index->object.match == NULL && index->form->indisvalid && !OidIsValid(index->object.constraint) &&
			router_has_rule_name(m, index->object.name, base->object.name) && same_content(m, base, index))
			return index;
	}
	return NULL;
}

static void
promote(const Mirror *m, const TableIndex *base, const TableIndex *child)
{
	const char *name = quote_identifier(child->object.name);

	router_run("%s ADD CONSTRAINT %s %s USING INDEX %s%s%s", m->alter, name,
			   base->form->indisprimary ? "PRIMARY KEY" : "UNIQUE", name,
			   base->form->indimmediate ? "" : " DEFERRABLE", is_deferred(base) ? " INITIALLY DEFERRED" : "");
}

static void
mirror_index_statistics(Mirror *m, const TableIndex *base, const MirrorObject *child)
{
	for (int i = 1; i <= base->form->indnatts; i++)
	{
		HeapTuple	from = SearchSysCache2(ATTNUM, ObjectIdGetDatum(base->object.oid), Int16GetDatum(i));
		HeapTuple	to = SearchSysCache2(ATTNUM, ObjectIdGetDatum(child->oid), Int16GetDatum(i));
		int			target = router_statistics_target(from);

		if (target >= 0 && router_statistics_target(to) != target &&
			router_mend(m, "index", "set the statistics target of column %d of index \"%s\" to %d", i, child->name, target))
			router_run("ALTER INDEX %s ALTER COLUMN %d SET STATISTICS %d", router_qualified_name(child->oid), i, target);
		ReleaseSysCache(from);
		ReleaseSysCache(to);
	}
}

/* What may differ between an index and its counterpart. */
static void
mirror_index_properties(Mirror *m, const MirrorObject *wanted, const MirrorObject *there)
{
	const TableIndex *base = (const TableIndex *) wanted;
	const TableIndex *child = (const TableIndex *) there;
	char	   *missing = router_missing_relation_options(wanted->oid, there->oid, "");

	if (missing && router_mend(m, "index", "set (%s) of index \"%s\"", missing, there->name))
		router_run("ALTER INDEX %s SET (%s)", router_qualified_name(there->oid), missing);
	mirror_index_statistics(m, base, there);
	router_mend_object_comment(m, &router_mirror_index, wanted, there);
	if (OidIsValid(wanted->constraint) && OidIsValid(there->constraint))
		router_mend_comment(m, ConstraintRelationId, wanted->constraint, there->constraint, "constraint", there->name);
	if (base->form->indisclustered && !child->form->indisclustered &&
		router_mend(m, "index", "cluster on \"%s\"", there->name))
		router_run("%s CLUSTER ON %s", m->alter, quote_identifier(there->name));
}

/* Drops what an interrupted CREATE INDEX CONCURRENTLY left. */
static void
drop_invalid(Mirror *m, const TableIndex *base, List *own)
{
	ListCell   *lc;

	foreach(lc, own)
	{
		TableIndex	   *there = lfirst(lc);

		if (!there->form->indisvalid && there->object.match == NULL && same_content(m, base, there) &&
			router_mend(m, "index", "drop the invalid index \"%s\"", there->object.name))
		{
			router_drop_object(m, &router_mirror_index, &there->object, false);
			there->object.match = &there->object;	/* gone */
		}
	}
}

static MirrorObject *
make_index(Mirror *m, MirrorObject *wanted, List *own)
{
	const TableIndex *base = (const TableIndex *) wanted;
	TableIndex	   *there = find_promotable(m, base, own);
	IndexStmt  *stmt;
	Oid			made;

	if (there)
	{
		if (!router_mend(m, "index", "make index \"%s\" the constraint that \"%s\" is", there->object.name, wanted->name))
			return NULL;
		promote(m, base, there);
		there->object.constraint = get_index_constraint(there->object.oid);
		return &there->object;
	}
	drop_invalid(m, base, own);
	stmt = index_statement(m, base);
	if (!router_mend(m, "index", "create index \"%s\" like \"%s\"", stmt->idxname, wanted->name))
		return NULL;
	made = router_define_index(m->child, stmt, InvalidOid).objectId;
	CommandCounterIncrement();
	there = read_index(SearchSysCacheCopy1(INDEXRELID, ObjectIdGetDatum(made)));
	there->object.name = get_rel_name(made);
	there->object.constraint = OidIsValid(wanted->constraint) ? get_index_constraint(made) : InvalidOid;
	return &there->object;
}

const MirrorKind router_mirror_index = {
	.aspect = ROUTER_INDEXES,
	.classid = RelationRelationId,
	.word = "index",
	.sql = "INDEX",
	.read = read_indexes,
	.read_dropped = read_dropped_index,
	.stands_for = index_stands_for,
	.make = make_index,
	.properties = mirror_index_properties,
};

void
router_mirror_indexes(Mirror *m)
{
	m->indexes = router_mirror_objects(m, &router_mirror_index);
}

/* ------------------------------------------------------------- counterparts */

/* Reads and matches the indexes of both. Returns those of the child. */
static List *
match_indexes(Mirror *m)
{
	m->indexes = read_indexes(m, RelationGetRelid(m->base));
	return router_match_objects(m, &router_mirror_index, m->indexes);
}

/* The index of the child that stands for one of the base, or the other way around; InvalidOid: there is none. */
Oid
router_matched_index(Mirror *m, Oid index)
{
	ListCell   *lc;

	if (m->indexes == NIL)
		(void) match_indexes(m);
	foreach(lc, m->indexes)
	{
		MirrorObject *base = lfirst(lc);

		if (base->match && (base->oid == index || base->match->oid == index))
			return base->oid == index ? base->match->oid : base->oid;
	}
	return InvalidOid;
}

/* The same for a child that is not at work. */
Oid
router_index_counterpart(Oid base, Oid child, Oid index)
{
	Mirror		m;
	Oid			found;

	router_open_mirror(&m, &look, base, child);
	found = router_matched_index(&m, index);
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
	Mirror		m;
	Oid			odd = InvalidOid;
	List	   *own;
	ListCell   *lc;

	*base_indexes = *child_indexes = NIL;
	router_open_mirror(&m, &look, base, child);
	own = match_indexes(&m);
	foreach(lc, list_concat_copy(own, m.indexes))
	{
		MirrorObject *index = lfirst(lc);

		if (index->match == NULL)
			odd = index->oid;
	}
	foreach(lc, OidIsValid(odd) ? NIL : m.indexes)
	{
		MirrorObject *index = lfirst(lc);

		*base_indexes = lappend_oid(*base_indexes, index->oid);
		*child_indexes = lappend_oid(*child_indexes, index->match->oid);
	}
	router_close_mirror(&m);
	return odd;
}

static Node *
drop_statement(const MirrorObject *index)
{
	DropStmt   *stmt = makeNode(DropStmt);

	stmt->removeType = OBJECT_INDEX;
	stmt->concurrent = true;
	stmt->objects = list_make1(list_make2(makeString(get_namespace_name(index->schema)), makeString(index->name)));
	return (Node *) stmt;
}

static Node *
index_step(const Mirror *m, const TableIndex *index, List *own)
{
	IndexStmt  *stmt;
	ListCell   *lc;

	foreach(lc, own)
	{
		TableIndex *there = lfirst(lc);

		if (!there->form->indisvalid && !OidIsValid(there->object.constraint) && same_content(m, index, there))
			return drop_statement(&there->object);
	}
	stmt = index_statement(m, index);
	stmt->concurrent = true;
	stmt->isconstraint = stmt->primary = stmt->deferrable = stmt->initdeferred = false;
	return (Node *) stmt;
}

/*
 * The next step towards the base's indexes on a child that is done without
 * blocking its writers, a DropStmt of an invalid index or an IndexStmt; NULL: there
 * is none. What is left to router_mirror: exclusion constraints, and making
 * constraints of unique indexes.
 */
Node *
router_next_index_step(Oid base, Oid child)
{
	Mirror		m;
	Node	   *step = NULL;
	List	   *own;
	ListCell   *lc;

	router_open_mirror(&m, &look, base, child);
	own = match_indexes(&m);
	foreach(lc, m.indexes)
	{
		TableIndex *index = lfirst(lc);

		if (step == NULL && index->object.match == NULL && index->form->indisvalid && !index->form->indisexclusion &&
			find_promotable(&m, index, own) == NULL)
			step = index_step(&m, index, own);
	}
	router_close_mirror(&m);
	return step;
}

void
router_mirror_replica_identity(Mirror *m)
{
	Relation	child = table_open(m->child, NoLock);
	char		wanted = m->base->rd_rel->relreplident;
	char		there = child->rd_rel->relreplident;
	Oid			there_index = there == REPLICA_IDENTITY_INDEX ? RelationGetReplicaIndex(child) : InvalidOid;
	const char *how = wanted == REPLICA_IDENTITY_FULL ? "FULL" :
		wanted == REPLICA_IDENTITY_NOTHING ? "NOTHING" : "DEFAULT";
	Oid			index = InvalidOid;

	table_close(child, NoLock);
	if (wanted == REPLICA_IDENTITY_INDEX)
	{
		index = router_matched_index(m, RelationGetReplicaIndex(m->base));
		if (!OidIsValid(index))
			return;				/* the base's is gone or invalid, or this is a dry run */
		how = psprintf("USING INDEX %s", quote_identifier(get_rel_name(index)));
	}
	if (wanted == there && index == there_index)
		return;
	if (router_mend(m, "replica identity", "set replica identity %s", how))
		router_run("%s REPLICA IDENTITY %s", m->alter, how);
}
