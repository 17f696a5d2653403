-- Where children live: child_schema. Checklist: every way a child is made, who writes, rights, moves, schemas that are renamed or dropped, sets that are adopted.
\ir ../../include/helpers.sql
\set tests 65
SELECT plan(:tests);
SELECT test.role('router_cs_owner'), test.role('router_cs_writer'), test.role('router_cs_other') \g /dev/null
CREATE SCHEMA app AUTHORIZATION router_cs_owner;
CREATE SCHEMA "Parts" AUTHORIZATION router_cs_owner;
CREATE SCHEMA decoy;
GRANT USAGE ON SCHEMA app, decoy TO router_cs_writer;
SET search_path = app, public;

-- In which schemas the children of a base are: 'app 2, Parts 3'.
CREATE FUNCTION test.schemas(base regclass) RETURNS text LANGUAGE sql AS $$
    SELECT coalesce(string_agg(nspname || ' ' || n, ', ' ORDER BY nspname), 'none') FROM (
           SELECT nspname, count(*) AS n FROM router.children c JOIN pg_class k ON k.oid = c.child JOIN pg_namespace s ON s.oid = k.relnamespace WHERE c.base = $1 GROUP BY 1) s
$$;
-- The same of what belongs to them.
CREATE FUNCTION test.index_schemas(base regclass) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(DISTINCT relnamespace::regnamespace::text, ', ') FROM router.children c JOIN pg_index ON indrelid = c.child JOIN pg_class ON oid = indexrelid WHERE c.base = $1
$$;

-- ------------------------------------------------------ every way to a child
SET ROLE router_cs_owner;
CREATE TABLE residence (id int PRIMARY KEY);
INSERT INTO residence SELECT generate_series(0, 20);
CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY, r int REFERENCES residence ON DELETE CASCADE, d date, v text, PRIMARY KEY (r, d, id));
CREATE INDEX t_v ON t (v);
CREATE STATISTICS t_stat ON v, id FROM t;
GRANT SELECT, INSERT, UPDATE, DELETE ON t TO router_cs_writer;
SELECT is(ARRAY(SELECT router.create_route('t', ARRAY[router.by_list('r'), router.by_date('d', 'year')], default_child => true, time_zone => 'UTC', child_schema => 'Parts', dry_run => true)),
    ARRAY['would route app.t by list(r), date(d)', 'would create the default child'], 'a dry run');
SELECT router.create_route('t', ARRAY[router.by_list('r'), router.by_date('d', 'year')], default_child => true, time_zone => 'UTC', child_schema => 'Parts') \g /dev/null
SELECT is((SELECT child_schema FROM router.routes WHERE base = 't'::regclass), 'Parts', 'router.routes tells');
SELECT is(test.children('t'), '"Parts".t_default', 'the default child');
SELECT router.create_child('t', ARRAY['{1}', '[2020-01-01,2021-01-01)']) \g /dev/null
SELECT router.create_child('t', ARRAY['{1}', '[2021-01-01,2022-01-01)'], 'By_hand') \g /dev/null
SELECT router.create_child('t', '1', '2022-05-05') \g /dev/null
SELECT router.premake('t', 1) \g /dev/null
SELECT is(test.schemas('t'), 'Parts 6', 'create_child with bounds, with a name, with values, premake');
SELECT is(ARRAY(SELECT router.create_child('t', ARRAY['{1}', '[2030-01-01,2031-01-01)'], dry_run => true)), ARRAY['would create child "Parts".t_1_y2030 for {1} [2030-01-01,2031-01-01)'], 'a dry run says where');
RESET ROLE;

-- a writer without a right on that schema, whose search_path has children's names elsewhere
CREATE TABLE decoy.t_2_y2020 (r int);
CREATE TABLE decoy.t_default (r int);
:fresh
SET search_path = decoy, app, public;
SET SESSION AUTHORIZATION router_cs_writer;
SELECT ok(NOT has_schema_privilege('Parts', 'USAGE'), 'a writer may not look into the schema');
INSERT INTO t (r, d, v) VALUES (2, '2020-01-01', 'inserted');
INSERT INTO t (r, d, v) SELECT r, d, 'many' FROM generate_series(3, 5) r, generate_series(date '2020-01-01', '2022-01-01', '1 year') d;
COPY t (r, d, v) FROM STDIN;
6	2020-01-01	copied
\.
UPDATE t SET r = 7 WHERE r = 6;
MERGE INTO t USING (SELECT 8 AS r) s ON t.r = s.r WHEN NOT MATCHED THEN INSERT (r, d, v) VALUES (s.r, '2020-01-01', 'merged');
SELECT results_eq($$INSERT INTO t (r, d, v) VALUES (9, '2020-01-01', 'x') ON CONFLICT DO NOTHING RETURNING v$$, ARRAY['x'], 'RETURNING');
SELECT is((SELECT string_agg(v || ' ' || n, ', ' ORDER BY v) FROM (SELECT v, count(*) AS n FROM t GROUP BY v) s), 'copied 1, inserted 1, many 9, merged 1, x 1', 'he reads what he wrote');
DELETE FROM t WHERE v = 'x';
SELECT throws_ok('SELECT FROM "Parts".t_2_y2020', '42501', NULL, 'by the base only');
RESET SESSION AUTHORIZATION;
SET search_path = app, public;
SELECT is(test.schemas('t'), 'Parts 20', 'INSERT, COPY, UPDATE, MERGE');
SELECT is(test.index_schemas('t'), '"Parts"', 'with their indexes');
SELECT is(test.unlike('t'), 'nothing', 'children are like the base');
DELETE FROM residence WHERE id = 2;
SELECT is((SELECT count(*) FROM t WHERE r = 2), 0::bigint, 'referential actions reach them');
SELECT is_empty('SELECT * FROM router.check(''t'')', 'all is well');
SELECT is((SELECT count(*) FROM pg_class WHERE relnamespace = 'app'::regnamespace AND relkind = 'r'), 2::bigint, 'the schema of the base has tables that people know');

-- rows of the default child, known children of groups and a pivot, a hot base
CREATE TABLE g (k int, d date);
SELECT router.create_route('g', router.by_list('k', ARRAY['{1,2}', '{3}']), default_child => true, on_missing => 'default', child_schema => 'Parts') \g /dev/null
INSERT INTO g VALUES (1), (3), (5), (5);
SELECT router.alter_route('g', on_missing => 'create') \g /dev/null
SELECT is((SELECT child_schema FROM router.routes WHERE base = 'g'::regclass), 'Parts', 'alter_route of something else');
SELECT router.create_child('g', '5') \g /dev/null
SELECT is(test.homes('g'), '"Parts".g_1_2: 1, "Parts".g_3: 1, "Parts".g_5: 2', 'groups, rows that leave the default child');
CREATE TABLE i (k int);
SELECT router.create_route('i', router.by_integer('k', 10, 0), child_schema => 'Parts') \g /dev/null
SELECT is(test.children('i'), '"Parts".i_below_0', 'the child below a pivot');
CREATE TABLE h (id int, at timestamptz NOT NULL, PRIMARY KEY (id, at));
SELECT router.create_route('h', router.by_date('at', 'year'), hot => '7 days', child_schema => 'Parts', time_zone => 'UTC') \g /dev/null
INSERT INTO h VALUES (1, '2020-01-01'), (2, now());
UPDATE h SET at = '2019-01-01' WHERE id = 2;
CALL router.archive('h');
SELECT is(test.schemas('h'), 'Parts 2', 'late rows and aged rows of a hot base');
-- tables with rows, while they are used; children that are put together and parted
CREATE TABLE c (id int, at date NOT NULL, PRIMARY KEY (id, at));
INSERT INTO c SELECT i, date '2020-01-01' + i FROM generate_series(1, 100) i;
CALL router.convert('c', router.by_date('at', 'month'), child_schema => 'Parts');
SELECT is(test.schemas('c'), 'Parts 4', 'convert');
SELECT is(test.half_done(), 'nothing', 'leaves nothing behind');
CALL router.merge_children(ARRAY['"Parts".c_y2020m01'::regclass, '"Parts".c_y2020m02']);
SELECT is(test.children('c'), '"Parts".c_2020_01_01_to_2020_03_01, "Parts".c_y2020m03, "Parts".c_y2020m04'::text, 'merge_children');
CALL router.split_child('"Parts".c_2020_01_01_to_2020_03_01', '{2020-02-01}');
SELECT is(test.schemas('c'), 'Parts 4', 'split_child');
CALL router.rekey('c', router.by_date('at', 'week'));
SELECT is(test.schemas('c'), 'Parts 15', 'rekey');
SELECT is((SELECT count(*) FROM c), 100::bigint, 'no row is lost');
CALL router.unroute('c');
SELECT is((SELECT count(*) FROM pg_class WHERE relname LIKE 'c\_%' AND relnamespace = '"Parts"'::regnamespace), 0::bigint, 'unroute drops them');
SELECT is((SELECT count(*) FROM ONLY c), 100::bigint, 'no row is lost');
CREATE TABLE r (id int, at date);
INSERT INTO r SELECT i, date '2020-01-01' + i FROM generate_series(1, 100) i;
SELECT router.create_route('r', router.by_date('at', 'month'), move_rows => true, child_schema => 'Parts') \g /dev/null
SELECT is(test.schemas('r'), 'Parts 4', 'create_route with move_rows');

-- ---------------------------------------------- another schema for those there are
CREATE SCHEMA more AUTHORIZATION router_cs_owner;
ALTER TABLE r OWNER TO router_cs_owner;
SET ROLE router_cs_owner;
CREATE INDEX r_id ON r (id);
CREATE TABLE more.r_y2020m01 ();
CREATE TABLE more.taken (i int);
CREATE INDEX r_y2020m02_id ON more.taken (i);
SELECT is(ARRAY(SELECT router.alter_route('r', child_schema => 'more', dry_run => true)), ARRAY(SELECT 'would change the settings of app.r' UNION ALL SELECT format('would move child "Parts".r_y2020m0%s to schema more', m) FROM generate_series(1, 4) m), 'a dry run tells what moves');
SELECT is(test.schemas('r'), 'Parts 4', 'and does nothing');
SELECT router.alter_route('r', child_schema => 'more') \g /dev/null
SELECT is(test.schemas('r') || ', ' || test.index_schemas('r'), 'more 4, more', 'alter_route moves children, and indexes');
SELECT matches(router.child_of('r', '2020-01-05')::text, '^more\.r_y2020m01_[0-9a-f]{8}$', 'one whose name is taken there gets another one');
INSERT INTO r VALUES (1, '2021-01-01');
SELECT is(test.schemas('r'), 'more 5', 'as new ones do');
SELECT is_empty($$SELECT router.alter_route('r', child_schema => 'more')$$, 'once');
SELECT is_empty($$SELECT * FROM router.check('r')$$, 'all is well');
-- one that stands elsewhere, and a foreign one
CREATE TABLE app.own (id int, at date);
SELECT router.attach_child('r', 'app.own', ARRAY['[1999-01-01,2000-01-01)']) \g /dev/null
SELECT is(test.schemas('r'), 'app 1, more 5', 'what is attached stays where it is');
RESET ROLE;
CREATE FOREIGN DATA WRAPPER nothing;
CREATE SERVER nowhere FOREIGN DATA WRAPPER nothing;
CREATE FOREIGN TABLE app.far (id int, at date) SERVER nowhere;
SELECT router.attach_child('r', 'app.far', ARRAY['[1998-01-01,1999-01-01)']) \g /dev/null
SELECT is(ARRAY(SELECT router.create_route('r', router.by_date('at', 'month'), child_schema => 'more')), ARRAY['move child app.own to schema more'], 'create_route does the same, and foreign children stay');
SELECT router.alter_route('r', child_schema => 'app') \g /dev/null
SELECT is((SELECT child_schema FROM router.routes WHERE base = 'r'::regclass), NULL, 'the schema of the base is none of their own');
SELECT is(test.schemas('r'), 'app 7', 'they are back');
ALTER TABLE r SET SCHEMA more;
SELECT is(test.schemas('more.r'), 'more 7', 'and go where the base goes');
ALTER TABLE more.r SET SCHEMA app;

-- ------------------------------------------------------- names, dumps of routes
SELECT matches((SELECT router.route_ddl('g') LIMIT 1), ', child_schema => ''Parts''', 'route_ddl tells the schema');
SELECT is((SELECT string_agg(l, ' ') FROM router.route_ddl('g') l WHERE l ~ 'child\('), NULL, 'and that its children come by themselves');
SELECT matches((SELECT string_agg(l, ' ') FROM router.route_ddl('g', true) l), 'create_child\(''app.g'', ARRAY\[''\{5\}''\], ''g_5''\)', 'or by their names');
ALTER SCHEMA "Parts" RENAME TO parts;
SELECT is((SELECT count(*) FROM router.routes WHERE child_schema = 'parts'), 4::bigint, 'the rename of a schema is followed');
INSERT INTO g VALUES (77);
SELECT is((SELECT tableoid::regclass::text FROM g WHERE k = 77), 'parts.g_77', 'by new children');
ALTER TABLE t SET SCHEMA parts;
ALTER TABLE parts.t SET SCHEMA app;
SELECT is(test.schemas('t'), 'parts 20', 'where the base goes is nothing to them');
CREATE SCHEMA gone AUTHORIZATION router_cs_owner;
SELECT router.alter_route('i', child_schema => 'gone') \g /dev/null
SELECT throws_ok('DROP SCHEMA gone', '2BP01', NULL, 'a schema with children is not dropped by itself');
DROP SCHEMA gone CASCADE;
INSERT INTO i VALUES (-1), (1);
SELECT is(test.homes('i'), 'i_1_10: 1, i_below_0: 1', 'once it is gone with them, new ones are made beside the base');

-- -------------------------------------------------------------- who may, errors
CREATE SCHEMA closed;
CREATE TABLE p (k int);
ALTER TABLE p OWNER TO router_cs_owner;
SET ROLE router_cs_owner;
SELECT throws_ok($$SELECT router.create_route('p', router.by_list('k'), child_schema => 'closed')$$, '42501', 'permission denied for schema closed', 'the owner may not create there');
SELECT is(test.hint($$SELECT router.create_route('p', router.by_list('k'), child_schema => 'closed')$$), 'GRANT CREATE, USAGE ON SCHEMA closed TO router_cs_owner.', 'the hint says what he needs');
RESET ROLE;
GRANT CREATE ON SCHEMA closed TO router_cs_owner;
SELECT throws_ok($$SELECT router.create_route('p', router.by_list('k'), child_schema => 'closed')$$, '42501', 'permission denied for schema closed', 'nor find anything');
GRANT USAGE ON SCHEMA closed TO router_cs_owner;
SELECT router.create_route('p', router.by_list('k'), child_schema => 'closed') \g /dev/null
REVOKE ALL ON SCHEMA closed FROM router_cs_owner;
SELECT throws_ok('INSERT INTO p VALUES (1)', '42501', 'permission denied for schema closed', 'he may not any more');
SELECT results_eq($$SELECT detail, remedy FROM router.check('p')$$, $$VALUES ('owner router_cs_owner may not create children in schema closed', 'GRANT CREATE, USAGE ON SCHEMA closed TO router_cs_owner')$$, 'router.check tells');
ALTER EVENT TRIGGER router_on_sql_drop DISABLE;
DROP SCHEMA closed;
ALTER EVENT TRIGGER router_on_sql_drop ENABLE;
SELECT throws_ok('INSERT INTO p VALUES (1)', '3F000', 'schema "closed" does not exist', 'a schema that went unseen');
SELECT results_eq($$SELECT detail FROM router.check('p')$$, ARRAY['schema closed, where children are made, does not exist'], 'router.check tells');
SELECT router.route_ddl('p') \g /dev/null
SELECT is(test.outcome($$SELECT router.alter_route('p', child_schema => 'app')$$) || test.outcome('INSERT INTO p VALUES (1)'), 'donedone', 'the way out');
CREATE TEMPORARY TABLE temporary (k int);
SELECT is((SELECT string_agg(test.attempt(format('SELECT router.alter_route(''p'', child_schema => %L)', s)), ' ' ORDER BY n)
             FROM unnest(ARRAY['nowhere', 'pg_catalog', 'pg_toast', 'router', (SELECT nspname::text FROM pg_namespace WHERE oid = pg_my_temp_schema())]) WITH ORDINALITY u(s, n)),
    '3F000 22023 22023 22023 22023', 'schemas that are not for tables');
SELECT is(test.attempt($$SELECT router.create_route('temporary', router.by_list('k'), child_schema => 'parts')$$), '22023', 'children of a temporary table');
-- a child of somebody else
ALTER TABLE parts.g_5 OWNER TO router_cs_other;
ALTER TABLE g OWNER TO router_cs_owner;
ALTER TABLE parts.g_5 OWNER TO router_cs_other;
SET ROLE router_cs_owner;
SELECT throws_ok($$SELECT router.alter_route('g', child_schema => 'more')$$, '42501', NULL, 'a child of somebody else is not moved');
SELECT is(test.schemas('g'), 'parts 5', 'nor are others then');
SET ROLE router_cs_other;
SELECT throws_ok($$SELECT router.alter_route('app.g', child_schema => 'more')$$, '42501', NULL, 'nor by who does not own the base');
RESET ROLE;
-- while children are merged
CREATE TABLE m (id int, k int NOT NULL, PRIMARY KEY (id, k));
SELECT router.create_route('m', router.by_list('k')) \g /dev/null
INSERT INTO m SELECT i, i % 2 FROM generate_series(1, 100) i;
CALL router.merge_children('{m_0,m_1}', batch_rows => 10, time_budget => '0 seconds');
SELECT throws_ok($$SELECT router.alter_route('m', child_schema => 'parts')$$, '55006', NULL, 'a base that gets another shape');
CALL router.cancel_reshape('m');

-- ------------------------------------------------------------- adopted children
CREATE SCHEMA old;
CREATE TABLE a (id int, at date NOT NULL);
CREATE TABLE old.a_2020 (CHECK (at >= '2020-01-01' AND at < '2021-01-01')) INHERITS (a);
CREATE TABLE old.a_2021 (CHECK (at >= '2021-01-01' AND at < '2022-01-01')) INHERITS (a);
SELECT ok('would make new children in schema old' IN (SELECT router.adopt('a', dry_run => true)), 'children that stand in one schema');
CREATE TABLE a_2022 (CHECK (at >= '2022-01-01' AND at < '2023-01-01')) INHERITS (a);
SELECT ok('would make new children in the schema of the base: those there are stand in several' IN (SELECT router.adopt('a', dry_run => true)), 'in several');
DROP TABLE a_2022;
SELECT router.adopt('a') \g /dev/null
INSERT INTO a VALUES (1, '2025-05-05');
SELECT is(test.children('a'), 'old.a_2020, old.a_2021, old.a_2025', 'new ones are made there');
SELECT * FROM finish();
