-- A table with rows becomes a routed table: convert, cancel_reshape. Checklist: nothing of it is lost, nobody else sees the copies.
\ir ../../include/helpers.sql
\set tests 63
SELECT plan(:tests);

SELECT test.role('router_convert_other');

-- everything that a table can have
CREATE TABLE residence (id int PRIMARY KEY);
INSERT INTO residence SELECT generate_series(0, 9);
CREATE TABLE fired (op text);
CREATE FUNCTION test.fired() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO fired VALUES (tg_op); RETURN new; END $$;
CREATE TABLE c (gone int, id bigint GENERATED ALWAYS AS IDENTITY, r int NOT NULL REFERENCES residence ON DELETE CASCADE DEFERRABLE,
                at timestamptz NOT NULL, v numeric(10, 2) DEFAULT 7, note text COLLATE "C", n int GENERATED ALWAYS AS (r + 1) STORED,
                PRIMARY KEY (id), CONSTRAINT positive CHECK (v > 0), CONSTRAINT alone CHECK (id > 0) NO INHERIT);
ALTER TABLE c DROP COLUMN gone;
INSERT INTO c (r, at, v, note) SELECT i % 10, timestamptz '2024-01-01' + i * interval '1 hour', i % 50 + 1, repeat('n', i % 30) FROM generate_series(1, 5000) i;
INSERT INTO c (r, at, note) VALUES (3, '2024-05-05', (SELECT string_agg(md5(i::text), '') FROM generate_series(1, 2000) i));
ALTER TABLE c ADD COLUMN later int NOT NULL DEFAULT 42;
CREATE INDEX c_at ON c (at);
CREATE UNIQUE INDEX some_unique ON c (r, lower(left(note, 9)), id) WHERE v > 3;
CREATE STATISTICS c_stats ON r, v FROM c;
COMMENT ON COLUMN c.note IS 'a note';
CREATE TRIGGER watched AFTER INSERT OR UPDATE OR DELETE ON c FOR EACH ROW EXECUTE FUNCTION test.fired();
ALTER TABLE c ENABLE ALWAYS TRIGGER watched;
CREATE POLICY mine ON c USING (r < 5);
ALTER TABLE c ENABLE ROW LEVEL SECURITY;
GRANT SELECT (id, r), INSERT ON c TO router_convert_other;
ALTER TABLE c REPLICA IDENTITY FULL;
CREATE PUBLICATION router_convert FOR TABLE c WITH (publish = 'insert');
ALTER TABLE c ALTER COLUMN note SET STORAGE external;
CREATE TABLE was AS SELECT *, tableoid <> 0 AS t FROM c;
DROP EXTENSION IF EXISTS nothing;

CALL router.convert('c', ARRAY[router.by_list('r'), router.by_date('at', 'month')], time_zone => 'UTC', dry_run => true);
SELECT is((SELECT count(*) FROM router.routes), 0::bigint, 'a dry run makes no route');
SELECT is(test.half_done(), 'nothing', 'nor anything else');
CALL router.convert('c', ARRAY[router.by_list('r'), router.by_date('at', 'month')], time_zone => 'UTC', batch_rows => 700);
SELECT is((SELECT count(*) FROM router.routes WHERE base = 'c'::regclass), 1::bigint, 'it is a routed table');
SELECT is((SELECT count(*) FROM ONLY c), 0::bigint, 'the base is empty');
SELECT is((SELECT count(*) FROM router.children WHERE base = 'c'::regclass), 70::bigint, 'with the children that its rows need');
SELECT is((SELECT count(*) FROM (SELECT *, true FROM c EXCEPT ALL TABLE was) d), 0::bigint, 'no row is other than before');
SELECT is((SELECT count(*) FROM (TABLE was EXCEPT ALL SELECT *, true FROM c) d), 0::bigint, 'none is missing');
SELECT is(test.strays('c'), 'none', 'all are at home');
SELECT is((SELECT count(*) FROM router.check('c')), 0::bigint, 'check finds nothing');
SELECT is((SELECT count(*) FROM fired), 0::bigint, 'no trigger of the user fired');
SELECT is(test.half_done(), 'nothing', 'nothing is left of it');
SELECT is((SELECT string_agg(indexrelid::regclass::text, ' ' ORDER BY indexrelid::regclass::text) FROM pg_index WHERE indrelid = 'c_3_y2024m01'::regclass),
          (SELECT string_agg(x, ' ' ORDER BY x) FROM unnest('{c_3_y2024m01_pkey,c_3_y2024m01_at,c_3_y2024m01_some_unique}'::text[]) x),
          'indexes have the names that they have in a new child');
SELECT ok((SELECT relrowsecurity FROM pg_class WHERE oid = 'c_3_y2024m01'::regclass), 'row security is on in children');
SELECT is((SELECT count(*) FROM pg_publication_tables WHERE pubname = 'router_convert'), 71::bigint, 'children are published');
SELECT is((SELECT relreplident FROM pg_class WHERE oid = 'c_3_y2024m01'::regclass), 'f', 'with the replica identity');
SELECT ok((SELECT convalidated FROM pg_constraint WHERE conrelid = 'c_3_y2024m01'::regclass AND contype = 'f'), 'the foreign key of a child is valid');
SELECT is((SELECT rows FROM router.events WHERE action = 'convert' ORDER BY at DESC LIMIT 1), 5001::bigint, 'an event tells the rows');
SELECT ok((SELECT count(*) > 0 FROM pg_stats WHERE tablename = 'c' AND inherited), 'the planner knows the rows of all children');
INSERT INTO c (r, at) VALUES (3, '2024-01-31 23:00+00'), (4, '2030-01-01');
SELECT is((SELECT array_agg(tableoid::regclass::text ORDER BY 1) FROM c WHERE id > 5001), '{c_3_y2024m01,c_4_y2030m01}', 'new rows go home');
SELECT is((SELECT count(*) FROM fired), 2::bigint, 'and fire the user''s triggers');
DELETE FROM residence WHERE id = 9;
SELECT is((SELECT count(*) FROM c WHERE r = 9), 0::bigint, 'referential actions reach children');
SELECT is(test.sql_of($$CALL router.convert('c', router.by_list('r'))$$), '25001', 'a function cannot call it');

-- what it refuses
CREATE TABLE nokey (r int NOT NULL);
INSERT INTO nokey VALUES (1);
CREATE TEMP TABLE temporary (r int PRIMARY KEY);
CREATE VIEW v AS SELECT 1 AS r;
CREATE TABLE referenced (r int PRIMARY KEY);
CREATE TABLE refers (r int REFERENCES referenced);
CREATE TABLE plain (id int PRIMARY KEY, r int NOT NULL, at timestamptz);
INSERT INTO plain SELECT i, i % 4, '2024-01-01' FROM generate_series(1, 1000) i;
BEGIN;
CALL router.convert('plain', router.by_list('r'));
SELECT is(:'SQLSTATE'::text, '25001', 'no transaction block');
ROLLBACK;
CALL router.convert('nokey', router.by_list('r'));
SELECT is(test.homes('nokey'), 'nokey_1: 1', 'rows that have no key are followed as wholes');
CALL router.unroute('nokey');
CALL router.convert('temporary', router.by_list('r'));
SELECT is(:'SQLSTATE'::text, '0A000', 'no temporary table');
CALL router.convert('v', router.by_list('r'));
SELECT is(:'SQLSTATE'::text, '42809', 'no view');
CALL router.convert('referenced', router.by_list('r'));
SELECT is(:'SQLSTATE'::text, '0A000', 'no table to which a foreign key refers');
CALL router.convert('c', router.by_list('r'));
SELECT is(:'SQLSTATE'::text, '55000', 'no routed table');
CALL router.convert('plain', router.by_list('nothing'));
SELECT is(:'SQLSTATE'::text, '42703', 'no key that is not there');
CALL router.convert('plain', router.by_list('r'), batch_rows => 0);
SELECT is(:'SQLSTATE'::text, '22023', 'no batch of nothing');
CALL router.convert('plain', router.by_list('r'), pause => '178000000 years');
SELECT is(:'SQLSTATE'::text, '22023', 'no pause of ages');
CALL router.convert('plain', router.by_list('r'), pause => '-1 second');
SELECT is(:'SQLSTATE'::text, '22023', 'nor one that is over');
CALL router.convert('plain', NULL::router.key[]);
SELECT is(:'SQLSTATE'::text, '22004', 'no key at all');
CALL router.convert(NULL, router.by_list('r'));
SELECT is(:'SQLSTATE'::text, '22004', 'no table at all');
CALL router.cancel_reshape('plain');
SELECT is(:'SQLSTATE'::text, '55000', 'there is nothing to cancel');
SET ROLE router_convert_other;
CALL router.convert('plain', router.by_list('r'));
SELECT is(:'SQLSTATE'::text, '42501', 'not by who does not own it');
RESET ROLE;
SELECT is(test.half_done(), 'nothing', 'nothing is left of all that');

-- a row that can have no child: the table stays as it is
INSERT INTO plain VALUES (2000, 1, '9999-01-01');
CALL router.convert('plain', router.by_date('at', 'month'));
SELECT is(:'SQLSTATE'::text, '22008', 'a date too far off ends it');
SELECT is((SELECT count(*) FROM ONLY plain), 1001::bigint, 'the table has all rows');
SELECT is((SELECT count(*) FROM router.routes WHERE base = 'plain'::regclass), 0::bigint, 'and is not routed');
SELECT is((SELECT count(*) FROM router.routes), 1::bigint, 'nobody sees a route of the copies');
SELECT is((SELECT count(*) FROM router.children WHERE base <> 'c'::regclass), 0::bigint, 'nor children');
SELECT is(test.sql_of('ALTER TABLE plain ADD COLUMN x int'), '55006', 'its columns stay as they are');
SELECT is(test.sql_of('DROP TABLE plain CASCADE'), '55006', 'it is not dropped');
SELECT is(test.sql_of(format('ALTER TABLE %s ADD COLUMN x int', (SELECT oid::regclass FROM pg_class WHERE relkind = 'r' AND relname LIKE 'router\_shadow%'))), '55006', 'nor are the copies altered');
SELECT is(test.sql_of(format('DROP TABLE %s', (SELECT oid::regclass FROM pg_class WHERE relkind = 'r' AND relname LIKE 'router\_log%'))), '55006', 'or dropped');
SELECT is(test.sql_of('CREATE INDEX plain_at ON plain (at)'), 'ok', 'it gets an index');
INSERT INTO plain VALUES (2001, 1, '2024-02-02');
UPDATE plain SET at = '2024-03-03', id = 3000 WHERE id = 1;
CALL router.convert('plain', router.by_date('at', 'year'));
SELECT is(:'SQLSTATE'::text, '55000', 'other keys are no way to go on');
DELETE FROM plain WHERE at = '9999-01-01';
CALL router.convert('plain', router.by_date('at', 'month'), time_budget => '0');
SELECT is((SELECT count(*) FROM router.routes WHERE base = 'plain'::regclass), 0::bigint, 'no time: it is not routed');
CALL router.convert('plain', router.by_date('at', 'month'));
SELECT is((SELECT array_agg(child::text ORDER BY 1) FROM router.children WHERE base = 'plain'::regclass), '{plain_y2024m01,plain_y2024m02,plain_y2024m03}',
          'it goes on where it was, with what was written meanwhile');
SELECT is((SELECT array_agg(id ORDER BY id) FROM plain WHERE id > 999), '{1000,2001,3000}', 'rows are those of the table');
SELECT is((SELECT count(*) FROM pg_index WHERE indrelid = 'plain_y2024m01'::regclass), 2::bigint, 'the index is on children');

-- given up
CREATE TABLE given_up (id int PRIMARY KEY, r int NOT NULL);
INSERT INTO given_up SELECT i, i FROM generate_series(1, 100) i;
CALL router.convert('given_up', router.by_list('r'), time_budget => '0');
SELECT isnt(test.half_done(), 'nothing', 'an interrupted run leaves something');
CALL router.cancel_reshape('given_up');
SELECT is(test.half_done(), 'nothing', 'cancel_reshape takes it away');
SELECT is((SELECT count(*) FROM ONLY given_up), 100::bigint, 'the table has its rows');
SELECT is((SELECT count(*) FROM pg_trigger WHERE tgrelid = 'given_up'::regclass), 0::bigint, 'and no trigger');

-- rewritten or truncated meanwhile
CALL router.convert('given_up', router.by_hash('r', 3), time_budget => '0');
VACUUM FULL given_up;
INSERT INTO given_up VALUES (101, 101);
CALL router.convert('given_up', router.by_hash('r', 3));
SELECT is((SELECT count(*) FROM given_up), 101::bigint, 'VACUUM FULL in between');
CREATE TABLE emptied (id int PRIMARY KEY, r int NOT NULL);
INSERT INTO emptied SELECT i, i FROM generate_series(1, 100) i;
CALL router.convert('emptied', router.by_hash('r', 3), time_budget => '0');
TRUNCATE emptied;
INSERT INTO emptied VALUES (7, 7);
CALL router.convert('emptied', router.by_hash('r', 3));
SELECT is((SELECT array_agg(id) FROM emptied), '{7}', 'TRUNCATE in between');

-- empty, default child, groups, hot
CREATE TABLE nothing_in_it (id int PRIMARY KEY, r int);
CALL router.convert('nothing_in_it', router.by_list('r', groups => '{"{1,2}","{3}"}'), default_child => true, on_missing => 'default');
SELECT is((SELECT count(*) FROM router.children WHERE base = 'nothing_in_it'::regclass), 3::bigint, 'an empty table gets its known children');
INSERT INTO nothing_in_it VALUES (1, 2), (2, 99), (3, NULL);
SELECT is((SELECT string_agg(tableoid::regclass::text, ' ' ORDER BY id) FROM nothing_in_it), 'nothing_in_it_1_2 nothing_in_it_default nothing_in_it_default', 'and is routed');
CREATE TABLE warm (id int PRIMARY KEY, at timestamptz NOT NULL);
CREATE INDEX ON warm (at);
INSERT INTO warm SELECT i, now() - i * interval '1 day' FROM generate_series(0, 99) i;
CALL router.convert('warm', router.by_date('at', 'month'), hot => '30 days', dry_run => true);
SELECT is((SELECT count(*) FROM router.routes WHERE base = 'warm'::regclass), 0::bigint, 'hot: a dry run');
CALL router.convert('warm', router.by_date('at', 'month'), hot => '30 days');
SELECT is((SELECT count(*) FROM ONLY warm), 30::bigint, 'hot: current rows stay in the base');
SELECT is((SELECT count(*) FROM warm), 100::bigint, 'the others are in children');
SELECT is((SELECT count(*) FROM router.check()), 0::bigint, 'all is well');

DROP PUBLICATION router_convert;
SELECT * FROM finish();
