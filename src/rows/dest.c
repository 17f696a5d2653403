/*
 * dest.c
 *		Destinations of rows: tables opened for one statement.
 *
 * Locking: the caller opened the relations RowExclusive. Memory: es_query_cxt of the EState.
 */
#include "compat.h"
#include "rows/dest_part.h"

#include "access/heapam.h"
#include "catalog/pg_trigger.h"
#include "foreign/fdwapi.h"
#include "miscadmin.h"

#include "rows/look.h"
#include "rows/mask.h"
#include "rows/passed.h"
#include "base/owner.h"

/* The common case, told faster than convert_tuples_by_name can. */
static bool
same_layout(TupleDesc a, TupleDesc b)
{
	if (a->natts != b->natts)
		return false;
	for (int i = 0; i < a->natts; i++)
	{
		Form_pg_attribute x = TupleDescAttr(a, i);
		Form_pg_attribute y = TupleDescAttr(b, i);

		if (x->attisdropped || y->attisdropped || x->atttypid != y->atttypid || x->atttypmod != y->atttypmod ||
			strcmp(NameStr(x->attname), NameStr(y->attname)) != 0)
			return false;
	}
	return true;
}

/*
 * Prepares a relation for inserts. source: layout of the rows that will come;
 * root: the base's ResultRelInfo, for error messages and transition tables;
 * speculative: indexes shall be ready for ON CONFLICT. rel is closed with it.
 */
RouterDest *
router_dest_open(EState *estate, Relation rel, TupleDesc source, ResultRelInfo *root, bool speculative)
{
	MemoryContext old = MemoryContextSwitchTo(estate->es_query_cxt);
	RouterDestPart *dest = palloc0(sizeof(RouterDestPart));

	dest->estate = estate;
	dest->pub.rel = rel;
	dest->pub.rri = makeNode(ResultRelInfo);
	InitResultRelInfo(dest->pub.rri, rel, 0, root, estate->es_instrument);
	if (!same_layout(source, RelationGetDescr(rel)))
		dest->pub.map = convert_tuples_by_name(source, RelationGetDescr(rel));
	if (root)
		router_set_root_map(dest->pub.rri, dest->pub.map);
	if (rel->rd_rel->relhasindex)
		ExecOpenIndices(dest->pub.rri, speculative);
	dest->pub.rri->ri_newTupleSlot = table_slot_create(rel, &estate->es_tupleTable);
	dest->pub.rri->ri_projectNewInfoValid = true;
	dest->pub.rri->ri_BatchSize = 1;
	MemoryContextSwitchTo(old);
	return &dest->pub;
}

void
router_dest_close(RouterDest *pub)
{
	RouterDestPart *dest = (RouterDestPart *) pub;

	/* slots pin nothing; they go with es_query_cxt */
	if (dest->foreign_begun && dest->pub.rri->ri_FdwRoutine->EndForeignInsert)
		dest->pub.rri->ri_FdwRoutine->EndForeignInsert(dest->estate, dest->pub.rri);
	ExecCloseIndices(dest->pub.rri);
	table_close(dest->pub.rel, NoLock);
}

/*
 * Gets a foreign destination ready. mtstate: the node that inserts, or NULL
 * for one as COPY makes it.
 */
static void
begin_foreign(RouterDestPart *dest, ModifyTableState *mtstate)
{
	FdwRoutine *fdw = dest->pub.rri->ri_FdwRoutine;
	MemoryContext old;

	if (fdw == NULL)
		return;
	if (fdw->ExecForeignInsert == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot insert into foreign table \"%s\"", RelationGetRelationName(dest->pub.rel))));
	if (mtstate && ((ModifyTable *) mtstate->ps.plan)->onConflictAction == ONCONFLICT_UPDATE)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("ON CONFLICT DO UPDATE cannot reach foreign child \"%s\"", RelationGetRelationName(dest->pub.rel)),
				 errhint("UPDATE the row, and INSERT it if there was none.")));
	old = MemoryContextSwitchTo(dest->estate->es_query_cxt);
	if (mtstate == NULL)
	{
		mtstate = makeNode(ModifyTableState);
		mtstate->ps.state = dest->estate;
		mtstate->operation = CMD_INSERT;
		mtstate->mt_nrels = 1;
		mtstate->resultRelInfo = dest->pub.rri;
		mtstate->rootResultRelInfo =
			dest->pub.rri->ri_RootResultRelInfo ? dest->pub.rri->ri_RootResultRelInfo : dest->pub.rri;
	}
	if (fdw->BeginForeignInsert)
		fdw->BeginForeignInsert(mtstate, dest->pub.rri);
	dest->foreign_begun = true;
	MemoryContextSwitchTo(old);
}

/*
 * Gets a destination ready for rows of another table, which move as they are:
 * no trigger fires, and what they have passed where they were is not looked at
 * again. at_home: router knows that they belong there; pending: router_may_be_pending.
 * The caller has become the owner of the base.
 */
void
router_dest_take(RouterDest *pub, Relation source, bool at_home, bool pending)
{
	RouterDestPart *dest = (RouterDestPart *) pub;

	router_check_definer(RelationGetRelid(dest->pub.rel), GetUserId());
	dest->pending = pending;
	dest->referenced = router_is_referenced(source) ? RelationGetRelid(source) : InvalidOid;
	router_mask_for_moved(dest->pub.rri->ri_TrigDesc, false);
	dest->keeps_generated = !AttributeNumberIsValid(router_unlike_generated(source, dest->pub.rel));
	router_skip_check(dest->pub.rri, dest->estate, source, at_home);
}

/*
 * Gets a destination ready for rows that router sends home. base: the triggers
 * of the base; mtstate: the node that inserts, or NULL.
 */
void
router_dest_prepare(RouterDest *pub, const TriggerDesc *base, ModifyTableState *mtstate)
{
	RouterDestPart *dest = (RouterDestPart *) pub;
	TriggerDesc *triggers = dest->pub.rri->ri_TrigDesc;

	begin_foreign(dest, mtstate);
	router_mask_clones(triggers, base);
	router_mask_own_triggers(triggers);
	dest->by_row = dest->pub.rri->ri_FdwRoutine != NULL || router_has_row_triggers(triggers, TRIGGER_TYPE_BEFORE) ||
		router_has_row_triggers(triggers, TRIGGER_TYPE_AFTER);
}

/* Must rows go there one by one, since triggers, or what is evaluated for them, could see if others were held back? */
bool
router_dest_is_by_row(RouterDest *pub)
{
	RouterDestPart *dest = (RouterDestPart *) pub;

	if (!dest->looked)
		dest->by_row |= router_row_looks(dest->pub.rri);
	dest->looked = true;
	return dest->by_row;
}
