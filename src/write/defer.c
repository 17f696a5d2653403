/*
 * defer.c
 *		SET CONSTRAINTS with the name of a base's constraint sets those of its
 *		children that stand for it, as it does for partitions.
 *
 * Core looks for constraints by name, and unique and exclusion constraints of
 * children have names of their own; foreign keys and constraint triggers have
 * the base's, but a child may stand in another schema. So a ProcessUtility hook
 * adds the children's constraints to the statement.
 *
 * What was set is remembered until the transaction ends, for children that are
 * made later, by this session or another one: it is set for such a child when
 * this session first writes to it. SET CONSTRAINTS ALL needs nothing of that,
 * core applies it to what comes later as well.
 *
 * Children's constraints are no parts of the base's (pg_constraint.conparentid),
 * from which core would know: pg_dump leaves out foreign keys that are parts,
 * and after NO INHERIT and DROP TABLE they would be parts of nothing.
 *
 * Memory: TopTransactionContext. An aborted subtransaction brings back what was
 * remembered before it, as core does with the constraints' states.
 * Locks: AccessShare on children.
 */
#include "compat.h"
#include "write/defer.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_constraint.h"
#include "commands/trigger.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "storage/lmgr.h"
#include "tcop/utility.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"

#include "route/cache.h"
#include "route/defs.h"
#include "mirror/mirror.h"
#include "base/see.h"

/* A constraint of a base that this transaction has set. */
typedef struct Setting
{
	Oid			base;
	Oid			constraint;
	bool		deferred;
	List	   *children;		/* for which it is set as well */
} Setting;

/* The settings before the first change in a subtransaction. */
typedef struct Saved
{
	int			level;
	List	   *settings;
	struct Saved *outer;
} Saved;

static List *settings = NIL;
static Saved *saved = NULL;
static ProcessUtility_hook_type previous_utility = NULL;

/* ------------------------------------------------------------- what was set */

/* The settings are about to be changed; run in TopTransactionContext. */
static void
save_settings(void)
{
	int			level = GetCurrentTransactionNestLevel();
	Saved	   *before;
	List	   *copy = NIL;
	ListCell   *lc;

	if (level == 1 || (saved && saved->level == level))
		return;
	before = palloc(sizeof(Saved));
	before->level = level;
	before->settings = settings;
	before->outer = saved;
	foreach(lc, settings)
	{
		Setting    *setting = palloc(sizeof(Setting));

		*setting = *(Setting *) lfirst(lc);
		setting->children = list_copy(setting->children);
		copy = lappend(copy, setting);
	}
	settings = copy;
	saved = before;
}

static void
at_subtransaction(SubXactEvent event, SubTransactionId mine, SubTransactionId parent, void *arg)
{
	int			level = GetCurrentTransactionNestLevel();

	if (saved == NULL || saved->level != level)
		return;
	if (event == SUBXACT_EVENT_ABORT_SUB)
	{
		settings = saved->settings;
		saved = saved->outer;
	}
	else if (event == SUBXACT_EVENT_COMMIT_SUB)
	{
		if (level == 2 || (saved->outer && saved->outer->level == level - 1))
			saved = saved->outer;
		else
			saved->level = level - 1;
	}
}

static void
at_transaction(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_PRE_COMMIT || event == XACT_EVENT_PARALLEL_PRE_COMMIT || event == XACT_EVENT_PRE_PREPARE)
		return;					/* deferred triggers may run yet */
	settings = NIL;
	saved = NULL;
}

static void
remember(const Setting *new)
{
	Setting    *setting = NULL;
	ListCell   *lc;

	foreach(lc, settings)
		if (((Setting *) lfirst(lc))->constraint == new->constraint)
			setting = lfirst(lc);
	if (setting == NULL)
	{
		setting = palloc(sizeof(Setting));
		settings = lappend(settings, setting);
	}
	*setting = *new;
	setting->children = list_copy(new->children);
}

/* ------------------------------------------------------------------ children */

/* The constraint of a child in the place of one of its base, for SET CONSTRAINTS to find; NULL: there is none. */
static RangeVar *
constraint_of_child(Oid base, Oid constraint, Oid child)
{
	Oid			schema = get_rel_namespace(child);
	Oid			counterpart = router_constraint_of_child(base, child, constraint);

	if (!OidIsValid(counterpart) || !router_may_use(schema, GetUserId()))
		return NULL;
	return makeRangeVar(get_namespace_name(schema), get_constraint_name(counterpart), -1);
}

/* Sets for a child what was set for its base, unless that was done. */
static void
set_for_child(Setting *setting, Oid child)
{
	ConstraintsSetStmt *stmt = makeNode(ConstraintsSetStmt);
	RangeVar   *constraint = constraint_of_child(setting->base, setting->constraint, child);
	MemoryContext caller = MemoryContextSwitchTo(TopTransactionContext);

	setting->children = lappend_oid(setting->children, child);
	MemoryContextSwitchTo(caller);
	stmt->deferred = setting->deferred;
	stmt->constraints = list_make1(constraint);
	if (constraint)
		AfterTriggerSetState(stmt);
}

/* A child, locked, is about to be written to. */
void
router_defer_child(Oid base, Oid child)
{
	MemoryContext caller;
	bool		found = false;
	ListCell   *lc;

	foreach(lc, settings)
		found = found || (((Setting *) lfirst(lc))->base == base &&
						  !list_member_oid(((Setting *) lfirst(lc))->children, child));
	if (!found)
		return;
	caller = MemoryContextSwitchTo(TopTransactionContext);
	save_settings();
	MemoryContextSwitchTo(caller);
	foreach(lc, settings)
	{
		Setting    *setting = lfirst(lc);

		if (setting->base == base && !list_member_oid(setting->children, child))
			set_for_child(setting, child);
	}
}

/* A statement begins that writes to these tables. */
void
router_defer_start(ModifyTableState *mtstate)
{
	for (int i = 0; settings != NIL && i < mtstate->mt_nrels; i++)
	{
		Oid			relid = RelationGetRelid(mtstate->resultRelInfo[i].ri_RelationDesc);
		RouterChildDef *def = router_catalog_child(relid);

		if (def)
			router_defer_child(def->base, relid);
	}
}

/* ------------------------------------------------------------- SET CONSTRAINTS */

/*
 * Adds what children have for one constraint; returns the setting to remember. Core locks nothing: who has no right on
 * the table shall not keep its owner waiting for a child. His statement fails if one goes in this very moment.
 */
static Setting *
add_children(ConstraintsSetStmt *stmt, Form_pg_constraint base)
{
	Setting    *setting = palloc0(sizeof(Setting));
	bool		may_lock = router_may_lock(base->conrelid);
	ListCell   *lc;

	setting->base = base->conrelid;
	setting->constraint = base->oid;
	setting->deferred = stmt->deferred;
	foreach(lc, router_catalog_children(base->conrelid))
	{
		Oid			child = ((RouterChildDef *) lfirst(lc))->child;
		RangeVar   *constraint;

		if (may_lock)
			LockRelationOid(child, AccessShareLock);
		if (!SearchSysCacheExists1(RELOID, ObjectIdGetDatum(child)))
			continue;
		constraint = constraint_of_child(base->conrelid, base->oid, child);
		if (constraint && (get_rel_namespace(child) != base->connamespace ||
						   strcmp(constraint->relname, NameStr(base->conname)) != 0))
			stmt->constraints = lappend(stmt->constraints, constraint);
		setting->children = lappend_oid(setting->children, child);
	}
	return setting;
}

/* The constraints that core finds in a schema under a name: bases' among them are added to found. */
static bool
visit_schema(ConstraintsSetStmt *stmt, const char *name, Oid schema, List **found)
{
	Relation	rel = table_open(ConstraintRelationId, AccessShareLock);
	bool		any = false;
	ScanKeyData key[2];
	SysScanDesc scan;
	HeapTuple	tup;

	ScanKeyInit(&key[0], Anum_pg_constraint_conname, BTEqualStrategyNumber, F_NAMEEQ, CStringGetDatum(name));
	ScanKeyInit(&key[1], Anum_pg_constraint_connamespace, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(schema));
	scan = systable_beginscan(rel, ConstraintNameNspIndexId, true, NULL, 2, key);
	while (HeapTupleIsValid(tup = systable_getnext(scan)))
	{
		Form_pg_constraint form = (Form_pg_constraint) GETSTRUCT(tup);

		any = true;
		if (form->condeferrable && OidIsValid(form->conrelid) &&
			router_cache_route(router_cache_entry(form->conrelid)) != NULL)
			*found = lappend(*found, add_children(stmt, form));
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return any;
}

/* Looks for constraints as core does, which also tells what is wrong with the names. */
static List *
extend_statement(ConstraintsSetStmt *stmt)
{
	List	   *named = list_copy(stmt->constraints);
	List	   *found = NIL;
	ListCell   *lc;
	ListCell   *ls;

	foreach(lc, named)
	{
		RangeVar   *constraint = lfirst_node(RangeVar, lc);
		List	   *schemas = constraint->schemaname ?
			list_make1_oid(get_namespace_oid(constraint->schemaname, true)) : fetch_search_path(true);

		foreach(ls, schemas)
			if (visit_schema(stmt, constraint->relname, lfirst_oid(ls), &found))
				break;
	}
	return found;
}

static void
process_utility(PlannedStmt *pstmt, const char *queryString, bool readOnlyTree, ProcessUtilityContext context,
				ParamListInfo params, QueryEnvironment *queryEnv, DestReceiver *dest, QueryCompletion *qc)
{
	ProcessUtility_hook_type next = previous_utility ? previous_utility : standard_ProcessUtility;
	List	   *found = NIL;
	MemoryContext caller;
	ListCell   *lc;

	if (!IsA(pstmt->utilityStmt, ConstraintsSetStmt) || !router_catalog_exists())
	{
		next(pstmt, queryString, readOnlyTree, context, params, queryEnv, dest, qc);
		return;
	}
	if (((ConstraintsSetStmt *) pstmt->utilityStmt)->constraints != NIL)
	{
		pstmt = copyObject(pstmt);
		found = extend_statement((ConstraintsSetStmt *) pstmt->utilityStmt);
	}
	next(pstmt, queryString, readOnlyTree, context, params, queryEnv, dest, qc);
	caller = MemoryContextSwitchTo(TopTransactionContext);
	save_settings();
	if (((ConstraintsSetStmt *) pstmt->utilityStmt)->constraints == NIL)
		settings = NIL;
	foreach(lc, found)
		remember(lfirst(lc));
	MemoryContextSwitchTo(caller);
}

void
router_defer_init(void)
{
	previous_utility = ProcessUtility_hook;
	ProcessUtility_hook = process_utility;
	RegisterXactCallback(at_transaction, NULL);
	RegisterSubXactCallback(at_subtransaction, NULL);
}
