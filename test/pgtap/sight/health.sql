-- router.health, for owners, a monitoring role and strangers: what it says of runs, of what is overdue, of settings; who maintains nothing is told; check tells what it did not look at.
\ir ../../include/helpers.sql
\set tests 38
SELECT plan(:tests);
SELECT test.role('router_health_' || r) FROM unnest('{owner,monitor,stranger}'::text[]) r \g /dev/null
GRANT pg_monitor TO router_health_monitor;
GRANT CREATE ON SCHEMA public TO router_health_owner;
SELECT current_database() AS db \gset

CREATE FUNCTION test.problems(relation regclass) RETURNS text LANGUAGE sql AS $$
    SELECT array_to_string(array_remove(problems, 'not preloaded'), ', ') FROM router.health WHERE base = relation
$$;
CREATE FUNCTION test.seen_by(role name, query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE result text;
BEGIN
    EXECUTE format('SET LOCAL ROLE %I', role);
    EXECUTE query INTO result;
    RESET ROLE;
    RETURN result;
END $$;

SET ROLE router_health_owner;
CREATE FUNCTION public.risky(v int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN IF v = 666 THEN RAISE 'secret %', v; END IF; RETURN v; END $$;
CREATE TABLE log (d timestamptz NOT NULL, v int);
CREATE INDEX ON log (d);
SELECT router.create_route('log', router.by_date('d', 'month'), hot => '7 days', time_zone => 'UTC') \g /dev/null
CREATE TABLE listed (r int, v int);
SELECT router.create_route('listed', router.by_list('r'), default_child => true, on_missing => 'default') \g /dev/null
RESET ROLE;

-- never maintained
SELECT is((SELECT string_agg(base::text, ' ' ORDER BY base::text) FROM router.health WHERE base IN ('log'::regclass, 'listed'::regclass)), 'listed log', 'one row a base');
SELECT is((SELECT owner FROM router.health WHERE base = 'log'::regclass), 'router_health_owner', 'its owner');
SELECT is(test.problems('log'), 'no children to come', 'nothing is premade');
SELECT is(test.problems('listed'), '', 'nothing is wrong with a list');
SELECT ok((SELECT last_maintain IS NULL AND last_runs IS NULL AND running IS NULL AND interrupted = 0 FROM router.health WHERE base = 'log'::regclass), 'no run yet');

-- a run
CALL router.maintain();
SELECT is((SELECT concat_ws(' ', last_maintain_state, last_archive_state, last_runs -> 'premake' ->> 'rows', children_to_come, route_readable, triggers_in_place) FROM router.health WHERE base = 'log'::regclass),
          'done done 2 1 t t', 'the last run of each action');
SELECT is(test.problems('log'), '', 'all is well');
SELECT cmp_ok((SELECT premade_until FROM router.health WHERE base = 'log'::regclass), '>', now(), 'so far children are there');
SELECT is((SELECT last_runs ->> 'retention' FROM router.health WHERE base = 'log'::regclass), NULL, 'what was not to be done is not there');

-- it fails
SET ROLE router_health_owner;
CREATE INDEX risk ON log (public.risky(v));
RESET ROLE;
UPDATE router.route_def SET watermark = (now() - interval '30 days')::timestamptz::text, pending = (now() - interval '30 days')::timestamptz::text WHERE base = 'log'::regclass;
INSERT INTO log SELECT now() - interval '20 days' + i * interval '1 hour', i FROM generate_series(1, 300) i;
ANALYZE log;
SELECT matches(test.problems('log'), 'archive overdue', 'a watermark that stays behind');
SELECT cmp_ok((SELECT overdue FROM router.health WHERE base = 'log'::regclass), '>', '22 days'::interval, 'how far');
SELECT cmp_ok((SELECT aged_rows FROM router.health WHERE base = 'log'::regclass), '>', 0::bigint, 'and about how many rows wait');
SET ROLE router_health_owner;
CREATE OR REPLACE FUNCTION public.risky(v int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RAISE 'secret %', v; END $$;
RESET ROLE;
CALL router.maintain();
SELECT is((SELECT failing::text || last_archive_state FROM router.health WHERE base = 'log'::regclass), '{analyze,archive,maintain}failed', 'what failed');
SELECT matches(test.problems('log'), '^last run failed', 'is a problem');
SELECT matches(test.seen_by('router_health_owner', $$SELECT last_error FROM router.health WHERE base = 'log'::regclass$$), '^secret', 'the owner reads the error');
SELECT is(test.seen_by('router_health_monitor', $$SELECT last_error FROM router.health WHERE base = 'log'::regclass$$), '<insufficient privilege>', 'a monitoring role does not');
SELECT is(test.seen_by('router_health_monitor', $$SELECT concat_ws(' ', failing, aged_rows > 0, overdue > '22 days', last_runs -> 'archive' ->> 'sqlstate', preloaded IS NOT NULL) FROM router.health WHERE base = 'log'::regclass$$),
          '{analyze,archive,maintain} t t P0001 t', 'but all else');
SELECT is(test.seen_by('router_health_stranger', $$SELECT count(*) FROM router.health WHERE last_error ~ 'secret' OR last_runs::text ~ 'secret'$$), '0', 'nor a stranger');
DROP INDEX risk;
CALL router.maintain();
SELECT is(test.problems('log'), '', 'the next run is well');

-- interrupted: a statement that is no more
INSERT INTO router.event_def (at, base, base_name, action, rows, open, pid, backend_start, query_start, started)
    VALUES (clock_timestamp(), 'log'::regclass, 'public.log', 'rekey', 0, true, 1, '2000-01-01', '2000-01-01', clock_timestamp());
SELECT is(test.problems('log') || (SELECT ' ' || interrupted FROM router.health WHERE base = 'log'::regclass), 'interrupted 1', 'a run that did not come to its end');
DELETE FROM router.events WHERE state = 'interrupted';

-- default child, retention, triggers, readable
INSERT INTO listed VALUES (5, 5);
ANALYZE;
SELECT is(test.problems('listed') || (SELECT ' ' || default_rows FROM router.health WHERE base = 'listed'::regclass), 'rows in the default child 1', 'rows in the default child');
INSERT INTO log SELECT now() - i * interval '1 month', 1 FROM generate_series(2, 6) i;
SELECT router.set_maintenance('log', keep => '3 months') \g /dev/null
SELECT cmp_ok((SELECT retention_due FROM router.health WHERE base = 'log'::regclass), '>=', 2::bigint, 'children that are due to go');
SELECT is(test.problems('log'), 'retention due', 'are a problem until the next run');
CALL router.maintain();
SELECT is(test.problems('log'), '', 'which takes them away');
ALTER TABLE log DISABLE TRIGGER "~router_route";
SELECT is(test.problems('log'), 'triggers missing', 'a trigger is off');
SELECT router.sync('log') \g /dev/null
UPDATE router.key_def SET every = 'nonsense' WHERE base = 'log'::regclass;
SELECT matches(test.problems('log'), 'route not readable', 'a route that cannot be read');
UPDATE router.key_def SET every = '1 mon' WHERE base = 'log'::regclass;
SELECT is(test.problems('log'), '', 'and can again');

-- settings
SELECT is((SELECT bool_and(preloaded) FROM router.health), router.is_preloaded((SELECT substring(s FROM '=(.*)') FROM pg_db_role_setting, unnest(setconfig) s WHERE setdatabase = (SELECT oid FROM pg_database WHERE datname = :'db') AND setrole = 0 AND s ~ 'session_preload')), 'preloaded by settings of the database');
SELECT is(router.is_preloaded('auto_explain, "router"'), true, 'among others');
SELECT is(router.is_preloaded('$libdir/router'), true, 'with a path');
ALTER ROLE router_health_stranger IN DATABASE :"db" SET router.prune = off;
ALTER ROLE router_health_stranger IN DATABASE :"db" SET session_replication_role = replica;
SELECT is((SELECT role_settings::text FROM router.health WHERE base = 'log'::regclass), '{"router_health_stranger: router.prune=off","router_health_stranger: session_replication_role=replica"}', 'settings of a role that spoil it');
ALTER ROLE router_health_stranger IN DATABASE :"db" RESET ALL;

-- behind a lock
CREATE EXTENSION IF NOT EXISTS dblink;
SELECT format('dbname=%s host=%s port=%s', current_database(), split_part(current_setting('unix_socket_directories'), ',', 1), current_setting('port')) AS connection \gset
SELECT dblink_connect('other', :'connection'), dblink_exec('other', 'BEGIN; LOCK TABLE log') \g /dev/null
SET statement_timeout = '3s';
SELECT is((SELECT concat_ws(' ', locked, aged_rows, route_readable, last_maintain_state) FROM router.health WHERE base = 'log'::regclass), 't done', 'it does not wait for a table that somebody has locked');
SELECT is((SELECT locked FROM router.health WHERE base = 'listed'::regclass), false, 'and says which it is');
RESET statement_timeout;
SELECT dblink_exec('other', 'ROLLBACK'), dblink_disconnect('other') \g /dev/null
SELECT is((SELECT concat_ws(' ', locked, route_readable) FROM router.health WHERE base = 'log'::regclass), 'f t', 'until it is free');

-- who owns none
SET ROLE router_health_stranger;
SET client_min_messages = notice;
CALL router.maintain();
SELECT is(:'SQLSTATE'::text, '00000', 'maintain by who owns none is no error, but a WARNING');
SET client_min_messages = warning;
SELECT is((SELECT string_agg(kind || ' ' || detail, '; ') FROM router.check() WHERE routed_table = 'public.log'::regclass), 'not checked it belongs to role "router_health_owner", whose rights are needed', 'check tells what it did not look at');
SELECT is((SELECT count(*) FROM router.events WHERE role = 'router_health_stranger'), 0::bigint, 'and is no event of tables of others');
CALL router.archive('public.log');
SELECT is((SELECT count(*) FROM router.events WHERE role = 'router_health_stranger'), 0::bigint, 'nor is what he may not');
RESET ROLE;

SELECT * FROM finish();
DROP TABLE log, listed CASCADE;
DROP OWNED BY router_health_owner, router_health_monitor, router_health_stranger CASCADE;
