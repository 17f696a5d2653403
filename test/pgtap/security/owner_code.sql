-- Code that a table's owner defined runs only as that owner, restricted, or as core would run it for an ordinary table:
-- a canary wherever he can define some, and every call, by a superuser and by a member of his role.
\ir ../../include/helpers.sql
\set tests 26
SELECT plan(:tests);

SELECT test.role('router_oc_owner'), test.role('router_oc_member'), test.role('router_oc_app') \g /dev/null
GRANT router_oc_owner TO router_oc_member;
SET allow_in_place_tablespaces = on;
SELECT $$CREATE TABLESPACE router_t_space LOCATION ''$$ WHERE NOT EXISTS (SELECT FROM pg_tablespace WHERE spcname = 'router_t_space') \gexec
GRANT CREATE ON TABLESPACE router_t_space TO router_oc_owner;
SELECT current_user AS me \gset
\ir ../../include/owner_code.sql
\set caller :me
\ir ../../include/owner_code_calls.sql
\set caller router_oc_member
\ir ../../include/owner_code_calls.sql

-- ------------------------------------------------------------ statements, with an ordinary twin as the oracle
-- Not what is evaluated when somebody opens an index for the first time, which the session keeps.
SET SESSION AUTHORIZATION router_oc_owner;
SELECT mal.make('o'), mal.make('r') \g /dev/null
SELECT router.create_route('mal.r', router.by_date('d', 'month', label => 'SELECT mal.label($1)')) \g /dev/null
CREATE VIEW mal.view_o AS SELECT *, mal.i('view', n) AS v FROM mal.o WHERE mal.b('view where', n);
CREATE VIEW mal.view_r AS SELECT *, mal.i('view', n) AS v FROM mal.r WHERE mal.b('view where', n);
GRANT SELECT ON mal.view_o, mal.view_r TO router_oc_app;
RESET SESSION AUTHORIZATION;
CREATE PROCEDURE test.twice(caller text, command text) LANGUAGE plpgsql AS $$
DECLARE
    twin text;
BEGIN
    FOREACH twin IN ARRAY ARRAY['o', 'r'] LOOP
        PERFORM set_config('canary.call', twin || ' ' || caller || ': ' || command, false);
        EXECUTE 'SET ROLE ' || caller;
        EXECUTE replace(replace(command, '@', 'mal.' || twin), '#', twin);
        RESET ROLE;
        COMMIT;
        PERFORM set_config('canary.call', '', false);
        RESET work_mem;
        RESET lock_timeout;
        RESET timezone;
    END LOOP;
END $$;
CREATE PROCEDURE test.statements(caller text) LANGUAGE plpgsql AS $$
DECLARE
    command text;
BEGIN
    FOREACH command IN ARRAY ARRAY[
        'INSERT INTO @ (id, d, n, r, c, cs, p) VALUES (1, ''2024-01-10'', 1, 1, 1, ''{1}'', ''(1,1)'')',
        'INSERT INTO @ (id, d, n, c) SELECT i, date ''2024-01-01'' + i * 20, i, 1 FROM generate_series(2, 40) i',
        'INSERT INTO @ (id, d, n) VALUES (41, ''2024-01-10'', 41) RETURNING n',
        'INSERT INTO @ (id, d, n) VALUES (41, ''2024-01-10'', 41), (42, ''2031-01-10'', 42) ON CONFLICT DO NOTHING',
        'SELECT count(*), sum(n) FROM @',
        'SELECT sum(n) FROM @ WHERE d = ''2024-01-10''',
        'SELECT sum(mal.i(''target'', n)) FROM @ WHERE mal.b(''where'', n) AND d < now()',
        'SELECT sum(v) FROM mal.view_#',
        'UPDATE @ SET def = 5 WHERE n < 4',
        'SELECT n FROM @ WHERE n = 10 FOR UPDATE',
        'DELETE FROM @ WHERE n = 2',
        'MERGE INTO @ t USING (SELECT generate_series(9, 11) m UNION SELECT 200) s ON t.n = s.m WHEN MATCHED THEN UPDATE SET def = 6 WHEN NOT MATCHED THEN INSERT (id, d, n) VALUES (m, ''2026-05-01'', m)',
        'TRUNCATE @'] LOOP
        CALL test.twice(caller, command);
    END LOOP;
END $$;
CALL test.statements(:'me');
SET canary.call = 'o COPY';
COPY mal.o (id, d, n) FROM STDIN;
1	2024-01-10	1
2	2024-05-10	2
\.
SET canary.call = 'r COPY';
COPY mal.r (id, d, n) FROM STDIN;
1	2024-01-10	1
2	2024-05-10	2
\.
RESET work_mem;
RESET lock_timeout;
RESET timezone;
CALL test.twice(:'me', 'TRUNCATE @');
CALL test.statements('router_oc_app');
CALL test.statements('router_oc_owner');
SELECT is_empty($$
    SELECT substr(call, 3), place, who, restricted FROM seen WHERE call LIKE 'r %' AND place NOT IN ('label', 'index const', 'predicate const')
    EXCEPT SELECT substr(call, 3), place, who, restricted FROM seen WHERE call LIKE 'o %'$$,
    'statements run what the owner of a routed table defined as those on an ordinary table do');
SELECT is_empty($$
    SELECT substr(call, 3), place, who, restricted FROM seen WHERE call LIKE 'o %' AND place NOT IN ('index const', 'predicate const')
    EXCEPT SELECT substr(call, 3), place, who, restricted FROM seen WHERE call LIKE 'r %'$$, 'and all of it');
SELECT results_eq($$SELECT DISTINCT who, restricted FROM seen WHERE place = 'label'$$, $$VALUES ('router_oc_owner'::name, true)$$,
    'whose label names a new child does not matter to it');
SELECT cmp_ok((SELECT count(DISTINCT place) FROM seen WHERE who = :'me'), '>=', 20::bigint, 'the canaries sing');
TRUNCATE seen;

-- ------------------------------------------------------------ key tables
SET SESSION AUTHORIZATION router_oc_owner;
CREATE TABLE mal.k (id int, d date);
SELECT router.create_route('mal.k', router.by_date('d', 'month')) \g /dev/null
SELECT router.add_global_key('mal.k', '{id}', 'k_keys') \g /dev/null
CREATE FUNCTION mal.bigger(place text, v anyelement) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM mal.note(place); RETURN true; END $$;
ALTER TABLE mal.k_keys ADD CONSTRAINT chk CHECK (mal.bigger('key check', id));
CREATE INDEX ON mal.k_keys (mal.bigger('key index', id));
CREATE TRIGGER key_row AFTER INSERT OR UPDATE OR DELETE ON mal.k_keys FOR EACH ROW EXECUTE FUNCTION mal.fire();
INSERT INTO mal.k SELECT i, date '2024-01-01' + i * 20 FROM generate_series(1, 6) i;
CREATE TABLE mal.attached (LIKE mal.k);
INSERT INTO mal.attached VALUES (101, '2020-01-01'), (102, '2020-01-01');
RESET SESSION AUTHORIZATION;
SET canary.call = 'attach_child';
SELECT isnt_empty($$SELECT router.attach_child('mal.k', 'mal.attached', ARRAY['[2020-01-01,2020-02-01)'])$$, 'rows that come with a child get entries');
SET canary.call = '';
DELETE FROM mal.k_keys WHERE id < 4;
SET canary.call = 'rebuild_global_key';
SELECT is((SELECT string_agg(l, ' ') FROM router.rebuild_global_key('mal.k', '{id}') l), 'make 3 entries in mal.k_keys', 'entries are made again, with a trigger on the key table');
SET canary.call = '';
SELECT results_eq($$SELECT call, place, who, restricted, count(*)::int FROM seen GROUP BY 1, 2, 3, 4 ORDER BY 1, 2$$,
    $$VALUES ('attach_child', 'key check', 'router_oc_owner'::name, true, 2), ('attach_child', 'key index', 'router_oc_owner', true, 2), ('attach_child', 'key_row', 'router_oc_owner', true, 2),
             ('rebuild_global_key', 'key check', 'router_oc_owner', true, 3), ('rebuild_global_key', 'key index', 'router_oc_owner', true, 3), ('rebuild_global_key', 'key_row', 'router_oc_owner', true, 3)$$,
    'what is on a key table runs as its owner, restricted');
TRUNCATE seen;
SET canary.call = 'type';
ALTER TABLE mal.k ALTER id TYPE bigint;
SET canary.call = '';
SELECT results_eq($$SELECT DISTINCT place, who, restricted FROM seen ORDER BY 1$$,
    $$VALUES ('key check', 'router_oc_owner'::name, true), ('key index', 'router_oc_owner', true)$$, 'so when its type follows that of the base');
SELECT router.detach_child('mal.attached') \g /dev/null
CREATE CONSTRAINT TRIGGER key_deferred AFTER INSERT OR DELETE ON mal.k_keys DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION mal.fire();
SELECT throws_ok($$SELECT router.attach_child('mal.k', 'mal.attached', ARRAY['[2020-01-01,2020-02-01)'])$$, '42501', NULL,
    'nothing of it waits for the end of the caller''s transaction');
TRUNCATE seen;

-- ------------------------------------------------------------ row security that is forced on the owner
SET SESSION AUTHORIZATION router_oc_owner;
CREATE TABLE mal.f (id int, d date, r int, hidden boolean);
CREATE POLICY p ON mal.f USING (NOT hidden);
ALTER TABLE mal.f ENABLE ROW LEVEL SECURITY;
SELECT router.create_route('mal.f', router.by_date('d', 'month')) \g /dev/null
INSERT INTO mal.f VALUES (1, '2024-01-01', 1, false), (2, '2024-01-02', 2, true), (3, '2024-02-01', 1, false), (4, '2024-02-01', 1, true);
ALTER TABLE mal.f FORCE ROW LEVEL SECURITY;
RESET SESSION AUTHORIZATION;
SELECT throws_ok('ALTER TABLE mal.f ADD FOREIGN KEY (r) REFERENCES mal.ref', '23503', NULL, 'a foreign key is checked for rows that the owner does not see');
DELETE FROM mal.f WHERE id = 2;
SET row_security = off;
SELECT is(test.outcome('ALTER TABLE mal.f ADD FOREIGN KEY (r) REFERENCES mal.ref'), 'done', 'with row_security off as well');
RESET row_security;
CALL router.move_child('mal.f_y2024m02', tablespace => 'router_t_space');
SELECT is((SELECT count(*) FROM mal.f), 3::bigint, 'moved with the rows that the owner does not see');
SET row_security = off;
CALL router.move_child('mal.f_y2024m01', tablespace => 'router_t_space');
SELECT is((SELECT count(*) FROM pg_class WHERE relname ~ '^f_y' AND reltablespace <> 0), 2::bigint, 'row_security off does not hinder it');
RESET row_security;

-- ------------------------------------------------------------ what is at work on a child cannot be taken away underneath
SET SESSION AUTHORIZATION router_oc_owner;
CREATE TABLE mal.taken (id int, d date);
CREATE FUNCTION mal.take() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    IF current_setting('canary.call') = 'take' THEN DROP TABLE mal.taken; END IF;
EXCEPTION WHEN object_in_use THEN NULL;
END $$;
CREATE FUNCTION mal.taking(i int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM mal.take(); RETURN i; END $$;
CREATE INDEX ON mal.taken (mal.taking(id));
SELECT router.create_route('mal.taken', router.by_date('d', 'month')) \g /dev/null
INSERT INTO mal.taken VALUES (1, '2024-01-01'), (2, '2024-02-01');
RESET SESSION AUTHORIZATION;
SET canary.call = 'take';
CALL router.move_child('mal.taken_y2024m01', tablespace => 'router_t_space');
SELECT is(test.outcome($$CALL router.move_child('mal.taken_y2024m02', tablespace => 'router_t_space')$$), 'done', 'a move goes on in a transaction block');
SET canary.call = '';
SELECT is((SELECT count(*) FROM pg_class WHERE relname ~ '^taken_y' AND relkind = 'r' AND reltablespace <> 0), 2::bigint, 'and by itself, when an index function tries to drop the table');

-- ------------------------------------------------------------ a temporary table of another session
SELECT count(*) = 1 AS dblink FROM pg_available_extensions WHERE name = 'dblink' \gset
\if :dblink
CREATE EXTENSION dblink;
SELECT dblink_connect('other', format('host=%s port=%s dbname=%s user=%s', split_part(current_setting('unix_socket_directories'), ',', 1), current_setting('port'), current_database(), current_user)) \g /dev/null
SELECT dblink_exec('other', $$SET SESSION AUTHORIZATION router_oc_owner; CREATE TEMP TABLE elsewhere (id int, d date)$$),
       dblink_exec('other', $$DO 'BEGIN PERFORM router.create_route(''elsewhere'', router.by_date(''d'', ''month'', label => ''SELECT mal.label($1)''), hot => ''1 day''); END'$$),
       dblink_exec('other', $$INSERT INTO elsewhere VALUES (1, '2024-01-01')$$) \g /dev/null
SELECT base::oid AS elsewhere FROM router.routes JOIN pg_class ON oid = base WHERE relname = 'elsewhere' \gset
SET canary.call = 'temporary, of another session';
CALL router.maintain(:elsewhere, dry_run => true);
SET canary.call = '';
SELECT results_eq('SELECT DISTINCT place, who, restricted FROM seen', $$VALUES ('label', 'router_oc_owner'::name, true)$$, 'what its owner defined runs as he, restricted');
SELECT is((SELECT count(*) FROM router.check() WHERE routed_table = :elsewhere), 0::bigint, 'it is none of those that are checked where none is named');
CALL router.archive();
SELECT is((SELECT count(*) FROM router.events WHERE base = :elsewhere AND action = 'archive'), 0::bigint, 'or archived');
SELECT dblink_disconnect('other') \g /dev/null
\else
SELECT skip('dblink is not there', 3);
\endif

SELECT * FROM finish();
