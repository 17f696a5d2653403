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
#include "executor/spi.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "route/catalog.h"
#include "route/watermark.h"
#include "base/guard.h"

PG_FUNCTION_INFO_V1(router_config_changed);

/* A table whose rows name their base, and a column of it by name, as its number may be another one after a restore. */
typedef struct Watched
{
	const char *table;
	const char *column;
} Watched;

static const Watched watched[] = {
	{"route_def"},
	{"key_def", "column_name"},
	{"child_def"},
	{"reach_def"},
	{"global_key_def"},
	{"seal_def", "column"},
	{"unsealed_def"},
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

static Oid
oid_of(HeapTuple tup, const char *column, TupleDesc desc)
{
	return router_get_oid(tup, SPI_fnumber(desc, column), desc);
}

/* A restored row gets the number that its column has now. */
static HeapTuple
refill_attnum(HeapTuple tup, TupleDesc desc, const char *column)
{
	int			attno = SPI_fnumber(desc, "attnum");
	char	   *name = router_get_name(tup, SPI_fnumber(desc, column), desc);
	AttrNumber	attnum = name ? get_attnum(oid_of(tup, "base", desc), name) : InvalidAttrNumber;
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
	Oid			base = oid_of(tup, "base", desc);
	Oid			key_table = oid_of(tup, "key_table", desc);
	List	   *names = router_get_names(tup, SPI_fnumber(desc, "columns"), desc);
	Datum	   *attnums = palloc((list_length(names) + 1) * sizeof(Datum));
	int			attno = SPI_fnumber(desc, "attnums");
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

	router_catalog_invalidate(oid_of(tup, "base", desc));
	if (TRIGGER_FIRED_AFTER(trigdata->tg_event))
	{
		router_marks_forewarn();
		return PointerGetDatum(NULL);
	}
	if (strcmp(table->table, "child_def") == 0)
		router_catalog_invalidate(oid_of(tup, "child", desc));
	if (TRIGGER_FIRED_BY_DELETE(trigdata->tg_event))
		return PointerGetDatum(tup);
	if (table->column)
		tup = refill_attnum(tup, desc, table->column);
	else if (strcmp(table->table, "global_key_def") == 0)
		tup = refill_global_key(tup, desc);
	return PointerGetDatum(tup);
}
