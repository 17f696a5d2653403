-- router.simulate: what it foretells is what convert makes, for each kind of key; samples; warnings; the formula; rights.
\ir ../../include/helpers.sql
\set tests 39
SELECT plan(:tests);
SELECT test.role('router_simulate_' || r) FROM unnest('{owner,other}'::text[]) r \g /dev/null

CREATE TABLE source (id int, r int, at timestamptz, day date, n bigint, code text);
INSERT INTO source SELECT i, nullif(i * i % 13, 0), timestamptz '2022-01-01 UTC' + i * interval '20 hours', date '2022-01-01' + i % 900, i * 37 % 5000 - 200,
       CASE WHEN i % 50 > 0 THEN chr(97 + i % 7) || 'Code' || i % 3 END FROM generate_series(1, 1000) i;
ANALYZE source;

CREATE FUNCTION test.said(query text) RETURNS TABLE (what text, number numeric, value text, detail text) LANGUAGE plpgsql AS $$
BEGIN RETURN QUERY EXECUTE 'SELECT * FROM ' || query; END $$;
CREATE TABLE kinds (keys text);
INSERT INTO kinds VALUES
    ('router.by_list(''r'')'), ('router.by_list(''r'', groups => ''{"{1,3}","{4,9,NULL}"}'')'), ('router.by_date(''at'', ''month'')'), ('router.by_date(''at'', ''week'')'),
    ('router.by_date(''day'', ''3 months'')'), ('router.by_integer(''n'', 100)'), ('router.by_prefix(''code'', 3)'), ('router.by_suffix(''code'', 2)'),
    ('router.by_hash(''id'', 7)'), ('ARRAY[router.by_list(''r''), router.by_date(''at'', ''year'')]'), ('ARRAY[router.by_date(''day'', ''year''), router.by_hash(''id'', 3), router.by_list(''code'')]');

-- children and rows, foretold and made
CREATE FUNCTION test.foretold(keys text) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(number::bigint::text, ' ' ORDER BY what) FROM test.said(format('router.simulate(''source'', %s, exact => true)', keys)) WHERE what IN ('children', 'rows of a child, least', 'rows of a child, most')
$$;
CREATE TABLE foretold AS SELECT keys, test.foretold(keys) AS said FROM kinds;
SELECT string_agg(format($sql$
    CREATE TABLE t AS TABLE source;
    CALL router.convert('t', %s, time_zone => 'UTC', horizon => '1000 years', max_new_children => 10000);
    SELECT is((SELECT count(*) || ' ' || min(n) || ' ' || max(n) FROM (SELECT count(*) AS n FROM t GROUP BY tableoid) x), (SELECT said FROM foretold WHERE keys = %L), %L);
    DROP TABLE t CASCADE;
$sql$, keys, keys, keys), '' ORDER BY ctid) AS matrix FROM kinds \gset
:matrix

-- a hot base
SELECT number AS stay FROM router.simulate('source', router.by_date('at', 'month'), exact => true, hot => (now() - '2023-01-01')) WHERE what = 'rows that stay in the base' \gset
SELECT is(:stay::bigint, (SELECT count(*) FROM source WHERE at >= now() - (now() - '2023-01-01')), 'current rows stay');
SELECT is((SELECT number FROM router.simulate('source', router.by_date('at', 'month'), exact => true, hot => (now() - '2023-01-01')) WHERE what = 'children'), 12::numeric, 'the aged ones have children');

-- a sample: near the truth, and says so
CREATE TABLE large AS SELECT i, (hashint4(i) & 1023) % 100 AS r FROM generate_series(1, 60000) i;
ANALYZE large;
SELECT is((SELECT number FROM router.simulate('large', router.by_list('r'), sample_rows => 10000) WHERE what = 'children'), 100::numeric, 'a sample sees all that are frequent');
SELECT cmp_ok((SELECT abs(number - 600) FROM router.simulate('large', router.by_list('r'), sample_rows => 10000) WHERE what = 'rows of a child, median'), '<', 150::numeric, 'and about how many rows they have');
SELECT matches((SELECT detail FROM router.simulate('large', router.by_list('r'), sample_rows => 10000) WHERE what = 'rows looked at'), 'within \d+ %', 'how sure it is');
CREATE TABLE rare AS SELECT i, i AS r FROM generate_series(1, 10000) i;
ANALYZE rare;
SELECT cmp_ok((SELECT number FROM router.simulate('rare', router.by_list('r'), sample_rows => 500) WHERE what = 'children not seen'), '>', 3000::numeric, 'children that it has not seen');
SELECT is((SELECT count(*) FROM router.simulate('rare', router.by_list('r'), sample_rows => 1000000) WHERE what IN ('rows looked at', 'children not seen')), 0::bigint, 'a sample of all is none');
SELECT is((SELECT number FROM router.simulate('rare', router.by_list('r'), exact => true) WHERE what = 'rows'), 10000::numeric, 'all rows');

-- warnings
SELECT is((SELECT count(*) FROM router.simulate('rare', router.by_list('r'), exact => true) WHERE what = 'warning' AND value ~ '^(too many children: more than 5000|children are small)'), 2::bigint, 'too many, too small');
CREATE TABLE keyed (id int PRIMARY KEY, r int, at timestamptz, UNIQUE (r, id));
CREATE TABLE refers (id int REFERENCES keyed);
INSERT INTO keyed VALUES (1, NULL, 'infinity'), (2, 2, '2024-01-01'), (3, 2, NULL);
ANALYZE keyed;
SELECT is((SELECT string_agg(value, '; ' ORDER BY value) FROM router.simulate('keyed', router.by_list('r')) WHERE what = 'warning'),
          'foreign keys refer to it: of public.refers; key "r" has NULLs: 1 of the rows; unique in each child only: keyed_pkey', 'a table that is not fit for it');
SELECT is((SELECT string_agg(value, '; ' ORDER BY value) FROM router.simulate('keyed', router.by_date('at', 'month')) WHERE what = 'warning' AND value ~ 'rows'), '1 of the rows can have no child; key "at" has NULLs: 1 of the rows', 'rows without a child');
SELECT is((SELECT string_agg(value, '; ') FROM router.simulate(100, 1e9, 1, 24, 365, row_bytes => 100) WHERE what = 'warning'), 'a child is large: more than 50 GB', 'too large');

-- the statement, run as it is
SELECT value AS statement FROM router.simulate('large', ARRAY[router.by_list('r'), router.by_integer('i', 30000)]) WHERE what = 'statement' \gset
:statement;
SELECT is((SELECT count(*) FROM router.children WHERE base = 'large'::regclass), 200::bigint, 'the call can be run as it is');
SELECT is((SELECT number FROM router.simulate('large', router.by_list('r'), exact => true) WHERE what = 'children'), 100::numeric, 'a routed table, by other keys');
CREATE TABLE nothing (at date);
SELECT is((SELECT value FROM router.simulate('nothing', router.by_date('at', 'year')) WHERE what = 'statement'), 'SELECT router.create_route(''public.nothing'', router.by_date(''at'', every => ''year''))', 'an empty table');
CREATE VIEW seen AS SELECT * FROM source WHERE id <= 100;
SELECT is((SELECT number FROM router.simulate('seen', router.by_hash('id', 4), exact => true) WHERE what = 'rows'), 100::numeric, 'a view');

-- the formula
SELECT is((SELECT string_agg(what || ' ' || number::bigint, ', ' ORDER BY what) FROM router.simulate(121, 110, 3, 24, 365, step_days => 30) WHERE what IN ('rows', 'children', 'rows of a child, most')),
          'children 1573, rows 349786800, rows of a child, most 222369', 'residences by months');
SELECT is((SELECT number FROM router.simulate(5, 1, 1, 1, 10) WHERE what = 'children'), 5::numeric, 'without steps: a child a value');

-- who may
ALTER TABLE source ENABLE ROW LEVEL SECURITY;
CREATE POLICY few ON source USING (id <= 10);
GRANT SELECT ON source TO router_simulate_other;
SET ROLE router_simulate_other;
SELECT is((SELECT number || ' ' || detail FROM router.simulate('public.source', router.by_hash('id', 4), exact => true) WHERE what = 'rows'), '10 those that you may read', 'row security counts');
SELECT throws_ok($$SELECT * FROM router.simulate('public.large', router.by_list('r'))$$, '42501', NULL, 'no right to read');
SELECT lives_ok($$SELECT * FROM router.simulate('public.source', router.by_list('r', label => 'SELECT 1/0'))$$, 'a label is not run');
RESET ROLE;

-- what it refuses
SELECT throws_ok($$SELECT * FROM router.simulate('source', router.by_list('nothing'))$$, '42703', NULL, 'no such column');
SELECT throws_ok($$SELECT * FROM router.simulate('source', router.by_date('r', 'month'))$$, '42804', NULL, 'no such key');
SELECT throws_ok($$SELECT * FROM router.simulate('keyed_pkey', router.by_list('r'))$$, '42809', NULL, 'an index');
SELECT throws_ok($$SELECT * FROM router.simulate('source', router.by_list('r'), sample_rows => 0)$$, '22023', NULL, 'no rows');
SELECT throws_ok($$SELECT * FROM router.simulate('source', router.by_list('r'), hot => '1 day')$$, '22023', NULL, 'hot without dates');
SELECT throws_ok($$SELECT * FROM router.simulate(0, 1, 1, 1, 1)$$, '22023', NULL, 'a formula of nothing');
SELECT throws_ok($$SELECT * FROM router.simulate('NaN', 1, 1, 1, 1)$$, '22023', NULL, 'or of no number');

SELECT * FROM finish();
DROP OWNED BY router_simulate_owner, router_simulate_other CASCADE;
