/*
 * entry.c
 *		Entries of global keys. A global key is unique over the whole routed table
 *		though it lacks the routing columns: an ordinary table, the key table, has
 *		an entry for each row, under a primary key.
 *
 * An entry is made, changed or removed when its row is: at once, by the watch
 * that router_globalkey_watch puts on a relation, or by the triggers of triggers.c. The
 * watch is a WHEN condition that the key trigger gets in the statement's private
 * copy of the trigger descriptor: core evaluates it right after the row was
 * written; it writes the entry and says that no event is to be queued. So
 * uniqueness is checked as each row is written, and rows of one statement can
 * refer to each other, as on any table.
 *
 * Entries are written with the functions that logical replication uses, which
 * fire the triggers of the key table: foreign keys that refer to it act as on
 * any table. A row that router moves keeps its entry, since no trigger fires.
 *
 * Rights: nobody but the base's owner needs any on the key table. Entries are
 * written as its owner if the user may see the key's columns in the base, else
 * as the user, whom core then does not tell the values of a conflict.
 *
 * Locking: RowExclusiveLock on key tables, kept to the end of the transaction;
 * one who inserts a key waits for another who did, as with any unique index.
 * Memory: everything is in es_query_cxt of the statement's EState; key tables
 * are opened at the first row and closed by router_globalkey_close.
 */
#include "compat.h"
#include "globalkey/entry.h"

#include "access/genam.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_trigger.h"
#include "commands/copyfrom_internal.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/sortsupport.h"

#include "base/see.h"

/* rows read at a time when entries are made or removed by a query */
#define FETCH_ROWS 1000

/* room for collected entries at first, a power of two; it doubles */
#define FIRST_SLOTS 64

typedef struct KeyTable
{
	Oid			relid;
	int			ncolumns;
	AttrNumber *attnums;		/* of the base */
	char	  **columns;
	bool		as_owner;		/* the user may read the columns */
	Oid			owner;
	Relation	rel;			/* NULL: not opened yet */
	ResultRelInfo *rri;
	Relation	index;			/* of the primary key; one of rri's */
	ScanKey		sought;			/* equality with each of its columns */
	TupleTableSlot *entry;		/* to be written */
	TupleTableSlot *found;
	EPQState	epq;
	bool		plain;			/* nothing but the primary key is to be checked or fired */
	bool		checked;		/* triggers of users may make something else of an entry */

	TupleTableSlot **collected; /* entries to be written together */
	uint64	   *lines;			/* COPY: where their rows came from */
	int			ncollected;
	int			nslots;			/* made */
} KeyTable;

struct RouterGlobalKeyState
{
	RouterGlobalKeyState *next;
	EState	   *estate;
	Oid			base;
	bool		collecting;		/* entries of new rows are not written at once */
	CopyFromState copy;			/* for line numbers in error messages, or NULL */
	int			n;
	KeyTable	tables[FLEXIBLE_ARRAY_MEMBER];
};

/* Stands in for a WHEN condition of a relation's key trigger. */
typedef struct Watch
{
	ExprState	expr;			/* first: core knows only this */
	RouterGlobalKeyState *keys;
	AttrNumber *attnums;		/* the keys' columns in this relation, one key after the other */
} Watch;

/* ----------------------------------------------------------------- questions */

/* Is this one of the triggers by which entries follow rows? */
bool
router_globalkey_is_trigger(const Trigger *trigger)
{
	return trigger->tgname[0] == '~' &&
		(strcmp(trigger->tgname, ROUTER_TRIGGER_GLOBALKEY) == 0 ||
		 strcmp(trigger->tgname, ROUTER_TRIGGER_GLOBALKEY_TRUNCATE) == 0);
}

/* Do entries follow the rows of the table with these triggers? */
bool
router_globalkey_has_trigger(const TriggerDesc *triggers)
{
	for (int i = 0; triggers && i < triggers->numtriggers; i++)
		if (strcmp(triggers->triggers[i].tgname, ROUTER_TRIGGER_GLOBALKEY) == 0)
			return true;
	return false;
}

/* Is there a foreign key that refers to the table? */
bool
router_is_referenced(Relation rel)
{
	TriggerDesc *triggers = rel->trigdesc;

	for (int i = 0; triggers && i < triggers->numtriggers; i++)
		if (triggers->triggers[i].tgisinternal && RI_FKey_trigger_type(triggers->triggers[i].tgfoid) == RI_TRIGGER_PK)
			return true;
	return false;
}

/* ---------------------------------------------------- a statement's key tables */

static void
copy_key(KeyTable *table, const RouterGlobalKey *key)
{
	table->relid = key->key_table;
	table->ncolumns = key->ncolumns;
	table->attnums = palloc(key->ncolumns * sizeof(AttrNumber));
	table->columns = palloc(key->ncolumns * sizeof(char *));
	for (int i = 0; i < key->ncolumns; i++)
	{
		table->attnums[i] = key->attnums[i];
		table->columns[i] = pstrdup(key->columns[i]);
	}
}

/* The global keys of a base, none opened yet; NULL if it has none. */
static RouterGlobalKeyState *
make_keys(EState *estate, Oid base)
{
	RouterRoute *route = router_cache_route(router_cache_entry(base));
	MemoryContext old;
	RouterGlobalKeyState *keys;

	if (route == NULL || route->global_keys == NIL)
		return NULL;
	old = MemoryContextSwitchTo(estate->es_query_cxt);
	keys = palloc0(offsetof(RouterGlobalKeyState, tables) + list_length(route->global_keys) * sizeof(KeyTable));
	keys->estate = estate;
	keys->base = base;
	keys->n = list_length(route->global_keys);
	for (int i = 0; i < keys->n; i++)
		copy_key(&keys->tables[i], list_nth(route->global_keys, i));
	/* the route may be stale from here on */
	for (int i = 0; i < keys->n; i++)
		keys->tables[i].as_owner = router_may_see(base, keys->tables[i].attnums, keys->tables[i].ncolumns);
	MemoryContextSwitchTo(old);
	return keys;
}

static RouterGlobalKeyState *
find_keys(RouterGlobalKeyState **list, EState *estate, Oid base)
{
	RouterGlobalKeyState *keys = *list;

	while (keys && keys->base != base)
		keys = keys->next;
	if (keys == NULL && (keys = make_keys(estate, base)) != NULL)
	{
		keys->next = *list;
		*list = keys;
	}
	return keys;
}

/* Has a key table the types that entries come with, and a primary key on just these columns? */
static bool
is_as_made(Relation rel, Oid base, const AttrNumber *attnums, int n, Relation index)
{
	TupleDesc	desc = RelationGetDescr(rel);

	if (desc->natts < n || index->rd_index->indnkeyatts != n)
		return false;
	for (int i = 0; i < n; i++)
		if (TupleDescAttr(desc, i)->attisdropped || TupleDescAttr(desc, i)->attgenerated != '\0' ||
			TupleDescAttr(desc, i)->atttypid != get_atttype(base, attnums[i]) ||
			index->rd_index->indkey.values[i] < 1 || index->rd_index->indkey.values[i] > n)
			return false;
	return true;
}

/* The index of a key table's primary key. Errors: object_not_in_prerequisite_state, if its owner has changed it. */
Oid
router_globalkey_index(Relation rel, Oid base, const AttrNumber *attnums, int n)
{
	Oid			indexid = router_primary_key_index(rel);
	Relation	index = OidIsValid(indexid) ? index_open(indexid, AccessShareLock) : NULL;

	if (index == NULL || !is_as_made(rel, base, attnums, n, index))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("key table \"%s\" of routed table \"%s\" has not the columns and the primary key that it was made with",
						RelationGetRelationName(rel), get_rel_name(base)),
				 errhint("Give its first columns the types that they have in the routed table, and a primary key on just these.")));
	index_close(index, NoLock);
	return indexid;
}

/* Prepares the search by the primary key of a key table, whose indexes are open. */
static void
prepare_search(RouterGlobalKeyState *keys, KeyTable *table, Relation rel)
{
	Oid			indexid = router_globalkey_index(rel, keys->base, table->attnums, table->ncolumns);

	for (int i = 0; i < table->rri->ri_NumIndices; i++)
		if (RelationGetRelid(table->rri->ri_IndexRelationDescs[i]) == indexid)
			table->index = table->rri->ri_IndexRelationDescs[i];
	table->sought = palloc(table->ncolumns * sizeof(ScanKeyData));
	for (int i = 0; i < table->ncolumns; i++)
	{
		Oid			type = table->index->rd_opcintype[i];
		Oid			equals = get_opfamily_member(table->index->rd_opfamily[i], type, type, BTEqualStrategyNumber);

		ScanKeyEntryInitialize(&table->sought[i], 0, i + 1, BTEqualStrategyNumber, InvalidOid,
							   table->index->rd_indcollation[i], get_opcode(equals), (Datum) 0);
	}
}

/* Opens a key table, unless it is open. */
static void
open_table(RouterGlobalKeyState *keys, KeyTable *table)
{
	EState	   *estate = keys->estate;
	MemoryContext old;
	Relation	rel;

	if (likely(table->rel))
		return;
	old = MemoryContextSwitchTo(estate->es_query_cxt);
	rel = table_open(table->relid, RowExclusiveLock);
	table->owner = rel->rd_rel->relowner;
	table->rri = makeNode(ResultRelInfo);
	InitResultRelInfo(table->rri, rel, 0, NULL, 0);
	ExecOpenIndices(table->rri, false);
	prepare_search(keys, table, rel);
	table->entry = table_slot_create(rel, &estate->es_tupleTable);
	table->found = table_slot_create(rel, &estate->es_tupleTable);
	router_epq_init(&table->epq, estate);
	table->plain = RelationGetDescr(rel)->natts == table->ncolumns && RelationGetDescr(rel)->constr->num_check == 0 &&
		(rel->trigdesc == NULL || !(rel->trigdesc->trig_insert_before_row || rel->trigdesc->trig_insert_after_row));
	table->checked = rel->trigdesc && (rel->trigdesc->trig_insert_before_row || rel->trigdesc->trig_update_before_row ||
									   rel->trigdesc->trig_delete_before_row);
	table->rel = rel;
	MemoryContextSwitchTo(old);
}

/* Closes what was opened; locks stay. */
void
router_globalkey_close(RouterGlobalKeyState **list)
{
	for (RouterGlobalKeyState *keys = *list; keys; keys = keys->next)
		for (int i = 0; i < keys->n; i++)
		{
			KeyTable   *table = &keys->tables[i];

			if (table->rel == NULL)
				continue;
			ExecClearTuple(table->found);
			ExecCloseIndices(table->rri);
			table_close(table->rel, NoLock);
			table->rel = NULL;
		}
	*list = NULL;
}

/* The columns of all keys in a relation of the routed table, one key after the other. */
static AttrNumber *
map_columns(const RouterGlobalKeyState *keys, TupleDesc desc)
{
	int			total = 0;
	AttrNumber *attnums;

	for (int i = 0; i < keys->n; i++)
		total += keys->tables[i].ncolumns;
	attnums = palloc(total * sizeof(AttrNumber));
	total = 0;
	for (int i = 0; i < keys->n; i++)
		for (int j = 0; j < keys->tables[i].ncolumns; j++)
		{
			int			attnum = SPI_fnumber(desc, keys->tables[i].columns[j]);

			if (attnum <= 0)
				elog(ERROR, "a table of routed table %u lacks column \"%s\"", keys->base, keys->tables[i].columns[j]);
			attnums[total++] = attnum;
		}
	return attnums;
}

/* ----------------------------------------------------------- single entries */

/* Puts key values into a slot of the key table; columns that somebody added are null. */
static void
fill(TupleTableSlot *slot, const Datum *values, int n)
{
	ExecClearTuple(slot);
	memset(slot->tts_isnull, true, slot->tts_tupleDescriptor->natts * sizeof(bool));
	for (int i = 0; i < n; i++)
	{
		slot->tts_values[i] = values[i];
		slot->tts_isnull[i] = false;
	}
	ExecStoreVirtualTuple(slot);
}

/*
 * Finds the entry of a key, waiting for whoever changes it. It needs no lock:
 * it changes with its row only, which we changed.
 */
static bool
find_entry(KeyTable *table, const Datum *values)
{
	SnapshotData dirty;
	IndexScanDesc scan;
	bool		found;

	InitDirtySnapshot(dirty);
	/* the primary key may have its columns in another order */
	for (int i = 0; i < table->ncolumns; i++)
		table->sought[i].sk_argument = values[table->index->rd_index->indkey.values[i] - 1];
	scan = router_index_beginscan(table->rel, table->index, &dirty, table->ncolumns);
	for (;;)
	{
		TransactionId other;

		index_rescan(scan, table->sought, table->ncolumns, NULL, 0);
		found = index_getnext_slot(scan, ForwardScanDirection, table->found);
		other = TransactionIdIsValid(dirty.xmin) ? dirty.xmin : dirty.xmax;
		if (!found || !TransactionIdIsValid(other))
			break;
		ExecClearTuple(table->found);
		XactLockTableWait(other, NULL, NULL, XLTW_None);
	}
	index_endscan(scan);
	return found;
}

/* Refuses what BEFORE ROW triggers of users made of an entry: then there would be one too few or too many. */
static void
check_written(KeyTable *table, const Datum *was, const Datum *is)
{
	bool		as_wanted = is == NULL || ItemPointerIsValid(&table->entry->tts_tid);

	for (int i = 0; is && as_wanted && i < table->ncolumns; i++)
	{
		Form_pg_attribute attr = TupleDescAttr(table->entry->tts_tupleDescriptor, i);
		bool		isnull;
		Datum		value = slot_getattr(table->entry, i + 1, &isnull);

		as_wanted = !isnull && datum_image_eq(value, is[i], attr->attbyval, attr->attlen);
	}
	if (as_wanted && (is || !find_entry(table, was)))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION),
			 errmsg("a trigger of key table \"%s\" keeps an entry from being what its row is",
					RelationGetRelationName(table->rel)),
			 errhint("Let its BEFORE triggers return the row as it is, or drop them.")));
}

/*
 * Makes, changes or removes an entry: is NULL, none shall be; was NULL, none
 * was. Errors: unique_violation, those of foreign keys that refer to it, triggered_data_change_violation.
 */
static void
put_entry(RouterGlobalKeyState *keys, KeyTable *table, const Datum *was, const Datum *is)
{
	Oid			user;
	int			context;
	bool		there;

	open_table(keys, table);
	GetUserIdAndSecContext(&user, &context);
	if (table->as_owner)
		SetUserIdAndSecContext(table->owner, context | SECURITY_LOCAL_USERID_CHANGE);
	there = was && find_entry(table, was);
	if (is)
		fill(table->entry, is, table->ncolumns);
	if (there && is)
		ExecSimpleRelationUpdate(table->rri, keys->estate, &table->epq, table->found, table->entry);
	else if (there)
		ExecSimpleRelationDelete(table->rri, keys->estate, &table->epq, table->found);
	else if (is)
		ExecSimpleRelationInsert(table->rri, keys->estate, table->entry);
	if (table->checked && (there || is))
		check_written(table, was, is);
	SetUserIdAndSecContext(user, context);
	ExecClearTuple(table->entry);
	ExecClearTuple(table->found);
}

/* Removes an entry whose row goes away as such; refused if a foreign key refers to it, whatever its action. */
static void
remove_entry(RouterGlobalKeyState *keys, KeyTable *table, const Datum *values)
{
	TriggerDesc *triggers;

	open_table(keys, table);
	if (!find_entry(table, values))
		return;
	simple_table_tuple_delete(table->rel, &table->found->tts_tid, GetActiveSnapshot());
	triggers = table->rri->ri_TrigDesc;
	for (int i = 0; triggers && i < triggers->numtriggers; i++)
	{
		Trigger    *trigger = &triggers->triggers[i];
		LOCAL_FCINFO(fcinfo, 0);
		TriggerData trigdata = {0};

		if (!trigger->tgisinternal || !TRIGGER_FOR_DELETE(trigger->tgtype) ||
			RI_FKey_trigger_type(trigger->tgfoid) != RI_TRIGGER_PK)
			continue;
		trigdata.type = T_TriggerData;
		trigdata.tg_event = TRIGGER_EVENT_DELETE | TRIGGER_EVENT_ROW | TRIGGER_EVENT_AFTER;
		trigdata.tg_relation = table->rel;
		trigdata.tg_trigslot = table->found;
		trigdata.tg_trigtuple = ExecFetchSlotHeapTuple(table->found, false, NULL);
		trigdata.tg_trigger = trigger;
		InitFunctionCallInfoData(*fcinfo, NULL, 0, InvalidOid, (Node *) &trigdata, NULL);
		RI_FKey_noaction_del(fcinfo);
	}
	ExecClearTuple(table->found);
}

/* --------------------------------------------------------- changes of rows */

/* Reads key values; false if one is null, which means that the row has no entry. */
static bool
read_key(TupleTableSlot *slot, const AttrNumber *attnums, int n, Datum *values)
{
	bool		isnull;

	if (slot == NULL)
		return false;
	for (int i = 0; i < n; i++)
	{
		values[i] = slot_getattr(slot, attnums[i], &isnull);
		if (isnull)
			return false;
	}
	return true;
}

/* Byte by byte, as foreign keys compare a referenced row. */
static bool
same_key(TupleTableSlot *slot, const AttrNumber *attnums, int n, const Datum *a, const Datum *b)
{
	for (int i = 0; i < n; i++)
	{
		Form_pg_attribute attr = TupleDescAttr(slot->tts_tupleDescriptor, attnums[i] - 1);

		if (!datum_image_eq(a[i], b[i], attr->attbyval, attr->attlen))
			return false;
	}
	return true;
}

/*
 * A key set to null loses its entry. Foreign keys would then do as for a
 * deleted row, where ON UPDATE is what the user means: refused.
 */
static void
check_nulled(RouterGlobalKeyState *keys, KeyTable *table)
{
	open_table(keys, table);
	if (router_is_referenced(table->rel))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("cannot set a global key of routed table \"%s\" to null", get_rel_name(keys->base)),
				 errdetail("A foreign key refers to key table \"%s\".", RelationGetRelationName(table->rel)),
				 errhint("Delete the row, or give it another key.")));
}

/* Makes the entries follow a row; old is NULL for a new row, new for a deleted one. */
static void
follow(RouterGlobalKeyState *keys, const AttrNumber *attnums, TupleTableSlot *old, TupleTableSlot *new)
{
	for (int i = 0; i < keys->n; i++)
	{
		KeyTable   *table = &keys->tables[i];
		Datum		was[INDEX_MAX_KEYS];
		Datum		is[INDEX_MAX_KEYS];
		bool		had = read_key(old, attnums, table->ncolumns, was);
		bool		has = read_key(new, attnums, table->ncolumns, is);

		if (had && new && !has)
			check_nulled(keys, table);
		if ((had || has) && !(had && has && same_key(old, attnums, table->ncolumns, was, is)))
			put_entry(keys, table, had ? was : NULL, has ? is : NULL);
		attnums += table->ncolumns;
	}
}

/* --------------------------------------------------- entries of a batch */

static TupleTableSlot *
next_collected(RouterGlobalKeyState *keys, KeyTable *table)
{
	MemoryContext old;

	if (table->ncollected < table->nslots)
		return table->collected[table->ncollected];
	old = MemoryContextSwitchTo(keys->estate->es_query_cxt);
	if (table->nslots == 0)
	{
		table->collected = palloc(FIRST_SLOTS * sizeof(TupleTableSlot *));
		table->lines = palloc(FIRST_SLOTS * sizeof(uint64));
	}
	else if (table->nslots >= FIRST_SLOTS && (table->nslots & (table->nslots - 1)) == 0)
	{
		table->collected = repalloc(table->collected, table->nslots * 2 * sizeof(TupleTableSlot *));
		table->lines = repalloc(table->lines, table->nslots * 2 * sizeof(uint64));
	}
	table->collected[table->nslots++] = table_slot_create(table->rel, &keys->estate->es_tupleTable);
	MemoryContextSwitchTo(old);
	return table->collected[table->ncollected];
}

/* Keeps the entries of a new row until router_globalkey_flush. */
static void
collect(RouterGlobalKeyState *keys, const AttrNumber *attnums, TupleTableSlot *row)
{
	for (int i = 0; i < keys->n; i++)
	{
		KeyTable   *table = &keys->tables[i];
		Datum		values[INDEX_MAX_KEYS];
		TupleTableSlot *slot;

		open_table(keys, table);
		if (read_key(row, attnums, table->ncolumns, values))
		{
			if (table->plain)
			{
				slot = next_collected(keys, table);
				fill(slot, values, table->ncolumns);
				ExecMaterializeSlot(slot);
				table->lines[table->ncollected++] = keys->copy ? keys->copy->cur_lineno : 0;
			}
			else
				put_entry(keys, table, NULL, values);
		}
		attnums += table->ncolumns;
	}
}

/*
 * From now on entries of new rows are kept for router_globalkey_flush, which has to
 * follow soon: nobody must be able to look for them before. keys may be NULL.
 */
void
router_globalkey_collect(RouterGlobalKeyState *keys, CopyFromState copy)
{
	if (keys == NULL)
		return;
	keys->collecting = true;
	keys->copy = copy;
}

typedef struct SortedEntry
{
	Datum		value;
	int			place;
} SortedEntry;

static int
compare_entries(const void *a, const void *b, void *arg)
{
	return ApplySortComparator(((const SortedEntry *) a)->value, false, ((const SortedEntry *) b)->value, false, arg);
}

/* The places of the collected entries in the order of the index, which takes them faster so. */
static SortedEntry *
sort_collected(KeyTable *table)
{
	SortedEntry *sorted = palloc(table->ncollected * sizeof(SortedEntry));
	int			attnum = table->index->rd_index->indkey.values[0];
	Oid			type = table->index->rd_opcintype[0];
	Oid			less = get_opfamily_member(table->index->rd_opfamily[0], type, type, BTLessStrategyNumber);
	SortSupportData sort = {0};
	bool		isnull;

	for (int i = 0; i < table->ncollected; i++)
	{
		sorted[i].value = slot_getattr(table->collected[i], attnum, &isnull);
		sorted[i].place = i;
	}
	sort.ssup_cxt = CurrentMemoryContext;
	sort.ssup_collation = table->index->rd_indcollation[0];
	PrepareSortSupportFromOrderingOp(less, &sort);
	qsort_arg(sorted, table->ncollected, sizeof(SortedEntry), compare_entries, &sort);
	return sorted;
}

static void
flush_table(RouterGlobalKeyState *keys, KeyTable *table)
{
	CopyFromState copy = keys->copy;
	SortedEntry *sorted = sort_collected(table);
	Oid			user;
	int			context;

	GetUserIdAndSecContext(&user, &context);
	if (table->as_owner)
		SetUserIdAndSecContext(table->owner, context | SECURITY_LOCAL_USERID_CHANGE);
	table_multi_insert(table->rel, table->collected, table->ncollected, GetCurrentCommandId(true), 0, NULL);
	for (int i = 0; i < table->ncollected; i++)
	{
		TupleTableSlot *slot = table->collected[sorted[i].place];

		if (copy)
			copy->cur_lineno = table->lines[sorted[i].place];
		(void) router_insert_index_tuples(table->rri, slot, keys->estate);
		ExecClearTuple(slot);
	}
	table->ncollected = 0;
	SetUserIdAndSecContext(user, context);
}

/* Writes the entries that were collected. keys may be NULL. */
void
router_globalkey_flush(RouterGlobalKeyState *keys)
{
	bool		line_valid;
	uint64		line;
	MemoryContext old;

	if (keys == NULL || !keys->collecting)
		return;
	keys->collecting = false;
	line_valid = keys->copy && keys->copy->line_buf_valid;
	line = keys->copy ? keys->copy->cur_lineno : 0;
	if (keys->copy)
		keys->copy->line_buf_valid = false; /* the line in hand is not the one at fault */
	old = MemoryContextSwitchTo(GetPerTupleMemoryContext(keys->estate));
	for (int i = 0; i < keys->n; i++)
		if (keys->tables[i].ncollected > 0)
			flush_table(keys, &keys->tables[i]);
	MemoryContextSwitchTo(old);
	if (keys->copy)
	{
		keys->copy->line_buf_valid = line_valid;
		keys->copy->cur_lineno = line;
	}
}

/* What core evaluates for a WHEN condition: the row has just been written. False: nothing is to be queued. */
static Datum
row_changed(ExprState *expr, ExprContext *econtext, bool *isnull)
{
	Watch	   *watch = (Watch *) expr;
	TupleTableSlot *old = econtext->ecxt_innertuple;
	TupleTableSlot *new = econtext->ecxt_outertuple;
	TupleTableSlot *scan = econtext->ecxt_scantuple;

	if (watch->keys->collecting && old == NULL)
		collect(watch->keys, watch->attnums, new);
	else
		follow(watch->keys, watch->attnums, old, new);
	/* writing an entry may have used the same context */
	econtext->ecxt_innertuple = old;
	econtext->ecxt_outertuple = new;
	econtext->ecxt_scantuple = scan;
	*isnull = false;
	return BoolGetDatum(false);
}

static ExprState *
make_watch(RouterGlobalKeyState **list, EState *estate, Relation rel)
{
	Oid			base = router_cache_base(RelationGetRelid(rel));
	RouterGlobalKeyState *keys = OidIsValid(base) ? find_keys(list, estate, base) : NULL;
	Watch	   *watch;

	if (keys == NULL)
		return NULL;
	watch = palloc0(sizeof(Watch));
	NodeSetTag(&watch->expr, T_ExprState);
	watch->expr.flags = EEO_FLAG_IS_QUAL;
	watch->expr.evalfunc = row_changed;
	watch->keys = keys;
	watch->attnums = map_columns(keys, RelationGetDescr(rel));
	return &watch->expr;
}

/*
 * Makes entries follow at once the rows that a statement writes to a relation,
 * if it is one of a routed table with global keys. The trigger descriptor is
 * the statement's own. list: the statement's keys, for router_globalkey_close.
 */
void
router_globalkey_watch(RouterGlobalKeyState **list, EState *estate, ResultRelInfo *rri)
{
	static char condition[] = "";	/* never read: its expression is there */
	TriggerDesc *triggers = rri->ri_TrigDesc;
	ExprState  *watch = NULL;
	MemoryContext old;

	for (int i = 0; triggers && i < triggers->numtriggers; i++)
	{
		Trigger    *trigger = &triggers->triggers[i];

		if (!router_globalkey_is_trigger(trigger) || !TRIGGER_FOR_ROW(trigger->tgtype))
			continue;
		if (watch == NULL)
		{
			old = MemoryContextSwitchTo(estate->es_query_cxt);
			watch = make_watch(list, estate, rri->ri_RelationDesc);
			MemoryContextSwitchTo(old);
		}
		if (watch == NULL)
			return;				/* triggers restored, the key not yet */
		trigger->tgqual = condition;
		rri->ri_TrigWhenExprs[i] = watch;
	}
}

/*
 * For a row that router moves while a statement updates it, both versions in
 * the layout of the table it leaves: its key may have changed as well. Triggers
 * of global keys must not fire for such a row.
 */
void
router_globalkey_follow_move(RouterGlobalKeyState **list, EState *estate, Relation rel, TupleTableSlot *old,
							 TupleTableSlot *new)
{
	Oid			base = router_cache_base(RelationGetRelid(rel));
	RouterGlobalKeyState *keys = OidIsValid(base) ? find_keys(list, estate, base) : NULL;
	AttrNumber *attnums;

	if (keys == NULL)
		return;
	attnums = map_columns(keys, RelationGetDescr(rel));
	follow(keys, attnums, old, new);
	pfree(attnums);
}

/* --------------------------------------------------- entries of many rows */

static KeyTable *
find_table(RouterGlobalKeyState *keys, Oid key_table)
{
	for (int i = 0; keys && i < keys->n; i++)
		if (keys->tables[i].relid == key_table)
			return &keys->tables[i];
	elog(ERROR, "table %u keeps no global key", key_table);
}

static void
apply_row(RouterGlobalKeyState *keys, KeyTable *table, HeapTuple tup, TupleDesc desc, bool enter)
{
	MemoryContext old = MemoryContextSwitchTo(GetPerTupleMemoryContext(keys->estate));
	Datum		values[INDEX_MAX_KEYS];
	bool		isnull = false;

	for (int i = 0; i < table->ncolumns; i++)
		values[i] = SPI_getbinval(tup, desc, i + 1, &isnull);
	if (enter)
		put_entry(keys, table, NULL, values);
	else
		remove_entry(keys, table, values);
	MemoryContextSwitchTo(old);
	ResetPerTupleExprContext(keys->estate);
}

/*
 * Makes (enter) or removes the entries of the keys, none of them null, that a
 * query returns, which sees what is committed now. reader: the role to run it as.
 * What the owner of the key table has put on it is done in a restricted operation,
 * so that none of it is left for the caller's commit.
 * Returns their number. Errors: unique_violation, foreign_key_violation.
 */
uint64
router_globalkey_apply(Oid base, Oid key_table, Oid reader, const char *query, bool enter)
{
	EState	   *estate = CreateExecutorState();
	RouterGlobalKeyState *keys = make_keys(estate, base);
	KeyTable   *table = find_table(keys, key_table);
	int			guc_level = router_pin_settings(NULL);
	uint64		n = 0;
	SPIPlanPtr	plan;
	Portal		portal;
	Oid			user;
	int			caller_context;
	int			context;

	GetUserIdAndSecContext(&user, &caller_context);
	context = caller_context | SECURITY_LOCAL_USERID_CHANGE | SECURITY_RESTRICTED_OPERATION;
	SetUserIdAndSecContext(reader, context | SECURITY_NOFORCE_RLS);
	SPI_connect();
	plan = SPI_prepare(query, 0, NULL);
	if (plan == NULL)
		elog(ERROR, "SPI_prepare failed: %s", query);
	CommandCounterIncrement();
	PushActiveSnapshot(GetLatestSnapshot());
	AfterTriggerBeginQuery();
	portal = SPI_cursor_open(NULL, plan, NULL, NULL, true);
	for (;;)
	{
		SPI_cursor_fetch(portal, true, FETCH_ROWS);
		if (SPI_processed == 0)
			break;
		for (uint64 i = 0; i < SPI_processed; i++)
			apply_row(keys, table, SPI_tuptable->vals[i], SPI_tuptable->tupdesc, enter);
		n += SPI_processed;
		SPI_freetuptable(SPI_tuptable);
		CHECK_FOR_INTERRUPTS();
	}
	SPI_cursor_close(portal);
	if (table->rel && table->as_owner)
		SetUserIdAndSecContext(table->owner, context);
	AfterTriggerEndQuery(estate);
	ExecCloseResultRelations(estate);
	PopActiveSnapshot();
	SPI_finish();
	AtEOXact_GUC(false, guc_level);
	SetUserIdAndSecContext(user, caller_context);
	router_globalkey_close(&keys);
	ExecResetTupleTable(estate->es_tupleTable, false);
	FreeExecutorState(estate);
	return n;
}

/* Makes entries follow one row of a relation; old is NULL for a new row, new for a deleted one. */
void
router_globalkey_follow(Oid base, Relation rel, TupleTableSlot *old, TupleTableSlot *new)
{
	EState	   *estate = CreateExecutorState();
	RouterGlobalKeyState *keys = make_keys(estate, base);

	if (keys)
	{
		AttrNumber *attnums = map_columns(keys, RelationGetDescr(rel));

		follow(keys, attnums, old, new);
		router_globalkey_close(&keys);
	}
	ExecResetTupleTable(estate->es_tupleTable, false);
	FreeExecutorState(estate);
}
