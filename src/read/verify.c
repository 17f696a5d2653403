/*
 * verify.c
 *		On what a plan rests is noted in it, and looked at when a statement starts:
 *		bases that it leaves out, the time, the children that it knows.
 *
 * The notes are in fields of the base's range table entry that core uses for
 * entries of other kinds, and which are copied with a plan:
 *	- self_reference: the base is left out; it had no storage, or, with
 *	  funcordinality, its rows were newer than enrtuples;
 *	- funcordinality alone: the plan rests on what the time was;
 *	- enrtuples alone: the version of the children.
 *
 * No locks but AccessShareLock on a base, which the statement has.
 */
#include "compat.h"
#include "read/verify.h"

#include <math.h>

#include "access/parallel.h"
#include "access/table.h"
#include "miscadmin.h"
#include "storage/bufmgr.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/plancache.h"

#include "read/clock.h"
#include "route/cache.h"
#include "route/growth.h"

static int	last_left_out = 0;	/* no plan of this session has such an entry further down its range table */
static TimestampTz last_transaction = DT_NOBEGIN;	/* in which a plan was verified */

/* A plan does not read this base, which has no storage. */
void
router_note_empty(RangeTblEntry *rte)
{
	rte->self_reference = true;
}

/* A plan does not read this base, since its rows are newer than what is asked for. */
void
router_note_newest(RangeTblEntry *rte, int64 newest)
{
	rte->self_reference = rte->funcordinality = true;
	rte->enrtuples = (double) Max(newest, -ROUTER_NOTABLE_AGE);
}

/*
 * Which children of a base a plan knows. In the entry
 * of the base itself, whose inh core copies to no child; below zero, where it
 * does not say that there are children.
 */
void
router_note_version(RangeTblEntry *rte, uint64 version)
{
	rte->enrtuples = rte->inh ? (double) version + 1 : -(double) version - 1;
}

bool
router_has_version(const RangeTblEntry *rte)
{
	return rte->rtekind == RTE_RELATION && (rte->inh ? rte->enrtuples > 0 : rte->enrtuples < 0) && !rte->self_reference;
}

/* A plan rests on what the time is. */
void
router_note_clock(RangeTblEntry *rte)
{
	rte->funcordinality = true;
	router_clock_note();
}

static bool
is_left_out(const RangeTblEntry *rte)
{
	return rte->rtekind == RTE_RELATION && rte->self_reference;
}

/* Does a plan rest on what the time was? */
static bool
is_by_clock(const RangeTblEntry *rte)
{
	return rte->rtekind == RTE_RELATION && rte->funcordinality && !rte->self_reference;
}

/* A generic plan's range table is long, and what is left out stands at its beginning. */
void
router_note_plan(const PlannedStmt *stmt)
{
	ListCell   *lc;

	foreach(lc, stmt->rtable)
	{
		if (is_left_out(lfirst(lc)) || is_by_clock(lfirst(lc)) || router_has_version(lfirst(lc)))
			last_left_out = Max(last_left_out, foreach_current_index(lc));
	}
}

/*
 * A base with rows that a plan relies on not being there. A plan that was kept
 * can meet them if a session turned the triggers of an ordinary route off, or if
 * rows came back into a hot base, by router.restore or for a snapshot that is
 * older than the plan: see router_note_newest.
 */
static bool
has_come(const RangeTblEntry *rte, Snapshot snapshot)
{
	Relation	base;
	bool		found;
	int64		watermark;
	int64		reach;

	if (rte->funcordinality)
		return !router_cache_marks(router_cache_entry(rte->relid), snapshot, &watermark, &reach) ||
			(double) watermark <= rte->enrtuples;
	base = table_open(rte->relid, NoLock);
	found = unlikely(RelationGetNumberOfBlocks(base) > 0) && router_has_rows(base, snapshot);
	table_close(base, NoLock);
	return found;
}

/*
 * Who locks a table that he has locked reads no messages any more. The next one
 * who does so in this transaction, to use a kept plan, shall.
 */
static void
listen_again(const RangeTblEntry *rte)
{
	LOCKTAG		tag;
	LOCALLOCK  *lock;

	SET_LOCKTAG_RELATION(tag, MyDatabaseId, rte->relid);
	if (router_lock_locally(&tag, rte->rellockmode, &lock) == LOCKACQUIRE_NOT_AVAIL)
		return;
	lock->lockCleared = false;
	LockRelease(&tag, rte->rellockmode, false);
}

/* Has the snapshot seen children of a base come that the plan does not know, and that hold rows? */
static void
verify_version(const RangeTblEntry *rte, Snapshot snapshot)
{
	if (likely(!router_cache_has_grown(rte->relid, snapshot, (uint64) (fabs(rte->enrtuples) - 1))))
		return;
	/* the message about them may be on its way yet */
	router_cache_forget(router_cache_entry(rte->relid));
	ResetPlanCache();
	ereport(ERROR,
			(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
			 errmsg("could not serialize access due to a new child of \"%s\"", get_rel_name(rte->relid)),
			 errdetail("It came after the statement was planned, and before its snapshot was taken."),
			 errhint("Run the statement again.")));
}

/*
 * At the start of a statement: is what its plan leaves out still without the
 * rows that it asks for, and does it know all children?
 *
 * Errors: serialization_failure.
 */
void
router_verify_plan(const PlannedStmt *stmt, Snapshot snapshot)
{
	bool		looks = snapshot && IsMVCCSnapshot(snapshot) && !IsParallelWorker();
	bool		told = false;
	bool		again = last_transaction == GetCurrentTransactionStartTimestamp();
	ListCell   *lc;

	foreach(lc, stmt->rtable)
	{
		RangeTblEntry *rte = lfirst(lc);

		if (foreach_current_index(lc) > last_left_out)
			break;
		if (unlikely(is_by_clock(rte)))
			router_clock_check();
		if (looks && router_has_version(rte))
		{
			if (!told)
				AcceptInvalidationMessages();
			told = true;
			verify_version(rte, snapshot);
			last_transaction = GetCurrentTransactionStartTimestamp();
			if (again)
				listen_again(rte);
		}
		if (likely(!is_left_out(rte)) || !looks || !has_come(rte, snapshot))
			continue;
		ResetPlanCache();
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("the plan of this statement does not read rows that came into \"%s\" meanwhile",
						get_rel_name(rte->relid)),
				 rte->funcordinality ?
				 errdetail("It is about rows that were archived. They came back, or the transaction does not see them archived yet.") :
				 errdetail("Rows of a routed table live in its children. These came while its triggers were off."),
				 rte->funcordinality ? errhint("Run the statement again.") :
				 errhint("Run the statement again. Take such rows home by router.create_route(…, move_rows => true).")));
	}
}
