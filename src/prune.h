/*
 * prune.h
 *		Planning queries on routed tables. See prune.c.
 */
#ifndef ROUTER_PRUNE_H
#define ROUTER_PRUNE_H

extern void router_prune_init(void);

#endif
