/*
 * mirror.h
 *		Makes a child as good as its base, or tells what it lacks. See mirror.c.
 */
#ifndef ROUTER_MIRROR_H
#define ROUTER_MIRROR_H

#include "compat.h"

#include "access/htup.h"
#include "nodes/parsenodes.h"
#include "utils/reltrigger.h"

#define ROUTER_TRIGGER_FLUSH "!router_flush"
#define ROUTER_TRIGGER_ROUTE "~router_route"
#define ROUTER_TRIGGER_SETTLE "~router_settle"
#define ROUTER_TRIGGER_MOVE "~router_move"

/* What a child and its base are compared in. */
#define ROUTER_INDEXES			0x0001	/* with the constraints on them, CLUSTER ON */
#define ROUTER_FOREIGN_KEYS		0x0002
#define ROUTER_TRIGGERS			0x0004	/* of rows; "~router_move" is one; those that check constraints are on or off */
#define ROUTER_POLICIES			0x0008
#define ROUTER_ROW_SECURITY		0x0010	/* the two flags */
#define ROUTER_GRANTS			0x0020
#define ROUTER_OPTIONS			0x0040	/* storage parameters */
#define ROUTER_COLUMNS			0x0080	/* defaults, NOT NULL, statistics target, n_distinct, storage, compression */
#define ROUTER_STATISTICS		0x0100	/* extended */
#define ROUTER_COMMENTS			0x0200	/* on the table and its columns; those on other objects come with these */
#define ROUTER_REPLICA_IDENTITY 0x0400
#define ROUTER_PUBLICATIONS		0x0800
#define ROUTER_PERSISTENCE		0x1000	/* LOGGED, UNLOGGED */
#define ROUTER_CHECKS			0x2000	/* CHECK and NOT NULL that say NO INHERIT; comments on every CHECK */
#define ROUTER_INHERITANCE		0x4000	/* what the base has as well is not the child's own */
#define ROUTER_EVERYTHING		0x7fff

/* What to compare, and what to do about it. */
typedef struct RouterMirror
{
	int			aspects;
	bool		dry_run;		/* only tell */

	/*
	 * Following one command: only these indexes, constraints, triggers,
	 * policies and statistics of the base, and these columns (attnums; 0: the
	 * table itself, for comments). What the base lacks of their properties goes
	 * from the child as well.
	 */
	bool		exact;
	List	   *only;
	List	   *columns;

	/* called for each difference; or NULL */
	void		(*found) (void *arg, Oid child, const char *kind, const char *action);
	void	   *arg;
} RouterMirror;

/* What happened to an object of a base, which its counterpart on the child follows. */
typedef struct RouterChange
{
	Oid			classid;		/* RelationRelationId for an index */
	const char *name;			/* that it had */
	HeapTuple	dropped;		/* row of that catalog, of pg_index for an index; NULL: it has another name */
	bool		cascade;
	Oid			oid;			/* if it has another name */
} RouterChange;

/* An object of a child that stands for one of the base, and the name that it would have. */
typedef struct RouterObjectName
{
	Oid			classid;
	Oid			oid;
	Oid			schema;
	char	   *name;			/* that it has */
	char	   *by_rule;		/* may be too long, or taken */
} RouterObjectName;

extern bool router_is_own_trigger(const Trigger *trigger);
extern void router_take_grants_away(Oid relid);
extern void router_put_move_trigger(Oid relid, bool hot);
extern void router_drop_move_trigger(Oid relid);

extern int	router_mirror(const RouterMirror *request, Oid base, Oid child);
extern bool router_has_whole_row(Node *expr);
extern void router_leave_to_base(Oid base, Oid child);
extern void router_before_no_inherit(Oid base, Oid child);
extern Oid	router_constraint_of_child(Oid base, Oid child, Oid constraint);
extern bool router_same_array(Datum a, bool a_null, Datum b, bool b_null);
extern bool router_same_condition(Oid child, const char *condition, Node *there);
extern Node *router_next_index_step(Oid base, Oid child);
extern Oid	router_index_counterpart(Oid base, Oid child, Oid index);
extern Node *router_stored_tree(int cache, HeapTuple tup, AttrNumber attno);
extern Oid	router_pair_indexes(Oid base, Oid child, List **base_indexes, List **child_indexes);
extern void router_mirror_change(Oid base, Oid child, void *change);
extern void router_mirror_alter(Oid base, Oid child, void *action);
extern void router_give_statistics(Oid relid, Oid from, Oid to);
extern char *router_missing_relation_options(Oid base, Oid child, const char *prefix);
extern List *router_object_names(Oid base, Oid child, const char *child_name);
extern char *router_object_name(const char *base, const char *child, const char *name);

#endif
