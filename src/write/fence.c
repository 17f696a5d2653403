/*
 * fence.c
 *		The CHECK of a sealed child, which tells of rows beyond the seal. See seal.c.
 *
 * Locking: whoever writes has a lock on the table that sealing waits for.
 * Memory: what a statement's rows are compared with lives as long as its call of the function.
 */
#include "compat.h"
#include "write/fence.h"

#include "access/table.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_inherits.h"
#include "miscadmin.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"

#include "route/defs.h"
#include "route/owned.h"
#include "base/sql.h"
#include "write/running_statement.h"

PG_FUNCTION_INFO_V1(router_unseal);

/* A table and all that it inherits from, nearer ones first and each of them once. */
static List *
tables_above(Oid table)
{
	Relation	rel = table_open(InheritsRelationId, AccessShareLock);
	List	   *tables = list_make1_oid(table);

	for (int i = 0; i < list_length(tables); i++)
	{
		ScanKeyData key;
		SysScanDesc scan;
		HeapTuple	tup;

		CHECK_FOR_INTERRUPTS();
		ScanKeyInit(&key, Anum_pg_inherits_inhrelid, BTEqualStrategyNumber, F_OIDEQ,
					ObjectIdGetDatum(list_nth_oid(tables, i)));
		scan = systable_beginscan(rel, InheritsRelidSeqnoIndexId, true, NULL, 1, &key);
		while (HeapTupleIsValid(tup = systable_getnext(scan)))
			tables = list_append_unique_oid(tables, ((Form_pg_inherits) GETSTRUCT(tup))->inhparent);
		systable_endscan(scan);
	}
	table_close(rel, AccessShareLock);
	return tables;
}

static bool
is_child(Oid table)
{
	Oid			base = router_cache_base(table);

	return OidIsValid(base) && base != table;
}

/* The child that a table is, or inherits from in turn; InvalidOid: none. */
static Oid
child_above(Oid table)
{
	ListCell   *lc;

	if (is_child(table))
		return table;
	foreach(lc, tables_above(table))
		if (is_child(lfirst_oid(lc)))
			return lfirst_oid(lc);
	return InvalidOid;
}

/* What the rows that a statement writes to a table are compared with. */
typedef struct Fence
{
	Oid			table;
	Oid			child;			/* that it is, or inherits from; InvalidOid: there is no seal to be broken */
	Oid			base;
	RouterKey	keys[ROUTER_MAX_LEVELS];	/* of the arguments; without a type: of none that is sealed */
	int64		lo[ROUTER_MAX_LEVELS];
	int64		hi[ROUTER_MAX_LEVELS];	/* below lo: no values */
} Fence;

/* The column of its row that an argument of unseal is, as in a CHECK; NULL: it is something else. */
static const char *
argument_column(FmgrInfo *flinfo, Oid table, int n, Oid *type)
{
	List	   *args = flinfo->fn_expr && IsA(flinfo->fn_expr, FuncExpr) ? ((FuncExpr *) flinfo->fn_expr)->args : NIL;
	Var		   *tableoid = list_length(args) > n && IsA(linitial(args), Var) ? linitial(args) : NULL;
	Var		   *column = tableoid && IsA(list_nth(args, n), Var) ? list_nth(args, n) : NULL;

	if (column == NULL || tableoid->varattno != TableOidAttributeNumber || column->varno != tableoid->varno ||
		IS_SPECIAL_VARNO(column->varno) || column->varattno <= 0)
		return NULL;
	*type = getBaseType(column->vartype);
	return get_attname(table, column->varattno, true);
}

static void
set_column(Fence *fence, int n, Oid type, const RouterSeal *seal)
{
	RouterKey  *key = &fence->keys[n];
	RouterBound *bound;

	if (!router_seal_type(key, type))
		return;
	fence->lo[n] = PG_INT64_MAX;
	fence->hi[n] = PG_INT64_MIN;
	if (seal->span == NULL)
		return;
	bound = router_bound_parse(key, seal->span);
	fence->lo[n] = bound->lo;
	fence->hi[n] = bound->hi;
}

/* The table of the CHECK that calls, by the expression that its EState has of it; InvalidOid: no CHECK calls. */
static Oid
table_of_check(Node *call)
{
	EState	   *estate = router_running_estate();
	ListCell   *lc;

	foreach(lc, estate ? estate->es_opened_result_relations : NIL)
	{
		ResultRelInfo *rri = lfirst(lc);
		TupleConstr *constr = RelationGetDescr(rri->ri_RelationDesc)->constr;
		ExprState **exprs = router_check_exprs(rri);

		for (int i = 0; exprs && constr && i < constr->num_check; i++)
			if (exprs[i] && (Node *) exprs[i]->expr == call)
				return RelationGetRelid(rri->ri_RelationDesc);
	}
	return InvalidOid;
}

/* Finds what a statement's rows are to be compared with. Their table is locked, so that the seal stays what it is. */
static Fence *
open_fence(FmgrInfo *flinfo, Oid table, int nargs)
{
	Fence	   *fence = MemoryContextAllocZero(flinfo->fn_mcxt, sizeof(Fence));
	Oid			child;
	RouterRoute *route;
	int			guc_level;
	ListCell   *lc;

	fence->table = table;
	if (!OidIsValid(table))		/* the rows of an apply worker do not say where they are going */
		table = table_of_check(flinfo->fn_expr);
	child = child_above(table);
	fence->base = OidIsValid(child) ? router_cache_base(child) : InvalidOid;
	route = OidIsValid(child) ? router_cache_route(router_cache_entry(fence->base)) : NULL;
	if (route == NULL || !list_member_oid(route->fenced, child))
		return fence;
	guc_level = router_pin_settings(route->config.time_zone);
	foreach(lc, router_catalog_child_seals(child))
		for (int n = 0; n < nargs; n++)
		{
			Oid			type;
			const char *column = argument_column(flinfo, table, n + 1, &type);

			if (column && strcmp(column, ((RouterSeal *) lfirst(lc))->column) == 0)
				set_column(fence, n, type, lfirst(lc));
		}
	AtEOXact_GUC(false, guc_level);
	fence->child = child;
	return fence;
}

/*
 * router.unseal(tableoid, column, …): the CHECK of a sealed child. Breaks its
 * seal for a row that lies beyond. Always true. For everybody: who writes
 * through a view has no right on the table. It takes columns of rows that are read or
 * written only, so that nobody breaks the seal of a table by a value that is not there.
 */
Datum
router_unseal(PG_FUNCTION_ARGS)
{
	Fence	   *fence = fcinfo->flinfo->fn_extra;
	int			nargs = Min(PG_NARGS() - 1, ROUTER_MAX_LEVELS);
	bool		beyond = false;

	if (PG_ARGISNULL(0))
		PG_RETURN_BOOL(true);
	if (fence == NULL || fence->table != PG_GETARG_OID(0))
		fcinfo->flinfo->fn_extra = fence = open_fence(fcinfo->flinfo, PG_GETARG_OID(0), nargs);
	if (!OidIsValid(fence->child))
		PG_RETURN_BOOL(true);
	for (int i = 0; i < nargs && !beyond; i++)
		if (OidIsValid(fence->keys[i].typid) && !PG_ARGISNULL(i + 1))
		{
			int64		value = router_key_int(&fence->keys[i], PG_GETARG_DATUM(i + 1));

			beyond = value < fence->lo[i] || value > fence->hi[i];
		}
	if (!beyond)
		PG_RETURN_BOOL(true);
	router_catalog_break_seal(fence->base, fence->child);
	fence->child = InvalidOid;
	PG_RETURN_BOOL(true);
}

/* Forgets the seal of a child that has lost its CHECK, or has it under another name. */
void
router_check_fence(Oid child)
{
	if (!OidIsValid(get_relation_constraint_oid(child, ROUTER_SEAL_NAME, true)))
		router_drop_seal(child);
}

/* Takes the seal of a child away, if it has one. The caller holds AccessExclusiveLock on it. */
void
router_drop_seal(Oid child)
{
	RouterChildDef *def = router_catalog_child(child);

	if (OidIsValid(get_relation_constraint_oid(child, ROUTER_SEAL_NAME, true)))
		router_run("ALTER TABLE %s DROP CONSTRAINT %s", router_qualified_name(child), ROUTER_SEAL_NAME);
	router_catalog_remove_seal(child);
	if (def)
		CacheInvalidateRelcacheByRelid(def->base);
}
