/*
 * location.c
 *		Where a child can be: checks of tablespaces, access methods and servers.
 *
 * Nothing is locked or changed here but AccessShareLock on the child looked at.
 */
#include "compat.h"
#include "tier/location.h"

#include "access/table.h"
#include "catalog/pg_tablespace.h"
#include "commands/tablespace.h"
#include "foreign/foreign.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/syscache.h"

#include "base/args.h"

/* May a role put tables there? InvalidOid: the one of the database. */
static bool
may_use_tablespace(Oid tablespace, Oid role)
{
	return !OidIsValid(tablespace) || tablespace == MyDatabaseTableSpace ||
		DatumGetBool(DirectFunctionCall3(has_tablespace_privilege_id_id, ObjectIdGetDatum(role),
										 ObjectIdGetDatum(tablespace), CStringGetTextDatum("CREATE")));
}

static void
check_tablespace(const char *name, Oid owner)
{
	Oid			tablespace = get_tablespace_oid(name, true);

	if (!OidIsValid(tablespace) || tablespace == GLOBALTABLESPACE_OID)
		ereport(ERROR,
				(errcode(OidIsValid(tablespace) ? ERRCODE_INVALID_PARAMETER_VALUE : ERRCODE_UNDEFINED_OBJECT),
				 OidIsValid(tablespace) ? errmsg("only shared relations can be in tablespace pg_global") :
				 errmsg("tablespace \"%s\" does not exist", name),
				 errhint("See pg_tablespace, or CREATE TABLESPACE.")));
	if (!may_use_tablespace(tablespace, owner))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for tablespace %s", name),
				 errdetail("The owner of the routed table, %s, may not create tables there.",
						   GetUserNameFromId(owner, false)),
				 errhint("GRANT CREATE ON TABLESPACE %s TO %s.", quote_identifier(name),
						 quote_identifier(GetUserNameFromId(owner, false)))));
}

static void
check_access_method(const char *name)
{
	if (!OidIsValid(get_am_oid(name, true)))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("access method \"%s\" does not exist", name),
				 errhint("See pg_am, or CREATE ACCESS METHOD.")));
	(void) get_table_am_oid(name, false);
}

static void
check_server(const char *name, Oid owner)
{
	ForeignServer *server = GetForeignServerByName(name, true);
	const char *role = quote_identifier(GetUserNameFromId(owner, false));

	if (server == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("server \"%s\" does not exist", name),
				 errhint("See pg_foreign_server, or CREATE SERVER.")));
	if (strcmp(GetForeignDataWrapper(server->fdwid)->fdwname, "postgres_fdw") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("server \"%s\" is not one of postgres_fdw", name),
				 errhint("Attach a foreign table of another wrapper with router.attach_child.")));
	if (!DatumGetBool(DirectFunctionCall3(has_server_privilege_id_id, ObjectIdGetDatum(owner),
										  ObjectIdGetDatum(server->serverid), CStringGetTextDatum("USAGE"))))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("permission denied for foreign server %s", name),
				 errdetail("The owner of the routed table, %s, may not use it.", GetUserNameFromId(owner, false)),
				 errhint("GRANT USAGE ON FOREIGN SERVER %s TO %s.", quote_identifier(name), role)));
	if (!SearchSysCacheExists2(USERMAPPINGUSERSERVER, ObjectIdGetDatum(owner), ObjectIdGetDatum(server->serverid)) &&
		!SearchSysCacheExists2(USERMAPPINGUSERSERVER, ObjectIdGetDatum(InvalidOid), ObjectIdGetDatum(server->serverid)))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("user mapping not found for \"%s\"", GetUserNameFromId(owner, false)),
				 errhint("CREATE USER MAPPING FOR %s SERVER %s, and for all who read the routed table.", role,
						 quote_identifier(name))));
}

/*
 * May children that this role owns be there?
 * Errors: invalid_parameter_value, undefined_object, wrong_object_type, insufficient_privilege.
 */
void
router_check_location(const RouterLocation *location, Oid owner)
{
	if (!location->tablespace && !location->access_method && !location->server && !location->local)
		router_bad_argument("tablespace, access_method, server", "Give one of them.");
	if (location->server && (location->tablespace || location->access_method || location->local))
		router_bad_argument("server", "A server stands alone: tablespace and access method are those over there.");
	if (location->remote_schema && !location->server)
		router_bad_argument("remote_schema", "It goes with server.");
	if (location->tablespace)
		check_tablespace(location->tablespace, owner);
	if (location->access_method)
		check_access_method(location->access_method);
	if (location->server)
		check_server(location->server, owner);
}

/* Is the child there already? */
bool
router_is_at_location(Oid child, const RouterLocation *location)
{
	Relation	rel = table_open(child, AccessShareLock);
	Oid			tablespace = OidIsValid(rel->rd_rel->reltablespace) ? rel->rd_rel->reltablespace : MyDatabaseTableSpace;
	bool		foreign = rel->rd_rel->relkind == RELKIND_FOREIGN_TABLE;
	bool		there;

	if (location->server)
		there = foreign && GetForeignTable(child)->serverid == get_foreign_server_oid(location->server, false);
	else
		there = !foreign &&
			(!location->tablespace || tablespace == get_tablespace_oid(location->tablespace, false)) &&
			(!location->access_method || rel->rd_rel->relam == get_table_am_oid(location->access_method, false));
	table_close(rel, NoLock);
	return there;
}

/* " tablespace a access method b", or " server a schema b". */
char *
router_location_text(const RouterLocation *location)
{
	char	   *text = "";

	if (location->tablespace)
		text = psprintf(" tablespace %s", quote_identifier(location->tablespace));
	if (location->access_method)
		text = psprintf("%s access method %s", text, quote_identifier(location->access_method));
	if (location->server)
		text = psprintf("%s server %s", text, quote_identifier(location->server));
	if (location->remote_schema)
		text = psprintf("%s schema %s", text, quote_identifier(location->remote_schema));
	return text;
}
