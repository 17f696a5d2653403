/*
 * child_of.c
 *		router.child_of: which table of a route holds the rows with these key values.
 *
 * Locking: none. It reads what the catalog shows to everybody, and no table.
 */
#include "compat.h"

#include "funcapi.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"

#include "route/cache.h"
#include "route/owned.h"
#include "base/args.h"

PG_FUNCTION_INFO_V1(router_child_of);

/* A value of whatever type as one of the key's. The settings of the route are pinned. */
static Datum
key_value(const RouterKey *key, Datum value, Oid type)
{
	Oid			output;
	bool		varlena;

	if (getBaseType(type) == key->typid)
		return value;
	getTypeOutputInfo(type, &output, &varlena);
	return router_key_input(key, OidOutputFunctionCall(output, value));
}

/* The table in which a row with these values is, if there is one; InvalidOid: no child holds them. */
static Oid
find_table(RouterRoute *route, const Datum *values, const bool *isnull)
{
	RouterMiss	miss;
	Oid			child;

	if (router_route_zone(route, values, isnull) != ROUTER_COLD)
		return route->config.base;
	child = router_route_find(route, values, isnull, &miss);
	return OidIsValid(child) ? child : route->default_child;
}

/*
 * router.child_of(base, VARIADIC values): a child, the base for values that are hot, or NULL.
 *
 * Errors: undefined_table, object_not_in_prerequisite_state (no routed table),
 * invalid_parameter_value (their number), those of the input of the keys' types.
 */
Datum
router_child_of(PG_FUNCTION_ARGS)
{
	Oid			base = router_arg_oid(fcinfo, 0);
	RouterRoute *route;
	Datum	   *given;
	Oid		   *types;
	bool	   *nulls;
	int			n = extract_variadic_args(fcinfo, 1, false, &given, &types, &nulls);
	Datum		values[ROUTER_MAX_LEVELS];
	bool		isnull[ROUTER_MAX_LEVELS];
	Oid			found;
	int			guc_level;

	router_require(fcinfo, 1);
	router_check_routed(base);
	route = router_route_locked(router_cache_entry(base));
	if (n != route->config.nkeys)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%d values given for a route of %d keys", Max(n, 0), route->config.nkeys),
				 errhint("Give one value a key, outermost first; NULL is one.")));
	guc_level = router_pin_settings(route->config.time_zone);
	for (int i = 0; i < n; i++)
	{
		isnull[i] = nulls[i];
		values[i] = nulls[i] ? (Datum) 0 : key_value(&route->config.keys[i], given[i], types[i]);
	}
	found = find_table(route, values, isnull);
	AtEOXact_GUC(false, guc_level);
	if (!OidIsValid(found))
		PG_RETURN_NULL();
	PG_RETURN_OID(found);
}
