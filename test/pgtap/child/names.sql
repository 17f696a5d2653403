-- Text kinds, names of children, labels and templates: checklist A11-A16, A18, C1.
\ir ../../include/helpers.sql
\set tests 66
SELECT plan(:tests);

-- ---------------------------------------------------- prefix, suffix: A11-A13
CREATE TABLE p (t text);
CREATE TABLE s (t varchar(40));
SELECT router.create_route('p', router.by_prefix('t', 5)) \g /dev/null
SELECT router.create_route('s', router.by_suffix('t', 5)) \g /dev/null
:fresh
INSERT INTO p VALUES ('foobar'), ('FOObarbaz'), ('foo'), ('yadayada'), (NULL), ('fooba');
SELECT is(test.homes('p'), 'p_foo: 1, p_fooba: 3, p_null: 1, p_yaday: 1', 'A11: first five characters, lower case');
SELECT matches(test.home_check('p_fooba'), $$lower\(substr\(t, 1, 5\)\) = 'fooba'::text$$, 'A11: CHECK as documented');
SELECT is(test.bounds('p_fooba'), '{"{fooba}"}', 'A11: bounds');
SELECT is(test.strays('p'), 'none', 'A11: home');
:fresh
INSERT INTO s VALUES ('foobar'), ('foobarbaz'), ('foo'), ('XOOBAR'), (NULL);
SELECT is(test.homes('s'), 's_arbaz: 1, s_foo: 1, s_null: 1, s_oobar: 2', 'A12, A13: last five characters, short ones too');
SELECT matches(test.home_check('s_oobar'), $$lower\("right"\(.*t.*, 5\)\) = 'oobar'::text$$, 'A12: CHECK');
SELECT is(test.strays('s'), 'none', 'A12, A13: home');

-- ------------------------------------------------------------ pruning: A16
CREATE FUNCTION test.scanned(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    line text;
    result text;
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (COSTS off) ' || query LOOP
        result := ltrim(concat_ws(' ', result, substring(line FROM ' on (\S+)')));
    END LOOP;
    RETURN result;
END $$;
SELECT is(test.scanned($$SELECT * FROM p WHERE lower(substr(t, 1, 5)) = 'fooba'$$), 'p_fooba', 'A16: the documented condition prunes');
SELECT is(test.scanned($$SELECT * FROM p WHERE t = 'foobar'$$), 'p_fooba', 'A16: equality alone prunes');
SET router.prune = off;
SELECT is(test.scanned($$SELECT * FROM p WHERE lower(substr(t, 1, 5)) = 'fooba'$$), 'p p_fooba', 'A16: and by constraint exclusion alone');
RESET router.prune;

-- ------------------------------------------------------------- any text: A14
CREATE TABLE victim (v int);
CREATE TABLE texts (n int, v text);
INSERT INTO texts (n, v) VALUES
    (1, 'a''b'), (2, ''), (3, ' '), (4, '  two  blanks '), (5, 'crème brûlée'), (6, '🐘🐘'), (7, 'say "hi"'), (8, 'back\slash'),
    (9, E'two\nlines'), (10, E'tab\there'), (11, 'null'), (12, 'NULL'), (13, 'default'), (14, '{1,2}'), (15, '{}'), (16, '[1,2)'),
    (17, '1/2'), (18, '''); DROP TABLE victim; --'), (19, '"; DROP TABLE victim; --'), (20, '$$'), (21, '$1'), (22, '%s%n%d'), (23, ','),
    (24, 'a,b'), (25, '{base}'), (26, '{1}'), (27, E'\u0001\u007f'), (28, 'İstanbul ẞ'), (29, 'Case'), (30, 'case'), (31, E'e\u0301'), (32, E'\u00e9'),
    (33, repeat('x', 200)), (34, repeat('x', 199) || 'y'), (35, repeat('é', 60)), (36, repeat('é', 61)), (37, repeat('🐘', 40)), (38, 'x' || repeat('🐘', 40)),
    (39, '\'), (40, '\\'), (41, E'\r'), (42, 'a.b'), (43, '-'), (44, '/*'), (45, '(,1]'), (46, NULL);
CREATE TABLE any_list (n int, v text);
CREATE TABLE any_prefix (n int, v text);
CREATE TABLE any_suffix (n int, v text);
CREATE TABLE any_hash (n int, v text);
CREATE TABLE any_two (n int, v text, w text);
CREATE TABLE any_copy (n int, v text);
SELECT router.create_route('any_list', router.by_list('v'), default_child => true) \g /dev/null
SELECT router.create_route('any_prefix', router.by_prefix('v', 70)) \g /dev/null
SELECT router.create_route('any_suffix', router.by_suffix('v', 3)) \g /dev/null
SELECT router.create_route('any_hash', router.by_hash('v', 7)) \g /dev/null
SELECT router.create_route('any_two', ARRAY[router.by_list('v'), router.by_list('w')]) \g /dev/null
SELECT router.create_route('any_copy', router.by_list('v')) \g /dev/null
:fresh
INSERT INTO any_list SELECT * FROM texts;
SELECT is((SELECT count(DISTINCT tableoid) FROM any_list), 46::bigint, 'A14: every value of a list has a child of its own');
SELECT is((SELECT count(*) FROM any_list WHERE tableoid = 'any_list_default'::regclass), 0::bigint, 'A14: and none is in the default child, not even the word default');
SELECT is(test.strays('any_list'), 'none', 'A14: and each satisfies the CHECK of its child');
SELECT results_eq('SELECT * FROM any_list ORDER BY n', 'SELECT * FROM texts ORDER BY n', 'A14: values unchanged');
SELECT has_table('victim', 'A14: nothing was injected');
SELECT is((SELECT v FROM "any_list_a'b"), 'a''b', 'A14: a quote in a name');
SELECT is((SELECT v FROM "any_list_Case"), 'Case', 'A14: case is kept');
SELECT is((SELECT v FROM "any_list_crème brûlée"), 'crème brûlée', 'A14: accents and blanks are kept');
SELECT is((SELECT v FROM "any_list_🐘🐘"), '🐘🐘', 'A14: emoji');
SELECT is((SELECT v FROM "any_list_say ""hi"""), 'say "hi"', 'A14: double quotes');
SELECT is((SELECT count(*) FROM router.children WHERE base = 'any_list'::regclass AND child::regclass::text ~ '[[:cntrl:]]'), 0::bigint, 'A14: no control character in a name');
SELECT is((SELECT count(*) FROM pg_class c, pg_inherits i WHERE i.inhparent = 'any_list'::regclass AND c.oid = i.inhrelid AND octet_length(c.relname) > 63), 0::bigint, 'A15: no name over 63 bytes');
SELECT ok((SELECT bool_and(c.relname ~ '_[0-9a-f]{8}$') FROM pg_class c WHERE oid IN (SELECT tableoid FROM any_list WHERE n IN (33, 34, 37, 38, 9, 10, 27))),
          'A15: cut names and names with control characters end in a hash');
SELECT ok((SELECT bool_and(starts_with(c.relname, 'any_list_') AND c.relname ~ '^any_list_x?[é🐘]+_[0-9a-f]{8}$') FROM pg_class c WHERE oid IN (SELECT tableoid FROM any_list WHERE n IN (35, 36, 37, 38))),
          'A15: names are cut between characters');
:fresh
INSERT INTO any_list SELECT * FROM texts;
SELECT is((SELECT count(*) || '/' || count(DISTINCT tableoid) FROM any_list), '92/46', 'A14: a new session finds the same children again');
:fresh
INSERT INTO any_prefix SELECT * FROM texts;
SELECT is(test.strays('any_prefix'), 'none', 'A14: by prefix: home');
SELECT is((SELECT count(DISTINCT tableoid) FROM any_prefix), (SELECT count(DISTINCT coalesce('=' || lower(substr(v, 1, 70)), 'NULL')) FROM texts), 'A14: by prefix: a child for each');
SELECT results_eq('SELECT * FROM any_prefix ORDER BY n', 'SELECT * FROM texts ORDER BY n', 'A14: by prefix: unchanged');
:fresh
INSERT INTO any_suffix SELECT * FROM texts;
SELECT is(test.strays('any_suffix'), 'none', 'A14: by suffix: home');
SELECT is((SELECT count(DISTINCT tableoid) FROM any_suffix), (SELECT count(DISTINCT coalesce('=' || lower("right"(v, 3)), 'NULL')) FROM texts), 'A14: by suffix: a child for each');
:fresh
INSERT INTO any_hash SELECT * FROM texts;
SELECT is(test.strays('any_hash'), 'none', 'A14: by hash: home');
:fresh
INSERT INTO any_two SELECT a.n, a.v, b.v FROM texts a, texts b WHERE a.n IN (1, 2, 14, 24, 46) AND b.n IN (2, 6, 24, 46);
SELECT is((SELECT count(DISTINCT tableoid) FROM any_two), 20::bigint, 'A14: two levels of any text');
SELECT is(test.strays('any_two'), 'none', 'A14: two levels: home');
-- 'a_b','c' and 'a','b_c' would both be any_two_a_b_c
INSERT INTO any_two VALUES (1, 'a_b', 'c'), (2, 'a', 'b_c');
SELECT is((SELECT count(DISTINCT tableoid) FROM any_two WHERE v IN ('a', 'a_b')), 2::bigint, 'A15: two values never share a child because their names meet');
:fresh
COPY any_copy FROM PROGRAM $$printf '1\ta\\\\b\n2\ttwo\\nlines\n3\t\n4\t\\N\n5\t%%s\n'$$;
SELECT is((SELECT array_agg(v ORDER BY n) FROM any_copy), ARRAY['a\b', E'two\nlines', '', NULL, '%s'], 'A14: the same through COPY');
SELECT is((SELECT count(DISTINCT tableoid) FROM any_copy), 5::bigint, 'A14: a child for each through COPY');

-- ------------------------------------------------- names that are taken: A15
CREATE TABLE taken (v int);
CREATE TABLE taken_7 (whatever text);
CREATE VIEW taken_8 AS SELECT 1 AS one;
CREATE TYPE taken_9 AS ENUM ('x');
CREATE SEQUENCE taken_10;
INSERT INTO taken_7 VALUES ('mine');
SELECT router.create_route('taken', router.by_list('v')) \g /dev/null
:fresh
INSERT INTO taken VALUES (7), (8), (9), (10), (11);
SELECT is((SELECT count(DISTINCT tableoid) FROM taken), 5::bigint, 'A15: a table, view, type or sequence has the name: another is found');
SELECT ok((SELECT tableoid::regclass::text ~ '^taken_7_[0-9a-f]{8}$' FROM taken WHERE v = 7), 'A15: namely with a hash');
SELECT is((SELECT array_agg(t.*::text) FROM taken_7 t), '{(mine)}', 'A15: the other table is as it was');
SELECT is((SELECT tableoid::regclass::text FROM taken WHERE v = 11), 'taken_11', 'A15: a free name is taken as it is');
SELECT tableoid::regclass AS first_name FROM taken WHERE v = 7 \gset
DROP TABLE :first_name;
INSERT INTO taken VALUES (7);
SELECT is((SELECT tableoid::regclass::text FROM taken WHERE v = 7), :'first_name', 'A15: the hash is the same the next time');

CREATE TABLE a_table_with_a_name_of_exactly_sixty_three_bytes_in_all_so_long (v int);
SELECT router.create_route('a_table_with_a_name_of_exactly_sixty_three_bytes_in_all_so_long', router.by_integer('v', 10)) \g /dev/null
:fresh
INSERT INTO a_table_with_a_name_of_exactly_sixty_three_bytes_in_all_so_long SELECT * FROM generate_series(1, 100);
SELECT is((SELECT count(DISTINCT tableoid) FROM a_table_with_a_name_of_exactly_sixty_three_bytes_in_all_so_long), 10::bigint, 'A15: a base with a name of 63 bytes');
SELECT is(test.strays('a_table_with_a_name_of_exactly_sixty_three_bytes_in_all_so_long'), 'none', 'A15: its rows are home');

-- --------------------------------------- reserved words, schemas, quotes: A18
CREATE SCHEMA "S p""a";
CREATE SCHEMA elsewhere;
CREATE TABLE "S p""a"."We ird""T" ("select" int, "Ün ï" date, "it's" text, "order" int, PRIMARY KEY ("select", "Ün ï", "order"));
CREATE TABLE elsewhere."table" ("user" int, "limit" int, PRIMARY KEY ("user", "limit"));
CREATE TABLE "table" ("user" int, "limit" int, PRIMARY KEY ("user", "limit"));
SELECT router.create_route('"S p""a"."We ird""T"', ARRAY[router.by_integer('select', 10), router.by_date('Ün ï', 'month'), router.by_list('it''s')]) \g /dev/null
SELECT router.create_route('elsewhere."table"', router.by_list('user')) \g /dev/null
SELECT router.create_route('"table"', router.by_list('limit')) \g /dev/null
:fresh
INSERT INTO "S p""a"."We ird""T" VALUES (1, '2024-05-05', 'it''s', 1), (2, '2024-05-05', 'it''s', 2), (11, '2024-06-05', 'x', 3);
SELECT is(test.homes('"S p""a"."We ird""T"'), '"S p""a"."We ird""T_11_20_y2024m06_x": 1, "S p""a"."We ird""T_1_10_y2024m05_it''s": 2', 'A18: quotes in every name, a composite key, another schema');
SELECT throws_ok($$INSERT INTO "S p""a"."We ird""T" VALUES (1, '2024-05-05', 'it''s', 1)$$, '23505', NULL, 'A18: its primary key holds');
SELECT is(test.strays('"S p""a"."We ird""T"'), 'none', 'A18: home');
:fresh
INSERT INTO elsewhere."table" VALUES (1, 10), (2, 20);
INSERT INTO "table" VALUES (1, 10), (2, 20);
SELECT is(test.homes('elsewhere."table"'), 'elsewhere.table_1: 1, elsewhere.table_2: 1', 'A18: children stand in the schema of their base');
SELECT is(test.homes('"table"'), 'table_10: 1, table_20: 1', 'A18: and a table of the same name in another schema is another table');
:fresh
SET search_path = elsewhere;
INSERT INTO "table" VALUES (3, 30);
RESET search_path;
SELECT is(test.homes('elsewhere."table"'), 'elsewhere.table_1: 1, elsewhere.table_2: 1, elsewhere.table_3: 1', 'A18: whatever the search_path of the session');

-- -------------------------------------------------------------- template
CREATE TABLE tpl (r int, d date);
SELECT router.create_route('tpl', ARRAY[router.by_list('r'), router.by_date('d', 'year')], template => 'arch_{2}_{base}_of_{1}') \g /dev/null
:fresh
INSERT INTO tpl VALUES (7, '2024-05-05');
SELECT is(test.homes('tpl'), 'arch_y2024_tpl_of_7: 1', 'a template orders the parts');
CREATE TABLE tpl_bad (r int);
SELECT throws_ok($$SELECT router.create_route('tpl_bad', router.by_list('r'), template => '{base}_{2}')$$, '22023', NULL, 'a template that names a level there is not');
SELECT throws_ok($$SELECT router.create_route('tpl_bad', router.by_list('r'), template => '{base}_part')$$, '22023', NULL, 'a template that leaves a level out');
SELECT throws_ok($$SELECT router.create_route('tpl_bad', router.by_list('r'), template => '')$$, '22023', NULL, 'an empty template');

-- ------------------------------------------------------------- labels: C1
CREATE TABLE residence (id int PRIMARY KEY, code text);
INSERT INTO residence VALUES (145, '0023'), (1, '360-400'), (2, '531-'), (3, 'FAISANDERIE'), (4, '8401-8402-8403'), (5, '783_6B1'), (6, 'BLD-ROI'),
    (7, 'twin'), (8, 'twin'), (9, NULL), (10, 'x"; DROP TABLE victim; --'), (11, repeat('é', 50)), (12, ''), (41, 'pair');
CREATE TABLE consumption (residence_id int, d date, kwh numeric);
CREATE TABLE by_group (residence_id int);
CREATE TABLE by_quarter (d date);
CREATE TABLE by_label2 (residence_id int, d date);
SELECT router.create_route('consumption', router.by_list('residence_id', label => 'SELECT code FROM public.residence WHERE id = $1')) \g /dev/null
SELECT router.create_route('by_group', router.by_list('residence_id', ARRAY['{41,59}'], label => 'SELECT code FROM public.residence WHERE id = $1')) \g /dev/null
SELECT router.create_route('by_quarter', router.by_date('d', '3 months', label => $$SELECT to_char($1, 'YYYY"q"Q')$$)) \g /dev/null
SELECT router.create_route('by_label2', ARRAY[router.by_list('residence_id', label => 'SELECT code FROM public.residence WHERE id = $1'), router.by_date('d', 'year')]) \g /dev/null
:fresh
INSERT INTO consumption SELECT id, date '2024-01-01', 1 FROM generate_series(1, 12) id UNION ALL VALUES (145, date '2024-01-01', 2), (99, '2024-01-01', 3), (NULL, '2024-01-01', 4);
SELECT is((SELECT string_agg(tableoid::regclass::text, ' ' ORDER BY residence_id) FROM consumption WHERE residence_id < 7 OR residence_id IN (99, 145) OR residence_id IS NULL),
          '"consumption_360-400" "consumption_531-" "consumption_FAISANDERIE" "consumption_8401-8402-8403" "consumption_783_6B1" "consumption_BLD-ROI" consumption_99 consumption_0023 consumption_null',
          'C1: children named by the code of their residence; without one, by its id');
SELECT is((SELECT count(DISTINCT tableoid) FROM consumption), 15::bigint, 'C1: residences with the same label have a child each');
SELECT ok((SELECT bool_or(tableoid = 'consumption_twin'::regclass) AND bool_or(tableoid::regclass::text ~ '^consumption_twin_[0-9a-f]{8}$') FROM consumption WHERE residence_id IN (7, 8)),
          'C1: the second one with a hash');
SELECT is((SELECT tableoid::regclass::text FROM consumption WHERE residence_id = 9), 'consumption_9', 'C1: a label that is NULL: the usual name');
SELECT is(test.strays('consumption'), 'none', 'C1: home');
SELECT has_table('victim', 'C1: a label cannot inject');
INSERT INTO by_group VALUES (59), (41);
SELECT is(test.homes('by_group'), 'by_group_pair: 2', 'C1: a group is named by its first value');
INSERT INTO by_quarter VALUES ('2024-05-05'), ('2024-12-31');
SELECT is(test.homes('by_quarter'), 'by_quarter_2024q2: 1, by_quarter_2024q4: 1', 'a label for dates gets the lower bound');
INSERT INTO by_label2 VALUES (145, '2024-05-05');
SELECT is(test.homes('by_label2'), 'by_label2_0023_y2024: 1', 'C1: a label at one of two levels');
-- a label that changes later does not rename what there is
UPDATE residence SET code = 'other' WHERE id = 145;
:fresh
INSERT INTO consumption VALUES (145, '2024-01-02', 2);
SELECT is((SELECT count(*) FROM consumption_0023), 2::bigint, 'C1: the child is found by what it holds, not by its name');
CREATE TABLE bad_label (r int);
SELECT throws_ok($$SELECT router.create_route('bad_label', router.by_list('r', label => 'SELEC code'))$$, '42601', NULL, 'C1: a label with a syntax error is refused at set-up');
SELECT throws_ok($$SELECT router.create_route('bad_label', router.by_list('r', label => 'DELETE FROM public.residence'))$$, NULL, NULL, 'C1: a label that is no query is refused at set-up');
SELECT is((SELECT count(*) FROM residence), 14::bigint, 'C1: and has not run');

SELECT * FROM finish();
