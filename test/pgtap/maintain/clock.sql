-- Time as archiving sees it, by cutoffs: beyond and before the watermark, ahead of now, in the hours that a zone leaves out or
-- repeats; rows of the future. Whatever the order, each row has one home. With a server's clock: test/t/050_clock.pl.
\ir ../../include/helpers.sql
\set tests 27
SELECT plan(:tests);

-- What is wrong with a hot base and its copy: rows lost or doubled, or not at home.
CREATE FUNCTION test.wrong(base regclass) RETURNS SETOF text LANGUAGE plpgsql SET timezone = 'UTC' AS $$
DECLARE
    mark text := (SELECT watermark FROM router.routes r WHERE r.base = wrong.base);
    type regtype := (SELECT atttypid FROM pg_attribute WHERE attrelid = base AND attname = 'd');
BEGIN
    RETURN QUERY EXECUTE format($q$
        (SELECT 'lost: ' || o FROM %2$I o EXCEPT ALL SELECT 'lost: ' || t FROM %1$s t)
        UNION ALL (SELECT 'too many: ' || t FROM %1$s t EXCEPT ALL SELECT 'too many: ' || o FROM %2$I o)
        UNION ALL SELECT format('%%s is in %%s', t, tableoid::regclass) FROM %1$s t WHERE (tableoid = $1) <> (d >= $2::%3$s)
        UNION ALL SELECT concat_ws(' ', child, kind, detail) FROM router.check($1)$q$, base, base || '_oracle', type) USING base, mark;
END $$;
CREATE FUNCTION test.mark(base regclass) RETURNS text LANGUAGE sql AS $$
    SELECT watermark || coalesce(' to ' || pending, '') FROM router.routes r WHERE r.base = $1
$$;
-- The same rows into the base and its copy.
CREATE PROCEDURE test.put(base regclass, query text) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('WITH new AS (INSERT INTO %s %s RETURNING *) INSERT INTO %I SELECT * FROM new', base, query, base || '_oracle');
END $$;

-- ------------------------------------------------- the watermark and the clock do not agree
CREATE TABLE log (id int, d timestamptz);
CREATE INDEX ON log (d);
CREATE TABLE log_oracle (LIKE log);
SELECT router.create_route('log', router.by_date('d', 'month'), hot => '10 days', time_zone => 'UTC', horizon => '10 years') \g /dev/null
CALL test.put('log', $$SELECT i, now() + i * interval '1 day' FROM generate_series(-100, 400) i$$);
SELECT is_empty($$SELECT test.wrong('log')$$, 'rows of the past and the future');
SELECT is((SELECT count(*) FROM ONLY log WHERE d > now()), 400::bigint, 'those of the future are hot');
CALL router.archive('log');
SELECT is((SELECT count(*) FROM ONLY log WHERE d > now()), 400::bigint, 'and stay so');
SELECT test.mark('log') AS mark \gset
CALL router.archive('log', cutoff => (now() - interval '40 days')::text);
SELECT is(test.mark('log'), :'mark', 'a cutoff before the watermark does nothing');
CALL router.archive('log', cutoff => '-infinity');
SELECT is(test.mark('log'), :'mark', 'nor does one before all time');
SELECT throws_ok($$SELECT router.archive_now('log', cutoff => (now() + interval '2 days')::text)$$, '22023', NULL, 'one beyond tomorrow is refused');
SELECT is_empty($$SELECT test.wrong('log')$$, 'each row is at home');
-- as if the last run had been by a clock that was ahead
CALL router.archive('log', cutoff => (now() + interval '20 hours')::text);
SELECT is(test.mark('log')::timestamptz > now() + interval '19 hours', true, 'the watermark is ahead of now');
SELECT is_empty($$SELECT test.wrong('log')$$, 'the rows of today are archived');
SELECT test.mark('log') AS mark \gset
:fresh
CALL test.put('log', $$VALUES (1001, now()), (1002, now() - interval '1 day'), (1003, now() + interval '1 day'), (1004, now() - interval '3 years'), (1005, now() + interval '3 years')$$);
SELECT is((SELECT string_agg(id::text, ' ' ORDER BY id) FROM ONLY log WHERE id > 1000), '1003 1005', 'rows of now go to children, those after the watermark are hot');
CALL router.archive('log');
CALL router.archive('log', cutoff => now()::text);
CALL router.maintain('log');
SELECT is(test.mark('log'), :'mark', 'the watermark waits for the time to come');
SELECT is_empty($$SELECT test.wrong('log')$$, 'each row is at home');
UPDATE log SET d = d + interval '2 days' WHERE id IN (1001, 1002);
UPDATE log_oracle SET d = d + interval '2 days' WHERE id IN (1001, 1002);
UPDATE log SET d = d - interval '2 days' WHERE id IN (1003, 100);
UPDATE log_oracle SET d = d - interval '2 days' WHERE id IN (1003, 100);
SELECT is_empty($$SELECT test.wrong('log')$$, 'rows that cross it, both ways');
SELECT router.alter_route('log', hot => '60 days') \g /dev/null
CALL router.archive('log');
SELECT is(test.mark('log'), :'mark', 'a longer window does not move it');
-- back to where it should be
SELECT router.restore(child, younger => true) FROM router.children
 WHERE base = 'log'::regclass AND bounds[1] COLLATE "C" > to_char(now() AT TIME ZONE 'UTC' - interval '2 months', '"["YYYY-MM-DD') ORDER BY bounds[1] COLLATE "C" LIMIT 1 \g /dev/null
SELECT is(test.mark('log')::timestamptz < now() - interval '27 days', true, 'restored: the watermark is in the past');
SELECT is_empty($$SELECT test.wrong('log')$$, 'each row is at home');
CALL test.put('log', $$VALUES (1101, now()), (1102, now() - interval '90 days')$$);
SELECT is((SELECT string_agg(id::text, ' ') FROM ONLY log WHERE id > 1100), '1101', 'rows of now are hot');
SELECT router.alter_route('log', hot => '10 days') \g /dev/null
CALL router.archive('log', batch_rows => 3);
SELECT is(test.mark('log')::timestamptz BETWEEN now() - interval '10 days 1 minute' AND now() - interval '10 days', true, 'and archived by the clock');
SELECT is_empty($$SELECT test.wrong('log')$$, 'each row is at home');
-- for ever ahead
CALL router.archive('log', cutoff => 'infinity');
SELECT is(test.homes('log') ~ '(^|, )log:', false, 'infinity: no row is left in the base');
CALL router.archive('log', cutoff => now()::text);
CALL test.put('log', $$VALUES (1201, now()), (1202, now() + interval '5 years')$$);
SELECT is((SELECT count(*) FROM ONLY log), 0::bigint, 'nor stays one there');
SELECT is(test.mark('log'), 'infinity', 'as long as the watermark is there');
SELECT is_empty($$SELECT test.wrong('log')$$, 'each row is at home');

-- ---------------------------------------------------- the nights when clocks are set
-- Cutoffs as text of the route's zone, a quarter of an hour after the other, before, in and after the hour that is left out, or
-- comes twice; each after rows of the hours around it.
CREATE PROCEDURE test.night(base regclass, midnight timestamp) LANGUAGE plpgsql AS $$
DECLARE
    type regtype := (SELECT atttypid FROM pg_attribute WHERE attrelid = base AND attname = 'd');
    at timestamp;
    mark text;
    former text;
    trouble text;
BEGIN
    CREATE TEMP TABLE IF NOT EXISTS night_problems (problem text);
    FOR n IN 0 .. 20 LOOP
        at := midnight + n * interval '15 minutes';
        former := test.mark(base);
        CALL test.put(base, format('SELECT 1000 * %s + i, (timestamptz %L + i * interval ''10 minutes'')::%s FROM generate_series(-15, 15) i', n, at || ' Europe/Zurich', type));
        PERFORM router.archive_now(base, cutoff => at::text);
        EXECUTE format('SELECT greatest($1::%1$s, $2::%1$s)::text', type) USING former, at::text INTO mark;
        EXECUTE format('SELECT $1::%1$s = $2::%1$s', type) USING mark, test.mark(base) INTO STRICT trouble;
        IF trouble::boolean IS NOT TRUE THEN
            INSERT INTO night_problems VALUES (format('%s after %s: the watermark is %s, not %s', at, former, test.mark(base), mark));
        END IF;
        INSERT INTO night_problems SELECT at || ': ' || w FROM test.wrong(base) w;
    END LOOP;
END $$;
SET timezone = 'Europe/Zurich';
CREATE TABLE moments (id int, d timestamptz);
CREATE TABLE locals (id int, d timestamp);
CREATE TABLE hours (id int, d timestamptz);
CREATE TABLE moments_oracle (LIKE moments);
CREATE TABLE locals_oracle (LIKE locals);
CREATE TABLE hours_oracle (LIKE hours);
SELECT router.create_route('moments', router.by_date('d', 'day'), hot => '100 years', time_zone => 'Europe/Zurich', horizon => '200 years') \g /dev/null
SELECT router.create_route('locals', router.by_date('d', 'hour'), hot => '100 years', time_zone => 'Europe/Zurich', horizon => '200 years') \g /dev/null
SELECT router.create_route('hours', router.by_date('d', 'hour'), hot => '100 years', time_zone => 'Europe/Zurich', horizon => '200 years') \g /dev/null
:fresh
SET timezone = 'Europe/Zurich';
DO $$
BEGIN
    FOR n IN 1 .. 2 LOOP
        CALL test.night('moments', (ARRAY['2024-03-31', '2024-10-27'])[n]::timestamp);
        CALL test.night('locals', (ARRAY['2024-03-31', '2024-10-27'])[n]::timestamp);
        CALL test.night('hours', (ARRAY['2024-03-31', '2024-10-27'])[n]::timestamp);
    END LOOP;
END $$;
SELECT is_empty('SELECT problem FROM night_problems', 'cutoffs in the nights when clocks are set');

SELECT is((SELECT count(*) || ' ' || count(*) FILTER (WHERE tableoid = 'moments'::regclass) FROM moments), '1302 91', 'moments: all rows are there');
SELECT is((SELECT count(*) || ' ' || count(*) FILTER (WHERE tableoid = 'locals'::regclass) FROM locals), '1302 91', 'local times');
SELECT is((SELECT count(*) || ' ' || count(*) FILTER (WHERE tableoid = 'hours'::regclass) FROM hours), '1302 91', 'children of an hour');

SELECT * FROM finish();
