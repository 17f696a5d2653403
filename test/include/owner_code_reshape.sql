-- A table of include/owner_code.sql gets shape after shape, by the role :caller; app writes while the log notes it and while copies are in step.
SET ROLE :caller;
SET canary.call = 'convert';
CALL router.convert('mal.s', router.by_date('d', 'month', label => 'SELECT mal.label($1)'), time_budget => '0');
RESET ROLE;
CALL test.write('log');
:hold;
SET ROLE :caller;
SET canary.call = 'convert';
CALL router.convert('mal.s', router.by_date('d', 'month', label => 'SELECT mal.label($1)'));
RESET ROLE;
RESET statement_timeout;
CALL test.write('step');
:free
SET ROLE :caller;
SET canary.call = 'convert';
CALL router.convert('mal.s', router.by_date('d', 'month', label => 'SELECT mal.label($1)'));
RESET ROLE;
SELECT array_agg(child ORDER BY child) FILTER (WHERE n <= 3) AS some, array_agg(child ORDER BY child) FILTER (WHERE n = 1) AS one
  FROM (SELECT child, row_number() OVER (ORDER BY bounds) AS n FROM router.children WHERE base = 'mal.s'::regclass) c \gset
:hold;
SET ROLE :caller;
SET canary.call = 'merge_children';
CALL router.merge_children(:'some');
RESET ROLE;
RESET statement_timeout;
CALL test.write('step');
:free
SET ROLE :caller;
SET canary.call = 'merge_children';
CALL router.merge_children(:'some');
SET canary.call = 'split_child';
SELECT child AS one FROM router.children WHERE base = 'mal.s'::regclass ORDER BY bounds LIMIT 1 \gset
CALL router.split_child(:'one', '{2024-01-20}');
SET canary.call = 'rekey';
CALL router.rekey('mal.s', router.by_date('d', 'year', label => 'SELECT mal.label($1)'), time_budget => '0');
RESET ROLE;
CALL test.write('log');
:hold;
SET ROLE :caller;
SET canary.call = 'rekey';
CALL router.rekey('mal.s', router.by_date('d', 'year', label => 'SELECT mal.label($1)'));
RESET ROLE;
RESET statement_timeout;
CALL test.write('step');
:free
SET ROLE :caller;
SET canary.call = 'rekey';
CALL router.rekey('mal.s', router.by_date('d', 'year', label => 'SELECT mal.label($1)'));
SET canary.call = 'unroute';
CALL router.unroute('mal.s');
SET canary.call = '';
RESET ROLE;
SELECT is((SELECT count(*) || ' ' || count(DISTINCT tableoid) FROM mal.s), '30 1', 'it has had all shapes');
SELECT is_empty($$SELECT DISTINCT call, place, who, restricted FROM seen WHERE call !~ '^[os] ' AND (who <> 'router_oc_owner' OR NOT restricted)$$,
    'what the owner defined runs as the owner, restricted: called by ' || :'caller');
SELECT bag_eq($$SELECT DISTINCT call FROM seen WHERE call !~ '^[os] '$$, $$SELECT unnest('{convert,merge_children,split_child,rekey,unroute}'::text[])$$, 'each call did run some of it');
DELETE FROM seen WHERE call !~ '^[os] ';
