/*
 * seal.h
 *		What values the columns of aged children have. See seal.c.
 */
#ifndef ROUTER_SEAL_H
#define ROUTER_SEAL_H

#include "route/catalog.h"
#include "job/job.h"

extern List *router_seal_columns(ArrayType *array);
extern void router_check_seal_columns(Oid base, List *columns);
extern ErrorData *router_seal_children(const RouterJob *job, List *columns);

#endif
