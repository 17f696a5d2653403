-- What create_route and convert tell by NOTICE: unique keys that hold in each child only, dead rows, triggers of other tools. By each kind of key, of what is nothing said?
\ir ../../include/helpers.sql
\set tests 27
SELECT plan(:tests);

-- what psql says in a session of its own
\setenv PGOPTIONS '-c client_min_messages=notice'
CREATE TABLE residence (id int PRIMARY KEY);
CREATE TABLE plain (id bigserial PRIMARY KEY, r int, read_at timestamptz, code text, n int,
                    UNIQUE (read_at), UNIQUE (n, code, read_at, r), UNIQUE (code, r), EXCLUDE (n WITH =));
CREATE UNIQUE INDEX plain_lower ON plain (lower(code));
CREATE UNIQUE INDEX plain_part ON plain (n) WHERE n > 3;
CREATE UNIQUE INDEX plain_include ON plain (code) INCLUDE (r, read_at);
CREATE INDEX ON plain (id);
INSERT INTO plain (r, read_at, code, n) SELECT i % 3, timestamptz '2024-01-01 UTC' + i * interval '1 day', i, i FROM generate_series(1, 90) i;

CREATE FUNCTION test.named(said text) RETURNS text LANGUAGE sql AS $$
    SELECT coalesce(string_agg(m[1], ' ' ORDER BY m[1] COLLATE "C"), 'none') FROM regexp_matches(said, 'NOTICE:  "(\w+)" keeps values unique in each child', 'g') m
$$;

\set said `psql -XAtq -c "SELECT router.create_route('plain', router.by_list('r'), move_rows => true, dry_run => true)" 2>&1`
SELECT is(test.named(:'said'), 'plain_include plain_lower plain_part plain_pkey plain_read_at_key', 'by list: all that lack its column');
SELECT ok(:'said' LIKE '%HINT:  SELECT router.add_global_key(''public.plain'', ''{id}'') keeps them unique in the whole table.%', 'with the call that mends it');
SELECT ok(:'said' LIKE '%''{code}'') keeps%' AND :'said' NOT LIKE '%{code,r%', 'columns that are only included do not count');
SELECT is((SELECT count(*) FROM regexp_matches(:'said', 'but no expressions and no parts', 'g')), 2::bigint, 'which expressions and parts of the rows have not');
SELECT ok(:'said' NOT LIKE '%take up space%' AND :'said' NOT LIKE '%trigger%', 'nothing else is told');
\set said `psql -XAtq -c "SELECT router.create_route('plain', router.by_date('read_at', 'month'), move_rows => true, dry_run => true)" 2>&1`
SELECT is(test.named(:'said'), 'plain_code_r_key plain_include plain_lower plain_part plain_pkey', 'by date');
\set said `psql -XAtq -c "SELECT router.create_route('plain', router.by_hash('id', 4), move_rows => true, dry_run => true)" 2>&1`
SELECT is(test.named(:'said'), 'plain_code_r_key plain_include plain_lower plain_n_code_read_at_r_key plain_part plain_read_at_key', 'by hash');
\set said `psql -XAtq -c "SELECT router.create_route('plain', router.by_integer('id', 1000), move_rows => true, dry_run => true)" 2>&1`
SELECT ok(test.named(:'said') NOT LIKE '%pkey%', 'by integer: the key of the table is that of the route');
\set said `psql -XAtq -c "SELECT router.create_route('plain', router.by_prefix('code', 1), move_rows => true, dry_run => true)" 2>&1`
SELECT is(test.named(:'said'), 'plain_lower plain_part plain_pkey plain_read_at_key', 'by prefix');
\set said `psql -XAtq -c "SELECT router.create_route('plain', ARRAY[router.by_list('r'), router.by_date('read_at', 'year')], move_rows => true, dry_run => true)" 2>&1`
SELECT is(test.named(:'said'), 'plain_code_r_key plain_include plain_lower plain_part plain_pkey plain_read_at_key', 'of two keys both');

-- dead rows
ALTER TABLE plain DROP CONSTRAINT plain_n_excl;
CREATE TABLE other (LIKE plain INCLUDING ALL);
INSERT INTO other SELECT * FROM plain;
\set said `psql -XAtq -c "SELECT router.create_route('plain', router.by_list('r'), move_rows => true)" 2>&1`
SELECT ok(:'said' LIKE '%NOTICE:  the rows that were moved still take up space in "plain"%HINT:  VACUUM public.plain gives it back%', 'rows that were moved leave dead ones');
SELECT is(test.named(:'said'), 'plain_include plain_lower plain_part plain_pkey plain_read_at_key', 'the same is told as in the dry run');
SELECT ok(pg_relation_size('plain') > 0, 'they do');
VACUUM plain;
SELECT is(pg_relation_size('plain'), 0::bigint, 'and are gone after VACUUM');
\set said `psql -XAtq -c "SELECT router.create_route('plain', router.by_list('r'))" 2>&1`
SELECT is(:'said'::text, '', 'a route that is there already is told nothing');

-- convert: once, whatever it takes
\set said `psql -XAtq -c "CALL router.convert('other', router.by_list('r'), dry_run => true)" 2>&1`
SELECT is(regexp_replace(test.named(:'said'), 'other', '', 'g'), '_code_r_read_at_idx _lower_idx _n_idx _pkey _read_at_key', 'convert, in a dry run');
\set said `psql -XAtq -c "CALL router.convert('other', router.by_list('r'), batch_rows => 7)" 2>&1`
SELECT is(regexp_replace(test.named(:'said'), 'other', '', 'g'), '_code_r_read_at_idx _lower_idx _n_idx _pkey _read_at_key', 'convert');
SELECT ok(:'said' NOT LIKE '%take up space%', 'it leaves no dead rows');
SELECT is(pg_relation_size('other'), 0::bigint, 'none at all');
\set said `psql -XAtq -c "SELECT router.add_global_key('other', '{id}')" -c "CALL router.rekey('other', router.by_hash('r', 2))" 2>&1`
SELECT is(test.named(:'said'), 'none', 'rekey is not told again');

-- a dry run foretells children, by router.simulate
CREATE TABLE foretold (r int, at timestamptz);
\set said `psql -XAtq -c "SELECT router.create_route('foretold', router.by_list('r'), dry_run => true)" 2>&1`
SELECT ok(:'said' NOT LIKE '%children, the largest%', 'none of a table without rows');
INSERT INTO foretold SELECT nullif(i % 20, 0), timestamptz '2024-01-01 UTC' + i * interval '1 hour' FROM generate_series(1, 2000) i;
ANALYZE foretold;
\set said `psql -XAtq -c "SELECT router.create_route('foretold', router.by_list('r'), move_rows => true, dry_run => true)" 2>&1`
SELECT ok(:'said' LIKE '%would have about 20 children, the largest with about 100 rows%' AND :'said' LIKE '%key "r" has NULLs: 100 of the rows%', 'create_route: children, rows, warnings');
\set said `psql -XAtq -c "CALL router.convert('foretold', router.by_date('at', 'month'), time_zone => 'UTC', dry_run => true)" 2>&1`
SELECT ok(:'said' LIKE '%would have about 3 children, the largest with about 743 rows%', 'convert');

-- triggers of other tools
CREATE TABLE moved (id int, read_at date);
CREATE FUNCTION moved_part_trig_func() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN new; END $$;
CREATE FUNCTION fill() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN new.id := 1; RETURN new; END $$;
CREATE FUNCTION elsewhere() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN EXECUTE 'INSERT INTO x SELECT $1.*' USING new; RETURN NULL; END $$;
CREATE TRIGGER moved_part_trig BEFORE INSERT ON moved FOR EACH ROW EXECUTE FUNCTION moved_part_trig_func();
CREATE TRIGGER fills BEFORE INSERT ON moved FOR EACH ROW EXECUTE FUNCTION fill();
CREATE TRIGGER "Goes" BEFORE INSERT ON moved FOR EACH ROW EXECUTE FUNCTION elsewhere();
CREATE TRIGGER off BEFORE INSERT ON moved FOR EACH ROW EXECUTE FUNCTION elsewhere();
ALTER TABLE moved DISABLE TRIGGER off;
\set said `psql -XAtq -c "SELECT router.create_route('moved', router.by_date('read_at', 'year'))" 2>&1`
SELECT is((SELECT string_agg(m[1], ' ') FROM regexp_matches(:'said', 'NOTICE:  trigger "(\w+)" of "moved" seems to take rows elsewhere', 'g') m), 'Goes moved_part_trig', 'a trigger that routes rows is told, no other one');
SELECT ok(:'said' LIKE '%DROP TRIGGER "Goes" ON public.moved.%', 'with the statement that drops it');
SELECT is((SELECT count(*) FROM regexp_matches(:'said', 'NOTICE', 'g')), 2::bigint, 'and nothing else of a table without unique keys');

-- a table of whom one is not the owner
SELECT test.role('router_remarks_other');
\set said `psql -XAtq -c "SET ROLE router_remarks_other" -c "SELECT router.create_route('residence', router.by_hash('id', 2))" 2>&1`
SELECT ok(:'said' NOT LIKE '%NOTICE%' AND :'said' LIKE 'ERROR%', 'nobody else is told anything');
DROP ROLE router_remarks_other;
SELECT * FROM finish();
