/*
 * insert.h
 *		INSERT by wearing the child. See insert.c.
 */
#ifndef ROUTER_INSERT_H
#define ROUTER_INSERT_H

extern void router_insert_init(void);

#endif
