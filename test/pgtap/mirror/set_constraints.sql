-- SET CONSTRAINTS with the name of a base's constraint: for children there are, in another schema, and made later in the
-- transaction by whatever; undone with a subtransaction.
\ir ../../include/helpers.sql
\set tests 47
SELECT plan(:tests);
CREATE SCHEMA app;
CREATE SCHEMA other;
SET search_path = app, public;
CREATE TABLE pk (a int PRIMARY KEY);
CREATE TABLE parted (a int PRIMARY KEY) PARTITION BY RANGE (a);
CREATE TABLE parted_1 PARTITION OF parted DEFAULT;
INSERT INTO pk VALUES (1);
INSERT INTO parted VALUES (1);
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF NEW.v < 0 AND EXISTS (SELECT FROM app.t WHERE k = NEW.k AND v < 0) THEN RAISE 'negative' USING ERRCODE = '23514'; END IF;
    RETURN NULL;
END $$;
-- late: INITIALLY DEFERRED
CREATE PROCEDURE make(late boolean) LANGUAGE plpgsql AS $$
DECLARE
    deferral text := CASE WHEN late THEN 'DEFERRABLE INITIALLY DEFERRED' ELSE 'DEFERRABLE' END;
BEGIN
    DROP TABLE IF EXISTS app.t, other.elsewhere CASCADE;
    EXECUTE format('CREATE TABLE app.t (k int, u int, x int, a int DEFAULT 1, p int DEFAULT 1, v int DEFAULT 1,
        CONSTRAINT t_uq UNIQUE (k, u) %1$s, CONSTRAINT excl EXCLUDE (k WITH =, x WITH =) %1$s, CONSTRAINT fk FOREIGN KEY (a) REFERENCES app.pk %1$s,
        CONSTRAINT fkp FOREIGN KEY (p) REFERENCES app.parted %1$s)', deferral);
    EXECUTE format('CREATE CONSTRAINT TRIGGER trig AFTER INSERT OR UPDATE ON app.t %s FOR EACH ROW EXECUTE FUNCTION app.refuse()', deferral);
    PERFORM router.create_route('app.t', router.by_integer('k', 10));
    INSERT INTO app.t (k, u, x) VALUES (1, 1, 1);
    CREATE TABLE other.elsewhere (x int, v int DEFAULT 1, k int, p int DEFAULT 1, u int, a int DEFAULT 1);
    PERFORM router.attach_child('app.t', 'other.elsewhere', ARRAY['[11,20]']);
    PERFORM router.sync('app.t');
    INSERT INTO app.t (k, u, x) VALUES (11, 1, 1);
END $$;
-- What breaks each constraint, and what makes it good again.
CREATE TABLE breach (name text, k_row text, good text);
INSERT INTO breach VALUES
    ('t_uq', '%s, 1, 2, 1, 1, 1', 'UPDATE app.t SET u = x WHERE k = %s'),
    ('excl', '%s, 2, 1, 1, 1, 1', 'UPDATE app.t SET x = u WHERE k = %s'),
    ('fk', '%s, 2, 2, 2, 1, 1', 'UPDATE app.t SET a = 1 WHERE k = %s'),
    ('fkp', '%s, 2, 2, 1, 2, 1', 'UPDATE app.t SET p = 1 WHERE k = %s'),
    ('trig', '%s, 2, 2, 1, 1, -1', 'UPDATE app.t SET v = 1 WHERE k = %s');
-- Breaks a constraint in a child. 'later': at the end, and it is good then; 'at once': in the statement.
CREATE FUNCTION try(name text, k int, how text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    b app.breach := (SELECT b FROM app.breach b WHERE b.name = $1);
    one text := format('(' || replace(b.k_row, '%s', k::text) || ')');
BEGIN
    -- so that there is a row to meet
    IF name IN ('t_uq', 'excl') AND NOT EXISTS (SELECT FROM app.t WHERE t.k = $2) THEN
        EXECUTE format('INSERT INTO app.t VALUES (%s, 1, 1, 1, 1, 1)', k);
    END IF;
    BEGIN
        IF how = 'move' THEN
            EXECUTE 'INSERT INTO app.t VALUES (1, 3, 3, 1, 1, 1)';
            EXECUTE format('UPDATE app.t SET (k, u, x, a, p, v) = ROW %s WHERE t.k = 1 AND u = 3', one);
        ELSIF how = 'merge' THEN
            EXECUTE format('MERGE INTO app.t USING (VALUES %s) s(k, u, x, a, p, v) ON false WHEN NOT MATCHED THEN INSERT VALUES (s.k, s.u, s.x, s.a, s.p, s.v)', one);
        ELSIF how = 'many' THEN
            EXECUTE format('INSERT INTO app.t SELECT %s, i, i, 1, 1, 1 FROM generate_series(100, 120) i UNION ALL VALUES %s', k, one);
        ELSIF how = 'copy' THEN
            EXECUTE format('COPY app.t FROM PROGRAM %L WITH (FORMAT csv)', 'printf ''' || replace(trim(one, '()'), ' ', '') || '\n''');
        ELSE
            EXECUTE format('INSERT INTO app.t VALUES %s', one);
        END IF;
    EXCEPTION WHEN integrity_constraint_violation OR exclusion_violation THEN
        RETURN 'at once';
    END;
    EXECUTE format(b.good, k);
    SET CONSTRAINTS ALL IMMEDIATE;
    RETURN 'later';
END $$;
-- All constraints, after a SET CONSTRAINTS of each: what became of it.
CREATE FUNCTION each(k int, how text, mode text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    name text;
    said text;
    result text;
BEGIN
    FOREACH name IN ARRAY '{t_uq,excl,fk,fkp,trig}'::text[] LOOP
        BEGIN
            EXECUTE format('SET CONSTRAINTS %I %s', name, mode);
            said := app.try(name, k, how);
            RAISE SQLSTATE 'XXUND';
        EXCEPTION WHEN SQLSTATE 'XXUND' THEN
            result := concat_ws(', ', result, name || ' ' || said);
        END;
    END LOOP;
    RETURN result;
END $$;
\set later '''t_uq later, excl later, fk later, fkp later, trig later'''
\set at_once '''t_uq at once, excl at once, fk at once, fkp at once, trig at once'''

CALL make(late => false);
:fresh
SET search_path = app, public;
SELECT count(*) FROM t \g /dev/null
-- loads the library where it is not preloaded
SELECT router.check('app.t') \g /dev/null
SELECT is(each(1, 'insert', 'IMMEDIATE'), :at_once, 'as they are');
SELECT is(each(1, 'insert', 'DEFERRED'), :later, 'DEFERRED in a child that is there');
SELECT is(each(11, 'insert', 'DEFERRED'), :later, 'in one of another schema');
SELECT is(each(21, 'insert', 'DEFERRED'), :later, 'in one that is made by INSERT');
SELECT is(each(1, 'many', 'DEFERRED'), :later, 'many rows');
SELECT is(each(21, 'many', 'DEFERRED'), :later, 'many rows, a new child');
SELECT is(each(1, 'copy', 'DEFERRED'), :later, 'COPY');
SELECT is(each(21, 'copy', 'DEFERRED'), :later, 'COPY, a new child');
SELECT is(each(11, 'move', 'DEFERRED'), :later, 'UPDATE that moves a row');
SELECT is(each(21, 'move', 'DEFERRED'), :later, 'UPDATE that moves a row into a new child');
SELECT is(each(1, 'merge', 'DEFERRED'), :later, 'MERGE');
SELECT is(each(21, 'merge', 'DEFERRED'), :later, 'MERGE, a new child');
SELECT is(each(21, 'insert', 'IMMEDIATE'), :at_once, 'IMMEDIATE in a new child');
CALL make(late => true);
SELECT is(each(1, 'insert', 'DEFERRED'), :later, 'initially deferred: as they are');
SELECT is(each(1, 'insert', 'IMMEDIATE'), :at_once, 'IMMEDIATE in a child that is there');
SELECT is(each(11, 'insert', 'IMMEDIATE'), :at_once, 'in one of another schema');
SELECT is(each(21, 'insert', 'IMMEDIATE'), :at_once, 'in a new one');
SELECT is(each(21, 'many', 'IMMEDIATE'), :at_once, 'many rows');
SELECT is(each(21, 'copy', 'IMMEDIATE'), :at_once, 'COPY');
SELECT is(each(21, 'move', 'IMMEDIATE'), :at_once, 'UPDATE that moves a row');
SELECT is(each(21, 'merge', 'IMMEDIATE'), :at_once, 'MERGE');

-- IMMEDIATE looks at what waits
BEGIN;
INSERT INTO t (k, u, x) VALUES (1, 1, 2), (11, 1, 2);
SAVEPOINT s;
SELECT throws_ok('SET CONSTRAINTS t_uq IMMEDIATE', '23505', NULL, 'what waits is checked');
ROLLBACK TO s;
UPDATE t SET u = x;
SELECT lives_ok('SET CONSTRAINTS app.t_uq IMMEDIATE', 'and found good');
SELECT throws_ok('INSERT INTO t (k, u, x) VALUES (1, 1, 5)', '23505', NULL, 'it stays so');
ROLLBACK;

-- ALL
CALL make(late => false);
BEGIN;
SET CONSTRAINTS ALL DEFERRED;
SELECT is(try('t_uq', 31, 'insert'), 'later', 'ALL, a new child');
ROLLBACK;
BEGIN;
SET CONSTRAINTS t_uq, fk DEFERRED;
SET CONSTRAINTS ALL IMMEDIATE;
SELECT is(try('t_uq', 31, 'insert'), 'at once', 'ALL forgets what was set before');
SELECT is(try('fk', 41, 'insert'), 'at once', 'of each constraint');
ROLLBACK;
BEGIN;
SET CONSTRAINTS ALL DEFERRED;
SET CONSTRAINTS t_uq IMMEDIATE;
SELECT is(try('t_uq', 31, 'insert'), 'at once', 'one that is set after ALL');
SELECT is(try('fk', 41, 'insert'), 'later', 'and one that is not');
ROLLBACK;

-- subtransactions
BEGIN;
SAVEPOINT a;
SET CONSTRAINTS t_uq DEFERRED;
ROLLBACK TO a;
SELECT is(try('t_uq', 1, 'insert'), 'at once', 'undone with its subtransaction');
SELECT is(try('t_uq', 31, 'insert'), 'at once', 'for new children, too');
ROLLBACK;
BEGIN;
SAVEPOINT a;
SAVEPOINT b;
SET CONSTRAINTS t_uq DEFERRED;
RELEASE b;
SAVEPOINT c;
SET CONSTRAINTS t_uq IMMEDIATE;
ROLLBACK TO c;
INSERT INTO t (k, u, x) VALUES (31, 1, 1), (31, 1, 2);
SELECT is((SELECT count(*) FROM t WHERE k = 31), 2::bigint, 'kept by RELEASE, and what was set after it undone');
DELETE FROM t WHERE k = 31;
RELEASE a;
SELECT is(try('t_uq', 41, 'insert'), 'later', 'kept once more');
ROLLBACK;
BEGIN;
SET CONSTRAINTS t_uq DEFERRED;
SAVEPOINT a;
INSERT INTO t (k, u, x) VALUES (31, 1, 1), (31, 1, 2);
ROLLBACK TO a;
INSERT INTO t (k, u, x) VALUES (31, 1, 1), (31, 1, 2);
SELECT is((SELECT count(*) FROM t WHERE k = 31), 2::bigint, 'a child that was made, undone and made again');
ROLLBACK;
BEGIN;
SET CONSTRAINTS t_uq DEFERRED;
COMMIT;
SELECT throws_ok('INSERT INTO t (k, u, x) VALUES (1, 1, 2)', '23505', NULL, 'the next transaction knows nothing of it');
BEGIN;
SET CONSTRAINTS t_uq DEFERRED;
INSERT INTO t (k, u, x) VALUES (51, 1, 1), (51, 1, 2);
\set VERBOSITY terse
COMMIT;
SELECT is((SELECT count(*) FROM t WHERE k = 51), 0::bigint, 'COMMIT checks');

-- names
SELECT throws_ok('SET CONSTRAINTS nowhere DEFERRED', '42704', 'constraint "nowhere" does not exist', 'no constraint');
SELECT throws_ok('SET CONSTRAINTS nowhere.t_uq DEFERRED', '3F000', NULL, 'no schema');
ALTER TABLE t ADD CONSTRAINT stiff UNIQUE (k, u, x), ADD CONSTRAINT check_v CHECK (v < 1000);
SELECT throws_ok('SET CONSTRAINTS stiff DEFERRED', '42809', 'constraint "stiff" is not deferrable', 'one that cannot be deferred');
SELECT lives_ok('SET CONSTRAINTS stiff, check_v IMMEDIATE', 'is immediate');
BEGIN;
SET CONSTRAINTS t_uq DEFERRED;
SET TRANSACTION ISOLATION LEVEL SERIALIZABLE;
SELECT is(current_setting('transaction_isolation'), 'serializable', 'it takes no snapshot');
SELECT is(try('t_uq', 31, 'insert'), 'later', 'in a serializable transaction');
ROLLBACK;
BEGIN;
SET CONSTRAINTS t_uq DEFERRED;
ALTER TABLE t DROP CONSTRAINT t_uq;
SELECT lives_ok('INSERT INTO t (k, u, x) VALUES (31, 1, 1)', 'a constraint that is dropped meanwhile');
ROLLBACK;
SELECT router.detach_child('other.elsewhere') \g /dev/null
BEGIN;
SET CONSTRAINTS t_uq DEFERRED;
SELECT throws_ok('INSERT INTO other.elsewhere (k, u, x) VALUES (11, 1, 2)', '23505', NULL, 'a table that was detached is not concerned');
ROLLBACK;

-- who may not look into a schema can set what is elsewhere
CALL make(late => false);
SELECT test.role('router_defer_user') \g /dev/null
GRANT USAGE ON SCHEMA app TO router_defer_user;
GRANT ALL ON t, pk TO router_defer_user;
SET ROLE router_defer_user;
BEGIN;
SET CONSTRAINTS app.t_uq DEFERRED;
SELECT lives_ok('INSERT INTO app.t (k, u, x) VALUES (1, 1, 2)', 'another user');
SELECT lives_ok('INSERT INTO app.t (k, u, x) VALUES (61, 1, 2), (61, 1, 3)', 'who makes a child');
ROLLBACK;
RESET ROLE;

-- prepared statements, functions
PREPARE p AS INSERT INTO t (k, u, x) VALUES ($1, 1, 2);
BEGIN;
DO $$ BEGIN SET CONSTRAINTS t_uq DEFERRED; END $$;
EXECUTE p(1);
SELECT is((SELECT count(*) FROM t WHERE k = 1), 2::bigint, 'set in a function, used by EXECUTE');
ROLLBACK;

SELECT * FROM finish();
