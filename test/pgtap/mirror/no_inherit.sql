-- CHECK and NOT NULL that say NO INHERIT hold for the rows of a routed table as for those of an ordinary one. What
-- a child has from its base goes with it, in whatever way the table became a child.
\ir ../../include/helpers.sql
\set tests 89
SELECT plan(:tests);
SELECT current_setting('server_version_num')::int >= 180000 AS v18 \gset

-- What of the base's columns and constraints a child holds as its own.
CREATE FUNCTION test.own(child regclass) RETURNS text LANGUAGE sql AS $$
    SELECT coalesce(string_agg(name, ' ' ORDER BY name COLLATE "C"), 'nothing') FROM (
        SELECT attname AS name FROM pg_attribute WHERE attrelid = child AND attnum > 0 AND attislocal AND NOT attisdropped
        UNION ALL SELECT conname FROM pg_constraint WHERE conrelid = child AND contype IN ('c', 'n') AND conislocal AND conname <> 'router_home') own
$$;
CREATE SCHEMA app;
CREATE ACCESS METHOD heap2 TYPE TABLE HANDLER heap_tableam_handler;

-- ------------------------------------------------------------ CHECK … NO INHERIT
CREATE TABLE app.t (k int, v int, w text, CONSTRAINT v_ok CHECK (v > 0) NO INHERIT, CONSTRAINT "V, w" CHECK (v < length(w)) NO INHERIT, CONSTRAINT shared CHECK (k > -1000));
COMMENT ON CONSTRAINT v_ok ON app.t IS 'above zero';
COMMENT ON CONSTRAINT shared ON app.t IS 'passed on by core';
SELECT router.create_route('app.t', router.by_integer('k', 10)) \g /dev/null
:fresh
INSERT INTO app.t VALUES (1, 1, 'abc');
SELECT is(test.unlike('app.t'), 'nothing', 'a child made by an INSERT has them');
SELECT throws_ok($$INSERT INTO app.t VALUES (2, -1, 'abc')$$, '23514', 'new row for relation "t_1_10" violates check constraint "v_ok"', 'INSERT');
SELECT throws_ok($$INSERT INTO app.t VALUES (11, 5, 'abc')$$, '23514', 'new row for relation "t_11_20" violates check constraint "V, w"', 'INSERT that makes a child');
SELECT throws_ok($$UPDATE app.t SET v = 0$$, '23514', NULL, 'UPDATE');
SELECT throws_ok($$UPDATE app.t SET v = 0, k = 11$$, '23514', NULL, 'UPDATE that moves');
SELECT throws_ok($$INSERT INTO app.t SELECT i, 0, 'abc' FROM generate_series(1, 100) i$$, '23514', NULL, 'in batches');
SELECT throws_ok($$MERGE INTO app.t USING (VALUES (3)) s(k) ON false WHEN NOT MATCHED THEN INSERT VALUES (s.k, 0, 'abc')$$, '23514', NULL, 'MERGE');
COPY app.t FROM PROGRAM $$printf '3\t0\tabc\n'$$;
SELECT is((SELECT count(*) FROM app.t), 1::bigint, 'COPY');
CREATE TABLE app.old (w text, gone int, v int, k int, CONSTRAINT shared CHECK (k > -1000));
ALTER TABLE app.old DROP COLUMN gone;
INSERT INTO app.old VALUES ('abc', 2, 21);
SELECT router.attach_child('app.t', 'app.old', ARRAY['[21,30]']) \g /dev/null
SELECT is((SELECT string_agg(detail, '; ' ORDER BY detail COLLATE "C") FROM router.check('app.t')),
          'to be mended: add constraint "V, w"; to be mended: add constraint "v_ok"; to be mended: set the comment on constraint "shared"', 'an attached child lacks them');
SELECT router.sync('app.t') \g /dev/null
SELECT is(test.unlike('app.t'), 'nothing', 'router.sync adds them');
INSERT INTO app.t VALUES (11, 1, 'abc');
CALL router.move_child('app.t_11_20', access_method => 'heap2');
SELECT is(test.unlike('app.t'), 'nothing', 'a moved child keeps them');
SELECT is(test.follow('app.t', $$ALTER TABLE app.t DROP CONSTRAINT v_ok$$), 'followed', 'DROP CONSTRAINT');
SELECT is(test.follow('app.t', $$ALTER TABLE app.t ADD CHECK (v > 0) NO INHERIT$$), 'followed', 'ADD CHECK');
SELECT throws_ok($$INSERT INTO app.t VALUES (22, 0, 'abc')$$, '23514', 'new row for relation "old" violates check constraint "t_v_check"', 'in the attached child');
SELECT is(test.follow('app.t', $$ALTER TABLE app.t RENAME CONSTRAINT t_v_check TO "Positive"$$), 'followed', 'RENAME CONSTRAINT');
SELECT is(test.follow('app.t', $$COMMENT ON CONSTRAINT "Positive" ON app.t IS 'a comment'$$), 'followed', 'COMMENT ON CONSTRAINT');
SELECT is(test.follow('app.t', $$COMMENT ON CONSTRAINT shared ON app.t IS NULL$$), 'followed', 'COMMENT ON CONSTRAINT of one that core passes on');
SELECT throws_ok($$ALTER TABLE app.t ADD CONSTRAINT none CHECK (v > 1) NO INHERIT$$, '23514', NULL, 'ADD CHECK that rows do not satisfy');
SELECT is(test.follow('app.t', $$ALTER TABLE app.t ADD CONSTRAINT later CHECK (v > 1) NO INHERIT NOT VALID$$), 'followed', 'ADD CHECK NOT VALID');
INSERT INTO app.t VALUES (31, 2, 'abc');
SELECT is(test.unlike('app.t'), 'nothing', 'in a new child, too');
SELECT throws_ok($$INSERT INTO app.t VALUES (32, 1, 'abc')$$, '23514', NULL, 'it holds for new rows');
SELECT throws_ok($$ALTER TABLE app.t VALIDATE CONSTRAINT later$$, '23514', NULL, 'VALIDATE looks at the rows of children');
DELETE FROM app.t WHERE v = 1;
SELECT is(test.follow('app.t', $$ALTER TABLE app.t VALIDATE CONSTRAINT later$$), 'followed', 'VALIDATE CONSTRAINT');
SELECT is(test.follow('app.t', $$ALTER TABLE app.t ADD COLUMN x int CHECK (x <> 5) NO INHERIT$$), 'followed', 'ADD COLUMN with a CHECK');
SELECT is(test.follow('app.t', $$ALTER TABLE app.t ALTER v TYPE bigint$$), 'followed', 'ALTER TYPE');
SELECT is(test.follow('app.t', $$ALTER TABLE app.t RENAME x TO y$$), 'followed', 'RENAME of a column');
SELECT is(test.follow('app.t', $$ALTER TABLE app.t DROP COLUMN y$$), 'followed', 'DROP COLUMN');
SELECT is(test.follow('app.t', $$ALTER TABLE app.t DROP CONSTRAINT later, DROP CONSTRAINT "Positive", ADD CONSTRAINT later CHECK (v > 0) NO INHERIT$$), 'followed', 'several at once');
SELECT is(test.outcome($$ALTER TABLE app.t DROP CONSTRAINT later, ADD CONSTRAINT later CHECK (v > 0)$$), 'done', 'the same without NO INHERIT');
SELECT is(test.own('app.t_1_10'), 'V, w', 'is passed on by core');
SELECT is(test.outcome($$ALTER TABLE app.t DROP CONSTRAINT later, ADD CONSTRAINT later CHECK (v > 0) NO INHERIT$$), 'done', 'and back');
SELECT is(test.unlike('app.t'), 'nothing', 'children have it still');
ALTER TABLE app.old ADD CONSTRAINT mine CHECK (v < 100), ADD CONSTRAINT own CHECK (v < 1000);
SELECT is(test.outcome($$ALTER TABLE app.t ADD CONSTRAINT own CHECK (v < 1000)$$), 'done', 'core merges a CHECK that a child has');
SELECT is(test.own('app.old'), 'V, w later mine', 'which is not the child''s own any more');
SELECT is(test.outcome($$ALTER TABLE app.t ADD CONSTRAINT mine CHECK (v < 101) NO INHERIT$$), 'done', 'a CHECK that a child has otherwise');
SELECT is(test.unlike('app.t'), 'nothing', 'is replaced');
ALTER TABLE app.old DROP CONSTRAINT mine, ADD CONSTRAINT mine CHECK (v < 101);
SELECT is_empty($$SELECT * FROM router.check('app.t')$$, 'without NO INHERIT it holds as well');
SELECT is(test.outcome($$ALTER TABLE app.t DROP CONSTRAINT mine$$), 'done', 'DROP CONSTRAINT');
SELECT is(test.unlike('app.t'), 'nothing', 'takes it away');
ALTER TABLE app.old ADD CONSTRAINT stays CHECK (v < 99);
ALTER TABLE ONLY app.t ADD CONSTRAINT stays CHECK (v < 98) NO INHERIT;
ALTER TABLE app.t DROP CONSTRAINT stays;
SELECT is((SELECT count(*) FROM pg_constraint WHERE conrelid = 'app.old'::regclass AND conname = 'stays'), 1::bigint, 'not what says something else');
ALTER TABLE app.old DROP CONSTRAINT stays;
SELECT router.detach_child('app.old') \g /dev/null
SELECT is(test.own('app.old'), 'V, w k later own shared v w', 'what a detached child had, it keeps as its own');
SELECT throws_ok($$INSERT INTO app.old (k, v, w) VALUES (22, 0, 'abc')$$, '23514', NULL, 'all of it');
INSERT INTO app.t VALUES (41, 5, 'abcdef');
ALTER TABLE app.t_41_50 NO INHERIT app.t;
SELECT is(test.own('app.t_41_50'), 'V, w k later own shared v w', 'NO INHERIT says the same');
SELECT router.drop_route('app.t', rows => 'base') \g /dev/null
SELECT is((SELECT count(*) FROM app.t), 1::bigint, 'drop_route takes the rows back');

-- a reference to the whole row: not valid on children, so that a dump adds it when they inherit
CREATE TABLE app.w (k int, v int);
SELECT router.create_route('app.w', router.by_integer('k', 10)) \g /dev/null
INSERT INTO app.w VALUES (1, 1);
CREATE FUNCTION app.ok(app.w) RETURNS boolean LANGUAGE sql IMMUTABLE AS 'SELECT ($1).v > 0';
SELECT is(test.outcome('ALTER TABLE app.w ADD CONSTRAINT whole CHECK (app.ok(w)) NO INHERIT'), 'done', 'a CHECK of the whole row');
SELECT throws_ok('INSERT INTO app.w VALUES (1, 0)', '23514', NULL, 'holds');
SELECT throws_ok('INSERT INTO app.w VALUES (11, 0)', '23514', NULL, 'in a new child');
SELECT is_empty($$SELECT * FROM router.check('app.w')$$, 'check is silent');
ALTER TABLE app.w DROP CONSTRAINT whole;
INSERT INTO app.w VALUES (1, 0), (11, 0);
SELECT throws_ok('ALTER TABLE app.w ADD CONSTRAINT whole CHECK (app.ok(w)) NO INHERIT', '23514', NULL, 'old rows are verified');
SELECT is(test.outcome('ALTER TABLE app.w ADD CONSTRAINT whole CHECK (app.ok(w)) NO INHERIT NOT VALID'), 'done', 'but not for one that is not valid');
SELECT throws_ok('ALTER TABLE app.w VALIDATE CONSTRAINT whole', '23514', NULL, 'VALIDATE finds them');
DELETE FROM app.w WHERE v = 0;
SELECT is(test.outcome('ALTER TABLE app.w VALIDATE CONSTRAINT whole'), 'done', 'or none');
SELECT is_empty($$SELECT * FROM router.check('app.w')$$, 'check is silent');
SELECT is((SELECT count(*) FROM pg_constraint WHERE conname = 'whole' AND convalidated), 1::bigint, 'children''s are never marked as valid');

-- a hot base, and what rotates
CREATE TABLE app.h (d timestamptz, v int, CONSTRAINT v_ok CHECK (v > 0) NO INHERIT);
SELECT router.create_route('app.h', router.by_date('d', 'year'), hot => '10000 days', horizon => '1000 years', time_zone => 'UTC') \g /dev/null
INSERT INTO app.h SELECT '2024-01-01 UTC'::timestamptz + i * interval '1 day', i FROM generate_series(1, 100) i;
CALL router.rotate('app.h', cutoff => '2025-01-01 UTC');
SELECT is(test.homes('app.h'), 'app.h_y2024: 100', 'a hot base rotates');
SELECT is(test.unlike('app.h'), 'nothing', 'its child is like it');
SELECT throws_ok($$INSERT INTO app.h VALUES ('2024-05-05', -1)$$, '23514', NULL, 'a late row');

-- ------------------------------------------------------- NOT NULL … NO INHERIT, NOT ENFORCED
CREATE TABLE app.n (k int, v int, w int);
SELECT router.create_route('app.n', router.by_integer('k', 10)) \g /dev/null
INSERT INTO app.n VALUES (1, 1, 1);
CREATE TABLE app.n_old (w int, v int, k int);
SELECT router.attach_child('app.n', 'app.n_old', ARRAY['[21,30]']) \g /dev/null
\if :v18
SELECT is(test.follow('app.n', 'ALTER TABLE app.n ADD CONSTRAINT nn NOT NULL v NO INHERIT'), 'followed', 'NOT NULL');
SELECT throws_ok('INSERT INTO app.n VALUES (2)', '23502', NULL, 'it holds');
SELECT throws_ok('INSERT INTO app.n VALUES (12)', '23502', NULL, 'in a new child');
SELECT is((SELECT string_agg(pg_get_constraintdef(oid), ', ' ORDER BY oid) FROM pg_constraint WHERE conname = 'nn'), 'NOT NULL v NO INHERIT, NOT NULL v, NOT NULL v', 'under the same name');
ALTER TABLE app.n RENAME CONSTRAINT nn TO nn2;
SELECT is((SELECT string_agg(pg_get_constraintdef(oid), ', ' ORDER BY oid) FROM pg_constraint WHERE conname = 'nn2'), 'NOT NULL v NO INHERIT, NOT NULL v, NOT NULL v', 'RENAME');
SELECT is(test.outcome('ALTER TABLE app.n ALTER CONSTRAINT nn2 INHERIT'), 'done', 'INHERIT');
SELECT is(test.own('app.n_1_10') || '; ' || test.own('app.n_old'), 'nothing; nothing', 'the children have it from the base now');
SELECT is(test.outcome('ALTER TABLE app.n ALTER CONSTRAINT nn2 NO INHERIT'), 'done', 'NO INHERIT');
SELECT is(test.own('app.n_1_10') || '; ' || test.own('app.n_old'), 'nn2; nn2', 'and as their own again');
SELECT is_empty($$SELECT * FROM router.check('app.n')$$, 'check is silent');
SELECT is(test.follow('app.n', 'ALTER TABLE app.n ALTER v DROP NOT NULL'), 'followed', 'DROP NOT NULL');
INSERT INTO app.n VALUES (2), (21);
SELECT throws_ok('ALTER TABLE app.n ADD CONSTRAINT nn NOT NULL v NO INHERIT', '23502', NULL, 'rows of children count');
SELECT is(test.follow('app.n', 'ALTER TABLE app.n ADD CONSTRAINT nn NOT NULL v NO INHERIT NOT VALID'), 'followed', 'NOT VALID');
SELECT throws_ok('INSERT INTO app.n VALUES (22)', '23502', NULL, 'it holds for new rows');
UPDATE app.n SET v = 1;
SELECT is(test.outcome('ALTER TABLE app.n VALIDATE CONSTRAINT nn'), 'done', 'VALIDATE');
SELECT is((SELECT count(*) FROM pg_constraint WHERE conname = 'nn' AND convalidated), 3::bigint, 'is followed');
SELECT is(test.follow('app.n', 'ALTER TABLE app.n DROP CONSTRAINT nn'), 'followed', 'DROP CONSTRAINT');
SELECT is(test.follow('app.n', 'ALTER TABLE app.n ADD COLUMN x int DEFAULT 1 NOT NULL NO INHERIT'), 'followed', 'ADD COLUMN');
SELECT is(test.follow('app.n', 'ALTER TABLE app.n ADD CONSTRAINT dream CHECK (v > 1000) NO INHERIT NOT ENFORCED'), 'followed', 'NOT ENFORCED');
SELECT lives_ok('INSERT INTO app.n VALUES (31, 1)', 'and nobody enforces it');
SELECT is(test.unlike('app.n'), 'nothing', 'a new child is the same');
\else
SELECT skip('NOT NULL has no NO INHERIT before PostgreSQL 18', 21);
\endif

-- -------------------------------------------------------- what inherits is the base's
CREATE TABLE app.b (id int, d date NOT NULL, note text NOT NULL DEFAULT '', v int, CONSTRAINT v_ok CHECK (v > 0));
SELECT router.create_route('app.b', router.by_date('d', 'month')) \g /dev/null
INSERT INTO app.b VALUES (1, '2023-02-05', 'own', 1);
CREATE TABLE app.attached (note text NOT NULL, v int, id int, d date NOT NULL, CONSTRAINT v_ok CHECK (v > 0), CONSTRAINT mine CHECK (id > 0));
INSERT INTO app.attached VALUES ('attached', 1, 2, '2023-01-05');
CREATE TABLE app.stray (id int, d date NOT NULL, note text NOT NULL, v int, CONSTRAINT v_ok CHECK (v > 0));
ALTER TABLE app.stray INHERIT app.b;
SELECT router.attach_child('app.b', 'app.attached', ARRAY['[2023-01-01,2023-02-01)']), router.attach_child('app.b', 'app.stray', ARRAY['[2023-03-01,2023-04-01)']) \g /dev/null
SELECT is(test.own('app.attached') || '; ' || test.own('app.stray'), 'mine; nothing', 'attach_child leaves to the base what the base has');
SELECT router.sync('app.b') \g /dev/null
CALL router.move_child('app.attached', access_method => 'heap2');
SELECT is(test.own('app.attached') || '; ' || test.own('app.stray'), 'mine; nothing', 'so do sync and move_child');
UPDATE pg_attribute SET attislocal = true WHERE attrelid = 'app.stray'::regclass AND attname IN ('note', 'v');
UPDATE pg_constraint SET conislocal = true WHERE conrelid = 'app.stray'::regclass AND conname = 'v_ok';
SELECT is((SELECT string_agg(kind || ' ' || detail, '; ' ORDER BY detail COLLATE "C") FROM router.check('app.b')),
          'inheritance to be mended: leave column "note" to the base; inheritance to be mended: leave column "v" to the base; inheritance to be mended: leave constraint "v_ok" to the base', 'one that was attached before is told');
SELECT router.sync('app.b') \g /dev/null
SELECT is(test.own('app.stray'), 'nothing', 'and mended');
SELECT is_empty($$SELECT * FROM router.check('app.b')$$, 'check is silent');
ALTER TABLE app.attached ADD COLUMN w int;
ALTER TABLE app.b ADD COLUMN w int;
SELECT is(test.own('app.attached'), 'mine', 'a column that a child has already becomes the base''s');
ALTER TABLE app.b DROP CONSTRAINT v_ok, DROP COLUMN note, DROP COLUMN w;
INSERT INTO app.b VALUES (3, '2023-01-06', -5), (4, '2023-02-06', -5), (5, '2023-03-06', -5);
SELECT is(test.homes('app.b'), 'app.attached: 2, app.b_y2023m02: 2, app.stray: 1', 'DROP COLUMN and DROP CONSTRAINT reach all children');
SELECT is(test.unlike('app.b'), 'app.attached has: constraint mine CHECK ((id > 0)) ', 'all are like the base');
SELECT router.detach_child('app.attached') \g /dev/null
SELECT is(test.own('app.attached') ~ '\yd id mine v$', true, 'a detached child has its columns as its own');
ALTER TABLE app.stray ADD COLUMN more int;
SELECT throws_ok($$INSERT INTO app.b VALUES (6, '2023-03-07', 1)$$, '42804', NULL, 'no row goes into a child with a column more');
SELECT is((SELECT detail || ': ' || remedy FROM router.check('app.b')), 'the base does not have column "more": ALTER TABLE app.stray DROP COLUMN more', 'which check tells');

SELECT * FROM finish();
