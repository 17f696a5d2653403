-- INSERT … ON CONFLICT: F3, design 4.1. The library is loaded before (session_preload_libraries or LOAD):
-- the statement that loads it by its first row has been planned and started by core alone.
\ir ../../include/helpers.sql
\set tests 51
SELECT plan(:tests);

CREATE TABLE t (
    id  int,
    d   date,
    v   int,
    txt text,
    n   int DEFAULT 0,
    g   text GENERATED ALWAYS AS (txt || '*') STORED,
    CONSTRAINT t_pk PRIMARY KEY (id, d),
    CONSTRAINT t_positive CHECK (v >= 0)
);
CREATE UNIQUE INDEX t_lower ON t (lower(txt), d);
CREATE UNIQUE INDEX t_partial ON t (v, d) WHERE v > 100;
SELECT router.create_route('t', router.by_date('d', 'month')) \g /dev/null

:fresh
LOAD 'router';
INSERT INTO t VALUES (1, '2024-01-01', 1, 'a'), (2, '2024-02-01', 2, 'b');
INSERT INTO t VALUES (1, '2024-01-01', 9, 'z'), (3, '2024-03-01', 3, 'c') ON CONFLICT DO NOTHING;
SELECT is(:ROW_COUNT, 1, 'DO NOTHING: the tag counts the row that went in');
SELECT results_eq('SELECT id, v FROM t ORDER BY id', 'VALUES (1, 1), (2, 2), (3, 3)', 'DO NOTHING: the old row stays');
INSERT INTO t VALUES (2, '2024-02-01', 9, 'z') ON CONFLICT (id, d) DO NOTHING;
SELECT is(:ROW_COUNT, 0, 'DO NOTHING by target');
INSERT INTO t VALUES (2, '2024-02-01', 9, 'z') ON CONFLICT ON CONSTRAINT t_pk DO NOTHING;
SELECT is(:ROW_COUNT, 0, 'DO NOTHING by constraint');
INSERT INTO t VALUES (77, '2024-02-01', 9, 'B') ON CONFLICT (lower(txt), d) DO NOTHING;
SELECT is(:ROW_COUNT, 0, 'DO NOTHING by an expression');
SELECT throws_ok($$INSERT INTO t VALUES (77, '2024-02-01', 9, 'B') ON CONFLICT (id, d) DO NOTHING$$, '23505', NULL, 'DO NOTHING by target leaves other constraints their say');
INSERT INTO t VALUES (4, '2024-04-01', 4, 'd'), (4, '2024-04-01', 5, 'e'), (5, '2024-05-01', 5, 'e') ON CONFLICT DO NOTHING;
SELECT is(:ROW_COUNT, 2, 'DO NOTHING: a conflict within the statement, in a child that it created');
SELECT is_empty($$INSERT INTO t VALUES (1, '2024-01-01', 9, 'z') ON CONFLICT DO NOTHING RETURNING *$$, 'DO NOTHING returns no row for a conflict');
SELECT is(test.strays('t'), 'none', 'DO NOTHING: all home');

:fresh
LOAD 'router';
INSERT INTO t AS old VALUES (1, '2024-01-01', 10, 'A1'), (6, '2024-06-01', 6, 'f') ON CONFLICT (id, d) DO UPDATE SET v = old.v + excluded.v, txt = excluded.txt, n = old.n + 1;
SELECT is(:ROW_COUNT, 2, 'DO UPDATE: the tag counts both');
SELECT results_eq('SELECT id, v, txt, n, g FROM t WHERE id IN (1, 6) ORDER BY id', $$VALUES (1, 11, 'A1', 1, 'A1*'), (6, 6, 'f', 0, 'f*')$$, 'DO UPDATE: old and excluded values, generated column');
SELECT results_eq($$INSERT INTO t VALUES (1, '2024-01-01', 5, 'A2'), (7, '2024-07-01', 7, 'g'), (2, '2024-02-01', 5, 'B2') ON CONFLICT ON CONSTRAINT t_pk DO UPDATE SET v = excluded.v, n = t.n + 1 RETURNING id, v, n, g, tableoid::regclass::text$$,
                  $$VALUES (1, 5, 2, 'A1*', 't_y2024m01'), (7, 7, 0, 'g*', 't_y2024m07'), (2, 5, 1, 'b*', 't_y2024m02')$$, 'DO UPDATE by constraint: RETURNING updated and inserted rows of several children');
SELECT results_eq($$INSERT INTO t VALUES (1, '2024-01-01', 1, 'no'), (2, '2024-02-01', 99, 'yes') ON CONFLICT (id, d) DO UPDATE SET v = excluded.v WHERE t.v < excluded.v RETURNING id, v$$,
                  'VALUES (2, 99)', 'DO UPDATE … WHERE: only where it holds');
SELECT is((SELECT v FROM t WHERE id = 1), 5, 'DO UPDATE … WHERE: the other row is as it was');
INSERT INTO t VALUES (8, '2024-02-01', 0, 'B') ON CONFLICT (lower(txt), d) DO UPDATE SET n = 100;
SELECT is((SELECT id || '/' || n FROM t WHERE lower(txt) = 'b'), '2/100', 'DO UPDATE by an expression');
INSERT INTO t VALUES (9, '2024-09-01', 101, 'i'), (10, '2024-09-02', 101, 'j') ON CONFLICT (v, d) WHERE v > 100 DO UPDATE SET n = -1;
INSERT INTO t VALUES (11, '2024-09-01', 101, 'k') ON CONFLICT (v, d) WHERE v > 100 DO UPDATE SET n = -1;
SELECT is((SELECT string_agg(id || '/' || n, ' ' ORDER BY id) FROM t WHERE v = 101), '9/-1 10/0', 'DO UPDATE by a partial index');
SELECT throws_ok($$INSERT INTO t VALUES (1, '2024-01-01', 1), (1, '2024-01-01', 2) ON CONFLICT (id, d) DO UPDATE SET v = excluded.v$$, '21000', NULL, 'DO UPDATE: not twice the same row');
SELECT throws_ok($$INSERT INTO t VALUES (20, '2024-10-01', 1), (20, '2024-10-01', 2) ON CONFLICT (id, d) DO UPDATE SET v = excluded.v$$, '21000', NULL, 'DO UPDATE: not even one it has just inserted into a new child');
SELECT is(to_regclass('t_y2024m10'), NULL, 'and the new child is gone with the statement');
SELECT throws_ok($$INSERT INTO t VALUES (1, '2024-01-01', 1) ON CONFLICT (id, d) DO UPDATE SET v = -1$$, '23514', NULL, 'DO UPDATE: CHECKs hold');
SELECT results_eq($$INSERT INTO t VALUES (1, '2024-01-01', 1) ON CONFLICT (id, d) DO UPDATE SET d = '2024-08-01' RETURNING tableoid::regclass::text, id, d$$,
                  $$VALUES ('t_y2024m08', 1, '2024-08-01'::date)$$, 'DO UPDATE of the key moves the row');
UPDATE t SET d = '2024-01-01' WHERE id = 1 AND d = '2024-08-01';
SELECT throws_ok($$INSERT INTO t VALUES (1, '2024-01-01', 1) ON CONFLICT (v) DO NOTHING$$, '42P10', NULL, 'a target without a unique index is refused as usual');
INSERT INTO t VALUES (1, '2024-01-01', 1, 'x') ON CONFLICT (id, d) DO UPDATE SET (v, txt) = (SELECT max(s.v) + 1, 'sub' FROM t s), n = DEFAULT;
SELECT results_eq('SELECT v, txt, n FROM t WHERE id = 1', $$VALUES (102, 'sub', 0)$$, 'DO UPDATE with a subselect and DEFAULT');
SELECT throws_ok($$INSERT INTO t VALUES (1, NULL, 1) ON CONFLICT (id, d) DO NOTHING$$, '23502', NULL, 'NOT NULL comes before any conflict');

-- another layout of rows: columns dropped
ALTER TABLE t ADD COLUMN late text;
ALTER TABLE t DROP COLUMN n;
:fresh
LOAD 'router';
INSERT INTO t (id, d, v, txt, late) VALUES (1, '2024-01-01', 55, 'l1', 'late'), (50, '2025-01-01', 50, 'l2', 'late'), (50, '2025-01-02', 51, 'l3', 'late')
    ON CONFLICT (id, d) DO UPDATE SET v = excluded.v, late = excluded.late || '!' RETURNING id \g /dev/null
SELECT results_eq($$SELECT id, v, late, tableoid::regclass::text FROM t WHERE late IS NOT NULL ORDER BY id, d$$, $$VALUES (1, 55, 'late!', 't_y2024m01'), (50, 50, 'late', 't_y2025m01'), (50, 51, 'late', 't_y2025m01')$$, 'after columns were dropped and added');

-- prepared, and children that come in between
PREPARE up (int, date, int) AS INSERT INTO t (id, d, v) VALUES ($1, $2, $3) ON CONFLICT ON CONSTRAINT t_pk DO UPDATE SET v = t.v + excluded.v RETURNING v;
EXECUTE up (60, '2026-01-01', 1) \gset
EXECUTE up (60, '2026-01-01', 1) \gset
EXECUTE up (60, '2026-02-01', 1) \gset
EXECUTE up (60, '2026-01-01', 1) \gset
EXECUTE up (60, '2026-02-01', 1) \gset
EXECUTE up (60, '2026-03-01', 1) \gset
EXECUTE up (60, '2026-01-01', 1) \gset
SELECT is(:v, 4, 'prepared: the fourth of the same row');
SELECT is((SELECT string_agg(v || ' ' || tableoid::regclass, ', ' ORDER BY d) FROM t WHERE id = 60), '4 t_y2026m01, 2 t_y2026m02, 1 t_y2026m03', 'prepared: over three children that came in between');

-- many rows, half of them there already
:fresh
LOAD 'router';
CREATE TABLE many (id int, k int, n int, PRIMARY KEY (id, k));
SELECT router.create_route('many', router.by_integer('k', 10)) \g /dev/null
INSERT INTO many SELECT i, i % 100, 1 FROM generate_series(1, 4000) i WHERE i % 2 = 0;
INSERT INTO many SELECT i, i % 100, 1 FROM generate_series(1, 4000) i ON CONFLICT (id, k) DO UPDATE SET n = many.n + 1;
SELECT is(:ROW_COUNT, 4000, '4000 rows, 11 children: tag');
SELECT is((SELECT sum(n) || '/' || count(*) || '/' || count(*) FILTER (WHERE n = 2) FROM many), '6000/4000/2000', '4000 rows: half inserted, half updated');
INSERT INTO many SELECT i, i % 100, 1 FROM generate_series(3001, 5000) i ON CONFLICT DO NOTHING;
SELECT is(:ROW_COUNT, 1000, 'DO NOTHING: 1000 of 2000');
SELECT is(test.strays('many'), 'none', 'all home');
WITH up AS (INSERT INTO many VALUES (1, 1, 5), (9999, 9, 5) ON CONFLICT (id, k) DO UPDATE SET n = 77 RETURNING id, n) SELECT string_agg(id || ':' || n, ' ') AS told FROM up \gset
SELECT is(:'told'::text, '1:77 9999:5', 'in a CTE');
CREATE FUNCTION up(int, int) RETURNS text LANGUAGE plpgsql AS $$
DECLARE n bigint; r int;
BEGIN
    INSERT INTO many VALUES ($1, $2, 0) ON CONFLICT (id, k) DO NOTHING;
    GET DIAGNOSTICS n = ROW_COUNT;
    INSERT INTO many VALUES ($1, $2, 0) ON CONFLICT (id, k) DO UPDATE SET n = many.n + 10 RETURNING many.n INTO r;
    RETURN n || ' ' || r;
END $$;
SELECT is(up(1, 1) || ', ' || up(70000, 500) || ', ' || up(70000, 500), '0 87, 1 10, 0 20', 'in PL/pgSQL');

-- triggers
CREATE TABLE fired (told text);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO fired VALUES (TG_WHEN || ' ' || TG_OP || ' ' || TG_LEVEL || CASE TG_LEVEL WHEN 'ROW' THEN ' ' || TG_TABLE_NAME ELSE '' END);
    RETURN coalesce(NEW, OLD);
END $$;
CREATE TABLE tr (id int, k int, v int, PRIMARY KEY (id, k));
CREATE TRIGGER bi BEFORE INSERT ON tr FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER bu BEFORE UPDATE ON tr FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER ai AFTER INSERT ON tr FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER au AFTER UPDATE ON tr FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER si AFTER INSERT ON tr FOR EACH STATEMENT EXECUTE FUNCTION note();
CREATE TRIGGER su AFTER UPDATE ON tr FOR EACH STATEMENT EXECUTE FUNCTION note();
SELECT router.create_route('tr', router.by_integer('k', 10)) \g /dev/null
:fresh
LOAD 'router';
INSERT INTO tr VALUES (1, 5, 0);
TRUNCATE fired;
INSERT INTO tr VALUES (1, 5, 1), (2, 15, 1) ON CONFLICT (id, k) DO UPDATE SET v = excluded.v;
SELECT is((SELECT string_agg(n || ' ' || told, ', ' ORDER BY told COLLATE "C") FROM (SELECT count(*) AS n, told FROM fired GROUP BY told) s),
          '1 AFTER INSERT ROW tr_11_20, 1 AFTER INSERT STATEMENT, 1 AFTER UPDATE ROW tr_1_10, 1 AFTER UPDATE STATEMENT, 2 BEFORE INSERT ROW tr, 1 BEFORE UPDATE ROW tr_1_10', 'triggers of both halves, each once');
TRUNCATE fired;
INSERT INTO tr VALUES (1, 5, 1) ON CONFLICT DO NOTHING;
SELECT is((SELECT string_agg(told, ', ' ORDER BY told COLLATE "C") FROM fired), 'AFTER INSERT STATEMENT, BEFORE INSERT ROW tr', 'DO NOTHING: no AFTER ROW trigger');

-- row security
SELECT test.role('router_t_writer') \g /dev/null
CREATE TABLE sec (id int, k int, v int, PRIMARY KEY (id, k));
ALTER TABLE sec ENABLE ROW LEVEL SECURITY;
CREATE POLICY p_sel ON sec FOR SELECT USING (true);
CREATE POLICY p_ins ON sec FOR INSERT WITH CHECK (v < 100);
CREATE POLICY p_upd ON sec FOR UPDATE USING (v < 50) WITH CHECK (v < 70);
GRANT SELECT, INSERT, UPDATE (v) ON sec TO router_t_writer;
SELECT router.create_route('sec', router.by_integer('k', 10)) \g /dev/null
INSERT INTO sec VALUES (1, 1, 10), (2, 2, 60);
:fresh
LOAD 'router';
SET ROLE router_t_writer;
INSERT INTO sec VALUES (1, 1, 11), (3, 33, 12) ON CONFLICT (id, k) DO UPDATE SET v = excluded.v;
SELECT is((SELECT string_agg(id || ':' || v, ' ' ORDER BY id) FROM sec), '1:11 2:60 3:12', 'row security: what the policies allow');
SELECT throws_ok('INSERT INTO sec VALUES (2, 2, 13) ON CONFLICT (id, k) DO UPDATE SET v = excluded.v', '42501', NULL, 'row security: a row that USING hides from UPDATE');
SELECT throws_ok('INSERT INTO sec VALUES (1, 1, 80) ON CONFLICT (id, k) DO UPDATE SET v = excluded.v', '42501', NULL, 'row security: WITH CHECK of UPDATE');
SELECT throws_ok('INSERT INTO sec VALUES (9, 9, 200) ON CONFLICT (id, k) DO UPDATE SET v = 1', '42501', NULL, 'row security: WITH CHECK of INSERT');
SELECT throws_ok('INSERT INTO sec VALUES (1, 1, 1) ON CONFLICT (id, k) DO UPDATE SET id = 5', '42501', NULL, 'column privileges of UPDATE');
RESET ROLE;
SELECT is(test.strays('sec'), 'none', 'row security: all home');

-- a view, a deferrable constraint, exclusion
CREATE VIEW many_v AS SELECT id AS i, k AS kk, n AS nn FROM many;
INSERT INTO many_v VALUES (1, 1, 1), (123456, 7, 1) ON CONFLICT (i, kk) DO UPDATE SET nn = many_v.nn + 1000;
SELECT is((SELECT string_agg(id || ':' || n, ' ' ORDER BY id) FROM many WHERE id IN (1, 123456)), '1:1087 123456:1', 'through a view');
CREATE TABLE def (k int CONSTRAINT def_u UNIQUE DEFERRABLE, r int4range, CONSTRAINT def_x EXCLUDE USING gist (r WITH &&));
SELECT router.create_route('def', router.by_integer('k', 10)) \g /dev/null
INSERT INTO def VALUES (1, '[1,5)');
SELECT throws_ok('INSERT INTO def VALUES (1) ON CONFLICT ON CONSTRAINT def_u DO NOTHING', '55000', NULL, 'a deferrable constraint cannot be an arbiter, as usual');
INSERT INTO def VALUES (2, '[4,9)'), (3, '[6,9)'), (14, '[6,9)') ON CONFLICT ON CONSTRAINT def_x DO NOTHING;
SELECT is((SELECT array_agg(k ORDER BY k) FROM def), '{1,3,14}', 'DO NOTHING by an exclusion constraint, child by child');
-- COPY after ON CONFLICT in the same session, and the other way round
COPY many FROM PROGRAM 'printf "900\t1\t1\n901\t51\t1\n"';
SELECT is(:ROW_COUNT, 2, 'COPY in the same session');
INSERT INTO many VALUES (900, 1, 1), (902, 1, 1) ON CONFLICT DO NOTHING;
SELECT is(:ROW_COUNT, 1, 'and ON CONFLICT again');
INSERT INTO many VALUES (900, 1, 1), (901, 51, 1), (903, 1, 1) ON CONFLICT DO NOTHING RETURNING id \gset
SELECT is(:id, 903, 'with RETURNING');
SELECT is(test.strays('many'), 'none', 'all home');

-- what the statement names are columns of the base, and the children have another layout
CREATE TABLE lay (gone int, id int, k int, v int, w int, PRIMARY KEY (id, k));
ALTER TABLE lay DROP COLUMN gone;
SELECT router.create_route('lay', router.by_integer('k', 10)) \g /dev/null
CREATE TABLE heard (t text);
CREATE FUNCTION hear() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO heard VALUES (TG_NAME || OLD.id); RETURN NEW; END $$;
CREATE TRIGGER v1_ BEFORE UPDATE OF v ON lay FOR EACH ROW EXECUTE FUNCTION hear();
CREATE TRIGGER v2_ AFTER UPDATE OF v ON lay FOR EACH ROW EXECUTE FUNCTION hear();
CREATE TRIGGER w1_ BEFORE UPDATE OF w ON lay FOR EACH ROW EXECUTE FUNCTION hear();
CREATE TRIGGER w2_ AFTER UPDATE OF w ON lay FOR EACH ROW EXECUTE FUNCTION hear();
INSERT INTO lay VALUES (1, 1, 1, 1), (2, 22, 2, 2);
:fresh
INSERT INTO lay VALUES (1, 1, 1, 1), (2, 22, 2, 2) ON CONFLICT (id, k) DO UPDATE SET v = 9;
SELECT is((SELECT string_agg(t, ' ' ORDER BY t) FROM heard), 'v1_1 v1_2 v2_1 v2_2', 'first statement: triggers of the columns that DO UPDATE sets');
TRUNCATE heard;
INSERT INTO lay VALUES (1, 1, 1, 1), (2, 22, 2, 2) ON CONFLICT (id, k) DO UPDATE SET w = 9;
SELECT is((SELECT string_agg(t, ' ' ORDER BY t) FROM heard), 'w1_1 w1_2 w2_1 w2_2', 'triggers of the columns that DO UPDATE sets');
ALTER TABLE lay ADD CHECK (v < 100);
GRANT INSERT, SELECT (id, k) ON lay TO router_t_writer;
SET ROLE router_t_writer;
DO $$
DECLARE d text;
BEGIN
	INSERT INTO lay (id, k, v) VALUES (3, 3, 100);
EXCEPTION WHEN check_violation THEN
	GET STACKED DIAGNOSTICS d = PG_EXCEPTION_DETAIL;
	PERFORM set_config('test.detail', d, false);
END $$;
RESET ROLE;
SELECT is(current_setting('test.detail'), 'Failing row contains (id, k, v) = (3, 3, 100).', 'details name the columns that were given');

SELECT * FROM finish();
