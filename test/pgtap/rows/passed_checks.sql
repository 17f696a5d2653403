-- Rows that move are not checked again by what they have passed where they were: a function that finds its tables by
-- search_path, or that was replaced since, is in nobody's way. What only the destination asks for is looked at.
\ir ../../include/helpers.sql
CREATE SCHEMA app;
SET search_path = app, public;
CREATE TABLE allowed (unit text PRIMARY KEY);
INSERT INTO allowed VALUES ('kWh'), ('m3');
CREATE FUNCTION is_allowed(u text) RETURNS boolean LANGUAGE plpgsql STABLE AS $$ BEGIN RETURN EXISTS (SELECT FROM allowed WHERE unit = u); END $$;
CREATE FUNCTION doubled(v int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN factor() * v; END $$;
CREATE FUNCTION factor() RETURNS int LANGUAGE sql IMMUTABLE AS 'SELECT 2';
SET allow_in_place_tablespaces = on;
CREATE TABLESPACE router_passed_checks LOCATION '';
CREATE TABLE movers (mover text, keys text, prepare text, move text);
INSERT INTO movers VALUES
    ('create_route', 'none', NULL, $$SELECT router.create_route('m', router.by_date('d', 'month'), move_rows => true)$$),
    ('drop_route', 'cold', NULL, $$SELECT router.drop_route('m', rows => 'base')$$),
    ('archive', 'hot', NULL, $$CALL router.archive('m', cutoff => '2024-03-01')$$),
    ('archive_now', 'hot', NULL, $$SELECT router.archive_now('m', '2024-03-01')$$),
    ('rotate', 'hot', NULL, $$CALL router.rotate('m', cutoff => '2024-03-01')$$),
    ('restore', 'hot', $$CALL router.archive('m', cutoff => '2024-03-01')$$, $$SELECT router.restore('m_y2024m01', younger => true)$$),
    ('end_hot', 'hot', NULL, $$SELECT router.end_hot('m')$$),
    ('redistribute', 'default', NULL, $$CALL router.redistribute('m')$$),
    ('create_child', 'default', NULL, $$SELECT router.create_child('m', '2024-02-01')$$),
    ('move_child', 'cold', NULL, $$CALL router.move_child('m_y2024m01', tablespace => 'router_passed_checks')$$);
SELECT plan(10 * 2 + 13);
SET client_min_messages = error;
\set ON_ERROR_STOP 1
SELECT statement
  FROM movers, unnest(ARRAY['DROP TABLE IF EXISTS m CASCADE', 'CREATE OR REPLACE FUNCTION factor() RETURNS int LANGUAGE sql IMMUTABLE AS ''SELECT 2''',
        'CREATE TABLE m (id int, gone int, d date, unit text CHECK (is_allowed(unit)), v int CHECK (doubled(v) < 1000), g int GENERATED ALWAYS AS (doubled(v)) STORED)',
        CASE WHEN mover NOT IN ('move_child', 'rotate') THEN 'ALTER TABLE m DROP COLUMN gone' END,
        CASE keys WHEN 'cold' THEN $$SELECT router.create_route('m', router.by_date('d', 'month'))$$
                  WHEN 'hot' THEN $$SELECT router.create_route('m', router.by_date('d', 'month'), hot => '10000 days')$$
                  WHEN 'default' THEN $$SELECT router.create_route('m', router.by_date('d', 'month'), default_child => true, on_missing => 'default')$$ END,
        CASE mover WHEN 'rotate' THEN $$SELECT router.create_child('m', '2024-02-01')$$ END,
        $$INSERT INTO m (id, d, unit, v) SELECT i, date '2024-01-25' + i, 'kWh', i FROM generate_series(1, 50) i$$,
        prepare, 'DELETE FROM allowed', 'CREATE OR REPLACE FUNCTION factor() RETURNS int LANGUAGE sql IMMUTABLE AS ''SELECT 3000''',
        CASE WHEN mover NOT IN ('archive', 'rotate', 'move_child') THEN format('SELECT is(test.outcome(%L), %L, %L)', move, 'done', mover) ELSE move END,
        CASE WHEN mover IN ('archive', 'rotate', 'move_child') THEN format('SELECT pass(%L)', mover) END,
        format('SELECT is((SELECT count(*) FROM m WHERE g = v * 2 AND unit = ''kWh''), 50::bigint, %L)', mover || ': the values are as they were'),
        $$INSERT INTO allowed VALUES ('kWh'), ('m3')$$]) WITH ORDINALITY AS cell(statement, place)
 WHERE statement IS NOT NULL
 ORDER BY mover, place
\gexec
\set ON_ERROR_STOP 0
DROP TABLE m CASCADE;

-- what a child asks for by itself, what the base has not checked, what reads where it is
CREATE TABLE n (id int, d date, v int);
SELECT router.create_route('n', router.by_date('d', 'month'), hot => '10000 days') \g /dev/null
INSERT INTO n VALUES (1, '2024-01-01', -1), (2, '2024-02-01', 1);
SELECT router.create_child('n', '2024-01-01'), router.create_child('n', '2024-02-01') \g /dev/null
ALTER TABLE n_y2024m01 ADD CONSTRAINT own CHECK (v > 0);
SELECT throws_ok($$SELECT router.archive_now('n', '2024-03-01')$$, '23514', NULL, 'a CHECK that only the child has');
ALTER TABLE n_y2024m01 DROP CONSTRAINT own;
ALTER TABLE ONLY n ADD CONSTRAINT own CHECK (v < 0) NO INHERIT NOT VALID;
ALTER TABLE n_y2024m01 ADD CONSTRAINT own CHECK (v > 0);
SELECT throws_ok($$SELECT router.archive_now('n', '2024-03-01')$$, '23514', NULL, 'one of the same name that says something else');
ALTER TABLE n_y2024m01 DROP CONSTRAINT own;
ALTER TABLE n DROP CONSTRAINT own;
ALTER TABLE n ADD CONSTRAINT own CHECK (v > 0) NOT VALID;
ALTER TABLE n_y2024m01 VALIDATE CONSTRAINT own;
SELECT throws_ok($$SELECT router.archive_now('n', '2024-03-01')$$, '23514', NULL, 'one that the base has not validated and the child has');
ALTER TABLE n DROP CONSTRAINT own;
ALTER TABLE n ADD CONSTRAINT own CHECK (tableoid <> 'n_y2024m01'::regclass OR v > 0);
SELECT throws_ok($$SELECT router.archive_now('n', '2024-03-01')$$, '23514', NULL, 'one that asks where the row is');
ALTER TABLE n DROP CONSTRAINT own;
SELECT is(router.archive_now('n', '2024-03-01'), 2::bigint, 'without them the rows move');

-- index expressions are evaluated as maintenance evaluates them
CREATE FUNCTION shorten(u text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT left(u, 2) $$;
CREATE FUNCTION normal(u text) RETURNS text LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN RETURN upper(shorten(u)); END $$;
CREATE TABLE i (d date, unit text);
CREATE INDEX ON i (normal(unit));
SELECT router.create_route('i', router.by_date('d', 'month'), hot => '10000 days') \g /dev/null
INSERT INTO i VALUES ('2024-01-01', 'kWh');
SELECT throws_ok($$SELECT router.archive_now('i', '2024-03-01')$$, '42883', NULL, 'a function that an index calls and that finds another by search_path');
SELECT is(test.hint($$SELECT router.archive_now('i', '2024-03-01')$$),
    'Give the function that the table''s indexes or constraints call a search_path of its own, with ALTER FUNCTION … SET search_path.', 'the way out');
SELECT throws_matching($$SELECT router.archive_now('i', '2024-03-01')$$, 'shorten', 'what is missing is named');
ALTER FUNCTION normal SET search_path = app;
SELECT is(router.archive_now('i', '2024-03-01'), 1::bigint, 'which leads out');

-- so they are where a child gets its indexes, and one in SQL is looked into although there are no rows
CREATE FUNCTION two(u text) RETURNS text LANGUAGE sql IMMUTABLE SET search_path = app AS $$ SELECT shorten(u) $$;
CREATE TABLE s (d date, unit text);
CREATE INDEX ON s (two(unit));
ALTER FUNCTION two RESET search_path;
SELECT router.create_route('s', router.by_date('d', 'month')) \g /dev/null
SELECT throws_ok($$INSERT INTO s VALUES ('2024-01-01', 'kWh')$$, '42883', NULL, 'a new child');
SELECT is(test.hint($$INSERT INTO s VALUES ('2024-01-01', 'kWh')$$),
    'Give the function that the table''s indexes or constraints call a search_path of its own, with ALTER FUNCTION … SET search_path.', 'the way out');
ALTER FUNCTION two SET search_path = app;
SELECT lives_ok($$INSERT INTO s VALUES ('2024-01-01', 'kWh')$$, 'which leads out');
ALTER FUNCTION normal RESET search_path;
SELECT is(test.hint($$CREATE INDEX ON s (normal(unit))$$),
    'Give the function that the table''s indexes or constraints call a search_path of its own, with ALTER FUNCTION … SET search_path.', 'an index that follows to children with rows');
DROP TABLESPACE router_passed_checks;
SELECT * FROM finish();
