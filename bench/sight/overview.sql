-- The head of the page: what there is in all, and a row for each routed table.
-- :e and :f around a value make it text of HTML.
\set e 'pg_catalog.replace(pg_catalog.replace(pg_catalog.replace(pg_catalog.replace(pg_catalog.translate(('
\set f ')::text, E''\\n\\r\\t'', ''   ''), ''&'', ''&amp;''), ''<'', ''&lt;''), ''>'', ''&gt;''), ''"'', ''&quot;'')'
\pset null '–'
\pset footer off
\pset tableattr 'class=data'
SELECT EXISTS (SELECT FROM pg_proc WHERE pronamespace = 'router'::regnamespace AND proname = 'doctor') AS has_doctor \gset

\pset format unaligned
\pset tuples_only on
SELECT format('<header><p class="over">router</p><h1>Routed tables of %s</h1><p class="when">%s · PostgreSQL %s · router %s · as %s</p></header>', :e current_database() :f,
              to_char(now(), 'YYYY-MM-DD HH24:MI TZ'), current_setting('server_version'), (SELECT extversion FROM pg_extension WHERE extname = 'router'), :e current_user :f);
SELECT format('<dl class="cards"><div><dt>Routed tables</dt><dd>%s</dd></div><div><dt>Children</dt><dd>%s</dd></div><div><dt>Rows, estimated</dt><dd>%s</dd></div><div><dt>On disk</dt><dd>%s</dd></div>'
              '<div><dt>Growth a day</dt><dd>%s</dd></div><div class="%s"><dt>Failures in 7 days</dt><dd>%s</dd></div></dl>',
              count(*), coalesce(sum(children), 0), coalesce(to_char(sum(rows), 'FM999,999,999,999,999'), '–'), pg_size_pretty(coalesce(sum(bytes), 0)),
              coalesce((SELECT pg_size_pretty(sum(d)) FROM (SELECT (max(bytes) - min(bytes)) / nullif(extract(epoch FROM max(at) - min(at)) / 86400, 0) AS d
                          FROM router.growth WHERE child IS NULL AND at > now() - interval '30 days' GROUP BY base) g), '–'),
              CASE WHEN (SELECT count(*) FROM router.events WHERE state IN ('failed', 'interrupted') AND at > now() - interval '7 days') > 0 THEN 'bad' ELSE 'good' END,
              (SELECT count(*) FROM router.events WHERE state IN ('failed', 'interrupted') AND at > now() - interval '7 days'))
  FROM router.tables;
SELECT '<section><h2>Tables</h2>';
\pset tuples_only off
\pset format html
SELECT t.base AS "table", array_to_string(t.keys, ', ') AS keys, t.children, t.rows, pg_size_pretty(t.bytes) AS size, regexp_replace(t.oldest, ' 00:00:00\S*', '') AS "from", regexp_replace(t.newest, ' 00:00:00\S*', '') AS "to",
       t.hot, left(r.watermark, 16) AS watermark,
       CASE t.default_filled WHEN true THEN 'has rows' WHEN false THEN 'empty' END AS "default child"
  FROM router.tables t JOIN router.routes r USING (base) ORDER BY t.bytes DESC NULLS LAST, t.base::oid;
\pset format unaligned
\pset tuples_only on
SELECT '</section><section><h2>Health</h2>';
\pset tuples_only off
\pset format html
SELECT base AS "table", coalesce('✗ ' || nullif(array_to_string(problems, ', '), ''), '✓ well') AS health, last_maintain::timestamp(0) AS "last run", last_maintain_state AS "result", running AS "at work",
       aged_rows AS "rows to archive", default_rows AS "in the default child", children_to_come AS "children to come", retention_due AS "to retire", last_error AS "last error"
  FROM router.health ORDER BY base::text COLLATE "C";
\pset format unaligned
\pset tuples_only on
SELECT '</section>';
\if :has_doctor
SELECT '<section><h2>Findings</h2>';
\pset tuples_only off
\pset format html
\pset tableattr 'class=wrap'
SELECT * FROM router.doctor();
\pset tableattr 'class=data'
\pset format unaligned
\pset tuples_only on
SELECT '</section>';
\endif
