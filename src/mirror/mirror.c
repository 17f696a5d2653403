/*
 * mirror.c
 *		Compares a child with its base and mends what differs, or tells it. A
 *		new child goes the same way: it lacks everything that INHERITS does not
 *		bring.
 *
 * INHERITS brings columns, defaults, generation, CHECK and NOT NULL. The rest
 * is a table of aspects, each with a function that compares and mends, in the
 * files mirror_*.c. Objects with an oid of their own go one way whatever they
 * are, see mirror_object.c. Objects that only the child has stay.
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
#include "base/sql.h"

#include "access/reloptions.h"
#include "access/table.h"
#include "catalog/pg_constraint.h"
#include "catalog/pg_publication_rel.h"
#include "catalog/pg_trigger.h"
#include "commands/comment.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "parser/parse_clause.h"
#include "parser/parse_collate.h"
#include "parser/parser.h"
#include "rewrite/rewriteManip.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/ruleutils.h"
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
	va_list		args;

	if (m->is_part)
		return !request->dry_run;
	m->differences++;
	if (request->found)
	{
		va_start(args, fmt);
		request->found(request->arg, m->child, kind, router_format(fmt, args));
		va_end(args);
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

/* An expression in a row of a catalog that has a cache; NULL: there is none. */
Node *
router_stored_tree(int cache, HeapTuple tup, AttrNumber attno)
{
	bool		isnull;
	Datum		tree = SysCacheGetAttr(cache, tup, attno, &isnull);

	return isnull ? NULL : stringToNode(TextDatumGetCString(tree));
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
static bool
same_tree(const Mirror *m, Node *base, Node *child)
{
	char	   *base_text;

	if (base == NULL || child == NULL || equal(base, child))
		return base == child || (base && child);
	base_text = router_child_expr_text(m, base);
	if (strcmp(base_text, router_child_expr_text(m, child)) == 0)
		return true;
	return !IsA(base, List) && exprType(base) == BOOLOID && equal(parse_child_expr(m, base_text), child);
}

/* An expression of the base and one of the child; NULL: none. */
bool
router_same_expr(const Mirror *m, Node *base, Node *child)
{
	if (base == NULL || child == NULL)
		return base == child;
	return same_tree(m, router_child_expr(m, copyObject(base), 1), child);
}

/* Is a CHECK of the child what this condition would make? Its columns are the child's. */
bool
router_same_condition(Oid child, const char *condition, Node *there)
{
	Mirror		m = {.child = child};

	return same_tree(&m, parse_child_expr(&m, condition), there);
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

/* ------------------------------------------------------- the trigger for UPDATE */

/*
 * Gives a table the trigger "~router_move", in place of the one there was, which
 * fires whatever session_replication_role says. hot: for INSERT as well. The
 * caller is its owner. Not by SQL: ALTER TABLE would refuse a table that has pending
 * trigger events, or that a cursor reads.
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

static Datum
relation_options(Oid relid, bool *isnull)
{
	HeapTuple	tup = SearchSysCacheCopy1(RELOID, ObjectIdGetDatum(relid));

	*isnull = true;
	return HeapTupleIsValid(tup) ? SysCacheGetAttr(RELOID, tup, Anum_pg_class_reloptions, isnull) : (Datum) 0;
}

/* The same for storage parameters of two relations; of a child that is InvalidOid all are missing. */
char *
router_missing_relation_options(Oid base, Oid child, const char *prefix)
{
	bool		no_base,
				no_child;
	Datum		wanted = relation_options(base, &no_base);
	Datum		there = relation_options(child, &no_child);

	return router_missing_options(wanted, no_base, there, no_child, prefix);
}

static void
mend_options(Mirror *m, Oid base, Oid child, const char *prefix)
{
	char	   *missing = router_missing_relation_options(base, child, prefix);

	if (missing && router_mend(m, "storage parameters", "set (%s)", missing))
		router_run("%s SET (%s)", m->alter, missing);
}

static void
mirror_options(Mirror *m)
{
	Relation	child = table_open(m->child, NoLock);
	Oid			toast = child->rd_rel->reltoastrelid;

	table_close(child, NoLock);
	mend_options(m, RelationGetRelid(m->base), m->child, "");
	if (OidIsValid(toast))
		mend_options(m, m->base->rd_rel->reltoastrelid, toast, "toast.");
}

static void
mirror_persistence(Mirror *m)
{
	char		wanted = m->base->rd_rel->relpersistence;

	if (get_rel_persistence(m->child) != wanted &&
		router_mend(m, "persistence", wanted == RELPERSISTENCE_UNLOGGED ? "set unlogged" : "set logged"))
		router_run("%s SET %s", m->alter, wanted == RELPERSISTENCE_UNLOGGED ? "UNLOGGED" : "LOGGED");
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
	info.whereClause = router_stored_tree(PUBLICATIONRELMAP, from, Anum_pg_publication_rel_prqual);
	if (info.whereClause)
		info.whereClause = router_child_expr(m, info.whereClause, 1);
	info.columns = published_columns(from, RelationGetRelid(m->base));
	ReleaseSysCache(from);
	if (HeapTupleIsValid(to))
	{
		Node	   *rows = router_stored_tree(PUBLICATIONRELMAP, to, Anum_pg_publication_rel_prqual);
		bool		same = same_tree(m, info.whereClause, rows) &&
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

/* One of the things that base and child are compared in. */
typedef struct Aspect
{
	int			bits;			/* of RouterMirror.aspects: any of these */
	bool		table_only;		/* a foreign table cannot have it */
	const MirrorKind *kind;		/* of objects; or NULL */
	void		(*mirror) (Mirror *m);	/* NULL: nothing but the objects */
} Aspect;

/* In this order: what is later needs what is earlier, as a replica identity an index. */
static const Aspect aspects[] = {
	{ROUTER_PERSISTENCE, true, NULL, mirror_persistence},
	{ROUTER_OPTIONS, true, NULL, mirror_options},
	{ROUTER_CHECKS | ROUTER_INHERITANCE, false, &router_mirror_check, NULL},
	{ROUTER_INHERITANCE, false, NULL, router_mirror_inherited_columns},
	{ROUTER_COLUMNS, false, NULL, router_mirror_columns},
	{ROUTER_INDEXES, true, &router_mirror_index, router_mirror_indexes},
	{ROUTER_REPLICA_IDENTITY, true, NULL, router_mirror_replica_identity},
	{ROUTER_FOREIGN_KEYS, true, &router_mirror_foreign_key, router_mirror_foreign_keys},
	{ROUTER_STATISTICS, false, &router_mirror_statistics, NULL},
	{ROUTER_TRIGGERS, false, &router_mirror_trigger, NULL},
	{ROUTER_TRIGGERS, true, NULL, router_mirror_constraint_triggers},
	{ROUTER_POLICIES, true, &router_mirror_policy, NULL},
	{ROUTER_ROW_SECURITY, true, NULL, router_mirror_row_security},
	{ROUTER_PUBLICATIONS, true, NULL, mirror_publications},
	{ROUTER_COMMENTS, false, NULL, router_mirror_comments},
	{ROUTER_GRANTS | ROUTER_TRIGGERS | ROUTER_ROW_SECURITY, false, NULL, router_mirror_grants},
};

/* For what is done to a child because it was done to the base. */
static const RouterMirror follow = {0};

/* Does what differs in the aspects asked for. */
static void
mirror_aspects(Mirror *m, void *arg)
{
	for (int i = 0; i < lengthof(aspects); i++)
	{
		const Aspect *aspect = &aspects[i];

		if (!(aspect->bits & m->request->aspects) || (aspect->table_only && m->relkind != RELKIND_RELATION))
			continue;
		if (aspect->mirror)
			aspect->mirror(m);
		else
			(void) router_mirror_objects(m, aspect->kind);
	}
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

static int
with_mirror(const RouterMirror *request, Oid base, Oid child, void (*part) (Mirror *m, void *arg), void *arg)
{
	Mirror		m;
	ErrorContextCallback context = {.callback = tell_mirroring,.arg = &m,.previous = error_context_stack};

	router_open_mirror(&m, request, base, child);
	if (!request->dry_run)
		check_child_owner(&m);
	error_context_stack = &context;
	part(&m, arg);
	error_context_stack = context.previous;
	router_close_mirror(&m);
	return m.differences;
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
	return with_mirror(request, base, child, mirror_aspects, NULL);
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
	if (router_is_closed(&m))
		router_mirror_grants(&m);
	router_close_mirror(&m);
}

static void
follow_change(Mirror *m, void *arg)
{
	const RouterChange *change = arg;

	for (int i = 0; i < lengthof(aspects); i++)
		if (aspects[i].kind && aspects[i].kind->classid == change->classid)
			router_follow_change(m, aspects[i].kind, change);
}

/*
 * Drops from a child what stands for an object that its base just lost, or renames it as
 * that was, if it has the name by rule; a RouterChange. As router_mirror otherwise.
 */
void
router_mirror_change(Oid base, Oid child, void *change)
{
	(void) with_mirror(&follow, base, child, follow_change, change);
}

static void
run_on_child(Mirror *m, void *arg)
{
	if (m->relkind == RELKIND_RELATION)
		router_run("%s %s", m->alter, (char *) arg);
}

/* Runs "ALTER TABLE child action", if the child is no foreign table. As router_mirror otherwise. */
void
router_mirror_alter(Oid base, Oid child, void *action)
{
	(void) with_mirror(&follow, base, child, run_on_child, action);
}
