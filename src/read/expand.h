/*
 * prune.h
 *		Planning queries on routed tables. See prune.c.
 */
#ifndef ROUTER_PRUNE_H
#define ROUTER_PRUNE_H

#include "compat.h"

#include "nodes/plannodes.h"
#include "utils/snapshot.h"

extern void router_prune_verify(const PlannedStmt *stmt, Snapshot snapshot);
extern void router_prune_init(void);

#endif
