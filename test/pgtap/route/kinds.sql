-- What each kind of key does with its values: checklist A2-A10, C4, C5, D1-D3, D6,
-- and hash keys. Text kinds and names are in child/names.sql.
\ir ../../include/helpers.sql
\set tests 105
SELECT plan(:tests);

CREATE TABLE day (id int, d date);
CREATE TABLE week (id int, d date);
CREATE TABLE month (id int, at timestamp);
CREATE TABLE year (id int, d date);
CREATE TABLE hour (id int, at timestamp);
CREATE TABLE quarter (id int, d date);
CREATE TABLE five_years (id int, d date);
CREATE TABLE minutes (id int, at timestamp);
CREATE TABLE seven_days (id int, at timestamp);
SELECT router.create_route('day', router.by_date('d', 'day')) \g /dev/null
SELECT router.create_route('week', router.by_date('d', 'week')) \g /dev/null
SELECT router.create_route('month', router.by_date('at', 'month')) \g /dev/null
SELECT router.create_route('year', router.by_date('d', 'year')) \g /dev/null
SELECT router.create_route('hour', router.by_date('at', 'hour')) \g /dev/null
SELECT router.create_route('quarter', router.by_date('d', '3 months')) \g /dev/null
SELECT router.create_route('five_years', router.by_date('d', '5 years')) \g /dev/null
SELECT router.create_route('minutes', router.by_date('at', '15 minutes')) \g /dev/null
SELECT router.create_route('seven_days', router.by_date('at', '7 days')) \g /dev/null

-- ------------------------------------------------------------ dates: A2-A5
:fresh
INSERT INTO year VALUES (1, '2031-05-05'), (2, '1999-01-01');
SELECT is(test.homes('year'), 'year_y1999: 1, year_y2031: 1', 'A2: 2031, then 1999: a child for each');
SELECT is(test.children('year'), 'year_y1999, year_y2031', 'A2: and no filler between them');
SELECT matches(test.home_check('year_y2031'), $$d >= '2031-01-01'::date.*d < '2032-01-01'::date$$, 'A5: a year is half open');
SELECT is(test.bounds('year_y2031'), '{"[2031-01-01,2032-01-01)"}', 'D4: its bounds as SQL literals');

:fresh
INSERT INTO day VALUES (1, '2024-02-29'), (2, '2024-12-31'), (3, '2024-01-01'), (4, '2023-12-31');
SELECT is(test.homes('day'), 'day_y2023d365: 1, day_y2024d001: 1, day_y2024d060: 1, day_y2024d366: 1', 'A3: days by day of the year');
SELECT matches(test.home_check('day_y2024d060'), $$d >= '2024-02-29'::date.*d < '2024-03-01'::date$$, 'A3: CHECK of one day');

:fresh
INSERT INTO week VALUES (1, '2024-12-30'), (2, '2021-01-01'), (3, '2021-01-03'), (4, '2021-01-04'), (5, '2025-01-05');
SELECT is(test.homes('week'), 'week_y2020w53: 2, week_y2021w01: 1, week_y2025w01: 2', 'A4: weeks by ISO year');
SELECT matches(test.home_check('week_y2025w01'), $$d >= '2024-12-30'::date.*d < '2025-01-06'::date$$, 'A4: CHECK of a week, Monday to Monday');

:fresh
INSERT INTO month VALUES (1, '2005-01-31 23:59'), (2, '2005-01-31 23:59:59.999999'), (3, '2005-02-01 00:00'), (4, '2005-01-01 00:00');
SELECT is(test.homes('month'), 'month_y2005m01: 3, month_y2005m02: 1', 'A5: months to the last microsecond');
SELECT matches(test.home_check('month_y2005m01'), $$at >= '2005-01-01 00:00:00'::timestamp without time zone.*at < '2005-02-01 00:00:00'::timestamp without time zone$$,
               'A5: CHECK of a month is half open');
SELECT matches(test.home_check('month_y2005m01'), 'at IS NOT NULL', 'a CHECK that is null would pass: it says NOT NULL');
SELECT is(test.bounds('month_y2005m01'), '{"[2005-01-01 00:00:00,2005-02-01 00:00:00)"}', 'bounds of a month of a timestamp');
SELECT throws_ok($$INSERT INTO month_y2005m01 VALUES (9, '2005-02-01')$$, '23514', NULL, 'a row of the next month does not enter by the child itself');
SELECT throws_ok($$INSERT INTO month_y2005m01 VALUES (9, NULL)$$, '23514', NULL, 'nor a row without a date');

:fresh
INSERT INTO hour VALUES (1, '2024-02-29 13:00'), (2, '2024-02-29 13:59:59.999999'), (3, '2024-02-29 14:00'), (4, '2024-02-29 00:00');
SELECT is(test.homes('hour'), 'hour_y2024d060h00: 1, hour_y2024d060h13: 2, hour_y2024d060h14: 1', 'hours');
:fresh
INSERT INTO quarter VALUES (1, '2024-01-01'), (2, '2024-03-31'), (3, '2024-04-01'), (4, '2024-12-31');
SELECT is((SELECT string_agg(bounds[1], ' ' ORDER BY bounds[1]) FROM router.children WHERE base = 'quarter'::regclass),
          '[2024-01-01,2024-04-01) [2024-04-01,2024-07-01) [2024-10-01,2025-01-01)', 'every 3 months: quarters of the calendar');
SELECT is(test.strays('quarter'), 'none', 'every 3 months: all rows home');
:fresh
INSERT INTO five_years SELECT y, make_date(y, 6, 1) FROM generate_series(2000, 2019) y;
SELECT is((SELECT string_agg(n::text, ' ') FROM (SELECT count(*) AS n FROM five_years GROUP BY tableoid) s WHERE n > 5), NULL, 'every 5 years: no child holds more');
SELECT ok((SELECT count(*) FROM router.children WHERE base = 'five_years'::regclass) IN (4, 5), 'every 5 years: 20 years need four children, or five where steps begin elsewhere');
SELECT is(test.strays('five_years'), 'none', 'every 5 years: all rows home');
:fresh
INSERT INTO minutes VALUES (1, '2024-02-29 13:14:59'), (2, '2024-02-29 13:15'), (3, '2024-02-29 13:29:59.999999'), (4, '2024-02-29 13:30');
SELECT is((SELECT string_agg(bounds[1], ' ' ORDER BY bounds[1]) FROM router.children WHERE base = 'minutes'::regclass),
          '[2024-02-29 13:00:00,2024-02-29 13:15:00) [2024-02-29 13:15:00,2024-02-29 13:30:00) [2024-02-29 13:30:00,2024-02-29 13:45:00)', 'every 15 minutes');
:fresh
INSERT INTO seven_days VALUES (1, '2021-01-03 23:59:59'), (2, '2021-01-04');
SELECT is(test.homes('seven_days'), 'seven_days_y2020w53: 1, seven_days_y2021w01: 1', '7 days is an ISO week');

-- The rim of the types, with a horizon wide enough.
CREATE TABLE rim (id int, d date);
CREATE TABLE rim_ts (id int, at timestamp);
SELECT router.create_route('rim', router.by_date('d', 'year'), horizon => '2500 years') \g /dev/null
SELECT router.create_route('rim_ts', router.by_date('at', 'month'), horizon => '2500 years') \g /dev/null
:fresh
INSERT INTO rim VALUES (1, '0001-01-01'), (2, '0001-12-31 BC'), (3, '0400-01-01 BC'), (4, '4500-12-31');
SELECT is((SELECT count(DISTINCT tableoid) FROM rim), 4::bigint, 'years far off, before Christ too, have a child each');
SELECT is(test.strays('rim'), 'none', 'and all rows are home');
:fresh
INSERT INTO rim_ts VALUES (1, '0001-01-01 00:00'), (2, '0001-12-31 23:59:59.999999 BC'), (3, '1999-12-31 23:59:59.999999'), (4, '2000-01-01');
SELECT is((SELECT count(DISTINCT tableoid) FROM rim_ts), 4::bigint, 'the same for timestamps around the turn of the era and the epoch');
SELECT is(test.strays('rim_ts'), 'none', 'and all rows are home');

CREATE TABLE rim_all (id int, d date);
SELECT router.create_route('rim_all', router.by_date('d', 'year'), horizon => '6000000 years') \g /dev/null
INSERT INTO rim_all VALUES (1, '4714-11-24 BC'), (2, '5874897-12-31'), (3, '2024-01-01');
SELECT is((SELECT count(DISTINCT tableoid) FROM rim_all), 3::bigint, 'a horizon wider than the calendar: the first and the last day of type date');
SELECT is(test.strays('rim_all'), 'none', 'and all rows are home');

-- --------------------------------------------------------- integers: A6-A9
CREATE TABLE i (v int);
CREATE TABLE b (v bigint);
CREATE TABLE s (v smallint);
CREATE TABLE i_one (v int);
CREATE TABLE b_all (v bigint);
CREATE TABLE i_big (v int);
SELECT router.create_route('i', router.by_integer('v', 100)) \g /dev/null
SELECT router.create_route('b', router.by_integer('v', 100)) \g /dev/null
SELECT router.create_route('s', router.by_integer('v', 1000)) \g /dev/null
SELECT router.create_route('i_one', router.by_integer('v', 1)) \g /dev/null
SELECT router.create_route('b_all', router.by_integer('v', 9223372036854775807)) \g /dev/null
SELECT router.create_route('i_big', router.by_integer('v', 1000000000)) \g /dev/null
:fresh
INSERT INTO i VALUES (1), (37), (68), (100), (101), (0), (-1), (-100), (-101), (NULL);
SELECT is(test.homes('i'), 'i_0: 1, i_101_200: 1, i_1_100: 4, i_m100_m1: 2, i_m200_m101: 1, i_null: 1', 'A6-A8, A10: integers every 100');
SELECT matches(test.home_check('i_0'), $$v = '?0['):]$$, 'A7: CHECK of zero');
SELECT matches(test.home_check('i_1_100'), $$v >= '?1['):].*v <= '?100['):]$$, 'A6: CHECK of 1 to 100');
SELECT matches(test.home_check('i_m100_m1'), $$v >= '?\(?-100\)?.*v <= '?\(?-1\)?$$, 'A8: CHECK of -100 to -1');
SELECT matches(test.home_check('i_null'), 'v IS NULL', 'A10: CHECK of NULL');
SELECT is(test.bounds('i_1_100') || test.bounds('i_0') || test.bounds('i_m100_m1') || test.bounds('i_null'),
          '{"[1,100]"}{"[0,0]"}{"[-100,-1]"}{"null"}', 'bounds of integers are inclusive');
SELECT throws_ok('INSERT INTO i_1_100 VALUES (NULL)', '23514', NULL, 'A10: NULL does not enter 1 to 100 by the child itself');
:fresh
INSERT INTO b VALUES (9223372036854775807), (9223372036854775801), (9223372036854775800), (-9223372036854775808), (-9223372036854775801), (-9223372036854775800), (9007199254740993);
SELECT is((SELECT array_agg(n ORDER BY top) FROM (SELECT count(*) AS n, max(v) AS top FROM b GROUP BY tableoid) g), ARRAY[2, 1, 1, 1, 2]::bigint[],
          'A9: neighbours at both ends of bigint part where the steps part');
SELECT is(test.strays('b'), 'none', 'A9: no overflow: every row satisfies the CHECK of its child');
SELECT matches((SELECT condition FROM router.children WHERE child = (SELECT tableoid FROM b WHERE v = 9007199254740993)),
               '9007199254740901.*9007199254741000', 'A9: no float: exact beyond 2^53');
:fresh
INSERT INTO b_all VALUES (9223372036854775807), (1), (0), (-1), (-9223372036854775807), (-9223372036854775808);
SELECT is((SELECT array_agg(n ORDER BY top) FROM (SELECT count(*) AS n, max(v) AS top FROM b_all GROUP BY tableoid) g), ARRAY[1, 2, 1, 2]::bigint[],
          'A9: the widest step');
SELECT is(test.strays('b_all'), 'none', 'A9: the widest step: all rows home');
:fresh
INSERT INTO s VALUES (32767), (32001), (32000), (-32768), (-32001), (-32000), (0);
SELECT is((SELECT array_agg(n ORDER BY top) FROM (SELECT count(*) AS n, max(v) AS top FROM s GROUP BY tableoid) g), ARRAY[2, 1, 1, 1, 2]::bigint[],
          'A9: smallint up to its ends');
SELECT is(test.strays('s'), 'none', 'A9: smallint: all rows home');
:fresh
INSERT INTO i_big VALUES (2147483647), (-2147483648), (2000000000), (-2000000000);
SELECT is((SELECT count(DISTINCT tableoid) FROM i_big), 4::bigint, 'A9: integer up to its ends');
SELECT is(test.strays('i_big'), 'none', 'A9: integer: all rows home');
:fresh
INSERT INTO i_one VALUES (5), (-5), (0);
SELECT is(test.homes('i_one'), 'i_one_0: 1, i_one_5: 1, i_one_m5: 1', 'steps of one');

-- ------------------------------------------------------------- NULL: A10, C5
CREATE TABLE n_date (d date, v int);
CREATE TABLE n_text (t text);
CREATE TABLE n_hash (t text);
CREATE TABLE consumption (residence_id int, read_at timestamp, kwh numeric);
SELECT router.create_route('n_date', router.by_date('d', 'month')) \g /dev/null
SELECT router.create_route('n_text', router.by_prefix('t', 3)) \g /dev/null
SELECT router.create_route('n_hash', router.by_hash('t', 4)) \g /dev/null
SELECT router.create_route('consumption', router.by_list('residence_id')) \g /dev/null
:fresh
INSERT INTO n_date VALUES (NULL, 1), ('2024-05-05', 2), (NULL, 3);
SELECT is(test.homes('n_date'), 'n_date_null: 2, n_date_y2024m05: 1', 'A10: rows without a date');
:fresh
INSERT INTO n_text VALUES (NULL), ('null'), ('');
SELECT is((SELECT count(DISTINCT tableoid) FROM n_text), 3::bigint, 'A10: NULL, the word null and the empty string have a child each');
SELECT is((SELECT tableoid::regclass::text FROM n_text WHERE t IS NULL) IN ('n_text_null'), true, 'A10: and NULL has the plain name, being first');
:fresh
INSERT INTO n_hash VALUES (NULL), (NULL);
SELECT is(test.homes('n_hash'), 'n_hash_null: 2', 'A10: rows without a hash key');
:fresh
INSERT INTO consumption VALUES (7, now(), 1), (NULL, now(), 2), (145, now(), 3);
SELECT is(test.homes('consumption'), 'consumption_145: 1, consumption_7: 1, consumption_null: 1', 'C5: consumption by residence, NULL too');
SELECT matches(test.home_check('consumption_7'), 'residence_id = 7', 'CHECK of one value');
SELECT is(test.bounds('consumption_7'), '{"{7}"}', 'bounds of one value');

-- ------------------------------------------------------ lists of other types
CREATE TYPE mood AS ENUM ('glad', 'sad');
CREATE DOMAIN positive AS int CHECK (VALUE > 0);
CREATE TABLE l_numeric (v numeric);
CREATE TABLE l_uuid (v uuid);
CREATE TABLE l_bool (v boolean);
CREATE TABLE l_enum (v mood);
CREATE TABLE l_domain (v positive);
CREATE TABLE l_date (v date);
CREATE TABLE l_char (v char(6));
CREATE TABLE l_float (v float8);
CREATE TABLE l_neg (v bigint);
SELECT router.create_route(t::regclass, router.by_list('v'))
  FROM unnest('{l_numeric,l_uuid,l_bool,l_enum,l_domain,l_date,l_char,l_float,l_neg}'::text[]) t \g /dev/null
:fresh
INSERT INTO l_numeric VALUES (1), (1.00), (1.5), ('NaN');
SELECT is((SELECT array_agg(n ORDER BY v) FROM (SELECT count(*) AS n, max(v) AS v FROM l_numeric GROUP BY tableoid) g), ARRAY[2, 1, 1]::bigint[], 'numeric: equal is equal, whatever the scale');
:fresh
INSERT INTO l_uuid VALUES ('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'), ('A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11');
SELECT is(test.homes('l_uuid'), '"l_uuid_a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11": 2', 'uuid');
:fresh
INSERT INTO l_bool VALUES (true), (false), (NULL);
SELECT is((SELECT count(DISTINCT tableoid) FROM l_bool), 3::bigint, 'boolean');
:fresh
INSERT INTO l_enum VALUES ('glad'), ('sad'), ('glad');
SELECT is(test.homes('l_enum'), 'l_enum_glad: 2, l_enum_sad: 1', 'enum');
:fresh
INSERT INTO l_domain VALUES (4), (5);
SELECT is(test.homes('l_domain'), 'l_domain_4: 1, l_domain_5: 1', 'domain');
SELECT throws_ok('INSERT INTO l_domain VALUES (-4)', '23514', NULL, 'domain: its own check holds');
:fresh
SET datestyle = 'German, DMY';
INSERT INTO l_date VALUES ('2024-05-06');
SELECT is(test.homes('l_date'), '"l_date_2024-05-06": 1', 'date in a list: the same name and CHECK whatever the datestyle');
SELECT is(test.strays('l_date'), 'none', 'date in a list: home');
:fresh
INSERT INTO l_char VALUES ('ab'), ('ab    ');
SELECT is((SELECT count(DISTINCT tableoid) FROM l_char), 1::bigint, 'char(n): blanks at the end do not count');
SELECT is(test.strays('l_char'), 'none', 'char(n): home');
:fresh
SET extra_float_digits = 0;
INSERT INTO l_float VALUES (0.1::float8 + 0.2::float8), (0.3), ('NaN'), ('-0'), (0);
SELECT is((SELECT count(DISTINCT tableoid) FROM l_float), 4::bigint, 'float: 0.1 + 0.2 is not 0.3, -0 is 0');
SELECT is(test.strays('l_float'), 'none', 'float: home to the last digit');
:fresh
INSERT INTO l_neg VALUES (-5), (9223372036854775807), (-9223372036854775808);
SELECT is((SELECT count(DISTINCT tableoid) FROM l_neg), 3::bigint, 'bigint in a list, at its ends');
SELECT is(test.strays('l_neg'), 'none', 'bigint in a list: home');

-- ------------------------------------------------- D1-D3: the porting guide
CREATE TABLE d1 (v int);
CREATE TABLE d1_null (v int);
CREATE TABLE d2 (v int);
CREATE TABLE d2_excl (v int);
CREATE TABLE d2_gap (v int);
CREATE TABLE d2_pivot (v int);
CREATE TABLE d3 (d date);
SELECT router.create_route('d1', router.by_list('v', ARRAY['{1,2,3}', '{4,5}']), default_child => true, on_missing => 'default') \g /dev/null
SELECT router.create_route('d1_null', router.by_list('v', ARRAY['{1,NULL}'])) \g /dev/null
SELECT router.create_route('d2', router.by_integer('v')) \g /dev/null
SELECT router.create_child('d2', ARRAY['(,-1]'], 'a') \g /dev/null
SELECT router.create_child('d2', ARRAY['[0,99]'], 'b2') \g /dev/null
SELECT router.create_child('d2', ARRAY['[100,)'], 'c') \g /dev/null
SELECT router.create_route('d2_gap', router.by_integer('v')) \g /dev/null
SELECT router.create_child('d2_gap', ARRAY['[100,199]']) \g /dev/null
SELECT router.create_route('d2_excl', router.by_integer('v')) \g /dev/null
SELECT router.create_child('d2_excl', ARRAY['(,0)']) \g /dev/null
SELECT router.create_child('d2_excl', ARRAY['[0,100)']) \g /dev/null
SELECT router.create_child('d2_excl', ARRAY['[100,)']) \g /dev/null
SELECT router.create_route('d2_pivot', router.by_integer('v', 100, pivot => 0)) \g /dev/null
SELECT router.create_route('d3', router.by_date('d', 'month', pivot => '2020-01-01')) \g /dev/null
:fresh
INSERT INTO d1 SELECT * FROM generate_series(1, 7);
SELECT is(test.homes('d1'), 'd1_1_2_3: 3, d1_4_5: 2, d1_default: 2', 'D1: two groups and a default child');
SELECT matches(test.home_check('d1_1_2_3'), 'ANY .*1.*2.*3', 'D1: CHECK of a group');
SELECT is(test.bounds('d1_1_2_3') || test.bounds('d1_default'), '{"{1,2,3}"}{default}', 'D1: bounds of a group and of the default child');
:fresh
INSERT INTO d1_null VALUES (1), (NULL), (2);
SELECT is((SELECT string_agg(coalesce(v::text, 'null'), ',' ORDER BY v) FROM d1_null WHERE tableoid = (SELECT tableoid FROM d1_null WHERE v IS NULL)), '1,null', 'D1: a group may hold NULL');
SELECT is(test.strays('d1_null'), 'none', 'D1: and its CHECK says so');
:fresh
INSERT INTO d2 VALUES (-2147483648), (-1), (0), (99), (100), (2147483647);
SELECT is((SELECT string_agg(tableoid::regclass::text, ', ' ORDER BY v) FROM d2), 'a, a, b2, b2, c, c', 'D2: LESS THAN 0, 100, MAXVALUE');
SELECT throws_ok('INSERT INTO d2_gap VALUES (99)', '23514', 'no child of routed table "d2_gap" for the row', 'D2: a gap between children made by hand is no home');
INSERT INTO d2_gap VALUES (NULL);
SELECT is(test.homes('d2_gap'), 'd2_gap_null: 1', 'D2: NULL has its own child there, too');
SELECT is((SELECT string_agg(child || ' ' || bounds[1], ', ' ORDER BY child::text) FROM router.children WHERE base = 'd2_excl'::regclass),
          'd2_excl_0_99 [0,99], d2_excl_below_0 (,-1], d2_excl_from_100 [100,)', 'D2: half open input, names of open ends');
:fresh
INSERT INTO d2_pivot VALUES (-2147483648), (-1), (0), (1), (250);
SELECT is(test.homes('d2_pivot'), 'd2_pivot_0: 1, d2_pivot_1_100: 1, d2_pivot_201_300: 1, d2_pivot_below_0: 2', 'D2: a pivot for integers');
-- steps that count from the pivot: children of one level hold what Oracle's INTERVAL would
CREATE TABLE stepped AS
    SELECT format('stepped_%s', row_number() OVER ()) AS base, t, p::bigint, w::bigint
      FROM (VALUES ('smallint', '-32768', '32767'), ('int', '-2147483648', '2147483647'), ('bigint', '-9223372036854775807', '9223372036854775807')) t(t, lo, hi),
           LATERAL unnest(ARRAY['0', '1', '-250', '7', lo, hi]) p, LATERAL unnest(ARRAY['1', '100', hi]) w;
DO $$
DECLARE
    s record;
BEGIN
    FOR s IN SELECT * FROM stepped LOOP
        EXECUTE format('CREATE TABLE %I (v %s)', s.base, s.t);
        PERFORM router.create_route(s.base::regclass, router.by_integer('v', s.w, s.p, from_pivot => true));
        EXECUTE format('INSERT INTO %I SELECT DISTINCT v FROM (SELECT %s + d::numeric FROM unnest(%L::bigint[]) d UNION VALUES (0), (1), (-1), (100)) x(v)
                        WHERE abs(v) <= CASE %L WHEN ''smallint'' THEN 32767 WHEN ''int'' THEN 2147483647 ELSE 9223372036854775807 END',
                       s.base, s.p, '{-200,-1,0,1,50,99,100,101,199,200,1000}', s.t);
    END LOOP;
END $$;
CREATE FUNCTION misplaced(s stepped) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    n bigint;
BEGIN
    -- two rows are in one table when they are of one step, or both below the pivot
    EXECUTE format('WITH r AS (SELECT tableoid AS home, CASE WHEN v >= %1$s THEN floor((v::numeric - %1$s) / %2$s) ELSE -1 END AS step FROM %3$I)
                    SELECT count(*) FROM r a, r b WHERE (a.home = b.home) <> (a.step = b.step)', s.p, s.w, s.base) INTO n;
    RETURN n;
END $$;
SELECT is((SELECT string_agg(format('%s every %s from %s', t, w, p), '; ') FROM stepped s WHERE misplaced(s) > 0), NULL, 'from_pivot: rows are together as they are in Oracle');
SELECT is((SELECT string_agg(base, '; ') FROM stepped s WHERE test.strays(base::regclass) <> 'none'), NULL, 'from_pivot: and their CHECKs say so');
CREATE TABLE d4 (v int);
SELECT router.create_route('d4', router.by_integer('v', 100, pivot => 1000, from_pivot => true)) \g /dev/null
SELECT is(test.children('d4'), 'none', 'from_pivot: what is below has no child beforehand');
SELECT router.create_child('d4', ARRAY['(,500)']) \g /dev/null
SELECT lives_ok($$INSERT INTO d4 VALUES (499), (500), (999), (1000), (1099), (1100)$$, 'from_pivot: zero is no end of a step');
SELECT is(test.homes('d4'), 'd4_1000_1099: 2, d4_1100_1199: 1, d4_500_999: 2, d4_below_500: 1', 'from_pivot: below it are ranges made by hand, and one for the gap');
SELECT router.premake('d4', 2) \g /dev/null
SELECT is((SELECT string_agg(child::text, ' ' ORDER BY child::text) FROM router.children WHERE base = 'd4'::regclass AND bounds[1] ~ '^.1[23]'), 'd4_1200_1299 d4_1300_1399', 'from_pivot: premake goes on from there');
CREATE TABLE d5 (v int);
SELECT router.create_route('d5', router.by_integer('v', 10, pivot => 1005, from_pivot => true)) \g /dev/null
SELECT router.premake('d5', 2) \g /dev/null
SELECT is(test.children('d5'), 'd5_1005_1014, d5_1015_1024', 'from_pivot: premake begins at the pivot');
SELECT is_empty($$SELECT router.create_route('d5', router.by_integer('v', 10, 1005, from_pivot => true))$$, 'from_pivot: the same key again');
SELECT throws_ok($$SELECT router.create_route('d5', router.by_integer('v', 10, 1005))$$, '55000', NULL, 'from_pivot: without it, it is another one');
SELECT is((SELECT string_agg(test.attempt(format('SELECT router.create_route(''d2_excl'', %s, dry_run => true)', k)), ' ') FROM unnest(ARRAY['router.by_integer(''v'', 10, from_pivot => true)', 'router.by_integer(''v'', NULL, 10, from_pivot => true)', 'ROW(''list'', ''v'', NULL, NULL, NULL, NULL, true, NULL)::router.key']) k), '22023 22023 22023', 'from_pivot: needs a step and a pivot');
SELECT is((SELECT count(*) FROM d4 WHERE v = 1050 OR v = 1100), 1::bigint, 'from_pivot: found again');
:fresh
INSERT INTO d3 VALUES ('2000-12-01'), ('2022-10-01'), ('2022-12-01'), ('2019-12-31'), ('2020-01-01');
SELECT is(test.homes('d3'), 'd3_before_2020_01_01: 2, d3_y2020m01: 1, d3_y2022m10: 1, d3_y2022m12: 1', 'D3: a pivot and months on demand, no filler');
SELECT is(test.bounds('d3_before_2020_01_01'), '{"(,2020-01-01)"}', 'D3: bounds of the pivot child');

-- ------------------------------------------------------------------- hash
CREATE TABLE h (id int, t text);
CREATE TABLE h_text (id int, t text);
SELECT router.create_route('h', router.by_hash('id', 3)) \g /dev/null
SELECT router.create_route('h_text', router.by_hash('t', 5)) \g /dev/null
:fresh
INSERT INTO h SELECT i FROM generate_series(1, 3000) i;
SELECT is(test.children('h'), 'h_0, h_1, h_2', 'hash: a child for each remainder');
SELECT is((SELECT count(*) FROM (SELECT count(*) AS n FROM h GROUP BY tableoid) s WHERE n < 850), 0::bigint, 'D5: spread evenly');
SELECT is(test.strays('h'), 'none', 'hash: the CHECK computes the same hash');
SELECT is(test.bounds('h_2'), '{2/3}', 'hash: bounds are remainder/modulus');
:fresh
INSERT INTO h_text SELECT i, repeat('k', i) FROM generate_series(0, 200) i;
SELECT is(test.strays('h_text'), 'none', 'hash of text: home');
SELECT is((SELECT count(*) FROM router.children WHERE base = 'h_text'::regclass), 5::bigint, 'hash of text: five children');

:fresh
CREATE TABLE h_date (d date, v int);
SELECT router.create_route('h_date', router.by_hash('d', 3)) \g /dev/null
INSERT INTO h_date VALUES ('infinity', 0), ('-infinity', 0), ('4713-01-01 BC', 0), ('1999-12-31', 0), ('2000-01-01', 0), ('5874897-12-31', 0), (NULL, 0);
UPDATE h_date SET v = v + 1;
SELECT is((SELECT count(*) FROM h_date WHERE v = 1), 7::bigint, 'hash of date: rows pass the CHECK, infinite ones too');
SELECT is(test.strays('h_date'), 'none', 'hash of date: home');

-- ------------------------------------------------------- levels: C4, D6
CREATE TABLE temperature (residence_id int, at timestamp, c numeric);
CREATE TABLE three (d date, t text, id bigint);
CREATE TABLE date_list (d date, v text);
SELECT router.create_route('temperature', ARRAY[router.by_list('residence_id'), router.by_date('at', 'year')]) \g /dev/null
SELECT router.create_route('three', ARRAY[router.by_integer('id', 1000), router.by_prefix('t', 2), router.by_hash('d', 2)]) \g /dev/null
SELECT router.create_route('date_list', ARRAY[router.by_date('d', 'month'), router.by_list('v', ARRAY['{a,b}'])]) \g /dev/null
:fresh
INSERT INTO temperature VALUES (7, '2024-05-05', 20), (7, '2025-01-01', 21), (145, '2024-12-31 23:59', 19), (NULL, '2024-01-01', 18), (7, NULL, 1), (NULL, NULL, 0);
SELECT is(test.homes('temperature'),
          'temperature_145_y2024: 1, temperature_7_null: 1, temperature_7_y2024: 1, temperature_7_y2025: 1, temperature_null_null: 1, temperature_null_y2024: 1',
          'C4, D6: residence, then year');
SELECT matches(test.home_check('temperature_7_y2024'), $$residence_id = 7\).*at >= '2024-01-01 .*at < '2025-01-01 $$, 'C4: one CHECK for both levels');
SELECT is(test.bounds('temperature_7_y2024'), '{"{7}","[2024-01-01 00:00:00,2025-01-01 00:00:00)"}', 'C4: a bound a level');
:fresh
INSERT INTO three SELECT '2024-01-01'::date + i, chr(97 + i % 3) || 'xyz', i * 100 FROM generate_series(0, 29) i;
SELECT is(test.strays('three'), 'none', 'three levels: all home');
SELECT is((SELECT count(*) FROM three), 30::bigint, 'three levels: none lost');
SELECT is((SELECT count(*) FROM router.children WHERE base = 'three'::regclass AND cardinality(bounds) = 3), (SELECT count(DISTINCT tableoid) FROM three), 'three levels: three bounds, no child in vain');
SELECT ok((SELECT child::text FROM router.children WHERE child = (SELECT tableoid FROM three WHERE id = 1100)) ~ '^three_1001_2000_cx_[01]$', 'three levels: the name has a part a level');
:fresh
INSERT INTO date_list VALUES ('2024-05-05', 'a'), ('2024-05-06', 'b'), ('2024-05-07', 'c'), ('2024-06-01', 'a');
SELECT is(test.homes('date_list'), 'date_list_y2024m05_a_b: 2, date_list_y2024m05_c: 1, date_list_y2024m06_a_b: 1', 'month, then groups');

SELECT * FROM finish();
