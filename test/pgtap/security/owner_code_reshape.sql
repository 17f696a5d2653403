-- A table gets other shapes: what its owner defined runs only as that owner, restricted, whoever calls, and for whoever writes
-- meanwhile as on an ordinary table.
\ir ../../include/helpers.sql
\set tests 8
SELECT plan(:tests);
SELECT test.role('router_oc_owner'), test.role('router_oc_member'), test.role('router_oc_app') \g /dev/null
GRANT router_oc_owner TO router_oc_member;
SET allow_in_place_tablespaces = on;
SELECT $$CREATE TABLESPACE router_t_space LOCATION ''$$ WHERE NOT EXISTS (SELECT FROM pg_tablespace WHERE spcname = 'router_t_space') \gexec
SELECT current_user AS me \gset
\ir ../../include/owner_code.sql
SET SESSION AUTHORIZATION router_oc_owner;
SELECT mal.make(t), mal.fill(t, 1, 30, '2024-01-10', 10) FROM unnest('{s,o}'::text[]) t \g /dev/null
ALTER TABLE mal.s DROP CONSTRAINT s_excl;
ALTER TABLE mal.s ADD PRIMARY KEY (id, d);
RESET SESSION AUTHORIZATION;

-- What app does to the table and to an ordinary one. Not what is evaluated when somebody opens an index for the first time: the session keeps it.
CREATE PROCEDURE test.write(phase text) LANGUAGE plpgsql AS $$
DECLARE
    twin text;
BEGIN
    FOREACH twin IN ARRAY ARRAY['o', 's'] LOOP
        PERFORM set_config('canary.call', twin || ' ' || phase, false);
        SET LOCAL ROLE router_oc_app;
        EXECUTE format('INSERT INTO mal.%I (id, d, n, r, c, cs, p) SELECT i, date ''2024-02-02'' + i, i, 1, 1, ''{1}'', ''(1,1)'' FROM generate_series(101, 103) i', twin);
        EXECUTE format('UPDATE mal.%I SET def = 5 WHERE n IN (5, 101)', twin);
        EXECUTE format('UPDATE mal.%I SET d = d + 40 WHERE n = 102', twin);
        EXECUTE format('DELETE FROM mal.%I WHERE n IN (101, 102, 103)', twin);
        RESET ROLE;
        COMMIT;
        PERFORM set_config('canary.call', '', false);
    END LOOP;
END $$;

-- an older snapshot holds each call up when copies are in step
CREATE EXTENSION IF NOT EXISTS dblink;
SELECT dblink_connect('older', format('dbname=%s host=%s port=%s', current_database(), split_part(current_setting('unix_socket_directories'), ',', 1), current_setting('port'))) \g /dev/null
\set hold 'SELECT dblink_exec(\'older\', \'BEGIN ISOLATION LEVEL REPEATABLE READ\') AS b, dblink_exec(\'older\', \'DECLARE c CURSOR FOR SELECT 1\') AS d \\gset older_ \\\\ SET statement_timeout = \'1500ms\''
\set free 'SELECT dblink_exec(\'older\', \'ROLLBACK\') \\gset older_'

\set caller :me
\ir ../../include/owner_code_reshape.sql
\set caller router_oc_member
\ir ../../include/owner_code_reshape.sql
SELECT is_empty($$SELECT DISTINCT call, place, who, restricted FROM seen WHERE call LIKE 's %' AND place NOT IN ('index const', 'predicate const') AND (who <> 'router_oc_owner' OR NOT restricted)
                  EXCEPT SELECT 's' || substr(call, 2), place, who, restricted FROM seen WHERE call LIKE 'o %'$$,
    'writers run what they run on an ordinary table, and what writes to copies runs as the owner, restricted');
SELECT isnt_empty($$SELECT FROM seen WHERE call LIKE 's %' AND restricted$$, 'which it does');
SELECT * FROM finish();
