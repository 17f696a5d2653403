-- What is unique in each child lacks keys of the route, as with Django's id: put together, it is so over all of them, or an error. Checklist: each kind of unique index, each call, copies in step.
\ir ../../include/helpers.sql
\set tests 29
SELECT plan(:tests);

CREATE FUNCTION test.rows(relation regclass) RETURNS text LANGUAGE plpgsql AS $$
DECLARE found text;
BEGIN
    EXECUTE format('SELECT string_agg(t::text, '' '' ORDER BY t::text) FROM %s t', relation) INTO found;
    RETURN found;
END $$;

-- each call, by an id that is in one child
CREATE TABLE t (id int PRIMARY KEY, r int NOT NULL, at date NOT NULL DEFAULT '2024-01-01', note text);
SELECT router.create_route('t', router.by_list('r'));
INSERT INTO t SELECT i, i % 4, date '2024-01-01' + i, repeat('n', i) FROM generate_series(1, 80) i;
SELECT test.rows('t') AS before \gset
CALL router.merge_children('{t_1,t_2}');
SELECT is(:'SQLSTATE'::text, '00000', 'children are put together');
CALL router.split_child('t_1_2', '{1}');
SELECT is(:'SQLSTATE'::text, '00000', 'and parted');
CALL router.regroup('t', '{0,3}');
SELECT is(:'SQLSTATE'::text, '00000', 'in groups');
CALL router.rekey('t', router.by_date('at', 'month'));
SELECT is(test.homes('t'), 't_y2024m01: 30, t_y2024m02: 29, t_y2024m03: 21', 'by other keys');
CALL router.rekey('t', router.by_hash('r', 3));
CALL router.add_hash_child('t');
SELECT is(:'SQLSTATE'::text, '00000', 'a bucket is parted');
CALL router.unroute('t');
SELECT is(test.rows('t'), :'before', 'an ordinary table again, with all rows as they were');
SELECT is((SELECT count(*) FROM pg_class WHERE relrewrite <> 0), 0::bigint, 'nothing is left');
SELECT throws_ok('INSERT INTO t VALUES (1, 9)', '23505', NULL, 'its key is one');

-- kinds of unique indexes with a value that is in two children: found, and the run goes on when it is mended
CREATE TABLE kinds (kind text, ddl text, double text, mend text);
INSERT INTO kinds VALUES
    ('a primary key', 'ALTER TABLE k ADD PRIMARY KEY (id)', '(1, 1), (1, 2)', 'id = 1 AND r = 2'),
    ('one that is deferrable', 'ALTER TABLE k ADD PRIMARY KEY (id), ADD UNIQUE (v) DEFERRABLE INITIALLY DEFERRED', '(1, 1, 7), (2, 2, 7)', 'id = 2'),
    ('a column that may be NULL', 'CREATE UNIQUE INDEX ON k (v)', '(1, 1, 7), (2, 2, 7)', 'id = 2'),
    ('NULLs that are not distinct', 'CREATE UNIQUE INDEX ON k (v, id) NULLS NOT DISTINCT', '(1, 1, NULL), (1, 2, NULL)', 'r = 2'),
    ('an expression', 'CREATE UNIQUE INDEX ON k ((v % 100))', '(1, 1, 117), (2, 2, 217)', 'id = 2'),
    ('a part of the rows', 'CREATE UNIQUE INDEX ON k (v) WHERE id > 0', '(1, 1, 7), (2, 2, 7)', 'id = 2'),
    ('texts', 'CREATE UNIQUE INDEX ON k (lower(note))', '(1, 1, 0, repeat(''x'', 1000)), (2, 2, 0, repeat(''X'', 1000))', 'id = 2');

SELECT string_agg(format($sql$
    DROP TABLE IF EXISTS k CASCADE;
    CREATE TABLE k (id int NOT NULL, r int NOT NULL, v int, note text);
    %s;
    DO $do$ BEGIN PERFORM router.create_route('k', router.by_list('r')); END $do$;
    INSERT INTO k (id, r, v, note) SELECT i, i %% 2 + 1, i, 'n' || i FROM generate_series(100, 109) i;
    INSERT INTO k VALUES %s;
    CALL router.merge_children('{k_1,k_2}');
    SELECT is(:'SQLSTATE'::text, '23505', %L || ': a value of two children');
    DELETE FROM k WHERE id < 100 AND %s;
    CALL router.merge_children('{k_1,k_2}');
    SELECT is(test.homes('k'), 'k_1_2: 11', %L || ': mended');
$sql$, ddl, double, kind, mend, kind), '' ORDER BY ctid) AS matrix FROM kinds \gset
:matrix

-- not equal: NULLs, rows that the index does not have
DROP TABLE k CASCADE;
CREATE TABLE k (id int NOT NULL, r int NOT NULL, v int);
CREATE UNIQUE INDEX ON k (v);
CREATE UNIQUE INDEX ON k (id) WHERE v IS NOT NULL;
SELECT router.create_route('k', router.by_list('r'));
INSERT INTO k VALUES (1, 1, NULL), (1, 2, NULL), (1, 1, NULL), (2, 2, 5), (3, 1, 6);
CALL router.merge_children('{k_1,k_2}');
SELECT is(test.homes('k'), 'k_1_2: 5', 'NULLs are no equal values, and rows that an index has not are none of it');

-- copies in step
CREATE TABLE s (id int PRIMARY KEY, r int NOT NULL, v int);
SELECT router.create_route('s', router.by_list('r'));
INSERT INTO s SELECT i, i % 2, i FROM generate_series(1, 10) i;
SET application_name = 'pg_dump';	-- to which the swap gives way
SET statement_timeout = '1s';
CALL router.merge_children('{s_0,s_1}');
RESET application_name;
RESET statement_timeout;
SELECT is((SELECT in_step FROM router.reshape_def WHERE base = 's'::regclass), true, 'a run waits in step');
UPDATE s SET id = 3 - id WHERE id IN (1, 2);
UPDATE s SET id = id + 1;
UPDATE s SET r = 1 - r WHERE id IN (5, 6);
INSERT INTO s VALUES (5, (SELECT 1 - r FROM s WHERE id = 5), 0);
CALL router.merge_children('{s_0,s_1}');
SELECT is(:'SQLSTATE'::text, '23505', 'a value that came twice meanwhile is found');
DELETE FROM s WHERE v = 0;
SELECT test.rows('s') AS before \gset
CALL router.merge_children('{s_0,s_1}');
SELECT is(test.rows('s'), :'before', 'and keys that went from row to row are where they belong');
SELECT is((SELECT count(*) FROM router.children WHERE base = 's'::regclass), 1::bigint, 'in one child');
SELECT throws_ok('INSERT INTO s VALUES (6, 0)', '23505', NULL, 'whose index keeps them apart');
SELECT is((SELECT count(*) FROM router.check()), 0::bigint, 'all is well');

SELECT * FROM finish();
