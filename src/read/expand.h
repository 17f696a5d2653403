/*
 * expand.h
 *		Planning queries on routed tables. See expand.c.
 */
#ifndef ROUTER_EXPAND_H
#define ROUTER_EXPAND_H

extern void router_expand_init(void);

#endif
