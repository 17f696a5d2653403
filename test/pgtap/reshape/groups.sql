-- Values of a list become a group (regroup), buckets are parted and put together again (add_hash_child). Checklist: which children come of it, what rows to come do, what comes meanwhile, hot bases, what is refused.
\ir ../../include/helpers.sql
\set tests 99
SELECT plan(:tests);

CREATE FUNCTION test.shape(base regclass) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(child::text || ' ' || array_to_string(bounds, ' ', 'NULL'), ', ' ORDER BY child::text COLLATE "C") FROM router.children c WHERE c.base = $1
$$;
CREATE FUNCTION test.groups(base regclass) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(array_to_string(groups, ' '), '; ' ORDER BY level) FROM router.key_def k WHERE k.base = $1
$$;
SELECT test.role('router_groups_other');

-- one level: values of their own, of other groups, of no child; NULL; a value that takes its rows out again
CREATE TABLE residence (id int PRIMARY KEY);
INSERT INTO residence SELECT generate_series(0, 99);
CREATE TABLE fired (op text);
CREATE FUNCTION test.fired() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO fired VALUES (tg_op); RETURN new; END $$;
CREATE TABLE m (gone int, id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, r int REFERENCES residence ON DELETE CASCADE,
                v numeric(10, 2) DEFAULT 7, n int GENERATED ALWAYS AS (r + 1) STORED);
ALTER TABLE m DROP COLUMN gone;
SELECT router.create_route('m', router.by_list('r', groups => '{"{1,2,3}","{7,8}"}'));
SELECT router.add_global_key('m', '{id}');
INSERT INTO m (r) SELECT nullif(i % 7, 6) FROM generate_series(1, 700) i;
CREATE TRIGGER watched AFTER INSERT OR UPDATE OR DELETE ON m FOR EACH ROW EXECUTE FUNCTION test.fired();
CREATE TABLE was AS TABLE m;
CALL router.regroup('m', '{4,5}', dry_run => true);
SELECT is(test.shape('m'), 'm_0 {0}, m_1_2_3 {1,2,3}, m_4 {4}, m_5 {5}, m_7_8 {7,8}, m_null null', 'a dry run groups nothing');
SELECT is(test.groups('m') || ', ' || test.half_done(), '{1,2,3} {7,8}, nothing', 'and leaves nothing');
CALL router.regroup('m', '{4,5}', batch_rows => 70);
SELECT is(test.shape('m'), 'm_0 {0}, m_1_2_3 {1,2,3}, m_4_5 {4,5}, m_7_8 {7,8}, m_null null', 'two values live in one child');
SELECT is(test.groups('m'), '{1,2,3} {7,8} {4,5}', 'and are a group of the route');
CALL router.regroup('m', '{3}', '4');
SELECT is(test.shape('m'), 'm_0 {0}, m_1_2 {1,2}, m_4_5_3 {4,5,3}, m_7_8 {7,8}, m_null null', 'a value joins a group, what it leaves stays together');
SELECT is(test.groups('m'), '{1,2} {7,8} {4,5,3}', 'the route knows both');
CALL router.regroup('m', '{2,8,NULL,20}', joining => '1');
SELECT is(test.shape('m'), 'm_0 {0}, m_1_2_8_20_null {1,2,8,20,NULL}, m_4_5_3 {4,5,3}, m_7 {7}', 'from several groups, with NULL and a value that no child has');
SELECT is(test.groups('m'), '{4,5,3} {1,2,8,20,NULL}', 'a value by itself needs no group');
INSERT INTO m (r) VALUES (20), (21), (8), (NULL), (7);
SELECT is((SELECT array_agg(tableoid::regclass::text ORDER BY id) FROM m WHERE id > 700), '{m_1_2_8_20_null,m_21,m_1_2_8_20_null,m_1_2_8_20_null,m_7}', 'new rows go home');
CALL router.regroup('m', '{5}');
SELECT is(test.shape('m'), 'm_0 {0}, m_1_2_8_20_null {1,2,8,20,NULL}, m_21 {21}, m_4_3 {4,3}, m_5 {5}, m_7 {7}', 'a value alone gets a child of its own');
CALL router.regroup('m', ARRAY[NULL]);
SELECT is(test.shape('m'), 'm_0 {0}, m_1_2_8_20 {1,2,8,20}, m_21 {21}, m_4_3 {4,3}, m_5 {5}, m_7 {7}, m_null null', 'so does NULL');
CALL router.merge_children('{m_5,m_7}');
CALL router.regroup('m', '{0}', '7');
SELECT is(test.shape('m'), 'm_1_2_8_20 {1,2,8,20}, m_21 {21}, m_4_3 {4,3}, m_5_7_0 {5,7,0}, m_null null', 'what was merged is joined as well');
SELECT is(test.groups('m'), '{4,3} {1,2,8,20} {5,7,0}', 'and becomes a group');
CALL router.regroup('m', '{90,91}');
SELECT is(test.shape('m') || '; ' || test.groups('m'), 'm_1_2_8_20 {1,2,8,20}, m_21 {21}, m_4_3 {4,3}, m_5_7_0 {5,7,0}, m_null null; {4,3} {1,2,8,20} {5,7,0} {90,91}', 'values without a child are a group for rows to come');
INSERT INTO m (r) VALUES (91);
SELECT is((SELECT tableoid::regclass::text FROM m WHERE r = 91), 'm_90_91', 'which make its child');
SELECT is((SELECT count(*) FROM (TABLE was EXCEPT ALL TABLE m) d), 0::bigint, 'no row is lost, or other than before');
SELECT is(test.strays('m'), 'none', 'all are at home');
SELECT is((SELECT count(*) FROM router.check('m')), 0::bigint, 'check finds nothing');
SELECT is((SELECT count(*) FROM fired), 6::bigint, 'no trigger fired but for the rows that were written');
DELETE FROM residence WHERE id = 3;
SELECT is((SELECT count(*) FROM m WHERE r = 3), 0::bigint, 'referential actions reach the child');
SELECT is(test.sql_of('INSERT INTO m (id, r) OVERRIDING SYSTEM VALUE VALUES (1, 5)'), '23505', 'global keys hold');
SELECT is((SELECT string_agg(route_ddl, E'\n') FROM router.route_ddl('m')), E'SELECT router.create_route(''public.m'', router.by_list(''r'', groups => ARRAY[''{4,3}'', ''{1,2,8,20}'', ''{5,7,0}'', ''{90,91}'']), time_zone => '''
          || current_setting('timezone') || E''');\nSELECT router.add_global_key(''public.m'', ARRAY[''id''], ''m_id_keys'');', 'route_ddl tells the groups');
SELECT is((SELECT count(*) FROM router.route_ddl('m', children => true)), 8::bigint, 'or each child');

-- two levels: each outer bound by itself, each inner one that there is; the other key outermost
CREATE TABLE d (id int, r int, at date, PRIMARY KEY (id, r, at));
SELECT router.create_route('d', ARRAY[router.by_list('r'), router.by_date('at', 'year')]);
INSERT INTO d SELECT i, 41 + i % 3, date '2023-01-01' + i FROM generate_series(0, 599) i;
INSERT INTO d VALUES (1000, 42, '2030-01-01');
CALL router.regroup('d', '{41,42}');
SELECT is(test.shape('d'), 'd_41_42_y2023 {41,42} [2023-01-01,2024-01-01), d_41_42_y2024 {41,42} [2024-01-01,2025-01-01), d_41_42_y2030 {41,42} [2030-01-01,2031-01-01), '
          'd_43_y2023 {43} [2023-01-01,2024-01-01), d_43_y2024 {43} [2024-01-01,2025-01-01)', 'the years that one of them has');
CALL router.regroup('d', '{42}');
SELECT is((SELECT count(*) FROM router.children WHERE base = 'd'::regclass), 8::bigint, 'and apart again');
SELECT is((SELECT count(*) FROM d WHERE tableoid::regclass::text <> format('d_%s_y%s', r, date_part('year', at))) || test.strays('d'), '0none', 'rows are where they belong');
SELECT is((SELECT child::text FROM router.children WHERE child = router.child_of('d', 42, '2030-07-07')), 'd_42_y2030', 'child_of finds them');
DROP TABLE d_41_y2030, d_42_y2030;
CALL router.merge_children('{d_41_y2023,d_41_y2024}');
CALL router.regroup('d', '{41,42}');
SELECT is(:'SQLSTATE'::text, '42P17', 'children that have other years in part cannot be one');
CALL router.split_child(router.child_of('d', 41, '2023-07-07'), '{2024-01-01}');
CALL router.regroup('d', '{41,42}');
SELECT is((SELECT count(*) FROM router.children WHERE base = 'd'::regclass AND bounds[1] = '{41,42}'), 2::bigint, 'until they have the same');
CREATE TABLE e (id int, r text COLLATE "C", at date, PRIMARY KEY (id, r, at));
SELECT router.create_route('e', ARRAY[router.by_date('at', 'year'), router.by_list('r', groups => '{"{a,b}"}')]);
INSERT INTO e VALUES (1, 'a', '2023-01-01'), (2, 'c', '2023-01-01'), (3, 'b', '2024-01-01'), (4, 'c', '2025-01-01'), (5, 'd,"e', '2026-01-01');
CALL router.regroup('e', ARRAY['b', 'c', 'd,"e']);
SELECT is((SELECT string_agg(left(bounds[1], 5) || bounds[2], ' ' ORDER BY bounds) FROM router.children WHERE base = 'e'::regclass),
          '[2023{a} [2023{b,c,"d,\"e"} [2024{a} [2024{b,c,"d,\"e"} [2025{b,c,"d,\"e"} [2026{b,c,"d,\"e"}', 'each year that has one of them');
SELECT is(test.strays('e') || (SELECT count(*) FROM e), 'none5', 'rows are where they belong');

-- a default child
CREATE TABLE f (id int, r int, PRIMARY KEY (id, r), x int);
SELECT router.create_route('f', router.by_list('r'), default_child => true, on_missing => 'default');
INSERT INTO f SELECT i, i % 4, i FROM generate_series(1, 400) i;
SELECT router.create_child('f', '{1}');
CALL router.regroup('f', '{2,3}');
SELECT is(test.shape('f') || test.groups('f'), 'f_1 {1}, f_default default{2,3}', 'rows of the default child make no child');
CALL router.regroup('f', '{1,2}');
SELECT is(test.homes('f'), 'f_1_2: 200, f_default: 200', 'but go to one that a value has');
SELECT is((SELECT count(*) FROM router.check('f') WHERE kind = 'stray'), 0::bigint, 'nobody is astray');
CALL router.regroup('f', '{0}', '1', time_budget => '0');
INSERT INTO f VALUES (1001, 0, 1), (1002, 3, 1), (1003, 2, 1);
UPDATE f SET r = 3 WHERE id = 4;
UPDATE f SET r = 0 WHERE id IN (3, 6);
CALL router.regroup('f', '{0}', '1');
SELECT is(test.homes('f'), 'f_1_2_0: 302, f_default: 101', 'with what was written meanwhile');
CALL router.redistribute('f');
SELECT is(test.homes('f'), 'f_1_2_0: 302, f_3: 101', 'and the rest is distributed as before');

-- redistribute, online
CREATE TABLE o (id int, r int, at date, PRIMARY KEY (id, r, at));
SELECT router.create_route('o', ARRAY[router.by_list('r', groups => '{"{1,2}"}'), router.by_date('at', 'year')], default_child => true, on_missing => 'default', horizon => '30 years');
INSERT INTO o SELECT i, i % 5, date '2023-01-01' + i % 500 FROM generate_series(1, 1000) i;
INSERT INTO o VALUES (2000, 1, '2999-01-01'), (2001, NULLIF(3, 4), '2024-01-01');
CALL router.redistribute('o', dry_run => true, online => true);
SELECT is(test.homes('o') || test.half_done(), 'o_default: 1002nothing', 'a dry run redistributes nothing');
CALL router.redistribute('o', online => true, batch_rows => 100, pause => '1 second', time_budget => '1 second');
SELECT router.create_child('o', ARRAY['3', '2023-05-05']);
SELECT router.alter_route('o', on_missing => 'create');
INSERT INTO o VALUES (3000, 3, '2023-02-02'), (3001, 4, '2023-03-03'), (3002, 9, '2023-03-03'), (3003, 4, '2025-01-01');
INSERT INTO o_default VALUES (3004, 1, '2023-04-04'), (3005, 8, '2023-04-04');
UPDATE o SET r = 4 WHERE id IN (1, 2, 3000);
DELETE FROM o WHERE id = 5;
CALL router.redistribute('o', online => true);
SELECT is(test.homes('o'), 'o_0_y2023: 145, o_0_y2024: 54, o_1_2_y2023: 291, o_1_2_y2024: 108, o_3_y2023: 146, o_3_y2024: 55, o_4_y2023: 150, o_4_y2024: 54, o_4_y2025: 1, o_9_y2023: 1, o_default: 2', 'rows have children');
SELECT is(test.strays('o') || test.half_done() || (SELECT count(*) FROM o), 'nonenothing1007', 'all are at home');
CALL router.redistribute('o', online => true);
SELECT is(test.homes('o') ~ 'o_8_y2023: 1, o_9_y2023: 1, o_default: 1', true, 'that is left which could have none');
CALL router.redistribute('o', online => true);
SELECT is(:'SQLSTATE'::text, '00000', 'then there is nothing to do');
CALL router.redistribute('m', online => true);
SELECT is(:'SQLSTATE'::text, '55000', 'no default child');

-- what comes meanwhile: values, years, tables, by rows and by hand
CREATE TABLE w (id int, r int, at date, PRIMARY KEY (id, r, at));
SELECT router.create_route('w', ARRAY[router.by_list('r'), router.by_date('at', 'year')]);
INSERT INTO w SELECT i, i % 2, date '2023-01-01' + i % 365 FROM generate_series(1, 1000) i;
CALL router.regroup('w', '{0,2}', batch_rows => 100, pause => '1 second', time_budget => '1 second');
SELECT cmp_ok((SELECT done FROM router.reshape_def WHERE base = 'w'::regclass), '>', 0::bigint, 'some rows are copied');
INSERT INTO w VALUES (2000, 0, '2024-01-01'), (2001, 2, '2024-01-01'), (2002, 2, '2025-05-05'), (2003, 1, '2026-01-01'), (2004, 2, '2023-05-05');
CREATE TABLE wx (LIKE w INCLUDING ALL);
INSERT INTO wx VALUES (3000, 2, '2029-01-01'), (3001, 2, '2029-01-02');
SELECT lives_ok($$SELECT router.attach_child('w', 'wx', '{"{2}","[2029-01-01,2030-01-01)"}')$$, 'a table with rows is attached');
UPDATE w SET at = '2024-02-02', r = 2 WHERE id = 10;
UPDATE w SET at = '2025-02-02', r = 0 WHERE id = 2001;
DELETE FROM w WHERE id = 3001;
SELECT throws_ok('ALTER TABLE w ADD COLUMN x int', '55006', NULL, 'its columns stay');
CALL router.regroup('w', '{0,1}');
SELECT is(:'SQLSTATE'::text, '55000', 'another group than it was begun with');
CALL router.regroup('w', '{0,2}');
SELECT is(test.homes('w'), 'w_0_2_y2023: 500, w_0_2_y2024: 2, w_0_2_y2025: 2, w_0_2_y2029: 1, w_1_y2023: 500, w_1_y2026: 1', 'all are in children of the group');
SELECT is(test.strays('w') || test.half_done() || (SELECT count(*) FROM router.check('w')), 'nonenothing0', 'all is well');
SELECT is((SELECT count(*) FROM pg_trigger WHERE tgname ~ 'reshape'), 0::bigint, 'no trigger is left');
CALL router.merge_children('{w_0_2_y2025,w_1_y2026}');
SELECT is(:'SQLSTATE'::text, '22023', 'children that differ in two keys');
INSERT INTO w VALUES (4000, 5, '2024-01-01'), (4001, 6, '2024-01-01');
CALL router.merge_children('{w_5_y2024,w_6_y2024}', time_budget => '0');
INSERT INTO w VALUES (4002, 5, '2025-01-01'), (4003, 6, '2025-01-01'), (4004, 7, '2025-01-01');
CALL router.merge_children('{w_5_y2024,w_6_y2024}');
SELECT is((SELECT string_agg(bounds[1] || left(bounds[2], 5), ' ' ORDER BY bounds) FROM router.children WHERE base = 'w'::regclass AND bounds[1] > '{4'), '{5,6}[2024 {5,6}[2025 {7}[2025', 'a merge of an outer level takes along what came under it');
SELECT is(test.strays('w') || (SELECT count(*) FROM w WHERE id >= 4000), 'none5', 'with its rows');
CALL router.regroup('w', '{0,1}', time_budget => '0');
INSERT INTO w VALUES (5000, 0, '2027-01-01'), (5001, 1, '2027-01-01');
CALL router.cancel_reshape('w');
SELECT is(test.groups('w') || test.half_done() || (SELECT count(*) FROM pg_trigger WHERE tgname ~ 'reshape'), '{0,2}nothing0', 'given up, it is as it was');
SELECT is((SELECT count(*) FROM router.check('w')), 0::bigint, 'check finds nothing');
CALL router.merge_children(ARRAY[router.child_of('w', 7, '2025-01-01'), router.child_of('w', 5, '2025-01-01')], time_budget => '0');
SELECT is(:'SQLSTATE'::text, '42P17', 'no part of a group whose other years stay');

-- a child without rows comes last
CREATE TABLE last (id int, r int, PRIMARY KEY (id, r));
SELECT router.create_route('last', router.by_list('r'));
INSERT INTO last VALUES (1, 1);
SELECT router.create_child('last', '{2}');
CALL router.merge_children('{last_1,last_2}', time_budget => '30 seconds');
SELECT is(test.shape('last'), 'last_1_2 {1,2}', 'an empty child is merged');

-- a hot base
CREATE TABLE h (id int, r int, at timestamptz, v int, PRIMARY KEY (id, r, at));
SELECT router.create_route('h', ARRAY[router.by_list('r'), router.by_date('at', 'year')], hot => '30 days', time_zone => 'UTC');
INSERT INTO h SELECT i, i % 4, now() - i * interval '1 hour', i FROM generate_series(0, 9000, 5) i;
CALL router.archive('h');
SELECT count(*) AS hot_rows, (SELECT watermark FROM router.routes WHERE base = 'h'::regclass) AS watermark FROM ONLY h \gset
CALL router.regroup('h', '{1,2}', time_budget => '0');
INSERT INTO h VALUES (10000, 1, now() - interval '100 days', 1), (10001, 2, now(), 1), (10002, 2, now() - interval '1 hour', 1);
UPDATE h SET at = now() - interval '99 days' WHERE id = 10001;
UPDATE h SET at = now() WHERE id = 10000;
CALL router.archive('h', cutoff => (now() - interval '20 days')::text);
CALL router.regroup('h', '{1,2}');
SELECT is((SELECT count(*) FROM h), 1804::bigint, 'no row of a hot base is lost');
SELECT is((SELECT count(*) FROM ONLY h WHERE id >= 10000), 2::bigint, 'current ones stay in it');
SELECT is((SELECT count(*) FROM router.check('h')), 0::bigint, 'check finds nothing');
SELECT is((SELECT bounds[1] FROM router.children WHERE child = router.child_of('h', 2, now() - interval '99 days')), '{1,2}', 'a late row is in the group');
CALL router.split_child(router.child_of('h', 2, now() - interval '99 days'), ARRAY[(now() - interval '70 days')::text]);
SELECT is(:'SQLSTATE'::text, '00000', 'a child of a hot base is split');
CALL router.archive('h');
SELECT is((SELECT count(*) FROM router.check('h')) || ' ' || (SELECT count(*) FROM h), '0 1804', 'and archive goes on');
CREATE TABLE turned (id int, at timestamptz, PRIMARY KEY (id, at));
SELECT router.create_route('turned', router.by_date('at', 'year'), hot => '30 days', time_zone => 'UTC');
INSERT INTO turned SELECT i, timestamptz '2022-05-05' + i * interval '1 day' FROM generate_series(0, 600) i;
INSERT INTO turned SELECT 1000 + i, now() - i * interval '1 second' FROM generate_series(0, 2000) i;
CALL router.merge_children('{turned_y2022,turned_y2023}', time_budget => '0');
CALL router.rotate('turned', cutoff => (now() - interval '1 second')::text);
SELECT is(:'SQLSTATE'::text, '55006', 'rotate would change rows behind the back of the copies');
CALL router.merge_children('{turned_y2022,turned_y2023}');
SELECT is((SELECT count(*) FROM ONLY turned) || ' ' || (SELECT count(*) FROM turned WHERE id < 1000), '2001 601', 'afterwards all are there');

-- buckets
CREATE TABLE b (id int PRIMARY KEY, v text);
SELECT router.create_route('b', router.by_hash('id', 3));
INSERT INTO b SELECT i, i FROM generate_series(1, 3000) i;
INSERT INTO b SELECT i, repeat('x', 500) FROM generate_series(3001, 9000) i WHERE router.child_of('b', i) = 'b_2'::regclass;
CREATE TABLE b_was AS TABLE b;
CALL router.add_hash_child('b', dry_run => true);
SELECT is(test.shape('b'), 'b_0 0/3, b_1 1/3, b_2 2/3', 'a dry run parts nothing');
CALL router.add_hash_child('b', batch_rows => 200);
SELECT is(test.shape('b'), 'b_0 0/3, b_1 1/3, b_2 2/6, b_5 5/6', 'the largest bucket is parted');
SELECT min(id) AS one FROM b_5 \gset
CALL router.add_hash_child('b', router.child_of('b', :one));
SELECT is(test.shape('b'), 'b_0 0/3, b_1 1/3, b_11 11/12, b_2 2/6, b_5 5/12', 'or that of a child');
SELECT is((SELECT count(*) FROM (TABLE b_was EXCEPT ALL TABLE b) d) || test.strays('b'), '0none', 'no row is lost');
SELECT is((SELECT count(*) FROM b_was w WHERE (SELECT v FROM b WHERE b.id = w.id) IS DISTINCT FROM w.v), 0::bigint, 'each is found by its key');
DELETE FROM b WHERE router.child_of('b', id) = 'b_11'::regclass;
DROP TABLE b_11, b_2;
INSERT INTO b SELECT * FROM b_was ON CONFLICT DO NOTHING;
SELECT is(test.shape('b'), 'b_0 0/3, b_1 1/3, b_11 11/12, b_2 2/6, b_5 5/12', 'a bucket that is missing comes as it was');
SELECT is((SELECT count(*) FROM b) || test.strays('b'), (SELECT count(*) || 'none' FROM b_was), 'with its rows');
SELECT is((SELECT count(*) FROM router.premake('b', 1)), 0::bigint, 'premake makes none beside it');
SELECT is((SELECT string_agg(route_ddl, ' ') FROM router.route_ddl('b') WHERE route_ddl ~ 'create_child'), $$SELECT router.create_child('public.b', ARRAY['11/12'], 'b_11'); SELECT router.create_child('public.b', ARRAY['2/6'], 'b_2'); SELECT router.create_child('public.b', ARRAY['5/12'], 'b_5');$$, 'route_ddl makes them by hand');
CALL router.merge_children('{b_11,b_0}');
SELECT is(:'SQLSTATE'::text, '22023', 'buckets that are no bucket together');
CALL router.merge_children('{b_2,b_11,b_5}');
SELECT is(test.shape('b'), 'b_0 0/3, b_1 1/3, b_2 2/3', 'three are one again');
SELECT is((SELECT count(*) FROM (TABLE b_was EXCEPT ALL TABLE b) d) || test.strays('b'), '0none', 'with all rows');
CREATE TABLE bb (id int, at date, PRIMARY KEY (id, at));
SELECT router.create_route('bb', ARRAY[router.by_hash('id', 2), router.by_date('at', 'year')]);
INSERT INTO bb SELECT i, date '2023-01-01' + i FROM generate_series(0, 599) i;
CALL router.add_hash_child('bb', router.child_of('bb', 1, '2023-05-05'), time_budget => '0');
INSERT INTO bb SELECT i, '2030-01-01' FROM generate_series(1000, 1019) i;
CALL router.add_hash_child('bb', router.child_of('bb', 1, '2023-05-05'));
SELECT is((SELECT string_agg(DISTINCT bounds[1], ' ') || count(*) FROM router.children WHERE base = 'bb'::regclass AND right(bounds[1], 1) = '4'), (SELECT string_agg(DISTINCT bounds[1], ' ') || '6' FROM router.children WHERE base = 'bb'::regclass AND right(bounds[1], 1) = '4'), 'of all years, also those that come meanwhile');
SELECT is((SELECT count(*) FROM bb) || test.strays('bb'), '620none', 'no row is lost');
SELECT is((SELECT count(DISTINCT bounds[1]) FROM router.children WHERE base = 'bb'::regclass), 3::bigint, 'three buckets');
SELECT array_agg(child) AS both FROM router.children WHERE base = 'bb'::regclass AND right(bounds[1], 2) = '/4' \gset
CALL router.merge_children(:'both');
SELECT is((SELECT count(*) || ' ' || count(DISTINCT bounds[1]) FROM router.children WHERE base = 'bb'::regclass), '6 2', 'and all of them are put together again');
SELECT is((SELECT count(*) FROM bb) || test.strays('bb'), '620none', 'with their rows');

-- what has no ends, and what has one
CREATE TABLE r (id int PRIMARY KEY);
SELECT router.create_route('r', router.by_integer('id'));
SELECT router.create_child('r', '(,)');
INSERT INTO r SELECT generate_series(-100, 100);
CALL router.split_child('r_all', '{0}');
SELECT is(test.homes('r'), 'r_below_0: 100, r_from_0: 101', 'all is parted at a point');
CALL router.split_child('r_below_0', '{-2147483648,-50}');
CALL router.split_child('r_from_0', '{50,60}');
SELECT is((SELECT array_agg(bounds[1] ORDER BY (SELECT min(id) FROM r WHERE tableoid = child) NULLS FIRST) FROM router.children WHERE base = 'r'::regclass),
          '{"(,-2147483649]","[-2147483648,-51]","[-50,-1]","[0,49]","[50,59]","[60,)"}', 'at both ends');
SELECT '{' || string_agg(child::text, ',') || '}' AS children FROM router.children WHERE base = 'r'::regclass \gset
CALL router.merge_children(:'children');
SELECT is(test.shape('r') || ' ' || test.homes('r'), 'r_all (,) r_all: 201', 'and put together');
CREATE TABLE rd (id int, at timestamptz, PRIMARY KEY (id, at));
SELECT router.create_route('rd', router.by_date('at', 'month', pivot => '2024-01-01'), time_zone => 'UTC');
INSERT INTO rd SELECT i, timestamptz '2023-01-01' + i * interval '1 day' FROM generate_series(0, 400) i;
INSERT INTO rd VALUES (1000, '-infinity');
CALL router.split_child('rd_before_2024_01_01', '{2023-07-01}');
SELECT is((SELECT array_agg(left(bounds[1], 11) ORDER BY bounds[1]) FROM router.children WHERE base = 'rd'::regclass), '{"(,2023-07-0",[2023-07-01,[2024-01-01,[2024-02-01}', 'what lies below a pivot');
INSERT INTO rd VALUES (1001, '1999-01-01');
SELECT is((SELECT count(*) FROM router.check('rd')) || ' ' || test.homes('rd'), '0 rd_2023_07_01_to_2024_01_01: 184, rd_before_2023_07_01: 183, rd_y2024m01: 31, rd_y2024m02: 5', 'and rows to come know it');

-- what is refused
CALL router.regroup('m', '{}');
SELECT is(:'SQLSTATE'::text, '22023', 'no values');
CALL router.regroup('m', NULL);
SELECT is(:'SQLSTATE'::text, '22004', 'NULL for them');
CALL router.regroup('m', '{x}');
SELECT is(:'SQLSTATE'::text, '22P02', 'what is no value of the key');
CALL router.regroup('m', '{1}', 'default');
SELECT is(:'SQLSTATE'::text, '22023', 'the default child as a group');
CALL router.regroup('m', '{90,91}');
SELECT is(:'SQLSTATE'::text, '55000', 'what is so already');
CALL router.regroup('b', '{1}');
SELECT is(:'SQLSTATE'::text, '22023', 'a route without a list');
CALL router.regroup('d', '{1}', key => 'at');
SELECT is(:'SQLSTATE'::text, '22023', 'a key that is none');
CALL router.regroup('residence', '{1}');
SELECT is(:'SQLSTATE'::text, '55000', 'a table that is not routed');
CALL router.add_hash_child('m');
SELECT is(:'SQLSTATE'::text, '22023', 'a route without buckets');
CALL router.add_hash_child('b', 'd_43_y2023');
SELECT is(:'SQLSTATE'::text, '55000', 'a child of another base');
SET ROLE router_groups_other;
CALL router.regroup('public.m', '{1}');
SELECT is(:'SQLSTATE'::text, '42501', 'regroup by who does not own it');
CALL router.add_hash_child('public.b');
SELECT is(:'SQLSTATE'::text, '42501', 'add_hash_child as well');
RESET ROLE;
SELECT is(test.half_done(), 'nothing', 'nothing is left of all that');
SELECT * FROM finish();
