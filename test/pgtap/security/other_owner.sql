-- Children that belong to another role than their base: what their owner defined is not evaluated as the base's owner,
-- by no maintenance. Labels asked for from a session that means no good. Plans and views that several roles use.
\ir ../../include/helpers.sql
\set tests 34
SELECT plan(:tests);

SELECT test.role('router_oo_owner'), test.role('router_oo_other'), test.role('router_oo_both'), test.role('router_oo_app'), test.role('router_oo_nobody') \g /dev/null
GRANT router_oo_owner, router_oo_other TO router_oo_both;
SELECT current_user AS me \gset
SET allow_in_place_tablespaces = on;
SELECT $$CREATE TABLESPACE router_t_space LOCATION ''$$ WHERE NOT EXISTS (SELECT FROM pg_tablespace WHERE spcname = 'router_t_space') \gexec
GRANT CREATE ON TABLESPACE router_t_space TO router_oo_owner;
CREATE SCHEMA app AUTHORIZATION router_oo_owner;
GRANT USAGE, CREATE ON SCHEMA app TO router_oo_other, router_oo_app;
CREATE TABLE seen (who name);
GRANT INSERT, SELECT ON seen TO PUBLIC;

SET SESSION AUTHORIZATION router_oo_other;
CREATE FUNCTION app.note() RETURNS void LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.seen VALUES (current_user); END $$;
CREATE FUNCTION app.evil(i int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN PERFORM app.note(); RETURN i; END $$;
CREATE TABLE app.others (id int, d date);
CREATE INDEX ON app.others (app.evil(id));
CREATE TABLE app.others_too (id int, d date);
CREATE INDEX ON app.others_too (app.evil(id));
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION router_oo_owner;
CREATE TABLE app.t (id int, d date);
SELECT router.create_route('app.t', router.by_date('d', 'month'), default_child => true, on_missing => 'default') \g /dev/null
INSERT INTO app.t VALUES (1, '2024-01-01'), (2, '2020-01-01');
RESET SESSION AUTHORIZATION;

SELECT throws_ok($$SELECT router.attach_child('app.t', 'app.others', '{"[2020-01-01,2021-01-01)"}')$$, '42501',
    '"others" belongs to another role than its routed table', 'a superuser does not attach the table of a stranger');
SELECT is(test.hint($$SELECT router.attach_child('app.t', 'app.others', '{"[2020-01-01,2021-01-01)"}')$$),
    'Look at what it has of its own, then ALTER TABLE app.others OWNER TO router_oo_owner, or for a child router.sync.', 'and hears what to do');
SET ROLE router_oo_both;
SELECT throws_ok($$SELECT router.attach_child('app.t', 'app.others', '{"[2020-01-01,2021-01-01)"}')$$, '42501',
    '"others" belongs to another role than its routed table', 'nor does a member of both roles');
RESET ROLE;
SELECT is((SELECT count(*) FROM seen), 0::bigint, 'nothing of the stranger ran');

-- the rows that the new child holds are in the default child: to attach it moves them
ALTER TABLE app.others OWNER TO router_oo_owner;
SELECT isnt_empty($$SELECT router.attach_child('app.t', 'app.others', '{"[2020-01-01,2021-01-01)"}')$$, 'once it belongs to the base''s owner');
SELECT results_eq('SELECT * FROM seen', $$VALUES ('router_oo_owner'::name)$$, 'what he took over runs as him, not as the superuser who attaches it');
TRUNCATE seen;

-- afterwards
ALTER TABLE app.others OWNER TO router_oo_other;
SELECT results_eq($$SELECT child::text, kind FROM router.check('app.t')$$, $$VALUES ('app.others', 'owner')$$, 'router.check tells a child that is given away');
SELECT throws_ok($$CALL router.move_child('app.others', tablespace => 'router_t_space')$$, '42501', NULL, 'move_child');
CREATE TABLE app.root (id int, d date);
SELECT router.create_route('app.root', router.by_date('d', 'month')) \g /dev/null
INSERT INTO app.root VALUES (1, '2024-01-01');
ALTER TABLE app.root_y2024m01 OWNER TO router_oo_other;
SELECT throws_ok($$CALL router.move_child('app.root_y2024m01', tablespace => 'router_t_space')$$, '42501',
    '"root_y2024m01" belongs to another role than its routed table', 'move_child, if the base is a superuser''s, who owns everything');
SELECT lives_ok($$SELECT router.drop_route('app.root', rows => 'base')$$, 'rows are taken out of such a child, which evaluates nothing of it');

-- rows that go into one
SET ROLE router_oo_owner;
CREATE TABLE app.h (id int, d date);
INSERT INTO app.h VALUES (1, '2024-01-01');
SELECT router.create_route('app.h', router.by_date('d', 'month'), hot => '1 day') \g /dev/null
SELECT router.create_child('app.h', '2024-01-01') \g /dev/null
RESET ROLE;
ALTER TABLE app.h_y2024m01 OWNER TO router_oo_other;
SET ROLE router_oo_other;
CREATE INDEX ON app.h_y2024m01 (app.evil(id));
RESET ROLE;
SELECT throws_ok($$CALL router.archive('app.h')$$, '42501', '"h_y2024m01" belongs to another role than its routed table', 'archive');
SELECT throws_ok($$SELECT router.archive_now('app.h')$$, '42501', NULL, 'archive_now');
SELECT throws_ok($$CALL router.rotate('app.h')$$, '0A000', 'cannot swap the storage of a base with that of "h_y2024m01"', 'rotate');
SELECT throws_ok($$SELECT router.end_hot('app.h')$$, '42501', NULL, 'end_hot');
SELECT is((SELECT count(*) FROM seen), 0::bigint, 'nothing of the stranger ran');
SELECT isnt_empty($$SELECT router.sync('app.h')$$, 'sync gives the child back');
CALL router.archive('app.h');
SELECT is(test.homes('app.h'), 'app.h_y2024m01: 1', 'and archiving goes on');
-- whoever may act for the owner may as well be evaluated as him
CREATE TABLE app.admins (LIKE app.t);
SELECT isnt_empty($$SELECT router.attach_child('app.t', 'app.admins', '{"[2024-01-01,2024-02-01)"}')$$, 'the table of a superuser is attached');
SELECT is(test.homes('app.t'), 'app.admins: 1, app.others: 1', 'and given the rows that it holds');

-- a key table that was given away
SET ROLE router_oo_owner;
CREATE TABLE app.k (id int, d date);
SELECT router.create_route('app.k', router.by_date('d', 'month')) \g /dev/null
SELECT router.add_global_key('app.k', '{id}', 'k_keys') \g /dev/null
RESET ROLE;
ALTER TABLE app.k_keys OWNER TO router_oo_other;
SET ROLE router_oo_other;
GRANT SELECT ON app.k_keys TO router_oo_owner;
CREATE INDEX ON app.k_keys (id) WHERE app.evil(1) = 1;
RESET ROLE;
TRUNCATE seen;
SELECT throws_ok($$SELECT router.check_global_key('app.k')$$, '42501', '"k_keys" belongs to another role than its routed table', 'check_global_key');
SELECT throws_ok($$SELECT router.rebuild_global_key('app.k', '{id}')$$, '42501', NULL, 'rebuild_global_key');
SELECT is((SELECT count(*) FROM seen WHERE who <> 'router_oo_other'), 0::bigint, 'nothing of the stranger ran, nor when it was planned');

-- ------------------------------------------------------------ labels
TRUNCATE seen;
SET ROLE router_oo_owner;
CREATE TABLE app.code (id int, code text);
INSERT INTO app.code VALUES (1, 'one'), (2, 'two');
CREATE FUNCTION app.code_of(i int) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN (SELECT c.code FROM app.code c WHERE c.id = i); END $$;
CREATE TABLE app.l (k int);
SELECT throws_ok($$SELECT router.create_route('app.l', router.by_list('k', label => 'SELECT code FROM code WHERE id = $1'))$$, '42P01', NULL,
    'a label does not look for a table by the search_path, where others may put one');
SELECT router.create_route('app.l', router.by_list('k', label => 'SELECT app.code_of($1)')) \g /dev/null
GRANT INSERT ON app.l TO router_oo_app;
RESET ROLE;
SET SESSION AUTHORIZATION router_oo_app;
CREATE FUNCTION app.note_app() RETURNS text LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.seen VALUES (current_user); RETURN 'evil'; END $$;
CREATE TEMP VIEW code AS SELECT i AS id, app.note_app() AS code FROM generate_series(1, 9) i;
CREATE FUNCTION pg_temp.code_of(i int) RETURNS text LANGUAGE sql AS 'SELECT app.note_app()';
CREATE FUNCTION app.eq(int, int) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN PERFORM app.note_app(); RETURN true; END $$;
CREATE OPERATOR app.= (LEFTARG = int, RIGHTARG = int, FUNCTION = app.eq);
SET search_path = pg_temp, app, pg_catalog;
SET row_security = off;
INSERT INTO app.l VALUES (1);
RESET SESSION AUTHORIZATION;
RESET search_path;
SELECT is(test.children('app.l') || (SELECT count(*) FROM seen), 'app.l_one0', 'a hostile session has its child named as any other has, and nothing of it runs');

SET ROLE router_oo_owner;
CREATE FUNCTION app.rekey(int) RETURNS text LANGUAGE plpgsql AS $$ BEGIN PERFORM router.create_route('app.l2', ARRAY[router.by_list('j'), router.by_list('k')]); RETURN 'x'; END $$;
CREATE TABLE app.l2 (k int, j text);
SELECT router.create_route('app.l2', router.by_list('k', label => 'SELECT app.rekey($1)')) \g /dev/null
SELECT throws_ok($$INSERT INTO app.l2 VALUES (1, 'one')$$, '55006', NULL, 'a label does not change the keys of the route that asks it');
RESET ROLE;

-- ------------------------------------------------------------ plans that one role made and another uses
CREATE PROCEDURE test.twins(setup text) LANGUAGE plpgsql AS $$
DECLARE
    twin text;
BEGIN
    FOREACH twin IN ARRAY ARRAY['o', 'r', 'h'] LOOP
        EXECUTE replace(setup, '@', twin);
    END LOOP;
END $$;
SET SESSION AUTHORIZATION router_oo_owner;
CREATE TABLE app.p_o (id int, d date, tenant name);
CREATE TABLE app.p_r (LIKE app.p_o);
CREATE TABLE app.p_h (LIKE app.p_o);
SELECT router.create_route('app.p_r', router.by_date('d', 'month')) \g /dev/null
SELECT router.create_route('app.p_h', router.by_date('d', 'month'), hot => '30 days') \g /dev/null
CALL test.twins($s$
    INSERT INTO app.p_@ SELECT i, current_date - i, CASE i % 3 WHEN 0 THEN 'router_oo_app' WHEN 1 THEN 'router_oo_both' ELSE 'x' END FROM generate_series(1, 200) i;
    CREATE INDEX ON app.p_@ (d);
    CREATE POLICY p ON app.p_@ USING (tenant = current_user);
    ALTER TABLE app.p_@ ENABLE ROW LEVEL SECURITY;
    GRANT SELECT, INSERT, UPDATE, DELETE ON app.p_@ TO router_oo_app, router_oo_other;
    CREATE VIEW app.barrier_@ WITH (security_barrier) AS SELECT * FROM app.p_@ WHERE id % 3 = 0;
    GRANT SELECT, UPDATE, DELETE ON app.barrier_@ TO router_oo_app;
    CREATE FUNCTION app.definer_@() RETURNS bigint LANGUAGE plpgsql SECURITY DEFINER AS $f$ BEGIN RETURN (SELECT count(*) FROM app.p_@ WHERE d <= now()); END $f$;
    CREATE FUNCTION app.invoker_@() RETURNS bigint LANGUAGE plpgsql AS $f$ BEGIN RETURN (SELECT count(*) FROM app.p_@ WHERE d <= now()); END $f$;
    CREATE FUNCTION app.insert_@() RETURNS text LANGUAGE plpgsql AS $f$ BEGIN INSERT INTO app.p_@ VALUES (1000, '2010-01-01', 'router_oo_app'); RETURN 'done'; END $f$;
    CREATE FUNCTION app.insert_as_owner_@() RETURNS text LANGUAGE plpgsql SECURITY DEFINER AS $f$ BEGIN INSERT INTO app.p_@ VALUES (1001, '2009-01-01', 'x'); RETURN 'done'; END $f$;
    CREATE FUNCTION app.move_@() RETURNS bigint LANGUAGE plpgsql AS $f$ DECLARE n int; BEGIN UPDATE app.p_@ SET d = d - 31 WHERE d <= now(); GET DIAGNOSTICS n = ROW_COUNT; RETURN n; END $f$;$s$);
CALL router.archive('app.p_h');
ANALYZE app.p_o;
ANALYZE app.p_r;
ANALYZE app.p_h;
RESET SESSION AUTHORIZATION;
CREATE TABLE results (step int, twin text, what text, n text);
GRANT ALL ON results TO PUBLIC;
CREATE PROCEDURE test.as_all() LANGUAGE plpgsql AS $$
DECLARE
    role text;
    twin text;
    command text;
    step int := 0;
    n text;
BEGIN
    CALL test.twins('PREPARE p_@(date) AS SELECT count(*) FROM app.p_@ WHERE d <= $1');
    CALL test.twins('PREPARE u_@(date) AS UPDATE app.p_@ SET id = id WHERE d <= $1 RETURNING 1');
    FOREACH role IN ARRAY ARRAY['router_oo_owner', 'router_oo_app', 'router_oo_other', 'router_oo_nobody', 'router_oo_both', 'row_security off', 'router_oo_app', 'router_oo_owner', 'row_security off'] LOOP
        step := step + 1;
        FOREACH twin IN ARRAY ARRAY['o', 'r', 'h'] LOOP
            EXECUTE 'SET ROLE ' || CASE role WHEN 'row_security off' THEN 'router_oo_app' ELSE role END;
            PERFORM set_config('row_security', CASE role WHEN 'row_security off' THEN 'off' ELSE 'on' END, false);
            FOREACH command IN ARRAY ARRAY['EXECUTE p_@(current_date)', 'SELECT app.definer_@()', 'SELECT app.invoker_@()', 'SELECT app.insert_@()',
                                           'SELECT app.insert_as_owner_@()', 'SELECT app.move_@()', 'EXECUTE u_@(current_date)'] LOOP
                BEGIN
                    EXECUTE replace(command, '@', twin) INTO n;
                EXCEPTION WHEN OTHERS THEN
                    n := SQLSTATE;
                END;
                INSERT INTO public.results VALUES (step, twin, role || ': ' || command, n);
            END LOOP;
            RESET ROLE;
        END LOOP;
    END LOOP;
    DEALLOCATE ALL;
    RESET row_security;
END $$;
\set unlike 'SELECT step, what, array_agg(twin || \' \' || n) FROM results GROUP BY 1, 2 HAVING count(DISTINCT coalesce(n, \'null\')) > 1 OR count(*) <> 3'
SET plan_cache_mode = force_generic_plan;
CALL test.as_all();
SELECT is_empty(:'unlike', 'a generic plan that one role made gives the next one what it may see');
SELECT cmp_ok((SELECT count(DISTINCT n) FROM results), '>', 8::bigint, 'which differs');
TRUNCATE results;
SET plan_cache_mode = auto;
CALL test.as_all();
SELECT is_empty(:'unlike', 'so do custom plans');
TRUNCATE results;

-- ------------------------------------------------------------ what a function in a condition is shown
SET SESSION AUTHORIZATION router_oo_app;
CREATE FUNCTION app.show(text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.results VALUES (0, current_setting('test.twin'), current_setting('test.command'), $1); END $$;
CREATE FUNCTION app.leak(id int) RETURNS boolean LANGUAGE plpgsql STABLE COST 0.0000001 AS $$ BEGIN PERFORM app.show(id::text); RETURN true; END $$;
CREATE FUNCTION app.less(a date, b date) RETURNS boolean LANGUAGE plpgsql STABLE COST 0.0000001 AS $$ BEGIN PERFORM app.show(a::text); RETURN a <= b; END $$;
CREATE OPERATOR app.<<< (LEFTARG = date, RIGHTARG = date, FUNCTION = app.less, RESTRICT = scalarltsel);
CREATE PROCEDURE app.try() LANGUAGE plpgsql AS $$
DECLARE
    command text;
    twin text;
    source text;
BEGIN
    FOREACH source IN ARRAY ARRAY['app.p_', 'app.barrier_'] LOOP
        FOREACH twin IN ARRAY ARRAY['o', 'r', 'h'] LOOP
            FOREACH command IN ARRAY ARRAY[
                'SELECT FROM @ WHERE app.leak(id)',
                'SELECT FROM @ WHERE app.leak(id) AND d > now() - interval ''50 days''',
                'SELECT FROM @ WHERE app.leak(id) AND d = ANY (SELECT d FROM @)',
                'SELECT FROM @ WHERE d OPERATOR(app.<<<) ''2100-01-01''::date',
                'SELECT tenant, app.leak(max(id)) FROM @ GROUP BY tenant',
                'SELECT app.leak(id) FROM @ WHERE d < now() ORDER BY d DESC LIMIT 3',
                'SELECT FROM (VALUES (current_date - 40), (current_date - 100)) v(x) CROSS JOIN LATERAL (SELECT FROM @ WHERE d = x AND app.leak(id) OFFSET 0) y',
                'SELECT FROM @ a JOIN @ b ON a.d = b.d AND app.leak(b.id) WHERE a.id < 20',
                'UPDATE @ SET d = d - 40 WHERE app.leak(id) RETURNING app.leak(id)',
                'SELECT FROM @ WHERE app.leak(id) FOR UPDATE',
                'DELETE FROM @ WHERE app.leak(id) AND id > 150'] LOOP
                PERFORM set_config('test.twin', twin, false), set_config('test.command', source || command, false);
                EXECUTE replace(command, '@', source || twin);
            END LOOP;
        END LOOP;
    END LOOP;
END $$;
CALL app.try();
RESET SESSION AUTHORIZATION;
SELECT is_empty($$SELECT what, n FROM results WHERE twin <> 'o' EXCEPT SELECT what, n FROM results WHERE twin = 'o'$$,
    'a function in a condition is shown no row that it is not shown of an ordinary table: policies and security barriers come first');
SELECT cmp_ok((SELECT count(*) FROM results WHERE twin = 'h'), '>', 500::bigint, 'but the others');

-- ------------------------------------------------------------ SECURITY DEFINER
SET SESSION AUTHORIZATION router_oo_owner;
CREATE FUNCTION app.upkeep() RETURNS text LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog AS $$
BEGIN
    PERFORM router.create_child('app.t', '2031-01-01'), router.archive_now('app.h'), router.sync('app.t', dry_run => true);
    RETURN current_user;
END $$;
CREATE PROCEDURE app.night() LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN CALL router.maintain('app.p_h'); END $$;
GRANT EXECUTE ON FUNCTION app.upkeep() TO router_oo_app;
RESET SESSION AUTHORIZATION;
SET SESSION AUTHORIZATION router_oo_app;
SELECT is(app.upkeep() || ' ' || current_user, 'router_oo_owner router_oo_app', 'who may call a SECURITY DEFINER function has its owner''s upkeep done, and is himself again');
SELECT is(test.outcome('CALL app.night()') || ' ' || current_user, 'done router_oo_app', 'so with a procedure');
SELECT throws_ok($$SELECT router.create_child('app.t', '2032-01-01')$$, '42501', NULL, 'but may do none himself');
RESET SESSION AUTHORIZATION;
SELECT is((SELECT count(*) FROM router.check('app.p_h')), 0::bigint, 'all is well');

SELECT * FROM finish();
