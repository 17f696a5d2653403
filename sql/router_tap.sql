-- Tests of routed tables for pgTAP: docs/testing.md. Load it in a session that has both extensions, as
--     \set sharedir `pg_config --sharedir`
--     \i :sharedir/extension/router_tap.sql
-- Its functions go to the first schema of search_path. They are no part of the extension router.
-- As in pgTAP itself, pgTAP's functions and these are found by search_path, wherever they are.

-- A test, and what is wrong where it fails.
CREATE OR REPLACE FUNCTION _route_ok(passed boolean, description text, detail text) RETURNS text LANGUAGE sql AS $$
    SELECT ok($1, $2) || CASE WHEN $1 THEN '' ELSE coalesce(E'\n' || diag($3), '') END
$$;

-- A test that two sets of names are the same.
CREATE OR REPLACE FUNCTION _route_set_ok(what text, have text[], want text[], description text) RETURNS text LANGUAGE sql AS $$
    SELECT _route_ok(d.detail = '', $4, d.detail)
      FROM (SELECT concat_ws(E'\n',
                (SELECT format(E'    Extra %s:\n        %s', $1, string_agg(x, E'\n        ' ORDER BY x COLLATE "C"))
                   FROM (SELECT unnest($2) EXCEPT SELECT unnest($3)) e(x) HAVING count(*) > 0),
                (SELECT format(E'    Missing %s:\n        %s', $1, string_agg(x, E'\n        ' ORDER BY x COLLATE "C"))
                   FROM (SELECT unnest($3) EXCEPT SELECT unnest($2)) m(x) HAVING count(*) > 0)) AS detail) d
$$;

-- Why a table has no route; NULL: it has one.
CREATE OR REPLACE FUNCTION _route_missing(base text) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN t.relation IS NULL THEN format('    %s does not exist', $1)
                WHEN c.base IS NOT NULL THEN format('    %s is a child of %s', $1, c.base)
                WHEN r.base IS NULL THEN format('    %s is not routed', $1) END
      FROM to_regclass($1) AS t(relation)
      LEFT JOIN router.routes r ON r.base = t.relation
      LEFT JOIN router.children c ON c.child = t.relation
$$;

-- Is this the name of the relation, as it stands in pg_class, or quoted where it has to be, with or without its schema?
CREATE OR REPLACE FUNCTION _route_named(relation oid, name text) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT $2 IN (c.relname::text, quote_ident(c.relname), format('%I.%I', n.nspname, c.relname))
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = $1
$$;

CREATE OR REPLACE FUNCTION has_route(base text, description text DEFAULT NULL) RETURNS text LANGUAGE sql AS $$
    SELECT _route_ok(m IS NULL, coalesce($2, format('Table %s should be routed', $1)), m) FROM _route_missing($1) m
$$;
COMMENT ON FUNCTION has_route(text, text) IS 'pgTAP: the table is routed';

-- A table that does not exist fails: its name is a slip.
CREATE OR REPLACE FUNCTION hasnt_route(base text, description text DEFAULT NULL) RETURNS text LANGUAGE sql AS $$
    SELECT _route_ok(t.relation IS NOT NULL AND r.base IS NULL, coalesce($2, format('Table %s should not be routed', $1)),
                     coalesce('    ' || $1 || ' is routed by ' || r.keys::text, _route_missing($1)))
      FROM to_regclass($1) AS t(relation) LEFT JOIN router.routes r ON r.base = t.relation
$$;
COMMENT ON FUNCTION hasnt_route(text, text) IS 'pgTAP: the table exists, and is not routed';

CREATE OR REPLACE FUNCTION route_keys_are(base text, keys text[], description text DEFAULT NULL) RETURNS text LANGUAGE sql AS $$
    SELECT _route_ok(r.keys IS NOT DISTINCT FROM $2 AND m IS NULL, coalesce($3, format('Table %s should be routed by the correct keys', $1)),
                     coalesce(m, format(E'        have: %s\n        want: %s', r.keys, coalesce($2::text, 'NULL'))))
      FROM _route_missing($1) m LEFT JOIN router.routes r ON r.base = to_regclass($1)
$$;
COMMENT ON FUNCTION route_keys_are(text, text[], text) IS 'pgTAP: the keys of the route are these, as router.routes shows them';

-- The row is inserted, and that is undone.
CREATE OR REPLACE FUNCTION routes_to(base text, "row" text, child text, description text DEFAULT NULL) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    wrong text := _route_missing($1);
    is_object boolean := $2 ~ '^\s*\{';
    columns text;
    unknown text;
    home oid;
    have text;
    passed boolean := false;
BEGIN
    IF wrong IS NULL THEN
        BEGIN
            PERFORM set_config('router.create_in_background', 'off', true);
            SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) INTO columns
              FROM pg_attribute
             WHERE attrelid = $1::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
               AND CASE WHEN is_object THEN $2::jsonb ? attname::text ELSE true END;
            IF is_object THEN
                SELECT string_agg(quote_ident(k), ', ' ORDER BY k) INTO unknown
                  FROM jsonb_object_keys($2::jsonb) k
                 WHERE NOT EXISTS (SELECT FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0 AND attname = k);
            END IF;
            IF unknown IS NOT NULL OR columns IS NULL THEN
                wrong := coalesce('    ' || $1 || ' has no column ' || unknown, '    the row has no columns');
            ELSE
                EXECUTE format('INSERT INTO %1$s (%2$s) OVERRIDING SYSTEM VALUE SELECT %2$s FROM %3$s RETURNING tableoid', $1::regclass, columns,
                               CASE WHEN is_object THEN format('jsonb_populate_record(NULL::%s, $1::jsonb)', $1::regclass)
                                    ELSE format('(SELECT ($1::%s).*) r', $1::regclass) END)
                   INTO home USING $2;
                have := home::regclass;
                passed := coalesce(_route_named(home, $3), false);
            END IF;
            RAISE 'undone' USING ERRCODE = 'RTAP0';
        EXCEPTION
            WHEN SQLSTATE 'RTAP0' THEN
                NULL;
            WHEN OTHERS THEN
                wrong := format('    died: %s: %s', SQLSTATE, SQLERRM);
        END;
    END IF;
    RETURN _route_ok(passed, coalesce($4, format('A row of %s should go to %s', $1, $3)),
                     coalesce(wrong, format(E'        have: %s\n        want: %s', coalesce(have, 'no row'), coalesce($3, 'NULL'))));
END $$;
COMMENT ON FUNCTION routes_to(text, text, text, text) IS 'pgTAP: this row, an object in JSON or a row literal, goes to this child, which need not be there; nothing is left of it';

CREATE OR REPLACE FUNCTION routes_to(base text, "row" anyelement, child text, description text DEFAULT NULL) RETURNS text LANGUAGE sql AS $$
    SELECT routes_to($1, $2::text, $3, $4)
$$;
COMMENT ON FUNCTION routes_to(text, anyelement, text, text) IS 'pgTAP: this row, as jsonb or a record, goes to this child';

-- What router.check finds, of some kinds or (NULL) of all.
CREATE OR REPLACE FUNCTION _route_check_ok(base text, kinds text[], description text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    wrong text := _route_missing($1);
BEGIN
    IF wrong IS NULL OR $1 IS NULL THEN
        BEGIN
            SELECT string_agg(format('    %s: %s: %s', coalesce(c.child::text, c.routed_table::text, current_database()), c.kind, c.detail), E'\n'
                              ORDER BY c.routed_table::text, c.child::text, c.kind, c.detail)
              INTO wrong FROM router.check($1::regclass) c WHERE $2 IS NULL OR c.kind = ANY ($2);
        EXCEPTION WHEN OTHERS THEN
            wrong := format('    died: %s: %s', SQLSTATE, SQLERRM);
        END;
    END IF;
    RETURN _route_ok(wrong IS NULL, $3, wrong);
END $$;

CREATE OR REPLACE FUNCTION is_home(base text, description text DEFAULT NULL) RETURNS text LANGUAGE sql AS $$
    SELECT _route_check_ok($1, '{rows,check,route}', coalesce($2, format('All rows of %s should be at home', $1)))
$$;
COMMENT ON FUNCTION is_home(text, text) IS 'pgTAP: no row is in the base or in another child than its own';

CREATE OR REPLACE FUNCTION no_drift(base text DEFAULT NULL, description text DEFAULT NULL) RETURNS text LANGUAGE sql AS $$
    SELECT _route_check_ok($1, NULL, coalesce($2, format('Nothing should be wrong with %s', coalesce($1, 'the routed tables'))))
$$;
COMMENT ON FUNCTION no_drift(text, text) IS 'pgTAP: router.check finds nothing, of this table or of all';

CREATE OR REPLACE FUNCTION archive_moves(base text, n bigint, description text DEFAULT NULL, cutoff text DEFAULT NULL) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    wrong text := _route_missing($1);
    moved bigint;
BEGIN
    IF wrong IS NULL THEN
        BEGIN
            moved := router.archive_now($1::regclass, $4);
            wrong := format(E'        have: %s\n        want: %s', moved, coalesce($2::text, 'NULL'));
        EXCEPTION WHEN OTHERS THEN
            wrong := format('    died: %s: %s', SQLSTATE, SQLERRM);
        END;
    END IF;
    RETURN _route_ok(coalesce(moved = $2, false), coalesce($3, format('Archiving %s should move %s %s', $1, $2, CASE $2 WHEN 1 THEN 'row' ELSE 'rows' END)), wrong);
END $$;
COMMENT ON FUNCTION archive_moves(text, bigint, text, text) IS 'pgTAP: router.archive_now moves so many rows; they stay moved until the transaction is rolled back';

CREATE OR REPLACE FUNCTION children_are(base text, children text[], description text DEFAULT NULL) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    wrong text := _route_missing($1);
    words text := coalesce($3, format('Table %s should have the correct children', $1));
    have oid[];
BEGIN
    IF wrong IS NOT NULL THEN
        RETURN _route_ok(false, words, wrong);
    END IF;
    have := ARRAY(SELECT c.child FROM router.children c WHERE c.base = $1::regclass);
    RETURN _route_set_ok('children', have::regclass[]::text[],
                         ARRAY(SELECT coalesce((SELECT min(h::regclass::text) FROM unnest(have) h WHERE _route_named(h, w) HAVING count(*) = 1), w) FROM unnest($2) w), words);
END $$;
COMMENT ON FUNCTION children_are(text, text[], text) IS 'pgTAP: the children of a routed table are these';

CREATE OR REPLACE FUNCTION routed_tables_are(schema name, tables name[], description text DEFAULT NULL) RETURNS text LANGUAGE sql AS $$
    SELECT _route_set_ok('routed tables', ARRAY(SELECT c.relname::text FROM router.routes r JOIN pg_class c ON c.oid = r.base JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = $1),
                         $2::text[], coalesce($3, format('Schema %I should have the correct routed tables', $1)))
$$;
COMMENT ON FUNCTION routed_tables_are(name, name[], text) IS 'pgTAP: the routed tables of a schema are these';

CREATE OR REPLACE FUNCTION tables_without_children_are(schema name, tables name[], description text DEFAULT NULL) RETURNS text LANGUAGE sql AS $$
    SELECT _route_set_ok('tables', ARRAY(SELECT c.relname::text FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                                          WHERE n.nspname = $1 AND c.relkind IN ('r', 'p') AND c.relrewrite = 0
                                            AND NOT EXISTS (SELECT FROM router.children d WHERE d.child = c.oid)),
                         $2::text[], coalesce($3, format('Schema %I should have the correct tables, beside children', $1)))
$$;
COMMENT ON FUNCTION tables_without_children_are(name, name[], text) IS 'pgTAP: the tables of a schema are these; children of routed tables do not count';
