-- Children that router did not make: tables of another layout, foreign tables; attach_child and detach_child.
\ir ../../include/helpers.sql
\set tests 60
SELECT plan(:tests);

CREATE TABLE t (
    id  int,
    k   int NOT NULL,
    v   text DEFAULT 'dflt',
    n   numeric(10,2) CHECK (n > 0),
    CONSTRAINT t_pk PRIMARY KEY (id, k)
);
-- the same columns in another order, with holes between them
CREATE TABLE mixed (
    gone1 text,
    n   numeric(10,2) CONSTRAINT t_n_check CHECK (n > 0),
    v   text DEFAULT 'dflt',
    gone2 int,
    k   int NOT NULL,
    id  int NOT NULL,
    PRIMARY KEY (id, k)
);
ALTER TABLE mixed DROP COLUMN gone1, DROP COLUMN gone2;
INSERT INTO mixed VALUES (1.5, 'there before', 15, 1);
SELECT router.create_route('t', router.by_integer('k', 10)) \g /dev/null
SELECT isnt_empty($$SELECT router.attach_child('t', 'mixed', ARRAY['[11,20]'])$$, 'attach_child tells what it did');
SELECT is(test.children('t'), 'mixed', 'attach_child: the table inherits and is in the catalog');
SELECT is(test.bounds('mixed'), '{"[11,20]"}', 'attach_child: its bounds');
SELECT matches(test.home_check('mixed'), 'k >= .*11.*k <= .*20', 'attach_child: and its CHECK');
SELECT is((SELECT v FROM t), 'there before', 'attach_child: its rows are rows of the base');

:fresh
INSERT INTO t VALUES (2, 11, 'a', 2), (3, 5, 'b', 3), (4, 20, DEFAULT, 4.005);
SELECT is(:ROW_COUNT, 3, 'INSERT: tag');
SELECT is(test.homes('t'), 'mixed: 3, t_1_10: 1', 'INSERT: home');
SELECT results_eq('SELECT id, k, v, n FROM t ORDER BY id', $$VALUES (1, 15, 'there before', 1.5), (2, 11, 'a', 2), (3, 5, 'b', 3), (4, 20, 'dflt', 4.01)$$, 'INSERT: every value in its own column');
:fresh
SELECT results_eq($$INSERT INTO t VALUES (5, 12, 'c', 5), (6, 6, 'd', 6), (7, 13, 'e', 7) RETURNING id, n, v || k, t$$,
                  $$VALUES (5, 5::numeric(10,2), 'c12', (5, 12, 'c', 5::numeric(10,2))::t), (6, 6, 'd6', (6, 6, 'd', 6::numeric(10,2))::t), (7, 7, 'e13', (7, 13, 'e', 7::numeric(10,2))::t)$$, 'RETURNING of both layouts, the whole row too');
SELECT results_eq($$INSERT INTO t VALUES (8, 14, 'f', 8), (9, 7, 'g', 9) RETURNING *$$, $$VALUES (8, 14, 'f', 8::numeric(10,2)), (9, 7, 'g', 9)$$, 'RETURNING * once the library is loaded');
:fresh
COPY t FROM PROGRAM 'printf "10\t16\tcopy\t1\n11\t8\tcopy\t1\n12\t17\tcopy\t1\n"';
SELECT is(:ROW_COUNT, 3, 'COPY: tag');
SELECT results_eq($$SELECT id, k, v, n, tableoid::regclass::text FROM t WHERE v = 'copy' ORDER BY id$$, $$VALUES (10, 16, 'copy', 1::numeric, 'mixed'), (11, 8, 'copy', 1, 't_1_10'), (12, 17, 'copy', 1, 'mixed')$$, 'COPY: every value in its own column');
:fresh
INSERT INTO t SELECT i, i % 30, 'bulk', i FROM generate_series(1001, 4000) i;
SELECT is((SELECT count(*) || '/' || sum(n) || '/' || sum(k) FROM t WHERE v = 'bulk'), '3000/7501500.00/43500', 'many rows at once');
SELECT is(test.strays('t'), 'none', 'all home');
SELECT throws_ok('INSERT INTO t VALUES (20, 15, NULL, -1)', '23514', NULL, 'a CHECK of the attached table holds');
SELECT throws_ok('INSERT INTO t VALUES (1, 15, NULL, 1)', '23505', NULL, 'its primary key holds');
:fresh
LOAD 'router';
INSERT INTO t VALUES (1, 15, 'up', 2), (9, 7, 'up', 2), (30, 18, 'new', 2) ON CONFLICT (id, k) DO UPDATE SET v = excluded.v || t.v, n = t.n + excluded.n WHERE t.v <> 'no';
SELECT results_eq($$SELECT id, k, v, n FROM t WHERE id IN (1, 9, 30) ORDER BY id$$, $$VALUES (1, 15, 'upthere before', 3.5), (9, 7, 'upg', 11), (30, 18, 'new', 2)$$, 'ON CONFLICT DO UPDATE: old and excluded values of another layout');
SELECT results_eq($$INSERT INTO t VALUES (1, 15, 'z', 1) ON CONFLICT ON CONSTRAINT t_pk DO UPDATE SET n = excluded.n RETURNING *$$, $$VALUES (1, 15, 'upthere before', 1::numeric(10,2))$$, 'ON CONFLICT by the constraint of the base');
INSERT INTO t VALUES (1, 15, 'z', 1) ON CONFLICT DO NOTHING;
SELECT is(:ROW_COUNT, 0, 'ON CONFLICT DO NOTHING');
CREATE VIEW tv AS SELECT v, id, k, n FROM t WHERE n < 100 WITH CHECK OPTION;
SELECT throws_ok($$INSERT INTO tv VALUES ('x', 40, 15, 500)$$, '44000', NULL, 'WITH CHECK OPTION of a view reads the right column');
:fresh
INSERT INTO tv VALUES ('x', 40, 15, 50);
SELECT is((SELECT n FROM mixed WHERE id = 40), 50::numeric, 'and lets the others pass');
-- row security with another layout
SELECT test.role('router_t_inserter') \g /dev/null
GRANT INSERT, SELECT ON t TO router_t_inserter;
ALTER TABLE t ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON t USING (true) WITH CHECK (n < 10);
:fresh
SET ROLE router_t_inserter;
INSERT INTO t VALUES (41, 15, 'rls', 5);
INSERT INTO t VALUES (42, 15, 'rls', 50);
SELECT is(:'SQLSTATE'::text, '42501'::text, 'a policy of the base reads the right column');
RESET ROLE;
SELECT is((SELECT array_agg(id) FROM t WHERE v = 'rls'), '{41}', 'and lets the others pass');
ALTER TABLE t DISABLE ROW LEVEL SECURITY;
-- triggers with another layout
CREATE TABLE fired (told text);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO fired VALUES (TG_WHEN || ' ' || TG_TABLE_NAME || ' ' || NEW.id || ' ' || NEW.k || ' ' || NEW.v); RETURN NEW; END $$;
CREATE FUNCTION note_all() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO fired SELECT 'all ' || string_agg(n::text, ' ' ORDER BY id) FROM news; RETURN NULL; END $$;
CREATE TRIGGER b BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER st AFTER INSERT ON t REFERENCING NEW TABLE AS news FOR EACH STATEMENT EXECUTE FUNCTION note_all();
CREATE TRIGGER own AFTER INSERT ON mixed FOR EACH ROW EXECUTE FUNCTION note();
:fresh
INSERT INTO t VALUES (50, 15, 'trig', 1), (51, 5, 'trig', 2), (52, 16, 'trig', 3);
SELECT is((SELECT string_agg(told, ', ' ORDER BY told COLLATE "C") FROM fired), 'AFTER mixed 50 15 trig, AFTER mixed 52 16 trig, BEFORE t 50 15 trig, BEFORE t 51 5 trig, BEFORE t 52 16 trig, all 1.00 2.00 3.00', 'triggers of base and child, transition table');
TRUNCATE fired;
:fresh
COPY t FROM PROGRAM 'printf "60\t15\ttrig\t1\n61\t5\ttrig\t2\n"';
SELECT is((SELECT string_agg(told, ', ' ORDER BY told COLLATE "C") FROM fired), 'AFTER mixed 60 15 trig, BEFORE t 60 15 trig, BEFORE t 61 5 trig, all 1.00 2.00', 'the same through COPY');
CREATE FUNCTION own_change() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.v := 'changed'; IF NEW.id = 72 THEN NEW.k := 99; END IF; RETURN NEW; END $$;
CREATE TRIGGER own_before BEFORE INSERT ON mixed FOR EACH ROW EXECUTE FUNCTION own_change();
:fresh
INSERT INTO t VALUES (70, 15, 'orig', 1), (71, 5, 'orig', 1);
SELECT is((SELECT string_agg(v, ' ' ORDER BY id) FROM t WHERE id IN (70, 71)), 'changed orig', 'a BEFORE trigger of the child''s own fires');
SELECT throws_ok($$INSERT INTO t VALUES (72, 15, 'orig', 1)$$, '23514', NULL, 'and when it sends the row astray, the CHECK stops it');

-- ------------------------------------------------------------- what is refused
CREATE TABLE few (id int, k int);
CREATE TABLE wrong_type (id int, k bigint, v text, n numeric(10,2));
CREATE TABLE wrong_rows (LIKE t INCLUDING ALL);
CREATE TABLE fine (LIKE t INCLUDING ALL);
CREATE TABLE other (k int);
CREATE VIEW a_view AS SELECT * FROM t;
INSERT INTO wrong_rows VALUES (1, 999, 'x', 1);
SELECT throws_ok($$SELECT router.attach_child('t', 'few', ARRAY['[101,110]'])$$, '42804', NULL, 'a table that lacks a column');
SELECT throws_ok($$SELECT router.attach_child('t', 'wrong_type', ARRAY['[101,110]'])$$, '42804', NULL, 'a column of another type');
SELECT throws_ok($$SELECT router.attach_child('t', 'wrong_rows', ARRAY['[101,110]'])$$, '23514', NULL, 'a table with rows that do not belong there');
SELECT isnt(test.outcome($$SELECT router.attach_child('t', 'fine', ARRAY['[15,110]'])$$), 'done', 'bounds that overlap a child''s');
SELECT isnt(test.outcome($$SELECT router.attach_child('t', 'mixed', ARRAY['[101,110]'])$$), 'done', 'a table that is a child already');
SELECT isnt(test.outcome($$SELECT router.attach_child('t', 't', ARRAY['[101,110]'])$$), 'done', 'the base itself');
SELECT throws_ok($$SELECT router.attach_child('t', 'a_view', ARRAY['[101,110]'])$$, '42809', NULL, 'a view');
SELECT isnt(test.outcome($$SELECT router.attach_child('other', 'fine', ARRAY['[101,110]'])$$), 'done', 'a table without a route');
SELECT isnt(test.outcome($$SELECT router.attach_child('t', 'fine', ARRAY['nonsense'])$$), 'done', 'bounds that are none');
SELECT throws_ok($$SELECT router.attach_child('t', 'fine', ARRAY['[101,110]', '[1,2]'])$$, '22023', NULL, 'more bounds than levels');
SELECT throws_ok($$SELECT router.attach_child('t', 'fine', ARRAY[]::text[])$$, '22023', NULL, 'fewer');
SELECT isnt_empty($$SELECT router.attach_child('t', 'fine', ARRAY['[101,110]'], dry_run => true)$$, 'dry_run tells');
SELECT is((SELECT count(*) FROM pg_inherits WHERE inhrelid = 'fine'::regclass) + (SELECT count(*) FROM router.children WHERE child = 'fine'::regclass) + (SELECT count(*) FROM pg_constraint WHERE conrelid = 'fine'::regclass AND conname = 'router_home'), 0::bigint, 'dry_run does nothing');
SELECT is((SELECT count(*) FROM pg_inherits WHERE inhparent = 't'::regclass), (SELECT count(*) FROM router.children WHERE base = 't'::regclass), 'what was refused left nothing behind');
SELECT router.attach_child('t', 'fine', ARRAY['[101,200]']) \g /dev/null
:fresh
INSERT INTO t VALUES (100, 101, 'wide', 1), (101, 200, 'wide', 1), (102, 201, 'wide', 1), (103, 99, 'wide', 1);
SELECT is((SELECT string_agg(tableoid::regclass::text, ' ' ORDER BY id) FROM t WHERE v = 'wide'), 'fine fine t_201_210 t_91_100', 'a range of several steps');

-- ---------------------------------------------------------------------- detach
SELECT isnt_empty($$SELECT router.detach_child('fine', dry_run => true)$$, 'detach_child: dry_run tells');
SELECT is((SELECT count(*) FROM router.children WHERE child = 'fine'::regclass), 1::bigint, 'dry_run detaches nothing');
SELECT isnt_empty($$SELECT router.detach_child('fine')$$, 'detach_child tells what it did');
SELECT is((SELECT count(*) FROM router.children WHERE child = 'fine'::regclass) + (SELECT count(*) FROM pg_inherits WHERE inhrelid = 'fine'::regclass), 0::bigint, 'detach_child: neither child nor heir');
SELECT is((SELECT count(*) FROM fine), 2::bigint, 'detach_child: its rows stay its own');
SELECT is((SELECT count(*) FROM t WHERE v = 'wide'), 2::bigint, 'detach_child: and are no longer the base''s');
SELECT isnt(test.outcome($$SELECT router.detach_child('fine')$$), 'done', 'detach_child: not twice');
SELECT isnt(test.outcome($$SELECT router.detach_child('other')$$), 'done', 'detach_child: a table that is no child');
:fresh
INSERT INTO t VALUES (100, 101, 'again', 1);
SELECT is((SELECT tableoid::regclass::text FROM t WHERE v = 'again'), 't_101_110', 'after detaching, children are created as usual');
SELECT router.detach_child('t_1_10') \g /dev/null
:fresh
INSERT INTO t VALUES (800, 5, 'again', 1);
SELECT ok((SELECT tableoid::regclass::text ~ '^t_1_10_[0-9a-f]{8}$' FROM t WHERE id = 800), 'the detached child keeps its name, the new one takes another');
SELECT is((SELECT count(*) FROM t_1_10 WHERE id = 800), 0::bigint, 'and no row goes to the old one');

-- ---------------------------------------------------------------- foreign tables
-- a loop back into this database
SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'postgres_fdw') AS fdw \gset
\if :fdw
CREATE EXTENSION postgres_fdw;
SELECT current_setting('port') AS port, trim(split_part(current_setting('unix_socket_directories'), ',', 1)) AS sockets, current_database() AS db, current_user AS me \gset
CREATE SERVER loop FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host :'sockets', port :'port', dbname :'db');
CREATE USER MAPPING FOR CURRENT_USER SERVER loop OPTIONS (user :'me');
CREATE TABLE far (id int, k int NOT NULL, v text, told timestamptz);
CREATE TABLE far_away (told timestamptz, k int NOT NULL, id int, v text);
CREATE FOREIGN TABLE far_ft (id int, k int NOT NULL, v text, told timestamptz) SERVER loop OPTIONS (table_name 'far_away');
SELECT router.create_route('far', router.by_integer('k', 10)) \g /dev/null
SELECT router.attach_child('far', 'far_ft', ARRAY['[11,20]']) \g /dev/null
:fresh
INSERT INTO far VALUES (1, 5, 'near'), (2, 15, 'far'), (3, 16, 'far');
SELECT is(:ROW_COUNT, 3, 'a foreign child: tag');
SELECT is(test.homes('far'), 'far_1_10: 1, far_ft: 2', 'a foreign child: home');
SELECT results_eq('SELECT id, k, v FROM far_away ORDER BY id', $$VALUES (2, 15, 'far'), (3, 16, 'far')$$, 'a foreign child: its rows are at the other end');
:fresh
SELECT results_eq($$INSERT INTO far VALUES (4, 6, 'ret'), (5, 17, 'ret') RETURNING id, v || k$$, $$VALUES (4, 'ret6'), (5, 'ret17')$$, 'a foreign child: RETURNING');
:fresh
COPY far (id, k, v) FROM PROGRAM $$awk 'BEGIN { for (i = 100; i < 500; i++) print i "\t" i % 30 "\tcopy" }'$$;
SELECT is(:ROW_COUNT, 400, 'a foreign child: tag of COPY');
SELECT is((SELECT count(*) || '/' || count(DISTINCT id) FROM far WHERE v = 'copy'), '400/400', 'a foreign child: no row of a COPY lost');
SELECT is((SELECT state FROM router.children WHERE child = 'far_ft'::regclass), 'foreign', 'router.children says that it is foreign');
\else
SELECT skip('postgres_fdw is not available', 7);
\endif

SELECT * FROM finish();
