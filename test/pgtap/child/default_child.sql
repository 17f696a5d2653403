-- The default child, on_missing, redistribute: checklist D1, F4.
\ir ../../include/helpers.sql
\set tests 45
SELECT plan(:tests);

CREATE TABLE t (k int, v text, PRIMARY KEY (k, v));
CREATE TABLE e (k int);
CREATE TABLE g (k int);
CREATE TABLE late (k int);
SELECT throws_ok($$SELECT router.create_route('t', router.by_integer('k', 10), on_missing => 'default')$$, '22023', NULL, 'on_missing default needs a default child');
SELECT throws_ok($$SELECT router.create_route('t', router.by_integer('k', 10), on_missing => 'ignore')$$, '22023', NULL, 'a policy there is not');
SELECT router.create_route('t', router.by_integer('k', 10), on_missing => 'default', default_child => true) \g /dev/null
SELECT is(test.children('t'), 't_default', 'default_child: it is there at once');
SELECT is(test.bounds('t_default') || (SELECT state FROM router.children WHERE child = 't_default'::regclass), '{default}default', 'its bounds and state');
:fresh
INSERT INTO t VALUES (1, 'a'), (2, 'b'), (11, 'c'), (21, 'd'), (25, 'e');
SELECT is(test.homes('t'), 't_default: 5', 'on_missing default: rows without a child go to the default child');
SELECT is(test.children('t'), 't_default', 'and none is created');

-- F4: rows in the default child never block a new child
SELECT router.create_child('t', '1') \g /dev/null
SELECT is(test.homes('t'), 't_1_10: 2, t_default: 3', 'F4: a child created by hand takes its rows out of the default child');
SELECT is((SELECT string_agg(v, '' ORDER BY k) FROM t), 'abcde', 'none lost, none doubled');
:fresh
INSERT INTO t VALUES (3, 'f'), (31, 'g');
SELECT is(test.homes('t'), 't_1_10: 3, t_default: 4', 'from then on rows go there');
CALL router.redistribute('t', dry_run => true);
SELECT is(test.homes('t'), 't_1_10: 3, t_default: 4', 'redistribute, dry_run: nothing moves');
:fresh
CALL router.redistribute('t');
SELECT is(test.homes('t'), 't_11_20: 1, t_1_10: 3, t_21_30: 2, t_31_40: 1', 'D1: redistribute empties the default child into children of their own');
SELECT is((SELECT string_agg(v, '' ORDER BY k, v) FROM t), 'abfcdeg', 'D1: none lost, none doubled');
SELECT is((SELECT state FROM router.children WHERE child = 't_default'::regclass), 'default', 'D1: the default child stays');
SELECT is(test.strays('t'), 'none', 'all home');
SELECT throws_ok('INSERT INTO t VALUES (25, ''e'')', '23505', NULL, 'the primary key holds after the move');
SELECT is((SELECT count(*) FROM pg_index WHERE indrelid = 't_21_30'::regclass AND indisprimary), 1::bigint, 'children that came of it have their keys');
CALL router.redistribute('t');
SELECT is(test.homes('t'), 't_11_20: 1, t_1_10: 3, t_21_30: 2, t_31_40: 1', 'a second time changes nothing');

-- create on demand with a default child for what is rejected
CREATE TABLE both_t (k int, d date);
SELECT router.create_route('both_t', router.by_date('d', 'month'), default_child => true) \g /dev/null
:fresh
INSERT INTO both_t VALUES (1, '2024-01-01'), (2, '2024-02-01');
SELECT is(test.homes('both_t'), 'both_t_y2024m01: 1, both_t_y2024m02: 1', 'on_missing create: children are created though there is a default child');
ALTER TABLE both_t_default DROP CONSTRAINT IF EXISTS router_home;
INSERT INTO both_t_default VALUES (3, '2024-03-01'), (4, '2024-03-02'), (5, '2024-04-01');
:fresh
INSERT INTO both_t VALUES (6, '2024-03-03');
SELECT is(test.homes('both_t'), 'both_t_default: 1, both_t_y2024m01: 1, both_t_y2024m02: 1, both_t_y2024m03: 3', 'F4: a child created by a row takes its fellows out of the default child');
:fresh
COPY both_t FROM PROGRAM 'printf "7\t2024-04-04\n8\t2024-01-04\n"';
SELECT is(test.homes('both_t'), 'both_t_y2024m01: 2, both_t_y2024m02: 1, both_t_y2024m03: 3, both_t_y2024m04: 2', 'F4: the same through COPY');
SELECT is((SELECT count(*) || '/' || count(DISTINCT k) FROM both_t), '8/8', 'none lost, none doubled');

-- moving rows fires no trigger and no referential action (invariant 5)
CREATE TABLE target (id int PRIMARY KEY);
INSERT INTO target SELECT generate_series(1, 50);
CREATE TABLE fired (told text);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO fired VALUES (TG_OP || ' ' || TG_WHEN); RETURN coalesce(NEW, OLD); END $$;
CREATE TABLE quiet (k int REFERENCES target ON DELETE CASCADE, v text);
CREATE TRIGGER a AFTER INSERT OR DELETE OR UPDATE ON quiet FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER b BEFORE INSERT OR DELETE OR UPDATE ON quiet FOR EACH ROW EXECUTE FUNCTION note();
SELECT router.create_route('quiet', router.by_integer('k', 10), on_missing => 'default', default_child => true) \g /dev/null
INSERT INTO quiet SELECT i, 'v' || i FROM generate_series(1, 40) i;
TRUNCATE fired;
SELECT router.create_child('quiet', '5') \g /dev/null
CALL router.redistribute('quiet');
SELECT is(test.homes('quiet'), 'quiet_11_20: 10, quiet_1_10: 10, quiet_21_30: 10, quiet_31_40: 10', 'rows with triggers and foreign keys are moved');
SELECT is((SELECT count(*) FROM fired), 0::bigint, 'and no trigger fires');
DELETE FROM target WHERE id = 15;
SELECT is((SELECT count(*) FROM quiet), 39::bigint, 'foreign keys still cascade after the move');

-- ------------------------------------------------------------- error policy
SELECT router.create_route('e', router.by_integer('k', 10), on_missing => 'error') \g /dev/null
SELECT router.create_child('e', '5') \g /dev/null
:fresh
INSERT INTO e VALUES (5);
SELECT is(test.homes('e'), 'e_1_10: 1', 'on_missing error: a row with a child goes home');
INSERT INTO e VALUES (6), (15);
SELECT is(:'SQLSTATE'::text, '23514'::text, 'on_missing error: one without does not');
SELECT is(:'LAST_ERROR_MESSAGE'::text, 'no child of routed table "e" for the row', 'and the message says so');
:fresh
INSERT INTO e VALUES (15);
SELECT is(:'SQLSTATE'::text, '23514'::text, 'not in the first statement of a session either');
COPY e FROM PROGRAM 'echo 25';
SELECT is(:'SQLSTATE'::text, '23514'::text, 'nor through COPY');
SELECT isnt(test.hint('INSERT INTO e VALUES (15)'), NULL, 'the error has a hint');
SELECT is(test.homes('e'), 'e_1_10: 1', 'nothing stays, the base is empty');
SELECT router.alter_route('e', on_missing => 'create') \g /dev/null
INSERT INTO e VALUES (15);
SELECT is(test.homes('e'), 'e_11_20: 1, e_1_10: 1', 'alter_route: from now on created');

-- ------------------------------------------------------- a default child later
SELECT router.create_route('late', router.by_list('k', ARRAY['{1,2}'])) \g /dev/null
SELECT throws_ok($$SELECT router.alter_route('late', on_missing => 'default')$$, '22023', NULL, 'alter_route to default needs a default child');
SELECT isnt_empty($$SELECT router.alter_route('late', default_child => true, on_missing => 'default', dry_run => true)$$, 'dry_run tells');
SELECT is(test.children('late'), 'late_1_2', 'dry_run creates nothing');
SELECT router.alter_route('late', default_child => true, on_missing => 'default') \g /dev/null
:fresh
INSERT INTO late VALUES (1), (2), (3), (NULL);
SELECT is(test.homes('late'), 'late_1_2: 2, late_default: 2', 'a group, and the default child for the rest');
DROP TABLE late_1_2;
INSERT INTO late VALUES (1), (2);
SELECT is(test.homes('late'), 'late_default: 4', 'on_missing default sends even the rows of a group there while it has no child');
SELECT router.premake('late') \g /dev/null
SELECT is(test.homes('late'), 'late_1_2: 2, late_default: 2', 'premake makes the groups, which take their rows');
SELECT router.create_child('late', ARRAY['null']) \g /dev/null
SELECT is(test.homes('late'), 'late_1_2: 2, late_default: 1, late_null: 1', 'a NULL child by hand');
SELECT router.create_child('late', ARRAY['{3,4}'], 'late_more') \g /dev/null
SELECT is(test.homes('late'), 'late_1_2: 2, late_more: 1, late_null: 1', 'a group by hand, with a name');
SELECT isnt(test.outcome($$SELECT router.create_child('late', ARRAY['{4,5}'])$$), 'done', 'a group that overlaps another');
SELECT router.create_child('late', ARRAY['default']) \g /dev/null
SELECT is((SELECT count(*) FROM router.children WHERE base = 'late'::regclass AND state = 'default'), 1::bigint, 'there is never a second default child');
-- two levels
CREATE TABLE two (r int, d date);
SELECT router.create_route('two', ARRAY[router.by_list('r'), router.by_date('d', 'year')], default_child => true, on_missing => 'default') \g /dev/null
:fresh
INSERT INTO two VALUES (7, '2024-01-01'), (7, '2025-01-01'), (8, '2024-01-01'), (NULL, NULL);
SELECT is(test.homes('two'), 'two_default: 4', 'two levels: one default child for all');
SELECT router.create_child('two', '7', '2024-05-05') \g /dev/null
SELECT is(test.homes('two'), 'two_7_y2024: 1, two_default: 3', 'two levels: a child takes its rows out');
CALL router.redistribute('two');
SELECT is(test.homes('two'), 'two_7_y2024: 1, two_7_y2025: 1, two_8_y2024: 1, two_null_null: 1', 'two levels: redistribute');

SELECT * FROM finish();
