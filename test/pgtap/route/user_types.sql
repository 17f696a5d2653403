-- Keys of types that users define: their labels get other names, they get attributes, and the values live on.
\ir ../../include/helpers.sql
\set tests 108
SELECT plan(:tests);

CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy', 'a b"c');
CREATE DOMAIN dmood AS mood;
CREATE TYPE moods AS RANGE (subtype = mood);
CREATE TYPE fulln AS (first text, last text);
CREATE TYPE nested AS (n fulln, m mood);
CREATE DOMAIN dfulln AS fulln;
CREATE TABLE rowtype (a int, b text);

-- every column a key may be of, with three of its values; the last of them has no child yet when the type changes
CREATE TABLE shape (tab text, type text, v text[], keys text);
INSERT INTO shape VALUES
    ('t_enum', 'mood', '{sad,ok,happy}', $$router.by_list('v')$$),
    ('t_group', 'mood', '{sad,ok,happy}', $$router.by_list('v', ARRAY['{sad,ok,NULL}', '{happy,"a b\"c"}'])$$),
    ('t_domain', 'dmood', '{sad,ok,happy}', $$router.by_list('v')$$),
    ('t_array', 'mood[]', '{"{sad}","{ok,sad}","{}"}', $$router.by_list('v', ARRAY['{"{sad}","{ok,sad}"}', '{"{}",NULL}'])$$),
    ('t_range', 'moods', '{"[sad,ok]","(ok,happy]","empty"}', $$router.by_list('v')$$),
    ('t_composite', 'fulln', '{"(Joe,Blow)","(Jim,)","(\"a,b\",\"\")"}', $$router.by_list('v')$$),
    ('t_composites', 'fulln', '{"(Joe,Blow)","(Jim,)","(\"a,b\",\"\")"}', $$router.by_list('v', ARRAY['{"(Joe,Blow)","(Jim,)"}', '{"(\"a,b\",\"\")",NULL}'])$$),
    ('t_dcomposite', 'dfulln', '{"(Joe,Blow)","(Jim,)","(\"a,b\",\"\")"}', $$router.by_list('v')$$),
    ('t_carray', 'fulln[]', '{"{\"(Joe,Blow)\"}","{}","{NULL}"}', $$router.by_list('v')$$),
    ('t_nested', 'nested', '{"(\"(Joe,Blow)\",sad)","(,ok)","(\"(Jim,)\",)"}', $$router.by_list('v')$$),
    ('t_rowtype', 'rowtype', '{"(1,sad)","(2,)","(,)"}', $$router.by_list('v')$$),
    ('t_outer', 'mood', '{sad,ok,happy}', $$ARRAY[router.by_list('v'), router.by_hash('id', 2)]$$),
    ('t_inner', 'nested', '{"(\"(Joe,Blow)\",sad)","(,ok)","(\"(Jim,)\",)"}', $$ARRAY[router.by_list('w'), router.by_list('v')]$$),
    ('t_twice', 'mood', '{sad,ok,happy}', $$ARRAY[router.by_list('v', ARRAY['{sad,ok}']), router.by_list('v')]$$);
CREATE FUNCTION each(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    s record;
    result text;
BEGIN
    FOR s IN SELECT * FROM shape ORDER BY tab LOOP
        result := test.outcome(replace(replace(replace(replace(replace(replace(command, '$t', s.tab), '$y', s.type), '$1', quote_literal(s.v[1])), '$2', quote_literal(s.v[2])), '$3', quote_literal(s.v[3])), '$k', s.keys));
        IF result <> 'done' THEN
            RETURN s.tab || ': ' || result;
        END IF;
    END LOOP;
    RETURN 'done';
END $$;
CREATE FUNCTION rows_of(tab text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    EXECUTE format('SELECT string_agg(id || '' '' || coalesce(v::text, ''null''), '', '' ORDER BY id) FROM %s', tab) INTO result;
    RETURN result;
END $$;
-- values that more than one child has
CREATE FUNCTION split(tab text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    result bigint;
BEGIN
    EXECUTE format('SELECT count(*) FROM (SELECT FROM %s GROUP BY v HAVING count(DISTINCT tableoid) > 1) s', tab) INTO result;
    RETURN CASE WHEN tab = 't_outer' THEN 0 ELSE result END;
END $$;

SELECT is(each('CREATE TABLE $t (id int, v $y, w mood DEFAULT ''sad'')'), 'done', 'tables');
SELECT is(each('DO $x$BEGIN PERFORM router.create_route(''$t'', $k); END$x$'), 'done', 'routes');
SELECT is(each('INSERT INTO $t VALUES (1, $1), (2, $2), (3, NULL)'), 'done', 'rows');
SELECT is(each('DO $x$BEGIN PERFORM count(*) FROM $t WHERE v IS NOT NULL; END$x$'), 'done', 'read');

ALTER TYPE mood RENAME VALUE 'sad' TO 'blue';
ALTER TYPE mood RENAME VALUE 'happy' TO 'glad, "really"';
ALTER TYPE mood ADD VALUE 'new';
ALTER TYPE fulln ADD ATTRIBUTE suffix text;
ALTER TABLE rowtype ADD COLUMN c int;
ALTER TYPE fulln RENAME ATTRIBUTE first TO given;
UPDATE shape SET v = CASE WHEN type LIKE '%fulln' THEN '{"(Joe,Blow,)","(Jim,,)","(\"a,b\",\"\",)"}' WHEN type = 'rowtype' THEN '{"(1,sad,)","(2,,)","(,,)"}'
    WHEN type = 'fulln[]' THEN '{"{\"(Joe,Blow,)\"}","{}","{NULL}"}' WHEN type = 'nested' THEN '{"(\"(Joe,Blow,)\",blue)","(,ok)","(\"(Jim,,)\",)"}'
    ELSE replace(replace(v::text, 'sad', 'blue'), 'happy', CASE WHEN type LIKE '%mood' THEN '"glad, \"really\""' ELSE '\"glad, \"\"really\"\"\"' END)::text[] END;
UPDATE shape SET v = '{"[blue,ok]","(ok,\"glad, \"\"really\"\"\"]",empty}' WHERE tab = 't_range';
SELECT is(rows_of(tab), format('1 %s, 2 %s, 3 null', v[1], v[2]), tab || ': rows are read') FROM shape ORDER BY tab;
SELECT is(each('INSERT INTO $t VALUES (4, $1), (5, $2), (6, $3)'), 'done', 'this session goes on');
:fresh
SELECT is(each('INSERT INTO $t VALUES (7, $1), (8, $2), (9, $3)'), 'done', 'and a new one');
SELECT is(split(tab), 0::bigint, tab || ': each value has one child') FROM shape ORDER BY tab;
SELECT is(rows_of(tab), format('1 %s, 2 %s, 3 null, 4 %1$s, 5 %2$s, 6 %3$s, 7 %1$s, 8 %2$s, 9 %3$s', v[1], v[2], v[3]), tab || ': all rows') FROM shape ORDER BY tab;
SELECT is(each('UPDATE $t SET v = $1 WHERE id IN (2, 5)'), 'done', 'rows move');
SELECT is(test.strays(tab), 'none', tab || ': all at home') FROM shape ORDER BY tab;
SELECT is((SELECT count(*)::int FROM router.check()), 0, 'check is content');
SELECT is((SELECT count(*)::int FROM router.children WHERE bounds::text ~ 'sad|happy' AND base <> 't_rowtype'::regclass), 0, 'bounds are shown as they are now');
SELECT is((SELECT groups::text FROM router.key_def WHERE base = 't_group'::regclass), $$$$ || '{"{blue,ok,NULL}","{\"glad, \\\"really\\\"\",\"a b\\\"c\"}"}', 'groups too');
SELECT is((SELECT groups::text FROM router.key_def WHERE base = 't_composites'::regclass), '{"{\"(Joe,Blow,)\",\"(Jim,,)\"}","{\"(\\\"a,b\\\",\\\"\\\",)\",NULL}"}', 'of composites');
SELECT is((SELECT count(*)::int FROM router.create_child('t_enum', ARRAY['{blue}'])), 0, 'a child that is there is found by its new name');
SELECT throws_ok($$SELECT router.create_child('t_enum', ARRAY['{blue,new}'])$$, '42P17', NULL, 'and overlaps by it');
SELECT lives_ok($$SELECT router.detach_child('t_enum_sad'), router.attach_child('t_enum', 't_enum_sad', '{"{blue}"}')$$, 'detached and attached');
ALTER TYPE mood RENAME VALUE 'blue' TO 'sad';
SELECT is((SELECT groups[1] FROM router.key_def WHERE base = 't_group'::regclass), '{sad,ok,NULL}', 'the name it had');
BEGIN;
ALTER TYPE mood RENAME VALUE 'sad' TO 'x';
SAVEPOINT s;
ALTER TYPE mood RENAME VALUE 'x' TO 'ok';
ROLLBACK TO s;
ALTER TYPE mood RENAME VALUE 'x' TO 'y';
SELECT is((SELECT groups[1] FROM router.key_def WHERE base = 't_group'::regclass), '{y,ok,NULL}', 'within a transaction, after a failure');
ROLLBACK;
SELECT is((SELECT groups[1] FROM router.key_def WHERE base = 't_group'::regclass), '{sad,ok,NULL}', 'and rolled back');

CREATE TABLE written (v mood);
SELECT router.create_route('written', router.by_list('v', ARRAY['{ ok , new }', '{ sad }'])) \g /dev/null
ALTER TYPE mood RENAME VALUE 'sad' TO 'blue';
SELECT is((SELECT groups::text FROM router.key_def WHERE base = 'written'::regclass), '{"{ ok , new }","{blue}"}', 'a group that stays the same stays as it was written');
ALTER TYPE mood RENAME VALUE 'blue' TO 'sad';
DROP TABLE written CASCADE;

-- what cannot be followed
CREATE TABLE h (id int, v fulln, n nested);
SELECT throws_ok($$SELECT router.create_route('h', router.by_hash('n', 2))$$, '0A000', NULL, 'the hash of an enum does not outlive a dump');
SELECT router.create_route('h', router.by_hash('v', 2)) \g /dev/null
SELECT lives_ok($$ALTER TYPE fulln ADD ATTRIBUTE more text$$, 'an attribute for a hash key without children');
INSERT INTO h VALUES (1, '(Joe,Blow,,)');
SELECT throws_ok($$ALTER TYPE fulln ADD ATTRIBUTE again text$$, '0A000', NULL, 'an attribute for a hash key with children');
SELECT isnt(test.hint($$ALTER TYPE fulln ADD ATTRIBUTE again text$$), NULL, 'with a hint');
SELECT throws_ok($$ALTER TYPE fulln DROP ATTRIBUTE last$$, '0A000', NULL, 'an attribute that goes');
SELECT throws_ok($$ALTER TABLE rowtype DROP COLUMN a$$, '0A000', NULL, 'also of a table''s row type');
CREATE TYPE small AS (a int);
CREATE TYPE large AS (a int, b small);
CREATE TABLE l (v large);
SELECT router.create_route('l', router.by_list('v')) \g /dev/null
INSERT INTO l VALUES ('(1,"(1)")');
SELECT throws_ok($$DROP TYPE small CASCADE$$, '0A000', NULL, 'or by CASCADE');
CREATE TYPE at_table AS (a int, b regclass);
CREATE DOMAIN droute AS regtype;
CREATE TABLE reg (a regclass, b regproc[], c at_table, d droute, e at_table[], f regrole, g aclitem, h text);
SELECT throws_ok(format('SELECT router.create_route(''reg'', router.by_list(%L))', c), '0A000', NULL, 'a list key that names objects: ' || c) FROM unnest('{a,b,c,d,e,f,g}'::text[]) c;
SELECT throws_ok(format('SELECT router.create_route(''reg'', router.by_hash(%L, 2))', c), '0A000', NULL, 'a hash key that does: ' || c) FROM unnest('{b,c,e}'::text[]) c;
SELECT router.create_route('reg', router.by_list('h')) \g /dev/null
SELECT throws_ok($$ALTER TABLE reg ALTER h TYPE regclass USING h::regclass$$, '0A000', NULL, 'or would');

-- event triggers were off: the CHECK has the values
ALTER EVENT TRIGGER router_on_ddl_start DISABLE;
ALTER EVENT TRIGGER router_on_ddl_end DISABLE;
ALTER TYPE mood RENAME VALUE 'sad' TO 'unheard';
ALTER EVENT TRIGGER router_on_ddl_start ENABLE;
ALTER EVENT TRIGGER router_on_ddl_end ENABLE;
:fresh
SELECT is((SELECT count(*)::int FROM t_enum WHERE v = 'unheard'), 5, 'unheard of, and read');
SELECT is(test.outcome($$INSERT INTO t_inner VALUES (20, NULL, 'unheard')$$), 'done', 'written');
SELECT ok((SELECT bool_and(remedy ~ 'router.sync') AND count(*) > 5 FROM router.check() WHERE kind = 'bounds'), 'told by check');
SELECT s FROM shape, router.sync(tab::regclass) s \g /dev/null
SELECT is((SELECT string_agg(kind || ' ' || routed_table, ', ') FROM router.check()), 'groups t_array, groups t_group, groups t_twice', 'and mended by sync, but for groups');
SELECT is(left(test.outcome($$INSERT INTO t_group VALUES (20, 'new')$$), 5), '22P02', 'which are asked where a value has no child');
UPDATE router.key_def SET groups = replace(groups::text, 'sad', 'unheard')::text[] WHERE groups::text ~ 'sad';
SELECT is((SELECT count(*)::int FROM router.check()), 0, 'an administrator writes them anew');

-- without the CHECK the text is read
ALTER EVENT TRIGGER router_on_ddl_start DISABLE;
ALTER EVENT TRIGGER router_on_ddl_end DISABLE;
ALTER TYPE mood RENAME VALUE 'unheard' TO 'lost';
ALTER EVENT TRIGGER router_on_ddl_start ENABLE;
ALTER EVENT TRIGGER router_on_ddl_end ENABLE;
ALTER TABLE t_enum_sad DROP CONSTRAINT router_home;
ALTER TABLE t_domain_sad DROP CONSTRAINT router_home;
:fresh
SELECT throws_ok('SELECT * FROM t_enum', '22P02', NULL, 'then a route may be unreadable');
SELECT ok(test.hint('SELECT * FROM t_enum') ~ 'drop_route', 'with the way out');
SELECT is((SELECT string_agg(routed_table::text, ' ' ORDER BY routed_table::text) FROM router.check() WHERE kind = 'route'), 't_domain t_enum', 'check tells it');
SELECT ok((SELECT count(*) > 5 FROM router.check() WHERE kind = 'bounds'), 'and goes on');
SELECT is((SELECT string_agg(kind, ' ') FROM router.check('t_enum')), 'route', 'asked for by name');
SELECT lives_ok($$ALTER TABLE t_domain_sad ADD CONSTRAINT router_home CHECK (v IS NOT NULL AND v::mood = 'lost'::mood)$$, 'the CHECK is put back');
SELECT is((SELECT count(*)::int FROM t_domain WHERE v::mood = 'lost'), 5, 'all is well again');
SELECT lives_ok($$SELECT router.drop_route('t_enum', rows => 'base')$$, 'or the routing ends');
SELECT is((SELECT count(*)::int FROM ONLY t_enum), 9, 'with all rows');
SELECT is(test.outcome($$DROP TABLE t_array CASCADE$$), 'done', 'a table is dropped');
SELECT * FROM finish();
