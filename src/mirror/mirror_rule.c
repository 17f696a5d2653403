/*
 * mirror_rule.c
 *		The part of the mirror for what has the same name on base and child:
 *		foreign keys, row triggers, policies; and for row security being on or off.
 */
#include "compat.h"
#include "mirror/mirror_part.h"
#include "base/owner.h"
#include "base/sql.h"

#include "access/table.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_policy.h"
#include "catalog/pg_trigger.h"
#include "commands/policy.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

/* ------------------------------------------------------------- foreign keys */

typedef struct ForeignKey
{
	MirrorObject object;
	Form_pg_constraint form;
	bool		enforced;
	char	   *definition;		/* without what can be altered */
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

	key->object.oid = form->oid;
	key->object.name = NameStr(form->conname);
	key->form = form;
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

	if (x->form->confrelid != y->form->confrelid)
		return x->form->confrelid < y->form->confrelid ? -1 : 1;
	return strcmp(x->object.name, y->object.name);
}

/*
 * The foreign keys of a table in the order in which their referenced tables are locked. Not those
 * by which core keeps one to a partitioned table: it makes them for each such key, partition by partition.
 */
static List *
read_foreign_keys(const Mirror *m, Oid relid)
{
	List	   *keys = NIL;
	ListCell   *lc;

	foreach(lc, router_constraints_of(relid))
	{
		Form_pg_constraint form = (Form_pg_constraint) GETSTRUCT((HeapTuple) lfirst(lc));

		if (form->contype == CONSTRAINT_FOREIGN && !OidIsValid(form->conparentid))
			keys = lappend(keys, read_foreign_key(lfirst(lc)));
	}
	list_sort(keys, compare_foreign_keys);
	return keys;
}

/* Its name is all that is left. */
static MirrorObject *
read_dropped_foreign_key(const RouterChange *change)
{
	MirrorObject *object;

	if (((Form_pg_constraint) GETSTRUCT(change->dropped))->contype != CONSTRAINT_FOREIGN)
		return NULL;
	object = palloc0(sizeof(MirrorObject));
	object->name = pstrdup(change->name);
	return object;
}

static bool
same_foreign_key(const Mirror *m, const MirrorObject *base, const MirrorObject *child)
{
	return strcmp(((const ForeignKey *) base)->definition, ((const ForeignKey *) child)->definition) == 0;
}

static const char *
deferral(const ForeignKey *key)
{
	return key->form->condeferred ? " DEFERRABLE INITIALLY DEFERRED" : key->form->condeferrable ? " DEFERRABLE" : "";
}

static MirrorObject *
make_foreign_key(Mirror *m, MirrorObject *wanted, List *own)
{
	const ForeignKey *key = (const ForeignKey *) wanted;

	router_run("%s ADD CONSTRAINT %s %s%s%s", m->alter, quote_identifier(wanted->name), key->definition, deferral(key),
			   !key->enforced ? " NOT ENFORCED" : key->form->convalidated ? "" : " NOT VALID");
	return wanted;
}

static void
mirror_foreign_key_properties(Mirror *m, const MirrorObject *object, const MirrorObject *own)
{
	const ForeignKey *wanted = (const ForeignKey *) object;
	const ForeignKey *there = (const ForeignKey *) own;
	const char *name = quote_identifier(object->name);

	if (wanted->enforced != there->enforced &&
		router_mend(m, "foreign key", "%s foreign key \"%s\"", wanted->enforced ? "enforce" : "do not enforce",
					object->name))
		router_run("%s ALTER CONSTRAINT %s%s", m->alter, name, wanted->enforced ? " ENFORCED" : " NOT ENFORCED");
	if (strcmp(deferral(wanted), deferral(there)) != 0 &&
		router_mend(m, "foreign key", "alter foreign key \"%s\"", object->name))
		router_run("%s ALTER CONSTRAINT %s%s", m->alter, name,
				   wanted->form->condeferrable ? deferral(wanted) : " NOT DEFERRABLE");
	if (wanted->form->convalidated && !there->form->convalidated && there->enforced &&
		router_mend(m, "foreign key", "validate foreign key \"%s\"", object->name))
		router_run("%s VALIDATE CONSTRAINT %s", m->alter, name);
	router_mend_object_comment(m, &router_mirror_foreign_key, object, own);
}

const MirrorKind router_mirror_foreign_key = {
	.aspect = ROUTER_FOREIGN_KEYS,
	.classid = ConstraintRelationId,
	.word = "foreign key",
	.verb = "add",
	.by_name = get_relation_constraint_oid,
	.read = read_foreign_keys,
	.read_dropped = read_dropped_foreign_key,
	.same = same_foreign_key,
	.make = make_foreign_key,
	.properties = mirror_foreign_key_properties,
};

void
router_mirror_foreign_keys(Mirror *m)
{
	int			context = router_see_all_rows();	/* each is to be checked */

	(void) router_mirror_objects(m, &router_mirror_foreign_key);
	SetUserIdAndSecContext(GetUserId(), context);
}

/* ----------------------------------------------------------------- triggers */

typedef struct RowTrigger
{
	MirrorObject object;
	const Trigger *trigger;
} RowTrigger;

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

/* All triggers of a child: one with the name of one of the base has its place, whatever it is. */
static List *
read_triggers(const Mirror *m, Oid relid)
{
	Relation	rel = table_open(relid, NoLock);
	TriggerDesc *triggers = rel->trigdesc ? CopyTriggerDesc(rel->trigdesc) : NULL;	/* the relation cache may change */
	List	   *list = NIL;

	table_close(rel, NoLock);
	for (int i = 0; triggers && i < triggers->numtriggers; i++)
	{
		const Trigger *trigger = &triggers->triggers[i];
		RowTrigger *read;

		if (trigger->tgisinternal || (relid != m->child && !belongs_on_child(m, trigger)))
			continue;
		read = palloc0(sizeof(RowTrigger));
		read->object.oid = trigger->tgoid;
		read->object.name = trigger->tgname;
		read->object.not_ours = !belongs_on_child(m, trigger);
		read->trigger = trigger;
		list = lappend(list, read);
	}
	return list;
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
same_trigger(const Mirror *m, const MirrorObject *wanted, const MirrorObject *there)
{
	const Trigger *base = ((const RowTrigger *) wanted)->trigger;
	const Trigger *child = ((const RowTrigger *) there)->trigger;

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

static MirrorObject *
make_trigger(Mirror *m, MirrorObject *wanted, List *own)
{
	const Trigger *trigger = ((const RowTrigger *) wanted)->trigger;
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
	return wanted;
}

static void
mirror_trigger_properties(Mirror *m, const MirrorObject *wanted, const MirrorObject *there)
{
	char		enabled = ((const RowTrigger *) wanted)->trigger->tgenabled;

	if (enabled != ((const RowTrigger *) there)->trigger->tgenabled &&
		router_mend(m, "trigger", "%s trigger \"%s\"", enabled == TRIGGER_DISABLED ? "disable" : "enable", wanted->name))
		router_run("%s %s TRIGGER %s", m->alter,
				   enabled == TRIGGER_DISABLED ? "DISABLE" :
				   enabled == TRIGGER_FIRES_ALWAYS ? "ENABLE ALWAYS" :
				   enabled == TRIGGER_FIRES_ON_REPLICA ? "ENABLE REPLICA" : "ENABLE", quote_identifier(wanted->name));
	router_mend_object_comment(m, &router_mirror_trigger, wanted, there);
}

const MirrorKind router_mirror_trigger = {
	.aspect = ROUTER_TRIGGERS,
	.classid = TriggerRelationId,
	.word = "trigger",
	.verb = "create",
	.sql = "TRIGGER",
	.by_name = get_trigger_oid,
	.read = read_triggers,
	.same = same_trigger,
	.make = make_trigger,
	.properties = mirror_trigger_properties,
};

/* ------------------------------------------------------------- row security */

typedef struct Policy
{
	MirrorObject object;
	Form_pg_policy form;
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

static List *
read_policies(const Mirror *m, Oid relid)
{
	Relation	catalog = table_open(PolicyRelationId, AccessShareLock);
	TupleDesc	desc = RelationGetDescr(catalog);
	List	   *policies = NIL;
	ListCell   *lc;

	foreach(lc, router_rows_with(PolicyRelationId, PolicyPolrelidPolnameIndexId, Anum_pg_policy_polrelid, relid))
	{
		HeapTuple	tup = lfirst(lc);
		Form_pg_policy form = (Form_pg_policy) GETSTRUCT(tup);
		Policy	   *policy = palloc0(sizeof(Policy));
		bool		isnull;

		policy->object.oid = form->oid;
		policy->object.name = NameStr(form->polname);
		policy->form = form;
		policy->roles = heap_getattr(tup, Anum_pg_policy_polroles, desc, &isnull);
		policy->using = policy_tree(tup, Anum_pg_policy_polqual, desc);
		policy->check = policy_tree(tup, Anum_pg_policy_polwithcheck, desc);
		policies = lappend(policies, policy);
	}
	table_close(catalog, AccessShareLock);
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

static bool
same_policy(const Mirror *m, const MirrorObject *wanted, const MirrorObject *there)
{
	const Policy *base = (const Policy *) wanted;
	const Policy *child = (const Policy *) there;

	return base->form->polcmd == child->form->polcmd && base->form->polpermissive == child->form->polpermissive &&
		router_same_array(base->roles, false, child->roles, false) &&
		router_same_expr(m, base->using, child->using) && router_same_expr(m, base->check, child->check);
}

/* " USING (condition)", or "". */
static char *
policy_clause(const Mirror *m, const char *word, Node *condition)
{
	return condition == NULL ? "" :
		psprintf(" %s (%s)", word, router_child_expr_text(m, router_child_expr(m, copyObject(condition), 1)));
}

static MirrorObject *
make_policy(Mirror *m, MirrorObject *wanted, List *own)
{
	const Policy *policy = (const Policy *) wanted;
	char		command = policy->form->polcmd;

	router_run("CREATE POLICY %s ON %s AS %s FOR %s TO %s%s%s", quote_identifier(wanted->name), m->name,
			   policy->form->polpermissive ? "PERMISSIVE" : "RESTRICTIVE",
			   command == '*' ? "ALL" : command == 'r' ? "SELECT" :
			   command == 'a' ? "INSERT" : command == 'w' ? "UPDATE" : "DELETE",
			   policy_roles(policy->roles), policy_clause(m, "USING", policy->using),
			   policy_clause(m, "WITH CHECK", policy->check));
	return wanted;
}

static void
mirror_policy_properties(Mirror *m, const MirrorObject *wanted, const MirrorObject *there)
{
	router_mend_object_comment(m, &router_mirror_policy, wanted, there);
}

const MirrorKind router_mirror_policy = {
	.aspect = ROUTER_POLICIES,
	.classid = PolicyRelationId,
	.word = "policy",
	.verb = "create",
	.sql = "POLICY",
	.by_name = get_relation_policy_oid,
	.read = read_policies,
	.same = same_policy,
	.make = make_policy,
	.properties = mirror_policy_properties,
};

void
router_mirror_row_security(Mirror *m)
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
