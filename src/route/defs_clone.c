/*
 * defs_clone.c
 *		Sole reader and writer of router.clone_def and reject_def: how far tables are
 *		copied into routed ones, and the rows that did not go in. See reshape/clone.c.
 *
 * Locking: who clones has a lock of the session for his row (reshape/clone.c), so that nobody else writes it.
 */
#include "compat.h"
#include "route/defs_clone.h"

#include "access/table.h"
#include "catalog/dependency.h"
#include "catalog/indexing.h"
#include "commands/sequence.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

#include "route/defs.h"

enum
{
	CLONE_ID = 1,
	CLONE_BASE,
	CLONE_SOURCE,
	CLONE_ROLE,
	CLONE_FILTER,
	CLONE_COLUMNS,
	CLONE_KEY,
	CLONE_FILES,
	CLONE_POSITION,
	CLONE_HANDLED,
	CLONE_REJECTED,
	CLONE_FINISHED,
	CLONE_UPDATED,
	CLONE_NATTS = CLONE_UPDATED,
};

enum
{
	REJECT_CLONE = 1,
	REJECT_NUMBER,
	REJECT_BASE,
	REJECT_AT,
	REJECT_KIND,
	REJECT_SQLSTATE,
	REJECT_MESSAGE,
	REJECT_ROW,
	REJECT_TRIES,
	REJECT_NATTS = REJECT_TRIES,
};

static int64
get_int8(HeapTuple tup, int attno, TupleDesc desc)
{
	bool		isnull;

	return DatumGetInt64(heap_getattr(tup, attno, desc, &isnull));
}

static char **
get_texts(HeapTuple tup, int attno, TupleDesc desc, int *n)
{
	bool		isnull;
	Datum		array = heap_getattr(tup, attno, desc, &isnull);

	*n = 0;
	return isnull ? NULL : router_text_elements(array, n);
}

static void
put_texts(char **texts, int n, Datum *datum, bool *isnull)
{
	*isnull = n == 0;
	*datum = n == 0 ? (Datum) 0 : router_text_array(texts, n);
}

/* --------------------------------------------------------------------- clones */

/* Of all who have cloned into a base: RouterCloneDef *. */
List *
router_catalog_clones(Oid base)
{
	SysScanDesc scan = router_catalog_scan("clone_def", "clone_def_base_idx", CLONE_BASE, base);
	TupleDesc	desc = RelationGetDescr(scan->heap_rel);
	List	   *clones = NIL;
	HeapTuple	tup;
	bool		isnull;

	while (HeapTupleIsValid(tup = router_catalog_next(scan)))
	{
		RouterCloneDef *def = palloc0(sizeof(RouterCloneDef));

		def->id = get_int8(tup, CLONE_ID, desc);
		def->base = base;
		def->source = router_get_oid(tup, CLONE_SOURCE, desc);
		def->role = router_get_oid(tup, CLONE_ROLE, desc);
		def->filter = router_get_text(tup, CLONE_FILTER, desc);
		def->columns = router_get_text(tup, CLONE_COLUMNS, desc);
		def->key = get_texts(tup, CLONE_KEY, desc, &def->nkey);
		def->files = router_get_text(tup, CLONE_FILES, desc);
		def->position = get_texts(tup, CLONE_POSITION, desc, &def->nposition);
		def->handled = get_int8(tup, CLONE_HANDLED, desc);
		def->rejected = get_int8(tup, CLONE_REJECTED, desc);
		def->finished = DatumGetBool(heap_getattr(tup, CLONE_FINISHED, desc, &isnull));
		clones = lappend(clones, def);
	}
	router_catalog_end(scan);
	return clones;
}

static void
delete_clone(Oid base, int64 id)
{
	SysScanDesc scan = router_catalog_scan_to_write("clone_def", "clone_def_base_idx", CLONE_BASE, base);
	HeapTuple	tup;

	while (HeapTupleIsValid(tup = router_catalog_next(scan)))
		if (get_int8(tup, CLONE_ID, RelationGetDescr(scan->heap_rel)) == id)
			CatalogTupleDelete(scan->heap_rel, &tup->t_self);
	router_catalog_end_write(scan);
}

static int64
next_id(void)
{
	Relation	rel = table_open(router_catalog_relid("clone_def"), AccessShareLock);
	Oid			sequence = router_identity_sequence(rel, CLONE_ID);

	table_close(rel, AccessShareLock);
	return nextval_internal(sequence, false);
}

/* Writes how far it is, and gives it an id if it has none. */
void
router_catalog_put_clone(RouterCloneDef *def)
{
	Datum		values[CLONE_NATTS];
	bool		nulls[CLONE_NATTS] = {0};

	if (def->id != 0)
		delete_clone(def->base, def->id);
	else
		def->id = next_id();
	values[CLONE_ID - 1] = Int64GetDatum(def->id);
	values[CLONE_BASE - 1] = ObjectIdGetDatum(def->base);
	values[CLONE_SOURCE - 1] = ObjectIdGetDatum(def->source);
	values[CLONE_ROLE - 1] = ObjectIdGetDatum(def->role);
	router_put_text(def->filter, &values[CLONE_FILTER - 1], &nulls[CLONE_FILTER - 1]);
	router_put_text(def->columns, &values[CLONE_COLUMNS - 1], &nulls[CLONE_COLUMNS - 1]);
	put_texts(def->key, def->nkey, &values[CLONE_KEY - 1], &nulls[CLONE_KEY - 1]);
	router_put_text(def->files, &values[CLONE_FILES - 1], &nulls[CLONE_FILES - 1]);
	put_texts(def->position, def->nposition, &values[CLONE_POSITION - 1], &nulls[CLONE_POSITION - 1]);
	values[CLONE_HANDLED - 1] = Int64GetDatum(def->handled);
	values[CLONE_REJECTED - 1] = Int64GetDatum(def->rejected);
	values[CLONE_FINISHED - 1] = BoolGetDatum(def->finished);
	values[CLONE_UPDATED - 1] = TimestampTzGetDatum(GetCurrentTimestamp());
	router_catalog_insert("clone_def", values, nulls);
}

/* Forgets a clone with its rejects. */
void
router_catalog_remove_clone(const RouterCloneDef *def)
{
	(void) router_catalog_remove_rejects(def->base, def->id);
	delete_clone(def->base, def->id);
}

/* A table is gone. */
void
router_catalog_remove_clones(Oid base)
{
	router_catalog_delete("reject_def", "reject_def_base_idx", "base", base);
	router_catalog_delete("clone_def", "clone_def_base_idx", "base", base);
}

/* -------------------------------------------------------------------- rejects */

static SysScanDesc
scan_rejects(Oid base)
{
	return router_catalog_scan("reject_def", "reject_def_base_idx", REJECT_BASE, base);
}

/* The next of a clone: they come in the order of their numbers. */
static HeapTuple
next_reject(SysScanDesc scan, int64 clone)
{
	HeapTuple	tup;

	while (HeapTupleIsValid(tup = router_catalog_next(scan)))
		if (get_int8(tup, REJECT_CLONE, RelationGetDescr(scan->heap_rel)) == clone)
			break;
	return tup;
}

/* Those of a clone; the number of them. */
int64
router_catalog_remove_rejects(Oid base, int64 clone)
{
	SysScanDesc scan = router_catalog_scan_to_write("reject_def", "reject_def_base_idx", REJECT_BASE, base);
	HeapTuple	tup;
	int64		n = 0;

	for (; HeapTupleIsValid(tup = next_reject(scan, clone)); n++)
		CatalogTupleDelete(scan->heap_rel, &tup->t_self);
	router_catalog_end_write(scan);
	return n;
}

void
router_catalog_add_reject(const RouterCloneDef *def, const RouterReject *reject)
{
	Datum		values[REJECT_NATTS];
	bool		nulls[REJECT_NATTS] = {0};

	values[REJECT_CLONE - 1] = Int64GetDatum(def->id);
	values[REJECT_NUMBER - 1] = Int64GetDatum(reject->number);
	values[REJECT_BASE - 1] = ObjectIdGetDatum(def->base);
	values[REJECT_AT - 1] = TimestampTzGetDatum(GetCurrentTimestamp());
	values[REJECT_KIND - 1] = CStringGetTextDatum(reject->kind);
	values[REJECT_SQLSTATE - 1] = CStringGetTextDatum(reject->sqlstate);
	values[REJECT_MESSAGE - 1] = CStringGetTextDatum(reject->message);
	values[REJECT_ROW - 1] = reject->row;
	values[REJECT_TRIES - 1] = Int32GetDatum(reject->tries);
	router_catalog_insert("reject_def", values, nulls);
}

/* One that was read. */
void
router_catalog_remove_reject(const RouterReject *reject)
{
	Relation	rel = table_open(router_catalog_relid("reject_def"), RowExclusiveLock);
	ItemPointerData tid = reject->tid;

	CatalogTupleDelete(rel, &tid);
	table_close(rel, NoLock);
	CommandCounterIncrement();
}

/* The figure that counts those of a kind. */
int64 *
router_rejected_as(RouterRejected *rejected, const char *kind)
{
	return strcmp(kind, "duplicate") == 0 ? &rejected->duplicates :
		strcmp(kind, "constraint") == 0 ? &rejected->constraints : &rejected->errors;
}

void
router_catalog_count_rejects(Oid base, int64 clone, RouterRejected *rejected)
{
	SysScanDesc scan = scan_rejects(base);
	HeapTuple	tup;

	memset(rejected, 0, sizeof(RouterRejected));
	while (HeapTupleIsValid(tup = next_reject(scan, clone)))
	{
		char	   *kind = router_get_text(tup, REJECT_KIND, RelationGetDescr(scan->heap_rel));

		(*router_rejected_as(rejected, kind))++;
		pfree(kind);
	}
	router_catalog_end(scan);
}

/* No more than n of a clone, in the order of their numbers, above this one: RouterReject *. */
List *
router_catalog_rejects(Oid base, int64 clone, int64 after, int n)
{
	SysScanDesc scan = scan_rejects(base);
	TupleDesc	desc = RelationGetDescr(scan->heap_rel);
	List	   *rejects = NIL;
	HeapTuple	tup;
	bool		isnull;

	while (list_length(rejects) < n && HeapTupleIsValid(tup = next_reject(scan, clone)))
	{
		RouterReject *reject;

		if (get_int8(tup, REJECT_NUMBER, desc) <= after)
			continue;
		reject = palloc0(sizeof(RouterReject));
		reject->number = get_int8(tup, REJECT_NUMBER, desc);
		reject->tid = tup->t_self;
		reject->kind = router_get_text(tup, REJECT_KIND, desc);
		reject->row = JsonbPGetDatum(DatumGetJsonbPCopy(heap_getattr(tup, REJECT_ROW, desc, &isnull)));
		reject->tries = router_get_int4(tup, REJECT_TRIES, desc, 0);
		rejects = lappend(rejects, reject);
	}
	router_catalog_end(scan);
	return rejects;
}
