/*
 * check.c
 *		router.check: what is not as it should be, and what to do about it.
 *
 * Drift is found by the comparison that router.sync makes, in a dry run. Rows
 * are looked at with the route's own search for a home.
 *
 * Locking: AccessShareLock on base and children. Rights: the caller is an owner
 * of the base; comparisons and scans run as the owner, in a security-restricted
 * operation.
 */
#include "compat.h"
#include "admin/sync.h"

#include "access/table.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_inherits.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "child/child_bounds.h"
#include "base/budget.h"
#include "route/owned.h"
#include "base/owner.h"
#include "tier/relocate.h"
#include "tier/swap.h"
#include "admin/route_triggers.h"
#include "base/sql.h"
#include "rows/keep_in_step.h"
#include "base/waitpoint.h"
#include "base/report.h"
#include "child/create.h"

/* a route that changes in mid-scan: how often the scan is made again */
#define MAX_SCANS 5

PG_FUNCTION_INFO_V1(router_check);

typedef struct Check
{
	RouterReport report;
	Oid			base;
	const char *base_name;		/* as a literal */
	bool		moving;			/* children are being moved: what is there for that is not left behind */
} Check;

/* Adds a line. child InvalidOid: the base, base InvalidOid: the whole database. */
static void
add_line(Check *check, Oid child, const char *kind, const char *detail, const char *remedy)
{
	Datum		values[5];
	bool		nulls[5] = {0};

	values[0] = ObjectIdGetDatum(check->base);
	nulls[0] = !OidIsValid(check->base);
	values[1] = ObjectIdGetDatum(child);
	nulls[1] = !OidIsValid(child);
	values[2] = CStringGetTextDatum(kind);
	values[3] = CStringGetTextDatum(detail);
	values[4] = CStringGetTextDatum(remedy);
	router_report_row(&check->report, values, nulls);
}

/* ------------------------------------------------------------------- by queries */

/* What SQL finds: of what kind, the child or NULL, what it is, and what to do about it. $1 is the base, as of now. */
typedef struct Question
{
	const char *kind;
	const char *sql;
} Question;

static const Question triggers[] = {
	{"event trigger", "SELECT NULL::oid, 'event trigger ' || n || CASE WHEN e.oid IS NULL THEN ' is missing' ELSE ' is disabled' END,"
		" CASE WHEN e.oid IS NULL THEN 'see the CREATE EVENT TRIGGER commands of the extension''s script'"
		" ELSE 'ALTER EVENT TRIGGER ' || n || ' ENABLE' END"
		" FROM unnest('{router_on_sql_drop,router_on_ddl_start,router_on_ddl_end}'::text[]) WITH ORDINALITY u(n, i)"
	" LEFT JOIN pg_event_trigger e ON evtname = n WHERE e.oid IS NULL OR evtenabled IN ('D', 'R') ORDER BY i"},
};

/* what the owner may not do, and new children need */
static const Question privileges[] = {
	{"privilege", "SELECT NULL::oid, CASE WHEN n.oid IS NULL THEN format('schema %s, where children are made, does not exist', child_schema)"
		" ELSE format('owner %s may not create children in schema %s', r.rolname, n.nspname) END,"
		" CASE WHEN n.oid IS NULL THEN format('SELECT router.alter_route(%L, child_schema => …)', format('%I.%I', p.nspname, relname))"
		" ELSE format('GRANT %s ON SCHEMA %I TO %I', CASE WHEN has_schema_privilege(relowner, n.oid, 'USAGE') THEN 'CREATE'"
		" ELSE 'CREATE, USAGE' END, n.nspname, r.rolname) END"
		" FROM router.route_def JOIN pg_class b ON b.oid = base JOIN pg_namespace p ON p.oid = relnamespace"
		" JOIN pg_roles r ON r.oid = relowner LEFT JOIN pg_namespace n ON n.nspname = coalesce(child_schema, p.nspname)"
		" WHERE base = $1 AND relpersistence <> 't' AND NOT coalesce(has_schema_privilege(relowner, n.oid, 'CREATE')"
	" AND has_schema_privilege(relowner, n.oid, 'USAGE'), false)"},
	{"privilege", "SELECT NULL::oid, format('owner %s may not create children in tablespace %s', r.rolname, s.spcname),"
		" format('GRANT CREATE ON TABLESPACE %I TO %I', s.spcname, r.rolname)"
		" FROM pg_class b JOIN pg_tablespace s ON s.oid = reltablespace JOIN pg_roles r ON r.oid = relowner"
	" WHERE b.oid = $1 AND NOT has_tablespace_privilege(relowner, reltablespace, 'CREATE')"},
};

static const Question tables[] = {
	{"index", "SELECT nullif(indrelid, $1), format('index \"%s\" is invalid', i.relname),"
		" format('DROP INDEX %I.%I, or REINDEX INDEX CONCURRENTLY', nspname, i.relname)"
		" FROM pg_index JOIN pg_class i ON i.oid = indexrelid JOIN pg_namespace n ON n.oid = relnamespace"
		" WHERE indislive AND NOT indisvalid AND (indrelid = $1 OR indrelid IN (SELECT child FROM router.child_def WHERE base = $1))"
	" ORDER BY indrelid <> $1, indrelid, indexrelid"},
	/* no row that comes by the base goes into a child with another column */
	{"column", "SELECT c.oid, format('the base does not have column \"%s\"', attname), format('ALTER %s %I.%I DROP COLUMN %I',"
		" CASE relkind WHEN 'f' THEN 'FOREIGN TABLE' ELSE 'TABLE' END, nspname, relname, attname)"
		" FROM pg_inherits JOIN router.child_def d ON base = inhparent AND child = inhrelid JOIN pg_class c ON c.oid = child"
		" JOIN pg_namespace n ON n.oid = relnamespace JOIN pg_attribute a ON attrelid = c.oid AND attnum > 0 AND NOT attisdropped"
		" WHERE base = $1 AND NOT EXISTS (SELECT FROM pg_attribute b WHERE b.attrelid = $1 AND b.attname = a.attname)"
	" ORDER BY c.oid, attnum"},
};

static const Question global_keys[] = {
	{"global key", "SELECT NULL::oid, format('%s: %s rows without an entry, %s entries without a row, %s keys that several rows have',"
		" key_table, missing, orphans, duplicates), format('SELECT router.rebuild_global_key(%L, %L)', format('%I.%I', nspname,"
		" relname), columns) FROM router.check_global_key($1), pg_class b JOIN pg_namespace n ON n.oid = relnamespace"
	" WHERE b.oid = $1 AND missing + orphans + duplicates > 0"},
	/* a key table has no policies: beside row security of the base, who may read it sees keys of all rows */
	{"grants", "SELECT NULL::oid, format('%s may read key table %s, which has keys of rows that policies of the base hide', readers,"
		" key_table), format('REVOKE SELECT ON %s FROM %s', key_table, readers) FROM (SELECT k.key_table,"
		" string_agg(DISTINCT CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END, ', ') AS readers"
		" FROM router.global_key_def k JOIN pg_class b ON b.oid = k.base JOIN pg_class t ON t.oid = k.key_table,"
		" LATERAL (SELECT t.relacl AS acl UNION ALL SELECT attacl FROM pg_attribute WHERE attrelid = t.oid) x, aclexplode(acl)"
	" WHERE b.oid = $1 AND b.relrowsecurity AND privilege_type = 'SELECT' AND grantee <> t.relowner GROUP BY 1) s"},
};

static void
ask(Check *check, const Question *questions, int n)
{
	Oid			type = REGCLASSOID;
	Datum		base = ObjectIdGetDatum(check->base);
	int			guc_level = router_spi_begin();

	for (int i = 0; i < n; i++)
	{
		SPIPlanPtr	plan = SPI_prepare(questions[i].sql, 1, &type);

		if (plan == NULL || SPI_execute_snapshot(plan, &base, NULL, GetLatestSnapshot(), InvalidSnapshot, false, false,
												 0) != SPI_OK_SELECT)
			elog(ERROR, "could not execute: %s", questions[i].sql);
		for (uint64 j = 0; j < SPI_processed; j++)
		{
			HeapTuple	row = SPI_tuptable->vals[j];
			bool		isnull;
			Oid			child = DatumGetObjectId(SPI_getbinval(row, SPI_tuptable->tupdesc, 1, &isnull));

			add_line(check, isnull ? InvalidOid : child, questions[i].kind, SPI_getvalue(row, SPI_tuptable->tupdesc, 2),
					 SPI_getvalue(row, SPI_tuptable->tupdesc, 3));
		}
	}
	router_spi_end(guc_level);
}

/* ---------------------------------------------------------------------- rows */

/* Rows that are not at home, or not as they must be. */
typedef struct Strays
{
	uint64		n;
	char	   *first;			/* its keys */
	bool		changed;		/* the route changed while the rows were read */
	uint64	   *nulls;			/* of each column that is NOT NULL */
} Strays;

/* Is a row with these keys not where it belongs? */
static bool
is_stray(RouterRoute *route, Oid where, const Datum *values, const bool *isnull)
{
	RouterMiss	miss;
	Oid			home;

	if (router_route_zone(route, values, isnull) != ROUTER_COLD)
		return where != route->config.base;
	if (where == route->config.base)
		return true;
	home = router_route_find(route, values, isnull, &miss);
	return where == route->default_child ? OidIsValid(home) : home != where;
}

/* Counts NULL where none may be. That is next to nothing for a row without any, else the row has to be taken apart. */
static void
count_nulls(TupleDesc desc, TupleTableSlot *slot, uint64 *nulls)
{
	HeapTuple	tuple = TTS_IS_BUFFERTUPLE(slot) ? ((HeapTupleTableSlot *) slot)->tuple : NULL;

	if (tuple && !HeapTupleHasNulls(tuple) && HeapTupleHeaderGetNatts(tuple->t_data) == desc->natts)
		return;
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (att->attnotnull && router_not_null_is_valid(desc, i) &&
			(att->attgenerated == '\0' || att->attgenerated == ATTRIBUTE_GENERATED_STORED))
			nulls[i] += slot_attisnull(slot, i + 1);
	}
}

/* Reads the rows of one table. */
static void
scan_for_strays(RouterCacheEntry *entry, Relation base, Relation rel, Strays *strays)
{
	AttrMap    *map = router_attrmap_by_name(RelationGetDescr(rel), RelationGetDescr(base));
	uint64		generation = router_route_locked(entry)->generation;
	int64		watermark = router_route_locked(entry)->watermark;
	Snapshot	snapshot = RegisterSnapshot(GetLatestSnapshot());
	TableScanDesc scan = table_beginscan(rel, snapshot, 0, NULL);
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	MemoryContext caller = CurrentMemoryContext;
	MemoryContext row = AllocSetContextCreate(caller, "router check row", ALLOCSET_DEFAULT_SIZES);

	ROUTER_WAITPOINT("checking_rows");
	memset(strays, 0, sizeof(*strays));
	strays->nulls = palloc0(RelationGetDescr(rel)->natts * sizeof(uint64));
	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		RouterRoute *route;
		Datum		values[ROUTER_MAX_LEVELS];
		bool		isnull[ROUTER_MAX_LEVELS];

		CHECK_FOR_INTERRUPTS();
		MemoryContextSwitchTo(row);
		route = router_route_locked(entry);
		for (int i = 0; i < route->config.nkeys; i++)
			values[i] = slot_getattr(slot, map->attnums[route->config.keys[i].attnum - 1], &isnull[i]);
		strays->changed = strays->changed || route->generation != generation || route->watermark != watermark;
		if (is_stray(route, RelationGetRelid(rel), values, isnull) && strays->n++ == 0)
		{
			char	   *first = router_row_display(route, values, isnull);

			strays->first = first ? MemoryContextStrdup(caller, first) : NULL;
		}
		count_nulls(RelationGetDescr(rel), slot, strays->nulls);
		MemoryContextSwitchTo(caller);
		MemoryContextReset(row);
	}
	MemoryContextDelete(row);
	ExecDropSingleTupleTableSlot(slot);
	table_endscan(scan);
	UnregisterSnapshot(snapshot);
}

static void
tell_nulls(Check *check, Relation rel, const uint64 *nulls)
{
	TupleDesc	desc = RelationGetDescr(rel);

	for (int i = 0; nulls && i < desc->natts; i++)
	{
		const char *column = quote_identifier(NameStr(TupleDescAttr(desc, i)->attname));

		/* the planner may take "IS NULL" by itself for false */
		if (nulls[i] > 0)
			add_line(check, RelationGetRelid(rel) == check->base ? InvalidOid : RelationGetRelid(rel), "rows",
					 psprintf(UINT64_FORMAT " %s NULL in column %s, which is NOT NULL", nulls[i],
							  nulls[i] == 1 ? "row has" : "rows have", column),
					 psprintf("UPDATE ONLY %s SET %s = … WHERE (%s IS NULL) IS TRUE",
							  router_qualified_name(RelationGetRelid(rel)), column, column));
	}
}

static void
check_rows(Check *check, RouterCacheEntry *entry, Oid relid)
{
	Relation	base = table_open(check->base, AccessShareLock);
	Relation	rel = table_open(relid, AccessShareLock);
	bool		default_child = router_route_locked(entry)->default_child == relid;
	Strays		strays = {0};
	const char *remedy;

	if (rel->rd_rel->relkind == RELKIND_RELATION)
	{
		/*
		 * A child made after the snapshot makes rows of the default child look
		 * astray, a watermark that moved those of a hot base. That may be heard of
		 * late: so what is astray has to be so twice.
		 */
		for (int i = 0; i < MAX_SCANS && (i < 2 || strays.changed); i++)
		{
			AcceptInvalidationMessages();
			scan_for_strays(entry, base, rel, &strays);
			if (strays.n == 0)
				break;
		}
		tell_nulls(check, rel, strays.nulls);
	}
	table_close(rel, NoLock);
	table_close(base, NoLock);
	if (strays.n == 0)
		return;
	if (relid == check->base)
		remedy = psprintf("SELECT router.create_route(%s, …, move_rows => true), with the keys there are", check->base_name);
	else if (default_child)
		remedy = psprintf("CALL router.redistribute(%s)", check->base_name);
	else
		remedy = psprintf("DELETE them FROM ONLY %s and INSERT them INTO %s", router_qualified_name(relid),
						  router_qualified_name(check->base));
	add_line(check, relid == check->base ? InvalidOid : relid, "rows",
			 psprintf(UINT64_FORMAT " %s not at home%s%s", strays.n, strays.n == 1 ? "row is" : "rows are",
					  strays.first ? ", the first has " : "", strays.first ? strays.first : ""), remedy);
}

/* ------------------------------------------------------------------ children */

static void
add_difference(void *arg, Oid child, const char *kind, const char *action)
{
	Check	   *check = arg;

	add_line(check, child == check->base ? InvalidOid : child, kind, psprintf("to be mended: %s", action),
			 psprintf("SELECT router.sync(%s)", check->base_name));
}

static bool
is_child(const Check *check, Oid child)
{
	RouterChildDef *def = router_catalog_child(child);

	return def && def->base == check->base;
}

static void
check_copy(Check *check, Oid child)
{
	Relation	rel = table_open(child, AccessShareLock);
	Oid			copy = check->moving ? InvalidOid : router_step_copy(rel);

	if (OidIsValid(copy))
		add_line(check, child, "copy", "an interrupted move_child left a copy, to which its writers write as well",
				 psprintf("DROP TABLE %s, or router.move_child once more", router_qualified_name(copy)));
	table_close(rel, NoLock);
}

static void
check_child(Check *check, RouterCacheEntry *entry, Oid child)
{
	RouterMirror request = {.aspects = ROUTER_ALL,.dry_run = true,.found = add_difference,.arg = check};

	LockRelationOid(child, AccessShareLock);
	if (!is_child(check, child))
		return;					/* it was one when this began */
	if (!SearchSysCacheExists1(RELOID, ObjectIdGetDatum(child)))
	{
		add_line(check, InvalidOid, "catalog", psprintf("router.child_def names relation %u, which does not exist", child),
				 psprintf("DELETE FROM router.child_def WHERE child = %u", child));
		return;
	}
	if (!list_member_oid(find_inheritance_children(check->base, NoLock), child))
	{
		add_line(check, child, "inheritance", "the child does not inherit from its base",
				 psprintf("SELECT router.detach_child(%s), then router.attach_child",
						  quote_literal_cstr(router_qualified_name(child))));
		return;
	}
	check_copy(check, child);
	(void) router_sync_child(&request, check->base, child);
	check_rows(check, entry, child);
}

/* Does a table inherit from the base, and is no child of the route? Both come and go together. */
static bool
is_strange(const Check *check, Oid heir)
{
	return !is_child(check, heir) && list_member_oid(find_inheritance_children(check->base, NoLock), heir) &&
		!is_child(check, heir);
}

/*
 * Tables that inherit from the base and are no children of the route. A bridge
 * is neither to be attached nor to be let go: the next move looks for it
 * among the heirs, and a child may inherit from it.
 */
static void
check_inheritance(Check *check, List *children)
{
	Oid			bridge = router_bridge(check->base);
	ListCell   *lc;

	foreach(lc, find_inheritance_children(check->base, NoLock))
	{
		Oid			heir = lfirst_oid(lc);

		if (list_member_oid(children, heir) || !is_strange(check, heir))
			continue;
		if (heir != bridge)
			add_line(check, heir, "inheritance", "the table inherits from the base and is no child of the route",
					 psprintf("SELECT router.attach_child(%s, %s, …), or ALTER TABLE … NO INHERIT", check->base_name,
							  quote_literal_cstr(router_qualified_name(heir))));
		else if (!check->moving)
			add_line(check, heir, "inheritance", "an interrupted move_child left an empty table that inherits from the base",
					 "router.move_child once more, of any child of the base, which drops it");
	}
}

static bool
has_seal(const Check *check, Oid child)
{
	ListCell   *lc;

	foreach(lc, router_catalog_seals(check->base))
		if (((RouterSeal *) lfirst(lc))->child == child)
			return true;
	return false;
}

/* Seals that nothing guards: somebody dropped the CHECK while event triggers were off. */
static void
check_seals(Check *check)
{
	ListCell   *lc;

	foreach(lc, router_catalog_seals(check->base))
	{
		RouterSeal *seal = lfirst(lc);

		/* looked for again under a lock: sealing and ending a seal take a stronger one */
		if (OidIsValid(get_relation_constraint_oid(seal->child, ROUTER_SEAL_NAME, true)))
			continue;
		LockRelationOid(seal->child, AccessShareLock);
		if (has_seal(check, seal->child) &&
			!OidIsValid(get_relation_constraint_oid(seal->child, ROUTER_SEAL_NAME, true)))
			add_line(check, seal->child, "seal", psprintf("column \"%s\" is sealed without a CHECK", seal->column),
					 psprintf("DELETE FROM router.seal_def WHERE child = %u", seal->child));
	}
}

/* -------------------------------------------------------------------- bases */

static bool
read_groups(void *arg)
{
	RouterKey  *key = arg;
	int			guc_level = router_pin_settings(NULL);

	for (int i = 0; i < key->ngroups; i++)
		(void) router_bound_parse(key, key->groups[i]);
	AtEOXact_GUC(false, guc_level);
	return true;
}

static bool
check_type(void *arg)
{
	const RouterKey *key = arg;

	router_key_check_type(key, key->typid);
	return true;
}

static bool
read_route(void *entry)
{
	return router_cache_route(entry) != NULL;
}

/* Can the route be read, and the groups that children will be made by? */
static bool
check_readable(Check *check, RouterCacheEntry *entry)
{
	ErrorData  *error = router_attempt_step(read_route, entry);
	RouterRoute *route;

	if (error)
	{
		add_line(check, InvalidOid, "route",
				 psprintf("it cannot be read: %s%s%s", error->message, error->context ? "; " : "",
						  error->context ? error->context : ""),
				 error->hint ? error->hint : psprintf("SELECT router.drop_route(%s)", check->base_name));
		return false;
	}
	route = router_route_locked(entry);
	for (int i = 0; i < route->config.nkeys; i++)
	{
		RouterKey  *key = &route->config.keys[i];

		error = router_attempt_step(check_type, key);
		if (error)
			add_line(check, InvalidOid, "key", psprintf("%s: %s", error->message, error->detail ? error->detail : ""),
					 psprintf("SELECT router.drop_route(%s), and a column of another type", check->base_name));
		error = error == NULL && key->by_check ? router_attempt_step(read_groups, key) : NULL;
		if (error)
			add_line(check, InvalidOid, "groups",
					 psprintf("groups of key \"%s\" cannot be read: %s", key->column, error->message),
					 psprintf("UPDATE router.key_def SET groups = … WHERE base = %s::regclass AND level = %d", check->base_name,
							  i + 1));
	}
	return true;
}

static void
check_base(Check *check, Oid base)
{
	RouterMirror request = {.dry_run = true,.found = add_difference,.arg = check};
	MemoryContext work = AllocSetContextCreate(CurrentMemoryContext, "router check", ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(work);
	RouterCacheEntry *entry = router_cache_entry(base);
	List	   *children;
	RouterAsOwner saved;
	ListCell   *lc;

	router_check_owned_base(base);
	LockRelationOid(base, AccessShareLock);
	router_check_owned_base(base);	/* it may have gone while we waited */
	check->base = base;
	check->moving = router_job_is_run(base);
	check->base_name = quote_literal_cstr(router_qualified_name(base));
	if (!check_readable(check, entry))
	{
		MemoryContextSwitchTo(caller);
		MemoryContextDelete(work);
		return;
	}
	children = router_children_by_oid(base);
	ROUTER_WAITPOINT("checking");
	ask(check, privileges, lengthof(privileges));
	(void) router_sync_triggers(&request, base);
	router_become_owner(&saved, router_relation_owner(base), router_is_own_temp(base),
						router_route_locked(entry)->config.time_zone);
	check_rows(check, entry, base);
	foreach(lc, children)
		check_child(check, entry, lfirst_oid(lc));
	ask(check, tables, lengthof(tables));
	check_inheritance(check, children);
	check_seals(check);
	if (router_route_locked(entry)->global_keys != NIL)
		ask(check, global_keys, lengthof(global_keys));
	router_become_user(&saved);
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(work);
}

static bool
check_listed(void *arg)
{
	check_base(arg, ((Check *) arg)->base);
	return true;
}

/* One of several bases: what is wrong with it keeps nobody from hearing of the others. */
static void
check_another(Check *check, Oid base, const Interval *table_budget)
{
	ErrorData  *error;

	check->base = base;
	error = router_attempt_within(table_budget, router_attempt, check_listed, check);
	if (error == NULL || get_rel_name(base) == NULL)
		return;
	check->base = base;
	add_line(check, InvalidOid, "check", psprintf("it could not be checked to the end: %s", error->message),
			 psprintf("SELECT router.check(%s), for the whole message", quote_literal_cstr(router_job_name(base))));
	FreeErrorData(error);
}

/* That nothing is said of a table which the caller may not look at does not mean that all is well. */
static void
tell_unchecked(Check *check, Oid base)
{
	char	   *owner;

	if (get_rel_name(base) == NULL || get_rel_persistence(base) == RELPERSISTENCE_TEMP ||
		router_original(base) != base)
		return;
	owner = GetUserNameFromId(router_relation_owner(base), false);
	check->base = base;
	add_line(check, InvalidOid, "not checked", psprintf("it belongs to role \"%s\", whose rights are needed", owner),
			 psprintf("SELECT router.check() as %s, or as a member of it", quote_identifier(owner)));
}

/* router.check(base, table_budget): no line when all is well; NULL: every base that the caller owns. */
Datum
router_check(PG_FUNCTION_ARGS)
{
	Check		check = {0};
	const Interval *table_budget = router_table_budget(fcinfo, 1);
	ListCell   *lc;

	router_report_begin(&check.report, fcinfo, 0, -1);
	/* without its event triggers router does not hear of DDL */
	ask(&check, triggers, lengthof(triggers));
	if (!PG_ARGISNULL(0))
	{
		check_base(&check, PG_GETARG_OID(0));
		return (Datum) 0;
	}
	foreach(lc, router_catalog_bases())
		if (router_is_meant(lfirst_oid(lc)))
			check_another(&check, lfirst_oid(lc), table_budget);
		else
			tell_unchecked(&check, lfirst_oid(lc));
	return (Datum) 0;
}
