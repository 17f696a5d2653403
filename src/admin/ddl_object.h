/*
 * ddl_object.h
 *		What a command is about. See ddl_object.c.
 */
#ifndef ROUTER_DDL_OBJECT_H
#define ROUTER_DDL_OBJECT_H

#include "compat.h"
#include "access/htup.h"
#include "catalog/objectaddress.h"
#include "nodes/pg_list.h"

extern HeapTuple router_object_row(Oid classid, Oid oid, bool deleted, Oid *table);
extern Oid	router_object_table(const ObjectAddress *object, int *aspects);
extern bool router_is_base(Oid relid);
extern List *router_bases_below(Oid relid);

#endif
