/*
 * unroute.c
 *		CALL router.unroute: a routed table becomes an ordinary one again, with all its
 *		rows, while it is used.
 *
 * Children and base are copied to one table, laid out like the base, whose storage the base has in the end: so it is
 * the same table for views, grants, and what else refers to it.
 */
#include "compat.h"

#include "access/table.h"
#include "executor/spi.h"
#include "storage/lmgr.h"
#include "utils/lsyscache.h"

#include "base/args.h"
#include "base/sql.h"
#include "maintain/swap_storage.h"
#include "reshape/reshape.h"
#include "reshape/shadow.h"
#include "route/catalog.h"
#include "route/owned.h"

PG_FUNCTION_INFO_V1(router_unroute);

/* What only rows of the base itself have passed, and what goes with the route. */
static void
check_base(Oid base)
{
	char	   *check = router_ask("SELECT conname FROM pg_constraint WHERE conrelid = %u AND contype = 'c' AND connoinherit LIMIT 1",
								   base);
	char	   *key = router_ask("SELECT g.key_table FROM router.global_key_def g"
								 " WHERE base = %u AND EXISTS (SELECT FROM pg_constraint WHERE confrelid = g.key_table) LIMIT 1",
								 base);

	if (check)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("constraint \"%s\" of \"%s\" does not hold for the rows of children", check, get_rel_name(base)),
				 errhint("Drop it, and add it again afterwards.")));
	if (key)
		ereport(ERROR,
				(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
				 errmsg("a foreign key refers to key table %s of \"%s\"", key, get_rel_name(base)),
				 errdetail("The key table goes with the route."),
				 errhint("Drop the foreign key; afterwards it can refer to the table, if that has a unique index.")));
}

static void
check(RouterReshape *r)
{
	MemoryContext old;
	ListCell   *lc;
	char	  **texts;

	LockRelationOid(r->job.base, AccessShareLock);
	(void) router_owned_route(r->job.base);
	check_base(r->job.base);
	old = MemoryContextSwitchTo(r->job.cxt);
	list_free(r->sources);
	r->sources = list_make1_oid(r->job.base);
	foreach(lc, router_catalog_children(r->job.base))
		r->sources = lappend_oid(r->sources, ((RouterChildDef *) lfirst(lc))->child);
	texts = palloc(sizeof(char *));
	texts[0] = "default";
	r->bounds = list_make1(texts);
	MemoryContextSwitchTo(old);
	foreach(lc, r->sources)
		if (lfirst_oid(lc) != r->job.base)
			router_check_source(r, lfirst_oid(lc));
	if (list_length(r->sources) > 2)
		router_check_keys(r);
}

/* CALL router.unroute(base, batch_rows, pause, time_budget, lock_timeout, dry_run) */
Datum
router_unroute(PG_FUNCTION_ARGS)
{
	static const RouterReshapeKind kind = {check, router_shadow_give_storage, true};
	RouterReshape r;

	router_require(fcinfo, 1);
	router_reshape_begin(&r, fcinfo, PG_GETARG_OID(0), "unroute", 1);
	r.kind = &kind;
	if (router_reshape_call(&r))
		ereport(NOTICE,
				(errmsg("%s is an ordinary table again, " UINT64_FORMAT " rows", router_job_name(r.job.base), r.rows)));
	else if (r.job.dry_run)
		ereport(NOTICE,
				(errmsg("would make %s an ordinary table again, about " UINT64_FORMAT " rows of %d children",
						router_job_name(r.job.base), r.expected, list_length(r.sources) - 1)));
	router_job_end(&r.job);
	PG_RETURN_VOID();
}
