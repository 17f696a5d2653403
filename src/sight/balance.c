/*
 * balance.c
 *		router.balance: values of a column in n groups of even size.
 *
 * Longest processing time first (Graham, Bounds on multiprocessing timing anomalies, 1969): the largest value goes to
 * the group that is the smallest so far. No group is larger than 4/3 - 1/(3n) of the largest one of the best grouping.
 *
 * Where there are groups, the n largest of them stay as they are, and what is not in them is added. If that misses
 * the bound, values go from the largest group to the smallest, one by one, until it holds. Only if that does not help
 * all is dealt out anew; then each new group takes the place of the old one with which it shares most.
 *
 * Rights: values are counted as router.statistics_by_value and router.table_rows do it.
 * Memory: the caller's; of the procedure, which commits, the portal's.
 */
#include "compat.h"

#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "base/args.h"
#include "base/owner.h"
#include "base/pin.h"
#include "base/report.h"
#include "base/see.h"
#include "base/sql.h"
#include "route/catalog.h"
#include "route/owned.h"

PG_FUNCTION_INFO_V1(router_balance);
PG_FUNCTION_INFO_V1(router_apply_balance);

/* more would be no children to look after */
#define MAX_GROUPS 1000

/* that make new groups more even than the bound asks for */
#define MAX_EXCHANGES 1000

typedef struct Value
{
	char	   *text;			/* NULL: rows whose column is NULL */
	int64		rows;
	int			before;			/* its group, or -1 */
	int			after;
} Value;

typedef struct Balance
{
	Oid			source;
	const char *column;
	bool		routed;
	int			ngroups;		/* wanted */
	int			nbefore;
	int			nvalues;
	Value	   *values;			/* the largest first */
	int64		total;
	int64	   *sizes;			/* of the groups that are made */
} Balance;

/* ------------------------------------------------------------------ what there is */

static int
largest_first(const void *a, const void *b)
{
	const Value *x = a;
	const Value *y = b;

	if (x->rows != y->rows)
		return x->rows > y->rows ? -1 : 1;
	if (x->text == NULL || y->text == NULL)
		return (x->text == NULL) - (y->text == NULL);
	return strcmp(x->text, y->text);
}

/* The values of a routed table, and which of them share children now: those of the default child none. */
static char *
routed_query(Balance *b, bool exact)
{
	RouterConfig *config = router_catalog_route(b->source);
	int			level = 0;

	while (level < config->nkeys && strcmp(config->keys[level].column, b->column) != 0)
		level++;
	if (level == config->nkeys || config->keys[level].kind != ROUTER_LIST)
		router_bad_value("column_name", b->column, "It is for list keys of the route: see router.routes.");
	return psprintf("WITH g AS (SELECT row_number() OVER (ORDER BY bound) - 1 AS n, CASE WHEN bound = 'null' THEN '{NULL}' ELSE bound END::text[] AS members"
					"             FROM (SELECT DISTINCT bounds[%d] AS bound FROM router.child_def WHERE base = %u AND bounds[%d] <> 'default') d),"
					" m AS (SELECT n, value FROM g, unnest(members) u(value)),"
					" v AS (SELECT value, rows FROM router.statistics_by_value(%u, %s, %s))"
					" SELECT coalesce(m.value, v.value), coalesce(v.rows, CASE WHEN v IS NULL THEN 0 END), m.n"
					"   FROM m FULL JOIN v ON coalesce(v.value, '') = coalesce(m.value, '') AND (v.value IS NULL) = (m.value IS NULL)",
					level + 1, b->source, level + 1, b->source, quote_literal_cstr(b->column), exact ? "true" : "false");
}

static char *
plain_query(Balance *b, const char *weight)
{
	if (get_attnum(b->source, b->column) <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("column \"%s\" of \"%s\" does not exist", b->column, get_rel_name(b->source))));
	if (weight && get_attnum(b->source, weight) <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("column \"%s\" of \"%s\" does not exist", weight, get_rel_name(b->source))));
	return psprintf("SELECT CASE num_nulls(v) WHEN 0 THEN format('%%s', v) END, n, NULL::bigint"
					" FROM (SELECT %s AS v, %s::bigint AS n FROM %s GROUP BY 1) r",
					quote_identifier(b->column), weight ? psprintf("coalesce(sum(%s), 0)", quote_identifier(weight)) : "count(*)",
					router_qualified_name(b->source));
}

static void
read_values(Balance *b, const char *query)
{
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext spi;

	SPI_connect();
	if (SPI_execute(query, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not run: %s", query);
	spi = MemoryContextSwitchTo(caller);
	b->nvalues = SPI_processed;
	b->values = palloc0(Max(b->nvalues, 1) * sizeof(Value));
	for (int i = 0; i < b->nvalues; i++)
	{
		HeapTuple	tup = SPI_tuptable->vals[i];
		TupleDesc	desc = SPI_tuptable->tupdesc;
		Value	   *value = &b->values[i];
		bool		isnull;
		Datum		before;

		value->text = SPI_getvalue(tup, desc, 1);
		value->rows = DatumGetInt64(SPI_getbinval(tup, desc, 2, &isnull));
		if (isnull || value->rows < 0)
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("how many rows of \"%s\" have which \"%s\" is not known", get_rel_name(b->source), b->column),
					 errhint("ANALYZE the table, or count the rows with exact => true.")));
		before = SPI_getbinval(tup, desc, 3, &isnull);
		value->before = isnull ? -1 : (int) DatumGetInt64(before);
		b->nbefore = Max(b->nbefore, value->before + 1);
		b->total += value->rows;
	}
	MemoryContextSwitchTo(spi);
	SPI_finish();
	qsort(b->values, b->nvalues, sizeof(Value), largest_first);
}

/* Counts rows of an ordinary table, as its owner if the caller may act for him: types are the owner's. */
static void
read_plain(Balance *b, const char *weight)
{
	Oid			owner = router_relation_owner(b->source);
	char	   *query = plain_query(b, weight);
	RouterAsOwner saved;
	int			guc_level;

	if (!has_privs_of_role(GetUserId(), owner))
	{
		guc_level = router_pin_settings(NULL);
		read_values(b, query);
		AtEOXact_GUC(false, guc_level);
		return;
	}
	router_become_owner(&saved, owner, router_is_own_temp(b->source), NULL);
	(void) router_see_all_rows();
	read_values(b, query);
	router_become_user(&saved);
}

static void
read_source(Balance *b, bool exact, const char *weight)
{
	router_check_exists(b->source);
	b->routed = router_catalog_route(b->source) != NULL;
	if (b->routed && weight)
		router_bad_value("weight", weight, "Rows of a routed table are counted. A weight is for another table that has a row for each value.");
	if (b->routed)
	{
		int			guc_level;
		char	   *query = routed_query(b, exact);

		guc_level = router_pin_settings(NULL);
		read_values(b, query);
		AtEOXact_GUC(false, guc_level);
	}
	else
		read_plain(b, weight);
}

/* -------------------------------------------------------------------- grouping */

static int
smallest(const Balance *b)
{
	int			least = 0;

	for (int i = 1; i < b->ngroups; i++)
		if (b->sizes[i] < b->sizes[least])
			least = i;
	return least;
}

static int
largest(const Balance *b)
{
	int			most = 0;

	for (int i = 1; i < b->ngroups; i++)
		if (b->sizes[i] > b->sizes[most])
			most = i;
	return most;
}

static void
put(Balance *b, Value *value, int group)
{
	value->after = group;
	b->sizes[group] += value->rows;
}

/* What the largest group has at least, however they are dealt out. */
static double
least_largest(const Balance *b)
{
	double		bound = (double) b->total / b->ngroups;

	if (b->nvalues > 0)
		bound = Max(bound, b->values[0].rows);
	/* of n + 1 values two are in one group */
	if (b->nvalues > b->ngroups)
		bound = Max(bound, b->values[b->ngroups - 1].rows + b->values[b->ngroups].rows);
	return bound;
}

static bool
is_even(const Balance *b)
{
	return b->sizes[largest(b)] <= (4.0 / 3 - 1.0 / (3 * b->ngroups)) * least_largest(b);
}

/* The old groups that stay, each as the new one of a number: the largest. */
static int *
choose_old(const Balance *b)
{
	int64	   *rows = palloc0(Max(b->nbefore, 1) * sizeof(int64));
	int		   *new = palloc(Max(b->nbefore, 1) * sizeof(int));

	for (int i = 0; i < b->nvalues; i++)
		if (b->values[i].before >= 0)
			rows[b->values[i].before] += b->values[i].rows;
	for (int i = 0; i < b->nbefore; i++)
		new[i] = -1;
	for (int n = 0; n < Min(b->ngroups, b->nbefore); n++)
	{
		int			most = -1;

		for (int i = 0; i < b->nbefore; i++)
			if (new[i] < 0 && (most < 0 || rows[i] > rows[most]))
				most = i;
		new[most] = n;
	}
	return new;
}

/*
 * Moves the value that leaves the larger of two groups as small as can be. False: none makes it smaller than it is.
 */
static bool
move_best(Balance *b, int from, int to)
{
	Value	   *best = NULL;
	int64		made = b->sizes[from];

	for (int i = 0; i < b->nvalues; i++)
	{
		Value	   *value = &b->values[i];
		int64		makes = Max(b->sizes[from] - value->rows, b->sizes[to] + value->rows);

		if (value->after == from && value->rows > 0 && makes < made)
		{
			best = value;
			made = makes;
		}
	}
	if (best == NULL)
		return false;
	b->sizes[from] -= best->rows;
	put(b, best, to);
	return true;
}

/* Exchanges a value of the largest group for a smaller one of another, such that both are smaller than it was. */
static bool
exchange(Balance *b)
{
	int			from = largest(b);
	Value	   *out = NULL;
	Value	   *in = NULL;
	int64		made = b->sizes[from];

	for (int i = 0; i < b->nvalues; i++)
	{
		Value	   *x = &b->values[i];

		for (int j = i + 1; x->after == from && j < b->nvalues; j++)
		{
			Value	   *y = &b->values[j];
			int64		less = x->rows - y->rows;
			int64		makes = Max(b->sizes[from] - less, b->sizes[y->after] + less);

			if (y->after == from || makes >= made)
				continue;
			out = x;
			in = y;
			made = makes;
		}
	}
	if (out == NULL)
		return false;
	b->sizes[from] -= out->rows;
	b->sizes[in->after] -= in->rows;
	put(b, out, in->after);
	put(b, in, from);
	return true;
}

/* All anew, and then smoothed. */
static void
deal_out(Balance *b)
{
	memset(b->sizes, 0, b->ngroups * sizeof(int64));
	for (int i = 0; i < b->nvalues; i++)
		put(b, &b->values[i], smallest(b));
	for (int i = 0; i < MAX_EXCHANGES && (move_best(b, largest(b), smallest(b)) || exchange(b)); i++)
		CHECK_FOR_INTERRUPTS();
}

/* The old groups, and what is not in them added; then few values moved. False: that is not even enough. */
static bool
keep_groups(Balance *b)
{
	int		   *new = choose_old(b);

	memset(b->sizes, 0, b->ngroups * sizeof(int64));
	for (int i = 0; i < b->nvalues; i++)
	{
		Value	   *value = &b->values[i];

		value->after = -1;
		if (value->before >= 0 && new[value->before] >= 0)
			put(b, value, new[value->before]);
	}
	for (int i = 0; i < b->nvalues; i++)
		if (b->values[i].after < 0)
			put(b, &b->values[i], smallest(b));
	/* a group that is empty is filled, too, if there are values enough */
	while (!is_even(b) || (b->sizes[smallest(b)] == 0 && b->nvalues >= b->ngroups))
		if (!move_best(b, largest(b), smallest(b)))
			break;
	return is_even(b);
}

/* New groups take the numbers of old ones with which they share most rows: so fewer values have another place. */
static void
number_like_old(Balance *b)
{
	int		   *of_new = palloc(b->ngroups * sizeof(int));
	int		   *of_old = choose_old(b);
	int64	   *sizes = palloc0(b->ngroups * sizeof(int64));
	int64	   *common = palloc0((Size) b->ngroups * b->ngroups * sizeof(int64));

	for (int i = 0; i < b->nvalues; i++)
	{
		Value	   *value = &b->values[i];

		if (value->before >= 0 && of_old[value->before] >= 0)
			common[value->after * b->ngroups + of_old[value->before]] += value->rows + 1;
	}
	for (int i = 0; i < b->ngroups; i++)
		of_new[i] = -1;
	for (int n = 0; n < b->ngroups; n++)
	{
		int			new = -1,
					old = -1;

		for (int i = 0; i < b->ngroups * b->ngroups; i++)
			if (common[i] >= 0 && (new < 0 || common[i] > common[new * b->ngroups + old]))
			{
				new = i / b->ngroups;
				old = i % b->ngroups;
			}
		of_new[new] = old;
		for (int i = 0; i < b->ngroups; i++)
			common[new * b->ngroups + i] = common[i * b->ngroups + old] = -1;
	}
	for (int i = 0; i < b->nvalues; i++)
		b->values[i].after = of_new[b->values[i].after];
	for (int i = 0; i < b->ngroups; i++)
		sizes[of_new[i]] = b->sizes[i];
	b->sizes = sizes;
}

static void
make_groups(Balance *b)
{
	int64		made;

	b->sizes = palloc0(b->ngroups * sizeof(int64));
	/* values that have a child each are in no groups that could stay */
	if (b->nbefore < b->nvalues && b->nbefore > 0 && keep_groups(b))
		return;
	made = b->sizes[largest(b)];
	deal_out(b);
	if (made > 0 && b->sizes[largest(b)] >= made)
		(void) keep_groups(b);
	else
		number_like_old(b);
}

/* ---------------------------------------------------------------------- results */

static int
by_text(const void *a, const void *b)
{
	const char *x = *(char *const *) a;
	const char *y = *(char *const *) b;
	bool		numbers = x && y && strspn(x, "0123456789") == strlen(x) && strspn(y, "0123456789") == strlen(y);

	if (x == NULL || y == NULL)
		return (x == NULL) - (y == NULL);
	if (numbers && strlen(x) != strlen(y))
		return strlen(x) < strlen(y) ? -1 : 1;
	return strcmp(x, y);
}

/* The values of a group after, or before; moved: only those that were not together with its largest one. */
static Datum
members_of(const Balance *b, int group, bool before, bool moved, int64 *rows, int *n)
{
	char	  **texts = palloc(Max(b->nvalues, 1) * sizeof(char *));
	Datum	   *datums = palloc(Max(b->nvalues, 1) * sizeof(Datum));
	bool	   *nulls = palloc(Max(b->nvalues, 1) * sizeof(bool));
	int			stays = -1;
	int			lbound = 1;

	*n = 0;
	*rows = 0;
	for (int i = 0; i < b->nvalues; i++)
	{
		const Value *value = &b->values[i];

		if ((before ? value->before : value->after) != group)
			continue;
		*rows += value->rows;
		if (moved && (stays < 0 || value->before == stays))
		{
			stays = value->before;
			continue;
		}
		texts[(*n)++] = value->text;
	}
	qsort(texts, *n, sizeof(char *), by_text);
	for (int i = 0; i < *n; i++)
	{
		nulls[i] = texts[i] == NULL;
		datums[i] = nulls[i] ? (Datum) 0 : CStringGetTextDatum(texts[i]);
	}
	return PointerGetDatum(construct_md_array(datums, nulls, 1, n, &lbound, TEXTOID, -1, false, TYPALIGN_INT));
}

static char *
array_text(Datum array)
{
	Oid			output;
	bool		is_varlena;

	getTypeOutputInfo(TEXTARRAYOID, &output, &is_varlena);
	return OidOutputFunctionCall(output, array);
}

/* Is a group of the new ones one that there is? */
static bool
is_there(const Balance *b, int group)
{
	int			before = -2;
	int			n = 0;

	for (int i = 0; i < b->nvalues; i++)
		if (b->values[i].after == group)
		{
			if (before != -2 && b->values[i].before != before)
				return false;
			before = b->values[i].before;
			n++;
		}
	if (before < 0)
		return n == 0;
	for (int i = 0; i < b->nvalues; i++)
		n -= b->values[i].before == before;
	return n == 0;
}

/* But for the end of the argument list. */
static char *
regroup_text(const Balance *b, Datum members)
{
	return psprintf("CALL router.regroup(%s, %s, key => %s", quote_literal_cstr(router_qualified_name(b->source)),
					quote_literal_cstr(array_text(members)), quote_literal_cstr(b->column));
}

static char *
create_text(const Balance *b)
{
	ArrayBuildState *groups = NULL;

	for (int i = 0; i < b->ngroups; i++)
	{
		int64		rows;
		int			n;
		Datum		members = members_of(b, i, false, false, &rows, &n);

		if (n > 1)
			groups = accumArrayResult(groups, CStringGetTextDatum(array_text(members)), false, TEXTOID,
									  CurrentMemoryContext);
	}
	return psprintf("CALL router.convert(%s, router.by_list(%s, groups => %s))", quote_literal_cstr(router_qualified_name(b->source)),
					quote_literal_cstr(b->column),
					groups ? quote_literal_cstr(array_text(makeArrayResult(groups, CurrentMemoryContext))) : "NULL");
}

static void
report_groups(RouterReport *report, const Balance *b, bool before)
{
	int			count = before ? b->nbefore : b->ngroups;
	double		mean = Max((double) b->total / Max(count, 1), 1e-9);
	bool		first = true;

	for (int i = 0; i < count; i++)
	{
		int64		rows;
		int			n;
		Datum		values[7] = {0};
		bool		nulls[7] = {0};

		values[2] = members_of(b, i, before, false, &rows, &n);
		if (n == 0)
			continue;
		values[0] = CStringGetTextDatum(before ? "before" : "after");
		values[1] = Int32GetDatum(i + 1);
		values[3] = Int64GetDatum(rows);
		values[4] = DirectFunctionCall3(numeric_in, CStringGetDatum(psprintf("%.3f", rows / mean)), ObjectIdGetDatum(InvalidOid),
										Int32GetDatum(-1));
		values[5] = members_of(b, i, false, true, &rows, &n);
		nulls[5] = before || !b->routed || n == 0;
		nulls[6] = before || (b->routed ? is_there(b, i) : !first);
		if (!nulls[6])
			values[6] = CStringGetTextDatum(b->routed ? psprintf("%s)", regroup_text(b, values[2])) : create_text(b));
		first = false;
		router_report_row(report, values, nulls);
	}
}

static int
read_number(FunctionCallInfo fcinfo, int n)
{
	int			number = PG_GETARG_INT32(n);

	if (number < 1 || number > MAX_GROUPS)
		router_bad_argument("n", psprintf("It is how many children there are to be, from 1 to %d.", MAX_GROUPS));
	return number;
}

/* router.balance(source, column_name, n, exact, weight) */
Datum
router_balance(PG_FUNCTION_ARGS)
{
	RouterReport report;
	Balance		b = {0};

	router_report_begin(&report, fcinfo, 3, -1);
	b.source = PG_GETARG_OID(0);
	b.column = NameStr(*PG_GETARG_NAME(1));
	b.ngroups = read_number(fcinfo, 2);
	read_source(&b, router_arg_bool(fcinfo, 3), router_arg_name(fcinfo, 4));
	make_groups(&b);
	if (b.routed)
		report_groups(&report, &b, true);
	report_groups(&report, &b, false);
	return (Datum) 0;
}

/* The calls that make the groups, one after the other; each commits, and is told of in router.events. */
static void
regroup_all(List *calls)
{
	ListCell   *lc;

	SPI_connect_ext(SPI_OPT_NONATOMIC);
	foreach(lc, calls)
	{
		SPIExecuteOptions options = {.allow_nonatomic = true};

		if (SPI_execute_extended(lfirst(lc), &options) < 0)
			elog(ERROR, "could not run: %s", (char *) lfirst(lc));
	}
	SPI_finish();
}

/* CALL router.balance(base, column_name, n, apply, exact, batch_rows, pause, lock_timeout) */
Datum
router_apply_balance(PG_FUNCTION_ARGS)
{
	Balance		b = {0};
	MemoryContext old = MemoryContextSwitchTo(PortalContext);
	List	   *calls = NIL;
	Interval   *pause = router_arg_interval(fcinfo, 6);

	for (int i = 0; i < 6; i++)
		router_require_argument(fcinfo, i);
	router_require_argument(fcinfo, 7);
	b.source = PG_GETARG_OID(0);
	b.column = pstrdup(NameStr(*PG_GETARG_NAME(1)));
	b.ngroups = read_number(fcinfo, 2);
	router_check_exists(b.source);
	router_check_owner(b.source);
	if (router_is_atomic(fcinfo) && PG_GETARG_BOOL(3))
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("router.balance cannot run inside a transaction block"),
				 errhint("It commits as it goes. Call it outside of one.")));
	read_source(&b, PG_GETARG_BOOL(4), NULL);
	if (!b.routed)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table \"%s\" is not a routed table", get_rel_name(b.source)),
				 errhint("SELECT * FROM router.balance(…) shows the groups, and the call that makes it one.")));
	make_groups(&b);
	for (int i = 0; i < b.ngroups; i++)
	{
		int64		rows;
		int			n;
		Datum		members = members_of(&b, i, false, false, &rows, &n);

		if (n == 0 || is_there(&b, i))
			continue;
		calls = lappend(calls, psprintf("%s, batch_rows => %d, pause => %s, lock_timeout => %s)", regroup_text(&b, members),
										PG_GETARG_INT32(5), pause ? quote_literal_cstr(router_interval_text(pause)) : "NULL",
										quote_literal_cstr(router_interval_text(PG_GETARG_INTERVAL_P(7)))));
		/* what that leaves of other groups may be one of the new ones by itself */
		for (int j = 0; j < b.nvalues; j++)
			if (b.values[j].after == i)
				b.values[j].before = b.nbefore;
		b.nbefore++;
	}
	if (PG_GETARG_BOOL(3))
		regroup_all(calls);
	else
		ereport(NOTICE,
				(errmsg("would make %d of %d groups anew", list_length(calls), b.ngroups),
				 errhint("SELECT * FROM router.balance(…) shows them.")));
	MemoryContextSwitchTo(old);
	PG_RETURN_VOID();
}
