/*
 * key.c
 *		Kinds of keys: which values live together, what a child's CHECK says,
 *		what part of its name a level gives.
 *
 * Pure functions: no catalog is written, no lock taken; results are palloc'd
 * in the current context. Naming follows the Ruby gem "architect" and its
 * successors (y2024m01, 1_100, m100_m1, null), which many users come from.
 *
 * Text form of a bound, as stored in router.child_def.bounds:
 *		[lo,hi) [lo,hi] (,hi) [lo,)		range; dates half open, integers closed
 *		{a,b,NULL}						values, an array literal
 *		2/3								remainder/modulus of a hash
 *		null							rows whose column is NULL
 *		default							rows that no other child holds
 */
#include "compat.h"
#include "key.h"

#include <ctype.h>

#include "catalog/pg_operator.h"
#include "catalog/pg_type.h"
#include "common/int.h"
#include "miscadmin.h"
#include "parser/parse_coerce.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/datum.h"
#include "utils/fmgroids.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

static const char *const kind_names[] = {"list", "date", "integer", "prefix", "suffix", "hash"};

/* --------------------------------------------------------------- the kinds */

RouterKeyKind
router_kind_from_text(const char *kind)
{
	for (int i = 0; i < lengthof(kind_names); i++)
		if (strcmp(kind, kind_names[i]) == 0)
			return (RouterKeyKind) i;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unknown kind of key \"%s\"", kind),
			 errhint("Make keys with router.by_list, by_date, by_integer, by_prefix, by_suffix or by_hash.")));
}

const char *
router_kind_name(RouterKeyKind kind)
{
	return kind_names[kind];
}

bool
router_key_is_range(const RouterKey *key)
{
	return key->kind == ROUTER_DATE || key->kind == ROUTER_INTEGER;
}

/*
 * Literals are read and written the same in every session: dates in ISO
 * order, floats in full, the zone of the route (NULL: as it is), names
 * resolved in pg_catalog only. Undo with AtEOXact_GUC(false, result).
 */
int
router_pin_settings(const char *time_zone)
{
	int			level = NewGUCNestLevel();
	static const char *const pinned[][2] = {
		{"datestyle", "ISO, YMD"},
		{"intervalstyle", "postgres"},
		{"extra_float_digits", "3"},
		{"bytea_output", "hex"},
		{"search_path", "pg_catalog, pg_temp"},
	};

	for (int i = 0; i < lengthof(pinned); i++)
		(void) set_config_option(pinned[i][0], pinned[i][1], PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_SAVE, true, 0, false);
	if (time_zone)
		(void) set_config_option("timezone", time_zone, PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_SAVE, true, 0, false);
	return level;
}

/* ------------------------------------------------------- checking settings */

static void
bad_step(const char *every)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid step \"%s\" for a date key", every),
			 errhint("Allowed are 'hour', 'day', 'week', 'month', 'year', or an interval that divides cleanly: months that divide a year or years, 1 or 7 days, hours that divide a day, minutes that divide an hour.")));
}

/* Reads the interval without date input's own errors, so that ours can tell the way out. */
static Interval
parse_step(const char *every)
{
	char		buf[MAXDATELEN + MAXDATEFIELDS + 1];
	char	   *field[MAXDATEFIELDS];
	int			ftype[MAXDATEFIELDS];
	int			nf;
	int			dtype;
	struct pg_itm_in itm;
	Interval	step;

	memset(&itm, 0, sizeof(itm));
	if (strlen(every) > MAXDATELEN / 2 ||
		ParseDateTime(every, buf, sizeof(buf), field, ftype, MAXDATEFIELDS, &nf) != 0 ||
		DecodeInterval(field, ftype, nf, INTERVAL_FULL_RANGE, &dtype, &itm) != 0 ||
		dtype != DTK_DELTA || itmin2interval(&itm, &step) != 0)
		bad_step(every);
	return step;
}

static void
resolve_step(RouterKey *key)
{
	static const struct
	{
		const char *word;
		int			months;
		int			days;
		int64		width;
	}			words[] = {
		{"year", 12, 0, 0}, {"month", 1, 0, 0}, {"week", 0, 7, 0},
		{"day", 0, 1, 0}, {"hour", 0, 0, USECS_PER_HOUR},
	};
	Interval	step;
	bool		ok;

	for (int i = 0; i < lengthof(words); i++)
		if (pg_strcasecmp(key->every, words[i].word) == 0)
		{
			key->months = words[i].months;
			key->days = words[i].days;
			key->width = words[i].width;
			if (key->width > 0 && key->typid == DATEOID)
				bad_step(key->every);
			return;
		}

	step = parse_step(key->every);
	if (step.month > 0 && step.day == 0 && step.time == 0)
		ok = step.month % 12 == 0 || 12 % step.month == 0;
	else if (step.month == 0 && step.day > 0 && step.time == 0)
		ok = step.day == 1 || step.day == 7;
	else if (step.month == 0 && step.day == 0 && step.time > 0)
		ok = key->typid != DATEOID && step.time % USECS_PER_MINUTE == 0 &&
			(step.time < USECS_PER_HOUR ? USECS_PER_HOUR % step.time == 0 :
			 step.time % USECS_PER_HOUR == 0 && USECS_PER_DAY % step.time == 0);
	else
		ok = false;
	if (!ok)
		bad_step(key->every);
	key->months = step.month;
	key->days = step.day;
	key->width = step.time;
	if (key->width == USECS_PER_DAY)
	{
		key->days = 1;
		key->width = 0;
	}
}

static void
wrong_type(const RouterKey *key, const char *allowed)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATATYPE_MISMATCH),
			 errmsg("column \"%s\" of type %s cannot be a %s key",
					key->column, format_type_be(key->typid), kind_names[key->kind]),
			 errhint("A %s key takes a column of type %s.", kind_names[key->kind], allowed)));
}

static int64 parse_end(RouterKey *key, const char *text);

static void
bad_number(const char *what, const char *allowed)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid %s", what),
			 errhint("%s", allowed)));
}

/* The hash function must be callable in a CHECK: types that borrow another type's are left out, but for date. */
static void
check_hash_argument(RouterKey *key, Oid function)
{
	Oid		   *types;
	int			n;

	(void) get_func_signature(function, &types, &n);
	if (key->typid != DATEOID && !can_coerce_type(1, &key->typid, types, COERCION_IMPLICIT))
		wrong_type(key, "whose hash function can be called by name, such as integer, text, uuid or timestamp");
}

/*
 * Checks a key against its table and fills the derived members. The caller
 * has pinned the settings.
 *
 * Errors: undefined_column, datatype_mismatch, invalid_parameter_value.
 */
void
router_key_resolve(RouterKey *key, Relation base, const char *time_zone)
{
	HeapTuple	tup;
	Form_pg_attribute att;
	TypeCacheEntry *type;

	tup = SearchSysCacheAttName(RelationGetRelid(base), key->column);
	if (!HeapTupleIsValid(tup))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("column \"%s\" of relation \"%s\" does not exist",
						key->column, RelationGetRelationName(base))));
	att = (Form_pg_attribute) GETSTRUCT(tup);
	key->attnum = att->attnum;
	key->typid = getBaseType(att->atttypid);
	key->collation = att->attcollation;
	if (att->attnum <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_COLUMN_REFERENCE),
				 errmsg("system column \"%s\" cannot be a key", key->column)));
	if (att->attgenerated != '\0')
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_COLUMN_REFERENCE),
				 errmsg("generated column \"%s\" cannot be a key", key->column),
				 errdetail("Its value is not known before the row is in its table."),
				 errhint("Route by the columns that it is computed from.")));
	ReleaseSysCache(tup);

	key->tz = pg_tzset(time_zone);
	key->pivot_value = PG_INT64_MIN;
	key->is_int = key->typid == INT2OID || key->typid == INT4OID || key->typid == INT8OID;

	switch (key->kind)
	{
		case ROUTER_DATE:
			if (key->typid != DATEOID && key->typid != TIMESTAMPOID && key->typid != TIMESTAMPTZOID)
				wrong_type(key, "date, timestamp or timestamp with time zone");
			if (key->every)
				resolve_step(key);
			break;
		case ROUTER_INTEGER:
			if (!key->is_int)
				wrong_type(key, "smallint, integer or bigint");
			if (key->every)
			{
				key->width = pg_strtoint64(key->every);
				if (key->width <= 0)
					bad_number("width of an integer key", "The width is the number of values a child holds: 1 or more.");
			}
			break;
		case ROUTER_PREFIX:
		case ROUTER_SUFFIX:
			if (key->typid != TEXTOID && key->typid != VARCHAROID)
				wrong_type(key, "text or character varying");
			if (key->modulus <= 0)
				bad_number("length of a prefix or suffix key", "The length is a number of characters: 1 or more.");
			break;
		case ROUTER_HASH:
			if (key->modulus <= 0 || key->modulus > 65536)
				bad_number("modulus of a hash key", "The modulus is the number of children: 1 to 65536.");
			break;
		case ROUTER_LIST:
			break;
	}

	if (key->pivot)
		key->pivot_value = parse_end(key, key->pivot);

	type = lookup_type_cache(key->typid, TYPECACHE_EQ_OPR | TYPECACHE_EQ_OPR_FINFO | TYPECACHE_HASH_PROC_FINFO |
							 TYPECACHE_HASH_EXTENDED_PROC_FINFO);
	if (!OidIsValid(type->eq_opr) || !OidIsValid(type->hash_proc) || !OidIsValid(type->hash_extended_proc))
		wrong_type(key, "that has an equality operator and a hash function");
	if (key->kind == ROUTER_HASH)
		check_hash_argument(key, type->hash_extended_proc);
	key->eq_opr = type->eq_opr;
	fmgr_info_copy(&key->eq, &type->eq_opr_finfo, CurrentMemoryContext);
	fmgr_info_copy(&key->hash, &type->hash_proc_finfo, CurrentMemoryContext);
	fmgr_info_copy(&key->hash_extended, &type->hash_extended_proc_finfo, CurrentMemoryContext);
}

/* --------------------------------------------------------- values of a row */

/* The value of a range key as days, microseconds or integer; infinities become the ends of int64. */
int64
router_key_int(const RouterKey *key, Datum value)
{
	DateADT		day;

	switch (key->typid)
	{
		case DATEOID:
			day = DatumGetDateADT(value);
			return DATE_IS_NOBEGIN(day) ? PG_INT64_MIN : DATE_IS_NOEND(day) ? PG_INT64_MAX : day;
		case INT2OID:
			return DatumGetInt16(value);
		case INT4OID:
			return DatumGetInt32(value);
		default:
			return DatumGetInt64(value);
	}
}

/* What children of a prefix or suffix key hold: the same functions as in their CHECK. */
Datum
router_key_fold(RouterKey *key, Datum value)
{
	Datum		cut;

	if (key->kind == ROUTER_PREFIX)
		cut = DirectFunctionCall3Coll(text_substr, key->collation, value,
									  Int32GetDatum(1), Int32GetDatum(key->modulus));
	else if (key->kind == ROUTER_SUFFIX)
		cut = DirectFunctionCall2Coll(text_right, key->collation, value, Int32GetDatum(key->modulus));
	else
		return value;
	return DirectFunctionCall1Coll(lower, key->collation, cut);
}

/* The hash of a value as the CHECK of a hash child computes it: 63 bits. */
uint64
router_key_hash(RouterKey *key, Datum value)
{
	return DatumGetUInt64(FunctionCall2Coll(&key->hash_extended, key->collation, value, Int64GetDatum(0))) &
		PG_INT64_MAX;
}

/* The instant as a value of the key: its local date or time in the route's zone. */
int64
router_key_now(const RouterKey *key, TimestampTz at)
{
	struct pg_tm tm;
	fsec_t		fsec;
	int			tz;
	Timestamp	local;

	if (key->typid == TIMESTAMPTZOID || TIMESTAMP_NOT_FINITE(at))
		return at;				/* the infinities are the ends of int64 */
	if (timestamp2tm(at, &tz, &tm, &fsec, NULL, key->tz) != 0)
		return at < 0 ? PG_INT64_MIN : PG_INT64_MAX;
	if (key->typid == DATEOID)
		return date2j(tm.tm_year, tm.tm_mon, tm.tm_mday) - POSTGRES_EPOCH_JDATE;
	tm2timestamp(&tm, fsec, NULL, &local);
	return local;
}

/* ------------------------------------------------------ arithmetic of dates */

/* The Julian day of a value, in the zone of the route. */
static int
julian_day(const RouterKey *key, int64 value)
{
	struct pg_tm tm;
	fsec_t		fsec;
	int			tz;

	if (key->typid == DATEOID)
		return (int) value + POSTGRES_EPOCH_JDATE;
	if (timestamp2tm(value, key->typid == TIMESTAMPTZOID ? &tz : NULL, &tm, &fsec, NULL, key->tz) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("timestamp out of range")));
	return date2j(tm.tm_year, tm.tm_mon, tm.tm_mday);
}

/* The first value of a Julian day; an end of int64 when the type cannot hold it. */
static int64
day_start(const RouterKey *key, int julian)
{
	struct pg_tm tm;
	int64		day = (int64) julian - POSTGRES_EPOCH_JDATE;
	int64		value;

	if (julian < 0)
		return PG_INT64_MIN;
	if (key->typid == DATEOID)
		return day < (int64) DATE_END_JULIAN - POSTGRES_EPOCH_JDATE ? day : PG_INT64_MAX;
	if (pg_mul_s64_overflow(day, USECS_PER_DAY, &value) || !IS_VALID_TIMESTAMP(value))
		return day < 0 ? PG_INT64_MIN : PG_INT64_MAX;
	if (key->typid == TIMESTAMPTZOID)
	{
		memset(&tm, 0, sizeof(tm));
		j2date(julian, &tm.tm_year, &tm.tm_mon, &tm.tm_mday);
		value += (int64) DetermineTimeZoneOffset(&tm, key->tz) * USECS_PER_SEC;
	}
	return value;
}

/* The first Julian day of the step that holds this one. */
static int
step_start(const RouterKey *key, int julian)
{
	int			year,
				month,
				day;
	int			index;

	if (key->days == 1)
		return julian;
	if (key->days == 7)
		return julian - (j2day(julian) + 6) % 7;	/* ISO weeks begin on Monday */
	j2date(julian, &year, &month, &day);
	index = year * 12 + month - 1;
	index -= ((index % key->months) + key->months) % key->months;
	return date2j(index >= 0 ? index / 12 : -((11 - index) / 12), ((index % 12) + 12) % 12 + 1, 1);
}

static int
step_next(const RouterKey *key, int julian)
{
	int			year,
				month,
				day;
	int			index;

	if (key->days > 0)
		return julian + key->days;
	j2date(julian, &year, &month, &day);
	index = year * 12 + month - 1 + key->months;
	return date2j(index >= 0 ? index / 12 : -((11 - index) / 12), ((index % 12) + 12) % 12 + 1, 1);
}

static bool
date_bucket(const RouterKey *key, int64 value, int64 *lo, int64 *hi)
{
	int			first;
	int64		next;

	if (value == PG_INT64_MIN || value == PG_INT64_MAX)
		return false;			/* an infinity has no neighbours */
	if (key->width > 0)
	{
		/* steps below a day are counted in UTC, so that no hour is missing or doubled */
		int64		rest = value % key->width;

		*lo = value - (rest < 0 ? rest + key->width : rest);
		return !pg_add_s64_overflow(*lo, key->width - 1, hi);
	}

	first = step_start(key, julian_day(key, value));
	for (;;)
	{
		*lo = day_start(key, first);
		next = day_start(key, step_next(key, first));
		/* where clocks change at midnight a local date can be off by one step */
		if (value < *lo)
			first = step_start(key, first - 1);
		else if (value >= next)
			first = step_next(key, first);
		else
			break;
	}
	*hi = next == PG_INT64_MAX ? next : next - 1;
	return true;
}

/* Architect's steps: 1..n, n+1..2n, mirrored below zero, and zero by itself. */
static void
integer_bucket(const RouterKey *key, int64 value, int64 *lo, int64 *hi)
{
	uint64		magnitude = value < 0 ? -(uint64) value : (uint64) value;
	uint64		limit = value < 0 ? (uint64) PG_INT64_MAX + 1 : (uint64) PG_INT64_MAX;
	uint64		first,
				last;

	if (value == 0)
	{
		*lo = *hi = 0;
		return;
	}
	first = (magnitude - 1) / key->width * key->width + 1;
	last = limit - first < (uint64) key->width - 1 ? limit : first + key->width - 1;
	*lo = value < 0 ? (int64) -last : (int64) first;
	*hi = value < 0 ? (int64) -first : (int64) last;
}

/*
 * The step of a range key that holds a value, ends included. False: there is
 * none, because the key has no step or the value none that its type can hold.
 */
bool
router_key_bucket(const RouterKey *key, int64 value, int64 *lo, int64 *hi)
{
	if (value < key->pivot_value)
	{
		*lo = PG_INT64_MIN;
		*hi = key->pivot_value - 1;
		return true;
	}
	if (key->every == NULL)
		return false;
	if (key->kind == ROUTER_INTEGER)
		integer_bucket(key, value, lo, hi);
	else if (!date_bucket(key, value, lo, hi))
		return false;
	*lo = Max(*lo, key->pivot_value);
	return true;
}

/* ------------------------------------------------------- bounds as text: in */

static void
bad_bound(RouterKey *key, const char *text)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid bound \"%s\" for %s key \"%s\"", text, kind_names[key->kind], key->column),
			 router_key_is_range(key) ?
			 errhint("Give a value, a range such as [lo,hi), (,hi) or [lo,), or null.") :
			 key->kind == ROUTER_HASH ?
			 errhint("Give remainder/modulus, such as 0/%d, or null.", key->modulus) :
			 errhint("Give a value, a group of values such as {a,b}, or null.")));
}

/* A range's end, or a value, as days, microseconds or integer. */
static int64
parse_end(RouterKey *key, const char *text)
{
	Oid			input;
	Oid			ioparam;

	if (key->kind == ROUTER_INTEGER)
		return pg_strtoint64(text);
	getTypeInputInfo(key->typid, &input, &ioparam);
	return router_key_int(key, OidInputFunctionCall(input, unconstify(char *, text), ioparam, -1));
}

static bool
parse_range(RouterKey *key, const char *text, RouterBound *bound)
{
	char	   *copy = pstrdup(text);
	size_t		len = strlen(copy);
	char	   *comma = strchr(copy, ',');
	char		open = copy[0];
	char		shut;

	if (len < 3 || (open != '[' && open != '(') || comma == NULL)
		return false;
	shut = copy[len - 1];
	if (shut != ']' && shut != ')')
		return false;
	copy[len - 1] = '\0';
	*comma = '\0';

	bound->form = ROUTER_BOUND_RANGE;
	bound->lo = PG_INT64_MIN;
	bound->hi = PG_INT64_MAX;
	if (copy[1] != '\0')
	{
		bound->lo = parse_end(key, copy + 1);
		if (open == '(' && (bound->lo == PG_INT64_MAX || key->kind == ROUTER_DATE))
			bad_bound(key, text);
		if (open == '(')
			bound->lo++;
	}
	if (comma[1] != '\0')
	{
		bound->hi = parse_end(key, comma + 1);
		if (shut == ')' && bound->hi == PG_INT64_MIN)
			bad_bound(key, text);
		if (shut == ')' && !(key->kind == ROUTER_DATE && bound->hi == PG_INT64_MAX))
			bound->hi--;
	}
	if (bound->lo > bound->hi)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("empty range \"%s\" for key \"%s\"", text, key->column),
				 errhint("The lower end comes first.")));
	return true;
}

/* Values of a list, as an array literal or one bare value; prefixes and suffixes are folded. */
static void
parse_values(RouterKey *key, const char *literal, RouterBound *bound)
{
	Oid			type = key->kind == ROUTER_LIST ? key->typid : TEXTOID;
	Oid			input;
	Oid			ioparam;
	Datum	   *texts;
	bool	   *nulls;
	int			n = 1;

	bound->form = ROUTER_BOUND_VALUES;
	if (literal[0] == '{')
		deconstruct_array(DatumGetArrayTypeP(OidInputFunctionCall(F_ARRAY_IN, unconstify(char *, literal),
																  TEXTOID, -1)),
						  TEXTOID, -1, false, TYPALIGN_INT, &texts, &nulls, &n);
	else
	{
		texts = palloc(sizeof(Datum));
		texts[0] = CStringGetTextDatum(literal);
		nulls = palloc0(sizeof(bool));
	}
	if (n == 0)
		bad_bound(key, literal);

	getTypeInputInfo(type, &input, &ioparam);
	bound->values = palloc(n * sizeof(Datum));
	for (int i = 0; i < n; i++)
	{
		Datum		value;
		bool		seen = false;

		if (nulls[i])
		{
			bound->with_null = true;
			continue;
		}
		value = OidInputFunctionCall(input, TextDatumGetCString(texts[i]), ioparam, -1);
		if (key->kind != ROUTER_LIST)
			value = router_key_fold(key, value);
		for (int j = 0; j < bound->nvalues && !seen; j++)
			seen = DatumGetBool(FunctionCall2Coll(&key->eq, key->collation, bound->values[j], value));
		if (!seen)
			bound->values[bound->nvalues++] = value;
	}
	if (bound->nvalues == 0)
		bound->form = ROUTER_BOUND_NULL;
}

/*
 * Reads a bound (see the head of this file). A bare value stands for the step
 * of a range key that holds it. The caller has pinned the settings.
 */
RouterBound *
router_bound_parse(RouterKey *key, const char *text)
{
	RouterBound *bound = palloc0(sizeof(RouterBound));

	if (strcmp(text, "null") == 0)
		bound->form = ROUTER_BOUND_NULL;
	else if (strcmp(text, "default") == 0)
		bound->form = ROUTER_BOUND_DEFAULT;
	else if (key->kind == ROUTER_HASH)
	{
		int			used = 0;

		bound->form = ROUTER_BOUND_HASH;
		if (sscanf(text, "%d/%d%n", &bound->remainder, &bound->modulus, &used) != 2 || text[used] != '\0' ||
			bound->modulus <= 0 || bound->modulus > 65536 ||
			bound->remainder < 0 || bound->remainder >= bound->modulus)
			bad_bound(key, text);
	}
	else if (!router_key_is_range(key))
		parse_values(key, text, bound);
	else if (!parse_range(key, text, bound))
	{
		bound->form = ROUTER_BOUND_RANGE;
		if (!router_key_bucket(key, parse_end(key, text), &bound->lo, &bound->hi))
			bad_bound(key, text);
	}
	return bound;
}

/* A copy in the current context, values included. */
RouterBound *
router_bound_copy(RouterKey *key, const RouterBound *bound)
{
	RouterBound *copy = palloc(sizeof(RouterBound));
	int16		len;
	bool		byval;

	*copy = *bound;
	if (bound->nvalues == 0)
		return copy;
	get_typlenbyval(key->kind == ROUTER_LIST ? key->typid : TEXTOID, &len, &byval);
	copy->values = palloc(bound->nvalues * sizeof(Datum));
	for (int i = 0; i < bound->nvalues; i++)
		copy->values[i] = datumCopy(bound->values[i], byval, len);
	return copy;
}

/* ------------------------------------------------------ bounds as text: out */

/* A range's end as the literal that reads back the same in every session. */
static char *
int_text(const RouterKey *key, int64 value)
{
	char		buf[MAXDATELEN + 1];
	struct pg_tm tm;
	fsec_t		fsec = 0;
	int			tz = 0;
	bool		zoned = key->typid == TIMESTAMPTZOID;

	if (key->kind == ROUTER_INTEGER)
		return psprintf(INT64_FORMAT, value);
	memset(&tm, 0, sizeof(tm));
	if (key->typid == DATEOID)
	{
		j2date((int) value + POSTGRES_EPOCH_JDATE, &tm.tm_year, &tm.tm_mon, &tm.tm_mday);
		EncodeDateOnly(&tm, USE_ISO_DATES, buf);
	}
	else
	{
		if (timestamp2tm(value, zoned ? &tz : NULL, &tm, &fsec, NULL, key->tz) != 0)
			elog(ERROR, "timestamp of a bound is out of range");
		EncodeDateTime(&tm, fsec, zoned, tz, NULL, USE_ISO_DATES, buf);
	}
	return pstrdup(buf);
}

/* A list value, or a folded prefix or suffix, as its type writes it. */
char *
router_value_text(RouterKey *key, Datum value)
{
	Oid			output;
	bool		varlena;

	getTypeOutputInfo(key->kind == ROUTER_PREFIX || key->kind == ROUTER_SUFFIX ? TEXTOID : key->typid,
					  &output, &varlena);
	return OidOutputFunctionCall(output, value);
}

static char *
values_text(RouterKey *key, const RouterBound *bound)
{
	ArrayBuildState *astate = NULL;

	for (int i = 0; i < bound->nvalues; i++)
		astate = accumArrayResult(astate, CStringGetTextDatum(router_value_text(key, bound->values[i])),
								  false, TEXTOID, CurrentMemoryContext);
	if (bound->with_null)
		astate = accumArrayResult(astate, (Datum) 0, true, TEXTOID, CurrentMemoryContext);
	return OidOutputFunctionCall(F_ARRAY_OUT, makeArrayResult(astate, CurrentMemoryContext));
}

/* The text form of a bound. The caller has pinned the settings. */
char *
router_bound_text(RouterKey *key, const RouterBound *bound)
{
	bool		closed = key->kind == ROUTER_INTEGER;

	switch (bound->form)
	{
		case ROUTER_BOUND_NULL:
			return pstrdup("null");
		case ROUTER_BOUND_DEFAULT:
			return pstrdup("default");
		case ROUTER_BOUND_HASH:
			return psprintf("%d/%d", bound->remainder, bound->modulus);
		case ROUTER_BOUND_VALUES:
			return values_text(key, bound);
		case ROUTER_BOUND_RANGE:
			break;
	}
	return psprintf("%s%s,%s%s",
					bound->lo == PG_INT64_MIN ? "(" : "[",
					bound->lo == PG_INT64_MIN ? "" : int_text(key, bound->lo),
					bound->hi == PG_INT64_MAX ? "" : int_text(key, closed ? bound->hi : bound->hi + 1),
					bound->hi == PG_INT64_MAX || !closed ? ")" : "]");
}

/* ----------------------------------------------------------- bounds at work */

/* Does a child with this bound hold the value at this level? */
bool
router_bound_has(RouterKey *key, const RouterBound *bound, Datum value, bool isnull)
{
	int64		number;

	if (bound->form == ROUTER_BOUND_DEFAULT)
		return true;
	if (isnull)
		return bound->form == ROUTER_BOUND_NULL || bound->with_null;
	switch (bound->form)
	{
		case ROUTER_BOUND_RANGE:
			number = router_key_int(key, value);
			return number >= bound->lo && number <= bound->hi;
		case ROUTER_BOUND_HASH:
			return router_key_hash(key, value) % bound->modulus == bound->remainder;
		case ROUTER_BOUND_VALUES:
			value = router_key_fold(key, value);
			for (int i = 0; i < bound->nvalues; i++)
				if (DatumGetBool(FunctionCall2Coll(&key->eq, key->collation, bound->values[i], value)))
					return true;
			return false;
		default:
			return false;
	}
}

static int
greatest_common_divisor(int a, int b)
{
	while (b != 0)
	{
		int			rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

/* Is there a value that both would hold? Default bounds overlap only each other. */
bool
router_bounds_overlap(RouterKey *key, const RouterBound *a, const RouterBound *b)
{
	bool		a_null = a->form == ROUTER_BOUND_NULL || a->with_null;
	bool		b_null = b->form == ROUTER_BOUND_NULL || b->with_null;
	int			gcd;

	if (a_null && b_null)
		return true;
	if (a->form != b->form)
		return false;
	switch (a->form)
	{
		case ROUTER_BOUND_DEFAULT:
			return true;
		case ROUTER_BOUND_RANGE:
			return a->lo <= b->hi && b->lo <= a->hi;
		case ROUTER_BOUND_HASH:
			gcd = greatest_common_divisor(a->modulus, b->modulus);
			return a->remainder % gcd == b->remainder % gcd;
		case ROUTER_BOUND_VALUES:
			for (int i = 0; i < a->nvalues; i++)
				for (int j = 0; j < b->nvalues; j++)
					if (DatumGetBool(FunctionCall2Coll(&key->eq, key->collation, a->values[i], b->values[j])))
						return true;
			return false;
		default:
			return false;
	}
}

/* A value that a child with this bound holds: the first of the group, the lower end of the range. */
Datum
router_bound_sample(RouterKey *key, const RouterBound *bound, bool *isnull)
{
	int64		number;

	*isnull = false;
	if (bound->form == ROUTER_BOUND_VALUES)
		return bound->values[0];
	if (bound->form != ROUTER_BOUND_RANGE || (bound->lo == PG_INT64_MIN && bound->hi == PG_INT64_MAX))
	{
		*isnull = true;
		return (Datum) 0;
	}
	number = bound->lo != PG_INT64_MIN ? bound->lo : bound->hi;
	switch (key->typid)
	{
		case DATEOID:
			return DateADTGetDatum((DateADT) number);
		case INT2OID:
			return Int16GetDatum((int16) number);
		case INT4OID:
			return Int32GetDatum((int32) number);
		default:
			return Int64GetDatum(number);
	}
}

/* ------------------------------------------------------------ bounds as SQL */

static void
append_literal(StringInfo buf, const char *text, Oid type)
{
	/* bpchar, not character, which would cut the value to one */
	appendStringInfo(buf, "%s::%s", quote_literal_cstr(text),
					 format_type_extended(type, -1, FORMAT_TYPE_TYPEMOD_GIVEN | FORMAT_TYPE_FORCE_QUALIFY));
}

static void
append_range(StringInfo buf, RouterKey *key, const RouterBound *bound, const char *column)
{
	bool		date = key->kind == ROUTER_DATE;
	Oid			type = date ? key->typid : INT8OID;
	const char *upper = date ? "<" : "<=";

	if (bound->lo == bound->hi && !date)
	{
		appendStringInfo(buf, "%s = ", column);
		append_literal(buf, int_text(key, bound->lo), type);
		return;
	}
	if (bound->lo != PG_INT64_MIN)
	{
		appendStringInfo(buf, "%s >= ", column);
		append_literal(buf, int_text(key, bound->lo), type);
	}
	if (bound->lo != PG_INT64_MIN && bound->hi != PG_INT64_MAX)
		appendStringInfoString(buf, " AND ");
	if (bound->hi != PG_INT64_MAX)
	{
		appendStringInfo(buf, "%s %s ", column, upper);
		append_literal(buf, int_text(key, date ? bound->hi + 1 : bound->hi), type);
	}
	if (bound->lo == PG_INT64_MIN && bound->hi == PG_INT64_MAX)
		appendStringInfoString(buf, "true");
}

static char *
qualified_operator(Oid opr)
{
	HeapTuple	tup = SearchSysCache1(OPEROID, ObjectIdGetDatum(opr));
	Form_pg_operator form;
	char	   *name;

	if (!HeapTupleIsValid(tup))
		elog(ERROR, "cache lookup failed for operator %u", opr);
	form = (Form_pg_operator) GETSTRUCT(tup);
	name = psprintf("OPERATOR(%s.%s)", quote_identifier(get_namespace_name(form->oprnamespace)),
					NameStr(form->oprname));
	ReleaseSysCache(tup);
	return name;
}

static void
append_values(StringInfo buf, RouterKey *key, const RouterBound *bound, const char *column)
{
	bool		folded = key->kind != ROUTER_LIST;
	Oid			type = folded ? TEXTOID : key->typid;
	const char *opr = folded ? "OPERATOR(pg_catalog.=)" : qualified_operator(key->eq_opr);

	if (key->kind == ROUTER_PREFIX)
		appendStringInfo(buf, "pg_catalog.lower(pg_catalog.substr(%s, 1, %d)) %s ", column, key->modulus, opr);
	else if (key->kind == ROUTER_SUFFIX)
		appendStringInfo(buf, "pg_catalog.lower(pg_catalog.\"right\"(%s, %d)) %s ", column, key->modulus, opr);
	else
		appendStringInfo(buf, "%s %s ", column, opr);
	if (bound->nvalues == 1)
	{
		append_literal(buf, router_value_text(key, bound->values[0]), type);
		return;
	}
	appendStringInfoString(buf, "ANY (ARRAY[");
	for (int i = 0; i < bound->nvalues; i++)
	{
		if (i > 0)
			appendStringInfoString(buf, ", ");
		append_literal(buf, router_value_text(key, bound->values[i]), type);
	}
	appendStringInfoString(buf, "])");
}

/* Before PostgreSQL 18 dates are hashed as the integers they are stored as. */
static bool
hash_takes_integer(Oid function)
{
	Oid		   *types;
	int			n;

	(void) get_func_signature(function, &types, &n);
	return n > 0 && types[0] == INT4OID;
}

/*
 * Appends the SQL condition that holds for exactly the rows of a child, in
 * terms of core only, so that it outlives the extension. Nothing for default.
 */
void
router_bound_condition(StringInfo buf, RouterKey *key, const RouterBound *bound)
{
	const char *column = quote_identifier(key->column);
	Oid			hash = key->hash_extended.fn_oid;

	if (bound->form == ROUTER_BOUND_DEFAULT)
		return;
	if (buf->len > 0)
		appendStringInfoString(buf, " AND ");
	if (bound->form == ROUTER_BOUND_NULL)
	{
		appendStringInfo(buf, "%s IS NULL", column);
		return;
	}
	/* a CHECK that is null passes: say that the column is not, or that it may be */
	appendStringInfo(buf, bound->with_null ? "(%s IS NULL OR " : "%s IS NOT NULL AND ", column);
	if (bound->form == ROUTER_BOUND_HASH && key->typid == DATEOID && hash_takes_integer(hash))
		column = psprintf("(%s OPERATOR(pg_catalog.-) '2000-01-01'::pg_catalog.date)", column);
	if (bound->form == ROUTER_BOUND_RANGE)
		append_range(buf, key, bound, column);
	else if (bound->form == ROUTER_BOUND_HASH)
		appendStringInfo(buf, "(%s.%s(%s, 0::pg_catalog.int8) & 9223372036854775807::pg_catalog.int8) %% %d = %d",
						 quote_identifier(get_namespace_name(get_func_namespace(hash))),
						 quote_identifier(get_func_name(hash)), column, bound->modulus, bound->remainder);
	else
		append_values(buf, key, bound, column);
	if (bound->with_null)
		appendStringInfoChar(buf, ')');
}

/* ------------------------------------------------------------ parts of names */

static char *
integer_part(int64 value)
{
	if (value >= 0)
		return psprintf(INT64_FORMAT, value);
	return psprintf("m" UINT64_FORMAT, -(uint64) value);
}

/* A date or instant in a name, for ranges that are no step of the key. */
static char *
date_part(const RouterKey *key, int64 value)
{
	char	   *text = int_text(key, value);
	char	   *out = text;

	/* 2020-01-01 00:00:00+01 -> 2020_01_01 */
	for (char *in = text; *in && *in != '+'; in++)
		*out++ = isalnum((unsigned char) *in) ? *in : '_';
	*out = '\0';
	if (strlen(text) > 9 && strcmp(text + strlen(text) - 9, "_00_00_00") == 0)
		text[strlen(text) - 9] = '\0';
	return text;
}

static char *
step_part(const RouterKey *key, int64 lo)
{
	struct pg_tm tm;
	fsec_t		fsec = 0;
	int			tz;
	int			day;
	bool		zoned = key->typid == TIMESTAMPTZOID && key->width == 0;
	char	   *year;

	memset(&tm, 0, sizeof(tm));
	if (key->typid == DATEOID)
		j2date((int) lo + POSTGRES_EPOCH_JDATE, &tm.tm_year, &tm.tm_mon, &tm.tm_mday);
	else if (timestamp2tm(lo, zoned ? &tz : NULL, &tm, &fsec, NULL, key->tz) != 0)
		elog(ERROR, "timestamp of a bound is out of range");

	year = tm.tm_year > 0 ? psprintf("y%04d", tm.tm_year) : psprintf("y%04dbc", 1 - tm.tm_year);
	day = date2j(tm.tm_year, tm.tm_mon, tm.tm_mday) - date2j(tm.tm_year, 1, 1) + 1;
	if (key->days == 7)
		return psprintf("y%04dw%02d", date2isoyear(tm.tm_year, tm.tm_mon, tm.tm_mday),
						date2isoweek(tm.tm_year, tm.tm_mon, tm.tm_mday));
	if (key->days == 1)
		return psprintf("%sd%03d", year, day);
	if (key->months > 0)
		return key->months % 12 == 0 ? year : psprintf("%sm%02d", year, tm.tm_mon);
	if (key->width % USECS_PER_HOUR == 0)
		return psprintf("%sd%03dh%02d", year, day, tm.tm_hour);
	return psprintf("%sd%03dh%02dm%02d", year, day, tm.tm_hour, tm.tm_min);
}

static char *
range_part(const RouterKey *key, const RouterBound *bound)
{
	bool		date = key->kind == ROUTER_DATE;
	bool		no_lo = bound->lo == PG_INT64_MIN;
	bool		no_hi = bound->hi == PG_INT64_MAX;
	int64		lo,
				hi;

	if (!no_lo && router_key_bucket(key, bound->lo, &lo, &hi) && lo == bound->lo && hi == bound->hi && date)
		return step_part(key, lo);
	if (no_lo && no_hi)
		return pstrdup("all");
	if (no_lo)
		return date ? psprintf("before_%s", date_part(key, bound->hi + 1)) :
			psprintf("below_%s", integer_part(bound->hi + 1));
	/* the last step of bigint ends where the type does: it has an upper end */
	if (no_hi && !(!date && key->every && router_key_bucket(key, bound->lo, &lo, &hi) && hi == bound->hi))
		return psprintf("from_%s", date ? date_part(key, bound->lo) : integer_part(bound->lo));
	if (date)
		return psprintf("%s_to_%s", date_part(key, bound->lo), date_part(key, bound->hi + 1));
	if (bound->lo == bound->hi)
		return integer_part(bound->lo);
	return psprintf("%s_%s", integer_part(bound->lo), integer_part(bound->hi));
}

/* What a level adds to the name of a child. Not yet cut or made unique. */
char *
router_bound_part(RouterKey *key, const RouterBound *bound)
{
	StringInfoData buf;

	switch (bound->form)
	{
		case ROUTER_BOUND_NULL:
			return pstrdup("null");
		case ROUTER_BOUND_DEFAULT:
			return pstrdup("default");
		case ROUTER_BOUND_HASH:
			return psprintf("%d", bound->remainder);
		case ROUTER_BOUND_RANGE:
			return range_part(key, bound);
		case ROUTER_BOUND_VALUES:
			break;
	}
	initStringInfo(&buf);
	for (int i = 0; i < bound->nvalues; i++)
	{
		appendStringInfo(&buf, "%s%s", i > 0 ? "_" : "", router_value_text(key, bound->values[i]));
		while (key->typid == BPCHAROID && buf.len > 0 && buf.data[buf.len - 1] == ' ')
			buf.data[--buf.len] = '\0';
	}
	if (bound->with_null)
		appendStringInfoString(&buf, "_null");
	return buf.data;
}
