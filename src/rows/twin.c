/*
 * twin.c
 *		A table and its copy, opened to change rows of the copy as those of the table
 *		were changed. See keep_in_step.c.
 *
 * Events may come in another order than the changes were made in: another AFTER
 * trigger may have changed the row again. So a row is brought to what the table has
 * now, by its key, and not by what the event says. An UPDATE is one of the copy, too:
 * who waits for the row follows it to its new version. Without a key rows are told by all
 * columns, and the copy is to have as many of a kind as the table. Unique indexes check
 * nothing, since the copy may have the row that is gone from the table for a moment longer.
 *
 * Everything is done as the table's owner, SPI is connected. No
 * constraint is checked and nothing generated anew, since the table has done so.
 *
 * Locking: RowExclusiveLock on the copy to the end of the transaction.
 * Memory: that of the caller; a twin is to be closed.
 */
#include "compat.h"
#include "rows/twin.h"

#include "access/genam.h"
#include "access/relation.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/snapmgr.h"

#include "rows/estate.h"
#include "rows/row_hash.h"
#include "rows/row_key.h"
#include "rows/unique.h"
#include "base/sql.h"

struct RouterTwin
{
	Relation	rel;
	Relation	copy;
	bool		foreign;		/* the copy is */
	AttrMap    *map;			/* of each column of the copy: that of the table, or 0 */
	EState	   *estate;
	ResultRelInfo *rri;			/* of the copy; indexes are open */
	Relation	row_index;		/* of the copy, that finds rows which have no key: rows/row_hash.c; NULL: none */
	IndexInfo  *row_info;
	RouterRowKey key;			/* of the table; none if there is such an index */
	RouterRowKey copy_key;
	TupleTableSlot *old;		/* in the copy's layout */
	TupleTableSlot *new;
	TupleTableSlot *found;		/* of the copy */
	TupleTableSlot *seen;		/* of the table */
	SPIPlanPtr	insert;			/* into a foreign copy */
	SPIPlanPtr	delete;
};

/* Of each column of the copy that of the table; NULL: the columns are not the same any more. */
static AttrMap *
map_columns(TupleDesc table, TupleDesc copy)
{
	AttrMap    *map = make_attrmap(copy->natts);
	int			n = 0;

	for (int i = 0; i < table->natts; i++)
		n += !TupleDescAttr(table, i)->attisdropped;
	for (int i = 0; i < copy->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(copy, i);
		int			attnum = att->attisdropped ? 0 : SPI_fnumber(table, NameStr(att->attname));

		if (att->attisdropped)
			continue;
		if (attnum <= 0 || TupleDescAttr(table, attnum - 1)->atttypid != att->atttypid ||
			TupleDescAttr(table, attnum - 1)->atttypmod != att->atttypmod)
			return NULL;
		map->attnums[i] = attnum;
		n--;
	}
	return n == 0 ? map : NULL;
}

/* The commands that change a foreign copy. SPI is connected. */
static void
prepare_commands(RouterTwin *twin)
{
	TupleDesc	desc = RelationGetDescr(twin->copy);
	char	   *name = router_qualified_name(RelationGetRelid(twin->copy));
	Oid		   *types = palloc(desc->natts * sizeof(Oid));
	StringInfoData columns,
				values,
				condition;

	initStringInfo(&columns);
	initStringInfo(&values);
	initStringInfo(&condition);
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		types[i] = att->attisdropped ? INT4OID : att->atttypid;
		if (att->attisdropped || att->attgenerated != '\0')
			continue;
		appendStringInfo(&columns, "%s%s", columns.len > 0 ? ", " : "", quote_identifier(NameStr(att->attname)));
		appendStringInfo(&values, "%s$%d", values.len > 0 ? ", " : "", i + 1);
	}
	twin->insert = SPI_prepare(psprintf("INSERT INTO %s (%s) VALUES (%s)", name, columns.data, values.data), desc->natts,
							   types);
	if (twin->key.index == NULL)
	{
		twin->delete = SPI_prepare(psprintf("DELETE FROM ONLY %s AS c WHERE c OPERATOR(pg_catalog.*=) $1", name), 1,
								   &twin->copy->rd_rel->reltype);
		return;
	}
	for (int i = 0; i < twin->key.n; i++)
	{
		const char *column = NameStr(TupleDescAttr(RelationGetDescr(twin->rel), twin->key.attnums[i] - 1)->attname);

		twin->copy_key.attnums[i] = SPI_fnumber(desc, column);
		appendStringInfo(&condition, "%s%s = $%d", i > 0 ? " AND " : "", quote_identifier(column),
						 twin->copy_key.attnums[i]);
	}
	twin->delete = SPI_prepare(psprintf("DELETE FROM ONLY %s WHERE %s", name, condition.data), desc->natts, types);
}

/* Opens a table's copy. NULL: it has other columns than the table. The caller is its owner; SPI is connected. */
RouterTwin *
router_twin_open(Relation rel, Oid copy)
{
	RouterTwin *twin = palloc0(sizeof(RouterTwin));

	twin->rel = rel;
	twin->copy = try_relation_open(copy, RowExclusiveLock);
	if (twin->copy == NULL)
		return NULL;			/* gone, just now */
	twin->map = map_columns(RelationGetDescr(rel), RelationGetDescr(twin->copy));
	if (twin->map == NULL)
	{
		relation_close(twin->copy, NoLock);
		return NULL;
	}
	twin->foreign = twin->copy->rd_rel->relkind == RELKIND_FOREIGN_TABLE;
	twin->estate = router_make_estate(twin->copy);
	twin->rri = makeNode(ResultRelInfo);
	InitResultRelInfo(twin->rri, twin->copy, 0, NULL, 0);
	if (!twin->foreign)
		ExecOpenIndices(twin->rri, false);
	for (int i = 0; i < twin->rri->ri_NumIndices; i++)
		if (router_is_row_index(twin->rri->ri_IndexRelationDescs[i]))
		{
			twin->row_index = twin->rri->ri_IndexRelationDescs[i];
			twin->row_info = twin->rri->ri_IndexRelationInfo[i];
		}
	if (twin->row_index)
		;						/* by that alone */
	else if (rel->rd_rel->relkind == RELKIND_RELATION)
	{
		router_row_key_open(rel, &twin->key, NULL, NULL);
		if (twin->key.index && !twin->foreign)
			router_row_key_open(twin->copy, &twin->copy_key, &twin->key, rel);
		if (twin->key.index && !twin->foreign && twin->copy_key.index == NULL)
		{
			index_close(twin->key.index, NoLock);
			memset(&twin->key, 0, sizeof(RouterRowKey));
		}
	}
	else
		router_row_key_open(twin->copy, &twin->copy_key, NULL, NULL);
	twin->old = table_slot_create(twin->copy, &twin->estate->es_tupleTable);
	twin->new = table_slot_create(twin->copy, &twin->estate->es_tupleTable);
	twin->found = table_slot_create(twin->copy, &twin->estate->es_tupleTable);
	twin->seen = table_slot_create(rel, &twin->estate->es_tupleTable);
	if (twin->foreign)
		prepare_commands(twin);
	return twin;
}

void
router_twin_close(RouterTwin *twin)
{
	if (twin->key.index)
		index_close(twin->key.index, NoLock);
	if (twin->copy_key.index)
		index_close(twin->copy_key.index, NoLock);
	if (!twin->foreign)
		ExecCloseIndices(twin->rri);
	router_free_estate(twin->estate);
	relation_close(twin->copy, NoLock);
}

/* ------------------------------------------------------------ rows without a key */

/* The rows of a copy that may be like one, for a scan of its index or of all. */
typedef struct Likes
{
	IndexScanDesc by_index;
	TableScanDesc by_table;
} Likes;

static Likes
begin_likes(RouterTwin *twin, TupleTableSlot *row, Snapshot snapshot)
{
	Likes		likes = {NULL, NULL};
	Datum		hash[INDEX_MAX_KEYS];
	bool		isnull[INDEX_MAX_KEYS];
	ScanKeyData key;

	if (twin->row_index == NULL)
	{
		likes.by_table = table_beginscan(twin->copy, snapshot, 0, NULL);
		return likes;
	}
	ResetPerTupleExprContext(twin->estate);
	GetPerTupleExprContext(twin->estate)->ecxt_scantuple = row;
	FormIndexDatum(twin->row_info, row, twin->estate, hash, isnull);
	ScanKeyInit(&key, 1, BTEqualStrategyNumber, F_INT8EQ, Int64GetDatum(DatumGetInt64(hash[0])));
	likes.by_index = router_index_beginscan(twin->copy, twin->row_index, snapshot, 1);
	index_rescan(likes.by_index, &key, 1, NULL, 0);
	return likes;
}

/* The next row that is like this one; those that came last first, since they are most likely our own. */
static bool
next_like(RouterTwin *twin, Likes *likes, TupleTableSlot *row)
{
	TupleDesc	desc = RelationGetDescr(twin->copy);

	for (;;)
	{
		MemoryContext old;
		bool		like;

		CHECK_FOR_INTERRUPTS();
		if (likes->by_index ? !index_getnext_slot(likes->by_index, BackwardScanDirection, twin->found) :
			!table_scan_getnextslot(likes->by_table, ForwardScanDirection, twin->found))
			return false;
		ResetPerTupleExprContext(twin->estate);
		old = MemoryContextSwitchTo(GetPerTupleMemoryContext(twin->estate));
		like = router_same_values(desc, twin->found, row, NULL, desc->natts);
		MemoryContextSwitchTo(old);
		if (like)
			return true;
	}
}

static void
end_likes(RouterTwin *twin, Likes *likes)
{
	if (likes->by_index)
		index_endscan(likes->by_index);
	else
		table_endscan(likes->by_table);
	ExecClearTuple(twin->found);
}

static TM_Result
lock_row(RouterTwin *twin, ItemPointer tid, LockWaitPolicy wait)
{
	TupleTableSlot *locked = MakeSingleTupleTableSlot(RelationGetDescr(twin->copy), table_slot_callbacks(twin->copy));
	TM_FailureData failure;
	TM_Result	result = table_tuple_lock(twin->copy, tid, GetActiveSnapshot(), locked, GetCurrentCommandId(true),
										  LockTupleExclusive, wait, 0, &failure);

	ExecDropSingleTupleTableSlot(locked);
	return result;
}

/*
 * A look from row to row may miss one that another transaction puts where we have been, and takes from where we come:
 * is there none at one instant? Old versions are looked at as well, which SERIALIZABLE does not mind.
 */
static bool
is_there_any(RouterTwin *twin, TupleTableSlot *row)
{
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	Likes		likes = begin_likes(twin, row, SnapshotAny);
	bool		found = false;

	while (!found && next_like(twin, &likes, row))
		found = table_tuple_satisfies_snapshot(twin->copy, twin->found, snapshot);
	end_likes(twin, &likes);
	UnregisterSnapshot(snapshot);
	return found;
}

/*
 * Finds a row like this one in the copy, and locks it: others who look for one like it take another. Where all are in
 * the hands of others, who may give one back, they are waited for.
 */
static bool
find_by_image(RouterTwin *twin, TupleTableSlot *row, ItemPointer tid)
{
	for (;;)
	{
		Likes		likes = begin_likes(twin, row, SnapshotSelf);
		ItemPointerData held;
		bool		found = false;

		ItemPointerSetInvalid(&held);
		while (!found && next_like(twin, &likes, row))
		{
			TM_Result	result;

			*tid = twin->found->tts_tid;
			result = lock_row(twin, tid, LockWaitSkip);
			found = result == TM_Ok;
			if (result == TM_WouldBlock && !ItemPointerIsValid(&held))
				held = *tid;
		}
		end_likes(twin, &likes);
		if (!found && ItemPointerIsValid(&held))
		{
			*tid = held;
			found = lock_row(twin, tid, LockWaitBlock) == TM_Ok;
		}
		else if (!found && !is_there_any(twin, row))
			return false;
		if (found)
			return true;
	}
}

/* Finds a row of a copy on this server: *tid. */
static bool
find(RouterTwin *twin, TupleTableSlot *row, ItemPointer tid)
{
	bool		found;

	if (twin->copy_key.index == NULL)
		return find_by_image(twin, row, tid);
	found = router_row_key_find(twin->copy, &twin->copy_key, row, twin->copy_key.attnums, SnapshotSelf, twin->found);
	if (found)
		*tid = twin->found->tts_tid;
	ExecClearTuple(twin->found);
	return found;
}

/* moved: the row is still there, as another version; who waits for it has to be told. */
static void
delete_here(RouterTwin *twin, ItemPointer tid, bool moved)
{
	TM_FailureData failure;

	if (table_tuple_delete(twin->copy, tid, GetCurrentCommandId(true), GetActiveSnapshot(), InvalidSnapshot, true,
						   &failure, moved) != TM_Ok)
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("could not serialize access due to concurrent update")));
	CommandCounterIncrement();
}

static void
insert_here(RouterTwin *twin, TupleTableSlot *row)
{
	row->tts_tableOid = RelationGetRelid(twin->copy);
	table_tuple_insert(twin->copy, row, GetCurrentCommandId(true), 0, NULL);
	if (twin->rri->ri_NumIndices > 0)
		(void) router_insert_index_tuples_unchecked(twin->rri, row, twin->estate);
	CommandCounterIncrement();
}

static void
update_here(RouterTwin *twin, ItemPointer tid, TupleTableSlot *row)
{
	RouterUpdateIndexes indexes;

	row->tts_tableOid = RelationGetRelid(twin->copy);
	simple_table_tuple_update(twin->copy, tid, row, GetActiveSnapshot(), &indexes);
	if (twin->rri->ri_NumIndices > 0)
		(void) router_update_index_tuples_unchecked(twin->rri, row, twin->estate, indexes);
	CommandCounterIncrement();
}

static void
insert_there(RouterTwin *twin, TupleTableSlot *row)
{
	int			natts = row->tts_tupleDescriptor->natts;
	char	   *nulls = palloc(natts);

	slot_getallattrs(row);
	for (int i = 0; i < natts; i++)
		nulls[i] = row->tts_isnull[i] ? 'n' : ' ';
	if (SPI_execute_plan(twin->insert, row->tts_values, nulls, false, 0) != SPI_OK_INSERT || SPI_processed != 1)
		ereport(ERROR,
				(errcode(ERRCODE_FDW_ERROR),
				 errmsg("a row was not inserted into foreign table \"%s\"", RelationGetRelationName(twin->copy))));
	pfree(nulls);
}

/* Without a key nothing tells rows that are alike from each other: all are gone but one, and come again. */
static bool
delete_there(RouterTwin *twin, TupleTableSlot *row)
{
	bool		by_key = twin->key.index != NULL;
	Datum		whole = by_key ? (Datum) 0 : ExecFetchSlotHeapTupleDatum(row);
	uint64		n;

	slot_getallattrs(row);
	if (SPI_execute_plan(twin->delete, by_key ? row->tts_values : &whole, NULL, false, 0) != SPI_OK_DELETE)
		elog(ERROR, "could not delete from \"%s\"", RelationGetRelationName(twin->copy));
	n = SPI_processed;
	for (uint64 i = 1; i < n && !by_key; i++)
		insert_there(twin, row);
	return by_key ? n == 1 : n > 0;
}

/* Takes the row that stands for one of the table out of the copy. False: it is not there. */
bool
router_twin_remove(RouterTwin *twin, TupleTableSlot *slot)
{
	TupleTableSlot *row = execute_attr_map_slot(twin->map, slot, twin->old);

	return twin->foreign ? delete_there(twin, row) : router_twin_change(twin, slot, NULL, false);
}

/* Puts a row of the table into the copy. */
void
router_twin_insert(RouterTwin *twin, TupleTableSlot *slot)
{
	ResetPerTupleExprContext(twin->estate);
	execute_attr_map_slot(twin->map, slot, twin->new);
	if (twin->foreign)
		insert_there(twin, twin->new);
	else
		insert_here(twin, twin->new);
}

/*
 * Makes a row of the copy that is like one of the table another one; NULL: takes it out. moved: the row that is
 * taken out lives on. False: there is none.
 */
bool
router_twin_change(RouterTwin *twin, TupleTableSlot *old, TupleTableSlot *new, bool moved)
{
	ItemPointerData tid;

	if (!find(twin, execute_attr_map_slot(twin->map, old, twin->old), &tid))
		return false;
	if (new)
		update_here(twin, &tid, execute_attr_map_slot(twin->map, new, twin->new));
	else
		delete_here(twin, &tid, moved);
	return true;
}

/* Does the copy have a row with the key of one of the table? */
bool
router_twin_has(RouterTwin *twin, TupleTableSlot *like)
{
	ItemPointerData tid;

	return find(twin, execute_attr_map_slot(twin->map, like, twin->old), &tid);
}

/* Makes it what the table has, or puts it there. */
void
router_twin_bring(RouterTwin *twin, TupleTableSlot *slot)
{
	TupleDesc	desc = RelationGetDescr(twin->copy);
	TupleTableSlot *row = execute_attr_map_slot(twin->map, slot, twin->new);
	ItemPointerData tid;

	ResetPerTupleExprContext(twin->estate);
	if (!find(twin, row, &tid))
		insert_here(twin, row);
	else if (!table_tuple_fetch_row_version(twin->copy, &tid, SnapshotSelf, twin->found) ||
			 !router_same_values(desc, twin->found, row, NULL, desc->natts))
		update_here(twin, &tid, row);
	ExecClearTuple(twin->found);
}

/* Is the row that was written last equal to another one in what is unique in the copy? */
bool
router_twin_is_double(RouterTwin *twin)
{
	return router_has_equal(twin->rri, twin->estate, twin->new, twin->found);
}

/* Rows of the copy that a snapshot sees, and that are equal in what is unique, are an error. */
void
router_twin_check_unique(RouterTwin *twin, Snapshot snapshot)
{
	router_check_unique(twin->rri, twin->estate, snapshot, RelationGetRelationName(twin->rel));
}

Oid
router_twin_copy(const RouterTwin *twin)
{
	return RelationGetRelid(twin->copy);
}

/* Does the table have a row now with this key? It is ours, or nobody's: who else changes it waits for ours. */
static bool
table_has_key(RouterTwin *twin, TupleTableSlot *slot)
{
	bool		found = twin->key.index &&
		router_row_key_find(twin->rel, &twin->key, slot, twin->key.attnums, SnapshotSelf, twin->seen);

	ExecClearTuple(twin->seen);
	return found;
}

/* Is this version of a row still the row? */
static bool
is_live(RouterTwin *twin, TupleTableSlot *slot)
{
	bool		live = twin->rel->rd_rel->relkind != RELKIND_RELATION ||
		table_tuple_fetch_row_version(twin->rel, &slot->tts_tid, SnapshotSelf, twin->seen);

	ExecClearTuple(twin->seen);
	return live;
}

/* Did a deleted row go to another table of the route? Who waits for it has to be told, and not that it is gone. */
bool
router_row_went_home(TupleTableSlot *old)
{
	return TTS_IS_BUFFERTUPLE(old) &&
		HeapTupleHeaderIndicatesMovedPartitions(ExecFetchSlotHeapTuple(old, false, NULL)->t_data);
}

/* moved: a row that is deleted lives on. */
static void
follow_here(RouterTwin *twin, TupleTableSlot *was, TupleTableSlot *is, bool same_key, bool moved)
{
	ItemPointerData from;
	ItemPointerData to;
	bool		has_from = was && find(twin, was, &from);
	bool		has_to = is && !same_key && twin->copy_key.n > 0 && find(twin, is, &to);

	if (has_from && has_to && ItemPointerEquals(&from, &to))
		has_from = false;
	if (has_from && (has_to || is == NULL))
		delete_here(twin, &from, moved || is != NULL);
	if (is && (has_from || has_to))
		update_here(twin, has_to ? &to : &from, is);
	else if (is)
		insert_here(twin, is);
}

static void
follow_there(RouterTwin *twin, TupleTableSlot *was, TupleTableSlot *is, bool same_key)
{
	if (was)
		(void) delete_there(twin, was);
	if (is && !same_key && twin->key.n > 0)
		(void) delete_there(twin, is);
	if (is)
		insert_there(twin, is);
}

/* How many rows of a table or its copy are like each of two, NULL: none, by a snapshot? */
static void
count_like(RouterTwin *twin, Relation rel, Snapshot snapshot, TupleTableSlot *rows[2], int64 counts[2])
{
	TupleDesc	desc = RelationGetDescr(twin->copy);
	TupleTableSlot *slot = rel == twin->rel ? twin->seen : twin->found;
	TupleTableSlot *row = rel == twin->rel ? MakeSingleTupleTableSlot(desc, &TTSOpsVirtual) : slot;
	TableScanDesc scan = table_beginscan(rel, SnapshotAny, 0, NULL);	/* which SERIALIZABLE does not mind */

	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		CHECK_FOR_INTERRUPTS();
		if (!table_tuple_satisfies_snapshot(rel, slot, snapshot))
			continue;
		if (row != slot)
			execute_attr_map_slot(twin->map, slot, row);
		for (int i = 0; i < 2; i++)
			if (rows[i] && router_same_values(desc, row, rows[i], NULL, desc->natts))
				counts[i]++;
	}
	table_endscan(scan);
	ExecClearTuple(slot);
	if (row != slot)
		ExecDropSingleTupleTableSlot(row);
}

/*
 * Without a key: rows that are alike cannot be told apart, so what counts is how many the table has, by a snapshot
 * to which other transactions have happened in both or in neither.
 */
static void
follow_by_image(RouterTwin *twin, TupleTableSlot *was, TupleTableSlot *is, bool moved)
{
	TupleTableSlot *rows[2] = {was, is};
	int64		table[2] = {0, 0};
	int64		copy[2] = {0, 0};
	int			natts = RelationGetDescr(twin->copy)->natts;
	bool		alike = was && is && router_same_values(RelationGetDescr(twin->copy), was, is, NULL, natts);
	ItemPointerData tid;
	Snapshot	snapshot;
	bool		less;
	bool		more;

	CommandCounterIncrement();
	snapshot = RegisterSnapshot(GetLatestSnapshot());
	count_like(twin, twin->rel, snapshot, rows, table);
	count_like(twin, twin->copy, snapshot, rows, copy);
	UnregisterSnapshot(snapshot);
	/* a row that is written as it was is so in the copy, for those who wait for it */
	less = was && (copy[0] > table[0] || (alike && copy[0] == table[0])) && find(twin, was, &tid);
	more = is && (copy[1] < table[1] || (alike && less));
	if (less && more)
		update_here(twin, &tid, is);
	else if (less)
		delete_here(twin, &tid, moved || is != NULL);
	else if (more)
		insert_here(twin, is);
}

/* Brings the copy to what the table has now of a row that was changed: old and new are its versions, or NULL. */
void
router_twin_follow(RouterTwin *twin, TupleTableSlot *old, TupleTableSlot *new)
{
	const RouterRowKey *key = twin->copy_key.n > 0 ? &twin->copy_key : &twin->key;
	TupleTableSlot *was = old ? execute_attr_map_slot(twin->map, old, twin->old) : NULL;
	TupleTableSlot *is = NULL;
	bool		same_key;

	if (key->n == 0 && !twin->foreign && twin->rel->rd_rel->relkind == RELKIND_RELATION)
	{
		follow_by_image(twin, was, new ? execute_attr_map_slot(twin->map, new, twin->new) : NULL,
						was && router_row_went_home(old));
		return;
	}
	if (new != NULL && is_live(twin, new))
		is = execute_attr_map_slot(twin->map, new, twin->new);
	same_key = was && is &&
		(key->n == 0 || router_same_values(RelationGetDescr(twin->copy), was, is, twin->copy_key.attnums, key->n));
	/* another row may have got the key meanwhile, and come here before */
	if (was && !same_key && table_has_key(twin, old))
		was = NULL;
	if (twin->foreign)
		follow_there(twin, was, is, same_key);
	else
		follow_here(twin, was, is, same_key, was && router_row_went_home(old));
}
