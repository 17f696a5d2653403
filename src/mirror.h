/*
 * mirror.h
 *		Makes a new child as good as its base. See mirror.c.
 */
#ifndef ROUTER_MIRROR_H
#define ROUTER_MIRROR_H

#include "compat.h"

#include "utils/reltrigger.h"

#define ROUTER_TRIGGER_FLUSH "!router_flush"
#define ROUTER_TRIGGER_ROUTE "~router_route"
#define ROUTER_TRIGGER_SETTLE "~router_settle"
#define ROUTER_TRIGGER_MOVE "~router_move"

extern bool router_is_own_trigger(const Trigger *trigger);
extern void router_run(const char *fmt,...) pg_attribute_printf(1, 2);
extern char *router_qualified_name(Oid relid);
extern void router_put_move_trigger(Oid relid);
extern void router_drop_move_trigger(Oid relid);
extern void router_mirror(Oid base, Oid child);

#endif
