-- A route as text: what router.route_ddl gives makes the same route.
\ir ../../include/helpers.sql
\set tests 32
SELECT plan(:tests);
SELECT test.role('router_rd_stranger') \g /dev/null
CREATE SCHEMA "odd ""one";
CREATE SCHEMA attic;
CREATE SCHEMA "no ok";
SET search_path = "odd ""one", public;

-- All that there is to say of a route, by names. Where a hot base's watermark is, and what sealed children hold, comes from the rows.
CREATE FUNCTION test.route(base text, by_name boolean) RETURNS SETOF text LANGUAGE sql AS $$
    SELECT to_jsonb(r)::text FROM (SELECT keys, time_zone, template, child_schema, on_missing, on_reject, horizon, max_new_children, hot FROM router.routes r WHERE r.base = $1::regclass) r
    UNION ALL SELECT to_jsonb(k)::text FROM (SELECT level, kind, column_name, every, modulus, groups, pivot, from_pivot, label FROM router.key_def k WHERE k.base = $1::regclass) k
    UNION ALL SELECT format('child %s %s', bounds, CASE WHEN by_name THEN child::text END) FROM router.children c WHERE c.base = $1::regclass
    UNION ALL SELECT to_jsonb(m)::text FROM (SELECT premake, keep, keep_children, retire, retire_schema, seal FROM router.maintenance m WHERE m.base = $1::regclass) m
    UNION ALL SELECT to_jsonb(t)::text FROM (SELECT after, tablespace, access_method, server, remote_schema FROM router.tier_def t WHERE t.base = $1::regclass) t
    UNION ALL SELECT format('key %s %s', columns, key_table) FROM router.global_keys g WHERE g.base = $1::regclass
    UNION ALL SELECT format('seal %s %s', child, "column") FROM router.seals s WHERE s.base = $1::regclass AND by_name
    UNION ALL SELECT format('trigger %s', tgname) FROM pg_trigger WHERE tgrelid = $1::regclass AND NOT tgisinternal
$$;
-- Drops a route and its children. Foreign children and those of another schema are there beforehand: they stay.
CREATE FUNCTION test.unmake(base text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE x record;
BEGIN
    PERFORM router.drop_global_key(g.base, g.columns) FROM router.global_keys g WHERE g.base = $1::regclass;
    FOR x IN SELECT child, c.relkind = 'f' OR c.relnamespace = 'attic'::regnamespace AS stays FROM router.children r JOIN pg_class c ON c.oid = child WHERE r.base = $1::regclass LOOP
        IF x.stays THEN PERFORM router.detach_child(x.child); ELSE EXECUTE format('DROP TABLE %s', x.child); END IF;
    END LOOP;
    PERFORM router.drop_route($1::regclass);
END $$;

CREATE TABLE rt (name text, command text);
CREATE TABLE simple (i int, d date, t text);
CREATE TABLE "it's" (LIKE simple);
CREATE TABLE grouped (LIKE simple);
CREATE TABLE regrouped (LIKE simple);
CREATE TABLE stepped (id int NOT NULL, d timestamptz NOT NULL, "Wert" text);
CREATE TABLE hashed (LIKE simple);
CREATE TABLE levels (LIKE simple);
CREATE TABLE cut (LIKE simple);
CREATE TABLE by_hand (LIKE simple);
CREATE TABLE hot (id bigint NOT NULL, at timestamptz NOT NULL);
CREATE TABLE residence (id int, code text);
INSERT INTO residence VALUES (1, 'one''s'), (2, 'two');
SELECT router.create_route('simple', router.by_date('d', 'month'), time_zone => 'UTC') \g /dev/null
INSERT INTO simple (d) VALUES ('2024-01-01'), ('2024-05-05'), (NULL);
SELECT router.create_route('"it''s"', ARRAY[router.by_list('i', label => $$SELECT code || '\' FROM "odd ""one".residence WHERE id = $1$$), router.by_suffix('t', 3)],
                           template => 'x_{2}_{base}_{1}', time_zone => 'Europe/Luxembourg', default_child => true, on_missing => 'create', on_reject => 'default', horizon => '3 years 2 days', max_new_children => 7, child_schema => 'no ok') \g /dev/null
INSERT INTO "it's" VALUES (1, NULL, 'abcde'), (2, NULL, 'x''y\z'), (3, NULL, '{"a,'), (NULL, NULL, NULL);
SELECT router.create_route('grouped', router.by_list('t', ARRAY['{a,b}', '{"c d",NULL}', '{"{x}","null"}'], 'SELECT ''of'''), time_zone => 'UTC', default_child => true, on_missing => 'default') \g /dev/null
SELECT router.create_child('grouped', ARRAY['{y,z}'], 'by hand') \g /dev/null
SELECT router.create_child('grouped', 'single') \g /dev/null
-- children in the place of those that create_route makes
SELECT router.create_route('regrouped', router.by_list('i', ARRAY['{1,2,3}', '{4,5}']), time_zone => 'UTC') \g /dev/null
DROP TABLE regrouped_1_2_3;
SELECT router.create_child('regrouped', ARRAY['{2}']) \g /dev/null
INSERT INTO regrouped (i) VALUES (1), (9);
SELECT router.create_route('stepped', router.by_date('d', 'week', '2024-01-01'), time_zone => 'America/New_York') \g /dev/null
SELECT router.create_child('stepped', ARRAY['[2024-02-03 11:00,2024-02-03 12:00)'], 'an hour') \g /dev/null
INSERT INTO stepped VALUES (1, '2020-01-01', 'a'), (2, '2024-02-02', 'b'), (3, '2024-02-05', 'c'), (4, '2024-03-05', 'd');
SELECT router.add_global_key('stepped', '{id}') \g /dev/null
SELECT router.add_global_key('stepped', '{Wert,id}', 'Keys') \g /dev/null
CREATE ACCESS METHOD other_heap TYPE TABLE HANDLER heap_tableam_handler;
SELECT router.add_tier('stepped', '1 year', tablespace => 'pg_default'), router.add_tier('stepped', '2 years 3 mons', access_method => 'other_heap') \g /dev/null
SELECT router.set_maintenance('stepped', premake => 0, keep => '5 years', keep_children => 99, retire => 'schema', retire_schema => 'odd "one') \g /dev/null
SELECT router.create_route('hashed', router.by_hash('t', 3), time_zone => 'UTC', on_missing => 'error') \g /dev/null
SELECT router.create_child('hashed', ARRAY[b]) FROM unnest('{0/3,1/3,2/6,5/6}'::text[]) b \g /dev/null
SELECT router.create_route('levels', ARRAY[router.by_list('i', ARRAY['{1,2}', '{3,NULL}']), router.by_date('d', 'year'), router.by_prefix('t', 2)], time_zone => 'UTC') \g /dev/null
INSERT INTO levels SELECT i, date '2023-06-01' + i * 100, 'Ab' || i FROM generate_series(1, 5) i;
INSERT INTO levels VALUES (NULL, NULL, NULL), (7, NULL, 'zz');
SELECT router.create_child('levels', ARRAY['{8,9}', '[2000-01-01,2010-01-01)', '{pq,rs}'], 'wide') \g /dev/null
CREATE TABLE attic.levels_old (LIKE simple);
SELECT router.attach_child('levels', 'attic.levels_old', ARRAY['{8,9}', '[1990-01-01,2000-01-01)', '{pq,rs}']) \g /dev/null
-- steps, groups that were cut
SELECT router.create_route('cut', router.by_integer('i', 100, 1000), time_zone => 'UTC') \g /dev/null
SELECT router.create_child('cut', ARRAY[b]) FROM unnest('{"[1050,1070]","[5000,)"}'::text[]) b \g /dev/null
INSERT INTO cut (i) VALUES (-7), (1000), (1080), (2222), (9999), (NULL);
SELECT router.create_route('by_hand', router.by_date('d'), time_zone => 'UTC') \g /dev/null
SELECT router.create_child('by_hand', ARRAY[b]) FROM unnest('{"(,2000-01-01)","[2000-01-01,2024-01-01)",NULL}'::text[]) b \g /dev/null
CREATE FOREIGN DATA WRAPPER nothing;
CREATE SERVER nowhere FOREIGN DATA WRAPPER nothing;
CREATE FOREIGN TABLE far (i int, d date, t text) SERVER nowhere;
SELECT router.attach_child('by_hand', 'far', ARRAY['[2024-01-01,)']) \g /dev/null
SELECT router.create_route('hot', router.by_date('at', 'month'), hot => '7 days', time_zone => 'UTC', template => '{1}_of_{base}') \g /dev/null
INSERT INTO hot SELECT i, '2024-01-10'::timestamptz + i * interval '20 days' FROM generate_series(1, 4) i;
SELECT router.set_maintenance('hot', seal => '{id}') \g /dev/null
CALL router.seal(router.child_of('hot', '2024-02-01'), '{id}');
SELECT router.create_child('hot', ARRAY['[2020-01-01,2021-01-01)'], 'y2020') \g /dev/null
INSERT INTO hot VALUES (1, '2020-02-02');
CALL router.seal('y2020', '{id}');

-- -------------------------------------------------- each, there and back, twice
CREATE TABLE base AS SELECT base::text AS name FROM router.routes;
SELECT is((SELECT count(*) FROM base), 10::bigint, 'so many routes');
CREATE TABLE ddl AS SELECT name, c AS children, n, line FROM base, unnest('{f,t}'::boolean[]) c, router.route_ddl(name::regclass, c) WITH ORDINALITY l(line, n);
CREATE TABLE before AS SELECT name, c AS children, line FROM base, unnest('{f,t}'::boolean[]) c, test.route(name, c) line;
SELECT is((SELECT string_agg(line, E'\n' ORDER BY n) FROM ddl WHERE name = 'simple' AND NOT children), 'SELECT router.create_route(''"odd ""one".simple'', router.by_date(''d'', every => ''month''), time_zone => ''UTC'');',
    'a route with the usual settings is one call; its children come by themselves');
SELECT is((SELECT string_agg(line, E'\n' ORDER BY n) FROM ddl WHERE name = 'hot' AND NOT children AND line LIKE 'CALL%'), NULL, 'a child that maintenance seals is not told');
SELECT is((SELECT count(*) FROM ddl WHERE name = 'hot' AND children AND line LIKE 'CALL%'), 2::bigint, 'but with all children');
SET ROLE router_rd_stranger;
SELECT is((SELECT count(*) FROM router.routes r, router.route_ddl(r.base, true) WHERE r.base::text LIKE '%stepped'), (SELECT 6 + count(*) FROM router.children WHERE base::text LIKE '%stepped'), 'everybody may read it');
RESET ROLE;
-- what each session has set must not matter
SET search_path = pg_catalog, public;
SET DateStyle = 'German';
SET TimeZone = 'Asia/Tokyo';
SET IntervalStyle = 'iso_8601';
SELECT is((SELECT count(*) FROM "odd ""one".ddl d FULL JOIN (SELECT name, c, n, line FROM "odd ""one".base, unnest('{f,t}'::boolean[]) c,
               router.route_ddl(('"odd ""one".' || name)::regclass, c) WITH ORDINALITY l(line, n)) e ON e.name = d.name AND e.c = d.children AND e.n = d.n AND e.line = d.line
            WHERE d.name IS NULL OR e.name IS NULL), 0::bigint, 'the text is the same in every session');
SET search_path = "odd ""one", public;
SELECT test.unmake(name) FROM base \g /dev/null
SELECT is((SELECT count(*) FROM router.routes) + (SELECT count(*) FROM router.children), 0::bigint, 'all is gone');
SET search_path = pg_catalog;
SELECT line FROM "odd ""one".ddl WHERE children ORDER BY name, n
\o /dev/null
\gexec
\o
SET search_path = "odd ""one", public;
RESET DateStyle;
RESET TimeZone;
RESET IntervalStyle;
CREATE VIEW differs AS
    SELECT name, children, string_agg(side || line, E'\n' ORDER BY line, side) AS difference
      FROM base, unnest('{f,t}'::boolean[]) c(children), LATERAL (
           (SELECT '- ' AS side, line FROM before b WHERE b.name = base.name AND b.children = c.children EXCEPT ALL SELECT '- ', line FROM test.route(name, c.children) line)
           UNION ALL
           (SELECT '+ ', line FROM test.route(name, c.children) line EXCEPT ALL SELECT '+ ', line FROM before b WHERE b.name = base.name AND b.children = c.children)) d
     GROUP BY 1, 2;
SELECT is((SELECT difference FROM differs d WHERE d.name = base.name AND children), NULL, name || ': made again with all children') FROM base ORDER BY name;
SELECT is((SELECT count(*) FROM ddl d FULL JOIN (SELECT name, n, line FROM base, router.route_ddl(name::regclass, true) WITH ORDINALITY l(line, n)) e ON e.name = d.name AND e.n = d.n AND e.line = d.line
            WHERE d.children AND (d.name IS NULL OR e.name IS NULL)), 0::bigint, 'whose text is the same');

SELECT test.unmake(name) FROM base \g /dev/null
\o /dev/null
SELECT line FROM ddl WHERE NOT children ORDER BY name, n
\gexec
\o
SELECT is((SELECT count(*) FROM ddl d FULL JOIN (SELECT name, n, line FROM base, router.route_ddl(name::regclass) WITH ORDINALITY l(line, n)) e ON e.name = d.name AND e.n = d.n AND e.line = d.line
            WHERE NOT d.children AND (d.name IS NULL OR e.name IS NULL)), 0::bigint, 'and so without those that come by themselves');
SELECT is((SELECT string_agg(line, E'\n') FROM regexp_split_to_table((SELECT difference FROM differs d WHERE d.name = base.name AND NOT children), E'\n') line WHERE line !~ '^- child'), NULL, name || ': only children are missing') FROM base ORDER BY name;
SELECT is((SELECT string_agg(bounds::text, ' ' ORDER BY bounds) FROM router.children WHERE base = 'regrouped'::regclass), '{"{1,3}"} {"{2}"} {"{4,5}"}', 'those in the place of groups are there');

SELECT throws_ok($$SELECT router.route_ddl('base')$$, '55000', NULL, 'no routed table');
SELECT throws_ok($$SELECT router.route_ddl(NULL)$$, '22004', NULL, 'NULL');
SELECT * FROM finish();
