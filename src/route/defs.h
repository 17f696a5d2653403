/*
 * defs.h
 *		Rows of the tables of router's schema. See defs.c.
 */
#ifndef ROUTER_DEFS_H
#define ROUTER_DEFS_H

#include "compat.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "datatype/timestamp.h"
#include "nodes/pg_list.h"
#include "utils/array.h"

/* columns of route_def, for defs_route.c and watermark.c */
enum
{
	ROUTE_BASE = 1,
	ROUTE_TIME_ZONE,
	ROUTE_TEMPLATE,
	ROUTE_CHILD_SCHEMA,
	ROUTE_ON_MISSING,
	ROUTE_ON_REJECT,
	ROUTE_HORIZON,
	ROUTE_MAX_NEW_CHILDREN,
	ROUTE_HOT,
	ROUTE_WATERMARK,
	ROUTE_PENDING,
	ROUTE_NATTS = ROUTE_PENDING,
};

extern Oid	router_catalog_relid(const char *name);
extern bool router_catalog_exists(void);
extern void router_catalog_read_at_once(void (*read) (void *arg), void *arg);
extern SysScanDesc router_catalog_scan(const char *table, const char *index, AttrNumber attno, Oid relid);
extern SysScanDesc router_catalog_scan_at(const char *table, const char *index, AttrNumber attno, Oid relid,
										  Snapshot snapshot);
extern SysScanDesc router_catalog_scan_to_write(const char *table, const char *index, AttrNumber attno, Oid relid);
extern HeapTuple router_catalog_next(SysScanDesc scan);
extern void router_catalog_end(SysScanDesc scan);
extern void router_catalog_end_write(SysScanDesc scan);
extern void router_catalog_insert(const char *table, Datum *values, bool *nulls);
extern void router_catalog_delete(const char *table, const char *index, const char *column, Oid relid);
extern void router_catalog_invalidate(Oid relid);
extern void router_catalog_forewarn(Oid id);
extern TransactionId router_catalog_written_by(const char *table, const char *index, AttrNumber attno, Oid relid,
											   bool *settled);

extern void router_put_text(const char *value, Datum *datum, bool *isnull);
extern char *router_get_text(HeapTuple tup, int attno, TupleDesc desc);
extern int	router_get_int4(HeapTuple tup, int attno, TupleDesc desc, int otherwise);
extern AttrNumber router_get_int2(HeapTuple tup, int attno, TupleDesc desc);
extern Interval *router_get_interval(HeapTuple tup, int attno, TupleDesc desc);
extern List *router_get_names(HeapTuple tup, int attno, TupleDesc desc);
extern void router_put_name(const char *value, Datum *datum, bool *isnull);
extern char *router_get_name(HeapTuple tup, int attno, TupleDesc desc);
extern Oid	router_get_oid(HeapTuple tup, int attno, TupleDesc desc);
extern Datum router_text_array(char **elements, int n);
extern char **router_text_elements(Datum array, int *n);
extern Datum router_name_array(List *names);
extern List *router_catalog_names(ArrayType *array);

#endif
