/*
 * mirror_part.h
 *		What the files of the mirror share: mirror.c, mirror_check.c, mirror_constraint.c,
 *		mirror_index.c, mirror_rule.c.
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
	bool		is_part;		/* what is done now is part of what was told last */
	int			differences;
} Mirror;

extern void router_open_mirror(Mirror *m, const RouterMirror *request, Oid base, Oid child);
extern void router_close_mirror(Mirror *m);
extern bool router_mend(Mirror *m, const char *kind, const char *fmt,...) pg_attribute_printf(3, 4);
extern bool router_wanted(const Mirror *m, Oid object);
extern AttrNumber router_child_attnum(const Mirror *m, AttrNumber attnum);
extern Node *router_child_expr(const Mirror *m, Node *expr, int varno);
extern char *router_child_expr_text(const Mirror *m, Node *expr);
extern bool router_same_tree(const Mirror *m, Node *base, Node *child);
extern void router_mend_comment(Mirror *m, Oid classid, Oid from, Oid to, const char *what, const char *name);
extern char *router_missing_options(Datum base, bool base_null, Datum child, bool child_null, const char *prefix);

extern bool router_is_closed(const Mirror *m);
extern void router_mirror_grants(Mirror *m);
extern void router_mirror_columns(Mirror *m);
extern void router_mirror_comments(Mirror *m);

extern char *router_free_name(const Mirror *m, Oid classid, const char *name);
extern bool router_has_rule_name(const Mirror *m, const char *name, const char *base_name);
extern bool router_same_expr(const Mirror *m, Node *base, Node *child);

extern void router_mirror_checks(Mirror *m);
extern void router_mirror_inherited_columns(Mirror *m);
extern void router_drop_check_like(Mirror *m, HeapTuple dropped, bool cascade);
extern void router_rename_check_like(Mirror *m, const RouterRenamed *renamed);

extern List *router_rows_with(Oid catalog, Oid index, AttrNumber attno, Oid oid);
extern void router_mirror_constraint_triggers(Mirror *m);

extern void router_mirror_indexes(Mirror *m);
extern void router_mirror_statistics(Mirror *m);
extern void router_mirror_replica_identity(Mirror *m);
extern void router_mirror_foreign_keys(Mirror *m);
extern void router_mirror_triggers(Mirror *m);
extern void router_mirror_policies(Mirror *m);

extern void router_drop_index_like(Mirror *m, HeapTuple dropped, const char *name, bool cascade);
extern void router_drop_statistics_like(Mirror *m, HeapTuple dropped);
extern void router_rename_index_like(Mirror *m, Oid index, const char *old_name);
extern void router_rename_statistics_like(Mirror *m, Oid statistics, const char *old_name);
extern void router_rename_by_name(Mirror *m, const RouterRenamed *renamed);
extern void router_drop_by_name(Mirror *m, Oid classid, const char *name, bool cascade);

#endif
