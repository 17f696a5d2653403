/*
 * mask.c
 *		Which triggers fire in one statement: those that shall not are masked in
 *		its private copy of a table's trigger descriptor.
 *
 * A trigger is masked by taking an event out of its tgtype. The descriptor's
 * flags, by which core tells whether to look for triggers at all, are set anew.
 *
 * Nothing here takes locks or keeps memory: the descriptor goes with its
 * statement.
 */
#include "compat.h"
#include "rows/mask.h"

#include "catalog/pg_trigger.h"
#include "utils/fmgroids.h"

#include "globalkey/entry.h"
#include "mirror/mirror.h"
#include "rows/keep_in_step.h"

/* Does a row fire the trigger, at this time and by this event? */
static bool
fires(const Trigger *trigger, int16 timing, int16 event)
{
	return TRIGGER_TYPE_MATCHES(trigger->tgtype, TRIGGER_TYPE_ROW, timing, event);
}

/* Is this one of router's triggers, of whatever kind? */
bool
router_is_any_own_trigger(const Trigger *trigger)
{
	return router_is_own_trigger(trigger) || router_globalkey_is_trigger(trigger) || router_is_step_trigger(trigger);
}

/* Are there ROW INSERT triggers of users with this timing? */
bool
router_has_row_triggers(const TriggerDesc *triggers, int timing)
{
	for (int i = 0; triggers && i < triggers->numtriggers; i++)
	{
		const Trigger *trigger = &triggers->triggers[i];

		if (fires(trigger, timing, TRIGGER_TYPE_INSERT) && !trigger->tgisinternal &&
			!router_is_any_own_trigger(trigger))
			return true;
	}
	return false;
}

/* Sets the flags for INSERT anew. */
static void
recount(TriggerDesc *triggers)
{
	triggers->trig_insert_before_row = false;
	triggers->trig_insert_after_row = false;
	triggers->trig_insert_after_statement = false;
	for (int i = 0; i < triggers->numtriggers; i++)
	{
		const Trigger *trigger = &triggers->triggers[i];

		triggers->trig_insert_before_row |= fires(trigger, TRIGGER_TYPE_BEFORE, TRIGGER_TYPE_INSERT);
		triggers->trig_insert_after_row |= fires(trigger, TRIGGER_TYPE_AFTER, TRIGGER_TYPE_INSERT);
		triggers->trig_insert_after_statement |=
			TRIGGER_TYPE_MATCHES(trigger->tgtype, TRIGGER_TYPE_STATEMENT, TRIGGER_TYPE_AFTER, TRIGGER_TYPE_INSERT);
	}
}

/* Masks router's own INSERT triggers of a base, for rows that it puts there itself. */
void
router_mask_own_triggers(TriggerDesc *triggers)
{
	for (int i = 0; triggers && i < triggers->numtriggers; i++)
		if (router_is_own_trigger(&triggers->triggers[i]))
			triggers->triggers[i].tgtype &= ~TRIGGER_TYPE_INSERT;
	if (triggers)
		recount(triggers);
}

/* Masks a child's BEFORE ROW INSERT triggers that stand on the base as well, where they were fired. */
void
router_mask_clones(TriggerDesc *triggers, const TriggerDesc *base)
{
	if (triggers == NULL || base == NULL || !triggers->trig_insert_before_row)
		return;
	for (int i = 0; i < triggers->numtriggers; i++)
	{
		Trigger    *trigger = &triggers->triggers[i];

		if (!fires(trigger, TRIGGER_TYPE_BEFORE, TRIGGER_TYPE_INSERT))
			continue;
		for (int j = 0; j < base->numtriggers; j++)
			if (base->triggers[j].tgfoid == trigger->tgfoid &&
				strcmp(base->triggers[j].tgname, trigger->tgname) == 0)
				trigger->tgtype &= ~TRIGGER_TYPE_INSERT;
	}
	recount(triggers);
}

/*
 * Masks the INSERT triggers for rows that are moved, not new, but for what
 * deferrable unique constraints and copies in step need, and if asked for, the
 * checks of foreign keys.
 */
void
router_mask_for_moved(TriggerDesc *triggers, bool recheck)
{
	for (int i = 0; triggers && i < triggers->numtriggers; i++)
	{
		Trigger    *trigger = &triggers->triggers[i];

		if (trigger->tgfoid == F_RI_FKEY_CHECK_INS && recheck)
			trigger->tgtype |= TRIGGER_TYPE_INSERT;
		else if (trigger->tgfoid != F_UNIQUE_KEY_RECHECK && !router_is_step_trigger(trigger))
			trigger->tgtype &= ~TRIGGER_TYPE_INSERT;
	}
	if (triggers)
		recount(triggers);
}

/* Masks the AFTER INSERT ROW triggers of a base, where those of the row's home fire. own: router's as well. */
void
router_mask_after_insert(TriggerDesc *triggers, bool own)
{
	for (int i = 0; i < triggers->numtriggers; i++)
	{
		Trigger    *trigger = &triggers->triggers[i];

		if (fires(trigger, TRIGGER_TYPE_AFTER, TRIGGER_TYPE_INSERT) && (own || !router_is_own_trigger(trigger)))
			trigger->tgtype &= ~TRIGGER_TYPE_INSERT;
	}
	if (own)
		triggers->trig_insert_after_row = false;
}

/*
 * Masks the row triggers of global keys, which are for every kind of event, for
 * one kind, or gives it back: where router moves rows that stay what they are.
 */
void
router_mask_globalkey_triggers(TriggerDesc *triggers, int16 event, bool mask)
{
	for (int i = 0; triggers && i < triggers->numtriggers; i++)
	{
		Trigger    *trigger = &triggers->triggers[i];

		if (router_globalkey_is_trigger(trigger) && TRIGGER_FOR_ROW(trigger->tgtype))
			trigger->tgtype = mask ? trigger->tgtype & ~event : trigger->tgtype | event;
	}
}

/*
 * Masks "~router_move" when no key can change: updated holds no key column
 * (offset as in sysattr.h), and there is no other BEFORE UPDATE ROW trigger.
 * True: it is masked.
 */
bool
router_mask_move(TriggerDesc *triggers, const RouterConfig *config, const Bitmapset *updated)
{
	Trigger    *own = NULL;

	if (triggers == NULL || !triggers->trig_update_before_row)
		return false;
	for (int i = 0; i < triggers->numtriggers; i++)
	{
		if (!fires(&triggers->triggers[i], TRIGGER_TYPE_BEFORE, TRIGGER_TYPE_UPDATE))
			continue;
		if (!router_is_own_trigger(&triggers->triggers[i]))
			return false;
		own = &triggers->triggers[i];
	}
	for (int i = 0; i < config->nkeys; i++)
		if (bms_is_member(config->keys[i].attnum - FirstLowInvalidHeapAttributeNumber, updated))
			return false;
	if (own)
		own->tgtype &= ~TRIGGER_TYPE_UPDATE;
	triggers->trig_update_before_row = false;
	return true;
}

/* Shall core call a BEFORE UPDATE ROW trigger as one INSTEAD OF UPDATE, as views have them? */
void
router_fire_instead(TriggerDesc *triggers, Trigger *trigger, bool instead)
{
	trigger->tgtype &= ~TRIGGER_TYPE_TIMING_MASK;
	trigger->tgtype |= instead ? TRIGGER_TYPE_INSTEAD : TRIGGER_TYPE_BEFORE;
	triggers->trig_update_instead_row = instead;
}
