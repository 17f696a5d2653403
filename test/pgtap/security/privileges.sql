-- Who may do what: F11, design invariant 7. A role with nothing but INSERT on the base causes the creation
-- of children and nothing else; what it inserts or sets never chooses what runs as the owner.
\ir ../../include/helpers.sql
\set tests 65
SELECT plan(:tests);

SELECT test.role('router_p_owner'), test.role('router_p_user'), test.role('router_p_other') \g /dev/null
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
CREATE SCHEMA app AUTHORIZATION router_p_owner;
GRANT USAGE ON SCHEMA app TO router_p_user;
CREATE SCHEMA evil AUTHORIZATION router_p_user;
SELECT current_user AS me \gset

SET ROLE router_p_owner;
CREATE TABLE app.t (id int PRIMARY KEY, d date, txt text, n int DEFAULT 1);
CREATE TABLE app.label (id int PRIMARY KEY, code text);
INSERT INTO app.label SELECT i, 'code' || i FROM generate_series(1, 100) i;
CREATE TABLE app.seen (told text);
CREATE FUNCTION app.label_of(int) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO app.seen VALUES ('label as ' || current_user || ' path ' || current_setting('search_path'));
    RETURN (SELECT code FROM app.label WHERE id = $1);
END $$;
CREATE TABLE app.l (id int, v text);
CREATE TABLE app.p (v text, w text);
CREATE TABLE app.h (v text);
SELECT isnt_empty($$SELECT router.create_route('app.t', router.by_date('d', 'month'))$$, 'the owner creates a route, needing no more than being the owner');
SELECT router.create_route('app.l', router.by_list('id', label => 'SELECT app.label_of($1)')) \g /dev/null
SELECT router.create_route('app.p', ARRAY[router.by_prefix('v', 3), router.by_suffix('w', 3)]) \g /dev/null
SELECT router.create_route('app.h', router.by_hash('v', 4)) \g /dev/null
GRANT INSERT ON app.t, app.l, app.p, app.h TO router_p_user;
RESET ROLE;

-- ------------------------------------------------------- nothing but INSERT
:fresh
SET ROLE router_p_user;
INSERT INTO app.t VALUES (1, '2024-01-01', 'a'), (2, '2024-02-01', 'b');
SELECT is(:ROW_COUNT, 2, 'a role with nothing but INSERT inserts');
RESET ROLE;
SELECT is(test.homes('app.t'), 'app.t_y2024m01: 1, app.t_y2024m02: 1', 'and causes the creation of children');
SELECT is((SELECT string_agg(DISTINCT relowner::regrole::text, ' ') FROM pg_class WHERE oid IN (SELECT tableoid FROM app.t)), 'router_p_owner', 'F11: which belong to the owner of the base');
SELECT is((SELECT relacl::text FROM pg_class WHERE oid = 'app.t_y2024m01'::regclass), (SELECT relacl::text FROM pg_class WHERE oid = 'app.t'::regclass), 'F11: with the grants of the base');
:fresh
SET ROLE router_p_user;
COPY app.t (id, d) FROM STDIN;
3	2024-03-01
\.
SELECT is(:ROW_COUNT, 1, 'the same through COPY');
SELECT throws_ok('SELECT * FROM app.t', '42501', NULL, 'it cannot read the base');
SELECT throws_ok('SELECT * FROM app.t_y2024m01', '42501', NULL, 'nor a child that it caused');
SELECT throws_ok('UPDATE app.t SET n = 2', '42501', NULL, 'nor update');
SELECT throws_ok('DELETE FROM app.t_y2024m01', '42501', NULL, 'nor delete');
SELECT throws_ok('DROP TABLE app.t_y2024m01', '42501', NULL, 'nor drop');
SELECT throws_ok('INSERT INTO app.t VALUES (9, ''2024-09-01'') RETURNING *', '42501', NULL, 'RETURNING needs SELECT, as always');
SELECT is(current_user::text, 'router_p_user', 'and it is itself after all that');
SELECT lives_ok('INSERT INTO app.t_y2024m01 VALUES (10, ''2024-01-10'')', 'it may insert into the child, as it may into the base');
SELECT throws_ok($$SELECT router.create_child('app.t', '2025-01-01')$$, '42501', NULL, 'create_child');
SELECT throws_ok($$SELECT router.create_child('app.t', ARRAY['2025-01-01'], 'x', true)$$, '42501', NULL, 'create_child, dry_run');
SELECT throws_ok($$SELECT router.premake('app.t', 3)$$, '42501', NULL, 'premake');
SELECT throws_ok($$SELECT router.alter_route('app.t', horizon => '1 year')$$, '42501', NULL, 'alter_route');
SELECT throws_ok($$SELECT router.drop_route('app.t')$$, '42501', NULL, 'drop_route');
SELECT throws_ok($$SELECT router.create_route('app.label', router.by_list('id'))$$, '42501', NULL, 'create_route on the table of another');
SELECT throws_ok($$SELECT router.detach_child('app.t_y2024m01')$$, '42501', NULL, 'detach_child');
SELECT throws_ok($$CALL router.redistribute('app.t')$$, '42501', NULL, 'redistribute');

CREATE TABLE evil.child (id int, d date, txt text, n int);
SELECT throws_ok($$SELECT router.attach_child('app.t', 'evil.child', ARRAY['[2030-01-01,2031-01-01)'])$$, '42501', NULL, 'attach_child of its own table to the base of another');
SELECT throws_ok($$INSERT INTO router.child_def VALUES ('evil.child', 'app.t', '{"[2030-01-01,2031-01-01)"}')$$, '42501', NULL, 'writing child_def');
SELECT throws_ok($$UPDATE router.route_def SET max_new_children = 1$$, '42501', NULL, 'writing route_def');
SELECT throws_ok($$DELETE FROM router.key_def$$, '42501', NULL, 'writing key_def');
SELECT lives_ok('SELECT * FROM router.routes', 'it may look at router.routes');
SELECT lives_ok('SELECT * FROM router.children', 'and at router.children');
-- router's own trigger functions on a table of one's own, and called by hand
CREATE TABLE evil.own (k int, d date);
SELECT throws_ok('SELECT router.route_row()', '39P01', NULL, 'router.route_row is no function to call');
SELECT isnt(test.outcome($$CREATE TRIGGER x BEFORE INSERT ON evil.own FOR EACH ROW EXECUTE FUNCTION router.route_row(); INSERT INTO evil.own VALUES (1, now())$$), 'crash', 'as a trigger of a table without a route it does no harm');
SELECT ok((SELECT count(*) FROM evil.own) <= 1, 'and the server is still there');
RESET ROLE;
SELECT is(test.children('app.t'), 'app.t_y2024m01, app.t_y2024m02, app.t_y2024m03', 'no child came of what was refused');
:fresh
SET ROLE router_p_other;
INSERT INTO app.t VALUES (20, '2026-01-01');
SELECT is(:'SQLSTATE'::text, '42501'::text, 'without INSERT: refused');
RESET ROLE;
SELECT is(to_regclass('app.t_y2026m01'), NULL, 'and no child');
-- column privileges
REVOKE INSERT ON app.t FROM router_p_user;
GRANT INSERT (id, d), SELECT (id) ON app.t TO router_p_user;
:fresh
SET ROLE router_p_user;
INSERT INTO app.t (id, d) VALUES (30, '2027-01-01') RETURNING id \gset
SELECT is(:id, 30, 'column privileges suffice, for RETURNING too');
SELECT throws_ok($$INSERT INTO app.t (id, d, txt) VALUES (31, '2027-02-01', 'x')$$, '42501', NULL, 'and are needed');
SELECT throws_ok($$INSERT INTO app.t (id, d) VALUES (31, '2027-02-01') RETURNING n$$, '42501', NULL, 'for RETURNING too');
RESET ROLE;
SELECT is((SELECT relowner::regrole::text FROM pg_class WHERE oid = 'app.t_y2027m01'::regclass), 'router_p_owner', 'the child belongs to the owner');

-- --------------------------------------------------- the owner without CREATE
SET ROLE router_p_owner;
CREATE TABLE app.given (k int);
RESET ROLE;
ALTER TABLE app.given SET SCHEMA public;
SELECT router.create_route('public.given', router.by_integer('k', 10)) \g /dev/null
GRANT INSERT ON public.given TO router_p_user;
SELECT is(has_schema_privilege('router_p_owner', 'public', 'CREATE'), false, 'the owner cannot create tables in this schema');
:fresh
SET ROLE router_p_user;
INSERT INTO public.given VALUES (5);
SELECT is(:'SQLSTATE'::text, '42501'::text, 'and router does not create any for it that it could not create itself');
SELECT matches(test.hint('INSERT INTO public.given VALUES (5)'), 'GRANT CREATE ON SCHEMA public TO router_p_owner', 'the hint says what the owner lacks');
RESET ROLE;
SELECT is(test.homes('given'), 'empty', 'the base is empty');
GRANT CREATE ON SCHEMA public TO router_p_owner;
:fresh
SET ROLE router_p_user;
INSERT INTO public.given VALUES (5);
RESET ROLE;
SELECT is(test.homes('given'), 'given_1_10: 1', 'once the owner may, the role that inserts needs no CREATE');
SELECT is((SELECT relowner::regrole::text FROM pg_class WHERE oid = to_regclass('given_1_10')), 'router_p_owner', 'and the child belongs to the owner');
REVOKE CREATE ON SCHEMA public FROM router_p_owner;

-- ------------------------------------------------------------------ labels
:fresh
SET ROLE router_p_user;
INSERT INTO app.l VALUES (7, 'x');
SELECT is(:ROW_COUNT, 1, 'a label that the inserting role could not look up itself');
RESET ROLE;
SELECT is(test.homes('app.l'), 'app.l_code7: 1', 'names the child');
SELECT matches((SELECT told FROM app.seen), '^label as router_p_owner path', 'the label query runs as the owner of the base');
SELECT ok((SELECT told FROM app.seen) NOT LIKE '%public%', 'with search_path pinned');

-- -------------------------------------------------------- search_path attacks
SET ROLE router_p_user;
CREATE TABLE evil.caught (who text, what text);
GRANT ALL ON evil.caught TO PUBLIC;
GRANT USAGE ON SCHEMA evil TO PUBLIC;
CREATE FUNCTION evil.catch(what text) RETURNS boolean LANGUAGE plpgsql AS $$BEGIN INSERT INTO evil.caught VALUES (current_user, what); RETURN true; END $$;
CREATE FUNCTION evil.lower(text) RETURNS text LANGUAGE sql AS $$SELECT evil.catch('lower')::text$$;
CREATE FUNCTION evil.substr(text, int, int) RETURNS text LANGUAGE sql AS $$SELECT evil.catch('substr')::text$$;
CREATE FUNCTION evil."right"(text, int) RETURNS text LANGUAGE sql AS $$SELECT evil.catch('right')::text$$;
CREATE FUNCTION evil.hashtextextended(text, bigint) RETURNS bigint LANGUAGE sql AS $$SELECT evil.catch('hash')::int::bigint$$;
CREATE FUNCTION evil.eq(date, date) RETURNS boolean LANGUAGE sql AS $$SELECT evil.catch('date')$$;
CREATE FUNCTION evil.eq(text, text) RETURNS boolean LANGUAGE sql AS $$SELECT evil.catch('text')$$;
CREATE FUNCTION evil.eq(int, int) RETURNS boolean LANGUAGE sql AS $$SELECT evil.catch('int')$$;
CREATE OPERATOR evil.>= (LEFTARG = date, RIGHTARG = date, FUNCTION = evil.eq);
CREATE OPERATOR evil.< (LEFTARG = date, RIGHTARG = date, FUNCTION = evil.eq);
CREATE OPERATOR evil.= (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.eq);
CREATE OPERATOR evil.= (LEFTARG = int, RIGHTARG = int, FUNCTION = evil.eq);
CREATE DOMAIN evil.date AS pg_catalog.text CHECK (evil.catch(VALUE) IS NOT NULL);
CREATE DOMAIN evil.text AS pg_catalog.text CHECK (evil.catch(VALUE) IS NOT NULL);
RESET ROLE;
:fresh
SET ROLE router_p_user;
SET search_path = evil, pg_catalog, app;
CREATE TEMP TABLE label (id int, code pg_catalog.text) ON COMMIT PRESERVE ROWS;
CREATE TEMP TABLE pg_class (x int);
INSERT INTO label VALUES (8, 'fooled');
INSERT INTO app.t (id, d) VALUES (40, '2028-01-01');
INSERT INTO app.l VALUES (8, 'x');
INSERT INTO app.p VALUES ('abcdef', 'uvwxyz');
INSERT INTO app.h VALUES ('a'), ('b'), ('c'), ('d'), ('e');
RESET search_path;
RESET ROLE;
SELECT is((SELECT string_agg(who || ' ' || what, ', ') FROM evil.caught), NULL, 'nothing of an evil schema at the head of the search_path ran');
SELECT is((SELECT string_agg(c, ' ' ORDER BY c) FROM (SELECT test.homes(x::regclass) AS c FROM unnest('{app.l,app.p}'::text[]) x) s), 'app.l_code7: 1, app.l_code8: 1 app.p_abc_xyz: 1', 'children were created as they should be');
SELECT is((SELECT count(*) FROM pg_constraint con JOIN pg_depend d ON d.classid = 'pg_constraint'::regclass AND d.objid = con.oid
            WHERE con.conname = 'router_home' AND d.refobjid IN (SELECT oid FROM pg_proc WHERE pronamespace = 'evil'::regnamespace UNION SELECT oid FROM pg_operator WHERE oprnamespace = 'evil'::regnamespace UNION SELECT oid FROM pg_type WHERE typnamespace = 'evil'::regnamespace)),
          0::bigint, 'no CHECK uses anything of it');
SELECT is(test.strays('app.t') || test.strays('app.p') || test.strays('app.h'), 'nonenonenone', 'all home');
:fresh
SET search_path = evil, pg_catalog, app;
SELECT router.create_child('app.t', '2029-01-01') \g /dev/null
SELECT router.premake('app.t', 2) \g /dev/null
RESET search_path;
SELECT is((SELECT string_agg(who || ' ' || what, ', ') FROM evil.caught), NULL, 'nor when a superuser calls the functions with it');

-- ------------------------------------------- nothing that the owner defined runs as someone else
CREATE TABLE app.grab (who text);
GRANT INSERT ON app.grab TO PUBLIC;
CREATE FUNCTION app.trap() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO app.grab VALUES (TG_WHEN || ' as ' || current_user); RETURN NEW; END $$;
CREATE TRIGGER trap_b BEFORE INSERT ON app.h FOR EACH ROW EXECUTE FUNCTION app.trap();
SELECT router.drop_route('app.h') \g /dev/null
DROP TABLE app.h CASCADE;
SET ROLE router_p_owner;
CREATE TABLE app.h (v text);
RESET ROLE;
CREATE TRIGGER trap_b BEFORE INSERT ON app.h FOR EACH ROW EXECUTE FUNCTION app.trap();
CREATE TRIGGER trap_a AFTER INSERT ON app.h FOR EACH ROW EXECUTE FUNCTION app.trap();
GRANT INSERT ON app.h TO router_p_user;
SELECT router.create_route('app.h', router.by_hash('v', 4)) \g /dev/null
:fresh
SET ROLE router_p_user;
INSERT INTO app.h VALUES ('x');
RESET ROLE;
SELECT is((SELECT string_agg(who, ', ' ORDER BY who) FROM app.grab), 'AFTER as router_p_user, BEFORE as router_p_user', 'triggers of the base run as the role that inserts, as always');
-- defaults and generated columns run as the role that inserts, too
CREATE FUNCTION app.who() RETURNS text LANGUAGE sql STABLE AS 'SELECT current_user::text';
ALTER TABLE app.l ADD COLUMN who text DEFAULT app.who();
:fresh
SET ROLE router_p_user;
INSERT INTO app.l (id) VALUES (90);
RESET ROLE;
SELECT is((SELECT who FROM app.l WHERE id = 90), 'router_p_user', 'defaults are computed as the role that inserts');
SELECT is((SELECT relowner::regrole::text FROM pg_class WHERE oid = (SELECT tableoid FROM app.l WHERE id = 90)), 'router_p_owner', 'while the child belongs to the owner');
-- security definer functions and superusers
CREATE FUNCTION app.put(int) RETURNS void LANGUAGE sql SECURITY DEFINER AS 'INSERT INTO app.l (id) VALUES ($1)';
ALTER FUNCTION app.put(int) OWNER TO router_p_owner;
:fresh
SET ROLE router_p_user;
SELECT app.put(91) \g /dev/null
RESET ROLE;
SELECT is((SELECT relowner::regrole::text FROM pg_class WHERE oid = (SELECT tableoid FROM app.l WHERE id = 91)), 'router_p_owner', 'through a security definer function');

-- ------------------------------------------------------------- row security
ALTER TABLE app.p ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON app.p FOR INSERT TO router_p_user WITH CHECK (v <> 'forbidden');
:fresh
SET ROLE router_p_user;
INSERT INTO app.p VALUES ('fine', 'one'), ('good', 'two');
SELECT is(:ROW_COUNT, 2, 'row security: what the policy allows');
INSERT INTO app.p VALUES ('okay', 'one'), ('forbidden', 'zzz');
SELECT is(:'SQLSTATE'::text, '42501'::text, 'row security: what it does not');
:fresh
SET ROLE router_p_user;
INSERT INTO app.p VALUES ('forbidden', 'zzz');
SELECT is(:'SQLSTATE'::text, '42501'::text, 'row security: not in the first statement of a session either');
RESET ROLE;
SELECT is((SELECT count(*) FROM router.children WHERE base = 'app.p'::regclass AND child::text ~ 'zzz|oka'), 0::bigint, 'row security: no child of what was refused');
SELECT is((SELECT bool_and(relrowsecurity) FROM pg_class WHERE oid IN (SELECT tableoid FROM app.p WHERE v IN ('fine', 'good'))), true, 'row security: new children have it as well');
SET ROLE router_p_user;
SELECT throws_ok($$INSERT INTO app.p_fin_one VALUES ('forbidden', 'x')$$, '42501', NULL, 'row security: so the child itself is no way round');
RESET ROLE;
ALTER TABLE app.p FORCE ROW LEVEL SECURITY;
:fresh
SET ROLE router_p_user;
INSERT INTO app.p VALUES ('forced', 'new');
RESET ROLE;
SELECT is(test.homes('app.p_for_new'), 'app.p_for_new: 1', 'row security forced on the owner does not hinder the routing');
SELECT is(current_user::text, :'me', 'the session is itself again');

SELECT * FROM finish();
DROP SCHEMA app, evil CASCADE;
