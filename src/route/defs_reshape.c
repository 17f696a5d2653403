/*
 * defs_reshape.c
 *		Sole reader and writer of router.reshape_def: how far tables are that get
 *		another shape. See reshape/reshape.c.
 */
#include "compat.h"
#include "route/defs_reshape.h"

#include "access/htup_details.h"
#include "utils/builtins.h"
#include "utils/rel.h"

#include "route/defs.h"

enum
{
	RESHAPE_BASE = 1,
	RESHAPE_ACTION,
	RESHAPE_SHADOW,
	RESHAPE_LOG,
	RESHAPE_IN_STEP,
	RESHAPE_ALL,
	RESHAPE_WHOLE,
	RESHAPE_SOURCES,
	RESHAPE_FILES,
	RESHAPE_SOURCE,
	RESHAPE_POSITION,
	RESHAPE_BLOCKS,
	RESHAPE_DONE,
	RESHAPE_SINCE,
	RESHAPE_COLUMNS,
	RESHAPE_NATTS = RESHAPE_COLUMNS,
};

static Oid *
get_oids(HeapTuple tup, int attno, TupleDesc desc, int *n)
{
	bool		isnull;
	oidvector  *oids = (oidvector *) PG_DETOAST_DATUM(heap_getattr(tup, attno, desc, &isnull));

	*n = oids->dim1;
	return memcpy(palloc(oids->dim1 * sizeof(Oid)), oids->values, oids->dim1 * sizeof(Oid));
}

/* The reshaping of a table that is under way or was interrupted; NULL: none. */
RouterReshapeDef *
router_catalog_reshape(Oid base)
{
	SysScanDesc scan = router_catalog_scan("reshape_def", "reshape_def_pkey", RESHAPE_BASE, base);
	HeapTuple	tup = router_catalog_next(scan);
	TupleDesc	desc = RelationGetDescr(scan->heap_rel);
	RouterReshapeDef *def = NULL;
	bool		isnull;

	if (HeapTupleIsValid(tup))
	{
		def = palloc0(sizeof(RouterReshapeDef));
		def->base = base;
		def->action = router_get_text(tup, RESHAPE_ACTION, desc);
		def->shadow = router_get_oid(tup, RESHAPE_SHADOW, desc);
		def->log = router_get_oid(tup, RESHAPE_LOG, desc);
		def->in_step = DatumGetBool(heap_getattr(tup, RESHAPE_IN_STEP, desc, &isnull));
		def->all = DatumGetBool(heap_getattr(tup, RESHAPE_ALL, desc, &isnull));
		def->whole = DatumGetBool(heap_getattr(tup, RESHAPE_WHOLE, desc, &isnull));
		def->sources = get_oids(tup, RESHAPE_SOURCES, desc, &def->nsources);
		def->files = get_oids(tup, RESHAPE_FILES, desc, &def->nsources);
		def->source = router_get_int4(tup, RESHAPE_SOURCE, desc, 0);
		def->position = *(ItemPointer) DatumGetPointer(heap_getattr(tup, RESHAPE_POSITION, desc, &isnull));
		def->blocks = (BlockNumber) DatumGetInt64(heap_getattr(tup, RESHAPE_BLOCKS, desc, &isnull));
		def->done = DatumGetInt64(heap_getattr(tup, RESHAPE_DONE, desc, &isnull));
		def->since = DatumGetTransactionId(heap_getattr(tup, RESHAPE_SINCE, desc, &isnull));
		def->columns = router_get_text(tup, RESHAPE_COLUMNS, desc);
	}
	router_catalog_end(scan);
	return def;
}

void
router_catalog_remove_reshape(Oid base)
{
	router_catalog_delete("reshape_def", "reshape_def_pkey", "base", base);
}

void
router_catalog_put_reshape(const RouterReshapeDef *def)
{
	Datum		values[RESHAPE_NATTS];
	bool		nulls[RESHAPE_NATTS] = {0};
	ItemPointerData position = def->position;

	values[RESHAPE_BASE - 1] = ObjectIdGetDatum(def->base);
	values[RESHAPE_ACTION - 1] = CStringGetTextDatum(def->action);
	values[RESHAPE_SHADOW - 1] = ObjectIdGetDatum(def->shadow);
	values[RESHAPE_LOG - 1] = ObjectIdGetDatum(def->log);
	values[RESHAPE_IN_STEP - 1] = BoolGetDatum(def->in_step);
	values[RESHAPE_ALL - 1] = BoolGetDatum(def->all);
	values[RESHAPE_WHOLE - 1] = BoolGetDatum(def->whole);
	values[RESHAPE_SOURCES - 1] = PointerGetDatum(buildoidvector(def->sources, def->nsources));
	values[RESHAPE_FILES - 1] = PointerGetDatum(buildoidvector(def->files, def->nsources));
	values[RESHAPE_SOURCE - 1] = Int32GetDatum(def->source);
	values[RESHAPE_POSITION - 1] = PointerGetDatum(&position);
	values[RESHAPE_BLOCKS - 1] = Int64GetDatum(def->blocks);
	values[RESHAPE_DONE - 1] = Int64GetDatum(def->done);
	values[RESHAPE_SINCE - 1] = TransactionIdGetDatum(def->since);
	values[RESHAPE_COLUMNS - 1] = CStringGetTextDatum(def->columns);
	router_catalog_remove_reshape(def->base);
	router_catalog_insert("reshape_def", values, nulls);
}

/* Are the rows copied of the source that is at work; last: of all? */
bool
router_reshape_is_copied(const RouterReshapeDef *def, bool last)
{
	return ItemPointerGetBlockNumber(&def->position) >= def->blocks && (!last || def->source == def->nsources - 1);
}
