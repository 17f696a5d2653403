-- Corners of hot bases and of what moves their rows: rows without a child of their own, far cutoffs, rights, settings.
\ir ../../include/helpers.sql
\set tests 25
SELECT plan(:tests);
SELECT set_config('statement_timeout', '60s', false) \g /dev/null

-- rows that must not have a child of their own
CREATE TABLE quarantine (id int, d date);
INSERT INTO quarantine VALUES (1, '-infinity'), (2, '1500-01-01'), (3, '2020-01-01'), (4, current_date), (5, NULL);
SELECT router.create_route('quarantine', router.by_date('d', 'month'), hot => '7 days', default_child => true, on_reject => 'default') \g /dev/null
SELECT is(test.homes('quarantine'), 'quarantine: 4, quarantine_null: 1', 'a row without a date is not hot');
CALL router.archive('quarantine');
SELECT is(test.homes('quarantine'), 'quarantine: 1, quarantine_default: 2, quarantine_null: 1, quarantine_y2020m01: 1',
          'archive sends rows that are refused a child to the default child, and ends');
SELECT is((SELECT count(*) FROM router.check('quarantine')), 0::bigint, 'all are at home');

-- no index on the date, a cutoff at the end of time
CREATE TABLE far (id int, d date NOT NULL, PRIMARY KEY (id, d));
SELECT router.create_route('far', router.by_date('d', 'month'), hot => '7 days') \g /dev/null
INSERT INTO far SELECT i, current_date + 100 * i FROM generate_series(0, 10) i;
CALL router.archive('far', cutoff => 'infinity');
SELECT is((SELECT count(*) FROM ONLY far), 0::bigint, 'without an index a far cutoff is reached, too');
SELECT is((SELECT count(*) FROM far), 11::bigint, 'with all rows');
SELECT is((SELECT watermark FROM router.routes WHERE base = 'far'::regclass), 'infinity', 'the watermark is at the cutoff');

-- a default child that has fresh rows
CREATE TABLE late (id int, d date, PRIMARY KEY (id, d));
SELECT router.create_route('late', router.by_date('d', 'month'), default_child => true, on_missing => 'default') \g /dev/null
INSERT INTO late VALUES (1, current_date), (2, '2020-01-01');
SELECT throws_ok($$SELECT router.alter_route('late', hot => '7 days')$$, '55000', NULL, 'a default child with fresh rows is in the way of becoming hot');
DELETE FROM late WHERE id = 1;
SELECT lives_ok($$SELECT router.alter_route('late', hot => '7 days')$$, 'one with old rows is not');
INSERT INTO late VALUES (1, current_date);
SELECT is(test.homes('late'), 'late: 1, late_default: 1', 'and fresh rows live in the base');

-- deferrable unique constraints, whoever moves
CREATE TABLE defer (r int, d date, UNIQUE (r, d) DEFERRABLE);
INSERT INTO defer SELECT i % 3, current_date - i FROM generate_series(0, 60) i;
SELECT lives_ok($$SELECT router.create_route('defer', router.by_date('d', 'month'), hot => '30 days', move_rows => true)$$, 'create_route');
CALL router.archive('defer', cutoff => (current_date - 3)::text);
SELECT is((SELECT count(*) FROM ONLY defer), 4::bigint, 'archive');
SELECT lives_ok($$SELECT router.drop_route('defer', rows => 'base')$$, 'drop_route');
SELECT is((SELECT count(*) FROM ONLY defer), 61::bigint, 'with a deferrable unique constraint, all rows are there');

-- the caller's settings, and rights
CREATE ROLE hot_owner;
CREATE SCHEMA hot_owner AUTHORIZATION hot_owner;
SET ROLE hot_owner;
CREATE TABLE hot_owner.log (id int, d date);
CREATE FUNCTION hot_owner.spy(int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    IF current_user <> 'hot_owner' THEN
        RAISE EXCEPTION 'called as %', current_user;
    END IF;
    RETURN $1;
END $$;
CREATE INDEX ON hot_owner.log (hot_owner.spy(id));
SELECT router.create_route('hot_owner.log', router.by_date('d', 'month'), hot => '7 days') \g /dev/null
INSERT INTO hot_owner.log VALUES (1, current_date);
RESET ROLE;
CALL router.archive('hot_owner.log', cutoff => 'tomorrow');
SELECT is((SELECT count(*) FROM ONLY hot_owner.log), 0::bigint, 'functions of an index run as the owner');
SELECT is(current_user::text, session_user::text, 'and then we are ourselves again');
BEGIN;
SET LOCAL lock_timeout = '77s';
CALL router.archive('far');
SELECT is(current_setting('lock_timeout'), '77s', 'lock_timeout is the caller''s again');
COMMIT;

-- what a hot row can be and a child can not
CREATE TABLE endless (id int, d date, e date);
SELECT router.create_route('endless', ARRAY[router.by_date('d', 'month'), router.by_date('e', 'month', '2020-01-01')], hot => '1000 days', time_zone => 'UTC', horizon => '10 years') \g /dev/null
INSERT INTO endless VALUES (1, '2024-12-15', '2900-01-01'), (2, '2024-12-15', 'infinity');
SELECT throws_ok($$SELECT router.archive_now('endless', '2025-06-01')$$, '23514', 'no child of routed table "endless" for the row', 'an infinite date cannot be archived');
DELETE FROM endless WHERE id = 2;
SELECT lives_ok($$SELECT router.archive_now('endless', '2025-06-01')$$, 'one beyond the horizon can');
SELECT is(test.homes('endless'), 'endless_y2024m12_y2900m01: 1', 'it has a child');

-- a view's CHECK OPTION in a long statement
CREATE TABLE checked (id int, d date, v int);
SELECT router.create_route('checked', router.by_date('d', 'month'), hot => '7 days') \g /dev/null
CREATE VIEW small AS SELECT * FROM checked WHERE v < 100 WITH CHECK OPTION;
SELECT throws_ok($$INSERT INTO small SELECT i, current_date - i, 50 + i FROM generate_series(1, 60) i$$, '44000', NULL, 'CHECK OPTION holds for rows in batches');
SELECT lives_ok($$INSERT INTO small SELECT i, current_date - i, i FROM generate_series(1, 60) i$$, 'which pass it otherwise');
SELECT is((SELECT count(*) FROM checked), 60::bigint, 'all of them');

-- a route becomes hot while this session has events to come, and cursors open
CREATE TABLE busy (id int, d date);
CREATE FUNCTION nothing() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
SELECT router.create_route('busy', router.by_date('d', 'month'), time_zone => 'UTC') \g /dev/null
CREATE CONSTRAINT TRIGGER later AFTER INSERT ON busy DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION nothing();
BEGIN;
INSERT INTO busy VALUES (1, '2024-01-01');
DECLARE reader CURSOR FOR SELECT * FROM busy;
FETCH reader \g /dev/null
SELECT lives_ok($$SELECT router.alter_route('busy', hot => '7 days')$$, 'with rows of the same transaction, and a cursor');
COMMIT;
SELECT results_eq($$SELECT tgrelid::regclass::text, tgenabled FROM pg_trigger WHERE tgname = '~router_move' AND tgrelid::regclass::text LIKE 'busy%' ORDER BY 1$$,
                  $$VALUES ('busy', 'A'::"char"), ('busy_y2024m01', 'A')$$, 'the trigger that moves rows fires always');
INSERT INTO busy VALUES (2, '2024-01-02'), (3, current_date);
UPDATE busy SET d = current_date WHERE id = 1;
SELECT is(test.homes('busy'), 'busy: 2, busy_y2024m01: 1', 'and sends them where they belong');

DROP SCHEMA hot_owner CASCADE;
DROP ROLE hot_owner;
SELECT * FROM finish();
