-- router.events of calls that have no steps of a job, and how many events there may be. What ends a run before its time: t/180_interrupted.pl.
\ir ../../include/helpers.sql
SELECT plan(12);
SET client_min_messages = error;
CREATE FUNCTION test.events(base regclass) RETURNS text LANGUAGE sql AS $$
    SELECT coalesce(string_agg(concat_ws(' ', action, rows, state, sqlstate), ', ' ORDER BY at), 'nothing') FROM router.events e WHERE e.base = $1;
$$;

CREATE TABLE sensor_log (read_at timestamptz, value int);
SELECT router.create_route('sensor_log', router.by_date('read_at', 'year'), on_missing => 'default', default_child => true, time_zone => 'UTC') \g /dev/null
INSERT INTO sensor_log SELECT timestamptz '2001-01-01 UTC' + i * interval '10 days', i FROM generate_series(1, 100) i;
CALL router.redistribute('sensor_log', dry_run => true);
SELECT is(test.events('sensor_log'), 'nothing', 'what would be done is no event');
CALL router.redistribute('sensor_log');
SELECT is(test.events('sensor_log'), 'redistribute 100 done', 'redistribute: the rows of all children');
CALL router.redistribute('sensor_log');
CALL router.redistribute('sensor_log');
SELECT is(test.events('sensor_log'), 'redistribute 100 done, redistribute 0 done', 'when it finds nothing the last one stays');
DELETE FROM router.events;
INSERT INTO sensor_log VALUES ('2020-01-01', 1), ('2020-01-02', 1), ('2021-01-01', -1);
BEGIN;
CALL router.redistribute('sensor_log');
SELECT is(test.events('sensor_log'), 'redistribute 3 done', 'in a transaction block, too');
ROLLBACK;
SELECT is(test.events('sensor_log'), 'nothing', 'and goes with it');
ALTER TABLE sensor_log ADD CHECK (value > 0) NOT VALID;
CALL router.redistribute('sensor_log');
SELECT is(test.events('sensor_log'), 'redistribute 2 failed 23514', 'one that fails: the rows that are committed, and why the others are not');
SELECT matches((SELECT detail FROM router.events), '2021-01-01', 'and which row it was');

DELETE FROM router.events;
CREATE INDEX CONCURRENTLY ON sensor_log (read_at);
CALL router.sync('sensor_log', concurrently => true, dry_run => true);
SELECT is(test.events('sensor_log'), 'nothing', 'sync: what would be done is no event');
CALL router.sync('sensor_log', concurrently => true);
CALL router.sync('sensor_log', concurrently => true);
SELECT is(test.events('sensor_log'), 'sync ' || (SELECT count(*) FROM router.children WHERE base = 'sensor_log'::regclass) || ' done, sync 0 done', 'sync: children that were mended');
INSERT INTO sensor_log VALUES ('2020-01-02', 2);
CREATE UNIQUE INDEX CONCURRENTLY ON sensor_log (read_at);
DELETE FROM router.events;
CALL router.sync('sensor_log', concurrently => true);
SELECT matches(test.events('sensor_log'), '^sync \d failed 23505$', 'sync: one that fails');

-- an archive each minute, that finds rows each time
DELETE FROM router.events;
INSERT INTO router.event_def (at, base, base_name, action, rows) SELECT now() - i * interval '1 minute', 'sensor_log'::regclass, 'sensor_log', 'redistribute', i FROM generate_series(1, 1000) i;
INSERT INTO router.event_def (at, base, base_name, action, rows) SELECT now() - i * interval '1 minute', 'sensor_log'::regclass, 'sensor_log', 'archive', i FROM generate_series(1, 100) i;
ALTER TABLE sensor_log DROP CONSTRAINT sensor_log_value_check;
CALL router.redistribute('sensor_log');
SELECT is((SELECT count(*) || ' ' || max(rows) FROM router.events WHERE action = 'redistribute'), '1000 999', 'of one action on a table the youngest thousand stay');
SELECT is((SELECT count(*) FROM router.events WHERE action = 'archive'), 100::bigint, 'whatever there is of others');
SELECT * FROM finish();
