/*
 * sql.h
 *		Commands in SQL. See sql.c.
 */
#ifndef ROUTER_SQL_H
#define ROUTER_SQL_H

#include "utils/snapshot.h"

extern char *router_format(const char *fmt, va_list args) pg_attribute_printf(1, 0);
extern void router_run(const char *fmt,...) pg_attribute_printf(1, 2);
extern char *router_ask(const char *fmt,...) pg_attribute_printf(1, 2);
extern void router_execute_at(const char *query, Snapshot snapshot, int expected);
extern void router_drop_table(Oid relid);
extern char *router_qualified_name(Oid relid);
extern const char *router_table_word(Oid relid);
extern void router_hint_at_search_path(void);

#endif
