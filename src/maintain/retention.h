/*
 * retention.h
 *		Children that are older than a route keeps. See retention.c.
 */
#ifndef ROUTER_RETENTION_H
#define ROUTER_RETENTION_H

#include "route/catalog.h"
#include "job/job.h"

extern ErrorData *router_retire_children(const RouterJob *job, const RouterUpkeep *upkeep, uint64 *retired);

#endif
