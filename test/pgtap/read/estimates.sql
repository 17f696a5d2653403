-- Children that nobody has analyzed: their sizes in plans.
\ir ../../include/helpers.sql
\set tests 15
SELECT plan(:tests);
SET jit = off;

-- the estimate at the top of a plan
CREATE FUNCTION test.estimate(query text, what text) RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE plan json;
BEGIN
    EXECUTE 'EXPLAIN (FORMAT json) ' || query INTO plan;
    RETURN plan->0->'Plan'->>what;
END $$;
CREATE FUNCTION test.plan_has(query text, node text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE line text;
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
        IF line LIKE '%' || node || '%' THEN RETURN true; END IF;
    END LOOP;
    RETURN false;
END $$;

-- three hundred children of a few rows
CREATE TABLE many (k int, v int, note text);
CREATE INDEX ON many (v);
CREATE INDEX ON many (v) WHERE v > 0;
ALTER TABLE many SET (autovacuum_enabled = off);
SELECT router.create_route('many', router.by_list('k')) \g /dev/null
INSERT INTO many SELECT i % 300, i, 'n' FROM generate_series(1, 2000) i;
SELECT router.create_child('many', '-1') \g /dev/null
:fresh
SET jit = off;
SELECT test.homes('many') \g /dev/null
SELECT ok(test.estimate('SELECT * FROM many', 'Plan Rows') BETWEEN 2000 AND 2010, 'as many rows as there are');
SELECT ok(test.estimate('SELECT * FROM many', 'Total Cost') < 2000, 'and so the cost');
SELECT ok(NOT test.plan_has('SELECT count(*) FROM many', 'Gather'), 'nor are workers');
SELECT ok(NOT test.plan_has('SELECT count(*) FROM many WHERE v = 7', 'Gather'), 'for a lookup by an index either');
SET router.prune = off;
SELECT ok(test.estimate('SELECT * FROM many', 'Plan Rows') BETWEEN 2000 AND 2010, 'the same without pruning');
SELECT ok(test.estimate('SELECT * FROM many', 'Total Cost') < 2000, 'cost');
SELECT ok(NOT test.plan_has('SELECT count(*) FROM many', 'Gather'), 'no workers');
SET router.prune = on;
SELECT ok(test.estimate('DELETE FROM many', 'Total Cost') < 2000, 'DELETE');
-- who may be alone in a plan for long, and grow, counts as any new table
SELECT is(test.estimate('SELECT * FROM many WHERE k = 1', 'Plan Rows'), test.estimate('SELECT * FROM many_1 WHERE k = 1', 'Plan Rows'), 'one child is a new table') WHERE :preloaded = 1;
SELECT pass('not preloaded: planned with all children') WHERE :preloaded = 0;
SELECT ok(test.plan_has('SELECT * FROM many WHERE k = -1 AND v = 1', 'Index') OR :preloaded = 0, 'and is read by its index, though it is empty');
-- an analyzed child is what its statistics say, a larger one what its file says
CREATE TABLE two (k int, v int) WITH (autovacuum_enabled = off);
SELECT router.create_route('two', router.by_integer('k', 100000)) \g /dev/null
INSERT INTO two SELECT i, i FROM generate_series(1, 110000) i;
SELECT ok(test.estimate('SELECT * FROM two', 'Plan Rows') BETWEEN 100000 AND 150000, 'a large child as before');
ANALYZE two_1_100000;
ANALYZE two_100001_200000;
SELECT is(test.estimate('SELECT * FROM two WHERE k > 100000', 'Plan Rows') BETWEEN 9000 AND 11000, true, 'an analyzed one too');
-- others keep what they have: ordinary inheritance, the base itself, a child by its name
CREATE TABLE parent (k int, v int);
CREATE TABLE heir () INHERITS (parent);
SELECT ok(test.estimate('SELECT * FROM parent', 'Plan Rows') > 2000, 'a table that is no child of a route');
SELECT ok(test.estimate('SELECT * FROM many_1', 'Plan Rows') > 500, 'a child by its name');
-- prepared: the plan is made anew when the child grew by a load of its own session
PREPARE q(int) AS SELECT count(*) FROM many WHERE k = 5 AND v = $1;
EXECUTE q(5);
INSERT INTO many SELECT 5, i, 'n' FROM generate_series(1, 3000) i;
SELECT results_eq('EXECUTE q(5)', 'SELECT 2::bigint', 'a kept plan');
SELECT * FROM finish();
