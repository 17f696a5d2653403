-- Tables that inherit from a base, or from its children, without being children of the route, and the base itself.
\ir ../../include/helpers.sql
\set tests 15
SELECT plan(:tests);

CREATE FUNCTION test.ids(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    EXECUTE format('SELECT string_agg(id::text, '' '' ORDER BY id) FROM (%s) s', query) INTO result;
    RETURN coalesce(result, 'none');
END $$;

-- ------------------------------------------------------------------ strays
CREATE TABLE b (id int, k int);
SELECT router.create_route('b', router.by_integer('k', 10)) \g /dev/null
INSERT INTO b VALUES (1, 1), (2, 11);
CREATE TABLE s1 () INHERITS (b);
CREATE TABLE s2 (extra text, id int, k int);
ALTER TABLE s2 INHERIT b;
CREATE TABLE h () INHERITS (s1, s2);
CREATE TABLE below () INHERITS (b_1_10);
INSERT INTO s1 VALUES (3, 1);
INSERT INTO s2 VALUES ('x', 4, 11);
INSERT INTO h (id, k) VALUES (5, 21);
INSERT INTO below VALUES (6, 1);
SELECT is(test.ids('SELECT * FROM b'), '1 2 3 4 5 6', 'each heir once, by whatever number of ways it inherits');
SELECT is(test.ids('SELECT * FROM b WHERE k = 1'), '1 3 6', 'a child with what inherits from it, and strays');
SELECT is(test.ids('SELECT * FROM b WHERE k = 21'), '5', 'an heir of strays');
WITH d AS (DELETE FROM b WHERE k = 21 RETURNING *) SELECT is(count(*), 1::bigint, 'deleted once') FROM d;
WITH u AS (UPDATE b SET id = id + 10 WHERE k = 1 RETURNING id) SELECT is(string_agg(id::text, ' ' ORDER BY id), '11 13 16', 'changed, RETURNING') FROM u;
ALTER TABLE s1 NO INHERIT b;
ALTER TABLE h NO INHERIT s1;
SELECT is(test.ids('SELECT * FROM b'), '2 4 11 16', 'one that inherits no more is not read');
ALTER TABLE s1 ALTER COLUMN k TYPE bigint;
SELECT is(test.ids('SELECT * FROM b'), '2 4 11 16', 'nor after it was changed');
ALTER TABLE s1 ALTER COLUMN k TYPE int;
ALTER TABLE s1 INHERIT b;
SELECT is(test.ids('SELECT * FROM b'), '2 4 11 13 16', 'it inherits again');
DROP TABLE s1;
SELECT is(test.ids('SELECT * FROM b'), '2 4 11 16', 'dropped');
SELECT router.drop_route('b') \g /dev/null
SELECT is(test.ids('SELECT * FROM b WHERE k = 1'), '11 16', 'no route any more');

-- Ordinary tables, with the planner's hooks at work.
CREATE TABLE plain (id int);
INSERT INTO plain VALUES (1), (2);
SELECT is(test.ids('SELECT s.id FROM (VALUES (0), (100)) v(pct), LATERAL (SELECT * FROM plain TABLESAMPLE BERNOULLI (pct)) s'), '1 2', 'a sample of a size that is no constant');
CREATE TABLE plain_heir () INHERITS (plain);
INSERT INTO plain_heir VALUES (3);
SELECT is(test.ids('SELECT s.id FROM (VALUES (0), (100)) v(pct), LATERAL (SELECT * FROM plain TABLESAMPLE BERNOULLI (pct)) s'), '1 2 3', 'of an inheritance tree');

-- -------------------------------------------------- an empty base that is hot
CREATE TABLE hot (id int, d date);
SELECT router.create_route('hot', router.by_date('d', 'month'), hot => '7 days') \g /dev/null
INSERT INTO hot VALUES (1, current_date - 100);
SET plan_cache_mode = force_generic_plan;
PREPARE q AS SELECT string_agg(id::text, ' ' ORDER BY id) FROM hot;
CREATE TEMP TABLE result AS EXECUTE q;
SELECT is((TABLE result), '1', 'planned while the base is empty');
INSERT INTO hot VALUES (2, current_date);
DROP TABLE result;
CREATE TEMP TABLE result AS EXECUTE q;
SELECT is((TABLE result), '1 2', 'the plan that is kept reads it when it has rows');
:fresh
SELECT is(test.ids('SELECT * FROM hot'), '1 2', 'in a new session');

SELECT * FROM finish();
