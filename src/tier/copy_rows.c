/*
 * copy_rows.c
 *		The copy of a child that is moved: made, filled, indexed, kept up with the
 *		child, and compared with it. See relocate.c for when.
 *
 * A copy on this server is filled by move.c, frozen, since it is new in this
 * subtransaction; one on another server by INSERT … SELECT over postgres_fdw;
 * rows from there come through a cursor.
 *
 * Everything runs as the owner of the base, SPI is connected, settings are
 * pinned, the child is locked.
 * Memory: that of the step.
 */
#include "compat.h"
#include "tier/relocate_part.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_constraint.h"
#include "commands/defrem.h"
#include "commands/tablespace.h"
#include "executor/executor.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "rows/estate.h"
#include "mirror/mirror.h"
#include "rows/move.h"
#include "base/name.h"
#include "base/sql.h"
#include "rows/keep_in_step.h"

/* catching up ends when so few rows are left, or after so many rounds */
#define FEW_CHANGES 1000
#define MAX_ROUNDS 10

/* --------------------------------------------------------------------- the table */

/* A table that somebody else made may have rows of somebody else. */
static void
check_empty(Relocation *r)
{
	if (SPI_execute(psprintf("SELECT FROM ONLY %s LIMIT 1", r->copy_name), false, 1) != SPI_OK_SELECT)
		elog(ERROR, "could not read %s", r->copy_name);
	if (SPI_processed > 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table %s on server \"%s\" is not empty",
						quote_qualified_identifier(r->remote->schema, r->remote->table), r->remote->server),
				 errdetail("It was not made by router for this child."),
				 errhint("Empty or drop it over there, or give another remote_schema.")));
}

/* Makes the table that the copy will be, empty. */
void
router_make_copy(Relocation *r)
{
	Oid			schema = get_rel_namespace(r->child);
	char	   *name = router_private_name(psprintf("router_copy_%u", r->child), schema);
	StringInfoData buf;

	router_check_parts(r->child);
	r->copy_name = MemoryContextStrdup(r->job.cxt, quote_qualified_identifier(get_namespace_name(schema), name));
	if (r->location->server)
	{
		router_run("%s", router_remote_foreign_table(r->remote, r->copy_name));
		check_empty(r);
	}
	else
	{
		Oid			like = get_rel_relkind(r->child) == RELKIND_FOREIGN_TABLE ? r->job.base : r->child;
		Oid			tablespace = get_rel_tablespace(like);
		Relation	rel = table_open(like, AccessShareLock);
		Oid			am = rel->rd_rel->relam;

		initStringInfo(&buf);
		appendStringInfo(&buf, "CREATE %sTABLE %s (LIKE %s INCLUDING ALL EXCLUDING INDEXES EXCLUDING STATISTICS EXCLUDING IDENTITY)",
						 rel->rd_rel->relpersistence == RELPERSISTENCE_UNLOGGED ? "UNLOGGED " : "", r->copy_name, r->child_name);
		table_close(rel, NoLock);
		appendStringInfo(&buf, " USING %s", quote_identifier(r->location->access_method ? r->location->access_method : get_am_name(am)));
		/* its indexes go to the same tablespace; an empty default_tablespace means that of the database */
		(void) set_config_option("default_tablespace", r->location->tablespace ? r->location->tablespace :
								 OidIsValid(tablespace) ? get_tablespace_name(tablespace) : "",
								 PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
		router_run("%s", buf.data);
		if (OidIsValid(get_relation_constraint_oid(r->child, ROUTER_SEAL_NAME, true)))
			router_run("ALTER TABLE %s DROP CONSTRAINT %s", r->copy_name, ROUTER_SEAL_NAME);
	}
	r->copy = get_relname_relid(name, schema);
	router_step_mark(r->copy, r->child);
	router_take_grants_away(r->copy);
	r->columns = router_ask("SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute"
							" WHERE attrelid = %u AND attnum > 0 AND NOT attisdropped AND attgenerated = ''", r->child);
	r->row = router_ask("SELECT format('ROW(%%s)::text', string_agg(quote_ident(attname), ', ' ORDER BY attnum)) FROM pg_attribute"
						" WHERE attrelid = %u AND attnum > 0 AND NOT attisdropped", r->child);
	r->row = MemoryContextStrdup(r->job.cxt, r->row);
}

/* Rows on their way into a copy on this server. */
typedef struct Writer
{
	EState	   *estate;
	RouterBatch batch;
	RouterDest *dest;
	Relation	base;
	Relation	copy;
} Writer;

/* source: layout of the rows that will come. */
static void
begin_writing(Writer *w, Relocation *r, TupleDesc source)
{
	memset(w, 0, sizeof(*w));
	w->base = table_open(r->job.base, AccessShareLock);
	w->copy = table_open(r->copy, RowExclusiveLock);
	w->estate = router_make_estate(w->base, NULL);
	w->batch.estate = w->estate;
	w->batch.freeze = true;
	w->dest = router_dest_open(w->estate, w->copy, source, NULL, false);
	if (!r->from_server)		/* nobody enforces constraints of a foreign table here */
	{
		Relation	child = table_open(r->child, NoLock);

		router_dest_take(w->dest, w->estate, child, false, false);
		table_close(child, NoLock);
	}
	PushActiveSnapshot(GetLatestSnapshot());
	AfterTriggerBeginQuery();
}

static void
write_row(Writer *w, TupleTableSlot *slot)
{
	CHECK_FOR_INTERRUPTS();
	ResetPerTupleExprContext(w->estate);
	(void) router_batch_add(&w->batch, w->dest, slot);
}

static void
end_writing(Writer *w)
{
	router_batch_flush(&w->batch);
	AfterTriggerEndQuery(w->estate);
	ExecCloseResultRelations(w->estate);
	PopActiveSnapshot();
	router_dest_close(w->dest);
	router_free_estate(w->estate);
	table_close(w->copy, NoLock);
	table_close(w->base, NoLock);
	CommandCounterIncrement();
}

/* Table to table, on this server. */
static void
copy_here(Relocation *r)
{
	Relation	rel = table_open(r->child, NoLock);
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	TableScanDesc scan = table_beginscan(rel, r->snapshot, 0, NULL);
	Writer		w;

	begin_writing(&w, r, RelationGetDescr(rel));
	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
		write_row(&w, slot);
	end_writing(&w);
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	table_close(rel, NoLock);
}

/* From the server: through a cursor, so that the rows need no room here. */
static void
copy_back(Relocation *r)
{
	Portal		cursor = SPI_cursor_open_with_args(NULL, psprintf("SELECT * FROM ONLY %s", r->child_name), 0, NULL, NULL, NULL,
												   true, CURSOR_OPT_NO_SCROLL);
	TupleTableSlot *slot = NULL;
	Writer		w;

	SPI_cursor_fetch(cursor, true, 1000);
	begin_writing(&w, r, SPI_tuptable->tupdesc);
	while (SPI_processed > 0)
	{
		SPITupleTable *rows = SPI_tuptable;
		uint64		n = SPI_processed;

		if (slot == NULL)
			slot = MakeSingleTupleTableSlot(CreateTupleDescCopy(rows->tupdesc), &TTSOpsHeapTuple);
		for (uint64 i = 0; i < n; i++)
		{
			ExecStoreHeapTuple(rows->vals[i], slot, false);
			write_row(&w, slot);
		}
		ExecClearTuple(slot);
		SPI_freetuptable(rows);
		SPI_cursor_fetch(cursor, true, 1000);
	}
	end_writing(&w);
	if (slot)
		ExecDropSingleTupleTableSlot(slot);
	SPI_cursor_close(cursor);
}

/* Runs a query with the snapshot by which the child is read, or the latest one if that is foreign. */
static void
run_on_child(Relocation *r, const char *query, bool read_only, int expected)
{
	SPIPlanPtr	plan = SPI_prepare(query, 0, NULL);

	if (plan == NULL ||
		SPI_execute_snapshot(plan, NULL, NULL, r->snapshot, InvalidSnapshot, read_only, true, 0) != expected)
		elog(ERROR, "could not run: %s", query);
	SPI_freeplan(plan);
}

static void
copy_there(Relocation *r)
{
	run_on_child(r, psprintf("INSERT INTO %s (%s) SELECT %s FROM ONLY %s", r->copy_name, r->columns, r->columns, r->child_name),
				 false, SPI_OK_INSERT);
}

/* Gives a copy on this server its indexes: the child's, or if that is foreign the base's. */
static void
index_copy(Relocation *r)
{
	Oid			schema = get_rel_namespace(r->copy);
	int			n = 0;
	ListCell   *lc;

	if (r->location->server)
		return;
	foreach(lc, router_index_texts(r->from_server ? r->job.base : r->child))
	{
		RouterIndexText *index = lfirst(lc);
		char	   *name = r->from_server ?
			router_object_name(get_rel_name(r->job.base), get_rel_name(r->child), index->name) : index->name;
		char	   *copy_name = router_private_name(psprintf("router_copy_%u_%d", r->child, ++n), schema);
		MemoryContext old;

		router_run("%s", router_add_index(r->copy_name, index, copy_name));
		old = MemoryContextSwitchTo(r->job.cxt);
		r->index_names = lappend(r->index_names, pstrdup(name));
		r->copy_index_names = lappend(r->copy_index_names, pstrdup(copy_name));
		MemoryContextSwitchTo(old);
	}
}

/* Copies what the child has, by r->snapshot, into the empty copy. */
void
router_fill_copy(Relocation *r)
{
	int			guc_level = NewGUCNestLevel();

	if (r->from_server)
		copy_back(r);
	else if (r->location->server)
		copy_there(r);
	else
		copy_here(r);
	/* nothing that the owner's code has set is left for what follows; so below */
	AtEOXact_GUC(false, guc_level);
	index_copy(r);
}

/* -------------------------------------------------------------------- changes */

void
router_init_changes(Changes *changes)
{
	changes->come = tuplestore_begin_heap(false, false, work_mem);
	changes->gone = tuplestore_begin_heap(false, false, work_mem);
	changes->ncome = changes->ngone = 0;
}

void
router_clear_changes(Changes *changes)
{
	tuplestore_clear(changes->come);
	tuplestore_clear(changes->gone);
	changes->ncome = changes->ngone = 0;
}

void
router_end_changes(Changes *changes)
{
	tuplestore_end(changes->come);
	tuplestore_end(changes->gone);
}

/* Finds what a later snapshot sees of the child and the copy does not have, and the other way round. */
void
router_find_changes(Relocation *r, Snapshot later, Changes *changes)
{
	Relation	rel = table_open(r->child, NoLock);
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	TableScanDesc scan = table_beginscan(rel, SnapshotAny, 0, NULL);

	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		bool		had = table_tuple_satisfies_snapshot(rel, slot, r->snapshot);
		bool		has = table_tuple_satisfies_snapshot(rel, slot, later);

		CHECK_FOR_INTERRUPTS();
		if (had && !has)
		{
			tuplestore_puttupleslot(changes->gone, slot);
			changes->ngone++;
		}
		else if (has && !had)
		{
			tuplestore_puttupleslot(changes->come, slot);
			changes->ncome++;
		}
	}
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	table_close(rel, NoLock);
}

static void
unlike(Relocation *r, const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_EXCEPTION),
			 errmsg("the copy of child \"%s\" is not like it", get_rel_name(r->child)),
			 errdetail("%s", detail),
			 errhint("The child is as it was. Look for triggers, rules or other writers on the table over there, and types that are written in another way.")));
}

/* Takes the rows that are gone out of the copy; those that came go to a copy on another server one by one. */
static void
change_by_row(Relocation *r, Relation rel, Changes *changes)
{
	TupleTableSlot *slot = MakeSingleTupleTableSlot(RelationGetDescr(rel), &TTSOpsMinimalTuple);
	RouterTwin *twin = router_twin_open(rel, r->copy);

	if (twin == NULL)
		elog(ERROR, "copy of \"%s\" has other columns", RelationGetRelationName(rel));
	while (tuplestore_gettupleslot(changes->gone, true, false, slot))
	{
		CHECK_FOR_INTERRUPTS();
		if (!router_twin_remove(twin, slot))
			unlike(r, "A row that was changed meanwhile is not there.");
	}
	while (r->location->server && tuplestore_gettupleslot(changes->come, true, false, slot))
	{
		CHECK_FOR_INTERRUPTS();
		router_twin_insert(twin, slot);
	}
	router_twin_close(twin);
	ExecDropSingleTupleTableSlot(slot);
}

static void
insert_come_here(Relocation *r, Relation rel, Changes *changes)
{
	TupleTableSlot *slot = MakeSingleTupleTableSlot(RelationGetDescr(rel), &TTSOpsMinimalTuple);
	Writer		w;

	begin_writing(&w, r, RelationGetDescr(rel));
	while (tuplestore_gettupleslot(changes->come, true, false, slot))
		write_row(&w, slot);
	end_writing(&w);
	ExecDropSingleTupleTableSlot(slot);
}

/* Brings the copy from one state of the child to the next. */
void
router_apply_changes(Relocation *r, Changes *changes)
{
	Relation	rel = table_open(r->child, NoLock);
	int			guc_level = NewGUCNestLevel();

	if (changes->ngone > 0 || r->location->server)
		change_by_row(r, rel, changes);
	if (changes->ncome > 0 && !r->location->server)
		insert_come_here(r, rel, changes);
	AtEOXact_GUC(false, guc_level);
	table_close(rel, NoLock);
	r->rows += changes->ncome - changes->ngone;
}

/* What was written to the child while it was copied is written to the copy, until little is left. Nobody waits. */
void
router_catch_up(Relocation *r, Changes *changes)
{
	for (int round = 0; round < MAX_ROUNDS; round++)
	{
		Snapshot	later = RegisterSnapshot(GetLatestSnapshot());
		int64		n;

		router_find_changes(r, later, changes);
		n = changes->ncome + changes->ngone;
		router_apply_changes(r, changes);
		router_clear_changes(changes);
		UnregisterSnapshot(r->snapshot);
		r->snapshot = later;
		if (n < FEW_CHANGES)
			break;
	}
}

/* ---------------------------------------------------------------- verification */

/* Number and checksum of the rows of the child or the copy, in whatever order they come. */
static char *
sum_up(Relocation *r, const char *table, bool child)
{
	char	   *query = psprintf("SELECT format('%%s rows, checksum %%s', count(*), sum(hashtextextended(%s, 0))), count(*)"
								 " FROM ONLY %s", r->row, table);

	if (child || r->in_step)
		run_on_child(r, query, r->snapshot != NULL, SPI_OK_SELECT);
	else if (SPI_execute(query, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not run: %s", query);
	if (child)
		r->rows = strtou64(SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2), NULL, 10);
	return SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
}

/* A copy on a server is read back, as queries will read it; one in step is read by the snapshot of the child. */
void
router_verify_copy(Relocation *r)
{
	int			guc_level = NewGUCNestLevel();
	char	   *expected = sum_up(r, r->child_name, true);
	char	   *found = sum_up(r, r->copy_name, false);

	AtEOXact_GUC(false, guc_level);
	if (strcmp(expected, found) != 0)
		unlike(r, psprintf("The child has %s, the copy %s.", expected, found));
}

static uint64
count_rows(const char *table)
{
	if (SPI_execute(psprintf("SELECT count(*) FROM ONLY %s", table), false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not count the rows of %s", table);
	return strtou64(SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1), NULL, 10);
}

/* As far as numbers tell; the child is locked. */
void
router_verify_count(Relocation *r)
{
	uint64		found = count_rows(r->copy_name);

	r->rows = count_rows(r->child_name);
	if (found != r->rows)
		unlike(r, psprintf("The child has " UINT64_FORMAT " rows, the copy " UINT64_FORMAT ".", r->rows, found));
}

/* ----------------------------------------------------------------- old snapshots */

/* The last transaction that wrote to the child, or InvalidTransactionId if that was long ago. */
TransactionId
router_newest_write(Relocation *r)
{
	Relation	rel = table_open(r->child, NoLock);
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	TableScanDesc scan = table_beginscan(rel, SnapshotAny, 0, NULL);
	TransactionId newest = InvalidTransactionId;

	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		HeapTupleHeader tuple;
		TransactionId xids[2] = {InvalidTransactionId, InvalidTransactionId};

		CHECK_FOR_INTERRUPTS();
		if (!TTS_IS_BUFFERTUPLE(slot))
		{
			newest = ReadNextTransactionId();	/* of another access method: who knows */
			break;
		}
		tuple = ExecFetchSlotHeapTuple(slot, false, NULL)->t_data;
		xids[0] = HeapTupleHeaderGetXmin(tuple);
		if ((tuple->t_infomask & HEAP_XMAX_INVALID) == 0 && !HEAP_XMAX_IS_LOCKED_ONLY(tuple->t_infomask))
			xids[1] = HeapTupleHeaderGetUpdateXid(tuple);
		for (int i = 0; i < lengthof(xids); i++)
			if (TransactionIdIsNormal(xids[i]) &&
				(newest == InvalidTransactionId || TransactionIdFollows(xids[i], newest)))
				newest = xids[i];
	}
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	table_close(rel, NoLock);
	return newest;
}
