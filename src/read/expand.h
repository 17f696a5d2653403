/*
 * expand.h
 *		Planning queries on routed tables. See expand.c.
 */
#ifndef ROUTER_EXPAND_H
#define ROUTER_EXPAND_H

#include "compat.h"

#include "nodes/plannodes.h"
#include "utils/snapshot.h"

extern void router_prune_verify(const PlannedStmt *stmt, Snapshot snapshot);
extern void router_prune_init(void);

#endif
