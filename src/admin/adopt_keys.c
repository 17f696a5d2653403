/*
 * adopt_keys.c
 *		Keys and bounds from what the CHECKs of all children say.
 *
 * A column is a key if each child says something of it, those by values before
 * those by ranges. If children are not disjoint then, or share an outer bound in
 * part, the key is the one column that tells them apart by itself.
 *
 * Rights: runs as the owner of the base. Settings are pinned.
 */
#include "compat.h"
#include "admin/adopt_part.h"

#include "catalog/pg_type.h"
#include "common/int.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"

/* ------------------------------------------------------------------- bounds */

/* What a child says of a column. cut: as in AdoptFact; that it is NULL is said of the value. */
static AdoptFact *
fact_of(const AdoptChild *child, AttrNumber attnum, int cut)
{
	AdoptFact  *found = NULL;
	ListCell   *lc;

	foreach(lc, child->facts)
	{
		AdoptFact  *fact = lfirst(lc);

		if (fact->attnum == attnum && (fact->cut == cut || (found == NULL && fact->null && fact->values == NIL)))
			found = fact;
	}
	return found;
}

static char *
array_literal(List *texts, bool with_null)
{
	ArrayBuildState *astate = NULL;
	ListCell   *lc;

	foreach(lc, texts)
		astate = accumArrayResult(astate, CStringGetTextDatum(lfirst(lc)), false, TEXTOID, CurrentMemoryContext);
	if (with_null)
		astate = accumArrayResult(astate, (Datum) 0, true, TEXTOID, CurrentMemoryContext);
	return OidOutputFunctionCall(F_ARRAY_OUT, makeArrayResult(astate, CurrentMemoryContext));
}

/* A fact as a bound of a key, which is resolved; NULL: no child can have such a one. */
static RouterBound *
bound_of(RouterKey *key, const AdoptFact *fact)
{
	RouterBound *bound = palloc0(sizeof(RouterBound));

	if (fact == NULL || key->kind == ROUTER_HASH)
		return NULL;
	if (fact->null && fact->values == NIL)
	{
		bound->form = ROUTER_BOUND_NULL;
		return fact->ranged ? NULL : bound;
	}
	if (!router_key_is_range(key))
		return fact->values ? router_bound_parse(key, array_literal(fact->values, fact->null)) : NULL;
	bound->form = ROUTER_BOUND_RANGE;
	bound->lo = fact->lo;
	bound->hi = fact->hi;
	if (!fact->ranged)
		bound->lo = bound->hi = router_key_parse(key, linitial(fact->values));
	return fact->null || list_length(fact->values) > 1 || (fact->ranged && fact->values) || bound->lo > bound->hi ?
		NULL : bound;
}

static int
cut_of(const RouterKey *key)
{
	return key->kind == ROUTER_PREFIX ? key->modulus : key->kind == ROUTER_SUFFIX ? -key->modulus : 0;
}

/* Would two children hold the same row, or share an outer bound in part? */
static bool
in_conflict(RouterConfig *config, const AdoptChild *a, const AdoptChild *b)
{
	for (int i = 0; i < config->nkeys; i++)
	{
		if (!router_bounds_overlap(&config->keys[i], a->bounds[i], b->bounds[i]))
			return false;
		if (strcmp(a->texts[i], b->texts[i]) != 0)
			return true;
	}
	return true;
}

/* Gives children their bounds; true: each has some, and they are disjoint. tell: what is wrong is their problem. */
static bool
give_bounds(Adoption *adoption, bool tell)
{
	RouterConfig *config = adoption->config;
	bool		all = true;
	ListCell   *lc;

	foreach(lc, adoption->children)
	{
		AdoptChild *child = lfirst(lc);
		char	   *problem = NULL;

		if (child->problem)
			continue;
		for (int i = 0; i < config->nkeys && problem == NULL; i++)
		{
			RouterKey  *key = &config->keys[i];
			const AdoptFact *fact = fact_of(child, key->attnum, cut_of(key));

			if (fact == NULL && adoption->keys)
				fact = router_adopt_fact_of_name(adoption, child);
			child->bounds[i] = bound_of(key, fact);
			if (child->bounds[i])
				child->texts[i] = router_bound_text(key, child->bounds[i]);
			else
				problem = psprintf("no valid CHECK or bound says which values of column \"%s\" it has, in a way that a key of kind \"%s\" can use",
								   key->column, router_kind_name(key->kind));
		}
		for (int i = 0; i < list_length(adoption->children) && problem == NULL; i++)
		{
			AdoptChild *other = list_nth(adoption->children, i);

			if (other == child)
				break;
			if (other->problem == NULL && in_conflict(config, other, child))
				problem = psprintf("its bounds overlap those of %s", get_rel_name(other->relid));
		}
		all = all && problem == NULL;
		if (tell)
			child->problem = problem;
		if (problem && !tell)
			return false;
	}
	return all;
}

void
router_adopt_find_bounds(Adoption *adoption)
{
	(void) give_bounds(adoption, true);
}

/* --------------------------------------------------------------------- keys */

/* Is it a range with two ends, of a width that can be counted? */
static bool
is_closed(const RouterBound *bound)
{
	int64		width;

	return bound->form == ROUTER_BOUND_RANGE && bound->lo != PG_INT64_MIN && bound->hi != PG_INT64_MAX &&
		!pg_sub_s64_overflow(bound->hi, bound->lo, &width) && width < PG_INT64_MAX;
}

/* The step that most ranges of a date column are; NULL: none. */
static char *
date_step(Adoption *adoption, RouterKey key, Relation base)
{
	static const char *const steps[] = {"month", "day", "week", "year", "3 months", "6 months", "2 months", "4 months",
		"10 years", "5 years", "2 years", "hour", "30 minutes", "15 minutes", "10 minutes", "12 hours", "6 hours", "4 hours",
	"3 hours", "2 hours", "20 minutes", "5 minutes", "1 minute"};
	int			best = 0;
	const char *step = NULL;

	for (int i = 0; i < lengthof(steps); i++)
	{
		int			fitting = 0,
					closed = 0;
		ListCell   *lc;

		if (key.typid == DATEOID && strpbrk(steps[i], "u"))
			continue;			/* hours and minutes */
		key.every = unconstify(char *, steps[i]);
		router_key_resolve(&key, base, adoption->config->time_zone);
		foreach(lc, adoption->children)
		{
			RouterBound *bound = bound_of(&key, fact_of(lfirst(lc), key.attnum, 0));
			int64		lo,
						hi;

			if (bound == NULL || !is_closed(bound))
				continue;
			closed++;
			fitting += router_key_bucket(&key, bound->lo, &lo, &hi) && lo == bound->lo && hi == bound->hi;
		}
		if (fitting > best && 2 * fitting >= closed)
		{
			best = fitting;
			step = steps[i];
		}
	}
	return step ? pstrdup(step) : NULL;
}

/* The width that the first closed range of an integer column has, if most have it; NULL: none. */
static char *
integer_step(Adoption *adoption, RouterKey *key)
{
	int64		width = 0;
	int			same = 0,
				closed = 0,
				aligned = 0;
	ListCell   *lc;

	foreach(lc, adoption->children)
	{
		RouterBound *bound = bound_of(key, fact_of(lfirst(lc), key->attnum, 0));

		/* zero has a child by itself */
		if (bound == NULL || !is_closed(bound) || (bound->lo == 0 && bound->hi == 0))
			continue;
		width = width ? width : bound->hi - bound->lo + 1;
		closed++;
		same += bound->hi - bound->lo + 1 == width;
		aligned += width > 0 && (bound->lo - 1) % width == 0;
	}
	if (width <= 0 || 2 * same < closed)
		return NULL;
	if (aligned < same)
		adoption->notes = lappend(adoption->notes,
								  psprintf("count steps of %s from 1, other than the children there are: a new one is cut to the gap",
										   key->column));
	return psprintf(INT64_FORMAT, width);
}

/* Which kind of key the facts of a column make. False: none. */
static bool
key_of(Adoption *adoption, Relation base, AttrNumber attnum, RouterKey *key)
{
	int			cut = 0;
	bool		ranged = false,
				many = false,
				any = false;
	ListCell   *lc,
			   *fact_lc;

	foreach(lc, adoption->children)
	{
		foreach(fact_lc, ((AdoptChild *) lfirst(lc))->facts)
		{
			AdoptFact  *fact = lfirst(fact_lc);

			if (fact->attnum != attnum)
				continue;
			cut = fact->cut != 0 ? fact->cut : cut;
			ranged |= fact->ranged;
			many |= list_length(fact->values) > 1 || (fact->null && fact->values);
			any |= fact->ranged || fact->values;
		}
	}
	memset(key, 0, sizeof(*key));
	key->column = get_attname(RelationGetRelid(base), attnum, false);
	key->typid = getBaseType(get_atttype(RelationGetRelid(base), attnum));
	key->modulus = abs(cut);
	if (cut != 0)
		key->kind = cut > 0 ? ROUTER_PREFIX : ROUTER_SUFFIX;
	else if (ranged || (key->typid == DATEOID && !many))
		key->kind = key->typid == INT2OID || key->typid == INT4OID || key->typid == INT8OID ? ROUTER_INTEGER :
			ROUTER_DATE;
	else
		key->kind = ROUTER_LIST;
	if (any)
		router_key_resolve(key, base, adoption->config->time_zone);
	return any;
}

/* How many children say something of a column? */
static int
speaking_of(Adoption *adoption, AttrNumber attnum)
{
	int			n = 0;
	ListCell   *lc,
			   *fact_lc;

	foreach(lc, adoption->children)
	{
		bool		speaks = false;

		foreach(fact_lc, ((AdoptChild *) lfirst(lc))->facts)
			speaks |= ((AdoptFact *) lfirst(fact_lc))->attnum == attnum;
		n += speaks;
	}
	return n;
}

/* The columns of which most children say something, those by values first, as keys. */
static void
find_columns(Adoption *adoption, Relation base)
{
	RouterConfig *config = adoption->config;
	int			most = 0;

	for (AttrNumber attnum = 1; attnum <= RelationGetNumberOfAttributes(base); attnum++)
		most = Max(most, speaking_of(adoption, attnum));
	for (int ranges = 0; ranges < 2 && most > 0; ranges++)
		for (AttrNumber attnum = 1; attnum <= RelationGetNumberOfAttributes(base); attnum++)
			if (config->nkeys < ROUTER_MAX_LEVELS && speaking_of(adoption, attnum) == most &&
				key_of(adoption, base, attnum, &config->keys[config->nkeys]) &&
				router_key_is_range(&config->keys[config->nkeys]) == (ranges == 1))
				config->nkeys++;
}

/* The groups of a list key are those that children hold. */
static void
take_groups(Adoption *adoption, int level)
{
	RouterKey  *key = &adoption->config->keys[level];
	ListCell   *lc;

	foreach(lc, adoption->children)
	{
		AdoptChild *child = lfirst(lc);
		bool		known = false;

		if (child->problem || child->bounds[level]->form != ROUTER_BOUND_VALUES ||
			child->bounds[level]->nvalues + child->bounds[level]->with_null < 2)
			continue;
		for (int i = 0; i < key->ngroups; i++)
			known |= strcmp(key->groups[i], child->texts[level]) == 0;
		if (key->groups == NULL)
			key->groups = palloc(list_length(adoption->children) * sizeof(char *));
		if (!known)
			key->groups[key->ngroups++] = child->texts[level];
	}
}

/* Adds a column to the keys, of the kind that facts make it. False: none of it. */
bool
router_adopt_add_key(Adoption *adoption, Relation base, AttrNumber attnum)
{
	RouterConfig *config = adoption->config;
	bool		found = key_of(adoption, base, attnum, &config->keys[config->nkeys]);

	config->nkeys += found;
	return found;
}

/* Gives children their bounds, and keys their steps and groups. */
void
router_adopt_find_steps(Adoption *adoption, Relation base)
{
	RouterConfig *config = adoption->config;

	router_adopt_find_bounds(adoption);
	for (int i = 0; i < config->nkeys; i++)
	{
		RouterKey  *key = &config->keys[i];

		if (key->kind == ROUTER_DATE)
			key->every = date_step(adoption, *key, base);
		else if (key->kind == ROUTER_INTEGER)
			key->every = integer_step(adoption, key);
		else if (key->kind == ROUTER_LIST)
			take_groups(adoption, i);
		if (router_key_is_range(key) && key->every == NULL)
			adoption->notes = lappend(adoption->notes,
									  psprintf("make no child by itself: no step of column %s fits those there are", key->column));
	}
}

/* Finds the keys, with their steps and groups, and gives children their bounds. */
void
router_adopt_find_keys(Adoption *adoption, Relation base)
{
	RouterConfig *config = adoption->config;
	RouterConfig all;

	find_columns(adoption, base);
	all = *config;
	for (int i = 0; all.nkeys > 1 && !give_bounds(adoption, false); i++)
	{
		if (i == all.nkeys)
		{
			*config = all;
			break;
		}
		config->nkeys = 1;
		config->keys[0] = all.keys[i];
	}
	if (all.nkeys == 0)
	{
		adoption->problems = lappend(adoption->problems,
									 psprintf("%s: no CHECK of its children is understood", RelationGetRelationName(base)));
		return;
	}
	router_adopt_find_steps(adoption, base);
}
