/*
 * batch.c
 *		The one engine that puts rows into children: batches that are inserted with
 *		table_multi_insert.
 *
 * Modelled on CopyMultiInsertBuffer in src/backend/commands/copyfrom.c. A row
 * is copied into a slot of its destination, checked there and then (so that an
 * error comes with the row's own context), and inserted when its destination
 * or the whole batch is full.
 *
 * Locking: the caller opened the relations RowExclusive.
 * Memory: slots and destinations live in es_query_cxt of the EState; a batch
 * holds at most MAX_ROWS rows and about MAX_BYTES. Rows are handled in es_query_cxt,
 * as core does: what it builds at the first row and keeps in a ResultRelInfo
 * (maps, functions of triggers) goes where it is called, which for a trigger is a
 * context that ends with the row.
 */
#include "compat.h"
#include "rows/batch.h"

#include "commands/copyfrom_internal.h"
#include "executor/nodeModifyTable.h"
#include "foreign/fdwapi.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"

#include "rows/mask.h"
#include "rows/keep_in_step.h"
#include "rows/dest_part.h"

#define MAX_DEST_ROWS 1000
#define MAX_DEST_BYTES (64 * 1024)
#define MAX_ROWS 16384
#define MAX_BYTES (8 * 1024 * 1024)

static TupleTableSlot *
next_slot(RouterBatch *batch, RouterDestPart *dest)
{
	MemoryContext old;

	if (dest->nused < dest->nslots)
		return dest->slots[dest->nused];

	old = MemoryContextSwitchTo(batch->estate->es_query_cxt);
	if (dest->slot_desc == NULL)
		dest->slot_desc = CreateTupleDescCopy(RelationGetDescr(dest->pub.rel));
	if ((dest->nslots & (dest->nslots - 1)) == 0)	/* 0 and powers of two */
	{
		int			room = Max(8, dest->nslots * 2);

		dest->slots = dest->slots ? repalloc(dest->slots, room * sizeof(TupleTableSlot *)) :
			palloc(room * sizeof(TupleTableSlot *));
		dest->lines = dest->lines ? repalloc(dest->lines, room * sizeof(uint64)) :
			palloc(room * sizeof(uint64));
	}
	dest->slots[dest->nslots++] = MakeSingleTupleTableSlot(dest->slot_desc, table_slot_callbacks(dest->pub.rel));
	MemoryContextSwitchTo(old);
	return dest->slots[dest->nused];
}

static Size
row_size(TupleTableSlot *slot)
{
	bool		should_free;
	HeapTuple	tup;

	if (!TTS_IS_BUFFERTUPLE(slot) && !TTS_IS_HEAPTUPLE(slot))
		return 128;				/* another table access method: a guess */
	tup = ExecFetchSlotHeapTuple(slot, false, &should_free);
	return tup->t_len + HEAPTUPLESIZE;
}

/* Enters a row that is in its table into the indexes, and queues its AFTER ROW triggers. */
static void
finish_row(RouterBatch *batch, RouterDestPart *dest, TupleTableSlot *slot)
{
	ResultRelInfo *rri = dest->pub.rri;
	List	   *recheck = NIL;

	if (rri->ri_NumIndices > 0)
		recheck = router_insert_index_tuples(rri, slot, batch->estate);
	if (dest->bulk)
		router_bulk_add(dest->bulk, slot);
	if (batch->capture || (rri->ri_TrigDesc && rri->ri_TrigDesc->trig_insert_after_row))
		ExecARInsertTriggers(batch->estate, rri, slot, recheck, batch->capture);
	list_free(recheck);
}

static bool
is_full(RouterDestPart *dest)
{
	return dest->nused >= MAX_DEST_ROWS || dest->nbytes >= MAX_DEST_BYTES;
}

/* Was the table created or truncated in this subtransaction, so that nobody else can see what is in it? */
static bool
is_new(Relation rel)
{
	SubTransactionId here = GetCurrentSubTransactionId();

	return rel->rd_createSubid == here || router_new_file_subid(rel) == here;
}

/* The first full load tells that a destination gets many rows. Each one takes half of the memory that is left. */
static void
keep_entries_back(RouterBatch *batch, RouterDestPart *dest)
{
	if (dest->bulk || batch->bulk_kb == 0 || dest->pub.rri->ri_NumIndices == 0 || !is_full(dest))
		return;
	dest->bulk = router_bulk_begin(dest->pub.rri, batch->estate, batch->bulk_kb / 2);
	if (dest->bulk)
		batch->bulk_kb -= batch->bulk_kb / 2;
}

/* Enters the rows of a destination into the indexes for which that was put off. */
void
router_dest_enter(RouterDest *pub)
{
	RouterDestPart *dest = (RouterDestPart *) pub;

	if (dest->bulk)
		router_bulk_finish(dest->bulk);
	dest->bulk = NULL;
}

static void
flush_dest(RouterBatch *batch, RouterDestPart *dest)
{
	CopyFromState copy = batch->copy;
	bool		line_valid = copy ? copy->line_buf_valid : false;
	uint64		line = copy ? copy->cur_lineno : 0;
	int			nused = dest->nused;
	int			options = batch->freeze && is_new(dest->pub.rel) ? TABLE_INSERT_FROZEN : 0;
	CommandId	cid = batch->cid == InvalidCommandId ? GetCurrentCommandId(true) : batch->cid;
	MemoryContext old;

	if (copy)
		copy->line_buf_valid = false;	/* the line in hand is not the one at fault */

	/* table_multi_insert may leak */
	old = MemoryContextSwitchTo(GetPerTupleMemoryContext(batch->estate));
	table_multi_insert(dest->pub.rel, dest->slots, nused, cid, options, NULL);
	MemoryContextSwitchTo(old);

	router_globalkey_collect(dest->pub.keys, copy);
	keep_entries_back(batch, dest);
	for (int i = 0; i < nused; i++)
	{
		if (copy)
			copy->cur_lineno = dest->lines[i];
		finish_row(batch, dest, dest->slots[i]);
		if (batch->inserted)
			batch->inserted(batch, &dest->pub, dest->slots[i]);
		ExecClearTuple(dest->slots[i]);
	}
	dest->nused = 0;
	batch->nrows -= nused;
	batch->nbytes -= dest->nbytes;
	dest->nbytes = 0;
	if (copy)
	{
		copy->line_buf_valid = line_valid;
		copy->cur_lineno = line;
	}
}

/* Does no row wait? */
bool
router_batch_is_empty(const RouterBatch *batch)
{
	return batch->nrows == 0;
}

/* Inserts all rows that wait. */
void
router_batch_flush(RouterBatch *batch)
{
	MemoryContext old = MemoryContextSwitchTo(batch->estate->es_query_cxt);
	RouterDestPart *dest;
	RouterGlobalKeyState *keys = NULL;

	while ((dest = batch->pending) != NULL)
	{
		keys = dest->pub.keys;
		batch->pending = dest->next_pending;
		dest->next_pending = NULL;
		dest->is_pending = false;
		if (dest->nused > 0)
			flush_dest(batch, dest);
	}
	router_globalkey_flush(keys);
	ResetPerTupleExprContext(batch->estate);
	MemoryContextSwitchTo(old);
}

static void
insert_foreign(RouterBatch *batch, RouterDestPart *dest, TupleTableSlot *slot)
{
	slot = dest->pub.rri->ri_FdwRoutine->ExecForeignInsert(batch->estate, dest->pub.rri, slot, slot);
	if (slot == NULL)
		return;
	slot->tts_tableOid = RelationGetRelid(dest->pub.rel);
	ExecARInsertTriggers(batch->estate, dest->pub.rri, slot, NIL, batch->capture);
	if (batch->inserted)
		batch->inserted(batch, &dest->pub, slot);
}

/* Checks a row against what the statement and the destination ask. */
static void
check_row(RouterBatch *batch, RouterDestPart *dest, TupleTableSlot *slot)
{
	slot->tts_tableOid = RelationGetRelid(dest->pub.rel);
	if (batch->check)
		batch->check(batch, &dest->pub, slot);
	if (dest->pub.rri->ri_FdwRoutine == NULL && dest->pub.rri->ri_WithCheckOptions != NIL)
		ExecWithCheckOptions(WCO_RLS_INSERT_CHECK, dest->pub.rri, slot, batch->estate);
	if (RelationGetDescr(dest->pub.rel)->constr)
		ExecConstraints(dest->pub.rri, slot, batch->estate);
}

/*
 * Does a slot hold a tuple that ends before its last columns, which were added
 * later? Only the descriptor of its own table knows their values.
 */
static bool
is_short(TupleTableSlot *slot)
{
	int			natts = slot->tts_tupleDescriptor->natts;

	if (TTS_IS_MINIMALTUPLE(slot))
	{
		MinimalTuple tuple = ((MinimalTupleTableSlot *) slot)->mintuple;

		return tuple && HeapTupleHeaderGetNatts(tuple) < natts;
	}
	if (TTS_IS_BUFFERTUPLE(slot) || TTS_IS_HEAPTUPLE(slot))
	{
		HeapTuple	tuple = ((HeapTupleTableSlot *) slot)->tuple;

		return tuple && HeapTupleHeaderGetNatts(tuple->t_data) < natts;
	}
	return false;
}

/* Takes over the tuple that a slot owns, without a copy; false if it owns none. */
static bool
take_tuple(TupleTableSlot *to, TupleTableSlot *from)
{
	BufferHeapTupleTableSlot *source = (BufferHeapTupleTableSlot *) from;
	BufferHeapTupleTableSlot *target = (BufferHeapTupleTableSlot *) to;

	if (!TTS_IS_BUFFERTUPLE(from) || !TTS_IS_BUFFERTUPLE(to) || !TTS_SHOULDFREE(from) || is_short(from))
		return false;
	ExecClearTuple(to);
	target->base.tuple = source->base.tuple;
	target->base.off = 0;
	target->buffer = InvalidBuffer;
	to->tts_nvalid = 0;
	to->tts_flags = (to->tts_flags & ~TTS_FLAG_EMPTY) | TTS_FLAG_SHOULDFREE;
	source->base.tuple = NULL;
	from->tts_nvalid = 0;
	from->tts_flags = (from->tts_flags & ~TTS_FLAG_SHOULDFREE) | TTS_FLAG_EMPTY;
	return true;
}

static void
copy_values(TupleTableSlot *to, TupleTableSlot *from)
{
	int			natts = to->tts_tupleDescriptor->natts;

	slot_getallattrs(from);
	ExecClearTuple(to);
	memcpy(to->tts_values, from->tts_values, natts * sizeof(Datum));
	memcpy(to->tts_isnull, from->tts_isnull, natts * sizeof(bool));
	ExecStoreVirtualTuple(to);
	ExecMaterializeSlot(to);
}

/*
 * Copies a row of the same layout. ExecCopySlot would let the slot point into the buffer of the
 * other, to be copied all the same when it is inserted: a pin for each row that waits.
 */
static void
copy_row(TupleTableSlot *to, TupleTableSlot *from)
{
	BufferHeapTupleTableSlot *target = (BufferHeapTupleTableSlot *) to;
	MemoryContext old;

	if (is_short(from))
	{
		copy_values(to, from);
		return;
	}
	if (!TTS_IS_BUFFERTUPLE(from) || !TTS_IS_BUFFERTUPLE(to))
	{
		ExecCopySlot(to, from);
		return;
	}
	ExecClearTuple(to);
	old = MemoryContextSwitchTo(to->tts_mcxt);
	target->base.tuple = ExecCopySlotHeapTuple(from);
	MemoryContextSwitchTo(old);
	target->base.off = 0;
	to->tts_nvalid = 0;
	to->tts_flags = (to->tts_flags & ~TTS_FLAG_EMPTY) | TTS_FLAG_SHOULDFREE;
}

/*
 * Copies a row into a slot of its destination, which fires its BEFORE ROW
 * triggers and computes its generated columns there. False: a trigger wants no
 * insert.
 */
static bool
prepare_row(RouterBatch *batch, RouterDestPart *dest, TupleTableSlot *slot, TupleTableSlot *copy)
{
	ResultRelInfo *rri = dest->pub.rri;
	TupleConstr *constr = RelationGetDescr(dest->pub.rel)->constr;
	bool		has_generated = constr && constr->has_generated_stored && !dest->keeps_generated;
	bool		has_triggers = rri->ri_TrigDesc && rri->ri_TrigDesc->trig_insert_before_row;

	/* the usual case: checked where its values lie ready */
	if (!dest->pub.map && !has_generated && !has_triggers)
	{
		check_row(batch, dest, slot);
		if (!batch->may_take || !take_tuple(copy, slot))
			copy_row(copy, slot);
		copy->tts_tableOid = RelationGetRelid(dest->pub.rel);
		return true;
	}

	if (dest->pub.map)
	{
		execute_attr_map_slot(dest->pub.map->attrMap, slot, copy);
		ExecMaterializeSlot(copy);
	}
	else
		copy_row(copy, slot);
	copy->tts_tableOid = RelationGetRelid(dest->pub.rel);
	if (has_triggers)
	{
		if (!ExecBRInsertTriggers(batch->estate, rri, copy))
			return false;
		copy->tts_tableOid = RelationGetRelid(dest->pub.rel);
	}
	if (has_generated)
		ExecComputeStoredGenerated(rri, batch->estate, copy, CMD_INSERT);
	check_row(batch, dest, copy);
	ExecMaterializeSlot(copy);
	return true;
}

/*
 * Tells of the stored row that will be added next, in its newest version. Only
 * one that this transaction has written may have checks that are still to come.
 *
 * Errors: feature_not_supported (a foreign key refers to the very table that it leaves).
 */
void
router_batch_source(RouterBatch *batch, RouterDest *pub, TupleTableSlot *stored)
{
	RouterDestPart *dest = (RouterDestPart *) pub;
	bool		isnull;
	bool		recheck;

	if (OidIsValid(dest->referenced))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot move rows out of \"%s\", to which a foreign key refers directly",
						get_rel_name(dest->referenced)),
				 errhint("Let the foreign key refer to a table that rows do not leave.")));
	if (likely(!dest->pending))
		return;
	recheck = !TTS_IS_BUFFERTUPLE(stored) ||
		TransactionIdIsCurrentTransactionId(DatumGetTransactionId(
			slot_getsysattr(stored, MinTransactionIdAttributeNumber, &isnull)));
	if (recheck == dest->recheck)
		return;
	router_batch_flush(batch);
	dest->recheck = recheck;
	router_mask_for_moved(dest->pub.rri->ri_TrigDesc, recheck);
}

static bool
add_row(RouterBatch *batch, RouterDestPart *dest, TupleTableSlot *slot)
{
	bool		foreign = dest->pub.rri->ri_FdwRoutine != NULL;
	TupleTableSlot *copy;
	Size		size;

	/* triggers of the destination shall see the rows before */
	if (dest->pub.rri->ri_TrigDesc && dest->pub.rri->ri_TrigDesc->trig_insert_before_row)
		router_batch_flush(batch);
	copy = foreign ? dest->pub.rri->ri_newTupleSlot : next_slot(batch, dest);
	if (!prepare_row(batch, dest, slot, copy))
		return false;
	if (foreign)
	{
		insert_foreign(batch, dest, copy);
		return true;
	}
	if (batch->copy)
		dest->lines[dest->nused] = batch->copy->cur_lineno;
	size = row_size(copy);
	dest->nused++;
	dest->nbytes += size;
	batch->nrows++;
	batch->nbytes += size;
	if (!dest->is_pending)
	{
		dest->is_pending = true;
		dest->next_pending = batch->pending;
		batch->pending = dest;
	}
	if (is_full(dest))
	{
		flush_dest(batch, dest);
		router_globalkey_flush(dest->pub.keys);
	}
	if (batch->nrows >= MAX_ROWS || batch->nbytes >= MAX_BYTES)
		router_batch_flush(batch);
	return true;
}

/*
 * Takes a row, in the base's layout, to its destination: prepares it there,
 * keeps it, and flushes when enough are there. The slot may be reused when
 * this returns. False: a trigger wants no insert.
 */
bool
router_batch_add(RouterBatch *batch, RouterDest *dest, TupleTableSlot *slot)
{
	MemoryContext old = MemoryContextSwitchTo(batch->estate->es_query_cxt);
	bool		added = add_row(batch, (RouterDestPart *) dest, slot);

	MemoryContextSwitchTo(old);
	return added;
}

/* As core: a row that the statement's snapshot cannot see is no reason to do nothing, except one of our own. */
static void
check_conflict_visible(RouterDestPart *dest, ItemPointer tid, Snapshot snapshot)
{
	TupleTableSlot *slot;
	bool		isnull;

	if (!IsolationUsesXactSnapshot())
		return;
	slot = table_slot_create(dest->pub.rel, NULL);
	if (!table_tuple_fetch_row_version(dest->pub.rel, tid, SnapshotAny, slot))
		elog(ERROR, "failed to fetch conflicting tuple for ON CONFLICT");
	if (!table_tuple_satisfies_snapshot(dest->pub.rel, slot, snapshot) &&
		!TransactionIdIsCurrentTransactionId(DatumGetTransactionId(
			slot_getsysattr(slot, MinTransactionIdAttributeNumber, &isnull))))
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("could not serialize access due to concurrent update")));
	ExecDropSingleTupleTableSlot(slot);
}

static bool
insert_speculatively(RouterBatch *batch, RouterDestPart *dest, TupleTableSlot *slot, List *arbiters, Snapshot snapshot)
{
	ResultRelInfo *rri = dest->pub.rri;
	TupleTableSlot *row = rri->ri_newTupleSlot;

	if (!prepare_row(batch, dest, slot, row))
		return false;
	for (;;)
	{
		ItemPointerData tid;
		bool		conflict = false;
		List	   *recheck;
		uint32		token;

		CHECK_FOR_INTERRUPTS();
		if (!router_has_no_conflict(rri, row, batch->estate, &tid, arbiters))
		{
			check_conflict_visible(dest, &tid, snapshot);
			return false;
		}
		token = SpeculativeInsertionLockAcquire(GetCurrentTransactionId());
		table_tuple_insert_speculative(dest->pub.rel, row, batch->cid, 0, NULL, token);
		recheck = router_insert_speculative_index_tuples(rri, row, batch->estate, &conflict, arbiters);
		table_tuple_complete_speculative(dest->pub.rel, row, token, !conflict);
		SpeculativeInsertionLockRelease(GetCurrentTransactionId());
		if (!conflict)
		{
			ExecARInsertTriggers(batch->estate, rri, row, recheck, batch->capture);
			if (batch->inserted)
				batch->inserted(batch, &dest->pub, row);
			return true;
		}
		list_free(recheck);
	}
}

/*
 * Inserts a row, in the base's layout, unless it conflicts with one there is
 * by one of the arbiter indexes (NIL: by any), as ExecInsert in
 * nodeModifyTable.c does. False: it does, or a trigger wants no insert.
 */
bool
router_insert_unless_conflict(RouterBatch *batch, RouterDest *dest, TupleTableSlot *slot, List *arbiters,
							  Snapshot snapshot)
{
	MemoryContext old = MemoryContextSwitchTo(batch->estate->es_query_cxt);
	bool		inserted = insert_speculatively(batch, (RouterDestPart *) dest, slot, arbiters, snapshot);

	MemoryContextSwitchTo(old);
	return inserted;
}

/* Deletes a row that is ours to move: no trigger, no referential action, marked as moved. */
void
router_delete_row(Relation rel, ItemPointer tid, CommandId cid)
{
	TM_FailureData failure;
	TM_Result	result = table_tuple_delete(rel, tid, cid, GetActiveSnapshot(), InvalidSnapshot, true, &failure, true);

	if (result == TM_Ok)
	{
		router_step_deleted(rel, tid);
		return;
	}
	if (result == TM_SelfModified)
		ereport(ERROR,
				(errcode(ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION),
				 errmsg("row of \"%s\" was changed by a trigger before it was moved to its child",
						RelationGetRelationName(rel)),
				 errhint("Change the row in a BEFORE trigger instead.")));
	ereport(ERROR,
			(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
			 errmsg("could not serialize access due to concurrent update")));
}
