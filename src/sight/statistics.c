/*
 * statistics.c
 *		router.table_rows: how many rows the tables of a route have, for
 *		router.statistics and statistics_by_value, which are SQL.
 *
 * What is exact is one query over the base, so that all counts are of one snapshot.
 * Who may act for the owner runs it as the owner, with all rows: types and policies
 * are his. Anybody else runs it as himself, by his rights and under row security.
 *
 * Locking: AccessShareLock on base and children where rows are read.
 */
#include "compat.h"
#include "base/report.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"

#include "base/owner.h"
#include "base/pin.h"
#include "base/sql.h"
#include "route/owned.h"

PG_FUNCTION_INFO_V1(router_table_rows);

/* The level of the key that is named, or of the first one (NULL), which holds values and no ranges. */
static int
level_of_values(const RouterConfig *config, const char *column)
{
	for (int i = 0; i < config->nkeys; i++)
	{
		const RouterKey *key = &config->keys[i];

		if ((column == NULL || strcmp(key->column, column) == 0) &&
			(key->kind == ROUTER_LIST || key->kind == ROUTER_PREFIX || key->kind == ROUTER_SUFFIX))
			return i;
	}
	if (column)
		router_bad_value("key", column, "It is a column of a list, prefix or suffix key of the route: see router.routes.");
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("routed table \"%s\" has no list, prefix or suffix key", get_rel_name(config->base)),
			 errhint("What its children have is told by router.statistics.")));
}

/* The tables of a route that have a row of their own in its statistics. */
static char *
tables_query(Oid base)
{
	return psprintf("(SELECT base AS relation FROM router.route_def WHERE base = %u AND hot IS NOT NULL"
					" UNION ALL SELECT child FROM router.child_def WHERE base = %u) t",
					base, base);
}

/* The value of a key that a row has, in SQL. */
static char *
value_of(const RouterKey *key)
{
	const char *column = quote_identifier(key->column);

	switch (key->kind)
	{
		case ROUTER_PREFIX:
			return psprintf("lower(substr(%s, 1, %d))", column, key->modulus);
		case ROUTER_SUFFIX:
			return psprintf("lower(\"right\"(%s, %d))", column, key->modulus);
		default:
			return psprintf("%s", column);
	}
}

/* Rows that are there. A composite value with fields that are null is no NULL; texts are those of bounds. */
static char *
exact_query(Oid base, const RouterKey *key)
{
	const char *table = router_qualified_name(base);

	if (key == NULL)
		return psprintf("SELECT t.relation, NULL::text, coalesce(n, 0) FROM %s"
						" LEFT JOIN (SELECT tableoid AS relation, count(*) AS n FROM %s GROUP BY 1) r ON r.relation = t.relation",
						tables_query(base), table);
	return psprintf("SELECT relation::regclass, CASE num_nulls(v) WHEN 0 THEN format('%%s', v) END, n"
					" FROM (SELECT tableoid AS relation, %s AS v, count(*) AS n FROM %s GROUP BY 1, 2) r",
					value_of(key), table);
}

/*
 * What is known without reading them. Values that share a table have shares of it by the statistics of its column, as
 * far as the caller may see these; those that are too few to be in there share the rest evenly.
 */
static char *
estimate_query(Oid base, const RouterKey *key, int level)
{
	if (key == NULL)
		return psprintf("SELECT relation, NULL::text, router.estimated_rows(relation) FROM %s", tables_query(base));
	return psprintf("WITH member AS MATERIALIZED ("
					"SELECT d.child AS relation, u.value FROM router.child_def d, unnest(CASE WHEN d.bounds[%d] = 'null'"
					" THEN '{NULL}' WHEN d.bounds[%d] LIKE '{%%' THEN d.bounds[%d]::text[] END) u(value) WHERE d.base = %u),"
					" place AS (SELECT relation, value, count(*) OVER (PARTITION BY relation) > 1 AS shared FROM member UNION ALL"
					" SELECT o.relation, m.value, true FROM (SELECT DISTINCT value FROM member) m,"
					" (SELECT base AS relation FROM router.route_def WHERE base = %u AND hot IS NOT NULL UNION ALL"
					" SELECT child FROM router.child_def WHERE base = %u AND bounds = '{default}') o),"
					" common AS (SELECT relation, value, sum(f) AS f FROM"
					" (SELECT c.oid AS relation, %s AS value, u.f FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
					" JOIN pg_stats s ON s.schemaname = n.nspname AND s.tablename = c.relname AND s.attname = %s AND NOT s.inherited,"
					" LATERAL (SELECT v AS %s, f FROM unnest(s.most_common_vals::text::text[], s.most_common_freqs) m(v, f)"
					" UNION ALL SELECT NULL, s.null_frac) u"
					" WHERE c.oid IN (SELECT relation FROM place WHERE shared)) x GROUP BY 1, 2),"
					" part AS (SELECT p.*, c.f, router.estimated_rows(p.relation) AS n,"
					" EXISTS (SELECT FROM common s WHERE s.relation = p.relation) AS known"
					" FROM place p LEFT JOIN common c ON c.relation = p.relation AND c.value IS NOT DISTINCT FROM p.value)"
					" SELECT relation, value, CASE WHEN NOT shared OR n = 0 THEN n WHEN known THEN (n * coalesce(f, greatest(1 -"
					" (SELECT sum(s.f) FROM common s WHERE s.relation = part.relation), 0)"
					" / count(*) FILTER (WHERE f IS NULL) OVER (PARTITION BY relation)))::bigint END FROM part",
					level + 1, level + 1, level + 1, base, base, base, value_of(key), quote_literal_cstr(key->column),
					quote_identifier(key->column));
}

/* Puts the rows of a query into the result. */
static void
add_rows(RouterReport *report, const char *query)
{
	SPI_connect();
	if (SPI_execute(query, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not run: %s", query);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		Datum		values[3];
		bool		nulls[3];

		for (int j = 0; j < lengthof(values); j++)
			values[j] = SPI_getbinval(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, j + 1, &nulls[j]);
		router_report_row(report, values, nulls);
	}
	SPI_finish();
}

static void
add_exact(RouterReport *report, const RouterConfig *config, const RouterKey *key)
{
	Oid			base = config->base;
	Oid			owner = router_relation_owner(base);
	char	   *query = exact_query(base, key);
	RouterAsOwner saved;
	int			guc_level;

	if (!has_privs_of_role(GetUserId(), owner))
	{
		guc_level = router_pin_settings(config->time_zone);
		add_rows(report, query);
		AtEOXact_GUC(false, guc_level);
		return;
	}
	router_become_owner(&saved, owner, router_is_own_temp(base), config->time_zone);
	(void) router_see_all_rows();
	add_rows(report, query);
	router_become_user(&saved);
}

/* router.table_rows(base, exact, by_value, key) */
Datum
router_table_rows(PG_FUNCTION_ARGS)
{
	RouterReport report;
	RouterConfig *config;
	const RouterKey *key = NULL;
	int			level = 0;
	int			guc_level;

	router_report_begin(&report, fcinfo, 1, -1);
	router_check_routed(PG_GETARG_OID(0));
	config = router_catalog_route(PG_GETARG_OID(0));
	if (router_arg_bool(fcinfo, 2))
	{
		level = level_of_values(config, router_arg_name(fcinfo, 3));
		key = &config->keys[level];
	}
	if (router_arg_bool(fcinfo, 1))
		add_exact(&report, config, key);
	else
	{
		guc_level = router_pin_settings(NULL);
		add_rows(&report, estimate_query(config->base, key, level));
		AtEOXact_GUC(false, guc_level);
	}
	return (Datum) 0;
}
