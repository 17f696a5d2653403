/*
 * clone_columns.h
 *		Which columns of a source go into which of a routed table. See clone_columns.c.
 */
#ifndef ROUTER_CLONE_COLUMNS_H
#define ROUTER_CLONE_COLUMNS_H

#include "compat.h"

#include "utils/jsonb.h"

/* The name under which the INSERT reads rows. */
#define ROUTER_CLONE_ROWS "router_clone_rows"

/* What each column of the base gets. */
typedef struct RouterCloneColumns
{
	StringInfoData targets;		/* columns of the INSERT */
	StringInfoData values;		/* their expressions */
	StringInfoData by_name;		/* for who asks what would be done: lists of columns */
	StringInfoData by_expression;
	StringInfoData by_default;
	StringInfoData unused;		/* of the source */
} RouterCloneColumns;

extern void router_check_expression(const char *argument, const char *text);
extern bool router_may_read_column(Oid relid, AttrNumber attnum);
extern void router_clone_map(RouterCloneColumns *c, Oid source, Oid base, Jsonb *columns);
extern char *router_clone_insert(const RouterCloneColumns *c, Oid base, const char *from);

#endif
