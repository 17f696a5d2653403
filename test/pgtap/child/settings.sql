-- What a session has set is nothing to a routed table: children made on demand, by a worker, ahead of time, by archiving or
-- made like their base again have the names, bounds, CHECKs, indexes and storage that they have under default settings, and are
-- read alike. Each setting that text or DDL depends on by itself, all others at once.
\ir ../../include/helpers.sql
SELECT test.role('router_st_owner'), test.role('router_st_user') \g /dev/null
GRANT router_st_owner, router_st_user TO CURRENT_USER;
GRANT USAGE ON SCHEMA test TO PUBLIC;
SET allow_in_place_tablespaces = on;
SELECT format('CREATE TABLESPACE %I LOCATION ''''', 'router_st_' || current_database()) \gexec
SELECT format('GRANT CREATE ON TABLESPACE %I TO PUBLIC', 'router_st_' || current_database()) \gexec
CREATE ACCESS METHOD other_heap TYPE TABLE HANDLER heap_tableam_handler;
CREATE TABLE test.setting (i int GENERATED ALWAYS AS IDENTITY, name text, value text);
INSERT INTO test.setting (name, value) VALUES
    ('array_nulls', 'off'), ('datestyle', 'SQL, DMY'), ('datestyle', 'German'), ('datestyle', 'Postgres, MDY'), ('intervalstyle', 'iso_8601'),
    ('intervalstyle', 'sql_standard'), ('timezone', 'Asia/Tokyo'), ('timezone', 'America/Caracas'), ('timezone_abbreviations', 'India'),
    ('extra_float_digits', '-15'), ('extra_float_digits', '0'), ('bytea_output', 'escape'), ('xmloption', 'document'), ('xmlbinary', 'hex'),
    ('standard_conforming_strings', 'off'), ('backslash_quote', 'on'), ('backslash_quote', 'off'), ('quote_all_identifiers', 'on'),
    ('transform_null_equals', 'on'), ('default_toast_compression', 'pglz'), ('default_table_access_method', 'other_heap'),
    ('default_tablespace', 'router_st_' || current_database()), ('temp_tablespaces', 'router_st_' || current_database()),
    ('default_statistics_target', '7'), ('search_path', 'hostile, pg_catalog'), ('row_security', 'off'), ('check_function_bodies', 'off'),
    ('gin_fuzzy_search_limit', '1'), ('client_min_messages', 'error'), ('constraint_exclusion', 'on'), ('lc_monetary', 'C.UTF-8'),
    ('lc_numeric', 'C.UTF-8'), ('lc_time', 'C.UTF-8'), ('client_encoding', 'SQL_ASCII'), ('router.create_in_background', 'on');
-- another language, where the server has one
INSERT INTO test.setting (name, value)
    SELECT name, locale FROM (VALUES ('lc_monetary'), ('lc_numeric'), ('lc_time')) n(name),
           (SELECT collcollate AS locale FROM pg_collation WHERE collprovider = 'c' AND collencoding = 6 AND collcollate ~ '^(de|fr|ja)_' ORDER BY 1 LIMIT 1) l;
-- half of them preloaded, half not
DELETE FROM test.setting WHERE i % 2 = :preloaded;
SELECT 7 + 2 * count(*) AS tests FROM test.setting \gset
SELECT plan(:tests);

-- values, of their types, so that no setting reads them
CREATE TYPE test.mood AS ENUM ('sad', 'NULL', 'ok');
CREATE TYPE test.pair AS (t text, at timestamptz, f float8, b bytea, i interval);
CREATE TABLE test.value (t text, ts text[], m money, at timestamptz, d date, i interval, f float8, g float4, b bytea, mood test.mood,
    pair test.pair, r tstzrange, n int);
INSERT INTO test.value VALUES
    ('NULL', '{NULL,"NULL",x}', '5.00', '2024-01-31 23:30+00', '2024-02-01', '1 year -2 mons 3 days 04:05:06.7', 0.1::float8 + 0.2, 0.3, '\x00ff5c', 'NULL',
     ('a\b', '2024-01-31 23:30+00', 0.1::float8 + 0.2, '\x00', '1 mon -1 day'), '[2024-01-31 23:30+00,2024-03-01)', 1),
    (NULL, '{}', '-7.25', '2024-03-01 00:30+00', '2024-01-02', '-1 days +02:03:00', 'NaN', '-0.1', 'abc\\', 'sad', ('NULL', NULL, 1e-300, NULL, NULL), 'empty', 2),
    (E'a\\b''"{,}\n', '{a,NULL}', '1234.56', 'infinity', '2024-11-12', '00:00:00', 1e300, 1e-30, '', 'ok', (NULL, NULL, NULL, NULL, NULL), '(,)', 12),
    ('null', '{null}', NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
GRANT SELECT ON test.value TO PUBLIC;
GRANT USAGE ON TYPE test.mood, test.pair TO PUBLIC;

-- Routed tables of every type, by the owner.
CREATE PROCEDURE test.build(schema name) LANGUAGE plpgsql AS $$
DECLARE
    k text;
BEGIN
    EXECUTE format('CREATE SCHEMA %I AUTHORIZATION router_st_owner', schema);
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO router_st_user', schema);
    PERFORM set_config('role', 'router_st_owner', false), set_config('search_path', schema || ', test, pg_catalog', true);
    FOREACH k IN ARRAY '{t,ts,at,i,f,b,mood,pair,r}'::text[] LOOP
        EXECUTE format('CREATE TABLE %I (LIKE test.value)', 'by_' || k);
        EXECUTE format('SELECT router.create_route(%L, router.by_list(%L), time_zone => ''Europe/Brussels'')', 'by_' || k, k);
    END LOOP;
    CREATE TABLE groups (LIKE test.value);
    PERFORM router.create_route('groups', router.by_list('t', ARRAY['{NULL,x}', '{"NULL","null"}', '{"a\\b''\"{,}\n"}']), default_child => true);
    CREATE TABLE months (LIKE test.value);
    PERFORM router.create_route('months', ARRAY[router.by_date('at', 'month'), router.by_prefix('t', 2)], time_zone => 'Europe/Brussels');
    CREATE TABLE hashed (LIKE test.value);
    PERFORM router.create_route('hashed', router.by_hash('f', 2));
    -- a label, and what children have of their base
    CREATE TABLE labelled (x xml DEFAULT '<a/>b', q text DEFAULT E'q\\''', LIKE test.value, CHECK (t <> 'q\' OR n = 1 OR b = '\x00' OR at > '2020-01-02 03:04:05'));
    PERFORM router.create_route('labelled', router.by_date('d', 'month', label => $l$SELECT 'x\' || coalesce((NULL = NULL)::text, 'unknown') || ARRAY['NULL', NULL]::text
        || to_char($1, 'TMMonth') || $1 || current_setting('search_path') || quote_ident('abc') || '1 day'::interval || 0.1::float8$l$));
    CREATE INDEX ON labelled (n, lower(t)) WHERE f > 0.1::float8 + 0.2 AND m <> '5.00';
    CREATE STATISTICS st ON n, lower(t) FROM labelled;
    CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
    CREATE TRIGGER note BEFORE INSERT ON labelled FOR EACH ROW WHEN (NEW.t = 'q\' AND NEW.i > '1 day') EXECUTE FUNCTION note();
    CREATE POLICY p ON labelled USING (t <> 'q\' OR at > '2024-01-01');
    CREATE TABLE hot (LIKE test.value);
    ALTER TABLE hot ALTER at SET NOT NULL;
    PERFORM router.create_route('hot', router.by_date('at', 'month'), hot => '1 day', time_zone => 'Europe/Brussels', horizon => '100 years');
    EXECUTE format('GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA %I TO router_st_user', schema);
    PERFORM set_config('role', 'none', false);
END $$;

-- Rows, by somebody who may insert and no more; then what an owner does, some of it ahead of time.
CREATE PROCEDURE test.feed(schema name) LANGUAGE plpgsql AS $$
DECLARE
    base name;
BEGIN
    PERFORM set_config('role', 'router_st_user', false);
    FOR base IN SELECT c.relname FROM router.route_def r JOIN pg_catalog.pg_class c ON c.oid = r.base WHERE c.relnamespace = schema::regnamespace AND c.relname <> 'hot' LOOP
        EXECUTE format('INSERT INTO %I.%I (t, ts, m, at, d, i, f, g, b, mood, pair, r, n) SELECT t, ts, m, nullif(at, ''infinity''), d, i, f, g, b, mood, pair, r, n
                        FROM test.value', schema, base);
    END LOOP;
    EXECUTE format('INSERT INTO %I.hot SELECT (v).* FROM test.value v WHERE at < ''infinity''', schema);
    PERFORM set_config('role', 'router_st_owner', false);
    PERFORM router.premake(format('%I.months', schema)::regclass, 1), router.premake(format('%I.hashed', schema)::regclass), router.premake(format('%I.groups', schema)::regclass);
    EXECUTE format('CREATE INDEX later ON %I.by_t (f, (b || E''\\x5c00'')) TABLESPACE pg_default WHERE t <> E''q\\'' AND at IS NOT NULL', schema);
    PERFORM router.archive_now(format('%I.hot', schema)::regclass, to_char(now(), 'YYYY-MM-DD'));
    PERFORM router.sync(r.base) FROM router.route_def r JOIN pg_catalog.pg_class c ON c.oid = r.base WHERE c.relnamespace = schema::regnamespace;
    PERFORM set_config('role', 'none', false);
END $$;

-- How a table finds its rows by its key: what is found, with children left out as without. Routes are read anew.
CREATE FUNCTION test.read(schema name) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    base name;
    key name;
    n int;
    expected int;
    result text := '';
BEGIN
    EXECUTE format('COMMENT ON SCHEMA %I IS ''''', schema);
    FOR base, key IN SELECT c.relname, k.column_name FROM router.key_def k JOIN pg_catalog.pg_class c ON c.oid = k.base WHERE c.relnamespace = schema::regnamespace AND c.relname <> 'labelled' ORDER BY 1, 2 LOOP
        EXECUTE format('COMMENT ON TABLE %I.%I IS ''''', schema, base);
        FOR i IN 0..1 LOOP
            PERFORM set_config('router.prune', (i = 0)::text, true);
            EXECUTE format('SELECT count(*) FROM test.value v, LATERAL (SELECT FROM %I.%I b WHERE b.%I = v.%I) b', schema, base, key, key) INTO n;
            expected := CASE i WHEN 0 THEN n ELSE expected END;
        END LOOP;
        IF n <> expected OR n = 0 THEN
            result := result || format('%s by %s: %s of %s; ', base, key, expected, n);
        END IF;
    END LOOP;
    RETURN result || coalesce((SELECT string_agg(c.detail, '; ') FROM router.route_def r JOIN pg_catalog.pg_class t ON t.oid = r.base, router.check(r.base) c
        WHERE t.relnamespace = schema::regnamespace), '');
END $$;

-- All that there is of the children in a schema.
CREATE VIEW test.shape AS
    SELECT c.relnamespace, replace(x, c.relnamespace::regnamespace || '.', '') AS x
      FROM router.children d JOIN pg_class c ON c.oid = d.child JOIN pg_am am ON am.oid = c.relam,
           LATERAL (SELECT format('%s is %s where %s, %s %s %s', c.relname, d.bounds, d.condition, amname, reltablespace, reloptions) AS x
                    UNION ALL SELECT format('%s %s', c.relname, p) FROM test.properties(c.oid) p
                    UNION ALL SELECT format('%s index %s %s %s', c.relname, i.relname, i.reltablespace, i.reloptions) FROM pg_index JOIN pg_class i ON i.oid = indexrelid WHERE indrelid = c.oid
                    UNION ALL SELECT format('%s constraint %s', c.relname, conname) FROM pg_constraint WHERE conrelid = c.oid AND contype <> 'n'
                    UNION ALL SELECT format('%s toast %s', c.relname, t.reltablespace) FROM pg_class t WHERE t.oid = c.reltoastrelid) s;
CREATE FUNCTION test.differs(schema name) RETURNS text LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
    shape text[] := (SELECT array_agg(x) FROM test.shape WHERE relnamespace = schema::regnamespace);
BEGIN
    EXECUTE format('DROP SCHEMA %I CASCADE', schema);
    RETURN (SELECT coalesce(string_agg(s.side || ' ' || s.x, '; '), '')
              FROM ((SELECT 'lacks' AS side, x FROM test.expected EXCEPT ALL SELECT 'lacks', x FROM unnest(shape) x)
                    UNION ALL
                    (SELECT 'has', x FROM unnest(shape) x EXCEPT ALL SELECT 'has', x FROM test.expected)) s);
END $$;

CREATE SCHEMA hostile AUTHORIZATION router_st_user;
GRANT USAGE ON SCHEMA hostile TO PUBLIC;
CALL test.build('ref');
CALL test.feed('ref');
CREATE TABLE test.expected AS SELECT x FROM test.shape WHERE relnamespace = 'ref'::regnamespace;
SELECT cmp_ok(count(*)::int, '>', 40, 'children under default settings') FROM test.expected WHERE x ~ ' is {';
SELECT is(test.read('ref'), '', 'which find their rows');
SELECT test.homes('ref.by_t') AS homes \gset

-- each setting by itself
SELECT format('CALL test.build(%L)', 's' || i),
       format('SET %s = %s', name, CASE WHEN name IN ('search_path', 'datestyle') THEN value ELSE quote_literal(value) END),
       format('CALL test.feed(%L)', 's' || i),
       format('CREATE TEMP TABLE was_read AS SELECT test.read(%L) AS result', 's' || i),
       'RESET ALL',
       'SET client_min_messages = warning',
       format('SELECT public.is(test.differs(%L), '''', %L)', 's' || i, format('children made with %s = %s', name, value)),
       format('SELECT public.is(result, '''', %L) FROM was_read', format('children read with %s = %s', name, value)),
       'DROP TABLE was_read'
  FROM test.setting ORDER BY i
\gexec

-- all others at once, each at an end of what it can be, but for those that end statements or sessions
CALL test.build('others');
CREATE TABLE test.other AS
    SELECT name, CASE vartype WHEN 'bool' THEN CASE setting WHEN 'on' THEN 'off' ELSE 'on' END
                              WHEN 'enum' THEN (SELECT v FROM unnest(enumvals) v WHERE v <> setting ORDER BY v LIMIT 1)
                              ELSE CASE WHEN setting = min_val THEN max_val ELSE min_val END END AS value
      FROM pg_settings s
     WHERE context = 'user' AND vartype <> 'string' AND name !~ '_timeout$|transaction_|^log_|^debug_(print|pretty)|^trace_|^tcp_|^exit_on_error|^client_min|client_connection_check|^router|^geqo|^temp_buffers'
           AND name NOT IN (SELECT lower(name) FROM test.setting) AND name NOT IN ('IntervalStyle', 'debug_discard_caches');
SELECT cmp_ok(count(*)::int, '>', 60, 'other settings') FROM test.other;
SELECT format('SET %s = %L', name, value) FROM test.other WHERE value IS NOT NULL \gexec
CALL test.feed('others');
CREATE TEMP TABLE was_read AS SELECT test.read('others') AS result;
RESET ALL;
SET client_min_messages = warning;
SELECT is(test.differs('others'), '', 'children made with all other settings changed');
SELECT is(result, '', 'children read with all other settings changed') FROM was_read;

-- the same with the route read first in a session that has them
:fresh
SET array_nulls = off;
SET standard_conforming_strings = off;
SET datestyle = 'SQL, DMY';
SET intervalstyle = iso_8601;
SET extra_float_digits = -15;
SET bytea_output = escape;
SELECT is(test.read('ref'), '', 'a session that begins so');
SELECT is(test.homes('ref.by_t'), :'homes', 'and shows the same homes');

SELECT * FROM finish();
