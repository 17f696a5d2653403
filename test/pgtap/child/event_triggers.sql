-- Event triggers of users: they are told of new children, and break no INSERT.
\ir ../../include/helpers.sql
\set tests 35
SELECT plan(:tests);

CREATE TABLE ddl_log (n serial, at timestamptz NOT NULL DEFAULT now(), event text, tag text, command text, object text, who name DEFAULT current_user);
GRANT INSERT ON ddl_log TO PUBLIC;
GRANT USAGE ON ddl_log_n_seq TO PUBLIC;
-- as many are written: it finds its table by the caller's search_path
CREATE FUNCTION log_ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO ddl_log (event, tag, command, object) SELECT TG_EVENT, TG_TAG, command_tag, object_identity FROM pg_event_trigger_ddl_commands()
     WHERE schema_name = 'public';
END $$;
CREATE FUNCTION forbid() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION '% is forbidden', TG_TAG; END $$;
CREATE EVENT TRIGGER a_log ON ddl_command_end EXECUTE FUNCTION log_ddl();

-- a function that fails under another search_path
CREATE TABLE t (k int, v int, id int);
CREATE INDEX ON t (v);
SELECT isnt_empty('SELECT FROM ddl_log', 'it logs');
SELECT lives_ok($$SELECT router.create_route('t', router.by_integer('k', 10))$$, 'create_route');
SELECT lives_ok($$SELECT router.add_global_key('t', '{id}')$$, 'add_global_key');
:fresh
SELECT lives_ok('INSERT INTO t VALUES (1, 1, 1), (11, 11, 2)', 'INSERT');
:fresh
COPY t FROM stdin;
21	21	3
\.
SELECT is(test.homes('t'), 't_11_20: 1, t_1_10: 1, t_21_30: 1', 'COPY');
:fresh
SELECT lives_ok('UPDATE t SET k = 31 WHERE k = 21', 'UPDATE');
SELECT lives_ok('MERGE INTO t USING (VALUES (41)) s (k) ON t.k = s.k WHEN NOT MATCHED THEN INSERT VALUES (s.k, s.k, 4)', 'MERGE');
SELECT lives_ok($$SELECT router.create_child('t', '55')$$, 'create_child');
SELECT lives_ok($$SELECT router.premake('t', 1)$$, 'premake');
SELECT lives_ok('CREATE INDEX t_k ON t (k)', 'DDL that follows');
SELECT lives_ok('DROP INDEX t_k', 'DROP that follows');
SELECT lives_ok($$SELECT router.detach_child('t_51_60'); SELECT router.attach_child('t', 't_51_60', ARRAY['[51,60]'])$$, 'detach and attach');
SELECT is_empty($$SELECT * FROM router.check('t')$$, 'all is well');
CREATE TABLE hot (at timestamptz NOT NULL, v int);
CREATE INDEX ON hot (at);
SELECT router.create_route('hot', router.by_date('at', 'month'), time_zone => 'UTC', hot => '7 days') \g /dev/null
INSERT INTO hot VALUES (now() - interval '6 days', 1);
SELECT is((SELECT count(*) FROM ONLY hot), 1::bigint, 'a hot row');
SELECT router.alter_route('hot', hot => '1 day') \g /dev/null
CALL router.archive('hot');
SELECT is((SELECT count(*) FROM ONLY hot), 0::bigint, 'archive');
SELECT child FROM router.children WHERE base = 'hot'::regclass \gset
CALL router.seal(:'child', '{v}');
SELECT is_empty($$SELECT FROM router.check('hot')$$, 'and seal');
SELECT results_eq($$SELECT DISTINCT command FROM ddl_log WHERE object LIKE '%t_1_10%'$$, 'SELECT NULL::text WHERE false', 'what failed left nothing');

-- told with a search_path of its own: once a child, of all that made it, as the owner
ALTER FUNCTION log_ddl() SET search_path = public;
SELECT test.role('owner320'), test.role('writer320') \g /dev/null
GRANT CREATE ON SCHEMA public TO owner320;
CREATE TABLE o (k int PRIMARY KEY);
ALTER TABLE o OWNER TO owner320;
GRANT INSERT ON o TO writer320;
SELECT router.create_route('o', router.by_list('k')) \g /dev/null
TRUNCATE ddl_log;
:fresh
SET ROLE writer320;
INSERT INTO o VALUES (1);
RESET ROLE;
SELECT results_eq($$SELECT DISTINCT tag, object, who FROM ddl_log WHERE command = 'CREATE TABLE'$$,
 $$VALUES ('CREATE TABLE', 'public.o_1', 'owner320'::name)$$, 'a new child is told of, as its owner');
SELECT is((SELECT count(DISTINCT tag) FROM ddl_log), 1::bigint, 'once, whatever it took');
TRUNCATE ddl_log;
BEGIN;
INSERT INTO o VALUES (2);
ROLLBACK;
SELECT is_empty('SELECT FROM ddl_log', 'it goes with the statement');
-- a command of the user that makes a child on its way has its own list
CREATE FUNCTION add_o(k int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN INSERT INTO o VALUES (k); RETURN k; END $$;
TRUNCATE ddl_log;
CREATE TABLE made AS SELECT add_o(3) AS k;
SELECT results_eq($$SELECT tag, command, object FROM ddl_log WHERE command LIKE 'CREATE TABLE%' ORDER BY n$$,
 $$VALUES ('CREATE TABLE', 'CREATE TABLE', 'public.o_3'), ('CREATE TABLE AS', 'CREATE TABLE AS', 'public.made')$$, 'a child made by another command');
ALTER TABLE made ALTER k TYPE int USING add_o(4);
SELECT is((SELECT string_agg(tag, ', ' ORDER BY n) FROM ddl_log WHERE object IN ('public.o_4', 'public.made') AND tag = command), 'CREATE TABLE AS, CREATE TABLE, ALTER TABLE', 'or in the midst of ALTER TABLE');
-- DDL that follows is the user's one command
TRUNCATE ddl_log;
CREATE INDEX o_i ON o (k);
SELECT is((SELECT string_agg(object, ', ' ORDER BY n) FROM ddl_log), 'public.o_i', 'CREATE INDEX on the base is one command');

-- the log is routed itself
SELECT router.create_route('ddl_log', router.by_date('at', 'month'), time_zone => 'UTC', move_rows => true) \g /dev/null
INSERT INTO o VALUES (5);
SELECT is((SELECT count(*) FROM ddl_log WHERE object = 'public.o_5' AND command = 'CREATE TABLE'), 1::bigint, 'a log that is routed');
DELETE FROM ddl_log;
SELECT format('DROP TABLE %s', child) FROM router.children WHERE base = 'ddl_log'::regclass \gexec
INSERT INTO ddl_log (event) VALUES ('by hand');
SELECT is((SELECT count(*) FROM ddl_log WHERE event = 'by hand'), 1::bigint, 'that needs a child itself');
SELECT is((SELECT count(*) FROM router.children WHERE base = 'ddl_log'::regclass), 1::bigint, 'makes one');
SELECT is((SELECT count(*) FROM ddl_log l JOIN router.children c ON l.object = 'public.' || c.child AND l.tag = l.command WHERE base = 'ddl_log'::regclass), 1::bigint, 'and notes it there');
DROP EVENT TRIGGER a_log;

-- who forbids DDL forbids no rows
CREATE EVENT TRIGGER b_forbid ON ddl_command_start EXECUTE FUNCTION forbid();
SELECT is(test.outcome('CREATE TABLE x ()'), 'P0001: CREATE TABLE is forbidden', 'DDL is forbidden');
SELECT is(test.outcome('INSERT INTO o VALUES (6)'), 'done', 'INSERT is not');
DROP EVENT TRIGGER b_forbid;
CREATE EVENT TRIGGER b_forbid ON ddl_command_end WHEN TAG IN ('CREATE TABLE') EXECUTE FUNCTION forbid();
SELECT is(test.outcome('INSERT INTO o VALUES (7)'), 'done', 'nor by ddl_command_end');
SELECT is_empty($$SELECT FROM router.check('o')$$, 'and its child is whole');
DROP EVENT TRIGGER b_forbid;
-- a cancel is no failure of the function
CREATE FUNCTION slow() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(60); END $$;
CREATE EVENT TRIGGER b_slow ON ddl_command_end EXECUTE FUNCTION slow();
SET statement_timeout = '200ms';
INSERT INTO o VALUES (8);
\set state :SQLSTATE
RESET statement_timeout;
SELECT is(:'state'::text, '57014', 'a statement that is cancelled meanwhile is cancelled');
DROP EVENT TRIGGER b_slow;
-- tables with rows that functions drop are guarded as those that are dropped by hand
CREATE EVENT TRIGGER b_guard ON sql_drop WHEN TAG IN ('DROP TABLE') EXECUTE FUNCTION forbid();
SELECT is(test.outcome($$SELECT router.drop_route('o', rows => 'base')$$), 'P0001: DROP TABLE is forbidden', 'drop_route asks who guards tables');
DROP EVENT TRIGGER b_guard;
SELECT is((SELECT string_agg(k::text, ' ' ORDER BY k) FROM o), '1 3 4 5 6 7', 'the rows');
SELECT is_empty($$SELECT FROM router.check('o')$$, 'all is well at the end');
SELECT * FROM finish();
