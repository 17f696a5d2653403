/*
 * defs_maintain.c
 *		Sole reader and writer of router.tier_def and maintain_def: what maintenance
 *		is to do.
 */
#include "compat.h"
#include "route/defs.h"

#include "access/table.h"
#include "catalog/indexing.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "route/catalog.h"

enum
{
	TIER_BASE = 1,
	TIER_AFTER,
	TIER_TABLESPACE,
	TIER_ACCESS_METHOD,
	TIER_SERVER,
	TIER_REMOTE_SCHEMA,
	TIER_NATTS = TIER_REMOTE_SCHEMA,
};

enum
{
	UPKEEP_BASE = 1,
	UPKEEP_PREMAKE,
	UPKEEP_KEEP,
	UPKEEP_KEEP_CHILDREN,
	UPKEEP_RETIRE,
	UPKEEP_RETIRE_SCHEMA,
	UPKEEP_SEAL,
	UPKEEP_NATTS = UPKEEP_SEAL,
};

static const char *const retire_names[] = {"drop", "detach", "schema"};

/* -------------------------------------------------------------------- tiers */

/* The tiers of a base, those of the youngest children first: a list of RouterTier. */
List *
router_catalog_tiers(Oid base)
{
	SysScanDesc scan = router_catalog_scan("tier_def", "tier_def_pkey", TIER_BASE, base);
	TupleDesc	desc = RelationGetDescr(scan->heap_rel);
	List	   *tiers = NIL;
	HeapTuple	tup;

	while (HeapTupleIsValid(tup = router_catalog_next(scan)))
	{
		RouterTier *tier = palloc0(sizeof(RouterTier));

		tier->after = router_get_interval(tup, TIER_AFTER, desc);
		tier->location.tablespace = router_get_name(tup, TIER_TABLESPACE, desc);
		tier->location.access_method = router_get_name(tup, TIER_ACCESS_METHOD, desc);
		tier->location.server = router_get_name(tup, TIER_SERVER, desc);
		tier->location.remote_schema = router_get_name(tup, TIER_REMOTE_SCHEMA, desc);
		tiers = lappend(tiers, tier);
	}
	router_catalog_end(scan);
	return tiers;
}

void
router_catalog_add_tier(Oid base, const RouterTier *tier)
{
	Datum		values[TIER_NATTS];
	bool		nulls[TIER_NATTS] = {0};

	values[TIER_BASE - 1] = ObjectIdGetDatum(base);
	values[TIER_AFTER - 1] = IntervalPGetDatum(tier->after);
	router_put_name(tier->location.tablespace, &values[TIER_TABLESPACE - 1], &nulls[TIER_TABLESPACE - 1]);
	router_put_name(tier->location.access_method, &values[TIER_ACCESS_METHOD - 1], &nulls[TIER_ACCESS_METHOD - 1]);
	router_put_name(tier->location.server, &values[TIER_SERVER - 1], &nulls[TIER_SERVER - 1]);
	router_put_name(tier->location.remote_schema, &values[TIER_REMOTE_SCHEMA - 1], &nulls[TIER_REMOTE_SCHEMA - 1]);
	router_catalog_insert("tier_def", values, nulls);
}

/* Forgets the tier of children of this age, if there is one. */
void
router_catalog_remove_tier(Oid base, const Interval *after)
{
	SysScanDesc scan = router_catalog_scan_to_write("tier_def", "tier_def_pkey", TIER_BASE, base);
	TupleDesc	desc = RelationGetDescr(scan->heap_rel);
	HeapTuple	tup;

	while (HeapTupleIsValid(tup = router_catalog_next(scan)))
		if (DatumGetBool(DirectFunctionCall2(interval_eq, IntervalPGetDatum(after),
											 IntervalPGetDatum(router_get_interval(tup, TIER_AFTER, desc)))))
			CatalogTupleDelete(scan->heap_rel, &tup->t_self);
	router_catalog_end_write(scan);
}

/* ------------------------------------------------- settings of router.maintain */

const char *
router_retire_name(RouterRetire retire)
{
	return retire_names[retire];
}

/* Errors: invalid_parameter_value. */
RouterRetire
router_retire_from_text(const char *retire)
{
	for (int i = 0; i < lengthof(retire_names); i++)
		if (strcmp(retire, retire_names[i]) == 0)
			return (RouterRetire) i;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid value \"%s\" for retire", retire),
			 errhint("Allowed are 'drop', 'detach' and 'schema'.")));
}

/* The settings of a base, and whether there are any; what is not set is as the struct says. */
bool
router_catalog_upkeep(Oid base, RouterUpkeep *upkeep)
{
	SysScanDesc scan = router_catalog_scan("maintain_def", "maintain_def_pkey", UPKEEP_BASE, base);
	TupleDesc	desc = RelationGetDescr(scan->heap_rel);
	HeapTuple	tup = router_catalog_next(scan);
	bool		found = HeapTupleIsValid(tup);

	memset(upkeep, 0, sizeof(*upkeep));
	upkeep->base = base;
	upkeep->premake = -1;
	if (found)
	{
		upkeep->premake = router_get_int4(tup, UPKEEP_PREMAKE, desc, -1);
		upkeep->keep = router_get_interval(tup, UPKEEP_KEEP, desc);
		upkeep->keep_children = router_get_int4(tup, UPKEEP_KEEP_CHILDREN, desc, 0);
		upkeep->retire = router_retire_from_text(router_get_text(tup, UPKEEP_RETIRE, desc));
		upkeep->retire_schema = router_get_name(tup, UPKEEP_RETIRE_SCHEMA, desc);
		upkeep->seal = router_get_names(tup, UPKEEP_SEAL, desc);
	}
	router_catalog_end(scan);
	return found;
}

/* Puts these settings in the place of what was there. */
void
router_catalog_put_upkeep(const RouterUpkeep *upkeep)
{
	Datum		values[UPKEEP_NATTS] = {0};
	bool		nulls[UPKEEP_NATTS] = {0};

	router_catalog_remove_upkeep(upkeep->base);
	values[UPKEEP_BASE - 1] = ObjectIdGetDatum(upkeep->base);
	values[UPKEEP_PREMAKE - 1] = Int32GetDatum(upkeep->premake);
	nulls[UPKEEP_PREMAKE - 1] = upkeep->premake < 0;
	values[UPKEEP_KEEP - 1] = IntervalPGetDatum(upkeep->keep);
	nulls[UPKEEP_KEEP - 1] = upkeep->keep == NULL;
	values[UPKEEP_KEEP_CHILDREN - 1] = Int32GetDatum(upkeep->keep_children);
	nulls[UPKEEP_KEEP_CHILDREN - 1] = upkeep->keep_children == 0;
	values[UPKEEP_RETIRE - 1] = CStringGetTextDatum(router_retire_name(upkeep->retire));
	router_put_name(upkeep->retire_schema, &values[UPKEEP_RETIRE_SCHEMA - 1], &nulls[UPKEEP_RETIRE_SCHEMA - 1]);
	nulls[UPKEEP_SEAL - 1] = upkeep->seal == NIL;
	if (upkeep->seal)
		values[UPKEEP_SEAL - 1] = router_name_array(upkeep->seal);
	router_catalog_insert("maintain_def", values, nulls);
}

/* A column of a base got another name, or (NULL) is gone. */
void
router_catalog_follow_upkeep(Oid base, const char *column, const char *to)
{
	RouterUpkeep upkeep;
	List	   *seal = NIL;
	bool		changed = false;
	ListCell   *lc;

	if (!router_catalog_upkeep(base, &upkeep))
		return;
	foreach(lc, upkeep.seal)
	{
		bool		same = strcmp(lfirst(lc), column) == 0;

		changed |= same;
		if (!same || to)
			seal = lappend(seal, same ? pstrdup(to) : lfirst(lc));
	}
	upkeep.seal = seal;
	if (changed)
		router_catalog_put_upkeep(&upkeep);
}

void
router_catalog_remove_upkeep(Oid base)
{
	router_catalog_delete("maintain_def", "maintain_def_pkey", "base", base);
}
