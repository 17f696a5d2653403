/*
 * globalkey_admin.c
 *		add_global_key, drop_global_key, rebuild_global_key, check_global_key:
 *		global keys come and go; entry.c keeps their entries.
 *
 * A key table stands in the base's schema, belongs to its owner and depends on
 * the base, so that it goes with it and not before. A child goes only after its
 * rows have lost their entries (detach_child); event triggers see to both.
 *
 * Locking: to add or rebuild a key, the creation locks of create.c and
 * ShareRowExclusiveLock on the base and each child, which holds up writers. The
 * creation locks are given back while we wait for a writer, who may himself
 * wait for them. To drop the last key, AccessExclusiveLock on all of them, as
 * DROP TRIGGER takes it.
 */
#include "compat.h"
#include "admin/globalkey_admin.h"

#include "access/genam.h"
#include "access/relation.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "commands/defrem.h"
#include "commands/tablecmds.h"
#include "commands/tablespace.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/ruleutils.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "globalkey/entry.h"
#include "globalkey/triggers.h"
#include "mirror/mirror.h"
#include "base/name.h"
#include "route/owned.h"
#include "base/owner.h"
#include "base/report.h"
#include "base/sql.h"
#include "child/create.h"

PG_FUNCTION_INFO_V1(router_add_global_key);
PG_FUNCTION_INFO_V1(router_drop_global_key);
PG_FUNCTION_INFO_V1(router_rebuild_global_key);
PG_FUNCTION_INFO_V1(router_check_global_key);

/* ------------------------------------------------------------------ arguments */

static void
check_column(Relation base, RouterGlobalKey *key, int n)
{
	const char *column = key->columns[n];
	AttrNumber	attnum = get_attnum(RelationGetRelid(base), column);
	Form_pg_attribute attr;

	if (attnum == InvalidAttrNumber)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("column \"%s\" of relation \"%s\" does not exist", column, RelationGetRelationName(base))));
	if (attnum < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_COLUMN_REFERENCE),
				 errmsg("system column \"%s\" cannot be in a global key", column)));
	for (int i = 0; i < n; i++)
		if (key->attnums[i] == attnum)
			ereport(ERROR,
					(errcode(ERRCODE_DUPLICATE_COLUMN),
					 errmsg("column \"%s\" appears twice in global key", column)));
	attr = TupleDescAttr(RelationGetDescr(base), attnum - 1);
	if (attr->attgenerated != '\0' && attr->attgenerated != ATTRIBUTE_GENERATED_STORED)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("virtual generated column \"%s\" cannot be in a global key", column),
				 errhint("Make it a stored one.")));
	key->attnums[n] = attnum;
}

/* Reads columns name[]. */
static RouterGlobalKey *
read_columns(Oid relid, ArrayType *array)
{
	Relation	base = table_open(relid, AccessShareLock);
	RouterGlobalKey *key = palloc0(sizeof(RouterGlobalKey));
	Datum	   *elements;
	bool	   *nulls;

	deconstruct_array(array, NAMEOID, NAMEDATALEN, false, TYPALIGN_CHAR, &elements, &nulls, &key->ncolumns);
	if (key->ncolumns < 1 || key->ncolumns > INDEX_MAX_KEYS)
		router_bad_argument("columns", psprintf("Give 1 to %d columns.", INDEX_MAX_KEYS));
	key->columns = palloc(key->ncolumns * sizeof(char *));
	key->attnums = palloc(key->ncolumns * sizeof(AttrNumber));
	for (int i = 0; i < key->ncolumns; i++)
	{
		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("columns of a global key cannot be null")));
		key->columns[i] = pstrdup(NameStr(*DatumGetName(elements[i])));
		check_column(base, key, i);
	}
	table_close(base, NoLock);
	return key;
}

/* The key that there is over these columns, or NULL. */
static RouterGlobalKey *
find_key(Oid base, const RouterGlobalKey *wanted)
{
	ListCell   *lc;

	foreach(lc, router_catalog_global_keys(base))
	{
		RouterGlobalKey *key = lfirst(lc);

		if (key->ncolumns == wanted->ncolumns &&
			memcmp(key->attnums, wanted->attnums, key->ncolumns * sizeof(AttrNumber)) == 0)
			return key;
	}
	return NULL;
}

/* Its columns, with something before and after each of them, and between them. */
static char *
list_columns(const RouterGlobalKey *key, const char *before, const char *after, const char *between)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (int i = 0; i < key->ncolumns; i++)
		appendStringInfo(&buf, "%s%s%s%s", i > 0 ? between : "", before, quote_identifier(key->columns[i]), after);
	return buf.data;
}

static char *
columns_display(const RouterGlobalKey *key)
{
	return list_columns(key, "", "", ", ");
}

static RouterGlobalKey *
existing_key(Oid base, ArrayType *array)
{
	RouterGlobalKey *wanted = read_columns(base, array);
	RouterGlobalKey *key = find_key(base, wanted);

	if (key == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("routed table \"%s\" has no global key (%s)", get_rel_name(base), columns_display(wanted)),
				 errhint("See router.global_keys.")));
	return key;
}

/* --------------------------------------------------------------------- locks */

typedef struct Family
{
	Oid			base;
	LOCKMODE	mode;
} Family;

static List *
find_family(void *arg, bool locked)
{
	Family	   *family = arg;

	return list_concat(router_lock_add_creation(NIL, family->base),
					   router_lock_family(family->base, family->mode));
}

/* A statement of this session that writes to the table would not know of the change. */
static void
check_unused(List *tables)
{
	ListCell   *lc;

	foreach(lc, tables)
	{
		Relation	rel = table_open(lfirst_oid(lc), NoLock);

		CheckTableNotInUse(rel, "change the global keys of");
		table_close(rel, NoLock);
	}
}

/* Takes the creation lock and locks the base and all children; returns these. */
static List *
lock_family(Oid base, LOCKMODE mode)
{
	Family		family = {.base = base,.mode = mode};
	List	   *tables;

	router_lock_all(find_family, &family);
	(void) router_owned_route(base);
	tables = lcons_oid(base, router_children_by_oid(base));
	check_unused(tables);
	return tables;
}

/* ----------------------------------------------------------------------- SQL */

/* Does it enter a row of b? IS NOT NULL of a composite looks at its fields. */
static char *
not_null(const RouterGlobalKey *key)
{
	return list_columns(key, "b.", " IS DISTINCT FROM NULL", " AND ");
}

/* "k.a = b.a AND …", with the operators of the key table's index; k is the key table, b the base */
static char *
join_condition(Oid base, const RouterGlobalKey *key)
{
	Relation	rel = table_open(key->key_table, AccessShareLock);
	Relation	index;
	StringInfoData buf;

	/* whoever reads it has what its owner defined evaluated, if only by the planner */
	router_check_definer(RelationGetRelid(rel), router_relation_owner(base));
	index = index_open(router_globalkey_index(rel, base, key->attnums, key->ncolumns), AccessShareLock);
	initStringInfo(&buf);
	for (int i = 0; i < key->ncolumns; i++)
	{
		int			column = index->rd_index->indkey.values[i] - 1; /* they may be in another order */
		Form_pg_attribute attr = TupleDescAttr(RelationGetDescr(rel), column);
		Oid			type = index->rd_opcintype[i];
		Oid			equals = get_opfamily_member(index->rd_opfamily[i], type, type, BTEqualStrategyNumber);

		appendStringInfoString(&buf, i > 0 ? " AND " : "");
		generate_operator_clause(&buf, psprintf("k.%s", quote_identifier(NameStr(attr->attname))), attr->atttypid,
								 equals, psprintf("b.%s", quote_identifier(key->columns[column])), attr->atttypid);
	}
	index_close(index, NoLock);
	table_close(rel, NoLock);
	return buf.data;
}

/* Runs as the base's owner, whom no row security stops. */
static void
become_reader(RouterAsOwner *saved, Oid base)
{
	router_become_owner(saved, router_relation_owner(base), router_is_own_temp(base), NULL);
	(void) router_see_all_rows();
}

/* ------------------------------------------------------------ add_global_key */

static char *
joined_columns(const RouterGlobalKey *key)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (int i = 0; i < key->ncolumns; i++)
		appendStringInfo(&buf, "%s%s", i > 0 ? "_" : "", key->columns[i]);
	return buf.data;
}

static char *
create_statement(Relation base, const RouterGlobalKey *key, const char *table)
{
	StringInfoData buf;
	char		persistence = base->rd_rel->relpersistence;

	initStringInfo(&buf);
	appendStringInfo(&buf, "CREATE %sTABLE %s (",
					 persistence == RELPERSISTENCE_UNLOGGED ? "UNLOGGED " :
					 persistence == RELPERSISTENCE_TEMP ? "TEMPORARY " : "", table);
	for (int i = 0; i < key->ncolumns; i++)
	{
		Form_pg_attribute attr = TupleDescAttr(RelationGetDescr(base), key->attnums[i] - 1);

		appendStringInfo(&buf, "%s%s %s", i > 0 ? ", " : "", quote_identifier(key->columns[i]),
						 format_type_with_typemod(attr->atttypid, attr->atttypmod));
		if (OidIsValid(attr->attcollation))
			appendStringInfo(&buf, " COLLATE %s", generate_collation_name(attr->attcollation));
	}
	appendStringInfoChar(&buf, ')');
	if (OidIsValid(base->rd_rel->reltablespace))
		appendStringInfo(&buf, " TABLESPACE %s", quote_identifier(get_tablespace_name(base->rd_rel->reltablespace)));
	return buf.data;
}

/* Enters the rows there are, as of now whatever the transaction's snapshot. */
static void
enter_all(const RouterGlobalKey *key, const char *table, const char *base)
{
	SPIPlanPtr	plan = SPI_prepare(psprintf("INSERT INTO %s SELECT %s FROM %s b WHERE %s", table, list_columns(key, "b.", "", ", "),
											base, not_null(key)), 0, NULL);

	if (plan == NULL)
		elog(ERROR, "could not prepare to enter the rows of %s", base);
	CommandCounterIncrement();
	if (SPI_execute_snapshot(plan, NULL, NULL, GetLatestSnapshot(), InvalidSnapshot, false, true, 0) != SPI_OK_INSERT)
		elog(ERROR, "could not enter the rows of %s", base);
}

/* Makes the key table and enters all rows. Returns its name. */
static char *
create_key_table(Relation base, RouterGlobalKey *key, const char *name)
{
	bool		temp = base->rd_rel->relpersistence == RELPERSISTENCE_TEMP;
	Oid			schema = RelationGetNamespace(base);
	char	   *columns = joined_columns(key);
	char	   *constraint;
	char	   *table;

	if (name == NULL)
		name = router_private_name(ChooseRelationName(RelationGetRelationName(base), columns, "keys", schema, false), schema);
	else
		router_check_name(name, schema);
	table = quote_qualified_identifier(temp ? "pg_temp" : get_namespace_name(schema), name);
	SPI_connect();
	router_run("%s", create_statement(base, key, table));
	enter_all(key, table, router_qualified_name(RelationGetRelid(base)));
	constraint = router_private_name(ChooseRelationName(RelationGetRelationName(base), columns, "key", schema, true), schema);
	router_run("ALTER TABLE %s ADD CONSTRAINT %s PRIMARY KEY (%s)", table, quote_identifier(constraint),
			   columns_display(key));
	router_run("COMMENT ON TABLE %s IS %s", table,
			   quote_literal_cstr(psprintf("router: the values of (%s) in %s, which are unique there",
										   columns_display(key), RelationGetRelationName(base))));
	SPI_finish();
	key->key_table = get_relname_relid(name, schema);
	router_take_grants_away(key->key_table);
	return router_qualified_name(key->key_table);
}

static void
add_key(RouterReport *report, Oid relid, RouterGlobalKey *key, const char *name)
{
	List	   *tables = lock_family(relid, ShareRowExclusiveLock);
	RouterAsOwner saved;
	Relation	base;
	ListCell   *lc;

	if (find_key(relid, key))
		return;					/* another session was faster */
	base = table_open(relid, NoLock);
	become_reader(&saved, relid);
	router_report(report, "keep (%s) of %s unique with key table %s", columns_display(key),
				  router_qualified_name(relid), create_key_table(base, key, name));
	table_close(base, NoLock);
	router_catalog_add_global_key(relid, key);
	router_become_user(&saved);
	foreach(lc, tables)
		router_globalkey_equip(relid, lfirst_oid(lc));
}

/*
 * router.add_global_key(base, columns, key_table, dry_run). Nothing happens if
 * the key is there.
 *
 * Errors: insufficient_privilege, undefined_column, unique_violation (rows
 * share a key), duplicate_table, and what a primary key may raise.
 */
Datum
router_add_global_key(PG_FUNCTION_ARGS)
{
	RouterReport report;
	RouterGlobalKey *key;
	Oid			base;

	router_report_begin(&report, fcinfo, 2, 3);
	base = PG_GETARG_OID(0);
	(void) router_owned_route(base);
	key = read_columns(base, PG_GETARG_ARRAYTYPE_P(1));
	if (find_key(base, key))
		return (Datum) 0;
	if (report.dry_run)
		router_report(&report, "keep (%s) of %s unique with a key table", columns_display(key),
					  router_qualified_name(base));
	else
		add_key(&report, base, key, router_arg_name(fcinfo, 2));
	return (Datum) 0;
}

/* ----------------------------------------------------------- drop_global_key */

/*
 * router.drop_global_key(base, columns, dry_run): the key table is dropped.
 * Errors: undefined_object, dependent_objects_still_exist (a foreign key refers to it).
 */
Datum
router_drop_global_key(PG_FUNCTION_ARGS)
{
	RouterReport report;
	RouterGlobalKey *key;
	RouterAsOwner saved;
	List	   *tables;
	ListCell   *lc;
	Oid			base;
	char	   *table;

	router_report_begin(&report, fcinfo, 2, 2);
	base = PG_GETARG_OID(0);
	(void) router_owned_route(base);
	key = existing_key(base, PG_GETARG_ARRAYTYPE_P(1));
	table = router_qualified_name(key->key_table);
	router_report(&report, "drop key table %s of (%s) of %s", table, columns_display(key), router_qualified_name(base));
	if (report.dry_run)
		return (Datum) 0;
	tables = lock_family(base, AccessExclusiveLock);
	key = existing_key(base, PG_GETARG_ARRAYTYPE_P(1));
	router_catalog_remove_global_key(key->key_table);
	if (router_catalog_global_keys(base) == NIL)
		foreach(lc, tables)
			router_globalkey_strip(lfirst_oid(lc));
	become_reader(&saved, base);
	router_run("DROP TABLE %s", router_qualified_name(key->key_table));
	router_become_user(&saved);
	return (Datum) 0;
}

/* -------------------------------------------------------- rebuild_global_key */

/* Removes entries that no row has, makes those that rows lack. Nobody else can write to the tables. */
static void
rebuild(Oid base, const RouterGlobalKey *key, uint64 *removed, uint64 *entered)
{
	Oid			owner = router_relation_owner(base);
	char	   *name = router_qualified_name(base);
	char	   *table = router_qualified_name(key->key_table);
	char	   *join = join_condition(base, key);

	*removed = router_globalkey_apply(base, key->key_table, owner,
									  psprintf("SELECT k.* FROM ONLY %s k WHERE NOT EXISTS (SELECT 1 FROM %s b WHERE %s)",
											   table, name, join), false);
	*entered = router_globalkey_apply(base, key->key_table, owner,
									  psprintf("SELECT %s FROM %s b WHERE %s AND NOT EXISTS (SELECT 1 FROM ONLY %s k WHERE %s)",
											   list_columns(key, "b.", "", ", "), name, not_null(key), table, join), true);
}

/*
 * router.rebuild_global_key(base, columns, dry_run): makes missing entries,
 * removes those without a row, brings back missing triggers.
 * Errors: undefined_object, unique_violation, foreign_key_violation.
 */
Datum
router_rebuild_global_key(PG_FUNCTION_ARGS)
{
	RouterReport report;
	RouterGlobalKey *key;
	List	   *tables;
	ListCell   *lc;
	Oid			base;
	char	   *table;
	uint64		removed,
				entered;

	router_report_begin(&report, fcinfo, 2, 2);
	base = PG_GETARG_OID(0);
	(void) router_owned_route(base);
	key = existing_key(base, PG_GETARG_ARRAYTYPE_P(1));
	table = router_qualified_name(key->key_table);
	if (report.dry_run)
	{
		router_report(&report, "rebuild key table %s", table);
		return (Datum) 0;
	}
	tables = lock_family(base, ShareRowExclusiveLock);
	key = existing_key(base, PG_GETARG_ARRAYTYPE_P(1));
	foreach(lc, tables)
		router_globalkey_equip(base, lfirst_oid(lc));
	rebuild(base, key, &removed, &entered);
	if (removed > 0)
		router_report(&report, "remove " UINT64_FORMAT " entries from %s", removed, table);
	if (entered > 0)
		router_report(&report, "make " UINT64_FORMAT " entries in %s", entered, table);
	return (Datum) 0;
}

/* ---------------------------------------------------------- check_global_key */

/* Counts rows without an entry, entries without a row, and keys of several rows. */
static void
check_key(RouterReport *report, Oid base, const RouterGlobalKey *key)
{
	char	   *name = router_qualified_name(base);
	char	   *table = router_qualified_name(key->key_table);
	char	   *join = join_condition(base, key);
	char	   *set = not_null(key);
	Datum		values[5];
	bool		nulls[5] = {0};
	Datum	   *columns = palloc(key->ncolumns * sizeof(Datum));
	MemoryContext caller = CurrentMemoryContext;

	SPI_connect();
	if (SPI_execute(psprintf("SELECT (SELECT count(*) FROM %s b WHERE %s AND NOT EXISTS (SELECT 1 FROM ONLY %s k WHERE %s)),"
							 " (SELECT count(*) FROM ONLY %s k WHERE NOT EXISTS (SELECT 1 FROM %s b WHERE %s)),"
							 " (SELECT count(*) FROM (SELECT 1 FROM %s b WHERE %s GROUP BY %s HAVING count(*) > 1) d)",
							 name, set, table, join, table, name, join, name, set, list_columns(key, "b.", "", ", ")),
					false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not check key table %s", table);
	for (int i = 0; i < 3; i++)
		values[i + 2] = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, i + 1, &nulls[i + 2]);
	SPI_finish();
	MemoryContextSwitchTo(caller);
	values[0] = ObjectIdGetDatum(key->key_table);
	for (int i = 0; i < key->ncolumns; i++)
		columns[i] = DirectFunctionCall1(namein, CStringGetDatum(key->columns[i]));
	values[1] = PointerGetDatum(construct_array(columns, key->ncolumns, NAMEOID, NAMEDATALEN, false, TYPALIGN_CHAR));
	router_report_row(report, values, nulls);
}

/* router.check_global_key(base): a row for each global key. */
Datum
router_check_global_key(PG_FUNCTION_ARGS)
{
	RouterReport report;
	RouterAsOwner saved;
	ListCell   *lc;
	Oid			base;

	router_report_begin(&report, fcinfo, 1, -1);
	base = PG_GETARG_OID(0);
	(void) router_owned_locked(base, AccessShareLock);
	become_reader(&saved, base);
	foreach(lc, router_catalog_global_keys(base))
		check_key(&report, base, lfirst(lc));
	router_become_user(&saved);
	return (Datum) 0;
}

/* ---------------------------------------------------------------------- names */

/* Is this index unique over just the columns of a global key? */
static bool
is_unique_over(Relation index, const RouterGlobalKey *key)
{
	Form_pg_index form = index->rd_index;

	if (!form->indisunique || !form->indisvalid || form->indnkeyatts != key->ncolumns ||
		RelationGetIndexPredicate(index) != NIL)
		return false;
	for (int i = 0; i < key->ncolumns; i++)
	{
		bool		found = false;

		for (int j = 0; j < key->ncolumns && !found; j++)
			found = form->indkey.values[j] == key->attnums[i];
		if (!found)
			return false;
	}
	return true;
}

/* The unique index of a base over the columns of the global key that a table keeps, or InvalidOid. */
Oid
router_global_base_index(Oid base, Oid key_table)
{
	Relation	rel = table_open(base, AccessShareLock);
	Oid			found = InvalidOid;
	ListCell   *key;
	ListCell   *lc;

	foreach(key, router_catalog_global_keys(base))
		if (((RouterGlobalKey *) lfirst(key))->key_table == key_table)
			foreach(lc, RelationGetIndexList(rel))
			{
				Relation	index = index_open(lfirst_oid(lc), AccessShareLock);

				if (!OidIsValid(found) && is_unique_over(index, lfirst(key)))
					found = lfirst_oid(lc);
				index_close(index, NoLock);
			}
	table_close(rel, NoLock);
	return found;
}

/* ----------------------------------------------------------------------- DDL */

static bool
exists(Oid relid)
{
	return SearchSysCacheExists1(RELOID, ObjectIdGetDatum(relid));
}

/* Is the base there, and are its triggers? pg_restore --clean drops them before it drops tables. */
static bool
in_force(Oid base)
{
	Relation	rel = try_table_open(base, AccessShareLock);
	bool		found = rel && router_globalkey_has_trigger(rel->trigdesc);

	if (rel)
		table_close(rel, NoLock);
	return found;
}

/* A relation or a column is gone: refuses it if that would break a global key, or forgets the key. */
void
router_global_dropped(Oid relid, AttrNumber attnum)
{
	Oid			base = router_catalog_global_key_base(relid);
	RouterChildDef *child = attnum == 0 ? router_catalog_child(relid) : NULL;
	ListCell   *lc;

	if (OidIsValid(base) && in_force(base))
		ereport(ERROR,
				(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
				 errmsg("cannot drop %s of a global key of routed table \"%s\"",
						attnum == 0 ? "the key table" : "a column of the key table", get_rel_name(base)),
				 errhint("Drop the global key, with router.drop_global_key.")));
	if (OidIsValid(base) && attnum == 0)
		router_catalog_remove_global_key(relid);
	if (child && router_catalog_global_keys(child->base) != NIL && in_force(child->base))
		ereport(ERROR,
				(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
				 errmsg("cannot drop a child of routed table \"%s\", which has a global key", get_rel_name(child->base)),
				 errdetail("Its rows would leave their entries in the key table."),
				 errhint("Detach the child first, with router.detach_child, which removes them.")));
	if (attnum == 0)
		return;
	foreach(lc, router_catalog_global_keys(relid))
	{
		RouterGlobalKey *key = lfirst(lc);

		for (int i = 0; i < key->ncolumns; i++)
			if (key->attnums[i] == attnum)
				ereport(ERROR,
						(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
						 errmsg("cannot drop column \"%s\" of routed table \"%s\": it is in a global key",
								key->columns[i], get_rel_name(relid)),
						 errhint("Drop the global key first, with router.drop_global_key.")));
	}
}

/* A column of a key table gets the type and collation that the base's has now. */
static bool
follow_type(Oid base, const RouterGlobalKey *key, int n)
{
	Oid			type,
				collation,
				known_type,
				known_collation;
	int32		typmod,
				known_typmod;

	get_atttypetypmodcoll(base, key->attnums[n], &type, &typmod, &collation);
	get_atttypetypmodcoll(key->key_table, n + 1, &known_type, &known_typmod, &known_collation);
	if (type == known_type && typmod == known_typmod && collation == known_collation)
		return false;
	router_run("ALTER TABLE %s ALTER COLUMN %s TYPE %s%s%s", router_qualified_name(key->key_table),
			   quote_identifier(get_attname(key->key_table, n + 1, false)), format_type_with_typemod(type, typmod),
			   OidIsValid(collation) ? " COLLATE " : "", OidIsValid(collation) ? generate_collation_name(collation) : "");
	return true;
}

static void
follow_types(Oid base, const RouterGlobalKey *key)
{
	RouterAsOwner saved;
	bool		changed = false;
	uint64		removed,
				entered;

	/* to rewrite it evaluates what its owner has defined */
	router_become_owner(&saved, router_relation_owner(key->key_table),
						router_is_own_temp(base), NULL);
	for (int i = 0; i < key->ncolumns; i++)
		changed |= follow_type(base, key, i);
	router_become_user(&saved);
	/* the values may have been converted in another way */
	if (changed)
		rebuild(base, key, &removed, &entered);
}

/*
 * An ALTER TABLE on a base: key tables follow its owner and the types of its
 * columns, the catalog their names.
 */
void
router_global_altered(Oid base)
{
	ListCell   *lc;
	Oid			owner = router_relation_owner(base);

	foreach(lc, router_catalog_global_keys(base))
	{
		RouterGlobalKey *key = lfirst(lc);

		if (!exists(key->key_table))
			continue;
		if (router_relation_owner(key->key_table) != owner)
		{
			router_check_owner(key->key_table);
			ATExecChangeOwner(key->key_table, owner, true, AccessExclusiveLock);
		}
		follow_types(base, key);
	}
	router_catalog_rename_global_keys(base);
}
