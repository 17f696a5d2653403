/*
 * row_hash.c
 *		Rows by the hash of all their columns, for copies of tables in which nothing else
 *		tells one row from the others; what is equal is equal bit by bit.
 *
 * A copy can be given an index whose expression is router.row_hash of the row. It carries the mark of
 * router_step_mark, so that it is known, and passed over where indexes of a table and a child are compared.
 *
 * Memory: that of the caller.
 */
#include "compat.h"
#include "rows/row_hash.h"

#include "common/hashfn.h"
#include "fmgr.h"
#include "utils/datum.h"
#include "utils/typcache.h"

PG_FUNCTION_INFO_V1(router_row_hash);

/* One more column of a row, by what can be told from it, whatever way it is stored. */
uint64
router_hash_value(uint64 hash, Form_pg_attribute att, Datum value, bool isnull)
{
	uint32		image = isnull ? 0 : datum_image_hash(value, att->attbyval, att->attlen);

	return hash_bytes_uint32_extended(image, hash + isnull);
}

/* Are these columns of two rows the same, bit by bit? attnums NULL: the first n. */
bool
router_same_values(TupleDesc desc, TupleTableSlot *a, TupleTableSlot *b, const AttrNumber *attnums, int n)
{
	for (int i = 0; i < n; i++)
	{
		int			attnum = attnums ? attnums[i] : i + 1;
		Form_pg_attribute att = TupleDescAttr(desc, attnum - 1);
		bool		a_null,
					b_null;
		Datum		x = slot_getattr(a, attnum, &a_null);
		Datum		y = slot_getattr(b, attnum, &b_null);

		if (!att->attisdropped && (a_null != b_null || (!a_null && !datum_image_eq(x, y, att->attbyval, att->attlen))))
			return false;
	}
	return true;
}

/* router.row_hash(record) */
Datum
router_row_hash(PG_FUNCTION_ARGS)
{
	HeapTupleHeader row = PG_GETARG_HEAPTUPLEHEADER(0);
	TupleDesc	desc = lookup_rowtype_tupdesc(HeapTupleHeaderGetTypeId(row), HeapTupleHeaderGetTypMod(row));
	HeapTupleData tuple = {.t_len = HeapTupleHeaderGetDatumLength(row),.t_data = row};
	Datum	   *values = palloc(desc->natts * sizeof(Datum));
	bool	   *isnull = palloc(desc->natts * sizeof(bool));
	uint64		hash = 0;

	heap_deform_tuple(&tuple, desc, values, isnull);
	for (int i = 0; i < desc->natts; i++)
		if (!TupleDescAttr(desc, i)->attisdropped)
			hash = router_hash_value(hash, TupleDescAttr(desc, i), values[i], isnull[i]);
	ReleaseTupleDesc(desc);
	PG_RETURN_INT64((int64) hash);
}

/* Is an index one of these? */
bool
router_is_row_index(Relation index)
{
	return OidIsValid(index->rd_rel->relrewrite);
}
