/*
 * router.c
 *		The module: calls the parts' inits in order, nothing else.
 */
#include "compat.h"

#include "fmgr.h"
#include "utils/guc.h"

#include "base/budget.h"
#include "route/cache.h"
#include "child/create_worker.h"
#include "write/copy.h"
#include "write/defer.h"
#include "write/hooks.h"
#include "globalkey/triggers.h"
#include "read/expand.h"
#include "read/append_exec.h"
#include "read/serializable.h"
#include "reshape/follow.h"
#include "admin/utility.h"
#include "base/waitpoint.h"
#include "maintain/maintain_worker.h"

PG_MODULE_MAGIC;

extern PGDLLEXPORT void _PG_init(void);

void
_PG_init(void)
{
	router_budget_init();
	router_cache_init();
	router_globalkey_init();
	router_executor_init();
	router_serial_init();
	router_copy_init();
	router_utility_init();
	router_defer_init();
	router_append_init();
	router_expand_init();
	router_child_worker_init();
	router_worker_init();
	router_follow_init();
	router_waitpoint_init();
	MarkGUCPrefixReserved("router");
}
