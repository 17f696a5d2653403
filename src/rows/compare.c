/*
 * compare.c
 *		Number and checksum of rows: the same for the same rows, in whatever order
 *		they lie, and wherever. Both add up, where the rows of one table went to several.
 *
 * SPI is connected, settings are pinned, the tables are locked. Memory: SPI's.
 */
#include "compat.h"
#include "rows/compare.h"

#include "executor/spi.h"

#include "base/sql.h"

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
