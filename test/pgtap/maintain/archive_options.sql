-- router.archive: child, cutoff, archive_now, batches without an index, and index
-- entries made in bulk. Checklist B2, B3, B8.
\ir ../../include/helpers.sql
\set tests 59
SELECT plan(:tests);

-- For each index of a table and its children: as many rows are found by it as there are. No row: all is well.
CREATE FUNCTION index_gaps(base regclass) RETURNS TABLE (ix regclass, by_index bigint, there bigint) LANGUAGE plpgsql
SET enable_seqscan = off SET enable_bitmapscan = off SET enable_sort = off AS $$
DECLARE
    r record;
    plan json;
BEGIN
    FOR r IN SELECT i.indexrelid, i.indrelid, a.attname, am.amname FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_am am ON am.oid = x.relam JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[0]
              WHERE i.indpred IS NULL AND (i.indrelid = base OR i.indrelid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = base)) LOOP
        ix := r.indexrelid;
        EXECUTE format('SELECT count(*) FROM (SELECT 1 FROM ONLY %s ORDER BY %I OFFSET 0) s', r.indrelid::regclass, r.attname) INTO by_index;
        EXECUTE format('SELECT count(ctid::text || tableoid) FROM ONLY %s', r.indrelid::regclass) INTO there;
        IF by_index <> there THEN
            RETURN NEXT;
        END IF;
        IF r.amname = 'btree' AND EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'amcheck') THEN
            PERFORM bt_index_parent_check(r.indexrelid, true, true);
        END IF;
    END LOOP;
END $$;
SELECT count(*) > 0 AS amcheck FROM pg_available_extensions WHERE name = 'amcheck' \gset
\if :amcheck
CREATE EXTENSION amcheck;
\endif

-- ----------------------------------------------------------------------- child
CREATE TABLE c (id int, d date, PRIMARY KEY (id, d));
CREATE INDEX ON c (d);
INSERT INTO c SELECT i, date '2024-01-01' + i % 366 FROM generate_series(0, 731) i;
INSERT INTO c SELECT 1000 + i, current_date FROM generate_series(1, 10) i;
SELECT router.create_route('c', router.by_date('d', 'month'), hot => '30 days', default_child => true) \g /dev/null
SELECT router.create_child('c', ARRAY['2024-02-15']) \g /dev/null
SELECT router.create_child('c', ARRAY['[2024-11-01,)']) \g /dev/null
SELECT router.create_child('c', ARRAY[NULL]) \g /dev/null
SELECT test.children('c') AS children \gset
SELECT is(:'children'::text, 'c_default, c_from_2024_11_01, c_null, c_y2024m02', 'children of several kinds');
CREATE TABLE foreign_child (d date);
SELECT router.create_route('foreign_child', router.by_date('d', 'month')) \g /dev/null
SELECT router.create_child('foreign_child', ARRAY['2024-02-15']) \g /dev/null
SELECT is(test.outcome($$CALL router.archive('c', child => 'c')$$), '22023: table "c" is not a child of "c"', 'the base is no child');
SELECT is(test.outcome($$CALL router.archive('c', child => 'foreign_child_y2024m02')$$), '22023: table "foreign_child_y2024m02" is not a child of "c"', 'another one''s child');
SELECT is(test.outcome($$CALL router.archive('c', child => 'c_default')$$), '22023: child "c_default" has no range of dates to archive up to', 'the default child');
SELECT is(test.outcome($$CALL router.archive('c', child => 'c_null')$$), '22023: child "c_null" has no range of dates to archive up to', 'the child of rows without a date');
SELECT isnt(test.hint($$CALL router.archive('c', child => 'c_null')$$), NULL, 'with a hint');
SELECT is(test.outcome($$CALL router.archive(child => 'c_y2024m02')$$), '22023: child needs a base', 'a child without a base');
CALL router.archive('c', child => 'c_y2024m02', dry_run => true);
SELECT is(test.homes('c'), 'c: 742', 'dry_run');
CALL router.archive('c', child => 'c_y2024m02');
SELECT is(test.homes('c'), 'c: 622, c_y2024m01: 62, c_y2024m02: 58', 'that child and those before it');
SELECT is((SELECT watermark FROM router.routes WHERE base = 'c'::regclass), '2024-03-01', 'the watermark is at its end');
SELECT is((SELECT rows FROM router.events WHERE base = 'c'::regclass ORDER BY at DESC LIMIT 1), 120::bigint, 'and the event has the rows');
CALL router.archive('c', child => 'c_y2024m01');
SELECT is((SELECT watermark FROM router.routes WHERE base = 'c'::regclass), '2024-03-01', 'a child that is archived already');
CALL router.archive('c', child => 'c_from_2024_11_01', cutoff => '2024-04-01');
SELECT is((SELECT watermark FROM router.routes WHERE base = 'c'::regclass), '2024-04-01', 'the smaller of cutoff and end counts');
CALL router.archive('c', child => 'c_from_2024_11_01');
SELECT is((SELECT count(*) FROM ONLY c), 10::bigint, 'a child without an end: by the window');
SELECT is((SELECT count(*) FROM router.check('c')), 0::bigint, 'all are at home');
SELECT is((SELECT count(*) FROM index_gaps('c')), 0::bigint, 'and in the indexes');

-- by residence and month: the child's range of dates counts for all residences
CREATE TABLE two (id int, r int, d timestamptz);
CREATE INDEX ON two (d);
INSERT INTO two SELECT i, i % 3, timestamptz '2024-01-01 UTC' + i * interval '1 day' FROM generate_series(0, 99) i;
SELECT router.create_route('two', ARRAY[router.by_list('r'), router.by_date('d', 'month')], hot => '30 days', time_zone => 'UTC') \g /dev/null
SELECT router.create_child('two', ARRAY['1', '2024-01-15']) \g /dev/null
CALL router.archive('two', child => 'two_1_y2024m01');
SELECT is(test.homes('two'), 'two: 69, two_0_y2024m01: 11, two_1_y2024m01: 10, two_2_y2024m01: 10', 'the second level tells the age');

-- ---------------------------------------------------------------------- cutoff
SELECT is(test.outcome($$CALL router.archive('c', cutoff => (current_date + 3)::text)$$), format('22023: cutoff "%s" lies in the future', current_date + 3), 'a cutoff in the future');
SELECT is(test.outcome($$CALL router.archive('c', cutoff => '2999-01-01')$$), '22023: cutoff "2999-01-01" lies in the future', 'far in the future');
SELECT isnt(test.hint($$CALL router.archive('c', cutoff => '2999-01-01')$$), NULL, 'with a hint');
SELECT is(test.outcome($$CALL router.archive('c', cutoff => '2999-01-01', dry_run => true)$$), '22023: cutoff "2999-01-01" lies in the future', 'dry_run tells as well');
SELECT is(test.outcome($$SELECT router.archive_now('c', '2999-01-01')$$), '22023: cutoff "2999-01-01" lies in the future', 'and archive_now');
SELECT is((SELECT count(*) FROM ONLY c), 10::bigint, 'nothing moved');
SELECT is((SELECT pending FROM router.routes WHERE base = 'c'::regclass), NULL, 'nor was announced');
SELECT is(test.outcome($$SELECT router.archive_now('c', 'infinity')$$), 'done', 'the end of time is no mistake');
SELECT is((SELECT count(*) FROM ONLY c), 0::bigint, 'all rows moved');

-- ----------------------------------------------------------------- archive_now
CREATE TABLE now_t (id int PRIMARY KEY, d date NOT NULL);
CREATE INDEX ON now_t (d);
ALTER TABLE now_t DROP CONSTRAINT now_t_pkey, ADD PRIMARY KEY (id, d);
INSERT INTO now_t SELECT i, date '2024-01-01' + i FROM generate_series(0, 99) i;
SELECT router.create_route('now_t', router.by_date('d', 'month'), hot => '30 days') \g /dev/null
SELECT is(router.archive_now('now_t', '2024-02-01', dry_run => true), 31::bigint, 'dry_run says how many');
SELECT is((SELECT count(*) FROM ONLY now_t), 100::bigint, 'and moves none');
BEGIN;
SELECT is(router.archive_now('now_t', '2024-02-01'), 31::bigint, 'archive_now says how many');
SELECT is((SELECT count(*) FROM pg_locks WHERE relation = 'now_t'::regclass AND pid = pg_backend_pid() AND mode = 'AccessExclusiveLock'), 1::bigint, 'it locks the base');
SELECT is(test.homes('now_t'), 'now_t: 69, now_t_y2024m01: 31', 'the rows moved');
ROLLBACK;
SELECT is(test.homes('now_t'), 'now_t: 100', 'a rollback undoes all of it');
CREATE FUNCTION nightly() RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    BEGIN
        PERFORM router.archive_now('now_t', '2024-02-15');
        RAISE division_by_zero;
    EXCEPTION WHEN division_by_zero THEN
        NULL;
    END;
    RETURN router.archive_now('now_t');
END $$;
SELECT is(nightly(), 100::bigint, 'from PL/pgSQL, after a subtransaction that was rolled back');
SELECT is(test.homes('now_t'), 'now_t_y2024m01: 31, now_t_y2024m02: 29, now_t_y2024m03: 31, now_t_y2024m04: 9', 'all rows are where they belong');
SELECT is((SELECT count(*) FROM router.events WHERE base = 'now_t'::regclass), 1::bigint, 'one event');
SELECT throws_ok($$SELECT router.archive_now(NULL)$$, '22004', NULL, 'archive_now of nothing');
SELECT throws_ok($$SELECT router.archive_now('foreign_child')$$, '55000', NULL, 'of a table that is not hot');
SELECT test.role('archive_other') \g /dev/null
GRANT USAGE ON SCHEMA router TO archive_other;
SET ROLE archive_other;
SELECT throws_ok($$SELECT router.archive_now('now_t')$$, '42501', NULL, 'of somebody else''s');
RESET ROLE;

-- ------------------------------------------------------------ without an index
CREATE TABLE heap (id int, d date);
INSERT INTO heap SELECT i, date '2024-01-01' + (i * 7) % 300 FROM generate_series(0, 2999) i;
SELECT router.create_route('heap', router.by_date('d', 'month'), hot => '30 days') \g /dev/null
CALL router.archive('heap', batch_rows => 100, time_budget => '0');
SELECT is((SELECT count(*) FROM ONLY heap), 2900::bigint, 'a batch has batch_rows also without an index');
SELECT is((SELECT count(*) FROM ONLY heap WHERE d < (SELECT watermark::date FROM router.routes WHERE base = 'heap'::regclass)), 0::bigint, 'up to the watermark');
CALL router.archive('heap', batch_rows => 1, time_budget => '0');
SELECT is((SELECT count(*) FROM ONLY heap), 2840::bigint, 'but is at least a fiftieth of what there is, in whole instants');
CALL router.archive('heap', batch_rows => 100);
SELECT is((SELECT count(*) FROM heap WHERE tableoid <> 'heap'::regclass), 3000::bigint, 'to the end');
SELECT is((SELECT count(*) FROM router.check('heap')), 0::bigint, 'all are at home');

-- ------------------------------------------- index entries sorted, by the page
-- unique and not, expression, partial, INCLUDE, descending, NULLs, long keys, few values, text, name, other access methods
CREATE TABLE many (id int, d timestamptz, v numeric, t text, few int, n name, big text, PRIMARY KEY (id, d), EXCLUDE USING gist (tstzrange(d, d, '[]') WITH &&) WHERE (id < 0));
CREATE UNIQUE INDEX ON many (v, d);
CREATE UNIQUE INDEX ON many (lower(t), d) INCLUDE (few) WHERE t IS NOT NULL;
CREATE INDEX ON many (d DESC);
CREATE INDEX ON many (d);
CREATE INDEX ON many (few);
CREATE INDEX ON many (few) WITH (deduplicate_items = off);
CREATE INDEX ON many (n) WITH (fillfactor = 100);
CREATE INDEX ON many (big);
CREATE INDEX ON many (v NULLS FIRST, t DESC);
CREATE INDEX ON many USING hash (few);
CREATE INDEX ON many USING brin (d);
CREATE FUNCTION many_rows(first int, last int) RETURNS SETOF many LANGUAGE sql AS $$
    SELECT i, timestamptz '2024-01-01 UTC' + i * interval '1 minute', CASE WHEN i % 10 > 0 THEN i * 7919 % 10007 / 10.0 END,
           CASE WHEN i % 7 > 0 THEN 'T' || i * 31 % 5003 END, i % 5, 'n' || i % 100, repeat(md5(i::text), 1 + i % 20)
      FROM generate_series(first, last) i
$$;
INSERT INTO many SELECT * FROM many_rows(1, 12000);
SELECT md5(string_agg(many::text, ',' ORDER BY id)) AS sum FROM many \gset
SELECT router.create_route('many', router.by_date('d', 'month'), hot => '30 days', time_zone => 'UTC') \g /dev/null
CALL router.archive('many', cutoff => '2024-01-05', batch_rows => 4000);
SELECT is((SELECT count(*) FROM ONLY many_y2024m01), 4 * 1440::bigint - 1, 'several batches into an empty child');
SELECT is((SELECT count(*) FROM index_gaps('many')), 0::bigint, 'its indexes are right');
CALL router.archive('many', cutoff => '2024-01-07', batch_rows => 3000);
INSERT INTO many SELECT * FROM many_rows(-2000, -1);
CALL router.archive('many', batch_rows => 5000);
DELETE FROM many WHERE id < 0;
VACUUM many, many_y2024m01, many_y2023m12;
SELECT is((SELECT md5(string_agg(many::text, ',' ORDER BY id)) FROM many), :'sum', 'into children that have rows, and late rows');
SELECT is((SELECT count(*) FROM index_gaps('many')), 0::bigint, 'their indexes are right');
SELECT throws_ok($$INSERT INTO many SELECT * FROM many_rows(7000, 7000)$$, '23505', NULL, 'unique indexes hold');

-- what somebody wrote into the child by name
CREATE TABLE twice (id int, d date, PRIMARY KEY (id, d));
CREATE INDEX ON twice (d);
INSERT INTO twice SELECT i, '2024-01-01' FROM generate_series(1, 5000) i;
SELECT router.create_route('twice', router.by_date('d', 'month'), hot => '30 days') \g /dev/null
SELECT router.create_child('twice', ARRAY['2024-01-15']) \g /dev/null
SET session_replication_role = replica;
INSERT INTO twice_y2024m01 VALUES (4999, '2024-01-01');
RESET session_replication_role;
SELECT throws_ok($$CALL router.archive('twice')$$, '23505', 'duplicate key value violates unique constraint "twice_y2024m01_pkey"', 'a row that the child has already stops the run');
SELECT is((SELECT count(*) FROM ONLY twice), 5000::bigint, 'and undoes its batch');
DELETE FROM twice_y2024m01;
CALL router.archive('twice');
SELECT is(test.homes('twice'), 'twice_y2024m01: 5000', 'without it the run goes on');
SELECT is((SELECT count(*) FROM index_gaps('twice')), 0::bigint, 'with right indexes');
-- a unique index of the child alone
CREATE TABLE own (id int, d date);
CREATE INDEX ON own (d);
INSERT INTO own SELECT i % 2990, '2024-01-01' FROM generate_series(1, 3000) i;
SELECT router.create_route('own', router.by_date('d', 'month'), hot => '30 days') \g /dev/null
SELECT router.create_child('own', ARRAY['2024-01-15']) \g /dev/null
CREATE UNIQUE INDEX own_key ON own_y2024m01 (id);
SELECT throws_ok($$CALL router.archive('own')$$, '23505', 'duplicate key value violates unique constraint "own_key"', 'two of the rows that move share a key');
SELECT is((SELECT count(*) FROM ONLY own), 3000::bigint, 'nothing moved');
-- entries that go one by one, by an operator class that leaks: its functions are in SQL
CREATE FUNCTION compare(a int, b int) RETURNS int IMMUTABLE STRICT LANGUAGE sql AS 'SELECT CASE WHEN a < b THEN -1 WHEN a > b THEN 1 ELSE 0 END';
CREATE OPERATOR CLASS slow_ops FOR TYPE int USING btree AS OPERATOR 1 <, OPERATOR 2 <=, OPERATOR 3 =, OPERATOR 4 >=, OPERATOR 5 >, FUNCTION 1 compare(int, int);
CREATE FUNCTION peak_kb() RETURNS int LANGUAGE sql AS $$SELECT substring(pg_read_file('/proc/self/status') FROM 'VmHWM:\s*(\d+)')::int$$;
CREATE TABLE leak (id int, d date);
CREATE INDEX ON leak (d);
INSERT INTO leak SELECT i, '2024-01-01' FROM generate_series(1, 3000) i;
SELECT router.create_route('leak', router.by_date('d', 'month'), hot => '30 days') \g /dev/null
SELECT router.create_child('leak', ARRAY['2024-01-15']) \g /dev/null
CREATE INDEX ON leak_y2024m01 (id slow_ops);
SET session_replication_role = replica;
INSERT INTO leak_y2024m01 VALUES (9999, '2024-01-01');
RESET session_replication_role;
SELECT peak_kb() AS before \gset
CALL router.archive('leak');
SELECT cmp_ok(peak_kb() - :before, '<', 32000, 'memory does not grow by the entry');
SELECT is((SELECT count(*) FROM index_gaps('leak')), 0::bigint, 'and the index is right');
-- children that cannot be sealed after it: an error that psql, cron and the log see, not only who catches it
CREATE TABLE held (id int, d date);
SELECT router.create_route('held', router.by_date('d', 'month'), hot => '30 days') \g /dev/null
SELECT router.set_maintenance('held', seal => '{id}') \g /dev/null
INSERT INTO held VALUES (1, '2024-01-01');
SELECT router.archive_now('held') \g /dev/null
BEGIN;
DECLARE reader CURSOR FOR SELECT * FROM held;
FETCH reader \g /dev/null
CALL router.archive('held');
\set state :SQLSTATE
\set message :LAST_ERROR_MESSAGE
ROLLBACK;
SELECT is(:'state'::text, '55000', 'a child in use cannot be sealed, and the call fails');
SELECT is(:'message'::text, '1 of 1 children could not be sealed', 'it says so');
CALL router.archive('held');
SELECT is((SELECT state FROM router.seals WHERE base = 'held'::regclass), 'sealed', 'when it is free it is sealed');
SELECT * FROM finish();
