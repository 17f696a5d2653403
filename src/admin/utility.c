/*
 * utility.c
 *		VACUUM, ANALYZE, CLUSTER and REINDEX of a base reach its children, as they
 *		reach partitions: from a ProcessUtility hook, so in sessions that have
 *		loaded the library. What says ONLY, and what router runs by itself, is
 *		about the base.
 *
 * VACUUM and ANALYZE are given the tables that inherit from the base as if they
 * had been named, as PostgreSQL 18 does it by itself. CLUSTER and REINDEX know
 * single tables: they run once for the base, then for each child, in
 * transactions of their own as for partitions, or in a transaction block all in
 * that. Indexes of children are those that stand for the base's (mirror.c).
 *
 * Rights and locks are core's, table by table; children that the user may not
 * maintain are passed over with a warning.
 */
#include "compat.h"
#include "admin/utility.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/index.h"
#include "catalog/namespace.h"
#include "catalog/pg_inherits.h"
#include "commands/vacuum.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "tcop/utility.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "route/cache.h"
#include "mirror/mirror.h"
#include "base/sql.h"

/* A utility command, as it comes to the hook. */
typedef struct Utility
{
	PlannedStmt *pstmt;
	const char *query;
	bool		read_only;
	ProcessUtilityContext context;
	ParamListInfo params;
	QueryEnvironment *env;
	DestReceiver *dest;
	QueryCompletion *qc;
} Utility;

/* CLUSTER or REINDEX of a base, to be said of its children as well. */
typedef struct Repeat
{
	Oid			base;
	const char *verb;
	char	   *index;			/* the one that it names, in the base's schema; or NULL */
} Repeat;

static ProcessUtility_hook_type previous_utility = NULL;

static void
pass_on(const Utility *utility)
{
	ProcessUtility_hook_type next = previous_utility ? previous_utility : standard_ProcessUtility;

	next(utility->pstmt, utility->query, utility->read_only, utility->context, utility->params, utility->env,
		 utility->dest, utility->qc);
}

/* The base that a command names; InvalidOid: it is none, or ONLY. */
static Oid
named_base(const RangeVar *name)
{
	Oid			relid = name && name->inh ? RangeVarGetRelid(name, NoLock, true) : InvalidOid;

	return OidIsValid(relid) && router_cache_route(router_cache_entry(relid)) ? relid : InvalidOid;
}

/* What inherits from a base, by whatever way. */
static List *
heirs(Oid base)
{
	return list_delete_first(find_all_inheritors(base, NoLock, NULL));
}

/* ----------------------------------------------------------- VACUUM, ANALYZE */

/* Core asks as well, once the table is locked: who may not vacuum it is not to wait for it, with others behind him. */
static bool
may_vacuum(Oid heir, bits32 option)
{
	HeapTuple	tup = SearchSysCache1(RELOID, ObjectIdGetDatum(heir));
	bool		may = false;

	if (HeapTupleIsValid(tup))
	{
		may = router_may_vacuum(heir, (Form_pg_class) GETSTRUCT(tup), option);
		ReleaseSysCache(tup);
	}
	return may;
}

/* Adds the heirs of the bases that it names; core says nothing of those that are gone when it comes to them. */
static void
vacuum_heirs(VacuumStmt *stmt)
{
	List	   *rels = NIL;
	ListCell   *lc;

	foreach(lc, stmt->rels)
	{
		VacuumRelation *rel = lfirst_node(VacuumRelation, lc);
		Oid			base = OidIsValid(rel->oid) ? InvalidOid : named_base(rel->relation);
		ListCell   *heir;

		rels = lappend(rels, rel);
		if (OidIsValid(base))
			foreach(heir, heirs(base))
				if (may_vacuum(lfirst_oid(heir), stmt->is_vacuumcmd ? VACOPT_VACUUM : VACOPT_ANALYZE))
					rels = lappend(rels, makeVacuumRelation(NULL, lfirst_oid(heir), rel->va_cols));
	}
	stmt->rels = rels;
}

/* ----------------------------------------------------------- CLUSTER, REINDEX */

/* The name of the index that a table is clustered by, or NULL. */
static char *
clustered_index(Oid relid)
{
	Relation	rel = table_open(relid, AccessShareLock);
	char	   *name = NULL;
	ListCell   *lc;

	foreach(lc, RelationGetIndexList(rel))
		if (get_index_isclustered(lfirst_oid(lc)))
			name = get_rel_name(lfirst_oid(lc));
	table_close(rel, AccessShareLock);
	return name;
}

/* Is this a command to repeat? */
static bool
is_repeated(Node *stmt, Repeat *repeat)
{
	if (IsA(stmt, ClusterStmt))
	{
		ClusterStmt *cluster = castNode(ClusterStmt, stmt);

		repeat->verb = "cluster";
		repeat->base = named_base(cluster->relation);
		if (!OidIsValid(repeat->base))
			return false;
		repeat->index = cluster->indexname ? cluster->indexname : clustered_index(repeat->base);
		return repeat->index != NULL;
	}
	if (IsA(stmt, ReindexStmt))
	{
		ReindexStmt *reindex = castNode(ReindexStmt, stmt);
		Oid			index;

		repeat->verb = "reindex";
		if (reindex->kind == REINDEX_OBJECT_TABLE)
			repeat->base = named_base(reindex->relation);
		else if (reindex->kind == REINDEX_OBJECT_INDEX)
		{
			index = RangeVarGetRelid(reindex->relation, NoLock, true);
			if (get_rel_relkind(index) != RELKIND_INDEX)
				return false;
			repeat->base = IndexGetRelation(index, true);
			if (!OidIsValid(repeat->base) || router_cache_route(router_cache_entry(repeat->base)) == NULL)
				return false;
			repeat->index = reindex->relation->relname;
		}
		return OidIsValid(repeat->base);
	}
	return false;
}

static RangeVar *
name_of(Oid relid)
{
	return makeRangeVar(get_namespace_name(get_rel_namespace(relid)), get_rel_name(relid), -1);
}

/* The command for one heir; NULL: it is passed over. */
static Node *
statement_for(const Repeat *repeat, Node *stmt, Oid heir)
{
	Oid			index = InvalidOid;
	Node	   *copy;

	/* dropped meanwhile, or without indexes */
	if (!SearchSysCacheExists1(RELOID, ObjectIdGetDatum(heir)) || get_rel_relkind(heir) != RELKIND_RELATION)
		return NULL;
	if (!router_may_maintain(heir, GetUserId()))
	{
		ereport(WARNING,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied to %s \"%s\", skipping it", repeat->verb, get_rel_name(heir))));
		return NULL;
	}
	if (repeat->index)
	{
		/* by name each time: REINDEX CONCURRENTLY makes another index of that name */
		Oid			of_base = get_relname_relid(repeat->index, get_rel_namespace(repeat->base));

		index = OidIsValid(of_base) ? router_index_counterpart(repeat->base, heir, of_base) : InvalidOid;
		if (!OidIsValid(index))
		{
			ereport(WARNING,
					(errcode(ERRCODE_UNDEFINED_OBJECT),
					 errmsg("\"%s\" has no index like \"%s\", skipping it", get_rel_name(heir), repeat->index),
					 errhint("CALL router.sync('%s', concurrently => true) creates it.",
							 router_qualified_name(repeat->base))));
			return NULL;
		}
	}
	copy = copyObject(stmt);
	if (IsA(copy, ClusterStmt))
	{
		castNode(ClusterStmt, copy)->relation = name_of(heir);
		castNode(ClusterStmt, copy)->indexname = get_rel_name(index);
	}
	else
		castNode(ReindexStmt, copy)->relation = name_of(OidIsValid(index) ? index : heir);
	return copy;
}

/* What was done to one table is committed before the next one's turn. */
static void
begin_another(void)
{
	MemoryContext caller = CurrentMemoryContext;

	if (ActiveSnapshotSet())
		PopActiveSnapshot();
	CommitTransactionCommand();
	StartTransactionCommand();
	MemoryContextSwitchTo(caller);
	PushActiveSnapshot(GetTransactionSnapshot());
}

/* Runs the command for the base, then for what inherits from it. */
static void
run_repeated(const Utility *utility, const Repeat *repeat)
{
	bool		one_by_one = !IsInTransactionBlock(utility->context == PROCESS_UTILITY_TOPLEVEL);
	MemoryContext caller = CurrentMemoryContext;
	PlannedStmt *pstmt = copyObject(utility->pstmt);
	Utility		one = *utility;
	ListCell   *lc;

	pass_on(utility);
	one.pstmt = pstmt;
	one.read_only = false;
	MemoryContextSwitchTo(caller);
	foreach(lc, heirs(repeat->base))
	{
		Node	   *stmt = pstmt->utilityStmt;

		CHECK_FOR_INTERRUPTS();
		if (one_by_one)
			begin_another();
		pstmt->utilityStmt = statement_for(repeat, stmt, lfirst_oid(lc));
		if (pstmt->utilityStmt)
			pass_on(&one);
		MemoryContextSwitchTo(caller);
		pstmt->utilityStmt = stmt;
		/* who began this transaction looks after no snapshot */
		if (one_by_one && ActiveSnapshotSet())
			PopActiveSnapshot();
	}
}

/* -------------------------------------------------------------------- the hook */

static void
process_utility(PlannedStmt *pstmt, const char *query, bool read_only, ProcessUtilityContext context,
				ParamListInfo params, QueryEnvironment *env, DestReceiver *dest, QueryCompletion *qc)
{
	Utility		utility = {pstmt, query, read_only, context, params, env, dest, qc};
	Repeat		repeat = {InvalidOid};

	/* a kept plan whose tables are locked already has heard nothing of new children */
	if (IsA(pstmt->utilityStmt, ExecuteStmt))
		AcceptInvalidationMessages();
	if (context != PROCESS_UTILITY_SUBCOMMAND)
	{
		if (IsA(pstmt->utilityStmt, VacuumStmt) && !ROUTER_VACUUM_REACHES_HEIRS)
		{
			if (read_only)
				utility.pstmt = copyObject(pstmt);
			utility.read_only = false;
			vacuum_heirs((VacuumStmt *) utility.pstmt->utilityStmt);
		}
		else if (is_repeated(pstmt->utilityStmt, &repeat))
		{
			run_repeated(&utility, &repeat);
			return;
		}
	}
	pass_on(&utility);
}

void
router_utility_init(void)
{
	previous_utility = ProcessUtility_hook;
	ProcessUtility_hook = process_utility;
}
