/*
 * maintain_worker.h
 *		Nightly maintenance by a background worker. See maintain_worker.c.
 */
#ifndef ROUTER_MAINTAIN_WORKER_H
#define ROUTER_MAINTAIN_WORKER_H

extern void router_worker_init(void);

#endif
