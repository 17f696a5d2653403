/*
 * table_text.h
 *		What a table is like, in words of SQL. See table_text.c.
 */
#ifndef ROUTER_TABLE_TEXT_H
#define ROUTER_TABLE_TEXT_H

#include "nodes/pg_list.h"

/* An index of a table, in words that name neither. */
typedef struct RouterIndexText RouterIndexText;

extern char *router_columns_text(Oid relid);
extern List *router_index_texts(Oid relid);
extern const char *router_index_name(const RouterIndexText *index);
extern char *router_add_index(const char *table, const RouterIndexText *index, const char *name);

#endif
