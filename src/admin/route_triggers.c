/*
 * route_triggers.c
 *		The triggers of a base: made, put back, dropped.
 */
#include "compat.h"
#include "admin/route_triggers.h"

#include "access/table.h"
#include "catalog/namespace.h"
#include "utils/builtins.h"

#include "base/sql.h"
#include "route/catalog.h"
#include "rows/moving.h"
#include "write/fence.h"
#include "write/fence.h"
#include "rows/mask.h"

static const struct
{
	const char *name;
	const char *when;
	const char *each;
	const char *function;
}			triggers[] = {
	{ROUTER_TRIGGER_ROUTE, "BEFORE INSERT", "ROW", "route_row"},
	{ROUTER_TRIGGER_SETTLE, "AFTER INSERT", "ROW", "settle_row"},
	{ROUTER_TRIGGER_FLUSH, "AFTER INSERT", "STATEMENT", "flush_rows"},
	{ROUTER_TRIGGER_MOVE, "BEFORE UPDATE", "ROW", "move_row"},
};

/* How a trigger of a table fires, or 0 if there is none of this name. */
static char
trigger_state(Oid relid, const char *name)
{
	Relation	rel = table_open(relid, AccessShareLock);
	char		state = 0;

	for (int i = 0; rel->trigdesc && i < rel->trigdesc->numtriggers; i++)
		if (strcmp(rel->trigdesc->triggers[i].tgname, name) == 0)
			state = rel->trigdesc->triggers[i].tgenabled;
	table_close(rel, NoLock);
	return state;
}

/*
 * Creates the triggers of a base that are missing and enables those that are not, as its owner, or only tells of them.
 * Returns how many they are. The base is locked.
 */
int
router_sync_triggers(const RouterMirror *request, Oid base)
{
	char	   *table = router_qualified_name(base);
	RouterAsOwner saved;
	int			differences = 0;

	router_become_owner(&saved, router_relation_owner(base), router_is_own_temp(base), NULL);
	for (int i = 0; i < lengthof(triggers); i++)
	{
		char		state = trigger_state(base, triggers[i].name);

		if (state == TRIGGER_FIRES_ALWAYS)
			continue;
		differences++;
		if (request->found)
			request->found(request->arg, base, "trigger",
						   psprintf("%s trigger \"%s\"", state ? "enable" : "create", triggers[i].name));
		if (request->dry_run)
			continue;
		if (state == 0)
			router_run("CREATE TRIGGER %s %s ON %s FOR EACH %s EXECUTE FUNCTION router.%s()",
					   quote_identifier(triggers[i].name), triggers[i].when, table, triggers[i].each,
					   triggers[i].function);
		router_run("ALTER TABLE %s ENABLE ALWAYS TRIGGER %s", table, quote_identifier(triggers[i].name));
	}
	router_become_user(&saved);
	return differences;
}

/* Those of a base that is one no more, and what its children have for it. */
void
router_drop_triggers(Oid base)
{
	ListCell   *lc;

	for (int i = 0; i < lengthof(triggers); i++)
		router_run("DROP TRIGGER IF EXISTS %s ON %s", quote_identifier(triggers[i].name), router_qualified_name(base));
	foreach(lc, router_catalog_children(base))
	{
		router_drop_move_trigger(((RouterChildDef *) lfirst(lc))->child);
		router_drop_seal(((RouterChildDef *) lfirst(lc))->child);
	}
}

/*
 * ENABLE TRIGGER ALL and USER make triggers of a table fire for local changes
 * only. Those of router, that this made so, fire ALWAYS again: on a base, on a
 * child, or before the route is there, since pg_restore --disable-triggers ends each
 * table so. Those of the catalog also fire while it fills that, or what they add would be missing.
 */
void
router_keep_always(const AlterTableStmt *stmt)
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
