/*
 * changed.c
 *		Changes of the catalog that come with SQL, from pg_restore or a superuser,
 *		take effect: the triggers on its tables.
 *
 * Each tells the sessions that know the base (cache.c), as those do that come by router's functions.
 */
#include "compat.h"
#include "route/defs.h"

#include "catalog/pg_trigger.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "route/catalog.h"
#include "route/watermark.h"
#include "base/guard.h"

PG_FUNCTION_INFO_V1(router_config_changed);

/* What a row of a table of the catalog names: its base, and a column of it with its number. */
typedef struct Watched
{
	const char *table;
	AttrNumber	base;
	AttrNumber	column;
	AttrNumber	attnum;
} Watched;

static const Watched watched[] = {
	{"route_def", ROUTE_BASE},
	{"key_def", KEY_BASE, KEY_COLUMN, KEY_ATTNUM},
	{"child_def", CHILD_BASE},
	{"reach_def", REACH_BASE},
	{"global_key_def", GLOBAL_BASE},
	{"seal_def", SEAL_BASE, SEAL_COLUMN, SEAL_ATTNUM},
	{"unsealed_def", SEAL_BASE},
};

/* Errors: trigger_protocol_violated, for a table that is none of the catalog, whatever it is called. */
static const Watched *
watched_table(Oid relid)
{
	for (int i = 0; i < lengthof(watched); i++)
		if (router_catalog_relid(watched[i].table) == relid)
			return &watched[i];
	ereport(ERROR,
			(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
			 errmsg("function \"router.%s\" is for the tables of router itself", "config_changed")));
}

/* A restored row of key_def names its column; its number may be another one now. */
static HeapTuple
refill_attnum(HeapTuple tup, TupleDesc desc, const Watched *table)
{
	int			attno = table->attnum;
	char	   *column = router_get_name(tup, table->column, desc);
	AttrNumber	attnum = column ? get_attnum(router_get_oid(tup, table->base, desc), column) : InvalidAttrNumber;
	Datum		value = Int16GetDatum(attnum);
	bool		null = false;

	if (attnum == InvalidAttrNumber)
		return tup;
	return heap_modify_tuple_by_cols(tup, desc, 1, &attno, &value, &null);
}

/* The same for a row of global_key_def; and what pg_dump does not know, that the key table depends on its base. */
static HeapTuple
refill_global_key(HeapTuple tup, TupleDesc desc)
{
	Oid			base = router_get_oid(tup, GLOBAL_BASE, desc);
	Oid			key_table = router_get_oid(tup, GLOBAL_KEY_TABLE, desc);
	bool		isnull;
	Datum		columns = heap_getattr(tup, GLOBAL_COLUMNS, desc, &isnull);
	List	   *names = isnull ? NIL : router_catalog_names(DatumGetArrayTypeP(columns));
	Datum	   *attnums = palloc((list_length(names) + 1) * sizeof(Datum));
	int			attno = GLOBAL_ATTNUMS;
	Datum		value;
	bool		null = false;
	ListCell   *lc;

	foreach(lc, names)
	{
		AttrNumber	attnum = get_attnum(base, lfirst(lc));

		if (attnum == InvalidAttrNumber)
			return tup;
		attnums[foreach_current_index(lc)] = Int16GetDatum(attnum);
	}
	if (names == NIL)
		return tup;
	if (SearchSysCacheExists1(RELOID, ObjectIdGetDatum(key_table)))
		router_depend_on_base(key_table, base);
	value = PointerGetDatum(construct_array(attnums, list_length(names), INT2OID, sizeof(int16), true, TYPALIGN_SHORT));
	return heap_modify_tuple_by_cols(tup, desc, 1, &attno, &value, &null);
}

/*
 * BEFORE ROW trigger on some of the tables: what pg_restore or a superuser writes
 * there takes effect. AFTER ROW on those with marks: the forewarning comes after
 * the change.
 */
Datum
router_config_changed(PG_FUNCTION_ARGS)
{
	static const int16 any_row = TRIGGER_TYPE_ROW | TRIGGER_TYPE_INSERT | TRIGGER_TYPE_UPDATE | TRIGGER_TYPE_DELETE;
	const RouterOwnTrigger own[] = {{"config_changed", any_row | TRIGGER_TYPE_BEFORE}, {"marks_changed", any_row}};
	TriggerData *trigdata = router_own_call(fcinfo, "config_changed", own, lengthof(own));
	const Watched *table = watched_table(RelationGetRelid(trigdata->tg_relation));
	HeapTuple	tup = TRIGGER_FIRED_BY_UPDATE(trigdata->tg_event) ? trigdata->tg_newtuple : trigdata->tg_trigtuple;
	TupleDesc	desc = RelationGetDescr(trigdata->tg_relation);

	router_catalog_invalidate(router_get_oid(tup, table->base, desc));
	if (TRIGGER_FIRED_AFTER(trigdata->tg_event))
	{
		router_marks_forewarn();
		return PointerGetDatum(NULL);
	}
	if (strcmp(table->table, "child_def") == 0)
		router_catalog_invalidate(router_get_oid(tup, CHILD_CHILD, desc));
	if (TRIGGER_FIRED_BY_DELETE(trigdata->tg_event))
		return PointerGetDatum(tup);
	if (table->column)
		tup = refill_attnum(tup, desc, table);
	else if (strcmp(table->table, "global_key_def") == 0)
		tup = refill_global_key(tup, desc);
	return PointerGetDatum(tup);
}
