/*
 * move.h
 *		Destinations of rows, and batches of rows on their way. See move.c.
 */
#ifndef ROUTER_MOVE_H
#define ROUTER_MOVE_H

#include "compat.h"
#include "rows/bulk.h"
#include "globalkey/entry.h"

#include "access/tupconvert.h"
#include "nodes/execnodes.h"
#include "utils/reltrigger.h"

struct CopyFromStateData;

/* A table that rows go to, opened for one statement. */
typedef struct RouterDest
{
	Relation	rel;
	ResultRelInfo *rri;
	TupleConversionMap *map;	/* base layout -> its own; NULL when they are alike */
	bool		owns_rel;		/* close the relation at the end */
	EState	   *estate;			/* of a foreign table made ready; else NULL */
	RouterGlobalKeyState *keys;			/* the statement's global keys, or NULL */
	bool		by_row;			/* rows go there one by one: router_dest_is_by_row */
	bool		looked;			/* whether what is evaluated for them is a reason */
	bool		barred;			/* the opener's mark: no rows go there now */
	bool		keeps_generated;	/* rows come with the values of generated columns */
	bool		pending;		/* some of the rows that come may have checks to come */
	bool		recheck;		/* those that come now have */
	Oid			referenced;		/* the table they come from, if a foreign key refers to it */
	RouterBulk *bulk;			/* index entries kept back, or NULL */

	TupleDesc	slot_desc;		/* of the slots; not counted, so that slots need no pin */
	TupleTableSlot **slots;		/* rows waiting to be inserted */
	uint64	   *lines;			/* COPY: where each of them came from */
	int			nslots;
	int			nused;
	Size		nbytes;
	bool		is_pending;
	struct RouterDest *next_pending;
	struct RouterDest *next_opened; /* of the same statement */
} RouterDest;

/* Rows on their way into several destinations. */
typedef struct RouterBatch
{
	EState	   *estate;
	CommandId	cid;			/* InvalidCommandId: the current one at each flush */
	TransitionCaptureState *capture;
	struct CopyFromStateData *copy; /* for line numbers in error messages, or NULL */
	bool		may_take;		/* rows may be taken out of the slots they come in */
	bool		freeze;			/* COPY FREEZE: rows into tables that are new here are frozen */
	int			bulk_kb;		/* not 0: keep index entries back, in so much memory; router_dest_enter ends it */
	/* called for each row as it will be inserted, and for each row inserted; or NULL */
	void		(*check) (struct RouterBatch *batch, RouterDest *dest, TupleTableSlot *slot);
	void		(*inserted) (struct RouterBatch *batch, RouterDest *dest, TupleTableSlot *slot);
	void	   *arg;			/* for both */
	RouterDest *pending;
	int			nrows;
	Size		nbytes;
} RouterBatch;

extern RouterDest *router_dest_open(EState *estate, Relation rel, TupleDesc source, ResultRelInfo *root,
									bool speculative);
extern void router_dest_close(RouterDest *dest);
extern void router_dest_prepare(RouterDest *dest, EState *estate, const TriggerDesc *base,
								ModifyTableState *mtstate);
extern bool router_dest_is_by_row(RouterDest *dest);
extern void router_dest_take(RouterDest *dest, EState *estate, Relation source, bool at_home, bool pending);

extern void router_batch_source(RouterBatch *batch, RouterDest *dest, TupleTableSlot *stored);
extern bool router_batch_add(RouterBatch *batch, RouterDest *dest, TupleTableSlot *slot);
extern void router_batch_flush(RouterBatch *batch);
extern void router_dest_enter(RouterDest *dest);
extern bool router_insert_unless_conflict(RouterBatch *batch, RouterDest *dest, TupleTableSlot *slot, List *arbiters,
										  Snapshot snapshot);

extern ResultRelInfo *router_make_root(EState *estate, Relation base);
extern void router_delete_row(Relation rel, ItemPointer tid, CommandId cid);

#endif
