-- Retention: what router.maintain does with old children. Checklist B8, D7, D8, D9.
\ir ../../include/helpers.sql
\set tests 55
SELECT plan(:tests);

-- 'y2024m05' of the month n steps from now, and its first day, in UTC
CREATE FUNCTION test.day(n int) RETURNS date LANGUAGE sql AS $$ SELECT (date_trunc('month', now() AT TIME ZONE 'UTC') + n * interval '1 month')::date $$;
-- The months of the children, counted from this one
CREATE FUNCTION test.months(base regclass) RETURNS text LANGUAGE sql AS $$
    SELECT coalesce(string_agg(CASE WHEN bounds[cardinality(bounds)] !~ '^\[\d' THEN bounds[cardinality(bounds)] ELSE m::text END, ' ' ORDER BY m NULLS FIRST, bounds[cardinality(bounds)] COLLATE "C"), 'none')
      FROM (SELECT bounds, CASE WHEN bounds[cardinality(bounds)] ~ '^\[\d' THEN
                   (extract(year FROM age(substr(bounds[cardinality(bounds)], 2, 10)::date, test.day(0))) * 12 + extract(month FROM age(substr(bounds[cardinality(bounds)], 2, 10)::date, test.day(0))))::int END AS m
              FROM router.children c WHERE c.base = $1) s
$$;
CREATE FUNCTION test.events(base regclass) RETURNS text LANGUAGE sql AS $$
    SELECT coalesce(string_agg(regexp_replace(action, '_y\d+m\d+', '_y', 'g') || CASE WHEN error IS NULL THEN '' ELSE ' failed' END, ', ' ORDER BY at), 'nothing') FROM router.events e WHERE e.base = $1 AND action <> 'maintain'
$$;

-- ------------------------------------------------------------------------- by age
CREATE TABLE log (id int, d date, PRIMARY KEY (id, d)) ;
ALTER TABLE log DROP CONSTRAINT log_pkey, ALTER d DROP NOT NULL;
SELECT router.create_route('log', router.by_date('d', 'month', pivot => '2000-01-01'), time_zone => 'UTC', default_child => true) \g /dev/null
INSERT INTO log SELECT 1, test.day(-i) FROM generate_series(0, 6) i;
INSERT INTO log VALUES (2, NULL), (3, '1999-01-01'), (4, test.day(3));
SELECT router.create_child('log', ARRAY[format('[%s,)', test.day(40))]) \g /dev/null
SELECT is(test.months('log'), '(,2000-01-01) default null -6 -5 -4 -3 -2 -1 0 3 40', 'children');
SELECT router.set_maintenance('log', premake => 0, keep => '3 months') \g /dev/null
CALL router.maintain('log', dry_run => true);
SELECT is((SELECT count(*) FROM router.children WHERE base = 'log'::regclass), 12::bigint, 'dry_run does nothing');
CALL router.maintain('log');
SELECT is(regexp_replace(test.months('log'), '^.* null ', ''), '-3 -2 -1 0 3 40', 'whose range ends before now less keep is dropped: a row of three months ago stays');
SELECT is((SELECT count(*) FROM log), 7::bigint, 'rows with NULL, below the pivot and of the future stay');
SELECT is(test.months('log'), '(,2000-01-01) default null -3 -2 -1 0 3 40', 'and their children, and the default child');
SELECT is(to_regclass('log_' || test.month(-4)), NULL, 'the table is gone');
SELECT is(test.events('log'), 'drop public.log_y, drop public.log_y, drop public.log_y, retention, analyze', 'router.events has each child');
SELECT is((SELECT rows FROM router.events WHERE action = 'retention'), 3::bigint, 'and their number');
INSERT INTO log VALUES (5, test.day(-5));
SELECT is((SELECT tableoid::regclass::text FROM log WHERE id = 5), 'log_' || test.month(-5), 'a late row makes its child again');
CALL router.maintain('log');
SELECT is((SELECT count(*) FROM log WHERE id = 5), 0::bigint, 'which goes with the next run');
CALL router.maintain();
SELECT is((SELECT count(*) FROM router.events WHERE action ~ 'drop'), 4::bigint, 'and no other');
SELECT is_empty($$SELECT * FROM router.check('log')$$, 'router.check is clean');

-- the zone of the route decides when a day ends, not that of the session
CREATE TABLE zone (d timestamptz);
SELECT router.create_route('zone', router.by_date('d', 'day'), time_zone => 'Pacific/Kiritimati') \g /dev/null
SELECT router.set_maintenance('zone', premake => 0, keep => '2 days') \g /dev/null
SET TimeZone = 'Pacific/Pago_Pago';
INSERT INTO zone SELECT now() - i * interval '1 day' FROM generate_series(0, 5) i;
CALL router.maintain('zone');
SELECT is((SELECT string_agg(((now() AT TIME ZONE 'Pacific/Kiritimati')::date - (d AT TIME ZONE 'Pacific/Kiritimati')::date)::text, ' ' ORDER BY d) FROM zone), '2 1 0', 'keep counts in the zone of the route');
RESET TimeZone;

-- ---------------------------------------------------------------------- by number
CREATE TABLE res (r int, d date);
SELECT router.create_route('res', ARRAY[router.by_list('r'), router.by_date('d', 'month')], time_zone => 'UTC') \g /dev/null
INSERT INTO res SELECT 1, test.day(-i) FROM generate_series(0, 4) i;
INSERT INTO res SELECT 2, test.day(-i) FROM generate_series(10, 15) i;
INSERT INTO res SELECT NULL, test.day(-i) FROM generate_series(0, 2) i;
INSERT INTO res VALUES (2, NULL);
SELECT router.set_maintenance('res', keep_children => 2, premake => 2) \g /dev/null
CALL router.maintain('res');
SELECT is((SELECT string_agg(DISTINCT c.child::text, ' ') FROM router.children c WHERE base = 'res'::regclass AND bounds[1] = '{1}' AND EXISTS (SELECT FROM res WHERE tableoid = c.child)),
          format('res_1_%s res_1_%s', test.month(-1), test.month(0)), 'the youngest two below one outer key; those to come do not count');
SELECT is((SELECT string_agg(DISTINCT tableoid::regclass::text, ' ' ORDER BY tableoid::regclass::text) FROM res WHERE r = 2), format('res_2_null res_2_%s', test.month(-10)), 'premade children that have begun count, also without rows');
SELECT is((SELECT count(*) FROM res WHERE r IS NULL), 2::bigint, 'NULL is an outer key as any');
TRUNCATE res;
SELECT router.drop_route('res', rows => 'base') \g /dev/null
SELECT router.create_route('res', ARRAY[router.by_date('d', 'month'), router.by_list('r')], time_zone => 'UTC') \g /dev/null
INSERT INTO res SELECT r, test.day(-i) FROM generate_series(0, 5) i, generate_series(1, 2) r;
INSERT INTO res SELECT 3, test.day(-i) FROM generate_series(7, 9) i;
SELECT router.set_maintenance('res', keep_children => 3, keep => '1 day') \g /dev/null
CALL router.maintain('res');
SELECT is((SELECT string_agg(DISTINCT d::text, ' ' ORDER BY d::text) FROM res), concat_ws(' ', test.day(-2), test.day(-1), test.day(0)), 'the date outside: its youngest three, with all that is below');
SELECT is((SELECT count(*) FROM res), 6::bigint, 'of two values each');
-- both: each of them keeps
SELECT router.set_maintenance('res', keep_children => 1, keep => '2 months') \g /dev/null
INSERT INTO res SELECT 1, test.day(-i) FROM generate_series(3, 4) i;
CALL router.maintain('res');
SELECT is((SELECT count(DISTINCT d) FROM res), 3::bigint, 'with both, what one of them keeps stays');

-- -------------------------------------------------------------- detach and schema
CREATE SCHEMA old;
CREATE TABLE t (id int, d date);
SELECT router.create_route('t', router.by_date('d', 'month'), time_zone => 'UTC') \g /dev/null
INSERT INTO t SELECT i, test.day(-i) FROM generate_series(0, 5) i;
SELECT router.set_maintenance('t', premake => 0, keep => '4 months', retire => 'detach') \g /dev/null
CALL router.maintain('t');
SELECT is(test.months('t'), '-4 -3 -2 -1 0', 'detached: no child any more');
SELECT is((SELECT count(*) FROM pg_inherits WHERE inhparent = 't'::regclass), 5::bigint, 'nor inherits it');
CREATE FUNCTION test.count_of(name text) RETURNS bigint LANGUAGE plpgsql AS $$ DECLARE n bigint; BEGIN EXECUTE format('SELECT count(*) FROM %s', name) INTO n; RETURN n; END $$;
SELECT is(test.count_of('t_' || test.month(-5)), 1::bigint, 'a table of its own, with its rows');
SELECT is((SELECT count(*) FROM pg_trigger WHERE tgrelid = to_regclass('t_' || test.month(-5))), 0::bigint, 'without triggers');
SELECT is(test.home_check(('t_' || test.month(-5))::regclass) IS NOT NULL, true, 'and its CHECK');
SELECT router.set_maintenance('t', keep => '2 months', retire => 'schema', retire_schema => 'old') \g /dev/null
CALL router.maintain('t');
SELECT is(test.months('t'), '-2 -1 0', 'schema: no child any more');
SELECT is(test.count_of('old.t_' || test.month(-4)) || ' ' || test.count_of('old.t_' || test.month(-3)), '1 1', 'moved there');
SELECT is(test.events('t'), 'detach public.t_y, retention, move public.t_y to schema old, move public.t_y to schema old, retention, analyze', 'router.events');
DROP SCHEMA old CASCADE;
SELECT router.set_maintenance('t', keep => '1 month', dry_run => true) \g /dev/null
SELECT is(:'SQLSTATE'::text, '3F000', 'set_maintenance with a schema that went away');
INSERT INTO t VALUES (1, test.day(-9));
CALL router.maintain('t');
SELECT is(:'SQLSTATE'::text || ' ' || test.months('t'), '55000 -9 -2 -1 0', 'retirement fails, and is undone');
SELECT is((SELECT error FROM router.events WHERE base = 't'::regclass AND error IS NOT NULL ORDER BY at LIMIT 1), 'schema "old" does not exist', 'and says why');
SELECT router.set_maintenance('t', retire => 'drop') \g /dev/null
SELECT lives_ok($$CALL router.maintain('t')$$, 'another way');

-- --------------------------------------------- what depends on a child; foreign keys, triggers
CREATE TABLE residence (id int PRIMARY KEY);
INSERT INTO residence VALUES (1), (2);
CREATE TABLE told (what text);
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO told VALUES (TG_OP || ' ' || TG_TABLE_NAME); RETURN coalesce(NEW, OLD); END $$;
CREATE TABLE reading (id int, residence_id int REFERENCES residence ON DELETE CASCADE, d date, PRIMARY KEY (id, d));
CREATE TRIGGER tell BEFORE DELETE OR TRUNCATE ON reading FOR EACH STATEMENT EXECUTE FUNCTION tell();
CREATE TRIGGER tell_row AFTER DELETE ON reading FOR EACH ROW EXECUTE FUNCTION tell();
SELECT router.create_route('reading', router.by_date('d', 'month'), time_zone => 'UTC') \g /dev/null
SELECT router.add_global_key('reading', '{id}') \g /dev/null
CREATE TABLE alarm (id int, reading_id int REFERENCES reading_id_keys ON DELETE CASCADE);
INSERT INTO reading SELECT i, 1 + i % 2, test.day(-i) FROM generate_series(0, 6) i;
INSERT INTO alarm VALUES (1, 5), (2, 0);
SELECT format('CREATE VIEW v AS SELECT * FROM reading_%s', test.month(-4)) \gexec
SELECT router.set_maintenance('reading', premake => 0, keep => '2 months') \g /dev/null
CALL router.maintain('reading');
SELECT is(:'SQLSTATE'::text, '55000', 'what cannot be dropped makes an error in the end');
SELECT is(test.months('reading'), '-5 -4 -2 -1 0', 'two children stay, the others go');
SELECT is((SELECT string_agg(regexp_replace(action, '.*_', '') || ' ' || (error ~ 'foreign key') || ' ' || (error ~ 'depend'), ', ' ORDER BY at) FROM router.events WHERE base = 'reading'::regclass AND error IS NOT NULL AND action ~ '^drop'),
          format('%s true false, %s false true', test.month(-5), test.month(-4)), 'D7: that whose row a foreign key refers to, by its entry; and that which a view reads');
SELECT is((SELECT count(*) FROM alarm), 2::bigint, 'nothing cascaded');
SELECT is((SELECT string_agg(id::text, ' ' ORDER BY id) FROM reading_id_keys), '0 1 2 4 5', 'entries went with their rows, and only they');
SELECT is((SELECT count(*) FROM told), 0::bigint, 'no trigger of users fired');
SELECT is((SELECT string_agg(missing || ' ' || orphans || ' ' || duplicates, ', ') FROM router.check_global_key('reading')), '0 0 0', 'check_global_key');
INSERT INTO reading VALUES (3, 1, test.day(0));
SELECT is((SELECT count(*) FROM reading WHERE id = 3), 1::bigint, 'a key that went is free again');
DELETE FROM alarm WHERE id = 1;
DROP VIEW v;
SELECT lives_ok($$CALL router.maintain('reading')$$, 'when nothing refers to them any more');
SELECT is(test.months('reading'), '-2 -1 0', 'they go too');
DELETE FROM residence WHERE id = 2;
SELECT is((SELECT count(*) FROM reading WHERE residence_id = 2), 0::bigint, 'the foreign key of the others works on');
SELECT is_empty($$SELECT * FROM router.check('reading')$$, 'router.check is clean');
-- a foreign key straight to a child
INSERT INTO t VALUES (1, test.day(-9));
SELECT format('ALTER TABLE t_%1$s ADD UNIQUE (id); CREATE TABLE refers (id int REFERENCES t_%1$s (id))', test.month(-9)) \gexec
CALL router.maintain('t');
SELECT is(:'SQLSTATE'::text || ' ' || test.months('t'), '55000 -9 -2 -1 0', 'a foreign key straight to a child holds it');
DROP TABLE refers;

-- ----------------------------------------------------------------------- hot bases
CREATE TABLE hot (id int, d date, PRIMARY KEY (id, d));
CREATE INDEX ON hot (d);
SELECT router.create_route('hot', router.by_date('d', 'month'), hot => '40 days', time_zone => 'UTC') \g /dev/null
INSERT INTO hot SELECT 1, test.day(-i) FROM generate_series(2, 8) i;
SELECT router.create_child('hot', test.day(-7)::text) \g /dev/null
TRUNCATE hot;
UPDATE router.route_def SET watermark = test.day(-7)::text WHERE base = 'hot'::regclass;
INSERT INTO hot SELECT i, test.day(-i) FROM generate_series(2, 8) i;
SELECT is((SELECT count(*) FROM ONLY hot), 6::bigint, 'old rows are in the base, the oldest late in its child');
SELECT router.set_maintenance('hot', premake => 0, keep => '100 days') \g /dev/null
-- without archive nothing of a month goes whose rows are still in the base
BEGIN;
UPDATE router.route_def SET hot = '1000 days' WHERE base = 'hot'::regclass;
UPDATE router.maintain_def SET keep = NULL, keep_children = 1 WHERE base = 'hot'::regclass;
SELECT router.create_child('hot', test.day(-5)::text) \g /dev/null
CALL router.maintain('hot');
SELECT is((SELECT string_agg(id::text, ' ' ORDER BY id) FROM hot), '2 3 4 5 6 7', 'before the watermark passed a child it stays');
SELECT is(to_regclass('hot_' || test.month(-7)) IS NOT NULL, true, 'also an empty one');
ROLLBACK;
SELECT router.alter_route('hot', hot => '200 days') \g /dev/null
CALL router.maintain('hot');
SELECT is(:'SQLSTATE'::text || (SELECT max(error) FROM router.events WHERE base = 'hot'::regclass AND action = 'retention'), '55000children of "hot" are kept no longer than rows are hot', 'not with a window that became longer than keep');
SELECT router.alter_route('hot', hot => '40 days') \g /dev/null
CALL router.maintain('hot');
SELECT is((SELECT count(*) FROM ONLY hot WHERE d < current_date - 40), 0::bigint, 'archived first');
SELECT is((SELECT count(*) FROM hot WHERE d < current_date - 135) || ' ' || (SELECT count(*) FROM hot WHERE d >= current_date - 100), '0 ' || (SELECT count(*) FROM generate_series(2, 8) i WHERE test.day(-i) >= current_date - 100), 'then retired: what is older than keep, and nothing younger');
SELECT is_empty($$SELECT * FROM router.check('hot')$$, 'router.check is clean');

-- in a transaction, and as another role
BEGIN;
INSERT INTO t VALUES (1, test.day(-20));
SELECT lives_ok($$CALL router.maintain('t')$$, 'in the transaction that wrote into the child');
SELECT is(test.months('t'), '-2 -1 0', 'they are dropped');
ROLLBACK;
SELECT is(test.months('t'), '-9 -2 -1 0', 'and comes back with a rollback');
SELECT is((SELECT count(*) FROM router.progress), 0::bigint, 'router.progress is empty');

SELECT * FROM finish();
