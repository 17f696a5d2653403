/*
 * attempt.c
 *		Work that succeeds, or fails and leaves nothing but its error.
 */
#include "compat.h"
#include "base/attempt.h"

#include "utils/resowner.h"

/* Does something in a subtransaction. NULL: it succeeded; else nothing of it is left but this error. */
ErrorData *
router_attempt(bool (*work) (void *arg), void *arg)
{
	MemoryContext caller = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData  *error = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(caller);
	PG_TRY();
	{
		bool		keep = work(arg);

		MemoryContextSwitchTo(caller);
		if (keep)
			ReleaseCurrentSubTransaction();
		else
			RollbackAndReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(caller);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(caller);
	CurrentResourceOwner = owner;
	return error;
}

/*
 * Was this raised by core for an interrupt? The name of the C function tells, which no code of users can choose:
 * procedural languages raise errors in functions of their own. That it is this one, test 440 looks at.
 */
bool
router_is_interrupt(const ErrorData *error)
{
	return error->funcname && strcmp(error->funcname, "ProcessInterrupts") == 0;
}

/* A cancel, statement_timeout and the like; not just an error of that code, which any function can raise. */
bool
router_is_cancel(const ErrorData *error)
{
	return error->sqlerrcode == ERRCODE_QUERY_CANCELED && router_is_interrupt(error);
}
