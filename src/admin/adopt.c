/*
 * adopt.c
 *		router.adopt: a table with inheritance children, which others have made and
 *		filled by triggers, becomes a routed table. No row of a child moves.
 *
 * First all is looked at under the locks (adopt_check.c, adopt_keys.c,
 * adopt_name.c); what cannot be understood is told, and nothing is done then.
 *
 * Locking: the creation locks, the base and all children AccessExclusive; in a
 * dry run AccessShare.
 * Rights: the caller owns the base; CHECKs are read, labels tried, triggers
 * dropped as its owner. Children must be his: what others define proves nothing.
 */
#include "compat.h"
#include "admin/adopt_part.h"

#include "access/heapam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "rewrite/rewriteDefine.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "base/sql.h"
#include "mirror/mirror.h"
#include "route/owned.h"
#include "rows/moving.h"
#include "admin/child_admin.h"
#include "admin/create_route.h"
#include "admin/other_router.h"
#include "admin/route_settings.h"

PG_FUNCTION_INFO_V1(router_adopt);

/* ----------------------------------------------------------------- triggers */

static bool
is_listed(List *names, const char *name)
{
	ListCell   *lc;

	foreach(lc, names)
		if (strcmp(lfirst(lc), name) == 0)
			return true;
	return false;
}

/* Which triggers of the base go, and which stand in the way. Rules for INSERT do. */
static void
look_at_triggers(Adoption *adoption, Relation base)
{
	const char *table = RelationGetRelationName(base);
	TriggerDesc *triggers = base->trigdesc;
	List	   *left = list_copy(adoption->drop);
	List	   *children = NIL;
	ListCell   *lc;

	foreach(lc, adoption->children)
		children = lappend_oid(children, ((AdoptChild *) lfirst(lc))->relid);
	for (int i = 0; triggers && i < triggers->numtriggers; i++)
	{
		Trigger    *trigger = &triggers->triggers[i];
		bool		asked = is_listed(adoption->drop, trigger->tgname);

		if (trigger->tgisinternal)
			continue;
		foreach(lc, left)
			if (strcmp(lfirst(lc), trigger->tgname) == 0)
				left = foreach_delete_current(left, lc);
		if (asked || router_is_known_router(trigger))
			adoption->triggers = lappend(adoption->triggers, pstrdup(trigger->tgname));
		else if (router_is_suspect(trigger, children))
			adoption->problems = lappend(adoption->problems,
										 psprintf("%s: trigger %s seems to take rows elsewhere; drop_triggers => '{%s}' takes it away, a disabled one is let alone",
												  table, quote_identifier(trigger->tgname), trigger->tgname));
	}
	foreach(lc, left)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("trigger \"%s\" for table \"%s\" does not exist", (char *) lfirst(lc), table)));
	for (int i = 0; base->rd_rules && i < base->rd_rules->numLocks; i++)
		if (base->rd_rules->rules[i]->event == CMD_INSERT && base->rd_rules->rules[i]->enabled != RULE_DISABLED)
		{
			adoption->problems = lappend(adoption->problems,
										 psprintf("%s: a rule for INSERT would take rows elsewhere; drop it", table));
			break;
		}
}

/* ----------------------------------------------------------------- children */

/* Why a table cannot be a child, whatever it holds; NULL: it can. */
char *
router_adopt_problem_of(Relation rel, Relation base)
{
	Oid			relid = RelationGetRelid(rel);
	char	   *column;

	if (rel->rd_rel->relkind != RELKIND_RELATION && rel->rd_rel->relkind != RELKIND_FOREIGN_TABLE)
		return pstrdup("it is no ordinary table");
	if (rel->rd_rel->relowner != base->rd_rel->relowner)
		return psprintf("it belongs to another role than %s", RelationGetRelationName(base));
	if (has_superclass(relid) && find_inheritance_children(relid, NoLock) != NIL)
		return pstrdup("it has children of its own");
	if (router_catalog_child(relid) || router_catalog_route(relid) ||
		OidIsValid(router_catalog_global_key_base(relid)))
		return pstrdup("it is routed already");
	column = router_column_base_lacks(rel, RelationGetRelid(base));
	return column ? psprintf("it has a column %s that %s lacks", quote_identifier(column), RelationGetRelationName(base)) :
		NULL;
}

static void
look_at_children(Adoption *adoption, Relation base)
{
	ListCell   *lc;

	foreach(lc, find_inheritance_children(RelationGetRelid(base), NoLock))
	{
		AdoptChild *child = palloc0(sizeof(AdoptChild));
		Relation	rel = table_open(lfirst_oid(lc), AccessShareLock);

		child->relid = lfirst_oid(lc);
		child->problem = router_adopt_problem_of(rel, base);
		if (child->problem == NULL)
			router_adopt_read_checks(child, rel, base, adoption->config->time_zone);
		adoption->children = lappend(adoption->children, child);
		table_close(rel, NoLock);
	}
}

/* A column of pg_partman's table as text; NULL: it is NULL, or there is none such. */
static char *
partman_value(Relation rel, HeapTuple tup, const char *column)
{
	AttrNumber	attnum = get_attnum(RelationGetRelid(rel), column);
	bool		isnull = true;
	Datum		value = (Datum) 0;
	Oid			output;
	bool		is_varlena;

	if (attnum != InvalidAttrNumber)
		value = heap_getattr(tup, attnum, RelationGetDescr(rel), &isnull);
	if (isnull)
		return NULL;
	getTypeOutputInfo(get_atttype(RelationGetRelid(rel), attnum), &output, &is_varlena);
	return output >= FirstNormalObjectId ? NULL : OidOutputFunctionCall(output, value);
}

/* What becomes of a row of pg_partman's table: it goes on making children, and its settings are not taken over. */
static void
note_partman(Adoption *adoption, Relation rel, HeapTuple tup)
{
	char	   *premake = partman_value(rel, tup, "premake");
	char	   *keep = partman_value(rel, tup, "retention");
	char	   *keep_table = partman_value(rel, tup, "retention_keep_table");
	char	   *schema = partman_value(rel, tup, "retention_schema");
	StringInfoData call;

	adoption->notes = lappend(adoption->notes,
							  psprintf("leave its row in %s: delete it, or pg_partman goes on making children",
									   router_qualified_name(RelationGetRelid(rel))));
	/* of ids it is a number, which is no age */
	if (keep && strspn(keep, "0123456789") == strlen(keep))
		keep = NULL;
	if (premake == NULL && keep == NULL)
		return;
	initStringInfo(&call);
	appendStringInfo(&call, "SELECT router.set_maintenance(%s", quote_literal_cstr(router_qualified_name(adoption->base)));
	if (premake)
		appendStringInfo(&call, ", premake => %d", atoi(premake));
	if (keep)
		appendStringInfo(&call, ", keep => %s, retire => '%s'", quote_literal_cstr(keep),
						 schema ? "schema" : keep_table && keep_table[0] == 't' ? "detach" : "drop");
	if (keep && schema)
		appendStringInfo(&call, ", retire_schema => %s", quote_literal_cstr(schema));
	adoption->notes = lappend(adoption->notes, psprintf("not take its settings over, which would be: %s)", call.data));
}

/* Nothing that pg_partman has defined is run: its owner may be anybody. */
static void
look_at_partman(Adoption *adoption)
{
	char	   *found = router_ask("SELECT d.objid FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid"
								  "  JOIN pg_class c ON c.oid = d.objid"
								  " WHERE d.refclassid = 'pg_extension'::regclass AND d.classid = 'pg_class'::regclass AND d.deptype = 'e'"
								  "   AND e.extname = 'pg_partman' AND c.relname = 'part_config' AND c.relkind = 'r'");
	char	   *name = psprintf("%s.%s", get_namespace_name(get_rel_namespace(adoption->base)), get_rel_name(adoption->base));
	Relation	rel = found ? try_table_open(atooid(found), AccessShareLock) : NULL;
	TableScanDesc scan;
	HeapTuple	tup;

	if (rel == NULL)
		return;
	scan = table_beginscan(rel, GetActiveSnapshot(), 0, NULL);
	while ((tup = heap_getnext(scan, ForwardScanDirection)) != NULL)
	{
		char	   *table = partman_value(rel, tup, "parent_table");

		if (table && strcmp(table, name) == 0)
			note_partman(adoption, rel, tup);
	}
	table_endscan(scan);
	table_close(rel, NoLock);
}

/* Finds out what there is to do. All is locked. */
static void
plan_adoption(Adoption *adoption)
{
	RouterSettings settings = {.default_child = -1,.max_new_children = -1};
	Relation	base = table_open(adoption->base, AccessShareLock);
	RouterAsOwner saved;

	router_check_base(base, true);
	adoption->config = router_wanted_config(adoption->base, NULL, adoption->keys, &settings, false);
	if (router_catalog_route(adoption->base))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("\"%s\" is a routed table already", RelationGetRelationName(base)),
				 errhint("Give it further children with router.attach_child.")));
	adoption->children = adoption->triggers = adoption->notes = adoption->problems = NIL;
	if (adoption->keys)
		router_check_config(adoption->config, base, true);
	router_become_owner(&saved, base->rd_rel->relowner, router_is_own_temp(adoption->base),
						adoption->config->time_zone);
	look_at_children(adoption, base);
	look_at_triggers(adoption, base);
	if (adoption->children == NIL)
		adoption->problems = lappend(adoption->problems,
									 psprintf("%s: it has no inheritance children; see router.create_route and router.convert",
											  RelationGetRelationName(base)));
	else if (adoption->keys)
		router_adopt_find_bounds(adoption);
	else
		router_adopt_find_keys(adoption, base);
	router_become_user(&saved);
	look_at_partman(adoption);
	adoption->rows = router_has_rows_now(base);
	table_close(base, NoLock);
}

static List *
find_for_adoption(void *arg, bool locked)
{
	Adoption   *adoption = arg;
	LOCKMODE	mode = adoption->dry_run ? AccessShareLock : AccessExclusiveLock;
	List	   *locks = router_lock_add_creation(NIL, adoption->base);
	List	   *children = find_inheritance_children(adoption->base, NoLock);
	ListCell   *lc;

	locks = router_lock_add(locks, adoption->base, mode);
	list_sort(children, list_oid_cmp);
	foreach(lc, children)
		/* what is not the caller's is not for him to lock */
		if (router_owns_relation(lfirst_oid(lc), GetUserId()))
			locks = router_lock_add(locks, lfirst_oid(lc), mode);
	if (locked)
		plan_adoption(adoption);
	return locks;
}

/* -------------------------------------------------------------------- result */

/* Lines of what is wrong: of the set, then of children. */
static List *
all_problems(Adoption *adoption)
{
	List	   *lines = list_copy(adoption->problems);
	ListCell   *lc;

	foreach(lc, adoption->children)
	{
		AdoptChild *child = lfirst(lc);

		if (child->problem)
			lines = lappend(lines, psprintf("%s: %s", router_qualified_name(child->relid), child->problem));
	}
	return lines;
}

/* Tells what is wrong, if anything is: in a dry run as lines. */
bool
router_adopt_refuses(RouterReport *report, Adoption *adoption, const char *message, const char *hint)
{
	List	   *lines = all_problems(adoption);
	ListCell   *lc;

	if (lines != NIL && !report->dry_run)
		router_refuse_lines(message, lines, hint);
	foreach(lc, lines)
		router_report(report, "refuse %s", (char *) lfirst(lc));
	return lines != NIL;
}

static char *
bounds_text(const RouterConfig *config, const AdoptChild *child)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (int i = 0; i < config->nkeys; i++)
		appendStringInfo(&buf, "%s%s", i > 0 ? " " : "", child->texts[i]);
	return buf.data;
}

void
router_adopt_tell_plan(RouterReport *report, Adoption *adoption)
{
	ListCell   *lc;

	router_report_route(report, NULL, adoption->config);
	foreach(lc, adoption->triggers)
		router_report(report, "drop trigger %s", quote_identifier(lfirst(lc)));
	foreach(lc, adoption->children)
		router_report(report, "adopt %s for %s", router_qualified_name(((AdoptChild *) lfirst(lc))->relid),
					  bounds_text(adoption->config, lfirst(lc)));
	foreach(lc, adoption->notes)
		router_report(report, "%s", (char *) lfirst(lc));
	if (report->dry_run && adoption->rows)
		router_report(report, "move the rows of %s", router_qualified_name(adoption->base));
}

/* ---------------------------------------------------------------------- doing */

static void
drop_triggers(Adoption *adoption)
{
	RouterAsOwner saved;
	ListCell   *lc;

	router_become_owner(&saved, router_relation_owner(adoption->base), router_is_own_temp(adoption->base), NULL);
	foreach(lc, adoption->triggers)
		router_run("DROP TRIGGER %s ON %s", quote_identifier(lfirst(lc)), router_qualified_name(adoption->base));
	router_become_user(&saved);
}

/* The keys are what they are to be, names of new children as well. */
void
router_adopt_finish_plan(Adoption *adoption)
{
	Relation	base = table_open(adoption->base, NoLock);
	RouterAsOwner saved;

	router_check_config(adoption->config, base, true);
	router_become_owner(&saved, base->rd_rel->relowner, router_is_own_temp(adoption->base),
						adoption->config->time_zone);
	router_adopt_find_template(adoption);
	router_adopt_find_schema(adoption);
	router_become_user(&saved);
	table_close(base, NoLock);
}

static void
adopt(RouterReport *report, Adoption *adoption)
{
	RouterCacheEntry *entry = router_cache_entry(adoption->base);
	ListCell   *lc;

	router_refuse_pending(adoption->base, "adopt");
	drop_triggers(adoption);
	router_put_route(adoption->config, NULL);
	foreach(lc, adoption->children)
		router_attach(entry, ((AdoptChild *) lfirst(lc))->relid, ((AdoptChild *) lfirst(lc))->bounds, true);
	if (adoption->rows)
		router_take_rows_home(report, entry, adoption->base);
}

static List *
read_names(ArrayType *array)
{
	List	   *names = NIL;
	Datum	   *elements;
	bool	   *nulls;
	int			n;

	deconstruct_array(array, NAMEOID, NAMEDATALEN, false, TYPALIGN_CHAR, &elements, &nulls, &n);
	for (int i = 0; i < n; i++)
	{
		if (nulls[i])
			router_bad_argument("drop_triggers", "It holds names of triggers.");
		names = lappend(names, pstrdup(NameStr(*DatumGetName(elements[i]))));
	}
	return names;
}

/*
 * router.adopt(base, keys, drop_triggers, dry_run).
 *
 * Errors: as create_route; object_not_in_prerequisite_state, with a line for each
 * child that is not understood; check_violation if a child has rows that its own
 * CHECKs do not speak of, with NULL for example.
 */
Datum
router_adopt(PG_FUNCTION_ARGS)
{
	Adoption	adoption = {0};
	RouterReport report;

	router_report_begin(&report, fcinfo, 1, 3);
	adoption.base = PG_GETARG_OID(0);
	adoption.keys = PG_ARGISNULL(1) ? NULL : PG_GETARG_ARRAYTYPE_P(1);
	adoption.drop = PG_ARGISNULL(2) ? NIL : read_names(PG_GETARG_ARRAYTYPE_P(2));
	adoption.dry_run = report.dry_run;
	router_check_exists(adoption.base);
	router_check_owner(adoption.base);
	if (get_rel_relkind(adoption.base) == RELKIND_RELATION)
		router_lock_all(find_for_adoption, &adoption);
	else
		plan_adoption(&adoption);	/* tells what it is */
	if (router_adopt_refuses(&report, &adoption,
							 psprintf("inheritance children of \"%s\" cannot be adopted", get_rel_name(adoption.base)),
							 "Give each child a CHECK that says what it holds, or detach it with ALTER TABLE … NO INHERIT; dry_run => true lists all that is in the way."))
		return (Datum) 0;
	router_adopt_finish_plan(&adoption);
	router_adopt_tell_plan(&report, &adoption);
	if (!report.dry_run)
		adopt(&report, &adoption);
	return (Datum) 0;
}
