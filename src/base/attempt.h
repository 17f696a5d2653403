/*
 * attempt.h
 *		Work that may fail. See attempt.c.
 */
#ifndef ROUTER_ATTEMPT_H
#define ROUTER_ATTEMPT_H

#include "utils/elog.h"

/* Does something such that, if it fails, nothing of it is left but the error; NULL: it succeeded. As router_attempt. */
typedef ErrorData *(*RouterAttempt) (bool (*work) (void *arg), void *arg);

extern ErrorData *router_attempt(bool (*work) (void *arg), void *arg);
extern bool router_is_interrupt(const ErrorData *error);
extern bool router_is_cancel(const ErrorData *error);

#endif
