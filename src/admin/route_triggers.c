/*
 * route_triggers.c
 *		The triggers of a base: made, put back, dropped.
 */
#include "compat.h"
#include "admin/route_triggers.h"

#include "access/table.h"
#include "utils/builtins.h"

#include "base/sql.h"
#include "route/catalog.h"
#include "rows/moving.h"
#include "write/fence.h"

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
