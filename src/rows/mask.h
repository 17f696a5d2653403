/*
 * mask.h
 *		Which triggers fire in one statement. See mask.c.
 */
#ifndef ROUTER_MASK_H
#define ROUTER_MASK_H

#include "route/cache.h"

#include "utils/reltrigger.h"

extern bool router_is_any_own_trigger(const Trigger *trigger);
extern bool router_has_row_triggers(const TriggerDesc *triggers, int timing);

extern void router_mask_own_triggers(TriggerDesc *triggers);
extern void router_mask_clones(TriggerDesc *triggers, const TriggerDesc *base);
extern void router_mask_for_moved(TriggerDesc *triggers, bool recheck);
extern void router_mask_after_insert(TriggerDesc *triggers, bool own);
extern void router_mask_globalkey_triggers(TriggerDesc *triggers, int16 event, bool mask);
extern bool router_mask_move(TriggerDesc *triggers, const RouterConfig *config, const Bitmapset *updated);
extern void router_fire_instead(TriggerDesc *triggers, Trigger *trigger, bool instead);

#endif
