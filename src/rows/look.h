/*
 * look.h
 *		May what is evaluated for a row look into tables? See look.c.
 */
#ifndef ROUTER_LOOK_H
#define ROUTER_LOOK_H

#include "compat.h"

#include "nodes/execnodes.h"

extern bool router_expr_looks(Node *expr);
extern bool router_row_looks(ResultRelInfo *rri);
extern bool router_input_looks(Relation rel);
extern bool router_plan_looks(PlannedStmt *stmt);

#endif
