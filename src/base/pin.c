/*
 * pin.c
 *		Settings under which router reads and writes values, runs SQL, and makes
 *		tables: the same in every session, whatever whoever is at work has set.
 *
 * What is left out is listed in docs/internals.md, "Settings". A setting that is
 * as it should be costs a comparison.
 */
#include "compat.h"
#include "base/pin.h"

#include "access/gin.h"
#include "catalog/namespace.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "parser/parse_expr.h"
#include "utils/builtins.h"
#include "utils/bytea.h"
#include "utils/float.h"
#include "utils/guc.h"
#include "utils/pg_locale.h"
#include "utils/rls.h"
#include "utils/xml.h"

#define SEARCH_PATH "pg_catalog, pg_temp"

static void
pin(bool differs, const char *name, const char *value)
{
	if (differs)
		(void) set_config_option(name, value, PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SAVE, true, 0, false);
}

/* Does what stands in SQL text without a schema mean what pg_catalog has? */
bool
router_is_pinned(void)
{
	return strcmp(namespace_search_path, SEARCH_PATH) == 0;
}

/*
 * Values are read and written the same in every session, in the zone of the
 * route (NULL: as it is); SQL text means the same, names in it what pg_catalog
 * has. Undo with AtEOXact_GUC(false, result).
 */
int
router_pin_settings(const char *time_zone)
{
	int			level = NewGUCNestLevel();

	pin(!router_is_pinned(), "search_path", SEARCH_PATH);
	pin(DateStyle != USE_ISO_DATES || DateOrder != DATEORDER_YMD, "datestyle", "ISO, YMD");
	pin(IntervalStyle != INTSTYLE_POSTGRES, "intervalstyle", "postgres");
	pin(extra_float_digits < 1, "extra_float_digits", "1"); /* more makes no difference */
	pin(bytea_output != BYTEA_OUTPUT_HEX, "bytea_output", "hex");
	pin(!Array_nulls, "array_nulls", "on");
	pin(xmloption != XMLOPTION_CONTENT, "xmloption", "content");
	pin(strcmp(locale_monetary, "C") != 0, "lc_monetary", "C");
	pin(!standard_conforming_strings, "standard_conforming_strings", "on");
	pin(backslash_quote != BACKSLASH_QUOTE_SAFE_ENCODING, "backslash_quote", "safe_encoding");
	pin(Transform_null_equals, "transform_null_equals", "off");
	pin(quote_all_identifiers, "quote_all_identifiers", "off");
	if (time_zone)
		pin(pg_strcasecmp(pg_get_timezone_name(session_timezone), time_zone) != 0, "timezone", time_zone);
	return level;
}

/* Whoever makes a table, or asks a label for its name, has these settings as well. They go with those above. */
void
router_pin_creation(void)
{
	pin(true, "default_tablespace", "");
	pin(strcmp(default_table_access_method, DEFAULT_TABLE_ACCESS_METHOD) != 0, "default_table_access_method",
		DEFAULT_TABLE_ACCESS_METHOD);
	pin(strcmp(locale_numeric, "C") != 0, "lc_numeric", "C");
	pin(strcmp(locale_time, "C") != 0, "lc_time", "C");
	pin(xmlbinary != XMLBINARY_BASE64, "xmlbinary", "base64");
	pin(!row_security, "row_security", "on");
	pin(GinFuzzySearchLimit != 0, "gin_fuzzy_search_limit", "0");
	pin(client_min_messages < WARNING, "client_min_messages", "warning");
}

/* SPI for SQL text of router's own, with the settings that it was written for. Nothing is committed meanwhile. */
int
router_spi_begin(void)
{
	int			guc_level = router_pin_settings(NULL);

	SPI_connect();
	return guc_level;
}

void
router_spi_end(int guc_level)
{
	SPI_finish();
	AtEOXact_GUC(false, guc_level);
}
