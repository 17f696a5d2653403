-- router.balance: groups of even size. Checklist: the bound, against what is at least needed; few moves when run again; ordinary tables, weights, routed tables; apply; rights; what it refuses.
\ir ../../include/helpers.sql
\set tests 37
SELECT plan(:tests);
SELECT test.role('router_balance_' || r) FROM unnest('{owner,other}'::text[]) r \g /dev/null

-- the residences of a building manager, and how many readings each has
CREATE TABLE residence (id int PRIMARY KEY, code text, readings bigint);
INSERT INTO residence VALUES
 (145,'0023',163652),(59,'42LA',134784),(40,'623',120951),(9,'37',94076),(46,'360-400',77664),(75,'531-',71125),(102,'6991',68068),(63,'FAISANDERIE',67972),
 (112,'8401-8402-8403',63364),(79,'Marne',61009),(39,'134',60528),(66,'GR009',59290),(53,'Symphonie',58911),(111,'EP',56832),(35,'12071',56640),(119,'4138',52173),
 (68,'8300',50560),(55,'5073',50256),(29,'ICONE',48720),(18,'0233',48554),(10,'4',46380),(118,'4261',45962),(120,'4238',42720),(12,'10',40650),(25,'109-2',40400),
 (121,'4198',39672),(24,'109-1',39641),(122,'4640',39312),(13,'1068',38976),(28,'APT',38955),(36,'13VB',38880),(105,'3088',38475),(114,'BLD-ROI',37740),(86,'4058',35904),
 (26,'109-3',35728),(74,'3053',32120),(144,'6234',32032),(76,'783_6B1',31696),(31,'027',31668),(42,'Oxygen',31046),(69,'9728',30429),(61,'1002',30096),(23,'8120',29711),
 (17,'0006',28608),(54,'0005',27940),(81,'3059',27118);
SELECT is((SELECT count(*) FROM residence), 46::bigint, '46 residences');

-- no group is larger than 4/3 - 1/(3n) of what the largest has to be at least
CREATE FUNCTION test.least(n int) RETURNS numeric LANGUAGE sql AS $$
    SELECT greatest(max(readings), sum(readings) / n,
                    (SELECT sum(readings) FROM (SELECT readings FROM residence ORDER BY readings DESC OFFSET n - 1 LIMIT 2) x HAVING count(*) = 2)) FROM residence
$$;
SELECT is((SELECT string_agg(n || ' ' || largest, ', ') FROM (
              SELECT n, (SELECT max(rows) FROM router.balance('residence', 'id', n, weight => 'readings')) AS largest FROM generate_series(1, 60) n) x
            WHERE largest > (4.0 / 3 - 1.0 / (3 * n) + 1e-9) * test.least(n)), NULL, 'the bound holds for 1 to 60 groups');
SELECT is((SELECT count(*) || ' ' || sum(rows) || ' ' || sum(cardinality(members)) FROM router.balance('residence', 'id', 8, weight => 'readings')), '8 ' || (SELECT sum(readings) FROM residence) || ' 46', 'each value is in one group');
SELECT cmp_ok((SELECT max(rows)::numeric FROM router.balance('residence', 'id', 8, weight => 'readings')), '<=', (SELECT 1.005 * sum(readings) / 8 FROM residence), 'eight groups are even within half a percent');
SELECT is((SELECT count(*) FROM router.balance('residence', 'id', 46, weight => 'readings')), 46::bigint, 'as many groups as values: one each');
SELECT is((SELECT count(*) FROM router.balance('residence', 'id', 100, weight => 'readings')), 46::bigint, 'empty groups are none');
-- exact by brute force, small
CREATE TABLE graham AS SELECT row_number() OVER () AS id, w FROM unnest('{7,7,6,6,5,5,4,4,4}'::int[]) w;
SELECT cmp_ok((SELECT max(rows) FROM router.balance('graham', 'id', 4, weight => 'w')), '<=', 15::bigint, 'Graham''s worst case');

-- an ordinary table: its rows, NULLs, texts with quotes
CREATE TABLE plain (code text);
INSERT INTO plain SELECT c FROM unnest(ARRAY['a', 'b', 'it''s', 'x,y', NULL, '{}', 'NULL']) WITH ORDINALITY u(c, i), generate_series(1, i * 10);
SELECT is((SELECT string_agg(rows::text, ' ' ORDER BY rows) FROM router.balance('plain', 'code', 3)), '90 90 100', 'rows of a table');
SELECT statement AS call FROM router.balance('plain', 'code', 3) WHERE statement IS NOT NULL \gset
:call;
SELECT is((SELECT count(DISTINCT child) || ' ' || sum(n) FROM (SELECT tableoid AS child, count(*) AS n FROM plain GROUP BY 1) x), '3 280', 'the call that makes it can be run as it is');

-- a routed table
CREATE TABLE r (residence_id int, v int);
SELECT router.create_route('r', router.by_list('residence_id')) \g /dev/null
INSERT INTO r SELECT id, i FROM residence, generate_series(1, readings / 500) i;
ANALYZE r;
SELECT is((SELECT count(*) FROM router.balance('r', 'residence_id', 8) WHERE state = 'before'), 46::bigint, 'a group each before');
CALL router.balance('r', 'residence_id', 8, apply => false);
SELECT is((SELECT count(*) FROM router.children WHERE base = 'r'::regclass), 46::bigint, 'not applied');
SELECT max(rows) AS wanted FROM router.balance('r', 'residence_id', 8, exact => true) WHERE state = 'after' \gset
CALL router.balance('r', 'residence_id', 8, apply => true, exact => true);
SELECT is(:'SQLSTATE'::text, '00000', 'applied');
SELECT is((SELECT count(*) || ' ' || max(n) FROM (SELECT tableoid, count(*) AS n FROM r GROUP BY 1) x), '8 ' || :wanted, 'eight children of the sizes that were shown');
SELECT is((SELECT sum(n) FROM (SELECT count(*) AS n FROM r GROUP BY tableoid) x), (SELECT sum(readings / 500)::numeric FROM residence), 'no row is lost');
ANALYZE r;
SELECT is((SELECT count(statement) FROM router.balance('r', 'residence_id', 8)), 0::bigint, 'run again, it has nothing to do');
SELECT is((SELECT count(*) FROM router.events WHERE action = 'regroup' AND base = 'r'::regclass AND state = 'done'), 8::bigint, 'an event for each');

-- new values: none of the old moves
INSERT INTO r SELECT 1000 + j, i FROM generate_series(1, 3) j, generate_series(1, 40) i;
ANALYZE r;
SELECT is((SELECT string_agg(moved::text, ' ') FROM router.balance('r', 'residence_id', 8, exact => true) WHERE moved IS NOT NULL AND moved && (SELECT array_agg(id::text) FROM residence)), NULL, 'new values move no old one');
SELECT is((SELECT count(statement) FROM router.balance('r', 'residence_id', 8, exact => true)), 3::bigint, 'three groups get one each');
CALL router.balance('r', 'residence_id', 8, apply => true, exact => true);
SELECT is((SELECT count(*) FROM router.children WHERE base = 'r'::regclass), 8::bigint, 'eight again');
-- one value grows beyond the bound: few move
INSERT INTO r SELECT 81, i FROM generate_series(1, 900) i;
ANALYZE r;
SELECT cmp_ok((SELECT sum(cardinality(moved)) FROM router.balance('r', 'residence_id', 8, exact => true) WHERE moved IS NOT NULL), '<=', 8::bigint, 'a value that grew makes few move');
CREATE FUNCTION test.least_of_r(n int) RETURNS numeric LANGUAGE sql AS $$
    SELECT greatest(max(c), sum(c) / n) FROM (SELECT count(*) AS c FROM r GROUP BY residence_id) x
$$;
SELECT cmp_ok((SELECT max(rows)::numeric FROM router.balance('r', 'residence_id', 8, exact => true) WHERE state = 'after'), '<=', (4.0 / 3 - 1.0 / 24) * test.least_of_r(8), 'and the bound holds');
-- other numbers of groups, from those that there are
SELECT is((SELECT string_agg(n || ' ' || largest, ', ') FROM (
              SELECT n, (SELECT max(rows) FROM router.balance('r', 'residence_id', n, exact => true) WHERE state = 'after') AS largest FROM generate_series(1, 30) n) x
            WHERE largest > (4.0 / 3 - 1.0 / (3 * n) + 1e-9) * greatest(test.least_of_r(n), (SELECT sum(c) FROM (SELECT count(*) AS c FROM r GROUP BY residence_id ORDER BY 1 DESC OFFSET n - 1 LIMIT 2) x))), NULL, 'the bound holds for 1 to 30 groups');
SELECT is((SELECT bool_and(total = (SELECT count(*) FROM r)) FROM (SELECT n, (SELECT sum(rows) FROM router.balance('r', 'residence_id', n, exact => true) WHERE state = 'after') AS total FROM generate_series(1, 30) n) x), true, 'and no row is forgotten');
CALL router.balance('r', 'residence_id', 5, apply => true, exact => true);
SELECT is((SELECT count(*) FROM router.children WHERE base = 'r'::regclass), 5::bigint, 'fewer');
CALL router.balance('r', 'residence_id', 7, apply => true, exact => true);
SELECT is((SELECT count(*) FROM router.children WHERE base = 'r'::regclass), 7::bigint, 'more');
SELECT is((SELECT count(*) FROM router.check('r')), 0::bigint, 'all is well');

-- who may
GRANT SELECT ON residence TO router_balance_other;
SET ROLE router_balance_other;
SELECT is((SELECT count(*) FROM router.balance('public.residence', 'id', 3, weight => 'readings')), 3::bigint, 'who may read');
SELECT throws_ok($$SELECT * FROM router.balance('public.graham', 'id', 3)$$, '42501', NULL, 'who may not');
SELECT throws_ok($$SELECT * FROM router.balance('public.r', 'residence_id', 3, exact => true)$$, '42501', NULL, 'or not count');
CALL router.balance('public.r', 'residence_id', 3, apply => true);
SELECT is(:'SQLSTATE'::text, '42501', 'applying is for the owner');
RESET ROLE;

-- what it refuses
SELECT throws_ok($$SELECT * FROM router.balance('r', 'v', 3)$$, '22023', NULL, 'no list key');
SELECT throws_ok($$SELECT * FROM router.balance('residence', 'nothing', 3)$$, '42703', NULL, 'no column');
SELECT throws_ok($$SELECT * FROM router.balance('residence', 'id', 0)$$, '22023', NULL, 'no groups');
SELECT throws_ok($$SELECT * FROM router.balance('r', 'residence_id', 3, weight => 'v')$$, '22023', NULL, 'a weight of a routed table');
SELECT throws_ok($$SELECT * FROM router.balance(NULL, 'id', 3)$$, '22004', NULL, 'no table');
BEGIN;
CALL router.balance('r', 'residence_id', 3, apply => true);
\set state :SQLSTATE
ROLLBACK;
SELECT is(:'state'::text, '25001', 'in a transaction block');
CALL router.balance('residence', 'id', 3, apply => true);
SELECT is(:'SQLSTATE'::text, '55000', 'a table that is not routed');

SELECT * FROM finish();
DROP OWNED BY router_balance_owner, router_balance_other CASCADE;
