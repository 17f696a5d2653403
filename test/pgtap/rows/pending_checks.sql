-- Checks that are put off to the end of the transaction, of rows that move before: they are made for the row where it is then,
-- or the move is refused (55006). Never a row that no check has seen. Every way to move by every kind of check, once with a row that
-- does not stand the check and once with one that is mended in time. SET CONSTRAINTS ALL IMMEDIATE is COMMIT here.
\ir ../../include/helpers.sql
CREATE TABLE parent (id int PRIMARY KEY);
INSERT INTO parent VALUES (1), (2);
CREATE FUNCTION look() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM p WHERE id = NEW.id AND v < 0) THEN
        RAISE 'row % is wrong', NEW.id USING ERRCODE = 'check_violation';
    END IF;
    RETURN NULL;
END $$;
CREATE TABLE movers (mover text, keys text, refuses boolean, prepare text, move text);
INSERT INTO movers VALUES
    ('create_route', 'none', true, '', $$SELECT router.create_route('p', router.by_date('d', 'month'), move_rows => true)$$),
    ('drop_route', 'cold', true, '', $$SELECT router.drop_route('p', rows => 'base')$$),
    ('archive', 'hot', true, '', $$CALL router.archive('p', cutoff => '2024-03-01')$$),
    ('archive_now', 'hot', true, '', $$SELECT router.archive_now('p', '2024-03-01')$$),
    ('rotate', 'hot', true, '', $$CALL router.rotate('p', cutoff => '2024-03-01')$$),
    ('restore', 'hot', false, $$CALL router.archive('p', cutoff => '2024-03-01')$$, $$SELECT router.restore('p_y2024m02')$$),
    ('end_hot', 'hot', false, '', $$SELECT router.end_hot('p')$$),
    ('redistribute', 'default', false, '', $$CALL router.redistribute('p')$$),
    ('create_child', 'default', false, '', $$SELECT router.create_child('p', '2024-02-01')$$),
    ('a child that a row creates', 'default', false, '', $$SELECT router.alter_route('p', on_missing => 'create'); INSERT INTO p VALUES (5, '2024-02-05', 1, 0)$$),
    ('UPDATE', 'cold', false, '', $$UPDATE p SET d = d + 60; UPDATE p SET d = d - 60$$),
    ('MERGE', 'cold', false, '', $$MERGE INTO p USING parent ON parent.id = 2 WHEN MATCHED THEN UPDATE SET d = d + 60$$);
CREATE TABLE kinds (kind text, wrong text, state text, mend text);
INSERT INTO kinds VALUES
    ('foreign key, INSERT', $$INSERT INTO p VALUES (9, '2024-02-03', 999, 0)$$, '23503', 'INSERT INTO parent VALUES (999)'),
    ('foreign key, UPDATE', $$UPDATE p SET parent = 999 WHERE id = 3$$, '23503', 'INSERT INTO parent VALUES (999)'),
    ('foreign key, DELETE there', $$INSERT INTO p VALUES (9, '2024-02-03', 2, 0); DELETE FROM parent WHERE id = 2$$, '23503', 'INSERT INTO parent VALUES (2)'),
    ('unique', $$INSERT INTO p VALUES (1, '2024-02-03', 1, 7)$$, '23505', 'DELETE FROM p WHERE v = 7'),
    ('constraint trigger', $$INSERT INTO p VALUES (9, '2024-02-03', 1, -1)$$, '23514', 'UPDATE p SET v = 0 WHERE id = 9'),
    ('put off by SET CONSTRAINTS', $$SET CONSTRAINTS ALL DEFERRED; INSERT INTO p VALUES (9, '2024-02-03', 1, 0, 999)$$, '23503', 'INSERT INTO parent VALUES (999)');

CREATE VIEW cells AS SELECT * FROM movers, kinds;
SELECT count(*) * 3 AS tests FROM cells \gset
SELECT plan(:tests + 11);
SET client_min_messages = error;
\set ON_ERROR_STOP 1
SELECT statement
  FROM cells, unnest(ARRAY['DROP TABLE IF EXISTS p CASCADE', 'DELETE FROM parent WHERE id > 2',
        'CREATE TABLE p (id int, d date, parent int REFERENCES parent DEFERRABLE INITIALLY DEFERRED, v int, other int REFERENCES parent DEFERRABLE,
                         PRIMARY KEY (id, d) DEFERRABLE INITIALLY DEFERRED)',
        'CREATE CONSTRAINT TRIGGER look AFTER INSERT OR UPDATE ON p DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION look()',
        CASE keys WHEN 'cold' THEN $$SELECT router.create_route('p', router.by_date('d', 'month'))$$
                  WHEN 'hot' THEN $$SELECT router.create_route('p', router.by_date('d', 'month'), hot => '10000 days')$$
                  WHEN 'default' THEN $$SELECT router.create_route('p', router.by_date('d', 'month'), default_child => true, on_missing => 'default')$$ END,
        $$INSERT INTO p VALUES (1, '2024-02-03', 1, 0), (3, '2024-02-04', 1, 0), (4, '2024-02-05', 1, 0), (5, '2024-03-05', 1, 0)$$,
        nullif(prepare, ''),
        format('SELECT is(left(test.outcome(%L), 5), %L, %L)', concat_ws('; ', wrong, move, 'SET CONSTRAINTS ALL IMMEDIATE'), CASE WHEN refuses THEN '55006' ELSE state END,
               format('%s, %s: wrong', mover, kind)),
        format('SELECT is(left(test.outcome(%L), 5), %L, %L)', concat_ws('; ', wrong, move, mend, 'SET CONSTRAINTS ALL IMMEDIATE'), CASE WHEN refuses THEN '55006' ELSE 'done' END,
               format('%s, %s: mended in time', mover, kind)),
        format('SELECT is((SELECT count(*) FROM p LEFT JOIN parent ON parent.id = p.parent WHERE parent.id IS NULL OR v < 0), 0::bigint, %L)',
               format('%s, %s: nothing wrong is there', mover, kind))]) WITH ORDINALITY AS cell(statement, place)
 WHERE statement IS NOT NULL
 ORDER BY mover, kind, place
\gexec
\set ON_ERROR_STOP 0
DROP TABLE p CASCADE;

-- by COMMIT itself, and with savepoints
CREATE TABLE q (id int, d date, parent int REFERENCES parent DEFERRABLE INITIALLY DEFERRED, PRIMARY KEY (id, d));
SELECT router.create_route('q', router.by_date('d', 'month'), default_child => true, on_missing => 'default') \g /dev/null
BEGIN;
INSERT INTO q VALUES (1, '2024-01-01', 999);
SELECT router.create_child('q', '2024-01-01') \g /dev/null
COMMIT;
SELECT is(test.homes('q') || ', ' || test.children('q'), 'empty, q_default', 'COMMIT fails');
BEGIN;
INSERT INTO q VALUES (1, '2024-01-01', 999);
SAVEPOINT s;
SELECT router.create_child('q', '2024-01-01') \g /dev/null
ROLLBACK TO s;
COMMIT;
SELECT is(test.homes('q'), 'empty', 'COMMIT fails for a row whose move was rolled back');
BEGIN;
INSERT INTO q VALUES (1, '2024-01-01', 1);
SAVEPOINT s;
INSERT INTO q VALUES (2, '2024-01-01', 999);
ROLLBACK TO s;
SELECT router.create_child('q', '2024-01-01') \g /dev/null
COMMIT;
SELECT is(test.homes('q'), 'q_y2024m01: 1', 'a check that was rolled back is no hindrance');
CREATE TABLE h (id int, d date, parent int REFERENCES parent DEFERRABLE INITIALLY DEFERRED);
SELECT router.create_route('h', router.by_date('d', 'month'), hot => '10000 days') \g /dev/null
SELECT is(test.hint($$INSERT INTO h VALUES (1, '2024-01-01', 999); SELECT router.archive_now('h', '2024-03-01')$$),
    'Let them fire first, by SET CONSTRAINTS ALL IMMEDIATE or COMMIT.', 'the way out');
SELECT is(test.outcome($$INSERT INTO h VALUES (1, '2024-01-01', 1); SET CONSTRAINTS ALL IMMEDIATE; SELECT router.archive_now('h', '2024-03-01')$$), 'done', 'which leads out');

-- a foreign key that refers to the very table that rows would leave
CREATE TABLE refers (id int, d date);
INSERT INTO q VALUES (3, '2024-02-01', 1);
ALTER TABLE refers ADD FOREIGN KEY (id, d) REFERENCES q_default;
INSERT INTO refers VALUES (3, '2024-02-01');
SELECT throws_ok($$SELECT router.create_child('q', '2024-02-01')$$, '0A000', 'cannot move rows out of "q_default", to which a foreign key refers directly', 'rows that are referred to do not leave');
SELECT router.alter_route('q', on_missing => 'create') \g /dev/null
INSERT INTO q VALUES (4, '2024-02-01', 1), (5, '2024-03-01', 1);
SELECT is(test.homes('q'), 'q_default: 2, q_y2024m01: 1, q_y2024m03: 1', 'and a row of theirs goes where they are');
SELECT is((SELECT count(*) FROM refers LEFT JOIN q USING (id, d) WHERE q.id IS NULL), 0::bigint, 'no orphans');
CREATE TABLE r (id int, d date, PRIMARY KEY (id, d));
SELECT router.create_route('r', router.by_date('d', 'month'), hot => '10000 days') \g /dev/null
SELECT router.create_child('r', '2024-01-01') \g /dev/null
INSERT INTO r SELECT i, date '2024-01-01' + i FROM generate_series(1, 30) i;
INSERT INTO r_y2024m01 VALUES (0, '2024-01-01');
CREATE TABLE refers_too (id int, d date, FOREIGN KEY (id, d) REFERENCES r_y2024m01);
INSERT INTO refers_too VALUES (0, '2024-01-01');
CALL router.rotate('r', cutoff => '2024-02-01');
SELECT is(test.homes('r'), 'r_y2024m01: 31', 'rotate takes no row out of the child');
SELECT throws_ok($$SELECT router.restore('r_y2024m01')$$, '0A000', NULL, 'restore would');
SELECT is(test.homes('r'), 'r_y2024m01: 31', 'and does not');
SELECT * FROM finish();
