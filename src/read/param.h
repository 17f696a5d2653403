/*
 * param.h
 *		The parameters that a finished plan depends on. See param.c.
 */
#ifndef ROUTER_PARAM_H
#define ROUTER_PARAM_H

#include "compat.h"

#include "nodes/plannodes.h"

extern void router_restore_params(PlannedStmt *stmt);

#endif
