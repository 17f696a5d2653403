-- The hot base and router.archive. Checklist B1-B5, B8, B10, B11, D9.
\ir ../../include/helpers.sql
\set tests 76
SELECT plan(:tests);

CREATE TABLE residence (id int PRIMARY KEY);
INSERT INTO residence SELECT generate_series(1, 5);
CREATE TABLE log (id bigint, residence_id int REFERENCES residence ON DELETE CASCADE, d timestamptz, v int CHECK (v >= 0), twice int GENERATED ALWAYS AS (v * 2) STORED, PRIMARY KEY (id, d));
CREATE INDEX ON log (d);

-- -------------------------------------------------------------------- settings
SELECT throws_ok($$SELECT router.create_route('log', router.by_date('d', 'month'), hot => '0')$$, '22023', NULL, 'a window of nothing');
SELECT throws_ok($$SELECT router.create_route('log', router.by_date('d', 'month'), hot => '-1 day')$$, '22023', NULL, 'a window before now');
SELECT throws_ok($$SELECT router.create_route('log', router.by_list('residence_id'), hot => '7 days')$$, '22023', NULL, 'no date among the keys');
SELECT isnt_empty($$SELECT router.create_route('log', ARRAY[router.by_list('residence_id'), router.by_date('d', 'month')], hot => '7 days', time_zone => 'UTC')$$, 'by residence and month, a week hot');
SELECT is((SELECT hot FROM router.routes WHERE base = 'log'::regclass), '7 days'::interval, 'router.routes shows the window');
SELECT is((SELECT watermark::timestamptz FROM router.routes WHERE base = 'log'::regclass) BETWEEN now() - interval '7 days 1 minute' AND now() - interval '6 days 23 hours', true, 'and the watermark');
SELECT is_empty($$SELECT router.create_route('log', ARRAY[router.by_list('residence_id'), router.by_date('d', 'month')], hot => '7 days')$$, 'once more changes nothing');
SELECT throws_ok($$CALL router.archive('residence')$$, '55000', NULL, 'archive of an ordinary table');
CREATE TABLE plain (d date);
SELECT router.create_route('plain', router.by_date('d', 'year')) \g /dev/null
SELECT throws_ok($$CALL router.archive('plain')$$, '55000', NULL, 'archive of a route that is not hot');
SELECT throws_ok($$CALL router.archive('log', batch_rows => 0)$$, '22023', NULL, 'batch_rows 0');
SELECT throws_ok($$CALL router.archive('log', lock_timeout => '0')$$, '22023', NULL, 'lock_timeout 0');
SELECT throws_ok($$CALL router.archive('log', cutoff => 'soon')$$, '22007', NULL, 'a cutoff that is none');

-- ---------------------------------------------------------------------- inserts
:fresh
INSERT INTO log SELECT i, 1 + i % 5, now() - i * interval '1 hour', i FROM generate_series(1, 24 * 100) i;
SELECT is(:ROW_COUNT, 2400, 'bulk insert: count');
SELECT is((SELECT count(*) FROM ONLY log), (SELECT count(*) FROM log, router.routes r WHERE r.base = 'log'::regclass AND d >= r.watermark::timestamptz), 'the last week is in the base');
SELECT is((SELECT count(*) FROM log), 2400::bigint, 'a plain SELECT sees each row once');
SELECT is((SELECT count(*) FROM ONLY log WHERE d < (SELECT watermark::timestamptz FROM router.routes WHERE base = 'log'::regclass)), 0::bigint, 'no late row is in the base');
:fresh
INSERT INTO log VALUES (10001, 1, now(), 1);
SELECT is((SELECT tableoid::regclass::text FROM log WHERE id = 10001), 'log', 'first statement of a session: a fresh row');
:fresh
SELECT results_eq($$INSERT INTO log VALUES (10002, 1, now(), 1), (10002, 2, '2019-03-01', 1), (10002, 3, now() + interval '1 year', 3) RETURNING tableoid::regclass::text, twice$$,
                  $$VALUES ('log', 2), ('log_2_y2019m03', 2), ('log', 6)$$, 'fresh, late, future: with RETURNING');
:fresh
INSERT INTO log VALUES (10003, 1, '2019-03-01', 1);
SELECT is((SELECT tableoid::regclass::text FROM log WHERE id = 10003), 'log_1_y2019m03', 'first statement of a session: a late row goes straight to its child');
SELECT throws_ok($$INSERT INTO log SELECT 10002, 1, d, 1 FROM log WHERE id = 10002 AND residence_id = 1$$, '23505', NULL, 'unique in the base');
SELECT throws_ok($$INSERT INTO log VALUES (10004, 9, now(), 1)$$, '23503', NULL, 'foreign key in the base');
SELECT throws_ok($$INSERT INTO log VALUES (10004, 1, now(), -1)$$, '23514', NULL, 'CHECK in the base');
INSERT INTO log SELECT id, residence_id, d, 77 FROM log WHERE id = 10002 ON CONFLICT (id, d) DO UPDATE SET v = EXCLUDED.v;
SELECT is(:ROW_COUNT::text || ' ' || (SELECT string_agg(DISTINCT v::text, '') FROM log WHERE id = 10002), '3 77', 'DO UPDATE in the base and in children');


-- ---------------------------------------------------------------------- triggers
CREATE TABLE told (what text);
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO told VALUES (concat_ws(' ', TG_WHEN, TG_OP, TG_LEVEL, TG_TABLE_NAME)); RETURN coalesce(NEW, OLD); END $$;
CREATE TABLE w (id int, d date);
CREATE TRIGGER b BEFORE INSERT OR UPDATE OR DELETE ON w FOR EACH ROW EXECUTE FUNCTION tell();
CREATE TRIGGER a AFTER INSERT OR UPDATE OR DELETE ON w FOR EACH ROW EXECUTE FUNCTION tell();
CREATE TRIGGER s AFTER INSERT OR UPDATE OR DELETE ON w FOR EACH STATEMENT EXECUTE FUNCTION tell();
SELECT router.create_route('w', router.by_date('d', 'year'), hot => '30 days') \g /dev/null
:fresh
INSERT INTO w VALUES (1, current_date), (2, '2020-01-01');
SELECT is((SELECT string_agg(what, ', ') FROM told), 'BEFORE INSERT ROW w, BEFORE INSERT ROW w, AFTER INSERT ROW w, AFTER INSERT ROW w_y2020, AFTER INSERT STATEMENT w', 'triggers fire once, in the first statement of a session');
TRUNCATE told;
INSERT INTO w VALUES (1, current_date), (2, '2020-01-01');
SELECT is((SELECT string_agg(what, ', ') FROM told), 'BEFORE INSERT ROW w, BEFORE INSERT ROW w, AFTER INSERT ROW w, AFTER INSERT ROW w_y2020, AFTER INSERT STATEMENT w', 'and in the second');
TRUNCATE told;
COPY w FROM PROGRAM 'echo "3	2021-01-01"; date "+4	%Y-%m-%d"';
SELECT is((SELECT string_agg(what, ', ' ORDER BY what) FROM told), 'AFTER INSERT ROW w, AFTER INSERT ROW w_y2021, AFTER INSERT STATEMENT w, BEFORE INSERT ROW w, BEFORE INSERT ROW w', 'and with COPY');
SELECT is(test.homes('w'), 'w: 3, w_y2020: 2, w_y2021: 1', 'all where they belong');
MERGE INTO w USING (VALUES (8, current_date), (9, '2022-05-05'::date)) n (id, d) ON w.id = n.id WHEN NOT MATCHED THEN INSERT VALUES (n.id, n.d);
SELECT is(test.homes('w'), 'w: 4, w_y2020: 2, w_y2021: 1, w_y2022: 1', 'MERGE');

-- ----------------------------------------------------------------------- archive
TRUNCATE told;
CALL router.archive('w', cutoff => 'tomorrow', dry_run => true);
SELECT is((SELECT count(*) FROM ONLY w), 4::bigint, 'dry_run moves nothing');
SELECT is((SELECT pending FROM router.routes WHERE base = 'w'::regclass), NULL, 'and announces nothing');
CALL router.archive('w');
SELECT is((SELECT count(*) FROM ONLY w), 4::bigint, 'what is in the window stays');
CALL router.archive('w', cutoff => (current_date + 1)::text);
SELECT is((SELECT count(*) FROM ONLY w), 0::bigint, 'a cutoff of one''s own');
SELECT is((SELECT count(*) FROM told), 0::bigint, 'no trigger fires for moved rows');
SELECT is((SELECT count(*) FROM w), 8::bigint, 'no row is lost or doubled');
SELECT is((SELECT watermark || coalesce(pending, '') FROM router.routes WHERE base = 'w'::regclass), (current_date + 1)::text, 'the watermark is at the cutoff');
CALL router.archive('w', cutoff => '2020-01-01');
SELECT is((SELECT watermark FROM router.routes WHERE base = 'w'::regclass), (current_date + 1)::text, 'it never goes back');
SELECT router.alter_route('w', max_new_children => 7) \g /dev/null
SELECT is((SELECT watermark FROM router.routes WHERE base = 'w'::regclass), (current_date + 1)::text, 'alter_route leaves it');
INSERT INTO w VALUES (20, current_date);
SELECT isnt((SELECT tableoid::regclass::text FROM w WHERE id = 20), 'w', 'rows before it go to children');
INSERT INTO w VALUES (21, current_date + 1), (22, NULL);
SELECT is((SELECT tableoid::regclass::text FROM w WHERE id = 21), 'w', 'rows from it on stay in the base');
SELECT is((SELECT tableoid::regclass::text FROM w WHERE id = 22), 'w_null', 'rows without a date have no age');

SELECT md5(string_agg(log::text, ',' ORDER BY id, d)) AS sum FROM log \gset
CALL router.archive('log', cutoff => (now() - interval '2 days')::text, batch_rows => 10);
SELECT is((SELECT md5(string_agg(log::text, ',' ORDER BY id, d)) FROM log), :'sum', 'small batches: all rows as they were');
SELECT is((SELECT count(*) FROM ONLY log WHERE d < now() - interval '2 days'), 0::bigint, 'those before the cutoff moved');
SELECT is((SELECT count(*) FROM ONLY log WHERE d >= now() - interval '47 hours') > 40, true, 'the others did not');
DROP INDEX log_d_idx;
CALL router.archive('log', cutoff => (now() - interval '1 day')::text);
SELECT is((SELECT md5(string_agg(log::text, ',' ORDER BY id, d)) FROM log), :'sum', 'without an index on the date');
SELECT is((SELECT count(*) FROM ONLY log WHERE d < now() - interval '1 day'), 0::bigint, 'those before the cutoff moved');
BEGIN;
CALL router.archive('log', cutoff => (now() - interval '1 hour')::text);
SELECT is((SELECT count(*) FROM ONLY log WHERE d < now() - interval '1 hour'), 0::bigint, 'in a transaction block');
ROLLBACK;
SELECT is((SELECT count(*) FROM ONLY log WHERE d < now() - interval '1 hour') > 20, true, 'which can be rolled back');
SELECT is((SELECT pending FROM router.routes WHERE base = 'log'::regclass), NULL, 'all of it');
CALL router.archive();
SELECT is((SELECT md5(string_agg(log::text, ',' ORDER BY id, d)) FROM log), :'sum', 'archive of all hot routes');
DELETE FROM residence WHERE id = 3;
SELECT is((SELECT count(*) FROM log WHERE residence_id = 3), 0::bigint, 'ON DELETE CASCADE of a residence reaches hot and archived rows');

-- --------------------------------------------------------------------- rehydrate
UPDATE log SET d = now() WHERE id = (SELECT max(id) FROM log WHERE tableoid <> 'log'::regclass AND id < 3000) RETURNING tableoid::regclass AS home \gset
SELECT is(:'home'::text, 'log', 'an UPDATE makes an archived row current again');
UPDATE log SET d = '2018-01-01' WHERE id = 10001;
SELECT is((SELECT tableoid::regclass::text FROM log WHERE id = 10001), 'log_1_y2018m01', 'and a current one old');

-- -------------------------------------------------------------- a table with rows
CREATE TABLE full_table AS SELECT i AS id, now() - i * interval '1 day' AS d FROM generate_series(1, 1000) i;
SELECT router.create_route('full_table', router.by_date('d', 'year'), hot => '30 days') \g /dev/null
SELECT is((SELECT count(*) FROM ONLY full_table), 1000::bigint, 'create_route leaves the rows of a table where they are');
SELECT is((SELECT watermark FROM router.routes WHERE base = 'full_table'::regclass), '-infinity', 'they are hot until they are archived');
CALL router.archive('full_table');
SELECT is((SELECT count(*) FROM ONLY full_table) BETWEEN 29 AND 31, true, 'archive takes them away');
SELECT is((SELECT count(*) FROM full_table), 1000::bigint, 'none is lost');

CREATE TABLE odd (id int, d timestamptz);
INSERT INTO odd VALUES (1, '1000-01-01'), (2, NULL), (3, now()), (4, '2020-02-02');
SELECT router.create_route('odd', router.by_date('d', 'year'), hot => '30 days', time_zone => 'UTC') \g /dev/null
SELECT is(test.homes('odd'), 'odd: 3, odd_null: 1', 'rows without a date are at home at once');
CALL router.archive('odd');
SELECT is(test.homes('odd'), 'odd: 1, odd_null: 1, odd_y1000: 1, odd_y2020: 1', 'a row that is there is archived however old');
CREATE TABLE quarantine (id int, d timestamptz);
INSERT INTO quarantine VALUES (1, '1000-01-01'), (2, '2020-02-02'), (3, now());
SELECT router.create_route('quarantine', router.by_date('d', 'year'), hot => '30 days', time_zone => 'UTC', default_child => true, on_reject => 'default') \g /dev/null
CALL router.archive('quarantine');
SELECT is(test.homes('quarantine'), 'quarantine: 1, quarantine_default: 1, quarantine_y2020: 1', 'or goes to the default child, if that is the policy');
ALTER TABLE odd DISABLE TRIGGER ALL;
INSERT INTO odd VALUES (5, '2021-01-01');
COPY odd FROM PROGRAM 'printf "6\t2020-01-01\n"';
ALTER TABLE odd ENABLE TRIGGER ALL;
SELECT isnt_empty($$SELECT FROM router.check('odd') WHERE kind = 'rows'$$, 'router.check finds rows that went past the triggers');
SELECT router.create_route('odd', router.by_date('d', 'year'), move_rows => true) \g /dev/null
SELECT is(test.homes('odd'), 'odd: 1, odd_null: 1, odd_y1000: 1, odd_y2020: 2, odd_y2021: 1', 'create_route … move_rows takes them home');
BEGIN;
CALL router.archive('odd');
SELECT is(current_setting('lock_timeout'), '0', 'lock_timeout is the caller''s again');
COMMIT;
CREATE TABLE later (id int, d date NOT NULL, PRIMARY KEY (id, d));
SELECT router.create_route('later', router.by_date('d', 'month'), default_child => true, on_missing => 'default') \g /dev/null
INSERT INTO later VALUES (1, current_date);
SELECT throws_ok($$SELECT router.alter_route('later', hot => '7 days')$$, '55000', NULL, 'a default child with fresh rows is in the way');
DELETE FROM later;
INSERT INTO later VALUES (1, '2020-01-01');
SELECT lives_ok($$SELECT router.alter_route('later', hot => '7 days')$$, 'with old ones it is not');
INSERT INTO later VALUES (1, current_date);
SELECT is(test.homes('later'), 'later: 1, later_default: 1', 'a route that becomes hot');
SET client_min_messages = error;
CREATE ROLE keeper;
GRANT CREATE ON SCHEMA public TO keeper;
SET ROLE keeper;
CREATE TABLE kept (id int, d date);
CREATE FUNCTION who(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM pg_advisory_lock(7, length(current_user)); RETURN $1; END $$;
CREATE INDEX ON kept (who(id));
CREATE INDEX ON kept (d) WHERE who(1) = 1;
SELECT router.create_route('kept', router.by_date('d', 'year'), hot => '30 days') \g /dev/null
INSERT INTO kept VALUES (1, current_date);
RESET ROLE;
SELECT pg_advisory_unlock_all() \g /dev/null
CALL router.archive('kept', cutoff => 'tomorrow');
SELECT is((SELECT array_agg(DISTINCT objid) FROM pg_locks WHERE locktype = 'advisory' AND classid = 7 AND pid = pg_backend_pid()), ARRAY[length('keeper')]::oid[], 'what the owner wrote into indexes runs as the owner, whoever archives');
DROP OWNED BY keeper CASCADE;
DROP ROLE keeper;
CREATE TABLE deferred (r int, d date, UNIQUE (r, d) DEFERRABLE);
SELECT router.create_route('deferred', router.by_date('d', 'month'), hot => '10 days') \g /dev/null
INSERT INTO deferred SELECT g % 3, current_date - g FROM generate_series(0, 60) g;
CALL router.archive('deferred', cutoff => (current_date - 3)::text);
SELECT is((SELECT count(*) FROM ONLY deferred), 4::bigint, 'a deferrable unique constraint');
CREATE VIEW checked AS SELECT * FROM plain WHERE d < '2024-02-01' WITH CHECK OPTION;
SELECT throws_ok($$INSERT INTO checked SELECT '2024-01-01'::date + i FROM generate_series(1, 50) i$$, '44000', NULL, 'a long INSERT through a view with a CHECK OPTION');

-- ------------------------------------------------------------ one bad table (B11)
CREATE TABLE bad (d date);
CREATE TABLE good (d date);
SELECT router.create_route('bad', router.by_date('d', 'year'), hot => '30 days', on_missing => 'error') \g /dev/null
SELECT router.create_route('good', router.by_date('d', 'year'), hot => '30 days') \g /dev/null
INSERT INTO bad VALUES (current_date);
INSERT INTO good VALUES (current_date);
CALL router.archive(cutoff => 'tomorrow');
SELECT is(:'SQLSTATE'::text, '55000', 'archive of all fails in the end when it failed for one');
SELECT is((SELECT count(*) FROM ONLY good), 0::bigint, 'the others are archived');
SELECT is((SELECT count(*) FROM ONLY bad), 1::bigint, 'the bad one is as it was');
SELECT is((SELECT string_agg(base_name || ' ' || rows || ' ' || (error IS NULL), ', ' ORDER BY base_name) FROM router.events WHERE base IN ('bad'::regclass, 'good'::regclass)),
          'public.bad 0 false, public.good 1 true', 'router.events tells of both');
SELECT throws_ok($$CALL router.archive('bad', cutoff => 'tomorrow')$$, '23514', NULL, 'by itself it fails with the reason');

-- ------------------------------------------------------------ other keys
CREATE TABLE rekeyed (k int, d date, e date);
SELECT router.create_route('rekeyed', router.by_date('d', 'month'), hot => '7 days') \g /dev/null
INSERT INTO rekeyed VALUES (1, current_date, current_date);
SELECT throws_ok($$SELECT router.create_route('rekeyed', router.by_list('k'))$$, '55000', NULL, 'a hot route gets no keys without its date');
SELECT throws_ok($$SELECT router.create_route('rekeyed', router.by_date('e', 'month'))$$, '55000', NULL, 'nor another date');
SELECT is(test.outcome($$SELECT router.create_route('rekeyed', router.by_date('d', 'year'))$$), 'done', 'other steps of the same date will do');
SELECT * FROM finish();
