/*
 * defs_seal.c
 *		Sole reader and writer of the tables router.seal_def and unsealed_def, in
 *		the ways of defs.c.
 *
 * A seal is a row a child and column. Who writes a row beyond it adds one to
 * unsealed_def, which has no unique index: late writers do not wait for each
 * other. These rows go when the child is sealed anew, under a lock that excludes writers.
 */
#include "compat.h"
#include "route/defs.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/indexing.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"

#include "route/catalog.h"
#include "base/see.h"

PG_FUNCTION_INFO_V1(router_readable_seals);

enum
{
	SEAL_BASE = 1,
	SEAL_CHILD,
	SEAL_COLUMN,
	SEAL_ATTNUM,
	SEAL_SPAN,
	SEAL_SEALED,
	SEAL_NATTS = SEAL_SEALED,
};

enum
{
	UNSEALED_BASE = 1,
	UNSEALED_CHILD,
	UNSEALED_NATTS = UNSEALED_CHILD,
};

static List *
broken_children(Oid base)
{
	SysScanDesc scan = router_catalog_scan("unsealed_def", "unsealed_def_base_idx", UNSEALED_BASE, base);
	TupleDesc	desc = RelationGetDescr(scan->heap_rel);
	List	   *children = NIL;
	HeapTuple	tup;

	while (HeapTupleIsValid(tup = router_catalog_next(scan)))
		children = list_append_unique_oid(children, router_get_oid(tup, UNSEALED_CHILD, desc));
	router_catalog_end(scan);
	return children;
}

typedef struct SealScan
{
	const char *index;
	AttrNumber	attno;
	Oid			relid;
	List	   *seals;
} SealScan;

static void
read_seals(void *arg)
{
	SealScan   *result = arg;
	SysScanDesc scan = router_catalog_scan("seal_def", result->index, result->attno, result->relid);
	TupleDesc	desc = RelationGetDescr(scan->heap_rel);
	List	   *broken;
	HeapTuple	tup;
	ListCell   *lc;

	result->seals = NIL;
	while (HeapTupleIsValid(tup = router_catalog_next(scan)))
	{
		RouterSeal *seal = palloc0(sizeof(RouterSeal));
		bool		isnull;

		seal->span = router_get_text(tup, SEAL_SPAN, desc);
		seal->child = router_get_oid(tup, SEAL_CHILD, desc);
		seal->column = router_get_name(tup, SEAL_COLUMN, desc);
		seal->attnum = router_get_int2(tup, SEAL_ATTNUM, desc);
		seal->sealed = DatumGetBool(heap_getattr(tup, SEAL_SEALED, desc, &isnull));
		result->seals = lappend(result->seals, seal);
	}
	router_catalog_end(scan);
	if (result->seals == NIL || result->attno != SEAL_BASE)
		return;
	broken = broken_children(result->relid);
	foreach(lc, result->seals)
		((RouterSeal *) lfirst(lc))->broken = list_member_oid(broken, ((RouterSeal *) lfirst(lc))->child);
}

/* The seals of the children of a base: of RouterSeal. */
List *
router_catalog_seals(Oid base)
{
	SealScan	result = {"seal_def_base_idx", SEAL_BASE, base};

	router_catalog_read_at_once(read_seals, &result);	/* a seal and that it is broken */
	return result.seals;
}

/* Those of one child, without whether they are broken. */
List *
router_catalog_child_seals(Oid child)
{
	SealScan	result = {"seal_def_pkey", SEAL_CHILD, child};

	router_catalog_read_at_once(read_seals, &result);
	return result.seals;
}

void
router_catalog_add_seal(Oid base, const RouterSeal *seal)
{
	Datum		values[SEAL_NATTS];
	bool		nulls[SEAL_NATTS] = {0};

	values[SEAL_BASE - 1] = ObjectIdGetDatum(base);
	values[SEAL_CHILD - 1] = ObjectIdGetDatum(seal->child);
	router_put_name(seal->column, &values[SEAL_COLUMN - 1], &nulls[SEAL_COLUMN - 1]);
	values[SEAL_ATTNUM - 1] = Int16GetDatum(seal->attnum);
	router_put_text(seal->span, &values[SEAL_SPAN - 1], &nulls[SEAL_SPAN - 1]);
	values[SEAL_SEALED - 1] = BoolGetDatum(seal->sealed);
	router_catalog_insert("seal_def", values, nulls);
	router_catalog_invalidate(base);
}

/* A row came that lies beyond the seal of a child: from now on it tells nothing. */
void
router_catalog_break_seal(Oid base, Oid child)
{
	Datum		values[UNSEALED_NATTS];
	bool		nulls[UNSEALED_NATTS] = {0};

	values[UNSEALED_BASE - 1] = ObjectIdGetDatum(base);
	values[UNSEALED_CHILD - 1] = ObjectIdGetDatum(child);
	router_catalog_invalidate(base);
	router_catalog_insert("unsealed_def", values, nulls);
}

/* Who wrote last a row beyond the seal of a child. */
TransactionId
router_catalog_seal_broken(Oid child)
{
	return router_catalog_written_by("unsealed_def", "unsealed_def_child_idx", UNSEALED_CHILD, child, NULL);
}

/* All rows of a child were looked at: its seal counts. */
void
router_catalog_finish_seal(Oid base, Oid child)
{
	List	   *seals = router_catalog_seals(base);
	ListCell   *lc;

	router_catalog_delete("seal_def", "seal_def_pkey", "child", child);
	foreach(lc, seals)
	{
		RouterSeal *seal = lfirst(lc);

		if (seal->child != child)
			continue;
		seal->sealed = true;
		router_catalog_add_seal(base, seal);
	}
}

/* Forgets the seal of a child. Who writes to it must not do so meanwhile, or the CHECK has to go as well. */
void
router_catalog_remove_seal(Oid child)
{
	router_catalog_delete("seal_def", "seal_def_pkey", "child", child);
	router_catalog_delete("unsealed_def", "unsealed_def_child_idx", "child", child);
}

/*
 * Columns of a base were renamed; or one (else 0) is lost for seals: it was dropped,
 * and with it each CHECK that it is in, or gets another type.
 */
void
router_catalog_follow_seals(Oid base, AttrNumber lost)
{
	List	   *seals = router_catalog_seals(base);
	ListCell   *lc;
	bool		changed = false;

	foreach(lc, seals)
	{
		RouterSeal *seal = lfirst(lc);
		char	   *column = get_attname(base, seal->attnum, true);

		if (lost != 0 && seal->attnum == lost)
			router_catalog_remove_seal(seal->child);
		else if (column && strcmp(column, seal->column) != 0)
		{
			seal->column = column;
			changed = true;
		}
	}
	if (!changed)
		return;
	router_catalog_delete("seal_def", "seal_def_base_idx", "base", base);
	foreach(lc, seals)
		router_catalog_add_seal(base, lfirst(lc));
}

/*
 * router.readable_seals(): the rows of seal_def whose span the user may see. For the
 * view router.seals, and for pg_dump, which reads no views.
 */
Datum
router_readable_seals(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	Relation	rel = table_open(router_catalog_relid("seal_def"), AccessShareLock);
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	TableScanDesc scan = table_beginscan(rel, GetActiveSnapshot(), 0, NULL);

	InitMaterializedSRF(fcinfo, 0);
	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		bool		isnull;
		Oid			base = DatumGetObjectId(slot_getattr(slot, SEAL_BASE, &isnull));
		AttrNumber	attnum = DatumGetInt16(slot_getattr(slot, SEAL_ATTNUM, &isnull));

		CHECK_FOR_INTERRUPTS();
		if (get_rel_name(base) && get_attname(base, attnum, true) && router_may_see(base, &attnum, 1))
			tuplestore_puttupleslot(rsinfo->setResult, slot);
	}
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	table_close(rel, AccessShareLock);
	return (Datum) 0;
}
