/*
 * compat.h
 *		What differs between PostgreSQL 15 and 18. The only file that looks at
 *		PG_VERSION_NUM.
 */
#ifndef ROUTER_COMPAT_H
#define ROUTER_COMPAT_H

#include "postgres.h"

#include "access/attmap.h"
#include "catalog/pg_class.h"
#include "commands/copyfrom_internal.h"
#include "commands/defrem.h"
#include "executor/executor.h"
#include "parser/parse_relation.h"
#include "rewrite/rewriteHandler.h"
#include "utils/acl.h"
#include "utils/rel.h"

#if PG_VERSION_NUM >= 160000
#include "catalog/pg_namespace.h"
#define router_owns_relation(relid, role) object_ownercheck(RelationRelationId, (relid), (role))
#define router_may_create_in(schema, role) \
	(object_aclcheck(NamespaceRelationId, (schema), (role), ACL_CREATE) == ACLCHECK_OK)
#define router_attrmap_by_name(in, out) build_attrmap_by_name((in), (out), false)
#define router_insert_index_tuples(rri, slot, estate) \
	ExecInsertIndexTuples((rri), (slot), (estate), false, false, NULL, NIL, false)
#define router_define_index(relid, stmt, constr) \
	DefineIndex((relid), (stmt), InvalidOid, InvalidOid, (constr), -1, false, false, false, false, true)
#else
#define router_owns_relation(relid, role) pg_class_ownercheck((relid), (role))
#define router_may_create_in(schema, role) \
	(pg_namespace_aclcheck((schema), (role), ACL_CREATE) == ACLCHECK_OK)
#define router_attrmap_by_name(in, out) build_attrmap_by_name((in), (out))
#define router_insert_index_tuples(rri, slot, estate) \
	ExecInsertIndexTuples((rri), (slot), (estate), false, false, NULL, NIL)
#define router_define_index(relid, stmt, constr) \
	DefineIndex((relid), (stmt), InvalidOid, InvalidOid, (constr), false, false, false, false, true)
#endif

#if PG_VERSION_NUM >= 170000
#define router_identity_sequence(rel, attnum) getIdentitySequence((rel), (attnum), false)
#else
#define router_identity_sequence(rel, attnum) getIdentitySequence(RelationGetRelid(rel), (attnum), false)
#endif

#if PG_VERSION_NUM >= 180000
#define router_check_exprs(rri) ((rri)->ri_CheckConstraintExprs)
#else
#define router_check_exprs(rri) ((rri)->ri_ConstraintExprs)
#endif

/* The expression that core would evaluate for a CHECK, or NULL for none. */
static inline Expr *
router_check_expr(Relation rel, ConstrCheck *check)
{
	Expr	   *expr;

#if PG_VERSION_NUM >= 180000
	if (!check->ccenforced)
		return NULL;
#endif
	expr = stringToNode(check->ccbin);
#if PG_VERSION_NUM >= 180000
	expr = (Expr *) expand_generated_columns_in_expr((Node *) expr, rel, 1);
#endif
	return expr;
}

/* Gives an EState the range table of a COPY, or one of the base alone. */
static inline void
router_init_range_table(EState *estate, Relation base, CopyFromState copy)
{
	List	   *rtable = copy ? copy->range_table : NIL;
#if PG_VERSION_NUM >= 160000
	List	   *perminfos = copy ? copy->rteperminfos : NIL;
#endif

	if (rtable == NIL)
	{
		RangeTblEntry *rte = makeNode(RangeTblEntry);

		rte->rtekind = RTE_RELATION;
		rte->relid = RelationGetRelid(base);
		rte->relkind = base->rd_rel->relkind;
		rte->rellockmode = RowExclusiveLock;
#if PG_VERSION_NUM >= 160000
		(void) addRTEPermissionInfo(&perminfos, rte);
#endif
		rtable = list_make1(rte);
	}
#if PG_VERSION_NUM >= 180000
	ExecInitRangeTable(estate, rtable, perminfos, bms_make_singleton(1));
#elif PG_VERSION_NUM >= 160000
	ExecInitRangeTable(estate, rtable, perminfos);
#else
	ExecInitRangeTable(estate, rtable);
#endif
}

#endif
