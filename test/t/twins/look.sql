-- What is evaluated for a row and looks into its table sees the rows before it, in long statements, too. For COPY see
-- pgtap/rows/bulk: into an ordinary table it holds rows back whatever the CHECKs do.
CREATE TABLE c (id int, k int);
CREATE TABLE s (id int, k int);
CREATE TABLE d (id int, k int, x int);
CREATE TABLE f (id int, k int, n int);
CREATE TABLE pol (id int, k int);
CREATE TABLE g (id int, k int, n int);
CREATE TABLE ind (id int, k int);
CREATE TABLE trg (id int, k int);
CREATE TABLE part (id int, k int);
CREATE TABLE two (id int, k int, PRIMARY KEY (id, k));
CREATE TABLE q (id int, k int, PRIMARY KEY (id, k));
CREATE TABLE other (id int, n bigint);
CREATE FUNCTION rows(t regclass) RETURNS int LANGUAGE plpgsql AS $$DECLARE n int; BEGIN EXECUTE format('SELECT count(*) FROM %s', t) INTO n; RETURN n; END $$;
CREATE FUNCTION is_new(t regclass, i int) RETURNS bool LANGUAGE plpgsql AS $$DECLARE found bool; BEGIN EXECUTE format('SELECT NOT EXISTS (SELECT FROM %s WHERE id = %s)', t, i) INTO found; RETURN found; END $$;
CREATE FUNCTION is_new_stable(t regclass, i int) RETURNS bool STABLE LANGUAGE plpgsql AS $$BEGIN RETURN is_new(t, i); END $$;
CREATE FUNCTION twice(i int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$BEGIN RETURN i * 2; END $$;
CREATE FUNCTION in_index(i int) RETURNS bool IMMUTABLE LANGUAGE plpgsql AS $$BEGIN RETURN i > 0; END $$;
ALTER TABLE c ADD CHECK (is_new('c', id));
ALTER TABLE s ADD CHECK (is_new_stable('s', id));
CREATE DOMAIN fresh AS int CHECK (is_new('d', VALUE));
CREATE DOMAIN fresher AS fresh CHECK (VALUE > 0);
CREATE TYPE pair AS (a int, b fresher);
ALTER TABLE d ADD one fresher, ADD more fresh[], ADD p pair;
ALTER TABLE f ALTER n SET DEFAULT rows('f');
ALTER TABLE pol ENABLE ROW LEVEL SECURITY;
CREATE POLICY p ON pol USING (true) WITH CHECK (is_new('pol', id));
ALTER TABLE g ADD t int GENERATED ALWAYS AS (twice(n)) STORED;
CREATE INDEX ON ind (id) WHERE in_index(id);
CREATE FUNCTION count_on() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN NEW.n := rows('two'); RETURN NEW; END $$;
CREATE TRIGGER b BEFORE INSERT ON other FOR EACH ROW EXECUTE FUNCTION count_on();
CREATE FUNCTION skip() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN RETURN NULL; END $$;
CREATE TRIGGER b BEFORE INSERT ON trg FOR EACH ROW WHEN (NOT is_new('trg', NEW.id)) EXECUTE FUNCTION skip();
CREATE VIEW w AS SELECT * FROM q WHERE rows('q') < 10 WITH CHECK OPTION;
DO $$BEGIN CREATE ROLE router_t_looker; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$;
DO $$BEGIN EXECUTE format('GRANT USAGE ON SCHEMA %I TO router_t_looker', current_schema); END $$;
GRANT SELECT, INSERT ON pol TO router_t_looker;
\if :routed
SELECT router.create_route(x::regclass, router.by_integer('k', 10)) FROM unnest('{c,s,d,f,pol,g,ind,trg,part,two,q}'::text[]) x \g /dev/null
SELECT router.premake(x, 4) FROM unnest('{part,ind}'::regclass[]) x \g /dev/null
ALTER TABLE part_11_20 ADD CHECK (is_new('part', id));
\else
ALTER TABLE part ADD CHECK (k NOT BETWEEN 11 AND 20 OR is_new('part', id));
\endif

-- # check
INSERT INTO c SELECT i % 15, i FROM generate_series(1, 40) i;
INSERT INTO c SELECT i, i FROM generate_series(1, 40) i;
-- # check, stable
INSERT INTO s SELECT i % 15, i FROM generate_series(1, 40) i;
-- # domain
INSERT INTO d (id, k, one) SELECT i % 15, i, i % 15 FROM generate_series(1, 40) i;
INSERT INTO d (id, k, more) SELECT i % 15, i, ARRAY[i % 15] FROM generate_series(1, 40) i;
INSERT INTO d (id, k, p) SELECT i % 15, i, (0, i % 15) FROM generate_series(1, 40) i;
-- # default
INSERT INTO f SELECT i, i % 30 FROM generate_series(1, 40) i;
COPY f (id, k) FROM PROGRAM 'seq 50 90 | sed "s/.*/&\t&/"';
-- # where of COPY
COPY q FROM PROGRAM 'seq 50 90 | sed "s/89/51/; s/.*/&\t&/"' WHERE is_new_stable('q', id) AND rows('q') < 30;
-- # policy
SET ROLE router_t_looker;
INSERT INTO pol SELECT i % 15, i FROM generate_series(1, 40) i;
RESET ROLE;
-- # generated, with a function that is not what it was
CREATE OR REPLACE FUNCTION twice(i int) RETURNS int VOLATILE LANGUAGE plpgsql AS $$BEGIN RETURN rows('g'); END $$;
INSERT INTO g SELECT i, i % 30, i FROM generate_series(1, 40) i;
-- # predicate of an index, with a function that is not what it was
CREATE OR REPLACE FUNCTION in_index(i int) RETURNS bool VOLATILE LANGUAGE plpgsql AS $$BEGIN IF NOT is_new('ind', i - 3) AND i % 15 = 14 THEN RAISE EXCEPTION 'seen %', i; END IF; RETURN true; END $$;
INSERT INTO ind SELECT i, i % 30 FROM generate_series(1, 40) i;
-- # WHEN of a trigger
INSERT INTO trg SELECT i % 15, i % 30 FROM generate_series(1, 40) i;
-- # the query
INSERT INTO q SELECT rows('q'), i FROM generate_series(1, 40) i;
INSERT INTO q SELECT i, i FROM generate_series(1, 40) i WHERE rows('q') < 60;
-- # view
INSERT INTO w SELECT i, i FROM generate_series(1, 40) i;
-- # some children only
INSERT INTO part SELECT i % 15, i FROM generate_series(1, 40) i;
INSERT INTO part SELECT 100 + i % 35, i % 40 FROM generate_series(1, 60) i;
-- # other nodes of the statement
WITH o AS (INSERT INTO other SELECT i FROM generate_series(1, 30) i RETURNING id) INSERT INTO two SELECT id, id FROM o;
WITH o AS (INSERT INTO two SELECT CASE WHEN i < 20 THEN i ELSE i - 10 END + 100, 5 FROM generate_series(1, 30) i ON CONFLICT DO NOTHING RETURNING id) INSERT INTO two SELECT id + 10, 5 FROM o WHERE id > 109;
WITH o AS (DELETE FROM two WHERE id < 31 RETURNING id) INSERT INTO two SELECT id + 1000, id FROM o;
WITH o AS (INSERT INTO other SELECT i FROM generate_series(1, 12) i) INSERT INTO two SELECT i + 2000, i FROM generate_series(1, 30) i;
WITH o AS (INSERT INTO two SELECT i + 3000, i FROM generate_series(1, 30) i), p AS (INSERT INTO other VALUES (1)) INSERT INTO two SELECT i + 4000, i FROM generate_series(1, 30) i;
WITH o AS (INSERT INTO two SELECT i + 3990, i + 30 FROM generate_series(1, 30) i) INSERT INTO two SELECT i + 4000, i + 20 FROM generate_series(1, 30) i;
