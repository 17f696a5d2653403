/*
 * passed.c
 *		What a row that only changes its table need not go through again: CHECKs
 *		that the table where it was has as well, generated columns that are
 *		computed alike there, and router's own CHECK where router chose the table.
 *
 * That is more than thrift. A function of a user may have been replaced since,
 * or find what it needs by a search_path that whoever moves the row does not
 * have: the row would change, or could not move.
 *
 * Memory: what is prepared lives in es_query_cxt of the EState.
 */
#include "compat.h"
#include "rows/passed.h"

#include "optimizer/optimizer.h"
#include "rewrite/rewriteManip.h"

#include "globalkey/entry.h"

/*
 * Do two expressions, one of each table, say the same about a row that goes
 * from one to the other? map: from the columns of b to those of a.
 */
static bool
says_same(const char *a, const char *b, const AttrMap *map)
{
	Node	   *tree = stringToNode(b);
	Bitmapset  *columns = NULL;
	bool		whole_row;

	pull_varattnos(tree, 1, &columns);
	if (bms_is_member(TableOidAttributeNumber - FirstLowInvalidHeapAttributeNumber, columns))
		return false;
	tree = map_variable_attnos(tree, 1, 0, map, InvalidOid, &whole_row);
	return !whole_row && equal(tree, stringToNode(a));
}

static const char *
default_text(TupleDesc desc, AttrNumber attnum)
{
	for (int i = 0; desc->constr && i < desc->constr->num_defval; i++)
		if (desc->constr->defval[i].adnum == attnum)
			return desc->constr->defval[i].adbin;
	elog(ERROR, "column %d has no expression", attnum);
}

static AttrNumber
find_unlike_generated(TupleDesc source, TupleDesc desc, const AttrMap *map)
{
	for (AttrNumber attnum = 1; attnum <= desc->natts; attnum++)
	{
		char		generated = TupleDescAttr(desc, attnum - 1)->attgenerated;
		AttrNumber	other = map->attnums[attnum - 1];

		if (generated != '\0' &&
			(TupleDescAttr(source, other - 1)->attgenerated != generated ||
			 !says_same(default_text(source, other), default_text(desc, attnum), map)))
			return attnum;
	}
	return InvalidAttrNumber;
}

/* A generated column of a table that rows from another one get another value in, or InvalidAttrNumber. */
AttrNumber
router_unlike_generated(Relation source, Relation rel)
{
	TupleConstr *constr = RelationGetDescr(rel)->constr;

	if (constr == NULL || constr->num_defval == 0)
		return InvalidAttrNumber;
	return find_unlike_generated(RelationGetDescr(source), RelationGetDescr(rel),
								 router_attrmap_by_name(RelationGetDescr(source), RelationGetDescr(rel)));
}

/* Have all rows of the source satisfied this CHECK? */
static bool
is_passed(const ConstrCheck *check, TupleDesc source, const AttrMap *map)
{
	for (int i = 0; source->constr && i < source->constr->num_check; i++)
	{
		const ConstrCheck *other = &source->constr->check[i];

		if (strcmp(other->ccname, check->ccname) == 0)
			return other->ccvalid && says_same(other->ccbin, check->ccbin, map);
	}
	return false;
}

/*
 * Spares the evaluation of CHECKs, by filling the cache of constraint
 * expressions with none for them: router's own, if rows are at home there, and
 * those that the source of the rows has as well (NULL: new rows). Not to be
 * used when BEFORE ROW triggers of the table may still change the row.
 */
void
router_skip_check(ResultRelInfo *rri, EState *estate, Relation source, bool at_home)
{
	Relation	rel = rri->ri_RelationDesc;
	TupleConstr *constr = RelationGetDescr(rel)->constr;
	int			nchecks = constr ? constr->num_check : 0;
	AttrMap    *map = NULL;
	MemoryContext old;
	ExprState **exprs;
	bool		found = source != NULL;

	for (int i = 0; i < nchecks; i++)
		found |= at_home && strcmp(constr->check[i].ccname, ROUTER_CHECK_NAME) == 0;
	if (!found || nchecks == 0 || nchecks != rel->rd_rel->relchecks)
		return;
	old = MemoryContextSwitchTo(estate->es_query_cxt);
	/* CHECKs may read generated columns */
	if (source && !router_unlike_generated(source, rel))
		map = router_attrmap_by_name(RelationGetDescr(source), RelationGetDescr(rel));
	exprs = palloc0(nchecks * sizeof(ExprState *));
	for (int i = 0; i < nchecks; i++)
	{
		ConstrCheck *check = &constr->check[i];
		Expr	   *expr;

		if (at_home && strcmp(check->ccname, ROUTER_CHECK_NAME) == 0)
			continue;
		if (map && is_passed(check, RelationGetDescr(source), map))
			continue;
		expr = router_check_expr(rel, check);
		if (expr)
			exprs[i] = ExecPrepareExpr(expr, estate);
	}
	router_check_exprs(rri) = exprs;
	MemoryContextSwitchTo(old);
}
