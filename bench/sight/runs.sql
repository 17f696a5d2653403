-- What maintenance did, in all tables.
\pset format unaligned
\pset tuples_only on
\qecho '<section><h2>Maintenance</h2><figure><h3>Rows archived</h3>'
\qecho :mark 'archive No archive run is noted.'
\set file :dir '/archive.tsv'
\o :file
SELECT extract(epoch FROM at)::bigint, rows FROM router.events WHERE action IN ('archive', 'rotate') AND state = 'done' AND at > now() - interval '90 days' ORDER BY at;
\o
\pset tuples_only off
\pset format html
\qecho '<details><summary>Figures</summary>'
SELECT at::timestamp(0) AS "at", base_name AS "table", action, rows FROM router.events WHERE action IN ('archive', 'rotate') AND state = 'done' AND at > now() - interval '90 days' ORDER BY at DESC LIMIT 200;
\qecho '</details></figure>'
\pset format unaligned
\pset tuples_only on
\qecho '<figure><h3>Runs</h3><ul class="legend"><li class="c21">done</li><li class="c22">failed</li></ul>'
\qecho :mark 'runs No run is noted.'
\set file :dir '/runs.tsv'
\o :file
SELECT extract(epoch FROM e.at)::bigint, a.n, CASE WHEN e.state IN ('failed', 'interrupted') THEN 1 ELSE 0 END, translate(left(e.action, 20), E'\t\n\r"', '   ''')
  FROM router.events e JOIN (SELECT action, row_number() OVER (ORDER BY action DESC) AS n FROM (SELECT DISTINCT action FROM router.events WHERE at > now() - interval '90 days') d) a USING (action)
 WHERE e.at > now() - interval '90 days' ORDER BY e.at;
\o
\pset tuples_only off
\pset format html
\qecho '<details><summary>Figures</summary>'
SELECT base_name AS "table", action, count(*) AS runs, count(*) FILTER (WHERE state IN ('failed', 'interrupted')) AS failed, sum(rows) AS "rows or children", max(at)::timestamp(0) AS "last"
  FROM router.events WHERE at > now() - interval '90 days' GROUP BY 1, 2 ORDER BY 1, 2 LIMIT 500;
\qecho '</details></figure><h3>What failed last</h3>'
\pset tableattr 'class=wrap'
SELECT at::timestamp(0) AS "at", base_name AS "table", action, state, sqlstate AS "SQLSTATE", concat_ws(E'\n', error, detail) AS error FROM router.events WHERE state IN ('failed', 'interrupted') ORDER BY at DESC LIMIT 20;
\qecho '</section>'
