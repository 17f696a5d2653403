-- Foreign keys that refer to a routed table by its global key; rights; DDL on such a table. Checklist F7, B10, D7.
\ir ../../include/helpers.sql
\set tests 67
SELECT plan(:tests);

-- ----------------------------------------- a table that foreign keys refer to
CREATE TABLE reading (id bigint PRIMARY KEY, read_at date NOT NULL, value int);
CREATE TABLE alarm (id int PRIMARY KEY, reading_id bigint REFERENCES reading ON DELETE CASCADE);
INSERT INTO reading SELECT i, '2024-01-01'::date + i, i FROM generate_series(1, 100) i;
INSERT INTO alarm SELECT i, i FROM generate_series(1, 100, 10) i;
SELECT ok(test.hint($$SELECT router.create_route('reading', router.by_date('read_at', 'month'), move_rows => true)$$) ~ 'add_global_key', 'create_route names add_global_key');
BEGIN;
ALTER TABLE alarm DROP CONSTRAINT alarm_reading_id_fkey;
SELECT router.create_route('reading', router.by_date('read_at', 'month'), move_rows => true) \g /dev/null
SELECT router.add_global_key('reading', '{id}') \g /dev/null
ALTER TABLE alarm ADD CONSTRAINT alarm_reading_id_fkey FOREIGN KEY (reading_id) REFERENCES reading_id_keys ON DELETE CASCADE;
COMMIT;
SELECT is(test.entries('reading'), 'ok', 'the recipe, in one transaction');
:fresh
INSERT INTO alarm VALUES (200, 5);
SELECT throws_ok('INSERT INTO alarm VALUES (201, 500)', '23503', NULL, 'a row that there is not');
:fresh
DELETE FROM reading WHERE id = 11;
SELECT is((SELECT count(*) FROM alarm WHERE reading_id = 11), 0::bigint, 'ON DELETE CASCADE');
:fresh
DELETE FROM reading WHERE read_at < '2024-02-01';
SELECT is((SELECT min(reading_id) FROM alarm), 31::bigint, 'of many rows');
SELECT is(test.entries('reading'), 'ok', 'entries are right');
:fresh
SELECT throws_ok('UPDATE reading SET id = 1031 WHERE id = 31', '23503', NULL, 'ON UPDATE NO ACTION');
SELECT lives_ok('UPDATE reading SET id = 31, value = 0 WHERE id = 31', 'a key that stays is no update');
INSERT INTO reading VALUES (300, '2024-05-05', 1);
:fresh
WITH r AS (INSERT INTO reading VALUES (301, '2024-08-08', 1) RETURNING id) INSERT INTO alarm SELECT 301, id FROM r;
SELECT is((SELECT count(*) FROM alarm WHERE id = 301), 1::bigint, 'both rows in one statement');

-- moves leave referring rows alone (D7)
SELECT router.alter_route('reading', default_child => true, on_missing => 'default') \g /dev/null
INSERT INTO reading VALUES (400, '2030-01-01', 1);
INSERT INTO alarm VALUES (400, 400);
CALL router.redistribute('reading');
SELECT is(test.homes('reading') ~ 'reading_y2030m01: 1', true, 'redistribute moves a row');
SELECT is((SELECT count(*) FROM alarm WHERE id = 400), 1::bigint, 'to which another refers');

-- detach, truncate, drop
:fresh
SELECT throws_ok($$SELECT router.detach_child('reading_y2030m01')$$, '23503', NULL, 'detach_child of rows that are referred to');
SELECT throws_ok('ALTER TABLE reading_y2030m01 NO INHERIT reading', '23503', NULL, 'NO INHERIT as well');
:fresh
SELECT throws_ok('TRUNCATE reading_y2030m01', '0A000', NULL, 'TRUNCATE of a child');
:fresh
SELECT throws_ok('TRUNCATE reading', '0A000', NULL, 'TRUNCATE of the base');
SELECT throws_ok('DROP TABLE reading_y2030m01', '2BP01', NULL, 'DROP of a child');
SELECT throws_ok($$SELECT router.drop_global_key('reading', '{id}')$$, '2BP01', NULL, 'drop_global_key');
SELECT is(test.entries('reading'), 'ok', 'nothing happened');
DELETE FROM alarm WHERE id = 400;
SELECT lives_ok($$SELECT router.detach_child('reading_y2030m01')$$, 'detach_child when nobody refers to its rows');
SELECT is(test.entries('reading'), 'ok', 'entries are right');
SELECT 1 AS loaded FROM router.routes \g /dev/null
SELECT router.premake('reading', 0, dry_run => true) \g /dev/null
BEGIN;
TRUNCATE reading, alarm;
SELECT is((SELECT count(*) FROM reading_id_keys), 0::bigint, 'TRUNCATE with the referring table');
ROLLBACK;
BEGIN;
TRUNCATE reading CASCADE;
SELECT is((SELECT count(*) FROM alarm), 0::bigint, 'TRUNCATE … CASCADE');
ROLLBACK;
SELECT is(test.entries('reading'), 'ok', 'rolled back');

-- other actions
CREATE TABLE p (id int NOT NULL, k int);
SELECT router.create_route('p', router.by_integer('k', 10)), router.add_global_key('p', '{id}') \g /dev/null
INSERT INTO p SELECT i, i FROM generate_series(1, 40) i;
CREATE TABLE r_null (n int, id int REFERENCES p_id_keys ON DELETE SET NULL ON UPDATE CASCADE);
CREATE TABLE r_default (id int DEFAULT 1 REFERENCES p_id_keys ON DELETE SET DEFAULT ON UPDATE SET NULL);
CREATE TABLE r_restrict (id int REFERENCES p_id_keys ON DELETE RESTRICT);
CREATE TABLE r_deferred (id int REFERENCES p_id_keys DEFERRABLE INITIALLY DEFERRED);
INSERT INTO r_null VALUES (1, 11), (2, 12);
INSERT INTO r_default VALUES (11), (13);
INSERT INTO r_restrict VALUES (14);
:fresh
DELETE FROM p WHERE id = 11;
SELECT is((SELECT id FROM r_null WHERE n = 1), NULL, 'ON DELETE SET NULL');
SELECT is((SELECT min(id) FROM r_default), 1, 'ON DELETE SET DEFAULT');
:fresh
UPDATE p SET id = id + 100 WHERE id IN (12, 13);
SELECT is((SELECT id FROM r_null WHERE n = 2), 112, 'ON UPDATE CASCADE');
SELECT is((SELECT count(*) FROM r_default WHERE id IS NULL), 1::bigint, 'ON UPDATE SET NULL');
:fresh
SELECT ok(test.outcome('DELETE FROM p WHERE id = 14') ~ '^23(503|001)', 'ON DELETE RESTRICT');
:fresh
BEGIN;
INSERT INTO r_deferred VALUES (500);
INSERT INTO p VALUES (500, 5);
COMMIT;
SELECT is((SELECT count(*) FROM r_deferred), 1::bigint, 'DEFERRED, the referring row first');
BEGIN;
DELETE FROM p WHERE id = 500;
INSERT INTO p VALUES (500, 25);
COMMIT;
SELECT is((SELECT k FROM p WHERE id = 500), 25, 'DEFERRED, deleted and inserted again');
SELECT is(test.entries('p'), 'ok', 'entries are right');

-- a routed table that refers to itself
CREATE TABLE tree (id int NOT NULL, parent int, k int);
SELECT router.create_route('tree', router.by_list('k')), router.add_global_key('tree', '{id}') \g /dev/null
ALTER TABLE tree ADD FOREIGN KEY (parent) REFERENCES tree_id_keys ON DELETE CASCADE;
INSERT INTO tree VALUES (1, NULL, 1), (2, 1, 2), (3, 2, 3), (4, 3, 1);
INSERT INTO tree VALUES (12, 11, 1), (11, 10, 4), (10, NULL, 4);
SELECT is(test.entries('tree'), 'ok', 'a table that refers to itself, parents last');
SELECT is((SELECT count(*) FROM tree), 7::bigint, 'all rows are there');
SELECT throws_ok('INSERT INTO tree VALUES (20, 99, 5)', '23503', NULL, 'a parent that there is not');
:fresh
DELETE FROM tree WHERE id = 1;
SELECT is((SELECT string_agg(id::text, ' ' ORDER BY id) FROM tree), '10 11 12', 'ON DELETE CASCADE through children');
SELECT is(test.entries('tree'), 'ok', 'entries are right');

-- a key set to null
CREATE TABLE n (id int, k int);
SELECT router.create_route('n', router.by_integer('k', 10)), router.add_global_key('n', '{id}') \g /dev/null
INSERT INTO n VALUES (1, 1), (NULL, 1);
CREATE TABLE rn (id int REFERENCES n_id_keys ON DELETE CASCADE);
INSERT INTO rn VALUES (1);
:fresh
SELECT throws_ok('UPDATE n SET id = NULL', '0A000', NULL, 'a referenced key is not set to null');
DELETE FROM n WHERE id IS NULL;
SELECT is((SELECT count(*) FROM rn), 1::bigint, 'rows with null have no part in it');

-- ------------------------------------------------------------------- rights
SELECT test.role('gk_owner'), test.role('gk_writer'), test.role('gk_blind'), test.role('gk_other');
CREATE SCHEMA s AUTHORIZATION gk_owner;
GRANT USAGE ON SCHEMA s TO PUBLIC;
SET ROLE gk_owner;
CREATE TABLE s.t (id int NOT NULL, k int);
SELECT router.create_route('s.t', router.by_integer('k', 10)), router.add_global_key('s.t', '{id}') \g /dev/null
GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON s.t TO gk_writer;
GRANT INSERT ON s.t TO gk_blind;
RESET ROLE;
SELECT is((SELECT relowner::regrole::text FROM pg_class WHERE oid = 's.t_id_keys'::regclass), 'gk_owner', 'the key table is the owner''s');
:fresh
SET ROLE gk_writer;
INSERT INTO s.t VALUES (1, 1), (2, 11), (3, 21);
UPDATE s.t SET id = 4 WHERE id = 3;
DELETE FROM s.t WHERE id = 4;
SELECT throws_ok('SELECT * FROM s.t_id_keys', '42501', NULL, 'others have no right to the key table');
SELECT throws_ok('INSERT INTO s.t_id_keys VALUES (9)', '42501', NULL, 'nor write to it');
SELECT throws_ok($$SELECT router.add_global_key('s.t', '{k}')$$, '42501', NULL, 'add_global_key is the owner''s');
SELECT throws_ok($$SELECT router.drop_global_key('s.t', '{id}')$$, '42501', NULL, 'drop_global_key too');
SELECT throws_ok($$SELECT router.rebuild_global_key('s.t', '{id}')$$, '42501', NULL, 'rebuild_global_key too');
SELECT throws_ok($$SELECT * FROM router.check_global_key('s.t')$$, '42501', NULL, 'check_global_key too');
SELECT throws_ok('CREATE TRIGGER x AFTER INSERT ON s.t FOR EACH ROW EXECUTE FUNCTION router.keep_global_keys()', '42501', NULL, 'nor make a trigger');
RESET ROLE;
SELECT is(test.entries('s.t'), 'ok', 'a role with rights on the base only: entries are right');

CREATE FUNCTION test.detail(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    detail text;
BEGIN
    EXECUTE command;
    RETURN NULL;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
    RETURN detail;
END $$;
:fresh
SET ROLE gk_writer;
SELECT is(test.detail('INSERT INTO s.t VALUES (1, 25)'), 'Key (id)=(1) already exists.', 'the usual detail for who may read the column');
SET ROLE gk_blind;
SELECT is(test.detail('INSERT INTO s.t VALUES (1, 25)'), '', 'none for who may not');
SELECT is(current_user::text, 'gk_blind', 'the user is the same after it');
RESET ROLE;
:fresh
SET ROLE gk_writer;
TRUNCATE s.t;
RESET ROLE;
SELECT is((SELECT count(*) FROM s.t_id_keys), 0::bigint, 'TRUNCATE by a role without rights on the key table');
ALTER TABLE s.t ENABLE ROW LEVEL SECURITY;
ALTER TABLE s.t FORCE ROW LEVEL SECURITY;
CREATE POLICY p ON s.t USING (id < 100) WITH CHECK (true);
SET ROLE gk_owner;
INSERT INTO s.t VALUES (1, 1), (200, 1);
SELECT router.add_global_key('s.t', '{k,id}') \g /dev/null
SELECT is((SELECT count(*) FROM s.t_k_id_keys), 2::bigint, 'row security hides no row from the key');
SELECT is(test.entries('s.t'), 'ok; ok', 'nor from the check');
RESET ROLE;

-- ---------------------------------------------------------------------- DDL
ALTER TABLE s.t OWNER TO gk_other;
SELECT is((SELECT relowner::regrole::text FROM pg_class WHERE oid = 's.t_id_keys'::regclass), 'gk_other', 'the key table follows the owner');
SELECT throws_ok('ALTER TABLE tree DROP COLUMN id', '2BP01', NULL, 'a column of a global key is not dropped');
SELECT throws_ok('ALTER TABLE tree_id_keys DROP COLUMN id CASCADE', '2BP01', NULL, 'nor one of the key table');
ALTER TABLE tree RENAME id TO number;
ALTER TABLE tree RENAME TO forest;
ALTER TABLE tree_id_keys RENAME TO forest_keys;
SELECT is((SELECT columns::text || key_table FROM router.global_keys WHERE base = 'forest'::regclass), '{number}forest_keys', 'renames');
:fresh
INSERT INTO forest VALUES (30, 12, 6);
SELECT throws_ok('INSERT INTO forest VALUES (30, 12, 7)', '23505', NULL, 'are followed');
ALTER TABLE forest ALTER number TYPE bigint;
SELECT is((SELECT atttypid::regtype::text FROM pg_attribute WHERE attrelid = 'forest_keys'::regclass AND attnum = 1), 'bigint', 'so is a new type');
INSERT INTO forest VALUES (10000000000, 12, 6);
SELECT is(test.entries('forest'), 'ok', 'entries are right');
SELECT is(test.outcome($$ALTER TABLE n ALTER id TYPE text USING 'x' || id$$) ~ '^(23503|42804)', true, 'not when a referring table could not follow');
DELETE FROM rn;
DROP TABLE rn;
ALTER TABLE n ALTER id TYPE text USING 'x' || id;
SELECT is((SELECT id FROM n_id_keys), 'x1', 'USING another value');
ALTER TABLE p ADD COLUMN extra int DEFAULT 5;
SELECT is(test.entries('p'), 'ok', 'columns that are added');

-- another layout, temporary and unlogged tables
CREATE TABLE wide (gone int, extra int, k int, id int NOT NULL);
ALTER TABLE wide DROP COLUMN gone;
INSERT INTO wide VALUES (1, 101, 1001), (2, 102, 1002);
SELECT router.attach_child('p', 'wide', '{"[101,110]"}') \g /dev/null
:fresh
INSERT INTO p (id, k) VALUES (1003, 103);
UPDATE p SET id = 1004 WHERE id = 1002;
DELETE FROM p WHERE id = 1001;
SELECT is(test.entries('p'), 'ok', 'a child with another layout');
CREATE TEMP TABLE tmp (id int, k int);
SELECT router.create_route('tmp', router.by_integer('k', 10)), router.add_global_key('tmp', '{id}') \g /dev/null
INSERT INTO tmp VALUES (1, 1);
SELECT throws_ok('INSERT INTO tmp VALUES (1, 11)', '23505', NULL, 'a temporary table');
SELECT is((SELECT relpersistence::text FROM pg_class WHERE relname = 'tmp_id_keys'), 't', 'has a temporary key table');
CREATE UNLOGGED TABLE ul (id int, k int);
SELECT router.create_route('ul', router.by_integer('k', 10)), router.add_global_key('ul', '{id}') \g /dev/null
SELECT is((SELECT relpersistence::text FROM pg_class WHERE relname = 'ul_id_keys'), 'u', 'an unlogged one an unlogged one');
DROP TABLE tmp, ul CASCADE;
SELECT * FROM finish();
