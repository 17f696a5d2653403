/*
 * defs_size.c
 *		Sole writer of router.size_def: snapshots of how large a base and its
 *		children are.
 *
 * A snapshot has a row for all tables together, and one for each table that is not
 * as in its last row: cold children have no new rows. It is taken once a day at
 * most. What is kept: a row a day for 90 days, then one in 30 days, for 2 years of
 * a table and 10 years of all together; of a base with more than 1,000 children
 * the last row of each table and those of all together. The last row always stays,
 * since the next is measured by it.
 *
 * Locking: RowExclusiveLock on size_def; who measures a base just now is not waited
 * for, by a lock on the base as an object of size_def's.
 */
#include "compat.h"
#include "route/defs.h"

#include "access/table.h"
#include "catalog/indexing.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "storage/lock.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

#include "base/pin.h"
#include "base/sql.h"
#include "route/catalog.h"

enum
{
	SIZE_BASE = 1,
	SIZE_RELATION,
	SIZE_AT,
	SIZE_ROWS,
	SIZE_BYTES,
	SIZE_INSERTED,
	SIZE_UPDATED,
	SIZE_DELETED,
	SIZE_WRITTEN,
	SIZE_NATTS = SIZE_WRITTEN,
};

/* days */
#define EACH_KEPT 90
#define MONTH 30
#define TABLE_KEPT 730
#define ALL_KEPT 3650

/* of a base with more children only the last row of each is kept */
#define MAX_CHILDREN 1000

/* The rows of a snapshot. Counters that went back began anew; those of all tables go on when children leave. */
static const char measure_query[] =
	"WITH last AS (SELECT DISTINCT ON (relation) * FROM router.size_def WHERE base = %u ORDER BY relation, at DESC),"
	" now AS (SELECT oid AS relation, router.estimated_rows(oid) AS rows,"
	" coalesce(CASE WHEN relkind <> 'f' THEN pg_total_relation_size(oid) END, 0) AS bytes,"
	" pg_stat_get_tuples_inserted(oid) AS inserted, pg_stat_get_tuples_updated(oid) AS updated, pg_stat_get_tuples_deleted(oid) AS deleted"
	" FROM pg_class WHERE oid = %u OR oid IN (SELECT child FROM router.child_def WHERE base = %u)),"
	" step AS (SELECT n.*, l.relation IS NULL AS is_new, (l.rows, l.bytes) IS NOT DISTINCT FROM (n.rows, n.bytes) AS same_size, l.written,"
	" n.inserted - CASE WHEN l.inserted <= n.inserted THEN l.inserted ELSE 0 END AS i,"
	" n.updated - CASE WHEN l.updated <= n.updated THEN l.updated ELSE 0 END AS u,"
	" n.deleted - CASE WHEN l.deleted <= n.deleted THEN l.deleted ELSE 0 END AS d"
	" FROM now n LEFT JOIN last l ON l.relation = n.relation),"
	" total AS (SELECT sum(rows)::bigint AS rows, sum(bytes)::bigint AS bytes, sum(i)::bigint AS i, sum(u)::bigint AS u, sum(d)::bigint AS d FROM step)"
	" SELECT relation, rows, bytes, inserted, updated, deleted,"
	" (i <> 0 OR u <> 0 OR d <> 0) AND (NOT is_new OR EXISTS (SELECT FROM last)), written"
	" FROM step WHERE is_new OR NOT same_size OR i <> 0 OR u <> 0 OR d <> 0"
	" UNION ALL"
	" SELECT 0, t.rows, t.bytes, coalesce(l.inserted, 0) + i, coalesce(l.updated, 0) + u, coalesce(l.deleted, 0) + d,"
	" l.base IS NOT NULL AND (i <> 0 OR u <> 0 OR d <> 0), l.written"
	" FROM total t LEFT JOIN last l ON l.relation = 0";

/* Columns of what it gives: those of size_def from rows on, was something written, and when was it last. */
enum
{
	STEP_RELATION = 1,
	STEP_ROWS,
	STEP_BYTES,
	STEP_INSERTED,
	STEP_UPDATED,
	STEP_DELETED,
	STEP_WRITES,
	STEP_WRITTEN,
};

static void
put_size(Oid base, TimestampTz at, HeapTuple step, TupleDesc desc)
{
	Datum		values[SIZE_NATTS];
	bool		nulls[SIZE_NATTS] = {0};
	bool		isnull;

	values[SIZE_BASE - 1] = ObjectIdGetDatum(base);
	values[SIZE_RELATION - 1] = SPI_getbinval(step, desc, STEP_RELATION, &isnull);
	values[SIZE_AT - 1] = TimestampTzGetDatum(at);
	for (int i = SIZE_ROWS; i <= SIZE_DELETED; i++)
		values[i - 1] = SPI_getbinval(step, desc, i - SIZE_ROWS + STEP_ROWS, &nulls[i - 1]);
	if (DatumGetBool(SPI_getbinval(step, desc, STEP_WRITES, &isnull)))
		values[SIZE_WRITTEN - 1] = TimestampTzGetDatum(at);
	else
		values[SIZE_WRITTEN - 1] = SPI_getbinval(step, desc, STEP_WRITTEN, &nulls[SIZE_WRITTEN - 1]);
	router_catalog_insert("size_def", values, nulls);
}

/* Is a row needed no longer that another one of its table follows at that time? */
static bool
is_superseded(Oid relation, TimestampTz at, TimestampTz next, TimestampTz now, bool only_last)
{
	int64		age = (now - at) / USECS_PER_DAY;

	if (OidIsValid(relation) && (only_last || age >= TABLE_KEPT))
		return true;
	return age >= ALL_KEPT || (age >= EACH_KEPT && at / (MONTH * USECS_PER_DAY) == next / (MONTH * USECS_PER_DAY));
}

static void
thin_out(Oid base, TimestampTz now, bool only_last)
{
	SysScanDesc scan = router_catalog_scan_to_write("size_def", "size_def_pkey", SIZE_BASE, base);
	TupleDesc	desc = RelationGetDescr(scan->heap_rel);
	ItemPointerData before;
	Oid			relation = InvalidOid;
	TimestampTz at = 0;
	bool		any = false;
	HeapTuple	tup;

	while (HeapTupleIsValid(tup = router_catalog_next(scan)))
	{
		Oid			next_relation = router_get_oid(tup, SIZE_RELATION, desc);
		bool		isnull;
		TimestampTz next = DatumGetTimestampTz(heap_getattr(tup, SIZE_AT, desc, &isnull));

		if (any && next_relation == relation && is_superseded(relation, at, next, now, only_last))
			CatalogTupleDelete(scan->heap_rel, &before);
		before = tup->t_self;
		relation = next_relation;
		at = next;
		any = true;
	}
	router_catalog_end_write(scan);
}

/* Takes a snapshot of a base, unless it is temporary, there is one of today or somebody takes it just now. */
void
router_catalog_measure(Oid base)
{
	TimestampTz now = GetCurrentTimestamp();
	LOCKTAG		tag;
	int			guc_level;

	SET_LOCKTAG_OBJECT(tag, MyDatabaseId, router_catalog_relid("size_def"), base, 0);
	if (get_rel_persistence(base) == RELPERSISTENCE_TEMP ||
		LockAcquire(&tag, ExclusiveLock, false, true) == LOCKACQUIRE_NOT_AVAIL ||
		router_ask("SELECT at FROM router.size_def WHERE base = %u AND relation = 0 AND at > now() - interval '20 hours'", base))
		return;
	guc_level = router_spi_begin();
	if (SPI_execute(psprintf(measure_query, base, base, base), true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not measure tables");
	for (uint64 i = 0; i < SPI_processed; i++)
		put_size(base, now, SPI_tuptable->vals[i], SPI_tuptable->tupdesc);
	thin_out(base, now, list_length(router_catalog_children(base)) > MAX_CHILDREN);
	router_spi_end(guc_level);
}
