/*
 * defs_event.c
 *		Sole reader and writer of router.event_def: what was done to routed tables, and
 *		what is being done.
 *
 * A statement that commits on its way notes what it begins, and completes the row when that has ended. What was
 * interrupted, by whatever, leaves an open row of a statement that is no more.
 */
#include "compat.h"
#include "route/defs.h"

#include "access/heapam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/indexing.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "route/catalog.h"

/*
 * Of one action on a base so many events stay, the youngest: years of nights, or hours of runs that find work each
 * minute. Whoever notes one reads all of the base's.
 */
#define MAX_EVENTS 1000

enum
{
	EVENT_AT = 1,
	EVENT_BASE,
	EVENT_NAME,
	EVENT_ACTION,
	EVENT_ROWS,
	EVENT_ERROR,
	EVENT_SQLSTATE,
	EVENT_DETAIL,
	EVENT_STARTED,
	EVENT_ROLE,
	EVENT_TOLD_TO,
	EVENT_OPEN,
	EVENT_PID,
	EVENT_BACKEND_START,
	EVENT_QUERY_START,
	EVENT_NATTS = EVENT_QUERY_START,
};

static SysScanDesc
begin_write(Oid base)
{
	return router_catalog_scan_to_write("event_def", "event_def_base_idx", EVENT_BASE, base);
}

static TimestampTz
get_time(HeapTuple tup, int attno, TupleDesc desc)
{
	bool		isnull;

	return DatumGetTimestampTz(heap_getattr(tup, attno, desc, &isnull));
}

static bool
is_open(HeapTuple tup, TupleDesc desc)
{
	bool		isnull;

	return DatumGetBool(heap_getattr(tup, EVENT_OPEN, desc, &isnull));
}

static bool
is_of(HeapTuple tup, TupleDesc desc, const char *action)
{
	return strcmp(router_get_text(tup, EVENT_ACTION, desc), action) == 0;
}

/* An open row of this very statement. */
static bool
is_mine(HeapTuple tup, TupleDesc desc)
{
	return is_open(tup, desc) && router_get_int4(tup, EVENT_PID, desc, 0) == MyProcPid &&
		get_time(tup, EVENT_BACKEND_START, desc) == MyStartTimestamp &&
		get_time(tup, EVENT_QUERY_START, desc) == GetCurrentStatementStartTimestamp();
}

/* Nothing was to be done, and nothing went wrong. */
static bool
is_heartbeat(HeapTuple tup, TupleDesc desc)
{
	bool		isnull;

	return !is_open(tup, desc) && heap_attisnull(tup, EVENT_ERROR, desc) &&
		DatumGetInt64(heap_getattr(tup, EVENT_ROWS, desc, &isnull)) == 0;
}

/* Who else deletes it just now is not waited for. */
static void
delete_row(Relation rel, ItemPointer tid)
{
	TM_FailureData failure;

	(void) table_tuple_delete(rel, tid, GetCurrentCommandId(true), InvalidSnapshot, InvalidSnapshot, false,
							  &failure, false);
}

static void
form_event(const RouterEvent *event, TimestampTz started, Datum *values, bool *nulls)
{
	const ErrorData *error = event->error;
	TimestampTz now = GetCurrentTimestamp();

	memset(nulls, false, EVENT_NATTS * sizeof(bool));
	values[EVENT_AT - 1] = TimestampTzGetDatum(now);
	values[EVENT_BASE - 1] = ObjectIdGetDatum(event->base);
	router_put_text(event->name, &values[EVENT_NAME - 1], &nulls[EVENT_NAME - 1]);
	values[EVENT_ACTION - 1] = CStringGetTextDatum(event->action);
	values[EVENT_ROWS - 1] = Int64GetDatum(event->rows);
	router_put_text(error ? error->message : NULL, &values[EVENT_ERROR - 1], &nulls[EVENT_ERROR - 1]);
	router_put_text(error ? unpack_sql_state(error->sqlerrcode) : NULL, &values[EVENT_SQLSTATE - 1],
					&nulls[EVENT_SQLSTATE - 1]);
	router_put_text(error ? error->detail : NULL, &values[EVENT_DETAIL - 1], &nulls[EVENT_DETAIL - 1]);
	values[EVENT_STARTED - 1] = TimestampTzGetDatum(started == 0 ? now : started);
	/* a step may be the owner, who has not called it */
	values[EVENT_ROLE - 1] = ObjectIdGetDatum(GetOuterUserId());
	values[EVENT_TOLD_TO - 1] = ObjectIdGetDatum(event->told_to);
	nulls[EVENT_TOLD_TO - 1] = !OidIsValid(event->told_to);
	values[EVENT_OPEN - 1] = BoolGetDatum(event->open);
	values[EVENT_PID - 1] = Int32GetDatum(MyProcPid);
	values[EVENT_BACKEND_START - 1] = TimestampTzGetDatum(MyStartTimestamp);
	values[EVENT_QUERY_START - 1] = TimestampTzGetDatum(GetCurrentStatementStartTimestamp());
}

/*
 * Notes what has ended, or begun (open). What this statement has begun is completed. Of what found nothing to do
 * the last time is enough: a worker may run each minute.
 */
void
router_catalog_note_event(const RouterEvent *event)
{
	SysScanDesc scan = begin_write(event->base);
	TupleDesc	desc = RelationGetDescr(scan->heap_rel);
	Datum		values[EVENT_NATTS];
	bool		nulls[EVENT_NATTS];
	bool		found = false;
	int			n = 0;
	ItemPointerData oldest;
	TimestampTz oldest_at = DT_NOEND;
	HeapTuple	tup;

	while (HeapTupleIsValid(tup = router_catalog_next(scan)))
	{
		if (!is_of(tup, desc, event->action))
			continue;
		if (!found && is_mine(tup, desc))
		{
			form_event(event, get_time(tup, EVENT_STARTED, desc), values, nulls);
			CatalogTupleUpdate(scan->heap_rel, &tup->t_self, heap_form_tuple(desc, values, nulls));
			found = true;
		}
		else if (event->heartbeat && is_heartbeat(tup, desc))
			delete_row(scan->heap_rel, &tup->t_self);
		else
		{
			n++;
			if (get_time(tup, EVENT_AT, desc) < oldest_at)
			{
				oldest_at = get_time(tup, EVENT_AT, desc);
				oldest = tup->t_self;
			}
		}
	}
	if (!found && n >= MAX_EVENTS)
		delete_row(scan->heap_rel, &oldest);
	router_catalog_end_write(scan);
	if (found)
		return;
	form_event(event, 0, values, nulls);
	router_catalog_insert("event_def", values, nulls);
}

/* Has this statement noted that it began with this, and not yet that it ended? */
bool
router_catalog_event_is_open(Oid base, const char *action)
{
	SysScanDesc scan = router_catalog_scan("event_def", "event_def_base_idx", EVENT_BASE, base);
	TupleDesc	desc = RelationGetDescr(scan->heap_rel);
	bool		open = false;
	HeapTuple	tup;

	while (!open && HeapTupleIsValid(tup = router_catalog_next(scan)))
		open = is_mine(tup, desc) && is_of(tup, desc, action);
	router_catalog_end(scan);
	return open;
}

/* An interrupted statement had done so much, and was at that. */
void
router_catalog_interrupt_event(Oid base, int pid, TimestampTz query_start, uint64 rows, const char *detail)
{
	SysScanDesc scan = begin_write(base);
	TupleDesc	desc = RelationGetDescr(scan->heap_rel);
	HeapTuple	tup;

	while (HeapTupleIsValid(tup = router_catalog_next(scan)))
	{
		Datum		values[EVENT_NATTS] = {0};
		bool		nulls[EVENT_NATTS] = {0};
		bool		replaces[EVENT_NATTS] = {0};

		if (!is_open(tup, desc) || router_get_int4(tup, EVENT_PID, desc, 0) != pid ||
			get_time(tup, EVENT_QUERY_START, desc) != query_start)
			continue;
		replaces[EVENT_ROWS - 1] = replaces[EVENT_DETAIL - 1] = true;
		values[EVENT_ROWS - 1] = Int64GetDatum(rows);
		values[EVENT_DETAIL - 1] = CStringGetTextDatum(detail);
		CatalogTupleUpdate(scan->heap_rel, &tup->t_self, heap_modify_tuple(tup, desc, values, nulls, replaces));
	}
	router_catalog_end_write(scan);
}

/* Deletes events of a base, and of tables that are gone, which are older than so many days. */
void
router_catalog_forget_events(Oid base, int days)
{
	TimestampTz until = GetCurrentTimestamp() - days * USECS_PER_DAY;
	Relation	rel = table_open(router_catalog_relid("event_def"), RowExclusiveLock);
	TupleDesc	desc = RelationGetDescr(rel);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	TableScanDesc scan = table_beginscan(rel, snapshot, 0, NULL);
	HeapTuple	tup;

	while ((tup = heap_getnext(scan, ForwardScanDirection)) != NULL)
	{
		Oid			of = router_get_oid(tup, EVENT_BASE, desc);

		if (get_time(tup, EVENT_AT, desc) < until &&
			(of == base || !SearchSysCacheExists1(RELOID, ObjectIdGetDatum(of))))
			delete_row(rel, &tup->t_self);
	}
	table_endscan(scan);
	UnregisterSnapshot(snapshot);
	table_close(rel, NoLock);
}
