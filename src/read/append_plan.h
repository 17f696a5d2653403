/*
 * append_plan.h
 *		Children left out when a plan runs: plans are rewritten for it. See append_plan.c.
 */
#ifndef ROUTER_APPEND_PLAN_H
#define ROUTER_APPEND_PLAN_H

#include "compat.h"

#include "nodes/plannodes.h"

extern void router_append_rewrite(PlannedStmt *stmt, bool prunes);

#endif
