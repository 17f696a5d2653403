/*
 * rebuild.c
 *		A table of another kind takes the place of one under its name, and has all
 *		that it has but rows: the commands for that, and what runs them.
 *
 * The old one gets another name, as do its indexes. The new one is made LIKE it;
 * indexes, constraints, triggers and the like are added from their definitions.
 * What is made of the table by its oid (views, rules, policies, functions) keeps
 * its own oid, and with it grants and what depends on it: it is replaced by the
 * same text, in which the name means the new table. At last the old one is dropped.
 *
 * Rights: each command is given by the owner of what it defines, in a restricted
 * operation, so that nothing an owner has defined runs as the caller.
 */
#include "compat.h"
#include "admin/rebuild.h"

#include "catalog/pg_type.h"
#include "commands/tablespace.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "base/lock_all.h"
#include "base/name.h"
#include "base/owner.h"
#include "base/pin.h"
#include "base/sql.h"

/* ------------------------------------------------------------------- scripts */

static void
add_statement(RouterScript *script, Oid role, char *sql)
{
	RouterStatement *statement = palloc(sizeof(RouterStatement));

	statement->role = role;
	statement->sql = sql;
	script->statements = lappend(script->statements, statement);
}

/* Adds a command, which the owner gives. */
void
router_script_add(RouterScript *script, const char *fmt,...)
{
	va_list		args;

	va_start(args, fmt);
	add_statement(script, script->owner, router_format(fmt, args));
	va_end(args);
}

/* Runs the commands, in the caller's transaction. */
void
router_script_run(const RouterScript *script)
{
	ListCell   *lc;

	foreach(lc, script->statements)
	{
		RouterStatement *statement = lfirst(lc);
		RouterAsOwner saved;

		CHECK_FOR_INTERRUPTS();
		router_become_owner(&saved, statement->role, false, NULL);
		if (strncmp(statement->sql, "SELECT ", 7) == 0)
			(void) router_ask("%s", statement->sql);
		else
			router_run("%s", statement->sql);
		router_become_user(&saved);
	}
}

/* The commands as lines, which do the same in a session of whoever may SET ROLE to these roles. */
List *
router_script_text(const RouterScript *script)
{
	List	   *lines = list_make2("BEGIN;", "SET LOCAL search_path = pg_catalog, pg_temp;");
	Oid			role = InvalidOid;
	ListCell   *lc;

	foreach(lc, script->statements)
	{
		RouterStatement *statement = lfirst(lc);

		if (statement->role != role)
			lines = lappend(lines, psprintf("SET LOCAL ROLE %s;",
											quote_identifier(GetUserNameFromId(statement->role, false))));
		role = statement->role;
		lines = lappend(lines, psprintf("%s;", statement->sql));
	}
	return lappend(lines, "COMMIT;");
}

/* ----------------------------------------------------------------- questions */

/*
 * Queries that give a role, or NULL for the owner, and a line. $1 is the table, $2 its name, $3 the attnums that a
 * unique index of the new one has to contain, $4: will that be a partitioned table?
 */

/* an index that the new table can have */
#define KEPT " AND indisvalid AND (NOT $4 OR (NOT indisexclusion AND (NOT indisunique" \
	" OR $3::int2[] <@ (indkey::int2[])[0:indnkeyatts - 1])))"

/* triggers of whoever made the table */
#define OWN_TRIGGERS " FROM pg_trigger t JOIN pg_proc f ON f.oid = tgfoid WHERE tgrelid = $1 AND NOT tgisinternal" \
	" AND pronamespace <> 'router'::regnamespace"

static const char *const problems[] = {
	"SELECT DISTINCT NULL::oid, format('%s is made of its row type: drop it, and make it again afterwards',"
	" pg_describe_object(d.classid, d.objid, d.objsubid)) FROM pg_type t JOIN pg_depend d ON refclassid = 'pg_type'::regclass"
	" AND refobjid IN (t.oid, typarray) WHERE typrelid = $1 AND deptype <> 'i' ORDER BY 2",

	/* what is not replaced */
	"SELECT DISTINCT NULL::oid, format(CASE WHEN contype = 'f' THEN '%s refers to it: drop it, router.add_global_key makes a table that it can refer to'"
	" ELSE '%s refers to it: drop it, and make it again afterwards' END,"
	" CASE WHEN v.oid IS NULL THEN pg_describe_object(d.classid, d.objid, 0) ELSE pg_describe_object('pg_class'::regclass, v.oid, 0) END)"
	" FROM pg_depend d LEFT JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid"
	" LEFT JOIN pg_class v ON v.oid = ev_class"
	" LEFT JOIN pg_proc p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid"
	" LEFT JOIN pg_constraint c ON d.classid = 'pg_constraint'::regclass AND c.oid = d.objid"
	" LEFT JOIN pg_attrdef a ON d.classid = 'pg_attrdef'::regclass AND a.oid = d.objid"
	" LEFT JOIN pg_trigger t ON d.classid = 'pg_trigger'::regclass AND t.oid = d.objid"
	" WHERE refclassid = 'pg_class'::regclass AND refobjid = $1 AND deptype = 'n'"
	" AND d.classid NOT IN ('pg_policy'::regclass, 'pg_publication_rel'::regclass)"
	" AND (v.oid IS NULL OR v.relkind = 'm' OR v.relpersistence = 't') AND prosqlbody IS NULL"
	" AND (conrelid IS DISTINCT FROM $1 OR confrelid = $1) AND adrelid IS DISTINCT FROM $1 AND tgrelid IS DISTINCT FROM $1"
	" AND NOT (d.classid = 'pg_class'::regclass AND (EXISTS (SELECT FROM pg_inherits WHERE inhrelid = d.objid AND inhparent = $1)"
	" OR EXISTS (SELECT FROM router.global_key_def WHERE key_table = d.objid AND base = $1))) ORDER BY 2",

	/* the type of a constant reads it: its owner's code would run as another role */
	"SELECT DISTINCT NULL::oid, format('%s belongs to %s, and has a constant of type %s, which belongs to others: drop it, and make it again afterwards',"
	" pg_describe_object(class, id, 0), role::regrole, t.oid::regtype) FROM pg_class b, LATERAL ("
	" SELECT 'pg_class'::regclass, v.oid, v.relowner, ev_action::text FROM pg_depend d JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid"
	" JOIN pg_class v ON v.oid = ev_class WHERE refclassid = 'pg_class'::regclass AND refobjid = $1"
	" UNION ALL SELECT 'pg_proc'::regclass, p.oid, proowner, prosqlbody::text FROM pg_depend d JOIN pg_proc p ON d.classid = 'pg_proc'::regclass AND p.oid = d.objid"
	" WHERE refclassid = 'pg_class'::regclass AND refobjid = $1"
	" UNION ALL SELECT 'pg_policy'::regclass, p.oid, c.relowner, concat(polqual, polwithcheck) FROM pg_depend d JOIN pg_policy p ON d.classid = 'pg_policy'::regclass"
	" AND p.oid = d.objid JOIN pg_class c ON c.oid = polrelid WHERE refclassid = 'pg_class'::regclass AND refobjid = $1"
	" UNION ALL SELECT 'pg_publication'::regclass, p.oid, pubowner, prqual::text FROM pg_publication_rel JOIN pg_publication p ON p.oid = prpubid WHERE prrelid = $1"
	") o(class, id, role, tree), regexp_matches(tree, ':consttype (\\d+)', 'g') m JOIN pg_type t ON t.oid = m[1]::oid"
	" WHERE b.oid = $1 AND role <> b.relowner AND role <> typowner AND t.oid >= 16384 AND typtype <> 'e' ORDER BY 2",

	"SELECT NULL::oid, format('role %s may not create in schema %I: GRANT CREATE ON SCHEMA %2$I TO %1$s', role::regrole, nspname)"
	" FROM (SELECT relowner, relnamespace FROM pg_class WHERE oid = $1 UNION SELECT v.relowner, v.relnamespace FROM pg_depend d"
	" JOIN pg_rewrite r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid JOIN pg_class v ON v.oid = ev_class AND v.relkind = 'v'"
	" WHERE refclassid = 'pg_class'::regclass AND refobjid = $1) s(role, schema) JOIN pg_namespace n ON n.oid = schema"
	" WHERE NOT has_schema_privilege(role::oid, schema, 'CREATE') ORDER BY 2",

	"SELECT NULL::oid, format('it belongs to extension %I', extname) FROM pg_depend d JOIN pg_extension e ON e.oid = refobjid"
	" WHERE classid = 'pg_class'::regclass AND objid = $1 AND deptype = 'e'",
	"SELECT NULL::oid, format('it inherits from %s', inhparent::regclass) FROM pg_inherits WHERE inhrelid = $1",
	"SELECT NULL::oid, format('constraint %I is not valid: ALTER TABLE %s VALIDATE CONSTRAINT %I', conname, $2, conname)"
	" FROM pg_constraint WHERE conrelid = $1 AND NOT convalidated AND (contype = 'n' OR (contype = 'f' AND $4)) ORDER BY conname",
};

/* what has a name in the schema, and the column of an identity's sequence */
static const char *const taken[] = {
	"SELECT indexrelid, NULL FROM pg_index WHERE indrelid = $1 ORDER BY 1",
	"SELECT objid, attname FROM pg_depend d JOIN pg_class s ON s.oid = objid JOIN pg_attribute ON attrelid = refobjid"
	" AND attnum = refobjsubid WHERE refclassid = 'pg_class'::regclass AND refobjid = $1 AND classid = 'pg_class'::regclass"
	" AND deptype = 'i' AND relkind = 'S' ORDER BY attnum",
};

static const char *const leaving[] = {
	"SELECT NULL::oid, format('DROP STATISTICS %I.%I', nspname, stxname) FROM pg_statistic_ext"
	" JOIN pg_namespace n ON n.oid = stxnamespace WHERE stxrelid = $1 ORDER BY stxname",
	/* a partitioned table cannot have it */
	"SELECT NULL::oid, format('ALTER TABLE %s DROP CONSTRAINT %I', $2, conname) FROM pg_constraint"
	" WHERE conrelid = $1 AND $4 AND contype = 'n' AND connoinherit ORDER BY conname",
};

static const char *const looks[] = {
	"SELECT NULL::oid, format('ALTER TABLE %s ADD CONSTRAINT %I %s', $2, conname, pg_get_constraintdef(oid)) FROM pg_constraint"
	" WHERE conrelid = $1 AND contype = 'c' AND NOT ($4 AND connoinherit) ORDER BY conname",
	"SELECT NULL::oid, format('ALTER TABLE %s ADD CONSTRAINT %I %s', $2, conname, pg_get_constraintdef(c.oid)) FROM pg_constraint c"
	" JOIN pg_index ON indexrelid = conindid WHERE conrelid = $1 AND contype IN ('p', 'u', 'x')" KEPT " ORDER BY contype, conname",
	"SELECT NULL::oid, pg_get_indexdef(indexrelid) FROM pg_index WHERE indrelid = $1 AND NOT EXISTS (SELECT FROM pg_constraint"
	" WHERE conrelid = $1 AND conindid = indexrelid AND contype IN ('p', 'u', 'x'))" KEPT " ORDER BY indexrelid::regclass::text",
	"SELECT NULL::oid, format('ALTER TABLE %s ADD CONSTRAINT %I %s', $2, conname, pg_get_constraintdef(oid)) FROM pg_constraint"
	" WHERE conrelid = $1 AND contype = 'f' AND conparentid = 0 ORDER BY conname",
	"SELECT NULL::oid, pg_get_triggerdef(t.oid)" OWN_TRIGGERS " ORDER BY tgname",
	"SELECT NULL::oid, format('ALTER TABLE %s %s TRIGGER %I', $2, CASE tgenabled WHEN 'D' THEN 'DISABLE' WHEN 'A' THEN 'ENABLE ALWAYS'"
	" ELSE 'ENABLE REPLICA' END, tgname)" OWN_TRIGGERS " AND tgenabled <> 'O' ORDER BY tgname",
	"SELECT NULL::oid, pg_get_ruledef(oid) FROM pg_rewrite WHERE ev_class = $1 ORDER BY rulename",
	"SELECT NULL::oid, format('ALTER TABLE %s %s RULE %I', $2, CASE ev_enabled WHEN 'D' THEN 'DISABLE' WHEN 'A' THEN 'ENABLE ALWAYS'"
	" ELSE 'ENABLE REPLICA' END, rulename) FROM pg_rewrite WHERE ev_class = $1 AND ev_enabled <> 'O' ORDER BY rulename",
	"SELECT NULL::oid, format('CREATE POLICY %I ON %s AS %s FOR %s TO %s%s%s', polname, $2,"
	" CASE WHEN polpermissive THEN 'PERMISSIVE' ELSE 'RESTRICTIVE' END, CASE polcmd WHEN 'r' THEN 'SELECT' WHEN 'a' THEN 'INSERT'"
	" WHEN 'w' THEN 'UPDATE' WHEN 'd' THEN 'DELETE' ELSE 'ALL' END, (SELECT string_agg(CASE r WHEN 0 THEN 'PUBLIC' ELSE r::regrole::text END, ', ')"
	" FROM unnest(polroles) r), ' USING (' || pg_get_expr(polqual, polrelid) || ')', ' WITH CHECK (' || pg_get_expr(polwithcheck, polrelid) || ')')"
	" FROM pg_policy WHERE polrelid = $1 ORDER BY polname",
	"SELECT NULL::oid, format('ALTER TABLE %s %s ROW LEVEL SECURITY', $2, a) FROM pg_class, (VALUES ('ENABLE'), ('FORCE')) v(a)"
	" WHERE oid = $1 AND CASE a WHEN 'FORCE' THEN relforcerowsecurity ELSE relrowsecurity END",
	"SELECT NULL::oid, pg_get_statisticsobjdef(oid) FROM pg_statistic_ext WHERE stxrelid = $1 ORDER BY stxname",
	"SELECT NULL::oid, format('ALTER STATISTICS %I.%I SET STATISTICS %s', nspname, stxname, stxstattarget) FROM pg_statistic_ext"
	" JOIN pg_namespace n ON n.oid = stxnamespace WHERE stxrelid = $1 AND stxstattarget >= 0 ORDER BY stxname",
	"SELECT NULL::oid, format('ALTER TABLE %s ALTER COLUMN %I SET STATISTICS %s', $2, attname, attstattarget) FROM pg_attribute"
	" WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped AND attstattarget >= 0 ORDER BY attnum",
	"SELECT NULL::oid, format('ALTER TABLE %s ALTER COLUMN %I SET (%s)', $2, attname, o) FROM pg_attribute, unnest(attoptions) o"
	" WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped AND o LIKE 'n_distinct%' ORDER BY attnum, o",
	"SELECT NULL::oid, format('ALTER INDEX %s ALTER COLUMN %s SET STATISTICS %s', indexrelid::regclass, attnum, attstattarget) FROM pg_index"
	" JOIN pg_attribute ON attrelid = indexrelid WHERE indrelid = $1 AND attstattarget >= 0" KEPT " ORDER BY indexrelid, attnum",
	"SELECT NULL::oid, format('ALTER TABLE %s REPLICA IDENTITY %s', $2, CASE relreplident WHEN 'f' THEN 'FULL' ELSE 'NOTHING' END)"
	" FROM pg_class WHERE oid = $1 AND relreplident IN ('f', 'n')",
	"SELECT NULL::oid, format('ALTER TABLE %s REPLICA IDENTITY USING INDEX %I', $2, relname) FROM pg_index"
	" JOIN pg_class i ON i.oid = indexrelid WHERE indrelid = $1 AND indisreplident" KEPT,
};

/* Rights, without those that default privileges gave the new table. */
static const char *const grants[] = {
	"SELECT NULL::oid, format('REVOKE ALL ON %s FROM %s', $2, CASE g WHEN 0 THEN 'PUBLIC' ELSE g::regrole::text END)"
	" FROM (SELECT grantee FROM pg_class c JOIN pg_default_acl ON defaclrole = relowner AND defaclnamespace IN (0, relnamespace)"
	" AND defaclobjtype = 'r', aclexplode(defaclacl) WHERE c.oid = $1 UNION SELECT relowner FROM pg_class WHERE oid = $1 AND relacl IS NOT NULL) s(g)"
	" ORDER BY g",
	"SELECT NULL::oid, format('GRANT %s ON %s TO %s%s', string_agg(privilege_type, ', ' ORDER BY privilege_type), $2,"
	" CASE grantee WHEN 0 THEN 'PUBLIC' ELSE grantee::regrole::text END, CASE WHEN is_grantable THEN ' WITH GRANT OPTION' END)"
	" FROM pg_class c, aclexplode(coalesce(relacl, acldefault('r', relowner))) WHERE c.oid = $1 AND (relacl IS NOT NULL"
	" OR EXISTS (SELECT FROM pg_default_acl WHERE defaclrole = relowner AND defaclnamespace IN (0, relnamespace) AND defaclobjtype = 'r'))"
	" GROUP BY grantee, is_grantable ORDER BY grantee, is_grantable",
	"SELECT NULL::oid, format('GRANT %s (%I) ON %s TO %s%s', privilege_type, attname, $2, CASE grantee WHEN 0 THEN 'PUBLIC'"
	" ELSE grantee::regrole::text END, CASE WHEN is_grantable THEN ' WITH GRANT OPTION' END) FROM pg_attribute, aclexplode(attacl)"
	" WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped ORDER BY attnum, grantee, privilege_type",
	"SELECT NULL::oid, format('SECURITY LABEL FOR %I ON %s IS %L', provider, CASE objsubid WHEN 0 THEN 'TABLE ' || $2"
	" ELSE format('COLUMN %s.%I', $2, attname) END, label) FROM pg_seclabel LEFT JOIN pg_attribute ON attrelid = objoid AND attnum = objsubid"
	" WHERE classoid = 'pg_class'::regclass AND objoid = $1 ORDER BY provider, objsubid",
};

/* Those on columns come with the table. */
static const char *const comments[] = {
	"SELECT NULL::oid, format('COMMENT ON %s IS %L', what, description) FROM pg_description d JOIN ("
	" SELECT 'pg_class'::regclass AS class, $1 AS id, 'TABLE ' || $2 AS what"
	" UNION ALL SELECT 'pg_constraint'::regclass, c.oid, format('CONSTRAINT %I ON %s', conname, $2) FROM pg_constraint c"
	" LEFT JOIN pg_index ON indexrelid = conindid AND contype <> 'f' WHERE conrelid = $1 AND contype <> 'n' AND NOT ($4 AND connoinherit)"
	" AND (indexrelid IS NULL OR (true" KEPT "))"
	" UNION ALL SELECT 'pg_class'::regclass, indexrelid, format('INDEX %s', indexrelid::regclass) FROM pg_index WHERE indrelid = $1" KEPT
	" UNION ALL SELECT 'pg_trigger'::regclass, t.oid, format('TRIGGER %I ON %s', tgname, $2)" OWN_TRIGGERS
	" UNION ALL SELECT 'pg_policy'::regclass, oid, format('POLICY %I ON %s', polname, $2) FROM pg_policy WHERE polrelid = $1"
	" UNION ALL SELECT 'pg_rewrite'::regclass, oid, format('RULE %I ON %s', rulename, $2) FROM pg_rewrite WHERE ev_class = $1"
	" UNION ALL SELECT 'pg_statistic_ext'::regclass, s.oid, format('STATISTICS %I.%I', nspname, stxname) FROM pg_statistic_ext s"
	" JOIN pg_namespace n ON n.oid = stxnamespace WHERE stxrelid = $1) o ON classoid = class AND objoid = id AND objsubid = 0 ORDER BY what",
};

/* What goes over to the new table. */
static const char *const heirs[] = {
	"SELECT NULL::oid, format('ALTER SEQUENCE %I.%I OWNED BY %s.%I', nspname, relname, $2, attname) FROM pg_depend"
	" JOIN pg_class s ON s.oid = objid JOIN pg_namespace n ON n.oid = relnamespace JOIN pg_attribute ON attrelid = refobjid AND attnum = refobjsubid"
	" WHERE classid = 'pg_class'::regclass AND refclassid = 'pg_class'::regclass AND refobjid = $1 AND deptype = 'a' AND relkind = 'S' ORDER BY 2",
	"SELECT DISTINCT relowner, format('CREATE OR REPLACE VIEW %I.%I%s AS %s', nspname, relname,"
	" ' WITH (' || array_to_string(reloptions, ', ') || ')', rtrim(pg_get_viewdef(v.oid), ';')) FROM pg_depend d"
	" JOIN pg_rewrite r ON r.oid = objid JOIN pg_class v ON v.oid = ev_class JOIN pg_namespace n ON n.oid = relnamespace"
	" WHERE classid = 'pg_rewrite'::regclass AND refclassid = 'pg_class'::regclass AND refobjid = $1 AND relkind = 'v'"
	" AND ev_type = '1' ORDER BY 2",
	"SELECT DISTINCT relowner, 'CREATE OR REPLACE' || substr(pg_get_ruledef(r.oid), 7) FROM pg_depend d JOIN pg_rewrite r ON r.oid = objid"
	" JOIN pg_class v ON v.oid = ev_class WHERE classid = 'pg_rewrite'::regclass AND refclassid = 'pg_class'::regclass"
	" AND refobjid = $1 AND ev_class <> $1 AND ev_type <> '1' ORDER BY 2",
	"SELECT DISTINCT proowner, rtrim(pg_get_functiondef(p.oid), E'\\n') FROM pg_depend JOIN pg_proc p ON p.oid = objid"
	" WHERE classid = 'pg_proc'::regclass AND refclassid = 'pg_class'::regclass AND refobjid = $1 AND prosqlbody IS NOT NULL ORDER BY 2",
	"SELECT DISTINCT relowner, format('ALTER POLICY %I ON %s%s%s', polname, polrelid::regclass, ' USING (' || pg_get_expr(polqual, polrelid) || ')',"
	" ' WITH CHECK (' || pg_get_expr(polwithcheck, polrelid) || ')') FROM pg_depend JOIN pg_policy p ON p.oid = objid JOIN pg_class c ON c.oid = polrelid"
	" WHERE classid = 'pg_policy'::regclass AND refclassid = 'pg_class'::regclass AND refobjid = $1 AND polrelid <> $1 ORDER BY 2",
	"SELECT pubowner, format('ALTER PUBLICATION %I ADD TABLE %s%s%s', pubname, $2, (SELECT ' (' || string_agg(quote_ident(attname), ', ' ORDER BY attnum) || ')'"
	" FROM pg_attribute WHERE attrelid = $1 AND attnum = ANY (prattrs)), ' WHERE (' || pg_get_expr(prqual, prrelid) || ')')"
	" FROM pg_publication_rel JOIN pg_publication p ON p.oid = prpubid WHERE prrelid = $1"
	" AND (NOT $4 OR pubviaroot OR (prqual IS NULL AND prattrs IS NULL)) ORDER BY pubname",
};

static const char *const kept_below[] = {
	"SELECT NULL::oid, format('constraint %I says NO INHERIT: each child keeps its own', conname) FROM pg_constraint"
	" WHERE conrelid = $1 AND $4 AND connoinherit AND contype IN ('c', 'n') ORDER BY conname",
	"SELECT NULL::oid, format('publication %I names columns or rows: it keeps the children, without the table above them,"
	" as long as it does not publish_via_partition_root', pubname) FROM pg_publication_rel JOIN pg_publication p ON p.oid = prpubid"
	" WHERE prrelid = $1 AND $4 AND NOT pubviaroot AND (prqual IS NOT NULL OR prattrs IS NOT NULL) ORDER BY pubname",
	"SELECT NULL::oid, format('storage parameters (%s) stay with the children', array_to_string(reloptions, ', ')) FROM pg_class"
	" WHERE oid = $1 AND $4 AND reloptions IS NOT NULL",
};

/* Other tables, and views, that are locked on the way. */
static const char *const neighbours[] = {
	"SELECT confrelid, NULL FROM pg_constraint WHERE conrelid = $1 AND contype = 'f' AND confrelid <> $1"
	" UNION SELECT v.oid, NULL FROM pg_depend JOIN pg_rewrite r ON r.oid = objid JOIN pg_class v ON v.oid = ev_class"
	" WHERE classid = 'pg_rewrite'::regclass AND refclassid = 'pg_class'::regclass AND refobjid = $1 AND v.oid <> $1 AND pg_has_role(relowner, 'USAGE')"
	" UNION SELECT c.oid, NULL FROM pg_depend JOIN pg_policy p ON p.oid = objid JOIN pg_class c ON c.oid = polrelid"
	" WHERE classid = 'pg_policy'::regclass AND refclassid = 'pg_class'::regclass AND refobjid = $1 AND c.oid <> $1 AND pg_has_role(relowner, 'USAGE') ORDER BY 1",
};

/* The rows of a query: arrays of two texts. */
static List *
rows_of(const RouterRebuild *rebuild, const char *question)
{
	MemoryContext caller = CurrentMemoryContext;
	Oid			types[] = {OIDOID, TEXTOID, TEXTOID, BOOLOID};
	Datum		values[4];
	List	   *rows = NIL;
	int			guc_level = router_spi_begin();

	values[0] = ObjectIdGetDatum(rebuild->relid);
	values[1] = CStringGetTextDatum(rebuild->name);
	values[2] = CStringGetTextDatum(rebuild->keys);
	values[3] = BoolGetDatum(rebuild->partition_by != NULL);
	if (SPI_execute_with_args(question, lengthof(types), types, values, NULL, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not run: %s", question);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		MemoryContext spi = MemoryContextSwitchTo(caller);
		char	  **row = palloc(2 * sizeof(char *));

		for (int n = 0; n < 2; n++)
			row[n] = SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, n + 1);
		rows = lappend(rows, row);
		MemoryContextSwitchTo(spi);
	}
	router_spi_end(guc_level);
	return rows;
}

/* Asks; what comes is added to the lines, or to the script if there are none to add to. */
void
router_rebuild_ask(RouterRebuild *rebuild, const char *const *questions, int n, List **lines)
{
	for (int i = 0; i < n; i++)
	{
		ListCell   *lc;

		foreach(lc, rows_of(rebuild, questions[i]))
		{
			char	  **row = lfirst(lc);

			if (lines)
				*lines = lappend(*lines, row[1]);
			else
				add_statement(rebuild->script, row[0] ? atooid(row[0]) : rebuild->script->owner, row[1]);
		}
	}
}

/* ------------------------------------------------------------------- rebuild */

/* Adds the locks on what stands beside a table: who reads a view has it, and waits for the table. */
List *
router_rebuild_lock(List *locks, Oid relid)
{
	RouterRebuild rebuild = {.relid = relid,.name = "",.keys = "{}"};
	ListCell   *lc;

	foreach(lc, rows_of(&rebuild, neighbours[0]))
		locks = router_lock_add(locks, atooid(((char **) lfirst(lc))[0]), AccessExclusiveLock);
	return locks;
}

/* A name for what is about to go. */
static char *
other_name(Oid relid)
{
	Oid			schema = get_rel_namespace(relid);

	return router_another_name(get_rel_name(relid), get_rel_name(relid), schema, schema);
}

/* partition_by, keys: as in RouterRebuild. Looks for what is in the way. Nothing is locked here. */
void
router_rebuild_init(RouterRebuild *rebuild, RouterScript *script, Oid relid, const char *partition_by, const char *keys)
{
	const char *schema = get_namespace_name(get_rel_namespace(relid));

	memset(rebuild, 0, sizeof(*rebuild));
	rebuild->script = script;
	rebuild->relid = relid;
	rebuild->name = router_qualified_name(relid);
	rebuild->other = other_name(relid);
	rebuild->old = quote_qualified_identifier(schema, rebuild->other);
	rebuild->partition_by = partition_by;
	rebuild->keys = keys;
	router_rebuild_ask(rebuild, problems, lengthof(problems), &script->problems);
	router_rebuild_ask(rebuild, kept_below, lengthof(kept_below), &script->notes);
}

/* The sequence of an identity column gets its old name and number, by the sequence that was there. */
static void
keep_number(RouterRebuild *rebuild, Oid sequence, const char *column, const char *other)
{
	const char *schema = get_namespace_name(get_rel_namespace(sequence));
	char	   *made = makeObjectName(get_rel_name(rebuild->relid), column, "seq");

	rebuild->numbers = lappend(rebuild->numbers,
							   psprintf("SELECT pg_catalog.setval(pg_catalog.pg_get_serial_sequence(%s, %s), last_value, is_called) FROM %s",
										quote_literal_cstr(rebuild->name), quote_literal_cstr(column),
										quote_qualified_identifier(schema, other)));
	if (strcmp(made, get_rel_name(sequence)) != 0 &&
		!OidIsValid(get_relname_relid(made, get_rel_namespace(rebuild->relid))))
		rebuild->numbers = lappend(rebuild->numbers,
								   psprintf("ALTER SEQUENCE %s RENAME TO %s", quote_qualified_identifier(schema, made),
											quote_identifier(get_rel_name(sequence))));
}

/* The names that the new table, its indexes and sequences need become free. */
static void
make_room(RouterRebuild *rebuild)
{
	router_rebuild_ask(rebuild, leaving, lengthof(leaving), NULL);
	for (int i = 0; i < lengthof(taken); i++)
	{
		ListCell   *lc;

		foreach(lc, rows_of(rebuild, taken[i]))
		{
			char	  **row = lfirst(lc);
			Oid			relid = atooid(row[0]);
			char	   *other = other_name(relid);

			router_script_add(rebuild->script, "ALTER %s %s RENAME TO %s", row[1] ? "SEQUENCE" : "INDEX",
							  router_qualified_name(relid), quote_identifier(other));
			if (row[1])
				keep_number(rebuild, relid, row[1], other);
		}
	}
	router_script_add(rebuild->script, "ALTER TABLE %s RENAME TO %s", rebuild->name, quote_identifier(rebuild->other));
	/* whoever runs this later may have given it rows */
	router_script_add(rebuild->script, "ALTER TABLE %s ADD CONSTRAINT it_has_no_rows CHECK (false)", rebuild->old);
}

/* The new table in the place of the old one, which has lost its children, with all that is of the table alone. */
void
router_rebuild_begin(RouterRebuild *rebuild)
{
	Oid			space = get_rel_tablespace(rebuild->relid);
	make_room(rebuild);
	router_script_add(rebuild->script, "CREATE %sTABLE %s (LIKE %s INCLUDING DEFAULTS INCLUDING GENERATED INCLUDING IDENTITY"
					  " INCLUDING STORAGE INCLUDING COMPRESSION INCLUDING COMMENTS)%s%s",
					  rebuild->unlogged ? "UNLOGGED " : "", rebuild->name, rebuild->old,
					  rebuild->partition_by ? rebuild->partition_by : "",
					  OidIsValid(space) ? psprintf(" TABLESPACE %s", quote_identifier(get_tablespace_name(space))) : "");
	router_rebuild_ask(rebuild, grants, lengthof(grants), NULL);
	router_rebuild_ask(rebuild, looks, lengthof(looks), NULL);
	router_rebuild_ask(rebuild, comments, lengthof(comments), NULL);
}

/* What was made of the old table is made of the new one, and the old one goes. */
void
router_rebuild_end(RouterRebuild *rebuild)
{
	RouterScript *script = rebuild->script;
	List	   *strangers = NIL;
	ListCell   *lc;

	foreach(lc, rebuild->numbers)
		router_script_add(script, "%s", (char *) lfirst(lc));
	router_rebuild_ask(rebuild, heirs, lengthof(heirs), NULL);
	router_script_add(script, "DROP TABLE %s", rebuild->old);
	foreach(lc, script->statements)
	{
		RouterStatement *statement = lfirst(lc);

		if (list_member_oid(strangers, statement->role) || has_privs_of_role(GetUserId(), statement->role))
			continue;
		strangers = lappend_oid(strangers, statement->role);
		script->problems = lappend(script->problems,
								   psprintf("role %s, whose rights you do not have, has to give the command: %s",
											GetUserNameFromId(statement->role, false), statement->sql));
	}
}
