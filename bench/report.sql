-- bench/report.sql: the report of bench/insert, in markdown.
--
-- Reads result (a figure for each round, children, workload, variant),
-- cache_result (a line for each session of the route cache measurement).
-- Ratios are taken within a round, where both variants met the same machine;
-- what is shown is their median, and the lowest and highest round.

CREATE TEMP TABLE workload AS
SELECT * FROM (VALUES
    (1, 'simple1',     'single-row INSERT, simple protocol, 1 client', NULL, NULL),
    (2, 'prepared1',   'single-row INSERT, prepared, 1 client', 'single', 1.0),
    (3, 'simple4',     'single-row INSERT, simple protocol, 4 clients', NULL, NULL),
    (4, 'prepared4',   'single-row INSERT, prepared, 4 clients', 'single', 1.0),
    (5, 'values',      'INSERT of 1,000-row VALUES', 'bulk', 1.2),
    (6, 'select',      'INSERT … SELECT', 'bulk', 1.2),
    (7, 'select_bare', 'INSERT … SELECT, no index', 'bulk', 1.2),
    (8, 'copy',        'COPY', 'copy', 1.0),
    (9, 'copy_bare',   'COPY, no index', 'copy', 1.0)
) AS w (place, workload, label, target, asked);

CREATE TEMP VIEW median AS
SELECT workload, children, variant, percentile_cont(0.5) WITHIN GROUP (ORDER BY rate) AS rate
  FROM result GROUP BY 1, 2, 3;

CREATE TEMP VIEW ratio AS
SELECT workload, children, a.variant AS of, b.variant AS against,
       (percentile_cont(0.5) WITHIN GROUP (ORDER BY a.rate / b.rate))::numeric AS ratio,
       min(a.rate / b.rate)::numeric AS lowest, max(a.rate / b.rate)::numeric AS highest
  FROM result a JOIN result b USING (workload, children, round)
 WHERE a.variant <> b.variant
 GROUP BY 1, 2, 3, 4;

-- Figures as the report prints them; ratios are cut, not rounded, so that a
-- printed 1.00 has reached 1.00.
CREATE FUNCTION pg_temp.rate_text(float) RETURNS text IMMUTABLE LANGUAGE sql
    RETURN coalesce(to_char($1, 'FM999,999,999'), '');
CREATE FUNCTION pg_temp.ratio_text(workload text, children int, of text, against text) RETURNS text STABLE LANGUAGE sql AS $$
    SELECT format('**%s** (%s–%s)', trunc(r.ratio, 2), trunc(r.lowest, 2), trunc(r.highest, 2))
      FROM ratio r
     WHERE r.workload = $1 AND r.children = $2 AND r.of = $3 AND r.against = $4 $$;

\qecho
\qecho '## Rows a second'
\qecho
\qecho '| workload | children | plain | declarative | PL/pgSQL | router | router, not preloaded |'
\qecho '|---|--:|--:|--:|--:|--:|--:|'
SELECT format('| %s | %s | %s | %s | %s | %s | %s |', label, children,
              pg_temp.rate_text(max(rate) FILTER (WHERE variant = 'plain')),
              pg_temp.rate_text(max(rate) FILTER (WHERE variant = 'declarative')),
              pg_temp.rate_text(max(rate) FILTER (WHERE variant = 'plpgsql')),
              pg_temp.rate_text(max(rate) FILTER (WHERE variant = 'router')),
              pg_temp.rate_text(max(rate) FILTER (WHERE variant = 'trigger')))
  FROM median JOIN workload USING (workload)
 GROUP BY place, label, children ORDER BY place, children;

\qecho
\qecho '## Ratios'
\qecho
\qecho 'Above 1: the first of the two is faster. The median of the rounds, and the lowest and highest.'
\qecho
\qecho '| workload | children | router / declarative | router / plain | router / PL/pgSQL | not preloaded / declarative | plain / declarative |'
\qecho '|---|--:|--:|--:|--:|--:|--:|'
SELECT format('| %s | %s | %s | %s | %s | %s | %s |', label, children,
              pg_temp.ratio_text(workload, children, 'router', 'declarative'),
              pg_temp.ratio_text(workload, children, 'router', 'plain'),
              pg_temp.ratio_text(workload, children, 'router', 'plpgsql'),
              pg_temp.ratio_text(workload, children, 'trigger', 'declarative'),
              pg_temp.ratio_text(workload, children, 'plain', 'declarative'))
  FROM (SELECT DISTINCT workload, children FROM ratio) r JOIN workload USING (workload)
 ORDER BY place, children;

CREATE TEMP VIEW cache_median AS
SELECT variant, children,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY first_ms) AS first_ms,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY second_ms) AS second_ms,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY grown) AS grown,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY router_bytes) AS router_bytes
  FROM cache_result GROUP BY 1, 2;

\qecho
\qecho '## What many children cost a session'
\qecho
\qecho 'Medians; all memory contexts of the backend before and after its first INSERT into the table.'
\qecho
\qecho '| variant | children | first INSERT, ms | second INSERT, ms | backend grows by, kB | of it router''s contexts, kB |'
\qecho '|---|--:|--:|--:|--:|--:|'
SELECT format('| %s | %s | %s | %s | %s | %s |', variant, children, first_ms::numeric(10, 2),
              second_ms::numeric(10, 2), (grown / 1024)::numeric(10, 0), (router_bytes / 1024)::numeric(10, 0))
  FROM cache_median ORDER BY variant, children;

-- What the many children cost beyond the 10 of the same variant.
CREATE TEMP VIEW cache_cost AS
SELECT variant, many.children,
       (many.first_ms - few.first_ms)::numeric AS ms,
       (greatest(many.grown - few.grown, many.router_bytes) / 1048576)::numeric AS mb
  FROM cache_median many JOIN cache_median few USING (variant)
 WHERE few.children = 10 AND many.children > 10;

CREATE TEMP TABLE verdict AS
SELECT 1 AS part, place, label || ' against declarative' AS what, 'at least ' || asked AS asked,
       string_agg(format('%s at %s', trunc(ratio, 2), children), ', ' ORDER BY children) AS got,
       count(*) FILTER (WHERE ratio < asked) AS missed, count(*) AS cases
  FROM ratio JOIN workload USING (workload)
 WHERE of = 'router' AND against = 'declarative' AND target IS NOT NULL
 GROUP BY place, label, asked
UNION ALL
SELECT 2, place, label || ' against PL/pgSQL', 'at least 5',
       string_agg(format('%s at %s', trunc(ratio, 1), children), ', ' ORDER BY children),
       count(*) FILTER (WHERE ratio < 5), count(*)
  FROM ratio JOIN workload USING (workload)
 WHERE of = 'router' AND against = 'plpgsql' AND workload IN ('select', 'copy')
 GROUP BY place, label
UNION ALL
SELECT 3, 1, format('memory of a route of %s children', children), 'less than 2 MB',
       format('%s MB', mb::numeric(10, 2)), (mb >= 2)::int, 1
  FROM cache_cost WHERE variant = 'router'
UNION ALL
SELECT 3, 2, format('cache build of a route of %s children', children), 'less than 20 ms',
       format('%s ms', ms::numeric(10, 2)), (ms >= 20)::int, 1
  FROM cache_cost WHERE variant = 'router';

SELECT count(*) > 0 AS any_verdict FROM verdict \gset
\if :any_verdict
\qecho
\qecho '## Targets'
\qecho
\qecho '| what | asked | got (at so many children) | |'
\qecho '|---|---|---|---|'
SELECT format('| %s | %s | %s | %s |', what, asked, got,
              CASE WHEN missed = 0 THEN 'reached'
                   WHEN missed < cases THEN format('**not at %s of %s**', missed, cases)
                   ELSE '**not reached**' END)
  FROM verdict ORDER BY part, place;
\endif
