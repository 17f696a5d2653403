/*
 * create_worker.c
 *		Creates the child that a row needs in a transaction of its own, where the
 *		user wants that (router.create_in_background): a background worker
 *		creates and commits it, the session waits for that and goes on with a
 *		child that is there. So a long transaction does not keep the locks of
 *		create.c to its end.
 *
 * Whatever the worker cannot do, the session does itself, as without the
 * setting: no slot or memory for a worker, its death, an error of any kind.
 * The session looks in the catalog for what became of it.
 *
 * Deadlocks: the session waits for the worker by its latch, of which the
 * deadlock detector knows nothing. So the session asks for none where it holds a
 * lock that the worker would wait for (must_create_itself), and the worker
 * waits for no lock longer than half of deadlock_timeout: it gives up before
 * somebody else is told of a deadlock. Who waits for whom is found out by
 * the session's own attempt, after some by workers: each of them lets go of all
 * locks when it fails, which may be what the one in the way is waiting for.
 *
 * What this transaction did but has not committed is not seen by the worker:
 * tables and routes made by it are locked by it, or temporary; for grants, which
 * lock nothing, the catalog rows are looked at; and labels are asked for on both sides.
 *
 * Rights: the worker's session is that of the base's owner. The session hands
 * over values of the keys' types, in binary form, and the worker reads all else
 * from the catalog.
 *
 * Memory: a dynamic shared memory segment a request, which goes with the
 * session's resource owner.
 */
#include "compat.h"
#include "child/create_worker.h"

#include "access/table.h"
#include "access/xact.h"
#include "catalog/pg_attribute.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "storage/dsm.h"
#include "storage/ipc.h"
#include "storage/lmgr.h"
#include "storage/lock.h"
#include "storage/proc.h"
#include "tcop/tcopprot.h"
#include "utils/datum.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "child/child_bounds.h"
#include "child/child_name.h"
#include "child/create.h"
#include "mirror/mirror.h"
#include "base/owner.h"
#include "base/worker.h"

/* how many workers are sent to locks that are busy, before the session goes itself */
#define MAX_TRIES 4

typedef enum Outcome
{
	FAILED,						/* also: it never came so far as to say */
	BUSY,						/* a lock was not to be had */
	FOUND,						/* created, or there already */
} Outcome;

/* What the session asks for. Lies in dynamic shared memory. */
typedef struct Request
{
	Oid			database;
	Oid			base;
	int			nkeys;
	Oid			types[ROUTER_MAX_LEVELS];
	bool		named;			/* by labels, as this session sees them */
	char		name[NAMEDATALEN];
	Outcome		outcome;		/* the answer */
	char		values[FLEXIBLE_ARRAY_MEMBER];	/* by datumSerialize */
} Request;

extern PGDLLEXPORT void router_child_worker_main(Datum arg);

static bool create_in_background = false;

void
router_child_worker_init(void)
{
	DefineCustomBoolVariable("router.create_in_background",
							 "Has missing children created by a background worker, in a transaction of their own.",
							 "They are there for all at once, and stay if the statement is rolled back.",
							 &create_in_background, false, PGC_USERSET, 0, NULL, NULL, NULL);
}

/* ------------------------------------------------------------------ both sides */

static bool
has_labels(RouterRoute *route)
{
	for (int i = 0; i < route->config.nkeys; i++)
		if (route->config.keys[i].label)
			return true;
	return false;
}

/* The name that the missing child would get here and now; NULL: it is not missing. */
static char *
name_of_child(RouterRoute *route, const Datum *values, const bool *isnull)
{
	RouterBound *bounds[ROUTER_MAX_LEVELS];
	RouterAsOwner saved;
	RouterMiss	miss;
	char	   *name;

	if (OidIsValid(router_route_find(route, values, isnull, &miss)) ||
		!router_child_bounds(route, values, isnull, &miss, bounds))
		return NULL;
	router_become_owner(&saved, router_relation_owner(route->config.base), false, route->config.time_zone);
	name = router_child_name(route, bounds);
	router_become_user(&saved);
	return name;
}

/* ----------------------------------------------------------------- the session */

/* Was this catalog row written by this transaction? */
static bool
is_ours(HeapTuple tup)
{
	bool		ours;

	if (!HeapTupleIsValid(tup))
		return false;
	ours = TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetXmin(tup->t_data));
	ReleaseSysCache(tup);
	return ours;
}

/* Would the worker wait for this very transaction, or not see what it did to the base? */
static bool
must_create_itself(RouterRoute *route)
{
	Oid			base = route->config.base;
	Oid			default_child = route->default_child;
	Relation	rel;
	bool		must = false;
	ListCell   *lc;

	if (get_rel_persistence(base) == RELPERSISTENCE_TEMP || router_creation_is_locked(base) ||
		CheckRelationOidLockedByMe(base, ShareUpdateExclusiveLock, true) ||
		(OidIsValid(default_child) && CheckRelationOidLockedByMe(default_child, RowExclusiveLock, true)))
		return true;
	rel = table_open(base, AccessShareLock);
	foreach(lc, RelationGetFKeyList(rel))
	{
		ForeignKeyCacheInfo *key = lfirst_node(ForeignKeyCacheInfo, lc);

		must = must || CheckRelationOidLockedByMe(key->confrelid, RowExclusiveLock, true);
	}
	must = must || is_ours(SearchSysCache1(RELOID, ObjectIdGetDatum(base)));
	for (int i = 1; i <= RelationGetNumberOfAttributes(rel) && !must; i++)
		must = is_ours(SearchSysCache2(ATTNUM, ObjectIdGetDatum(base), Int16GetDatum(i)));
	table_close(rel, AccessShareLock);
	return must;
}

/* Does somebody wait for a lock that this session has? Then our worker may queue behind them in vain. */
static bool
is_in_the_way(void)
{
	LockData   *data = GetLockStatusData();

	for (int i = 0; i < data->nelements; i++)
	{
		LockInstanceData *waiter = &data->locks[i];

		if (waiter->waitLockMode == NoLock)
			continue;
		for (int j = 0; j < data->nelements; j++)
			if (data->locks[j].pid == MyProcPid && data->locks[j].holdMask &&
				memcmp(&data->locks[j].locktag, &waiter->locktag, sizeof(LOCKTAG)) == 0)
				return true;
	}
	return false;
}

/* Writes a request into shared memory; NULL: there is no segment left. */
static dsm_segment *
make_request(RouterRoute *route, const Datum *values, const bool *isnull)
{
	int			nkeys = route->config.nkeys;
	Oid			base = route->config.base;
	Oid			types[ROUTER_MAX_LEVELS];
	Datum		plain[ROUTER_MAX_LEVELS];
	int16		len[ROUTER_MAX_LEVELS];
	bool		byval[ROUTER_MAX_LEVELS];
	Size		size = offsetof(Request, values);
	bool		named = has_labels(route);
	char	   *name;
	char	   *end;
	dsm_segment *segment;
	Request    *request;

	for (int i = 0; i < nkeys; i++)
	{
		types[i] = route->config.keys[i].typid;
		get_typlenbyval(types[i], &len[i], &byval[i]);
		/* what is stored out of line may be this transaction's */
		plain[i] = !isnull[i] && len[i] == -1 ? PointerGetDatum(PG_DETOAST_DATUM(values[i])) : values[i];
		size += datumEstimateSpace(plain[i], isnull[i], byval[i], len[i]);
	}
	name = named ? name_of_child(route, values, isnull) : NULL;
	segment = dsm_create(size, DSM_CREATE_NULL_IF_MAXSEGMENTS);
	if (segment == NULL)
		return NULL;
	request = dsm_segment_address(segment);
	memset(request, 0, offsetof(Request, values));
	request->database = MyDatabaseId;
	request->base = base;
	request->nkeys = nkeys;
	memcpy(request->types, types, nkeys * sizeof(Oid));
	request->named = named;
	strlcpy(request->name, name ? name : "", NAMEDATALEN);
	request->outcome = FAILED;
	end = request->values;
	for (int i = 0; i < nkeys; i++)
		datumSerialize(plain[i], isnull[i], byval[i], len[i], &end);
	return segment;
}

/* Starts a worker and waits for its end. */
static Outcome
send_worker(Oid base, dsm_segment *segment)
{
	BackgroundWorker worker;
	BackgroundWorkerHandle *handle;

	router_worker_describe(&worker, "router_child_worker_main", "router child worker",
						   psprintf("router child worker for table %u", base));
	worker.bgw_main_arg = UInt32GetDatum(dsm_segment_handle(segment));
	worker.bgw_notify_pid = MyProcPid;
	if (!RegisterDynamicBackgroundWorker(&worker, &handle))
		return FAILED;
	PG_TRY();
	{
		(void) WaitForBackgroundWorkerShutdown(handle);
	}
	PG_CATCH();
	{
		/* it may have committed already: then there is a child more */
		TerminateBackgroundWorker(handle);
		PG_RE_THROW();
	}
	PG_END_TRY();
	pfree(handle);
	return ((Request *) dsm_segment_address(segment))->outcome;
}

/*
 * Has a background worker create the child that a row needs, if the user wants
 * that and it can be done, and waits for it. Returns the child, or InvalidOid:
 * the caller has to create it.
 */
Oid
router_child_create_aside(RouterCacheEntry *entry, const Datum *values, const bool *isnull)
{
	if (!create_in_background)
		return InvalidOid;
	for (int tries = 1; tries <= MAX_TRIES; tries++)
	{
		RouterRoute *route = router_route_locked(entry);
		Oid			base = route->config.base;
		RouterMiss	miss;
		Oid			child = router_route_find(route, values, isnull, &miss);
		dsm_segment *segment;
		Outcome		outcome;

		if (OidIsValid(child))
			return child;
		if (must_create_itself(route))
			return InvalidOid;
		segment = make_request(router_route_locked(entry), values, isnull);
		if (segment == NULL)
			return InvalidOid;
		outcome = send_worker(base, segment);
		dsm_detach(segment);
		AcceptInvalidationMessages();
		if (outcome == FAILED || (outcome == BUSY && is_in_the_way()))
			return InvalidOid;
		if (outcome == FOUND)
			/* not for us, if this transaction has dropped the one that was found */
			return router_route_find(router_route_locked(entry), values, isnull, &miss);
	}
	return InvalidOid;
}

/* ------------------------------------------------------------------ the worker */

/* In a transaction. */
static Outcome
serve(Request *request)
{
	RouterCacheEntry *entry = router_cache_entry(request->base);
	RouterRoute *route;
	Datum		values[ROUTER_MAX_LEVELS];
	bool		isnull[ROUTER_MAX_LEVELS];
	char	   *next = request->values;
	char	   *name;
	Oid			owner;

	/* before anything is read: what the owner defined is not to run as the superuser that this session began as */
	LockRelationOid(request->base, AccessShareLock);
	if (!SearchSysCacheExists1(RELOID, ObjectIdGetDatum(request->base)))
		return FAILED;
	owner = router_relation_owner(request->base);
	SetSessionAuthorization(owner, superuser_arg(owner));
	route = router_cache_route(entry);
	if (route == NULL || route->config.nkeys != request->nkeys)
		return FAILED;
	for (int i = 0; i < request->nkeys; i++)
	{
		if (route->config.keys[i].typid != request->types[i])
			return FAILED;
		values[i] = datumRestore(&next, &isnull[i]);
	}
	/* a label that this session sees otherwise comes from rows which are not committed */
	route = router_route_locked(entry);
	if (request->named || has_labels(route))
	{
		name = name_of_child(route, values, isnull);
		if (name && strcmp(name, request->name) != 0)
			return FAILED;
	}
	return OidIsValid(router_child_create_home(entry, values, isnull)) ? FOUND : FAILED;
}

/* Tells of an error only those who debug: the session meets it again. */
static Outcome
outcome_of_error(void)
{
	ErrorData  *error = router_worker_error(TopMemoryContext);

	ereport(DEBUG1,
			(errcode(error->sqlerrcode),
			 errmsg_internal("router child worker: %s", error->message)));
	return error->sqlerrcode == ERRCODE_LOCK_NOT_AVAILABLE || error->sqlerrcode == ERRCODE_T_R_DEADLOCK_DETECTED ?
		BUSY : FAILED;
}

void
router_child_worker_main(Datum arg)
{
	dsm_segment *segment;
	Request    *request;
	char		timeout[32];

	router_worker_start();
	segment = dsm_attach(DatumGetUInt32(arg));
	if (segment == NULL)
		proc_exit(0);			/* nobody waits any more */
	request = dsm_segment_address(segment);
	/* not as the owner, who need not be allowed to log in; nor to a database where that is forbidden by now */
	BackgroundWorkerInitializeConnectionByOid(request->database, InvalidOid, BGWORKER_BYPASS_ALLOWCONN);
	router_pin_worker();
	snprintf(timeout, sizeof(timeout), "%d", Max(DeadlockTimeout / 2, 1));
	SetConfigOption("lock_timeout", timeout, PGC_USERSET, PGC_S_OVERRIDE);
	pgstat_report_activity(STATE_RUNNING, MyBgworkerEntry->bgw_name);
	PG_TRY();
	{
		Outcome		outcome;

		SetCurrentStatementStartTimestamp();
		StartTransactionCommand();
		PushActiveSnapshot(GetTransactionSnapshot());
		outcome = serve(request);
		PopActiveSnapshot();
		CommitTransactionCommand();
		request->outcome = outcome;
	}
	PG_CATCH();
	{
		request->outcome = outcome_of_error();
	}
	PG_END_TRY();
	proc_exit(0);
}
