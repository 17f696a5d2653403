-- A child is as good as its base: checklist section E, F11. One base with everything,
-- and its child compared with it in the catalogs, then at work.
\ir ../../include/helpers.sql
\set tests 62
SELECT plan(:tests);

SELECT test.role('router_t_owner'), test.role('router_t_reader'), test.role('router_t_writer') \g /dev/null
GRANT CREATE ON SCHEMA public TO router_t_owner;
SET allow_in_place_tablespaces = on;
SELECT $$CREATE TABLESPACE router_t_space LOCATION ''$$ WHERE NOT EXISTS (SELECT FROM pg_tablespace WHERE spcname = 'router_t_space') \gexec
GRANT CREATE ON TABLESPACE router_t_space TO router_t_owner;

CREATE TABLE place (id int PRIMARY KEY, name text);
CREATE TABLE kind (code text, version int, PRIMARY KEY (code, version));
INSERT INTO place VALUES (1, 'one'), (2, 'two');
INSERT INTO kind VALUES ('k', 1);
GRANT REFERENCES, SELECT ON place, kind TO router_t_owner;
CREATE SEQUENCE counter;
GRANT USAGE ON counter TO router_t_owner;
CREATE TABLE fired (name text, op text, tab text, told text);
GRANT INSERT ON fired TO PUBLIC;
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO fired VALUES (TG_NAME, TG_WHEN || ' ' || TG_OP, TG_TABLE_NAME, TG_ARGV[0]);
    RETURN coalesce(NEW, OLD);
END $$;

SET ROLE router_t_owner;
CREATE TABLE base (
    id       bigint GENERATED ALWAYS AS IDENTITY,
    d        date NOT NULL,
    place_id int REFERENCES place ON DELETE CASCADE ON UPDATE SET NULL,
    code     text DEFAULT 'k',
    version  int DEFAULT 1,
    name     text COLLATE "C" CHECK (name <> 'forbidden'),
    twice    int GENERATED ALWAYS AS (place_id * 2) STORED,
    n        int NOT NULL DEFAULT nextval('public.counter'),
    body     text,
    span     int4range,
    tags     text[],
    dropped  text,
    PRIMARY KEY (id, d) WITH (fillfactor = 71),
    CONSTRAINT late_unique UNIQUE (n, d) DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT apart EXCLUDE USING gist (span WITH &&) WHERE (span IS NOT NULL),
    CONSTRAINT long_check CHECK (n > 0 OR body IS NULL),
    CONSTRAINT kind_fk FOREIGN KEY (code, version) REFERENCES kind MATCH FULL ON DELETE SET DEFAULT DEFERRABLE INITIALLY DEFERRED
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.07, toast.autovacuum_vacuum_threshold = 777);
ALTER TABLE base DROP COLUMN dropped;
CREATE INDEX plain_idx ON base (place_id) INCLUDE (n, name) WITH (fillfactor = 66);
CREATE INDEX partial_idx ON base (name text_pattern_ops DESC NULLS LAST) WHERE place_id > 0;
CREATE INDEX expr_idx ON base (lower(body) COLLATE "POSIX", (n + 1) DESC);
CREATE UNIQUE INDEX uniq_expr ON base (lower(name), d) WHERE name IS NOT NULL;
CREATE INDEX gin_idx ON base USING gin (tags) WITH (fastupdate = off);
CREATE INDEX brin_idx ON base USING brin (d) WITH (pages_per_range = 16);
CREATE INDEX hash_idx ON base USING hash (code);
CREATE INDEX space_idx ON base (code) TABLESPACE router_t_space;
ALTER TABLE base ALTER COLUMN name SET STATISTICS 321;
ALTER TABLE base ALTER COLUMN place_id SET (n_distinct = -0.5);
ALTER TABLE base ALTER COLUMN body SET STORAGE EXTERNAL;
CREATE STATISTICS both_stats (ndistinct, mcv) ON place_id, code FROM base;
CREATE STATISTICS expr_stats ON (lower(body)) FROM base;
ALTER STATISTICS both_stats SET STATISTICS 123;
ALTER TABLE base REPLICA IDENTITY FULL;
COMMENT ON TABLE base IS 'it''s the base';
COMMENT ON COLUMN base.d IS 'the "day"';
COMMENT ON INDEX plain_idx IS 'index comment';
CREATE TRIGGER a_after AFTER INSERT OR UPDATE OF name OR DELETE ON base FOR EACH ROW EXECUTE FUNCTION note('it''s');
CREATE TRIGGER b_when AFTER INSERT ON base FOR EACH ROW WHEN (NEW.n > 1000) EXECUTE FUNCTION note('big');
CREATE TRIGGER c_update BEFORE UPDATE ON base FOR EACH ROW WHEN (OLD.name IS DISTINCT FROM NEW.name) EXECUTE FUNCTION note();
CREATE CONSTRAINT TRIGGER d_constraint AFTER INSERT ON base DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION note('deferred');
CREATE TRIGGER e_disabled AFTER INSERT ON base FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER f_replica AFTER INSERT ON base FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER g_always AFTER INSERT ON base FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER h_before BEFORE INSERT ON base FOR EACH ROW EXECUTE FUNCTION note();
ALTER TABLE base DISABLE TRIGGER e_disabled;
ALTER TABLE base ENABLE REPLICA TRIGGER f_replica;
ALTER TABLE base ENABLE ALWAYS TRIGGER g_always;
ALTER TABLE base ENABLE ROW LEVEL SECURITY;
ALTER TABLE base FORCE ROW LEVEL SECURITY;
CREATE POLICY everyone ON base FOR SELECT USING (name IS DISTINCT FROM 'secret');
CREATE POLICY writers ON base AS PERMISSIVE FOR INSERT TO router_t_writer, router_t_owner WITH CHECK (place_id < 100);
CREATE POLICY narrow ON base AS RESTRICTIVE FOR ALL TO router_t_reader USING (n < 5000) WITH CHECK (n < 4000);
GRANT SELECT, INSERT ON base TO router_t_writer WITH GRANT OPTION;
GRANT SELECT ON base TO router_t_reader;
GRANT UPDATE (name, body), REFERENCES (id) ON base TO router_t_reader;
REVOKE TRUNCATE, REFERENCES ON base FROM router_t_owner;
RESET ROLE;
ALTER TABLE base SET TABLESPACE router_t_space;
CREATE PUBLICATION whole FOR TABLE base;
-- from 18 on a replica identity must not hold generated columns that are not published
SELECT current_setting('server_version_num')::int >= 180000 AS publishes_generated \gset
\if :publishes_generated
ALTER PUBLICATION whole SET (publish_generated_columns = stored);
\endif
CREATE PUBLICATION part FOR TABLE base (id, d, name) WHERE (name <> 'private') WITH (publish = 'insert');
CREATE PUBLICATION other FOR TABLE place;
-- what new tables of this owner would get by themselves is not what the base has
ALTER DEFAULT PRIVILEGES FOR ROLE router_t_owner GRANT ALL ON TABLES TO PUBLIC;
SELECT router.create_route('base', router.by_date('d', 'month')) \g /dev/null

:fresh
INSERT INTO base (d, place_id, name) VALUES ('2024-05-05', 1, 'first');
SELECT is(test.homes('base'), 'base_y2024m05: 1', 'one row, one child');

-- Two relations compared: rows of the catalog with names of relations and indexes taken away.
CREATE FUNCTION test.differ(what text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    EXECUTE format('SELECT string_agg(side || x, ''; '') FROM (
                        (SELECT ''base only: '' AS side, q::text AS x FROM (%1$s) q EXCEPT ALL SELECT ''base only: '', q::text FROM (%2$s) q)
                        UNION ALL
                        (SELECT ''child only: '' AS side, q::text AS x FROM (%2$s) q EXCEPT ALL SELECT ''child only: '', q::text FROM (%1$s) q)) d',
                   replace(what, '$1', '''base''::regclass'), replace(what, '$1', '''base_y2024m05''::regclass'))
       INTO result;
    RETURN coalesce(result, 'nothing');
END $$;

SELECT is(test.differ('SELECT relowner::regrole FROM pg_class WHERE oid = $1'), 'nothing', 'owner');
SELECT is(test.differ('SELECT (a).* FROM (SELECT aclexplode(relacl) AS a FROM pg_class WHERE oid = $1) q'), 'nothing', 'table grants, with grant options, and no default privileges');
SELECT is(test.differ('SELECT attname, (a).* FROM (SELECT attname, aclexplode(attacl) AS a FROM pg_attribute WHERE attrelid = $1) q'), 'nothing', 'column grants');
SELECT is(test.differ($$SELECT regexp_replace(pg_get_indexdef(indexrelid), ' INDEX .* USING', ' INDEX USING') || (SELECT reltablespace FROM pg_class WHERE oid = indexrelid)
                          FROM pg_index WHERE indrelid = $1$$), 'nothing', 'indexes: partial, expression, INCLUDE, operator classes, collations, order, methods, parameters, tablespaces');
SELECT is(test.differ($$SELECT row(indisunique, indisprimary, indisexclusion, indimmediate, indisreplident, indnatts, indkey)::text FROM pg_index WHERE indrelid = $1 ORDER BY 1$$), 'nothing', 'indexes: unique, primary, exclusion, deferrable');
SELECT is(test.differ($$SELECT row(contype, pg_get_constraintdef(oid), condeferrable, condeferred, convalidated)::text FROM pg_constraint WHERE conrelid = $1 AND contype <> 't' AND conname <> 'router_home'$$), 'nothing',
          'constraints: primary key, unique, exclusion, CHECK, foreign keys with actions and deferrability');
SELECT is((SELECT count(*) FROM pg_constraint WHERE conrelid = 'base_y2024m05'::regclass AND contype = 'c' AND conname = 'router_home' AND convalidated AND NOT connoinherit), 1::bigint, 'and one CHECK more: router_home');
SELECT is((SELECT count(*) FROM pg_constraint WHERE conrelid = 'base_y2024m05'::regclass AND contype = 'c'), 3::bigint, 'no CHECK twice');
SELECT is((SELECT bool_and(coninhcount = 1 AND NOT conislocal) FROM pg_constraint WHERE conrelid = 'base_y2024m05'::regclass AND contype = 'c' AND conname <> 'router_home'), true, 'CHECKs of the base are inherited, not local');
SELECT is((SELECT bool_and(attinhcount = 1 AND NOT attislocal) FROM pg_attribute WHERE attrelid = 'base_y2024m05'::regclass AND attnum > 0 AND NOT attisdropped), true, 'columns are inherited, not local');
SELECT is(test.differ('SELECT row(attname, format_type(atttypid, atttypmod), attcollation, attnotnull, attgenerated)::text FROM pg_attribute WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped'), 'nothing',
          'columns: types, collations, NOT NULL, generated');
SELECT is(test.differ('SELECT attname, pg_get_expr(adbin, adrelid) FROM pg_attrdef JOIN pg_attribute ON attrelid = adrelid AND attnum = adnum WHERE adrelid = $1 AND attidentity = '''' AND attname <> ''id'''), 'nothing', 'defaults and generation expressions');
-- some releases keep a version of the column, pg_attver, among its options
SELECT is(test.differ('SELECT row(attname, attstattarget, (SELECT array_agg(o) FROM unnest(attoptions) o WHERE o !~ ''^pg_attver=''), attstorage, attcompression)::text FROM pg_attribute WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped'), 'nothing', 'statistics targets, n_distinct, storage of columns');
SELECT is(test.differ('SELECT row(relpersistence, relkind, relam, reltablespace, relreplident, relrowsecurity, relforcerowsecurity)::text FROM pg_class WHERE oid = $1'), 'nothing',
          'persistence, access method, tablespace, replica identity, row security flags');
SELECT is(test.differ('SELECT unnest(reloptions) FROM pg_class WHERE oid = $1'), 'nothing', 'storage parameters');
SELECT is(test.differ('SELECT unnest(reloptions) FROM pg_class WHERE oid = (SELECT reltoastrelid FROM pg_class WHERE oid = $1)'), 'nothing', 'storage parameters of the toast table');
SELECT is(test.differ($$SELECT row(stxstattarget, stxkind, stxkeys, pg_get_statisticsobjdef_columns(oid))::text FROM pg_statistic_ext WHERE stxrelid = $1$$), 'nothing', 'extended statistics and their target');
SELECT is(test.differ($$SELECT row(tgname, tgenabled, tgdeferrable, tginitdeferred, regexp_replace(pg_get_triggerdef(oid), ' ON (public\.)?base\S* ', ' ON t '))::text FROM pg_trigger
                         WHERE tgrelid = $1 AND NOT tgisinternal AND tgtype & 1 = 1 AND tgname !~ '^[!~]router' AND NOT (tgtype & 2 = 2 AND tgtype & 4 = 4)$$), 'nothing',
          'row triggers: WHEN, UPDATE OF, arguments, deferrability, enabled state');
SELECT is((SELECT string_agg(tgname, ' ' ORDER BY tgname) FROM pg_trigger WHERE tgrelid = 'base_y2024m05'::regclass AND tgname ~ 'router_(route|settle|flush)'), NULL, 'but not router''s own triggers for INSERT');
SELECT is(test.differ($$SELECT row(polname, polpermissive, polcmd, polroles::text, pg_get_expr(polqual, polrelid), pg_get_expr(polwithcheck, polrelid))::text FROM pg_policy WHERE polrelid = $1$$), 'nothing', 'row security policies');
SELECT is(test.differ($$SELECT attname, d.description FROM pg_description d JOIN pg_attribute a ON a.attrelid = d.objoid AND a.attnum = d.objsubid WHERE d.objoid = $1 AND d.classoid = 'pg_class'::regclass$$), 'nothing', 'comments on columns');
SELECT is(test.differ($$SELECT obj_description($1, 'pg_class')$$), 'nothing', 'comment on the table');
SELECT is(test.differ($$SELECT obj_description(indexrelid, 'pg_class') FROM pg_index WHERE indrelid = $1 AND obj_description(indexrelid, 'pg_class') IS NOT NULL$$), 'nothing', 'comments on indexes');
SELECT is(test.differ('SELECT pubname FROM pg_publication_rel r JOIN pg_publication p ON p.oid = r.prpubid WHERE prrelid = $1'), 'nothing', 'publications');
SELECT is(test.differ('SELECT row(prattrs::text, pg_get_expr(prqual, prrelid))::text FROM pg_publication_rel WHERE prrelid = $1'), 'nothing', 'publications: column lists and row filters');
SELECT is(test.differ('SELECT attname FROM pg_attribute WHERE attrelid = $1 AND attnum > 0 AND NOT attisdropped'), 'nothing', 'the dropped column is not there');

-- ----------------------------------------------------------------- at work
SELECT is((SELECT string_agg(name || ' ' || op || ' ' || tab || coalesce(' ' || told, ''), ', ' ORDER BY name, tab) FROM fired),
          'a_after AFTER INSERT base_y2024m05 it''s, d_constraint AFTER INSERT base_y2024m05 deferred, g_always AFTER INSERT base_y2024m05, h_before BEFORE INSERT base',
          'triggers of the insert: each once, AFTER on the child, BEFORE on the base; the disabled and the replica one not');
SELECT is((SELECT row(id, code, version, twice, n)::text FROM base), '(1,k,1,2,1)', 'identity, defaults and the generated column, each computed once');
TRUNCATE fired;
INSERT INTO base (d, place_id, name, n) VALUES ('2024-05-06', 1, 'many', 1001);
SELECT is((SELECT count(*) FROM fired WHERE name = 'b_when'), 1::bigint, 'a trigger WHEN its condition holds');
TRUNCATE fired;
UPDATE base SET name = 'changed' WHERE name = 'many';
UPDATE base SET body = 'x' WHERE name = 'changed';
DELETE FROM base WHERE name = 'changed';
SELECT is((SELECT string_agg(name || ' ' || op || ' ' || tab, ', ' ORDER BY name, op) FROM fired), 'a_after AFTER DELETE base_y2024m05, a_after AFTER UPDATE base_y2024m05, c_update BEFORE UPDATE base_y2024m05', 'UPDATE and DELETE triggers fire on the child');
TRUNCATE fired;
INSERT INTO base_y2024m05 (id, d, place_id, name) OVERRIDING SYSTEM VALUE VALUES (500, '2024-05-07', 1, 'direct');
SELECT is((SELECT string_agg(name || ' ' || op || ' ' || tab, ', ' ORDER BY name, op) FROM fired),
          'a_after AFTER INSERT base_y2024m05, d_constraint AFTER INSERT base_y2024m05, g_always AFTER INSERT base_y2024m05, h_before BEFORE INSERT base_y2024m05',
          'the same triggers for a row inserted into the child itself');
INSERT INTO base_y2024m05 (d, place_id, name) VALUES ('2024-05-08', 1, 'direct2');
SELECT is((SELECT id FROM base WHERE name = 'direct2'), (SELECT max(id) FROM base WHERE id < 500), 'an identity for a row inserted into the child itself, from the same sequence');
INSERT INTO base (d, place_id, name) VALUES ('2024-05-09', 1, 'after');
SELECT is((SELECT count(DISTINCT id) FROM base), (SELECT count(*) FROM base), 'which never gives the same twice');

SELECT throws_ok($$INSERT INTO base (d, name) VALUES (NULL, 'x')$$, '23502', NULL, 'NOT NULL holds');
SELECT throws_ok($$INSERT INTO base (d, name) VALUES ('2024-05-05', 'forbidden')$$, '23514', NULL, 'CHECK holds');
SELECT throws_ok($$INSERT INTO base (id, d) OVERRIDING SYSTEM VALUE VALUES (1, '2024-05-05')$$, '23505', NULL, 'the primary key holds');
SELECT throws_ok($$INSERT INTO base (d, name) VALUES ('2024-05-05', 'FIRST')$$, '23505', NULL, 'the unique expression index holds');
INSERT INTO base (d, span) VALUES ('2024-05-05', '[1,10)');
SELECT throws_ok($$INSERT INTO base (d, span) VALUES ('2024-05-06', '[5,6)')$$, '23P01', NULL, 'the exclusion constraint holds');
SELECT throws_ok($$INSERT INTO base (d, place_id) VALUES ('2024-05-05', 99)$$, '23503', NULL, 'the foreign key holds');
SELECT throws_ok($$INSERT INTO base (place_id) VALUES (1)$$, '23502', NULL, 'no default for the key: NOT NULL holds before a child is created');
SELECT is(test.children('base'), 'base_y2024m05', 'no child for rows that failed');
-- deferred
BEGIN;
INSERT INTO base (d, code, version, name) VALUES ('2024-05-05', 'late', 7, 'deferred fk');
INSERT INTO kind VALUES ('late', 7);
COMMIT;
SELECT is((SELECT count(*) FROM base WHERE name = 'deferred fk'), 1::bigint, 'a deferred foreign key is checked at commit: held');
BEGIN;
INSERT INTO base (d, code, version, name) VALUES ('2024-08-05', 'never', 7, 'deferred fk 2');
COMMIT;
SELECT is(test.children('base'), 'base_y2024m05', 'a deferred foreign key is checked at commit: failed, and the child is gone with the row');
BEGIN;
INSERT INTO base (d, n, name) VALUES ('2024-05-05', 77, 'u1'), ('2024-05-05', 77, 'u2');
UPDATE base SET n = 78 WHERE name = 'u2';
COMMIT;
SELECT is((SELECT count(*) FROM base WHERE name IN ('u1', 'u2')), 2::bigint, 'a deferred unique constraint is checked at commit');
DELETE FROM place WHERE id = 1;
SELECT is((SELECT count(*) FROM base WHERE place_id = 1), 0::bigint, 'ON DELETE CASCADE reaches the child');
INSERT INTO base (d, place_id, name) VALUES ('2024-05-20', 2, 'set null');
UPDATE place SET id = 3 WHERE id = 2;
SELECT is((SELECT count(*) FROM base WHERE name = 'set null' AND place_id IS NULL), 1::bigint, 'ON UPDATE SET NULL reaches the child');
SELECT is(test.strays('base'), 'none', 'all rows home');

-- row security at work, also on the child itself
INSERT INTO base (d, name) VALUES ('2024-05-21', 'secret'), ('2024-05-22', 'open');
SET ROLE router_t_reader;
SELECT is((SELECT count(*) FROM base WHERE name = 'secret') + (SELECT count(*) FROM base_y2024m05 WHERE name = 'secret'), 0::bigint, 'a policy hides a row, in the child itself too');
SELECT is((SELECT count(*) FROM base_y2024m05 WHERE name = 'open'), 1::bigint, 'and shows the others');
SELECT throws_ok('DELETE FROM base_y2024m05', '42501', NULL, 'no privilege on the child that the base does not give');
RESET ROLE;

-- ------------------------------------------------- unlogged, temporary, plain
CREATE UNLOGGED TABLE unlogged (v int PRIMARY KEY);
CREATE TABLE plain (v int);
CREATE TABLE full_identity (v int NOT NULL, w int NOT NULL);
CREATE UNIQUE INDEX identity_idx ON full_identity (v);
ALTER TABLE full_identity REPLICA IDENTITY USING INDEX identity_idx;
CREATE TABLE nothing_identity (v int);
ALTER TABLE nothing_identity REPLICA IDENTITY NOTHING;
CREATE TABLE nnd (k int, v int, UNIQUE NULLS NOT DISTINCT (k, v));
CREATE TABLE serial_t (id serial, v int);
SELECT router.create_route(t::regclass, router.by_integer('v', 10)) FROM unnest('{unlogged,plain,full_identity,nothing_identity,nnd,serial_t}'::text[]) t \g /dev/null
:fresh
INSERT INTO unlogged VALUES (1);
INSERT INTO plain VALUES (1);
INSERT INTO full_identity VALUES (1, 1);
INSERT INTO nothing_identity VALUES (1);
INSERT INTO nnd VALUES (NULL, 5);
INSERT INTO serial_t (v) VALUES (1), (2), (3);
SELECT is((SELECT relpersistence FROM pg_class WHERE oid = 'unlogged_1_10'::regclass), 'u', 'UNLOGGED');
SELECT is((SELECT row(relacl IS NULL, reloptions IS NULL, relrowsecurity, relreplident)::text FROM pg_class WHERE oid = 'plain_1_10'::regclass), '(t,t,f,d)', 'a plain base: a plain child');
SELECT is((SELECT indisreplident FROM pg_index WHERE indrelid = 'full_identity_1_10'::regclass), true, 'replica identity by an index');
SELECT is((SELECT relreplident FROM pg_class WHERE oid = 'nothing_identity_1_10'::regclass), 'n', 'replica identity nothing');
SELECT throws_ok('INSERT INTO nnd VALUES (NULL, 5)', '23505', NULL, 'NULLS NOT DISTINCT');
INSERT INTO serial_t_1_10 (v) VALUES (4);
SELECT is((SELECT array_agg(id ORDER BY id) FROM serial_t), '{1,2,3,4}', 'serial: one sequence for base and child');
CREATE TEMP TABLE tmp (v int PRIMARY KEY) ON COMMIT PRESERVE ROWS;
SELECT router.create_route('tmp', router.by_integer('v', 10)) \g /dev/null
INSERT INTO tmp VALUES (1), (11);
SELECT is(test.homes('tmp'), 'tmp_11_20: 1, tmp_1_10: 1', 'a temporary table is routed');
SELECT is((SELECT bool_and(relpersistence = 't') FROM pg_class WHERE oid IN (SELECT tableoid FROM tmp)), true, 'its children are temporary');
:fresh
SELECT is((SELECT count(*) FROM router.children c WHERE NOT EXISTS (SELECT FROM pg_class WHERE oid = c.child)) + (SELECT count(*) FROM router.route_def r WHERE NOT EXISTS (SELECT FROM pg_class WHERE oid = r.base)), 0::bigint,
          'and it leaves nothing behind when its session ends');

-- created without a row: the same
SELECT router.create_child('base', '2025-01-01') \g /dev/null
SELECT is((SELECT count(*) FROM pg_index WHERE indrelid = 'base_y2025m01'::regclass), (SELECT count(*) FROM pg_index WHERE indrelid = 'base'::regclass), 'create_child gives it the indexes as well');
SELECT is((SELECT relowner::regrole::text FROM pg_class WHERE oid = 'base_y2025m01'::regclass), 'router_t_owner', 'and the owner');

SELECT * FROM finish();
DROP TABLE base CASCADE;
