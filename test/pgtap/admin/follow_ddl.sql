-- DDL on a base follows to its children: checklist E, last line. Two levels, and attached children
-- whose columns stand in another order. test.follow compares catalogs, and asks router.check.
\ir ../../include/helpers.sql
\set tests 164
SELECT plan(:tests);

SELECT test.role('router_f_owner'), test.role('router_f_other'), test.role('router_f_reader') \g /dev/null
CREATE SCHEMA app;
CREATE SCHEMA app2;
GRANT ALL ON SCHEMA app, app2 TO router_f_owner, router_f_other;
GRANT USAGE ON SCHEMA app TO PUBLIC;
GRANT USAGE ON SCHEMA test TO PUBLIC;
GRANT router_f_other TO router_f_owner;
SET ROLE router_f_owner;
CREATE TABLE app.place (id int PRIMARY KEY, name text UNIQUE);
CREATE TABLE app.other_place (id int PRIMARY KEY);
INSERT INTO app.place SELECT i, 'p' || i FROM generate_series(1, 9) i;
INSERT INTO app.other_place SELECT * FROM generate_series(1, 9);
CREATE FUNCTION app.note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE FUNCTION app.note2() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
CREATE TABLE app.t (gone int, region text, k int, place_id int, v varchar, n int, d date DEFAULT '2020-01-01');
ALTER TABLE app.t DROP COLUMN gone;
SELECT router.create_route('app.t', ARRAY[router.by_list('region'), router.by_integer('k', 100)]) \g /dev/null
INSERT INTO app.t VALUES ('n', 1, 1, 'x', 1), ('n', 101, 2, 'y', 2), ('s', 1, 3, 'z', 3);
CREATE TABLE app.attached (d date DEFAULT '2020-01-01', n int, dropped int, v varchar, place_id int, k int, region text);
ALTER TABLE app.attached DROP COLUMN dropped;
INSERT INTO app.attached VALUES (DEFAULT, 4, 'w', 4, 501, 'n');
SELECT router.attach_child('app.t', 'app.attached', ARRAY['{n}', '[501,600]']) \g /dev/null
SELECT is(test.unlike('app.t'), 'nothing', 'children and attached child are alike to begin with');
:fresh
SET ROLE router_f_owner;

-- ---------------------------------------------------------------- indexes
SELECT is(test.follow('app.t', $$CREATE INDEX ON app.t (v)$$), 'followed', 'CREATE INDEX');
SELECT is(test.follow('app.t', $$CREATE INDEX special ON app.t USING hash (v)$$), 'followed', 'another access method');
SELECT is(test.follow('app.t', $$CREATE UNIQUE INDEX t_part ON app.t (region, k, lower(v) varchar_pattern_ops DESC NULLS LAST) INCLUDE (n) WITH (fillfactor = 70) WHERE n > 0 AND v IN ('a', 'b')$$), 'followed', 'unique, partial, expression, INCLUDE, operator class, order, parameters');
SELECT is(test.follow('app.t', $$CREATE UNIQUE INDEX t_nnd ON app.t (n, k, region) NULLS NOT DISTINCT$$), 'followed', 'NULLS NOT DISTINCT');
SELECT is(test.follow('app.t', $$CREATE INDEX ON app.t (v COLLATE "C")$$), 'followed', 'another collation');
SELECT is(test.follow('app.t', $$CREATE INDEX twin1 ON app.t (n)$$), 'followed', 'an index');
SELECT is(test.follow('app.t', $$CREATE INDEX twin2 ON app.t (n)$$), 'followed', 'and its twin');
SELECT is((SELECT string_agg(indexrelid::regclass::text, ' ' ORDER BY 1) FROM (SELECT indexrelid::regclass FROM pg_index WHERE indrelid = 'app.attached'::regclass ORDER BY indexrelid::regclass::text COLLATE "C") i),
          'app.attached_nnd app.attached_part app.attached_special app.attached_twin1 app.attached_twin2 app.attached_v_idx app.attached_v_idx1', 'names: the base''s name goes, the rest stays; or the child''s name is put in front');
SELECT is(test.follow('app.t', $$ALTER INDEX app.t_part SET (fillfactor = 60)$$), 'followed', 'ALTER INDEX SET');
SELECT is(test.follow('app.t', $$ALTER INDEX app.t_part ALTER COLUMN 3 SET STATISTICS 55$$), 'followed', 'ALTER INDEX ALTER COLUMN SET STATISTICS');
SELECT is(test.follow('app.t', $$COMMENT ON INDEX app.t_part IS 'partial'$$), 'followed', 'COMMENT ON INDEX');
SELECT is(test.follow('app.t', $$COMMENT ON INDEX app.t_part IS NULL$$), 'followed', 'COMMENT ON INDEX IS NULL');
ALTER INDEX app.special RENAME TO t_special;
ALTER TABLE app.t_part RENAME TO "Part""s";
SELECT is((SELECT string_agg(indexrelid::regclass::text, ' ' ORDER BY indexrelid::regclass::text COLLATE "C") FROM pg_index WHERE indrelid = 'app.attached'::regclass AND indexrelid::regclass::text ~ 'special|[Pp]art'),
          'app."attached_Part""s" app.attached_special', 'renames of indexes follow');
SELECT is(test.follow('app.t', $$DROP INDEX app.twin1$$), 'followed', 'DROP INDEX');
SELECT is((SELECT count(*) FROM pg_index WHERE indrelid = 'app.attached'::regclass AND indexrelid = to_regclass('app.attached_twin2')), 1::bigint, 'of twins the one of that name');
SELECT is(test.follow('app.t', $$DROP INDEX app.t_v_idx, app."Part""s", app.twin2$$), 'followed', 'DROP INDEX of several');
SELECT is(test.follow('app.t', $$ALTER TABLE app.t CLUSTER ON t_special_c$$), '42704: index "t_special_c" for table "t" does not exist', 'an error stays an error');
CREATE INDEX t_clu ON app.t (n, v);
SELECT is(test.follow('app.t', $$ALTER TABLE app.t CLUSTER ON t_clu$$), 'followed', 'CLUSTER ON');
SELECT is(test.follow('app.t', $$ALTER TABLE app.t SET WITHOUT CLUSTER$$), 'followed', 'SET WITHOUT CLUSTER');
CREATE INDEX own ON app.attached (d);
DROP INDEX app.t_s_1_100_clu;
SELECT is(test.outcome('CREATE INDEX t_d ON app.t (region, d)'), 'done', 'another index');
SELECT is(to_regclass('app.t_s_1_100_clu'), NULL, 'an unrelated command does not bring back what a child had lost');
DROP INDEX app.t_d;
SELECT isnt(to_regclass('app.own'), NULL, 'nor drop what a child has of its own');
SELECT isnt_empty($$SELECT router.sync('app.t')$$, 'router.sync does bring it back');
DROP INDEX app.own;
SELECT is(test.unlike('app.t'), 'nothing', 'and all is alike again');
CREATE INDEX t_only ON ONLY app.t (d);
SELECT is((SELECT count(*) FROM pg_index i JOIN router.children c ON c.child = i.indrelid WHERE indkey::text = (SELECT attnum::text FROM pg_attribute WHERE attrelid = indrelid AND attname = 'd')), 0::bigint, 'ONLY is not followed');
DROP INDEX app.t_only;

SELECT is(test.follow('app.t', 'DROP INDEX app.t_nnd'), 'followed', 'DROP of a unique index');

-- -------------------------------------------------------- unique constraints
SELECT is(test.follow('app.t', $$ALTER TABLE app.t ADD PRIMARY KEY (region, k, n)$$), 'followed', 'ADD PRIMARY KEY');
SELECT is(test.follow('app.t', $$ALTER TABLE app.t ADD CONSTRAINT uq UNIQUE (region, k, place_id) DEFERRABLE INITIALLY DEFERRED$$), 'followed', 'ADD UNIQUE DEFERRABLE');
SELECT is(test.follow('app.t', $$ALTER TABLE app.t ADD CONSTRAINT ex EXCLUDE USING btree (region WITH =, k WITH =, d WITH =) WHERE (n > 0)$$), 'followed', 'ADD EXCLUDE');
CREATE UNIQUE INDEX t_ready ON app.t (region, k, v);
SELECT is(test.follow('app.t', $$ALTER TABLE app.t ADD CONSTRAINT ready UNIQUE USING INDEX t_ready$$), 'followed', 'ADD UNIQUE USING INDEX');
SELECT is(test.follow('app.t', $$COMMENT ON CONSTRAINT uq ON app.t IS 'uniquely'$$), 'followed', 'COMMENT ON CONSTRAINT');
ALTER TABLE app.t RENAME CONSTRAINT uq TO t_uq2;
SELECT is((SELECT count(*) FROM pg_constraint WHERE conname = 'attached_uq2' AND conrelid = 'app.attached'::regclass), 1::bigint, 'RENAME CONSTRAINT');
SELECT is(router.base_constraint('app.attached', 'attached_uq2'), 't_uq2', 'base_constraint of a unique constraint');
SELECT is(router.base_constraint('app.t_n_1_100', 't_n_1_100_pkey'), 't_pkey', 'of a primary key');
SELECT is(router.base_constraint('app.t_n_1_100', 'router_home'), NULL, 'router_home is none of the base');
SELECT is(router.base_constraint('app.place', 'place_pkey'), NULL, 'a table that is no child');
SELECT throws_ok($$INSERT INTO app.t VALUES ('n', 1, 5, 'q', 1)$$, '23505', 'duplicate key value violates unique constraint "t_n_1_100_pkey"', 'the primary key holds in the child');
SELECT is(test.follow('app.t', $$ALTER TABLE app.t DROP CONSTRAINT t_uq2, DROP CONSTRAINT ex, DROP CONSTRAINT ready$$), 'followed', 'DROP CONSTRAINT');
SELECT is(test.follow('app.t', $$ALTER TABLE app.t DROP CONSTRAINT t_pkey$$), 'followed', 'DROP of the primary key');

-- -------------------------------------------------------------- foreign keys
SELECT is(test.follow('app.t', $$ALTER TABLE app.t ADD CONSTRAINT place_fk FOREIGN KEY (place_id) REFERENCES app.place ON DELETE CASCADE ON UPDATE SET NULL$$), 'followed', 'ADD FOREIGN KEY');
DELETE FROM app.place WHERE id = 4;
SELECT is((SELECT count(*) FROM app.t WHERE place_id = 4), 0::bigint, 'and it works in the attached child');
SELECT is(test.follow('app.t', $$ALTER TABLE app.t ALTER CONSTRAINT place_fk DEFERRABLE INITIALLY DEFERRED$$), 'followed', 'ALTER CONSTRAINT DEFERRABLE');
SELECT is(test.follow('app.t', $$ALTER TABLE app.t ALTER CONSTRAINT place_fk NOT DEFERRABLE$$), 'followed', 'ALTER CONSTRAINT NOT DEFERRABLE');
SELECT is(test.follow('app.t', $$ALTER TABLE app.t RENAME CONSTRAINT place_fk TO fk$$), 'followed', 'RENAME of a foreign key');
SELECT is(router.base_constraint('app.attached', 'fk'), 'fk', 'base_constraint of a foreign key');
INSERT INTO app.t VALUES ('s', 2, 77, 'no such place', 1);
SELECT is(test.outcome($$INSERT INTO app.t VALUES ('s', 2, 77, 'no such place', 1)$$), '23503: insert or update on table "t_s_1_100" violates foreign key constraint "fk"', 'its error names what the base''s would');
SELECT is(test.follow('app.t', $$ALTER TABLE app.t DROP CONSTRAINT fk$$), 'followed', 'DROP of a foreign key');
INSERT INTO app.t VALUES ('s', 2, 77, 'no such place', 1);
SELECT is(test.outcome($$ALTER TABLE app.t ADD CONSTRAINT fk FOREIGN KEY (place_id) REFERENCES app.place$$), '23503: insert or update on table "t_s_1_100" violates foreign key constraint "fk"', 'ADD FOREIGN KEY fails if a child has a row without match');
SELECT is((SELECT count(*) FROM pg_constraint WHERE contype = 'f' AND conrelid IN (SELECT 'app.t'::regclass UNION SELECT child FROM router.children)), 0::bigint, 'and leaves none anywhere');
SELECT is(test.follow('app.t', $$ALTER TABLE app.t ADD CONSTRAINT fk FOREIGN KEY (place_id) REFERENCES app.place NOT VALID$$), 'followed', 'NOT VALID');
DELETE FROM app.t WHERE place_id = 77;
SELECT is(test.follow('app.t', $$ALTER TABLE app.t VALIDATE CONSTRAINT fk$$), 'followed', 'VALIDATE');
ALTER TABLE app.t DROP CONSTRAINT fk;
SELECT is(test.outcome('CREATE TABLE app.referring (a text, b int, UNIQUE (a, b), FOREIGN KEY (a, b) REFERENCES app.t (region, k))'), '42830: there is no unique constraint matching given keys for referenced table "t"', 'a reference to a base without key');
CREATE UNIQUE INDEX t_ref ON app.t (region, k);
SELECT throws_ok('CREATE TABLE app.referring (a text, b int, FOREIGN KEY (a, b) REFERENCES app.t (region, k))', '0A000', NULL, 'a foreign key to a base is refused: CREATE TABLE');
CREATE TABLE app.referring (a text, b int);
SELECT throws_ok('ALTER TABLE app.referring ADD FOREIGN KEY (a, b) REFERENCES app.t (region, k)', '0A000', NULL, 'ALTER TABLE');
SELECT isnt(test.hint('ALTER TABLE app.referring ADD FOREIGN KEY (a, b) REFERENCES app.t (region, k)'), NULL, 'with a hint');
SELECT is(test.follow('app.t', 'DROP INDEX app.t_ref'), 'followed', 'its index goes');

-- ------------------------------------------------------------------ columns
SELECT is(test.follow('app.t', $$ALTER TABLE app.t ADD COLUMN u int DEFAULT 7 CHECK (u > 0)$$), 'followed', 'ADD COLUMN with a default and a CHECK');
SELECT is(test.follow('app.t', $$ALTER TABLE app.t ADD COLUMN w int REFERENCES app.other_place, ADD COLUMN x int UNIQUE$$), 'followed', 'ADD COLUMN with a foreign key and a unique constraint');
SELECT is(test.follow('app.t', $$ALTER TABLE app.t ALTER COLUMN u SET DEFAULT 8$$), 'followed', 'SET DEFAULT');
SELECT is(test.follow('app.t', $$ALTER TABLE app.t ALTER COLUMN u DROP DEFAULT$$), 'followed', 'DROP DEFAULT');
SELECT is(test.follow('app.t', $$ALTER TABLE app.t ALTER COLUMN n DROP NOT NULL$$), 'followed', 'DROP NOT NULL');
SELECT is(test.follow('app.t', $$ALTER TABLE app.t ALTER COLUMN n SET NOT NULL$$), 'followed', 'SET NOT NULL');
ALTER TABLE app.t ALTER COLUMN n DROP NOT NULL;
SELECT is(test.follow('app.t', $$ALTER TABLE app.t ADD CONSTRAINT ck CHECK (n > 0) NOT VALID$$), 'followed', 'ADD CHECK NOT VALID');
SELECT is(test.follow('app.t', $$ALTER TABLE app.t VALIDATE CONSTRAINT ck$$), 'followed', 'VALIDATE of a CHECK');
SELECT is(test.follow('app.t', $$ALTER TABLE app.t RENAME CONSTRAINT ck TO ck2$$), 'followed', 'RENAME of a CHECK');
SELECT is(test.follow('app.t', $$ALTER TABLE app.t DROP CONSTRAINT ck2$$), 'followed', 'DROP of a CHECK');
SELECT is(test.follow('app.t', $$ALTER TABLE app.t RENAME COLUMN x TO y$$), 'followed', 'RENAME COLUMN with a constraint on it');
SELECT is(test.follow('app.t', $$ALTER TABLE app.t ALTER COLUMN v TYPE text USING v || ''$$), 'followed', 'ALTER COLUMN TYPE of a column with indexes');
SELECT is(test.follow('app.t', $$ALTER TABLE app.t ALTER COLUMN v SET STATISTICS 300$$), 'followed', 'SET STATISTICS');
SELECT is(test.follow('app.t', $$ALTER TABLE app.t ALTER COLUMN v SET (n_distinct = -0.5)$$), 'followed', 'SET (n_distinct)');
SELECT is(test.follow('app.t', $$ALTER TABLE app.t ALTER COLUMN v RESET (n_distinct)$$), 'followed', 'RESET (n_distinct)');
SELECT is(test.follow('app.t', $$ALTER TABLE app.t ALTER COLUMN v SET STORAGE EXTERNAL$$), 'followed', 'SET STORAGE');
SELECT is(test.follow('app.t', $$ALTER TABLE app.t ALTER COLUMN v SET COMPRESSION pglz$$), 'followed', 'SET COMPRESSION');
SELECT is(test.follow('app.t', $$ALTER TABLE app.t ALTER COLUMN v SET COMPRESSION default$$), 'followed', 'SET COMPRESSION default');
ALTER TABLE app.t ADD COLUMN id bigint;
UPDATE app.t SET id = 0;
ALTER TABLE app.t ALTER COLUMN id SET NOT NULL;
SELECT is(test.follow('app.t', $$ALTER TABLE app.t ALTER COLUMN id ADD GENERATED ALWAYS AS IDENTITY (START 100)$$), 'followed', 'ADD IDENTITY');
INSERT INTO app.t (region, k) VALUES ('n', 7);
INSERT INTO app.attached (region, k) VALUES ('n', 507);
SELECT is((SELECT string_agg(id::text, ' ' ORDER BY id) FROM app.t WHERE k IN (7, 507)), '100 101', 'base and child share the sequence');
SELECT is(test.follow('app.t', $$ALTER TABLE app.t ALTER COLUMN id DROP IDENTITY$$), 'followed', 'DROP IDENTITY');
SELECT is(test.follow('app.t', $$ALTER TABLE app.t ALTER COLUMN id ADD GENERATED BY DEFAULT AS IDENTITY$$), 'followed', 'ADD IDENTITY again');
SELECT is(test.follow('app.t', $$ALTER TABLE app.t DROP COLUMN id$$), 'followed', 'DROP of an identity column');
SELECT is(test.follow('app.t', $$ALTER TABLE app.t ADD COLUMN g int GENERATED ALWAYS AS (n * 2) STORED$$), 'followed', 'ADD of a generated column');
CREATE INDEX ON app.t (g);
SELECT is(test.follow('app.t', $$ALTER TABLE app.t ALTER COLUMN g DROP EXPRESSION$$), 'followed', 'DROP EXPRESSION');
SELECT is(test.follow('app.t', $$ALTER TABLE app.t DROP COLUMN g, DROP COLUMN y, DROP COLUMN w$$), 'followed', 'DROP COLUMN with indexes and constraints');
-- the type of a key
SELECT is(test.follow('app.t', $$ALTER TABLE app.t ALTER COLUMN k TYPE bigint, ALTER COLUMN region TYPE varchar(30)$$), 'followed', 'harmless changes of the type of key columns');
SELECT throws_ok($$ALTER TABLE app.t ALTER COLUMN k TYPE text$$, '0A000', NULL, 'another is refused');
SELECT isnt(test.hint($$ALTER TABLE app.t ALTER COLUMN k TYPE numeric$$), NULL, 'with a hint');
SELECT throws_ok($$ALTER TABLE app.t ALTER COLUMN k TYPE bigint USING k + 1000$$, '23514', NULL, 'USING that would move rows fails');
INSERT INTO app.t (region, k, n) VALUES ('n', 5000000000, 1);
SELECT is(test.strays('app.t'), 'none', 'rows of the new type go home');

-- ----------------------------------------------------------------- triggers
SELECT is(test.follow('app.t', $$CREATE TRIGGER tr BEFORE INSERT OR UPDATE OF v, n ON app.t FOR EACH ROW WHEN (NEW.n > 0 AND NEW.v IN ('a', 'b')) EXECUTE FUNCTION app.note('x', 'y''z')$$), 'followed', 'CREATE TRIGGER');
SELECT is(test.follow('app.t', $$CREATE OR REPLACE TRIGGER tr BEFORE INSERT ON app.t FOR EACH ROW EXECUTE FUNCTION app.note2()$$), 'followed', 'CREATE OR REPLACE TRIGGER');
SELECT is(test.follow('app.t', $$CREATE CONSTRAINT TRIGGER ct AFTER INSERT ON app.t FROM app.place DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION app.note()$$), 'followed', 'CREATE CONSTRAINT TRIGGER');
SELECT is(test.follow('app.t', $$COMMENT ON TRIGGER tr ON app.t IS 'a trigger'$$), 'followed', 'COMMENT ON TRIGGER');
SELECT is(test.follow('app.t', $$ALTER TABLE app.t DISABLE TRIGGER tr$$), 'followed', 'DISABLE TRIGGER');
SELECT is(test.follow('app.t', $$ALTER TABLE app.t ENABLE REPLICA TRIGGER tr, ENABLE ALWAYS TRIGGER ct$$), 'followed', 'ENABLE REPLICA and ALWAYS');
SELECT is(test.follow('app.t', $$ALTER TRIGGER tr ON app.t RENAME TO "Tr 2"$$), 'followed', 'ALTER TRIGGER RENAME');
ALTER TABLE app.t DISABLE TRIGGER USER;
SELECT is((SELECT count(*) FROM pg_trigger JOIN router.children ON tgrelid = child WHERE tgenabled <> 'D' AND NOT tgisinternal), 0::bigint, 'DISABLE TRIGGER USER');
SELECT is(test.follow('app.t', $$ALTER TABLE app.t ENABLE TRIGGER USER$$), 'followed', 'ENABLE TRIGGER USER, and router''s own fire always again');
SELECT is(test.follow('app.t', $$DROP TRIGGER "Tr 2" ON app.t$$), 'followed', 'DROP TRIGGER');
SELECT is(test.follow('app.t', $$DROP TRIGGER ct ON app.t CASCADE$$), 'followed', 'DROP of a constraint trigger');
CREATE TRIGGER st AFTER INSERT ON app.t REFERENCING NEW TABLE AS rows FOR EACH STATEMENT EXECUTE FUNCTION app.note();
SELECT is((SELECT count(*) FROM pg_trigger JOIN router.children ON tgrelid = child WHERE tgname = 'st'), 0::bigint, 'statement triggers are for the base alone');
SELECT throws_ok($$CREATE TRIGGER tt AFTER INSERT ON app.t REFERENCING NEW TABLE AS rows FOR EACH ROW EXECUTE FUNCTION app.note()$$, '0A000', NULL, 'a row trigger with transition tables is refused');
DROP TRIGGER st ON app.t;

-- -------------------------------------------------- row security and grants
SELECT is(test.follow('app.t', $$ALTER TABLE app.t ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY$$), 'followed', 'ENABLE and FORCE ROW LEVEL SECURITY');
SELECT is(test.follow('app.t', $$CREATE POLICY p ON app.t AS RESTRICTIVE FOR SELECT TO router_f_reader, router_f_other USING (n IN (1, 2) OR EXISTS (SELECT 1 FROM app.place x WHERE x.id = place_id))$$), 'followed', 'CREATE POLICY');
SELECT is(test.follow('app.t', $$ALTER POLICY p ON app.t TO PUBLIC USING (n > 5)$$), 'followed', 'ALTER POLICY');
ALTER POLICY p ON app.t USING (v::varchar IN ('a', 'b'));
SELECT is_empty($$SELECT * FROM router.check('app.t')$$, 'a condition whose SQL text reads otherwise when it is parsed again is no difference');
SELECT is_empty($$SELECT * FROM router.sync('app.t')$$, 'nor one to mend');
ALTER POLICY p ON app.t USING (n > 6);
SELECT is(test.follow('app.t', $$ALTER POLICY p ON app.t RENAME TO q$$), 'followed', 'ALTER POLICY RENAME');
SELECT is(test.follow('app.t', $$COMMENT ON POLICY q ON app.t IS 'policy'$$), 'followed', 'COMMENT ON POLICY');
SELECT is(test.follow('app.t', $$DROP POLICY q ON app.t$$), 'followed', 'DROP POLICY');
SELECT is(test.follow('app.t', $$ALTER TABLE app.t NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY$$), 'followed', 'DISABLE');
SELECT is(test.follow('app.t', $$GRANT SELECT, INSERT ON app.t TO router_f_reader WITH GRANT OPTION$$), 'followed', 'GRANT');
SELECT is(test.follow('app.t', $$GRANT UPDATE (v, n) ON app.t TO PUBLIC$$), 'followed', 'GRANT on columns');
SELECT is(test.follow('app.t', $$REVOKE GRANT OPTION FOR SELECT ON app.t FROM router_f_reader$$), 'followed', 'REVOKE GRANT OPTION');
SELECT is(test.follow('app.t', $$REVOKE ALL (v) ON app.t FROM PUBLIC$$), 'followed', 'REVOKE on a column');
SELECT is(test.follow('app.t', $$GRANT DELETE ON ALL TABLES IN SCHEMA app TO router_f_reader$$), 'followed', 'GRANT ON ALL TABLES');
GRANT TRUNCATE ON app.attached TO router_f_reader;
SELECT is(test.follow('app.t', $$REVOKE ALL ON app.t FROM router_f_reader$$), 'followed', 'REVOKE; grants are as the base''s');

-- ------------------------------------------------------- the table as such
SELECT is(test.follow('app.t', $$ALTER TABLE app.t SET (fillfactor = 80, autovacuum_enabled = false, toast.autovacuum_enabled = false)$$), 'followed', 'storage parameters');
SELECT is((SELECT bool_and((SELECT reloptions::text FROM pg_class WHERE oid = c.reltoastrelid) = '{autovacuum_enabled=false}') FROM router.children JOIN pg_class c ON c.oid = child), true, 'those of the toast table too');
ALTER TABLE app.attached SET (fillfactor = 50, parallel_workers = 3);
ALTER TABLE app.t SET (autovacuum_enabled = true);
SELECT is((SELECT array_agg(o ORDER BY o)::text FROM pg_class, unnest(reloptions) o WHERE oid = 'app.attached'::regclass), '{autovacuum_enabled=true,fillfactor=50,parallel_workers=3}', 'another parameter of a child is left alone');
SELECT router.sync('app.t') \g /dev/null
SELECT is((SELECT array_agg(o ORDER BY o)::text FROM pg_class, unnest(reloptions) o WHERE oid = 'app.attached'::regclass), '{autovacuum_enabled=true,fillfactor=80,parallel_workers=3}', 'router.sync gives it what the base has, and takes nothing away');
ALTER TABLE app.attached RESET (parallel_workers);
SELECT is(test.follow('app.t', $$ALTER TABLE app.t RESET (fillfactor, autovacuum_enabled, toast.autovacuum_enabled)$$), 'followed', 'RESET');
SELECT is(test.follow('app.t', $$ALTER TABLE app.t REPLICA IDENTITY FULL$$), 'followed', 'REPLICA IDENTITY FULL');
CREATE UNIQUE INDEX t_ri ON app.t (region, k);
SELECT is(test.follow('app.t', $$ALTER TABLE app.t REPLICA IDENTITY USING INDEX t_ri$$), 'followed', 'REPLICA IDENTITY USING INDEX');
SELECT is(test.follow('app.t', $$ALTER TABLE app.t REPLICA IDENTITY DEFAULT$$), 'followed', 'REPLICA IDENTITY DEFAULT');
DROP INDEX app.t_ri;
SELECT is(test.follow('app.t', $$ALTER TABLE app.t SET UNLOGGED$$), 'followed', 'SET UNLOGGED');
SELECT is(test.follow('app.t', $$ALTER TABLE app.t SET LOGGED$$), 'followed', 'SET LOGGED');
SELECT is(test.follow('app.t', $$COMMENT ON TABLE app.t IS 'a base'$$), 'followed', 'COMMENT ON TABLE');
SELECT is(test.follow('app.t', $$COMMENT ON COLUMN app.t.v IS 'a column'$$), 'followed', 'COMMENT ON COLUMN');
SELECT is(test.follow('app.t', $$COMMENT ON COLUMN app.t.v IS NULL$$), 'followed', 'COMMENT ON COLUMN IS NULL');
SELECT is(test.follow('app.t', $$CREATE STATISTICS app.st ON n, v FROM app.t$$), 'followed', 'CREATE STATISTICS');
SELECT is(test.follow('app.t', $$CREATE STATISTICS app.t_mcv (mcv, ndistinct) ON lower(v), n, region FROM app.t$$), 'followed', 'CREATE STATISTICS with kinds and an expression');
SELECT is(test.follow('app.t', $$ALTER STATISTICS app.t_mcv SET STATISTICS 200$$), 'followed', 'ALTER STATISTICS');
SELECT is(test.follow('app.t', $$COMMENT ON STATISTICS app.t_mcv IS 'stat'$$), 'followed', 'COMMENT ON STATISTICS');
ALTER STATISTICS app.t_mcv RENAME TO t_mcv2;
SELECT is((SELECT string_agg(stxname, ' ' ORDER BY stxname) FROM pg_statistic_ext WHERE stxrelid = 'app.attached'::regclass), 'attached_mcv2 attached_st', 'names of statistics');
SELECT is(test.follow('app.t', $$DROP STATISTICS app.t_mcv2$$), 'followed', 'DROP STATISTICS');
RESET ROLE;
CREATE PUBLICATION router_f_pub FOR TABLE app.t (region, k, v) WHERE (n > 3);
SELECT is(test.unlike('app.t'), 'nothing', 'CREATE PUBLICATION');
SELECT is_empty($$SELECT * FROM router.check('app.t')$$, 'its columns and condition are alike');
SELECT is(test.follow('app.t', $$ALTER PUBLICATION router_f_pub SET TABLE app.t$$), 'followed', 'ALTER PUBLICATION SET TABLE');
ALTER PUBLICATION router_f_pub DROP TABLE ONLY app.attached;
SELECT router.sync('app.t') \g /dev/null
SELECT is(test.unlike('app.t'), 'nothing', 'a child that left comes back');
SELECT is(test.follow('app.t', $$ALTER PUBLICATION router_f_pub DROP TABLE app.t$$), 'followed', 'ALTER PUBLICATION DROP TABLE');
DROP PUBLICATION router_f_pub;

-- ------------------------------------------------------------- owner, schema
SELECT is(test.follow('app.t', $$ALTER TABLE app.t OWNER TO router_f_other$$), 'followed', 'OWNER TO, by a superuser');
SELECT is(test.follow('app.t', $$ALTER STATISTICS app.st SET STATISTICS 99$$), 'followed', 'ALTER STATISTICS, of the new owner''s children');
SELECT is((SELECT count(*) FROM router.children JOIN pg_class c ON c.oid = child WHERE relowner = 'router_f_other'::regrole), (SELECT count(*) FROM router.children), 'all children have the new owner');
SET ROLE router_f_owner;
ALTER TABLE app.attached SET SCHEMA app2;
ALTER TABLE app.t SET SCHEMA app2;
ALTER TABLE app2.t SET SCHEMA app;
SELECT is((SELECT string_agg(DISTINCT relnamespace::regnamespace::text, ' ') FROM router.children JOIN pg_class c ON c.oid = child), 'app', 'SET SCHEMA: children that stand with their base move along');
INSERT INTO app.t (region, k, n) VALUES ('new', 1, 1);
SELECT is(test.unlike('app.t'), 'nothing', 'a new child has it all');
RESET ROLE;
SELECT is(test.follow('app.t', $$ALTER TABLE app.t OWNER TO router_f_owner$$), 'followed', 'and back');
ALTER TABLE app.attached OWNER TO router_f_reader;
SET ROLE router_f_owner;
SELECT is((SELECT kind || ': ' || detail FROM router.check('app.t') LIMIT 1), 'owner: to be mended: set the owner to router_f_owner', 'a child of another owner is told');
SELECT is(test.outcome($$SELECT router.sync('app.t')$$), '42501: must be owner of table attached', 'and not taken away from him');
SELECT is(test.outcome($$CREATE INDEX ON app.t (n)$$), '42501: owner of routed table "t" does not own its child "attached"', 'nor is it changed');
RESET ROLE;
SELECT isnt_empty($$SELECT router.sync('app.t')$$, 'a superuser mends it');
SET ROLE router_f_owner;

-- ------------------------------------------------------------- whole and part
BEGIN;
SAVEPOINT s;
CREATE INDEX t_tx ON app.t (n);
ROLLBACK TO s;
SELECT is(test.unlike('app.t'), 'nothing', 'rolled back with its savepoint');
CREATE INDEX t_tx ON app.t (n);
INSERT INTO app.t (region, k, n) VALUES ('tx', 1, 1);
DROP INDEX app.t_tx;
CREATE INDEX t_tx ON app.t (n, d);
COMMIT;
SELECT is(test.unlike('app.t'), 'nothing', 'created, dropped and created in one transaction, with a new child in between');
DO $$ BEGIN EXECUTE 'CREATE INDEX t_do ON app.t (place_id)'; EXECUTE 'ALTER TABLE app.t ADD COLUMN via_do int REFERENCES app.other_place'; END $$;
SELECT is(test.unlike('app.t'), 'nothing', 'DDL in a DO block');
SET search_path = app;
CREATE INDEX by_path ON t (via_do);
ALTER TABLE t ALTER via_do SET (n_distinct = 5), ADD CHECK (via_do > 1), ADD UNIQUE (region, k, via_do), ENABLE ROW LEVEL SECURITY, SET (fillfactor = 33);
RESET search_path;
SELECT is(test.unlike('app.t'), 'nothing', 'by search_path, several commands in one');
-- names too long
ALTER TABLE app.attached RENAME TO "attached_äöüäöüäöüäöüäöüäöüäöüäöüäöüä";
SELECT is(test.follow('app.t', 'CREATE INDEX "t_äöüäöüäöüäöüäöüäöü" ON app.t (d, n, v)'), 'followed', 'a name that is too long for the child');
SELECT is(test.follow('app.t', 'DROP INDEX app."t_äöüäöüäöüäöüäöüäöü"'), 'followed', 'is found again');
ALTER TABLE app."attached_äöüäöüäöüäöüäöüäöüäöüäöüäöüä" RENAME TO attached;
-- the base is called otherwise: what there is keeps its name, and is found
CREATE INDEX t_before ON app.t (d, v);
ALTER TABLE app.t RENAME TO u;
INSERT INTO app.u (region, k, n) VALUES ('renamed', 1, 1);
SELECT is(test.follow('app.u', 'DROP INDEX app.t_before'), 'followed', 'an index dropped after its base was renamed');
ALTER TABLE app.u RENAME TO t;
-- an object of the same name that is not the base's
CREATE TRIGGER same BEFORE INSERT ON app.attached FOR EACH ROW EXECUTE FUNCTION app.note2();
SELECT is(test.follow('app.t', $$CREATE TRIGGER same BEFORE INSERT ON app.t FOR EACH ROW EXECUTE FUNCTION app.note('base')$$), 'followed', 'a trigger of a child that has the name is replaced');
DROP TRIGGER same ON app.t;

-- ---------------------------------------------------------- other children
RESET ROLE;
CREATE EXTENSION IF NOT EXISTS file_fdw;
CREATE SERVER router_f_files FOREIGN DATA WRAPPER file_fdw;
CREATE TABLE f (k int, v text);
SELECT router.create_route('f', router.by_integer('k', 10)) \g /dev/null
INSERT INTO f VALUES (1, 'a');
CREATE FOREIGN TABLE f_foreign (v text, k int) SERVER router_f_files OPTIONS (filename '/dev/null');
SELECT router.attach_child('f', 'f_foreign', ARRAY['[11,20]']) \g /dev/null
CREATE INDEX ON f (v);
ALTER TABLE f ADD CONSTRAINT pk PRIMARY KEY (k);
ALTER TABLE f ENABLE ROW LEVEL SECURITY, SET (fillfactor = 50), REPLICA IDENTITY FULL;
CREATE POLICY p ON f USING (true);
CREATE TRIGGER tr BEFORE INSERT ON f FOR EACH ROW EXECUTE FUNCTION app.note();
GRANT SELECT ON f TO PUBLIC;
COMMENT ON COLUMN f.v IS 'v';
GRANT CREATE ON SCHEMA public TO router_f_other;
ALTER TABLE f OWNER TO router_f_other;
SELECT is_empty($$SELECT * FROM router.check('f')$$, 'a foreign child gets what it can have');
SELECT is((SELECT tgname::text FROM pg_trigger WHERE tgrelid = 'f_foreign'::regclass), 'tr', 'a trigger');
ALTER TABLE f DISABLE ROW LEVEL SECURITY;
SELECT is((SELECT relowner::regrole::text || ' ' || relacl::text FROM pg_class WHERE oid = 'f_foreign'::regclass), (SELECT relowner::regrole::text || ' ' || relacl::text FROM pg_class WHERE oid = 'f'::regclass), 'owner and grants');
ALTER FOREIGN TABLE f_foreign NO INHERIT f;
SELECT is(test.children('f'), 'f_1_10', 'a foreign child that does not inherit any more is forgotten');
CREATE TEMP TABLE tmp (k int, v text);
SELECT router.create_route('tmp', router.by_integer('k', 10)) \g /dev/null
INSERT INTO tmp VALUES (1, 'a');
SELECT is(test.follow('tmp', 'CREATE INDEX ON tmp (v)'), 'followed', 'a temporary table');
-- nothing of router's on tables that are not routed
CREATE TABLE plain (k int PRIMARY KEY, v text);
CREATE TABLE plain_child () INHERITS (plain);
CREATE INDEX ON plain (v);
ALTER TABLE plain ALTER COLUMN k TYPE text;
SELECT is((SELECT count(*) FROM pg_index WHERE indrelid = 'plain_child'::regclass), 0::bigint, 'a table that is not routed goes its way');

SELECT * FROM finish();
