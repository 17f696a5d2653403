-- Rotation, archiving, tiers, restoring and retention on one hot table, step by step, against an ordinary table with the
-- same rows: older children are in a tablespace, of another access method, on a server. Checklist B7, B8, B9.
\ir ../../include/helpers.sql
\set tests 52
SELECT plan(:tests);
SET allow_in_place_tablespaces = on;
CREATE TABLESPACE router_rotate_tiers_slow LOCATION '';
CREATE ACCESS METHOD heap2 TYPE TABLE HANDLER heap_tableam_handler;

CREATE TABLE log (id bigint, d date NOT NULL, v text, n int GENERATED ALWAYS AS (length(v)) STORED, PRIMARY KEY (id, d));
CREATE INDEX ON log (d);
CREATE INDEX ON log (v);
CREATE TABLE oracle (LIKE log INCLUDING GENERATED);

-- The beginning of the month n months ago.
CREATE FUNCTION test.m(n int) RETURNS date LANGUAGE sql STABLE SET timezone = 'UTC' AS $$ SELECT (date_trunc('month', now()) - n * interval '1 month')::date $$;
CREATE FUNCTION test.child(n int) RETURNS regclass LANGUAGE sql STABLE AS $$ SELECT ('log_' || to_char(test.m(n), '"y"YYYY"m"MM'))::regclass $$;
-- Where the rows are: months by their distance from now, 'hot: 3, 24: 20f, 23: 20 slow heap2'.
CREATE FUNCTION test.map() RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(concat_ws(' ', CASE WHEN home = 'log'::regclass THEN 'hot' ELSE coalesce(g.n::text, '?') END || ': ' || rows || CASE WHEN c.relkind = 'f' THEN 'f' ELSE '' END,
                                     replace(t.spcname, 'router_rotate_tiers_', ''), nullif(a.amname, 'heap')), ', ' ORDER BY g.n DESC NULLS FIRST)
      FROM (SELECT tableoid::regclass AS home, count(*) AS rows FROM log GROUP BY 1) s JOIN pg_class c ON c.oid = home
      LEFT JOIN generate_series(-1, 30) g(n) ON c.relname = 'log_' || to_char(test.m(n), '"y"YYYY"m"MM')
      LEFT JOIN pg_tablespace t ON t.oid = reltablespace LEFT JOIN pg_am a ON a.oid = relam
$$;
-- How the routed table differs from the ordinary one, and what router.check says: nothing, or what is wrong.
CREATE FUNCTION test.wrong() RETURNS SETOF text LANGUAGE sql AS $$
    (SELECT 'lost: ' || o FROM oracle o EXCEPT ALL SELECT 'lost: ' || l FROM log l)
    UNION ALL (SELECT 'too many: ' || l FROM log l EXCEPT ALL SELECT 'too many: ' || o FROM oracle o)
    UNION ALL SELECT 'not at home: ' || l FROM ONLY log l, router.routes r WHERE r.base = 'log'::regclass AND d < watermark::date
    UNION ALL SELECT concat_ws(' ', routed_table, child, kind, detail) FROM router.check()
    UNION ALL SELECT 'left behind: ' || relname FROM pg_class WHERE relname ~ '^router_(copy|bridge)'
    UNION ALL SELECT 'global key: ' || g FROM router.check_global_key('log') g WHERE missing + orphans + duplicates > 0
$$;
-- The same change to both: @ is the table.
CREATE PROCEDURE test.change(command text) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE replace(command, '@', 'log');
    EXECUTE replace(command, '@', 'oracle');
END $$;
-- n rows of a month, with ids by the month.
CREATE PROCEDURE test.fill(month int, n int) LANGUAGE plpgsql AS $$
DECLARE
    at date := test.m(month);
    first int := 1 + (SELECT coalesce(max(id), month * 1000) FROM oracle WHERE id / 1000 = month);
BEGIN
    CALL test.change(format('INSERT INTO @ (id, d, v) SELECT i, date %L + i %% 28, ''row '' || i FROM generate_series(%s, %s) i', at, first, first + n - 1));
END $$;

DO $$ BEGIN FOR m IN 21 .. 24 LOOP CALL test.fill(m, 20); END LOOP; CALL test.fill(20, 3); END $$;
SELECT router.create_route('log', router.by_date('d', 'month'), hot => '6 months', horizon => '100 years', time_zone => 'UTC') \g /dev/null
SELECT router.add_global_key('log', '{id}') \g /dev/null

-- ---------------------------------------------------------------- archived, and into tiers
SELECT count(*) = 2 AS fdw FROM pg_available_extensions WHERE name IN ('postgres_fdw', 'dblink') \gset
\set f ' slow'
\if :fdw
CREATE EXTENSION postgres_fdw;
CREATE EXTENSION dblink;
CREATE SCHEMA far;
SELECT current_setting('port') AS port, trim(split_part(current_setting('unix_socket_directories'), ',', 1)) AS sockets, current_database() AS db, current_user AS me \gset
CREATE SERVER loop FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host :'sockets', port :'port', dbname :'db');
CREATE USER MAPPING FOR CURRENT_USER SERVER loop OPTIONS (user :'me');
SELECT router.add_tier('log', '22 months', server => 'loop', remote_schema => 'far') \g /dev/null
\set f f
\else
SELECT router.add_tier('log', '22 months', tablespace => 'router_rotate_tiers_slow') \g /dev/null
\endif
SELECT router.add_tier('log', '20 months', tablespace => 'router_rotate_tiers_slow', access_method => 'heap2') \g /dev/null
SELECT router.add_tier('log', '12 months', tablespace => 'router_rotate_tiers_slow') \g /dev/null
SELECT test.m(24) AS m24, test.m(23) AS m23, test.m(22) AS m22, test.m(20) AS m20, test.m(19) AS m19, test.m(18) AS m18, test.m(17) AS m17, test.m(5) AS m5 \gset
-- The same, as checks.
CREATE FUNCTION test.step(map text, name text) RETURNS SETOF text LANGUAGE sql AS $$
    SELECT is(test.map(), map, name) UNION ALL SELECT is((SELECT string_agg(w, '; ') FROM test.wrong() w), NULL, name || ': as the oracle')
$$;
CALL router.archive('log', cutoff => :'m20');
SELECT test.step('hot: 3, 24: 20, 23: 20, 22: 20, 21: 20', 'archived');
CALL router.tier('log');
SELECT test.step(format('hot: 3, 24: 20%1$s, 23: 20%1$s, ', :'f') || '22: 20 slow heap2, 21: 20 slow heap2', 'into tiers');

-- ---------------------------------------------------------------- rotated
CALL test.fill(20, 40);
CALL test.fill(19, 2);
CALL router.rotate('log', cutoff => :'m19');
SELECT test.step(format('hot: 2, 24: 20%1$s, 23: 20%1$s, ', :'f') || '22: 20 slow heap2, 21: 20 slow heap2, 20: 43', 'rotated beside tiers');
:fresh
CALL test.change(format('INSERT INTO @ (id, d, v) VALUES (24900, %L, ''late''), (22900, %L, ''late''), (20900, %L, ''late''), (19900, %L, ''fresh'')', test.m(24) + 3, test.m(22) + 3, test.m(20) + 3, test.m(19)));
SELECT test.step(format('hot: 3, 24: 21%1$s, 23: 20%1$s, ', :'f') || '22: 21 slow heap2, 21: 20 slow heap2, 20: 44', 'late rows go to wherever the child is');
CALL router.tier('log');
SELECT test.step(format('hot: 3, 24: 21%1$s, 23: 20%1$s, ', :'f') || '22: 21 slow heap2, 21: 20 slow heap2, 20: 44 slow', 'what was rotated goes to a tier');
CALL test.fill(19, 30);
CALL test.fill(18, 4);
CALL router.rotate('log', cutoff => :'m18');
SELECT test.step(format('hot: 4, 24: 21%1$s, 23: 20%1$s, ', :'f') || '22: 21 slow heap2, 21: 20 slow heap2, 20: 44 slow, 19: 33', 'rotated again');

-- ---------------------------------------------------------------- back, and archived into a tier
SELECT router.restore(test.child(19)) \g /dev/null
SELECT test.step(format('hot: 37, 24: 21%1$s, 23: 20%1$s, ', :'f') || '22: 21 slow heap2, 21: 20 slow heap2, 20: 44 slow', 'restored');
CALL router.tier('log');
CALL test.fill(19, 10);
SELECT throws_ok(format('CALL router.rotate(%L, cutoff => %L)', 'log', :'m18'), '0A000', NULL, 'its child has gone to a tier: it cannot be swapped');
SELECT test.step(format('hot: 47, 24: 21%1$s, 23: 20%1$s, ', :'f') || '22: 21 slow heap2, 21: 20 slow heap2, 20: 44 slow', 'which changes nothing');
CALL router.archive('log', cutoff => :'m18');
SELECT test.step(format('hot: 4, 24: 21%1$s, 23: 20%1$s, ', :'f') || '22: 21 slow heap2, 21: 20 slow heap2, 20: 44 slow, 19: 43 slow', 'it is archived row by row');
SELECT router.restore(test.child(20), younger => true) \g /dev/null
SELECT test.step(format('hot: 91, 24: 21%1$s, 23: 20%1$s, ', :'f') || '22: 21 slow heap2, 21: 20 slow heap2', 'two are restored from a tier');
CALL router.archive('log', cutoff => :'m19', batch_rows => 7);
CALL router.archive('log', cutoff => :'m18');
SELECT test.step(format('hot: 4, 24: 21%1$s, 23: 20%1$s, ', :'f') || '22: 21 slow heap2, 21: 20 slow heap2, 20: 44 slow, 19: 43 slow', 'and archived again');

-- ---------------------------------------------------------------- rows that change homes
:fresh
CALL test.change(format('UPDATE @ SET d = %L, v = ''current'' WHERE id IN (22001, 21001, 20001, 19001) AND d >= %L', :'m17', :'m22'));
SELECT test.step(format('hot: 8, 24: 21%1$s, 23: 20%1$s, ', :'f') || '22: 20 slow heap2, 21: 19 slow heap2, 20: 43 slow, 19: 42 slow', 'archived rows become current');
CALL test.change(format('UPDATE @ SET d = %L WHERE id = 18001 AND d >= %L', :'m22', :'m18'));
CALL test.change(format('UPDATE @ SET d = %L WHERE id = 18002 AND d >= %L', :'m24', :'m18'));
SELECT test.step(format('hot: 6, 24: 22%1$s, 23: 20%1$s, ', :'f') || '22: 21 slow heap2, 21: 19 slow heap2, 20: 43 slow, 19: 42 slow', 'current rows become old');
\if :fdw
SELECT throws_ok(format('UPDATE log SET d = %L WHERE id = 23001 AND d < %L', :'m17', :'m22'), '23514', NULL, 'an UPDATE takes no row from a server');
SELECT throws_ok('SELECT router.restore(test.child(23), younger => true)', '0A000', NULL, 'nor does restore');
\else
SELECT skip('postgres_fdw and dblink are not available', 2);
\endif
CALL test.change(format('DELETE FROM @ WHERE id = 23001 AND d < %L', :'m22'));
CALL test.change(format('INSERT INTO @ (id, d, v) VALUES (23001, %L, ''current'')', :'m17'));
CALL test.change('DELETE FROM @ WHERE id IN (24002, 22002, 20002, 18003)');
CALL test.change('UPDATE @ SET v = v || '' twice'' WHERE id % 10 = 4');
SELECT test.step(format('hot: 6, 24: 21%1$s, 23: 19%1$s, ', :'f') || '22: 20 slow heap2, 21: 19 slow heap2, 20: 42 slow, 19: 42 slow', 'deleted, inserted, changed');

-- ---------------------------------------------------------------- all of it by night
CALL test.fill(17, 3);
CALL test.fill(11, 3);
CALL test.fill(7, 3);
CALL test.fill(5, 3);
CALL test.fill(0, 3);
SELECT router.set_maintenance('log', keep => '23 months', premake => 1) \g /dev/null
CALL router.maintain('log');
DELETE FROM oracle WHERE d < :'m23';
SELECT test.step(format('hot: 6, 23: 19%1$s, ', :'f') || '22: 20 slow heap2, 21: 19 slow heap2, 20: 42 slow, 19: 42 slow, 18: 1 slow, 17: 8 slow, 11: 3, 7: 3', 'maintained');
SELECT is((SELECT string_agg(split_part(action, ' ', 1) || ' ' || coalesce(error, 'well'), ', ' ORDER BY at) FROM (SELECT * FROM router.events ORDER BY at DESC LIMIT 6) e),
          'archive well, drop well, retention well, tier well, analyze well, maintain well', 'router.events');
CALL router.maintain('log');
SELECT test.step(format('hot: 6, 23: 19%1$s, ', :'f') || '22: 20 slow heap2, 21: 19 slow heap2, 20: 42 slow, 19: 42 slow, 18: 1 slow, 17: 8 slow, 11: 3, 7: 3', 'once more: nothing');
-- a swap, whose other aged rows go to children in tiers, on a server as well
SELECT router.restore(test.child(17), younger => true) \g /dev/null
CALL test.fill(11, 40);
CALL router.seal(test.child(11), '{id}');
CALL test.change(format('UPDATE @ SET d = %L WHERE id = 18004 AND d >= %L', :'m17', :'m22'));
\if :fdw
CALL router.move_child(test.child(17), server => 'loop', remote_schema => 'far');
\endif
CALL router.rotate('log', cutoff => test.m(10)::text);
SELECT is((SELECT count(*) FROM router.seals), 0::bigint, 'a sealed child takes part in a swap, without its seal');
SELECT test.step(format('hot: 9, 23: 19%1$s, 22: 20 slow heap2, 21: 19 slow heap2, 20: 42 slow, 19: 42 slow, 17: 9%1$s, 11: 43', :'f'), 'rotated, other rows to a tier');
CALL router.maintain('log');
SELECT test.step(format('hot: 6, 23: 19%1$s, 22: 20 slow heap2, 21: 19 slow heap2, 20: 42 slow, 19: 42 slow, 17: 9%1$s, 11: 43, 7: 3', :'f'), 'what is on a server stays there');
\if :fdw
CALL router.move_child(test.child(17), local => true);
CALL router.tier('log');
\endif
SELECT is(test.map(), format('hot: 6, 23: 19%1$s, 22: 20 slow heap2, 21: 19 slow heap2, 20: 42 slow, 19: 42 slow, 17: 9 slow, 11: 43, 7: 3', :'f'), 'until it is asked for');
SELECT router.restore(test.child(7)) \g /dev/null
CALL test.change(format('UPDATE @ SET d = %L WHERE id IN (17001, 7001) AND d >= %L', :'m5', :'m22'));
SELECT test.step(format('hot: 10, 23: 19%1$s, ', :'f') || '22: 20 slow heap2, 21: 19 slow heap2, 20: 42 slow, 19: 42 slow, 17: 8 slow, 11: 43', 'the youngest one restored');
\if :fdw
CALL router.move_child(test.child(23), local => true);
SELECT test.step('hot: 10, 23: 19, 22: 20 slow heap2, 21: 19 slow heap2, 20: 42 slow, 19: 42 slow, 17: 8 slow, 11: 43', 'the oldest one back from the server');
\else
SELECT skip('postgres_fdw and dblink are not available', 2);
\endif
SELECT router.restore(test.child(23), younger => true) \g /dev/null
SELECT test.step('hot: 203', 'everything restored');
CALL test.change('UPDATE @ SET v = ''in the base'' WHERE id % 10 = 5');
CALL router.maintain('log');
SELECT test.step(format('hot: 8, 23: 19%1$s, ', :'f') || '22: 20 slow heap2, 21: 19 slow heap2, 20: 42 slow, 19: 42 slow, 17: 8 slow, 11: 43, 7: 2', 'and maintained: the oldest to the server again');
SELECT router.end_hot('log') \g /dev/null
SELECT test.step(format('23: 19%1$s, ', :'f') || '22: 20 slow heap2, 21: 19 slow heap2, 20: 42 slow, 19: 42 slow, 17: 8 slow, 11: 43, 7: 2, 5: 5, 0: 3', 'the window ended');

SELECT * FROM finish();
