-- router.rename_children: children, their indexes and statistics get the names that those of a new child would get.
\ir ../../include/helpers.sql
\set tests 37
SELECT plan(:tests);
SELECT test.role('router_rc_owner'), test.role('router_rc_stranger') \g /dev/null
CREATE SCHEMA app AUTHORIZATION router_rc_owner;
GRANT USAGE, CREATE ON SCHEMA app TO router_rc_stranger;
GRANT USAGE ON SCHEMA test, app TO PUBLIC;
SET search_path = app, public;

-- The names below a base: those of children, of their indexes, constraints on them, statistics.
CREATE FUNCTION test.names(base regclass) RETURNS text LANGUAGE sql SET search_path = app, public AS $$
    SELECT string_agg(name, ' ' ORDER BY name COLLATE "C") FROM router.children c, LATERAL (
           SELECT child::text UNION ALL SELECT indexrelid::regclass::text FROM pg_index WHERE indrelid = child
            UNION ALL SELECT conname || '!' FROM pg_constraint WHERE conrelid = child AND contype IN ('p', 'u')
            UNION ALL SELECT stxname FROM pg_statistic_ext WHERE stxrelid = child) n(name)
     WHERE c.base = $1
$$;
-- The names that children of a copy of the table get.
CREATE FUNCTION test.names_anew(base regclass) RETURNS text LANGUAGE plpgsql SET search_path = app, public AS $$
DECLARE
    ddl text;
    names text;
BEGIN
    FOR ddl IN SELECT format('DROP STATISTICS %I', stxname) FROM router.children c JOIN pg_statistic_ext ON stxrelid = child WHERE c.base = $1 LOOP EXECUTE ddl; END LOOP;
    FOR ddl IN SELECT format('ALTER TABLE %s SET SCHEMA attic', child) FROM router.children c WHERE c.base = $1 LOOP EXECUTE ddl; END LOOP;
    FOR ddl IN SELECT format('SELECT router.detach_child(%L), router.create_child(%L, %L::text[])', child, $1, bounds) FROM router.children c WHERE c.base = $1 ORDER BY child LOOP EXECUTE ddl; END LOOP;
    names := test.names($1);
    RAISE EXCEPTION USING ERRCODE = 'RB000', MESSAGE = names;
EXCEPTION WHEN SQLSTATE 'RB000' THEN
    RETURN names;
END $$;
CREATE SCHEMA attic;
GRANT ALL ON SCHEMA attic TO router_rc_owner;

SET ROLE router_rc_owner;
CREATE TABLE residence (id int PRIMARY KEY, code text);
INSERT INTO residence VALUES (1, 'one'), (2, 'two'), (3, 'three');
CREATE TABLE t (r int NOT NULL, d date NOT NULL, v text, w int, PRIMARY KEY (r, d), UNIQUE (d, r));
CREATE INDEX t_v ON t (v);
CREATE INDEX odd ON t (w, v);
CREATE STATISTICS t_stat ON v, w FROM t;
SELECT router.create_route('t', ARRAY[router.by_list('r', label => 'SELECT code FROM app.residence WHERE id = $1'), router.by_date('d', 'year')], time_zone => 'UTC', default_child => true) \g /dev/null
INSERT INTO t SELECT r, d, 'v', 1 FROM generate_series(1, 3) r, unnest('{2023-01-01,2024-01-01}'::date[]) d;
SELECT is_empty($$SELECT router.rename_children('t')$$, 'nothing to do');
SELECT test.names('t') AS first \gset

-- ------------------------------------------------- what may have changed
UPDATE residence SET code = 'eins' WHERE id = 1;
SELECT bag_eq($$SELECT router.rename_children('t', dry_run => true)$$,
    $$SELECT format('would rename %s app.%s to %s', kind, replace(name, 'eins', 'one'), name)
        FROM (VALUES ('child', ''), ('index', '_pkey'), ('index', '_d_r_key'), ('index', '_v'), ('index', '_odd'), ('statistics', '_stat')) s(kind, suffix), unnest('{2023,2024}'::text[]) y, format('t_eins_y%s%s', y, suffix) name$$, 'a label: dry_run tells');
SELECT is(test.names('t'), :'first', 'and does nothing');
SELECT router.rename_children('t') \g /dev/null
SELECT is(test.names('t'), (SELECT string_agg(n, ' ' ORDER BY n COLLATE "C") FROM regexp_split_to_table(replace(:'first', 't_one_', 't_eins_'), ' ') n), 'children, indexes, constraints, statistics');
SELECT is_empty($$SELECT router.rename_children('t')$$, 'once');
SELECT is((SELECT count(*) FROM t WHERE r = 1), 2::bigint, 'rows are found');
SELECT is(router.child_of('t', 1, '2024-01-01')::text, 't_eins_y2024', 'and their child');
INSERT INTO t VALUES (1, '2024-05-05');
SELECT is((SELECT tableoid::regclass::text FROM t WHERE d = '2024-05-05'), 't_eins_y2024', 'where more go');
SELECT is_empty($$SELECT * FROM router.check('t')$$, 'all is well');

SELECT router.alter_route('t', template => '{2}_{1}_of_{base}') \g /dev/null
SELECT router.rename_children('t') \g /dev/null
SELECT is(test.names('t'), test.names_anew('t'), 'the template: names as of new children');
SELECT is(router.child_of('t', 2, '2023-01-01')::text, 'y2023_two_of_t', 'such as this');
SELECT is(router.child_of('t', 9, '2023-01-01')::text, 't_default', 'the default child has its own');

ALTER TABLE t RENAME TO "Long name, ü";
SELECT router.rename_children('"Long name, ü"') \g /dev/null
SELECT is(test.names('"Long name, ü"'), test.names_anew('"Long name, ü"'), 'the name of the base');
SELECT is(router.child_of('"Long name, ü"', 2, '2023-01-01')::text, '"y2023_two_of_Long name, ü"', 'such as this');
SELECT router.alter_route('"Long name, ü"', template => repeat('ä', 40) || '{1}{2}') \g /dev/null
SELECT router.rename_children('"Long name, ü"') \g /dev/null
SELECT is(test.names('"Long name, ü"'), test.names_anew('"Long name, ü"'), 'names that are too long');
SELECT is_empty($$SELECT router.rename_children('"Long name, ü"')$$, 'they stay then');
ALTER TABLE "Long name, ü" RENAME TO t;
SELECT router.alter_route('t', template => '{base}_{1}_{2}') \g /dev/null
UPDATE residence SET code = 'one' WHERE id = 1;
SELECT router.rename_children('t') \g /dev/null
SELECT is(test.names('t'), :'first', 'all the way back');

-- ---------------------------------------------------- names that others have
UPDATE residence SET code = CASE id WHEN 1 THEN 'two' WHEN 2 THEN 'three' ELSE 'one' END;
SELECT oid AS first_child FROM pg_class WHERE relname = 't_one_y2024' \gset
SELECT router.rename_children('t') \g /dev/null
SELECT is(test.names('t'), :'first', 'children that exchange their names, and so their indexes');
SELECT is(:first_child::regclass::text, 't_two_y2024', 'each has the one of another');
SELECT is((SELECT string_agg(indexrelid::regclass::text, ' ' ORDER BY indexrelid::regclass::text) FROM pg_index WHERE indrelid = :first_child), 't_two_y2024_d_r_key t_two_y2024_odd t_two_y2024_pkey t_two_y2024_v', 'with all that is theirs');
SELECT is((SELECT count(*) FROM t WHERE tableoid = :first_child), 2::bigint, 'the rows stay in it');
UPDATE residence SET code = 'same';
SELECT router.rename_children('t') \g /dev/null
SELECT is((SELECT count(*) FROM router.children WHERE base = 't'::regclass AND child::text LIKE 't_same_y2024%'), 3::bigint, 'labels that are the same: each has a name of its own');
SELECT is_empty($$SELECT router.rename_children('t')$$, 'that it keeps');
RESET ROLE;
SET ROLE router_rc_stranger;
CREATE TABLE t_one_y2024 ();
CREATE TYPE t_two_y2024 AS (i int);
CREATE VIEW t_three_y2024_pkey AS SELECT;
RESET ROLE;
SET ROLE router_rc_owner;
UPDATE residence SET code = CASE id WHEN 1 THEN 'one' WHEN 2 THEN 'two' ELSE 'three' END;
SELECT router.rename_children('t') \g /dev/null
SELECT is(test.names('t'), test.names_anew('t'), 'names that strangers have');
SELECT matches(router.child_of('t', 1, '2024-01-01')::text, '^t_one_y2024_[0-9a-f]{8}$', 'get a hash');
SELECT is_empty($$SELECT router.rename_children('t')$$, 'and keep it');
RESET ROLE;
DROP TABLE t_one_y2024;
DROP TYPE t_two_y2024;
DROP VIEW t_three_y2024_pkey;

-- ------------------------------------------ event triggers, who may, errors
CREATE TABLE told (what text);
GRANT INSERT ON told TO PUBLIC;
CREATE FUNCTION tell() RETURNS event_trigger LANGUAGE plpgsql SET search_path = app AS $$
BEGIN INSERT INTO told SELECT command_tag || ' ' || object_identity || ' ' || current_user FROM pg_event_trigger_ddl_commands(); END $$;
CREATE EVENT TRIGGER tell ON ddl_command_end EXECUTE FUNCTION tell();
SET ROLE router_rc_owner;
SELECT router.rename_children('t') \g /dev/null
RESET ROLE;
DROP EVENT TRIGGER tell;
SELECT is((SELECT string_agg(what, '; ' ORDER BY what) FROM told WHERE what LIKE 'ALTER TABLE%'), 'ALTER TABLE app.t_one_y2024 router_rc_owner; ALTER TABLE app.t_two_y2024 router_rc_owner', 'event triggers hear of each rename');
SELECT is(test.names('t'), :'first', 'what is free again is taken');
SET ROLE router_rc_stranger;
SELECT throws_ok($$SELECT router.rename_children('t')$$, '42501', NULL, 'not the owner');
RESET ROLE;
SELECT throws_ok($$SELECT router.rename_children('told')$$, '55000', NULL, 'no routed table');
SELECT throws_ok($$SELECT router.rename_children(NULL)$$, '22004', NULL, 'NULL');
SET ROLE router_rc_owner;
SELECT router.create_route('t', ARRAY[router.by_list('r', label => 'SELECT (1 / ($1 - 3))::text'), router.by_date('d', 'year')]) \g /dev/null
SELECT throws_ok($$SELECT router.rename_children('t')$$, '22012', NULL, 'a label that fails');
SELECT is(test.names('t'), :'first', 'changes nothing');
RESET ROLE;
-- while children are merged
CREATE TABLE m (id int, k int NOT NULL, PRIMARY KEY (id, k));
SELECT router.create_route('m', router.by_list('k')) \g /dev/null
INSERT INTO m SELECT i, i % 3 FROM generate_series(1, 99) i;
CALL router.merge_children('{m_0,m_1}', batch_rows => 10, time_budget => '0 seconds');
SELECT router.alter_route('m', template => '{1}_{base}') \g /dev/null
SELECT throws_ok($$SELECT router.rename_children('m')$$, '55006', NULL, 'a base that gets another shape');
SELECT is(test.children('m'), 'm_0, m_1, m_2', 'changes nothing');
CALL router.cancel_reshape('m');
SELECT router.rename_children('m') \g /dev/null
SELECT is(test.children('m'), '"0_m", "1_m", "2_m"', 'afterwards they get their names');
-- a foreign child is found on its server by its name
CREATE FOREIGN DATA WRAPPER nothing;
CREATE SERVER nowhere FOREIGN DATA WRAPPER nothing;
CREATE TABLE f (d date);
SELECT router.create_route('f', router.by_date('d', 'year')) \g /dev/null
CREATE FOREIGN TABLE far (d date) SERVER nowhere;
SELECT router.attach_child('f', 'far', ARRAY['2020-01-01']) \g /dev/null
CREATE TABLE near (d date);
SELECT router.attach_child('f', 'near', ARRAY['[2021-01-01,2022-01-01)']) \g /dev/null
SELECT results_eq($$SELECT router.rename_children('f')$$, ARRAY['rename child app.near to f_y2021'], 'foreign children keep theirs, others that were attached do not');
SELECT * FROM finish();
