/*
 * retention.c
 *		Retires the children that are older than a route keeps: drops them,
 *		makes them tables of their own, or takes them to another schema.
 *
 * A child is due when its date bound lies wholly before now less keep, and
 * keep_children younger ones that have begun stay beside it below the same
 * outer bounds. What is not set does not hold it. Never due: children without
 * an end or a beginning, for NULL, the default child; and in a hot base those
 * that the watermark has not passed, since rows of theirs may still be on the way.
 *
 * Locking: AccessExclusiveLock on the child; ShareUpdateExclusiveLock on the
 * base, as for any change of a route, which holds up no reader or writer. Who
 * comes late finds the child gone and looks again. To drop one, core locks the
 * tables that its foreign keys refer to AccessExclusive as well. Writers hold
 * these and children in any order, so that only one of them is waited for at a
 * time, with nothing else in hand. One child a step of job.c.
 *
 * Memory: what is due lives in job->cxt.
 */
#include "compat.h"
#include "admin/child_admin.h"

#include "access/table.h"
#include "catalog/namespace.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"

#include "write/home.h"
#include "base/sql.h"
#include "maintain/retention.h"

/* A child with a beginning and an end. */
typedef struct Candidate
{
	Oid			child;
	char	   *bounds;			/* as it was found */
	char	   *outer;			/* those of the levels above the date */
	int64		lo;
	int64		hi;
} Candidate;

typedef struct Retention
{
	RouterJob	job;
	RouterCacheEntry *entry;
	const RouterUpkeep *upkeep;
	List	   *due;			/* of Candidate, the oldest first */
	int			at;				/* which one is at hand */
	Candidate  *child;			/* it */
	char	   *name;			/* its name; NULL: it was gone */
	uint64		retired;
} Retention;

/* ---------------------------------------------------------------- what is due */

/* By outer bounds, then the youngest first. */
static int
compare_candidates(const ListCell *a, const ListCell *b)
{
	const Candidate *x = lfirst(a);
	const Candidate *y = lfirst(b);
	int			order = strcmp(x->outer, y->outer);

	return order != 0 ? order : x->lo > y->lo ? -1 : x->lo < y->lo;
}

static int
compare_age(const ListCell *a, const ListCell *b)
{
	const Candidate *x = lfirst(a);
	const Candidate *y = lfirst(b);

	return x->lo < y->lo ? -1 : x->lo > y->lo;
}

/* Texts of bounds, one a level, as one that no other texts give. */
static char *
join_bounds(char **bounds, int n)
{
	StringInfoData buf;

	initStringInfo(&buf);
	for (int i = 0; i < n; i++)
		appendStringInfo(&buf, "%zu:%s", strlen(bounds[i]), bounds[i]);
	return buf.data;
}

/* The children of the route that have begun and have an end. Settings are pinned. */
static List *
find_candidates(RouterRoute *route, List *children, int level)
{
	RouterKey  *key = &route->config.keys[level];
	int64		now = router_key_now(key, GetCurrentTransactionStartTimestamp());
	List	   *candidates = NIL;
	ListCell   *lc;

	foreach(lc, children)
	{
		RouterChildDef *def = lfirst(lc);
		RouterBound *bound = router_bound_parse(key, def->bounds[level]);
		Candidate  *candidate;

		if (bound->form != ROUTER_BOUND_RANGE || bound->lo == PG_INT64_MIN || bound->hi == PG_INT64_MAX ||
			bound->lo > now)
			continue;
		candidate = palloc(sizeof(Candidate));
		candidate->child = def->child;
		candidate->bounds = join_bounds(def->bounds, def->nbounds);
		candidate->outer = join_bounds(def->bounds, level);
		candidate->lo = bound->lo;
		candidate->hi = bound->hi;
		candidates = lappend(candidates, candidate);
	}
	return candidates;
}

/* Leaves those that neither age nor number keeps. */
static List *
leave_due(List *candidates, int64 cutoff, int keep_children)
{
	List	   *due = NIL;
	Candidate  *before = NULL;
	int			rank = 0;
	ListCell   *lc;

	list_sort(candidates, compare_candidates);
	foreach(lc, candidates)
	{
		Candidate  *candidate = lfirst(lc);

		/* children that differ further inside share a date */
		if (before == NULL || strcmp(before->outer, candidate->outer) != 0)
			rank = 1;
		else if (before->lo != candidate->lo)
			rank++;
		before = candidate;
		if (candidate->hi < cutoff && rank > keep_children)
			due = lappend(due, candidate);
	}
	list_sort(due, compare_age);
	return due;
}

static const char *
retired_word(RouterRetire retire)
{
	return retire == ROUTER_RETIRE_DROP ? "drop" : retire == ROUTER_RETIRE_DETACH ? "detach" : "move";
}

/* Says which child comes next. */
static void
report_progress(Retention *retention, int next, uint64 retired)
{
	Oid			child = next < list_length(retention->due) ?
		((Candidate *) list_nth(retention->due, next))->child : InvalidOid;

	router_job_progress(&retention->job, retired_word(retention->upkeep->retire), child, retired,
						list_length(retention->due));
}

/* The window may have become longer since keep was set: rows would go from the base straight into what is dropped. */
static void
check_keep(const RouterConfig *config, const Interval *keep)
{
	if (config->hot && keep && !router_is_longer(keep, config->hot))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("children of \"%s\" are kept no longer than rows are hot", get_rel_name(config->base)),
				 errhint("Give a longer keep with router.set_maintenance, or a shorter hot with router.alter_route.")));
}

/* Finds what is due, without a lock: each child is looked at again when it is locked. */
static bool
find_due(RouterJob *job)
{
	Retention  *retention = (Retention *) job;
	List	   *children = router_catalog_children(job->base);
	RouterRoute *route = router_route_locked(retention->entry);
	int			level = router_hot_level(&route->config);
	int			guc_level;
	int64		cutoff = PG_INT64_MAX;
	ListCell   *lc;
	MemoryContext old;

	if (level < 0)
		return true;
	check_keep(&route->config, retention->upkeep->keep);
	guc_level = router_pin_settings(route->config.time_zone);
	if (retention->upkeep->keep)
		cutoff = router_age_cutoff(&route->config, retention->upkeep->keep);
	if (route->hot_level >= 0)
		cutoff = Min(cutoff, route->watermark);
	children = leave_due(find_candidates(route, children, level), cutoff, retention->upkeep->keep_children);
	AtEOXact_GUC(false, guc_level);
	old = MemoryContextSwitchTo(job->cxt);
	foreach(lc, children)
	{
		Candidate  *due = palloc(sizeof(Candidate));

		*due = *(Candidate *) lfirst(lc);
		due->bounds = pstrdup(due->bounds);
		due->outer = NULL;
		retention->due = lappend(retention->due, due);
	}
	MemoryContextSwitchTo(old);
	if (retention->due != NIL && !job->dry_run)
		report_progress(retention, 0, 0);
	return true;
}

/* ---------------------------------------------------------------------- locks */

/* Of the child, its base, and what core locks besides to drop the child. NIL: it is gone. */
static List *
locks_to_retire(Oid base, Oid child, RouterRetire retire)
{
	Relation	rel = try_table_open(child, AccessShareLock);
	List	   *locks = router_lock_add(NIL, base, ShareUpdateExclusiveLock);
	ListCell   *lc;

	if (rel == NULL)
		return NIL;
	locks = router_lock_add(locks, child, AccessExclusiveLock);
	if (retire == ROUTER_RETIRE_DROP)
		foreach(lc, RelationGetFKeyList(rel))
			locks = router_lock_add(locks, ((ForeignKeyCacheInfo *) lfirst(lc))->confrelid, AccessExclusiveLock);
	table_close(rel, AccessShareLock);
	return locks;
}

/* ----------------------------------------------------------------- retirement */

static bool
is_as_found(Oid base, const Candidate *found)
{
	RouterChildDef *def = router_catalog_child(found->child);

	return def && def->base == base && strcmp(join_bounds(def->bounds, def->nbounds), found->bounds) == 0;
}

/* "drop public.t_y2020" */
static char *
describe(const Retention *retention, const char *name)
{
	return psprintf("%s %s%s%s", retired_word(retention->upkeep->retire), name,
					retention->upkeep->retire == ROUTER_RETIRE_SCHEMA ? " to schema " : "",
					retention->upkeep->retire == ROUTER_RETIRE_SCHEMA ?
					quote_identifier(retention->upkeep->retire_schema) : "");
}

static uint64
rows_as_analyzed(Oid relid)
{
	HeapTuple	tup = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	float4		rows = 0;

	if (HeapTupleIsValid(tup))
	{
		rows = ((Form_pg_class) GETSTRUCT(tup))->reltuples;
		ReleaseSysCache(tup);
	}
	return rows > 0 ? (uint64) rows : 0;
}

static void
note_retired(const Retention *retention, const char *name, uint64 rows)
{
	RouterEvent event = {.base = retention->job.base,.rows = rows};

	event.name = router_qualified_name(event.base);
	event.action = describe(retention, name);
	router_catalog_note_event(&event);
}

/* Retires one child, as the owner of the base. */
static bool
retire(RouterJob *job)
{
	Retention  *retention = (Retention *) job;
	Oid			child = retention->child->child;
	List	   *locks = locks_to_retire(job->base, child, retention->upkeep->retire);
	const char *name;
	uint64		rows;

	retention->name = NULL;
	if (locks == NIL)
		return true;
	router_lock_these(locks);
	if (!SearchSysCacheExists1(RELOID, ObjectIdGetDatum(child)) || !is_as_found(job->base, retention->child))
		return true;
	name = router_qualified_name(child);
	rows = rows_as_analyzed(child);
	router_child_release(job->base, child);
	if (retention->upkeep->retire == ROUTER_RETIRE_DROP)
		router_drop_table(child);
	else if (retention->upkeep->retire == ROUTER_RETIRE_SCHEMA)
		router_move_to_schema(child, get_namespace_oid(retention->upkeep->retire_schema, false));
	note_retired(retention, name, rows);
	report_progress(retention, retention->at + 1, retention->retired + 1);
	retention->name = MemoryContextStrdup(job->cxt, name);
	return true;
}

/* Says why a child could not be retired. */
static void
warn(Retention *retention, const ErrorData *error)
{
	RouterJob	job = retention->job;
	char	   *name = router_job_name(retention->child->child);

	ereport(WARNING,
			(errcode(error->sqlerrcode),
			 errmsg("could not %s: %s", describe(retention, name), error->message),
			 error->detail ? errdetail("%s", error->detail) : 0,
			 error->hint ? errhint("%s", error->hint) : 0));
	job.action = describe(retention, name);
	router_job_note(&job, 0, error);
}

static void
tell(const Retention *retention)
{
	if (retention->upkeep->retire == ROUTER_RETIRE_DROP)
		ereport(NOTICE, (errmsg("dropped child %s", retention->name)));
	else if (retention->upkeep->retire == ROUTER_RETIRE_DETACH)
		ereport(NOTICE, (errmsg("detached child %s", retention->name)));
	else
		ereport(NOTICE,
				(errmsg("moved child %s to schema %s", retention->name,
						quote_identifier(retention->upkeep->retire_schema))));
}

/*
 * Retires the children of job->base that are due, one a transaction unless the
 * job is atomic. NULL: all went well, as far as the deadline allows; else the
 * error. Of each child there is a row in router.events, and one of the whole.
 * retired: how many children.
 */
ErrorData *
router_retire_children(const RouterJob *job, const RouterUpkeep *upkeep, uint64 *retired)
{
	Retention	run = {.job = *job,.upkeep = upkeep};
	Retention  *retention = &run;
	ErrorData  *error;
	int			failed = 0;
	ListCell   *lc;

	retention->entry = router_cache_entry(job->base);
	retention->job.action = "retention";
	error = router_job_insist(&retention->job, find_due, true);
	foreach(lc, retention->due)
	{
		if (job->dry_run)
		{
			ereport(NOTICE,
					(errmsg("would %s", describe(retention, router_job_name(((Candidate *) lfirst(lc))->child)))));
			continue;
		}
		if (router_job_is_late(job))
			break;
		retention->child = lfirst(lc);
		retention->at = foreach_current_index(lc);
		error = router_job_insist(&retention->job, retire, true);
		if (error)
		{
			failed++;
			warn(retention, error);
			FreeErrorData(error);
			error = NULL;
		}
		else if (retention->name)
		{
			retention->retired++;
			tell(retention);
		}
	}
	if (failed > 0)
		error = router_job_error(job, ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
								 psprintf("%d of %d children could not be retired", failed, list_length(retention->due)),
								 NULL, NULL);
	if (!job->dry_run)
		router_job_note(&retention->job, retention->retired, error);
	*retired = retention->retired;
	return error;
}
