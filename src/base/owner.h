/*
 * owner.h
 *		Running as the owner of a table. See owner.c.
 */
#ifndef ROUTER_OWNER_H
#define ROUTER_OWNER_H

/* What there was before. */
typedef struct RouterAsOwner
{
	Oid			user;
	int			context;
	int			guc_level;
} RouterAsOwner;

extern Oid	router_relation_owner(Oid relid);
extern bool router_is_own_temp(Oid relid);
extern Oid	router_original(Oid relid);
extern bool router_is_meant(Oid base);
extern void router_check_definer(Oid relid, Oid role);
extern void router_become_owner(RouterAsOwner *saved, Oid owner, bool temp, const char *time_zone);
extern void router_become_user(const RouterAsOwner *saved);
extern int	router_see_all_rows(void);

#endif
