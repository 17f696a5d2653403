/*
 * ddl.c
 *		Event triggers: catalog and children follow what happens to bases.
 *
 * They run as whoever runs the DDL, so they read with a pinned search_path and
 * write through the catalog (route/catalog.h); children are changed as the owner of the base, by
 * sync.c. What they cannot allow they refuse, which undoes the DDL.
 *
 * A command is followed in just what it touches: commands that core collected
 * for pg_event_trigger_ddl_commands name the objects, and of those only the
 * counterparts on the children are compared (RouterMirror.exact). What core's
 * inheritance recursion does is left to it. A command addressed to ONLY the
 * base is not followed. One addressed to what stands above a base (a parent, the
 * type that it is OF) is looked at as if it were given to the base.
 *
 * Dropped objects are found by the rows of the catalog that the command has
 * just deleted, which nobody can have vacuumed.
 *
 * Locking: the command holds its lock on the base; ShareUpdateExclusiveLock
 * is added, for commands that lock less, and before GRANT starts, which locks
 * nothing and writes the base's pg_class row as the creator of a first child
 * does. Then the children, by oid.
 */
#include "compat.h"
#include "admin/sync.h"

#include "access/table.h"
#include "catalog/index.h"
#include "catalog/namespace.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_policy.h"
#include "catalog/pg_rewrite.h"
#include "catalog/pg_statistic_ext.h"
#include "catalog/pg_trigger.h"
#include "commands/event_trigger.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "parser/parse_expr.h"
#include "parser/parse_type.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/ruleutils.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "admin/child_admin.h"
#include "admin/create_route.h"

#include "route/defs.h"
#include "admin/drop.h"
#include "admin/globalkey_admin.h"
#include "globalkey/triggers.h"
#include "route/loose.h"
#include "base/owner.h"
#include "write/fence.h"
#include "base/sql.h"
#include "rows/keep_in_step.h"
#include "rows/mask.h"
#include "admin/type_ddl.h"

PG_FUNCTION_INFO_V1(router_on_sql_drop);
PG_FUNCTION_INFO_V1(router_on_ddl_start);
PG_FUNCTION_INFO_V1(router_on_ddl_end);

/* ------------------------------------------------------------------ helpers */

/* The data of an event trigger, which is one for this event. */
static EventTriggerData *
event_data(FunctionCallInfo fcinfo, const char *name)
{
	if (!CALLED_AS_EVENT_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function must be called by an event trigger")));
	if (strcmp(((EventTriggerData *) fcinfo->context)->event, name) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_EVENT_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function must be called by an event trigger for %s", name)));
	return (EventTriggerData *) fcinfo->context;
}

/* Not for a child that router made; the extension itself going; a database without routes. */
static bool
concerns_routes(const EventTriggerData *event)
{
	return !router_child_is_told(event->parsetree) && router_catalog_exists() && router_catalog_any_base();
}

/* A row of a catalog by its oid column, also one that this transaction has deleted; NULL if there is none. */
static HeapTuple
deleted_row(Oid catalog, Oid index, AttrNumber attno, Oid oid)
{
	Relation	rel = table_open(catalog, AccessShareLock);
	HeapTuple	found = NULL;
	ScanKeyData skey;
	SysScanDesc scan;
	HeapTuple	tup;

	ScanKeyInit(&skey, attno, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(oid));
	scan = systable_beginscan(rel, index, true, SnapshotAny, 1, &skey);
	while (HeapTupleIsValid(tup = systable_getnext(scan)))
		/* the last version, which no update leads on from */
		if (TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetRawXmax(tup->t_data)) &&
			ItemPointerEquals(&tup->t_self, &tup->t_data->t_ctid))
			found = heap_copytuple(tup);
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return found;
}

/*
 * Is this session restoring a dump? pg_dump's scripts and pg_restore set both of
 * these. Nothing is followed then: the dump brings what children have, and
 * would meet what we had made.
 */
static bool
is_restoring(void)
{
	return !check_function_bodies && namespace_search_path[0] == '\0';
}

static bool
is_base(Oid relid)
{
	return SearchSysCacheExists1(RELOID, ObjectIdGetDatum(relid)) && router_catalog_route(relid) != NULL;
}

/* The bases that a command on this relation or composite type may come to: it, or what is made after it. */
static List *
bases_below(Oid relid)
{
	List	   *tops = get_rel_relkind(relid) == RELKIND_COMPOSITE_TYPE ? router_typed_tables(get_rel_type_id(relid)) :
		list_make1_oid(relid);
	List	   *reached = NIL;
	List	   *bases = NIL;
	ListCell   *lc;

	foreach(lc, tops)
		reached = list_concat(reached, find_all_inheritors(lfirst_oid(lc), NoLock, NULL));
	foreach(lc, reached)
		if (router_catalog_is_base(lfirst_oid(lc)))
			bases = list_append_unique_oid(bases, lfirst_oid(lc));
	list_sort(bases, list_oid_cmp);
	return bases;
}

/* ----------------------------------------------------------- what to follow */

/* What one command did to one base. */
typedef struct Follow
{
	Oid			base;
	RouterMirror request;
	List	   *alter;			/* of char *: "ALTER TABLE child …" */
	List	   *renamed;		/* of RouterChange */
	Oid			from_schema;	/* SET SCHEMA: the old one */
} Follow;

static Follow *
follow_of(List **follows, Oid base)
{
	ListCell   *lc;
	Follow	   *follow;

	foreach(lc, *follows)
		if (((Follow *) lfirst(lc))->base == base)
			return lfirst(lc);
	follow = palloc0(sizeof(Follow));
	follow->base = base;
	follow->request.exact = true;
	*follows = lappend(*follows, follow);
	return follow;
}

static Oid
oid_in_row(int cache, Oid oid, AttrNumber attno)
{
	HeapTuple	tup = SearchSysCache1(cache, ObjectIdGetDatum(oid));
	bool		isnull;
	Oid			value;

	if (!HeapTupleIsValid(tup))
		return InvalidOid;
	value = DatumGetObjectId(SysCacheGetAttr(cache, tup, attno, &isnull));
	ReleaseSysCache(tup);
	return value;
}

/* The table of a trigger or policy. */
static Oid
table_of_row(Oid catalog, Oid index, AttrNumber oid_attno, Oid oid, AttrNumber attno)
{
	Relation	rel = table_open(catalog, AccessShareLock);
	Oid			table = InvalidOid;
	bool		isnull;
	ScanKeyData skey;
	SysScanDesc scan;
	HeapTuple	tup;

	ScanKeyInit(&skey, oid_attno, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(oid));
	scan = systable_beginscan(rel, index, true, NULL, 1, &skey);
	tup = systable_getnext(scan);
	if (HeapTupleIsValid(tup))
		table = DatumGetObjectId(heap_getattr(tup, attno, RelationGetDescr(rel), &isnull));
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	return table;
}

/* The table that an object belongs to, and the aspects it is compared in. */
static Oid
table_of(const ObjectAddress *object, int *aspects)
{
	*aspects = 0;
	switch (object->classId)
	{
		case RelationRelationId:
			if (get_rel_relkind(object->objectId) != RELKIND_INDEX)
				return object->objectId;
			*aspects = ROUTER_INDEXES;
			return IndexGetRelation(object->objectId, true);
		case ConstraintRelationId:
			*aspects = ROUTER_INDEXES | ROUTER_FOREIGN_KEYS | ROUTER_CHECKS | ROUTER_INHERITANCE;
			return oid_in_row(CONSTROID, object->objectId, Anum_pg_constraint_conrelid);
		case StatisticExtRelationId:
			*aspects = ROUTER_STATISTICS;
			return oid_in_row(STATEXTOID, object->objectId, Anum_pg_statistic_ext_stxrelid);
		case TriggerRelationId:
			*aspects = ROUTER_TRIGGERS;
			return table_of_row(TriggerRelationId, TriggerOidIndexId, Anum_pg_trigger_oid, object->objectId,
								Anum_pg_trigger_tgrelid);
		case PolicyRelationId:
			*aspects = ROUTER_POLICIES;
			return table_of_row(PolicyRelationId, PolicyOidIndexId, Anum_pg_policy_oid, object->objectId,
								Anum_pg_policy_polrelid);
		default:
			return InvalidOid;
	}
}

/* ------------------------------------------------------------- ALTER TABLE */

static void
want(Follow *follow, int aspects)
{
	follow->request.aspects |= aspects;
}

static void
want_object(Follow *follow, Oid object, int aspects)
{
	if (!OidIsValid(object))
		return;
	want(follow, aspects);
	follow->request.only = list_append_unique_oid(follow->request.only, object);
}

static void
want_column(Follow *follow, const char *name)
{
	AttrNumber	attnum = name ? get_attnum(follow->base, name) : InvalidAttrNumber;

	want(follow, ROUTER_COLUMNS | ROUTER_INHERITANCE);
	if (attnum > 0)
		follow->request.columns = list_append_unique_int(follow->request.columns, attnum);
}

/* "SET (a = 'b', toast.c = 'd')", "RESET (a)" */
static char *
options_action(AlterTableCmd *cmd)
{
	bool		set = cmd->subtype != AT_ResetRelOptions;
	StringInfoData buf;
	ListCell   *lc;

	initStringInfo(&buf);
	foreach(lc, (List *) cmd->def)
	{
		DefElem    *option = lfirst_node(DefElem, lc);

		appendStringInfo(&buf, "%s", buf.len > 0 ? ", " : set ? "SET (" : "RESET (");
		if (option->defnamespace)
			appendStringInfo(&buf, "%s.", quote_identifier(option->defnamespace));
		appendStringInfoString(&buf, quote_identifier(option->defname));
		if (set && option->arg)
			appendStringInfo(&buf, " = %s", quote_literal_cstr(defGetString(option)));
	}
	appendStringInfoChar(&buf, ')');
	return buf.data;
}

static void
want_triggers(Follow *follow, const char *name)
{
	Relation	rel = table_open(follow->base, AccessShareLock);
	TriggerDesc *triggers = rel->trigdesc;

	want(follow, ROUTER_TRIGGERS);
	for (int i = 0; triggers && i < triggers->numtriggers; i++)
		if (name == NULL || strcmp(triggers->triggers[i].tgname, name) == 0)
			want_object(follow, triggers->triggers[i].tgoid, ROUTER_TRIGGERS);
	table_close(rel, NoLock);
}

/* What a part of ALTER TABLE touches other than what core passes on to inheritance children. */
static void
follow_subcommand(Follow *follow, AlterTableCmd *cmd)
{
	switch (cmd->subtype)
	{
		case AT_AddColumn:
			want_column(follow, castNode(ColumnDef, cmd->def)->colname);
			break;
		case AT_AddIdentity:
		case AT_SetIdentity:
		case AT_SetOptions:
		case AT_ResetOptions:
		case AT_SetStorage:
		case AT_SetCompression:
			want_column(follow, cmd->name);
			break;
		case AT_AlterColumnType:
			want(follow, ROUTER_HOME);
			break;
		case AT_ChangeOwner:
			want(follow, ROUTER_OWNER);
			break;
		case AT_DropCluster:
			follow->alter = lappend(follow->alter, "SET WITHOUT CLUSTER");
			break;
		case AT_SetLogged:
		case AT_SetUnLogged:
			want(follow, ROUTER_PERSISTENCE);
			break;
		case AT_SetRelOptions:
		case AT_ResetRelOptions:
			follow->alter = lappend(follow->alter, options_action(cmd));
			break;
		case AT_EnableTrig:
		case AT_EnableAlwaysTrig:
		case AT_EnableReplicaTrig:
		case AT_DisableTrig:
			want_triggers(follow, cmd->name);
			break;
		case AT_EnableTrigAll:
		case AT_EnableTrigUser:
		case AT_DisableTrigAll:
		case AT_DisableTrigUser:
			want_triggers(follow, NULL);
			break;
		case AT_EnableRowSecurity:
		case AT_DisableRowSecurity:
		case AT_ForceRowSecurity:
		case AT_NoForceRowSecurity:
			want(follow, ROUTER_ROW_SECURITY);
			break;
		case AT_ReplicaIdentity:
			want(follow, ROUTER_REPLICA_IDENTITY);
			break;
		default:
			break;
	}
}

/* An object that a part of ALTER TABLE made or changed, as core collected it. */
static void
follow_address(Follow *follow, const ObjectAddress *address)
{
	int			aspects;

	if (OidIsValid(address->objectId) && table_of(address, &aspects) == follow->base && aspects != 0)
		want_object(follow, address->objectId, aspects);
}

static void
follow_alter_table(List **follows, AlterTableStmt *stmt, const CollectedCommand *command)
{
	Oid			relid = command->d.alterTable.objectId;
	ObjectAddress whole;
	int			aspects;
	ListCell   *lc;

	if (!stmt->relation->inh)
		return;
	/* ALTER INDEX; or ALTER TABLE of an index */
	if (get_rel_relkind(relid) == RELKIND_INDEX)
	{
		ObjectAddressSet(whole, RelationRelationId, relid);
		relid = table_of(&whole, &aspects);
		if (is_base(relid))
			want_object(follow_of(follows, relid), whole.objectId, aspects);
		return;
	}
	if (!is_base(relid))
		return;
	foreach(lc, command->d.alterTable.subcmds)
		follow_address(follow_of(follows, relid), &((CollectedATSubcmd *) lfirst(lc))->address);
}

/* ------------------------------------------------------------ other commands */

static void
follow_simple(List **follows, Node *parsetree, const CollectedCommand *command)
{
	const ObjectAddress *address = &command->d.simple.address;
	int			aspects;
	Oid			base = table_of(address, &aspects);
	Follow	   *follow;

	if (!OidIsValid(base) || !is_base(base))
		return;
	follow = follow_of(follows, base);
	if (IsA(parsetree, IndexStmt) && castNode(IndexStmt, parsetree)->concurrent)
	{
		ereport(NOTICE,
				(errmsg("index \"%s\" was created on \"%s\" only, not on its children",
						get_rel_name(address->objectId), get_rel_name(base)),
				 errhint("CALL router.sync('%s', concurrently => true) creates it there.", router_qualified_name(base))));
		return;
	}
	if (IsA(parsetree, IndexStmt) && !castNode(IndexStmt, parsetree)->relation->inh)
		return;
	if (IsA(parsetree, RenameStmt) && aspects != 0)
	{
		RouterChange *renamed = palloc0(sizeof(RouterChange));
		RenameStmt *stmt = castNode(RenameStmt, parsetree);

		renamed->classid = address->classId;
		renamed->oid = address->objectId;
		renamed->name = stmt->subname ? stmt->subname : stmt->relation ? stmt->relation->relname :
			strVal(llast((List *) stmt->object));
		if (address->classId == ConstraintRelationId && OidIsValid(get_constraint_index(address->objectId)))
		{
			renamed->classid = RelationRelationId;
			renamed->oid = get_constraint_index(address->objectId);
		}
		follow->renamed = lappend(follow->renamed, renamed);
		return;
	}
	if (IsA(parsetree, AlterObjectSchemaStmt) && address->classId == RelationRelationId)
		follow->from_schema = command->d.simple.secondaryObject.objectId;
	else if (IsA(parsetree, CommentStmt) && aspects == 0)
	{
		want(follow, ROUTER_COMMENTS);
		follow->request.columns = lappend_int(follow->request.columns, address->objectSubId);
	}
	else if (aspects != 0)
		want_object(follow, address->objectId, aspects);
}

/* What a base has rules for is not granted on children. */
static void
follow_rule(List **follows, const RuleStmt *stmt)
{
	Oid			relid = RangeVarGetRelid(stmt->relation, NoLock, true);

	if (OidIsValid(relid) && is_base(relid))
		want(follow_of(follows, relid), ROUTER_GRANTS);
}

static void
follow_grant(List **follows, const CollectedCommand *command)
{
	ListCell   *lc;

	if (command->d.grant.istmt->objtype != OBJECT_TABLE)
		return;
	foreach(lc, command->d.grant.istmt->objects)
		if (is_base(lfirst_oid(lc)))
			want(follow_of(follows, lfirst_oid(lc)), ROUTER_GRANTS);
}

/* ---------------------------------------------------------------- refusals */

/*
 * A foreign key that refers to a base would look for the row in the base only. One that refers to a child keeps rows
 * there, and the child from being retired: who has REFERENCES, as GRANT ALL gives it, could not do that to
 * an ordinary table.
 */
static void
check_references(const CollectedCommand *command)
{
	ListCell   *lc;

	foreach(lc, command->d.alterTable.subcmds)
	{
		const ObjectAddress *address = &((CollectedATSubcmd *) lfirst(lc))->address;
		Oid			referenced;

		if (address->classId != ConstraintRelationId || !OidIsValid(address->objectId))
			continue;
		referenced = oid_in_row(CONSTROID, address->objectId, Anum_pg_constraint_confrelid);
		if (OidIsValid(referenced) && is_base(referenced))
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("foreign key \"%s\" cannot refer to routed table \"%s\"",
							get_constraint_name(address->objectId), get_rel_name(referenced)),
					 errdetail("It would not find the rows that live in children."),
					 errhint("Refer to a table of keys that is not routed.")));
		if (OidIsValid(referenced) && router_catalog_child(referenced) &&
			!router_owns_relation(referenced, GetUserId()))
			ereport(ERROR,
					(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
					 errmsg("foreign key \"%s\" cannot refer to child \"%s\" of another owner",
							get_constraint_name(address->objectId), get_rel_name(referenced)),
					 errdetail("No row could leave the child, nor could it be retired."),
					 errhint("Refer to the key table of a global key, or to a table of keys that is not routed.")));
	}
}

/*
 * Who has TRIGGER on a table may also replace triggers, but not those of router: they keep rows in their homes and
 * keys unique, for everybody, as the bounds and indexes of a partitioned table do.
 */
static void
check_trigger_name(Oid table, const char *name)
{
	Trigger		trigger = {.tgname = unconstify(char *, name)};

	if (!OidIsValid(table) || router_owns_relation(table, GetUserId()) ||
		!router_is_any_own_trigger(&trigger) ||
		!(is_base(table) || router_catalog_child(table)))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("trigger \"%s\" of routed table \"%s\" is router's", name, get_rel_name(table)),
			 errdetail("Only the owner of the table can make another one of that name."),
			 errhint("Take another name.")));
}

static void
check_trigger(Oid base, Oid oid)
{
	Relation	rel = table_open(base, AccessShareLock);
	TriggerDesc *triggers = rel->trigdesc;

	for (int i = 0; triggers && i < triggers->numtriggers; i++)
	{
		Trigger    *trigger = &triggers->triggers[i];

		if (trigger->tgoid == oid && TRIGGER_FOR_ROW(trigger->tgtype) && (trigger->tgnewtable || trigger->tgoldtable))
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("row trigger \"%s\" of routed table \"%s\" cannot have transition tables",
							trigger->tgname, RelationGetRelationName(rel)),
					 errdetail("Inheritance children cannot have such a trigger."),
					 errhint("Use a statement trigger.")));
	}
	table_close(rel, NoLock);
}

static bool
is_integer(Oid type)
{
	return type == INT2OID || type == INT4OID || type == INT8OID;
}

static bool
is_text(Oid type)
{
	return type == TEXTOID || type == VARCHAROID;
}

/* Does a key mean the same with another type of its column? */
static bool
is_harmless(const RouterKey *key, Oid from, Oid to)
{
	from = getBaseType(from);
	to = getBaseType(to);
	if (from == to || (is_text(from) && is_text(to)))
		return true;
	return key->kind != ROUTER_HASH && is_integer(from) && is_integer(to);
}

#define ANOTHER_ROUTE "Make another routed table with that type and move the rows into it, or end the routing first, with router.drop_route."

/* A collation that takes different texts for equal can make one value of those of two children. */
static void
check_key_collation(Oid base, AttrNumber attnum, const char *column, Oid to)
{
	Oid			type;
	Oid			from;
	int32		typmod;

	get_atttypetypmodcoll(base, attnum, &type, &typmod, &from);
	if (from == to || !OidIsValid(to) || get_collation_isdeterministic(to))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("cannot change the collation of column \"%s\" of routed table \"%s\" to %s: it is a key",
					column, get_rel_name(base), generate_collation_name(to)),
			 errdetail("Values of several children can be equal by that collation."),
			 errhint(ANOTHER_ROUTE)));
}

/* Before ALTER TABLE … ALTER COLUMN … TYPE. */
static void
check_key_type(Oid base, AlterTableCmd *cmd)
{
	RouterConfig *route = router_catalog_route(base);
	AttrNumber	attnum = get_attnum(base, cmd->name);
	ColumnDef  *def = castNode(ColumnDef, cmd->def);
	Oid			to;

	if (attnum != InvalidAttrNumber)
		router_catalog_follow_seals(base, attnum);
	for (int i = 0; i < route->nkeys; i++)
	{
		RouterKey  *key = &route->keys[i];

		if (attnum == InvalidAttrNumber || key->attnum != attnum)
			continue;
		to = typenameTypeId(NULL, def->typeName);
		router_key_check_type(key, to);
		if (router_catalog_children(base) || key->ngroups > 0)
			check_key_collation(base, attnum, cmd->name, GetColumnDefCollation(NULL, def, to));
		if (router_catalog_children(base) == NIL)
			continue;
		if (!is_harmless(key, get_atttype(base, attnum), to))
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("cannot change the type of column \"%s\" of routed table \"%s\" to %s: it is a key",
							cmd->name, get_rel_name(base), format_type_be(to)),
					 errdetail("The bounds of its children are values of type %s.",
							   format_type_be(get_atttype(base, attnum))),
					 errhint(ANOTHER_ROUTE)));
	}
}

/* ----------------------------------------------------------------- at work */

/* Children that stand in the base's old schema move along. Runs as the caller, as SET SCHEMA of the base did. */
static void
take_along(Oid base, Oid from)
{
	ListCell   *lc;

	foreach(lc, router_children_by_oid(base))
		if (get_rel_namespace(lfirst_oid(lc)) == from)
			router_move_to_schema(lfirst_oid(lc), get_rel_namespace(base));
}

static void
follow(Follow *follow)
{
	ListCell   *lc;

	if (follow->request.aspects == 0 && follow->alter == NIL && follow->renamed == NIL &&
		!OidIsValid(follow->from_schema))
		return;
	LockRelationOid(follow->base, ShareUpdateExclusiveLock);
	foreach(lc, follow->renamed)
		router_for_children(follow->base, router_mirror_change, lfirst(lc));
	foreach(lc, follow->alter)
		router_for_children(follow->base, router_mirror_alter, lfirst(lc));
	if (follow->request.aspects != 0)
		(void) router_sync_children(&follow->request, follow->base);
	if (OidIsValid(follow->from_schema))
		take_along(follow->base, follow->from_schema);
}

/* ---------------------------------------------------- catalog after ALTER TABLE */

/* Keys follow a renamed column, and must still fit its type. */
static void
check_altered_base(Oid relid, RouterConfig *route)
{
	Relation	rel = table_open(relid, AccessShareLock);

	for (int i = 0; i < route->nkeys; i++)
	{
		char	   *column = get_attname(relid, route->keys[i].attnum, true);

		if (column)
		{
			router_catalog_rename_key(relid, route->keys[i].attnum, column);
			route->keys[i].column = column;
		}
		router_key_resolve(&route->keys[i], rel, route->time_zone);
	}
	router_catalog_follow_seals(relid, InvalidAttrNumber);
	router_check_whole_rows(rel);
	table_close(rel, AccessShareLock);
}

/* The CHECK of a child that was swapped may have been validated: then nobody may have a snapshot from before. */
static void
check_loose(Oid base, Oid child)
{
	RouterRoute *route = router_cache_route(router_cache_entry(base));
	int			member = route ? router_route_member(route, child) : -1;
	Relation	rel;
	bool		valid;

	if (member < 0 || !bms_is_member(member, route->loose))
		return;
	rel = table_open(child, NoLock);
	valid = !router_has_unvalidated_home(rel);
	table_close(rel, NoLock);
	if (valid && !router_loose_wait(base, child, false))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("constraint \"%s\" of %s cannot be validated yet", ROUTER_CHECK_NAME, router_qualified_name(child)),
				 errdetail("There are transactions with snapshots from before its storage was swapped."),
				 errhint("Wait for the transactions in pg_stat_activity with an old backend_xmin, or end them.")));
	if (valid)
		router_loose_remove(base, child);
}

static void
check_altered(Oid relid)
{
	RouterChildDef *child = router_catalog_child(relid);
	RouterConfig *route = router_catalog_route(relid);

	if (child && !list_member_oid(find_inheritance_children(child->base, NoLock), relid))
	{
		router_globalkey_detach(child->base, relid);
		router_step_end(relid);
		router_drop_seal(relid);
		router_catalog_remove_child(relid);
		router_drop_move_trigger(relid);
	}
	else if (child)
		check_loose(child->base, relid);
	if (route)
	{
		check_altered_base(relid, route);
		router_global_altered(relid);
	}
}

/* The same for the bases that core has gone down to. */
static void
check_all_altered(Oid relid)
{
	ListCell   *lc;

	check_altered(relid);
	foreach(lc, bases_below(relid))
		if (lfirst_oid(lc) != relid)
			check_altered(lfirst_oid(lc));
}

/* ------------------------------------------------------------ ddl_command_end */

static bool
is_alter(Node *parsetree)
{
	return IsA(parsetree, AlterTableStmt) || IsA(parsetree, RenameStmt) || IsA(parsetree, AlterObjectSchemaStmt);
}

static Oid
get_constraint_relation(Oid constraint)
{
	HeapTuple	tup = SearchSysCache1(CONSTROID, ObjectIdGetDatum(constraint));
	Oid			table = HeapTupleIsValid(tup) ? ((Form_pg_constraint) GETSTRUCT(tup))->conrelid : InvalidOid;

	if (HeapTupleIsValid(tup))
		ReleaseSysCache(tup);
	return table;
}

/* What goes by the name of a column or CHECK that got another one. */
static void
follow_names(const RenameStmt *stmt, const ObjectAddress *address)
{
	Oid			table;
	ListCell   *lc;

	if ((stmt->renameType == OBJECT_COLUMN || stmt->renameType == OBJECT_ATTRIBUTE) &&
		address->classId == RelationRelationId)
		foreach(lc, bases_below(address->objectId))
			router_catalog_follow_upkeep(lfirst_oid(lc), stmt->subname, stmt->newname);
	if (address->classId != ConstraintRelationId)
		return;
	table = get_constraint_relation(address->objectId);
	if (router_catalog_child(table))
		router_check_fence(table);
}

/* An index that children cannot have. */
static void
check_index(const ObjectAddress *address)
{
	int			aspects;
	Oid			table = table_of(address, &aspects);
	Relation	rel;

	if (!OidIsValid(table) || !is_base(table))
		return;
	rel = table_open(table, AccessShareLock);
	router_check_whole_rows(rel);
	table_close(rel, NoLock);
}

/* Reads one collected command. */
static void
visit_command(List **follows, Node *parsetree, CollectedCommand *command)
{
	switch (command->type)
	{
		case SCT_AlterTable:
			check_references(command);
			check_all_altered(command->d.alterTable.objectId);
			if (IsA(parsetree, AlterTableStmt))
				follow_alter_table(follows, castNode(AlterTableStmt, parsetree), command);
			break;
		case SCT_Grant:
			follow_grant(follows, command);
			break;
		case SCT_Simple:
			if (IsA(parsetree, RenameStmt))
				follow_names(castNode(RenameStmt, parsetree), &command->d.simple.address);
			if (is_alter(parsetree) && command->d.simple.address.classId == RelationRelationId)
				check_all_altered(command->d.simple.address.objectId);
			if (IsA(parsetree, CreateTrigStmt))
			{
				int			aspects;
				Oid			table = table_of(&command->d.simple.address, &aspects);

				check_trigger_name(table, castNode(CreateTrigStmt, parsetree)->trigname);
				if (is_base(table))
					check_trigger(table, command->d.simple.address.objectId);
			}
			if (IsA(parsetree, RuleStmt))
				follow_rule(follows, castNode(RuleStmt, parsetree));
			if (IsA(parsetree, IndexStmt))
				check_index(&command->d.simple.address);
			/* sequences and indexes made on the way of another command come with that */
			if (!IsA(parsetree, AlterTableStmt) && !IsA(parsetree, CreateStmt))
				follow_simple(follows, parsetree, command);
			break;
		default:
			break;
	}
}

/* ENABLE or DISABLE of the trigger by which a table guards what a base refers to. */
static void
follow_referenced(List **follows, Oid relid, const AlterTableCmd *cmd)
{
	Relation	rel;

	if (cmd->subtype != AT_EnableTrig && cmd->subtype != AT_EnableAlwaysTrig && cmd->subtype != AT_EnableReplicaTrig &&
		cmd->subtype != AT_DisableTrig)
		return;
	rel = table_open(relid, AccessShareLock);
	for (int i = 0; rel->trigdesc && i < rel->trigdesc->numtriggers; i++)
	{
		Trigger    *trigger = &rel->trigdesc->triggers[i];

		if (trigger->tgisinternal && strcmp(trigger->tgname, cmd->name) == 0 && is_base(trigger->tgconstrrelid))
			want_object(follow_of(follows, trigger->tgconstrrelid), trigger->tgoid, ROUTER_TRIGGERS);
	}
	table_close(rel, NoLock);
}

/* What an ALTER TABLE names that is not found in the collected objects. */
static void
visit_alter_table(List **follows, AlterTableStmt *stmt)
{
	Oid			relid = RangeVarGetRelid(stmt->relation, NoLock, true);
	bool		base = OidIsValid(relid) && is_base(relid);
	ListCell   *lc;
	ListCell   *below;

	if (!OidIsValid(relid) || !stmt->relation->inh)
		return;
	foreach(lc, stmt->cmds)
	{
		AlterTableCmd *cmd = lfirst_node(AlterTableCmd, lc);

		if (base)
			follow_subcommand(follow_of(follows, relid), cmd);
		/* all else that core passes on to a base, it passes on to its children as well */
		else if (cmd->subtype == AT_AlterColumnType)
			foreach(below, bases_below(relid))
				want(follow_of(follows, lfirst_oid(below)), ROUTER_HOME);
		else
			follow_referenced(follows, relid, cmd);
	}
}

/*
 * ENABLE TRIGGER ALL and USER make triggers of a table fire for local changes
 * only. Those of router, that this made so, fire ALWAYS again: on a base, on a
 * child, or before the route is there, since pg_restore --disable-triggers ends each
 * table so. Those of the catalog also fire while it fills that, or what they add would be missing.
 */
static void
keep_always(AlterTableStmt *stmt)
{
	bool		enabled = false;
	bool		disabled = false;
	bool		catalog;
	Oid			relid;
	Relation	rel;
	List	   *names = NIL;
	RouterAsOwner saved;
	ListCell   *lc;

	foreach(lc, stmt->cmds)
	{
		AlterTableType type = lfirst_node(AlterTableCmd, lc)->subtype;

		enabled |= type == AT_EnableTrigAll || type == AT_EnableTrigUser;
		disabled |= type == AT_DisableTrigAll || type == AT_DisableTrigUser;
	}
	if (!enabled && !disabled)
		return;
	relid = RangeVarGetRelid(stmt->relation, NoLock, true);
	if (!OidIsValid(relid))
		return;
	rel = table_open(relid, AccessShareLock);
	catalog = RelationGetNamespace(rel) == get_namespace_oid("router", false);
	for (int i = 0; rel->trigdesc && i < rel->trigdesc->numtriggers; i++)
	{
		Trigger    *trigger = &rel->trigdesc->triggers[i];

		if (catalog ? !trigger->tgisinternal && trigger->tgenabled != TRIGGER_FIRES_ALWAYS :
			trigger->tgenabled == TRIGGER_FIRES_ON_ORIGIN && router_is_any_own_trigger(trigger))
			names = lappend(names, pstrdup(trigger->tgname));
	}
	table_close(rel, NoLock);
	if (names == NIL)
		return;
	router_become_owner(&saved, router_relation_owner(relid), router_is_own_temp(relid), NULL);
	foreach(lc, names)
		router_run("ALTER TABLE %s ENABLE ALWAYS TRIGGER %s", router_qualified_name(relid),
				   quote_identifier(lfirst(lc)));
	router_become_user(&saved);
}

/* ddl_command_end */
Datum
router_on_ddl_end(PG_FUNCTION_ARGS)
{
	EventTriggerData *event = event_data(fcinfo, "ddl_command_end");
	bool		restoring = is_restoring();
	SPITupleTable *found;
	List	   *follows = NIL;
	ListCell   *lc;
	uint64		n;
	int			guc_level;

	if (IsA(event->parsetree, AlterTableStmt) && router_catalog_exists())
		keep_always((AlterTableStmt *) event->parsetree);
	if (!concerns_routes(event))
		PG_RETURN_NULL();
	/* with the search_path that the command had */
	router_type_ddl_end(event->parsetree);
	if (IsA(event->parsetree, AlterTableStmt))
		visit_alter_table(&follows, castNode(AlterTableStmt, event->parsetree));
	guc_level = router_spi_begin();
	if (SPI_execute("SELECT command FROM pg_catalog.pg_event_trigger_ddl_commands()", true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read pg_event_trigger_ddl_commands");
	found = SPI_tuptable;
	n = SPI_processed;
	for (uint64 i = 0; i < n; i++)
	{
		bool		isnull;
		CollectedCommand *command = (CollectedCommand *)
			DatumGetPointer(SPI_getbinval(found->vals[i], found->tupdesc, 1, &isnull));

		visit_command(&follows, event->parsetree, command);
	}
	foreach(lc, follows)
		if (!restoring)
			follow(lfirst(lc));
	router_spi_end(guc_level);
	PG_RETURN_NULL();
}

/* ---------------------------------------------------------- ddl_command_start */

/* Identity columns of the base give their numbers to the children as a default, which would hold the sequence. */
static void
release_identity(Oid base, const char *column)
{
	AttrNumber	attnum = get_attnum(base, column);
	HeapTuple	tup = SearchSysCache2(ATTNUM, ObjectIdGetDatum(base), Int16GetDatum(attnum));
	bool		identity;

	if (!HeapTupleIsValid(tup))
		return;
	identity = ((Form_pg_attribute) GETSTRUCT(tup))->attidentity != '\0';
	ReleaseSysCache(tup);
	if (identity)
		router_for_children(base, router_mirror_alter,
							psprintf("ALTER COLUMN %s DROP DEFAULT", quote_identifier(column)));
}

/* The bases that a GRANT or REVOKE names, by oid. */
static List *
granted_bases(const GrantStmt *stmt)
{
	List	   *bases = NIL;
	ListCell   *lc;

	if (stmt->objtype != OBJECT_TABLE || stmt->targtype == ACL_TARGET_DEFAULTS)
		return NIL;
	if (stmt->targtype == ACL_TARGET_OBJECT)
		foreach(lc, stmt->objects)
			bases = list_append_unique_oid(bases, RangeVarGetRelid(lfirst_node(RangeVar, lc), NoLock, true));
	else
		foreach(lc, stmt->objects)
		{
			Oid			schema = get_namespace_oid(strVal(lfirst(lc)), true);
			ListCell   *route;

			foreach(route, router_catalog_bases())
				if (get_rel_namespace(lfirst_oid(route)) == schema)
					bases = list_append_unique_oid(bases, lfirst_oid(route));
		}
	list_sort(bases, list_oid_cmp);
	return bases;
}

/* Waits for those who create children before GRANT writes what they write. */
static void
lock_granted(const GrantStmt *stmt)
{
	ListCell   *lc;

	foreach(lc, granted_bases(stmt))
	{
		Oid			relid = lfirst_oid(lc);

		if (OidIsValid(relid) && is_base(relid) &&
			pg_class_aclcheck(relid, GetUserId(), ACL_GRANT_OPTION_FOR(ACL_ALL_RIGHTS_RELATION)) == ACLCHECK_OK)
			LockRelationOid(relid, ShareUpdateExclusiveLock);
	}
}

/*
 * Does router give constraints like this to children? Those that core keeps for a
 * foreign key to a partitioned table, and what it passes on itself, are left to it.
 */
static bool
may_be_on_children(Form_pg_constraint form)
{
	return form->contype == CONSTRAINT_FOREIGN ? !OidIsValid(form->conparentid) :
		(form->contype == CONSTRAINT_CHECK || form->contype == CONSTRAINT_NOTNULL) && form->connoinherit;
}

/* Before DROP CONSTRAINT of what core has not passed on: another one of that name may be added by the same command. */
static void
drop_from_children(Oid base, const AlterTableCmd *cmd)
{
	RouterChange change = {.classid = ConstraintRelationId,.cascade = cmd->behavior == DROP_CASCADE};
	Form_pg_constraint form;

	LockRelationOid(base, AccessExclusiveLock);
	change.dropped = SearchSysCacheCopy1(CONSTROID,
										 ObjectIdGetDatum(get_relation_constraint_oid(base, cmd->name, true)));
	if (!HeapTupleIsValid(change.dropped))
		return;
	form = (Form_pg_constraint) GETSTRUCT(change.dropped);
	if (form->contype != CONSTRAINT_FOREIGN && may_be_on_children(form))
		router_for_children(base, router_mirror_change, &change);
}

/* Before ALTER TABLE child NO INHERIT base. */
static void
prepare_leaving(const AlterTableStmt *stmt, const AlterTableCmd *cmd)
{
	Oid			child = RangeVarGetRelid(stmt->relation, NoLock, true);
	RouterChildDef *def = router_catalog_child(child);

	if (def == NULL || def->base != RangeVarGetRelid(castNode(RangeVar, cmd->def), NoLock, true) ||
		!router_owns_relation(child, GetUserId()))
		return;
	LockRelationOid(child, AccessExclusiveLock);
	if (list_member_oid(find_inheritance_children(def->base, NoLock), child))
		router_before_no_inherit(def->base, child);
}

/* Core would hand a CHECK on to children as it is read with their names, and not find the base's row. */
static void
check_new_constraint(Oid base, const Constraint *constraint)
{
	Relation	rel;
	ParseState *pstate;

	if (constraint->contype != CONSTR_CHECK || constraint->is_no_inherit || constraint->raw_expr == NULL)
		return;
	rel = table_open(base, AccessShareLock);
	pstate = make_parsestate(NULL);
	addNSItemToQuery(pstate, addRangeTableEntryForRelation(pstate, rel, AccessShareLock, NULL, false, true), true, true,
					 true);
	if (router_has_whole_row(transformExpr(pstate, copyObject(constraint->raw_expr), EXPR_KIND_CHECK_CONSTRAINT)))
		router_refuse_whole_row(base, constraint->conname);
	free_parsestate(pstate);
	table_close(rel, NoLock);
}

static void
guard_alter_table(const AlterTableStmt *stmt)
{
	ListCell   *lc;
	ListCell   *below;

	foreach(lc, stmt->cmds)
	{
		AlterTableCmd *cmd = lfirst_node(AlterTableCmd, lc);
		Oid			relid;

		if (cmd->subtype == AT_DropInherit)
			prepare_leaving(stmt, cmd);
		if (cmd->subtype != AT_AlterColumnType && cmd->subtype != AT_DropIdentity &&
			cmd->subtype != AT_AddConstraint && cmd->subtype != AT_DropConstraint)
			continue;
		relid = RangeVarGetRelid(stmt->relation, NoLock, true);
		if (!OidIsValid(relid) || !router_owns_relation(relid, GetUserId()))
			continue;
		if (cmd->subtype == AT_AlterColumnType)
			foreach(below, bases_below(relid))
				check_key_type(lfirst_oid(below), cmd);
		else if (!is_base(relid))
			continue;
		else if (cmd->subtype == AT_AddConstraint)
		{
			/* else there may be no such column yet */
			if (!router_changes_columns(stmt))
				check_new_constraint(relid, castNode(Constraint, cmd->def));
		}
		else if (cmd->subtype == AT_DropConstraint && stmt->relation->inh)
			drop_from_children(relid, cmd);
		else if (cmd->subtype == AT_DropIdentity)
		{
			LockRelationOid(relid, AccessExclusiveLock);
			release_identity(relid, cmd->name);
		}
	}
}

/* ddl_command_start of ALTER TABLE, DROP TABLE, GRANT and REVOKE */
Datum
router_on_ddl_start(PG_FUNCTION_ARGS)
{
	EventTriggerData *event = event_data(fcinfo, "ddl_command_start");

	if (!concerns_routes(event))
		PG_RETURN_NULL();
	router_type_ddl_start(event->parsetree);
	if (IsA(event->parsetree, AlterTableStmt))
		guard_alter_table(castNode(AlterTableStmt, event->parsetree));
	else if (IsA(event->parsetree, GrantStmt))
		lock_granted(castNode(GrantStmt, event->parsetree));
	else if (IsA(event->parsetree, DropStmt))
		router_drop_starts(castNode(DropStmt, event->parsetree));
	PG_RETURN_NULL();
}

/* ------------------------------------------------------------------- sql_drop */

/* A base or child is gone, or a column: which must not be a key. */
static void
forget_dropped(Oid relid, AttrNumber attnum, const char *name)
{
	RouterConfig *route = router_catalog_route(relid);

	router_global_dropped(relid, attnum);
	if (attnum == 0)
		router_catalog_remove_child(relid);
	if (route == NULL)
		return;
	if (attnum != 0)
	{
		router_catalog_follow_seals(relid, attnum);
		router_catalog_follow_upkeep(relid, name, NULL);
		for (int i = 0; i < route->nkeys; i++)
			if (route->keys[i].attnum == attnum)
				ereport(ERROR,
						(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
						 errmsg("cannot drop column \"%s\" of routed table \"%s\": it is a key",
								route->keys[i].column, get_rel_name(relid)),
						 errhint("End the routing first, with router.drop_route.")));
		return;
	}
	router_catalog_remove_all(relid);
}

/* Was the command told to drop what depends on the object, too? And is it addressed to children, too? */
static bool
drop_cascades(Node *parsetree)
{
	ListCell   *lc;

	if (IsA(parsetree, DropStmt))
		return castNode(DropStmt, parsetree)->behavior == DROP_CASCADE;
	if (IsA(parsetree, AlterTableStmt))
		foreach(lc, castNode(AlterTableStmt, parsetree)->cmds)
			if (lfirst_node(AlterTableCmd, lc)->behavior == DROP_CASCADE)
				return true;
	return false;
}

/* Finds the row of a dropped object that a base may have had; the base, or InvalidOid. */
static Oid
dropped_of_base(Oid classid, Oid oid, RouterChange *change)
{
	Oid			table = InvalidOid;

	change->classid = classid;
	switch (classid)
	{
		case RelationRelationId:
			change->dropped = deleted_row(IndexRelationId, IndexRelidIndexId, Anum_pg_index_indexrelid, oid);
			if (change->dropped)
				table = ((Form_pg_index) GETSTRUCT(change->dropped))->indrelid;
			break;
		case ConstraintRelationId:
			change->dropped = deleted_row(ConstraintRelationId, ConstraintOidIndexId, Anum_pg_constraint_oid, oid);
			if (change->dropped && may_be_on_children((Form_pg_constraint) GETSTRUCT(change->dropped)))
				table = ((Form_pg_constraint) GETSTRUCT(change->dropped))->conrelid;
			break;
		case TriggerRelationId:
			change->dropped = deleted_row(TriggerRelationId, TriggerOidIndexId, Anum_pg_trigger_oid, oid);
			if (change->dropped && !((Form_pg_trigger) GETSTRUCT(change->dropped))->tgisinternal &&
				TRIGGER_FOR_ROW(((Form_pg_trigger) GETSTRUCT(change->dropped))->tgtype))
				table = ((Form_pg_trigger) GETSTRUCT(change->dropped))->tgrelid;
			break;
		case PolicyRelationId:
			change->dropped = deleted_row(PolicyRelationId, PolicyOidIndexId, Anum_pg_policy_oid, oid);
			if (change->dropped)
				table = ((Form_pg_policy) GETSTRUCT(change->dropped))->polrelid;
			break;
		case StatisticExtRelationId:
			change->dropped = deleted_row(StatisticExtRelationId, StatisticExtOidIndexId, Anum_pg_statistic_ext_oid,
										  oid);
			if (change->dropped)
				table = ((Form_pg_statistic_ext) GETSTRUCT(change->dropped))->stxrelid;
			break;
	}
	return OidIsValid(table) && is_base(table) ? table : InvalidOid;
}

/* Was it dropped in a subtransaction that was rolled back? Core tells of that all the same. */
static bool
is_there_still(Oid classid, Oid oid, int subid)
{
	HeapTuple	tup;

	if (classid != RelationRelationId)
		return false;
	tup = subid == 0 ? SearchSysCache1(RELOID, ObjectIdGetDatum(oid)) : SearchSysCacheAttNum(oid, subid);
	if (HeapTupleIsValid(tup))
		ReleaseSysCache(tup);
	return HeapTupleIsValid(tup);
}

/* Without its CHECK a seal would not hear of rows beyond it. */
static void
forget_seal(Oid classid, Oid oid)
{
	HeapTuple	row = classid == ConstraintRelationId ?
		deleted_row(ConstraintRelationId, ConstraintOidIndexId, Anum_pg_constraint_oid, oid) : NULL;
	Form_pg_constraint constraint = row ? (Form_pg_constraint) GETSTRUCT(row) : NULL;

	if (constraint == NULL || constraint->contype != CONSTRAINT_CHECK ||
		strcmp(NameStr(constraint->conname), ROUTER_SEAL_NAME) != 0)
		return;
	router_drop_seal(constraint->conrelid);
}

static void
follow_dropped(Node *parsetree, Oid classid, Oid oid, char *name)
{
	RouterChange change = {0};
	Oid			base = dropped_of_base(classid, oid, &change);

	if (!OidIsValid(base) || (IsA(parsetree, AlterTableStmt) && !castNode(AlterTableStmt, parsetree)->relation->inh))
		return;
	if (change.classid == RelationRelationId && !((Form_pg_index) GETSTRUCT(change.dropped))->indisvalid)
	{
		if (IsA(parsetree, DropStmt) && castNode(DropStmt, parsetree)->concurrent)
			ereport(NOTICE,
					(errmsg("index \"%s\" was dropped from \"%s\" only, not from its children", name,
							get_rel_name(base)),
					 errhint("DROP INDEX CONCURRENTLY of each child drops it there.")));
		return;
	}
	change.name = name;
	change.cascade = drop_cascades(parsetree);
	LockRelationOid(base, ShareUpdateExclusiveLock);
	router_for_children(base, router_mirror_change, &change);
}

/* A statement trigger or rule of a base is gone: children may have its grants again. */
static void
reopen_children(Oid classid, Oid oid)
{
	RouterMirror request = {.aspects = ROUTER_GRANTS};
	HeapTuple	row = NULL;
	Oid			base = InvalidOid;

	if (classid == TriggerRelationId)
		row = deleted_row(TriggerRelationId, TriggerOidIndexId, Anum_pg_trigger_oid, oid);
	else if (classid == RewriteRelationId)
		row = deleted_row(RewriteRelationId, RewriteOidIndexId, Anum_pg_rewrite_oid, oid);
	if (row && classid == RewriteRelationId)
		base = ((Form_pg_rewrite) GETSTRUCT(row))->ev_class;
	else if (row && !TRIGGER_FOR_ROW(((Form_pg_trigger) GETSTRUCT(row))->tgtype))
		base = ((Form_pg_trigger) GETSTRUCT(row))->tgrelid;
	if (!OidIsValid(base) || !is_base(base))
		return;
	LockRelationOid(base, ShareUpdateExclusiveLock);
	(void) router_sync_children(&request, base);
}

/* sql_drop */
Datum
router_on_sql_drop(PG_FUNCTION_ARGS)
{
	EventTriggerData *event = event_data(fcinfo, "sql_drop");
	bool		restoring = is_restoring();
	SPITupleTable *found;
	List	   *lost = NIL;
	int			guc_level;
	uint64		n;

	if (!concerns_routes(event))
		PG_RETURN_NULL();
	guc_level = router_spi_begin();
	/* names of triggers, policies and constraints stand last in the address */
	if (SPI_execute("SELECT classid, objid, objsubid, coalesce(address_names[cardinality(address_names)], object_name)"
					"  FROM pg_catalog.pg_event_trigger_dropped_objects()", true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read pg_event_trigger_dropped_objects");
	found = SPI_tuptable;
	n = SPI_processed;
	/* tables first: what belonged to them is not followed then */
	for (int pass = 0; pass < 2; pass++)
		for (uint64 i = 0; i < n; i++)
		{
			bool		isnull;
			Oid			classid = DatumGetObjectId(SPI_getbinval(found->vals[i], found->tupdesc, 1, &isnull));
			Oid			oid = DatumGetObjectId(SPI_getbinval(found->vals[i], found->tupdesc, 2, &isnull));
			int			subid = DatumGetInt32(SPI_getbinval(found->vals[i], found->tupdesc, 3, &isnull));

			if (is_there_still(classid, oid, subid))
				continue;
			if (pass == 0 && classid == RelationRelationId && subid != 0)
				lost = lappend_oid(lost, oid);
			if (pass == 0 && classid == RelationRelationId)
				forget_dropped(oid, subid, SPI_getvalue(found->vals[i], found->tupdesc, 4));
			else if (pass == 0)
				forget_seal(classid, oid);
			else if (pass == 1 && subid == 0 && !restoring)
			{
				follow_dropped(event->parsetree, classid, oid, SPI_getvalue(found->vals[i], found->tupdesc, 4));
				reopen_children(classid, oid);
			}
		}
	router_type_columns_dropped(lost);
	router_spi_end(guc_level);
	PG_RETURN_NULL();
}
