/*
 * guard.h
 *		Who calls a trigger function of router. See guard.c.
 */
#ifndef ROUTER_GUARD_H
#define ROUTER_GUARD_H

#include "compat.h"

#include "commands/trigger.h"
#include "fmgr.h"

/* A trigger of router's: its name, level, timing and events, in bits of pg_trigger.tgtype. */
typedef struct RouterOwnTrigger
{
	const char *name;
	int16		type;
} RouterOwnTrigger;

extern TriggerData *router_own_call(FunctionCallInfo fcinfo, const char *function, const RouterOwnTrigger *triggers,
									int n);

#endif
