/*
 * route_ddl.c
 *		router.route_ddl: the calls that make a route anew.
 *
 * Locking: none. All that it tells is in the catalog, which everybody may read.
 */
#include "compat.h"
#include "admin/route_ddl.h"

#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/timestamp.h"

#include "admin/route_settings.h"
#include "base/args.h"
#include "base/report.h"
#include "base/sql.h"
#include "child/child_bounds.h"
#include "child/child_name.h"
#include "route/owned.h"
#include "route/stored.h"

PG_FUNCTION_INFO_V1(router_route_ddl);

typedef struct RouteText
{
	RouterReport report;
	RouterRoute *route;
	char	   *base;			/* as a literal */
	bool		children;		/* all of them */
	RouterUpkeep upkeep;
	List	   *seals;			/* the calls for them, which come last */
} RouteText;

/* -------------------------------------------------------------------- pieces */

static void put_line(RouteText *text, const char *fmt,...) pg_attribute_printf(2, 3);

static void
put_line(RouteText *text, const char *fmt,...)
{
	va_list		args;

	va_start(args, fmt);
	router_report_line(&text->report, router_format(fmt, args));
	va_end(args);
}

/* ", name => 'value'", if there is one */
static void
append_argument(StringInfo buf, const char *name, const char *value)
{
	if (value)
		appendStringInfo(buf, ", %s => %s", name, quote_literal_cstr(value));
}

/* "ARRAY['a', 'b']" of C strings */
static char *
array_text(char **texts, int n)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (int i = 0; i < n; i++)
		appendStringInfo(&buf, "%s%s", i > 0 ? ", " : "ARRAY[", quote_literal_cstr(texts[i]));
	appendStringInfoChar(&buf, ']');
	return buf.data;
}

static char *
names_text(List *names)
{
	char	  **texts = palloc(list_length(names) * sizeof(char *));
	ListCell   *lc;

	foreach(lc, names)
		texts[foreach_current_index(lc)] = lfirst(lc);
	return array_text(texts, list_length(names));
}

/* --------------------------------------------------------------------- route */

/* A key as the call that makes it. */
void
router_append_key(StringInfo buf, const RouterKey *key)
{
	appendStringInfo(buf, "router.by_%s(%s", router_kind_name(key->kind), quote_literal_cstr(key->column));
	if (key->modulus > 0)
		appendStringInfo(buf, ", %d", key->modulus);
	append_argument(buf, "every", key->every);
	if (key->ngroups > 0)
		appendStringInfo(buf, ", groups => %s", array_text(key->groups, key->ngroups));
	append_argument(buf, "pivot", key->pivot);
	if (key->from_pivot)
		appendStringInfoString(buf, ", from_pivot => true");
	append_argument(buf, "label", key->label);
	appendStringInfoChar(buf, ')');
}

/* create_route, with what differs from its defaults; the zone is that of a session otherwise. */
static void
put_route(RouteText *text)
{
	RouterConfig *config = &text->route->config;
	RouterSettings none = {.default_child = -1,.max_new_children = -1};
	RouterConfig *usual = router_wanted_config(config->base, NULL, NULL, &none, false);
	StringInfoData buf;

	initStringInfo(&buf);
	for (int i = 0; i < config->nkeys; i++)
	{
		appendStringInfoString(&buf, i > 0 ? ", " : config->nkeys > 1 ? "ARRAY[" : "");
		router_append_key(&buf, &config->keys[i]);
	}
	if (config->nkeys > 1)
		appendStringInfoChar(&buf, ']');
	append_argument(&buf, "template", config->template);
	append_argument(&buf, "time_zone", config->time_zone);
	append_argument(&buf, "child_schema", config->child_schema);
	if (OidIsValid(text->route->default_child))
		appendStringInfoString(&buf, ", default_child => true");
	if (config->on_missing != usual->on_missing)
		append_argument(&buf, "on_missing", router_policy_name(config->on_missing));
	if (config->on_reject != usual->on_reject)
		append_argument(&buf, "on_reject", router_policy_name(config->on_reject));
	if (memcmp(&config->horizon, &usual->horizon, sizeof(Interval)) != 0)
		append_argument(&buf, "horizon", router_interval_text(&config->horizon));
	if (config->max_new_children != usual->max_new_children)
		appendStringInfo(&buf, ", max_new_children => %d", config->max_new_children);
	append_argument(&buf, "hot", router_interval_text(config->hot));
	put_line(text, "SELECT router.create_route(%s, %s);", text->base, buf.data);
}

/* ------------------------------------------------------------------ children */

/* Does a row for a child with these bounds make it, where there is no other child? */
static bool
comes_by_itself(RouterRoute *route, RouterBound **bounds)
{
	RouterRoute empty = {.config = route->config};
	RouterMiss	miss = {.path = {&empty.root}};
	RouterBound *made[ROUTER_MAX_LEVELS];
	Datum		values[ROUTER_MAX_LEVELS];
	bool		isnull[ROUTER_MAX_LEVELS];

	for (int i = 0; i < empty.config.nkeys; i++)
		values[i] = router_bound_sample(&empty.config.keys[i], bounds[i], &isnull[i]);
	if (!router_child_bounds(&empty, values, isnull, &miss, made))
		return false;
	for (int i = 0; i < empty.config.nkeys; i++)
	{
		RouterKey  *key = &empty.config.keys[i];

		/* no value of a bucket is known */
		if (bounds[i]->form == ROUTER_BOUND_HASH ? bounds[i]->modulus != key->modulus :
			strcmp(router_bound_text(key, made[i]), router_bound_text(key, bounds[i])) != 0)
			return false;
	}
	return true;
}

/* The call that seals a child as it is; NULL: maintenance does so by itself, or it has no seal. */
static char *
seal_call(RouteText *text, Oid child)
{
	List	   *columns = NIL;
	bool		usual = true;
	ListCell   *lc;

	foreach(lc, router_catalog_child_seals(child))
	{
		char	   *column = ((RouterSeal *) lfirst(lc))->column;
		bool		found = false;
		ListCell   *ls;

		foreach(ls, text->upkeep.seal)
			found = found || strcmp(lfirst(ls), column) == 0;
		usual &= found;
		columns = lappend(columns, column);
	}
	return columns == NIL || (usual && !text->children) ? NULL :
		psprintf("CALL router.seal(%s, %s);", quote_literal_cstr(router_qualified_name(child)), names_text(columns));
}

static void
put_child(RouteText *text, const RouterChildDef *def)
{
	RouterRoute *route = text->route;
	RouterBound *bounds[ROUTER_MAX_LEVELS];
	char	   *texts[ROUTER_MAX_LEVELS];
	char	   *seal = seal_call(text, def->child);
	char	   *array;

	if (def->child == route->default_child)
		return;
	router_stored_bounds(route->config.keys, def, bounds);
	if (!text->children && seal == NULL && comes_by_itself(route, bounds))
		return;
	for (int i = 0; i < def->nbounds; i++)
		texts[i] = router_bound_text(&route->config.keys[i], bounds[i]);
	array = array_text(texts, def->nbounds);
	if (get_rel_relkind(def->child) == RELKIND_RELATION &&
		strcmp(get_namespace_name(get_rel_namespace(def->child)), router_child_schema_name(&route->config)) == 0)
		put_line(text, "SELECT router.create_child(%s, %s, %s);", text->base, array,
				 quote_literal_cstr(get_rel_name(def->child)));
	else
		put_line(text, "SELECT router.attach_child(%s, %s, %s);", text->base,
				 quote_literal_cstr(router_qualified_name(def->child)), array);
	if (seal)
		text->seals = lappend(text->seals, seal);
}

/* Where other children are in the place of one that create_route makes for a group, or below the pivot, that goes. */
static void
put_detached(RouteText *text, List *defs, const char *made)
{
	RouterKey  *key = &text->route->config.keys[0];
	RouterBound *known = router_bound_parse(key, made);
	char	   *known_text = router_bound_text(key, known);
	bool		overlaps = false;
	bool		isnull;
	Datum		sample;
	ListCell   *lc;

	foreach(lc, defs)
	{
		RouterBound *bound;

		router_stored_bounds(key, lfirst(lc), &bound);
		if (strcmp(router_bound_text(key, bound), known_text) == 0)
			return;
		overlaps = overlaps || (bound->form != ROUTER_BOUND_DEFAULT && router_bounds_overlap(key, bound, known));
	}
	if (!overlaps)
		return;
	sample = router_bound_sample(key, known, &isnull);
	put_line(text, "SELECT router.detach_child(router.child_of(%s, %s));", text->base,
			 quote_literal_cstr(router_value_text(key, sample)));
}

static int
compare_names(const ListCell *a, const ListCell *b)
{
	return strcmp(router_qualified_name(((RouterChildDef *) lfirst(a))->child),
				  router_qualified_name(((RouterChildDef *) lfirst(b))->child));
}

static void
put_children(RouteText *text)
{
	RouterConfig *config = &text->route->config;
	RouterKey  *key = &config->keys[0];
	List	   *defs = router_catalog_children(config->base);
	ListCell   *lc;

	/* the same route has the same text */
	list_sort(defs, compare_names);
	for (int i = 0; config->nkeys == 1 && i < key->ngroups; i++)
		put_detached(text, defs, key->groups[i]);
	if (config->nkeys == 1 && key->pivot && !key->from_pivot)
		put_detached(text, defs, psprintf("(,%s)", key->pivot));
	foreach(lc, defs)
		put_child(text, lfirst(lc));
}

/* ------------------------------------------------------------ what comes with it */

static void
put_global_keys(RouteText *text)
{
	ListCell   *lc;

	foreach(lc, router_catalog_global_keys(text->route->config.base))
	{
		RouterGlobalKey *key = lfirst(lc);

		put_line(text, "SELECT router.add_global_key(%s, %s, %s);", text->base, array_text(key->columns, key->ncolumns),
				 quote_literal_cstr(get_rel_name(key->key_table)));
	}
}

static void
put_tiers(RouteText *text)
{
	ListCell   *lc;

	foreach(lc, router_catalog_tiers(text->route->config.base))
	{
		RouterTier *tier = lfirst(lc);
		StringInfoData buf;

		initStringInfo(&buf);
		append_argument(&buf, "tablespace", tier->location.tablespace);
		append_argument(&buf, "access_method", tier->location.access_method);
		append_argument(&buf, "server", tier->location.server);
		append_argument(&buf, "remote_schema", tier->location.remote_schema);
		put_line(text, "SELECT router.add_tier(%s, %s%s);", text->base,
				 quote_literal_cstr(router_interval_text(tier->after)), buf.data);
	}
}

static void
put_upkeep(RouteText *text)
{
	const RouterUpkeep *upkeep = &text->upkeep;
	StringInfoData buf;

	initStringInfo(&buf);
	if (upkeep->premake >= 0)
		appendStringInfo(&buf, ", premake => %d", upkeep->premake);
	append_argument(&buf, "keep", router_interval_text(upkeep->keep));
	if (upkeep->keep_children > 0)
		appendStringInfo(&buf, ", keep_children => %d", upkeep->keep_children);
	if (upkeep->retire != ROUTER_RETIRE_DROP)
		append_argument(&buf, "retire", router_retire_name(upkeep->retire));
	append_argument(&buf, "retire_schema", upkeep->retire_schema);
	if (upkeep->seal)
		appendStringInfo(&buf, ", seal => %s", names_text(upkeep->seal));
	if (buf.len > 0)
		put_line(text, "SELECT router.set_maintenance(%s%s);", text->base, buf.data);
}

/*
 * router.route_ddl(base, children): a statement a line. children: a call for each
 * child, by its name; else for those that no row would make as they are.
 */
Datum
router_route_ddl(PG_FUNCTION_ARGS)
{
	RouteText	text = {0};
	Oid			base;
	int			guc_level;
	ListCell   *lc;

	router_report_begin(&text.report, fcinfo, 1, -1);
	base = PG_GETARG_OID(0);
	router_check_routed(base);
	text.route = router_route_locked(router_cache_entry(base));
	text.base = quote_literal_cstr(router_qualified_name(base));
	text.children = router_arg_bool(fcinfo, 1);
	(void) router_catalog_upkeep(base, &text.upkeep);
	guc_level = router_pin_settings(text.route->config.time_zone);
	put_route(&text);
	put_children(&text);
	put_global_keys(&text);
	put_tiers(&text);
	put_upkeep(&text);
	foreach(lc, text.seals)
		put_line(&text, "%s", (char *) lfirst(lc));
	AtEOXact_GUC(false, guc_level);
	return (Datum) 0;
}
