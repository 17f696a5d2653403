/*
 * swap_storage.h
 *		Two tables of a route that exchange their storage. See swap_storage.c.
 */
#ifndef ROUTER_SWAP_STORAGE_H
#define ROUTER_SWAP_STORAGE_H

#include "compat.h"

#include "utils/relcache.h"

extern void router_check_swap(Relation base, Relation child);
extern void router_check_unpublished(Relation base, Relation child);
extern void router_swap_storage(Relation base, Relation child, const char *command);

#endif
