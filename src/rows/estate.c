/*
 * estate.c
 *		An EState where no executor has made one.
 */
#include "compat.h"
#include "rows/estate.h"

#include "access/xact.h"
#include "executor/executor.h"
#include "nodes/makefuncs.h"
#include "parser/parse_relation.h"

/* An EState for rows that no executor brings: its range table has the base only. */
EState *
router_make_estate(Relation base)
{
	EState	   *estate = CreateExecutorState();
	MemoryContext old = MemoryContextSwitchTo(estate->es_query_cxt);
	RangeTblEntry *rte = makeNode(RangeTblEntry);
	List	   *perminfos = NIL;

	rte->rtekind = RTE_RELATION;
	rte->relid = RelationGetRelid(base);
	rte->relkind = base->rd_rel->relkind;
	rte->rellockmode = RowExclusiveLock;
	router_add_permissions(&perminfos, rte);
	router_init_range_table(estate, list_make1(rte), perminfos);
	estate->es_output_cid = GetCurrentCommandId(true);
	MemoryContextSwitchTo(old);
	return estate;
}

void
router_free_estate(EState *estate)
{
	ExecResetTupleTable(estate->es_tupleTable, false);
	estate->es_tupleTable = NIL;
	FreeExecutorState(estate);
}

/* The base as root of the destinations in such an EState. */
ResultRelInfo *
router_make_root(EState *estate, Relation base)
{
	MemoryContext old = MemoryContextSwitchTo(estate->es_query_cxt);
	ResultRelInfo *root = makeNode(ResultRelInfo);

	InitResultRelInfo(root, base, 1, NULL, 0);
	MemoryContextSwitchTo(old);
	return root;
}
