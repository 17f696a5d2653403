-- Every function of router with every argument NULL, with tables that there are not, and with relations of every kind: an error that says so, or none.
\ir ../../include/helpers.sql
\set tests 15
SELECT plan(:tests);

CREATE TABLE t (k int, d date NOT NULL, id int);
CREATE TABLE h (LIKE t);
CREATE TABLE other (LIKE t);
CREATE TABLE parted (k int) PARTITION BY LIST (k);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES IN (1);
SELECT router.create_route('t', ARRAY[router.by_integer('k', 10), router.by_date('d', 'month')], default_child => true) \g /dev/null
SELECT router.create_route('h', router.by_date('d', 'month'), hot => '1000 years') \g /dev/null
INSERT INTO t VALUES (1, '2024-01-10', 1), (11, '2024-01-10', 2);
INSERT INTO h VALUES (1, '2024-01-10', 1);
SELECT router.add_global_key('t', '{id}') \g /dev/null

-- the arguments of a function
CREATE FUNCTION arguments(p pg_proc) RETURNS TABLE (i int, arg text, type text) LANGUAGE sql AS $$
    SELECT n, p.proargnames[n], format_type(p.proargtypes[n - 1], NULL) FROM generate_series(1, p.pronargs) n
$$;
-- what an argument may be, by its name and type
CREATE FUNCTION sample(proname text, arg text, type text) RETURNS text LANGUAGE sql AS $$
    SELECT CASE WHEN type = 'regclass' AND proname = 'create_route' THEN '''other''::regclass'
                WHEN type = 'regclass' AND proname = 'import_declarative' THEN '''parted''::regclass'
                WHEN type = 'regclass' AND arg = 'base' THEN CASE WHEN proname IN ('end_hot', 'rotate', 'archive', 'archive_now') THEN '''h''::regclass' ELSE '''t''::regclass' END
                WHEN type = 'regclass' AND proname = 'attach_child' THEN '''other''::regclass'
                WHEN type IN ('regclass', 'oid') THEN '''t_1_10_y2024m01''::regclass'
                WHEN type = 'router.key[]' THEN 'ARRAY[router.by_list(''k'')]'
                WHEN type = 'router.key' THEN 'router.by_list(''k'')'
                WHEN type = 'text[]' THEN 'ARRAY[''5'', ''2025-01-01'']'
                WHEN type = 'name[]' THEN CASE WHEN proname = 'add_global_key' THEN '''{k,d}''' ELSE '''{id}''' END || '::name[]'
                WHEN type = 'name' AND arg = 'column_name' THEN '''k''::name'
                WHEN arg IN ('keep', 'after') THEN '''10 years''::interval'
                WHEN type = 'interval' THEN '''1 second''::interval'
                WHEN type = 'integer' THEN '2'
                WHEN type = 'bigint' THEN '10'
                WHEN type LIKE 'timestamp%' THEN 'now()'
                WHEN type = 'boolean' THEN 'false'
                WHEN type = '"any"' THEN '1'
                ELSE 'NULL::' || type END
$$;


-- relations that are no tables, or not the user's to route
CREATE VIEW odd_view AS SELECT * FROM other;
CREATE MATERIALIZED VIEW odd_kept AS SELECT * FROM other;
CREATE SEQUENCE odd_seq;
CREATE TYPE odd_type AS (k int);
CREATE TABLE odd_parted (LIKE t) PARTITION BY LIST (k);
CREATE INDEX odd_parted_idx ON odd_parted (k);
CREATE TABLE odd_part PARTITION OF odd_parted DEFAULT;
CREATE INDEX odd_idx ON other (k);
CREATE EXTENSION postgres_fdw;
CREATE SERVER odd FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '/nonexistent');
CREATE FOREIGN TABLE odd_far (k int, d date NOT NULL, id int) SERVER odd;
CREATE VIEW odd AS
    SELECT oid::text AS value FROM pg_class
     WHERE relname LIKE 'odd\_%' OR oid IN ('pg_class'::regclass, 'pg_class_oid_index'::regclass) OR relnamespace = 'router'::regnamespace AND relkind <> 'c'
        OR oid IN (SELECT reltoastrelid FROM pg_class WHERE oid = 'router.route_def'::regclass) OR oid IN (SELECT key_table FROM router.global_keys);

-- every function with one argument that is not as it should be
CREATE VIEW call AS
    SELECT p.oid::regprocedure::text AS function, a.arg, v.value, v.is_odd, p.proisstrict OR p.prorettype = 'router.key'::regtype OR p.proname IN ('unseal', 'may_read_event', 'is_preloaded', 'is_readable') AS lenient,
           a.i <= p.pronargs - p.pronargdefaults AND (p.proname <> 'child_of' OR a.i = 1) AS required,
           format(CASE p.prokind WHEN 'p' THEN 'CALL' ELSE 'SELECT * FROM' END || ' router.%I(%s)', p.proname,
                  (SELECT string_agg(CASE WHEN p.provariadic <> 0 AND b.type = 'text[]' THEN 'VARIADIC ' ELSE '' END
                          || CASE WHEN p.provariadic = '"any"'::regtype THEN '' ELSE quote_ident(b.arg) || ' => ' END -- which has no names
                          || CASE WHEN b.i = a.i THEN v.value || '::' || replace(b.type, '"any"', 'int') ELSE sample(p.proname, b.arg, b.type) END, ', ' ORDER BY b.i)
                     FROM arguments(p) b)) AS command
      FROM pg_proc p, arguments(p) a,
           LATERAL (SELECT 'NULL', false UNION ALL SELECT unnest('{0,4000000000}'::text[]), false WHERE a.type IN ('regclass', 'oid')
                    UNION ALL SELECT value, true FROM odd WHERE a.type IN ('regclass', 'oid')) v(value, is_odd)
     WHERE p.pronamespace = 'router'::regnamespace;
CREATE TABLE outcome AS SELECT *, test.attempt(command) AS outcome FROM call WHERE NOT is_odd;
CREATE TABLE odd_outcome AS SELECT value::oid::regclass AS relation, function, test.attempt(command) AS outcome FROM call WHERE is_odd;

SELECT ok((SELECT count(*) > 150 AND count(DISTINCT function) > 35 FROM outcome), 'all functions are called');
SELECT is((SELECT string_agg(format('%s %s: %s', function, arg, outcome), '; ') FROM outcome WHERE value = 'NULL' AND required AND NOT lenient AND outcome <> '22004'), NULL, 'what must be given cannot be NULL: 22004');
SELECT is((SELECT string_agg(format('%s %s: %s', function, arg, outcome), '; ') FROM outcome WHERE value = 'NULL' AND (NOT required OR lenient) AND outcome NOT IN ('done', '22004', '22023', '55000', '2BP01', '42704', '25001')), NULL, 'of all else it is a default, or an error that says what is missing');
SELECT is((SELECT string_agg(format('%s %s %s: %s', function, arg, value, outcome), '; ') FROM outcome WHERE value <> 'NULL' AND NOT lenient AND outcome <> '42P01'), NULL, 'a table that there is not: 42P01');
SELECT is((SELECT string_agg(format('%s %s %s: %s', function, arg, value, outcome), '; ') FROM outcome WHERE value <> 'NULL' AND lenient AND outcome <> 'done'), NULL, 'or no answer');
SELECT is((SELECT concat_ws(' ', (SELECT count(*) FROM router.routes), (SELECT count(*) FROM router.children), (SELECT count(*) FROM router.global_keys))), '2 3 1', 'what was undone is still in the catalog, though event triggers hear of it');
SELECT cmp_ok((SELECT count(*) FROM odd_outcome), '>', 1500::bigint, 'and with relations of every kind');
SELECT is((SELECT string_agg(DISTINCT concat_ws(' ', function, relation, outcome), '; ') FROM odd_outcome
            WHERE outcome NOT IN ('42809', '55000', '42501', '42P01', '22004', '22023', '25001', '42703', '42704', '42804') AND NOT (outcome = 'done' AND function ~ 'unseal|base_constraint|estimated_rows|may_read_event|is_readable|router.balance')), NULL, 'the error says what they are');
SELECT throws_ok('SELECT router.drop_route(NULL)', '22004', 'argument "base" of router.drop_route cannot be null', 'the error names the argument');
SELECT throws_ok($$SELECT router.create_route('other', ARRAY[NULL::router.key])$$, '22004', NULL, 'a key that is NULL');
SELECT is((SELECT string_agg(test.attempt(format('SELECT router.create_route(''other'', %s)', k)), ' ') FROM unnest(ARRAY['router.by_list(NULL)', 'router.by_date(NULL)', 'router.by_hash(NULL, 2)', 'NULL::router.key', 'router.by_hash(''k'', NULL)', 'router.by_prefix(''k'', NULL)']) k),
    '22004 22004 22004 22004 22023 42804', 'or whose members are');

-- trigger functions, called by whoever likes
SELECT is((SELECT string_agg(format('%s: %s', p.oid::regproc, o), ', ') FROM pg_proc p, test.attempt(format('SELECT router.%I()', proname)) o
            WHERE pronamespace = 'router'::regnamespace AND prorettype IN ('trigger'::regtype, 'event_trigger'::regtype) AND o NOT IN ('0A000', '39P01')), NULL, 'trigger functions are not called');
CREATE TABLE plain (LIKE t);
CREATE VIEW plain_view AS SELECT * FROM plain;
CREATE TABLE fired AS
    SELECT p.proname, w.when_, e.event, r.each,
           test.attempt(format('CREATE TRIGGER x %s %s ON %s FOR EACH %s EXECUTE FUNCTION router.%I(); ALTER TABLE plain ENABLE TRIGGER ALL; %s', w.when_, e.event, CASE w.when_ WHEN 'INSTEAD OF' THEN 'plain_view' ELSE 'plain' END, r.each, p.proname,
                          replace(e.command, '$t', CASE w.when_ WHEN 'INSTEAD OF' THEN 'plain_view' ELSE 'plain' END))) AS outcome
      FROM pg_proc p, unnest('{BEFORE,AFTER,INSTEAD OF}'::text[]) w(when_), unnest('{ROW,STATEMENT}'::text[]) r(each),
           (VALUES ('INSERT', 'INSERT INTO $t VALUES (1, ''2024-01-01'')'), ('UPDATE', 'INSERT INTO plain VALUES (1, ''2024-01-01''); UPDATE $t SET k = 2'),
                   ('DELETE', 'INSERT INTO plain VALUES (1, ''2024-01-01''); DELETE FROM $t'), ('TRUNCATE', 'TRUNCATE $t')) e(event, command)
     WHERE pronamespace = 'router'::regnamespace AND prorettype = 'trigger'::regtype;
SELECT ok((SELECT count(*) FILTER (WHERE outcome = '39P01') > 40 FROM fired), 'as triggers of other tables they refuse');
SELECT is((SELECT string_agg(concat_ws(' ', proname, when_, event, each, outcome), '; ') FROM fired WHERE outcome NOT IN ('39P01', '0A000', '42809', 'done')), NULL, 'or do nothing');
CREATE EVENT TRIGGER odd ON ddl_command_start EXECUTE FUNCTION router.on_sql_drop();
SELECT is(test.attempt('CREATE TABLE odd (i int)'), '39P03', 'an event trigger of another event');
DROP EVENT TRIGGER odd;
SELECT * FROM finish();
