/*
 * mirror.c
 *		Compares a child with its base and mends what differs, or tells it. A
 *		new child goes the same way: it lacks everything that INHERITS does not
 *		bring.
 *
 * INHERITS brings columns, defaults, generation, CHECK and NOT NULL. The rest
 * is here: grants, columns' properties, comments, publications; CHECK and NOT
 * NULL that do not inherit in mirror_check.c; indexes and statistics in
 * mirror_index.c; foreign keys, triggers and policies in mirror_rule.c; what
 * checks constraints in mirror_constraint.c.
 *
 * What bears a name of its own on each table (triggers, policies, foreign keys)
 * is matched by name and compared by definition; indexes and statistics are
 * matched by definition. Objects that only the child has stay.
 *
 * Expressions are carried over as node trees with their columns renumbered,
 * as core does for partitions, never by editing SQL text. What has no C
 * interface runs as SQL with every name qualified.
 *
 * The caller runs as the owner of the base in a security-restricted operation
 * with pinned settings, and holds ShareUpdateExclusiveLock on
 * the base or more. For a dry run it may be anybody and AccessShareLock does.
 * The child is locked AccessShare, then as each command locks it. Referenced
 * tables are locked ShareRowExclusive, in the order of their oids, as core does
 * for any new foreign key.
 */
#include "compat.h"
#include "mirror/mirror_part.h"
#include "base/pin.h"
#include "base/sql.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/reloptions.h"
#include "access/table.h"
#include "access/toast_compression.h"
#include "access/xact.h"
#include "catalog/dependency.h"
#include "catalog/indexing.h"
#include "catalog/pg_attribute.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_publication.h"
#include "catalog/pg_publication_rel.h"
#include "catalog/pg_statistic_ext.h"
#include "catalog/pg_trigger.h"
#include "commands/comment.h"
#include "commands/publicationcmds.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parse_clause.h"
#include "parser/parse_collate.h"
#include "parser/parse_node.h"
#include "parser/parser.h"
#include "rewrite/rewriteManip.h"
#include "storage/lmgr.h"
#include "tcop/dest.h"
#include "tcop/utility.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/ruleutils.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

/* ------------------------------------------------------------------ helpers */

/* Is this one of the triggers that router puts on a base and its children? */
bool
router_is_own_trigger(const Trigger *trigger)
{
	const char *name = trigger->tgname;

	/* asked several times a statement */
	if ((name[0] != '~' && name[0] != '!') || name[1] != 'r' || name[2] != 'o' || name[3] != 'u' || name[4] != 't' ||
		name[5] != 'e' || name[6] != 'r' || name[7] != '_')
		return false;
	switch (name[8])
	{
		case 'f':
			return strcmp(name, ROUTER_TRIGGER_FLUSH) == 0;
		case 'm':
			return strcmp(name, ROUTER_TRIGGER_MOVE) == 0;
		case 'r':
			return strcmp(name, ROUTER_TRIGGER_ROUTE) == 0;
		case 's':
			return strcmp(name, ROUTER_TRIGGER_SETTLE) == 0;
		default:
			return false;
	}
}

/*
 * Notes a difference: kind of object, and what is done about it. True: do it.
 * The action is put into words only if somebody listens.
 */
bool
router_mend(Mirror *m, const char *kind, const char *fmt,...)
{
	const RouterMirror *request = m->request;
	StringInfoData action;

	if (m->is_part)
		return !request->dry_run;
	m->differences++;
	if (request->found)
	{
		initStringInfo(&action);
		for (;;)
		{
			va_list		args;
			int			needed;

			va_start(args, fmt);
			needed = appendStringInfoVA(&action, fmt, args);
			va_end(args);
			if (needed == 0)
				break;
			enlargeStringInfo(&action, needed);
		}
		request->found(request->arg, m->child, kind, action.data);
	}
	return !request->dry_run;
}

/* Is an object of the base among those to be compared? */
bool
router_wanted(const Mirror *m, Oid object)
{
	return !m->request->exact || list_member_oid(m->request->only, object);
}

AttrNumber
router_child_attnum(const Mirror *m, AttrNumber attnum)
{
	if (attnum <= 0)
		return attnum;
	return attnum <= m->map->maplen ? m->map->attnums[attnum - 1] : InvalidAttrNumber;
}

/* An expression of the base in terms of the child. */
Node *
router_child_expr(const Mirror *m, Node *expr, int varno)
{
	bool		whole_row;

	return map_variable_attnos(expr, varno, 0, m->map, m->rowtype, &whole_row);
}

/* The SQL text of an expression over the child. */
char *
router_child_expr_text(const Mirror *m, Node *expr)
{
	return deparse_expression(expr, deparse_context_for(get_rel_name(m->child), m->child), false, false);
}

/* What becomes of a text when it is parsed as an expression over the child. */
static Node *
parse_child_expr(const Mirror *m, const char *expression)
{
	RawStmt    *raw = linitial_node(RawStmt, raw_parser(psprintf("SELECT %s", expression), RAW_PARSE_DEFAULT));
	ResTarget  *target = linitial_node(ResTarget, castNode(SelectStmt, raw->stmt)->targetList);
	ParseState *pstate = make_parsestate(NULL);
	Relation	child = table_open(m->child, NoLock);
	Node	   *expr;

	addNSItemToQuery(pstate, addRangeTableEntryForRelation(pstate, child, AccessShareLock, NULL, false, false),
					 false, true, true);
	expr = transformWhereClause(pstate, target->val, EXPR_KIND_POLICY, "POLICY");
	assign_expr_collations(pstate, expr);
	table_close(child, NoLock);
	free_parsestate(pstate);
	return expr;
}

/*
 * Do two expressions over the child say the same? One that went through its
 * SQL text, as that of a policy or of a restored table did, may have another
 * tree: then the other one goes that way as well.
 */
bool
router_same_tree(const Mirror *m, Node *base, Node *child)
{
	char	   *base_text;

	if (base == NULL || child == NULL || equal(base, child))
		return base == child || (base && child);
	base_text = router_child_expr_text(m, base);
	if (strcmp(base_text, router_child_expr_text(m, child)) == 0)
		return true;
	return !IsA(base, List) && exprType(base) == BOOLOID && equal(parse_child_expr(m, base_text), child);
}

/* Is a CHECK of the child what this condition would make? Its columns are the child's. */
bool
router_same_condition(Oid child, const char *condition, Node *there)
{
	Mirror		m = {.child = child};

	return router_same_tree(&m, parse_child_expr(&m, condition), there);
}

/* Are two arrays of the catalog alike? */
bool
router_same_array(Datum a, bool a_null, Datum b, bool b_null)
{
	if (a_null || b_null)
		return a_null == b_null;
	return datumIsEqual(PointerGetDatum(PG_DETOAST_DATUM(a)), PointerGetDatum(PG_DETOAST_DATUM(b)), false, -1);
}

/* Gives an object of the child the comment of the base's. */
void
router_mend_comment(Mirror *m, Oid classid, Oid from, Oid to, const char *what, const char *name)
{
	char	   *wanted = GetComment(from, classid, 0);
	char	   *there;

	if (wanted == NULL && !m->request->exact)
		return;
	there = GetComment(to, classid, 0);
	if (wanted == NULL ? there == NULL : there && strcmp(wanted, there) == 0)
		return;
	if (router_mend(m, "comment", "set the comment on %s \"%s\"", what, name))
		CreateComments(to, classid, 0, wanted);
}

static const char *
find_option(List *options, const char *name)
{
	ListCell   *lc;

	foreach(lc, options)
		if (strcmp(lfirst_node(DefElem, lc)->defname, name) == 0)
			return defGetString(lfirst_node(DefElem, lc));
	return NULL;
}

/* The options of the base that the child has not, or otherwise: "a = 'b', c = 'd'"; NULL: none. */
char *
router_missing_options(Datum base, bool base_null, Datum child, bool child_null, const char *prefix)
{
	List	   *there = child_null ? NIL : untransformRelOptions(child);
	StringInfoData buf;
	ListCell   *lc;

	if (base_null)
		return NULL;
	initStringInfo(&buf);
	foreach(lc, untransformRelOptions(base))
	{
		DefElem    *option = lfirst(lc);
		const char *value = defGetString(option);
		const char *other = find_option(there, option->defname);

		if (other == NULL || strcmp(value, other) != 0)
			appendStringInfo(&buf, "%s%s%s = %s", buf.len > 0 ? ", " : "", prefix,
							 quote_identifier(option->defname), quote_literal_cstr(value));
	}
	return buf.len > 0 ? buf.data : NULL;
}

/* ------------------------------------------------------------------- grants */

/*
 * Writes the grants on a table (subid 0) or a column, of which there is no C
 * interface. The lock is the one that VACUUM holds for its update in place of
 * the same row of pg_class.
 */
static void
set_acl(Oid relid, Oid owner, AttrNumber subid, Datum new_acl, bool no_new)
{
	Relation	rel;
	HeapTuple	tup,
				changed;
	bool		no_old;
	Datum		old_acl;
	Oid		   *old_members = NULL;
	Oid		   *new_members = NULL;
	int			nold,
				nnew;
	int			column = subid == 0 ? Anum_pg_class_relacl : Anum_pg_attribute_attacl;

	LockRelationOid(relid, ShareUpdateExclusiveLock);
	rel = table_open(subid == 0 ? RelationRelationId : AttributeRelationId, RowExclusiveLock);
	tup = subid == 0 ? SearchSysCacheCopy1(RELOID, ObjectIdGetDatum(relid)) :
		SearchSysCacheCopy2(ATTNUM, ObjectIdGetDatum(relid), Int16GetDatum(subid));
	if (!HeapTupleIsValid(tup))
		elog(ERROR, "cache lookup failed for relation %u", relid);
	old_acl = heap_getattr(tup, column, RelationGetDescr(rel), &no_old);
	nold = no_old ? 0 : aclmembers(DatumGetAclPCopy(old_acl), &old_members);
	nnew = no_new ? 0 : aclmembers(DatumGetAclPCopy(new_acl), &new_members);
	changed = heap_modify_tuple_by_cols(tup, RelationGetDescr(rel), 1, &column, &new_acl, &no_new);
	CatalogTupleUpdate(rel, &tup->t_self, changed);
	updateAclDependencies(RelationRelationId, relid, subid, owner, nold, old_members, nnew, new_members);
	table_close(rel, RowExclusiveLock);
	CommandCounterIncrement();
}

/* Takes away from a new table what default privileges grant: it is for its owner only. */
void
router_take_grants_away(Oid relid)
{
	HeapTuple	tup = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	bool		none;

	(void) SysCacheGetAttr(RELOID, tup, Anum_pg_class_relacl, &none);
	if (!none)
		set_acl(relid, ((Form_pg_class) GETSTRUCT(tup))->relowner, 0, (Datum) 0, true);
	ReleaseSysCache(tup);
}

/* Foreign tables have no policies: while the base has row security they are read and written through it only. */
static bool
is_closed(const Mirror *m)
{
	return m->relkind == RELKIND_FOREIGN_TABLE && m->base->rd_rel->relrowsecurity;
}

/*
 * What only the owner may do with children: what the base has statement triggers or rules for. These count for
 * statements that name the base, so that who names a child would pass them by.
 */
static AclMode
guarded_rights(const Mirror *m)
{
	const TriggerDesc *triggers = m->base->trigdesc;
	const RuleLock *rules = m->base->rd_rules;
	AclMode		rights = 0;

	for (int i = 0; triggers && i < triggers->numtriggers; i++)
	{
		const Trigger *trigger = &triggers->triggers[i];

		if (TRIGGER_FOR_ROW(trigger->tgtype) || strncmp(trigger->tgname + 1, "router_", strlen("router_")) == 0)
			continue;
		rights |= (TRIGGER_FOR_INSERT(trigger->tgtype) ? ACL_INSERT : 0) |
			(TRIGGER_FOR_UPDATE(trigger->tgtype) ? ACL_UPDATE : 0) |
			(TRIGGER_FOR_DELETE(trigger->tgtype) ? ACL_DELETE : 0) |
			(TRIGGER_FOR_TRUNCATE(trigger->tgtype) ? ACL_TRUNCATE : 0);
	}
	for (int i = 0; rules && i < rules->numLocks; i++)
	{
		CmdType		event = rules->rules[i]->event;

		rights |= event == CMD_INSERT ? ACL_INSERT :
			event == CMD_UPDATE ? ACL_UPDATE :
			event == CMD_DELETE ? ACL_DELETE : 0;
	}
	return rights;
}

/* Grants without some rights, but for the owner; NULL: nothing is left. */
static Acl *
without_rights(const Acl *acl, Oid owner, AclMode rights)
{
	Acl		   *left = aclcopy(acl);
	AclItem    *items = ACL_DAT(left);
	int			n = 0;

	for (int i = 0; i < ACL_NUM(acl); i++)
	{
		AclItem		item = items[i];

		if (item.ai_grantee != owner)
			ACLITEM_SET_PRIVS_GOPTIONS(item, ACLITEM_GET_PRIVS(item) & ~rights, ACLITEM_GET_GOPTIONS(item) & ~rights);
		if (ACLITEM_GET_RIGHTS(item) != 0)
			items[n++] = item;
	}
	*ARR_DIMS(left) = n;
	SET_VARSIZE(left, ACL_N_SIZE(n));
	return n == 0 ? NULL : left;
}

static void
mirror_acl(Mirror *m, int cache, HeapTuple base, HeapTuple child, AttrNumber attno, AttrNumber subid)
{
	bool		no_base,
				no_child;
	Datum		base_acl = SysCacheGetAttr(cache, base, attno, &no_base);
	Datum		child_acl = SysCacheGetAttr(cache, child, attno, &no_child);

	if (is_closed(m))
	{
		base_acl = (Datum) 0;
		no_base = true;
	}
	if (!no_base && guarded_rights(m) != 0)
	{
		Acl		   *open = without_rights(DatumGetAclP(base_acl), m->base->rd_rel->relowner, guarded_rights(m));

		base_acl = PointerGetDatum(open);
		no_base = open == NULL;
	}
	if (no_base && no_child)
		return;
	if (!no_base && !no_child && aclequal(DatumGetAclP(base_acl), DatumGetAclP(child_acl)))
		return;
	if (subid == 0 ? router_mend(m, "grants", "%s the grants", no_base ? "take away" : "set") :
		router_mend(m, "grants", "%s the grants on column \"%s\"", no_base ? "take away" : "set",
					get_attname(m->child, subid, false)))
		set_acl(m->child, m->base->rd_rel->relowner, subid, base_acl, no_base);
}

static void
mirror_grants(Mirror *m)
{
	Oid			base = RelationGetRelid(m->base);
	HeapTuple	from = SearchSysCache1(RELOID, ObjectIdGetDatum(base));
	HeapTuple	to = SearchSysCache1(RELOID, ObjectIdGetDatum(m->child));

	mirror_acl(m, RELOID, from, to, Anum_pg_class_relacl, 0);
	ReleaseSysCache(from);
	ReleaseSysCache(to);
	for (int i = 1; i <= m->map->maplen; i++)
	{
		AttrNumber	attnum = router_child_attnum(m, i);

		if (attnum == 0)
			continue;
		from = SearchSysCache2(ATTNUM, ObjectIdGetDatum(base), Int16GetDatum(i));
		to = SearchSysCache2(ATTNUM, ObjectIdGetDatum(m->child), Int16GetDatum(attnum));
		mirror_acl(m, ATTNUM, from, to, Anum_pg_attribute_attacl, attnum);
		ReleaseSysCache(from);
		ReleaseSysCache(to);
	}
}

/* ------------------------------------------------------- the trigger for UPDATE */

/*
 * Gives a table the trigger "~router_move", in place of the one there was, which
 * fires whatever session_replication_role says. hot: for INSERT as well. The
 * caller is its owner.
 */
void
router_put_move_trigger(Oid relid, bool hot)
{
	CreateTrigStmt *stmt = makeNode(CreateTrigStmt);

	stmt->trigname = ROUTER_TRIGGER_MOVE;
	stmt->replace = true;
	stmt->funcname = list_make2(makeString("router"), makeString("move_row"));
	stmt->row = true;
	stmt->timing = TRIGGER_TYPE_BEFORE;
	stmt->events = TRIGGER_TYPE_UPDATE | (hot ? TRIGGER_TYPE_INSERT : 0);
	CreateTriggerFiringOn(stmt, NULL, relid, InvalidOid, InvalidOid, InvalidOid, InvalidOid, InvalidOid, NULL, false,
						  false, TRIGGER_FIRES_ALWAYS);
	CommandCounterIncrement();
}

/* Takes the trigger away from a table that is no child any more. */
void
router_drop_move_trigger(Oid relid)
{
	if (OidIsValid(get_trigger_oid(relid, ROUTER_TRIGGER_MOVE, true)))
		router_run("DROP TRIGGER %s ON %s", quote_identifier(ROUTER_TRIGGER_MOVE), router_qualified_name(relid));
}

/* --------------------------------------------------------- storage parameters */

static char *
missing_relation_options(Oid base, Oid child, const char *prefix)
{
	HeapTuple	from = SearchSysCache1(RELOID, ObjectIdGetDatum(base));
	HeapTuple	to = SearchSysCache1(RELOID, ObjectIdGetDatum(child));
	bool		no_from,
				no_to;
	Datum		wanted = SysCacheGetAttr(RELOID, from, Anum_pg_class_reloptions, &no_from);
	Datum		there = SysCacheGetAttr(RELOID, to, Anum_pg_class_reloptions, &no_to);
	char	   *missing = router_missing_options(wanted, no_from, there, no_to, prefix);

	ReleaseSysCache(from);
	ReleaseSysCache(to);
	return missing;
}

static void
mirror_options(Mirror *m)
{
	Relation	child = table_open(m->child, NoLock);
	Oid			toast = child->rd_rel->reltoastrelid;
	char	   *missing;

	table_close(child, NoLock);
	missing = missing_relation_options(RelationGetRelid(m->base), m->child, "");
	if (missing && router_mend(m, "storage parameters", "set (%s)", missing))
		router_run("%s SET (%s)", m->alter, missing);
	if (!OidIsValid(toast) || !OidIsValid(m->base->rd_rel->reltoastrelid))
		return;
	missing = missing_relation_options(m->base->rd_rel->reltoastrelid, toast, "toast.");
	if (missing && router_mend(m, "storage parameters", "set (%s)", missing))
		router_run("%s SET (%s)", m->alter, missing);
}

static void
mirror_persistence(Mirror *m)
{
	char		wanted = m->base->rd_rel->relpersistence;

	if (get_rel_persistence(m->child) != wanted &&
		router_mend(m, "persistence", wanted == RELPERSISTENCE_UNLOGGED ? "set unlogged" : "set logged"))
		router_run("%s SET %s", m->alter, wanted == RELPERSISTENCE_UNLOGGED ? "UNLOGGED" : "LOGGED");
}

/* ------------------------------------------------------------------ columns */

static int
statistics_target(HeapTuple column)
{
	bool		isnull;
	Datum		target = SysCacheGetAttr(ATTNUM, column, Anum_pg_attribute_attstattarget, &isnull);

	/* an integer in some releases, a smallint in others, and both by value */
	return isnull ? -1 : (int16) DatumGetInt32(target);
}

/* The options that belong to users: n_distinct and n_distinct_inherited. */
static Datum
column_options(HeapTuple column, bool *isnull)
{
	Datum		options = SysCacheGetAttr(ATTNUM, column, Anum_pg_attribute_attoptions, isnull);
	ArrayBuildState *kept = NULL;
	Datum	   *elements;
	int			n;

	if (*isnull)
		return (Datum) 0;
	deconstruct_array(DatumGetArrayTypeP(options), TEXTOID, -1, false, TYPALIGN_INT, &elements, NULL, &n);
	for (int i = 0; i < n; i++)
		if (strncmp(TextDatumGetCString(elements[i]), "n_distinct", 10) == 0)
			kept = accumArrayResult(kept, elements[i], false, TEXTOID, CurrentMemoryContext);
	*isnull = kept == NULL;
	return kept ? makeArrayResult(kept, CurrentMemoryContext) : (Datum) 0;
}

static void
mirror_column_options(Mirror *m, HeapTuple from, HeapTuple to, const char *column)
{
	bool		no_from,
				no_to;
	Datum		wanted = column_options(from, &no_from);
	Datum		there = column_options(to, &no_to);
	char	   *missing = router_missing_options(wanted, no_from, there, no_to, "");

	if (missing && router_mend(m, "column", "set (%s) of column %s", missing, column))
		router_run("%s ALTER COLUMN %s SET (%s)", m->alter, column, missing);
	if (!m->request->exact)
		return;
	missing = router_missing_options(there, no_to, wanted, no_from, "");
	if (missing && no_from && router_mend(m, "column", "reset n_distinct of column %s", column))
		router_run("%s ALTER COLUMN %s RESET (n_distinct, n_distinct_inherited)", m->alter, column);
}

static void
mirror_column_storage(Mirror *m, HeapTuple from, HeapTuple to, const char *column)
{
	Form_pg_attribute base = (Form_pg_attribute) GETSTRUCT(from);
	Form_pg_attribute child = (Form_pg_attribute) GETSTRUCT(to);
	int			target = statistics_target(from);

	if (target >= 0 && statistics_target(to) != target &&
		router_mend(m, "column", "set the statistics target of column %s to %d", column, target))
		router_run("%s ALTER COLUMN %s SET STATISTICS %d", m->alter, column, target);
	if (m->relkind != RELKIND_RELATION)
		return;
	if (base->attstorage != child->attstorage &&
		router_mend(m, "column", "set the storage of column %s", column))
		router_run("%s ALTER COLUMN %s SET STORAGE %s", m->alter, column,
				   base->attstorage == TYPSTORAGE_PLAIN ? "PLAIN" : base->attstorage == TYPSTORAGE_EXTERNAL ? "EXTERNAL" :
				   base->attstorage == TYPSTORAGE_MAIN ? "MAIN" : "EXTENDED");
	if (base->attcompression != child->attcompression &&
		router_mend(m, "column", "set the compression of column %s", column))
		router_run("%s ALTER COLUMN %s SET COMPRESSION %s", m->alter, column,
				   CompressionMethodIsValid(base->attcompression) ?
				   GetCompressionMethodName(base->attcompression) : "default");
	if (!router_not_null_is_constraint && base->attnotnull && !child->attnotnull &&
		router_mend(m, "column", "set column %s not null", column))
		router_run("%s ALTER COLUMN %s SET NOT NULL", m->alter, column);
}

/* The text of a column's default, or NULL. */
static char *
default_of(TupleDesc desc, AttrNumber attnum)
{
	for (int i = 0; desc->constr && i < desc->constr->num_defval; i++)
		if (desc->constr->defval[i].adnum == attnum)
			return desc->constr->defval[i].adbin;
	return NULL;
}

/* Defaults are given as text, after which their trees may differ. */
static char *
default_text(const char *expression)
{
	return deparse_expression(stringToNode(expression), NIL, false, false);
}

/* The number of a sequence, as bigint or cast for a narrower column? */
static bool
is_nextval(const char *expression, Oid sequence)
{
	FuncExpr   *call = expression ? (FuncExpr *) strip_implicit_coercions(stringToNode(expression)) : NULL;
	Const	   *argument;

	if (call == NULL || !IsA(call, FuncExpr) || call->funcid != F_NEXTVAL || !IsA(linitial(call->args), Const))
		return false;
	argument = linitial_node(Const, call->args);
	return !argument->constisnull && DatumGetObjectId(argument->constvalue) == sequence;
}

/* An identity column: the child takes its numbers from the base's sequence. */
static void
mirror_identity(Mirror *m, AttrNumber attnum, const char *there, const char *column)
{
	Oid			sequence = router_identity_sequence(m->base, attnum);

	if (!is_nextval(there, sequence) && router_mend(m, "default", "take the identity of column %s from the base", column))
		router_run("%s ALTER COLUMN %s SET DEFAULT nextval(%s::regclass)", m->alter, column,
				   quote_literal_cstr(router_qualified_name(sequence)));
}

static void
mirror_default(Mirror *m, HeapTuple from, HeapTuple to, const char *column)
{
	Form_pg_attribute base = (Form_pg_attribute) GETSTRUCT(from);
	Form_pg_attribute child = (Form_pg_attribute) GETSTRUCT(to);
	char	   *wanted = default_of(RelationGetDescr(m->base), base->attnum);
	Relation	rel;
	char	   *there;

	if (base->attgenerated || child->attgenerated || child->attidentity || (wanted == NULL && !base->attidentity))
		return;
	rel = table_open(m->child, NoLock);
	there = default_of(RelationGetDescr(rel), child->attnum);
	there = there ? pstrdup(there) : NULL;
	table_close(rel, NoLock);
	if (base->attidentity)
		mirror_identity(m, base->attnum, there, column);
	else if ((there == NULL ||
			  (strcmp(wanted, there) != 0 && strcmp(default_text(wanted), default_text(there)) != 0)) &&
			 router_mend(m, "default", "set the default of column %s", column))
		router_run("%s ALTER COLUMN %s SET DEFAULT %s", m->alter, column, default_text(wanted));
}

static void
mirror_columns(Mirror *m)
{
	for (int i = 1; i <= m->map->maplen; i++)
	{
		AttrNumber	attnum = router_child_attnum(m, i);
		HeapTuple	from,
					to;
		const char *column;

		if (attnum == 0 || (m->request->exact && !list_member_int(m->request->columns, i)))
			continue;
		from = SearchSysCache2(ATTNUM, ObjectIdGetDatum(RelationGetRelid(m->base)), Int16GetDatum(i));
		to = SearchSysCache2(ATTNUM, ObjectIdGetDatum(m->child), Int16GetDatum(attnum));
		column = quote_identifier(NameStr(((Form_pg_attribute) GETSTRUCT(to))->attname));
		mirror_column_storage(m, from, to, column);
		mirror_column_options(m, from, to, column);
		mirror_default(m, from, to, column);
		ReleaseSysCache(from);
		ReleaseSysCache(to);
	}
}

/* ----------------------------------------------------------------- comments */

static void
mirror_comments(Mirror *m)
{
	for (int i = 0; i <= m->map->maplen; i++)
	{
		AttrNumber	attnum = router_child_attnum(m, i);
		char	   *wanted;
		char	   *there;

		if ((i > 0 && attnum == 0) || (m->request->exact && !list_member_int(m->request->columns, i)))
			continue;
		wanted = GetComment(RelationGetRelid(m->base), RelationRelationId, i);
		if (wanted == NULL && !m->request->exact)
			continue;
		there = GetComment(m->child, RelationRelationId, attnum);
		if (wanted == NULL ? there == NULL : there && strcmp(wanted, there) == 0)
			continue;
		if (router_mend(m, "comment", i == 0 ? "set the comment" : "set the comment on column \"%s\"",
						i == 0 ? "" : get_attname(m->child, attnum, false)))
			CreateComments(m->child, RelationRelationId, attnum, wanted);
	}
}

/* ------------------------------------------------------------- publications */

/* Names of the columns of a publication's list, which may stand in another order. */
static List *
published_columns(HeapTuple tup, Oid relid)
{
	bool		isnull;
	Datum		datum = SysCacheGetAttr(PUBLICATIONRELMAP, tup, Anum_pg_publication_rel_prattrs, &isnull);
	int2vector *attrs = (int2vector *) DatumGetPointer(datum);
	List	   *columns = NIL;

	for (int i = 0; !isnull && i < attrs->dim1; i++)
		columns = lappend(columns, makeString(get_attname(relid, attrs->values[i], false)));
	return columns;
}

static Node *
published_rows(HeapTuple tup)
{
	bool		isnull;
	Datum		datum = SysCacheGetAttr(PUBLICATIONRELMAP, tup, Anum_pg_publication_rel_prqual, &isnull);

	return isnull ? NULL : stringToNode(TextDatumGetCString(datum));
}

static void
mirror_publication(Mirror *m, Oid pubid)
{
	HeapTuple	from = SearchSysCache2(PUBLICATIONRELMAP, ObjectIdGetDatum(RelationGetRelid(m->base)),
									   ObjectIdGetDatum(pubid));
	HeapTuple	to = SearchSysCache2(PUBLICATIONRELMAP, ObjectIdGetDatum(m->child), ObjectIdGetDatum(pubid));
	PublicationRelInfo info = {0};
	Oid			there = InvalidOid;

	if (!HeapTupleIsValid(from))
		return;
	info.whereClause = published_rows(from);
	if (info.whereClause)
		info.whereClause = router_child_expr(m, info.whereClause, 1);
	info.columns = published_columns(from, RelationGetRelid(m->base));
	ReleaseSysCache(from);
	if (HeapTupleIsValid(to))
	{
		bool		same = router_same_tree(m, info.whereClause, published_rows(to)) &&
			list_difference(info.columns, published_columns(to, m->child)) == NIL &&
			list_difference(published_columns(to, m->child), info.columns) == NIL;

		there = ((Form_pg_publication_rel) GETSTRUCT(to))->oid;
		ReleaseSysCache(to);
		if (same)
			return;
	}
	if (!router_mend(m, "publication", "%s publication \"%s\"", OidIsValid(there) ? "publish as the base in" : "join",
					 get_publication_name(pubid, false)))
		return;
	if (OidIsValid(there))
	{
		ObjectAddress address;

		ObjectAddressSet(address, PublicationRelRelationId, there);
		performDeletion(&address, DROP_RESTRICT, PERFORM_DELETION_INTERNAL);
		CommandCounterIncrement();
	}
	info.relation = table_open(m->child, ShareUpdateExclusiveLock);
	publication_add_relation(pubid, &info, true);
	table_close(info.relation, NoLock);
	CommandCounterIncrement();
}

static void
mirror_publications(Mirror *m)
{
	ListCell   *lc;

	foreach(lc, GetRelationPublications(RelationGetRelid(m->base)))
		mirror_publication(m, lfirst_oid(lc));
}

/* -------------------------------------------------------------- the mechanism */

/* Does what differs in the aspects asked for. What a foreign table cannot have is left out. */
static void
mirror_aspects(Mirror *m, void *arg)
{
	int			aspects = m->request->aspects;
	bool		table = m->relkind == RELKIND_RELATION;

	if (table && aspects & ROUTER_PERSISTENCE)
		mirror_persistence(m);
	if (table && aspects & ROUTER_OPTIONS)
		mirror_options(m);
	if (aspects & (ROUTER_CHECKS | ROUTER_INHERITANCE))
		router_mirror_checks(m);
	if (aspects & ROUTER_INHERITANCE)
		router_mirror_inherited_columns(m);
	if (aspects & ROUTER_COLUMNS)
		mirror_columns(m);
	if (table && aspects & ROUTER_INDEXES)
		router_mirror_indexes(m);
	if (table && aspects & ROUTER_REPLICA_IDENTITY)
		router_mirror_replica_identity(m);
	if (table && aspects & ROUTER_FOREIGN_KEYS)
		router_mirror_foreign_keys(m);
	if (aspects & ROUTER_STATISTICS)
		router_mirror_statistics(m);
	if (aspects & ROUTER_TRIGGERS)
		router_mirror_triggers(m);
	if (table && aspects & ROUTER_TRIGGERS)
		router_mirror_constraint_triggers(m);
	if (table && aspects & (ROUTER_POLICIES | ROUTER_ROW_SECURITY))
		router_mirror_policies(m);
	if (table && aspects & ROUTER_PUBLICATIONS)
		mirror_publications(m);
	if (aspects & ROUTER_COMMENTS)
		mirror_comments(m);
	if (aspects & (ROUTER_GRANTS | ROUTER_TRIGGERS) || (!table && aspects & ROUTER_ROW_SECURITY))
		mirror_grants(m);
}

/* Opens the base, then looks at the child: in the order of locks, AccessShare. */
void
router_open_mirror(Mirror *m, const RouterMirror *request, Oid base, Oid child)
{
	Relation	rel;

	memset(m, 0, sizeof(*m));
	m->request = request;
	m->base = table_open(base, AccessShareLock);
	m->child = child;
	rel = table_open(child, AccessShareLock);
	m->relkind = rel->rd_rel->relkind;
	m->rowtype = rel->rd_rel->reltype;
	m->name = router_qualified_name(child);
	m->alter = psprintf("ALTER %s %s", router_table_word(child), m->name);
	m->map = router_attrmap_by_name(RelationGetDescr(rel), RelationGetDescr(m->base));
	table_close(rel, NoLock);
}

void
router_close_mirror(Mirror *m)
{
	table_close(m->base, NoLock);
}

/* Only somebody who could do it by hand changes a child: it may belong to another role than its base. */
static void
check_child_owner(Mirror *m)
{
	if (!router_owns_relation(m->child, m->base->rd_rel->relowner))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("owner of routed table \"%s\" does not own its child \"%s\"",
						RelationGetRelationName(m->base), get_rel_name(m->child)),
				 errhint("%s OWNER TO %s.", m->alter,
						 quote_identifier(GetUserNameFromId(m->base->rd_rel->relowner, false)))));
}

static void
tell_mirroring(void *arg)
{
	Mirror	   *m = arg;

	errcontext("giving child %s what \"%s\" has, with search_path set to pg_catalog, pg_temp",
			   m->name, RelationGetRelationName(m->base));
	router_hint_at_search_path();
}

static void
with_mirror(Mirror *m, void (*part) (Mirror *m, void *arg), void *arg)
{
	ErrorContextCallback context = {.callback = tell_mirroring,.arg = m,.previous = error_context_stack};

	if (!m->request->dry_run)
		check_child_owner(m);
	error_context_stack = &context;
	part(m, arg);
	error_context_stack = context.previous;
	router_close_mirror(m);
}

/*
 * Compares a child with its base in the aspects of the request, and mends it
 * unless that is a dry run. Returns the number of differences.
 *
 * Errors: those of the commands; insufficient_privilege if the child belongs
 * to somebody whom the base's owner is not a member of.
 */
int
router_mirror(const RouterMirror *request, Oid base, Oid child)
{
	Mirror		m;

	router_open_mirror(&m, request, base, child);
	with_mirror(&m, mirror_aspects, NULL);
	return m.differences;
}

/*
 * What a table that was just made to inherit has from its base it has from there
 * only; and no grants, where they would go past the base's policies. The caller
 * may alter the child, which is locked.
 */
void
router_leave_to_base(Oid base, Oid child)
{
	RouterMirror request = {.aspects = ROUTER_INHERITANCE};
	Mirror		m;

	router_open_mirror(&m, &request, base, child);
	mirror_aspects(&m, NULL);
	if (is_closed(&m))
		mirror_grants(&m);
	router_close_mirror(&m);
}

static void
drop_counterpart(Mirror *m, void *arg)
{
	const RouterDropped *dropped = arg;

	if (dropped->classid == IndexRelationId)
		router_drop_index_like(m, dropped->row, dropped->name, dropped->cascade);
	else if (dropped->classid == StatisticExtRelationId)
		router_drop_statistics_like(m, dropped->row);
	else if (dropped->classid == ConstraintRelationId &&
			 ((Form_pg_constraint) GETSTRUCT(dropped->row))->contype != CONSTRAINT_FOREIGN)
		router_drop_check_like(m, dropped->row, dropped->cascade);
	else
		router_drop_by_name(m, dropped->classid, dropped->name, dropped->cascade);
}

/* Drops from a child what stands for an object that its base just lost. As router_mirror otherwise. */
void
router_mirror_drop(const RouterMirror *request, Oid base, Oid child, const RouterDropped *dropped)
{
	Mirror		m;

	router_open_mirror(&m, request, base, child);
	with_mirror(&m, drop_counterpart, unconstify(RouterDropped *, dropped));
}

static void
rename_counterpart(Mirror *m, void *arg)
{
	const RouterRenamed *renamed = arg;

	if (renamed->classid == RelationRelationId)
		router_rename_index_like(m, renamed->oid, renamed->name);
	else if (renamed->classid == StatisticExtRelationId)
		router_rename_statistics_like(m, renamed->oid, renamed->name);
	else
	{
		if (renamed->classid == ConstraintRelationId)
			router_rename_check_like(m, renamed);
		router_rename_by_name(m, renamed);
	}
}

/* Renames what stands for a renamed object of the base, if it has the name by rule. As router_mirror otherwise. */
void
router_mirror_rename(const RouterMirror *request, Oid base, Oid child, const RouterRenamed *renamed)
{
	Mirror		m;

	router_open_mirror(&m, request, base, child);
	with_mirror(&m, rename_counterpart, unconstify(RouterRenamed *, renamed));
}

static void
run_on_child(Mirror *m, void *arg)
{
	if (m->relkind == RELKIND_RELATION && router_mend(m, "table", "%s", (char *) arg))
		router_run("%s %s", m->alter, (char *) arg);
}

/* Runs "ALTER TABLE child action", if the child is no foreign table. As router_mirror otherwise. */
void
router_mirror_alter(const RouterMirror *request, Oid base, Oid child, const char *action)
{
	Mirror		m;

	router_open_mirror(&m, request, base, child);
	with_mirror(&m, run_on_child, unconstify(char *, action));
}
