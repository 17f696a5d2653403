-- Whoever may create in the schema of a base takes the names of what router is about to make there, also in a
-- transaction that does not end. Nothing of his is adopted, read, filled, dropped or granted, and nobody waits for him.
\ir ../../include/helpers.sql
\set tests 44
SELECT plan(:tests);

SELECT test.role('router_n_owner'), test.role('router_n_squatter'), test.role('router_n_user') \g /dev/null
CREATE SCHEMA s AUTHORIZATION router_n_owner;
GRANT USAGE, CREATE ON SCHEMA s TO router_n_squatter, router_n_user;
CREATE ACCESS METHOD heap2 TYPE TABLE HANDLER heap_tableam_handler;
SELECT 'router_' || current_database() AS gid \gset

SET ROLE router_n_owner;
CREATE TABLE s.t (k int PRIMARY KEY, v text DEFAULT 'x', u int);
CREATE INDEX ON s.t (v);
CREATE STATISTICS s.t_stat ON k, u FROM s.t;
SELECT router.create_route('s.t', router.by_integer('k', 10)) \g /dev/null
INSERT INTO s.t SELECT i, 'x', i FROM generate_series(1, 30) i;
GRANT INSERT, SELECT ON s.t TO router_n_user;
RESET ROLE;

-- what the squatter has of these tables: rows in them, heirs, indexes of others, grants
CREATE FUNCTION test.squats() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    t regclass;
    n bigint;
    sum bigint := 0;
BEGIN
    FOR t IN SELECT oid FROM pg_class WHERE relowner = 'router_n_squatter'::regrole AND relkind = 'r' LOOP
        EXECUTE format('SELECT count(*) FROM %s', t) INTO n;
        sum := sum + n;
    END LOOP;
    RETURN format('%s rows, %s heirs, %s grants, %s routed', sum,
                  (SELECT count(*) FROM pg_inherits WHERE inhrelid IN (SELECT oid FROM pg_class WHERE relowner = 'router_n_squatter'::regrole)),
                  (SELECT count(*) FROM pg_class WHERE relowner = 'router_n_squatter'::regrole AND relacl IS NOT NULL),
                  (SELECT count(*) FROM router.child_def WHERE child IN (SELECT oid FROM pg_class WHERE relowner = 'router_n_squatter'::regrole)));
END $$;

-- ------------------------------------------------------ children on demand
SET ROLE router_n_squatter;
CREATE TABLE s.t_31_40 (k int, v text, u int);
CREATE SEQUENCE s.t_41_50;
CREATE TYPE s.t_51_60 AS (k int);
CREATE TYPE s._t_61_70 AS (k int);
CREATE VIEW s.t_71_80_pkey AS SELECT 1 AS k;
CREATE TYPE s.t_81_90_v_idx AS ENUM ('a');
CREATE STATISTICS s.t_91_100_stat ON k, u FROM s.t_31_40;
SELECT count(*) AS squatted FROM pg_class WHERE relowner = 'router_n_squatter'::regrole \gset
RESET ROLE;
:fresh
SET ROLE router_n_user;
INSERT INTO s.t (k) SELECT i FROM generate_series(31, 100) i;
RESET ROLE;
SELECT is(:'SQLSTATE'::text, '00000'::text, 'names that are taken stop nobody');
SELECT is(test.strays('s.t'), 'none', 'rows are at home');
SELECT is((SELECT count(*)::int FROM router.children WHERE base = 's.t'::regclass), 10, 'in children of their own');
SELECT is(test.squats(), '0 rows, 0 heirs, 0 grants, 0 routed', 'what has the names is left alone');
SELECT is((SELECT string_agg(DISTINCT relowner::regrole::text, ' ') FROM pg_class WHERE oid IN (SELECT child FROM router.children UNION SELECT indexrelid FROM pg_index WHERE indrelid IN (SELECT child FROM router.children))), 'router_n_owner', 'children and their indexes are the owner''s');
SELECT is((SELECT count(*)::int FROM router.check('s.t')), 0, 'and complete');

-- in a transaction that does not end
SET ROLE router_n_squatter;
BEGIN;
CREATE TABLE s.t_101_110 (k int);
CREATE TYPE s.t_111_120 AS (k int);
CREATE TYPE s._t_121_130 AS (k int);
CREATE TABLE s.t_131_140_pkey (k int);
CREATE STATISTICS s.t_141_150_stat ON k, u FROM s.t_31_40;
SELECT format('CREATE TABLE s.router_bridge_%s (k int)', 's.t'::regclass::oid) \gexec
SELECT format('CREATE TABLE s.router_copy_%s (k int)', 's.t_1_10'::regclass::oid) \gexec
SELECT format('CREATE TABLE s.router_copy_%s_1 (k int)', 's.t_1_10'::regclass::oid) \gexec
CREATE TABLE s.t_u_keys (k int);
CREATE TABLE s.t_u_key (k int);
PREPARE TRANSACTION :'gid';
RESET ROLE;
:fresh
SET ROLE router_n_user;
SET lock_timeout = '2 s';
INSERT INTO s.t (k) SELECT i FROM generate_series(101, 150) i;
SELECT is(:'SQLSTATE'::text, '00000'::text, 'nobody waits for a transaction that is about to take the name of a child, its type, index or statistics');
RESET ROLE;
SET ROLE router_n_owner;
SET lock_timeout = '2 s';
SELECT is(test.outcome($$SELECT router.create_child('s.t', ARRAY['[151,160]'], 't_101_110')$$), '42710: name "t_101_110" is taken by a type, or by what another session is making', 'who asks for the name is told');
SELECT is(test.outcome($$SELECT router.add_global_key('s.t', '{u}', 't_101_110')$$), '42710: name "t_101_110" is taken by a type, or by what another session is making', 'for a key table as well');
CALL router.move_child('s.t_1_10', access_method => 'heap2', lock_timeout => '500 ms');
SELECT is(:'SQLSTATE'::text, '00000'::text, 'nor for one that is about to take those of a move');
SELECT is((SELECT amname FROM pg_class c JOIN pg_am a ON a.oid = relam WHERE c.oid = 's.t_1_10'::regclass), 'heap2', 'which ends well');
SELECT is(test.outcome($$SELECT router.add_global_key('s.t', '{u}')$$), 'done', 'nor those of a key table and its index');
RESET ROLE;
ROLLBACK PREPARED :'gid';
SELECT is((SELECT relowner::regrole::text FROM pg_class JOIN router.global_keys ON oid = key_table), 'router_n_owner', 'the key table is the owner''s');
SELECT is((SELECT count(*)::int FROM router.check('s.t')), 0, 'all is well');
RESET lock_timeout;

-- ------------------------------------------------------------------- moves
SET ROLE router_n_squatter;
SELECT format('CREATE TABLE s.router_bridge_%s (k int, v text, u int)', 's.t'::regclass::oid) \gexec
SELECT format('INSERT INTO s.router_bridge_%s VALUES (1)', 's.t'::regclass::oid) \gexec
SELECT format('CREATE TABLE s.router_copy_%s (k int, v text, u int)', c::regclass::oid) FROM unnest('{s.t_1_10,s.t_11_20,s.t_21_30}'::text[]) c \gexec
SELECT format('CREATE TABLE s.router_copy_%s_%s (k int, v text, u int)', c::regclass::oid, i) FROM unnest('{s.t_1_10,s.t_11_20,s.t_21_30}'::text[]) c, generate_series(1, 2) i \gexec
RESET ROLE;
SELECT test.squats() AS before \gset
SET ROLE router_n_owner;
CALL router.move_child('s.t_11_20', access_method => 'heap2');
SELECT is(:'SQLSTATE'::text, '00000'::text, 'a child is moved though all names are taken');
RESET ROLE;
CALL router.move_child('s.t_21_30', access_method => 'heap2');
SELECT is(:'SQLSTATE'::text, '00000'::text, 'by a superuser as well');
SELECT is((SELECT string_agg(format('%s %s %s', c.oid::regclass, amname, relowner::regrole), ', ' ORDER BY relname COLLATE "C") FROM pg_class c JOIN pg_am a ON a.oid = relam WHERE relname IN ('t_11_20', 't_21_30')),
    's.t_11_20 heap2 router_n_owner, s.t_21_30 heap2 router_n_owner', 'into a table of the owner');
SELECT is((SELECT string_agg(indexrelid::regclass::text, ', ' ORDER BY indexrelid::regclass::text COLLATE "C") FROM pg_index WHERE indrelid = 's.t_11_20'::regclass), 's.t_11_20_pkey, s.t_11_20_v_idx', 'whose indexes have their names again');
SELECT is((SELECT count(*)::int FROM s.t WHERE k BETWEEN 11 AND 30), 20, 'with its rows');
SELECT is(test.squats(), :'before', 'what has the names is left alone');
SELECT is((SELECT count(*)::int FROM router.check('s.t')), 0, 'nothing is told of it');
SELECT is((SELECT count(*)::int FROM pg_class WHERE relname ~ '^router_(bridge|copy)' AND relowner <> 'router_n_squatter'::regrole), 0, 'nothing of router''s is left');

-- an owner who forges what an interrupted run leaves has tables of his own, no more
SET ROLE router_n_owner;
SELECT format('CREATE TABLE s.router_bridge_%s_1 () INHERITS (s.t)', 's.t'::regclass::oid) \gexec
SELECT format('INSERT INTO s.router_bridge_%s_1 VALUES (-5)', 's.t'::regclass::oid) \gexec
SELECT format('CREATE TABLE s.router_copy_%s_3 AS SELECT 1 AS k', 's.t_1_10'::regclass::oid) \gexec
SELECT format('CREATE TRIGGER "!router_step" AFTER INSERT ON s.t_1_10 FOR EACH ROW EXECUTE FUNCTION router.keep_in_step(%L)', 's.t_31_40'::regclass::oid) \gexec
SELECT is(test.outcome('INSERT INTO s.t VALUES (0), (-1)'), 'done', 'a trigger that names somebody''s table');
SELECT lives_ok('DELETE FROM s.t WHERE k = 2', 'writes nothing there');
SELECT lives_ok('INSERT INTO s.t VALUES (2)', 'whatever happens');
CALL router.move_child('s.t_1_10', access_method => 'heap');
RESET ROLE;
SELECT is(test.squats(), :'before', 'a table of another is not written to');
SELECT is((SELECT count(*)::int FROM pg_class WHERE relname ~ '^router_(bridge|copy)' AND relowner = 'router_n_owner'::regrole), 2, 'nor dropped: neither what looks like a bridge nor like a copy');
SELECT matches((SELECT remedy FROM router.check('s.t') WHERE kind = 'inheritance' AND child::text ~ 'bridge'), '^SELECT router.attach_child', 'check takes it for what it is');
SET ROLE router_n_owner;
DROP TRIGGER IF EXISTS "!router_step" ON s.t_1_10;
SELECT format('DROP TABLE s.router_bridge_%s_1', 's.t'::regclass::oid) \gexec
RESET ROLE;
SELECT is((SELECT count(*)::int FROM router.check('s.t')), 0, 'all is well again');

-- names with all that needs quoting, in what check tells
SET ROLE router_n_owner;
CREATE TABLE s."a""; DROP TABLE s.t; --" () INHERITS (s.t);
RESET ROLE;
SELECT is((SELECT remedy FROM router.check('s.t')), $$SELECT router.attach_child('s.t', 's."a""; DROP TABLE s.t; --"', …), or ALTER TABLE … NO INHERIT$$, 'a name is quoted in a remedy');
DROP TABLE s."a""; DROP TABLE s.t; --";

-- ------------------------------------------------------------ other schemas
SET ROLE router_n_owner;
CREATE TABLE s.old (d date NOT NULL, k int, PRIMARY KEY (d, k));
SELECT router.create_route('s.old', router.by_date('d', 'month')) \g /dev/null
INSERT INTO s.old VALUES ('2020-01-05', 1), (now(), 2);
RESET ROLE;
CREATE SCHEMA attic;
SELECT matches(test.outcome($$SELECT router.set_maintenance('s.old', keep => '1 year', retire => 'schema', retire_schema => 'attic')$$), '^(done|42501)', 'a schema where the owner may not create');
CALL router.maintain('s.old');
SELECT is(to_regclass('attic.old_y2020m01'), NULL, 'is no place for what is retired, also if a superuser maintains');
GRANT USAGE, CREATE ON SCHEMA attic TO router_n_owner, router_n_squatter;
SET ROLE router_n_squatter;
CREATE TABLE attic.old_y2020m01 (k int);
CREATE TABLE attic.old_y2020m01_pkey (k int);
RESET ROLE;
SELECT router.set_maintenance('s.old', keep => '1 year', retire => 'schema', retire_schema => 'attic') \g /dev/null
CALL router.maintain('s.old');
SELECT is((SELECT relowner::regrole::text FROM pg_class WHERE relnamespace = 'attic'::regnamespace AND relname ~ '^old_y2020m01_[0-9a-f]{8}$' AND relkind = 'r'), 'router_n_owner', 'once he may, a name that is taken there is no obstacle');
SELECT is(test.squats(), :'before', 'and what has it is left alone');
GRANT INSERT ON s.old TO router_n_user;
REVOKE CREATE ON SCHEMA s FROM router_n_owner;
ALTER SCHEMA s OWNER TO CURRENT_USER;
:fresh
SET ROLE router_n_user;
INSERT INTO s.old VALUES ('2019-01-05', 1);
SELECT is(:'SQLSTATE'::text, '42501'::text, 'CREATE was revoked later: no child is made');
RESET ROLE;
GRANT USAGE, CREATE ON SCHEMA s TO router_n_owner;

-- ------------------------------------------------ names in the way of others
-- VACUUM of who may not: neither done nor waited for
GRANT SELECT ON s.t TO router_n_squatter;
BEGIN;
LOCK TABLE s.t_11_20 IN ACCESS SHARE MODE;
PREPARE TRANSACTION :'gid';
SET ROLE router_n_squatter;
SET client_min_messages = error;
SET lock_timeout = '500 ms';
SELECT current_setting('server_version_num')::int >= 180000 AS by_core \gset
\if :by_core
SELECT pass('PostgreSQL does it by itself') FROM generate_series(1, 2);
\else
VACUUM (FULL) s.t;
SELECT is(:'SQLSTATE'::text, '00000'::text, 'VACUUM of a stranger passes over children, and does not wait for their locks');
ANALYZE s.t;
SELECT is(:'SQLSTATE'::text, '00000'::text, 'nor does ANALYZE');
\endif
CLUSTER s.t USING t_pkey;
SELECT is(:'SQLSTATE'::text, '42501'::text, 'CLUSTER is refused');
REINDEX TABLE s.t;
SELECT is(:'SQLSTATE'::text, '42501'::text, 'REINDEX as well');
SELECT throws_ok('TRUNCATE s.t', '42501', NULL, 'and TRUNCATE');
SELECT throws_ok('LOCK TABLE s.t IN SHARE MODE', '42501', NULL, 'and a lock on the base that keeps writers out');
RESET ROLE;
ROLLBACK PREPARED :'gid';
RESET lock_timeout;
GRANT TRUNCATE ON s.t TO router_n_squatter;
SET ROLE router_n_squatter;
SELECT lives_ok('TRUNCATE s.t', 'who may TRUNCATE the base empties its children');
RESET ROLE;
SELECT is((SELECT count(*)::int FROM s.t), 0, 'all of them');
SELECT is(test.squats(), :'before', 'that is all');

DROP TABLE s.t, s.old;
DROP OWNED BY router_n_squatter, router_n_user, router_n_owner CASCADE;
DROP ACCESS METHOD heap2;
SELECT * FROM finish();
