-- Every catalog access may find its caches thrown away (servers built for it only):
-- inserts, COPY and the creation of a child come to the same end.
\ir ../../include/helpers.sql
\set tests 4
SELECT plan(:tests);
SELECT coalesce((SELECT max_val::int > 0 FROM pg_settings WHERE name = 'debug_discard_caches'), false) AS can_discard \gset

CREATE TABLE t (k int, d date, v text, PRIMARY KEY (k, d));
SELECT router.create_route('t', ARRAY[router.by_list('k', ARRAY['{1,2}']), router.by_date('d', 'month')]) \g /dev/null
INSERT INTO t VALUES (1, '2024-01-01', 'a'), (3, '2024-02-01', 'c');
:fresh
\if :can_discard
SET debug_discard_caches = 1;
\endif
INSERT INTO t VALUES (1, '2024-01-11', 'a'), (2, '2024-01-12', 'b'), (3, '2024-02-11', 'c');
INSERT INTO t VALUES (1, '2024-01-11', 'a') ON CONFLICT (k, d) DO UPDATE SET v = 'again';
COPY t FROM PROGRAM 'printf "1\t2024-01-21\tq\n3\t2024-02-03\tw\n"';
INSERT INTO t VALUES (3, '2024-03-11', 'c');
\if :can_discard
RESET debug_discard_caches;
\endif
SELECT is(test.homes('t'), 't_1_2_y2024m01: 4, t_3_y2024m02: 3, t_3_y2024m03: 1', 'all go home');
SELECT is((SELECT v FROM t WHERE k = 1 AND d = '2024-01-11'), 'again', 'ON CONFLICT finds its row');
SELECT is(test.strays('t'), 'none', 'none is astray');
SELECT is((SELECT count(*) FROM router.children WHERE base = 't'::regclass), 3::bigint, 'one child is new');
SELECT finish();
