/*
 * sync.h
 *		Children kept like their base. See sync.c.
 */
#ifndef ROUTER_SYNC_H
#define ROUTER_SYNC_H

#include "mirror/mirror.h"

#include "route/cache.h"

/* More to compare than mirror.c does; or'ed with its aspects. */
#define ROUTER_OWNER		0x10000
#define ROUTER_HOME			0x20000 /* the CHECK */
#define ROUTER_ALL			(ROUTER_EVERYTHING | ROUTER_OWNER | ROUTER_HOME)

/* Does something to one child of a base. */
typedef void (*RouterChildAction) (Oid base, Oid child, void *arg);

extern int	router_sync_child(const RouterMirror *request, Oid base, Oid child);
extern int	router_sync_children(const RouterMirror *request, Oid base);
extern void router_for_children(Oid base, RouterChildAction action, void *arg);

#endif
