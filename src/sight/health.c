/*
 * health.c
 *		What router.health cannot ask of catalogs: can a route be read, and is the library
 *		loaded in every session.
 *
 * Anybody may ask. Nothing that an owner has defined is run: a route has types of PostgreSQL's own
 * (admin/route_settings.c).
 */
#include "compat.h"

#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/varlena.h"

#include "base/attempt.h"
#include "route/cache.h"
#include "route/owned.h"

PG_FUNCTION_INFO_V1(router_is_readable);
PG_FUNCTION_INFO_V1(router_is_preloaded);

static bool
read_route(void *base)
{
	router_check_routed(*(Oid *) base);
	return router_cache_route(router_cache_entry(*(Oid *) base)) != NULL;
}

/* router.is_readable(base): false also of a table that is not routed */
Datum
router_is_readable(PG_FUNCTION_ARGS)
{
	Oid			base = PG_GETARG_OID(0);
	ErrorData  *error = router_attempt(read_route, &base);
	if (error && router_is_cancel(error))
		ReThrowError(error);
	if (error)
		FreeErrorData(error);
	PG_RETURN_BOOL(error == NULL);
}

/* Is router among the libraries of a setting? */
static bool
names_router(const char *setting)
{
	List	   *names = NIL;
	ListCell   *lc;

	if (!SplitDirectoriesString(pstrdup(setting), ',', &names))
		return false;
	foreach(lc, names)
	{
		const char *name = last_dir_separator(lfirst(lc)) ? last_dir_separator(lfirst(lc)) + 1 : lfirst(lc);

		if (strcmp(name, "router") == 0 || strcmp(name, "router" DLSUFFIX) == 0)
			return true;
	}
	return false;
}

/* router.is_preloaded(session_preload_libraries): NULL: those of this session. */
Datum
router_is_preloaded(PG_FUNCTION_ARGS)
{
	const char *session = PG_ARGISNULL(0) ? session_preload_libraries_string : text_to_cstring(PG_GETARG_TEXT_PP(0));

	PG_RETURN_BOOL(names_router(session) || names_router(shared_preload_libraries_string));
}
