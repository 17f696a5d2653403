/*
 * survivors.c
 *		Runs a program of clauses on a route: which children can hold such rows?
 *
 * It runs when some or all of the expressions that keys are compared with have
 * values: when a query is planned, when it starts, and whenever a parameter
 * changes. What has no value yet restricts nothing.
 *
 * Pure functions. Results are palloc'd in the current context.
 */
#include "compat.h"
#include "read/survivors.h"

#include "common/int.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

#include "read/program.h"

/* no zone of the world is further from UTC; those that SET TIME ZONE makes up are up to a week */
#define ZONE_MARGIN (INT64CONST(16) * USECS_PER_HOUR)
#define MADE_UP_ZONE_MARGIN (INT64CONST(14) * USECS_PER_DAY)

typedef enum SetForm
{
	SET_ALL,					/* any value */
	SET_SOME,					/* those listed */
} SetForm;

/* A test that each value of a list key is put to. */
typedef struct Filter
{
	FmgrInfo	function;
	Oid			collation;
	Datum		value;
} Filter;

/* The values that a key can have. */
typedef struct KeySet
{
	bool		null;			/* it may be NULL */
	SetForm		form;
	int			n;				/* SET_SOME: ranges, or values (folded) */
	int64	   *lo;
	int64	   *hi;
	Datum	   *values;
	List	   *filters;		/* list keys, SET_ALL: the values have to pass them */
} KeySet;

/* ---------------------------------------------------------------- sets of values */

static KeySet
all_values(void)
{
	return (KeySet) {.null = true,.form = SET_ALL};
}

static KeySet
not_null(void)
{
	return (KeySet) {.form = SET_ALL};
}

static KeySet
no_values(void)
{
	return (KeySet) {.form = SET_SOME};
}

static void
add_range(KeySet *set, int64 lo, int64 hi)
{
	if (lo > hi)
		return;
	if (set->n == 0)
	{
		set->lo = palloc(sizeof(int64));
		set->hi = palloc(sizeof(int64));
	}
	else
	{
		set->lo = repalloc(set->lo, (set->n + 1) * sizeof(int64));
		set->hi = repalloc(set->hi, (set->n + 1) * sizeof(int64));
	}
	set->lo[set->n] = lo;
	set->hi[set->n++] = hi;
}

static void
add_value(KeySet *set, Datum value)
{
	set->values = set->n == 0 ? palloc(sizeof(Datum)) : repalloc(set->values, (set->n + 1) * sizeof(Datum));
	set->values[set->n++] = value;
}

static bool
same_value(RouterKey *key, Datum a, Datum b)
{
	return key->is_int ? a == b : DatumGetBool(FunctionCall2Coll(&key->eq, key->collation, a, b));
}

static KeySet
intersect(RouterKey *key, const KeySet *a, const KeySet *b)
{
	KeySet		both;

	if (a->form == SET_ALL || b->form == SET_ALL)
	{
		both = a->form == SET_ALL ? *b : *a;
		if (a->form == SET_ALL && b->form == SET_ALL)
			both.filters = list_concat_copy(a->filters, b->filters);
	}
	else
	{
		both = no_values();
		for (int i = 0; i < a->n; i++)
			for (int j = 0; j < b->n; j++)
			{
				if (router_key_is_range(key))
					add_range(&both, Max(a->lo[i], b->lo[j]), Min(a->hi[i], b->hi[j]));
				else if (same_value(key, a->values[i], b->values[j]))
					add_value(&both, a->values[i]);
			}
	}
	both.null = a->null && b->null;
	return both;
}

/* -------------------------------------------------------------- one comparison */

static int64
plus(int64 value, int64 more)
{
	int64		sum;

	if (value == PG_INT64_MIN || value == PG_INT64_MAX)
		return value;
	return !pg_add_s64_overflow(value, more, &sum) ? sum : more < 0 ? PG_INT64_MIN : PG_INT64_MAX;
}

static int64
days_of(int64 micros)
{
	if (micros == PG_INT64_MIN || micros == PG_INT64_MAX)
		return micros;
	return micros / USECS_PER_DAY - (micros % USECS_PER_DAY < 0);
}

/* How far the time in the session's zone may be from UTC. */
static int64
zone_margin(int64 point)
{
	pg_time_t	at = timestamptz_to_time_t(point);
	struct pg_tm *local = pg_localtime(&at, session_timezone);

	return local && labs(local->tm_gmtoff) * USECS_PER_SEC <= ZONE_MARGIN ? ZONE_MARGIN : MADE_UP_ZONE_MARGIN;
}

/* A value as a point of the key's own scale, or as the span in which that point lies. */
static void
place(const RouterKey *key, Oid type, Datum value, int64 *lo, int64 *hi)
{
	RouterKey	other = *key;
	int64		point;

	other.typid = type;
	point = router_key_int(&other, value);
	*lo = *hi = point;
	if (key->kind != ROUTER_DATE || type == key->typid)
		return;
	if (type == DATEOID && point != PG_INT64_MIN && point != PG_INT64_MAX &&
		pg_mul_s64_overflow(point, USECS_PER_DAY, &point))
	{
		/* after all timestamps, but before infinity; dates do not reach as far back */
		*lo = PG_INT64_MAX - 1;
		*hi = PG_INT64_MAX;
		return;
	}
	*lo = *hi = point;
	if (type == TIMESTAMPTZOID || key->typid == TIMESTAMPTZOID)
	{
		int64		margin = zone_margin(point);

		*lo = plus(point, -margin);
		*hi = plus(point, margin);
	}
	if (key->typid == DATEOID)
	{
		bool		midnight = *lo == *hi && *lo % USECS_PER_DAY == 0;

		*lo = days_of(*lo);
		*hi = plus(days_of(*hi), midnight ? 0 : 1);
	}
}

static KeySet
compare_range(const RouterKey *key, int strategy, Oid type, Datum value)
{
	KeySet		set = no_values();
	int64		lo,
				hi;

	place(key, type, value, &lo, &hi);
	switch (strategy)
	{
		case BTLessStrategyNumber:
			if (lo != hi)
				add_range(&set, PG_INT64_MIN, hi);
			else if (hi > PG_INT64_MIN)
				add_range(&set, PG_INT64_MIN, hi - 1);
			break;
		case BTLessEqualStrategyNumber:
			add_range(&set, PG_INT64_MIN, hi);
			break;
		case BTEqualStrategyNumber:
			add_range(&set, lo, hi);
			break;
		case BTGreaterEqualStrategyNumber:
			add_range(&set, lo, PG_INT64_MAX);
			break;
		case BTGreaterStrategyNumber:
			if (lo != hi)
				add_range(&set, lo, PG_INT64_MAX);
			else if (lo < PG_INT64_MAX)
				add_range(&set, lo + 1, PG_INT64_MAX);
			break;
		default:
			return not_null();
	}
	return set;
}

/* An integer as a value of the key's type. False: the type cannot hold it. */
static bool
fit_integer(Oid to, Oid from, Datum *value)
{
	int64		number = from == INT2OID ? DatumGetInt16(*value) :
		from == INT4OID ? DatumGetInt32(*value) : DatumGetInt64(*value);

	switch (to)
	{
		case INT2OID:
			*value = Int16GetDatum((int16) number);
			return number >= PG_INT16_MIN && number <= PG_INT16_MAX;
		case INT4OID:
			*value = Int32GetDatum((int32) number);
			return number >= PG_INT32_MIN && number <= PG_INT32_MAX;
		default:
			*value = Int64GetDatum(number);
			return true;
	}
}

static KeySet
compare_value(RouterKey *key, const List *step, Datum value)
{
	Oid			type = (Oid) head_of(step, HEAD_TYPE);
	int			strategy = head_of(step, HEAD_STRATEGY);
	KeySet		set = no_values();

	if (router_key_is_range(key))
		return compare_range(key, strategy, type, value);
	if (strategy != BTEqualStrategyNumber)
	{
		Filter	   *filter = palloc0(sizeof(Filter));

		fmgr_info((Oid) head_of(step, HEAD_FUNCTION), &filter->function);
		filter->collation = (Oid) head_of(step, HEAD_COLLATION);
		filter->value = value;
		set = not_null();
		set.filters = list_make1(filter);
		return set;
	}
	if (type == INT2OID || type == INT4OID || type == INT8OID)
	{
		if (!fit_integer(key->typid, type, &value))
			return set;
	}
	else if (!head_of(step, HEAD_FOLDED))
		value = router_key_fold(key, value);
	add_value(&set, value);
	return set;
}

static int
compare_int64(const void *a, const void *b, void *arg)
{
	int64		left = ((int64 *) arg)[*(const int *) a];
	int64		right = ((int64 *) arg)[*(const int *) b];

	return left < right ? -1 : left > right ? 1 : 0;
}

/* Sorts ranges and joins those that overlap. */
static void
tidy_ranges(KeySet *set)
{
	int		   *order = palloc(Max(set->n, 1) * sizeof(int));
	KeySet		tidy = no_values();

	for (int i = 0; i < set->n; i++)
		order[i] = i;
	qsort_arg(order, set->n, sizeof(int), compare_int64, set->lo);
	for (int i = 0; i < set->n; i++)
	{
		int64		lo = set->lo[order[i]];
		int64		hi = set->hi[order[i]];

		if (tidy.n > 0 && lo <= tidy.hi[tidy.n - 1])
			tidy.hi[tidy.n - 1] = Max(hi, tidy.hi[tidy.n - 1]);
		else
			add_range(&tidy, lo, hi);
	}
	*set = tidy;
}

static KeySet
compare_array(RouterKey *key, const List *step, Datum value)
{
	bool		any = head_of(step, HEAD_ARRAY) == 1;
	ArrayType  *array = DatumGetArrayTypeP(value);
	KeySet		set = any ? no_values() : not_null();
	int16		len;
	bool		byval;
	char		align;
	Datum	   *elements;
	bool	   *nulls;
	int			n;

	get_typlenbyvalalign(ARR_ELEMTYPE(array), &len, &byval, &align);
	deconstruct_array(array, ARR_ELEMTYPE(array), len, byval, align, &elements, &nulls, &n);
	if (!any && n == 0)
		return all_values();	/* true for every row, NULL or not */
	for (int i = 0; i < n; i++)
	{
		KeySet		one;

		if (nulls[i])
		{
			if (any)
				continue;
			return no_values();
		}
		one = compare_value(key, step, elements[i]);
		if (!any)
			set = intersect(key, &set, &one);
		else if (one.form == SET_ALL)
			return not_null();
		else
			for (int j = 0; j < one.n; j++)
			{
				if (router_key_is_range(key))
					add_range(&set, one.lo[j], one.hi[j]);
				else
					add_value(&set, one.values[j]);
			}
	}
	if (router_key_is_range(key) && set.form == SET_SOME)
		tidy_ranges(&set);
	return set;
}

static KeySet
compare(RouterKey *key, const List *step, const RouterArgs *args)
{
	int			expr = head_of(step, HEAD_EXPR);
	int			strategy = head_of(step, HEAD_STRATEGY);

	if (!args->known[expr])
		return head_of(step, HEAD_ARRAY) == 2 ? all_values() : not_null();
	if (args->isnull[expr])
		return head_of(step, HEAD_ARRAY) == 0 ? no_values() : all_values();
	if (args->floor && args->floor[expr])
	{
		if (head_of(step, HEAD_ARRAY) != 0 || !router_key_is_range(key) ||
			(strategy != BTGreaterStrategyNumber && strategy != BTGreaterEqualStrategyNumber &&
			 strategy != BTEqualStrategyNumber))
			return not_null();
		return compare_range(key, BTGreaterEqualStrategyNumber, (Oid) head_of(step, HEAD_TYPE),
							 args->values[expr]);
	}
	return head_of(step, HEAD_ARRAY) ? compare_array(key, step, args->values[expr]) :
		compare_value(key, step, args->values[expr]);
}

/* ------------------------------------------------------------- sets of children */

typedef struct OidSet
{
	Oid		   *oids;
	int			n;
	int			max;
} OidSet;

static void
add_oid(OidSet *set, Oid oid)
{
	if (set->n == set->max)
	{
		set->max = Max(16, set->max * 2);
		set->oids = set->oids ? repalloc(set->oids, set->max * sizeof(Oid)) : palloc(set->max * sizeof(Oid));
	}
	set->oids[set->n++] = oid;
}

static int
compare_oids(const void *a, const void *b)
{
	Oid			left = *(const Oid *) a;
	Oid			right = *(const Oid *) b;

	return left < right ? -1 : left > right ? 1 : 0;
}

static void
tidy_oids(OidSet *set)
{
	int			kept = 0;

	if (set->n > 1)
		qsort(set->oids, set->n, sizeof(Oid), compare_oids);
	for (int i = 0; i < set->n; i++)
		if (i == 0 || set->oids[i] != set->oids[i - 1])
			set->oids[kept++] = set->oids[i];
	set->n = kept;
}

static void
keep_common(OidSet *set, const OidSet *other)
{
	int			kept = 0;

	for (int i = 0, j = 0; i < set->n; i++)
	{
		while (j < other->n && other->oids[j] < set->oids[i])
			j++;
		if (j < other->n && other->oids[j] == set->oids[i])
			set->oids[kept++] = set->oids[i];
	}
	set->n = kept;
}

static void find_below(RouterRoute *route, const RouterNode *node, int level, const KeySet *sets, OidSet *found);

static void
visit(RouterRoute *route, const RouterTarget *target, int level, const KeySet *sets, OidSet *found)
{
	if (target->node)
		find_below(route, target->node, level + 1, sets, found);
	else if (OidIsValid(target->child))
		add_oid(found, target->child);
}

static bool
passes(const KeySet *set, Datum value)
{
	ListCell   *lc;

	foreach(lc, set->filters)
	{
		Filter	   *filter = lfirst(lc);

		if (!DatumGetBool(FunctionCall2Coll(&filter->function, filter->collation, value, filter->value)))
			return false;
	}
	return true;
}

/* Adds the children below a node that hold values of all the sets, one a level. */
static void
find_below(RouterRoute *route, const RouterNode *node, int level, const KeySet *sets, OidSet *found)
{
	RouterKey  *key = &route->config.keys[level];
	const KeySet *set = &sets[level];

	if (set->null)
		visit(route, &node->null, level, sets, found);
	if (set->form == SET_ALL)
	{
		for (int i = 0; i < node->nranges; i++)
			visit(route, &node->ranges[i].target, level, sets, found);
		for (uint32 i = 0; i < node->maxvalues; i++)
			if ((node->values[i].target.node || OidIsValid(node->values[i].target.child)) &&
				passes(set, node->values[i].value))
				visit(route, &node->values[i].target, level, sets, found);
		for (int i = 0; i < node->nbuckets; i++)
			visit(route, &node->buckets[i].target, level, sets, found);
		return;
	}
	for (int i = 0; i < set->n; i++)
	{
		if (router_key_is_range(key))
			for (int j = router_node_first_range(node, set->lo[i]);
				 j < node->nranges && node->ranges[j].lo <= set->hi[i]; j++)
				visit(route, &node->ranges[j].target, level, sets, found);
		else
		{
			const RouterTarget *target = router_node_value(key, node, set->values[i]);

			if (target)
				visit(route, target, level, sets, found);
		}
	}
}

/* Adds the children that may hold values of the set in a sealed column. */
static void
find_sealed(const RouterSealed *seals, const KeySet *set, OidSet *found)
{
	ListCell   *lc;

	foreach(lc, seals->others)
		add_oid(found, lfirst_oid(lc));
	for (int i = 0; i < set->n; i++)
	{
		int			from = 0;
		int			to = seals->nspans;

		while (from < to)
		{
			int			mid = (from + to) / 2;

			if (seals->spans[mid].reach < set->lo[i])
				from = mid + 1;
			else
				to = mid;
		}
		for (; from < seals->nspans && seals->spans[from].lo <= set->hi[i]; from++)
			if (seals->spans[from].hi >= set->lo[i])
				add_oid(found, seals->spans[from].child);
	}
	tidy_oids(found);
}

/* The children that may hold values of all the sets. */
static void
find_children(RouterRoute *route, const KeySet *sets, OidSet *found)
{
	bool		by_keys = false;
	bool		by_seals = false;

	for (int i = route->config.nkeys; i < route->nlevels; i++)
	{
		OidSet		one = {0};

		if (sets[i].form == SET_ALL || sets[i].null)
			continue;
		find_sealed(&route->seals[i - route->config.nkeys], &sets[i], &one);
		if (by_seals)
			keep_common(found, &one);
		else
			*found = one;
		by_seals = true;
	}
	for (int i = 0; i < route->config.nkeys; i++)
		by_keys |= sets[i].form != SET_ALL || !sets[i].null || sets[i].filters != NIL;
	if (by_keys || !by_seals)
	{
		OidSet		one = {0};

		find_below(route, &route->root, 0, sets, &one);
		tidy_oids(&one);
		if (by_seals)
			keep_common(found, &one);
		else
			*found = one;
	}
}

/* Widens the ages of the result by those of a set. */
static void
add_ages(RouterSurvivors *ages, const KeySet *set)
{
	ages->ageless |= set->null;
	if (set->form == SET_ALL)
	{
		ages->oldest = PG_INT64_MIN;
		ages->newest = PG_INT64_MAX;
		return;
	}
	for (int i = 0; i < set->n; i++)
	{
		ages->oldest = Min(ages->oldest, set->lo[i]);
		ages->newest = Max(ages->newest, set->hi[i]);
	}
}

static void
no_ages(RouterSurvivors *ages)
{
	ages->oldest = PG_INT64_MAX;
	ages->newest = PG_INT64_MIN;
	ages->ageless = false;
}

/* Runs an AND: its comparisons narrow one set a level, its ORs what these leave. */
static void
run(RouterRoute *route, const List *steps, const RouterArgs *args, OidSet *found, RouterSurvivors *ages)
{
	KeySet		sets[ROUTER_MAX_LEVELS];
	List	   *pending = list_copy_tail(steps, 1);
	List	   *ors = NIL;
	bool		empty = false;
	ListCell   *lc;

	for (int i = 0; i < route->nlevels; i++)
		sets[i] = all_values();
	while (pending != NIL)
	{
		List	   *step = linitial(pending);
		int			level = 0;
		KeySet		one = {0};

		pending = list_delete_first(pending);
		switch (head_of(step, HEAD_STEP))
		{
			case STEP_AND:
				pending = list_concat(pending, list_copy_tail(step, 1));
				continue;
			case STEP_OR:
				ors = lappend(ors, step);
				continue;
			case STEP_COMPARE:
				level = head_of(step, HEAD_LEVEL);
				one = compare(&route->config.keys[level], step, args);
				break;
			case STEP_NULL:
				level = head_of(step, HEAD_LEVEL);
				one = head_of(step, HEAD_STRATEGY) ? no_values() : not_null();
				one.null = head_of(step, HEAD_STRATEGY);
				break;
			case STEP_BOOLEAN:
				level = head_of(step, HEAD_LEVEL);
				one = no_values();
				if (route->config.keys[level].kind == ROUTER_LIST)
					add_value(&one, BoolGetDatum(head_of(step, HEAD_STRATEGY)));
				else
					one = not_null();
				break;
		}
		sets[level] = intersect(&route->config.keys[level], &sets[level], &one);
	}
	for (int i = 0; i < route->nlevels; i++)
		empty |= sets[i].form == SET_SOME && sets[i].n == 0 && !sets[i].null;
	no_ages(ages);
	if (empty)
		return;
	find_children(route, sets, found);
	if (route->hot_level >= 0)
		add_ages(ages, &sets[route->hot_level]);

	foreach(lc, ors)
	{
		OidSet		any = {0};
		RouterSurvivors any_ages;
		ListCell   *arm;

		no_ages(&any_ages);
		for_each_from(arm, (List *) lfirst(lc), 1)
		{
			List	   *step = lfirst(arm);
			OidSet		one = {0};
			RouterSurvivors one_ages;

			run(route, head_of(step, HEAD_STEP) == STEP_AND ? step : make_step(STEP_AND, list_make1(step)), args,
				&one, &one_ages);
			for (int i = 0; i < one.n; i++)
				add_oid(&any, one.oids[i]);
			any_ages.oldest = Min(any_ages.oldest, one_ages.oldest);
			any_ages.newest = Max(any_ages.newest, one_ages.newest);
			any_ages.ageless |= one_ages.ageless;
		}
		tidy_oids(&any);
		keep_common(found, &any);
		ages->oldest = Max(ages->oldest, any_ages.oldest);
		ages->newest = Min(ages->newest, any_ages.newest);
		ages->ageless &= any_ages.ageless;
	}
}

/* The children that can hold rows for which the program is true; program NIL: all of them. */
void
router_qual_survivors(RouterRoute *route, const List *program, const RouterArgs *args, RouterSurvivors *result)
{
	OidSet		found = {0};

	run(route, program ? program : make_step(STEP_AND, NIL), args, &found, result);
	result->children = found.oids;
	result->nchildren = found.n;
}
