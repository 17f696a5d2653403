-- Other keys for a routed table: rekey. Checklist: nothing is lost, whatever children have, what it refuses, what comes meanwhile.
\ir ../../include/helpers.sql
\set tests 51
SELECT plan(:tests);

CREATE FUNCTION test.shape(base regclass) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(child::text || ' ' || array_to_string(bounds, ' ', 'NULL'), ', ' ORDER BY child::text COLLATE "C") FROM router.children c WHERE c.base = $1
$$;
SELECT test.role('router_rekey_other');

-- everything that a table can have
CREATE TABLE residence (id int PRIMARY KEY);
INSERT INTO residence SELECT generate_series(0, 9);
CREATE TABLE fired (op text);
CREATE FUNCTION test.fired() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO fired VALUES (tg_op); RETURN new; END $$;
CREATE TABLE c (gone int, id bigint GENERATED ALWAYS AS IDENTITY, r int REFERENCES residence ON DELETE CASCADE,
                at timestamptz NOT NULL, v numeric(10, 2) DEFAULT 7, note text COLLATE "C", n int GENERATED ALWAYS AS (r + 1) STORED,
                PRIMARY KEY (id), CONSTRAINT positive CHECK (v > 0));
ALTER TABLE c DROP COLUMN gone;
SELECT router.create_route('c', router.by_list('r'), time_zone => 'UTC', max_new_children => 20, horizon => '30 years', default_child => true);
SELECT router.add_global_key('c', '{id}');
INSERT INTO c (r, at, v, note) SELECT nullif(i % 6, 0), timestamptz '2024-01-01' + i * interval '1 hour', i % 50 + 1, repeat('n', i % 30) FROM generate_series(1, 3000) i;
INSERT INTO c (r, at, note) VALUES (3, '2024-05-05', (SELECT string_agg(md5(i::text), '') FROM generate_series(1, 2000) i));
ALTER TABLE c ADD COLUMN later int NOT NULL DEFAULT 42;
CREATE INDEX c_at ON c (at);
CREATE TRIGGER watched AFTER INSERT OR UPDATE OR DELETE ON c FOR EACH ROW EXECUTE FUNCTION test.fired();
CREATE POLICY mine ON c USING (r < 5);
ALTER TABLE c ENABLE ROW LEVEL SECURITY;
GRANT SELECT (id, r), INSERT ON c TO router_rekey_other;
SELECT router.set_maintenance('c', premake => 0);
CREATE TABLE was AS SELECT * FROM c;
CREATE VIEW seen AS SELECT * FROM c;

CALL router.rekey('c', router.by_date('at', 'month'), dry_run => true);
SELECT is((SELECT count(*) FROM router.children WHERE base = 'c'::regclass), 7::bigint, 'a dry run changes nothing');
SELECT is(test.half_done(), 'nothing', 'nor leaves anything');
CALL router.rekey('c', router.by_date('at', 'month'), batch_rows => 400);
SELECT is(test.shape('c'), 'c_default default, c_y2024m01 [2024-01-01 00:00:00+00,2024-02-01 00:00:00+00), c_y2024m02 [2024-02-01 00:00:00+00,2024-03-01 00:00:00+00), '
          'c_y2024m03 [2024-03-01 00:00:00+00,2024-04-01 00:00:00+00), c_y2024m04 [2024-04-01 00:00:00+00,2024-05-01 00:00:00+00), c_y2024m05 [2024-05-01 00:00:00+00,2024-06-01 00:00:00+00)',
          'children by month, and the default child');
SELECT is((SELECT count(*) FROM (TABLE c EXCEPT ALL TABLE was) d), 0::bigint, 'no row is other than before');
SELECT is((SELECT count(*) FROM (TABLE was EXCEPT ALL TABLE c) d), 0::bigint, 'none is missing');
SELECT is((SELECT count(*) FROM seen), 3001::bigint, 'views find them');
SELECT is(test.strays('c'), 'none', 'all are at home');
SELECT is((SELECT count(*) FROM router.check('c')), 0::bigint, 'check finds nothing');
SELECT is((SELECT count(*) FROM fired), 0::bigint, 'no trigger of the user fired');
SELECT is(test.half_done(), 'nothing', 'nothing is left of it');
SELECT is((SELECT on_missing || ' ' || max_new_children || ' ' || horizon FROM router.routes WHERE base = 'c'::regclass), 'create 20 30 years', 'the other settings are as they were');
SELECT is((SELECT premake FROM router.maintain_def WHERE base = 'c'::regclass), 0, 'and what maintain does');
SELECT is((SELECT string_agg(indexrelid::regclass::text, ' ' ORDER BY indexrelid::regclass::text) FROM pg_index WHERE indrelid = 'c_y2024m01'::regclass),
          'c_y2024m01_at c_y2024m01_pkey', 'indexes have the names that they have in a new child');
SELECT ok((SELECT bool_and(convalidated) FROM pg_constraint WHERE conrelid = 'c_y2024m01'::regclass), 'all constraints are valid');
SELECT is((SELECT rows FROM router.events WHERE action = 'rekey' ORDER BY at DESC LIMIT 1), 3001::bigint, 'an event tells the rows');
SELECT is(test.sql_of($$INSERT INTO c (id, r, at) OVERRIDING SYSTEM VALUE VALUES (1, 5, now())$$), '23505', 'the global key knows rows that were there');
INSERT INTO c (r, at) VALUES (3, '2024-01-31 23:00+00'), (6, '2024-07-01');
SELECT is((SELECT array_agg(tableoid::regclass::text ORDER BY id) FROM c WHERE id >= 3002), '{c_y2024m01,c_y2024m07}', 'new rows go home');
DELETE FROM residence WHERE id = 2;
SELECT is((SELECT count(*) FROM c WHERE r = 2), 0::bigint, 'referential actions reach the children');

-- two levels and back; NULL, labels, a template
CALL router.rekey('c', ARRAY[router.by_list('r'), router.by_date('at', 'year')], template => 'p{1}_of_{2}');
SELECT is(test.shape('c'), 'c_default default default, ' || (SELECT string_agg(format('p%s_of_y2024 %s [2024-01-01 00:00:00+00,2025-01-01 00:00:00+00)', n, b), ', ' ORDER BY n COLLATE "C")
          FROM (VALUES ('1', '{1}'), ('3', '{3}'), ('4', '{4}'), ('5', '{5}'), ('6', '{6}'), ('null', 'null')) v (n, b)), 'a second level');
SELECT is((SELECT count(*) FROM router.check('c')), 0::bigint, 'check finds nothing');
CALL router.rekey('c', router.by_hash('id', 3));
SELECT is(:'SQLSTATE'::text, '22023', 'a template that fits the keys no more is told');
CALL router.rekey('c', router.by_hash('id', 3), template => '{base}_{1}');
SELECT is(test.shape('c'), 'c_0 0/3, c_1 1/3, c_2 2/3, c_default default', 'by hash');
SELECT is((SELECT count(*) FROM c), 2503::bigint, 'no row is lost');
SELECT is((SELECT count(*) FROM router.check('c')), 0::bigint, 'check finds nothing');
SELECT lives_ok($$UPDATE c SET r = 9, at = at + interval '1 year' WHERE id % 10 = 0$$, 'rows are changed');
SELECT is(test.strays('c'), 'none', 'and are at home');

-- a hot base keeps its rows
CREATE TABLE h (id int, at timestamptz, v int, PRIMARY KEY (id, at));
SELECT router.create_route('h', router.by_date('at', 'month'), hot => '30 days', time_zone => 'UTC');
INSERT INTO h SELECT i, now() - i * interval '1 day', i FROM generate_series(0, 400) i;
CALL router.archive('h');
SELECT count(*) AS hot_rows, (SELECT watermark FROM router.routes WHERE base = 'h'::regclass) AS watermark FROM ONLY h \gset
CALL router.rekey('h', router.by_date('at', 'year'));
SELECT is((SELECT count(*) FROM ONLY h), :hot_rows::bigint, 'current rows stay in a hot base');
SELECT is((SELECT count(*) FROM h), 401::bigint, 'no row is lost');
SELECT is((SELECT watermark FROM router.routes WHERE base = 'h'::regclass)::text, :'watermark'::text, 'the watermark is where it was');
SELECT cmp_ok((SELECT count(*) FROM router.children WHERE base = 'h'::regclass), '<=', 3::bigint, 'children by year');
SELECT is((SELECT count(*) FROM router.check('h')), 0::bigint, 'check finds nothing');
INSERT INTO h VALUES (1000, now() - interval '200 days', 1), (1001, now(), 1);
SELECT is((SELECT count(*) FROM ONLY h WHERE id >= 1000), 1::bigint, 'a late row goes to a child, a fresh one stays');
UPDATE h SET at = now() - interval '100 days' WHERE id = 1001;
SELECT is((SELECT count(*) FROM ONLY h WHERE id >= 1000), 0::bigint, 'a row that ages by an UPDATE goes, too');
CALL router.archive('h');
SELECT is((SELECT count(*) FROM router.check('h')), 0::bigint, 'and archive goes on');
SELECT is((SELECT count(*) FROM h WHERE at >= now() - interval '5 days 1 hour' AND id < 1000), 6::bigint, 'queries read base and children');
CALL router.rekey('h', router.by_hash('id', 2));
SELECT is(:'SQLSTATE'::text, '55000', 'but by other dates, or none, it would not know which');

-- what it refuses
CREATE TABLE few (id int PRIMARY KEY, r int, at date);
SELECT router.create_route('few', router.by_list('r'));
INSERT INTO few SELECT i, i % 3, '2024-01-01' FROM generate_series(1, 30) i;
ALTER TABLE few ADD CONSTRAINT apart EXCLUDE USING btree (id WITH =);
CALL router.rekey('few', router.by_date('at', 'month'));
SELECT is(:'SQLSTATE'::text, '0A000', 'rows that may exclude each other');
ALTER TABLE few DROP CONSTRAINT apart;
SELECT router.add_global_key('few', '{id}');
CALL router.rekey('few', router.by_list('r'));
SELECT is(:'SQLSTATE'::text, '55000', 'the keys that it has');
CALL router.rekey('few', router.by_date('r', 'month'));
SELECT is(:'SQLSTATE'::text, '42804', 'a key that cannot be');
CALL router.rekey('few', router.by_date('at', 'month'), dry_run => true);
SELECT is(:'ERROR'::text, 'false', 'else a dry run says what it would do');
CALL router.rekey('residence', router.by_list('id'));
SELECT is(:'SQLSTATE'::text, '55000', 'a table that is not routed');
BEGIN;
CALL router.rekey('few', router.by_date('at', 'month'));
\set state :SQLSTATE
ROLLBACK;
SELECT is(:'state'::text, '25001', 'inside a transaction block');
SET ROLE router_rekey_other;
CALL router.rekey('public.few', router.by_date('at', 'month'));
SELECT is(:'SQLSTATE'::text, '42501', 'who does not own the table');
RESET ROLE;

-- what comes meanwhile: the time is over before anything is copied
CALL router.rekey('few', router.by_date('at', 'month'), time_budget => '1 microsecond');
SELECT isnt(test.half_done(), 'nothing', 'a run stands');
INSERT INTO few VALUES (100, 7, '2024-05-05'), (101, NULL, '2024-06-06');
UPDATE few SET r = 8, at = '2024-02-02' WHERE id IN (100, 1, 2);
CREATE TABLE more (id int PRIMARY KEY, r int, at date);
INSERT INTO more VALUES (200, 20, '2024-08-08');
SELECT lives_ok($$SELECT router.attach_child('few', 'more', '{"{20}"}')$$, 'a table with rows becomes a child');
SELECT throws_ok($$SELECT router.detach_child('few_0')$$, '55006', NULL, 'none leaves');
SELECT throws_ok('DROP TABLE few_1', '55006', NULL, 'or is dropped');
CALL router.rekey('few', router.by_date('at', 'year'));
SELECT is(:'SQLSTATE'::text, '55000', 'other keys than it was begun with');
CALL router.rekey('few', router.by_date('at', 'month'));
SELECT is(test.homes('few'), 'few_y2024m01: 28, few_y2024m02: 3, few_y2024m06: 1, few_y2024m08: 1', 'rows of children that came meanwhile are there');
SELECT is((SELECT count(*) FROM router.check()), 0::bigint, 'all is well');
CALL router.rekey('few', router.by_list('r'), time_budget => '1 microsecond');
CALL router.cancel_reshape('few');
SELECT is(test.half_done() || ' ' || test.homes('few'), 'nothing few_y2024m01: 28, few_y2024m02: 3, few_y2024m06: 1, few_y2024m08: 1', 'given up, it is as it was');
SELECT * FROM finish();
