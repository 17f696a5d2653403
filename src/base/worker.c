/*
 * worker.c
 *		What all background workers of router have: how they are described, begin and fail.
 *		Who starts one: child/create_worker.c, maintain/maintain_worker.c.
 */
#include "compat.h"
#include "base/worker.h"

#include "tcop/tcopprot.h"

/* Who asks for one adds what it is to do, and whom to tell of its end. It is not started again. */
void
router_worker_describe(BackgroundWorker *worker, const char *function, const char *type, const char *name)
{
	memset(worker, 0, sizeof(*worker));
	worker->bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker->bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker->bgw_restart_time = BGW_NEVER_RESTART;
	strlcpy(worker->bgw_library_name, "router", sizeof(worker->bgw_library_name));
	strlcpy(worker->bgw_function_name, function, BGW_MAXLEN);
	strlcpy(worker->bgw_name, name, BGW_MAXLEN);
	strlcpy(worker->bgw_type, type, BGW_MAXLEN);
}

/* The first thing that a worker does. */
void
router_worker_start(void)
{
	pqsignal(SIGTERM, die);
	BackgroundWorkerUnblockSignals();
}

/*
 * A worker begins as a superuser, in a database whose owner may be anybody: he does not choose as whom it works, or
 * for how long.
 */
void
router_pin_worker(void)
{
	SetConfigOption("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_OVERRIDE);
	SetConfigOption("default_transaction_isolation", "read committed", PGC_USERSET, PGC_S_OVERRIDE);
	SetConfigOption("default_transaction_read_only", "off", PGC_USERSET, PGC_S_OVERRIDE);
	SetConfigOption("role", "none", PGC_USERSET, PGC_S_OVERRIDE);
	SetConfigOption("lock_timeout", "0", PGC_USERSET, PGC_S_OVERRIDE);
#ifdef ROUTER_HAS_TRANSACTION_TIMEOUT
	SetConfigOption("transaction_timeout", "0", PGC_USERSET, PGC_S_OVERRIDE);
#endif
}

/* In a PG_CATCH: what a worker's transaction failed with. The transaction is over, and cxt is the current context. */
ErrorData *
router_worker_error(MemoryContext cxt)
{
	ErrorData  *error;

	MemoryContextSwitchTo(cxt);
	error = CopyErrorData();
	FlushErrorState();
	AbortCurrentTransaction();
	MemoryContextSwitchTo(cxt);
	return error;
}
