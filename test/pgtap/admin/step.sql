-- alter_route(every): another step for children to come. Checklist: rows find a child whatever the steps were.
\ir ../../include/helpers.sql
\set tests 23
SELECT plan(:tests);
CREATE FUNCTION test.shape(base regclass) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(array_to_string(bounds, ' '), ', ' ORDER BY bounds COLLATE "C") FROM router.children c WHERE c.base = $1
$$;

CREATE TABLE d (id int, at date NOT NULL, PRIMARY KEY (id, at));
SELECT router.create_route('d', router.by_date('at', 'month'));
INSERT INTO d SELECT i, date '2024-01-01' + i FROM generate_series(0, 45) i;
SELECT router.alter_route('d', every => 'week', dry_run => true);
SELECT is((SELECT keys[1]::text FROM router.routes WHERE base = 'd'::regclass) ~ 'month', true, 'a dry run changes nothing');
SELECT router.alter_route('d', every => 'week');
INSERT INTO d SELECT i, date '2024-01-01' + i FROM generate_series(46, 70) i;
INSERT INTO d VALUES (1000, '2023-12-31');
SELECT is(test.shape('d'), '[2023-12-25,2024-01-01), [2024-01-01,2024-02-01), [2024-02-01,2024-03-01), [2024-03-01,2024-03-04), [2024-03-04,2024-03-11), [2024-03-11,2024-03-18)', 'weeks beside months, cut to the gaps');
SELECT router.alter_route('d', every => 'year');
INSERT INTO d VALUES (1, '2024-05-05'), (1, '2025-05-05'), (1, '2023-05-05');
SELECT is(test.shape('d'), '[2023-01-01,2023-12-25), [2023-12-25,2024-01-01), [2024-01-01,2024-02-01), [2024-02-01,2024-03-01), [2024-03-01,2024-03-04), [2024-03-04,2024-03-11), [2024-03-11,2024-03-18), '
          '[2024-03-18,2025-01-01), [2025-01-01,2026-01-01)', 'then years, before and behind');
SELECT is(test.strays('d'), 'none', 'all rows are at home');
SELECT is((SELECT count(*) FROM router.check('d')), 0::bigint, 'check finds nothing');
SELECT is((SELECT count(*) FROM d WHERE at >= '2024-01-20' AND at < '2024-03-05'), 45::bigint, 'queries find them');
SELECT matches((SELECT router.route_ddl('d') LIMIT 1), 'year', 'the route says so');
SELECT throws_ok($$SELECT router.alter_route('d', every => 'fortnight')$$, '22023', NULL, 'a step that is none');
SELECT throws_ok($$SELECT router.alter_route('d', every => '')$$, '22023', NULL, 'nor is nothing');
UPDATE d SET at = at + 200 WHERE id < 20;
SELECT is(test.strays('d'), 'none', 'rows that move find their children');

CREATE TABLE i (r int, n int NOT NULL);
SELECT router.create_route('i', ARRAY[router.by_list('r'), router.by_integer('n', 100)]);
INSERT INTO i SELECT 1, n FROM generate_series(1, 150) n;
SELECT router.alter_route('i', every => '1000');
INSERT INTO i SELECT 1 + n % 2, n FROM generate_series(1, 1500) n;
SELECT is(test.shape('i'), '{1} [1,100], {1} [1001,2000], {1} [101,200], {1} [201,1000], {2} [1,1000], {2} [1001,2000]', 'the innermost key of ranges');
SELECT throws_ok($$SELECT router.alter_route('i', every => '-5')$$, '22023', NULL, 'a number that is no step');
CREATE TABLE l (r int);
SELECT router.create_route('l', router.by_list('r'));
SELECT throws_ok($$SELECT router.alter_route('l', every => 'month')$$, '22023', NULL, 'a route without one');

CREATE TABLE h (id int, at timestamptz);
SELECT router.create_route('h', router.by_date('at', 'month'), hot => '30 days');
INSERT INTO h SELECT n, now() - n * interval '1 day' FROM generate_series(0, 300) n;
CALL router.archive('h');
SELECT router.alter_route('h', every => 'week', hot => '10 days');
CALL router.archive('h');
SELECT is((SELECT count(*) FROM ONLY h), 10::bigint, 'a hot base archives into the new steps');
SELECT is((SELECT count(*) FROM router.check('h')), 0::bigint, 'check finds nothing');
SELECT is((SELECT count(*) FROM h), 301::bigint, 'no row is lost');

-- premake, wherever a step of before ends within one of now: what is left of it is made
CREATE TABLE p (id int, at date NOT NULL);
SELECT router.create_route('p', router.by_date('at', 'month'));
SELECT router.create_child('p', ARRAY[format('[%s,%s)', current_date - 40, current_date)]);
SELECT router.create_child('p', ARRAY[format('[%s,%s)', current_date + 30, current_date + 33)]);
SELECT router.alter_route('p', every => '4 months');
SELECT router.premake('p', 6);
SELECT is((SELECT count(*) FROM router.premake('p', 6)), 0::bigint, 'all is made at once');
SELECT is((SELECT count(*) FROM router.child_def WHERE base = 'p'::regclass), (SELECT count(*) FROM router.children WHERE base = 'p'::regclass AND condition IS NOT NULL), 'each has a condition');
INSERT INTO p SELECT n, current_date + n FROM generate_series(-40, 700) n;
SELECT is((SELECT count(*) FROM router.premake('p', 6)), 0::bigint, 'and no row needed more');
SELECT is(test.strays('p'), 'none', 'rows are at home');
CREATE TABLE pi (n int NOT NULL);
SELECT router.create_route('pi', router.by_integer('n', 100));
INSERT INTO pi VALUES (1), (150);
SELECT router.alter_route('pi', every => '1000');
SELECT router.premake('pi', 2);
SELECT is(test.shape('pi'), '[1,100], [1001,2000], [101,200], [201,1000]', 'numbers');
CREATE TABLE pl (r int, n int NOT NULL);
SELECT router.create_route('pl', ARRAY[router.by_integer('n', 100), router.by_list('r', ARRAY['{1,2}'])]);
INSERT INTO pl VALUES (1, 1), (3, 150);
SELECT router.alter_route('pl', every => '1000');
SELECT router.premake('pl', 1);
SELECT is(test.shape('pl'), '[1,100] {1,2}, [101,200] {3}, [201,1000] {1,2}', 'an outer key');
SELECT is((SELECT count(*) FROM router.check('pl')), 0::bigint, 'check finds nothing there');
SELECT * FROM finish();
