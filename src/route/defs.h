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

/* columns of route_def */
enum
{
	ROUTE_BASE = 1,
	ROUTE_TIME_ZONE,
	ROUTE_TEMPLATE,
	ROUTE_ON_MISSING,
	ROUTE_ON_REJECT,
	ROUTE_HORIZON,
	ROUTE_MAX_NEW_CHILDREN,
	ROUTE_HOT,
	ROUTE_WATERMARK,
	ROUTE_PENDING,
	ROUTE_NATTS = ROUTE_PENDING,
};

/* columns of reach_def */
enum
{
	REACH_BASE = 1,
	REACH_REACH,
	REACH_NATTS = REACH_REACH,
};

/* columns of key_def */
enum
{
	KEY_BASE = 1,
	KEY_LEVEL,
	KEY_KIND,
	KEY_COLUMN,
	KEY_ATTNUM,
	KEY_EVERY,
	KEY_MODULUS,
	KEY_GROUPS,
	KEY_PIVOT,
	KEY_LABEL,
	KEY_NATTS = KEY_LABEL,
};

/* columns of child_def */
enum
{
	CHILD_CHILD = 1,
	CHILD_BASE,
	CHILD_BOUNDS,
	CHILD_NATTS = CHILD_BOUNDS,
};

/* columns of global_key_def */
enum
{
	GLOBAL_BASE = 1,
	GLOBAL_KEY_TABLE,
	GLOBAL_COLUMNS,
	GLOBAL_ATTNUMS,
	GLOBAL_NATTS = GLOBAL_ATTNUMS,
};

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
extern void router_catalog_delete(const char *table, const char *index, AttrNumber attno, Oid relid);
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
