-- The input of the demo: 121 residences of very uneven size, 13,357
-- accommodations, 30 readings of each kind an accommodation, over three years.
-- All of it comes from hashes, so that each run has the same.
SET client_min_messages = warning;
CREATE EXTENSION router;
CREATE SCHEMA input;

CREATE TABLE residence (
    id   integer PRIMARY KEY,
    code text NOT NULL UNIQUE
);
CREATE TABLE accommodation (
    id           integer PRIMARY KEY,
    residence_id integer NOT NULL REFERENCES residence ON DELETE CASCADE
);
CREATE INDEX ON accommodation (residence_id);

-- ids 25 to 145, the last of them is residence 0023
INSERT INTO residence
SELECT 24 + n, coalesce(odd.code, to_char(n * 71 % 8000 + 24, 'FM0000'))
  FROM generate_series(1, 121) n
  LEFT JOIN (VALUES (3, '360-400'), (11, '531-'), (17, 'FAISANDERIE'), (35, '8401-8402-8403'),
                    (58, '783_6B1'), (90, 'BLD-ROI'), (121, '0023')) odd (n, code) USING (n);

-- sizes fall off with the rank; what rounding leaves over goes to the largest
INSERT INTO accommodation
WITH ranked AS (
    SELECT id, row_number() OVER (ORDER BY hashint4(id), id) AS rank FROM residence
), share AS (
    SELECT id, rank, 1 + floor((13357 - 121) * power(rank + 3, -1.3) / sum(power(rank + 3, -1.3)) OVER ())::int AS size
      FROM ranked
), sized AS (
    SELECT id, size + CASE WHEN rank <= 13357 - sum(size) OVER () THEN 1 ELSE 0 END AS size FROM share
)
SELECT row_number() OVER (ORDER BY hashint8(id * 100000::bigint + n), id, n), id
  FROM sized, generate_series(1, size) n;

-- n is the order of arrival; path is the way by which the row will go in
CREATE FUNCTION pg_temp.make_input(kind text, lowest numeric, spread integer) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format($f$
        CREATE TABLE input.%1$I AS
        SELECT n, residence_id, accommodation_id, read_at, value,
               CASE WHEN n %% 20 = 0 THEN 'orm_bulk' WHEN n %% 200 = 1 THEN 'single_inserts'
                    WHEN n %% 200 = 3 THEN 'orm_save' WHEN n %% 2 = 0 THEN 'copy' ELSE 'insert_select' END AS path
          FROM (SELECT row_number() OVER (ORDER BY read_at, a, k) AS n, residence_id, a AS accommodation_id, read_at,
                       %2$L + round((hashtextextended('%1$s', a * 32 + k) & 65535) / 65536.0 * %3$s, 2) AS value
                  FROM (SELECT id AS a, residence_id, k, timestamptz '2022-01-01 00:00+00' + k * interval '36.5 days'
                               + (hashint8extended(a.id, k) & 2097151) * interval '1.5 seconds' AS read_at
                          FROM accommodation a, generate_series(0, 29) k) readings) numbered
    $f$, kind, lowest, spread);
END $$;
SELECT pg_temp.make_input('consumption', 0, 40), pg_temp.make_input('temperature', 14, 12), pg_temp.make_input('humidity', 25, 50)
\g /dev/null
ANALYZE;
