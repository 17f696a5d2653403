
-- ---------------------------------------------------------------- grants
-- The last part of router--1.0.sql: it looks at all objects that the others have made.

-- Default privileges of who installs this are for other objects: who writes to these tables is as good as every owner.
DO $$
DECLARE
    given record;
BEGIN
    FOR given IN SELECT 'TABLE' AS kind, c.oid::pg_catalog.regclass::text AS object, a.privilege_type, a.grantee
                   FROM pg_catalog.pg_class c, pg_catalog.aclexplode(c.relacl) a
                  WHERE c.relnamespace OPERATOR(pg_catalog.=) 'router'::pg_catalog.regnamespace AND a.grantee OPERATOR(pg_catalog.<>) c.relowner
                    AND (a.grantee OPERATOR(pg_catalog.<>) 0::oid OR a.privilege_type OPERATOR(pg_catalog.<>) 'SELECT')
                 UNION ALL
                 SELECT 'ROUTINE', p.oid::pg_catalog.regprocedure::text, a.privilege_type, a.grantee
                   FROM pg_catalog.pg_proc p, pg_catalog.aclexplode(p.proacl) a
                  WHERE p.pronamespace OPERATOR(pg_catalog.=) 'router'::pg_catalog.regnamespace AND a.grantee OPERATOR(pg_catalog.<>) p.proowner
                    AND a.grantee OPERATOR(pg_catalog.<>) 0::oid LOOP
        EXECUTE pg_catalog.format('REVOKE %s ON %s %s FROM %s', given.privilege_type, given.kind, given.object,
                                  CASE WHEN given.grantee OPERATOR(pg_catalog.=) 0::oid THEN 'PUBLIC' ELSE given.grantee::pg_catalog.regrole::text END);
    END LOOP;
END $$;

-- Functions ask for the owner themselves. Of internal ones, those of event triggers and config_changed are fired by objects
-- of the extension only, for which nobody needs EXECUTE. The others see who calls them (src/guard.c), and are open: owners of
-- tables and who restores them make the triggers, router.progress asks is_at_work as its reader, CHECKs call unseal as the writer.
GRANT EXECUTE ON ALL ROUTINES IN SCHEMA router TO PUBLIC;
REVOKE EXECUTE ON FUNCTION router.config_changed(), router.on_sql_drop(), router.on_ddl_start(), router.on_ddl_end() FROM PUBLIC;
GRANT USAGE ON TYPE router.key TO PUBLIC;
