-- User triggers on a routed table: BEFORE and AFTER, ROW and STATEMENT, transition tables, nesting.
\ir ../../include/helpers.sql
\set tests 43
SELECT plan(:tests);

CREATE TABLE fired (at serial, told text);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO fired (told) VALUES (TG_WHEN || ' ' || TG_LEVEL || ' ' || TG_TABLE_NAME || CASE TG_LEVEL WHEN 'ROW' THEN ' ' || NEW.v ELSE '' END);
    RETURN NEW;
END $$;
CREATE FUNCTION change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.v % 5 = 0 THEN
        RETURN NULL;
    END IF;
    NEW.k := NEW.k + 100;
    RETURN NEW;
END $$;
CREATE FUNCTION news() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO fired (told) SELECT 'news ' || count(*) || ' ' || coalesce(sum(v), 0) || ' ' || coalesce(min(k), 0) || ' ' || coalesce(max(k), 0) FROM news;
    RETURN NULL;
END $$;
CREATE TABLE t (k int, v int PRIMARY KEY DEFERRABLE, g int GENERATED ALWAYS AS (k + 1) STORED);
CREATE TRIGGER a_change BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION change();
CREATE TRIGGER b_note BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER c_after AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER d_before BEFORE INSERT ON t FOR EACH STATEMENT EXECUTE FUNCTION note();
CREATE TRIGGER e_after AFTER INSERT ON t FOR EACH STATEMENT EXECUTE FUNCTION note();
CREATE TRIGGER f_news AFTER INSERT ON t REFERENCING NEW TABLE AS news FOR EACH STATEMENT EXECUTE FUNCTION news();
SELECT router.create_route('t', router.by_integer('k', 10)) \g /dev/null

:fresh
INSERT INTO t VALUES (1, 1), (11, 2), (2, 5), (3, 3);
SELECT is(:ROW_COUNT, 3, 'a BEFORE trigger that returns NULL: not counted');
SELECT is(test.homes('t'), 't_101_110: 2, t_111_120: 1', 'a BEFORE trigger changes the key: home by the new one');
SELECT is(test.children('t'), 't_101_110, t_111_120', 'and no child for the old key, nor for the row that was dropped');
SELECT results_eq('SELECT k, v, g FROM t ORDER BY v', 'VALUES (101, 1, 102), (111, 2, 112), (103, 3, 104)', 'the generated column follows the changed row');
SELECT is((SELECT string_agg(told, ', ' ORDER BY told COLLATE "C") FROM fired),
          'AFTER ROW t_101_110 1, AFTER ROW t_101_110 3, AFTER ROW t_111_120 2, AFTER STATEMENT t, BEFORE ROW t 1, BEFORE ROW t 2, BEFORE ROW t 3, BEFORE STATEMENT t, news 3 6 101 111',
          'each trigger once: BEFORE on the base, AFTER ROW on the child, statement triggers on the base');
SELECT is((SELECT string_agg(substring(told FROM '^(\w+ \w+)'), ', ' ORDER BY at) FROM fired WHERE told NOT LIKE 'news%'),
          'BEFORE STATEMENT, BEFORE ROW, BEFORE ROW, BEFORE ROW, AFTER ROW, AFTER ROW, AFTER ROW, AFTER STATEMENT', 'in the order of core');
TRUNCATE fired RESTART IDENTITY;
-- the same statement in a session that has the library by now
INSERT INTO t VALUES (1, 11), (11, 12), (2, 15), (3, 13);
SELECT is(:ROW_COUNT, 3, 'the second statement of the session: the same count');
SELECT is((SELECT string_agg(told, ', ' ORDER BY told COLLATE "C") FROM fired),
          'AFTER ROW t_101_110 11, AFTER ROW t_101_110 13, AFTER ROW t_111_120 12, AFTER STATEMENT t, BEFORE ROW t 11, BEFORE ROW t 12, BEFORE ROW t 13, BEFORE STATEMENT t, news 3 36 101 111',
          'the second statement of the session: the same triggers');
SELECT is((SELECT string_agg(substring(told FROM '^(\w+ \w+)'), ', ' ORDER BY at) FROM fired WHERE told NOT LIKE 'news%'),
          'BEFORE STATEMENT, BEFORE ROW, BEFORE ROW, BEFORE ROW, AFTER ROW, AFTER ROW, AFTER ROW, AFTER STATEMENT', 'the second statement of the session: the same order');
TRUNCATE fired RESTART IDENTITY;
:fresh
SELECT results_eq('INSERT INTO t VALUES (1, 21), (2, 25), (51, 22) RETURNING k, g, v', 'VALUES (101, 102, 21), (151, 152, 22)', 'RETURNING shows what the BEFORE trigger made of the row');
SELECT results_eq('INSERT INTO t VALUES (1, 31), (2, 35), (51, 32) RETURNING tableoid::regclass::text, v', $$VALUES ('t_101_110', 31), ('t_151_160', 32)$$, 'and its child');
:fresh
INSERT INTO t SELECT i, 100 + i FROM generate_series(1, 2000) i;
SELECT is(:ROW_COUNT, 1600, 'many rows: count');
SELECT is((SELECT told FROM fired WHERE told LIKE 'news%' ORDER BY at DESC LIMIT 1), (SELECT format('news %s %s %s %s', count(*), sum(100 + i), min(i + 100), max(i + 100)) FROM generate_series(1, 2000) i WHERE i % 5 <> 0), 'many rows: the transition table has them all');
SELECT is(test.strays('t'), 'none', 'all home');
:fresh
INSERT INTO t SELECT 1, 5 FROM generate_series(1, 3);
SELECT is(:ROW_COUNT, 0, 'all rows dropped by a BEFORE trigger: INSERT 0 0');
TRUNCATE fired RESTART IDENTITY;
:fresh
INSERT INTO t SELECT 1, 1 WHERE false;
SELECT is((SELECT string_agg(told, ', ' ORDER BY at) FROM fired WHERE told NOT LIKE 'news%') || (SELECT told FROM fired WHERE told LIKE 'news%'), 'BEFORE STATEMENT t, AFTER STATEMENT tnews 0 0 0 0', 'no row: statement triggers fire all the same');
ALTER TABLE t DISABLE TRIGGER a_change;
TRUNCATE fired RESTART IDENTITY;
:fresh
INSERT INTO t VALUES (500, 5000);
SELECT is((SELECT tableoid::regclass::text FROM t WHERE v = 5000), 't_491_500', 'a disabled BEFORE trigger does not fire');
ALTER TABLE t ENABLE REPLICA TRIGGER a_change;
:fresh
SET session_replication_role = replica;
INSERT INTO t VALUES (500, 5001);
SELECT is((SELECT tableoid::regclass::text FROM t WHERE v = 5001), 't_591_600', 'a replica trigger does in a replica session; the row is routed there too');
RESET session_replication_role;

-- ------------------------------------------------- AFTER only, transition only
CREATE TABLE after_only (k int, v int);
CREATE TRIGGER z AFTER INSERT ON after_only FOR EACH ROW EXECUTE FUNCTION note();
CREATE TABLE news_only (k int, v int);
CREATE TRIGGER z AFTER INSERT ON news_only REFERENCING NEW TABLE AS news FOR EACH STATEMENT EXECUTE FUNCTION news();
CREATE TABLE when_t (k int, v int);
CREATE TRIGGER w1 BEFORE INSERT ON when_t FOR EACH ROW WHEN (NEW.v > 10) EXECUTE FUNCTION change();
CREATE TRIGGER w2 AFTER INSERT ON when_t FOR EACH ROW WHEN (NEW.k > 100) EXECUTE FUNCTION note();
SELECT router.create_route(x::regclass, router.by_integer('k', 10)) FROM unnest('{after_only,news_only,when_t}'::text[]) x \g /dev/null
TRUNCATE fired RESTART IDENTITY;
:fresh
INSERT INTO after_only SELECT i, i FROM generate_series(1, 1500) i;
SELECT is((SELECT count(DISTINCT told) || '/' || count(*) FROM fired), '1500/1500', 'AFTER ROW alone: once a row');
SELECT is((SELECT count(*) FROM fired WHERE told = format('AFTER ROW after_only_%s_%s %s', 1 + (split_part(told, ' ', 4)::int - 1) / 10 * 10, 10 + (split_part(told, ' ', 4)::int - 1) / 10 * 10, split_part(told, ' ', 4))), 1500::bigint, 'AFTER ROW alone: each on its child');
TRUNCATE fired RESTART IDENTITY;
:fresh
INSERT INTO news_only SELECT i, i FROM generate_series(1, 3000) i;
SELECT is((SELECT string_agg(told, ', ') FROM fired), 'news 3000 4501500 1 3000', 'a transition table alone: all rows once');
TRUNCATE fired RESTART IDENTITY;
:fresh
INSERT INTO when_t VALUES (1, 1), (2, 11), (3, 20), (200, 2);
SELECT is(test.homes('when_t'), 'when_t_101_110: 1, when_t_191_200: 1, when_t_1_10: 1', 'WHEN of a BEFORE trigger');
SELECT is((SELECT string_agg(told, ', ' ORDER BY told) FROM fired), 'AFTER ROW when_t_101_110 11, AFTER ROW when_t_191_200 2', 'WHEN of an AFTER trigger sees the changed row');

-- refused
CREATE FUNCTION row_news() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NULL; END $$;
CREATE TABLE row_news (k int, v int);
CREATE TRIGGER z AFTER INSERT ON row_news REFERENCING NEW TABLE AS news FOR EACH ROW EXECUTE FUNCTION row_news();
SELECT throws_ok($$SELECT router.create_route('row_news', router.by_integer('k', 10))$$, '0A000', NULL, 'a row trigger with a transition table cannot be on a parent');

-- errors raised by triggers
CREATE FUNCTION refuse_three() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN IF NEW.v = 3 THEN RAISE EXCEPTION 'not three' USING ERRCODE = 'P0003'; END IF; RETURN NEW; END $$;
CREATE TABLE fail_t (k int, v int);
CREATE TRIGGER f AFTER INSERT ON fail_t FOR EACH ROW EXECUTE FUNCTION refuse_three();
SELECT router.create_route('fail_t', router.by_integer('k', 10)) \g /dev/null
:fresh
INSERT INTO fail_t SELECT i * 10, i FROM generate_series(1, 5) i;
SELECT is(:'SQLSTATE'::text, 'P0003'::text, 'an error of an AFTER trigger');
SELECT is(test.children('fail_t') || ' ' || test.homes('fail_t'), 'none empty', 'leaves nothing');
INSERT INTO fail_t VALUES (10, 1);
SELECT is(test.homes('fail_t'), 'fail_t_1_10: 1', 'and the session goes on');

-- ------------------------------------------------------------------ nesting
CREATE TABLE one (k int, v int);
CREATE TABLE two (k int, v int);
CREATE TABLE three (k int, v int);
CREATE FUNCTION cascade() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('INSERT INTO %I VALUES ($1, $2), ($3, $2)', TG_ARGV[0]) USING NEW.k * 2, NEW.v, NEW.k * 3;
    RETURN NEW;
END $$;
CREATE TRIGGER x BEFORE INSERT ON one FOR EACH ROW EXECUTE FUNCTION cascade('two');
CREATE TRIGGER y AFTER INSERT ON one FOR EACH ROW EXECUTE FUNCTION cascade('two');
CREATE TRIGGER x BEFORE INSERT ON two FOR EACH ROW EXECUTE FUNCTION cascade('three');
SELECT router.create_route(x::regclass, router.by_integer('k', 10)) FROM unnest('{one,two,three}'::text[]) x \g /dev/null
:fresh
INSERT INTO one SELECT i, i FROM generate_series(1, 40) i;
SELECT is((SELECT count(*) FROM one) || '/' || (SELECT count(*) FROM two) || '/' || (SELECT count(*) FROM three), '40/160/320', 'triggers of routed tables that write into routed tables');
SELECT is(test.strays('one') || test.strays('two') || test.strays('three'), 'nonenonenone', 'all home');
:fresh
WITH o AS (INSERT INTO one SELECT i, i FROM generate_series(101, 110) i RETURNING k), w AS (INSERT INTO two SELECT k, 0 FROM o RETURNING k) INSERT INTO three SELECT k, 0 FROM w;
SELECT is((SELECT count(*) FROM one) || '/' || (SELECT count(*) FROM two) || '/' || (SELECT count(*) FROM three), '50/210/430', 'the same in CTEs of one statement');
SELECT is(test.strays('one') || test.strays('two') || test.strays('three'), 'nonenonenone', 'all home');

-- into itself
CREATE TABLE self (k int, v int);
CREATE FUNCTION self_b() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN IF NEW.v > 0 THEN INSERT INTO self VALUES (NEW.k + 10, NEW.v - 1); END IF; RETURN NEW; END $$;
CREATE FUNCTION self_a() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN IF NEW.v > 0 THEN INSERT INTO self VALUES (NEW.k - 10, -1); END IF; RETURN NULL; END $$;
CREATE TRIGGER b BEFORE INSERT ON self FOR EACH ROW EXECUTE FUNCTION self_b();
CREATE TRIGGER a AFTER INSERT ON self FOR EACH ROW EXECUTE FUNCTION self_a();
SELECT router.create_route('self', router.by_integer('k', 10)) \g /dev/null
:fresh
INSERT INTO self VALUES (105, 5), (505, 2);
SELECT is(:ROW_COUNT, 2, 'a trigger that writes into its own table: count');
SELECT is((SELECT string_agg(k || ':' || v, ' ' ORDER BY k, v) FROM self), '95:-1 105:-1 105:5 115:-1 115:4 125:-1 125:3 135:-1 135:2 145:1 155:0 495:-1 505:-1 505:2 515:1 525:0', 'a trigger that writes into its own table: rows');
SELECT is(test.strays('self'), 'none', 'a trigger that writes into its own table: home');
-- subtransactions in a trigger
CREATE TABLE sub (k int, v int);
CREATE FUNCTION sub_b() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    BEGIN
        INSERT INTO three VALUES (NEW.k + 7000, 1 / (NEW.v % 2));
    EXCEPTION WHEN division_by_zero THEN
        NEW.k := NEW.k + 500;
    END;
    RETURN NEW;
END $$;
CREATE TRIGGER b BEFORE INSERT ON sub FOR EACH ROW EXECUTE FUNCTION sub_b();
SELECT router.create_route('sub', router.by_integer('k', 10)) \g /dev/null
:fresh
INSERT INTO sub SELECT i, i FROM generate_series(1, 20) i;
SELECT is(test.homes('sub'), 'sub_11_20: 5, sub_1_10: 5, sub_501_510: 5, sub_511_520: 5', 'a trigger with an exception block');
SELECT is((SELECT count(*) FROM three WHERE k > 7000), 10::bigint, 'keeps what it did not roll back');
SELECT is(test.strays('three'), 'none', 'all home');
-- a trigger that makes the next child itself, or takes one away
CREATE TABLE ddl (k int, v int);
CREATE FUNCTION ddl_b() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN IF NEW.k = 15 THEN PERFORM router.create_child('ddl', ARRAY['25']); END IF; RETURN NEW; END $$;
CREATE TRIGGER b BEFORE INSERT ON ddl FOR EACH ROW EXECUTE FUNCTION ddl_b();
SELECT router.create_route('ddl', router.by_integer('k', 10)) \g /dev/null
:fresh
INSERT INTO ddl VALUES (5, 1), (15, 2), (25, 3);
SELECT is(test.homes('ddl'), 'ddl_11_20: 1, ddl_1_10: 1, ddl_21_30: 1', 'a BEFORE trigger that creates a child within the statement');
-- constraint triggers
CREATE TABLE cons (k int, v int);
CREATE CONSTRAINT TRIGGER c AFTER INSERT ON cons DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION refuse_three();
SELECT router.create_route('cons', router.by_integer('k', 10)) \g /dev/null
:fresh
BEGIN;
INSERT INTO cons VALUES (1, 3);
SELECT is(test.homes('cons'), 'cons_1_10: 1', 'a deferred constraint trigger does not fire yet');
COMMIT;
SELECT is(test.homes('cons'), 'empty', 'it does at commit');
SELECT is((SELECT count(*) FROM pg_trigger WHERE tgrelid = 'cons'::regclass AND tgenabled <> 'A' AND tgname LIKE '%router%'), 0::bigint, 'router''s own triggers are ENABLE ALWAYS');

-- ------------------------------- transition tables of a session's first statement
CREATE TABLE seen (n bigint, ids text);
CREATE TABLE tt (id int, k int, PRIMARY KEY (id, k));
CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO seen SELECT count(*), string_agg(id::text, ',' ORDER BY id) FROM new_rows; RETURN NULL; END $$;
CREATE TRIGGER see AFTER INSERT ON tt REFERENCING NEW TABLE AS new_rows FOR EACH STATEMENT EXECUTE FUNCTION see();
SELECT router.create_route('tt', router.by_integer('k', 10)) \g /dev/null
:fresh
INSERT INTO tt VALUES (1, 1), (2, 11), (3, 21);
SELECT results_eq('TABLE seen', $$VALUES (3::bigint, '1,2,3')$$, 'a plain INSERT');
TRUNCATE seen;
:fresh
INSERT INTO tt VALUES (3, 21), (4, 31), (5, 41) ON CONFLICT DO NOTHING;
SELECT results_eq('TABLE seen', $$VALUES (2::bigint, '4,5')$$, 'ON CONFLICT DO NOTHING: the rows that were inserted');
SELECT * FROM finish();
