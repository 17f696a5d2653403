-- Where children may be: what the owner of a base may not use, nobody uses for him, whoever asks. Tablespaces as for
-- partitions; servers with the owner's mapping, by connections of router's own; and servers that do not keep to the rules.
\ir ../../include/helpers.sql
\set tests 37
SELECT plan(:tests);

SELECT test.role('router_l_owner'), test.role('router_l_user') \g /dev/null
CREATE SCHEMA l AUTHORIZATION router_l_owner;
GRANT USAGE, CREATE ON SCHEMA l TO router_l_user;
SET allow_in_place_tablespaces = on;
SELECT 'router_l_' || current_database() AS room \gset
CREATE TABLESPACE :"room" LOCATION '';
RESET allow_in_place_tablespaces;
CREATE ACCESS METHOD heap2 TYPE TABLE HANDLER heap_tableam_handler;

-- -------------------------------------------------------------- tablespaces
SET ROLE router_l_owner;
CREATE TABLE l.t (k int PRIMARY KEY, d date);
CREATE TABLE l.p (k int PRIMARY KEY, d date) PARTITION BY RANGE (k);
SELECT router.create_route('l.t', router.by_integer('k', 10)) \g /dev/null
CREATE TABLE l.old (k int, d date);
SELECT router.create_route('l.old', router.by_date('d', 'year'), horizon => '100 years') \g /dev/null
INSERT INTO l.old VALUES (1, '2001-01-01');
GRANT INSERT ON l.t TO router_l_user;
RESET ROLE;
:fresh
SET ROLE router_l_user;
SET default_tablespace = :"room";
INSERT INTO l.t VALUES (1);
RESET ROLE;
SELECT is((SELECT reltablespace::int FROM pg_class WHERE oid = 'l.t_1_10'::regclass), 0, 'the default tablespace of who inserts is not that of children');
ALTER TABLE l.t SET TABLESPACE :"room";
ALTER TABLE l.p SET TABLESPACE :"room";
SET ROLE router_l_owner;
SELECT test.outcome('CREATE TABLE l.p1 PARTITION OF l.p FOR VALUES FROM (11) TO (21)') AS twin \gset
RESET ROLE;
:fresh
SET ROLE router_l_user;
INSERT INTO l.t VALUES (11);
SELECT is(:'SQLSTATE'::text, left(:'twin', 5), 'a base in a tablespace where its owner may create nothing: as for partitions');
RESET ROLE;
SELECT is(test.outcome('INSERT INTO l.t VALUES (11)'), :'twin', 'also if a superuser inserts');
SELECT is((SELECT remedy FROM router.check('l.t')), format('GRANT CREATE ON TABLESPACE %I TO router_l_owner', :'room'), 'check tells it');
ALTER TABLE l.t SET TABLESPACE pg_default;
ALTER INDEX l.t_pkey SET TABLESPACE :"room";
ALTER TABLE l.p SET TABLESPACE pg_default;
ALTER INDEX l.p_pkey SET TABLESPACE :"room";
SET ROLE router_l_owner;
SELECT test.outcome('CREATE TABLE l.p1 PARTITION OF l.p FOR VALUES FROM (11) TO (21)') AS twin \gset
RESET ROLE;
SELECT is(test.outcome('INSERT INTO l.t VALUES (11)'), :'twin', 'an index there: as for partitions');
SELECT is((SELECT count(*)::int FROM router.check('l.t')), 0, 'and all is well');
SELECT test.outcome(format('CALL router.move_child(''l.t_1_10'', tablespace => %L)', :'room')) AS outcome \gset
SELECT matches(:'outcome'::text, '^42501: permission denied for tablespace', 'a superuser does not move there what its owner may not put there');
SELECT matches(test.outcome(format('SELECT router.add_tier(''l.old'', ''1 year'', tablespace => %L)', :'room')), '^42501', 'nor is there such a tier');
SELECT matches(test.outcome($$CALL router.move_child('l.t_1_10', tablespace => 'pg_global')$$), '^22023', 'pg_global is for nobody');
GRANT CREATE ON TABLESPACE :"room" TO router_l_owner;
SELECT router.add_tier('l.old', '1 year', tablespace => :'room') \g /dev/null
REVOKE CREATE ON TABLESPACE :"room" FROM router_l_owner;
SET client_min_messages = error;
CALL router.tier('l.old');
SELECT is(:'SQLSTATE'::text, '42501'::text, 'what was granted once and revoked counts no more');
SELECT is((SELECT reltablespace::int FROM pg_class WHERE oid = 'l.old_y2001'::regclass), 0, 'the child is where it was');
CALL router.tier();
SELECT is(:'SQLSTATE'::text || :'LAST_ERROR_MESSAGE', '55000children of 1 of 1 tables could not be moved', 'all bases: it says of how many');
RESET client_min_messages;

-- ------------------------------------------------------------------ servers
SELECT count(*) = 2 AS installed FROM pg_available_extensions WHERE name IN ('postgres_fdw', 'dblink') \gset
\if :installed
CREATE EXTENSION postgres_fdw;
CREATE SCHEMA link;
CREATE EXTENSION dblink SCHEMA link;
CREATE SCHEMA far;
GRANT ALL ON SCHEMA far TO PUBLIC;
SELECT format('host=%s port=%s', split_part(current_setting('unix_socket_directories'), ',', 1), current_setting('port')) AS address, current_user AS me, current_database() AS here \gset
CREATE SERVER here FOREIGN DATA WRAPPER postgres_fdw;
SELECT format('ALTER SERVER here OPTIONS (ADD host %L, ADD port %L, ADD dbname %L)', split_part(current_setting('unix_socket_directories'), ',', 1), current_setting('port'), current_database()) \gexec
SELECT format('CREATE USER MAPPING FOR %I SERVER here OPTIONS (user %L)', current_user, current_user) \gexec

-- a connection of this session that has the name of the server, and leads elsewhere
CREATE TABLE mine (k int PRIMARY KEY, v text);
SELECT router.create_route('mine', router.by_integer('k', 10)) \g /dev/null
INSERT INTO mine SELECT i, 'x' FROM generate_series(1, 5) i;
SELECT link.dblink_connect('here', :'address' || ' dbname=postgres') \g /dev/null
CALL router.move_child('mine_1_10', server => 'here', remote_schema => 'far');
SELECT is(:'SQLSTATE'::text, '00000'::text, 'a child goes to its server, whatever connections of dblink the session has');
SELECT is((SELECT count(*)::int FROM far.mine_1_10), 5, 'that is where its rows are');
SELECT is((SELECT count(*)::int FROM mine), 5, 'and are read');
CALL router.move_child('mine_1_10', local => true);
SELECT is(:'SQLSTATE'::text, '00000'::text, 'it comes back');
SELECT is(to_regclass('far.mine_1_10'), NULL, 'and the table over there is dropped');
SELECT is(link.dblink_get_connections(), '{here}', 'no connection is left open');
SELECT is((SELECT t FROM link.dblink('here', 'SELECT count(*) FROM pg_class WHERE relname = ''mine_1_10''') AS t(t int)), 0, 'the other one was not used');
SELECT link.dblink_disconnect('here') \g /dev/null

-- the mapping of who calls is not used for the owner
SELECT is(test.outcome($$CALL router.move_child('l.old_y2001', server => 'here', remote_schema => 'far')$$), '42501: permission denied for foreign server here', 'a superuser does not use a server for an owner who may not');
GRANT USAGE ON FOREIGN SERVER here TO router_l_owner;
SELECT is(test.outcome($$CALL router.move_child('l.old_y2001', server => 'here', remote_schema => 'far')$$), '42704: user mapping not found for "router_l_owner"', 'nor his own mapping');
SET ROLE router_l_owner;
CREATE USER MAPPING FOR router_l_owner SERVER here OPTIONS (user :'me', password 'guessed');
RESET ROLE;
SET client_min_messages = error;
CALL router.move_child('l.old_y2001', server => 'here', remote_schema => 'far');
SELECT isnt(:'SQLSTATE'::text, '00000'::text, 'nor what lets the server itself in without a password');
SELECT is(to_regclass('far.old_y2001'), NULL, 'nothing was made over there');
CALL router.maintain('l.old');
SELECT is(to_regclass('far.old_y2001'), NULL, 'by maintenance neither');
RESET client_min_messages;
SELECT is((SELECT relkind::text FROM pg_class WHERE oid = 'l.old_y2001'::regclass), 'r', 'the child is where it was');
SELECT is((SELECT count(*)::int FROM pg_class WHERE relname ~ '^router_(copy|bridge)'), 0, 'and nothing is left');
SELECT is(link.dblink_get_connections(), NULL, 'no connection either');

-- what is over there is a view that shows other rows, has triggers that change them, or raises what it likes
GRANT USAGE ON SCHEMA link TO PUBLIC;
CALL router.move_child('l.old_y2001', server => 'here', remote_schema => 'far');
SELECT isnt(:'SQLSTATE'::text, '00000'::text, 'nor dblink');
SELECT is(to_regclass('far.old_y2001'), NULL, 'still nothing was made');
ALTER USER MAPPING FOR router_l_owner SERVER here OPTIONS (ADD password_required 'false');
SET client_min_messages = error;
CREATE TABLE far.old_y2001 (k int, d date);
CREATE FUNCTION far.lie() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.k := NEW.k + 1; RETURN NEW; END$$;
CREATE TRIGGER lie BEFORE INSERT ON far.old_y2001 FOR EACH ROW EXECUTE FUNCTION far.lie();
CALL router.move_child('l.old_y2001', server => 'here', remote_schema => 'far');
SELECT is(:'SQLSTATE'::text, '22000'::text, 'a server that keeps other rows is found out');
CREATE OR REPLACE FUNCTION far.lie() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NULL; END$$;
CALL router.move_child('l.old_y2001', server => 'here', remote_schema => 'far');
SELECT is(:'SQLSTATE'::text, '22000'::text, 'one that keeps none as well');
CREATE OR REPLACE FUNCTION far.lie() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION USING ERRCODE = '40001', MESSAGE = 'once more'; END$$;
CREATE OR REPLACE FUNCTION far.cancel() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE EXCEPTION USING ERRCODE = '57014', MESSAGE = 'stop it all'; END$$;
CREATE OR REPLACE TRIGGER lie BEFORE INSERT ON far.old_y2001 FOR EACH ROW EXECUTE FUNCTION far.cancel();
CALL router.move_child('l.old_y2001', server => 'here', remote_schema => 'far');
SELECT is(:'SQLSTATE'::text, '57014'::text, 'what it raises is told');
SELECT is((SELECT relkind::text || (SELECT count(*) FROM l.old) FROM pg_class WHERE oid = 'l.old_y2001'::regclass), 'r1', 'the child is as it was');
SELECT is((SELECT count(*)::int FROM pg_class WHERE relname ~ '^router_(copy|bridge)'), 0, 'and nothing is left: it is no cancel of ours');
-- one that does not answer
CREATE OR REPLACE FUNCTION far.cancel() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN PERFORM pg_sleep(60); RETURN NEW; END$$;
SET statement_timeout = '500 ms';
CALL router.move_child('l.old_y2001', server => 'here', remote_schema => 'far');
SELECT is(:'SQLSTATE'::text, '57014'::text, 'a server that does not answer can be canceled');
RESET statement_timeout;
SELECT is((SELECT count(*)::int FROM l.old), 1, 'the child is as it was');
CALL router.move_child('l.old_y2001', access_method => 'heap2');
SELECT is((SELECT count(*)::int FROM pg_class WHERE relname ~ '^router_(copy|bridge)'), 0, 'and the next move clears away');
DROP TABLE far.old_y2001;
DROP TABLE mine;
DROP EXTENSION dblink, postgres_fdw CASCADE;
\else
SELECT pass('postgres_fdw and dblink are not installed') FROM generate_series(1, 25);
\endif

DROP TABLE l.t, l.p, l.old;
DROP OWNED BY router_l_owner, router_l_user CASCADE;
DROP ACCESS METHOD heap2;
DROP TABLESPACE :"room";
SELECT * FROM finish();
