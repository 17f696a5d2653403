
-- ---------------------------------------------------------------- sight
-- Sizes, growth, what if, balance and findings: see src/sight/.

-- Written by src/route/defs_size.c. A snapshot has a row for each table that has changed since its last one, and one for all.
CREATE TABLE router.size_def (
    base     regclass    NOT NULL,
    relation regclass    NOT NULL,       -- base or child; 0: all of them
    at       timestamptz NOT NULL,
    rows     bigint,                     -- estimated; NULL: unknown
    bytes    bigint      NOT NULL,
    inserted bigint      NOT NULL,       -- these three as PostgreSQL counts; of all tables together, since the first snapshot
    updated  bigint      NOT NULL,
    deleted  bigint      NOT NULL,
    written  timestamptz,                -- the snapshot that first saw the last write; NULL: none did
    PRIMARY KEY (base, relation, at)
);
CREATE INDEX size_def_relation_idx ON router.size_def (relation);
COMMENT ON INDEX router.size_def_relation_idx IS 'the snapshots of a table';
COMMENT ON TABLE router.size_def IS 'snapshots of sizes that router.maintain takes, once a day; not dumped, read router.growth';
GRANT SELECT ON router.size_def TO PUBLIC;

CREATE FUNCTION router.estimated_rows(relation regclass)
    RETURNS bigint STABLE STRICT PARALLEL RESTRICTED LANGUAGE sql
    BEGIN ATOMIC
        SELECT CASE WHEN c.reltuples OPERATOR(pg_catalog.<) 0::real THEN
                         CASE WHEN s.bytes OPERATOR(pg_catalog.=) 0::bigint THEN 0::bigint
                              WHEN s.live OPERATOR(pg_catalog.>) 0::bigint THEN s.live END
                    WHEN c.relpages OPERATOR(pg_catalog.=) 0 OR s.bytes IS NULL THEN greatest(c.reltuples::bigint, s.live)
                    ELSE (c.reltuples::float8 OPERATOR(pg_catalog./) c.relpages::float8
                          OPERATOR(pg_catalog.*) s.bytes::float8 OPERATOR(pg_catalog./) pg_catalog.current_setting('block_size')::float8)::bigint END
          FROM pg_catalog.pg_class c
         CROSS JOIN LATERAL (
               SELECT CASE WHEN c.relkind OPERATOR(pg_catalog.<>) 'f' THEN pg_catalog.pg_relation_size(c.oid::regclass) END AS bytes,
                      pg_catalog.pg_stat_get_live_tuples(c.oid) AS live) s
         WHERE c.oid OPERATOR(pg_catalog.=) estimated_rows.relation;
    END;
COMMENT ON FUNCTION router.estimated_rows(regclass)
    IS 'how many rows a table may have: as last analyzed, for its present size; NULL: nothing is known';

CREATE FUNCTION router.table_rows(base regclass, exact boolean DEFAULT false, by_value boolean DEFAULT false, key name DEFAULT NULL,
        OUT relation regclass, OUT value text, OUT rows bigint)
    RETURNS SETOF record STABLE LANGUAGE c AS 'MODULE_PATHNAME', 'router_table_rows';
COMMENT ON FUNCTION router.table_rows(regclass, boolean, boolean, name)
    IS 'internal: rows of base and children, or of each value of a list key in them; exact: they are read';

CREATE VIEW router.growth AS
    SELECT g.at, g.base, CASE WHEN g.relation OPERATOR(pg_catalog.<>) 0::oid THEN g.relation END AS child, g.rows, g.bytes,
           CASE WHEN g.inserted OPERATOR(pg_catalog.>=) g.inserted_before THEN g.inserted OPERATOR(pg_catalog.-) g.inserted_before
                WHEN g.inserted_before IS NOT NULL THEN g.inserted END AS inserted,
           CASE WHEN g.updated OPERATOR(pg_catalog.>=) g.updated_before THEN g.updated OPERATOR(pg_catalog.-) g.updated_before
                WHEN g.updated_before IS NOT NULL THEN g.updated END AS updated,
           CASE WHEN g.deleted OPERATOR(pg_catalog.>=) g.deleted_before THEN g.deleted OPERATOR(pg_catalog.-) g.deleted_before
                WHEN g.deleted_before IS NOT NULL THEN g.deleted END AS deleted,
           g.written AS last_write
      FROM (SELECT s.*, pg_catalog.lag(s.inserted) OVER w AS inserted_before, pg_catalog.lag(s.updated) OVER w AS updated_before,
                   pg_catalog.lag(s.deleted) OVER w AS deleted_before
              FROM router.size_def s
            WINDOW w AS (PARTITION BY s.base, s.relation ORDER BY s.at)) g;
COMMENT ON VIEW router.growth
    IS 'snapshots of sizes: rows and bytes of each child that had changed, and of all (child NULL); rows inserted, updated, deleted since the snapshot before';
GRANT SELECT ON router.growth TO PUBLIC;

CREATE FUNCTION router.statistics(base regclass, exact boolean DEFAULT false)
    RETURNS TABLE (child regclass, state text, rows bigint, estimated boolean, bytes bigint, table_bytes bigint, index_bytes bigint, toast_bytes bigint,
                   lower text, upper text, members text[], last_write timestamptz, rows_a_day numeric, bytes_a_day numeric)
    STABLE LANGUAGE sql
    BEGIN ATOMIC
        SELECT t.relation, t.state, m.rows, m.rows IS NOT NULL AND statistics.exact IS NOT TRUE, t.bytes,
               t.bytes OPERATOR(pg_catalog.-) t.index_bytes OPERATOR(pg_catalog.-) t.toast_bytes, t.index_bytes, t.toast_bytes, t.lower, t.upper, t.members,
               CASE WHEN l.relation IS NULL THEN NULL
                    WHEN ROW(l.inserted, l.updated, l.deleted) OPERATOR(pg_catalog.<>) ROW(t.inserted, t.updated, t.deleted)
                         AND ROW(t.inserted, t.updated, t.deleted) OPERATOR(pg_catalog.<>) ROW(0::bigint, 0::bigint, 0::bigint)
                    THEN pg_catalog.now() ELSE l.written END,
               pg_catalog.round((t.estimate OPERATOR(pg_catalog.-) f.rows)::numeric OPERATOR(pg_catalog./) f.days, 1),
               pg_catalog.round((t.bytes OPERATOR(pg_catalog.-) f.bytes)::numeric OPERATOR(pg_catalog./) f.days, 1)
          FROM router.table_rows(statistics.base, statistics.exact) m
          LEFT JOIN LATERAL (
               SELECT c.oid::regclass AS relation, coalesce(k.state, 'hot') AS state, CASE WHEN k.child IS NULL THEN r.watermark ELSE k.lower END AS lower, k.upper, k.members,
                      coalesce(pg_catalog.pg_total_relation_size(c.oid::regclass), 0::bigint) AS bytes, coalesce(pg_catalog.pg_indexes_size(c.oid::regclass), 0::bigint) AS index_bytes,
                      CASE WHEN c.reltoastrelid OPERATOR(pg_catalog.<>) 0::oid THEN pg_catalog.pg_total_relation_size(c.reltoastrelid::regclass) ELSE 0::bigint END AS toast_bytes,
                      pg_catalog.pg_stat_get_tuples_inserted(c.oid) AS inserted, pg_catalog.pg_stat_get_tuples_updated(c.oid) AS updated,
                      pg_catalog.pg_stat_get_tuples_deleted(c.oid) AS deleted, router.estimated_rows(c.oid::regclass) AS estimate
                 FROM pg_catalog.pg_class c
                 LEFT JOIN router.children k ON k.child OPERATOR(pg_catalog.=) c.oid
                 LEFT JOIN router.route_def r ON r.base OPERATOR(pg_catalog.=) c.oid
                WHERE c.oid OPERATOR(pg_catalog.=) m.relation) t ON true
          LEFT JOIN LATERAL (
               SELECT s.* FROM router.size_def s WHERE s.base OPERATOR(pg_catalog.=) statistics.base AND s.relation OPERATOR(pg_catalog.=) t.relation
                ORDER BY s.at DESC LIMIT 1) l ON true
          -- where it stood 30 days ago, or when it was first seen since
          LEFT JOIN LATERAL (
               SELECT s.rows, s.bytes, d.days
                 FROM router.size_def s
                CROSS JOIN LATERAL (
                      SELECT greatest(s.at, pg_catalog.now() OPERATOR(pg_catalog.-) '30 days'::interval) AS since) a
                CROSS JOIN LATERAL (
                      SELECT extract(epoch FROM pg_catalog.now() OPERATOR(pg_catalog.-) a.since) OPERATOR(pg_catalog./) 86400::numeric AS days) d
                WHERE s.base OPERATOR(pg_catalog.=) statistics.base AND s.relation OPERATOR(pg_catalog.=) t.relation
                ORDER BY a.since, s.at DESC LIMIT 1) f ON f.days OPERATOR(pg_catalog.>) 0.04
         ORDER BY t.state OPERATOR(pg_catalog.=) 'hot', t.state OPERATOR(pg_catalog.=) 'default', t.lower IS NULL AND t.upper IS NULL AND t.members IS NULL,
                  CASE WHEN t.members[1] OPERATOR(pg_catalog.~) '^-?\d+$' THEN t.members[1]::numeric END, t.members COLLATE "C",
                  CASE WHEN t.lower OPERATOR(pg_catalog.~) '^-?\d+$' THEN t.lower::numeric END NULLS FIRST,
                  CASE WHEN t.lower OPERATOR(pg_catalog.~) '^\d+-' THEN pg_catalog.regexp_replace(t.lower, ' .*?( BC)?$', '\1')::date END NULLS FIRST,
                  t.lower COLLATE "C", t.relation::oid;
    END;
COMMENT ON FUNCTION router.statistics(regclass, boolean)
    IS 'a row for each child, and for the base if it is hot: rows (exact: counted, with the rights of the caller), bytes of table, indexes and TOAST, bounds, last write, and growth a day from snapshots';

CREATE FUNCTION router.statistics_by_value(base regclass, key name DEFAULT NULL, exact boolean DEFAULT false)
    RETURNS TABLE (value text, children bigint, rows bigint, estimated boolean, bytes bigint, share numeric)
    STABLE LANGUAGE sql
    BEGIN ATOMIC
        SELECT v.value, pg_catalog.count(*) FILTER (WHERE v.relation OPERATOR(pg_catalog.<>) statistics_by_value.base), pg_catalog.sum(v.rows)::bigint,
               pg_catalog.sum(v.rows) IS NOT NULL AND statistics_by_value.exact IS NOT TRUE, pg_catalog.sum(v.bytes)::bigint,
               pg_catalog.round(pg_catalog.sum(v.rows) OPERATOR(pg_catalog./) CASE WHEN v.total OPERATOR(pg_catalog.>) 0::numeric THEN v.total END, 4)
          FROM (SELECT m.relation, m.value, m.rows, pg_catalog.sum(m.rows) OVER () AS total,
                       coalesce(CASE WHEN c.relkind OPERATOR(pg_catalog.<>) 'f' THEN pg_catalog.pg_total_relation_size(m.relation) END, 0::bigint)::numeric
                       OPERATOR(pg_catalog.*) CASE WHEN pg_catalog.count(*) OVER w OPERATOR(pg_catalog.=) 1::bigint THEN 1::numeric
                                                   WHEN pg_catalog.sum(m.rows) OVER w OPERATOR(pg_catalog.>) 0::numeric
                                                   THEN m.rows::numeric OPERATOR(pg_catalog./) pg_catalog.sum(m.rows) OVER w END AS bytes
                  FROM router.table_rows(statistics_by_value.base, statistics_by_value.exact, true, statistics_by_value.key) m
                  JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) m.relation
                WINDOW w AS (PARTITION BY m.relation)) v
         GROUP BY v.value, v.total
         ORDER BY 3 DESC NULLS LAST, v.value COLLATE "C";
    END;
COMMENT ON FUNCTION router.statistics_by_value(regclass, name, boolean)
    IS 'rows and bytes of each value of a list, prefix or suffix key, also of those that share a child; exact: counted, with the rights of the caller';

CREATE FUNCTION router.skew(base regclass)
    RETURNS TABLE (of text, children bigint, total numeric, mean numeric, median numeric, largest bigint, largest_child regclass, over_mean numeric,
                   variation numeric, gini numeric)
    STABLE LANGUAGE sql
    BEGIN ATOMIC
        SELECT s.of, s.n, s.total, pg_catalog.round(coalesce(s.mean, 0::numeric), 1), pg_catalog.round(s.median::numeric, 1), s.largest, s.largest_child,
               pg_catalog.round(s.largest::numeric OPERATOR(pg_catalog./) s.mean, 3), pg_catalog.round(s.deviation OPERATOR(pg_catalog./) s.mean, 3),
               -- of sizes x in ascending order: (2 * sum(i * x) / sum(x) - n - 1) / n
               pg_catalog.round((2::numeric OPERATOR(pg_catalog.*) s.weighted OPERATOR(pg_catalog./) CASE WHEN s.total OPERATOR(pg_catalog.>) 0::numeric THEN s.total END
                                 OPERATOR(pg_catalog.-) s.n::numeric OPERATOR(pg_catalog.-) 1::numeric) OPERATOR(pg_catalog./) s.n::numeric, 3)
          FROM (SELECT x.of, pg_catalog.count(*) AS n, pg_catalog.sum(x.size) AS total,
                       CASE WHEN pg_catalog.sum(x.size) OPERATOR(pg_catalog.>) 0::numeric
                            THEN pg_catalog.sum(x.size) OPERATOR(pg_catalog./) pg_catalog.count(*)::numeric END AS mean,
                       pg_catalog.percentile_cont(0.5) WITHIN GROUP (ORDER BY x.size::float8) AS median, pg_catalog.max(x.size) AS largest,
                       (pg_catalog.array_agg(x.child ORDER BY x.size DESC, x.child::oid))[1] AS largest_child,
                       pg_catalog.stddev_pop(x.size) AS deviation, pg_catalog.sum(x.place::numeric OPERATOR(pg_catalog.*) x.size::numeric) AS weighted
                  FROM (SELECT u.of, t.child, u.size, pg_catalog.row_number() OVER (PARTITION BY u.of ORDER BY u.size) AS place
                          FROM router.statistics(skew.base) t
                         CROSS JOIN LATERAL (SELECT 'bytes' AS of, t.bytes AS size UNION ALL SELECT 'rows', t.rows) u
                         WHERE t.state OPERATOR(pg_catalog.<>) 'hot' AND u.size IS NOT NULL) x
                 GROUP BY x.of) s
         ORDER BY s.of;
    END;
COMMENT ON FUNCTION router.skew(regclass)
    IS 'how even the children are, by bytes and by rows: largest over mean, coefficient of variation (deviation over mean), Gini coefficient (0: all alike, near 1: one has all)';

CREATE FUNCTION router.chart(base regclass, of text DEFAULT 'bytes', width integer DEFAULT 80)
    RETURNS SETOF text STABLE LANGUAGE c AS 'MODULE_PATHNAME', 'router_chart';
COMMENT ON FUNCTION router.chart(regclass, text, integer)
    IS 'a picture of the children in lines of text: bytes or rows over time where their ranges are dates, else a bar each';

-- ---------------------------------------------------------------- health

CREATE FUNCTION router.is_readable(base regclass)
    RETURNS boolean VOLATILE STRICT LANGUAGE c AS 'MODULE_PATHNAME', 'router_is_readable';
COMMENT ON FUNCTION router.is_readable(regclass) IS 'internal: can this route be read? router.check tells why not';

CREATE FUNCTION router.is_preloaded(libraries text)
    RETURNS boolean STABLE LANGUAGE c AS 'MODULE_PATHNAME', 'router_is_preloaded';
COMMENT ON FUNCTION router.is_preloaded(text)
    IS 'internal: is router among these libraries, a value of session_preload_libraries (NULL: that of the session), or those of shared_preload_libraries?';

-- Ends of children as points of time, as far as a date has four digits.
CREATE FUNCTION router.instant_of(bound text, time_zone text)
    RETURNS timestamptz STABLE STRICT LANGUAGE sql
    BEGIN ATOMIC
        SELECT CASE WHEN instant_of.bound OPERATOR(pg_catalog.~) '^\d{4}-\d\d-\d\d( [\d:.]+)?$' THEN pg_catalog.timezone(instant_of.time_zone, instant_of.bound::timestamp)
                    WHEN instant_of.bound OPERATOR(pg_catalog.~) '^\d{4}-\d\d-\d\d [\d:.]+[-+][\d:]+$' THEN instant_of.bound::timestamptz END;
    END;
COMMENT ON FUNCTION router.instant_of(text, text)
    IS 'internal: an end of a range of dates, as router.children shows it, as a point of time; NULL: it is none, or beyond the years of four digits';

CREATE VIEW router.health AS
    SELECT h.base, h.owner,
           pg_catalog.array_remove(ARRAY[
               CASE WHEN h.failing IS NOT NULL THEN 'last run failed' END,
               CASE WHEN h.interrupted OPERATOR(pg_catalog.>) 0::bigint THEN 'interrupted' END,
               CASE WHEN h.overdue OPERATOR(pg_catalog.>) '1 day'::interval THEN 'archive overdue' END,
               CASE WHEN h.default_rows OPERATOR(pg_catalog.>) 0::bigint THEN 'rows in the default child' END,
               CASE WHEN h.children_to_come OPERATOR(pg_catalog.=) 0::bigint THEN 'no children to come' END,
               CASE WHEN h.retention_due OPERATOR(pg_catalog.>) 0::bigint THEN 'retention due' END,
               CASE WHEN NOT h.route_readable THEN 'route not readable' END,
               CASE WHEN NOT h.triggers_in_place THEN 'triggers missing' END,
               CASE WHEN NOT h.preloaded THEN 'not preloaded' END,
               CASE WHEN h.role_settings IS NOT NULL THEN 'role settings' END], NULL) AS problems,
           h.last_maintain, h.last_maintain_state, h.last_archive, h.last_archive_state, h.last_runs, h.failing, h.running, h.running_since, h.interrupted,
           h.overdue, h.aged_rows, h.default_rows, h.children_to_come, h.premade_until, h.retention_due, h.route_readable, h.triggers_in_place, h.preloaded,
           h.role_settings, h.last_error, h.locked
      FROM (SELECT r.base, pg_catalog.pg_get_userbyid(b.relowner) AS owner, e.*, a.*, k.*, d.preloaded, d.role_settings,
                   z.locked, CASE WHEN NOT z.locked THEN router.is_readable(r.base) END AS route_readable,
                   (SELECT pg_catalog.count(*) OPERATOR(pg_catalog.=) 4::bigint FROM pg_catalog.pg_trigger t
                     WHERE t.tgrelid OPERATOR(pg_catalog.=) r.base AND NOT t.tgisinternal AND t.tgenabled OPERATOR(pg_catalog.=) 'A'
                       AND t.tgname OPERATOR(pg_catalog.=) ANY (ARRAY['~router_route', '~router_settle', '!router_flush', '~router_move'])) AS triggers_in_place
              FROM router.routes r
              JOIN pg_catalog.pg_class b ON b.oid OPERATOR(pg_catalog.=) r.base
             -- who asks for sizes, or reads a route, would wait
             CROSS JOIN LATERAL (
                   SELECT EXISTS (SELECT FROM pg_catalog.pg_locks x
                                   WHERE x.locktype OPERATOR(pg_catalog.=) 'relation' AND x.mode OPERATOR(pg_catalog.=) 'AccessExclusiveLock'
                                     AND (x.relation OPERATOR(pg_catalog.=) r.base
                                          OR x.relation OPERATOR(pg_catalog.=) ANY (SELECT y.child FROM router.child_def y WHERE y.base OPERATOR(pg_catalog.=) r.base))) AS locked) z
             -- the last run of each action; of single children that retention took away only their sum
             CROSS JOIN LATERAL (
                   SELECT pg_catalog.max(CASE WHEN l.action OPERATOR(pg_catalog.=) 'maintain' THEN l.at END) AS last_maintain,
                          pg_catalog.max(CASE WHEN l.action OPERATOR(pg_catalog.=) 'maintain' THEN l.state END) AS last_maintain_state,
                          pg_catalog.max(CASE WHEN l.action OPERATOR(pg_catalog.=) 'archive' THEN l.at END) AS last_archive,
                          pg_catalog.max(CASE WHEN l.action OPERATOR(pg_catalog.=) 'archive' THEN l.state END) AS last_archive_state,
                          pg_catalog.jsonb_object_agg(l.action, pg_catalog.jsonb_build_object('at', l.at, 'state', l.state, 'rows', l.rows, 'sqlstate', l.sqlstate))
                              FILTER (WHERE l.action IS NOT NULL) AS last_runs,
                          pg_catalog.array_agg(l.action ORDER BY l.action) FILTER (WHERE l.state OPERATOR(pg_catalog.=) 'failed') AS failing,
                          pg_catalog.string_agg(l.action, ', ' ORDER BY l.started) FILTER (WHERE l.state OPERATOR(pg_catalog.=) 'running') AS running,
                          pg_catalog.min(l.started) FILTER (WHERE l.state OPERATOR(pg_catalog.=) 'running') AS running_since,
                          pg_catalog.count(*) FILTER (WHERE l.state OPERATOR(pg_catalog.=) 'interrupted') AS interrupted,
                          (pg_catalog.array_agg(l.error ORDER BY l.at DESC) FILTER (WHERE l.state OPERATOR(pg_catalog.=) 'failed' AND l.action OPERATOR(pg_catalog.<>) 'maintain'))[1] AS last_error
                     FROM (SELECT DISTINCT ON (v.action) v.action, v.at, v.started, v.state, v.rows, v.sqlstate, v.error
                             FROM router.events v
                            WHERE v.base OPERATOR(pg_catalog.=) r.base AND v.action OPERATOR(pg_catalog.!~) '^(drop|detach|move) '
                            ORDER BY v.action, v.started DESC, v.at DESC) l) e
             -- a hot base: what should have been archived by now, if rows come evenly
             CROSS JOIN LATERAL (
                   SELECT o.overdue,
                          CASE WHEN o.overdue IS NOT NULL AND NOT z.locked
                               THEN pg_catalog.round(router.estimated_rows(r.base)::numeric OPERATOR(pg_catalog.*) extract(epoch FROM o.overdue)
                                                     OPERATOR(pg_catalog./) extract(epoch FROM o.overdue OPERATOR(pg_catalog.+) r.hot))::bigint END AS aged_rows
                     FROM (SELECT CASE WHEN r.hot IS NOT NULL
                                       THEN greatest(pg_catalog.now() OPERATOR(pg_catalog.-) r.hot OPERATOR(pg_catalog.-) router.instant_of(r.watermark, r.time_zone), '0'::interval) END AS overdue) o) a
             CROSS JOIN LATERAL (
                   SELECT pg_catalog.sum(CASE WHEN c.is_default AND NOT z.locked THEN coalesce(router.estimated_rows(c.child), 0::bigint) END)::bigint AS default_rows,
                          CASE WHEN t.stepped THEN pg_catalog.count(*) FILTER (WHERE router.instant_of(c.lower, r.time_zone) OPERATOR(pg_catalog.>) pg_catalog.now()) END AS children_to_come,
                          CASE WHEN t.stepped THEN pg_catalog.max(router.instant_of(c.upper, r.time_zone)) END AS premade_until,
                          CASE WHEN t.keep IS NOT NULL OR t.keep_children IS NOT NULL
                               THEN greatest(coalesce(pg_catalog.count(*) FILTER (WHERE router.instant_of(c.upper, r.time_zone) OPERATOR(pg_catalog.<=) (pg_catalog.now() OPERATOR(pg_catalog.-) t.keep)), 0::bigint),
                                             coalesce(pg_catalog.count(*) FILTER (WHERE c.lower IS NOT NULL AND router.instant_of(c.upper, r.time_zone) OPERATOR(pg_catalog.<=) pg_catalog.now())
                                                      OPERATOR(pg_catalog.-) t.keep_children::bigint, 0::bigint)) END AS retention_due
                     FROM (SELECT m.keep, m.keep_children,
                                  coalesce(m.premake, 1) OPERATOR(pg_catalog.>) 0
                                  AND EXISTS (SELECT FROM router.key_def q WHERE q.base OPERATOR(pg_catalog.=) r.base AND q.kind OPERATOR(pg_catalog.=) 'date' AND q.every IS NOT NULL) AS stepped
                             FROM (SELECT) one
                             LEFT JOIN router.maintain_def m ON m.base OPERATOR(pg_catalog.=) r.base) t
                     -- not router.children, which asks for sizes
                     LEFT JOIN (
                          SELECT f.base, f.child, 'default' OPERATOR(pg_catalog.=) ANY (f.bounds) AS is_default,
                                 pg_catalog.substring(f.bounds[u.level], '^\[(.+),') AS lower, pg_catalog.substring(f.bounds[u.level], ',(.+)[])]$') AS upper
                            FROM router.child_def f
                            LEFT JOIN (SELECT q.base, pg_catalog.min(q.level) AS level FROM router.key_def q
                                        WHERE q.kind OPERATOR(pg_catalog.=) ANY ('{date,integer}'::text[]) GROUP BY q.base) u ON u.base OPERATOR(pg_catalog.=) f.base) c
                          ON c.base OPERATOR(pg_catalog.=) r.base
                    GROUP BY t.keep, t.keep_children, t.stepped) k
             -- settings of the database, and of roles in it
             CROSS JOIN (
                   WITH s AS (
                       SELECT g.setrole AS role, g.setdatabase OPERATOR(pg_catalog.<>) 0::oid AS here, v.setting, pg_catalog.split_part(v.setting, '=', 1) AS name
                         FROM pg_catalog.pg_db_role_setting g
                        CROSS JOIN LATERAL (SELECT pg_catalog.unnest(g.setconfig) AS setting) v
                        WHERE g.setdatabase OPERATOR(pg_catalog.=) 0::oid
                           OR g.setdatabase OPERATOR(pg_catalog.=) (SELECT db.oid FROM pg_catalog.pg_database db WHERE db.datname OPERATOR(pg_catalog.=) pg_catalog.current_database()))
                   SELECT router.is_preloaded((SELECT pg_catalog.substring(p.setting, '=(.*)')
                                                 FROM s p WHERE p.role OPERATOR(pg_catalog.=) 0::oid AND p.name OPERATOR(pg_catalog.=) 'session_preload_libraries' ORDER BY p.here DESC LIMIT 1)) AS preloaded,
                          (SELECT pg_catalog.array_agg(pg_catalog.format('%s: %s', pg_catalog.pg_get_userbyid(p.role), p.setting) ORDER BY p.setting, p.role)
                             FROM s p
                            WHERE p.role OPERATOR(pg_catalog.<>) 0::oid
                              AND (p.name OPERATOR(pg_catalog.=) 'session_preload_libraries' AND NOT router.is_preloaded(pg_catalog.substring(p.setting, '=(.*)'))
                                   OR p.setting OPERATOR(pg_catalog.=) ANY (ARRAY['constraint_exclusion=off', 'session_replication_role=replica', 'router.prune=off', 'router.prune=false',
                                                               'router.read_hot=off', 'row_security=off'])
                                   OR p.name OPERATOR(pg_catalog.=) 'transaction_timeout')) AS role_settings
                     FROM (SELECT) one) d) h;
COMMENT ON VIEW router.health
    IS 'one row for each routed table: what is wrong in words, the last run of each action and its result, what runs now, what is overdue, settings that spoil it; it tells nothing of rows but their number';
GRANT SELECT ON router.health TO PUBLIC;

CREATE FUNCTION router.doctor(base regclass DEFAULT NULL)
    RETURNS TABLE (severity text, base regclass, child regclass, topic text, finding text, remedy text)
    STABLE LANGUAGE sql
    BEGIN ATOMIC
        WITH k AS (
            SELECT DISTINCT ON (q.base) q.base, q.level, q.column_name, q.attnum FROM router.key_def q
             WHERE q.kind OPERATOR(pg_catalog.=) 'date' ORDER BY q.base, q.level),
        r AS (
            SELECT d.base, d.hot, d.on_missing, d.time_zone, k.level, k.column_name, k.attnum, c.reloptions, pg_catalog.quote_literal(d.base::text) AS name,
                   pg_catalog.pg_relation_size(d.base) AS bytes, pg_catalog.pg_stat_get_numscans(d.base) AS scans, pg_catalog.pg_stat_get_dead_tuples(d.base) AS dead, pg_catalog.pg_stat_get_live_tuples(d.base) AS live
              FROM router.route_def d
              JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) d.base AND c.relrewrite OPERATOR(pg_catalog.=) 0::oid
              LEFT JOIN k ON k.base OPERATOR(pg_catalog.=) d.base
             WHERE doctor.base IS NULL OR d.base OPERATOR(pg_catalog.=) doctor.base),
        c AS (
            SELECT d.base, d.child, p.relkind OPERATOR(pg_catalog.=) 'f' AS far, 'default' OPERATOR(pg_catalog.=) ANY (d.bounds) AS is_default, p.reltuples OPERATOR(pg_catalog.<) 0::real AS unknown, p.reloptions, r.hot,
                   CASE WHEN p.relkind OPERATOR(pg_catalog.<>) 'f' THEN pg_catalog.pg_relation_size(d.child) END AS bytes,
                   pg_catalog.pg_stat_get_numscans(d.child) AS scans, pg_catalog.pg_stat_get_dead_tuples(d.child) OPERATOR(pg_catalog.>) 0::bigint AND pg_catalog.pg_stat_get_dead_tuples(d.child) OPERATOR(pg_catalog.>=) pg_catalog.pg_stat_get_live_tuples(d.child) AS mostly_dead, e.upper
              FROM router.child_def d
              JOIN r ON r.base OPERATOR(pg_catalog.=) d.base
              JOIN pg_catalog.pg_class p ON p.oid OPERATOR(pg_catalog.=) d.child AND p.relrewrite OPERATOR(pg_catalog.=) 0::oid
              CROSS JOIN LATERAL (SELECT router.instant_of(pg_catalog.substring(d.bounds[r.level], ',(.+)\)$'), r.time_zone) AS upper) e),
        n AS (
            SELECT c.base, pg_catalog.count(*) AS children, pg_catalog.count(*) FILTER (WHERE c.bytes OPERATOR(pg_catalog.>) 0::bigint) AS filled, pg_catalog.count(*) FILTER (WHERE NOT c.far) AS here, pg_catalog.max(c.upper) AS upper,
                   (pg_catalog.percentile_cont(0.5) WITHIN GROUP (ORDER BY c.bytes::float8) FILTER (WHERE c.bytes OPERATOR(pg_catalog.>) 0::bigint))::bigint AS median
              FROM c GROUP BY c.base),
        b AS (
            SELECT r.base, i.indexrelid, i.indnatts, i.indkey, i.indisunique, p.relname, t.condefined, pg_catalog.pg_stat_get_numscans(i.indexrelid) AS scans,
                   pg_catalog.pg_relation_size(i.indexrelid) AS bytes, i.indisreplident OR i.indisclustered AS held,
                   ROW(i.indkey::text, i.indclass::text, i.indcollation::text, i.indoption::text, pg_catalog.pg_get_expr(i.indexprs, r.base), pg_catalog.pg_get_expr(i.indpred, r.base), p.relam)::text AS same,
                   r.hot IS NOT NULL AND i.indkey[0] OPERATOR(pg_catalog.=) r.attnum AND i.indpred IS NULL AND i.indisvalid AS for_archive
              FROM r
              JOIN pg_catalog.pg_index i ON i.indrelid OPERATOR(pg_catalog.=) r.base
              JOIN pg_catalog.pg_class p ON p.oid OPERATOR(pg_catalog.=) i.indexrelid
              CROSS JOIN LATERAL (
                    SELECT EXISTS (SELECT FROM pg_catalog.pg_constraint o WHERE o.conindid OPERATOR(pg_catalog.=) i.indexrelid) AS condefined) t),
        x AS (
            SELECT c.base, router.base_constraint(c.child, p.relname) AS relname, pg_catalog.pg_stat_get_numscans(i.indexrelid) AS scans, pg_catalog.pg_relation_size(i.indexrelid) AS bytes, c.child
              FROM c
              JOIN pg_catalog.pg_index i ON i.indrelid OPERATOR(pg_catalog.=) c.child AND i.indisvalid
              JOIN pg_catalog.pg_class p ON p.oid OPERATOR(pg_catalog.=) i.indexrelid),
        i AS (
            SELECT b.base, b.indexrelid, b.relname, b.indisunique, b.condefined, b.held, b.same, b.for_archive, pg_catalog.count(x.child) AS children,
                   b.bytes OPERATOR(pg_catalog.+) coalesce(pg_catalog.sum(x.bytes), 0::numeric)::bigint AS bytes, b.scans OPERATOR(pg_catalog.+) coalesce(pg_catalog.sum(x.scans), 0::numeric)::bigint AS scans
              FROM b
              LEFT JOIN x ON x.base OPERATOR(pg_catalog.=) b.base AND x.relname OPERATOR(pg_catalog.=) b.relname
             GROUP BY b.base, b.indexrelid, b.relname, b.indisunique, b.condefined, b.held, b.same, b.for_archive, b.bytes, b.scans),
        -- scans of the table that has the most
        y AS (
            SELECT t.base, pg_catalog.max(t.scans)::bigint AS scans
              FROM (SELECT u.base, pg_catalog.sum(u.scans) AS scans
                      FROM (SELECT r.base, r.base AS relation, r.scans FROM r UNION ALL SELECT b.base, b.base, b.scans FROM b
                             UNION ALL SELECT c.base, c.child, c.scans FROM c UNION ALL SELECT x.base, x.child, x.scans FROM x) u
                     GROUP BY u.base, u.relation) t
             GROUP BY t.base),
        g AS (
            SELECT s.name, s.setting, s.source FROM pg_catalog.pg_settings s
             WHERE s.name OPERATOR(pg_catalog.=) ANY ('{shared_preload_libraries,session_preload_libraries,constraint_exclusion,jit,max_locks_per_transaction,max_connections,max_prepared_transactions,effective_cache_size}'::text[])),
        -- what every session of this database gets
        l AS (
            SELECT coalesce(pg_catalog.bool_or(u.setting IS NOT NULL AND router.is_preloaded(u.setting)), false) AS preloaded, pg_catalog.count(*) FILTER (WHERE u.hidden) OPERATOR(pg_catalog.=) 0::bigint AS seen
              FROM (SELECT pg_catalog.substring(o.o, '^session_preload_libraries=(.*)$') AS setting, false AS hidden
                      FROM pg_catalog.pg_db_role_setting d
                     CROSS JOIN LATERAL pg_catalog.unnest(d.setconfig) o
                     WHERE d.setrole OPERATOR(pg_catalog.=) 0::oid
                       AND (d.setdatabase OPERATOR(pg_catalog.=) 0::oid OR d.setdatabase OPERATOR(pg_catalog.=) (SELECT m.oid FROM pg_catalog.pg_database m WHERE m.datname OPERATOR(pg_catalog.=) pg_catalog.current_database()))
                     UNION ALL
                    SELECT CASE WHEN g.name OPERATOR(pg_catalog.=) 'shared_preload_libraries' OR NOT g.source OPERATOR(pg_catalog.=) ANY ('{session,user,"database user",database}'::text[]) THEN g.setting END, false
                      FROM g WHERE g.name OPERATOR(pg_catalog.~) '_preload_libraries$'
                     UNION ALL
                    SELECT NULL, true WHERE NOT EXISTS (SELECT FROM g WHERE g.name OPERATOR(pg_catalog.=) 'shared_preload_libraries')) u),
        f AS (
            SELECT 'warning' AS severity, NULL::oid AS base, NULL::oid AS child, 'preload' AS topic,
                   CASE WHEN l.seen THEN 'sessions of this database load the library with their first call only: their plans before it do not leave out children by router.prune'
                        ELSE 'this role may not see which libraries are preloaded: it takes pg_read_all_settings' END AS finding,
                   CASE WHEN l.seen THEN pg_catalog.format('ALTER DATABASE %I SET session_preload_libraries = %s', pg_catalog.current_database(),
                                                pg_catalog.concat_ws(', ', (SELECT pg_catalog.string_agg(pg_catalog.quote_literal(pg_catalog.btrim(s.s, ' "')), ', ') FROM g
                                                                  CROSS JOIN LATERAL pg_catalog.string_to_table(g.setting, ',') s
                                                                  WHERE g.name OPERATOR(pg_catalog.=) 'session_preload_libraries' AND g.source OPERATOR(pg_catalog.<>) 'session' AND pg_catalog.btrim(s.s, ' "') OPERATOR(pg_catalog.<>) ''), pg_catalog.quote_literal('router'))) END AS remedy
              FROM l WHERE NOT l.preloaded
             UNION ALL
            SELECT 'warning', NULL, NULL, 'constraint_exclusion', 'constraint_exclusion is off: plans made without the library read all children',
                   CASE WHEN g.source OPERATOR(pg_catalog.=) 'session' THEN 'RESET constraint_exclusion' ELSE pg_catalog.format('ALTER DATABASE %I SET constraint_exclusion = partition', pg_catalog.current_database()) END
              FROM g WHERE g.name OPERATOR(pg_catalog.=) 'constraint_exclusion' AND g.setting OPERATOR(pg_catalog.=) 'off'
             UNION ALL
            SELECT 'advice', NULL, NULL, 'jit', pg_catalog.format('jit is on, and %s has %s children: a costly plan compiles expressions for each of them', m.base::regclass, m.children),
                   CASE WHEN g.source OPERATOR(pg_catalog.=) 'session' THEN 'SET jit = off' ELSE pg_catalog.format('ALTER DATABASE %I SET jit = off', pg_catalog.current_database()) END
              FROM g
             CROSS JOIN (SELECT n.base, n.children FROM n WHERE n.children OPERATOR(pg_catalog.>=) 100::bigint ORDER BY n.children DESC, n.base::oid LIMIT 1) m
             WHERE g.name OPERATOR(pg_catalog.=) 'jit' AND g.setting OPERATOR(pg_catalog.=) 'on'
             UNION ALL
            SELECT CASE WHEN m.locks OPERATOR(pg_catalog.>) s.slots THEN 'critical' ELSE 'warning' END, NULL, NULL, 'locks',
                   pg_catalog.format('a statement that reads all of %s takes %s locks, of %s that there is room for', m.base::regclass, m.locks, s.slots),
                   pg_catalog.format('ALTER SYSTEM SET max_locks_per_transaction = %s', pg_catalog.ceil(3::numeric OPERATOR(pg_catalog.*) m.locks::numeric OPERATOR(pg_catalog./) (s.slots::numeric OPERATOR(pg_catalog./) s.each::numeric)))
              FROM (SELECT n.base, n.children OPERATOR(pg_catalog.+) (SELECT pg_catalog.count(*) FROM x WHERE x.base OPERATOR(pg_catalog.=) n.base) AS locks FROM n ORDER BY 2 DESC LIMIT 1) m
             CROSS JOIN (SELECT e.setting::bigint AS each, e.setting::bigint OPERATOR(pg_catalog.*) (SELECT pg_catalog.sum(g.setting::bigint)::bigint FROM g WHERE g.name OPERATOR(pg_catalog.=) ANY ('{max_connections,max_prepared_transactions}'::text[])) AS slots
                           FROM g e WHERE e.name OPERATOR(pg_catalog.=) 'max_locks_per_transaction') s
             WHERE m.locks OPERATOR(pg_catalog.>) (s.slots OPERATOR(pg_catalog./) 2::bigint)
             UNION ALL
            SELECT CASE WHEN n.children OPERATOR(pg_catalog.>) 5000::bigint THEN 'warning' ELSE 'advice' END, n.base, NULL, 'many children', pg_catalog.format('%s children', n.children), NULL
              FROM n WHERE n.children OPERATOR(pg_catalog.>) 1000::bigint
             UNION ALL
            SELECT 'advice', n.base, NULL, 'small children', pg_catalog.format('half of the %s children that have rows are smaller than 1 MB (median %s)', n.filled, pg_catalog.pg_size_pretty(n.median)), NULL
              FROM n WHERE n.filled OPERATOR(pg_catalog.>=) 100::bigint AND n.median OPERATOR(pg_catalog.<) 1048576::bigint
             UNION ALL
            SELECT 'advice', c.base, c.child, 'large child', pg_catalog.format('%s, more than effective_cache_size (%s)', pg_catalog.pg_size_pretty(c.bytes), pg_catalog.pg_size_pretty(g.setting::bigint OPERATOR(pg_catalog.*) pg_catalog.current_setting('block_size')::bigint)), NULL
              FROM c
              JOIN g ON g.name OPERATOR(pg_catalog.=) 'effective_cache_size' AND c.bytes OPERATOR(pg_catalog.>) (g.setting::bigint OPERATOR(pg_catalog.*) pg_catalog.current_setting('block_size')::bigint)
             WHERE NOT c.is_default
             UNION ALL
            SELECT 'advice', c.base, NULL, 'empty children', pg_catalog.format('%s children whose time is over have no rows', pg_catalog.count(*)), pg_catalog.format('DROP TABLE %s', pg_catalog.string_agg(c.child::text, ', ' ORDER BY c.upper, c.child::oid))
              FROM c WHERE c.bytes OPERATOR(pg_catalog.=) 0::bigint AND c.upper OPERATOR(pg_catalog.<) (pg_catalog.now() OPERATOR(pg_catalog.-) '1 day'::interval OPERATOR(pg_catalog.-) coalesce(c.hot, '0'::interval)) AND NOT c.is_default
             GROUP BY c.base
             UNION ALL
            SELECT 'warning', i.base, NULL, 'missing index', pg_catalog.format('%s of %s children lack index %s', n.here OPERATOR(pg_catalog.-) i.children, n.here, i.relname), pg_catalog.format('SELECT router.sync(%s)', r.name)
              FROM i
              JOIN n ON n.base OPERATOR(pg_catalog.=) i.base AND i.children OPERATOR(pg_catalog.<) n.here
              JOIN r ON r.base OPERATOR(pg_catalog.=) i.base
             UNION ALL
            SELECT 'advice', i.base, NULL, 'duplicate index', pg_catalog.format('%s does what %s does, and takes %s in base and children', i.relname, o.relname, pg_catalog.pg_size_pretty(i.bytes)), pg_catalog.format('DROP INDEX %s', i.indexrelid::regclass)
              FROM i
             CROSS JOIN LATERAL (
                   SELECT j.relname FROM i j
                    WHERE j.base OPERATOR(pg_catalog.=) i.base AND j.same OPERATOR(pg_catalog.=) i.same AND j.indexrelid OPERATOR(pg_catalog.<>) i.indexrelid AND (j.indisunique OR NOT i.indisunique)
                      AND (j.condefined OR j.indisunique AND NOT i.indisunique OR j.indexrelid OPERATOR(pg_catalog.<) i.indexrelid)
                    ORDER BY j.indexrelid LIMIT 1) o
             WHERE NOT i.condefined AND NOT i.held
             UNION ALL
            SELECT 'advice', i.base, NULL, 'unused index',
                   pg_catalog.format('%s was never used while one of base and children was scanned %s times, since %s; it takes %s', i.relname, s.scans, coalesce(age.since, 'statistics began'), pg_catalog.pg_size_pretty(i.bytes)),
                   pg_catalog.format('DROP INDEX %s', i.indexrelid::regclass)
              FROM i
              JOIN y s ON s.base OPERATOR(pg_catalog.=) i.base
             CROSS JOIN (SELECT (SELECT pg_catalog.format('statistics were reset %s days ago', pg_catalog.round(extract(epoch FROM pg_catalog.now() OPERATOR(pg_catalog.-) d.stats_reset) OPERATOR(pg_catalog./) 86400::numeric, 1))
                                   FROM pg_catalog.pg_stat_database d WHERE d.datname OPERATOR(pg_catalog.=) pg_catalog.current_database() AND d.stats_reset IS NOT NULL) AS since) age
             WHERE i.scans OPERATOR(pg_catalog.=) 0::bigint AND s.scans OPERATOR(pg_catalog.>=) 1000::bigint AND NOT i.indisunique AND NOT i.condefined AND NOT i.held AND NOT i.for_archive
             UNION ALL
            SELECT 'warning', c.base, NULL, 'never analyzed', pg_catalog.format('%s children with rows were never analyzed', pg_catalog.count(*)), pg_catalog.format('ANALYZE %s', c.base)
              FROM c WHERE c.unknown AND c.bytes OPERATOR(pg_catalog.>) 0::bigint
             GROUP BY c.base
             UNION ALL
            SELECT 'warning', r.base, NULL, 'index for archive', pg_catalog.format('no index begins with %s, by which router.archive finds aged rows', pg_catalog.quote_ident(r.column_name::text)),
                   pg_catalog.format('CREATE INDEX ON %s (%I)', r.base, r.column_name)
              FROM r WHERE r.hot IS NOT NULL AND NOT EXISTS (SELECT FROM b WHERE b.base OPERATOR(pg_catalog.=) r.base AND b.for_archive)
             UNION ALL
            SELECT 'warning', c.base, c.child, 'default child', pg_catalog.format('%s in rows that have no child of their own', pg_catalog.pg_size_pretty(c.bytes)), pg_catalog.format('CALL router.redistribute(%s)', r.name)
              FROM c
              JOIN r ON r.base OPERATOR(pg_catalog.=) c.base
             WHERE c.is_default AND c.bytes OPERATOR(pg_catalog.>) 0::bigint AND NOT c.mostly_dead
             UNION ALL
            SELECT CASE WHEN n.upper OPERATOR(pg_catalog.<) pg_catalog.now() THEN 'critical' ELSE 'warning' END, r.base, NULL, 'horizon', pg_catalog.format('the youngest child ends at %s, and rows do not make children (on_missing is %s)', n.upper, r.on_missing),
                   pg_catalog.format('SELECT router.premake(%s)', r.name)
              FROM r
              JOIN n ON n.base OPERATOR(pg_catalog.=) r.base
             WHERE r.on_missing OPERATOR(pg_catalog.<>) 'create' AND n.upper OPERATOR(pg_catalog.<) (pg_catalog.now() OPERATOR(pg_catalog.+) '1 day'::interval)
             UNION ALL
            SELECT 'advice', r.base, NULL, 'dead rows', CASE WHEN r.hot IS NULL THEN pg_catalog.format('%s of no use in the base, which has no rows of its own', pg_catalog.pg_size_pretty(r.bytes))
                                                             ELSE pg_catalog.format('%s dead rows beside %s in the base', r.dead, r.live) END, pg_catalog.format('VACUUM %s', r.base)
              FROM r
             WHERE CASE WHEN r.hot IS NULL THEN r.bytes OPERATOR(pg_catalog.>) 0::bigint ELSE r.dead OPERATOR(pg_catalog.>) (10000::bigint OPERATOR(pg_catalog.+) r.live) END
             UNION ALL
            SELECT 'advice', c.base, c.child, 'dead rows', pg_catalog.format('%s in the default child, mostly of dead rows', pg_catalog.pg_size_pretty(c.bytes)), pg_catalog.format('VACUUM %s', c.child)
              FROM c WHERE c.is_default AND c.bytes OPERATOR(pg_catalog.>) 0::bigint AND c.mostly_dead
             UNION ALL
            SELECT 'warning', t.base, t.child, 'autovacuum', 'autovacuum is off for it', pg_catalog.format('ALTER TABLE %s RESET (autovacuum_enabled)', coalesce(t.child, t.base))
              FROM (SELECT c.base, c.child, c.reloptions FROM c UNION ALL SELECT r.base, NULL, r.reloptions FROM r) t
             WHERE EXISTS (SELECT FROM pg_catalog.unnest(t.reloptions) o WHERE o.o OPERATOR(pg_catalog.~*) '^autovacuum_enabled=(f|n|of|0)')
             UNION ALL
            SELECT 'critical', r.base, NULL, 'triggers', 'not all triggers of router are there and enabled: rows stay in the base', pg_catalog.format('SELECT router.sync(%s)', r.name)
              FROM r
             WHERE 4::bigint OPERATOR(pg_catalog.>) (SELECT pg_catalog.count(*) FROM pg_catalog.pg_trigger t
                     WHERE t.tgrelid OPERATOR(pg_catalog.=) r.base AND NOT t.tgisinternal AND t.tgenabled OPERATOR(pg_catalog.=) 'A'
                       AND t.tgname OPERATOR(pg_catalog.=) ANY (ARRAY['~router_route', '~router_settle', '!router_flush', '~router_move']))
             UNION ALL
            -- values of a unique column that grow as time does
            SELECT 'advice', b.base, NULL, 'seal', pg_catalog.format('a lookup by %I reads each of %s children, though its values lie together in each', o.attname, n.children),
                   pg_catalog.format('SELECT router.set_maintenance(%s, seal => %L)', r.name, ARRAY[o.attname])
              FROM b
              JOIN r ON r.base OPERATOR(pg_catalog.=) b.base AND r.level IS NOT NULL
              JOIN n ON n.base OPERATOR(pg_catalog.=) b.base AND n.children OPERATOR(pg_catalog.>=) 10::bigint
              JOIN pg_catalog.pg_attribute o ON o.attrelid OPERATOR(pg_catalog.=) b.base AND o.attnum OPERATOR(pg_catalog.=) b.indkey[0]
             WHERE b.indisunique AND NOT EXISTS (SELECT FROM router.key_def k WHERE k.base OPERATOR(pg_catalog.=) b.base AND k.attnum OPERATOR(pg_catalog.=) b.indkey[0])
               AND NOT EXISTS (SELECT FROM router.seal_def e WHERE e.base OPERATOR(pg_catalog.=) b.base AND e.attnum OPERATOR(pg_catalog.=) b.indkey[0])
               AND NOT EXISTS (SELECT FROM router.maintain_def m WHERE m.base OPERATOR(pg_catalog.=) b.base AND o.attname OPERATOR(pg_catalog.=) ANY (m.seal))
               AND (SELECT pg_catalog.min(pg_catalog.abs(v.correlation)) OPERATOR(pg_catalog.>) 0.9::real AND pg_catalog.max(v.n_distinct) OPERATOR(pg_catalog.<) '-0.5'::real AND pg_catalog.count(*) OPERATOR(pg_catalog.>=) 10::bigint
                      FROM (SELECT c.child FROM c WHERE c.base OPERATOR(pg_catalog.=) b.base AND c.bytes OPERATOR(pg_catalog.>) 0::bigint ORDER BY c.child::oid DESC LIMIT 20) few
                      JOIN pg_catalog.pg_class w ON w.oid OPERATOR(pg_catalog.=) few.child
                      JOIN pg_catalog.pg_namespace z ON z.oid OPERATOR(pg_catalog.=) w.relnamespace
                      JOIN pg_catalog.pg_stats v ON v.schemaname OPERATOR(pg_catalog.=) z.nspname AND v.tablename OPERATOR(pg_catalog.=) w.relname AND v.attname OPERATOR(pg_catalog.=) o.attname AND NOT v.inherited)
             GROUP BY b.base, o.attname, n.children, r.name
             UNION ALL
            SELECT 'advice', c.base, c.child, 'foreign child', pg_catalog.format('server %I has no connect_timeout: while it is away, a query of the child waits as long as the network does', e.srvname),
                   pg_catalog.format('ALTER SERVER %I OPTIONS (ADD connect_timeout %L)', e.srvname, '10')
              FROM c
              JOIN pg_catalog.pg_foreign_table t ON t.ftrelid OPERATOR(pg_catalog.=) c.child
              JOIN pg_catalog.pg_foreign_server e ON e.oid OPERATOR(pg_catalog.=) t.ftserver
              JOIN pg_catalog.pg_foreign_data_wrapper w ON w.oid OPERATOR(pg_catalog.=) e.srvfdw AND w.fdwname OPERATOR(pg_catalog.=) 'postgres_fdw'
             WHERE NOT EXISTS (SELECT FROM pg_catalog.unnest(e.srvoptions) o WHERE o.o OPERATOR(pg_catalog.~) '^connect_timeout='))
        SELECT f.severity, f.base::regclass, f.child::regclass, f.topic, f.finding, f.remedy
          FROM f
         WHERE doctor.base IS NULL OR 0::bigint OPERATOR(pg_catalog.<=) (SELECT pg_catalog.count(*) FROM router.table_rows(doctor.base))
         ORDER BY pg_catalog.array_position('{critical,warning,advice}'::text[], f.severity), f.base, f.child, f.topic, f.finding;
    END;
COMMENT ON FUNCTION router.doctor(regclass)
    IS 'what is wrong or could be better with a routed table, NULL: with all, and with settings that matter to them, each with its figures and the statement that mends it; no row: nothing was found';

-- ---------------------------------------------------------------- balance

CREATE FUNCTION router.balance(source regclass, column_name name, n integer, exact boolean DEFAULT false, weight name DEFAULT NULL)
    RETURNS TABLE (state text, number integer, members text[], rows bigint, over_mean numeric, moved text[], statement text)
    STABLE LANGUAGE c AS 'MODULE_PATHNAME', 'router_balance';
COMMENT ON FUNCTION router.balance(regclass, name, integer, boolean, name)
    IS 'groups the values of a column into n children of even size, the largest at most 4/3 of the best: groups before and after, and the calls that make them; as few values as can be change their group';

CREATE PROCEDURE router.balance(base regclass, column_name name, n integer, apply boolean, exact boolean DEFAULT false, batch_rows integer DEFAULT 20000,
                                pause interval DEFAULT NULL, lock_timeout interval DEFAULT '1 second')
    LANGUAGE c AS 'MODULE_PATHNAME', 'router_apply_balance';
COMMENT ON PROCEDURE router.balance(regclass, name, integer, boolean, boolean, integer, interval, interval)
    IS 'makes the groups that the function shows, by regroup, while the table is used';

-- ---------------------------------------------------------------- what if

CREATE FUNCTION router.simulate(source regclass, keys router.key[], exact boolean DEFAULT false, sample_rows integer DEFAULT 100000, hot interval DEFAULT NULL)
    RETURNS TABLE (what text, number numeric, value text, detail text)
    STABLE LANGUAGE c AS 'MODULE_PATHNAME', 'router_simulate';
COMMENT ON FUNCTION router.simulate(regclass, router.key[], boolean, integer, interval)
    IS 'which children the rows of a table would have by these keys, from all of them (exact) or a sample: number, rows and bytes, skew, planning, warnings, and the call that makes them';
CREATE FUNCTION router.simulate(source regclass, key router.key, exact boolean DEFAULT false, sample_rows integer DEFAULT 100000, hot interval DEFAULT NULL)
    RETURNS TABLE (what text, number numeric, value text, detail text)
    STABLE LANGUAGE c AS 'MODULE_PATHNAME', 'router_simulate_key';
COMMENT ON FUNCTION router.simulate(regclass, router.key, boolean, integer, interval)
    IS 'the same with one key; see the other simulate';
CREATE FUNCTION router.simulate("values" float8, things float8, properties float8, per_day float8, days float8, step_days float8 DEFAULT NULL,
                                row_bytes float8 DEFAULT 100)
    RETURNS TABLE (what text, number numeric, value text, detail text)
    STABLE LANGUAGE c AS 'MODULE_PATHNAME', 'router_simulate_formula';
COMMENT ON FUNCTION router.simulate(float8, float8, float8, float8, float8, float8, float8)
    IS 'the same by a formula, without rows; see the other simulate';
