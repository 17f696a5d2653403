-- Keys under every kind of collation, also such as take different texts for equal: rows are found as in an ordinary table of the
-- same columns, whatever collation a query asks for, and a column's collation changes only where all stays right.
\ir ../../include/helpers.sql
CREATE SCHEMA c;
CREATE TABLE test.coll (name text, icu boolean, found boolean DEFAULT true);
INSERT INTO test.coll VALUES ('"C"', false), ('"default"', false), ('"POSIX"', false);
DO $$
BEGIN
    CREATE COLLATION c.und (provider = icu, locale = 'und');
    CREATE COLLATION c.tr (provider = icu, locale = 'tr');
    CREATE COLLATION c.ci (provider = icu, locale = 'und-u-ks-level2', deterministic = false);
    CREATE COLLATION c.ai (provider = icu, locale = 'und-u-ks-level1', deterministic = false);
    INSERT INTO test.coll VALUES ('c.und', true), ('c.tr', true), ('c.ci', true), ('c.ai', true);
EXCEPTION WHEN feature_not_supported THEN
    RAISE WARNING 'no ICU';
END $$;
SELECT count(*) AS n, bool_or(icu) AS icu FROM test.coll \gset
SELECT 5 * :n + CASE WHEN :'icu' THEN 8 ELSE 0 END AS tests \gset
SELECT plan(:tests);

CREATE TABLE test.value AS SELECT v, row_number() OVER () AS n FROM unnest('{a,A,á,Á,b,B,I,i,ı,İ,straße,STRASSE,NULL,"NULL",null,"",ab,AB,Ab,"a b",x́y}'::text[]) v;

-- A base and an ordinary table beside it, the same rows in both.
CREATE FUNCTION test.make(name text, collation_name text, key text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE TABLE %s (k text COLLATE %s, n int); CREATE TABLE %1$s_twin (LIKE %1$s); SELECT router.create_route(%1$L, %3$s)', name, collation_name, key);
    EXECUTE format('INSERT INTO %s SELECT v, n FROM test.value; INSERT INTO %1$s_twin SELECT v, n FROM test.value', name);
END $$;
-- Where they differ: rows found by queries of many shapes, children left out or not.
CREATE FUNCTION test.differ(name text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    v text;
    shape text;
    other text;
    found text[];
    expected text[];
    result text := '';
BEGIN
    FOR v, shape, other IN SELECT quote_nullable(value.v), s, coll.name FROM test.value, test.coll,
        unnest(ARRAY['k = V', 'k COLLATE C = V', 'k IN (V, ''b'')', 'k = ANY (ARRAY[V, ''I''])', 'k IS NOT DISTINCT FROM V', 'lower(k) = lower(V)', 'lower(substr(k, 1, 1)) = V',
                     'lower(substr(k, 1, 1)) COLLATE C = V', 'lower(substr(k COLLATE C, 1, 1)) = V', 'lower(right(k, 1)) = V', 'k LIKE V', 'k > V', 'k IS NULL']) s WHERE s ~ ' C\M' OR coll.name = '"C"' LOOP
        shape := replace(regexp_replace(shape, '\mC\M', other, 'g'), 'V', v);
        BEGIN
            EXECUTE format('SELECT array_agg(n ORDER BY n) FROM %s_twin WHERE %s', name, shape) INTO expected;
        EXCEPTION WHEN feature_not_supported OR indeterminate_collation THEN
            CONTINUE;
        END;
        EXECUTE format('SELECT array_agg(n ORDER BY n) FROM %s WHERE %s', name, shape) INTO found;
        IF found IS DISTINCT FROM expected THEN
            result := result || format('%s: %s instead of %s; ', shape, found, expected);
        END IF;
    END LOOP;
    RETURN result || coalesce((SELECT string_agg(detail, '; ') FROM router.check(name::regclass)), '')
                  || CASE WHEN test.strays(name::regclass) = 'none' THEN '' ELSE test.strays(name::regclass) END;
END $$;

SELECT test.make('c.' || kind || n, name, key) FROM (SELECT name, row_number() OVER () AS n FROM test.coll) coll,
    (VALUES ('list', $$router.by_list('k')$$), ('prefix', $$router.by_prefix('k', 1)$$), ('suffix', $$router.by_suffix('k', 1)$$), ('hash', $$router.by_hash('k', 3)$$)) k(kind, key) \g /dev/null
SELECT is(test.differ('c.' || kind || n), '', format('%s under %s', kind, name)) FROM (SELECT name, row_number() OVER () AS n FROM test.coll) coll, unnest('{list,prefix,suffix,hash}'::text[]) kind;

-- rows that move, by each way; then all as before
CREATE FUNCTION test.move(name text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('UPDATE %s SET k = upper(k) WHERE n %% 2 = 0', name);
    EXECUTE format('UPDATE %s_twin SET k = upper(k) WHERE n %% 2 = 0', name);
    EXECUTE format('DELETE FROM %s WHERE k = ''b''', name);
    EXECUTE format('DELETE FROM %s_twin WHERE k = ''b''', name);
    PERFORM router.sync(name::regclass);
    RETURN test.differ(name);
END $$;
SELECT is(test.move('c.list' || n) || test.move('c.prefix' || n), '', format('rows that change under %s', name)) FROM (SELECT name, row_number() OVER () AS n FROM test.coll) coll;

\if :icu
-- what is equal is one value
SELECT is(count(DISTINCT tableoid), 1::bigint, 'equal values share a child') FROM c.list6 WHERE k = 'a';
SELECT is((SELECT count(*) FROM router.create_child('c.list6', 'A')), 0::bigint, 'which is not made twice');
CREATE TABLE c.g (k text COLLATE c.ci, n int);
SELECT throws_ok($$SELECT router.create_route('c.g', router.by_list('k', '{"{a,b}","{B,c}"}'))$$, '22023', NULL, 'groups overlap by the collation');
-- a column's collation changes
CREATE TABLE c.ch (k text COLLATE "C", n int);
SELECT router.create_route('c.ch', router.by_list('k')) \g /dev/null
INSERT INTO c.ch VALUES ('a', 1), ('A', 2), ('b', 3);
SELECT is(left(test.outcome('ALTER TABLE c.ch ALTER k TYPE text COLLATE c.ci'), 5), '0A000', 'not where two children would hold equal values');
SELECT is(test.outcome('ALTER TABLE c.ch ALTER k TYPE text COLLATE c.und'), 'done', 'to another that tells all texts apart');
SELECT is((SELECT string_agg(tableoid::regclass::text, ' ') FROM c.ch WHERE k = 'A'), 'c."ch_A"', 'whose rows are found');
SELECT is((SELECT count(*) FROM router.check('c.ch')), 0::bigint, 'all is well');
SELECT isnt(test.outcome('DROP COLLATION c.und CASCADE'), 'done', 'a collation does not go with the column of a key');
\endif
SELECT * FROM finish();
