/*
 * child_name.h
 *		Names of children. See child_name.c.
 */
#ifndef ROUTER_CHILD_NAME_H
#define ROUTER_CHILD_NAME_H

#include "route/cache.h"

extern char *router_label_part(RouterKey *key, const RouterBound *bound);
extern char *router_expand_template(const char *template, const char *base, char **parts, int nparts);
extern char *router_child_schema_name(const RouterConfig *config);
extern Oid	router_child_schema(const RouterConfig *config);
extern char *router_child_usual_name(RouterRoute *route, RouterBound **bounds, char **hashed, bool *odd);
extern char *router_child_name(RouterRoute *route, RouterBound **bounds);
extern void router_check_label(RouterKey *key, Oid owner, const char *time_zone);

#endif
