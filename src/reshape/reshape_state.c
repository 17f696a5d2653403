/*
 * reshape_state.c
 *		How far a table is that gets another shape, and is it still what it was begun with? For the steps of reshape.c.
 */
#include "compat.h"
#include "reshape/reshape_part.h"

#include "access/table.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "base/owner.h"
#include "base/sql.h"
#include "reshape/follow.h"
#include "reshape/newcomers.h"
#include "reshape/whole_rows.h"
#include "route/catalog.h"
#include "globalkey/entry.h"
#include "tier/table_text.h"

/* Children that the table got since. No row came to them that was not noted. */
static void
add_new_sources(RouterReshapeDef *def)
{
	MemoryContext work = AllocSetContextCreate(CurrentMemoryContext, "router newcomers", ALLOCSET_DEFAULT_SIZES);
	MemoryContext old = MemoryContextSwitchTo(work);
	List	   *children = router_catalog_children(def->base);
	RouterNewcomers *news = NULL;
	ListCell   *lc;
	int			known = def->nsources;

	def->sources = repalloc(def->sources, (known + list_length(children)) * sizeof(Oid));
	def->files = repalloc(def->files, (known + list_length(children)) * sizeof(Oid));
	foreach(lc, children)
	{
		Oid			child = ((RouterChildDef *) lfirst(lc))->child;
		bool		is_new = true;

		for (int i = 0; is_new && i < known; i++)
			is_new = def->sources[i] != child;
		if (is_new && news == NULL)
			news = router_newcomers_open(def);
		if (!is_new || !router_is_source(news, lfirst(lc)))
			continue;
		def->files[def->nsources] = InvalidOid;
		def->sources[def->nsources++] = child;
	}
	MemoryContextSwitchTo(old);
	MemoryContextDelete(work);
}

/* Reads how far the table is. Its name and columns have to be those that were copied. */
void
router_reshape_read(RouterReshape *r)
{
	MemoryContext old = MemoryContextSwitchTo(r->job.cxt);
	RouterReshapeDef *def = router_catalog_reshape(r->job.base);

	if (def == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("table \"%s\" does not get another shape any more", get_rel_name(r->job.base)),
				 errdetail("Somebody has called router.cancel_reshape meanwhile.")));
	r->def = *def;
	if (router_may_grow(&r->def))
		add_new_sources(&r->def);
	MemoryContextSwitchTo(old);
}

static Oid
current_file(Oid relid)
{
	Relation	rel = table_open(relid, NoLock);
	Oid			file = rel->rd_rel->relfilenode;

	table_close(rel, NoLock);
	return file;
}

/*
 * Copying a source begins. What comes to lie further on meanwhile is noted, since a trigger stands on it; of rows that
 * are followed as wholes this snapshot tells it from what is copied.
 */
void
router_reshape_begin_source(RouterReshape *r, int source)
{
	Oid			relid = r->def.sources[source];
	Relation	rel = table_open(relid, AccessShareLock);
	ItemPointerData rest;
	ItemPointerData end;

	PushActiveSnapshot(GetLatestSnapshot());

	r->def.source = source;
	r->def.files[source] = current_file(relid);
	r->def.blocks = RelationGetNumberOfBlocks(rel);
	ItemPointerSet(&r->def.position, 0, FirstOffsetNumber);
	ItemPointerSet(&rest, r->def.blocks, FirstOffsetNumber);
	ItemPointerSet(&end, MaxBlockNumber, MaxOffsetNumber);
	if (r->def.whole)
		router_whole_note_range(&r->def, relid, &rest, &end);
	PopActiveSnapshot();
	table_close(rel, NoLock);
}

/* With a table in hand nothing is waited for. */
void
router_reshape_lock_if_free(RouterReshape *r, Oid relid, LOCKMODE mode)
{
	if (!ConditionalLockRelationOid(relid, mode))
		ereport(ERROR,
				(errcode(ERRCODE_LOCK_NOT_AVAILABLE),
				 errmsg("could not obtain lock on relation \"%s\"", get_rel_name(relid ? relid : r->job.base))));
}

/*
 * Reads how far the table is, and locks what is copied, and what it belongs to. With a lock that others mind only the
 * table is waited for.
 */
void
router_reshape_lock(RouterReshape *r, LOCKMODE mode)
{
	Oid			base = r->job.base;

	LockRelationOid(base, mode);
	router_reshape_read(r);
	for (int i = 0; i < r->def.nsources; i++)
		if (r->def.sources[i] == base)
			continue;
		else if (mode == AccessShareLock)
			LockRelationOid(r->def.sources[i], mode);
		else
			router_reshape_lock_if_free(r, r->def.sources[i], mode);
}

void
router_reshape_check_source(RouterReshape *r, Oid source)
{
	RouterChildDef *def = source == r->job.base ? NULL : router_catalog_child(source);
	Relation	rel;

	if (source != r->job.base && (def == NULL || def->base != r->job.base))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("a child of \"%s\" was moved, detached or dropped while it gets another shape",
						get_rel_name(r->job.base)),
				 errhint("CALL router.cancel_reshape(%s) and begin again.",
						 quote_literal_cstr(router_qualified_name(r->job.base)))));
	rel = table_open(source, NoLock);
	if (router_is_referenced(rel))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("a foreign key refers to table \"%s\" now", get_rel_name(source)),
				 errdetail("It would not find the rows that live in children."),
				 errhint("Drop it, and go on.")));
	table_close(rel, NoLock);
}

static void
refuse_altered(RouterReshape *r)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("table \"%s\" was altered while it gets another shape", get_rel_name(r->job.base)),
			 errdetail("It has other columns or CHECKs, another owner, or no trigger that tells what is written."),
			 errhint("CALL router.cancel_reshape(%s) and begin again. The table is as it was.",
					 quote_literal_cstr(router_qualified_name(r->job.base)))));
}

/* The table is locked: is it what the copies were made for? SPI is connected. */
void
router_reshape_check_columns(RouterReshape *r)
{
	if (strcmp(router_reshape_nature(r->job.base), r->def.columns) != 0)
		refuse_altered(r);
}

/* What a table has to keep: columns, CHECKs, and its owner, who may have given the copies to others. */
char *
router_reshape_nature(Oid table)
{
	return psprintf("%u: %s", router_relation_owner(table), router_columns_text(table));
}

/*
 * The sources from one on to another are locked, and are they still what is copied? False: by other storage, as far
 * as it is copied.
 */
bool
router_reshape_check(RouterReshape *r, int from, int to)
{
	bool		followed = true;
	bool		same_files = true;

	for (int i = from; i < to; i++)
	{
		router_reshape_check_source(r, r->def.sources[i]);
		same_files &= i > r->def.source || r->def.files[i] == current_file(r->def.sources[i]);
		followed &= router_follow_is_on(r->def.sources[i]);
	}
	if (!followed || get_rel_name(r->def.shadow) == NULL || get_rel_name(r->def.log) == NULL)
		refuse_altered(r);
	router_reshape_check_columns(r);
	return same_files;
}
