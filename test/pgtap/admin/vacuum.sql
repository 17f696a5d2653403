-- VACUUM, ANALYZE, CLUSTER and REINDEX of a base reach its children.
\ir ../../include/helpers.sql
\set tests 38
SELECT plan(:tests);
-- these commands are seen by sessions with the library only
LOAD 'router';

CREATE TABLE seen (name name PRIMARY KEY, file oid, vacuumed bigint, analyzed bigint);
CREATE FUNCTION test.look() RETURNS void LANGUAGE sql AS $$
    TRUNCATE seen;
    INSERT INTO seen SELECT relname, relfilenode FROM pg_class WHERE relname ~ '^mc' AND relkind IN ('r', 'i');
$$;
-- tables and indexes with a new file since then
CREATE FUNCTION test.rewritten() RETURNS text LANGUAGE sql AS $$
    SELECT coalesce(string_agg(c.relname, ' ' ORDER BY c.relname COLLATE "C"), 'none') FROM pg_class c JOIN seen ON name = relname WHERE file <> relfilenode
$$;
-- tables with their numbers of rows, as last vacuumed or analyzed
CREATE FUNCTION test.known() RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(relname || ': ' || reltuples, ', ' ORDER BY relname COLLATE "C") FROM pg_class WHERE relname ~ '^mc' AND relkind = 'r'
$$;

CREATE TABLE mc (i int, v int) WITH (autovacuum_enabled = off);
CREATE INDEX mc_v ON mc (v);
CREATE UNIQUE INDEX mc_i ON mc (i);
SELECT router.create_route('mc', router.by_integer('i', 10)) \g /dev/null
INSERT INTO mc SELECT g, -g FROM generate_series(1, 15) g;
CREATE TABLE mc_late () INHERITS (mc_11_20) WITH (autovacuum_enabled = off);

-- ANALYZE and VACUUM
SELECT is(test.known(), 'mc: -1, mc_11_20: -1, mc_1_10: -1, mc_late: -1', 'nothing is known');
ANALYZE mc (v);
SELECT is((SELECT string_agg(DISTINCT tablename || '.' || attname || CASE WHEN inherited THEN ' all' ELSE '' END, ', ') FROM pg_stats WHERE tablename ~ '^mc'),
          'mc.v all, mc_11_20.v, mc_11_20.v all, mc_1_10.v', 'ANALYZE with its columns');
SELECT is(test.known(), 'mc: 0, mc_11_20: 5, mc_1_10: 10, mc_late: 0', 'rows');
DELETE FROM mc WHERE i < 9;
VACUUM mc;
SELECT is(test.known(), 'mc: 0, mc_11_20: 5, mc_1_10: 2, mc_late: 0', 'VACUUM');
INSERT INTO mc SELECT g, -g FROM generate_series(1, 8) g;
VACUUM (ANALYZE, VERBOSE false) mc, seen;
SELECT is(test.known(), 'mc: 0, mc_11_20: 5, mc_1_10: 10, mc_late: 0', 'with options, among others');
SELECT test.look() \g /dev/null
VACUUM FULL mc;
SELECT is(test.rewritten(), 'mc mc_11_20 mc_11_20_i mc_11_20_v mc_1_10 mc_1_10_i mc_1_10_v mc_i mc_late mc_v', 'VACUUM FULL');
SELECT test.look() \g /dev/null
VACUUM FULL mc_1_10;
SELECT is(test.rewritten(), 'mc_1_10 mc_1_10_i mc_1_10_v', 'a child by itself');
-- ONLY is PostgreSQL 18's
SELECT test.look() \g /dev/null
SELECT current_setting('server_version_num')::int >= 180000 AS has_only \gset
\if :has_only
VACUUM (FULL) ONLY mc;
SELECT is(test.rewritten(), 'mc mc_i mc_v', 'ONLY the base');
\else
SELECT pass('no ONLY in this version');
\endif
VACUUM;
BEGIN;
VACUUM mc;
\set state :SQLSTATE
ROLLBACK;
SELECT is(:'state'::text, '25001', 'VACUUM in a transaction block is refused as ever');
DO $$ BEGIN INSERT INTO mc VALUES (19, 0); ANALYZE mc; END $$;
SELECT is(test.known(), 'mc: 0, mc_11_20: 6, mc_1_10: 10, mc_late: 0', 'ANALYZE in a function');

-- REINDEX
SELECT test.look() \g /dev/null
REINDEX TABLE mc;
SELECT is(test.rewritten(), 'mc_11_20_i mc_11_20_v mc_1_10_i mc_1_10_v mc_i mc_v', 'REINDEX TABLE');
SELECT test.look() \g /dev/null
REINDEX INDEX mc_v;
SELECT is(test.rewritten(), 'mc_11_20_v mc_1_10_v mc_v', 'REINDEX INDEX: those that stand for it');
SELECT test.look() \g /dev/null
REINDEX TABLE CONCURRENTLY mc;
SELECT is(test.rewritten(), 'mc_11_20_i mc_11_20_v mc_1_10_i mc_1_10_v mc_i mc_v', 'REINDEX TABLE CONCURRENTLY');
SELECT test.look() \g /dev/null
REINDEX (VERBOSE false) INDEX CONCURRENTLY mc_i;
SELECT is(test.rewritten(), 'mc_11_20_i mc_1_10_i mc_i', 'REINDEX INDEX CONCURRENTLY');
SELECT is_empty($$SELECT FROM pg_index WHERE NOT indisvalid$$, 'no index is left behind');
SELECT is_empty($$SELECT FROM router.check('mc')$$, 'and check has nothing to say');
SELECT test.look() \g /dev/null
BEGIN;
REINDEX TABLE mc;
SELECT is(test.rewritten(), 'mc_11_20_i mc_11_20_v mc_1_10_i mc_1_10_v mc_i mc_v', 'in a transaction block');
ROLLBACK;
SELECT is(test.rewritten(), 'none', 'all or nothing');
BEGIN;
REINDEX TABLE CONCURRENTLY mc;
\set state :SQLSTATE
ROLLBACK;
SELECT is(:'state'::text, '25001', 'CONCURRENTLY is refused there');
SELECT is(test.rewritten(), 'none', 'before anything is done');
SELECT test.look() \g /dev/null
DO $$ BEGIN REINDEX TABLE mc; END $$;
SELECT is(test.rewritten(), 'mc_11_20_i mc_11_20_v mc_1_10_i mc_1_10_v mc_i mc_v', 'in a function');
SELECT test.look() \g /dev/null
REINDEX TABLE mc_1_10;
SELECT is(test.rewritten(), 'mc_1_10_i mc_1_10_v', 'a child by itself');

-- CLUSTER
CLUSTER mc;
\set state :SQLSTATE
SELECT is(:'state'::text, '42704', 'a table that was never clustered');
SELECT test.look() \g /dev/null
CLUSTER mc USING mc_v;
SELECT is(test.rewritten(), 'mc mc_11_20 mc_11_20_i mc_11_20_v mc_1_10 mc_1_10_i mc_1_10_v mc_i mc_v', 'CLUSTER USING');
SELECT is((SELECT array_agg(v) FROM (SELECT v FROM mc_1_10) s), ARRAY[-10,-9,-8,-7,-6,-5,-4,-3,-2,-1], 'the rows stand in that order');
SELECT is((SELECT string_agg(indexrelid::regclass::text, ' ' ORDER BY indexrelid::regclass::text COLLATE "C") FROM pg_index WHERE indisclustered), 'mc_11_20_v mc_1_10_v mc_v', 'it is noted');
SELECT test.look() \g /dev/null
CLUSTER mc;
SELECT is(test.rewritten(), 'mc mc_11_20 mc_11_20_i mc_11_20_v mc_1_10 mc_1_10_i mc_1_10_v mc_i mc_v', 'CLUSTER again');
SELECT test.look() \g /dev/null
BEGIN;
CLUSTER (VERBOSE false) mc USING mc_i;
SELECT is(test.rewritten(), 'mc mc_11_20 mc_11_20_i mc_11_20_v mc_1_10 mc_1_10_i mc_1_10_v mc_i mc_v', 'in a transaction block');
COMMIT;
SELECT is_empty($$SELECT FROM router.check('mc')$$, 'check has nothing to say');
DROP INDEX mc_11_20_v;
SELECT test.look() \g /dev/null
CLUSTER mc USING mc_v;
SELECT is(test.rewritten(), 'mc mc_1_10 mc_1_10_i mc_1_10_v mc_i mc_v', 'a child without the index is passed over');
SELECT router.sync('mc') \g /dev/null

-- rights: each table for itself
DROP TABLE mc_late;
SELECT test.role('maintains350') \g /dev/null
ALTER TABLE mc OWNER TO maintains350;
ALTER TABLE mc_11_20 OWNER TO CURRENT_USER;
SELECT test.look() \g /dev/null
SET ROLE maintains350;
REINDEX TABLE mc;
RESET ROLE;
SELECT is(test.rewritten(), 'mc_1_10_i mc_1_10_v mc_i mc_v', 'REINDEX passes over the child of another owner');
SELECT test.look() \g /dev/null
SET ROLE maintains350;
CLUSTER mc USING mc_i;
RESET ROLE;
SELECT is(test.rewritten(), 'mc mc_1_10 mc_1_10_i mc_1_10_v mc_i mc_v', 'so does CLUSTER');
SELECT test.look() \g /dev/null
SET ROLE maintains350;
VACUUM FULL mc;
RESET ROLE;
SELECT is(test.rewritten(), 'mc mc_1_10 mc_1_10_i mc_1_10_v mc_i mc_v', 'and VACUUM');
SELECT test.look() \g /dev/null
ALTER TABLE mc OWNER TO CURRENT_USER;
ALTER TABLE mc_1_10 OWNER TO maintains350;
SET ROLE maintains350;
REINDEX TABLE mc;
\set state :SQLSTATE
RESET ROLE;
SELECT is(:'state'::text, '42501', 'who may not maintain the base is refused');
SELECT is(test.rewritten(), 'none', 'and no child is reached');
ALTER TABLE mc_1_10 OWNER TO CURRENT_USER;

-- other tables go as ever
CREATE TABLE mcp (i int, v int);
CREATE INDEX mcp_v ON mcp (v);
CREATE TABLE mcp_heir () INHERITS (mcp);
CREATE INDEX mcp_heir_v ON mcp_heir (v);
SELECT test.look() \g /dev/null
REINDEX TABLE mcp;
CLUSTER mcp USING mcp_v;
SELECT is(test.rewritten(), 'mcp mcp_v', 'a table that is no base');
-- a hot base
CREATE TABLE mch (at timestamptz NOT NULL, v int);
CREATE INDEX mch_at ON mch (at);
SELECT router.create_route('mch', router.by_date('at', 'month'), time_zone => 'UTC', hot => '7 days') \g /dev/null
INSERT INTO mch VALUES (now(), 1), ('2020-01-01', 2);
SELECT test.look() \g /dev/null
VACUUM FULL mch;
SELECT is(test.rewritten(), 'mch mch_at mch_y2020m01 mch_y2020m01_at', 'a hot base and its children');
-- what inherits goes away meanwhile, names with quotes
CREATE TABLE "Mc é" (i int PRIMARY KEY);
SELECT router.create_route('"Mc é"', router.by_list('i')) \g /dev/null
INSERT INTO "Mc é" VALUES (1), (2);
SELECT is(test.outcome('REINDEX TABLE "Mc é"'), 'done', 'names');
SELECT * FROM finish();
