/*
 * name.h
 *		Names for what router makes. See name.c.
 */
#ifndef ROUTER_NAME_H
#define ROUTER_NAME_H

extern char *router_cut_name(const char *name, const char *hashed);
extern bool router_name_is_free(const char *name, Oid schema);
extern void router_check_name(const char *name, Oid schema);
extern bool router_strangers_create(Oid schema, Oid role);
extern bool router_statistics_name_is_free(const char *name, Oid schema);
extern char *router_another_name(const char *name, const char *hashed, Oid schema, Oid other_schema);
extern char *router_private_name(const char *name, Oid schema);
extern void router_make_room(Oid relid, Oid schema);

#endif
