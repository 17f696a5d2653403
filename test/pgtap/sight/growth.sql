-- Snapshots of sizes that router.maintain takes: what is in them, growth and last write by them, how many are kept, who may see them.
\ir ../../include/helpers.sql
\set tests 43
SELECT plan(:tests);

SELECT test.role('router_gr_owner'), test.role('router_gr_monitor'), test.role('router_gr_stranger') \g /dev/null
GRANT pg_monitor TO router_gr_monitor;
CREATE SCHEMA app AUTHORIZATION router_gr_owner;
GRANT USAGE ON SCHEMA app TO PUBLIC;
SET ROLE router_gr_owner;
CREATE TABLE app.consumption (id int, residence_id int, v float8) WITH (autovacuum_enabled = off);
SELECT router.create_route('app.consumption', router.by_list('residence_id')) \g /dev/null
INSERT INTO app.consumption SELECT i, i % 3, i FROM generate_series(1, 3000) i;
ANALYZE app.consumption;
RESET ROLE;

-- Makes all snapshots of a table older, as if time had passed.
CREATE FUNCTION test.later(base regclass, by interval) RETURNS void LANGUAGE sql AS $$
    UPDATE router.size_def s SET at = at - by, written = written - by WHERE s.base = later.base
$$;
-- What is written since goes into the counters.
\set counted 'SELECT pg_stat_force_next_flush() \\g /dev/null \\\\ SELECT 1 \\g /dev/null'
CREATE FUNCTION test.kept(base regclass) RETURNS bigint LANGUAGE sql AS $$ SELECT count(*) FROM router.size_def s WHERE s.base = kept.base $$;

:counted
SELECT is(test.kept('app.consumption'), 0::bigint, 'no snapshot');
SELECT is((SELECT num_nonnulls(last_write, rows_a_day, bytes_a_day) FROM router.statistics('app.consumption') LIMIT 1), 0, 'without one nothing is known of growth and writes');
CALL router.maintain('app.consumption', dry_run => true);
SELECT is(test.kept('app.consumption'), 0::bigint, 'a dry run takes none');
SET ROLE router_gr_owner;
CALL router.maintain('app.consumption');
RESET ROLE;
SELECT results_eq($$SELECT child::text, rows, bytes = coalesce(pg_total_relation_size(child), (SELECT sum(bytes) FROM router.children)), inserted, last_write FROM router.growth ORDER BY child$$,
    $$VALUES ('app.consumption', 0::bigint, true, NULL::bigint, NULL::timestamptz), ('app.consumption_0', 1000, true, NULL, NULL), ('app.consumption_1', 1000, true, NULL, NULL), ('app.consumption_2', 1000, true, NULL, NULL),
      (NULL, 3000, true, NULL, NULL)$$, 'the first: a row for the base, for each child, and for all');
SELECT is((SELECT string_agg(action, ' ') FROM router.events), 'analyze maintain', 'a snapshot is no event');
CALL router.maintain('app.consumption');
SELECT is(test.kept('app.consumption'), 5::bigint, 'a second one on the same day: none');

-- the next day, with writes to one child
SELECT test.later('app.consumption', '1 day') \g /dev/null
INSERT INTO app.consumption SELECT i, 1, i FROM generate_series(1, 500) i;
UPDATE app.consumption SET v = 0 WHERE residence_id = 1 AND id <= 100;
DELETE FROM app.consumption WHERE residence_id = 1 AND id > 2900;
:counted
SELECT is((SELECT array_agg(last_write = now() ORDER BY child::text) FROM router.statistics('app.consumption')), '{NULL,t,NULL}', 'writes since the last snapshot are seen at once');
ANALYZE app.consumption_1;
CALL router.maintain('app.consumption');
SELECT results_eq($$SELECT child::text, rows, inserted, updated, deleted, last_write = at FROM router.growth WHERE at > now() - interval '1 hour' ORDER BY child$$,
    $$VALUES ('app.consumption_1', 1467::bigint, 500::bigint, (SELECT count(*) FROM app.consumption WHERE residence_id = 1 AND id <= 100), 33::bigint, true),
             (NULL, 3467, 500, (SELECT count(*) FROM app.consumption WHERE residence_id = 1 AND id <= 100), 33, true)$$, 'the next one: only what changed, and all');
SELECT results_eq($$SELECT child::text, rows_a_day, bytes_a_day > 0, last_write > now() - interval '1 hour' FROM router.statistics('app.consumption')$$,
    $$VALUES ('app.consumption_0', 0.0, false, NULL), ('app.consumption_1', 467.0, true, true), ('app.consumption_2', 0.0, false, NULL)$$, 'growth a day');
SELECT test.later('app.consumption', '1 day') \g /dev/null
SELECT is((SELECT rows_a_day FROM router.statistics('app.consumption') WHERE members = '{1}'), 233.5, 'over two days it is half of that');
SELECT is((SELECT now() - last_write BETWEEN interval '23 hours' AND interval '25 hours' FROM router.statistics('app.consumption') WHERE members = '{1}'), true, 'the last write was by the snapshot of a day ago');
SELECT test.later('app.consumption', '58 days') \g /dev/null
SELECT is((SELECT rows_a_day FROM router.statistics('app.consumption') WHERE members = '{1}'), 0.0, 'what was more than 30 days ago is no growth of now');
CALL router.maintain('app.consumption');
SELECT is((SELECT count(*) FROM router.size_def WHERE at > now() - interval '1 hour'), 1::bigint, 'where nothing was written there is one row a day');

-- counters that begin anew, children that come and go
SELECT test.later('app.consumption', '1 day') \g /dev/null
SELECT pg_stat_reset_single_table_counters('app.consumption_1'::regclass) \g /dev/null
INSERT INTO app.consumption VALUES (1, 1, 1), (2, 9, 2), (3, 9, 3);
:counted
CALL router.maintain('app.consumption');
SELECT is((SELECT inserted FROM router.growth WHERE child IS NULL ORDER BY at DESC LIMIT 1), 3::bigint, 'rows inserted since, though counters of a child began anew and another child came');
SELECT is((SELECT last_write > now() - interval '1 hour' FROM router.statistics('app.consumption') WHERE members = '{9}'), true, 'a new child was written to');
SELECT test.later('app.consumption', '1 day') \g /dev/null
DROP TABLE app.consumption_0;
SELECT is((SELECT count(*) FROM router.size_def s WHERE NOT EXISTS (SELECT FROM pg_class WHERE oid = s.relation) AND relation <> 0), 0::bigint, 'snapshots of a child that is dropped go');
INSERT INTO app.consumption VALUES (1, 1, 1);
:counted
CALL router.maintain('app.consumption');
SELECT is((SELECT inserted FROM router.growth WHERE child IS NULL ORDER BY at DESC LIMIT 1), 1::bigint, 'what others have counted does not go with it');
SELECT router.detach_child('app.consumption_2') \g /dev/null
SELECT is((SELECT count(*) FROM router.size_def WHERE relation = 'app.consumption_2'::regclass), 0::bigint, 'nor one that leaves');
SELECT is(test.outcome('SELECT pg_stat_reset()'), 'done', 'all counters begin anew');
SELECT lives_ok('SELECT * FROM router.statistics(''app.consumption'')', 'statistics live with it');

-- ------------------------------------------------------------------ how many are kept
-- a row each day for so many days, for a table and for all
CREATE FUNCTION test.fill(base regclass, relations oid[], days int) RETURNS void LANGUAGE sql AS $$
    DELETE FROM router.size_def s WHERE s.base = fill.base;
    INSERT INTO router.size_def SELECT fill.base, r, now() - d * interval '1 day', d, d, d, 0, 0, NULL FROM unnest(relations) r, generate_series(1, days) d
$$;
SELECT test.fill('app.consumption', ARRAY['app.consumption_1'::regclass, 0], 5000) \g /dev/null
SELECT is(test.kept('app.consumption'), 10000::bigint, '5000 days');
CALL router.maintain('app.consumption');
SELECT is((SELECT count(*) FROM router.size_def WHERE relation <> 0 AND at > now() - interval '90 days'), 92::bigint, '90 days of a table, with those that are new');
SELECT cmp_ok((SELECT count(*) FROM router.size_def WHERE relation = 'app.consumption_1'::regclass AND at < now() - interval '90 days'), '<=', 23::bigint, 'before that one in 30 days');
SELECT cmp_ok((SELECT min(at) FROM router.size_def WHERE relation = 'app.consumption_1'::regclass), '>', now() - interval '730 days', 'of two years');
SELECT cmp_ok((SELECT count(*) FROM router.size_def WHERE relation = 0), '<=', 91 + 119::bigint, 'of all tables one in 30 days');
SELECT is((SELECT min(at) BETWEEN now() - interval '3650 days' AND now() - interval '3600 days' FROM router.size_def WHERE relation = 0), true, 'of ten years');
SELECT is((SELECT count(*) FROM (SELECT at - lag(at) OVER (ORDER BY at) AS gap FROM router.size_def WHERE relation = 0) g WHERE gap > interval '61 days'), 0::bigint, 'without a gap');
SELECT test.kept('app.consumption') AS kept \gset
SELECT test.later('app.consumption', '23.5 hours') \g /dev/null
CALL router.maintain('app.consumption');
SELECT cmp_ok(test.kept('app.consumption'), '<=', :kept + 1::bigint, 'and so on each day');
SELECT test.later('app.consumption', '20 years') \g /dev/null
CALL router.maintain('app.consumption');
SELECT is((SELECT string_agg(DISTINCT n::text, ' ') FROM (SELECT count(*) AS n FROM router.size_def GROUP BY relation) x), '1', 'the last row of a table is kept, however old: what the next is measured by');

-- more children than are kept one by one
CREATE TABLE app.many (id int, k int);
SELECT router.create_route('app.many', router.by_integer('k', 1), max_new_children => 2000) \g /dev/null
INSERT INTO app.many SELECT i, i FROM generate_series(1, 1001) i;
CALL router.maintain('app.many');
SELECT is(test.kept('app.many'), 1003::bigint, '1001 children: a row each');
SELECT test.later('app.many', '1 day') \g /dev/null
INSERT INTO app.many SELECT i, i FROM generate_series(1, 1001) i;
:counted
CALL router.maintain('app.many');
SELECT is(test.kept('app.many'), 1004::bigint, 'a day later a row each still, and one more of all');
SELECT is((SELECT inserted FROM router.growth WHERE base = 'app.many'::regclass AND child IS NULL ORDER BY at DESC LIMIT 1) >= 1001, true, 'which has what was inserted');

-- ------------------------------------------------------------------ who
SELECT is((SELECT string_agg(format('%s %s %s', r, p, test.attempt_as), '; ') FROM unnest('{router_gr_monitor,router_gr_stranger}'::name[]) r, unnest('{SELECT,INSERT,UPDATE,DELETE}'::text[]) p, has_table_privilege(r, 'router.size_def', p) AS test(attempt_as) WHERE (p = 'SELECT') <> test.attempt_as), NULL, 'all may read snapshots, none but router writes them');
SET ROLE router_gr_monitor;
SELECT is((SELECT count(*) > 10 FROM router.growth), true, 'a monitoring role sees growth');
SELECT throws_ok('DELETE FROM router.growth', '55000', NULL, 'and deletes nothing');
RESET ROLE;
SELECT is((SELECT count(*) FROM pg_extension, unnest(extconfig) c WHERE extname = 'router' AND c = 'router.size_def'::regclass), 0::bigint, 'snapshots are not dumped');
SET ROLE router_gr_owner;
SELECT lives_ok($$SELECT router.drop_route('app.consumption')$$, 'a route that ends');
RESET ROLE;
SELECT is(test.kept('app.consumption'), 0::bigint, 'has no snapshots left');
DROP TABLE app.many CASCADE;
SELECT is((SELECT count(*) FROM router.size_def), 0::bigint, 'nor has a table that is dropped');

-- ------------------------------------------------------------------ what fails
CREATE TABLE app.locked (id int, k int);
SELECT router.create_route('app.locked', router.by_list('k')) \g /dev/null
INSERT INTO app.locked VALUES (1, 1);
BEGIN;
CALL router.maintain('app.locked');
SELECT is(test.kept('app.locked'), 3::bigint, 'in a transaction block');
ROLLBACK;
SELECT is(test.kept('app.locked'), 0::bigint, 'it goes with the transaction');
CREATE TEMP TABLE passing (id int, k int);
SELECT router.create_route('passing', router.by_list('k')) \g /dev/null
CALL router.maintain('passing');
SELECT is(test.kept('passing'), 0::bigint, 'temporary tables have no snapshots');
REVOKE SELECT ON router.size_def FROM PUBLIC;
ALTER TABLE app.locked OWNER TO router_gr_owner;
SET ROLE router_gr_owner;
SELECT test.outcome('CALL router.maintain(''app.locked'')') \g /dev/null
RESET ROLE;
GRANT SELECT ON router.size_def TO PUBLIC;
SELECT is(test.kept('app.locked'), 0::bigint, 'who may not read them takes none');
SELECT * FROM finish();
