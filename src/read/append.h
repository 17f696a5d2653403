/*
 * scan.h
 *		Reading a routed table: children left out when the plan runs. See scan.c.
 */
#ifndef ROUTER_SCAN_H
#define ROUTER_SCAN_H

#include "compat.h"

#include "nodes/plannodes.h"

extern void router_scan_init(void);
extern void router_scan_rewrite(PlannedStmt *stmt, bool prunes);

#endif
