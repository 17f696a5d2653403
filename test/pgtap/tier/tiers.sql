-- Tiers: move_child, add_tier, drop_tier, tier. Tablespace, access method, and a server that leads back here. Checklist B8, B9.
\ir ../../include/helpers.sql
\set tests 79
SELECT plan(:tests);

SET allow_in_place_tablespaces = on;
CREATE TABLESPACE router_tiers_slow LOCATION '';
CREATE ACCESS METHOD heap2 TYPE TABLE HANDLER heap_tableam_handler;
SELECT test.role('router_tiers_owner');

CREATE FUNCTION test.place(child regclass) RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(' ', c.relkind, coalesce(t.spcname, 'default'), a.amname)
      FROM pg_class c LEFT JOIN pg_tablespace t ON t.oid = c.reltablespace LEFT JOIN pg_am a ON a.oid = c.relam WHERE c.oid = child
$$;
CREATE FUNCTION test.left_behind() RETURNS text LANGUAGE sql AS $$
    SELECT coalesce(string_agg(relname, ', '), 'nothing') FROM pg_class WHERE relname ~ '^router_(copy|bridge)'
$$;

CREATE TABLE log (id bigint, d timestamptz NOT NULL, v text DEFAULT 'x', n int GENERATED ALWAYS AS (length(v)) STORED,
                  PRIMARY KEY (id, d), CONSTRAINT positive CHECK (id > 0));
CREATE INDEX ON log (d);
CREATE UNIQUE INDEX ON log (lower(v), d) WHERE id > 5;
CREATE STATISTICS log_stats ON id, v FROM log;
COMMENT ON COLUMN log.v IS 'a text';
SELECT router.create_route('log', router.by_date('d', 'month'), time_zone => 'UTC', horizon => '100 years') \g /dev/null
INSERT INTO log (id, d, v) SELECT i, timestamptz '2020-01-01' + i * interval '1 hour', 'row ' || i FROM generate_series(1, 3000) i;
ALTER TABLE log ALTER v SET STORAGE external;
INSERT INTO log (id, d, v) VALUES (5000, '2020-01-05', repeat('long ', 10000));
ALTER TABLE log ADD COLUMN gone int, ADD COLUMN w int DEFAULT 7;
ALTER TABLE log DROP COLUMN gone;
ANALYZE log;

-- ---------------------------------------------------------------- tablespace, access method
CREATE TABLE before AS SELECT *, tableoid::regclass::text AS home FROM log;
CALL router.move_child('log_y2020m01', tablespace => 'router_tiers_slow');
SELECT is(test.place('log_y2020m01'), 'r router_tiers_slow heap', 'tablespace');
SELECT is((SELECT string_agg(DISTINCT spcname, ' ') FROM pg_index JOIN pg_class c ON c.oid = indexrelid LEFT JOIN pg_tablespace t ON t.oid = c.reltablespace WHERE indrelid = 'log_y2020m01'::regclass),
          'router_tiers_slow', 'its indexes too');
SELECT is((SELECT spcname FROM pg_class c JOIN pg_class o ON o.reltoastrelid = c.oid JOIN pg_tablespace t ON t.oid = c.reltablespace WHERE o.oid = 'log_y2020m01'::regclass), 'router_tiers_slow', 'and what is toasted');
SELECT bag_eq('SELECT *, tableoid::regclass::text AS home FROM log', 'SELECT * FROM before', 'every row is there');
SELECT is(test.unlike('log'), 'nothing', 'the child is like its base');
SELECT is_empty($$SELECT * FROM router.check('log')$$, 'router.check agrees');
SELECT is(test.left_behind(), 'nothing', 'nothing is left behind');
SELECT is((SELECT string_agg(indexname, ' ' ORDER BY indexname) FROM pg_indexes WHERE tablename = 'log_y2020m01'), 'log_y2020m01_d_idx log_y2020m01_lower_d_idx log_y2020m01_pkey', 'indexes have their names');
SELECT is((SELECT count(*) FROM pg_attribute WHERE attrelid = 'log_y2020m01'::regclass AND attnum > 0 AND NOT attisdropped AND (attislocal OR attinhcount <> 1)), 0::bigint, 'columns come from the base');
SELECT is(test.follow('log', 'ALTER TABLE log DROP COLUMN w'), 'followed', 'and go with it');
SELECT is(test.follow('log', 'ALTER TABLE log DROP CONSTRAINT positive'), 'followed', 'so do constraints');
ALTER TABLE log ADD CONSTRAINT positive CHECK (id > 0);

CALL router.move_child('log_y2020m01', access_method => 'heap2');
SELECT is(test.place('log_y2020m01'), 'r router_tiers_slow heap2', 'access method; the tablespace stays');
CALL router.move_child('log_y2020m01', tablespace => 'pg_default', access_method => 'heap');
SELECT is(test.place('log_y2020m01'), 'r default heap', 'both');
SELECT is((SELECT count(*) FROM log), 3001::bigint, 'every row is there');
SELECT is((SELECT count(*) FROM router.events WHERE action = 'move_child' AND error IS NULL), 3::bigint, 'router.events has the moves');
SELECT is((SELECT rows FROM router.events ORDER BY at DESC LIMIT 1), 744::bigint, 'and the rows');
SELECT lives_ok($$CALL router.move_child('log_y2020m01', tablespace => 'pg_default')$$, 'nothing to do');
SELECT is((SELECT count(*) FROM router.events), 3::bigint, 'is no event');
SELECT lives_ok($$CALL router.move_child('log_y2020m01', tablespace => 'router_tiers_slow', dry_run => true)$$, 'dry_run');
SELECT is(test.place('log_y2020m01'), 'r default heap', 'does nothing');

BEGIN;
CALL router.move_child('log_y2020m01', tablespace => 'router_tiers_slow');
SELECT is(test.place('log_y2020m01'), 'r router_tiers_slow heap', 'within a transaction');
ROLLBACK;
SELECT is(test.place('log_y2020m01'), 'r default heap', 'that is rolled back');
DO $$ BEGIN CALL router.move_child('log_y2020m01', tablespace => 'router_tiers_slow'); END $$;
SELECT is(test.place('log_y2020m01'), 'r router_tiers_slow heap', 'within a DO');
SELECT is(test.left_behind(), 'nothing', 'nothing is left behind');

-- ---------------------------------------------------------------- errors
SELECT throws_ok($$CALL router.move_child('before', tablespace => 'pg_default')$$, '55000', NULL, 'no child');
SELECT throws_ok($$CALL router.move_child(NULL, tablespace => 'pg_default')$$, '22004', NULL, 'NULL');
SELECT throws_ok($$CALL router.move_child('log_y2020m01')$$, '22023', NULL, 'nowhere to');
SELECT throws_ok($$CALL router.move_child('log_y2020m01', tablespace => 'nowhere')$$, '42704', NULL, 'no such tablespace');
SELECT throws_ok($$CALL router.move_child('log_y2020m01', tablespace => 'pg_global')$$, '22023', NULL, 'pg_global');
SELECT throws_ok($$CALL router.move_child('log_y2020m01', access_method => 'nothing')$$, '42704', NULL, 'no such access method');
SELECT throws_ok($$CALL router.move_child('log_y2020m01', access_method => 'btree')$$, '55000', NULL, 'an access method of indexes');
SELECT throws_ok($$CALL router.move_child('log_y2020m01', server => 'nowhere')$$, '42704', NULL, 'no such server');
SELECT throws_ok($$CALL router.move_child('log_y2020m01', server => 'nowhere', tablespace => 'pg_default')$$, '22023', NULL, 'a server and a tablespace');
SELECT throws_ok($$CALL router.move_child('log_y2020m01', tablespace => 'pg_default', remote_schema => 's')$$, '22023', NULL, 'a schema without a server');
SELECT throws_ok($$CALL router.move_child('log_y2020m01', tablespace => 'pg_default', lock_timeout => '0')$$, '22023', NULL, 'lock_timeout');
SELECT throws_ok($$CALL router.move_child('log_y2020m02', tablespace => 'router_tiers_slow', local => true)$$, '55000', NULL, 'local, but it is on no server');
SELECT isnt(test.hint($$CALL router.move_child('log_y2020m01', tablespace => 'nowhere')$$), NULL, 'errors have hints');
CREATE VIEW january AS SELECT * FROM log_y2020m01;
SELECT throws_ok($$CALL router.move_child('log_y2020m01', tablespace => 'pg_default')$$, '2BP01', NULL, 'a view of the child');
DROP VIEW january;
CREATE TRIGGER own BEFORE UPDATE ON log_y2020m01 FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();
SELECT throws_ok($$CALL router.move_child('log_y2020m01', tablespace => 'pg_default')$$, '2BP01', NULL, 'a trigger of its own');
DROP TRIGGER own ON log_y2020m01;
CREATE TEMP TABLE brief (d date);
SELECT router.create_route('brief', router.by_date('d', 'month'), horizon => '100 years') \g /dev/null
INSERT INTO brief VALUES ('2020-01-01');
SELECT throws_ok($$CALL router.move_child('brief_y2020m01', tablespace => 'router_tiers_slow')$$, '0A000', NULL, 'a temporary table');

-- ---------------------------------------------------------------- tiers
SELECT is((SELECT router.add_tier('log', '1 year', tablespace => 'router_tiers_slow')), 'add tier of public.log after 1 year: tablespace router_tiers_slow', 'add_tier');
SELECT is((SELECT router.add_tier('log', '2 years', access_method => 'heap2', dry_run => true)), 'would add tier of public.log after 2 years: access method heap2', 'add_tier, dry run');
SELECT results_eq('SELECT base, after, tablespace, access_method FROM router.tier_def', $$VALUES ('log'::regclass, interval '1 year', 'router_tiers_slow'::name, NULL::name)$$, 'tier_def');
SELECT throws_ok($$SELECT router.add_tier('log', NULL, tablespace => 'pg_default')$$, '22004', NULL, 'NULL');
SELECT throws_ok($$SELECT router.add_tier('log', '0', tablespace => 'pg_default')$$, '22023', NULL, 'after nothing');
SELECT throws_ok($$SELECT router.add_tier('log', '1 year')$$, '22023', NULL, 'no place');
SELECT throws_ok($$SELECT router.add_tier('before', '1 year', tablespace => 'pg_default')$$, '55000', NULL, 'no routed table');
SELECT throws_ok($$SELECT router.drop_tier('log', '3 years')$$, '42704', NULL, 'drop_tier: there is none');
CREATE TABLE num (k int);
SELECT router.create_route('num', router.by_integer('k', 10)) \g /dev/null
SELECT throws_ok($$SELECT router.add_tier('num', '1 year', tablespace => 'pg_default')$$, '22023', NULL, 'no date among the keys');
CREATE TABLE warm (d date);
SELECT router.create_route('warm', router.by_date('d', 'month'), hot => '1 month') \g /dev/null
SELECT throws_ok($$SELECT router.add_tier('warm', '30 days', tablespace => 'pg_default')$$, '22023', NULL, 'not longer than hot');

INSERT INTO log (id, d) VALUES (9001, now()), (9002, now() - interval '18 months');
CALL router.tier('log');
SELECT is((SELECT string_agg(DISTINCT tablespace, ' ' ORDER BY tablespace) FROM router.children WHERE base = 'log'::regclass AND bounds::text < '{"[' || (now() - interval '14 months')::date), 'router_tiers_slow', 'old children are in the tier');
SELECT is((SELECT count(*) FROM router.children WHERE base = 'log'::regclass AND tablespace = 'pg_default'), 1::bigint, 'the child of now is not');
SELECT is((SELECT action || ' ' || rows FROM router.events ORDER BY at DESC LIMIT 1), 'tier 2258', 'one event a run');
SELECT router.add_tier('log', '2 years', access_method => 'heap2') \g /dev/null
CALL router.tier();
SELECT is(test.place('log_y2020m02'), 'r router_tiers_slow heap2', 'the next tier');
SELECT is((SELECT count(*) FROM router.children WHERE base = 'log'::regclass AND test.place(child) = 'r router_tiers_slow heap'), 1::bigint, 'of two tiers that of the older children');
SELECT is((SELECT router.add_tier('log', '2 years', tablespace => 'pg_default')), 'replace tier of public.log after 2 years: tablespace pg_default', 'a tier is replaced');
SELECT is((SELECT router.drop_tier('log', '24 months')), 'drop tier of public.log after 2 years', 'drop_tier');
SELECT is((SELECT count(*) FROM router.tier_def), 1::bigint, 'is gone');
SET ROLE router_tiers_owner;
SELECT throws_ok($$SELECT router.add_tier('log', '3 years', tablespace => 'pg_default')$$, '42501', NULL, 'add_tier: not the owner');
SELECT throws_ok($$SELECT router.drop_tier('log', '1 year')$$, '42501', NULL, 'drop_tier: not the owner');
SELECT throws_ok($$CALL router.move_child('log_y2020m02', tablespace => 'pg_default')$$, '42501', NULL, 'move_child: not the owner');
SELECT throws_ok($$CALL router.tier('log')$$, '42501', NULL, 'tier: not the owner');
SELECT lives_ok('CALL router.tier()', 'tier: of all that are yours');
RESET ROLE;
CREATE TABLE theirs (d date);
ALTER TABLE theirs OWNER TO router_tiers_owner;
SELECT router.create_route('theirs', router.by_date('d', 'month')) \g /dev/null
SELECT throws_ok($$SELECT router.add_tier('theirs', '1 year', tablespace => 'router_tiers_slow')$$, '42501', NULL, 'the owner needs CREATE on the tablespace');
DROP TABLE theirs;
SELECT is_empty('SELECT * FROM router.check()', 'all is well');

-- ---------------------------------------------------------------- a server
SELECT count(*) = 2 AS fdw FROM pg_available_extensions WHERE name IN ('postgres_fdw', 'dblink') \gset
\if :fdw
CREATE EXTENSION postgres_fdw;
CREATE EXTENSION dblink;
CREATE SCHEMA far;
SELECT current_setting('port') AS port, trim(split_part(current_setting('unix_socket_directories'), ',', 1)) AS sockets, current_database() AS db, current_user AS me \gset
CREATE SERVER loop FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host :'sockets', port :'port', dbname :'db');
SELECT throws_ok($$CALL router.move_child('log_y2020m02', server => 'loop')$$, '42704', NULL, 'no user mapping');
CREATE USER MAPPING FOR CURRENT_USER SERVER loop OPTIONS (user :'me');
CREATE TABLE place (id int PRIMARY KEY);
ALTER TABLE log ADD COLUMN p int REFERENCES place;
SELECT throws_ok($$CALL router.move_child('log_y2020m02', server => 'loop', remote_schema => 'far')$$, '0A000', NULL, 'foreign keys');
ALTER TABLE log DROP COLUMN p;
SELECT router.add_global_key('log', '{id}') \g /dev/null
ANALYZE log_y2020m02;
CALL router.move_child('log_y2020m02', server => 'loop', remote_schema => 'far');
SELECT is((SELECT reltuples FROM pg_class WHERE oid = 'log_y2020m02'::regclass), 696::real, 'the planner knows its size');
SELECT is((SELECT state FROM router.children WHERE child = 'log_y2020m02'::regclass), 'foreign', 'on a server');
SELECT is_empty('SELECT * FROM router.check()', 'all is well, global keys included');
SELECT throws_ok($$INSERT INTO log (id, d) VALUES (800, '2020-04-04')$$, '23505', NULL, 'a key of a row over there is taken');
:fresh
INSERT INTO log (id, d, v) VALUES (7001, '2020-02-02', 'late') RETURNING tableoid::regclass AS home, n \gset
SELECT is(:'home' || :n, 'log_y2020m024', 'a late row');
UPDATE log SET d = '2020-02-03' WHERE id = 7 AND d < '2020-02-01';
SELECT is((SELECT tableoid::regclass::text FROM log WHERE id = 7), 'log_y2020m02', 'a row is moved there');
SELECT throws_ok($$UPDATE log SET d = '2020-02-03' WHERE id = 8$$, '0A000', NULL, 'not if the statement might meet it again');
DELETE FROM log WHERE id IN (7, 7001);
CALL router.move_child('log_y2020m02', local => true, tablespace => 'router_tiers_slow');
SELECT is(test.place('log_y2020m02'), 'r router_tiers_slow heap', 'back, elsewhere');
SELECT is_empty('SELECT * FROM router.check()', 'all is well');
SELECT is((SELECT count(*) FROM pg_tables WHERE schemaname = 'far'), 0::bigint, 'the table over there is gone');
-- a hot base archives into a child over there
CREATE TABLE hot (id int, d date NOT NULL);
CREATE INDEX ON hot (d);
INSERT INTO hot SELECT i, current_date - 400 + i FROM generate_series(1, 60) i;
SELECT router.create_route('hot', router.by_date('d', 'year'), hot => '300 days') \g /dev/null
CALL router.archive('hot', cutoff => (current_date - 380)::text);
SELECT count(*) AS children FROM router.children WHERE base = 'hot'::regclass \gset
SELECT format('CALL router.move_child(%L, server => %L, remote_schema => %L)', child, 'loop', 'far') FROM router.children WHERE base = 'hot'::regclass \gexec
CALL router.archive('hot');
SELECT is((SELECT count(*) || ' ' || count(DISTINCT id) || ' ' || (SELECT count(*) FROM ONLY hot) FROM hot), '60 60 0', 'a hot base archives into a child over there');
SELECT is_empty('SELECT * FROM router.check()', 'all is well');
\else
SELECT skip('postgres_fdw and dblink are not available', 14);
\endif

SELECT * FROM finish();
