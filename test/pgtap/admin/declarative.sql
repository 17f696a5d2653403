-- router.export_declarative and router.import_declarative: kinds by levels, with and without all that a table can have, there and back.
-- Oracles: rows by number and checksum, files and scans of children, and where rows go that are inserted again.
\ir ../../include/helpers.sql
\set tests 121
SELECT plan(:tests);
SET timezone = 'UTC';

-- ------------------------------------------------------------------ kinds and levels, there and back
CREATE TYPE mood AS ENUM ('sad', 'ok');
CREATE DOMAIN positive AS int CHECK (value > 0);
CREATE TABLE ref (r int PRIMARY KEY);
INSERT INTO ref VALUES (1), (2);
CREATE FUNCTION noop() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE TABLE tried (name text, keys text, key_type text, "values" text[], more text[], two boolean, fresh text);
INSERT INTO tried VALUES
    ('list of int', $$router.by_list('k')$$, 'int', '{1,2,3}', '{NULL}', false, '9'),
    ('list with groups', $$router.by_list('k', groups => '{"{a,b}","{c,NULL}"}')$$, 'text', '{a,b,c,d}', '{NULL}', false, 'z'),
    ('list of varchar', $$router.by_list('k')$$, 'varchar(10)', '{a,b}', '{}', false, 'z'),
    ('list of char', $$router.by_list('k')$$, 'char(3)', '{a,b}', '{NULL}', false, 'z'),
    ('list of an enum', $$router.by_list('k')$$, 'mood', '{sad}', '{NULL}', false, 'ok'),
    ('list of boolean', $$router.by_list('k')$$, 'boolean', '{t}', '{NULL}', false, 'f'),
    ('list of numeric', $$router.by_list('k')$$, 'numeric', '{1.5,2}', '{}', false, '3'),
    ('list of uuid', $$router.by_list('k')$$, 'uuid', '{a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11}', '{}', false, 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a12'),
    ('list of a domain', $$router.by_list('k')$$, 'positive', '{1,2}', '{NULL}', false, '3'),
    ('list of odd texts', $$router.by_list('k')$$, 'text', ARRAY['', '''', '"', '\', 'a,b', '{}', 'null', E'\n'], '{}', false, 'z'),
    ('dates', $$router.by_date('k', 'month')$$, 'date', '{2024-01-05,2024-02-01,1999-12-31,0044-03-15 BC}', '{NULL}', false, '2024-07-01'),
    ('timestamps', $$router.by_date('k', '6 hours')$$, 'timestamp', '{2024-01-05 05:59:59.999999,2024-01-05 06:00}', '{}', false, '2024-01-07'),
    ('timestamptz with a pivot', $$router.by_date('k', 'year', '2020-01-01')$$, 'timestamptz', '{2024-01-05,2020-01-01,2010-01-01,-infinity}', '{NULL}', false, '2025-07-01'),
    ('integers', $$router.by_integer('k', 10)$$, 'int', '{1,10,11,0,-1,-10,2147483647,-2147483648}', '{NULL}', false, '555'),
    ('smallint', $$router.by_integer('k', 10000)$$, 'smallint', '{1,15000,-5,0,32767}', '{NULL}', false, '25000'),
    ('bigint from a pivot', $$router.by_integer('k', 10, 5, from_pivot => true)$$, 'bigint', '{5,14,15,9223372036854775807}', '{}', false, '555'),
    ('ranges by hand', $$router.by_integer('k')$$, 'int', '{}', '{}', false, '555'),
    ('list, date', $$ARRAY[router.by_list('k'), router.by_date('at', 'month')]$$, 'text', '{a,b}', '{NULL}', true, 'z'),
    ('list with groups, integer', $$ARRAY[router.by_list('k', groups => '{"{1,2}"}'), router.by_integer('n', 10)]$$, 'int', '{1,2,3}', '{NULL}', true, '9'),
    ('date, list', $$ARRAY[router.by_date('k', 'year'), router.by_list('n')]$$, 'date', '{2024-01-05,2023-02-01}', '{NULL}', true, '2025-01-01'),
    ('integer, date', $$ARRAY[router.by_integer('k', 100), router.by_date('at', 'year')]$$, 'int', '{1,101,-5}', '{NULL}', true, '555'),
    ('list, integer, date', $$ARRAY[router.by_list('k'), router.by_integer('n', 10), router.by_date('at', 'year')]$$, 'int', '{1,2}', '{NULL}', true, '9');

CREATE FUNCTION state(OUT rows text, OUT files text, OUT scans bigint) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE 'SELECT concat(count(*), '' '', sum(hashtextextended(t::text, 0)), '' '', string_agg(concat(tableoid::regclass, ''='', id), '','' ORDER BY id)) FROM t' INTO rows;
    SELECT string_agg(concat(oid::regclass, '=', pg_relation_filenode(oid)), ',' ORDER BY oid), sum(pg_stat_get_xact_numscans(oid))
      INTO files, scans FROM pg_class WHERE relname ~ '^t_' AND relkind = 'r';
END $$;
-- rows like those there are go where these are
CREATE FUNCTION again(by int) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    strays bigint;
BEGIN
    EXECUTE format('INSERT INTO t (id, k, at, n) SELECT id + %s, k, at, n FROM t WHERE id < 1000', by);
    EXECUTE format('SELECT count(*) FILTER (WHERE b.id IS NULL) FROM t a LEFT JOIN t b ON b.id = a.id + %s AND b.tableoid = a.tableoid WHERE a.id < 1000', by) INTO strays;
    SET CONSTRAINTS ALL IMMEDIATE;
    RETURN strays;
END $$;
CREATE FUNCTION there_and_back(x tried, everything boolean) RETURNS text LANGUAGE plpgsql SET client_min_messages = warning AS $$
DECLARE
    one record;
    two record;
    wrong text := '';
    properties text[];
    problem text;
BEGIN
    EXECUTE format('CREATE TABLE t (id bigint NOT NULL, k %s, at date NOT NULL DEFAULT ''2024-01-01'', n int NOT NULL DEFAULT 1, v text DEFAULT ''v'', r int, g text GENERATED ALWAYS AS (v || ''!'') STORED)', x.key_type);
    IF everything THEN
        ALTER TABLE t ADD PRIMARY KEY (id, k, at, n), ADD FOREIGN KEY (r) REFERENCES ref ON DELETE CASCADE DEFERRABLE, ADD CHECK (id > 0), ADD UNIQUE (n, at, k, id),
            ALTER v SET STATISTICS 50, ALTER v SET STORAGE external, ENABLE ROW LEVEL SECURITY, ADD COLUMN s serial, ADD COLUMN i int GENERATED BY DEFAULT AS IDENTITY;
        CREATE INDEX ON t (v) INCLUDE (n);
        CREATE UNIQUE INDEX t_odd ON t (k, at, n, lower(v), id) WHERE id > 5;
        CREATE TRIGGER row_trigger BEFORE INSERT OR UPDATE ON t FOR EACH ROW EXECUTE FUNCTION noop();
        CREATE CONSTRAINT TRIGGER later AFTER INSERT ON t DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION noop();
        CREATE TRIGGER statement_trigger AFTER INSERT ON t EXECUTE FUNCTION noop();
        CREATE TRIGGER off_trigger AFTER DELETE ON t FOR EACH ROW EXECUTE FUNCTION noop();
        ALTER TABLE t DISABLE TRIGGER off_trigger;
        CREATE POLICY seen ON t FOR SELECT TO PUBLIC USING (n > 0);
        CREATE STATISTICS t_stat ON v, n FROM t;
        GRANT SELECT, INSERT ON t TO pg_monitor WITH GRANT OPTION;
        GRANT UPDATE (v) ON t TO PUBLIC;
        ALTER TABLE t REPLICA IDENTITY FULL;
        COMMENT ON TABLE t IS 'the table';
        COMMENT ON COLUMN t.v IS 'a column';
        COMMENT ON INDEX t_odd IS 'an index';
        COMMENT ON CONSTRAINT t_id_check ON t IS 'a check';
        COMMENT ON POLICY seen ON t IS 'a policy';
        COMMENT ON TRIGGER row_trigger ON t IS 'a trigger';
    END IF;
    EXECUTE format('SELECT router.create_route(''t'', %s, time_zone => ''UTC'', horizon => ''3000 years'')', x.keys);
    IF x.name = 'ranges by hand' THEN
        PERFORM router.create_child('t', ARRAY['(,10)'], 't_low'), router.create_child('t', ARRAY['[10,20)'], 't_mid'), router.create_child('t', ARRAY['[50,)'], 't_high');
        x.values := '{-5,9,10,19,50,2147483647}';
    END IF;
    IF NOT everything THEN
        x.values := x.values || x.more;
    END IF;
    EXECUTE format('INSERT INTO t (id, k, at, n) SELECT row_number() OVER (), v::%s, date ''2022-01-10'' + a * 300, 1 + a * 7 FROM unnest($1) v, generate_series(0, $2) a', x.key_type)
      USING x.values, CASE WHEN x.two THEN 3 ELSE 1 END;
    SET CONSTRAINTS ALL IMMEDIATE;
    properties := (SELECT array_agg(p ORDER BY p COLLATE "C") FROM test.properties('t') p WHERE p !~ '^trigger A .*router');
    one := state();

    -- there
    PERFORM router.export_declarative('t', run => true);
    two := state();
    wrong := wrong || CASE WHEN (SELECT relkind FROM pg_class WHERE oid = 't'::regclass) <> 'p' THEN ' not partitioned' ELSE '' END
        || CASE WHEN one.rows <> two.rows THEN ' rows after export' ELSE '' END || CASE WHEN one.files <> two.files THEN ' files after export' ELSE '' END
        || CASE WHEN two.scans - one.scans <> (SELECT count(*) FROM router.children WHERE false) + (SELECT count(*) FROM pg_class WHERE relname ~ '^t_' AND relkind = 'r')
                THEN format(' %s scans at export', two.scans - one.scans) ELSE '' END;
    IF again(1000) > 0 THEN wrong := wrong || ' strays after export'; END IF;
    problem := (SELECT string_agg(p, '; ') FROM (SELECT unnest(properties) p EXCEPT SELECT test.properties('t')) s);
    wrong := wrong || coalesce(' lacks ' || problem, '');
    IF to_regclass('router_nothing') IS NOT NULL OR EXISTS (SELECT FROM router.route_def WHERE base NOT IN (SELECT oid FROM pg_class)) THEN wrong := wrong || ' leftovers'; END IF;
    EXECUTE format('DELETE FROM t WHERE id > 1000');

    -- and back
    one := state();
    PERFORM router.import_declarative('t');
    two := state();
    wrong := wrong || CASE WHEN one.rows <> two.rows THEN ' rows after import' ELSE '' END || CASE WHEN one.files <> two.files THEN ' files after import' ELSE '' END
        || CASE WHEN two.scans - one.scans <> (SELECT count(*) FROM router.children) THEN format(' %s scans at import', two.scans - one.scans - (SELECT count(*) FROM router.children)) ELSE '' END;
    IF again(2000) > 0 THEN wrong := wrong || ' strays after import'; END IF;
    EXECUTE format('INSERT INTO t (id, k) VALUES (5000, %L)', x.fresh);
    problem := (SELECT string_agg(concat(child, ' ', kind, ' ', detail), '; ') FROM router.check('t'));
    wrong := wrong || coalesce(' check: ' || problem, '');
    problem := (SELECT string_agg(p, '; ') FROM (SELECT unnest(properties) p EXCEPT SELECT test.properties('t')) s);
    wrong := wrong || coalesce(' lacks at last ' || problem, '');
    IF test.strays('t') <> 'none' THEN wrong := wrong || ' ' || test.strays('t'); END IF;
    DROP TABLE t CASCADE;
    RETURN CASE wrong WHEN '' THEN 'ok' ELSE wrong END;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS problem = PG_EXCEPTION_DETAIL;
    RETURN concat(SQLSTATE, ': ', SQLERRM, '; ', problem);
END $$;
SELECT is(there_and_back(x, f), 'ok', x.name || CASE WHEN f THEN ', with all there is' ELSE '' END) FROM tried x, (VALUES (false), (true)) e(f) ORDER BY x.name, f;

-- ------------------------------------------------------------------ what is made of the table
CREATE SCHEMA app;
CREATE TABLE app."T 1" (id int GENERATED ALWAYS AS IDENTITY (SEQUENCE NAME app.odd_name START 100 INCREMENT 10), k int NOT NULL, s serial, v text, PRIMARY KEY (k, id));
COMMENT ON TABLE app."T 1" IS 'it';
SELECT router.create_route('app."T 1"', router.by_list('k')) \g /dev/null
INSERT INTO app."T 1" (k, v) SELECT i % 3, i FROM generate_series(1, 9) i;
CREATE VIEW app.seen WITH (security_barrier) AS SELECT k, count(*) AS n FROM app."T 1" GROUP BY k;
CREATE VIEW app.seen_again AS SELECT * FROM app.seen WHERE k > 0;
CREATE VIEW app.grouped AS SELECT k, id, v, sum(s) FROM app."T 1" GROUP BY k, id;
COMMENT ON VIEW app.seen IS 'a view';
GRANT SELECT ON app.seen TO PUBLIC;
CREATE TABLE app.log (n int);
CREATE RULE logged AS ON INSERT TO app.log DO ALSO UPDATE app."T 1" SET v = 'logged' WHERE k = NEW.n;
CREATE RULE own_rule AS ON DELETE TO app."T 1" DO ALSO INSERT INTO app.log VALUES (-1);
CREATE FUNCTION app.n() RETURNS bigint BEGIN ATOMIC SELECT count(*) FROM app."T 1"; END;
CREATE POLICY of_t ON app.log USING (n IN (SELECT k FROM app."T 1"));
SET client_min_messages = error;
CREATE PUBLICATION parts FOR TABLE app."T 1" (k, id) WHERE (k > 0);
CREATE PUBLICATION rooted FOR TABLE app."T 1" WITH (publish_via_partition_root);
SET client_min_messages = warning;
CREATE FUNCTION whole() RETURNS text LANGUAGE sql AS $$
    SELECT concat((SELECT string_agg(concat(k, '=', n), ',' ORDER BY k) FROM app.seen), '; ', (SELECT string_agg(concat(k, '=', n), ',' ORDER BY k) FROM app.seen_again), '; ',
                  (SELECT count(*) FROM app.grouped), '; ', app.n(), '; ', obj_description('app.seen'::regclass), '; ', (SELECT relacl FROM pg_class WHERE oid = 'app.seen'::regclass), '; ',
                  (SELECT reloptions FROM pg_class WHERE oid = 'app.seen'::regclass), '; ', pg_get_ruledef((SELECT oid FROM pg_rewrite WHERE rulename = 'logged')), '; ',
                  (SELECT pg_get_expr(polqual, polrelid) FROM pg_policy WHERE polname = 'of_t'), '; ', (SELECT string_agg(pg_get_ruledef(oid), ' ') FROM pg_rewrite WHERE rulename = 'own_rule'), '; ',
                  (SELECT string_agg(pubname, ',' ORDER BY pubname) FROM pg_publication_tables WHERE tablename = 'T 1'))
$$;
SELECT whole() AS whole \gset
SELECT is((SELECT string_agg(l, E'\n') FROM router.export_declarative('app."T 1"') l WHERE l LIKE '--%'),
    '-- publication parts names columns or rows: it keeps the children, without the table above them, as long as it does not publish_via_partition_root
-- no child is made by itself any more, and a row that no partition has is an error', 'what becomes of things is said');
SELECT is(test.outcome($$SELECT router.export_declarative('app."T 1"', run => true)$$), 'done', 'a table with an odd name, of which others are made');
SELECT is(regexp_replace(whole(), 'T 1\n?|parts,rooted|rooted', '', 'g'), regexp_replace(:'whole', 'T 1\n?|parts,rooted|rooted', '', 'g'), 'views, rules, functions, policies are of the new table, with all they have');
INSERT INTO app."T 1" (k) VALUES (1);
SELECT results_eq($$SELECT id, s, tableoid::regclass::text FROM app."T 1" WHERE v IS NULL$$, $$VALUES (190, 10, 'app."T 1_1"')$$, 'numbers of identity and serial columns go on');
SELECT is((SELECT string_agg(format('%s %s', relname, deptype), ', ' ORDER BY relname) FROM pg_depend JOIN pg_class s ON s.oid = objid WHERE refobjid = 'app."T 1"'::regclass AND relkind = 'S'),
    'T 1_s_seq a, odd_name i', 'and the sequences are those of the table, by their names');
INSERT INTO app.log VALUES (2);
SELECT is((SELECT count(*) FROM app."T 1" WHERE v = 'logged'), 3::bigint, 'a rule acts on the new table');
DELETE FROM app."T 1" WHERE v IS NULL;
SELECT is(test.outcome($$SELECT router.import_declarative('app."T 1"')$$), 'done', 'back again');
SELECT is(replace(whole(), 'rooted', 'parts,rooted'), :'whole', 'with all of it');
INSERT INTO app."T 1" (k) VALUES (7);
SELECT results_eq($$SELECT id, s, tableoid::regclass::text FROM app."T 1" WHERE v IS NULL$$, $$VALUES (200, 11, 'app."T 1_7"')$$, 'numbers go on, children are made');
SELECT is((SELECT string_agg(detail, '; ') FROM router.check('app."T 1"')), NULL, 'nothing is wrong');
SELECT is((SELECT count(*) FROM pg_class WHERE relnamespace = 'app'::regnamespace AND relname ~ '_[0-9a-f]{8}'), 0::bigint, 'nothing is left');

-- ------------------------------------------------------------------ the script by hand does the same
CREATE TABLE app.hand (k int, at date NOT NULL, v text);
SELECT router.create_route('app.hand', ARRAY[router.by_list('k'), router.by_date('at', 'year')]) \g /dev/null
INSERT INTO app.hand SELECT i % 3, date '2022-01-01' + i * 100, i FROM generate_series(1, 12) i;
CREATE TABLE before AS SELECT tableoid::regclass::text AS home, h.* FROM app.hand h;
SELECT router.export_declarative('app.hand') \gexec
SELECT results_eq($$SELECT tableoid::regclass::text, h.* FROM app.hand h ORDER BY v$$, $$SELECT * FROM before ORDER BY v$$, 'each row is where it was');
SELECT is((SELECT string_agg(format('%s %s', inhrelid::regclass, pg_get_expr(relpartbound, oid)), ', ' ORDER BY inhrelid::regclass::text) FROM pg_inherits JOIN pg_class ON oid = inhrelid WHERE inhparent = 'app.hand'::regclass),
    'app.hand_0 FOR VALUES IN (0), app.hand_1 FOR VALUES IN (1), app.hand_2 FOR VALUES IN (2)', 'tables in between are named as children are');
SELECT router.import_declarative('app.hand') \g /dev/null
-- a child that came since the script was made is not lost
CREATE TABLE script AS SELECT row_number() OVER () AS n, l FROM router.export_declarative('app.hand') l;
INSERT INTO app.hand VALUES (77, '2022-01-01', 'late');
SELECT is(test.outcome((SELECT string_agg(l, E'\n' ORDER BY n) FROM script WHERE l NOT IN ('BEGIN;', 'COMMIT;'))), '23514: check constraint "it_has_no_rows" of relation "hand_77_y2022" is violated by some row', 'a script that is too old fails');
SELECT is((SELECT relkind::text || (SELECT count(*) FROM app.hand) FROM pg_class WHERE oid = 'app.hand'::regclass), 'r13', 'as a whole');

-- children in a schema of their own: what is made in between is there, and so are new ones afterwards
CREATE SCHEMA parts;
CREATE TABLE app.apart (k int NOT NULL, at date NOT NULL);
SELECT router.create_route('app.apart', ARRAY[router.by_list('k'), router.by_date('at', 'year')], child_schema => 'parts') \g /dev/null
INSERT INTO app.apart VALUES (1, '2024-01-01'), (2, '2024-01-01');
SELECT is(test.outcome($$SELECT router.export_declarative('app.apart', run => true)$$), 'done', 'children in another schema');
SELECT is((SELECT string_agg(oid::regclass::text, ' ' ORDER BY relname) FROM pg_class WHERE relnamespace = 'parts'::regnamespace), 'parts.apart_1 parts.apart_1_y2024 parts.apart_2 parts.apart_2_y2024', 'with what is in between');
SELECT router.import_declarative('app.apart') \g /dev/null
INSERT INTO app.apart VALUES (3, '2025-01-01');
SELECT is(test.homes('app.apart'), 'parts.apart_1_y2024: 1, parts.apart_2_y2024: 1, parts.apart_3_y2025: 1', 'and back');

-- ------------------------------------------------------------------ the default child
CREATE TABLE d (k int, v text);
SELECT router.create_route('d', router.by_list('k'), default_child => true, on_missing => 'default') \g /dev/null
SELECT router.create_child('d', '1') \g /dev/null
INSERT INTO d VALUES (1, 'a'), (2, 'b'), (3, 'c');
SELECT matches((SELECT string_agg(l, ' ') FROM router.export_declarative('d', run => true) l), 'd_default becomes the default partition: its rows are read once.*ATTACH PARTITION public.d_default DEFAULT', 'the default child is the default partition');
INSERT INTO d VALUES (4, 'd');
SELECT is(test.homes('d'), 'd_1: 1, d_default: 3', 'and takes rows');
SELECT is((SELECT string_agg(l, '; ') FROM router.import_declarative('d') l), 'route public.d by list(k); adopt public.d_1 for {1}; adopt public.d_default for default; name new children {base}_{1}', 'and back');
INSERT INTO d VALUES (5, 'e');
SELECT is(test.homes('d') || '; ' || (SELECT on_missing FROM router.routes WHERE base = 'd'::regclass), 'd_1: 1, d_default: 4; default', 'on_missing is default');
CALL router.redistribute('d');
SELECT is(test.homes('d'), 'd_1: 1, d_2: 1, d_3: 1, d_4: 1, d_5: 1', 'the default child gives its rows away');
DROP TABLE d CASCADE;

-- ------------------------------------------------------------------ what is refused, and what is lost
-- refuses with these lines, changes nothing, and lists the same as a script
CREATE FUNCTION refuses(base regclass, allow_loss boolean DEFAULT false) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    problem text;
    listed text := (SELECT string_agg(replace(l, '-- refuse: ', ''), E'\n') FROM router.export_declarative(base, allow_loss => allow_loss) l WHERE l LIKE '-- refuse%');
BEGIN
    IF listed IS NOT NULL AND (SELECT count(*) FROM router.export_declarative(base, allow_loss => allow_loss) l WHERE l NOT LIKE '-- %') > 0 THEN
        RETURN 'a script all the same';
    END IF;
    PERFORM router.export_declarative(base, run => true, allow_loss => allow_loss);
    RETURN 'done';
EXCEPTION WHEN object_not_in_prerequisite_state THEN
    GET STACKED DIAGNOSTICS problem = PG_EXCEPTION_DETAIL;
    RETURN CASE problem WHEN listed THEN '' ELSE 'not as listed: ' || listed || E'\n' END || problem;
END $$;
CREATE TABLE ha (k int);
SELECT router.create_route('ha', router.by_hash('k', 3)) \g /dev/null
INSERT INTO ha VALUES (1);
SELECT is(refuses('ha'), 'key hash(k): PostgreSQL''s hash partitions have other rows; make a table PARTITION BY HASH and copy them', 'hash');
CREATE TABLE ho (at date NOT NULL);
SELECT router.create_route('ho', router.by_date('at', 'month'), hot => '7 days') \g /dev/null
INSERT INTO ho VALUES (current_date), (current_date - 100);
SELECT is(refuses('ho'), 'it is hot: SELECT router.end_hot(''public.ho'') moves its rows to children', 'a hot base');
SELECT router.end_hot('ho') \g /dev/null
SELECT is(refuses('ho'), 'done', 'until that is done');
CREATE TABLE two (k int);
SELECT router.create_route('two', router.by_integer('k', 10), default_child => true) \g /dev/null
INSERT INTO two VALUES (1), (NULL);
SELECT is(refuses('two'), 'children two_default and two_null would both be the default partition: detach the second, and insert its rows into the first', 'two default partitions');
CREATE TABLE no_order (k xid);
SELECT router.create_route('no_order', router.by_list('k')) \g /dev/null
SELECT is(refuses('no_order'), 'key list(k): type xid has no order, which PARTITION BY LIST asks for', 'a type without an order');
CREATE TABLE keys (id int PRIMARY KEY, k int NOT NULL, u int UNIQUE, EXCLUDE USING btree (u WITH =));
SELECT router.create_route('keys', router.by_list('k')) \g /dev/null
SELECT router.add_global_key('keys', '{u}', 'keys_u') \g /dev/null
INSERT INTO keys VALUES (1, 1, 1), (2, 2, 2);
SELECT matches(refuses('keys'), '^primary key keys_pkey cannot be.*does not contain.*\nexclusion constraint keys_u_excl cannot be.*excludes.*\nunique index keys_u_key cannot be.*\nglobal key \(u\) goes', 'keys that partitioned tables cannot have');
CREATE TABLE refers (u int REFERENCES keys_u);
SELECT is(refuses('keys', true), 'foreign key refers_u_fkey of public.refers refers to global key table public.keys_u: drop it', 'a foreign key to a global key');
DROP TABLE refers;
SELECT is(refuses('keys', true), 'done', 'go if the user says so');
SELECT is((SELECT count(*) FROM pg_index WHERE indrelid = 'keys'::regclass) || ' ' || (SELECT count(*) FROM pg_index WHERE indrelid = 'keys_1'::regclass) || ' ' || (to_regclass('keys_u') IS NULL)::text, '0 3 true', 'partitions keep theirs');
SELECT is(test.outcome('INSERT INTO keys VALUES (1, 1, 5)'), '23505: duplicate key value violates unique constraint "keys_1_pkey"', 'in force');
CREATE TABLE odd (id int, k int NOT NULL, CONSTRAINT here CHECK (id > 0) NO INHERIT) WITH (fillfactor = 70);
SELECT router.create_route('odd', router.by_list('k')) \g /dev/null
INSERT INTO odd VALUES (1, 1);
CREATE FUNCTION takes(odd) RETURNS int LANGUAGE sql AS 'SELECT 1';
CREATE MATERIALIZED VIEW kept AS SELECT * FROM odd;
CREATE TABLE stray () INHERITS (odd);
CREATE TABLE other_parent (id int);
ALTER TABLE odd_1 INHERIT other_parent;
SELECT matches(refuses('odd'), 'function public\.takes\(public\.odd\) is made of its row type.*\nmaterialized view public\.kept refers to it.*\nchild public\.odd_1 inherits from public\.other_parent as well\npublic\.stray inherits from it', 'what is made of the table in a way that cannot be replaced');
DROP FUNCTION takes;
DROP MATERIALIZED VIEW kept;
DROP TABLE stray;
ALTER TABLE odd_1 NO INHERIT other_parent;
DROP TABLE other_parent;
SELECT is(refuses('odd'), 'done', 'until that is gone');
SELECT is(test.outcome('INSERT INTO odd VALUES (-1, 1)'), '23514: new row for relation "odd_1" violates check constraint "here"', 'a CHECK that says NO INHERIT is the children''s');
CREATE TEMP TABLE gone (k int);
SELECT router.create_route('gone', router.by_list('k')) \g /dev/null
SELECT is(refuses('gone'), 'it is a temporary table', 'a temporary table');
SELECT is(test.outcome($$SELECT router.export_declarative('ref')$$), '55000: table "ref" is not a routed table', 'no routed table');
BEGIN;
CREATE TABLE pend (k int);
SELECT router.create_route('pend', router.by_list('k')) \g /dev/null
CREATE CONSTRAINT TRIGGER later AFTER INSERT ON pend DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION noop();
INSERT INTO pend VALUES (1);
SELECT matches(test.outcome($$SELECT router.export_declarative('pend', run => true)$$), '^55006', 'triggers that are to fire');
ROLLBACK;

-- by the first characters: a list of an expression, whose rows are read
CREATE TABLE cut (k text);
SELECT router.create_route('cut', router.by_prefix('k', 2)) \g /dev/null
INSERT INTO cut VALUES ('abc'), ('ABD'), ('xyz'), (NULL);
SELECT matches((SELECT string_agg(l, ' ') FROM router.export_declarative('cut', run => true) l), 'rows of partitions by prefix\(k\) are read once', 'prefixes');
INSERT INTO cut VALUES ('Abe');
SELECT is(test.homes('cut'), 'cut_ab: 3, cut_null: 1, cut_xy: 1', 'are an expression of the partitioned table');
SELECT is((SELECT string_agg(l, '; ') FROM router.import_declarative('cut') l), 'route public.cut by prefix(k); adopt public.cut_ab for {ab}; adopt public.cut_xy for {xy}; adopt public.cut_null for null; name new children {base}_{1}', 'and back');

-- ------------------------------------------------------------------ partitioned tables of others
CREATE FUNCTION imports(name text, VARIADIC commands text[]) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    command text;
    lines text;
    problem text;
BEGIN
    FOREACH command IN ARRAY commands LOOP
        EXECUTE replace(command, '@', name);
    END LOOP;
    lines := (SELECT string_agg(replace(l, 'would ', ''), E'\n') FROM router.import_declarative(name, dry_run => true) l);
    BEGIN
        RETURN lines || CASE WHEN lines = (SELECT string_agg(l, E'\n') FROM router.import_declarative(name) l) THEN '' ELSE ' other than in a dry run' END
            || coalesce((SELECT string_agg(detail, ';') FROM router.check(name)), '') || CASE test.strays(name) WHEN 'none' THEN '' ELSE test.strays(name) END;
    EXCEPTION WHEN object_not_in_prerequisite_state THEN
        GET STACKED DIAGNOSTICS problem = PG_EXCEPTION_DETAIL;
        RETURN CASE problem WHEN replace(lines, 'refuse ', '') THEN problem ELSE concat(lines, ' other than ', problem) END;
    END;
END $$;
SELECT is(imports('p_month', 'CREATE TABLE @ (at timestamptz NOT NULL, v int) PARTITION BY RANGE (at)', 'CREATE TABLE @_202401 PARTITION OF @ FOR VALUES FROM (''2024-01-01 UTC'') TO (''2024-02-01 UTC'')',
    'CREATE TABLE @_202402 PARTITION OF @ FOR VALUES FROM (''2024-02-01 UTC'') TO (''2024-03-01 UTC'')', 'INSERT INTO @ VALUES (''2024-01-10'', 1), (''2024-02-10'', 2)'),
    'route public.p_month by date(at)
adopt public.p_month_202401 for [2024-01-01 00:00:00+00,2024-02-01 00:00:00+00)
adopt public.p_month_202402 for [2024-02-01 00:00:00+00,2024-03-01 00:00:00+00)
name new children {base}_{1}', 'by month');
INSERT INTO p_month VALUES ('2024-03-10', 3);
SELECT is(test.homes('p_month'), 'p_month_202401: 1, p_month_202402: 1, p_month_202403: 1', 'names go on');
SELECT is(imports('p_hash', 'CREATE TABLE @ (k int) PARTITION BY HASH (k)', 'CREATE TABLE @_0 PARTITION OF @ FOR VALUES WITH (MODULUS 1, REMAINDER 0)'),
    'p_hash: it is partitioned by hash, by which router has other rows in each child', 'by hash');
SELECT is(imports('p_two', 'CREATE TABLE @ (k int, n int) PARTITION BY RANGE (k, n)', 'CREATE TABLE @_0 PARTITION OF @ FOR VALUES FROM (1, 1) TO (2, 2)'),
    'p_two: it is partitioned by several columns at once', 'by two columns');
SELECT is(imports('p_expr', 'CREATE TABLE @ (k int, n int) PARTITION BY LIST ((k + n))', 'CREATE TABLE @_0 PARTITION OF @ FOR VALUES IN (1)'), 'p_expr: it is partitioned by an expression', 'by an expression');
SELECT is(imports('p_abs', 'CREATE TABLE @ (k int) PARTITION BY LIST ((abs(k)))', 'CREATE TABLE @_0 PARTITION OF @ FOR VALUES IN (1)'), 'p_abs: bounds of column "k" are of a kind that no key has', 'of a column');
SELECT is(imports('p_text', 'CREATE TABLE @ (k text) PARTITION BY RANGE (k)', 'CREATE TABLE @_0 PARTITION OF @ FOR VALUES FROM (''a'') TO (''b'')'), 'p_text: bounds of column "k" are of a kind that no key has', 'by ranges of texts');
SELECT is(imports('p_uneven', 'CREATE TABLE @ (k int, n int) PARTITION BY LIST (k)', 'CREATE TABLE @_1 PARTITION OF @ FOR VALUES IN (1) PARTITION BY LIST (n)', 'CREATE TABLE @_1_1 PARTITION OF @_1 FOR VALUES IN (1)',
    'CREATE TABLE @_2 PARTITION OF @ FOR VALUES IN (2)'), 'public.p_uneven_2: others are parted further', 'uneven levels');
SELECT is(imports('p_mixed', 'CREATE TABLE @ (k int, n int) PARTITION BY LIST (k)', 'CREATE TABLE @_1 PARTITION OF @ FOR VALUES IN (1) PARTITION BY LIST (n)', 'CREATE TABLE @_2 PARTITION OF @ FOR VALUES IN (2) PARTITION BY LIST (k)'),
    'p_mixed_2: it is partitioned by another column than its likes', 'levels by several columns');
SELECT is(imports('p_inner', 'CREATE TABLE @ (k int, n int) PARTITION BY LIST (k)', 'CREATE TABLE @_1 PARTITION OF @ FOR VALUES IN (1) PARTITION BY RANGE (n)', 'CREATE TABLE @_1_1 PARTITION OF @_1 FOR VALUES FROM (1) TO (10)',
    'CREATE TABLE @_1_x PARTITION OF @_1 DEFAULT'), 'public.p_inner_1_x: no valid CHECK or bound says which values of column "n" it has, in a way that a key of kind "integer" can use', 'a default partition below the first level');
SELECT matches(imports('p_ref', 'CREATE TABLE @ (k int PRIMARY KEY) PARTITION BY LIST (k)', 'CREATE TABLE @_1 PARTITION OF @ FOR VALUES IN (1)', 'CREATE TABLE @_refers (k int REFERENCES @)'),
    'constraint p_ref_refers_k_fkey on table .*p_ref_refers refers to it: drop it, router.add_global_key', 'a foreign key refers to it');
SELECT matches(imports('p_empty', 'CREATE TABLE @ (k int PRIMARY KEY) PARTITION BY LIST (k)'), 'p_empty: bounds of column "k" are of a kind that no key has', 'no partitions');
-- with all there is, made by others; what partitions lack of it they get
SELECT is(imports('p_all', 'CREATE TABLE @ (id bigint GENERATED BY DEFAULT AS IDENTITY, at date NOT NULL, k int, r int REFERENCES ref, v text DEFAULT ''q'', g int GENERATED ALWAYS AS (r + 1) STORED,
    PRIMARY KEY (id, at, k), CHECK (id > 0)) PARTITION BY RANGE (at)', 'CREATE INDEX ON @ (v)', 'CREATE TRIGGER on_row BEFORE INSERT ON @ FOR EACH ROW EXECUTE FUNCTION noop()', 'GRANT SELECT ON @ TO PUBLIC',
    'ALTER TABLE @ ENABLE ROW LEVEL SECURITY', 'CREATE POLICY p ON @ USING (id > 0)', 'CREATE TABLE @_23 PARTITION OF @ FOR VALUES FROM (''2023-01-01'') TO (''2024-01-01'') PARTITION BY LIST (k)',
    'CREATE TABLE @_24 PARTITION OF @ FOR VALUES FROM (''2024-01-01'') TO (MAXVALUE) PARTITION BY LIST (k)', 'CREATE TABLE @_23_a PARTITION OF @_23 FOR VALUES IN (1, 2)', 'CREATE TABLE @_23_b PARTITION OF @_23 FOR VALUES IN (3)',
    'CREATE TABLE @_24_a PARTITION OF @_24 FOR VALUES IN (1, 2)', 'CREATE TABLE @_default PARTITION OF @ DEFAULT', 'ALTER TABLE @_23_a RENAME CONSTRAINT p_all_r_fkey TO odd',
    'INSERT INTO @ (at, k, r) VALUES (''2023-05-05'', 1, 1), (''2023-05-05'', 3, 1), (''2024-05-05'', 2, NULL), (''2020-01-01'', 1, 1)'),
    'route public.p_all by date(at), list(k)
adopt public.p_all_23_a for [2023-01-01,2024-01-01) {1,2}
adopt public.p_all_23_b for [2023-01-01,2024-01-01) {3}
adopt public.p_all_24_a for [2024-01-01,) {1,2}
adopt public.p_all_default for default default
name new children {base}_{1}_{2}: no template gives the names there are', 'a table with all there is');
INSERT INTO p_all (at, k, r) VALUES ('2023-06-06', 2, 2), ('2024-06-06', 9, 2);
SELECT is(test.homes('p_all'), 'p_all_23_a: 2, p_all_23_b: 1, p_all_24_a: 1, p_all_default: 2', 'rows go on');
SELECT is(test.outcome('INSERT INTO p_all (at, k, r) VALUES (''2023-06-06'', 2, 9)'), '23503: insert or update on table "p_all_23_a" violates foreign key constraint "p_all_r_fkey"', 'each child has the foreign key once, by its name');
SELECT is(test.outcome($$SELECT router.export_declarative('p_all', run => true)$$), '23514: partition constraint of relation "p_all_default" is violated by some row', 'a row of the default child that an outer partition would have');
DELETE FROM p_all WHERE k = 9;
SELECT is(test.outcome($$SELECT router.export_declarative('p_all', run => true)$$), 'done', 'without it there is nothing in the way');

-- children elsewhere: foreign ones, in other schemas, with columns in another order; sealed; unlogged; many values
CREATE EXTENSION IF NOT EXISTS postgres_fdw;
CREATE SERVER nowhere FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '/nonexistent');
CREATE UNLOGGED TABLE far (k int NOT NULL, v text, n int);
SELECT router.create_route('far', router.by_list('k')) \g /dev/null
CREATE UNLOGGED TABLE app.elsewhere (v text, n int, k int NOT NULL);
INSERT INTO app.elsewhere VALUES ('x', 1, 8);
SELECT router.attach_child('far', 'app.elsewhere', ARRAY['{8}']) \g /dev/null
CALL router.seal('app.elsewhere', '{n}');
CREATE FOREIGN TABLE far_7 (k int NOT NULL, v text, n int) SERVER nowhere;
SELECT router.attach_child('far', 'far_7', ARRAY['{7}']) \g /dev/null
SELECT is(test.outcome($$SELECT router.export_declarative('far', run => true)$$), 'done', 'children elsewhere');
SELECT is((SELECT string_agg(inhrelid::regclass::text, ' ' ORDER BY inhrelid::regclass::text) || (SELECT count(*) FROM pg_constraint WHERE conrelid = 'app.elsewhere'::regclass AND contype = 'c') FROM pg_inherits WHERE inhparent = 'far'::regclass),
    'app.elsewhere far_70', 'are partitions where they are, without CHECKs');
SELECT matches((SELECT string_agg(l, ' ') FROM router.import_declarative('far', dry_run => true) l), 'refuse public.far_7: it is UNLOGGED, or others are', 'some of them unlogged');
ALTER TABLE far DETACH PARTITION far_7;
SELECT is(test.outcome($$SELECT router.import_declarative('far')$$), 'done', 'else');
SELECT is((SELECT relpersistence::text FROM pg_class WHERE oid = 'far'::regclass) || coalesce((SELECT string_agg(detail, ';') FROM router.check('far')), ''), 'u', 'the base is as its children');
CREATE TABLE many (k int, v text) PARTITION BY LIST (k);
SELECT 'CREATE TABLE many_2 PARTITION OF many FOR VALUES IN (NULL, ' || string_agg(i::text, ',') || ')' FROM generate_series(3, 300) i \gexec
INSERT INTO many SELECT NULLIF(2 + i, 2) FROM generate_series(0, 298) i;
BEGIN;
SELECT pg_stat_get_xact_numscans('many_2'::regclass) AS scans \gset
SELECT router.import_declarative('many') \g /dev/null
SELECT router.export_declarative('many', run => true) \g /dev/null
SELECT is(pg_stat_get_xact_numscans('many_2'::regclass), :scans::bigint, 'many values, whose rows are not read');
COMMIT;

SELECT throws_ok($$SELECT router.import_declarative('p_uneven_1')$$, '42809', '"p_uneven_1" is not a partitioned table', 'a partition');
SELECT throws_ok($$SELECT router.import_declarative('ref')$$, '42809', NULL, 'an ordinary table');
SELECT is((SELECT count(*) FROM pg_class WHERE relname ~ '^p_' AND relkind = 'p' AND NOT relispartition AND relname <> 'p_all'), 10::bigint, 'nothing of them was changed');

-- ------------------------------------------------------------------ rights
SELECT test.role('router_de_owner'), test.role('router_de_reader'), test.role('router_de_member') \g /dev/null
GRANT router_de_owner TO router_de_member;
CREATE SCHEMA own AUTHORIZATION router_de_owner;
GRANT USAGE, CREATE ON SCHEMA own TO router_de_reader;
SET ROLE router_de_owner;
CREATE TABLE own.t (k int);
SELECT router.create_route('own.t', router.by_list('k')) \g /dev/null
INSERT INTO own.t VALUES (1);
GRANT SELECT ON own.t TO router_de_reader;
RESET ROLE;
CREATE FUNCTION as_role(role name, command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    problem text;
BEGIN
    EXECUTE format('SET LOCAL ROLE %I', role);
    EXECUTE command;
    RESET ROLE;
    RETURN 'done';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS problem = PG_EXCEPTION_DETAIL;
    RETURN concat(SQLSTATE, ' ', SQLERRM, CASE WHEN problem <> '' THEN ': ' END, problem);
END $$;
SELECT is(as_role('router_de_reader', $$SELECT router.export_declarative('own.t')$$), '42501 must be owner of table t', 'who does not own the table gets no script');
SET ROLE router_de_reader;
CREATE VIEW own.v AS SELECT * FROM own.t;
RESET ROLE;
SELECT matches(as_role('router_de_member', $$SELECT router.export_declarative('own.t', run => true)$$), '^55000 "t" cannot become a partitioned table: role router_de_reader, whose rights you do not have, has to give the command: CREATE OR REPLACE VIEW own.v', 'views of others are not for him to replace');
GRANT router_de_reader TO router_de_member;
SELECT is(as_role('router_de_member', $$SELECT router.export_declarative('own.t', run => true)$$), 'done', 'unless he has their rights');
SELECT is((SELECT string_agg(format('%s %s', relname, relowner::regrole), ', ' ORDER BY relname) FROM pg_class WHERE relnamespace = 'own'::regnamespace), 't router_de_owner, t_1 router_de_owner, v router_de_reader', 'all belong to whom they belonged');
SELECT is(as_role('router_de_reader', 'SELECT count(*) FROM own.v'), 'done', 'and are read by whom they were');
SELECT is(as_role('router_de_reader', $$SELECT router.import_declarative('own.t', dry_run => true)$$), '42501 must be owner of table t', 'nor is it for others to import');
SELECT is(as_role('router_de_member', $$SELECT router.import_declarative('own.t')$$), 'done', 'a member does that');
REVOKE CREATE ON SCHEMA own FROM router_de_reader;
SELECT is((SELECT string_agg(l, ' ') FROM router.export_declarative('own.t') l WHERE l LIKE '%refuse%'), '-- refuse: role router_de_reader may not create in schema own: GRANT CREATE ON SCHEMA own TO router_de_reader', 'the owner of a view has to be allowed to make it');
GRANT CREATE ON SCHEMA own TO router_de_reader;
-- constants of types whose owner's code would read them
SET ROLE router_de_owner;
CREATE DOMAIN own.checked AS int CHECK (value > 0);
CREATE TYPE own.pair AS (a int, b own.checked);
ALTER TABLE own.t ADD COLUMN p own.pair;
RESET ROLE;
CREATE VIEW own.of_super AS SELECT k FROM own.t WHERE p = '(1,1)'::own.pair;
SELECT matches((SELECT string_agg(l, ' ') FROM router.export_declarative('own.t') l), 'view own.of_super belongs to \S+, and has a constant of type own.pair, which belongs to others', 'a constant is not read as another role');

SELECT * FROM finish();
