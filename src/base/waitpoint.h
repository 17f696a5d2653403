/*
 * waitpoint.h
 *		Named points where a test can stop a backend. See waitpoint.c.
 */
#ifndef ROUTER_WAITPOINT_H
#define ROUTER_WAITPOINT_H

#ifdef ROUTER_WAITPOINTS
extern void router_waitpoint_init(void);
extern void router_waitpoint(const char *name);
#define ROUTER_WAITPOINT(name) router_waitpoint(name)
#else
#define router_waitpoint_init() ((void) 0)
#define ROUTER_WAITPOINT(name) ((void) 0)
#endif

#endif
