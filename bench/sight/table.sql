-- The section of one routed table, :base, the :n-th of the page, and the files of its plots.
\pset format unaligned
\pset tuples_only on
SELECT format('<section class="table" id="table-%s"><h2>%s</h2><p class="keys">%s</p>', :n, :e base :f, :e array_to_string(keys, ' · ') || coalesce(' · hot for ' || hot, '') :f)
  FROM router.routes WHERE base = :base::regclass;

-- ------------------------------------------------------------------ sizes
SELECT concat('<figure><h3>Size of each child</h3><ul class="legend"><li class="c17">table</li><li class="c18">indexes</li><li class="c19">TOAST</li>',
              CASE WHEN r.hot IS NOT NULL THEN '<li class="c20">hot base</li>' END, CASE WHEN r.children > 60 THEN format('<li class="c0">%s neighbours a bar</li>', ceil((r.children + (r.hot IS NOT NULL)::int) / 60.0)) END, '</ul>')
  FROM router.routes r WHERE r.base = :base::regclass;
SELECT format('%s sizes-%s No child yet, or nothing in them.', :'mark', :n);
-- neighbours share a bar where there are more than 60
\set shown 'SELECT s.*, (n - 1) / ceil(count(*) OVER () / 60.0)::int AS bar, CASE WHEN s.lower IS NOT NULL OR s.upper IS NOT NULL THEN concat(CASE WHEN members IS NOT NULL THEN array_to_string(members, '','', ''null'') || '' '' END, CASE WHEN s.lower IS NULL THEN ''to '' || s.upper ELSE s.lower END) WHEN members IS NOT NULL THEN array_to_string(members, '', '', ''null'') ELSE coalesce((SELECT array_to_string(bounds, '' '') FROM router.child_def d WHERE d.child = s.child), ''hot'') END AS label FROM router.statistics(:base::regclass) WITH ORDINALITY AS s(child, state, rows, estimated, bytes, table_bytes, index_bytes, toast_bytes, lower, upper, members, last_write, rows_a_day, bytes_a_day, n)'
\set file :dir '/sizes-' :n '.tsv'
\pset fieldsep_zero off
\pset fieldsep '\t'
\o :file
SELECT left(translate(regexp_replace((array_agg(CASE state WHEN 'hot' THEN 'hot' ELSE label END ORDER BY n))[1], ' 00:00:00\S*', ''), E'\t\n\r"', '   '''), 24),
       coalesce(sum(table_bytes) FILTER (WHERE state <> 'hot'), 0), coalesce(sum(index_bytes) FILTER (WHERE state <> 'hot'), 0), coalesce(sum(toast_bytes) FILTER (WHERE state <> 'hot'), 0), coalesce(sum(bytes) FILTER (WHERE state = 'hot'), 0)
  FROM (:shown) x GROUP BY bar ORDER BY bar;
\o
\pset tuples_only off
\pset format html
\qecho '<details><summary>Figures</summary>'
SELECT child, state, rows, pg_size_pretty(bytes) AS size, pg_size_pretty(table_bytes) AS "table", pg_size_pretty(index_bytes) AS indexes, pg_size_pretty(toast_bytes) AS "TOAST",
       regexp_replace(lower, ' 00:00:00\S*', '') AS "from", regexp_replace(upper, ' 00:00:00\S*', '') AS "to", members AS "values", last_write::timestamp(0) AS "last write", rows_a_day AS "rows a day", pg_size_pretty(bytes_a_day) AS "size a day"
  FROM router.statistics(:base::regclass) LIMIT 1000;
\qecho '</details></figure>'

-- ------------------------------------------------------------------ growth
\pset format unaligned
\pset tuples_only on
\qecho '<div class="pair"><figure><h3>Size over time</h3>'
SELECT format('%s growth-%s No snapshot yet with anything in it: router.maintain takes one a day.', :'mark', :n);
\set file :dir '/growth-' :n '.tsv'
\o :file
SELECT extract(epoch FROM at)::bigint, bytes FROM router.growth WHERE base = :base::regclass AND child IS NULL ORDER BY at;
\o
\pset tuples_only off
\pset format html
\qecho '<details><summary>Figures</summary>'
SELECT at::timestamp(0) AS "snapshot", rows, pg_size_pretty(bytes) AS size, inserted, updated, deleted FROM router.growth WHERE base = :base::regclass AND child IS NULL ORDER BY at DESC LIMIT 100;
\qecho '</details></figure>'

-- ------------------------------------------------------------------ inserts
-- a row that archive moves counts as inserted once more
\set rate 'SELECT g.at, greatest(g.inserted - coalesce((SELECT sum(e.rows) FROM router.events e WHERE e.base = g.base::oid AND e.action = ''archive'' AND e.at > g.since AND e.at <= g.at), 0), 0) / (extract(epoch FROM g.at - g.since) / 86400) AS rows_a_day FROM (SELECT base, at, inserted, lag(at) OVER (ORDER BY at) AS since FROM router.growth WHERE base = :base::regclass AND child IS NULL) g WHERE g.inserted IS NOT NULL AND g.at > g.since'
\pset format unaligned
\pset tuples_only on
\qecho '<figure><h3>Rows inserted a day</h3>'
SELECT format('%s inserts-%s No rows between two snapshots yet: router.maintain takes one a day.', :'mark', :n);
\set file :dir '/inserts-' :n '.tsv'
\o :file
SELECT extract(epoch FROM at)::bigint, round(rows_a_day, 1) FROM (:rate) r ORDER BY at;
\o
\pset tuples_only off
\pset format html
\qecho '<details><summary>Figures</summary>'
SELECT at::timestamp(0) AS "until", round(rows_a_day, 1) AS "rows inserted a day" FROM (:rate) r ORDER BY at DESC LIMIT 100;
\qecho '</details></figure></div>'

-- ------------------------------------------------------------------ skew
\pset format unaligned
\pset tuples_only on
\qecho '<figure class="skew"><h3>How even the children are</h3><ul class="legend"><li class="c17">share of the bytes</li><li class="c2">all alike</li></ul>'
SELECT format('%s skew-%s There are no two children yet, or nothing in them.', :'mark', :n);
\set file :dir '/skew-' :n '.tsv'
\o :file
SELECT 0, 0 UNION ALL
SELECT s.children, s.bytes
  FROM (SELECT 100.0 * row_number() OVER w / count(*) OVER () AS children, 100.0 * sum(bytes) OVER w / nullif(sum(bytes) OVER (), 0) AS bytes, count(*) OVER () AS n
          FROM router.statistics(:base::regclass) WHERE state <> 'hot' WINDOW w AS (ORDER BY bytes, child::oid ROWS UNBOUNDED PRECEDING)) s WHERE n > 1 AND s.bytes IS NOT NULL ORDER BY 1;
\o
\pset tuples_only off
\pset format html
SELECT v.measure AS " ", max(v.told) FILTER (WHERE of = 'bytes') AS bytes, max(v.told) FILTER (WHERE of = 'rows') AS rows
  FROM router.skew(:base::regclass) s,
       LATERAL (VALUES (1, 'children', s.children::text), (2, 'mean', CASE s.of WHEN 'bytes' THEN pg_size_pretty(round(s.mean)) ELSE round(s.mean)::text END),
                       (3, 'median', CASE s.of WHEN 'bytes' THEN pg_size_pretty(round(s.median)) ELSE round(s.median)::text END),
                       (4, 'largest', CASE s.of WHEN 'bytes' THEN pg_size_pretty(s.largest) ELSE s.largest::text END), (5, 'largest child', s.largest_child::text),
                       (6, 'largest over mean', s.over_mean::text), (7, 'variation', s.variation::text), (8, 'Gini', s.gini::text)) v(place, measure, told)
 GROUP BY v.place, v.measure ORDER BY v.place;
\qecho '</figure></section>'
