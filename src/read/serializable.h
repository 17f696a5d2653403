/*
 * serializable.h
 *		SERIALIZABLE transactions that read and write routed tables. See serializable.c.
 */
#ifndef ROUTER_SERIALIZABLE_H
#define ROUTER_SERIALIZABLE_H

#include "executor/execdesc.h"
#include "utils/relcache.h"

extern void router_serial_read(Relation base);
extern void router_serial_start(const PlannedStmt *stmt, Snapshot snapshot);
extern void router_serial_finish(EState *estate, PlanState *planstate);
extern void router_serial_wrote(Oid base, Oid table);
extern void router_serial_mark(Oid base);
extern void router_serial_init(void);

#endif
