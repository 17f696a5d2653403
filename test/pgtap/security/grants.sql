-- What a role with some grants may not do: write rows that a policy refuses, whatever makes the row what it is and however it comes
-- home; put another trigger in the place of router's; keep rows and children from leaving.
\ir ../../include/helpers.sql
\set tests 96
SELECT plan(:tests);
SELECT test.role('router_g_owner'), test.role('router_g_app') \g /dev/null
CREATE SCHEMA app AUTHORIZATION router_g_owner;
CREATE SCHEMA mine AUTHORIZATION router_g_app;
GRANT USAGE ON SCHEMA app TO router_g_app;

-- ------------------------------------- policies, beside a twin of partitions
-- %r is a routed table, %p a partitioned one. The row's tenant is made from what was asked for: by a trigger of all, by a trigger
-- of one child, or by a generated column.
SET ROLE router_g_owner;
CREATE FUNCTION app.tenant() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.tenant := lower(NEW.want); RETURN NEW; END';
DO $$
DECLARE
    kind text;
    name text;
BEGIN
    FOREACH kind IN ARRAY '{b,c,g}'::text[] LOOP
        EXECUTE format('CREATE TABLE app.%sr (id int, gone int, k int, want text, tenant text%s, late text)', kind, CASE kind WHEN 'g' THEN ' GENERATED ALWAYS AS (lower(want)) STORED' END);
        EXECUTE format('CREATE TABLE app.%1$sp (LIKE app.%1$sr INCLUDING GENERATED) PARTITION BY LIST (k); CREATE TABLE app.%1$sp_1 PARTITION OF app.%1$sp FOR VALUES IN (1)', kind);
        PERFORM router.create_route(format('app.%sr', kind), router.by_list('k'));
        PERFORM router.create_child(format('app.%sr', kind), '1');
        EXECUTE format('ALTER TABLE app.%1$sr DROP gone; ALTER TABLE app.%1$sp DROP gone; CREATE TABLE app.%1$sp_2 PARTITION OF app.%1$sp FOR VALUES IN (2)', kind);
        PERFORM router.create_child(format('app.%sr', kind), '2');
        FOREACH name IN ARRAY CASE kind WHEN 'b' THEN '{br,bp}' WHEN 'c' THEN '{cr_2,cp_2}' ELSE '{}' END::text[] LOOP
            EXECUTE format('CREATE TRIGGER t BEFORE INSERT ON app.%I FOR EACH ROW EXECUTE FUNCTION app.tenant()', name);
        END LOOP;
        FOREACH name IN ARRAY ARRAY[kind || 'r', kind || 'p'] LOOP
            EXECUTE format(CASE kind WHEN 'g' THEN 'INSERT INTO app.%I (id, k, want) VALUES (1, 1, ''a'')' ELSE 'INSERT INTO app.%I VALUES (1, 1, ''a'', ''a'')' END, name);
            EXECUTE format('ALTER TABLE app.%1$I ENABLE ROW LEVEL SECURITY; CREATE POLICY p ON app.%1$I USING (tenant = ''a''); GRANT ALL ON app.%1$I TO router_g_app', name);
        END LOOP;
    END LOOP;
END $$;
CREATE VIEW app.vr AS SELECT * FROM app.cr WHERE tenant = 'a' WITH CHECK OPTION;
CREATE VIEW app.vp AS SELECT * FROM app.cp WHERE tenant = 'a' WITH CHECK OPTION;
GRANT ALL ON app.vr, app.vp TO router_g_app;
RESET ROLE;
-- What a statement of the role leads to: an SQLSTATE, or the rows that all have then. It is undone.
CREATE FUNCTION test.attempt(query text, rel text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    SET LOCAL ROLE router_g_app;
    EXECUTE replace(query, '%', rel);
    RESET ROLE;
    EXECUTE format('SELECT string_agg(id || '' '' || k || '' '' || coalesce(want, ''-'') || '' '' || coalesce(tenant, ''-''), '', '' ORDER BY id) FROM app.%I', regexp_replace(rel, '^v', 'c')) INTO result;
    RAISE EXCEPTION USING ERRCODE = 'T0000', MESSAGE = result;
EXCEPTION
    WHEN SQLSTATE 'T0000' THEN RETURN SQLERRM;
    WHEN OTHERS THEN RETURN SQLSTATE;
END $$;
SELECT is(test.attempt(q, kind || 'r'), test.attempt(q, kind || 'p'), kind || ': ' || q)
  FROM unnest('{b,c,g}'::text[]) kind, unnest('{a,A,b,B}'::text[]) want,
       unnest(ARRAY['UPDATE app.% SET want = $, k = 2', 'UPDATE app.% SET want = $, k = 2 RETURNING tableoid::regclass',
                    'MERGE INTO app.% USING (VALUES (1)) v(i) ON id = i WHEN MATCHED THEN UPDATE SET want = $, k = 2',
                    'MERGE INTO app.% USING (VALUES (2)) v(i) ON id = i WHEN NOT MATCHED THEN INSERT (id, k, want) VALUES (i, 2, $)',
                    'INSERT INTO app.% (id, k, want) VALUES (2, 2, $) ON CONFLICT DO NOTHING']) query, LATERAL replace(query, '$', quote_literal(want)) q;
SELECT is(test.attempt(q, 'vr'), test.attempt(q, 'vp'), 'v: ' || q)
  FROM unnest('{A,B}'::text[]) want, unnest(ARRAY['UPDATE app.% SET want = $, k = 2', 'INSERT INTO app.% (id, k, want) VALUES (2, 2, $)']) query, LATERAL replace(query, '$', quote_literal(want)) q;

-- ------------------------------------------------------------ TRIGGER, REFERENCES
SET ROLE router_g_owner;
CREATE TABLE app.t (id int, d date, PRIMARY KEY (id, d));
GRANT ALL ON app.t TO router_g_app;
SELECT router.create_route('app.t', router.by_date('d', 'month')) \g /dev/null
SELECT router.add_global_key('app.t', '{id}') \g /dev/null
INSERT INTO app.t VALUES (1, '2026-01-01');
RESET ROLE;
CREATE FUNCTION mine.f() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NEW; END';
SET ROLE router_g_app;
SELECT throws_ok(format('CREATE OR REPLACE TRIGGER %s EXECUTE FUNCTION mine.f()', t), '42501', NULL, t)
  FROM unnest(ARRAY['"~router_route" BEFORE INSERT ON app.t FOR EACH ROW', '"~router_key" AFTER INSERT ON app.t_y2026m01 FOR EACH ROW', '"~router_move" BEFORE UPDATE ON app.t_y2026m01 FOR EACH ROW',
                    '"~router_key_truncate" AFTER TRUNCATE ON app.t', '"!router_flush" AFTER INSERT ON app.t', '"!router_step" BEFORE INSERT ON app.t_y2026m01 FOR EACH ROW']) t;
SELECT throws_ok('CREATE OR REPLACE TRIGGER "~router_route" BEFORE INSERT ON app.t FOR EACH ROW WHEN (false) EXECUTE FUNCTION router.route_row()', '42501', NULL, 'nor one that is alike');
SELECT lives_ok('CREATE TRIGGER mine AFTER INSERT ON app.t FOR EACH ROW EXECUTE FUNCTION mine.f()', 'one of his own, as on any table');
SELECT throws_ok('CREATE TABLE mine.r (id int, d date, FOREIGN KEY (id, d) REFERENCES app.t_y2026m01)', '42501', NULL, 'a foreign key of his does not hold a child');
RESET ROLE;
SELECT is_empty($$SELECT * FROM router.check('app.t')$$, 'nothing is changed');
SET ROLE router_g_owner;
SELECT lives_ok('CREATE TABLE app.r (id int, d date, FOREIGN KEY (id, d) REFERENCES app.t_y2026m01)', 'the owner''s does');
RESET ROLE;

-- ------------------------------------------- statement triggers, rules
-- count for statements that name the base: who names a child does not pass them by
CREATE FUNCTION test.rights() RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(DISTINCT (SELECT coalesce(string_agg(lower(p), ' ' ORDER BY p), 'none') FROM unnest('{SELECT,INSERT,UPDATE,DELETE,TRUNCATE}'::text[]) p WHERE has_table_privilege('router_g_app', child, p))
                    || CASE WHEN has_column_privilege('router_g_app', child, 'x', 'UPDATE') THEN ' x' ELSE '' END, ', ')
      FROM router.children WHERE base = to_regclass('app.s')
$$;
SET ROLE router_g_owner;
CREATE TABLE app.s (k int, x text);
CREATE FUNCTION app.refuse() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RAISE 'refused'; END$$;
GRANT SELECT, INSERT, DELETE, TRUNCATE, UPDATE (x) ON app.s TO router_g_app;
SELECT router.create_route('app.s', router.by_list('k')) \g /dev/null
INSERT INTO app.s VALUES (1);
SELECT is(test.rights(), 'delete insert select truncate x', 'a child is written by name');
CREATE TRIGGER no BEFORE INSERT OR UPDATE ON app.s FOR EACH STATEMENT WHEN (current_user <> 'router_g_owner') EXECUTE FUNCTION app.refuse();
SELECT is(test.rights(), 'delete select truncate', 'not with what the base has statement triggers for');
INSERT INTO app.s VALUES (2);
SELECT is(test.rights(), 'delete select truncate', 'nor is one that is made then');
CREATE TRIGGER never BEFORE TRUNCATE ON app.s FOR EACH STATEMENT EXECUTE FUNCTION app.refuse();
SET search_path = app;
CREATE RULE none AS ON DELETE TO s DO INSTEAD NOTHING;
RESET search_path;
SELECT is(test.rights(), 'select', 'TRUNCATE, and rules, whatever schema the table is found in');
GRANT ALL ON app.s TO router_g_app;
SELECT is(test.rights(), 'select', 'nor does GRANT give it');
SELECT is_empty($$SELECT * FROM router.check('app.s')$$, 'as router.check would have it');
SELECT lives_ok('INSERT INTO app.s_1 VALUES (1)', 'the owner may');
RESET ROLE;
SET ROLE router_g_app;
SELECT throws_ok(format('%s', q), '42501', NULL, q) FROM unnest(ARRAY['INSERT INTO app.s_1 VALUES (1)', 'DELETE FROM app.s_1', 'TRUNCATE app.s_1']) q;
SELECT throws_ok('INSERT INTO app.s VALUES (1)', 'P0001', NULL, 'the trigger of the base');
RESET ROLE;
SET ROLE router_g_owner;
DROP TRIGGER no ON app.s;
DROP RULE none ON app.s;
SELECT is(test.rights(), 'delete insert select update x', 'without them it has the grants again');
ALTER TABLE app.s RENAME TO s2;
DROP TRIGGER never ON app.s2;
SELECT ok(has_table_privilege('router_g_app', 'app.s_1', 'TRUNCATE'), 'all of them');
RESET ROLE;

-- ------------------------------------------- rows of others that move
-- out of the default child, when a row needs a child that they belong in: errors do not tell of them who may not see them
SET ROLE router_g_owner;
CREATE TABLE app.d (k int, secret text);
SELECT router.create_route('app.d', router.by_list('k'), default_child => true, on_missing => 'default') \g /dev/null
INSERT INTO app.d VALUES (1, 'hidden one'), (2, 'hidden two');
SELECT router.alter_route('app.d', on_missing => 'create') \g /dev/null
ALTER TABLE app.d ADD CONSTRAINT c CHECK (secret <> 'hidden one') NOT VALID;
CREATE FUNCTION app.tells(text) RETURNS text IMMUTABLE LANGUAGE sql AS 'SELECT $1';
CREATE INDEX ON app.d (app.tells(secret));
CREATE OR REPLACE FUNCTION app.tells(text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS $$BEGIN IF $1 ~ 'two' THEN RAISE 'it is %', $1 USING HINT = $1, DETAIL = $1; END IF; RETURN $1; END$$;
GRANT INSERT (k, secret) ON app.d TO router_g_app;
RESET ROLE;
CREATE FUNCTION test.told(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    detail text; hint text; context text;
BEGIN
    SET LOCAL ROLE router_g_app;
    EXECUTE query;
    RETURN 'done';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT, context = PG_EXCEPTION_CONTEXT;
    RETURN concat_ws(' ', SQLSTATE, SQLERRM, detail, hint, context);
END $$;
CREATE VIEW test.tried AS SELECT q, wanted, test.told(q) AS t
    FROM (VALUES ('INSERT INTO app.d VALUES (1)', '^23514 cannot move rows'), ('INSERT INTO app.d VALUES (2)', '^P0001 cannot move rows'), ('INSERT INTO app.d VALUES (3)', '^done')) v (q, wanted);
SELECT ok(t ~ wanted AND t !~ 'hidden', 'who may insert only: ' || split_part(t, E'\n', 1)) FROM test.tried;
GRANT ALL ON app.d TO router_g_app;
SELECT ok(t ~ 'hidden', 'who may read: ' || split_part(t, E'\n', 1)) FROM test.tried WHERE wanted <> '^done';
ALTER TABLE app.d ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON app.d USING (secret IS NULL);
SELECT ok(t ~ wanted AND t !~ 'hidden', 'under row security: ' || split_part(t, E'\n', 1)) FROM test.tried;

SELECT * FROM finish();
