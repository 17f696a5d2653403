-- Every kind of statement as the first of its session, on tables whose layout is not that of their children, with triggers of
-- every kind: what core builds at a statement's first row has to outlive that row.
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    olds text;
    news text;
BEGIN
    IF TG_LEVEL = 'STATEMENT' AND TG_WHEN = 'AFTER' THEN
        IF TG_OP <> 'INSERT' THEN
            SELECT string_agg(o::text, ' ' ORDER BY o::text) INTO olds FROM olds o;
        END IF;
        IF TG_OP <> 'DELETE' THEN
            SELECT string_agg(n::text, ' ' ORDER BY n::text) INTO news FROM news n;
        END IF;
        RAISE NOTICE '% % old % new %', TG_NAME, TG_OP, olds, news;
        RETURN NULL;
    END IF;
    IF TG_LEVEL = 'ROW' AND TG_WHEN = 'BEFORE' AND TG_OP <> 'DELETE' THEN
        NEW.v := NEW.v + 1;
    END IF;
    RAISE NOTICE '% % % % %', TG_NAME, TG_WHEN, TG_OP, CASE WHEN TG_LEVEL = 'ROW' AND TG_OP <> 'INSERT' THEN OLD END, CASE WHEN TG_LEVEL = 'ROW' AND TG_OP <> 'DELETE' THEN NEW END;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END $$;
CREATE TABLE parent (v int PRIMARY KEY);
-- q: statement triggers only; n: of rows, too; p: none
CREATE TABLE q (gone int, id int, k int, v int DEFAULT 5, gone2 text, g int GENERATED ALWAYS AS (v * 10) STORED, txt text DEFAULT 'none', PRIMARY KEY (id, k), CHECK (v < 1000));
ALTER TABLE q DROP gone, DROP gone2;
CREATE TABLE n (LIKE q INCLUDING ALL);
CREATE TABLE p (gone int, id int, k int, v int DEFAULT 5 REFERENCES parent, txt text, PRIMARY KEY (id, k), UNIQUE (k, v));
ALTER TABLE p DROP gone;
ALTER TABLE n ADD gone int DEFAULT 3;
ALTER TABLE n DROP gone;
CREATE VIEW w AS SELECT * FROM q WHERE v < 100 WITH CHECK OPTION;
SELECT format('CREATE TRIGGER s_before BEFORE INSERT OR UPDATE OR DELETE ON %1$s FOR EACH STATEMENT EXECUTE FUNCTION tell();
    CREATE TRIGGER s_ins AFTER INSERT ON %1$s REFERENCING NEW TABLE AS news FOR EACH STATEMENT EXECUTE FUNCTION tell();
    CREATE TRIGGER s_upd AFTER UPDATE ON %1$s REFERENCING NEW TABLE AS news OLD TABLE AS olds FOR EACH STATEMENT EXECUTE FUNCTION tell();
    CREATE TRIGGER s_del AFTER DELETE ON %1$s REFERENCING OLD TABLE AS olds FOR EACH STATEMENT EXECUTE FUNCTION tell()', x) FROM unnest('{q,n}'::text[]) x \gexec
CREATE TRIGGER r_before BEFORE INSERT OR UPDATE OR DELETE ON n FOR EACH ROW EXECUTE FUNCTION tell();
CREATE TRIGGER r_after AFTER INSERT OR UPDATE OR DELETE ON n FOR EACH ROW EXECUTE FUNCTION tell();
CREATE TRIGGER r_when AFTER INSERT ON n FOR EACH ROW WHEN (NEW.v % 2 = 0 AND NEW.g > 0) EXECUTE FUNCTION tell();
CREATE TRIGGER r_when_before BEFORE INSERT ON n FOR EACH ROW WHEN (NEW.v % 2 = 0) EXECUTE FUNCTION tell();
CREATE CONSTRAINT TRIGGER r_late AFTER INSERT OR UPDATE OR DELETE ON n DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION tell();
INSERT INTO parent SELECT generate_series(1, 99);
\if :routed
SELECT router.create_route(x::regclass, router.by_integer('k', 10)) FROM unnest('{q,n,p}'::text[]) x \g /dev/null
CREATE TABLE q_far (txt text DEFAULT 'none', v int DEFAULT 5, k int NOT NULL, g int GENERATED ALWAYS AS (v * 10) STORED, id int NOT NULL, PRIMARY KEY (id, k), CONSTRAINT q_v_check CHECK (v < 1000));
SELECT router.attach_child('q', 'q_far', ARRAY['[901,920]']) \g /dev/null
\endif
SET client_min_messages = warning;
INSERT INTO q (id, k, v) SELECT i, i * 6, i FROM generate_series(1, 5) i;
INSERT INTO n (id, k, v) SELECT i, i * 6, i FROM generate_series(1, 5) i;
INSERT INTO p (id, k, v) SELECT i, i * 6, i FROM generate_series(1, 5) i;

-- # insert one row
INSERT INTO q (id, k) VALUES (10, 1);
-- # insert one row: row triggers
INSERT INTO n (id, k) VALUES (10, 1);
-- # insert several, old children and new
INSERT INTO q (id, k) VALUES (11, 1), (12, 41), (13, 901), (14, 2), (15, 42), (16, 902), (17, 61);
-- # insert several, old children and new: row triggers
INSERT INTO n (id, k) VALUES (11, 1), (12, 41), (13, 901), (14, 2), (15, 42), (16, 902), (17, 61);
-- # insert many
INSERT INTO q (id, k, v) SELECT i, i * 17 % 30 + CASE WHEN i % 7 = 0 THEN 890 ELSE 0 END, i FROM generate_series(100, 130) i;
-- # insert many: row triggers
INSERT INTO n (id, k, v) SELECT i, i * 17 % 30, i FROM generate_series(100, 130) i;
-- # returning
INSERT INTO q (id, k) VALUES (18, 3), (19, 71), (20, 903) RETURNING *;
-- # returning: row triggers
INSERT INTO n (id, k) VALUES (18, 3), (19, 71), (20, 903) RETURNING *;
-- # do nothing
INSERT INTO q (id, k) VALUES (18, 3), (21, 3), (22, 81), (23, 904), (20, 903), (22, 81) ON CONFLICT DO NOTHING;
-- # do nothing: row triggers
INSERT INTO n (id, k) VALUES (18, 3), (21, 3), (22, 81), (23, 904), (20, 903), (22, 81) ON CONFLICT DO NOTHING;
-- # do nothing, arbiter
INSERT INTO q (id, k) VALUES (18, 3), (24, 3), (25, 82), (26, 905), (20, 903) ON CONFLICT (k, id) DO NOTHING;
-- # do nothing, arbiter, returning
INSERT INTO q (id, k) VALUES (18, 3), (27, 3), (28, 82), (29, 905), (20, 903) ON CONFLICT (k, id) DO NOTHING RETURNING *;
-- # do update
INSERT INTO q (id, k) VALUES (18, 3), (30, 3), (31, 91), (32, 906), (20, 903) ON CONFLICT (id, k) DO UPDATE SET v = q.v + 1, txt = excluded.txt || '+';
-- # do update: row triggers
INSERT INTO n (id, k) VALUES (18, 3), (30, 3), (31, 91), (32, 906), (20, 903) ON CONFLICT (id, k) DO UPDATE SET v = n.v + 1, txt = excluded.txt || '+';
-- # do update, where, returning
INSERT INTO q (id, k) VALUES (18, 3), (33, 3), (34, 92), (35, 907), (20, 903) ON CONFLICT (id, k) DO UPDATE SET v = q.v + 1 WHERE q.id > 18 RETURNING *;
-- # two inserts, the first of them DO NOTHING
WITH a AS (INSERT INTO p (id, k, v) VALUES (1, 6, 1), (50, 1, 50), (51, 101, 51) ON CONFLICT DO NOTHING) INSERT INTO p (id, k, v) VALUES (52, 1, 52), (53, 102, 53);
-- # two inserts, the second of them DO NOTHING
WITH a AS (INSERT INTO p (id, k, v) VALUES (54, 1, 54), (55, 111, 55)) INSERT INTO p (id, k, v) VALUES (2, 12, 2), (56, 1, 56), (57, 112, 57) ON CONFLICT (id, k) DO NOTHING;
-- # two inserts, both DO NOTHING, other arbiters
WITH a AS (INSERT INTO p (id, k, v) VALUES (3, 18, 3), (58, 1, 58), (59, 121, 59) ON CONFLICT (v, k) DO NOTHING) INSERT INTO p (id, k, v) VALUES (4, 24, 4), (60, 1, 60), (61, 122, 61) ON CONFLICT (id, k) DO NOTHING;
-- # three inserts: plain, DO UPDATE, RETURNING
WITH a AS (INSERT INTO p (id, k, v) VALUES (62, 1, 62), (63, 131, 63)), b AS (INSERT INTO p (id, k, v) VALUES (5, 30, 5), (64, 2, 64), (65, 132, 65) ON CONFLICT (k, v) DO UPDATE SET txt = 'again')
    INSERT INTO p (id, k, v) VALUES (66, 3, 66), (67, 133, 67) RETURNING *;
-- # inserts of two tables with transition tables
WITH a AS (INSERT INTO q (id, k) VALUES (1, 6), (68, 1), (69, 908) ON CONFLICT DO NOTHING), b AS (INSERT INTO n (id, k) VALUES (68, 1), (69, 101)), c AS (INSERT INTO q (id, k) VALUES (70, 4), (71, 141)) SELECT 1;
-- # insert, merge, update and delete in one
WITH a AS (INSERT INTO p (id, k, v) VALUES (72, 5, 72), (1, 6, 1) ON CONFLICT DO NOTHING), b AS (UPDATE p SET k = k + 10 WHERE id = 2), c AS (DELETE FROM p WHERE id = 3) INSERT INTO p (id, k, v) VALUES (73, 151, 73);
-- # an error after rows that went well
INSERT INTO q (id, k, v) VALUES (74, 1, 1), (75, 161, 1000);
-- # an error of a foreign key
INSERT INTO p (id, k, v) VALUES (74, 1, 1), (75, 161, 1000);
-- # view
INSERT INTO w (id, k, v) VALUES (76, 5, 7), (77, 171, 7), (78, 909, 7);
-- # view, check option
INSERT INTO w (id, k, v) VALUES (79, 5, 7), (80, 171, 100);
-- # merge: inserts
MERGE INTO q USING (VALUES (1, 6), (81, 6), (82, 181), (83, 910), (84, 7)) s (id, k) ON q.id = s.id AND q.k = s.k WHEN NOT MATCHED THEN INSERT (id, k) VALUES (s.id, s.k);
-- # merge: inserts: row triggers
MERGE INTO n USING (VALUES (81, 6), (82, 181), (83, 910), (84, 7)) s (id, k) ON false WHEN NOT MATCHED THEN INSERT (id, k) VALUES (s.id, s.k);
-- # merge: all
MERGE INTO q USING (VALUES (1, 6), (2, 12), (85, 6), (86, 191)) s (id, k) ON q.id = s.id AND q.k = s.k WHEN MATCHED AND s.id = 1 THEN DELETE WHEN MATCHED THEN UPDATE SET v = v + 1 WHEN NOT MATCHED THEN INSERT (id, k) VALUES (s.id, s.k);
-- # merge: moves
MERGE INTO q USING (VALUES (2, 201), (3, 911), (4, 8), (5, 31), (87, 202)) s (id, k) ON q.id = s.id WHEN MATCHED THEN UPDATE SET k = s.k, txt = 'moved' WHEN NOT MATCHED THEN INSERT (id, k) VALUES (s.id, s.k);
-- # merge: moves back
MERGE INTO q USING (VALUES (2, 12), (3, 18), (4, 24), (5, 30)) s (id, k) ON q.id = s.id WHEN MATCHED THEN UPDATE SET k = s.k, txt = 'back';
-- # merge into a table that an INSERT with DO NOTHING fills, too
WITH a AS (INSERT INTO q (id, k) VALUES (2, 12), (88, 9) ON CONFLICT DO NOTHING) INSERT INTO q (id, k) SELECT 89, 19;
-- # update that stays
UPDATE q SET v = v + 1 WHERE id < 6;
-- # update that stays: row triggers
UPDATE n SET v = v + 1 WHERE id < 6;
-- # update that moves
UPDATE q SET k = CASE id WHEN 2 THEN 912 WHEN 3 THEN 211 ELSE k END, v = v + 1 WHERE id < 6 RETURNING *;
-- # update that moves, from
UPDATE q SET k = s.k FROM (VALUES (2, 12), (3, 18)) s (id, k) WHERE s.id = q.id;
-- # delete
DELETE FROM q WHERE id IN (4, 903, 908);
-- # delete: row triggers
DELETE FROM n WHERE id IN (4, 903, 908) RETURNING *;
-- # copy
COPY q (id, k, v) FROM stdin;
200	1	1
201	221	2
202	913	3
203	2	4
204	222	5
205	914	6
\.
-- # copy: row triggers
COPY n (id, k, v) FROM stdin;
200	1	1
201	221	2
202	913	3
203	2	4
204	222	5
205	914	6
\.
-- # copy, where
COPY q (id, k, v) FROM stdin WHERE v < 3 OR id = 208;
206	1	1
207	231	5
208	915	6
\.
-- # prepared
PREPARE i (int, int) AS INSERT INTO q (id, k) VALUES ($1, $2), ($1 + 1, $2 + 10);
EXECUTE i (210, 1);
EXECUTE i (212, 241);
EXECUTE i (214, 905);
-- # in PL/pgSQL
DO $$
BEGIN
    INSERT INTO q (id, k) VALUES (220, 1), (221, 251);
    INSERT INTO n (id, k) VALUES (220, 1), (221, 251);
    MERGE INTO q USING (VALUES (220, 261), (222, 252)) s (id, k) ON q.id = s.id WHEN MATCHED THEN UPDATE SET k = s.k WHEN NOT MATCHED THEN INSERT (id, k) VALUES (s.id, s.k);
    INSERT INTO p (id, k) VALUES (220, 1), (221, 251), (1, 6) ON CONFLICT DO NOTHING;
EXCEPTION WHEN unique_violation THEN
    RAISE NOTICE 'no';
END $$;
-- # from PostgreSQL 17 on: MERGE ... RETURNING
SELECT :version >= 170000 AS merge17 \gset
\if :merge17
MERGE INTO q USING (VALUES (2, 12), (230, 6), (231, 271), (232, 916)) s (id, k) ON q.id = s.id AND q.k = s.k WHEN MATCHED THEN UPDATE SET v = v + 1 WHEN NOT MATCHED THEN INSERT (id, k) VALUES (s.id, s.k) RETURNING merge_action(), q.*;
MERGE INTO n USING (VALUES (230, 6), (231, 271), (232, 916)) s (id, k) ON false WHEN NOT MATCHED THEN INSERT (id, k) VALUES (s.id, s.k) RETURNING merge_action(), n.*;
\endif
-- # from PostgreSQL 17 on: MERGE ... RETURNING that moves
SELECT :version >= 170000 AS merge17 \gset
\if :merge17
MERGE INTO q USING (VALUES (2, 281), (3, 917), (233, 282)) s (id, k) ON q.id = s.id WHEN MATCHED THEN UPDATE SET k = s.k, txt = 'moved' WHEN NOT MATCHED THEN INSERT (id, k) VALUES (s.id, s.k) RETURNING merge_action(), q.*, s.k;
WITH m AS (MERGE INTO q USING (VALUES (2, 12), (3, 18)) s (id, k) ON q.id = s.id WHEN MATCHED THEN UPDATE SET k = s.k, txt = 'back' RETURNING q.*) SELECT * FROM m;
\endif
