/*
 * adopt_part.h
 *		What the files of adopt share: adopt.c, adopt_check.c, adopt_keys.c, adopt_name.c;
 *		import_declarative.c adopts partitions by them.
 */
#ifndef ROUTER_ADOPT_PART_H
#define ROUTER_ADOPT_PART_H

#include "base/report.h"
#include "route/route.h"

/* What the CHECKs of a child say of one column. */
typedef struct AdoptFact
{
	AttrNumber	attnum;			/* of the base */
	int			cut;			/* n: of its first characters, -n: of its last; 0: of the value */
	bool		ranged;			/* between lo and hi, as in RouterBound */
	int64		lo;
	int64		hi;
	List	   *values;			/* texts, that one of which it has; NIL: any */
	bool		null;			/* it may be NULL, or is if there are no values */
} AdoptFact;

/* An inheritance child of the base, or a partition. */
typedef struct AdoptChild
{
	Oid			relid;
	List	   *facts;
	char	   *problem;		/* why it cannot be adopted, or NULL */
	RouterBound *bounds[ROUTER_MAX_LEVELS];
	char	   *texts[ROUTER_MAX_LEVELS];	/* of the bounds */
} AdoptChild;

/* An inheritance set that is about to be taken over. */
typedef struct Adoption
{
	Oid			base;
	ArrayType  *keys;			/* as given, or NULL: they are found */
	List	   *drop;			/* names of triggers that may go */
	bool		dry_run;
	RouterConfig *config;
	List	   *children;		/* of AdoptChild */
	List	   *triggers;		/* names of those that go */
	List	   *notes;			/* lines for the user */
	List	   *problems;		/* lines; children's own stand with them */
	bool		rows;			/* some are in the base */
} Adoption;

/* adopt.c */
extern char *router_adopt_problem_of(Relation rel, Relation base);
extern bool router_adopt_refuses(RouterReport *report, Adoption *adoption, const char *message, const char *hint);
extern void router_adopt_finish_plan(Adoption *adoption);
extern void router_adopt_tell_plan(RouterReport *report, Adoption *adoption);

/* adopt_check.c */
extern void router_adopt_read_partition(AdoptChild *child, Relation rel, Relation base, const char *time_zone);
extern void router_adopt_read_checks(AdoptChild *child, Relation rel, Relation base, const char *time_zone);

/* adopt_keys.c */
extern void router_adopt_find_keys(Adoption *adoption, Relation base);
extern bool router_adopt_add_key(Adoption *adoption, Relation base, AttrNumber attnum);
extern void router_adopt_find_steps(Adoption *adoption, Relation base);
extern void router_adopt_find_bounds(Adoption *adoption);

/* adopt_name.c */
extern AdoptFact *router_adopt_fact_of_name(Adoption *adoption, const AdoptChild *child);
extern void router_adopt_find_template(Adoption *adoption);
extern void router_adopt_find_schema(Adoption *adoption);

#endif
