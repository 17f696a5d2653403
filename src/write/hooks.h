/*
 * executor.h
 *		Hooks into the executor. See executor.c.
 */
#ifndef ROUTER_EXECUTOR_H
#define ROUTER_EXECUTOR_H

extern void router_executor_init(void);

#endif
