/*
 * route_triggers.h
 *		The triggers of a base. See route_triggers.c.
 */
#ifndef ROUTER_ROUTE_TRIGGERS_H
#define ROUTER_ROUTE_TRIGGERS_H

#include "mirror/mirror.h"

extern int	router_sync_triggers(const RouterMirror *request, Oid base);
extern void router_drop_triggers(Oid base);
extern void router_keep_always(const AlterTableStmt *stmt);

#endif
