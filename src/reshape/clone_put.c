/*
 * clone_put.c
 *		Rows at hand go into a table by one INSERT. If that fails they are divided, and
 *		the parts again, until the rows that cannot go in are alone.
 *
 * Each try is a subtransaction, with the checks that are deferred. An error is the rows' own unless the statement
 * fails without rows as well, or the error is of a kind that no row causes: locks, interrupts, the server.
 *
 * Children that are made by a try that fails are made again at once, so that not each row that needs one and fails
 * makes it anew. Those that no row has gone to are dropped in the end.
 *
 * Memory: rows lie in tuplestores, of work_mem each and no more than two rows for each row at hand; what is beyond goes
 * to disk.
 */
#include "compat.h"
#include "reshape/clone_put.h"

#include "access/table.h"
#include "nodes/parsenodes.h"
#include "miscadmin.h"
#include "utils/plancache.h"

#include "admin/child_admin.h"
#include "admin/create_route.h"
#include "base/attempt.h"
#include "base/budget.h"
#include "base/owner.h"
#include "base/sql.h"
#include "job/job.h"
#include "reshape/clone_columns.h"
#include "write/home.h"

/* into how many parts rows are divided: few statements for few bad rows, and few rows that go in twice for many */
#define PARTS 8

/* A row gives a row: no expression makes one of several, or several of one. */
static void
check_plan(SPIPlanPtr plan)
{
	ListCell   *lc,
			   *lq,
			   *lr;

	foreach(lc, SPI_plan_get_plan_sources(plan))
		foreach(lq, ((CachedPlanSource *) lfirst(lc))->query_list)
			foreach(lr, lfirst_node(Query, lq)->rtable)
			{
				Query	   *select = lfirst_node(RangeTblEntry, lr)->subquery;

				if (select && (select->hasAggs || select->hasWindowFuncs || select->hasTargetSRFs))
					ereport(ERROR,
							(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
							 errmsg("invalid value for columns"),
							 errdetail("An expression has an aggregate, a window function or a function that returns a set."),
							 errhint("Give expressions that make one value of one row, or make a view of the source.")));
			}
}

/* Prepares the INSERT. SPI is connected, and stays so. */
void
router_clone_put_begin(RouterClonePut *put)
{
	memset(&put->rows, 0, sizeof(put->rows));
	put->rows.md.name = ROUTER_CLONE_ROWS;
	put->rows.md.tupdesc = put->desc;
	put->rows.md.enrtype = ENR_NAMED_TUPLESTORE;
	put->known = false;
	put->rejected = false;
	if (SPI_register_relation(&put->rows) != SPI_OK_REL_REGISTER)
		elog(ERROR, "could not register %s", ROUTER_CLONE_ROWS);
	put->plan = SPI_prepare(put->insert, 0, NULL);
	if (put->plan == NULL)
		elog(ERROR, "could not prepare: %s", put->insert);
	check_plan(put->plan);
}

static bool
insert_rows(void *arg)
{
	RouterClonePut *put = arg;

	if (SPI_execute_plan(put->plan, NULL, NULL, false, 0) < 0 ||
		SPI_execute("SET CONSTRAINTS ALL IMMEDIATE", false, 0) != SPI_OK_UTILITY)
		elog(ERROR, "could not run: %s", put->insert);
	return true;
}

static bool
insert_and_undo(void *arg)
{
	(void) insert_rows(arg);
	return false;
}

static ErrorData *
attempt(RouterClonePut *put, Tuplestorestate *rows, int64 n, bool (*work) (void *arg))
{
	put->rows.reldata = rows;
	put->rows.md.enrtuples = n;
	return router_attempt_step(work, put);
}

/* Throws an error that is not one of rows. */
static void
check_error(RouterClonePut *put, ErrorData *error)
{
	int			category = ERRCODE_TO_CATEGORY(error->sqlerrcode);

	if (router_job_is_worth_a_retry(error) || router_is_interrupt(error) ||
		category == ERRCODE_INSUFFICIENT_RESOURCES || category == ERRCODE_SYSTEM_ERROR ||
		category == ERRCODE_INTERNAL_ERROR)
		ReThrowError(error);
	if (!put->known)
	{
		Tuplestorestate *none = tuplestore_begin_heap(true, false, work_mem);
		ErrorData  *again = attempt(put, none, 0, insert_and_undo);

		if (again)
			ReThrowError(again);
		tuplestore_end(none);
		put->known = true;
	}
}

static void
rewind_rows(Tuplestorestate *rows)
{
	/* the scan has had a pointer of its own, which is the current one now */
	tuplestore_select_read_pointer(rows, 0);
	tuplestore_rescan(rows);
}

static void put_rows(RouterClonePut *put, Tuplestorestate *rows, int64 first, int64 n, bool parts);

static void
divide(RouterClonePut *put, Tuplestorestate *rows, int64 first, int64 n)
{
	TupleTableSlot *slot = MakeSingleTupleTableSlot(put->desc, &TTSOpsMinimalTuple);
	int64		size = (n + PARTS - 1) / PARTS;

	rewind_rows(rows);
	for (int64 i = 0; i < n; i += size)
	{
		Tuplestorestate *part = tuplestore_begin_heap(true, false, work_mem);
		int64		m = 0;

		CHECK_FOR_INTERRUPTS();
		while (m < size && tuplestore_gettupleslot(rows, true, false, slot))
		{
			tuplestore_puttupleslot(part, slot);
			m++;
		}
		ExecClearTuple(slot);
		put_rows(put, part, first + i, m, false);
		tuplestore_end(part);
	}
	ExecDropSingleTupleTableSlot(slot);
}

static void
reject_row(RouterClonePut *put, Tuplestorestate *rows, int64 which, ErrorData *error)
{
	TupleTableSlot *slot = MakeSingleTupleTableSlot(put->desc, &TTSOpsMinimalTuple);

	rewind_rows(rows);
	(void) tuplestore_gettupleslot(rows, true, false, slot);
	put->rejected = true;
	put->reject(put, which, slot, error);
	ExecDropSingleTupleTableSlot(slot);
}

static void
put_rows(RouterClonePut *put, Tuplestorestate *rows, int64 first, int64 n, bool parts)
{
	ErrorData  *error;

	if (!parts || n == 1)
	{
		error = attempt(put, rows, n, insert_rows);
		if (error == NULL)
		{
			if (put->done)
				put->done(put, first, n);
			return;
		}
		check_error(put, error);
		router_homes_make_again();
		if (n == 1)
			reject_row(put, rows, first, error);
		FreeErrorData(error);
		if (n == 1)
			return;
	}
	divide(put, rows, first, n);
}

/* Rows that were rejected leave no children behind. */
static void
drop_unused(RouterClonePut *put)
{
	RouterAsOwner saved;
	ListCell   *lc;

	router_become_owner(&saved, router_relation_owner(put->base), router_is_own_temp(put->base), NULL);
	foreach(lc, router_homes_made_again())
	{
		Oid			child = lfirst_oid(lc);
		Relation	rel = try_table_open(child, AccessExclusiveLock);
		bool		unused = rel && !router_has_rows_now(rel);

		if (rel)
			table_close(rel, NoLock);
		if (!unused)
			continue;
		router_child_release(put->base, child);
		router_drop_table(child);
	}
	router_become_user(&saved);
}

/* n rows, in a tuplestore that can be read again, go in or are rejected, in their order. */
void
router_clone_put(RouterClonePut *put, Tuplestorestate *rows, int64 n)
{
	if (n == 0)
		return;
	router_homes_note(put->base);
	PG_TRY();
	{
		put_rows(put, rows, 0, n, put->parts);
		drop_unused(put);
	}
	PG_FINALLY();
	{
		router_homes_note(InvalidOid);
	}
	PG_END_TRY();
}
