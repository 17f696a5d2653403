/*
 * budget.h
 *		What one base may cost. See budget.c.
 */
#ifndef ROUTER_BUDGET_H
#define ROUTER_BUDGET_H

#include "compat.h"

#include "datatype/timestamp.h"
#include "fmgr.h"

#include "base/attempt.h"

extern const Interval *router_table_budget(FunctionCallInfo fcinfo, int arg);
extern ErrorData *router_attempt_within(const Interval *budget, RouterAttempt attempt, bool (*work) (void *arg),
										void *arg);
extern ErrorData *router_attempt_step(bool (*work) (void *arg), void *arg);

extern void router_budget_init(void);

#endif
