-- The checksum does not depend on the order of rows; ids are the sequence's and
-- so not in the input: they must be as many as the rows.
CREATE FUNCTION pg_temp.side(source text, OUT rows bigint, OUT checksum numeric) LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('SELECT count(*), sum(hashtextextended(ROW(residence_id, accommodation_id, read_at, value)::text, 0)::numeric) FROM %s',
                   source) INTO rows, checksum;
END $$;
CREATE FUNCTION pg_temp.number(query text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    n bigint;
BEGIN
    EXECUTE query INTO n;
    RETURN n;
END $$;
CREATE TABLE compare AS
SELECT name AS "table", i.rows AS input_rows, r.rows, i.checksum AS input_checksum, r.checksum,
       (i.rows, i.checksum) = (r.rows, r.checksum) AS same,
       pg_temp.number('SELECT count(DISTINCT id) FROM ' || name) AS ids,
       pg_temp.number('SELECT count(*) FROM ONLY ' || name) AS in_base,
       pg_temp.number(format('SELECT count(*) FROM router.children WHERE base = %L::regclass', name)) AS children
  FROM unnest(ARRAY['consumption', 'temperature', 'humidity']) name,
       pg_temp.side('input.' || name) i, pg_temp.side(name) r;
TABLE compare;
