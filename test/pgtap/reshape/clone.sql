-- Rows of other tables go into a routed table: clone, retry_rejects, drop_rejects. Kinds of sources by kinds of errors; who may do and see what.
\ir ../../include/helpers.sql
\set tests 185
SELECT plan(:tests);

SELECT test.role('router_clone_owner'), test.role('router_clone_app'), test.role('router_clone_stranger') \g /dev/null
CREATE EXTENSION postgres_fdw;
CREATE SERVER loop FOREIGN DATA WRAPPER postgres_fdw OPTIONS (dbname 'DATABASE');
SELECT format('ALTER SERVER loop OPTIONS (SET dbname %L, ADD host %L, ADD port %L)', current_database(), split_part(current_setting('unix_socket_directories'), ',', 1), current_setting('port')) \gexec
SELECT format('CREATE USER MAPPING FOR %I SERVER loop OPTIONS (user %L)', current_user, current_user) \gexec

-- the same rows in sources of all kinds
CREATE TABLE rows_of AS
    SELECT i AS id, i % 7 AS r, date '2024-01-01' + i % 90 AS at, CASE WHEN i = 2500 THEN 'none' ELSE i::text END AS amount, repeat('n', i % 50) AS note, 'x'::text AS unused
      FROM generate_series(1, 3000) i;
CREATE TABLE keyed (LIKE rows_of);
ALTER TABLE keyed ADD dropped int, ADD PRIMARY KEY (at, id);
ALTER TABLE keyed DROP dropped;
CREATE TABLE keyless (LIKE rows_of);
CREATE TABLE parted (LIKE rows_of) PARTITION BY LIST (r);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES IN (0, 1, 2);
CREATE TABLE parted_2 PARTITION OF parted DEFAULT;
CREATE TABLE parted_keyed (LIKE rows_of, PRIMARY KEY (r, id)) PARTITION BY LIST (r);
CREATE TABLE parted_keyed_1 PARTITION OF parted_keyed FOR VALUES IN (0, 1, 2);
CREATE TABLE parted_keyed_2 PARTITION OF parted_keyed DEFAULT;
CREATE TABLE parent (LIKE rows_of, PRIMARY KEY (id));
CREATE TABLE heir () INHERITS (parent);
CREATE TABLE routed (LIKE rows_of, PRIMARY KEY (id, r));
SELECT router.create_route('routed', router.by_list('r')) \g /dev/null
INSERT INTO keyed SELECT * FROM rows_of;
INSERT INTO keyless SELECT * FROM rows_of;
INSERT INTO parted SELECT * FROM rows_of;
INSERT INTO parted_keyed SELECT * FROM rows_of;
INSERT INTO parent SELECT * FROM rows_of WHERE id % 3 = 0;
INSERT INTO heir SELECT * FROM rows_of WHERE id % 3 <> 0;
INSERT INTO routed SELECT * FROM rows_of;
CREATE VIEW a_view AS SELECT * FROM rows_of;
CREATE MATERIALIZED VIEW kept AS SELECT * FROM rows_of;
CREATE FOREIGN TABLE far (id int, r int, at date, amount text, note text, unused text) SERVER loop OPTIONS (table_name 'rows_of');
CREATE TEMP TABLE temporary AS SELECT * FROM rows_of;

-- a base that refuses some of them
CREATE TABLE residence (id int PRIMARY KEY);
INSERT INTO residence SELECT generate_series(0, 5);
CREATE TABLE fired (id int);
CREATE FUNCTION test.fired() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO fired VALUES (new.id); RETURN NULL; END $$;
CREATE FUNCTION test.make(deferred boolean DEFAULT false) RETURNS void LANGUAGE plpgsql SET client_min_messages = error AS $$
BEGIN
    DROP TABLE IF EXISTS b;
    TRUNCATE fired;
    DELETE FROM residence WHERE id = 6;
    EXECUTE format('CREATE TABLE b (id int GENERATED ALWAYS AS IDENTITY, r int NOT NULL REFERENCES residence %s, at date, price numeric CHECK (price <> 7), note text NOT NULL,
                    extra text DEFAULT ''d'', twice int GENERATED ALWAYS AS (id * 2) STORED, PRIMARY KEY (id, r))', CASE WHEN deferred THEN 'DEFERRABLE INITIALLY DEFERRED' ELSE '' END);
    PERFORM router.create_route('b', router.by_list('r'));
    CREATE TRIGGER watched AFTER INSERT ON b FOR EACH ROW EXECUTE FUNCTION test.fired();
    INSERT INTO b (id, r, price, note) OVERRIDING SYSTEM VALUE VALUES (100, 100 % 7, 1, ''), (2000, 2000 % 7, 1, '');
END $$;
SELECT test.make() \g /dev/null
-- each row is in the base or in the rejects, once
CREATE FUNCTION test.all_there(source regclass) RETURNS text LANGUAGE sql AS $$
    SELECT format('%s rows, %s rejects, %s', (SELECT count(*) FROM b WHERE price <> 1 OR id NOT IN (100, 2000)), (SELECT count(*) FROM router.rejects j WHERE j.source = $1 AND base = 'b'::regclass),
                  CASE WHEN EXISTS (SELECT id FROM rows_of EXCEPT ALL (SELECT id FROM b WHERE price <> 1 OR id NOT IN (100, 2000) UNION ALL SELECT (row->>'id')::int FROM router.rejects j WHERE j.source = $1 AND base = 'b'::regclass))
                       THEN 'some are missing' ELSE 'all are there' END)
$$;
-- 428 by the foreign key, 59 by NOT NULL where that is not 6, one each by the CHECK and the cast, two duplicates
SELECT count(*) AS bad FROM rows_of WHERE r = 6 OR id % 50 = 3 OR id IN (7, 100, 2000, 2500) \gset
SELECT format('%s rows, %s rejects, all are there', 3000 - :bad, :bad) AS expected \gset
SELECT count(*) FILTER (WHERE r = 6 AND id NOT IN (7, 100, 2000, 2500) AND id % 50 <> 3) AS homeless FROM rows_of \gset

-- -------------------------------------------------------------- kinds of sources
-- each is stopped by the clock after its first batch, and gone on with; what has no key goes in one transaction
CREATE FUNCTION test.clone(source text, more text) RETURNS text LANGUAGE sql AS $$
    SELECT format('CALL router.clone(%L, ''b'', columns => ''{"price": "amount::numeric", "note": "nullif(note, ''''nnn'''')"}'', on_error => ''reject'', batch_rows => 400 %s)', source, more)
$$;
CREATE FUNCTION test.kinds(rejects boolean) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(kind || ' ' || sqlstate || ' ' || n, ', ' ORDER BY kind, sqlstate)
      FROM (SELECT kind, sqlstate, count(*) AS n FROM router.rejects WHERE $1 GROUP BY 1, 2
            UNION ALL
            SELECT CASE WHEN id = 2500 THEN 'error' WHEN id IN (100, 2000) THEN 'duplicate' ELSE 'constraint' END,
                   CASE WHEN id = 2500 THEN '22P02' WHEN id % 50 = 3 THEN '23502' WHEN id = 7 THEN '23514' WHEN id IN (100, 2000) THEN '23505' ELSE '23503' END, count(*)
              FROM rows_of WHERE NOT $1 AND (r = 6 OR id % 50 = 3 OR id IN (7, 100, 2000, 2500)) GROUP BY 1, 2) s
$$;
SELECT 'SELECT test.make()', 'SELECT router.drop_rejects(''b'')',
       CASE WHEN once THEN 'SELECT 1' ELSE test.clone(source, ', time_budget => ''0''' || more) END,
       CASE WHEN once THEN 'SELECT pass(''in one transaction'')' ELSE format('SELECT ok((SELECT migrated + errors + duplicates + constraints BETWEEN 1 AND 2999 AND NOT finished FROM router.clones), %L)', source || more || ': a part, as the time is over') END,
       test.clone(source, more),
       format('SELECT is(test.all_there(%L), %L, ''each row is in the base or rejected'')', source, :'expected'),
       'SELECT is(test.kinds(true), test.kinds(false), ''for its own reason'')',
       'SELECT is((SELECT count(*) FROM fired), (SELECT count(*) FROM b), ''triggers fire as for any INSERT'')',
       'SELECT is(test.strays(''b''), ''none'', ''all are at home'')'
  FROM (VALUES (1, 'keyed', '', false), (2, 'keyless', '', false), (3, 'parted', '', false), (4, 'parted_keyed', '', false), (5, 'parent', '', false), (6, 'routed', '', false), (7, 'kept', '', false), (8, 'temporary', '', false),
               (9, 'a_view', '', true), (10, 'a_view', ', key => ''{id}''', false), (11, 'far', '', true), (12, 'far', ', key => ''{at}''', false), (13, 'a_view', ', key => ''{r}''', false)) v(n, source, more, once)
 ORDER BY n
\gexec


-- ---------------------------------------------------------------- on_error => 'stop'
SELECT test.make() \g /dev/null
CALL router.clone('keyed', 'b', columns => '{"price": "nullif(amount, ''none'')::numeric"}', filter => 'at < ''2024-02-01'' AND r < 6', batch_rows => 10);
SELECT is(:'SQLSTATE'::text, '23514', 'stop: the error of the row');
SELECT is((SELECT count(*) % 10 FROM b), 2::bigint, 'what is committed stays');
SELECT is((SELECT migrated FROM router.clones WHERE base = 'b'::regclass), (SELECT count(*) - 2 FROM b), 'and is told');
SELECT ok(EXISTS (SELECT FROM router.events WHERE action = 'clone' AND error LIKE '%violates check%'), 'with an event');
ALTER TABLE b DROP CONSTRAINT b_price_check;
CALL router.clone('keyed', 'b', columns => '{"price": "nullif(amount, ''none'')::numeric"}', filter => 'at < ''2024-02-01'' AND r < 6', batch_rows => 10);
SELECT is(:'SQLSTATE'::text, '23505', 'the same call goes on, to the next one');
DELETE FROM b WHERE price = 1 AND id IN (100, 2000);
CALL router.clone('keyed', 'b', columns => '{"price": "nullif(amount, ''none'')::numeric"}', filter => 'at < ''2024-02-01'' AND r < 6', batch_rows => 10);
SELECT is((SELECT count(*) FROM b), (SELECT count(*) FROM keyed WHERE at < '2024-02-01' AND r < 6), 'and to the end: the rows of one month and of some groups');
SELECT is((SELECT count(*) FROM (SELECT id, r, at, note FROM b EXCEPT ALL SELECT id, r, at, note FROM keyed) d), 0::bigint, 'as they are');
SELECT is((SELECT string_agg(DISTINCT extra, ',') FROM b), 'd', 'what the source has not gets its default');
CALL router.clone('keyed', 'b', columns => '{"price": "nullif(amount, ''none'')::numeric"}', filter => 'at < ''2024-02-01'' AND r < 6');
SELECT is((SELECT count(*) FROM b), (SELECT count(*) FROM keyed WHERE at < '2024-02-01' AND r < 6), 'once more: nothing is doubled');
INSERT INTO keyed VALUES (9000, 1, '2024-01-31', '9', 'late');
CALL router.clone('keyed', 'b', columns => '{"price": "nullif(amount, ''none'')::numeric"}', filter => 'at < ''2024-02-01'' AND r < 6');
SELECT is((SELECT note FROM b WHERE id = 9000), 'late', 'rows that come behind are cloned by the next call');

-- ----------------------------------------------------------------- tried again
SELECT test.make() \g /dev/null
CALL router.clone('keyless', 'b', columns => '{"price": "amount::numeric", "note": "nullif(note, ''nnn'')"}', on_error => 'reject');
INSERT INTO residence VALUES (6);
CALL router.retry_rejects('b', dry_run => true);
SELECT is(test.all_there('keyless'), :'expected', 'a dry run of retry_rejects changes nothing');
CALL router.retry_rejects('b', batch_rows => 50);
SELECT is((SELECT count(*) FROM b WHERE r = 6), :homeless::bigint, 'when the cause is mended rejected rows go in');
SELECT is(test.all_there('keyless'), format('%s rows, %s rejects, all are there', 3000 - :bad + :homeless, :bad - :homeless), 'the others stay');
SELECT is((SELECT string_agg(DISTINCT tries::text, ',') FROM router.rejects), '2', 'and count their tries');
CALL router.retry_rejects('b', source => 'keyed');
SELECT is(:'SQLSTATE'::text, '55000', 'not those of a source that was not cloned');
SELECT is((SELECT string_agg(DISTINCT tries::text, ',') FROM router.rejects), '2', 'those of one source only');
ALTER TABLE b DROP CONSTRAINT b_price_check;
CALL router.retry_rejects('b', columns => '{"price": "CASE amount WHEN ''none'' THEN 0 ELSE amount::numeric END"}');
SELECT is(test.kinds(true), 'duplicate 23505 2', 'with other expressions');
CALL router.retry_rejects('b', columns => '{"price": "0", "id": "id + 100000"}');
SELECT is((SELECT count(*) FROM router.rejects), 0::bigint, 'and the last ones');
SELECT is((SELECT array_agg(tableoid::regclass::text ORDER BY id) FROM b WHERE id > 100000), '{b_2,b_5}', 'home');
SELECT is((SELECT migrated FROM router.clones WHERE source = 'keyless'::regclass), 3000::bigint, 'all are told as cloned');
SELECT is(router.drop_rejects('b'), 0::bigint, 'nothing to drop');

-- ------------------------------------------------------------------ kinds of errors
-- deferred foreign keys are checked in time
SELECT test.make(true) \g /dev/null
CALL router.clone('keyed', 'b', columns => '{"price": "nullif(amount, ''none'')::numeric"}', on_error => 'reject', batch_rows => 1000);
SELECT is((SELECT string_agg(sqlstate || ' ' || n, ', ' ORDER BY sqlstate) FROM (SELECT sqlstate, count(*) AS n FROM router.rejects GROUP BY 1) s), '23503 428, 23505 2, 23514 1', 'deferred constraints: each row by itself');
SELECT is(router.drop_rejects('b', dry_run => true), 431::bigint, 'drop_rejects tells how many');
SELECT is(router.drop_rejects('b', 'keyed'), 431::bigint, 'and drops them');
SELECT is((SELECT count(*) FROM router.rejects), 0::bigint, 'all of them');
-- duplicates by a global key, no child possible, row security, errors of a trigger
CREATE TABLE g (id int, at date, price numeric NOT NULL);
SELECT router.create_route('g', router.by_date('at', 'month'), horizon => '10 years') \g /dev/null
SELECT router.add_global_key('g', '{id}') \g /dev/null
INSERT INTO g VALUES (5, '2023-01-01', 0);
CREATE FUNCTION test.refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF new.id = 9 THEN RAISE 'not nine' USING ERRCODE = '57014', DETAIL = 'a detail'; END IF; RETURN CASE WHEN new.id <> 8 THEN new END; END $$;
CREATE TRIGGER refuse BEFORE INSERT ON g FOR EACH ROW EXECUTE FUNCTION test.refuse();
CREATE TABLE gs (id int PRIMARY KEY, at date, price numeric);
INSERT INTO gs VALUES (1, '2024-01-01', 1), (5, '2024-01-01', 1), (6, '9999-01-01', 1), (7, '2024-01-01', NULL), (8, '2024-01-01', 1), (9, '2024-01-01', 1), (10, '2024-01-01', 1);
CALL router.clone('gs', 'g', on_error => 'reject');
SELECT is((SELECT string_agg(format('%s %s %s', row->>'id', kind, sqlstate), ', ' ORDER BY (row->>'id')::int) FROM router.rejects), '5 duplicate 23505, 6 error 22008, 7 constraint 23502, 9 error 57014', 'a global key, no child possible, NOT NULL, an error of a trigger');
SELECT is((SELECT string_agg(id::text, ',' ORDER BY id) FROM g), '1,5,10', 'a row that a trigger passes over is neither');
SELECT is((SELECT message FROM router.rejects WHERE sqlstate = '57014'), E'not nine\na detail', 'message and detail are kept');
-- values of all kinds come back as they were
CREATE TABLE odd (id int PRIMARY KEY, ts timestamptz, iv interval, f float8, nu numeric, by bytea, ar int[], tx text, js jsonb, ch char(5), bo boolean, re residence);
INSERT INTO odd VALUES (1, 'infinity', '1 mon -3 days 04:05:06.789', 'NaN', 1.500, '\xdeadbeef', '[0:1]={1,NULL}', E'"quoted", \\ and\nlines', '{"a": [1, null]}', 'ab', true, ROW(7)),
                       (2, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL), (3, '1999-12-31 23:59:59.999999+05:30', '-1 year', 0.1::float8 + 0.2, 1e-20, '', '{}', '', 'null', '', false, ROW(NULL));
CREATE TABLE ob (LIKE odd INCLUDING ALL, ok int NOT NULL DEFAULT 1, CHECK (id < 0));
SELECT router.create_route('ob', router.by_list('id')) \g /dev/null
SET datestyle = 'SQL, DMY';
SET intervalstyle = 'sql_standard';
CALL router.clone('odd', 'ob', on_error => 'reject');
SELECT is((SELECT count(*) FROM router.rejects WHERE base = 'ob'::regclass), 3::bigint, 'rows of all types are kept');
ALTER TABLE ob DROP CONSTRAINT ob_id_check;
SET datestyle = 'German';
CALL router.retry_rejects('ob');
RESET datestyle;
RESET intervalstyle;
SELECT is((SELECT string_agg(ROW(o.*)::text, '; ' ORDER BY id) FROM (SELECT id, ts, iv, f, nu, by, ar, tx, js, ch, bo, re FROM ob) o), (SELECT string_agg(ROW(o.*)::text, '; ' ORDER BY id) FROM odd o), 'and go in as they are');

-- --------------------------------------------------------------------- the place
TRUNCATE gs;
INSERT INTO gs SELECT i, '2024-01-01', 1 FROM generate_series(100, 4000) i;
CREATE TABLE loose AS SELECT * FROM gs;
CALL router.clone('loose', 'g', batch_rows => 100, time_budget => '0');
VACUUM FULL loose;
CALL router.clone('loose', 'g');
SELECT is(:'SQLSTATE'::text, '55000', 'rows that have other places: it does not go on');
DELETE FROM g WHERE id >= 100;
CALL router.clone('loose', 'g', restart => true);
SELECT is((SELECT count(*) FROM g WHERE id >= 100), 3901::bigint, 'restart begins anew');
INSERT INTO loose VALUES (5000, '2024-01-01', 1);
CALL router.clone('loose', 'g');
SELECT is((SELECT count(*) FROM g WHERE id >= 100), 3901::bigint, 'a source without a key is cloned once');
CALL router.clone('gs', 'g', key => '{at}', filter => 'id < 0');
CALL router.clone('gs', 'g', key => '{id}', filter => 'id < 0');
SELECT is(:'SQLSTATE'::text, '55000', 'another key than it was begun with');
SELECT is((SELECT string_agg(format('%s %s', source, finished), ', ' ORDER BY clone) FROM router.clones WHERE base = 'g'::regclass), 'gs t, loose t, gs t', 'router.clones knows them');
DELETE FROM g WHERE id >= 100;
CREATE VIEW only_some AS SELECT * FROM gs WHERE id BETWEEN 200 AND 220;
ALTER TABLE g ADD CHECK (id <> 215);
CALL router.clone('only_some', 'g', batch_rows => 5);
SELECT is(:'SQLSTATE'::text, '23514', 'a view without a key fails');
SELECT is((SELECT count(*) FROM g WHERE id >= 100), 0::bigint, 'as a whole');

-- -------------------------------------------------------------------- what it refuses
CREATE EXTENSION dblink;
SELECT dblink_connect('other', 'dbname=' || quote_literal(current_database())) \g /dev/null
-- how a call ends that another session makes
CREATE FUNCTION test.call(command text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    PERFORM dblink_exec('other', command);
    RETURN 'done';
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE;
END $$;
CREATE SEQUENCE a_sequence;
CREATE TABLE nulls (id int, at date);
INSERT INTO nulls VALUES (NULL, NULL);
CREATE TABLE nothing_in_common (x int);
SELECT is(test.call(format('CALL router.clone(%s)', arguments)), code, code || ': ' || arguments)
  FROM (VALUES ('22004', $$NULL, 'g'$$), ('22004', $$'gs', NULL$$), ('42P01', $$4000000000, 'g'$$), ('42P01', $$'gs', 4000000000$$), ('55000', $$'gs', 'keyed'$$), ('42809', $$'a_sequence', 'g'$$), ('42809', $$'gs_pkey', 'g'$$),
               ('22023', $$'g', 'g'$$), ('22023', $$'g_y2024m01', 'g'$$), ('22023', $$'gs', 'g', on_error => 'ignore'$$), ('22004', $$'gs', 'g', on_error => NULL$$), ('22023', $$'gs', 'g', batch_rows => 0$$), ('22004', $$'gs', 'g', batch_rows => NULL$$),
               ('42601', $$'gs', 'g', filter => 'true) OR (true'$$), ('22023', $$'gs', 'g', filter => 'true ORDER BY id'$$), ('22023', $$'gs', 'g', filter => 'id, at'$$), ('42601', $$'gs', 'g', filter => 'id >'$$), ('42703', $$'gs', 'g', filter => 'nothing'$$), ('42804', $$'gs', 'g', filter => 'id'$$),
               ('22023', $$'gs', 'g', columns => '[]'$$), ('22023', $$'gs', 'g', columns => '{"id": 7}'$$), ('42703', $$'gs', 'g', columns => '{"nothing": "id"}'$$), ('22023', $$'gs', 'g', columns => '{"id": ""}'$$), ('22023', $$'gs', 'g', columns => '{"id": "count(*)", "at": null, "price": null}'$$),
               ('22023', $$'gs', 'g', columns => '{"id": "generate_series(1, 3)"}'$$), ('22023', $$'gs', 'g', columns => '{"id": "row_number() OVER ()"}'$$), ('42804', $$'gs', 'g', columns => '{"id": "at"}'$$), ('42703', $$'gs', 'g', columns => '{"id": "nothing"}'$$), ('22023', $$'gs', 'g', columns => '{"id": "id FROM gs"}'$$),
               ('22023', $$'nulls', 'g', key => '{id}'$$), ('42703', $$'keyed', 'g', key => '{nothing}'$$), ('22023', $$'keyed', 'g', key => '{}'$$), ('0A000', $$'a_view', 'g', time_budget => '1 hour'$$), ('42703', $$'nothing_in_common', 'g'$$), ('22023', $$'gs', 'g', lock_timeout => '0'$$)) v(code, arguments);
SELECT is((SELECT count(*) FROM router.clones WHERE base = 'g'::regclass), 4::bigint, 'and leaves nothing');
BEGIN;
CALL router.clone('gs', 'g');
\set outcome :SQLSTATE
ROLLBACK;
SELECT is(:'outcome'::text, '25001', 'no transaction block');
CALL router.clone('gs', 'g', filter => 'id = 215', columns => '{"price": "1 -- one"}', dry_run => true);
SELECT is(:'SQLSTATE'::text, '00000', 'a comment ends with its expression');
SELECT is((SELECT count(*) FROM router.clones WHERE base = 'g'::regclass), 4::bigint, 'a dry run notes nothing');

-- ---------------------------------------------------------------------- two at a time
CREATE TABLE pb (id int PRIMARY KEY, at date, price numeric CHECK (price > 0));
SELECT router.create_route('pb', router.by_integer('id', 1000)) \g /dev/null
INSERT INTO pb VALUES (103, NULL, 1);
UPDATE gs SET price = 0 WHERE id IN (101, 102);
ANALYZE gs;
SELECT dblink_send_query('other', $$CALL router.clone('gs', 'pb', on_error => 'reject', batch_rows => 10, pause => '60 s')$$) \g /dev/null
DO $$BEGIN
    FOR i IN 1..1000 LOOP
        PERFORM pg_sleep(0.01);
        PERFORM pg_stat_clear_snapshot();
        EXIT WHEN EXISTS (SELECT FROM router.progress WHERE base = 'pb'::regclass AND done > 0);
    END LOOP;
END$$;
SELECT is((SELECT concat_ws(' ', action, phase, done, total, remaining, errors, duplicates, constraints, state) FROM router.progress), 'clone clone rows 10 3901 3891 0 1 2 under way', 'router.progress tells rows, remaining, errors, duplicates, constraints');
CALL router.clone('gs', 'pb', on_error => 'reject');
SELECT is(:'SQLSTATE'::text, '55006', 'a second call of the same is refused');
CALL router.retry_rejects('pb');
SELECT is(:'SQLSTATE'::text, '55006', 'so is a retry');
SELECT is(test.attempt($$SELECT router.drop_rejects('pb')$$), '55006', 'and that they are dropped');
CALL router.clone('gs', 'pb', filter => 'id BETWEEN 300 AND 400');
SELECT is((SELECT count(*) FROM pb WHERE id BETWEEN 300 AND 400), 101::bigint, 'one of other rows is not');
SELECT pg_cancel_backend(pid) FROM router.progress WHERE base = 'pb'::regclass AND phase = 'clone rows' \g /dev/null
SELECT throws_ok($$SELECT * FROM dblink_get_result('other') AS t(a text)$$, '57014', NULL, 'it is cancelled');
DELETE FROM pb WHERE id BETWEEN 300 AND 400;
CALL router.clone('gs', 'pb', on_error => 'reject');
SELECT is((SELECT concat_ws(' ', migrated, errors, duplicates, constraints, finished) FROM router.clones WHERE base = 'pb'::regclass AND filter IS NULL), '3898 0 1 2 t', 'and goes on');
SELECT is((SELECT count(*) FROM pb), 3899::bigint, 'nothing is doubled');

-- --------------------------------------------------------------------------- roles
CREATE SCHEMA app AUTHORIZATION router_clone_owner;
GRANT USAGE ON SCHEMA app, test TO PUBLIC;
CREATE FUNCTION test.as_role(role name, query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE found text;
BEGIN
    EXECUTE format('SET LOCAL ROLE %I', role);
    EXECUTE query INTO found;
    RESET ROLE;
    RETURN found;
EXCEPTION WHEN OTHERS THEN
    RESET ROLE;
    RETURN SQLSTATE;
END $$;
SET ROLE router_clone_owner;
CREATE TABLE app.source (id int PRIMARY KEY, tenant name, secret text);
INSERT INTO app.source SELECT i, CASE WHEN i <= 6 THEN 'router_clone_app' ELSE 'router_clone_owner' END, 'secret ' || i FROM generate_series(1, 10) i;
ALTER TABLE app.source ENABLE ROW LEVEL SECURITY;
CREATE POLICY mine ON app.source USING (tenant = current_user);
CREATE TABLE app.base (id int PRIMARY KEY, tenant name, secret text, who name DEFAULT current_user, CHECK (id <> 3));
SELECT router.create_route('app.base', router.by_integer('id', 10)) \g /dev/null
ALTER TABLE app.base ENABLE ROW LEVEL SECURITY;
CREATE POLICY mine ON app.base WITH CHECK (id <> 4);
GRANT SELECT ON app.source TO router_clone_app;
GRANT INSERT ON app.base TO router_clone_app;
RESET ROLE;
SET ROLE router_clone_stranger;
CALL router.clone('app.source', 'app.base');
SELECT is(:'SQLSTATE'::text, '42501', 'a stranger clones nothing');
CALL router.clone('app.source', 'app.base', dry_run => true);
SELECT is(:'SQLSTATE'::text, '42501', 'nor in a dry run');
CALL router.retry_rejects('app.base');
SELECT is(:'SQLSTATE'::text, '42501', 'nor retries');
RESET ROLE;
GRANT INSERT ON app.base TO router_clone_stranger;
SET ROLE router_clone_stranger;
CALL router.clone('app.source', 'app.base');
SELECT is(:'SQLSTATE'::text, '42501', 'who may not read the source does not either');
RESET ROLE;
SELECT is((SELECT count(*) FROM router.clones WHERE base = 'app.base'::regclass), 0::bigint, 'nothing is noted of them');
SELECT is((SELECT count(*) FROM router.events WHERE base = 'app.base'::regclass), 0::bigint, 'no event either');
SET ROLE router_clone_app;
CALL router.clone('app.source', 'app.base', on_error => 'reject', columns => '{"who": "current_user"}', filter => 'current_user = ''router_clone_app''');
SELECT is((SELECT string_agg(format('%s %s %s', row->>'id', kind, sqlstate), ', ' ORDER BY number) FROM router.rejects), '3 constraint 23514, 4 error 42501', 'who has INSERT only clones what he may read, policies of the base hold');
SELECT is((SELECT row->>'secret' FROM router.rejects WHERE sqlstate = '42501'), 'secret 4', 'and reads what was rejected');
CALL router.clone('app.source', 'app.base', columns => '{"id": "id + (SELECT count(*) FROM app.base)::int"}');
SELECT is(:'SQLSTATE'::text, '42501', 'his expressions have his rights');
RESET ROLE;
SELECT is((SELECT string_agg(format('%s %s', id, who), ', ' ORDER BY id) FROM app.base), '1 router_clone_app, 2 router_clone_app, 5 router_clone_app, 6 router_clone_app', 'all of it ran as he');
SELECT is(test.as_role(r, 'SELECT string_agg(concat_ws('' '', role, sqlstate, message, row->>''secret''), '', '' ORDER BY number) FROM router.rejects WHERE sqlstate = ''42501'''), seen, r || ' sees of rejects: ' || coalesce(seen, 'nothing'))
  FROM (VALUES ('router_clone_stranger', NULL), ('router_clone_owner', 'router_clone_app 42501 <insufficient privilege>'), ('router_clone_app', 'router_clone_app 42501 new row violates row-level security policy for table "base" secret 4')) v(r, seen);
SELECT is(test.as_role(r, 'SELECT string_agg(concat_ws('' '', migrated, errors, constraints, columns), '', '') FROM router.clones WHERE migrated > 0'), seen, r || ' sees of clones: ' || coalesce(seen, 'nothing'))
  FROM (VALUES ('router_clone_stranger', NULL), ('router_clone_owner', '4 1 1'), ('router_clone_app', '4 1 1 {"who": "current_user"}')) v(r, seen);
SELECT is(test.as_role('router_clone_owner', 'SELECT count(*)::text FROM router.' || t), '42501', 'nobody reads ' || t) FROM unnest('{clone_def,reject_def}'::text[]) t;
-- a function in a condition does not see what is hidden
SELECT is(test.as_role('router_clone_owner', $$SELECT count(*)::text FROM router.rejects WHERE row->>'secret' LIKE '%' $$), '0', 'conditions see what is shown');
ALTER TABLE app.base DROP CONSTRAINT base_id_check;
SET ROLE router_clone_owner;
CALL router.retry_rejects('app.base');
RESET ROLE;
SELECT is((SELECT count(*) FROM app.base WHERE id = 3), 0::bigint, 'the owner does not run what somebody else wrote');
CALL router.retry_rejects('app.base');
SELECT is((SELECT count(*) FROM app.base WHERE id = 3), 0::bigint, 'nor does a superuser');
SET ROLE router_clone_app;
CALL router.retry_rejects('app.base');
RESET ROLE;
SELECT is((SELECT who FROM app.base WHERE id = 3), 'router_clone_app', 'he himself does');
REVOKE SELECT ON app.source FROM router_clone_app;
SET ROLE router_clone_app;
CALL router.retry_rejects('app.base');
SELECT is(:'SQLSTATE'::text, '42501', 'who has no right on the source any more does not retry, which would lock it');
RESET ROLE;
SELECT is((SELECT max(tries) FROM router.reject_def WHERE base = 'app.base'::regclass), 2, 'and nothing was tried');
GRANT SELECT ON app.source TO router_clone_app;
SELECT is(test.as_role('router_clone_stranger', format($$SELECT router.drop_rejects('app.base', %L)::text$$, source)), '55000', 'a stranger is told the same of ' || source) FROM unnest('{app.source,public.keyed}'::text[]) source;
SELECT is(test.as_role(r, $$SELECT router.drop_rejects('app.base')::text$$), n, 'drop_rejects by ' || r) FROM (VALUES ('router_clone_stranger', '0'), ('router_clone_owner', '1')) v(r, n);
REVOKE SELECT ON app.source FROM router_clone_app;
GRANT SELECT (id, tenant) ON app.source TO router_clone_app;
SET ROLE router_clone_app;
CALL router.clone('app.source', 'app.base', filter => 'id = 6');
SELECT is(:'SQLSTATE'::text, '42501', 'a column that he may not read is not left out silently');
CALL router.clone('app.source', 'app.base', filter => 'id = 6', columns => '{"secret": null, "id": "id + 100"}');
RESET ROLE;
SELECT is((SELECT string_agg(concat_ws(' ', id, secret), ',') FROM app.base WHERE id > 100), '106', 'but if he says so');
CALL router.clone('app.source', 'app.base', filter => 'id > 6', columns => '{"id": "id + 200"}');
SELECT is((SELECT count(*) FROM app.base WHERE id > 200), 4::bigint, 'a superuser reads all rows');
DROP TABLE app.base;
SELECT is((SELECT count(*) FROM router.clone_def WHERE base::text ~ '^[0-9]') + (SELECT count(*) FROM router.reject_def WHERE base::text ~ '^[0-9]'), 0::bigint, 'with a base all goes that is noted of it');

-- a cast of text that the owner of a type makes afterwards
CREATE TYPE cast_pair AS (a int, b int);
CREATE TABLE cast_source (id int PRIMARY KEY, p cast_pair);
INSERT INTO cast_source VALUES (1, '(1,2)');
CREATE TABLE cast_base (id int CHECK (id > 1));
SELECT router.create_route('cast_base', router.by_list('id')) \g /dev/null
CALL router.clone('cast_source', 'cast_base', on_error => 'reject');
CREATE FUNCTION test.own(text) RETURNS cast_pair LANGUAGE sql AS $$ SELECT ROW(1, 2)::cast_pair $$;
CREATE CAST (text AS cast_pair) WITH FUNCTION test.own(text);
CALL router.retry_rejects('cast_base');
SELECT is(:'SQLSTATE'::text, '42501', 'is not called by whoever tries rejected rows again');
DROP CAST (text AS cast_pair);
ALTER TABLE cast_base DROP CONSTRAINT cast_base_id_check;
CALL router.retry_rejects('cast_base');
SELECT is((SELECT count(*) FROM cast_base), 1::bigint, 'without it they go in');

-- rows that are rejected leave no children, beyond max_new_children or not
CREATE TABLE of_months AS SELECT i AS id, date '2024-01-01' + i * 31 AS d FROM generate_series(1, 20) i;
CREATE TABLE refusing (id int CHECK (id < 0), d date);
SELECT router.create_route('refusing', router.by_date('d', 'month'), max_new_children => 3) \g /dev/null
CALL router.clone('of_months', 'refusing', on_error => 'reject');
SELECT is((SELECT count(*) FROM router.children WHERE base = 'refusing'::regclass), 0::bigint, 'rows that are rejected leave no children');
UPDATE of_months SET id = -id WHERE id IN (3, 7);
CALL router.clone('of_months', 'refusing', on_error => 'reject', restart => true);
SELECT is((SELECT count(*) FROM router.children WHERE base = 'refusing'::regclass) || ' ' || (SELECT count(*) FROM refusing), '2 2', 'those that go in have theirs');
SELECT is((SELECT count(*) FROM router.check('refusing')), 0::bigint, 'and all is well');
SELECT * FROM finish();
