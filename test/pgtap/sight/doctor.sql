-- router.doctor: of each finding the situation, what is said, the remedy as given, and that the finding has gone; nothing of a healthy table; as a monitor; how long it takes.
\ir ../../include/helpers.sql
\set tests 64
SELECT plan(:tests);
SELECT test.role('router_doctor_owner'), test.role('router_doctor_monitor') \g /dev/null
GRANT pg_monitor TO router_doctor_monitor;
SET TimeZone = 'UTC';
SET jit = off;
CREATE FUNCTION test.found(of regclass) RETURNS text LANGUAGE sql AS $$
    SELECT coalesce(string_agg(severity || ' ' || topic || coalesce(' ' || child, ''), ', ' ORDER BY severity, topic, child::text), 'nothing') FROM router.doctor(of) WHERE base IS NOT NULL
$$;
-- Runs the remedies of a topic, as they stand
CREATE FUNCTION test.remedy(of regclass, about text) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(remedy, '; ' ORDER BY child::text) FROM router.doctor(of) WHERE topic = about
$$;
\set mend 'SELECT remedy FROM router.doctor(:of) WHERE topic = :topic \\gexec'

-- ------------------------------------------------------------------ healthy
CREATE TABLE sensor_log (id int, read_at timestamptz, value int, PRIMARY KEY (id, read_at));
SELECT throws_ok($$SELECT * FROM router.doctor('sensor_log')$$, '55000', NULL, 'a table without a route is an error');
SELECT router.create_route('sensor_log', router.by_date('read_at', 'month')) \g /dev/null
SELECT is(test.found('sensor_log'), 'nothing', 'a route without children is healthy');
INSERT INTO sensor_log SELECT i % 5, now() - i * interval '1 hour', i FROM generate_series(1, 6000) i;
SELECT is(test.found('sensor_log'), 'warning never analyzed', 'never analyzed');
SELECT matches((SELECT finding FROM router.doctor('sensor_log') WHERE topic = 'never analyzed'), '^(8|9|10) children with rows', 'with their number');
\set of '\'sensor_log\''
\set topic '\'never analyzed\''
:mend
SELECT is(test.found('sensor_log'), 'nothing', 'ANALYZE mends it');

-- ------------------------------------------------------------------ children
INSERT INTO sensor_log VALUES (1, '2020-01-05', 1), (1, '2020-02-05', 1);
DELETE FROM sensor_log WHERE read_at < '2021-01-01';
VACUUM sensor_log_y2020m01, sensor_log_y2020m02;
SELECT is(test.found('sensor_log'), 'advice empty children', 'empty children of long ago');
SELECT is(test.remedy('sensor_log', 'empty children'), 'DROP TABLE sensor_log_y2020m01, sensor_log_y2020m02', 'are named');
\set topic '\'empty children\''
:mend
SELECT is(test.found('sensor_log'), 'nothing', 'and dropped');
SET effective_cache_size = '8kB';
SELECT matches(test.found('sensor_log'), '^(advice large child sensor_log_y\d+m\d+(, )?)+$', 'children larger than the cache');
RESET effective_cache_size;
SELECT is(test.found('sensor_log'), 'nothing', 'with a larger one there is none');
ALTER TABLE sensor_log SET (autovacuum_enabled = off);
SELECT matches(test.found('sensor_log'), '^(warning autovacuum sensor_log_y\d+m\d+, )+warning autovacuum$', 'autovacuum is off');
\set topic '\'autovacuum\''
:mend
SELECT is(test.found('sensor_log'), 'nothing', 'and on again');

CREATE TABLE small (id int);
SELECT router.create_route('small', router.by_list('id')) \g /dev/null
INSERT INTO small SELECT generate_series(1, 100);
ANALYZE small;
SELECT is(test.found('small'), 'advice small children', 'a hundred small children');
SELECT matches((SELECT finding FROM router.doctor('small') WHERE topic = 'small children'), '^half of the 100 children .* \(median 8192 bytes\)$', 'and how small');
DELETE FROM small WHERE id = 100;
VACUUM small_100;
SELECT is(test.found('small'), 'nothing', 'fewer are none');
SET jit = on;
SELECT is((SELECT remedy FROM router.doctor() WHERE topic = 'jit'), 'SET jit = off', 'jit with many children');
\set of NULL
\set topic '\'jit\''
:mend
SELECT is((SELECT count(*) FROM router.doctor() WHERE topic = 'jit'), 0::bigint, 'is off');

-- ------------------------------------------------------------------ indexes
CREATE INDEX value_idx ON sensor_log (value);
CREATE INDEX value_again ON sensor_log (value);
SELECT is(test.found('sensor_log'), 'advice duplicate index', 'one index does what another does');
SELECT is(test.remedy('sensor_log', 'duplicate index'), 'DROP INDEX value_again', 'the younger one');
\set of '\'sensor_log\''
\set topic '\'duplicate index\''
:mend
SELECT is(test.found('sensor_log'), 'nothing', 'is dropped');
CREATE INDEX value_down ON sensor_log (value DESC);
CREATE INDEX value_some ON sensor_log (value) WHERE value > 7;
CREATE UNIQUE INDEX value_unique ON sensor_log (id, value, read_at);
SELECT is(test.found('sensor_log'), 'nothing', 'another order, a condition, another column are no duplicates');
DROP INDEX value_down, value_some, value_unique;
CREATE UNIQUE INDEX id_unique ON sensor_log (id, read_at);
SELECT is(test.remedy('sensor_log', 'duplicate index'), 'DROP INDEX id_unique', 'one of a constraint stays');
DROP INDEX id_unique;
DO $$ BEGIN FOR i IN 1 .. 1000 LOOP PERFORM FROM ONLY sensor_log LIMIT 1; END LOOP; END $$;
SELECT pg_stat_force_next_flush() \g /dev/null
SELECT is(test.found('sensor_log'), 'advice unused index', 'an index that no scan of many used');
SELECT matches((SELECT finding FROM router.doctor('sensor_log') WHERE topic = 'unused index'), '^value_idx was never used while one of base and children was scanned \d+ times, since (statistics began|statistics were reset [0-9.]+ days ago); it takes \d+ kB$', 'with its figures');
SELECT is(test.remedy('sensor_log', 'unused index'), 'DROP INDEX value_idx', 'is to be dropped');
\set topic '\'unused index\''
:mend
SELECT is(test.found('sensor_log'), 'nothing', 'and is, while a primary key stays');
CREATE INDEX lone ON ONLY sensor_log (value, id);
SELECT matches((SELECT finding FROM router.doctor('sensor_log') WHERE topic = 'missing index'), '^(\d+) of \1 children lack index lone$', 'children without an index that can be used');
\set topic '\'missing index\''
:mend
SELECT unalike(test.found('sensor_log'), '%missing index%', 'get it');
DROP INDEX lone;

-- ------------------------------------------------------------------ hot bases, default children, time
CREATE TABLE temperature (id int, read_at timestamptz);
SELECT router.create_route('temperature', router.by_date('read_at', 'month'), hot => '30 days') \g /dev/null
SELECT is(test.found('temperature'), 'warning index for archive', 'a hot base without an index for archive');
SELECT is(test.remedy('temperature', 'index for archive'), 'CREATE INDEX ON temperature (read_at)', 'which is given');
\set of '\'temperature\''
\set topic '\'index for archive\''
:mend
SELECT is(test.found('temperature'), 'nothing', 'and made');
DO $$ BEGIN FOR i IN 1 .. 1000 LOOP PERFORM FROM ONLY temperature LIMIT 1; END LOOP; END $$;
SELECT pg_stat_force_next_flush() \g /dev/null
SELECT is(test.found('temperature'), 'nothing', 'it is not taken for unused');
INSERT INTO temperature SELECT i, now() FROM generate_series(1, 12000) i;
DELETE FROM temperature;
SELECT pg_stat_force_next_flush() \g /dev/null
SELECT is(test.found('temperature'), 'advice dead rows', 'more dead rows than rows');
\set topic '\'dead rows\''
:mend
SELECT is(test.found('temperature'), 'nothing', 'VACUUM takes them away');

CREATE TABLE humidity (id int, read_at timestamptz);
INSERT INTO humidity SELECT i, now() FROM generate_series(1, 100) i;
SELECT router.create_route('humidity', router.by_date('read_at', 'month'), move_rows => true) \g /dev/null
ANALYZE humidity;
SELECT is(test.found('humidity'), 'advice dead rows', 'what create_route moved is dead in the base');
\set of '\'humidity\''
:mend
SELECT is(test.found('humidity'), 'nothing', 'until VACUUM');

CREATE TABLE consumption (id int, read_at timestamptz);
SELECT router.create_route('consumption', router.by_date('read_at', 'month'), default_child => true, on_missing => 'default') \g /dev/null
INSERT INTO consumption SELECT i, now() FROM generate_series(1, 100) i;
ANALYZE consumption;
SELECT is(test.found('consumption'), 'warning default child consumption_default', 'rows in the default child');
\set of '\'consumption\''
\set topic '\'default child\''
:mend
SELECT pg_stat_force_next_flush() \g /dev/null
SELECT is(test.found('consumption'), 'advice dead rows consumption_default, warning never analyzed', 'are given children, and dead ones stay');
\set topic '\'dead rows\''
:mend
\set topic '\'never analyzed\''
:mend
SELECT is(test.found('consumption'), 'nothing', 'until VACUUM');

CREATE TABLE reading (id int, read_at timestamptz);
SELECT router.create_route('reading', router.by_date('read_at', 'day'), on_missing => 'error') \g /dev/null
SELECT router.create_child('reading', now()::date::text) \g /dev/null
SELECT is(test.found('reading'), 'warning horizon', 'the youngest child ends soon, and none comes by itself');
\set of '\'reading\''
\set topic '\'horizon\''
:mend
SELECT is(test.found('reading'), 'nothing', 'with one to come');

-- ------------------------------------------------------------------ triggers, seals, servers
CREATE TABLE sealable (id bigserial, at timestamptz NOT NULL, v int, PRIMARY KEY (id, at));
SELECT router.create_route('sealable', router.by_date('at', 'month'), time_zone => 'UTC') \g /dev/null
INSERT INTO sealable (at, v) SELECT timestamptz '2024-01-01 UTC' + i * interval '1 hour', i FROM generate_series(1, 8000) i;
SELECT is(test.found('sealable') ~ 'seal', false, 'nothing is said of what was never analyzed');
ANALYZE sealable;
SELECT matches(test.found('sealable'), 'advice seal', 'ids that grow with time');
SELECT test.remedy('sealable', 'seal') AS remedy \gset
:remedy;
SELECT is(test.found('sealable') ~ 'seal', false, 'will be sealed');
ALTER TABLE sealable DISABLE TRIGGER "~router_route";
SELECT matches(test.found('sealable'), 'critical triggers', 'a trigger is off');
SELECT test.remedy('sealable', 'triggers') AS remedy \gset
:remedy;
SELECT is(test.found('sealable') ~ 'triggers', false, 'and on again');
CREATE EXTENSION IF NOT EXISTS postgres_fdw;
CREATE SERVER router_doctor_far FOREIGN DATA WRAPPER postgres_fdw;
CREATE FOREIGN TABLE sealable_far (id bigint NOT NULL, at timestamptz NOT NULL, v int) SERVER router_doctor_far;
SELECT router.attach_child('sealable', 'sealable_far', '{"[2020-01-01,2020-02-01)"}') \g /dev/null
SELECT matches(test.found('sealable'), 'advice foreign child', 'a server that would be waited for');
SELECT test.remedy('sealable', 'foreign child') AS remedy \gset
:remedy;
SELECT is(test.found('sealable') ~ 'foreign child', false, 'for ten seconds');
DROP TABLE sealable CASCADE;
DROP SERVER router_doctor_far CASCADE;

-- ------------------------------------------------------------------ settings
SELECT is((SELECT string_agg(topic, ', ') FROM router.doctor() WHERE base IS NULL), CASE WHEN :preloaded = 0 THEN 'preload' END, 'the library is preloaded for this database, or not');
ALTER DATABASE :DBNAME RESET session_preload_libraries;
SELECT is((SELECT severity FROM router.doctor() WHERE topic = 'preload'), 'warning', 'what this session has loaded does not count');
\set of NULL
\set topic '\'preload\''
:mend
SELECT is((SELECT count(*) FROM router.doctor() WHERE topic = 'preload'), 0::bigint, 'the remedy preloads it');
SET constraint_exclusion = off;
SELECT is((SELECT remedy FROM router.doctor() WHERE topic = 'constraint_exclusion'), 'RESET constraint_exclusion', 'constraint_exclusion of the session');
\set topic '\'constraint_exclusion\''
:mend
SELECT is((SELECT count(*) FROM router.doctor() WHERE topic = 'constraint_exclusion'), 0::bigint, 'is reset');
ALTER DATABASE :DBNAME SET constraint_exclusion = off;
:fresh
SELECT is((SELECT remedy FROM router.doctor() WHERE topic = 'constraint_exclusion'), format('ALTER DATABASE %I SET constraint_exclusion = partition', current_database()), 'and of the database');
:mend
:fresh
SELECT is((SELECT count(*) FROM router.doctor() WHERE topic = 'constraint_exclusion'), 0::bigint, 'is mended for new sessions');

-- ------------------------------------------------------------------ rights
SET ROLE router_doctor_monitor;
SELECT lives_ok('SELECT * FROM router.doctor()', 'a monitor may ask');
RESET ROLE;
INSERT INTO humidity SELECT i, now() FROM generate_series(1, 10) i;
DELETE FROM humidity WHERE id <= 10;
CREATE TABLE of_owner AS SELECT base, child, topic, finding FROM router.doctor() WHERE base IS NOT NULL;
GRANT SELECT ON of_owner TO PUBLIC;
SET ROLE router_doctor_monitor;
SELECT bag_eq('SELECT base, child, topic, finding FROM router.doctor() WHERE base IS NOT NULL', 'SELECT * FROM of_owner', 'and sees what others see');
RESET ROLE;
SET ROLE router_doctor_owner;
SELECT is((SELECT finding FROM router.doctor() WHERE topic = 'preload'), NULL, 'who may not see settings, but those of the database, is told no wrong ones');
RESET ROLE;
ALTER DATABASE :DBNAME RESET session_preload_libraries;
SET ROLE router_doctor_owner;
SELECT matches((SELECT finding FROM router.doctor() WHERE topic = 'preload'), 'this role may not see', 'and told what it could not look at');
RESET ROLE;

-- ------------------------------------------------------------------ a thousand children
CREATE TABLE many (id int PRIMARY KEY, value int);
CREATE INDEX ON many (value);
CREATE INDEX ON many (value, id);
CREATE INDEX ON many (id, value);
SET jit = off;
SELECT router.create_route('many', router.by_hash('id', 1001)) \g /dev/null
SELECT router.premake('many') \g /dev/null
SELECT is((SELECT count(*) FROM router.children WHERE base = 'many'::regclass), 1001::bigint, 'a thousand children');
SELECT is(test.found('many'), 'advice many children', 'are many');
SELECT clock_timestamp() AS before \gset
SELECT count(*) FROM router.doctor('many') \g /dev/null
SELECT cmp_ok(clock_timestamp() - :'before'::timestamptz, '<', interval '10 seconds', 'looked at in seconds by a server with assertions');
SELECT diag('doctor of 1,001 children: ' || (clock_timestamp() - :'before'::timestamptz));
SELECT matches((SELECT finding FROM router.doctor() WHERE topic = 'locks'), '^a statement that reads all of many takes 5005 locks, of \d+ that', 'their locks are counted');
\set topic '\'locks\''
:mend
SELECT matches((SELECT setting FROM pg_file_settings WHERE name = 'max_locks_per_transaction' ORDER BY seqno DESC LIMIT 1), '^\d+$', 'the remedy is for the next start of the server');
ALTER SYSTEM RESET max_locks_per_transaction;
SELECT * FROM finish();
