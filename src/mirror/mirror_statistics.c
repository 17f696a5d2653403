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

static void
drop_object(Oid classid, Oid oid)
{
	ObjectAddress address;

	ObjectAddressSet(address, classid, oid);
	performDeletion(&address, DROP_RESTRICT, 0);
	CommandCounterIncrement();
}

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

/* Do statistics of base and child say the same? The base's may be just dropped. */
static bool
same_statistics(const Mirror *m, HeapTuple base, HeapTuple child)
{
	int2vector *x = &((Form_pg_statistic_ext) GETSTRUCT(base))->stxkeys;
	int2vector *y = &((Form_pg_statistic_ext) GETSTRUCT(child))->stxkeys;
	bool		no_base,
				no_child;
	Datum		base_datum = SysCacheGetAttr(STATEXTOID, base, Anum_pg_statistic_ext_stxkind, &no_base);
	Datum		child_datum = SysCacheGetAttr(STATEXTOID, child, Anum_pg_statistic_ext_stxkind, &no_child);

	if (!router_same_array(base_datum, no_base, child_datum, no_child) || x->dim1 != y->dim1)
		return false;
	for (int i = 0; i < x->dim1; i++)
	{
		bool		found = false;

		for (int j = 0; j < y->dim1 && !found; j++)
			found = router_child_attnum(m, x->values[i]) == y->values[j];
		if (!found)
			return false;
	}
	base_datum = SysCacheGetAttr(STATEXTOID, base, Anum_pg_statistic_ext_stxexprs, &no_base);
	child_datum = SysCacheGetAttr(STATEXTOID, child, Anum_pg_statistic_ext_stxexprs, &no_child);
	return router_same_expr(m, no_base ? NULL : stringToNode(TextDatumGetCString(base_datum)),
					 no_child ? NULL : stringToNode(TextDatumGetCString(child_datum)));
}

static int
statistics_object_target(HeapTuple tup)
{
	bool		isnull;
	Datum		target = SysCacheGetAttr(STATEXTOID, tup, Anum_pg_statistic_ext_stxstattarget, &isnull);

	return isnull ? -1 : (int16) DatumGetInt32(target);
}

/* The child's statistics that stand for some of the base, other than those in taken; with the name by rule first. */
static Oid
find_statistics(const Mirror *m, HeapTuple base, List *taken)
{
	const char *base_name = NameStr(((Form_pg_statistic_ext) GETSTRUCT(base))->stxname);
	Oid			found = InvalidOid;
	ListCell   *lc;

	foreach(lc, statistics_of(m->child))
	{
		HeapTuple	tup = SearchSysCache1(STATEXTOID, ObjectIdGetDatum(lfirst_oid(lc)));

		if (!HeapTupleIsValid(tup))
			continue;
		if (!list_member_oid(taken, lfirst_oid(lc)) && same_statistics(m, base, tup) &&
			(!OidIsValid(found) ||
			 router_has_rule_name(m, NameStr(((Form_pg_statistic_ext) GETSTRUCT(tup))->stxname), base_name)))
			found = lfirst_oid(lc);
		ReleaseSysCache(tup);
	}
	return found;
}

/* The statistics of the child that are as the base's, made if they are missing; InvalidOid in a dry run. */
static Oid
make_statistics(Mirror *m, HeapTuple base)
{
	const char *base_name = NameStr(((Form_pg_statistic_ext) GETSTRUCT(base))->stxname);
	Oid			schema = get_rel_namespace(m->child);
	char	   *name = router_free_name(m, StatisticExtRelationId, base_name);

	if (!router_mend(m, "statistics", "create statistics \"%s\" like \"%s\"", name, base_name))
		return InvalidOid;
	router_run("CREATE STATISTICS %s %s FROM %s", quote_qualified_identifier(get_namespace_name(schema), name),
			   statistics_text(base), m->name);
	return GetSysCacheOid2(STATEXTNAMENSP, Anum_pg_statistic_ext_oid, CStringGetDatum(name), ObjectIdGetDatum(schema));
}

static void
mirror_statistics_properties(Mirror *m, HeapTuple base, Oid to)
{
	HeapTuple	tup = SearchSysCache1(STATEXTOID, ObjectIdGetDatum(to));
	Form_pg_statistic_ext form = (Form_pg_statistic_ext) GETSTRUCT(tup);
	char	   *name = pstrdup(NameStr(form->stxname));
	char	   *qualified = quote_qualified_identifier(get_namespace_name(form->stxnamespace), name);
	int			target = statistics_object_target(base);
	int			there = statistics_object_target(tup);

	ReleaseSysCache(tup);
	if (target >= 0 && target != there &&
		router_mend(m, "statistics", "set the target of statistics \"%s\" to %d", name, target))
		router_run("ALTER STATISTICS %s SET STATISTICS %d", qualified, target);
	router_mend_comment(m, StatisticExtRelationId, ((Form_pg_statistic_ext) GETSTRUCT(base))->oid, to, "statistics",
						name);
}

void
router_mirror_statistics(Mirror *m)
{
	List	   *taken = NIL;
	ListCell   *lc;

	foreach(lc, statistics_of(RelationGetRelid(m->base)))
	{
		HeapTuple	base = SearchSysCacheCopy1(STATEXTOID, ObjectIdGetDatum(lfirst_oid(lc)));
		Oid			to;

		if (!HeapTupleIsValid(base))
			continue;
		to = find_statistics(m, base, taken);
		if (!OidIsValid(to) && router_wanted(m, lfirst_oid(lc)))
		{
			to = make_statistics(m, base);
			m->is_part = true;
		}
		if (OidIsValid(to))
			taken = lappend_oid(taken, to);
		if (OidIsValid(to) && router_wanted(m, lfirst_oid(lc)))
			mirror_statistics_properties(m, base, to);
		m->is_part = false;
	}
}

/* Drops from a child the counterpart of statistics that the base just lost; a row of pg_statistic_ext. */
void
router_drop_statistics_like(Mirror *m, HeapTuple dropped)
{
	List	   *taken = NIL;
	ListCell   *lc;
	Oid			found;

	foreach(lc, statistics_of(RelationGetRelid(m->base)))
	{
		HeapTuple	base = SearchSysCacheCopy1(STATEXTOID, ObjectIdGetDatum(lfirst_oid(lc)));

		taken = lappend_oid(taken, find_statistics(m, base, taken));
	}
	found = find_statistics(m, dropped, taken);
	if (OidIsValid(found) && router_mend(m, "statistics", "drop statistics %u", found))
		drop_object(StatisticExtRelationId, found);
}

void
router_rename_statistics_like(Mirror *m, Oid statistics, const char *old_name)
{
	HeapTuple	base = SearchSysCacheCopy1(STATEXTOID, ObjectIdGetDatum(statistics));
	Form_pg_statistic_ext form = (Form_pg_statistic_ext) GETSTRUCT(base);
	char	   *new_name = pstrdup(NameStr(form->stxname));
	HeapTuple	there;

	namestrcpy(&form->stxname, old_name);
	there = SearchSysCacheCopy1(STATEXTOID, ObjectIdGetDatum(find_statistics(m, base, NIL)));
	if (!HeapTupleIsValid(there))
		return;
	form = (Form_pg_statistic_ext) GETSTRUCT(there);
	if (!router_has_rule_name(m, NameStr(form->stxname), old_name) ||
		router_has_rule_name(m, NameStr(form->stxname), new_name))
		return;
	new_name = router_free_name(m, StatisticExtRelationId, new_name);
	if (router_mend(m, "statistics", "rename statistics \"%s\" to \"%s\"", NameStr(form->stxname), new_name))
		router_run("ALTER STATISTICS %s RENAME TO %s",
				   quote_qualified_identifier(get_namespace_name(form->stxnamespace), NameStr(form->stxname)),
				   quote_identifier(new_name));
}
