/*
 * forget.c
 *		A route or a child is none any more, in all tables of router's schema.
 */
#include "compat.h"
#include "route/catalog.h"

#include "route/defs.h"
#include "route/loose.h"
#include "route/watermark.h"

/* The tables that have rows about a base, and the indexes by it; but for progress_def. */
static const char *const of_base[][2] = {
	{"child_def", "child_def_base_idx"},
	{"seal_def", "seal_def_base_idx"},
	{"unsealed_def", "unsealed_def_base_idx"},
	{"loose_def", "loose_def_base_idx"},
	{"global_key_def", "global_key_def_base_idx"},
	{"route_def", "route_def_pkey"},
	{"key_def", "key_def_pkey"},
	{"reach_def", "reach_def_pkey"},
	{"grown_def", "grown_def_base_idx"},
	{"tier_def", "tier_def_pkey"},
	{"maintain_def", "maintain_def_pkey"},
	{"reshape_def", "reshape_def_pkey"},
	{"size_def", "size_def_pkey"},
};

/* Forgets a route with its children and global keys. The base may be gone already. */
void
router_catalog_remove_all(Oid base)
{
	for (int i = 0; i < lengthof(of_base); i++)
		router_catalog_delete(of_base[i][0], of_base[i][1], "base", base);
	router_catalog_remove_progress(base);
	if (router_catalog_exists())
		router_marks_forewarn();
	router_catalog_invalidate(base);
}

/* Forgets a child, which may be gone already; does nothing for a table that is none. */
void
router_catalog_remove_child(Oid child)
{
	RouterChildDef *def = router_catalog_child(child);

	if (def == NULL)
		return;
	router_catalog_delete("child_def", "child_def_pkey", "child", child);
	router_catalog_remove_seal(child);
	router_loose_remove(def->base, child);
	router_catalog_delete("size_def", "size_def_relation_idx", "relation", child);
	router_catalog_invalidate(child);
	router_catalog_invalidate(def->base);
}
