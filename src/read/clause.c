/*
 * clause.c
 *		Clauses on keys and sealed columns are compiled into a program, which tells
 *		what children can hold such rows: see survivors.c.
 *
 * A program is a tree of lists that can be copied and stored in a plan. With it
 * goes a list of the expressions that keys are compared with. What is not
 * understood restricts nothing: a child too many costs time, one too few loses rows.
 *
 * Pure functions but for lookups of operators. Results are palloc'd in the
 * current context.
 */
#include "compat.h"
#include "read/clause.h"

#include "catalog/pg_proc.h"
#include "optimizer/clauses.h"
#include "optimizer/optimizer.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

#include "read/program.h"

static Node *
strip(Node *node)
{
	while (node && IsA(node, RelabelType))
		node = (Node *) ((RelabelType *) node)->arg;
	return node;
}

/* Is this the constant, whatever its integer type? */
static bool
is_int4(Node *node, int value)
{
	Const	   *constant = (Const *) node;

	return IsA(node, Const) && !constant->constisnull && constant->consttype == INT4OID &&
		DatumGetInt32(constant->constvalue) == value;
}

/* The level whose column this is, or -1. */
static int
column_level(RouterRoute *route, Index varno, Node *node)
{
	Var		   *var = (Var *) strip(node);

	if (var == NULL || !IsA(var, Var) || var->varno != varno || var->varlevelsup != 0)
		return -1;
	for (int i = 0; i < route->nlevels; i++)
		if (route->config.keys[i].attnum == var->varattno)
			return i;
	return -1;
}

/* The level whose folded column this is: lower(substr(column, 1, n)), lower(right(column, n)); or -1. */
static int
folded_level(RouterRoute *route, Index varno, Node *node)
{
	FuncExpr   *lower = (FuncExpr *) strip(node);
	FuncExpr   *cut;
	RouterKey  *key;
	int			level;

	if (lower == NULL || !IsA(lower, FuncExpr) || lower->funcid != F_LOWER_TEXT)
		return -1;
	cut = (FuncExpr *) strip(linitial(lower->args));
	if (!IsA(cut, FuncExpr))
		return -1;
	level = column_level(route, varno, linitial(cut->args));
	if (level < 0)
		return -1;
	key = &route->config.keys[level];
	if (lower->inputcollid != key->collation)
		return -1;
	if (key->kind == ROUTER_PREFIX &&
		(cut->funcid == F_SUBSTR_TEXT_INT4_INT4 || cut->funcid == F_SUBSTRING_TEXT_INT4_INT4) &&
		is_int4(lsecond(cut->args), 1) && is_int4(lthird(cut->args), key->modulus))
		return level;
	if (key->kind == ROUTER_SUFFIX && cut->funcid == F_RIGHT && is_int4(lsecond(cut->args), key->modulus))
		return level;
	return -1;
}

/* May the value of this expression be asked for before rows are there? */
static bool
is_argument(Index varno, Node *node)
{
	if (IsA(node, Const))
		return true;
	return !bms_is_member(varno, pull_varnos(NULL, node)) && !contain_volatile_functions(node) &&
		!contain_subplans(node);
}

/* Equality under two collations is the same if both compare bytes in the end. */
static bool
collations_agree(Oid collation, Oid key_collation)
{
	return collation == key_collation || !OidIsValid(collation) ||
		(OidIsValid(key_collation) && get_collation_isdeterministic(collation) &&
		 get_collation_isdeterministic(key_collation));
}

static bool
is_time_type(Oid type)
{
	return type == DATEOID || type == TIMESTAMPOID || type == TIMESTAMPTZOID;
}

/* Can values of the key be compared with this type by what we know of both? */
static bool
types_agree(RouterKey *key, Oid opcintype, int strategy, Oid left, Oid right)
{
	if (left != opcintype && left != key->typid)
		return false;
	switch (key->kind)
	{
		case ROUTER_DATE:
			return is_time_type(right);
		case ROUTER_INTEGER:
			return right == INT2OID || right == INT4OID || right == INT8OID;
		case ROUTER_LIST:
			if (strategy != BTEqualStrategyNumber)
				return true;	/* the operator itself is called */
			if (key->is_int)
				return right == INT2OID || right == INT4OID || right == INT8OID;
			return right == left;
		default:
			if (strategy != BTEqualStrategyNumber)
				return false;
			return right == left ||
				(key->typid == INT2OID || key->typid == INT4OID || key->typid == INT8OID ?
				 right == INT2OID || right == INT4OID || right == INT8OID : false);
	}
}

/* What compile_compare found out about an operator; the last one is kept with the key, in the route's memory. */
struct RouterOperator
{
	Oid			opno;
	Oid			collation;
	bool		usable;
	int			strategy;
	Oid			righttype;
	Oid			function;
};

static void
look_up(RouterKey *key, struct RouterOperator *op)
{
	TypeCacheEntry *type = lookup_type_cache(key->typid, TYPECACHE_BTREE_OPFAMILY);
	Oid			lefttype;

	if (!OidIsValid(type->btree_opf) || !op_in_opfamily(op->opno, type->btree_opf) || !op_strict(op->opno) ||
		!collations_agree(op->collation, key->collation))
		return;
	get_op_opfamily_properties(op->opno, type->btree_opf, false, &op->strategy, &lefttype, &op->righttype);
	if (!types_agree(key, type->btree_opintype, op->strategy, lefttype, op->righttype))
		return;
	/* a stable operator of a list key would have to be called at each use */
	if (key->kind == ROUTER_LIST && op->strategy != BTEqualStrategyNumber &&
		(op_volatile(op->opno) != PROVOLATILE_IMMUTABLE ||
		 (OidIsValid(key->collation) && !get_collation_isdeterministic(key->collation))))
		return;
	op->function = get_opcode(op->opno);
	op->usable = true;
}

static List *
compile_compare(RouterRoute *route, Index varno, Oid opno, Oid collation, Node *left, Node *right, int array,
				List **exprs)
{
	int			level = column_level(route, varno, left);
	bool		folded = false;
	RouterKey  *key;
	struct RouterOperator *op;
	List	   *head;

	if (level < 0)
	{
		level = folded_level(route, varno, left);
		folded = true;
	}
	if (level < 0 || !is_argument(varno, right))
		return NIL;
	key = &route->config.keys[level];
	if (key->last_op == NULL)
		key->last_op = MemoryContextAllocZero(route->cxt, sizeof(struct RouterOperator));
	op = key->last_op;
	if (op->opno != opno || op->collation != collation)
	{
		struct RouterOperator found = {.opno = opno,.collation = collation};

		look_up(key, &found);
		*op = found;
	}
	if (!op->usable)
		return NIL;
	/* what is equal may have a prefix or suffix that is not */
	if (!folded && (key->kind == ROUTER_PREFIX || key->kind == ROUTER_SUFFIX) && OidIsValid(collation) &&
		!get_collation_isdeterministic(collation))
		return NIL;

	head = list_make5_int(STEP_COMPARE, level, op->strategy, (int) op->righttype, (int) op->function);
	head = lappend_int(head, (int) collation);
	head = lappend_int(head, array);
	head = lappend_int(head, folded);
	head = lappend_int(head, list_length(*exprs));
	*exprs = lappend(*exprs, right);
	return list_make1(head);
}

static List *
make_step(int step, List *parts)
{
	return lcons(list_make1_int(step), parts);
}

static List *compile_list(RouterRoute *route, Index varno, List *clauses, int step, List **exprs);

/* The step of a clause, or NIL: it tells nothing. */
static List *
compile(RouterRoute *route, Index varno, Node *clause, List **exprs)
{
	if (IsA(clause, RestrictInfo))
		clause = (Node *) ((RestrictInfo *) clause)->clause;
	if (IsA(clause, OpExpr) && list_length(((OpExpr *) clause)->args) == 2)
	{
		OpExpr	   *op = (OpExpr *) clause;
		List	   *step = compile_compare(route, varno, op->opno, op->inputcollid, linitial(op->args),
										   lsecond(op->args), 0, exprs);
		Oid			commutator;

		if (step != NIL || (column_level(route, varno, lsecond(op->args)) < 0 &&
							folded_level(route, varno, lsecond(op->args)) < 0))
			return step;
		commutator = get_commutator(op->opno);
		return OidIsValid(commutator) ?
			compile_compare(route, varno, commutator, op->inputcollid, lsecond(op->args), linitial(op->args), 0,
							exprs) : NIL;
	}
	if (IsA(clause, ScalarArrayOpExpr))
	{
		ScalarArrayOpExpr *op = (ScalarArrayOpExpr *) clause;

		return compile_compare(route, varno, op->opno, op->inputcollid, linitial(op->args), lsecond(op->args),
							   op->useOr ? 1 : 2, exprs);
	}
	if (IsA(clause, NullTest) && !((NullTest *) clause)->argisrow)
	{
		int			level = column_level(route, varno, (Node *) ((NullTest *) clause)->arg);

		return level < 0 ? NIL :
			list_make1(list_make3_int(STEP_NULL, level, ((NullTest *) clause)->nulltesttype == IS_NULL));
	}
	if (IsA(clause, BoolExpr))
	{
		BoolExpr   *expr = (BoolExpr *) clause;

		if (expr->boolop == NOT_EXPR)
		{
			int			level = column_level(route, varno, linitial(expr->args));

			return level < 0 || route->config.keys[level].typid != BOOLOID ? NIL :
				list_make1(list_make3_int(STEP_BOOLEAN, level, false));
		}
		return compile_list(route, varno, expr->args, expr->boolop == AND_EXPR ? STEP_AND : STEP_OR, exprs);
	}
	if (IsA(clause, Var))
	{
		int			level = column_level(route, varno, clause);

		return level < 0 || route->config.keys[level].typid != BOOLOID ? NIL :
			list_make1(list_make3_int(STEP_BOOLEAN, level, true));
	}
	return NIL;
}

static List *
compile_list(RouterRoute *route, Index varno, List *clauses, int step, List **exprs)
{
	List	   *parts = NIL;
	int			nexprs = list_length(*exprs);
	ListCell   *lc;

	foreach(lc, clauses)
	{
		List	   *part = compile(route, varno, lfirst(lc), exprs);

		if (part == NIL && step == STEP_OR)
		{
			*exprs = list_truncate(*exprs, nexprs);
			return NIL;			/* an arm that may be anything */
		}
		if (part != NIL && step == STEP_OR && head_of(part, HEAD_STEP) != STEP_AND)
			part = make_step(STEP_AND, list_make1(part));
		if (part != NIL)
			parts = lappend(parts, part);
	}
	return parts == NIL ? NIL : make_step(step, parts);
}

/*
 * The program of some clauses (expressions or RestrictInfos, all of which hold) on the
 * columns of relation varno; NIL: they say nothing of the keys. Appends to
 * exprs the expressions whose values it wants.
 */
List *
router_clause_compile(RouterRoute *route, Index varno, List *clauses, List **exprs)
{
	return compile_list(route, varno, clauses, STEP_AND, exprs);
}

/* Does the program look at this key? */
bool
router_clause_has_level(const List *program, int level)
{
	ListCell   *lc;

	if (program == NIL)
		return false;
	if (head_of(program, HEAD_STEP) != STEP_AND && head_of(program, HEAD_STEP) != STEP_OR)
		return head_of(program, HEAD_LEVEL) == level;
	for_each_from(lc, program, 1)
	{
		if (router_clause_has_level(lfirst(lc), level))
			return true;
	}
	return false;
}
