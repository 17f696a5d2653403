/*
 * running_statement.h
 *		The statement that is running a trigger. See running_statement.c.
 */
#ifndef ROUTER_RUNNING_STATEMENT_H
#define ROUTER_RUNNING_STATEMENT_H

#include "compat.h"

#include "commands/trigger.h"
#include "nodes/execnodes.h"
#include "utils/reltrigger.h"

extern bool router_is_last_before_trigger(TriggerData *trigdata);
extern EState *router_running_estate(void);
extern ResultRelInfo *router_running_target(EState *estate, const Trigger *trigger);
extern ModifyTableState *router_target_node(EState *estate, ResultRelInfo *rri);
extern ModifyTable *router_target_plan(EState *estate, ResultRelInfo *rri);

#endif
