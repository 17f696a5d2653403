/*
 * compare.c
 *		Number and checksum of rows: the same for the same rows, in whatever order
 *		they lie, and wherever. Both add up, where the rows of one table went to several.
 *
 * SPI is connected, settings are pinned, the tables are locked. Memory: SPI's.
 */
#include "compat.h"
#include "rows/compare.h"

#include "access/table.h"
#include "access/tableam.h"
#include "executor/executor.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "base/sql.h"
#include "rows/row_hash.h"

/* An expression for a row of a table as text, all columns, by which it is compared. */
char *
router_row_text(Oid relid)
{
	return router_ask("SELECT format('ROW(%%s)::text', string_agg(quote_ident(attname), ', ' ORDER BY attnum)) FROM pg_attribute"
					  " WHERE attrelid = %u AND attnum > 0 AND NOT attisdropped", relid);
}

/* table: its name; row: router_row_text. snapshot NULL: the latest, by which tables on servers are read anyway. */
char *
router_sum_up(const char *table, const char *row, Snapshot snapshot, uint64 *rows)
{
	router_execute_at(psprintf("SELECT format('%%s rows, checksum %%s', count(*), sum(hashtextextended(%s, 0))), count(*)"
							   " FROM ONLY %s", row, table), snapshot, SPI_OK_SELECT);
	*rows = strtou64(SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2), NULL, 10);
	return SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
}

uint64
router_count_rows(const char *table)
{
	return strtou64(router_ask("SELECT count(*) FROM ONLY %s", table), NULL, 10);
}

static uint64
hash_row(TupleTableSlot *slot, const AttrNumber *attnums, int n)
{
	uint64		hash = 0;

	for (int i = 0; i < n; i++)
	{
		bool		isnull;
		Datum		value = slot_getattr(slot, attnums[i], &isnull);

		hash = router_hash_value(hash, TupleDescAttr(slot->tts_tupleDescriptor, attnums[i] - 1), value, isnull);
	}
	return hash;
}

/*
 * The same without SQL, for tables on this server: adds the rows up that a snapshot sees, with columns in the order in
 * which another table has them.
 */
void
router_sum_rows(Oid relid, Relation order, Snapshot snapshot, uint64 *rows, uint64 *sum)
{
	Relation	rel = table_open(relid, AccessShareLock);
	MemoryContext per_row = AllocSetContextCreate(CurrentMemoryContext, "router row", ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = CurrentMemoryContext;
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	AttrNumber *attnums = palloc(RelationGetDescr(order)->natts * sizeof(AttrNumber));
	TableScanDesc scan = table_beginscan(rel, snapshot, 0, NULL);
	int			n = 0;

	for (int i = 0; i < RelationGetDescr(order)->natts; i++)
		if (!TupleDescAttr(RelationGetDescr(order), i)->attisdropped)
			attnums[n++] = get_attnum(relid, NameStr(TupleDescAttr(RelationGetDescr(order), i)->attname));
	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		CHECK_FOR_INTERRUPTS();
		MemoryContextReset(per_row);
		MemoryContextSwitchTo(per_row);
		*sum += hash_row(slot, attnums, n);
		MemoryContextSwitchTo(caller);
		++*rows;
	}
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	MemoryContextDelete(per_row);
	table_close(rel, NoLock);
}
