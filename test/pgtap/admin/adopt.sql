-- router.adopt: inheritance sets as Architect, pg_partman 4, tab_tier and people make them; what it does not understand; rights.
\ir ../../include/helpers.sql
\set tests 95
SELECT plan(:tests);
SET timezone = 'UTC';

-- ---------------------------------------------------------------- helpers
CREATE FUNCTION rows_of(base regclass) RETURNS text LANGUAGE plpgsql AS $$
DECLARE result text;
BEGIN
    EXECUTE format('SELECT count(*) || ''/'' || md5(coalesce(string_agg(t::text, '','' ORDER BY t::text), '''')) FROM %s t', base) INTO result;
    RETURN result;
END $$;
-- where the rows of children lie
CREATE FUNCTION places(base regclass) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY EXECUTE format('SELECT concat(tableoid::regclass, ctid, t) FROM %s t WHERE tableoid <> %s::oid', base, base::oid);
END $$;
-- what a dry run must leave alone
CREATE FUNCTION state(base regclass) RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(' ', (SELECT string_agg(tgname || tgrelid, ',' ORDER BY tgname, tgrelid) FROM pg_trigger
                            WHERE tgrelid = base OR tgrelid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = base)),
                     (SELECT string_agg(conname || conrelid, ',' ORDER BY conname, conrelid) FROM pg_constraint
                       WHERE conrelid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = base)),
                     (SELECT count(*) FROM router.route_def r WHERE r.base = state.base), test.homes(base))
$$;
CREATE FUNCTION would(base regclass, rest text DEFAULT '') RETURNS text LANGUAGE plpgsql AS $$
DECLARE result text;
BEGIN
    EXECUTE format('SELECT string_agg(l, E''\n'') FROM router.adopt(%L%s, dry_run => true) l', base, rest) INTO result;
    RETURN result;
END $$;
-- adopts, and looks at everything that must hold afterwards: 'ok', or what does not; scan: may rows of children be read?
CREATE FUNCTION adopted(base regclass, rest text DEFAULT '', scan boolean DEFAULT false) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    state_before text := state(base);
    rows_before text := rows_of(base);
    places_before text[] := ARRAY(SELECT places(base));
    files_before text := (SELECT string_agg(relfilenode::text, ' ' ORDER BY oid) FROM pg_class WHERE oid IN (SELECT inhrelid FROM pg_inherits WHERE inhparent = base));
    children oid[] := ARRAY(SELECT inhrelid FROM pg_inherits WHERE inhparent = base);
    lines text := would(base, rest);
    read_before bigint := (SELECT sum(pg_stat_get_xact_tuples_returned(c)) FROM unnest(children) c);
    read bigint;
    problems text[];
BEGIN
    IF lines ~ '^would refuse' OR lines !~ '^would route' THEN problems := problems || lines; END IF;
    IF state(base) <> state_before THEN problems := problems || 'dry_run changed something'::text; END IF;
    read_before := (SELECT sum(pg_stat_get_xact_tuples_returned(c)) FROM unnest(children) c);
    EXECUTE format('SELECT string_agg(l, E''\n'') FROM router.adopt(%L%s) l', base, rest) INTO lines;
    read := (SELECT sum(pg_stat_get_xact_tuples_returned(c)) FROM unnest(children) c) - read_before;
    IF rows_of(base) <> rows_before THEN problems := problems || format('rows %s, not %s', rows_of(base), rows_before); END IF;
    IF EXISTS (SELECT p FROM unnest(places_before) p EXCEPT SELECT places(base)) THEN problems := problems || 'rows of children moved'::text; END IF;
    IF files_before <> (SELECT string_agg(relfilenode::text, ' ' ORDER BY oid) FROM pg_class WHERE oid = ANY (children)) THEN problems := problems || 'a child was rewritten'::text; END IF;
    IF test.strays(base) <> 'none' THEN problems := problems || test.strays(base); END IF;
    IF EXISTS (SELECT FROM pg_constraint WHERE conrelid = ANY (children) AND NOT convalidated) THEN problems := problems || 'a CHECK is not valid'::text; END IF;
    IF EXISTS (SELECT FROM unnest(children) c WHERE c NOT IN (SELECT child FROM router.children)) THEN problems := problems || 'not all children are adopted'::text; END IF;
    IF EXISTS (SELECT FROM pg_trigger WHERE tgrelid = ANY (children) AND tgname NOT LIKE '~router%') THEN problems := problems || 'a trigger reached children'::text; END IF;
    IF scan <> (read > 0) THEN problems := problems || format('%s rows of children were read', read); END IF;
    RETURN coalesce(array_to_string(problems, E'\n'), 'ok');
END $$;
CREATE FUNCTION all_bounds(base regclass) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(child || ' ' || bounds::text, '; ' ORDER BY child::text COLLATE "C") FROM router.children c WHERE c.base = $1
$$;
CREATE FUNCTION keys(base regclass) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(concat_ws(' ', kind, column_name, every, modulus, groups::text), ', ' ORDER BY level) FROM router.key_def k WHERE k.base = $1
$$;

-- ---------------------------------------------------------------- Architect
-- its triggers: the first makes children and inserts there, the second deletes what came into the base as well
CREATE FUNCTION architect_set(base text, type text, name text, checks text) RETURNS void LANGUAGE plpgsql AS $f$
BEGIN
    EXECUTE format('CREATE TABLE %I (id serial PRIMARY KEY, k %s, v text NOT NULL DEFAULT ''dflt'' CHECK (v <> ''''))', base, type);
    EXECUTE format($t$CREATE FUNCTION %1$s_insert_child() RETURNS trigger LANGUAGE plpgsql AS $$
        DECLARE name text; checks text;
        BEGIN
            IF NEW.k IS NULL THEN name := '%1$s_null'; checks := 'k IS NULL';
            ELSE name := '%1$s_' || %2$s; checks := %3$s; END IF;
            IF to_regclass(quote_ident(name)) IS NULL THEN
                EXECUTE format('CREATE TABLE %%I (CHECK (%%s), LIKE %1$s INCLUDING DEFAULTS INCLUDING CONSTRAINTS INCLUDING INDEXES) INHERITS (%1$s)', name, checks);
            END IF;
            EXECUTE format('INSERT INTO %%I VALUES (($1).*)', name) USING NEW;
            RETURN NEW;
        END $$$t$, base, name, checks);
    EXECUTE format('CREATE FUNCTION %1$s_delete_master() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN DELETE FROM ONLY %1$s WHERE id = NEW.id; RETURN NEW; END$$', base);
    EXECUTE format('CREATE TRIGGER before_insert_%1$s_trigger BEFORE INSERT ON %1$s FOR EACH ROW EXECUTE FUNCTION %1$s_insert_child()', base);
    EXECUTE format('CREATE TRIGGER after_insert_%1$s_trigger AFTER INSERT ON %1$s FOR EACH ROW EXECUTE FUNCTION %1$s_delete_master()', base);
END $f$;
SELECT architect_set('am', 'timestamptz', $$to_char(NEW.k, '"y"YYYY"m"MM')$$,
    $$format('k >= %L AND k < %L', date_trunc('month', NEW.k), date_trunc('month', NEW.k) + interval '1 month')$$) \g /dev/null
INSERT INTO am (k) SELECT timestamptz '2024-01-10' + i * interval '1 day' FROM generate_series(0, 99) i;
INSERT INTO am (k) VALUES (NULL), (NULL);
SELECT is(test.homes('am'), 'am_null: 2, am_y2024m01: 22, am_y2024m02: 29, am_y2024m03: 31, am_y2024m04: 18', 'Architect, month: its triggers work');
SELECT is(adopted('am', scan => true), 'ok', 'Architect, month: a column that may be NULL has its rows read');
SELECT is(keys('am'), 'date k month', 'Architect, month: the key');
SELECT is((SELECT string_agg(tgname, ',') FROM pg_trigger WHERE tgrelid = 'am'::regclass AND tgname !~ 'router' AND NOT tgisinternal), NULL, 'Architect, month: its triggers are gone');
:fresh
SET timezone = 'UTC';
INSERT INTO am (k) VALUES ('2024-01-05'), ('2025-06-01'), (NULL);
SELECT is(test.homes('am'), 'am_null: 3, am_y2024m01: 23, am_y2024m02: 29, am_y2024m03: 31, am_y2024m04: 18, am_y2025m06: 1', 'Architect, month: rows go on, one child each, new ones have such names');
UPDATE am SET k = '2025-06-02' WHERE k = '2024-01-05';
SELECT is(test.homes('am'), 'am_null: 3, am_y2024m01: 22, am_y2024m02: 29, am_y2024m03: 31, am_y2024m04: 18, am_y2025m06: 2', 'Architect, month: UPDATE moves a row');
SELECT is((SELECT count(*) FROM router.check('am')), 0::bigint, 'Architect, month: check finds nothing');

SELECT architect_set('aw', 'date NOT NULL', $$to_char(NEW.k, '"y"IYYY"w"IW')$$,
    $$format('k >= %L AND k < %L', date_trunc('week', NEW.k), date_trunc('week', NEW.k) + interval '1 week')$$) \g /dev/null
INSERT INTO aw (k) SELECT date '2024-12-10' + i FROM generate_series(0, 40) i;
SELECT is(adopted('aw'), 'ok', 'Architect, week: no row is read');
INSERT INTO aw (k) VALUES ('2021-01-01');
SELECT is(keys('aw') || ' ' || test.children('aw'), 'date k week aw_y2020w53, aw_y2024w50, aw_y2024w51, aw_y2024w52, aw_y2025w01, aw_y2025w02, aw_y2025w03', 'Architect, week: keys, names');

SELECT architect_set('ai', 'integer NOT NULL', $$CASE WHEN NEW.k = 0 THEN '0' WHEN NEW.k > 0 THEN (NEW.k - 1) / 10 * 10 + 1 || '_' || (NEW.k - 1) / 10 * 10 + 10
    ELSE 'm' || -(floor(NEW.k / 10.0) * 10)::int || '_m' || -(floor(NEW.k / 10.0) * 10 + 9)::int END$$,
    $$CASE WHEN NEW.k = 0 THEN 'k = 0' WHEN NEW.k > 0 THEN format('k >= %s AND k <= %s', (NEW.k - 1) / 10 * 10 + 1, (NEW.k - 1) / 10 * 10 + 10)
    ELSE format('k >= %s AND k <= %s', (floor(NEW.k / 10.0) * 10)::int, (floor(NEW.k / 10.0) * 10 + 9)::int) END$$) \g /dev/null
INSERT INTO ai (k) SELECT i FROM generate_series(-20, 35) i;
SELECT is(adopted('ai'), 'ok', 'Architect, integer');
INSERT INTO ai (k) VALUES (0), (77);
SELECT is(keys('ai') || ' ' || test.children('ai'), 'integer k 10 ai_0, ai_11_20, ai_1_10, ai_21_30, ai_31_40, ai_71_80, ai_m10_m1, ai_m20_m11', 'Architect, integer: keys, names');

SELECT architect_set('af', 'text', 'lower(substr(NEW.k, 1, 2))', $$format('lower(substr(k, 1, 2)) = %L', lower(substr(NEW.k, 1, 2)))$$) \g /dev/null
INSERT INTO af (k) VALUES ('Foo'), ('foobar'), ('x'), (NULL), ('');
SELECT is(adopted('af', scan => true), 'ok', 'Architect, first characters');
INSERT INTO af (k) VALUES ('FOx'), ('Zz');
SELECT is(keys('af') || ' ' || test.homes('af'), 'prefix k 2 af_: 1, af_fo: 3, af_null: 1, af_x: 1, af_zz: 1', 'Architect, first characters: keys, homes');

SELECT architect_set('al', 'varchar(20) NOT NULL', $$lower(substring(NEW.k from '.{2}$'))$$, $$format('lower(substring(k from ''.{2}$'')) = %L', lower(substring(NEW.k from '.{2}$')))$$) \g /dev/null
INSERT INTO al (k) VALUES ('Foo'), ('fo1'), ('xoO'), ('zZz');
SELECT is(adopted('al', scan => true), 'ok', 'Architect, last characters');
INSERT INTO al (k) VALUES ('FOo'), ('Z');
SELECT is(keys('al') || ' ' || test.homes('al'), 'suffix k 2 al_o1: 1, al_oo: 3, al_z: 1, al_zz: 1', 'Architect, last characters: keys, homes');

-- ---------------------------------------------------------------- pg_partman 4, by triggers: its layout
CREATE FUNCTION partman_set(base text, type text, every interval, format text, n int DEFAULT 6) RETURNS void LANGUAGE plpgsql AS $f$
BEGIN
    EXECUTE format('CREATE TABLE %I (id bigint, at %s NOT NULL)', base, type);
    FOR i IN 0..n - 1 LOOP
        EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING ALL, CHECK (at >= %L AND at < %L)) INHERITS (%2$I)', base || '_p' || to_char(timestamp '2024-01-01' + i * every, format),
                       base, timestamp '2024-01-01' + i * every, timestamp '2024-01-01' + (i + 1) * every);
    END LOOP;
    EXECUTE format('CREATE FUNCTION %I() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN
        EXECUTE format(''INSERT INTO %%I VALUES (($1).*)'', %L || to_char(NEW.at, %L)) USING NEW; RETURN NULL;
        EXCEPTION WHEN undefined_table THEN RETURN NEW; END$$', base || '_part_trig_func', base || '_p', format);
    EXECUTE format('CREATE TRIGGER %I BEFORE INSERT ON %I FOR EACH ROW EXECUTE FUNCTION %I()', base || '_part_trig', base, base || '_part_trig_func');
    EXECUTE format('INSERT INTO %I SELECT i, timestamp ''2024-01-01'' + i * interval ''7 hours'' FROM generate_series(0, 29) i', base);
END $f$;
CREATE TABLE kinds (base text, type text, every interval, format text, key text, child text);
INSERT INTO kinds VALUES
    ('pm', 'timestamptz', '1 month', 'YYYY_MM', 'month', 'pm_p2023_05'),
    ('pd', 'timestamp', '1 day', 'YYYY_MM_DD', 'day', 'pd_p2023_05_05'),
    ('pq', 'date', '3 months', 'YYYY"q"Q', '3 months', 'pq_p2023q2'),
    ('py', 'timestamptz', '1 year', 'YYYY', 'year', 'py_p2023'),
    ('pw', 'timestamp', '7 days', 'IYYY"w"IW', 'week', 'pw_p2023w18'),
    ('ph', 'timestamptz', '1 hour', 'YYYY_MM_DD_HH24MI', 'hour', 'ph_p2023_05_05_0000');
SELECT partman_set(base, type, every, format) FROM kinds \g /dev/null
SELECT is(adopted(base::regclass), 'ok', 'pg_partman, ' || key) FROM kinds ORDER BY base;
SELECT is(keys(base::regclass), 'date at ' || key, 'pg_partman, ' || key || ': the key') FROM kinds ORDER BY base;
SELECT lives_ok(format('INSERT INTO %I VALUES (100, ''2023-05-05'')', base), 'pg_partman, ' || key || ': a new child') FROM kinds ORDER BY base;
SELECT is(s.tableoid::regclass::text, child, 'pg_partman, ' || key || ': its name')
  FROM (SELECT tableoid FROM pm WHERE id = 100 UNION ALL SELECT tableoid FROM pd WHERE id = 100 UNION ALL SELECT tableoid FROM pq WHERE id = 100
        UNION ALL SELECT tableoid FROM py WHERE id = 100 UNION ALL SELECT tableoid FROM pw WHERE id = 100 UNION ALL SELECT tableoid FROM ph WHERE id = 100) s
  JOIN kinds ON s.tableoid::regclass::text LIKE base || '\_%' ORDER BY base;
CREATE TABLE pi (id bigint NOT NULL, v text);
SELECT format('CREATE TABLE pi_p%s (CHECK (id >= %1$s AND id < %s)) INHERITS (pi)', i, i + 10) FROM generate_series(0, 40, 10) i \gexec
INSERT INTO pi_p0 VALUES (0), (9);
INSERT INTO pi VALUES (5), (47), (1000);
SELECT is(adopted('pi'), 'ok', 'pg_partman, id: ends are closed in the proof');
SELECT is(all_bounds('pi'), 'pi_p0 {"[0,9]"}; pi_p10 {"[10,19]"}; pi_p20 {"[20,29]"}; pi_p30 {"[30,39]"}; pi_p40 {"[40,49]"}; pi_p991 {"[991,1000]"}', 'pg_partman, id: bounds; rows of the base have gone home');

-- the extension itself, where it is installed
SELECT count(*) = 1 AS partman FROM pg_available_extensions WHERE name = 'pg_partman' AND default_version LIKE '4.%' \gset
\if :partman
CREATE SCHEMA partman;
CREATE EXTENSION pg_partman SCHEMA partman;
CREATE TABLE real_kinds (every text, type text, key text);
INSERT INTO real_kinds VALUES ('monthly', 'timestamptz', 'month'), ('daily', 'timestamp', 'day'), ('weekly', 'timestamptz', 'week'), ('quarterly', 'date', '3 months'),
    ('yearly', 'date', 'year'), ('hourly', 'timestamptz', 'hour'), ('half-hour', 'timestamp', '30 minutes'), ('quarter-hour', 'timestamptz', '15 minutes');
SELECT format('CREATE TABLE %I (id bigint, at %s NOT NULL)', 'real ' || every, type) FROM real_kinds \gexec
SELECT partman.create_parent('public.real ' || every, 'at', 'partman', every, p_premake => 2) FROM real_kinds \g /dev/null
SELECT format('INSERT INTO %I SELECT i, now() + i * interval ''10 minutes'' FROM generate_series(-20, 20) i', 'real ' || every) FROM real_kinds \gexec
SELECT is((SELECT string_agg(every || ' ' || adopted(format('%I', 'real ' || every)::regclass), ', ' ORDER BY every) FROM real_kinds),
          (SELECT string_agg(every || ' ok', ', ' ORDER BY every) FROM real_kinds), 'pg_partman itself: all kinds by time');
SELECT is((SELECT string_agg(keys(format('%I', 'real ' || every)::regclass), ', ' ORDER BY every) FROM real_kinds),
          (SELECT string_agg('date at ' || key, ', ' ORDER BY every) FROM real_kinds), 'pg_partman itself: the keys');
SELECT is((SELECT count(*) FROM router.route_def WHERE template = '{base}_p{1}' AND base::text LIKE '%real%'), 8::bigint, 'pg_partman itself: the names');
CREATE TABLE real_id (id bigint NOT NULL);
SELECT partman.create_parent('public.real_id', 'id', 'partman', '10', p_premake => 2) \g /dev/null
INSERT INTO real_id SELECT generate_series(0, 35);
SELECT matches(would('real_id'), 'would leave its row in partman.part_config', 'pg_partman itself: its configuration is told of');
SELECT is(adopted('real_id'), 'ok', 'pg_partman itself: by id');
CREATE TABLE real_kept (at timestamptz NOT NULL);
SELECT partman.create_parent('public.real_kept', 'at', 'partman', 'monthly', p_premake => 3) \g /dev/null
UPDATE partman.part_config SET retention = '5 years', retention_keep_table = false WHERE parent_table = 'public.real_kept';
SELECT matches(would('real_kept'), 'would not take its settings over, which would be: SELECT router.set_maintenance\(''public.real_kept'', premake => 3, keep => ''5 years'', retire => ''drop''\)',
               'pg_partman itself: its settings are told as a call');
\else
SELECT skip('pg_partman 4 is not installed', 6);
\endif

-- ---------------------------------------------------------------- tab_tier: no trigger, new rows in the base
CREATE TABLE tt (id int, at timestamp NOT NULL DEFAULT '2024-05-05', v text);
SELECT format('CREATE TABLE tt_part_%s (CHECK (at >= %L AND at < %L)) INHERITS (tt)', to_char(d, 'YYYYMMDD'), d, d + interval '7 days')
  FROM generate_series(timestamp '2024-01-01', '2024-02-12', '7 days') d \gexec
INSERT INTO tt_part_20240101 VALUES (1, '2024-01-03');
INSERT INTO tt SELECT i, timestamp '2024-01-01' + i * interval '1 day' FROM generate_series(2, 60) i;
SELECT is(adopted('tt'), 'ok', 'tab_tier');
SELECT is(keys('tt') || ' ' || test.children('tt'), 'date at week tt_part_20240101, tt_part_20240108, tt_part_20240115, tt_part_20240122, tt_part_20240129, tt_part_20240205, tt_part_20240212, tt_part_20240219, tt_part_20240226', 'tab_tier: keys, names');

CREATE TABLE tm (id int, at timestamp NOT NULL);
CREATE TABLE tm_part_20240101 (CHECK (at >= '2024-01-01' AND at < '2024-02-01')) INHERITS (tm);
INSERT INTO tm VALUES (1, '2024-03-05');
SELECT is(adopted('tm'), 'ok', 'tab_tier, months, one child');
SELECT is(test.homes('tm'), 'tm_part_20240301: 1', 'tab_tier, months: the name has a day');

-- ---------------------------------------------------------------- by hand
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE FUNCTION hand_set(base text, columns text, VARIADIC checks text[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE TABLE %I (%s)', base, columns);
    FOR i IN 1..cardinality(checks) LOOP
        EXECUTE format('CREATE TABLE %I (CHECK (%s)) INHERITS (%I)', base || '_c' || i, checks[i], base);
    END LOOP;
END $$;
CREATE TABLE hand (base text, columns text, checks text[], rest text, scan boolean, keys text, bounds text);
INSERT INTO hand VALUES
    ('h_list', 'k int NOT NULL', '{k = 1,"k IN (2, 3)","k = ANY (''{5,6}'')","k = 7 OR k = 8"}', '', false, 'list k {"{2,3}","{5,6}","{7,8}"}', 'h_list_c1 {"{1}"}; h_list_c2 {"{2,3}"}; h_list_c3 {"{5,6}"}; h_list_c4 {"{7,8}"}'),
    ('h_null', 'k text', '{k = ''a'' AND k IS NOT NULL,k = ''b'' OR k IS NULL}', '', false, 'list k {"{b,NULL}"}', 'h_null_c1 {"{a}"}; h_null_c2 {"{b,NULL}"}'),
    ('h_between', 'd date NOT NULL', '{"d BETWEEN ''2024-01-01'' AND ''2024-01-31''","d BETWEEN DATE ''2024-02-01'' AND DATE ''2024-02-29''"}', '', false, 'date d month', 'h_between_c1 {"[2024-01-01,2024-02-01)"}; h_between_c2 {"[2024-02-01,2024-03-01)"}'),
    ('h_trunc', 'at timestamp NOT NULL', '{"date_trunc(''month'', at) = ''2024-01-01''","date_trunc(''month'', at) = ''2024-02-01''"}', '', true, 'date at month', 'h_trunc_c1 {"[2024-01-01 00:00:00,2024-02-01 00:00:00)"}; h_trunc_c2 {"[2024-02-01 00:00:00,2024-03-01 00:00:00)"}'),
    ('h_cast', 'at timestamp NOT NULL', '{"at::date >= ''2024-01-01'' AND at::date <= ''2024-01-31''","at::date >= ''2024-02-01'' AND at::date < ''2024-03-01''"}', '', true, 'date at month', 'h_cast_c1 {"[2024-01-01 00:00:00,2024-02-01 00:00:00)"}; h_cast_c2 {"[2024-02-01 00:00:00,2024-03-01 00:00:00)"}'),
    ('h_zone', 'at timestamptz NOT NULL', '{"at >= ''2024-01-01''::date AND at < ''2024-02-01''::timestamp","''2024-02-01''::timestamptz <= at AND ''2024-03-01'' > at"}', '', true, 'date at month', 'h_zone_c1 {"[2024-01-01 00:00:00+00,2024-02-01 00:00:00+00)"}; h_zone_c2 {"[2024-02-01 00:00:00+00,2024-03-01 00:00:00+00)"}'),
    ('h_open', 'd date NOT NULL', '{d < ''2024-01-01'',"d >= ''2024-01-01'' AND d < ''2025-01-01''","d >= ''2025-01-01''"}', '', false, 'date d year', 'h_open_c1 {"(,2024-01-01)"}; h_open_c2 {"[2024-01-01,2025-01-01)"}; h_open_c3 {"[2025-01-01,)"}'),
    ('h_day', 'd date NOT NULL', '{d = ''2024-01-01'',d = ''2024-01-02''}', '', false, 'date d day', 'h_day_c1 {"[2024-01-01,2024-01-02)"}; h_day_c2 {"[2024-01-02,2024-01-03)"}'),
    ('h_int', 'k smallint NOT NULL', '{k > 0 AND k < 11,"k BETWEEN 11 AND 20","21 <= k AND 30 >= k"}', '', false, 'integer k 10', 'h_int_c1 {"[1,10]"}; h_int_c2 {"[11,20]"}; h_int_c3 {"[21,30]"}'),
    ('h_bool', 'k boolean NOT NULL', '{k,NOT k}', '', false, 'list k', 'h_bool_c1 {"{t}"}; h_bool_c2 {"{f}"}'),
    ('h_enum', 'k mood NOT NULL', '{k = ''sad'',"k IN (''ok'', ''happy'')"}', '', false, 'list k {"{ok,happy}"}', 'h_enum_c1 {"{sad}"}; h_enum_c2 {"{ok,happy}"}'),
    ('h_char', 'k varchar(3) NOT NULL, x int', '{k = ''fr'' AND x > 5,k::text = ''de''}', '', false, 'list k', 'h_char_c1 {"{fr}"}; h_char_c2 {"{de}"}'),
    ('h_two', 'd date NOT NULL, r int NOT NULL', '{"r = 1 AND d >= ''2024-01-01'' AND d < ''2024-02-01''","r = 1 AND d >= ''2024-02-01'' AND d < ''2024-03-01''","r IN (2, 3) AND d >= ''2024-01-01'' AND d < ''2024-02-01''"}', '', false, 'list r {"{2,3}"}, date d month', 'h_two_c1 {"{1}","[2024-01-01,2024-02-01)"}; h_two_c2 {"{1}","[2024-02-01,2024-03-01)"}; h_two_c3 {"{2,3}","[2024-01-01,2024-02-01)"}'),
    ('h_more', 'd date NOT NULL, r int NOT NULL', '{"r < 100 AND d >= ''2024-01-01'' AND d < ''2024-02-01''","r > 50 AND d >= ''2024-02-01'' AND d < ''2024-03-01''"}', ', router.by_date(''d'', ''month'')', false, 'date d month', 'h_more_c1 {"[2024-01-01,2024-02-01)"}; h_more_c2 {"[2024-02-01,2024-03-01)"}'),
    ('h_given', 'd date NOT NULL, r int NOT NULL', '{"r = 1 AND d >= ''2024-01-01'' AND d < ''2024-02-01''","r = 2 AND d >= ''2024-01-01'' AND d < ''2024-02-01''"}', ', ARRAY[router.by_date(''d'', ''month''), router.by_integer(''r'', 1)]', false, 'date d month, integer r 1', 'h_given_c1 {"[2024-01-01,2024-02-01)","[1,1]"}; h_given_c2 {"[2024-01-01,2024-02-01)","[2,2]"}'),
    ('h_part', 'd date NOT NULL, r int NOT NULL', '{"r IN (1, 2) AND d >= ''2024-01-01'' AND d < ''2024-02-01''","r IN (2, 3) AND d >= ''2024-02-01'' AND d < ''2024-03-01''"}', '', false, 'date d month', 'h_part_c1 {"[2024-01-01,2024-02-01)"}; h_part_c2 {"[2024-02-01,2024-03-01)"}'),
    ('h_one', 'r int NOT NULL', '{r = 4}', ', router.by_list(''r'')', false, 'list r', 'h_one_c1 {"{4}"}');
SELECT hand_set(base, columns, VARIADIC checks) FROM hand \g /dev/null
INSERT INTO h_list_c1 VALUES (1); INSERT INTO h_list_c2 VALUES (2), (3); INSERT INTO h_list VALUES (8), (9);
INSERT INTO h_null_c2 VALUES ('b'), (NULL); INSERT INTO h_null VALUES ('a'), ('z'), (NULL);
INSERT INTO h_between_c1 VALUES ('2024-01-31'); INSERT INTO h_between VALUES ('2024-02-29'), ('2023-02-28');
INSERT INTO h_trunc_c2 VALUES ('2024-02-29 23:59'); INSERT INTO h_trunc VALUES ('2024-01-31 23:00');
INSERT INTO h_cast_c1 VALUES ('2024-01-31 23:59'); INSERT INTO h_zone_c1 VALUES ('2024-01-31 23:59');
INSERT INTO h_open_c1 VALUES ('1999-01-01'); INSERT INTO h_open VALUES ('2099-01-01'), ('2024-05-05');
INSERT INTO h_day_c1 VALUES ('2024-01-01'); INSERT INTO h_int_c1 VALUES (1), (10); INSERT INTO h_int VALUES (20), (21);
INSERT INTO h_bool_c1 VALUES (true); INSERT INTO h_bool VALUES (false), (true); INSERT INTO h_enum_c2 VALUES ('ok'); INSERT INTO h_enum VALUES ('sad');
INSERT INTO h_char_c1 VALUES ('fr', 6); INSERT INTO h_char VALUES ('de', 1), ('it', 1);
INSERT INTO h_two_c1 VALUES ('2024-01-05', 1); INSERT INTO h_two VALUES ('2024-01-05', 2), ('2025-01-05', 3), ('2025-01-05', 9);
INSERT INTO h_more_c1 VALUES ('2024-01-05', 1); INSERT INTO h_given_c1 VALUES ('2024-01-05', 1);
SELECT is(adopted(base::regclass, rest, scan), 'ok', 'by hand: ' || base) FROM hand ORDER BY base;
SELECT is((SELECT string_agg(format('%s: %s', base, keys(base::regclass)), E'\n' ORDER BY base) FROM hand), (SELECT string_agg(format('%s: %s', base, keys), E'\n' ORDER BY base) FROM hand), 'by hand: keys');
SELECT is((SELECT string_agg(b.child || ' ' || b.bounds, '; ' ORDER BY b.child COLLATE "C") FROM (SELECT child::text, bounds::text FROM router.children WHERE child::text LIKE 'h\_%\_c_') b),
          (SELECT string_agg(bounds, '; ' ORDER BY base COLLATE "C") FROM hand), 'by hand: bounds');
SELECT is((SELECT sum(n) FROM (SELECT count(*) AS n FROM hand, LATERAL router.check(base::regclass)) s), 0::numeric, 'by hand: check finds nothing');

-- ---------------------------------------------------------------- what is not understood
SELECT hand_set('bad', 'k int NOT NULL, v text', 'k >= 1 AND k <= 10', 'k >= 5 AND k <= 20', 'k % 2 = 0', 'k >= 30') \g /dev/null
CREATE TABLE bad_c5 (more int) INHERITS (bad);
CREATE TABLE bad_c6 (CHECK (k = 21)) INHERITS (bad);
CREATE TABLE bad_c6_1 () INHERITS (bad_c6);
ALTER TABLE bad_c4 ADD CHECK (k < 40) NOT VALID;
INSERT INTO bad_c1 VALUES (1, 'x');
SELECT is(would('bad'), 'would refuse public.bad_c2: its bounds overlap those of bad_c1
would refuse public.bad_c3: no valid CHECK or bound says which values of column "k" it has, in a way that a key of kind "integer" can use
would refuse public.bad_c5: it has a column more that bad lacks
would refuse public.bad_c6: it has children of its own', 'each child with its reason');
CREATE TABLE before AS SELECT state('bad');
SELECT throws_ok($$SELECT router.adopt('bad')$$, '55000', 'inheritance children of "bad" cannot be adopted', 'an error without dry_run');
SELECT is(state('bad'), (SELECT state FROM before), 'which changes nothing');
SELECT throws_ok($$SELECT router.adopt('before')$$, '55000', 'inheritance children of "before" cannot be adopted', 'a table without children');
SELECT throws_ok($$SELECT router.adopt('am')$$, '55000', '"am" is a routed table already', 'a routed table');
SELECT throws_ok($$SELECT router.adopt('router.routes')$$, '42809', NULL, 'a view');
SELECT throws_ok($$SELECT router.adopt('bad', drop_triggers => '{nosuch}')$$, '42704', 'trigger "nosuch" for table "bad" does not exist', 'a trigger that there is not');
-- rows that no CHECK speaks of
SELECT hand_set('loose', 'k int', 'k = 1', 'k = 2') \g /dev/null
INSERT INTO loose_c1 VALUES (1), (NULL);
SELECT throws_ok($$SELECT router.adopt('loose')$$, '23514', NULL, 'NULL passes a CHECK, but is no value of the child');
SELECT is(test.children('loose'), '!loose_c1, !loose_c2', 'nothing is adopted');

-- ---------------------------------------------------------------- triggers
SELECT hand_set('tr', 'k int NOT NULL, v text', 'k = 1', 'k = 2') \g /dev/null
CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.v := coalesce(NEW.v, '') || '!'; RETURN NEW; END$$;
CREATE FUNCTION mine() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN IF NEW.k = 1 THEN INSERT INTO tr_c1 VALUES (NEW.*); ELSE INSERT INTO tr_c2 VALUES (NEW.*); END IF; RETURN NULL; END$$;
CREATE TRIGGER stamp BEFORE INSERT ON tr FOR EACH ROW EXECUTE FUNCTION stamp();
CREATE TRIGGER "Mine" BEFORE INSERT ON tr FOR EACH ROW EXECUTE FUNCTION mine();
INSERT INTO tr VALUES (1), (2);
SELECT is(would('tr'), 'would refuse tr: trigger "Mine" seems to take rows elsewhere; drop_triggers => ''{Mine}'' takes it away, a disabled one is let alone', 'a trigger that routes is told of');
SELECT is(adopted('tr', ', drop_triggers => ''{Mine}'''), 'ok', 'and goes when it is named');
SELECT is((SELECT string_agg(tgname, ' ') FROM pg_trigger WHERE tgrelid = 'tr'::regclass AND tgname !~ 'router'), 'stamp', 'another one stays');
INSERT INTO tr VALUES (1), (3);
SELECT is(test.homes('tr'), 'tr_c1: 2, tr_c2: 1, tr_c3: 1', 'rows go home, once');
SELECT hand_set('ru', 'k int NOT NULL', 'k = 1', 'k = 2') \g /dev/null
CREATE RULE r AS ON INSERT TO ru WHERE k = 1 DO INSTEAD INSERT INTO ru_c1 VALUES (NEW.*);
SELECT is(would('ru'), 'would refuse ru: a rule for INSERT would take rows elsewhere; drop it', 'a rule');

-- ---------------------------------------------------------------- rights
CREATE ROLE router_ad_owner;
CREATE ROLE router_ad_other;
GRANT CREATE, USAGE ON SCHEMA public TO router_ad_owner, router_ad_other;
SET ROLE router_ad_owner;
CREATE TABLE ri (k int NOT NULL);
CREATE TABLE ri_1 (CHECK (k = 1)) INHERITS (ri);
CREATE TABLE ri_2 (CHECK (k = 2)) INHERITS (ri);
RESET ROLE;
ALTER TABLE ri_2 OWNER TO router_ad_other;
SET ROLE router_ad_other;
SELECT throws_ok($$SELECT router.adopt('ri')$$, '42501', NULL, 'not the owner');
SET ROLE router_ad_owner;
SELECT is((SELECT string_agg(l, '') FROM router.adopt('ri', dry_run => true) l), 'would refuse public.ri_2: it belongs to another role than ri', 'the child of another role');
RESET ROLE;
-- what the owner of a child has defined is not run when its CHECKs are read
CREATE FUNCTION evil(int) RETURNS boolean IMMUTABLE LANGUAGE plpgsql AS $$BEGIN RAISE 'ran as %', current_user; END$$;
ALTER TABLE ri_2 OWNER TO router_ad_owner;
ALTER TABLE ri_2 ADD CHECK (evil(1)) NO INHERIT NOT VALID;
UPDATE pg_constraint SET convalidated = true WHERE conrelid = 'ri_2'::regclass;
SET constraint_exclusion = off; -- the planner would
SELECT is(adopted('ri'), 'ok', 'a CHECK that calls a function of users is not folded');
DROP TABLE ri CASCADE;
DROP OWNED BY router_ad_owner, router_ad_other;
-- children of which no CHECK says anything: by their names, and what their rows say of that
SET timezone = 'UTC';
CREATE TABLE named (id int, at timestamptz NOT NULL);
CREATE TABLE named_2024_01 () INHERITS (named);
CREATE TABLE named_y2024m02 () INHERITS (named);
CREATE TABLE named_p202403 () INHERITS (named);
INSERT INTO named_2024_01 VALUES (1, '2024-01-05');
INSERT INTO named_p202403 VALUES (3, '2024-04-05');
SELECT throws_ok($$SELECT router.adopt('named')$$, '55000', NULL, 'without keys names say nothing');
SELECT throws_ok($$SELECT router.adopt('named', router.by_date('at', 'month'))$$, '23514', NULL, 'a row that its name denies');
SELECT is(test.children('named'), '!named_2024_01, !named_p202403, !named_y2024m02', 'then nothing is changed');
DELETE FROM named_p202403;
SELECT router.adopt('named', router.by_date('at', 'month')) \g /dev/null
SELECT is((SELECT string_agg(child || ' ' || bounds[1], ', ' ORDER BY bounds) FROM router.children WHERE base = 'named'::regclass),
          'named_2024_01 [2024-01-01 00:00:00+00,2024-02-01 00:00:00+00), named_y2024m02 [2024-02-01 00:00:00+00,2024-03-01 00:00:00+00), named_p202403 [2024-03-01 00:00:00+00,2024-04-01 00:00:00+00)', 'months by names');
CREATE TABLE by_value (id int, res int NOT NULL);
CREATE TABLE by_value_1 () INHERITS (by_value);
CREATE TABLE by_value_59 () INHERITS (by_value);
CREATE TABLE by_value_other () INHERITS (by_value);
INSERT INTO by_value_59 VALUES (1, 59);
SELECT throws_ok($$SELECT router.adopt('by_value', router.by_list('res'))$$, '55000', NULL, 'a name that is no value');
DROP TABLE by_value_other;
SELECT router.adopt('by_value', router.by_list('res')) \g /dev/null
SELECT is((SELECT string_agg(child || ' ' || bounds[1], ', ' ORDER BY bounds) FROM router.children WHERE base = 'by_value'::regclass), 'by_value_1 {1}, by_value_59 {59}', 'values by names');
SELECT is((SELECT count(*) FROM router.check('named')) + (SELECT count(*) FROM router.check('by_value')), 0::bigint, 'check finds nothing');
RESET timezone;
SELECT * FROM finish();
