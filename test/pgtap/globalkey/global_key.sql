-- Global keys: uniqueness over the whole routed table, checklist F7, F8.
\ir ../../include/helpers.sql
\set tests 94
SELECT plan(:tests);

CREATE TABLE t (id int NOT NULL, k int, v text, PRIMARY KEY (id, k));
INSERT INTO t SELECT i, i, 'v' || i FROM generate_series(1, 30) i;
SELECT router.create_route('t', router.by_integer('k', 10), move_rows => true) \g /dev/null
:fresh

-- --------------------------------------------------------------- adding one
SELECT isnt_empty($$SELECT router.add_global_key('t', '{id}', dry_run => true)$$, 'dry_run says what it would do');
SELECT is((SELECT count(*) FROM router.global_keys), 0::bigint, 'and does nothing');
SELECT throws_ok($$SELECT router.add_global_key('t', '{nope}')$$, '42703', NULL, 'a column there is not');
SELECT throws_ok($$SELECT router.add_global_key('t', '{id,id}')$$, '42701', NULL, 'a column twice');
SELECT throws_ok($$SELECT router.add_global_key('t', '{ctid}')$$, '42P10', NULL, 'a system column');
SELECT throws_ok($$SELECT router.add_global_key('t', '{}')$$, '22023', NULL, 'no column');
SELECT throws_ok($$SELECT router.add_global_key('t', '{NULL}')$$, '22004', NULL, 'a null column');
SELECT throws_ok($$SELECT router.add_global_key('t', NULL)$$, '22004', NULL, 'null');
SELECT throws_ok($$SELECT router.add_global_key('pg_class', '{oid}')$$, '55000', NULL, 'no routed table');
SELECT throws_ok($$SELECT router.drop_global_key('t', '{id}')$$, '42704', NULL, 'dropping one that there is not');
INSERT INTO t VALUES (30, 99, 'twice');
SELECT throws_ok($$SELECT router.add_global_key('t', '{id}')$$, '23505', NULL, 'rows that share a key');
SELECT is(to_regclass('t_id_keys'), NULL, 'leave nothing behind');
DELETE FROM t WHERE k = 99;
SELECT isnt_empty($$SELECT router.add_global_key('t', '{id}')$$, 'a global key is added');
SELECT is_empty($$SELECT router.add_global_key('t', '{id}')$$, 'a second time nothing happens');
SELECT is((SELECT format('%s %s %s %s', base, columns, key_table, constraint_name) FROM router.global_keys), 't {id} t_id_keys t_id_key', 'router.global_keys');
SELECT is((SELECT count(*) FROM t_id_keys), 30::bigint, 'the rows there are have entries');
SELECT is(test.entries('t'), 'ok', 'one each');
SELECT is((SELECT count(*) FROM pg_trigger WHERE tgname IN ('~router_key', '~router_key_truncate') AND tgenabled = 'A'), 10::bigint, 'the base and all children have the triggers');

-- ------------------------------------------------------------------- INSERT
:fresh
SELECT throws_ok($$INSERT INTO t VALUES (5, 25, 'x')$$, '23505', 'duplicate key value violates unique constraint "t_id_key"', 'a key that another child holds');
:fresh
INSERT INTO t VALUES (31, 35, 'x'), (32, 45, 'x'), (33, 5, 'x');
SELECT is(test.entries('t'), 'ok', 'new rows, new children');
:fresh
SELECT throws_ok($$INSERT INTO t VALUES (40, 1, 'x'), (40, 11, 'x')$$, '23505', NULL, 'twice in one statement');
:fresh
INSERT INTO t SELECT i, i, 'v' FROM generate_series(100, 2099) i;
SELECT is(test.entries('t'), 'ok', 'a long INSERT … SELECT');
:fresh
SELECT throws_ok($$INSERT INTO t SELECT i, i + 1, 'v' FROM generate_series(3000, 1900, -1) i$$, '23505', NULL, 'a long one that meets a key');
SELECT is(test.entries('t'), 'ok', 'leaves nothing behind');
:fresh
COPY t FROM PROGRAM 'printf "5000\t1\ta\n5001\t11\tb\n5002\t900\tc\n"';
SELECT is(test.entries('t'), 'ok', 'COPY');
:fresh
SELECT throws_ok($$COPY t FROM PROGRAM 'printf "5003\t1\ta\n5000\t11\tb\n"'$$, '23505', NULL, 'COPY of a key there is');
SELECT is(test.entries('t'), 'ok', 'takes all of it back');
:fresh
INSERT INTO t_1_10 VALUES (6000, 3, 'by name');
SELECT is(test.entries('t'), 'ok', 'an INSERT into a child by name');
:fresh
SELECT throws_ok($$INSERT INTO t_1_10 VALUES (31, 3, 'by name')$$, '23505', NULL, 'is checked as well');
:fresh
PREPARE ins(int, int) AS INSERT INTO t VALUES ($1, $2, 'p') RETURNING id;
EXECUTE ins(6001, 3);
SELECT throws_ok('EXECUTE ins(6001, 13)', '23505', NULL, 'a prepared statement');
:fresh
SELECT is(test.outcome('INSERT INTO t VALUES (6002, 3, ''a'')'), 'done', 'within a function');
BEGIN;
INSERT INTO t VALUES (7000, 3, 'a');
SAVEPOINT s;
INSERT INTO t VALUES (7001, 13, 'a');
SELECT throws_ok('INSERT INTO t VALUES (7001, 3, ''a'')', '23505', NULL, 'after a savepoint');
ROLLBACK TO s;
INSERT INTO t VALUES (7001, 23, 'a');
COMMIT;
SELECT is(test.entries('t'), 'ok', 'rollback to a savepoint');
SELECT is((SELECT k FROM t WHERE id = 7001), 23, 'and the key is free again');

-- ON CONFLICT knows the row's own home only
INSERT INTO t VALUES (8000, 3, 'a');
INSERT INTO t VALUES (8000, 3, 'b') ON CONFLICT (id, k) DO UPDATE SET v = excluded.v;
SELECT is((SELECT v FROM t WHERE id = 8000), 'b', 'ON CONFLICT DO UPDATE of a row at home');
INSERT INTO t VALUES (8000, 3, 'c') ON CONFLICT DO NOTHING;
SELECT is(test.entries('t'), 'ok', 'ON CONFLICT leaves the entries right');
SELECT throws_ok($$INSERT INTO t VALUES (8000, 13, 'c') ON CONFLICT DO NOTHING$$, '23505', NULL, 'a conflict elsewhere is an error');
INSERT INTO t VALUES (8000, 3, 'c') ON CONFLICT (id, k) DO UPDATE SET id = 8001;
SELECT is(test.entries('t'), 'ok', 'ON CONFLICT DO UPDATE of the key');

-- ----------------------------------------------------------- UPDATE, DELETE
:fresh
UPDATE t SET v = 'u';
SELECT is(test.entries('t'), 'ok', 'UPDATE of another column');
:fresh
UPDATE t SET id = 20000 WHERE id = 1;
SELECT is((SELECT count(*) FROM t_id_keys WHERE id IN (1, 20000)), 1::bigint, 'UPDATE of the key');
SELECT is(test.entries('t'), 'ok', 'takes the entry along');
:fresh
SELECT throws_ok('UPDATE t SET id = 31 WHERE id = 2', '23505', NULL, 'UPDATE to a key there is');
:fresh
UPDATE t SET id = -id;
SELECT is(test.entries('t'), 'ok', 'UPDATE of all keys');
UPDATE t SET id = -id;
:fresh
DELETE FROM t WHERE id = 2;
SELECT is((SELECT count(*) FROM t_id_keys WHERE id = 2), 0::bigint, 'DELETE takes the entry away');
INSERT INTO t VALUES (2, 33, 'again');
SELECT is(test.entries('t'), 'ok', 'and the key is free');
:fresh
WITH gone AS (DELETE FROM t WHERE id = 3 RETURNING *) INSERT INTO t SELECT id, k + 40, v FROM gone;
SELECT is((SELECT k FROM t WHERE id = 3), 43, 'DELETE and INSERT of a key in one statement');
SELECT is(test.entries('t'), 'ok', 'entries are right');
:fresh
WITH moved AS (UPDATE t SET id = 30003 WHERE id = 3 RETURNING 1) INSERT INTO t SELECT 3, 3, 'new' FROM moved;
SELECT is(test.entries('t'), 'ok', 'UPDATE of a key and INSERT of it in one statement');
:fresh
MERGE INTO t USING (VALUES (4, 4), (40000, 4)) AS n (id, k) ON t.id = n.id
    WHEN MATCHED THEN UPDATE SET id = 40001
    WHEN NOT MATCHED THEN INSERT VALUES (n.id, n.k, 'm');
SELECT is(test.entries('t'), 'ok', 'MERGE');
SELECT is((SELECT count(*) FROM t WHERE id IN (40000, 40001)), 2::bigint, 'did both');

-- triggers of users
CREATE FUNCTION change_id() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.id := NEW.id + 1000000; RETURN NEW; END $$;
CREATE TRIGGER change_id BEFORE UPDATE ON t_11_20 FOR EACH ROW EXECUTE FUNCTION change_id();
:fresh
UPDATE t SET v = 'w' WHERE id = 11;
SELECT is((SELECT id FROM t_id_keys WHERE id = 1000011), 1000011, 'a trigger that changes the key');
DROP TRIGGER change_id ON t_11_20;
SELECT is(test.entries('t'), 'ok', 'is followed');

-- ---------------------------------------------------------- moves of router
SELECT router.alter_route('t', default_child => true) \g /dev/null
SELECT router.alter_route('t', on_missing => 'default') \g /dev/null
:fresh
INSERT INTO t VALUES (50000, 50000, 'd'), (50001, 50001, 'd');
SELECT is(test.entries('t'), 'ok', 'rows in the default child');
CREATE TABLE entries AS SELECT ctid AS place, * FROM t_id_keys;
CALL router.redistribute('t');
SELECT is(test.strays('t'), 'none', 'redistribute');
SELECT is_empty('SELECT ctid, * FROM t_id_keys EXCEPT SELECT * FROM entries', 'does not touch the entries');
SELECT is(test.entries('t'), 'ok', 'which are right');
SELECT router.create_child('t', '60005') \g /dev/null
SELECT is((SELECT count(*) FROM pg_trigger WHERE tgrelid = (SELECT child FROM router.children WHERE bounds = '{"[60001,60010]"}') AND NOT tgisinternal AND tgenabled = 'A'), 3::bigint, 'a child made by hand has the triggers');
DROP TABLE entries;

-- attach, detach, drop
CREATE TABLE old (id int NOT NULL, k int NOT NULL, v text);
INSERT INTO old VALUES (70000, 70001, 'o'), (70001, 70002, 'o');
:fresh
SELECT router.attach_child('t', 'old', '{"[70001,70010]"}') \g /dev/null
SELECT is(test.entries('t'), 'ok', 'attach_child enters the rows');
:fresh
SELECT throws_ok('DROP TABLE old', '2BP01', NULL, 'DROP TABLE of a child is refused');
SELECT ok(test.hint('DROP TABLE old') ~ 'detach_child', 'and says what to do');
SELECT router.detach_child('old') \g /dev/null
SELECT is(test.entries('t'), 'ok', 'detach_child removes the entries');
SELECT is((SELECT count(*) FROM pg_trigger WHERE tgrelid = 'old'::regclass), 0::bigint, 'and the triggers');
INSERT INTO old VALUES (31, 70003, 'taken');
SELECT throws_ok($$SELECT router.attach_child('t', 'old', '{"[70001,70010]"}')$$, '23505', NULL, 'attach_child of a table with a key there is');
DELETE FROM old WHERE id = 31;
SELECT router.attach_child('t', 'old', '{"[70001,70010]"}') \g /dev/null
ALTER TABLE old NO INHERIT t;
SELECT is(test.entries('t'), 'ok', 'NO INHERIT does as detach_child');
SELECT is((SELECT count(*) FROM pg_trigger WHERE tgrelid = 'old'::regclass), 0::bigint, 'triggers as well');
DROP TABLE old;

-- TRUNCATE
:fresh
TRUNCATE t_1_10;
SELECT is(test.entries('t'), 'ok', 'TRUNCATE of a child');
:fresh
TRUNCATE t;
SELECT is((SELECT count(*) FROM t_id_keys), 0::bigint, 'TRUNCATE of all');
INSERT INTO t VALUES (1, 1, 'a'), (2, 11, 'b'), (3, 21, 'c');

-- ------------------------------------------------------ nulls, several keys
CREATE TABLE m (a int, b text COLLATE "C", c numeric, k int);
SELECT router.create_route('m', router.by_integer('k', 10)) \g /dev/null
INSERT INTO m VALUES (1, 'x', 1.0, 1), (1, NULL, 2.0, 1), (NULL, 'x', 3.0, 11), (NULL, 'x', NULL, 11);
SELECT router.add_global_key('m', '{a,b}'), router.add_global_key('m', '{c}', key_table => 'm c keys') \g /dev/null
SELECT is((SELECT count(*) FROM m_a_b_keys) || ' ' || (SELECT count(*) FROM "m c keys"), '1 3', 'rows with a null have no entry');
SELECT is(test.entries('m'), 'ok; ok', 'two keys');
:fresh
INSERT INTO m VALUES (1, NULL, 4, 21), (NULL, NULL, 5, 21);
SELECT is(test.entries('m'), 'ok; ok', 'nulls are distinct');
:fresh
SELECT throws_ok($$INSERT INTO m VALUES (1, 'x', 6, 21)$$, '23505', 'duplicate key value violates unique constraint "m_a_b_key"', 'the first key');
:fresh
SELECT throws_ok($$INSERT INTO m VALUES (2, 'x', 2.00, 21)$$, '23505', 'duplicate key value violates unique constraint "m_c_key"', 'the second key');
:fresh
UPDATE m SET b = 'y' WHERE c = 2;
UPDATE m SET c = 7.00 WHERE c = 3;
SELECT is(test.entries('m'), 'ok; ok', 'from null to a value');
:fresh
UPDATE m SET a = NULL WHERE b = 'y';
UPDATE m SET c = NULL;
SELECT is(test.entries('m'), 'ok; ok', 'and back');
SELECT router.drop_global_key('m', '{c}') \g /dev/null
SELECT is(test.entries('m'), 'ok', 'one of two is dropped');
SELECT throws_ok($$INSERT INTO m VALUES (1, 'x', 1, 21)$$, '23505', NULL, 'the other one works on');

-- ------------------------------------------------------------------ rebuild
ALTER TABLE t_1_10 DISABLE TRIGGER ALL;
INSERT INTO t_1_10 VALUES (100, 2, 'unseen');
DELETE FROM t_1_10 WHERE id = 1;
ALTER TABLE t_1_10 ENABLE TRIGGER ALL;
DROP TRIGGER "~router_key_truncate" ON t_11_20;
SELECT is((SELECT string_agg(DISTINCT tgenabled::text, '') FROM pg_trigger WHERE tgrelid = 't_1_10'::regclass AND tgname ~ '^~router'), 'A', 'ENABLE TRIGGER ALL of a child leaves router''s own ENABLE ALWAYS');
ALTER TABLE t ENABLE TRIGGER ALL;
SELECT is((SELECT string_agg(DISTINCT tgenabled::text, '') FROM pg_trigger WHERE tgrelid IN ('t'::regclass, 't_1_10'::regclass, 't_11_20'::regclass) AND tgname ~ 'router'), 'A', 'of a base, too');
SELECT is(test.entries('t'), '1 missing, 1 orphans, 0 duplicates', 'check_global_key sees what went past the triggers');
SELECT isnt_empty($$SELECT router.rebuild_global_key('t', '{id}')$$, 'rebuild_global_key');
SELECT is(test.entries('t'), 'ok', 'mends it');
SELECT is((SELECT count(*) FROM pg_trigger WHERE tgrelid = 't_11_20'::regclass AND tgname ~ '^~router_key'), 2::bigint, 'and brings back triggers');
SELECT is_empty($$SELECT router.rebuild_global_key('t', '{id}')$$, 'there is nothing to mend then');

-- ---------------------------------------------------------------------- end
SELECT throws_ok($$SELECT router.drop_route('t')$$, '2BP01', NULL, 'drop_route of a table with a global key');
SELECT throws_ok('DROP TABLE t_id_keys', '2BP01', NULL, 'DROP TABLE of the key table');
SELECT isnt_empty($$SELECT router.drop_global_key('t', '{id}', dry_run => true)$$, 'drop_global_key, dry_run');
SELECT router.drop_global_key('t', '{id}') \g /dev/null
SELECT is((SELECT count(*) FROM pg_trigger WHERE tgname ~ '^~router_key' AND tgrelid::regclass::text ~ '^t'), 0::bigint, 'drop_global_key takes the triggers away');
:fresh
INSERT INTO t VALUES (2, 1, 'again');
SELECT is((SELECT count(*) FROM t WHERE id = 2), 2::bigint, 'and the key is no longer unique');
DROP TABLE m CASCADE;
SELECT is(to_regclass('m_a_b_keys'), NULL, 'DROP TABLE of the base takes the key table along');
SELECT is((SELECT count(*) FROM router.global_key_def), 0::bigint, 'and the catalog forgets it');
-- names: the constraint's own is taken by the base's UNIQUE, as ever
CREATE TABLE two (id int PRIMARY KEY, f1 int UNIQUE, a int, b int, c int, CONSTRAINT ba UNIQUE (b, a));
CREATE UNIQUE INDEX part ON two (c) WHERE a > 0;
SELECT router.create_route('two', router.by_hash('id', 3)) \g /dev/null
SELECT router.add_global_key('two', '{f1}'), router.add_global_key('two', '{a,b}'), router.add_global_key('two', '{c}', key_table => 'c of two') \g /dev/null
SELECT is((SELECT string_agg(constraint_name, ' ' ORDER BY key_table::text) FROM router.global_keys WHERE base = 'two'::regclass), 'two_c_key two_a_b_key two_f1_key1', 'the first name that is free');
INSERT INTO two VALUES (1, 1, 1, 1, 1);
SELECT throws_ok($$INSERT INTO two VALUES (2, 1, 2, 2, 2)$$, '23505', 'duplicate key value violates unique constraint "two_f1_key1"', 'which the error has');
SELECT is((SELECT string_agg(coalesce(router.base_constraint(key_table, constraint_name), 'none'), ' ' ORDER BY key_table::text) FROM router.global_keys WHERE base = 'two'::regclass), 'none ba two_f1_key', 'base_constraint tells what the base has over these columns');
SELECT is(router.base_constraint('two_f1_keys', 'nope'), NULL, 'and of no other name');
SELECT * FROM finish();
