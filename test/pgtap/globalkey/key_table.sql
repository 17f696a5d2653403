-- What the owner of a key table does to it: triggers, rules, policies, columns, indexes, heirs, other types. Entries are
-- as their rows are, or there is an error that says why; the server stands in any case.
\ir ../../include/helpers.sql
\set tests 39
SELECT plan(:tests);
SELECT test.role('router_kt_owner') \g /dev/null
CREATE SCHEMA app AUTHORIZATION router_kt_owner;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA test TO PUBLIC;
GRANT CREATE ON SCHEMA test TO router_kt_owner;
SET ROLE router_kt_owner;
CREATE TABLE app.t (k int, d date, id int, note text);
SELECT router.create_route('app.t', router.by_integer('k', 10)) \g /dev/null
INSERT INTO app.t SELECT g, NULL, g FROM generate_series(1, 12) g;
SELECT router.add_global_key('app.t', '{id}', 'keys') \g /dev/null
CREATE TABLE app.att (k int, d date, id int, note text);
INSERT INTO app.att VALUES (25, NULL, 25);
CREATE FUNCTION app.skip() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE FUNCTION app.change() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.id := NEW.id + 100; RETURN NEW; END';
CREATE FUNCTION app.pass() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM set_config(''app.fired'', current_setting(''app.fired'', true) || left(tg_op, 1), false); RETURN CASE tg_op WHEN ''DELETE'' THEN OLD ELSE NEW END; END';
-- each way to write entries, after a change of the key table; the SQLSTATE, or what the entries are. Nothing of it stays.
CREATE FUNCTION test.after(change text, command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE check_ text;
BEGIN
    EXECUTE change;
    EXECUTE command;
    SELECT format('%s %s %s', missing, orphans, duplicates) INTO check_ FROM router.check_global_key('app.t');
    RAISE '%', check_ USING ERRCODE = 'RB000';
EXCEPTION WHEN OTHERS THEN
    RETURN CASE SQLSTATE WHEN 'RB000' THEN SQLERRM ELSE SQLSTATE END;
END $$;
CREATE FUNCTION test.all_after(change text) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(test.after(change, c), ', ' ORDER BY n) FROM unnest(ARRAY['INSERT INTO app.t VALUES (3, NULL, 30)',
        'INSERT INTO app.t SELECT g, NULL, g FROM generate_series(40, 60) g', 'UPDATE app.t SET id = 31 WHERE id = 3', 'UPDATE app.t SET k = 12, id = 32 WHERE id = 3',
        'DELETE FROM app.t WHERE id = 3', 'SELECT router.attach_child(''app.t'', ''app.att'', ''{25}'')', 'SELECT router.detach_child(''app.t_1_9'')',
        'DELETE FROM app.keys WHERE id = ''10''; INSERT INTO app.keys VALUES (77); SELECT router.rebuild_global_key(''app.t'', ''{id}'')']) WITH ORDINALITY u(c, n)
$$;
SELECT child AS first FROM router.children WHERE base = 'app.t'::regclass ORDER BY child::text LIMIT 1 \gset
ALTER TABLE :first RENAME TO t_1_9;
\set good '0 0 0, 0 0 0, 0 0 0, 0 0 0, 0 0 0, 0 0 0, 0 0 0, 0 0 0'
SELECT is(test.all_after('SELECT'), :'good', 'the ways to write entries');
SELECT is(test.all_after('CREATE TRIGGER a AFTER INSERT OR UPDATE OR DELETE ON app.keys FOR EACH ROW EXECUTE FUNCTION app.pass()'), :'good', 'AFTER triggers fire on all of them');
SELECT is(test.all_after('CREATE TRIGGER a BEFORE INSERT OR UPDATE OR DELETE ON app.keys FOR EACH ROW EXECUTE FUNCTION app.pass()'), :'good', 'BEFORE triggers that let rows pass');
SELECT is(test.all_after('CREATE TRIGGER a AFTER INSERT OR UPDATE OR DELETE ON app.keys FOR EACH STATEMENT EXECUTE FUNCTION app.pass()'), :'good', 'statement triggers');
SELECT is(test.all_after('CREATE CONSTRAINT TRIGGER a AFTER INSERT OR UPDATE OR DELETE ON app.keys FOR EACH ROW EXECUTE FUNCTION app.pass()'), :'good', 'constraint triggers');
SELECT is(test.after('CREATE CONSTRAINT TRIGGER a AFTER INSERT ON app.keys DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION app.pass()', 'INSERT INTO app.t VALUES (3, NULL, 30); SET CONSTRAINTS ALL IMMEDIATE'), '0 0 0', 'deferred ones');
SELECT is(test.after('CREATE CONSTRAINT TRIGGER a AFTER INSERT ON app.keys DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION app.pass()', 'SET session_replication_role = origin; SELECT router.attach_child(''app.t'', ''app.att'', ''{25}'')') IN ('42501', '0 0 0'), true, 'which are refused where nothing of the owner''s may be put off');
SELECT is(test.all_after('CREATE TRIGGER a BEFORE INSERT ON app.keys FOR EACH ROW EXECUTE FUNCTION app.skip(); CREATE TRIGGER b BEFORE UPDATE ON app.keys FOR EACH ROW EXECUTE FUNCTION app.skip()'),
          '27000, 27000, 27000, 27000, 0 0 0, 27000, 0 0 0, 27000', 'BEFORE triggers that skip entries are refused');
SELECT is(test.after('CREATE TRIGGER a BEFORE DELETE ON app.keys FOR EACH ROW EXECUTE FUNCTION app.skip()', 'DELETE FROM app.t WHERE id = 3'), '27000', 'that keep entries of rows that are gone');
SELECT is(test.after('CREATE TRIGGER a BEFORE INSERT OR UPDATE ON app.keys FOR EACH ROW EXECUTE FUNCTION app.change()', c), '27000', 'or change them: ' || c)
  FROM unnest(ARRAY['INSERT INTO app.t VALUES (3, NULL, 30)', 'INSERT INTO app.t SELECT g, NULL, g FROM generate_series(40, 60) g', 'UPDATE app.t SET id = 31 WHERE id = 3', 'UPDATE app.t SET k = 12, id = 32 WHERE id = 3',
       'SELECT router.attach_child(''app.t'', ''app.att'', ''{25}'')']) c;
SELECT is(test.all_after('CREATE TRIGGER a BEFORE INSERT OR UPDATE OR DELETE ON app.keys FOR EACH ROW EXECUTE FUNCTION app.skip(); ALTER TABLE app.keys DISABLE TRIGGER a'), :'good', 'disabled triggers');
SELECT is(test.all_after('ALTER TABLE app.keys ADD extra int DEFAULT 5, ADD twice int GENERATED ALWAYS AS (id * 2) STORED, ADD UNIQUE (extra, twice)'), :'good', 'more columns and indexes');
SELECT is(test.after('ALTER TABLE app.keys ADD extra int NOT NULL DEFAULT 5', 'INSERT INTO app.t VALUES (3, NULL, 30)'), '23502', 'those that an entry cannot fill');
SELECT is(test.after('ALTER TABLE app.keys ADD CHECK (id < 30)', 'INSERT INTO app.t VALUES (3, NULL, 30)'), '23514', 'a CHECK');
SELECT is(test.all_after('CREATE RULE a AS ON INSERT TO app.keys DO INSTEAD NOTHING; CREATE RULE b AS ON DELETE TO app.keys DO ALSO NOTIFY x; DROP RULE a ON app.keys'), :'good', 'rules');
SELECT is(test.after('CREATE RULE a AS ON INSERT TO app.keys DO INSTEAD NOTHING', 'DELETE FROM app.keys WHERE id > 9; SELECT router.rebuild_global_key(''app.t'', ''{id}'')'), '0 0 0', 'rules, which entries do not go by');
SELECT is(test.all_after('ALTER TABLE app.keys ENABLE ROW LEVEL SECURITY'), :'good', 'row security');
SELECT is(test.after('ALTER TABLE app.keys ENABLE ROW LEVEL SECURITY, FORCE ROW LEVEL SECURITY', 'INSERT INTO app.t VALUES (3, NULL, 30); UPDATE app.t SET id = 31 WHERE id = 3; DELETE FROM app.t WHERE id = 31'), '0 0 0', 'forced');
SELECT is(test.all_after('CREATE TABLE app.heir () INHERITS (app.keys); INSERT INTO app.heir VALUES (3), (99)'), :'good', 'an heir, whose rows are no entries');
SELECT is(test.all_after('ALTER TABLE app.keys RENAME id TO x; ALTER TABLE app.keys RENAME TO y; CREATE VIEW app.keys AS SELECT x AS id FROM app.y'), :'good', 'other names');
SELECT is(test.all_after('ALTER TABLE app.keys ALTER id TYPE ' || type), '55000, 55000, 55000, 55000, 55000, 55000, 55000, 55000', 'a column of another type: ' || type) FROM unnest('{text,bigint,numeric}'::text[]) type;
SELECT is(test.after('ALTER TABLE app.keys DROP CONSTRAINT ' || quote_ident(conname), 'INSERT INTO app.t VALUES (3, NULL, 30)'), '55000', 'no primary key') FROM pg_constraint WHERE conrelid = 'app.keys'::regclass AND contype = 'p';
SELECT is(test.after('ALTER TABLE app.keys DROP CONSTRAINT ' || quote_ident(conname) || ', ADD extra serial PRIMARY KEY', c), '55000', 'a primary key on another column: ' || c)
  FROM pg_constraint, unnest(ARRAY['INSERT INTO app.t VALUES (3, NULL, 30)', 'DELETE FROM app.t WHERE id = 3', 'SELECT router.rebuild_global_key(''app.t'', ''{id}'')', 'PERFORM * FROM router.check_global_key(''app.t'')']) c WHERE conrelid = 'app.keys'::regclass AND contype = 'p' AND c NOT LIKE 'PERFORM%';
SELECT is(test.after('CREATE TABLE app.parted (id int NOT NULL) PARTITION BY LIST (id); ALTER TABLE app.parted ATTACH PARTITION app.keys DEFAULT', 'INSERT INTO app.t VALUES (3, NULL, 30)'), '0 0 0', 'a partition');
SELECT is(test.after('SELECT router.create_route(''app.keys'', router.by_integer(''id'', 10))', 'SELECT'), '55000', 'it is not routed itself');
SELECT is(test.after('SELECT', 'SELECT router.attach_child(''app.t'', ''app.keys'', ''{25}'')'), '55000', 'nor a child');
SELECT is(test.after('ALTER TABLE app.t ADD x int; ALTER TABLE app.t ALTER id TYPE bigint', 'INSERT INTO app.t VALUES (3, NULL, 30)'), '0 0 0', 'a type that changes with the base''s');
-- several columns, and a primary key that has them the other way round
CREATE TABLE app.two (k int, a int, b text);
SELECT router.create_route('app.two', router.by_integer('k', 10)) \g /dev/null
SELECT router.add_global_key('app.two', '{a,b}', 'two_keys') \g /dev/null
INSERT INTO app.two VALUES (1, 1, 'x'), (2, 1, 'y');
SELECT format('ALTER TABLE app.two_keys DROP CONSTRAINT %I, ADD PRIMARY KEY (b, a)', conname) FROM pg_constraint WHERE conrelid = 'app.two_keys'::regclass AND contype = 'p' \gexec
INSERT INTO app.two VALUES (3, 2, 'x');
SELECT results_eq('SELECT missing, orphans, duplicates FROM router.check_global_key(''app.two'')', 'VALUES (0::bigint, 0::bigint, 0::bigint)', 'columns of the primary key in another order');
SELECT throws_ok($$INSERT INTO app.two VALUES (99, 1, 'y')$$, '23505', NULL, 'it keeps them unique');
DELETE FROM app.two_keys WHERE b = 'x';
SELECT is((SELECT array_agg(r) FROM router.rebuild_global_key('app.two', '{a,b}') r), ARRAY['make 2 entries in app.two_keys'], 'and they are made again');
RESET ROLE;
-- by a superuser, who runs nothing of the owner's as himself
CREATE FUNCTION app.who() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO app.log VALUES (current_user); RETURN NULL; END';
SET ROLE router_kt_owner;
CREATE TABLE app.log (who name);
CREATE TRIGGER who AFTER INSERT ON app.two_keys FOR EACH ROW EXECUTE FUNCTION app.who();
DELETE FROM app.two_keys;
RESET ROLE;
SELECT router.rebuild_global_key('app.two', '{a,b}') \g /dev/null
SELECT is((SELECT string_agg(DISTINCT who, ' ') FROM app.log), 'router_kt_owner', 'triggers of the key table fire as its owner when a superuser rebuilds it');
SELECT * FROM finish();
