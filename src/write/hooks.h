/*
 * hooks.h
 *		Hooks into the executor. See hooks.c.
 */
#ifndef ROUTER_HOOKS_H
#define ROUTER_HOOKS_H

extern void router_executor_init(void);

#endif
