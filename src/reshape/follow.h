/*
 * follow.h
 *		What is written to a table that gets another shape. See follow.c.
 */
#ifndef ROUTER_FOLLOW_H
#define ROUTER_FOLLOW_H

#include "route/defs_reshape.h"

extern void router_follow_init(void);
extern void router_follow_source(const RouterReshapeDef *def, Oid source);
extern void router_follow_end(const RouterReshapeDef *def);
extern bool router_follow_is_on(Oid source);

#endif
