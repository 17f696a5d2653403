/*
 * key.h
 *		Kinds of keys and their arithmetic, see key.c; bounds, see bound.c.
 */
#ifndef ROUTER_KEY_H
#define ROUTER_KEY_H

#include "compat.h"

#include "fmgr.h"
#include "lib/stringinfo.h"
#include "pgtime.h"
#include "utils/rel.h"

#include "base/pin.h"

#define ROUTER_MAX_LEVELS 8
/* bytes of the text of a value that a row may have a child made for */
#define ROUTER_MAX_VALUE_TEXT 16384
/* characters of a prefix or suffix */
#define ROUTER_MAX_CUT 1000
#define ROUTER_MAX_MODULUS 65536
#define ROUTER_CHECK_NAME "router_home"
#define ROUTER_SEAL_NAME "router_seal"

typedef enum RouterKeyKind
{
	ROUTER_LIST,
	ROUTER_DATE,
	ROUTER_INTEGER,
	ROUTER_PREFIX,
	ROUTER_SUFFIX,
	ROUTER_HASH,
} RouterKeyKind;

/* One level of routing: as configured, then as derived by router_key_resolve. */
typedef struct RouterKey
{
	RouterKeyKind kind;
	char	   *column;
	AttrNumber	attnum;
	char	   *every;			/* date, integer; NULL: only ranges made by hand */
	int			modulus;		/* hash: buckets; prefix, suffix: characters */
	char	  **groups;			/* list: array literals */
	int			ngroups;
	char	   *pivot;			/* date, integer; NULL: none */
	bool		from_pivot;		/* integer: steps count from the pivot */
	char	   *label;			/* query text or NULL */

	Oid			typid;			/* of the column, domains removed */
	Oid			collation;
	Oid			eq_opr;
	FmgrInfo	eq;				/* list, prefix, suffix */
	FmgrInfo	hash;
	FmgrInfo	hash_extended;	/* hash */
	bool		is_int;			/* list over smallint, integer or bigint */
	bool		unbounded;		/* list over a type whose values have no greatest length */
	bool		by_check;		/* list over a type that users define: see stored.c */
	pg_tz	   *tz;				/* zone of the route */
	int64		pivot_value;	/* PG_INT64_MIN: no pivot */
	int64		width;			/* integer: values; date below a day: microseconds */
	int			months;			/* date: months a child, or 0 */
	int			days;			/* date: 1 or 7, or 0 */

	struct RouterOperator *last_op; /* the last one that clause.c was asked for, or NULL */
} RouterKey;

typedef enum RouterBoundForm
{
	ROUTER_BOUND_RANGE,
	ROUTER_BOUND_VALUES,
	ROUTER_BOUND_HASH,
	ROUTER_BOUND_NULL,
	ROUTER_BOUND_DEFAULT,
} RouterBoundForm;

/*
 * What one child holds at one level. Ranges are inclusive at both ends and
 * count days, microseconds or integers; PG_INT64_MIN and _MAX mean "open".
 */
typedef struct RouterBound
{
	RouterBoundForm form;
	int64		lo;
	int64		hi;
	Datum	   *values;
	int			nvalues;
	bool		with_null;		/* a group that holds NULL as well */
	int			modulus;
	int			remainder;
} RouterBound;

extern RouterKeyKind router_kind_from_text(const char *kind);
extern const char *router_kind_name(RouterKeyKind kind);
extern void router_key_derive(RouterKey *key, const char *time_zone);
extern void router_key_resolve(RouterKey *key, Relation base, const char *time_zone);
extern void router_key_check_type(const RouterKey *key, Oid type);
extern void router_check_parts(Oid relid);
extern bool router_seal_type(RouterKey *key, Oid typid);
extern bool router_seal_key(RouterKey *key, Relation base, const char *column, const char *time_zone);
extern bool router_key_is_range(const RouterKey *key);
extern Oid	router_key_value_type(const RouterKey *key);

extern Datum router_key_input(const RouterKey *key, const char *text);
extern int64 router_key_parse(RouterKey *key, const char *text);
extern char *router_key_text(const RouterKey *key, int64 value);
extern int64 router_key_int(const RouterKey *key, Datum value);
extern Datum router_key_fold(RouterKey *key, Datum value);
extern bool router_key_admits(RouterKey *key, Datum value);
extern uint64 router_key_hash(RouterKey *key, Datum value);
extern void router_key_span(const RouterKey *key, int64 value, int64 *lo, int64 *hi);
extern bool router_key_bucket(const RouterKey *key, int64 value, int64 *lo, int64 *hi);
extern int64 router_key_now(const RouterKey *key, TimestampTz at);
extern int64 router_key_from_now(const RouterKey *key, const Interval *span, int direction);

extern RouterBound *router_bound_parse(RouterKey *key, const char *text);
extern RouterBound *router_bound_read(RouterKey *key, const char *text);
extern int	router_bound_outline(const char *literal, RouterBound *bound);
extern RouterBound *router_bound_copy(RouterKey *key, const RouterBound *bound);
extern char *router_bound_text(RouterKey *key, const RouterBound *bound);
extern bool router_bound_has(RouterKey *key, const RouterBound *bound, Datum value, bool isnull);
extern int	router_gcd(int a, int b);
extern bool router_bounds_overlap(RouterKey *key, const RouterBound *a, const RouterBound *b);
extern void router_bound_condition(StringInfo buf, RouterKey *key, const RouterBound *bound);
extern char *router_bound_part(RouterKey *key, const RouterBound *bound);
extern char *router_value_text(RouterKey *key, Datum value);
extern Datum router_bound_sample(RouterKey *key, const RouterBound *bound, bool *isnull);

#endif
