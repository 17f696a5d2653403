/*
 * worker.h
 *		Nightly maintenance by a background worker. See worker.c.
 */
#ifndef ROUTER_WORKER_H
#define ROUTER_WORKER_H

extern void router_worker_init(void);

#endif
