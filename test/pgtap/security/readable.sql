-- What others should not read: row security and column privileges of children on a server, what is made while default
-- privileges are set, what router's views and messages tell of rows.
\ir ../../include/helpers.sql
\set tests 112
SELECT plan(:tests);
SELECT test.role('router_read_owner'), test.role('router_read_app'), test.role('router_read_other') \g /dev/null
CREATE SCHEMA app AUTHORIZATION router_read_owner;
GRANT USAGE ON SCHEMA app TO PUBLIC;

-- The privileges that roles other than the owner have on a table and its columns.
CREATE FUNCTION test.grants(rel regclass) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT coalesce(string_agg(format('%s%s=%s', g.part, coalesce(r.rolname, 'public'), g.privileges), ', ' ORDER BY g.part, r.rolname), 'none')
      FROM (SELECT '' AS part, a.grantee, string_agg(lower(privilege_type), ' ' ORDER BY privilege_type) AS privileges
              FROM pg_class c, aclexplode(relacl) a WHERE c.oid = rel AND a.grantee <> relowner GROUP BY 2
             UNION ALL
            SELECT attname || ':', a.grantee, string_agg(lower(privilege_type), ' ' ORDER BY privilege_type)
              FROM pg_class c JOIN pg_attribute t ON attrelid = c.oid, aclexplode(attacl) a WHERE c.oid = rel AND a.grantee <> relowner GROUP BY 1, 2) g
      LEFT JOIN pg_roles r ON r.oid = g.grantee
$$;
-- What a role gets of a query, as text; or the SQLSTATE.
CREATE FUNCTION test.as_role(role name, query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE result text;
BEGIN
    EXECUTE format('SET LOCAL ROLE %I', role);
    EXECUTE query INTO result;
    RESET ROLE;
    RETURN coalesce(result, 'NULL');
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE;
END $$;

-- ------------------------------------------------ foreign children and row security
CREATE FOREIGN DATA WRAPPER nothing;
CREATE SERVER nowhere FOREIGN DATA WRAPPER nothing;
GRANT USAGE ON FOREIGN SERVER nowhere TO router_read_owner;
SET ROLE router_read_owner;
CREATE TABLE app.t (tenant text, d date, secret text, x int, y int);
ALTER TABLE app.t DROP COLUMN x;
GRANT SELECT (tenant, d), UPDATE (y) ON app.t TO router_read_other;
GRANT SELECT, INSERT ON app.t TO router_read_app;
SELECT router.create_route('app.t', router.by_date('d', 'month')) \g /dev/null
CREATE FOREIGN TABLE app.t_far (y int, tenant text, d date, secret text) SERVER nowhere;
SELECT router.attach_child('app.t', 'app.t_far', '{"[2020-01-01,2020-02-01)"}') \g /dev/null
INSERT INTO app.t VALUES ('router_read_app', '2026-01-01', 'mine'), ('router_read_other', '2026-01-02', 'theirs');
SELECT router.sync('app.t') \g /dev/null
SELECT is(test.grants('app.t_far'), test.grants('app.t'), 'a foreign child has the grants of its base, those on columns too');
SELECT is(test.grants('app.t_y2026m01'), test.grants('app.t'), 'like any other');
ALTER TABLE app.t ENABLE ROW LEVEL SECURITY;
SELECT is(test.grants('app.t_far'), 'none', 'not while the base has row security');
SELECT is(test.grants('app.t_y2026m01'), test.grants('app.t'), 'a table keeps them');
CREATE POLICY p ON app.t USING (tenant = current_user) WITH CHECK (tenant = current_user);
GRANT SELECT, DELETE ON app.t TO router_read_other;
GRANT SELECT ON ALL TABLES IN SCHEMA app TO PUBLIC;
SELECT is(test.grants('app.t_far'), 'none', 'nor does GRANT give it any');
SELECT matches(test.grants('app.t_y2026m01'), 'public=select', 'as it does to others');
SELECT is_empty($$SELECT * FROM router.check('app.t')$$, 'as router.check would have it');
CREATE FOREIGN TABLE app.t_off (y int, tenant text, d date, secret text) SERVER nowhere;
GRANT SELECT ON app.t_off TO PUBLIC;
GRANT UPDATE (y) ON app.t_off TO router_read_app;
SELECT router.attach_child('app.t', 'app.t_off', '{"[2020-02-01,2020-03-01)"}') \g /dev/null
SELECT is(test.grants('app.t_off'), 'none', 'attach_child takes away those that a foreign table comes with');
GRANT SELECT ON app.t_far TO router_read_app;
GRANT SELECT (secret) ON app.t_off TO router_read_app;
SELECT results_eq($$SELECT child::text, kind, detail FROM router.check('app.t') ORDER BY 1$$,
                  $$VALUES ('app.t_far', 'grants', 'to be mended: take away the grants'), ('app.t_off', 'grants', 'to be mended: take away the grants on column "secret"')$$,
                  'router.check tells of grants that somebody gave it');
SELECT router.sync('app.t') \g /dev/null
SELECT is(test.grants('app.t_far') || test.grants('app.t_off'), 'nonenone', 'router.sync takes them away');
SELECT router.detach_child('app.t_off') \g /dev/null
SELECT is(test.grants('app.t_off'), 'none', 'detached it has none');
ALTER TABLE app.t FORCE ROW LEVEL SECURITY;
ALTER TABLE app.t NO FORCE ROW LEVEL SECURITY;
SELECT is(test.grants('app.t_far'), 'none', 'FORCE changes nothing of that');
ALTER TABLE app.t DISABLE ROW LEVEL SECURITY;
SELECT is(test.grants('app.t_far'), test.grants('app.t'), 'without row security they are back');
ALTER TABLE app.t ENABLE ROW LEVEL SECURITY;
SELECT router.detach_child('app.t_far') \g /dev/null
SELECT router.detach_child('app.t_y2026m01') \g /dev/null
RESET ROLE;
SELECT is(test.as_role('router_read_app', 'SELECT string_agg(secret, '','') FROM app.t_y2026m01'), 'mine', 'a detached table keeps its policies');
SELECT is(test.grants('app.t_far'), 'none', 'and a detached foreign table has no reader');

SELECT count(*) = 1 AS fdw FROM pg_available_extensions WHERE name = 'postgres_fdw' \gset
\if :fdw
CREATE EXTENSION postgres_fdw;
SELECT current_setting('port') AS port, trim(split_part(current_setting('unix_socket_directories'), ',', 1)) AS sockets, current_database() AS db, current_user AS me \gset
CREATE SERVER loop FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host :'sockets', port :'port', dbname :'db');
CREATE USER MAPPING FOR PUBLIC SERVER loop OPTIONS (user :'me', password_required 'false');
GRANT USAGE ON FOREIGN SERVER loop TO router_read_owner;
CREATE SCHEMA far;
CREATE TABLE far.m_y2026m01 (tenant text, d date, secret text);
SET ROLE router_read_owner;
CREATE TABLE app.m (tenant text, d date, secret text);
ALTER TABLE app.m ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON app.m USING (tenant = current_user) WITH CHECK (tenant = current_user);
GRANT SELECT, INSERT, UPDATE, DELETE ON app.m TO router_read_app;
GRANT SELECT (tenant, d) ON app.m TO router_read_other;
SELECT router.create_route('app.m', router.by_date('d', 'month')) \g /dev/null
INSERT INTO app.m VALUES ('router_read_app', '2026-01-01', 'mine'), ('router_read_other', '2026-01-02', 'theirs');
-- grants that would come with whatever is made
ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO PUBLIC;
ALTER DEFAULT PRIVILEGES IN SCHEMA app GRANT ALL ON TABLES TO router_read_app;
CALL router.move_child('app.m_y2026m01', server => 'loop', remote_schema => 'far');
SELECT is((SELECT relkind FROM pg_class WHERE oid = 'app.m_y2026m01'::regclass), 'f', 'a child is moved to a server');
SELECT is(test.grants('app.m_y2026m01'), 'none', 'and nobody but the owner may read it there');
RESET ROLE;
SELECT is(test.as_role('router_read_app', 'SELECT string_agg(secret, '','') FROM app.m'), 'mine', 'who reads through the base reads his rows');
SELECT is(test.as_role('router_read_app', 'SELECT secret FROM app.m_y2026m01'), '42501', 'the child itself not at all');
SELECT is(test.as_role('router_read_other', 'SELECT string_agg(tenant, '','') FROM app.m'), 'router_read_other', 'columns that one may read');
SELECT is(test.as_role('router_read_other', 'SELECT secret FROM app.m'), '42501', 'and one that one may not');
SELECT is(test.as_role('router_read_app', 'INSERT INTO app.m VALUES (current_user, ''2026-01-03'', ''new'') RETURNING tableoid::regclass'), 'app.m_y2026m01', 'who writes through the base writes there');
SELECT is(test.as_role('router_read_app', 'UPDATE app.m SET secret = ''newer'' WHERE secret = ''new'' RETURNING tenant'), 'router_read_app', 'UPDATE');
SELECT is(test.as_role('router_read_app', 'WITH gone AS (DELETE FROM app.m RETURNING secret) SELECT string_agg(secret, '','' ORDER BY secret) FROM gone'), 'mine,newer', 'DELETE');
SET ROLE router_read_owner;
CALL router.move_child('app.m_y2026m01', local => true);
SELECT is(test.grants('app.m_y2026m01'), test.grants('app.m'), 'moved back it has the grants of the base again');
RESET ROLE;
DROP SERVER loop CASCADE;
\else
SET ROLE router_read_owner;
ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO PUBLIC;
ALTER DEFAULT PRIVILEGES IN SCHEMA app GRANT ALL ON TABLES TO router_read_app;
RESET ROLE;
SELECT skip('postgres_fdw is not available', 10);
\endif

-- ------------------------------------------------------------- default privileges
SET ROLE router_read_owner;
CREATE TABLE app.k (id int, d date);
REVOKE ALL ON app.k FROM PUBLIC, router_read_app;
GRANT INSERT ON app.k TO router_read_app;
SELECT router.create_route('app.k', router.by_date('d', 'month'), default_child => true) \g /dev/null
SELECT router.add_global_key('app.k', '{id}', key_table => 'k_ids') \g /dev/null
INSERT INTO app.k VALUES (1, '2026-01-01'), (2, NULL);
SELECT is(test.grants('app.k_ids'), 'none', 'a key table is for its owner only, whatever default privileges say');
SELECT results_eq($$SELECT DISTINCT test.grants(child) FROM router.children WHERE base = 'app.k'::regclass$$, $$VALUES ('router_read_app=insert')$$, 'children have the grants of the base, the default child too');
CREATE TEMP TABLE passing (id int, d date);
SELECT router.create_route('passing', router.by_date('d', 'month')) \g /dev/null
SELECT router.add_global_key('passing', '{id}') \g /dev/null
SELECT is((SELECT test.grants(key_table) FROM router.global_keys WHERE base = 'passing'::regclass), 'none', 'of a temporary table as well');
RESET ROLE;
-- what a move leaves while it is under way: seen by an event trigger's eye, by the names that it takes
SELECT is((SELECT count(*) FROM pg_class WHERE relname ~ '^router_(copy|bridge)_'), 0::bigint, 'no copy or bridge is left');
ALTER DEFAULT PRIVILEGES FOR ROLE router_read_owner REVOKE ALL ON TABLES FROM PUBLIC;
ALTER DEFAULT PRIVILEGES FOR ROLE router_read_owner IN SCHEMA app REVOKE ALL ON TABLES FROM router_read_app;

-- --------------------------------------------------------------------- seals
SET ROLE router_read_owner;
CREATE TABLE app.s (id bigint, d date, made timestamptz, n int);
REVOKE ALL ON app.s FROM PUBLIC, router_read_app;
SELECT router.create_route('app.s', router.by_date('d', 'month')) \g /dev/null
INSERT INTO app.s SELECT i, '2026-01-01', timestamptz '2026-01-01 UTC' + i * interval '1 day', NULL FROM generate_series(41, 57) i;
CALL router.seal('app.s_y2026m01', '{id,made,n}');
GRANT SELECT (id) ON app.s TO router_read_app;
RESET ROLE;
SELECT is((SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = 'app.s_y2026m01'::regclass AND conname = 'router_seal'),
          'CHECK (router.unseal(tableoid, id, made, n)) NOT VALID', 'the CHECK of a sealed child names no values');
CREATE FUNCTION test.spans(role name) RETURNS text LANGUAGE sql AS $$
    SELECT test.as_role(role, $q$SELECT string_agg("column" || ' ' || coalesce(span, '?') || ' ' || state, ', ' ORDER BY "column") FROM router.seals WHERE base::text = 'app.s'$q$)
$$;
SELECT is(test.spans('router_read_owner'), 'id [41,57] sealed, made [2026-02-11 00:00:00+00,2026-02-27 00:00:00.000001+00) sealed, n ? sealed', 'the owner sees what a child is sealed by');
SELECT is(test.spans('router_read_app'), 'id [41,57] sealed, made ? sealed, n ? sealed', 'another role those columns that it may read');
SELECT is(test.spans('router_read_other'), 'id ? sealed, made ? sealed, n ? sealed', 'and else that there is a seal');
SELECT is(test.as_role('router_read_other', 'SELECT count(span) FROM router.seal_def'), '42501', 'not from the catalog');
SELECT is(test.as_role('router_read_other', 'SELECT count(*) FROM router.readable_seals()'), '0', 'nor by what pg_dump reads');
ALTER TABLE app.s ENABLE ROW LEVEL SECURITY;
SELECT is(test.spans('router_read_app'), 'id ? sealed, made ? sealed, n ? sealed', 'nor does one whom policies show some rows only');
SELECT matches(test.spans('router_read_owner'), '41', 'but the owner');
ALTER TABLE app.s FORCE ROW LEVEL SECURITY;
SELECT is(test.spans('router_read_owner'), 'id ? sealed, made ? sealed, n ? sealed', 'unless they are for him as well');
ALTER TABLE app.s NO FORCE ROW LEVEL SECURITY, DISABLE ROW LEVEL SECURITY;
-- nobody breaks a seal by a value that no row has
GRANT INSERT, UPDATE ON app.s TO router_read_app;
SELECT test.as_role('router_read_app', q) FROM unnest(ARRAY[
    $$SELECT router.unseal('app.s_y2026m01'::regclass, 1000)$$, $$SELECT router.unseal('app.s_y2026m01'::regclass, 1000::bigint, now(), 5)$$,
    $$SELECT router.unseal(tableoid, 1000::bigint) FROM app.s$$, $$SELECT router.unseal(tableoid, id + 1000) FROM app.s$$, $$SELECT router.unseal(o, i) FROM (SELECT tableoid AS o, id + 1000 AS i FROM app.s OFFSET 0) x$$,
    $$SELECT max(router.unseal(tableoid, id)::int) FROM (SELECT tableoid, id + 1000 AS id FROM app.s OFFSET 0) x$$, $$SELECT router.unseal(NULL, id) FROM app.s$$,
    $$SELECT router.unseal('app.s_y2026m01'::regclass, VARIADIC ARRAY[1000])$$, $$SELECT router.unseal(0, NULL::text)$$]) q \g /dev/null
SELECT matches(test.spans('router_read_owner'), 'id \S+ sealed', 'a call by hand breaks no seal');
SELECT is(test.as_role('router_read_app', 'UPDATE app.s SET d = ''2026-01-02'' WHERE id = 50 RETURNING id'), '50', 'a row within');
SELECT matches(test.spans('router_read_owner'), 'id \S+ sealed', 'nor does that');
SELECT is(test.as_role('router_read_app', $$INSERT INTO app.s (id, d) VALUES (58, '2026-01-02') RETURNING id$$), '58', 'a row beyond');
SELECT matches(test.spans('router_read_owner'), 'id \S+ broken', 'does, whoever writes it');
SET ROLE router_read_owner;
CALL router.seal('app.s_y2026m01', '{id,n}');
CREATE TABLE app.heir () INHERITS (app.s_y2026m01);
INSERT INTO app.heir (d, n, id) VALUES ('2026-01-03', 1, 50);
SELECT is((SELECT string_agg(state, ',') FROM router.seals WHERE base = 'app.s'::regclass), 'broken,broken', 'a value where there was none, in a table below the child');
DROP TABLE app.heir;
CALL router.seal('app.s_y2026m01', '{id}');
BEGIN; SAVEPOINT a; UPDATE app.s SET id = 99 WHERE id = 50; ROLLBACK TO a; UPDATE app.s SET id = 51 WHERE id = 50; COMMIT;
SELECT is((SELECT state FROM router.seals WHERE base = 'app.s'::regclass), 'sealed', 'rolled back to a savepoint it is whole');
ALTER TABLE app.s RENAME id TO number;
INSERT INTO app.s (number, d) VALUES (1, '2026-01-01');
SELECT is((SELECT "column" || ' ' || state FROM router.seals WHERE base = 'app.s'::regclass), 'number broken', 'a renamed column goes on');
RESET ROLE;

-- ------------------------------------------------------------------- events
SET ROLE router_read_owner;
CREATE TABLE app.e (id int, d date, secret text);
CREATE FUNCTION app.tells(text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT $1';
SELECT router.create_route('app.e', router.by_date('d', 'month'), hot => '10 years') \g /dev/null
INSERT INTO app.e VALUES (1, current_date - 100, 'x');
CREATE INDEX ON app.e (app.tells(secret));
CREATE OR REPLACE FUNCTION app.tells(text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN RAISE 'the secret is %', $1; END $$;
CALL router.archive('app.e', cutoff => (current_date - 10)::text);
RESET ROLE;
SELECT is(test.as_role(r, $$SELECT string_agg(error, ',') FROM router.events WHERE base_name = 'app.e'$$), wanted, 'error of a run: ' || r)
  FROM (VALUES ('router_read_owner', 'the secret is x'), ('router_read_app', '<insufficient privilege>'), ('pg_monitor', '<insufficient privilege>'), ('pg_read_all_data', '<insufficient privilege>')) v(r, wanted);
GRANT router_read_owner TO router_read_other;
SELECT is(test.as_role('router_read_other', $$SELECT string_agg(error, ',') FROM router.events WHERE base_name = 'app.e'$$), 'the secret is x', 'a member of the owner');
REVOKE router_read_owner FROM router_read_other;
SELECT is(test.as_role('router_read_app', $$SELECT action || rows FROM router.events WHERE base_name = 'app.e'$$), 'archive0', 'the rest is for all');
SELECT is(test.as_role('router_read_app', $$SELECT string_agg(error, ',') FROM router.event_def$$), '42501', 'not behind the view');
SELECT is(test.as_role('router_read_owner', 'DELETE FROM router.events'), '42501', 'an owner deletes nothing');
DROP TABLE app.e;
SELECT is(test.as_role('router_read_owner', $$SELECT string_agg(error, ',') FROM router.events WHERE base_name = 'app.e'$$), '<insufficient privilege>', 'of a table that is gone');
SELECT is((SELECT error FROM router.events WHERE base_name = 'app.e'), 'the secret is x', 'a superuser reads all');
DELETE FROM router.events;
SELECT is_empty('SELECT * FROM router.events', 'and deletes');

-- ------------------------------------------- functions that look, beside a twin of partitions
SET ROLE router_read_owner;
CREATE TABLE app.lr (tenant text, k int, secret text);
CREATE TABLE app.lp (LIKE app.lr) PARTITION BY RANGE (k);
SELECT format('CREATE TABLE app.lp%s PARTITION OF app.lp FOR VALUES FROM (%s) TO (%s)', i, i, i + 10) FROM generate_series(1, 21, 10) i \gexec
SELECT router.create_route('app.lr', router.by_integer('k', 10)) \g /dev/null
INSERT INTO app.lr SELECT CASE WHEN i % 3 = 0 THEN 'mine' ELSE 'other' END, i, 's' || i FROM generate_series(1, 30) i;
INSERT INTO app.lp TABLE app.lr;
ANALYZE app.lr, app.lp;
CREATE VIEW app.vr WITH (security_barrier) AS SELECT * FROM app.lr WHERE tenant = 'mine';
CREATE VIEW app.vp WITH (security_barrier) AS SELECT * FROM app.lp WHERE tenant = 'mine';
ALTER TABLE app.lr ENABLE ROW LEVEL SECURITY;
ALTER TABLE app.lp ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON app.lr USING (tenant = 'mine');
CREATE POLICY p ON app.lp USING (tenant = 'mine');
REVOKE ALL ON app.lr, app.lp, app.vr, app.vp FROM PUBLIC, router_read_app;
GRANT SELECT, UPDATE, DELETE ON app.lr, app.lp, app.vr, app.vp TO router_read_app;
RESET ROLE;
CREATE TABLE test.seen (value text);
GRANT INSERT ON test.seen TO PUBLIC;
CREATE FUNCTION test.leak(anyelement) RETURNS bool LANGUAGE plpgsql COST 0.0000001 AS $$ BEGIN INSERT INTO test.seen VALUES ($1::text); RETURN true; END $$;
CREATE FUNCTION test.spy(text, text) RETURNS bool LANGUAGE plpgsql AS $$ BEGIN INSERT INTO test.seen VALUES ($1); RETURN $1 < $2; END $$;
CREATE OPERATOR test.<<< (PROCEDURE = test.spy, LEFTARG = text, RIGHTARG = text, RESTRICT = scalarltsel);
-- The values that a query shows to a function of the one who asks; % stands for the table.
CREATE FUNCTION test.shown(query text, wanted char) RETURNS text LANGUAGE plpgsql AS $$
DECLARE result text; scans text; discarded text;
BEGIN
    DELETE FROM test.seen;
    FOREACH scans IN ARRAY '{on,off}'::text[] LOOP
        PERFORM set_config('enable_seqscan', scans, true);
        SET LOCAL ROLE router_read_app;
        EXECUTE replace(query, '%', wanted) INTO discarded;
        RESET ROLE;
    END LOOP;
    RETURN (SELECT coalesce(string_agg(value, ' ' ORDER BY value), 'none') FROM (SELECT DISTINCT value FROM test.seen) s);
END $$;
CREATE FUNCTION test.as_partitions(query text) RETURNS SETOF text LANGUAGE sql AS $$
    SELECT is(test.shown(query, 'r'), test.shown(query, 'p'), query)
    UNION ALL SELECT unalike(test.shown(query, 'r'), '%s1 %', 'and nothing of others: ' || query)
$$;
SELECT test.as_partitions(replace(q, '@', rel)) FROM unnest('{v%,l%}'::text[]) rel, unnest(ARRAY[
    'SELECT count(*) FROM app.@ WHERE test.leak(secret)', 'SELECT count(*) FROM app.@ WHERE k BETWEEN 3 AND 13 AND test.leak(secret)', 'SELECT count(*) FROM app.@ WHERE test.leak(k) AND k < 15',
    'SELECT count(*) FROM app.@ a JOIN app.@ b USING (k) WHERE test.leak(a.secret) AND a.k < 15', 'SELECT sum((SELECT count(*) FROM app.@ b WHERE b.k = a AND test.leak(b.secret))) FROM generate_series(1, 30) a',
    'SELECT count(*) FROM (VALUES (3), (4)) x(i), LATERAL (SELECT * FROM app.@ WHERE k = x.i AND test.leak(secret)) y', 'SELECT count(*) FROM app.@ WHERE k = (SELECT 7) AND test.leak(secret)',
    'UPDATE app.@ SET secret = secret WHERE test.leak(secret) RETURNING k', 'EXPLAIN SELECT * FROM app.@ WHERE secret OPERATOR(test.<<<) ''s5''', 'EXPLAIN SELECT * FROM app.@ WHERE k = 3 AND secret OPERATOR(test.<<<) ''s5''']) q;
-- columns that one may not read
ALTER TABLE app.lr DISABLE ROW LEVEL SECURITY;
REVOKE ALL ON app.lr FROM router_read_app;
GRANT SELECT (k) ON app.lr TO router_read_app;
SELECT is(test.shown('EXPLAIN SELECT k FROM app.lr WHERE k < 12', 'r'), 'none', 'statistics of a column that one may not read: not asked');
SELECT throws_ok($$SELECT test.shown('EXPLAIN SELECT k FROM app.lr WHERE secret OPERATOR(test.<<<) ''s5''', 'r')$$, '42501', NULL, 'asked');
SELECT is((SELECT count(*) FROM test.seen), 0::bigint, 'and not used');

-- --------------------------------------------------------- keys in messages
SET ROLE router_read_owner;
CREATE TABLE app.g (id int, tenant text, d date);
REVOKE ALL ON app.g FROM PUBLIC, router_read_app;
SELECT router.create_route('app.g', router.by_date('d', 'month')) \g /dev/null
SELECT router.add_global_key('app.g', '{id}') \g /dev/null
INSERT INTO app.g VALUES (1, 'other', '2026-01-01'), (2, 'mine', '2026-02-01');
CREATE POLICY p ON app.g USING (tenant = 'mine') WITH CHECK (true);
GRANT INSERT, UPDATE ON app.g TO router_read_app;
GRANT SELECT (tenant) ON app.g TO router_read_app;
RESET ROLE;
CREATE FUNCTION test.told(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE detail text;
BEGIN
    SET LOCAL ROLE router_read_app;
    EXECUTE query;
    RETURN 'done';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
    RETURN SQLSTATE || ' ' || detail;
END $$;
CREATE FUNCTION test.told_all() RETURNS text LANGUAGE sql AS $f$
    SELECT string_agg(test.told(q), ', ') FROM unnest(ARRAY[$$INSERT INTO app.g VALUES (1, 'mine', '2026-03-01')$$, $$UPDATE app.g SET id = 1 WHERE tenant = 'mine'$$,
        $$INSERT INTO app.g SELECT i, 'mine', '2026-03-01' FROM generate_series(1, 20) i$$, $$INSERT INTO app.g VALUES (3, 'mine', '2926-03-01')$$]) q
$f$;
SELECT is(test.told_all(), '23505 , 23505 , 23505 , 22008 ', 'no key is told to who may not read it');
GRANT SELECT ON app.g TO router_read_app;
SELECT matches(test.told_all(), '^23505 Key \(id\)=\(1\) already exists., 23505 Key .*, 23505 Key .*, 22008 The row has', 'but to who may');
ALTER TABLE app.g ENABLE ROW LEVEL SECURITY;
SELECT is(test.told_all(), '23505 , 23505 , 23505 , 22008 ', 'under row security to nobody');
GRANT SELECT (id) ON app.g_id_keys TO router_read_app, PUBLIC;
SELECT results_eq($$SELECT detail, remedy FROM router.check('app.g')$$, $$VALUES ('PUBLIC, router_read_app may read key table app.g_id_keys, which has keys of rows that policies of the base hide', 'REVOKE SELECT ON app.g_id_keys FROM PUBLIC, router_read_app')$$, 'router.check tells of a key table that others may read');
REVOKE SELECT ON app.g_id_keys FROM PUBLIC, router_read_app;
SELECT is_empty($$SELECT * FROM router.check('app.g')$$, 'the remedy');
-- router.check tells the owner, unless policies are for him as well
SET ROLE router_read_owner;
ALTER TABLE app.g_y2026m01 DISABLE TRIGGER ALL;
INSERT INTO app.g_y2026m01 VALUES (9, 'x', '2026-01-09');
ALTER TABLE app.g_y2026m01 DROP CONSTRAINT router_home;
UPDATE ONLY app.g_y2026m01 SET d = '2026-05-05' WHERE id = 9;
SELECT results_eq($$SELECT detail FROM router.check('app.g') WHERE kind = 'rows'$$, $$VALUES ('1 row is not at home, the first has (d) = (2026-05-05)')$$, 'router.check names the keys of a row');
ALTER TABLE app.g FORCE ROW LEVEL SECURITY;
SELECT results_eq($$SELECT detail FROM router.check('app.g') WHERE kind = 'rows'$$, $$VALUES ('1 row is not at home')$$, 'not under policies that are for the owner as well');
RESET ROLE;

-- ------------------------------- what default privileges would give of router itself
DROP EXTENSION router CASCADE;
ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO PUBLIC, router_read_app;
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;
ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO router_read_app;
ALTER DEFAULT PRIVILEGES REVOKE USAGE ON TYPES FROM PUBLIC;
CREATE EXTENSION router;
ALTER DEFAULT PRIVILEGES REVOKE ALL ON TABLES FROM PUBLIC, router_read_app;
ALTER DEFAULT PRIVILEGES GRANT EXECUTE ON FUNCTIONS TO PUBLIC;
ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM router_read_app;
ALTER DEFAULT PRIVILEGES GRANT USAGE ON TYPES TO PUBLIC;
SELECT is((SELECT string_agg(proname, ' ' ORDER BY proname) FROM pg_proc WHERE pronamespace = 'router'::regnamespace AND NOT has_function_privilege('router_read_other', oid, 'EXECUTE')),
          'config_changed on_ddl_end on_ddl_start on_sql_drop', 'nor has anybody lost one on functions');
SELECT is((SELECT string_agg(proname, ' ') FROM pg_proc, aclexplode(proacl) WHERE pronamespace = 'router'::regnamespace AND grantee NOT IN (0, proowner)), NULL, 'or got one');
SELECT ok(has_type_privilege('router_read_other', 'router.key', 'USAGE'), 'the type of keys is for all');
SELECT is((SELECT string_agg(format('%s %s %s', c.oid::regclass, a.grantee, a.privilege_type), ', ') FROM pg_class c, aclexplode(relacl) a
            WHERE relnamespace = 'router'::regnamespace AND grantee <> relowner AND (grantee <> 0 OR privilege_type <> 'SELECT' OR relname IN ('event_def', 'seal_def', 'clone_def', 'reject_def'))), NULL, 'nobody has a right on the catalog that the extension did not give');
SELECT is((SELECT string_agg(test.as_role('router_read_other', format('SELECT count(*) FROM router.%I', viewname)), '') FROM pg_views WHERE schemaname = 'router'), (SELECT repeat('0', count(*)::int) FROM pg_views WHERE schemaname = 'router'), 'views are readable');

SELECT * FROM finish();
