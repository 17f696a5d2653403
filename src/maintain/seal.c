/*
 * seal.c
 *		router.seal: notes between what values a column of a child lies that is
 *		no key, such as an id that grows with time, so that queries by it leave
 *		children out. See survivors.c for that.
 *
 * A seal is noted in the catalog and fenced by a CHECK of the child:
 *
 *		router.unseal(tableoid, id)
 *
 * Whoever writes a row, on whatever way and with or without the library, calls
 * the function, which notes of one beyond the seal that it is broken, and is true.
 * The values stand in the catalog only, where not everybody reads them. To break
 * a seal is an INSERT into a table without a unique index: late writers wait for
 * nobody. Sessions hear of it when the writer commits, as of a new child.
 *
 * Sealing: (1) the rows are read. (2) The CHECK is put there, NOT VALID, and
 * the seal is noted as one that does not count yet, under AccessExclusiveLock
 * on the child for an instant: no writer is left who has not met the CHECK. (3) The rows
 * are read again. If all lie within the seal it counts from now on, else it is made wider.
 * A transaction each, unless the job is atomic. What is read is all that any
 * snapshot may see, deleted rows included: a session with an old one may use the seal too.
 *
 * Locking: AccessExclusiveLock in (2), ShareUpdateExclusiveLock in (3), which
 * holds up no reader or writer; nothing on the base.
 */
#include "compat.h"
#include "maintain/seal.h"

#include "access/relation.h"
#include "access/table.h"
#include "catalog/pg_am.h"
#include "catalog/pg_inherits.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"

#include "route/defs.h"
#include "route/owned.h"
#include "base/report.h"
#include "base/sql.h"
#include "write/fence.h"
#include "base/waitpoint.h"

/* how often a seal is made wider before writers win */
#define MAX_WIDENINGS 5

PG_FUNCTION_INFO_V1(router_seal);

typedef struct Sealing
{
	RouterJob	job;
	RouterCacheEntry *entry;
	Oid			child;
	List	   *columns;		/* names, in job.cxt */
	int64		lo[ROUTER_MAX_LEVELS];
	int64		hi[ROUTER_MAX_LEVELS];	/* below lo: no values */
	bool		gone;			/* the child is none of this base any more */
	bool		wider;			/* rows were found beyond what was fenced */
	List	   *due;			/* children, in job.cxt */
} Sealing;

/* ------------------------------------------------------------------- columns */

static void
refuse_column(const char *column, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("children cannot be sealed by column \"%s\"", column),
			 errhint("%s", hint)));
}

/* An argument that names columns, each of them once. */
List *
router_seal_columns(ArrayType *array)
{
	List	   *columns = NIL;
	ListCell   *lc;

	if (array_contains_nulls(array))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("the names of sealed columns cannot be null")));
	foreach(lc, router_catalog_names(array))
	{
		ListCell   *known;

		foreach(known, columns)
			if (strcmp(lfirst(known), lfirst(lc)) == 0)
				break;
		if (known == NULL)
			columns = lappend(columns, lfirst(lc));
	}
	return columns;
}

/* Refuses what children of a base cannot be sealed by. */
void
router_check_seal_columns(Oid base, List *columns)
{
	Relation	rel = table_open(base, AccessShareLock);
	RouterConfig *config;
	List	   *all = NIL;
	ListCell   *lc;

	(void) router_route_locked(router_cache_entry(base));	/* is it one still? */
	config = router_catalog_route(base);
	foreach(lc, router_catalog_seals(base))
		all = list_append_unique(all, makeString(((RouterSeal *) lfirst(lc))->column));
	foreach(lc, columns)
	{
		char	   *column = lfirst(lc);
		RouterKey	key;

		if (get_attnum(base, column) == InvalidAttrNumber)
			ereport(ERROR,
					(errcode(ERRCODE_UNDEFINED_COLUMN),
					 errmsg("column \"%s\" of relation \"%s\" does not exist", column, RelationGetRelationName(rel))));
		for (int i = 0; i < config->nkeys; i++)
			if (strcmp(config->keys[i].column, column) == 0)
				refuse_column(column, "It is a key: what values a child has of it is known.");
		if (!router_seal_key(&key, rel, column, config->time_zone))
			refuse_column(column, "Give columns of type smallint, integer, bigint, date, timestamp or timestamp with time zone that are not generated.");
		all = list_append_unique(all, makeString(column));
	}
	if (config->nkeys + list_length(all) > ROUTER_MAX_LEVELS)
		ereport(ERROR,
				(errcode(ERRCODE_TOO_MANY_COLUMNS),
				 errmsg("routed table \"%s\" has too many keys and sealed columns", RelationGetRelationName(rel)),
				 errhint("There can be %d of both.", ROUTER_MAX_LEVELS)));
	table_close(rel, AccessShareLock);
}

/* The columns as keys, for a step. */
static RouterKey *
open_keys(Sealing *sealing)
{
	const RouterConfig *config = &router_route_locked(sealing->entry)->config;
	RouterKey  *keys = palloc0(list_length(sealing->columns) * sizeof(RouterKey));
	Relation	base = table_open(sealing->job.base, AccessShareLock);
	ListCell   *lc;

	foreach(lc, sealing->columns)
		if (!router_seal_key(&keys[foreach_current_index(lc)], base, lfirst(lc), config->time_zone))
			refuse_column(lfirst(lc), "It was changed meanwhile.");
	table_close(base, NoLock);
	return keys;
}

static bool
is_still_child(const Sealing *sealing)
{
	RouterChildDef *def = router_catalog_child(sealing->child);

	return def && def->base == sealing->job.base;
}

/* Is it a table whose rows can be read as this file does? */
static bool
is_sealable(Oid child)
{
	Relation	rel = try_relation_open(child, AccessShareLock);
	bool		result = rel && rel->rd_rel->relkind == RELKIND_RELATION && rel->rd_rel->relam == HEAP_TABLE_AM_OID &&
		!RELATION_IS_OTHER_TEMP(rel) && find_inheritance_children(child, NoLock) == NIL;

	/* whoever is to change it locks it by himself: all children of a base are looked at in one transaction */
	if (rel)
		relation_close(rel, AccessShareLock);
	return result;
}

/* --------------------------------------------------------------------- steps */

/* Reads all rows that any snapshot may see, and widens what lo and hi say. True: something lay beyond. */
static bool
read_rows(Sealing *sealing, RouterKey *keys, Relation child)
{
	int			n = list_length(sealing->columns);
	AttrNumber	attnums[ROUTER_MAX_LEVELS];
	AttrNumber	last = 0;
	SnapshotData snapshot;
	TupleTableSlot *slot = table_slot_create(child, NULL);
	TableScanDesc scan;
	bool		wider = false;

	for (int i = 0; i < n; i++)
	{
		attnums[i] = get_attnum(RelationGetRelid(child), keys[i].column);
		if (attnums[i] <= 0)
			elog(ERROR, "child %u has no column \"%s\"", RelationGetRelid(child), keys[i].column);
		last = Max(last, attnums[i]);
	}
	InitNonVacuumableSnapshot(snapshot, GlobalVisTestFor(child));
	scan = table_beginscan(child, &snapshot, 0, NULL);
	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		CHECK_FOR_INTERRUPTS();
		slot_getsomeattrs(slot, last);
		for (int i = 0; i < n; i++)
		{
			int64		lo;
			int64		hi;

			if (slot->tts_isnull[attnums[i] - 1])
				continue;
			router_key_span(&keys[i], router_key_int(&keys[i], slot->tts_values[attnums[i] - 1]), &lo, &hi);
			wider |= lo < sealing->lo[i] || hi > sealing->hi[i];
			sealing->lo[i] = Min(sealing->lo[i], lo);
			sealing->hi[i] = Max(sealing->hi[i], hi);
		}
	}
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	return wider;
}

static RouterBound
span(const Sealing *sealing, int i)
{
	return (RouterBound) {.form = ROUTER_BOUND_RANGE,.lo = sealing->lo[i],.hi = sealing->hi[i]};
}

/* (1) What the rows are now. */
static bool
measure(RouterJob *job)
{
	Sealing    *sealing = (Sealing *) job;
	Relation	child = try_table_open(sealing->child, AccessShareLock);

	sealing->gone = child == NULL || !is_still_child(sealing);
	for (int i = 0; i < ROUTER_MAX_LEVELS; i++)
	{
		sealing->lo[i] = PG_INT64_MAX;
		sealing->hi[i] = PG_INT64_MIN;
	}
	if (!sealing->gone)
	{
		router_job_progress(job, "seal", sealing->child, 0, 0);
		(void) read_rows(sealing, open_keys(sealing), child);
	}
	if (child)
		table_close(child, NoLock);
	return true;
}

/* (2) The CHECK. */
static bool
fence(RouterJob *job)
{
	Sealing    *sealing = (Sealing *) job;
	RouterKey  *keys;
	StringInfoData columns;
	int			guc_level;

	LockRelationOid(sealing->child, AccessExclusiveLock);
	sealing->gone = !is_still_child(sealing) || !is_sealable(sealing->child);
	if (sealing->gone)
		return true;
	router_drop_seal(sealing->child);
	keys = open_keys(sealing);
	guc_level = router_pin_settings(router_route_locked(sealing->entry)->config.time_zone);
	initStringInfo(&columns);
	for (int i = 0; i < list_length(sealing->columns); i++)
	{
		RouterBound bound = span(sealing, i);
		RouterSeal	seal = {.child = sealing->child,.column = keys[i].column,.attnum = keys[i].attnum};

		appendStringInfo(&columns, ", %s", quote_identifier(keys[i].column));
		if (bound.lo <= bound.hi)
			seal.span = router_bound_text(&keys[i], &bound);
		router_catalog_add_seal(job->base, &seal);
	}
	router_run("ALTER TABLE %s ADD CONSTRAINT %s CHECK (router.unseal(tableoid%s)) NOT VALID",
			   router_qualified_name(sealing->child), ROUTER_SEAL_NAME, columns.data);
	ROUTER_WAITPOINT("fenced");
	AtEOXact_GUC(false, guc_level);
	return true;
}

/* Are the seals of the child those that this job noted, and no others, whose columns it has not read? */
static bool
is_as_fenced(const Sealing *sealing, RouterKey *keys)
{
	int			seals = 0;
	int			found = 0;
	ListCell   *lc;

	foreach(lc, router_catalog_seals(sealing->job.base))
	{
		RouterSeal *seal = lfirst(lc);

		if (seal->child != sealing->child)
			continue;
		seals++;
		for (int i = 0; i < list_length(sealing->columns); i++)
		{
			RouterBound bound = span(sealing, i);
			RouterBound *noted;

			if (strcmp(seal->column, keys[i].column) != 0)
				continue;
			noted = seal->span ? router_bound_parse(&keys[i], seal->span) : NULL;
			if (noted ? noted->lo == bound.lo && noted->hi == bound.hi : bound.lo > bound.hi)
				found++;
		}
	}
	return found == list_length(sealing->columns) && found == seals;
}

/* (3) Is all within? */
static bool
finish(RouterJob *job)
{
	Sealing    *sealing = (Sealing *) job;
	Relation	child = try_table_open(sealing->child, ShareUpdateExclusiveLock);
	RouterKey  *keys;
	int			guc_level;

	sealing->gone = child == NULL || !is_still_child(sealing);
	if (!sealing->gone)
	{
		keys = open_keys(sealing);
		guc_level = router_pin_settings(router_route_locked(sealing->entry)->config.time_zone);
		sealing->wider = !is_as_fenced(sealing, keys);
		sealing->wider |= read_rows(sealing, keys, child);
		if (!sealing->wider)
			router_catalog_finish_seal(job->base, sealing->child);
		AtEOXact_GUC(false, guc_level);
	}
	if (child)
		table_close(child, NoLock);
	return true;
}

/* Seals one child. NULL: done, or the child is gone. */
static ErrorData *
seal_child(Sealing *sealing)
{
	ErrorData  *error = router_job_insist(&sealing->job, measure, true);

	for (int tries = 0; error == NULL && !sealing->gone; tries++)
	{
		sealing->wider = false;
		error = router_job_insist(&sealing->job, fence, true);
		if (error == NULL && !sealing->gone)
			error = router_job_insist(&sealing->job, finish, true);
		if (error || sealing->gone || !sealing->wider)
			return error;
		if (tries == MAX_WIDENINGS)
			error = router_job_error(&sealing->job, ERRCODE_OBJECT_IN_USE,
									 psprintf("rows keep coming into child %s", router_job_name(sealing->child)), NULL, NULL);
	}
	return error;
}

/* --------------------------------------------------------------- aged children */

/* The children whose rows are all aged, and that lack some of the seals. */
static bool
find_due(RouterJob *job)
{
	Sealing    *sealing = (Sealing *) job;
	RouterRoute *route = router_route_locked(sealing->entry);
	int			level = router_hot_level(&route->config);
	List	   *children = router_catalog_children(job->base);
	List	   *good = NIL;
	int64		before;
	int			guc_level;
	ListCell   *lc;

	sealing->due = NIL;
	if (level < 0)
		return true;
	guc_level = router_pin_settings(route->config.time_zone);
	before = route->hot_level >= 0 ? route->watermark :
		router_key_now(&route->config.keys[level], GetCurrentTransactionStartTimestamp());
	foreach(lc, router_catalog_seals(job->base))
	{
		RouterSeal *seal = lfirst(lc);
		ListCell   *wanted;

		foreach(wanted, sealing->columns)
			if (seal->sealed && !seal->broken && strcmp(seal->column, lfirst(wanted)) == 0)
				good = lappend_oid(good, seal->child);
	}
	list_sort(good, list_oid_cmp);
	foreach(lc, children)
	{
		RouterChildDef *def = lfirst(lc);
		RouterBound *bound = router_bound_parse(&route->config.keys[level], def->bounds[level]);
		int			from = 0;
		int			to = list_length(good);
		int			seals = 0;
		MemoryContext old;

		if (bound->form != ROUTER_BOUND_RANGE || bound->hi == PG_INT64_MAX || bound->hi >= before)
			continue;
		while (from < to)
		{
			int			mid = (from + to) / 2;

			if (list_nth_oid(good, mid) < def->child)
				from = mid + 1;
			else
				to = mid;
		}
		for (; from < list_length(good) && list_nth_oid(good, from) == def->child; from++)
			seals++;
		if (seals == list_length(sealing->columns) || !is_sealable(def->child))
			continue;
		old = MemoryContextSwitchTo(job->cxt);
		sealing->due = lappend_oid(sealing->due, def->child);
		MemoryContextSwitchTo(old);
	}
	AtEOXact_GUC(false, guc_level);
	return true;
}

/*
 * Seals the aged children of job->base by these columns, if there are any, a
 * few transactions each. NULL: all went well, as far as the deadline allows;
 * else the error, which is in router.events already.
 */
ErrorData *
router_seal_children(const RouterJob *job, List *columns)
{
	Sealing		sealing = {.job = *job,.columns = columns};
	ErrorData  *error;
	uint64		sealed = 0;
	int			failed = 0;
	ListCell   *lc;

	if (columns == NIL)
		return NULL;
	sealing.job.action = "seal";
	sealing.entry = router_cache_entry(job->base);
	error = router_job_insist(&sealing.job, find_due, true);
	foreach(lc, sealing.due)
	{
		ErrorData  *wrong;

		sealing.child = lfirst_oid(lc);
		if (router_job_is_late(job))
			break;
		if (job->dry_run)
		{
			ereport(NOTICE, (errmsg("would seal child %s", router_job_name(sealing.child))));
			continue;
		}
		wrong = seal_child(&sealing);
		if (wrong)
		{
			ereport(WARNING,
					(errcode(wrong->sqlerrcode),
					 errmsg("could not seal child %s: %s", router_job_name(sealing.child), wrong->message)));
			FreeErrorData(wrong);
			failed++;
		}
		else if (!sealing.gone)
			sealed++;
	}
	if (failed > 0)
		error = router_job_error(job, ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
								 psprintf("%d of %d children could not be sealed", failed, list_length(sealing.due)), NULL,
								 NULL);
	if (sealed > 0 || error)
		router_job_note(&sealing.job, sealed, error);
	return error;
}

/* ------------------------------------------------------------------------ SQL */

/*
 * CALL router.seal(child, columns, lock_timeout). Commits in between unless it
 * is in a transaction block. A seal that is there already is made anew.
 *
 * Errors: insufficient_privilege, undefined_column, invalid_parameter_value,
 * wrong_object_type, lock_not_available, object_in_use.
 */
Datum
router_seal(PG_FUNCTION_ARGS)
{
	Sealing		sealing = {0};
	RouterChildDef *def;
	ErrorData  *error;
	List	   *columns;
	ListCell   *lc;

	router_require(fcinfo, 2);
	sealing.child = PG_GETARG_OID(0);
	router_check_exists(sealing.child);
	def = router_catalog_child(sealing.child);
	if (def == NULL || strcmp(def->bounds[0], "default") == 0)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("%s is no child that can be sealed", router_job_name(sealing.child)),
				 errhint("Give a child of a routed table that is not its default child; see router.children.")));
	sealing.entry = router_owned_route(def->base);
	if (!is_sealable(sealing.child))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("child %s cannot be sealed", router_job_name(sealing.child)),
				 errhint("It has to be a table of access method heap on this server that nothing inherits from.")));
	columns = router_seal_columns(PG_GETARG_ARRAYTYPE_P(1));
	if (columns == NIL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("no columns to seal by"),
				 errhint("Name columns that are no keys, such as ARRAY['id'].")));
	router_check_seal_columns(def->base, columns);
	router_job_begin(&sealing.job, fcinfo, "seal", 2, -1);
	sealing.job.base = def->base;
	foreach(lc, columns)
		sealing.columns = lappend(sealing.columns, pstrdup(lfirst(lc)));
	router_job_open(&sealing.job);
	error = seal_child(&sealing);
	router_job_note(&sealing.job, error ? 0 : 1, error);
	if (error)
		ReThrowError(error);
	router_job_end(&sealing.job);
	PG_RETURN_VOID();
}
