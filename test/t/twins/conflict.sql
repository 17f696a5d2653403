-- INSERT ... ON CONFLICT. In a session that has not preloaded the library, each case is its first statement.
CREATE TABLE t (
    id  int,
    k   int,
    v   int DEFAULT 0,
    txt text,
    n   int DEFAULT 0,
    g   int GENERATED ALWAYS AS (v + k) STORED,
    CONSTRAINT t_pk PRIMARY KEY (id, k),
    CONSTRAINT t_positive CHECK (v >= 0)
);
CREATE UNIQUE INDEX t_lower ON t (lower(txt), k);
CREATE UNIQUE INDEX t_part ON t (v, k) WHERE v > 100;
CREATE UNIQUE INDEX t_desc ON t (k DESC, id DESC NULLS LAST) INCLUDE (v);
CREATE TABLE nulls (k int, a int, v text, UNIQUE (k, a));
CREATE TABLE nnd (k int, a int, v text, UNIQUE NULLS NOT DISTINCT (k, a));
CREATE TABLE ex (k int, r int4range, v text, EXCLUDE USING gist (int4range(k, k, '[]') WITH =, r WITH &&));
CREATE TABLE def (k int, v int, CONSTRAINT def_u UNIQUE (k) DEFERRABLE INITIALLY DEFERRED);
CREATE TABLE two (a text, d date, id int, v int, PRIMARY KEY (a, d, id));
CREATE TABLE nokey (k int, v int);
CREATE TABLE words (w text COLLATE "C", n int, PRIMARY KEY (w));
CREATE TABLE parent (id int PRIMARY KEY);
CREATE TABLE fk (k int PRIMARY KEY, p int REFERENCES parent, v int DEFAULT 0);
CREATE TABLE layout (gone1 int, k int, gone2 text, id int, v text, PRIMARY KEY (id, k));
ALTER TABLE layout DROP COLUMN gone1;
INSERT INTO parent VALUES (1), (2);
\if :routed
SELECT router.create_route('t', router.by_integer('k', 10)) \g /dev/null
SELECT router.create_route('nulls', router.by_integer('k', 10)) \g /dev/null
SELECT router.create_route('nnd', router.by_integer('k', 10)) \g /dev/null
SELECT router.create_route('ex', router.by_integer('k', 10)) \g /dev/null
SELECT router.create_route('def', router.by_integer('k', 10)) \g /dev/null
SELECT router.create_route('two', ARRAY[router.by_list('a'), router.by_date('d', 'year')]) \g /dev/null
SELECT router.create_route('nokey', router.by_integer('k', 10)) \g /dev/null
SELECT router.create_route('words', router.by_prefix('w', 1)) \g /dev/null
SELECT router.create_route('fk', router.by_hash('k', 3)) \g /dev/null
SELECT router.create_route('layout', router.by_integer('k', 10)) \g /dev/null
\endif
INSERT INTO t (id, k, v, txt) SELECT i, i, i * 10, 'w' || i FROM generate_series(1, 30) i;
INSERT INTO two SELECT chr(97 + i % 3), '2020-01-01'::date + i * 100, i, i FROM generate_series(1, 20) i;
INSERT INTO words VALUES ('apple', 1), ('Beer', 1), ('', 1);
INSERT INTO nulls VALUES (1, NULL, 'x'), (1, 1, 'y'), (NULL, 1, 'z');
INSERT INTO nnd VALUES (1, NULL, 'x'), (1, 1, 'y'), (NULL, 1, 'z');
INSERT INTO ex VALUES (1, '[1,5)', 'x');
INSERT INTO fk VALUES (1, 1), (2, 2);
INSERT INTO layout VALUES (1, 'g', 1, 'one'), (11, 'g', 1, 'eleven');
ALTER TABLE layout DROP COLUMN gone2, ADD COLUMN late text DEFAULT 'late';

-- # do nothing
INSERT INTO t (id, k) VALUES (1, 1) ON CONFLICT DO NOTHING;
INSERT INTO t (id, k) VALUES (1, 1), (31, 31), (1, 1), (32, 999) ON CONFLICT DO NOTHING RETURNING *;
INSERT INTO t (id, k) VALUES (40, 40), (40, 40), (40, 41) ON CONFLICT (id, k) DO NOTHING RETURNING id, k;
-- # do nothing, all are there
INSERT INTO t (id, k) SELECT i, i FROM generate_series(1, 30) i ON CONFLICT DO NOTHING RETURNING id;
INSERT INTO t (id, k) SELECT i, i FROM generate_series(1, 30) i ON CONFLICT ON CONSTRAINT t_pk DO NOTHING;
-- # do nothing by expression, by partial index, by constraint, by another order
INSERT INTO t (id, k, txt) VALUES (100, 5, 'W5') ON CONFLICT (lower(txt), k) DO NOTHING;
INSERT INTO t (id, k, v) VALUES (101, 15, 150) ON CONFLICT (v, k) WHERE v > 100 DO NOTHING;
INSERT INTO t (id, k, v) VALUES (102, 5, 50) ON CONFLICT (v, k) WHERE v > 100 DO NOTHING RETURNING id;
INSERT INTO t (id, k) VALUES (5, 5) ON CONFLICT (k, id) DO NOTHING;
INSERT INTO t (id, k) VALUES (5, 5) ON CONFLICT (k int4_ops, id) DO NOTHING;
INSERT INTO t (id, k) VALUES (5, 5) ON CONFLICT (v) DO NOTHING;
INSERT INTO t (id, k) VALUES (5, 5) ON CONFLICT ON CONSTRAINT nope DO NOTHING;
INSERT INTO t (id, k) VALUES (5, 5) ON CONFLICT ON CONSTRAINT t_positive DO NOTHING;
INSERT INTO nokey VALUES (1, 1) ON CONFLICT DO NOTHING;
INSERT INTO nokey VALUES (1, 1) ON CONFLICT (k) DO NOTHING;
-- # do nothing leaves other constraints their say
INSERT INTO t (id, k, txt) VALUES (1000, 5, 'w5') ON CONFLICT (id, k) DO NOTHING;
-- # a CHECK with do nothing
INSERT INTO t (id, k, v) VALUES (1, 1, -1) ON CONFLICT DO NOTHING;
INSERT INTO t (id, k, v) VALUES (1, NULL, 1) ON CONFLICT DO NOTHING;
-- # do update
INSERT INTO t (id, k, v) VALUES (1, 1, 7) ON CONFLICT (id, k) DO UPDATE SET v = excluded.v;
INSERT INTO t (id, k, v) VALUES (2, 2, 7), (33, 33, 7), (50, 150, 7) ON CONFLICT (id, k) DO UPDATE SET v = t.v + excluded.v, n = t.n + 1 RETURNING *;
-- # do update with a constraint, alias, where, returning
INSERT INTO t AS old (id, k, v, txt) VALUES (3, 3, 1, 'X3'), (4, 4, 99, 'X4'), (60, 60, 60, 'X60') ON CONFLICT ON CONSTRAINT t_pk DO UPDATE SET (v, txt) = (excluded.v, old.txt || excluded.txt) WHERE old.v > excluded.v RETURNING old.*, old.v + 1 AS next;
-- # do update all of them, subselect, default, whole row
INSERT INTO t (id, k, v) SELECT i, i, 1 FROM generate_series(1, 35) i ON CONFLICT (id, k) DO UPDATE SET n = DEFAULT, v = (SELECT max(x.v) FROM t x WHERE x.k < 3), txt = (t.*)::text RETURNING id, k, v, n, g, txt LIKE '(%';
-- # do update by expression and by partial index
INSERT INTO t (id, k, v, txt) VALUES (200, 6, 1, 'W6') ON CONFLICT (lower(txt), k) DO UPDATE SET n = t.n + 10 RETURNING id, n;
INSERT INTO t (id, k, v, txt) VALUES (201, 16, 160, 'no') ON CONFLICT (v, k) WHERE v > 100 DO UPDATE SET n = t.n + 10, txt = excluded.txt RETURNING id, n, txt;
INSERT INTO t (id, k, v, txt) VALUES (7, 7, 1, 'w8') ON CONFLICT (id, k) DO UPDATE SET txt = excluded.txt RETURNING id, txt;
-- # do update: twice the same row
INSERT INTO t (id, k) VALUES (8, 8), (8, 8) ON CONFLICT (id, k) DO UPDATE SET n = t.n + 1;
-- # do update: twice the same row that it inserted
INSERT INTO t (id, k) VALUES (70, 70), (71, 71), (70, 70) ON CONFLICT (id, k) DO UPDATE SET n = t.n + 1;
-- # do update: twice the same row, in children that are not there yet
INSERT INTO t (id, k) VALUES (80, 870), (71, 871), (80, 870) ON CONFLICT (id, k) DO UPDATE SET n = t.n + 1;
-- # do update: CHECK, NOT NULL, unique, generated column
INSERT INTO t (id, k) VALUES (9, 9) ON CONFLICT (id, k) DO UPDATE SET v = -1;
INSERT INTO t (id, k) VALUES (9, 9) ON CONFLICT (id, k) DO UPDATE SET id = NULL;
INSERT INTO t (id, k) VALUES (9, 9) ON CONFLICT (id, k) DO UPDATE SET txt = 'w9', v = 200 RETURNING g;
INSERT INTO t (id, k) VALUES (9, 9) ON CONFLICT (id, k) DO UPDATE SET g = 1;
INSERT INTO t (id, k) VALUES (9, 9) ON CONFLICT (id, k) DO UPDATE SET nope = 1;
INSERT INTO t (id, k) VALUES (9, 9) ON CONFLICT (id, k) DO UPDATE SET id = 109 RETURNING id, k;
INSERT INTO t (id, k) VALUES (10, 10) ON CONFLICT DO UPDATE SET n = 1;
INSERT INTO t (id, k) VALUES (10, 10) ON CONFLICT (id, k) DO UPDATE SET n = 1 / (t.k - 10);
-- # do update: errors as the first thing, CHECK
INSERT INTO t (id, k) VALUES (300, 300), (10, 10) ON CONFLICT (id, k) DO UPDATE SET v = -1;
-- # do update: sees what the statement did not
INSERT INTO t (id, k) SELECT 11, 11 ON CONFLICT (id, k) DO UPDATE SET n = (SELECT count(*) FROM t) RETURNING n;
INSERT INTO t (id, k) SELECT 400 + i, 400 + i FROM generate_series(1, 3) i ON CONFLICT (id, k) DO NOTHING RETURNING id, (SELECT count(*) FROM t);
-- # NULLs do not conflict
INSERT INTO nulls VALUES (1, NULL, 'again'), (NULL, 1, 'again'), (1, 1, 'conflict') ON CONFLICT DO NOTHING RETURNING *;
INSERT INTO nulls VALUES (1, NULL, 'thrice'), (NULL, 1, 'thrice'), (1, 1, 'conflict') ON CONFLICT (k, a) DO UPDATE SET v = excluded.v RETURNING *;
-- # NULLS NOT DISTINCT
INSERT INTO nnd VALUES (1, NULL, 'again'), (NULL, 1, 'again'), (NULL, 2, 'new'), (NULL, 2, 'newer') ON CONFLICT DO NOTHING RETURNING *;
INSERT INTO nnd VALUES (1, NULL, 'thrice'), (NULL, 1, 'thrice'), (NULL, 3, 'new') ON CONFLICT (k, a) DO UPDATE SET v = excluded.v RETURNING *;
-- # exclusion constraints
INSERT INTO ex VALUES (1, '[4,9)', 'over'), (1, '[5,9)', 'beside'), (2, '[1,5)', 'other'), (12, '[1,5)', 'child') ON CONFLICT DO NOTHING RETURNING *;
INSERT INTO ex VALUES (1, '[4,9)', 'over') ON CONFLICT ON CONSTRAINT ex_int4range_r_excl DO NOTHING;
INSERT INTO ex VALUES (1, '[4,9)', 'over') ON CONFLICT ON CONSTRAINT ex_int4range_r_excl DO UPDATE SET v = 'no';
INSERT INTO ex VALUES (1, '[4,9)', 'over');
-- # deferrable constraints
INSERT INTO def VALUES (1, 1), (2, 1) ON CONFLICT DO NOTHING;
INSERT INTO def VALUES (1, 1) ON CONFLICT (k) DO NOTHING;
INSERT INTO def VALUES (1, 1) ON CONFLICT ON CONSTRAINT def_u DO UPDATE SET v = 2;
BEGIN;
INSERT INTO def VALUES (1, 2);
INSERT INTO def VALUES (1, 3) ON CONFLICT DO NOTHING;
DELETE FROM def WHERE v = 1 AND k = 1;
COMMIT;
-- # two levels
INSERT INTO two VALUES ('b', '2020-04-10', 1, 100), ('b', '2020-04-10', 2, 100), ('q', '2020-04-10', 1, 100) ON CONFLICT DO NOTHING;
INSERT INTO two VALUES (NULL, '2020-04-10', 2, 100) ON CONFLICT DO NOTHING;
INSERT INTO two VALUES ('b', '2020-04-10', 1, 100), ('b', '2020-04-10', 22, 100), ('q', '2020-04-10', 1, 100), ('q', '2031-04-10', 1, 100) ON CONFLICT (id, d, a) DO UPDATE SET v = two.v + excluded.v RETURNING *;
-- # text keys
INSERT INTO words VALUES ('apple', 1), ('Apple', 1), ('beer', 1), ('', 1), ('cider', 1) ON CONFLICT (w) DO UPDATE SET n = words.n + 1 RETURNING *;
INSERT INTO words SELECT chr(97 + i % 26), i FROM generate_series(1, 26) i ON CONFLICT DO NOTHING;
INSERT INTO words SELECT w, n FROM words ON CONFLICT (w) DO UPDATE SET n = excluded.n * 2 RETURNING *;
-- # foreign keys
INSERT INTO fk VALUES (1, 3) ON CONFLICT (k) DO UPDATE SET p = excluded.p;
INSERT INTO fk VALUES (1, 3) ON CONFLICT (k) DO NOTHING;
INSERT INTO fk VALUES (5, 3) ON CONFLICT (k) DO NOTHING;
INSERT INTO fk VALUES (1, 2), (6, 1) ON CONFLICT (k) DO UPDATE SET p = excluded.p RETURNING *;
-- # another layout
INSERT INTO layout VALUES (1, 1, 'ONE', DEFAULT), (11, 1, 'ELEVEN', 'later'), (21, 1, 'new', 'x') ON CONFLICT (id, k) DO UPDATE SET v = excluded.v || layout.v, late = excluded.late || '!' WHERE layout.v <> 'x' RETURNING *, layout;
-- # prepared
PREPARE up (int, int, int) AS INSERT INTO t (id, k, v) VALUES ($1, $2, $3) ON CONFLICT (id, k) DO UPDATE SET v = excluded.v, n = t.n + 1 RETURNING id, v, n;
EXECUTE up (12, 12, 1);
EXECUTE up (12, 12, 2);
EXECUTE up (500, 500, 3);
EXECUTE up (500, 500, 4);
EXECUTE up (510, 510, 3);
EXECUTE up (12, 12, 5);
EXECUTE up (12, 12, -5);
EXECUTE up (510, 510, 6);
EXECUTE up (520, 520, 6);
SET plan_cache_mode = force_generic_plan;
PREPARE nothing (int, int) AS INSERT INTO t (id, k) VALUES ($1, $2), ($2, $1) ON CONFLICT DO NOTHING;
EXECUTE nothing (13, 13);
EXECUTE nothing (13, 14);
EXECUTE nothing (13, 14);
EXECUTE nothing (610, 620);
-- # CTEs: upserts that feed one another, twice the same row in one statement
WITH a AS (INSERT INTO t (id, k, v) VALUES (14, 14, 5), (630, 630, 5) ON CONFLICT (id, k) DO UPDATE SET v = excluded.v RETURNING *), b AS (INSERT INTO t (id, k, v) SELECT id + 1, k + 1, v + 1 FROM a ON CONFLICT (id, k) DO UPDATE SET v = excluded.v RETURNING *)
    SELECT * FROM a UNION ALL SELECT * FROM b;
WITH a AS (INSERT INTO t (id, k, v) VALUES (14, 14, 1) ON CONFLICT (id, k) DO UPDATE SET v = 1 RETURNING id) INSERT INTO t (id, k, v) SELECT id, id, 2 FROM a ON CONFLICT (id, k) DO UPDATE SET v = 2;
WITH del AS (DELETE FROM t WHERE id = 15 RETURNING *) INSERT INTO t (id, k, v) SELECT id, k, v FROM del ON CONFLICT (id, k) DO NOTHING RETURNING id;
-- # PL/pgSQL
DO $$
DECLARE
    n bigint;
    r record;
BEGIN
    INSERT INTO t (id, k) VALUES (16, 16), (700, 700) ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS n = ROW_COUNT;
    RAISE NOTICE 'nothing % %', n, FOUND;
    INSERT INTO t (id, k) VALUES (16, 16) ON CONFLICT DO NOTHING;
    GET DIAGNOSTICS n = ROW_COUNT;
    RAISE NOTICE 'nothing % %', n, FOUND;
    INSERT INTO t (id, k) VALUES (16, 16) ON CONFLICT DO NOTHING RETURNING * INTO r;
    RAISE NOTICE 'nothing % %', r, FOUND;
    INSERT INTO t (id, k) VALUES (16, 16) ON CONFLICT (id, k) DO UPDATE SET n = t.n + 1 RETURNING id, t.n INTO r;
    RAISE NOTICE 'update % %', r, FOUND;
    FOR i IN 1 .. 10 LOOP
        INSERT INTO t (id, k, n) VALUES (i % 3 + 710, (i % 3) * 10 + 710, 1) ON CONFLICT (id, k) DO UPDATE SET n = t.n + 1 RETURNING t.n INTO r;
        RAISE NOTICE 'loop %', r;
    END LOOP;
    BEGIN
        INSERT INTO t (id, k) VALUES (720, 720), (720, 720) ON CONFLICT (id, k) DO UPDATE SET n = 0;
    EXCEPTION WHEN cardinality_violation THEN
        RAISE NOTICE 'twice';
    END;
    INSERT INTO t (id, k) VALUES (720, 720) ON CONFLICT (id, k) DO UPDATE SET n = 5;
END $$;
-- # savepoints
BEGIN;
INSERT INTO t (id, k, v) VALUES (17, 17, 1), (730, 730, 1) ON CONFLICT (id, k) DO UPDATE SET v = 1;
SAVEPOINT s;
INSERT INTO t (id, k, v) VALUES (17, 17, 2), (730, 730, 2), (740, 740, 2) ON CONFLICT (id, k) DO UPDATE SET v = 2;
ROLLBACK TO s;
INSERT INTO t (id, k, v) VALUES (740, 740, 3), (17, 17, 3) ON CONFLICT (id, k) DO UPDATE SET v = t.v + 3 RETURNING v;
COMMIT;
-- # repeatable read and serializable
BEGIN ISOLATION LEVEL REPEATABLE READ;
INSERT INTO t (id, k, v) VALUES (18, 18, 1), (750, 750, 1) ON CONFLICT (id, k) DO UPDATE SET v = t.v + 1 RETURNING v;
INSERT INTO t (id, k, v) VALUES (18, 18, 1), (750, 750, 1) ON CONFLICT (id, k) DO UPDATE SET v = t.v + 1 RETURNING v;
INSERT INTO t (id, k, v) VALUES (18, 18, 1), (750, 750, 1) ON CONFLICT (id, k) DO NOTHING;
COMMIT;
BEGIN ISOLATION LEVEL SERIALIZABLE;
INSERT INTO t (id, k, v) VALUES (18, 18, 1), (760, 760, 1) ON CONFLICT (id, k) DO UPDATE SET v = t.v + 1 RETURNING v;
INSERT INTO t (id, k) VALUES (18, 18), (760, 760), (770, 770) ON CONFLICT DO NOTHING;
COMMIT;
-- # repeatable read: do nothing, twice in one statement
BEGIN ISOLATION LEVEL REPEATABLE READ;
INSERT INTO t (id, k) VALUES (780, 780), (780, 780) ON CONFLICT DO NOTHING RETURNING id;
COMMIT;
-- # many rows
INSERT INTO t (id, k) SELECT i, i FROM generate_series(1, 3000) i ON CONFLICT DO NOTHING;
INSERT INTO t (id, k) SELECT i, i FROM generate_series(1, 3500) i ON CONFLICT (id, k) DO UPDATE SET n = -1 WHERE t.k % 2 = 0;
SELECT n, count(*) FROM t GROUP BY n;
DELETE FROM t WHERE k > 50;
-- # a key that a trigger, a default or a generated column would not find
INSERT INTO t (k, id) SELECT k, id FROM t WHERE k < 40 ON CONFLICT (id, k) DO UPDATE SET v = t.v + 1 RETURNING v;
INSERT INTO t VALUES (19, 19) ON CONFLICT (id, k) DO UPDATE SET v = excluded.g RETURNING v, g;
-- # explain
LOAD 'router'; -- the statement that loads the library miscounts, see limits.md
DO $$
DECLARE
    line text;
BEGIN
    FOR line IN EXPLAIN (ANALYZE, COSTS off, TIMING off, SUMMARY off) INSERT INTO t (id, k) VALUES (20, 20), (800, 800) ON CONFLICT (id, k) DO NOTHING LOOP
        IF line LIKE '%Tuples Inserted%' OR line LIKE '%Conflicting%' THEN
            RAISE NOTICE '%', trim(line);
        END IF;
    END LOOP;
END $$;
