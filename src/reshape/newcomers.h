/*
 * newcomers.h
 *		Children that a table gets while it gets another shape. See newcomers.c.
 */
#ifndef ROUTER_NEWCOMERS_H
#define ROUTER_NEWCOMERS_H

#include "route/catalog.h"
#include "route/defs_reshape.h"

typedef struct RouterNewcomers RouterNewcomers;

extern bool router_rows_wait(const RouterReshapeDef *def, Oid source);
extern bool router_in_the_way(RouterRoute *route, RouterBound **bounds, RouterBound **other);
extern bool router_may_grow(const RouterReshapeDef *def);
extern RouterNewcomers *router_newcomers_open(const RouterReshapeDef *def);
extern bool router_is_source(const RouterNewcomers *news, const RouterChildDef *child);

#endif
