/*
 * shadow_rows.c
 *		The rows of a shadow are brought to what its table has: one, or those that a log
 *		has noted.
 *
 * By state, not by event: other AFTER triggers may have changed a row again before it was
 * noted. So a row is taken out of the home that it had, and what the table has under its key is put
 * where it belongs; done twice it is the same. The row of a home is changed by an UPDATE, so that who waits
 * for it follows.
 *
 * Rights: the caller has become the owner of the table, who has defined what indexes of the children evaluate.
 * Locking: RowExclusiveLock on shadow and children; and what creating one takes.
 * Memory: that of the caller.
 */
#include "compat.h"
#include "reshape/shadow_rows.h"

#include "access/genam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/tuplestore.h"

#include "reshape/newcomers.h"
#include "route/cache.h"
#include "rows/estate.h"
#include "rows/row_key.h"
#include "rows/twin.h"
#include "write/home.h"

/* A table whose rows are copied. */
typedef struct Source
{
	Relation	rel;
	RouterRowKey key;
	TupleConversionMap *map;	/* its layout -> the table's; NULL if they are alike */
	TupleTableSlot *found;
	TupleTableSlot *mapped;
	bool		waiting;		/* its rows wait for children */
} Source;

struct RouterShadowRows
{
	const RouterReshapeDef *def;
	Relation	table;			/* that has a shadow; rows are in its layout, unless they are of a source */
	List	   *sources;		/* of Source: those that were needed */
	Relation	shadow;
	RouterCacheEntry *entry;	/* of the shadow */
	RouterRowKey key;			/* of the table */
	EState	   *estate;
	RouterHomes homes;			/* makes the children that are missing */
	List	   *twins;			/* of RouterTwin, one a child */
	TupleTableSlot *like;		/* a row that was noted, as far as it was */
	TupleTableSlot *keys;		/* the routing columns of a row, in the shadow's layout */
};

static void
was_altered(Relation table)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("table \"%s\" was altered while it gets another shape", RelationGetRelationName(table)),
			 errhint("CALL router.cancel_reshape(…) and begin again.")));
}

static Source *
source_of(RouterShadowRows *rows, Oid relid)
{
	Source	   *source;
	ListCell   *lc;

	foreach(lc, rows->sources)
		if (RelationGetRelid(((Source *) lfirst(lc))->rel) == relid)
			return lfirst(lc);
	source = palloc0(sizeof(Source));
	source->rel = table_open(relid, AccessShareLock);
	if (!rows->def->whole)
	{
		router_row_key_open(source->rel, &source->key, &rows->key, rows->table);
		if (source->key.index == NULL)
			was_altered(source->rel);
	}
	source->map = convert_tuples_by_name(RelationGetDescr(source->rel), RelationGetDescr(rows->table));
	source->waiting = router_rows_wait(rows->def, relid);
	source->found = table_slot_create(source->rel, NULL);
	source->mapped = MakeSingleTupleTableSlot(RelationGetDescr(rows->table), &TTSOpsVirtual);
	rows->sources = lappend(rows->sources, source);
	return source;
}

/* def has to be there until it is closed. */
RouterShadowRows *
router_shadow_rows_open(const RouterReshapeDef *def)
{
	RouterShadowRows *rows = palloc0(sizeof(RouterShadowRows));

	rows->def = def;
	rows->table = table_open(def->base, AccessShareLock);
	rows->shadow = table_open(def->shadow, RowExclusiveLock);
	rows->entry = router_cache_entry(def->shadow);
	if (!def->whole)
		router_row_key_open(rows->table, &rows->key, NULL, NULL);
	if (!def->whole && rows->key.index == NULL)
		elog(ERROR, "table \"%s\" has no key", RelationGetRelationName(rows->table));
	rows->estate = router_make_estate(rows->shadow);
	router_homes_init(&rows->homes, rows->entry, rows->shadow, rows->estate,
					  router_make_root(rows->estate, rows->shadow));
	rows->like = MakeSingleTupleTableSlot(RelationGetDescr(rows->table), &TTSOpsVirtual);
	rows->keys = MakeSingleTupleTableSlot(RelationGetDescr(rows->shadow), &TTSOpsVirtual);
	return rows;
}

/* Errors that come are for a writer, who may not read what the owner may. */
void
router_shadow_rows_be_quiet(RouterShadowRows *rows)
{
	rows->homes.quiet = true;
}

void
router_shadow_rows_close(RouterShadowRows *rows)
{
	ListCell   *lc;

	foreach(lc, rows->twins)
		router_twin_close(lfirst(lc));
	foreach(lc, rows->sources)
	{
		Source	   *source = lfirst(lc);

		ExecDropSingleTupleTableSlot(source->found);
		ExecDropSingleTupleTableSlot(source->mapped);
		if (source->key.index)
			index_close(source->key.index, NoLock);
		table_close(source->rel, NoLock);
	}
	ExecDropSingleTupleTableSlot(rows->like);
	ExecDropSingleTupleTableSlot(rows->keys);
	router_homes_close(&rows->homes);
	router_free_estate(rows->estate);
	if (rows->key.index)
		index_close(rows->key.index, NoLock);
	table_close(rows->shadow, NoLock);
	table_close(rows->table, NoLock);
}

/* The routing columns of a row of the table, for the route of the shadow or of the table. */
static void
read_keys(RouterShadowRows *rows, const RouterRoute *route, TupleTableSlot *slot, Datum *values, bool *isnull)
{
	for (int i = 0; i < route->config.nkeys; i++)
		values[i] = slot_getattr(slot, SPI_fnumber(RelationGetDescr(rows->table), route->config.keys[i].column),
								 &isnull[i]);
}

/* The child that a row of the table belongs to; InvalidOid: there is none, and none shall be made. */
static Oid
find_home(RouterShadowRows *rows, TupleTableSlot *slot, bool create)
{
	RouterRoute *route = router_cache_route(rows->entry);
	Datum		values[ROUTER_MAX_LEVELS];
	bool		isnull[ROUTER_MAX_LEVELS];
	RouterMiss	miss;
	Oid			child;

	if (route == NULL)
		elog(ERROR, "shadow of \"%s\" has no route", RelationGetRelationName(rows->table));
	ExecClearTuple(rows->keys);
	memset(rows->keys->tts_isnull, true, rows->keys->tts_tupleDescriptor->natts * sizeof(bool));
	read_keys(rows, route, slot, values, isnull);
	for (int i = 0; i < route->config.nkeys; i++)
	{
		int			attnum = route->config.keys[i].attnum;

		rows->keys->tts_values[attnum - 1] = values[i];
		rows->keys->tts_isnull[attnum - 1] = isnull[i];
	}
	ExecStoreVirtualTuple(rows->keys);
	child = router_route_find(route, values, isnull, &miss);
	if (!OidIsValid(child) && create)
		child = RelationGetRelid(router_home(&rows->homes, rows->keys)->rel);
	return OidIsValid(child) ? child : route->default_child;
}

static RouterTwin *
twin_of(RouterShadowRows *rows, Oid child)
{
	RouterTwin *twin;
	ListCell   *lc;

	foreach(lc, rows->twins)
		if (router_twin_copy(lfirst(lc)) == child)
			return lfirst(lc);
	twin = router_twin_open(rows->table, child);
	if (twin == NULL)
		was_altered(rows->table);
	rows->twins = lappend(rows->twins, twin);
	return twin;
}

/* Takes a row out of the home that its columns tell, unless that is except. moved: the table still has its key. */
static void
clear(RouterShadowRows *rows, TupleTableSlot *slot, Oid except, bool moved)
{
	Oid			child = find_home(rows, slot, false);

	if (OidIsValid(child) && child != except)
		(void) router_twin_change(twin_of(rows, child), slot, NULL, moved);
}

static TupleTableSlot *
in_table_layout(Source *source, TupleTableSlot *slot)
{
	return source->map ? execute_attr_map_slot(source->map->attrMap, slot, source->mapped) : slot;
}

/* A row of a source in the table's layout: one that went, and one that came, may be had at a time. */
TupleTableSlot *
router_shadow_rows_went(RouterShadowRows *rows, Relation source, TupleTableSlot *slot)
{
	TupleConversionMap *map = source_of(rows, RelationGetRelid(source))->map;

	return map ? execute_attr_map_slot(map->attrMap, slot, rows->like) : slot;
}

/* Rows that come next are of this source: whether a child is made for them depends on it. */
void
router_shadow_rows_from(RouterShadowRows *rows, Oid source)
{
	rows->homes.waiting = source_of(rows, source)->waiting;
}

TupleTableSlot *
router_shadow_rows_came(RouterShadowRows *rows, Relation source, TupleTableSlot *slot)
{
	router_shadow_rows_from(rows, RelationGetRelid(source));
	return in_table_layout(source_of(rows, RelationGetRelid(source)), slot);
}

/* The child that a row of the table belongs to; NULL: there is none, and none shall be made. */
RouterTwin *
router_shadow_rows_twin(RouterShadowRows *rows, TupleTableSlot *slot, bool create)
{
	Oid			child = find_home(rows, slot, create);

	return OidIsValid(child) ? twin_of(rows, child) : NULL;
}

/*
 * Where the row with a key may be now. Of many sources it is where it was written, its home, or where rows without
 * one are; a row that has left another home was noted there, too.
 */
static List *
where_to_look(RouterShadowRows *rows, Oid written, TupleTableSlot *slot)
{
	List	   *places = OidIsValid(written) ? list_make1_oid(written) : NIL;
	const RouterReshapeDef *def = rows->def;
	RouterRoute *route;
	Datum		values[ROUTER_MAX_LEVELS];
	bool		isnull[ROUTER_MAX_LEVELS];
	RouterMiss	miss;
	Oid			home;

	if (!def->all)
	{
		for (int i = 0; i < def->nsources; i++)
			places = list_append_unique_oid(places, def->sources[i]);
		return places;
	}
	route = router_cache_route(router_cache_entry(def->base));
	if (route == NULL)
		was_altered(rows->table);
	read_keys(rows, route, slot, values, isnull);
	home = router_route_find(route, values, isnull, &miss);
	if (OidIsValid(home))
		places = list_append_unique_oid(places, home);
	if (OidIsValid(route->default_child))
		places = list_append_unique_oid(places, route->default_child);
	if (def->sources[0] == def->base)
		places = list_append_unique_oid(places, def->base);
	return places;
}

/*
 * The row that has the key of another one now, of which there is no second: see router_check_keys. NULL: none. written:
 * the source where that was written, or InvalidOid.
 */
static TupleTableSlot *
find_now(RouterShadowRows *rows, Oid written, TupleTableSlot *slot, Snapshot snapshot)
{
	List	   *places = where_to_look(rows, written, slot);
	TupleTableSlot *now = NULL;
	ListCell   *lc;

	foreach(lc, places)
	{
		Source	   *source = source_of(rows, lfirst_oid(lc));

		if (router_row_key_find(source->rel, &source->key, slot, rows->key.attnums, snapshot, source->found))
		{
			router_shadow_rows_from(rows, lfirst_oid(lc));
			now = in_table_layout(source, source->found);
			break;
		}
	}
	list_free(places);
	return now;
}

static void
forget_found(RouterShadowRows *rows)
{
	ListCell   *lc;

	foreach(lc, rows->sources)
		ExecClearTuple(((Source *) lfirst(lc))->found);
}

/* Brings the shadow to what the sources have, by a snapshot, under the key of a row that was there, or is. */
void
router_shadow_rows_bring(RouterShadowRows *rows, Relation source, TupleTableSlot *version, Snapshot snapshot)
{
	TupleTableSlot *slot = router_shadow_rows_went(rows, source, version);
	TupleTableSlot *now = find_now(rows, RelationGetRelid(source), slot, snapshot);
	Oid			home = now ? find_home(rows, now, true) : InvalidOid;

	clear(rows, slot, home, now != NULL || router_row_went_home(version));
	if (now)
		router_twin_bring(twin_of(rows, home), now);
	forget_found(rows);
}

/* Puts a row of a source where it belongs, if there is none of its key, or rows have none. True: it did. */
bool
router_shadow_rows_add(RouterShadowRows *rows, Relation source, TupleTableSlot *version)
{
	TupleTableSlot *slot = router_shadow_rows_came(rows, source, version);
	RouterTwin *twin = router_shadow_rows_twin(rows, slot, true);
	bool		add = rows->def->whole || !router_twin_has(twin, slot);

	if (add && rows->def->whole)
		router_twin_insert(twin, slot);
	else if (add)
		router_twin_bring(twin, slot);
	return add;
}

/* Takes all that a source has, by a snapshot, out of the shadow. */
void
router_shadow_rows_clear(const RouterReshapeDef *def, Relation source, Snapshot snapshot)
{
	RouterShadowRows *rows = router_shadow_rows_open(def);
	TupleTableSlot *slot = table_slot_create(source, NULL);
	TableScanDesc scan = table_beginscan(source, snapshot, 0, NULL);

	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		CHECK_FOR_INTERRUPTS();
		clear(rows, in_table_layout(source_of(rows, RelationGetRelid(source)), slot), InvalidOid, false);
	}
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	router_shadow_rows_close(rows);
}

/* ---------------------------------------------------------------------- the log */

/* The columns of a log, as in CREATE TABLE: those that tell a row, and its homes; all, if nothing else does. */
char *
router_log_columns(const RouterReshapeDef *def, Relation table, List *keys)
{
	TupleDesc	desc = RelationGetDescr(table);
	RouterRowKey key = {0};
	StringInfoData buf;
	Bitmapset  *attnums = NULL;
	int			attnum = -1;
	ListCell   *lc;

	if (def->whole)
		attnums = bms_add_range(NULL, 1, desc->natts);
	else
	{
		router_row_key_open(table, &key, NULL, NULL);
		index_close(key.index, NoLock);
	}
	for (int i = 0; i < key.n; i++)
		attnums = bms_add_member(attnums, key.attnums[i]);
	foreach(lc, keys)
		attnums = bms_add_member(attnums, SPI_fnumber(desc, lfirst(lc)));
	initStringInfo(&buf);
	if (def->whole)
		appendStringInfoString(&buf, ROUTER_WHOLE_COLUMNS);
	while ((attnum = bms_next_member(attnums, attnum)) >= 0)
	{
		Form_pg_attribute att = TupleDescAttr(desc, attnum - 1);

		if (!att->attisdropped)
			appendStringInfo(&buf, "%s%s %s", buf.len > 0 ? ", " : "", quote_identifier(NameStr(att->attname)),
							 format_type_extended(att->atttypid, att->atttypmod,
												  FORMAT_TYPE_TYPEMOD_GIVEN | FORMAT_TYPE_FORCE_QUALIFY));
	}
	return buf.data;
}

/* Of each column of a log the number that it has in the table; of those that tell what happened to a whole row, 0. */
AttrNumber *
router_log_map(const RouterReshapeDef *def, Relation log, Relation table)
{
	TupleDesc	desc = RelationGetDescr(log);
	TupleDesc	of = RelationGetDescr(table);
	AttrNumber *attnums = palloc0(desc->natts * sizeof(AttrNumber));

	for (int i = def->whole ? ROUTER_WHOLE_NCOLUMNS : 0; i < desc->natts; i++)
	{
		int			attnum = SPI_fnumber(of, NameStr(TupleDescAttr(desc, i)->attname));

		if (attnum <= 0 || TupleDescAttr(of, attnum - 1)->atttypid != TupleDescAttr(desc, i)->atttypid)
			was_altered(table);
		attnums[i] = attnum;
	}
	return attnums;
}

/* Rows were noted by the key that the table had then: REINDEX CONCURRENTLY can make another one the first. */
static void
check_key(RouterShadowRows *rows, const AttrNumber *attnums, int n)
{
	for (int i = 0; i < rows->key.n; i++)
	{
		int			at = 0;

		while (at < n && attnums[at] != rows->key.attnums[i])
			at++;
		if (at == n)
			was_altered(rows->table);
	}
}

/* A row that was noted, in the table's layout. */
TupleTableSlot *
router_shadow_rows_noted(RouterShadowRows *rows, const AttrNumber *attnums, TupleTableSlot *noted)
{
	ExecClearTuple(rows->like);
	slot_getallattrs(noted);
	memset(rows->like->tts_isnull, true, rows->like->tts_tupleDescriptor->natts * sizeof(bool));
	for (int i = 0; i < noted->tts_tupleDescriptor->natts; i++)
	{
		if (attnums[i] == 0)
			continue;
		rows->like->tts_values[attnums[i] - 1] = noted->tts_values[i];
		rows->like->tts_isnull[attnums[i] - 1] = noted->tts_isnull[i];
	}
	return ExecStoreVirtualTuple(rows->like);
}

/*
 * Brings the shadow to the state of the table by a snapshot, as far as the log has noted
 * what happened since the last time; what is done is taken off the log. First all that
 * was noted goes, then what there is comes: keys may have gone from row to row.
 * Returns how many were noted. The snapshot is the active one.
 */
int64
router_shadow_rows_apply(RouterShadowRows *rows, Relation log, Snapshot snapshot)
{
	AttrNumber *attnums = router_log_map(rows->def, log, rows->table);
	Tuplestorestate *noted = tuplestore_begin_heap(false, false, work_mem);
	TupleTableSlot *slot = table_slot_create(log, NULL);
	TupleTableSlot *stored = MakeSingleTupleTableSlot(RelationGetDescr(log), &TTSOpsMinimalTuple);
	TableScanDesc scan = table_beginscan(log, snapshot, 0, NULL);
	TupleTableSlot *now;
	int64		n = 0;

	check_key(rows, attnums, RelationGetDescr(log)->natts);
	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		CHECK_FOR_INTERRUPTS();
		clear(rows, router_shadow_rows_noted(rows, attnums, slot), InvalidOid, true);
		tuplestore_puttupleslot(noted, slot);
		simple_table_tuple_delete(log, &slot->tts_tid, snapshot);
		n++;
	}
	table_endscan(scan);
	while (tuplestore_gettupleslot(noted, true, false, stored))
	{
		CHECK_FOR_INTERRUPTS();
		now = find_now(rows, InvalidOid, router_shadow_rows_noted(rows, attnums, stored), snapshot);
		if (now)
			router_twin_bring(twin_of(rows, find_home(rows, now, true)), now);
		forget_found(rows);
	}
	tuplestore_end(noted);
	ExecDropSingleTupleTableSlot(slot);
	ExecDropSingleTupleTableSlot(stored);
	CommandCounterIncrement();
	return n;
}
