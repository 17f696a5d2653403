-- Subqueries that depend on rows outside of them, by what is computed once for them, where one child is left.
\ir ../../include/helpers.sql
\set tests 82
SELECT plan(:tests);
LOAD 'router';

CREATE TABLE o (id int);
INSERT INTO o VALUES (0), (1), (2);
CREATE TABLE plain (a int, b int, at timestamptz DEFAULT now());
INSERT INTO plain VALUES (1, 1), (1, 2), (2, 3);
ANALYZE plain, o;
CREATE TABLE by_list (LIKE plain INCLUDING ALL);
CREATE TABLE by_hash (LIKE plain INCLUDING ALL);
CREATE TABLE by_integer (LIKE plain INCLUDING ALL);
CREATE TABLE hot (LIKE plain INCLUDING ALL);
CREATE TABLE levels (LIKE plain INCLUDING ALL);
CREATE INDEX ON by_list (b);
SELECT router.create_route('by_list', router.by_list('a')) \g /dev/null
SELECT router.create_route('by_hash', router.by_hash('a', 1)) \g /dev/null
SELECT router.create_route('by_integer', router.by_integer('a', 100)) \g /dev/null
SELECT router.create_route('hot', router.by_date('at', 'month'), hot => '7 days') \g /dev/null
SELECT router.create_route('levels', ARRAY[router.by_list('a'), router.by_integer('b', 10)]) \g /dev/null
INSERT INTO by_list TABLE plain;
INSERT INTO by_hash TABLE plain;
INSERT INTO by_integer TABLE plain;
INSERT INTO hot TABLE plain;
INSERT INTO levels TABLE plain;
-- The rows of a query as text. $1 is 1.
CREATE FUNCTION test.rows_of(query text, mode text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    PERFORM set_config('plan_cache_mode', mode, true);
    EXECUTE 'PREPARE q (int) AS SELECT string_agg(x::text, '' '' ORDER BY x::text) FROM (' || query || ') x';
    EXECUTE 'EXECUTE q (1)' INTO result;
    DEALLOCATE q;
    RETURN result;
END $$;
CREATE TABLE queries (name text, query text);
INSERT INTO queries VALUES
    ('once for the subquery', 'SELECT * FROM (VALUES (0), (1)) v (id), LATERAL (SELECT a, b FROM plain x WHERE b IN (SELECT b FROM T WHERE a = $1 AND b < 5 + x.a AND (SELECT v.id = 0)) OFFSET 0) s'),
    ('over a table', 'SELECT * FROM o, LATERAL (SELECT * FROM o x WHERE id + 1 IN (SELECT b FROM T WHERE a = $1 AND b < 5 + x.id AND (SELECT o.id = 0)) OFFSET 0) s'),
    ('two levels', 'SELECT * FROM o, LATERAL (SELECT p.id AS p, s.id AS s FROM o p, LATERAL (SELECT * FROM o x WHERE id + 1 IN (SELECT b FROM T WHERE a = $1 AND b < 5 + x.id AND (SELECT o.id = 0 AND p.id > 0)) OFFSET 0) s OFFSET 0) q'),
    ('in the target list', 'SELECT o.id, (SELECT count(*) FROM T WHERE a = $1 AND b > (SELECT o.id)) AS n FROM o'),
    ('ordered', 'SELECT * FROM o, LATERAL (SELECT * FROM o x WHERE id + 1 = (SELECT b FROM T WHERE a = $1 AND b < 5 + x.id AND (SELECT o.id = 0) ORDER BY b LIMIT 1) OFFSET 0) s'),
    ('in a subquery', 'SELECT * FROM o, LATERAL (SELECT * FROM o x WHERE id + 1 IN (SELECT b FROM (SELECT b, (SELECT o.id) AS i FROM T WHERE a = $1 OFFSET 0) y WHERE b < 5 + x.id AND i = 0) OFFSET 0) s'),
    ('two in one', 'SELECT * FROM o, LATERAL (SELECT * FROM o x WHERE id + 1 IN (SELECT b FROM T WHERE a = $1 AND b < 5 + x.id AND (SELECT o.id = 0) AND (SELECT count(*) FROM T WHERE a = $1 AND b > (SELECT o.id)) > 1) OFFSET 0) s'),
    ('exists', 'SELECT * FROM o, LATERAL (SELECT * FROM o x WHERE NOT EXISTS (SELECT FROM T WHERE a = $1 AND b = x.id + 1 AND (SELECT o.id = 0) OFFSET 0) OFFSET 0) s');
SELECT is(test.rows_of(replace(query, ' T ', ' ' || t || ' '), mode), test.rows_of(replace(query, ' T ', ' plain '), mode), format('%s: %s, %s', name, t, mode))
  FROM queries, unnest('{by_list,by_hash,by_integer,hot,levels}'::text[]) t, unnest('{force_custom_plan,force_generic_plan}'::text[]) mode;
-- by a cursor, and by UPDATE
DECLARE c CURSOR WITH HOLD FOR SELECT * FROM o, LATERAL (SELECT * FROM o x WHERE id + 1 IN (SELECT b FROM by_list WHERE a = 1 AND b < 5 + x.id AND (SELECT o.id = 0)) OFFSET 0) s;
MOVE ALL c;
SELECT is(:ROW_COUNT, 2, 'a cursor');
CLOSE c;
UPDATE o SET id = 10 + o.id FROM o p, LATERAL (SELECT * FROM o x WHERE id + 1 IN (SELECT b FROM by_list WHERE a = 1 AND b < 5 + x.id AND (SELECT p.id = 0)) OFFSET 0) s WHERE p.ctid = o.ctid;
SELECT is(:ROW_COUNT, 1, 'UPDATE');
UPDATE o SET id = id - 10 WHERE id >= 10;

SELECT * FROM finish();
