/*
 * batch.h
 *		Batches of rows on their way into tables. See batch.c.
 */
#ifndef ROUTER_BATCH_H
#define ROUTER_BATCH_H

#include "rows/dest.h"

struct CopyFromStateData;

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
	/* batch.c's: those with rows that wait, and how many there are */
	struct RouterDestPart *pending;
	int			nrows;
	Size		nbytes;
} RouterBatch;

extern void router_batch_source(RouterBatch *batch, RouterDest *dest, TupleTableSlot *stored);
extern bool router_batch_add(RouterBatch *batch, RouterDest *dest, TupleTableSlot *slot);
extern bool router_batch_is_empty(const RouterBatch *batch);
extern void router_batch_flush(RouterBatch *batch);
extern void router_dest_enter(RouterDest *dest);
extern bool router_insert_unless_conflict(RouterBatch *batch, RouterDest *dest, TupleTableSlot *slot, List *arbiters,
										  Snapshot snapshot);
extern void router_delete_row(Relation rel, ItemPointer tid, CommandId cid);

#endif
