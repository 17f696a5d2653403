/*
 * remote.h
 *		The table on another server that a foreign child stands for. See remote.c.
 */
#ifndef ROUTER_REMOTE_H
#define ROUTER_REMOTE_H

#include "compat.h"

typedef struct RouterRemote
{
	char	   *server;
	char	   *schema;			/* names over there */
	char	   *table;
	char	   *mark;			/* the comment by which we know our tables */
	char	   *columns;		/* "id integer NOT NULL, …, CONSTRAINT …", for the foreign table as well */
	char	   *create;			/* commands that make the table; NULL: it is there */
	bool		made;			/* they were run */
} RouterRemote;

/* An index of a table, in words that name neither. */
typedef struct RouterIndexText
{
	char	   *name;
	bool		constraint;
	bool		unique;
	char	   *text;			/* of a constraint its definition; else from USING on */
} RouterIndexText;

extern char *router_columns_text(Oid relid);
extern List *router_index_texts(Oid relid);
extern char *router_add_index(const char *table, const RouterIndexText *index, const char *name);
extern RouterRemote *router_remote_for(Oid child, const char *server, const char *schema);
extern RouterRemote *router_remote_of(Oid foreign_table);
extern char *router_remote_foreign_table(const RouterRemote *remote, const char *name);
extern void router_remote_create(RouterRemote *remote);
extern bool router_remote_drop(const RouterRemote *remote);

#endif
