/*
 * see.h
 *		What may be shown to the user. See see.c.
 */
#ifndef ROUTER_SEE_H
#define ROUTER_SEE_H

#include "compat.h"

extern bool router_may_see(Oid relid, const AttrNumber *attnums, int n);
extern bool router_may_lock(Oid relid);
extern bool router_may_see_all(Oid relid);

#endif
