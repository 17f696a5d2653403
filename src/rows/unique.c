/*
 * unique.c
 *		Rows that are equal in what a unique index says is unique, though nobody has checked
 *		it: copies of rows come in another order than these did.
 *
 * Rights: the caller has become the owner of the table, who has defined what the index evaluates.
 * Locking: RowExclusiveLock on table and index are there.
 */
#include "compat.h"
#include "rows/unique.h"

#include "access/genam.h"
#include "access/tableam.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

/* The entry of a row; false: it has none, or none that could be equal to another. */
static bool
form_entry(Relation index, IndexInfo *info, EState *estate, TupleTableSlot *row, Datum *values, bool *isnull)
{
	ResetPerTupleExprContext(estate);
	GetPerTupleExprContext(estate)->ecxt_scantuple = row;
	if (info->ii_Predicate && info->ii_PredicateState == NULL)
		info->ii_PredicateState = ExecPrepareQual(info->ii_Predicate, estate);
	if (info->ii_PredicateState && !ExecQual(info->ii_PredicateState, GetPerTupleExprContext(estate)))
		return false;
	FormIndexDatum(info, row, estate, values, isnull);
	for (int i = 0; i < info->ii_NumIndexKeyAttrs; i++)
		if (isnull[i] && !index->rd_index->indnullsnotdistinct)
			return false;
	return true;
}

static FmgrInfo *
equality(Relation index, int column, FmgrInfo *equals)
{
	Oid			type = index->rd_opcintype[column];

	fmgr_info(get_opcode(get_opfamily_member(index->rd_opfamily[column], type, type, BTEqualStrategyNumber)), equals);
	return equals;
}

static bool
has_equal(Relation rel, Relation index, IndexInfo *info, EState *estate, TupleTableSlot *row, TupleTableSlot *found)
{
	Datum		values[INDEX_MAX_KEYS];
	bool		isnull[INDEX_MAX_KEYS];
	ScanKeyData keys[INDEX_MAX_KEYS];
	int			n = info->ii_NumIndexKeyAttrs;
	SnapshotData dirty;
	IndexScanDesc scan;
	bool		another = false;

	if (!form_entry(index, info, estate, row, values, isnull))
		return false;
	for (int i = 0; i < n; i++)
	{
		FmgrInfo	equals;

		if (isnull[i])
			ScanKeyEntryInitialize(&keys[i], SK_ISNULL | SK_SEARCHNULL, i + 1, InvalidStrategy, InvalidOid, InvalidOid,
								   InvalidOid, (Datum) 0);
		else
			ScanKeyEntryInitializeWithInfo(&keys[i], 0, i + 1, BTEqualStrategyNumber, InvalidOid,
										   index->rd_indcollation[i], equality(index, i, &equals), values[i]);
	}
	InitDirtySnapshot(dirty);
	scan = router_index_beginscan(rel, index, &dirty, n);
	index_rescan(scan, keys, n, NULL, 0);
	while (!another && index_getnext_slot(scan, ForwardScanDirection, found))
		another = !ItemPointerEquals(&found->tts_tid, &row->tts_tid);
	index_endscan(scan);
	ExecClearTuple(found);
	return another;
}

/*
 * Has a row that is in a table, with its entries, an equal one there, or will it when others commit? found: a slot for
 * rows of the table.
 */
bool
router_has_equal(ResultRelInfo *rri, EState *estate, TupleTableSlot *row, TupleTableSlot *found)
{
	for (int i = 0; i < rri->ri_NumIndices; i++)
		if (rri->ri_IndexRelationInfo[i]->ii_Unique &&
			has_equal(rri->ri_RelationDesc, rri->ri_IndexRelationDescs[i], rri->ri_IndexRelationInfo[i], estate, row,
					  found))
			return true;
	return false;
}

/*
 * Is there a row that a snapshot sees, and that is equal to another one for a unique index? *values are those of its
 * columns.
 */
static bool
find_equals(Relation rel, Relation index, IndexInfo *info, EState *estate, Snapshot snapshot, Datum *values,
			bool *isnull)
{
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	IndexScanDesc scan = router_index_beginscan(rel, index, snapshot, 0);
	TupleDesc	desc = RelationGetDescr(index);
	MemoryContext cxts[2] = {GenerationContextCreate(CurrentMemoryContext, "router last entry", ALLOCSET_SMALL_SIZES),
	GenerationContextCreate(CurrentMemoryContext, "router last entry", ALLOCSET_SMALL_SIZES)};
	Datum		last[INDEX_MAX_KEYS];
	bool		last_isnull[INDEX_MAX_KEYS];
	FmgrInfo	equals[INDEX_MAX_KEYS];
	int			n = info->ii_NumIndexKeyAttrs;
	uint64		rows = 0;
	bool		same = false;

	for (int i = 0; i < n; i++)
		(void) equality(index, i, &equals[i]);
	index_rescan(scan, NULL, 0, NULL, 0);
	while (!same && index_getnext_slot(scan, ForwardScanDirection, slot))
	{
		MemoryContext old;

		CHECK_FOR_INTERRUPTS();
		if (!form_entry(index, info, estate, slot, values, isnull))
			continue;
		same = rows++ > 0;
		for (int i = 0; i < n && same; i++)
			same = isnull[i] == last_isnull[i] &&
				(isnull[i] ||
				 DatumGetBool(FunctionCall2Coll(&equals[i], index->rd_indcollation[i], values[i], last[i])));
		MemoryContextReset(cxts[rows % 2]);
		old = MemoryContextSwitchTo(cxts[rows % 2]);
		for (int i = 0; i < n; i++)
		{
			Form_pg_attribute att = TupleDescAttr(desc, i);

			last_isnull[i] = isnull[i];
			if (!isnull[i])
				values[i] = last[i] = datumCopy(values[i], att->attbyval, att->attlen);
		}
		MemoryContextSwitchTo(old);
	}
	index_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	return same;
}

/* Two rows of a table that a snapshot sees, equal in what is unique, are an error. */
void
router_check_unique(ResultRelInfo *rri, EState *estate, Snapshot snapshot, const char *of)
{
	for (int i = 0; i < rri->ri_NumIndices; i++)
	{
		Relation	index = rri->ri_IndexRelationDescs[i];
		Datum		values[INDEX_MAX_KEYS];
		bool		isnull[INDEX_MAX_KEYS];
		char	   *key;

		if (!rri->ri_IndexRelationInfo[i]->ii_Unique ||
			!find_equals(rri->ri_RelationDesc, index, rri->ri_IndexRelationInfo[i], estate, snapshot, values, isnull))
			continue;
		key = BuildIndexValueDescription(index, values, isnull);
		ereport(ERROR,
				(errcode(ERRCODE_UNIQUE_VIOLATION),
				 errmsg("rows of several children of \"%s\" are equal in what would be unique", of),
				 key ? errdetail("Key %s is there more than once.", key) : 0,
				 errhint("Correct the rows and call it again, or CALL router.cancel_reshape(…). router.add_global_key keeps a column unique over all children.")));
	}
}
