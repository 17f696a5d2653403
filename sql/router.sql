-- router: the SQL objects of the extension. Source of router--1.0.sql.
--
-- What a function does, its arguments, errors and locks stand in docs/reference.md;
-- the COMMENT ON each object says it in a sentence.

\echo Use "CREATE EXTENSION router" to load this file. \quit

COMMENT ON SCHEMA router IS 'routed tables: each row goes to its child table';
GRANT USAGE ON SCHEMA router TO PUBLIC;

-- ---------------------------------------------------------------- catalog
-- Written by src/catalog.c and nobody else. Tables are named by regclass, so
-- that a rename or SET SCHEMA needs no work and pg_dump writes names.

CREATE TABLE router.route_def (
    base             regclass NOT NULL PRIMARY KEY,
    time_zone        text     NOT NULL,
    template         text,
    on_missing       text     NOT NULL,
    on_reject        text     NOT NULL,
    horizon          interval NOT NULL,
    max_new_children integer  NOT NULL,
    hot              interval,           -- how long a row stays in the base; NULL: not at all
    watermark        text,               -- hot: rows before it live in children
    pending          text,               -- hot: where an archive run is taking the watermark
    reach            text                -- hot: children were given current rows, but none from here on
);
COMMENT ON TABLE router.route_def IS 'one row for each routed table: its settings';

CREATE TABLE router.key_def (
    base        regclass NOT NULL,
    level       int2     NOT NULL,
    kind        text     NOT NULL,
    column_name name     NOT NULL,
    attnum      int2     NOT NULL,   -- of column_name; follows it after a restore
    every       text,                -- date: interval; integer: width
    modulus     integer,             -- hash: buckets; prefix, suffix: characters
    groups      text[],              -- list: array literals of values that share a child
    pivot       text,                -- date, integer: the first child holds what is below
    label       text,                -- query that names a child from $1, a value it holds
    PRIMARY KEY (base, level)
);
COMMENT ON TABLE router.key_def IS 'the keys of each routed table, outermost first';

CREATE TABLE router.child_def (
    child  regclass NOT NULL PRIMARY KEY,
    base   regclass NOT NULL,
    bounds text[]   NOT NULL         -- one a level; grammar in src/key.c
);
CREATE INDEX child_def_base_idx ON router.child_def (base);
COMMENT ON INDEX router.child_def_base_idx IS 'the children of a base';
COMMENT ON TABLE router.child_def IS 'the children of each routed table and what each of them holds';

CREATE TABLE router.global_key_def (
    base      regclass NOT NULL,
    key_table regclass NOT NULL PRIMARY KEY,
    columns   name[]   NOT NULL,
    attnums   int2[]   NOT NULL      -- of columns, in base; follow them after a restore
);
CREATE INDEX global_key_def_base_idx ON router.global_key_def (base);
COMMENT ON INDEX router.global_key_def_base_idx IS 'the global keys of a base';
COMMENT ON TABLE router.global_key_def IS 'the global keys of each routed table and the tables that keep them';

CREATE TABLE router.events (
    at         timestamptz NOT NULL,
    base       oid         NOT NULL,
    base_name  text,                     -- at that time; NULL: it was gone
    action     text        NOT NULL,
    rows       bigint      NOT NULL,
    error      text                      -- NULL: it went well
);
COMMENT ON TABLE router.events IS 'what maintenance did: a row for each table and run; not dumped, delete from it as you like';
GRANT SELECT ON router.events TO PUBLIC;

SELECT pg_catalog.pg_extension_config_dump('router.route_def', '');
SELECT pg_catalog.pg_extension_config_dump('router.key_def', '');
SELECT pg_catalog.pg_extension_config_dump('router.child_def', '');
SELECT pg_catalog.pg_extension_config_dump('router.global_key_def', '');

GRANT SELECT ON router.route_def, router.key_def, router.child_def, router.global_key_def TO PUBLIC;

CREATE FUNCTION router.config_changed() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'router_config_changed';
COMMENT ON FUNCTION router.config_changed() IS 'internal: tells every session that a route changed, and fills attnum from the column name';

CREATE TRIGGER config_changed BEFORE INSERT OR UPDATE OR DELETE ON router.route_def
    FOR EACH ROW EXECUTE FUNCTION router.config_changed();
CREATE TRIGGER config_changed BEFORE INSERT OR UPDATE OR DELETE ON router.key_def
    FOR EACH ROW EXECUTE FUNCTION router.config_changed();
CREATE TRIGGER config_changed BEFORE INSERT OR UPDATE OR DELETE ON router.child_def
    FOR EACH ROW EXECUTE FUNCTION router.config_changed();
CREATE TRIGGER config_changed BEFORE INSERT OR UPDATE OR DELETE ON router.global_key_def
    FOR EACH ROW EXECUTE FUNCTION router.config_changed();
COMMENT ON TRIGGER config_changed ON router.route_def IS 'internal: tells every session that a route changed';
COMMENT ON TRIGGER config_changed ON router.key_def IS 'internal: tells every session that a route changed';
COMMENT ON TRIGGER config_changed ON router.child_def IS 'internal: tells every session that a route changed';
COMMENT ON TRIGGER config_changed ON router.global_key_def IS 'internal: tells every session that a route changed';
ALTER TABLE router.route_def ENABLE ALWAYS TRIGGER config_changed;
ALTER TABLE router.key_def   ENABLE ALWAYS TRIGGER config_changed;
ALTER TABLE router.child_def ENABLE ALWAYS TRIGGER config_changed;
ALTER TABLE router.global_key_def ENABLE ALWAYS TRIGGER config_changed;

-- ---------------------------------------------------------------- keys

CREATE TYPE router.key AS (
    kind        text,
    column_name name,
    every       text,
    modulus     integer,
    groups      text[],
    pivot       text,
    label       text
);
COMMENT ON TYPE router.key IS 'one level of routing; made by router.by_list, by_date, by_integer, by_prefix, by_suffix, by_hash';

CREATE FUNCTION router.by_list(column_name name, groups text[] DEFAULT NULL, label text DEFAULT NULL)
    RETURNS router.key IMMUTABLE PARALLEL SAFE LANGUAGE sql
    RETURN ROW('list', column_name, NULL, NULL, groups, NULL, label)::router.key;
COMMENT ON FUNCTION router.by_list(name, text[], text)
    IS 'key: one child for each value, or for each group of values given as array literals';

CREATE FUNCTION router.by_date(column_name name, every text DEFAULT NULL, pivot text DEFAULT NULL, label text DEFAULT NULL)
    RETURNS router.key IMMUTABLE PARALLEL SAFE LANGUAGE sql
    RETURN ROW('date', column_name, every, NULL, NULL, pivot, label)::router.key;
COMMENT ON FUNCTION router.by_date(name, text, text, text)
    IS 'key: one child for each hour, day, week, month, year or interval of a date, timestamp or timestamptz column; every NULL: only the ranges you create';

CREATE FUNCTION router.by_integer(column_name name, every bigint DEFAULT NULL, pivot bigint DEFAULT NULL, label text DEFAULT NULL)
    RETURNS router.key IMMUTABLE PARALLEL SAFE LANGUAGE sql
    RETURN ROW('integer', column_name, every::text, NULL, NULL, pivot::text, label)::router.key;
COMMENT ON FUNCTION router.by_integer(name, bigint, bigint, text)
    IS 'key: one child for each so many values of a smallint, integer or bigint column; every NULL: only the ranges you create';

CREATE FUNCTION router.by_prefix(column_name name, length integer, label text DEFAULT NULL)
    RETURNS router.key IMMUTABLE PARALLEL SAFE LANGUAGE sql
    RETURN ROW('prefix', column_name, NULL, length, NULL, NULL, label)::router.key;
COMMENT ON FUNCTION router.by_prefix(name, integer, text)
    IS 'key: one child for each value of lower(substr(column, 1, length))';

CREATE FUNCTION router.by_suffix(column_name name, length integer, label text DEFAULT NULL)
    RETURNS router.key IMMUTABLE PARALLEL SAFE LANGUAGE sql
    RETURN ROW('suffix', column_name, NULL, length, NULL, NULL, label)::router.key;
COMMENT ON FUNCTION router.by_suffix(name, integer, text)
    IS 'key: one child for each value of lower(right(column, length))';

CREATE FUNCTION router.by_hash(column_name name, modulus integer)
    RETURNS router.key IMMUTABLE PARALLEL SAFE LANGUAGE sql
    RETURN ROW('hash', column_name, NULL, modulus, NULL, NULL, NULL)::router.key;
COMMENT ON FUNCTION router.by_hash(name, integer)
    IS 'key: modulus children of even size, by the hash of the column';

-- ---------------------------------------------------------------- routes
-- A setting left NULL means its default in create_route on a new route, and
-- "as it is" in alter_route or on a route that exists.

CREATE FUNCTION router.create_route(
        base regclass,
        keys router.key[],
        template text DEFAULT NULL,
        time_zone text DEFAULT NULL,
        default_child boolean DEFAULT NULL,
        on_missing text DEFAULT NULL,
        on_reject text DEFAULT NULL,
        horizon interval DEFAULT NULL,
        max_new_children integer DEFAULT NULL,
        hot interval DEFAULT NULL,
        move_rows boolean DEFAULT false,
        dry_run boolean DEFAULT false)
    RETURNS SETOF text VOLATILE LANGUAGE c AS 'MODULE_PATHNAME', 'router_create_route';
COMMENT ON FUNCTION router.create_route(regclass, router.key[], text, text, boolean, text, text, interval, integer, interval, boolean, boolean)
    IS 'makes an ordinary table a routed table; returns a line for each thing done (or, with dry_run, that would be done)';

CREATE FUNCTION router.create_route(
        base regclass,
        key router.key,
        template text DEFAULT NULL,
        time_zone text DEFAULT NULL,
        default_child boolean DEFAULT NULL,
        on_missing text DEFAULT NULL,
        on_reject text DEFAULT NULL,
        horizon interval DEFAULT NULL,
        max_new_children integer DEFAULT NULL,
        hot interval DEFAULT NULL,
        move_rows boolean DEFAULT false,
        dry_run boolean DEFAULT false)
    RETURNS SETOF text VOLATILE LANGUAGE sql AS $$
        SELECT router.create_route(base, ARRAY[key], template, time_zone, default_child, on_missing,
                                   on_reject, horizon, max_new_children, hot, move_rows, dry_run)
    $$;
COMMENT ON FUNCTION router.create_route(regclass, router.key, text, text, boolean, text, text, interval, integer, interval, boolean, boolean)
    IS 'makes an ordinary table a routed table with one key; see the other create_route';

CREATE FUNCTION router.alter_route(
        base regclass,
        template text DEFAULT NULL,
        time_zone text DEFAULT NULL,
        default_child boolean DEFAULT NULL,
        on_missing text DEFAULT NULL,
        on_reject text DEFAULT NULL,
        horizon interval DEFAULT NULL,
        max_new_children integer DEFAULT NULL,
        hot interval DEFAULT NULL,
        dry_run boolean DEFAULT false)
    RETURNS SETOF text VOLATILE LANGUAGE c AS 'MODULE_PATHNAME', 'router_alter_route';
COMMENT ON FUNCTION router.alter_route(regclass, text, text, boolean, text, text, interval, integer, interval, boolean)
    IS 'changes settings of a route; what is NULL stays as it is';

CREATE FUNCTION router.drop_route(base regclass, dry_run boolean DEFAULT false, move_rows boolean DEFAULT false)
    RETURNS SETOF text VOLATILE LANGUAGE c AS 'MODULE_PATHNAME', 'router_drop_route';
COMMENT ON FUNCTION router.drop_route(regclass, boolean, boolean)
    IS 'ends the routing of a table; its children stay, as ordinary inheritance children with their CHECKs, or with move_rows give their rows back and are dropped';

-- ---------------------------------------------------------------- children

CREATE FUNCTION router.create_child(base regclass, bounds text[], child_name name DEFAULT NULL, dry_run boolean DEFAULT false)
    RETURNS SETOF text VOLATILE LANGUAGE c AS 'MODULE_PATHNAME', 'router_create_child';
COMMENT ON FUNCTION router.create_child(regclass, text[], name, boolean)
    IS 'creates the child with these bounds, one a level: a value it shall hold, a range [lo,hi), a group {a,b}, null or default';

CREATE FUNCTION router.create_child(base regclass, VARIADIC "values" text[])
    RETURNS SETOF text VOLATILE LANGUAGE sql AS $$
        SELECT router.create_child(base, "values", NULL::name, false)
    $$;
COMMENT ON FUNCTION router.create_child(regclass, text[])
    IS 'creates the child that holds these key values, one a level';

CREATE FUNCTION router.attach_child(base regclass, child regclass, bounds text[], dry_run boolean DEFAULT false)
    RETURNS SETOF text VOLATILE LANGUAGE c AS 'MODULE_PATHNAME', 'router_attach_child';
COMMENT ON FUNCTION router.attach_child(regclass, regclass, text[], boolean)
    IS 'makes an existing table or foreign table a child with these bounds';

CREATE FUNCTION router.detach_child(child regclass, dry_run boolean DEFAULT false)
    RETURNS SETOF text VOLATILE LANGUAGE c AS 'MODULE_PATHNAME', 'router_detach_child';
COMMENT ON FUNCTION router.detach_child(regclass, boolean)
    IS 'makes a child a table of its own again';

CREATE FUNCTION router.premake(base regclass, n integer DEFAULT 1, dry_run boolean DEFAULT false)
    RETURNS SETOF text VOLATILE LANGUAGE c AS 'MODULE_PATHNAME', 'router_premake';
COMMENT ON FUNCTION router.premake(regclass, integer, boolean)
    IS 'creates the children of now and of the n steps to come (date), the next n (integer), all groups (list) or buckets (hash), under every outer child there is';

CREATE PROCEDURE router.redistribute(base regclass, dry_run boolean DEFAULT false)
    LANGUAGE c AS 'MODULE_PATHNAME', 'router_redistribute';
COMMENT ON PROCEDURE router.redistribute(regclass, boolean)
    IS 'empties the default child into children of their own, one transaction a child';

CREATE PROCEDURE router.archive(base regclass DEFAULT NULL, batch_rows integer DEFAULT 10000, time_budget interval DEFAULT NULL,
                                lock_timeout interval DEFAULT '1 second', cutoff text DEFAULT NULL, dry_run boolean DEFAULT false)
    LANGUAGE c AS 'MODULE_PATHNAME', 'router_archive';
COMMENT ON PROCEDURE router.archive(regclass, integer, interval, interval, text, boolean)
    IS 'moves rows that have left the hot window from the base into their children, in batches; base NULL: of all hot routes that you own';

-- ---------------------------------------------------------------- global keys

CREATE FUNCTION router.add_global_key(base regclass, columns name[], key_table name DEFAULT NULL, dry_run boolean DEFAULT false)
    RETURNS SETOF text VOLATILE LANGUAGE c AS 'MODULE_PATHNAME', 'router_add_global_key';
COMMENT ON FUNCTION router.add_global_key(regclass, name[], name, boolean)
    IS 'makes columns unique over the whole routed table, with a key table that foreign keys can refer to';

CREATE FUNCTION router.drop_global_key(base regclass, columns name[], dry_run boolean DEFAULT false)
    RETURNS SETOF text VOLATILE LANGUAGE c AS 'MODULE_PATHNAME', 'router_drop_global_key';
COMMENT ON FUNCTION router.drop_global_key(regclass, name[], boolean)
    IS 'drops a global key and its key table';

CREATE FUNCTION router.rebuild_global_key(base regclass, columns name[], dry_run boolean DEFAULT false)
    RETURNS SETOF text VOLATILE LANGUAGE c AS 'MODULE_PATHNAME', 'router_rebuild_global_key';
COMMENT ON FUNCTION router.rebuild_global_key(regclass, name[], boolean)
    IS 'makes the entries that rows lack, removes those that no row has, and brings back missing triggers';

CREATE FUNCTION router.check_global_key(base regclass, OUT key_table regclass, OUT columns name[],
        OUT missing bigint, OUT orphans bigint, OUT duplicates bigint)
    RETURNS SETOF record VOLATILE LANGUAGE c AS 'MODULE_PATHNAME', 'router_check_global_key';
COMMENT ON FUNCTION router.check_global_key(regclass)
    IS 'counts rows without an entry, entries without a row, and keys that several rows have; all 0 if nothing went past the triggers';

-- ---------------------------------------------------------------- children like their base

CREATE FUNCTION router.sync(base regclass, dry_run boolean DEFAULT false)
    RETURNS SETOF text VOLATILE LANGUAGE c AS 'MODULE_PATHNAME', 'router_sync';
COMMENT ON FUNCTION router.sync(regclass, boolean)
    IS 'makes the children like their base again: indexes, constraints, triggers, policies, grants and the rest; returns a line for each thing done';

CREATE PROCEDURE router.sync(base regclass, concurrently boolean, dry_run boolean DEFAULT false)
    LANGUAGE c AS 'MODULE_PATHNAME', 'router_sync_concurrently';
COMMENT ON PROCEDURE router.sync(regclass, boolean, boolean)
    IS 'the same, one transaction a child; concurrently: indexes are built without keeping writers away';

CREATE FUNCTION router.check(base regclass DEFAULT NULL)
    RETURNS TABLE (routed_table regclass, child regclass, kind text, detail text, remedy text)
    VOLATILE LANGUAGE c AS 'MODULE_PATHNAME', 'router_check';
COMMENT ON FUNCTION router.check(regclass)
    IS 'what is not as it should be: children unlike their base, rows not at home, missing triggers and the like; no row: all is well';

CREATE FUNCTION router.base_constraint(child regclass, constraint_name name)
    RETURNS name STABLE STRICT PARALLEL SAFE LANGUAGE c AS 'MODULE_PATHNAME', 'router_base_constraint';
COMMENT ON FUNCTION router.base_constraint(regclass, name)
    IS 'the constraint or index of the base that one of a child stands for';

-- ---------------------------------------------------------------- triggers

CREATE FUNCTION router.keep_global_keys() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'router_keep_global_keys';
COMMENT ON FUNCTION router.keep_global_keys() IS 'internal: trigger by which entries of global keys follow rows';

CREATE FUNCTION router.route_row() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'router_route_row';
COMMENT ON FUNCTION router.route_row() IS 'internal: BEFORE ROW trigger of every routed table';

CREATE FUNCTION router.settle_row() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'router_settle_row';
COMMENT ON FUNCTION router.settle_row() IS 'internal: AFTER ROW trigger of every routed table';

CREATE FUNCTION router.flush_rows() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'router_flush_rows';
COMMENT ON FUNCTION router.flush_rows() IS 'internal: AFTER STATEMENT trigger of every routed table';

CREATE FUNCTION router.move_row() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'router_move_row';
COMMENT ON FUNCTION router.move_row() IS 'internal: BEFORE UPDATE ROW trigger of every routed table and its children';

CREATE FUNCTION router.on_sql_drop() RETURNS event_trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'router_on_sql_drop';
COMMENT ON FUNCTION router.on_sql_drop() IS 'internal: forgets dropped tables, guards key columns, drops from children what their base lost';

CREATE FUNCTION router.on_ddl_start() RETURNS event_trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'router_on_ddl_start';
COMMENT ON FUNCTION router.on_ddl_start() IS 'internal: refuses changes of type that a key cannot bear';

CREATE FUNCTION router.on_ddl_end() RETURNS event_trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'router_on_ddl_end';
COMMENT ON FUNCTION router.on_ddl_end() IS 'internal: children and catalog follow DDL on their base';

CREATE EVENT TRIGGER router_on_sql_drop ON sql_drop EXECUTE FUNCTION router.on_sql_drop();
CREATE EVENT TRIGGER router_on_ddl_start ON ddl_command_start WHEN TAG IN ('ALTER TABLE')
    EXECUTE FUNCTION router.on_ddl_start();
CREATE EVENT TRIGGER router_on_ddl_end ON ddl_command_end
    WHEN TAG IN ('ALTER TABLE', 'ALTER FOREIGN TABLE', 'CREATE TABLE', 'CREATE INDEX', 'ALTER INDEX',
                 'CREATE TRIGGER', 'ALTER TRIGGER', 'CREATE POLICY', 'ALTER POLICY',
                 'CREATE STATISTICS', 'ALTER STATISTICS', 'COMMENT', 'GRANT', 'REVOKE', 'CREATE SCHEMA')
    EXECUTE FUNCTION router.on_ddl_end();
COMMENT ON EVENT TRIGGER router_on_sql_drop IS 'router: forgets dropped tables, drops from children what their base lost';
COMMENT ON EVENT TRIGGER router_on_ddl_start IS 'router: guards key columns';
COMMENT ON EVENT TRIGGER router_on_ddl_end IS 'router: children and catalog follow DDL on their base';

-- ---------------------------------------------------------------- views

CREATE VIEW router.routes AS
    SELECT r.base,
           (SELECT array_agg(k.kind || '(' || quote_ident(k.column_name)
                             || coalesce(', ' || k.every, '') || coalesce(', ' || k.modulus, '') || ')'
                             ORDER BY k.level)
              FROM router.key_def k WHERE k.base = r.base) AS keys,
           r.time_zone, r.template, r.on_missing, r.on_reject, r.horizon, r.max_new_children, r.hot, r.watermark, r.pending,
           (SELECT count(*) FROM router.child_def c WHERE c.base = r.base) AS children
      FROM router.route_def r;
COMMENT ON VIEW router.routes IS 'the routed tables of this database';

CREATE VIEW router.children AS
    SELECT d.base, d.child, d.bounds,
           (SELECT pg_catalog.pg_get_expr(con.conbin, con.conrelid)
              FROM pg_catalog.pg_constraint con
             WHERE con.conrelid = d.child AND con.conname = 'router_home') AS condition,
           CASE WHEN c.reltuples < 0 THEN NULL ELSE c.reltuples::bigint END AS rows,
           CASE WHEN c.relkind = 'f' THEN NULL ELSE pg_catalog.pg_total_relation_size(d.child) END AS bytes,
           coalesce(t.spcname, (SELECT dt.spcname FROM pg_catalog.pg_database db
                                  JOIN pg_catalog.pg_tablespace dt ON dt.oid = db.dattablespace
                                 WHERE db.datname = pg_catalog.current_database())) AS tablespace,
           CASE WHEN c.relkind = 'f' THEN 'foreign'
                WHEN 'default' = ANY (d.bounds) THEN 'default'
                ELSE 'online' END AS state
      FROM router.child_def d
      JOIN pg_catalog.pg_class c ON c.oid = d.child
      LEFT JOIN pg_catalog.pg_tablespace t ON t.oid = c.reltablespace;
COMMENT ON VIEW router.children IS 'the children of every route: bounds, condition in SQL, rows as last analyzed (NULL: never), bytes, tablespace, state';

CREATE VIEW router.global_keys AS
    SELECT d.base, d.columns, d.key_table, con.conname AS constraint_name
      FROM router.global_key_def d
      LEFT JOIN pg_catalog.pg_constraint con ON con.conrelid = d.key_table AND con.contype = 'p';
COMMENT ON VIEW router.global_keys IS 'columns that are unique over a whole routed table, and the table that foreign keys to them refer to';

GRANT SELECT ON router.routes, router.children, router.global_keys TO PUBLIC;
