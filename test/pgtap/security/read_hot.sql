-- router.read_hot is for the queries of him who sets it. What others have written sees all rows: their functions, triggers, views and
-- policies, by which they may guard something.
\ir ../../include/helpers.sql
\set tests 10
SELECT plan(:tests);
SELECT test.role('router_h_owner'), test.role('router_h_user') \g /dev/null
CREATE SCHEMA app AUTHORIZATION router_h_owner;
SET ROLE router_h_owner;
GRANT USAGE ON SCHEMA app TO router_h_user;
CREATE TABLE app.banned (name text, at timestamptz);
SELECT router.create_route('app.banned', router.by_date('at', 'month'), hot => '7 days') \g /dev/null
INSERT INTO app.banned VALUES ('eve', '2024-01-02');
CREATE TABLE app.secret (owner text, what text);
INSERT INTO app.secret VALUES ('eve', 'x'), ('bob', 'y');
ALTER TABLE app.secret ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON app.secret USING (NOT EXISTS (SELECT FROM app.banned b WHERE b.name = owner));
CREATE VIEW app.open AS SELECT * FROM (VALUES ('eve'), ('bob')) v (name) WHERE NOT EXISTS (SELECT FROM app.banned b WHERE b.name = v.name);
CREATE FUNCTION app.is_banned(text) RETURNS boolean LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS 'SELECT EXISTS (SELECT FROM app.banned WHERE name = $1)';
CREATE FUNCTION app.look(text) RETURNS boolean LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS 'BEGIN RETURN EXISTS (SELECT FROM app.banned WHERE name = $1); END';
CREATE FUNCTION app.look_as_owner(text) RETURNS boolean LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS 'BEGIN RETURN app.look($1); END';
CREATE TABLE app.entry (name text);
CREATE FUNCTION app.refuse() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM app.banned WHERE name = NEW.name) THEN
        RAISE 'banned' USING errcode = 'BAN00';
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER refuse BEFORE INSERT ON app.entry FOR EACH ROW EXECUTE FUNCTION app.refuse();
GRANT SELECT ON app.banned, app.secret, app.open TO router_h_user;
GRANT INSERT ON app.entry TO router_h_user;
RESET ROLE;
UPDATE router.route_def SET watermark = '-infinity';
CALL router.archive('app.banned');
SELECT is(test.homes('app.banned'), 'app.banned_y2024m01: 1', 'the row is in a child');

LOAD 'router';
SET SESSION AUTHORIZATION router_h_user;
SET router.read_hot = on;
SELECT is((SELECT count(*) FROM app.banned), 0::bigint, 'a query of his own reads the base');
SELECT is((SELECT count(*) FROM (SELECT name FROM app.banned OFFSET 0) s), 0::bigint, 'in a subquery, too');
SELECT is((SELECT string_agg(owner, ' ') FROM app.secret), 'bob', 'a policy sees the child');
SELECT is((SELECT string_agg(name, ' ') FROM app.open), 'bob', 'a view of somebody else');
SELECT ok(app.is_banned('eve'), 'a SECURITY DEFINER function');
SELECT is((SELECT bool_or(app.look('eve')) FROM generate_series(1, 10)), false, 'not one that runs as the caller, and keeps its plan');
SELECT ok(app.look_as_owner('eve'), 'which is another one once it is called as somebody else');
SELECT throws_ok($$INSERT INTO app.entry VALUES ('eve')$$, 'BAN00', NULL, 'a trigger');
RESET router.read_hot;
SELECT is((SELECT count(*) FROM app.banned), 1::bigint, 'without the setting his own query does');
RESET SESSION AUTHORIZATION;

SELECT * FROM finish();
DROP SCHEMA app CASCADE;
