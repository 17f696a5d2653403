/*
 * mirror_part.h
 *		What the files of the mirror share.
 */
#ifndef ROUTER_MIRROR_PART_H
#define ROUTER_MIRROR_PART_H

#include "mirror/mirror.h"

/* One child being compared with its base. */
typedef struct Mirror
{
	const RouterMirror *request;
	Relation	base;
	Oid			child;			/* not kept open: ALTER TABLE would refuse */
	char	   *name;			/* of the child, qualified and quoted */
	const char *alter;			/* "ALTER TABLE name" */
	char		relkind;		/* of the child */
	Oid			rowtype;		/* of the child */
	AttrMap    *map;			/* base attnum -> child attnum, 0: it has no such column */
	List	   *indexes;		/* of the base, with their counterparts; NIL: not read yet */
	bool		is_part;		/* what is done now is part of what was told last */
	int			differences;
} Mirror;

/* An object on the base or on the child. Each kind has a struct of its own that begins with this one. */
typedef struct MirrorObject
{
	Oid			oid;
	char	   *name;
	Oid			schema;			/* of an index or of statistics */
	Oid			constraint;		/* that an index implements; or InvalidOid */
	bool		invalid;		/* an index that cannot be used: it has no counterpart */
	bool		not_ours;		/* made, renamed and dropped by core, or by who made it */
	struct MirrorObject *match; /* its counterpart */
} MirrorObject;

/* What there is to know of a kind of objects. See mirror_object.c. */
typedef struct MirrorKind
{
	int			aspect;
	Oid			classid;
	const char *word;			/* "foreign key" */
	const char *verb;			/* for one that is made, if it has the same name on base and child */
	const char *sql;			/* "CONSTRAINT" */
	bool		alike;			/* only one that says the same is renamed or dropped with the base's */

	/* if it has the same name on base and child: the one of this name */
	Oid			(*by_name) (Oid relid, const char *name, bool missing_ok);
	List	   *(*read) (const Mirror *m, Oid relid);
	/* NULL: just the name is known of one that was dropped; its result NULL: that was of another kind */
	MirrorObject *(*read_dropped) (const RouterChange *change);
	/* does one of the child have the place of one of the base? NULL: if the names are the same */
	bool		(*stands_for) (const Mirror *m, const MirrorObject *base, const MirrorObject *child);
	/* does it also say the same? NULL: always */
	bool		(*same) (const Mirror *m, const MirrorObject *base, const MirrorObject *child);
	/* the new object of the child; "wanted" itself: it is just as that. NULL: this is a dry run */
	MirrorObject *(*make) (Mirror *m, MirrorObject *wanted, List *own);
	/* what is altered if it differs */
	void		(*properties) (Mirror *m, const MirrorObject *wanted, const MirrorObject *there);
} MirrorKind;

extern const MirrorKind router_mirror_check;
extern const MirrorKind router_mirror_foreign_key;
extern const MirrorKind router_mirror_index;
extern const MirrorKind router_mirror_policy;
extern const MirrorKind router_mirror_statistics;
extern const MirrorKind router_mirror_trigger;

extern void router_open_mirror(Mirror *m, const RouterMirror *request, Oid base, Oid child);
extern void router_close_mirror(Mirror *m);
extern bool router_mend(Mirror *m, const char *kind, const char *fmt,...) pg_attribute_printf(3, 4);
extern bool router_wanted(const Mirror *m, Oid object);
extern AttrNumber router_child_attnum(const Mirror *m, AttrNumber attnum);
extern Node *router_child_expr(const Mirror *m, Node *expr, int varno);
extern char *router_child_expr_text(const Mirror *m, Node *expr);
extern bool router_same_expr(const Mirror *m, Node *base, Node *child);
extern void router_mend_comment(Mirror *m, Oid classid, Oid from, Oid to, const char *what, const char *name);
extern char *router_missing_options(Datum base, bool base_null, Datum child, bool child_null, const char *prefix);

extern bool router_is_closed(const Mirror *m);
extern void router_mirror_grants(Mirror *m);
extern void router_for_columns(Mirror *m, bool all, void (*mirror) (Mirror *m, HeapTuple from, HeapTuple to));
extern void router_mirror_columns(Mirror *m);
extern void router_mirror_comments(Mirror *m);
extern int	router_statistics_target(HeapTuple column);

extern char *router_free_name(const Mirror *m, Oid classid, const char *name);
extern bool router_has_rule_name(const Mirror *m, const char *name, const char *base_name);
extern List *router_match_objects(const Mirror *m, const MirrorKind *kind, List *base);
extern List *router_mirror_objects(Mirror *m, const MirrorKind *kind);
extern void router_mend_object_comment(Mirror *m, const MirrorKind *kind, const MirrorObject *wanted,
									   const MirrorObject *there);
extern void router_drop_object(const Mirror *m, const MirrorKind *kind, const MirrorObject *object, bool cascade);
extern void router_follow_change(Mirror *m, const MirrorKind *kind, const RouterChange *change);

extern void router_mirror_inherited_columns(Mirror *m);

extern List *router_rows_with(Oid catalog, Oid index, AttrNumber attno, Oid oid);
extern List *router_constraints_of(Oid relid);
extern void router_mirror_constraint_triggers(Mirror *m);

extern void router_mirror_indexes(Mirror *m);
extern Oid	router_matched_index(Mirror *m, Oid index);
extern void router_mirror_replica_identity(Mirror *m);
extern void router_mirror_foreign_keys(Mirror *m);
extern void router_mirror_row_security(Mirror *m);

#endif
