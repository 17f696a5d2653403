-- Shared by every suite here: \ir ../../include/helpers.sql, then \set tests N and SELECT plan(:tests).
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

-- Runs a command and undoes it: "done", or the SQLSTATE alone.
CREATE FUNCTION test.attempt(command text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE command;
    RAISE 'undone' USING ERRCODE = 'RB000';
EXCEPTION WHEN OTHERS THEN
    RETURN CASE SQLSTATE WHEN 'RB000' THEN 'done' ELSE SQLSTATE END;
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

-- What a table has, in words that do not name it: to compare a child with its base.
CREATE FUNCTION test.properties(rel regclass) RETURNS SETOF text LANGUAGE sql STABLE SET search_path = pg_catalog AS $$
    WITH comments AS NOT MATERIALIZED (SELECT classoid, objoid, objsubid, description FROM pg_description)
    SELECT format('table %s %s %s %s %s %s %s', relowner::regrole, relacl, relpersistence, relreplident, relrowsecurity,
                  relforcerowsecurity, (SELECT array_agg(o ORDER BY o) FROM unnest(reloptions) o))
           || coalesce((SELECT description FROM comments WHERE classoid = 'pg_class'::regclass AND objoid = rel AND objsubid = 0), '')
      FROM pg_class WHERE oid = rel
    UNION ALL
    SELECT format('column %s %s %s null %s, target %s, options %s, storage %s %s, default %s, comment %s', attname, format_type(atttypid, atttypmod), attacl,
                  NOT attnotnull, CASE WHEN attstattarget >= 0 THEN attstattarget END,
                  (SELECT array_agg(o) FROM unnest(attoptions) o WHERE o ~ '^n_distinct'), attstorage, attcompression,
                  CASE WHEN attidentity <> '' THEN format('nextval(%L::regclass)', pg_get_serial_sequence(rel::text, attname)::regclass)
                       ELSE pg_get_expr(adbin, adrelid) END, description)
      FROM pg_attribute a LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
      LEFT JOIN comments ON classoid = 'pg_class'::regclass AND objoid = attrelid AND objsubid = attnum
     WHERE attrelid = rel AND attnum > 0 AND NOT attisdropped
    UNION ALL
    SELECT regexp_replace(pg_get_indexdef(indexrelid), 'INDEX \S+ ON (ONLY )?\S+', 'INDEX ON')
           || format(' %s %s %s %s %s, constraint %s %s, target %s, comments %s %s', indisprimary, indisexclusion, indimmediate, indisclustered, indisreplident,
                     condeferrable, condeferred, (SELECT array_agg(attstattarget ORDER BY attnum) FROM pg_attribute WHERE attrelid = indexrelid AND attstattarget >= 0),
                     d.description, e.description)
      FROM pg_index LEFT JOIN pg_constraint ON conindid = indexrelid AND contype IN ('p', 'u', 'x')
      LEFT JOIN comments d ON d.classoid = 'pg_class'::regclass AND d.objoid = indexrelid
      LEFT JOIN comments e ON e.classoid = 'pg_constraint'::regclass AND e.objoid = pg_constraint.oid
     WHERE indrelid = rel AND indisvalid
    UNION ALL
    SELECT format('constraint %s %s %s', conname, replace(pg_get_constraintdef(c.oid), ' NO INHERIT', ''), description)
      FROM pg_constraint c LEFT JOIN comments ON classoid = 'pg_constraint'::regclass AND objoid = c.oid
     WHERE conrelid = rel AND contype IN ('c', 'f') AND conparentid = 0 AND conname <> 'router_home'
    UNION ALL
    SELECT format('trigger %s %s %s', tgenabled, regexp_replace(pg_get_triggerdef(t.oid), ' ON \S+ (FROM|NOT DEF|DEFERR|FOR)', ' ON \1'), description)
      FROM pg_trigger t LEFT JOIN comments ON classoid = 'pg_trigger'::regclass AND objoid = t.oid
     WHERE tgrelid = rel AND NOT tgisinternal AND tgtype & 1 = 1 AND tgname NOT IN ('~router_route', '~router_settle')
    UNION ALL
    SELECT replace(format('policy %s %s %s %s %s %s %s', polname, polcmd, polpermissive, polroles::regrole[], pg_get_expr(polqual, polrelid),
                          pg_get_expr(polwithcheck, polrelid), description), relname || '.', '')
      FROM pg_policy p JOIN pg_class c ON c.oid = polrelid LEFT JOIN comments ON classoid = 'pg_policy'::regclass AND objoid = p.oid
     WHERE polrelid = rel
    UNION ALL
    SELECT format('statistics %s %s %s %s %s', stxkind, (SELECT array_agg(attname ORDER BY attname) FROM pg_attribute WHERE attrelid = rel AND attnum = ANY (stxkeys)),
                  pg_get_expr(stxexprs, stxrelid), CASE WHEN stxstattarget >= 0 THEN stxstattarget END, description)
      FROM pg_statistic_ext s LEFT JOIN comments ON classoid = 'pg_statistic_ext'::regclass AND objoid = s.oid
     WHERE stxrelid = rel
    UNION ALL
    SELECT format('publication %s %s %s', pubname, pg_get_expr(prqual, prrelid),
                  (SELECT array_agg(attname ORDER BY attname) FROM pg_attribute WHERE attrelid = rel AND attnum = ANY (prattrs)))
      FROM pg_publication_rel JOIN pg_publication p ON p.oid = prpubid WHERE prrelid = rel
$$;

-- How the children differ from their base.
CREATE FUNCTION test.unlike(base regclass) RETURNS text LANGUAGE sql AS $$
    SELECT coalesce(string_agg(format('%s %s: %s', c.child, d.side, d.x), '; '), 'nothing')
      FROM router.children c, LATERAL (
           (SELECT 'lacks' AS side, x FROM test.properties($1) x EXCEPT ALL SELECT 'lacks', x FROM test.properties(c.child) x)
           UNION ALL
           (SELECT 'has' AS side, x FROM test.properties(c.child) x EXCEPT ALL SELECT 'has', x FROM test.properties($1) x)) d
     WHERE c.base = $1
$$;

-- Runs DDL on a base: 'followed', or what is wrong.
CREATE FUNCTION test.follow(base regclass, command text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    before text[] := (SELECT array_agg(x ORDER BY x COLLATE "C") FROM test.properties(base) x);
    differs text;
BEGIN
    EXECUTE command;
    IF before = (SELECT array_agg(x ORDER BY x COLLATE "C") FROM test.properties(base) x) THEN
        RETURN 'without effect on the base';
    END IF;
    differs := test.unlike(base);
    IF differs <> 'nothing' THEN
        RETURN differs;
    END IF;
    differs := (SELECT string_agg(detail, '; ') FROM router.check(base));
    RETURN coalesce(differs, 'followed');
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE || ': ' || SQLERRM;
END $$;

-- Entries of the global keys of a table against its rows: nothing missing, nothing left over, nothing twice.
CREATE FUNCTION test.entries(base regclass) RETURNS text LANGUAGE sql AS $$
    SELECT coalesce(string_agg(CASE WHEN missing + orphans + duplicates = 0 THEN 'ok'
                                    ELSE format('%s missing, %s orphans, %s duplicates', missing, orphans, duplicates) END, '; '), 'none')
      FROM router.check_global_key(base)
$$;

-- A month by its distance to this one, as it stands in names of children.
CREATE FUNCTION test.month(n int) RETURNS text LANGUAGE sql AS $$ SELECT to_char(now() AT TIME ZONE 'UTC' + n * interval '1 month', '"y"YYYY"m"MM') $$;

-- What belongs to tables that get another shape.
CREATE FUNCTION test.half_done() RETURNS text LANGUAGE sql AS $$
    SELECT coalesce(string_agg(relname, ', ' ORDER BY relname), 'nothing') FROM pg_class
     WHERE relname ~ '^router_(shadow|log)' OR relrewrite <> 0
$$;

-- The SQLSTATE that a statement ends with, or ok.
CREATE FUNCTION test.sql_of(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
    RETURN 'ok';
EXCEPTION WHEN OTHERS THEN
    RETURN sqlstate;
END $$;
