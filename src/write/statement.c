/*
 * statement.c
 *		What router keeps for a running statement, found by its EState: each part
 *		of this room has a field there.
 *
 * Memory: the statement's es_query_cxt; a reset callback takes it off the list
 * when that is freed, also by an error.
 */
#include "compat.h"
#include "write/statement.h"

#include "utils/memutils.h"
#include "utils/rel.h"

static dlist_head statements = DLIST_STATIC_INIT(statements);

static void
forget_statement(void *arg)
{
	dlist_delete(&((RouterStatement *) arg)->link);
}

/* What is kept for a statement, or NULL. */
RouterStatement *
router_statement_find(EState *estate)
{
	dlist_iter	iter;

	dlist_foreach(iter, &statements)
	{
		RouterStatement *statement = dlist_container(RouterStatement, link, iter.cur);

		if (statement->estate == estate)
			return statement;
	}
	return NULL;
}

/* What is kept for a statement, from now on. */
RouterStatement *
router_statement_get(EState *estate)
{
	RouterStatement *statement = router_statement_find(estate);

	if (statement)
		return statement;
	statement = MemoryContextAllocZero(estate->es_query_cxt, sizeof(RouterStatement));
	statement->estate = estate;
	statement->forget.func = forget_statement;
	statement->forget.arg = statement;
	dlist_push_head(&statements, &statement->link);
	MemoryContextRegisterResetCallback(estate->es_query_cxt, &statement->forget);
	return statement;
}

/* The COPY into a base that is at its end, or NULL: it has no plan, and no hook sees its EState. */
RouterStatement *
router_statement_of_copy(Oid base)
{
	dlist_iter	iter;

	dlist_foreach(iter, &statements)
	{
		RouterStatement *statement = dlist_container(RouterStatement, link, iter.cur);
		EState	   *estate = statement->estate;

		if (estate->es_plannedstmt == NULL &&
			RelationGetRelid(linitial_node(ResultRelInfo, estate->es_opened_result_relations)->ri_RelationDesc) == base)
			return statement;
	}
	return NULL;
}
