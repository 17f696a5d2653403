/*
 * shadow.c
 *		A routed table beside an ordinary one, with children for the rows of that, which
 *		takes its place in the end: made, kept from the eyes of others, dropped, or handed over.
 *
 * The shadow is a routed table like any other, so that its children come and are found as
 * those of a base are; but no row gets into it unless it is copied (shadow_rows.c), and
 * nobody else knows its name. It and its children are marked (pg_class.relrewrite) with the oid of
 * the table: logical decoding passes over what is written there, and children are called as those of the table.
 *
 * Rights: the caller has become the owner of the table. SPI is connected.
 * Locking: see reshape.c.
 */
#include "compat.h"
#include "reshape/shadow.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/dependency.h"
#include "catalog/heap.h"
#include "catalog/index.h"
#include "catalog/indexing.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "catalog/pg_inherits.h"
#include "commands/defrem.h"
#include "commands/tablecmds.h"
#include "commands/tablespace.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "storage/lmgr.h"
#include "storage/predicate.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "admin/route_settings.h"
#include "admin/route_triggers.h"
#include "base/name.h"
#include "base/owner.h"
#include "base/sql.h"
#include "globalkey/triggers.h"
#include "child/child_name.h"
#include "maintain/swap_storage.h"
#include "mirror/mirror.h"
#include "reshape/follow.h"
#include "reshape/shadow_rows.h"
#include "route/cache.h"
#include "route/catalog.h"
#include "route/defs.h"
#include "route/lock.h"
#include "route/stored.h"
#include "rows/keep_in_step.h"
#include "rows/row_key.h"
#include "tier/swap.h"

/* -------------------------------------------------------------------- in the making */

/*
 * Asks create_route, with the arguments that the call has from keys on, whether a table can be such a route; it tells
 * in an error why not. move_rows: the table has rows.
 */
static void
call_create_route(Oid table, FunctionCallInfo fcinfo, bool move_rows, bool dry_run)
{
	static const Oid types[] = {0, TEXTOID, TEXTOID, BOOLOID, TEXTOID, TEXTOID, INTERVALOID, INT4OID, INTERVALOID,
	NAMEOID};
	Oid			argtypes[ROUTER_ROUTE_ARGUMENTS + 3];
	Datum		values[ROUTER_ROUTE_ARGUMENTS + 3];
	char		nulls[ROUTER_ROUTE_ARGUMENTS + 3];

	memset(nulls, ' ', sizeof(nulls));
	argtypes[0] = REGCLASSOID;
	values[0] = ObjectIdGetDatum(table);
	for (int i = 0; i < ROUTER_ROUTE_ARGUMENTS; i++)
	{
		argtypes[i + 1] = i == 0 ? get_array_type(ARR_ELEMTYPE(PG_GETARG_ARRAYTYPE_P(1))) : types[i];
		values[i + 1] = PG_GETARG_DATUM(i + 1);
		nulls[i + 1] = PG_ARGISNULL(i + 1) ? 'n' : ' ';
	}
	argtypes[ROUTER_ROUTE_ARGUMENTS + 1] = argtypes[ROUTER_ROUTE_ARGUMENTS + 2] = BOOLOID;
	values[ROUTER_ROUTE_ARGUMENTS + 1] = BoolGetDatum(move_rows);
	values[ROUTER_ROUTE_ARGUMENTS + 2] = BoolGetDatum(dry_run);
	if (SPI_execute_with_args("SELECT * FROM router.create_route($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
							  ROUTER_ROUTE_ARGUMENTS + 3, argtypes, values, nulls, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not call router.create_route");
}

/* Could a table with rows be such a route, or is the shadow that it has? An error says why not. */
void
router_shadow_check_route(Oid table, Oid shadow, FunctionCallInfo fcinfo)
{
	RouterSettings none = {.default_child = -1,.max_new_children = -1};
	bool		same = true;

	if (OidIsValid(shadow))
		same = router_same_keys(router_catalog_route(shadow),
								router_wanted_config(shadow, NULL, PG_GETARG_ARRAYTYPE_P(1), &none, false));
	if (same)
		call_create_route(OidIsValid(shadow) ? shadow : table, fcinfo, true, true);
	if (OidIsValid(shadow) && (!same || SPI_processed > 0))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table \"%s\" gets another shape, by other keys or settings", get_rel_name(table)),
				 errhint("Go on with those it was begun with, or CALL router.cancel_reshape(%s).",
						 quote_literal_cstr(router_qualified_name(table)))));
}

/* Makes it one that keeps its rows. */
void
router_shadow_create_route(Oid table, FunctionCallInfo fcinfo, bool dry_run)
{
	call_create_route(table, fcinfo, false, dry_run);
}

static char *
make_table(Oid table, const char *prefix, const char *contents)
{
	Oid			schema = get_rel_namespace(table);
	char	   *name = router_private_name(psprintf("%s_%u", prefix, table), schema);
	Relation	rel = table_open(table, AccessShareLock);
	char	   *options = router_missing_relation_options(table, InvalidOid, "");
	char	   *toast_options = router_missing_relation_options(rel->rd_rel->reltoastrelid, InvalidOid, "toast.");
	StringInfoData buf;

	initStringInfo(&buf);
	appendStringInfo(&buf, "CREATE %sTABLE %s (%s)",
					 rel->rd_rel->relpersistence == RELPERSISTENCE_UNLOGGED ? "UNLOGGED " : "",
					 quote_qualified_identifier(get_namespace_name(schema), name), contents);
	appendStringInfo(&buf, " USING %s", quote_identifier(get_am_name(rel->rd_rel->relam)));
	if (options || toast_options)
		appendStringInfo(&buf, " WITH (%s%s%s)", options ? options : "", options && toast_options ? ", " : "",
						 toast_options ? toast_options : "");
	if (OidIsValid(rel->rd_rel->reltablespace))
		appendStringInfo(&buf, " TABLESPACE %s", quote_identifier(get_tablespace_name(rel->rd_rel->reltablespace)));
	table_close(rel, NoLock);
	router_run("%s", buf.data);
	return name;
}

/* Marks a table as one that belongs to the making of another shape. */
static void
hide(Oid relid, Oid table)
{
	router_step_mark(relid, table);
	router_take_grants_away(relid);
}

/* Rows are told from each other by an index of the table: who drops that with CASCADE drops the shadow as well. */
static void
need_key(Relation table, Oid shadow)
{
	RouterRowKey key = {0};
	ObjectAddress depender;
	ObjectAddress index;

	router_row_key_open(table, &key, NULL, NULL);
	ObjectAddressSet(depender, RelationRelationId, shadow);
	ObjectAddressSet(index, RelationRelationId, RelationGetRelid(key.index));
	recordDependencyOn(&depender, &index, DEPENDENCY_NORMAL);
	index_close(key.index, NoLock);
}

/* Are rows to have one place, whose storage will be that of the table? */
static bool
is_one_place(List *bounds)
{
	return bounds && strcmp(((char **) linitial(bounds))[0], "default") == 0;
}

/*
 * The columns of a table, for one that is to be laid out alike: with columns to be dropped where that has dropped ones.
 * What is in them is null in every row to come, so that any type of their size will do.
 */
static char *
layout_columns(Oid table)
{
	return router_ask(
		"SELECT string_agg(CASE WHEN attisdropped THEN format('router_dropped_%%s %%s', attnum,"
		"         (SELECT oid::regtype FROM pg_type WHERE typlen = attlen AND typalign = attalign AND typbyval = attbyval"
		"             AND typtype = 'b' AND typnamespace = 'pg_catalog'::regnamespace ORDER BY oid LIMIT 1))"
		"         ELSE format('%%I %%s', attname, format_type(atttypid, atttypmod))"
		"           || CASE WHEN attcollation <> 0 THEN format(' COLLATE %%s', attcollation::regcollation) ELSE '' END"
		"           || CASE WHEN attnotnull THEN ' NOT NULL' ELSE '' END"
		"           || CASE WHEN attgenerated = 's' THEN format(' GENERATED ALWAYS AS (%%s) STORED', pg_get_expr(adbin, adrelid))"
		"                   ELSE '' END"
		"       END, ', ' ORDER BY attnum)"
		"  FROM pg_attribute LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum"
		" WHERE attrelid = %u AND attnum > 0", table);
}

/* Gives the shadow what rows of the table have passed, and its indexes, for its child to have. */
static void
constrain(const RouterReshapeDef *def)
{
	RouterMirror indexes = {.aspects = ROUTER_INDEXES};
	char	   *checks = router_ask(
		"SELECT string_agg(format('ADD CONSTRAINT %%I %%s', conname, pg_get_constraintdef(oid)), ', ' ORDER BY conname)"
		"  FROM pg_constraint WHERE conrelid = %u AND contype = 'c' AND convalidated AND NOT connoinherit", def->base);

	if (checks)
		router_run("ALTER TABLE %s %s", router_qualified_name(def->shadow), checks);
	(void) router_mirror(&indexes, def->base, def->shadow);
}

/* Drops what layout_columns has put in place of dropped columns, also from the child. */
static void
drop_columns(const RouterReshapeDef *def)
{
	char	   *columns = router_ask(
		"SELECT string_agg(format('DROP COLUMN router_dropped_%%s', attnum), ', ') FROM pg_attribute"
		" WHERE attrelid = %u AND attnum > 0 AND attisdropped", def->base);

	if (columns)
		router_run("ALTER TABLE %s %s", router_qualified_name(def->shadow), columns);
}

/*
 * Gives the shadow the route that the table will have, and children with these bounds. Rows of children that come
 * meanwhile make others, unless all go to one place.
 */
static void
create_like_base(const RouterReshapeDef *def, RouterConfig *config, List *bounds)
{
	int			nkeys = config->nkeys;
	RouterMirror triggers = {0};
	ListCell   *lc;

	config->base = def->shadow;
	config->hot = NULL;
	config->watermark = NULL;
	config->on_missing = is_one_place(bounds) ? ROUTER_POLICY_DEFAULT : ROUTER_POLICY_CREATE;
	config->on_reject = ROUTER_POLICY_ERROR;
	memset(&config->horizon, 0, sizeof(config->horizon));
	config->horizon.month = ROUTER_ANY_HORIZON * MONTHS_PER_YEAR;
	config->max_new_children = ROUTER_ANY_NUMBER;
	for (int i = 0; i < nkeys; i++)
		config->keys[i].attnum = get_attnum(def->shadow, config->keys[i].column);
	(void) router_sync_triggers(&triggers, def->shadow);
	router_catalog_put_route(config);
	CommandCounterIncrement();
	foreach(lc, bounds)
	{
		Datum		values[] = {ObjectIdGetDatum(def->shadow),
		router_text_array(lfirst(lc), is_one_place(bounds) ? 1 : nkeys)};

		if (SPI_execute_with_args("SELECT router.create_child($1, $2)", 2, (Oid[]) {REGCLASSOID, TEXTARRAYOID}, values, NULL,
								  false, 0) != SPI_OK_SELECT)
			elog(ERROR, "could not call router.create_child");
	}
}

/*
 * Makes the shadow and the log. The route is that which the call asks for; or, with known bounds, groups of values are
 * those of config, and all else is as with the table. NULL: these as well.
 */
void
router_shadow_make(RouterReshapeDef *def, FunctionCallInfo fcinfo, const RouterConfig *config, List *bounds)
{
	Oid			schema = get_rel_namespace(def->base);
	bool		one_place = is_one_place(bounds);
	char	   *name = make_table(def->base, "router_shadow", one_place ? layout_columns(def->base) :
								  psprintf("LIKE %s INCLUDING ALL EXCLUDING IDENTITY EXCLUDING STATISTICS",
										   router_qualified_name(def->base)));
	RouterConfig *routes[2];
	List	   *keys = NIL;
	Relation	rel;

	def->shadow = get_relname_relid(name, schema);
	hide(def->shadow, def->base);
	if (one_place)
		constrain(def);
	if (bounds == NIL)
		call_create_route(def->shadow, fcinfo, false, false);
	else
	{
		RouterConfig *like = router_catalog_route(def->base);

		if (config)
			memcpy(like->keys, config->keys, sizeof(like->keys));
		create_like_base(def, like, bounds);
	}
	if (one_place)
		drop_columns(def);
	routes[0] = router_catalog_route(def->shadow);
	routes[1] = router_catalog_route(def->base);
	for (int i = 0; i < lengthof(routes); i++)
		for (int level = 0; routes[i] && level < routes[i]->nkeys; level++)
			keys = lappend(keys, routes[i]->keys[level].column);
	rel = table_open(def->base, AccessShareLock);
	name = make_table(def->base, "router_log", router_log_columns(def, rel, keys));
	def->log = get_relname_relid(name, schema);
	hide(def->log, def->base);
	if (!def->whole)
		need_key(rel, def->shadow);
	table_close(rel, NoLock);
}

/* ------------------------------------------------------------------------- the end */

/* Gives the indexes of a child the names that they have by those of the table. False: there are none that answer. */
bool
router_shadow_name_indexes(const RouterReshapeDef *def, Oid child)
{
	char	   *base_name = get_rel_name(def->base);
	char	   *child_name = get_rel_name(child);
	Oid			schema = get_rel_namespace(child);
	List	   *of_base,
			   *of_child;
	ListCell   *lb,
			   *lc;

	if (OidIsValid(router_pair_indexes(def->base, child, &of_base, &of_child)))
		return false;
	forboth(lb, of_base, lc, of_child)
	{
		char	   *wanted = router_object_name(base_name, child_name, get_rel_name(lfirst_oid(lb)));

		if (strcmp(wanted, get_rel_name(lfirst_oid(lc))) != 0)
			router_run("ALTER INDEX %s RENAME TO %s", router_qualified_name(lfirst_oid(lc)),
					   quote_identifier(router_private_name(wanted, schema)));
	}
	return true;
}

/* Gives a table new, empty storage. What there was is in other tables. */
static void
empty(Oid table)
{
	Relation	rel = table_open(table, NoLock);
	Oid			toast = rel->rd_rel->reltoastrelid;

	CheckTableNotInUse(rel, "router.convert");
	TransferPredicateLocksToHeapRelation(rel);
	router_set_new_storage(rel);
	table_close(rel, NoLock);
	if (OidIsValid(toast))
	{
		rel = table_open(toast, AccessExclusiveLock);
		router_set_new_storage(rel);
		table_close(rel, NoLock);
	}
	router_reindex(table);
	CommandCounterIncrement();
}

/* A child of the shadow becomes one of the table, which has the same columns and CHECKs for it to inherit. */
static void
adopt(Relation inherits, Oid child, Oid shadow, Oid table)
{
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tup;

	ScanKeyInit(&key, Anum_pg_inherits_inhrelid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(child));
	scan = systable_beginscan(inherits, InheritsRelidSeqnoIndexId, true, NULL, 1, &key);
	while (HeapTupleIsValid(tup = systable_getnext(scan)))
	{
		HeapTuple	copy = heap_copytuple(tup);
		Form_pg_inherits form = (Form_pg_inherits) GETSTRUCT(copy);

		if (form->inhparent == shadow)
		{
			form->inhparent = table;
			CatalogTupleUpdate(inherits, &copy->t_self, copy);
		}
		heap_freetuple(copy);
	}
	systable_endscan(scan);
	if (changeDependencyFor(RelationRelationId, child, RelationRelationId, shadow, table) != 1)
		elog(ERROR, "child \"%s\" does not depend on its parent once", get_rel_name(child));
	CacheInvalidateRelcacheByRelid(child);
}

/* They all do. */
static void
adopt_all(const RouterReshapeDef *def, List *children)
{
	Relation	inherits = table_open(InheritsRelationId, RowExclusiveLock);
	ListCell   *lc;

	foreach(lc, children)
		adopt(inherits, ((RouterChildDef *) lfirst(lc))->child, def->shadow, def->base);
	table_close(inherits, NoLock);
	SetRelationHasSubclass(def->base, children != NIL);
	CommandCounterIncrement();
	router_catalog_remove_all(def->shadow);
	foreach(lc, children)
		router_step_mark(((RouterChildDef *) lfirst(lc))->child, InvalidOid);
}

static void
drop_tables(const RouterReshapeDef *def)
{
	router_run("DROP TABLE %s CASCADE", router_qualified_name(def->shadow));
	router_run("DROP TABLE %s CASCADE", router_qualified_name(def->log));
}

/* The table gets the route and the children of its shadow, which is dropped. All are locked AccessExclusive. */
void
router_shadow_take_over(const RouterReshapeDef *def)
{
	RouterConfig *config = router_catalog_route(def->shadow);
	List	   *children = router_catalog_children(def->shadow);
	RouterMirror everything = {.aspects = ROUTER_EVERYTHING};
	RouterMirror triggers = {0};
	ListCell   *lc;

	router_follow_end(def);
	router_catalog_remove_reshape(def->base);
	empty(def->base);
	adopt_all(def, children);
	config->base = def->base;
	for (int i = 0; i < config->nkeys; i++)
		config->keys[i].attnum = get_attnum(def->base, config->keys[i].column);
	(void) router_sync_triggers(&triggers, def->base);
	router_catalog_put_route(config);
	foreach(lc, children)
	{
		RouterChildDef *child = lfirst(lc);

		router_catalog_add_child(child->child, def->base, child->bounds, child->nbounds);
		(void) router_mirror(&everything, def->base, child->child);
	}
	drop_tables(def);
}

/* A child may have got another name since one of those that are gone had its own. */
static void
rename_child(const RouterReshapeDef *def, const RouterChildDef *child)
{
	RouterRoute *route = router_cache_route(router_cache_entry(def->base));
	RouterBound *bounds[ROUTER_MAX_LEVELS];
	char	   *hashed;
	bool		odd;
	char	   *usual;

	router_stored_bounds(route->config.keys, child, bounds);
	usual = router_child_usual_name(route, bounds, &hashed, &odd);
	if (odd || !router_name_is_free(usual, get_rel_namespace(child->child)))
		return;
	router_run("ALTER TABLE %s RENAME TO %s", router_qualified_name(child->child), quote_identifier(usual));
	(void) router_shadow_name_indexes(def, child->child);
}

/*
 * The children of the shadow take the place of the sources in the route, which becomes config if that is not NULL. All
 * are locked AccessExclusive.
 */
static void
replace_children(const RouterReshapeDef *def, RouterConfig *config)
{
	List	   *children = router_catalog_children(def->shadow);
	ListCell   *lc;

	router_catalog_remove_reshape(def->base);
	for (int i = 0; i < def->nsources; i++)
		router_swap_leave(def->sources[i]);
	adopt_all(def, children);
	if (config)
		router_catalog_put_route(config);
	foreach(lc, children)
		router_swap_enter(def->base, ((RouterChildDef *) lfirst(lc))->child, lfirst(lc));
	CommandCounterIncrement();
	foreach(lc, children)
		rename_child(def, lfirst(lc));
	drop_tables(def);
}

void
router_shadow_give_children(const RouterReshapeDef *def)
{
	replace_children(def, NULL);
}

/* The same with the keys of the shadow; the other settings of the route stay as they are. */
void
router_shadow_give_keys(const RouterReshapeDef *def)
{
	RouterConfig *config = router_catalog_route(def->base);
	RouterConfig *shadow = router_catalog_route(def->shadow);

	config->nkeys = shadow->nkeys;
	memcpy(config->keys, shadow->keys, sizeof(config->keys));
	for (int i = 0; i < config->nkeys; i++)
		config->keys[i].attnum = get_attnum(def->base, config->keys[i].column);
	config->template = shadow->template;
	replace_children(def, config);
}

/* The table gets the storage of the one child of the shadow, and its route ends. All are locked AccessExclusive. */
void
router_shadow_give_storage(const RouterReshapeDef *def)
{
	RouterChildDef *all = linitial(router_catalog_children(def->shadow));
	Relation	base = table_open(def->base, NoLock);
	Relation	child = table_open(all->child, NoLock);

	router_follow_end(def);
	router_catalog_remove_reshape(def->base);
	router_step_mark(all->child, InvalidOid);	/* with its TOAST table, which will be the base's */
	router_swap_storage(base, child, "router.unroute");
	table_close(child, NoLock);
	table_close(base, NoLock);
	router_inherit_statistics(all->child, def->base);
	for (int i = 0; i < def->nsources; i++)
		if (def->sources[i] != def->base)
			router_swap_leave(def->sources[i]);
	(void) router_ask("SELECT count(*) FROM router.global_key_def g, router.drop_global_key(g.base, g.columns) WHERE g.base = %u", def->base);
	(void) router_ask("SELECT count(*) FROM router.drop_route('%u')", def->base);
	router_catalog_remove_child(all->child);
	router_run("DROP TABLE %s", router_qualified_name(all->child));
	router_catalog_remove_all(def->shadow);
	drop_tables(def);
}

/*
 * Drops a shadow with all that belongs to it, once nobody writes to it: as many children as one transaction may lock.
 * False: there are more.
 */
bool
router_shadow_drop(const RouterReshapeDef *def)
{
	if (get_rel_name(def->shadow))
	{
		Relation	shadow = table_open(def->shadow, AccessShareLock);
		int			portion = router_lock_portion(shadow);
		ListCell   *lc;

		table_close(shadow, NoLock);
		foreach(lc, router_catalog_children(def->shadow))
		{
			Oid			child = ((RouterChildDef *) lfirst(lc))->child;

			if (portion-- == 0)
				return false;
			router_catalog_remove_child(child);
			router_run("DROP TABLE %s CASCADE", router_qualified_name(child));
		}
		router_catalog_remove_all(def->shadow);
		router_run("DROP TABLE %s CASCADE", router_qualified_name(def->shadow));
	}
	if (get_rel_name(def->log))
		router_run("DROP TABLE %s CASCADE", router_qualified_name(def->log));
	router_catalog_remove_reshape(def->base);
	return true;
}
