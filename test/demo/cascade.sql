-- The smallest residence: what is there before and after its deletion.
SELECT residence_id AS smallest FROM accommodation GROUP BY 1 ORDER BY count(*), 1 LIMIT 1 \gset
PREPARE readings AS
SELECT coalesce(code, 'deleted') AS residence, (SELECT count(*) FROM accommodation WHERE residence_id = :smallest) AS accommodations,
       (SELECT count(*) FROM consumption WHERE residence_id = :smallest) AS consumption,
       (SELECT count(*) FROM temperature WHERE residence_id = :smallest) AS temperature,
       (SELECT count(*) FROM humidity WHERE residence_id = :smallest) AS humidity
  FROM (SELECT max(code) AS code FROM residence WHERE id = :smallest) r;
BEGIN;
EXECUTE readings;
DELETE FROM residence WHERE id = :smallest;
EXECUTE readings;
ROLLBACK;
