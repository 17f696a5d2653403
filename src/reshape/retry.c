/*
 * retry.c
 *		CALL router.retry_rejects, router.drop_rejects: rows that router.clone could not put
 *		into a routed table are tried again, or forgotten.
 *
 * The rows are those that were kept: the source is not read again.
 *
 * Locking: that of a clone, one after the other.
 * Rights: a caller tries the rejects of his own clones, with the expressions that he wrote. See clone.c.
 */
#include "compat.h"
#include "reshape/clone.h"

#include "access/relation.h"
#include "access/transam.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "parser/parse_coerce.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"

#include "base/args.h"
#include "reshape/clone_columns.h"
#include "route/owned.h"

PG_FUNCTION_INFO_V1(router_retry_rejects);
PG_FUNCTION_INFO_V1(router_drop_rejects);

#define ROW_COLUMN "row"

enum
{
	ARG_BASE,
	ARG_SOURCE,
	ARG_COLUMNS,
	ARG_BATCH_ROWS,
	ARG_PAUSE,
	ARG_TIME_BUDGET,
	ARG_LOCK_TIMEOUT,
	ARG_DRY_RUN,
};

/* A call. */
typedef struct Retry
{
	RouterJob	job;
	RouterCloneArgs args;
	Jsonb	   *columns;		/* other ones than those of the clones, or NULL */

	RouterCloneDef def;			/* of the clone whose turn it is */
	RouterClonePut put;
	List	   *rejects;		/* of the batch */
	int64		number;			/* of the last one that was tried */
	int64		tried;			/* by this call, as of the last commit */
	int64		mended;
	int64		batch_mended;
	bool		finished;
} Retry;

static void
take_out(RouterClonePut *put, int64 first, int64 n)
{
	Retry	   *r = put->arg;

	for (int64 i = first; i < first + n; i++)
		router_catalog_remove_reject(list_nth(r->rejects, i));
	r->batch_mended += n;
}

static void
keep_again(RouterClonePut *put, int64 which, TupleTableSlot *row, ErrorData *error)
{
	Retry	   *r = put->arg;
	RouterReject *reject = list_nth(r->rejects, which);

	router_catalog_remove_reject(reject);
	reject->tries++;
	router_clone_describe(reject, error);
	router_catalog_add_reject(&r->def, reject);
}

/* The rows of the batch, as they were kept. */
static Tuplestorestate *
rows_of(Retry *r)
{
	Tuplestorestate *rows = tuplestore_begin_heap(true, false, work_mem);
	ListCell   *lc;

	foreach(lc, r->rejects)
	{
		bool		isnull = false;

		tuplestore_putvalues(rows, r->put.desc, &((RouterReject *) lfirst(lc))->row, &isnull);
	}
	return rows;
}

/* A cast from text that the owner of a type has made would run as the caller. */
static void
refuse_cast(Relation source, Form_pg_attribute column)
{
	Oid			function;

	if (find_coercion_pathway(column->atttypid, TEXTOID, COERCION_EXPLICIT, &function) != COERCION_PATH_FUNC ||
		function < FirstNormalObjectId)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("rejected rows of \"%s\" cannot be tried again", RelationGetRelationName(source)),
			 errdetail("A cast of text to %s, the type of column \"%s\", would run a function of its owner's.",
					   format_type_be(column->atttypid), NameStr(column->attname)),
			 errhint("Drop the cast, or call router.clone with a filter that takes these rows.")));
}

/* What the INSERT reads: the rows that were kept, as rows of the source. Each value is read as its type reads text. */
static char *
rows_as_source(Oid source)
{
	Relation	rel = relation_open(source, AccessShareLock);
	StringInfoData from;
	const char *comma = "";

	initStringInfo(&from);
	appendStringInfoString(&from, "(SELECT ");
	for (int i = 0; i < RelationGetNumberOfAttributes(rel); i++)
	{
		Form_pg_attribute column = TupleDescAttr(RelationGetDescr(rel), i);

		if (column->attisdropped)
			continue;
		refuse_cast(rel, column);
		appendStringInfo(&from, "%s(\"%s\" OPERATOR(pg_catalog.->>) %s)::%s AS %s", comma, ROW_COLUMN,
						 quote_literal_cstr(NameStr(column->attname)),
						 format_type_extended(column->atttypid, column->atttypmod,
											  FORMAT_TYPE_TYPEMOD_GIVEN | FORMAT_TYPE_FORCE_QUALIFY),
						 quote_identifier(NameStr(column->attname)));
		comma = ", ";
	}
	appendStringInfo(&from, " FROM %s) AS %s", ROUTER_CLONE_ROWS, quote_identifier(RelationGetRelationName(rel)));
	relation_close(rel, NoLock);
	return from.data;
}

static void
open_put(Retry *r)
{
	Jsonb	   *columns = r->columns;
	RouterCloneColumns map;

	if (columns == NULL && r->def.columns)
		columns = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(r->def.columns)));
	router_clone_lock_tables(&r->def);
	router_clone_map(&map, r->def.source, r->def.base, columns);
	r->put.insert = router_clone_insert(&map, r->def.base, rows_as_source(r->def.source));
	r->put.desc = CreateTemplateTupleDesc(1);
	TupleDescInitEntry(r->put.desc, 1, ROW_COLUMN, JSONBOID, -1, 0);
	r->put.base = r->def.base;
	r->put.done = take_out;
	r->put.reject = keep_again;
	r->put.arg = r;
	r->put.parts = true;		/* they were rejected before */
	router_clone_put_begin(&r->put);
}

static bool
retry_batch(RouterJob *job)
{
	Retry	   *r = (Retry *) job;
	int64		n;

	SPI_connect();
	r->batch_mended = 0;
	r->rejects = router_catalog_rejects(r->def.base, r->def.id, r->number, r->args.batch_rows);
	n = list_length(r->rejects);
	r->finished = n < r->args.batch_rows;
	if (n > 0)
	{
		Tuplestorestate *rows;

		open_put(r);
		rows = rows_of(r);
		router_clone_put(&r->put, rows, n);
		tuplestore_end(rows);
		router_job_progress(job, "retry rejects", InvalidOid, r->tried + n, 0);
		r->number = ((RouterReject *) llast(r->rejects))->number;
	}
	SPI_finish();
	r->tried += n;
	r->mended += r->batch_mended;
	return true;
}

/* Whose rejects may the user drop, and know of? Those of his own clones; the owner of the base, of all. */
static bool
may_drop(const RouterCloneDef *def)
{
	return router_owns_relation(def->base, GetUserId()) || has_privs_of_role(GetUserId(), def->role);
}

/* The clones into a base, from one source or (InvalidOid) all, of which may is true, if it is given. */
static List *
clones_into(Oid base, Oid source, bool (*may) (const RouterCloneDef *def))
{
	List	   *clones = router_catalog_clones(base);
	List	   *found = NIL;
	ListCell   *lc;

	if (clones == NIL)
		router_check_routed(base);
	foreach(lc, clones)
	{
		RouterCloneDef *def = lfirst(lc);

		if ((!OidIsValid(source) || def->source == source) && (may == NULL || may(def)))
			found = lappend(found, def);
	}
	if (OidIsValid(source) && found == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("\"%s\" is not cloned into \"%s\"", get_rel_name(source), get_rel_name(base)),
				 errhint("See router.clones.")));
	return found;
}

/* What is tried: those of the caller. They live as long as the job. *others: rejects of others. */
static List *
find_clones(Retry *r, Oid source, int64 *n, int64 *others)
{
	MemoryContext old = MemoryContextSwitchTo(r->job.cxt);
	List	   *clones = clones_into(r->job.base, source, NULL);
	List	   *mine = NIL;
	ListCell   *lc;

	foreach(lc, clones)
	{
		RouterCloneDef *def = lfirst(lc);
		RouterRejected rejected;

		router_catalog_count_rejects(def->base, def->id, &rejected);
		*(def->role == GetUserId() ? n : others) += rejected.errors + rejected.duplicates + rejected.constraints;
		if (def->role == GetUserId())
			mine = lappend(mine, def);
	}
	MemoryContextSwitchTo(old);
	return mine;
}

static ErrorData *
retry_clone(Retry *r, const RouterCloneDef *def)
{
	ErrorData  *error = NULL;

	r->def = *def;
	r->number = 0;
	r->finished = false;
	router_clone_lock(def, true);
	PG_TRY();
	{
		while (error == NULL && !r->finished && !router_job_is_late(&r->job))
		{
			error = router_job_insist(&r->job, retry_batch, false);
			if (error == NULL && !r->finished)
				router_job_sleep(r->args.pause_ms);
		}
	}
	PG_FINALLY();
	{
		router_clone_unlock(def);
	}
	PG_END_TRY();
	return error;
}

/* CALL router.retry_rejects(base, source, columns, batch_rows, pause, time_budget, lock_timeout, dry_run) */
Datum
router_retry_rejects(PG_FUNCTION_ARGS)
{
	Retry		r;
	ErrorData  *error = NULL;
	List	   *clones;
	ListCell   *lc;
	int64		n = 0;
	int64		others = 0;

	router_require(fcinfo, 1);
	memset(&r, 0, sizeof(r));
	router_check_routed(PG_GETARG_OID(ARG_BASE));
	if (!PG_ARGISNULL(ARG_SOURCE))
		router_check_exists(PG_GETARG_OID(ARG_SOURCE));
	router_clone_begin(&r.job, fcinfo, PG_GETARG_OID(ARG_BASE), "retry_rejects", &r.args, ARG_BATCH_ROWS,
					   ARG_LOCK_TIMEOUT, ARG_DRY_RUN);
	r.columns = PG_ARGISNULL(ARG_COLUMNS) ? NULL : PG_GETARG_JSONB_P(ARG_COLUMNS);
	clones = find_clones(&r, router_arg_oid(fcinfo, ARG_SOURCE), &n, &others);
	if (r.job.dry_run)
		ereport(NOTICE,
				(errmsg("would try " INT64_FORMAT " rejected rows of %s again", n, router_job_name(r.job.base))));
	else
	{
		router_job_open(&r.job);
		foreach(lc, clones)
			if (error == NULL)
				error = retry_clone(&r, lfirst(lc));
		router_job_note(&r.job, r.mended, error);
		if (error)
			ReThrowError(error);
		ereport(NOTICE,
				(errmsg(INT64_FORMAT " of " INT64_FORMAT " rejected rows are in %s now", r.mended, n,
						router_job_name(r.job.base)),
				 others ? errdetail(INT64_FORMAT " are of other roles, which have to try them themselves.", others) : 0));
	}
	router_job_end(&r.job);
	PG_RETURN_VOID();
}

/* router.drop_rejects(base, source, dry_run) */
Datum
router_drop_rejects(PG_FUNCTION_ARGS)
{
	Oid			base;
	bool		dry_run = router_arg_bool(fcinfo, 2);
	int64		n = 0;
	ListCell   *lc;

	router_require(fcinfo, 1);
	base = PG_GETARG_OID(ARG_BASE);
	router_will_write(fcinfo, dry_run);
	router_check_exists(base);
	if (!PG_ARGISNULL(ARG_SOURCE))
		router_check_exists(PG_GETARG_OID(ARG_SOURCE));
	foreach(lc, clones_into(base, router_arg_oid(fcinfo, ARG_SOURCE), may_drop))
	{
		RouterCloneDef *def = lfirst(lc);
		RouterRejected rejected;

		router_catalog_count_rejects(base, def->id, &rejected);
		n += rejected.errors + rejected.duplicates + rejected.constraints;
		if (dry_run)
			continue;
		router_clone_lock(def, false);
		(void) router_catalog_remove_rejects(base, def->id);
	}
	PG_RETURN_INT64(n);
}
