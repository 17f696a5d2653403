/*
 * reshape.h
 *		A table gets another shape while it is used. See reshape.c.
 */
#ifndef ROUTER_RESHAPE_H
#define ROUTER_RESHAPE_H

#include "compat.h"

#include "job/job.h"
#include "route/defs_reshape.h"

/* A run. */
typedef struct RouterReshape
{
	RouterJob	job;
	FunctionCallInfo fcinfo;	/* the arguments that tell the route: see shadow.h */
	int			batch_rows;
	const Interval *pause;		/* between batches, or NULL */

	RouterReshapeDef def;
	uint64		expected;		/* rows in all */
	bool		careful;		/* look for each row whether it is there */
	bool		missing;		/* the batch ended at a row whose child is missing */
	bool		again;			/* the table has other storage: copy all again */
	int64		noted;			/* in the last round of catching up */
	Oid			child;			/* that is finished */
	uint64		rows;			/* compared */
} RouterReshape;

extern ErrorData *router_reshape_run(RouterReshape *r, bool *done);
extern ErrorData *router_reshape_cancel(RouterReshape *r);

#endif
