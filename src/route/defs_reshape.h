/*
 * defs_reshape.h
 *		The table router.reshape_def. See defs_reshape.c.
 */
#ifndef ROUTER_DEFS_RESHAPE_H
#define ROUTER_DEFS_RESHAPE_H

#include "compat.h"

#include "storage/itemptr.h"

/* One row: a table whose rows are copied to where they will live. */
typedef struct RouterReshapeDef
{
	Oid			base;
	char	   *action;			/* the procedure that did it */
	Oid			shadow;			/* the routed table that has the copies */
	Oid			log;			/* the table that notes what was written meanwhile */
	bool		in_step;		/* whoever writes to the sources writes to shadow */
	bool		all;			/* children that base gets meanwhile are sources, too */
	bool		whole;			/* rows have no key, and are followed as wholes */
	int			nsources;
	Oid		   *sources;		/* whose rows are copied: base, children of it, or both */
	Oid		   *files;			/* of those where copying began; rows have other places in another one */
	int			source;			/* which is being copied */
	ItemPointerData position;	/* its rows before it are copied */
	BlockNumber blocks;			/* so many are to be */
	int64		done;			/* rows copied */
	TransactionId since;		/* in_step: shadow is right for snapshots that see this transaction */
	char	   *columns;		/* of base, and its CHECKs */
} RouterReshapeDef;

extern RouterReshapeDef *router_catalog_reshape(Oid base);
extern void router_catalog_put_reshape(const RouterReshapeDef *def);
extern void router_catalog_remove_reshape(Oid base);
extern bool router_reshape_is_copied(const RouterReshapeDef *def, bool last);

#endif
