/*
 * copy.h
 *		COPY into a base. See copy.c.
 */
#ifndef ROUTER_COPY_H
#define ROUTER_COPY_H

#include "compat.h"

#include "commands/trigger.h"

extern void router_copy_init(void);
extern bool router_copy_calls(Relation base);
extern bool router_copy_row(TriggerData *trigdata);
extern void router_copy_flush(Relation base);

#endif
