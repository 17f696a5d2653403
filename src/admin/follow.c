/*
 * follow.c
 *		Children follow what a command did to their base.
 *
 * A command is followed in just what it touches: commands that core collected
 * for pg_event_trigger_ddl_commands name the objects, and of those only the
 * counterparts on the children are compared (RouterMirror.exact). What core's
 * inheritance recursion does is left to it. A command addressed to ONLY the
 * base is not followed. One addressed to what stands above a base (a parent, the
 * type that it is OF) is looked at as if it were given to the base.
 *
 * Locking: ShareUpdateExclusiveLock on the base, for commands that lock less; then
 * the children, by oid.
 */
#include "compat.h"
#include "admin/follow.h"

#include "access/table.h"
#include "catalog/namespace.h"
#include "catalog/pg_constraint.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "admin/sync.h"
#include "base/sql.h"
#include "admin/child_admin.h"
#include "admin/ddl_object.h"

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

/* ----------------------------------------------- ALTER TABLE, as it is written */

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

		if (trigger->tgisinternal && strcmp(trigger->tgname, cmd->name) == 0 && router_is_base(trigger->tgconstrrelid))
			want_object(follow_of(follows, trigger->tgconstrrelid), trigger->tgoid, ROUTER_TRIGGERS);
	}
	table_close(rel, NoLock);
}

/* What an ALTER TABLE names that is not found in the collected objects. */
void
router_follow_alter_table(List **follows, AlterTableStmt *stmt)
{
	Oid			relid = RangeVarGetRelid(stmt->relation, NoLock, true);
	bool		base = OidIsValid(relid) && router_is_base(relid);
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
			foreach(below, router_bases_below(relid))
				want(follow_of(follows, lfirst_oid(below)), ROUTER_HOME);
		else
			follow_referenced(follows, relid, cmd);
	}
}

/* ------------------------------------------------- objects that core collected */

/* An object that a part of ALTER TABLE made or changed, as core collected it. */
static void
follow_address(Follow *follow, const ObjectAddress *address)
{
	int			aspects;

	if (OidIsValid(address->objectId) && router_object_table(address, &aspects) == follow->base && aspects != 0)
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
		relid = router_object_table(&whole, &aspects);
		if (router_is_base(relid))
			want_object(follow_of(follows, relid), whole.objectId, aspects);
		return;
	}
	if (!router_is_base(relid))
		return;
	foreach(lc, command->d.alterTable.subcmds)
		follow_address(follow_of(follows, relid), &((CollectedATSubcmd *) lfirst(lc))->address);
}

static void
follow_simple(List **follows, Node *parsetree, const CollectedCommand *command)
{
	const ObjectAddress *address = &command->d.simple.address;
	int			aspects;
	Oid			base = router_object_table(address, &aspects);
	Follow	   *follow;

	if (!OidIsValid(base) || !router_is_base(base))
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

static void
follow_grant(List **follows, const CollectedCommand *command)
{
	ListCell   *lc;

	if (command->d.grant.istmt->objtype != OBJECT_TABLE)
		return;
	foreach(lc, command->d.grant.istmt->objects)
		if (router_is_base(lfirst_oid(lc)))
			want(follow_of(follows, lfirst_oid(lc)), ROUTER_GRANTS);
}

/* Notes what one collected command did. */
void
router_follow_command(List **follows, Node *parsetree, CollectedCommand *command)
{
	if (command->type == SCT_AlterTable && IsA(parsetree, AlterTableStmt))
		follow_alter_table(follows, castNode(AlterTableStmt, parsetree), command);
	else if (command->type == SCT_Grant)
		follow_grant(follows, command);
	/* sequences and indexes made on the way of another command come with that */
	else if (command->type == SCT_Simple && !IsA(parsetree, AlterTableStmt) && !IsA(parsetree, CreateStmt))
		follow_simple(follows, parsetree, command);
}

/* --------------------------------------------------------------------- at work */

/*
 * Children that stand in the base's old schema move along, but for those that have it as a schema of their own. Runs as
 * the caller, as SET SCHEMA of the base did.
 */
static void
take_along(Oid base, Oid from)
{
	RouterConfig *config = router_catalog_route(base);
	ListCell   *lc;

	if (config->child_schema && strcmp(config->child_schema, get_namespace_name(from)) == 0)
		return;
	foreach(lc, router_children_by_oid(base))
		if (get_rel_namespace(lfirst_oid(lc)) == from)
			router_move_to_schema(lfirst_oid(lc), get_rel_namespace(base));
}

static void
follow_one(Follow *follow)
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

/* Does on the children what was noted. */
void
router_follow(List *follows)
{
	ListCell   *lc;

	foreach(lc, follows)
		follow_one(lfirst(lc));
}
