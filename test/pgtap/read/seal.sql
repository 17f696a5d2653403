-- Seals: children left out by columns that are no keys. Checklist A16, B1.
\ir ../../include/helpers.sql
\set tests 77
SELECT plan(:tests);
SELECT set_config('statement_timeout', '60s', false) \g /dev/null

-- the children that a query reads, by EXPLAIN
CREATE FUNCTION test.reads(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE line text; result text[];
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
        line := (regexp_match(line, ' on (\w+)'))[1];
        -- an index of it comes as well
        IF line ~ '_y\d+m\d+$' OR line ~ '^\w+_(default|null)$' THEN result := result || line; END IF;
    END LOOP;
    RETURN coalesce((SELECT string_agg(DISTINCT n, ' ' ORDER BY n) FROM unnest(result) n), 'none');
END $$;
CREATE TABLE test.mode AS SELECT :preloaded = 1 AS preloaded;
-- What pruning is expected to leave: without the library it is everything.
CREATE FUNCTION test.prunes_to(query text, wanted text, name text) RETURNS text LANGUAGE sql AS $$
    SELECT CASE WHEN (SELECT preloaded FROM test.mode) THEN is(test.reads(query), wanted, name)
                ELSE pass(name || ' (not preloaded: only the answer counts)') END
$$;

CREATE TABLE log (id bigint, d timestamptz, v int, made date, note text, u uuid, g int GENERATED ALWAYS AS (v + 1) STORED, PRIMARY KEY (id, d));
SELECT router.create_route('log', router.by_date('d', 'month'), time_zone => 'UTC') \g /dev/null
INSERT INTO log (id, d, v, made) SELECT i, timestamptz '2020-01-01 UTC' + (i - 1) * interval '1 hour', i % 100, date '2020-01-01' + (i / 24)::int
  FROM generate_series(1, 31 * 24 + 29 * 24 + 31 * 24) i;
ANALYZE log;
SELECT test.prunes_to('SELECT * FROM log WHERE id = 800', 'log_y2020m01 log_y2020m02 log_y2020m03', 'without a seal all children are read');

-- sealing
CALL router.seal('log_y2020m01', '{id}');
SELECT results_eq($$SELECT base::regclass, child::regclass, "column", span, state FROM router.seals$$, $$VALUES ('log'::regclass, 'log_y2020m01'::regclass, 'id'::name, '[1,744]', 'sealed')$$, 'the seal is there');
SELECT test.prunes_to('SELECT * FROM log WHERE id = 800', 'log_y2020m02 log_y2020m03', 'a sealed child is left out');
SELECT test.prunes_to('SELECT * FROM log WHERE id = 7', 'log_y2020m01 log_y2020m02 log_y2020m03', 'those without a seal are read');
CALL router.seal('log_y2020m02', '{id,made}');
CALL router.seal('log_y2020m03', '{id,made}');
SELECT test.prunes_to('SELECT * FROM log WHERE id = 7', 'log_y2020m01', 'a lookup reads one child');
SELECT is((SELECT count(*) FROM log WHERE id = 7), 1::bigint, 'and finds the row');
SELECT test.prunes_to('SELECT * FROM log WHERE id BETWEEN 700 AND 800', 'log_y2020m01 log_y2020m02', 'a range');
SELECT is((SELECT count(*) FROM log WHERE id BETWEEN 700 AND 800), 101::bigint, 'all of it');
SELECT test.prunes_to('SELECT * FROM log WHERE id IN (1, 2000)', 'log_y2020m01 log_y2020m03', 'IN');
SELECT test.prunes_to('SELECT * FROM log WHERE id = 7::smallint', 'log_y2020m01', 'another integer type');
SELECT test.prunes_to('SELECT * FROM log WHERE id = 1 OR id > 2100', 'log_y2020m01 log_y2020m03', 'OR');
SELECT test.prunes_to($$SELECT * FROM log WHERE id = 1 OR d >= '2020-03-05 UTC'$$, 'log_y2020m01 log_y2020m03', 'OR with a key');
SELECT test.prunes_to($$SELECT * FROM log WHERE id > 100 AND d < '2020-02-01 UTC'$$, 'log_y2020m01', 'AND with a key');
SELECT test.prunes_to('SELECT * FROM log WHERE id < 0', 'none', 'none has it');
SELECT is((SELECT count(*) FROM log WHERE id < 0), 0::bigint, 'no row');
SELECT test.prunes_to('SELECT * FROM log WHERE id > 100 AND id < 50', 'none', 'a contradiction');
SELECT test.prunes_to('SELECT * FROM log WHERE made IS NULL', 'log_y2020m01 log_y2020m02 log_y2020m03', 'NULL may be anywhere');
SELECT test.prunes_to($$SELECT * FROM log WHERE made = '2020-03-10'$$, 'log_y2020m01 log_y2020m03', 'another column, sealed on some');
SELECT test.prunes_to($$SELECT * FROM log WHERE made >= '2020-03-10 00:00 UTC'::timestamptz$$, 'log_y2020m01 log_y2020m03', 'a date against a timestamp');
SELECT test.prunes_to('UPDATE log SET v = 1 WHERE id = 7', 'log_y2020m01', 'UPDATE');
SELECT test.prunes_to('DELETE FROM log WHERE id = 7', 'log_y2020m01', 'DELETE');
SET plan_cache_mode = force_generic_plan;
PREPARE by_id(bigint) AS SELECT count(*) FROM log WHERE id = $1;
SELECT test.prunes_to('EXECUTE by_id(7)', 'log_y2020m01', 'a generic plan, at run time');
CREATE FUNCTION test.by_id(i bigint) RETURNS bigint LANGUAGE plpgsql AS $$ DECLARE n bigint; BEGIN EXECUTE format('EXECUTE by_id(%s)', i) INTO n; RETURN n; END $$;
SELECT is(test.by_id(7), 1::bigint, 'and its answer');
SELECT matches((SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'log_y2020m02'::regclass AND conname = 'router_seal'), 'router.unseal', 'the CHECK');

-- rows beyond a seal
BEGIN;
INSERT INTO log (id, d) VALUES (5000, '2020-01-05 UTC');
SELECT is(test.by_id(5000), 1::bigint, 'one''s own row is seen at once');
ROLLBACK;
SELECT is((SELECT string_agg(DISTINCT state, ' ') FROM router.seals), 'sealed', 'rolled back: nothing is broken');
SELECT test.prunes_to('SELECT * FROM log WHERE id = 5000', 'none', 'and nothing read');
BEGIN;
SAVEPOINT s;
INSERT INTO log (id, d) VALUES (5000, '2020-01-05 UTC');
ROLLBACK TO s;
INSERT INTO log (id, d) VALUES (5001, '2020-01-05 UTC');
COMMIT;
SELECT is((SELECT state FROM router.seals WHERE child = 'log_y2020m01'::regclass), 'broken', 'after a subtransaction that was rolled back');
SELECT is(test.by_id(5001), 1::bigint, 'the row is found');
SELECT test.prunes_to('SELECT * FROM log WHERE id = 5001', 'log_y2020m01', 'the broken one is read, the others are not');
CALL router.seal('log_y2020m01', '{id}');
SELECT is((SELECT span || state FROM router.seals WHERE child = 'log_y2020m01'::regclass), '[1,5001]sealed', 'sealed anew');
INSERT INTO log (id, d) VALUES (745, '2020-01-06 UTC');
SELECT is((SELECT state FROM router.seals WHERE child = 'log_y2020m01'::regclass), 'sealed', 'a row within the seal does not break it');
INSERT INTO log_y2020m02 (id, d) VALUES (6000, '2020-02-05 UTC');
SELECT is((SELECT state FROM router.seals WHERE child = 'log_y2020m02'::regclass AND "column" = 'id'), 'broken', 'straight into the child');
SELECT is((SELECT count(*) FROM log WHERE id = 6000), 1::bigint, 'which is found');
UPDATE log SET id = 7000 WHERE id = 2000;
SELECT is((SELECT count(*) FROM log WHERE id = 7000), 1::bigint, 'UPDATE');
SELECT is((SELECT state FROM router.seals WHERE child = 'log_y2020m03'::regclass AND "column" = 'id'), 'broken', 'breaks it as well');
DELETE FROM log WHERE id >= 5000;
CALL router.seal('log_y2020m01', '{id}');
CALL router.seal('log_y2020m02', '{id,made}');
CALL router.seal('log_y2020m03', '{id}');
COPY log (id, d) FROM STDIN;
8000	2020-01-07 00:00+00
8001	2020-02-07 00:00+00
8002	2020-03-07 00:00+00
\.
SELECT is((SELECT count(*) FROM log WHERE id IN (8000, 8001, 8002)), 3::bigint, 'COPY');
SELECT is((SELECT string_agg(DISTINCT state, ' ') FROM router.seals), 'broken', 'breaks all three');
CALL router.seal('log_y2020m01', '{id}');
CALL router.seal('log_y2020m02', '{id}');
CALL router.seal('log_y2020m03', '{id}');
-- the row goes from one child to another
UPDATE log SET d = '2020-03-09 UTC' WHERE id = 1;
SELECT is((SELECT count(*) FROM log WHERE id = 1 AND tableoid = 'log_y2020m03'::regclass), 1::bigint, 'a row that moved is found');
:fresh
INSERT INTO log (id, d) VALUES (-5, '2020-02-08 UTC') RETURNING id;
SELECT is((SELECT count(*) FROM log WHERE id = -5), 1::bigint, 'by the first statement of a session');
-- what inherits from a child
DELETE FROM log WHERE id = -5;
CALL router.seal('log_y2020m02', '{id}');
CREATE TABLE heir () INHERITS (log_y2020m02);
INSERT INTO heir (id, d) VALUES (-6, '2020-02-08 UTC');
SELECT is((SELECT count(*) FROM log WHERE id = -6), 1::bigint, 'a row of a table below the child');
SELECT throws_ok($$CALL router.seal('log_y2020m02', '{id}')$$, '42809', NULL, 'which cannot be sealed then');
DROP TABLE heir;

-- changes of the table
CALL router.seal('log_y2020m02', '{id,made}');
ALTER TABLE log RENAME COLUMN id TO number;
SELECT is((SELECT string_agg(DISTINCT "column"::text, ' ' ORDER BY "column"::text) FROM router.seals), 'made number', 'seals follow a rename');
SELECT test.prunes_to('SELECT * FROM log WHERE number = -7', 'log_y2020m03', 'and work (one is broken)');
ALTER TABLE log RENAME COLUMN number TO id;
ALTER TABLE log DROP COLUMN made;
SELECT is((SELECT count(*) FROM router.seals WHERE child = 'log_y2020m02'::regclass), 0::bigint, 'a column that goes takes the seals with it that share its CHECK');
CALL router.seal('log_y2020m02', '{id}');
ALTER TABLE log_y2020m02 DROP CONSTRAINT router_seal;
SELECT is((SELECT count(*) FROM router.seals WHERE child = 'log_y2020m02'::regclass), 0::bigint, 'so does the CHECK, dropped by hand');
CALL router.seal('log_y2020m02', '{id}');
SELECT router.detach_child('log_y2020m02') \g /dev/null
SELECT is((SELECT count(*) FROM pg_constraint WHERE conrelid = 'log_y2020m02'::regclass AND conname = 'router_seal'), 0::bigint, 'detached without');
SELECT is((SELECT count(*) FROM router.seals WHERE child = 'log_y2020m02'::regclass), 0::bigint, 'and forgotten');
ALTER TABLE log ALTER COLUMN id TYPE numeric;
SELECT is((SELECT count(*) FROM router.seals), 0::bigint, 'another type: no seals');
ALTER TABLE log ALTER COLUMN id TYPE bigint;

-- nothing but nulls, and no rows
CALL router.seal('log_y2020m01', '{v}');
UPDATE log SET v = NULL;
VACUUM log_y2020m01;
CALL router.seal('log_y2020m01', '{v}');
SELECT is((SELECT span FROM router.seals WHERE child = 'log_y2020m01'::regclass), NULL, 'no values');
SELECT test.prunes_to('SELECT * FROM log WHERE v = 5', 'log_y2020m03', 'so it is left out');
SELECT is((SELECT count(*) FROM log WHERE v IS NULL) > 0, true, 'nulls are found');

-- maintenance
SELECT throws_ok($$SELECT router.set_maintenance('log', seal => '{nope}')$$, '42703', NULL, 'no such column');
SELECT throws_ok($$SELECT router.set_maintenance('log', seal => '{d}')$$, '22023', 'children cannot be sealed by column "d"', 'a key');
SELECT throws_ok($$SELECT router.set_maintenance('log', seal => '{note}')$$, '22023', NULL, 'text');
SELECT throws_ok($$SELECT router.set_maintenance('log', seal => '{g}')$$, '22023', NULL, 'a generated column');
SELECT is((SELECT string_agg(s, ';') FROM router.set_maintenance('log', seal => '{id,v}') s), 'set seal of public.log to id, v', 'set_maintenance');
SELECT is((SELECT seal FROM router.maintenance WHERE base = 'log'::regclass), '{id,v}'::name[], 'router.maintenance shows it');
SET client_min_messages = error;
CALL router.maintain('log');
SELECT is((SELECT string_agg(child || ' ' || "column" || ' ' || state, ', ' ORDER BY child::text, "column") FROM router.seals),
          'log_y2020m01 id sealed, log_y2020m01 v sealed, log_y2020m03 id sealed, log_y2020m03 v sealed', 'aged children are sealed, those of now are not');
SELECT is((SELECT rows FROM router.events WHERE action = 'seal' AND base = 'log'::regclass ORDER BY at DESC LIMIT 1), 2::bigint, 'router.events has them');

-- who may
CREATE ROLE seal_writer;
GRANT INSERT, SELECT ON log TO seal_writer;
SET ROLE seal_writer;
SELECT throws_ok($$CALL router.seal('log_y2020m01', '{id}')$$, '42501', NULL, 'sealing is for the owner');
INSERT INTO log (id, d) VALUES (-9, '2020-01-08 UTC');
SELECT is((SELECT count(*) FROM log WHERE id = -9), 1::bigint, 'a writer breaks it, without any other right');
RESET ROLE;
CREATE VIEW window_of AS SELECT * FROM log;
GRANT INSERT ON window_of TO seal_writer;
REVOKE ALL ON log FROM seal_writer;
SET ROLE seal_writer;
INSERT INTO window_of (id, d) VALUES (-10, '2020-03-08 UTC');
RESET ROLE;
SELECT is((SELECT count(*) FROM log WHERE id = -10), 1::bigint, 'through a view as well');
DROP OWNED BY seal_writer;
SELECT throws_ok($$CALL router.seal('log_y2020m01', '{id,NULL}')$$, '22004', NULL, 'a column that is null');
CALL router.seal('log_y2020m01', '{id,id}');
SELECT is((SELECT count(*) FROM router.seals WHERE child = 'log_y2020m01'::regclass), 1::bigint, 'a column named twice is one');

-- names
ALTER TABLE log RENAME id TO number;
SELECT is((SELECT seal FROM router.maintenance WHERE base = 'log'::regclass), '{number,v}'::name[], 'the setting follows a rename');
ALTER TABLE log DROP COLUMN v CASCADE;
SELECT is((SELECT seal FROM router.maintenance WHERE base = 'log'::regclass), '{number}'::name[], 'and forgets a column that is gone');
ALTER TABLE log RENAME number TO id;
CALL router.seal('log_y2020m01', '{id}');
ALTER TABLE log_y2020m01 RENAME CONSTRAINT router_seal TO mine;
SELECT is((SELECT count(*) FROM router.seals WHERE child = 'log_y2020m01'::regclass), 0::bigint, 'a CHECK of another name is no fence');
ALTER TABLE log_y2020m01 DROP CONSTRAINT mine;
CALL router.seal('log_y2020m01', '{id}');
ALTER EVENT TRIGGER router_on_sql_drop DISABLE;
ALTER EVENT TRIGGER router_on_ddl_end DISABLE;
ALTER TABLE log_y2020m01 DROP CONSTRAINT router_seal;
ALTER EVENT TRIGGER router_on_sql_drop ENABLE ALWAYS;
ALTER EVENT TRIGGER router_on_ddl_end ENABLE ALWAYS;
SELECT is((SELECT string_agg(kind, ' ') FROM router.check('log') WHERE child = 'log_y2020m01'::regclass), 'seal', 'router.check tells of a seal without a CHECK');
CALL router.seal('log_y2020m01', '{id}');
ALTER TABLE log_y2020m01 NO INHERIT log;
SELECT is((SELECT count(*) FROM pg_constraint WHERE conrelid = 'log_y2020m01'::regclass AND conname = 'router_seal'), 0::bigint, 'NO INHERIT takes the CHECK along');
CALL router.seal('log_y2020m03', '{id}');
SELECT router.drop_route('log') \g /dev/null
SELECT is((SELECT count(*) FROM pg_constraint WHERE conname = 'router_seal'), 0::bigint, 'drop_route too');
SELECT throws_ok($$CALL router.seal('log', '{id}')$$, '42809', NULL, 'a base is no child');

-- a hot base: children that archiving has passed
CREATE TABLE hot (id bigint, d date, PRIMARY KEY (id, d));
SELECT router.create_route('hot', router.by_date('d', 'month'), hot => '3 months', time_zone => 'UTC') \g /dev/null
SELECT count(*) FROM router.set_maintenance('hot', seal => '{id}') \g /dev/null
INSERT INTO hot SELECT i, current_date - i FROM generate_series(1, 400) i;
CALL router.archive('hot');
SELECT cmp_ok((SELECT count(*) FROM router.seals WHERE base = 'hot'::regclass AND state = 'sealed'), '>=', 8::bigint, 'archived children are sealed');
SELECT is((SELECT count(*) FROM hot WHERE id = 399), 1::bigint, 'a lookup of an archived row');
INSERT INTO hot VALUES (1000, current_date - 300);
SELECT is((SELECT count(*) FROM router.seals WHERE base = 'hot'::regclass AND state = 'broken'), 1::bigint, 'a late row breaks one');
SELECT is((SELECT count(*) FROM hot WHERE id = 1000), 1::bigint, 'and is found');
CALL router.maintain('hot');
SELECT is((SELECT count(*) FROM router.seals WHERE base = 'hot'::regclass AND state = 'broken'), 0::bigint, 'until the next night');

SELECT * FROM finish();
