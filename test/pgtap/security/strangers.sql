-- router's event triggers see the DDL of everybody in the database, and its hooks their statements. Who has nothing to do with routed tables does not notice them:
-- whatever state the extension and its catalog are in, and whoever may read them.
\ir ../../include/helpers.sql
\set tests 44
SELECT plan(:tests);
SELECT test.role('router_s_owner'), test.role('router_s_stranger') \g /dev/null
CREATE EXTENSION postgres_fdw;
CREATE SERVER nowhere FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '/nowhere');
GRANT USAGE ON FOREIGN SERVER nowhere TO router_s_stranger;
CREATE SCHEMA app AUTHORIZATION router_s_owner;
SET ROLE router_s_owner;
CREATE TYPE app.mood AS ENUM ('glad', 'sad');
CREATE TABLE app.base (k int, m app.mood);
CREATE TABLE app.moods (k app.mood);
RESET ROLE;

CREATE TABLE test.ddl (n int GENERATED ALWAYS AS IDENTITY, command text);
GRANT SELECT ON test.ddl TO PUBLIC;
INSERT INTO test.ddl (command) VALUES
    ('CREATE TABLE a (id int PRIMARY KEY, v text)'), ('CREATE TABLE b (LIKE a INCLUDING ALL)'), ('CREATE TABLE c () INHERITS (a)'),
    ('CREATE TABLE p (id int, k int) PARTITION BY RANGE (k)'), ('CREATE TABLE p1 PARTITION OF p FOR VALUES FROM (1) TO (10)'),
    ('CREATE TABLE ctas AS SELECT 1 AS x'), ('CREATE TYPE ct AS (x int, y text)'), ('CREATE TABLE typed OF ct'), ('CREATE TABLE uses (c ct, cs ct[])'),
    ('CREATE TYPE en AS ENUM (''a'', ''b'')'), ('CREATE DOMAIN dom AS int CHECK (VALUE > 0)'), ('CREATE VIEW v AS SELECT * FROM a'),
    ('CREATE MATERIALIZED VIEW mv AS SELECT * FROM b'), ('REFRESH MATERIALIZED VIEW mv'), ('CREATE SEQUENCE sq'),
    ('CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS ''BEGIN RETURN NEW; END'''), ('CREATE TRIGGER tr BEFORE INSERT ON a FOR EACH ROW EXECUTE FUNCTION f()'),
    ('ALTER TRIGGER tr ON a RENAME TO tr2'), ('CREATE RULE ru AS ON INSERT TO b DO INSTEAD NOTHING'), ('CREATE POLICY po ON a USING (true)'),
    ('ALTER POLICY po ON a USING (id > 0)'), ('CREATE INDEX ix ON a (v)'), ('REINDEX TABLE a'), ('ALTER INDEX ix RENAME TO ix2'),
    ('CREATE STATISTICS st ON id, v FROM a'), ('ALTER STATISTICS st SET STATISTICS 10'), ('COMMENT ON TABLE a IS ''x'''), ('COMMENT ON COLUMN a.v IS ''x'''),
    ('COMMENT ON CONSTRAINT a_pkey ON a IS ''x'''), ('GRANT SELECT ON a TO PUBLIC'), ('GRANT SELECT (id) ON a TO PUBLIC'), ('REVOKE SELECT ON a FROM PUBLIC'),
    ('GRANT SELECT ON ALL TABLES IN SCHEMA strange TO PUBLIC'), ('GRANT USAGE ON SCHEMA strange TO PUBLIC'), ('GRANT EXECUTE ON FUNCTION f() TO PUBLIC'),
    ('ALTER DEFAULT PRIVILEGES GRANT SELECT ON TABLES TO PUBLIC'), ('ALTER DEFAULT PRIVILEGES REVOKE SELECT ON TABLES FROM PUBLIC'),
    ('ALTER TABLE a ADD COLUMN n int'), ('ALTER TABLE a ALTER n TYPE bigint'), ('ALTER TABLE a ADD CONSTRAINT chk CHECK (n > 0), ALTER v SET DEFAULT ''x'''),
    ('ALTER TABLE a DROP CONSTRAINT chk'), ('ALTER TABLE a RENAME n TO m'), ('ALTER TABLE a DROP COLUMN m CASCADE'), ('ALTER TABLE c NO INHERIT a'),
    ('ALTER TABLE c INHERIT a'), ('ALTER TABLE p DETACH PARTITION p1'), ('ALTER TABLE p ATTACH PARTITION p1 FOR VALUES FROM (1) TO (10)'),
    ('ALTER TABLE a DISABLE TRIGGER USER'), ('ALTER TABLE a ENABLE TRIGGER USER'), ('ALTER TABLE a ENABLE ROW LEVEL SECURITY'), ('ALTER TABLE a REPLICA IDENTITY FULL'),
    ('ALTER TABLE c RENAME TO c2'), ('ALTER TABLE c2 SET SCHEMA strange2'), ('ALTER TABLE strange2.c2 SET (fillfactor = 90)'),
    ('ALTER TYPE ct ADD ATTRIBUTE z int CASCADE'), ('ALTER TYPE ct RENAME ATTRIBUTE y TO yy CASCADE'), ('ALTER TYPE ct DROP ATTRIBUTE z CASCADE'), ('ALTER TYPE ct RENAME TO ct2'),
    ('ALTER TYPE en ADD VALUE ''c'''), ('ALTER TYPE en RENAME VALUE ''a'' TO ''aa'''), ('ALTER DOMAIN dom ADD CONSTRAINT d2 CHECK (VALUE < 100)'), ('ALTER SEQUENCE sq INCREMENT 2'),
    ('ALTER TABLE a CLUSTER ON a_pkey'), ('CREATE TEMP TABLE tmp (i int)'), ('DROP TABLE tmp'),
    ('CREATE FOREIGN TABLE ft (i int) SERVER nowhere'), ('ALTER FOREIGN TABLE ft ADD COLUMN j int'), ('DROP FOREIGN TABLE ft'), ('TRUNCATE a'), ('ANALYZE a'),
    ('DROP RULE ru ON b'), ('INSERT INTO a SELECT i FROM generate_series(1, 9) i'), ('INSERT INTO a VALUES (1, ''x'') ON CONFLICT (id) DO UPDATE SET v = excluded.v'),
    ('INSERT INTO p VALUES (1, 2), (3, 4)'), ('UPDATE a SET v = ''y'' WHERE id = 1'), ('UPDATE p SET k = 5 WHERE id = 1'), ('DELETE FROM a WHERE id > 5'), ('SELECT FROM a WHERE id = 2 FOR UPDATE'),
    ('MERGE INTO a USING (VALUES (1)) s (i) ON a.id = s.i WHEN MATCHED THEN UPDATE SET v = ''z'' WHEN NOT MATCHED THEN DO NOTHING'), ('EXPLAIN SELECT FROM a NATURAL JOIN b'),
    ('SELECT FROM p JOIN v USING (id) WHERE k < 3 UNION SELECT FROM mv'), ('PREPARE q (int) AS SELECT FROM a WHERE id = $1'), ('EXECUTE q (1)'), ('DEALLOCATE q'), ('CLUSTER a'), ('REINDEX INDEX a_pkey'), ('LOCK TABLE a'),
    ('DROP TRIGGER tr2 ON a'), ('DROP POLICY po ON a'), ('DROP STATISTICS st'), ('DROP INDEX ix2'), ('DROP TABLE IF EXISTS nowhere, p CASCADE'), ('DROP TABLE a CASCADE'),
    ('DROP TYPE ct2 CASCADE'), ('DROP DOMAIN dom CASCADE'), ('DROP FUNCTION f() CASCADE'),
    ('DROP SCHEMA strange CASCADE'), ('DROP SCHEMA strange2 CASCADE');

-- All of it by one who owns two schemas and nothing else: what fails, and how.
CREATE FUNCTION test.ddl_of_stranger() RETURNS text LANGUAGE plpgsql SET search_path = strange AS $$
DECLARE
    failed text := '';
    said text;
    d record;
BEGIN
    CREATE SCHEMA strange AUTHORIZATION router_s_stranger;
    CREATE SCHEMA strange2 AUTHORIZATION router_s_stranger;
    SET LOCAL ROLE router_s_stranger;
    FOR d IN SELECT * FROM test.ddl ORDER BY n LOOP
        said := test.outcome(d.command);
        IF said <> 'done' THEN
            failed := failed || format('%s: %s; ', d.command, said);
        END IF;
    END LOOP;
    RESET ROLE;
    RETURN failed;
END $$;

LOAD 'router';
SELECT is(test.ddl_of_stranger(), '', 'DDL and statements of somebody in a database without routes');
SET ROLE router_s_owner;
SELECT router.create_route('app.base', ARRAY[router.by_integer('k', 10), router.by_list('m')]) \g /dev/null
SELECT router.create_route('app.moods', router.by_list('k', ARRAY['{glad,sad}'])) \g /dev/null
SELECT router.add_global_key('app.base', '{k}') \g /dev/null
INSERT INTO app.base VALUES (1, 'glad'), (11, 'sad');
RESET ROLE;
SELECT is(test.ddl_of_stranger(), '', 'where somebody else has routed tables');
:fresh
SELECT is(test.ddl_of_stranger(), '', 'the same in a new session');
LOAD 'router';

-- DDL on what belongs to others fails as ever
GRANT USAGE ON SCHEMA app TO router_s_stranger;
SET ROLE router_s_stranger;
SELECT matches(test.outcome(command), '^42501: ', command)
  FROM (VALUES
    ($$DROP TABLE app.base$$), ($$DROP TABLE IF EXISTS app.base$$), ($$ALTER TABLE app.base ADD COLUMN z int$$),
    ($$ALTER TABLE app.base ALTER k TYPE bigint$$), ($$ALTER TABLE app.base ADD CHECK (1 / 0 = 1)$$),
    ($$ALTER TABLE app.base_1_10_glad NO INHERIT app.base$$), ($$GRANT SELECT ON app.base TO router_s_stranger$$),
    ($$GRANT SELECT ON ALL TABLES IN SCHEMA app TO router_s_stranger$$), ($$COMMENT ON TABLE app.base IS NULL$$),
    ($$DROP TRIGGER "~router_route" ON app.base$$), ($$ALTER TYPE app.mood RENAME VALUE 'glad' TO 'happy'$$), ($$CREATE INDEX ON app.base (k)$$),
    ($$DROP TABLE router.route_def$$), ($$ALTER TABLE router.child_def ADD COLUMN x int$$), ($$DROP EXTENSION router$$),
    ($$ALTER EVENT TRIGGER router_on_sql_drop DISABLE$$)) v (command);
RESET ROLE;
SELECT is(test.children('app.base'), 'app.base_11_20_sad, app.base_1_10_glad', 'and did nothing');

-- whatever state router is in
BEGIN;
REVOKE ALL ON SCHEMA router FROM PUBLIC;
REVOKE ALL ON ALL TABLES IN SCHEMA router FROM PUBLIC;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA router FROM PUBLIC;
SELECT test.ddl_of_stranger() AS said \gset
ROLLBACK;
SELECT is(:'said'::text, '', 'nobody may use the schema, its tables and functions');
BEGIN;
SET LOCAL session_replication_role = replica;
DROP TABLE app.base, app.moods CASCADE;
DROP TYPE app.mood CASCADE;
SET LOCAL session_replication_role = origin;
SELECT test.ddl_of_stranger() AS said \gset
ROLLBACK;
SELECT is(:'said'::text, '', 'the catalog names tables that are not there');
BEGIN;
UPDATE router.key_def SET kind = 'junk', column_name = 'nowhere', attnum = 77;
UPDATE router.route_def SET on_missing = 'junk';
INSERT INTO router.route_def SELECT 1259, time_zone, template, on_missing, on_reject, horizon, max_new_children FROM router.route_def LIMIT 1;
SELECT test.ddl_of_stranger() AS said \gset
ROLLBACK;
SELECT is(:'said'::text, '', 'the catalog has rows that make no sense: routes of others are not read');
CREATE FUNCTION test.without(name) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    said text;
BEGIN
    EXECUTE format('ALTER EXTENSION router DROP TABLE router.%1$I; DROP TABLE router.%1$I CASCADE', $1);
    said := test.ddl_of_stranger();
    RAISE EXCEPTION USING message = said, errcode = 'XX999';
EXCEPTION WHEN SQLSTATE 'XX999' THEN
    RETURN CASE SQLERRM WHEN '' THEN NULL ELSE $1 || ': ' || SQLERRM END;
END $$;
SELECT is((SELECT string_agg(test.without(relname), ' ') FROM pg_class WHERE relnamespace = 'router'::regnamespace AND relkind = 'r'), NULL, 'a table of the catalog is missing, each in turn');
BEGIN;
ALTER SCHEMA router RENAME TO elsewhere;
SELECT test.ddl_of_stranger() AS said \gset
ROLLBACK;
SELECT is(:'said'::text, '', 'the schema has another name');

-- A type whose attributes are forty of another one, and so on: router looks at each once, where core, for a table, does at each way to it.
DO $$
BEGIN
    FOR level IN 0 .. 3 LOOP
        EXECUTE format('CREATE TYPE app.deep%s AS (%s)', level, (SELECT string_agg(format('f%s %s', i, CASE level WHEN 0 THEN 'int' ELSE 'app.deep' || level - 1 END), ', ') FROM generate_series(1, 40) i));
    END LOOP;
END $$;
SELECT clock_timestamp() AS begun \gset
CREATE TABLE app.deep (k app.deep3);
SELECT clock_timestamp() AS made \gset
SELECT router.create_route('app.deep', router.by_list('k')) \g /dev/null
SELECT count(*) FROM router.check('app.deep') \g /dev/null
SELECT ok(clock_timestamp() - :'made' < :'made'::timestamptz - :'begun', 'nor is anybody kept long by a type of many layers');

-- The same, where the type grows when there is a routed table with a column of it: COPY looks for domains in it, and core goes through it for each new child.
DO $$
BEGIN
    FOR level IN 0 .. 5 LOOP
        EXECUTE format('CREATE TYPE app.grown%s AS (f0 %s)', level, CASE level WHEN 0 THEN 'int' ELSE 'app.grown' || level - 1 END);
    END LOOP;
    CREATE TABLE app.grown (k int, v app.grown5);
    PERFORM router.create_route('app.grown', router.by_list('k')), router.create_child('app.grown', '1');
    FOR level IN REVERSE 5 .. 1 LOOP
        EXECUTE format('ALTER TYPE app.grown%s %s', level, (SELECT string_agg(format('ADD ATTRIBUTE f%s app.grown%s', i, level - 1), ', ') FROM generate_series(1, 39) i));
    END LOOP;
END $$;
CREATE ACCESS METHOD another_heap TYPE TABLE HANDLER heap_tableam_handler;
SELECT clock_timestamp() AS begun \gset
COPY app.grown FROM stdin;
1	\N
1	\N
\.
SELECT throws_ok('INSERT INTO app.grown VALUES (2, NULL)', '54000', NULL, 'there is no child, which nobody could cancel, of a type that grew so');
SELECT throws_ok($$CALL router.move_child('app.grown_1', access_method => 'another_heap')$$, '54000', NULL, 'nor does one move');
SELECT ok(clock_timestamp() - :'begun' < interval '20 s', 'and rows come as ever');
SELECT is(test.homes('app.grown'), 'app.grown_1: 2', 'into the child that there is');

-- Many groups are read once each, and can be canceled.
CREATE TABLE app.grouped (k int);
SELECT clock_timestamp() AS begun \gset
SELECT throws_ok($$SELECT router.create_route('app.grouped', router.by_list('k', (SELECT array_agg(format('{%s}', i % 2999)) FROM generate_series(0, 2999) i)))$$,
    '22023', 'groups {0} and {0} of key "k" overlap', 'groups of thousands that overlap');
SELECT ok(clock_timestamp() - :'begun' < interval '5 s', 'are found at once');
SET statement_timeout = '100ms';
SELECT router.create_route('app.grouped', router.by_list('k', ARRAY[(SELECT '{' || string_agg(i::text, ',') || '}' FROM generate_series(1, 50000) i)]), dry_run => true);
RESET statement_timeout;
SELECT is(:'LAST_ERROR_SQLSTATE'::text, '57014', 'a group of very many values can be canceled');
SELECT ok(clock_timestamp() - :'begun' < interval '10 s', 'at once');

-- Nobody keeps a lock on a table that he has no right on, though he may name its constraints and its row type.
SET ROLE router_s_owner;
CREATE TABLE app.referred (id int PRIMARY KEY);
CREATE TABLE app.kept (k int, id int CONSTRAINT later REFERENCES app.referred DEFERRABLE);
SELECT router.create_route('app.kept', router.by_list('k')) \g /dev/null
INSERT INTO app.kept VALUES (1), (2);
CREATE FUNCTION app.later() RETURNS void LANGUAGE sql SECURITY DEFINER AS
    $$INSERT INTO app.kept VALUES (1, 1), (3, 1); INSERT INTO app.referred VALUES (1)$$;
RESET ROLE;
CREATE SCHEMA strange AUTHORIZATION router_s_stranger;
CREATE FUNCTION test.kept() RETURNS text LANGUAGE sql AS $$
    SELECT coalesce(string_agg(relation::regclass::text || ' ' || mode, ', ' ORDER BY relation::regclass::text COLLATE "C"), 'none')
      FROM pg_locks JOIN pg_class c ON c.oid = relation
     WHERE pid = pg_backend_pid() AND relnamespace = 'app'::regnamespace AND relkind IN ('r', 'c')
$$;
BEGIN;
SET LOCAL ROLE router_s_stranger;
SET CONSTRAINTS app.later DEFERRED;
SELECT test.kept() AS locks \gset
SELECT app.later() \g /dev/null
SET CONSTRAINTS ALL IMMEDIATE;
COMMIT;
SELECT is(:'locks'::text, 'none', 'SET CONSTRAINTS locks no children of others');
SELECT is(test.homes('app.kept'), 'app.kept_1: 2, app.kept_2: 1, app.kept_3: 1', 'and counts where the owner''s function writes to them');
GRANT INSERT (k) ON app.kept TO router_s_stranger;
BEGIN;
SET LOCAL ROLE router_s_stranger;
SET CONSTRAINTS app.later DEFERRED;
SELECT test.kept() AS locks \gset
COMMIT;
SELECT is(:'locks'::text, 'app.kept_1 AccessShareLock, app.kept_2 AccessShareLock, app.kept_3 AccessShareLock', 'who may write there keeps them until he has');
REVOKE INSERT (k) ON app.kept FROM router_s_stranger;
SET ROLE router_s_stranger;
CREATE TABLE strange.rows (k app.kept);
BEGIN;
CREATE TABLE strange.twin (k app.kept);
SELECT test.kept() AS core \gset
COMMIT;
BEGIN;
SELECT router.create_route('strange.rows', router.by_list('k')) \g /dev/null
SELECT test.kept() AS locks \gset
INSERT INTO strange.rows VALUES (ROW(1, 1));
SELECT test.kept() AS child \gset
COMMIT;
SELECT is(:'locks'::text, 'none', 'nor does a route by the row type of somebody''s table lock that');
SELECT is(:'child'::text, :'core'::text, 'a child does as CREATE TABLE of such a column, which locks it from some minor releases on');
RESET ROLE;
GRANT SELECT ON app.kept TO router_s_stranger;
SET ROLE router_s_stranger;
CREATE TABLE strange.more (k app.kept);
BEGIN;
SELECT router.create_route('strange.more', router.by_list('k')) \g /dev/null
SELECT test.kept() AS locks \gset
ROLLBACK;
RESET ROLE;
SELECT is(:'locks'::text, 'app.kept AccessShareLock', 'unless its rows may be read');
DROP SCHEMA strange CASCADE;

-- Without its library nothing of router can run, and DDL fails. A superuser has two ways out.
UPDATE pg_proc SET probin = '$libdir/no_such_router' WHERE probin = '$libdir/router';
SELECT throws_ok('SELECT test.ddl_of_stranger()', '58P01', NULL, 'without the library DDL fails');
BEGIN;
ALTER EVENT TRIGGER router_on_ddl_start DISABLE;
ALTER EVENT TRIGGER router_on_ddl_end DISABLE;
ALTER EVENT TRIGGER router_on_sql_drop DISABLE;
SELECT test.ddl_of_stranger() AS said \gset
ROLLBACK;
SELECT is(:'said'::text, '', 'until the event triggers are disabled');
BEGIN;
DROP EXTENSION router CASCADE;
SELECT test.ddl_of_stranger() AS said \gset
SELECT count(*) AS rows FROM app.base \gset
ROLLBACK;
SELECT is(:'said'::text, '', 'or the extension is dropped, which needs no library');
SELECT is(:rows, 2, 'the rows stay');
UPDATE pg_proc SET probin = '$libdir/router' WHERE probin = '$libdir/no_such_router';

SELECT * FROM finish();
DROP SCHEMA app CASCADE;
DROP ACCESS METHOD another_heap;
DROP EXTENSION postgres_fdw CASCADE;
