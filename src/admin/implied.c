/*
 * implied.c
 *		The CHECK of a table that becomes a child: its rows are read only if the
 *		CHECKs that it has do not say as much already.
 *
 * The proof is core's, as ALTER TABLE … ATTACH PARTITION makes it. For integers
 * ends are closed before, since "< 10" says no less than "<= 9".
 *
 * Rights: as ALTER TABLE. CHECKs that call what users have defined prove nothing:
 * their owner need not be who asks.
 */
#include "compat.h"
#include "admin/implied.h"

#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_opfamily.h"
#include "catalog/pg_type.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/partcache.h"
#include "utils/syscache.h"

#include "base/sql.h"
#include "mirror/mirror.h"
#include "route/stored.h"

static bool
is_user_function(Oid function, void *arg)
{
	return function >= FirstNormalObjectId;
}

static bool
find_user_code(Node *node, void *arg)
{
	if (node == NULL)
		return false;
	return check_functions_in_node(node, is_user_function, NULL) || IsA(node, CoerceToDomain) ||
		expression_tree_walker(node, find_user_code, arg);
}

/* Would folding an expression run what users have defined? */
bool
router_runs_user_code(Node *expr)
{
	return find_user_code(expr, NULL);
}

/* Does a node compare something with an integer? */
static bool
compares_integer(Node *node, int *strategy, int64 *value)
{
	OpExpr	   *op = (OpExpr *) node;
	Const	   *end;

	if (!IsA(node, OpExpr) || list_length(op->args) != 2 || !IsA(lsecond(op->args), Const))
		return false;
	end = lsecond(op->args);
	*strategy = get_op_opfamily_strategy(op->opno, INTEGER_BTREE_FAM_OID);
	if (end->constisnull || *strategy == 0)
		return false;
	*value = end->consttype == INT2OID ? DatumGetInt16(end->constvalue) :
		end->consttype == INT4OID ? DatumGetInt32(end->constvalue) : DatumGetInt64(end->constvalue);
	return true;
}

static Node *
make_comparison(OpExpr *op, int strategy, int64 value)
{
	return (Node *) make_opclause(get_opfamily_member(INTEGER_BTREE_FAM_OID, exprType(linitial(op->args)), INT8OID,
													  strategy),
								  BOOLOID, false, linitial(op->args),
								  (Expr *) makeConst(INT8OID, -1, InvalidOid, sizeof(int64), Int64GetDatum(value),
													 false, FLOAT8PASSBYVAL), InvalidOid, InvalidOid);
}

/* "x < 10" as "x <= 9", if x and the constant are integers. */
static Node *
close_ends(Node *node, void *arg)
{
	int			strategy;
	int64		value;

	if (node == NULL || !IsA(node, OpExpr))
		return node ? expression_tree_mutator(node, close_ends, arg) : NULL;
	if (!compares_integer(node, &strategy, &value))
		return node;
	if (strategy == BTLessStrategyNumber && value > PG_INT64_MIN)
		return make_comparison((OpExpr *) node, BTLessEqualStrategyNumber, value - 1);
	if (strategy == BTGreaterStrategyNumber && value < PG_INT64_MAX)
		return make_comparison((OpExpr *) node, BTGreaterEqualStrategyNumber, value + 1);
	return node;
}

/* "x >= 9" and "x <= 9" say "x = 9", which core's proof does not see. */
static List *
add_points(List *known)
{
	List	   *points = NIL;
	ListCell   *lc,
			   *other;

	foreach(lc, known)
		foreach(other, known)
		{
			int			from,
						to;
			int64		lo,
						hi;

			if (compares_integer(lfirst(lc), &from, &lo) && from == BTGreaterEqualStrategyNumber &&
				compares_integer(lfirst(other), &to, &hi) && to == BTLessEqualStrategyNumber && lo == hi &&
				equal(linitial(((OpExpr *) lfirst(lc))->args), linitial(((OpExpr *) lfirst(other))->args)))
				points = lappend(points, make_comparison(lfirst(lc), BTEqualStrategyNumber, lo));
		}
	return list_concat(known, points);
}

/* An expression as a list of what must hold, in the form that proofs compare. */
static List *
conditions(Node *expr)
{
	expr = eval_const_expressions(NULL, expr);
	return make_ands_implicit((Expr *) canonicalize_qual((Expr *) close_ends(expr, NULL), true));
}

/* What is known of the rows of a table, which may be a partition. */
static List *
known_conditions(Relation rel)
{
	TupleDesc	desc = RelationGetDescr(rel);
	List	   *known = NIL;
	ListCell   *lc;

	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);
		NullTest   *test;

		if (!att->attnotnull || att->attisdropped || !router_not_null_is_valid(desc, i))
			continue;
		test = makeNode(NullTest);
		test->arg = (Expr *) makeVar(1, att->attnum, att->atttypid, att->atttypmod, att->attcollation, 0);
		test->nulltesttype = IS_NOT_NULL;
		test->location = -1;
		known = lappend(known, test);
	}
	for (int i = 0; desc->constr && i < desc->constr->num_check; i++)
	{
		Node	   *expr = stringToNode(desc->constr->check[i].ccbin);

		if (desc->constr->check[i].ccvalid && !router_runs_user_code(expr))
			known = list_concat(known, conditions(expr));
	}
	foreach(lc, rel->rd_rel->relispartition ? RelationGetPartitionQual(rel) : NIL)
		if (!router_runs_user_code(lfirst(lc)))
			known = list_concat(known, conditions(lfirst(lc)));
	return add_points(known);
}

/* Makes a CHECK valid that was added NOT VALID, without a look at the rows, if it follows from the others. */
static bool
validate_implied(Oid relid, Oid constraint)
{
	Relation	catalog = table_open(ConstraintRelationId, RowExclusiveLock);
	HeapTuple	tup = SearchSysCacheCopy1(CONSTROID, ObjectIdGetDatum(constraint));
	Relation	rel = table_open(relid, NoLock);
	Node	   *wanted;
	bool		implied;

	if (!HeapTupleIsValid(tup))
		elog(ERROR, "cache lookup failed for constraint %u", constraint);
	wanted = router_stored_tree(CONSTROID, tup, Anum_pg_constraint_conbin);
	implied = !router_runs_user_code(wanted) && predicate_implied_by(conditions(wanted), known_conditions(rel), true);
	if (implied)
	{
		((Form_pg_constraint) GETSTRUCT(tup))->convalidated = true;
		CatalogTupleUpdate(catalog, &tup->t_self, tup);
		CacheInvalidateRelcache(rel);
		CommandCounterIncrement();
	}
	table_close(rel, NoLock);
	table_close(catalog, RowExclusiveLock);
	return implied;
}

/*
 * Gives a table, locked AccessExclusive, the CHECK of a child, or none for "". One
 * that is there, is valid and says the same stays. As ALTER TABLE … ADD CONSTRAINT;
 * check_violation if some row does not belong there.
 */
void
router_put_home_check(Oid child, const char *condition)
{
	const char *word = router_table_word(child);
	const char *name = router_qualified_name(child);
	bool		has_rows = get_rel_relkind(child) == RELKIND_RELATION;
	bool		valid = true;
	Node	   *there = router_home_check(child, &valid);

	if (there && valid && condition[0] != '\0' && router_same_condition(child, condition, there))
		return;
	if (OidIsValid(get_relation_constraint_oid(child, ROUTER_CHECK_NAME, true)))
		router_run("ALTER %s %s DROP CONSTRAINT %s", word, name, ROUTER_CHECK_NAME);
	if (condition[0] == '\0')
		return;
	router_run("ALTER %s %s ADD CONSTRAINT %s CHECK (%s)%s", word, name, ROUTER_CHECK_NAME, condition,
			   has_rows ? " NOT VALID" : "");
	if (has_rows && !validate_implied(child, get_relation_constraint_oid(child, ROUTER_CHECK_NAME, false)))
		router_run("ALTER %s %s VALIDATE CONSTRAINT %s", word, name, ROUTER_CHECK_NAME);
}
