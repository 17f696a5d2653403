-- Which children a query reads. Checklist A16, B1, B9, F15.
\ir ../../include/helpers.sql
\set tests 134
SELECT plan(:tests);
LOAD 'router';
SET TimeZone = 'UTC';

-- The tables that a plan reads, in the order of their names.
CREATE FUNCTION test.reads(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    plan jsonb;
BEGIN
    EXECUTE format('EXPLAIN (FORMAT JSON, COSTS OFF) %s', query) INTO plan;
    RETURN coalesce((SELECT string_agg(DISTINCT r #>> '{}', ', ' ORDER BY r #>> '{}') FROM jsonb_path_query(plan, '$.**."Relation Name"') r), 'nothing');
END $$;
-- How many children were left out when the plan started.
CREATE FUNCTION test.removed(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    plan jsonb;
BEGIN
    EXECUTE format('EXPLAIN (FORMAT JSON, COSTS OFF) %s', query) INTO plan;
    RETURN (SELECT string_agg(r #>> '{}', ', ') FROM jsonb_path_query(plan, '$.**."Children Removed"') r);
END $$;
-- The tables that yielded rows or were at least looked at.
CREATE FUNCTION test.visits(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    plan jsonb;
BEGIN
    EXECUTE format('EXPLAIN (FORMAT JSON, COSTS OFF, ANALYZE, TIMING OFF) %s', query) INTO plan;
    RETURN coalesce((SELECT string_agg(DISTINCT r ->> 'Relation Name', ', ' ORDER BY r ->> 'Relation Name')
                       FROM jsonb_path_query(plan, '$.** ? (@."Relation Name" != "")') r WHERE (r ->> 'Actual Loops')::numeric > 0), 'nothing');
END $$;
-- The rows of a query, in text.
CREATE FUNCTION test.rows(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    EXECUTE format('SELECT string_agg(q::text, '' '' ORDER BY q::text COLLATE "C") FROM (%s) q', query) INTO result;
    RETURN coalesce(result, 'none');
END $$;
-- The rows with router.prune on, or how they differ with it off.
CREATE FUNCTION test.answer(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    pruned text;
    whole text;
BEGIN
    PERFORM set_config('router.prune', 'on', true);
    pruned := test.rows(query);
    PERFORM set_config('router.prune', 'off', true);
    whole := test.rows(query);
    PERFORM set_config('router.prune', 'on', true);
    RETURN CASE WHEN pruned = whole THEN pruned ELSE 'pruned: ' || pruned || ' whole: ' || whole END;
END $$;

-- ------------------------------------------------------------------------ dates
CREATE TABLE d (id int, d date);
SELECT router.create_route('d', router.by_date('d', 'month')) \g /dev/null
INSERT INTO d SELECT m, make_date(2024, m, 15) FROM generate_series(1, 6) m;
INSERT INTO d VALUES (7, NULL);
SELECT is(test.reads($$SELECT * FROM d WHERE d = '2024-02-10'$$), 'd_y2024m02', 'date: =');
SELECT is(test.reads($$SELECT * FROM d WHERE '2024-02-10' = d$$), 'd_y2024m02', 'the other way round');
SELECT is(test.reads($$SELECT * FROM d WHERE d < '2024-02-01'$$), 'd_y2024m01', '< a border');
SELECT is(test.reads($$SELECT * FROM d WHERE d <= '2024-02-01'$$), 'd_y2024m01, d_y2024m02', '<= a border');
SELECT is(test.reads($$SELECT * FROM d WHERE d > '2024-05-31'$$), 'd_y2024m06', '> the last day');
SELECT is(test.reads($$SELECT * FROM d WHERE d >= '2024-05-31'$$), 'd_y2024m05, d_y2024m06', '>= the last day');
SELECT is(test.reads($$SELECT * FROM d WHERE d BETWEEN '2024-02-10' AND '2024-03-10'$$), 'd_y2024m02, d_y2024m03', 'BETWEEN');
SELECT is(test.reads($$SELECT * FROM d WHERE d IN ('2024-02-10', '2024-05-10', NULL)$$), 'd_y2024m02, d_y2024m05', 'IN');
SELECT is(test.reads($$SELECT * FROM d WHERE d = ANY ('{2024-02-10,2031-01-01}')$$), 'd_y2024m02', '= ANY');
SELECT is(test.reads($$SELECT * FROM d WHERE d >= ALL ('{2024-02-10,2024-05-10}')$$), 'd_y2024m05, d_y2024m06', '>= ALL');
SELECT is(test.reads($$SELECT * FROM d WHERE d IS NULL$$), 'd_null', 'IS NULL');
SELECT is(test.reads($$SELECT * FROM d WHERE d IS NOT NULL AND d < '2024-02-15'$$), 'd_y2024m01, d_y2024m02', 'IS NOT NULL');
SELECT is(test.reads($$SELECT * FROM d WHERE d = NULL$$), 'nothing', '= NULL');
SELECT is(test.reads($$SELECT * FROM d WHERE d < '2024-01-15' OR d = '2024-04-01'$$), 'd_y2024m01, d_y2024m04', 'OR');
SELECT is(test.reads($$SELECT * FROM d WHERE d < '2024-01-15' OR d IS NULL$$), 'd_null, d_y2024m01', 'OR IS NULL');
SELECT is(test.reads($$SELECT * FROM d WHERE (d < '2024-03-15' OR d = '2024-04-01') AND d > '2024-02-29'$$), 'd_y2024m03, d_y2024m04', 'AND of OR');
SELECT is(test.reads($$SELECT * FROM d WHERE NOT (d < '2024-06-01' OR d IS NULL)$$), 'd_y2024m06', 'NOT');
SELECT is(test.reads($$SELECT * FROM d WHERE d < '2024-02-01' AND d > '2024-03-01'$$), 'nothing', 'a contradiction');
SELECT is(test.reads($$SELECT * FROM d WHERE d = '2024-02-10' OR id = 5$$), 'd_null, d_y2024m01, d_y2024m02, d_y2024m03, d_y2024m04, d_y2024m05, d_y2024m06', 'an arm that says nothing of the key');
SELECT is(test.reads($$SELECT * FROM d WHERE d = '2024-02-10 00:00'::timestamp$$), 'd_y2024m02', 'date = timestamp');
SELECT is(test.reads($$SELECT * FROM d WHERE d >= '2024-05-10'::timestamptz$$), 'd_y2024m05, d_y2024m06', 'date >= timestamptz');
SELECT is(test.reads($$SELECT * FROM d WHERE d + 1 = '2024-02-10'$$), 'd_null, d_y2024m01, d_y2024m02, d_y2024m03, d_y2024m04, d_y2024m05, d_y2024m06', 'what is not understood reads all');
SET router.prune = off;
SET constraint_exclusion = off;
SELECT is(test.reads($$SELECT * FROM d WHERE d = '2024-02-10'$$), 'd, d_null, d_y2024m01, d_y2024m02, d_y2024m03, d_y2024m04, d_y2024m05, d_y2024m06', 'router.prune = off: all');
SET constraint_exclusion = partition;
SELECT is(test.reads($$SELECT * FROM d WHERE d = '2024-02-10'$$), 'd, d_y2024m02', 'or what core''s constraint exclusion leaves');
RESET router.prune;
SELECT is(test.answer($$SELECT id FROM d WHERE d < '2024-03-01'$$), '(1) (2)', 'the rows');

-- --------------------------------------------------------- timestamps and integers
CREATE TABLE ts (id int, d timestamptz);
SELECT router.create_route('ts', router.by_date('d', 'day'), time_zone => 'UTC') \g /dev/null
INSERT INTO ts SELECT i, '2024-01-01 12:00+00'::timestamptz + i * interval '1 day' FROM generate_series(0, 9) i;
SELECT is(test.reads($$SELECT * FROM ts WHERE d >= '2024-01-05 00:00+00' AND d < '2024-01-07 00:00+00'$$), 'ts_y2024d005, ts_y2024d006', 'timestamptz: a range');
SELECT is(test.reads($$SELECT * FROM ts WHERE d = '2024-01-05 23:30-02'$$), 'ts_y2024d006', 'a literal with a zone');
SELECT is(test.reads($$SELECT * FROM ts WHERE d >= '2024-01-09'::date$$) LIKE '%ts_y2024d009, ts_y2024d010', true, 'timestamptz >= date');
SET TimeZone = 'Pacific/Kiritimati';
SELECT is(test.answer($$SELECT id FROM ts WHERE d >= '2024-01-10'::date$$), '(8) (9)', 'in a zone far away');
SELECT is(test.answer($$SELECT id FROM ts WHERE d < '2024-01-02 12:00'::timestamp$$), '(0)', 'timestamptz < timestamp there');
SET TimeZone = 'XYZ-100';
SELECT is(test.answer($$SELECT id FROM ts WHERE d = '2024-01-09 16:00'::timestamp$$), '(4)', 'in a zone that there is not');
SET TimeZone = 'UTC';
CREATE TABLE far (id int, d timestamp);
SELECT router.create_route('far', router.by_date('d'), default_child => true) \g /dev/null
SELECT router.create_child('far', ARRAY[b]) FROM unnest(ARRAY['[2000-01-01,)', '(,2000-01-01)']) b \g /dev/null
INSERT INTO far VALUES (1, 'infinity'), (2, '-infinity'), (3, '294276-01-01'), (4, '2000-01-01');
SELECT is(test.answer($$SELECT id FROM far WHERE d > '5874897-12-31'::date$$), '(1)', 'a date after all timestamps is before infinity');
SELECT is(test.answer($$SELECT id FROM far WHERE d < '5874897-12-31'::date$$), '(2) (3) (4)', 'and after all others');
SELECT is(test.answer($$SELECT id FROM far WHERE d = 'infinity'::date OR d = '-infinity'::timestamptz$$), '(1) (2)', 'infinities of other types');
SELECT is(test.reads($$SELECT * FROM far WHERE d > '2000-01-01'$$), 'far_default, far_from_2000_01_01', 'the default child is always read');

CREATE TABLE n (id int, k bigint);
SELECT router.create_route('n', router.by_integer('k', 100)) \g /dev/null
INSERT INTO n SELECT i, i FROM generate_series(-150, 250, 50) i;
INSERT INTO n VALUES (1000, NULL);
SELECT is(test.reads('SELECT * FROM n WHERE k = 150'), 'n_101_200', 'integer: =');
SELECT is(test.reads('SELECT * FROM n WHERE k = 150::smallint'), 'n_101_200', 'bigint = smallint');
SELECT is(test.reads('SELECT * FROM n WHERE k < 0'), 'n_m100_m1, n_m200_m101', 'the negative ones');
SELECT is(test.reads('SELECT * FROM n WHERE k > 100'), 'n_101_200, n_201_300', 'above a border');
SELECT is(test.reads('SELECT * FROM n WHERE k BETWEEN -1 AND 1'), 'n_0, n_1_100, n_m100_m1', 'around zero');
SELECT is(test.reads('SELECT * FROM n WHERE k > 9223372036854775807'), 'nothing', 'above all integers');
SELECT is(test.reads('SELECT * FROM n WHERE k IN (0, 250)'), 'n_0, n_201_300', 'IN');
SELECT is(test.answer('SELECT id FROM n WHERE k = 150.0'), '(150)', 'numeric: not pruned, but right');
CREATE TABLE small (id int, k smallint);
SELECT router.create_route('small', router.by_list('k')) \g /dev/null
INSERT INTO small SELECT i, i FROM generate_series(1, 4) i;
SELECT is(test.reads('SELECT * FROM small WHERE k = 70000'), 'nothing', 'a value that a smallint cannot hold');
SELECT is(test.reads('SELECT * FROM small WHERE k = 3::bigint'), 'small_3', 'smallint = bigint');

-- ------------------------------------------------------------------------- lists
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TABLE l (id int, t text);
SELECT router.create_route('l', router.by_list('t', ARRAY['{a,b}', '{c,NULL}'])) \g /dev/null
INSERT INTO l VALUES (1, 'a'), (2, 'b'), (3, 'c'), (4, NULL), (5, 'd'), (6, 'e');
SELECT is(test.reads($$SELECT * FROM l WHERE t = 'b'$$), 'l_a_b', 'list: a value of a group');
SELECT is(test.reads($$SELECT * FROM l WHERE t IS NULL$$), 'l_c_null', 'the group with NULL');
SELECT is(test.reads($$SELECT * FROM l WHERE t IN ('a', 'd', 'zz')$$), 'l_a_b, l_d', 'IN');
SELECT is(test.reads($$SELECT * FROM l WHERE t > 'c'$$), 'l_d, l_e', 'a range of listed values');
SELECT is(test.reads($$SELECT * FROM l WHERE t = 'zz'$$), 'nothing', 'no child of that value');
SELECT is(test.reads($$SELECT * FROM l WHERE t = 'd'::varchar$$), 'l_d', 'text = varchar');
SELECT is(test.reads($$SELECT * FROM l WHERE t = 'd' COLLATE "C"$$), 'l_d', 'another collation');
SELECT is(test.answer($$SELECT id FROM l WHERE t IS DISTINCT FROM 'a'$$), '(2) (3) (4) (5) (6)', 'IS DISTINCT FROM');
SELECT is(test.answer($$SELECT id FROM l WHERE t <> 'a'$$), '(2) (3) (5) (6)', '<>');
SELECT is(test.answer($$SELECT id FROM l WHERE t <> ALL ('{}')$$), '(1) (2) (3) (4) (5) (6)', 'ALL of nothing is true for NULL, too');
SELECT is(test.answer($$SELECT id FROM l WHERE t = ANY ('{}')$$), 'none', 'ANY of nothing is not');
SELECT is(test.answer($$SELECT id FROM l WHERE t < ANY (ARRAY['b', NULL])$$), '(1)', 'an array with NULL');
CREATE TABLE flags (id int, b boolean, m mood);
SELECT router.create_route('flags', ARRAY[router.by_list('b'), router.by_list('m')]) \g /dev/null
INSERT INTO flags VALUES (1, true, 'sad'), (2, false, 'ok'), (3, NULL, 'sad'), (4, true, NULL), (5, false, 'happy');
SELECT is(test.reads('SELECT * FROM flags WHERE b'), 'flags_t_null, flags_t_sad', 'a boolean itself');
SELECT is(test.reads('SELECT * FROM flags WHERE NOT b'), 'flags_f_happy, flags_f_ok', 'NOT');
SELECT is(test.reads('SELECT * FROM flags WHERE b = false'), 'flags_f_happy, flags_f_ok', '= false');
SELECT is(test.answer('SELECT id FROM flags WHERE b IS NOT TRUE'), '(2) (3) (5)', 'IS NOT TRUE');
SELECT is(test.reads($$SELECT * FROM flags WHERE m >= 'ok'$$), 'flags_f_happy, flags_f_ok', 'an enum of the second level');
SELECT is(test.reads($$SELECT * FROM flags WHERE m = 'sad' AND b$$), 'flags_t_sad', 'both levels');

-- -------------------------------------------------------- prefix, suffix, hash (A16)
CREATE TABLE p (id int, c text);
SELECT router.create_route('p', router.by_prefix('c', 5)) \g /dev/null
INSERT INTO p VALUES (1, 'foobar'), (2, 'FOObarbaz'), (3, 'foo'), (4, 'yadayada'), (5, 'a''b'), (6, ''), (7, NULL), (8, 'Éclair');
SELECT is(test.reads($$SELECT * FROM p WHERE c = 'foobar'$$), 'p_fooba', 'prefix: col = ''foobar'' prunes');
SELECT is(test.reads($$SELECT * FROM p WHERE lower(substr(c, 1, 5)) = 'fooba'$$), 'p_fooba', 'so does the expression of the CHECK');
SELECT is(test.reads($$SELECT * FROM p WHERE lower(substr(c, 1, 5)) IN ('fooba', 'foo')$$), 'p_foo, p_fooba', 'with IN');
SELECT is(test.reads($$SELECT * FROM p WHERE lower(substr(c, 1, 5)) = 'FOOBA'$$), 'nothing', 'which is never upper case');
SELECT is(test.answer($$SELECT id FROM p WHERE lower(substr(c, 1, 4)) = 'foob'$$), '(1) (2)', 'another length is another expression');
SELECT is(test.reads($$SELECT * FROM p WHERE c IN ('FOObarbaz', 'ÉCLAIR', '')$$) LIKE '%p_fooba%', true, 'case and accents');
SELECT is(test.answer($$SELECT id FROM p WHERE c IN ('FOObarbaz', 'Éclair', '', 'a''b')$$), '(2) (5) (6) (8)', 'and the rows');
SELECT is(test.reads($$SELECT * FROM p WHERE c IS NULL$$), 'p_null', 'IS NULL');
SELECT is(test.answer($$SELECT id FROM p WHERE c > 'foo'$$) <> 'none', true, 'a range reads all');
CREATE TABLE s (id int, c varchar(20));
SELECT router.create_route('s', router.by_suffix('c', 5)) \g /dev/null
INSERT INTO s VALUES (1, 'foobar'), (2, 'FOOBARBAZ'), (3, 'foo');
SELECT is(test.reads($$SELECT * FROM s WHERE c = 'foobar'$$), 's_oobar', 'suffix: col = ''foobar'' prunes');
SELECT is(test.reads($$SELECT * FROM s WHERE lower(right(c, 5)) = 'arbaz'$$), 's_arbaz', 'and the expression');
CREATE TABLE h (id int, k int);
SELECT router.create_route('h', router.by_hash('k', 4)) \g /dev/null
INSERT INTO h SELECT i, i FROM generate_series(1, 40) i;
SELECT is(test.reads('SELECT * FROM h WHERE k = 7'), (SELECT tableoid::regclass::text FROM h WHERE k = 7), 'hash: = prunes');
SELECT is(test.reads('SELECT * FROM h WHERE k IN (7, 7::bigint) AND k = ANY (ARRAY[7, 8])'), (SELECT tableoid::regclass::text FROM h WHERE k = 7), 'several equalities');
SELECT is(test.answer('SELECT count(*) FROM h WHERE k > 7'), '(33)', 'a range reads all');

-- a collation under which letters that differ are equal
SELECT test.outcome($$CREATE COLLATION loose (provider = icu, locale = 'und-u-ks-level2', deterministic = false)$$) = 'done' AS icu \gset
\if :icu
CREATE TABLE loosely (id int, c text COLLATE loose);
SELECT router.create_route('loosely', router.by_list('c')) \g /dev/null
INSERT INTO loosely VALUES (1, 'foobar'), (2, 'FOObar'), (3, U&'caf\00e9'), (4, U&'cafe\0301');
SELECT is(test.answer($$SELECT id FROM loosely WHERE c = 'FOOBAR'$$), '(1) (2)', 'list of a nondeterministic collation');
SELECT is(test.answer($$SELECT id FROM loosely WHERE c = 'foobar' COLLATE "C"$$), '(1)', 'compared under another');
CREATE TABLE looser (id int, c text COLLATE loose);
SELECT is(test.outcome($$SELECT router.create_route('looser', router.by_prefix('c', 4))$$) ~ '^(done|22023|42804|42P22)', true, 'a prefix of a nondeterministic collation');
INSERT INTO looser SELECT * FROM loosely;
SELECT is(test.answer($$SELECT id FROM looser WHERE c = U&'cafe\0301'$$), '(3) (4)', 'finds what is equal');
\else
SELECT skip('no ICU', 4);
\endif

-- ------------------------------------------------------------------- two levels
CREATE TABLE two (id int, r int, d date, PRIMARY KEY (id, r, d));
SELECT router.create_route('two', ARRAY[router.by_list('r'), router.by_date('d', 'year')]) \g /dev/null
INSERT INTO two SELECT y * 10 + r, r, make_date(2020 + y, 5, 5) FROM generate_series(0, 2) y, generate_series(1, 3) r;
SELECT is(test.reads($$SELECT * FROM two WHERE r = 2 AND d = '2021-01-01'$$), 'two_2_y2021', 'two levels: both');
SELECT is(test.reads($$SELECT * FROM two WHERE r = 2$$), 'two_2_y2020, two_2_y2021, two_2_y2022', 'the outer');
SELECT is(test.reads($$SELECT * FROM two WHERE d > '2022-01-01'$$), 'two_1_y2022, two_2_y2022, two_3_y2022', 'the inner');
SELECT is(test.reads($$SELECT * FROM two WHERE (r = 1 AND d < '2021-01-01') OR (r = 3 AND d > '2022-01-01')$$), 'two_1_y2020, two_3_y2022', 'OR of both');

-- ----------------------------------------------- shapes of statements, at plan time
CREATE VIEW v AS SELECT * FROM two WHERE r = 2;
SELECT is(test.reads($$SELECT * FROM v WHERE d < '2021-01-01'$$), 'two_2_y2020', 'a view');
SELECT is(test.reads($$SELECT * FROM two a JOIN two b USING (r) WHERE a.d = '2020-05-05' AND b.d = '2021-05-05' AND a.r = 1$$), 'two_1_y2020, two_1_y2021', 'a join: a constant reaches the other side');
SELECT is(test.reads($$UPDATE two SET id = 0 WHERE r = 1 AND d = '2021-05-05'$$) ~ 'two_1_y2021$', true, 'UPDATE');
SELECT is(test.reads($$SELECT * FROM (SELECT r, d FROM two UNION ALL SELECT k, NULL FROM small) u WHERE r = 3 AND d = '2020-01-01'$$) LIKE '%two_3_y2020%', true, 'UNION ALL');
SELECT is(test.reads($$WITH c AS (SELECT * FROM two) SELECT * FROM c WHERE r = 3 AND d = '2020-01-01'$$), 'two_3_y2020', 'a CTE');
SELECT test.role('router_prune') \g /dev/null
ALTER TABLE two ENABLE ROW LEVEL SECURITY;
CREATE POLICY mine ON two USING (r = 3);
GRANT SELECT ON two TO router_prune;
GRANT USAGE ON SCHEMA test TO router_prune;
SET ROLE router_prune;
SELECT is(test.reads($$SELECT * FROM two WHERE d < '2021-01-01'$$), 'two_3_y2020', 'a policy prunes');
SELECT is(test.answer('SELECT id FROM two'), '(13) (23) (3)', 'and shows its rows');
RESET ROLE;

-- ----------------------------------------------------------------- when plans run
PREPARE by_key(int, date) AS SELECT id FROM two WHERE r = $1 AND d = $2;
SET plan_cache_mode = force_generic_plan;
SELECT is(test.reads($$EXECUTE by_key(2, '2021-05-05')$$), 'two_2_y2021', 'a generic plan');
SELECT is(test.removed($$EXECUTE by_key(2, '2021-05-05')$$), '8', 'says how many were removed');
SELECT is(test.reads($$EXECUTE by_key(9, '2021-05-05')$$), 'nothing', 'all of them');
SELECT is(test.answer($$SELECT 1$$) || test.reads($$EXECUTE by_key(NULL, NULL)$$), '(1)nothing', 'NULL parameters');
RESET plan_cache_mode;
SELECT is(test.visits($$SELECT id FROM two WHERE r = (SELECT 2) AND d = '2021-05-05'$$), 'two_2_y2021', 'an InitPlan');
SELECT is(test.visits($$SELECT l.id FROM (VALUES (1), (3)) x(r), LATERAL (SELECT id FROM two WHERE two.r = x.r AND two.d = '2021-05-05' LIMIT 1) l$$), 'two_1_y2021, two_3_y2021', 'the inner side of a nested loop');
CREATE FUNCTION pick() RETURNS date STABLE LANGUAGE sql AS $$SELECT '2022-05-05'::date$$;
SELECT is(test.visits('SELECT id FROM two WHERE d = pick()'), 'two_1_y2022, two_2_y2022, two_3_y2022', 'a stable function');
SELECT is(test.reads('SELECT id FROM ts WHERE d > now() - interval ''1 day'''), 'nothing', 'now() at plan time');

-- ---------------------------------------------------------------- hot bases (B1, B9)
CREATE TABLE hot (id int, d timestamptz);
CREATE INDEX ON hot (d);
SELECT router.create_route('hot', router.by_date('d', 'year'), hot => '7 days', time_zone => 'UTC') \g /dev/null
INSERT INTO hot SELECT i, now() - i * interval '1 day' FROM generate_series(0, 20) i;
INSERT INTO hot SELECT i, make_timestamptz(i, 5, 5, 0, 0, 0, 'UTC') FROM generate_series(2001, 2003) i;
SELECT is(test.reads('SELECT * FROM ONLY hot'), 'hot', 'ONLY reads one relation');
SELECT is(test.visits($$SELECT * FROM hot WHERE d < '2002-01-01'$$), 'hot_y2001', 'old data only: no base');
SELECT is(test.visits($$SELECT * FROM hot WHERE d >= now() - interval '1 day'$$), 'hot', 'fresh data only: nothing but the base');
SELECT is(test.answer($$SELECT id FROM hot WHERE d >= now() - interval '1 day 1 second'$$), '(0) (1)', 'the fresh rows');
SELECT is((SELECT count(*) FROM hot), 24::bigint, 'a plain SELECT sees every row once');
SET router.read_hot = on;
SELECT is(test.reads('SELECT * FROM hot'), 'hot', 'router.read_hot reads only the base');
SELECT is((SELECT count(*) FROM hot), (SELECT count(*) FROM ONLY hot), 'and its rows');
SELECT is((SELECT count(*) FROM two), 9::bigint, 'no other routed table');
RESET router.read_hot;
-- attached and foreign-like children: another layout, read through the base all along
CREATE TABLE elsewhere (d timestamptz, note text, id int);
INSERT INTO elsewhere VALUES ('1999-05-05', 'x', 1999);
ALTER TABLE elsewhere DROP COLUMN note;
SELECT router.attach_child('hot', 'elsewhere', ARRAY['[1999-01-01,2000-01-01)']) \g /dev/null
SELECT is(test.visits($$SELECT * FROM hot WHERE d < '2000-01-01'$$), 'elsewhere', 'an old child of another layout');
SELECT is(test.answer($$SELECT id FROM hot WHERE d < '2002-01-01'$$), '(1999) (2001)', 'its rows');

-- a plan for old data has no base in it, where that is certain for all who may use the plan
CREATE TABLE old (id int, d date, v int);
CREATE INDEX ON old (d);
SELECT router.create_route('old', router.by_date('d', 'month'), hot => '10000 days', horizon => '1000 years') \g /dev/null
INSERT INTO old SELECT i, '2024-01-01'::date + i, 0 FROM generate_series(0, 99) i;
CALL router.archive('old', cutoff => '2024-03-01');
CREATE FUNCTION test.old_rows() RETURNS bigint STABLE LANGUAGE plpgsql AS $$
BEGIN
    RETURN (SELECT count(*) FROM old WHERE d >= '2024-03-05' AND d < '2024-03-08');
END $$;
CREATE FUNCTION test.one(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    EXECUTE command INTO result;
    RETURN result;
END $$;
-- The tables that a plan scans, as against those that it changes.
CREATE FUNCTION test.scans(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    plan jsonb;
BEGIN
    EXECUTE format('EXPLAIN (FORMAT JSON, COSTS OFF) %s', query) INTO plan;
    RETURN (SELECT string_agg(DISTINCT r ->> 'Relation Name', ', ') FROM jsonb_path_query(plan, '$.** ? (@."Node Type" like_regex "Scan")') r
             WHERE r ? 'Relation Name');
END $$;
PREPARE march AS SELECT count(*) FROM old WHERE d >= '2024-03-05' AND d < '2024-03-08';
SELECT is(test.reads($$SELECT * FROM old WHERE d = '2024-01-05'$$), 'old_y2024m01', 'old data only: the base is not in the plan');
SELECT is(test.scans($$UPDATE old SET v = 1 WHERE d = '2024-01-05'$$), 'old_y2024m01', 'nor in that of an UPDATE');
SELECT is(test.scans($$DELETE FROM old WHERE d = '2024-01-05'$$), 'old_y2024m01', 'or a DELETE');
SELECT is(test.reads($$SELECT * FROM old WHERE d = '2024-01-05' FOR UPDATE$$), 'old_y2024m01', 'or with row locks');
SELECT is(test.reads($$SELECT * FROM old WHERE d = '2024-01-05' OR d IS NULL$$), 'old, old_y2024m01', 'rows without a date may be in the base');
SELECT is(test.reads($$SELECT * FROM old WHERE d BETWEEN '2024-02-28' AND '2024-03-01'$$), 'old, old_y2024m02', 'the base is read for what is not archived');
SELECT is(test.one($$UPDATE old SET d = '2024-04-01', v = 1 WHERE d = '2024-01-05' RETURNING tableoid::regclass || ' ' || id$$), 'old 4', 'a row comes back into a base that the plan does not read');
SELECT is(test.one('EXECUTE march') || test.old_rows(), '33', 'plans that are kept');
CALL router.archive('old', cutoff => '2024-04-01');
SELECT is(test.one('EXECUTE march') || test.old_rows(), '33', 'when what they ask for is archived');
SELECT is(test.visits('EXECUTE march'), 'old_y2024m03', 'they do not look into the base any more');
SELECT router.restore('old_y2024m03') \g /dev/null
SELECT is(test.one('EXECUTE march') || test.old_rows(), '33', 'when it came back');
SELECT is(test.reads('EXECUTE march'), 'old', 'they read the base again');
-- core looks at what is put into generated and dropped columns
CREATE TABLE copy_of_old (id int, gone int, d date, twice int GENERATED ALWAYS AS (id * 2) STORED);
ALTER TABLE copy_of_old DROP COLUMN gone;
INSERT INTO copy_of_old SELECT id + 1000, d FROM old WHERE d > '2024-02-01' ORDER BY id;
INSERT INTO copy_of_old SELECT DISTINCT id % 10, max(d) FROM old GROUP BY 1;
SELECT is((SELECT count(*) || ' ' || sum(twice) FROM copy_of_old), '79 147006', 'INSERT … SELECT into generated columns');
INSERT INTO old SELECT id, d + 365, v FROM old WHERE d BETWEEN '2024-01-05' AND '2024-02-05';
SELECT is((SELECT count(*) FROM old WHERE d > '2025-01-01'), (SELECT count(*) FROM old WHERE d BETWEEN '2024-01-05' AND '2024-02-05'), 'and from a routed table into itself');
DELETE FROM old WHERE d > '2025-01-01';
-- a transaction that keeps its snapshot, and a cursor that has an older one than the plan
BEGIN ISOLATION LEVEL REPEATABLE READ;
SELECT is(test.one('EXECUTE march'), '3', 'before archiving');
SELECT router.archive_now('old', cutoff => '2024-04-01') \g /dev/null
SELECT is(test.one('EXECUTE march'), '3', 'after it, in the same snapshot');
ROLLBACK;
BEGIN;
DECLARE c CURSOR FOR SELECT test.old_rows() FROM generate_series(1, 3);
FETCH 1 FROM c \g /dev/null
SELECT router.archive_now('old', cutoff => '2024-04-01') \g /dev/null
SELECT is(test.old_rows(), 3::bigint, 'a function after archiving');
SELECT is(test.one('FETCH 1 FROM c'), '3', 'a cursor from before it calls the function');
DISCARD PLANS;
SELECT is(test.old_rows(), 3::bigint, 'a plan that is made anew after archiving');
SELECT is(test.outcome('FETCH 1 FROM c'), '40001: the plan of this statement does not read rows that came into "old" meanwhile',
          'a cursor that calls it does not miss what it does not see archived');
ROLLBACK;

-- ----------------------------------------- what inherits and is no child; heirs of several
CREATE TABLE heir () INHERITS (d_y2024m01, d);
INSERT INTO heir VALUES (50, '2024-01-20');
CREATE TABLE stray () INHERITS (d);
INSERT INTO stray VALUES (51, '2024-02-20');
CREATE TABLE strays_heir () INHERITS (stray, d);
INSERT INTO strays_heir VALUES (52, '2024-02-20');
SELECT is(test.answer($$SELECT id FROM d WHERE d BETWEEN '2024-01-01' AND '2024-02-28'$$), '(1) (2) (50) (51) (52)', 'each row once');
SELECT is(test.answer($$SELECT id FROM d WHERE d = '2024-05-15'$$), '(5)', 'strays are read, with no row');

-- ------------------------------------------------------------------ EXPLAIN VERBOSE
CREATE FUNCTION test.explains(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    line text;
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (VERBOSE, ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) ' || query LOOP NULL; END LOOP;
    RETURN 'done';
EXCEPTION WHEN OTHERS THEN
    RETURN SQLERRM;
END $$;
SET plan_cache_mode = force_generic_plan;
PREPARE e1(int) AS SELECT *, tableoid, ctid, two FROM two WHERE r = $1;
PREPARE e2(int) AS SELECT r, count(*) FROM two LEFT JOIN small s ON s.k = r FULL JOIN two b USING (r) WHERE r = $1 GROUP BY r;
PREPARE e3(int) AS UPDATE two SET id = id WHERE r = $1 RETURNING *;
PREPARE e4(int) AS SELECT * FROM two WHERE r = $1 ORDER BY d, id LIMIT 2;
PREPARE e5(int) AS SELECT * FROM two WHERE r = $1 FOR UPDATE;
PREPARE e6(int) AS SELECT (SELECT max(id) FROM two i WHERE i.r = o.r AND i.r = $1) FROM two o, LATERAL (SELECT * FROM two z WHERE z.r = o.r LIMIT 1) l;
SELECT is((SELECT string_agg(test.explains(format('EXECUTE e%s(1)', i)), ' ') FROM generate_series(1, 6) i), 'done done done done done done', 'EXPLAIN VERBOSE of plans that prune when they run');
RESET plan_cache_mode;

-- --------------------------------------------- a session that has not loaded the library
:fresh
SELECT is(test.rows($$SELECT id FROM d WHERE d BETWEEN '2024-01-01' AND '2024-02-28'$$) || test.rows($$SELECT id FROM p WHERE c = 'foobar'$$)
          || test.rows($$SELECT id FROM two WHERE (r = 1 AND d < '2021-01-01') OR (r = 3 AND d > '2022-01-01')$$) || test.rows($$SELECT id FROM hot WHERE d < '2002-01-01'$$),
          '(1) (2) (50) (51) (52)(1)(1) (23)(1999) (2001)', 'the same answers');
SELECT * FROM finish();
