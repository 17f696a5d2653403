/*
 * clone_source.c
 *		The rows of a table that is cloned, batch by batch, so that the next batch can be
 *		read in another session:
 *	- by key: in the order of columns that are NOT NULL, those of a unique index or those
 *	  that the caller names. Rows of the same key are in one batch, so that they need not be unique;
 *	- by places: by ranges of blocks, in all tables that the source consists of at once;
 *	- at once: a view or foreign table without a key is read by one cursor, in one transaction.
 *
 * Rights: everything is read by SELECTs of the caller's. Operators are those of btree, by their names and schemas,
 * whatever his search_path; keys are parameters.
 * Memory: rows lie in a tuplestore, of work_mem; what is beyond goes to disk.
 */
#include "compat.h"
#include "reshape/clone_source.h"

#include "access/genam.h"
#include "access/relation.h"
#include "catalog/pg_am.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_operator.h"
#include "executor/spi.h"
#include "executor/tstoreReceiver.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "tcop/pquery.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

#include "base/pin.h"
#include "base/sql.h"
#include "reshape/clone_columns.h"
#include "route/defs.h"
#include "rows/row_key.h"

/* rows that are not told from others by a key are named by so many bytes of them */
#define NAME_BYTES 200

/* blocks of a batch by places: no more, however few of their rows are wanted */
#define MAX_STEP 65536

/* ------------------------------------------------------------------------ the way */

/* Refuses what has no rows, and what is the base or a part of it. */
void
router_clone_check_source(Oid source, Oid base)
{
	char		relkind = get_rel_relkind(source);

	if (strchr("rpfvm", relkind) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not a table, view or foreign table", get_rel_name(source))));
	if (list_member_oid(find_all_inheritors(base, NoLock, NULL), source) ||
		(relkind != RELKIND_VIEW && list_member_oid(find_all_inheritors(source, NoLock, NULL), base)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("table \"%s\" cannot be cloned into itself", get_rel_name(base)),
				 errdetail("The source is the base, a child of it, or above it.")));
}

/* The operators of a column's order, as in a text; NULL: it has none. *schema: of them. */
static char *
order_operator(Oid source, const char *column, int strategy, Oid *schema)
{
	AttrNumber	attnum = get_attnum(source, column);
	TypeCacheEntry *type = lookup_type_cache(get_atttype(source, attnum), TYPECACHE_LT_OPR | TYPECACHE_GT_OPR);
	Oid			oid = strategy == BTLessStrategyNumber ? type->lt_opr : type->gt_opr;
	HeapTuple	tup = SearchSysCache1(OPEROID, ObjectIdGetDatum(oid));
	Form_pg_operator form;
	char	   *name;

	if (!HeapTupleIsValid(tup))
		return NULL;
	form = (Form_pg_operator) GETSTRUCT(tup);
	*schema = form->oprnamespace;
	name = psprintf("OPERATOR(%s.%s)", quote_identifier(get_namespace_name(*schema)), NameStr(form->oprname));
	ReleaseSysCache(tup);
	return name;
}

/* Can rows be compared by these columns at once? */
static bool
is_ordered(Oid source, char **key, int n)
{
	char	   *first = NULL;
	Oid			schema;

	for (int i = 0; i < n; i++)
	{
		char	   *name = order_operator(source, key[i], BTGreaterStrategyNumber, &schema);

		if (name == NULL || (first && strcmp(first, name) != 0))
			return false;
		first = name;
	}
	return true;
}

static bool
has_nulls(const RouterCloneDef *def)
{
	StringInfoData query;
	bool		needed = false;

	initStringInfo(&query);
	for (int i = 0; i < def->nkey; i++)
	{
		HeapTuple	tup = SearchSysCacheAttName(def->source, def->key[i]);

		if (get_rel_relkind(def->source) != RELKIND_RELATION || !((Form_pg_attribute) GETSTRUCT(tup))->attnotnull)
		{
			appendStringInfo(&query, "%s %s.%s IS NULL", needed ? " OR" : "",
							 quote_identifier(get_rel_name(def->source)), quote_identifier(def->key[i]));
			needed = true;
		}
		ReleaseSysCache(tup);
	}
	if (!needed)
		return false;
	if (SPI_execute(psprintf("SELECT 1 FROM %s AS %s WHERE %s LIMIT 1", router_qualified_name(def->source),
							 quote_identifier(get_rel_name(def->source)), query.data), false, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not look for nulls");
	return SPI_processed > 0;
}

/* The columns that the caller has named. */
static void
take_key(RouterCloneDef *def, ArrayType *key)
{
	List	   *names = router_catalog_names(key);
	ListCell   *lc;

	def->key = palloc((list_length(names) + 1) * sizeof(char *));
	foreach(lc, names)
	{
		char	   *name = lfirst(lc);

		if (get_attnum(def->source, name) <= 0)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_COLUMN),
					 errmsg("column \"%s\" of \"%s\" does not exist", name, get_rel_name(def->source))));
		def->key[def->nkey++] = name;
	}
	if (def->nkey == 0 || !is_ordered(def->source, def->key, def->nkey) || has_nulls(def))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for key"),
				 errdetail("It has no column, one whose type has no order, or one in which \"%s\" has nulls.",
						   get_rel_name(def->source)),
				 errhint("Name columns that are never null, and best an index of the source.")));
}

/* Takes the key of a unique index, if there is one that the caller may read. */
static bool
find_key(RouterCloneDef *def, Relation rel)
{
	RouterRowKey key = {0};
	bool		readable = true;

	if (rel->rd_rel->relkind == RELKIND_FOREIGN_TABLE || rel->rd_rel->relkind == RELKIND_VIEW)
		return false;
	/* heirs of an ordinary table need not have its indexes */
	if (rel->rd_rel->relkind == RELKIND_RELATION && has_subclass(def->source) && !router_catalog_is_base(def->source))
		return false;
	router_row_key_open(rel, &key, NULL, NULL);
	if (key.index == NULL)
		return false;
	index_close(key.index, NoLock);
	def->key = palloc(key.n * sizeof(char *));
	for (int i = 0; i < key.n; i++)
	{
		def->key[i] = pstrdup(NameStr(TupleDescAttr(RelationGetDescr(rel), key.attnums[i] - 1)->attname));
		readable &= router_may_read_column(def->source, key.attnums[i]);
	}
	def->nkey = readable && is_ordered(def->source, def->key, key.n) ? key.n : 0;
	return def->nkey > 0;
}

/* The tables whose blocks are read, and their files; NULL: one of them has none. *blocks, or NULL: of the longest. */
static char *
files_of(Oid source, int64 *blocks)
{
	StringInfoData files;
	ListCell   *lc;
	bool		all = true;

	initStringInfo(&files);
	foreach(lc, find_all_inheritors(source, AccessShareLock, NULL))
	{
		Relation	rel = relation_open(lfirst_oid(lc), NoLock);

		if (rel->rd_rel->relkind != RELKIND_PARTITIONED_TABLE)
		{
			all &= RELKIND_HAS_TABLE_AM(rel->rd_rel->relkind) && rel->rd_rel->relam == HEAP_TABLE_AM_OID;
			appendStringInfo(&files, "%u:%u ", RelationGetRelid(rel), rel->rd_rel->relfilenode);
			if (all && blocks)
				*blocks = Max(*blocks, (int64) RelationGetNumberOfBlocks(rel));
		}
		relation_close(rel, NoLock);
	}
	return all ? files.data : NULL;
}

char *
router_clone_files(Oid source)
{
	return get_rel_relkind(source) == RELKIND_VIEW ? NULL : files_of(source, NULL);
}

/* Decides how the rows of a source are read; key: what the caller says, or NULL. SPI is connected. */
void
router_clone_choose(RouterCloneSource *s, ArrayType *key)
{
	RouterCloneDef *def = s->def;
	Relation	rel = relation_open(def->source, AccessShareLock);

	if (key)
		take_key(def, key);
	else if (!find_key(def, rel))
		def->files = router_clone_files(def->source);
	relation_close(rel, NoLock);
}

/* ----------------------------------------------------------------------- queries */

/* The columns that the caller may read. */
static char *
column_list(Oid source)
{
	Relation	rel = relation_open(source, AccessShareLock);
	StringInfoData list;

	initStringInfo(&list);
	for (int i = 0; i < RelationGetNumberOfAttributes(rel); i++)
	{
		Form_pg_attribute column = TupleDescAttr(RelationGetDescr(rel), i);

		if (!column->attisdropped && router_may_read_column(source, column->attnum))
			appendStringInfo(&list, "%s%s.%s", list.len > 0 ? ", " : "", quote_identifier(RelationGetRelationName(rel)),
							 quote_identifier(NameStr(column->attname)));
	}
	relation_close(rel, NoLock);
	return list.data;
}

/* A query for all rows that are wanted. */
char *
router_clone_all_rows(const RouterCloneDef *def, const char *list)
{
	return psprintf("SELECT %s FROM %s AS %s WHERE (%s\n)", list, router_qualified_name(def->source),
					quote_identifier(get_rel_name(def->source)), def->filter ? def->filter : "true");
}

/* Rows behind the key that is in the parameters, or all; no more than there shall be in a batch, but for equal keys. */
static char *
query_by_key(RouterCloneSource *s)
{
	RouterCloneDef *def = s->def;
	const char *alias = quote_identifier(get_rel_name(def->source));
	StringInfoData columns,
				params,
				order,
				query;
	Oid			schema;

	initStringInfo(&columns);
	initStringInfo(&params);
	initStringInfo(&order);
	initStringInfo(&query);
	for (int i = 0; i < def->nkey; i++)
	{
		const char *comma = i > 0 ? ", " : "";
		const char *column = quote_identifier(def->key[i]);

		appendStringInfo(&columns, "%s%s.%s", comma, alias, column);
		appendStringInfo(&params, "%s$%d", comma, i + 1);
		appendStringInfo(&order, "%s%s.%s USING %s", comma, alias, column,
						 order_operator(def->source, def->key[i], BTLessStrategyNumber, &schema));
	}
	appendStringInfoString(&query, router_clone_all_rows(def, column_list(def->source)));
	if (def->nposition > 0)
		appendStringInfo(&query, def->nkey == 1 ? " AND %s %s %s" : " AND ROW(%s) %s ROW(%s)", columns.data,
						 order_operator(def->source, def->key[0], BTGreaterStrategyNumber, &schema), params.data);
	appendStringInfo(&query, " ORDER BY %s FETCH FIRST %d ROWS WITH TIES", order.data, s->batch_rows);
	return query.data;
}

/* The last key as parameters. */
static void
key_params(const RouterCloneDef *def, Oid *types, Datum *values)
{
	int			guc_level = router_pin_settings(NULL);

	for (int i = 0; i < def->nposition; i++)
	{
		Oid			input,
					param;

		types[i] = get_atttype(def->source, get_attnum(def->source, def->key[i]));
		getTypeInputInfo(types[i], &input, &param);
		values[i] = OidInputFunctionCall(input, def->position[i], param, -1);
	}
	AtEOXact_GUC(false, guc_level);
}

/* How many blocks have as many rows as a batch shall, by the statistics of the source. */
static int64
first_step(const RouterCloneSource *s)
{
	double		rows = 0;
	double		pages = 0;
	ListCell   *lc;

	foreach(lc, find_all_inheritors(s->def->source, NoLock, NULL))
	{
		HeapTuple	tup = SearchSysCache1(RELOID, ObjectIdGetDatum(lfirst_oid(lc)));
		Form_pg_class form;

		if (!HeapTupleIsValid(tup))
			continue;
		form = (Form_pg_class) GETSTRUCT(tup);
		rows += form->relkind == RELKIND_PARTITIONED_TABLE ? 0 : Max(form->reltuples, 0);
		pages = Max(pages, form->relpages);
		ReleaseSysCache(tup);
	}
	return (int64) (s->batch_rows * (rows > 0 && pages > 0 ? pages / rows : 0.02));
}

/* Opens a cursor for a batch by places: from the block that is next on. */
static Portal
open_by_place(RouterCloneSource *s)
{
	RouterCloneDef *def = s->def;
	const char *alias = quote_identifier(get_rel_name(def->source));
	ItemPointerData lo,
				hi;
	Oid			types[] = {TIDOID, TIDOID};
	Datum		values[] = {PointerGetDatum(&lo), PointerGetDatum(&hi)};
	char	   *query = psprintf("%s AND %s.ctid OPERATOR(pg_catalog.>=) $1 AND %s.ctid OPERATOR(pg_catalog.<) $2",
								 router_clone_all_rows(def, column_list(def->source)), alias, alias);

	s->block = def->nposition > 0 ? pg_strtoint64(def->position[0]) : 0;
	s->blocks = 0;
	(void) files_of(def->source, &s->blocks);
	if (s->step == 0)
		s->step = first_step(s);
	s->step = Min(Max(s->step, 1), MAX_STEP);
	ItemPointerSet(&lo, s->block, 0);
	s->block = Min(s->block + s->step, MaxBlockNumber);
	ItemPointerSet(&hi, s->block, 0);
	return SPI_cursor_open_with_args(NULL, query, 2, types, values, NULL, false, 0);
}

/* Opens what the next rows are read from. SPI is connected. */
void
router_clone_open(RouterCloneSource *s)
{
	RouterCloneDef *def = s->def;

	s->by_place = def->nkey == 0 && def->files;
	if (s->by_place)
		s->portal = open_by_place(s);
	else if (def->nkey > 0)
	{
		Oid		   *types = palloc(def->nkey * sizeof(Oid));
		Datum	   *values = palloc(def->nkey * sizeof(Datum));

		key_params(def, types, values);
		s->portal = SPI_cursor_open_with_args(NULL, query_by_key(s), def->nposition, types, values, NULL, false, 0);
	}
	else
		s->portal = SPI_cursor_open_with_args(NULL, router_clone_all_rows(def, column_list(def->source)), 0, NULL, NULL,
											  NULL, false, 0);
	s->desc = CreateTupleDescCopy(s->portal->tupDesc);
}

void
router_clone_close(RouterCloneSource *s)
{
	SPI_cursor_close(s->portal);
}

/* The rows of a batch, *n of them. To be ended by the caller. */
Tuplestorestate *
router_clone_read(RouterCloneSource *s, int64 *n)
{
	Tuplestorestate *rows = tuplestore_begin_heap(true, false, work_mem);
	DestReceiver *dest = CreateDestReceiver(DestTuplestore);
	bool		at_once = s->def->nkey == 0 && !s->by_place;

	SetTuplestoreDestReceiverParams(dest, rows, CurrentMemoryContext, false, NULL, NULL);
	(void) PortalRunFetch(s->portal, FETCH_FORWARD, at_once ? s->batch_rows : FETCH_ALL, dest);
	dest->rDestroy(dest);
	*n = tuplestore_tuple_count(rows);
	return rows;
}

static char *
value_text(TupleTableSlot *row, int attno)
{
	bool		isnull;
	Datum		value = slot_getattr(row, attno, &isnull);
	Oid			output;
	bool		is_varlena;

	if (isnull)
		return NULL;
	getTypeOutputInfo(TupleDescAttr(row->tts_tupleDescriptor, attno - 1)->atttypid, &output, &is_varlena);
	return OidOutputFunctionCall(output, value);
}

static char *
named_value(TupleTableSlot *row, const char *name)
{
	for (int i = 0; i < row->tts_tupleDescriptor->natts; i++)
		if (strcmp(NameStr(TupleDescAttr(row->tts_tupleDescriptor, i)->attname), name) == 0)
			return value_text(row, i + 1);
	return NULL;
}

/* A batch is behind us: the next one begins there. */
void
router_clone_pass(RouterCloneSource *s, Tuplestorestate *rows, int64 n)
{
	RouterCloneDef *def = s->def;
	TupleTableSlot *last;
	int			guc_level;

	if (s->by_place)
	{
		def->position = palloc(sizeof(char *));
		def->position[0] = psprintf(INT64_FORMAT, s->block);
		def->nposition = 1;
		def->finished = s->block >= s->blocks;
		s->step = n == 0 ? s->step * 4 : Max(s->step / 4, Min(s->step * 4, s->step * s->batch_rows / n));
		return;
	}
	def->finished = n < s->batch_rows;
	if (n == 0 || def->nkey == 0)
		return;
	last = MakeSingleTupleTableSlot(s->desc, &TTSOpsMinimalTuple);
	tuplestore_select_read_pointer(rows, 0);
	tuplestore_rescan(rows);
	(void) tuplestore_skiptuples(rows, n - 1, true);
	(void) tuplestore_gettupleslot(rows, true, false, last);
	guc_level = router_pin_settings(NULL);
	def->position = palloc(def->nkey * sizeof(char *));
	def->nposition = def->nkey;
	for (int i = 0; i < def->nkey; i++)
		def->position[i] = named_value(last, def->key[i]);
	AtEOXact_GUC(false, guc_level);
	ExecDropSingleTupleTableSlot(last);
}

/* ------------------------------------------------------------------------- a row */

/* A row of the source as jsonb, each value as its text, which reads back as it was. */
Datum
router_clone_row(TupleTableSlot *row)
{
	TupleDesc	desc = row->tts_tupleDescriptor;
	Datum	   *names = palloc(desc->natts * sizeof(Datum));
	Datum	   *values = palloc0(desc->natts * sizeof(Datum));
	bool	   *nulls = palloc(desc->natts * sizeof(bool));
	ArrayType  *name_array,
			   *value_array;
	int			lower = 1;
	int			guc_level = router_pin_settings(NULL);

	for (int i = 0; i < desc->natts; i++)
	{
		char	   *text = value_text(row, i + 1);

		names[i] = CStringGetTextDatum(NameStr(TupleDescAttr(desc, i)->attname));
		nulls[i] = text == NULL;
		if (text)
			values[i] = CStringGetTextDatum(text);
	}
	AtEOXact_GUC(false, guc_level);
	name_array = construct_array(names, desc->natts, TEXTOID, -1, false, TYPALIGN_INT);
	value_array = construct_md_array(values, nulls, 1, &desc->natts, &lower, TEXTOID, -1, false, TYPALIGN_INT);
	return DirectFunctionCall2(jsonb_object_two_arg, PointerGetDatum(name_array), PointerGetDatum(value_array));
}

/* What tells a row to whoever looks for it: its key, or how it begins. */
char *
router_clone_row_name(const RouterCloneDef *def, TupleTableSlot *row)
{
	StringInfoData names,
				values;

	if (def->nkey == 0)
	{
		char	   *text = DatumGetCString(DirectFunctionCall1(jsonb_out, router_clone_row(row)));

		text[pg_mbcliplen(text, strlen(text), NAME_BYTES)] = '\0';
		return text;
	}
	initStringInfo(&names);
	initStringInfo(&values);
	for (int i = 0; i < def->nkey; i++)
	{
		appendStringInfo(&names, "%s%s", i > 0 ? ", " : "", def->key[i]);
		appendStringInfo(&values, "%s%s", i > 0 ? ", " : "", named_value(row, def->key[i]));
	}
	return psprintf("(%s)=(%s)", names.data, values.data);
}
