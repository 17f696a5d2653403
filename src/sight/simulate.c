/*
 * simulate.c
 *		router.simulate: which children a table would have by some keys, and how large.
 *
 * Rows are read, all of them or a sample, and each is asked for the bounds of its child by the code that makes children
 * (child/child_bounds.c), for a route that has none yet. Or there is nothing but a formula.
 *
 * Of a sample, children that it has not seen are estimated as kinds are by Chao (Nonparametric estimation of the number
 * of classes in a population, 1984): by how many were seen once and twice. Of a large table it is of blocks: rows of a
 * child that lie together make it less sure than it says.
 *
 * Locking: AccessShareLock on the table.
 * Rights: who may act for the owner reads all rows, as the owner; anybody else by his own rights, under row security.
 * Labels are not run.
 * Memory: an entry a child.
 */
#include "compat.h"

#include <math.h>

#include "access/relation.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rls.h"
#include "utils/timestamp.h"

#include "admin/route_ddl.h"
#include "admin/route_settings.h"
#include "base/args.h"
#include "base/owner.h"
#include "base/pin.h"
#include "base/report.h"
#include "base/see.h"
#include "base/sql.h"
#include "child/child_bounds.h"
#include "reshape/reshape.h"
#include "route/owned.h"
#include "route/search.h"
#include "route/watermark.h"

PG_FUNCTION_INFO_V1(router_simulate);
PG_FUNCTION_INFO_V1(router_simulate_key);
PG_FUNCTION_INFO_V1(router_simulate_formula);

/* what children there should be: docs/reference.md says so as well */
#define MANY_CHILDREN 5000
#define FEW_ROWS 10000
#define MANY_BYTES (50.0 * 1024 * 1024 * 1024)

/* measured, in milliseconds: bench/results/read.md, docs/internals/performance.md */
#define PLAN_LOOKUP_MS 0.03
#define PLAN_CHILD_MS 0.075

#define READ_ROWS 10000

/* rows of fewer blocks are no sample: then rows are drawn, and all blocks are read */
#define FEW_BLOCKS 300
#define DAYS_A_YEAR 365.25

/* A child that there would be. */
typedef struct Sized
{
	uint64		hash;			/* of the text of its bounds */
	int64		rows;
	char	   *text;
} Sized;

typedef struct Simulation
{
	RouterReport report;
	Oid			source;
	RouterConfig *config;
	RouterRoute *route;
	int			range_level;	/* the last level of dates, or -1 */
	int64		first;			/* where ranges of dates begin, and the last one ends */
	int64		last;
	int64		fresh;			/* hot: values from here on stay in the base */
	HTAB	   *children;
	double		total;			/* rows of the table */
	double		blocks;			/* of the table, as last analyzed */
	double		row_bytes;		/* with its share of indexes */
	int64		looked_at;
	int64		hot_rows;
	int64		impossible;		/* that could have no child */
	int64		nulls[ROUTER_MAX_LEVELS];
	bool		all;			/* rows were looked at */
	bool		by_own_rights;
	double		nchildren;
	double		a_year;			/* children; 0: unknown */
	double		rows[3];		/* of a child: least, median, most */
	const char *largest;
} Simulation;

/* ------------------------------------------------------------------ results */

static Datum
to_numeric(double number, int digits)
{
	return DirectFunctionCall3(numeric_in, CStringGetDatum(psprintf("%.*f", digits, number)),
							   ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1));
}

static void
tell(Simulation *s, const char *what, double number, const char *value, const char *detail)
{
	Datum		values[4];
	bool		nulls[4] = {false, isnan(number), false, detail == NULL};

	values[0] = CStringGetTextDatum(what);
	if (!nulls[1])
		values[1] = to_numeric(number, number == floor(number) ? 0 : 3);
	values[2] = CStringGetTextDatum(value);
	if (detail)
		values[3] = CStringGetTextDatum(detail);
	router_report_row(&s->report, values, nulls);
}

static char *
whole(double number)
{
	Datum		format = CStringGetTextDatum("FM999,999,999,999,999,990");

	return TextDatumGetCString(DirectFunctionCall2(numeric_to_char, to_numeric(number, 0), format));
}

static char *
bytes_text(double bytes)
{
	return TextDatumGetCString(DirectFunctionCall1(pg_size_pretty, Int64GetDatum((int64) Min(bytes, 9e18))));
}

static void
tell_children(Simulation *s)
{
	static const char *const which[] = {"least", "median", "most"};

	tell(s, "children", s->nchildren, whole(s->nchildren), NULL);
	if (s->a_year > 0)
		tell(s, "children a year", s->a_year, whole(s->a_year), NULL);
	for (int i = 0; i < lengthof(which); i++)
		tell(s, psprintf("rows of a child, %s", which[i]), s->rows[i], whole(s->rows[i]), i == 2 ? s->largest : NULL);
	for (int i = 0; i < lengthof(which); i++)
		tell(s, psprintf("bytes of a child, %s", which[i]), s->rows[i] * s->row_bytes, bytes_text(s->rows[i] * s->row_bytes),
			 i == 0 ? psprintf("%s a row, with its indexes", bytes_text(s->row_bytes)) : NULL);
	if (s->nchildren > 0)
	{
		double		mean = (s->total - s->hot_rows) / s->nchildren;
		double		skew = mean > 0 ? s->rows[2] / mean : 1;

		tell(s, "skew", skew, psprintf("%.1f", skew), "the largest child over their mean");
	}
	tell(s, "planning, by key", PLAN_LOOKUP_MS, psprintf("%.2f ms", PLAN_LOOKUP_MS), "for any number of children; as measured by make bench-read");
	tell(s, "planning, all children", s->nchildren * PLAN_CHILD_MS, psprintf("%.1f ms", s->nchildren * PLAN_CHILD_MS),
		 "a query that no key narrows");
}

static void
warn(Simulation *s, const char *what, const char *detail)
{
	tell(s, "warning", NAN, what, detail);
}

static void
warn_of_sizes(Simulation *s)
{
	if (s->nchildren > MANY_CHILDREN)
		warn(s, psprintf("too many children: more than %d", MANY_CHILDREN),
			 "Catalogs, relation caches and locks grow with them. Take a longer step, groups of values, or fewer levels.");
	if (s->nchildren > 10 && s->rows[1] < FEW_ROWS)
		warn(s, psprintf("children are small: half of them have fewer than %d rows", FEW_ROWS),
			 "Each costs a file for every index, and a plan where no key narrows the query. Take a longer step, or group values: router.balance.");
	if (s->rows[2] * s->row_bytes > MANY_BYTES)
		warn(s, psprintf("a child is large: more than %s", bytes_text(MANY_BYTES)),
			 "VACUUM, CREATE INDEX and moves of it take hours. Take a shorter step, or a second level.");
}

/* What create_route would refuse, or what would not be as it was. */
static void
warn_of_table(Simulation *s)
{
	StringInfoData attnums;
	char	   *loose;
	char	   *foreign;

	for (int i = 0; i < s->config->nkeys; i++)
		if (s->nulls[i] > 0)
			warn(s, psprintf("key \"%s\" has NULLs: %s of the rows", s->config->keys[i].column, whole(s->nulls[i])),
				 "They have a child of their own.");
	if (s->impossible > 0)
		warn(s, psprintf("%s of the rows can have no child", whole(s->impossible)), "Their key is infinite, or beyond the calendar.");
	initStringInfo(&attnums);
	for (int i = 0; i < s->config->nkeys; i++)
		appendStringInfo(&attnums, "%s%d", i > 0 ? "," : "", get_attnum(s->source, s->config->keys[i].column));
	loose = router_ask("SELECT string_agg(format('%%I', c.relname), ', ' ORDER BY c.relname) FROM pg_index"
					   "  JOIN pg_class c ON c.oid = indexrelid,"
					   "  LATERAL (SELECT array_agg(k::int2) AS columns FROM unnest(indkey) WITH ORDINALITY u (k, n) WHERE n <= indnkeyatts) own"
					   " WHERE indrelid = %u AND indisunique AND NOT own.columns @> '{%s}'::int2[]",
					   s->source, attnums.data);
	if (loose)
		warn(s, psprintf("unique in each child only: %s", loose),
			 "Take the keys into it, or router.add_global_key for what has to be unique over all children.");
	foreign = router_ask("SELECT string_agg(DISTINCT conrelid::regclass::text, ', ') FROM pg_constraint WHERE contype = 'f' AND confrelid = %u",
						 s->source);
	if (foreign)
		warn(s, psprintf("foreign keys refer to it: of %s", foreign),
			 "They cannot refer to a routed table. Let them refer to the key table of router.add_global_key.");
}

static void
tell_statement(Simulation *s)
{
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfo(&buf, s->total > 0 ? "CALL router.convert(%s, " : "SELECT router.create_route(%s, ",
					 quote_literal_cstr(router_qualified_name(s->source)));
	for (int i = 0; i < s->config->nkeys; i++)
	{
		appendStringInfoString(&buf, i > 0 ? ", " : s->config->nkeys > 1 ? "ARRAY[" : "");
		router_append_key(&buf, &s->config->keys[i]);
	}
	appendStringInfoString(&buf, s->config->nkeys > 1 ? "]" : "");
	if (s->config->hot)
		appendStringInfo(&buf, ", hot => %s", quote_literal_cstr(router_interval_text(s->config->hot)));
	appendStringInfoChar(&buf, ')');
	tell(s, "statement", NAN, buf.data, NULL);
}

/* ------------------------------------------------------------------ rows */

static void
add_child(Simulation *s, RouterBound **bounds)
{
	const RouterBound *range = s->range_level >= 0 ? bounds[s->range_level] : NULL;
	char	   *text = router_bounds_display(s->route, bounds);
	uint64		hash = DatumGetUInt64(hash_any_extended((unsigned char *) text, strlen(text), 0));
	bool		found;
	Sized	   *child = hash_search(s->children, &hash, HASH_ENTER, &found);

	if (!found)
	{
		child->rows = 0;
		child->text = MemoryContextStrdup(s->route->cxt, pnstrdup(text, 200));
		if (range && range->form == ROUTER_BOUND_RANGE && range->lo != PG_INT64_MIN && range->hi != PG_INT64_MAX)
		{
			s->first = Min(s->first, range->lo);
			s->last = Max(s->last, range->hi);
		}
	}
	child->rows++;
}

static void
add_row(Simulation *s, HeapTuple tup, TupleDesc desc)
{
	RouterConfig *config = &s->route->config;
	int			hot = config->hot ? router_hot_level(config) : -1;
	Datum		values[ROUTER_MAX_LEVELS];
	bool		isnull[ROUTER_MAX_LEVELS];
	RouterMiss	miss = {.path = {&s->route->root}};
	RouterBound *bounds[ROUTER_MAX_LEVELS];

	s->looked_at++;
	for (int i = 0; i < config->nkeys; i++)
	{
		values[i] = heap_getattr(tup, i + 1, desc, &isnull[i]);
		s->nulls[i] += isnull[i];
	}
	if (hot >= 0 && !isnull[hot] && router_key_int(&config->keys[hot], values[hot]) >= s->fresh)
		s->hot_rows++;
	else if (router_child_bounds(s->route, values, isnull, &miss, bounds))
		add_child(s, bounds);
	else
		s->impossible++;
}

static void
read_rows(Simulation *s, const char *query)
{
	MemoryContext row = AllocSetContextCreate(CurrentMemoryContext, "router simulated row", ALLOCSET_DEFAULT_SIZES);
	Portal		portal;

	SPI_connect();
	portal = SPI_cursor_open_with_args(NULL, query, 0, NULL, NULL, NULL, true, CURSOR_OPT_NO_SCROLL);
	do
	{
		SPI_cursor_fetch(portal, true, READ_ROWS);
		for (uint64 i = 0; i < SPI_processed; i++)
		{
			MemoryContext old = MemoryContextSwitchTo(row);

			CHECK_FOR_INTERRUPTS();
			add_row(s, SPI_tuptable->vals[i], SPI_tuptable->tupdesc);
			MemoryContextSwitchTo(old);
			MemoryContextReset(row);
		}
		SPI_freetuptable(SPI_tuptable);
	} while (SPI_processed > 0);
	SPI_cursor_close(portal);
	SPI_finish();
	MemoryContextDelete(row);
}

/* How many rows there are, and how large one is with its indexes, as far as that is known. */
static void
measure_source(Simulation *s)
{
	char	   *rows = router_ask("SELECT sum(router.estimated_rows(oid)) FROM (SELECT %1$u AS oid"
								  " UNION ALL SELECT inhrelid FROM pg_inherits WHERE inhparent = %1$u) t", s->source);
	char	   *bytes = router_ask("SELECT sum(pg_total_relation_size(oid)) FROM (SELECT %1$u AS oid"
								   " UNION ALL SELECT inhrelid FROM pg_inherits WHERE inhparent = %1$u) t", s->source);
	char	   *blocks;

	s->total = rows ? strtod(rows, NULL) : 0;
	blocks = router_ask("SELECT sum(relpages) FROM pg_class WHERE oid = %1$u"
						" OR oid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = %1$u)", s->source);
	s->blocks = blocks ? strtod(blocks, NULL) : 0;
	s->row_bytes = s->total > 0 && bytes ? strtod(bytes, NULL) / s->total : 100;
}

static char *
rows_query(Simulation *s, bool exact, int sample_rows)
{
	StringInfoData buf;
	char		kind = get_rel_relkind(s->source);
	double		percent = s->total > 0 ? 100.0 * sample_rows / s->total : 100;

	initStringInfo(&buf);
	appendStringInfoString(&buf, "SELECT ");
	for (int i = 0; i < s->config->nkeys; i++)
		appendStringInfo(&buf, "%s%s", i > 0 ? ", " : "", quote_identifier(s->config->keys[i].column));
	appendStringInfo(&buf, " FROM %s", router_qualified_name(s->source));
	s->all = exact || percent >= 100;
	if (!s->all && (kind == RELKIND_RELATION || kind == RELKIND_MATVIEW || kind == RELKIND_PARTITIONED_TABLE))
		appendStringInfo(&buf, " TABLESAMPLE %s (%.6f)", s->blocks * percent / 100 < FEW_BLOCKS ? "BERNOULLI" : "SYSTEM",
						 percent);
	else if (!s->all)
		appendStringInfo(&buf, " LIMIT %d", sample_rows);
	return buf.data;
}

static void
look_at_rows(Simulation *s, bool exact, int sample_rows)
{
	Oid			owner = router_relation_owner(s->source);
	RouterAsOwner saved;
	char	   *query;
	int			guc_level;

	guc_level = router_pin_settings(s->config->time_zone);
	measure_source(s);
	query = rows_query(s, exact, sample_rows);
	s->by_own_rights = !has_privs_of_role(GetUserId(), owner);
	if (s->by_own_rights)
		read_rows(s, query);
	else
	{
		router_become_owner(&saved, owner, router_is_own_temp(s->source), s->config->time_zone);
		(void) router_see_all_rows();
		read_rows(s, query);
		router_become_user(&saved);
	}
	AtEOXact_GUC(false, guc_level);
	if (s->all)
	{
		s->row_bytes *= s->looked_at > 0 ? s->total / s->looked_at : 1;
		s->total = s->looked_at;
	}
}

static int
by_rows(const void *a, const void *b)
{
	const Sized *x = *(Sized *const *) a;
	const Sized *y = *(Sized *const *) b;

	return x->rows < y->rows ? -1 : x->rows > y->rows;
}

/* Sums up what was seen; the number of children seen so often as 1 and 2 goes to *often. */
static double
sum_up(Simulation *s, int64 *often)
{
	int64		n = hash_get_num_entries(s->children);
	Sized	  **children = MemoryContextAllocHuge(CurrentMemoryContext, Max(n, 1) * sizeof(Sized *));
	double		factor = s->looked_at > 0 ? s->total / s->looked_at : 1;
	HASH_SEQ_STATUS seq;
	Sized	   *child;
	int64		i = 0;

	hash_seq_init(&seq, s->children);
	while ((child = hash_seq_search(&seq)) != NULL)
		children[i++] = child;
	qsort(children, n, sizeof(Sized *), by_rows);
	for (i = 0; i < n && children[i]->rows <= 2; i++)
		often[children[i]->rows - 1]++;
	s->nchildren = n;
	if (n > 0)
	{
		s->rows[0] = children[0]->rows * factor;
		s->rows[1] = children[n / 2]->rows * factor;
		s->rows[2] = children[n - 1]->rows * factor;
		s->largest = children[n - 1]->text;
	}
	s->hot_rows *= factor;
	if (s->last > s->first)
	{
		double		unit = s->config->keys[s->range_level].typid == DATEOID ? 1 : USECS_PER_DAY;
		double		days = (s->last - s->first + 1.0) / unit;

		s->a_year = days >= 28 ? n / Max(days / DAYS_A_YEAR, 1.0 / 12) : 0;
	}
	return factor;
}

static void
tell_rows(Simulation *s)
{
	int64		often[2] = {0, 0};
	double		factor = sum_up(s, often);
	double		seen = factor > 0 ? s->rows[1] / factor : 0;
	const char *rights = s->by_own_rights ? "those that you may read" : NULL;

	tell(s, "rows", s->total, whole(s->total), s->all ? rights : "estimated: as last analyzed, for the size of today");
	if (!s->all)
	{
		tell(s, "rows looked at", s->looked_at, whole(s->looked_at),
			 seen > 0 ? psprintf("a sample of blocks: rows of a child of median size are within %.0f %% (two standard errors, if they lie in no order)",
								 200 / sqrt(seen)) : "a sample of blocks");
		tell(s, "children not seen", often[0] * (often[0] - 1) / (2.0 * (often[1] + 1)),
			 psprintf("about %s", whole(often[0] * (often[0] - 1) / (2.0 * (often[1] + 1)))), "by how many were seen once and twice");
	}
	if (s->config->hot)
		tell(s, "rows that stay in the base", s->hot_rows, whole(s->hot_rows), NULL);
	tell_children(s);
	warn_of_sizes(s);
	warn_of_table(s);
	tell_statement(s);
}

/* --------------------------------------------------------------------- calls */

/* A route without children. */
static void
make_route(Simulation *s)
{
	HASHCTL		ctl = {.keysize = sizeof(uint64),.entrysize = sizeof(Sized),.hcxt = CurrentMemoryContext};

	s->route = palloc0(sizeof(RouterRoute));
	s->route->cxt = CurrentMemoryContext;
	s->route->config = *s->config;
	s->children = hash_create("router simulated children", 256, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	s->first = PG_INT64_MAX;
	s->last = PG_INT64_MIN;
	s->range_level = -1;
	for (int i = 0; i < s->config->nkeys; i++)
		if (s->config->keys[i].kind == ROUTER_DATE)
			s->range_level = i;
	if (s->config->hot)
		s->fresh = router_key_from_now(&s->config->keys[router_hot_level(s->config)], s->config->hot, -1);
}

/* router.simulate(source, keys, exact, sample_rows, hot) */
Datum
router_simulate(PG_FUNCTION_ARGS)
{
	RouterSettings settings = {.default_child = -1,.max_new_children = -1};
	Simulation *s = palloc0(sizeof(Simulation));
	Relation	rel;
	char		kind;

	router_report_begin(&s->report, fcinfo, 2, -1);
	s->source = PG_GETARG_OID(0);
	router_check_exists(s->source);
	if (PG_GETARG_INT32(3) < 1)
		router_bad_argument("sample_rows", "It is how many rows are looked at: 1 or more.");
	settings.hot = router_arg_interval(fcinfo, 4);
	kind = get_rel_relkind(s->source);
	if (kind == RELKIND_INDEX || kind == RELKIND_SEQUENCE || kind == RELKIND_COMPOSITE_TYPE ||
		kind == RELKIND_PARTITIONED_INDEX || kind == RELKIND_TOASTVALUE)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is no table or view", get_rel_name(s->source))));
	/* no lock for who may not read it */
	if (pg_class_aclcheck(s->source, GetUserId(), ACL_SELECT) != ACLCHECK_OK &&
		pg_attribute_aclcheck_all(s->source, GetUserId(), ACL_SELECT, ACLMASK_ANY) != ACLCHECK_OK)
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_TABLE, get_rel_name(s->source));
	rel = relation_open(s->source, AccessShareLock);
	s->config = router_wanted_config(s->source, NULL, PG_GETARG_ARRAYTYPE_P(1), &settings, false);
	/* a label is a query of the caller's, which would run as the owner */
	for (int i = 0; i < s->config->nkeys; i++)
		s->config->keys[i].label = NULL;
	router_check_config(s->config, rel, true);
	relation_close(rel, NoLock);
	make_route(s);
	look_at_rows(s, router_arg_bool(fcinfo, 2), PG_GETARG_INT32(3));
	tell_rows(s);
	return (Datum) 0;
}

/* The same with one key. */
Datum
router_simulate_key(PG_FUNCTION_ARGS)
{
	router_reshape_one_key(fcinfo);
	return router_simulate(fcinfo);
}

static double
positive(FunctionCallInfo fcinfo, int n, const char *name)
{
	double		number;

	router_require_argument(fcinfo, n);
	number = PG_GETARG_FLOAT8(n);
	if (!(number > 0) || isinf(number))
		router_bad_argument(name, "It is a number above 0.");
	return number;
}

/* router.simulate("values", things, properties, per_day, days, step_days, row_bytes) */
Datum
router_simulate_formula(PG_FUNCTION_ARGS)
{
	Simulation *s = palloc0(sizeof(Simulation));
	double		number;
	double		days;
	double		step;

	router_report_begin(&s->report, fcinfo, 0, -1);
	number = floor(positive(fcinfo, 0, "values"));
	days = positive(fcinfo, 4, "days");
	step = PG_ARGISNULL(5) ? days : Min(positive(fcinfo, 5, "step_days"), days);
	s->row_bytes = positive(fcinfo, 6, "row_bytes");
	s->total = number * positive(fcinfo, 1, "things") * positive(fcinfo, 2, "properties") * positive(fcinfo, 3, "per_day") * days;
	s->nchildren = number * ceil(days / step);
	s->rows[0] = s->rows[1] = s->rows[2] = s->total / s->nchildren;
	s->a_year = PG_ARGISNULL(5) ? 0 : number * DAYS_A_YEAR / step;
	tell(s, "rows", s->total, whole(s->total), "values × things × properties × readings a day × days");
	tell(s, "bytes", s->total * s->row_bytes, bytes_text(s->total * s->row_bytes), NULL);
	tell_children(s);
	warn_of_sizes(s);
	return (Datum) 0;
}
