-- router.chart: columns over time, bars of values and ranges, in UTF-8 and ASCII, folded to the width, for whoever asks.
\ir ../../include/helpers.sql
\set tests 49
SELECT plan(:tests);

SELECT test.role('router_chart_owner'), test.role('router_chart_monitor') \g /dev/null
GRANT pg_monitor TO router_chart_monitor;
SET client_encoding = 'UTF8';
SET TimeZone = 'UTC';
-- the width of the widest line, and how many lines there are
CREATE FUNCTION test.extent(base regclass, of text DEFAULT 'bytes', width int DEFAULT 80) RETURNS text LANGUAGE sql AS $$
    SELECT CASE WHEN max(length(c)) > width THEN 'too wide: ' || max(length(c)) ELSE 'fits' END || CASE WHEN count(*) > 50 THEN ', ' || count(*) || ' lines' ELSE '' END FROM router.chart(base, of, width) c
$$;
CREATE FUNCTION test.line(base regclass, pattern text, of text DEFAULT 'bytes', width int DEFAULT 80) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(c, E'\n') FROM router.chart(base, of, width) c WHERE c ~ pattern
$$;

-- ------------------------------------------------------------------ time
CREATE TABLE sensor_log (id int, read_at date);
SELECT router.create_route('sensor_log', router.by_date('read_at', 'month')) \g /dev/null
INSERT INTO sensor_log SELECT i, date '2024-01-15' + (CASE WHEN i <= 100 THEN 0 WHEN i <= 150 THEN 31 ELSE 91 END) FROM generate_series(1, 175) i;
ANALYZE sensor_log;
SELECT results_eq($$SELECT router.chart('sensor_log', 'rows', 40)$$, ARRAY[
    'sensor_log: rows by month',
    '   100 ┤█████',
    '       │█████',
    '       │█████',
    '       │█████',
    '    50 ┤█████ █████',
    '       │█████ █████',
    '       │█████ █████       █████',
    '       │█████ █████       █████',
    '     0 └┴───────────┴───────────',
    '        2024-01     2024-03',
    '█ 3 children: 175'], 'a column a month, and a gap where there is no child');
SET client_encoding = 'LATIN1';
SELECT results_eq($$SELECT router.chart('sensor_log', 'rows', 40)$$, ARRAY[
    'sensor_log: rows by month',
    '   100 +#####',
    '       |#####',
    '       |#####',
    '       |#####',
    '    50 +##### #####',
    '       |##### #####',
    '       |##### #####       #####',
    '       |##### #####       #####',
    '     0 ++-----------+-----------',
    '        2024-01     2024-03',
    '# 3 children: 175'], 'in ASCII for a client that has no UTF-8');
SET client_encoding = 'UTF8';
SELECT is((SELECT count(*) FROM router.chart('sensor_log')), 12::bigint, 'bytes are the default');
SELECT is(test.line('sensor_log', '^sensor_log'), 'sensor_log: bytes by month', 'and said');
SELECT is(test.extent('sensor_log', 'bytes', w), 'fits', w || ' characters') FROM unnest('{30,31,40,79,80,132,1000}'::int[]) w;

-- steps of the calendar: the finest that children have, and that fits
CREATE TABLE step (every text, n int, since timestamp, unit text);
INSERT INTO step VALUES ('1 hour', 48, '2024-03-30', 'hour'), ('15 minutes', 100, '2024-03-30', 'hour'), ('1 day', 20, '2024-02-20', 'day'), ('1 day', 1000, '2021-02-20', 'month'), ('7 days', 30, '2024-01-01', 'week'),
    ('3 months', 20, '2020-01-01', 'quarter'), ('1 month', 120, '2010-01-01', 'quarter'), ('1 year', 30, '1990-01-01', 'year'), ('1 year', 120, '1890-01-01', '10 years'), ('10 years', 12, '1890-01-01', '10 years'),
    ('1 year', 30, '0020-01-01 BC', 'year'), ('1000 years', 5, '3001-01-01 BC', '1000 years');
CREATE FUNCTION test.stepped(s step) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    told text;
BEGIN
    CREATE TABLE stepped (at timestamp);
    PERFORM router.create_route('stepped', router.by_date('at', s.every), max_new_children => 2000, horizon => '10000 years');
    INSERT INTO stepped SELECT s.since + i * s.every::interval FROM generate_series(0, s.n - 1) i;
    ANALYZE stepped;
    told := regexp_replace((SELECT c FROM router.chart('stepped') c LIMIT 1), '.* by ', '') || ' ' || test.extent('stepped') || ' ' || substring(test.line('stepped', '^█'), '\d+ child');
    DROP TABLE stepped CASCADE;
    RETURN told;
END $$;
SELECT is(test.stepped(s), format('%s fits %s child', unit, n), format('%s of %s: by %s', n, every, unit)) FROM step s;
CREATE TABLE bc (at timestamptz);
SELECT router.create_route('bc', router.by_date('at', 'year'), horizon => '10000 years', time_zone => 'Asia/Kolkata') \g /dev/null
INSERT INTO bc VALUES ('0002-06-01 BC'), ('0001-06-01 BC'), ('0001-06-01');
SELECT is(test.line('bc', 'BC'), '            0002 BC     0001', 'years before and after Christ, in the zone of the route');

-- what has no date
CREATE TABLE odd (id int, d date);
SELECT router.create_route('odd', router.by_date('d', 'month', pivot => '2024-01-01'), default_child => true) \g /dev/null
INSERT INTO odd VALUES (1, NULL), (2, '2023-01-01'), (3, '2024-01-10');
SELECT is(test.line('odd', 'not drawn|children'), E'█ 4 children: 24 kB\nnot drawn: to 2024-01-01, 8192 bytes\nnot drawn: null, 8192 bytes\nnot drawn: default, 0 bytes', 'children that have no lower end are named');
SELECT is(test.line('odd', 'analyzed'), NULL, 'bytes are always known');
SELECT is(test.line('odd', 'analyzed', 'rows'), '3 never analyzed, drawn as empty', 'rows are not') WHERE NOT EXISTS (SELECT FROM router.statistics('odd') WHERE rows > 0)
UNION ALL SELECT pass('rows were counted meanwhile') WHERE EXISTS (SELECT FROM router.statistics('odd') WHERE rows > 0);

-- hot
CREATE TABLE hot (id int, at timestamptz NOT NULL);
SELECT router.create_route('hot', router.by_date('at', 'year'), hot => '100 days', time_zone => 'UTC') \g /dev/null
INSERT INTO hot SELECT i, now() - i * interval '10 days' FROM generate_series(0, 200) i;
ANALYZE hot;
SELECT is(test.line('hot', 'hot base', 'rows'), '▒ hot base: ' || (SELECT count(*) FROM ONLY hot), 'the hot base has a glyph of its own');
SELECT matches(test.line('hot', '▒', 'rows'), '│.*▒', 'and is in the picture');
SELECT is(test.line('hot', '^█', 'rows'), format('█ %s children: %s', (SELECT children FROM router.routes WHERE base = 'hot'::regclass), (SELECT 201 - count(*) FROM ONLY hot)), 'apart from the children');

CREATE TABLE little (id int, at timestamptz NOT NULL);
SELECT router.create_route('little', router.by_date('at', 'year'), hot => '1 day', time_zone => 'UTC') \g /dev/null
INSERT INTO little SELECT i, now() - interval '1 day 1 hour' FROM generate_series(1, 5000) i;
INSERT INTO little VALUES (0, now());
ANALYZE little;
SELECT is((SELECT count(*) FROM router.chart('little', 'rows') c WHERE c ~ '[┤│].*▒'), 1::bigint, 'however little it has');

-- ------------------------------------------------------------------ values and ranges
CREATE TABLE consumption (id int, residence_id int);
SELECT router.create_route('consumption', router.by_list('residence_id', groups => '{"{1,2,3}"}')) \g /dev/null
INSERT INTO consumption SELECT i, CASE WHEN i <= 400 THEN i % 3 + 1 WHEN i <= 500 THEN 7 WHEN i <= 501 THEN 10 END FROM generate_series(1, 700) i;
ANALYZE consumption;
SELECT results_eq($$SELECT router.chart('consumption', 'rows', 40)$$, ARRAY[
    'consumption: rows of children',
    '1, 2, 3 │████████████████████████    400',
    '      7 │██████                      100',
    '     10 │▏                             1',
    '   null │████████████                199',
    '█ 4 children: 700'], 'a bar a child, in order of values; the smallest is seen');
SET client_encoding = 'LATIN1';
SELECT results_eq($$SELECT router.chart('consumption', 'rows', 40)$$, ARRAY[
    'consumption: rows of children',
    '1, 2, 3 |########################    400',
    '      7 |######                      100',
    '     10 |#                             1',
    '   null |############                199',
    '# 4 children: 700'], 'in ASCII');
SET client_encoding = 'UTF8';
CREATE TABLE many (id int, k int);
SELECT router.create_route('many', router.by_integer('k', 10), max_new_children => 2000) \g /dev/null
INSERT INTO many SELECT i, i * 10 FROM generate_series(1, 1000) i;
ANALYZE many;
SELECT is(test.extent('many'), 'fits', '1000 ranges fit');
SELECT is(test.line('many', '^ *1 ', 'rows', 40), '     1 to 250 │██████████████████     25', 'as bars of neighbours');
CREATE TABLE hashed (id int, k int);
SELECT router.create_route('hashed', router.by_hash('k', 3)) \g /dev/null
SELECT router.premake('hashed') \g /dev/null
SELECT is((SELECT string_agg(c, '; ' ORDER BY c) FROM router.chart('hashed', 'bytes', 30) c WHERE c ~ '/'), '0/3 │                  0 bytes; 1/3 │                  0 bytes; 2/3 │                  0 bytes', 'buckets, empty');
CREATE TABLE texts (id int, k text);
SELECT router.create_route('texts', router.by_list('k'), max_new_children => 2000) \g /dev/null
INSERT INTO texts SELECT i, 'v' || i FROM generate_series(1, 1000) i;
INSERT INTO texts SELECT i, 'v777' FROM generate_series(1, 1000) i;
ANALYZE texts;
SELECT is(test.extent('texts'), 'fits', '1000 values fit');
SELECT is(test.line('texts', 'v777|others', 'rows', 40), E' v777 │██████████████████████████   1001\nnot drawn: 960 others, 960', 'the largest have bars');
CREATE TABLE "Zähler 電気 log" (id int, k text);
SELECT router.create_route('"Zähler 電気 log"', router.by_list('k')) \g /dev/null
INSERT INTO "Zähler 電気 log" VALUES (1, E'new\nline\x1b[31m'), (2, repeat('long', 100)), (3, '電気電気電気電気電気電気電気電気電気電気');
SELECT is((SELECT count(*) FROM router.chart('"Zähler 電気 log"') c WHERE c ~ '[[:cntrl:]]'), 0::bigint, 'no character that moves the cursor');
SELECT is(test.line('"Zähler 電気 log"', '電気電', 'bytes', 60), '電気電気電気電気電気 │███████████████████████████      16 kB', 'wide characters are counted twice');
CREATE TABLE both_keys (id int, k int, r text, d date);
SELECT router.create_route('both_keys', ARRAY[router.by_integer('k', 10), router.by_list('r'), router.by_date('d', 'month')]) \g /dev/null
INSERT INTO both_keys VALUES (1, 1, 'x', '2024-01-01'), (2, 11, 'y', '2024-02-01');
SELECT is((SELECT string_agg(rtrim(split_part(c, ' │', 1)), '; ') FROM router.chart('both_keys') c WHERE c ~ '│'), '1 to 10 / x / 2024-01-01 t; 11 to 20 / y / 2024-02-01', 'several keys: all of them');
CREATE TABLE none (id int, d date);
SELECT router.create_route('none', router.by_date('d', 'month')) \g /dev/null
SELECT results_eq($$SELECT router.chart('none')$$, ARRAY['none: bytes of children', '█ 0 children: 0 bytes'], 'no child yet');

-- ------------------------------------------------------------------ arguments and rights
CREATE TABLE plain (id int);
SELECT throws_ok($$SELECT router.chart('plain')$$, '55000', NULL, 'no routed table');
SELECT throws_ok($$SELECT router.chart('none', 'pages')$$, '22023', 'invalid value "pages" for of', 'of what?');
SELECT throws_ok(format($$SELECT router.chart('none', 'rows', %s)$$, w), '22023', format('invalid value "%s" for width', w), 'a width of ' || w) FROM unnest('{29,1001,-1}'::int[]) w;
SELECT results_eq($$SELECT router.chart('many', NULL, NULL)$$, $$SELECT router.chart('many')$$, 'NULL is the default');
SET ROLE router_chart_monitor;
SELECT is((SELECT count(*) FROM router.chart('sensor_log', 'rows')), 12::bigint, 'a monitoring role draws what it cannot read');
RESET ROLE;
SELECT * FROM finish();
