-- Guard rails: the horizon of dates, the maximum of new children a statement, quarantine: F10.
\ir ../../include/helpers.sql
\set tests 46
SELECT plan(:tests);

CREATE TABLE t (id int, d date);
CREATE TABLE ts (id int, at timestamptz);
SELECT router.create_route('t', router.by_date('d', 'month')) \g /dev/null
SELECT router.create_route('ts', router.by_date('at', 'day')) \g /dev/null
SELECT is((SELECT horizon::text FROM router.routes WHERE base = 't'::regclass), '100 years', 'the horizon is 100 years by default');
SELECT is((SELECT max_new_children FROM router.routes WHERE base = 't'::regclass), 1000, 'the maximum of new children is 1000 by default');
SELECT is((SELECT on_reject FROM router.routes WHERE base = 't'::regclass), 'error', 'what they reject is an error by default');

-- ---------------------------------------------------------------- horizon
:fresh
INSERT INTO t VALUES (1, '2924-01-01');
SELECT is(:'SQLSTATE'::text, '22008'::text, 'a date 900 years ahead');
:fresh
INSERT INTO t VALUES (1, '1024-01-01');
SELECT is(:'SQLSTATE'::text, '22008'::text, 'a date 1000 years ago');
:fresh
INSERT INTO t VALUES (1, 'infinity');
SELECT is(:'SQLSTATE'::text, '22008'::text, 'infinity');
:fresh
INSERT INTO t VALUES (1, '-infinity');
SELECT is(:'SQLSTATE'::text, '22008'::text, '-infinity');
:fresh
INSERT INTO ts VALUES (1, '294276-12-31 23:59:59');
SELECT is(:'SQLSTATE'::text, '22008'::text, 'the end of timestamptz');
INSERT INTO ts VALUES (1, 'infinity');
SELECT is(:'SQLSTATE'::text, '22008'::text, 'infinity of timestamptz');
INSERT INTO ts VALUES (1, '4713-01-01 00:00:00 BC');
SELECT is(:'SQLSTATE'::text, '22008'::text, 'the beginning of timestamptz');
:fresh
COPY t FROM PROGRAM 'printf "1\t2024-01-01\n2\t9999-12-31\n"';
SELECT is(:'SQLSTATE'::text, '22008'::text, 'through COPY');
SELECT is(test.children('t') || test.homes('t') || test.homes('ts'), 'noneemptyempty', 'no child, no row');
SELECT isnt(test.hint($$INSERT INTO t VALUES (1, '2924-01-01')$$), NULL, 'the error has a hint');
:fresh
INSERT INTO t VALUES (1, now() + interval '99 years'), (2, now() - interval '99 years');
SELECT is((SELECT count(DISTINCT tableoid) FROM t), 2::bigint, '99 years either way are fine');
:fresh
INSERT INTO t SELECT i, CASE i WHEN 50 THEN date '9999-01-01' ELSE '2024-01-01'::date + i END FROM generate_series(1, 100) i;
SELECT is(:'SQLSTATE'::text, '22008'::text, 'one garbage date among a hundred rows');
SELECT is((SELECT count(*) FROM t), 2::bigint, 'stops the statement as a whole');
-- what stands there already takes its rows: the rails are for creating
SELECT router.create_child('t', ARRAY['[9999-01-01,10000-01-01)']) \g /dev/null
:fresh
INSERT INTO t VALUES (3, '9999-12-31');
SELECT is((SELECT bounds[1] FROM router.children WHERE child = (SELECT tableoid FROM t WHERE id = 3)), '[9999-01-01,10000-01-01)', 'a child made by hand beyond the horizon takes its rows');

-- a horizon of one's own
CREATE TABLE near (id int, d date);
SELECT router.create_route('near', router.by_date('d', 'year'), horizon => '5 years') \g /dev/null
:fresh
INSERT INTO near VALUES (1, now() + interval '4 years'), (2, now() - interval '4 years');
SELECT is((SELECT count(*) FROM near), 2::bigint, 'within five years');
INSERT INTO near VALUES (3, now() + interval '7 years');
SELECT is(:'SQLSTATE'::text, '22008'::text, 'beyond five years');
INSERT INTO near VALUES (4, now() - interval '7 years');
SELECT is(:'SQLSTATE'::text, '22008'::text, 'before five years');
SELECT router.alter_route('near', horizon => '10 years') \g /dev/null
INSERT INTO near VALUES (5, now() + interval '7 years');
SELECT is((SELECT count(*) FROM near), 3::bigint, 'alter_route: another horizon holds at once');
SELECT throws_ok($$SELECT router.alter_route('near', horizon => '-1 year')$$, '22023', NULL, 'a negative horizon');
CREATE TABLE bad (id int, d date);
SELECT throws_ok($$SELECT router.create_route('bad', router.by_date('d', 'year'), horizon => '-1 year')$$, '22023', NULL, 'a negative horizon at set-up');
SELECT throws_ok($$SELECT router.create_route('bad', router.by_date('d', 'year'), max_new_children => -5)$$, '22023', NULL, 'less than none');
-- keys that are no dates have no horizon
CREATE TABLE no_dates (k bigint);
SELECT router.create_route('no_dates', router.by_integer('k', 10), horizon => '1 day') \g /dev/null
INSERT INTO no_dates VALUES (9223372036854775807);
SELECT is((SELECT count(*) FROM no_dates), 1::bigint, 'an integer key has no horizon');

-- -------------------------------------------------------- maximum of new children
CREATE TABLE m (k int);
SELECT router.create_route('m', router.by_list('k'), max_new_children => 5) \g /dev/null
:fresh
INSERT INTO m SELECT generate_series(1, 5);
SELECT is((SELECT count(DISTINCT tableoid) FROM m), 5::bigint, 'five new children where five are allowed');
:fresh
INSERT INTO m SELECT generate_series(1, 10);
SELECT is((SELECT count(DISTINCT tableoid) FROM m), 10::bigint, 'five more: those there are do not count');
:fresh
INSERT INTO m SELECT generate_series(11, 16);
SELECT is(:'SQLSTATE'::text, '54000'::text, 'six new children');
SELECT is((SELECT count(*) FROM m) || '/' || (SELECT count(*) FROM router.children WHERE base = 'm'::regclass), '15/10', 'leave nothing');
:fresh
INSERT INTO m VALUES (11), (12), (13);
INSERT INTO m VALUES (14), (15), (16);
SELECT is((SELECT count(*) FROM router.children WHERE base = 'm'::regclass), 16::bigint, 'two statements of three are fine: it counts a statement, not a session');
BEGIN;
INSERT INTO m VALUES (17), (18), (19);
INSERT INTO m VALUES (20), (21), (22);
COMMIT;
SELECT is((SELECT count(*) FROM router.children WHERE base = 'm'::regclass), 22::bigint, 'nor a transaction');
:fresh
COPY m FROM PROGRAM 'seq 31 36';
SELECT is(:'SQLSTATE'::text, '54000'::text, 'six new children through COPY');
SELECT matches(:'LAST_ERROR_MESSAGE'::text, 'm', 'the message names the table');
COPY m FROM PROGRAM 'seq 31 35';
SELECT is(:ROW_COUNT, 5, 'five are fine');
SELECT isnt(test.hint('INSERT INTO m SELECT generate_series(41, 46)'), NULL, 'the error has a hint');
SELECT router.alter_route('m', max_new_children => 50) \g /dev/null
:fresh
INSERT INTO m SELECT generate_series(41, 90);
SELECT is((SELECT count(*) FROM m WHERE k > 40), 50::bigint, 'alter_route: another maximum');

-- -------------------------------------------------------------- quarantine
CREATE TABLE q (id int, d date);
SELECT throws_ok($$SELECT router.create_route('q', router.by_date('d', 'month'), on_reject => 'default')$$, '22023', NULL, 'quarantine needs a default child');
SELECT throws_ok($$SELECT router.create_route('q', router.by_date('d', 'month'), on_reject => 'drop')$$, '22023', NULL, 'a policy there is not');
SELECT router.create_route('q', router.by_date('d', 'month'), on_reject => 'default', default_child => true, max_new_children => 3) \g /dev/null
:fresh
INSERT INTO q VALUES (1, '2024-01-01'), (2, '9999-01-01'), (3, 'infinity'), (4, '-infinity'), (5, '0001-01-01 BC');
SELECT is(:ROW_COUNT, 5, 'garbage dates are counted as any row');
SELECT is(test.homes('q'), 'q_default: 4, q_y2024m01: 1', 'garbage dates go to the default child, the others home');
:fresh
INSERT INTO q SELECT i, make_date(2024, i, 1) FROM generate_series(2, 8) i;
SELECT is((SELECT count(*) FROM q_default), 4 + 4::bigint, 'rows that would need a fourth new child go to the default child');
SELECT is(test.children('q'), 'q_default, q_y2024m01, q_y2024m02, q_y2024m03, q_y2024m04', 'three new children are made');
:fresh
COPY q FROM PROGRAM 'printf "20\t9999-01-01\n21\t2024-01-02\n"';
SELECT is((SELECT string_agg(tableoid::regclass::text, ' ' ORDER BY id) FROM q WHERE id >= 20), 'q_default q_y2024m01', 'the same through COPY');
:fresh
INSERT INTO q VALUES (30, '2024-05-05');
SELECT is((SELECT string_agg(DISTINCT tableoid::regclass::text, ' ') FROM q WHERE d BETWEEN '2024-05-01' AND '2024-05-31'), 'q_y2024m05', 'a later statement makes the child and takes its rows out of quarantine');
SELECT is(test.strays('q'), 'none', 'all home');
SELECT is((SELECT count(*) FROM q), 15::bigint, 'none lost');

SELECT * FROM finish();
