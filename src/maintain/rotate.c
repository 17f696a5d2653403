/*
 * rotate.c
 *		router.rotate: turnover of a hot base. When nearly all of its rows are
 *		aged and belong to one child that is new, or nearly empty, the two
 *		tables exchange their storage, and only the other rows are moved: the
 *		hot ones back into the base, those of other children into these.
 *
 * Steps, each one of job.c:
 *	1. Survey: find the child that most rows of the base belong to, create it
 *	   and those that other aged rows need, and see that the swap is possible.
 *	2. Swap, under AccessExclusiveLock on both tables: storage, watermark, and
 *	   the rows that are not at home afterwards, in one transaction. Nobody else
 *	   has a plan then that he could still run without looking at the catalog again,
 *	   so that the child need not be known before.
 *	3. Afterwards: wait until every snapshot is gone that was taken before the
 *	   swap, validate the CHECK of the child, ANALYZE it.
 *
 * Row versions stay where they lie, so that an older snapshot sees what it saw,
 * now by way of the child: that of a row which is hot as well. A planner that
 * trusts the CHECK of the child would pass it over. So the CHECK is NOT VALID
 * from the swap until step 3.
 *
 * Memory: as job.c says.
 */
#include "compat.h"

#include "access/table.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"

#include "rows/key_scan.h"
#include "rows/estate.h"
#include "route/loose.h"
#include "route/owned.h"
#include "admin/child_admin.h"
#include "write/fence.h"
#include "admin/rehome.h"
#include "base/sql.h"
#include "rows/keep_in_step.h"
#include "job/job.h"
#include "maintain/swap_storage.h"

/* how often a row is met whose child has just been dropped, or that came late */
#define MAX_SURVEYS 5

PG_FUNCTION_INFO_V1(router_rotate);

typedef struct Rotate
{
	RouterJob	job;
	RouterCacheEntry *entry;
	const char *cutoff_text;	/* or NULL: by the hot window */
	int64		cutoff;

	/* the survey */
	Oid			child;			/* or InvalidOid: no aged row */
	uint64		stay;			/* rows that the swap brings home */
	uint64		rest;			/* others */
	char	   *would;			/* dry run: the name of the child */

	bool		done;
	uint64		moved;
} Rotate;

/* ------------------------------------------------------------------ the survey */

/* Rows of the base by home. */
typedef struct Count
{
	Oid			home;			/* hash key; InvalidOid: hot */
	uint64		rows;
} Count;

static HTAB *
make_counts(void)
{
	HASHCTL		ctl = {.keysize = sizeof(Oid),.entrysize = sizeof(Count),.hcxt = CurrentMemoryContext};

	return hash_create("router rotate", 64, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

static Count *
count_of(HTAB *counts, Oid home)
{
	bool		found;
	Count	   *count = hash_search(counts, &home, HASH_ENTER, &found);

	if (!found)
		count->rows = 0;
	return count;
}

/* The rows between two points of the hot key. */
static uint64
count_range(Rotate *rotate, Relation base, int64 from, int64 before)
{
	RouterKeyScan scan;
	uint64		n = 0;

	router_key_scan_begin(&scan, base, router_hot_route(rotate->entry), GetActiveSnapshot(), from, before);
	while (router_key_scan_next(&scan))
		n++;
	router_key_scan_end(&scan);
	return n;
}

/* The home of the oldest row from a point on that is aged; NULL: there is none. */
static RouterDest *
oldest_home(Rotate *rotate, Relation base, RouterHomes *homes, int64 from)
{
	RouterKeyScan scan;
	RouterDest *dest;

	router_key_scan_begin(&scan, base, router_hot_route(rotate->entry), GetActiveSnapshot(), from, rotate->cutoff);
	dest = router_key_scan_next(&scan) ? router_home(homes, scan.slot) : NULL;
	router_key_scan_end(&scan);
	return dest;
}

/*
 * Counts by an index on the only key, from child to child. The homes are those
 * of archiving. False: the default child is one of them, whose rows lie scattered.
 */
static bool
count_by_index(Rotate *rotate, Relation base, RouterHomes *homes, HTAB *counts)
{
	int64		from = PG_INT64_MIN;
	RouterDest *dest;

	count_of(counts, InvalidOid)->rows = count_range(rotate, base, rotate->cutoff, PG_INT64_MAX);
	while (from < rotate->cutoff && (dest = oldest_home(rotate, base, homes, from)) != NULL)
	{
		RouterRoute *route = router_hot_route(rotate->entry);
		int			guc_level = router_pin_settings(route->config.time_zone);
		RouterBound *bound = router_bound_parse(&route->config.keys[0],
												router_catalog_child(RelationGetRelid(dest->rel))->bounds[0]);
		int64		end;

		AtEOXact_GUC(false, guc_level);
		if (bound->form != ROUTER_BOUND_RANGE)
			return false;
		end = bound->hi >= rotate->cutoff ? rotate->cutoff : bound->hi + 1;
		count_of(counts, RelationGetRelid(dest->rel))->rows += count_range(rotate, base, bound->lo, end);
		from = end;
	}
	return true;
}

static void
count_all(Rotate *rotate, Relation base, RouterHomes *homes, HTAB *counts)
{
	RouterKey	key = router_hot_route(rotate->entry)->config.keys[router_hot_route(rotate->entry)->hot_level];
	TupleTableSlot *slot = table_slot_create(base, NULL);
	TableScanDesc scan = table_beginscan(base, GetActiveSnapshot(), 0, NULL);
	Count	   *hot = count_of(counts, InvalidOid);

	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		bool		isnull;
		Datum		datum = slot_getattr(slot, key.attnum, &isnull);

		CHECK_FOR_INTERRUPTS();
		ResetPerTupleExprContext(homes->estate);
		if (!isnull && router_key_int(&key, datum) >= rotate->cutoff)
			hot->rows++;
		else
			count_of(counts, RelationGetRelid(router_home(homes, slot)->rel))->rows++;
	}
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
}

/* The rows there are in a child, up to a limit. */
static uint64
count_child(Relation child, uint64 limit)
{
	TableScanDesc scan = table_beginscan(child, GetActiveSnapshot(), 0, NULL);
	TupleTableSlot *slot = table_slot_create(child, NULL);
	uint64		n = 0;

	while (n < limit && table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		CHECK_FOR_INTERRUPTS();
		n++;
	}
	ExecDropSingleTupleTableSlot(slot);
	table_endscan(scan);
	return n;
}

/* Takes the home of most aged rows for the child, if there is one. */
static void
choose_child(Rotate *rotate, HTAB *counts)
{
	Oid			default_child = router_hot_route(rotate->entry)->default_child;
	HASH_SEQ_STATUS status;
	Count	   *count;
	Relation	child;

	rotate->child = InvalidOid;
	rotate->stay = rotate->rest = 0;
	hash_seq_init(&status, counts);
	while ((count = hash_seq_search(&status)) != NULL)
	{
		rotate->rest += count->rows;
		if (OidIsValid(count->home) && count->home != default_child && count->rows > rotate->stay)
		{
			rotate->child = count->home;
			rotate->stay = count->rows;
		}
	}
	rotate->rest -= rotate->stay;
	if (!OidIsValid(rotate->child))
		return;
	child = table_open(rotate->child, AccessShareLock);
	if (child->rd_rel->relkind == RELKIND_RELATION)
		rotate->rest += count_child(child, rotate->stay);
	table_close(child, NoLock);
}

/* Refuses a child that is not worth it. */
static void
weigh(Rotate *rotate)
{
	if (!OidIsValid(rotate->child) || rotate->rest < rotate->stay)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("swapping the storage of \"%s\" would not save work", get_rel_name(rotate->job.base)),
			 errdetail("%llu aged rows belong to child \"%s\", but %llu others would have to be moved.",
					   (unsigned long long) rotate->stay, get_rel_name(rotate->child),
					   (unsigned long long) rotate->rest),
			 errhint("Use router.archive, which copies the rows.")));
}

/* Step 1. */
static bool
survey(RouterJob *job)
{
	Rotate	   *rotate = (Rotate *) job;
	Relation	base = table_open(job->base, RowExclusiveLock);
	EState	   *estate = router_make_estate(base);
	HTAB	   *counts = make_counts();
	RouterRoute *route = router_hot_route(rotate->entry);
	int			guc_level = router_pin_settings(route->config.time_zone);
	bool		one_key = route->config.nkeys == 1;
	RouterHomes homes;

	rotate->cutoff = rotate->cutoff_text == NULL ? router_hot_cutoff(&route->config) :
		router_key_parse(&route->config.keys[route->hot_level], rotate->cutoff_text);
	AtEOXact_GUC(false, guc_level);
	router_homes_init(&homes, rotate->entry, base, estate, router_make_root(estate, base));
	homes.archiving = true;
	PushActiveSnapshot(GetLatestSnapshot());
	if (rotate->cutoff > router_hot_route(rotate->entry)->watermark)
	{
		if (!router_has_key_index(base, router_hot_route(rotate->entry)) || !one_key ||
			!count_by_index(rotate, base, &homes, counts))
		{
			counts = make_counts();
			count_all(rotate, base, &homes, counts);
		}
	}
	router_homes_close(&homes);
	router_free_estate(estate);
	choose_child(rotate, counts);
	PopActiveSnapshot();
	weigh(rotate);
	if (OidIsValid(rotate->child))
	{
		Relation	child = table_open(rotate->child, AccessShareLock);

		router_check_swap(base, child);
		router_check_unpublished(base, child);
		table_close(child, NoLock);
	}
	table_close(base, NoLock);
	/* in this step notices are not sent, and the child may be gone after it */
	if (job->dry_run && OidIsValid(rotate->child))
		rotate->would = MemoryContextStrdup(job->cxt, router_qualified_name(rotate->child));
	/* a run that will swap nothing leaves no children behind */
	return OidIsValid(rotate->child) && !job->dry_run;
}

/* -------------------------------------------------------------- the other steps */

static bool
send_rows_home(Rotate *rotate, Oid from)
{
	RouterRoute *route = router_route_locked(rotate->entry);
	RouterRehome rehome = {.entry = rotate->entry,.from = from,.create_none = true};

	if (from == rotate->child && route->config.nkeys == 1)
	{
		RouterKey  *key = &route->config.keys[0];
		int			guc_level = router_pin_settings(route->config.time_zone);
		RouterBound *bound = router_bound_parse(key, router_catalog_child(from)->bounds[0]);

		AtEOXact_GUC(false, guc_level);
		rehome.some_stay = bound->form == ROUTER_BOUND_RANGE;
		rehome.stay_from = bound->lo;
		rehome.stay_before = bound->hi >= rotate->cutoff ? rotate->cutoff : bound->hi + 1;
	}
	router_rehome(&rehome);
	rotate->moved += rehome.moved;
	return !rehome.missing;
}

/* Is the child still one, and are the rows the survey counted still there? */
static bool
is_current(Rotate *rotate)
{
	RouterChildDef *def = router_catalog_child(rotate->child);

	return def && def->base == rotate->job.base && router_hot_route(rotate->entry)->watermark < rotate->cutoff;
}

/* Step 2. */
static bool
swap(RouterJob *job)
{
	Rotate	   *rotate = (Rotate *) job;
	Relation	base = table_open(job->base, AccessExclusiveLock);
	Relation	child = NULL;
	RouterRoute *route;
	bool		done;

	LockRelationOid(rotate->child, AccessExclusiveLock);
	router_refuse_followed(job->base);	/* the copies would not hear of it */
	if (is_current(rotate))
	{
		router_drop_seal(rotate->child);	/* by ALTER TABLE, which minds if we have it open */
		router_step_end(rotate->child);
		child = try_table_open(rotate->child, NoLock);
	}
	if (child == NULL)
	{
		table_close(base, NoLock);
		return false;
	}
	router_check_unpublished(base, child);
	router_swap_storage(base, child, "router.rotate");
	router_loose_add(job->base, rotate->child);
	rotate->moved = 0;
	route = router_hot_route(rotate->entry);
	router_put_watermark(route, rotate->cutoff, route->pending);
	done = send_rows_home(rotate, job->base) && send_rows_home(rotate, rotate->child);
	table_close(child, NoLock);
	table_close(base, NoLock);
	rotate->done = done;
	return done;
}

/*
 * Step 3. Two that wait for each other are told apart by the deadlock detector,
 * and try again. If the child was swapped once more meanwhile, that run does it.
 */
static bool
validate(RouterJob *job)
{
	Rotate	   *rotate = (Rotate *) job;
	RouterChildDef *def;
	char	   *name;

	(void) router_loose_wait(job->base, rotate->child, true);
	LockRelationOid(rotate->child, ShareUpdateExclusiveLock);
	def = router_catalog_child(rotate->child);
	if (def == NULL || def->base != job->base || !router_loose_wait(job->base, rotate->child, false))
		return true;
	name = router_qualified_name(rotate->child);
	router_loose_remove(job->base, rotate->child);
	router_run("ALTER TABLE %s VALIDATE CONSTRAINT %s", name, ROUTER_CHECK_NAME);
	router_run("ANALYZE %s", name);
	return true;
}

static void
finish(Rotate *rotate)
{
	ErrorData  *error = rotate->job.atomic ? NULL : router_job_insist(&rotate->job, validate, true);

	if (error || rotate->job.atomic)
		ereport(error ? WARNING : NOTICE,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("constraint \"%s\" of %s is not validated yet: %s", ROUTER_CHECK_NAME,
						router_qualified_name(rotate->child),
						error ? error->message : "snapshots older than this transaction may be in use"),
				 errhint("Queries read base and child without need until ALTER TABLE %s VALIDATE CONSTRAINT %s.",
						 router_qualified_name(rotate->child), ROUTER_CHECK_NAME)));
}

/* --------------------------------------------------------------- the procedure */

static bool
open_base(RouterJob *job)
{
	Rotate	   *rotate = (Rotate *) job;

	rotate->entry = router_owned_route(job->base);
	(void) router_hot_route(rotate->entry);
	return true;
}

static ErrorData *
run(Rotate *rotate)
{
	ErrorData  *error = router_job_insist(&rotate->job, open_base, false);

	for (int i = 0; error == NULL && !rotate->done && i < MAX_SURVEYS; i++)
	{
		error = router_job_insist(&rotate->job, survey, true);
		if (error || !OidIsValid(rotate->child) || rotate->job.dry_run)
			return error;
		error = router_job_insist(&rotate->job, swap, true);
	}
	if (error == NULL && !rotate->done)
		error = router_job_error(&rotate->job, ERRCODE_LOCK_NOT_AVAILABLE,
								 psprintf("could not create the children that rows of %s need", router_job_name(rotate->job.base)),
								 "Rows came for which none was there, time and again.",
								 "Create the children with router.premake, or use router.archive.");
	else if (error == NULL)
		finish(rotate);
	return error;
}

static void
tell(Rotate *rotate)
{
	char	   *base = router_job_name(rotate->job.base);

	if (rotate->would)
		ereport(NOTICE,
				(errmsg("would swap the storage of %s with that of %s, which brings %llu rows home, and move %llu others",
						base, rotate->would, (unsigned long long) rotate->stay, (unsigned long long) rotate->rest)));
	else if (rotate->done)
		ereport(NOTICE,
				(errmsg("swapped the storage of %s with that of %s, and moved %llu rows", base,
						router_job_name(rotate->child), (unsigned long long) rotate->moved)));
	else
		ereport(NOTICE, (errmsg("nothing to rotate: %s has no aged rows", base)));
}

/* CALL router.rotate(base, lock_timeout, cutoff, dry_run) */
Datum
router_rotate(PG_FUNCTION_ARGS)
{
	Rotate		rotate = {0};
	ErrorData  *error;

	router_require(fcinfo, 1);
	router_job_begin(&rotate.job, fcinfo, "rotate", 1, 3);
	rotate.job.base = PG_GETARG_OID(0);
	rotate.cutoff_text = router_arg_text(fcinfo, 2);
	router_job_open(&rotate.job);
	error = run(&rotate);
	if (error == NULL)
		tell(&rotate);
	if (!rotate.job.dry_run)
		router_job_note(&rotate.job, rotate.done ? rotate.stay : 0, error);
	if (error)
		ReThrowError(error);
	router_job_end(&rotate.job);
	PG_RETURN_VOID();
}
