/*
 * moving.c
 *		Brackets for whoever moves rows outside of a statement, and what of them is
 *		to come still when they have moved.
 */
#include "compat.h"
#include "rows/moving.h"

#include "miscadmin.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"

#include "base/sql.h"

/*
 * Might checks of rows of this table be waiting for the end of a statement or
 * of the transaction? A check passes by a row that is not there any more, so
 * that it has to be made where the row goes.
 */
bool
router_may_be_pending(Relation source)
{
	TriggerDesc *triggers = source->trigdesc;

	for (int i = 0; triggers && i < triggers->numtriggers; i++)
		if (triggers->triggers[i].tgfoid == F_RI_FKEY_CHECK_INS || triggers->triggers[i].tgfoid == F_UNIQUE_KEY_RECHECK)
			return AfterTriggerPendingOnRel(RelationGetRelid(source));
	return false;
}

/*
 * Refuses what would take a table, or its files, away from triggers that are still to fire.
 *
 * Errors: object_in_use, as core's CheckTableNotInUse.
 */
void
router_refuse_pending(Oid relid, const char *command)
{
	if (AfterTriggerPendingOnRel(relid))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("cannot %s \"%s\" because it has pending trigger events", command, get_rel_name(relid)),
				 errhint("Let them fire first, by SET CONSTRAINTS ALL IMMEDIATE or COMMIT.")));
}

static void
tell_moving(void *arg)
{
	errcontext("moving rows of \"%s\", with search_path set to pg_catalog, pg_temp",
			   RelationGetRelationName((Relation) arg));
	router_hint_at_search_path();
}

/*
 * Brackets for whoever moves rows outside of a statement: expressions of the
 * table's indexes and constraints run as its owner, and deferrable constraints
 * have a query to belong to, as in CopyFrom. An abort undoes the first.
 *
 * Errors: object_in_use (rows of from have checks to come, and this is a
 * restricted operation already).
 */
void
router_moving_begin(RouterMoving *moving, Relation base, Relation from)
{
	moving->pending = router_may_be_pending(from);
	if (moving->pending && InSecurityRestrictedOperation())
		router_refuse_pending(RelationGetRelid(from), "move rows of");
	moving->tell.callback = tell_moving;
	moving->tell.arg = base;
	moving->tell.previous = error_context_stack;
	error_context_stack = &moving->tell;
	router_become_owner(&moving->saved, base->rd_rel->relowner, router_is_own_temp(RelationGetRelid(base)), NULL);
	AfterTriggerBeginQuery();
}

/* All rows are flushed, a snapshot is active. */
void
router_moving_end(const RouterMoving *moving, EState *estate)
{
	Oid			owner;
	int			context;

	/*
	 * Core does not put off a check within a restricted operation. Where some may wait already, this transaction has
	 * written to the table, and called what its owner has defined, without being restricted.
	 */
	GetUserIdAndSecContext(&owner, &context);
	if (moving->pending)
		SetUserIdAndSecContext(owner, moving->saved.context | SECURITY_LOCAL_USERID_CHANGE);
	AfterTriggerEndQuery(estate);
	ExecCloseResultRelations(estate);
	router_become_user(&moving->saved);
	error_context_stack = moving->tell.previous;
}
