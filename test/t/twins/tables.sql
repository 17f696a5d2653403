-- Tables of all sorts: names, schemas, unlogged, temporary, and what a statement does to them (A18).
CREATE TABLE "Upper Case" ("Id" int GENERATED ALWAYS AS IDENTITY, "Key ""k""" int, "select" text, PRIMARY KEY ("Id", "Key ""k"""));
CREATE TABLE "select" ("from" int, "where" date, "table" text, "user" text DEFAULT current_user, UNIQUE ("from", "where"));
CREATE TABLE "a'b;c\d" ("x'y" text, v int);
CREATE TABLE "ünïcödé_täble_wïth_ä_vërÿ_löng_näme_thät_ënds" ("schlüssel" text, "wert" int, PRIMARY KEY ("schlüssel"));
CREATE TABLE t123456789012345678901234567890123456789012345678901234567890ab (c123456789012345678901234567890123456789012345678901234567890ab int, d int);
CREATE UNLOGGED TABLE unlogged (id int, k int, PRIMARY KEY (id, k));
CREATE TABLE wide (k int, c01 int DEFAULT 1, c02 int DEFAULT 2, c03 text DEFAULT 'x', c04 date DEFAULT '2024-01-01', c05 numeric DEFAULT 1.5, c06 bool DEFAULT true, c07 text[] DEFAULT '{a}', c08 point DEFAULT '(1,2)', c09 json DEFAULT '{}', c10 name DEFAULT 'n', c11 "char" DEFAULT 'c', c12 bigint DEFAULT 1, c13 smallint DEFAULT 1, c14 real DEFAULT 1, c15 inet DEFAULT '::1', c16 xid DEFAULT '1', c17 oid DEFAULT 1, c18 tsvector DEFAULT 'a b');
CREATE TABLE comp (a int, b text, c date, d uuid, e bool, v int, PRIMARY KEY (e, d, c, b, a));
\if :routed
SELECT router.create_route('"Upper Case"', router.by_integer('Key "k"', 10)) \g /dev/null
SELECT router.create_route('"select"', ARRAY[router.by_date('where', 'month'), router.by_list('from')]) \g /dev/null
SELECT router.create_route('"a''b;c\d"', router.by_prefix('x''y', 3)) \g /dev/null
SELECT router.create_route('"ünïcödé_täble_wïth_ä_vërÿ_löng_näme_thät_ënds"', router.by_list('schlüssel')) \g /dev/null
SELECT router.create_route('t123456789012345678901234567890123456789012345678901234567890ab', router.by_integer('c123456789012345678901234567890123456789012345678901234567890ab', 10)) \g /dev/null
SELECT router.create_route('unlogged', router.by_integer('k', 10)) \g /dev/null
SELECT router.create_route('wide', router.by_integer('k', 10)) \g /dev/null
SELECT router.create_route('comp', ARRAY[router.by_list('e'), router.by_date('c', 'year'), router.by_hash('d', 3), router.by_integer('a', 100)]) \g /dev/null
\endif

-- # quoted names
INSERT INTO "Upper Case" ("Key ""k""", "select") VALUES (1, 'a'), (11, 'b') RETURNING *;
INSERT INTO "Upper Case" ("Key ""k""") VALUES (1) ON CONFLICT ("Id", "Key ""k""") DO UPDATE SET "select" = "Upper Case"."select" RETURNING "Id", "select";
UPDATE "Upper Case" AS "U" SET "Key ""k""" = "U"."Key ""k""" + 30, "select" = 'moved' RETURNING "U".*;
DELETE FROM "Upper Case" WHERE "Key ""k""" = 31 RETURNING "Id";
COPY "Upper Case" ("Key ""k""", "select") FROM stdin;
5	copied
105	copied
\.
MERGE INTO "Upper Case" t USING (VALUES (105)) s ("K") ON t."Key ""k""" = s."K" WHEN MATCHED THEN UPDATE SET "Key ""k""" = 205;
-- # reserved words
INSERT INTO "select" ("from", "where", "table") VALUES (1, '2024-01-01', 'x'), (2, '2024-01-31', 'y'), (1, '2024-02-01', 'z') RETURNING "from", "where", "table";
INSERT INTO "select" ("from", "where") VALUES (1, '2024-01-01') ON CONFLICT ("where", "from") DO UPDATE SET "table" = excluded."where"::text || "select"."table" RETURNING *;
UPDATE "select" SET "where" = "where" + 90, "from" = "from" + 1 RETURNING *;
DELETE FROM "select" USING "select" AS "from" WHERE "select"."from" = "from"."from" + 1 RETURNING "select".*;
-- # quotes, semicolons, backslashes
INSERT INTO "a'b;c\d" VALUES ('it''s', 1), ('"; DROP TABLE x; --', 2), (E'\\n\n', 3), ('%s%I', 4), ('{1}', 5), ('', 6), (NULL, 7), ('🙂🙂🙂🙂', 8), (' a', 9), ('A', 10), ('null', 11), ('default', 12) RETURNING *;
UPDATE "a'b;c\d" SET "x'y" = "x'y" || '''' RETURNING "x'y";
UPDATE "a'b;c\d" SET "x'y" = reverse("x'y") RETURNING *;
DELETE FROM "a'b;c\d" WHERE "x'y" LIKE '''%' RETURNING v;
-- # accents and long names
INSERT INTO "ünïcödé_täble_wïth_ä_vërÿ_löng_näme_thät_ënds" VALUES ('straße', 1), ('ǅ', 2), (repeat('ä', 100), 3), (repeat('ä', 101), 4), ('日本語', 5) RETURNING *;
INSERT INTO "ünïcödé_täble_wïth_ä_vërÿ_löng_näme_thät_ënds" VALUES ('straße', 1) ON CONFLICT DO NOTHING;
UPDATE "ünïcödé_täble_wïth_ä_vërÿ_löng_näme_thät_ënds" SET "schlüssel" = upper("schlüssel") RETURNING *;
INSERT INTO t123456789012345678901234567890123456789012345678901234567890ab VALUES (1, 1), (11, 11), (1011, 1) RETURNING *;
UPDATE t123456789012345678901234567890123456789012345678901234567890ab SET c123456789012345678901234567890123456789012345678901234567890ab = d + 50 RETURNING d;
-- # unlogged
INSERT INTO unlogged SELECT i, i FROM generate_series(1, 30) i;
UPDATE unlogged SET k = k + 100 WHERE id < 15 RETURNING *;
INSERT INTO unlogged VALUES (1, 101), (2, 2) ON CONFLICT DO NOTHING RETURNING *;
-- # wide rows
INSERT INTO wide (k) VALUES (1), (11), (NULL) RETURNING *;
UPDATE wide SET k = k + 10, c03 = c03 || c10, c08 = c08 * '(2,0)' RETURNING *, wide;
INSERT INTO wide SELECT * FROM wide RETURNING c18;
-- # four levels, a composite key
INSERT INTO comp SELECT i % 5 * 60, 'b' || i, '2020-01-01'::date + i * 50, md5(i::text)::uuid, i % 2 = 0, i FROM generate_series(1, 30) i RETURNING a, b, c, d, e;
INSERT INTO comp SELECT a, b, c, d, e, -1 FROM comp WHERE v < 4 ON CONFLICT (e, d, c, b, a) DO UPDATE SET v = excluded.v RETURNING *;
INSERT INTO comp SELECT a, b, c, d, e, -1 FROM comp ON CONFLICT ON CONSTRAINT comp_pkey DO UPDATE SET e = NOT comp.e, a = comp.a + 500, c = comp.c + 365 RETURNING *;
UPDATE comp SET d = md5(b)::uuid, v = 9 WHERE v = -1 RETURNING *;
UPDATE comp SET e = NULL;
DELETE FROM comp WHERE (a, b) IN (SELECT a, b FROM comp LIMIT 1000) RETURNING v;
-- # temporary
CREATE TEMP TABLE tmp (id int GENERATED ALWAYS AS IDENTITY, k int, v text, UNIQUE (k, id)) ON COMMIT PRESERVE ROWS;
\if :routed
SELECT router.create_route('tmp', router.by_integer('k', 10)) \g /dev/null
\endif
INSERT INTO tmp (k, v) SELECT i, 'tmp' FROM generate_series(1, 25) i;
UPDATE tmp SET k = k + 20 WHERE k % 3 = 0 RETURNING id, k;
DELETE FROM tmp WHERE k > 30 RETURNING id, k;
INSERT INTO tmp (k) SELECT k FROM tmp ORDER BY id ON CONFLICT DO NOTHING;
COPY tmp (k, v) FROM stdin;
1	a
1001	b
\.
SELECT * FROM tmp;
TRUNCATE tmp;
SET client_min_messages = warning;
DROP TABLE IF EXISTS tmp CASCADE;
-- # temporary, on commit drop
SET client_min_messages = warning;
BEGIN;
CREATE TEMP TABLE tmp (k int, v text) ON COMMIT DROP;
\if :routed
SELECT router.create_route('tmp', router.by_integer('k', 10)) \g /dev/null
\endif
INSERT INTO tmp VALUES (1, 'x'), (11, 'y');
SELECT count(*) FROM tmp;
COMMIT;
SELECT count(*) FROM pg_class WHERE relname LIKE 'tmp%' AND relpersistence = 't';
-- # a table made, routed and used in one transaction, and rolled back
BEGIN;
CREATE TABLE young (id int, k int);
\if :routed
SELECT router.create_route('young', router.by_integer('k', 10)) \g /dev/null
\endif
INSERT INTO young VALUES (1, 1), (2, 11);
UPDATE young SET k = k + 10 RETURNING *;
SAVEPOINT s;
TRUNCATE young;
COPY young FROM stdin;
1	5
\.
ROLLBACK TO s;
SELECT * FROM young;
ROLLBACK;
SELECT to_regclass('young');
-- # ALTER TABLE in between
CREATE TABLE alt (id int, k int, v int);
\if :routed
SELECT router.create_route('alt', router.by_integer('k', 10)) \g /dev/null
\endif
PREPARE i AS INSERT INTO alt VALUES ($1, $2, $3) RETURNING *;
PREPARE u AS UPDATE alt SET k = k + $1 RETURNING *;
EXECUTE i (1, 1, 1);
EXECUTE u (10);
ALTER TABLE alt ADD COLUMN w text DEFAULT 'w';
EXECUTE i (2, 2, 2);
EXECUTE u (10);
ALTER TABLE alt ALTER v TYPE numeric(10, 2) USING v + 0.5;
EXECUTE u (10);
INSERT INTO alt VALUES (3, 3, 3, 'x'), (33, 33, 3, 'x') RETURNING *;
ALTER TABLE alt DROP COLUMN v, ADD CONSTRAINT c CHECK (w <> 'bad');
INSERT INTO alt VALUES (4, 4, 'bad');
INSERT INTO alt VALUES (4, 404, 'bad');
UPDATE alt SET w = 'bad', k = 5;
ALTER TABLE alt RENAME COLUMN w TO word;
ALTER TABLE alt RENAME TO altered;
UPDATE altered SET word = word || id, k = k * 2 RETURNING *;
ALTER TABLE altered ALTER k TYPE bigint;
INSERT INTO altered VALUES (5, 3000000000, 'big'), (6, 1, 'small') RETURNING *;
UPDATE altered SET k = k + 3000000000 RETURNING *;
DEALLOCATE ALL;
SET client_min_messages = warning;
DROP TABLE altered CASCADE;
