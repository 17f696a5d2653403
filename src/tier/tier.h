/*
 * tier.h
 *		Where children go when they are old. See tier.c.
 */
#ifndef ROUTER_TIER_H
#define ROUTER_TIER_H

#include "job/job.h"

extern ErrorData *router_tier_base(RouterJob *job);

#endif
