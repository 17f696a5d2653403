/*
 * mirror.c
 *		Makes a new child as good as its base: what INHERITS does not bring.
 *
 * INHERITS brings columns, defaults, generation, CHECK and NOT NULL. Here come
 * grants, indexes and the constraints on them, foreign keys, row triggers, row
 * security, statistics, comments, replica identity, identity columns and
 * publications.
 *
 * Expressions are carried over as node trees with their columns renumbered,
 * as core does for partitions, never by editing SQL text. What has no C
 * interface runs as SQL with every name qualified.
 *
 * The caller runs as the owner of the base in a security-restricted operation
 * with pinned settings and SPI connected, holds ShareUpdateExclusiveLock on
 * the base, and created the child in this transaction. Referenced tables are
 * locked ShareRowExclusive, in the order of their oids, as core does for any
 * new foreign key.
 */
#include "compat.h"
#include "mirror.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "catalog/dependency.h"
#include "catalog/indexing.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_policy.h"
#include "catalog/pg_publication.h"
#include "catalog/pg_publication_rel.h"
#include "catalog/pg_trigger.h"
#include "catalog/pg_type.h"
#include "commands/comment.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parse_utilcmd.h"
#include "rewrite/prs2lock.h"
#include "rewrite/rewriteManip.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/ruleutils.h"
#include "utils/syscache.h"

typedef struct Mirror
{
	Relation	base;
	Oid			child;			/* not kept open: ALTER TABLE would refuse */
	Oid			rowtype;		/* of the child */
	AttrMap    *map;			/* base attnum -> child attnum */
} Mirror;

/* ------------------------------------------------------------------ helpers */

/* Is this one of the triggers that router puts on a base and its children? */
bool
router_is_own_trigger(const Trigger *trigger)
{
	return (trigger->tgname[0] == '~' || trigger->tgname[0] == '!') &&
		(strcmp(trigger->tgname, ROUTER_TRIGGER_FLUSH) == 0 ||
		 strcmp(trigger->tgname, ROUTER_TRIGGER_ROUTE) == 0 ||
		 strcmp(trigger->tgname, ROUTER_TRIGGER_SETTLE) == 0 ||
		 strcmp(trigger->tgname, ROUTER_TRIGGER_MOVE) == 0);
}

/* Runs one SQL command that returns nothing. SPI is connected. */
void
router_run(const char *fmt,...)
{
	StringInfoData sql;

	initStringInfo(&sql);
	for (;;)
	{
		va_list		args;
		int			needed;

		va_start(args, fmt);
		needed = appendStringInfoVA(&sql, fmt, args);
		va_end(args);
		if (needed == 0)
			break;
		enlargeStringInfo(&sql, needed);
	}
	if (SPI_execute(sql.data, false, 0) < 0)
		elog(ERROR, "SPI_execute failed: %s", sql.data);
	pfree(sql.data);
}

char *
router_qualified_name(Oid relid)
{
	return quote_qualified_identifier(get_namespace_name(get_rel_namespace(relid)), get_rel_name(relid));
}

static AttrNumber
child_attnum(const Mirror *m, AttrNumber attnum)
{
	return attnum > 0 ? m->map->attnums[attnum - 1] : attnum;
}

static Node *
child_expr(const Mirror *m, Node *expr, int varno)
{
	bool		whole_row;

	return map_variable_attnos(expr, varno, 0, m->map, m->rowtype, &whole_row);
}

/* ------------------------------------------------------------------- grants */

static void
copy_acl(Oid catalog, HeapTuple base, HeapTuple child, AttrNumber attno, Oid relid, int subid, Oid owner)
{
	Relation	rel = table_open(catalog, RowExclusiveLock);
	bool		no_old,
				no_new;
	Datum		old_acl = heap_getattr(child, attno, RelationGetDescr(rel), &no_old);
	Datum		new_acl = heap_getattr(base, attno, RelationGetDescr(rel), &no_new);

	if (!no_old || !no_new)
	{
		Oid		   *old_members = NULL;
		Oid		   *new_members = NULL;
		int			nold = no_old ? 0 : aclmembers(DatumGetAclPCopy(old_acl), &old_members);
		int			nnew = no_new ? 0 : aclmembers(DatumGetAclPCopy(new_acl), &new_members);
		int			column = attno;
		HeapTuple	tup = heap_modify_tuple_by_cols(child, RelationGetDescr(rel), 1, &column, &new_acl, &no_new);

		CatalogTupleUpdate(rel, &tup->t_self, tup);
		updateAclDependencies(RelationRelationId, relid, subid, owner, nold, old_members, nnew, new_members);
	}
	table_close(rel, RowExclusiveLock);
}

static void
copy_grants(const Mirror *m)
{
	Oid			relid = m->child;
	Oid			owner = m->base->rd_rel->relowner;
	HeapTuple	from = SearchSysCache1(RELOID, ObjectIdGetDatum(RelationGetRelid(m->base)));
	HeapTuple	to = SearchSysCacheCopy1(RELOID, ObjectIdGetDatum(relid));

	copy_acl(RelationRelationId, from, to, Anum_pg_class_relacl, relid, 0, owner);
	ReleaseSysCache(from);
	for (int i = 1; i <= m->map->maplen; i++)
	{
		if (child_attnum(m, i) == 0)
			continue;
		from = SearchSysCache2(ATTNUM, ObjectIdGetDatum(RelationGetRelid(m->base)), Int16GetDatum(i));
		to = SearchSysCacheCopy2(ATTNUM, ObjectIdGetDatum(relid), Int16GetDatum(child_attnum(m, i)));
		copy_acl(AttributeRelationId, from, to, Anum_pg_attribute_attacl, relid, child_attnum(m, i), owner);
		ReleaseSysCache(from);
	}
	CommandCounterIncrement();
}

/* ------------------------------------------------------------------ indexes */

static void
copy_index_statistics(Oid from, Oid to)
{
	for (int i = 1; i <= INDEX_MAX_KEYS; i++)
	{
		HeapTuple	tup = SearchSysCache2(ATTNUM, ObjectIdGetDatum(from), Int16GetDatum(i));
		bool		isnull;
		Datum		target;

		if (!HeapTupleIsValid(tup))
			break;
		target = SysCacheGetAttr(ATTNUM, tup, Anum_pg_attribute_attstattarget, &isnull);
		if (!isnull && DatumGetInt32(target) >= 0)
			router_run("ALTER INDEX %s ALTER COLUMN %d SET STATISTICS %d",
					   router_qualified_name(to), i, DatumGetInt32(target) & 0xffff);
		ReleaseSysCache(tup);
	}
}

/* Copies one index; what hangs on it comes along: its constraint, comment, place as replica identity. */
static void
copy_index(const Mirror *m, Oid from)
{
	Relation	index = index_open(from, AccessShareLock);
	Oid			constraint;
	IndexStmt  *stmt;
	ObjectAddress to;
	char	   *comment;

	if (index->rd_index->indisvalid)
	{
		stmt = generateClonedIndexStmt(NULL, index, m->map, &constraint);
		to = router_define_index(m->child, stmt, InvalidOid);
		CommandCounterIncrement();
		comment = GetComment(from, RelationRelationId, 0);
		if (comment)
			CreateComments(to.objectId, RelationRelationId, 0, comment);
		copy_index_statistics(from, to.objectId);
		if (index->rd_index->indisclustered)
			router_run("ALTER TABLE %s CLUSTER ON %s", router_qualified_name(m->child),
					   quote_identifier(get_rel_name(to.objectId)));
		if (index->rd_index->indisreplident)
			router_run("ALTER TABLE %s REPLICA IDENTITY USING INDEX %s",
					   router_qualified_name(m->child),
					   quote_identifier(get_rel_name(to.objectId)));
	}
	index_close(index, AccessShareLock);
}

static void
copy_indexes(const Mirror *m)
{
	ListCell   *lc;

	foreach(lc, RelationGetIndexList(m->base))
		copy_index(m, lfirst_oid(lc));
}

/* ----------------------------------------------------------------- triggers */

static void
copy_trigger(const Mirror *m, const Trigger *trigger)
{
	CreateTrigStmt *stmt = makeNode(CreateTrigStmt);
	Node	   *when = NULL;
	char	   *p;

	if (trigger->tgnewtable || trigger->tgoldtable)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("row trigger \"%s\" has transition tables, which children cannot have", trigger->tgname),
				 errhint("Use a statement trigger on \"%s\".", RelationGetRelationName(m->base))));
	stmt->isconstraint = OidIsValid(trigger->tgconstraint);
	stmt->trigname = trigger->tgname;
	for (int i = 0; i < trigger->tgnargs; i++)
		stmt->args = lappend(stmt->args, makeString(trigger->tgargs[i]));
	stmt->row = true;
	stmt->timing = trigger->tgtype & TRIGGER_TYPE_TIMING_MASK;
	stmt->events = trigger->tgtype & TRIGGER_TYPE_EVENT_MASK;
	for (int i = 0; i < trigger->tgnattr; i++)
	{
		p = get_attname(RelationGetRelid(m->base), trigger->tgattr[i], false);
		stmt->columns = lappend(stmt->columns, makeString(p));
	}
	stmt->deferrable = trigger->tgdeferrable;
	stmt->initdeferred = trigger->tginitdeferred;
	if (trigger->tgqual)
	{
		when = child_expr(m, stringToNode(trigger->tgqual), PRS2_OLD_VARNO);
		when = child_expr(m, when, PRS2_NEW_VARNO);
	}
	CreateTriggerFiringOn(stmt, NULL, m->child, trigger->tgconstrrelid, InvalidOid,
						  InvalidOid, trigger->tgfoid, InvalidOid, when, false, false, trigger->tgenabled);
	CommandCounterIncrement();
}

/* Row triggers only: statement triggers fire for the table that a statement names. */
static void
copy_triggers(const Mirror *m)
{
	TriggerDesc *triggers = m->base->trigdesc ? CopyTriggerDesc(m->base->trigdesc) : NULL;

	for (int i = 0; triggers && i < triggers->numtriggers; i++)
	{
		Trigger    *trigger = &triggers->triggers[i];

		if (!trigger->tgisinternal && TRIGGER_FOR_ROW(trigger->tgtype) && !router_is_own_trigger(trigger))
			copy_trigger(m, trigger);
	}
}

/* ------------------------------------------------------- the trigger for UPDATE */

/* Gives a table the trigger "~router_move", which fires whatever session_replication_role says. The caller is its owner. */
void
router_put_move_trigger(Oid relid)
{
	CreateTrigStmt *stmt = makeNode(CreateTrigStmt);

	stmt->trigname = ROUTER_TRIGGER_MOVE;
	stmt->replace = true;
	stmt->funcname = list_make2(makeString("router"), makeString("move_row"));
	stmt->row = true;
	stmt->timing = TRIGGER_TYPE_BEFORE;
	stmt->events = TRIGGER_TYPE_UPDATE;
	CreateTriggerFiringOn(stmt, NULL, relid, InvalidOid, InvalidOid, InvalidOid, InvalidOid, InvalidOid, NULL, false,
						  false, TRIGGER_FIRES_ALWAYS);
	CommandCounterIncrement();
}

/* Takes the trigger away from a table that is no child any more. SPI is connected. */
void
router_drop_move_trigger(Oid relid)
{
	if (OidIsValid(get_trigger_oid(relid, ROUTER_TRIGGER_MOVE, true)))
		router_run("DROP TRIGGER %s ON %s", quote_identifier(ROUTER_TRIGGER_MOVE), router_qualified_name(relid));
}

/* ------------------------------------------------------------- row security */

static char *
policy_expr(const Mirror *m, HeapTuple tup, AttrNumber attno, TupleDesc desc)
{
	bool		isnull;
	Datum		datum = heap_getattr(tup, attno, desc, &isnull);
	Node	   *expr;

	if (isnull)
		return NULL;
	expr = child_expr(m, stringToNode(TextDatumGetCString(datum)), 1);
	return deparse_expression(expr, deparse_context_for(get_rel_name(m->child),
														m->child), false, false);
}

static char *
policy_roles(HeapTuple tup, TupleDesc desc)
{
	bool		isnull;
	Datum	   *roles;
	int			n;
	StringInfoData buf;

	initStringInfo(&buf);
	deconstruct_array(DatumGetArrayTypeP(heap_getattr(tup, Anum_pg_policy_polroles, desc, &isnull)),
					  OIDOID, sizeof(Oid), true, TYPALIGN_INT, &roles, NULL, &n);
	for (int i = 0; i < n; i++)
		appendStringInfo(&buf, "%s%s", i > 0 ? ", " : "",
						 OidIsValid(DatumGetObjectId(roles[i])) ?
						 quote_identifier(GetUserNameFromId(DatumGetObjectId(roles[i]), false)) : "PUBLIC");
	return buf.data;
}

static void
copy_policy(const Mirror *m, HeapTuple tup, TupleDesc desc)
{
	Form_pg_policy policy = (Form_pg_policy) GETSTRUCT(tup);
	char	   *using = policy_expr(m, tup, Anum_pg_policy_polqual, desc);
	char	   *check = policy_expr(m, tup, Anum_pg_policy_polwithcheck, desc);

	router_run("CREATE POLICY %s ON %s AS %s FOR %s TO %s%s%s%s%s%s%s",
			   quote_identifier(NameStr(policy->polname)),
			   router_qualified_name(m->child),
			   policy->polpermissive ? "PERMISSIVE" : "RESTRICTIVE",
			   policy->polcmd == '*' ? "ALL" : policy->polcmd == 'r' ? "SELECT" :
			   policy->polcmd == 'a' ? "INSERT" : policy->polcmd == 'w' ? "UPDATE" : "DELETE",
			   policy_roles(tup, desc),
			   using ? " USING (" : "", using ? using : "", using ? ")" : "",
			   check ? " WITH CHECK (" : "", check ? check : "", check ? ")" : "");
}

static void
copy_row_security(const Mirror *m)
{
	Relation	rel = table_open(PolicyRelationId, AccessShareLock);
	ScanKeyData skey;
	SysScanDesc scan;
	HeapTuple	tup;
	char	   *child = router_qualified_name(m->child);

	ScanKeyInit(&skey, Anum_pg_policy_polrelid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(RelationGetRelid(m->base)));
	scan = systable_beginscan(rel, PolicyPolrelidPolnameIndexId, true, NULL, 1, &skey);
	while (HeapTupleIsValid(tup = systable_getnext(scan)))
		copy_policy(m, tup, RelationGetDescr(rel));
	systable_endscan(scan);
	table_close(rel, AccessShareLock);
	if (m->base->rd_rel->relrowsecurity)
		router_run("ALTER TABLE %s ENABLE ROW LEVEL SECURITY", child);
	if (m->base->rd_rel->relforcerowsecurity)
		router_run("ALTER TABLE %s FORCE ROW LEVEL SECURITY", child);
}

/* ------------------------------------------------------------- publications */

static void
copy_publication(const Mirror *m, Oid pubid)
{
	HeapTuple	tup = SearchSysCache2(PUBLICATIONRELMAP, ObjectIdGetDatum(RelationGetRelid(m->base)),
									  ObjectIdGetDatum(pubid));
	PublicationRelInfo info = {0};
	Datum		datum;
	bool		isnull;

	if (!HeapTupleIsValid(tup))
		return;
	info.relation = table_open(m->child, ShareUpdateExclusiveLock);
	datum = SysCacheGetAttr(PUBLICATIONRELMAP, tup, Anum_pg_publication_rel_prqual, &isnull);
	if (!isnull)
		info.whereClause = child_expr(m, stringToNode(TextDatumGetCString(datum)), 1);
	datum = SysCacheGetAttr(PUBLICATIONRELMAP, tup, Anum_pg_publication_rel_prattrs, &isnull);
	if (!isnull)
	{
		int2vector *attrs = (int2vector *) DatumGetPointer(datum);

		for (int i = 0; i < attrs->dim1; i++)
			info.columns = lappend(info.columns,
								   makeString(get_attname(RelationGetRelid(m->base), attrs->values[i], false)));
	}
	ReleaseSysCache(tup);
	publication_add_relation(pubid, &info, true);
	table_close(info.relation, NoLock);
	CommandCounterIncrement();
}

static void
copy_publications(const Mirror *m)
{
	ListCell   *lc;

	foreach(lc, GetRelationPublications(RelationGetRelid(m->base)))
		copy_publication(m, lfirst_oid(lc));
}

/* ----------------------------------------------------------------- the rest */

static void
copy_comments(const Mirror *m)
{
	for (int i = 0; i <= m->map->maplen; i++)
	{
		char	   *comment = GetComment(RelationGetRelid(m->base), RelationRelationId, i);

		if (comment && (i == 0 || child_attnum(m, i) != 0))
			CreateComments(m->child, RelationRelationId, child_attnum(m, i), comment);
	}
}

/*
 * What the catalogs can say as SQL: foreign keys, statistics targets and
 * options of columns, extended statistics, identity columns (whose sequence
 * the child shares), replica identity. $1 is the base, $3 the child, $2 its name.
 */
static const char *const commands_query =
"SELECT cmd FROM ("
" SELECT 1 AS step, con.confrelid::int8 AS pos, con.conname::text AS name,"
"        format('ALTER TABLE %s ADD CONSTRAINT %I %s', $2, con.conname,"
"               regexp_replace(pg_get_constraintdef(con.oid), ' NOT VALID$', '')) AS cmd"
"   FROM pg_constraint con WHERE con.conrelid = $1 AND con.contype = 'f' AND con.conparentid = 0"
" UNION ALL"
" SELECT 2, a.attnum, '', format('ALTER TABLE %s ALTER COLUMN %I SET STATISTICS %s', $2, a.attname, a.attstattarget)"
"   FROM pg_attribute a WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped AND a.attstattarget >= 0"
" UNION ALL"
" SELECT 3, a.attnum, '', format('ALTER TABLE %s ALTER COLUMN %I SET (%s)', $2, a.attname,"
"               (SELECT string_agg(o, ', ') FROM unnest(a.attoptions) o WHERE o LIKE 'n\\_distinct%'))"
"   FROM pg_attribute a WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped"
"    AND array_to_string(a.attoptions, ',') LIKE '%n\\_distinct%'"
" UNION ALL"
" SELECT 4, s.oid::int8, '', format('CREATE STATISTICS %I.%I %sON %s FROM %s', n.nspname, t.name,"
"               CASE WHEN s.stxkind <> '{e}' THEN format('(%s) ', (SELECT string_agg(CASE k WHEN 'd' THEN 'ndistinct'"
"                    WHEN 'f' THEN 'dependencies' WHEN 'm' THEN 'mcv' END, ', ')"
"                    FROM unnest(s.stxkind) k WHERE k <> 'e')) ELSE '' END,"
"               pg_get_statisticsobjdef_columns(s.oid), $2)"
"               || CASE WHEN s.stxstattarget >= 0 THEN format('; ALTER STATISTICS %I.%I SET STATISTICS %s',"
"                    n.nspname, t.name, s.stxstattarget) ELSE '' END"
"   FROM pg_statistic_ext s, pg_class c, pg_namespace n,"
"        LATERAL (SELECT CASE WHEN octet_length(c.relname || '_' || s.stxname) < 64 THEN c.relname || '_' || s.stxname"
"                             ELSE 'stats_' || md5(c.relname || '_' || s.stxname) END AS name) t"
"  WHERE s.stxrelid = $1 AND c.oid = $3 AND n.oid = c.relnamespace"
" UNION ALL"
" SELECT 5, a.attnum, '', format('ALTER TABLE %s ALTER COLUMN %I SET DEFAULT nextval(%L::regclass)', $2, a.attname,"
"               pg_get_serial_sequence(format('%I.%I', n.nspname, c.relname), a.attname))"
"   FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid JOIN pg_namespace n ON n.oid = c.relnamespace"
"  WHERE a.attrelid = $1 AND a.attnum > 0 AND NOT a.attisdropped AND a.attidentity <> ''"
" UNION ALL"
" SELECT 6, 0, '', format('ALTER TABLE %s REPLICA IDENTITY %s', $2,"
"               CASE c.relreplident WHEN 'f' THEN 'FULL' ELSE 'NOTHING' END)"
"   FROM pg_class c WHERE c.oid = $1 AND c.relreplident IN ('f', 'n')"
") AS commands ORDER BY step, pos, name";

static void
run_commands(const Mirror *m)
{
	static SPIPlanPtr plan = NULL;
	Datum		args[3];
	SPITupleTable *found;
	uint64		n;

	if (plan == NULL)
	{
		Oid			types[3] = {OIDOID, TEXTOID, OIDOID};
		SPIPlanPtr	fresh = SPI_prepare(commands_query, 3, types);

		if (fresh == NULL || SPI_keepplan(fresh) != 0)
			elog(ERROR, "could not prepare the query for a child's properties");
		plan = fresh;
	}
	args[0] = ObjectIdGetDatum(RelationGetRelid(m->base));
	args[1] = CStringGetTextDatum(router_qualified_name(m->child));
	args[2] = ObjectIdGetDatum(m->child);
	if (SPI_execute_plan(plan, args, NULL, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read the base's properties");
	found = SPI_tuptable;
	n = SPI_processed;
	for (uint64 i = 0; i < n; i++)
		router_run("%s", SPI_getvalue(found->vals[i], found->tupdesc, 1));
	SPI_freetuptable(found);
}

/* Gives a child, just created by INHERITS, everything else that its base has. */
void
router_mirror(Oid base, Oid child)
{
	Relation	rel = table_open(child, NoLock);
	Mirror		m;

	m.base = table_open(base, NoLock);
	m.child = child;
	m.rowtype = rel->rd_rel->reltype;
	m.map = router_attrmap_by_name(RelationGetDescr(rel), RelationGetDescr(m.base));
	table_close(rel, NoLock);
	copy_indexes(&m);
	run_commands(&m);
	copy_triggers(&m);
	copy_row_security(&m);
	copy_publications(&m);
	copy_comments(&m);
	copy_grants(&m);
	table_close(m.base, NoLock);
}
