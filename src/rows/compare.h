/*
 * compare.h
 *		Number and checksum of rows. See compare.c.
 */
#ifndef ROUTER_COMPARE_H
#define ROUTER_COMPARE_H

#include "utils/relcache.h"
#include "utils/snapshot.h"

extern char *router_row_text(Oid relid);
extern char *router_sum_up(const char *table, const char *row, Snapshot snapshot, uint64 *rows);
extern void router_sum_rows(Oid relid, Relation order, Snapshot snapshot, uint64 *rows, uint64 *sum);
extern uint64 router_count_rows(const char *table);

#endif
