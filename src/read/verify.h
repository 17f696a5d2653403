/*
 * verify.h
 *		On what a plan rests. See verify.c.
 */
#ifndef ROUTER_VERIFY_H
#define ROUTER_VERIFY_H

#include "compat.h"

#include "nodes/plannodes.h"
#include "utils/snapshot.h"

/* How far from zero the value may be that a left out base notes: a double tells each from the next. */
#define ROUTER_NOTABLE_AGE (INT64CONST(1) << 53)

extern void router_note_empty(RangeTblEntry *rte);
extern void router_note_newest(RangeTblEntry *rte, int64 newest);
extern void router_note_clock(RangeTblEntry *rte);
extern void router_note_version(RangeTblEntry *rte, uint64 version);
extern bool router_has_version(const RangeTblEntry *rte);
extern void router_note_plan(const PlannedStmt *stmt);
extern void router_verify_plan(const PlannedStmt *stmt, Snapshot snapshot);

#endif
