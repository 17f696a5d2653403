/*
 * rotate.h
 *		Turnover of a hot base by a swap of storage. See rotate.c.
 */
#ifndef ROUTER_ROTATE_H
#define ROUTER_ROTATE_H

#include "job.h"

extern ErrorData *router_rotate_base(const RouterJob *job, const char *cutoff, bool dry_run, uint64 *rows);
extern bool router_rotate_if_it_pays(const RouterJob *job, const char *cutoff, uint64 *rows);

#endif
