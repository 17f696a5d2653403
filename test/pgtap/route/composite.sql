-- Keys of a composite type: a value with NULL fields is a value, whatever IS NULL says of it.
\ir ../../include/helpers.sql
\set tests 59
SELECT plan(:tests);

CREATE TYPE fn AS (first text, last text);
CREATE DOMAIN dfn AS fn;
CREATE TABLE plain (id int, n fn, g int);
INSERT INTO plain VALUES (1, '(Joe,Blow)', 1), (2, '(Jim,)', 1), (3, '(,)', 2), (4, NULL, 2), (5, '(,Blow)', 1), (6, '(Joe,Blow)', 2), (7, '("",)', 1);

CREATE TABLE by_hash (LIKE plain);
CREATE TABLE by_list (LIKE plain);
CREATE TABLE by_group (LIKE plain);
CREATE TABLE inner_list (LIKE plain);
CREATE TABLE outer_list (LIKE plain);
CREATE TABLE by_domain (id int, n dfn, g int);
CREATE TABLE with_default (LIKE plain);
SELECT router.create_route('by_hash', router.by_hash('n', 2)) \g /dev/null
SELECT router.create_route('by_list', router.by_list('n')) \g /dev/null
SELECT router.create_route('by_group', router.by_list('n', ARRAY['{"(Jim,)","(,)",NULL}', '{"(Joe,Blow)","(,Blow)"}'])) \g /dev/null
SELECT router.create_route('inner_list', ARRAY[router.by_list('g'), router.by_list('n')]) \g /dev/null
SELECT router.create_route('outer_list', ARRAY[router.by_list('n'), router.by_hash('g', 2)]) \g /dev/null
SELECT router.create_route('by_domain', router.by_list('n')) \g /dev/null
SELECT router.create_route('with_default', router.by_list('n'), default_child => true, on_missing => 'default') \g /dev/null
SELECT router.create_child('with_default', ARRAY['{"(,)"}']) \g /dev/null
SELECT router.create_child('with_default', ARRAY['null']) \g /dev/null

CREATE TABLE shape (name text, tab regclass);
INSERT INTO shape SELECT t, t::regclass FROM unnest('{by_hash,by_list,by_group,inner_list,outer_list,by_domain,with_default}'::text[]) t;

-- What differs from the ordinary table: clauses as users write them.
CREATE FUNCTION differs(tab regclass) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    clause text;
    here text;
    there text;
    mode text;
    result text := '';
BEGIN
    FOREACH clause IN ARRAY ARRAY[
        'true', 'n IS NULL', 'n IS NOT NULL', 'NOT (n IS NULL)', 'NOT (n IS NOT NULL)', 'n IS DISTINCT FROM NULL', 'n IS NOT DISTINCT FROM NULL',
        'n = ''(Jim,)''::fn', 'n = ''(,)''::fn', 'n <> ''(,)''::fn', 'n < ''(Joe,Blow)''::fn', 'n IN (''(,)''::fn, ''(Jim,)''::fn)', 'n IS NOT DISTINCT FROM ''(,)''::fn',
        '(n).last IS NULL', '(n).first = ''Jim''', 'n IS NULL AND g = 2', 'n IS NULL OR n = ''(Jim,)''::fn', 'n IS NOT NULL AND n IS NULL', 'coalesce(n IS NULL, false)',
        'row((n).first, (n).last) IS NULL', 'n::fn IS NULL'] LOOP
        EXECUTE format('SELECT array_agg(id ORDER BY id) FROM plain WHERE %s', clause) INTO here;
        FOREACH mode IN ARRAY ARRAY['force_custom_plan', 'force_generic_plan'] LOOP
            PERFORM set_config('plan_cache_mode', mode, true);
            EXECUTE format('SELECT array_agg(id ORDER BY id) FROM %s WHERE %s', tab, clause) INTO there;
            IF here IS DISTINCT FROM there THEN
                result := result || format('%s: %s, not %s; ', clause, there, here);
            END IF;
        END LOOP;
    END LOOP;
    RETURN CASE result WHEN '' THEN 'nothing' ELSE result END;
END $$;

SELECT is(test.outcome(format('INSERT INTO %s SELECT * FROM plain', tab)), 'done', name || ': rows come in') FROM shape;
SELECT is(differs(tab), 'nothing', name || ': the same answers as of an ordinary table') FROM shape;
SELECT is(test.strays(tab), 'none', name || ': all at home') FROM shape;
SELECT is((SELECT count(*)::int FROM router.check(tab)), 0, name || ': check is content') FROM shape;
SELECT is(test.outcome(format('UPDATE %s SET g = g + 2', tab)), 'done', name || ': rows change where they are') FROM shape;
SELECT is(test.outcome(format('UPDATE %s SET n.last = NULL WHERE id IN (1, 5)', tab)), 'done', name || ': a field becomes NULL') FROM shape;
UPDATE plain SET g = g + 2;
UPDATE plain SET n.last = NULL WHERE id IN (1, 5);
SELECT is(differs(tab), 'nothing', name || ': rows that moved are found') FROM shape;

SELECT is(test.home_check('by_list_null') ~ 'IS NOT DISTINCT FROM NULL', true, 'the CHECK speaks of the value, not of its fields');
-- as a dump is restored: rows come to the child by name
BEGIN;
CREATE TEMP TABLE kept ON COMMIT DROP AS SELECT * FROM by_list WHERE id = 3;
DELETE FROM by_list WHERE id = 3;
SELECT is(test.outcome(format('INSERT INTO %s SELECT * FROM kept', (SELECT child FROM router.children WHERE base = 'by_list'::regclass AND bounds = ARRAY['{"(,)"}']))), 'done', 'a row comes to its child by name');
COMMIT;

-- a composite column in a global key
CREATE TABLE gk (id int PRIMARY KEY, n fn);
SELECT router.create_route('gk', router.by_integer('id', 10)) \g /dev/null
INSERT INTO gk VALUES (1, '(Jim,)'), (12, '(,)'), (13, NULL), (14, NULL);
SELECT router.add_global_key('gk', '{n}') \g /dev/null
SELECT is((SELECT count(*)::int FROM gk_n_keys), 2, 'a global key has the values with NULL fields, not the NULLs');
SELECT is(left(test.outcome($$INSERT INTO gk VALUES (20, '(,)')$$), 5), '23505', 'and they are unique');
SELECT is((SELECT missing + orphans + duplicates FROM router.check_global_key('gk')), 0::bigint, 'checked');
DELETE FROM gk_n_keys;
SELECT router.rebuild_global_key('gk', '{n}') \g /dev/null
SELECT is((SELECT count(*)::int FROM gk_n_keys), 2, 'rebuilt');
SELECT router.detach_child('gk_11_20') \g /dev/null
SELECT is((SELECT count(*)::int FROM gk_n_keys), 1, 'a detached child takes its entries along');
SELECT router.attach_child('gk', 'gk_11_20', '{"[11,20]"}') \g /dev/null
SELECT is((SELECT count(*)::int FROM gk_n_keys), 2, 'and an attached one brings them');

-- moved as rows that were there
CREATE TABLE there (LIKE plain);
INSERT INTO there SELECT * FROM plain;
SELECT is(test.outcome($$SELECT router.create_route('there', router.by_list('n'), move_rows => true)$$), 'done', 'create_route with rows');
SELECT is(differs('there'), 'nothing', 'moves them');
SELECT * FROM finish();
