/*
 * child_name.c
 *		Names of children: template, labels, what is made to fit and is not taken.
 *
 * Rights: labels are queries of the owner's, and run as the owner.
 */
#include "compat.h"
#include "child/child_name.h"

#include "catalog/namespace.h"
#include "executor/spi.h"
#include "utils/lsyscache.h"

#include "child/child_bounds.h"
#include "base/name.h"
#include "base/owner.h"

static void
tell_label(void *arg)
{
	errcontext("label of key \"%s\"", ((RouterKey *) arg)->column);
	if (geterrcode() == ERRCODE_UNDEFINED_TABLE)
		errhint("Write each table in a label with its schema, such as public.residence: it is run with a search_path of pg_catalog alone.");
}

static SPIPlanPtr
prepare_label(RouterKey *key)
{
	ErrorContextCallback context = {.previous = error_context_stack, .callback = tell_label, .arg = key};
	SPIPlanPtr	plan;

	error_context_stack = &context;
	plan = SPI_prepare(key->label, 1, &key->typid);
	error_context_stack = context.previous;
	if (plan == NULL || !SPI_is_cursor_plan(plan))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the label of key \"%s\" is not one query", key->column)));
	return plan;
}

/* Checks a label query when it is configured, as the role that will run it. */
void
router_check_label(RouterKey *key, Oid owner, const char *time_zone)
{
	RouterAsOwner saved;

	if (key->label == NULL)
		return;
	router_become_owner(&saved, owner, false, time_zone);
	SPI_connect();
	(void) prepare_label(key);
	SPI_finish();
	router_become_user(&saved);
}

/* The name part that the label query gives for a bound, or NULL. SPI is not connected. */
char *
router_label_part(RouterKey *key, const RouterBound *bound)
{
	MemoryContext caller = CurrentMemoryContext;
	bool		isnull;
	Datum		sample;
	char		null;
	char	   *label = NULL;
	int			guc_level;

	if (key->label == NULL || (bound->form != ROUTER_BOUND_VALUES && bound->form != ROUTER_BOUND_RANGE))
		return NULL;
	sample = router_bound_sample(key, bound, &isnull);
	null = isnull ? 'n' : ' ';
	guc_level = router_spi_begin();
	if (SPI_execute_plan(prepare_label(key), &sample, &null, false, 1) > 0 && SPI_processed > 0)
	{
		label = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
		if (label)
			label = MemoryContextStrdup(caller, label);
	}
	router_spi_end(guc_level);
	return label;
}

/* Replaces control characters; true if there were any. */
static bool
clean_name(char *name)
{
	bool		changed = false;

	for (; *name; name++)
		if ((unsigned char) *name < 0x20 || *name == 0x7f)
		{
			*name = '_';
			changed = true;
		}
	return changed;
}

/* The name that a template gives; NULL: the default one. */
char *
router_expand_template(const char *template, const char *base, char **parts, int nparts)
{
	StringInfoData buf;

	initStringInfo(&buf);
	if (template == NULL)
		appendStringInfoString(&buf, base);
	for (int i = 0; template == NULL && i < nparts; i++)
		appendStringInfo(&buf, "_%s", parts[i]);
	for (const char *p = template; p && *p; p++)
	{
		if (strncmp(p, "{base}", 6) == 0)
		{
			appendStringInfoString(&buf, base);
			p += 5;
		}
		else if (p[0] == '{' && p[1] >= '1' && p[1] < '1' + nparts && p[2] == '}')
		{
			appendStringInfoString(&buf, parts[p[1] - '1']);
			p += 2;
		}
		else
			appendStringInfoChar(&buf, *p);
	}
	return buf.data;
}

/* The schema where new children are made; it may be gone. */
char *
router_child_schema_name(const RouterConfig *config)
{
	return config->child_schema ? config->child_schema : get_namespace_name(get_rel_namespace(config->base));
}

Oid
router_child_schema(const RouterConfig *config)
{
	Oid			schema = config->child_schema ? get_namespace_oid(config->child_schema, true) :
		get_rel_namespace(config->base);

	if (!OidIsValid(schema))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_SCHEMA),
				 errmsg("schema \"%s\" does not exist", config->child_schema),
				 errdetail("New children of \"%s\" are made there.", get_rel_name(config->base)),
				 errhint("Name another one with router.alter_route(…, child_schema => …), or create it.")));
	return schema;
}

/*
 * The name that a child with these bounds has by template and labels, and what to hash where that is too long, had to
 * be cleaned (*odd), or is taken. Runs as the owner. The route may be another one afterwards, since the labels' queries
 * may use the base.
 */
char *
router_child_usual_name(RouterRoute *route, RouterBound **bounds, char **hashed, bool *odd)
{
	int			nkeys = route->config.nkeys;
	const char *base = get_rel_name(router_original(route->config.base));
	const char *template = route->config.template ? pstrdup(route->config.template) : NULL;
	RouterKey	keys[ROUTER_MAX_LEVELS];
	char	   *parts[ROUTER_MAX_LEVELS];
	char	   *name;

	*hashed = psprintf("%s %s", base, router_bounds_display(route, bounds));
	for (int i = 0; i < nkeys; i++)
	{
		keys[i] = route->config.keys[i];
		keys[i].column = pstrdup(keys[i].column);
		keys[i].label = keys[i].label ? pstrdup(keys[i].label) : NULL;
		parts[i] = router_bound_part(&route->config.keys[i], bounds[i]);
	}
	for (int i = 0; i < nkeys; i++)
	{
		char	   *label = router_label_part(&keys[i], bounds[i]);

		parts[i] = label ? label : parts[i];
	}
	if (bounds[0]->form == ROUTER_BOUND_DEFAULT)
		name = psprintf("%s_default", base);
	else
		name = router_expand_template(template, base, parts, nkeys);
	*odd = clean_name(name) || strlen(name) >= NAMEDATALEN;
	return name;
}

/* The name of a new child: always the same but for what names are taken. As router_child_usual_name. */
char *
router_child_name(RouterRoute *route, RouterBound **bounds)
{
	Oid			schema = router_child_schema(&route->config);
	char	   *hashed;
	bool		odd;
	char	   *name = router_child_usual_name(route, bounds, &hashed, &odd);

	if (!odd && router_name_is_free(name, schema))
		return name;
	return router_another_name(name, hashed, schema, schema);
}
