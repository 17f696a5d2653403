/*
 * rekey.c
 *		CALL router.rekey: a routed table gets other keys, or other steps of them, while
 *		it is used. All its children are replaced.
 *
 * The rows of a hot base stay in it: where they belong the watermark tells, and that is a date and no child.
 */
#include "compat.h"

#include "access/table.h"
#include "executor/spi.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "admin/route_settings.h"
#include "base/args.h"
#include "reshape/reshape.h"
#include "reshape/shadow.h"
#include "route/catalog.h"
#include "route/owned.h"

PG_FUNCTION_INFO_V1(router_rekey);
PG_FUNCTION_INFO_V1(router_rekey_key);

enum
{
	ARG_BASE,
	ARG_KEYS,
	ARG_TEMPLATE,
	ARG_LATER,
};

/* The arguments with which create_route makes the shadow, from keys on. */
static FunctionCallInfo
route_arguments(FunctionCallInfo fcinfo, const RouterConfig *config, bool default_child)
{
	FunctionCallInfo route = palloc0(SizeForFunctionCallInfo(ROUTER_ROUTE_ARGUMENTS + 1));
	Interval   *horizon = palloc0(sizeof(Interval));
	NullableDatum values[] = {
		{ObjectIdGetDatum(config->base)}, fcinfo->args[ARG_KEYS], {0, config->template == NULL},
		{CStringGetTextDatum(config->time_zone)}, {BoolGetDatum(default_child)}, {CStringGetTextDatum("create")},
		{CStringGetTextDatum("error")}, {IntervalPGetDatum(horizon)}, {Int32GetDatum(ROUTER_ANY_NUMBER)}, {0, true},
		{0, config->child_schema == NULL},
	};

	StaticAssertStmt(lengthof(values) == ROUTER_ROUTE_ARGUMENTS + 1, "arguments of create_route");
	horizon->month = ROUTER_ANY_HORIZON * MONTHS_PER_YEAR;
	if (config->template)
		values[ARG_TEMPLATE].value = CStringGetTextDatum(config->template);
	if (config->child_schema)
		values[ROUTER_ROUTE_ARGUMENTS].value = DirectFunctionCall1(namein, CStringGetDatum(config->child_schema));
	InitFunctionCallInfoData(*route, NULL, lengthof(values), InvalidOid, NULL, NULL);
	memcpy(route->args, values, sizeof(values));
	return route;
}

/* Is this another route, that can be? */
static void
check_config(RouterReshape *r, const RouterConfig *there, RouterConfig *config)
{
	Relation	base = table_open(r->job.base, AccessShareLock);

	router_check_config(config, base, true);
	table_close(base, NoLock);
	if (router_same_keys(there, config))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table \"%s\" is routed by these keys already", get_rel_name(r->job.base)),
				 errhint("See router.routes.")));
	if (there->hot && !router_same_hot_key(there, config))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table \"%s\" holds current rows by the dates of another key", get_rel_name(r->job.base)),
				 errhint("End that first, with router.alter_route(…, hot => '0').")));
}

static void
check(RouterReshape *r)
{
	FunctionCallInfo fcinfo = r->fcinfo;
	RouterSettings settings = {.default_child = -1,.max_new_children = -1};
	RouterCacheEntry *entry;
	RouterConfig *there;
	RouterConfig *config;
	bool		default_child;
	MemoryContext old;
	ListCell   *lc;

	LockRelationOid(r->job.base, AccessShareLock);
	entry = router_owned_route(r->job.base);
	default_child = OidIsValid(router_cache_route(entry)->default_child);
	there = router_catalog_route(r->job.base);
	settings.template = PG_ARGISNULL(ARG_TEMPLATE) ? there->template : router_arg_text(fcinfo, ARG_TEMPLATE);
	config = router_wanted_config(r->job.base, there, PG_GETARG_ARRAYTYPE_P(ARG_KEYS), &settings, default_child);
	check_config(r, there, config);
	old = MemoryContextSwitchTo(r->job.cxt);
	list_free(r->sources);
	r->sources = NIL;
	foreach(lc, router_catalog_children(r->job.base))
		r->sources = lappend_oid(r->sources, ((RouterChildDef *) lfirst(lc))->child);
	r->route = route_arguments(fcinfo, config, default_child);
	MemoryContextSwitchTo(old);
	foreach(lc, r->sources)
		router_check_source(r, lfirst_oid(lc));
	if (list_length(r->sources) > 1)
		router_check_keys(r);
	if (OidIsValid(r->def.shadow))
		router_shadow_check_route(r->job.base, r->def.shadow, r->route);
}

static Datum
rekey(FunctionCallInfo fcinfo)
{
	static const RouterReshapeKind kind = {check, router_shadow_give_keys, true};
	RouterReshape r;

	router_require(fcinfo, 2);
	router_reshape_begin(&r, fcinfo, PG_GETARG_OID(ARG_BASE), "rekey", ARG_LATER);
	r.kind = &kind;
	if (router_reshape_call(&r))
		ereport(NOTICE,
				(errmsg("gave %s other keys, " UINT64_FORMAT " rows", router_job_name(r.job.base), r.rows)));
	else if (r.job.dry_run)
		ereport(NOTICE,
				(errmsg("would give %s other keys, about " UINT64_FORMAT " rows in %d children",
						router_job_name(r.job.base), r.expected, list_length(r.sources))));
	router_job_end(&r.job);
	PG_RETURN_VOID();
}

/* CALL router.rekey(base, keys, template, batch_rows, pause, time_budget, lock_timeout, dry_run) */
Datum
router_rekey(PG_FUNCTION_ARGS)
{
	return rekey(fcinfo);
}

/* The same with one key. */
Datum
router_rekey_key(PG_FUNCTION_ARGS)
{
	router_reshape_one_key(fcinfo);
	return rekey(fcinfo);
}
