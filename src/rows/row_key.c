/*
 * row_key.c
 *		What tells one row of a table from the others: a unique index of columns
 *		that are NOT NULL, the primary key first.
 *
 * Locking: AccessShareLock on the index, to the end of the transaction.
 */
#include "compat.h"
#include "rows/row_key.h"

#include "access/genam.h"
#include "catalog/pg_am.h"
#include "utils/lsyscache.h"

/* Do the columns of an index tell each row from all others? */
static bool
is_key(Relation rel, Relation index)
{
	Form_pg_index form = index->rd_index;

	if (!form->indisunique || !form->indimmediate || !form->indisvalid || index->rd_rel->relam != BTREE_AM_OID ||
		!heap_attisnull(index->rd_indextuple, Anum_pg_index_indpred, NULL) ||
		!heap_attisnull(index->rd_indextuple, Anum_pg_index_indexprs, NULL))
		return false;
	for (int i = 0; i < form->indnkeyatts; i++)
		if (!TupleDescAttr(RelationGetDescr(rel), form->indkey.values[i] - 1)->attnotnull ||
			!router_not_null_is_valid(RelationGetDescr(rel), form->indkey.values[i] - 1))
			return false;
	return true;
}

/* Does an index have the columns of a key of another table? */
static bool
same_columns(Relation rel, Relation index, const RouterRowKey *key, Relation other)
{
	Form_pg_index form = index->rd_index;

	if (form->indnkeyatts != key->n)
		return false;
	for (int i = 0; i < key->n; i++)
		if (strcmp(NameStr(TupleDescAttr(RelationGetDescr(rel), form->indkey.values[i] - 1)->attname),
				   NameStr(TupleDescAttr(RelationGetDescr(other), key->attnums[i] - 1)->attname)) != 0)
			return false;
	return true;
}

static void
take_key(RouterRowKey *key, Relation index)
{
	key->index = index;
	key->n = index->rd_index->indnkeyatts;
	for (int i = 0; i < key->n; i++)
	{
		Oid			type = index->rd_opcintype[i];
		Oid			equals = get_opfamily_member(index->rd_opfamily[i], type, type, BTEqualStrategyNumber);

		key->attnums[i] = index->rd_index->indkey.values[i];
		ScanKeyEntryInitialize(&key->sought[i], 0, i + 1, BTEqualStrategyNumber, InvalidOid, index->rd_indcollation[i],
							   get_opcode(equals), (Datum) 0);
	}
}

/* Opens the index that is the key of a table; like: only one with these columns of another one. */
void
router_row_key_open(Relation rel, RouterRowKey *key, const RouterRowKey *like, Relation other)
{
	List	   *indexes = RelationGetIndexList(rel);
	Oid			primary = router_primary_key_index(rel);
	ListCell   *lc;

	if (OidIsValid(primary))
		indexes = lcons_oid(primary, indexes);
	foreach(lc, indexes)
	{
		Relation	index = index_open(lfirst_oid(lc), AccessShareLock);

		if (is_key(rel, index) && (like == NULL || same_columns(rel, index, like, other)))
		{
			take_key(key, index);
			return;
		}
		index_close(index, NoLock);
	}
}

/* Finds the row with the key that a slot has in these columns. */
bool
router_row_key_find(Relation rel, RouterRowKey *key, TupleTableSlot *slot, const AttrNumber *attnums,
					Snapshot snapshot, TupleTableSlot *found)
{
	IndexScanDesc scan;
	bool		isnull;
	bool		there;

	for (int i = 0; i < key->n; i++)
	{
		key->sought[i].sk_argument = slot_getattr(slot, attnums[i], &isnull);
		if (isnull)
			return false;
	}
	scan = router_index_beginscan(rel, key->index, snapshot, key->n);
	index_rescan(scan, key->sought, key->n, NULL, 0);
	there = index_getnext_slot(scan, ForwardScanDirection, found);
	index_endscan(scan);
	return there;
}
