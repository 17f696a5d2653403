-- Referential actions, and statement triggers with transition tables that are told of the rows.
\ir ../../include/helpers.sql
\set tests 35
SELECT plan(:tests);
LOAD 'router';

CREATE TABLE log (at serial, said text);
CREATE FUNCTION tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        INSERT INTO log (said) SELECT format('update %s to %s', (SELECT string_agg(format('%s %s', id, a), ', ' ORDER BY id, a) FROM olds), (SELECT string_agg(format('%s %s', id, a), ', ' ORDER BY id, a) FROM news));
    ELSE
        INSERT INTO log (said) SELECT format('delete %s', string_agg(format('%s %s', id, a), ', ' ORDER BY id, a)) FROM olds;
    END IF;
    RETURN NULL;
END $$;
CREATE FUNCTION count_up() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO log (said) VALUES (TG_OP || ' row'); RETURN NULL; END $$;
-- What changes in the referenced table bring about in a referencing one, which is routed as said, or not.
CREATE FUNCTION story(action text, keys text, moving boolean, dropped boolean DEFAULT false) RETURNS text LANGUAGE plpgsql AS $test$
DECLARE
    result text;
BEGIN
    CREATE TABLE refd (a int PRIMARY KEY);
    INSERT INTO refd VALUES (0), (1), (2), (3), (50), (51);
    EXECUTE format('CREATE TABLE t (gone int, id int, a int DEFAULT 0 REFERENCES refd %s, at timestamptz DEFAULT now())', action);
    IF dropped THEN
        ALTER TABLE t DROP gone;
    END IF;
    CREATE TRIGGER u AFTER UPDATE ON t REFERENCING OLD TABLE AS olds NEW TABLE AS news FOR EACH STATEMENT EXECUTE FUNCTION tell();
    CREATE TRIGGER d AFTER DELETE ON t REFERENCING OLD TABLE AS olds FOR EACH STATEMENT EXECUTE FUNCTION tell();
    CREATE TRIGGER r AFTER UPDATE OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION count_up();
    IF keys <> '' THEN
        EXECUTE format('SELECT router.create_route(''t'', %s)', keys);
    END IF;
    IF moving THEN -- a row that moves has no AFTER UPDATE
        DROP TRIGGER r ON t;
    END IF;
    INSERT INTO t (id, a, at) VALUES (1, 1, now()), (2, 1, now() - interval '90 days'), (3, 2, now()), (4, 3, now() - interval '10 days'), (5, 2, now() - interval '90 days');
    UPDATE refd SET a = 11 WHERE a = 1;
    UPDATE refd SET a = a + 10 WHERE a IN (2, 50);
    INSERT INTO t (id, a) VALUES (6, 11);
    DELETE FROM refd WHERE a = 12;
    DELETE FROM refd WHERE a IN (11, 3, 51);
    DELETE FROM refd WHERE a = 60;
    SELECT string_agg(said, '; ' ORDER BY at) INTO result FROM log;
    RETURN result || ' | ' || coalesce((SELECT string_agg(format('%s %s', id, a), ', ' ORDER BY id) FROM t), 'no rows');
END $test$;
CREATE FUNCTION undone(action text, keys text, moving boolean, dropped boolean DEFAULT false) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    BEGIN
        result := story(action, keys, moving, dropped);
        RAISE EXCEPTION 'undo';
    EXCEPTION WHEN raise_exception THEN
        RETURN result;
    END;
END $$;
SELECT is(undone(action, keys, moving, dropped), undone(action, '', moving), concat_ws(', ', action, keys, CASE WHEN dropped THEN 'another layout' END))
  FROM unnest('{ON UPDATE CASCADE ON DELETE CASCADE,ON UPDATE CASCADE ON DELETE SET NULL,ON UPDATE SET NULL ON DELETE CASCADE,ON UPDATE SET DEFAULT ON DELETE SET DEFAULT}'::text[]) action,
    unnest(ARRAY[$$router.by_hash('id', 3)$$, $$router.by_list('id')$$, $$router.by_date('at', 'month'), hot => '7 days'$$, $$router.by_integer('a', 10)$$]) keys, unnest('{false,true}'::bool[]) dropped, LATERAL (SELECT keys LIKE '%''a''%') m (moving);
-- what limits.md says of rules: the others of a rule's queries do not know a child that the first one makes
CREATE TABLE ruled (a int);
CREATE TABLE counted (n bigint);
SELECT router.create_route('ruled', router.by_list('a')) \g /dev/null
CREATE RULE r AS ON INSERT TO ruled DO ALSO INSERT INTO counted SELECT count(*) FROM ruled;
SELECT router.create_child('ruled', '{1}') \g /dev/null
INSERT INTO ruled VALUES (1);
INSERT INTO ruled VALUES (1);
SELECT is((SELECT array_agg(n ORDER BY n) FROM counted), '{1,2}'::bigint[], 'a rule sees the rows of its statement in children that there were');
-- ONLY of a user means ONLY
CREATE TABLE o (id int, a int);
CREATE TRIGGER d AFTER DELETE ON o REFERENCING OLD TABLE AS olds FOR EACH STATEMENT EXECUTE FUNCTION tell();
SELECT router.create_route('o', router.by_list('id')) \g /dev/null
INSERT INTO o VALUES (1, 1);
DELETE FROM ONLY "o";
SELECT is((SELECT count(*) FROM o), 1::bigint, 'ONLY of a user');
SELECT is((SELECT string_agg(said, ', ' ORDER BY at) FROM log), 'delete ', 'and its trigger has no rows');
SELECT * FROM finish();
