/*
 * append.h
 *		Reading a routed table: children left out when the plan runs. See append.c.
 */
#ifndef ROUTER_APPEND_H
#define ROUTER_APPEND_H

#include "compat.h"

#include "nodes/plannodes.h"

extern void router_scan_init(void);
extern void router_scan_rewrite(PlannedStmt *stmt, bool prunes);

#endif
