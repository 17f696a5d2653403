/*
 * reshape_part.h
 *		What reshape.c, reshape_state.c, copy_batches.c and finish.c share: the steps of a run.
 */
#ifndef ROUTER_RESHAPE_PART_H
#define ROUTER_RESHAPE_PART_H

#include "reshape/reshape.h"

#include "storage/lockdefs.h"

/* reshape_state.c */
extern void router_reshape_read(RouterReshape *r);
extern char *router_reshape_nature(Oid table);
extern void router_reshape_begin_source(RouterReshape *r, int source);
extern void router_reshape_lock_if_free(RouterReshape *r, Oid relid, LOCKMODE mode);
extern void router_reshape_lock(RouterReshape *r, LOCKMODE mode);
extern void router_reshape_check_source(RouterReshape *r, Oid source);
extern void router_reshape_check_columns(RouterReshape *r);
extern bool router_reshape_check(RouterReshape *r, int from, int to);

/* copy_batches.c */
extern ErrorData *router_reshape_copy(RouterReshape *r);
extern bool router_reshape_begin_again(RouterJob *job);

/* finish.c */
extern ErrorData *router_reshape_each_child(RouterReshape *r, const RouterStep *steps, int nsteps);
extern bool router_reshape_index_child(RouterJob *job);
extern ErrorData *router_reshape_finish(RouterReshape *r);

#endif
