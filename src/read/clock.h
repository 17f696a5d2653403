/*
 * clock.h
 *		now() and its like in plans. See clock.c.
 */
#ifndef ROUTER_CLOCK_H
#define ROUTER_CLOCK_H

#include "compat.h"

#include "nodes/pathnodes.h"

extern bool router_clock_floor(PlannerInfo *root, Node *node, Datum *value);
extern void router_clock_note(void);
extern void router_clock_check(void);

#endif
