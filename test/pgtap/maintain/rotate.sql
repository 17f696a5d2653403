-- router.rotate: turnover of a hot base by a swap of storage. Checklist B7.
\ir ../../include/helpers.sql
\set tests 74
SELECT plan(:tests);
SELECT format('CREATE EXTENSION %I', name) FROM pg_available_extensions WHERE name = 'amcheck' \gexec

-- Are the indexes of a base and its children those of their heaps? 'sound', or an error. Without amcheck nobody looks.
CREATE FUNCTION test.indexes(base regclass) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    index regclass;
BEGIN
    FOR index IN SELECT i.indexrelid
                   FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am a ON a.oid = c.relam AND a.amname = 'btree'
                  WHERE to_regprocedure('bt_index_check(regclass, boolean)') IS NOT NULL
                    AND (i.indrelid = base OR i.indrelid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = base)) LOOP
        PERFORM bt_index_check(index, true);
    END LOOP;
    RETURN 'sound';
END $$;
-- The files of a table and its indexes.
CREATE FUNCTION test.files(t regclass) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(pg_relation_filenode(oid)::text, ' ' ORDER BY relname LIKE '%pkey' DESC, relkind DESC, relname COLLATE "C")
      FROM pg_class WHERE oid = t OR oid IN (SELECT indexrelid FROM pg_index WHERE indrelid = t)
$$;

-- ---------------------------------------------------------------------- who may not
CREATE TABLE plain (d date);
SELECT throws_ok($$CALL router.rotate('plain')$$, '55000', NULL, 'an ordinary table');
SELECT router.create_route('plain', router.by_date('d', 'year')) \g /dev/null
SELECT throws_ok($$CALL router.rotate('plain')$$, '55000', NULL, 'a route that is not hot');
SELECT throws_ok($$CALL router.rotate(NULL)$$, '22004', NULL, 'no base');

-- -------------------------------------------------------------------------- it goes
CREATE TABLE unit (id int PRIMARY KEY);
INSERT INTO unit SELECT generate_series(0, 9);
CREATE TABLE log (id bigserial, unit_id int REFERENCES unit, d timestamptz, v int CHECK (v >= 0), twice int GENERATED ALWAYS AS (v * 2) STORED, big text, span int4range,
    PRIMARY KEY (id, d), UNIQUE (v, id) DEFERRABLE INITIALLY DEFERRED, EXCLUDE USING gist (span WITH &&));
CREATE INDEX ON log (d);
CREATE INDEX ON log (v DESC NULLS LAST) INCLUDE (id);
CREATE INDEX ON log (lower(left(big, 20))) WHERE v > 5;
CREATE INDEX ON log USING hash (v);
CREATE INDEX ON log USING brin (d) WITH (pages_per_range = 4);
SELECT router.create_route('log', router.by_date('d', 'year'), hot => '10000 days', horizon => '1000 years', time_zone => 'UTC') \g /dev/null
SELECT router.add_global_key('log', '{id}') \g /dev/null
SELECT throws_ok($$CALL router.rotate('log', cutoff => 'soon')$$, '22007', NULL, 'a cutoff that is none');
CALL router.rotate('log', cutoff => '2001-01-01');
SELECT is(test.children('log'), 'none', 'nothing there: nothing happens');

CREATE VIEW log_view AS SELECT id, v FROM log;
CREATE ROLE reader;
GRANT SELECT ON log TO reader;
CREATE TABLE fired (what text);
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO fired VALUES (TG_OP); RETURN NULL; END $$;
CREATE TRIGGER tell AFTER INSERT OR UPDATE OR DELETE ON log FOR EACH ROW EXECUTE FUNCTION tell();
INSERT INTO log (unit_id, d, v, big, span) SELECT i % 10, '2024-01-01 UTC'::timestamptz + i * interval '8 hours', i % 100,
    CASE WHEN i % 50 = 0 THEN (SELECT string_agg(md5(i::text || j), '') FROM generate_series(1, 200) j) ELSE 'small ' || i END, int4range(i, i + 1) FROM generate_series(0, 999) i;
INSERT INTO log (unit_id, d, v, big, span) VALUES (1, '2025-02-01 UTC', 1, repeat('hot', 5000), '[5000,5001)'), (2, 'infinity', 2, 'far', '[6000,6001)'), (3, '2023-05-05 UTC', 3, 'old', '[7000,7001)');
ALTER TABLE log ADD COLUMN added text DEFAULT 'given';
UPDATE log SET v = v + 100 WHERE id % 7 = 0;
DELETE FROM log WHERE id % 100 = 99;
TRUNCATE fired;
PREPARE plan AS SELECT count(*), sum(v), sum(length(big)), count(added) FROM log;
PREPARE one AS SELECT v, tableoid::regclass::text FROM log WHERE id = $1;
EXECUTE plan \g /dev/null
EXECUTE one (20) \g /dev/null
CREATE TABLE before AS SELECT * FROM log;
SELECT is(test.homes('log'), 'log: 993', 'all is in the base');
SELECT test.files('log') AS files \gset
SELECT relpages AS pages FROM pg_class WHERE oid = 'log'::regclass \gset
CALL router.rotate('log', cutoff => '2024-11-20 00:00 UTC', dry_run => true);
SELECT is(test.homes('log') || ' ' || test.children('log'), 'log: 993 none', 'dry_run changes nothing');
CALL router.rotate('log', cutoff => '2024-11-20 00:00 UTC');
SELECT is(test.homes('log'), 'log: 29, log_y2023: 1, log_y2024: 963', 'aged rows are in their children, hot ones in the base');
SELECT is(test.files('log_y2024'), :'files', 'the files of the base are those of the child');
SELECT is_empty($$(TABLE before EXCEPT TABLE log) UNION ALL (TABLE log EXCEPT TABLE before)$$, 'no row is lost, or another');
SELECT is((SELECT count(*) FROM log), 993::bigint, 'none is doubled');
SELECT is_empty($$SELECT * FROM router.check('log')$$, 'router.check finds nothing');
SELECT is((SELECT string_agg(watermark, '') || coalesce(max(pending), '') FROM router.routes WHERE base = 'log'::regclass), '2024-11-20 00:00:00+00', 'the watermark is there');
SELECT is((SELECT count(*) FROM fired), 0::bigint, 'no trigger fired');
SELECT is(test.indexes('log'), 'sound', 'amcheck: indexes are sound');
SELECT results_eq('EXECUTE plan', 'SELECT count(*), sum(v), sum(length(big)), count(added) FROM before', 'a prepared statement from before');
SELECT results_eq('EXECUTE one (20)', $$SELECT v, 'log_y2024'::text FROM before WHERE id = 20$$, 'by an index');
SELECT is((SELECT sum(v) FROM log_view), (SELECT sum(v) FROM before), 'a view');
SELECT is(has_table_privilege('reader', 'log', 'SELECT') AND NOT has_table_privilege('reader', 'log', 'INSERT'), true, 'grants');
SELECT is((SELECT convalidated FROM pg_constraint WHERE conrelid = 'log_y2024'::regclass AND conname = 'router_home'), true, 'the CHECK of the child is validated');
SELECT is((SELECT string_agg(c.oid::regclass || ' ' || (t.relname = 'pg_toast_' || c.oid) || ' ' || (x.relname = t.relname || '_index') || ' ' || (d.refobjid = c.oid), ', ' ORDER BY c.relname)
             FROM pg_class c JOIN pg_class t ON t.oid = c.reltoastrelid JOIN pg_index i ON i.indrelid = t.oid JOIN pg_class x ON x.oid = i.indexrelid
             JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = t.oid AND d.deptype = 'i'
            WHERE c.oid IN ('log'::regclass, 'log_y2024'::regclass)), 'log true true true, log_y2024 true true true', 'TOAST tables bear the names of their tables and depend on them');
SELECT is((SELECT count(*) > 0 FROM pg_stats WHERE tablename = 'log_y2024'), true, 'the child is analyzed');
SELECT is((SELECT count(*) FROM log_y2024 WHERE v = 19), (SELECT count(*) FROM before WHERE v = 19 AND d < '2024-11-20' AND d > '2024-01-01'), 'hash index');
SELECT is((SELECT string_agg(action || ' ' || rows || ' ' || coalesce(error, 'well'), ', ' ORDER BY at) FROM router.events WHERE base = 'log'::regclass), 'rotate 0 well, rotate 963 well', 'router.events');
SELECT is((SELECT array_agg(missing + orphans + duplicates) FROM router.check_global_key('log')), '{0}', 'entries of the global key stayed');
SELECT throws_ok($$INSERT INTO log (id, unit_id, d, v) VALUES (20, 1, '2025-06-01', 1)$$, '23505', NULL, 'global key: a value that is in the child');
SELECT throws_ok($$INSERT INTO log (unit_id, d, v) VALUES (77, '2024-06-01', 1)$$, '23503', NULL, 'foreign key in the child');
SELECT throws_ok($$DELETE FROM unit WHERE id = 1$$, '23503', NULL, 'foreign key of rows that changed hands');
SELECT throws_ok($$INSERT INTO log (unit_id, d, v, span) VALUES (1, '2024-06-01', 1, '[20,21)')$$, '23P01', NULL, 'exclusion constraint of the child');
:fresh
SELECT is((SELECT tableoid::regclass::text FROM log WHERE id = 20), 'log_y2024', 'a new session');
INSERT INTO log (unit_id, d, v, big) VALUES (1, '2024-06-01', 3, repeat('late', 4000)), (1, '2025-06-01', 3, repeat('fresh', 4000));
SELECT is(test.homes('log'), 'log: 30, log_y2023: 1, log_y2024: 964', 'late and fresh rows, with TOAST');
UPDATE log SET big = repeat('u', 20000) WHERE id IN (50, 1001);
SELECT is((SELECT string_agg(DISTINCT length(big)::text, '') FROM log WHERE id IN (50, 1001)), '20000', 'TOAST values are replaced');
INSERT INTO log (unit_id, d, v) VALUES (1, '2025-06-01', 3) RETURNING (id > 1003) AS next \gset
SELECT is(:'next'::text, 't', 'the sequence goes on');
VACUUM (FREEZE) log, log_y2024;
SELECT is(test.indexes('log') || (SELECT bool_and(age(relfrozenxid) < 100)::text FROM pg_class WHERE oid IN ('log'::regclass, 'log_y2024'::regclass)), 'soundtrue', 'VACUUM FREEZE');
VACUUM FULL log_y2024;
SELECT is(test.indexes('log') || ' ' || (SELECT count(*) FROM before JOIN log USING (id, d) WHERE before.added = log.added), 'sound 993', 'VACUUM FULL');
-- once more, with a base that turned over already
INSERT INTO log (unit_id, d, v) SELECT 1, '2025-03-01', i FROM generate_series(200, 1200) i;
CALL router.rotate('log', cutoff => '2025-12-31 UTC');
SELECT is(test.homes('log'), 'log: 1, log_y2023: 1, log_y2024: 991, log_y2025: 1004', 'the second turnover');
SELECT is(test.indexes('log') || (SELECT count(*) FROM router.check('log')), 'sound0', 'is sound');
CALL router.rotate('log', cutoff => '2025-12-31 UTC');
SELECT is((SELECT count(*) FROM router.events WHERE base = 'log'::regclass), 3::bigint, 'nothing to do is an event as well, of which the last one is kept');

-- ---------------------------------------------------------------------- transactions
CREATE TABLE tx (id int PRIMARY KEY, d date NOT NULL, t text);
SELECT router.create_route('tx', router.by_date('d', 'month'), hot => '10000 days', horizon => '1000 years') \g /dev/null
INSERT INTO tx SELECT i, '2024-05-01'::date + i % 31, repeat('x', i) FROM generate_series(1, 500) i;
INSERT INTO tx SELECT i, '2024-06-01'::date, repeat('x', i) FROM generate_series(501, 510) i;
SELECT is(test.outcome($$CALL router.rotate('tx', cutoff => '2024-06-01')$$), '55000: cannot swap the storage of a base with that of "tx_y2024m05"', 'in a transaction: a child that it would have to make');
SELECT router.create_child('tx', '2024-05-01') \g /dev/null
SELECT test.files('tx') AS files \gset
BEGIN;
SAVEPOINT s;
CALL router.rotate('tx', cutoff => '2024-06-01');
SELECT is(test.homes('tx'), 'tx: 10, tx_y2024m05: 500', 'in a transaction');
INSERT INTO tx VALUES (600, '2024-05-05', 'aged'), (601, '2024-06-05', 'hot');
ROLLBACK TO s;
SELECT is(test.homes('tx') || (test.files('tx') = :'files'), 'tx: 510true', 'rolled back to a savepoint');
INSERT INTO tx VALUES (602, '2024-06-05', 'hot');
CALL router.rotate('tx', cutoff => '2024-06-01');
INSERT INTO tx VALUES (600, '2024-05-05', 'aged'), (601, '2024-06-05', 'hot');
SELECT is(test.homes('tx'), 'tx: 12, tx_y2024m05: 501', 'and again, with rows of this transaction');
ROLLBACK;
SELECT is(test.homes('tx') || ' ' || test.indexes('tx'), 'tx: 510 sound', 'rolled back');
BEGIN;
CALL router.rotate('tx', cutoff => '2024-06-01');
COMMIT;
SELECT is(test.homes('tx') || ' ' || test.indexes('tx'), 'tx: 10, tx_y2024m05: 500 sound', 'committed');
SELECT is((SELECT string_agg(detail, '') FROM router.check('tx')), 'to be mended: validate constraint "router_home"', 'in a transaction the CHECK is not validated');
ALTER TABLE tx_y2024m05 VALIDATE CONSTRAINT router_home;
SELECT is_empty($$SELECT * FROM router.check('tx')$$, 'until somebody does it');
INSERT INTO tx SELECT i, '2024-07-01' FROM generate_series(1000, 1100) i;
SELECT router.create_child('tx', '2024-07-01') \g /dev/null
BEGIN;
DECLARE c CURSOR FOR SELECT 1 FROM tx;
FETCH 1 FROM c \g /dev/null
SELECT test.outcome($$CALL router.rotate('tx', cutoff => '2024-08-01')$$) AS outcome \gset
COMMIT;
SELECT is(:'outcome'::text, '55006: cannot router.rotate "tx" because it is being used by active queries in this session', 'an open cursor');

-- ------------------------------------------------------------ children with a few rows, more keys
CREATE TABLE few (id int, r int, d date, PRIMARY KEY (id, r, d));
SELECT router.create_route('few', ARRAY[router.by_list('r'), router.by_date('d', 'year')], hot => '10000 days', horizon => '1000 years') \g /dev/null
CALL router.archive('few', cutoff => '2024-03-01');
INSERT INTO few SELECT i, 1, '2024-02-01' FROM generate_series(1, 20) i;
INSERT INTO few SELECT i, 1 + (i % 10 = 0)::int, '2024-03-01'::date + i FROM generate_series(100, 1100) i;
SELECT is(test.homes('few'), 'few: 1001, few_1_y2024: 20', 'the child has a few rows');
SELECT is((SELECT test.outcome($$CALL router.rotate('few', cutoff => '2026-01-01')$$)), '55000: swapping the storage of "few" would not save work', 'rows of many children');
SELECT is(test.children('few'), 'few_1_y2024', 'which changes nothing');
DELETE FROM few WHERE d > '2025-01-01';
CALL router.rotate('few', cutoff => '2024-12-30');
SELECT is(test.homes('few'), 'few: 3, few_1_y2024: 203, few_2_y2024: 21', 'rows of other children, and of the child, find home');
SELECT is(test.indexes('few') || (SELECT count(*) FROM router.check('few')), 'sound0', 'and all is sound');

-- ---------------------------------------------------------------------- what is refused
CREATE PROCEDURE test.prepare(change text) LANGUAGE plpgsql AS $$
BEGIN
    CREATE TABLE h (gone int, id int, d date, v int, t text);
    CREATE INDEX h_d ON h (d);
    PERFORM router.create_route('h', router.by_date('d', 'year'), hot => '10000 days', horizon => '1000 years');
    PERFORM router.create_child('h', '2024-01-01');
    INSERT INTO h SELECT 0, i, '2024-05-05', i FROM generate_series(1, 50) i;
    EXECUTE change;
END $$;
CREATE FUNCTION test.turnover() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    homes text := test.homes('h');
    detail text;
BEGIN
    BEGIN
        CALL router.rotate('h', cutoff => '2025-01-01');
    EXCEPTION WHEN OTHERS THEN
        GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
        detail := SQLSTATE || ': ' || detail;
    END;
    IF homes <> test.homes('h') AND detail IS NOT NULL THEN
        detail := 'but it changed something: ' || detail;
    END IF;
    DROP PUBLICATION IF EXISTS p;
    DROP TABLE h CASCADE;
    RETURN coalesce(detail, 'done');
END $$;
CALL test.prepare('ALTER TABLE h DROP COLUMN gone');
SELECT is(test.turnover(), 'done', 'a column dropped from both');
CALL test.prepare('ALTER TABLE h DROP COLUMN gone; DROP TABLE h_y2024; SELECT router.create_child(''h'', ''2024-01-01'')');
SELECT alike(test.turnover(), '0A000: Their rows are not laid out alike%', 'a column dropped before the child came');
CALL test.prepare('ALTER TABLE h ADD COLUMN n int DEFAULT 7');
SELECT is(test.turnover(), 'done', 'a column added');
CALL test.prepare('CREATE INDEX mine ON h_y2024 (v)');
SELECT is(test.turnover(), '0A000: Index "mine" has no counterpart, or is not valid.', 'an index of the child');
CALL test.prepare('ALTER TABLE h_y2024 ADD CHECK (v > 0)');
SELECT is(test.turnover(), '0A000: Constraint "h_y2024_v_check" of "h_y2024" is not one of "h".', 'a CHECK of the child');
CALL test.prepare('ALTER TABLE h ADD CHECK (v > 0) NO INHERIT; ALTER TABLE h_y2024 DROP CONSTRAINT IF EXISTS h_v_check');
SELECT is(test.turnover(), '0A000: Constraint "h_v_check" of "h" is not one of "h_y2024".', 'a CHECK of the base alone');
CALL test.prepare('ALTER TABLE h_y2024 ADD CHECK (v > 0) NOT VALID');
SELECT is(test.turnover(), 'done', 'one that is not valid promises nothing');
CALL test.prepare('ALTER TABLE h_y2024 ALTER v SET NOT NULL');
SELECT is(test.turnover(), '0A000: Column "v" may be null in one of them only.', 'NOT NULL of the child');
CALL test.prepare('ALTER TABLE h ALTER v SET NOT NULL');
SELECT is(test.turnover(), 'done', 'NOT NULL of both');
CALL test.prepare('ALTER TABLE h_y2024 ADD FOREIGN KEY (v) REFERENCES unit');
SELECT is(test.turnover(), '0A000: Constraint "h_y2024_v_fkey" of "h_y2024" is not one of "h".', 'a foreign key of the child');
CALL test.prepare('ALTER INDEX h_d SET (fillfactor = 50); ALTER INDEX h_y2024_d SET (fillfactor = 60)');
SELECT is(test.turnover(), '0A000: Indexes "h_d" and "h_y2024_d" have other options or tablespaces.', 'options of an index');
CALL test.prepare('CREATE PUBLICATION p FOR TABLE h');
SELECT is(test.turnover(), '0A000: Changes of "h" are published, and a subscriber would not learn of the swap.', 'a publication');
CALL test.prepare('CREATE PUBLICATION p FOR TABLE h WITH (publish = ''truncate'')');
SELECT is(test.turnover(), 'done', 'one that publishes no rows');
CALL test.prepare('UPDATE pg_index SET indisvalid = false WHERE indexrelid = ''h_d''::regclass');
SELECT is(test.turnover(), '0A000: Index "h_d" has no counterpart, or is not valid.', 'an invalid index');
CALL test.prepare('ALTER TABLE h_y2024 OWNER TO reader');
SELECT is(test.turnover(), '0A000: They belong to different roles.', 'different owners');
CALL test.prepare('ALTER TABLE h_y2024 SET UNLOGGED');
SELECT is(test.turnover(), '0A000: They are in different tablespaces, or one of them is UNLOGGED.', 'different persistence');
CALL test.prepare('INSERT INTO h SELECT 0, i, ''2029-05-05'', i FROM generate_series(1, 49) i');
SELECT is(test.turnover(), 'done', 'less than half of the rows elsewhere');
CALL test.prepare('INSERT INTO h SELECT 0, i, ''2029-05-05'', i FROM generate_series(1, 51) i');
SELECT is(test.turnover(), '55000: 50 aged rows belong to child "h_y2024", but 51 others would have to be moved.', 'more than half');
CALL test.prepare('CREATE UNIQUE INDEX ON h (v); INSERT INTO h_y2024 VALUES (0, 1, ''2024-01-01'', 1)');
SELECT is(test.turnover(), '23505: Key (v)=(1) already exists.', 'a row of the child conflicts with one of the base');

-- -------------------------------------------------------------- other kinds of tables
CREATE UNLOGGED TABLE ul (id int PRIMARY KEY, d date, t text);
SELECT router.create_route('ul', router.by_date('d', 'year'), hot => '10000 days', horizon => '1000 years') \g /dev/null
INSERT INTO ul SELECT i, '2024-01-01', 'x' FROM generate_series(1, 100) i;
CALL router.rotate('ul', cutoff => '2025-01-01');
SELECT is(test.homes('ul') || test.indexes('ul') || (SELECT string_agg(relpersistence::text, '') FROM pg_class WHERE relname ~ '^ul(_y2024)?$'), 'ul_y2024: 100sounduu', 'UNLOGGED tables');
CREATE TEMPORARY TABLE tmp (id int PRIMARY KEY, d date, t text);
SELECT router.create_route('tmp', router.by_date('d', 'year'), hot => '10000 days', horizon => '1000 years') \g /dev/null
INSERT INTO tmp SELECT i, '2024-01-01', 'x' FROM generate_series(1, 100) i;
INSERT INTO tmp VALUES (200, '2026-01-01', repeat('y', 10000));
CALL router.rotate('tmp', cutoff => '2025-01-01');
INSERT INTO tmp VALUES (201, '2024-01-01', repeat('y', 10000));
SELECT is((SELECT string_agg(n::text, ' ') FROM (SELECT count(*) AS n FROM tmp GROUP BY tableoid ORDER BY 1) s), '1 101', 'temporary tables');
CREATE TABLE nul (id int, d date);
SELECT router.create_route('nul', router.by_date('d', 'year'), hot => '10000 days', horizon => '1000 years') \g /dev/null
INSERT INTO nul SELECT i, '2024-01-01' FROM generate_series(1, 100) i;
INSERT INTO nul VALUES (1, NULL), (2, 'infinity');
CREATE INDEX ON nul (d);
CALL router.rotate('nul', cutoff => '2025-01-01');
SELECT is(test.homes('nul'), 'nul: 1, nul_null: 1, nul_y2024: 100', 'NULL and infinity');

SELECT * FROM finish();
