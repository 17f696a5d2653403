-- Children made by hand beside those made on demand never hold the same row:
-- invariants 1 to 3; strays in the default child; bounds after a change of zone.
\ir ../../include/helpers.sql
\set tests 16
SELECT plan(:tests);

CREATE TABLE g (k int, v text, PRIMARY KEY (k, v));
SELECT router.create_route('g', ARRAY[router.by_list('k', ARRAY['{59,41}', '{7,NULL}']), router.by_prefix('v', 1)]) \g /dev/null
SELECT router.create_child('g', ARRAY['{59}', '{a}']) \g /dev/null
:fresh
INSERT INTO g VALUES (59, 'a'), (41, 'a'), (7, 'b');
SELECT is(test.homes('g'), 'g_41_a: 1, g_59_a: 1, g_7_null_b: 1', 'a group leaves out what a child made by hand holds');
SELECT is(test.strays('g'), 'none', 'all home');
SELECT throws_ok($$INSERT INTO g VALUES (59, 'a')$$, '23505', NULL, 'unique over the whole table');
SELECT router.create_child('g', '7', 'c') \g /dev/null
SELECT is(test.bounds('g_7_null_c'), '{"{7,NULL}","{c}"}', 'a value by hand means the group there is');
SELECT is_empty($$SELECT router.create_child('g', '41', 'aa')$$, 'a value that a child holds: nothing to do');

CREATE TABLE h (k int);
SELECT router.create_route('h', router.by_hash('k', 3)) \g /dev/null
SELECT router.create_child('h', ARRAY['0/6']) \g /dev/null
:fresh
INSERT INTO h SELECT generate_series(1, 600);
SELECT is(test.strays('h'), 'none', 'a bucket split by hand: all home');
SELECT is((SELECT array_agg(bounds[1] ORDER BY bounds[1]) FROM router.children WHERE base = 'h'::regclass), '{0/6,1/3,2/3,3/6}', 'its other half is made on demand');
SELECT is((SELECT count(*) FROM h), 600::bigint, 'none lost');
SELECT cmp_ok((SELECT min(n) FROM (SELECT count(*) AS n FROM h GROUP BY k % 1, tableoid) s), '>', 60::bigint, 'even spread: a sixth holds more than a tenth');

CREATE TABLE z (r int, at timestamptz);
SELECT router.create_route('z', ARRAY[router.by_date('at', 'year'), router.by_list('r')], time_zone => 'Europe/Paris') \g /dev/null
:fresh
INSERT INTO z VALUES (1, '2024-06-01 12:00+02');
SELECT router.alter_route('z', time_zone => 'UTC') \g /dev/null
SELECT lives_ok($$SELECT router.create_child('z', '2024-06-01 12:00+02', '2')$$, 'after a change of zone: a child by hand under an outer one');
SELECT lives_ok($$INSERT INTO z VALUES (3, '2024-06-01 12:00+02'), (3, '2025-01-01 00:30+00'), (3, '2024-12-31 23:30+00')$$, 'and on demand');
SELECT is(test.strays('z'), 'none', 'all home');
SELECT results_eq($$SELECT DISTINCT tstzrange(split_part(btrim(bounds[1], '[)'), ',', 1)::timestamptz, split_part(btrim(bounds[1], '[)'), ',', 2)::timestamptz) FROM router.children WHERE base = 'z'::regclass ORDER BY 1$$,
                  $$VALUES (tstzrange('2024-01-01 00:00+01', '2025-01-01 00:00+01')), (tstzrange('2025-01-01 00:00+01', '2025-01-01 00:00+00')), (tstzrange('2025-01-01 00:00+00', '2026-01-01 00:00+00'))$$,
                  'the hour between the old year and the new one has a child of its own: nothing overlaps');

-- strays: rows written into the default child by its name
CREATE TABLE s (k int);
SELECT router.create_route('s', router.by_integer('k', 10), default_child => true) \g /dev/null
INSERT INTO s VALUES (1);
INSERT INTO s_default VALUES (2), (12);
:fresh
CALL router.redistribute('s');
SELECT is(test.homes('s'), 's_11_20: 1, s_1_10: 2', 'redistribute takes strays home');
SELECT throws_ok($$SELECT router.create_route('router.child_def', router.by_list('base'))$$, '42501', NULL, 'the catalog of router is not to be routed');
SELECT throws_ok($$SELECT router.create_route('g', router.by_date('k', 'month'))$$, '42804', NULL, 'a type that does not fit');
SELECT finish();
