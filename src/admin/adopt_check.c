/*
 * adopt_check.c
 *		Reads the CHECKs of a table: which values of which columns its rows have.
 *
 * What is not understood is left out, which makes a fact wider, never wrong for
 * the rows that are there: the CHECK that the child gets is proven or validated.
 *
 * Rights: runs as the owner of the base, who is that of the child. CHECKs that
 * call what users have defined are left out. Bounds of partitions are read in the
 * same way.
 */
#include "compat.h"
#include "admin/adopt_part.h"

#include "access/nbtree.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/partcache.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

#include "admin/implied.h"

/* Reading the CHECKs of one child. */
typedef struct Reader
{
	AdoptChild *child;
	Relation	base;
	const char *time_zone;
} Reader;

/* What the left side of a comparison is. */
typedef struct Side
{
	Var		   *var;
	AttrNumber	attnum;			/* of the base */
	Oid			type;			/* of the base's column, without domains */
	int			cut;
	const char *step;			/* it is the beginning of such a step of a date; or NULL */
} Side;

static Node *
strip(Node *node)
{
	while (node && IsA(node, RelabelType))
		node = (Node *) ((RelabelType *) node)->arg;
	return node;
}

/* Is this an argument of the system's functions that is known? */
static Const *
constant(Node *node)
{
	node = strip(node);
	return node && IsA(node, Const) && !((Const *) node)->constisnull ? (Const *) node : NULL;
}

static char *
constant_text(Oid type, Datum value)
{
	Oid			output;
	bool		varlena;

	getTypeOutputInfo(type, &output, &varlena);
	return OidOutputFunctionCall(output, value);
}

static bool
read_column(Reader *r, Node *node, Side *side)
{
	char	   *name;

	node = strip(node);
	if (node == NULL || !IsA(node, Var) || ((Var *) node)->varattno <= 0)
		return false;
	side->var = (Var *) node;
	name = get_attname(r->child->relid, side->var->varattno, false);
	side->attnum = get_attnum(RelationGetRelid(r->base), name);
	if (side->attnum == InvalidAttrNumber)
		return false;
	side->type = getBaseType(get_atttype(RelationGetRelid(r->base), side->attnum));
	return true;
}

/* "substr(x, 1, 5)", "right(x, 5)", "substring(x from '.{5}$')" */
static bool
read_cut(Reader *r, Node *node, Side *side)
{
	FuncExpr   *func = (FuncExpr *) strip(node);
	Const	   *second;
	Const	   *third;
	int			n = 0;
	char		end = '\0';

	if (func == NULL || !IsA(func, FuncExpr) || list_length(func->args) < 2 ||
		!read_column(r, linitial(func->args), side))
		return false;
	second = constant(lsecond(func->args));
	third = list_length(func->args) == 3 ? constant(lthird(func->args)) : NULL;
	if (second == NULL)
		return false;
	if ((func->funcid == F_SUBSTR_TEXT_INT4_INT4 || func->funcid == F_SUBSTRING_TEXT_INT4_INT4) && third &&
		DatumGetInt32(second->constvalue) == 1)
		side->cut = DatumGetInt32(third->constvalue);
	else if (func->funcid == F_RIGHT)
		side->cut = -DatumGetInt32(second->constvalue);
	else if (func->funcid == F_SUBSTRING_TEXT_TEXT &&
			 sscanf(TextDatumGetCString(second->constvalue), ".{%d}%c", &n, &end) == 2 && end == '$')
		side->cut = -n;
	return side->cut != 0 && abs(side->cut) <= ROUTER_MAX_CUT;
}

/* The words of date_trunc that are steps of a key. */
static const char *
step_of(const char *unit)
{
	static const char *const units[] = {"hour", "day", "week", "month", "year"};

	for (int i = 0; i < lengthof(units); i++)
		if (pg_strcasecmp(unit, units[i]) == 0)
			return units[i];
	return pg_strcasecmp(unit, "quarter") == 0 ? "3 months" : NULL;
}

/* "date_trunc('month', x)", "x::date" */
static bool
read_trunc(Reader *r, FuncExpr *func, Side *side)
{
	Const	   *unit;

	switch (func->funcid)
	{
		case F_DATE_TIMESTAMP:
		case F_DATE_TIMESTAMPTZ:
			side->step = "day";
			return read_column(r, linitial(func->args), side);
		case F_DATE_TRUNC_TEXT_TIMESTAMP:
		case F_DATE_TRUNC_TEXT_TIMESTAMPTZ:
			unit = constant(linitial(func->args));
			side->step = unit ? step_of(TextDatumGetCString(unit->constvalue)) : NULL;
			return side->step && read_column(r, lsecond(func->args), side);
		default:
			return false;
	}
}

static bool
read_side(Reader *r, Node *node, Side *side)
{
	FuncExpr   *func = (FuncExpr *) strip(node);

	memset(side, 0, sizeof(*side));
	if (func == NULL || !IsA(func, FuncExpr))
		return read_column(r, node, side);
	if (func->funcid == F_LOWER_TEXT)
		return read_cut(r, linitial(func->args), side);
	return read_trunc(r, func, side);
}

/* Is it a type whose values have a place in a range? */
static bool
is_ranged_type(Oid type)
{
	return type == DATEOID || type == TIMESTAMPOID || type == TIMESTAMPTZOID || type == INT2OID || type == INT4OID ||
		type == INT8OID;
}

/* The key by which points of a column, and the steps that hold them, are read. */
static RouterKey
range_key(Reader *r, const Side *side, const char *step)
{
	RouterKey	key = {.kind = ROUTER_DATE,.every = unconstify(char *, step)};

	if (side->type == INT2OID || side->type == INT4OID || side->type == INT8OID)
		key.kind = ROUTER_INTEGER;
	key.column = get_attname(RelationGetRelid(r->base), side->attnum, false);
	router_key_resolve(&key, r->base, r->time_zone);
	return key;
}

/* ------------------------------------------------------------------ clauses */

static AdoptFact *
new_fact(const Side *side)
{
	AdoptFact  *fact = palloc0(sizeof(AdoptFact));

	fact->attnum = side->attnum;
	fact->cut = side->cut;
	fact->lo = PG_INT64_MIN;
	fact->hi = PG_INT64_MAX;
	return fact;
}

/* "x < constant" as a range; NULL: not understood. */
static AdoptFact *
read_range(Reader *r, const Side *side, int strategy, const Const *end)
{
	AdoptFact  *fact = new_fact(side);
	RouterKey	key;
	int64		first,
				last;

	if (!is_ranged_type(side->type) || !is_ranged_type(end->consttype))
		return NULL;
	key = range_key(r, side, side->step);
	first = last = router_key_parse(&key, constant_text(end->consttype, end->constvalue));
	/* the beginning of a step compares as the step does, as long as the constant is one */
	if (side->step && (!router_key_bucket(&key, first, &first, &last) ||
					   first != router_key_parse(&key, constant_text(end->consttype, end->constvalue))))
		return NULL;
	fact->ranged = true;
	if ((strategy == BTLessStrategyNumber && first == PG_INT64_MIN) ||
		(strategy == BTGreaterStrategyNumber && last == PG_INT64_MAX))
		return NULL;
	if (strategy == BTLessStrategyNumber)
		fact->hi = first - 1;
	else if (strategy == BTLessEqualStrategyNumber)
		fact->hi = last;
	else if (strategy == BTGreaterEqualStrategyNumber)
		fact->lo = first;
	else if (strategy == BTGreaterStrategyNumber)
		fact->lo = last + 1;
	else
	{
		fact->lo = first;
		fact->hi = last;
	}
	return fact;
}

/* How an operator compares values of the kind that a side has; 0: otherwise. */
static int
strategy_of(const Side *side, Oid opr)
{
	Oid			type = side->cut != 0 ? TEXTOID : side->type;
	TypeCacheEntry *entry = lookup_type_cache(type, TYPECACHE_BTREE_OPFAMILY | TYPECACHE_EQ_OPR);

	if (opr == entry->eq_opr)
		return BTEqualStrategyNumber;
	return OidIsValid(entry->btree_opf) ? get_op_opfamily_strategy(opr, entry->btree_opf) : 0;
}

static AdoptFact *
read_comparison(Reader *r, OpExpr *op)
{
	Oid			opr = op->opno;
	Side		side;
	Const	   *value;
	AdoptFact  *fact;
	int			strategy;

	if (list_length(op->args) != 2)
		return NULL;
	value = constant(lsecond(op->args));
	if (value == NULL)
	{
		value = constant(linitial(op->args));
		opr = get_commutator(opr);
	}
	if (value == NULL || !OidIsValid(opr) ||
		!read_side(r, value == constant(lsecond(op->args)) ? linitial(op->args) : lsecond(op->args), &side))
		return NULL;
	strategy = strategy_of(&side, opr);
	if (strategy == 0)
		return NULL;
	if (strategy != BTEqualStrategyNumber || side.step)
		return read_range(r, &side, strategy, value);
	fact = new_fact(&side);
	fact->values = list_make1(constant_text(value->consttype, value->constvalue));
	return fact;
}

/* "x IN (…)" */
static AdoptFact *
read_any(Reader *r, ScalarArrayOpExpr *op)
{
	Const	   *array = constant(lsecond(op->args));
	Side		side;
	AdoptFact  *fact;
	Datum	   *elements;
	bool	   *nulls;
	int			n;
	int16		len;
	bool		byval;
	char		align;
	Oid			type;

	if (!op->useOr || array == NULL || !read_side(r, linitial(op->args), &side) || side.step ||
		strategy_of(&side, op->opno) != BTEqualStrategyNumber)
		return NULL;
	type = ARR_ELEMTYPE(DatumGetArrayTypeP(array->constvalue));
	get_typlenbyvalalign(type, &len, &byval, &align);
	deconstruct_array(DatumGetArrayTypeP(array->constvalue), type, len, byval, align, &elements, &nulls, &n);
	fact = new_fact(&side);
	for (int i = 0; i < n; i++)
		if (!nulls[i])
			fact->values = lappend(fact->values, constant_text(type, elements[i]));
	return fact->values ? fact : NULL;
}

/* "x", "NOT x" of a boolean column */
static AdoptFact *
read_boolean(Reader *r, Node *node, const char *value)
{
	Side		side = {0};
	AdoptFact  *fact;

	if (!read_column(r, node, &side) || side.type != BOOLOID)
		return NULL;
	fact = new_fact(&side);
	fact->values = list_make1(pstrdup(value));
	return fact;
}

static AdoptFact *
read_null(Reader *r, NullTest *test)
{
	Side		side = {0};
	AdoptFact  *fact;

	/* characters of a value are there if the value is */
	if (test->nulltesttype != IS_NULL || !read_side(r, (Node *) test->arg, &side) || side.step)
		return NULL;
	side.cut = 0;
	fact = new_fact(&side);
	fact->null = true;
	return fact;
}

static AdoptFact *read_clause(Reader *r, Node *clause);

/* "x = 1 OR x IN (2, 3) OR x IS NULL" */
static AdoptFact *
read_or(Reader *r, List *arms)
{
	AdoptFact  *all = NULL;
	ListCell   *lc;

	foreach(lc, arms)
	{
		AdoptFact  *fact = read_clause(r, lfirst(lc));

		if (fact == NULL || fact->ranged || (all && fact->attnum != all->attnum) ||
			(all && all->values && fact->values && fact->cut != all->cut))
			return NULL;
		if (all == NULL)
			all = fact;
		else
		{
			all->cut = all->values ? all->cut : fact->cut;
			all->values = list_concat(all->values, fact->values);
			all->null |= fact->null;
		}
	}
	return all;
}

/* What one condition says of one column; NULL: it is not understood, or says nothing of that kind. */
static AdoptFact *
read_clause(Reader *r, Node *clause)
{
	BoolExpr   *expr = (BoolExpr *) clause;

	if (IsA(clause, OpExpr))
		return read_comparison(r, (OpExpr *) clause);
	if (IsA(clause, ScalarArrayOpExpr))
		return read_any(r, (ScalarArrayOpExpr *) clause);
	if (IsA(clause, NullTest))
		return read_null(r, (NullTest *) clause);
	if (IsA(clause, BoolExpr) && expr->boolop == OR_EXPR)
		return read_or(r, expr->args);
	if (IsA(clause, BoolExpr) && expr->boolop == NOT_EXPR)
		return read_boolean(r, linitial(expr->args), "f");
	return read_boolean(r, clause, "t");
}

/* ------------------------------------------------------------------ children */

/* Another condition for the same column holds as well. */
static void
add_fact(AdoptChild *child, AdoptFact *fact)
{
	ListCell   *lc;

	foreach(lc, child->facts)
	{
		AdoptFact  *there = lfirst(lc);

		if (there->attnum != fact->attnum || there->cut != fact->cut)
			continue;
		there->ranged |= fact->ranged;
		there->lo = Max(there->lo, fact->lo);
		there->hi = Min(there->hi, fact->hi);
		/* the first of two lists is as right as the second */
		if (there->values == NIL)
			there->values = fact->values;
		return;
	}
	child->facts = lappend(child->facts, fact);
}

/* What users have defined proves nothing, and is not run. */
static void
read_condition(Reader *r, Node *expr)
{
	ListCell   *lc;

	if (router_runs_user_code(expr))
		return;
	expr = eval_const_expressions(NULL, expr);
	foreach(lc, make_ands_implicit((Expr *) canonicalize_qual((Expr *) expr, true)))
	{
		AdoptFact  *fact = read_clause(r, lfirst(lc));

		if (fact)
			add_fact(r->child, fact);
	}
}

/* Reads the CHECKs of a child, which is open; not those that it has from its base. Settings are pinned. */
void
router_adopt_read_checks(AdoptChild *child, Relation rel, Relation base, const char *time_zone)
{
	TupleConstr *constr = RelationGetDescr(rel)->constr;
	TupleConstr *own = RelationGetDescr(base)->constr;
	Reader		r = {.child = child,.base = base,.time_zone = time_zone};

	for (int i = 0; constr && i < constr->num_check; i++)
	{
		bool		inherited = false;

		for (int j = 0; own && j < own->num_check; j++)
			inherited |= strcmp(own->check[j].ccname, constr->check[i].ccname) == 0;
		if (!inherited && constr->check[i].ccvalid)
			read_condition(&r, stringToNode(constr->check[i].ccbin));
	}
}

/* Reads what a partition, which is open, has to hold. Settings are pinned. */
void
router_adopt_read_partition(AdoptChild *child, Relation rel, Relation base, const char *time_zone)
{
	Reader		r = {.child = child,.base = base,.time_zone = time_zone};
	ListCell   *lc;

	foreach(lc, RelationGetPartitionQual(rel))
		read_condition(&r, lfirst(lc));
}
