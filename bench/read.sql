-- bench/read.sql: the report of bench/read, in markdown.
--
-- Reads result (microseconds of a transaction, for each round, children,
-- workload, protocol, variant), planning (ms), instructions (a query).
-- Ratios are speeds, taken within a round, where both variants met the same
-- machine; what is shown is their median, and the lowest and highest round.

CREATE TEMP TABLE workload AS
SELECT * FROM (VALUES
    (1, 'lookup', 'key lookup'),
    (2, 'range', 'range over 4 children'),
    (3, 'join', 'join with the dimension'),
    (4, 'loop', 'nested loop, 5 outer rows'),
    (5, 'update', 'UPDATE by key'),
    (6, 'delete', 'DELETE by key, rolled back'),
    (7, 'lock', 'SELECT … FOR UPDATE'),
    (8, 'list', 'key lookup, list'),
    (9, 'list_range', 'range over 4 children, list'),
    (10, 'id', 'lookup without the key, all children'),
    (11, 'sealed', 'lookup by a sealed id'),
    (12, 'group', 'GROUP BY over all'),
    (13, 'generic', 'key lookup, generic plan'),
    (14, 'generic_range', 'range over 4, generic plan'),
    (15, 'generic_update', 'UPDATE by key, generic plan'),
    (16, 'only', 'ONLY the hot base'),
    (17, 'fresh', 'hot: fresh rows, constant'),
    (18, 'fresh_now', 'hot: fresh rows, now()'),
    (19, 'old', 'hot: an old day'),
    (20, 'first', 'first query of a session')
) AS w (place, workload, label);

CREATE TEMP VIEW median AS
SELECT workload, protocol, children, variant, percentile_cont(0.5) WITHIN GROUP (ORDER BY cpu) AS cpu,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY clock) AS clock
  FROM result GROUP BY 1, 2, 3, 4;

CREATE TEMP VIEW ratio AS
SELECT workload, protocol, children, o.variant AS against,
       (percentile_cont(0.5) WITHIN GROUP (ORDER BY o.cpu / r.cpu))::numeric AS cpu,
       min(o.cpu / r.cpu)::numeric AS lowest, max(o.cpu / r.cpu)::numeric AS highest,
       (percentile_cont(0.5) WITHIN GROUP (ORDER BY o.clock / r.clock))::numeric AS clock
  FROM result r JOIN result o USING (workload, protocol, children, round)
 WHERE r.variant = 'router' AND o.variant <> 'router'
 GROUP BY 1, 2, 3, 4;

-- Ratios are cut, not rounded, so that a printed 1.00 has reached 1.00.
CREATE FUNCTION pg_temp.ratio_text(workload text, protocol text, children int, against text) RETURNS text STABLE LANGUAGE sql AS $$
    SELECT format('**%s** (%s–%s)', trunc(r.cpu, 2), trunc(r.lowest, 2), trunc(r.highest, 2))
      FROM ratio r
     WHERE (r.workload, r.protocol, r.children, r.against) = ($1, $2, $3, $4) $$;
CREATE FUNCTION pg_temp.clock_text(workload text, protocol text, children int, against text) RETURNS text STABLE LANGUAGE sql AS $$
    SELECT trunc(r.clock, 2)::text
      FROM ratio r WHERE (r.workload, r.protocol, r.children, r.against) = ($1, $2, $3, $4) $$;
CREATE FUNCTION pg_temp.us_text(float) RETURNS text IMMUTABLE LANGUAGE sql
    RETURN coalesce(to_char($1, CASE WHEN $1 < 1000 THEN 'FM990.0' ELSE 'FM999,999,999' END), '');

\qecho
\qecho '## Targets'
\qecho
\qecho 'Against declarative, by processor time: at least 0.95 at 10 children, at least 1.0 at 1,000 and more. Medians of the rounds.'
\qecho
\qecho '| workload | protocol | router / declarative | |'
\qecho '|---|---|---|---|'
SELECT format('| %s | %s | %s | %s |', label, protocol,
              string_agg(format('%s at %s', trunc(cpu, 2), to_char(children, 'FM9,999')), ', ' ORDER BY children),
              CASE count(*) FILTER (WHERE cpu < asked)
                   WHEN 0 THEN 'reached'
                   ELSE '**not reached at '
                        || string_agg(to_char(children, 'FM9,999'), ', ' ORDER BY children) FILTER (WHERE cpu < asked)
                        || '**' END)
  FROM ratio JOIN workload USING (workload),
       LATERAL (SELECT CASE WHEN children < 100 THEN 0.95 WHEN children >= 1000 THEN 1.0 END AS asked) a
 WHERE against = 'declarative'
 GROUP BY place, label, protocol ORDER BY place, protocol DESC;
SELECT format('| %s against core inheritance, at least 100 at 1,000 | %s | %s | %s |', label, protocol, trunc(cpu, 1),
              CASE WHEN cpu >= 100 THEN 'reached' ELSE '**not reached**' END)
  FROM ratio JOIN workload USING (workload)
 WHERE against = 'inherit' AND children = 1000 AND workload IN ('lookup')
 ORDER BY place, protocol DESC;

\qecho
\qecho '## Microseconds a transaction'
\qecho
\qecho 'Processor time of the backend; medians of the rounds.'
\qecho
\qecho '| workload | protocol | children | one table | declarative | core inheritance | router |'
\qecho '|---|---|--:|--:|--:|--:|--:|'
SELECT format('| %s | %s | %s | %s | %s | %s | %s |', label, protocol, children,
              pg_temp.us_text(max(cpu) FILTER (WHERE variant = 'plain')),
              pg_temp.us_text(max(cpu) FILTER (WHERE variant = 'declarative')),
              pg_temp.us_text(max(cpu) FILTER (WHERE variant = 'inherit')),
              pg_temp.us_text(max(cpu) FILTER (WHERE variant = 'router')))
  FROM median JOIN workload USING (workload)
 GROUP BY place, label, protocol, children ORDER BY place, protocol DESC, children;

\qecho
\qecho '## Ratios'
\qecho
\qecho 'Above 1: router is faster. By processor time the median, lowest and highest round; by the clock the median.'
\qecho
\qecho '| workload | protocol | children | router / declarative | by the clock | router / one table | router / core inheritance |'
\qecho '|---|---|--:|--:|--:|--:|--:|'
SELECT format('| %s | %s | %s | %s | %s | %s | %s |', label, protocol, children,
              pg_temp.ratio_text(workload, protocol, children, 'declarative'),
              pg_temp.clock_text(workload, protocol, children, 'declarative'),
              pg_temp.ratio_text(workload, protocol, children, 'plain'),
              pg_temp.ratio_text(workload, protocol, children, 'inherit'))
  FROM (SELECT DISTINCT workload, protocol, children FROM ratio) r JOIN workload USING (workload)
 ORDER BY place, protocol DESC, children;

\qecho
\qecho '## Planning alone'
\qecho
\qecho 'Milliseconds by `EXPLAIN (SUMMARY)`, the median of many in one session.'
\qecho
\qecho '| query | children | one table | declarative | core inheritance | router |'
\qecho '|---|--:|--:|--:|--:|--:|'
SELECT format('| %s | %s | %s | %s | %s | %s |', label, children,
              max(ms::numeric(10, 3)) FILTER (WHERE variant = 'plain'),
              max(ms::numeric(10, 3)) FILTER (WHERE variant = 'declarative'),
              max(ms::numeric(10, 3)) FILTER (WHERE variant = 'inherit'),
              max(ms::numeric(10, 3)) FILTER (WHERE variant = 'router'))
  FROM planning JOIN workload USING (workload)
 GROUP BY place, label, children ORDER BY place, children;

SELECT count(*) > 0 AS counted FROM instructions \gset
\if :counted
\qecho
\qecho '## Instructions a query'
\qecho
\qecho 'Counted by callgrind in a stand-alone backend, where no other process disturbs; parsing and sending rows are in it.'
\qecho
\qecho '| query | protocol | children | declarative | router | declarative / router |'
\qecho '|---|---|--:|--:|--:|--:|'
SELECT format('| %s | %s | %s | %s | %s | **%s** |', label, CASE protocol WHEN 'prepared' THEN 'EXECUTE' ELSE 'simple' END,
              children, to_char(d.count, 'FM999,999,999'), to_char(r.count, 'FM999,999,999'),
              trunc(d.count::numeric / r.count, 2))
  FROM instructions r JOIN instructions d USING (children, workload, protocol) JOIN workload USING (workload)
 WHERE r.variant = 'router' AND d.variant = 'declarative'
 ORDER BY place, protocol DESC, children;
\endif
