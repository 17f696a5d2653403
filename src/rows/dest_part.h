/*
 * dest_part.h
 *		A destination of rows with the rows that wait for it: for dest.c, and batch.c.
 */
#ifndef ROUTER_DEST_PART_H
#define ROUTER_DEST_PART_H

#include "rows/bulk.h"
#include "rows/dest.h"

typedef struct RouterDestPart
{
	RouterDest	pub;			/* first */
	EState	   *estate;
	bool		foreign_begun;	/* a foreign table was made ready */
	bool		by_row;			/* rows go there one by one: router_dest_is_by_row */
	bool		looked;			/* whether what is evaluated for them is a reason */
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
	struct RouterDestPart *next_pending;
} RouterDestPart;

#endif
