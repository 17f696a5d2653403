/*
 * from_oracle.c
 *		router.from_oracle: the calls that partition a table as Oracle did.
 *
 * Partitions are children made by hand, under their names; what Oracle makes as
 * rows come (INTERVAL, AUTOMATIC) is left to the keys. No table is looked at:
 * the calls are text, and check themselves when they run.
 */
#include "compat.h"
#include "admin/oracle.h"

#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/varlena.h"

#include "base/pin.h"
#include "base/report.h"
#include "route/key.h"

/* as many as Oracle allows */
#define MAX_PARTITIONS 1048575

PG_FUNCTION_INFO_V1(router_from_oracle);

/* What one partition holds at one level, as router has it. */
typedef struct Piece
{
	char	   *bound;			/* NULL: what no other one holds */
	char	   *name;			/* of the partition; NULL: it has none */
	OraclePartition *partition;
} Piece;

typedef struct Writer
{
	RouterReport report;
	const char *text;
	OracleTable *table;
	OracleValueKind range_by[2];	/* of levels by RANGE: NUMBER or DATE */
	char	   *base;			/* a literal */
	char	   *prefix;
	int			nchildren;
} Writer;

static void
write_line(Writer *writer, const char *line)
{
	Datum		value = CStringGetTextDatum(line);
	bool		isnull = false;

	router_report_row(&writer->report, &value, &isnull);
}

/* --------------------------------------------------------------------- checks */

/* Does Oracle make partitions of the outer level as rows come, or has it one for every row? */
static bool
is_open(const OracleTable *table)
{
	return table->levels[0].automatic || table->levels[0].every || table->levels[0].method == ORACLE_HASH;
}

static bool
is_nullable(const Writer *writer, int n)
{
	OracleColumn *column = router_oracle_column(writer->table, writer->table->levels[n].column);

	return column == NULL || !column->not_null;
}

/* All partitions of a level: a list of lists. */
static List *
lists_of_level(const OracleTable *table, int n)
{
	List	   *lists = list_make1(table->levels[n].partitions);
	ListCell   *lc;

	if (n == 1)
		foreach(lc, table->levels[0].partitions)
			lists = lappend(lists, ((OraclePartition *) lfirst(lc))->subs);
	return lists;
}

/* Is a level by RANGE one of numbers or of dates? By its first bound, else by the column's type. */
static OracleValueKind
kind_of_range(const Writer *writer, int n)
{
	const OracleLevel *level = &writer->table->levels[n];
	OracleColumn *column = router_oracle_column(writer->table, level->column);
	ListCell   *list;
	ListCell   *lc;

	foreach(list, lists_of_level(writer->table, n))
		foreach(lc, lfirst(list))
		{
			OracleValue *value = linitial(((OraclePartition *) lfirst(lc))->values);

			if (value->kind == ORACLE_VALUE_NUMBER || value->kind == ORACLE_VALUE_DATE)
				return value->kind;
			if (value->kind == ORACLE_VALUE_TEXT)
				ereport(ERROR,
						(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
						 errmsg("ranges of strings are nothing that router has"),
						 router_oracle_place(writer->text, value->at),
						 errhint("Write dates with TO_DATE. For strings there are LIST, HASH and router.by_prefix.")));
		}
	if (column == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("whether \"%s\" is a number or a date cannot be told", level->column),
				 router_oracle_place(writer->text, level->at),
				 errhint("Give the whole CREATE TABLE.")));
	return strcmp(column->type, "date") == 0 || strcmp(column->type, "timestamp") == 0 ? ORACLE_VALUE_DATE : ORACLE_VALUE_NUMBER;
}

static void
check_column(const Writer *writer, const OracleLevel *level)
{
	OracleColumn *column = router_oracle_column(writer->table, level->column);

	if (writer->table->columns != NIL && column == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("column \"%s\" is none of the table's", level->column),
				 router_oracle_place(writer->text, level->at)));
	if (column && column->computed)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("virtual column \"%s\" cannot be a key", level->column),
				 router_oracle_place(writer->text, level->at),
				 errhint("Route by the columns that it is computed from.")));
}

/* What router cannot do as Oracle does, or does otherwise. */
static void
check_levels(Writer *writer)
{
	OracleTable *table = writer->table;
	const OracleLevel *inner = table->nlevels == 2 ? &table->levels[1] : NULL;

	for (int n = 0; n < table->nlevels; n++)
	{
		check_column(writer, &table->levels[n]);
		if (table->levels[n].method == ORACLE_RANGE)
			writer->range_by[n] = kind_of_range(writer, n);
	}
	if (inner == NULL || !is_open(table))
		return;
	if (inner->method == ORACLE_RANGE && table->levels[0].method != ORACLE_HASH)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("ranges within partitions that are made as rows come are nothing that router has"),
				 router_oracle_place(writer->text, inner->at),
				 errhint("Use router.by_date or router.by_integer with steps for column \"%s\".", inner->column)));
	if (inner->method == ORACLE_LIST)
		ereport(NOTICE,
				(errmsg("values of \"%s\" that no subpartition has get children of their own", inner->column)));
}

/* --------------------------------------------------------------------- bounds */

/* The number that a bound or a step is. Errors: feature_not_supported. */
static int64
whole_number(const Writer *writer, const char *text, int at)
{
	char	   *end;
	int64		number;

	errno = 0;
	number = strtoll(text, &end, 10);
	if (errno != 0 || *end != '\0' || number == PG_INT64_MIN)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("number %s is no bigint", text),
				 router_oracle_place(writer->text, at),
				 errhint("Ranges of numbers are those of smallint, integer and bigint columns.")));
	return number;
}

static void
wrong_value(const Writer *writer, const OracleValue *value, const char *expected)
{
	ereport(ERROR,
			(errcode(ERRCODE_SYNTAX_ERROR),
			 errmsg("expected %s", expected),
			 router_oracle_place(writer->text, value->at)));
}

static Piece *
add_piece(List **pieces, char *bound, OraclePartition *partition)
{
	Piece	   *piece = palloc(sizeof(Piece));

	piece->bound = bound;
	piece->name = partition ? partition->name : NULL;
	piece->partition = partition;
	*pieces = lappend(*pieces, piece);
	return piece;
}

/* Rows with NULL have a child of their own in router. */
static void
add_null(List **pieces, OraclePartition *partition)
{
	add_piece(pieces, "null", partition)->name = NULL;
}

/* The only value of a partition by RANGE, with its number or point filled in. */
static OracleValue *
range_value(const Writer *writer, int n, const OraclePartition *partition)
{
	bool		number = writer->range_by[n] == ORACLE_VALUE_NUMBER;
	OracleValue *value = linitial(partition->values);

	if (value->kind != ORACLE_VALUE_MAXVALUE && value->kind != writer->range_by[n])
		wrong_value(writer, value, number ? "a number or MAXVALUE" : "a date or MAXVALUE");
	if (list_length(partition->values) > 1)
		wrong_value(writer, lsecond(partition->values), "one bound, as there is one column");
	if (value->kind == ORACLE_VALUE_NUMBER)
		value->point = whole_number(writer, value->text, value->at);
	return value;
}

static List *
range_pieces(const Writer *writer, int n, List *partitions)
{
	List	   *pieces = NIL;
	OracleValue *last = NULL;
	ListCell   *lc;

	foreach(lc, partitions)
	{
		OraclePartition *partition = lfirst(lc);
		OracleValue *value = range_value(writer, n, partition);
		bool		open = value->kind == ORACLE_VALUE_MAXVALUE;

		if (last && (last->kind == ORACLE_VALUE_MAXVALUE || (!open && value->point <= last->point)))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("bound of a partition is not above that of the one before"),
					 router_oracle_place(writer->text, value->at)));
		add_piece(&pieces, psprintf("%s%s,%s)", last ? "[" : "(", last ? last->text : "", open ? "" : value->text), partition);
		/* NULL is the highest of all in Oracle */
		if (open && is_nullable(writer, n))
			add_null(&pieces, partition);
		last = value;
	}
	return pieces;
}

/* A group of values as an array literal; NULL: it is DEFAULT. */
static char *
group_text(const Writer *writer, const List *values)
{
	ArrayBuildState *astate = NULL;
	ListCell   *lc;

	foreach(lc, values)
	{
		OracleValue *value = lfirst(lc);
		bool		isnull = value->text == NULL || value->text[0] == '\0';

		if (value->kind == ORACLE_VALUE_DEFAULT && list_length(values) == 1)
			return NULL;
		if (value->kind == ORACLE_VALUE_DEFAULT || value->kind == ORACLE_VALUE_MAXVALUE)
			wrong_value(writer, value, "a value, or DEFAULT alone");
		astate = accumArrayResult(astate, isnull ? (Datum) 0 : CStringGetTextDatum(value->text), isnull, TEXTOID,
								  CurrentMemoryContext);
	}
	return OidOutputFunctionCall(F_ARRAY_OUT, makeArrayResult(astate, CurrentMemoryContext));
}

static List *
list_pieces(const Writer *writer, int n, List *partitions)
{
	List	   *pieces = NIL;
	ListCell   *lc;

	foreach(lc, partitions)
	{
		OraclePartition *partition = lfirst(lc);
		char	   *bound = group_text(writer, partition->values);

		if (bound == NULL && (n == 1 || writer->table->levels[0].automatic))
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 n == 1 ? errmsg("a subpartition for DEFAULT is not supported by router") :
					 errmsg("DEFAULT and AUTOMATIC exclude each other"),
					 router_oracle_place(writer->text, partition->at),
					 errhint("Leave DEFAULT out: with INTERVAL or AUTOMATIC, rows of other values get children of their own; without, they are refused.")));
		add_piece(&pieces, bound, partition);
	}
	return pieces;
}

static List *
hash_pieces(const Writer *writer, int n, List *partitions)
{
	List	   *pieces = NIL;
	int			count = list_length(partitions);

	for (int i = 0; i < count; i++)
		add_piece(&pieces, psprintf("%d/%d", i, count), list_nth(partitions, i));
	/* else it is made when a row comes */
	if (is_nullable(writer, n) && !is_open(writer->table))
		add_null(&pieces, NULL);
	return pieces;
}

static List *
level_pieces(const Writer *writer, int n, List *partitions)
{
	switch (writer->table->levels[n].method)
	{
		case ORACLE_RANGE:
			return range_pieces(writer, n, partitions);
		case ORACLE_LIST:
			return list_pieces(writer, n, partitions);
		default:
			return hash_pieces(writer, n, partitions);
	}
}

/* The subpartitions of a partition that says nothing of them, without a template: one that holds everything. */
static List *
whole_partition(const Writer *writer, OraclePartition *partition)
{
	List	   *pieces = NIL;

	if (writer->table->levels[1].method == ORACLE_LIST)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("a partition without subpartitions, which has one for DEFAULT, is not supported by router"),
				 router_oracle_place(writer->text, partition->at),
				 errhint("Give its subpartitions, or a SUBPARTITION TEMPLATE.")));
	add_piece(&pieces, writer->table->levels[1].method == ORACLE_RANGE ? "(,)" : "0/1", partition);
	add_null(&pieces, partition);
	return pieces;
}

static List *
inner_pieces(const Writer *writer, const Piece *outer)
{
	List	   *template = writer->table->levels[1].partitions;
	List	   *pieces;
	ListCell   *lc;

	if (outer->partition->subs != NIL)
		pieces = level_pieces(writer, 1, outer->partition->subs);
	else if (template == NIL)
		pieces = whole_partition(writer, outer->partition);
	else
		pieces = level_pieces(writer, 1, template);
	foreach(lc, pieces)
	{
		Piece	   *piece = lfirst(lc);

		if (outer->name == NULL)
			piece->name = NULL;
		else if (piece->name && outer->partition->subs == NIL && template != NIL)
			piece->name = psprintf("%s_%s", outer->name, piece->name);
	}
	return pieces;
}

/* ---------------------------------------------------------------------- keys */

/* Oracle counts steps from the last bound, router those of dates by the calendar: is it the same? */
static void
check_steps(const Writer *writer, const OracleLevel *level, const OracleValue *last)
{
	RouterKey	key = {.kind = ROUTER_DATE,.column = level->column,.typid = TIMESTAMPOID,.every = level->every};
	OracleLexer at = {.text = writer->text,.at = level->every_at};
	ErrorContextCallback context = {.callback = router_oracle_add_place,.arg = &at,.previous = error_context_stack};
	int64		lo;
	int64		hi;

	error_context_stack = &context;
	router_key_derive(&key, "UTC");
	error_context_stack = context.previous;
	if (!router_key_bucket(&key, last->point, &lo, &hi) || lo != last->point)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("no step of %s begins at %s", level->every, last->text),
				 router_oracle_place(writer->text, last->at),
				 errhint("Steps of dates are the calendar's. Let the last partition end at one, such as %s.", router_key_text(&key, lo))));
}

static char *
range_key(const Writer *writer, int n)
{
	const OracleLevel *level = &writer->table->levels[n];
	const char *column = quote_literal_cstr(level->column);
	bool		number = writer->range_by[n] == ORACLE_VALUE_NUMBER;
	OracleValue *last;

	if (level->every == NULL)
		return psprintf("router.%s(%s)", number ? "by_integer" : "by_date", column);
	last = range_value(writer, n, llast(level->partitions));
	if (last->kind == ORACLE_VALUE_MAXVALUE)
		wrong_value(writer, last, "a value that INTERVAL counts from");
	if (level->by_number != number)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("INTERVAL and the bounds are not of the same kind"),
				 router_oracle_place(writer->text, level->every_at)));
	if (!number)
	{
		check_steps(writer, level, last);
		return psprintf("router.by_date(%s, %s)", column, quote_literal_cstr(level->every));
	}
	return psprintf("router.by_integer(%s, " INT64_FORMAT ", " INT64_FORMAT ", from_pivot => true)", column,
					whole_number(writer, level->every, level->every_at), last->point);
}

/* The groups of a template, for partitions to come. */
static char *
template_groups(const Writer *writer)
{
	StringInfoData buf;
	ListCell   *lc;

	initStringInfo(&buf);
	foreach(lc, list_pieces(writer, 1, writer->table->levels[1].partitions))
		appendStringInfo(&buf, "%s%s", buf.len > 0 ? ", " : "", quote_literal_cstr(((Piece *) lfirst(lc))->bound));
	return buf.data;
}

static char *
key_text(const Writer *writer, int n)
{
	const OracleLevel *level = &writer->table->levels[n];
	const char *column = quote_literal_cstr(level->column);
	int			count = 0;
	ListCell   *lc;

	if (level->method == ORACLE_RANGE)
		return range_key(writer, n);
	if (level->method == ORACLE_LIST && n == 1 && is_open(writer->table) && level->partitions != NIL)
		return psprintf("router.by_list(%s, ARRAY[%s])", column, template_groups(writer));
	if (level->method == ORACLE_LIST)
		return psprintf("router.by_list(%s)", column);
	foreach(lc, lists_of_level(writer->table, n))
		if (count == 0)
			count = list_length(lfirst(lc));
	return psprintf("router.by_hash(%s, %d)", column, Max(count, 1));
}

/* ---------------------------------------------------------------------- calls */

static void
write_child(Writer *writer, const char *bounds, const char *name)
{
	char	   *full = name ? psprintf("%s%s", writer->prefix, name) : NULL;

	CHECK_FOR_INTERRUPTS();
	if (++writer->nchildren > MAX_PARTITIONS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("more than %d partitions", MAX_PARTITIONS)));
	if (full && strlen(full) >= NAMEDATALEN)
	{
		ereport(NOTICE,
				(errmsg("name of partition \"%s\" is too long", full),
				 errdetail("Its child gets a name by its values.")));
		full = NULL;
	}
	write_line(writer, psprintf("SELECT router.create_child(%s, ARRAY[%s]%s%s);", writer->base, bounds,
								full ? ", child_name => " : "", full ? quote_literal_cstr(full) : ""));
}

static void
write_partition(Writer *writer, const Piece *outer)
{
	const char *bound = quote_literal_cstr(outer->bound ? outer->bound : "default");
	List	   *pieces;

	if (writer->table->nlevels == 1 || outer->bound == NULL)
	{
		write_child(writer, bound, outer->name);
		return;
	}
	pieces = inner_pieces(writer, outer);
	for (int i = 0; i < list_length(pieces); i++)
	{
		Piece	   *inner = list_nth(pieces, i);

		write_child(writer, psprintf("%s, %s", bound, quote_literal_cstr(inner->bound)), inner->name);
	}
	list_free_deep(pieces);
}

static void
write_calls(Writer *writer)
{
	OracleTable *table = writer->table;
	bool		with_default = false;
	char	   *keys = key_text(writer, 0);
	List	   *pieces = level_pieces(writer, 0, table->levels[0].partitions);
	ListCell   *lc;

	if (table->nlevels == 2)
		keys = psprintf("ARRAY[%s, %s]", keys, key_text(writer, 1));
	write_line(writer, psprintf("SELECT router.create_route(%s, %s%s);", writer->base, keys,
								is_open(table) ? "" : ", on_missing => 'error'"));
	foreach(lc, pieces)
	{
		Piece	   *piece = lfirst(lc);

		with_default = with_default || piece->bound == NULL;
		write_partition(writer, piece);
	}
	if (!with_default)
		return;
	write_line(writer, psprintf("SELECT router.alter_route(%s, on_missing => 'default');", writer->base));
	if (table->nlevels == 2)
		ereport(NOTICE,
				(errmsg("the partition for DEFAULT has no subpartitions")));
}

/* The table as a literal of regclass. */
static char *
base_literal(FunctionCallInfo fcinfo, const OracleTable *table)
{
	RangeVar   *name;

	if (PG_ARGISNULL(1) && table->name == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the clause does not say which table is meant"),
				 errhint("Give its name as the second argument, base.")));
	if (PG_ARGISNULL(1))
		name = makeRangeVar(table->schema, table->name, -1);
	else
		name = makeRangeVarFromNameList(textToQualifiedNameList(PG_GETARG_TEXT_PP(1)));
	return quote_literal_cstr(quote_qualified_identifier(name->schemaname, name->relname));
}

/*
 * router.from_oracle(ddl, base, prefix): see docs/reference.md.
 *
 * Errors: syntax_error, feature_not_supported, invalid_parameter_value and others, with the place in ddl.
 */
Datum
router_from_oracle(PG_FUNCTION_ARGS)
{
	Writer		writer = {0};
	int			guc_level;

	router_report_begin(&writer.report, fcinfo, 1, -1);
	writer.text = router_arg_text(fcinfo, 0);
	writer.prefix = PG_ARGISNULL(2) ? "" : router_arg_text(fcinfo, 2);
	guc_level = router_pin_settings("UTC");
	writer.table = router_oracle_parse(writer.text);
	writer.base = base_literal(fcinfo, writer.table);
	check_levels(&writer);
	write_calls(&writer);
	AtEOXact_GUC(false, guc_level);
	return (Datum) 0;
}
