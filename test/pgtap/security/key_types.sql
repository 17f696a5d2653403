-- What the owner of a key's type has defined (domains) runs as nobody else: not as whoever reads,
-- maintains, checks or mends the routed table, not as a worker. And nobody makes a route unreadable by its type.
\ir ../../include/helpers.sql
\set tests 95
SELECT plan(:tests);
SELECT test.role('router_k_owner'), test.role('router_k_user') \g /dev/null
CREATE SCHEMA k AUTHORIZATION router_k_owner;
GRANT USAGE ON SCHEMA k TO router_k_user;
-- says yes, and notes that it ran, and whether as somebody else: nextval is not rolled back
SET ROLE router_k_owner;
CREATE SEQUENCE k.ran;
CREATE SEQUENCE k.harm;
GRANT USAGE ON SEQUENCE k.ran, k.harm TO router_k_user;
CREATE FUNCTION k.evil(anyelement) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
    PERFORM nextval('k.ran');
    IF current_user <> 'router_k_owner' THEN
        PERFORM nextval('k.harm');
    END IF;
    RETURN true;
END $$;
CREATE DOMAIN k.d AS int CHECK (k.evil(VALUE));
CREATE DOMAIN k.clean AS int;
CREATE DOMAIN k.ds AS int[] CHECK (k.evil(VALUE));
CREATE DOMAIN k.over_array AS k.d[];
CREATE DOMAIN k.over_domain AS k.over_array;
CREATE TYPE k.plain AS (a int, b text);
CREATE DOMAIN k.top AS k.plain CHECK (k.evil(VALUE));
CREATE TYPE k.comp AS (a int, b k.clean);
CREATE TYPE k.nested AS (a int, b k.comp[]);
CREATE DOMAIN k.over_comp AS k.nested;
CREATE TYPE k.rng AS RANGE (subtype = k.d, multirange_type_name = k.mrng);
CREATE TABLE k.rowtype (a int, b k.d);
CREATE VIEW k.viewtype AS SELECT 1 AS a, 2::k.clean AS b;
CREATE TABLE k.typed OF k.comp;
CREATE TABLE k.heir () INHERITS (k.rowtype);
CREATE TYPE k.of_arrays AS (a k.ds);

-- ------------------------------------------------------- what cannot be a key
RESET ROLE;
CREATE FUNCTION k.outcome(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    hint text;
BEGIN
    EXECUTE command;
    RETURN 'done';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
    RETURN SQLSTATE || CASE hint WHEN '' THEN ' without a hint' ELSE '' END;
END $$;
CREATE FUNCTION k.harmless() RETURNS boolean LANGUAGE sql AS 'SELECT NOT is_called FROM k.harm';
SET ROLE router_k_owner;
CREATE TABLE k.bad (id int, a1 k.d[], a2 k.over_array, a3 k.over_domain, c1 k.comp, c2 k.comp[], c3 k.nested, c4 k.over_comp,
    r1 k.rng, r2 k.mrng, r3 k.rng[], t1 k.rowtype, t2 k.viewtype, t3 k.typed, t4 k.heir, t5 k.of_arrays);
SELECT is(k.outcome(format('SELECT router.create_route(''k.bad'', %s)', replace(route, '$', quote_literal(attname)))), '0A000',
          attname || ' in ' || route)
  FROM pg_attribute, unnest(ARRAY['router.by_list($)', 'ARRAY[router.by_hash(''id'', 2), router.by_list($)]', 'router.by_list($, ARRAY[''{NULL}''])']) route
 WHERE attrelid = 'k.bad'::regclass AND attnum > 1 ORDER BY attnum, route;
SELECT is(k.outcome($$SELECT router.create_route('k.bad', router.by_hash('c1', 2))$$), '0A000', 'nor a hash key');

-- ranges have canonical functions of superusers only
SELECT throws_ok('CREATE TYPE k.canonical', '42501', NULL, 'a canonical function takes a type that only superusers make');

-- ------------------------------------------------------- what a key's type may become
CREATE TYPE k.inner_type AS (a int);
CREATE TYPE k.outer_type AS (i k.inner_type, n int);
CREATE TABLE k.row_of (a int);
CREATE TABLE k.row_heir () INHERITS (k.row_of);
CREATE VIEW k.view_of AS SELECT 1 AS a;
CREATE TYPE k.of_type AS (a int);
CREATE TABLE k.table_of OF k.of_type;
CREATE DOMAIN k.domain_of AS k.inner_type;
CREATE TABLE k.key_type (type text, value text);
INSERT INTO k.key_type VALUES ('inner_type', '(1)'), ('inner_type[]', '{(1)}'), ('outer_type', '("(1)",2)'), ('outer_type[]', '{"(\"(1)\",2)"}'), ('domain_of', '(1)'),
    ('row_of', '(1)'), ('row_heir', '(1)'), ('view_of', '(1)'), ('table_of', '(1)'), ('plain', '(1,a)'), ('top', '(1,a)');
DO $$
DECLARE
    t record;
BEGIN
    FOR t IN SELECT * FROM k.key_type LOOP
        EXECUTE format('CREATE TABLE k.%I (k k.%s, id int)', 'on ' || t.type, t.type);
        PERFORM router.create_route(format('k.%I', 'on ' || t.type)::regclass, router.by_list('k'));
        EXECUTE format('INSERT INTO k.%I VALUES (%L, 1), (NULL, 2)', 'on ' || t.type, t.value);
    END LOOP;
END $$;
SELECT is(k.outcome(command), wanted, command) FROM (VALUES
    ('ALTER TYPE k.inner_type ADD ATTRIBUTE x k.d', '0A000'), ('ALTER TYPE k.inner_type ADD ATTRIBUTE x k.clean', '0A000'), ('ALTER TYPE k.inner_type ADD ATTRIBUTE x k.d[]', '0A000'),
    ('ALTER TYPE k.inner_type ADD ATTRIBUTE x k.comp', '0A000'), ('ALTER TYPE k.inner_type ADD ATTRIBUTE x k.rng', '0A000'),
    ('ALTER TYPE k.inner_type ADD ATTRIBUTE x regclass', '0A000'), ('ALTER TYPE k.inner_type ADD ATTRIBUTE x json', '42804'), ('ALTER TYPE k.inner_type ADD ATTRIBUTE x point[]', '42804'),
    ('ALTER TYPE k.inner_type ADD ATTRIBUTE y int, ADD ATTRIBUTE x k.d CASCADE', '0A000'),
    ('ALTER TABLE k.row_of ADD x k.clean', '0A000'), ('ALTER TABLE k.row_of ADD x k.clean[]', '0A000'), ('ALTER TABLE k.row_of ADD x xml', '42804'),
    ('ALTER TABLE k.row_heir ADD x k.clean', '0A000'), ('ALTER TYPE k.of_type ADD ATTRIBUTE x k.clean CASCADE', '0A000'),
    ('ALTER TYPE k.of_type ADD ATTRIBUTE x json CASCADE', '42804'), ('CREATE OR REPLACE VIEW k.view_of AS SELECT 1 AS a, 2::k.clean AS x', '0A000'),
    ('CREATE OR REPLACE VIEW k.view_of AS SELECT 1 AS a, NULL::json AS x', '42804'), ('ALTER TYPE k.inner_type ALTER ATTRIBUTE a TYPE k.d', '0A000 without a hint'),
    ('ALTER TABLE k.row_of ALTER a TYPE k.clean', '0A000 without a hint'), ('ALTER TABLE k."on plain" ALTER k TYPE k.comp USING NULL', '0A000'),
    ('DO $x$BEGIN CREATE OR REPLACE VIEW k.view_of AS SELECT 1 AS a, 2::k.clean AS x; END$x$', '0A000')) v (command, wanted);
SELECT is(k.outcome(command), 'done', command) FROM (VALUES ('ALTER TYPE k.inner_type ADD ATTRIBUTE x int'), ('ALTER TABLE k.row_of ADD x int'), ('ALTER TYPE k.of_type ADD ATTRIBUTE x int CASCADE'),
    ('CREATE OR REPLACE VIEW k.view_of AS SELECT 1 AS a, 2 AS x'), ('CREATE OR REPLACE VIEW k.another_view AS SELECT 1::k.d AS a')) v (command);
RESET ROLE;
:fresh
CREATE FUNCTION k.read_all() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    t record;
    n int;
    result text := '';
BEGIN
    FOR t IN SELECT * FROM k.key_type ORDER BY type LOOP
        EXECUTE format('SELECT count(*) FROM k.%I WHERE k IS NOT DISTINCT FROM NULL OR id = 1', 'on ' || t.type) INTO n;
        result := result || n;
    END LOOP;
    RETURN result;
END $$;
SELECT is(k.read_all(), repeat('2', 11), 'all are read');
SELECT is((SELECT count(*)::int FROM router.check()), 0, 'check is content');
SELECT is((SELECT string_agg(test.strays(format('k.%I', 'on ' || type)), '') FROM k.key_type), repeat('none', 11), 'all rows at home');

-- ------------------------------------------------------- a domain over all of it
-- the type below reads the text: nobody but a writer is asked, as in core
SET ROLE router_k_owner;
CREATE DOMAIN k.num AS int CHECK (k.evil(VALUE));
CREATE DOMAIN k.day AS date CHECK (k.evil(VALUE));
CREATE TABLE k.tops (n k.num, d k.day, id k.num, t k.top);
SELECT router.create_route('k.tops', ARRAY[router.by_list('n', ARRAY['{1,2}']), router.by_date('d', 'month'), router.by_list('t')], default_child => true) \g /dev/null
INSERT INTO k.tops SELECT i % 4, '2024-01-01'::date + i * 20, i, row(i, 'x')::k.plain FROM generate_series(1, 6) i;
ALTER DOMAIN k.num ADD CHECK (k.evil(VALUE)) NOT VALID;
ALTER DOMAIN k.num ADD CHECK (k.evil(VALUE));
ALTER DOMAIN k.top ADD CHECK (k.evil(VALUE)) NOT VALID;
RESET ROLE;
SELECT setval('k.ran', 1, false) \g /dev/null
:fresh
SELECT is((SELECT count(*)::int FROM k.tops WHERE n = 1 AND d < '2025-01-01' AND id > 0), 2, 'a superuser reads');
UPDATE k.tops SET id = id WHERE n = 2;
SELECT is((SELECT count(*)::int FROM router.check()), 0, 'checks');
SELECT count(*) FROM router.children \g /dev/null
SELECT router.sync('k.tops'), router.premake('k.tops', 2) \g /dev/null
CALL router.redistribute('k.tops');
SELECT min(child::text) AS child FROM router.children WHERE base = 'k.tops'::regclass AND state = 'online' \gset
CALL router.seal(:'child', '{id}');
CALL router.maintain('k.tops');
SELECT is((SELECT count(*)::int FROM k.tops WHERE id = 5), 1, 'a sealed column');
SELECT router.create_child('k.tops', '9', '2030-01-01', '(9,x)') \g /dev/null
SELECT router.drop_route('k.tops', dry_run => true) \g /dev/null
SELECT ok(k.harmless(), 'nothing of the owner''s ran as somebody else');

-- ------------------------------------------------------- while event triggers were off
SET ROLE router_k_owner;
CREATE TYPE k.late AS (a int);
CREATE TABLE k.hit (k k.late, id int);
CREATE TABLE k.grouped (k k.late, id int);
SELECT router.create_route('k.hit', router.by_list('k')) \g /dev/null
SELECT router.create_route('k.grouped', router.by_list('k', ARRAY['{(7),(8)}', '{(9)}'])) \g /dev/null
INSERT INTO k.hit VALUES ('(1)', 1), ('(2)', 2);
INSERT INTO k.grouped VALUES ('(7)', 1), ('(8)', 2), ('(5)', 2);
RESET ROLE;
ALTER EVENT TRIGGER router_on_ddl_start DISABLE;
ALTER EVENT TRIGGER router_on_ddl_end DISABLE;
SET ROLE router_k_owner;
ALTER TYPE k.late ADD ATTRIBUTE x k.d;
RESET ROLE;
ALTER EVENT TRIGGER router_on_ddl_start ENABLE;
ALTER EVENT TRIGGER router_on_ddl_end ENABLE;
:fresh
SELECT is((SELECT count(*)::int FROM k.hit), 2, 'the CHECKs tell the bounds');
SELECT is((SELECT string_agg(kind, ' ') FROM router.check('k.hit')), 'key bounds bounds', 'check tells of it');
SELECT router.sync('k.hit') \g /dev/null
SELECT is(test.outcome($$SELECT router.premake('k.grouped')$$), '55000: values of key "k" are not read from text', 'groups are not read');
SELECT is(k.outcome(command), '55000', command) FROM (VALUES ($$SELECT router.create_child('k.hit', '(5,6)')$$), ($$SELECT router.create_child('k.hit', ARRAY['{"(5,6)"}'])$$)) v (command);
SELECT is(k.outcome($$SELECT router.create_route('k.hit', router.by_list('k', ARRAY['{"(6,5)"}']))$$), '0A000', 'no new keys');
ALTER TABLE k."hit_(1)" DROP CONSTRAINT router_home;
:fresh
SELECT throws_ok('SELECT * FROM k.hit', '55000', NULL, 'without its CHECK the route is not read');
SELECT ok(test.hint('SELECT * FROM k.hit') ~ 'drop_route', 'with the way out');
SELECT is((SELECT string_agg(kind, ' ') FROM router.check('k.hit')), 'route', 'check tells that');
SELECT lives_ok($$SELECT router.drop_route('k.hit')$$, 'the route can be dropped');
SELECT lives_ok($$DROP TABLE k.grouped$$, 'and the table');
SELECT ok(k.harmless(), 'nothing of the owner''s ran as somebody else');

-- ------------------------------------------------------- children made by a worker
SET ROLE router_k_owner;
CREATE FUNCTION k.take(text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    PERFORM k.evil(1);
    BEGIN
        RESET SESSION AUTHORIZATION;
    EXCEPTION WHEN OTHERS THEN
        NULL;
    END;
    BEGIN
        RESET ROLE;
    EXCEPTION WHEN OTHERS THEN
        NULL;
    END;
    PERFORM k.evil(1);
    RETURN $1 || '{1}{base}';
END $$;
CREATE TABLE k.labelled (k text, n int);
SELECT router.create_route('k.labelled', ARRAY[router.by_list('k', label => 'SELECT k.take($1)'), router.by_list('n')], template => '{1}{base}{2}') \g /dev/null
GRANT INSERT ON k.labelled TO router_k_user;
RESET ROLE;
SELECT setval('k.ran', 1, false) \g /dev/null
SET ROLE router_k_user;
SET router.create_in_background = on;
INSERT INTO k.labelled SELECT 'a', NULL;
RESET ROLE;
SELECT is(test.homes('k.labelled'), 'k."a{1}{base}labellednull": 1', 'a label and a template');
SELECT ok((SELECT last_value > 1 FROM k.ran), 'the label ran');
SELECT ok(k.harmless(), 'as its owner');
SELECT * FROM finish();
