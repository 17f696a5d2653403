/*
 * compare.h
 *		Number and checksum of rows. See compare.c.
 */
#ifndef ROUTER_COMPARE_H
#define ROUTER_COMPARE_H

#include "utils/snapshot.h"

extern char *router_row_text(Oid relid);
extern char *router_sum_up(const char *table, const char *row, Snapshot snapshot, uint64 *rows);
extern uint64 router_count_rows(const char *table);

#endif
