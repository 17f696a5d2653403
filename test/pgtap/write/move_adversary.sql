-- UPDATE of the key where things are odd, as far as only a routed table has them: where the row goes, what is created, what stays.
-- The plain ways stand in write/update_move.sql; results in every shape are compared with an ordinary table and with partitions by t/300_twins.sh.
\ir ../../include/helpers.sql
\set tests 99
SELECT plan(:tests);

CREATE TABLE t (id int PRIMARY KEY, k int, v int DEFAULT 0);
SELECT router.create_route('t', router.by_integer('k', 10)) \g /dev/null
INSERT INTO t SELECT i, i * 3, i FROM generate_series(1, 12) i;

-- ------------------------------------------------- what is made and what not
:fresh
UPDATE t SET k = 505 WHERE id = 1;
SELECT is((SELECT tableoid::regclass::text FROM t WHERE id = 1), 't_501_510', 'a missing child is created');
SELECT matches(test.home_check('t_501_510'), 'k >= ''501''::bigint', 'with its CHECK');
BEGIN;
UPDATE t SET k = 605 WHERE id = 1;
ROLLBACK;
SELECT is(to_regclass('t_601_610'), NULL, 'and is gone when the move is rolled back');
SELECT is((SELECT k || ' ' || tableoid::regclass FROM t WHERE id = 1), '505 t_501_510', 'where the row is still');
:fresh
UPDATE t SET k = 615 WHERE false;
SELECT is(to_regclass('t_611_620'), NULL, 'no row, no child');
UPDATE t SET k = 625, v = 1 / 0 WHERE id = 2;
SELECT is(to_regclass('t_621_630'), NULL, 'an error, no child');
UPDATE t SET k = 635, id = 3 WHERE id = 2;
SELECT is(test.homes('t_631_640'), 't_631_640: 1', 'a primary key without the key column: unique in its child only');
UPDATE t SET k = 505, id = 1 WHERE k = 635;
SELECT is(:'SQLSTATE'::text, '23505'::text, 'there it is unique');
UPDATE t SET id = 2, k = 6 WHERE k = 635;
PREPARE mv AS UPDATE t SET k = $2 WHERE id = $1;
EXECUTE mv (1, 705);
DROP TABLE t_501_510;
EXECUTE mv (1, 506);
SELECT is((SELECT tableoid::regclass::text FROM t WHERE id = 1), 't_501_510', 'prepared: the child was dropped in between and comes again');
SELECT is((SELECT count(*) FROM router.children WHERE base = 't'::regclass AND child = 't_501_510'::regclass), 1::bigint, 'once');
SELECT is((SELECT count(*) FROM pg_trigger WHERE tgname = '~router_move' AND tgrelid IN (SELECT child FROM router.children WHERE base = 't'::regclass)),
          (SELECT count(*) FROM router.children WHERE base = 't'::regclass), 'every child has the trigger that moves rows');
SELECT is(test.strays('t'), 'none', 'all home');

-- -------------------------------------------------- on_missing, guard rails
CREATE TABLE strict (id int, k int);
SELECT router.create_route('strict', router.by_integer('k', 10), on_missing => 'error') \g /dev/null
SELECT router.create_child('strict', '1') \g /dev/null
SELECT router.create_child('strict', '11') \g /dev/null
INSERT INTO strict VALUES (1, 1), (2, 2);
:fresh
UPDATE strict SET k = 55 WHERE id = 1;
SELECT is(:'SQLSTATE'::text, '23514'::text, 'on_missing => error: refused');
SELECT matches(:'LAST_ERROR_MESSAGE'::text, 'no child of routed table', 'on_missing => error: says why');
SELECT is(test.homes('strict'), 'strict_1_10: 2', 'on_missing => error: nothing happened');
UPDATE strict SET k = CASE id WHEN 1 THEN 12 ELSE 99 END;
SELECT is(test.homes('strict'), 'strict_1_10: 2', 'on_missing => error: nor to the row that could have moved');
UPDATE strict SET k = 13 WHERE id = 1;
SELECT is(test.homes('strict'), 'strict_11_20: 1, strict_1_10: 1', 'on_missing => error: moves to a child that is there');
SELECT isnt(test.hint('UPDATE strict SET k = 55'), NULL, 'on_missing => error: has a hint');

CREATE TABLE guard (id int, d date, v text);
SELECT router.create_route('guard', router.by_date('d', 'month'), max_new_children => 2, horizon => '10 years') \g /dev/null
INSERT INTO guard SELECT i, date_trunc('month', now())::date, 'g' FROM generate_series(1, 5) i;
:fresh
UPDATE guard SET d = d + 366 * 50 WHERE id = 1;
SELECT is(:'SQLSTATE'::text, '22008'::text, 'the horizon holds for moved rows');
UPDATE guard SET d = 'infinity' WHERE id = 1;
SELECT is(:'SQLSTATE'::text, '22008'::text, 'so it does for infinity');
:fresh
UPDATE guard SET d = d + 31 * id;
SELECT is(:'SQLSTATE'::text, '54000'::text, 'max_new_children holds for moved rows');
SELECT is((SELECT count(*) FROM router.children WHERE base = 'guard'::regclass), 1::bigint, 'and nothing stays of the statement');
UPDATE guard SET d = d + 31 * id WHERE id < 3;
SELECT is(:ROW_COUNT, 2, 'two new children are allowed');

CREATE TABLE quar (id int, d date);
SELECT router.create_route('quar', router.by_date('d', 'year'), default_child => true, on_reject => 'default') \g /dev/null
INSERT INTO quar VALUES (1, now()), (2, now());
:fresh
UPDATE quar SET d = '9999-12-31' WHERE id = 1;
SELECT is((SELECT tableoid::regclass::text FROM quar WHERE id = 1), 'quar_default', 'on_reject => default: into quarantine');
UPDATE quar SET d = now() WHERE id = 1;
SELECT is((SELECT count(DISTINCT tableoid) FROM quar), 1::bigint, 'and out of it');
UPDATE quar SET d = d + interval '2 years' WHERE id = 2;
SELECT is((SELECT count(DISTINCT tableoid) FROM quar), 2::bigint, 'a new child while there is a default child');

-- a default child that holds rows of a child that a move creates
CREATE TABLE dflt (id int, k int);
SELECT router.create_route('dflt', router.by_integer('k', 10), default_child => true, on_missing => 'default') \g /dev/null
INSERT INTO dflt VALUES (1, 1), (2, 2), (3, 55), (4, 56);
SELECT router.create_child('dflt', '1') \g /dev/null
SELECT router.alter_route('dflt', on_missing => 'create') \g /dev/null
:fresh
UPDATE dflt SET k = 57 WHERE id = 1 RETURNING id \g /dev/null
SELECT is(test.homes('dflt'), 'dflt_1_10: 1, dflt_51_60: 3', 'a move that creates a child takes the rows out of the default child');
:fresh
INSERT INTO dflt_default VALUES (5, 77), (6, 78);
UPDATE dflt SET k = k + 1 WHERE k > 70;
SELECT is(:ROW_COUNT, 2, 'rows of the default child whose child is missing: both updated, once');
SELECT is((SELECT string_agg(id || ':' || k, ' ' ORDER BY id) FROM dflt WHERE k > 70), '5:78 6:79', 'rows of the default child: no row twice');
SELECT is((SELECT count(*) FROM dflt), 6::bigint, 'rows of the default child: none lost');

-- ------------------------------------------------------------ two levels
CREATE TABLE two (id int, r int, d date, v int, PRIMARY KEY (id, r, d));
SELECT router.create_route('two', ARRAY[router.by_list('r', ARRAY['{1,2}', '{3,NULL}']), router.by_date('d', 'month')]) \g /dev/null
ALTER TABLE two DROP CONSTRAINT two_pkey;
ALTER TABLE two ALTER r DROP NOT NULL, ALTER d DROP NOT NULL;
INSERT INTO two VALUES (1, 1, '2024-01-01', 1), (2, 2, '2024-01-02', 1), (3, 3, '2024-01-01', 1), (4, 4, '2024-01-01', 1), (5, NULL, '2024-01-01', 1), (6, 1, NULL, 1);
:fresh
UPDATE two SET r = 2 WHERE id = 1;
SELECT is((SELECT tableoid FROM two WHERE id = 1), (SELECT tableoid FROM two WHERE id = 2), 'within a group: the row stays');
UPDATE two SET r = 3 WHERE id = 1;
SELECT is((SELECT tableoid FROM two WHERE id = 1), (SELECT tableoid FROM two WHERE id = 3), 'to another group');
UPDATE two SET r = NULL, v = 2 WHERE id = 1;
SELECT is((SELECT tableoid FROM two WHERE id = 1), (SELECT tableoid FROM two WHERE id = 3), 'to NULL in the same group: it stays');
UPDATE two SET d = NULL WHERE id = 1;
SELECT is((SELECT tableoid::regclass::text FROM two WHERE id = 1), 'two_3_null_null', 'the inner key to NULL');
UPDATE two SET d = '2024-05-31', r = 9 WHERE id = 1;
SELECT is((SELECT tableoid::regclass::text FROM two WHERE id = 1), 'two_9_y2024m05', 'both keys, new at both levels');
UPDATE two SET r = r + 1, d = coalesce(d, '2024-02-29') + 1;
SELECT is(:ROW_COUNT, 6, 'all of them at once');
SELECT is((SELECT count(*) FROM two), 6::bigint, 'no row lost or doubled');
SELECT is(test.strays('two') || test.strays('dflt') || test.strays('quar') || test.strays('guard') || test.strays('strict'), repeat('none', 5), 'all home');

-- ------------------------------------------------------- layouts of children
CREATE TABLE lay (gone int, id int, k int, a text, gone2 text, g text GENERATED ALWAYS AS (a || '!') STORED);
SELECT router.create_route('lay', router.by_integer('k', 10)) \g /dev/null
INSERT INTO lay (id, k, a) VALUES (1, 1, 'one'), (2, 11, 'two');
ALTER TABLE lay DROP COLUMN gone;
INSERT INTO lay (id, k, a) VALUES (3, 21, 'three');
ALTER TABLE lay DROP COLUMN gone2, ADD COLUMN b int DEFAULT 5;
INSERT INTO lay (id, k, a) VALUES (4, 31, 'four');
CREATE TABLE att (b int, g text GENERATED ALWAYS AS (a || '!') STORED, a text, k int, id int);
SELECT router.attach_child('lay', 'att', ARRAY['[91,100]']) \g /dev/null
:fresh
SELECT results_eq('UPDATE lay SET k = k + 90 WHERE id = 1 RETURNING id, k, a, g, b, tableoid::regclass::text, lay.*::text', $$VALUES (1, 91, 'one', 'one!', 5, 'att', '(1,91,one,one!,5)')$$, 'into an attached child of another layout: RETURNING');
:fresh
SELECT results_eq('UPDATE lay SET k = k - 90, b = b + 1, a = a || id WHERE id = 1 RETURNING id, k, a, g, b, lay', $$VALUES (1, 1, 'one1', 'one1!', 6, ROW(1, 1, 'one1', 'one1!', 6)::lay)$$, 'and out of it');
UPDATE lay SET k = 122 - k;
SELECT is((SELECT string_agg(concat_ws(' ', id, k, a, g, b, tableoid::regclass), ', ' ORDER BY id) FROM lay),
          '1 121 one1 one1! 6 lay_121_130, 2 111 two two! 5 lay_111_120, 3 101 three three! 5 lay_101_110, 4 91 four four! 5 att', 'all layouts at once');
UPDATE lay x SET k = y.k, a = y.a FROM lay y WHERE y.id = x.id % 4 + 1;
SELECT is(:ROW_COUNT, 4, 'a self-join over all layouts: count');
SELECT is((SELECT string_agg(concat_ws(' ', id, k, g, tableoid::regclass), ', ' ORDER BY id) FROM lay),
          '1 111 two! lay_111_120, 2 101 three! lay_101_110, 3 91 four! att, 4 121 one1! lay_121_130', 'a self-join over all layouts: rows');
INSERT INTO lay (id, k, a) VALUES (5, 1, 'five');
UPDATE lay SET a = 'x', k = 92 WHERE id = 5;
SELECT is((SELECT tableoid::regclass || ' ' || g FROM lay WHERE id = 5), 'att x!', 'the generated column is computed for the new child');
SELECT is(test.strays('lay'), 'none', 'all home');

-- a child may have columns of its own, as inheritance has it; or attach_child may refuse it
CREATE TABLE wider (own text DEFAULT 'own', b int, g text GENERATED ALWAYS AS (a || '!') STORED, a text, k int, id int);
SELECT test.outcome($$SELECT router.attach_child('lay', 'wider', ARRAY['[191,200]'])$$) AS outcome \gset
SELECT ok(:'outcome' = 'done' OR :'outcome' ~ '^(42804|55000|42P16|0A000)', 'a child with a column of its own: attached or refused');
SELECT is(CASE :'outcome' WHEN 'done' THEN test.outcome($$INSERT INTO lay (id, k, a) VALUES (9, 191, 'own')$$) ELSE 'done' END, 'done', 'attached, it takes rows');
SELECT is(CASE :'outcome' WHEN 'done' THEN test.outcome($$UPDATE lay SET k = 192 WHERE id = 5$$) ELSE 'done' END, 'done', 'also those that move');

-- ------------------------------------------------------- tableoid, ctid, xmin
INSERT INTO t VALUES (100, 1, 0);
:fresh
UPDATE t SET k = 801 WHERE id = 100 RETURNING tableoid::regclass::text AS home, ctid AS place, xmin AS by, k \gset
SELECT is(:'home'::text, 't_801_810', 'RETURNING tableoid is the new home');
SELECT is(:'place'::text, (SELECT ctid::text FROM t WHERE id = 100), 'RETURNING ctid is the new place');
SELECT is(:'by'::text, (SELECT xmin::text FROM t WHERE id = 100), 'RETURNING xmin is of the new row');
UPDATE t SET k = 1 FROM (SELECT tableoid AS o, ctid AS c FROM t WHERE id = 100) x WHERE t.tableoid = x.o AND t.ctid = x.c;
SELECT is(:ROW_COUNT, 1, 'a move by tableoid and ctid');
UPDATE t_801_810 SET v = 1 WHERE id = 100;
SELECT is(:ROW_COUNT, 0, 'the row is not where it was');

-- ------------------------------------------------------------------ triggers
CREATE TABLE fired (at serial, told text);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO fired (told) VALUES (concat_ws(' ', TG_WHEN, TG_OP, TG_TABLE_NAME, CASE WHEN TG_OP <> 'INSERT' THEN OLD.k END, CASE WHEN TG_OP <> 'DELETE' THEN NEW.k END));
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END $$;
CREATE TABLE tr (id int, k int);
CREATE TRIGGER a BEFORE INSERT OR UPDATE OR DELETE ON tr FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER b AFTER INSERT OR UPDATE OR DELETE ON tr FOR EACH ROW EXECUTE FUNCTION note();
SELECT router.create_route('tr', router.by_integer('k', 10)) \g /dev/null
INSERT INTO tr VALUES (1, 1), (2, 2);
TRUNCATE fired RESTART IDENTITY;
:fresh
UPDATE tr SET k = 11 WHERE id = 1;
SELECT is((SELECT string_agg(told, ', ' ORDER BY at) FROM fired),
          'BEFORE UPDATE tr_1_10 1 11, BEFORE DELETE tr_1_10 1, BEFORE INSERT tr_11_20 11, AFTER DELETE tr_1_10 1, AFTER INSERT tr_11_20 11', 'the triggers of a move, and on which table they fire');
TRUNCATE fired RESTART IDENTITY;
:fresh
UPDATE tr SET k = 21 WHERE id = 1;
SELECT is((SELECT string_agg(told, ', ' ORDER BY at) FROM fired),
          'BEFORE UPDATE tr_11_20 11 21, BEFORE DELETE tr_11_20 11, BEFORE INSERT tr_21_30 21, AFTER DELETE tr_11_20 11, AFTER INSERT tr_21_30 21', 'the same for a child that the move creates');
TRUNCATE fired RESTART IDENTITY;
UPDATE tr SET k = 22 WHERE id = 1;
SELECT is((SELECT string_agg(told, ', ' ORDER BY at) FROM fired), 'BEFORE UPDATE tr_21_30 21 22, AFTER UPDATE tr_21_30 21 22', 'a row that stays is updated');
-- a trigger that stands on one child only
CREATE FUNCTION push() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.k := NEW.k + 100; RETURN NEW; END $$;
CREATE TRIGGER c BEFORE UPDATE ON tr_1_10 FOR EACH ROW EXECUTE FUNCTION push();
UPDATE tr SET id = 20 WHERE id = 2;
SELECT is((SELECT k || ' ' || tableoid::regclass FROM tr WHERE id = 20), '102 tr_101_110', 'a trigger of one child changes the key: the row moves');
CREATE TRIGGER z BEFORE INSERT ON tr_101_110 FOR EACH ROW EXECUTE FUNCTION push();
SELECT throws_ok('UPDATE tr SET k = 103 WHERE id = 1', '23514', NULL, 'a BEFORE INSERT trigger of the new child that changes the key: refused, as core does');
DROP TRIGGER z ON tr_101_110;
-- which sorts behind router's
CREATE TRIGGER "~zzz" BEFORE UPDATE ON tr FOR EACH ROW EXECUTE FUNCTION push();
INSERT INTO tr VALUES (7, 44);
SELECT test.outcome('UPDATE tr SET id = 70 WHERE id = 7') AS outcome \gset
SELECT ok(:'outcome' IN ('done') OR :'outcome' LIKE '23514%', 'a trigger whose name sorts behind router''s: moved or refused, not left a stray');
SELECT is(test.strays('tr'), 'none', 'all home');
DROP TRIGGER "~zzz" ON tr;
-- a trigger that touches the row itself
CREATE FUNCTION self() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN UPDATE slf SET v = v + 1 WHERE id = OLD.id; RETURN NEW; END $$;
CREATE TABLE slf (id int, k int, v int);
CREATE TRIGGER a BEFORE UPDATE OF k ON slf FOR EACH ROW EXECUTE FUNCTION self();
SELECT router.create_route('slf', router.by_integer('k', 10)) \g /dev/null
INSERT INTO slf VALUES (1, 1, 0);
:fresh
UPDATE slf SET k = 11;
SELECT is(:'SQLSTATE'::text, '27000'::text, 'a BEFORE trigger that updates the row itself: core''s error');
SELECT is((SELECT k || ' ' || v FROM slf), '1 0', 'and nothing happened');
CREATE FUNCTION gone() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN DELETE FROM slf2 WHERE id = OLD.id; RETURN NEW; END $$;
CREATE TABLE slf2 (id int, k int, v int);
CREATE TRIGGER a BEFORE UPDATE OF k ON slf2 FOR EACH ROW EXECUTE FUNCTION gone();
SELECT router.create_route('slf2', router.by_integer('k', 10)) \g /dev/null
INSERT INTO slf2 VALUES (1, 1, 0);
UPDATE slf2 SET k = 11;
SELECT is(:'SQLSTATE'::text, '27000'::text, 'a BEFORE trigger that deletes the row: core''s error');
-- one that creates or drops the new home on the way
CREATE FUNCTION ddl() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN PERFORM router.create_child('dd', ARRAY[NEW.k::text]); RETURN NEW; END $$;
CREATE TABLE dd (id int, k int);
CREATE TRIGGER a BEFORE UPDATE ON dd FOR EACH ROW EXECUTE FUNCTION ddl();
SELECT router.create_route('dd', router.by_integer('k', 10)) \g /dev/null
INSERT INTO dd VALUES (1, 1), (2, 2), (3, 3);
:fresh
UPDATE dd SET k = id * 100;
SELECT is(test.homes('dd'), 'dd_191_200: 1, dd_291_300: 1, dd_91_100: 1', 'a BEFORE trigger that creates the new home');
-- disabled
ALTER TABLE dd DISABLE TRIGGER a;
CREATE TABLE nested (id int, k int);
CREATE FUNCTION nest() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN UPDATE dd SET k = k + NEW.k WHERE id = NEW.id; UPDATE nested SET k = k + 10 WHERE id = NEW.id + 1; RETURN NEW; END $$;
CREATE TRIGGER n BEFORE UPDATE ON nested FOR EACH ROW EXECUTE FUNCTION nest();
SELECT router.create_route('nested', router.by_integer('k', 10)) \g /dev/null
INSERT INTO nested VALUES (1, 1), (2, 2), (3, 3);
:fresh
UPDATE nested SET k = 31 WHERE id = 1;
SELECT is(:ROW_COUNT, 1, 'moves within moves of the same table: count');
SELECT is((SELECT string_agg(k::text, ' ' ORDER BY id) FROM nested) || ', ' || (SELECT string_agg(k::text, ' ' ORDER BY id) FROM dd), '31 12 13, 131 212 313', 'moves within moves: rows');
SELECT is(test.strays('nested') || test.strays('dd'), 'nonenone', 'moves within moves: all home');

-- ---------------------------------------------------------- rights, row security
SELECT test.role('router_t_mover2') \g /dev/null
SELECT test.role('router_t_owner2') \g /dev/null
CREATE TABLE sec (id int, k int, secret text);
ALTER TABLE sec OWNER TO router_t_owner2;
GRANT CREATE, USAGE ON SCHEMA public TO router_t_owner2;
SELECT router.create_route('sec', router.by_integer('k', 10)) \g /dev/null
GRANT UPDATE (k), SELECT (id, k) ON sec TO router_t_mover2;
INSERT INTO sec VALUES (1, 1, 's'), (2, 2, 's');
:fresh
SET ROLE router_t_mover2;
UPDATE sec SET k = 501 WHERE id = 1;
SELECT is(:ROW_COUNT, 1, 'a role that may update the key alone moves a row into a new child');
SELECT throws_ok('UPDATE sec SET k = 601 WHERE id = 1 RETURNING secret', '42501', NULL, 'it may not read what it may not read');
SELECT throws_ok('UPDATE sec SET secret = 1', '42501', NULL, 'nor write');
SELECT throws_ok('UPDATE sec_501_510 SET secret = 1', '42501', NULL, 'nor in the child');
SELECT lives_ok('UPDATE sec_501_510 SET k = 701 WHERE id = 1', 'by the name of the child, with the grant that it has');
RESET ROLE;
SELECT is((SELECT relowner::regrole::text FROM pg_class WHERE oid = 'sec_501_510'::regclass), 'router_t_owner2', 'the new child is the base''s owner''s');
REVOKE CREATE ON SCHEMA public FROM router_t_owner2, PUBLIC;
SET ROLE router_t_mover2;
SELECT throws_ok('UPDATE sec SET k = 801 WHERE id = 1', '42501', NULL, 'an owner who may not create tables: the move fails');
RESET ROLE;
SELECT is((SELECT k FROM sec WHERE id = 1), 701, 'and nothing happened');
GRANT CREATE ON SCHEMA public TO router_t_owner2;
ALTER TABLE sec ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON sec USING (k < 900);
ALTER TABLE sec FORCE ROW LEVEL SECURITY;
SET ROLE router_t_mover2;
SELECT throws_ok('UPDATE sec SET k = 901 WHERE id = 1', '42501', NULL, 'row security: the policy of the base holds for the moved row');
SELECT lives_ok('UPDATE sec SET k = 899 WHERE id = 1', 'row security: what the policy allows');
RESET ROLE;
SELECT is((SELECT tableoid::regclass::text FROM sec WHERE id = 1), 'sec_891_900', 'row security: home');

-- --------------------------------------------------------- text, large, many
CREATE TABLE big (id int, w text, doc text);
ALTER TABLE big ALTER doc SET STORAGE EXTERNAL;
SELECT router.create_route('big', router.by_list('w')) \g /dev/null
INSERT INTO big SELECT i, 'a', repeat('x', 100000 + i) FROM generate_series(1, 4) i;
:fresh
UPDATE big SET w = 'b' WHERE id < 3;
DROP TABLE big_a;
SELECT is((SELECT string_agg(id || ':' || length(doc), ' ' ORDER BY id) FROM big), '1:100001 2:100002', 'a moved row has its toasted values with it: its old child is dropped');
UPDATE big SET w = NULL;
DROP TABLE big_b;
SELECT is((SELECT string_agg(id || ':' || length(doc), ' ' ORDER BY id) FROM big), '1:100001 2:100002', 'and once more');
CREATE TABLE many (id int, k int, v int, PRIMARY KEY (id, k));
SELECT router.create_route('many', router.by_integer('k', 10)) \g /dev/null
INSERT INTO many SELECT i, i % 500, 0 FROM generate_series(1, 10000) i;
:fresh
UPDATE many SET k = (k + 250) % 500, v = v + 1;
SELECT is(:ROW_COUNT, 10000, '10000 rows between 51 children: count');
SELECT is((SELECT count(*) || ' ' || count(DISTINCT id) || ' ' || sum(v) || ' ' || sum(k) FROM many), (SELECT '10000 10000 10000 ' || sum(i % 500) FROM generate_series(1, 10000) i), 'each once');
:fresh
UPDATE many SET k = k + 10 WHERE id % 2 = 0 RETURNING id, k, v \g /dev/null
UPDATE many SET k = k - 10 WHERE id % 2 = 0;
SELECT is(test.strays('many'), 'none', 'all home');
SELECT is((SELECT count(*) FROM many m JOIN generate_series(1, 10000) i ON i = m.id AND m.k = (i % 500 + 250) % 500), 10000::bigint, 'and where they should be');
-- a cancel in mid-move
SET statement_timeout = '5ms';
UPDATE many SET k = k + 10, v = 99;
RESET statement_timeout;
SELECT ok((SELECT count(*) FROM many WHERE v = 99) IN (0, 10000), 'a move that is cancelled: all or nothing');
SELECT is((SELECT count(*) FROM many), 10000::bigint, 'a move that is cancelled: no row lost');
SELECT is(test.strays('many'), 'none', 'a move that is cancelled: all home');

-- ------------------------------------------------------------------ MERGE … RETURNING
SELECT current_setting('server_version_num')::int >= 170000 AS merge_returns \gset
CREATE TABLE mr (id int, k int);
SELECT router.create_route('mr', router.by_integer('k', 10)) \g /dev/null
INSERT INTO mr VALUES (1, 1), (2, 2);
:fresh
MERGE INTO mr USING (VALUES (1, 11), (2, 3), (3, 33)) s (id, k) ON mr.id = s.id WHEN MATCHED THEN UPDATE SET k = s.k WHEN NOT MATCHED THEN INSERT VALUES (s.id, s.k);
SELECT is(:ROW_COUNT, 3, 'MERGE that moves, updates and inserts: count');
SELECT is(test.homes('mr'), 'mr_11_20: 1, mr_1_10: 1, mr_31_40: 1', 'MERGE that moves, updates and inserts: home');
\if :merge_returns
SELECT results_eq('MERGE INTO mr USING (VALUES (1, 21)) s (id, k) ON mr.id = s.id WHEN MATCHED THEN UPDATE SET k = s.k RETURNING mr.*', 'VALUES (1, 21)', 'MERGE … RETURNING moves');
SELECT throws_ok('MERGE INTO mr USING (VALUES (1, 31), (1, 41)) s (id, k) ON mr.id = s.id WHEN MATCHED THEN UPDATE SET k = s.k RETURNING mr.*', '21000', NULL, 'not twice');
SELECT results_eq('MERGE INTO mr USING (VALUES (1, 12), (4, 44)) s (id, k) ON mr.id = s.id WHEN MATCHED THEN UPDATE SET k = s.k WHEN NOT MATCHED THEN INSERT VALUES (s.id, s.k) RETURNING mr.id, mr.k', 'VALUES (1, 12), (4, 44)', 'MERGE … RETURNING of rows that move or come');
\else
SELECT pass('no MERGE … RETURNING in this version') FROM generate_series(1, 3);
\endif
SELECT is(test.strays('mr'), 'none', 'MERGE: all home');

-- --------------------------------------------------- the route goes, or comes back
SELECT router.drop_route('many') \g /dev/null
SELECT throws_ok('UPDATE many SET k = k + 10', '23514', NULL, 'without the route a child keeps its rows: its CHECK refuses');
SELECT router.create_route('many', router.by_integer('k', 10)) IS NOT NULL AS ignored \gset
SELECT is((SELECT count(*) FROM pg_trigger WHERE tgname = '~router_move' AND tgrelid = 'many'::regclass) <= 1, true, 'create_route again or its refusal leaves one trigger at most');
SELECT is((SELECT count(*) FROM pg_trigger g JOIN router.children c ON c.child = g.tgrelid WHERE tgname = '~router_move'), (SELECT count(*) FROM router.children), 'every child of every route has the trigger');
CREATE TABLE det (id int, k int);
SELECT router.create_route('det', router.by_integer('k', 10)) \g /dev/null
INSERT INTO det VALUES (1, 1), (2, 11);
SELECT router.detach_child('det_1_10') \g /dev/null
UPDATE det_1_10 SET k = 15;
SELECT is(:'SQLSTATE'::text, '23514'::text, 'a detached child keeps its rows');
SELECT is((SELECT count(*) FROM pg_trigger WHERE tgrelid = 'det_1_10'::regclass AND tgname LIKE '~router%'), 0::bigint, 'and has no trigger of router');
ALTER TABLE det_11_20 NO INHERIT det;
UPDATE det_11_20 SET k = 5;
SELECT is(:'SQLSTATE'::text, '23514'::text, 'nor has one that was taken away by NO INHERIT');

SELECT * FROM finish();
