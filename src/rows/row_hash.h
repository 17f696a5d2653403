/*
 * row_hash.h
 *		Rows by the hash of all their columns. See row_hash.c.
 */
#ifndef ROUTER_ROW_HASH_H
#define ROUTER_ROW_HASH_H

#include "compat.h"

#include "executor/tuptable.h"

extern uint64 router_hash_value(uint64 hash, Form_pg_attribute att, Datum value, bool isnull);
extern bool router_is_row_index(Relation index);
extern bool router_same_values(TupleDesc desc, TupleTableSlot *a, TupleTableSlot *b, const AttrNumber *attnums, int n);

#endif
