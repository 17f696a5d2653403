-- One owner cannot stop the maintenance of others: what his functions raise, catch or never end is his
-- own tables' loss. A cancel by others ends all of it.
\ir ../../include/helpers.sql
\set tests 68
SELECT plan(:tests);

SELECT test.role('router_j_good'), test.role('router_j_mal') \g /dev/null
GRANT CREATE ON SCHEMA public TO PUBLIC;
CREATE SCHEMA mal AUTHORIZATION router_j_mal;
CREATE SCHEMA good AUTHORIZATION router_j_good;

SET ROLE router_j_mal;
CREATE TABLE mal.mode (mode text);
INSERT INTO mal.mode VALUES ('off');
-- what it does is up to the mode: raise a code, never end, not even when it is canceled, end the session
CREATE FUNCTION mal.boom(i int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$
DECLARE
    m text := (SELECT mode FROM mal.mode);
    n numeric := repeat('9', 65000);
    since timestamptz := clock_timestamp();
BEGIN
    IF m = 'off' THEN
        RETURN i;
    ELSIF m = 'sleep' THEN
        PERFORM pg_catalog.pg_sleep(1000);
    ELSIF m = 'loop' THEN
        LOOP NULL; END LOOP;
    ELSIF m = 'busy' THEN
        -- for 3 seconds without a look at interrupts: an expression has none
        EXECUTE 'SELECT $1 * $1, $1 * $1' USING n;
        EXECUTE 'SELECT $1' || repeat(', $1 * $1', (3 * 2 / extract(epoch FROM clock_timestamp() - since))::int) USING n;
    ELSIF m IN ('swallow', 'swallow and fail') THEN
        BEGIN
            PERFORM pg_catalog.pg_sleep(1000);
        EXCEPTION WHEN query_canceled THEN
            IF m = 'swallow and fail' THEN RAISE EXCEPTION 'something else'; END IF;
        END;
    ELSIF m = 'raise and catch' THEN
        FOR i IN 1..10000 LOOP
            BEGIN
                RAISE EXCEPTION 'x' USING ERRCODE = '57014';
            EXCEPTION WHEN query_canceled THEN NULL;
            END;
        END LOOP;
        RAISE EXCEPTION 'memory: %', mal.memory() < 500000;
    ELSIF m = 'settings' THEN
        PERFORM pg_catalog.set_config('transaction_timeout', '1', false);
        PERFORM pg_catalog.pg_sleep(0.1);
    ELSIF m = 'real' THEN
        PERFORM mal.lock_it();
    ELSE
        RAISE EXCEPTION 'secret of row %', i USING ERRCODE = m;
    END IF;
    RETURN i;
END $$;
CREATE FUNCTION mal.lock_it() RETURNS void LANGUAGE plpgsql AS 'BEGIN LOCK TABLE mal.locked NOWAIT; END';
CREATE TABLE mal.hot (id int, d timestamptz);
CREATE INDEX ON mal.hot (d);
CREATE INDEX ON mal.hot (mal.boom(id));
SELECT router.create_route('mal.hot', router.by_date('d', 'month'), hot => '1 day') \g /dev/null
RESET ROLE;
SET ROLE router_j_good;
CREATE TABLE good.hot (id int, d timestamptz);
CREATE INDEX ON good.hot (d);
SELECT router.create_route('good.hot', router.by_date('d', 'month'), hot => '1 day') \g /dev/null
RESET ROLE;

-- aged rows for both, and which of the two has waited longer
CREATE PROCEDURE test.prepare(mode text, first text) LANGUAGE plpgsql AS $$
BEGIN
    UPDATE mal.mode SET mode = 'off';
    UPDATE router.route_def SET watermark = '-infinity', pending = '-infinity' WHERE base IN ('mal.hot'::regclass, 'good.hot'::regclass);
    TRUNCATE ONLY mal.hot, ONLY good.hot;
    INSERT INTO mal.hot VALUES (1, now() - interval '5 days');
    INSERT INTO good.hot VALUES (1, now() - interval '5 days');
    DELETE FROM router.events;
    DELETE FROM router.progress_def;
    INSERT INTO router.events (base, base_name, action, rows, at)
        SELECT b::regclass, b, 'analyze', 0, now() - CASE WHEN b = first THEN interval '2 days' ELSE interval '1 day' END
          FROM unnest(ARRAY['mal.hot', 'good.hot']) b;
    UPDATE mal.mode SET mode = prepare.mode;
END $$;
CREATE FUNCTION test.event(base regclass) RETURNS text LANGUAGE sql AS $$
    SELECT coalesce(string_agg(action || ': ' || error, '; ' ORDER BY at), 'none') FROM router.events e WHERE e.base = $1 AND error IS NOT NULL AND action <> 'maintain'
$$;
\set run 'SELECT clock_timestamp() AS since \\gset \\\\ CALL router.maintain(table_budget => \'500 milliseconds\'); \\set state :SQLSTATE \\\\ SELECT extract(epoch FROM clock_timestamp() - :\'since\')::numeric AS took \\gset'

-- what is raised is an error like any other, whatever its code
CALL test.prepare('57014', 'mal.hot');
:run
SELECT is(:'state'::text, '55000', '57014 is raised: the call tells that one table failed');
SELECT is(test.event('mal.hot'), 'archive: secret of row 1; analyze: secret of row 1', '57014: the reasons are in router.events');
SELECT is((SELECT count(*) FROM ONLY good.hot), 0::bigint, '57014: the other owner''s table is maintained');
SELECT ok(:took < 5, '57014: at once');
CALL test.prepare('55P03', 'mal.hot');
:run
SELECT is(test.event('mal.hot'), 'archive: secret of row 1', '55P03 is raised: it is not tried again');
SELECT is((SELECT count(*) FROM ONLY good.hot), 0::bigint, '55P03: the other owner''s table is maintained');
SELECT ok(:took < 5, '55P03: at once');
CALL test.prepare('40001', 'mal.hot');
:run
SELECT is(test.event('mal.hot'), 'archive: secret of row 1', '40001 is raised: it is not tried again');
SELECT is((SELECT count(*) FROM ONLY good.hot), 0::bigint, '40001: the other owner''s table is maintained');
SELECT ok(:took < 5, '40001: at once');
CALL test.prepare('40P01', 'mal.hot');
:run
SELECT is(test.event('mal.hot'), 'archive: secret of row 1', '40P01 is raised: it is not tried again');
SELECT is((SELECT count(*) FROM ONLY good.hot), 0::bigint, '40P01: the other owner''s table is maintained');
SELECT ok(:took < 5, '40P01: at once');
CALL test.prepare('57P01', 'mal.hot');
:run
SELECT is(test.event('mal.hot'), 'archive: secret of row 1', '57P01 is raised: no shutdown');
SELECT is((SELECT count(*) FROM ONLY good.hot), 0::bigint, '57P01: the other owner''s table is maintained');

-- what takes longer than its budget is canceled
CALL test.prepare('sleep', 'mal.hot');
:run
SELECT is(:'state'::text, '55000', 'it sleeps: the call tells that one table failed');
SELECT matches(test.event('mal.hot'), '^archive: it took longer than its table_budget of 00:00:00.5$', 'it sleeps: the reason is in router.events');
SELECT is((SELECT count(*) FROM ONLY mal.hot), 1::bigint, 'it sleeps: its row is where it was');
SELECT is((SELECT count(*) FROM ONLY good.hot), 0::bigint, 'it sleeps: the other owner''s table is maintained');
SELECT ok(:took BETWEEN 0.5 AND 6, 'it sleeps: for its budget');
CALL test.prepare('loop', 'good.hot');
:run
SELECT matches(test.event('mal.hot'), '^archive: it took longer', 'it loops, and comes last');
SELECT is((SELECT count(*) FROM ONLY good.hot), 0::bigint, 'it loops: the other owner''s table is maintained');
CALL test.prepare('swallow', 'mal.hot');
:run
SELECT is((SELECT count(*) FROM ONLY good.hot), 0::bigint, 'it catches the cancel: the other owner''s table is maintained');
SELECT ok(:took BETWEEN 0.5 AND 20, 'it catches the cancel: for its budget');
CALL test.prepare('swallow and fail', 'mal.hot');
:run
SELECT matches(test.event('mal.hot'), '^archive: it took longer', 'it catches the cancel and raises something else: the reason is the time');
SELECT is((SELECT count(*) FROM ONLY good.hot), 0::bigint, 'it raises something else: the other owner''s table is maintained');

-- errors without end take no memory
CREATE FUNCTION mal.memory() RETURNS numeric SECURITY DEFINER LANGUAGE sql AS
    $$SELECT sum(total_bytes) FROM pg_backend_memory_contexts WHERE name LIKE 'router job%' OR name = 'router error'$$;
CALL test.prepare('raise and catch', 'mal.hot');
CALL router.maintain('mal.hot');
SELECT matches(test.event('mal.hot'), '^archive: memory: t', 'it raises and catches: no memory is left behind');

-- nor can it end the session, where there is a setting that does
CALL test.prepare('settings', 'mal.hot');
:run
SELECT is(:'state'::text, '55000', 'transaction_timeout cannot be set, or is none');
SELECT matches(test.event('mal.hot'), '^archive: (cannot set "transaction_timeout" within maintenance|unrecognized configuration parameter)', 'and router.events says so');
SELECT is((SELECT count(*) FROM ONLY good.hot), 0::bigint, 'transaction_timeout: the other owner''s table is maintained');
SELECT lives_ok($$DO 'BEGIN PERFORM set_config(''transaction_timeout'', ''1h'', true); EXCEPTION WHEN undefined_object THEN NULL; END'$$, 'elsewhere it can');

-- the budget of router.archive, and in a transaction block
CALL test.prepare('sleep', 'mal.hot');
CALL router.archive(table_budget => '500 milliseconds');
SELECT is(:'SQLSTATE'::text || :'LAST_ERROR_MESSAGE', '550001 of 2 tables could not be archived', 'archive of all bases');
SELECT matches(test.event('mal.hot'), '^archive: it took longer', 'its reason');
SELECT is((SELECT count(*) FROM ONLY good.hot), 0::bigint, 'the other owner''s rows are archived');
CALL test.prepare('sleep', 'mal.hot');
CALL router.archive('mal.hot', table_budget => '500 milliseconds');
SELECT is(:'SQLSTATE'::text || :'LAST_ERROR_MESSAGE', '57014it took longer than its table_budget of 00:00:00.5', 'archive of one base');
CALL test.prepare('sleep', 'mal.hot');
BEGIN;
SAVEPOINT a;
CALL router.maintain(table_budget => '500 milliseconds');
SELECT is(:'SQLSTATE'::text, '55000', 'in a transaction block');
ROLLBACK TO a;
SET LOCAL statement_timeout = '1 second';
CALL router.maintain();
SELECT is(:'SQLSTATE'::text || :'LAST_ERROR_MESSAGE', '57014canceling statement due to statement timeout', 'and a cancel there');
ROLLBACK;
CALL router.maintain(table_budget => '0');
SELECT is(:'SQLSTATE'::text, '22023', 'table_budget 0');
CALL router.archive(table_budget => '-1 hour');
SELECT is(:'SQLSTATE'::text, '22023', 'table_budget below zero');
CALL router.tier(table_budget => '0');
SELECT is(:'SQLSTATE'::text, '22023', 'table_budget of tier');
SELECT throws_ok($$SELECT router.check(table_budget => '0')$$, '22023', NULL, 'table_budget of check');
CALL test.prepare('off', 'mal.hot');
CALL router.maintain(table_budget => '1000000 years');
SELECT is(:'SQLSTATE'::text || '', '22008', 'a table_budget beyond the calendar');
CALL router.maintain(table_budget => '1000 years');
SELECT is((SELECT count(*) FROM ONLY mal.hot), 0::bigint, 'a table_budget without end');
SELECT pg_sleep(0.7) \g /dev/null
SELECT pass('no timer is left');

-- who is no superuser
SELECT test.role('router_j_night') \g /dev/null
GRANT router_j_mal, router_j_good TO router_j_night;
CALL test.prepare('sleep', 'mal.hot');
SET ROLE router_j_night;
:run
RESET ROLE;
SELECT is(:'state'::text, '55000', 'a nightly job that is no superuser''s: one table failed');
SELECT is((SELECT count(*) FROM ONLY good.hot), 0::bigint, 'the other owner''s table is maintained');

-- a cancel by others ends all of it, also if somebody catches it
CALL test.prepare('sleep', 'mal.hot');
SET statement_timeout = '400ms';
CALL router.maintain();
\set state :SQLSTATE
RESET statement_timeout;
SELECT is(:'state'::text || :'LAST_ERROR_MESSAGE', '57014canceling statement due to statement timeout', 'statement_timeout ends the call');
SELECT is((SELECT count(*) FROM ONLY good.hot), 1::bigint, 'before the turn of the other');
CALL test.prepare('swallow', 'mal.hot');
SET statement_timeout = '400ms';
CALL router.maintain();
\set state :SQLSTATE
RESET statement_timeout;
SELECT is(:'state'::text || :'LAST_ERROR_MESSAGE', '57014canceling statement due to statement timeout', 'also where a function has caught it');
SELECT is((SELECT count(*) FROM ONLY good.hot), 1::bigint, 'before the turn of the other');
SET statement_timeout = '3s';
CALL router.maintain(table_budget => '1 hour');
RESET statement_timeout;
SELECT is((SELECT count(*) FROM ONLY good.hot), 0::bigint, 'whose turn comes first the next time');
CALL test.prepare('swallow and fail', 'mal.hot');
SET statement_timeout = '400ms';
CALL router.maintain(table_budget => '1 hour');
\set state :SQLSTATE
RESET statement_timeout;
SELECT is(:'state'::text || :'LAST_ERROR_MESSAGE', '57014canceling statement due to statement timeout', 'and raised something else');

-- and where core finds both at once, when it has not looked for a while
CALL test.prepare('busy', 'mal.hot');
SET statement_timeout = '1300ms';
CALL router.maintain(table_budget => '1 second');
\set state :SQLSTATE
RESET statement_timeout;
SELECT is(:'state'::text || :'LAST_ERROR_MESSAGE', '57014canceling statement due to statement timeout', 'at the same time as the budget');
SELECT is((SELECT count(*) FROM ONLY good.hot), 1::bigint, 'before the turn of the other');

-- each owner has his turn: three tables that take their budget do not come before another owner's one
SELECT format('SET ROLE router_j_mal; CREATE TABLE mal.hot%s (LIKE mal.hot INCLUDING ALL); SELECT router.create_route(''mal.hot%s'', router.by_date(''d'', ''month''), hot => ''1 day''); UPDATE mal.mode SET mode = ''off'';'
              ' RESET ROLE; UPDATE router.route_def SET watermark = ''-infinity'', pending = ''-infinity'' WHERE base = ''mal.hot%s''::regclass; INSERT INTO mal.hot%s VALUES (1, now() - interval ''5 days'')', i, i, i, i)
  FROM generate_series(1, 2) i \gexec
CALL test.prepare('sleep', 'mal.hot');
CALL router.maintain(table_budget => '500 milliseconds');
SELECT is((SELECT count(*) FROM router.events WHERE error IS NOT NULL AND action <> 'maintain' AND at < (SELECT min(at) FROM router.events WHERE base = 'good.hot'::regclass AND action = 'archive')), 1::bigint,
          'who has many tables that take long keeps others waiting for one of them');
DROP TABLE mal.hot1, mal.hot2 CASCADE;

-- what another session does, by dblink
SELECT count(*) = 1 AS dblink FROM pg_available_extensions WHERE name = 'dblink' \gset
\if :dblink
CREATE EXTENSION dblink;
SELECT format('host=%s port=%s dbname=%s user=%s', split_part(current_setting('unix_socket_directories'), ',', 1), current_setting('port'), current_database(), current_user) AS connection \gset
SELECT dblink_connect('other', :'connection') \g /dev/null
SELECT pg_backend_pid() AS me \gset

-- a function fails to get a lock, in earnest: that is tried again, the first time longer, and the others have their turn
CREATE TABLE mal.locked (i int);
GRANT ALL ON mal.locked TO router_j_mal;
SELECT dblink_exec('other', 'BEGIN; LOCK TABLE mal.locked') \g /dev/null
CALL test.prepare('real', 'mal.hot');
CALL router.maintain(table_budget => '1 second');
SELECT matches(test.event('mal.hot'), '^archive: it took longer', 'tries for locks are within the budget');
SELECT is((SELECT count(*) FROM ONLY good.hot), 0::bigint, 'the other owner''s table is maintained');
SELECT dblink_exec('other', 'ROLLBACK') \g /dev/null

-- a transaction that uses the base is waited for between steps, and within the budget
CALL test.prepare('off', 'mal.hot');
UPDATE ONLY mal.hot SET d = now() - interval '100 days';
SELECT dblink_exec('other', 'BEGIN; LOCK TABLE mal.hot IN ACCESS SHARE MODE') \g /dev/null
CALL router.maintain(table_budget => '500 milliseconds');
SELECT matches(test.event('mal.hot'), 'archive: it took longer', 'a wait between steps ends with the budget');
SELECT is((SELECT count(*) FROM ONLY mal.hot), 1::bigint, 'its row is where it was');
SELECT is((SELECT count(*) FROM ONLY good.hot), 0::bigint, 'the other owner''s table is maintained');
SELECT dblink_exec('other', 'ROLLBACK') \g /dev/null
CALL router.maintain(table_budget => '1 minute');
SELECT is((SELECT count(*) FROM ONLY mal.hot), 0::bigint, 'the next run does it');

-- a cancel while the failure of a table is noted
CALL test.prepare('off', 'mal.hot');
SELECT dblink_exec('other', 'BEGIN; LOCK TABLE router.event_def IN SHARE MODE') \g /dev/null
SET lock_timeout = '3s';
SET statement_timeout = '1500ms';
CALL router.maintain(table_budget => '500 milliseconds');
\set state :SQLSTATE
RESET statement_timeout;
RESET lock_timeout;
SELECT is(:'state'::text || :'LAST_ERROR_MESSAGE', '57014canceling statement due to statement timeout', 'while a failure is noted');
SELECT is((SELECT count(*) FROM ONLY good.hot), 1::bigint, 'before the turn of the other');
SELECT dblink_exec('other', 'ROLLBACK') \g /dev/null
CALL router.maintain(table_budget => '1 minute');

-- check does not wait for one table for ever
SELECT is((SELECT count(*) FROM router.check(table_budget => '1 minute') WHERE kind = 'check'), 0::bigint, 'all can be checked');
SELECT dblink_exec('other', 'BEGIN; LOCK TABLE mal.hot') \g /dev/null
SELECT is((SELECT string_agg(routed_table || ' ' || detail, '; ') FROM router.check(table_budget => '500 milliseconds') WHERE kind = 'check'),
          'mal.hot it could not be checked to the end: it took longer than its table_budget of 00:00:00.5', 'check has a line for what it could not check');
SET lock_timeout = '100ms';
SELECT is((SELECT string_agg(routed_table || ' ' || detail, '; ') FROM router.check() WHERE kind = 'check'),
          'mal.hot it could not be checked to the end: canceling statement due to lock timeout', 'nor longer than lock_timeout');
RESET lock_timeout;
SET statement_timeout = '300ms';
SELECT throws_ok($$SELECT router.check()$$, '57014', 'canceling statement due to statement timeout', 'a cancel ends it');
RESET statement_timeout;
SELECT dblink_exec('other', 'ROLLBACK') \g /dev/null

-- pg_cancel_backend
CALL test.prepare('swallow', 'mal.hot');
SELECT dblink_send_query('other', format('SELECT pg_sleep(0.5), pg_cancel_backend(%s)', :me)) \g /dev/null
CALL router.maintain();
SELECT is(:'SQLSTATE'::text || :'LAST_ERROR_MESSAGE', '57014canceling statement due to user request', 'a user''s cancel ends the call, also where a function has caught it');
SELECT is((SELECT count(*) FROM ONLY good.hot), 1::bigint, 'before the turn of the other');
SELECT count(*) FROM dblink_get_result('other') AS (a text, b boolean) \g /dev/null

-- another session moves children of one table: an error that comes between steps
CREATE ACCESS METHOD heap2 TYPE TABLE HANDLER heap_tableam_handler;
CALL test.prepare('off', 'mal.hot');
CALL router.archive();
SELECT router.add_tier('mal.hot', after => '2 days', access_method => 'heap2') \g /dev/null
SELECT child FROM router.children WHERE base = 'mal.hot'::regclass ORDER BY child LIMIT 1 \gset
SELECT dblink_disconnect('other'), dblink_connect('other', :'connection'), dblink_connect('third', :'connection') \g /dev/null
SELECT dblink_exec('third', 'BEGIN; LOCK TABLE mal.hot IN ACCESS SHARE MODE') \g /dev/null
SELECT dblink_send_query('other', format('CALL router.move_child(%L, access_method => %L)', :'child', 'heap2')) \g /dev/null
SET statement_timeout = '20s';
DO $$BEGIN
    WHILE NOT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND objsubid = 3) LOOP PERFORM pg_sleep(0.01); END LOOP;
END$$;
RESET statement_timeout;
DELETE FROM router.events;
INSERT INTO good.hot VALUES (2, now() - interval '50 days');
UPDATE router.route_def SET watermark = '-infinity', pending = '-infinity' WHERE base = 'good.hot'::regclass;
CALL router.maintain(table_budget => '1 minute');
SELECT is(test.event('mal.hot'), 'tier: another session is moving children of "hot"', 'what is raised between steps is in router.events');
SELECT is((SELECT count(*) FROM ONLY good.hot), 0::bigint, 'the other owner''s table is maintained');
SELECT dblink_cancel_query('other') \g /dev/null
SELECT * FROM dblink_get_result('other', false) AS (a text) \g /dev/null
SELECT dblink_exec('third', 'ROLLBACK') \g /dev/null
SELECT dblink_disconnect('third') \g /dev/null
SELECT dblink_disconnect('other') \g /dev/null
\else
SELECT skip('dblink is not available', 16);
\endif

UPDATE mal.mode SET mode = 'off';
DROP SCHEMA mal, good CASCADE;
SELECT * FROM finish();
