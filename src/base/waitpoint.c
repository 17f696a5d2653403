/*
 * waitpoint.c
 *		Named points where a test can stop a backend, in builds with
 *		-DROUTER_WAITPOINTS only.
 *
 * A session stops at the points that its setting router.waitpoints names (a
 * list with commas), for as long as somebody holds the advisory lock
 * hashtext(name). Isolation tests see it waiting for that lock:
 *
 *		SELECT pg_advisory_lock(hashtext('name'))
 *
 * Locking: takes and releases that lock. So no point may be in a critical
 * section, hold an LWLock or a buffer's lock, or lie where a transaction is no
 * more (between ProcArrayEndTransaction and AtEOXact_Inval, for instance). It
 * reads no invalidations: what was to be read torn is.
 */
#include "compat.h"
#include "base/waitpoint.h"

#ifdef ROUTER_WAITPOINTS
#include "common/hashfn.h"
#include "storage/proc.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"

static char *points = NULL;

void
router_waitpoint_init(void)
{
	DefineCustomStringVariable("router.waitpoints", "Names of points where this session stops, for tests.", NULL, &points,
							   "", PGC_USERSET, GUC_NOT_IN_SAMPLE, NULL, NULL, NULL);
}

static bool
is_named(const char *name)
{
	size_t		len = strlen(name);

	for (const char *p = points; (p = strstr(p, name)) != NULL; p += len)
		if ((p == points || strchr(", ", p[-1])) && (p[len] == '\0' || strchr(", ", p[len])))
			return true;
	return false;
}

void
router_waitpoint(const char *name)
{
	int			lock_timeout = LockTimeout;
	Datum		key;

	if (likely(points == NULL || points[0] == '\0') || !is_named(name))
		return;
	key = Int64GetDatum((int64) DatumGetInt32(hash_any((const unsigned char *) name, strlen(name))));
	LockTimeout = 0;			/* is about the locks of whom we stop */
	PG_TRY();
	{
		DirectFunctionCall1(pg_advisory_lock_int8, key);
		DirectFunctionCall1(pg_advisory_unlock_int8, key);
	}
	PG_FINALLY();
	{
		LockTimeout = lock_timeout;
	}
	PG_END_TRY();
}
#endif
