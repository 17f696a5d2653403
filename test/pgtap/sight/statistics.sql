-- router.statistics, statistics_by_value, skew: by each kind of key, exact and estimated, for owner, reader, monitoring role and stranger.
\ir ../../include/helpers.sql
\set tests 54
SELECT plan(:tests);

SELECT test.role('router_st_owner'), test.role('router_st_reader'), test.role('router_st_monitor'), test.role('router_st_stranger') \g /dev/null
GRANT pg_monitor TO router_st_monitor;
CREATE SCHEMA app AUTHORIZATION router_st_owner;
GRANT USAGE ON SCHEMA app TO PUBLIC;
SET ROLE router_st_owner;

-- ------------------------------------------------------------------ every kind of key
CREATE TABLE app.consumption (id int, residence_id int, read_at timestamptz, code text, note text);
CREATE TABLE app.by_list (LIKE app.consumption);
SELECT router.create_route('app.by_list', router.by_list('residence_id', groups => '{"{1,2,3,NULL}"}')) \g /dev/null
CREATE TABLE app.by_date (LIKE app.consumption INCLUDING ALL, PRIMARY KEY (id));
SELECT router.create_route('app.by_date', router.by_date('read_at', 'month', pivot => '2024-02-01'), time_zone => 'Europe/Berlin', default_child => true) \g /dev/null
CREATE TABLE app.by_integer (LIKE app.consumption);
SELECT router.create_route('app.by_integer', router.by_integer('residence_id', 4)) \g /dev/null
CREATE TABLE app.by_prefix (LIKE app.consumption);
SELECT router.create_route('app.by_prefix', router.by_prefix('code', 1)) \g /dev/null
CREATE TABLE app.by_hash (LIKE app.consumption);
SELECT router.create_route('app.by_hash', router.by_hash('residence_id', 3)) \g /dev/null
CREATE TABLE app.by_both (LIKE app.consumption);
SELECT router.create_route('app.by_both', ARRAY[router.by_date('read_at', 'year'), router.by_list('residence_id')], time_zone => 'UTC') \g /dev/null
CREATE TABLE app.rows AS
    SELECT i AS id, NULLIF(i % 12, 11) AS residence_id, timestamptz '2024-01-10 12:00+00' + i % 120 * interval '1 day' AS read_at, chr(65 + i % 3) || i AS code, 'x' AS note
      FROM generate_series(1, 1200) i;
CREATE TABLE app.route AS SELECT unnest('{app.by_list,app.by_integer,app.by_prefix,app.by_hash,app.by_date,app.by_both}'::regclass[]) AS base;
DO $$
DECLARE
    r regclass;
BEGIN
    FOR r IN SELECT base FROM app.route LOOP
        EXECUTE format('INSERT INTO %s SELECT * FROM app.rows', r);
    END LOOP;
END $$;
ANALYZE app.by_list, app.by_date, app.by_integer, app.by_prefix, app.by_hash, app.by_both;

SELECT is(sum(s.rows), 1200::numeric, base || ': each row is counted once'), bool_and(NOT s.estimated) FROM app.route, router.statistics(base, true) s GROUP BY base ORDER BY base;
SELECT is(sum(s.rows), 1200::numeric, base || ': an analyzed table is estimated well') FROM app.route, router.statistics(base) s GROUP BY base ORDER BY base;
SELECT is((SELECT string_agg(format('%s %s', base, count), ', ' ORDER BY base::text) FROM (SELECT base, count(*) FROM app.route, router.statistics(base) s
            WHERE s.bytes <> pg_total_relation_size(s.child) OR s.bytes <> s.table_bytes + s.index_bytes + s.toast_bytes OR NOT s.estimated OR s.state NOT IN ('online', 'default') GROUP BY 1) x), NULL, 'table, indexes and TOAST are what PostgreSQL takes them for');
SELECT is((SELECT array_agg(s.child) FROM app.route, router.statistics(base) s WHERE s.index_bytes > 0) <@ (SELECT array_agg(child) FROM router.children WHERE base = 'app.by_date'::regclass), true, 'indexes apart');
SELECT results_eq($$SELECT lower, upper, rows FROM router.statistics('app.by_date', true)$$, $$VALUES (NULL, '2024-02-01 00:00:00+01', 220::bigint), ('2024-02-01 00:00:00+01', '2024-03-01 00:00:00+01', 290),
    ('2024-03-01 00:00:00+01', '2024-04-01 00:00:00+02', 310), ('2024-04-01 00:00:00+02', '2024-05-01 00:00:00+02', 300), ('2024-05-01 00:00:00+02', '2024-06-01 00:00:00+02', 80), (NULL, NULL, 0)$$, 'in order of time, the default child last');
SELECT results_eq($$SELECT lower || '-' || upper FROM router.statistics('app.by_integer')$$, ARRAY['0-0', '1-4', '5-8', '9-12', NULL], 'in order of numbers; the child of NULL last');
SELECT results_eq($$SELECT members::text FROM router.statistics('app.by_list')$$, '{"{0}","{1,2,3,NULL}","{4}","{5}","{6}","{7}","{8}","{9}","{10}"}'::text[], 'values of a list, by number');
SELECT results_eq($$SELECT members::text FROM router.statistics('app.by_prefix')$$, '{"{a}","{b}","{c}"}'::text[], 'prefixes');
SELECT results_eq($$SELECT coalesce(lower, upper, members::text, 'none') FROM router.statistics('app.by_hash')$$, '{none,none,none,none}'::text[], 'buckets have neither');
SELECT is((SELECT count(*)::int FROM router.statistics('app.by_both') WHERE lower = '2024-01-01 00:00:00+00' AND upper = '2025-01-01 00:00:00+00' AND cardinality(members) = 1), 12, 'range and list of a route of two keys');
SELECT is_empty($$SELECT child, lower, upper, members FROM router.children WHERE base IN (SELECT base FROM app.route) EXCEPT SELECT child, lower, upper, members FROM app.route, router.statistics(base)$$, 'router.children has the same ends');

-- ------------------------------------------------------------------ values
SELECT results_eq($$SELECT value, children, rows FROM router.statistics_by_value('app.by_list', exact => true) WHERE value IS NULL OR value IN ('1', '2', '4')$$,
    $$VALUES ('1', 1::bigint, 100::bigint), ('2', 1, 100), ('4', 1, 100), (NULL, 1, 100)$$, 'values of a group apart, by counting');
SELECT is((SELECT count(*) FILTER (WHERE e.rows BETWEEN 90 AND 110 AND e.estimated) FROM router.statistics_by_value('app.by_list') e), 12::bigint, 'or by statistics of the column');
SELECT is((SELECT sum(share) BETWEEN 0.999 AND 1.001 FROM router.statistics_by_value('app.by_list')), true, 'shares come to one');
SELECT is((SELECT abs(sum(bytes) - (SELECT sum(bytes) FROM router.statistics('app.by_list'))) < 12 FROM router.statistics_by_value('app.by_list', exact => true)), true, 'and bytes to those of the children');
SELECT results_eq($$SELECT value, rows FROM router.statistics_by_value('app.by_prefix', exact => true)$$, $$VALUES ('a', 400::bigint), ('b', 400), ('c', 400)$$, 'prefixes are folded');
SELECT results_eq($$SELECT value, children, rows FROM router.statistics_by_value('app.by_both', 'residence_id', true) LIMIT 1$$, $$VALUES ('0', 1::bigint, 100::bigint)$$, 'the list key of two');
SELECT throws_ok($$SELECT router.statistics_by_value('app.by_both', 'read_at')$$, '22023', 'invalid value "read_at" for key', 'a key of ranges has no values');
SELECT throws_ok($$SELECT router.statistics_by_value('app.by_hash')$$, '55000', 'routed table "by_hash" has no list, prefix or suffix key', 'nor has a hash');
SELECT throws_ok($$SELECT router.statistics_by_value('app.by_list', 'no such')$$, '22023', NULL, 'no such key');
SELECT throws_ok($$SELECT router.statistics('app.rows')$$, '55000', 'table "rows" is not a routed table', 'no routed table');
SELECT throws_ok($$SELECT router.statistics(NULL)$$, '22004', NULL, 'base null');

-- values that cannot be told from their text easily
CREATE TYPE app.pair AS (a int, b text);
CREATE TABLE app.odd (id int, v app.pair);
SELECT router.create_route('app.odd', router.by_list('v')) \g /dev/null
INSERT INTO app.odd VALUES (1, '(,)'), (2, NULL), (3, '(1,"a,b")'), (4, '(1,"a,b")');
SELECT results_eq($$SELECT value, rows FROM router.statistics_by_value('app.odd', exact => true)$$, $$VALUES ('(1,"a,b")', 2::bigint), ('(,)', 1), (NULL, 1)$$, 'a composite value of NULLs is no NULL');
SELECT is((SELECT array_agg(v ORDER BY v) FROM (SELECT value FROM router.statistics_by_value('app.odd', exact => true) EXCEPT SELECT unnest(members) FROM router.children WHERE base = 'app.odd'::regclass) x(v)), NULL, 'values are written as in bounds');

-- ------------------------------------------------------------------ skew
SELECT results_eq($$SELECT of, children, total, largest, largest_child::text, over_mean, variation, gini FROM router.skew('app.by_list') WHERE of = 'rows'$$,
    $$VALUES ('rows', 9::bigint, 1200::numeric, 400::bigint, 'app.by_list_1_2_3_null', 3.000, 0.707, 0.222)$$, 'skew: one child of 400, eight of 100');
SELECT is((SELECT gini FROM router.skew('app.by_prefix') WHERE of = 'rows'), 0.000, 'all alike');
CREATE TABLE app.none (LIKE app.consumption);
SELECT router.create_route('app.none', router.by_list('residence_id')) \g /dev/null
SELECT is_empty($$SELECT * FROM router.skew('app.none')$$, 'no child, no skew');
SELECT is_empty($$SELECT * FROM router.statistics('app.none', true)$$, 'nor statistics');
SELECT router.create_child('app.none', '1') \g /dev/null
SELECT is((SELECT string_agg(concat_ws(' ', of, total, over_mean, gini), ', ') FROM router.skew('app.none') WHERE of = 'rows'), 'rows 0', 'nothing in it: none either');

-- ------------------------------------------------------------------ hot
CREATE TABLE app.sensor_log (id int, read_at timestamptz NOT NULL);
SELECT router.create_route('app.sensor_log', router.by_date('read_at', 'month'), hot => '10 days', time_zone => 'UTC') \g /dev/null
INSERT INTO app.sensor_log SELECT i, now() - i * interval '1 day' FROM generate_series(1, 200) i;
SELECT results_eq($$SELECT child, state, rows, lower, upper FROM router.statistics('app.sensor_log', true) ORDER BY state LIMIT 1$$,
    $$SELECT base, 'hot', (SELECT count(*) FROM ONLY app.sensor_log), watermark, NULL FROM router.routes WHERE base = 'app.sensor_log'::regclass$$, 'the base is a row when it is hot, from its watermark on');
SELECT is((SELECT child FROM router.statistics('app.sensor_log') OFFSET (SELECT children FROM router.routes WHERE base = 'app.sensor_log'::regclass)), 'app.sensor_log'::regclass, 'as the last one');
SELECT is((SELECT max(children) FROM router.skew('app.sensor_log')), (SELECT children FROM router.routes WHERE base = 'app.sensor_log'::regclass), 'and not in the skew');

-- ------------------------------------------------------------------ who
GRANT SELECT ON app.by_list TO router_st_reader;
ALTER TABLE app.by_list ENABLE ROW LEVEL SECURITY;
CREATE POLICY mine ON app.by_list TO router_st_reader USING (residence_id = 4);
SET ROLE router_st_reader;
SELECT is((SELECT sum(rows) FROM router.statistics('app.by_list', true)), 100::numeric, 'a reader counts the rows that he may see');
SELECT results_eq($$SELECT value, rows FROM router.statistics_by_value('app.by_list', exact => true)$$, $$VALUES ('4', 100::bigint)$$, 'and their values');
SELECT is((SELECT count(*) FILTER (WHERE rows IS NULL) FROM router.statistics_by_value('app.by_list')), 4::bigint, 'statistics of a column are not his to see');
SELECT throws_ok($$SELECT router.statistics('app.by_date', true)$$, '42501', NULL, 'of another table he counts nothing');
SET ROLE router_st_monitor;
SELECT is((SELECT count(*) = 9 AND sum(rows) = 1200 AND bool_and(estimated) FROM router.statistics('app.by_list')), true, 'a monitoring role sees sizes');
SELECT throws_ok($$SELECT router.statistics('app.by_list', true)$$, '42501', NULL, 'and counts nothing');
SELECT throws_ok($$SELECT router.statistics_by_value('app.by_list', exact => true)$$, '42501', NULL, 'nor values');
SELECT lives_ok($$SELECT router.statistics_by_value('app.by_list'), router.skew('app.by_list')$$, 'what is estimated it may ask for');
RESET ROLE;
SET ROLE router_st_owner;
ALTER TABLE app.by_list FORCE ROW LEVEL SECURITY;
SELECT is((SELECT sum(rows) FROM router.statistics('app.by_list', true)), 1200::numeric, 'the owner counts all, row security forced or not');
CREATE FUNCTION app.spy(int) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'as %', current_user; END $$;
CREATE POLICY spy ON app.by_list USING (app.spy(id));
RESET ROLE;
SELECT is((SELECT sum(rows) FROM router.statistics('app.by_list', true)), 1200::numeric, 'so does a superuser, and no policy runs');
CREATE TEMP TABLE temporary (id int, k int);
SELECT router.create_route('temporary', router.by_list('k')) \g /dev/null
INSERT INTO temporary VALUES (1, 1), (2, 2), (3, 2);
SELECT results_eq($$SELECT rows FROM router.statistics('temporary', true)$$, '{1,2}'::bigint[], 'a temporary table');
SELECT results_eq($$SELECT rows FROM router.statistics('temporary')$$, '{NULL,NULL}'::bigint[], 'never analyzed: not known, if nothing was counted yet');
SELECT * FROM finish();
