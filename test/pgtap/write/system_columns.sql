-- System columns in RETURNING, of rows that are not in the table which the statement names.
\ir ../../include/helpers.sql
\set tests 35
SELECT plan(:tests);

CREATE TABLE alike (id int, k int, v int DEFAULT 7, g int GENERATED ALWAYS AS (v * 10) STORED, PRIMARY KEY (id, k));
CREATE TABLE unlike (gone int, id int, k int, gone2 text, v int DEFAULT 7, g int GENERATED ALWAYS AS (v * 10) STORED, PRIMARY KEY (id, k));
ALTER TABLE unlike DROP gone, DROP gone2;
SELECT router.create_route(x::regclass, router.by_integer('k', 10)) FROM unnest('{alike,unlike}'::text[]) x \g /dev/null
CREATE TABLE alike_far (LIKE alike INCLUDING ALL);
CREATE TABLE unlike_far (g int GENERATED ALWAYS AS (v * 10) STORED, v int DEFAULT 7, k int NOT NULL, id int NOT NULL, PRIMARY KEY (id, k));
SELECT router.attach_child(x::regclass, (x || '_far')::regclass, ARRAY['[901,910]']) FROM unnest('{alike,unlike}'::text[]) x \g /dev/null

\set t alike
:fresh
\ir ../../include/system_columns.sql
\set t unlike
:fresh
\ir ../../include/system_columns.sql

-- triggers and views see of a moving MERGE with RETURNING what they see of one without
SELECT current_setting('server_version_num')::int >= 170000 AS merge_returns \gset
\if :merge_returns
CREATE TABLE log (at serial, said text);
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO log (said) VALUES (concat_ws(' ', TG_NAME, TG_OP, CASE WHEN TG_OP <> 'INSERT' THEN OLD.v END, CASE WHEN TG_OP <> 'DELETE' THEN NEW.v END));
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END $$;
CREATE FUNCTION sums() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO log (said) SELECT 'sums ' || sum(n.v) || ' ' || (SELECT sum(o.v) FROM o) FROM n; RETURN NULL; END $$;
CREATE TRIGGER b BEFORE INSERT OR UPDATE OR DELETE ON unlike FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER a AFTER INSERT OR UPDATE OR DELETE ON unlike FOR EACH ROW EXECUTE FUNCTION note();
CREATE TRIGGER s AFTER UPDATE ON unlike REFERENCING OLD TABLE AS o NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION sums();
UPDATE unlike SET v = id;
TRUNCATE log;
MERGE INTO unlike t USING (VALUES (1, 33), (2, 61)) s (id, k) ON t.id = s.id WHEN MATCHED THEN UPDATE SET k = s.k, v = t.v + 10;
SELECT string_agg(said, ', ' ORDER BY said) AS without FROM log \gset
UPDATE unlike SET v = id, k = CASE id WHEN 2 THEN 33 ELSE 32 END WHERE id < 3;
TRUNCATE log;
MERGE INTO unlike t USING (VALUES (1, 33), (2, 61)) s (id, k) ON t.id = s.id WHEN MATCHED THEN UPDATE SET k = s.k, v = t.v + 10 RETURNING t.id \g /dev/null
SELECT is((SELECT string_agg(said, ', ' ORDER BY said) FROM log), :'without'::text, 'triggers fire as without RETURNING');
CREATE VIEW w AS SELECT * FROM unlike WHERE v < 100 WITH CHECK OPTION;
MERGE INTO w t USING (VALUES (1, 71)) s (id, k) ON t.id = s.id WHEN MATCHED THEN UPDATE SET k = s.k, v = 100 RETURNING t.id;
SELECT is(:'SQLSTATE'::text, '44000'::text, 'the CHECK OPTION of a view');
SELECT is(test.strays('unlike'), 'none', 'all home');
\else
SELECT skip('no MERGE ... RETURNING', 3);
\endif
SELECT * FROM finish();
