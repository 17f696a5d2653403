/*
 * remote.h
 *		The table on another server that a foreign child stands for. See remote.c.
 */
#ifndef ROUTER_REMOTE_H
#define ROUTER_REMOTE_H

#include "utils/elog.h"

typedef struct RouterRemote RouterRemote;

extern RouterRemote *router_remote_for(Oid child, const char *server, const char *schema);
extern RouterRemote *router_remote_of(Oid foreign_table);
extern const char *router_remote_commands(const RouterRemote *remote);
extern void router_remote_create(RouterRemote *remote);
extern bool router_remote_is_given(const RouterRemote *remote);
extern void router_remote_attach(const RouterRemote *remote, const char *name);
extern void router_remote_drop(const RouterRemote *remote);
extern void router_remote_warn(const RouterRemote *remote, const ErrorData *error);

#endif
