-- Names: who could put something into schema router, or into a schema of the search_path, before the extension came or after,
-- has nothing of it called by router. The extension's objects are the installer's, and stay his.
\ir ../../include/helpers.sql
\set tests 38
SELECT plan(:tests);

SELECT test.role('router_sc_owner'), test.role('router_sc_squatter') \g /dev/null
GRANT USAGE ON SCHEMA test TO PUBLIC;

-- ------------------------------------------------------------------ a schema that was there
CREATE FUNCTION test.install(VARIADIC commands text[]) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    command text;
    told text;
BEGIN
    FOREACH command IN ARRAY commands LOOP
        EXECUTE command;
    END LOOP;
    CREATE EXTENSION router;
    RAISE EXCEPTION 'installed';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS told = PG_EXCEPTION_DETAIL;
    RETURN CASE SQLSTATE WHEN '55000' THEN told WHEN 'P0001' THEN 'installed' ELSE SQLSTATE || ' ' || SQLERRM END;
END $$;
DROP EXTENSION router;
SELECT is(test.install('SELECT 1'), 'installed', 'the schema that an extension of before has left');
SELECT is(test.install('DROP SCHEMA router'), 'installed', 'none');
SELECT is(test.install('DROP SCHEMA router', 'CREATE SCHEMA router', 'GRANT USAGE ON SCHEMA router TO router_sc_squatter', 'GRANT ALL ON SCHEMA router TO ' || quote_ident(current_user)), 'installed', 'an empty one of a superuser''s');
SELECT is(test.install('DROP SCHEMA router', 'CREATE SCHEMA router AUTHORIZATION router_sc_squatter'), 'It belongs to router_sc_squatter, who is no superuser.', 'one of somebody else');
SELECT is(test.install(command), 'Others than superusers may create objects in it.', command)
  FROM unnest('{GRANT CREATE ON SCHEMA router TO router_sc_squatter, GRANT ALL ON SCHEMA router TO PUBLIC}'::text[]) command;
SELECT is(test.install(command), 'There is something in it.', command)
  FROM unnest(ARRAY['CREATE FUNCTION router.quote_ident(name) RETURNS text LANGUAGE sql RETURN $1::text',
    'CREATE PROCEDURE router.p() LANGUAGE sql AS ''''', 'CREATE AGGREGATE router.count(*) (SFUNC = int8inc, STYPE = int8, INITCOND = ''0'')',
    'CREATE OPERATOR router.= (LEFTARG = oid, RIGHTARG = oid, PROCEDURE = oideq)',
    'CREATE DOMAIN router.regclass AS pg_catalog.regclass', 'CREATE TYPE router.text AS (a int)', 'CREATE TYPE router.e AS ENUM ()',
    'CREATE TABLE router.t ()', 'CREATE VIEW router.pg_class AS SELECT 1 AS oid', 'CREATE SEQUENCE router.s', 'CREATE COLLATION router.c (provider = libc, locale = ''C'')',
    'CREATE OPERATOR FAMILY router.f USING btree', 'CREATE TEXT SEARCH DICTIONARY router.d (TEMPLATE = simple)', 'CREATE DEFAULT CONVERSION router.c FOR ''LATIN1'' TO ''UTF8'' FROM iso8859_1_to_utf8',
    'ALTER DEFAULT PRIVILEGES FOR ROLE router_sc_squatter IN SCHEMA router GRANT ALL ON TABLES TO router_sc_squatter']) command;
SELECT is(test.hint('DO $$BEGIN CREATE TABLE router.t (); CREATE EXTENSION router; END$$'), 'Drop or rename it, and let CREATE EXTENSION make the schema. No default privileges may let others create objects there.', 'and a hint');

-- ------------------------------------------------------------------ a hostile schema
-- Whatever pg_catalog has, with the same arguments, and some that fit better. Each counts its calls, also if they are undone.
CREATE SCHEMA hostile;
GRANT USAGE ON SCHEMA hostile TO PUBLIC;
CREATE SEQUENCE hostile.calls;
GRANT ALL ON SEQUENCE hostile.calls TO PUBLIC;
SET check_function_bodies = off;
CREATE PROCEDURE test.fill() LANGUAGE plpgsql AS $$
DECLARE
    f record;
    n int := 0;
BEGIN
    FOR f IN SELECT proname, args, CASE WHEN proretset THEN 'SETOF ' ELSE '' END || format_type(prorettype, NULL) AS result
               FROM pg_proc JOIN pg_type r ON r.oid = prorettype,
                    LATERAL (SELECT coalesce(string_agg(format_type(a, NULL), ', ' ORDER BY i), '') AS args, coalesce(bool_or(typtype = 'p'), false) AS pseudo
                               FROM unnest(proargtypes) WITH ORDINALITY u(a, i) JOIN pg_type t ON t.oid = a) a
              WHERE pronamespace = 'pg_catalog'::regnamespace AND prokind = 'f' AND r.typtype <> 'p' AND NOT pseudo AND provariadic = 0
              UNION SELECT * FROM (VALUES ('quote_ident', 'name', 'text'), ('quote_literal', 'name', 'text'), ('format', 'text', 'text'), ('format', 'text, text', 'text'),
                    ('format', 'text, name', 'text'), ('format', 'text, name, text', 'text'), ('format', 'text, oid', 'text'), ('length', 'name', 'int'), ('lower', 'name', 'text'),
                    ('concat', 'text, text', 'text'), ('unnest', 'name[]', 'SETOF name'), ('unnest', 'text[]', 'SETOF text'), ('to_regclass', 'name', 'regclass'), ('pg_get_expr', 'pg_node_tree, regclass', 'text'),
                    ('pg_total_relation_size', 'oid', 'bigint'), ('pg_has_role', 'regrole, text', 'boolean'), ('round', 'double precision, int', 'numeric'), ('nextval', 'oid', 'bigint')) v LOOP
        EXECUTE format('CREATE FUNCTION hostile.%I(%s) RETURNS %s LANGUAGE plpgsql AS $f$BEGIN PERFORM pg_catalog.nextval(''hostile.calls''); RAISE ''hostile %% as %%'', %L, current_user; END$f$',
                       f.proname, f.args, f.result, f.proname);
    END LOOP;
    FOR f IN SELECT oprname, CASE WHEN oprleft <> 0 THEN format_type(oprleft, NULL) END AS l, format_type(oprright, NULL) AS r, format_type(oprresult, NULL) AS result
               FROM pg_operator JOIN pg_type r ON r.oid = oprright LEFT JOIN pg_type l ON l.oid = oprleft JOIN pg_type s ON s.oid = oprresult
              WHERE oprnamespace = 'pg_catalog'::regnamespace AND 'p' NOT IN (r.typtype, coalesce(l.typtype, 'b'), s.typtype)
              UNION SELECT * FROM (VALUES ('=', 'regclass', 'regclass', 'boolean'), ('=', 'regclass', 'oid', 'boolean'), ('=', 'oid', 'regclass', 'boolean'), ('<>', 'regclass', 'oid', 'boolean'),
                    ('=', 'varchar', 'varchar', 'boolean'), ('=', 'varchar', 'text', 'boolean'), ('=', 'name[]', 'name[]', 'boolean'), ('=', 'text[]', 'text[]', 'boolean'),
                    ('=', 'smallint', 'regclass', 'boolean'), ('||', 'text', 'name', 'text'), ('||', 'text', 'oid', 'text'), ('||', 'text', 'int', 'text'), ('||', 'text', 'bigint', 'text'),
                    ('||', 'text', 'regclass', 'text'), ('||', 'text', 'boolean', 'text'), ('=', 'date', 'text', 'boolean')) v LOOP
        n := n + 1;
        EXECUTE format('CREATE FUNCTION hostile.op%s(%s%s) RETURNS %s LANGUAGE plpgsql AS $f$BEGIN PERFORM pg_catalog.nextval(''hostile.calls''); RAISE ''hostile operator %% as %%'', %L, current_user; END$f$',
                       n, f.l || ', ', f.r, f.result, format('%s %s %s', f.l, f.oprname, f.r));
        EXECUTE format('CREATE OPERATOR hostile.%s (%s RIGHTARG = %s, PROCEDURE = hostile.op%s)', f.oprname, 'LEFTARG = ' || f.l || ',', f.r, n);
    END LOOP;
    FOR f IN SELECT relname FROM pg_class WHERE relnamespace = 'pg_catalog'::regnamespace AND relkind IN ('r', 'v') UNION SELECT relname FROM pg_class WHERE relnamespace = 'router'::regnamespace AND relkind IN ('r', 'v') LOOP
        EXECUTE format('CREATE VIEW hostile.%I AS SELECT hostile.version()', f.relname);
    END LOOP;
    FOR f IN SELECT typname FROM pg_type WHERE typnamespace = 'pg_catalog'::regnamespace AND typtype IN ('b', 'r') AND typcategory <> 'A' AND typname !~ '^pg_' LOOP
        EXECUTE format('CREATE DOMAIN hostile.%I AS pg_catalog.%I CHECK (hostile.version() IS NULL)', f.typname, f.typname);
    END LOOP;
END $$;
SET search_path = pg_catalog;
CREATE EXTENSION router;
CALL test.fill();
DROP EXTENSION router;
-- with this path a name means what is hostile
SET search_path = hostile, pg_catalog, public, test;
SELECT 1 = 1;
SELECT is_called AS means_hostile FROM hostile.calls \gset
SELECT pg_catalog.setval('hostile.calls', 1, false) \g /dev/null
CREATE EXTENSION router;
RESET search_path;
SELECT ok(:'means_hostile', 'a hostile path');
SELECT is((SELECT is_called FROM hostile.calls), false, 'CREATE EXTENSION calls nothing hostile');
SELECT is(count(*), 0::bigint, 'nor refers to it')
  FROM pg_depend d JOIN pg_depend e ON e.objid = d.objid AND e.classid = d.classid AND e.deptype = 'e' AND e.refclassid = 'pg_extension'::regclass
 WHERE (d.refclassid, d.refobjid) IN (SELECT classid, objid FROM pg_depend WHERE refclassid = 'pg_namespace'::regclass AND refobjid = 'hostile'::regnamespace);

-- ------------------------------------------------------------------ called with a hostile path
-- Everything, as a superuser and as an owner; with tables of a session in the way as well, named like catalogs.
CREATE SCHEMA app AUTHORIZATION router_sc_owner;
CREATE ACCESS METHOD other_heap TYPE TABLE HANDLER heap_tableam_handler;
GRANT CREATE ON SCHEMA app TO CURRENT_USER;
CREATE TEMP TABLE pg_class (oid oid, relname name);
CREATE TEMP TABLE pg_index (indexrelid oid);
CREATE TEMP TABLE pg_attribute (attname name);
CREATE TEMP TABLE route_def (base regclass);
CREATE TYPE pg_temp.regclass AS (x int);
CREATE TYPE pg_temp.text AS (x int);
GRANT SELECT ON pg_class, pg_index, pg_attribute, route_def TO PUBLIC;
CREATE PROCEDURE test.empty(role name) LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    EXECUTE format('DROP SCHEMA app CASCADE; CREATE SCHEMA app AUTHORIZATION %I; GRANT ALL ON SCHEMA app TO %I', role, current_user);
    PERFORM setval('hostile.calls', 1, false);
END $$;
CREATE FUNCTION test.child(like_name pg_catalog.text) RETURNS pg_catalog.text LANGUAGE sql SET search_path = pg_catalog AS $$SELECT min(child::text) FROM router.child_def WHERE child::text ~ like_name$$;
CALL test.empty(current_user);
SET search_path = hostile, pg_catalog, public, test;
\ir ../../include/every_call.sql
SET search_path = pg_catalog, public, pg_temp;
SELECT is((SELECT last_value::int - 1 FROM hostile.calls WHERE is_called), NULL, 'a superuser with a hostile path calls nothing hostile');
SELECT is((SELECT string_agg(DISTINCT action, ' ' ORDER BY action) FROM router.events), 'analyze archive maintain move_child premake redistribute retention rotate seal sync tier', 'and the jobs are done');
SELECT is((SELECT string_agg(error, ' ') FROM router.events), NULL, 'without errors');
DELETE FROM router.events;
CALL test.empty('router_sc_owner');
SET ROLE router_sc_owner;
SET search_path = hostile, pg_catalog, public, test;
\ir ../../include/every_call.sql
SET search_path = pg_catalog, public, pg_temp;
RESET ROLE;
SELECT is((SELECT last_value::int - 1 FROM hostile.calls WHERE is_called), NULL, 'nor does an owner');
SELECT is((SELECT string_agg(DISTINCT action, ' ' ORDER BY action) FROM router.events), 'analyze archive maintain move_child premake redistribute retention rotate seal sync tier', 'and the jobs are done');
SELECT is((SELECT string_agg(error, ' ') FROM router.events), NULL, 'without errors');
-- the owner's table in the hands of a superuser who has that path: rows, upkeep, and DDL
INSERT INTO app.t VALUES (7, '2024-07-01', 'g');
SET search_path = hostile, pg_catalog, public, test;
INSERT INTO app.t VALUES (8, '2024-08-01', 'h');
CALL router.maintain('app.h');
SELECT router.sync('app.t');
ALTER TABLE app.t ADD COLUMN more pg_catalog.text;
DROP TABLE app.h;
SET search_path = pg_catalog, public, pg_temp;
SELECT is((SELECT last_value::int - 1 FROM hostile.calls WHERE is_called), NULL, 'nor a superuser for an owner');
SELECT is(tableoid::regclass::pg_catalog.text, 'app.t_8_y2024m08', 'whose row is home') FROM app.t WHERE k = 8;
DROP TYPE pg_temp.regclass, pg_temp.text;
DROP TABLE pg_temp.pg_class, pg_temp.pg_index, pg_temp.pg_attribute, pg_temp.route_def;
RESET search_path;
DROP SCHEMA hostile CASCADE;

-- ------------------------------------------------------------------ the extension's objects
-- what a superuser can do to them
CREATE TABLE test.attempt (who text, command text, expected text);
INSERT INTO test.attempt VALUES
    ('superuser', 'ALTER EXTENSION router UPDATE', 'done'),
    ('superuser', 'ALTER EXTENSION router SET SCHEMA public', '0A000'),
    ('superuser', 'DROP FUNCTION router.drop_tier', '2BP01'),
    ('superuser', 'DROP TABLE router.route_def', '2BP01'),
    ('superuser', 'DROP VIEW router.routes', '2BP01'),
    ('superuser', 'DROP EVENT TRIGGER router_on_ddl_end', '2BP01'),
    ('superuser', 'DROP SCHEMA router', '2BP01'),
    ('superuser', 'DROP TRIGGER config_changed ON router.route_def', 'done');
-- and others cannot, who own the database
INSERT INTO test.attempt SELECT 'owner', command, '42501' FROM unnest(ARRAY[
    'ALTER EXTENSION router UPDATE', 'ALTER EXTENSION router SET SCHEMA app', 'ALTER EXTENSION router ADD TABLE app.mine', 'ALTER EXTENSION router DROP FUNCTION router.drop_tier',
    'ALTER EXTENSION router DROP TABLE router.route_def', 'DROP EXTENSION router CASCADE', 'COMMENT ON EXTENSION router IS ''x''',
    'ALTER FUNCTION router.drop_tier SET search_path = app', 'ALTER FUNCTION router.drop_tier OWNER TO router_sc_owner', 'ALTER FUNCTION router.drop_tier SECURITY DEFINER',
    'ALTER FUNCTION router.drop_tier RENAME TO c', 'ALTER FUNCTION router.drop_tier SET SCHEMA app', 'DROP FUNCTION router.drop_tier CASCADE',
    'ALTER PROCEDURE router.tier SET search_path = app',
    'CREATE OR REPLACE FUNCTION router.by_hash(column_name name, modulus integer) RETURNS router.key LANGUAGE sql RETURN NULL', 'CREATE FUNCTION router.by_hash(text, integer) RETURNS router.key LANGUAGE sql RETURN NULL',
    'CREATE OPERATOR router.= (LEFTARG = oid, RIGHTARG = oid, PROCEDURE = oideq)', 'CREATE TABLE router.mine ()', 'CREATE TYPE router.mine AS ENUM ()', 'ALTER TABLE app.mine SET SCHEMA router', 'CREATE VIEW router.mine AS SELECT 1',
    'CREATE OR REPLACE VIEW router.routes AS SELECT 1 AS base', 'ALTER VIEW router.routes OWNER TO router_sc_owner', 'ALTER VIEW router.children SET (security_barrier)', 'DROP VIEW router.routes CASCADE',
    'ALTER TABLE router.route_def OWNER TO router_sc_owner', 'ALTER TABLE router.route_def DISABLE TRIGGER ALL', 'ALTER TABLE router.route_def ADD COLUMN x int', 'ALTER TABLE router.key_def RENAME COLUMN label TO l',
    'CREATE TRIGGER t BEFORE INSERT ON router.event_def FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()', 'CREATE RULE r AS ON INSERT TO router.event_def DO INSTEAD NOTHING', 'CREATE POLICY p ON router.route_def', 'CREATE INDEX ON router.key_def (label)', 'DROP INDEX router.child_def_base_idx',
    'CREATE TABLE app.heir () INHERITS (router.route_def)', 'ALTER TABLE app.mine INHERIT router.loose_def', 'TRUNCATE router.event_def', 'LOCK TABLE router.route_def IN ACCESS EXCLUSIVE MODE', 'LOCK TABLE router.route_def IN SHARE MODE',
    'INSERT INTO router.route_def SELECT * FROM router.route_def', 'UPDATE router.key_def SET label = ''x''', 'DELETE FROM router.child_def', 'DELETE FROM router.events', 'DELETE FROM router.event_def', 'UPDATE router.routes SET hot = NULL', 'SELECT * FROM router.route_def FOR UPDATE',
    'ALTER TYPE router.key ADD ATTRIBUTE x int', 'ALTER TYPE router.key OWNER TO router_sc_owner', 'CREATE CAST (router.key AS text) WITH INOUT AS IMPLICIT', 'ALTER SCHEMA router RENAME TO r', 'ALTER SCHEMA router OWNER TO router_sc_owner', 'DROP SCHEMA router CASCADE',
    'ALTER EVENT TRIGGER router_on_ddl_end DISABLE', 'ALTER EVENT TRIGGER router_on_ddl_end OWNER TO router_sc_owner', 'DROP EVENT TRIGGER router_on_ddl_end', 'ALTER DEFAULT PRIVILEGES FOR ROLE ' || quote_ident(current_user) || ' IN SCHEMA router GRANT ALL ON TABLES TO PUBLIC',
    'COMMENT ON SCHEMA router IS ''x''', 'COMMENT ON FUNCTION router.drop_tier IS ''x''', 'REINDEX TABLE router.route_def', 'CREATE STATISTICS app.s ON base, hot FROM router.route_def', 'CLUSTER router.child_def USING child_def_base_idx',
    'CREATE PUBLICATION p FOR TABLE router.route_def']) command;
-- what core lets an owner of a database do, or the like, does nothing: a warning
INSERT INTO test.attempt SELECT 'owner', command, 'done' FROM unnest('{REVOKE ALL ON router.route_def FROM PUBLIC, REVOKE USAGE ON SCHEMA router FROM PUBLIC, GRANT CREATE ON SCHEMA router TO PUBLIC,
    GRANT SELECT ON router.route_def TO router_sc_squatter}'::text[]) command;
CREATE FUNCTION test.attempts(who text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    a record;
    ended text;
    result text := '';
BEGIN
    FOR a IN SELECT * FROM test.attempt t WHERE t.who = attempts.who LOOP
        BEGIN
            EXECUTE a.command;
            RAISE USING ERRCODE = 'RB000';
        EXCEPTION WHEN OTHERS THEN
            ended := CASE SQLSTATE WHEN 'RB000' THEN 'done' ELSE SQLSTATE END;
        END;
        result := result || CASE WHEN ended <> a.expected THEN format('%s: %s; ', a.command, ended) ELSE '' END;
    END LOOP;
    RETURN result;
END $$;
CREATE TABLE app.mine ();
ALTER TABLE app.mine OWNER TO router_sc_owner;
GRANT SELECT ON test.attempt TO PUBLIC;
SELECT format('ALTER DATABASE %I OWNER TO router_sc_owner', current_database()) \gexec
SELECT is(test.attempts('superuser'), '', 'a superuser may do what core lets him do to an extension');
SELECT has_database_privilege('router_sc_owner', current_database(), 'CREATE') AS owns \gset
SET client_min_messages = error;
SET ROLE router_sc_owner;
SELECT ok(:'owns', 'the owner of the database');
SELECT is(test.attempts('owner'), '', 'may do nothing to it');
REVOKE ALL ON router.route_def FROM PUBLIC;
GRANT CREATE ON SCHEMA router TO PUBLIC;
RESET ROLE;
SELECT is(has_schema_privilege('router_sc_squatter', 'router', 'CREATE'), false, 'nor grant it');
SELECT is(has_table_privilege('router_sc_squatter', 'router.route_def', 'SELECT'), true, 'nor revoke');
SELECT format('ALTER DATABASE %I OWNER TO %I', current_database(), current_user) \gexec
SELECT * FROM finish();
