/*
 * ddl_guard.h
 *		What DDL may not do to bases. See ddl_guard.c.
 */
#ifndef ROUTER_DDL_GUARD_H
#define ROUTER_DDL_GUARD_H

#include "compat.h"
#include "nodes/parsenodes.h"
#include "tcop/deparse_utility.h"

extern void router_guard_alter_table(const AlterTableStmt *stmt);
extern void router_guard_reshape(Node *parsetree);
extern void router_guard_grant(const GrantStmt *stmt);
extern void router_check_command(Node *parsetree, CollectedCommand *command);

#endif
