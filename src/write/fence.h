/*
 * fence.h
 *		The CHECK of a sealed child. See fence.c.
 */
#ifndef ROUTER_FENCE_H
#define ROUTER_FENCE_H

#include "compat.h"

extern void router_drop_seal(Oid child);
extern void router_check_fence(Oid child);

#endif
