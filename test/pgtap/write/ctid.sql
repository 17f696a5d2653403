-- Rows by their places: ctid alone is no name for a row of several tables; the ways out, and MERGE beside a foreign child.
\ir ../../include/helpers.sql
\set tests 17
SELECT plan(:tests);

CREATE TABLE routed (id int, k int, state text);
CREATE TABLE plain (LIKE routed);
SELECT router.create_route('routed', router.by_integer('k', 10)) \g /dev/null
INSERT INTO plain SELECT i, i, 'open' FROM generate_series(1, 50) i;
INSERT INTO routed TABLE plain;
-- What is documented of ctid alone: rows of other children stand in the same places.
BEGIN;
DELETE FROM routed WHERE ctid IN (SELECT ctid FROM routed WHERE k <= 10 ORDER BY id LIMIT 3);
SELECT is((SELECT count(*) FROM routed), 35::bigint, 'by ctid alone rows of every child go');
ROLLBACK;

:fresh
DELETE FROM plain WHERE (tableoid, ctid) IN (SELECT tableoid, ctid FROM plain WHERE k > 5 ORDER BY id LIMIT 12);
DELETE FROM routed WHERE (tableoid, ctid) IN (SELECT tableoid, ctid FROM routed WHERE k > 5 ORDER BY id LIMIT 12);
SELECT bag_eq('TABLE routed', 'TABLE plain', 'by tableoid and ctid');
UPDATE plain SET k = k + 100 WHERE (tableoid, ctid) IN (SELECT tableoid, ctid FROM plain WHERE state = 'open' ORDER BY id DESC LIMIT 3 FOR UPDATE SKIP LOCKED);
UPDATE routed SET k = k + 100 WHERE (tableoid, ctid) IN (SELECT tableoid, ctid FROM routed WHERE state = 'open' ORDER BY id DESC LIMIT 3 FOR UPDATE SKIP LOCKED);
SELECT bag_eq('TABLE routed', 'TABLE plain', 'rows that move, SKIP LOCKED');
SELECT is(test.strays('routed'), 'none', 'and are at home');
WITH c AS MATERIALIZED (SELECT tableoid AS t, ctid AS c FROM plain WHERE k < 30 ORDER BY id LIMIT 4 FOR UPDATE) DELETE FROM plain USING c WHERE plain.tableoid = c.t AND plain.ctid = c.c;
WITH c AS MATERIALIZED (SELECT tableoid AS t, ctid AS c FROM routed WHERE k < 30 ORDER BY id LIMIT 4 FOR UPDATE) DELETE FROM routed USING c WHERE routed.tableoid = c.t AND routed.ctid = c.c;
SELECT bag_eq('TABLE routed', 'TABLE plain', 'by a join');
DELETE FROM plain WHERE (id, k) IN (SELECT id, k FROM plain ORDER BY id LIMIT 2 FOR UPDATE SKIP LOCKED);
DELETE FROM routed WHERE (id, k) IN (SELECT id, k FROM routed ORDER BY id LIMIT 2 FOR UPDATE SKIP LOCKED);
SELECT bag_eq('TABLE routed', 'TABLE plain', 'by the key');
SET plan_cache_mode = force_generic_plan;
SELECT tableoid AS home, ctid AS place FROM routed WHERE id = 40 \gset
PREPARE one (oid, tid) AS DELETE FROM routed WHERE tableoid = $1 AND ctid = $2 RETURNING id;
EXECUTE one (:home, :'place') \g /dev/null
SELECT is(:ROW_COUNT, 1, 'a generic plan: one row');
DELETE FROM plain WHERE id = 40;
EXECUTE one (:home, :'place') \g /dev/null
SELECT is(:ROW_COUNT, 0, 'then none');
SELECT bag_eq('TABLE routed', 'TABLE plain', 'the right one');
RESET plan_cache_mode;

-- a hot base
CREATE TABLE log (id int, at timestamptz NOT NULL);
CREATE INDEX ON log (at);
SELECT router.create_route('log', router.by_date('at', 'month'), time_zone => 'UTC', hot => '7 days') \g /dev/null
INSERT INTO log SELECT i, now() - i * interval '1 day' FROM generate_series(0, 40) i;
DELETE FROM log WHERE (tableoid, ctid) IN (SELECT tableoid, ctid FROM log WHERE id IN (0, 20, 40));
SELECT is((SELECT count(*) FROM log), 38::bigint, 'of a hot base');
DELETE FROM ONLY log WHERE ctid IN (SELECT ctid FROM ONLY log ORDER BY id LIMIT 2);
SELECT is((SELECT count(*) FROM log), 36::bigint, 'ONLY the base: ctid alone will do');

-- MERGE beside a foreign child: it has to leave it out when it is planned
CREATE EXTENSION postgres_fdw;
CREATE SERVER here FOREIGN DATA WRAPPER postgres_fdw;
SELECT format('ALTER SERVER here OPTIONS (ADD host %L, ADD port %L, ADD dbname %L)', split_part(current_setting('unix_socket_directories'), ',', 1), current_setting('port'), current_database()) \gexec
CREATE USER MAPPING FOR PUBLIC SERVER here OPTIONS (password_required 'false');
CREATE TABLE there (id int, at timestamptz);
INSERT INTO there VALUES (1, '2020-01-01');
CREATE TABLE f (id int, at timestamptz);
SELECT router.create_route('f', router.by_date('at', 'year'), time_zone => 'UTC', horizon => '100 years') \g /dev/null
CREATE FOREIGN TABLE ft (id int, at timestamptz) SERVER here OPTIONS (table_name 'there');
SELECT router.attach_child('f', 'ft', ARRAY['[2020-01-01 00:00:00+00,2020-12-31 23:59:59.999999+00]']) \g /dev/null
INSERT INTO f VALUES (2, '2026-01-01');
SELECT is((SELECT count(*) FROM f), 2::bigint, 'a foreign child');
:fresh
SELECT throws_ok($$MERGE INTO f USING (VALUES (2, timestamptz '2026-01-01')) s(id, at) ON f.id = s.id WHEN MATCHED THEN UPDATE SET id = f.id WHEN NOT MATCHED THEN INSERT VALUES (s.id, s.at)$$,
                 '0A000', NULL, 'MERGE that reaches it is refused');
:fresh
SELECT is(test.outcome($$MERGE INTO f USING (VALUES (2, timestamptz '2026-01-01'), (3, '2026-05-05')) s(id, at) ON f.id = s.id AND f.at >= '2021-01-01'
                         WHEN MATCHED THEN UPDATE SET id = f.id + 10 WHEN NOT MATCHED THEN INSERT VALUES (s.id, s.at)$$), 'done', 'a constant condition on the key leaves it out');
SELECT is((SELECT string_agg(id::text, ' ' ORDER BY id) FROM f), '1 3 12', 'and it does its work');
SELECT is(test.outcome($$MERGE INTO f_y2026 f USING (VALUES (3)) s(id) ON f.id = s.id WHEN MATCHED THEN DELETE$$), 'done', 'so does MERGE into a child');
-- the ways without MERGE
WITH s(id, at) AS (VALUES (1, timestamptz '2020-01-01'), (5, '2020-05-05'), (6, '2026-06-06')),
     u AS (UPDATE f SET id = f.id FROM s WHERE f.id = s.id AND f.at = s.at RETURNING f.id)
INSERT INTO f SELECT * FROM s WHERE id NOT IN (SELECT id FROM u);
SELECT is((SELECT string_agg(id || ' ' || tableoid::regclass, ', ' ORDER BY id) FROM f), '1 ft, 5 ft, 6 f_y2026, 12 f_y2026', 'UPDATE and INSERT reach it');
SELECT * FROM finish();
