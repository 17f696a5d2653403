/*
 * compat.h
 *		What differs between PostgreSQL 15 and 18. The only file that looks at
 *		PG_VERSION_NUM.
 */
#ifndef ROUTER_COMPAT_H
#define ROUTER_COMPAT_H

#include "postgres.h"

#include "access/attmap.h"
#include "access/nbtxlog.h"
#include "access/transam.h"
#include "access/xloginsert.h"
#include "catalog/index.h"
#include "catalog/pg_class.h"
#include "commands/defrem.h"
#include "commands/explain.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "parser/parse_relation.h"
#include "rewrite/rewriteHandler.h"
#include "utils/acl.h"
#include "utils/rel.h"
#include "utils/relcache.h"

/* before the declaration of a function that does not return, as in 18 */
#if PG_VERSION_NUM < 180000
#define pg_noreturn __attribute__((noreturn))
#endif

#if PG_VERSION_NUM >= 160000
#include "catalog/pg_namespace.h"
#define router_owns_relation(relid, role) object_ownercheck(RelationRelationId, (relid), (role))
#define router_owns_schema(schema, role) object_ownercheck(NamespaceRelationId, (schema), (role))
#define router_may_create_in(schema, role) \
	(object_aclcheck(NamespaceRelationId, (schema), (role), ACL_CREATE) == ACLCHECK_OK)
#define router_may_use(schema, role) \
	(object_aclcheck(NamespaceRelationId, (schema), (role), ACL_USAGE) == ACLCHECK_OK)
#define router_may_vacuum(relid, form, options) vacuum_is_permitted_for_relation((relid), (form), (options))
#define router_attrmap_by_name(in, out) build_attrmap_by_name((in), (out), false)
#define router_insert_index_tuples(rri, slot, estate) \
	ExecInsertIndexTuples((rri), (slot), (estate), false, false, NULL, NIL, false)
#define router_insert_index_tuples_unchecked(rri, slot, estate) \
	ExecInsertIndexTuples((rri), (slot), (estate), false, true, NULL, NIL, false)
typedef TU_UpdateIndexes RouterUpdateIndexes;
#define router_update_index_tuples_unchecked(rri, slot, estate, which) \
	((which) == TU_None ? NIL : \
	 ExecInsertIndexTuples((rri), (slot), (estate), true, true, NULL, NIL, (which) == TU_Summarizing))
#define router_define_index(relid, stmt, constr) \
	DefineIndex((relid), (stmt), InvalidOid, InvalidOid, (constr), -1, false, false, false, false, true)
#else
#define router_owns_relation(relid, role) pg_class_ownercheck((relid), (role))
#define router_owns_schema(schema, role) pg_namespace_ownercheck((schema), (role))
#define router_may_create_in(schema, role) \
	(pg_namespace_aclcheck((schema), (role), ACL_CREATE) == ACLCHECK_OK)
#define router_may_use(schema, role) (pg_namespace_aclcheck((schema), (role), ACL_USAGE) == ACLCHECK_OK)
#define router_may_vacuum(relid, form, options) vacuum_is_relation_owner((relid), (form), (options))
#define router_attrmap_by_name(in, out) build_attrmap_by_name((in), (out))
#define router_insert_index_tuples(rri, slot, estate) \
	ExecInsertIndexTuples((rri), (slot), (estate), false, false, NULL, NIL)
#define router_insert_index_tuples_unchecked(rri, slot, estate) \
	ExecInsertIndexTuples((rri), (slot), (estate), false, true, NULL, NIL)
typedef bool RouterUpdateIndexes;
#define router_update_index_tuples_unchecked(rri, slot, estate, which) \
	((which) ? ExecInsertIndexTuples((rri), (slot), (estate), true, true, NULL, NIL) : NIL)
#define router_define_index(relid, stmt, constr) \
	DefineIndex((relid), (stmt), InvalidOid, InvalidOid, (constr), false, false, false, false, true)
#endif

#if PG_VERSION_NUM >= 160000
#define router_epq_init(epq, estate) EvalPlanQualInit((epq), (estate), NULL, NIL, -1, NIL)
/* foreign tables have TRUNCATE triggers from 16 on */
#define router_has_truncate_triggers(relkind) ((relkind) == RELKIND_RELATION || (relkind) == RELKIND_FOREIGN_TABLE)
#else
#define router_epq_init(epq, estate) EvalPlanQualInit((epq), (estate), NULL, NIL, -1)
#define router_has_truncate_triggers(relkind) ((relkind) == RELKIND_RELATION)
#endif

#if PG_VERSION_NUM >= 160000
#define router_backend_status(i) pgstat_get_local_beentry_by_index(i)
#else
#define router_backend_status(i) pgstat_fetch_stat_local_beentry(i)
#endif

/* acquires without waiting, and gives what this session knows of the lock */
#if PG_VERSION_NUM >= 180000
#define router_lock_locally(tag, mode, local) LockAcquireExtended((tag), (mode), false, true, false, (local), false)
#else
#define router_lock_locally(tag, mode, local) LockAcquireExtended((tag), (mode), false, true, false, (local))
#endif

/* the statistics of a table and of the whole below it, but not of each child by itself */
#if PG_VERSION_NUM >= 180000
#define ROUTER_ANALYZE_PARENT "ANALYZE ONLY"
#define ROUTER_VACUUM_REACHES_HEIRS true
#else
#define ROUTER_ANALYZE_PARENT "ANALYZE"
#define ROUTER_VACUUM_REACHES_HEIRS false
#endif

#if PG_VERSION_NUM >= 170000
#define router_may_maintain(relid, role) (pg_class_aclcheck((relid), (role), ACL_MAINTAIN) == ACLCHECK_OK)
#define router_identity_sequence(rel, attnum) getIdentitySequence((rel), (attnum), false)
#else
#define router_may_maintain(relid, role) router_owns_relation((relid), (role))
#define router_identity_sequence(rel, attnum) getIdentitySequence(RelationGetRelid(rel), (attnum), false)
#endif

#if PG_VERSION_NUM >= 180000
#include "commands/explain_format.h"
#define router_check_exprs(rri) ((rri)->ri_CheckConstraintExprs)
#define router_primary_key_index(rel) RelationGetPrimaryKeyIndex((rel), false)
#define router_index_beginscan(heap, index, snapshot, nkeys) \
	index_beginscan((heap), (index), (snapshot), NULL, (nkeys), 0)
#else
#define router_check_exprs(rri) ((rri)->ri_ConstraintExprs)
#define router_primary_key_index(rel) RelationGetPrimaryKeyIndex(rel)
#define router_index_beginscan(heap, index, snapshot, nkeys) index_beginscan((heap), (index), (snapshot), (nkeys), 0)
#endif

#if PG_VERSION_NUM >= 160000
#define router_getdatum(sort, value, isnull) tuplesort_getdatum((sort), true, false, (value), (isnull), NULL)
#else
#define router_getdatum(sort, value, isnull) tuplesort_getdatum((sort), true, (value), (isnull), NULL)
#endif

#if PG_VERSION_NUM >= 180000
#define router_bt_max_size(page) BTMaxItemSize
#else
#define router_bt_max_size(page) BTMaxItemSize(page)
#endif

/* The leaf of a btree where a key belongs, locked for writing, and the way there. */
#if PG_VERSION_NUM >= 170000
#define router_bt_search(index, heap, key, buf) _bt_search((index), (heap), (key), (buf), BT_WRITE)
#elif PG_VERSION_NUM >= 160000
#define router_bt_search(index, heap, key, buf) _bt_search((index), (heap), (key), (buf), BT_WRITE, NULL)
#else
#define router_bt_search(index, heap, key, buf) _bt_search((index), (key), (buf), BT_WRITE, NULL)
#endif
#if PG_VERSION_NUM >= 160000
#define router_bt_new_page(index, heap) _bt_allocbuf((index), (heap))
#define router_bt_finish_split(index, heap, left, stack) _bt_finish_split((index), (heap), (left), (stack))
#else
#define router_bt_new_page(index, heap) _bt_getbuf((index), P_NEW, BT_WRITE)
#define router_bt_finish_split(index, heap, left, stack) _bt_finish_split((index), (left), (stack))
#endif

#if PG_VERSION_NUM >= 160000
#define router_new_file_subid(rel) ((rel)->rd_newRelfilelocatorSubid)
#define router_first_file_subid(rel) ((rel)->rd_firstRelfilelocatorSubid)
#else
#define router_new_file_subid(rel) ((rel)->rd_newRelfilenodeSubid)
#define router_first_file_subid(rel) ((rel)->rd_firstRelfilenodeSubid)
#endif

#if PG_VERSION_NUM >= 180000
#define router_not_null_is_valid(desc, i) (TupleDescCompactAttr((desc), (i))->attnullability == ATTNULLABLE_VALID)
#else
#define router_not_null_is_valid(desc, i) (TupleDescAttr((desc), (i))->attnotnull)
#endif

/* before 17 a relation that was given other storage had to be closed by hand */
#if PG_VERSION_NUM >= 170000
#define router_close_storage(relid) ((void) 0)
#else
#define router_close_storage(relid) RelationCloseSmgrByOid(relid)
#endif

/* pg_class knows from 18 on how many pages are frozen. */
static inline void
router_swap_all_frozen(Form_pg_class a, Form_pg_class b)
{
#if PG_VERSION_NUM >= 180000
	int32		relallfrozen = a->relallfrozen;

	a->relallfrozen = b->relallfrozen;
	b->relallfrozen = relallfrozen;
#endif
}

#if PG_VERSION_NUM >= 170000
#define router_lock_is_held(tag, mode) LockHeldByMe((tag), (mode), false)
#else
#define router_lock_is_held(tag, mode) LockHeldByMe((tag), (mode))
#endif

#if PG_VERSION_NUM >= 180000
#define router_portal_run(portal, dest) PortalRun((portal), FETCH_ALL, true, (dest), (dest), NULL)
#else
#define router_portal_run(portal, dest) PortalRun((portal), FETCH_ALL, true, true, (dest), (dest), NULL)
#endif

/* Fires the BEFORE ROW DELETE triggers for a row that is locked already; false: one of them wants no delete. */
static inline bool
router_fire_before_delete(EState *estate, EPQState *epqstate, ResultRelInfo *rri, ItemPointer tid)
{
#if PG_VERSION_NUM >= 180000
	return ExecBRDeleteTriggers(estate, epqstate, rri, tid, NULL, NULL, NULL, NULL, false);
#elif PG_VERSION_NUM >= 160000
	return ExecBRDeleteTriggers(estate, epqstate, rri, tid, NULL, NULL, NULL, NULL);
#else
	return ExecBRDeleteTriggers(estate, epqstate, rri, tid, NULL, NULL);
#endif
}

/* Is there no conflict with a row there is, for INSERT ... ON CONFLICT? */
static inline bool
router_has_no_conflict(ResultRelInfo *rri, TupleTableSlot *slot, EState *estate, ItemPointer conflict, List *arbiters)
{
#if PG_VERSION_NUM >= 180000
	ItemPointerData none;

	ItemPointerSetInvalid(&none);
	return ExecCheckIndexConstraints(rri, slot, estate, conflict, &none, arbiters);
#else
	return ExecCheckIndexConstraints(rri, slot, estate, conflict, arbiters);
#endif
}

/* Enters a row inserted speculatively into the indexes. */
static inline List *
router_insert_speculative_index_tuples(ResultRelInfo *rri, TupleTableSlot *slot, EState *estate, bool *conflict,
									   List *arbiters)
{
#if PG_VERSION_NUM >= 160000
	return ExecInsertIndexTuples(rri, slot, estate, false, true, conflict, arbiters, false);
#else
	return ExecInsertIndexTuples(rri, slot, estate, false, true, conflict, arbiters);
#endif
}

static inline PlanState *
router_actions_parent(List *actions)
{
	ListCell   *lc;

	foreach(lc, actions)
	{
		MergeActionState *action = lfirst_node(MergeActionState, lc);

		if (action->mas_proj)
			return action->mas_proj->pi_state.parent;
		if (action->mas_whenqual)
			return action->mas_whenqual->parent;
	}
	return NULL;
}

/* The node that MERGE built a target's actions for, or NULL. */
static inline PlanState *
router_merge_parent(ResultRelInfo *rri)
{
	PlanState  *parent = NULL;

#if PG_VERSION_NUM >= 170000
	for (int i = 0; i < NUM_MERGE_MATCH_KINDS && parent == NULL; i++)
		parent = router_actions_parent(rri->ri_MergeActions[i]);
#else
	parent = router_actions_parent(rri->ri_matchedMergeAction);
	if (parent == NULL)
		parent = router_actions_parent(rri->ri_notMatchedMergeAction);
#endif
	return parent;
}

#if PG_VERSION_NUM >= 170000
#define ROUTER_HAS_TRANSACTION_TIMEOUT
#endif

/* Does RETURNING mean the new row by this Var? */
static inline bool
router_var_is_new(const Var *var)
{
#if PG_VERSION_NUM >= 180000
	return var->varreturningtype != VAR_RETURNING_OLD;
#else
	return true;
#endif
}

/* EXPLAIN (GENERIC_PLAN): parameters have no values. */
#if PG_VERSION_NUM >= 160000
#define router_explains_generic(eflags) ((EXEC_FLAG_EXPLAIN_GENERIC & (eflags)) != 0)
#define router_add_vars(root, vars, relids) add_vars_to_targetlist((root), (vars), (relids))
#else
#define router_explains_generic(eflags) false
#define router_add_vars(root, vars, relids) add_vars_to_targetlist((root), (vars), (relids), false)
#endif

/* How a base's columns become a child's, for triggers of some columns: from 16 on core finds out by itself. */
static inline void
router_set_root_map(ResultRelInfo *child, TupleConversionMap *map)
{
#if PG_VERSION_NUM < 160000
	child->ri_RootToPartitionMap = map;
#endif
}

#if PG_VERSION_NUM < 160000
/* Columns of a base as those of a child; a whole row is all of them. From inherit.c. */
static inline Bitmapset *
router_child_columns(const Bitmapset *columns, List *translated_vars)
{
	Bitmapset  *result = NULL;
	bool		whole_row = bms_is_member(InvalidAttrNumber - FirstLowInvalidHeapAttributeNumber, columns);
	ListCell   *lc;

	for (int attno = FirstLowInvalidHeapAttributeNumber + 1; attno < 0; attno++)
		if (bms_is_member(attno - FirstLowInvalidHeapAttributeNumber, columns))
			result = bms_add_member(result, attno - FirstLowInvalidHeapAttributeNumber);
	foreach(lc, translated_vars)
	{
		Var		   *var = lfirst_node(Var, lc);

		if (var && (whole_row || bms_is_member(foreach_current_index(lc) + 1 - FirstLowInvalidHeapAttributeNumber,
											   columns)))
			result = bms_add_member(result, var->varattno - FirstLowInvalidHeapAttributeNumber);
	}
	return result;
}
#endif

/* A child is read by the permissions of its base; which columns change decides on triggers. */
static inline void
router_set_child_permissions(RangeTblEntry *child, const RangeTblEntry *base, List *translated_vars)
{
#if PG_VERSION_NUM >= 160000
	child->perminfoindex = 0;
#else
	child->requiredPerms = 0;
	child->selectedCols = router_child_columns(base->selectedCols, translated_vars);
	child->insertedCols = router_child_columns(base->insertedCols, translated_vars);
	child->updatedCols = router_child_columns(base->updatedCols, translated_vars);
#endif
}

/* Constraints that say NOT NULL, of tables from 18 on. */
#ifndef CONSTRAINT_NOTNULL
#define CONSTRAINT_NOTNULL 'n'
#endif

#if PG_VERSION_NUM >= 180000
#define router_is_enforced(form) ((form)->conenforced)
#define router_not_null_is_constraint true
#define router_disinherits_namesakes false
#else
#define router_is_enforced(form) true
#define router_not_null_is_constraint false
/* ALTER TABLE … NO INHERIT takes a CHECK for inherited that is named like one of the parent that is not passed on */
#define router_disinherits_namesakes true
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

/* What goes with the entries of a range table is a list of its own from 16 on. */
#if PG_VERSION_NUM >= 160000
#define router_add_permissions(perminfos, rte) ((void) addRTEPermissionInfo((perminfos), (rte)))
#define router_copy_permissions(copy) ((copy)->rteperminfos)
#else
#define router_add_permissions(perminfos, rte) ((void) (perminfos))
#define router_copy_permissions(copy) NIL
#endif
#if PG_VERSION_NUM >= 180000
#define router_init_range_table(estate, rtable, perminfos) \
	ExecInitRangeTable((estate), (rtable), (perminfos), bms_make_singleton(1))
#elif PG_VERSION_NUM >= 160000
#define router_init_range_table(estate, rtable, perminfos) ExecInitRangeTable((estate), (rtable), (perminfos))
#else
#define router_init_range_table(estate, rtable, perminfos) ExecInitRangeTable((estate), (rtable))
#endif

/*
 * Lets a standby cancel queries of this database whose snapshots may be older than a transaction, before it
 * replays what comes next: by the record for an index page that is used again, which does nothing else.
 */
static inline void
router_log_conflict(Relation rel, FullTransactionId xid)
{
	xl_btree_reuse_page record = {0};

#if PG_VERSION_NUM >= 160000
	record.locator = rel->rd_locator;
	record.snapshotConflictHorizon = xid;
#else
	record.node = rel->rd_node;
	record.latestRemovedFullXid = xid;
#endif
	XLogBeginInsert();
	XLogRegisterData((char *) &record, SizeOfBtreeReusePage);
	(void) XLogInsert(RM_BTREE_ID, XLOG_BTREE_REUSE_PAGE);
}

/* Gives a table other storage, empty, from the commit on. */
static inline void
router_set_new_storage(Relation rel)
{
#if PG_VERSION_NUM >= 160000
	RelationSetNewRelfilenumber(rel, rel->rd_rel->relpersistence);
#else
	RelationSetNewRelfilenode(rel, rel->rd_rel->relpersistence);
#endif
}

/* The same for its indexes and those of its TOAST table. */
static inline void
router_reindex(Oid relid)
{
	ReindexParams params = {0};

#if PG_VERSION_NUM >= 170000
	(void) reindex_relation(NULL, relid, REINDEX_REL_PROCESS_TOAST, &params);
#else
	(void) reindex_relation(relid, REINDEX_REL_PROCESS_TOAST, &params);
#endif
}

#endif
