/*
 * relocate.c
 *		Moves a child to another tablespace, access method or server while it is
 *		read and written: a copy is made beside it, kept up with what is written
 *		meanwhile, compared, and takes the child's place.
 *
 * One transaction does it, from copy to swap; the rows on a server are
 * committed with it, an instant earlier. Whatever fails or crashes, the child is
 * as it was, and nobody has seen the copy.
 *	1. Copy, with the snapshot S1. AccessShareLock on the child: nobody waits. A
 *	   foreign child that comes back is locked Share, since changes over there
 *	   cannot be told: its writers wait, readers do not.
 *	2. Catch up: rows that S1 and a later snapshot see differently are deleted
 *	   from the copy, by primary key, and inserted, until few are left.
 *	3. Compare count and checksum of the child, by the last snapshot, and the copy.
 *	4. Lock the child, Share: writers wait. Find what changed since. Then
 *	   AccessExclusive. Each of them is waited for lock_timeout at a time, and
 *	   given back in between.
 *	5. Apply these last changes, drop the child, give the copy its name and
 *	   place in the catalog. A mere instant.
 *
 * The bridge. A query looks for the children of a base, then locks each; one
 * that was dropped meanwhile it passes over, and would miss the rows that are in
 * the copy now. So before all that an empty child is made, the bridge,
 * committed, and everybody waited for who does not know of it (who holds a lock
 * on the base). The copy becomes a child of the base and of the bridge: who
 * looked too early finds it there. In the end all are waited for again, and the
 * bridge goes. In a transaction block, where none of this can be committed, the
 * base is locked AccessExclusive instead.
 *
 * Old snapshots: the copy's rows are written as frozen, or are on a server. A
 * transaction whose snapshot is older than the swap sees them as of the swap.
 *
 * Locking, beyond this: ShareUpdateExclusiveLock on base and bridge for the swap, taken
 * only if free, while the child is locked. A lock of its own on the base (objsubid
 * 2), for the session, keeps two runs apart.
 * Memory: what a step allocates lives until its end, a Relocation in job->cxt.
 */
#include "compat.h"
#include "relocate.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/indexing.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_foreign_server.h"
#include "catalog/pg_inherits.h"
#include "catalog/pg_tablespace.h"
#include "catalog/pg_user_mapping.h"
#include "commands/defrem.h"
#include "commands/tablespace.h"
#include "executor/executor.h"
#include "executor/spi.h"
#include "foreign/foreign.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/tuplestore.h"

#include "keep.h"
#include "mirror.h"
#include "move.h"
#include "remote.h"
#include "route.h"

/* tells the lock of a run from other locks on the base: the objsubid */
#define RUN_LOCK 2

/* how often the locks for the swap are tried */
#define MAX_TRIES 20

/* catching up ends when so few rows are left, or after so many rounds */
#define FEW_CHANGES 1000
#define MAX_ROUNDS 10

/* the part of an error about a table that is not on the server */
#define HINT_NO_DBLINK "Make the table there, empty, with the commands that dry_run tells; or CREATE EXTENSION dblink, and router makes it."

/* Rows of the child that came or went between two snapshots. */
typedef struct Changes
{
	Tuplestorestate *come;
	Tuplestorestate *gone;
	int64		ncome;
	int64		ngone;
} Changes;

typedef struct Relocation
{
	RouterJob	job;
	Oid			child;
	const RouterPlace *place;
	bool		dry_run;
	bool		needed;			/* the child is not there yet */
	bool		from_server;
	RouterRemote *remote;		/* the table on the server: where the child goes to, or comes from */
	Oid			bridge;			/* or InvalidOid */
	char	   *child_name;		/* qualified */
	uint64		rows;

	/* of the step that copies */
	Oid			copy;
	char	   *copy_name;		/* qualified */
	Snapshot	snapshot;		/* what the copy has; NULL if the child is foreign */
	char	   *columns;		/* those that can be written */
	char	   *row;			/* a row as text, all columns */
	List	   *indexes;		/* of RouterIndexText: those that the copy got */
	List	   *index_names;	/* and their names in the end */
} Relocation;

/* -------------------------------------------------------------------- places */

static void
check_tablespace(const char *name, Oid owner)
{
	Oid			tablespace = get_tablespace_oid(name, true);

	if (!OidIsValid(tablespace) || tablespace == GLOBALTABLESPACE_OID)
		ereport(ERROR,
				(errcode(OidIsValid(tablespace) ? ERRCODE_INVALID_PARAMETER_VALUE : ERRCODE_UNDEFINED_OBJECT),
				 OidIsValid(tablespace) ? errmsg("only shared relations can be in tablespace pg_global") :
				 errmsg("tablespace \"%s\" does not exist", name),
				 errhint("See pg_tablespace, or CREATE TABLESPACE.")));
	if (tablespace != MyDatabaseTableSpace &&
		!DatumGetBool(DirectFunctionCall3(has_tablespace_privilege_id_id, ObjectIdGetDatum(owner),
										  ObjectIdGetDatum(tablespace), CStringGetTextDatum("CREATE"))))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for tablespace %s", name),
				 errdetail("The owner of the routed table, %s, may not create tables there.",
						   GetUserNameFromId(owner, false)),
				 errhint("GRANT CREATE ON TABLESPACE %s TO %s.", quote_identifier(name),
						 quote_identifier(GetUserNameFromId(owner, false)))));
}

static void
check_access_method(const char *name)
{
	if (!OidIsValid(get_am_oid(name, true)))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("access method \"%s\" does not exist", name),
				 errhint("See pg_am, or CREATE ACCESS METHOD.")));
	(void) get_table_am_oid(name, false);
}

static void
check_server(const char *name, Oid owner)
{
	ForeignServer *server = GetForeignServerByName(name, true);
	const char *role = quote_identifier(GetUserNameFromId(owner, false));

	if (server == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("server \"%s\" does not exist", name),
				 errhint("See pg_foreign_server, or CREATE SERVER.")));
	if (strcmp(GetForeignDataWrapper(server->fdwid)->fdwname, "postgres_fdw") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("server \"%s\" is not one of postgres_fdw", name),
				 errhint("Attach a foreign table of another wrapper with router.attach_child.")));
	if (!DatumGetBool(DirectFunctionCall3(has_server_privilege_id_id, ObjectIdGetDatum(owner),
										  ObjectIdGetDatum(server->serverid), CStringGetTextDatum("USAGE"))))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for foreign server %s", name),
				 errdetail("The owner of the routed table, %s, may not use it.", GetUserNameFromId(owner, false)),
				 errhint("GRANT USAGE ON FOREIGN SERVER %s TO %s.", quote_identifier(name), role)));
	if (!SearchSysCacheExists2(USERMAPPINGUSERSERVER, ObjectIdGetDatum(owner), ObjectIdGetDatum(server->serverid)) &&
		!SearchSysCacheExists2(USERMAPPINGUSERSERVER, ObjectIdGetDatum(InvalidOid), ObjectIdGetDatum(server->serverid)))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("user mapping not found for \"%s\"", GetUserNameFromId(owner, false)),
				 errhint("CREATE USER MAPPING FOR %s SERVER %s, and for all who read the routed table.", role,
						 quote_identifier(name))));
}

static void
bad_place(const char *what, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid value for %s", what),
			 errhint("%s", hint)));
}

/*
 * Is this a place for children that this role owns?
 * Errors: invalid_parameter_value, undefined_object, wrong_object_type, insufficient_privilege.
 */
void
router_check_place(const RouterPlace *place, Oid owner)
{
	if (!place->tablespace && !place->access_method && !place->server && !place->local)
		bad_place("tablespace, access_method, server", "Give one of them.");
	if (place->server && (place->tablespace || place->access_method || place->local))
		bad_place("server", "A server stands alone: tablespace and access method are those over there.");
	if (place->remote_schema && !place->server)
		bad_place("remote_schema", "It goes with server.");
	if (place->tablespace)
		check_tablespace(place->tablespace, owner);
	if (place->access_method)
		check_access_method(place->access_method);
	if (place->server)
		check_server(place->server, owner);
}

/* Is the child there already? */
bool
router_is_in_place(Oid child, const RouterPlace *place)
{
	Relation	rel = table_open(child, AccessShareLock);
	Oid			tablespace = OidIsValid(rel->rd_rel->reltablespace) ? rel->rd_rel->reltablespace : MyDatabaseTableSpace;
	bool		foreign = rel->rd_rel->relkind == RELKIND_FOREIGN_TABLE;
	bool		there;

	if (place->server)
		there = foreign && GetForeignTable(child)->serverid == get_foreign_server_oid(place->server, false);
	else
		there = !foreign &&
			(!place->tablespace || tablespace == get_tablespace_oid(place->tablespace, false)) &&
			(!place->access_method || rel->rd_rel->relam == get_table_am_oid(place->access_method, false));
	table_close(rel, NoLock);
	return there;
}

/* ------------------------------------------------------------------- before it */

/* What would be lost or be in the way: the child is dropped in the end, and its copy is made after the base. */
static void
check_dependents(Oid child, Oid base)
{
	char	   *what = router_ask(psprintf(
		"SELECT string_agg(pg_describe_object(classid, objid, objsubid), ', ') FROM ("
		"  SELECT classid, objid, objsubid FROM pg_depend d"
		"   WHERE (refclassid = 'pg_class'::regclass AND refobjid = $1 OR refclassid = 'pg_type'::regclass"
		"          AND refobjid IN (SELECT t.oid FROM pg_type t JOIN pg_type r ON t.oid IN (r.oid, r.typarray) WHERE r.typrelid = $1))"
		"     AND deptype = 'n' AND NOT EXISTS (SELECT FROM pg_policy WHERE classid = tableoid AND oid = objid AND polrelid = $1)"
		"     AND NOT EXISTS (SELECT FROM pg_trigger WHERE classid = tableoid AND oid = objid AND tgrelid = $1)"
		"     AND NOT EXISTS (SELECT FROM pg_constraint WHERE classid = tableoid AND oid = objid AND conrelid = $1)"
		"     AND NOT EXISTS (SELECT FROM pg_attrdef WHERE classid = tableoid AND oid = objid AND adrelid = $1)"
		"     AND NOT (classid = 'pg_class'::regclass AND objid = $1)"
		"  UNION SELECT classid, objid, 0 FROM pg_depend JOIN pg_class c ON classid = c.tableoid AND objid = c.oid"
		"   WHERE refclassid = 'pg_class'::regclass AND refobjid = $1 AND relkind = 'S'"
		"  UNION SELECT tableoid, oid, 0 FROM pg_trigger WHERE tgrelid = $1 AND NOT tgisinternal"
		"     AND tgname NOT IN (SELECT tgname FROM pg_trigger WHERE tgrelid = %u)"
		"  UNION SELECT tableoid, oid, 0 FROM pg_policy WHERE polrelid = $1"
		"     AND polname NOT IN (SELECT polname FROM pg_policy WHERE polrelid = %u)"
		"  UNION SELECT tableoid, oid, 0 FROM pg_constraint WHERE conrelid = $1 AND contype = 'f'"
		"     AND conname NOT IN (SELECT conname FROM pg_constraint WHERE conrelid = %u AND contype = 'f')"
		"  UNION SELECT tableoid, oid, 0 FROM pg_publication_rel WHERE prrelid = $1"
		"     AND prpubid NOT IN (SELECT prpubid FROM pg_publication_rel WHERE prrelid = %u)) things",
		base, base, base, base), child);

	if (what)
		ereport(ERROR,
				(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
				 errmsg("child \"%s\" cannot be replaced by a copy", get_rel_name(child)),
				 errdetail("Things that its base does not have refer to it or belong to it: %s.", what),
				 errhint("Drop them, or move the child with ALTER TABLE, which keeps readers away meanwhile.")));
}

/* What a foreign child cannot have, and a route must not lose unasked. */
static void
check_foreign(Oid child, Oid base, RouterRoute *route)
{
	if (route->default_child == child)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("the default child of \"%s\" cannot go to a server", get_rel_name(base)),
				 errhint("Rows of a foreign table cannot be taken out of it again when they get a child of their own.")));
	if (router_ask(psprintf("SELECT conname FROM pg_constraint WHERE conrelid IN ($1, %u) AND contype = 'f' LIMIT 1", base),
				   child))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("child \"%s\" has foreign keys, which a foreign table cannot have", get_rel_name(child)),
				 errdetail("Nothing would check its rows, and no referential action would reach them."),
				 errhint("Drop the foreign keys of \"%s\", or move the child to another tablespace.", get_rel_name(base))));
}

/* Looks at everything that can be wrong, as the caller, and tells of a dry run. */
static bool
prepare(RouterJob *job)
{
	Relocation *r = (Relocation *) job;
	RouterChildDef *def = router_catalog_child(r->child);
	RouterAsOwner saved;
	RouterRoute *route;
	Oid			owner;

	if (def == NULL || def->base != job->base)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("relation %u is not a child of a routed table", r->child),
				 errhint("See router.children.")));
	route = router_cache_route(router_owned_route(job->base));
	owner = router_relation_owner(job->base);
	if (!router_owns_relation(r->child, owner))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("owner of routed table \"%s\" does not own its child \"%s\"", get_rel_name(job->base),
						get_rel_name(r->child)),
				 errhint("SELECT router.sync(…) sets the owner.")));
	if (get_rel_persistence(job->base) == RELPERSISTENCE_TEMP)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("children of temporary table \"%s\" stay where they are", get_rel_name(job->base))));
	router_check_place(r->place, owner);
	r->from_server = get_rel_relkind(r->child) == RELKIND_FOREIGN_TABLE;
	r->needed = !router_is_in_place(r->child, r->place);
	if (!r->needed)
		return true;
	if (r->from_server != r->place->local)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("child \"%s\" %s", get_rel_name(r->child), r->from_server ? "is on a server" : "is on no server"),
				 errhint("%s", r->from_server ? "Bring it back first, with local => true." : "Leave local out.")));
	router_become_owner(&saved, owner, false, route->config.time_zone);
	SPI_connect();
	check_dependents(r->child, job->base);
	if (r->place->server)
		check_foreign(r->child, job->base, route);
	MemoryContextSwitchTo(job->cxt);
	r->child_name = router_qualified_name(r->child);
	if (r->place->server)
		r->remote = router_remote_for(r->child, r->place->server, r->place->remote_schema);
	else if (r->from_server)
		r->remote = router_remote_of(r->child);
	SPI_finish();
	router_become_user(&saved);
	if (r->dry_run)
		ereport(NOTICE,
				(errmsg("would move %s to %s", r->child_name,
						r->place->server ? psprintf("server %s", quote_identifier(r->place->server)) :
						r->place->tablespace ? psprintf("tablespace %s", quote_identifier(r->place->tablespace)) :
						r->place->access_method ? psprintf("access method %s", quote_identifier(r->place->access_method)) :
						"this server"),
				 r->place->server ? errdetail("The table over there:\n%s", r->remote->create) : 0));
	return true;
}

static bool
create_remote(RouterJob *job)
{
	Relocation *r = (Relocation *) job;

	MemoryContextSwitchTo(job->cxt);
	router_remote_create(r->remote);
	return true;
}

/* ------------------------------------------------------------------ the bridge */

static char *
bridge_name(Oid base)
{
	return psprintf("router_bridge_%u", base);
}

/* The bridge of a base, or InvalidOid. */
static Oid
find_bridge(Oid base)
{
	Oid			relid = get_relname_relid(bridge_name(base), get_rel_namespace(base));

	return OidIsValid(relid) && list_member_oid(find_inheritance_children(base, NoLock), relid) ? relid : InvalidOid;
}

/* Makes the bridge: no row gets into it, and plans leave it out. */
static bool
build_bridge(RouterJob *job)
{
	Relocation *r = (Relocation *) job;

	LockRelationOid(job->base, ShareUpdateExclusiveLock);
	SPI_connect();
	router_run_at_rest(psprintf("CREATE TABLE %s (CHECK (false) NO INHERIT) INHERITS (%s)",
								quote_qualified_identifier(get_namespace_name(get_rel_namespace(job->base)),
														   bridge_name(job->base)),
								router_qualified_name(job->base)));
	SPI_finish();
	r->bridge = find_bridge(job->base);
	return true;
}

/* Takes the bridge away. Everybody has been waited for who may not know what it leads to. */
static bool
remove_bridge(RouterJob *job)
{
	Oid			bridge = find_bridge(job->base);
	char	   *name;
	ListCell   *lc;

	if (!OidIsValid(bridge))
		return true;
	LockRelationOid(bridge, AccessExclusiveLock);
	name = router_qualified_name(bridge);
	SPI_connect();
	foreach(lc, find_inheritance_children(bridge, AccessExclusiveLock))
		router_run_at_rest(psprintf("ALTER TABLE %s NO INHERIT %s", router_qualified_name(lfirst_oid(lc)), name));
	router_run_at_rest(psprintf("DROP TABLE %s", name));
	SPI_finish();
	return true;
}

/* Waits for all who have planned with the children that there were. */
static void
wait_for_planners(Oid base)
{
	LOCKTAG		tag;

	SET_LOCKTAG_RELATION(tag, MyDatabaseId, base);
	WaitForLockers(tag, AccessExclusiveLock, false);
}

/* --------------------------------------------------------------------- the copy */

/* Makes the table that the copy will be, empty. */
static void
make_copy(Relocation *r)
{
	Oid			schema = get_rel_namespace(r->child);
	char	   *name = psprintf("router_copy_%u", r->child);
	StringInfoData buf;

	r->copy_name = quote_qualified_identifier(get_namespace_name(schema), name);
	if (r->place->server)
		router_run_at_rest(router_remote_foreign_table(r->remote, r->copy_name));
	else
	{
		Oid			like = get_rel_relkind(r->child) == RELKIND_FOREIGN_TABLE ? r->job.base : r->child;
		Oid			tablespace = get_rel_tablespace(like);
		Relation	rel = table_open(like, AccessShareLock);
		Oid			am = rel->rd_rel->relam;

		initStringInfo(&buf);
		appendStringInfo(&buf, "CREATE %sTABLE %s (LIKE %s INCLUDING ALL EXCLUDING INDEXES EXCLUDING STATISTICS EXCLUDING IDENTITY)",
						 rel->rd_rel->relpersistence == RELPERSISTENCE_UNLOGGED ? "UNLOGGED " : "", r->copy_name, r->child_name);
		table_close(rel, NoLock);
		appendStringInfo(&buf, " USING %s", quote_identifier(r->place->access_method ? r->place->access_method : get_am_name(am)));
		/* its indexes go to the same tablespace; an empty default_tablespace means that of the database */
		(void) set_config_option("default_tablespace", r->place->tablespace ? r->place->tablespace :
								 OidIsValid(tablespace) ? get_tablespace_name(tablespace) : "",
								 PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
		router_run_at_rest(buf.data);
	}
	r->copy = get_relname_relid(name, schema);
	r->columns = router_ask("SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) FROM pg_attribute"
							" WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped AND attgenerated = ''", r->child);
	r->row = router_ask("SELECT format('ROW(%s)::text', string_agg(quote_ident(attname), ', ' ORDER BY attnum)) FROM pg_attribute"
						" WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped", r->child);
}

/* Rows on their way into a copy on this server. */
typedef struct Writer
{
	EState	   *estate;
	RouterBatch batch;
	RouterDest *dest;
	Relation	base;
	Relation	copy;
} Writer;

/* source: layout of the rows that will come. */
static void
begin_writing(Writer *w, Relocation *r, TupleDesc source)
{
	memset(w, 0, sizeof(*w));
	w->base = table_open(r->job.base, AccessShareLock);
	w->copy = table_open(r->copy, RowExclusiveLock);
	w->estate = router_make_estate(w->base, NULL);
	w->batch.estate = w->estate;
	w->batch.freeze = true;
	w->dest = router_dest_open(w->estate, w->copy, source, NULL, false);
	PushActiveSnapshot(GetLatestSnapshot());
	AfterTriggerBeginQuery();
}

static void
write_row(Writer *w, TupleTableSlot *slot)
{
	CHECK_FOR_INTERRUPTS();
	ResetPerTupleExprContext(w->estate);
	(void) router_batch_add(&w->batch, w->dest, slot);
}

static void
end_writing(Writer *w)
{
	router_batch_flush(&w->batch);
	AfterTriggerEndQuery(w->estate);
	ExecCloseResultRelations(w->estate);
	PopActiveSnapshot();
	router_dest_close(w->dest);
	router_free_estate(w->estate);
	table_close(w->copy, NoLock);
	table_close(w->base, NoLock);
	CommandCounterIncrement();
}

/* Table to table, on this server. */
static void
copy_here(Relocation *r)
{
	Relation	rel = table_open(r->child, NoLock);
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	TableScanDesc scan = table_beginscan(rel, r->snapshot, 0, NULL);
	Writer		w;

	begin_writing(&w, r, RelationGetDescr(rel));
	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
		write_row(&w, slot);
	end_writing(&w);
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	table_close(rel, NoLock);
}

/* From the server: through a cursor, so that the rows need no room here. */
static void
copy_back(Relocation *r)
{
	Portal		cursor = SPI_cursor_open_with_args(NULL, psprintf("SELECT * FROM ONLY %s", r->child_name), 0, NULL, NULL, NULL,
												   true, CURSOR_OPT_NO_SCROLL);
	TupleTableSlot *slot = NULL;
	Writer		w;

	SPI_cursor_fetch(cursor, true, 1000);
	begin_writing(&w, r, SPI_tuptable->tupdesc);
	while (SPI_processed > 0)
	{
		SPITupleTable *rows = SPI_tuptable;
		uint64		n = SPI_processed;

		if (slot == NULL)
			slot = MakeSingleTupleTableSlot(CreateTupleDescCopy(rows->tupdesc), &TTSOpsHeapTuple);
		for (uint64 i = 0; i < n; i++)
		{
			ExecStoreHeapTuple(rows->vals[i], slot, false);
			write_row(&w, slot);
		}
		ExecClearTuple(slot);
		SPI_freetuptable(rows);
		SPI_cursor_fetch(cursor, true, 1000);
	}
	end_writing(&w);
	if (slot)
		ExecDropSingleTupleTableSlot(slot);
	SPI_cursor_close(cursor);
}

/* Runs a query with the snapshot by which the child is read, or the latest one if that is foreign. */
static void
run_on_child(Relocation *r, const char *query, bool read_only, int expected)
{
	SPIPlanPtr	plan = SPI_prepare(query, 0, NULL);

	if (plan == NULL || SPI_execute_snapshot(plan, NULL, NULL, r->snapshot, InvalidSnapshot, read_only, true, 0) != expected)
		elog(ERROR, "could not run: %s", query);
	SPI_freeplan(plan);
}

static void
copy_there(Relocation *r)
{
	run_on_child(r, psprintf("INSERT INTO %s (%s) SELECT %s FROM ONLY %s", r->copy_name, r->columns, r->columns, r->child_name),
				 false, SPI_OK_INSERT);
}

/* Gives a copy on this server its indexes: the child's, or if that is foreign the base's. */
static void
index_copy(Relocation *r)
{
	int			n = 0;
	ListCell   *lc;

	if (r->place->server)
		return;
	r->indexes = router_index_texts(r->from_server ? r->job.base : r->child);
	foreach(lc, r->indexes)
	{
		RouterIndexText *index = lfirst(lc);
		char	   *name = r->from_server ?
			router_object_name(get_rel_name(r->job.base), get_rel_name(r->child), index->name) : index->name;

		r->index_names = lappend(r->index_names, name);
		router_run_at_rest(router_add_index(r->copy_name, index, psprintf("router_copy_%u_%d", r->child, ++n)));
	}
}

/* -------------------------------------------------------------------- changes */

static void
init_changes(Changes *changes)
{
	changes->come = tuplestore_begin_heap(false, false, work_mem);
	changes->gone = tuplestore_begin_heap(false, false, work_mem);
	changes->ncome = changes->ngone = 0;
}

static void
clear_changes(Changes *changes)
{
	tuplestore_clear(changes->come);
	tuplestore_clear(changes->gone);
	changes->ncome = changes->ngone = 0;
}

static void
end_changes(Changes *changes)
{
	tuplestore_end(changes->come);
	tuplestore_end(changes->gone);
}

/* Finds what a later snapshot sees of the child and the copy does not have, and the other way round. */
static void
find_changes(Relocation *r, Snapshot later, Changes *changes)
{
	Relation	rel = table_open(r->child, NoLock);
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	TableScanDesc scan = table_beginscan(rel, SnapshotAny, 0, NULL);

	while (table_scan_getnextslot(scan, ForwardScanDirection, slot))
	{
		bool		had = table_tuple_satisfies_snapshot(rel, slot, r->snapshot);
		bool		has = table_tuple_satisfies_snapshot(rel, slot, later);

		CHECK_FOR_INTERRUPTS();
		if (had && !has)
		{
			tuplestore_puttupleslot(changes->gone, slot);
			changes->ngone++;
		}
		else if (has && !had)
		{
			tuplestore_puttupleslot(changes->come, slot);
			changes->ncome++;
		}
	}
	table_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	table_close(rel, NoLock);
}

static void
unlike(Relocation *r, const char *detail)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_CORRUPTED),
			 errmsg("the copy of child \"%s\" is not like it", get_rel_name(r->child)),
			 errdetail("%s", detail),
			 errhint("The child is as it was. Look for triggers, rules or other writers on the table over there, and types that are written in another way.")));
}

/* Deletes from the copy the rows that are gone, by primary key, each once. */
static void
delete_gone(Relocation *r, Relation rel, Changes *changes)
{
	Oid			pkey;
	Relation	index;
	TupleTableSlot *slot = MakeSingleTupleTableSlot(RelationGetDescr(rel), &TTSOpsMinimalTuple);
	StringInfoData buf;
	Oid			types[INDEX_MAX_KEYS];
	AttrNumber	attnums[INDEX_MAX_KEYS];
	int			n;
	SPIPlanPtr	plan;

	(void) RelationGetIndexList(rel);
	pkey = router_primary_key_index(rel);
	if (!OidIsValid(pkey))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_IN_USE),
				 errmsg("rows of child \"%s\" were changed or deleted while it was copied", get_rel_name(r->child)),
				 errdetail("It has no primary key by which the copy could follow."),
				 errhint("Try again when nobody changes them, or add a primary key. Rows that are only added do no harm.")));
	index = index_open(pkey, AccessShareLock);
	n = index->rd_index->indnkeyatts;
	initStringInfo(&buf);
	appendStringInfo(&buf, "DELETE FROM ONLY %s WHERE ", r->copy_name);
	for (int i = 0; i < n; i++)
	{
		Form_pg_attribute att;

		attnums[i] = index->rd_index->indkey.values[i];
		att = TupleDescAttr(RelationGetDescr(rel), attnums[i] - 1);
		types[i] = att->atttypid;
		appendStringInfo(&buf, "%s%s = $%d", i > 0 ? " AND " : "", quote_identifier(NameStr(att->attname)), i + 1);
	}
	index_close(index, NoLock);
	plan = SPI_prepare(buf.data, n, types);
	while (tuplestore_gettupleslot(changes->gone, true, false, slot))
	{
		Datum		values[INDEX_MAX_KEYS];
		bool		isnull;

		for (int i = 0; i < n; i++)
			values[i] = slot_getattr(slot, attnums[i], &isnull);
		if (SPI_execute_plan(plan, values, NULL, false, 0) != SPI_OK_DELETE || SPI_processed != 1)
			unlike(r, "A row that was changed meanwhile is not there once.");
	}
	SPI_freeplan(plan);
	ExecDropSingleTupleTableSlot(slot);
}

/* Inserts what came, into a table on a server. */
static void
insert_come_there(Relocation *r, Relation rel, Changes *changes)
{
	TupleDesc	desc = RelationGetDescr(rel);
	TupleTableSlot *slot = MakeSingleTupleTableSlot(desc, &TTSOpsMinimalTuple);
	Oid		   *types = palloc(desc->natts * sizeof(Oid));
	AttrNumber *attnums = palloc(desc->natts * sizeof(AttrNumber));
	Datum	   *values = palloc(desc->natts * sizeof(Datum));
	char	   *nulls = palloc(desc->natts);
	int			n = 0;
	StringInfoData buf;
	SPIPlanPtr	plan;

	initStringInfo(&buf);
	appendStringInfo(&buf, "INSERT INTO %s (%s) VALUES (", r->copy_name, r->columns);
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		if (att->attisdropped || att->attgenerated != '\0')
			continue;
		types[n] = att->atttypid;
		attnums[n] = att->attnum;
		n++;
		appendStringInfo(&buf, "%s$%d", n > 1 ? ", " : "", n);
	}
	appendStringInfoChar(&buf, ')');
	plan = SPI_prepare(buf.data, n, types);
	while (tuplestore_gettupleslot(changes->come, true, false, slot))
	{
		for (int i = 0; i < n; i++)
		{
			bool		isnull;

			values[i] = slot_getattr(slot, attnums[i], &isnull);
			nulls[i] = isnull ? 'n' : ' ';
		}
		if (SPI_execute_plan(plan, values, nulls, false, 0) != SPI_OK_INSERT || SPI_processed != 1)
			unlike(r, "A row that came meanwhile was not inserted.");
	}
	SPI_freeplan(plan);
	ExecDropSingleTupleTableSlot(slot);
}

static void
insert_come_here(Relocation *r, Relation rel, Changes *changes)
{
	TupleTableSlot *slot = MakeSingleTupleTableSlot(RelationGetDescr(rel), &TTSOpsMinimalTuple);
	Writer		w;

	begin_writing(&w, r, RelationGetDescr(rel));
	while (tuplestore_gettupleslot(changes->come, true, false, slot))
		write_row(&w, slot);
	end_writing(&w);
	ExecDropSingleTupleTableSlot(slot);
}

/* Brings the copy from one state of the child to the next. */
static void
apply_changes(Relocation *r, Changes *changes)
{
	Relation	rel = table_open(r->child, NoLock);

	if (changes->ngone > 0)
		delete_gone(r, rel, changes);
	if (changes->ncome > 0 && r->place->server)
		insert_come_there(r, rel, changes);
	else if (changes->ncome > 0)
		insert_come_here(r, rel, changes);
	table_close(rel, NoLock);
	r->rows += changes->ncome - changes->ngone;
}

/* What was written to the child while it was copied is written to the copy, until little is left. Nobody waits. */
static void
catch_up(Relocation *r, Changes *changes)
{
	for (int round = 0; round < MAX_ROUNDS; round++)
	{
		Snapshot	later = RegisterSnapshot(GetLatestSnapshot());
		int64		n;

		find_changes(r, later, changes);
		n = changes->ncome + changes->ngone;
		apply_changes(r, changes);
		clear_changes(changes);
		UnregisterSnapshot(r->snapshot);
		r->snapshot = later;
		if (n < FEW_CHANGES)
			break;
	}
}

/* ---------------------------------------------------------------- verification */

/* Number and checksum of the rows that a query gives, in whatever order they come. */
static char *
sum_up(Relocation *r, const char *table, bool child)
{
	char	   *query = psprintf("SELECT format('%%s rows, checksum %%s', count(*), sum(hashtextextended(%s, 0))), count(*)"
								 " FROM ONLY %s", r->row, table);
	char	   *sum;

	if (child)
		run_on_child(r, query, r->snapshot != NULL, SPI_OK_SELECT);
	else if (SPI_execute(query, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not run: %s", query);
	sum = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
	if (child)
		r->rows = strtou64(SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2), NULL, 10);
	return sum;
}

/* The rows of a copy on a server are read back, as queries will read them. */
static void
verify(Relocation *r)
{
	char	   *expected = sum_up(r, r->child_name, true);
	char	   *found = sum_up(r, r->copy_name, false);

	if (strcmp(expected, found) != 0)
		unlike(r, psprintf("The child has %s, the copy %s.", expected, found));
}

static void
verify_count(Relocation *r)
{
	char	   *found;

	if (SPI_execute(psprintf("SELECT count(*) FROM ONLY %s", r->copy_name), false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not count the rows of %s", r->copy_name);
	found = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
	if (strtou64(found, NULL, 10) != r->rows)
		unlike(r, psprintf("The child has " UINT64_FORMAT " rows, the copy %s.", r->rows, found));
}

/* --------------------------------------------------------------------- the swap */

/*
 * Locks what the swap needs and finds the last changes, in a subtransaction.
 * False: not to be had now, and given back. While the child is locked nothing
 * else is waited for: its holders may be waiting for somebody who wants the child.
 */
static bool
lock_for_swap(Relocation *r, Changes *changes)
{
	MemoryContext caller = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	volatile bool locked = false;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(caller);
	PG_TRY();
	{
		if (r->snapshot)
		{
			Snapshot	last;

			LockRelationOid(r->child, ShareLock);
			last = RegisterSnapshot(GetLatestSnapshot());
			find_changes(r, last, changes);
			UnregisterSnapshot(last);
		}
		LockRelationOid(r->child, AccessExclusiveLock);
		locked = ConditionalLockRelationOid(r->job.base, ShareUpdateExclusiveLock) &&
			ConditionalLockRelationOid(r->bridge, ShareUpdateExclusiveLock);
		if (locked)
			ReleaseCurrentSubTransaction();
		else
			RollbackAndReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(caller);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
		CurrentResourceOwner = owner;
		if (error->sqlerrcode != ERRCODE_LOCK_NOT_AVAILABLE && error->sqlerrcode != ERRCODE_T_R_DEADLOCK_DETECTED)
			ReThrowError(error);
		FreeErrorData(error);
		locked = false;
	}
	PG_END_TRY();
	MemoryContextSwitchTo(caller);
	CurrentResourceOwner = owner;
	if (!locked)
		clear_changes(changes);
	return locked;
}

static void
insist_on_locks(Relocation *r, Changes *changes)
{
	for (int tries = 1; !lock_for_swap(r, changes); tries++)
	{
		/* not 55P03: the copying would begin again */
		if (tries >= MAX_TRIES)
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_IN_USE),
					 errmsg("could not lock child \"%s\" to put its copy in its place", get_rel_name(r->child)),
					 errdetail("It was tried %d times; other transactions use it.", MAX_TRIES),
					 errhint("The child is as it was. Try again, with a longer lock_timeout or when there are no long transactions.")));
		router_job_pause(tries);
		if (r->snapshot)
			catch_up(r, changes);
	}
	apply_changes(r, changes);
	if (changes->ncome + changes->ngone > 0)
		verify_count(r);
}

/* Columns that the child has from its base only the copy has from there, too, and all constraints that the base has. */
static void
inherit_as_before(Oid child, Oid copy)
{
	Relation	attributes = table_open(AttributeRelationId, RowExclusiveLock);
	Relation	constraints = table_open(ConstraintRelationId, RowExclusiveLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tup;

	for (AttrNumber attnum = 1;; attnum++)
	{
		HeapTuple	old;

		tup = SearchSysCacheCopy2(ATTNUM, ObjectIdGetDatum(copy), Int16GetDatum(attnum));
		if (!HeapTupleIsValid(tup))
			break;
		old = SearchSysCacheAttName(child, NameStr(((Form_pg_attribute) GETSTRUCT(tup))->attname));
		if (HeapTupleIsValid(old) && !((Form_pg_attribute) GETSTRUCT(old))->attislocal &&
			((Form_pg_attribute) GETSTRUCT(tup))->attinhcount > 0)
		{
			((Form_pg_attribute) GETSTRUCT(tup))->attislocal = false;
			CatalogTupleUpdate(attributes, &tup->t_self, tup);
		}
		if (HeapTupleIsValid(old))
			ReleaseSysCache(old);
		heap_freetuple(tup);
	}
	ScanKeyInit(&key, Anum_pg_constraint_conrelid, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(copy));
	scan = systable_beginscan(constraints, ConstraintRelidTypidNameIndexId, true, NULL, 1, &key);
	while (HeapTupleIsValid(tup = systable_getnext(scan)))
	{
		Form_pg_constraint con = (Form_pg_constraint) GETSTRUCT(tup);
		HeapTuple	change;

		if (!con->conislocal || con->coninhcount == 0)
			continue;
		change = heap_copytuple(tup);
		((Form_pg_constraint) GETSTRUCT(change))->conislocal = false;
		CatalogTupleUpdate(constraints, &change->t_self, change);
	}
	systable_endscan(scan);
	table_close(constraints, NoLock);
	table_close(attributes, NoLock);
	CommandCounterIncrement();
}

/* The copy takes the place of the child, which is locked. */
static void
swap(Relocation *r)
{
	RouterChildDef *def = router_catalog_child(r->child);
	RouterMirror everything = {.aspects = ROUTER_EVERYTHING};
	char	   *name = get_rel_name(r->child);
	char	   *schema = get_namespace_name(get_rel_namespace(r->child));
	int			n = 0;
	ListCell   *lc;

	router_run_at_rest(psprintf("ALTER TABLE %s INHERIT %s", r->copy_name, router_qualified_name(r->job.base)));
	if (OidIsValid(r->bridge))
		router_run_at_rest(psprintf("ALTER TABLE %s INHERIT %s", r->copy_name, router_qualified_name(r->bridge)));
	inherit_as_before(r->child, r->copy);
	router_keys_strip(r->child);
	router_catalog_remove_child(r->child);
	router_run_at_rest(psprintf("DROP %sTABLE %s", r->from_server ? "FOREIGN " : "", r->child_name));
	router_run_at_rest(psprintf("ALTER TABLE %s RENAME TO %s", r->copy_name, quote_identifier(name)));
	foreach(lc, r->index_names)
		router_run_at_rest(psprintf("ALTER INDEX %s RENAME TO %s",
									quote_qualified_identifier(schema, psprintf("router_copy_%u_%d", r->child, ++n)),
									quote_identifier(lfirst(lc))));
	router_catalog_add_child(r->copy, r->job.base, def->bounds, def->nbounds);
	(void) router_mirror(&everything, r->job.base, r->copy);
	router_keys_equip(r->job.base, r->copy);
}

/* Steps 1 to 5 of the head of this file. */
static bool
copy_and_swap(RouterJob *job)
{
	Relocation *r = (Relocation *) job;
	int			guc_level = NewGUCNestLevel();
	Changes		changes;

	if (job->atomic)
		LockRelationOid(job->base, AccessExclusiveLock);
	LockRelationOid(r->child, job->atomic ? AccessExclusiveLock : r->from_server ? ShareLock : AccessShareLock);
	if (router_catalog_child(r->child) == NULL || router_is_in_place(r->child, r->place))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("child %u was moved or dropped meanwhile", r->child)));
	SPI_connect();
	make_copy(r);
	r->indexes = r->index_names = NIL;
	r->snapshot = r->from_server ? NULL : RegisterSnapshot(GetLatestSnapshot());
	init_changes(&changes);
	if (r->from_server)
		copy_back(r);
	else if (r->place->server)
		copy_there(r);
	else
		copy_here(r);
	index_copy(r);
	if (r->snapshot && !job->atomic)
		catch_up(r, &changes);
	verify(r);
	if (!job->atomic)
		insist_on_locks(r, &changes);
	end_changes(&changes);
	if (r->snapshot)
		UnregisterSnapshot(r->snapshot);
	swap(r);
	SPI_finish();
	AtEOXact_GUC(false, guc_level);
	return true;
}

static bool
drop_remote(RouterJob *job)
{
	Relocation *r = (Relocation *) job;

	if (!router_remote_drop(r->remote))
		ereport(WARNING,
				(errmsg("table %s on server \"%s\" is still there", quote_qualified_identifier(r->remote->schema, r->remote->table),
						r->remote->server),
				 errhint("Drop it there; its rows are here again.")));
	return true;
}

/* ----------------------------------------------------------------------- a run */

/* Copies one child and swaps it; the bridge is there. NULL: it went well. */
static ErrorData *
relocate(Relocation *r)
{
	ErrorData  *error = NULL;

	if (r->place->server)
		error = router_job_insist(&r->job, create_remote, true);
	/* dblink wants a password of those who are no superusers, which postgres_fdw may do without */
	if (error && error->sqlerrcode == ERRCODE_S_R_E_PROHIBITED_SQL_STATEMENT_ATTEMPTED)
		error = NULL;
	if (error == NULL)
		error = router_job_insist(&r->job, copy_and_swap, true);
	if (error && error->sqlerrcode == ERRCODE_UNDEFINED_TABLE && r->place->server && !r->remote->made)
		error->hint = MemoryContextStrdup(r->job.cxt, HINT_NO_DBLINK);
	if (error == NULL && r->from_server)
	{
		/* the child is back; what cannot be cleared away is no reason to say that it is not */
		ErrorData  *left = router_job_insist(&r->job, drop_remote, true);

		if (left)
			ereport(WARNING,
					(errcode(left->sqlerrcode),
					 errmsg("could not drop table %s on server \"%s\": %s",
							quote_qualified_identifier(r->remote->schema, r->remote->table), r->remote->server, left->message)));
	}
	return error;
}

/* The moves that are to be made: of Relocation. *error: the first thing that is wrong. */
static List *
prepare_all(const RouterJob *job, List *moves, bool dry_run, ErrorData **error)
{
	List	   *relocations = NIL;
	ListCell   *lc;

	foreach(lc, moves)
	{
		RouterMove *move = lfirst(lc);
		Relocation *r = MemoryContextAllocZero(job->cxt, sizeof(Relocation));
		ErrorData  *wrong;

		r->job = *job;
		r->child = move->child;
		r->place = &move->place;
		r->dry_run = dry_run;
		wrong = router_job_insist(&r->job, prepare, false);
		if (wrong && *error == NULL)
			*error = wrong;
		if (wrong == NULL && r->needed && !dry_run)
			relocations = lappend(relocations, r);
	}
	return relocations;
}

static ErrorData *
take_bridge_away(Relocation *any)
{
	if (!OidIsValid(find_bridge(any->job.base)))
		return NULL;
	wait_for_planners(any->job.base);
	return router_job_insist(&any->job, remove_bridge, true);
}

static ErrorData *
relocate_all(List *relocations, uint64 *rows, ErrorData *error)
{
	Relocation *first = linitial(relocations);
	ErrorData  *wrong = NULL;
	Oid			bridge = InvalidOid;
	ListCell   *lc;

	if (!first->job.atomic)
	{
		/* one that an interrupted run left may lead to what not all know */
		wrong = take_bridge_away(first);
		if (wrong == NULL)
			wrong = router_job_insist(&first->job, build_bridge, true);
		if (wrong)
			return error ? error : wrong;
		bridge = first->bridge;
		wait_for_planners(first->job.base);
	}
	foreach(lc, relocations)
	{
		Relocation *r = lfirst(lc);

		if (lc != list_head(relocations) && GetCurrentTimestamp() >= r->job.deadline)
			break;
		r->bridge = bridge;
		wrong = relocate(r);
		if (wrong == NULL)
		{
			*rows += r->rows;
			ereport(NOTICE,
					(errmsg("moved child %s, " UINT64_FORMAT " rows", r->child_name, r->rows)));
		}
		else if (error == NULL)
			error = wrong;
	}
	if (OidIsValid(bridge))
		wrong = take_bridge_away(first);
	return error ? error : wrong;
}

/*
 * Moves children of job->base; moves: of RouterMove, in job->cxt. What is in its place is left
 * alone. One that fails does not stop the others. NULL: all went well, as far as the
 * deadline allows; else the first error. It is in router.events already, unless
 * there was nothing to do.
 */
ErrorData *
router_relocate(const RouterJob *job, List *moves, bool dry_run)
{
	RouterJob	copy = *job;
	ErrorData  *error = NULL;
	List	   *relocations = prepare_all(job, moves, dry_run, &error);
	uint64		rows = 0;
	LOCKTAG		tag;

	if (relocations != NIL)
	{
		SET_LOCKTAG_OBJECT(tag, MyDatabaseId, RelationRelationId, job->base, RUN_LOCK);
		if (LockAcquire(&tag, ExclusiveLock, true, true) == LOCKACQUIRE_NOT_AVAIL)
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_IN_USE),
					 errmsg("another session is moving children of \"%s\"", get_rel_name(job->base)),
					 errhint("Wait for it.")));
		PG_TRY();
		{
			error = relocate_all(relocations, &rows, error);
		}
		PG_FINALLY();
		{
			(void) LockRelease(&tag, ExclusiveLock, true);
		}
		PG_END_TRY();
	}
	if (!dry_run && (error || relocations != NIL))
		router_job_note(&copy, rows, error);
	return error;
}
