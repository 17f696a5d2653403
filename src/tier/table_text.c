/*
 * table_text.c
 *		What a table is like, in words of SQL, to make another one like it where
 *		LIKE cannot: on another server, or step by step.
 *
 * Settings are pinned. Memory: results are palloc'd in the context of the caller.
 */
#include "compat.h"
#include "tier/table_text.h"

#include "executor/spi.h"
#include "utils/builtins.h"

#include "base/sql.h"
#include "route/key.h"

struct RouterIndexText
{
	char	   *name;
	bool		constraint;
	bool		unique;
	char	   *text;			/* of a constraint its definition; else from USING on */
};

/* The columns and CHECKs of a table. */
char *
router_columns_text(Oid relid)
{
	char	   *columns = router_ask(
		"SELECT string_agg(format('%%I %%s', attname, format_type(atttypid, atttypmod))"
		"  || CASE WHEN attcollation <> typcollation THEN ' COLLATE ' || attcollation::regcollation ELSE '' END"
		"  || CASE WHEN attgenerated <> '' THEN format(' GENERATED ALWAYS AS (%%s) %%s', pg_get_expr(adbin, adrelid),"
		"            CASE attgenerated WHEN 's' THEN 'STORED' ELSE 'VIRTUAL' END) ELSE '' END"
		"  || CASE WHEN attnotnull THEN ' NOT NULL' ELSE '' END, ', ' ORDER BY attnum)"
		"  FROM pg_attribute JOIN pg_type t ON t.oid = atttypid LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum"
		" WHERE attrelid = %u AND attnum > 0 AND NOT attisdropped", relid);
	char	   *checks = router_ask(
		"SELECT string_agg(format('CONSTRAINT %%I %%s', conname, pg_get_constraintdef(oid)), ', ' ORDER BY conname)"
		"  FROM pg_constraint WHERE conrelid = %u AND contype = 'c' AND conname <> '" ROUTER_SEAL_NAME "'", relid);

	return checks ? psprintf("%s, %s", columns ? columns : "", checks) : columns ? columns : pstrdup("");
}

/* A field of the row in hand, in a context that outlives SPI. */
static char *
field(MemoryContext cxt, uint64 row, int column)
{
	char	   *value = SPI_getvalue(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, column);

	return value ? MemoryContextStrdup(cxt, value) : NULL;
}

/* The indexes of a table as texts, those of constraints first; invalid ones are left out. */
List *
router_index_texts(Oid relid)
{
	static const char *const query =
		"SELECT c.relname, con.oid IS NOT NULL, i.indisunique,"
		"  CASE WHEN con.oid IS NOT NULL THEN pg_get_constraintdef(con.oid)"
		"       ELSE substr(pg_get_indexdef(i.indexrelid), 1 + length(format('CREATE %sINDEX %I ON %s ',"
		"              CASE WHEN i.indisunique THEN 'UNIQUE ' ELSE '' END, c.relname, i.indrelid::regclass))) END"
		"  FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
		"  LEFT JOIN pg_constraint con ON con.conindid = i.indexrelid AND con.conrelid = i.indrelid AND con.contype IN ('p', 'u', 'x')"
		" WHERE i.indrelid = $1 AND i.indisvalid"
		" ORDER BY con.contype = 'p' DESC NULLS LAST, con.oid, i.indexrelid";
	MemoryContext caller = CurrentMemoryContext;
	Oid			type = OIDOID;
	Datum		value = ObjectIdGetDatum(relid);
	List	   *indexes = NIL;
	int			guc_level = router_spi_begin();

	if (SPI_execute_with_args(query, 1, &type, &value, NULL, false, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read the indexes of relation %u", relid);
	for (uint64 i = 0; i < SPI_processed; i++)
	{
		MemoryContext spi = MemoryContextSwitchTo(caller);
		RouterIndexText *index = palloc(sizeof(RouterIndexText));

		index->name = field(caller, i, 1);
		index->constraint = field(caller, i, 2)[0] == 't';
		index->unique = field(caller, i, 3)[0] == 't';
		index->text = field(caller, i, 4);
		indexes = lappend(indexes, index);
		MemoryContextSwitchTo(spi);
	}
	router_spi_end(guc_level);
	return indexes;
}

const char *
router_index_name(const RouterIndexText *index)
{
	return index->name;
}

/* The command that gives a table such an index under a name. */
char *
router_add_index(const char *table, const RouterIndexText *index, const char *name)
{
	if (index->constraint)
		return psprintf("ALTER TABLE %s ADD CONSTRAINT %s %s", table, quote_identifier(name), index->text);
	return psprintf("CREATE %sINDEX %s ON %s %s", index->unique ? "UNIQUE " : "", quote_identifier(name), table,
					index->text);
}
