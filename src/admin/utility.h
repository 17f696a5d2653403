/*
 * utility.h
 *		Commands on a base that reach its children. See utility.c.
 */
#ifndef ROUTER_UTILITY_H
#define ROUTER_UTILITY_H

extern void router_utility_init(void);

#endif
