/*
 * other_router.h
 *		Triggers by which other tools route rows. See other_router.c.
 */
#ifndef ROUTER_OTHER_ROUTER_H
#define ROUTER_OTHER_ROUTER_H

#include "compat.h"

#include "nodes/pg_list.h"
#include "utils/reltrigger.h"

extern bool router_is_known_router(const Trigger *made);
extern bool router_is_suspect(const Trigger *trigger, List *children);

#endif
