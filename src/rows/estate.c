/*
 * estate.c
 *		An EState where no executor has made one.
 */
#include "compat.h"
#include "rows/estate.h"


/*
 * An EState for rows that no executor brings: its range table has the base
 * only. copy: take the range table of that COPY, which says what columns the
 * user may see in an error message.
 */
EState *
router_make_estate(Relation base, CopyFromState copy)
{
	EState	   *estate = CreateExecutorState();
	MemoryContext old = MemoryContextSwitchTo(estate->es_query_cxt);

	router_init_range_table(estate, base, copy);
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
