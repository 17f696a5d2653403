/*
 * name.c
 *		Names for what router makes: which are free, and others if they are not.
 *
 * Whoever may create in a schema can take any name in it before router does. So
 * nothing is ever found by its name alone, and a name that is taken is no reason to
 * fail. It counts as taken as soon as another transaction has begun to take it: core would
 * wait for that transaction, and those who want a child with it.
 *
 * Locking: AccessShareLock on catalogs.
 */
#include "compat.h"
#include "base/name.h"

#include "access/genam.h"
#include "access/table.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_statistic_ext.h"
#include "catalog/pg_type.h"
#include "commands/tablecmds.h"
#include "common/hashfn.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/fmgroids.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

/* A catalog with names in schemas. */
typedef struct Named
{
	Oid			catalog;
	Oid			index;
	AttrNumber	name;
	AttrNumber	schema;
} Named;

static const Named relations = {
	RelationRelationId, ClassNameNspIndexId, Anum_pg_class_relname, Anum_pg_class_relnamespace};
static const Named types = {
	TypeRelationId, TypeNameNspIndexId, Anum_pg_type_typname, Anum_pg_type_typnamespace};
static const Named statistics = {
	StatisticExtRelationId, StatisticExtNameIndexId, Anum_pg_statistic_ext_stxname, Anum_pg_statistic_ext_stxnamespace};

/* Is there something of that name, or going to be? *unsure: a transaction that is under way decides it. */
static bool
is_used(const Named *named, const char *name, Oid schema, bool *unsure)
{
	Relation	catalog = table_open(named->catalog, AccessShareLock);
	NameData	wanted;
	ScanKeyData key[2];
	SnapshotData dirty;
	SysScanDesc scan;
	bool		used;

	namestrcpy(&wanted, name);
	ScanKeyInit(&key[0], named->name, BTEqualStrategyNumber, F_NAMEEQ, NameGetDatum(&wanted));
	ScanKeyInit(&key[1], named->schema, BTEqualStrategyNumber, F_OIDEQ, ObjectIdGetDatum(schema));
	InitDirtySnapshot(dirty);
	scan = systable_beginscan(catalog, named->index, true, &dirty, lengthof(key), key);
	used = HeapTupleIsValid(systable_getnext(scan));
	*unsure = used && (TransactionIdIsValid(dirty.xmin) || TransactionIdIsValid(dirty.xmax));
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	return used;
}

/* Would the array type of a new table wait for another transaction? For a name that is taken core has another one. */
static bool
array_type_waits(const char *name, Oid schema)
{
	char		array[NAMEDATALEN];
	bool		unsure;

	snprintf(array, sizeof(array), "_%s", name);
	array[pg_mbcliplen(array, strlen(array), NAMEDATALEN - 1)] = '\0';
	(void) is_used(&types, array, schema, &unsure);
	return unsure;
}

/* Does no relation have this name, and no type? The row type of a table needs it as well. */
bool
router_name_is_free(const char *name, Oid schema)
{
	bool		unsure;

	return !is_used(&relations, name, schema, &unsure) && !is_used(&types, name, schema, &unsure) &&
		!array_type_waits(name, schema);
}

/* Errors: duplicate_object, for a name that somebody wants; a relation that has it is left to core. */
void
router_check_name(const char *name, Oid schema)
{
	if (OidIsValid(get_relname_relid(name, schema)) || router_name_is_free(name, schema))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_DUPLICATE_OBJECT),
			 errmsg("name \"%s\" is taken by a type, or by what another session is making", name),
			 errhint("Give another name.")));
}

/* May somebody create in a schema who is neither this role nor the owner of the schema? */
bool
router_strangers_create(Oid schema, Oid role)
{
	HeapTuple	tup = SearchSysCache1(NAMESPACEOID, ObjectIdGetDatum(schema));
	bool		strangers = false;
	bool		isnull;
	Datum		datum;

	if (!HeapTupleIsValid(tup))
		return false;
	datum = SysCacheGetAttr(NAMESPACEOID, tup, Anum_pg_namespace_nspacl, &isnull);
	if (!isnull)
	{
		Acl		   *acl = DatumGetAclPCopy(datum);

		for (int i = 0; i < ACL_NUM(acl); i++)
		{
			const AclItem *item = &ACL_DAT(acl)[i];

			strangers = strangers || ((ACLITEM_GET_PRIVS(*item) & ACL_CREATE) != 0 && item->ai_grantee != role &&
									  item->ai_grantee != ((Form_pg_namespace) GETSTRUCT(tup))->nspowner);
		}
	}
	ReleaseSysCache(tup);
	return strangers;
}

bool
router_statistics_name_is_free(const char *name, Oid schema)
{
	bool		unsure;

	return !is_used(&statistics, name, schema, &unsure);
}

/* A name with "_" and a hash of a text behind it, made to fit, never cut inside a character. */
char *
router_cut_name(const char *name, const char *hashed)
{
	char	   *suffix = psprintf("_%08x", DatumGetUInt32(hash_any((const unsigned char *) hashed, strlen(hashed))));
	int			len = strlen(name);

	if (len + strlen(suffix) >= NAMEDATALEN)
		len = pg_mbcliplen(name, len, NAMEDATALEN - 1 - strlen(suffix));
	return psprintf("%.*s%s", len, name, suffix);
}

/* A name like this one that is free in two schemas, and always the same but for what names are taken. */
char *
router_another_name(const char *name, const char *hashed, Oid schema, Oid other_schema)
{
	char	   *other = router_cut_name(name, hashed);

	for (int i = 2; !router_name_is_free(other, schema) || !router_name_is_free(other, other_schema); i++)
		other = router_cut_name(name, psprintf("%s %d", hashed, i));
	return other;
}

/* The name, or if it is taken another one, for what is known by its oid. */
char *
router_private_name(const char *name, Oid schema)
{
	return router_name_is_free(name, schema) ? pstrdup(name) : router_another_name(name, name, schema, schema);
}

/* Would the array type of a table meet another type in a schema? */
static bool
array_type_fits(Oid relid, Oid schema)
{
	Oid			array = get_array_type(get_rel_type_id(relid));
	HeapTuple	tup = SearchSysCache1(TYPEOID, ObjectIdGetDatum(array));
	bool		fits = true;

	if (HeapTupleIsValid(tup))
	{
		fits = router_name_is_free(NameStr(((Form_pg_type) GETSTRUCT(tup))->typname), schema);
		ReleaseSysCache(tup);
	}
	return fits;
}

/* Gives a relation that is to go to a schema another name if its own is taken there. The caller owns it. */
void
router_make_room(Oid relid, Oid schema)
{
	const char *name = get_rel_name(relid);

	if (router_name_is_free(name, schema) && array_type_fits(relid, schema))
		return;
	RenameRelationInternal(relid, router_another_name(name, name, schema, get_rel_namespace(relid)), false,
						   get_rel_relkind(relid) == RELKIND_INDEX);
	CommandCounterIncrement();
}
