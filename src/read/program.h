/*
 * program.h
 *		The steps of a program that clauses are compiled to. For clause.c, which
 *		makes programs, and survivors.c, which runs them.
 */
#ifndef ROUTER_PROGRAM_H
#define ROUTER_PROGRAM_H

#include "compat.h"

#include "nodes/pg_list.h"

/*
 * A step of a program is a list: its head says what it is, the rest are the
 * steps it joins.
 */
enum
{
	STEP_AND,
	STEP_OR,					/* of ANDs */
	STEP_COMPARE,				/* key against a value, or an array of them */
	STEP_NULL,					/* IS NULL, IS NOT NULL */
	STEP_BOOLEAN,				/* the key itself */
};

/* the members of a head */
enum
{
	HEAD_STEP,
	HEAD_LEVEL,
	HEAD_STRATEGY,				/* STEP_NULL: is null; STEP_BOOLEAN: true or false */
	HEAD_TYPE,					/* of the value, or of the array's elements */
	HEAD_FUNCTION,				/* of the operator */
	HEAD_COLLATION,
	HEAD_ARRAY,					/* 0: no array, 1: ANY, 2: ALL */
	HEAD_FOLDED,				/* the clause has the expression of a prefix or suffix key */
	HEAD_EXPR,					/* which expression */
};

static inline int
head_of(const List *step, int member)
{
	return list_nth_int((List *) linitial(step), member);
}

#endif
