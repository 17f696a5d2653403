-- Long statements: batching with foreign keys, defaults, errors, memory, many children: C6, F2.
\ir ../../include/helpers.sql
\set tests 49
SELECT plan(:tests);

CREATE TABLE residence (id int PRIMARY KEY);
CREATE TABLE room (id int PRIMARY KEY, residence_id int REFERENCES residence ON DELETE CASCADE);
INSERT INTO residence SELECT generate_series(1, 60);
INSERT INTO room SELECT i, 1 + i % 60 FROM generate_series(0, 599) i;
CREATE SEQUENCE calls;
CREATE TABLE reading (
    id           bigint GENERATED ALWAYS AS IDENTITY,
    residence_id int NOT NULL REFERENCES residence ON DELETE CASCADE,
    room_id      int REFERENCES room ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,
    at           timestamptz NOT NULL,
    v            numeric CHECK (v < 1000000),
    twice        numeric GENERATED ALWAYS AS (v * 2) STORED,
    called       bigint DEFAULT nextval('calls'),
    PRIMARY KEY (id, residence_id)
);
CREATE INDEX ON reading (at);
SELECT router.create_route('reading', router.by_list('residence_id')) \g /dev/null

:fresh
INSERT INTO reading (residence_id, room_id, at, v) SELECT 1 + i % 60, i % 60, '2024-01-01'::timestamptz + i * interval '1 minute', i FROM generate_series(1, 20000) i;
SELECT is(:ROW_COUNT, 20000, 'C6: 20000 rows, 60 children, two foreign keys: tag');
SELECT is((SELECT count(*) || '/' || sum(v) || '/' || sum(twice) || '/' || count(DISTINCT id) || '/' || max(called) FROM reading), '20000/200010000/400020000/20000/20000', 'every value once, defaults called once a row');
SELECT is((SELECT count(DISTINCT tableoid) FROM reading), 60::bigint, 'sixty children');
SELECT is(test.strays('reading'), 'none', 'all home');
-- again, in a session that has the library, and in one that has not
INSERT INTO reading (residence_id, room_id, at, v) SELECT 1 + i % 60, i % 60, '2024-02-01'::timestamptz + i * interval '1 minute', i FROM generate_series(1, 20000) i;
SELECT is(:ROW_COUNT, 20000, 'the second statement of a session: tag');
SELECT is((SELECT count(*) || '/' || sum(v) || '/' || max(called) FROM reading), '40000/400020000/40000', 'the second statement of a session: rows');
SELECT is((SELECT max(called) - min(called) + 1 FROM reading), (SELECT count(*) FROM reading), 'no value of a sequence was spent in vain');
SET enable_seqscan = off;
SELECT is((SELECT count(*) FROM reading WHERE at < '2024-01-02 00:00:30'), (SELECT count(*) FROM reading WHERE at + interval '0' < '2024-01-02 00:00:30'), 'indexes have all rows');
SELECT is((SELECT count(*) FROM reading r, generate_series(1, 40000) i WHERE r.id = i AND r.residence_id = 1 + (i - 1) % 20000 % 60 + CASE WHEN (i - 1) % 20000 % 60 = 59 THEN -59 ELSE 1 END), 40000::bigint, 'primary keys, too');
RESET enable_seqscan;
DELETE FROM residence WHERE id = 5;
SELECT is((SELECT count(*) FROM reading WHERE residence_id = 5), 0::bigint, 'C6: deleting a residence cascades');
DELETE FROM room WHERE id BETWEEN 10 AND 19;
SELECT is((SELECT count(*) FROM reading WHERE room_id BETWEEN 10 AND 19), 0::bigint, 'C6: so does deleting rooms, in all children');
SELECT count(*) AS before FROM reading \gset

-- errors late in a long statement
:fresh
INSERT INTO reading (residence_id, at, v) SELECT 1, now(), CASE i WHEN 4999 THEN 1000000 ELSE i END FROM generate_series(1, 5000) i;
SELECT is(:'SQLSTATE'::text, '23514'::text, 'a CHECK fails at row 4999');
:fresh
INSERT INTO reading (residence_id, at, v) SELECT CASE i WHEN 2500 THEN 999 ELSE 1 END, now(), i FROM generate_series(1, 5000) i;
SELECT is(:'SQLSTATE'::text, '23503'::text, 'a foreign key fails at row 2500');
INSERT INTO reading (residence_id, at, v) SELECT CASE i WHEN 2500 THEN 999 ELSE 1 END, now(), i FROM generate_series(1, 5000) i;
SELECT is(:'SQLSTATE'::text, '23503'::text, 'and again, with the library');
INSERT INTO reading (residence_id, at, v) SELECT CASE i WHEN 4999 THEN NULL ELSE 1 END, now(), i FROM generate_series(1, 5000) i;
SELECT is(:'SQLSTATE'::text, '23502'::text, 'NOT NULL fails at row 4999');
INSERT INTO reading (id, residence_id, at, v) OVERRIDING SYSTEM VALUE SELECT 90000 + CASE i WHEN 4999 THEN 1 ELSE i END, 1, now(), i FROM generate_series(1, 5000) i;
SELECT is(:'SQLSTATE'::text, '23505'::text, 'a duplicate at row 4999');
INSERT INTO reading (residence_id, at, v) SELECT 1, now(), 1 / (4999 - i) FROM generate_series(1, 5000) i;
SELECT is(:'SQLSTATE'::text, '22012'::text, 'the query fails at row 4999');
SELECT is((SELECT count(*) FROM reading), :before::bigint, 'nothing stays of all these');
SELECT is(to_regclass('reading_999'), NULL, 'nor a child');
BEGIN;
SAVEPOINT s;
INSERT INTO reading (residence_id, at, v) SELECT 1, now(), CASE i WHEN 4999 THEN 1000000 ELSE i END FROM generate_series(1, 5000) i;
ROLLBACK TO s;
INSERT INTO reading (residence_id, at, v) SELECT 2, now(), -1 FROM generate_series(1, 3000) i;
SELECT is(:ROW_COUNT, 3000, 'after ROLLBACK TO the next statement counts its own rows');
SELECT is((SELECT count(*) FROM reading WHERE v = -1 AND residence_id = 2), 3000::bigint, 'and stores them');
COMMIT;
SELECT is((SELECT count(*) FROM reading), :before::bigint + 3000, 'and nothing else');
BEGIN;
INSERT INTO reading (residence_id, room_id, at, v) SELECT 2, 777777, now(), 1 FROM generate_series(1, 3000) i;
COMMIT;
SELECT is((SELECT count(*) FROM reading), :before::bigint + 3000, 'a deferred key that fails at commit takes the whole batch away');

-- 1,000-row VALUES
SELECT 'INSERT INTO reading (residence_id, at, v) VALUES ' || string_agg(format('(%s, now(), %s)', 1 + i % 4, -i), ', ') AS thousand FROM generate_series(1, 1000) i \gset
:fresh
:thousand;
SELECT is(:ROW_COUNT, 1000, '1,000-row VALUES: tag');
:thousand;
SELECT is((SELECT count(*) || '/' || sum(v) FROM reading WHERE v < -1 OR (v = -1 AND residence_id = 2 AND called IS NULL)), '1998/-1000998', '1,000-row VALUES: rows');
-- INSERT … SELECT that reads what it writes
:fresh
SELECT count(*) AS before FROM reading \gset
INSERT INTO reading (residence_id, at, v) SELECT residence_id, at, v FROM reading WHERE residence_id = 2;
\set copied :ROW_COUNT
SELECT is((SELECT count(*) FROM reading), :before::bigint + :copied, 'a statement does not see the rows that it has written');
SELECT is((SELECT count(*) FROM reading WHERE residence_id = 2), 2 * :copied::bigint, 'but the next one does');
-- a function in the query that reads the table while it is written
CREATE TABLE seeing (k int, n bigint);
CREATE FUNCTION seen() RETURNS bigint LANGUAGE sql VOLATILE AS 'SELECT count(*) FROM seeing';
SELECT router.create_route('seeing', router.by_integer('k', 1000)) \g /dev/null
-- beforehand: an SQL function keeps the plan of its first call, which knows only the children there are
SELECT router.create_child('seeing', '1') \g /dev/null
:fresh
LOAD 'router';
INSERT INTO seeing SELECT i, seen() FROM generate_series(1, 50) i;
SELECT is((SELECT count(*) FROM seeing WHERE n = k - 1), 50::bigint, 'a volatile function in the query sees the rows before it, as core has it');

-- RETURNING of many rows, a CTE, a cursor of PL/pgSQL over it
:fresh
WITH i AS (INSERT INTO reading (residence_id, at, v) SELECT 1 + i % 3, now(), -5 FROM generate_series(1, 5000) i RETURNING residence_id, id) SELECT count(*) || '/' || count(DISTINCT id) AS told FROM i \gset
SELECT is(:'told'::text, '5000/5000', 'RETURNING of 5000 rows');
-- order within a child is the order of the statement
CREATE TABLE ordered (k int, i int);
SELECT router.create_route('ordered', router.by_list('k')) \g /dev/null
:fresh
INSERT INTO ordered SELECT i % 7, i FROM generate_series(1, 7000) i;
SELECT is((SELECT count(*) FROM (SELECT i < lag(i) OVER (PARTITION BY tableoid ORDER BY ctid) AS wrong FROM ordered) s WHERE wrong), 0::bigint, 'rows of a child keep the order of the statement');
INSERT INTO ordered SELECT i % 7, i FROM generate_series(7001, 14000) i;
SELECT is((SELECT count(*) FROM (SELECT i < lag(i) OVER (PARTITION BY tableoid ORDER BY ctid) AS wrong FROM ordered) s WHERE wrong), 0::bigint, 'with the library, too');
-- a thousand children in one statement
CREATE TABLE broad (k int, v text);
SELECT router.create_route('broad', router.by_list('k'), max_new_children => 2000) \g /dev/null
:fresh
INSERT INTO broad SELECT i % 400, repeat('x', 500) FROM generate_series(1, 4000) i;
SELECT is((SELECT count(*) || '/' || count(DISTINCT tableoid) FROM broad), '4000/400', '400 new children in one statement');
SELECT is(test.strays('broad'), 'none', 'all home');
:fresh
INSERT INTO broad SELECT i * 7919 % 400, repeat('y', 500) FROM generate_series(1, 4000) i;
SELECT is((SELECT count(*) || '/' || count(DISTINCT tableoid) FROM broad), '8000/400', 'and all of them open at once');
COPY broad FROM PROGRAM $$awk 'BEGIN { for (i = 0; i < 4000; i++) print i * 7919 % 400 "\tz" }'$$;
SELECT is(:ROW_COUNT, 4000, 'COPY into 400 children, each row another');
SELECT is((SELECT count(*) FROM broad WHERE v = 'z') || '/' || test.strays('broad'), '4000/none', 'all home');
-- parallel plans in the source
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
CREATE TABLE source AS SELECT i AS k, md5(i::text) AS v FROM generate_series(1, 30000) i;
ANALYZE source;
CREATE TABLE par (k int, v text);
SELECT router.create_route('par', router.by_integer('k', 5000)) \g /dev/null
:fresh
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
INSERT INTO par SELECT a.k, a.v FROM source a JOIN source b USING (k);
SELECT is((SELECT count(*) || '/' || count(DISTINCT tableoid) FROM par), '30000/6', 'from a parallel plan');
-- COPY of rows that are checked by what looks into the table; those before are there
CREATE FUNCTION is_new(i int) RETURNS bool LANGUAGE plpgsql AS $$BEGIN RETURN NOT EXISTS (SELECT FROM looked WHERE id = i); END $$;
CREATE FUNCTION is_new_stable(i int) RETURNS bool STABLE LANGUAGE plpgsql AS $$BEGIN RETURN is_new(i); END $$;
CREATE FUNCTION is_new_immutable(i int) RETURNS bool IMMUTABLE LANGUAGE plpgsql AS $$BEGIN RETURN is_new(i); END $$;
CREATE DOMAIN unheard AS int CHECK (is_new(VALUE));
CREATE DOMAIN unseen AS unheard CHECK (VALUE > 0);
CREATE TYPE with_unseen AS (a int, b unseen);
CREATE FUNCTION looks(addition text, value text, first_k int DEFAULT 1) RETURNS text LANGUAGE plpgsql AS $test$
BEGIN
    CREATE TABLE looked (id int, k int);
    EXECUTE replace(addition, '; child', '');
    PERFORM router.create_route('looked', router.by_integer('k', 10));
    INSERT INTO looked (id, k) VALUES (-1, first_k);
    EXECUTE CASE WHEN addition LIKE '%; child' THEN 'ALTER TABLE looked_1_10 ADD CHECK (is_new(id))' ELSE 'SELECT 1' END;
    EXECUTE format($c$COPY looked FROM PROGRAM $p$awk 'BEGIN { for (i = 1; i <= 60; i++) { k = i %% 30; v = i == 59 ? 29 : i; print %s } }'$p$$c$, value);
    RETURN 'done';
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE;
END $test$;
SELECT is(looks(addition, value), '23514', 'COPY: ' || name) FROM (VALUES
    ('CHECK', 'ALTER TABLE looked ADD CHECK (is_new(id))', 'v "\t" k'),
    ('CHECK, stable', 'ALTER TABLE looked ADD CHECK (is_new_stable(id))', 'v "\t" k'),
    ('CHECK in an expression', 'ALTER TABLE looked ADD CHECK (CASE WHEN k > 0 THEN coalesce(is_new(id), true) ELSE true END)', 'v "\t" k'),
    ('CHECK of a child', '; child', '(i == 60 ? 30 : v) "\t" (i == 60 ? 5 : k)'),
    ('domain', 'ALTER TABLE looked ADD x unheard', 'v "\t" k "\t" v'),
    ('domain over a domain', 'ALTER TABLE looked ADD x unseen', 'v "\t" k "\t" v'),
    ('array of a domain', 'ALTER TABLE looked ADD x unseen[]', 'v "\t" k "\t{" v "}"'),
    ('composite with a domain', 'ALTER TABLE looked ADD x with_unseen', 'v "\t" k "\t(1," v ")"')) v (name, addition, value);
-- who calls it immutable is taken at his word: in a CHECK, and in the query
CREATE TABLE looked (id int, k int, CHECK (is_new_immutable(id)));
SELECT router.create_route('looked', router.by_integer('k', 10)) \g /dev/null
COPY looked FROM PROGRAM $$awk 'BEGIN { for (i = 1; i <= 60; i++) print (i == 59 ? 29 : i) "\t" i % 30 }'$$;
SELECT is((SELECT count(*) FROM looked), 60::bigint, 'COPY: an immutable CHECK looks at nothing');
INSERT INTO looked SELECT CASE i WHEN 159 THEN 129 ELSE i END, i % 30 FROM generate_series(101, 160) i;
SELECT is((SELECT count(*) FROM looked), 120::bigint, 'INSERT: no more does it');
CREATE TABLE asked (id int, k int);
CREATE FUNCTION asked_immutable(i int) RETURNS bigint IMMUTABLE LANGUAGE plpgsql AS $$BEGIN RETURN (SELECT count(*) FROM asked); END $$;
SELECT router.create_route('asked', router.by_integer('k', 10)) \g /dev/null
INSERT INTO asked SELECT asked_immutable(i), i FROM generate_series(1, 60) i;
SELECT cmp_ok((SELECT max(id) FROM asked), '<', 50, 'nor does an immutable function in the query');
-- and to the end: the base has never grown
VACUUM reading;
SELECT is((SELECT count(*) FROM ONLY reading), 0::bigint, 'F2: the base is empty');

SELECT * FROM finish();
