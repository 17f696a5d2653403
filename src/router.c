/*
 * router.c
 *		The module: calls the parts' inits in order, nothing else.
 */
#include "compat.h"

#include "fmgr.h"
#include "utils/guc.h"

#include "budget.h"
#include "cache.h"
#include "child_worker.h"
#include "copy.h"
#include "defer.h"
#include "executor.h"
#include "keep.h"
#include "prune.h"
#include "scan.h"
#include "serial.h"
#include "utility.h"
#include "waitpoint.h"
#include "worker.h"

PG_MODULE_MAGIC;

extern PGDLLEXPORT void _PG_init(void);

void
_PG_init(void)
{
	router_budget_init();
	router_cache_init();
	router_keep_init();
	router_executor_init();
	router_serial_init();
	router_copy_init();
	router_utility_init();
	router_defer_init();
	router_scan_init();
	router_prune_init();
	router_child_worker_init();
	router_worker_init();
	router_waitpoint_init();
	MarkGUCPrefixReserved("router");
}
