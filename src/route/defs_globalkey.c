/*
 * defs_globalkey.c
 *		Sole reader and writer of the table router.global_key_def.
 */
#include "compat.h"
#include "route/catalog.h"

#include "access/table.h"
#include "catalog/dependency.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"

#include "route/defs.h"

enum
{
	GLOBAL_BASE = 1,
	GLOBAL_KEY_TABLE,
	GLOBAL_COLUMNS,
	GLOBAL_ATTNUMS,
	GLOBAL_NATTS = GLOBAL_ATTNUMS,
};

static RouterGlobalKey *
read_global_key(HeapTuple tup, TupleDesc desc)
{
	RouterGlobalKey *key = palloc0(sizeof(RouterGlobalKey));
	bool		isnull;
	Datum	   *columns,
			   *attnums;
	int			n;

	key->key_table = router_get_oid(tup, GLOBAL_KEY_TABLE, desc);
	deconstruct_array(DatumGetArrayTypeP(heap_getattr(tup, GLOBAL_COLUMNS, desc, &isnull)),
					  NAMEOID, NAMEDATALEN, false, TYPALIGN_CHAR, &columns, NULL, &key->ncolumns);
	deconstruct_array(DatumGetArrayTypeP(heap_getattr(tup, GLOBAL_ATTNUMS, desc, &isnull)),
					  INT2OID, sizeof(int16), true, TYPALIGN_SHORT, &attnums, NULL, &n);
	if (n != key->ncolumns || n == 0)
		elog(ERROR, "global key %u has %d columns and %d numbers", key->key_table, key->ncolumns, n);
	key->columns = palloc(n * sizeof(char *));
	key->attnums = palloc(n * sizeof(AttrNumber));
	for (int i = 0; i < n; i++)
	{
		key->columns[i] = pstrdup(NameStr(*DatumGetName(columns[i])));
		key->attnums[i] = DatumGetInt16(attnums[i]);
	}
	return key;
}

/* The global keys of a base: a list of RouterGlobalKey. */
List *
router_catalog_global_keys(Oid base)
{
	SysScanDesc scan = router_catalog_scan("global_key_def", "global_key_def_base_idx", GLOBAL_BASE, base);
	TupleDesc	desc = RelationGetDescr(scan->heap_rel);
	List	   *keys = NIL;
	HeapTuple	tup;

	while (HeapTupleIsValid(tup = router_catalog_next(scan)))
		keys = lappend(keys, read_global_key(tup, desc));
	router_catalog_end(scan);
	return keys;
}

/* The base whose global key a table keeps, or InvalidOid. */
Oid
router_catalog_global_key_base(Oid key_table)
{
	SysScanDesc scan = router_catalog_scan("global_key_def", "global_key_def_pkey", GLOBAL_KEY_TABLE, key_table);
	TupleDesc	desc = RelationGetDescr(scan->heap_rel);
	HeapTuple	tup = router_catalog_next(scan);
	Oid			base = HeapTupleIsValid(tup) ? router_get_oid(tup, GLOBAL_BASE, desc) : InvalidOid;

	router_catalog_end(scan);
	return base;
}

/* The key table goes when its base goes, and cannot be dropped without leave of what refers to it. */
void
router_depend_on_base(Oid key_table, Oid base)
{
	ObjectAddress depender = {RelationRelationId, key_table, 0};
	ObjectAddress referenced = {RelationRelationId, base, 0};

	deleteDependencyRecordsForSpecific(RelationRelationId, key_table, DEPENDENCY_AUTO, RelationRelationId, base);
	recordDependencyOn(&depender, &referenced, DEPENDENCY_AUTO);
}

void
router_catalog_add_global_key(Oid base, const RouterGlobalKey *key)
{
	Datum		values[GLOBAL_NATTS];
	bool		nulls[GLOBAL_NATTS] = {0};
	Datum	   *columns = palloc(key->ncolumns * sizeof(Datum));
	Datum	   *attnums = palloc(key->ncolumns * sizeof(Datum));

	for (int i = 0; i < key->ncolumns; i++)
	{
		columns[i] = DirectFunctionCall1(namein, CStringGetDatum(key->columns[i]));
		attnums[i] = Int16GetDatum(key->attnums[i]);
	}
	values[GLOBAL_BASE - 1] = ObjectIdGetDatum(base);
	values[GLOBAL_KEY_TABLE - 1] = ObjectIdGetDatum(key->key_table);
	values[GLOBAL_COLUMNS - 1] = PointerGetDatum(construct_array(columns, key->ncolumns, NAMEOID, NAMEDATALEN,
																 false, TYPALIGN_CHAR));
	values[GLOBAL_ATTNUMS - 1] = PointerGetDatum(construct_array(attnums, key->ncolumns, INT2OID, sizeof(int16),
																 true, TYPALIGN_SHORT));
	router_catalog_insert("global_key_def", values, nulls);
	router_depend_on_base(key->key_table, base);
	CacheInvalidateRelcacheByRelid(base);
}

/* Forgets a global key; its table may be gone already. */
void
router_catalog_remove_global_key(Oid key_table)
{
	Oid			base = router_catalog_global_key_base(key_table);

	router_catalog_delete("global_key_def", "global_key_def_pkey", "key_table", key_table);
	router_catalog_invalidate(base);
}

/* Follows renamed columns of a base. */
void
router_catalog_rename_global_keys(Oid base)
{
	ListCell   *lc;

	foreach(lc, router_catalog_global_keys(base))
	{
		RouterGlobalKey *key = lfirst(lc);
		bool		changed = false;

		for (int i = 0; i < key->ncolumns; i++)
		{
			char	   *column = get_attname(base, key->attnums[i], true);

			changed = changed || (column && strcmp(column, key->columns[i]) != 0);
			if (column)
				key->columns[i] = column;
		}
		if (!changed)
			continue;
		router_catalog_remove_global_key(key->key_table);
		router_catalog_add_global_key(base, key);
	}
}
