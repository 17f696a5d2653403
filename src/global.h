/*
 * global.h
 *		What DDL does to global keys. See global.c.
 */
#ifndef ROUTER_GLOBAL_H
#define ROUTER_GLOBAL_H

#include "compat.h"

extern void router_global_dropped(Oid relid, AttrNumber attnum);
extern void router_global_altered(Oid base);

#endif
