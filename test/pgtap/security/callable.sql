-- Functions that everybody may call: trigger functions on every kind of relation and event, event trigger functions,
-- router.unseal, and relations of every kind as an argument. What is not called by router's own objects is refused.
\ir ../../include/helpers.sql
\set tests 59
SELECT plan(:tests);
SELECT set_config('statement_timeout', '60s', false) \g /dev/null

SELECT test.role('router_ca_owner'), test.role('router_ca_writer'), test.role('router_ca_stranger') \g /dev/null
CREATE SCHEMA app AUTHORIZATION router_ca_owner;
GRANT USAGE ON SCHEMA app TO PUBLIC;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA test TO PUBLIC;
-- the same, as somebody else
CREATE FUNCTION test.attempt_as(role name, command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE outcome text;
BEGIN
    EXECUTE format('SET LOCAL ROLE %I', role);
    outcome := test.attempt(command);
    RESET ROLE;
    RETURN outcome;
END $$;

-- ------------------------------------------------------------ trigger functions
-- a relation of each kind, some of the owner's, some of the stranger's own
GRANT CREATE ON SCHEMA app TO router_ca_stranger;
CREATE EXTENSION IF NOT EXISTS postgres_fdw;
CREATE SERVER nowhere FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '/nonexistent');
GRANT USAGE ON FOREIGN SERVER nowhere TO PUBLIC;
SET ROLE router_ca_owner;
CREATE TABLE app.t (k int, d date NOT NULL, id int);
CREATE TABLE app.h (LIKE app.t);
SELECT router.create_route('app.t', ARRAY[router.by_integer('k', 10), router.by_date('d', 'month')]) \g /dev/null
SELECT router.create_route('app.h', router.by_date('d', 'month'), hot => '1000 years') \g /dev/null
INSERT INTO app.t VALUES (1, '2024-01-10', 1), (11, '2024-01-10', 2);
INSERT INTO app.h VALUES (1, '2024-01-10', 1);
SELECT router.add_global_key('app.t', '{id}') \g /dev/null
RESET ROLE;
SET ROLE router_ca_stranger;
CREATE TABLE app.plain (k int, d date NOT NULL, id int);
CREATE VIEW app.plain_view AS SELECT * FROM app.plain;
CREATE TABLE app.parted (k int, d date NOT NULL, id int) PARTITION BY LIST (k);
CREATE TABLE app.part PARTITION OF app.parted DEFAULT;
CREATE FOREIGN TABLE app.far (k int, d date, id int) SERVER nowhere;
CREATE MATERIALIZED VIEW app.kept AS SELECT * FROM app.plain;
CREATE TABLE app.key_def (base regclass, level int2, kind text, column_name int8, attnum int2);
CREATE TABLE app.global_key_def (base regclass, key_table regclass, columns name[], attnums int2[]);
RESET ROLE;
SELECT key_table AS key_table FROM router.global_keys WHERE base = 'app.t'::regclass \gset
CREATE TABLE test.relation (name text, owner name);
INSERT INTO test.relation SELECT unnest('{app.t,app.t_1_10_y2024m01,app.h,app.t_id_keys}'::text[]), 'router_ca_owner'
 UNION ALL SELECT unnest('{app.plain,app.plain_view,app.parted,app.part,app.far,app.kept}'::text[]), 'router_ca_stranger';
UPDATE test.relation SET name = :'key_table' WHERE name = 'app.t_id_keys';

-- a trigger of any name, kind and event, fired; also of the function that they may not attach
GRANT EXECUTE ON FUNCTION router.config_changed() TO PUBLIC;
CREATE TABLE test.fired AS
    SELECT p.proname, t.name, r.name AS relation, w.when_, e.event, l.each,
           test.attempt_as(r.owner, format('CREATE TRIGGER %I %s %s ON %s FOR EACH %s EXECUTE FUNCTION router.%I();',
                                  t.name, w.when_, e.event, r.name, l.each, p.proname)
                          || replace(e.command, '$t', r.name)) AS outcome
      FROM pg_proc p, unnest('{a,~router_x,~~}'::text[]) t(name), test.relation r,
           unnest('{BEFORE,AFTER,INSTEAD OF}'::text[]) w(when_), unnest('{ROW,STATEMENT}'::text[]) l(each),
           (VALUES ('INSERT', 'INSERT INTO $t SELECT 2, ''2024-01-11'', 3'), ('UPDATE', 'UPDATE $t SET id = id + 10'),
                   ('DELETE', 'DELETE FROM $t'), ('TRUNCATE', 'TRUNCATE $t')) e(event, command)
     WHERE pronamespace = 'router'::regnamespace AND prorettype = 'trigger'::regtype;
INSERT INTO test.fired
    SELECT p.proname, 'constraint', r.name, 'AFTER', e.event, 'ROW',
           test.attempt_as(r.owner, format('CREATE CONSTRAINT TRIGGER %I AFTER %s ON %s DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION router.%I();',
                                  n.name, e.event, r.name, p.proname)
                          || replace(e.command, '$t', r.name) || '; SET CONSTRAINTS ALL IMMEDIATE')
      FROM pg_proc p, test.relation r, unnest('{z,~router_key,~router_settle}'::text[]) n(name),
           (VALUES ('INSERT', 'INSERT INTO $t SELECT 2, ''2024-01-11'', 3'), ('UPDATE', 'UPDATE $t SET id = id + 10'), ('DELETE', 'DELETE FROM $t')) e(event, command)
     WHERE pronamespace = 'router'::regnamespace AND prorettype = 'trigger'::regtype;
SELECT cmp_ok((SELECT count(*) FROM test.fired), '>', 3500::bigint, 'trigger functions are attached to everything');
SELECT is((SELECT string_agg(DISTINCT outcome, ' ') FROM test.fired WHERE outcome IN ('XX000', 'XX001', '57014')), NULL, 'none fails as it must not');
-- what is no INSERT, UPDATE or DELETE of the relation, or fires for no row, is a matter of core's
SELECT is((SELECT string_agg(DISTINCT outcome, ' ' ORDER BY outcome) FROM test.fired), '0A000 39P01 42601 42704 42710 42809 done', 'refused by core, or by the function');
SELECT set_eq($$SELECT DISTINCT outcome FROM test.fired WHERE relation = 'app.plain' AND when_ <> 'INSTEAD OF' AND event = 'INSERT' AND each = 'ROW'$$, ARRAY['39P01'], 'a row of one''s own table: 39P01');
REVOKE EXECUTE ON FUNCTION router.config_changed() FROM PUBLIC;

-- router's own names on a table that has no route: a dump brings triggers first
SELECT is(test.attempt_as('router_ca_stranger', $$CREATE TRIGGER "~router_route" BEFORE INSERT ON app.plain FOR EACH ROW EXECUTE FUNCTION router.route_row();
    CREATE TRIGGER "~router_settle" AFTER INSERT ON app.plain FOR EACH ROW EXECUTE FUNCTION router.settle_row();
    CREATE TRIGGER "!router_flush" AFTER INSERT ON app.plain FOR EACH STATEMENT EXECUTE FUNCTION router.flush_rows();
    CREATE TRIGGER "~router_move" BEFORE INSERT OR UPDATE ON app.plain FOR EACH ROW EXECUTE FUNCTION router.move_row();
    CREATE TRIGGER "~router_key" AFTER INSERT OR UPDATE OR DELETE ON app.plain FOR EACH ROW EXECUTE FUNCTION router.keep_global_keys();
    CREATE TRIGGER "~router_key_truncate" BEFORE TRUNCATE ON app.plain FOR EACH STATEMENT EXECUTE FUNCTION router.keep_global_keys();
    CREATE TRIGGER "!router_step" AFTER INSERT OR UPDATE OR DELETE ON app.plain FOR EACH ROW EXECUTE FUNCTION router.keep_in_step();
    CREATE TRIGGER "!router_step_truncate" BEFORE TRUNCATE ON app.plain FOR EACH STATEMENT EXECUTE FUNCTION router.keep_in_step();
    INSERT INTO app.plain VALUES (1, '2024-01-01', 1), (2, '2024-01-01', 2); UPDATE app.plain SET k = 3; DELETE FROM app.plain WHERE id = 1;
    DO 'BEGIN ASSERT (SELECT count(*) FROM app.plain) = 1; END'; TRUNCATE app.plain$$), 'done', 'router''s own triggers without a route do nothing');
SELECT is((SELECT string_agg(format('%s: %s', p.oid::regproc, o), ', ' ORDER BY p.oid) FROM pg_proc p, test.attempt_as('router_ca_stranger', format('SELECT router.%I()', proname)) o
            WHERE pronamespace = 'router'::regnamespace AND prorettype IN ('trigger'::regtype, 'event_trigger'::regtype) AND o NOT IN ('42501', '39P01', '0A000')), NULL, 'none of them is called');
SELECT is((SELECT string_agg(proname, ' ' ORDER BY proname) FROM pg_proc WHERE pronamespace = 'router'::regnamespace AND NOT has_function_privilege('router_ca_stranger', oid, 'EXECUTE')),
          'config_changed on_ddl_end on_ddl_start on_sql_drop', 'those that are fired by the extension alone are nobody else''s');

-- config_changed, by whoever may attach it, on tables of any name
GRANT EXECUTE ON FUNCTION router.config_changed() TO router_ca_stranger;
SELECT is(test.attempt_as('router_ca_stranger', $$CREATE TRIGGER config_changed BEFORE INSERT ON app.key_def FOR EACH ROW EXECUTE FUNCTION router.config_changed();
    INSERT INTO app.key_def VALUES ('pg_class', 1, 'x', 4702111234474983745, 1)$$), '39P01', 'a table that is called as one of the catalog is none');
SELECT is(test.attempt_as('router_ca_stranger', $$CREATE TRIGGER config_changed BEFORE INSERT ON app.global_key_def FOR EACH ROW EXECUTE FUNCTION router.config_changed();
    INSERT INTO app.global_key_def VALUES ('app.plain', 'app.t', '{id}', '{1}')$$), '39P01', 'and no dependency is forged');
SELECT is(test.attempt_as('router_ca_stranger', $$CREATE TRIGGER marks_changed AFTER INSERT ON app.key_def FOR EACH ROW EXECUTE FUNCTION router.config_changed();
    INSERT INTO app.key_def VALUES ('pg_class', 1, 'x', 1, 1)$$), '39P01', 'nor after the row');
REVOKE EXECUTE ON FUNCTION router.config_changed() FROM router_ca_stranger;
SELECT is((SELECT string_agg(test.attempt(format('INSERT INTO router.%I VALUES (%s)', t, v)), ' ' ORDER BY t) FROM (VALUES ('route_def', 'NULL'), ('key_def', 'NULL, 1, NULL, NULL, NULL'), ('child_def', 'NULL, NULL, NULL'),
    ('global_key_def', 'NULL, NULL, NULL, NULL'), ('seal_def', 'NULL, NULL, NULL, NULL, NULL, NULL'), ('unsealed_def', 'NULL, NULL'), ('reach_def', 'NULL, NULL')) v(t, v)),
    '23502 23502 23502 23502 23502 23502 23502', 'a superuser''s row of NULLs in the catalog is refused by its columns');
SELECT is(test.attempt($$INSERT INTO router.global_key_def VALUES ('app.plain', 'app.plain', '{{id,k},{d,NULL}}', '{{1,2},{3,4}}')$$), 'done', 'and odd arrays crash nothing');

-- event trigger functions, at other events than theirs
SELECT is((SELECT string_agg(DISTINCT o, ' ') FROM unnest('{on_sql_drop,on_ddl_start,on_ddl_end}'::text[]) f, unnest('{ddl_command_start,ddl_command_end,sql_drop,table_rewrite}'::text[]) e,
            test.attempt(format('CREATE EVENT TRIGGER odd ON %I EXECUTE FUNCTION router.%I(); CREATE TABLE odd (i int); INSERT INTO odd VALUES (1); ALTER TABLE odd ALTER i TYPE text; DROP TABLE odd', e, f)) o
           WHERE replace(f, 'on_ddl', 'ddl_command') NOT IN (e, 'on_' || e)), '39P03', 'event triggers of other events are refused');

-- a loop that nothing ended: a second settle_row, which fired for the rows that it had fired for
SET ROLE router_ca_owner;
CREATE TRIGGER tr AFTER INSERT ON app.h FOR EACH ROW EXECUTE FUNCTION router.settle_row();
SELECT throws_ok($$INSERT INTO app.h VALUES (2, now(), 2)$$, '39P01', NULL, 'a second trigger of a function is refused');
DROP TRIGGER tr ON app.h;
SELECT lives_ok($$INSERT INTO app.h VALUES (2, now(), 2)$$, 'without it the table is as before');
RESET ROLE;

-- ----------------------------------------------------------------------- unseal
SET ROLE router_ca_owner;
CREATE TABLE app.up (id int, w int);
CREATE TABLE app.s (k int, d date NOT NULL, n int, u int) INHERITS (app.up);
CREATE TABLE app.refd (n int PRIMARY KEY);
SELECT router.create_route('app.s', router.by_date('d', 'month')) \g /dev/null
INSERT INTO app.refd SELECT generate_series(1, 10);
INSERT INTO app.s (k, d, n) SELECT i, '2024-01-01', i FROM generate_series(1, 10) i;
INSERT INTO app.s (k, d, n) SELECT i, '2024-02-01', i + 500 FROM generate_series(1, 10) i;
ALTER TABLE app.s ADD FOREIGN KEY (k) REFERENCES app.refd ON UPDATE CASCADE;
CALL router.seal('app.s_y2024m01', '{n,k,id}');
CREATE VIEW app.s_view AS SELECT * FROM app.s WHERE n > 0 WITH CHECK OPTION;
CREATE VIEW app.child_view AS SELECT * FROM app.s_y2024m01;
CREATE VIEW app.up_view AS SELECT * FROM app.up;
CREATE FUNCTION app.put() RETURNS void LANGUAGE sql SECURITY DEFINER AS $$INSERT INTO app.s (d, n) VALUES ('2024-01-05', -1)$$;
GRANT SELECT, INSERT, UPDATE ON app.s_view, app.child_view, app.up_view TO router_ca_writer;
GRANT UPDATE, SELECT ON app.refd TO router_ca_writer;
CREATE TABLE app.heir () INHERITS (app.s_y2024m01);
GRANT INSERT ON app.heir TO router_ca_writer;
REVOKE INSERT, UPDATE ON app.s, app.s_y2024m01 FROM router_ca_owner;
RESET ROLE;
-- does a command break the seal? Nothing of it stays.
CREATE FUNCTION test.breaks(role name, command text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('SET LOCAL ROLE %I', role);
    EXECUTE command;
    RESET ROLE;
    RAISE '%', (SELECT string_agg(DISTINCT state, ' ') FROM router.seals) USING ERRCODE = 'RB000';
EXCEPTION WHEN OTHERS THEN
    RETURN CASE SQLSTATE WHEN 'RB000' THEN SQLERRM ELSE SQLSTATE END;
END $$;
SELECT is((SELECT string_agg(DISTINCT state, ' ') FROM router.seals), 'sealed', 'a child is sealed');
GRANT SELECT, DELETE, TRUNCATE, REFERENCES, TRIGGER ON app.s, app.s_y2024m01 TO router_ca_stranger;
SELECT is(test.breaks(r, c), 'sealed', r || ' breaks no seal with a value that is in no row: ' || c) FROM unnest('{router_ca_stranger,router_ca_writer,router_ca_owner}'::text[]) r, unnest(ARRAY[
    $$SELECT router.unseal('app.s_y2024m01'::regclass, 1000)$$, $$DO 'BEGIN PERFORM router.unseal(to_regclass(''app.s_y2024m01''), 1000, 1000); END'$$,
    $$CREATE TEMP TABLE mine (a int CHECK (router.unseal(to_regclass('app.s_y2024m01'), a))); INSERT INTO mine VALUES (1000)$$,
    $$CREATE TEMP TABLE mine (n int CHECK (router.unseal(tableoid, n))); INSERT INTO mine VALUES (1000)$$]) c;
SELECT is(test.breaks('router_ca_stranger', $$SELECT router.unseal(tableoid, n), router.unseal(tableoid, n + 1000) FROM app.s$$), 'sealed', 'nor who reads it');
SELECT is(test.breaks('router_ca_stranger', $$DELETE FROM app.s WHERE router.unseal(tableoid, n)$$), 'sealed', 'nor who deletes');
SELECT is(test.breaks('router_ca_stranger', format('SELECT router.unseal(%s, NULL::int)', o)), 'sealed', 'no child that is sealed: ' || o)
  FROM unnest(ARRAY['NULL', '0', '4294967295', '1259', '''app.s''::regclass', '''app.plain''::regclass', '''app.plain_view''::regclass', '''app.s_y2024m02''::regclass']) o;
GRANT INSERT, UPDATE ON app.s, app.s_y2024m01 TO router_ca_owner;
SELECT is(test.breaks('router_ca_owner', 'INSERT INTO app.s (d, n) VALUES (''2024-01-05'', 200)'), 'broken', 'the owner''s row');
SELECT is(test.breaks('router_ca_writer', c), 'broken', c) FROM unnest(ARRAY[
    'INSERT INTO app.s_view (d, n) VALUES (''2024-01-05'', 200)',
    'INSERT INTO app.s_view (d, n) SELECT ''2024-01-05'', g FROM generate_series(1, 30) g',
    'INSERT INTO app.s_view (d, n) VALUES (''2024-01-05'', 200) RETURNING n',
    'INSERT INTO app.s_view (d, n, u) VALUES (''2024-01-05'', 200, 1) ON CONFLICT DO NOTHING',
    'INSERT INTO app.child_view (d, n) VALUES (''2024-01-05'', 200)',
    'UPDATE app.s_view SET n = 300 WHERE n = 3',
    'UPDATE app.child_view SET n = 300 WHERE n = 3',
    'UPDATE app.up_view SET id = 1',
    'UPDATE app.s_view SET d = ''2024-01-07'' WHERE n > 500',
    'SELECT app.put()',
    'UPDATE app.refd SET n = 77 WHERE n = 10',
    'INSERT INTO app.heir (d, n) VALUES (''2024-01-05'', 200)']) c;
GRANT INSERT (d, n), SELECT (n) ON app.s TO router_ca_stranger;
SELECT is(test.breaks('router_ca_stranger', 'INSERT INTO app.s (d, n) VALUES (''2024-01-05'', 200)'), 'broken', 'who may insert into some columns');
-- as the first statement of a session
:fresh
SET ROLE router_ca_writer;
INSERT INTO app.s_view (d, n) VALUES ('2024-01-05', 201);
RESET ROLE;
SELECT is((SELECT string_agg(DISTINCT state, ' ') FROM router.seals), 'broken', 'by a view, in a new session');
DROP TABLE app.heir;
CALL router.seal('app.s_y2024m01', '{n,k}');
:fresh
SET ROLE router_ca_writer;
UPDATE app.s_view SET d = '2024-01-09' WHERE n = 505;
RESET ROLE;
SELECT is((SELECT string_agg(DISTINCT state, ' ') FROM router.seals), 'broken', 'a row that moves there, in a new session');
SELECT is((SELECT tableoid::regclass::text FROM app.s WHERE n = 505), 'app.s_y2024m01', 'moves');
CALL router.seal('app.s_y2024m01', '{n,k}');
:fresh
SET ROLE router_ca_stranger;
COPY app.s (d, n) FROM STDIN;
2024-01-20	999
\.
RESET ROLE;
SELECT is((SELECT string_agg(DISTINCT state, ' ') FROM router.seals), 'broken', 'COPY, in a new session');
-- a lattice of tables above, which has more ways than could be gone
SET ROLE router_ca_stranger;
DO $$BEGIN
    CREATE TEMP TABLE l0 (a int); CREATE TEMP TABLE r0 (a int);
    FOR i IN 1..40 LOOP
        EXECUTE format('CREATE TEMP TABLE l%s () INHERITS (l%s, r%s)', i, i - 1, i - 1);
        EXECUTE format('CREATE TEMP TABLE r%s () INHERITS (l%s, r%s)', i, i - 1, i - 1);
    END LOOP;
END$$;
SET statement_timeout = '5s';
SELECT ok(router.unseal('l40'::regclass, 1), 'tables above are looked at once');
RESET statement_timeout;
RESET ROLE;

-- ------------------------------------------------- read-only transactions
SET ROLE router_ca_owner;
BEGIN READ ONLY;
SELECT is((SELECT string_agg(concat_ws(' ', c, o), '; ') FROM unnest(ARRAY['SELECT router.create_route(''app.refd'', router.by_integer(''n'', 10))', 'SELECT router.adopt(''app.refd'')', 'SELECT router.alter_route(''app.t'', max_new_children => 7)', 'SELECT router.drop_route(''app.t'')',
    'SELECT router.create_child(''app.t'', ''99'', ''2024-01-01'')', 'SELECT router.premake(''app.t'')', 'SELECT router.attach_child(''app.t'', ''app.refd'', ''{99,2024-01-01}'')', 'SELECT router.detach_child(''app.t_1_10_y2024m01'')',
    'CALL router.redistribute(''app.t'')', 'CALL router.archive(''app.h'')', 'SELECT router.archive_now(''app.h'')', 'SELECT router.add_tier(''app.h'', ''9 years'', ''pg_default'')', 'SELECT router.drop_tier(''app.h'', ''9 years'')',
    'CALL router.tier(''app.h'')', 'CALL router.move_child(''app.t_1_10_y2024m01'', ''pg_default'')', 'CALL router.maintain(''app.t'')', 'SELECT router.set_maintenance(''app.h'', premake => 1)', 'SELECT router.clear_maintenance(''app.h'')',
    'CALL router.seal(''app.t_1_10_y2024m01'', ''{id}'')', 'CALL router.rotate(''app.h'')', 'SELECT router.restore(''app.t_1_10_y2024m01'')', 'SELECT router.end_hot(''app.h'')', 'SELECT router.add_global_key(''app.h'', ''{id}'')',
    'SELECT router.rebuild_global_key(''app.t'', ''{id}'')', 'SELECT router.drop_global_key(''app.t'', ''{id}'')', 'SELECT router.sync(''app.t'')', 'CALL router.sync(''app.t'', concurrently => true)']) c, test.attempt(c) o WHERE o <> '25006'), NULL, 'what changes something is refused in a read-only transaction');
SELECT is((SELECT string_agg(concat_ws(' ', c, o), '; ') FROM unnest(ARRAY['SELECT router.alter_route(''app.t'', max_new_children => 7, dry_run => true)', 'SELECT router.drop_route(''app.h'', dry_run => true)', 'SELECT router.create_child(''app.t'', ''{99,2024-01-01}'', dry_run => true)',
    'SELECT router.sync(''app.t'', dry_run => true)', 'SELECT router.check(''app.t'')', 'SELECT router.check_global_key(''app.t'')']) c, test.attempt(c) o WHERE o <> 'done'), NULL, 'what only tells is not');
COMMIT;
RESET ROLE;
SELECT * FROM finish();
