-- A routed table becomes an ordinary one again: unroute. Checklist: nothing is lost, what the table is, what it refuses.
\ir ../../include/helpers.sql
\set tests 42
SELECT plan(:tests);
SELECT test.role('router_unroute_other');

-- everything that a table can have, with columns that were dropped
CREATE TABLE residence (id int PRIMARY KEY);
INSERT INTO residence SELECT generate_series(0, 9);
CREATE TABLE fired (op text);
CREATE FUNCTION test.fired() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO fired VALUES (tg_op); RETURN new; END $$;
CREATE TABLE c (gone int, id bigint GENERATED ALWAYS AS IDENTITY, away text, r int REFERENCES residence ON DELETE CASCADE,
                at timestamptz NOT NULL, v numeric(10, 2) DEFAULT 7, note text COLLATE "C", lost uuid[], n int GENERATED ALWAYS AS (r + 1) STORED,
                PRIMARY KEY (id), CONSTRAINT positive CHECK (v > 0)) WITH (fillfactor = 90);
ALTER TABLE c DROP COLUMN gone, DROP COLUMN away, DROP COLUMN lost;
SELECT router.create_route('c', router.by_list('r'), time_zone => 'UTC', default_child => true);
SELECT router.add_global_key('c', '{id}');
INSERT INTO c (r, at, v, note) SELECT nullif(i % 6, 0), timestamptz '2024-01-01' + i * interval '1 hour', i % 50 + 1, repeat('n', i % 30) FROM generate_series(1, 3000) i;
INSERT INTO c (r, at, note) VALUES (3, '2024-05-05', (SELECT string_agg(md5(i::text), '') FROM generate_series(1, 2000) i));
ALTER TABLE c ADD COLUMN later int NOT NULL DEFAULT 42;
ALTER TABLE c ADD COLUMN big text;
ALTER TABLE c ALTER big SET STORAGE EXTERNAL;
CREATE INDEX c_at ON c USING brin (at) WITH (pages_per_range = 4);
CREATE INDEX c_note ON c (lower(note)) WHERE v > 10;
CREATE STATISTICS c_stat ON r, v FROM c;
CREATE TRIGGER watched AFTER INSERT OR UPDATE OR DELETE ON c FOR EACH ROW EXECUTE FUNCTION test.fired();
CREATE POLICY mine ON c USING (r < 5);
ALTER TABLE c ENABLE ROW LEVEL SECURITY;
GRANT SELECT (id, r), INSERT ON c TO router_unroute_other;
CREATE VIEW seen AS SELECT * FROM c;
SELECT router.set_maintenance('c', premake => 0);
ANALYZE c;
CREATE TABLE was AS SELECT * FROM c;
SELECT 'c'::regclass::oid AS oid \gset

CALL router.unroute('c', dry_run => true);
SELECT is((SELECT count(*) FROM router.children WHERE base = 'c'::regclass), 7::bigint, 'a dry run changes nothing');
SELECT is(test.half_done(), 'nothing', 'nor leaves anything');
CALL router.unroute('c', batch_rows => 400);
SELECT is(test.homes('c'), 'c: 3001', 'all rows are in the table');
SELECT is((SELECT count(*) FROM (TABLE c EXCEPT ALL TABLE was) d), 0::bigint, 'no row is other than before');
SELECT is((SELECT count(*) FROM (TABLE was EXCEPT ALL TABLE c) d), 0::bigint, 'none is missing');
SELECT is((SELECT count(*) FROM seen), 3001::bigint, 'views find them');
SELECT is('c'::regclass::oid, :oid::oid, 'it is the same table');
SELECT is((SELECT count(*) FROM fired), 0::bigint, 'no trigger of the user fired');
SELECT is(test.half_done(), 'nothing', 'nothing is left of it');
SELECT is((SELECT string_agg(tgname, ' ') FROM pg_trigger WHERE tgrelid = 'c'::regclass AND NOT tgisinternal), 'watched', 'nor of router''s triggers');
SELECT is((SELECT count(*) FROM pg_inherits WHERE inhparent = 'c'::regclass), 0::bigint, 'no child');
SELECT is((SELECT count(*) FROM router.routes) + (SELECT count(*) FROM router.maintain_def) + (SELECT count(*) FROM router.global_key_def), 0::bigint, 'nothing in the catalog');
SELECT is((SELECT count(*) FROM pg_class WHERE relname LIKE 'c\_%' AND relkind = 'r'), 0::bigint, 'no table');
SELECT is((SELECT rows FROM router.events WHERE action = 'unroute' ORDER BY at DESC LIMIT 1), 3001::bigint, 'an event tells the rows');
CREATE EXTENSION amcheck;
SELECT lives_ok($$SELECT bt_index_check('c_pkey', true), bt_index_check('c_note', true)$$, 'indexes have all rows');
SET enable_seqscan = off;
SELECT is((SELECT count(*) FROM c WHERE at >= '2024-03-01 00:00+00' AND at < '2024-03-02 00:00+00'), 24::bigint, 'brin as well');
RESET enable_seqscan;
SELECT is((SELECT count(*) FROM verify_heapam('c')), 0::bigint, 'storage and TOAST are sound');
SELECT cmp_ok((SELECT reltuples FROM pg_class WHERE oid = 'c'::regclass), '=', 3001::real, 'it is analyzed');
INSERT INTO c (r, at, note) VALUES (3, '2030-01-01', repeat('x', 100000)), (7, '1999-01-01', NULL);
SELECT is(test.homes('c'), 'c: 3003', 'new rows stay');
SELECT is((SELECT string_agg(id || ' ' || n || ' ' || later, ', ' ORDER BY id) FROM c WHERE id > 3001), '3002 4 42, 3003 8 42', 'identity, generated column and default go on');
SELECT is(test.sql_of($$INSERT INTO c (id, r, at) OVERRIDING SYSTEM VALUE VALUES (1, 5, now())$$), '23505', 'unique');
SELECT is(test.sql_of($$INSERT INTO c (r, at) VALUES (11, now())$$), '23503', 'foreign key');
SELECT is(test.sql_of($$INSERT INTO c (r, at, v) VALUES (1, now(), 0)$$), '23514', 'CHECK');
DELETE FROM residence WHERE id = 2;
SELECT is((SELECT count(*) FROM c WHERE r = 2), 0::bigint, 'referential actions reach it');
VACUUM (FULL, ANALYZE) c;
SELECT is((SELECT count(*) FROM c), 2503::bigint, 'all is there');
SELECT lives_ok($$SELECT router.create_route('c', router.by_date('at', 'year'), move_rows => true)$$, 'it may be routed again');
SELECT is((SELECT count(*) FROM router.check('c')), 0::bigint, 'and check finds nothing');

-- a hot base
CREATE TABLE h (id int, at timestamptz, v int, PRIMARY KEY (id, at));
SELECT router.create_route('h', router.by_date('at', 'month'), hot => '30 days', time_zone => 'UTC');
INSERT INTO h SELECT i, now() - i * interval '1 day', i FROM generate_series(0, 400) i;
CALL router.archive('h');
CALL router.unroute('h');
SELECT is(test.homes('h'), 'h: 401', 'rows of a hot base and its children are together');
INSERT INTO h VALUES (1000, now() - interval '200 days', 1);
SELECT is(test.homes('h'), 'h: 402', 'late rows stay');

-- one child, none
CREATE TABLE empty (id int PRIMARY KEY, r int);
SELECT router.create_route('empty', router.by_list('r'));
CALL router.unroute('empty');
SELECT is(test.homes('empty') || ' ' || test.children('empty'), 'empty none', 'a table without children');
SELECT router.create_route('empty', router.by_list('r'));
INSERT INTO empty VALUES (1, 1);
CALL router.unroute('empty');
SELECT is(test.homes('empty'), 'empty: 1', 'with one, unique keys need not span');

-- what it refuses
CREATE TABLE few (id int PRIMARY KEY, r int);
SELECT router.create_route('few', router.by_list('r'));
INSERT INTO few SELECT i, i % 3 FROM generate_series(1, 30) i;
ALTER TABLE few ADD CONSTRAINT apart EXCLUDE USING btree (id WITH =);
CALL router.unroute('few');
SELECT is(:'SQLSTATE'::text, '0A000', 'rows that may exclude each other');
ALTER TABLE few DROP CONSTRAINT apart;
SELECT router.add_global_key('few', '{id}');
CREATE TABLE refers (few int REFERENCES few_id_keys);
CALL router.unroute('few');
SELECT is(:'SQLSTATE'::text, '2BP01', 'a foreign key that refers to a key table');
DROP TABLE refers;
ALTER TABLE few ADD CONSTRAINT mine CHECK (r < 100) NO INHERIT;
CALL router.unroute('few');
SELECT is(:'SQLSTATE'::text, '0A000', 'a CHECK that children need not keep');
ALTER TABLE few DROP CONSTRAINT mine;
CALL router.unroute('residence');
SELECT is(:'SQLSTATE'::text, '55000', 'a table that is not routed');
BEGIN;
CALL router.unroute('few');
\set state :SQLSTATE
ROLLBACK;
SELECT is(:'state'::text, '25001', 'inside a transaction block');
SET ROLE router_unroute_other;
CALL router.unroute('public.few');
SELECT is(:'SQLSTATE'::text, '42501', 'who does not own the table');
RESET ROLE;

-- what comes meanwhile
CALL router.unroute('few', time_budget => '1 microsecond');
SELECT isnt(test.half_done(), 'nothing', 'a run stands');
INSERT INTO few VALUES (100, 7), (101, NULL);
UPDATE few SET r = 8 WHERE id IN (100, 1, 2);
DELETE FROM few WHERE id = 5;
SELECT throws_ok($$SELECT router.drop_route('few')$$, '55006', NULL, 'the route is not dropped');
CALL router.rekey('few', router.by_hash('id', 3));
SELECT is(:'SQLSTATE'::text, '55000', 'nor gets other keys');
CALL router.unroute('few');
SELECT is(test.homes('few') || ' ' || (SELECT sum(id) FROM few), 'few: 31 661', 'rows of children that came meanwhile are there');
SELECT is((SELECT count(*) FROM router.check()), 0::bigint, 'all is well');
SELECT * FROM finish();
