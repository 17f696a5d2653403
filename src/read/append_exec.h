/*
 * append_exec.h
 *		The plan node RouterAppend. See append_exec.c.
 */
#ifndef ROUTER_APPEND_EXEC_H
#define ROUTER_APPEND_EXEC_H

extern void router_append_init(void);

#endif
