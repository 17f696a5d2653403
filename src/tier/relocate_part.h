/*
 * relocate_part.h
 *		What relocate.c and its copier, copy_rows.c, share.
 */
#ifndef ROUTER_RELOCATE_PART_H
#define ROUTER_RELOCATE_PART_H

#include "tier/relocate.h"

#include "utils/snapshot.h"
#include "utils/tuplestore.h"

#include "tier/remote.h"

/* Rows of the child that came or went between two snapshots. */
typedef struct Changes
{
	Tuplestorestate *come;
	Tuplestorestate *gone;
	int64		ncome;
	int64		ngone;
} Changes;

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
	Oid			copy;
	char	   *copy_name;		/* qualified */
	Snapshot	snapshot;		/* what the copy has; NULL if the child is foreign */
	char	   *columns;		/* those that can be written */
	char	   *row;			/* a row as text, all columns */
	List	   *index_names;	/* of a copy on this server, in the end */
	List	   *copy_index_names;	/* and before the swap */

	/* afterwards */
	char	   *shape;			/* the child as it was copied */
	bool		in_step;		/* the copy is committed, and whoever writes to the child writes to it */
	TransactionId since;		/* whoever does not know of this transaction is waited for */
	bool		waiting;		/* the swap has to wait for somebody again */
} Relocation;

extern void router_make_copy(Relocation *r);
extern void router_fill_copy(Relocation *r);
extern void router_init_changes(Changes *changes);
extern void router_clear_changes(Changes *changes);
extern void router_end_changes(Changes *changes);
extern void router_find_changes(Relocation *r, Snapshot later, Changes *changes);
extern void router_apply_changes(Relocation *r, Changes *changes);
extern void router_catch_up(Relocation *r, Changes *changes);
extern void router_verify_copy(Relocation *r);
extern void router_verify_count(Relocation *r);
extern TransactionId router_newest_write(Relocation *r);

#endif
