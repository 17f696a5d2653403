/*
 * row_writer.c
 *		Brings single rows home on behalf of a statement that is running: opened
 *		homes, kept for as long as the statement runs.
 *
 * Memory: a writer for each statement, base and purpose lives in es_query_cxt
 * of the statement and is closed at ExecutorEnd. It has an EState of its own,
 * whose per-tuple context may be reset while the statement's row is in hand.
 */
#include "compat.h"
#include "write/row_writer.h"

#include "access/table.h"
#include "access/xact.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "utils/memutils.h"

#include "rows/estate.h"

static RouterRowWriter *
open_writer(EState *statement, Oid base, bool moved)
{
	MemoryContext old = CurrentMemoryContext;
	RouterRowWriter *writer;

	if (statement)
		MemoryContextSwitchTo(statement->es_query_cxt);
	writer = palloc0(sizeof(RouterRowWriter));
	writer->statement = statement;
	writer->base = table_open(base, AccessShareLock);
	writer->estate = router_make_estate(writer->base);
	router_homes_init(&writer->homes, router_cache_entry(base), writer->base, writer->estate,
					  router_make_root(writer->estate, writer->base));
	writer->homes.moved = moved;
	writer->homes.speculative = !moved;	/* one INSERT of the statement may have ON CONFLICT, another not */
	writer->batch.estate = writer->estate;
	writer->batch.cid = statement ? statement->es_output_cid : GetCurrentCommandId(true);
	if (statement == NULL)
		AfterTriggerBeginQuery();	/* the apply worker would not close the home whose triggers it fires */
	else
	{
		RouterStatement *kept = router_statement_get(statement);

		writer->next = kept->writers;
		kept->writers = writer;
	}
	MemoryContextSwitchTo(old);
	return writer;
}

/*
 * The writer of a statement (NULL: a new one, to be closed, when AFTER triggers fire) for rows of a base;
 * moved: rows that come from another table of the route, for which the base's
 * BEFORE INSERT triggers were not fired.
 */
RouterRowWriter *
router_writer(EState *statement, Oid base, bool moved)
{
	RouterStatement *kept = statement ? router_statement_find(statement) : NULL;

	for (RouterRowWriter *writer = kept ? kept->writers : NULL; writer; writer = writer->next)
		if (writer->homes.base == base && writer->homes.moved == moved && writer->base)
			return writer;
	return open_writer(statement, base, moved);
}

void
router_writer_close(RouterRowWriter *writer)
{
	if (writer->base == NULL)
		return;
	if (writer->statement == NULL)
	{
		AfterTriggerEndQuery(writer->estate);
		ExecCloseResultRelations(writer->estate);
	}
	router_homes_close(&writer->homes);
	router_free_estate(writer->estate);
	table_close(writer->base, NoLock);
	writer->base = NULL;
}

/* From a destination to the layout of the slot that is shown; NULL: they are alike. */
static TupleConversionMap *
map_back(RouterRowWriter *writer, RouterDest *dest)
{
	MemoryContext old;

	if (writer->shown == writer->came)	/* the base's layout */
		return dest->map ? ExecGetChildToRootMap(dest->rri) : NULL;
	if (writer->back_of != RelationGetRelid(dest->rel) || writer->back_to != writer->shown->tts_tupleDescriptor)
	{
		old = MemoryContextSwitchTo(writer->estate->es_query_cxt);
		if (writer->back)
			free_conversion_map(writer->back);
		writer->back_of = RelationGetRelid(dest->rel);
		writer->back_to = writer->shown->tts_tupleDescriptor;
		writer->back = convert_tuples_by_name(RelationGetDescr(dest->rel), writer->back_to);
		MemoryContextSwitchTo(old);
	}
	return writer->back;
}

/* The statement's slot is to have the row as it is in its home. */
static void
show_row(RouterBatch *batch, RouterDest *dest, TupleTableSlot *slot)
{
	RouterRowWriter *writer = batch->arg;

	router_show_row(writer->shown, slot, map_back(writer, dest));
}

static void
note_inserted(RouterBatch *batch, RouterDest *dest, TupleTableSlot *slot)
{
	show_row(batch, dest, slot);
	((RouterRowWriter *) batch->arg)->home = RelationGetRelid(dest->rel);
}

/* Policies hold for what BEFORE ROW triggers and generated columns of the home have made of the row. */
static void
check_row(RouterBatch *batch, RouterDest *dest, TupleTableSlot *slot)
{
	RouterRowWriter *writer = batch->arg;

	if (slot != writer->came)
		show_row(batch, dest, slot);
	else if (writer->policy == WCO_RLS_UPDATE_CHECK)
		return;					/* as it was when it was checked */
	ExecWithCheckOptions(writer->policy, writer->target, writer->shown, writer->statement);
}

/*
 * Tells of the row that will be inserted next. target: of the statement, whose
 * policies of this kind count, or NULL; came: the row, in the base's layout;
 * shown: the statement's slot, which becomes the row as it was inserted in
 * writer->home, if show is set.
 */
void
router_writer_expect(RouterRowWriter *writer, ResultRelInfo *target, WCOKind policy, TupleTableSlot *came,
					 TupleTableSlot *shown, bool show)
{
	writer->target = target;
	writer->policy = policy;
	writer->came = came;
	writer->shown = shown;
	writer->home = InvalidOid;
	writer->batch.check = target && target->ri_WithCheckOptions != NIL ? check_row : NULL;
	writer->batch.inserted = show ? note_inserted : NULL;
	writer->batch.arg = writer;
}

/* Inserts a row, in the base's layout, into its home. False: a trigger wants no insert. */
bool
router_writer_insert(RouterRowWriter *writer, RouterDest *dest, TupleTableSlot *slot)
{
	bool		inserted = router_batch_add(&writer->batch, dest, slot);

	router_batch_flush(&writer->batch);
	return inserted;
}

/* At the end of a statement. */
void
router_writers_end(RouterStatement *statement)
{
	for (RouterRowWriter *writer = statement->writers; writer; writer = writer->next)
		router_writer_close(writer);
}
