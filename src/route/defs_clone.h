/*
 * defs_clone.h
 *		The rows of router.clone_def and reject_def. See defs_clone.c.
 */
#ifndef ROUTER_DEFS_CLONE_H
#define ROUTER_DEFS_CLONE_H

#include "compat.h"

#include "nodes/pg_list.h"
#include "storage/itemptr.h"

#include "route/catalog.h"

/* How far the rows of a source are copied into a base. */
typedef struct RouterCloneDef
{
	int64		id;				/* 0: it has none yet */
	Oid			base;
	Oid			source;
	Oid			role;			/* whose filter and columns these are */
	char	   *filter;			/* or NULL */
	char	   *columns;		/* jsonb in text, or NULL */
	char	  **key;			/* columns in whose order rows are copied */
	int			nkey;			/* 0: in no order of theirs */
	char	   *files;			/* that are read by places, or NULL */
	char	  **position;		/* the key of the last row, or the block that is next */
	int			nposition;		/* 0: at the beginning */
	int64		handled;		/* rows that went in or were rejected */
	int64		rejected;		/* numbers that were given to rejects */
	bool		finished;
} RouterCloneDef;

/* A row that did not go in. */
typedef struct RouterReject
{
	int64		number;			/* within its clone */
	ItemPointerData tid;		/* in reject_def, of one that was read */
	char	   *kind;			/* error, duplicate or constraint */
	char	   *sqlstate;
	char	   *message;
	Datum		row;			/* jsonb: of the source, each value as text */
	int			tries;
} RouterReject;

extern List *router_catalog_clones(Oid base);
extern void router_catalog_put_clone(RouterCloneDef *def);
extern int64 router_catalog_remove_rejects(Oid base, int64 clone);
extern void router_catalog_remove_clone(const RouterCloneDef *def);
extern void router_catalog_remove_clones(Oid base);
extern void router_catalog_add_reject(const RouterCloneDef *def, const RouterReject *reject);
extern void router_catalog_remove_reject(const RouterReject *reject);
extern int64 *router_rejected_as(RouterRejected *rejected, const char *kind);
extern void router_catalog_count_rejects(Oid base, int64 clone, RouterRejected *rejected);
extern List *router_catalog_rejects(Oid base, int64 clone, int64 after, int n);

#endif
