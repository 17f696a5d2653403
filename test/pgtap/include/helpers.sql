-- Shared by every suite here: \ir include/helpers.sql, then \set tests N and SELECT plan(:tests).
--
-- A statement that fails is seen by the checks after it and by the plan, so the
-- file goes on: ON_ERROR_STOP is off. pgTAP keeps its count in temporary tables;
-- :fresh carries it over into a new session, so that what follows is the first
-- statement of a backend that has not called router yet (and, in a database
-- without session_preload_libraries, has not loaded it either).
\set ON_ERROR_STOP 0
\set fresh 'SELECT last_value AS ran, is_called AS any_ran FROM __tresults___numb_seq \\gset \\\\ \\c - \\\\ SET client_min_messages = warning; SELECT plan(:tests) AS ignored \\gset \\\\ SELECT setval(\'__tresults___numb_seq\', :ran, :\'any_ran\') AS ran \\gset'

SET client_min_messages = warning;
CREATE SCHEMA test;
GRANT USAGE ON SCHEMA test TO PUBLIC;

-- Where the rows of a table are: 't_1_100: 3, t_null: 1'. Rows in the base itself show under its own name.
CREATE FUNCTION test.homes(base regclass) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    EXECUTE format('SELECT string_agg(home || '': '' || n, '', '' ORDER BY home COLLATE "C")
                      FROM (SELECT tableoid::regclass::text AS home, count(*) AS n FROM %s GROUP BY 1) s', base)
       INTO result;
    RETURN coalesce(result, 'empty');
END $$;

-- The children of a table by name. '!' marks one that inheritance and the catalog do not agree about.
CREATE FUNCTION test.children(base regclass) RETURNS text LANGUAGE sql AS $$
    SELECT coalesce(string_agg(CASE WHEN i.inhrelid IS NULL OR c.child IS NULL THEN '!' ELSE '' END
                               || coalesce(c.child, i.inhrelid::regclass)::text,
                               ', ' ORDER BY coalesce(c.child, i.inhrelid::regclass)::text COLLATE "C"), 'none')
      FROM (SELECT * FROM router.children c WHERE c.base = $1) c
      FULL JOIN (SELECT * FROM pg_inherits WHERE inhparent = $1) i ON i.inhrelid = c.child
$$;

-- Rows that are not where they belong: in the base, or in a child whose CHECK they do not satisfy.
CREATE FUNCTION test.strays(base regclass) RETURNS text LANGUAGE plpgsql SET extra_float_digits = 3 AS $$
DECLARE
    c record;
    n bigint;
    result text := '';
BEGIN
    EXECUTE format('SELECT count(*) FROM ONLY %s', base) INTO n;
    IF n > 0 THEN
        result := format('%s in %s itself; ', n, base);
    END IF;
    FOR c IN SELECT child, condition FROM router.children ch WHERE ch.base = strays.base AND condition IS NOT NULL LOOP
        EXECUTE format('SELECT count(*) FROM ONLY %s WHERE (%s) IS NOT TRUE', c.child, c.condition) INTO n;
        IF n > 0 THEN
            result := result || format('%s in %s; ', n, c.child);
        END IF;
    END LOOP;
    RETURN CASE result WHEN '' THEN 'none' ELSE result END;
END $$;

-- The CHECK that says what a child holds.
CREATE FUNCTION test.home_check(child regclass) RETURNS text LANGUAGE sql AS $$
    SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = $1 AND conname = 'router_home'
$$;

-- The bounds of a child as router.children shows them.
CREATE FUNCTION test.bounds(child regclass) RETURNS text LANGUAGE sql AS $$
    SELECT bounds::text FROM router.children c WHERE c.child = $1
$$;

-- Runs a statement and tells how it ended: 'done', or SQLSTATE and message.
CREATE FUNCTION test.outcome(command text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE command;
    RETURN 'done';
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE || ': ' || SQLERRM;
END $$;

-- Does the error carry a hint? The text of the hint, or NULL.
CREATE FUNCTION test.hint(command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    hint text;
BEGIN
    EXECUTE command;
    RETURN NULL;
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
    RETURN nullif(hint, '');
END $$;

-- Roles are shared by all databases of the cluster: made once, never dropped here.
CREATE FUNCTION test.role(name) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE ROLE %I', $1);
EXCEPTION WHEN duplicate_object OR unique_violation THEN
    NULL;
END $$;
