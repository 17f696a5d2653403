-- What others do to a table that is being converted: its indexes, its triggers; a run that is given up.
\ir ../../include/helpers.sql
\set tests 31
SELECT plan(:tests);
SELECT test.role('router_meanwhile_other');
CREATE FUNCTION test.detail_of(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE detail text;
BEGIN EXECUTE command; RETURN 'no error';
EXCEPTION WHEN OTHERS THEN GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL; RETURN detail; END $$;

CREATE TYPE typed AS (id int, at timestamptz);
CREATE TABLE above ();
CREATE TABLE parent (id int) INHERITS (above);
CREATE TABLE child (at timestamptz NOT NULL, PRIMARY KEY (id)) INHERITS (parent);
CREATE TABLE of_type OF typed (PRIMARY KEY (id));
CREATE TABLE keyed (id int NOT NULL, at timestamptz NOT NULL, n int NOT NULL GENERATED ALWAYS AS IDENTITY);
CREATE UNIQUE INDEX keyed_id ON keyed (id);

-- a row that can have no child ends each run behind the children of many months
CREATE PROCEDURE test.interrupt(relation regclass) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('INSERT INTO %s (id, at) SELECT i, timestamptz ''2020-01-01'' + i * interval ''1 month'' FROM generate_series(1, 60) i', relation);
    EXECUTE format('INSERT INTO %s (id, at) VALUES (0, ''9999-01-01'')', relation);
END $$;
CALL test.interrupt('child');
CALL router.convert('child', router.by_date('at', 'month'), batch_rows => 10);
CALL test.interrupt('of_type');
CALL router.convert('of_type', router.by_date('at', 'month'), batch_rows => 10);
CALL test.interrupt('keyed');
CALL router.convert('keyed', router.by_date('at', 'month'), batch_rows => 10);
SELECT is((SELECT count(*) FROM router.reshape_def WHERE base IN ('child'::regclass, 'of_type'::regclass, 'keyed'::regclass)), 3::bigint, 'three runs stand');

SELECT throws_ok('DROP INDEX keyed_id', '2BP01', NULL, 'the index that tells rows from each other stays');

-- what would reach the tables from above
SELECT throws_ok('ALTER TABLE parent ADD COLUMN x int', '55006', NULL, 'a parent is not altered');
SELECT throws_ok('ALTER TABLE above ADD COLUMN x int', '55006', NULL, 'nor one above it');
SELECT throws_ok('ALTER TABLE parent RENAME COLUMN id TO x', '55006', NULL, 'nor is a column renamed');
SELECT throws_ok('ALTER TYPE typed ADD ATTRIBUTE x int CASCADE', '55006', NULL, 'nor is the type of a table altered');
SELECT throws_ok('ALTER TYPE typed RENAME ATTRIBUTE id TO x CASCADE', '55006', NULL, 'or an attribute of it renamed');
SELECT throws_ok('DROP TABLE parent CASCADE', '55006', NULL, 'a parent is not dropped');

-- who has TRIGGER
CREATE FUNCTION public.nothing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
GRANT TRIGGER ON keyed TO router_meanwhile_other;
SET ROLE router_meanwhile_other;
SELECT throws_ok('CREATE OR REPLACE TRIGGER "!router_reshape" AFTER INSERT ON keyed FOR EACH ROW EXECUTE FUNCTION public.nothing()', '42501', NULL, 'does not replace what tells of writes');
SELECT lives_ok('CREATE TRIGGER nothing AFTER DELETE ON keyed EXECUTE FUNCTION public.nothing()', 'other names are his');
RESET ROLE;

-- another index becomes the first that tells rows from each other, which the log does not have
INSERT INTO keyed VALUES (100, '2020-05-05');
CREATE UNIQUE INDEX keyed_n ON keyed (n);
REINDEX INDEX CONCURRENTLY keyed_id;
DELETE FROM keyed WHERE id IN (0, 100);
CALL router.convert('keyed', router.by_date('at', 'month'));
SELECT is(:'SQLSTATE'::text, '55000', 'rows that were noted by another key are not looked for by this one');

-- given up, begun again
CALL router.cancel_reshape('keyed');
CALL router.cancel_reshape('child');
CALL router.cancel_reshape('of_type');
SELECT is((SELECT count(*) FROM pg_class WHERE relrewrite <> 0), 0::bigint, 'cancel_reshape drops more children than a transaction has locks for');
SELECT is((SELECT count(*) FROM router.child_def), 0::bigint, 'and forgets them');
SELECT lives_ok('ALTER TABLE parent ADD COLUMN x int', 'then the parent is altered');
SELECT lives_ok('DROP INDEX keyed_n', 'and an index dropped');
DELETE FROM child WHERE id = 0;
CALL router.convert('child', router.by_date('at', 'month'));
CALL router.convert('keyed', router.by_date('at', 'month'));
SELECT is((SELECT count(*) FROM parent), 60::bigint, 'the parent has the rows of the children');
SELECT is((SELECT count(*) FROM keyed), 60::bigint, 'none is lost');
SELECT is((SELECT count(*) FROM router.check()), 0::bigint, 'all is well');

-- pg_dump, before it has locked anything
SET application_name = 'pg_dump';
SET statement_timeout = '1s';
CREATE TABLE dumped (id int PRIMARY KEY, at date);
INSERT INTO dumped VALUES (1, '2024-01-01');
CALL router.convert('dumped', router.by_date('at', 'month'));
SELECT is((SELECT in_step FROM router.reshape_def), true, 'there is no swap while pg_dump runs');
RESET application_name;
RESET statement_timeout;
CALL router.convert('dumped', router.by_date('at', 'month'));
SELECT is(test.homes('dumped'), 'dumped_y2024m01: 1', 'but afterwards');

-- a dump from the middle of it has triggers that know their shadow no more
CREATE TABLE restored (id int PRIMARY KEY, at date);
CREATE TRIGGER "!router_reshape" AFTER INSERT OR UPDATE OR DELETE ON restored FOR EACH ROW EXECUTE FUNCTION router.follow_reshape('12345');
CREATE TRIGGER "!router_reshape_truncate" BEFORE TRUNCATE ON restored FOR EACH STATEMENT EXECUTE FUNCTION router.follow_reshape('12345');
INSERT INTO restored VALUES (1, '2024-01-01');
SELECT lives_ok('TRUNCATE restored', 'they do nothing');
SELECT throws_ok('ALTER TABLE restored ADD x int', '55006', NULL, 'but keep the table from being altered');
CALL router.cancel_reshape('restored');
SELECT lives_ok('ALTER TABLE restored ADD x int', 'until cancel_reshape takes them away');
CALL router.cancel_reshape('restored');
SELECT is(:'SQLSTATE'::text, '55000', 'of which there is no more to do then');

-- another owner: what the former one has made of the copies goes with them
SELECT test.role('router_meanwhile_former') \g /dev/null
SELECT test.role('router_meanwhile_next') \g /dev/null
GRANT CREATE ON SCHEMA public TO router_meanwhile_former, router_meanwhile_next;
CREATE TABLE given (id int PRIMARY KEY, d date NOT NULL);
ALTER TABLE given OWNER TO router_meanwhile_former;
INSERT INTO given SELECT i, date '2024-01-01' + i FROM generate_series(1, 50) i;
SET SESSION AUTHORIZATION router_meanwhile_former;
CALL router.convert('public.given', router.by_date('d', 'month'), time_budget => '0');
SELECT oid::regclass AS shadow FROM pg_class WHERE relrewrite = 'public.given'::regclass AND relname LIKE 'router_shadow%' \gset
GRANT SELECT ON :shadow TO router_meanwhile_other;
CREATE VIEW public.kept AS SELECT * FROM :shadow;
RESET SESSION AUTHORIZATION;
REASSIGN OWNED BY router_meanwhile_former TO router_meanwhile_next;
SET SESSION AUTHORIZATION router_meanwhile_next;
CALL router.convert('public.given', router.by_date('d', 'month'));
SELECT is(:'SQLSTATE'::text, '55000', 'it does not go on for another owner');
CALL router.cancel_reshape('public.given');
SELECT is(:'SQLSTATE'::text, '00000', 'but is given up');
SELECT is((SELECT count(*) FROM pg_class WHERE relname = 'kept' OR relrewrite = 'public.given'::regclass), 0::bigint, 'with all that was made of the copies');
CALL router.convert('public.given', router.by_date('d', 'month'));
SELECT is(test.homes('public.given'), 'given_y2024m01: 30, given_y2024m02: 20', 'and begins anew');
RESET SESSION AUTHORIZATION;

-- a writer in step, whose row can have no child, reads no values that are not his
CREATE TABLE hidden (id int PRIMARY KEY, d date DEFAULT '1877-03-04');
INSERT INTO hidden SELECT i, current_date - i FROM generate_series(1, 50) i;
GRANT INSERT (id) ON hidden TO router_meanwhile_other;
SET application_name = 'pg_dump';
SET statement_timeout = '1s';
CALL router.convert('hidden', router.by_date('d', 'month'), horizon => '1 year');
RESET application_name;
RESET statement_timeout;
SET ROLE router_meanwhile_other;
INSERT INTO public.hidden (id) VALUES (1000);
SELECT is(:'SQLSTATE'::text || ' ' || :'LAST_ERROR_MESSAGE', '22008 row for routed table "hidden" is beyond its horizon', 'the error names his table');
SELECT is((SELECT test.detail_of('INSERT INTO public.hidden (id) VALUES (1000)')), '', 'and no value');
RESET ROLE;
CALL router.cancel_reshape('hidden');
SELECT lives_ok('INSERT INTO hidden (id) VALUES (1000)', 'a table that is not converted takes it');
SELECT * FROM finish();
DROP TABLE given, hidden CASCADE;
DROP OWNED BY router_meanwhile_former, router_meanwhile_next CASCADE;
