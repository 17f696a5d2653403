/*
 * survivors.h
 *		Which children can hold rows that satisfy some clauses. See survivors.c.
 */
#ifndef ROUTER_SURVIVORS_H
#define ROUTER_SURVIVORS_H

#include "route/route.h"

/* What is known of an expression that a key is compared with. */
typedef struct RouterArg
{
	Datum		value;
	bool		isnull;
	bool		known;			/* false: a clause with this value tells nothing */
	bool		floor;			/* the expression never falls below the value later on */
} RouterArg;

/* The children that clauses leave, and the ages of the rows. */
typedef struct RouterSurvivors
{
	Bitmapset  *members;		/* of the route: without the default child */
	int64		oldest;			/* hot routes: the hot key lies between these two, or ... */
	int64		newest;
	bool		ageless;		/* ... is NULL */
} RouterSurvivors;

extern RouterSurvivors router_survivors(RouterRoute *route, const List *program, const RouterArg *args);

#endif
