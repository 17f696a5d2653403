/*
 * follow.h
 *		Children follow a command on their base. See follow.c.
 */
#ifndef ROUTER_FOLLOW_H
#define ROUTER_FOLLOW_H

#include "compat.h"
#include "nodes/parsenodes.h"
#include "tcop/deparse_utility.h"

extern void router_follow_alter_table(List **follows, AlterTableStmt *stmt);
extern void router_follow_command(List **follows, Node *parsetree, CollectedCommand *command);
extern void router_follow(List *follows);

#endif
