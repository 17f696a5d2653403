/*
 * implied.h
 *		CHECKs that need no look at the rows. See implied.c.
 */
#ifndef ROUTER_IMPLIED_H
#define ROUTER_IMPLIED_H

#include "compat.h"

#include "nodes/primnodes.h"

extern bool router_runs_user_code(Node *expr);
extern void router_put_home_check(Oid child, const char *condition);

#endif
