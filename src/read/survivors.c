/*
 * survivors.c
 *		Runs a program of clauses on a route: which children can hold such rows?
 *
 * It runs when some or all of the expressions that keys are compared with have
 * values: when a query is planned, when it starts, and whenever a parameter
 * changes. What has no value yet restricts nothing.
 *
 * Sets of children are of their places among the members of the route. Those
 * tell nothing once the route is another one: its generation is compared first.
 *
 * Pure functions. Results are palloc'd in the current context.
 */
#include "compat.h"
#include "read/survivors.h"

#include "common/int.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

#include "read/program.h"
#include "route/search.h"

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

typedef struct Range
{
	int64		lo;
	int64		hi;
} Range;

/* The values that a key can have. */
typedef struct KeySet
{
	bool		null;			/* it may be NULL */
	SetForm		form;
	int			n;				/* SET_SOME: ranges, or values (folded) */
	Range	   *ranges;
	Datum	   *values;
	List	   *filters;		/* list keys, SET_ALL: the values have to pass them */
} KeySet;

static const KeySet all_values = {.null = true,.form = SET_ALL};
static const KeySet not_null = {.form = SET_ALL};
static const KeySet only_null = {.null = true,.form = SET_SOME};
static const KeySet no_values = {.form = SET_SOME};

/* ---------------------------------------------------------------- sets of values */

static void
add_range(KeySet *set, int64 lo, int64 hi)
{
	if (lo > hi)
		return;
	set->ranges = set->n == 0 ? palloc(sizeof(Range)) : repalloc(set->ranges, (set->n + 1) * sizeof(Range));
	set->ranges[set->n++] = (Range) {lo, hi};
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
		both = no_values;
		for (int i = 0; i < a->n; i++)
			for (int j = 0; j < b->n; j++)
			{
				if (router_key_is_range(key))
					add_range(&both, Max(a->ranges[i].lo, b->ranges[j].lo), Min(a->ranges[i].hi, b->ranges[j].hi));
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
	KeySet		set = no_values;
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
			return not_null;
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
	KeySet		set = no_values;

	if (router_key_is_range(key))
		return compare_range(key, strategy, type, value);
	if (strategy != BTEqualStrategyNumber)
	{
		Filter	   *filter = palloc0(sizeof(Filter));

		fmgr_info((Oid) head_of(step, HEAD_FUNCTION), &filter->function);
		filter->collation = (Oid) head_of(step, HEAD_COLLATION);
		filter->value = value;
		set = not_null;
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
compare_ranges(const void *a, const void *b)
{
	int64		left = ((const Range *) a)->lo;
	int64		right = ((const Range *) b)->lo;

	return left < right ? -1 : left > right ? 1 : 0;
}

/* Sorts ranges and joins those that overlap. */
static void
tidy_ranges(KeySet *set)
{
	int			kept = 0;

	if (set->n > 1)
		qsort(set->ranges, set->n, sizeof(Range), compare_ranges);
	for (int i = 0; i < set->n; i++)
	{
		if (kept > 0 && set->ranges[i].lo <= set->ranges[kept - 1].hi)
			set->ranges[kept - 1].hi = Max(set->ranges[i].hi, set->ranges[kept - 1].hi);
		else
			set->ranges[kept++] = set->ranges[i];
	}
	set->n = kept;
}

static KeySet
compare_array(RouterKey *key, const List *step, Datum value)
{
	bool		any = head_of(step, HEAD_ARRAY) == 1;
	ArrayType  *array = DatumGetArrayTypeP(value);
	KeySet		set = any ? no_values : not_null;
	int16		len;
	bool		byval;
	char		align;
	Datum	   *elements;
	bool	   *nulls;
	int			n;

	get_typlenbyvalalign(ARR_ELEMTYPE(array), &len, &byval, &align);
	deconstruct_array(array, ARR_ELEMTYPE(array), len, byval, align, &elements, &nulls, &n);
	if (!any && n == 0)
		return all_values;	/* true for every row, NULL or not */
	for (int i = 0; i < n; i++)
	{
		KeySet		one;

		if (nulls[i])
		{
			if (any)
				continue;
			return no_values;
		}
		one = compare_value(key, step, elements[i]);
		if (!any)
			set = intersect(key, &set, &one);
		else if (one.form == SET_ALL)
			return not_null;
		else
			for (int j = 0; j < one.n; j++)
			{
				if (router_key_is_range(key))
					add_range(&set, one.ranges[j].lo, one.ranges[j].hi);
				else
					add_value(&set, one.values[j]);
			}
	}
	if (router_key_is_range(key) && set.form == SET_SOME)
		tidy_ranges(&set);
	return set;
}

static KeySet
compare(RouterKey *key, const List *step, const RouterArg *args)
{
	const RouterArg *arg = &args[head_of(step, HEAD_EXPR)];
	int			strategy = head_of(step, HEAD_STRATEGY);
	int			array = head_of(step, HEAD_ARRAY);

	if (!arg->known)
		return array == 2 ? all_values : not_null;
	if (arg->isnull)
		return array == 0 ? no_values : all_values;
	if (arg->floor)
	{
		if (array != 0 || !router_key_is_range(key) ||
			(strategy != BTGreaterStrategyNumber && strategy != BTGreaterEqualStrategyNumber &&
			 strategy != BTEqualStrategyNumber))
			return not_null;
		return compare_range(key, BTGreaterEqualStrategyNumber, (Oid) head_of(step, HEAD_TYPE), arg->value);
	}
	return array ? compare_array(key, step, arg->value) : compare_value(key, step, arg->value);
}

/* The values for which a step is true that is about one key. */
static KeySet
step_values(RouterKey *key, const List *step, const RouterArg *args)
{
	KeySet		set = no_values;

	switch (head_of(step, HEAD_STEP))
	{
		case STEP_NULL:
			return head_of(step, HEAD_STRATEGY) ? only_null : not_null;
		case STEP_BOOLEAN:
			if (key->kind != ROUTER_LIST)
				return not_null;
			add_value(&set, BoolGetDatum(head_of(step, HEAD_STRATEGY)));
			return set;
		default:
			return compare(key, step, args);
	}
}

/* Narrows one set a level by the comparisons of an AND; its ORs are put aside. */
static void
narrow(RouterRoute *route, const List *steps, const RouterArg *args, KeySet *sets, List **ors)
{
	ListCell   *lc;

	for_each_from(lc, steps, 1)
	{
		List	   *step = lfirst(lc);

		if (head_of(step, HEAD_STEP) == STEP_AND)
			narrow(route, step, args, sets, ors);
		else if (head_of(step, HEAD_STEP) == STEP_OR)
			*ors = lappend(*ors, step);
		else
		{
			int			level = head_of(step, HEAD_LEVEL);
			KeySet		one = step_values(&route->config.keys[level], step, args);

			sets[level] = intersect(&route->config.keys[level], &sets[level], &one);
		}
	}
}

/* ------------------------------------------------------------- sets of children */

static void find_below(RouterRoute *route, const RouterNode *node, int level, const KeySet *sets, Bitmapset **found);

static void
visit(RouterRoute *route, const RouterTarget *target, int level, const KeySet *sets, Bitmapset **found)
{
	if (target->node)
		find_below(route, target->node, level + 1, sets, found);
	else if (OidIsValid(target->child))
		*found = bms_add_member(*found, target->member);
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
find_below(RouterRoute *route, const RouterNode *node, int level, const KeySet *sets, Bitmapset **found)
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
			for (int j = router_node_first_range(node, set->ranges[i].lo);
				 j < node->nranges && node->ranges[j].lo <= set->ranges[i].hi; j++)
				visit(route, &node->ranges[j].target, level, sets, found);
		else
		{
			const RouterTarget *target = router_node_value(key, node, set->values[i]);

			if (target)
				visit(route, target, level, sets, found);
		}
	}
}

/* The children that may hold values of the set in a sealed column. */
static Bitmapset *
find_sealed(const RouterSealed *seals, const KeySet *set)
{
	Bitmapset  *found = bms_copy(seals->others);

	for (int i = 0; i < set->n; i++)
	{
		int			from = 0;
		int			to = seals->nspans;

		while (from < to)
		{
			int			mid = (from + to) / 2;

			if (seals->spans[mid].reach < set->ranges[i].lo)
				from = mid + 1;
			else
				to = mid;
		}
		for (; from < seals->nspans && seals->spans[from].lo <= set->ranges[i].hi; from++)
			if (seals->spans[from].hi >= set->ranges[i].lo)
				found = bms_add_member(found, seals->spans[from].member);
	}
	return found;
}

/* The children that may hold values of all the sets. */
static Bitmapset *
find_children(RouterRoute *route, const KeySet *sets)
{
	Bitmapset  *found = bms_add_range(NULL, 0, route->nmembers - 1);
	Bitmapset  *below = NULL;
	bool		by_keys = false;

	for (int i = 0; i < route->config.nkeys; i++)
		by_keys |= sets[i].form != SET_ALL || !sets[i].null || sets[i].filters != NIL;
	if (by_keys)
	{
		find_below(route, &route->root, 0, sets, &below);
		found = bms_int_members(found, below);
	}
	for (int i = route->config.nkeys; i < route->nlevels; i++)
		if (sets[i].form != SET_ALL && !sets[i].null)
			found = bms_int_members(found, find_sealed(&route->seals[i - route->config.nkeys], &sets[i]));
	return found;
}

/* The ages that a set leaves open. */
static void
set_ages(RouterSurvivors *ages, const KeySet *set)
{
	ages->ageless = set->null;
	if (set->form == SET_ALL)
	{
		ages->oldest = PG_INT64_MIN;
		ages->newest = PG_INT64_MAX;
	}
	for (int i = 0; i < set->n; i++)
	{
		ages->oldest = Min(ages->oldest, set->ranges[i].lo);
		ages->newest = Max(ages->newest, set->ranges[i].hi);
	}
}

/* What one of the arms of an OR leaves. */
static RouterSurvivors
run_any(RouterRoute *route, const List *arms, const RouterArg *args)
{
	RouterSurvivors any = {.oldest = PG_INT64_MAX,.newest = PG_INT64_MIN};
	ListCell   *lc;

	for_each_from(lc, arms, 1)
	{
		RouterSurvivors one = router_survivors(route, lfirst(lc), args);

		any.members = bms_join(any.members, one.members);
		any.oldest = Min(any.oldest, one.oldest);
		any.newest = Max(any.newest, one.newest);
		any.ageless |= one.ageless;
	}
	return any;
}

/*
 * The children that can hold rows for which the program, an AND, is true; NIL: all of
 * them. Its comparisons narrow one set a level, its ORs what these leave.
 */
RouterSurvivors
router_survivors(RouterRoute *route, const List *steps, const RouterArg *args)
{
	RouterSurvivors result = {.oldest = PG_INT64_MAX,.newest = PG_INT64_MIN};
	KeySet		sets[ROUTER_MAX_LEVELS];
	List	   *ors = NIL;
	ListCell   *lc;

	for (int i = 0; i < route->nlevels; i++)
		sets[i] = all_values;
	narrow(route, steps, args, sets, &ors);
	for (int i = 0; i < route->nlevels; i++)
		if (sets[i].form == SET_SOME && sets[i].n == 0 && !sets[i].null)
			return result;
	result.members = find_children(route, sets);
	if (route->hot_level >= 0)
		set_ages(&result, &sets[route->hot_level]);
	foreach(lc, ors)
	{
		RouterSurvivors any = run_any(route, lfirst(lc), args);

		result.members = bms_int_members(result.members, any.members);
		result.oldest = Max(result.oldest, any.oldest);
		result.newest = Min(result.newest, any.newest);
		result.ageless &= any.ageless;
	}
	return result;
}
