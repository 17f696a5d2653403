/*
 * adopt_name.c
 *		New children are named as those there are, and stand where they do: a template and
 *		labels that give these names are found by trying.
 *
 * Rights: runs as the owner of the base; the labels that are tried are of core's
 * functions only. Settings are pinned.
 */
#include "compat.h"
#include "admin/adopt_part.h"

#include "catalog/pg_type.h"
#include "miscadmin.h"
#include "parser/parse_coerce.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "base/owner.h"
#include "base/sql.h"
#include "child/child_name.h"

/* one in so many children may have another name */
#define ODD_NAMES 10

/* Labels of date keys: how others write dates in names. The longer first, since a shorter one may be a part of it. */
static const char *const formats[] = {
	"YYYYMMDD_HH24MISS", "YYYYMMDDHH24MISS", "YYYY_MM_DD_HH24MI", "YYYYMMDD_HH24MI", "YYYYMMDDHH24MI", "YYYY_MM_DD_HH24",
	"YYYYMMDD_HH24", "YYYYMMDDHH24", "YYYY_MM_DD", "YYYY-MM-DD", "YYYYMMDD", "\"y\"YYYY_\"m\"MM", "YYYY_\"m\"MM", "\"y\"YYYYMM",
	"YYYY\"m\"MM", "YYYY_mon", "mon_YYYY", "monYYYY", "YYYY_MM", "YYYY-MM", "MM_YYYY", "YYYYMM", "MMYYYY", "IYYY\"w\"IW", "IYYY_IW",
	"IYYYIW", "YYYY\"_q\"Q", "YYYY\"q\"Q", "YYYY\"Q\"Q", "YYYY", "YYMMDD", "YY_MM", "YYMM",
};

/* What stands in names for a part of a format. */
static const struct
{
	const char *word;
	int			digits;
	int			most;			/* 0: any */
}			words[] = {
	{"YYYY", 4, 0},
	{"IYYY", 4, 0},
	{"HH24", 2, 23},
	{"MM", 2, 12},
	{"DD", 2, 31},
	{"MI", 2, 59},
	{"SS", 2, 59},
	{"IW", 2, 53},
};

/* Is a text written by a format that has a year? */
static bool
is_written_by(const char *text, const char *format)
{
	while (*format)
	{
		int			i = 0;
		int			number = 0;

		while (i < lengthof(words) && strncmp(format, words[i].word, strlen(words[i].word)) != 0)
			i++;
		if (i == lengthof(words))
		{
			if (*format == '"')
				format++;
			else if (isalpha((unsigned char) *format) && format[1] != '"')
				return false;	/* of which nothing is known */
			else if (*text++ != *format++)
				return false;
			continue;
		}
		for (int d = 0; d < words[i].digits; d++, text++)
			if (!isdigit((unsigned char) *text))
				return false;
			else
				number = number * 10 + *text - '0';
		if (words[i].most > 0 && (number > words[i].most || (number == 0 && words[i].most > 23 && words[i].most < 59)))
			return false;
		format += strlen(words[i].word);
	}
	return *text == '\0';
}

/* The date that a name ends with, as in a literal; NULL: it ends with none. */
static char *
date_of_name(const char *name)
{
	for (; *name; name++)
		for (int f = 0; f < lengthof(formats); f++)
			if (is_written_by(name, formats[f]))
				return router_ask("SELECT to_char(to_timestamp(%1$s, %2$s), 'YYYY-MM-DD HH24:MI:SS')"
								  " WHERE to_char(to_timestamp(%1$s, %2$s), %2$s) = %1$s",
								  quote_literal_cstr(name), quote_literal_cstr(formats[f]));
	return NULL;
}

/*
 * What the name of a child says of the one key of the route, for children of which no CHECK says anything; NULL:
 * nothing. Their rows are looked at before that is believed.
 */
AdoptFact *
router_adopt_fact_of_name(Adoption *adoption, const AdoptChild *child)
{
	RouterKey  *key = &adoption->config->keys[0];
	const char *base = get_rel_name(adoption->base);
	const char *name = get_rel_name(child->relid);
	AdoptFact  *fact;
	char	   *text;

	if (adoption->config->nkeys != 1 || strncmp(name, base, strlen(base)) != 0 || name[strlen(base)] == '\0')
		return NULL;
	name += strlen(base);
	fact = palloc0(sizeof(AdoptFact));
	fact->attnum = key->attnum;
	if (key->kind == ROUTER_LIST && name[0] == '_' && name[1] != '\0' &&
		(strspn(name + 1, "0123456789") == strlen(name + 1) || TypeCategory(key->typid) == TYPCATEGORY_STRING))
	{
		fact->values = list_make1(pstrdup(name + 1));
		return fact;
	}
	text = key->kind == ROUTER_DATE && key->every ? date_of_name(name) : NULL;
	fact->ranged = text && router_key_bucket(key, router_key_parse(key, text), &fact->lo, &fact->hi);
	return fact->ranged ? fact : NULL;
}

/* Looking for the template of an adoption. */
typedef struct Naming
{
	Adoption   *adoption;
	const char *base;
	List	   *children;		/* those whose names are by rule */
	const char *labels[ROUTER_MAX_LEVELS];
	char	   *template;
	int			odd;			/* children that have other names than it gives */
} Naming;

/* The parts of the name of a child under the labels that are tried. */
static void
parts_of(Naming *n, const AdoptChild *child, char **parts)
{
	for (int i = 0; i < n->adoption->config->nkeys; i++)
	{
		RouterKey	key = n->adoption->config->keys[i];

		key.label = unconstify(char *, n->labels[i]);
		parts[i] = router_label_part(&key, child->bounds[i]);
		if (parts[i] == NULL)
			parts[i] = router_bound_part(&key, child->bounds[i]);
	}
}

/* Puts a word in the place of the first occurrence of a part that stands in no braces. NULL: there is none. */
static char *
put_word(const char *name, const char *part, const char *word)
{
	for (const char *p = name; *p && *part; p++)
	{
		if (*p == '{' && strchr(p, '}'))
			p = strchr(p, '}');
		else if (strncmp(p, part, strlen(part)) == 0)
			return psprintf("%.*s%s%s", (int) (p - name), name, word, p + strlen(part));
	}
	return NULL;
}

/* The template that gives the name of a child; NULL: none does. */
static char *
template_of(Naming *n, const AdoptChild *child)
{
	char	   *parts[ROUTER_MAX_LEVELS];
	char	   *template = get_rel_name(child->relid);
	char	   *with_base;

	if (strpbrk(template, "{}"))
		return NULL;
	with_base = put_word(template, n->base, "{base}");
	template = with_base ? with_base : template;
	parts_of(n, child, parts);
	for (int i = 0; i < n->adoption->config->nkeys && template; i++)
		template = put_word(template, parts[i], psprintf("{%d}", i + 1));
	/* a dot is refused in settings */
	return template && strchr(template, '.') ? NULL : template;
}

/* Does a template give the names there are, but for a few? */
static bool
fits(Naming *n)
{
	ListCell   *lc;

	n->odd = 0;
	foreach(lc, n->children)
	{
		AdoptChild *child = lfirst(lc);
		char	   *parts[ROUTER_MAX_LEVELS];

		CHECK_FOR_INTERRUPTS();
		parts_of(n, child, parts);
		n->odd += strcmp(router_expand_template(n->template, n->base, parts, n->adoption->config->nkeys),
						 get_rel_name(child->relid)) != 0;
		if (n->odd * ODD_NAMES > list_length(n->children))
			return false;
	}
	return true;
}

/* Tries all labels from a level on. */
static bool
try_labels(Naming *n, int level)
{
	RouterKey  *key;
	const char *given;

	if (level == n->adoption->config->nkeys)
	{
		n->template = template_of(n, linitial(n->children));
		if (n->template && fits(n))
			return true;
		n->template = template_of(n, llast(n->children));
		return n->template && fits(n);
	}
	key = &n->adoption->config->keys[level];
	given = n->labels[level];
	if (try_labels(n, level + 1))
		return true;
	for (int i = 0; given == NULL && key->kind == ROUTER_DATE && i < lengthof(formats); i++)
	{
		n->labels[level] = psprintf("SELECT to_char($1, '%s')", formats[i]);
		if (try_labels(n, level + 1))
			return true;
	}
	n->labels[level] = given;
	if (given == NULL && key->kind == ROUTER_INTEGER)
	{
		n->labels[level] = "SELECT $1::text";
		if (try_labels(n, level + 1))
			return true;
		n->labels[level] = NULL;
	}
	return false;
}

/* Is the name of a child that of a step or of values? Those without an end and of NULL go by other names. */
static bool
is_regular(const RouterConfig *config, const AdoptChild *child)
{
	for (int i = 0; i < config->nkeys; i++)
		if (child->bounds[i]->form == ROUTER_BOUND_NULL ||
			(child->bounds[i]->form == ROUTER_BOUND_RANGE &&
			 (child->bounds[i]->lo == PG_INT64_MIN || child->bounds[i]->hi == PG_INT64_MAX)))
			return false;
	return true;
}

/* Finds template and labels, and says what new children will be called. */
void
router_adopt_find_template(Adoption *adoption)
{
	RouterConfig *config = adoption->config;
	Naming		n = {.adoption = adoption,.base = get_rel_name(adoption->base)};
	char	   *plain[ROUTER_MAX_LEVELS];
	ListCell   *lc;

	foreach(lc, adoption->children)
		if (is_regular(config, lfirst(lc)))
			n.children = lappend(n.children, lfirst(lc));
	for (int i = 0; i < config->nkeys; i++)
	{
		n.labels[i] = config->keys[i].label;
		plain[i] = psprintf("{%d}", i + 1);
	}
	if (n.children == NIL)
		return;
	if (!try_labels(&n, 0))
	{
		adoption->notes = lappend(adoption->notes, psprintf("name new children %s: no template gives the names there are",
															router_expand_template(NULL, "{base}", plain, config->nkeys)));
		return;
	}
	for (int i = 0; i < config->nkeys; i++)
		config->keys[i].label = unconstify(char *, n.labels[i]);
	if (strcmp(n.template, router_expand_template(NULL, "{base}", plain, config->nkeys)) != 0)
		config->template = n.template;
	adoption->notes = lappend(adoption->notes, n.odd == 0 ? psprintf("name new children %s", n.template) :
							  psprintf("name new children %s, as all but %d are", n.template, n.odd));
}

/* New children are made where those there are stand, if that is one schema. */
void
router_adopt_find_schema(Adoption *adoption)
{
	Oid			owner = router_relation_owner(adoption->base);
	Oid			schema = get_rel_namespace(((AdoptChild *) linitial(adoption->children))->relid);
	char	   *name = get_namespace_name(schema);
	char	   *note;
	ListCell   *lc;

	foreach(lc, adoption->children)
		if (get_rel_namespace(((AdoptChild *) lfirst(lc))->relid) != schema)
			schema = InvalidOid;
	if (schema == get_rel_namespace(adoption->base))
		return;
	if (!OidIsValid(schema))
		note = "make new children in the schema of the base: those there are stand in several";
	else if (!router_may_use(schema, owner) || !router_may_create_in(schema, owner))
		note = psprintf("make new children in the schema of the base: its owner may not make any in %s",
						quote_identifier(name));
	else
	{
		adoption->config->child_schema = name;
		note = psprintf("make new children in schema %s", quote_identifier(name));
	}
	adoption->notes = lappend(adoption->notes, note);
}
