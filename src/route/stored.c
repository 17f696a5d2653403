/*
 * stored.c
 *		What a child holds by the catalog: the text in child_def, and for values
 *		of types that users define its CHECK.
 *
 * Such a value's text is what its type wrote at some time: a label that is
 * renamed or an attribute that is added makes it unreadable. The CHECK keeps the
 * values themselves: core sees to it that they outlive what is done to the type, also
 * in a dump, and no input function runs to read them. The text tells the form of the
 * bound, and is written anew when the type changes (type_ddl.c). Where there
 * is no CHECK that fits, the text is read.
 */
#include "compat.h"
#include "route/stored.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_constraint.h"
#include "nodes/nodeFuncs.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"

/* The CHECK of a child: its expression, or NULL for none. */
Node *
router_home_check(Oid child, bool *valid)
{
	Relation	rel = table_open(ConstraintRelationId, AccessShareLock);
	ScanKeyData keys[3];
	SysScanDesc scan;
	HeapTuple	tup;
	bool		isnull = true;
	Datum		datum = (Datum) 0;
	Node	   *check;

	ScanKeyInit(&keys[0], Anum_pg_constraint_conrelid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(child));
	ScanKeyInit(&keys[1], Anum_pg_constraint_contypid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(InvalidOid));
	ScanKeyInit(&keys[2], Anum_pg_constraint_conname, BTEqualStrategyNumber, F_NAMEEQ,
				CStringGetDatum(ROUTER_CHECK_NAME));
	scan = systable_beginscan(rel, ConstraintRelidTypidNameIndexId, true, NULL, 3, keys);
	tup = systable_getnext(scan);
	if (HeapTupleIsValid(tup))
	{
		*valid = ((Form_pg_constraint) GETSTRUCT(tup))->convalidated;
		datum = heap_getattr(tup, Anum_pg_constraint_conbin, RelationGetDescr(rel), &isnull);
	}
	check = isnull ? NULL : stringToNode(TextDatumGetCString(datum));
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return check;
}

/* --------------------------------------------------------------- by the CHECK */

/* Looks for "column = …" and "column = ANY (…)" by the key's own operator. */
typedef struct Search
{
	RouterKey  *key;
	AttrNumber	attnum;			/* of the column in the child */
	List	   *found;			/* what it is compared with, of keys further out first */
} Search;

static Node *
strip(Node *node)
{
	while (node && IsA(node, RelabelType))
		node = (Node *) ((RelabelType *) node)->arg;
	return node;
}

static bool
find_values(Node *node, void *arg)
{
	Search	   *search = arg;
	Oid			opno = InvalidOid;
	List	   *args = NIL;

	if (node == NULL)
		return false;
	if (IsA(node, OpExpr))
	{
		opno = ((OpExpr *) node)->opno;
		args = ((OpExpr *) node)->args;
	}
	else if (IsA(node, ScalarArrayOpExpr))
	{
		opno = ((ScalarArrayOpExpr *) node)->opno;
		args = ((ScalarArrayOpExpr *) node)->args;
	}
	if (opno == search->key->eq_opr && list_length(args) == 2)
	{
		Var		   *var = (Var *) strip(linitial(args));

		if (IsA(var, Var) && var->varattno == search->attnum)
		{
			Node	   *with = strip(lsecond(args));

			search->found = IsA(with, ArrayExpr) ? list_concat(search->found, ((ArrayExpr *) with)->elements) :
				lappend(search->found, with);
			return false;
		}
	}
	return expression_tree_walker(node, find_values, arg);
}

/* The bound of one level; NULL: the CHECK does not tell it. */
static RouterBound *
bound_of_check(RouterKey *keys, int level, const RouterChildDef *def, Node *check)
{
	RouterKey  *key = &keys[level];
	RouterBound *bound = palloc0(sizeof(RouterBound));
	int			nvalues = router_bound_outline(def->bounds[level], bound);
	Search		search = {.key = key,.attnum = get_attnum(def->child, key->column)};
	int			first = 0;
	int			others = 0;

	if (nvalues == 0)
		return bound;
	/* a column may be the key of several levels */
	for (int i = 0; i < def->nbounds; i++)
	{
		RouterBound outline;
		int			n = i != level && keys[i].by_check && keys[i].attnum == key->attnum && def->bounds[i][0] == '{' ?
			router_bound_outline(def->bounds[i], &outline) : 0;

		others += n;
		first += i < level ? n : 0;
	}
	(void) find_values(check, &search);
	if (list_length(search.found) != nvalues + others)
		return NULL;
	bound->values = palloc(nvalues * sizeof(Datum));
	for (int i = first; i < first + nvalues; i++)
	{
		Const	   *value = (Const *) strip(list_nth(search.found, i));

		if (!IsA(value, Const) || value->constisnull || value->consttype != key->typid)
			return NULL;
		bound->values[bound->nvalues++] = value->constvalue;
	}
	return bound;
}

/* ---------------------------------------------------------------- by the text */

static void
tell_child(void *arg)
{
	const RouterChildDef *def = arg;
	char	   *child = get_rel_name(def->child);
	char	   *base = get_rel_name(def->base);

	errcontext("bounds of child \"%s\" of routed table \"%s\"", child ? child : "?", base ? base : "?");
	errhint("Its CHECK \"" ROUTER_CHECK_NAME "\" tells the bounds as well: put it back. Or end the routing, with router.drop_route.");
}

static RouterBound *
bound_of_text(RouterKey *key, const RouterChildDef *def, int level)
{
	ErrorContextCallback callback = {error_context_stack, tell_child, (void *) def};
	RouterBound *bound;

	error_context_stack = &callback;
	bound = router_bound_read(key, def->bounds[level]);
	error_context_stack = callback.previous;
	return bound;
}

/* Fills bounds with what a child holds, one a level. The keys are resolved, the settings pinned. */
void
router_stored_bounds(RouterKey *keys, const RouterChildDef *def, RouterBound **bounds)
{
	Node	   *check = NULL;
	bool		read = false;
	bool		valid;

	for (int i = 0; i < def->nbounds; i++)
	{
		bounds[i] = NULL;
		if (keys[i].by_check && def->bounds[i][0] == '{')
		{
			if (!read)
				check = router_home_check(def->child, &valid);
			read = true;
			if (check)
				bounds[i] = bound_of_check(keys, i, def, check);
		}
		if (bounds[i] == NULL)
			bounds[i] = bound_of_text(&keys[i], def, i);
	}
}

/* Are the texts what the types would write today? If not, and unless that is a dry run, writes them so. */
bool
router_refresh_bounds(RouterConfig *config, const RouterChildDef *def, bool dry_run)
{
	RouterBound *bounds[ROUTER_MAX_LEVELS];
	char	   *texts[ROUTER_MAX_LEVELS];
	bool		same = true;

	router_stored_bounds(config->keys, def, bounds);
	for (int i = 0; i < def->nbounds; i++)
	{
		texts[i] = config->keys[i].by_check ? router_bound_text(&config->keys[i], bounds[i]) : def->bounds[i];
		same &= strcmp(texts[i], def->bounds[i]) == 0;
	}
	if (!same && !dry_run)
		router_catalog_put_bounds(def->child, texts, def->nbounds);
	return same;
}
