/*
 * catalog_part.h
 *		What the files that read and write the router.* tables share. See catalog.c.
 */
#ifndef ROUTER_CATALOG_PART_H
#define ROUTER_CATALOG_PART_H

#include "catalog.h"

#include "access/genam.h"

/* columns of seal_def */
enum
{
	SEAL_BASE = 1,
	SEAL_CHILD,
	SEAL_COLUMN,
	SEAL_ATTNUM,
	SEAL_SPAN,
	SEAL_SEALED,
	SEAL_NATTS = SEAL_SEALED,
};

extern Oid	router_catalog_relid(const char *name);
extern SysScanDesc router_catalog_scan(Relation rel, const char *index, AttrNumber attno, Oid relid);
extern SysScanDesc router_catalog_scan_at(Relation rel, const char *index, AttrNumber attno, Oid relid,
										  Snapshot snapshot);
extern HeapTuple router_catalog_next(SysScanDesc scan);
extern void router_catalog_insert(const char *table, Datum *values, bool *nulls);
extern void router_catalog_delete(const char *table, const char *index, AttrNumber attno, Oid relid);
extern void router_catalog_invalidate(Oid relid);
extern void router_catalog_forewarn(Oid id);
extern TransactionId router_catalog_written_by(const char *table, const char *index, AttrNumber attno, Oid relid,
											   bool *settled);

#endif
