/*
 * clone_columns.c
 *		Which columns of a source go into which of a routed table: those of the same
 *		name, or expressions that the caller gives. Makes the INSERT for rows that are at
 *		hand.
 *
 * Rights: the text is the caller's, and runs as the caller. Each expression is parsed by itself first, so that it ends
 * where it ends.
 */
#include "compat.h"
#include "reshape/clone_columns.h"

#include "access/relation.h"
#include "access/table.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "parser/parser.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "base/args.h"
#include "base/sql.h"

/* Is this SELECT just one expression? */
static bool
is_expression(const SelectStmt *select)
{
	const ResTarget *target;

	if (list_length(select->targetList) != 1 || select->distinctClause || select->fromClause || select->whereClause ||
		select->groupClause || select->havingClause || select->windowClause || select->sortClause ||
		select->limitCount || select->limitOffset || select->lockingClause)
		return false;
	target = linitial_node(ResTarget, select->targetList);
	return target->name == NULL;
}

/* Refuses a text that is not one expression. */
void
router_check_expression(const char *argument, const char *text)
{
	List	   *parsed = raw_parser(text, RAW_PARSE_PLPGSQL_EXPR);

	if (list_length(parsed) != 1 || !is_expression(castNode(SelectStmt, linitial_node(RawStmt, parsed)->stmt)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for %s", argument),
				 errdetail("\"%s\" is not an expression.", text),
				 errhint("Write it as in a SELECT: \"price * 1.2\".")));
}

bool
router_may_read_column(Oid relid, AttrNumber attnum)
{
	return pg_class_aclcheck(relid, GetUserId(), ACL_SELECT) == ACLCHECK_OK ||
		pg_attribute_aclcheck(relid, attnum, GetUserId(), ACL_SELECT) == ACLCHECK_OK;
}

static void
append_name(StringInfo list, const char *name)
{
	if (list->len > 0)
		appendStringInfoString(list, ", ");
	appendStringInfoString(list, quote_identifier(name));
}

/* What the caller wants a column of the base to be, or NULL; *given: he says something of it. */
static char *
given_expression(Jsonb *columns, const char *name, bool *given)
{
	JsonbValue	value;

	*given = columns && getKeyJsonValueFromContainer(&columns->root, name, strlen(name), &value) != NULL;
	if (!*given || value.type == jbvNull)
		return NULL;
	if (value.type != jbvString)
		router_bad_argument("columns", "Give each column an expression in a string, or null for its default: {\"price\": \"amount / 100\"}.");
	return pnstrdup(value.val.string.val, value.val.string.len);
}

/* Refuses what names no column of the base. */
static void
check_names(Jsonb *columns, Oid base)
{
	JsonbIterator *it;
	JsonbIteratorToken token;
	JsonbValue	value;

	if (columns == NULL)
		return;
	if (!JB_ROOT_IS_OBJECT(columns))
		router_bad_argument("columns", "Give an object: {\"price\": \"amount / 100\"}.");
	it = JsonbIteratorInit(&columns->root);
	while ((token = JsonbIteratorNext(&it, &value, true)) != WJB_DONE)
		if (token == WJB_KEY)
		{
			char	   *name = pnstrdup(value.val.string.val, value.val.string.len);

			if (strlen(name) >= NAMEDATALEN || get_attnum(base, name) <= 0)
				ereport(ERROR,
						(errcode(ERRCODE_UNDEFINED_COLUMN),
						 errmsg("column \"%s\" of table \"%s\" does not exist", name, get_rel_name(base)),
						 errhint("columns has the names of the columns that rows go to, each with its expression.")));
		}
}

/* One column of the base. */
static void
map_column(RouterCloneColumns *c, Oid source, Form_pg_attribute column, Jsonb *columns)
{
	char	   *name = NameStr(column->attname);
	bool		given;
	char	   *expression = given_expression(columns, name, &given);
	AttrNumber	same = get_attnum(source, name);

	if (expression == NULL && (given || column->attgenerated || same <= 0))
	{
		if (!column->attgenerated)
			append_name(&c->by_default, name);
		return;
	}
	if (expression == NULL && !router_may_read_column(source, same))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for column \"%s\" of \"%s\"", name, get_rel_name(source)),
				 errhint("Ask for SELECT on it, or leave the column to its default: columns => '{\"%s\": null}'.", name)));
	append_name(&c->targets, name);
	append_name(expression ? &c->by_expression : &c->by_name, name);
	if (c->values.len > 0)
		appendStringInfoString(&c->values, ", ");
	if (expression == NULL)
	{
		appendStringInfo(&c->values, "%s.%s", quote_identifier(get_rel_name(source)), quote_identifier(name));
		return;
	}
	router_check_expression("columns", expression);
	/* a comment ends with its line */
	appendStringInfo(&c->values, "(%s\n)", expression);
}

/* columns: what the caller says of some of them, or NULL. */
void
router_clone_map(RouterCloneColumns *c, Oid source, Oid base, Jsonb *columns)
{
	Relation	rel = table_open(base, AccessShareLock);
	Relation	from = relation_open(source, AccessShareLock);

	initStringInfo(&c->targets);
	initStringInfo(&c->values);
	initStringInfo(&c->by_name);
	initStringInfo(&c->by_expression);
	initStringInfo(&c->by_default);
	initStringInfo(&c->unused);
	check_names(columns, base);
	for (int i = 0; i < RelationGetNumberOfAttributes(rel); i++)
		if (!TupleDescAttr(RelationGetDescr(rel), i)->attisdropped)
			map_column(c, source, TupleDescAttr(RelationGetDescr(rel), i), columns);
	for (int i = 0; i < RelationGetNumberOfAttributes(from); i++)
	{
		Form_pg_attribute column = TupleDescAttr(RelationGetDescr(from), i);
		bool		given;

		if (!column->attisdropped &&
			(get_attnum(base, NameStr(column->attname)) <= 0 ||
			 given_expression(columns, NameStr(column->attname), &given) || given))
			append_name(&c->unused, NameStr(column->attname));
	}
	if (c->targets.len == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("\"%s\" and \"%s\" have no column in common", get_rel_name(source), get_rel_name(base)),
				 errhint("Say by columns what each column gets: columns => '{\"price\": \"amount / 100\"}'.")));
	table_close(from, NoLock);
	table_close(rel, NoLock);
}

/* The INSERT; from: where rows are, under the name of the source. */
char *
router_clone_insert(const RouterCloneColumns *c, Oid base, const char *from)
{
	/* identity columns take the values of the source */
	return psprintf("INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE SELECT %s FROM %s", router_qualified_name(base),
					c->targets.data, c->values.data, from);
}
