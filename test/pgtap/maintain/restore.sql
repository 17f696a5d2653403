-- The ways back from an archive: router.restore, an UPDATE that makes a row current, router.end_hot.
\ir ../../include/helpers.sql
\set tests 41
SELECT plan(:tests);

CREATE FUNCTION test.watermark(base regclass) RETURNS text LANGUAGE sql AS $$
    SELECT coalesce(hot::text, 'not hot') || ', ' || coalesce(watermark, 'none') || coalesce(' to ' || pending, '') FROM router.routes r WHERE r.base = $1
$$;
CREATE TABLE fired (what text);
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO fired VALUES (TG_OP); RETURN NULL; END $$;

-- -------------------------------------------------------------------------- restore
CREATE TABLE plain (d date);
SELECT throws_ok($$SELECT router.restore('plain')$$, '55000', NULL, 'a table that is no child');
SELECT throws_ok($$SELECT router.restore(NULL)$$, '22004', NULL, 'no table');
SELECT throws_ok($$SELECT router.end_hot('plain')$$, '55000', NULL, 'end_hot of an ordinary table');
CREATE TABLE cold (d date);
SELECT router.create_route('cold', router.by_date('d', 'year')) \g /dev/null
INSERT INTO cold VALUES ('2024-01-01');
SELECT throws_ok($$SELECT router.restore('cold_y2024')$$, '55000', NULL, 'a route that is not hot');
SELECT is_empty($$SELECT router.end_hot('cold')$$, 'end_hot of a route that is not hot: nothing to do');

CREATE TABLE w (id int, d date, v int, PRIMARY KEY (id, d));
SELECT router.create_route('w', router.by_date('d', 'month'), hot => '10000 days', horizon => '1000 years') \g /dev/null
SELECT router.add_global_key('w', '{id}') \g /dev/null
CREATE TRIGGER tell AFTER INSERT OR UPDATE OR DELETE ON w FOR EACH ROW EXECUTE FUNCTION tell();
INSERT INTO w SELECT i, '2024-01-01'::date + i, 0 FROM generate_series(0, 120) i;
CALL router.archive('w', cutoff => '2024-04-10');
SELECT is(test.homes('w'), 'w: 21, w_y2024m01: 31, w_y2024m02: 29, w_y2024m03: 31, w_y2024m04: 9', 'archived');
TRUNCATE fired;
SELECT throws_ok($$SELECT router.restore('w_y2024m03')$$, '55000', NULL, 'a child with a younger one');
SELECT is(test.hint($$SELECT router.restore('w_y2024m03')$$), 'Restore the youngest first, or say younger => true to bring them back as well.', 'the way out');
SELECT results_eq($$SELECT router.restore('w_y2024m04', dry_run => true)$$,
    $$VALUES ('would set the watermark of public.w back to 2024-04-01'), ('would move the rows of public.w_y2024m04 back into public.w')$$, 'dry_run');
SELECT is(test.homes('w') || test.watermark('w'), 'w: 21, w_y2024m01: 31, w_y2024m02: 29, w_y2024m03: 31, w_y2024m04: 910000 days, 2024-04-10', 'which changes nothing');
SELECT results_eq($$SELECT router.restore('w_y2024m04')$$,
    $$VALUES ('set the watermark of public.w back to 2024-04-01'), ('moved 9 rows of public.w_y2024m04 back into public.w')$$, 'the youngest child, half archived');
SELECT is(test.homes('w') || ' ' || test.watermark('w'), 'w: 30, w_y2024m01: 31, w_y2024m02: 29, w_y2024m03: 31 10000 days, 2024-04-01', 'its rows are current');
SELECT is_empty($$SELECT router.restore('w_y2024m04')$$, 'once more: nothing to do');
SELECT is_empty($$SELECT * FROM router.check('w')$$, 'router.check finds nothing');
SELECT is((SELECT count(*) FROM fired), 0::bigint, 'no trigger fired');
SELECT is((SELECT array_agg(missing + orphans + duplicates) FROM router.check_global_key('w')), '{0}', 'entries of the global key stayed');
INSERT INTO w VALUES (1000, '2024-04-02', 0), (1001, '2024-03-31', 0);
SELECT is((SELECT string_agg(tableoid::regclass::text, ' ' ORDER BY id) FROM w WHERE id >= 1000), 'w w_y2024m03', 'new rows know the watermark');
SELECT is((SELECT string_agg(line, '; ') FROM router.restore('w_y2024m02', younger => true) line),
    'set the watermark of public.w back to 2024-02-01; moved 29 rows of public.w_y2024m02 back into public.w; moved 32 rows of public.w_y2024m03 back into public.w', 'a child with the younger ones');
SELECT is(test.homes('w') || ' ' || test.watermark('w'), 'w: 92, w_y2024m01: 31 10000 days, 2024-02-01', 'all of them are current');
CALL router.archive('w', cutoff => '2024-03-01');
SELECT is(test.homes('w') || ' ' || test.watermark('w'), 'w: 63, w_y2024m01: 31, w_y2024m02: 29 10000 days, 2024-03-01', 'and archived again: a mistaken cutoff is taken back');
BEGIN;
SELECT router.restore('w_y2024m02') \g /dev/null
INSERT INTO w VALUES (2000, '2024-02-02', 0);
SELECT is(test.homes('w'), 'w: 93, w_y2024m01: 31', 'in a transaction');
ROLLBACK;
SELECT is(test.homes('w') || ' ' || test.watermark('w'), 'w: 63, w_y2024m01: 31, w_y2024m02: 29 10000 days, 2024-03-01', 'rolled back');
-- rows that the base cannot take
INSERT INTO w VALUES (3000, '2024-02-02', 0);
ALTER TABLE w_y2024m02 DISABLE TRIGGER ALL;
SELECT is(test.outcome($$ALTER TABLE ONLY w ADD CONSTRAINT odd CHECK (id <> 3000) NO INHERIT$$), 'done', 'a CHECK of the base alone');
SELECT throws_ok($$SELECT router.restore('w_y2024m02')$$, '23514', NULL, 'a row that the base does not take');
ALTER TABLE w DROP CONSTRAINT odd;
SELECT is(test.homes('w') || ' ' || test.watermark('w'), 'w: 63, w_y2024m01: 31, w_y2024m02: 30 10000 days, 2024-03-01', 'changes nothing');
ALTER TABLE w_y2024m02 ENABLE TRIGGER ALL;

-- an archived row that becomes current comes back by itself
TRUNCATE fired;
UPDATE w SET d = '2024-06-01' WHERE id = 5;
SELECT is((SELECT tableoid::regclass::text FROM w WHERE id = 5), 'w', 'UPDATE of the date brings a row back');
UPDATE ONLY w_y2024m01 SET d = '2024-06-02' WHERE id = 6;
SELECT is((SELECT tableoid::regclass::text FROM w WHERE id = 6), 'w', 'through the child as well');
UPDATE w SET d = '2024-01-09' WHERE id = 5;
SELECT is((SELECT tableoid::regclass::text FROM w WHERE id = 5), 'w_y2024m01', 'and away again');

-- several keys, a default child, a child with other columns' order
CREATE TABLE k (id int, r int, d date);
SELECT router.create_route('k', ARRAY[router.by_list('r'), router.by_date('d', 'year')], hot => '10000 days', horizon => '1000 years', on_reject => 'default', default_child => true) \g /dev/null
CREATE TABLE odd (d date, r int, gone int, id int);
ALTER TABLE odd DROP COLUMN gone;
SELECT router.attach_child('k', 'odd', '{"{1}","[2024-01-01,2025-01-01)"}') \g /dev/null
INSERT INTO k SELECT i, i % 3, '2024-01-01'::date + i FROM generate_series(0, 299) i;
CALL router.archive('k', cutoff => '2024-12-31');
INSERT INTO k_default VALUES (999, 7, '2024-07-07'), (998, 7, NULL);
SELECT is(test.homes('k'), 'k_0_y2024: 100, k_2_y2024: 100, k_default: 2, odd: 100', 'archived by two keys');
SELECT throws_ok($$SELECT router.restore('odd')$$, '55000', NULL, 'siblings of the same year');
SELECT throws_ok($$SELECT router.restore('k_default')$$, '55000', NULL, 'the default child');
SELECT router.restore('odd', younger => true) \g /dev/null
SELECT is(test.homes('k') || ' ' || (SELECT sum(id) || ' ' || count(r) || ' ' || count(d) FROM k), 'k: 301, k_default: 1 46847 302 301', 'all are back, the stray of the default child as well');
CREATE FOREIGN DATA WRAPPER nothing;
CREATE SERVER nowhere FOREIGN DATA WRAPPER nothing;
CREATE FOREIGN TABLE far (id int, r int, d date) SERVER nowhere;
SELECT router.attach_child('k', 'far', '{"{5}","[2023-01-01,2024-01-01)"}') \g /dev/null
SELECT throws_ok($$SELECT router.restore('far')$$, '0A000', NULL, 'a foreign child');

-- -------------------------------------------------------------------------- end_hot
SELECT is((SELECT string_agg(line, '; ') FROM router.end_hot('w', dry_run => true) line), 'would end the hot window of public.w; would move the rows of public.w into children', 'dry_run');
SELECT is(test.watermark('w'), '10000 days, 2024-03-01', 'which changes nothing');
INSERT INTO w VALUES (4000, '2999-01-01', 0);
TRUNCATE fired;
SELECT is((SELECT string_agg(line, '; ') FROM router.end_hot('w') line), 'end the hot window of public.w; move the rows of public.w into children; moved 65 rows', 'end_hot');
SELECT is(test.watermark('w') || ' ' || test.strays('w'), 'not hot, none none', 'all rows are in children');
SELECT is((SELECT count(*) FROM router.check('w')) + (SELECT count(*) FROM fired), 0::bigint, 'router.check finds nothing, no trigger fired');
INSERT INTO w VALUES (5000, current_date, 0);
SELECT is((SELECT count(*) FROM ONLY w), 0::bigint, 'and new rows go there');
CALL router.archive();
SELECT isnt_empty($$SELECT router.alter_route('w', hot => '100 days')$$, 'it can become hot again');
INSERT INTO w VALUES (6000, '3500-01-01', 0);
SELECT is((SELECT tableoid::regclass::text FROM w WHERE id = 6000), 'w', 'with rows in the base');

SELECT * FROM finish();
