/*
 * mirror_object.c
 *		The part of the mirror for what is an object of its own on base and child, of
 *		whatever kind: CHECK, index, statistics, foreign key, trigger, policy. What they
 *		differ in is in their MirrorKind.
 *
 * Some have the same name on base and child, and are made anew if they say something
 * else (MirrorKind.by_name). The others are found by what they are: at most one for each
 * of the base's, the one that has the name by rule first.
 *
 * Names by rule: "<base>_rest" becomes "<child>_rest", another name
 * "<child>_name"; what is too long or taken is cut and gets a hash.
 */
#include "compat.h"
#include "mirror/mirror_part.h"

#include "catalog/pg_constraint.h"
#include "catalog/pg_statistic_ext.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "base/name.h"
#include "base/sql.h"

/* ------------------------------------------------------------------- names */

/* It may be too long. */
static char *
full_name_by_rule(const char *base, const char *child, const char *name)
{
	size_t		len = strlen(base);
	bool		prefixed = strncmp(name, base, len) == 0 && name[len] == '_' && name[len + 1] != '\0';

	return psprintf("%s_%s", child, prefixed ? name + len + 1 : name);
}

static char *
name_by_rule(const char *base, const char *child, const char *name, bool hashed)
{
	char	   *full = full_name_by_rule(base, child, name);

	return hashed || strlen(full) >= NAMEDATALEN ? router_cut_name(full, full) : full;
}

/* The name by rule of a child's object that stands for one of the base, if it is free. */
char *
router_object_name(const char *base, const char *child, const char *name)
{
	return name_by_rule(base, child, name, false);
}

static bool
is_taken(const Mirror *m, Oid classid, const char *name)
{
	Oid			schema = get_rel_namespace(m->child);

	if (classid == StatisticExtRelationId)
		return !router_statistics_name_is_free(name, schema);
	return !router_name_is_free(name, schema) ||
		ConstraintNameIsUsed(CONSTRAINT_RELATION, m->child, name);
}

/* The name by rule for a new object of the child, made unique. */
char *
router_free_name(const Mirror *m, Oid classid, const char *name)
{
	const char *base = RelationGetRelationName(m->base);
	const char *child = get_rel_name(m->child);
	char	   *wanted = name_by_rule(base, child, name, false);
	char	   *full = wanted;

	if (is_taken(m, classid, wanted))
		wanted = name_by_rule(base, child, name, true);
	for (int i = 1; is_taken(m, classid, wanted); i++)
		wanted = router_cut_name(full, psprintf("%s %d", full, i));
	return wanted;
}

/* Is this a name that the rule gives? */
bool
router_has_rule_name(const Mirror *m, const char *name, const char *base_name)
{
	const char *base = RelationGetRelationName(m->base);
	const char *child = get_rel_name(m->child);

	return strcmp(name, name_by_rule(base, child, base_name, false)) == 0 ||
		strcmp(name, name_by_rule(base, child, base_name, true)) == 0;
}

/* ----------------------------------------------------------------- matching */

static bool
stands_for(const Mirror *m, const MirrorKind *kind, const MirrorObject *base, const MirrorObject *child)
{
	return kind->stands_for ? kind->stands_for(m, base, child) : strcmp(base->name, child->name) == 0;
}

/* Finds the counterparts of objects of the base, those with names by rule first. Returns all of the child. */
List *
router_match_objects(const Mirror *m, const MirrorKind *kind, List *base)
{
	List	   *own = base ? kind->read(m, m->child) : NIL;
	ListCell   *lb,
			   *lc;

	for (int by_rule = kind->by_name ? 0 : 1; own && by_rule >= 0; by_rule--)
		foreach(lb, base)
		{
			MirrorObject *x = lfirst(lb);

			foreach(lc, own)
			{
				MirrorObject *y = lfirst(lc);

				if (x->match || y->match || x->invalid || y->invalid || !stands_for(m, kind, x, y) ||
					(by_rule && !router_has_rule_name(m, y->name, x->name)))
					continue;
				x->match = y;
				y->match = x;
			}
		}
	return own;
}

/*
 * The indexes and extended statistics of a child that stand for one of the base, and the names by rule that they would
 * have if the child had this one: a list of RouterObjectName.
 */
List *
router_object_names(Oid base, Oid child, const char *child_name)
{
	static const RouterMirror look = {.aspects = ROUTER_INDEXES | ROUTER_STATISTICS,.dry_run = true};
	const MirrorKind *kinds[] = {&router_mirror_index, &router_mirror_statistics};
	List	   *names = NIL;
	Mirror		m;

	router_open_mirror(&m, &look, base, child);
	for (int i = 0; i < lengthof(kinds); i++)
	{
		List	   *objects = kinds[i]->read(&m, base);
		ListCell   *lc;

		(void) router_match_objects(&m, kinds[i], objects);
		foreach(lc, objects)
		{
			MirrorObject *object = lfirst(lc);
			RouterObjectName *name;

			if (object->match == NULL || object->not_ours || object->match->not_ours)
				continue;
			name = palloc(sizeof(RouterObjectName));
			name->classid = kinds[i]->classid;
			name->oid = object->match->oid;
			name->schema = object->match->schema;
			name->name = object->match->name;
			name->by_rule = full_name_by_rule(RelationGetRelationName(m.base), child_name, object->name);
			names = lappend(names, name);
		}
	}
	router_close_mirror(&m);
	return names;
}

/* ----------------------------------------------------------------- commands */

/* An object of the child, as commands name it. */
static char *
object_text(const Mirror *m, const MirrorKind *kind, const MirrorObject *object)
{
	if (kind->by_name == NULL)
		return psprintf("%s %s", kind->sql,
						quote_qualified_identifier(get_namespace_name(object->schema), object->name));
	return psprintf("%s %s ON %s", kind->sql, quote_identifier(object->name), m->name);
}

/* Drops an object of the child; an index by way of its constraint if it has one. */
void
router_drop_object(const Mirror *m, const MirrorKind *kind, const MirrorObject *object, bool cascade)
{
	const char *behavior = cascade ? " CASCADE" : "";

	if (kind->classid == ConstraintRelationId || OidIsValid(object->constraint))
		router_run("%s DROP CONSTRAINT %s%s", m->alter, quote_identifier(object->name), behavior);
	else if (kind->classid == StatisticExtRelationId)
	{
		ObjectAddress address;

		/* they may belong to who owned the child before */
		ObjectAddressSet(address, kind->classid, object->oid);
		performDeletion(&address, DROP_RESTRICT, 0);
		CommandCounterIncrement();
	}
	else
		router_run("DROP %s%s", object_text(m, kind, object), behavior);
}

/* ------------------------------------------------------------------- mirror */

/* Gives an object of the child the comment of the base's. */
void
router_mend_object_comment(Mirror *m, const MirrorKind *kind, const MirrorObject *wanted, const MirrorObject *there)
{
	router_mend_comment(m, kind->classid, wanted->oid,
						there == wanted ? kind->by_name(m->child, wanted->name, false) : there->oid,
						kind->word, there->name);
}

static void
mirror_object(Mirror *m, const MirrorKind *kind, MirrorObject *wanted, List *own)
{
	MirrorObject *there = wanted->match;

	if (!wanted->not_ours && m->request->aspects & kind->aspect &&
		(there == NULL || (kind->same && !kind->same(m, wanted, there))))
	{
		if (kind->by_name &&
			!router_mend(m, kind->word, "%s %s \"%s\"", there ? "replace" : kind->verb, kind->word, wanted->name))
			return;
		if (there)
			router_drop_object(m, kind, there, false);
		wanted->match = there = kind->make(m, wanted, own);
		if (there == NULL)
			return;
		m->is_part = true;
	}
	kind->properties(m, wanted, there);
	m->is_part = false;
}

/* Mends what the child lacks of the objects of a kind. Returns those of the base, with their counterparts. */
List *
router_mirror_objects(Mirror *m, const MirrorKind *kind)
{
	List	   *base = kind->read(m, RelationGetRelid(m->base));
	List	   *own = router_match_objects(m, kind, base);
	ListCell   *lc;

	foreach(lc, base)
	{
		MirrorObject *wanted = lfirst(lc);

		if (!wanted->invalid && (router_wanted(m, wanted->oid) || router_wanted(m, wanted->constraint)))
			mirror_object(m, kind, wanted, own);
	}
	return base;
}

/* ----------------------------------------------------------- drops and renames */

/* The child's object that stood for one of the base, and for none of these others; with the name by rule first. */
static MirrorObject *
find_former(const Mirror *m, const MirrorKind *kind, const MirrorObject *former, List *others)
{
	List	   *own = kind->by_name ? NIL : router_match_objects(m, kind, others);
	MirrorObject *found = NULL;
	ListCell   *lc;

	foreach(lc, own ? own : kind->read(m, m->child))
	{
		MirrorObject *there = lfirst(lc);
		bool		named = kind->by_name ? strcmp(there->name, former->name) == 0 :
			router_has_rule_name(m, there->name, former->name);

		if (there->match == NULL && !there->not_ours && (named || (!kind->by_name && found == NULL)) &&
			stands_for(m, kind, former, there) && (!kind->alike || kind->same(m, former, there)))
			found = there;
	}
	return found;
}

static void
drop_counterpart(Mirror *m, const MirrorKind *kind, const RouterChange *change)
{
	MirrorObject name_only = {.name = unconstify(char *, change->name)};
	MirrorObject *lost = kind->read_dropped ? kind->read_dropped(change) : &name_only;
	MirrorObject *there;

	if (lost == NULL)
		return;
	there = find_former(m, kind, lost, kind->by_name ? NIL : kind->read(m, RelationGetRelid(m->base)));
	if (there)
		router_drop_object(m, kind, there, change->cascade);
}

static MirrorObject *
find_object(List *objects, Oid oid)
{
	ListCell   *lc;

	foreach(lc, objects)
		if (((MirrorObject *) lfirst(lc))->oid == oid)
			return lfirst(lc);
	return NULL;
}

/* Unless the child has one of the new name. */
static void
rename_counterpart(Mirror *m, const MirrorKind *kind, const RouterChange *change)
{
	List	   *base = kind->read(m, RelationGetRelid(m->base));
	MirrorObject *object = find_object(base, change->oid);
	MirrorObject *there;
	char	   *name;

	if (object == NULL || object->not_ours)
		return;
	name = object->name;
	object->name = pstrdup(change->name);
	there = find_former(m, kind, object, list_delete_ptr(base, object));
	if (there == NULL || (kind->by_name ? OidIsValid(kind->by_name(m->child, name, true)) :
						  !router_has_rule_name(m, there->name, change->name) ||
						  router_has_rule_name(m, there->name, name)))
		return;
	if (kind->by_name == NULL)
		name = router_free_name(m, kind->classid, name);
	if (kind->classid == ConstraintRelationId)
		router_run("%s RENAME CONSTRAINT %s TO %s", m->alter, quote_identifier(there->name), quote_identifier(name));
	else
		router_run("ALTER %s RENAME TO %s", object_text(m, kind, there), quote_identifier(name));
}

/* Drops or renames what stands for an object of this kind that was one of the base. */
void
router_follow_change(Mirror *m, const MirrorKind *kind, const RouterChange *change)
{
	if (change->dropped)
		drop_counterpart(m, kind, change);
	else
		rename_counterpart(m, kind, change);
}
