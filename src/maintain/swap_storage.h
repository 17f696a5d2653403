/*
 * swap_storage.h
 *		Two tables of a route that exchange their storage. See swap_storage.c.
 */
#ifndef ROUTER_SWAP_STORAGE_H
#define ROUTER_SWAP_STORAGE_H

#include "compat.h"

#include "nodes/pg_list.h"

typedef struct RouterStoragePair
{
	Relation	base;
	Relation	child;
	List	   *base_indexes;	/* each with its counterpart in child_indexes */
	List	   *child_indexes;
} RouterStoragePair;

extern void router_storage_pair(RouterStoragePair *pair, Relation base, Relation child);
extern void router_storage_swap(const RouterStoragePair *pair, const char *command);

#endif
