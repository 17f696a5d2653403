/*
 * type_ddl.h
 *		The catalog follows the types of keys. See type_ddl.c.
 */
#ifndef ROUTER_TYPE_DDL_H
#define ROUTER_TYPE_DDL_H

#include "compat.h"

#include "nodes/parsenodes.h"

extern List *router_tables_below(Oid relid);
extern bool router_changes_columns(const AlterTableStmt *stmt);
extern void router_type_ddl_start(Node *parsetree);
extern void router_type_ddl_end(Node *parsetree);
extern void router_type_columns_dropped(List *relids);

#endif
