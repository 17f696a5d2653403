/*
 * sources.c
 *		Can the rows of children be copied to other children of the same base, or to the base?
 */
#include "compat.h"

#include "access/table.h"
#include "catalog/pg_am.h"
#include "executor/spi.h"
#include "utils/lsyscache.h"

#include "base/owner.h"
#include "base/sql.h"
#include "reshape/reshape.h"
#include "route/catalog.h"
#include "tier/relocate.h"

/* A child whose rows are to be copied to others. An error says why they cannot be. */
void
router_check_source(RouterReshape *r, Oid child)
{
	RouterChildDef *def = router_catalog_child(child);
	Oid			owner = router_relation_owner(r->job.base);
	Relation	rel;

	if (def == NULL || def->base != r->job.base)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("relation %u is not a child of \"%s\"", child, get_rel_name(r->job.base)),
				 errhint("See router.children.")));
	if (!router_owns_relation(child, owner))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("owner of routed table \"%s\" does not own its child \"%s\"", get_rel_name(r->job.base),
						get_rel_name(child)),
				 errhint("SELECT router.sync(…) sets the owner.")));
	router_check_definer(child, owner);
	rel = table_open(child, AccessShareLock);
	if (rel->rd_rel->relkind != RELKIND_RELATION || rel->rd_rel->relam != HEAP_TABLE_AM_OID ||
		rel->rd_rel->relpersistence == RELPERSISTENCE_TEMP)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("child \"%s\" is foreign or temporary, or has another access method than heap",
						RelationGetRelationName(rel)),
				 errhint("Bring it back first, with router.move_child.")));
	table_close(rel, NoLock);
	router_check_replaceable(child, r->job.base, "follow_reshape");
}

/*
 * Is the key of a row that of no row in another child? It is if it has all keys of the route, so that equal rows have
 * one home, or a global key sees to it. Else rows are followed as wholes, and what is unique in each child may not be
 * so in one for all: that is found out in the end.
 */
void
router_check_keys(RouterReshape *r)
{
	Oid			base = r->job.base;
	char	   *exclusion = router_ask(
		"SELECT format('%%I', c.relname) FROM pg_index JOIN pg_class c ON c.oid = indexrelid"
		" WHERE indrelid = %u AND indisexclusion ORDER BY 1 LIMIT 1", base);

	if (exclusion)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("children of \"%s\" cannot be put together", get_rel_name(base)),
				 errdetail("Rows of two children may exclude each other by %s.", exclusion),
				 errhint("Drop the constraint, and add it again afterwards.")));
	r->whole |= router_ask(
		"SELECT 1 FROM pg_index,"
		"       LATERAL (SELECT array_agg(k::int2) AS columns FROM unnest(indkey) WITH ORDINALITY u (k, n) WHERE n <= indnkeyatts) own"
		" WHERE indrelid = %1$u AND indisunique AND NOT own.columns @> (SELECT array_agg(attnum) FROM router.key_def WHERE base = %1$u)"
		"   AND NOT EXISTS (SELECT FROM router.global_key_def WHERE base = %1$u AND attnums <@ own.columns) LIMIT 1", base) != NULL;
}
