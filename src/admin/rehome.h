/*
 * rehome.h
 *		Rows of a table that go to where they belong. See rehome.c.
 */
#ifndef ROUTER_REHOME_H
#define ROUTER_REHOME_H

#include "route/cache.h"

#include "access/genam.h"
#include "utils/snapshot.h"

/* Which rows of one table of a route are to go home, and how that went. */
typedef struct RouterSettle
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
} RouterSettle;

extern void router_settle(RouterSettle *settle);

extern Oid	router_key_index(Relation rel, const char *column);
extern IndexScanDesc router_key_scan(Relation rel, Relation index, const RouterKey *key, Snapshot snapshot, int64 from,
									 int64 before);

#endif
