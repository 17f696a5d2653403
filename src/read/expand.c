/*
 * expand.c
 *		Plans see only those children of a routed table that can hold the rows.
 *
 * The planner expands a table into all its inheritance children after it has
 * gathered the clauses on it, and gives a hook only before that. So the table
 * is held back: when get_relation_info_hook is called for it, it gets one
 * child, the base itself, and its range table entry is made to look like the
 * parent of a UNION ALL, for which expand_inherited_rtentry walks
 * append_rel_list and does nothing else. The hook is called again for that
 * first child: now the clauses are there, the entry gets its own look back, and the
 * children that survive are appended to the list that core is walking. What is
 * done for a child is what expand_single_inheritance_child does.
 *
 * Between the two calls nobody but selectivity functions looks at the kind of
 * the entry: get_relation_stats_hook serves these. A table that was never
 * expanded, because its join was removed, gets its look back from
 * create_upper_paths_hook.
 *
 * Which children survive: see clause.c and survivors.c. The list is taken from the route, not
 * from pg_inherits; what inherits and is no child of the route always survives. Children
 * are locked as core would lock them, in the order of their oids. A route that
 * changed meanwhile is looked at again.
 *
 * Memory: all in the planner's context; the list of held-back tables is put
 * back by planner_hook, also after an error.
 */
#include "compat.h"
#include "read/expand.h"

#include <math.h>

#include "access/relation.h"
#include "access/table.h"
#include "catalog/pg_inherits.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "optimizer/appendinfo.h"
#include "optimizer/cost.h"
#include "optimizer/paths.h"
#include "optimizer/pathnode.h"
#include "optimizer/plancat.h"
#include "optimizer/planmain.h"
#include "optimizer/planner.h"
#include "optimizer/prep.h"
#include "parser/parsetree.h"
#include "storage/bufmgr.h"
#include "storage/lmgr.h"
#include "utils/fmgroids.h"
#include "utils/guc.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/plancache.h"
#include "utils/selfuncs.h"
#include "utils/syscache.h"

#include "read/action.h"
#include "read/estimate.h"
#include "route/loose.h"
#include "read/param.h"
#include "read/clause.h"
#include "read/survivors.h"
#include "route/cache.h"
#include "read/append_plan.h"
#include "read/clock.h"
#include "read/serializable.h"
#include "read/verify.h"
#include "base/waitpoint.h"

/* -DROUTER_PRUNE_ALL takes over every inheritance tree, routed or not, so that PostgreSQL's own tests try this file */
#ifdef ROUTER_PRUNE_ALL
#define TAKE_ALL true
#else
#define TAKE_ALL false
#endif

/* A table that is held back. */
typedef struct Held
{
	PlannerInfo *root;
	Index		rti;
	Index		first;			/* its first child, the base itself */
	RangeTblEntry *rte;
	RelOptInfo *rel;
	List	   *statlist;		/* of rel, put aside */
	bool		empty;			/* the base has no storage: it is not planned */
} Held;

/* A call of the planner. Planning within planning, of a function that is simplified, begins afresh. */
typedef struct Planning
{
	int			depth;			/* of calls; 0: none */
	List	   *held;
	bool		needs_rewrite;	/* a plan may leave out more when it runs */
	bool		computes;		/* one may make something of the rows of several children */
	RelOptInfo *waiting;		/* its clauses come back when the next child is added */
	List	   *waiting_clauses;
	bool		stand_back;		/* all children are wanted */
	PlannerInfo *expanded_root; /* the table that was expanded last */
	Index		expanded;
	int			nexpanded;		/* its children in the plan */
	bool		leaves_out;		/* there is something for router_verify_plan */
	bool		exclusion_off;	/* constraint_exclusion is off, and was "partition" */
	bool		exclusion_stays;	/* the statement has other inheritance trees, or UNION ALL */
} Planning;

/* On what the choice of children rests. */
typedef struct Grounds
{
	int64		newest;			/* hot routes: no row that is asked for is newer */
	bool		clock;			/* the time did not fall far behind that of planning */
	uint64		version;		/* of the children among which was chosen */
} Grounds;

static bool prune = true;
static bool read_hot = false;

static Planning planning;

static planner_hook_type previous_planner = NULL;
static get_relation_info_hook_type previous_relation_info = NULL;
static get_relation_stats_hook_type previous_relation_stats = NULL;
static create_upper_paths_hook_type previous_upper_paths = NULL;

/* ------------------------------------------------------------- one child in a plan */

/* The names of a child's columns, as the query calls those of the base. */
static List *
column_names(const AppendRelInfo *appinfo, TupleDesc desc, List *base_names)
{
	bool		same = desc->natts == list_length(base_names);
	List	   *names = NIL;

	for (int i = 0; same && i < desc->natts; i++)
		same = appinfo->parent_colnos[i] == i + 1;
	if (same)
		return base_names;
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);
		int			base_attno = appinfo->parent_colnos[i];
		const char *name = NameStr(att->attname);

		if (att->attisdropped)
			name = "";
		else if (base_attno > 0 && base_attno <= list_length(base_names))
			name = strVal(list_nth(base_names, base_attno - 1));
		names = lappend(names, makeString(pstrdup(name)));
	}
	return names;
}

/* Makes the range table entry and AppendRelInfo of a child; there is room in the planner's arrays. */
static Index
add_child(PlannerInfo *root, RangeTblEntry *base_rte, Index base_rti, Relation base, Relation child)
{
	RangeTblEntry *rte = makeNode(RangeTblEntry);
	AppendRelInfo *appinfo;
	Index		rti;

	memcpy(rte, base_rte, sizeof(RangeTblEntry));
	rte->relid = RelationGetRelid(child);
	rte->relkind = child->rd_rel->relkind;
	rte->inh = false;
	rte->securityQuals = NIL;	/* the base's come with its clauses */
	root->parse->rtable = lappend(root->parse->rtable, rte);
	rti = list_length(root->parse->rtable);
	appinfo = make_append_rel_info(base, child, base_rti, rti);
	root->append_rel_list = lappend(root->append_rel_list, appinfo);
	rte->alias = rte->eref = makeAlias(base_rte->eref->aliasname,
									   column_names(appinfo, RelationGetDescr(child), base_rte->eref->colnames));
	router_set_child_permissions(rte, base_rte, appinfo->translated_vars);
	Assert(root->simple_rte_array[rti] == NULL && root->append_rel_array[rti] == NULL);
	root->simple_rte_array[rti] = rte;
	root->append_rel_array[rti] = appinfo;
	return rti;
}

/* Row marks and row identities of a child. */
static void
complete_child(PlannerInfo *root, Index base_rti, PlanRowMark *base_mark, Relation child, Index rti)
{
	RangeTblEntry *rte = root->simple_rte_array[rti];

	if (base_mark)
	{
		PlanRowMark *mark = makeNode(PlanRowMark);

		mark->rti = rti;
		mark->prti = base_mark->rti;
		mark->rowmarkId = base_mark->rowmarkId;
		mark->markType = select_rowmark_type(rte, base_mark->strength);
		mark->allMarkTypes = (1 << mark->markType);
		mark->strength = base_mark->strength;
		mark->waitPolicy = base_mark->waitPolicy;
		mark->isParent = false;
		base_mark->allMarkTypes |= mark->allMarkTypes;
		root->rowMarks = lappend(root->rowMarks, mark);
	}
	if (bms_is_member(base_rti, root->all_result_relids))
	{
		Var		   *tableoid = makeVar(rti, TableOidAttributeNumber, OIDOID, -1, InvalidOid, 0);

		root->all_result_relids = bms_add_member(root->all_result_relids, rti);
		root->leaf_result_relids = bms_add_member(root->leaf_result_relids, rti);
		add_row_identity_var(root, tableoid, rti, "tableoid");
		add_row_identity_columns(root, rti, rte, child);
	}
}

static List *
add_junk(PlannerInfo *root, List *vars, Var *var, const char *name, Index mark)
{
	root->processed_tlist = lappend(root->processed_tlist,
									makeTargetEntry((Expr *) var, list_length(root->processed_tlist) + 1,
													psprintf("%s%u", name, mark), true));
	return lappend(vars, var);
}

/* The junk columns that the children's row marks want; the end of expand_inherited_rtentry. */
static void
add_mark_columns(PlannerInfo *root, PlanRowMark *mark, bool was_parent, int old_types)
{
	List	   *vars = NIL;

	if ((mark->allMarkTypes & ~(1 << ROW_MARK_COPY)) && !(old_types & ~(1 << ROW_MARK_COPY)))
		vars = add_junk(root, vars, makeVar(mark->rti, SelfItemPointerAttributeNumber, TIDOID, -1, InvalidOid, 0),
						"ctid", mark->rowmarkId);
	if ((mark->allMarkTypes & (1 << ROW_MARK_COPY)) && !(old_types & (1 << ROW_MARK_COPY)))
		vars = add_junk(root, vars, makeWholeRowVar(planner_rt_fetch(mark->rti, root), mark->rti, 0, false),
						"wholerow", mark->rowmarkId);
	if (!was_parent)
		vars = add_junk(root, vars, makeVar(mark->rti, TableOidAttributeNumber, OIDOID, -1, InvalidOid, 0),
						"tableoid", mark->rowmarkId);
	router_add_vars(root, vars, bms_make_singleton(0));
}

/* ----------------------------------------------------------------- the survivors */

/*
 * The planner's own exclusion of children by their CHECKs looks at each, and
 * finds nothing more. It is left out while a statement reads no other tree, and
 * no child that has other CHECKs than its base.
 */
static void
stop_exclusion(void)
{
	if (constraint_exclusion == CONSTRAINT_EXCLUSION_PARTITION && !planning.exclusion_stays)
	{
		constraint_exclusion = CONSTRAINT_EXCLUSION_OFF;
		planning.exclusion_off = true;
	}
}

static void
resume_exclusion(void)
{
	if (planning.exclusion_off)
		constraint_exclusion = CONSTRAINT_EXCLUSION_PARTITION;
	planning.exclusion_off = false;
	planning.exclusion_stays = true;
}

/* What the planner knows of the values. */
static RouterArg *
plan_args(PlannerInfo *root, List *exprs, Grounds *grounds)
{
	RouterArg  *args = palloc0((list_length(exprs) + 1) * sizeof(RouterArg));
	ListCell   *lc;

	foreach(lc, exprs)
	{
		Const	   *constant = lfirst(lc);
		RouterArg  *arg = &args[foreach_current_index(lc)];

		if (IsA(constant, Const))
		{
			arg->known = true;
			arg->isnull = constant->constisnull;
			arg->value = constant->constvalue;
		}
		else
			arg->known = arg->floor = router_clock_floor(root, (Node *) constant, &arg->value);
		grounds->clock |= arg->floor;
		planning.needs_rewrite |= !arg->known || arg->floor;
	}
	return args;
}

/*
 * The children to plan, by oid; not yet locked. All of them if the table is not
 * routed.
 */
static List *
survivors(PlannerInfo *root, RouterCacheEntry *entry, Index rti, List *clauses, Grounds *grounds)
{
	RouterRoute *route = router_cache_route(entry);
	RouterSurvivors found;
	RouterArg  *args;
	List	   *exprs = NIL;
	List	   *program;
	List	   *result = NIL;
	uint64		generation;
	int			member = -1;

	*grounds = (Grounds) {.newest = PG_INT64_MAX};
	if (route == NULL)
		return find_inheritance_children(root->simple_rte_array[rti]->relid, NoLock);
	generation = route->generation;
	program = router_clause_compile(route, rti, clauses, &exprs);
	args = plan_args(root, exprs, grounds);
	route = router_cache_route_and_strays(entry);
	if (route == NULL)
		return find_inheritance_children(root->simple_rte_array[rti]->relid, NoLock);
	grounds->version = route->version;
	if (route->strays != NIL)
		resume_exclusion();
	if (route->generation != generation)
		program = NIL;			/* it speaks of the levels of another one */
	found = router_survivors(route, program, args);
	if (!found.ageless)
		grounds->newest = found.newest;
	found.members = bms_add_members(bms_del_members(found.members, route->absent), route->loose);
	while ((member = bms_next_member(found.members, member)) >= 0)
		result = lappend_oid(result, route->members[member]);
	result = list_concat(result, route->strays);
	if (OidIsValid(route->default_child))
		result = lappend_oid(result, route->default_child);
	list_sort(result, list_oid_cmp);
	return result;
}

/* Locks the children to plan, and looks again if the route changed while waiting. */
static List *
lock_survivors(PlannerInfo *root, RouterCacheEntry *entry, Index rti, List *clauses, LOCKMODE lockmode,
			   Grounds *grounds)
{
	List	   *locked = NIL;

	for (;;)
	{
		List	   *children = survivors(root, entry, rti, clauses, grounds);
		bool		all_locked = true;
		ListCell   *lc;

		foreach(lc, children)
		{
			if (locked != NIL && list_member_oid(locked, lfirst_oid(lc)))
				continue;
			LockRelationOid(lfirst_oid(lc), lockmode);
			all_locked = false;
		}
		if (all_locked || router_cache_is_current(entry))
			return children;
		locked = list_union_oid(locked, children);
	}
}

/* ------------------------------------------------------------------- the two calls */

static bool
is_plain_child(Relation child)
{
	return child->rd_rel->relkind == RELKIND_RELATION || child->rd_rel->relkind == RELKIND_FOREIGN_TABLE;
}

/* The CHECKs of a table that tell the planner more than a route does. */
static int
count_checks(Relation rel)
{
	TupleConstr *constr = RelationGetDescr(rel)->constr;
	int			n = 0;

	for (int i = 0; constr && i < constr->num_check; i++)
		n += strcmp(constr->check[i].ccname, ROUTER_CHECK_NAME) != 0 &&
			strcmp(constr->check[i].ccname, ROUTER_SEAL_NAME) != 0;
	return n;
}

/* Adds a survivor, for which there is room in the planner's arrays. Returns what inherits from it in turn, locked. */
static List *
add_survivor(PlannerInfo *root, Held *table, Relation base, PlanRowMark *mark, Oid relid)
{
	Relation	child = try_relation_open(relid, NoLock);
	List	   *heirs = NIL;

	if (child == NULL)
		return NIL;				/* dropped while we waited for it */
	if (is_plain_child(child) && !RELATION_IS_OTHER_TEMP(child))
	{
		Index		rti;

		if (count_checks(child) > count_checks(base))
			resume_exclusion(); /* it has a CHECK of its own that may tell more */
		rti = add_child(root, table->rte, table->rti, base, child);
		complete_child(root, table->rti, mark, child, rti);
		if (child->rd_rel->relhassubclass)
			heirs = find_inheritance_children(relid, table->rte->rellockmode);
	}
	relation_close(child, NoLock);
	return heirs;
}

/* First call: hold the table back. False: core expands it. */
static bool
hold_back(PlannerInfo *root, Oid relid, RelOptInfo *rel)
{
	RangeTblEntry *rte = root->simple_rte_array[rel->relid];
	RouterRoute *route;
	Held	   *table;
	Relation	base;
	bool		holds_none;

	if (rte->rtekind != RTE_RELATION || !rte->inh || rte->relkind != RELKIND_RELATION || rte->tablesample ||
		rte->lateral || root->parse->jointree == NULL)
		return false;
	route = router_cache_route(router_cache_entry(relid));
	holds_none = route && route->hot_level < 0;
	if (route == NULL)
	{
		resume_exclusion();		/* another inheritance tree */
		if (!TAKE_ALL)
			return false;
	}
	else
	{
		stop_exclusion();
	}
	table = palloc0(sizeof(Held));
	table->root = root;
	table->rti = rel->relid;
	table->rte = rte;
	table->rel = rel;
	table->statlist = rel->statlist;
	rel->statlist = NIL;
	base = table_open(relid, NoLock);
	expand_planner_arrays(root, 1);
	table->first = add_child(root, rte, table->rti, base, base);
	table->empty = holds_none && RelationGetNumberOfBlocks(base) == 0;
	if (route)
		router_serial_read(base);	/* before it is looked which children there are */
	/* as a parent its size and indexes are not asked for */
	root->simple_rte_array[table->first]->inh = table->empty;
	table_close(base, NoLock);
	planning.held = lcons(table, planning.held);
	rte->rtekind = RTE_SUBQUERY;
	return true;
}

static void
give_back(Held *table)
{
	table->rte->rtekind = RTE_RELATION;
	table->rel->statlist = table->statlist;
	planning.held = list_delete_ptr(planning.held, table);
}

/* Are all rows of a hot base newer than this one, for the snapshot at hand and those to come? */
static bool
all_are_newer(RouterCacheEntry *entry, int64 newest)
{
	int64		watermark;
	int64		reach;

	return newest < ROUTER_NOTABLE_AGE && ActiveSnapshotSet() && IsMVCCSnapshot(GetActiveSnapshot()) &&
		router_cache_marks(entry, GetActiveSnapshot(), &watermark, &reach) && newest < watermark;
}

/*
 * Does router.read_hot count for a table of this query? Not in what others have
 * written: their functions, triggers, views and policies see all rows, whoever calls.
 */
static bool
reads_hot(PlannerInfo *root, const RelOptInfo *rel)
{
	if (!read_hot || GetUserId() != GetOuterUserId() || (OidIsValid(rel->userid) && rel->userid != GetUserId()) ||
		DatumGetInt32(OidFunctionCall0(F_PG_TRIGGER_DEPTH)) > 0)
		return false;
	for (root = root->parent_root; root; root = root->parent_root)
		if (root->parse->hasRowSecurity)
			return false;
	return true;
}

/* With router.read_hot: does the base hold what it held for every snapshot of this session? */
static void
check_read_hot(RouterCacheEntry *entry, Oid base)
{
	if (router_cache_route(entry)->loose != NULL && router_loose_is_seen(base))
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("\"%s\" was rotated after a snapshot of this session was taken", get_rel_name(base)),
				 errdetail("With router.read_hot only the base is read, which holds other rows since then."),
				 errhint("Run the transaction again.")));
}

/* Is the base not read, since it has no rows, or none so old? Notes in the plan on what that rests. */
static bool
leave_out_base(PlannerInfo *root, Held *table, RouterCacheEntry *entry, bool hot, const Grounds *grounds)
{
	RangeTblEntry *rte = root->simple_rte_array[table->first];

	if (table->empty)
	{
		rte->inh = false;
		router_note_empty(rte);
		return true;
	}
	if (hot && grounds->newest != PG_INT64_MAX && router_cache_route(entry)->loose == NULL &&
		all_are_newer(entry, grounds->newest))
	{
		router_note_newest(rte, grounds->newest);
		return true;
	}
	return false;
}

/* Second call, for the first child: the clauses are known, bring the survivors. */
static void
expand(PlannerInfo *root, Held *table, RelOptInfo *first)
{
	RelOptInfo *rel = root->simple_rel_array[table->rti];
	PlanRowMark *mark = get_plan_rowmark(root->rowMarks, table->rti);
	bool		was_parent = mark ? mark->isParent : false;
	int			old_types = mark ? mark->allMarkTypes : 0;
	RouterCacheEntry *entry = router_cache_entry(table->rte->relid);
	RouterRoute *route;
	Relation	base;
	bool		hot;
	bool		left_out;
	Grounds		grounds = {.newest = PG_INT64_MAX};
	List	   *children = NIL;
	int			nplanned;
	int			room;
	ListCell   *lc;

	give_back(table);
	base = table_open(table->rte->relid, NoLock);
	if (mark)
		mark->isParent = true;
	route = router_cache_route(entry);
	hot = route && route->hot_level >= 0;
	if (!reads_hot(root, rel) || root->parse->commandType != CMD_SELECT || mark != NULL || !hot)
	{
		children = lock_survivors(root, entry, table->rti, rel->baserestrictinfo, table->rte->rellockmode, &grounds);
		if (route)
		{
			router_note_version(table->rte, grounds.version);
			planning.leaves_out = true;
		}
	}
	else
	{
		check_read_hot(entry, table->rte->relid);
		root->glob->dependsOnRole = true;	/* another plan, where a function is called as its owner */
	}
	left_out = leave_out_base(root, table, entry, hot, &grounds);
	if (grounds.clock)
	{
		router_note_clock(table->rte);
	}
	planning.leaves_out |= left_out || grounds.clock;
	if (left_out)
		mark_dummy_rel(first);
	else
		complete_child(root, table->rti, mark, base, table->first);
	planning.needs_rewrite |= (hot && !left_out) ||
		(route && (rel->joininfo != NIL || rel->has_eclass_joins || !bms_is_empty(rel->lateral_relids)));
	nplanned = list_length(root->append_rel_list);
	room = list_length(children);
	planning.expanded_root = root;
	planning.expanded = table->rti;
	planning.nexpanded = room;
	planning.computes |= room > 1 &&
		(root->parse->groupClause != NIL || root->parse->hasAggs || root->parse->hasWindowFuncs ||
		 root->parse->distinctClause != NIL || root->parse->sortClause != NIL);
	if (room > 0)
		expand_planner_arrays(root, room);
	/* heirs are appended to the list and visited in turn, once each */
	foreach(lc, children)
	{
		if (foreach_current_index(lc) >= room)
			expand_planner_arrays(root, 1);
		children = list_concat_unique_oid(children, add_survivor(root, table, base, mark, lfirst_oid(lc)));
	}
	if (left_out && list_length(root->append_rel_list) > nplanned)
	{
		/* the first child is not read: core need not translate the clauses for it */
		planning.waiting = rel;
		planning.waiting_clauses = rel->baserestrictinfo;
		rel->baserestrictinfo = NIL;
	}
	if (mark)
		add_mark_columns(root, mark, was_parent, old_types);
	table_close(base, NoLock);
}

/* What core knows of a child's size, if it is one of a route. */
static void
estimate_child(PlannerInfo *root, Oid relid, RelOptInfo *rel)
{
	Index		parent = root->append_rel_array[rel->relid]->parent_relid;
	RangeTblEntry *rte = root->simple_rte_array[parent];
	RouterRoute *route;

	if (rte->rtekind != RTE_RELATION || rte->relid == relid)
		return;
	route = router_cache_route(router_cache_entry(rte->relid));
	if (route)
		router_estimate_child(rel, relid, root == planning.expanded_root && parent == planning.expanded ?
							  planning.nexpanded : route->nchildren);
}

/* May this be a base? It has triggers. childless: only if it has no children. */
static bool
may_be_base(Oid relid, bool childless)
{
	HeapTuple	tup = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	bool		result = false;

	if (HeapTupleIsValid(tup))
	{
		Form_pg_class form = (Form_pg_class) GETSTRUCT(tup);

		result = form->relhastriggers && !(childless && form->relhassubclass);
		ReleaseSysCache(tup);
	}
	return result;
}

/*
 * What core expands: it is about to look for the children of a base; has found
 * none, and calls it no parent; or has found the base below a parent of its own.
 */
static void
note_core_version(PlannerInfo *root, Oid relid, bool inhparent, RelOptInfo *rel)
{
	RangeTblEntry *rte = root->simple_rte_array[rel->relid];
	RouterRoute *route;

	if (rte->rtekind != RTE_RELATION || rte->relkind != RELKIND_RELATION)
		return;
	if (rel->reloptkind == RELOPT_OTHER_MEMBER_REL)
	{
		RangeTblEntry *parent = root->simple_rte_array[root->append_rel_array[rel->relid]->parent_relid];

		if (parent->rtekind != RTE_RELATION || router_has_version(parent) || parent->relid == relid ||
			!may_be_base(relid, false))
			return;
	}
	else if (!inhparent && !may_be_base(relid, true))
		return;
	route = router_cache_route(router_cache_entry(relid));
	if (route)
	{
		router_note_version(rte, route->version);
		planning.leaves_out = true;
	}
}

static void
relation_info(PlannerInfo *root, Oid relid, bool inhparent, RelOptInfo *rel)
{
	ListCell   *lc;

	if (previous_relation_info)
		previous_relation_info(root, relid, inhparent, rel);
	if (rel->reloptkind == RELOPT_OTHER_MEMBER_REL && !inhparent)
		estimate_child(root, relid, rel);
	if (planning.waiting)
		planning.waiting->baserestrictinfo = planning.waiting_clauses;
	planning.waiting = NULL;
	if (planning.depth == 0)
		return;
	if (!prune || planning.stand_back)
	{
		note_core_version(root, relid, inhparent, rel);
		return;
	}
	foreach(lc, planning.held)
	{
		Held	   *table = lfirst(lc);

		if (table->root == root && table->first == rel->relid)
		{
			expand(root, table, rel);
			return;
		}
	}
	if (inhparent && hold_back(root, relid, rel))
		return;
	note_core_version(root, relid, inhparent, rel);
	if (inhparent)
		return;
	if (rel->reloptkind == RELOPT_OTHER_MEMBER_REL &&
		root->simple_rte_array[root->append_rel_array[rel->relid]->parent_relid]->rtekind != RTE_RELATION)
		resume_exclusion();		/* a member of UNION ALL */
}

/* ------------------------------------------------------------------ the other hooks */

/* Statistics of a table that is held back: those of the whole tree, as examine_simple_variable reads them. */
static bool
relation_stats(PlannerInfo *root, RangeTblEntry *rte, AttrNumber attnum, VariableStatData *vardata)
{
	ListCell   *lc;

	if (previous_relation_stats && previous_relation_stats(root, rte, attnum, vardata))
		return true;
	if (rte->rtekind != RTE_SUBQUERY || !rte->inh)
		return false;
	foreach(lc, planning.held)
	{
		Held	   *table = lfirst(lc);
		Oid			user;

		if (table->rte != rte)
			continue;
		vardata->statsTuple = SearchSysCache3(STATRELATTINH, ObjectIdGetDatum(rte->relid), Int16GetDatum(attnum),
											  BoolGetDatum(true));
		vardata->freefunc = ReleaseSysCache;
		user = OidIsValid(table->rel->userid) ? table->rel->userid : GetUserId();
		vardata->acl_ok = !HeapTupleIsValid(vardata->statsTuple) ||
			(rte->securityQuals == NIL &&
			 (pg_class_aclcheck(rte->relid, user, ACL_SELECT) == ACLCHECK_OK ||
			  pg_attribute_aclcheck(rte->relid, attnum, user, ACL_SELECT) == ACLCHECK_OK));
		return true;
	}
	return false;
}

/* A table whose join was removed was never expanded. */
static void
upper_paths(PlannerInfo *root, UpperRelationKind stage, RelOptInfo *input, RelOptInfo *output, void *extra)
{
	if (stage == UPPERREL_FINAL)
	{
		List	   *all = list_copy(planning.held);
		ListCell   *lc;

		foreach(lc, all)
		{
			Held	   *table = lfirst(lc);

			if (table->root == root)
				give_back(table);
		}
	}
	if (previous_upper_paths)
		previous_upper_paths(root, stage, input, output, extra);
}

static PlannedStmt *
plan(Query *parse, const char *query_string, int cursor_options, ParamListInfo bound_params)
{
	Planning	outer = planning;
	/* a cursor: WHERE CURRENT OF looks for a row mark of each child, or for a scan below an Append */
	bool		is_cursor = (cursor_options & CURSOR_OPT_FAST_PLAN) != 0;
	PlannedStmt *stmt;

	/* a kept query whose tables are locked already has heard nothing of new children */
	AcceptInvalidationMessages();
	router_widen_action(parse, query_string);
	resume_exclusion();
	planning = (Planning) {.depth = outer.depth + 1,.stand_back = is_cursor && parse->rowMarks != NIL};
	PG_TRY();
	{
		stmt = previous_planner ? previous_planner(parse, query_string, cursor_options, bound_params) :
			standard_planner(parse, query_string, cursor_options, bound_params);
		if ((planning.needs_rewrite || planning.computes) && !is_cursor)
			router_append_rewrite(stmt, planning.needs_rewrite);
		if (prune)
			router_restore_params(stmt);
		if (planning.leaves_out)
			router_note_plan(stmt);
	}
	PG_FINALLY();
	{
		resume_exclusion();
		planning = outer;
		if (planning.exclusion_off)
			constraint_exclusion = CONSTRAINT_EXCLUSION_OFF;
	}
	PG_END_TRY();
	ROUTER_WAITPOINT("planned");
	return stmt;
}

/* Plans that are kept were made for the other setting. */
static void
assign_read_hot(bool newval, void *extra)
{
	if (newval != read_hot && CacheMemoryContext)
		ResetPlanCache();
}

void
router_expand_init(void)
{
	DefineCustomBoolVariable("router.prune", "Plans leave out children of routed tables that cannot hold the rows.",
							 NULL, &prune, true, PGC_USERSET, GUC_EXPLAIN, NULL, NULL, NULL);
	DefineCustomBoolVariable("router.read_hot", "Queries read only the base of a hot routed table, as with ONLY.",
							 NULL, &read_hot, false, PGC_USERSET, GUC_EXPLAIN, NULL, assign_read_hot, NULL);
	previous_planner = planner_hook;
	planner_hook = plan;
	previous_relation_info = get_relation_info_hook;
	get_relation_info_hook = relation_info;
	previous_relation_stats = get_relation_stats_hook;
	get_relation_stats_hook = relation_stats;
	previous_upper_paths = create_upper_paths_hook;
	create_upper_paths_hook = upper_paths;
}
