-- Time zones and DST: the zone is pinned per route, whatever the zone of the session: F12.
\ir ../../include/helpers.sql
\set tests 24
SELECT plan(:tests);

SET timezone = 'UTC';
CREATE TABLE brussels (id int, at timestamptz);
CREATE TABLE utc (id int, at timestamptz);
CREATE TABLE plain (id int, at timestamp);
CREATE TABLE monthly (id int, at timestamptz);
CREATE TABLE hourly (id int, at timestamptz);
CREATE TABLE session_zone (id int, at timestamptz);
SELECT router.create_route('brussels', router.by_date('at', 'day'), time_zone => 'Europe/Brussels') \g /dev/null
SELECT router.create_route('utc', router.by_date('at', 'day'), time_zone => 'UTC') \g /dev/null
SELECT router.create_route('plain', router.by_date('at', 'day'), time_zone => 'Europe/Brussels') \g /dev/null
SELECT router.create_route('monthly', router.by_date('at', 'month'), time_zone => 'Europe/Brussels') \g /dev/null
SELECT router.create_route('hourly', router.by_date('at', 'hour'), time_zone => 'Europe/Brussels') \g /dev/null
SET timezone = 'America/New_York';
SELECT router.create_route('session_zone', router.by_date('at', 'day')) \g /dev/null
SELECT is((SELECT time_zone FROM router.routes WHERE base = 'session_zone'::regclass), 'America/New_York', 'without a zone: that of the session that creates the route');
SELECT is((SELECT time_zone FROM router.routes WHERE base = 'brussels'::regclass), 'Europe/Brussels', 'the zone that was asked for');

:fresh
SET timezone = 'Asia/Tokyo';
INSERT INTO brussels VALUES (1, '2024-05-05 22:30+00'), (2, '2024-05-05 21:30+00');
:fresh
SET timezone = 'America/Los_Angeles';
INSERT INTO brussels VALUES (3, '2024-05-05 22:30+00'), (4, '2024-05-05 21:30+00');
SELECT is((SELECT string_agg(tableoid::regclass::text, ' ' ORDER BY id) FROM brussels), 'brussels_y2024d127 brussels_y2024d126 brussels_y2024d127 brussels_y2024d126', 'F12: midnight is that of the route, whatever the zone of the session');
SELECT is(test.bounds('brussels_y2024d127'), '{"[2024-05-06 00:00:00+02,2024-05-07 00:00:00+02)"}', 'bounds carry the offset');
SELECT is(test.strays('brussels'), 'none', 'the CHECK means the same in this zone');
SET timezone = 'Asia/Kolkata';
SELECT is(test.strays('brussels'), 'none', 'and in another');
:fresh
SET timezone = 'Asia/Tokyo';
INSERT INTO utc VALUES (1, '2024-05-06 08:59:59.999999+09'), (2, '2024-05-06 09:00+09');
SELECT is(test.homes('utc'), 'utc_y2024d126: 1, utc_y2024d127: 1', 'F12: a route in UTC');
:fresh
SET timezone = 'Asia/Tokyo';
INSERT INTO plain VALUES (1, '2024-05-06 00:00'), (2, '2024-05-05 23:59:59.999999');
SELECT is(test.homes('plain'), 'plain_y2024d126: 1, plain_y2024d127: 1', 'timestamp without time zone: as written');
:fresh
SET timezone = 'Pacific/Auckland';
INSERT INTO session_zone VALUES (1, '2024-05-06 03:59:59+00'), (2, '2024-05-06 04:00+00');
SELECT is(test.homes('session_zone'), 'session_zone_y2024d126: 1, session_zone_y2024d127: 1', 'the zone pinned from the session that made the route');

-- ------------------------------------------------------------------------ DST
:fresh
INSERT INTO brussels VALUES (10, '2024-03-30 23:00+00'), (11, '2024-03-31 21:59:59.999999+00'), (12, '2024-03-31 22:00+00'),
    (20, '2024-10-26 22:00+00'), (21, '2024-10-27 22:59:59.999999+00'), (22, '2024-10-27 23:00+00');
SELECT is((SELECT string_agg(tableoid::regclass::text, ' ' ORDER BY id) FROM brussels WHERE id BETWEEN 10 AND 12), 'brussels_y2024d091 brussels_y2024d091 brussels_y2024d092', 'F12: a day of 23 hours');
SELECT is(test.bounds('brussels_y2024d091'), '{"[2024-03-31 00:00:00+01,2024-04-01 00:00:00+02)"}', 'F12: its bounds');
SELECT is((SELECT string_agg(tableoid::regclass::text, ' ' ORDER BY id) FROM brussels WHERE id >= 20), 'brussels_y2024d301 brussels_y2024d301 brussels_y2024d302', 'F12: a day of 25 hours');
SELECT is(test.bounds('brussels_y2024d301'), '{"[2024-10-27 00:00:00+02,2024-10-28 00:00:00+01)"}', 'F12: its bounds');
:fresh
INSERT INTO monthly VALUES (1, '2024-02-29 22:59:59+00'), (2, '2024-02-29 23:00+00'), (3, '2024-03-31 21:59:59+00'), (4, '2024-03-31 22:00+00');
SELECT is(test.homes('monthly'), 'monthly_y2024m02: 1, monthly_y2024m03: 2, monthly_y2024m04: 1', 'F12: months across DST');
SELECT is(test.bounds('monthly_y2024m03'), '{"[2024-03-01 00:00:00+01,2024-04-01 00:00:00+02)"}', 'F12: their bounds');
-- the hour that comes twice, and the one that is not there
:fresh
INSERT INTO hourly SELECT i, '2024-10-26 22:00+00'::timestamptz + i * interval '30 minutes' FROM generate_series(0, 49) i;
SELECT is((SELECT count(*) FROM hourly), 50::bigint, 'F12: hours of the long day: no row is lost');
SELECT is(test.strays('hourly'), 'none', 'F12: and each is home');
SELECT is((SELECT count(*) FROM (SELECT FROM router.children a JOIN router.children b ON a.base = b.base AND a.child < b.child AND a.bounds = b.bounds WHERE a.base = 'hourly'::regclass) s), 0::bigint, 'F12: no two children with the same bounds');
:fresh
INSERT INTO hourly SELECT 1000 + i, '2024-03-30 23:00+00'::timestamptz + i * interval '30 minutes' FROM generate_series(0, 45) i;
SELECT is((SELECT count(*) FROM hourly WHERE id >= 1000), 46::bigint, 'F12: hours of the short day');
SELECT is(test.strays('hourly'), 'none', 'F12: each is home');
SELECT is((SELECT max(n) FROM (SELECT count(*) AS n FROM hourly WHERE id >= 1000 GROUP BY tableoid) s), 2::bigint, 'F12: two half hours a child, no more');
-- other settings of the session do not matter either
:fresh
SET datestyle = 'SQL, DMY';
SET intervalstyle = 'iso_8601';
SET timezone = '<+07:30>-07:30';
INSERT INTO brussels VALUES (30, '05/06/2024 12:00+00');
SELECT is((SELECT tableoid::regclass::text FROM brussels WHERE id = 30), 'brussels_y2024d157', 'datestyle, intervalstyle and an odd zone of the session');
SELECT is(test.bounds('brussels_y2024d157'), '{"[2024-06-05 00:00:00+02,2024-06-06 00:00:00+02)"}', 'bounds are written the same in every session');
SELECT is(test.home_check('brussels_y2024d157') ~ '05/06|06/06', true, 'while core shows the CHECK in the style of the session');

SELECT * FROM finish();
