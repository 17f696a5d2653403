
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
           h.role_settings, h.last_error
      FROM (SELECT r.base, pg_catalog.pg_get_userbyid(b.relowner) AS owner, e.*, a.*, k.*, d.preloaded, d.role_settings,
                   router.is_readable(r.base) AS route_readable,
                   (SELECT pg_catalog.count(*) OPERATOR(pg_catalog.=) 4::bigint FROM pg_catalog.pg_trigger t
                     WHERE t.tgrelid OPERATOR(pg_catalog.=) r.base AND NOT t.tgisinternal AND t.tgenabled OPERATOR(pg_catalog.=) 'A'
                       AND t.tgname OPERATOR(pg_catalog.=) ANY (ARRAY['~router_route', '~router_settle', '!router_flush', '~router_move'])) AS triggers_in_place
              FROM router.routes r
              JOIN pg_catalog.pg_class b ON b.oid OPERATOR(pg_catalog.=) r.base
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
                          CASE WHEN o.overdue IS NOT NULL
                               THEN pg_catalog.round(router.estimated_rows(r.base)::numeric OPERATOR(pg_catalog.*) extract(epoch FROM o.overdue)
                                                     OPERATOR(pg_catalog./) extract(epoch FROM o.overdue OPERATOR(pg_catalog.+) r.hot))::bigint END AS aged_rows
                     FROM (SELECT CASE WHEN r.hot IS NOT NULL
                                       THEN greatest(pg_catalog.now() OPERATOR(pg_catalog.-) r.hot OPERATOR(pg_catalog.-) router.instant_of(r.watermark, r.time_zone), '0'::interval) END AS overdue) o) a
             CROSS JOIN LATERAL (
                   SELECT pg_catalog.sum(CASE WHEN c.state OPERATOR(pg_catalog.=) 'default' THEN coalesce(router.estimated_rows(c.child), 0::bigint) END)::bigint AS default_rows,
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
                     LEFT JOIN router.children c ON c.base OPERATOR(pg_catalog.=) r.base
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
