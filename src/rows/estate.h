/*
 * estate.h
 *		An EState where no executor has made one. See estate.c.
 */
#ifndef ROUTER_ESTATE_H
#define ROUTER_ESTATE_H

#include "compat.h"

#include "nodes/execnodes.h"

extern EState *router_make_estate(Relation base);
extern ResultRelInfo *router_make_root(EState *estate, Relation base);
extern void router_free_estate(EState *estate);

#endif
