/*
 * row_key.h
 *		What tells one row of a table from the others. See row_key.c.
 */
#ifndef ROUTER_ROW_KEY_H
#define ROUTER_ROW_KEY_H

#include "compat.h"

#include "access/skey.h"
#include "executor/tuptable.h"
#include "utils/relcache.h"
#include "utils/snapshot.h"

typedef struct RouterRowKey
{
	Relation	index;			/* NULL: nothing does */
	int			n;
	AttrNumber	attnums[INDEX_MAX_KEYS];
	ScanKeyData sought[INDEX_MAX_KEYS];
} RouterRowKey;

extern void router_row_key_open(Relation rel, RouterRowKey *key, const RouterRowKey *like, Relation other);
extern bool router_row_key_find(Relation rel, RouterRowKey *key, TupleTableSlot *slot, const AttrNumber *attnums,
								Snapshot snapshot, TupleTableSlot *found);

#endif
