-- Whoever may insert, or owns the type of a key, cannot make a routed table unreadable: a value is taken, or its INSERT fails
-- with an error that says why. What is taken is read by all, archived, sealed and checked.
\ir ../../include/helpers.sql
\set tests 105
SELECT plan(:tests);
SELECT test.role('router_k_owner'), test.role('router_k_user') \g /dev/null
CREATE SCHEMA k AUTHORIZATION router_k_owner;
CREATE SCHEMA u AUTHORIZATION router_k_user;
GRANT USAGE ON SCHEMA k TO router_k_user;
GRANT USAGE ON SCHEMA u TO router_k_owner;
CREATE TYPE k.en AS ENUM ('a', 'null', '''"\,{');
CREATE TYPE k.co AS (a int, b text, c "char");
CREATE TYPE k.tr AS RANGE (subtype = text);
CREATE TYPE k.nu AS (n numeric, j jsonb);
GRANT CREATE ON SCHEMA k TO router_k_owner;

-- ------------------------------------------------------- odd values
CREATE TABLE k.v (type text, value text);
INSERT INTO k.v SELECT 'text', v FROM unnest(ARRAY['', ' ', 'NULL', 'null', 'default', '{}', '{a,b}', '[1,2)', '0/3', 'a"b', 'a''b', 'a\b', '\', '\\', E'a\nb', E'\n\\! false\n', E'\t', E'\x01\x02',
    E'\x7f', U&'\FEFF', U&'\202E', U&'\0085', U&'\+01F600', repeat('x', 70), repeat(U&'\00E9', 70), repeat(U&'\+01F600', 3000), repeat('\', 16384), '{base}', '{1}', '%s %d', '--', '/*', '\.', '\N', 'pg_class']) v;
INSERT INTO k.v SELECT t, v FROM unnest('{varchar,bpchar,name}'::text[]) t, unnest(ARRAY['', 'a ', 'NULL', '{a}', 'a"b\', repeat('z', 63)]) v;
INSERT INTO k.v SELECT '"char"', v FROM unnest(ARRAY['', 'a', ' ', '\', '"', '{', E'\n']) v;
INSERT INTO k.v SELECT t, unnest(v::text[]) FROM (VALUES ('float8', '{NaN,-0,0,Infinity,-Infinity,1e308,5e-324,0.1,0.30000000000000004}'), ('float4', '{NaN,-0,1e-45,16777217}'),
    ('numeric', '{NaN,-0,0.00,Infinity,-Infinity,1e1000,1e-1000,0.10,0.1}'), ('int8', '{9223372036854775807,-9223372036854775808}'), ('bytea', '{"",\\x00,\\xff5c}'),
    ('date', '{infinity,-infinity,"4713-01-01 BC",5874897-12-31}'), ('timestamptz', '{infinity,-infinity,"4713-01-01 BC","294276-12-31 23:59:59.999999+00"}'), ('timetz', '{24:00+15:59,00:00-15:59}'),
    ('interval', '{1 month,30 days,-178000000 years,1 mon -1 day}'), ('inet', '{10.0.0.1/24,fe80::/10}'), ('jsonb', '{"null","{}","{\"a\": 1.00}","{\"a\": 1.0}","[1e1000]"}'), ('oid', '{0,4294967295}'),
    ('tid', '{"(4294967295,65535)"}'), ('pg_lsn', '{FFFFFFFF/FFFFFFFF}'), ('oidvector', '{"",1 2}'), ('text[]', '{"{}","{NULL}","{\"\"}","{\"NULL\"}","[0:1]={a,b}","{{a},{b}}","{\"a\\\\b\",\"\\\"\"}"}'),
    ('int4range', '{empty,"(,)","[1,5)"}'), ('tstzrange', '{"[2024-01-01,infinity)","(,)"}'), ('int4multirange', '{"{}","{[1,5),[7,8)}"}'), ('k.en', '{a,"null","''\"\\,{"}'),
    ('k.co', '{"(1,a,b)","(,,)","(1,\"a\"\"b\\\\\",\\\")"}'), ('k.tr', '{"[a,b)","[,\"\")",empty,"[\"\"\"\",\\\\]"}'), ('k.nu', '{"(NaN,null)","(1e100,\"[1.0]\")"}')) v (t, v);
CREATE FUNCTION k.each(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    t record;
    result text;
BEGIN
    FOR t IN SELECT v.*, row_number() OVER () AS n FROM (SELECT type, replace(replace(type, '.', '_'), '"', '') AS name, min(value) AS value FROM k.v GROUP BY 1, 2
              UNION ALL SELECT type, replace(replace(type, '.', '_'), '"', ''), value FROM k.v WHERE command ~ '\$v') v LOOP
        result := test.outcome(replace(replace(replace(command, '$t', t.name), '$y', t.type), '$v', quote_literal(t.value)));
        IF result NOT IN ('done', 'no') THEN
            RETURN t.type || ' ' || left(t.value, 40) || ': ' || result;
        END IF;
    END LOOP;
    RETURN 'done';
END $$;
GRANT EXECUTE ON FUNCTION k.each TO PUBLIC;
GRANT SELECT ON k.v TO PUBLIC;
SELECT is(k.each('CREATE TABLE k."l $t" (k $y, src text); ALTER TABLE k."l $t" OWNER TO router_k_owner; GRANT INSERT ON k."l $t" TO router_k_user; SELECT router.create_route(''k."l $t"'', router.by_list(''k''))'), 'done', 'list keys of many types');
SELECT is(k.each('CREATE TABLE k."h $t" (d date, k $y, src text); ALTER TABLE k."h $t" OWNER TO router_k_owner; GRANT INSERT ON k."h $t" TO router_k_user; SELECT router.create_route(''k."h $t"'', ARRAY[router.by_date(''d'', ''month''), router.by_list(''k'')], hot => ''60 days'')'), 'done', 'hot, as the inner key');
SET ROLE router_k_user;
SELECT is(k.each('INSERT INTO k."l $t" VALUES ($v::$y, $v)'), 'done', 'rows of one who may insert');
SELECT is(k.each('INSERT INTO k."h $t" VALUES (now() - interval ''30 days'', $v::$y, $v)'), 'done', 'and hot ones');
INSERT INTO k."l char" VALUES ((-2)::"char", 'fe'), ((-128)::"char", '80');
INSERT INTO k."l k_co" VALUES (row(1, 'x', (-2)::"char")::k.co, 'fe');
RESET ROLE;
SELECT is(k.each('SELECT router.alter_route(''k."h $t"'', hot => ''7 days'')'), 'done', 'they age');
:fresh
CALL router.archive();
SELECT is((SELECT count(*)::int FROM router.events WHERE error IS NOT NULL), 0, 'and are archived');
SELECT is(k.each('DO $x$BEGIN IF EXISTS (SELECT FROM ONLY k."h $t") THEN RAISE ''left behind''; END IF; END$x$'), 'done', 'all of them');
:fresh
SELECT is(k.each('DO $x$BEGIN IF NOT EXISTS (SELECT FROM k."l $t" WHERE k = $v::$y) OR NOT EXISTS (SELECT FROM k."h $t" WHERE k = $v::$y) THEN RAISE ''lost''; END IF; END$x$'), 'done', 'each is found');
SELECT is((SELECT string_agg(DISTINCT test.strays(base), '') FROM router.routes), 'none', 'at home');
SELECT is((SELECT string_agg(detail, '') FROM router.check()), NULL, 'check is content');
SELECT ok((SELECT bool_and(child::regclass::text !~ '[\x01-\x1f\x7f]') FROM router.children), 'names have no control characters');
-- what a dump does with them: text out, text in
SELECT ok((SELECT bool_and(bounds::text::text[] = bounds) FROM router.child_def), 'bounds as text');
CREATE TABLE k.copied AS SELECT child, condition FROM router.children;
SELECT is((SELECT count(*)::int FROM k.copied WHERE condition IS NULL), 0, 'every child has its CHECK');
SELECT is(test.outcome(format('CREATE TEMP TABLE again (LIKE %s); ALTER TABLE again ADD CHECK (%s); INSERT INTO again SELECT * FROM %1$s; DROP TABLE again', child, condition)), 'done', 'a CHECK as text holds for its rows')
  FROM (SELECT child, condition FROM k.copied WHERE child::text ~ 'l (char|k_|float|interval|timetz)' ORDER BY child LIMIT 20) c;

-- ------------------------------------------------------- long ones
CREATE FUNCTION k.long(type text, value text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    EXECUTE format('CREATE TABLE k.long_of (k %s)', type);
    PERFORM router.create_route('k.long_of', router.by_list('k'));
    result := test.outcome(format('INSERT INTO k.long_of SELECT %s', value)) || coalesce(' with a hint', test.hint(format('INSERT INTO k.long_of SELECT %s', value)));
    DROP TABLE k.long_of;
    RETURN left(result, 5);
END $$;
SELECT is(k.long(type, value), wanted, left(type || ' ' || value, 60)) FROM (VALUES ('text', 'repeat(''x'', 16384)', 'done '), ('text', 'repeat(''x'', 16385)', '54000'), ('text', 'repeat(''\'', 10000000)', '54000'),
    ('varchar', 'repeat(''x'', 20000)', '54000'), ('bpchar', 'repeat(''x'', 20000)', '54000'), ('bytea', 'repeat(''x'', 8191)::bytea', 'done '), ('bytea', 'repeat(''x'', 8192)::bytea', '54000'),
    ('numeric', '1e16000::numeric', 'done '), ('numeric', '1e100000::numeric', '54000'), ('jsonb', '''[1e100000]''::jsonb', '54000'), ('k.nu', 'row(1e100000::numeric, NULL)::k.nu', '54000'),
    ('numeric[]', 'array_fill(1e4000::numeric, ARRAY[5])', '54000'), ('numrange', 'numrange(1, 1e100000::numeric)', '54000'), ('text[]', 'ARRAY[repeat(''"'', 9000)]', '54000'), ('name', 'repeat(''x'', 20000)', 'done ')) v (type, value, wanted);
-- rows that are archived later: at once, whichever way they come
SET ROLE router_k_owner;
CREATE TABLE k.hot (d date, k text, id int);
SELECT router.create_route('k.hot', ARRAY[router.by_date('d', 'month'), router.by_list('k')], hot => '60 days') \g /dev/null
INSERT INTO k.hot VALUES (now() - interval '30 days', 'x', 1), (now() - interval '300 days', 'y', 2);
RESET ROLE;
:fresh
SELECT is(left(test.outcome(command), 5), '54000', left(command, 60)) FROM (VALUES ($$INSERT INTO k.hot VALUES (now() - interval '30 days', repeat('x', 16385))$$), ($$INSERT INTO k.hot VALUES (now() - interval '30 days', repeat('x', 16385)) RETURNING id$$),
    ($$INSERT INTO k.hot SELECT now() - interval '30 days', repeat('x', 16360 + i) FROM generate_series(1, 30) i$$), ($$UPDATE k.hot SET k = repeat('x', 16385) WHERE id = 1$$), ($$UPDATE k.hot SET k = repeat('x', 16385) WHERE id = 2$$),
    ($$UPDATE k.hot SET k = repeat('x', 16385), d = now() - interval '30 days' WHERE id = 2$$), ($$MERGE INTO k.hot USING (VALUES (1)) v ON false WHEN NOT MATCHED THEN INSERT VALUES (now() - interval '30 days', repeat('x', 16385))$$)) v (command);
SELECT isnt(test.hint($$INSERT INTO k.hot VALUES (now(), repeat('x', 16385))$$), NULL, 'with a hint');
SELECT lives_ok($$INSERT INTO k.hot VALUES (now() - interval '30 days', repeat('x', 16384), 3)$$, 'up to the limit');
SELECT router.alter_route('k.hot', default_child => true, on_reject => 'default') \g /dev/null
SELECT lives_ok($$INSERT INTO k.hot VALUES (now() - interval '30 days', repeat('x', 16385), 4), (now() - interval '300 days', repeat('x', 16385), 5)$$, 'or a default child takes them');
SELECT router.alter_route('k.hot', hot => '7 days') \g /dev/null
CALL router.archive('k.hot');
CALL router.redistribute('k.hot');
SELECT is((SELECT string_agg(id::text, ' ' ORDER BY id) FROM k.hot_default), '4 5', 'when they age, and for good');
SELECT ok((SELECT max(length(bounds::text)) < 70000 FROM router.child_def), 'so no bound is very long');
SELECT throws_ok($$SELECT router.create_route('k.copied', router.by_prefix('condition', 1001))$$, '22023', NULL, 'nor are prefixes');

-- lower() may make more characters of one, where the collation says so: what is folded is not folded again
CREATE COLLATION k.full (provider = builtin, locale = 'PG_UNICODE_FAST');
SELECT EXISTS (SELECT FROM pg_collation WHERE collname = 'full') AS has_full \gset
\if :has_full
CREATE TABLE k.fold (p text COLLATE k.full, s text COLLATE k.full);
\else
CREATE TABLE k.fold (p text, s text);
\endif
SELECT router.create_route('k.fold', ARRAY[router.by_prefix('p', 1), router.by_suffix('s', 2)]) \g /dev/null
INSERT INTO k.fold SELECT a || 'x', 'x' || b FROM unnest(ARRAY[U&'\0130', 'i', 'I', U&'\1E9E', U&'\00DF']) a, unnest(ARRAY[U&'\0130\0130', 'ii', 'II', U&'i\0307']) b;
:fresh
INSERT INTO k.fold SELECT * FROM k.fold;
SELECT is(test.strays('k.fold'), 'none', 'all at home');
SELECT is((SELECT count(*)::int FROM k.fold a WHERE p = U&'\0130x' AND s = U&'x\0130\0130'), 2, 'and found');
SELECT is((SELECT count(*)::int FROM router.check('k.fold')), 0, 'check is content');
SELECT is((SELECT count(*) FROM router.children WHERE base = 'k.fold'::regclass), (SELECT count(DISTINCT bounds) FROM router.children WHERE base = 'k.fold'::regclass), 'no bounds twice');

-- ------------------------------------------------------- the ends of the calendar
SET statement_timeout = '60s';
CREATE FUNCTION k.ends(type text, every text, zone text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    v text;
    result text := '';
BEGIN
    EXECUTE format('CREATE TABLE k.e (k %s, id %1$s)', type);
    PERFORM router.create_route('k.e', router.by_date('k', every), time_zone => zone, horizon => '6000000 years');
    FOREACH v IN ARRAY ARRAY['4714-11-24 BC', '4713-01-01 BC', '0001-12-31 BC', '2024-02-29', '294276-12-31 23:59:59.999999', '5874897-12-31', 'infinity', '-infinity'] LOOP
        CONTINUE WHEN v ~ '^587' AND type <> 'date';
        result := result || CASE left(test.outcome(format('INSERT INTO k.e VALUES (%L, %1$L)', v)), 5) WHEN 'done' THEN '.' WHEN '22008' THEN '-' ELSE test.outcome(format('INSERT INTO k.e VALUES (%L, %1$L)', v)) END;
    END LOOP;
    result := result || test.strays('k.e') || (SELECT count(*) FROM router.check('k.e'));
    DROP TABLE k.e;
    RETURN result;
END $$;
SELECT matches(k.ends('date', every, 'UTC'), '^[.-]+none0$', 'dates by ' || every) FROM unnest('{day,week,month,3 months,10 years,1000 years,300000 years,170000000 years}'::text[]) every;
SELECT matches(k.ends('timestamp', every, 'UTC'), '^[.-]+none0$', 'timestamps by ' || every) FROM unnest('{15 minutes,week,1000 years,170000000 years}'::text[]) every;
SELECT matches(k.ends('timestamptz', every, zone), '^[.-]+none0$', 'timestamptz by ' || every || ' in ' || zone) FROM unnest('{hour,day,year}'::text[]) every, unnest('{Asia/Kathmandu,America/Sao_Paulo}'::text[]) zone;
-- of a sealed column, which no horizon guards
CREATE TABLE k.sealed (k int, d date, s timestamp, z timestamptz);
SELECT router.create_route('k.sealed', router.by_list('k')) \g /dev/null
INSERT INTO k.sealed VALUES (1, 'infinity', 'infinity', 'infinity'), (2, '-infinity', '-infinity', '-infinity'), (3, '5874897-12-31', '294276-12-31 23:59:59.999999', '294276-12-31 23:59:59.999999+00'),
    (4, '4714-11-24 BC', '4714-11-24 BC', '4714-11-24 00:00+00 BC'), (5, '-infinity', 'infinity', '-infinity'), (5, 'infinity', '-infinity', 'infinity');
CALL router.seal('k.sealed_1', '{d,s,z}');
CALL router.seal('k.sealed_2', '{d,s,z}');
CALL router.seal('k.sealed_3', '{d,s,z}');
CALL router.seal('k.sealed_4', '{d,s,z}');
CALL router.seal('k.sealed_5', '{d,s,z}');
:fresh
SELECT is((SELECT count(*)::int FROM router.seals WHERE state = 'sealed'), 15, 'columns of such values are sealed');
SELECT is((SELECT string_agg(k::text, ' ' ORDER BY k) FROM k.sealed WHERE d = 'infinity' AND z > 'now'), '1 5', 'and found by infinity');
SELECT is((SELECT string_agg(k::text, ' ' ORDER BY k) FROM k.sealed WHERE s = '-infinity'), '2 5', 'by the other one');
SELECT is((SELECT string_agg(k::text, ' ' ORDER BY k) FROM k.sealed WHERE d = '5874897-12-31' OR s = '4714-11-24 BC'), '3 4', 'by the ends');

-- ------------------------------------------------------- the type is somebody else's
SET ROLE router_k_user;
CREATE TYPE u.en AS ENUM ('a', 'b');
CREATE TYPE u.co AS (a int, b text);
CREATE DOMAIN u.dom AS int;
CREATE TYPE u.rng AS RANGE (subtype = int);
CREATE COLLATION u.coll FROM "C";
RESET ROLE;
SET ROLE router_k_owner;
CREATE TABLE k.theirs (e u.en, c u.co, d u.dom, r u.rng, t text COLLATE u.coll);
SELECT router.create_route('k.theirs', ARRAY[router.by_list('e'), router.by_list('c'), router.by_list('d'), router.by_list('r'), router.by_list('t')]) \g /dev/null
INSERT INTO k.theirs VALUES ('a', '(1,x)', 1, '[1,2)', 'x');
RESET ROLE;
SET ROLE router_k_user;
SELECT is(left(test.outcome(command), 5), '2BP01', command) FROM unnest(ARRAY['DROP TYPE u.en CASCADE', 'DROP TYPE u.co CASCADE', 'DROP DOMAIN u.dom CASCADE', 'DROP TYPE u.rng CASCADE', 'DROP COLLATION u.coll CASCADE',
    'DROP SCHEMA u CASCADE', 'DROP OWNED BY router_k_user CASCADE']) command;
SELECT is(test.outcome(command), 'done', command) FROM unnest(ARRAY['ALTER TYPE u.en RENAME VALUE ''a'' TO ''null''', 'ALTER TYPE u.en RENAME TO "null"', 'ALTER TYPE u.co ADD ATTRIBUTE f float8', 'ALTER TYPE u.co RENAME ATTRIBUTE a TO "A b"',
    'ALTER DOMAIN u.dom ADD CHECK (VALUE < 0) NOT VALID', 'ALTER DOMAIN u.dom RENAME TO "d d"', 'ALTER COLLATION u.coll RENAME TO "c c"', 'REVOKE ALL ON TYPE u."null", u.co, u."d d", u.rng FROM PUBLIC', 'REVOKE ALL ON SCHEMA u FROM PUBLIC, router_k_owner']) command;
RESET ROLE;
:fresh
SET ROLE router_k_owner;
SELECT is((SELECT count(*)::int FROM k.theirs WHERE e IS NOT NULL), 1, 'the table is read');
RESET ROLE;
SELECT is((SELECT count(*)::int FROM router.check() WHERE routed_table <> 'k.theirs'::regclass), 0, 'and the others are checked');
SELECT * FROM finish();
