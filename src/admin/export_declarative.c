/*
 * export_declarative.c
 *		router.export_declarative: a routed table becomes a partitioned table of
 *		PostgreSQL, its children the partitions. No row is copied.
 *
 * Children are detached, the base is made anew as a partitioned table (rebuild.c),
 * and they are attached to it. Their CHECKs imply what a partition has to hold, so
 * that ATTACH PARTITION reads no rows. Levels below the first are tables in
 * between, which are made; their names go on as those of children.
 *
 * Locking: to run it, the creation lock, base and children AccessExclusive; else
 * AccessShareLock on the base.
 * Rights: the caller owns the base; see rebuild.c.
 */
#include "compat.h"
#include "admin/rebuild.h"

#include "access/table.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

#include "admin/create_route.h"
#include "base/name.h"
#include "base/report.h"
#include "base/sql.h"
#include "child/child_name.h"
#include "route/defs_reshape.h"
#include "route/lock.h"
#include "route/owned.h"
#include "route/stored.h"
#include "rows/moving.h"

PG_FUNCTION_INFO_V1(router_export_declarative);

/* A child that becomes a partition. */
typedef struct Part
{
	Oid			child;
	RouterBound *bounds[ROUTER_MAX_LEVELS];
	char	   *values[ROUTER_MAX_LEVELS];	/* as FOR VALUES has them, or DEFAULT */
	bool		placed;
} Part;

typedef struct Export
{
	Oid			base;
	bool		run;
	bool		allow_loss;
	RouterConfig *config;
	RouterScript script;
	RouterRebuild rebuild;
	List	   *parts;			/* of Part, by name */
	List	   *names;			/* of tables in between */
} Export;

static void note(Export *e, const char *fmt,...) pg_attribute_printf(2, 3);
static void refuse(Export *e, const char *fmt,...) pg_attribute_printf(2, 3);

static void
note(Export *e, const char *fmt,...)
{
	va_list		args;

	va_start(args, fmt);
	e->script.notes = lappend(e->script.notes, router_format(fmt, args));
	va_end(args);
}

static void
refuse(Export *e, const char *fmt,...)
{
	va_list		args;

	va_start(args, fmt);
	e->script.problems = lappend(e->script.problems, router_format(fmt, args));
	va_end(args);
}

/* -------------------------------------------------------------------- bounds */

static bool
is_cut(const RouterKey *key)
{
	return key->kind == ROUTER_PREFIX || key->kind == ROUTER_SUFFIX;
}

/* The first and the last value of the type of an integer key; of others none is known. */
static void
type_ends(const RouterKey *key, int64 *lo, int64 *hi)
{
	*lo = key->typid == INT2OID ? PG_INT16_MIN : key->typid == INT4OID ? PG_INT32_MIN : PG_INT64_MIN;
	*hi = key->typid == INT2OID ? PG_INT16_MAX : key->typid == INT4OID ? PG_INT32_MAX : PG_INT64_MAX;
}

static char *
range_values(const RouterKey *key, const RouterBound *bound)
{
	int64		lo,
				hi;

	type_ends(key, &lo, &hi);
	return psprintf("FOR VALUES FROM (%s) TO (%s)",
					bound->lo <= lo ? "MINVALUE" : quote_literal_cstr(router_key_text(key, bound->lo)),
					bound->hi >= hi ? "MAXVALUE" : quote_literal_cstr(router_key_text(key, bound->hi + 1)));
}

/* What a partition of these rows says. Rows whose key is NULL are in no range: theirs is the default partition. */
static char *
part_values(RouterKey *key, const RouterBound *bound)
{
	StringInfoData buf;

	if (bound->form == ROUTER_BOUND_RANGE)
		return range_values(key, bound);
	if (bound->form == ROUTER_BOUND_DEFAULT || (bound->form == ROUTER_BOUND_NULL && router_key_is_range(key)))
		return pstrdup("DEFAULT");
	initStringInfo(&buf);
	for (int i = 0; i < bound->nvalues; i++)
		appendStringInfo(&buf, "%s%s", i > 0 ? ", " : "", quote_literal_cstr(router_value_text(key, bound->values[i])));
	if (bound->form == ROUTER_BOUND_NULL || bound->with_null)
		appendStringInfo(&buf, "%sNULL", bound->nvalues > 0 ? ", " : "");
	return psprintf("FOR VALUES IN (%s)", buf.data);
}

static char *
partition_by(const RouterKey *key)
{
	const char *column = quote_identifier(key->column);

	if (key->kind == ROUTER_PREFIX)
		column = psprintf("(pg_catalog.lower(pg_catalog.substr(%s, 1, %d)))", column, key->modulus);
	else if (key->kind == ROUTER_SUFFIX)
		column = psprintf("(pg_catalog.lower(pg_catalog.\"right\"(%s, %d)))", column, key->modulus);
	return psprintf(" PARTITION BY %s (%s)", router_key_is_range(key) ? "RANGE" : "LIST", column);
}

/* The attnums that unique indexes have to contain. An expression is in none. */
static char *
unique_keys(const RouterConfig *config)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (int i = 0; i < config->nkeys; i++)
		appendStringInfo(&buf, "%s%d", i > 0 ? "," : "{", is_cut(&config->keys[i]) ? -1 : config->keys[i].attnum);
	appendStringInfoChar(&buf, '}');
	return buf.data;
}

static int
compare_names(const ListCell *a, const ListCell *b)
{
	return strcmp(router_qualified_name(((RouterChildDef *) lfirst(a))->child),
				  router_qualified_name(((RouterChildDef *) lfirst(b))->child));
}

/* Settings are pinned. */
static void
read_parts(Export *e)
{
	List	   *defs = router_catalog_children(e->base);
	ListCell   *lc;

	list_sort(defs, compare_names);
	foreach(lc, defs)
	{
		RouterChildDef *def = lfirst(lc);
		Part	   *part = palloc0(sizeof(Part));

		part->child = def->child;
		router_stored_bounds(e->config->keys, def, part->bounds);
		for (int i = 0; i < e->config->nkeys; i++)
			part->values[i] = part_values(&e->config->keys[i], part->bounds[i]);
		e->parts = lappend(e->parts, part);
	}
}

/* -------------------------------------------------------- what is in the way */

/* As in rebuild.c. */
static const char *const in_the_way[] = {
	"SELECT NULL::oid, format('child %s belongs to another role: router.sync gives it to that of the base', c.oid::regclass)"
	" FROM router.child_def JOIN pg_class c ON c.oid = child JOIN pg_class b ON b.oid = base"
	" WHERE base = $1 AND c.relowner <> b.relowner ORDER BY 2",
	"SELECT NULL::oid, format('child %s inherits from %s as well', child, inhparent::regclass) FROM router.child_def"
	" JOIN pg_inherits ON inhrelid = child WHERE base = $1 AND inhparent <> $1 ORDER BY 2",
	"SELECT NULL::oid, format('%s inherits from it, and is no child of the route: detach it with ALTER TABLE … NO INHERIT',"
	" inhrelid::regclass) FROM pg_inherits WHERE inhparent = $1 AND inhrelid NOT IN (SELECT child FROM router.child_def WHERE base = $1) ORDER BY 2",
	"SELECT NULL::oid, format('foreign key %I of %s refers to global key table %s: drop it', conname, conrelid::regclass, confrelid::regclass)"
	" FROM router.global_key_def JOIN pg_constraint ON confrelid = key_table WHERE base = $1 AND contype = 'f' AND conparentid = 0 ORDER BY 2",
	/* core's rule */
	"SELECT NULL::oid, format('child %s is a foreign table, and unique index %s would be one of all partitions: bring it back with router.move_child,"
	" or drop the index', child, indexrelid::regclass) FROM router.child_def JOIN pg_class c ON c.oid = child"
	" JOIN pg_index ON indrelid = base WHERE base = $1 AND relkind = 'f' AND indisunique AND $3::int2[] <@ (indkey::int2[])[0:indnkeyatts - 1] ORDER BY 2",
};

static const char *const lost[] = {
	"SELECT NULL::oid, format('%s %I cannot be one of all partitions, since it %s: each keeps its own, new ones get none',"
	" CASE WHEN indisprimary THEN 'primary key' WHEN indisexclusion THEN 'exclusion constraint' ELSE 'unique index' END, relname,"
	" CASE WHEN indisexclusion THEN 'excludes' ELSE 'does not contain the keys' END)"
	" FROM pg_index JOIN pg_class i ON i.oid = indexrelid WHERE indrelid = $1"
	" AND (indisexclusion OR (indisunique AND NOT $3::int2[] <@ (indkey::int2[])[0:indnkeyatts - 1])) ORDER BY relname",
	"SELECT NULL::oid, format('global key (%s) goes: nothing keeps it unique over all partitions', array_to_string(columns, ', '))"
	" FROM router.global_key_def WHERE base = $1 ORDER BY 2",
};

static void
look_at_key(Export *e, RouterKey *key)
{
	if (key->kind == ROUTER_HASH)
		refuse(e, "key hash(%s): PostgreSQL's hash partitions have other rows; make a table PARTITION BY HASH and copy them", key->column);
	else if (!router_key_is_range(key) && !is_cut(key) &&
			 !OidIsValid(lookup_type_cache(key->typid, TYPECACHE_BTREE_OPFAMILY)->btree_opf))
		refuse(e, "key list(%s): type %s has no order, which PARTITION BY LIST asks for", key->column, format_type_be(key->typid));
	else if (is_cut(key))
		note(e, "rows of partitions by %s(%s) are read once to attach them", router_kind_name(key->kind), key->column);
}

/* A level has one default partition at most: for what no other has, or for NULL. */
static void
look_at_defaults(Export *e)
{
	ListCell   *lc,
			   *other;

	foreach(lc, e->parts)
	{
		Part	   *part = lfirst(lc);

		foreach(other, e->parts)
			if (part->bounds[0]->form == ROUTER_BOUND_DEFAULT && lfirst(other) != part &&
				strcmp(((Part *) lfirst(other))->values[0], "DEFAULT") == 0)
				refuse(e, "children %s and %s would both be the default partition: detach the second, and insert its rows into the first",
					   get_rel_name(part->child), get_rel_name(((Part *) lfirst(other))->child));
		if (part->bounds[0]->form == ROUTER_BOUND_DEFAULT)
			note(e, e->config->nkeys == 1 ? "%s becomes the default partition: its rows are read once to attach it" :
				 "%s becomes the default partition: its rows are read once to attach it, and none may be one of an outer partition there is: CALL router.redistribute",
				 router_qualified_name(part->child));
	}
}

static void
look_at_route(Export *e)
{
	Relation	base = table_open(e->base, NoLock);
	RouterUpkeep upkeep;

	if (base->rd_rel->relpersistence == RELPERSISTENCE_TEMP)
		refuse(e, "it is a temporary table");
	if (router_catalog_reshape(e->base))
		refuse(e, "it gets another shape: wait until that is done, or CALL router.cancel_reshape");
	if (e->config->hot)
		refuse(e, "it is hot: SELECT router.end_hot(%s) moves its rows to children", quote_literal_cstr(e->rebuild.name));
	else if (router_has_rows_now(base))
		refuse(e, "it has rows of its own, which router.check tells of");
	for (int i = 0; i < e->config->nkeys; i++)
		look_at_key(e, &e->config->keys[i]);
	look_at_defaults(e);
	router_rebuild_ask(&e->rebuild, in_the_way, lengthof(in_the_way), &e->script.problems);
	router_rebuild_ask(&e->rebuild, lost, lengthof(lost), e->allow_loss ? &e->script.notes : &e->script.problems);
	note(e, "no child is made by itself any more, and a row that no partition has is an error");
	if (e->config->nkeys > 1)
		note(e, "the tables in between have no grants of their own");
	if (router_catalog_upkeep(e->base, &upkeep) || router_catalog_tiers(e->base) != NIL ||
		router_catalog_seals(e->base) != NIL)
		note(e, "maintenance, tiers and seals are forgotten");
	table_close(base, NoLock);
}

/* ------------------------------------------------------------------ commands */

/* What children have of the base, and get anew when they are attached. As in rebuild.c. */
static const char *const children_lose[] = {
	"SELECT NULL::oid, format('DROP TRIGGER %I ON %s', c.tgname, child) FROM router.child_def JOIN pg_trigger c ON c.tgrelid = child"
	" JOIN pg_trigger b ON b.tgrelid = base AND b.tgname = c.tgname AND b.tgfoid = c.tgfoid JOIN pg_proc f ON f.oid = c.tgfoid"
	" WHERE base = $1 AND NOT c.tgisinternal AND b.tgtype & 1 = 1 AND pronamespace <> 'router'::regnamespace ORDER BY 2",
	"SELECT NULL::oid, format('ALTER TABLE %s ALTER COLUMN %I DROP DEFAULT', child, c.attname) FROM router.child_def"
	" JOIN pg_attribute b ON b.attrelid = base AND b.attidentity <> '' AND NOT b.attisdropped"
	" JOIN pg_attribute c ON c.attrelid = child AND c.attname = b.attname AND c.atthasdef WHERE base = $1 ORDER BY 2",
};

static void
take_apart(Export *e)
{
	ListCell   *lc;

	router_script_add(&e->script, "LOCK TABLE %s IN ACCESS EXCLUSIVE MODE", e->rebuild.name);
	router_rebuild_ask(&e->rebuild, children_lose, lengthof(children_lose), NULL);
	foreach(lc, router_catalog_global_keys(e->base))
	{
		RouterGlobalKey *key = lfirst(lc);
		StringInfoData columns;

		initStringInfo(&columns);
		for (int i = 0; i < key->ncolumns; i++)
			appendStringInfo(&columns, "%s%s", i > 0 ? ", " : "", quote_literal_cstr(key->columns[i]));
		router_script_add(&e->script, "SELECT router.drop_global_key(%s, ARRAY[%s]::pg_catalog.name[])",
						  quote_literal_cstr(e->rebuild.name), columns.data);
	}
	foreach(lc, e->parts)
		router_script_add(&e->script, "SELECT router.detach_child(%s)",
						  quote_literal_cstr(router_qualified_name(((Part *) lfirst(lc))->child)));
	router_script_add(&e->script, "SELECT router.drop_route(%s)", quote_literal_cstr(e->rebuild.name));
}

/* A free name for a table in between, which is where new children would be. */
static char *
between_name(Export *e, const char *above, const Part *part, int level)
{
	Oid			schema = router_child_schema(e->config);
	char	   *full = psprintf("%s_%s", above, router_bound_part(&e->config->keys[level], part->bounds[level]));
	char	   *name = strlen(full) < NAMEDATALEN ? full : router_cut_name(full, full);
	bool		free = false;

	for (int i = 2; !free; i++)
	{
		ListCell   *lc;

		free = router_name_is_free(name, schema);
		foreach(lc, e->names)
			free = free && strcmp(lfirst(lc), name) != 0;
		if (!free)
			name = router_cut_name(full, psprintf("%s %d", full, i));
	}
	e->names = lappend(e->names, name);
	return name;
}

static void
attach_part(Export *e, const char *parent, Part *part)
{
	const char *name = router_qualified_name(part->child);
	bool		for_null = false;

	for (int i = 0; i < e->config->nkeys; i++)
		for_null |= part->bounds[i]->form == ROUTER_BOUND_NULL && router_key_is_range(&e->config->keys[i]);
	part->placed = true;
	router_script_add(&e->script, "ALTER TABLE %s ATTACH PARTITION %s %s", parent, name,
					  part->values[part->bounds[0]->form == ROUTER_BOUND_DEFAULT ? 0 : e->config->nkeys - 1]);
	/* a default partition that is for NULL stays so by its CHECK; else the partition says the same */
	if (!for_null && OidIsValid(get_relation_constraint_oid(part->child, ROUTER_CHECK_NAME, true)))
		router_script_add(&e->script, "ALTER %s %s DROP CONSTRAINT %s", router_table_word(part->child), name,
						  ROUTER_CHECK_NAME);
}

/* Attaches children to a table of a level, by way of tables in between; default partitions, which are read, last. */
static void
attach_parts(Export *e, List *parts, int level, const char *parent, const char *above)
{
	ListCell   *lc,
			   *other;

	for (int defaults = 0; defaults < 2; defaults++)
		foreach(lc, parts)
		{
			Part	   *part = lfirst(lc);
			List	   *below = NIL;
			char	   *name;
			char	   *full;

			if (part->placed || (strcmp(part->values[level], "DEFAULT") == 0) != (defaults == 1))
				continue;
			if (level + 1 == e->config->nkeys || part->bounds[level]->form == ROUTER_BOUND_DEFAULT)
			{
				attach_part(e, parent, part);
				continue;
			}
			for_each_cell(other, parts, lc)
				if (strcmp(((Part *) lfirst(other))->values[level], part->values[level]) == 0)
					below = lappend(below, lfirst(other));
			name = between_name(e, above, part, level);
			full = quote_qualified_identifier(router_child_schema_name(e->config), name);
			router_script_add(&e->script, "CREATE TABLE %s PARTITION OF %s %s%s", full, parent, part->values[level],
							  partition_by(&e->config->keys[level + 1]));
			attach_parts(e, below, level + 1, full, name);
		}
}

/* Finds out what there is to do. */
static void
plan_export(Export *e)
{
	Relation	base = table_open(e->base, NoLock);
	int			guc_level;

	e->config = router_catalog_route(e->base);
	guc_level = router_pin_settings(e->config->time_zone);
	for (int i = 0; i < e->config->nkeys; i++)
		router_key_resolve(&e->config->keys[i], base, e->config->time_zone);
	memset(&e->script, 0, sizeof(e->script));
	e->script.owner = base->rd_rel->relowner;
	e->parts = e->names = NIL;
	read_parts(e);
	router_rebuild_init(&e->rebuild, &e->script, e->base, partition_by(&e->config->keys[0]), unique_keys(e->config));
	table_close(base, NoLock);
	look_at_route(e);
	if (e->script.problems == NIL)
	{
		take_apart(e);
		router_rebuild_begin(&e->rebuild);
		attach_parts(e, e->parts, 0, e->rebuild.name, get_rel_name(e->base));
		router_rebuild_end(&e->rebuild);
	}
	AtEOXact_GUC(false, guc_level);
}

static List *
find_for_export(void *arg, bool locked)
{
	Export	   *e = arg;
	List	   *locks = router_lock_add_creation(NIL, e->base);

	locks = list_concat(locks, router_lock_family(e->base, AccessExclusiveLock));
	return locked ? router_rebuild_lock(locks, e->base) : locks;
}

/*
 * router.export_declarative(base, run, allow_loss): the script, which has been run if that is wanted.
 *
 * Errors: object_not_in_prerequisite_state, with a line for each thing that is in the way; check_violation if a row
 * is not where its partition would have it.
 */
Datum
router_export_declarative(PG_FUNCTION_ARGS)
{
	Export		e = {0};
	RouterReport report;
	ListCell   *lc;

	router_report_begin(&report, fcinfo, 1, -1);
	e.base = PG_GETARG_OID(0);
	e.run = router_arg_bool(fcinfo, 1);
	e.allow_loss = router_arg_bool(fcinfo, 2);
	router_will_write(fcinfo, !e.run);
	router_check_owned_base(e.base);
	if (e.run)
		router_lock_all(find_for_export, &e);
	(void) router_owned_locked(e.base, AccessShareLock);
	if (e.run)
		router_refuse_pending(e.base, "export");
	foreach(lc, e.run ? router_children_by_oid(e.base) : NIL)
		router_refuse_pending(lfirst_oid(lc), "export");
	plan_export(&e);
	if (e.run && e.script.problems)
		router_refuse_lines(psprintf("\"%s\" cannot become a partitioned table", get_rel_name(e.base)), e.script.problems,
							"Without run, router.export_declarative lists all that is in the way.");
	foreach(lc, e.script.notes)
		router_report_line(&report, psprintf("-- %s", (char *) lfirst(lc)));
	foreach(lc, e.script.problems)
		router_report_line(&report, psprintf("-- refuse: %s", (char *) lfirst(lc)));
	foreach(lc, e.script.problems ? NIL : router_script_text(&e.script))
		router_report_line(&report, lfirst(lc));
	if (e.run)
		router_script_run(&e.script);
	return (Datum) 0;
}
