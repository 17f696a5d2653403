-- Children put together and parted: merge_children, split_child. Checklist: nothing is lost, by which key, what it refuses.
\ir ../../include/helpers.sql
\set tests 63
SELECT plan(:tests);

CREATE FUNCTION test.shape(base regclass) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(child::text || ' ' || array_to_string(bounds, ' ', 'NULL'), ', ' ORDER BY child::text COLLATE "C") FROM router.children c WHERE c.base = $1
$$;
CREATE FUNCTION test.child(base regclass, condition text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE found text;
BEGIN
    EXECUTE format('SELECT string_agg(child::text, %L) FROM router.children WHERE base = %L::regclass AND %s', ',', base, condition) INTO found;
    RETURN found;
END $$;
SELECT test.role('router_regroup_other');

-- everything that a table can have
CREATE TABLE residence (id int PRIMARY KEY);
INSERT INTO residence SELECT generate_series(0, 9);
CREATE TABLE fired (op text);
CREATE FUNCTION test.fired() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO fired VALUES (tg_op); RETURN new; END $$;
CREATE TABLE c (gone int, id bigint GENERATED ALWAYS AS IDENTITY, r int NOT NULL REFERENCES residence ON DELETE CASCADE,
                at timestamptz NOT NULL, v numeric(10, 2) DEFAULT 7, note text COLLATE "C", n int GENERATED ALWAYS AS (r + 1) STORED,
                PRIMARY KEY (id), CONSTRAINT positive CHECK (v > 0));
ALTER TABLE c DROP COLUMN gone;
SELECT router.create_route('c', router.by_list('r'), time_zone => 'UTC');
SELECT router.add_global_key('c', '{id}');
INSERT INTO c (r, at, v, note) SELECT i % 6, timestamptz '2024-01-01' + i * interval '1 hour', i % 50 + 1, repeat('n', i % 30) FROM generate_series(1, 3000) i;
INSERT INTO c (r, at, note) VALUES (3, '2024-05-05', (SELECT string_agg(md5(i::text), '') FROM generate_series(1, 2000) i));
ALTER TABLE c ADD COLUMN later int NOT NULL DEFAULT 42;
CREATE INDEX c_at ON c (at);
CREATE TRIGGER watched AFTER INSERT OR UPDATE OR DELETE ON c FOR EACH ROW EXECUTE FUNCTION test.fired();
CREATE POLICY mine ON c USING (r < 5);
ALTER TABLE c ENABLE ROW LEVEL SECURITY;
GRANT SELECT (id, r), INSERT ON c TO router_regroup_other;
CREATE TABLE was AS SELECT *, true AS t FROM c;

CALL router.merge_children('{c_1,c_2,c_3}', dry_run => true);
SELECT is((SELECT count(*) FROM router.children WHERE base = 'c'::regclass), 6::bigint, 'a dry run merges nothing');
SELECT is(test.half_done(), 'nothing', 'nor leaves anything');
CALL router.merge_children('{c_1,c_2,c_3}', batch_rows => 400);
SELECT is(test.shape('c'), 'c_0 {0}, c_1_2_3 {1,2,3}, c_4 {4}, c_5 {5}', 'three children are one');
SELECT is((SELECT count(*) FROM (SELECT *, true FROM c EXCEPT ALL TABLE was) d), 0::bigint, 'no row is other than before');
SELECT is((SELECT count(*) FROM (TABLE was EXCEPT ALL SELECT *, true FROM c) d), 0::bigint, 'none is missing');
SELECT is(test.strays('c'), 'none', 'all are at home');
SELECT is((SELECT count(*) FROM router.check('c')), 0::bigint, 'check finds nothing');
SELECT is((SELECT count(*) FROM fired), 0::bigint, 'no trigger of the user fired');
SELECT is(test.half_done(), 'nothing', 'nothing is left of it');
SELECT is((SELECT string_agg(indexrelid::regclass::text, ' ' ORDER BY indexrelid::regclass::text) FROM pg_index WHERE indrelid = 'c_1_2_3'::regclass),
          'c_1_2_3_at c_1_2_3_pkey', 'indexes have the names that they have in a new child');
SELECT ok((SELECT relrowsecurity FROM pg_class WHERE oid = 'c_1_2_3'::regclass), 'row security is on');
SELECT ok((SELECT convalidated FROM pg_constraint WHERE conrelid = 'c_1_2_3'::regclass AND contype = 'f'), 'the foreign key is valid');
SELECT is((SELECT rows FROM router.events WHERE action = 'merge_children' ORDER BY at DESC LIMIT 1), 1501::bigint, 'an event tells the rows');
SELECT is(test.sql_of($$INSERT INTO c (id, r, at) OVERRIDING SYSTEM VALUE VALUES (1, 5, now())$$), '23505', 'the global key knows rows that were there');
DELETE FROM c WHERE id = 1;
SELECT is(test.sql_of($$INSERT INTO c (id, r, at) OVERRIDING SYSTEM VALUE VALUES (1, 5, '2024-01-01')$$), 'ok', 'and those that go');
INSERT INTO c (r, at) VALUES (3, '2024-01-31 23:00+00'), (6, '2030-01-01');
SELECT is((SELECT array_agg(tableoid::regclass::text ORDER BY 1) FROM c WHERE id > 3001), '{c_1_2_3,c_6}', 'new rows go home');
DELETE FROM residence WHERE id = 2;
SELECT is((SELECT count(*) FROM c WHERE r = 2), 0::bigint, 'referential actions reach the child');

CALL router.split_child('c_1_2_3', '{"{3}"}', dry_run => true);
SELECT is((SELECT count(*) FROM router.children WHERE base = 'c'::regclass), 5::bigint, 'a dry run splits nothing');
CALL router.split_child('c_1_2_3', '{"{3}",2}');
SELECT is(test.shape('c'), 'c_0 {0}, c_1 {1}, c_2 {2}, c_3 {3}, c_4 {4}, c_5 {5}, c_6 {6}', 'a group into values; what none names stays together');
SELECT is((SELECT count(*) FROM c WHERE tableoid::regclass::text <> 'c_' || r), 0::bigint, 'rows are where they belong');
SELECT is((SELECT count(*) FROM router.check('c')), 0::bigint, 'check finds nothing');
SELECT is((SELECT count(*) FROM fired WHERE op <> 'DELETE'), 3::bigint, 'no trigger fired but for the rows that were written');

-- ranges, several levels, labels
CREATE TABLE d (id int, r int, at date, PRIMARY KEY (id, r, at));
SELECT router.create_route('d', ARRAY[router.by_list('r', label => $$SELECT 'town'$$), router.by_date('at', 'month')], template => '{base}_{1}_{2}');
INSERT INTO d SELECT i, 1, date '2024-01-01' + i FROM generate_series(0, 120) i;
SELECT router.create_child('d', ARRAY['{1}', '[2024-05-01,)']);
INSERT INTO d VALUES (1000, 1, '2025-05-05'), (1001, 1, '2027-07-07');
SELECT is(test.shape('d'), (SELECT string_agg(x, ', ' ORDER BY x COLLATE "C") FROM unnest(ARRAY['d_town_y2024m01 {1} [2024-01-01,2024-02-01)', 'd_town_y2024m02 {1} [2024-02-01,2024-03-01)',
          'd_town_y2024m03 {1} [2024-03-01,2024-04-01)', 'd_town_y2024m04 {1} [2024-04-01,2024-05-01)', 'd_town_from_2024_05_01 {1} [2024-05-01,)']) x), 'children by town and month');
SELECT (string_to_array(test.child('d', $$bounds[2] = '[2024-05-01,)'$$), ','))[1] AS child \gset
CALL router.split_child(:'child', '{2027-01-01,2025-01-01}');
SELECT is((SELECT array_agg(bounds[2] ORDER BY bounds) FROM router.children WHERE base = 'd'::regclass AND bounds[2] >= '[2024-05'), '{"[2024-05-01,2025-01-01)","[2025-01-01,2027-01-01)","[2027-01-01,)"}', 'what has no end is parted at points');
SELECT is((SELECT array_agg(bounds[2] ORDER BY id) FROM d JOIN router.children ON child = d.tableoid WHERE id >= 1000), '{"[2025-01-01,2027-01-01)","[2027-01-01,)"}', 'its rows are where they belong');
CALL router.merge_children('{d_town_y2024m03,d_town_y2024m02,d_town_y2024m01}');
SELECT is((SELECT array_agg(bounds[2] ORDER BY bounds) FROM router.children WHERE base = 'd'::regclass AND bounds[2] < '[2024-05'), '{"[2024-01-01,2024-04-01)","[2024-04-01,2024-05-01)"}', 'months become a quarter');
SELECT is((SELECT count(*) FROM d WHERE at BETWEEN '2024-02-10' AND '2024-02-19'), 10::bigint, 'whose rows are found');
SELECT (string_to_array(test.child('d', $$bounds[2] = '[2024-04-01,2024-05-01)'$$), ','))[1] AS child \gset
CALL router.split_child(:'child', '{2024-04-15}', key => 'at');
SELECT is((SELECT count(*) FROM router.children WHERE base = 'd'::regclass), 6::bigint, 'the key can be named');
SELECT is((SELECT count(*) FROM d), 123::bigint, 'all rows are there');
CREATE TABLE named (id int, r int, PRIMARY KEY (id, r));
SELECT router.create_route('named', router.by_list('r', label => $$SELECT CASE WHEN $1 = 1 THEN 'one' ELSE 'other' END$$));
INSERT INTO named VALUES (1, 1), (2, 2);
CALL router.merge_children('{named_one,named_other}');
SELECT is(test.shape('named'), 'named_one {1,2}', 'it gets the name that a child had which is gone');
SELECT is((SELECT indexrelid::regclass::text FROM pg_index WHERE indrelid = 'named_one'::regclass), 'named_one_pkey', 'indexes have it as well');
CREATE TABLE nulls (id int PRIMARY KEY, r int);
SELECT router.create_route('nulls', router.by_list('r'));
INSERT INTO nulls VALUES (1, 1), (2, NULL), (3, 3);
SELECT router.add_global_key('nulls', '{id}');
CALL router.merge_children(ARRAY['nulls_1', 'nulls_null']::regclass[]);
SELECT is((SELECT array_agg(bounds[1] ORDER BY bounds) FROM router.children WHERE base = 'nulls'::regclass), '{"{1,NULL}","{3}"}', 'NULL is a value of a group');
SELECT tableoid::regclass AS child FROM nulls WHERE id = 1 \gset
CALL router.split_child(:'child', '{1}');
SELECT is((SELECT array_agg(bounds[1] ORDER BY id) FROM nulls JOIN router.children ON child = nulls.tableoid), '{"{1}","null","{3}"}', 'and is parted from it');

-- what it refuses
CALL router.merge_children('{c_0}');
SELECT is(:'SQLSTATE'::text, '22023', 'one child is nothing to merge');
CALL router.merge_children('{c_0,c_0}');
SELECT is(:'SQLSTATE'::text, '22023', 'nor is one twice');
CALL router.merge_children(NULL);
SELECT is(:'SQLSTATE'::text, '22004', 'nor none');
CALL router.merge_children('{c_0,fired}');
SELECT is(:'SQLSTATE'::text, '55000', 'no other table');
CALL router.merge_children('{c_0,named_one}');
SELECT is(:'SQLSTATE'::text, '55000', 'no child of another base');
CALL router.split_child('c', '{1}');
SELECT is(:'SQLSTATE'::text, '55000', 'no base');
CALL router.split_child('c_1', '{1}');
SELECT is(:'SQLSTATE'::text, '22023', 'a value is not parted');
CALL router.split_child('c_1', '{}');
SELECT is(:'SQLSTATE'::text, '22023', 'nor by nothing');
CALL router.split_child('c_1', '{7}');
SELECT is(:'SQLSTATE'::text, '22023', 'no value that it does not hold');
CALL router.split_child('c_1', NULL);
SELECT is(:'SQLSTATE'::text, '22004', 'bounds are needed');
CALL router.split_child('c_1', '{1}', key => 'v');
SELECT is(:'SQLSTATE'::text, '22023', 'no column that is no key');
CALL router.split_child('c_1', '{1}', batch_rows => 0);
SELECT is(:'SQLSTATE'::text, '22023', 'no batch of nothing');
SELECT (string_to_array(test.child('d', $$bounds[2] = '[2027-01-01,)'$$), ','))[1] AS child \gset
CALL router.split_child(:'child', '{2026-01-01}');
SELECT is(:'SQLSTATE'::text, '22023', 'no point outside of the range');
SELECT '{' || test.child('d', $$bounds[2] IN ('[2027-01-01,)', '[2024-01-01,2024-04-01)')$$) || '}' AS children \gset
CALL router.merge_children(:'children');
SELECT is(:'SQLSTATE'::text, '22023', 'ranges adjoin');
INSERT INTO d VALUES (2000, 2, '2024-04-03');
SELECT '{' || test.child('d', $$bounds[1] = '{2}' OR bounds[2] = '[2027-01-01,)'$$) || '}' AS children \gset
CALL router.merge_children(:'children');
SELECT is(:'SQLSTATE'::text, '22023', 'children differ in one key only');
INSERT INTO d VALUES (2001, 3, '2024-04-03');
INSERT INTO d VALUES (2002, 3, '2024-06-03');
SELECT '{' || test.child('d', $$bounds[1] IN ('{2}', '{3}') AND bounds[2] LIKE '[2024-04%'$$) || '}' AS children \gset
CALL router.merge_children(:'children');
SELECT is(:'SQLSTATE'::text, '42P17', 'no group of which another child has a part');
CREATE TABLE twice (id int PRIMARY KEY, r int NOT NULL);
SELECT router.create_route('twice', router.by_list('r'));
INSERT INTO twice VALUES (1, 1), (1, 2);
CALL router.merge_children('{twice_1,twice_2}');
SELECT is(:'SQLSTATE'::text, '23505', 'not where a value is in two children that is unique in each');
CALL router.cancel_reshape('twice');
CREATE TABLE h (id int PRIMARY KEY);
SELECT router.create_route('h', router.by_hash('id', 4));
INSERT INTO h SELECT generate_series(1, 100);
SELECT (string_to_array(test.child('h', $$true$$), ','))[1] AS child \gset
CALL router.split_child(:'child', '{1}');
SELECT is(:'SQLSTATE'::text, '0A000', 'no bucket');
CREATE TABLE nokey (r int);
SELECT router.create_route('nokey', router.by_list('r', groups => '{"{1,2}"}'), default_child => true);
INSERT INTO nokey VALUES (1);
CALL router.split_child('nokey_1_2', '{1}');
SELECT is(test.homes('nokey'), 'nokey_1: 1', 'rows that have no key');
SET ROLE router_regroup_other;
CALL router.split_child('c_1', '{1}');
SELECT is(:'SQLSTATE'::text, '42501', 'not by who does not own it');
RESET ROLE;
BEGIN;
CALL router.merge_children('{c_1,c_2}');
SELECT is(:'SQLSTATE'::text, '25001', 'no transaction block');
ROLLBACK;
SELECT is(test.half_done(), 'nothing', 'nothing is left of all that');

-- interrupted: what DDL is refused, other calls, TRUNCATE of one source, given up
CALL router.merge_children('{c_1,c_3}', time_budget => '0');
SELECT is(test.sql_of('ALTER TABLE c_1 ADD CHECK (r > 0)'), '55006', 'sources stay as they are');
SELECT is(test.sql_of('DROP TABLE c_3'), '55006', 'and are not dropped');
SELECT is(test.sql_of('ALTER TABLE c ADD COLUMN x int'), '55006', 'nor does the base get columns');
SELECT is(test.sql_of($$SELECT router.drop_route('c')$$), '55006', 'or lose its route');
CALL router.split_child('c_1', '{1}');
SELECT is(:'SQLSTATE'::text, '55000', 'nor is another call');
CALL router.merge_children('{c_1,c_4}');
SELECT is(:'SQLSTATE'::text, '55000', 'other children are no way to go on');
UPDATE c SET v = 3 WHERE r = 1;
DELETE FROM c WHERE r = 3 AND v > 20;
TRUNCATE c_1;
CALL router.merge_children('{c_1,c_3}');
SELECT is((SELECT array_agg(DISTINCT tableoid::regclass || ' ' || r || ' ' || (v > 20)) FROM c WHERE r IN (1, 3)), '{"c_1_3 3 false"}', 'it goes on with what was written meanwhile');
CALL router.split_child('c_1_3', '{1}', time_budget => '0');
CALL router.cancel_reshape('c');
SELECT is(test.half_done(), 'nothing', 'cancel_reshape takes it away');
SELECT is((SELECT count(*) FROM pg_trigger WHERE tgrelid = 'c_1_3'::regclass AND tgname ~ 'reshape'), 0::bigint, 'and its triggers');

SELECT * FROM finish();
