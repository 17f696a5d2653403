/*
 * remarks.c
 *		What somebody who makes a table a routed one should know of it, as NOTICEs:
 *		unique keys that hold in each child only, triggers of other tools.
 *
 * Locking: AccessShareLock on the table.
 */
#include "compat.h"
#include "admin/remarks.h"

#include "access/relation.h"
#include "catalog/pg_index.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "admin/other_router.h"
#include "base/attempt.h"
#include "base/sql.h"

/* Are the columns of all keys in a unique index? Equal rows have one home then. */
static bool
has_all_keys(const Form_pg_index index, const RouterConfig *config)
{
	for (int i = 0; i < config->nkeys; i++)
	{
		AttrNumber	attnum = get_attnum(index->indrelid, config->keys[i].column);
		bool		found = false;

		for (int j = 0; j < index->indnkeyatts; j++)
			found |= index->indkey.values[j] == attnum;
		if (!found)
			return false;
	}
	return true;
}

/* Is there a global key of some of its columns, which keeps it unique? */
static bool
has_global_key(const Form_pg_index index)
{
	return router_ask("SELECT 1 FROM router.global_key_def k, pg_index i WHERE i.indexrelid = %u AND k.base = i.indrelid"
					  " AND k.attnums <@ (i.indkey::int2[])[0:i.indnkeyatts - 1] LIMIT 1", index->indexrelid) != NULL;
}

/* The columns of an index as an array literal; NULL: it has expressions, or a condition. */
static char *
columns_of(const Form_pg_index index, HeapTuple tup)
{
	StringInfoData buf;

	if (!heap_attisnull(tup, Anum_pg_index_indpred, NULL))
		return NULL;
	initStringInfo(&buf);
	for (int i = 0; i < index->indnkeyatts; i++)
	{
		if (index->indkey.values[i] <= 0)
			return NULL;
		appendStringInfo(&buf, "%s%s", i > 0 ? "," : "",
						 quote_identifier(get_attname(index->indrelid, index->indkey.values[i], false)));
	}
	return psprintf("{%s}", buf.data);
}

static void
tell_unique(const Form_pg_index index, HeapTuple tup)
{
	char	   *columns = columns_of(index, tup);
	char	   *table = quote_literal_cstr(router_qualified_name(index->indrelid));

	ereport(NOTICE,
			(errmsg("\"%s\" keeps values unique in each child of \"%s\" only, not in all of them together",
					get_rel_name(index->indexrelid), get_rel_name(index->indrelid)),
			 errdetail("Not all keys of the route are among its columns."),
			 columns ? errhint("SELECT router.add_global_key(%s, %s) keeps them unique in the whole table.",
							   table, quote_literal_cstr(columns)) :
			 errhint("router.add_global_key keeps columns unique in the whole table, but no expressions and no parts.")));
}

/* Tells what is so of a table that is, or would be, routed in that way. */
void
router_remark_table(Oid relid, const RouterConfig *config)
{
	Relation	rel = relation_open(relid, AccessShareLock);
	TriggerDesc *triggers;
	ListCell   *lc;

	foreach(lc, RelationGetIndexList(rel))
	{
		HeapTuple	tup = SearchSysCacheCopy1(INDEXRELID, ObjectIdGetDatum(lfirst_oid(lc)));
		Form_pg_index index;

		if (!HeapTupleIsValid(tup))
			elog(ERROR, "cache lookup failed for index %u", lfirst_oid(lc));
		index = (Form_pg_index) GETSTRUCT(tup);
		if (index->indisunique && index->indisvalid && !has_all_keys(index, config) && !has_global_key(index))
			tell_unique(index, tup);
		heap_freetuple(tup);
	}
	triggers = rel->trigdesc;
	for (int i = 0; triggers && i < triggers->numtriggers; i++)
		if (!triggers->triggers[i].tgisinternal &&
			(router_is_known_router(&triggers->triggers[i]) || router_is_suspect(&triggers->triggers[i], NIL)))
			ereport(NOTICE,
					(errmsg("trigger \"%s\" of \"%s\" seems to take rows elsewhere", triggers->triggers[i].tgname,
							RelationGetRelationName(rel)),
					 errdetail("Children have it, too."),
					 errhint("If it belongs to what routed the rows before, drop it: DROP TRIGGER %s ON %s.",
							 quote_identifier(triggers->triggers[i].tgname), router_qualified_name(relid))));
	relation_close(rel, NoLock);
}

/* Rows of it went to children in this transaction. */
void
router_remark_dead_rows(Oid relid)
{
	ereport(NOTICE,
			(errmsg("the rows that were moved still take up space in \"%s\"", get_rel_name(relid)),
			 errhint("VACUUM %s gives it back, once this transaction is committed.", router_qualified_name(relid))));
}

/* What a dry run foretells of children. */
typedef struct Foretold
{
	Oid			relid;
	ArrayType  *keys;
	const Interval *hot;
} Foretold;

static char *
field(uint64 row, int column)
{
	char	   *value = SPI_getvalue(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column);

	return value ? value : pstrdup("");
}

static bool
foretell(void *arg)
{
	const Foretold *f = arg;
	int			guc_level = router_spi_begin();
	Oid			types[] = {REGCLASSOID, get_array_type(ARR_ELEMTYPE(f->keys)), INTERVALOID};
	Datum		values[] = {ObjectIdGetDatum(f->relid), PointerGetDatum(f->keys), PointerGetDatum(f->hot)};
	const char *children = NULL;
	const char *most = NULL;

	/* what is unique, and who refers to the table, is told of everywhere */
	if (SPI_execute_with_args("SELECT what, value, detail FROM router.simulate($1, $2, hot => $3)"
							  " WHERE what IN ('children', 'rows of a child, most')"
							  "    OR what = 'warning' AND value !~ '^(unique in each child|foreign keys refer)'",
							  lengthof(types), types, values, f->hot ? "   " : "  n", true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not call router.simulate");
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		const char *what = field(i, 1);

		if (strcmp(what, "children") == 0)
			children = field(i, 2);
		else if (strcmp(what, "warning") == 0)
			ereport(NOTICE, (errmsg("%s", field(i, 2)), errdetail("%s", field(i, 3))));
		else
			most = field(i, 2);
	}
	if (children && most)
		ereport(NOTICE,
				(errmsg("would have about %s children, the largest with about %s rows", children, most),
				 errhint("SELECT * FROM router.simulate(…) tells more.")));
	router_spi_end(guc_level);
	return true;
}

/* Tells, in a dry run, which children the rows of a table would have: by a sample. Nothing if that cannot be told. */
void
router_remark_children(Oid relid, ArrayType *keys, const Interval *hot)
{
	Foretold	f = {relid, keys, hot};
	ErrorData  *error = router_attempt(foretell, &f);

	if (error && router_is_cancel(error))
		ReThrowError(error);
}
