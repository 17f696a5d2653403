/*
 * mirror_rule.c
 *		The part of the mirror for what has the same name on base and child:
 *		foreign keys, row triggers, policies. One that is defined otherwise on
 *		the child is made anew.
 */
#include "compat.h"
#include "mirror/mirror_part.h"
#include "base/owner.h"
#include "base/sql.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/dependency.h"
#include "catalog/indexing.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_policy.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "commands/policy.h"
#include "commands/trigger.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "rewrite/prs2lock.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

/* ------------------------------------------------------------- foreign keys */

/* A foreign key; its text is without what can be altered. */
typedef struct ForeignKey
{
	Oid			oid;
	char	   *name;
	Oid			referenced;
	bool		deferrable;
	bool		deferred;
	bool		validated;
	bool		enforced;
	char	   *definition;
} ForeignKey;

/* Takes a word from the end of a definition; was it there? */
static bool
cut_word(char *definition, const char *word)
{
	int			at = (int) strlen(definition) - (int) strlen(word);

	if (at < 0 || strcmp(definition + at, word) != 0)
		return false;
	definition[at] = '\0';
	return true;
}

/* The text of a constraint. Core reads it with the transaction's snapshot. */
static char *
constraint_text(Form_pg_constraint form)
{
	LOCAL_FCINFO(fcinfo, 1);
	Datum		definition;

	InitFunctionCallInfoData(*fcinfo, NULL, 1, InvalidOid, NULL, NULL);
	fcinfo->args[0].value = ObjectIdGetDatum(form->oid);
	fcinfo->args[0].isnull = false;
	definition = pg_get_constraintdef(fcinfo);
	if (fcinfo->isnull)
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("could not serialize access due to concurrent update"),
				 errdetail("Foreign key \"%s\" was added after the transaction began.", NameStr(form->conname))));
	return TextDatumGetCString(definition);
}

static ForeignKey *
read_foreign_key(HeapTuple tup)
{
	Form_pg_constraint form = (Form_pg_constraint) GETSTRUCT(tup);
	ForeignKey *key = palloc0(sizeof(ForeignKey));

	key->oid = form->oid;
	key->name = pstrdup(NameStr(form->conname));
	key->referenced = form->confrelid;
	key->deferrable = form->condeferrable;
	key->deferred = form->condeferred;
	key->validated = form->convalidated;
	key->definition = constraint_text(form);
	(void) cut_word(key->definition, " NOT VALID");
	key->enforced = !cut_word(key->definition, " NOT ENFORCED");
	(void) cut_word(key->definition, " INITIALLY DEFERRED");
	(void) cut_word(key->definition, " DEFERRABLE");
	return key;
}

static int
compare_foreign_keys(const ListCell *a, const ListCell *b)
{
	const ForeignKey *x = lfirst(a);
	const ForeignKey *y = lfirst(b);

	if (x->referenced != y->referenced)
		return x->referenced < y->referenced ? -1 : 1;
	return strcmp(x->name, y->name);
}

/*
 * The foreign keys of a table in the order in which their referenced tables are locked. Not those
 * by which core keeps one to a partitioned table: it makes them for each such key, partition by partition.
 */
static List *
foreign_keys(Oid relid)
{
	List	   *rows = router_rows_with(ConstraintRelationId, ConstraintRelidTypidNameIndexId,
												 Anum_pg_constraint_conrelid, relid);
	List	   *keys = NIL;
	ListCell   *lc;

	foreach(lc, rows)
	{
		Form_pg_constraint form = (Form_pg_constraint) GETSTRUCT((HeapTuple) lfirst(lc));

		if (form->contype == CONSTRAINT_FOREIGN && !OidIsValid(form->conparentid))
			keys = lappend(keys, read_foreign_key(lfirst(lc)));
	}
	list_sort(keys, compare_foreign_keys);
	return keys;
}

static ForeignKey *
find_foreign_key(List *keys, const char *name)
{
	ListCell   *lc;

	foreach(lc, keys)
		if (strcmp(((ForeignKey *) lfirst(lc))->name, name) == 0)
			return lfirst(lc);
	return NULL;
}

static const char *
deferral(const ForeignKey *key)
{
	return key->deferred ? " DEFERRABLE INITIALLY DEFERRED" : key->deferrable ? " DEFERRABLE" : "";
}

/* Makes a foreign key that the child lacks, or has otherwise; NULL: it is there. */
static const ForeignKey *
make_foreign_key(Mirror *m, const ForeignKey *wanted, const ForeignKey *there)
{
	const char *name = quote_identifier(wanted->name);

	if (there && strcmp(wanted->definition, there->definition) == 0)
		return there;
	if (!router_mend(m, "foreign key", "%s foreign key \"%s\"", there ? "replace" : "add", wanted->name))
		return NULL;
	if (there)
		router_run("%s DROP CONSTRAINT %s", m->alter, name);
	router_run("%s ADD CONSTRAINT %s %s%s%s", m->alter, name, wanted->definition, deferral(wanted),
			   !wanted->enforced ? " NOT ENFORCED" : wanted->validated ? "" : " NOT VALID");
	m->is_part = true;
	return wanted;
}

static void
mirror_foreign_key(Mirror *m, const ForeignKey *wanted, const ForeignKey *there)
{
	const char *name = quote_identifier(wanted->name);

	there = make_foreign_key(m, wanted, there);
	if (there == NULL)
		return;
	if (wanted->enforced != there->enforced &&
		router_mend(m, "foreign key", "%s foreign key \"%s\"", wanted->enforced ? "enforce" : "do not enforce",
					wanted->name))
		router_run("%s ALTER CONSTRAINT %s%s", m->alter, name, wanted->enforced ? " ENFORCED" : " NOT ENFORCED");
	if ((wanted->deferrable != there->deferrable || wanted->deferred != there->deferred) &&
		router_mend(m, "foreign key", "alter foreign key \"%s\"", wanted->name))
		router_run("%s ALTER CONSTRAINT %s%s", m->alter, name,
				   wanted->deferrable ? deferral(wanted) : " NOT DEFERRABLE");
	if (wanted->validated && !there->validated && there->enforced &&
		router_mend(m, "foreign key", "validate foreign key \"%s\"", wanted->name))
		router_run("%s VALIDATE CONSTRAINT %s", m->alter, name);
	router_mend_comment(m, ConstraintRelationId, wanted->oid,
						get_relation_constraint_oid(m->child, wanted->name, false), "foreign key", wanted->name);
}

void
router_mirror_foreign_keys(Mirror *m)
{
	List	   *wanted = foreign_keys(RelationGetRelid(m->base));
	List	   *there = wanted ? foreign_keys(m->child) : NIL;
	int			context = router_see_all_rows();	/* each is to be checked */
	ListCell   *lc;

	foreach(lc, wanted)
	{
		ForeignKey *key = lfirst(lc);

		if (router_wanted(m, key->oid))
			mirror_foreign_key(m, key, find_foreign_key(there, key->name));
		m->is_part = false;
	}
	SetUserIdAndSecContext(GetUserId(), context);
}

/* ----------------------------------------------------------------- triggers */

/* The triggers of a table that a child has too. A copy: the relation cache may change. */
static TriggerDesc *
triggers_of(Relation rel)
{
	return rel->trigdesc ? CopyTriggerDesc(rel->trigdesc) : NULL;
}

/*
 * Statement triggers fire for the table that a statement names, so only those
 * of rows are on children. Rows of a foreign table are not ours to move.
 */
static bool
belongs_on_child(const Mirror *m, const Trigger *trigger)
{
	return !trigger->tgisinternal && TRIGGER_FOR_ROW(trigger->tgtype) &&
		(!router_is_own_trigger(trigger) ||
		 (strcmp(trigger->tgname, ROUTER_TRIGGER_MOVE) == 0 && get_rel_relkind(m->child) == RELKIND_RELATION));
}

static Trigger *
find_trigger(TriggerDesc *triggers, const char *name)
{
	for (int i = 0; triggers && i < triggers->numtriggers; i++)
		if (!triggers->triggers[i].tgisinternal && strcmp(triggers->triggers[i].tgname, name) == 0)
			return &triggers->triggers[i];
	return NULL;
}

static Node *
trigger_condition(const Mirror *m, const Trigger *trigger)
{
	Node	   *when;

	if (trigger->tgqual == NULL)
		return NULL;
	when = router_child_expr(m, stringToNode(trigger->tgqual), PRS2_OLD_VARNO);
	return router_child_expr(m, when, PRS2_NEW_VARNO);
}

static bool
same_trigger(const Mirror *m, const Trigger *base, const Trigger *child)
{
	if (base->tgfoid != child->tgfoid || base->tgtype != child->tgtype || base->tgnargs != child->tgnargs ||
		base->tgnattr != child->tgnattr || base->tgdeferrable != child->tgdeferrable ||
		base->tginitdeferred != child->tginitdeferred || base->tgconstrrelid != child->tgconstrrelid ||
		OidIsValid(base->tgconstraint) != OidIsValid(child->tgconstraint))
		return false;
	for (int i = 0; i < base->tgnargs; i++)
		if (strcmp(base->tgargs[i], child->tgargs[i]) != 0)
			return false;
	for (int i = 0; i < base->tgnattr; i++)
		if (router_child_attnum(m, base->tgattr[i]) != child->tgattr[i])
			return false;
	return equal(trigger_condition(m, base), child->tgqual ? stringToNode(child->tgqual) : NULL);
}

static void
create_trigger(Mirror *m, const Trigger *trigger)
{
	CreateTrigStmt *stmt = makeNode(CreateTrigStmt);

	if (trigger->tgnewtable || trigger->tgoldtable)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("row trigger \"%s\" has transition tables, which children cannot have", trigger->tgname),
				 errhint("Use a statement trigger on \"%s\".", RelationGetRelationName(m->base))));
	stmt->isconstraint = OidIsValid(trigger->tgconstraint);
	stmt->trigname = trigger->tgname;
	for (int i = 0; i < trigger->tgnargs; i++)
		stmt->args = lappend(stmt->args, makeString(trigger->tgargs[i]));
	stmt->row = true;
	stmt->timing = trigger->tgtype & TRIGGER_TYPE_TIMING_MASK;
	stmt->events = trigger->tgtype & TRIGGER_TYPE_EVENT_MASK;
	for (int i = 0; i < trigger->tgnattr; i++)
		stmt->columns = lappend(stmt->columns, makeString(get_attname(RelationGetRelid(m->base), trigger->tgattr[i],
																	  false)));
	stmt->deferrable = trigger->tgdeferrable;
	stmt->initdeferred = trigger->tginitdeferred;
	CreateTriggerFiringOn(stmt, NULL, m->child, trigger->tgconstrrelid, InvalidOid, InvalidOid, trigger->tgfoid,
						  InvalidOid, trigger_condition(m, trigger), false, false, trigger->tgenabled);
	CommandCounterIncrement();
}

static void
mirror_trigger(Mirror *m, const Trigger *wanted, const Trigger *there)
{
	const char *name = quote_identifier(wanted->tgname);

	if (there == NULL || !same_trigger(m, wanted, there))
	{
		if (!router_mend(m, "trigger", "%s trigger \"%s\"", there ? "replace" : "create", wanted->tgname))
			return;
		if (there)
			router_run("DROP TRIGGER %s ON %s", name, m->name);
		create_trigger(m, wanted);
		m->is_part = true;
	}
	else if (wanted->tgenabled != there->tgenabled &&
			 router_mend(m, "trigger", "%s trigger \"%s\"",
						 wanted->tgenabled == TRIGGER_DISABLED ? "disable" : "enable", wanted->tgname))
		router_run("%s %s TRIGGER %s", m->alter,
				   wanted->tgenabled == TRIGGER_DISABLED ? "DISABLE" :
				   wanted->tgenabled == TRIGGER_FIRES_ALWAYS ? "ENABLE ALWAYS" :
				   wanted->tgenabled == TRIGGER_FIRES_ON_REPLICA ? "ENABLE REPLICA" : "ENABLE", name);
	router_mend_comment(m, TriggerRelationId, wanted->tgoid, get_trigger_oid(m->child, wanted->tgname, false),
						"trigger", wanted->tgname);
}

void
router_mirror_triggers(Mirror *m)
{
	TriggerDesc *wanted = triggers_of(m->base);
	TriggerDesc *there;
	Relation	child;

	if (wanted == NULL)
		return;
	child = table_open(m->child, NoLock);
	there = triggers_of(child);
	table_close(child, NoLock);
	for (int i = 0; i < wanted->numtriggers; i++)
	{
		Trigger    *trigger = &wanted->triggers[i];

		if (belongs_on_child(m, trigger) && router_wanted(m, trigger->tgoid))
			mirror_trigger(m, trigger, find_trigger(there, trigger->tgname));
		m->is_part = false;
	}
}

/* ------------------------------------------------------------- row security */

typedef struct Policy
{
	Oid			oid;
	char	   *name;
	char		command;
	bool		permissive;
	Datum		roles;			/* an array of oids */
	Node	   *using;
	Node	   *check;
} Policy;

static Node *
policy_tree(HeapTuple tup, AttrNumber attno, TupleDesc desc)
{
	bool		isnull;
	Datum		tree = heap_getattr(tup, attno, desc, &isnull);

	return isnull ? NULL : stringToNode(TextDatumGetCString(tree));
}

/* The policies of a table, by name. */
static List *
policies_of(Oid relid)
{
	Relation	rel = table_open(PolicyRelationId, AccessShareLock);
	TupleDesc	desc = RelationGetDescr(rel);
	List	   *policies = NIL;
	ScanKeyData skey;
	SysScanDesc scan;
	HeapTuple	tup;

	ScanKeyInit(&skey, Anum_pg_policy_polrelid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(relid));
	scan = systable_beginscan(rel, PolicyPolrelidPolnameIndexId, true, NULL, 1, &skey);
	while (HeapTupleIsValid(tup = systable_getnext(scan)))
	{
		Form_pg_policy form = (Form_pg_policy) GETSTRUCT(tup);
		Policy	   *policy = palloc(sizeof(Policy));
		bool		isnull;

		policy->oid = form->oid;
		policy->name = pstrdup(NameStr(form->polname));
		policy->command = form->polcmd;
		policy->permissive = form->polpermissive;
		policy->roles = PointerGetDatum(DatumGetArrayTypePCopy(heap_getattr(tup, Anum_pg_policy_polroles, desc,
																			&isnull)));
		policy->using = policy_tree(tup, Anum_pg_policy_polqual, desc);
		policy->check = policy_tree(tup, Anum_pg_policy_polwithcheck, desc);
		policies = lappend(policies, policy);
	}
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return policies;
}

static char *
policy_roles(Datum array)
{
	Datum	   *roles;
	int			n;
	StringInfoData buf;

	initStringInfo(&buf);
	deconstruct_array(DatumGetArrayTypeP(array), OIDOID, sizeof(Oid), true, TYPALIGN_INT, &roles, NULL, &n);
	for (int i = 0; i < n; i++)
		appendStringInfo(&buf, "%s%s", i > 0 ? ", " : "",
						 OidIsValid(DatumGetObjectId(roles[i])) ?
						 quote_identifier(GetUserNameFromId(DatumGetObjectId(roles[i]), false)) : "PUBLIC");
	return buf.data;
}

static Node *
child_condition(const Mirror *m, Node *expr)
{
	return expr ? router_child_expr(m, copyObject(expr), 1) : NULL;
}

static bool
same_policy(const Mirror *m, const Policy *base, const Policy *child)
{
	return base->command == child->command && base->permissive == child->permissive &&
		router_same_array(base->roles, false, child->roles, false) &&
		router_same_tree(m, child_condition(m, base->using), child->using) &&
		router_same_tree(m, child_condition(m, base->check), child->check);
}

static void
create_policy(const Mirror *m, const Policy *policy)
{
	char	   *using = policy->using ? router_child_expr_text(m, child_condition(m, policy->using)) : NULL;
	char	   *check = policy->check ? router_child_expr_text(m, child_condition(m, policy->check)) : NULL;

	router_run("CREATE POLICY %s ON %s AS %s FOR %s TO %s%s%s%s%s%s%s",
			   quote_identifier(policy->name), m->name,
			   policy->permissive ? "PERMISSIVE" : "RESTRICTIVE",
			   policy->command == '*' ? "ALL" : policy->command == 'r' ? "SELECT" :
			   policy->command == 'a' ? "INSERT" : policy->command == 'w' ? "UPDATE" : "DELETE",
			   policy_roles(policy->roles),
			   using ? " USING (" : "", using ? using : "", using ? ")" : "",
			   check ? " WITH CHECK (" : "", check ? check : "", check ? ")" : "");
}

static Policy *
find_policy(List *policies, const char *name)
{
	ListCell   *lc;

	foreach(lc, policies)
		if (strcmp(((Policy *) lfirst(lc))->name, name) == 0)
			return lfirst(lc);
	return NULL;
}

static void
mirror_policy(Mirror *m, const Policy *wanted, const Policy *there)
{
	if (there == NULL || !same_policy(m, wanted, there))
	{
		if (!router_mend(m, "policy", "%s policy \"%s\"", there ? "replace" : "create", wanted->name))
			return;
		if (there)
			router_run("DROP POLICY %s ON %s", quote_identifier(wanted->name), m->name);
		create_policy(m, wanted);
		m->is_part = true;
	}
	router_mend_comment(m, PolicyRelationId, wanted->oid, get_relation_policy_oid(m->child, wanted->name, false),
						"policy", wanted->name);
}

static void
mirror_row_security(Mirror *m)
{
	Relation	child = table_open(m->child, NoLock);
	bool		enabled = child->rd_rel->relrowsecurity;
	bool		forced = child->rd_rel->relforcerowsecurity;

	table_close(child, NoLock);
	if (m->base->rd_rel->relrowsecurity != enabled &&
		router_mend(m, "row security", enabled ? "disable row security" : "enable row security"))
		router_run("%s %s ROW LEVEL SECURITY", m->alter, enabled ? "DISABLE" : "ENABLE");
	if (m->base->rd_rel->relforcerowsecurity != forced &&
		router_mend(m, "row security", forced ? "do not force row security" : "force row security"))
		router_run("%s %sFORCE ROW LEVEL SECURITY", m->alter, forced ? "NO " : "");
}

void
router_mirror_policies(Mirror *m)
{
	if (m->request->aspects & ROUTER_POLICIES)
	{
		List	   *wanted = policies_of(RelationGetRelid(m->base));
		List	   *there = wanted ? policies_of(m->child) : NIL;
		ListCell   *lc;

		foreach(lc, wanted)
		{
			Policy	   *policy = lfirst(lc);

			if (router_wanted(m, policy->oid))
				mirror_policy(m, policy, find_policy(there, policy->name));
			m->is_part = false;
		}
	}
	if (m->request->aspects & ROUTER_ROW_SECURITY)
		mirror_row_security(m);
}

/* ------------------------------------------------------------------- drops */

/* Takes from a child the foreign key, trigger or policy of this name. */
void
router_drop_by_name(Mirror *m, Oid classid, const char *name, bool cascade)
{
	const char *quoted = quote_identifier(name);
	Relation	child;
	bool		there;

	switch (classid)
	{
		case ConstraintRelationId:
			if (find_foreign_key(foreign_keys(m->child), name) &&
				router_mend(m, "foreign key", "drop foreign key \"%s\"", name))
				router_run("%s DROP CONSTRAINT %s%s", m->alter, quoted, cascade ? " CASCADE" : "");
			break;
		case TriggerRelationId:
			child = table_open(m->child, NoLock);
			there = find_trigger(child->trigdesc, name) && belongs_on_child(m, find_trigger(child->trigdesc, name));
			table_close(child, NoLock);
			if (there && router_mend(m, "trigger", "drop trigger \"%s\"", name))
				router_run("DROP TRIGGER %s ON %s%s", quoted, m->name, cascade ? " CASCADE" : "");
			break;
		case PolicyRelationId:
			if (find_policy(policies_of(m->child), name) && router_mend(m, "policy", "drop policy \"%s\"", name))
				router_run("DROP POLICY %s ON %s", quoted, m->name);
			break;
	}
}

/* ------------------------------------------------------------------ renames */

/* Renames the child's foreign key, trigger or policy as the base's was, unless it has one of the new name. */
void
router_rename_by_name(Mirror *m, const RouterRenamed *renamed)
{
	const char *old_name = quote_identifier(renamed->name);
	Oid			base = RelationGetRelid(m->base);
	Trigger    *there;
	Relation	child;
	ListCell   *lc;

	switch (renamed->classid)
	{
		case ConstraintRelationId:
			foreach(lc, foreign_keys(base))
			{
				ForeignKey *key = lfirst(lc);

				if (key->oid == renamed->oid && find_foreign_key(foreign_keys(m->child), renamed->name) &&
					!find_foreign_key(foreign_keys(m->child), key->name) &&
					router_mend(m, "foreign key", "rename foreign key \"%s\" to \"%s\"", renamed->name, key->name))
					router_run("%s RENAME CONSTRAINT %s TO %s", m->alter, old_name, quote_identifier(key->name));
			}
			break;
		case TriggerRelationId:
			child = table_open(m->child, NoLock);
			there = find_trigger(child->trigdesc, renamed->name);
			if (there && !belongs_on_child(m, there))
				there = NULL;
			table_close(child, NoLock);
			for (int i = 0; there && i < m->base->trigdesc->numtriggers; i++)
			{
				const char *name = pstrdup(m->base->trigdesc->triggers[i].tgname);

				if (m->base->trigdesc->triggers[i].tgoid != renamed->oid)
					continue;
				if (!belongs_on_child(m, &m->base->trigdesc->triggers[i]) ||
					OidIsValid(get_trigger_oid(m->child, name, true)))
					break;
				if (router_mend(m, "trigger", "rename trigger \"%s\" to \"%s\"", renamed->name, name))
					router_run("ALTER TRIGGER %s ON %s RENAME TO %s", old_name, m->name, quote_identifier(name));
				break;
			}
			break;
		case PolicyRelationId:
			foreach(lc, policies_of(base))
			{
				Policy	   *policy = lfirst(lc);

				if (policy->oid == renamed->oid && find_policy(policies_of(m->child), renamed->name) &&
					!find_policy(policies_of(m->child), policy->name) &&
					router_mend(m, "policy", "rename policy \"%s\" to \"%s\"", renamed->name, policy->name))
					router_run("ALTER POLICY %s ON %s RENAME TO %s", old_name, m->name, quote_identifier(policy->name));
			}
			break;
	}
}
