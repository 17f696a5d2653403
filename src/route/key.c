/*
 * key.c
 *		Kinds of keys: which columns they take, and the arithmetic of values:
 *		folding, hashing, the step that holds a date or an integer.
 *
 * Pure functions: no catalog is written, no lock kept; results are palloc'd
 * in the current context. Steps of integers follow Architect, which many users
 * come from: 1..n, n+1..2n, mirrored below zero, zero by itself. With from_pivot
 * they follow Oracle: from the pivot on.
 */
#include "compat.h"
#include "route/key.h"

#include <ctype.h>

#include "access/detoast.h"
#include "access/relation.h"
#include "access/table.h"
#include "access/transam.h"
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
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/syscache.h"
#include "utils/timestamp.h"
#include "utils/typcache.h"

#include "base/see.h"

/* some tenths of a second */
#define MAX_PARTS 1000000

/* ------------------------------------------------------- checking settings */

static void
bad_step(const RouterKey *key)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid step \"%s\" for a date key", key->every),
			 key->typid == DATEOID ?
			 errhint("Allowed for a column of type date are 'day', 'week', 'month', 'year', or an interval that divides cleanly: months that divide a year or years, 1 or 7 days.") :
			 errhint("Allowed are 'hour', 'day', 'week', 'month', 'year', or an interval that divides cleanly: months that divide a year or years, 1 or 7 days, hours that divide a day, minutes that divide an hour.")));
}

/* Reads the interval without date input's own errors, so that ours can say what is allowed. */
static Interval
parse_step(const RouterKey *key)
{
	const char *every = key->every;
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
		bad_step(key);
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
				bad_step(key);
			return;
		}

	step = parse_step(key);
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
		bad_step(key);
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
wrong_type(const RouterKey *key, Oid type, const char *allowed)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATATYPE_MISMATCH),
			 errmsg("column \"%s\" of type %s does not fit a key of kind \"%s\"",
					key->column, format_type_be(type), router_kind_name(key->kind)),
			 errhint("Keys of this kind take columns of a type such as %s.", allowed)));
}

static void
bad_number(const char *what, const char *allowed)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("invalid %s", what),
			 errhint("%s", allowed)));
}

#define FITTING_TYPES "integer, text, uuid or timestamp, which has an equality operator and a hash function"

/* Can values of a type not be told apart, or not be hashed? */
static bool
lacks_functions(Oid type)
{
	TypeCacheEntry *entry = lookup_type_cache(type, TYPECACHE_EQ_OPR | TYPECACHE_HASH_PROC |
											  TYPECACHE_HASH_EXTENDED_PROC);

	return !OidIsValid(entry->eq_opr) || !OidIsValid(entry->hash_proc) || !OidIsValid(entry->hash_extended_proc);
}

/* The hash function must be callable in a CHECK: types that borrow another type's are left out, but for date. */
static void
check_hash_argument(RouterKey *key, Oid function)
{
	Oid		   *types;
	int			n;

	(void) get_func_signature(function, &types, &n);
	if (key->typid != DATEOID && !can_coerce_type(1, &key->typid, types, COERCION_IMPLICIT))
		wrong_type(key, key->typid, "integer, text, uuid or timestamp, whose hash function SQL can call");
}

/* --------------------------------------------------------------- the kinds */

static void
check_step(RouterKey *key)
{
	if (key->every)
		resolve_step(key);
}

static void
check_width(RouterKey *key)
{
	if (key->every)
		key->width = pg_strtoint64(key->every);
	if (key->every && key->width <= 0)
		bad_number("width of an integer key", "The width is the number of values a child holds: 1 or more.");
}

static void
check_from_pivot(const RouterKey *key)
{
	if (key->from_pivot && (key->kind != ROUTER_INTEGER || key->every == NULL || key->pivot == NULL))
		bad_number("from_pivot", "Steps from a pivot are those of an integer key with every and pivot.");
}

static void
check_length(RouterKey *key)
{
	if (key->modulus <= 0 || key->modulus > ROUTER_MAX_CUT)
		bad_number("length of a prefix or suffix key",
				   psprintf("The length is a number of characters: 1 to %d.", ROUTER_MAX_CUT));
}

static void
check_modulus(RouterKey *key)
{
	if (key->modulus <= 0 || key->modulus > ROUTER_MAX_MODULUS)
		bad_number("modulus of a hash key",
				   psprintf("The modulus is the number of children: 1 to %d.", ROUTER_MAX_MODULUS));
}

static const struct
{
	const char *name;
	Oid			types[3];		/* that it takes; none: all that have an equality operator and a hash function */
	const char *allowed;		/* these, in words */
	void		(*check) (RouterKey *key);	/* its settings, which it turns into numbers */
}			kinds[] = {
	[ROUTER_LIST] = {"list"},
	[ROUTER_DATE] = {"date", {DATEOID, TIMESTAMPOID, TIMESTAMPTZOID},
	"date, timestamp or timestamp with time zone", check_step},
	[ROUTER_INTEGER] = {"integer", {INT2OID, INT4OID, INT8OID}, "smallint, integer or bigint", check_width},
	[ROUTER_PREFIX] = {"prefix", {TEXTOID, VARCHAROID}, "text or character varying", check_length},
	[ROUTER_SUFFIX] = {"suffix", {TEXTOID, VARCHAROID}, "text or character varying", check_length},
	[ROUTER_HASH] = {"hash",.check = check_modulus},
};

static bool
kind_takes(RouterKeyKind kind, Oid type)
{
	for (int i = 0; i < lengthof(kinds[kind].types); i++)
		if (type == kinds[kind].types[i])
			return true;
	return false;
}

RouterKeyKind
router_kind_from_text(const char *kind)
{
	for (int i = 0; i < lengthof(kinds); i++)
		if (strcmp(kind, kinds[i].name) == 0)
			return (RouterKeyKind) i;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unknown kind of key \"%s\"", kind),
			 errhint("Make keys with router.by_list, by_date, by_integer, by_prefix, by_suffix or by_hash.")));
}

const char *
router_kind_name(RouterKeyKind kind)
{
	return kinds[kind].name;
}

bool
router_key_is_range(const RouterKey *key)
{
	return key->kind == ROUTER_DATE || key->kind == ROUTER_INTEGER;
}

/* Finds the column of a key. Errors: undefined_column, invalid_column_reference. */
static void
find_column(RouterKey *key, Relation base)
{
	HeapTuple	tup = SearchSysCacheAttName(RelationGetRelid(base), key->column);
	Form_pg_attribute att;

	if (!HeapTupleIsValid(tup) && key->attnum > 0 && get_attname(RelationGetRelid(base), key->attnum, true))
	{
		/* somebody renamed it while event triggers were off */
		key->column = get_attname(RelationGetRelid(base), key->attnum, false);
		tup = SearchSysCacheAttName(RelationGetRelid(base), key->column);
	}
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
}

/*
 * Checks a key against its column's type and fills the members derived from it. The
 * caller has pinned the settings.
 *
 * Errors: datatype_mismatch, invalid_parameter_value.
 */
void
router_key_derive(RouterKey *key, const char *time_zone)
{
	TypeCacheEntry *type;

	key->tz = pg_tzset(time_zone);
	key->pivot_value = PG_INT64_MIN;
	key->is_int = kind_takes(ROUTER_INTEGER, key->typid);
	key->unbounded = key->kind == ROUTER_LIST && get_typlen(key->typid) == -1;
	key->by_check = key->kind == ROUTER_LIST && key->typid >= FirstNormalObjectId;
	if (kinds[key->kind].allowed && !kind_takes(key->kind, key->typid))
		wrong_type(key, key->typid, kinds[key->kind].allowed);
	if (kinds[key->kind].check)
		kinds[key->kind].check(key);
	check_from_pivot(key);
	if (key->pivot)
		key->pivot_value = router_key_parse(key, key->pivot);

	type = lookup_type_cache(key->typid, TYPECACHE_EQ_OPR | TYPECACHE_EQ_OPR_FINFO | TYPECACHE_HASH_PROC_FINFO |
							 TYPECACHE_HASH_EXTENDED_PROC_FINFO);
	if (lacks_functions(key->typid))
		wrong_type(key, key->typid, FITTING_TYPES);
	if (key->kind == ROUTER_HASH)
		check_hash_argument(key, type->hash_extended_proc);
	key->eq_opr = type->eq_opr;
	fmgr_info_copy(&key->eq, &type->eq_opr_finfo, CurrentMemoryContext);
	fmgr_info_copy(&key->hash, &type->hash_proc_finfo, CurrentMemoryContext);
	fmgr_info_copy(&key->hash_extended, &type->hash_extended_proc_finfo, CurrentMemoryContext);
}

/* The same with its table. Errors: those, and undefined_column. */
void
router_key_resolve(RouterKey *key, Relation base, const char *time_zone)
{
	find_column(key, base);
	router_key_derive(key, time_zone);
}

static bool
walk_type(Oid type, bool (*test) (Oid type), bool keep, List **seen)
{
	Oid			relid;
	Relation	rel;
	bool		found = false;

	check_stack_depth();
	/* once each: types of many attributes of the same type, some deep, would take hours */
	if (list_member_oid(*seen, type))
		return false;
	*seen = lappend_oid(*seen, type);
	if (test(type))
		return true;
	if (get_typtype(type) == TYPTYPE_DOMAIN)
		return walk_type(getBaseType(type), test, keep, seen);
	if (OidIsValid(get_element_type(type)))
		return walk_type(get_element_type(type), test, keep, seen);
	if (type_is_multirange(type))
		return walk_type(get_multirange_range(type), test, keep, seen);
	if (type_is_range(type))
		return walk_type(get_range_subtype(type), test, keep, seen);
	relid = get_typ_typrelid(type);
	if (!OidIsValid(relid))
		return false;
	rel = relation_open(relid, AccessShareLock);
	for (int i = 0; i < RelationGetNumberOfAttributes(rel) && !found; i++)
		if (!TupleDescAttr(RelationGetDescr(rel), i)->attisdropped)
			found = walk_type(TupleDescAttr(RelationGetDescr(rel), i)->atttypid, test, keep, seen);
	/* the table of a row type is for others than this user to lock, if he has no right on it */
	keep = keep && (rel->rd_rel->relkind == RELKIND_COMPOSITE_TYPE || router_may_lock(relid));
	relation_close(rel, keep ? NoLock : AccessShareLock);
	return found;
}

/*
 * Is the test true for a type, or for one that its values are made of? A domain
 * is tested, and then the type below. keep: composite types stay locked to
 * the end of the transaction, so that nobody changes them meanwhile.
 */
static bool
type_any(Oid type, bool (*test) (Oid type), bool keep)
{
	List	   *seen = NIL;
	bool		found = walk_type(type, test, keep, &seen);

	list_free(seen);
	return found;
}

/* Counts a type and what is within it, as often as it is met. False: there are more than so many. */
static bool
count_parts(Oid type, int *left)
{
	bool		few = true;

	check_stack_depth();
	if (--*left < 0)
		return false;
	if (type < FirstNormalObjectId)
		return true;
	if (get_typtype(type) == TYPTYPE_DOMAIN)
		return count_parts(getBaseType(type), left);
	if (OidIsValid(get_element_type(type)))
		return count_parts(get_element_type(type), left);
	if (type_is_range(type))
		return count_parts(get_range_subtype(type), left);
	if (OidIsValid(get_typ_typrelid(type)))
	{
		TupleDesc	desc = lookup_rowtype_tupdesc(type, -1);

		for (int i = 0; i < desc->natts && few; i++)
			if (!TupleDescAttr(desc, i)->attisdropped)
				few = count_parts(TupleDescAttr(desc, i)->atttypid, left);
		ReleaseTupleDesc(desc);
	}
	return few;
}

/*
 * Before a table with the columns of another one is made: core goes through the types of each (CheckAttributeType), and
 * nothing ends it meanwhile. Types of many attributes of the same type, some deep, would take hours.
 *
 * Errors: program_limit_exceeded.
 */
void
router_check_parts(Oid relid)
{
	Relation	rel = table_open(relid, AccessShareLock);
	int			left = MAX_PARTS;

	for (int i = 0; i < RelationGetNumberOfAttributes(rel); i++)
	{
		Form_pg_attribute column = TupleDescAttr(RelationGetDescr(rel), i);

		if (!column->attisdropped && !count_parts(column->atttypid, &left))
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("column \"%s\" of \"%s\" has a type with too many types within it", NameStr(column->attname),
							RelationGetRelationName(rel)),
					 errdetail("PostgreSQL would go through more than %d when a table with such a column is made, and could not be canceled meanwhile.",
							   MAX_PARTS),
					 errhint("Give the column another type.")));
	}
	table_close(rel, NoLock);
}

/* Is a value written as the name of something that has names of its own? Its number is another one after a restore. */
static bool
names_object(Oid type)
{
	static const Oid types[] = {REGPROCOID, REGPROCEDUREOID, REGOPEROID, REGOPERATOROID, REGCLASSOID, REGTYPEOID,
	REGROLEOID, REGNAMESPACEOID, REGCONFIGOID, REGDICTIONARYOID, REGCOLLATIONOID, ACLITEMOID};

	for (int i = 0; i < lengthof(types); i++)
		if (type == types[i])
			return true;
	return false;
}

static bool
is_enum(Oid type)
{
	return type_is_enum(type);
}

static bool
is_domain(Oid type)
{
	return get_typtype(type) == TYPTYPE_DOMAIN;
}

/*
 * Would reading a value of a type from its text run what owners of types have
 * defined? That can be the CHECK of a domain only, to which the input functions
 * of arrays, composite types and ranges put what they are made of. A domain over
 * all of it is not asked, since the type below it reads the text.
 */
static bool
type_runs_code(Oid type)
{
	return type_any(getBaseType(type), is_domain, false);
}

/*
 * A value of a key's type from its text. Who reads it need not be who owns the
 * type: so none is read whose input would run its owner's code. There is no such
 * key, unless its type came to be so while event triggers were off.
 *
 * Errors: object_not_in_prerequisite_state, and those of the type.
 */
Datum
router_key_input(const RouterKey *key, const char *text)
{
	Oid			input;
	Oid			ioparam;

	if (key->typid >= FirstNormalObjectId && type_runs_code(key->typid))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("values of key \"%s\" are not read from text", key->column),
				 errdetail("Whoever reads them would run the CHECKs of a domain within type %s.", format_type_be(key->typid)),
				 errhint("End the routing, with router.drop_route, and give the column another type.")));
	getTypeInputInfo(key->typid, &input, &ioparam);
	return OidInputFunctionCall(input, unconstify(char *, text), ioparam, -1);
}

/*
 * Refuses the type of a column that is to be a key, or that has changed, if its
 * values do not outlive a rename or a restore, or to read them would run its
 * owner's code. What it is made of stays locked, so that it stays so.
 *
 * Errors: feature_not_supported, datatype_mismatch.
 */
void
router_key_check_type(const RouterKey *key, Oid type)
{
	if (type_any(type, names_object, true))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("column \"%s\" of type %s cannot be a key", key->column, format_type_be(type)),
				 errdetail("Its values are names of objects of the database, which can get other names."),
				 errhint("Use a column of type text or oid.")));
	if (key->kind == ROUTER_HASH && type_any(type, is_enum, false))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("column \"%s\" of type %s cannot be a hash key", key->column, format_type_be(type)),
				 errdetail("The hash of an enum's value is another one when a dump is restored."),
				 errhint("Use router.by_list.")));
	if (type_runs_code(type))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("column \"%s\" of type %s cannot be a key", key->column, format_type_be(type)),
				 errdetail("Whoever reads its values would run the CHECKs of a domain within it."),
				 errhint("Use the type below that domain. A domain over all of it may stay.")));
	/* an attribute may have taken both from a composite type; the type cache hears that of the innermost one only */
	if (type_any(type, lacks_functions, false))
		wrong_type(key, type, FITTING_TYPES);
}

/* Makes a key of integers or dates, which children can be sealed by, of a type. False: it is of another kind. */
bool
router_seal_type(RouterKey *key, Oid typid)
{
	bool		date = kind_takes(ROUTER_DATE, typid);

	if (!date && !kind_takes(ROUTER_INTEGER, typid))
		return false;
	memset(key, 0, sizeof(*key));
	key->typid = typid;
	key->kind = date ? ROUTER_DATE : ROUTER_INTEGER;
	return true;
}

/* Makes a key of a column that children can be sealed by. False: it is of another kind. */
bool
router_seal_key(RouterKey *key, Relation base, const char *column, const char *time_zone)
{
	AttrNumber	attnum = get_attnum(RelationGetRelid(base), column);

	if (attnum <= 0 || TupleDescAttr(RelationGetDescr(base), attnum - 1)->attgenerated != '\0' ||
		!router_seal_type(key, getBaseType(get_atttype(RelationGetRelid(base), attnum))))
		return false;
	key->column = pstrdup(column);
	router_key_resolve(key, base, time_zone);
	return true;
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

/* A range's end, or a value, as days, microseconds or integer. */
int64
router_key_parse(RouterKey *key, const char *text)
{
	if (key->kind == ROUTER_INTEGER)
		return pg_strtoint64(text);
	return router_key_int(key, router_key_input(key, text));
}

/* The type of the values that children of a key hold. */
Oid
router_key_value_type(const RouterKey *key)
{
	return key->kind == ROUTER_PREFIX || key->kind == ROUTER_SUFFIX ? TEXTOID : key->typid;
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

/*
 * May a row have a child made for this value? It stands in the catalog, which
 * every session reads and every dump writes: so who may insert makes it no
 * longer than that is good for. Of types whose text can be much longer than
 * what is stored (numeric, jsonb, what is made of them) the text is made.
 */
bool
router_key_admits(RouterKey *key, Datum value)
{
	static MemoryContext scratch = NULL;
	MemoryContext old;
	bool		fits;

	if (!key->unbounded)
		return true;
	if (toast_raw_datum_size(value) - VARHDRSZ > ROUTER_MAX_VALUE_TEXT)
		return false;
	if (key->typid == TEXTOID || key->typid == VARCHAROID || key->typid == BPCHAROID)
		return true;
	if (scratch == NULL)
		scratch = AllocSetContextCreate(TopMemoryContext, "router text of value", ALLOCSET_SMALL_SIZES);
	old = MemoryContextSwitchTo(scratch);
	fits = strlen(router_value_text(key, value)) <= ROUTER_MAX_VALUE_TEXT;
	MemoryContextSwitchTo(old);
	MemoryContextReset(scratch);
	return fits;
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

/* now moved by a span, as a value of the key; an infinity where the calendar ends before. */
int64
router_key_from_now(const RouterKey *key, const Interval *span, int direction)
{
	TimestampTz now = GetCurrentTransactionStartTimestamp();
	double		usecs = (span->month * 31.0 + span->day) * USECS_PER_DAY + span->time;

	if (direction < 0 ? now - usecs <= MIN_TIMESTAMP : now + usecs >= END_TIMESTAMP)
		return direction < 0 ? PG_INT64_MIN : PG_INT64_MAX;
	return router_key_now(key, DatumGetTimestampTz(DirectFunctionCall2(direction < 0 ? timestamptz_mi_interval :
																		timestamptz_pl_interval,
																		TimestampTzGetDatum(now),
																		IntervalPGetDatum(span))));
}

/* ------------------------------------------------------ arithmetic of dates */

/* A range that holds a value, with ends that can be written: infinities have no neighbours, nor the calendar's end. */
void
router_key_span(const RouterKey *key, int64 value, int64 *lo, int64 *hi)
{
	bool		days = key->typid == DATEOID;
	int64		first = days ? (int64) DATETIME_MIN_JULIAN - POSTGRES_EPOCH_JDATE : MIN_TIMESTAMP;
	int64		last = days ? (int64) DATE_END_JULIAN - POSTGRES_EPOCH_JDATE - 1 : END_TIMESTAMP - 1;

	*lo = *hi = value;
	if (key->kind != ROUTER_DATE)
		return;
	*lo = Min(value, last);
	*hi = value >= last ? PG_INT64_MAX : Max(value, first);
}

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
		if (!IS_VALID_TIMESTAMP(value))
			return day < 0 ? PG_INT64_MIN : PG_INT64_MAX;
	}
	return value;
}

/*
 * The Julian day that a month begins with, counted from the year 0. Before and
 * behind the calendar, where date2j overflows, one that day_start has no date for.
 */
static int
month_start(int64 month)
{
	if (month < JULIAN_MINYEAR * 12)
		return -1;
	if (month > JULIAN_MAXYEAR * 12)
		return PG_INT32_MAX;
	return date2j(month >= 0 ? month / 12 : -((11 - month) / 12), ((month % 12) + 12) % 12 + 1, 1);
}

/* The first Julian day of the step that holds this one, and that of the next step. */
static void
step_around(const RouterKey *key, int julian, int *first, int *next)
{
	int			year,
				month,
				day;
	int64		index;

	if (key->days > 0)
	{
		*first = key->days == 1 ? julian : julian - (j2day(julian) + 6) % 7;	/* ISO weeks begin on Monday */
		*next = *first + key->days;
		return;
	}
	j2date(julian, &year, &month, &day);
	index = (int64) year * 12 + month - 1;
	index -= ((index % key->months) + key->months) % key->months;
	*first = month_start(index);
	*next = month_start(index + key->months);
}

static bool
date_bucket(const RouterKey *key, int64 value, int64 *lo, int64 *hi)
{
	int			first;
	int			next;
	int64		end;

	if (value == PG_INT64_MIN || value == PG_INT64_MAX)
		return false;			/* an infinity has no neighbours */
	if (key->width > 0)
	{
		/* steps below a day are counted in UTC, so that no hour is missing or doubled */
		int64		rest = value % key->width;

		*lo = value - (rest < 0 ? rest + key->width : rest);
		*hi = *lo + key->width < END_TIMESTAMP ? *lo + key->width - 1 : PG_INT64_MAX;
		return true;
	}

	step_around(key, julian_day(key, value), &first, &next);
	for (;;)
	{
		*lo = day_start(key, first);
		end = day_start(key, next);
		/* where clocks change at midnight a local date can be off by one step */
		if (value < *lo)
			step_around(key, first - 1, &first, &next);
		else if (value >= end)
			step_around(key, next, &first, &next);
		else
			break;
	}
	*hi = end == PG_INT64_MAX ? end : end - 1;
	return true;
}

/* Oracle's steps, of a value that is not below the pivot. */
static void
bucket_from_pivot(const RouterKey *key, int64 value, int64 *lo, int64 *hi)
{
	uint64		offset = (uint64) value - (uint64) key->pivot_value;

	*lo = (int64) ((uint64) value - offset % key->width);
	*hi = *lo > 0 && PG_INT64_MAX - *lo < key->width - 1 ? PG_INT64_MAX : *lo + (key->width - 1);
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
	if (key->from_pivot)
		bucket_from_pivot(key, value, lo, hi);
	else if (key->kind == ROUTER_INTEGER)
		integer_bucket(key, value, lo, hi);
	else if (!date_bucket(key, value, lo, hi))
		return false;
	*lo = Max(*lo, key->pivot_value);
	return true;
}
