-- The report of bench/archive: from the tables move, stream and insertion.

CREATE TEMP VIEW median AS
SELECT workload, variant, percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds) AS seconds,
       percentile_cont(0.5) WITHIN GROUP (ORDER BY wal) AS wal
  FROM move GROUP BY 1, 2;

-- How often one is faster than another: median of the rounds, lowest and highest.
CREATE FUNCTION pg_temp.ratio_text(w text, one text, other text) RETURNS text LANGUAGE sql AS $$
    SELECT coalesce(format('**%s** (%s–%s)', trunc((percentile_cont(0.5) WITHIN GROUP (ORDER BY b.seconds / a.seconds))::numeric, 2),
                    trunc(min(b.seconds / a.seconds)::numeric, 2), trunc(max(b.seconds / a.seconds)::numeric, 2)), '')
      FROM move a JOIN move b USING (round, workload) WHERE workload = w AND a.variant = one AND b.variant = other $$;

CREATE TEMP TABLE way (place int, variant text, label text);
INSERT INTO way VALUES (1, 'archive', '`router.archive`'), (2, 'insert_delete', '`INSERT … SELECT`, then `DELETE`'),
                       (3, 'with_delete', '`WITH … DELETE … RETURNING` into `INSERT`'),
                       (4, 'limit', 'limit: `CREATE TABLE AS` and index builds, nothing deleted');

SELECT count(*) > 0 AS any_move, count(*) FILTER (WHERE variant = 'declarative') > 0 AS any_declarative FROM move \gset
SELECT count(*) > 0 AS any_stream FROM stream \gset
SELECT count(*) > 0 AS any_insertion FROM insertion \gset

\if :any_move
\qecho
\qecho '## Moving rows'
\qecho
\qecho 'The median of the rounds. Ratios within a round, of rows a second: their median, lowest and highest.'
\qecho
\qecho '| child | | rows a second | `archive` is so many times as fast | WAL bytes a row |'
\qecho '|---|---|--:|--:|--:|'
SELECT format('| %s | %s | %s | %s | %s |', CASE workload WHEN 'new' THEN 'new' ELSE 'has as many rows' END, label,
              to_char(:rows / seconds, 'FM999,999,999'),
              CASE WHEN variant <> 'archive' THEN pg_temp.ratio_text(workload, 'archive', variant) END, (wal / :rows)::int)
  FROM median JOIN way USING (variant) ORDER BY workload DESC, place;
\endif
\if :any_declarative
\qecho
SELECT format('Detaching a partition of %s rows and attaching it to another table takes %s ms, whatever the number of rows: nothing is moved. '
              || 'It is no alternative where a table keeps a window of rows that is not made of whole partitions, it locks both tables '
              || 'against everybody, and the rows are not to be seen through the first table any more.',
              :rows, (seconds * 1000)::int) FROM median WHERE variant = 'declarative';
\endif
\if :any_stream
\qecho
\qecho '## Inserting into the base meanwhile'
\qecho
SELECT format('Single rows, prepared, %s a second. Microseconds, the median of the rounds; ratio to the quiet value of the same round: median, lowest and highest.', :rate);
\qecho
\qecho '| meanwhile | p50 | p99 | p99 / quiet |'
\qecho '|---|--:|--:|--:|'
SELECT format('| %s | %s | %s | %s |', coalesce(label, 'nothing'), p50, p99,
              CASE WHEN variant <> 'quiet' THEN format('**%s** (%s–%s)', round(middle::numeric, 2), round(low::numeric, 2), round(high::numeric, 2)) END)
  FROM (SELECT s.variant, percentile_cont(0.5) WITHIN GROUP (ORDER BY s.p50)::int AS p50,
               percentile_cont(0.5) WITHIN GROUP (ORDER BY s.p99)::int AS p99,
               percentile_cont(0.5) WITHIN GROUP (ORDER BY s.p99 / q.p99) AS middle, min(s.p99 / q.p99) AS low, max(s.p99 / q.p99) AS high
          FROM stream s JOIN stream q USING (round) WHERE q.variant = 'quiet' GROUP BY 1) s LEFT JOIN way USING (variant)
 ORDER BY place NULLS FIRST;
\endif
\if :any_insertion
\qecho
\qecho '## Inserting into a hot base'
\qecho
\qecho '| | plain table, rows a second | hot base | hot / plain |'
\qecho '|---|--:|--:|--:|'
SELECT format('| %s | %s | %s | %s |', label, to_char(plain, 'FM999,999,999'), to_char(hot, 'FM999,999,999'), ratio)
  FROM (SELECT workload, percentile_cont(0.5) WITHIN GROUP (ORDER BY p.rate) AS plain,
               percentile_cont(0.5) WITHIN GROUP (ORDER BY h.rate) AS hot,
               format('**%s** (%s–%s)', trunc((percentile_cont(0.5) WITHIN GROUP (ORDER BY h.rate / p.rate))::numeric, 2),
                      trunc(min(h.rate / p.rate)::numeric, 2), trunc(max(h.rate / p.rate)::numeric, 2)) AS ratio
          FROM insertion p JOIN insertion h USING (round, workload) WHERE p.variant = 'plain' AND h.variant = 'hot' GROUP BY 1) r
  JOIN (VALUES (1, 'prepared', 'single rows, prepared'), (2, 'select', '`INSERT … SELECT`'), (3, 'copy', '`COPY`')) AS l (place, workload, label)
 USING (workload) ORDER BY place;
\endif

SELECT count(*) > 0 AS any_swap FROM swap \gset
\if :any_swap
\qecho
\qecho '## Swapping storage'
\qecho
\qecho '`router.rotate` against `router.archive`, by the size of the base and how much of it is aged: seconds, and how many times as fast'
\qecho 'the swap is; median of the rounds, lowest and highest.'
\qecho
\qecho '| rows | aged | `archive` | `rotate` | |'
\qecho '|--:|--:|--:|--:|--:|'
SELECT format('| %s | %s %% | %s | %s | **%s** (%s–%s) |', to_char(rows, 'FM999,999,999'), round(share * 100),
              round((percentile_cont(0.5) WITHIN GROUP (ORDER BY a.seconds))::numeric, 2),
              round((percentile_cont(0.5) WITHIN GROUP (ORDER BY s.seconds))::numeric, 2),
              trunc((percentile_cont(0.5) WITHIN GROUP (ORDER BY a.seconds / s.seconds))::numeric, 2),
              trunc(min(a.seconds / s.seconds)::numeric, 2), trunc(max(a.seconds / s.seconds)::numeric, 2))
  FROM swap a JOIN swap s USING (round, rows, share) WHERE a.variant = 'archive' AND s.variant = 'swap' GROUP BY rows, share ORDER BY rows, share;
\endif

SELECT count(*) > 0 AS any_verdict FROM move JOIN stream USING (round) JOIN insertion USING (round) \gset
\if :any_verdict
\qecho
\qecho '## Targets'
\qecho
\qecho '| what | asked | got |'
\qecho '|---|---|--:|'
SELECT format('| new child, against `INSERT … SELECT` and `DELETE` | at least 2 times as fast | %s |', pg_temp.ratio_text('new', 'archive', 'insert_delete'))
UNION ALL SELECT format('| new child, time against the limit | at most 2 times as long | %s |', pg_temp.ratio_text('new', 'limit', 'archive'));
SELECT format('| p99 of inserts meanwhile | at most 1.5 of quiet | **%s** |', round((percentile_cont(0.5) WITHIN GROUP (ORDER BY s.p99 / q.p99))::numeric, 2))
  FROM stream s JOIN stream q USING (round) WHERE q.variant = 'quiet' AND s.variant = 'archive';
SELECT format('| inserting into a hot base | at least 0.97 of plain | %s |',
              string_agg(trunc(ratio::numeric, 2) || ' ' || workload, ', ' ORDER BY workload))
  FROM (SELECT workload, percentile_cont(0.5) WITHIN GROUP (ORDER BY h.rate / p.rate) AS ratio
          FROM insertion p JOIN insertion h USING (round, workload) WHERE p.variant = 'plain' AND h.variant = 'hot' GROUP BY 1) r;
\endif
