/*
 * clock.c
 *		now() and its like in plans: what they will not fall below as long as a plan is used.
 *
 * Plans are kept, and time goes on; it may go back by as much as the margin, by
 * a change of the server's clock or of the session's zone. Should it go back by
 * more, the plan is refused when a statement starts.
 */
#include "compat.h"
#include "read/clock.h"

#include <math.h>

#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "utils/date.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/plancache.h"
#include "utils/timestamp.h"

/* now() of a plan that is used later may be less by as much, after a change of clock or zone */
#define CLOCK_MARGIN_DAYS 2

static TimestampTz latest_clock = DT_NOBEGIN;	/* the latest time that a plan of this session rests on */

/*
 * Does this expression never fall as time goes on? now() and the like, cut
 * and cast, plus or minus a constant.
 */
static bool
is_clock(Node *node)
{
	while (IsA(node, RelabelType))
		node = (Node *) ((RelabelType *) node)->arg;
	if (IsA(node, SQLValueFunction))
	{
		switch (((SQLValueFunction *) node)->op)
		{
			case SVFOP_CURRENT_DATE:
			case SVFOP_CURRENT_TIMESTAMP:
			case SVFOP_CURRENT_TIMESTAMP_N:
			case SVFOP_LOCALTIMESTAMP:
			case SVFOP_LOCALTIMESTAMP_N:
				return true;
			default:
				return false;
		}
	}
	if (IsA(node, OpExpr))
	{
		OpExpr	   *op = (OpExpr *) node;

		if (list_length(op->args) != 2 || !IsA(lsecond(op->args), Const) ||
			((Const *) lsecond(op->args))->constisnull)
			return false;
		switch (get_opcode(op->opno))
		{
			case F_TIMESTAMPTZ_PL_INTERVAL:
			case F_TIMESTAMPTZ_MI_INTERVAL:
			case F_TIMESTAMP_PL_INTERVAL:
			case F_TIMESTAMP_MI_INTERVAL:
			case F_DATE_PL_INTERVAL:
			case F_DATE_MI_INTERVAL:
			case F_DATE_PLI:
			case F_DATE_MII:
				return is_clock(linitial(op->args));
			default:
				return false;
		}
	}
	if (IsA(node, FuncExpr))
	{
		FuncExpr   *func = (FuncExpr *) node;

		switch (func->funcid)
		{
			case F_NOW:
			case F_TRANSACTION_TIMESTAMP:
			case F_STATEMENT_TIMESTAMP:
				return true;
			case F_DATE_TIMESTAMPTZ:
			case F_DATE_TIMESTAMP:
			case F_TIMESTAMP_TIMESTAMPTZ:
			case F_TIMESTAMP_DATE:
			case F_TIMESTAMPTZ_TIMESTAMP:
			case F_TIMESTAMPTZ_DATE:
			case F_TIMESTAMP_TIMESTAMP_INT4:
			case F_TIMESTAMPTZ_TIMESTAMPTZ_INT4:
				return is_clock(linitial(func->args));
			case F_DATE_TRUNC_TEXT_TIMESTAMPTZ:
			case F_DATE_TRUNC_TEXT_TIMESTAMP:
				return IsA(linitial(func->args), Const) && is_clock(lsecond(func->args));
			default:
				return false;
		}
	}
	return false;
}

/* The expression as it was some days ago: each clock in it becomes a constant. */
static Node *
turn_back(Node *node, void *unused)
{
	TimestampTz then = GetCurrentTransactionStartTimestamp() - CLOCK_MARGIN_DAYS * USECS_PER_DAY;
	Datum		value = TimestampTzGetDatum(then);
	bool		is_now = false;
	Oid			type = TIMESTAMPTZOID;

	if (node == NULL)
		return NULL;
	if (IsA(node, SQLValueFunction))
	{
		is_now = true;
		type = exprType(node);
		if (type == DATEOID)
			value = DirectFunctionCall1(timestamptz_date, value);
		else if (type == TIMESTAMPOID)
			value = DirectFunctionCall1(timestamptz_timestamp, value);
	}
	else if (IsA(node, FuncExpr))
	{
		Oid			func = ((FuncExpr *) node)->funcid;

		is_now = func == F_NOW || func == F_TRANSACTION_TIMESTAMP || func == F_STATEMENT_TIMESTAMP;
	}
	if (is_now)
		return (Node *) makeConst(type, -1, InvalidOid, type == DATEOID ? sizeof(DateADT) : sizeof(Timestamp), value,
								  false, true);
	return expression_tree_mutator(node, turn_back, unused);
}

/*
 * What a clock will not fall below, whenever the plan is used. False: it is none, or has no
 * such value. The margin is taken twice: a month that is cut off begins at
 * another instant in another zone.
 */
bool
router_clock_floor(PlannerInfo *root, Node *node, Datum *value)
{
	Const	   *then;

	if (!is_clock(node))
		return false;
	then = (Const *) estimate_expression_value(root, turn_back(node, NULL));
	if (!IsA(then, Const) || then->constisnull)
		return false;
	switch (then->consttype)
	{
		case DATEOID:
			if (DATE_NOT_FINITE(DatumGetDateADT(then->constvalue)))
				return false;
			*value = DateADTGetDatum(DatumGetDateADT(then->constvalue) - CLOCK_MARGIN_DAYS);
			return true;
		case TIMESTAMPOID:
		case TIMESTAMPTZOID:
			if (TIMESTAMP_NOT_FINITE(DatumGetTimestamp(then->constvalue)))
				return false;
			*value = TimestampGetDatum(DatumGetTimestamp(then->constvalue) - CLOCK_MARGIN_DAYS * USECS_PER_DAY);
			return true;
		default:
			return false;
	}
}

/* A plan rests on what the time is. */
void
router_clock_note(void)
{
	latest_clock = Max(latest_clock, GetCurrentTransactionStartTimestamp());
}

/* An error if a plan's margin for clocks is used up. */
void
router_clock_check(void)
{
	if (latest_clock == DT_NOBEGIN ||
		GetCurrentTransactionStartTimestamp() >= latest_clock - CLOCK_MARGIN_DAYS * USECS_PER_DAY)
		return;
	latest_clock = DT_NOBEGIN;
	ResetPlanCache();
	ereport(ERROR,
			(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
			 errmsg("the plan of this statement was made for a later time"),
			 errdetail("The clock of the server went back by more than %d days.", CLOCK_MARGIN_DAYS),
			 errhint("Run the statement again.")));
}
