-- create_route, alter_route, drop_route, create_child, premake, dry_run, the views: checklist A17, A19, D4.
\ir ../../include/helpers.sql
\set tests 114
SELECT plan(:tests);

-- Everything router has done to this database, as text: dry_run must not change it.
CREATE FUNCTION test.state() RETURNS text LANGUAGE sql AS $$
    SELECT md5(coalesce((SELECT string_agg(r::text, ',' ORDER BY r::text) FROM router.route_def r), '') ||
               coalesce((SELECT string_agg(k::text, ',' ORDER BY k::text) FROM router.key_def k), '') ||
               coalesce((SELECT string_agg(c::text, ',' ORDER BY c::text) FROM router.child_def c), '') ||
               (SELECT string_agg(row(oid, relname, relnatts, relchecks, relhastriggers, relhassubclass)::text, ',' ORDER BY oid) FROM pg_class WHERE relpersistence <> 't') ||
               (SELECT string_agg(oid::text, ',' ORDER BY oid) FROM pg_trigger) ||
               (SELECT coalesce(string_agg(i::text, ',' ORDER BY i::text), '') FROM pg_inherits i))
$$;

-- --------------------------------------------------------- set-up, A17
CREATE TABLE t (id int, d date, v text, n numeric, ts timestamptz, PRIMARY KEY (id, d));
SELECT test.state() AS state \gset
SELECT isnt_empty($$SELECT router.create_route('t', router.by_date('d', 'month'), default_child => true, dry_run => true)$$, 'create_route, dry_run: tells what it would do');
SELECT is(test.state(), :'state', 'create_route, dry_run: does nothing');
SELECT isnt_empty($$SELECT router.create_route('t', router.by_date('d', 'month'))$$, 'create_route tells what it did');
SELECT is((SELECT string_agg(row(base, keys, time_zone, template, on_missing, on_reject, horizon, max_new_children, children)::text, '') FROM router.routes WHERE base = 't'::regclass),
          '(t,"{""date(d, month)""}",' || current_setting('TimeZone') || ',,create,error,"100 years",1000,0)', 'router.routes shows it with its defaults');
SELECT is((SELECT string_agg(tgname || ' ' || tgenabled::text, ', ' ORDER BY tgname COLLATE "C") FROM pg_trigger WHERE tgrelid = 't'::regclass AND NOT tgisinternal), '!router_flush A, ~router_move A, ~router_route A, ~router_settle A', 'four triggers, ENABLE ALWAYS');
SELECT test.state() AS state \gset
SELECT is((SELECT count(*) FROM router.create_route('t', router.by_date('d', 'month')) line WHERE line ~* '^create'), 0::bigint, 'A17: create_route again, same keys: nothing to create');
SELECT is(test.state(), :'state', 'A17: and nothing changes');
SELECT router.create_route('t', router.by_date('d', 'year')) \g /dev/null
SELECT is((SELECT keys::text FROM router.routes WHERE base = 't'::regclass), '{"date(d, year)"}', 'A17: other keys are applied while there is no child');
INSERT INTO t VALUES (1, '2024-01-01');
SELECT throws_ok($$SELECT router.create_route('t', router.by_date('d', 'month'))$$, '55000', NULL, 'A17: and refused with a reason when there is');
SELECT isnt(test.hint($$SELECT router.create_route('t', router.by_date('d', 'month'))$$), NULL, 'A17: and a hint');
SELECT is(test.homes('t'), 't_y2024: 1', 'A17: nothing changed by that');
SELECT lives_ok($$SELECT router.create_route('t', router.by_date('d', 'year'))$$, 'A17: the same keys again are fine with children');
SELECT router.create_route('t', router.by_date('d', 'year'), horizon => '50 years', max_new_children => 7) \g /dev/null
SELECT is((SELECT row(horizon, max_new_children, on_missing)::text FROM router.routes WHERE base = 't'::regclass), '("50 years",7,create)', 'A17: other settings are applied, what is not named stays');

-- ------------------------------------------------------------ validation: A19
CREATE TABLE bad (id int, big bigint, d date, ts timestamptz, v text, j json, p point, arr int[], gen int GENERATED ALWAYS AS (id + 1) STORED);
SELECT throws_ok($$SELECT router.create_route('bad', router.by_integer('id', 0))$$, '22023', NULL, 'A19: integer every 0');
SELECT throws_ok($$SELECT router.create_route('bad', router.by_integer('id', -5))$$, '22023', NULL, 'A19: integer every -5');
SELECT throws_ok($$SELECT router.create_route('bad', router.by_prefix('v', 0))$$, '22023', NULL, 'A19: a prefix of 0');
SELECT throws_ok($$SELECT router.create_route('bad', router.by_prefix('v', -5))$$, '22023', NULL, 'A19: a prefix of -5');
SELECT throws_ok($$SELECT router.create_route('bad', router.by_suffix('v', NULL))$$, '22023', NULL, 'A19: a suffix of NULL');
SELECT throws_ok($$SELECT router.create_route('bad', router.by_hash('id', 0))$$, '22023', NULL, 'A19: hash into 0');
SELECT throws_ok($$SELECT router.create_route('bad', router.by_hash('id', -1))$$, '22023', NULL, 'A19: hash into -1');
SELECT throws_ok($$SELECT router.create_route('bad', router.by_hash('id', NULL))$$, '22023', NULL, 'A19: hash into NULL');
SELECT throws_ok(format($$SELECT router.create_route('bad', router.by_date('ts', %L))$$, every), '22023', NULL, 'A19: date every ' || every)
  FROM unnest('{fortnight,5 days,0,-1 month,7 months,1 month 1 day,7 minutes,5 hours,90 minutes,1 second,"",month; DROP TABLE t}'::text[]) every;
SELECT throws_ok($$SELECT router.create_route('bad', router.by_date('d', 'hour'))$$, '22023', NULL, 'A19: hours of a date');
SELECT matches(test.hint($$SELECT router.create_route('bad', router.by_date('d', 'fortnight'))$$), 'week.*month', 'A19: the hint lists what is allowed');
SELECT isnt(test.hint($$SELECT router.create_route('bad', router.by_integer('id', 0))$$), NULL, 'A19: a hint for integers, too');
SELECT throws_ok($$SELECT router.create_route('bad', router.by_date('missing', 'month'))$$, '42703', NULL, 'A19: a column there is not');
SELECT throws_ok($$SELECT router.create_route('bad', router.by_date(NULL, 'month'))$$, '22004', NULL, 'A19: no column at all');
SELECT throws_ok($$SELECT router.create_route('bad', router.by_list('ctid'))$$, NULL, NULL, 'A19: a system column');
SELECT throws_ok($$SELECT router.create_route('bad', router.by_list('gen'))$$, NULL, NULL, 'A19: a generated column, whose value is not known in time');
SELECT throws_ok($$SELECT router.create_route('bad', router.by_date('id', 'month'))$$, '42804', NULL, 'A19: date on an integer');
SELECT throws_ok($$SELECT router.create_route('bad', router.by_integer('v', 10))$$, '42804', NULL, 'A19: integer on a text');
SELECT throws_ok($$SELECT router.create_route('bad', router.by_prefix('id', 5))$$, '42804', NULL, 'A19: prefix on an integer');
SELECT throws_ok($$SELECT router.create_route('bad', router.by_list('j'))$$, '42804', NULL, 'A19: list on a type without equality');
SELECT throws_ok($$SELECT router.create_route('bad', router.by_hash('p', 3))$$, '42804', NULL, 'A19: hash on a type without a hash');
SELECT throws_ok($$SELECT router.create_route('bad', router.by_date('d', 'month', pivot => 'soon'))$$, NULL, NULL, 'A19: a pivot that is no date');
SELECT throws_ok($$SELECT router.create_route('bad', router.by_list('id', ARRAY['{1,2}', '{2,3}']))$$, '22023', NULL, 'A19: groups that overlap');
SELECT throws_ok($$SELECT router.create_route('bad', router.by_list('id', ARRAY['{}']))$$, '22023', NULL, 'A19: an empty group');
SELECT throws_ok($$SELECT router.create_route('bad', router.by_list('id', ARRAY['{x}']))$$, '22P02', NULL, 'A19: a group with a value of another type');
SELECT throws_ok($$SELECT router.create_route('bad', ARRAY[]::router.key[])$$, '22023', NULL, 'A19: no keys');
SELECT throws_ok($$SELECT router.create_route('bad', NULL::router.key)$$, '22004', NULL, 'A19: a key that is NULL');
SELECT throws_ok($$SELECT router.create_route('bad', array_fill(router.by_list('id'), ARRAY[50]))$$, NULL, NULL, 'A19: fifty levels');
SELECT throws_ok($$SELECT router.create_route('bad', ROW('magic', 'id', NULL, NULL, NULL, NULL, NULL, NULL)::router.key)$$, '22023', NULL, 'A19: a kind there is not');
SELECT throws_ok($$SELECT router.create_route('bad', router.by_date('ts', 'day'), time_zone => 'Mars/Olympus')$$, '22023', NULL, 'A19: a time zone there is not');
SELECT throws_ok($$SELECT router.create_route('bad', router.by_date('d', 'month'), on_missing => 'perhaps')$$, '22023', NULL, 'A19: on_missing there is not');
SELECT throws_ok($$SELECT router.create_route(NULL::regclass, router.by_date('d', 'month'))$$, NULL, NULL, 'A19: no table');
SELECT throws_ok($$SELECT router.create_route('no_such_table', router.by_date('d', 'month'))$$, '42P01', NULL, 'A19: a table there is not');
SELECT is((SELECT count(*) FROM router.routes WHERE base = 'bad'::regclass) + (SELECT count(*) FROM pg_trigger WHERE tgrelid = 'bad'::regclass) + (SELECT count(*) FROM router.key_def WHERE base = 'bad'::regclass), 0::bigint, 'A19: and nothing of all this stays');
-- tables that cannot be routed
CREATE TABLE part (k int) PARTITION BY LIST (k);
CREATE VIEW a_view AS SELECT 1 AS k;
CREATE MATERIALIZED VIEW a_matview AS SELECT 1 AS k;
CREATE SEQUENCE a_sequence;
CREATE TABLE p1 PARTITION OF part FOR VALUES IN (1);
SELECT throws_ok(format($$SELECT router.create_route(%L, router.by_list('k'))$$, x), '42809', NULL, 'cannot be routed: ' || x) FROM unnest('{part,a_view,a_matview,a_sequence}'::text[]) x;
SELECT isnt(test.outcome($$SELECT router.create_route('p1', router.by_list('k'))$$), 'done', 'nor a partition');
SELECT isnt(test.outcome($$SELECT router.create_route('t_y2024', router.by_list('id'))$$), 'done', 'nor a routed child');
SELECT isnt(test.outcome($$SELECT router.create_route('pg_catalog.pg_am', router.by_list('oid'))$$), 'done', 'nor a catalog');

-- ------------------------------------------------------- a table with rows
CREATE TABLE full_t (id int PRIMARY KEY, k int);
INSERT INTO full_t SELECT i, i % 40 FROM generate_series(1, 200) i;
SELECT throws_ok($$SELECT router.create_route('full_t', router.by_integer('k', 10))$$, '55000', NULL, 'a table with rows');
SELECT matches(test.hint($$SELECT router.create_route('full_t', router.by_integer('k', 10))$$), 'move_rows', 'the hint names the way');
SELECT test.state() AS state \gset
SELECT isnt_empty($$SELECT router.create_route('full_t', router.by_integer('k', 10), move_rows => true, dry_run => true)$$, 'move_rows, dry_run');
SELECT is(test.state(), :'state', 'move_rows, dry_run: nothing happens');
SELECT router.create_route('full_t', router.by_integer('k', 10), move_rows => true) \g /dev/null
SELECT is(test.homes('full_t'), 'full_t_0: 5, full_t_11_20: 50, full_t_1_10: 50, full_t_21_30: 50, full_t_31_40: 45', 'move_rows moves them');
SELECT is(test.strays('full_t'), 'none', 'all home');
SELECT is((SELECT count(DISTINCT id) || '/' || sum(id) FROM full_t), '200/20100', 'none lost');
BEGIN;
CREATE TABLE same_tx (k int);
INSERT INTO same_tx VALUES (1), (11);
SELECT router.create_route('same_tx', router.by_integer('k', 10), move_rows => true) \g /dev/null
INSERT INTO same_tx VALUES (21);
SELECT is(test.homes('same_tx'), 'same_tx_11_20: 1, same_tx_1_10: 1, same_tx_21_30: 1', 'all in one transaction');
ROLLBACK;
SELECT is((SELECT count(*) FROM router.route_def r WHERE NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = r.base)), 0::bigint, 'rolled back: nothing stays');

-- --------------------------------------------------------------- create_child
CREATE TABLE c (r int, d date, v text);
SELECT router.create_route('c', ARRAY[router.by_list('r'), router.by_date('d', 'month')]) \g /dev/null
SELECT isnt_empty($$SELECT router.create_child('c', '7', '2024-05-05')$$, 'create_child: values');
SELECT is(test.children('c') || test.bounds('c_7_y2024m05'), 'c_7_y2024m05{"{7}","[2024-05-01,2024-06-01)"}', 'create_child: a value stands for the step that holds it');
SELECT isnt(test.outcome($$SELECT router.create_child('c', ARRAY['7', '2024-05-09'])$$) LIKE '22%' OR (SELECT count(*) FROM router.children WHERE base = 'c'::regclass) > 1, true, 'create_child: the same again makes no second one');
SELECT isnt(test.outcome($$SELECT router.create_child('c', ARRAY['7', '[2024-05-15,2024-07-01)'])$$), 'done', 'create_child: bounds that overlap');
SELECT throws_ok($$SELECT router.create_child('c', ARRAY['7', '[2024-08-01,2024-07-01)'])$$, '22023', NULL, 'create_child: a range the wrong way round');
SELECT throws_ok($$SELECT router.create_child('c', ARRAY['7'])$$, '22023', NULL, 'create_child: a bound is missing');
SELECT throws_ok($$SELECT router.create_child('c', ARRAY['7', '2024-01-01', '1'])$$, '22023', NULL, 'create_child: a bound too many');
SELECT isnt(test.outcome($$SELECT router.create_child('c', ARRAY['7', 'someday'])$$), 'done', 'create_child: no date');
SELECT throws_ok($$SELECT router.create_child('bad', ARRAY['7'])$$, NULL, NULL, 'create_child: a table without a route');
SELECT test.state() AS state \gset
SELECT isnt_empty($$SELECT router.create_child('c', ARRAY['8', '2024-05-05'], dry_run => true)$$, 'create_child, dry_run');
SELECT is(test.state(), :'state', 'create_child, dry_run: nothing happens');
SELECT router.create_child('c', ARRAY['{8,9}', '[2024-01-01,2025-01-01)'], 'a name of my own') \g /dev/null
:fresh
INSERT INTO c VALUES (9, '2024-12-31'), (8, '2024-01-01'), (8, '2025-01-01');
SELECT is(test.homes('c'), '"a name of my own": 2, c_8_9_y2025m01: 1', 'create_child: a group, a range, a name; the group goes on for other months');
SELECT throws_ok($$SELECT router.create_child('c', ARRAY['10', '2024-01-01'], 'bad')$$, '42P07', NULL, 'create_child: a name that is taken');

-- ------------------------------------------------------------------- premake
CREATE TABLE pm_d (d date);
CREATE TABLE pm_i (k int);
CREATE TABLE pm_l (k int);
CREATE TABLE pm_h (k int);
CREATE TABLE pm_two (r int, d date);
SELECT router.create_route('pm_d', router.by_date('d', 'month')) \g /dev/null
SELECT router.create_route('pm_i', router.by_integer('k', 10)) \g /dev/null
SELECT router.create_route('pm_l', router.by_list('k', ARRAY['{1,2}', '{3}'])) \g /dev/null
SELECT router.create_route('pm_h', router.by_hash('k', 4)) \g /dev/null
SELECT router.create_route('pm_two', ARRAY[router.by_list('r'), router.by_date('d', 'year')]) \g /dev/null
SELECT test.state() AS state \gset
SELECT isnt_empty($$SELECT router.premake('pm_d', 3, dry_run => true)$$, 'premake, dry_run');
SELECT is(test.state(), :'state', 'premake, dry_run: nothing happens');
SELECT router.premake('pm_d', 3) \g /dev/null
SELECT is(test.children('pm_d'), (SELECT string_agg('pm_d_' || to_char(date_trunc('month', now()) + m * interval '1 month', '"y"YYYY"m"MM'), ', ' ORDER BY m) FROM generate_series(0, 3) m), 'premake: this month and the three to come');
SELECT is((SELECT count(*) FROM router.premake('pm_d', 3) line WHERE line ~* '^create'), 0::bigint, 'premake again: nothing to do');
INSERT INTO pm_i VALUES (5);
SELECT router.premake('pm_i', 2) \g /dev/null
SELECT is(test.children('pm_i'), 'pm_i_11_20, pm_i_1_10, pm_i_21_30', 'premake: the next two of an integer key');
SELECT router.premake('pm_l') \g /dev/null
SELECT is(test.children('pm_l'), 'pm_l_1_2, pm_l_3', 'premake: all groups of a list');
SELECT router.premake('pm_h') \g /dev/null
SELECT is(test.children('pm_h'), 'pm_h_0, pm_h_1, pm_h_2, pm_h_3', 'premake: all buckets of a hash');
INSERT INTO pm_two VALUES (7, '2001-01-01'), (8, '2002-01-01');
SELECT router.premake('pm_two', 1) \g /dev/null
SELECT is((SELECT count(*) FROM router.children WHERE base = 'pm_two'::regclass), 6::bigint, 'premake: under every outer child there is');
SELECT throws_ok($$SELECT router.premake('pm_d', -1)$$, '22023', NULL, 'premake: less than none');
SELECT throws_ok($$SELECT router.premake('bad', 1)$$, NULL, NULL, 'premake: a table without a route');

-- -------------------------------------------------------------- alter, drop
SELECT test.state() AS state \gset
SELECT isnt_empty($$SELECT router.alter_route('c', template => '{base}_x_{1}_{2}', on_missing => 'error', dry_run => true)$$, 'alter_route, dry_run');
SELECT is(test.state(), :'state', 'alter_route, dry_run: nothing happens');
SELECT router.alter_route('c', template => '{base}_x_{1}_{2}') \g /dev/null
INSERT INTO c VALUES (20, '2024-05-05');
SELECT is((SELECT tableoid::regclass::text FROM c WHERE r = 20), 'c_x_20_y2024m05', 'alter_route: a template for the children to come');
SELECT throws_ok($$SELECT router.alter_route('bad', horizon => '1 year')$$, NULL, NULL, 'alter_route: a table without a route');
SELECT throws_ok($$SELECT router.alter_route('c', on_reject => 'x')$$, '22023', NULL, 'alter_route: a policy there is not');
SELECT test.state() AS state \gset
SELECT isnt_empty($$SELECT router.drop_route('c', dry_run => true)$$, 'drop_route, dry_run');
SELECT is(test.state(), :'state', 'drop_route, dry_run: nothing happens');
SELECT isnt_empty($$SELECT router.drop_route('c')$$, 'drop_route tells what it did');
SELECT is((SELECT count(*) FROM router.route_def WHERE base = 'c'::regclass) + (SELECT count(*) FROM router.key_def WHERE base = 'c'::regclass) + (SELECT count(*) FROM router.child_def WHERE base = 'c'::regclass)
          + (SELECT count(*) FROM pg_trigger WHERE tgrelid = 'c'::regclass), 0::bigint, 'drop_route: neither catalog nor trigger');
SELECT is((SELECT count(*) || '/' || count(DISTINCT tableoid) FROM c), '4/3', 'drop_route: children stay heirs, with their rows');
SELECT is((SELECT count(*) FROM pg_inherits i JOIN pg_constraint k ON k.conrelid = i.inhrelid AND k.conname = 'router_home' WHERE inhparent = 'c'::regclass), 4::bigint, 'drop_route: and with their CHECKs');
:fresh
INSERT INTO c VALUES (7, '2024-05-05');
SELECT is((SELECT count(*) FROM ONLY c), 1::bigint, 'drop_route: rows stay in the table from now on');
SELECT throws_ok($$SELECT router.drop_route('c')$$, NULL, NULL, 'drop_route: not twice');
SELECT throws_ok($$SELECT router.create_route('t_y2024', router.by_list('id'))$$, NULL, NULL, 'a child cannot be a base');

-- ----------------------------------------------------------------- the views
ANALYZE full_t;
ANALYZE full_t_1_10;
SELECT is((SELECT row(base, child, bounds, rows, bytes > 0, tablespace, state)::text FROM router.children WHERE child = 'full_t_1_10'::regclass), '(full_t,full_t_1_10,"{""[1,10]""}",50,t,pg_default,online)', 'D4: router.children: bounds, rows, bytes, tablespace, state');
SELECT matches((SELECT condition FROM router.children WHERE child = 'full_t_1_10'::regclass), 'k >= .*1.*k <= .*10', 'D4: and the condition in SQL');
SELECT is((SELECT children FROM router.routes WHERE base = 'full_t'::regclass), 5::bigint, 'router.routes counts children');

SELECT * FROM finish();
