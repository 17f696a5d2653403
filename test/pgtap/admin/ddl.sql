-- What happens to a route when its tables are renamed, moved, altered or dropped.
\ir ../../include/helpers.sql
\set tests 57
SELECT plan(:tests);

CREATE FUNCTION test.stale() RETURNS text LANGUAGE sql AS $$
    SELECT (SELECT count(*) FROM router.route_def r WHERE NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = r.base)) || '/' ||
           (SELECT count(*) FROM router.key_def k WHERE NOT EXISTS (SELECT FROM router.route_def r WHERE r.base = k.base)) || '/' ||
           (SELECT count(*) FROM router.child_def d WHERE NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = d.child) OR NOT EXISTS (SELECT FROM router.route_def r WHERE r.base = d.base))
$$;
CREATE SCHEMA other;
CREATE SCHEMA third;
CREATE TABLE t (id int, d date, v text, PRIMARY KEY (id, d));
SELECT router.create_route('t', router.by_date('d', 'month')) \g /dev/null
INSERT INTO t VALUES (1, '2024-01-01', 'a');

-- --------------------------------------------------------------- renames
ALTER TABLE t RENAME COLUMN d TO day;
:fresh
INSERT INTO t VALUES (2, '2024-01-02', 'b'), (3, '2024-02-02', 'c');
SELECT is(test.homes('t'), 't_y2024m01: 2, t_y2024m02: 1', 'the key column was renamed');
SELECT is((SELECT keys::text FROM router.routes WHERE base = 't'::regclass), '{"date(day, month)"}', 'router.routes shows its new name');
SELECT matches(test.home_check('t_y2024m02'), 'day >= ', 'so do the CHECKs of new children');
ALTER TABLE t RENAME COLUMN day TO "Day of ""week""";
:fresh
INSERT INTO t VALUES (4, '2024-03-02', 'd');
SELECT is(test.homes('t_y2024m03'), 't_y2024m03: 1', 'to a name with quotes');
BEGIN;
ALTER TABLE t RENAME COLUMN "Day of ""week""" TO d;
INSERT INTO t VALUES (5, '2024-04-02', 'e');
SELECT is((SELECT count(*) FROM t WHERE d = '2024-04-02'), 1::bigint, 'in the same transaction');
ROLLBACK;
INSERT INTO t VALUES (5, '2024-04-02', 'e');
SELECT is(test.homes('t_y2024m04'), 't_y2024m04: 1', 'and rolled back');
ALTER TABLE t RENAME COLUMN "Day of ""week""" TO d;
-- two columns change names with each other
CREATE TABLE swap (a int, b int);
SELECT router.create_route('swap', router.by_integer('a', 10)) \g /dev/null
INSERT INTO swap VALUES (1, 100);
BEGIN;
ALTER TABLE swap RENAME a TO x;
ALTER TABLE swap RENAME b TO a;
ALTER TABLE swap RENAME x TO b;
COMMIT;
:fresh
INSERT INTO swap (b, a) VALUES (2, 200);
SELECT is(test.homes('swap'), 'swap_1_10: 2', 'two columns change names: the key is the column, not its name');
SELECT is((SELECT keys::text FROM router.routes WHERE base = 'swap'::regclass), '{"integer(b, 10)"}', 'and router.routes knows');

ALTER TABLE t RENAME TO renamed;
:fresh
INSERT INTO renamed VALUES (6, '2024-05-05', 'f'), (7, '2024-01-05', 'g');
SELECT is(test.homes('renamed'), 'renamed_y2024m05: 1, t_y2024m01: 3, t_y2024m02: 1, t_y2024m03: 1, t_y2024m04: 1', 'the base was renamed: old children are found, new ones take the new name');
ALTER TABLE t_y2024m01 RENAME TO january;
ALTER TABLE t_y2024m02 SET SCHEMA other;
:fresh
INSERT INTO renamed VALUES (8, '2024-01-08', 'h'), (9, '2024-02-08', 'i');
SELECT is(test.homes('january') || ' ' || test.homes('other.t_y2024m02'), 'january: 4 other.t_y2024m02: 2', 'children were renamed and moved to another schema');
ALTER TABLE renamed SET SCHEMA third;
:fresh
INSERT INTO third.renamed VALUES (10, '2024-06-05', 'j'), (11, '2024-01-09', 'k');
SELECT is((SELECT string_agg(tableoid::regclass::text, ' ' ORDER BY id) FROM third.renamed WHERE id > 9), 'third.renamed_y2024m06 third.january', 'the base moved to another schema: so did children that stood with it, and new ones stand there');
SELECT is(test.homes('other.t_y2024m02'), 'other.t_y2024m02: 2', 'a child that stood elsewhere did not');
ALTER SCHEMA third RENAME TO fourth;
:fresh
INSERT INTO fourth.renamed VALUES (12, '2024-07-05', 'l');
SELECT is((SELECT tableoid::regclass::text FROM fourth.renamed WHERE id = 12), 'fourth.renamed_y2024m07', 'its schema was renamed');
ALTER TABLE fourth.renamed SET SCHEMA public;
ALTER TABLE renamed RENAME TO t;
SELECT is(test.strays('t'), 'none', 'all home');
SELECT test.role('router_d_owner') \g /dev/null
GRANT CREATE ON SCHEMA public TO router_d_owner;
ALTER TABLE t OWNER TO router_d_owner;
:fresh
INSERT INTO t VALUES (13, '2024-08-05', 'm');
SELECT is((SELECT relowner::regrole::text FROM pg_class WHERE oid = 't_y2024m08'::regclass), 'router_d_owner', 'the base has a new owner: so have new children');

-- ------------------------------------------------------------ columns
SELECT throws_ok('ALTER TABLE t DROP COLUMN d', '2BP01', NULL, 'a key column cannot be dropped');
SELECT throws_ok('ALTER TABLE t DROP COLUMN d CASCADE', '2BP01', NULL, 'not even with CASCADE');
SELECT is((SELECT count(*) FROM t WHERE d = '2024-08-05'), 1::bigint, 'it is still there');
ALTER TABLE t DROP COLUMN v;
ALTER TABLE t ADD COLUMN w text DEFAULT 'w';
SELECT is((SELECT count(*) FROM pg_inherits i JOIN pg_attribute a ON a.attrelid = i.inhrelid AND a.attname IN ('v', 'w') AND NOT attisdropped WHERE inhparent = 't'::regclass), (SELECT count(*) FROM router.children WHERE base = 't'::regclass), 'other columns can, in all children');
:fresh
INSERT INTO t VALUES (14, '2024-09-05'), (15, '2024-01-05');
SELECT is((SELECT string_agg(w, '') FROM t WHERE id IN (14, 15)), 'ww', 'a column was added');
SELECT isnt(test.outcome($$ALTER TABLE t ALTER COLUMN d TYPE text$$), 'crash', 'the key column gets a type that it cannot have');
:fresh
SELECT ok(test.outcome($$INSERT INTO t (id, d) VALUES (16, '2024-01-06')$$) ~ '^(done|[0-9A-Z]{5}: )', 'the server is still there');
-- two routed levels, a column in the middle
CREATE TABLE lev (a int, b int, c int, d date);
SELECT router.create_route('lev', ARRAY[router.by_list('a'), router.by_date('d', 'year')]) \g /dev/null
INSERT INTO lev VALUES (1, 2, 3, '2024-01-01');
ALTER TABLE lev DROP COLUMN b;
SELECT throws_ok('ALTER TABLE lev DROP COLUMN a', '2BP01', NULL, 'the column of an outer level cannot be dropped');
SELECT throws_ok('ALTER TABLE lev DROP COLUMN d', '2BP01', NULL, 'nor that of an inner level');
:fresh
INSERT INTO lev VALUES (1, 3, '2024-01-02'), (2, 3, '2024-01-02');
SELECT is(test.homes('lev'), 'lev_1_y2024: 2, lev_2_y2024: 1', 'a column between them can');

-- ------------------------------------------------------------------ drops
CREATE TABLE dr (k int, v text);
SELECT router.create_route('dr', router.by_integer('k', 10)) \g /dev/null
INSERT INTO dr SELECT i, 'x' FROM generate_series(1, 40) i;
DROP TABLE dr_11_20;
SELECT is(test.children('dr'), 'dr_1_10, dr_21_30, dr_31_40', 'a child was dropped: the catalog forgets it');
SELECT is(test.stale(), '0/0/0', 'no stale row');
:fresh
INSERT INTO dr VALUES (15, 'again');
SELECT is(test.homes('dr_11_20'), 'dr_11_20: 1', 'it comes again when it is needed');
:fresh
INSERT INTO dr VALUES (16, 'warm');
BEGIN;
DROP TABLE dr_11_20;
INSERT INTO dr VALUES (17, 'in the same transaction');
SELECT is(test.homes('dr_11_20'), 'dr_11_20: 1', 'dropped and created in one transaction');
ROLLBACK;
SELECT is(test.homes('dr_11_20'), 'dr_11_20: 2', 'and rolled back');
INSERT INTO dr VALUES (18, 'after');
SELECT is(test.homes('dr_11_20') || ' ' || test.children('dr'), 'dr_11_20: 3 dr_11_20, dr_1_10, dr_21_30, dr_31_40', 'the old child is the home again');
TRUNCATE dr;
INSERT INTO dr VALUES (1, 'after truncate');
SELECT is(test.homes('dr'), 'dr_1_10: 1', 'TRUNCATE base empties all children; rows come as before');
ALTER TABLE dr_21_30 NO INHERIT dr;
SELECT is((SELECT count(*) FROM router.child_def WHERE child = 'dr_21_30'::regclass), 0::bigint, 'NO INHERIT: the child is forgotten');
:fresh
INSERT INTO dr VALUES (25, 'new home');
SELECT is((SELECT count(*) FROM dr_21_30), 0::bigint, 'NO INHERIT: its rows go elsewhere');
SELECT is((SELECT count(*) FROM dr WHERE k = 25), 1::bigint, 'namely to another child of the base');
BEGIN;
ALTER TABLE dr_31_40 NO INHERIT dr;
ROLLBACK;
INSERT INTO dr VALUES (35, 'still');
SELECT is(test.homes('dr_31_40'), 'dr_31_40: 1', 'NO INHERIT rolled back: still a child');
SELECT is(test.outcome('DROP TABLE dr'), 'done', 'the base goes with its children');
SELECT is(test.stale(), '0/0/0', 'DROP TABLE base: no stale row');
SELECT is((SELECT count(*) FROM router.child_def WHERE base = 'swap'::regclass), 1::bigint, 'and other routes are as they were');
CREATE TABLE dr (k int);
:fresh
INSERT INTO dr VALUES (1);
SELECT is(test.homes('dr'), 'dr: 1', 'a new table of the same name is not routed');
CREATE SCHEMA doomed;
CREATE TABLE doomed.a (k int);
CREATE TABLE doomed.b (k int);
SELECT router.create_route('doomed.a', router.by_list('k')) \g /dev/null
SELECT router.create_route('doomed.b', router.by_list('k')) \g /dev/null
INSERT INTO doomed.a SELECT generate_series(1, 5);
INSERT INTO doomed.b SELECT generate_series(1, 5);
:fresh
DROP SCHEMA doomed CASCADE;
SELECT is(test.stale(), '0/0/0', 'DROP SCHEMA CASCADE: no stale row');
CREATE ROLE router_d_doomed;
CREATE SCHEMA theirs AUTHORIZATION router_d_doomed;
SET ROLE router_d_doomed;
CREATE TABLE theirs.a (k int);
SELECT router.create_route('theirs.a', router.by_list('k')) \g /dev/null
INSERT INTO theirs.a VALUES (1);
RESET ROLE;
DROP OWNED BY router_d_doomed CASCADE;
SELECT is(test.stale(), '0/0/0', 'DROP OWNED: no stale row');
DROP ROLE router_d_doomed;
-- dropped by a role that may not write router's tables
SELECT test.role('router_d_plain') \g /dev/null
CREATE SCHEMA mine AUTHORIZATION router_d_plain;
SET ROLE router_d_plain;
CREATE TABLE mine.a (k int, w int);
SELECT router.create_route('mine.a', router.by_list('k')) \g /dev/null
INSERT INTO mine.a VALUES (1), (2);
:fresh
SET ROLE router_d_plain;
DROP TABLE mine.a_1;
ALTER TABLE mine.a RENAME COLUMN k TO kk;
ALTER TABLE mine.a_2 NO INHERIT mine.a;
RESET ROLE;
SELECT is(test.stale() || ' ' || test.children('mine.a') || ' ' || (SELECT column_name FROM router.key_def WHERE base = 'mine.a'::regclass), '0/0/0 none kk', 'an ordinary owner drops, renames, disinherits: followed');
SET ROLE router_d_plain;
DROP TABLE mine.a CASCADE;
RESET ROLE;
SELECT is(test.stale(), '0/0/0', 'and drops the base');
CREATE TABLE aborted (k int);
SELECT router.create_route('aborted', router.by_list('k')) \g /dev/null
INSERT INTO aborted VALUES (1);
:fresh
BEGIN;
DROP TABLE aborted CASCADE;
ROLLBACK;
INSERT INTO aborted VALUES (1), (2);
SELECT is(test.homes('aborted'), 'aborted_1: 2, aborted_2: 1', 'DROP of the base rolled back: still routed');

-- ----------------------------------------------- other DDL on base and children
CREATE TABLE x (k int, v text);
SELECT router.create_route('x', router.by_integer('k', 10)) \g /dev/null
INSERT INTO x VALUES (1, 'a');
PREPARE ins AS INSERT INTO x VALUES ($1, $2);
EXECUTE ins (2, 'b');
CREATE INDEX ON x_1_10 (v);
CREATE UNIQUE INDEX ON x_1_10 (k);
EXECUTE ins (3, 'c');
SELECT throws_ok($$INSERT INTO x VALUES (3, 'd')$$, '23505', NULL, 'an index made on a child of its own is maintained');
ALTER TABLE x_1_10 ADD CONSTRAINT short CHECK (length(v) < 5);
SELECT throws_ok($$EXECUTE ins (4, 'too long')$$, '23514', NULL, 'a CHECK made on a child of its own holds');
SELECT lives_ok($$EXECUTE ins (14, 'too long')$$, 'and only there');
VACUUM FULL x_1_10;
CLUSTER x_1_10 USING x_1_10_v_idx;
REINDEX TABLE x_1_10;
EXECUTE ins (5, 'e');
SELECT is((SELECT count(*) FROM x_1_10), 4::bigint, 'VACUUM FULL, CLUSTER, REINDEX of a child in between');
ALTER TABLE x_1_10 SET UNLOGGED;
ALTER TABLE x_1_10 ALTER COLUMN v SET NOT NULL;
SELECT throws_ok($$EXECUTE ins (6, NULL)$$, '23502', NULL, 'NOT NULL of a child of its own holds');
SELECT lives_ok($$EXECUTE ins (16, NULL)$$, 'and only there');
-- the CHECK of a child is dropped by hand: nothing breaks
ALTER TABLE x_1_10 DROP CONSTRAINT router_home;
:fresh
INSERT INTO x VALUES (7, 'f');
SELECT is((SELECT tableoid::regclass::text FROM x WHERE k = 7), 'x_1_10', 'a child whose CHECK was dropped by hand still gets its rows');
-- triggers are there, disabled, gone
ALTER TABLE x DISABLE TRIGGER USER;
:fresh
SELECT ok(test.outcome($$INSERT INTO x VALUES (8, 'g')$$) ~ '^(done|[0-9A-Z]{5}: )', 'triggers disabled by hand: no crash');
ALTER TABLE x ENABLE TRIGGER USER;
-- the extension goes and comes
DROP EXTENSION router CASCADE;
SELECT is((SELECT count(*) FROM pg_trigger WHERE tgname LIKE '%router%'), 0::bigint, 'DROP EXTENSION … CASCADE takes the triggers');
SELECT ok((SELECT count(*) FROM pg_inherits WHERE inhparent = 'x'::regclass) = 2, 'and leaves the children');
INSERT INTO x VALUES (9, 'h');
SELECT is((SELECT count(*) FROM x WHERE k = 9), 1::bigint, 'rows still go in, in the same session');
:fresh
INSERT INTO x VALUES (19, 'h');
SELECT is((SELECT count(*) FROM x WHERE k = 19), 1::bigint, 'and in a new one, preloaded or not');

SELECT * FROM finish();
