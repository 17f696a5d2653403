/*
 * reshape.h
 *		A table gets another shape while it is used. See reshape.c.
 */
#ifndef ROUTER_RESHAPE_H
#define ROUTER_RESHAPE_H

#include "compat.h"

#include "nodes/pg_list.h"

#include "job/job.h"

#include "route/catalog.h"
#include "route/defs_reshape.h"

typedef struct RouterReshape RouterReshape;

/* What differs from one kind of shape to another. All is called as the owner of the table, SPI is connected. */
typedef struct RouterReshapeKind
{
	/* can the table get this shape, or is it what it was begun with? An error says why not; def may be empty */
	void		(*check) (RouterReshape *r);
	/* the children of the shadow become those of the table; all are locked AccessExclusive */
	void		(*take_over) (const RouterReshapeDef *def);
	bool		all;			/* the sources are all children, those that come meanwhile as well */
} RouterReshapeKind;

/* A run. */
struct RouterReshape
{
	RouterJob	job;
	const RouterReshapeKind *kind;
	FunctionCallInfo fcinfo;	/* of the call */
	FunctionCallInfo route;		/* the arguments that tell the route: see shadow.h; NULL: bounds do */
	List	   *sources;		/* oids: the tables whose rows are copied; NIL: the route becomes config, that is all */
	RouterConfig *config;		/* that the route will be, with known bounds */
	List	   *bounds;			/* of the new children, each char ** with one a level; NIL: those that rows need */
	List	   *planned;		/* the same, each RouterBound ** */
	int			level;			/* at which these are others than those of the sources; -1: see config */
	int			batch_rows;
	long		pause_ms;		/* between batches */

	RouterReshapeDef def;
	uint64		expected;		/* rows in all */
	bool		careful;		/* look for each row whether it is there */
	bool		whole;			/* rows have no key, or one that another row may have */
	bool		missing;		/* the batch ended at a row whose child is missing */
	bool		again;			/* the table has other storage: copy all again */
	int64		noted;			/* in the last round of catching up */
	Oid			child;			/* that is finished */
	uint64		rows;			/* compared */
};

extern void router_reshape_begin(RouterReshape *r, FunctionCallInfo fcinfo, Oid base, const char *action, int later);
extern void router_reshape_one_key(FunctionCallInfo fcinfo);
extern void router_refuse_other_reshape(const RouterReshape *r);
extern bool router_reshape_call(RouterReshape *r);
extern ErrorData *router_reshape_run(RouterReshape *r, bool *done);
extern ErrorData *router_reshape_cancel(RouterReshape *r);

/* sources.c */
extern void router_check_source(RouterReshape *r, Oid child);
extern void router_check_keys(RouterReshape *r);

#endif
