/*
 * look.c
 *		May what is evaluated for a row look into tables? Then rows before it have to be there,
 *		and none may be held back.
 *
 * Functions that are built in do not look, nor do those that are declared immutable. What a row
 * meets outside of the plan is its table's: CHECKs, generated columns, expressions of indexes, and
 * for COPY defaults and the CHECKs of domains. Constraints of types and functions that the plan
 * calls are in the plan; it depends on their catalog entries.
 *
 * Nothing here takes locks; what it needs stays in the caller's memory context.
 */
#include "compat.h"
#include "rows/look.h"

#include "catalog/pg_proc.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/typcache.h"

/* What an expression was found to use; context of the walker. */
typedef struct Uses
{
	bool		looks;
	List	   *types;			/* whose values are read */
	int			nlooked;		/* so many of them were looked at */
	List	   *harmless_functions; /* hash values of catalog entries, as a plan has them */
	List	   *harmless_types;	/* unless one of types looks */
} Uses;

static bool
is_builtin(Oid oid)
{
	return oid < FirstNormalObjectId;
}

static bool
note_function(Oid function, void *context)
{
	Uses	   *uses = context;

	if (is_builtin(function))
		return false;
	/* an aggregate is called immutable whatever its functions are */
	if (func_volatile(function) != PROVOLATILE_IMMUTABLE || get_func_prokind(function) == PROKIND_AGGREGATE)
		return uses->looks = true;
	uses->harmless_functions = lappend_oid(uses->harmless_functions,
										   GetSysCacheHashValue1(PROCOID, ObjectIdGetDatum(function)));
	return false;
}

/* Each once: types of many attributes of the same type, some deep, would take hours. */
static void
note_type(Oid type, Uses *uses)
{
	if (!is_builtin(type))
		uses->types = list_append_unique_oid(uses->types, type);
}

static bool
note_uses(Node *node, void *context)
{
	Uses	   *uses = context;

	if (node == NULL)
		return false;
	if (check_functions_in_node(node, note_function, uses))
		return true;
	if (IsA(node, CoerceToDomain))
	{
		Oid			type = ((CoerceToDomain *) node)->resulttype;

		note_type(type, uses);
		uses->harmless_types = lappend_oid(uses->harmless_types,
										   GetSysCacheHashValue1(TYPEOID, ObjectIdGetDatum(type)));
	}
	return expression_tree_walker(node, note_uses, context);
}

static void
note_domain(Oid type, Uses *uses)
{
	DomainConstraintRef *ref = palloc(sizeof(DomainConstraintRef)); /* the context refers to it */
	ListCell   *lc;

	InitDomainConstraintRef(type, ref, CurrentMemoryContext, false);
	foreach(lc, ref->constraints)
		(void) note_uses((Node *) ((DomainConstraintState *) lfirst(lc))->check_expr, uses);
	note_type(getBaseType(type), uses);
}

static void
note_attributes(Oid type, Uses *uses)
{
	TupleDesc	desc = lookup_rowtype_tupdesc(type, -1);

	for (int i = 0; i < desc->natts; i++)
		if (!TupleDescAttr(desc, i)->attisdropped)
			note_type(TupleDescAttr(desc, i)->atttypid, uses);
	ReleaseTupleDesc(desc);
}

/* What a value of a type is made of. */
static void
note_parts(Oid type, Uses *uses)
{
	switch (get_typtype(type))
	{
		case TYPTYPE_DOMAIN:
			note_domain(type, uses);
			break;
		case TYPTYPE_COMPOSITE:
			note_attributes(type, uses);
			break;
		case TYPTYPE_RANGE:
			note_type(get_range_subtype(type), uses);
			break;
		case TYPTYPE_MULTIRANGE:
			note_type(get_multirange_range(type), uses);
			break;
		default:
			note_type(get_element_type(type), uses);
	}
}

/* Does what was noted look? So does reading a value of a type if there is a domain in it whose CHECK does. */
static bool
looks(Uses *uses)
{
	for (; !uses->looks && uses->nlooked < list_length(uses->types); uses->nlooked++)
	{
		CHECK_FOR_INTERRUPTS();
		note_parts(list_nth_oid(uses->types, uses->nlooked), uses);
	}
	return uses->looks;
}

/* May an expression look into tables? */
bool
router_expr_looks(Node *expr)
{
	Uses		uses = {0};

	(void) note_uses(expr, &uses);
	return looks(&uses);
}

/* May the CHECKs, generated columns and indexes of a table that is opened for rows look into tables? */
bool
router_row_looks(ResultRelInfo *rri)
{
	Relation	rel = rri->ri_RelationDesc;
	TupleConstr *constr = RelationGetDescr(rel)->constr;
	ExprState **exprs = router_check_exprs(rri);

	for (int i = 0; constr && i < constr->num_check; i++)
	{
		Expr	   *expr = exprs == NULL ? router_check_expr(rel, &constr->check[i]) : exprs[i] ? exprs[i]->expr : NULL;

		if (router_expr_looks((Node *) expr))
			return true;
	}
	for (int i = 0; constr && constr->has_generated_stored && i < constr->num_defval; i++)
		if (TupleDescAttr(RelationGetDescr(rel), constr->defval[i].adnum - 1)->attgenerated &&
			router_expr_looks(stringToNode(constr->defval[i].adbin)))
			return true;
	for (int i = 0; i < rri->ri_NumIndices; i++)
		if (router_expr_looks((Node *) rri->ri_IndexRelationInfo[i]->ii_Expressions) ||
			router_expr_looks((Node *) rri->ri_IndexRelationInfo[i]->ii_Predicate))
			return true;
	return false;
}

/* May what COPY evaluates before a row comes to its table, values of columns and defaults, look into tables? */
bool
router_input_looks(Relation rel)
{
	TupleDesc	desc = RelationGetDescr(rel);
	Uses		uses = {0};

	for (int i = 0; i < desc->natts; i++)
		if (!TupleDescAttr(desc, i)->attisdropped)
			note_type(TupleDescAttr(desc, i)->atttypid, &uses);
	for (int i = 0; desc->constr && i < desc->constr->num_defval; i++)
		(void) note_uses(stringToNode(desc->constr->defval[i].adbin), &uses);
	return looks(&uses);
}

/* Notes what the expressions of a plan use, as far as they are easy to find. */
static void
note_plan(Plan *plan, Uses *uses)
{
	if (plan == NULL)
		return;
	(void) note_uses((Node *) plan->targetlist, uses);
	(void) note_uses((Node *) plan->qual, uses);
	if (IsA(plan, FunctionScan))
	{
		ListCell   *lc;

		foreach(lc, ((FunctionScan *) plan)->functions)
			(void) note_uses(lfirst_node(RangeTblFunction, lc)->funcexpr, uses);
	}
	else if (IsA(plan, ValuesScan))
		(void) note_uses((Node *) ((ValuesScan *) plan)->values_lists, uses);
	else if (IsA(plan, SubqueryScan))
		note_plan(((SubqueryScan *) plan)->subplan, uses);
	note_plan(plan->lefttree, uses);
	note_plan(plan->righttree, uses);
}

/*
 * May the functions that a plan calls look into tables? The plan names all it
 * depends on, by hash values: those that are not known look.
 */
bool
router_plan_looks(PlannedStmt *stmt)
{
	Uses		uses = {0};
	ListCell   *lc;

	if (stmt->invalItems == NIL)
		return false;
	note_plan(stmt->planTree, &uses);
	foreach(lc, stmt->subplans)
		note_plan(lfirst(lc), &uses);
	if (looks(&uses))
		return true;
	foreach(lc, stmt->invalItems)
	{
		PlanInvalItem *item = lfirst_node(PlanInvalItem, lc);

		if ((item->cacheId == PROCOID && !list_member_oid(uses.harmless_functions, item->hashValue)) ||
			(item->cacheId == TYPEOID && !list_member_oid(uses.harmless_types, item->hashValue)))
			return true;
	}
	return false;
}
