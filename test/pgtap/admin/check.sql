-- router.check: every breach is told, with a remedy, and nothing else.
\ir ../../include/helpers.sql
\set tests 37
SELECT plan(:tests);

-- What router.check says of a base: kinds and children.
CREATE FUNCTION test.told(base regclass) RETURNS text LANGUAGE sql AS $$
    SELECT coalesce(string_agg(concat_ws(' ', kind, child), ', ' ORDER BY kind COLLATE "C", child::text COLLATE "C"), 'nothing') FROM router.check($1)
$$;
SELECT test.role('router_c_owner'), test.role('router_c_other') \g /dev/null
CREATE SCHEMA app AUTHORIZATION router_c_owner;
SET ROLE router_c_owner;
CREATE TABLE app.t (region text, k int, v text);
CREATE INDEX ON app.t (v);
SELECT router.create_route('app.t', ARRAY[router.by_list('region'), router.by_integer('k', 10)], default_child => true) \g /dev/null
INSERT INTO app.t VALUES ('n', 1, 'a'), ('n', 11, 'b'), ('s', 1, 'c');
CREATE TABLE app.attached (v text, k int, region text);
SELECT router.attach_child('app.t', 'app.attached', ARRAY['{n}', '[21,30]']) \g /dev/null
SELECT is(test.told('app.t'), 'index app.attached', 'an attached table without the index of its base');
SELECT router.sync('app.t') \g /dev/null
SELECT is(test.told('app.t'), 'nothing', 'all is well');
SELECT is_empty('SELECT * FROM router.check()', 'of all routes');
:fresh
SET ROLE router_c_owner;
SELECT is(test.told('app.t'), 'nothing', 'as the first thing in a session');

-- ------------------------------------------------------------------- rows
INSERT INTO app.t_default VALUES ('n', 5, 'has a child'), ('x', 1, 'has none');
SELECT is(test.told('app.t'), 'rows app.t_default', 'a row in the default child that another child holds');
SELECT is((SELECT detail FROM router.check('app.t')), '1 row is not at home, the first has (region, k) = (n, 5)', 'how many, and the first');
CALL router.redistribute('app.t');
SELECT is(test.told('app.t'), 'nothing', 'the remedy helps');
ALTER TABLE app.t_n_11_20 DROP CONSTRAINT router_home;
INSERT INTO app.t_n_11_20 VALUES ('s', 1, 'wrong'), ('n', 12, 'right'), (NULL, 7, 'wrong');
SELECT is(test.told('app.t'), 'check app.t_n_11_20, rows app.t_n_11_20', 'rows in the wrong child, and no CHECK');
SELECT is((SELECT detail FROM router.check('app.t') WHERE kind = 'rows'), '2 rows are not at home, the first has (region, k) = (s, 1)', 'how many, and the first');
SELECT throws_ok($$SELECT router.sync('app.t')$$, '23514', NULL, 'router.sync cannot make the CHECK');
WITH moved AS (DELETE FROM ONLY app.t_n_11_20 WHERE v = 'wrong' RETURNING *) INSERT INTO app.t SELECT * FROM moved;
SELECT router.sync('app.t') \g /dev/null
SELECT is(test.told('app.t'), 'nothing', 'now it can');
ALTER TABLE app.t DISABLE TRIGGER USER;
\copy app.t FROM stdin
n	3	stray
\.
SELECT is(test.told('app.t') IN ('rows, trigger, trigger, trigger, trigger', 'trigger, trigger, trigger, trigger'), true, 'triggers disabled, and a row in the base');
ALTER TABLE app.t ENABLE TRIGGER USER;
SELECT router.create_route('app.t', ARRAY[router.by_list('region'), router.by_integer('k', 10)], move_rows => true) \g /dev/null
SELECT is(test.told('app.t'), 'nothing', 'create_route … move_rows takes it home');

-- ------------------------------------------------------------------ CHECKs
ALTER TABLE app.t_n_1_10 DROP CONSTRAINT router_home;
ALTER TABLE app.t_n_1_10 ADD CONSTRAINT router_home CHECK (region = 'n' AND k BETWEEN 1 AND 10);
SELECT is(test.told('app.t'), 'check app.t_n_1_10', 'a CHECK that says it otherwise');
ALTER TABLE app.t_n_1_10 DROP CONSTRAINT router_home;
ALTER TABLE app.t_n_1_10 ADD CONSTRAINT router_home CHECK (region IS NOT NULL AND region = 'n' AND k IS NOT NULL AND k >= '1'::bigint AND k <= '10'::bigint) NOT VALID;
SELECT is(test.told('app.t'), 'check app.t_n_1_10', 'one that is not valid');
ALTER TABLE app.t_n_1_10 VALIDATE CONSTRAINT router_home;
SELECT is(test.told('app.t'), 'nothing', 'valid');
ALTER TABLE app.t_default ADD CONSTRAINT router_home CHECK (k > 0);
SELECT is(test.told('app.t'), 'check app.t_default', 'a default child has none');
SELECT router.sync('app.t') \g /dev/null
SELECT is(test.told('app.t'), 'nothing', 'mended');

-- ------------------------------------------------------------- inheritance
CREATE TABLE app.stranger () INHERITS (app.t);
SELECT is(test.told('app.t'), 'inheritance app.stranger', 'a table that inherits and is no child');
DROP TABLE app.stranger;
RESET ROLE;
ALTER EVENT TRIGGER router_on_ddl_end DISABLE;
SELECT is((SELECT string_agg(detail, '') FROM router.check()), 'event trigger router_on_ddl_end is disabled', 'an event trigger is disabled');
ALTER TABLE app.attached NO INHERIT app.t;
CREATE INDEX ON app.t (k);
ALTER EVENT TRIGGER router_on_ddl_end ENABLE;
SELECT is((SELECT string_agg(DISTINCT kind, ' ' ORDER BY kind) FROM router.check('app.t')), 'index inheritance', 'what happened in the meantime is told');
ALTER TABLE app.attached INHERIT app.t;
SELECT router.sync('app.t') \g /dev/null
SELECT is(test.told('app.t'), 'nothing', 'mended');
ALTER EVENT TRIGGER router_on_sql_drop DISABLE;
DROP TABLE app.t_s_1_10;
ALTER EVENT TRIGGER router_on_sql_drop ENABLE;
SELECT is((SELECT kind FROM router.check('app.t')), 'catalog', 'a child that is gone');
SELECT isnt(test.outcome((SELECT remedy FROM router.check('app.t'))), 'nothing', 'its remedy');
SELECT is(test.told('app.t'), 'nothing', 'helps');

-- ------------------------------------------------------------------- others
REVOKE CREATE ON SCHEMA app FROM router_c_owner;
SELECT is(test.told('app.t'), 'privilege', 'the owner may not create children');
SELECT is(test.outcome((SELECT remedy FROM router.check('app.t'))), 'done', 'the remedy');
SELECT is(test.told('app.t'), 'nothing', 'helps');
UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'app.t_n_1_10_v_idx'::regclass;
SELECT is(test.told('app.t'), 'index app.t_n_1_10, index app.t_n_1_10, index app.t_n_1_10', 'an invalid index counts as missing');
SELECT router.sync('app.t') \g /dev/null
SELECT is(test.told('app.t'), 'nothing', 'and is built again');
SET ROLE router_c_other;
SELECT throws_ok($$SELECT * FROM router.check('app.t')$$, '42501', NULL, 'not for others');
SELECT is((SELECT string_agg(DISTINCT kind, ' ') FROM router.check()), 'not checked', 'who are told of nothing but that');
RESET ROLE;
SELECT throws_ok($$SELECT * FROM router.check('pg_class')$$, '55000', NULL, 'not a routed table');

-- NULL where none may be: rows that lost what a column was added with
CREATE TABLE app.hole (k int, v text);
SELECT router.create_route('app.hole', router.by_integer('k', 10)) \g /dev/null
INSERT INTO app.hole VALUES (1, 'a'), (2, NULL), (11, 'b');
ALTER TABLE app.hole ADD COLUMN added text NOT NULL DEFAULT 'x', ADD COLUMN "may be" text DEFAULT 'y';
INSERT INTO app.hole VALUES (3, 'c', 'z', NULL);
SELECT is(test.told('app.hole'), 'nothing', 'values that are not stored are no NULL');
UPDATE pg_attribute SET atthasmissing = false, attmissingval = NULL WHERE attrelid = 'app.hole_1_10'::regclass AND attname IN ('added', 'may be');
SELECT results_eq($$SELECT kind, child::text, detail FROM router.check('app.hole')$$,
    $$VALUES ('rows', 'app.hole_1_10', '2 rows have NULL in column added, which is NOT NULL')$$, 'rows with NULL in a NOT NULL column');
SELECT is(test.outcome((SELECT replace(remedy, '…', '''x''') FROM router.check('app.hole'))), 'done', 'the remedy');
SELECT is(test.told('app.hole'), 'nothing', 'helps');

SELECT * FROM finish();
