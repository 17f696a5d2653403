/*
 * other_router.c
 *		Triggers by which other tools route rows, known by their names and the text
 *		of their functions.
 */
#include "compat.h"
#include "admin/other_router.h"

#include "access/htup_details.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_trigger.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

static bool
ends_in(const char *text, const char *end)
{
	size_t		len = strlen(text);

	return len >= strlen(end) && strcmp(text + len - strlen(end), end) == 0;
}

/* Is it a trigger that pg_partman or Architect makes to route rows? */
bool
router_is_known_router(const Trigger *made)
{
	const char *trigger = made->tgname;
	const char *function = get_func_name(made->tgfoid);
	bool		of_architect = strncmp(trigger, "before_insert_", 14) == 0 || strncmp(trigger, "after_insert_", 13) == 0;

	if (ends_in(trigger, "_part_trig") && ends_in(function, "_part_trig_func"))
		return true;
	return of_architect && ends_in(trigger, "_trigger") &&
		ends_in(function, trigger[0] == 'b' ? "_insert_child" : "_delete_master");
}

static bool
contains(const char *source, const char *word)
{
	size_t		len = strlen(word);

	for (; *source; source++)
		if (pg_strncasecmp(source, word, len) == 0)
			return true;
	return false;
}

/* The text of a function with runs of blanks as one. */
static char *
source_of(Oid function)
{
	HeapTuple	tup = SearchSysCache1(PROCOID, ObjectIdGetDatum(function));
	bool		isnull;
	char	   *source;
	char	   *out;

	if (!HeapTupleIsValid(tup))
		elog(ERROR, "cache lookup failed for function %u", function);
	source = TextDatumGetCString(SysCacheGetAttr(PROCOID, tup, Anum_pg_proc_prosrc, &isnull));
	ReleaseSysCache(tup);
	out = source;
	for (char *in = source; *in; in++)
		if (!isspace((unsigned char) *in))
			*out++ = *in;
		else if (out > source && out[-1] != ' ')
			*out++ = ' ';
	*out = '\0';
	return source;
}

/* Does a trigger before INSERT take rows elsewhere? It returns NULL, or inserts by EXECUTE or into children (oids). */
bool
router_is_suspect(const Trigger *trigger, List *children)
{
	char	   *source;
	ListCell   *lc;

	if (!TRIGGER_FOR_BEFORE(trigger->tgtype) || !TRIGGER_FOR_ROW(trigger->tgtype) ||
		!TRIGGER_FOR_INSERT(trigger->tgtype) || trigger->tgenabled == TRIGGER_DISABLED)
		return false;
	source = source_of(trigger->tgfoid);
	if (contains(source, "return null"))
		return true;
	if (!contains(source, "insert into"))
		return false;
	foreach(lc, children)
		if (contains(source, get_rel_name(lfirst_oid(lc))))
			return true;
	return contains(source, "execute");
}
