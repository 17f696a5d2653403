-- A bar for each of the largest children of :base; the rest in a line.
WITH children AS (
    SELECT tableoid::regclass::text AS child, count(*) AS rows FROM :base GROUP BY 1
), ranked AS (
    SELECT *, row_number() OVER (ORDER BY rows DESC, child) AS rank, count(*) OVER () AS n, max(rows) OVER () AS most FROM children
)
SELECT child AS :"base", rows, repeat('█', greatest(1, round(40.0 * rows / most)::int)) AS bar
  FROM (SELECT rank, child, rows, most FROM ranked WHERE rank <= 12
        UNION ALL
        SELECT 13, format('and %s more, %s to %s rows each', count(*), min(rows), max(rows)), sum(rows), NULL
          FROM ranked WHERE rank > 12 HAVING count(*) > 0) lines
 ORDER BY rank;
