/*
 * defs_child.c
 *		Sole reader and writer of the table router.child_def: the children, and what each of them holds.
 */
#include "compat.h"
#include "route/catalog.h"

#include "access/table.h"
#include "catalog/indexing.h"
#include "utils/inval.h"

#include "route/defs.h"

enum
{
	CHILD_CHILD = 1,
	CHILD_BASE,
	CHILD_BOUNDS,
	CHILD_NATTS = CHILD_BOUNDS,
};

static RouterChildDef *
read_child(HeapTuple tup, TupleDesc desc)
{
	RouterChildDef *def = palloc(sizeof(RouterChildDef));
	bool		isnull;

	def->child = router_get_oid(tup, CHILD_CHILD, desc);
	def->base = router_get_oid(tup, CHILD_BASE, desc);
	def->bounds = router_text_elements(heap_getattr(tup, CHILD_BOUNDS, desc, &isnull), &def->nbounds);
	return def;
}

/* The children of a base: a list of RouterChildDef. */
List *
router_catalog_children(Oid base)
{
	SysScanDesc scan = router_catalog_scan("child_def", "child_def_base_idx", CHILD_BASE, base);
	TupleDesc	desc = RelationGetDescr(scan->heap_rel);
	List	   *children = NIL;
	HeapTuple	tup;

	while (HeapTupleIsValid(tup = router_catalog_next(scan)))
		children = lappend(children, read_child(tup, desc));
	router_catalog_end(scan);
	return children;
}

/* The definition of a child, or NULL. */
RouterChildDef *
router_catalog_child(Oid child)
{
	SysScanDesc scan = router_catalog_scan("child_def", "child_def_pkey", CHILD_CHILD, child);
	TupleDesc	desc = RelationGetDescr(scan->heap_rel);
	HeapTuple	tup = router_catalog_next(scan);
	RouterChildDef *def = HeapTupleIsValid(tup) ? read_child(tup, desc) : NULL;

	router_catalog_end(scan);
	return def;
}

void
router_catalog_add_child(Oid child, Oid base, char **bounds, int nbounds)
{
	Datum		values[CHILD_NATTS];
	bool		nulls[CHILD_NATTS] = {0};

	values[CHILD_CHILD - 1] = ObjectIdGetDatum(child);
	values[CHILD_BASE - 1] = ObjectIdGetDatum(base);
	values[CHILD_BOUNDS - 1] = router_text_array(bounds, nbounds);
	/* before the row, so that the message is dealt with when this returns: see router_cache_add_child */
	CacheInvalidateRelcacheByRelid(base);
	router_catalog_invalidate(child);
	router_catalog_insert("child_def", values, nulls);
}

/* Writes anew what a child holds, which is the same. The messages are for who finds neither version of the row. */
void
router_catalog_put_bounds(Oid child, char **bounds, int nbounds)
{
	SysScanDesc scan = router_catalog_scan_to_write("child_def", "child_def_pkey", CHILD_CHILD, child);
	TupleDesc	desc = RelationGetDescr(scan->heap_rel);
	HeapTuple	tup = router_catalog_next(scan);
	int			column = CHILD_BOUNDS;
	Datum		value = router_text_array(bounds, nbounds);
	bool		isnull = false;

	if (HeapTupleIsValid(tup))
	{
		router_catalog_invalidate(child);
		router_catalog_invalidate(router_get_oid(tup, CHILD_BASE, desc));
		tup = heap_modify_tuple_by_cols(tup, desc, 1, &column, &value, &isnull);
		CatalogTupleUpdate(scan->heap_rel, &tup->t_self, tup);
	}
	router_catalog_end_write(scan);
}
