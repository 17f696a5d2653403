/*
 * action.c
 *		Referential actions (ON DELETE and ON UPDATE of foreign keys) and the transition tables of a base.
 *
 * Base and children have the same foreign key each, and core acts on each of them by a query of its own, ONLY on
 * that table. The base's comes first, since its constraint is the oldest, and fires the base's statement triggers.
 * If these have transition tables, its query is planned for the children as well: it finds all rows, and the
 * children's queries none. The action on a partitioned table is a query on all partitions, too.
 */
#include "compat.h"
#include "read/action.h"

#include "access/table.h"
#include "miscadmin.h"
#include "parser/parsetree.h"
#include "utils/rel.h"

#include "route/cache.h"

/* A query that ri_triggers.c makes: it alone runs under this security context, and quotes every name. */
static bool
is_action(const Query *parse, const char *query_string)
{
	const char *begin = parse->commandType == CMD_DELETE ? "DELETE FROM ONLY \"" : "UPDATE ONLY \"";

	return InNoForceRLSOperation() && query_string && strncmp(query_string, begin, strlen(begin)) == 0;
}

static bool
has_transition_tables(Oid relid, CmdType command)
{
	Relation	rel = table_open(relid, NoLock);
	TriggerDesc *triggers = rel->trigdesc;
	bool		has = triggers && (command == CMD_DELETE ? triggers->trig_delete_old_table :
								   triggers->trig_update_old_table || triggers->trig_update_new_table);

	table_close(rel, NoLock);
	return has;
}

/* Before a query is planned: the action on a base with transition tables is about the children, too. */
void
router_widen_action(Query *parse, const char *query_string)
{
	RangeTblEntry *target;

	if ((parse->commandType != CMD_UPDATE && parse->commandType != CMD_DELETE) || !is_action(parse, query_string))
		return;
	target = rt_fetch(parse->resultRelation, parse->rtable);
	if (!target->inh && target->relkind == RELKIND_RELATION &&
		router_cache_route(router_cache_entry(target->relid)) != NULL &&
		has_transition_tables(target->relid, parse->commandType))
		target->inh = true;
}
