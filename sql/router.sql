-- router: the SQL objects of the extension. With sight.sql and grants.sql, in that order, the source of router--1.0.sql.
--
-- What a function does, its arguments, errors and locks stand in docs/reference.md;
-- the COMMENT ON each object says it in a sentence.

\echo Use "CREATE EXTENSION router" to load this file. \quit

-- Here search_path is "router, pg_temp", and pg_catalog before both. A function or operator there that takes just the types
-- of a call is preferred to one of pg_catalog that takes others: so they are qualified in all that runs or is kept (make lint
-- looks), and nobody else may have a hand in this schema.
DO LANGUAGE plpgsql $$
DECLARE
    wrong pg_catalog.text;
BEGIN
    SELECT CASE
           WHEN NOT o.rolsuper
           THEN pg_catalog.format('It belongs to %s, who is no superuser.', pg_catalog.quote_ident(o.rolname))
           WHEN EXISTS (SELECT FROM pg_catalog.aclexplode(n.nspacl) a
                         WHERE a.privilege_type OPERATOR(pg_catalog.=) 'CREATE'
                               AND NOT EXISTS (SELECT FROM pg_catalog.pg_roles g WHERE g.oid OPERATOR(pg_catalog.=) a.grantee AND g.rolsuper))
           THEN 'Others than superusers may create objects in it.'
           WHEN EXISTS (SELECT FROM pg_catalog.pg_depend d
                         WHERE d.refclassid OPERATOR(pg_catalog.=) 'pg_catalog.pg_namespace'::pg_catalog.regclass
                               AND d.refobjid OPERATOR(pg_catalog.=) n.oid
                               AND d.classid OPERATOR(pg_catalog.<>) 'pg_catalog.pg_extension'::pg_catalog.regclass)
           THEN 'There is something in it.' END
      INTO wrong
      FROM pg_catalog.pg_namespace n
      JOIN pg_catalog.pg_roles o ON o.oid OPERATOR(pg_catalog.=) n.nspowner
     WHERE n.nspname OPERATOR(pg_catalog.=) 'router';
    IF wrong IS NOT NULL THEN
        RAISE EXCEPTION USING ERRCODE = 'object_not_in_prerequisite_state',
            MESSAGE = 'schema "router" was there before the extension, and is not safe to use',
            DETAIL = wrong,
            HINT = 'Drop or rename it, and let CREATE EXTENSION make the schema. No default privileges may let others create objects there.';
    END IF;
END $$;

COMMENT ON SCHEMA router IS 'routed tables: each row goes to its child table';
GRANT USAGE ON SCHEMA router TO PUBLIC;

-- ---------------------------------------------------------------- catalog
-- Written by src/route/ and nobody else. Tables are named by regclass, so
-- that a rename or SET SCHEMA needs no work and pg_dump writes names.

CREATE TABLE router.route_def (
    base             regclass NOT NULL PRIMARY KEY,
    time_zone        text     NOT NULL,
    template         text,
    child_schema     name,               -- where new children are made; NULL: in the schema of base. No regnamespace, which pg_upgrade refuses
    on_missing       text     NOT NULL,
    on_reject        text     NOT NULL,
    horizon          interval NOT NULL,
    max_new_children integer  NOT NULL,
    hot              interval,           -- how long a row stays in the base; NULL: not at all
    watermark        text,               -- hot: rows before it live in children
    pending          text                -- hot: where an archive run is taking the watermark
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
    from_pivot  boolean  NOT NULL,   -- integer: steps count from the pivot
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

-- apart from route_def, so that who gives a child current rows and archiving do not wait for each other
CREATE TABLE router.reach_def (
    base  regclass NOT NULL PRIMARY KEY,
    reach text     NOT NULL          -- no child has a row from here on
);
COMMENT ON TABLE router.reach_def IS 'the hot bases whose children were given current rows, by name';

CREATE TABLE router.seal_def (
    base     regclass NOT NULL,
    child    regclass NOT NULL,
    "column" name     NOT NULL,
    attnum   int2     NOT NULL,      -- of column, in base; follows it after a restore
    span     text,                   -- what its values lie in; NULL: the child has none
    sealed   boolean  NOT NULL,      -- false: the rows are still to be looked at
    PRIMARY KEY (child, "column")
);
CREATE INDEX seal_def_base_idx ON router.seal_def (base);
COMMENT ON INDEX router.seal_def_base_idx IS 'the seals of a base';
COMMENT ON TABLE router.seal_def IS 'between what values columns of children lie that are no keys';

-- no unique index: late writers do not wait for each other
CREATE TABLE router.unsealed_def (
    base  regclass NOT NULL,
    child regclass NOT NULL
);
CREATE INDEX unsealed_def_base_idx ON router.unsealed_def (base);
COMMENT ON INDEX router.unsealed_def_base_idx IS 'the broken seals of a base';
CREATE INDEX unsealed_def_child_idx ON router.unsealed_def (child);
COMMENT ON INDEX router.unsealed_def_child_idx IS 'the broken seals of a child';
COMMENT ON TABLE router.unsealed_def IS 'the children that were given rows beyond their seal, until they are sealed anew';

CREATE TABLE router.loose_def (
    base    regclass NOT NULL,
    child   regclass NOT NULL,
    swapped xid8     NOT NULL        -- by this transaction
);
CREATE INDEX loose_def_base_idx ON router.loose_def (base);
COMMENT ON INDEX router.loose_def_base_idx IS 'the children of a base that were swapped';
COMMENT ON TABLE router.loose_def IS 'the children that were rotated, as long as somebody may have a snapshot from before; not dumped';

-- no unique index: a transaction may give a base several children
CREATE TABLE router.grown_def (
    base    regclass NOT NULL,
    version bigint   NOT NULL,       -- one more for each transaction that gave the base children
    child   regclass NOT NULL        -- one of those that the last of them gave it
);
CREATE INDEX grown_def_base_idx ON router.grown_def (base);
COMMENT ON INDEX router.grown_def_base_idx IS 'the version of a base';
COMMENT ON TABLE router.grown_def IS 'which version of its children each routed table has, and which came with it; not dumped';

CREATE TABLE router.global_key_def (
    base      regclass NOT NULL,
    key_table regclass NOT NULL PRIMARY KEY,
    columns   name[]   NOT NULL,
    attnums   int2[]   NOT NULL      -- of columns, in base; follow them after a restore
);
CREATE INDEX global_key_def_base_idx ON router.global_key_def (base);
COMMENT ON INDEX router.global_key_def_base_idx IS 'the global keys of a base';
COMMENT ON TABLE router.global_key_def IS 'the global keys of each routed table and the tables that keep them';

CREATE TABLE router.event_def (
    at            timestamptz NOT NULL, -- when it ended; open: when it began
    base          oid         NOT NULL,
    base_name     text,                 -- at that time; NULL: it was gone
    action        text        NOT NULL,
    rows          bigint      NOT NULL,
    error         text,                 -- NULL: it went well
    sqlstate      text,
    detail        text,
    started       timestamptz NOT NULL DEFAULT pg_catalog.now(),
    role          oid,                  -- who called it
    told_to       oid,                  -- whose rights reading error and detail takes; NULL: those of the owner of base
    open          boolean     NOT NULL DEFAULT false,   -- it has not ended
    pid           integer,
    backend_start timestamptz,
    query_start   timestamptz           -- these three tell the statement
);
CREATE INDEX event_def_base_idx ON router.event_def (base);
COMMENT ON INDEX router.event_def_base_idx IS 'the events of a base';
COMMENT ON TABLE router.event_def IS 'what was done to routed tables; not dumped, read router.events';
REVOKE ALL ON router.event_def FROM PUBLIC;

CREATE FUNCTION router.is_at_work(pid integer, backend_start timestamptz, query_start timestamptz)
    RETURNS boolean VOLATILE STRICT PARALLEL RESTRICTED LANGUAGE c AS 'MODULE_PATHNAME', 'router_is_at_work';
COMMENT ON FUNCTION router.is_at_work(integer, timestamptz, timestamptz)
    IS 'internal: is this session still at the statement that began then?';

CREATE FUNCTION router.may_read_event(base oid, told_to oid)
    RETURNS boolean STABLE LANGUAGE sql SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT pg_catalog.pg_has_role(coalesce(told_to, (SELECT c.relowner FROM pg_catalog.pg_class c WHERE c.oid OPERATOR(pg_catalog.=) base),
                                           (SELECT n.nspowner FROM pg_catalog.pg_namespace n WHERE n.nspname OPERATOR(pg_catalog.=) 'router')), 'USAGE');
END;
COMMENT ON FUNCTION router.may_read_event(oid, oid)
    IS 'internal: may the caller read what an error says of rows? Whoever has the rights of told_to may, or else those of the owner of base, or, where that is gone, of router';

CREATE VIEW router.events AS
    SELECT e.at, e.base, e.base_name, e.action, e.rows,
           CASE WHEN e.error IS NULL OR router.may_read_event(e.base, e.told_to) THEN e.error ELSE '<insufficient privilege>' END AS error,
           CASE WHEN NOT e.open THEN CASE WHEN e.error IS NULL THEN 'done' ELSE 'failed' END
                WHEN router.is_at_work(e.pid, e.backend_start, e.query_start) THEN 'running'
                ELSE 'interrupted' END AS state,
           e.sqlstate,
           CASE WHEN e.detail IS NULL OR router.may_read_event(e.base, e.told_to) THEN e.detail ELSE '<insufficient privilege>' END AS detail,
           e.started, pg_catalog.pg_get_userbyid(e.role) AS role, e.pid
      FROM router.event_def e;
-- a function in a query's condition sees what is told
ALTER VIEW router.events SET (security_barrier);
COMMENT ON VIEW router.events
    IS 'what was done to routed tables, and is being done: a row for each table, action and run; interrupted: a cancel, a timeout or a crash ended it; error and detail are told to who has the rights of the table''s owner, or of who cloned; delete from it as you like';
GRANT SELECT ON router.events TO PUBLIC;

CREATE TABLE router.tier_def (
    base          regclass NOT NULL,
    after         interval NOT NULL,     -- children whose rows are all older than this
    tablespace    name,                  -- go to this tablespace
    access_method name,                  -- and access method
    server        name,                  -- or to this server of postgres_fdw
    remote_schema name,                  -- into this schema there; NULL: the name of the base's
    PRIMARY KEY (base, after)
);
COMMENT ON TABLE router.tier_def IS 'where children of each routed table go when they are old enough';
SELECT pg_catalog.pg_extension_config_dump('router.tier_def', '');
GRANT SELECT ON router.tier_def TO PUBLIC;

CREATE TABLE router.maintain_def (
    base          regclass NOT NULL PRIMARY KEY,
    premake       integer,               -- steps to come; NULL: one, where dates tell which
    keep          interval,              -- NULL: age is no reason to retire a child
    keep_children integer,               -- NULL: their number is none
    retire        text     NOT NULL,     -- drop, detach or schema
    retire_schema name,
    seal          name[]                 -- columns that aged children are sealed by; NULL: none
);
COMMENT ON TABLE router.maintain_def IS 'settings of router.maintain, for the routed tables that have some';
SELECT pg_catalog.pg_extension_config_dump('router.maintain_def', '');

CREATE TABLE router.progress_def (
    base          regclass    NOT NULL,
    pid           integer     NOT NULL,
    backend_start timestamptz NOT NULL,
    query_start   timestamptz NOT NULL,  -- these three tell the statement
    action        text        NOT NULL,
    phase         text        NOT NULL,
    child         regclass,
    done          bigint      NOT NULL,
    total         bigint,                -- NULL: unknown
    started       timestamptz NOT NULL,
    phase_started timestamptz NOT NULL,
    phase_done    bigint      NOT NULL,  -- what was done when the phase began
    updated       timestamptz NOT NULL,
    errors        bigint      NOT NULL,  -- of done: rows that were rejected
    duplicates    bigint      NOT NULL,
    constraints   bigint      NOT NULL,
    PRIMARY KEY (base, pid)
);
COMMENT ON TABLE router.progress_def IS 'what maintenance is at, written with each step; read router.progress';

CREATE TABLE router.reshape_def (
    base     regclass NOT NULL PRIMARY KEY,
    action   text     NOT NULL,
    shadow   regclass NOT NULL,      -- the routed table that has the copies
    log      regclass NOT NULL,      -- the table that notes what was written meanwhile
    in_step  boolean  NOT NULL,      -- who writes to the sources writes to shadow
    all_children boolean NOT NULL,   -- those that come meanwhile are sources, too
    whole    boolean  NOT NULL,      -- rows have no key: the log has all their columns
    sources  oidvector NOT NULL,     -- the tables whose rows are copied: base, children of it, or both
    files    oidvector NOT NULL,     -- of the sources, when copying began; 0: it has not yet
    source   integer  NOT NULL,      -- which of them is being copied, from 0 on
    position tid      NOT NULL,      -- rows of it before that are copied
    blocks   bigint   NOT NULL,      -- so many are to be
    done     bigint   NOT NULL,      -- rows copied
    since    xid      NOT NULL,      -- in_step: shadow is right for snapshots that see this transaction
    columns  text     NOT NULL       -- of base, its CHECKs, its owner
);
COMMENT ON TABLE router.reshape_def IS 'tables that get another shape: how far their rows are copied';

CREATE TABLE router.clone_def (
    id       bigint   GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    base     regclass NOT NULL,
    source   regclass NOT NULL,
    role     oid      NOT NULL,      -- whose these expressions are: they run as nobody else
    filter   text,
    columns  text,
    key      text[],                 -- columns in whose order rows are copied; NULL: not so
    files    text,                   -- by places: the tables that are read, and their files
    position text[],                 -- the key of the last row, or the block that is next
    handled  bigint   NOT NULL,      -- rows that went in or were rejected
    rejected bigint   NOT NULL,      -- numbers that were given to rejects
    finished boolean  NOT NULL,
    updated  timestamptz NOT NULL
);
CREATE INDEX clone_def_base_idx ON router.clone_def (base);
COMMENT ON SEQUENCE router.clone_def_id_seq IS 'numbers of clones';
COMMENT ON INDEX router.clone_def_base_idx IS 'the clones into a base';
COMMENT ON TABLE router.clone_def IS 'how far router.clone is with each pair of tables; not dumped, read router.clones';

CREATE TABLE router.reject_def (
    clone    bigint      NOT NULL,
    number   bigint      NOT NULL,
    base     regclass    NOT NULL,
    at       timestamptz NOT NULL,
    kind     text        NOT NULL,   -- error, duplicate or constraint
    sqlstate text        NOT NULL,
    message  text        NOT NULL,
    "row"    jsonb       NOT NULL,   -- of the source, each value as text
    tries    integer     NOT NULL,
    PRIMARY KEY (clone, number)
);
CREATE INDEX reject_def_base_idx ON router.reject_def (base, clone, number);
COMMENT ON INDEX router.reject_def_base_idx IS 'the rows rejected by a base';
COMMENT ON TABLE router.reject_def IS 'rows that router.clone could not put into a base; not dumped, read router.rejects';

GRANT SELECT ON router.maintain_def TO PUBLIC;
REVOKE ALL ON router.progress_def, router.reshape_def, router.clone_def, router.reject_def FROM PUBLIC;

-- Rows of the source are told to who has the rights of the role that read them; the base's owner learns how many there are, and why.
CREATE VIEW router.clones AS
    SELECT c.id AS clone, c.source, c.base, pg_catalog.pg_get_userbyid(c.role) AS role,
           CASE WHEN c.mine THEN c.filter END AS filter, CASE WHEN c.mine THEN c.columns::jsonb END AS columns, c.key,
           c.handled OPERATOR(pg_catalog.-) r.errors OPERATOR(pg_catalog.-) r.duplicates OPERATOR(pg_catalog.-) r.constraints AS migrated,
           r.errors, r.duplicates, r.constraints, c.finished, c.updated
      FROM (SELECT d.*, pg_catalog.pg_has_role(d.role, 'USAGE') AS mine,
                   pg_catalog.pg_has_role((SELECT b.relowner FROM pg_catalog.pg_class b WHERE b.oid OPERATOR(pg_catalog.=) d.base), 'USAGE') AS owned
              FROM router.clone_def d) c
     CROSS JOIN LATERAL (
           SELECT pg_catalog.count(CASE WHEN f.kind OPERATOR(pg_catalog.=) 'error' THEN 1 END) AS errors,
                  pg_catalog.count(CASE WHEN f.kind OPERATOR(pg_catalog.=) 'duplicate' THEN 1 END) AS duplicates,
                  pg_catalog.count(CASE WHEN f.kind OPERATOR(pg_catalog.=) 'constraint' THEN 1 END) AS constraints
             FROM router.reject_def f WHERE f.clone OPERATOR(pg_catalog.=) c.id) r
     WHERE c.mine OR c.owned;
COMMENT ON VIEW router.clones IS 'what router.clone has copied from where to where, and how far: rows that went in, and those that were rejected; of one''s own, and into one''s own tables';

CREATE VIEW router.rejects AS
    SELECT r.clone, r.number, c.source, r.base, pg_catalog.pg_get_userbyid(c.role) AS role, r.at, r.kind, r.sqlstate,
           CASE WHEN c.mine THEN r.message ELSE '<insufficient privilege>' END AS message, CASE WHEN c.mine THEN r."row" END AS "row", r.tries
      FROM (SELECT d.*, pg_catalog.pg_has_role(d.role, 'USAGE') AS mine,
                   pg_catalog.pg_has_role((SELECT b.relowner FROM pg_catalog.pg_class b WHERE b.oid OPERATOR(pg_catalog.=) d.base), 'USAGE') AS owned
              FROM router.clone_def d) c
      JOIN router.reject_def r ON r.clone OPERATOR(pg_catalog.=) c.id
     WHERE c.mine OR c.owned;
COMMENT ON VIEW router.rejects IS 'rows that router.clone could not put into their base, and why; row and message are told to who has the rights of the role that read them';
-- a function in a query's condition sees what is told
ALTER VIEW router.clones SET (security_barrier);
ALTER VIEW router.rejects SET (security_barrier);
GRANT SELECT ON router.clones, router.rejects TO PUBLIC;

-- not what belongs to a table that is being reshaped: see reshape_def
SELECT pg_catalog.pg_extension_config_dump('router.route_def', 'WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_class WHERE oid = base AND relrewrite <> 0)');
SELECT pg_catalog.pg_extension_config_dump('router.key_def', 'WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_class WHERE oid = base AND relrewrite <> 0)');
SELECT pg_catalog.pg_extension_config_dump('router.child_def', 'WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_class WHERE oid = base AND relrewrite <> 0)');
SELECT pg_catalog.pg_extension_config_dump('router.global_key_def', '');
SELECT pg_catalog.pg_extension_config_dump('router.reach_def', '');
SELECT pg_catalog.pg_extension_config_dump('router.unsealed_def', '');

GRANT SELECT ON router.route_def, router.key_def, router.child_def, router.global_key_def, router.reach_def,
    router.unsealed_def TO PUBLIC;
REVOKE ALL ON router.loose_def, router.grown_def FROM PUBLIC;
-- not span, which tells of rows
REVOKE ALL ON router.seal_def FROM PUBLIC;
GRANT SELECT (base, child, "column", attnum, sealed) ON router.seal_def TO PUBLIC;

CREATE FUNCTION router.readable_seals()
    RETURNS SETOF router.seal_def STABLE LANGUAGE c AS 'MODULE_PATHNAME', 'router_readable_seals';
COMMENT ON FUNCTION router.readable_seals()
    IS 'the seals whose span the caller may see, since he may read the column of all rows; what pg_dump dumps of seal_def';
-- pg_dump puts it behind FROM router.seal_def: who may dump the tables dumps their seals, without a right to read those of others
SELECT pg_catalog.pg_extension_config_dump('router.seal_def', 'AS hidden (h1, h2, h3, h4, h5, h6) RIGHT JOIN router.readable_seals() ON false');

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
CREATE TRIGGER config_changed BEFORE INSERT OR UPDATE OR DELETE ON router.seal_def
    FOR EACH ROW EXECUTE FUNCTION router.config_changed();
CREATE TRIGGER config_changed BEFORE INSERT OR UPDATE OR DELETE ON router.unsealed_def
    FOR EACH ROW EXECUTE FUNCTION router.config_changed();
COMMENT ON TRIGGER config_changed ON router.seal_def IS 'internal: tells every session that a route changed';
COMMENT ON TRIGGER config_changed ON router.unsealed_def IS 'internal: tells every session that a route changed';
COMMENT ON TRIGGER config_changed ON router.route_def IS 'internal: tells every session that a route changed';
COMMENT ON TRIGGER config_changed ON router.key_def IS 'internal: tells every session that a route changed';
COMMENT ON TRIGGER config_changed ON router.child_def IS 'internal: tells every session that a route changed';
COMMENT ON TRIGGER config_changed ON router.global_key_def IS 'internal: tells every session that a route changed';
CREATE TRIGGER marks_changed AFTER INSERT OR UPDATE OR DELETE ON router.route_def
    FOR EACH ROW EXECUTE FUNCTION router.config_changed();
CREATE TRIGGER marks_changed AFTER INSERT OR UPDATE OR DELETE ON router.reach_def
    FOR EACH ROW EXECUTE FUNCTION router.config_changed();
COMMENT ON TRIGGER marks_changed ON router.route_def IS 'internal: warns every session of a change of marks';
COMMENT ON TRIGGER marks_changed ON router.reach_def IS 'internal: warns every session of a change of marks';
ALTER TABLE router.route_def ENABLE ALWAYS TRIGGER config_changed;
ALTER TABLE router.route_def ENABLE ALWAYS TRIGGER marks_changed;
ALTER TABLE router.reach_def ENABLE ALWAYS TRIGGER marks_changed;
ALTER TABLE router.key_def   ENABLE ALWAYS TRIGGER config_changed;
ALTER TABLE router.child_def ENABLE ALWAYS TRIGGER config_changed;
ALTER TABLE router.global_key_def ENABLE ALWAYS TRIGGER config_changed;
ALTER TABLE router.seal_def ENABLE ALWAYS TRIGGER config_changed;
ALTER TABLE router.unsealed_def ENABLE ALWAYS TRIGGER config_changed;

-- ---------------------------------------------------------------- keys

CREATE TYPE router.key AS (
    kind        text,
    column_name name,
    every       text,
    modulus     integer,
    groups      text[],
    pivot       text,
    from_pivot  boolean,
    label       text
);
COMMENT ON TYPE router.key IS 'one level of routing; made by router.by_list, by_date, by_integer, by_prefix, by_suffix, by_hash';

CREATE FUNCTION router.by_list(column_name name, groups text[] DEFAULT NULL, label text DEFAULT NULL)
    RETURNS router.key IMMUTABLE PARALLEL SAFE LANGUAGE sql
    RETURN ROW('list', column_name, NULL, NULL, groups, NULL, false, label)::router.key;
COMMENT ON FUNCTION router.by_list(name, text[], text)
    IS 'key: one child for each value, or for each group of values given as array literals';

CREATE FUNCTION router.by_date(column_name name, every text DEFAULT NULL, pivot text DEFAULT NULL, label text DEFAULT NULL)
    RETURNS router.key IMMUTABLE PARALLEL SAFE LANGUAGE sql
    RETURN ROW('date', column_name, every, NULL, NULL, pivot, false, label)::router.key;
COMMENT ON FUNCTION router.by_date(name, text, text, text)
    IS 'key: one child for each hour, day, week, month, year or interval of a date, timestamp or timestamptz column; every NULL: only the ranges you create';

CREATE FUNCTION router.by_integer(column_name name, every bigint DEFAULT NULL, pivot bigint DEFAULT NULL, label text DEFAULT NULL,
                                  from_pivot boolean DEFAULT false)
    RETURNS router.key IMMUTABLE PARALLEL SAFE LANGUAGE sql
    RETURN ROW('integer', column_name, every::text, NULL, NULL, pivot::text, from_pivot, label)::router.key;
COMMENT ON FUNCTION router.by_integer(name, bigint, bigint, text, boolean)
    IS 'key: one child for each so many values of a smallint, integer or bigint column, from 1 or from the pivot on; every NULL: only the ranges you create';

CREATE FUNCTION router.by_prefix(column_name name, length integer, label text DEFAULT NULL)
    RETURNS router.key IMMUTABLE PARALLEL SAFE LANGUAGE sql
    RETURN ROW('prefix', column_name, NULL, length, NULL, NULL, false, label)::router.key;
COMMENT ON FUNCTION router.by_prefix(name, integer, text)
    IS 'key: one child for each value of lower(substr(column, 1, length))';

CREATE FUNCTION router.by_suffix(column_name name, length integer, label text DEFAULT NULL)
    RETURNS router.key IMMUTABLE PARALLEL SAFE LANGUAGE sql
    RETURN ROW('suffix', column_name, NULL, length, NULL, NULL, false, label)::router.key;
COMMENT ON FUNCTION router.by_suffix(name, integer, text)
    IS 'key: one child for each value of lower(right(column, length))';

CREATE FUNCTION router.by_hash(column_name name, modulus integer)
    RETURNS router.key IMMUTABLE PARALLEL SAFE LANGUAGE sql
    RETURN ROW('hash', column_name, NULL, modulus, NULL, NULL, false, NULL)::router.key;
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
        child_schema name DEFAULT NULL,
        move_rows boolean DEFAULT false,
        dry_run boolean DEFAULT false)
    RETURNS SETOF text VOLATILE LANGUAGE c AS 'MODULE_PATHNAME', 'router_create_route';
COMMENT ON FUNCTION router.create_route(regclass, router.key[], text, text, boolean, text, text, interval, integer, interval, name, boolean, boolean)
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
        child_schema name DEFAULT NULL,
        move_rows boolean DEFAULT false,
        dry_run boolean DEFAULT false)
    RETURNS SETOF text VOLATILE LANGUAGE sql
    BEGIN ATOMIC
        SELECT router.create_route(base, ARRAY[key], template, time_zone, default_child, on_missing,
                                   on_reject, horizon, max_new_children, hot, child_schema, move_rows, dry_run);
    END;
COMMENT ON FUNCTION router.create_route(regclass, router.key, text, text, boolean, text, text, interval, integer, interval, name, boolean, boolean)
    IS 'makes an ordinary table a routed table with one key; see the other create_route';

CREATE FUNCTION router.adopt(
        base regclass,
        keys router.key[] DEFAULT NULL,
        drop_triggers name[] DEFAULT NULL,
        dry_run boolean DEFAULT false)
    RETURNS SETOF text VOLATILE LANGUAGE c AS 'MODULE_PATHNAME', 'router_adopt';
COMMENT ON FUNCTION router.adopt(regclass, router.key[], name[], boolean)
    IS 'makes a table with inheritance children that others have made a routed table; keys, bounds and names are found from the children';

CREATE FUNCTION router.adopt(
        base regclass,
        key router.key,
        drop_triggers name[] DEFAULT NULL,
        dry_run boolean DEFAULT false)
    RETURNS SETOF text VOLATILE LANGUAGE sql
    BEGIN ATOMIC
        SELECT router.adopt(base, ARRAY[key], drop_triggers, dry_run);
    END;
COMMENT ON FUNCTION router.adopt(regclass, router.key, name[], boolean)
    IS 'makes a table with inheritance children a routed table with one key; see the other adopt';

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
        child_schema name DEFAULT NULL,
        every text DEFAULT NULL,
        dry_run boolean DEFAULT false)
    RETURNS SETOF text VOLATILE LANGUAGE c AS 'MODULE_PATHNAME', 'router_alter_route';
COMMENT ON FUNCTION router.alter_route(regclass, text, text, boolean, text, text, interval, integer, interval, name, text, boolean)
    IS 'changes settings of a route, with child_schema also where its children are; what is NULL stays as it is';

CREATE FUNCTION router.drop_route(base regclass, rows text DEFAULT 'keep', dry_run boolean DEFAULT false)
    RETURNS SETOF text VOLATILE LANGUAGE c AS 'MODULE_PATHNAME', 'router_drop_route';
COMMENT ON FUNCTION router.drop_route(regclass, text, boolean)
    IS 'ends the routing of a table; rows: keep, its children stay, as ordinary inheritance children with their CHECKs; base, they give their rows back and are dropped';

CREATE FUNCTION router.route_ddl(base regclass, children boolean DEFAULT false)
    RETURNS SETOF text STABLE LANGUAGE c AS 'MODULE_PATHNAME', 'router_route_ddl';
COMMENT ON FUNCTION router.route_ddl(regclass, boolean)
    IS 'the statements that make this route anew, with its global keys, tiers, maintenance and seals; with children each child by its name, else those that no row would make';

CREATE FUNCTION router.from_oracle(ddl text, base text DEFAULT NULL, prefix text DEFAULT NULL)
    RETURNS SETOF text IMMUTABLE LANGUAGE c AS 'MODULE_PATHNAME', 'router_from_oracle';
COMMENT ON FUNCTION router.from_oracle(text, text, text)
    IS 'the calls, in order, that route a table as a CREATE TABLE of Oracle, or its PARTITION BY clause, partitions it';

CREATE FUNCTION router.export_declarative(base regclass, run boolean DEFAULT false, allow_loss boolean DEFAULT false)
    RETURNS SETOF text VOLATILE LANGUAGE c AS 'MODULE_PATHNAME', 'router_export_declarative';
COMMENT ON FUNCTION router.export_declarative(regclass, boolean, boolean)
    IS 'the script that makes a routed table a partitioned table of PostgreSQL, its children the partitions, without a copy of a row; run: it is run; allow_loss: unique keys that partitioned tables cannot have are no reason to refuse';

CREATE FUNCTION router.import_declarative(partitioned regclass, dry_run boolean DEFAULT false)
    RETURNS SETOF text VOLATILE LANGUAGE c AS 'MODULE_PATHNAME', 'router_import_declarative';
COMMENT ON FUNCTION router.import_declarative(regclass, boolean)
    IS 'makes a partitioned table of PostgreSQL a routed table, its partitions the children, without a copy of a row';

-- ---------------------------------------------------------------- children

CREATE FUNCTION router.create_child(base regclass, bounds text[], child_name name DEFAULT NULL, dry_run boolean DEFAULT false)
    RETURNS SETOF text VOLATILE LANGUAGE c AS 'MODULE_PATHNAME', 'router_create_child';
COMMENT ON FUNCTION router.create_child(regclass, text[], name, boolean)
    IS 'creates the child with these bounds, one a level: a value it shall hold, a range [lo,hi), a group {a,b}, null or default';

CREATE FUNCTION router.create_child(base regclass, VARIADIC "values" text[])
    RETURNS SETOF text VOLATILE LANGUAGE sql
    BEGIN ATOMIC
        SELECT router.create_child(base, "values", NULL::name, false);
    END;
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

CREATE FUNCTION router.rename_children(base regclass, dry_run boolean DEFAULT false)
    RETURNS SETOF text VOLATILE LANGUAGE c AS 'MODULE_PATHNAME', 'router_rename_children';
COMMENT ON FUNCTION router.rename_children(regclass, boolean)
    IS 'gives children, their indexes and statistics the names that a new child would get now, after a label, the template or the name of the base changed';

CREATE FUNCTION router.child_of(base regclass, VARIADIC "values" "any")
    RETURNS regclass STABLE LANGUAGE c AS 'MODULE_PATHNAME', 'router_child_of';
COMMENT ON FUNCTION router.child_of(regclass, "any")
    IS 'the table that holds the rows with these key values, one a level: a child, or the base for those that are hot; NULL: there is none yet';

CREATE FUNCTION router.premake(base regclass, n integer DEFAULT 1, dry_run boolean DEFAULT false)
    RETURNS SETOF text VOLATILE LANGUAGE c AS 'MODULE_PATHNAME', 'router_premake';
COMMENT ON FUNCTION router.premake(regclass, integer, boolean)
    IS 'creates the children of now and of the n steps to come (date), the next n (integer), all groups (list) or buckets (hash), under every outer child there is';

CREATE PROCEDURE router.redistribute(base regclass, dry_run boolean DEFAULT false, online boolean DEFAULT false,
        batch_rows integer DEFAULT 20000, pause interval DEFAULT NULL, time_budget interval DEFAULT NULL,
        lock_timeout interval DEFAULT '1 second')
    LANGUAGE c AS 'MODULE_PATHNAME', 'router_redistribute';
COMMENT ON PROCEDURE router.redistribute(regclass, boolean, boolean, integer, interval, interval, interval)
    IS 'empties the default child into children of their own, one transaction a child; online: while it is read and written';

CREATE PROCEDURE router.archive(base regclass DEFAULT NULL, batch_rows integer DEFAULT 10000, time_budget interval DEFAULT NULL,
                                lock_timeout interval DEFAULT '1 second', cutoff text DEFAULT NULL, dry_run boolean DEFAULT false,
                                child regclass DEFAULT NULL, table_budget interval DEFAULT NULL)
    LANGUAGE c AS 'MODULE_PATHNAME', 'router_archive';
COMMENT ON PROCEDURE router.archive(regclass, integer, interval, interval, text, boolean, regclass, interval)
    IS 'moves rows that have left the hot window from the base into their children, in batches; base NULL: of all hot routes that you own; child: no further than its end';

CREATE FUNCTION router.archive_now(base regclass, cutoff text DEFAULT NULL, dry_run boolean DEFAULT false)
    RETURNS bigint VOLATILE LANGUAGE c AS 'MODULE_PATHNAME', 'router_archive_now';
COMMENT ON FUNCTION router.archive_now(regclass, text, boolean)
    IS 'does what router.archive does within your transaction, with the base locked against all others; returns the number of rows. For small jobs';

-- ---------------------------------------------------------------- tiers

CREATE FUNCTION router.add_tier(base regclass, after interval, tablespace name DEFAULT NULL, access_method name DEFAULT NULL,
                                server name DEFAULT NULL, remote_schema name DEFAULT NULL, dry_run boolean DEFAULT false)
    RETURNS SETOF text VOLATILE LANGUAGE c AS 'MODULE_PATHNAME', 'router_add_tier';
COMMENT ON FUNCTION router.add_tier(regclass, interval, name, name, name, name, boolean)
    IS 'says where children go whose rows are all older than this: a tablespace, an access method, or a server of postgres_fdw';

CREATE FUNCTION router.drop_tier(base regclass, after interval, dry_run boolean DEFAULT false)
    RETURNS SETOF text VOLATILE LANGUAGE c AS 'MODULE_PATHNAME', 'router_drop_tier';
COMMENT ON FUNCTION router.drop_tier(regclass, interval, boolean)
    IS 'forgets a tier; children that went there stay where they are';

CREATE PROCEDURE router.tier(base regclass DEFAULT NULL, time_budget interval DEFAULT NULL,
                             lock_timeout interval DEFAULT '1 second', dry_run boolean DEFAULT false,
                             table_budget interval DEFAULT NULL)
    LANGUAGE c AS 'MODULE_PATHNAME', 'router_tier';
COMMENT ON PROCEDURE router.tier(regclass, interval, interval, boolean, interval)
    IS 'moves children that are old enough to their tier; base NULL: of all routed tables with tiers that you own';

CREATE PROCEDURE router.convert(base regclass, keys router.key[], template text DEFAULT NULL, time_zone text DEFAULT NULL,
        default_child boolean DEFAULT NULL, on_missing text DEFAULT NULL, on_reject text DEFAULT NULL,
        horizon interval DEFAULT NULL, max_new_children integer DEFAULT NULL, hot interval DEFAULT NULL,
        child_schema name DEFAULT NULL, batch_rows integer DEFAULT 20000, pause interval DEFAULT NULL,
        time_budget interval DEFAULT NULL, lock_timeout interval DEFAULT '1 second', dry_run boolean DEFAULT false)
    LANGUAGE c AS 'MODULE_PATHNAME', 'router_convert';
COMMENT ON PROCEDURE router.convert(regclass, router.key[], text, text, boolean, text, text, interval, integer, interval, name, integer, interval, interval, interval, boolean)
    IS 'makes a table with rows a routed table while it is read and written';
CREATE PROCEDURE router.convert(base regclass, key router.key, template text DEFAULT NULL, time_zone text DEFAULT NULL,
        default_child boolean DEFAULT NULL, on_missing text DEFAULT NULL, on_reject text DEFAULT NULL,
        horizon interval DEFAULT NULL, max_new_children integer DEFAULT NULL, hot interval DEFAULT NULL,
        child_schema name DEFAULT NULL, batch_rows integer DEFAULT 20000, pause interval DEFAULT NULL,
        time_budget interval DEFAULT NULL, lock_timeout interval DEFAULT '1 second', dry_run boolean DEFAULT false)
    LANGUAGE c AS 'MODULE_PATHNAME', 'router_convert_key';
COMMENT ON PROCEDURE router.convert(regclass, router.key, text, text, boolean, text, text, interval, integer, interval, name, integer, interval, interval, interval, boolean)
    IS 'makes a table with rows a routed table with one key; see the other convert';
CREATE PROCEDURE router.merge_children(children regclass[], batch_rows integer DEFAULT 20000, pause interval DEFAULT NULL,
        time_budget interval DEFAULT NULL, lock_timeout interval DEFAULT '1 second', dry_run boolean DEFAULT false)
    LANGUAGE c AS 'MODULE_PATHNAME', 'router_merge_children';
COMMENT ON PROCEDURE router.merge_children(regclass[], integer, interval, interval, interval, boolean)
    IS 'puts children that differ in one key together into one while they are read and written';
CREATE PROCEDURE router.split_child(child regclass, bounds text[], key name DEFAULT NULL, batch_rows integer DEFAULT 20000,
        pause interval DEFAULT NULL, time_budget interval DEFAULT NULL, lock_timeout interval DEFAULT '1 second',
        dry_run boolean DEFAULT false)
    LANGUAGE c AS 'MODULE_PATHNAME', 'router_split_child';
COMMENT ON PROCEDURE router.split_child(regclass, text[], name, integer, interval, interval, interval, boolean)
    IS 'parts a child at points of its range, or into groups of its values, while it is read and written';
CREATE PROCEDURE router.add_hash_child(base regclass, child regclass DEFAULT NULL, key name DEFAULT NULL,
        batch_rows integer DEFAULT 20000, pause interval DEFAULT NULL, time_budget interval DEFAULT NULL,
        lock_timeout interval DEFAULT '1 second', dry_run boolean DEFAULT false)
    LANGUAGE c AS 'MODULE_PATHNAME', 'router_add_hash_child';
COMMENT ON PROCEDURE router.add_hash_child(regclass, regclass, name, integer, interval, interval, interval, boolean)
    IS 'parts a bucket of a hash key, the largest or that of a child, into two while it is read and written';
CREATE PROCEDURE router.regroup(base regclass, members text[], joining text DEFAULT NULL, key name DEFAULT NULL,
        batch_rows integer DEFAULT 20000, pause interval DEFAULT NULL, time_budget interval DEFAULT NULL,
        lock_timeout interval DEFAULT '1 second', dry_run boolean DEFAULT false)
    LANGUAGE c AS 'MODULE_PATHNAME', 'router_regroup';
COMMENT ON PROCEDURE router.regroup(regclass, text[], text, name, integer, interval, interval, interval, boolean)
    IS 'makes values of a list key one group, which lives in one child, while they are read and written; joining: a value whose group they join';
CREATE PROCEDURE router.rekey(base regclass, keys router.key[], template text DEFAULT NULL, batch_rows integer DEFAULT 20000, pause interval DEFAULT NULL,
        time_budget interval DEFAULT NULL, lock_timeout interval DEFAULT '1 second', dry_run boolean DEFAULT false)
    LANGUAGE c AS 'MODULE_PATHNAME', 'router_rekey';
COMMENT ON PROCEDURE router.rekey(regclass, router.key[], text, integer, interval, interval, interval, boolean)
    IS 'gives a routed table other keys, or other steps of them, while it is read and written; all rows are copied to new children';

CREATE PROCEDURE router.rekey(base regclass, key router.key, template text DEFAULT NULL, batch_rows integer DEFAULT 20000, pause interval DEFAULT NULL,
        time_budget interval DEFAULT NULL, lock_timeout interval DEFAULT '1 second', dry_run boolean DEFAULT false)
    LANGUAGE c AS 'MODULE_PATHNAME', 'router_rekey_key';
COMMENT ON PROCEDURE router.rekey(regclass, router.key, text, integer, interval, interval, interval, boolean)
    IS 'gives a routed table one other key while it is used; see the other rekey';

CREATE PROCEDURE router.unroute(base regclass, batch_rows integer DEFAULT 20000, pause interval DEFAULT NULL,
        time_budget interval DEFAULT NULL, lock_timeout interval DEFAULT '1 second', dry_run boolean DEFAULT false)
    LANGUAGE c AS 'MODULE_PATHNAME', 'router_unroute';
COMMENT ON PROCEDURE router.unroute(regclass, integer, interval, interval, interval, boolean)
    IS 'makes a routed table an ordinary one again, with all its rows, while it is read and written';

CREATE PROCEDURE router.cancel_reshape(base regclass, lock_timeout interval DEFAULT '1 second')
    LANGUAGE c AS 'MODULE_PATHNAME', 'router_cancel_reshape';
COMMENT ON PROCEDURE router.cancel_reshape(regclass, interval)
    IS 'drops what an interrupted call that gives a table another shape has made; the table stays as it is';

CREATE PROCEDURE router.clone(source regclass, base regclass, filter text DEFAULT NULL, columns jsonb DEFAULT NULL,
        key name[] DEFAULT NULL, on_error text DEFAULT 'stop', batch_rows integer DEFAULT 20000, pause interval DEFAULT NULL,
        time_budget interval DEFAULT NULL, lock_timeout interval DEFAULT '1 second', restart boolean DEFAULT false,
        dry_run boolean DEFAULT false)
    LANGUAGE c AS 'MODULE_PATHNAME', 'router_clone';
COMMENT ON PROCEDURE router.clone(regclass, regclass, text, jsonb, name[], text, integer, interval, interval, interval, boolean, boolean)
    IS 'copies rows of another table, view or foreign table into a routed table, in batches, as whoever calls it; on_error reject: keeps those that do not go in';
CREATE PROCEDURE router.retry_rejects(base regclass, source regclass DEFAULT NULL, columns jsonb DEFAULT NULL,
        batch_rows integer DEFAULT 1000, pause interval DEFAULT NULL, time_budget interval DEFAULT NULL,
        lock_timeout interval DEFAULT '1 second', dry_run boolean DEFAULT false)
    LANGUAGE c AS 'MODULE_PATHNAME', 'router_retry_rejects';
COMMENT ON PROCEDURE router.retry_rejects(regclass, regclass, jsonb, integer, interval, interval, interval, boolean)
    IS 'tries again to put rows that clones of the caller''s have rejected into their base; those that go in are rejects no longer';
CREATE FUNCTION router.drop_rejects(base regclass, source regclass DEFAULT NULL, dry_run boolean DEFAULT false)
    RETURNS bigint VOLATILE LANGUAGE c AS 'MODULE_PATHNAME', 'router_drop_rejects';
COMMENT ON FUNCTION router.drop_rejects(regclass, regclass, boolean)
    IS 'forgets the rows that clones have rejected, one''s own, and all into a table that one owns; returns how many';

CREATE PROCEDURE router.move_child(child regclass, tablespace name DEFAULT NULL, access_method name DEFAULT NULL,
                                   server name DEFAULT NULL, remote_schema name DEFAULT NULL, local boolean DEFAULT false,
                                   lock_timeout interval DEFAULT '1 second', dry_run boolean DEFAULT false)
    LANGUAGE c AS 'MODULE_PATHNAME', 'router_move_child';
COMMENT ON PROCEDURE router.move_child(regclass, name, name, name, name, boolean, interval, boolean)
    IS 'moves a child to another tablespace, access method or server, or with local back from one, while it is read';

-- ---------------------------------------------------------------- all upkeep

CREATE PROCEDURE router.maintain(base regclass DEFAULT NULL, time_budget interval DEFAULT NULL, lock_timeout interval DEFAULT '1 second',
                                 batch_rows integer DEFAULT 10000, dry_run boolean DEFAULT false,
                                 table_budget interval DEFAULT NULL)
    LANGUAGE c AS 'MODULE_PATHNAME', 'router_maintain';
COMMENT ON PROCEDURE router.maintain(regclass, interval, interval, integer, boolean, interval)
    IS 'premakes children, archives, retires old children, moves others to their tier and analyzes the parent; base NULL: of all routes that you own. What fails does not stop the rest';

CREATE FUNCTION router.set_maintenance(
        base regclass,
        premake integer DEFAULT NULL,
        keep interval DEFAULT NULL,
        keep_children integer DEFAULT NULL,
        retire text DEFAULT NULL,
        retire_schema name DEFAULT NULL,
        seal name[] DEFAULT NULL,
        dry_run boolean DEFAULT false)
    RETURNS SETOF text VOLATILE LANGUAGE c AS 'MODULE_PATHNAME', 'router_set_maintenance';
COMMENT ON FUNCTION router.set_maintenance(regclass, integer, interval, integer, text, name, name[], boolean)
    IS 'says how many steps router.maintain premakes, which children it retires and how, and by which columns it seals aged ones; what is NULL stays as it is';

CREATE FUNCTION router.clear_maintenance(base regclass, dry_run boolean DEFAULT false)
    RETURNS SETOF text VOLATILE LANGUAGE c AS 'MODULE_PATHNAME', 'router_clear_maintenance';
COMMENT ON FUNCTION router.clear_maintenance(regclass, boolean)
    IS 'takes the settings of set_maintenance away: children are premade by default, and none is retired';

CREATE VIEW router.maintenance AS
    SELECT r.base, m.premake, m.keep, m.keep_children, m.retire, m.retire_schema, m.seal
      FROM router.route_def r
      LEFT JOIN router.maintain_def m ON m.base OPERATOR(pg_catalog.=) r.base
     WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_class s WHERE s.oid OPERATOR(pg_catalog.=) r.base AND s.relrewrite OPERATOR(pg_catalog.<>) 0::pg_catalog.oid);
COMMENT ON VIEW router.maintenance IS 'how router.maintain looks after each routed table; NULL: not set';

CREATE VIEW router.progress AS
    SELECT p.base, p.action, p.phase, p.child, p.done, greatest(p.total, p.done) AS total,
           greatest(p.total, p.done) OPERATOR(pg_catalog.-) p.done AS remaining, p.errors, p.duplicates, p.constraints,
           pg_catalog.round(p.rate::numeric, 1) AS rate,
           CASE WHEN p.at_work AND p.total OPERATOR(pg_catalog.>) p.done AND p.rate OPERATOR(pg_catalog.>) 0::float8
                THEN p.updated OPERATOR(pg_catalog.+)
                     pg_catalog.make_interval(secs => (p.total OPERATOR(pg_catalog.-) p.done)::float8 OPERATOR(pg_catalog./) p.rate) END AS eta,
           p.started, p.updated, p.pid, CASE WHEN p.at_work THEN 'under way' ELSE 'interrupted' END AS state
      FROM (SELECT d.*, router.is_at_work(d.pid, d.backend_start, d.query_start) AS at_work,
                   CASE WHEN d.updated OPERATOR(pg_catalog.<>) d.phase_started
                        THEN pg_catalog.int8mi(d.done, d.phase_done)::float8 OPERATOR(pg_catalog./) extract(epoch FROM d.updated OPERATOR(pg_catalog.-) d.phase_started)::float8 END AS rate
              FROM router.progress_def d
             OFFSET 0) p;
COMMENT ON VIEW router.progress
    IS 'what maintenance is at: rows or children done, expected and remaining, rejected by clone, a second, and when it may be over; interrupted: the statement ended before its time';

GRANT SELECT ON router.maintenance, router.progress TO PUBLIC;

-- ---------------------------------------------------------------- seals

CREATE PROCEDURE router.seal(child regclass, columns name[], lock_timeout interval DEFAULT '1 second')
    LANGUAGE c AS 'MODULE_PATHNAME', 'router_seal';
COMMENT ON PROCEDURE router.seal(regclass, name[], interval)
    IS 'notes between what values columns of a child lie that are no keys, so that queries by them leave it out';

-- the CHECK of a sealed child calls it as whoever writes there
CREATE FUNCTION router.unseal(child oid, VARIADIC columns "any")
    RETURNS boolean VOLATILE LANGUAGE c AS 'MODULE_PATHNAME', 'router_unseal';
COMMENT ON FUNCTION router.unseal(oid, "any")
    IS 'takes back what router.seal noted of a child if a row lies beyond it; its CHECK, with its tableoid and sealed columns; always true';

CREATE VIEW router.seals AS
    SELECT s.base, s.child, s."column", r.span,
           CASE WHEN EXISTS (SELECT FROM router.unsealed_def u WHERE u.child OPERATOR(pg_catalog.=) s.child) THEN 'broken'
                WHEN s.sealed THEN 'sealed' ELSE 'under way' END AS state
      FROM router.seal_def s
      LEFT JOIN router.readable_seals() r ON r.child OPERATOR(pg_catalog.=) s.child AND r."column" OPERATOR(pg_catalog.=) s."column";
COMMENT ON VIEW router.seals IS 'what is noted of columns of children that are no keys; span NULL: no values, or the reader may not read the column of all rows; broken: a row came that lies beyond, so that it is not used';
GRANT SELECT ON router.seals TO PUBLIC;

-- ---------------------------------------------------------------- turnover

CREATE PROCEDURE router.rotate(base regclass, lock_timeout interval DEFAULT '1 second', cutoff text DEFAULT NULL,
                               dry_run boolean DEFAULT false)
    LANGUAGE c AS 'MODULE_PATHNAME', 'router_rotate';
COMMENT ON PROCEDURE router.rotate(regclass, interval, text, boolean)
    IS 'turnover of a hot base whose rows nearly all have aged into one child: the two exchange their storage, the other rows are moved';

CREATE FUNCTION router.restore(child regclass, younger boolean DEFAULT false, dry_run boolean DEFAULT false)
    RETURNS SETOF text VOLATILE LANGUAGE c AS 'MODULE_PATHNAME', 'router_restore';
COMMENT ON FUNCTION router.restore(regclass, boolean, boolean)
    IS 'brings the rows of the youngest archived child back into its hot base, and the watermark back to where the child begins; younger: along with all that is younger';

CREATE FUNCTION router.end_hot(base regclass, dry_run boolean DEFAULT false)
    RETURNS SETOF text VOLATILE LANGUAGE c AS 'MODULE_PATHNAME', 'router_end_hot';
COMMENT ON FUNCTION router.end_hot(regclass, boolean)
    IS 'ends the hot window: all rows of the base go to their children, and the route goes on without';

-- ---------------------------------------------------------------- background worker

CREATE FUNCTION router.maintain_next(after timestamptz DEFAULT pg_catalog.now())
    RETURNS timestamptz STRICT STABLE LANGUAGE c AS 'MODULE_PATHNAME', 'router_maintain_next';
COMMENT ON FUNCTION router.maintain_next(timestamptz)
    IS 'when the background worker does maintenance next, by router.maintain_at; NULL: it does not';

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
    IS 'makes the children like their base again, one transaction a child; concurrently: indexes are built without keeping writers away';

CREATE FUNCTION router.check(base regclass DEFAULT NULL, table_budget interval DEFAULT NULL)
    RETURNS TABLE (routed_table regclass, child regclass, kind text, detail text, remedy text)
    VOLATILE LANGUAGE c AS 'MODULE_PATHNAME', 'router_check';
COMMENT ON FUNCTION router.check(regclass, interval)
    IS 'reports what is wrong: children unlike their base, rows in the wrong table, missing triggers and the like; no row: nothing is wrong';

CREATE FUNCTION router.base_constraint(child regclass, constraint_name name)
    RETURNS name STABLE STRICT PARALLEL SAFE LANGUAGE c AS 'MODULE_PATHNAME', 'router_base_constraint';
COMMENT ON FUNCTION router.base_constraint(regclass, name)
    IS 'the constraint or index of the base that one of a child, or of a key table, stands for';

-- ---------------------------------------------------------------- triggers

CREATE FUNCTION router.keep_global_keys() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'router_keep_global_keys';
COMMENT ON FUNCTION router.keep_global_keys() IS 'internal: trigger by which entries of global keys follow rows';

CREATE FUNCTION router.row_hash(of_row record) RETURNS bigint
    LANGUAGE c IMMUTABLE STRICT PARALLEL SAFE AS 'MODULE_PATHNAME', 'router_row_hash';
COMMENT ON FUNCTION router.row_hash(record) IS 'internal: rows without a key, for indexes of copies while a table gets another shape';

CREATE FUNCTION router.follow_reshape() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'router_follow_reshape';
COMMENT ON FUNCTION router.follow_reshape() IS 'internal: trigger by which copies of rows follow a table that gets another shape';

CREATE FUNCTION router.keep_in_step() RETURNS trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'router_keep_in_step';
COMMENT ON FUNCTION router.keep_in_step() IS 'internal: trigger by which a copy that move_child makes follows the child';

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
COMMENT ON FUNCTION router.on_ddl_start() IS 'internal: refuses changes of type that a key cannot bear, lets children go with their base, locks bases before grants';

CREATE FUNCTION router.on_ddl_end() RETURNS event_trigger
    LANGUAGE c AS 'MODULE_PATHNAME', 'router_on_ddl_end';
COMMENT ON FUNCTION router.on_ddl_end() IS 'internal: children and catalog follow DDL on their base';

CREATE EVENT TRIGGER router_on_sql_drop ON sql_drop EXECUTE FUNCTION router.on_sql_drop();
CREATE EVENT TRIGGER router_on_ddl_start ON ddl_command_start WHEN TAG IN ('ALTER TABLE', 'ALTER FOREIGN TABLE', 'ALTER TYPE', 'CREATE VIEW', 'DROP TABLE', 'GRANT', 'REVOKE')
    EXECUTE FUNCTION router.on_ddl_start();
CREATE EVENT TRIGGER router_on_ddl_end ON ddl_command_end
    WHEN TAG IN ('ALTER TABLE', 'ALTER FOREIGN TABLE', 'ALTER TYPE', 'ALTER SCHEMA', 'CREATE VIEW', 'CREATE TABLE', 'CREATE INDEX', 'ALTER INDEX',
                 'CREATE TRIGGER', 'ALTER TRIGGER', 'CREATE RULE', 'CREATE POLICY', 'ALTER POLICY',
                 'CREATE STATISTICS', 'ALTER STATISTICS', 'COMMENT', 'GRANT', 'REVOKE', 'CREATE SCHEMA')
    EXECUTE FUNCTION router.on_ddl_end();
COMMENT ON EVENT TRIGGER router_on_sql_drop IS 'router: forgets dropped tables, drops from children what their base lost';
COMMENT ON EVENT TRIGGER router_on_ddl_start IS 'router: guards key columns, drops children with their base, waits for creators of children before grants';
COMMENT ON EVENT TRIGGER router_on_ddl_end IS 'router: children and catalog follow DDL on their base';

-- ---------------------------------------------------------------- views

CREATE VIEW router.routes AS
    SELECT r.base,
           (SELECT pg_catalog.array_agg(pg_catalog.concat(k.kind, '(', pg_catalog.quote_ident(k.column_name::text), ', ' OPERATOR(pg_catalog.||) k.every,
                                                          ', ' OPERATOR(pg_catalog.||) k.modulus::text, ')')
                                        ORDER BY k.level)
              FROM router.key_def k WHERE k.base OPERATOR(pg_catalog.=) r.base) AS keys,
           r.time_zone, r.template, r.child_schema, r.on_missing, r.on_reject, r.horizon, r.max_new_children, r.hot, r.watermark, r.pending,
           (SELECT pg_catalog.count(*) FROM router.child_def c WHERE c.base OPERATOR(pg_catalog.=) r.base) AS children
      FROM router.route_def r
     WHERE NOT EXISTS (SELECT FROM pg_catalog.pg_class s WHERE s.oid OPERATOR(pg_catalog.=) r.base AND s.relrewrite OPERATOR(pg_catalog.<>) 0::pg_catalog.oid);
COMMENT ON VIEW router.routes IS 'the routed tables of this database';

CREATE VIEW router.children AS
    SELECT d.base, d.child, d.bounds,
           (SELECT pg_catalog.pg_get_expr(con.conbin, con.conrelid)
              FROM pg_catalog.pg_constraint con
             WHERE con.conrelid OPERATOR(pg_catalog.=) d.child AND con.conname OPERATOR(pg_catalog.=) 'router_home') AS condition,
           CASE WHEN c.reltuples OPERATOR(pg_catalog.<) 0::real THEN NULL ELSE c.reltuples::bigint END AS rows,
           CASE WHEN c.relkind OPERATOR(pg_catalog.=) 'f' THEN NULL ELSE pg_catalog.pg_total_relation_size(d.child) END AS bytes,
           coalesce(t.spcname, (SELECT dt.spcname FROM pg_catalog.pg_database db
                                  JOIN pg_catalog.pg_tablespace dt ON dt.oid OPERATOR(pg_catalog.=) db.dattablespace
                                 WHERE db.datname OPERATOR(pg_catalog.=) pg_catalog.current_database())) AS tablespace,
           CASE WHEN c.relkind OPERATOR(pg_catalog.=) 'f' THEN 'foreign'
                WHEN 'default' OPERATOR(pg_catalog.=) ANY (d.bounds) THEN 'default'
                ELSE 'online' END AS state,
           (SELECT pg_catalog.substring(d.bounds[q.level], '^\[(.+),') FROM router.key_def q
             WHERE q.base OPERATOR(pg_catalog.=) d.base AND q.kind OPERATOR(pg_catalog.=) ANY ('{date,integer}'::text[]) ORDER BY q.level LIMIT 1) AS lower,
           (SELECT pg_catalog.substring(d.bounds[q.level], ',(.+)[])]$') FROM router.key_def q
             WHERE q.base OPERATOR(pg_catalog.=) d.base AND q.kind OPERATOR(pg_catalog.=) ANY ('{date,integer}'::text[]) ORDER BY q.level LIMIT 1) AS upper,
           (SELECT CASE WHEN d.bounds[q.level] OPERATOR(pg_catalog.=) 'null' THEN '{NULL}'::text[]
                        WHEN d.bounds[q.level] OPERATOR(pg_catalog.^@) '{' THEN d.bounds[q.level]::text[] END FROM router.key_def q
             WHERE q.base OPERATOR(pg_catalog.=) d.base AND q.kind OPERATOR(pg_catalog.=) ANY ('{list,prefix,suffix}'::text[]) ORDER BY q.level LIMIT 1) AS members
      FROM router.child_def d
      JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) d.child
      LEFT JOIN pg_catalog.pg_tablespace t ON t.oid OPERATOR(pg_catalog.=) c.reltablespace
     WHERE c.relrewrite OPERATOR(pg_catalog.=) 0::pg_catalog.oid;
COMMENT ON VIEW router.children IS 'the children of every route: bounds, condition in SQL, rows as last analyzed (NULL: never), bytes, tablespace, state, lower and upper end of the outermost range, values of the outermost list';

CREATE VIEW router.global_keys AS
    SELECT d.base, d.columns, d.key_table, con.conname AS constraint_name
      FROM router.global_key_def d
      LEFT JOIN pg_catalog.pg_constraint con ON con.conrelid OPERATOR(pg_catalog.=) d.key_table AND con.contype OPERATOR(pg_catalog.=) 'p';
COMMENT ON VIEW router.global_keys IS 'columns that are unique over a whole routed table, and the table that foreign keys to them refer to';

-- Bounds of dates are told apart by the day, whatever the type: no other type has a value for each.
CREATE VIEW router.tables AS
    SELECT r.base, pg_catalog.pg_get_userbyid(b.relowner) AS owner, r.keys, r.children,
           CASE WHEN c.rows IS NOT NULL OR b.reltuples OPERATOR(pg_catalog.>=) 0::real
                THEN coalesce(c.rows, 0::numeric)::bigint OPERATOR(pg_catalog.+) greatest(b.reltuples, 0::real)::bigint END AS rows,
           pg_catalog.pg_total_relation_size(r.base) OPERATOR(pg_catalog.+) coalesce(c.bytes, 0::numeric)::bigint AS bytes,
           d.oldest, d.newest, r.hot, pg_catalog.pg_relation_size(c.default_child) OPERATOR(pg_catalog.>) 0::bigint AS default_filled
      FROM router.routes r
      JOIN pg_catalog.pg_class b ON b.oid OPERATOR(pg_catalog.=) r.base
     CROSS JOIN LATERAL (
           SELECT pg_catalog.sum(k.rows) AS rows, pg_catalog.sum(k.bytes) AS bytes,
                  pg_catalog.max(CASE WHEN k.state OPERATOR(pg_catalog.=) 'default' THEN k.child::oid END) AS default_child
             FROM router.children k WHERE k.base OPERATOR(pg_catalog.=) r.base) c
     CROSS JOIN LATERAL (
           SELECT (pg_catalog.array_agg(e.lo ORDER BY e.lo_day, e.lo COLLATE "C"))[1] AS oldest,
                  (pg_catalog.array_agg(e.hi ORDER BY e.hi_day DESC NULLS LAST, e.hi COLLATE "C" DESC))[1] AS newest
             FROM (SELECT s.lo, s.hi, pg_catalog.regexp_replace(s.lo, ' .*?( BC)?$', '\1')::date AS lo_day,
                          pg_catalog.regexp_replace(s.hi, ' .*?( BC)?$', '\1')::date AS hi_day
                     FROM (SELECT pg_catalog.substring(f.bounds[k.level], '^\[(.+),') AS lo,
                                  pg_catalog.substring(f.bounds[k.level], ',(.+)\)$') AS hi
                             FROM router.child_def f
                             JOIN router.key_def k ON k.base OPERATOR(pg_catalog.=) f.base
                            WHERE f.base OPERATOR(pg_catalog.=) r.base
                              AND k.level OPERATOR(pg_catalog.=)
                                  (SELECT pg_catalog.min(q.level) FROM router.key_def q
                                    WHERE q.base OPERATOR(pg_catalog.=) r.base AND q.kind OPERATOR(pg_catalog.=) 'date')) s) e) d;
COMMENT ON VIEW router.tables IS 'one row for each routed table: its children in number, rows (as last analyzed) and bytes with indexes and TOAST, the first and the last end of their dates, and whether its default child has pages';

GRANT SELECT ON router.routes, router.children, router.global_keys, router.tables TO PUBLIC;
