/*
 * rehome.h
 *		Rows of a table that go to where they belong. See rehome.c.
 */
#ifndef ROUTER_REHOME_H
#define ROUTER_REHOME_H

#include "rows/moving.h"
#include "write/home.h"

/* Rows on their way out of one table of a route, to where they belong. */
typedef struct RouterRehoming
{
	Relation	from;
	EState	   *estate;
	RouterHomes homes;
	RouterBatch batch;
	RouterMoving moving;
} RouterRehoming;

/* Which rows of one table of a route are to go home, and how that went. */
typedef struct RouterRehome
{
	RouterCacheEntry *entry;
	Oid			from;			/* the base or a child; nobody else can write to it */
	bool		archiving;		/* the base is no home, and no rail holds a row back */
	bool		create_none;	/* give up when a row lacks its child; one of the default child stays */

	/* rows whose hot key is in [stay_from, stay_before) are known to be at home */
	bool		some_stay;
	int64		stay_from;
	int64		stay_before;

	uint64		moved;			/* result */
	bool		missing;		/* result: gave up, undo it */
} RouterRehome;

extern void router_rehoming_begin(RouterRehoming *rehoming, RouterCacheEntry *entry, Relation base, Relation from,
								  Snapshot snapshot, bool archiving);
extern void router_rehoming_end(RouterRehoming *rehoming, bool keep);
extern bool router_reaches(Oid relid, const RouterKey *key, int64 point);
extern void router_rehome(RouterRehome *rehome);

#endif
