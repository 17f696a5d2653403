/*
 * serializable.c
 *		What makes SERIALIZABLE hold for a routed table as for an ordinary one.
 *
 * Core notes what a serializable transaction reads by predicate locks on the
 * tables, pages and rows that it looks at, and a writer of the same looks for them. That
 * fails where the reader did not look at the table that is written to, since it
 * was not there, or not needed, or since the row was somewhere else:
 *	- a child that was created meanwhile;
 *	- a child that router left out, by a seal or the reach of a hot base, that
 *	  were broken or raised since;
 *	- rows that router moved from one table to another.
 *
 * Readers: whoever reads a route has a lock on the gap, a page of the base that
 * it will hardly ever have.
 *
 * Writers: before it commits, a transaction goes through the tables that it
 * wrote to. Of each the last transaction is known that created it, moved rows
 * into it and so on. Readers whose snapshot is not older than that have looked
 * at the table itself. The others are looked for: who has a lock on the gap, or
 * (if rows were moved) on the table where they came from. They conflict.
 * That is coarse, but for young tables and rows that were just moved only.
 *
 * At commit, and not with each row: what came meanwhile counts as well, a
 * child of one's own that nobody else sees, for instance.
 *
 * Memory: the list of tables is in TopTransactionContext.
 */
#include "compat.h"
#include "read/serializable.h"

#include "access/htup_details.h"
#include "access/parallel.h"
#include "access/table.h"
#include "access/transam.h"
#include "access/xact.h"
#include "catalog/index.h"
#include "catalog/indexing.h"
#include "miscadmin.h"
#include "storage/predicate.h"
#include "storage/predicate_internals.h"
#include "storage/procarray.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "route/cache.h"

#define GAP MaxBlockNumber

/* A table that the transaction wrote to: the base of a route, or a child. */
typedef struct Written
{
	Oid			base;
	Oid			table;
} Written;

static List *written = NIL;

/* No transaction that runs at the same time as this one, or a later one, has a snapshot with an xmin before it. */
static TransactionId horizon = InvalidTransactionId;
static TransactionId next_horizon = InvalidTransactionId;	/* from the next transaction on */

/* --------------------------------------------------------------------- readers */

/* The transaction reads a routed table, or is about to plan that. */
void
router_serial_read(Relation base)
{
	if (IsolationIsSerializable() && ActiveSnapshotSet() && !IsParallelWorker())
		PredicateLockPage(base, GAP, GetActiveSnapshot());
}

/* At the start of a statement. */
void
router_serial_start(const PlannedStmt *stmt, Snapshot snapshot)
{
	ListCell   *lc;

	if (likely(!IsolationIsSerializable()) || snapshot == NULL || IsParallelWorker())
		return;
	foreach(lc, stmt->rtable)
	{
		RangeTblEntry *rte = lfirst(lc);
		Relation	base;

		if (rte->rtekind != RTE_RELATION || !rte->inh || router_cache_route(router_cache_entry(rte->relid)) == NULL)
			continue;
		base = table_open(rte->relid, NoLock);
		PredicateLockPage(base, GAP, snapshot);
		table_close(base, NoLock);
	}
}

/* --------------------------------------------------------------------- writers */

/* Rows of a table of a route are inserted, changed or deleted. */
void
router_serial_wrote(Oid base, Oid table)
{
	MemoryContext old;
	Written    *entry;
	ListCell   *lc;

	if (likely(!IsolationIsSerializable()))
		return;
	foreach(lc, written)
	{
		if (((Written *) lfirst(lc))->table == table)
			return;
	}
	old = MemoryContextSwitchTo(TopTransactionContext);
	entry = palloc(sizeof(Written));
	entry->base = base;
	entry->table = table;
	written = lappend(written, entry);
	MemoryContextSwitchTo(old);
}

static void
finish_node(ModifyTableState *node)
{
	for (int i = 0; i < node->mt_nrels; i++)
	{
		Oid			table = RelationGetRelid(node->resultRelInfo[i].ri_RelationDesc);
		Oid			base = router_cache_base(table);

		if (OidIsValid(base))
			router_serial_wrote(base, table);
	}
}

/* At the end of a statement. Rows that are sent home are told of by home.c. */
void
router_serial_finish(EState *estate, PlanState *planstate)
{
	ListCell   *lc;

	if (likely(!IsolationIsSerializable()))
		return;
	if (planstate && IsA(planstate, ModifyTableState) && estate->es_processed > 0)
		finish_node((ModifyTableState *) planstate);
	foreach(lc, estate->es_auxmodifytables)
		finish_node(lfirst(lc));
}

/* Rows of children are moved back into the base, which is locked against writers: that counts as a change of it. */
void
router_serial_mark(Oid base)
{
	Relation	rel = table_open(RelationRelationId, RowExclusiveLock);
	HeapTuple	tup = SearchSysCacheCopy1(RELOID, ObjectIdGetDatum(base));

	if (!HeapTupleIsValid(tup))
		elog(ERROR, "cache lookup failed for relation %u", base);
	CatalogTupleUpdate(rel, &tup->t_self, tup);
	heap_freetuple(tup);
	table_close(rel, RowExclusiveLock);
	CommandCounterIncrement();
}

/* ---------------------------------------------------------------------- commit */

static TransactionId
later(TransactionId a, TransactionId b)
{
	return !TransactionIdIsNormal(a) || (TransactionIdIsNormal(b) && TransactionIdFollows(b, a)) ? b : a;
}

/* The last transaction that changed the row of a table in pg_class; it created it, if nothing else. */
static TransactionId
last_change(Oid table)
{
	HeapTuple	tup = SearchSysCache1(RELOID, ObjectIdGetDatum(table));
	TransactionId xid = InvalidTransactionId;

	if (HeapTupleIsValid(tup))
	{
		xid = HeapTupleHeaderGetXmin(tup->t_data);
		ReleaseSysCache(tup);
	}
	return xid;
}

/* Has every reader that may matter a snapshot that is younger than this transaction? */
static bool
is_settled(TransactionId xid)
{
	if (!TransactionIdIsNormal(xid) || (TransactionIdIsNormal(horizon) && TransactionIdPrecedes(xid, horizon)))
		return true;
	/* who runs now may have been joined by others before: they are known to be gone for the next transaction only */
	if (!TransactionIdIsValid(next_horizon))
		next_horizon = GetOldestNonRemovableTransactionId(NULL);
	return false;
}

/* May rows of this table, or what the lock on it stands for, have come into the one that was written to? */
static bool
is_source(const RouterRoute *route, const Written *entry, Oid relid)
{
	Oid			indexed = relid == entry->base ? InvalidOid : IndexGetRelation(relid, true);
	Oid			table = OidIsValid(indexed) ? indexed : relid;

	if (table == entry->table)
		return false;			/* core looks there */
	if (table == entry->base || table == route->default_child)
		return true;
	return entry->table == entry->base && router_route_member(route, table) >= 0;
}

/* gap, moved: the last transactions after which readers know the table itself, and the rows that came into it. */
static void
check_readers(const Written *entry, const PredicateLockData *locks, TransactionId gap, TransactionId moved)
{
	RouterRoute *route = router_cache_route(router_cache_entry(entry->base));
	Relation	rel = route ? RelationIdGetRelation(entry->table) : NULL;

	if (rel == NULL)
		return;					/* dropped since */
	for (int i = 0; i < locks->nelements; i++)
	{
		const PREDICATELOCKTARGETTAG *tag = &locks->locktags[i];
		const SERIALIZABLEXACT *reader = &locks->xacts[i];
		BlockNumber page = GET_PREDICATELOCKTARGETTAG_PAGE(*tag);
		bool		is_gap = page == GAP && GET_PREDICATELOCKTARGETTAG_RELATION(*tag) == entry->base;
		TransactionId limit = is_gap ? gap : moved;
		RelationData source = *rel;
		ItemPointerData tid;

		if (GET_PREDICATELOCKTARGETTAG_DB(*tag) != MyDatabaseId || reader->pid == MyProcPid ||
			!TransactionIdIsNormal(limit) ||
			(TransactionIdIsNormal(reader->xmin) && TransactionIdFollows(reader->xmin, limit)) ||
			(!is_gap && !is_source(route, entry, GET_PREDICATELOCKTARGETTAG_RELATION(*tag))))
			continue;
		/* of the table no more is asked for than its oid, and no lock is wanted on it */
		source.rd_id = GET_PREDICATELOCKTARGETTAG_RELATION(*tag);
		ItemPointerSet(&tid, page, GET_PREDICATELOCKTARGETTAG_OFFSET(*tag));
		CheckForSerializableConflictIn(&source,
									   GET_PREDICATELOCKTARGETTAG_TYPE(*tag) == PREDLOCKTAG_TUPLE ? &tid : NULL, page);
	}
	RelationClose(rel);
}

static void
check_written(void)
{
	PredicateLockData *locks = NULL;
	ListCell   *lc;

	foreach(lc, written)
	{
		Written    *entry = lfirst(lc);
		TransactionId gap = last_change(entry->table);
		TransactionId moved;

		if (entry->table != entry->base)
			gap = later(later(gap, router_catalog_seal_broken(entry->table)),
						router_reach_written_by(entry->base, NULL));
		moved = entry->table == entry->base ? gap : later(gap, router_watermark_written_by(entry->base, NULL));
		if (is_settled(moved))
			continue;
		if (locks == NULL)
			locks = GetPredicateLockStatusData();
		check_readers(entry, locks, gap, moved);
	}
}

static void
at_transaction_end(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
		case XACT_EVENT_PRE_PREPARE:
			if (written != NIL)
				check_written();
			break;
		case XACT_EVENT_COMMIT:
		case XACT_EVENT_ABORT:
		case XACT_EVENT_PREPARE:
			written = NIL;
			if (TransactionIdIsValid(next_horizon))
				horizon = next_horizon;
			next_horizon = InvalidTransactionId;
			break;
		default:
			break;
	}
}

void
router_serial_init(void)
{
	RegisterXactCallback(at_transaction_end, NULL);
}
