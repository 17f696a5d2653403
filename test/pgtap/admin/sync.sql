-- router.sync: drift of every kind is mended, once; dry_run; who may; base_constraint; CALL router.sync.
\ir ../../include/helpers.sql
\set tests 45
SELECT plan(:tests);

SELECT test.role('router_s_owner'), test.role('router_s_user') \g /dev/null
CREATE SCHEMA app AUTHORIZATION router_s_owner;
GRANT USAGE ON SCHEMA app TO router_s_user;
SET ROLE router_s_owner;
CREATE TABLE app.place (id int PRIMARY KEY);
INSERT INTO app.place SELECT generate_series(1, 9);
CREATE FUNCTION app.note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TABLE app.t (k int NOT NULL, region text, place_id int REFERENCES app.place ON DELETE CASCADE, v text DEFAULT 'v',
    n int, PRIMARY KEY (k, region), CONSTRAINT u UNIQUE (region, k, n) DEFERRABLE, CHECK (n > 0)) WITH (fillfactor = 70, toast.autovacuum_enabled = false);
CREATE INDEX ON app.t (v);
CREATE INDEX low ON app.t (lower(v)) WHERE n > 5;
CREATE STATISTICS app.st ON v, n FROM app.t;
ALTER STATISTICS app.st SET STATISTICS 77;
ALTER TABLE app.t ALTER v SET STATISTICS 200, ALTER v SET (n_distinct = 9), ALTER v SET STORAGE EXTERNAL, ENABLE ROW LEVEL SECURITY, REPLICA IDENTITY FULL, CLUSTER ON t_v_idx;
CREATE POLICY p ON app.t USING (v IN ('a', 'b', 'v'));
CREATE TRIGGER tr BEFORE INSERT ON app.t FOR EACH ROW EXECUTE FUNCTION app.note();
GRANT SELECT ON app.t TO router_s_user;
GRANT UPDATE (v) ON app.t TO router_s_user;
COMMENT ON TABLE app.t IS 't';
COMMENT ON COLUMN app.t.v IS 'v';
COMMENT ON INDEX app.low IS 'low';
COMMENT ON CONSTRAINT u ON app.t IS 'u';
COMMENT ON TRIGGER tr ON app.t IS 'tr';
SELECT router.create_route('app.t', ARRAY[router.by_list('region'), router.by_integer('k', 10)]) \g /dev/null
INSERT INTO app.t VALUES (1, 'n', 1), (2, 's', 2);
SELECT is(test.unlike('app.t'), 'nothing', 'new children are like their base');
SELECT is_empty($$SELECT router.sync('app.t')$$, 'and there is nothing to mend');
SELECT is((SELECT array_agg(i::regclass::text ORDER BY i::regclass::text COLLATE "C") FROM (SELECT indexrelid AS i FROM pg_index WHERE indrelid = 'app.t_n_1_10'::regclass) i)::text,
          '{app.t_n_1_10_low,app.t_n_1_10_pkey,app.t_n_1_10_u,app.t_n_1_10_v_idx}', 'names of indexes by rule');
SELECT is((SELECT stxname::text FROM pg_statistic_ext WHERE stxrelid = 'app.t_n_1_10'::regclass), 't_n_1_10_st', 'and of statistics');

-- ------------------------------------------------- a table of another making
CREATE TABLE app.old (n int CHECK (n > 0), v text, gone int, place_id int, region text NOT NULL, k int NOT NULL);
ALTER TABLE app.old DROP COLUMN gone, ADD CONSTRAINT t_n_check CHECK (n > 0), DROP CONSTRAINT old_n_check;
CREATE UNIQUE INDEX some_name ON app.old (region, k);
INSERT INTO app.old SELECT 1, 'old', 3, 'n', i FROM generate_series(11, 20) i;
SELECT router.attach_child('app.t', 'app.old', ARRAY['{n}', '[11,20]']) \g /dev/null
SELECT isnt(test.unlike('app.t'), 'nothing', 'an attached table lacks what the base has');
SELECT isnt_empty($$SELECT router.sync('app.t', dry_run => true)$$, 'dry_run tells');
SELECT isnt(test.unlike('app.t'), 'nothing', 'and does nothing');
SELECT is((SELECT count(*) FROM router.sync('app.t', dry_run => true)), (SELECT count(*) FROM router.sync('app.t')), 'it told of as much as is then done');
DROP INDEX app.some_name;
SELECT is(test.unlike('app.t'), 'nothing', 'router.sync gives it everything');
SELECT is_empty($$SELECT router.sync('app.t')$$, 'once');
SELECT is_empty($$SELECT * FROM router.check('app.t')$$, 'router.check is content');

-- ------------------------------------------------------ everything goes wrong
:fresh
SET ROLE router_s_owner;
DROP INDEX app.t_n_1_10_low, app.t_n_1_10_v_idx;
CREATE INDEX t_n_1_10_low ON app.t_n_1_10 (lower(v)) WHERE n > 6;
ALTER TABLE app.t_n_1_10 DROP CONSTRAINT t_n_1_10_pkey, DROP CONSTRAINT t_n_1_10_u, DROP CONSTRAINT t_place_id_fkey, RESET (fillfactor), DISABLE ROW LEVEL SECURITY, REPLICA IDENTITY DEFAULT;
ALTER TABLE app.t_n_1_10 ADD CONSTRAINT t_place_id_fkey FOREIGN KEY (place_id) REFERENCES app.place;
DROP STATISTICS app.t_n_1_10_st;
ALTER TABLE app.t_n_1_10 ALTER v SET STATISTICS -1, ALTER v RESET (n_distinct), ALTER v SET STORAGE EXTENDED, ALTER v DROP DEFAULT;
DROP POLICY p ON app.t_n_1_10;
CREATE POLICY p ON app.t_n_1_10 USING (true);
DROP TRIGGER tr ON app.t_n_1_10;
CREATE TRIGGER tr AFTER INSERT ON app.t_n_1_10 FOR EACH ROW EXECUTE FUNCTION app.note();
REVOKE ALL ON app.t_n_1_10 FROM router_s_user;
REVOKE ALL (v) ON app.t_n_1_10 FROM router_s_user;
GRANT ALL ON app.t_n_1_10 TO PUBLIC;
COMMENT ON TABLE app.t_n_1_10 IS NULL;
COMMENT ON COLUMN app.t_n_1_10.v IS 'other';
ALTER TABLE app.t_n_1_10 DROP CONSTRAINT router_home;
ALTER TABLE app.old DROP CONSTRAINT router_home, ADD CONSTRAINT router_home CHECK (k > 10) NOT VALID;
ALTER TABLE app.t_s_1_10 DISABLE TRIGGER tr;
ALTER TABLE app.t DISABLE TRIGGER "~router_route";
DROP TRIGGER "!router_flush" ON app.t;
SELECT isnt(test.unlike('app.t'), 'nothing', 'children differ in everything');
SELECT lives_ok($$SELECT router.sync('app.t')$$, 'router.sync');
DROP INDEX IF EXISTS app.t_n_1_10_low;
SELECT is((SELECT string_agg(tgname::text || tgenabled::text, ' ' ORDER BY tgname) FROM pg_trigger WHERE tgrelid = 'app.t'::regclass AND tgname ~ 'router'), '!router_flushA ~router_moveA ~router_routeA ~router_settleA', 'the base has its triggers back');
SELECT is(test.unlike('app.t'), 'nothing', 'all is alike');
SELECT is_empty($$SELECT * FROM router.check()$$, 'and right');
INSERT INTO app.t VALUES (3, 'n', 1);
SELECT is(test.strays('app.t'), 'none', 'rows go home');
SELECT is(router.base_constraint('app.t_n_1_10', (SELECT relname FROM pg_index JOIN pg_class c ON c.oid = indexrelid WHERE indrelid = 'app.t_n_1_10'::regclass AND indpred IS NOT NULL)), 'low', 'base_constraint goes by definition, not by name');
SELECT is(router.base_constraint('app.old', 'old_pkey'), 't_pkey', 'base_constraint of an attached child');
SELECT is(router.base_constraint('app.old', 't_n_check'), 't_n_check', 'of a CHECK');
SELECT is(router.base_constraint('app.old', 'no such'), NULL, 'of none');
SELECT is(router.base_constraint(NULL, 'u'), NULL, 'NULL');

-- --------------------------------------------------------------- privileges
SELECT throws_ok($$SELECT router.sync('app.place')$$, '55000', NULL, 'a table that is not routed');
SELECT throws_ok($$SELECT router.sync(NULL)$$, '22004', NULL, 'NULL');
RESET ROLE;
SET ROLE router_s_user;
SELECT throws_ok($$SELECT router.sync('app.t')$$, '42501', NULL, 'not the owner');
SELECT throws_ok($$SELECT router.sync('app.t', dry_run => true)$$, '42501', NULL, 'not even dry');
SELECT throws_ok($$SELECT * FROM router.check('app.t')$$, '42501', NULL, 'nor router.check');
SELECT is((SELECT string_agg(DISTINCT kind, ' ') FROM router.check()), 'not checked', 'which tells others nothing but that');
RESET ROLE;
-- what an index expression does runs as the owner of the base, restricted
CREATE FUNCTION app.evil(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$BEGIN PERFORM set_config('router_s.seen', coalesce(current_setting('router_s.seen', true), '') || current_user || ' ' || current_setting('search_path'), false); RETURN $1; END $$;
ALTER FUNCTION app.evil OWNER TO router_s_owner;
SET ROLE router_s_owner;
CREATE INDEX ON ONLY app.t (app.evil(n));
RESET ROLE;
SELECT lives_ok($$SELECT router.sync('app.t')$$, 'sync by a superuser');
SELECT is(current_user::text, session_user::text, 'is himself afterwards');
SELECT unalike(coalesce(current_setting('router_s.seen', true), ''), '%' || current_user || '%', 'and expressions did not run as he');

-- --------------------------------------------------- CALL router.sync
SET ROLE router_s_owner;
SELECT throws_ok($$CALL router.sync('app.t', concurrently => true)$$, '25001', NULL, 'not in a function');
SELECT isnt(test.hint($$CALL router.sync('app.t', concurrently => true)$$), NULL, 'with a hint');
BEGIN;
CALL router.sync('app.t', concurrently => true);
ROLLBACK;
SELECT is((SELECT count(*) FROM pg_index WHERE NOT indisvalid), 0::bigint, 'nor in a transaction block');
CREATE UNIQUE INDEX CONCURRENTLY t_conc ON app.t (region, k, v);
SELECT is((SELECT count(*) FROM router.sync('app.t', dry_run => true)), (SELECT count(*) FROM router.children), 'CREATE INDEX CONCURRENTLY of the base is not followed');
ALTER TABLE ONLY app.t ADD CONSTRAINT conc UNIQUE (n, region, k) INCLUDE (v) DEFERRABLE INITIALLY DEFERRED;
ALTER TABLE ONLY app.t ADD CONSTRAINT ex EXCLUDE USING btree (k WITH =, region WITH =);
CREATE TRIGGER tr2 BEFORE INSERT ON app.t FOR EACH ROW EXECUTE FUNCTION app.note();
ALTER TABLE app.t_n_1_10 DISABLE TRIGGER tr2;
CALL router.sync('app.t', concurrently => true, dry_run => true);
SELECT isnt(test.unlike('app.t'), 'nothing', 'dry_run does nothing');
CALL router.sync('app.t', concurrently => true);
SELECT is(test.unlike('app.t'), 'nothing', 'CALL router.sync: indexes, constraints and the rest');
SELECT is_empty($$SELECT * FROM router.check('app.t')$$, 'all is well');
SELECT is(current_user::text, 'router_s_owner', 'the role is as it was');
-- one that fails leaves an invalid index, which the next run replaces
CREATE UNIQUE INDEX CONCURRENTLY dup ON app.t (place_id, region);
INSERT INTO app.t VALUES (4, 'n', 5), (5, 'n', 5);
CALL router.sync('app.t', concurrently => true);
SELECT is((SELECT count(*) FROM pg_index WHERE indrelid = 'app.t_n_1_10'::regclass AND NOT indisvalid), 1::bigint, 'an index that cannot be built is left invalid');
SELECT is((SELECT count(*) FROM router.check('app.t') WHERE kind = 'index' AND detail ~ 'invalid' AND child = 'app.t_n_1_10'::regclass) > 0, true, 'router.check tells');
DELETE FROM app.t WHERE place_id IN (1, 5);
DELETE FROM app.t WHERE place_id = 3 AND k > 11;
CALL router.sync('app.t', concurrently => true);
SELECT is((SELECT count(*) FROM pg_index WHERE NOT indisvalid), 0::bigint, 'another run replaces it');
SELECT is((SELECT count(*) FROM router.check('app.t') WHERE kind = 'index'), 0::bigint, 'and the indexes are right');
-- in the middle of a session's transaction nothing lingers
SELECT is((SELECT count(*) FROM pg_locks WHERE pid = pg_backend_pid() AND relation IN ('app.t'::regclass, 'app.t_n_1_10'::regclass)), 0::bigint, 'no lock is left');
CALL router.sync('app.t', concurrently => false);
SELECT is_empty($$SELECT * FROM router.check('app.t')$$, 'not concurrently');

SELECT * FROM finish();
