-- router.child_of: the table that holds the rows with these key values, for every kind of key and type of argument; and router.tables.
\ir ../../include/helpers.sql
\set tests 41
SELECT plan(:tests);
SELECT test.role('router_co_stranger') \g /dev/null
SET TimeZone = 'Pacific/Auckland';

-- ------------------------------------------------- every row is where it says
CREATE FUNCTION elsewhere(base regclass, columns text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE n bigint;
BEGIN
    EXECUTE format('SELECT count(*) FROM %s WHERE router.child_of(%L, %s) IS DISTINCT FROM tableoid', base, base, columns) INTO n;
    RETURN n;
END $$;
CREATE DOMAIN small AS int CHECK (VALUE < 1000);
CREATE TABLE row (i int, j bigint, s small, d date, ts timestamp, tz timestamptz, t text, c char(8), v varchar, n numeric, b boolean);
INSERT INTO row SELECT i % 7, i * 31, i % 5, date '2023-12-20' + i, timestamp '2023-12-31 20:00' + i * interval '7 hours', timestamptz '2023-12-31 20:00+00' + i * interval '7 hours',
                       'Text' || i % 11, 'c' || i % 4, 'VaR' || i % 5, i % 3 + 0.5, i % 2 = 0 FROM generate_series(1, 200) i;
INSERT INTO row DEFAULT VALUES;
CREATE TABLE kind (name text, columns text, keys router.key[]);
INSERT INTO kind VALUES ('list', 'i', ARRAY[router.by_list('i', ARRAY['{1,2}', '{3,NULL}'])]), ('domain', 's', ARRAY[router.by_list('s')]), ('numeric', 'n', ARRAY[router.by_list('n')]),
    ('boolean', 'b', ARRAY[router.by_list('b')]), ('bpchar', 'c', ARRAY[router.by_list('c')]), ('varchar', 'v', ARRAY[router.by_list('v')]),
    ('date', 'd', ARRAY[router.by_date('d', 'week')]), ('timestamp', 'ts', ARRAY[router.by_date('ts', 'day')]), ('timestamptz', 'tz', ARRAY[router.by_date('tz', 'day')]),
    ('integer', 'j', ARRAY[router.by_integer('j', 100, 1000)]), ('prefix', 't', ARRAY[router.by_prefix('t', 5)]), ('suffix', 'v', ARRAY[router.by_suffix('v', 2)]),
    ('hash', 't', ARRAY[router.by_hash('t', 3)]), ('levels', 'i, tz, t', ARRAY[router.by_list('i'), router.by_date('tz', 'month'), router.by_hash('t', 2)]);
SELECT test.outcome(format('CREATE TABLE r_%s (LIKE row)', name)) FROM kind \g /dev/null
SELECT router.create_route('r_' || name, keys, time_zone => 'Europe/Luxembourg') FROM kind \g /dev/null
SELECT test.outcome(format('INSERT INTO r_%s TABLE row', name)) FROM kind \g /dev/null
SELECT is(elsewhere('r_' || name, columns), 0::bigint, name || ': values of the key''s type') FROM kind;
SET DateStyle = 'German';
SELECT is(elsewhere('r_levels', 'i::bigint, tz::text::timestamptz, t::varchar'), 0::bigint, 'values of other types, whatever the session''s DateStyle');
SET DateStyle = 'ISO, DMY';
SELECT is(router.child_of('r_timestamptz', '2024-01-02 00:30')::text, 'r_timestamptz_y2024d002', 'text is read in the zone of the route');
SELECT is(router.child_of('r_timestamptz', '2024-01-02 00:30'::timestamptz)::text, 'r_timestamptz_y2024d001', 'a timestamptz is the instant that it is');
SELECT is(router.child_of('r_list', 1), router.child_of('r_list', '2'), 'values of a group');
SELECT is(router.child_of('r_list', NULL), router.child_of('r_list', 3), 'NULL is a value');
SELECT is(router.child_of('r_levels', VARIADIC ARRAY['1', '2024-01-10', 'Text1']), router.child_of('r_levels', 1, date '2024-01-10', 'Text1'), 'values as an array');
SELECT is(router.child_of('r_list', 99), NULL, 'no child is there yet');
SELECT router.alter_route('r_list', default_child => true) \g /dev/null
SELECT is(router.child_of('r_list', 99)::text, 'r_list_default', 'a default child holds what the others do not');
SELECT is((SELECT provolatile::text FROM pg_proc WHERE oid = 'router.child_of'::regproc), 's', 'it is stable');

-- ------------------------------------------------------------- a hot base
CREATE TABLE h (at timestamptz NOT NULL);
SELECT router.create_route('h', router.by_date('at', 'month'), hot => '7 days', time_zone => 'UTC') \g /dev/null
INSERT INTO h VALUES (now()), ('2024-01-10');
SELECT is(router.child_of('h', now())::text, 'h', 'the base holds hot rows');
SELECT is(elsewhere('h', 'at'), 0::bigint, 'children the others');

-- ----------------------------------------------------------------- errors
SELECT throws_ok($$SELECT router.child_of('r_levels', 1)$$, '22023', '1 values given for a route of 3 keys', 'too few values');
SELECT throws_ok($$SELECT router.child_of('r_list', VARIADIC NULL::text[])$$, '22023', NULL, 'none');
SELECT throws_ok($$SELECT router.child_of('row', 1)$$, '55000', NULL, 'no routed table');
SELECT throws_ok($$SELECT router.child_of(1, 1)$$, '42P01', NULL, 'no table');
SELECT throws_ok($$SELECT router.child_of(NULL, 1)$$, '22004', NULL, 'NULL');
SELECT throws_ok($$SELECT router.child_of('r_list', 'x')$$, '22P02', NULL, 'no value of the type');

-- ------------------------------------------------- where a child is named
SELECT lives_ok($$CALL router.move_child(router.child_of('r_levels', 1, '2024-01-10', 'Text1'), tablespace => 'pg_default', dry_run => true)$$, 'a procedure takes it');
SELECT router.detach_child(router.child_of('r_list', 5)) \g /dev/null
SELECT is(router.child_of('r_list', 5)::text, 'r_list_default', 'and a function');

-- -------------------------------------------------------------- router.tables
CREATE TABLE old (d date);
SELECT router.create_route('old', router.by_date('d')) \g /dev/null
SELECT router.create_child('old', ARRAY[b]) FROM unnest('{"[0044-01-01 BC,0010-01-01 BC)","[2024-01-01,2025-01-01)","[300000-01-01,300010-01-01)",NULL}'::text[]) b \g /dev/null
CREATE TABLE tz (LIKE row);
SELECT router.create_route('tz', router.by_date('tz', 'year'), time_zone => 'UTC') \g /dev/null
SELECT router.create_child('tz', b) FROM unnest('{0100-01-01 BC,0020-01-01 BC,2024-01-01}'::text[]) b \g /dev/null
SET client_min_messages = error;
ANALYZE;
SET client_min_messages = warning;
SET ROLE router_co_stranger;
SELECT is(router.child_of('r_integer', 5)::text, 'r_integer_below_1000', 'no privilege is needed');
SELECT is((SELECT array_agg(base::text ORDER BY base::text) FROM router.tables), (SELECT array_agg(base::text ORDER BY base::text) FROM router.routes), 'router.tables has every routed table');
RESET ROLE;
SELECT is((SELECT count(*) FROM router.tables t WHERE owner <> current_user OR children <> (SELECT count(*) FROM pg_inherits WHERE inhparent = base)
              OR bytes <> pg_total_relation_size(base) + (SELECT sum(pg_total_relation_size(inhrelid)) FROM pg_inherits WHERE inhparent = base)), 0::bigint, 'owner, number of children, bytes');
SELECT is((SELECT string_agg(base::text, ' ') FROM router.tables WHERE base::text LIKE 'r\_%' AND base <> 'r_list'::regclass AND rows <> 201), NULL, 'rows as last analyzed');
SELECT is((SELECT format('%s %s', oldest, newest) FROM router.tables WHERE base = 'old'::regclass), '0044-01-01 BC 300010-01-01', 'the oldest and the newest date');
SELECT is((SELECT format('%s %s', oldest, newest) FROM router.tables WHERE base = 'tz'::regclass), '0100-01-01 00:00:00+00 BC 2025-01-01 00:00:00+00', 'of timestamptz');
SELECT is((SELECT format('%s %s %s', base, hot, default_filled) FROM router.tables WHERE hot IS NOT NULL OR default_filled IS NOT NULL ORDER BY base::text DESC LIMIT 1), 'r_list  f', 'an empty default child');
INSERT INTO r_list_default VALUES (99);
SELECT is((SELECT default_filled FROM router.tables WHERE base = 'r_list'::regclass), true, 'one that has rows');
SELECT * FROM finish();
