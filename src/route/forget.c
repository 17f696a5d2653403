/*
 * forget.c
 *		A route or a child is none any more, in all tables of router's schema.
 */
#include "compat.h"
#include "route/catalog.h"

#include "route/defs.h"
#include "route/growth.h"
#include "route/loose.h"
#include "route/watermark.h"

/* Forgets a route, its keys and tiers, not its children. The base may be gone already. */
void
router_catalog_remove_route(Oid base)
{
	router_catalog_delete("route_def", "route_def_pkey", ROUTE_BASE, base);
	router_catalog_delete("key_def", "key_def_pkey", KEY_BASE, base);
	router_catalog_remove_tiers(base);
	router_catalog_remove_upkeep(base);
	router_catalog_remove_progress(base);
	router_growth_remove(base);
	router_marks_remove(base);
	router_catalog_invalidate(base);
}

/* Forgets a child, which may be gone already; does nothing for a table that is none. */
void
router_catalog_remove_child(Oid child)
{
	RouterChildDef *def = router_catalog_child(child);

	if (def == NULL)
		return;
	router_catalog_delete("child_def", "child_def_pkey", CHILD_CHILD, child);
	router_catalog_remove_seal(child);
	router_loose_remove(def->base, child);
	router_catalog_invalidate(child);
	router_catalog_invalidate(def->base);
}

/* Forgets a route with its keys, children and global keys. */
void
router_catalog_remove_all(Oid base)
{
	router_catalog_delete("child_def", "child_def_base_idx", CHILD_BASE, base);
	router_catalog_remove_seals(base);
	router_loose_remove(base, InvalidOid);
	router_catalog_delete("global_key_def", "global_key_def_base_idx", GLOBAL_BASE, base);
	router_catalog_remove_route(base);
}
