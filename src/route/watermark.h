/*
 * watermark.h
 *		Where a row of a hot base lives by its age. See watermark.c.
 */
#ifndef ROUTER_WATERMARK_H
#define ROUTER_WATERMARK_H

#include "route/route.h"

#include "storage/lockdefs.h"
#include "utils/snapshot.h"

/* Where a row belongs by its age. */
typedef enum RouterZone
{
	ROUTER_COLD,				/* in a child */
	ROUTER_HOT,					/* in the base */
	ROUTER_BETWEEN,				/* archiving is on its way there: ask again under the home lock */
} RouterZone;

/* The marks of a hot base as the catalog has them: literals of the key that tells the age. */
typedef struct RouterMarks
{
	char	   *watermark;
	char	   *pending;		/* NULL: the watermark */
	char	   *reach;			/* NULL: the watermark */
} RouterMarks;

extern int	router_hot_level(const RouterConfig *config);
extern RouterZone router_route_zone(const RouterRoute *route, const Datum *values, const bool *isnull);
extern int64 router_age_cutoff(const RouterConfig *config, const Interval *age);
extern int64 router_hot_cutoff(const RouterConfig *config);

extern bool router_marks_read(Oid base, Snapshot snapshot, RouterMarks *marks);
extern void router_marks_parse(RouterKey *key, const RouterMarks *marks, int64 *watermark, int64 *pending,
							   int64 *reach);
extern TransactionId router_watermark_written_by(Oid base, bool *settled);
extern TransactionId router_reach_written_by(Oid base, bool *settled);

extern Oid	router_marks_id(void);
extern void router_marks_forewarn(void);
extern void router_put_watermark(RouterRoute *route, int64 watermark, int64 pending);
extern void router_raise_reach(const RouterRoute *route, const RouterBound *bound);

extern void router_lock_homes(Oid base, LOCKMODE mode);

#endif
