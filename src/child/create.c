/*
 * create.c
 *		Creates children: name, CHECK, table, catalog row, rows from the default
 *		child. For a statement that needs one and for the admin functions alike.
 *
 * Lock order, for everything that creates children (lock.c waits for one at a time):
 *	1. the creation lock of the base's owner, unless the base is temporary;
 *	2. the base, ShareUpdateExclusive: conflicts with no reader or writer. DDL
 *	   and VACUUM on the base wait for us or we for them;
 *	3. the default child, if any, ShareRowExclusive: taken only if free when a
 *	   statement creates (its row goes to the default child if not); and if it
 *	   has rows for the new child, AccessExclusive on the base, in the same way:
 *	   a query that was planned without the new child and has no snapshot yet
 *	   would see those rows in neither table;
 *	4. tables that foreign keys refer to, ShareRowExclusive, by oid.
 * All are kept until the transaction ends. A waiter looks again when it gets
 * the lock, and finds the child that the other session made.
 *
 * Rights: everything runs as the owner of the base in a security-restricted
 * operation, with search_path pinned to pg_catalog.
 */
#include "compat.h"
#include "child/create.h"

#include "access/htup_details.h"
#include "access/reloptions.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_am.h"
#include "catalog/pg_extension.h"
#include "catalog/pg_type.h"
#include "commands/event_trigger.h"
#include "commands/extension.h"
#include "commands/tablespace.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "base/budget.h"
#include "rows/estate.h"
#include "route/growth.h"
#include "globalkey/triggers.h"
#include "mirror/mirror.h"
#include "rows/move.h"
#include "rows/moving.h"
#include "base/name.h"
#include "base/owner.h"
#include "base/see.h"
#include "base/sql.h"
#include "route/stored.h"
#include "base/waitpoint.h"

/* how many names a child is tried under */
#define MAX_NAMES 4

/* --------------------------------------------------------------------- text */

/*
 * "(a, b) = (1, 2)": the key values of a row, for messages. NULL: the user may not read them of any
 * row. Who changes a row, or has defaults put into it, need not know them.
 */
char *
router_row_display(RouterRoute *route, const Datum *values, const bool *isnull)
{
	AttrNumber	attnums[ROUTER_MAX_LEVELS] = {0};
	StringInfoData buf;
	int			nkeys = route->config.nkeys;
	int			guc_level;

	for (int i = 0; i < nkeys; i++)
		attnums[i] = route->config.keys[i].attnum;
	if (!router_may_see(route->config.base, attnums, nkeys))
		return NULL;
	guc_level = router_pin_settings(route->config.time_zone);
	initStringInfo(&buf);
	for (int i = 0; i < nkeys; i++)
		appendStringInfo(&buf, "%s%s", i == 0 ? "(" : ", ", route->config.keys[i].column);
	appendStringInfoString(&buf, ") = ");
	for (int i = 0; i < nkeys; i++)
	{
		Oid			output;
		bool		varlena;

		getTypeOutputInfo(route->config.keys[i].typid, &output, &varlena);
		appendStringInfo(&buf, "%s%s", i == 0 ? "(" : ", ",
						 isnull[i] ? "null" : OidOutputFunctionCall(output, values[i]));
	}
	appendStringInfoChar(&buf, ')');
	AtEOXact_GUC(false, guc_level);
	return buf.data;
}

/* The bounds as they stand in router.children. */
char *
router_bounds_display(RouterRoute *route, RouterBound **bounds)
{
	StringInfoData buf;
	int			guc_level = router_pin_settings(route->config.time_zone);

	initStringInfo(&buf);
	for (int i = 0; i < route->config.nkeys; i++)
		appendStringInfo(&buf, "%s%s", i > 0 ? " " : "", router_bound_text(&route->config.keys[i], bounds[i]));
	AtEOXact_GUC(false, guc_level);
	return buf.data;
}

/* The condition of the CHECK, or "" for a default child. Settings are pinned. */
char *
router_child_condition(RouterRoute *route, RouterBound **bounds)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (int i = 0; i < route->config.nkeys; i++)
		router_bound_condition(&buf, &route->config.keys[i], bounds[i]);
	return buf.data;
}

/* -------------------------------------------------------------------- names */

static SPIPlanPtr
prepare_label(RouterKey *key)
{
	SPIPlanPtr	plan = SPI_prepare(key->label, 1, &key->typid);

	if (plan == NULL || !SPI_is_cursor_plan(plan))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the label of key \"%s\" is not one query", key->column)));
	return plan;
}

/* Checks a label query when it is configured, as the role that will run it. */
void
router_check_label(RouterKey *key, Oid owner, const char *time_zone)
{
	RouterAsOwner saved;

	if (key->label == NULL)
		return;
	router_become_owner(&saved, owner, false, time_zone);
	SPI_connect();
	(void) prepare_label(key);
	SPI_finish();
	router_become_user(&saved);
}

/* The name part that the label query gives for a bound, or NULL. SPI is not connected. */
static char *
label_part(RouterKey *key, const RouterBound *bound)
{
	MemoryContext caller = CurrentMemoryContext;
	bool		isnull;
	Datum		sample;
	char		null;
	char	   *label = NULL;
	int			guc_level;

	if (key->label == NULL || (bound->form != ROUTER_BOUND_VALUES && bound->form != ROUTER_BOUND_RANGE))
		return NULL;
	sample = router_bound_sample(key, bound, &isnull);
	null = isnull ? 'n' : ' ';
	guc_level = router_spi_begin();
	if (SPI_execute_plan(prepare_label(key), &sample, &null, false, 1) > 0 && SPI_processed > 0)
	{
		label = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
		if (label)
			label = MemoryContextStrdup(caller, label);
	}
	router_spi_end(guc_level);
	return label;
}

/* Replaces control characters; true if there were any. */
static bool
clean_name(char *name)
{
	bool		changed = false;

	for (; *name; name++)
		if ((unsigned char) *name < 0x20 || *name == 0x7f)
		{
			*name = '_';
			changed = true;
		}
	return changed;
}

static char *
expand_template(const char *template, const char *base, char **parts, int nparts)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (const char *p = template; *p; p++)
	{
		if (strncmp(p, "{base}", 6) == 0)
		{
			appendStringInfoString(&buf, base);
			p += 5;
		}
		else if (p[0] == '{' && p[1] >= '1' && p[1] < '1' + nparts && p[2] == '}')
		{
			appendStringInfoString(&buf, parts[p[1] - '1']);
			p += 2;
		}
		else
			appendStringInfoChar(&buf, *p);
	}
	return buf.data;
}

/*
 * The name of a new child: template, labels, then made to fit and not taken.
 * Deterministic but for what names are taken. Runs as the owner. The route may
 * be another one afterwards, since the labels' queries may use the base.
 */
char *
router_child_name(RouterRoute *route, RouterBound **bounds)
{
	int			nkeys = route->config.nkeys;
	Oid			schema = get_rel_namespace(route->config.base);
	const char *base = get_rel_name(route->config.base);
	const char *template = route->config.template ? pstrdup(route->config.template) : NULL;
	char	   *hashed = psprintf("%s %s", base, router_bounds_display(route, bounds));
	RouterKey	keys[ROUTER_MAX_LEVELS];
	char	   *parts[ROUTER_MAX_LEVELS];
	char	   *name;
	bool		cleaned;

	for (int i = 0; i < nkeys; i++)
	{
		keys[i] = route->config.keys[i];
		keys[i].column = pstrdup(keys[i].column);
		keys[i].label = keys[i].label ? pstrdup(keys[i].label) : NULL;
		parts[i] = router_bound_part(&route->config.keys[i], bounds[i]);
	}
	for (int i = 0; i < nkeys; i++)
	{
		char	   *label = label_part(&keys[i], bounds[i]);

		parts[i] = label ? label : parts[i];
	}
	if (bounds[0]->form == ROUTER_BOUND_DEFAULT)
		name = psprintf("%s_default", base);
	else if (template)
		name = expand_template(template, base, parts, nkeys);
	else
	{
		name = pstrdup(base);
		for (int i = 0; i < nkeys; i++)
			name = psprintf("%s_%s", name, parts[i]);
	}
	cleaned = clean_name(name);
	if (!cleaned && strlen(name) < NAMEDATALEN && router_name_is_free(name, schema))
		return name;
	return router_another_name(name, hashed, schema, schema);
}

/* ------------------------------------------------------------------- bounds */

/* The configured group that holds a value of a list key, or the value by itself. */
static RouterBound *
group_of(RouterKey *key, Datum value, bool isnull)
{
	RouterBound *bound = NULL;
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext work = key->ngroups > 0 ? AllocSetContextCreate(caller, "router groups", ALLOCSET_SMALL_SIZES) : NULL;

	/* a statement may make many children, of a key with many groups */
	for (int i = 0; i < key->ngroups && bound == NULL; i++)
	{
		RouterBound *group;

		MemoryContextReset(work);
		MemoryContextSwitchTo(work);
		group = router_bound_parse(key, key->groups[i]);
		MemoryContextSwitchTo(caller);
		if (router_bound_has(key, group, value, isnull))
			bound = router_bound_copy(key, group);
	}
	if (work)
		MemoryContextDelete(work);
	if (bound)
		return bound;
	bound = palloc0(sizeof(RouterBound));
	if (isnull)
	{
		bound->form = ROUTER_BOUND_NULL;
		return bound;
	}
	bound->form = ROUTER_BOUND_VALUES;
	bound->nvalues = 1;
	bound->values = palloc(sizeof(Datum));
	bound->values[0] = router_key_fold(key, value);
	return bound;
}

static bool
fill_bounds(RouterRoute *route, const Datum *values, const bool *isnull, const RouterMiss *miss, RouterBound **bounds)
{
	for (int i = 0; i < route->config.nkeys; i++)
	{
		RouterKey  *key = &route->config.keys[i];
		RouterBound *bound;

		if (i < miss->level)
		{
			bounds[i] = router_bound_copy(key, miss->path[i + 1]->bound);
			continue;
		}
		if (!router_key_is_range(key) && key->kind != ROUTER_HASH)
		{
			bounds[i] = group_of(key, values[i], isnull[i]);
			if (i == miss->level)
				router_route_leave_out(key, miss->path[i], bounds[i]);
			continue;
		}
		bounds[i] = bound = palloc0(sizeof(RouterBound));
		if (isnull[i])
			bound->form = ROUTER_BOUND_NULL;
		else if (router_key_is_range(key))
		{
			int64		value = router_key_int(key, values[i]);

			bound->form = ROUTER_BOUND_RANGE;
			if (!router_key_bucket(key, value, &bound->lo, &bound->hi))
				return false;
			if (i == miss->level)
				router_route_clip(miss->path[i], value, &bound->lo, &bound->hi);
		}
		else
		{
			bound->form = ROUTER_BOUND_HASH;
			bound->modulus = key->modulus;
			bound->remainder = router_key_hash(key, values[i]) % key->modulus;
			if (i == miss->level)
				router_route_split(miss->path[i], router_key_hash(key, values[i]), bound);
		}
	}
	return true;
}

/* Fills bounds with those of the child that a row needs; false if there can be none. */
bool
router_child_bounds(RouterRoute *route, const Datum *values, const bool *isnull, const RouterMiss *miss,
					RouterBound **bounds)
{
	int			guc_level = router_pin_settings(route->config.time_zone);
	bool		found = fill_bounds(route, values, isnull, miss, bounds);

	AtEOXact_GUC(false, guc_level);
	return found;
}
/* Refuses bounds that overlap those of a child there is, or share an outer bound only in part. */
void
router_child_check_bounds(RouterEntry *entry, RouterBound **bounds, Oid ignore)
{
	RouterRoute *route = router_route_locked(entry);
	ListCell   *lc;

	foreach(lc, router_catalog_children(route->config.base))
	{
		RouterChildDef *def = lfirst(lc);
		RouterBound *others[ROUTER_MAX_LEVELS];
		bool		overlap = def->child != ignore;

		if (overlap)
			router_stored_bounds(route->config.keys, def, others);
		for (int i = 0; overlap && i < route->config.nkeys; i++)
		{
			overlap = router_bounds_overlap(&route->config.keys[i], others[i], bounds[i]);
			/* the same outer bound leads on to the next level */
			if (overlap && i + 1 < route->config.nkeys &&
				strcmp(router_bound_text(&route->config.keys[i], others[i]),
					   router_bound_text(&route->config.keys[i], bounds[i])) != 0)
				break;
		}
		if (overlap)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_OBJECT_DEFINITION),
					 errmsg("bounds %s overlap those of child \"%s\"",
							router_bounds_display(route, bounds), get_rel_name(def->child)),
					 errhint("See router.children for the bounds there are.")));
	}
}

/* ----------------------------------------------------------------- creation */

static void
append_options(StringInfo buf, Datum options, const char *prefix, bool *any)
{
	ListCell   *lc;

	foreach(lc, untransformRelOptions(options))
	{
		DefElem    *option = lfirst(lc);

		appendStringInfo(buf, "%s%s%s = %s", *any ? ", " : " WITH (", prefix, quote_identifier(option->defname),
						 quote_literal_cstr(defGetString(option)));
		*any = true;
	}
}

static void
append_relation_options(StringInfo buf, Oid relid, const char *prefix, bool *any)
{
	HeapTuple	tup = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	bool		isnull;
	Datum		options;

	if (!HeapTupleIsValid(tup))
		return;
	options = SysCacheGetAttr(RELOID, tup, Anum_pg_class_reloptions, &isnull);
	if (!isnull)
		append_options(buf, options, prefix, any);
	ReleaseSysCache(tup);
}

static char *
create_statement(Relation base, const char *name, const char *condition)
{
	StringInfoData buf;
	bool		any = false;
	char		persistence = base->rd_rel->relpersistence;

	initStringInfo(&buf);
	appendStringInfo(&buf, "CREATE %sTABLE %s (",
					 persistence == RELPERSISTENCE_UNLOGGED ? "UNLOGGED " :
					 persistence == RELPERSISTENCE_TEMP ? "TEMPORARY " : "",
					 quote_qualified_identifier(persistence == RELPERSISTENCE_TEMP ? "pg_temp" :
												get_namespace_name(RelationGetNamespace(base)), name));
	if (condition[0] != '\0')
		appendStringInfo(&buf, "CONSTRAINT %s CHECK (%s)", ROUTER_CHECK_NAME, condition);
	appendStringInfo(&buf, ") INHERITS (%s)", router_qualified_name(RelationGetRelid(base)));
	if (OidIsValid(base->rd_rel->relam))
		appendStringInfo(&buf, " USING %s", quote_identifier(get_am_name(base->rd_rel->relam)));
	append_relation_options(&buf, RelationGetRelid(base), "", &any);
	if (OidIsValid(base->rd_rel->reltoastrelid))
		append_relation_options(&buf, base->rd_rel->reltoastrelid, "toast.", &any);
	if (any)
		appendStringInfoChar(&buf, ')');
	if (OidIsValid(base->rd_rel->reltablespace))
		appendStringInfo(&buf, " TABLESPACE %s", quote_identifier(get_tablespace_name(base->rd_rel->reltablespace)));
	return buf.data;
}

/* Children stand in the base's schema and belong to its owner, who must be allowed to create tables there. */
static void
check_schema(Relation base)
{
	Oid			schema = RelationGetNamespace(base);

	if (isTempNamespace(schema) || router_may_create_in(schema, base->rd_rel->relowner))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("permission denied for schema %s", get_namespace_name(schema)),
			 errdetail("Routed table \"%s\" needs a new child, which its owner %s may not create there.",
					   RelationGetRelationName(base), GetUserNameFromId(base->rd_rel->relowner, false)),
			 errhint("GRANT CREATE ON SCHEMA %s TO %s.", quote_identifier(get_namespace_name(schema)),
					 quote_identifier(GetUserNameFromId(base->rd_rel->relowner, false)))));
}

/* Enters a child in the catalog and in this session's cache, whose route had this generation. */
static void
register_child(RouterEntry *entry, uint64 generation, Oid base, Oid child, RouterBound **bounds, char **texts,
			   int nkeys)
{
	uint64		version = router_growth_add(base, child);

	router_catalog_add_child(child, base, texts, nkeys);
	router_cache_add_child(entry, generation, child, bounds, version);
}

/* The same for a table that is there. Creation locks are held, settings pinned. */
void
router_register_child(RouterEntry *entry, Oid child, RouterBound **bounds)
{
	RouterRoute *route = router_route_locked(entry);
	int			nkeys = route->config.nkeys;
	char	   *texts[ROUTER_MAX_LEVELS];

	for (int i = 0; i < nkeys; i++)
		texts[i] = router_bound_text(&route->config.keys[i], bounds[i]);
	register_child(entry, route->generation, route->config.base, child, bounds, texts, nkeys);
}

/* The command that event triggers are being told of; or NULL. */
static const Node *told = NULL;

/* Is this the making of a child? Router's own event triggers have nothing to do then. */
bool
router_child_is_told(const Node *command)
{
	return command == told;
}

static bool
fire_event_triggers(void *command)
{
	int			guc_level = NewGUCNestLevel();

	PushActiveSnapshot(GetTransactionSnapshot());
	EventTriggerDDLCommandEnd(command);
	PopActiveSnapshot();
	AtEOXact_GUC(false, guc_level);
	return true;
}

/*
 * Tells event triggers for ddl_command_end of a new child that is complete: of
 * one CREATE TABLE, with all commands that made it. Whoever inserts a row is no
 * author of DDL: what goes wrong there is a warning to him, and undone.
 */
static void
tell_event_triggers(Oid schema, const char *name)
{
	CreateStmt *command = makeNode(CreateStmt);
	const Node *outer = told;
	ErrorData  *error;

	command->relation = makeRangeVar(get_namespace_name(schema), pstrdup(name), -1);
	told = (Node *) command;
	error = router_attempt_step(fire_event_triggers, command);
	told = outer;
	if (error == NULL)
		return;
	ereport(WARNING,
			(errcode(error->sqlerrcode),
			 errmsg("an event trigger failed after child \"%s\" was made: %s", name, error->message),
			 errdetail("The child stays. The function ran as the owner of the routed table, with search_path set to pg_catalog."),
			 errhint("Such a function needs a search_path of its own: ALTER FUNCTION … SET search_path = ….")));
}

/* Makes the table of a child and all that its base has. Runs as the owner. */
static Oid
make_child(Relation base, const char *name, const char *create)
{
	RouterMirror everything = {.aspects = ROUTER_EVERYTHING};
	Oid			child;

	router_check_parts(RelationGetRelid(base));
	router_run("%s", create);
	child = get_relname_relid(name, RelationGetNamespace(base));
	(void) router_mirror(&everything, RelationGetRelid(base), child);
	router_keys_equip(RelationGetRelid(base), child);
	return child;
}

/* A child in the making. */
typedef struct Making
{
	RouterEntry *entry;
	uint64		generation;
	Relation	base;
	RouterBound **bounds;
	char	  **texts;
	int			nkeys;
	const char *condition;
	const char *name;
	Oid			child;
} Making;

/*
 * Makes a child and tells of it: a command by itself for event triggers, whatever is under way. Labels and our own
 * DDL invalidate the route: it is not looked at any more.
 */
static bool
make_and_tell(void *arg)
{
	Making	   *m = arg;
	bool		observed = EventTriggerBeginCompleteQuery();

	PG_TRY();
	{
		m->child = make_child(m->base, m->name, create_statement(m->base, m->name, m->condition));
		register_child(m->entry, m->generation, RelationGetRelid(m->base), m->child, m->bounds, m->texts, m->nkeys);
		if (observed)
			tell_event_triggers(RelationGetNamespace(m->base), m->name);
	}
	PG_FINALLY();
	{
		if (observed)
			EventTriggerEndCompleteQuery();
	}
	PG_END_TRY();
	return true;
}

/*
 * The same where strangers may create in the schema as well: one may take a name after we saw that it was free. Then
 * the child gets a name that he cannot foresee. A subtransaction is not for free where a statement makes many children.
 */
static void
make_among_strangers(Making *m)
{
	Oid			schema = RelationGetNamespace(m->base);
	const char *wanted = m->name;
	ErrorData  *error;
	uint64		secret;

	for (int tries = 1; (error = router_attempt_step(make_and_tell, m)) != NULL; tries++)
	{
		if (tries == MAX_NAMES || !pg_strong_random(&secret, sizeof(secret)) ||
			(error->sqlerrcode != ERRCODE_DUPLICATE_TABLE && error->sqlerrcode != ERRCODE_DUPLICATE_OBJECT &&
			 error->sqlerrcode != ERRCODE_UNIQUE_VIOLATION))
			ReThrowError(error);
		m->name = router_another_name(wanted, psprintf("%s " UINT64_FORMAT, wanted, secret), schema, schema);
	}
}

/*
 * Creates the child with these bounds; name NULL: the one it gets by itself.
 * The creation locks are held, the route was looked at under them, and no
 * child holds any of this. Returns its oid.
 */
Oid
router_child_create(RouterEntry *entry, RouterBound **bounds, const char *name)
{
	MemoryContext work = AllocSetContextCreate(CurrentMemoryContext, "router create", ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(work);
	RouterRoute *route = router_route_locked(entry);
	Relation	base = table_open(route->config.base, NoLock);
	Oid			schema = RelationGetNamespace(base);
	char	   *texts[ROUTER_MAX_LEVELS];
	Making		m = {.entry = entry,.generation = route->generation,.base = base,.bounds = bounds,.texts = texts};
	RouterAsOwner saved;

	router_become_owner(&saved, base->rd_rel->relowner, isTempNamespace(schema), route->config.time_zone);
	m.nkeys = route->config.nkeys;
	for (int i = 0; i < m.nkeys; i++)
		texts[i] = router_bound_text(&route->config.keys[i], bounds[i]);
	m.condition = router_child_condition(route, bounds);
	m.name = name ? name : router_child_name(route, bounds);
	if (name && OidIsValid(get_relname_relid(name, schema)))
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_TABLE),
				 errmsg("relation \"%s\" already exists, so it cannot become a child of \"%s\"",
						name, RelationGetRelationName(base)),
				 errhint("Rename it, or make it the child with router.attach_child.")));
	if (name)
		router_check_name(name, schema);
	check_schema(base);
	ROUTER_WAITPOINT("naming");
	if (name == NULL && router_strangers_create(schema, base->rd_rel->relowner))
		make_among_strangers(&m);
	else
		(void) make_and_tell(&m);
	router_become_user(&saved);
	table_close(base, NoLock);
	router_child_fill(entry, m.child, bounds);
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(work);
	return m.child;
}

/* -------------------------------------------- rows waiting in the default child */

static bool
row_belongs(RouterRoute *route, RouterBound **bounds, const AttrMap *map, TupleTableSlot *slot)
{
	for (int i = 0; i < route->config.nkeys; i++)
	{
		RouterKey  *key = &route->config.keys[i];
		bool		isnull;
		Datum		value = slot_getattr(slot, map->attnums[key->attnum - 1], &isnull);

		if (!router_bound_has(key, bounds[i], value, isnull))
			return false;
	}
	return true;
}

/*
 * Does the default child, which is locked, hold a row that one of these (of RouterBound *[nkeys]) holds?
 */
bool
router_default_child_has(RouterEntry *entry, List *wanted)
{
	RouterRoute *route = router_route_locked(entry);
	Relation	from = table_open(route->default_child, NoLock);
	bool		found = false;
	ListCell   *lc;

	if (from->rd_rel->relkind == RELKIND_RELATION && RelationGetNumberOfBlocks(from) > 0)
	{
		Relation	base = table_open(route->config.base, NoLock);
		AttrMap    *map = router_attrmap_by_name(RelationGetDescr(from), RelationGetDescr(base));
		TupleTableSlot *slot = table_slot_create(from, NULL);
		Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
		TableScanDesc scan = table_beginscan(from, snapshot, 0, NULL);

		route = router_route_locked(entry);
		while (!found && table_scan_getnextslot(scan, ForwardScanDirection, slot))
		{
			CHECK_FOR_INTERRUPTS();
			foreach(lc, wanted)
				found |= row_belongs(route, lfirst(lc), map, slot);
		}
		table_endscan(scan);
		UnregisterSnapshot(snapshot);
		ExecDropSingleTupleTableSlot(slot);
		table_close(base, NoLock);
	}
	table_close(from, NoLock);
	return found;
}

static bool
is_referenced(Oid relid)
{
	Relation	rel = table_open(relid, NoLock);
	bool		referenced = router_is_referenced(rel);

	table_close(rel, NoLock);
	return referenced;
}

/*
 * Moves rows between two tables of a route, both locked, as their owner and
 * without triggers: all of them, or those that these bounds hold. leave: the
 * old ones are not deleted, their table is about to go. Returns their number.
 */
uint64
router_move_rows(RouterEntry *entry, RouterBound **bounds, Relation from, Relation to, bool leave)
{
	Relation	base = table_open(bounds ? router_route_locked(entry)->config.base : RelationGetRelid(to), NoLock);
	EState	   *estate = router_make_estate(base, NULL);
	AttrMap    *map = router_attrmap_by_name(RelationGetDescr(from), RelationGetDescr(base));
	RouterBatch batch = {.estate = estate,.cid = InvalidCommandId};
	TupleTableSlot *slot = table_slot_create(from, &estate->es_tupleTable);
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	TableScanDesc scan = table_beginscan(from, snapshot, 0, NULL);
	RouterMoving moving;
	RouterDest *dest;
	uint64		moved = 0;

	PushActiveSnapshot(snapshot);
	router_moving_begin(&moving, base, from);
	dest = router_dest_open(estate, to, RelationGetDescr(from), NULL, false);
	router_dest_take(dest, estate, from, true, moving.pending);
	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		CHECK_FOR_INTERRUPTS();
		ResetPerTupleExprContext(estate);
		if (bounds && !row_belongs(router_route_locked(entry), bounds, map, slot))
			continue;
		if (!leave)
			router_delete_row(from, &slot->tts_tid, GetCurrentCommandId(true));
		router_batch_source(&batch, dest, slot);
		router_batch_add(&batch, dest, slot);
		moved++;
	}
	router_batch_flush(&batch);
	router_moving_end(&moving, estate);
	table_endscan(scan);
	PopActiveSnapshot();
	UnregisterSnapshot(snapshot);
	router_dest_close(dest);
	router_free_estate(estate);
	table_close(base, NoLock);
	CommandCounterIncrement();
	return moved;
}

/* Of rows that the user may not see an error tells him nothing: constraints and functions say what is in them. */
static void
move_unseen(RouterEntry *entry, RouterBound **bounds, Relation from, Relation to)
{
	MemoryContext caller = CurrentMemoryContext;

	PG_TRY();
	{
		(void) router_move_rows(entry, bounds, from, to, false);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(caller);
		error = CopyErrorData();
		FlushErrorState();
		ereport(LOG_SERVER_ONLY,
				(errcode(error->sqlerrcode),
				 errmsg_internal("%s", error->message),
				 error->detail ? errdetail_internal("%s", error->detail) : 0));
		ereport(ERROR,
				(errcode(error->sqlerrcode),
				 errmsg("cannot move rows out of default child \"%s\"", RelationGetRelationName(from)),
				 errdetail("What is wrong with them is only for those who may see all rows, and in the server's log."),
				 errhint("Let the owner of the table CALL router.redistribute.")));
	}
	PG_END_TRY();
}

/* Moves the rows that a new child now holds out of the default child, which is locked. */
void
router_child_fill(RouterEntry *entry, Oid child, RouterBound **bounds)
{
	RouterRoute *route = router_route_locked(entry);
	Oid			default_child = route->default_child;
	Relation	base,
				from,
				to;

	if (!OidIsValid(default_child) || default_child == child)
		return;
	LockRelationOid(default_child, ShareRowExclusiveLock);
	if (!router_default_child_has(entry, list_make1(bounds)))
		return;
	/* its caller has locked the base, if this is not to wait with the default child in hand */
	base = table_open(route->config.base, AccessExclusiveLock);
	from = table_open(default_child, NoLock);
	to = table_open(child, RowExclusiveLock);
	if (router_may_see_all(RelationGetRelid(base)))
		(void) router_move_rows(entry, bounds, from, to, false);
	else
		move_unseen(entry, bounds, from, to);
	table_close(to, NoLock);
	table_close(from, NoLock);
	table_close(base, NoLock);
}

/*
 * Creates the child that a row of a running statement needs, or finds that
 * another session just did. InvalidOid: the default child or, when it has rows
 * for the new one, the base is in use by others, so that nothing can be taken
 * out of it now, or a foreign key refers to it; the row goes there.
 */
Oid
router_child_create_home(RouterEntry *entry, const Datum *values, const bool *isnull)
{
	Oid			base = router_route_locked(entry)->config.base;
	RouterBound *bounds[ROUTER_MAX_LEVELS];
	RouterMiss	again;
	RouterRoute *route;
	Oid			child;

	router_lock_creation(base);
	route = router_route_locked(entry);
	child = router_route_find(route, values, isnull, &again);
	if (OidIsValid(child))
	{
		router_unlock_creation(base);
		return child;
	}
	if (OidIsValid(route->default_child) &&
		!ConditionalLockRelationOid(route->default_child, ShareRowExclusiveLock))
	{
		router_unlock_creation(base);
		return InvalidOid;
	}
	route = router_route_locked(entry); /* may be another copy: look again */
	child = router_route_find(route, values, isnull, &again);
	if (OidIsValid(child))
		return child;
	if (!router_child_bounds(route, values, isnull, &again, bounds))
		elog(ERROR, "row has no bounds");
	if (OidIsValid(route->default_child) && router_default_child_has(entry, list_make1(bounds)) &&
		(is_referenced(route->default_child) || !ConditionalLockRelationOid(base, AccessExclusiveLock)))
	{
		UnlockRelationOid(route->default_child, ShareRowExclusiveLock);
		router_unlock_creation(base);
		return InvalidOid;
	}
	return router_child_create(entry, bounds, NULL);
}
