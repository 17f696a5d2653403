/*
 * relocate_part.h
 *		What relocate.c and copy_table.c, which has the copy of a child, share.
 */
#ifndef ROUTER_RELOCATE_PART_H
#define ROUTER_RELOCATE_PART_H

#include "tier/relocate.h"

#include "utils/rel.h"
#include "utils/snapshot.h"

#include "rows/changes.h"
#include "tier/remote.h"

/* A child on its way. */
typedef struct Relocation
{
	RouterJob	job;
	Oid			child;
	const RouterLocation *location;
	bool		needed;			/* the child is not there yet */
	bool		from_server;
	RouterRemote *remote;		/* the table on the server: where the child goes to, or comes from */
	Oid			bridge;			/* or InvalidOid */
	char	   *child_name;		/* qualified */
	uint64		rows;

	/* of the step that copies */
	Relation	rel;			/* the child */
	Oid			copy;
	char	   *copy_name;		/* qualified */
	Snapshot	snapshot;		/* what the copy has; NULL if the child is foreign */
	RouterChanges *changes;		/* since then */
	char	   *row;			/* router_row_text */
	List	   *index_names;	/* of a copy on this server, in the end */
	List	   *copy_index_names;	/* and before the swap */

	/* afterwards */
	char	   *shape;			/* the child as it was copied */
	bool		in_step;		/* the copy is committed, and whoever writes to the child writes to it */
	TransactionId since;		/* whoever does not know of this transaction is waited for */
	bool		waiting;		/* the swap has to wait for somebody again */
	ErrorData  *error;			/* that it ended with */
} Relocation;

extern void router_copy_make(Relocation *r);
extern void router_copy_fill(Relocation *r);
extern void router_copy_catch_up(Relocation *r);
extern void router_copy_apply(Relocation *r);
extern void router_copy_verify(Relocation *r);
extern void router_copy_verify_count(Relocation *r);
extern char *router_copy_shape(Oid child);

#endif
