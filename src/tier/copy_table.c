/*
 * copy_table.c
 *		The copy of a child that is moved: made where it shall be, filled, indexed,
 *		kept up with the child, and compared with it. See relocate.c for when.
 *
 * A copy on this server is filled by rows/copy_rows.c, frozen, since it is new in this
 * subtransaction; one on another server by INSERT … SELECT over postgres_fdw;
 * rows from there come through a cursor.
 *
 * Everything runs as the owner of the base, SPI is connected, settings are
 * pinned, the child is locked.
 * Memory: that of the step.
 */
#include "compat.h"
#include "tier/relocate_part.h"

#include "access/table.h"
#include "catalog/pg_constraint.h"
#include "commands/tablespace.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"

#include "base/name.h"
#include "base/owner.h"
#include "base/sql.h"
#include "mirror/mirror.h"
#include "rows/compare.h"
#include "rows/copy_rows.h"
#include "rows/keep_in_step.h"
#include "rows/twin.h"
#include "tier/table_text.h"

/* --------------------------------------------------------------------- the table */

/* Makes the table on this server: like the child, or if that is foreign like the base. */
static void
make_here(Relocation *r)
{
	Oid			like = r->from_server ? r->job.base : r->child;
	Oid			tablespace = get_rel_tablespace(like);
	Relation	rel = table_open(like, AccessShareLock);
	const char *unlogged = rel->rd_rel->relpersistence == RELPERSISTENCE_UNLOGGED ? "UNLOGGED " : "";
	const char *am = r->location->access_method ? r->location->access_method : get_am_name(rel->rd_rel->relam);

	table_close(rel, NoLock);
	/* its indexes go to the same tablespace; an empty default_tablespace means that of the database */
	(void) set_config_option("default_tablespace", r->location->tablespace ? r->location->tablespace :
							 OidIsValid(tablespace) ? get_tablespace_name(tablespace) : "",
							 PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
	router_run("CREATE %sTABLE %s (LIKE %s INCLUDING ALL EXCLUDING INDEXES EXCLUDING STATISTICS EXCLUDING IDENTITY) USING %s",
			   unlogged, r->copy_name, r->child_name, quote_identifier(am));
	if (OidIsValid(get_relation_constraint_oid(r->child, ROUTER_SEAL_NAME, true)))
		router_run("ALTER TABLE %s DROP CONSTRAINT %s", r->copy_name, ROUTER_SEAL_NAME);
}

/* Makes the table that the copy will be, empty. */
void
router_copy_make(Relocation *r)
{
	Oid			schema = get_rel_namespace(r->child);
	char	   *name = router_private_name(psprintf("router_copy_%u", r->child), schema);

	router_check_parts(r->child);
	r->copy_name = MemoryContextStrdup(r->job.cxt, quote_qualified_identifier(get_namespace_name(schema), name));
	if (r->location->server)
		router_remote_attach(r->remote, r->copy_name);
	else
		make_here(r);
	r->copy = get_relname_relid(name, schema);
	router_step_mark(r->copy, r->child);
	router_take_grants_away(r->copy);
	r->row = MemoryContextStrdup(r->job.cxt, router_row_text(r->child));
	r->index_names = r->copy_index_names = NIL;
}

/* ---------------------------------------------------------------------- its rows */

/* Rows on their way into a copy on this server. source: their layout. */
static RouterDest *
open_copy(Relocation *r, RouterCopier *copier, TupleDesc source)
{
	/* nobody enforces constraints of a foreign table here */
	return router_copier_open(copier, r->copy, source, r->from_server ? NULL : r->rel);
}

/* Table to table, on this server. */
static void
copy_here(Relocation *r)
{
	TupleTableSlot *slot = table_slot_create(r->rel, NULL);
	TableScanDesc scan = table_beginscan(r->rel, r->snapshot, 0, NULL);
	RouterCopier *copier = router_copier_begin(r->job.base);
	RouterDest *dest = open_copy(r, copier, RelationGetDescr(r->rel));

	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
		router_copier_put(copier, dest, slot);
	router_copier_end(copier);
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
}

/* From the server: through a cursor, so that the rows need no room here. */
static void
copy_back(Relocation *r)
{
	Portal		cursor = SPI_cursor_open_with_args(NULL, psprintf("SELECT * FROM ONLY %s", r->child_name), 0, NULL, NULL, NULL,
												   true, CURSOR_OPT_NO_SCROLL);
	TupleTableSlot *slot = NULL;
	RouterCopier *copier;
	RouterDest *dest;

	SPI_cursor_fetch(cursor, true, 1000);
	copier = router_copier_begin(r->job.base);
	dest = open_copy(r, copier, SPI_tuptable->tupdesc);
	while (SPI_processed > 0)
	{
		SPITupleTable *rows = SPI_tuptable;
		uint64		n = SPI_processed;

		if (slot == NULL)
			slot = MakeSingleTupleTableSlot(CreateTupleDescCopy(rows->tupdesc), &TTSOpsHeapTuple);
		for (uint64 i = 0; i < n; i++)
		{
			ExecStoreHeapTuple(rows->vals[i], slot, false);
			router_copier_put(copier, dest, slot);
		}
		ExecClearTuple(slot);
		SPI_freetuptable(rows);
		SPI_cursor_fetch(cursor, true, 1000);
	}
	router_copier_end(copier);
	if (slot)
		ExecDropSingleTupleTableSlot(slot);
	SPI_cursor_close(cursor);
}

static void
copy_there(Relocation *r)
{
	char	   *columns = router_ask("SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute"
									" WHERE attrelid = %u AND attnum > 0 AND NOT attisdropped AND attgenerated = ''",
									r->child);

	router_execute_at(psprintf("INSERT INTO %s (%s) SELECT %s FROM ONLY %s", r->copy_name, columns, columns, r->child_name),
					  r->snapshot, SPI_OK_INSERT);
}

/* Gives a copy on this server its indexes: the child's, or if that is foreign the base's. */
static void
index_copy(Relocation *r)
{
	Oid			schema = get_rel_namespace(r->copy);
	int			n = 0;
	ListCell   *lc;

	if (r->location->server)
		return;
	foreach(lc, router_index_texts(r->from_server ? r->job.base : r->child))
	{
		RouterIndexText *index = lfirst(lc);
		const char *name = router_index_name(index);
		char	   *copy_name = router_private_name(psprintf("router_copy_%u_%d", r->child, ++n), schema);
		MemoryContext old;

		if (r->from_server)
			name = router_object_name(get_rel_name(r->job.base), get_rel_name(r->child), name);
		router_run("%s", router_add_index(r->copy_name, index, copy_name));
		old = MemoryContextSwitchTo(r->job.cxt);
		r->index_names = lappend(r->index_names, pstrdup(name));
		r->copy_index_names = lappend(r->copy_index_names, pstrdup(copy_name));
		MemoryContextSwitchTo(old);
	}
}

/* Copies what the child has, by r->snapshot, into the empty copy. */
void
router_copy_fill(Relocation *r)
{
	int			guc_level = NewGUCNestLevel();

	if (r->from_server)
		copy_back(r);
	else if (r->location->server)
		copy_there(r);
	else
		copy_here(r);
	/* nothing that the owner's code has set is left for what follows; so below */
	AtEOXact_GUC(false, guc_level);
	index_copy(r);
}

static void
unlike(Relocation *r, const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_EXCEPTION),
			 errmsg("the copy of child \"%s\" is not like it", get_rel_name(r->child)),
			 errdetail("%s", detail),
			 errhint("The child is as it was. Look for triggers, rules or other writers on the table over there, and types that are written in another way.")));
}

/* Takes the rows that are gone out of the copy; those that came go to a copy on another server one by one. */
static void
change_by_row(Relocation *r)
{
	TupleTableSlot *slot = MakeSingleTupleTableSlot(RelationGetDescr(r->rel), &TTSOpsMinimalTuple);
	RouterTwin *twin = router_twin_open(r->rel, r->copy);

	if (twin == NULL)
		elog(ERROR, "copy of \"%s\" has other columns", RelationGetRelationName(r->rel));
	while (tuplestore_gettupleslot(r->changes->gone, true, false, slot))
	{
		CHECK_FOR_INTERRUPTS();
		if (!router_twin_remove(twin, slot))
			unlike(r, "A row that was changed meanwhile is not there.");
	}
	while (r->location->server && tuplestore_gettupleslot(r->changes->come, true, false, slot))
	{
		CHECK_FOR_INTERRUPTS();
		router_twin_insert(twin, slot);
	}
	router_twin_close(twin);
	ExecDropSingleTupleTableSlot(slot);
}

static void
insert_come_here(Relocation *r)
{
	TupleTableSlot *slot = MakeSingleTupleTableSlot(RelationGetDescr(r->rel), &TTSOpsMinimalTuple);
	RouterCopier *copier = router_copier_begin(r->job.base);
	RouterDest *dest = open_copy(r, copier, RelationGetDescr(r->rel));

	while (tuplestore_gettupleslot(r->changes->come, true, false, slot))
		router_copier_put(copier, dest, slot);
	router_copier_end(copier);
	ExecDropSingleTupleTableSlot(slot);
}

/* Brings the copy from one state of the child to the next: r->changes. */
void
router_copy_apply(Relocation *r)
{
	int64		ncome = tuplestore_tuple_count(r->changes->come);
	int64		ngone = tuplestore_tuple_count(r->changes->gone);
	int			guc_level = NewGUCNestLevel();

	if (ngone > 0 || r->location->server)
		change_by_row(r);
	if (ncome > 0 && !r->location->server)
		insert_come_here(r);
	AtEOXact_GUC(false, guc_level);
	r->rows += ncome - ngone;
}

static void
apply(void *arg, RouterChanges *changes)
{
	router_copy_apply(arg);
}

/* What was written to the child while it was copied is written to the copy, until little is left. */
void
router_copy_catch_up(Relocation *r)
{
	router_catch_up(r->rel, &r->snapshot, r->changes, apply, r);
}

/* ---------------------------------------------------------------- verification */

/* A copy on a server is read back, as queries will read it; one in step is read by the snapshot of the child. */
void
router_copy_verify(Relocation *r)
{
	int			guc_level = NewGUCNestLevel();
	uint64		copied;
	char	   *expected = router_sum_up(r->child_name, r->row, r->snapshot, &r->rows);
	char	   *found = router_sum_up(r->copy_name, r->row, r->in_step ? r->snapshot : NULL, &copied);

	AtEOXact_GUC(false, guc_level);
	if (strcmp(expected, found) != 0)
		unlike(r, psprintf("The child has %s, the copy %s.", expected, found));
}

/* As far as numbers tell; the child is locked. */
void
router_copy_verify_count(Relocation *r)
{
	uint64		found = router_count_rows(r->copy_name);

	r->rows = router_count_rows(r->child_name);
	if (found != r->rows)
		unlike(r, psprintf("The child has " UINT64_FORMAT " rows, the copy " UINT64_FORMAT ".", r->rows, found));
}

/*
 * What the copy has to be like, and the triggers that keep it in step: disabled and enabled again they are others,
 * as is an owner who was none for a while.
 * Its rows have passed all CHECKs, whether those of the child are validated or not.
 */
char *
router_copy_shape(Oid child)
{
	static const char not_valid[] = " NOT VALID";
	char	   *columns = router_columns_text(child);
	char	   *at;

	while ((at = strstr(columns, not_valid)) != NULL)
		memmove(at, at + strlen(not_valid), strlen(at + strlen(not_valid)) + 1);
	return psprintf("%u %s %u %s %s", router_relation_owner(child),
					router_ask("SELECT coalesce(max(xmin::text), '') FROM pg_shdepend WHERE dbid = %u AND objid = %u"
							   " AND classid = 'pg_class'::regclass AND objsubid = 0 AND deptype = 'o'",
							   MyDatabaseId, child),
					get_rel_namespace(child), columns,
					router_ask("SELECT string_agg(format('%%s %%s %%s', tgname, tgenabled, xmin), ', ' ORDER BY tgname)"
							   " FROM pg_trigger WHERE tgrelid = %u AND tgfoid = 'router.keep_in_step()'::regprocedure",
							   child));
}
