/*
 * survivors.h
 *		Which children can hold rows that satisfy some clauses. See survivors.c.
 */
#ifndef ROUTER_SURVIVORS_H
#define ROUTER_SURVIVORS_H

#include "route/cache.h"

/* What is known of the expressions that keys are compared with. */
typedef struct RouterArgs
{
	int			n;
	Datum	   *values;
	bool	   *isnull;
	bool	   *known;			/* false: a clause with this value tells nothing */
	bool	   *floor;			/* a value that the expression never falls below later on */
} RouterArgs;

/* The children that clauses leave, and the ages of the rows. */
typedef struct RouterSurvivors
{
	Oid		   *children;		/* sorted; without the default child */
	int			nchildren;
	int64		oldest;			/* hot routes: the hot key lies between these two, or ... */
	int64		newest;
	bool		ageless;		/* ... is NULL */
} RouterSurvivors;

extern void router_qual_survivors(RouterRoute *route, const List *program, const RouterArgs *args,
								  RouterSurvivors *result);

#endif
