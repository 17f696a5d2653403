-- drop_route with rows => 'base': an ordinary table again, with all its rows.
\ir ../../include/helpers.sql
\set tests 20
SELECT plan(:tests);

CREATE TABLE t (id int, gone int, d date, v text, twice int GENERATED ALWAYS AS (id * 2) STORED, PRIMARY KEY (id, d));
CREATE TABLE told (what text);
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO told VALUES (TG_OP); RETURN coalesce(NEW, OLD); END $$;
CREATE TRIGGER tell BEFORE INSERT OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION tell();
SELECT router.create_route('t', router.by_date('d', 'month'), default_child => true) \g /dev/null
INSERT INTO t (id, d, v) SELECT i, '2024-01-01'::date + i % 100, 'v' || i FROM generate_series(1, 3000) i;
ALTER TABLE t DROP COLUMN gone;
CREATE TABLE att (v text, d date, twice int GENERATED ALWAYS AS (id * 2) STORED, id int NOT NULL);
ALTER TABLE att ALTER d SET NOT NULL;
INSERT INTO att VALUES ('att', '1990-01-01', DEFAULT, 1);
SELECT router.attach_child('t', 'att', ARRAY['[1990-01-01,1990-02-01)']) \g /dev/null
TRUNCATE told;
SELECT md5(string_agg(t::text, ',' ORDER BY id, d)) AS sum FROM t \gset

SELECT isnt_empty($$SELECT router.drop_route('t', dry_run => true, rows => 'base')$$, 'dry_run tells what it would do');
SELECT is(test.homes('t') <> 't: 3001', true, 'and does nothing');
SELECT throws_ok($$SELECT router.drop_route('t', rows => 'drop')$$, '22023', NULL, 'rows that are neither kept nor moved');
SELECT is(test.hint($$SELECT router.drop_route('t', '')$$), $$'keep' leaves the rows in the children, 'base' moves them into the base and drops the children.$$, 'the hint says what there is');
SELECT test.homes('t') AS homes \gset
BEGIN;
SELECT router.drop_route('t', 'keep') \g /dev/null
SELECT is(test.homes('t'), :'homes', 'rows that are kept stay where they are');
ROLLBACK;
BEGIN;
SELECT router.drop_route('t', rows => NULL) \g /dev/null
SELECT is((SELECT count(*) FROM pg_inherits WHERE inhparent = 't'::regclass) > 2, true, 'as they do if nothing is said');
SELECT is((SELECT count(*) FROM router.children WHERE base = 't'::regclass), 0::bigint, 'though nothing is routed');
ROLLBACK;
SELECT throws_ok($$SELECT router.drop_route('no_such')$$, '42P01', NULL, 'no such table');
BEGIN;
SELECT router.drop_route('t', rows => 'base') \g /dev/null
ROLLBACK;
SELECT is((SELECT count(*) FROM ONLY t), 0::bigint, 'rolled back');
INSERT INTO t (id, d) VALUES (0, '2024-01-01');
SELECT is((SELECT tableoid::regclass::text FROM t WHERE id = 0), 't_y2024m01', 'and still routed');
DELETE FROM t WHERE id = 0;
TRUNCATE told;
CREATE VIEW uses AS SELECT * FROM att;
SELECT throws_ok($$SELECT router.drop_route('t', rows => 'base')$$, '2BP01', NULL, 'a child that something depends on is not dropped');
DROP VIEW uses;

SELECT router.drop_route('t', rows => 'base') \g /dev/null
SELECT is(test.homes('t'), 't: 3001', 'all rows are in the table');
SELECT is((SELECT md5(string_agg(t::text, ',' ORDER BY id, d)) FROM t), :'sum', 'as they were');
SELECT is((SELECT count(*) FROM told), 0::bigint, 'no trigger fired');
SELECT is((SELECT count(*) FROM pg_inherits WHERE inhparent = 't'::regclass), 0::bigint, 'no child is left');
SELECT is((SELECT count(*) FROM pg_trigger WHERE tgrelid = 't'::regclass AND NOT tgisinternal), 1::bigint, 'nor a trigger of router');
SELECT is((SELECT count(*) FROM router.children WHERE base = 't'::regclass), 0::bigint, 'nor an entry in the catalog');
SELECT is((SELECT id FROM t WHERE id = 77 AND d = '2024-01-01'::date + 77), 77, 'the indexes hold the rows');
SELECT router.create_route('t', router.by_date('d', 'month'), move_rows => true) \g /dev/null
SELECT is((SELECT md5(string_agg(t::text, ',' ORDER BY id, d)) FROM t), :'sum', 'and routed once more');
SELECT is(test.strays('t'), 'none', 'all home');
SELECT * FROM finish();
