-- DROP TABLE of a base: its children go along, what else depends on one stops it.
\ir ../../include/helpers.sql
\set tests 48
SELECT plan(:tests);

CREATE FUNCTION test.make(name text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE TABLE %I (i int, id int)', name);
    PERFORM router.create_route(name::regclass, router.by_list('i'));
    EXECUTE format('INSERT INTO %I VALUES (1, 1), (2, 2)', name);
END $$;
CREATE FUNCTION test.tables(pattern text) RETURNS text LANGUAGE sql AS $$
    SELECT coalesce(string_agg(relname, ' ' ORDER BY relname), 'none') FROM pg_class WHERE relname ~ pattern AND relkind IN ('r', 'f')
$$;
-- children that would go with a base by themselves: none outside of DROP TABLE
CREATE FUNCTION test.automatic() RETURNS bigint LANGUAGE sql AS $$
    SELECT count(*) FROM pg_depend WHERE classid = 'pg_class'::regclass AND refclassid = 'pg_class'::regclass AND objsubid = 0 AND refobjsubid = 0
       AND deptype = 'a' AND EXISTS (SELECT FROM pg_inherits WHERE inhparent = refobjid)
$$;

SELECT test.make('a') \g /dev/null
:fresh
SELECT is(test.outcome('DROP TABLE a'), 'done', 'without CASCADE');
SELECT is(test.tables('^a($|_)'), 'none', 'the children are gone');
SELECT is_empty('SELECT FROM router.child_def', 'and forgotten');
SELECT test.make('a'), test.make('b'), test.make('c') \g /dev/null
:fresh
DROP TABLE IF EXISTS a, nothing, b_1, b;
SELECT is(test.tables('^[ab](_|$)'), 'none', 'several, one with a child of its own name');
DO $$ BEGIN DROP TABLE c; END $$;
SELECT is(test.tables('^c(_|$)'), 'none', 'in a function');

-- what else depends on a child stops it, and leaves everything as it was
SELECT test.make('v') \g /dev/null
CREATE VIEW vv AS SELECT * FROM v_1;
:fresh
SELECT throws_ok('DROP TABLE v', '2BP01', NULL, 'a view of a child');
SELECT is(test.tables('^v(_|$)'), 'v v_1 v_2', 'nothing is gone');
SELECT is(test.automatic(), 0::bigint, 'nothing is different');
BEGIN;
DROP TABLE v CASCADE;
SELECT is((SELECT count(*) FROM pg_class WHERE relname = 'vv'), 0::bigint, 'CASCADE takes it, too');
ROLLBACK;
SELECT is(test.automatic(), 0::bigint, 'nor after a rollback');
DROP VIEW vv;
CREATE VIEW vv AS SELECT * FROM v;
SELECT throws_ok('DROP TABLE v', '2BP01', NULL, 'a view of the base');
DROP VIEW vv;
ALTER TABLE v_2 ADD PRIMARY KEY (id);
CREATE TABLE refers (id int REFERENCES v_2);
SELECT throws_ok('DROP TABLE v', '2BP01', NULL, 'a foreign key to a child');
DROP TABLE refers;
CREATE TABLE grandchild () INHERITS (v_1);
SELECT throws_ok('DROP TABLE v', '2BP01', NULL, 'what inherits from a child');
DROP TABLE grandchild;
CREATE TABLE stray () INHERITS (v);
SELECT throws_ok('DROP TABLE v', '2BP01', NULL, 'what inherits from the base and is no child of the route');
DROP TABLE stray;
CREATE TABLE other (i int, id int);
ALTER TABLE v_1 INHERIT other;
SELECT throws_ok('DROP TABLE v', '2BP01', NULL, 'another parent of a child');
SELECT is(test.automatic(), 0::bigint, 'again nothing is different');
ALTER TABLE v_1 NO INHERIT other;
BEGIN;
DECLARE c CURSOR FOR SELECT * FROM v;
FETCH c;
SELECT throws_ok('DROP TABLE v', '55006', NULL, 'a cursor on it');
ROLLBACK;
SELECT is(test.outcome('DROP TABLE v'), 'done', 'then it goes');

-- global keys
SELECT test.make('g') \g /dev/null
SELECT router.add_global_key('g', '{id}') \g /dev/null
CREATE TABLE refers (id int REFERENCES g_id_keys);
SELECT throws_ok('DROP TABLE g', '2BP01', NULL, 'a foreign key to a global key');
SELECT throws_ok('DROP TABLE g_1', '2BP01', NULL, 'a child with a global key by itself');
DROP TABLE refers;
SELECT is(test.outcome('DROP TABLE g'), 'done', 'a global key');
SELECT is(test.tables('^g(_|$)'), 'none', 'goes along');

-- children that left, by whatever way, stay
SELECT test.make('l') \g /dev/null
INSERT INTO l VALUES (3, 3), (4, 4), (5, 5);
SELECT router.detach_child('l_1') \g /dev/null
ALTER TABLE l_2 NO INHERIT l;
ALTER EVENT TRIGGER router_on_ddl_end DISABLE;
ALTER TABLE l_3 NO INHERIT l;
ALTER EVENT TRIGGER router_on_ddl_end ENABLE;
BEGIN;
SELECT router.detach_child('l_4') \g /dev/null
DROP TABLE l;
COMMIT;
SELECT is(test.tables('^l(_|$)'), 'l_1 l_2 l_3 l_4', 'those that left stay');
SELECT is((SELECT count(*) FROM l_3), 1::bigint, 'with their rows');
DROP TABLE l_1, l_2, l_3, l_4;
SELECT test.make('r') \g /dev/null
SELECT router.drop_route('r') \g /dev/null
SELECT throws_ok('DROP TABLE r', '2BP01', NULL, 'children of a route that was ended are ordinary children');
SELECT is(test.outcome('DROP TABLE r CASCADE'), 'done', 'which CASCADE drops');
SELECT test.make('r') \g /dev/null
BEGIN;
DROP EXTENSION router CASCADE;
SELECT throws_ok('DROP TABLE r', '2BP01', NULL, 'so are they without the extension');
ROLLBACK;
ALTER EVENT TRIGGER router_on_ddl_start DISABLE;
SELECT throws_ok('DROP TABLE r', '2BP01', NULL, 'and without event triggers');
ALTER EVENT TRIGGER router_on_ddl_start ENABLE;
SELECT is(test.outcome('DROP TABLE r'), 'done', 'with them it goes');
SELECT is_empty($$SELECT FROM router.check()$$, 'no complaints');

-- attached, foreign, default children; a hot base
SELECT test.make('f') \g /dev/null
CREATE FOREIGN DATA WRAPPER nothing;
CREATE SERVER nowhere FOREIGN DATA WRAPPER nothing;
CREATE FOREIGN TABLE far (i int, id int) SERVER nowhere;
CREATE TABLE near (i int, id int);
INSERT INTO near VALUES (8, 8);
SELECT router.attach_child('f', 'far', ARRAY['{7}']), router.attach_child('f', 'near', ARRAY['{8}']) \g /dev/null
SELECT router.alter_route('f', default_child => true) \g /dev/null
SELECT is(test.outcome('DROP TABLE f'), 'done', 'foreign, attached and default children');
SELECT is(test.tables('^(far|near|f|f_.*)$'), 'none', 'go along');
CREATE TABLE hot (at timestamptz NOT NULL);
SELECT router.create_route('hot', router.by_date('at', 'month'), time_zone => 'UTC', hot => '7 days') \g /dev/null
INSERT INTO hot VALUES (now()), ('2020-01-01');
SELECT is(test.outcome('DROP TABLE hot'), 'done', 'a hot base');
CREATE TEMP TABLE tmp (i int);
SELECT router.create_route('tmp', router.by_list('i')) \g /dev/null
INSERT INTO tmp VALUES (1);
SELECT is(test.outcome('DROP TABLE tmp'), 'done', 'a temporary base');
SELECT is(test.tables('^tmp'), 'none', 'with its children');

-- what an interrupted move_child leaves is no child, and nobody's
SELECT test.make('m') \g /dev/null
SELECT format('CREATE TABLE router_bridge_%s (CHECK (false) NO INHERIT) INHERITS (m)', 'm'::regclass::oid) \gexec
SELECT format('UPDATE pg_class SET relrewrite = ''m''::regclass WHERE oid = ''router_bridge_%s''::regclass', 'm'::regclass::oid) \gexec
SELECT format('ALTER TABLE m_1 INHERIT router_bridge_%s', 'm'::regclass::oid) \gexec
SELECT is(remedy, 'router.move_child once more, of any child of the base, which drops it', 'router.check knows it') FROM router.check('m');
SELECT is(test.outcome('DROP TABLE m'), 'done', 'the bridge of a move that was interrupted');
SELECT is(test.tables('^(m|m_.*|router_bridge.*)$'), 'none', 'goes as well');

-- who may
SELECT test.role('drop340_a'), test.role('drop340_b'), test.role('drop340_s') \g /dev/null
CREATE SCHEMA s AUTHORIZATION drop340_s;
GRANT USAGE, CREATE ON SCHEMA s TO drop340_a, drop340_b;
SET ROLE drop340_a;
CREATE TABLE s.t (i int);
SELECT router.create_route('s.t', router.by_list('i')) \g /dev/null
INSERT INTO s.t VALUES (1), (2);
RESET ROLE;
ALTER TABLE s.t_2 OWNER TO drop340_b;
SET ROLE drop340_b;
SELECT throws_ok('DROP TABLE s.t', '42501', NULL, 'the owner of a child may not drop the base');
RESET ROLE;
SELECT is(test.automatic(), 0::bigint, 'and changes nothing');
BEGIN;
SET ROLE drop340_s;
SELECT is(test.outcome('DROP TABLE s.t'), 'done', 'the owner of the schema may');
ROLLBACK;
SET ROLE drop340_a;
SELECT is(test.outcome('DROP TABLE s.t'), 'done', 'the owner of the base may, whosever a child is, as with partitions');
RESET ROLE;
SELECT is(test.tables('^t(_|$)'), 'none', 'all of it');

-- other commands that drop tables
SELECT test.make('x') \g /dev/null
CREATE SCHEMA s2;
ALTER TABLE x SET SCHEMA s2;
SELECT throws_ok('DROP SCHEMA s2', '2BP01', NULL, 'DROP SCHEMA wants CASCADE for any table');
DROP SCHEMA s2 CASCADE;
SELECT is(test.tables('^x(_|$)'), 'none', 'and then takes all');
SET ROLE drop340_a;
CREATE TABLE s.t (i int);
SELECT router.create_route('s.t', router.by_list('i')) \g /dev/null
INSERT INTO s.t VALUES (1), (2);
RESET ROLE;
SELECT is(test.outcome('DROP OWNED BY drop340_a'), 'done', 'DROP OWNED');
SELECT is(test.tables('^t(_|$)'), 'none', 'drops all that is owned');
SELECT is_empty('SELECT base, child::text FROM router.child_def UNION ALL SELECT base, NULL FROM router.route_def', 'nothing is left in the catalog');
SELECT * FROM finish();
