/*
 * clone.c
 *		CALL router.clone: rows of another table, view or foreign table go into a routed
 *		table, in batches that are committed.
 *
 * A batch is read (clone_source.c), put into the base (clone_put.c), and its end written to router.clone_def, in one
 * transaction: so that the same call goes on behind it, whatever ended the last one. Rows that
 * do not go in end the call, or are kept in router.reject_def and tried again by retry.c.
 *
 * Locking: an advisory lock of the session keeps two of the same arguments apart; tables are locked as by SELECT and
 * INSERT.
 * Rights: all that runs runs as the caller, as if he had written the INSERT … SELECT. A clone is known by who calls
 * it, and by what he writes: what somebody has written never runs as somebody else.
 * Memory: a batch's ends with its step.
 */
#include "compat.h"
#include "reshape/clone.h"

#include "common/hashfn.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"

#include "base/args.h"
#include "base/sql.h"
#include "base/waitpoint.h"
#include "reshape/clone_columns.h"
#include "reshape/clone_source.h"
#include "route/defs.h"
#include "route/owned.h"

PG_FUNCTION_INFO_V1(router_clone);

/* tells the lock of a clone from those of runs on a base: see job.c */
#define CLONE_LOCK 4

enum
{
	ARG_SOURCE,
	ARG_BASE,
	ARG_FILTER,
	ARG_COLUMNS,
	ARG_KEY,
	ARG_ON_ERROR,
	ARG_BATCH_ROWS,
	ARG_PAUSE,
	ARG_TIME_BUDGET,
	ARG_LOCK_TIMEOUT,
	ARG_RESTART,
	ARG_DRY_RUN,
};

/* A call. */
typedef struct Clone
{
	RouterJob	job;
	RouterCloneArgs args;
	Jsonb	   *columns;		/* or NULL */
	ArrayType  *key;			/* or NULL */
	bool		reject;			/* keep what does not go in, and go on */
	bool		restart;

	RouterCloneDef def;			/* what it points to lives as long as a step, but for filter and columns */
	RouterCloneSource source;
	RouterClonePut put;
	RouterRejected rejected;	/* as of the last commit */
	int64		before;			/* rows that were handled by calls before */
	uint64		expected;		/* rows in all */
} Clone;

/* -------------------------------------------------------------------- arguments */

/* A right of the caller's on a table, or on a column of it. Which ones, and what else, is asked when it is used. */
static void
check_right(Oid relid, AclMode right)
{
	if (pg_class_aclcheck(relid, GetUserId(), right) != ACLCHECK_OK &&
		pg_attribute_aclcheck_all(relid, GetUserId(), right, ACLMASK_ANY) != ACLCHECK_OK)
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_TABLE, get_rel_name(relid));
}

/* Begins a call. batch_rows: number of that argument, behind which are pause and time_budget. */
void
router_clone_begin(RouterJob *job, FunctionCallInfo fcinfo, Oid base, const char *action, RouterCloneArgs *args,
				   int batch_rows, int lock_timeout, int dry_run)
{
	router_require_argument(fcinfo, batch_rows);
	job->base = base;
	router_job_begin(job, fcinfo, action, lock_timeout, dry_run);
	job->told_to = GetUserId(); /* errors are of a source that is not the owner's to read */
	args->batch_rows = PG_GETARG_INT32(batch_rows);
	if (args->batch_rows < 1)
		router_bad_value("batch_rows", psprintf("%d", args->batch_rows), "It is how many rows are copied between two commits: 1 or more.");
	args->pause_ms = router_arg_pause(fcinfo, batch_rows + 1);
	router_job_set_budget(job, router_arg_interval(fcinfo, batch_rows + 2));
	check_right(base, ACL_INSERT);
	if (job->atomic && !job->dry_run)
		ereport(ERROR,
				(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
				 errmsg("router.%s cannot run inside a transaction block", action),
				 errhint("It commits as it goes. Call it outside of one, or write an INSERT … SELECT.")));
}

static bool
read_on_error(FunctionCallInfo fcinfo)
{
	char	   *text;

	router_require_argument(fcinfo, ARG_ON_ERROR);
	text = router_arg_text(fcinfo, ARG_ON_ERROR);
	if (strcmp(text, "stop") != 0 && strcmp(text, "reject") != 0)
		router_bad_value("on_error", text, "Use stop or reject.");
	return strcmp(text, "reject") == 0;
}

static void
begin(Clone *c, FunctionCallInfo fcinfo)
{
	Oid			source = PG_GETARG_OID(ARG_SOURCE);
	Oid			base = PG_GETARG_OID(ARG_BASE);

	memset(c, 0, sizeof(*c));
	router_check_exists(source);
	router_check_routed(base);
	router_clone_begin(&c->job, fcinfo, base, "clone", &c->args, ARG_BATCH_ROWS, ARG_LOCK_TIMEOUT, ARG_DRY_RUN);
	check_right(source, ACL_SELECT);
	router_clone_check_source(source, base);
	c->reject = read_on_error(fcinfo);
	c->restart = router_arg_bool(fcinfo, ARG_RESTART);
	c->columns = PG_ARGISNULL(ARG_COLUMNS) ? NULL : PG_GETARG_JSONB_P(ARG_COLUMNS);
	c->key = PG_ARGISNULL(ARG_KEY) ? NULL : PG_GETARG_ARRAYTYPE_P(ARG_KEY);
	c->def.base = base;
	c->def.source = source;
	c->def.role = GetUserId();
	c->def.filter = router_arg_text(fcinfo, ARG_FILTER);
	c->def.columns = c->columns ? DatumGetCString(DirectFunctionCall1(jsonb_out, JsonbPGetDatum(c->columns))) : NULL;
	if (c->def.filter)
		router_check_expression("filter", c->def.filter);
}

/* ------------------------------------------------------------------------- locks */

/* The role stands in the tag itself: nobody can write a filter whose lock is the one of another role's clone. */
static void
lock_of(const RouterCloneDef *def, LOCKTAG *tag)
{
	char	   *what = psprintf("%u %u %s %s", def->base, def->source,
								def->filter ? quote_literal_cstr(def->filter) : "", def->columns ? def->columns : "");

	SET_LOCKTAG_ADVISORY(*tag, MyDatabaseId, hash_bytes((unsigned char *) what, strlen(what)), def->role, CLONE_LOCK);
	pfree(what);
}

/* Keeps others away who would work on the same clone; session: beyond the transaction, until router_clone_unlock. */
void
router_clone_lock(const RouterCloneDef *def, bool session)
{
	LOCKTAG		tag;

	lock_of(def, &tag);
	if (LockAcquire(&tag, ExclusiveLock, session, true) == LOCKACQUIRE_NOT_AVAIL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("another session is cloning \"%s\" into \"%s\" with the same arguments", get_rel_name(def->source),
						get_rel_name(def->base)),
				 errhint("Wait for it, or cancel it with pg_cancel_backend; router.progress has its pid.")));
}

void
router_clone_unlock(const RouterCloneDef *def)
{
	LOCKTAG		tag;

	lock_of(def, &tag);
	(void) LockRelease(&tag, ExclusiveLock, true);
}

/* ---------------------------------------------------------------------- the state */

static bool
same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

/* Reads how far it is, if it has begun. */
static bool
find_def(Clone *c)
{
	ListCell   *lc;

	foreach(lc, router_catalog_clones(c->def.base))
	{
		RouterCloneDef *def = lfirst(lc);

		if (def->source != c->def.source || def->role != c->def.role || !same_text(def->filter, c->def.filter) ||
			!same_text(def->columns, c->def.columns))
			continue;
		def->filter = c->def.filter;
		def->columns = c->def.columns;
		c->def = *def;
		return true;
	}
	return false;
}

static void
refuse_to_go_on(const Clone *c, const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("cloning \"%s\" cannot go on where it stopped", get_rel_name(c->def.source)),
			 errdetail("%s", detail),
			 errhint("Take the rows out of \"%s\" that came from there, and begin anew with restart => true.",
					 get_rel_name(c->def.base))));
}

/* Is the source still as it was, so that rows behind the place where it stopped are those that are not copied? */
static void
check_same(const Clone *c)
{
	List	   *names = c->key ? router_catalog_names(c->key) : NIL;
	ListCell   *lc;
	bool		same = c->key == NULL || list_length(names) == c->def.nkey;

	foreach(lc, names)
		same = same && strcmp(lfirst(lc), c->def.key[foreach_current_index(lc)]) == 0;
	if (!same)
		refuse_to_go_on(c, "It was begun with another key.");
	for (int i = 0; i < c->def.nkey; i++)
		if (get_attnum(c->def.source, c->def.key[i]) <= 0)
			refuse_to_go_on(c, psprintf("It has no column \"%s\" any more, which is its key.", c->def.key[i]));
	if (c->def.files && !c->def.finished && !same_text(c->def.files, router_clone_files(c->def.source)))
		refuse_to_go_on(c, "It has no key, and was rewritten or truncated, or got or lost a child, so that rows have other places.");
}

static void
check_budget(const Clone *c)
{
	if (c->def.nkey == 0 && c->def.files == NULL && c->job.deadline != DT_NOEND)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("\"%s\" is cloned in one transaction, without a time_budget", get_rel_name(c->def.source)),
				 errdetail("It is no table of this server, and has no key by which another call could go on."),
				 errhint("Name columns that tell its rows, and are never null: key => '{id}'.")));
}

static RouterCloneColumns
map(Clone *c)
{
	RouterCloneColumns columns;

	router_clone_map(&columns, c->def.source, c->def.base, c->columns);
	return columns;
}

/*
 * Locks what a step works with, as it will be anyway; one of them may be gone. Who has no right on the source any more
 * locks nothing; nor does he go on who lost it while he waited.
 */
void
router_clone_lock_tables(const RouterCloneDef *def)
{
	router_check_exists(def->source);
	check_right(def->source, ACL_SELECT);
	LockRelationOid(def->source, AccessShareLock);
	router_check_exists(def->source);
	check_right(def->source, ACL_SELECT);
	router_check_exists(def->base);
	check_right(def->base, ACL_INSERT);
	LockRelationOid(def->base, AccessShareLock);
	router_check_exists(def->base);
	check_right(def->base, ACL_INSERT);
}

/* Opens the source, and prepares the INSERT. */
static void
open_all(Clone *c)
{
	RouterCloneColumns columns = map(c);
	const char *alias = quote_identifier(get_rel_name(c->def.source));

	c->source.def = &c->def;
	c->source.batch_rows = c->args.batch_rows;
	router_clone_open(&c->source);
	c->put.base = c->def.base;
	c->put.desc = c->source.desc;
	c->put.insert = router_clone_insert(&columns, c->def.base, psprintf("%s AS %s", ROUTER_CLONE_ROWS, alias));
	router_clone_put_begin(&c->put);
}

static void
tell(Clone *c)
{
	RouterCloneColumns columns = map(c);
	const char *way = c->def.files ? "by blocks" : "in one transaction";

	for (int i = 0; i < c->def.nkey; i++)
		way = i == 0 ? psprintf("in the order of %s", c->def.key[i]) : psprintf("%s, %s", way, c->def.key[i]);
	ereport(NOTICE,
			(errmsg("would clone %s into %s, about " UINT64_FORMAT " rows, %s", router_job_name(c->def.source),
					router_job_name(c->def.base), c->expected, way),
			 errdetail("By name: %s. By expressions: %s. Left to their default: %s. Of the source not taken by name: %s.",
					   columns.by_name.len ? columns.by_name.data : "none",
					   columns.by_expression.len ? columns.by_expression.data : "none",
					   columns.by_default.len ? columns.by_default.data : "none",
					   columns.unused.len ? columns.unused.data : "none"),
			 c->def.id ? errhint(INT64_FORMAT " rows of them are done by calls before.", c->def.handled) : 0));
}

/* As if it had not begun. */
static void
forget(RouterCloneDef *def)
{
	RouterCloneDef was = *def;

	memset(def, 0, sizeof(*def));
	def->base = was.base;
	def->source = was.source;
	def->role = was.role;
	def->filter = was.filter;
	def->columns = was.columns;
}

/* The first step: what is there, and how shall it be done? */
static bool
prepare(RouterJob *job)
{
	Clone	   *c = (Clone *) job;
	bool		begun;

	SPI_connect();
	router_clone_lock_tables(&c->def);
	begun = find_def(c);
	if (begun && c->restart)
	{
		if (!job->dry_run)
			router_catalog_remove_clone(&c->def);
		forget(&c->def);
		begun = false;
	}
	c->source.def = &c->def;
	if (begun)
		check_same(c);
	else
		router_clone_choose(&c->source, c->key);
	check_budget(c);
	c->expected = router_job_estimate(router_clone_all_rows(&c->def, ""));
	if (!begun && !job->dry_run)
		router_catalog_put_clone(&c->def);
	router_catalog_count_rejects(c->def.base, c->def.id, &c->rejected);
	c->before = c->def.handled;
	/* what is wrong with the columns is told before anything is noted */
	open_all(c);
	router_clone_close(&c->source);
	if (job->dry_run)
		tell(c);
	SPI_finish();
	return true;
}

/* --------------------------------------------------------------------- a batch */

/* What is kept of the error that a row gave. */
void
router_clone_describe(RouterReject *reject, const ErrorData *error)
{
	bool		duplicate = error->sqlerrcode == ERRCODE_UNIQUE_VIOLATION ||
		error->sqlerrcode == ERRCODE_EXCLUSION_VIOLATION;
	bool		constraint = ERRCODE_TO_CATEGORY(error->sqlerrcode) == ERRCODE_INTEGRITY_CONSTRAINT_VIOLATION ||
		error->sqlerrcode == ERRCODE_WITH_CHECK_OPTION_VIOLATION;

	reject->kind = duplicate ? "duplicate" : constraint ? "constraint" : "error";
	reject->sqlstate = pstrdup(unpack_sql_state(error->sqlerrcode));
	reject->message = error->detail ? psprintf("%s\n%s", error->message, error->detail) : error->message;
}

static void
keep_row(RouterClonePut *put, int64 which, TupleTableSlot *row, ErrorData *error)
{
	Clone	   *c = put->arg;
	RouterReject reject = {.number = ++c->def.rejected,.row = router_clone_row(row),.tries = 1};

	router_clone_describe(&reject, error);
	router_catalog_add_reject(&c->def, &reject);
	(*router_rejected_as(&c->job.rejected, reject.kind))++;
}

/* The error names the row. */
static void
stop_at_row(RouterClonePut *put, int64 which, TupleTableSlot *row, ErrorData *error)
{
	Clone	   *c = put->arg;
	char	   *name = psprintf("cloning row %s of \"%s\"", router_clone_row_name(&c->def, row), get_rel_name(c->def.source));

	error->context = error->context ? psprintf("%s\n%s", error->context, name) : name;
	ReThrowError(error);
}

/* Rows that were read go in. */
static void
put_rows(Clone *c, Tuplestorestate *rows, int64 n)
{
	c->put.reject = c->reject ? keep_row : stop_at_row;
	c->put.arg = c;
	router_clone_put(&c->put, rows, n);
	c->put.parts = c->put.rejected;
	c->def.handled += n;
}

static void
finish_batch(Clone *c)
{
	router_catalog_put_clone(&c->def);
	router_job_progress(&c->job, "clone rows", InvalidOid, c->def.handled, Max(c->expected, (uint64) c->def.handled));
}

static bool
copy_batch(RouterJob *job)
{
	Clone	   *c = (Clone *) job;
	Tuplestorestate *rows;
	int64		n;

	SPI_connect();
	job->rejected = c->rejected;
	router_clone_lock_tables(&c->def);
	(void) find_def(c);
	check_same(c);
	open_all(c);
	rows = router_clone_read(&c->source, &n);
	router_clone_close(&c->source);
	put_rows(c, rows, n);
	router_clone_pass(&c->source, rows, n);
	tuplestore_end(rows);
	finish_batch(c);
	ROUTER_WAITPOINT("clone_batch");
	SPI_finish();
	return true;
}

/* Without a key or places, all that there is. */
static bool
copy_at_once(RouterJob *job)
{
	Clone	   *c = (Clone *) job;
	int64		n;

	SPI_connect();
	job->rejected = c->rejected;
	router_clone_lock_tables(&c->def);
	(void) find_def(c);
	open_all(c);
	do
	{
		Tuplestorestate *rows = router_clone_read(&c->source, &n);

		put_rows(c, rows, n);
		tuplestore_end(rows);
		finish_batch(c);
		router_job_sleep(c->args.pause_ms);
	} while (n > 0);
	router_clone_close(&c->source);
	c->def.finished = true;
	router_catalog_put_clone(&c->def);
	SPI_finish();
	return true;
}

/* ----------------------------------------------------------------------- the call */

static ErrorData *
copy_all(Clone *c)
{
	RouterJob  *job = &c->job;
	bool		at_once = c->def.nkey == 0 && c->def.files == NULL;
	ErrorData  *error = NULL;

	if (c->def.finished && c->def.nkey == 0)
		return NULL;
	do
	{
		job->lazy = !at_once;
		error = router_job_insist(job, at_once ? copy_at_once : copy_batch, false);
		job->lazy = false;
		if (error)
			return error;
		c->rejected = job->rejected;
		if (!c->def.finished)
			router_job_sleep(c->args.pause_ms);
	} while (!c->def.finished && !router_job_is_late(job));
	return NULL;
}

static void
report(Clone *c, bool was_finished)
{
	RouterRejected *r = &c->rejected;
	int64		rejects = r->errors + r->duplicates + r->constraints;

	if (was_finished && c->def.nkey == 0)
		ereport(NOTICE,
				(errmsg("%s is cloned into %s already", router_job_name(c->def.source), router_job_name(c->def.base)),
				 errhint("It has no key that tells what came since. restart => true copies all of it again.")));
	else
		ereport(NOTICE,
				(errmsg(c->def.finished ? "cloned %s into %s: " INT64_FORMAT " rows, " INT64_FORMAT " are rejected" :
						"the time is over: of %s, into %s, " INT64_FORMAT " rows are cloned, " INT64_FORMAT " rejected",
						router_job_name(c->def.source), router_job_name(c->def.base), c->def.handled - rejects,
						rejects),
				 rejects ? errdetail(INT64_FORMAT " errors, " INT64_FORMAT " duplicates, " INT64_FORMAT " constraints.",
									 r->errors, r->duplicates, r->constraints) : 0,
				 !c->def.finished ? errhint("Call it again to go on.") :
				 rejects ? errhint("See router.rejects; CALL router.retry_rejects when the cause is corrected.") : 0));
}

/*
 * CALL router.clone(source, base, filter, columns, key, on_error, batch_rows, pause, time_budget, lock_timeout,
 * restart, dry_run)
 */
Datum
router_clone(PG_FUNCTION_ARGS)
{
	Clone		c;
	ErrorData  *error;
	bool		was_finished = false;

	router_require(fcinfo, 2);
	begin(&c, fcinfo);
	router_clone_lock(&c.def, true);
	PG_TRY();
	{
		error = router_job_insist(&c.job, prepare, false);
		was_finished = c.def.finished;
		if (error == NULL)
			router_job_open(&c.job);
		if (error == NULL && !c.job.dry_run)
			error = copy_all(&c);
	}
	PG_FINALLY();
	{
		router_clone_unlock(&c.def);
	}
	PG_END_TRY();
	if (!c.job.dry_run)
		router_job_note(&c.job, Max(c.def.handled - c.before, 0), error);
	if (error)
		ReThrowError(error);
	if (!c.job.dry_run)
		report(&c, was_finished);
	router_job_end(&c.job);
	PG_RETURN_VOID();
}
