/*
 * mirror_column.c
 *		The part of the mirror for columns: defaults, identity, NOT NULL, storage,
 *		compression, statistics targets, n_distinct; and for comments on the table
 *		and its columns.
 */
#include "compat.h"
#include "mirror/mirror_part.h"
#include "base/sql.h"

#include "access/table.h"
#include "access/toast_compression.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_type.h"
#include "commands/comment.h"
#include "nodes/nodeFuncs.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/ruleutils.h"
#include "utils/syscache.h"

int
router_statistics_target(HeapTuple column)
{
	bool		isnull;
	Datum		target = SysCacheGetAttr(ATTNUM, column, Anum_pg_attribute_attstattarget, &isnull);

	/* an integer in some releases, a smallint in others, and both by value */
	return isnull ? -1 : (int16) DatumGetInt32(target);
}

/*
 * The options that belong to users: n_distinct and n_distinct_inherited. Some
 * releases keep a version of the column beside them.
 */
static Datum
column_options(HeapTuple column, bool *isnull)
{
	Datum		options = SysCacheGetAttr(ATTNUM, column, Anum_pg_attribute_attoptions, isnull);
	ArrayBuildState *kept = NULL;
	Datum	   *elements;
	int			n;

	if (*isnull)
		return (Datum) 0;
	deconstruct_array(DatumGetArrayTypeP(options), TEXTOID, -1, false, TYPALIGN_INT, &elements, NULL, &n);
	for (int i = 0; i < n; i++)
		if (strncmp(TextDatumGetCString(elements[i]), "n_distinct", 10) == 0)
			kept = accumArrayResult(kept, elements[i], false, TEXTOID, CurrentMemoryContext);
	*isnull = kept == NULL;
	return kept ? makeArrayResult(kept, CurrentMemoryContext) : (Datum) 0;
}

static void
mirror_column_options(Mirror *m, HeapTuple from, HeapTuple to, const char *column)
{
	bool		no_from,
				no_to;
	Datum		wanted = column_options(from, &no_from);
	Datum		there = column_options(to, &no_to);
	char	   *missing = router_missing_options(wanted, no_from, there, no_to, "");

	if (missing && router_mend(m, "column", "set (%s) of column %s", missing, column))
		router_run("%s ALTER COLUMN %s SET (%s)", m->alter, column, missing);
	if (!m->request->exact)
		return;
	missing = router_missing_options(there, no_to, wanted, no_from, "");
	if (missing && no_from && router_mend(m, "column", "reset n_distinct of column %s", column))
		router_run("%s ALTER COLUMN %s RESET (n_distinct, n_distinct_inherited)", m->alter, column);
}

static void
mirror_column_storage(Mirror *m, HeapTuple from, HeapTuple to, const char *column)
{
	Form_pg_attribute base = (Form_pg_attribute) GETSTRUCT(from);
	Form_pg_attribute child = (Form_pg_attribute) GETSTRUCT(to);
	int			target = router_statistics_target(from);

	if (target >= 0 && router_statistics_target(to) != target &&
		router_mend(m, "column", "set the statistics target of column %s to %d", column, target))
		router_run("%s ALTER COLUMN %s SET STATISTICS %d", m->alter, column, target);
	if (m->relkind != RELKIND_RELATION)
		return;
	if (base->attstorage != child->attstorage &&
		router_mend(m, "column", "set the storage of column %s", column))
		router_run("%s ALTER COLUMN %s SET STORAGE %s", m->alter, column,
				   base->attstorage == TYPSTORAGE_PLAIN ? "PLAIN" : base->attstorage == TYPSTORAGE_EXTERNAL ? "EXTERNAL" :
				   base->attstorage == TYPSTORAGE_MAIN ? "MAIN" : "EXTENDED");
	if (base->attcompression != child->attcompression &&
		router_mend(m, "column", "set the compression of column %s", column))
		router_run("%s ALTER COLUMN %s SET COMPRESSION %s", m->alter, column,
				   CompressionMethodIsValid(base->attcompression) ?
				   GetCompressionMethodName(base->attcompression) : "default");
	if (!router_not_null_is_constraint && base->attnotnull && !child->attnotnull &&
		router_mend(m, "column", "set column %s not null", column))
		router_run("%s ALTER COLUMN %s SET NOT NULL", m->alter, column);
}

/* The text of a column's default, or NULL. */
static char *
default_of(TupleDesc desc, AttrNumber attnum)
{
	for (int i = 0; desc->constr && i < desc->constr->num_defval; i++)
		if (desc->constr->defval[i].adnum == attnum)
			return desc->constr->defval[i].adbin;
	return NULL;
}

/* Defaults are given as text, after which their trees may differ. */
static char *
default_text(const char *expression)
{
	return deparse_expression(stringToNode(expression), NIL, false, false);
}

/* The number of a sequence, as bigint or cast for a narrower column? */
static bool
is_nextval(const char *expression, Oid sequence)
{
	FuncExpr   *call = expression ? (FuncExpr *) strip_implicit_coercions(stringToNode(expression)) : NULL;
	Const	   *argument;

	if (call == NULL || !IsA(call, FuncExpr) || call->funcid != F_NEXTVAL || !IsA(linitial(call->args), Const))
		return false;
	argument = linitial_node(Const, call->args);
	return !argument->constisnull && DatumGetObjectId(argument->constvalue) == sequence;
}

/* An identity column: the child takes its numbers from the base's sequence. */
static void
mirror_identity(Mirror *m, AttrNumber attnum, const char *there, const char *column)
{
	Oid			sequence = router_identity_sequence(m->base, attnum);

	if (!is_nextval(there, sequence) && router_mend(m, "default", "take the identity of column %s from the base", column))
		router_run("%s ALTER COLUMN %s SET DEFAULT nextval(%s::regclass)", m->alter, column,
				   quote_literal_cstr(router_qualified_name(sequence)));
}

static void
mirror_default(Mirror *m, HeapTuple from, HeapTuple to, const char *column)
{
	Form_pg_attribute base = (Form_pg_attribute) GETSTRUCT(from);
	Form_pg_attribute child = (Form_pg_attribute) GETSTRUCT(to);
	char	   *wanted = default_of(RelationGetDescr(m->base), base->attnum);
	Relation	rel;
	char	   *there;

	if (base->attgenerated || child->attgenerated || child->attidentity || (wanted == NULL && !base->attidentity))
		return;
	rel = table_open(m->child, NoLock);
	there = default_of(RelationGetDescr(rel), child->attnum);
	there = there ? pstrdup(there) : NULL;
	table_close(rel, NoLock);
	if (base->attidentity)
		mirror_identity(m, base->attnum, there, column);
	else if ((there == NULL ||
			  (strcmp(wanted, there) != 0 && strcmp(default_text(wanted), default_text(there)) != 0)) &&
			 router_mend(m, "default", "set the default of column %s", column))
		router_run("%s ALTER COLUMN %s SET DEFAULT %s", m->alter, column, default_text(wanted));
}

static void
mirror_column(Mirror *m, HeapTuple from, HeapTuple to)
{
	const char *column = quote_identifier(NameStr(((Form_pg_attribute) GETSTRUCT(to))->attname));

	mirror_column_storage(m, from, to, column);
	mirror_column_options(m, from, to, column);
	mirror_default(m, from, to, column);
}

/* Does something for each column that base and child have, of those asked for; its rows of pg_attribute. */
void
router_for_columns(Mirror *m, bool all, void (*mirror) (Mirror *m, HeapTuple from, HeapTuple to))
{
	for (int i = 1; i <= m->map->maplen; i++)
	{
		AttrNumber	attnum = router_child_attnum(m, i);
		HeapTuple	from,
					to;

		if (attnum == 0 || (m->request->exact && !all && !list_member_int(m->request->columns, i)))
			continue;
		from = SearchSysCache2(ATTNUM, ObjectIdGetDatum(RelationGetRelid(m->base)), Int16GetDatum(i));
		to = SearchSysCache2(ATTNUM, ObjectIdGetDatum(m->child), Int16GetDatum(attnum));
		mirror(m, from, to);
		ReleaseSysCache(from);
		ReleaseSysCache(to);
	}
}

void
router_mirror_columns(Mirror *m)
{
	router_for_columns(m, false, mirror_column);
}

/* ----------------------------------------------------------------- comments */

void
router_mirror_comments(Mirror *m)
{
	for (int i = 0; i <= m->map->maplen; i++)
	{
		AttrNumber	attnum = router_child_attnum(m, i);
		char	   *wanted;
		char	   *there;

		if ((i > 0 && attnum == 0) || (m->request->exact && !list_member_int(m->request->columns, i)))
			continue;
		wanted = GetComment(RelationGetRelid(m->base), RelationRelationId, i);
		if (wanted == NULL && !m->request->exact)
			continue;
		there = GetComment(m->child, RelationRelationId, attnum);
		if (wanted == NULL ? there == NULL : there && strcmp(wanted, there) == 0)
			continue;
		if (router_mend(m, "comment", i == 0 ? "set the comment" : "set the comment on column \"%s\"",
						i == 0 ? "" : get_attname(m->child, attnum, false)))
			CreateComments(m->child, RelationRelationId, attnum, wanted);
	}
}
