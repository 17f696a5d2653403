-- router.maintain, its settings, and router.progress. Checklist B8, B11, D9, F5, F15. Retention: maintain/retention.sql.
\ir ../../include/helpers.sql
\set tests 71
SELECT plan(:tests);

-- Runs a CALL as a top-level statement of another session would, and collects what it says.
CREATE FUNCTION test.steps(base regclass) RETURNS text LANGUAGE sql AS $$
    SELECT coalesce(string_agg(action || ' ' || rows || CASE WHEN error IS NULL THEN '' ELSE ' failed' END, ', ' ORDER BY at), 'nothing') FROM router.events e WHERE e.base = $1 AND action <> 'maintain'
$$;
-- The names of the children of the month n steps from now.

CREATE TABLE log (id bigint, d timestamptz, v int, PRIMARY KEY (id, d));
CREATE INDEX ON log (d);
SELECT router.create_route('log', router.by_date('d', 'month'), hot => '7 days', time_zone => 'UTC') \g /dev/null
CREATE TABLE plain (id int);
CREATE TABLE list (id int, k text);
SELECT router.create_route('list', router.by_list('k')) \g /dev/null

-- -------------------------------------------------------------------- settings
SELECT is((SELECT array_agg(base || ' ' || (m IS NULL) ORDER BY base::text) FROM router.maintenance m), ARRAY['list false', 'log false'], 'router.maintenance has every routed table');
SELECT is((SELECT num_nonnulls(premake, keep, keep_children, retire, retire_schema) FROM router.maintenance WHERE base = 'log'::regclass), 0, 'without settings');
SELECT results_eq($$SELECT * FROM router.set_maintenance('log', premake => 2, keep => '2 years', dry_run => true)$$,
                  $$VALUES ('would set premake of public.log to 2'), ('would set keep of public.log to 2 years')$$, 'dry_run tells');
SELECT is((SELECT count(*) FROM router.maintain_def), 0::bigint, 'and does nothing');
SELECT results_eq($$SELECT * FROM router.set_maintenance('log', premake => 2, keep => '2 years')$$,
                  $$VALUES ('set premake of public.log to 2'), ('set keep of public.log to 2 years')$$, 'a line for each setting');
SELECT is_empty($$SELECT * FROM router.set_maintenance('log', premake => 2, keep => '2 years')$$, 'once more changes nothing');
SELECT is_empty($$SELECT * FROM router.set_maintenance('list')$$, 'without an argument nothing is set');
SELECT is((SELECT count(*) FROM router.maintain_def), 1::bigint, 'and no row is there');
SELECT results_eq($$SELECT * FROM router.set_maintenance('log', keep_children => 24)$$, $$VALUES ('set keep_children of public.log to 24')$$, 'what is null stays as it is');
SELECT results_eq($$SELECT premake, keep, keep_children, retire, retire_schema FROM router.maintenance WHERE base = 'log'::regclass$$,
                  $$VALUES (2, interval '2 years', 24, 'drop', NULL::name)$$, 'router.maintenance shows them');
SELECT throws_ok($$SELECT router.set_maintenance('log', premake => -1)$$, '22023', NULL, 'premake -1');
SELECT throws_ok($$SELECT router.set_maintenance('log', premake => 10001)$$, '22023', NULL, 'premake 10001');
SELECT throws_ok($$SELECT router.set_maintenance('list', premake => 1)$$, '22023', NULL, 'premake without a date key');
SELECT lives_ok($$SELECT router.set_maintenance('list', premake => 0)$$, 'premake 0 is for any route');
SELECT throws_ok($$SELECT router.set_maintenance('log', keep => '0')$$, '22023', NULL, 'keep of nothing');
SELECT throws_ok($$SELECT router.set_maintenance('log', keep => '-1 year')$$, '22023', NULL, 'keep below zero');
SELECT throws_ok($$SELECT router.set_maintenance('log', keep => '7 days')$$, '22023', NULL, 'keep not longer than hot');
SELECT throws_ok($$SELECT router.set_maintenance('list', keep => '1 year')$$, '22023', NULL, 'keep without a date key');
SELECT throws_ok($$SELECT router.set_maintenance('list', keep_children => 3)$$, '22023', NULL, 'keep_children without a date key');
SELECT throws_ok($$SELECT router.set_maintenance('log', keep_children => 0)$$, '22023', NULL, 'keep_children 0');
SELECT throws_ok($$SELECT router.set_maintenance('log', keep_children => -2)$$, '22023', NULL, 'keep_children below zero');
SELECT throws_ok($$SELECT router.set_maintenance('log', retire => 'burn')$$, '22023', NULL, 'no such way to retire');
SELECT throws_ok($$SELECT router.set_maintenance('log', retire => 'schema')$$, '22023', NULL, 'a schema, but which');
SELECT throws_ok($$SELECT router.set_maintenance('log', retire_schema => 'test')$$, '22023', NULL, 'a schema, but retire is drop');
SELECT throws_ok($$SELECT router.set_maintenance('log', retire => 'schema', retire_schema => 'no such')$$, '3F000', NULL, 'a schema that is not there');
SELECT throws_ok($$SELECT router.set_maintenance('plain', keep => '1 year')$$, '55000', NULL, 'no routed table');
SELECT throws_ok($$SELECT router.set_maintenance(NULL)$$, '22004', NULL, 'base null');
SELECT is(test.hint($$SELECT router.set_maintenance('log', keep => '1 day')$$) IS NOT NULL AND test.hint($$SELECT router.set_maintenance('log', retire => 'x')$$) IS NOT NULL
          AND test.hint($$SELECT router.set_maintenance('list', premake => 1)$$) IS NOT NULL AND test.hint($$SELECT router.set_maintenance('log', keep_children => 0)$$) IS NOT NULL, true, 'with hints');
SELECT router.set_maintenance('log', retire => 'schema', retire_schema => 'test') \g /dev/null
SELECT results_eq($$SELECT * FROM router.set_maintenance('log', retire => 'detach')$$, $$VALUES ('set retire of public.log to detach')$$, 'another way to retire');
SELECT is((SELECT retire_schema FROM router.maintenance WHERE base = 'log'::regclass), NULL, 'takes the schema away');
SELECT results_eq($$SELECT * FROM router.clear_maintenance('log', dry_run => true)$$, $$VALUES ('would clear the maintenance settings of public.log')$$, 'clear_maintenance: dry_run');
SELECT results_eq($$SELECT * FROM router.clear_maintenance('log')$$, $$VALUES ('clear the maintenance settings of public.log')$$, 'clear_maintenance');
SELECT is_empty($$SELECT * FROM router.clear_maintenance('log')$$, 'once more: nothing');
SELECT router.clear_maintenance('list') \g /dev/null
SELECT is((SELECT count(*) FROM router.maintain_def), 0::bigint, 'nothing is set');

-- ------------------------------------------------------------------ rights
SELECT test.role('maintainer');
SELECT test.role('stranger');
CREATE SCHEMA theirs AUTHORIZATION maintainer;
CREATE SCHEMA closed;
SET ROLE maintainer;
CREATE TABLE theirs.m (id int, d date);
SELECT router.create_route('theirs.m', router.by_date('d', 'month'), time_zone => 'UTC') \g /dev/null
SELECT throws_ok($$SELECT router.set_maintenance('theirs.m', retire => 'schema', retire_schema => 'closed')$$, '42501', NULL, 'the owner may not create in that schema');
RESET ROLE;
SET ROLE stranger;
SELECT throws_ok($$SELECT router.set_maintenance('theirs.m', premake => 3)$$, '42501', NULL, 'settings of another''s table');
SELECT throws_ok($$SELECT router.clear_maintenance('theirs.m')$$, '42501', NULL, 'nor can they be cleared');
SELECT throws_ok($$CALL router.maintain('theirs.m')$$, '42501', NULL, 'maintain of another''s table');
SELECT lives_ok($$CALL router.maintain()$$, 'maintain() does one''s own, which are none');
SELECT lives_ok($$SELECT * FROM router.progress, router.maintenance$$, 'all may look');
RESET ROLE;
SELECT is(test.steps('theirs.m') || test.steps('log'), 'nothingnothing', 'nothing was done');
SET ROLE maintainer;
CALL router.maintain();
RESET ROLE;
SELECT is(test.steps('theirs.m'), 'premake 2, analyze 0', 'the owner''s maintain() does his');
SELECT is(test.children('theirs.m'), format('theirs.m_%s, theirs.m_%s', test.month(0), test.month(1)), 'this month and the next were made');
SELECT is((SELECT count(*) FROM pg_tables WHERE schemaname = 'theirs' AND tableowner <> 'maintainer'), 0::bigint, 'and are the owner''s');
SELECT is(test.steps('log'), 'nothing', 'no other table was touched');

-- ------------------------------------------------------------------ a night
SELECT throws_ok($$CALL router.maintain('plain')$$, '55000', NULL, 'maintain of no routed table');
SELECT throws_ok($$CALL router.maintain(batch_rows => 0)$$, '22023', NULL, 'batch_rows 0');
SELECT throws_ok($$CALL router.maintain(lock_timeout => '0')$$, '22023', NULL, 'lock_timeout 0');
INSERT INTO log SELECT i, now() - i * interval '1 hour', i FROM generate_series(1, 100) i;
UPDATE router.route_def SET watermark = '-infinity' WHERE base = 'log'::regclass;
INSERT INTO log SELECT 1000 + i, now() - interval '60 days' + i * interval '1 hour', i FROM generate_series(1, 100) i;
CALL router.maintain('log', dry_run => true);
SELECT is(test.steps('log') || ' ' || test.children('log'), 'nothing none', 'dry_run does nothing');
CALL router.maintain('log', batch_rows => 30);
SELECT is(regexp_replace(test.steps('log'), 'premake 2', 'premake'), 'premake, archive 100, analyze 0', 'premake, archive, analyze');
SELECT is((SELECT count(*) FROM ONLY log), 100::bigint, 'the hot rows are in the base');
SELECT is((SELECT count(*) FROM log), 200::bigint, 'none is lost');
SELECT is((SELECT count(*) FROM pg_stats WHERE tablename = 'log' AND inherited), 3::bigint, 'F15: the parent has inherited statistics');
SELECT is((SELECT count(*) FROM router.progress), 0::bigint, 'router.progress is empty again');
DELETE FROM router.events;
CALL router.maintain('log');
SELECT is(test.steps('log'), 'archive 0', 'the next run finds nothing to do');
SELECT is((SELECT bool_and(s.last_analyze IS NULL) FROM router.children c JOIN pg_stat_user_tables s ON s.relid = c.child WHERE base = 'log'::regclass), true, 'children are not analyzed');
ANALYZE log;
SELECT c.child FROM router.children c WHERE base = 'log'::regclass ORDER BY child LIMIT 1 \gset
ANALYZE :child;
CALL router.maintain('log');
SELECT is(test.steps('log'), 'archive 0, analyze 0', 'F15: a child analyzed after its base makes the parent''s statistics stale');

-- settings: premake
SELECT router.set_maintenance('log', premake => 4) \g /dev/null
CALL router.maintain('log');
SELECT is(to_regclass('log_' || test.month(4)) IS NOT NULL AND to_regclass('log_' || test.month(5)) IS NULL, true, 'premake 4');
SELECT router.set_maintenance('theirs.m', premake => 0) \g /dev/null
DELETE FROM router.events;
CALL router.maintain('theirs.m');
SELECT is(test.steps('theirs.m'), 'nothing', 'premake 0: none');
CREATE TABLE num (a int, d date);
SELECT router.create_route('num', ARRAY[router.by_integer('a', 10), router.by_date('d', 'month')], time_zone => 'UTC') \g /dev/null
INSERT INTO num VALUES (1, '2020-01-01'), (11, '2020-01-01');
CALL router.maintain('num');
CALL router.maintain('num');
SELECT is((SELECT count(*) FROM router.children WHERE base = 'num'::regclass), 6::bigint, 'dates below the integer steps there are; a nightly call makes no more integer steps each time');
CREATE TABLE byhand (d date);
SELECT router.create_route('byhand', router.by_date('d', 'month'), on_missing => 'error') \g /dev/null
CALL router.maintain('byhand');
SELECT is(test.children('byhand'), 'none', 'no child by itself where on_missing is error');

-- in a transaction block
BEGIN;
CALL router.maintain('num');
CALL router.maintain('log');
SELECT is((SELECT count(*) FROM router.progress_def), 0::bigint, 'in a transaction block router.progress stays empty');
ROLLBACK;
SELECT lives_ok($$DO 'BEGIN CALL router.maintain(); END'$$, 'from a DO block');

-- ----------------------------------------------------- B11, F5: a bad one among good ones
CREATE TABLE bad (id int, d date, PRIMARY KEY (id, d));
CREATE INDEX ON bad (d);
SELECT router.create_route('bad', router.by_date('d', 'month'), hot => '7 days', time_zone => 'UTC', horizon => '10 years') \g /dev/null
CREATE TABLE good (LIKE bad INCLUDING ALL);
SELECT router.create_route('good', router.by_date('d', 'month'), hot => '7 days', time_zone => 'UTC') \g /dev/null
UPDATE router.route_def SET watermark = '-infinity', on_missing = 'error' WHERE base = 'bad'::regclass;
UPDATE router.route_def SET watermark = '-infinity' WHERE base = 'good'::regclass;
INSERT INTO bad SELECT i, current_date - 100 - i FROM generate_series(1, 10) i;
INSERT INTO good SELECT i, current_date - 100 - i FROM generate_series(1, 10) i;
SELECT router.set_maintenance('bad', keep => '1 year') \g /dev/null
DELETE FROM router.events;
CALL router.maintain();
SELECT is(:'SQLSTATE'::text, '55000', 'the call ends with an error, which psql and cron see');
SELECT matches(:'LAST_ERROR_MESSAGE'::text, '^1 of \d+ tables could not be maintained$', 'it says how many');
SELECT is(test.steps('bad'), 'archive 0 failed, retention 0', 'the other actions on the bad one were done');
SELECT matches(test.steps('good'), '^premake 2, archive 10, analyze 0$', 'and the good one');
SELECT is((SELECT error ~ 'no child' FROM router.events WHERE base = 'bad'::regclass AND error IS NOT NULL AND action <> 'maintain'), true, 'the reason is in router.events');
SELECT is((SELECT count(*) FROM ONLY bad), 10::bigint, 'its rows are where they were');

-- ------------------------------------------------------- what becomes of the settings
ALTER TABLE bad RENAME TO worse;
SELECT is((SELECT base::text FROM router.maintenance WHERE keep IS NOT NULL), 'worse', 'a renamed table keeps its settings');
DROP TABLE worse CASCADE;
SELECT router.drop_route('theirs.m') \g /dev/null
SELECT is((SELECT string_agg(base::text, ', ') FROM router.maintain_def), 'log', 'settings go with the table, and with the route');

SELECT * FROM finish();
