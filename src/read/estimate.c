/*
 * estimate.c
 *		How large the planner takes a child for that was never vacuumed or analyzed.
 *
 * Core takes such a table for ten full pages at least, lest a plan that is kept
 * suit a table that is just empty. A thousand small children would be a table of
 * ten thousand pages. So the children of one query share the ten pages: a single
 * one keeps them, and is read by its index while it fills; of many each has its
 * own size. Its last page, which may be all that there is, is looked at for the
 * number of its rows.
 */
#include "compat.h"
#include "read/estimate.h"

#include <math.h>

#include "access/heapam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/pg_class.h"
#include "storage/bufmgr.h"
#include "storage/bufpage.h"

/* as in table_block_relation_estimate_size */
#define NEW_TABLE_PAGES 10

/* The row pointers on a page. */
static int
rows_on(Relation rel, BlockNumber block)
{
	Buffer		buffer = ReadBuffer(rel, block);
	int			rows;

	LockBuffer(buffer, BUFFER_LOCK_SHARE);
	rows = PageIsNew(BufferGetPage(buffer)) ? 0 : PageGetMaxOffsetNumber(BufferGetPage(buffer));
	UnlockReleaseBuffer(buffer);
	return rows;
}

/* Is this as core estimates tables of its own kind? */
static bool
is_new_heap(Relation rel)
{
	return rel->rd_rel->relkind == RELKIND_RELATION && rel->rd_rel->reltuples < 0 &&
		rel->rd_tableam->relation_estimate_size == GetHeapamTableAmRoutine()->relation_estimate_size;
}

/* Corrects what core has found out of a child; siblings: the children in the plan, itself included. */
void
router_estimate_child(RelOptInfo *rel, Oid relid, int siblings)
{
	Relation	child;
	BlockNumber pages;

	if (rel->pages != NEW_TABLE_PAGES)
		return;
	child = table_open(relid, NoLock);
	pages = RelationGetNumberOfBlocks(child);
	if (is_new_heap(child) && pages < NEW_TABLE_PAGES)
	{
		BlockNumber least = NEW_TABLE_PAGES / Max(siblings, 1);
		double		density = rel->tuples / NEW_TABLE_PAGES;
		double		tuples = pages > 0 ? rint(density * (pages - 1)) + rows_on(child, pages - 1) : 0;
		ListCell   *lc;

		rel->pages = Max(pages, least);
		rel->tuples = Max(tuples, rint(density * least));
		foreach(lc, rel->indexlist)
		{
			IndexOptInfo *index = lfirst_node(IndexOptInfo, lc);

			index->tuples = index->indpred == NIL ? rel->tuples : Min(index->tuples, rel->tuples);
		}
	}
	table_close(child, NoLock);
}
