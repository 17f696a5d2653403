/*
 * clone.h
 *		What router.clone and router.retry_rejects have in common. See clone.c.
 */
#ifndef ROUTER_CLONE_H
#define ROUTER_CLONE_H

#include "compat.h"

#include "job/job.h"
#include "reshape/clone_put.h"
#include "route/defs_clone.h"

/* Their last arguments. */
typedef struct RouterCloneArgs
{
	int			batch_rows;
	long		pause_ms;		/* between batches */
} RouterCloneArgs;

extern void router_clone_begin(RouterJob *job, FunctionCallInfo fcinfo, Oid base, const char *action,
							   RouterCloneArgs *args, int batch_rows, int lock_timeout, int dry_run);
extern void router_clone_lock(const RouterCloneDef *def, bool session);
extern void router_clone_unlock(const RouterCloneDef *def);
extern void router_clone_lock_tables(const RouterCloneDef *def);
extern void router_clone_describe(RouterReject *reject, const ErrorData *error);

#endif
