-- What a role may do with some columns of a table, and under row security, it may do with a routed one, and is told as
-- much: compared with a declaratively partitioned twin, statement by statement and grant by grant. And what becomes of
-- routes when their owner, that of a type or key table, or a grantee goes.
\ir ../../include/helpers.sql
\set tests 41
SELECT plan(:tests);

SELECT test.role('router_w_owner'), test.role('router_w_heir'), test.role('router_w_user'), test.role('router_w_viewer'), test.role('router_w_typist') \g /dev/null
CREATE SCHEMA w AUTHORIZATION router_w_owner;
GRANT USAGE, CREATE ON SCHEMA w TO router_w_user, router_w_viewer, router_w_heir, router_w_typist;

-- r, routed, and its twin p; h, hot, and its twin q. What has another name in a twin is named as in the routed table.
SET ROLE router_w_owner;
CREATE TABLE w.r (k int DEFAULT 3 UNIQUE, a text DEFAULT 'aa', b text NOT NULL DEFAULT 'secret', c int DEFAULT 1 CONSTRAINT c CHECK (c > 0));
CREATE TABLE w.p (k int DEFAULT 3 UNIQUE, a text DEFAULT 'aa', b text NOT NULL DEFAULT 'secret', c int DEFAULT 1 CONSTRAINT c CHECK (c > 0)) PARTITION BY RANGE (k);
SELECT router.create_route('w.r', router.by_integer('k', 10), on_missing => 'error') \g /dev/null
SELECT router.create_child('w.r', ARRAY[format('[%s,%s]', i + 1, i + 10)]) FROM generate_series(0, 30, 10) i \g /dev/null
SELECT format('CREATE TABLE w.p%s PARTITION OF w.p FOR VALUES FROM (%s) TO (%s)', i, i + 1, i + 11) FROM generate_series(0, 30, 10) i \gexec
CREATE TABLE w.h (k date DEFAULT '2020-01-07' UNIQUE, a text DEFAULT 'aa', b text NOT NULL DEFAULT 'secret', c int DEFAULT 1 CONSTRAINT c CHECK (c > 0));
CREATE TABLE w.q (k date DEFAULT '2020-01-07' UNIQUE, a text DEFAULT 'aa', b text NOT NULL DEFAULT 'secret', c int DEFAULT 1 CONSTRAINT c CHECK (c > 0)) PARTITION BY RANGE (k);
SELECT router.create_route('w.h', router.by_date('k', 'month'), hot => '7 days', on_missing => 'error') \g /dev/null
SELECT router.create_child('w.h', ARRAY[format('[2020-0%s-01,2020-0%s-01)', i, i + 1)]) FROM generate_series(1, 4) i \g /dev/null
SELECT format('CREATE TABLE w.q%s PARTITION OF w.q FOR VALUES FROM (%L) TO (%L)', i, format('2020-0%s-01', i), format('2020-0%s-01', i + 1)) FROM generate_series(1, 4) i \gexec
SELECT format('CREATE TABLE w.q5 PARTITION OF w.q FOR VALUES FROM (%L) TO (%L)', current_date - 100, current_date + 100) \gexec
INSERT INTO w.r VALUES (5, 'five', 'secret5', 1), (25, 'more', 'secret25', 2);
INSERT INTO w.p TABLE w.r;
INSERT INTO w.h VALUES ('2020-01-13', 'five', 'secret5', 1), ('2020-03-13', 'more', 'secret25', 2), (current_date, 'hot', 'secrethot', 1);
INSERT INTO w.q TABLE w.h;
RESET ROLE;

CREATE TABLE test.statements (n serial, s text);
INSERT INTO test.statements (s) VALUES
    ('INSERT INTO T (k, a) VALUES (K6, ''x'')'), ('INSERT INTO T (a) VALUES (''x'')'), ('INSERT INTO T (k) VALUES (K99)'),
    ('INSERT INTO T (a, b) VALUES (''x'', ''y'')'), ('INSERT INTO T DEFAULT VALUES'), ('INSERT INTO T VALUES (K7)'),
    ('INSERT INTO T (k, a) VALUES (K6, ''x'') RETURNING k'), ('INSERT INTO T (k, a) VALUES (K6, ''x'') RETURNING a'),
    ('INSERT INTO T (k) VALUES (K6) RETURNING *'), ('INSERT INTO T (k) VALUES (K6) RETURNING tableoid = 0'),
    ('INSERT INTO T (k, a) VALUES (K5, ''x'')'), ('INSERT INTO T (k, a, c) VALUES (K6, ''x'', -1)'), ('INSERT INTO T (k, c) VALUES (K6, -1)'),
    ('INSERT INTO T (k, b) VALUES (K6, NULL)'), ('INSERT INTO T (a, b) VALUES (''q'', NULL)'),
    ('INSERT INTO T (k, a) VALUES (K5, ''x'') ON CONFLICT DO NOTHING'), ('INSERT INTO T (k, a) VALUES (K5, ''x'') ON CONFLICT (k) DO NOTHING'),
    ('INSERT INTO T (k, a) VALUES (K5, ''x'') ON CONFLICT (k) DO UPDATE SET a = ''z'''),
    ('INSERT INTO T (k, a) VALUES (K5, ''x'') ON CONFLICT (k) DO UPDATE SET a = excluded.a'),
    ('INSERT INTO T (k, a) VALUES (K5, ''x'') ON CONFLICT (k) DO UPDATE SET a = T.b'),
    ('INSERT INTO T (k, a) VALUES (K5, ''x'') ON CONFLICT (k) DO UPDATE SET a = ''y'' WHERE T.b <> '''''),
    ('INSERT INTO T (k, a) VALUES (K5, ''x'') ON CONFLICT (k) DO UPDATE SET c = -1'),
    ('UPDATE T SET k = k + 31 WHERE k < K20'), ('UPDATE T SET k = k + 1'), ('UPDATE T SET k = K16 WHERE k = K5'), ('UPDATE T SET k = K16 WHERE a = ''five'''),
    ('UPDATE T SET k = K99 WHERE c = 1'), ('UPDATE T SET k = K99'), ('UPDATE T SET a = ''z'''), ('UPDATE T SET a = b'), ('UPDATE T SET c = -1'),
    ('UPDATE T SET b = NULL'), ('UPDATE T SET c = -c, k = k + 1'), ('UPDATE T SET k = K16 WHERE k = K5 RETURNING k'),
    ('UPDATE T SET k = K16 WHERE k = K5 RETURNING b'), ('UPDATE T SET k = K25 WHERE k = K5'), ('UPDATE T SET k = K25'),
    ('DELETE FROM T'), ('DELETE FROM T WHERE k = K5'), ('DELETE FROM T WHERE k = K5 RETURNING k'), ('TRUNCATE T'),
    ('LOCK TABLE T IN ROW EXCLUSIVE MODE'), ('LOCK TABLE T IN ACCESS EXCLUSIVE MODE'), ('LOCK TABLE T IN ACCESS SHARE MODE'),
    ('SELECT k FROM T WHERE k = K5'), ('SELECT count(*) FROM T'), ('SELECT k FROM T FOR UPDATE'), ('SELECT b FROM T WHERE k < K9'),
    ('MERGE INTO T USING (VALUES (K5), (K6)) v(x) ON T.k = v.x WHEN MATCHED THEN UPDATE SET a = ''m'' WHEN NOT MATCHED THEN INSERT (k, a) VALUES (v.x, ''n'')'),
    ('MERGE INTO T USING (VALUES (K5)) v(x) ON T.k = v.x WHEN MATCHED THEN UPDATE SET k = K17'),
    ('MERGE INTO T USING (VALUES (K5)) v(x) ON T.k = v.x WHEN MATCHED THEN UPDATE SET k = K99'),
    ('MERGE INTO T USING (VALUES (K5)) v(x) ON T.k = v.x WHEN MATCHED THEN DELETE'),
    ('INSERT INTO Tv (k, a) VALUES (K6, ''x'')'), ('INSERT INTO Tv (k, a) VALUES (K99, ''x'')'), ('UPDATE Tv SET k = k + 31'), ('UPDATE Tv SET a = ''q'' WHERE k = K5'),
    ('INSERT INTO Tv (k, a) VALUES (K18, ''x'')'), ('UPDATE Tv SET c = -1'), ('DELETE FROM Tv'),
    ('INSERT INTO Ti (k, a) VALUES (K6, ''x'')'), ('UPDATE Ti SET k = k + 31 WHERE k < K20'), ('UPDATE Ti SET a = ''w'' WHERE k = K5');

-- A statement on one of the tables, with its keys. KEY 99 has no child.
CREATE FUNCTION test.statement(s text, t text) RETURNS text LANGUAGE sql IMMUTABLE AS $$
    SELECT regexp_replace(regexp_replace(regexp_replace(s, '\mT([vi]?)\M', 'w.' || t || '\1', 'g'), '\mw.' || t || '\.', t || '.', 'g'),
                          '\mK(\d+)\M', CASE WHEN t IN ('h', 'q') THEN '(date ''2020-01-01'' + 3 * (\1 - 1))' ELSE '\1' END, 'g')
$$;
-- How it ends for a role: SQLSTATE, and what it tells of values; or the number of rows. Nothing is left of it.
CREATE FUNCTION test.told(role text, command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    told text;
    n bigint;
BEGIN
    PERFORM set_config('role', role, true);
    EXECUTE command;
    GET DIAGNOSTICS n = ROW_COUNT;
    RAISE EXCEPTION USING ERRCODE = 'RT000', MESSAGE = n;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS told = PG_EXCEPTION_DETAIL;
    RETURN CASE WHEN SQLSTATE = 'RT000' THEN SQLERRM
                ELSE SQLSTATE || ' ' || regexp_replace(told, '^(The row has|Partition key of the failing row contains) ', '') END;
END $$;
-- Every statement with a grant on both tables of a pair; the first that ends differently. A routed table may say less of a value, never more:
-- but for the keys that a unique index finds twice, of which partitions tell nobody without grants on the partition itself.
CREATE FUNCTION test.compare(routed text, twin text, allowed text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    st record;
    t text;
    one text;
    other text;
    who text;
BEGIN
    FOREACH t IN ARRAY ARRAY[routed, twin] LOOP
        EXECUTE format('REVOKE ALL ON w.%1$I FROM router_w_user; REVOKE ALL (k, a, b, c) ON w.%1$I FROM router_w_user; GRANT %2$s ON w.%1$I TO router_w_user', t, allowed);
    END LOOP;
    FOR st IN SELECT s FROM test.statements ORDER BY n LOOP
        who := CASE WHEN st.s ~ '\mTv\M' THEN 'router_w_viewer' ELSE 'router_w_user' END;
        one := test.told(who, test.statement(st.s, routed));
        other := test.told(who, test.statement(st.s, twin));
        CONTINUE WHEN one = other OR other <> '' AND one = left(other, 5) || ' ';
        -- of several rows that fail, one is told of
        CONTINUE WHEN st.s ~ '^UPDATE T SET' AND st.s !~ 'WHERE' AND left(one, 30) = left(other, 30);
        -- policies are asked before a home is looked for
        CONTINUE WHEN one LIKE '42501%' AND other LIKE '23514%' AND (SELECT relrowsecurity FROM pg_class WHERE oid = format('w.%I', routed)::regclass);
        CONTINUE WHEN one LIKE '23505 Key (k)%' AND other = '23505 ' AND has_column_privilege('router_w_user', format('w.%I', routed), 'k', 'SELECT');
        RETURN format('%s: %s, twin %s', test.statement(st.s, routed), one, other);
    END LOOP;
    RETURN 'alike';
END $$;
CREATE FUNCTION test.secure(t text, policies text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    p record;
BEGIN
    FOR p IN SELECT polname FROM pg_policy WHERE polrelid = format('w.%I', t)::regclass LOOP
        EXECUTE format('DROP POLICY %I ON w.%I', p.polname, t);
    END LOOP;
    EXECUTE format('ALTER TABLE w.%I %s ROW LEVEL SECURITY', t, CASE WHEN policies IS NULL THEN 'DISABLE' ELSE 'ENABLE' END);
    EXECUTE coalesce(regexp_replace(policies, '\mT\M', 'w.' || t, 'g'), 'SELECT');
    -- a view of a role without more rights than it, and one that asks for those of who uses it
    EXECUTE format('DROP VIEW IF EXISTS w.%1$sv, w.%1$si; CREATE VIEW w.%1$sv AS SELECT * FROM w.%1$I WHERE c < 5 WITH CHECK OPTION; ALTER VIEW w.%1$sv OWNER TO router_w_user;'
                   ' GRANT ALL ON w.%1$sv TO router_w_viewer; CREATE VIEW w.%1$si WITH (security_invoker) AS SELECT * FROM w.%1$I; ALTER VIEW w.%1$si OWNER TO router_w_owner;'
                   ' GRANT ALL ON w.%1$si TO router_w_user', t);
END $$;

CREATE TABLE test.policies (n int, p text);
INSERT INTO test.policies VALUES (1, NULL), (2, 'CREATE POLICY x ON T USING (c < 2)'), (3, 'CREATE POLICY x ON T USING (a <> ''more'') WITH CHECK (a <> ''x'')'),
    (4, 'CREATE POLICY i ON T FOR INSERT WITH CHECK (true); CREATE POLICY u ON T FOR UPDATE USING (c = 1); CREATE POLICY s ON T FOR SELECT USING (c = 1)');
CREATE TABLE test.grants (n serial, g text);
INSERT INTO test.grants (g) VALUES ('INSERT'), ('INSERT (k, a)'), ('INSERT (a, b)'), ('INSERT, SELECT'), ('INSERT (k), SELECT (k)'), ('INSERT (k, a), SELECT (a)'),
    ('UPDATE (k)'), ('UPDATE (k), SELECT (k)'), ('UPDATE (k), SELECT (c)'), ('UPDATE (k), INSERT'), ('UPDATE'), ('UPDATE, SELECT'), ('UPDATE (a), SELECT (k, a)'),
    ('UPDATE (c)'), ('UPDATE (c, k), SELECT (k)'), ('DELETE'), ('DELETE, SELECT (k)'), ('TRUNCATE'), ('SELECT (k)'), ('SELECT'), ('INSERT, UPDATE (k), SELECT (k)'),
    ('INSERT (k, a), UPDATE (a), SELECT (k, a)'), ('INSERT, UPDATE, DELETE, SELECT'), ('INSERT, UPDATE, SELECT (k, c)'), ('REFERENCES');

SELECT test.secure(t, (SELECT p FROM test.policies WHERE n = 1)) FROM unnest('{r,p,h,q}'::text[]) t \g /dev/null
:fresh
SELECT is((SELECT string_agg(g || ': ' || c, E'\n') FROM test.grants, test.compare('r', 'p', g) c WHERE c <> 'alike'), NULL, 'grants, without row security');
:fresh
SELECT is((SELECT string_agg(g || ': ' || c, E'\n') FROM test.grants, test.compare('h', 'q', g) c WHERE c <> 'alike'), NULL, 'the same, a hot base');
SELECT test.secure(t, (SELECT p FROM test.policies WHERE n = 2)) FROM unnest('{r,p,h,q}'::text[]) t \g /dev/null
:fresh
SELECT is((SELECT string_agg(g || ': ' || c, E'\n') FROM test.grants, test.compare('r', 'p', g) c WHERE c <> 'alike'), NULL, 'grants, with a policy');
:fresh
SELECT is((SELECT string_agg(g || ': ' || c, E'\n') FROM test.grants, test.compare('h', 'q', g) c WHERE c <> 'alike'), NULL, 'the same, a hot base');
SELECT test.secure(t, (SELECT p FROM test.policies WHERE n = 3)) FROM unnest('{r,p,h,q}'::text[]) t \g /dev/null
:fresh
SELECT is((SELECT string_agg(g || ': ' || c, E'\n') FROM test.grants, test.compare('r', 'p', g) c WHERE c <> 'alike'), NULL, 'grants, with a policy and another check');
:fresh
SELECT is((SELECT string_agg(g || ': ' || c, E'\n') FROM test.grants, test.compare('h', 'q', g) c WHERE c <> 'alike'), NULL, 'the same, a hot base');
SELECT test.secure(t, (SELECT p FROM test.policies WHERE n = 4)) FROM unnest('{r,p,h,q}'::text[]) t \g /dev/null
:fresh
SELECT is((SELECT string_agg(g || ': ' || c, E'\n') FROM test.grants, test.compare('r', 'p', g) c WHERE c <> 'alike'), NULL, 'grants, with policies for commands');
:fresh
SELECT is((SELECT string_agg(g || ': ' || c, E'\n') FROM test.grants, test.compare('h', 'q', g) c WHERE c <> 'alike'), NULL, 'the same, a hot base');

-- what is told before the library is there, and by COPY
SELECT test.secure(t, NULL) FROM unnest('{r,p,h,q}'::text[]) t \g /dev/null
REVOKE ALL ON w.r FROM router_w_user;
GRANT INSERT (k, a), UPDATE (c), UPDATE (k) ON w.r TO router_w_user;
:fresh
SET ROLE router_w_user;
INSERT INTO w.r (k, a) VALUES (99, 'x');
SELECT is(:'SQLSTATE'::text, '23514'::text, 'a row without a home');
RESET ROLE;
:fresh
SET ROLE router_w_user;
COPY w.r (k, a) FROM STDIN;
6	x
16	y
\.
SELECT is(:'SQLSTATE'::text, '00000'::text, 'COPY of some columns');
SELECT throws_ok('COPY w.r (k, b) FROM ''/dev/null''', '42501', NULL, 'of others, or from files');
SELECT is(test.told('router_w_user', 'UPDATE w.r SET k = k + 200'), '42501 ', 'what may not be read may not be computed with');
SELECT is(test.told('router_w_user', 'UPDATE w.r SET k = 200'), '23514 ', 'keys are told to nobody who may not read them');
RESET ROLE;
GRANT SELECT (k) ON w.r TO router_w_user;
SELECT is(test.told('router_w_user', 'UPDATE w.r SET k = k + 200 WHERE k = 6'), '23514 (k) = (206).', 'but to who may');
SELECT test.secure('r', 'CREATE POLICY x ON T USING (true)') \g /dev/null
SELECT is(test.told('router_w_user', 'UPDATE w.r SET k = k + 200 WHERE k = 6'), '23514 ', 'and not under row security');
SELECT test.secure('r', NULL) \g /dev/null

-- a key that is changed by a referential action: for who may change the row that is referred to, and nothing else
SET ROLE router_w_owner;
CREATE TABLE w.parent (k int PRIMARY KEY);
INSERT INTO w.parent VALUES (5), (16);
ALTER TABLE w.r ADD COLUMN f int REFERENCES w.parent ON UPDATE CASCADE ON DELETE CASCADE;
CREATE TABLE w.c (k int REFERENCES w.parent ON UPDATE CASCADE ON DELETE CASCADE, v int);
SELECT router.create_route('w.c', router.by_integer('k', 10)) \g /dev/null
INSERT INTO w.c VALUES (5, 1), (16, 2);
GRANT SELECT, UPDATE, DELETE ON w.parent TO router_w_viewer;
RESET ROLE;
:fresh
SET ROLE router_w_viewer;
UPDATE w.parent SET k = 37 WHERE k = 5;
SELECT is(:'SQLSTATE'::text, '00000'::text, 'ON UPDATE CASCADE moves rows for a role that may not touch them');
DELETE FROM w.parent WHERE k = 16;
SELECT is(:'SQLSTATE'::text, '00000'::text, 'and ON DELETE CASCADE deletes');
SELECT is(test.outcome('SELECT * FROM w.c'), '42501: permission denied for table c', 'which it still may not');
RESET ROLE;
SELECT is(test.homes('w.c'), 'w.c_31_40: 1', 'they went home');
SELECT is((SELECT relowner::regrole::text FROM pg_class WHERE oid = 'w.c_31_40'::regclass), 'router_w_owner', 'to a child of the owner');

-- --------------------------------------------------------------- ownership
SET ROLE router_w_typist;
CREATE TYPE w.mood AS ENUM ('good', 'bad');
RESET ROLE;
SET ROLE router_w_owner;
CREATE TABLE w.o (k int PRIMARY KEY, d date, u int);
SELECT router.create_route('w.o', ARRAY[router.by_integer('k', 10), router.by_date('d', 'year')]) \g /dev/null
SELECT router.add_global_key('w.o', '{u}') \g /dev/null
SELECT router.add_tier('w.o', '10 years', access_method => 'heap') \g /dev/null
SELECT router.set_maintenance('w.o', premake => 0) \g /dev/null
CREATE TABLE w.m (m w.mood, v int);
SELECT router.create_route('w.m', router.by_list('m')) \g /dev/null
INSERT INTO w.o SELECT i, '2024-01-01', i FROM generate_series(1, 20) i;
INSERT INTO w.m VALUES ('good', 1), ('bad', 2);
GRANT SELECT, INSERT ON w.o TO router_w_user WITH GRANT OPTION;
RESET ROLE;
SET ROLE router_w_user;
GRANT SELECT ON w.o TO router_w_viewer;
RESET ROLE;
CREATE FUNCTION test.owners(pattern text) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(DISTINCT relowner::regrole::text, ' ') FROM pg_class WHERE relnamespace = 'w'::regnamespace AND relname ~ pattern
$$;
CREATE FUNCTION test.grantees(pattern text) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(DISTINCT relacl::text, ' ') FROM pg_class WHERE relnamespace = 'w'::regnamespace AND relname ~ pattern AND relkind = 'r'
$$;
SELECT is((SELECT count(DISTINCT relacl::text)::int FROM pg_class WHERE oid IN (SELECT 'w.o'::regclass UNION SELECT child FROM router.children WHERE base = 'w.o'::regclass)), 1, 'who was granted with grant option grants children as well');
SET ROLE router_w_user;
REVOKE SELECT ON w.o FROM router_w_viewer;
RESET ROLE;
DROP OWNED BY router_w_user;
SELECT is(test.grantees('^o(_[0-9].*)?$'), '{router_w_owner=' || CASE WHEN current_setting('server_version_num')::int >= 170000 THEN 'arwdDxtm' ELSE 'arwdDxt' END || '/router_w_owner}', 'DROP OWNED of a grantee takes its grants on children away');
SELECT is((SELECT count(*)::int FROM router.check('w.o')), 0, 'and all is well');

REASSIGN OWNED BY router_w_owner TO router_w_heir;
SELECT is(test.owners('^(o|m)(_|$)'), 'router_w_heir', 'REASSIGN OWNED takes bases, children, key tables and indexes along');
SELECT is((SELECT count(*)::int FROM router.check('w.o')) + (SELECT count(*)::int FROM router.check('w.m')), 0, 'nothing is amiss');
SET ROLE router_w_owner;
SELECT throws_ok(c, '42501', NULL, 'the former owner: ' || c) FROM unnest(ARRAY[$$SELECT router.alter_route('w.o', horizon => '1 year')$$,
    $$SELECT router.drop_tier('w.o', '10 years')$$, $$SELECT router.drop_global_key('w.o', '{u}')$$, $$CALL router.move_child('w.o_1_10_y2024', access_method => 'heap')$$]) c;
RESET ROLE;
GRANT USAGE, CREATE ON SCHEMA w TO router_w_owner;
SET ROLE router_w_heir;
INSERT INTO w.o VALUES (35, '2024-01-01', 35);
SELECT lives_ok($$SELECT router.alter_route('w.o', horizon => '10 years')$$, 'the heir owns the route');
RESET ROLE;
SELECT is(test.owners('^(o|m)(_|$)'), 'router_w_heir', 'children to come are his');
ALTER TABLE w.o_1_10_y2024 OWNER TO router_w_owner;
SELECT is((SELECT string_agg(kind, ' ' ORDER BY kind) FROM router.check('w.o')), 'grants owner', 'a child that is given to somebody else is told of');
SELECT throws_ok($$CALL router.move_child('w.o_1_10_y2024', access_method => 'heap')$$, '42501', NULL, 'and not moved');
SELECT router.sync('w.o') \g /dev/null
SELECT is((SELECT count(*)::int FROM router.check('w.o')), 0, 'sync takes it back');

-- who owns the type of a key cannot take the table away with it
SELECT throws_ok('DROP OWNED BY router_w_typist', '2BP01', NULL, 'the type of a key is needed');
SELECT throws_ok('DROP OWNED BY router_w_typist CASCADE', '2BP01', NULL, 'also by CASCADE');
ALTER SCHEMA w OWNER TO CURRENT_USER;
GRANT USAGE, CREATE ON SCHEMA w TO router_w_heir;
ALTER TABLE w.o_u_keys OWNER TO router_w_typist;
SELECT matches((SELECT detail FROM router.check() WHERE kind = 'check'), 'belongs to another role than its routed table', 'a table that cannot be checked is told of, and no others are passed over');
SELECT throws_ok('DROP OWNED BY router_w_typist CASCADE', '2BP01', NULL, 'so is a key table, whoever owns it');
DROP OWNED BY router_w_heir;
SELECT is((SELECT count(*)::int FROM router.route_def WHERE base::text ~ '^w\.[om]$') + (SELECT count(*)::int FROM router.child_def c WHERE NOT EXISTS (SELECT FROM pg_class WHERE oid = c.child))
          + (SELECT count(*)::int FROM router.tier_def) + (SELECT count(*)::int FROM router.maintain_def) + (SELECT count(*)::int FROM router.global_key_def), 0, 'DROP OWNED of the owner leaves nothing in the catalog');
SELECT is((SELECT count(*)::int FROM router.check()), 0, 'nothing is amiss');
SELECT is(test.outcome('DROP OWNED BY router_w_typist'), 'done', 'then the type may go');

DROP OWNED BY router_w_user, router_w_viewer, router_w_typist, router_w_heir, router_w_owner CASCADE;
SELECT * FROM finish();
