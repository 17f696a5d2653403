/*
 * key_scan.h
 *		The rows of a table by the key that tells their age. See key_scan.c.
 */
#ifndef ROUTER_KEY_SCAN_H
#define ROUTER_KEY_SCAN_H

#include "route/route.h"

#include "access/genam.h"
#include "access/tableam.h"
#include "utils/snapshot.h"

typedef struct RouterKeyScan
{
	Snapshot	snapshot;
	Relation	index;			/* or NULL: the whole table is read, and the rows come in no order */
	TupleTableSlot *slot;		/* the row, and */
	int64		value;			/* its key */

	/* of key_scan.c alone */
	RouterKey	key;
	AttrNumber	attnum;			/* in the table */
	int64		from;
	int64		before;
	bool		nulls;			/* the rows without a key instead */
	IndexScanDesc iscan;
	TableScanDesc tscan;
} RouterKeyScan;

extern bool router_has_key_index(Relation rel, const RouterRoute *route);
extern void router_key_scan_begin(RouterKeyScan *scan, Relation rel, const RouterRoute *route, Snapshot snapshot,
								  int64 from, int64 before);
extern void router_null_scan_begin(RouterKeyScan *scan, Relation rel, const RouterRoute *route, Snapshot snapshot);
extern bool router_key_scan_takes(RouterKeyScan *scan);
extern bool router_key_scan_next(RouterKeyScan *scan);
extern void router_key_scan_end(RouterKeyScan *scan);

#endif
