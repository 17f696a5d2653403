/*
 * create.h
 *		Creating children. See create.c.
 */
#ifndef ROUTER_CREATE_H
#define ROUTER_CREATE_H

#include "route/lock.h"

extern Oid	router_child_create(RouterEntry *entry, RouterBound **bounds, const char *name);
extern Oid	router_child_create_home(RouterEntry *entry, const Datum *values, const bool *isnull);
extern bool router_child_bounds(RouterRoute *route, const Datum *values, const bool *isnull,
								const RouterMiss *miss, RouterBound **bounds);
extern void router_child_check_bounds(RouterEntry *entry, RouterBound **bounds, Oid ignore);
extern char *router_child_name(RouterRoute *route, RouterBound **bounds);
extern char *router_child_condition(RouterRoute *route, RouterBound **bounds);
extern char *router_bounds_display(RouterRoute *route, RouterBound **bounds);
extern char *router_row_display(RouterRoute *route, const Datum *values, const bool *isnull);
extern uint64 router_move_rows(RouterEntry *entry, RouterBound **bounds, Relation from, Relation to, bool leave);
extern bool router_child_is_told(const Node *command);
extern bool router_default_child_has(RouterEntry *entry, List *wanted);
extern void router_child_fill(RouterEntry *entry, Oid child, RouterBound **bounds);
extern void router_check_label(RouterKey *key, Oid owner, const char *time_zone);
extern void router_register_child(RouterEntry *entry, Oid child, RouterBound **bounds);

#endif
