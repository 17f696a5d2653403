/*
 * worker.h
 *		Background workers. See worker.c.
 */
#ifndef ROUTER_WORKER_H
#define ROUTER_WORKER_H

#include "compat.h"

#include "postmaster/bgworker.h"

extern void router_worker_describe(BackgroundWorker *worker, const char *function, const char *type, const char *name);
extern void router_worker_start(void);
extern void router_pin_worker(void);
extern ErrorData *router_worker_error(MemoryContext cxt);

#endif
