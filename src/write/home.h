/*
 * home.h
 *		From a row to the opened child it belongs to. See home.c.
 */
#ifndef ROUTER_HOME_H
#define ROUTER_HOME_H

#include "route/cache.h"
#include "rows/batch.h"

#include "storage/lockdefs.h"

/* The homes that one statement has met. */
typedef struct RouterHomes
{
	RouterCacheEntry *entry;
	Oid			base;
	TupleDesc	source;			/* layout of the rows: the base's */
	EState	   *estate;
	ResultRelInfo *root;
	ModifyTableState *mtstate;	/* the node that inserts, or NULL */
	bool		speculative;	/* for ON CONFLICT */
	bool		moved;			/* rows come from another table of the route: no trigger was fired for them */
	Relation	taken_from;		/* that table, if they come as they are; or NULL */
	bool		pending;		/* taken_from: see router_may_be_pending */
	void		(*opened) (struct RouterHomes *homes, RouterDest *dest);	/* called for each new one; or NULL */
	void	   *arg;			/* for opened */

	RouterGlobalKeyState *keys; /* global keys of the base, once a home was opened */
	RouterDest *first;			/* those opened, linked by next_opened */
	int			nopened;
	HTAB	   *dests;			/* child oid -> RouterDest, once they are many */
	bool		archiving;		/* the base is no home, and age is no reason to refuse a row */
	bool		create_none;	/* router_home returns NULL where a child is missing */
	bool		quiet;			/* errors tell no values: who is told of them is not who we are */
	bool		waiting;		/* rows wait in a default child: none is made for them */
	bool		home_locked;	/* this statement has taken the home lock */
	Oid			last_child;
	RouterDest *last_dest;
	int			created;
} RouterHomes;

extern void router_homes_init(RouterHomes *homes, RouterCacheEntry *entry, Relation base, EState *estate,
							  ResultRelInfo *root);
extern void router_homes_take(RouterHomes *homes, Relation from);
extern bool router_home_is_base(RouterCacheEntry *entry, Oid base, const Datum *values, const bool *isnull,
								bool *locked);
extern bool router_row_is_hot(RouterHomes *homes, TupleTableSlot *slot);
extern RouterDest *router_home(RouterHomes *homes, TupleTableSlot *slot);
extern bool router_home_is_too_long(RouterRoute *route, const Datum *values, const bool *isnull, int level);
extern bool router_home_is_beyond_horizon(RouterRoute *route, const Datum *values, const bool *isnull,
										  const RouterMiss *miss);
extern void router_homes_note(Oid base);
extern void router_homes_make_again(void);
extern List *router_homes_made_again(void);
extern void router_homes_close(RouterHomes *homes);

#endif
