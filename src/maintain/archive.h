/*
 * archive.h
 *		Moving aged rows from a hot base to its children. See archive.c.
 */
#ifndef ROUTER_ARCHIVE_H
#define ROUTER_ARCHIVE_H

#include "job/job.h"

extern ErrorData *router_archive_base(const RouterJob *job, int batch_rows, const char *cutoff, Oid child,
									  uint64 *moved);

#endif
