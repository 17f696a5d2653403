/*
 * globalkey_admin.h
 *		What DDL does to global keys; their names. See globalkey_admin.c.
 */
#ifndef ROUTER_GLOBALKEY_ADMIN_H
#define ROUTER_GLOBALKEY_ADMIN_H

#include "compat.h"

extern void router_global_dropped(Oid relid, AttrNumber attnum);
extern void router_global_altered(Oid base);
extern Oid	router_global_base_index(Oid base, Oid key_table);

#endif
