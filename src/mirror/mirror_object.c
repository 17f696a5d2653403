/*
 * mirror_object.c
 *		Objects of the child that stand for one of the base: their names.
 *
 * Names by rule: "<base>_rest" becomes "<child>_rest", another name
 * "<child>_name"; what is too long or taken is cut and gets a hash.
 */
#include "compat.h"
#include "mirror/mirror_part.h"

#include "catalog/pg_constraint.h"
#include "catalog/pg_statistic_ext.h"
#include "utils/lsyscache.h"

#include "base/name.h"

static char *
name_by_rule(const char *base, const char *child, const char *name, bool hashed)
{
	size_t		len = strlen(base);
	bool		prefixed = strncmp(name, base, len) == 0 && name[len] == '_' && name[len + 1] != '\0';
	char	   *full = psprintf("%s_%s", child, prefixed ? name + len + 1 : name);

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

/* Expressions or predicates; NULL: none. */
bool
router_same_expr(const Mirror *m, Node *base, Node *child)
{
	if (base == NULL || child == NULL)
		return base == child;
	return router_same_tree(m, router_child_expr(m, copyObject(base), 1), child);
}
