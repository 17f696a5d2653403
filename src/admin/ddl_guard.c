/*
 * ddl_guard.c
 *		What DDL may not do to bases and children, and what the catalog has of them
 *		after an ALTER. What is not allowed is refused, which undoes the DDL.
 *
 * Locking: where something is done before a command, the base as the command
 * locks it. GRANT locks nothing, and writes the base's pg_class row as the creator
 * of a first child does: it takes ShareUpdateExclusiveLock before it starts.
 */
#include "compat.h"
#include "admin/ddl_guard.h"

#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "miscadmin.h"
#include "parser/parse_expr.h"
#include "parser/parse_type.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/ruleutils.h"
#include "utils/syscache.h"

#include "admin/sync.h"
#include "admin/drop.h"
#include "admin/globalkey_admin.h"
#include "route/loose.h"
#include "write/fence.h"
#include "base/owner.h"
#include "base/sql.h"
#include "admin/type_ddl.h"
#include "admin/create_route.h"
#include "rows/keep_in_step.h"
#include "rows/mask.h"
#include "admin/ddl_object.h"
#include "admin/child_admin.h"

#define ANOTHER_ROUTE "Make another routed table with that type and move the rows into it, or end the routing first, with router.drop_route."

/* --------------------------------------------------------------------- objects */

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
		HeapTuple	row;
		Oid			table;
		Oid			referenced;

		if (address->classId != ConstraintRelationId || !OidIsValid(address->objectId))
			continue;
		row = router_object_row(ConstraintRelationId, address->objectId, false, &table);
		referenced = row ? ((Form_pg_constraint) GETSTRUCT(row))->confrelid : InvalidOid;
		if (OidIsValid(referenced) && router_is_base(referenced))
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

	if (!OidIsValid(table) || router_owns_relation(table, GetUserId()))
		return;
	if (strcmp(name, ROUTER_TRIGGER_RESHAPE) != 0 && strcmp(name, ROUTER_TRIGGER_RESHAPE_TRUNCATE) != 0 &&
		!(router_is_any_own_trigger(&trigger) && (router_is_base(table) || router_catalog_child(table))))
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

/* An index that children cannot have. */
static void
check_index(Oid base)
{
	Relation	rel = table_open(base, AccessShareLock);

	router_check_whole_rows(rel);
	table_close(rel, NoLock);
}

/* --------------------------------------------------------------- types of keys */

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

/* ---------------------------------------------------- tables that were altered */

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
		router_child_end(child->base, relid);
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
	foreach(lc, router_bases_below(relid))
		if (lfirst_oid(lc) != relid)
			check_altered(lfirst_oid(lc));
}

static bool
is_alter(Node *parsetree)
{
	return IsA(parsetree, AlterTableStmt) || IsA(parsetree, RenameStmt) || IsA(parsetree, AlterObjectSchemaStmt);
}

/* What goes by the name of a column or CHECK that got another one. */
static void
follow_names(const RenameStmt *stmt, const ObjectAddress *address)
{
	Oid			table;
	ListCell   *lc;

	if ((stmt->renameType == OBJECT_COLUMN || stmt->renameType == OBJECT_ATTRIBUTE) &&
		address->classId == RelationRelationId)
		foreach(lc, router_bases_below(address->objectId))
			router_catalog_follow_upkeep(lfirst_oid(lc), stmt->subname, stmt->newname);
	if (address->classId == NamespaceRelationId)
		(void) router_catalog_rename_schema(stmt->subname, stmt->newname);
	if (address->classId != ConstraintRelationId)
		return;
	(void) router_object_row(ConstraintRelationId, address->objectId, false, &table);
	if (router_catalog_child(table))
		router_check_fence(table);
}

/* One collected command. */
void
router_check_command(Node *parsetree, CollectedCommand *command)
{
	const ObjectAddress *object = &command->d.simple.address;
	Oid			table;
	int			aspects;

	if (command->type == SCT_AlterTable)
	{
		check_references(command);
		check_all_altered(command->d.alterTable.objectId);
	}
	if (command->type != SCT_Simple)
		return;
	if (IsA(parsetree, RenameStmt))
		follow_names(castNode(RenameStmt, parsetree), object);
	if (is_alter(parsetree) && object->classId == RelationRelationId)
		check_all_altered(object->objectId);
	if (!IsA(parsetree, CreateTrigStmt) && !IsA(parsetree, IndexStmt))
		return;
	table = router_object_table(object, &aspects);
	if (IsA(parsetree, CreateTrigStmt))
		check_trigger_name(table, castNode(CreateTrigStmt, parsetree)->trigname);
	if (!OidIsValid(table) || !router_is_base(table))
		return;
	if (IsA(parsetree, CreateTrigStmt))
		check_trigger(table, object->objectId);
	else
		check_index(table);
}

/* ------------------------------------------------------------ before a command */

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

/*
 * Refuses to alter or drop a table that gets another shape, or a child whose rows are copied for that (see reshape/):
 * columns and constraints are those of the copies that are being made. Who may not do it at all is told so by core.
 */
static void
refuse_while_reshaped(const RangeVar *table)
{
	Oid			relid = table ? RangeVarGetRelid(table, NoLock, true) : InvalidOid;
	ListCell   *lc;

	if (OidIsValid(relid) && router_owns_relation(relid, GetUserId()))
		foreach(lc, router_tables_below(relid))
			router_refuse_followed(lfirst_oid(lc));
}

/* The same for whatever ALTER TABLE or DROP TABLE it is; ALTER TYPE of a composite type is one of them. */
void
router_guard_reshape(Node *parsetree)
{
	ListCell   *lc;

	if (IsA(parsetree, AlterTableStmt))
		refuse_while_reshaped(castNode(AlterTableStmt, parsetree)->relation);
	else if (IsA(parsetree, RenameStmt))
		refuse_while_reshaped(castNode(RenameStmt, parsetree)->relation);
	else if (IsA(parsetree, AlterObjectSchemaStmt))
		refuse_while_reshaped(castNode(AlterObjectSchemaStmt, parsetree)->relation);
	else if (IsA(parsetree, DropStmt) && castNode(DropStmt, parsetree)->removeType == OBJECT_TABLE)
		foreach(lc, castNode(DropStmt, parsetree)->objects)
			refuse_while_reshaped(makeRangeVarFromNameList(lfirst(lc)));
}

/* Waits for those who create children before GRANT writes what they write. */
void
router_guard_grant(const GrantStmt *stmt)
{
	ListCell   *lc;

	foreach(lc, granted_bases(stmt))
	{
		Oid			relid = lfirst_oid(lc);

		if (OidIsValid(relid) && router_is_base(relid) &&
			pg_class_aclcheck(relid, GetUserId(), ACL_GRANT_OPTION_FOR(ACL_ALL_RIGHTS_RELATION)) == ACLCHECK_OK)
			LockRelationOid(relid, ShareUpdateExclusiveLock);
	}
}

/* Before DROP CONSTRAINT of what core has not passed on: another one of that name may be added by the same command. */
static void
drop_from_children(Oid base, const AlterTableCmd *cmd)
{
	RouterChange change = {.classid = ConstraintRelationId,.cascade = cmd->behavior == DROP_CASCADE};

	LockRelationOid(base, AccessExclusiveLock);
	change.dropped = SearchSysCacheCopy1(CONSTROID,
										 ObjectIdGetDatum(get_relation_constraint_oid(base, cmd->name, true)));
	if (HeapTupleIsValid(change.dropped) &&
		((Form_pg_constraint) GETSTRUCT(change.dropped))->contype != CONSTRAINT_FOREIGN &&
		router_is_followed(ConstraintRelationId, change.dropped))
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

void
router_guard_alter_table(const AlterTableStmt *stmt)
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
			foreach(below, router_bases_below(relid))
				check_key_type(lfirst_oid(below), cmd);
		else if (!router_is_base(relid))
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
