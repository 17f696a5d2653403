/*
 * rebuild.h
 *		A table of another kind takes the place of one under its name. See rebuild.c.
 */
#ifndef ROUTER_REBUILD_H
#define ROUTER_REBUILD_H

#include "compat.h"

#include "nodes/pg_list.h"

/* Commands, each with the role that gives it, and what there is to say of them. */
typedef struct RouterScript
{
	Oid			owner;			/* gives those that name no other role */
	List	   *statements;		/* of RouterStatement */
	List	   *notes;			/* lines: what becomes of things */
	List	   *problems;		/* lines: why it cannot be run */
} RouterScript;

typedef struct RouterStatement
{
	Oid			role;
	char	   *sql;
} RouterStatement;

/* The table that is made anew, which has no rows of its own. */
typedef struct RouterRebuild
{
	RouterScript *script;
	Oid			relid;
	const char *name;			/* as commands have it, before and afterwards */
	const char *other;			/* the name that the table gets before it goes */
	const char *old;			/* the same as commands have it */
	const char *partition_by;	/* NULL: the new one is an ordinary table */
	bool		unlogged;		/* the new one is; no partitioned table */
	const char *keys;			/* attnums that its unique indexes have to contain, as an array */
	List	   *numbers;		/* commands for the sequences of identity columns */
} RouterRebuild;

extern void router_script_add(RouterScript *script, const char *fmt,...) pg_attribute_printf(2, 3);
extern void router_script_run(const RouterScript *script);
extern List *router_script_text(const RouterScript *script);

extern void router_rebuild_init(RouterRebuild *rebuild, RouterScript *script, Oid relid, const char *partition_by,
								const char *keys);
extern void router_rebuild_ask(RouterRebuild *rebuild, const char *const *questions, int n, List **lines);
extern List *router_rebuild_lock(List *locks, Oid relid);
extern void router_rebuild_begin(RouterRebuild *rebuild);
extern void router_rebuild_end(RouterRebuild *rebuild);

#endif
