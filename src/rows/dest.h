/*
 * dest.h
 *		Destinations of rows. See dest.c.
 */
#ifndef ROUTER_DEST_H
#define ROUTER_DEST_H

#include "compat.h"
#include "globalkey/entry.h"

#include "access/tupconvert.h"
#include "nodes/execnodes.h"

/* A table that rows go to, opened for one statement: what whoever opens it may see. The rest: dest_part.h. */
typedef struct RouterDest
{
	Relation	rel;
	ResultRelInfo *rri;
	TupleConversionMap *map;	/* base layout -> its own; NULL when they are alike */
	RouterGlobalKeyState *keys; /* the statement's global keys, or NULL; the opener's to set, as what follows */
	bool		barred;			/* no rows go there now */
	struct RouterDest *next_opened; /* of the same statement */
} RouterDest;

extern RouterDest *router_dest_open(EState *estate, Relation rel, TupleDesc source, ResultRelInfo *root,
									bool speculative);
extern void router_dest_close(RouterDest *dest);
extern void router_dest_prepare(RouterDest *dest, const TriggerDesc *base, ModifyTableState *mtstate);
extern bool router_dest_is_by_row(RouterDest *dest);
extern void router_dest_take(RouterDest *dest, Relation source, bool at_home, bool pending);

#endif
