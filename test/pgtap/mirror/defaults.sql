-- Children of tables with foreign keys to partitioned tables, identities and defaults of all kinds: right from
-- the start, and what router.check tells router.sync mends. Names that meet.
\ir ../../include/helpers.sql
\set tests 45
SELECT plan(:tests);

-- What router.check says, before and after router.sync.
CREATE FUNCTION test.drift(base regclass) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    before text := (SELECT string_agg(detail, '; ') FROM router.check(base));
BEGIN
    PERFORM router.sync(base);
    RETURN concat_ws(' -> ', coalesce(before, 'nothing'), (SELECT string_agg(detail, '; ') FROM router.check(base)));
END $$;
-- The foreign keys of a table by which its rows are checked, and how many constraints core keeps for them.
CREATE FUNCTION test.keys(rel regclass) RETURNS text LANGUAGE sql AS $$
    SELECT coalesce(string_agg(conname || ' ' || confrelid::regclass, ', ' ORDER BY conname COLLATE "C") FILTER (WHERE conparentid = 0), 'none')
           || ' + ' || count(*) FILTER (WHERE conparentid <> 0) FROM pg_constraint WHERE conrelid = rel AND contype = 'f'
$$;

-- ----------------------------------------------- foreign keys to partitioned tables
CREATE SCHEMA app;
CREATE TABLE app.pk (a int PRIMARY KEY) PARTITION BY RANGE (a);
CREATE TABLE app.pk1 PARTITION OF app.pk FOR VALUES FROM (0) TO (10);
CREATE TABLE app.pk2 PARTITION OF app.pk FOR VALUES FROM (10) TO (20) PARTITION BY LIST (a);
CREATE TABLE app.pk2_11 PARTITION OF app.pk2 FOR VALUES IN (11);
CREATE TABLE app.pk2_rest PARTITION OF app.pk2 DEFAULT;
INSERT INTO app.pk VALUES (1), (11), (12);
CREATE TABLE app.fk (id int PRIMARY KEY, a int CONSTRAINT fk_pk REFERENCES app.pk ON UPDATE CASCADE DEFERRABLE);
SELECT router.create_route('app.fk', router.by_integer('id', 10)) \g /dev/null
:fresh
INSERT INTO app.fk VALUES (1, 1), (2, 11), (3, 12);
SELECT is(test.homes('app.fk'), 'app.fk_1_10: 3', 'rows that refer to several partitions');
SELECT is(test.keys('app.fk_1_10'), 'fk_pk app.pk + 4', 'one foreign key, with what core adds to it');
SELECT is(test.drift('app.fk'), 'nothing', 'nothing to mend');
SELECT throws_ok('INSERT INTO app.fk VALUES (4, 13)', '23503', NULL, 'a row that refers to nothing');
SELECT throws_ok('DELETE FROM app.pk WHERE a = 12', '23503', NULL, 'what is referred to stays');
UPDATE app.pk SET a = 14 WHERE a = 12;
SELECT is((SELECT array_agg(a ORDER BY id) FROM app.fk), '{1,11,14}', 'the action reaches the child');
SELECT is((SELECT array_agg(router.base_constraint('app.fk_1_10', conname)) FROM pg_constraint WHERE conrelid = 'app.fk_1_10'::regclass AND contype = 'f'),
          ARRAY['fk_pk', 'fk_pk', 'fk_pk', 'fk_pk', 'fk_pk']::name[], 'router.base_constraint knows the ones of core');
CREATE TABLE app.pk3 PARTITION OF app.pk FOR VALUES FROM (20) TO (30);
INSERT INTO app.pk VALUES (21);
INSERT INTO app.fk VALUES (5, 21);
SELECT is(test.keys('app.fk_1_10'), 'fk_pk app.pk + 5', 'a new partition');
INSERT INTO app.fk VALUES (11, 21);
SELECT is(test.keys('app.fk_11_20'), 'fk_pk app.pk + 5', 'a child that is made afterwards');
SELECT throws_ok('ALTER TABLE app.pk DETACH PARTITION app.pk3', '23503', NULL, 'a partition that is referred to stays');
DELETE FROM app.fk WHERE a = 21;
ALTER TABLE app.pk DETACH PARTITION app.pk3;
SELECT is(test.keys('app.fk_1_10') || '; ' || test.keys('app.fk_11_20'), 'fk_pk app.pk + 4; fk_pk app.pk + 4', 'a partition that goes');
SELECT throws_ok('INSERT INTO app.fk VALUES (6, 21)', '23503', NULL, 'its rows count no more');
SELECT is(test.drift('app.fk'), 'nothing', 'nothing to mend');
SELECT is(test.follow('app.fk', 'ALTER TABLE app.fk DROP CONSTRAINT fk_pk'), 'followed', 'DROP CONSTRAINT');
SELECT is(test.keys('app.fk_1_10'), 'none + 0', 'gone with all that core added');
SELECT is(test.follow('app.fk', 'ALTER TABLE app.fk ADD CONSTRAINT again FOREIGN KEY (a) REFERENCES app.pk'), 'followed', 'ADD CONSTRAINT');
SELECT is(test.keys('app.fk_1_10'), 'again app.pk + 4', 'the same as at the start');
SELECT is(test.follow('app.fk', 'ALTER TABLE app.fk RENAME CONSTRAINT again TO once_more'), 'followed', 'RENAME CONSTRAINT');
SELECT is(test.keys('app.fk_1_10'), 'once_more app.pk + 4', 'followed');
SELECT is(test.follow('app.fk', 'ALTER TABLE app.fk ALTER CONSTRAINT once_more DEFERRABLE INITIALLY DEFERRED'), 'followed', 'ALTER CONSTRAINT');
CREATE TABLE app.attached (id int NOT NULL, a int);
SELECT router.attach_child('app.fk', 'app.attached', ARRAY['[21,30]']) \g /dev/null
SELECT is(test.drift('app.fk'), 'to be mended: create index "attached_pkey" like "fk_pkey"; to be mended: add foreign key "once_more"', 'an attached child gets one foreign key');
SELECT is(test.keys('app.attached'), 'once_more app.pk + 4', 'the same as the others');

-- a foreign key that refers to a child, from an ordinary and a partitioned table
CREATE TABLE app.refers (id int REFERENCES app.fk_1_10);
CREATE TABLE app.refers_parted (id int REFERENCES app.fk_1_10) PARTITION BY HASH (id);
CREATE TABLE app.refers_0 PARTITION OF app.refers_parted FOR VALUES WITH (modulus 1, remainder 0);
INSERT INTO app.refers VALUES (1);
INSERT INTO app.refers_parted VALUES (2);
SELECT is(test.drift('app.fk'), 'nothing', 'foreign keys that refer to a child are no matter of its base');
SELECT throws_ok('DELETE FROM app.fk WHERE id = 2', '23503', NULL, 'they hold');
SELECT is(test.outcome('CREATE TABLE app.refers_base (id int REFERENCES app.fk)') ~ '^0A000', true, 'none refers to the base');

-- rotation and a copy: core's constraints are no obstacle
CREATE TABLE app.h (d timestamptz, a int REFERENCES app.pk);
SELECT router.create_route('app.h', router.by_date('d', 'year'), hot => '10000 days', horizon => '1000 years', time_zone => 'UTC') \g /dev/null
INSERT INTO app.h SELECT '2024-01-01 UTC'::timestamptz + i * interval '1 day', 11 FROM generate_series(1, 100) i;
CALL router.rotate('app.h', cutoff => '2025-01-01 UTC');
SELECT is(test.homes('app.h'), 'app.h_y2024: 100', 'rotated into a child');
CREATE ACCESS METHOD heap2 TYPE TABLE HANDLER heap_tableam_handler;
CALL router.move_child('app.h_y2024', access_method => 'heap2');
SELECT is(test.keys('app.h_y2024'), 'h_a_fkey app.pk + 4', 'and copied');
SELECT is(test.drift('app.h'), 'nothing', 'a hot base');

-- ------------------------------------------------- what check tells sync can mend
CREATE DOMAIN app.d AS int DEFAULT 3;
CREATE TABLE app.i (k int,
    i2 smallint GENERATED BY DEFAULT AS IDENTITY, i4 int GENERATED ALWAYS AS IDENTITY, i8 bigint GENERATED ALWAYS AS IDENTITY,
    o2 smallint GENERATED ALWAYS AS IDENTITY (START 100 INCREMENT 7 MAXVALUE 1000 CYCLE CACHE 3), o4 int GENERATED BY DEFAULT AS IDENTITY (MINVALUE -5 START -5),
    s2 smallserial, s4 serial, s8 bigserial,
    v varchar(5) DEFAULT 'abc', n numeric(5,2) DEFAULT 1, c char(3) DEFAULT 'x', t timestamptz DEFAULT '2020-01-01', today date DEFAULT current_date,
    j interval DEFAULT '1 day', ia int[] DEFAULT '{1,2}', x bigint DEFAULT 1, f float4 DEFAULT 1.5, l text DEFAULT lower('A') || 1, d app.d, e app.d DEFAULT 4,
    r int DEFAULT (CASE WHEN now() > '2000-01-01' THEN 1 ELSE 2 END), b "char" DEFAULT 'b', z text COLLATE "C" DEFAULT ('z'::text COLLATE "C"), u name DEFAULT current_user);
SELECT router.create_route('app.i', router.by_integer('k', 10)) \g /dev/null
INSERT INTO app.i (k) VALUES (1);
SELECT is(test.drift('app.i'), 'nothing', 'identities and defaults of a new child');
CREATE TABLE app.i_attached (LIKE app.i);
SELECT router.attach_child('app.i', 'app.i_attached', ARRAY['[21,30]']) \g /dev/null
SELECT ok(test.drift('app.i') !~ '->', 'those of an attached one are mended by router.sync');
INSERT INTO app.i_attached (k) VALUES (21);
INSERT INTO app.i (k) VALUES (2), (22);
SELECT is((SELECT array_agg((i2, i4, i8, o2, o4)::text ORDER BY i4) FROM app.i), '{"(1,1,1,100,-5)","(2,2,2,107,-4)","(3,3,3,114,-3)","(4,4,4,121,-2)"}', 'one sequence numbers all rows');
SELECT is(test.follow('app.i', 'ALTER TABLE app.i ALTER i2 TYPE int'), 'followed', 'smallint to int');
SELECT is(test.follow('app.i', 'ALTER TABLE app.i ALTER i4 TYPE bigint'), 'followed', 'int to bigint');
SELECT is(test.follow('app.i', 'ALTER TABLE app.i ALTER i8 TYPE int'), 'followed', 'bigint to int');
SELECT is(test.follow('app.i', 'ALTER TABLE app.i ALTER i2 DROP IDENTITY'), 'followed', 'DROP IDENTITY');
SELECT is(test.follow('app.i', 'ALTER TABLE app.i ALTER i2 SET NOT NULL, ALTER i2 ADD GENERATED ALWAYS AS IDENTITY (START 50)'), 'followed', 'ADD IDENTITY');
ALTER TABLE app.i ALTER o4 SET GENERATED ALWAYS SET INCREMENT 3 RESTART 9;
SELECT is(test.drift('app.i'), 'nothing', 'SET of an identity');
ALTER TABLE ONLY app.i_attached ALTER i4 SET DEFAULT 5, ALTER v SET DEFAULT 'other', ALTER t DROP DEFAULT, ALTER r SET DEFAULT 7, ALTER e SET DEFAULT 4::bigint;
SELECT is(test.drift('app.i'), 'to be mended: take the identity of column i4 from the base; to be mended: set the default of column v; to be mended: set the default of column t; to be mended: set the default of column e; to be mended: set the default of column r', 'what was changed comes back');

-- ------------------------------------------------------------ names that meet
CREATE TABLE app.consumption_of_electricity_by_residence_and_accommodation_in (at date, h int);
CREATE TABLE app.consumption_of_electricity_by_residence_and_accommodation_out (at date, h int);
SELECT router.create_route('app.consumption_of_electricity_by_residence_and_accommodation_in', router.by_date('at', 'month')) \g /dev/null
SELECT router.create_route('app.consumption_of_electricity_by_residence_and_accommodation_out', router.by_date('at', 'month')) \g /dev/null
:fresh
INSERT INTO app.consumption_of_electricity_by_residence_and_accommodation_in VALUES ('2026-01-01'), ('2026-02-01');
INSERT INTO app.consumption_of_electricity_by_residence_and_accommodation_out VALUES ('2026-01-01'), ('2026-02-01');
SELECT is((SELECT count(DISTINCT tableoid) FROM app.consumption_of_electricity_by_residence_and_accommodation_out), 2::bigint, 'two bases whose long names begin alike');
-- both choices are taken
CREATE TABLE app.n (k int);
SELECT router.create_route('app.n', router.by_list('k')) \g /dev/null
CREATE TABLE app.n_1 (k int);
INSERT INTO app.n VALUES (1);
SELECT tableoid::regclass AS child FROM app.n \gset
SELECT router.detach_child(:'child') \g /dev/null
INSERT INTO app.n VALUES (1);
SELECT tableoid::regclass AS child FROM app.n \gset
SELECT router.detach_child(:'child') \g /dev/null
INSERT INTO app.n VALUES (1);
SELECT is((SELECT count(*) FROM pg_class WHERE relname ~ '^n_1_[0-9a-f]{8}$'), 3::bigint, 'there is always another name');

-- SET SCHEMA
CREATE SCHEMA new;
CREATE TABLE app.s (k int PRIMARY KEY, v int UNIQUE);
SELECT router.create_route('app.s', router.by_list('k')) \g /dev/null
INSERT INTO app.s VALUES (1), (2), (3), (4), (5);
CREATE SEQUENCE app.s_5_seq OWNED BY app.s_5.v;
CREATE TABLE new.s_1 (i int);
CREATE VIEW new.s_2_pkey AS SELECT 1 AS one;
CREATE TYPE new.s_3 AS ENUM ('a');
CREATE TYPE new._s_4 AS ENUM ('a');
CREATE SEQUENCE new.s_5_seq;
SELECT is(test.outcome('ALTER TABLE app.s SET SCHEMA new'), 'done', 'SET SCHEMA where names are taken');
SELECT is((SELECT string_agg(regexp_replace(child::text, '_[0-9a-f]{8}$', '_hash'), ', ' ORDER BY child::text COLLATE "C") FROM router.children WHERE base = 'new.s'::regclass),
          'new.s_1_hash, new.s_2, new.s_3_hash, new.s_4_hash, new.s_5', 'children whose name is taken got another');
SELECT is((SELECT count(*) FROM pg_class WHERE relnamespace = 'new'::regnamespace AND relname ~ '^s_2_pkey_[0-9a-f]{8}$|^s_5_seq_[0-9a-f]{8}$'), 2::bigint, 'and so did an index and a sequence');
SELECT is(test.drift('new.s'), 'nothing', 'nothing to mend');
INSERT INTO new.s VALUES (6);
SELECT is(test.strays('new.s'), 'none', 'rows go home');

SELECT * FROM finish();
