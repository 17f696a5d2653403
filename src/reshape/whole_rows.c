/*
 * whole_rows.c
 *		A table gets another shape whose rows are told from each other by no key: they are
 *		followed as wholes.
 *
 * What such a table has is told by how many rows there are of each kind, alike bit by bit. So not states are
 * applied but changes, each once: the log has each version of a row that came (1) or went (-1), with its place in the
 * source and the transaction. A batch that is copied notes which places it has read, and by which snapshot: what that
 * sees of what happened to those places is in the copy. That is right for places that are used again as well, since
 * it is asked for each change by itself. Places behind those that are copied are a range of their own, with a
 * snapshot from before the end of the file was looked at: a change that that sees is one of another file.
 *
 * Of what is applied all that came comes first. So there is a row for each that goes.
 *
 * In step, a writer takes any row of the copy that is like the one that went (twin.c); an index of each child finds it
 * (row_hash.c). Is there none, it was written by the same transaction, and a trigger that came before ours took it
 * again: that it went is noted in the log, and ends when it is told that it came. At the end of the transaction
 * nothing may be left of that.
 *
 * A key may be that of one row in each child only: rows are followed as wholes then as well, as keys go from child to
 * child. Copies that are put together may have equal rows in their unique indexes for a while, since these check
 * nothing; that there are none in the end is found out before the swap. A writer in step whose row meets an equal one
 * notes that, so that it is looked at once more.
 *
 * Referential actions on foreign keys of the copies would change rows of theirs, and the same action changes those of
 * the table, which the copies follow: so triggers of parents are off for copies until the swap.
 *
 * Rights, locking, memory: see shadow_rows.c.
 */
#include "compat.h"
#include "reshape/whole_rows.h"

#include "access/genam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/indexing.h"
#include "catalog/pg_trigger.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/tuplestore.h"
#include "utils/xid8.h"

#include "base/name.h"
#include "base/owner.h"
#include "base/sql.h"
#include "route/catalog.h"
#include "rows/keep_in_step.h"
#include "rows/row_hash.h"
#include "rows/row_key.h"

/* the first columns of a log: ROUTER_WHOLE_COLUMNS */
enum
{
	LOG_SOURCE,
	LOG_TID,					/* of the version, or the first of a range */
	LOG_UNTIL,					/* the first one behind the range */
	LOG_XID,
	LOG_COUNT,					/* 1: it came, -1: it went; 0: a range; or COUNT_DOUBLE */
	LOG_SNAPSHOT,				/* of a range */
};

/* in LOG_COUNT: a row that may be equal to another one in what is unique */
#define COUNT_DOUBLE 2

/* logs in which this transaction has noted rows that went before they came */
static List *owing = NIL;

/* Has one of these tables no key that tells one row from the others? */
bool
router_is_without_key(Oid base, List *sources)
{
	Relation	rel = table_open(base, AccessShareLock);
	RouterRowKey key = {0};
	bool		without;
	ListCell   *lc;

	router_row_key_open(rel, &key, NULL, NULL);
	without = key.index == NULL;
	foreach(lc, without ? NIL : sources)
	{
		Relation	source = table_open(lfirst_oid(lc), AccessShareLock);
		RouterRowKey own = {0};

		router_row_key_open(source, &own, &key, rel);
		without |= own.index == NULL;
		if (own.index)
			index_close(own.index, NoLock);
		table_close(source, NoLock);
	}
	if (key.index)
		index_close(key.index, NoLock);
	table_close(rel, NoLock);
	return without;
}

/* ------------------------------------------------------------------- the index */

static Oid
find_index(Oid copy)
{
	Relation	rel = table_open(copy, NoLock);
	Oid			found = InvalidOid;
	ListCell   *lc;

	foreach(lc, RelationGetIndexList(rel))
		if (router_original(lfirst_oid(lc)) != lfirst_oid(lc))
			found = lfirst_oid(lc);
	table_close(rel, NoLock);
	return found;
}

/*
 * Makes the index by which rows of a child are found, unless it is there: of the hash of what is not generated. The
 * caller is its owner; SPI is connected. ShareRowExclusiveLock on the child is kept.
 */
void
router_whole_index_make(Oid copy, Oid table)
{
	Oid			schema = get_rel_namespace(copy);
	char	   *name = router_private_name(psprintf("router_rows_%u", copy), schema);
	Relation	rel = table_open(copy, ShareRowExclusiveLock);
	TupleDesc	desc = RelationGetDescr(rel);
	StringInfoData columns;

	initStringInfo(&columns);
	for (int i = 0; i < desc->natts; i++)
		if (!TupleDescAttr(desc, i)->attisdropped && !TupleDescAttr(desc, i)->attgenerated)
			appendStringInfo(&columns, "%s%s", columns.len > 0 ? ", " : "",
							 quote_identifier(NameStr(TupleDescAttr(desc, i)->attname)));
	table_close(rel, NoLock);
	if (OidIsValid(find_index(copy)))
		return;
	router_run("CREATE INDEX %s ON %s USING btree (router.row_hash(ROW(%s)))", quote_identifier(name),
			   router_qualified_name(copy), columns.data);
	router_step_mark(get_relname_relid(name, schema), table);
}

/* Takes it away, under AccessExclusiveLock. */
void
router_whole_index_drop(Oid copy)
{
	Oid			index = find_index(copy);

	if (OidIsValid(index))
		router_run("DROP INDEX %s", router_qualified_name(index));
}

/* ---------------------------------------------------------------------- the log */

static void
insert_into_log(Relation log, TupleTableSlot *slot)
{
	ExecStoreVirtualTuple(slot);
	table_tuple_insert(log, slot, GetCurrentCommandId(true), 0, NULL);
	ExecDropSingleTupleTableSlot(slot);
}

static TupleTableSlot *
make_entry(Relation log, Oid source, ItemPointer tid, int count)
{
	TupleTableSlot *slot = MakeSingleTupleTableSlot(RelationGetDescr(log), &TTSOpsVirtual);

	memset(slot->tts_isnull, true, RelationGetDescr(log)->natts * sizeof(bool));
	slot->tts_values[LOG_SOURCE] = ObjectIdGetDatum(source);
	slot->tts_values[LOG_TID] = PointerGetDatum(tid);
	slot->tts_values[LOG_COUNT] = Int32GetDatum(count);
	slot->tts_isnull[LOG_SOURCE] = slot->tts_isnull[LOG_TID] = slot->tts_isnull[LOG_COUNT] = false;
	return slot;
}

/* Notes that a version of a row of a table came, or went. */
void
router_whole_note(Relation log, const RouterReshapeDef *def, Relation table, TupleTableSlot *row, int count)
{
	AttrNumber *attnums = router_log_map(def, log, table);
	TupleTableSlot *slot = make_entry(log, RelationGetRelid(table), &row->tts_tid, count);

	slot->tts_values[LOG_XID] = FullTransactionIdGetDatum(GetTopFullTransactionId());
	slot->tts_isnull[LOG_XID] = false;
	for (int i = ROUTER_WHOLE_NCOLUMNS; i < RelationGetDescr(log)->natts; i++)
		slot->tts_values[i] = slot_getattr(row, attnums[i], &slot->tts_isnull[i]);
	insert_into_log(log, slot);
	pfree(attnums);
}

/* Notes that places of a source from one on, as far as another one, are copied as the active snapshot sees them. */
void
router_whole_note_range(const RouterReshapeDef *def, Oid source, ItemPointer from, ItemPointer until)
{
	Relation	log;
	TupleTableSlot *slot;

	if (ItemPointerCompare(from, until) >= 0)
		return;
	log = table_open(def->log, RowExclusiveLock);
	slot = make_entry(log, source, from, 0);
	slot->tts_values[LOG_UNTIL] = PointerGetDatum(until);
	slot->tts_values[LOG_SNAPSHOT] = OidFunctionCall0(F_PG_CURRENT_SNAPSHOT);
	slot->tts_isnull[LOG_UNTIL] = slot->tts_isnull[LOG_SNAPSHOT] = false;
	insert_into_log(log, slot);
	table_close(log, NoLock);
}

/* --------------------------------------------------------------------- catching up */

typedef struct Range
{
	Oid			source;
	ItemPointerData from;
	ItemPointerData until;
	ItemPointerData reach;		/* the last end of this range and of those before it in the same source */
	Datum		snapshot;
} Range;

typedef struct Ranges
{
	Range	   *ranges;			/* by source and from */
	int			n;
} Ranges;

static int
compare_places(Oid a_source, ItemPointer a, Oid b_source, ItemPointer b)
{
	return a_source != b_source ? (a_source < b_source ? -1 : 1) : ItemPointerCompare(a, b);
}

static int
by_place(const void *a, const void *b)
{
	Range	   *x = unconstify(Range *, (const Range *) a);
	Range	   *y = unconstify(Range *, (const Range *) b);

	return compare_places(x->source, &x->from, y->source, &y->from);
}

static void
read_ranges(Relation log, Snapshot snapshot, Ranges *all)
{
	TupleTableSlot *slot = table_slot_create(log, NULL);
	TableScanDesc scan = table_beginscan(log, snapshot, 0, NULL);
	int			room = 64;

	all->ranges = palloc(room * sizeof(Range));
	all->n = 0;
	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		Range	   *range;

		CHECK_FOR_INTERRUPTS();
		slot_getsomeattrs(slot, ROUTER_WHOLE_NCOLUMNS);
		if (slot->tts_isnull[LOG_SNAPSHOT])
			continue;
		if (all->n == room)
			all->ranges = repalloc_huge(all->ranges, (room *= 2) * sizeof(Range));
		range = &all->ranges[all->n++];
		range->source = DatumGetObjectId(slot->tts_values[LOG_SOURCE]);
		range->from = *(ItemPointer) DatumGetPointer(slot->tts_values[LOG_TID]);
		range->until = *(ItemPointer) DatumGetPointer(slot->tts_values[LOG_UNTIL]);
		range->snapshot = PointerGetDatum(PG_DETOAST_DATUM_COPY(slot->tts_values[LOG_SNAPSHOT]));
	}
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	qsort(all->ranges, all->n, sizeof(Range), by_place);
	for (int i = 0; i < all->n; i++)
	{
		Range	   *range = &all->ranges[i];
		Range	   *before = i > 0 && range[-1].source == range->source ? &range[-1] : NULL;

		range->reach = before && ItemPointerCompare(&before->reach, &range->until) > 0 ? before->reach : range->until;
	}
}

/* Was this change there when its place was copied? */
static bool
is_copied(const Ranges *all, TupleTableSlot *entry)
{
	Oid			source = DatumGetObjectId(entry->tts_values[LOG_SOURCE]);
	ItemPointer tid = (ItemPointer) DatumGetPointer(entry->tts_values[LOG_TID]);
	int			low = 0;
	int			high = all->n;

	while (low < high)
	{
		int			middle = (low + high) / 2;

		if (compare_places(all->ranges[middle].source, &all->ranges[middle].from, source, tid) <= 0)
			low = middle + 1;
		else
			high = middle;
	}
	for (int i = low - 1; i >= 0; i--)
	{
		Range	   *range = &all->ranges[i];

		if (range->source != source || ItemPointerCompare(&range->reach, tid) <= 0)
			return false;
		if (ItemPointerCompare(&range->until, tid) > 0 &&
			DatumGetBool(OidFunctionCall2(F_PG_VISIBLE_IN_SNAPSHOT, entry->tts_values[LOG_XID], range->snapshot)))
			return true;
	}
	return false;
}

static void
refuse_unlike(Oid base)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("the copies of the rows of \"%s\" are not like them", get_rel_name(base)),
			 errdetail("There is none of a row that was changed."),
			 errhint("The table is as it was. CALL router.cancel_reshape(%s), and report it as a bug of router.",
					 quote_literal_cstr(router_qualified_name(base)))));
}

/*
 * Applies to the shadow what the log has noted by a snapshot, the active one, as far as it was not copied; what is done
 * is taken off the log. Returns how many were noted.
 */
int64
router_whole_apply(RouterShadowRows *rows, const RouterReshapeDef *def, Relation log, Snapshot snapshot)
{
	Relation	base = table_open(def->base, NoLock);
	AttrNumber *attnums = router_log_map(def, log, base);
	Tuplestorestate *gone = tuplestore_begin_heap(false, false, work_mem);
	TupleTableSlot *slot = table_slot_create(log, NULL);
	TupleTableSlot *stored = MakeSingleTupleTableSlot(RelationGetDescr(log), &TTSOpsMinimalTuple);
	TupleTableSlot *row;
	TableScanDesc scan;
	Ranges		ranges;
	int64		n = 0;

	read_ranges(log, snapshot, &ranges);
	scan = table_beginscan(log, snapshot, 0, NULL);
	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		int			count;

		CHECK_FOR_INTERRUPTS();
		slot_getsomeattrs(slot, ROUTER_WHOLE_NCOLUMNS);
		count = DatumGetInt32(slot->tts_values[LOG_COUNT]);
		if (count == 0)
			continue;
		if (is_copied(&ranges, slot))
			;
		else if (count < 0)
			tuplestore_puttupleslot(gone, slot);
		else
		{
			router_shadow_rows_from(rows, DatumGetObjectId(slot->tts_values[LOG_SOURCE]));
			row = router_shadow_rows_noted(rows, attnums, slot);
			router_twin_insert(router_shadow_rows_twin(rows, row, true), row);
		}
		simple_table_tuple_delete(log, &slot->tts_tid, snapshot);
		n++;
	}
	table_endscan(scan);
	while (tuplestore_gettupleslot(gone, true, false, stored))
	{
		RouterTwin *twin;

		CHECK_FOR_INTERRUPTS();
		row = router_shadow_rows_noted(rows, attnums, stored);
		twin = router_shadow_rows_twin(rows, row, false);
		if (twin == NULL || !router_twin_change(twin, row, NULL, false))
			refuse_unlike(def->base);
	}
	tuplestore_end(gone);
	ExecDropSingleTupleTableSlot(slot);
	ExecDropSingleTupleTableSlot(stored);
	table_close(base, NoLock);
	CommandCounterIncrement();
	return n;
}

/* ---------------------------------------------------------------------- in step */

/* Is this an entry of a log that says that this transaction owes a row? */
static bool
is_owed(TupleTableSlot *entry, FullTransactionId xid)
{
	slot_getsomeattrs(entry, ROUTER_WHOLE_NCOLUMNS);
	return DatumGetInt32(entry->tts_values[LOG_COUNT]) < 0 &&
		FullTransactionIdEquals(DatumGetFullTransactionId(entry->tts_values[LOG_XID]), xid);
}

/* Notes that a row went before it came. */
static void
owe(const RouterReshapeDef *def, Relation source, TupleTableSlot *row)
{
	Relation	log = table_open(def->log, RowExclusiveLock);
	MemoryContext old;

	router_whole_note(log, def, source, row, -1);
	table_close(log, NoLock);
	CommandCounterIncrement();
	old = MemoryContextSwitchTo(TopTransactionContext);
	owing = list_append_unique_oid(owing, def->log);
	MemoryContextSwitchTo(old);
}

/* Notes that a row may be equal to another one in what is unique in its copy. */
static void
note_double(const RouterReshapeDef *def, Relation source, TupleTableSlot *row)
{
	Relation	log = table_open(def->log, RowExclusiveLock);

	router_whole_note(log, def, source, row, COUNT_DOUBLE);
	table_close(log, NoLock);
}

/* A row came. True: one like it, in the table's layout, went before, and neither is in the copy. */
static bool
pay(RouterShadowRows *rows, const RouterReshapeDef *def, TupleTableSlot *row)
{
	FullTransactionId xid = GetTopFullTransactionId();
	TupleDesc	desc = row->tts_tupleDescriptor;
	Relation	log;
	Relation	base;
	AttrNumber *attnums;
	TupleTableSlot *slot;
	TableScanDesc scan;
	bool		paid = false;

	if (!list_member_oid(owing, def->log))
		return false;
	log = table_open(def->log, RowExclusiveLock);
	base = table_open(def->base, NoLock);
	attnums = router_log_map(def, log, base);
	slot = table_slot_create(log, NULL);
	scan = table_beginscan(log, SnapshotSelf, 0, NULL);
	while (!paid && table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		CHECK_FOR_INTERRUPTS();
		paid = is_owed(slot, xid) &&
			router_same_values(desc, router_shadow_rows_noted(rows, attnums, slot), row, NULL, desc->natts);
		if (paid)
			simple_table_tuple_delete(log, &slot->tts_tid, GetActiveSnapshot());
	}
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	table_close(base, NoLock);
	table_close(log, NoLock);
	CommandCounterIncrement();
	return paid;
}

/* Does with the copy what was done to a source: a row went, or came, or both. */
void
router_whole_follow(RouterShadowRows *rows, const RouterReshapeDef *def, Relation source,
					TupleTableSlot *old, TupleTableSlot *new)
{
	TupleTableSlot *is = new ? router_shadow_rows_came(rows, source, new) : NULL;
	TupleTableSlot *was;
	RouterTwin *from;
	RouterTwin *to;
	bool		changed;

	if (is && pay(rows, def, is))
		is = NULL;
	was = old ? router_shadow_rows_went(rows, source, old) : NULL;
	from = was ? router_shadow_rows_twin(rows, was, false) : NULL;
	to = is ? router_shadow_rows_twin(rows, is, true) : NULL;
	changed = from && router_twin_change(from, was, from == to ? is : NULL, new != NULL || router_row_went_home(old));
	if (was && !changed)
		owe(def, source, old);
	if (is && !(changed && from == to))
		router_twin_insert(to, is);
	if (is && router_twin_is_double(to))
		note_double(def, source, new);
}

/*
 * Were there rows in step that may be equal to others in what is unique in their copies? That is for
 * router_whole_check_unique to say, under a later snapshot: they are forgotten. Nobody writes.
 */
bool
router_whole_has_doubles(const RouterReshapeDef *def)
{
	Relation	log = table_open(def->log, RowExclusiveLock);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	TupleTableSlot *slot = table_slot_create(log, NULL);
	TableScanDesc scan = table_beginscan(log, snapshot, 0, NULL);
	bool		any = false;

	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		slot_getsomeattrs(slot, ROUTER_WHOLE_NCOLUMNS);
		if (DatumGetInt32(slot->tts_values[LOG_COUNT]) != COUNT_DOUBLE)
			continue;
		simple_table_tuple_delete(log, &slot->tts_tid, snapshot);
		any = true;
	}
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	UnregisterSnapshot(snapshot);
	table_close(log, NoLock);
	return any;
}

/* Rows of several children may have the same values where a key tells them apart in each child only. */
void
router_whole_check_unique(const RouterReshapeDef *def, Snapshot snapshot)
{
	Relation	base = table_open(def->base, NoLock);
	ListCell   *lc;

	foreach(lc, router_catalog_children(def->shadow))
	{
		RouterTwin *twin = router_twin_open(base, ((RouterChildDef *) lfirst(lc))->child);

		if (twin == NULL)
			continue;			/* gone, or altered: the swap will find it */
		router_twin_check_unique(twin, snapshot);
		router_twin_close(twin);
	}
	table_close(base, NoLock);
}

/* Does a log still say that this transaction owes a row? */
static void
check_paid(Oid relid)
{
	FullTransactionId xid = GetTopFullTransactionIdIfAny();
	Relation	log = try_table_open(relid, AccessShareLock);
	TupleTableSlot *slot;
	TableScanDesc scan;

	if (log == NULL)
		return;
	slot = table_slot_create(log, NULL);
	scan = table_beginscan(log, SnapshotSelf, 0, NULL);
	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
		if (is_owed(slot, xid))
			refuse_unlike(router_original(relid));
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	table_close(log, NoLock);
}

static void
at_transaction(XactEvent event, void *arg)
{
	ListCell   *lc;

	if (event == XACT_EVENT_PRE_COMMIT || event == XACT_EVENT_PRE_PREPARE)
		foreach(lc, owing)
			check_paid(lfirst_oid(lc));
	else if (event == XACT_EVENT_COMMIT || event == XACT_EVENT_ABORT || event == XACT_EVENT_PREPARE)
		owing = NIL;
}

void
router_whole_init(void)
{
	RegisterXactCallback(at_transaction, NULL);
}

/* ------------------------------------------------------------------ foreign keys */

static void
set_actions_of(Relation triggers, Oid constraint, Oid parent, char enabled)
{
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tup;

	ScanKeyInit(&key, Anum_pg_trigger_tgconstraint, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(constraint));
	scan = systable_beginscan(triggers, TriggerConstraintIndexId, true, NULL, 1, &key);
	while (HeapTupleIsValid(tup = systable_getnext(scan)))
	{
		HeapTuple	copy = heap_copytuple(tup);
		Form_pg_trigger form = (Form_pg_trigger) GETSTRUCT(copy);

		if (form->tgrelid == parent && form->tgenabled != enabled)
		{
			form->tgenabled = enabled;
			CatalogTupleUpdate(triggers, &copy->t_self, copy);
			CacheInvalidateRelcacheByRelid(parent);
		}
		heap_freetuple(copy);
	}
	systable_endscan(scan);
}

/*
 * Turns on or off what foreign keys of a child do when a row they refer to changes. The tables that they refer to are
 * locked ShareRowExclusive.
 */
void
router_whole_set_actions(Oid child, bool on)
{
	Relation	triggers = table_open(TriggerRelationId, RowExclusiveLock);
	Relation	rel = table_open(child, AccessShareLock);
	ListCell   *lc;

	foreach(lc, RelationGetFKeyList(rel))
	{
		ForeignKeyCacheInfo *foreign_key = lfirst(lc);

		set_actions_of(triggers, foreign_key->conoid, foreign_key->confrelid,
					   on ? TRIGGER_FIRES_ON_ORIGIN : TRIGGER_DISABLED);
	}
	table_close(rel, NoLock);
	table_close(triggers, RowExclusiveLock);
	CommandCounterIncrement();
}
