/*
 * bulk.c
 *		Index entries of many rows: kept back, sorted, and entered in the order
 *		of each index, by the page where they come after all that it has.
 *
 * An index that is built is filled by the page, which costs a fraction of
 * entering its rows one by one, but keeps everybody away from the table: also
 * who reads its base, since a plan locks the indexes of all children. So here
 * an index that is in use all along is filled by the page: sorted entries that
 * are greater than all others go to its rightmost leaf until that is full, and
 * a new rightmost leaf follows, to which core then makes the downlink.
 * Whatever else there is to do, core does: entries that belong further to the
 * left, unique checks against them, the upper levels, deduplication, errors.
 *
 * append_page holds the write lock of the leaf while it compares and adds, as
 * any inserter does, so that others may insert meanwhile. Leaf and new leaf
 * are one generic WAL record, the new one marked as lacking its downlink: an
 * interruption there leaves an incomplete split, which core finishes.
 *
 * Rows must be in their table before. Until router_bulk_finish their entries
 * are missing, so that all of it belongs into one transaction, and nobody may
 * look for the rows by an index in between.
 *
 * Memory: a bulk lives in es_query_cxt of the EState; sorting keeps to the
 * memory that was allowed, beyond that it uses temporary files.
 */
#include "compat.h"
#include "rows/bulk.h"

#include "access/generic_xlog.h"
#include "access/nbtree.h"
#include "catalog/index.h"
#include "miscadmin.h"
#include "storage/predicate.h"

/* entries that go one by one before appending is tried again, doubled by each failure */
#define FIRST_PAUSE 64

struct RouterBulk
{
	ResultRelInfo *rri;
	EState	   *estate;
	int			nindexes;		/* of the table */
	int			ndirect;		/* of these, by row; they come first in rri */
	Tuplesortstate **sorts;		/* of the others */
};

/* The sorted entries of one index. */
typedef struct Run
{
	Relation	heap;
	Relation	index;
	IndexInfo  *info;
	Tuplesortstate *sort;
	IndexTuple	next;			/* NULL: the end */
	BTScanInsert order;			/* compares entries */
	bool		may_append;
	bool		may_have_duplicates;	/* which core would merge into posting lists */
	MemoryContext cxt;			/* reset for each page, or entry that goes by itself */
} Run;

/* May the entries be kept back? Who checks constraints by looking into the index at once may not. */
static bool
is_sortable(Relation index, const IndexInfo *info)
{
	return index->rd_rel->relam == BTREE_AM_OID && index->rd_index->indimmediate && info->ii_ExclusionOps == NULL &&
		info->ii_ReadyForInserts;
}

/*
 * Keeps back the entries of those indexes of a destination, opened, that can be
 * sorted; rri has the others until router_bulk_finish. NULL: there is none.
 */
RouterBulk *
router_bulk_begin(ResultRelInfo *rri, EState *estate, int memory_kb)
{
	MemoryContext old = MemoryContextSwitchTo(estate->es_query_cxt);
	RouterBulk *bulk = palloc0(sizeof(RouterBulk));
	int			n = rri->ri_NumIndices;
	Relation   *indexes = palloc(n * sizeof(Relation));
	IndexInfo **infos = palloc(n * sizeof(IndexInfo *));
	int			nsorted = 0;

	for (int pass = 0, at = 0; pass < 2; pass++)
	{
		for (int i = 0; i < n; i++)
			if (is_sortable(rri->ri_IndexRelationDescs[i], rri->ri_IndexRelationInfo[i]) == (pass == 1))
			{
				indexes[at] = rri->ri_IndexRelationDescs[i];
				infos[at++] = rri->ri_IndexRelationInfo[i];
			}
		if (pass == 0)
			bulk->ndirect = at;
	}
	nsorted = n - bulk->ndirect;
	if (nsorted > 0)
	{
		memcpy(rri->ri_IndexRelationDescs, indexes, n * sizeof(Relation));
		memcpy(rri->ri_IndexRelationInfo, infos, n * sizeof(IndexInfo *));
		bulk->rri = rri;
		bulk->estate = estate;
		bulk->nindexes = n;
		bulk->sorts = palloc(nsorted * sizeof(Tuplesortstate *));
		for (int i = 0; i < nsorted; i++)
			bulk->sorts[i] = tuplesort_begin_index_btree(rri->ri_RelationDesc, indexes[bulk->ndirect + i], false, false,
														 Max(64, memory_kb / nsorted), NULL, TUPLESORT_NONE);
		rri->ri_NumIndices = bulk->ndirect;
	}
	pfree(indexes);
	pfree(infos);
	MemoryContextSwitchTo(old);
	return nsorted > 0 ? bulk : NULL;
}

/* Keeps back the entries of a row that is in its table. */
void
router_bulk_add(RouterBulk *bulk, TupleTableSlot *slot)
{
	ExprContext *econtext = GetPerTupleExprContext(bulk->estate);

	econtext->ecxt_scantuple = slot;
	for (int i = bulk->ndirect; i < bulk->nindexes; i++)
	{
		IndexInfo  *info = bulk->rri->ri_IndexRelationInfo[i];
		Datum		values[INDEX_MAX_KEYS];
		bool		isnull[INDEX_MAX_KEYS];

		if (info->ii_Predicate != NIL)
		{
			if (info->ii_PredicateState == NULL)
				info->ii_PredicateState = ExecPrepareQual(info->ii_Predicate, bulk->estate);
			if (!ExecQual(info->ii_PredicateState, econtext))
				continue;
		}
		FormIndexDatum(info, slot, bulk->estate, values, isnull);
		tuplesort_putindextuplevalues(bulk->sorts[i - bulk->ndirect], bulk->rri->ri_IndexRelationDescs[i],
									  &slot->tts_tid, values, isnull);
	}
}

/* ------------------------------------------------------------ entering a run */

static void
advance(Run *run)
{
	run->next = tuplesort_getindextuple(run->sort, true);
}

/* Enters the next entry as core does. */
static void
insert_one(Run *run)
{
	MemoryContext old = MemoryContextSwitchTo(run->cxt);	/* support functions may leak */
	Datum		values[INDEX_MAX_KEYS];
	bool		isnull[INDEX_MAX_KEYS];

	index_deform_tuple(run->next, RelationGetDescr(run->index), values, isnull);
	(void) index_insert(run->index, values, isnull, &run->next->t_tid, run->heap,
						run->info->ii_Unique ? UNIQUE_CHECK_YES : UNIQUE_CHECK_NO, false, run->info);
	MemoryContextSwitchTo(old);
	MemoryContextReset(run->cxt);
	advance(run);
}

/* Have two entries equal keys, as the operator class sees it? */
static bool
is_equal(Run *run, IndexTuple a, IndexTuple b)
{
	TupleDesc	desc = RelationGetDescr(run->index);

	for (int i = 0; i < run->info->ii_NumIndexKeyAttrs; i++)
	{
		bool		a_null,
					b_null;
		Datum		x = index_getattr(a, i + 1, desc, &a_null);
		Datum		y = index_getattr(b, i + 1, desc, &b_null);

		if (a_null != b_null)
			return false;
		if (!a_null && DatumGetInt32(FunctionCall2Coll(&run->order->scankeys[i].sk_func,
													   run->index->rd_indcollation[i], x, y)) != 0)
			return false;
	}
	return true;
}

/*
 * The rightmost leaf, locked for writing, if that is where the next entry
 * belongs, and after all that it has: for a unique index also that no other
 * has its key. Else InvalidBuffer.
 */
static Buffer
lock_rightmost(Run *run, BTStack *stack)
{
	BTScanInsert key = _bt_mkscankey(run->index, run->next);
	Buffer		buf;
	Page		page;
	BTPageOpaque opaque;
	OffsetNumber last;

	if (run->info->ii_Unique)
		key->scantid = NULL;
	/* as in core: no block is remembered while a leaf is split whose parent is unknown, as one alone on its level is */
	RelationSetTargetBlock(run->index, InvalidBlockNumber);
	*stack = router_bt_search(run->index, run->heap, key, &buf);
	page = BufferGetPage(buf);
	opaque = BTPageGetOpaque(page);
	last = PageGetMaxOffsetNumber(page);
	if (P_RIGHTMOST(opaque) && P_ISLEAF(opaque) && !P_IGNORE(opaque) && !P_INCOMPLETE_SPLIT(opaque) &&
		(last < P_FIRSTDATAKEY(opaque) || _bt_compare(run->index, key, page, last) > 0))
		return buf;
	_bt_relbuf(run->index, buf);
	return InvalidBuffer;
}

static IndexTuple
last_item(Page page)
{
	return (IndexTuple) PageGetItem(page, PageGetItemId(page, PageGetMaxOffsetNumber(page)));
}

/*
 * Adds entries to a leaf, as many as an index that is built would have there.
 * Returns how many. *full: there are more, and the next one begins a new leaf.
 */
static int
fill_leaf(Run *run, Page page, bool *full)
{
	Size		reserve = BTGetTargetPageFreeSpace(run->index);
	int			nadded = 0;
	int			nequal = 0;

	*full = false;
	while (run->next && !*full)
	{
		Size		size = MAXALIGN(IndexTupleSize(run->next));
		bool		empty = PageGetMaxOffsetNumber(page) < P_HIKEY;

		if (size > router_bt_max_size(page))
			break;				/* core has an error for it */
		if (!empty && run->info->ii_Unique && is_equal(run, last_item(page), run->next))
			break;				/* so for this one, or it has NULLs */
		if (PageGetFreeSpace(page) < (empty ? size : size + reserve))
		{
			*full = true;
			break;
		}
		if (!empty && run->may_have_duplicates)
			nequal += _bt_keep_natts_fast(run->index, last_item(page), run->next) > run->info->ii_NumIndexKeyAttrs;
		if (PageAddItem(page, (Item) run->next, size, OffsetNumberNext(PageGetMaxOffsetNumber(page)), false, false) ==
			InvalidOffsetNumber)
			elog(ERROR, "could not add an entry to index \"%s\"", RelationGetRelationName(run->index));
		nadded++;
		advance(run);
	}
	/* of many duplicates core makes a fraction of the pages, given one by one */
	if (nequal > nadded / 4)
		run->may_append = *full = false;
	return nadded;
}

/*
 * Adds entries to the rightmost leaf, and a new one to its right if there are
 * more. False: the next entry does not go there, or there is no room.
 */
static bool
append_page(Run *run)
{
	MemoryContext old = MemoryContextSwitchTo(run->cxt);
	BTStack		stack;
	Buffer		left = lock_rightmost(run, &stack);
	Buffer		right = InvalidBuffer;
	GenericXLogState *record;
	Page		page;
	BTPageOpaque opaque;
	bool		full;
	int			nadded;

	if (!BufferIsValid(left))
	{
		MemoryContextSwitchTo(old);
		return false;
	}
	CheckForSerializableConflictIn(run->index, NULL, BufferGetBlockNumber(left));
	record = GenericXLogStart(run->index);
	/* whole: most of it is new anyway; and marks of dead entries, which no record has, would differ on a standby */
	page = GenericXLogRegisterBuffer(record, left, GENERIC_XLOG_FULL_IMAGE);
	opaque = BTPageGetOpaque(page);
	nadded = fill_leaf(run, page, &full);
	if (full && PageGetFreeSpace(page) >= MAXALIGN(IndexTupleSize(run->next)) + MAXALIGN(sizeof(ItemPointerData)))
	{
		IndexTuple	high = _bt_truncate(run->index, last_item(page), run->next, run->order);
		Page		new_page;
		BTPageOpaque new_opaque;

		if (PageAddItem(page, (Item) high, MAXALIGN(IndexTupleSize(high)), P_HIKEY, false, false) ==
			InvalidOffsetNumber)
			elog(ERROR, "could not add the high key to a leaf of index \"%s\"", RelationGetRelationName(run->index));
		/* from here on nothing may fail: VACUUM would stumble over a page that no other leads to */
		right = router_bt_new_page(run->index, run->heap);
		new_page = GenericXLogRegisterBuffer(record, right, GENERIC_XLOG_FULL_IMAGE);
		new_opaque = BTPageGetOpaque(new_page);
		new_opaque->btpo_prev = BufferGetBlockNumber(left);
		new_opaque->btpo_next = P_NONE;
		new_opaque->btpo_level = 0;
		new_opaque->btpo_flags = BTP_LEAF;
		new_opaque->btpo_cycleid = 0;	/* no entry that was there moves, which is all that VACUUM minds */
		opaque->btpo_next = BufferGetBlockNumber(right);
		opaque->btpo_flags &= ~(BTP_ROOT | BTP_SPLIT_END | BTP_HAS_GARBAGE);
		opaque->btpo_flags |= BTP_INCOMPLETE_SPLIT;
	}
	if (nadded == 0 && !BufferIsValid(right))
		GenericXLogAbort(record);
	else
		(void) GenericXLogFinish(record);
	if (BufferIsValid(right))
	{
		PredicateLockPageSplit(run->index, BufferGetBlockNumber(left), BufferGetBlockNumber(right));
		_bt_relbuf(run->index, right);
		router_bt_finish_split(run->index, run->heap, left, stack);
	}
	else
		_bt_relbuf(run->index, left);
	MemoryContextSwitchTo(old);
	MemoryContextReset(run->cxt);
	return nadded > 0 || BufferIsValid(right);
}

static void
enter_run(Run *run)
{
	bool		heapkeyspace,
				allequalimage;
	int64		pause = FIRST_PAUSE;
	int64		by_one = 0;

	_bt_metaversion(run->index, &heapkeyspace, &allequalimage);
	run->may_append = heapkeyspace;
	run->may_have_duplicates = allequalimage && !run->info->ii_Unique && BTGetDeduplicateItems(run->index);
	run->order = _bt_mkscankey(run->index, NULL);
	advance(run);
	while (run->next)
	{
		CHECK_FOR_INTERRUPTS();
		if (by_one > 0)
			by_one--;
		else if (run->may_append)
		{
			if (append_page(run))
			{
				pause = FIRST_PAUSE;
				continue;
			}
			by_one = pause;
			pause *= 2;
		}
		insert_one(run);
	}
}

/*
 * Enters what was kept back, and gives rri all its indexes again.
 *
 * Errors: unique_violation, and whatever entering a row into an index may raise.
 */
void
router_bulk_finish(RouterBulk *bulk)
{
	MemoryContext old = CurrentMemoryContext;
	MemoryContext work = AllocSetContextCreate(bulk->estate->es_query_cxt, "router bulk", ALLOCSET_DEFAULT_SIZES);
	MemoryContext page = AllocSetContextCreate(bulk->estate->es_query_cxt, "router bulk page", ALLOCSET_DEFAULT_SIZES);

	for (int i = bulk->ndirect; i < bulk->nindexes; i++)
	{
		Run			run = {0};

		run.heap = bulk->rri->ri_RelationDesc;
		run.index = bulk->rri->ri_IndexRelationDescs[i];
		run.info = bulk->rri->ri_IndexRelationInfo[i];
		run.sort = bulk->sorts[i - bulk->ndirect];
		run.cxt = page;
		MemoryContextSwitchTo(work);
		tuplesort_performsort(run.sort);
		enter_run(&run);
		tuplesort_end(run.sort);
		MemoryContextSwitchTo(old);
		MemoryContextReset(work);
	}
	MemoryContextDelete(page);
	MemoryContextDelete(work);
	bulk->rri->ri_NumIndices = bulk->nindexes;
	pfree(bulk->sorts);
	pfree(bulk);
}
