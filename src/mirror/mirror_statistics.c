/*
 * mirror_statistics.c
 *		The part of the mirror for extended statistics. They are matched by definition, as
 *		indexes are.
 */
#include "compat.h"
#include "mirror/mirror_part.h"

#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_statistic_ext.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "base/sql.h"

typedef struct Statistics
{
	MirrorObject object;
	HeapTuple	row;			/* of pg_statistic_ext */
} Statistics;

/* The oids of the statistics on a table. */
static List *
statistics_of(Oid relid)
{
	Relation	rel = table_open(relid, NoLock);
	List	   *oids = RelationGetStatExtList(rel);

	table_close(rel, NoLock);
	return oids;
}

/* The table gets another owner, who is to alter its statistics: core leaves them to the one before. */
void
router_give_statistics(Oid relid, Oid from, Oid to)
{
	Relation	catalog = table_open(StatisticExtRelationId, RowExclusiveLock);
	ListCell   *lc;

	foreach(lc, statistics_of(relid))
	{
		HeapTuple	tup = SearchSysCacheCopy1(STATEXTOID, ObjectIdGetDatum(lfirst_oid(lc)));
		Form_pg_statistic_ext form = (Form_pg_statistic_ext) GETSTRUCT(tup);

		if (form->stxowner != from)
			continue;
		form->stxowner = to;
		CatalogTupleUpdate(catalog, &tup->t_self, tup);
		changeDependencyOnOwner(StatisticExtRelationId, form->oid, to);
	}
	table_close(catalog, RowExclusiveLock);
}

/* "(mcv) ON a, b": what statistics are made of. */
static char *
statistics_text(HeapTuple tup)
{
	bool		isnull;
	Datum		kinds = SysCacheGetAttr(STATEXTOID, tup, Anum_pg_statistic_ext_stxkind, &isnull);
	Datum		columns = DirectFunctionCall1(pg_get_statisticsobjdef_columns,
											  ObjectIdGetDatum(((Form_pg_statistic_ext) GETSTRUCT(tup))->oid));
	StringInfoData buf;
	Datum	   *elements;
	int			n;

	initStringInfo(&buf);
	deconstruct_array(DatumGetArrayTypeP(kinds), CHAROID, 1, true, TYPALIGN_CHAR, &elements, NULL, &n);
	for (int i = 0; i < n; i++)
	{
		char		kind = DatumGetChar(elements[i]);

		if (kind == STATS_EXT_EXPRESSIONS)
			continue;			/* comes with the expressions */
		appendStringInfo(&buf, "%s%s", buf.len > 0 ? ", " : "(",
						 kind == STATS_EXT_NDISTINCT ? "ndistinct" :
						 kind == STATS_EXT_DEPENDENCIES ? "dependencies" : "mcv");
	}
	if (buf.len > 0)
		appendStringInfoString(&buf, ") ");
	appendStringInfo(&buf, "ON %s", TextDatumGetCString(columns));
	return buf.data;
}

static MirrorObject *
read_row(HeapTuple row)
{
	Statistics *statistics = palloc0(sizeof(Statistics));
	Form_pg_statistic_ext form = (Form_pg_statistic_ext) GETSTRUCT(row);

	statistics->object.oid = form->oid;
	statistics->object.name = NameStr(form->stxname);
	statistics->object.schema = form->stxnamespace;
	statistics->row = row;
	return &statistics->object;
}

static List *
read_statistics(const Mirror *m, Oid relid)
{
	List	   *statistics = NIL;
	ListCell   *lc;

	foreach(lc, statistics_of(relid))
	{
		HeapTuple	row = SearchSysCacheCopy1(STATEXTOID, ObjectIdGetDatum(lfirst_oid(lc)));

		if (HeapTupleIsValid(row))
			statistics = lappend(statistics, read_row(row));
	}
	return statistics;
}

static MirrorObject *
read_dropped_statistics(const RouterChange *change)
{
	return read_row(change->dropped);
}

/* Do statistics of base and child say the same? The base's may be just dropped. */
static bool
statistics_stand_for(const Mirror *m, const MirrorObject *base, const MirrorObject *child)
{
	HeapTuple	from = ((const Statistics *) base)->row;
	HeapTuple	to = ((const Statistics *) child)->row;
	int2vector *x = &((Form_pg_statistic_ext) GETSTRUCT(from))->stxkeys;
	int2vector *y = &((Form_pg_statistic_ext) GETSTRUCT(to))->stxkeys;
	bool		no_base,
				no_child;
	Datum		base_kinds = SysCacheGetAttr(STATEXTOID, from, Anum_pg_statistic_ext_stxkind, &no_base);
	Datum		child_kinds = SysCacheGetAttr(STATEXTOID, to, Anum_pg_statistic_ext_stxkind, &no_child);

	if (!router_same_array(base_kinds, no_base, child_kinds, no_child) || x->dim1 != y->dim1)
		return false;
	for (int i = 0; i < x->dim1; i++)
	{
		bool		found = false;

		for (int j = 0; j < y->dim1 && !found; j++)
			found = router_child_attnum(m, x->values[i]) == y->values[j];
		if (!found)
			return false;
	}
	return router_same_expr(m, router_stored_tree(STATEXTOID, from, Anum_pg_statistic_ext_stxexprs),
							router_stored_tree(STATEXTOID, to, Anum_pg_statistic_ext_stxexprs));
}

static int
target_of(const MirrorObject *object)
{
	bool		isnull;
	Datum		target = SysCacheGetAttr(STATEXTOID, ((const Statistics *) object)->row,
										 Anum_pg_statistic_ext_stxstattarget, &isnull);

	return isnull ? -1 : (int16) DatumGetInt32(target);
}

static MirrorObject *
make_statistics(Mirror *m, MirrorObject *wanted, List *own)
{
	Oid			schema = get_rel_namespace(m->child);
	char	   *name = router_free_name(m, StatisticExtRelationId, wanted->name);

	if (!router_mend(m, "statistics", "create statistics \"%s\" like \"%s\"", name, wanted->name))
		return NULL;
	router_run("CREATE STATISTICS %s %s FROM %s", quote_qualified_identifier(get_namespace_name(schema), name),
			   statistics_text(((Statistics *) wanted)->row), m->name);
	return read_row(SearchSysCacheCopy2(STATEXTNAMENSP, CStringGetDatum(name), ObjectIdGetDatum(schema)));
}

static void
mirror_statistics_properties(Mirror *m, const MirrorObject *wanted, const MirrorObject *there)
{
	int			target = target_of(wanted);

	if (target >= 0 && target != target_of(there) &&
		router_mend(m, "statistics", "set the target of statistics \"%s\" to %d", there->name, target))
		router_run("ALTER STATISTICS %s SET STATISTICS %d",
				   quote_qualified_identifier(get_namespace_name(there->schema), there->name), target);
	router_mend_object_comment(m, &router_mirror_statistics, wanted, there);
}

const MirrorKind router_mirror_statistics = {
	.aspect = ROUTER_STATISTICS,
	.classid = StatisticExtRelationId,
	.word = "statistics",
	.sql = "STATISTICS",
	.read = read_statistics,
	.read_dropped = read_dropped_statistics,
	.stands_for = statistics_stand_for,
	.make = make_statistics,
	.properties = mirror_statistics_properties,
};
