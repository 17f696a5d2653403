/*
 * catalog.h
 *		The router.* tables. See the file named for each.
 */
#ifndef ROUTER_CATALOG_H
#define ROUTER_CATALOG_H

#include "route/route.h"

#include "datatype/timestamp.h"
#include "nodes/pg_list.h"
#include "utils/array.h"
#include "utils/snapshot.h"

/* One row of child_def. */
typedef struct RouterChildDef
{
	Oid			child;
	Oid			base;
	char	  **bounds;			/* one a level */
	int			nbounds;
} RouterChildDef;

/* One row of global_key_def: columns that are unique over the whole routed table. */
typedef struct RouterGlobalKey
{
	Oid			key_table;
	int			ncolumns;
	AttrNumber *attnums;		/* of the base; the key table has the columns 1 to ncolumns */
	char	  **columns;
} RouterGlobalKey;

/* Where a child shall be; what is NULL stays as it is. */
typedef struct RouterLocation
{
	char	   *tablespace;
	char	   *access_method;
	char	   *server;
	char	   *remote_schema;
	bool		local;			/* back from a server: of a move, never of a tier */
} RouterLocation;

/* One row of tier_def: where children of some age live. */
typedef struct RouterTier
{
	Interval   *after;			/* how long ago the youngest row of a child is dated */
	RouterLocation location;
} RouterTier;

/* What router.maintain does with children that are older than a route keeps. */
typedef enum RouterRetire
{
	ROUTER_RETIRE_DROP,
	ROUTER_RETIRE_DETACH,
	ROUTER_RETIRE_SCHEMA,
} RouterRetire;

/* One row of maintain_def: the settings of router.maintain for a base. */
typedef struct RouterUpkeep
{
	Oid			base;
	int			premake;		/* steps to come; -1: not set */
	Interval   *keep;			/* NULL: age is no reason to retire a child */
	int			keep_children;	/* 0: their number is none */
	RouterRetire retire;
	char	   *retire_schema;	/* ROUTER_RETIRE_SCHEMA */
	List	   *seal;			/* names of the columns that aged children are sealed by */
} RouterUpkeep;

/* One row of seal_def: between what values those of a column of a child lie. */
typedef struct RouterSeal
{
	Oid			child;
	char	   *column;
	AttrNumber	attnum;			/* of the base */
	char	   *span;			/* as the bound of a range; NULL: there are none but nulls */
	bool		sealed;			/* false: its rows are still to be looked at */
	bool		broken;			/* rows came that lie beyond it */
} RouterSeal;

/* Rows that a clone could not put into its base. */
typedef struct RouterRejected
{
	int64		errors;
	int64		duplicates;
	int64		constraints;
} RouterRejected;

/* What was done to a base, or is being done: one row of event_def. */
typedef struct RouterEvent
{
	Oid			base;
	const char *name;			/* of it; NULL: it is gone */
	const char *action;
	uint64		rows;
	const ErrorData *error;		/* NULL: it went well */
	Oid			told_to;		/* whose rights reading the error takes; InvalidOid: those of the owner */
	bool		open;			/* it has just begun */
	bool		heartbeat;		/* there was nothing to do */
} RouterEvent;

/* What a session does to a base just now: one row of progress_def. */
typedef struct RouterProgress
{
	Oid			base;
	const char *action;
	const char *phase;
	Oid			child;			/* or InvalidOid */
	uint64		done;
	uint64		total;			/* 0: unknown */
	RouterRejected rejected;	/* of done */
} RouterProgress;

extern const char *router_policy_name(RouterPolicy policy);
extern RouterPolicy router_policy_from_text(const char *setting, const char *policy, bool create_allowed);

extern bool router_catalog_any_base(void);
extern List *router_catalog_bases(void);
extern bool router_catalog_is_base(Oid relid);
extern RouterConfig *router_catalog_route(Oid base);
extern List *router_catalog_children(Oid base);
extern RouterChildDef *router_catalog_child(Oid child);

extern void router_catalog_put_route(const RouterConfig *config);
extern void router_catalog_note_event(const RouterEvent *event);
extern bool router_catalog_event_is_open(Oid base, const char *action);
extern void router_catalog_interrupt_event(Oid base, int pid, TimestampTz query_start, uint64 rows, const char *detail);
extern void router_catalog_forget_events(Oid base, int days);
extern void router_catalog_remove_all(Oid base);
extern void router_catalog_add_child(Oid child, Oid base, char **bounds, int nbounds);
extern void router_catalog_put_bounds(Oid child, char **bounds, int nbounds);
extern void router_catalog_remove_child(Oid child);
extern void router_catalog_rename_key(Oid base, AttrNumber attnum, const char *column);
extern List *router_catalog_rename_schema(const char *schema, const char *to);

extern List *router_catalog_global_keys(Oid base);
extern Oid	router_catalog_global_key_base(Oid key_table);
extern void router_catalog_add_global_key(Oid base, const RouterGlobalKey *key);
extern void router_catalog_remove_global_key(Oid key_table);
extern void router_depend_on_base(Oid key_table, Oid base);
extern void router_catalog_rename_global_keys(Oid base);

extern List *router_catalog_tiers(Oid base);
extern void router_catalog_add_tier(Oid base, const RouterTier *tier);
extern void router_catalog_remove_tier(Oid base, const Interval *after);

extern List *router_catalog_seals(Oid base);
extern List *router_catalog_child_seals(Oid child);
extern void router_catalog_add_seal(Oid base, const RouterSeal *seal);
extern void router_catalog_break_seal(Oid base, Oid child);
extern void router_catalog_finish_seal(Oid base, Oid child);
extern TransactionId router_catalog_seal_broken(Oid child);
extern void router_catalog_remove_seal(Oid child);
extern void router_catalog_follow_seals(Oid base, AttrNumber lost);

extern const char *router_retire_name(RouterRetire retire);
extern RouterRetire router_retire_from_text(const char *retire);
extern bool router_catalog_upkeep(Oid base, RouterUpkeep *upkeep);
extern void router_catalog_put_upkeep(const RouterUpkeep *upkeep);
extern void router_catalog_remove_upkeep(Oid base);
extern void router_catalog_follow_upkeep(Oid base, const char *column, const char *to);
extern void router_catalog_measure(Oid base);
extern void router_catalog_put_progress(const RouterProgress *progress);
extern void router_catalog_end_progress(Oid base);
extern void router_catalog_remove_progress(Oid base);

#endif
