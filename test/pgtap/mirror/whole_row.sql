-- References to the whole row: what children can have of them, and what is refused.
\ir ../../include/helpers.sql
\set tests 45
SELECT plan(:tests);

-- tables that are alike, each with its own function of the row: in SQL, which core inlines, and in PL/pgSQL
CREATE FUNCTION make(tab text, language text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE TABLE %I (k int, v text)', tab);
    EXECUTE format('CREATE FUNCTION %I(r %I) RETURNS boolean LANGUAGE %s IMMUTABLE AS %L', tab || '_ok', tab, language,
                   CASE language WHEN 'sql' THEN 'SELECT r.k > 0' ELSE 'BEGIN RETURN r.k > 0; END' END);
END $$;
CREATE TABLE thing (name text, ddl text);
INSERT INTO thing VALUES ('check', 'ALTER TABLE $t ADD CONSTRAINT c CHECK ($t_ok($t.*))'), ('named', 'ALTER TABLE $t ADD CHECK ($t_ok($t))'), ('compared', 'ALTER TABLE $t ADD CHECK ($t IS NOT NULL)'),
    ('index', 'CREATE INDEX ON $t ($t_ok($t.*))'), ('predicate', 'CREATE INDEX ON $t (k) WHERE $t_ok($t)');

-- what is there before, and what comes later, with children and without
CREATE TABLE shape AS
    SELECT format('%s_%s_%s', t.name, left(l, 1), w) AS tab, t.name, replace(t.ddl, '$t', format('%s_%s_%s', t.name, left(l, 1), w)) AS ddl, w AS at, l AS language
      FROM thing t, unnest('{sql,plpgsql}'::text[]) l, unnest('{before,empty,full}'::text[]) w;
SELECT make(tab, language) FROM shape \g /dev/null
SELECT count(test.outcome(ddl)) FROM shape WHERE at = 'before' \g /dev/null
SELECT count(test.outcome(format('SELECT router.create_route(%L, router.by_integer(''k'', 10))', tab))) FROM shape WHERE at <> 'before' \g /dev/null
SELECT count(test.outcome(format('INSERT INTO %I VALUES (1, ''a'')', tab))) FROM shape WHERE at = 'full' \g /dev/null
SELECT is(left(o, 5), '0A000', tab || ': refused') FROM shape, test.outcome(CASE at WHEN 'before' THEN format('SELECT router.create_route(%L, router.by_integer(''k'', 10))', tab) ELSE ddl END) o;
SELECT is(test.outcome($$ALTER TABLE check_p_full ADD COLUMN n int DEFAULT 1, ADD CHECK (n > 0), ALTER v TYPE int USING 2, ADD CHECK (v > 0)$$), 'done', 'a CHECK of columns that the same command makes');
SELECT is(left(test.outcome(format('ALTER TABLE %1$s ADD COLUMN o int, ADD CHECK (%1$s IS NOT NULL)', tab)), 5), code, 'one of the whole row is refused with them')
  FROM (VALUES ('check_s_empty', '0A000'), ('check_s_full', '42703')) v(tab, code);
SELECT isnt(test.hint(ddl), NULL, 'with the way out') FROM shape WHERE tab = 'check_s_full';
SELECT is(test.outcome(format('INSERT INTO %I VALUES (11, ''a'')', tab)), 'done', tab || ': goes on') FROM shape WHERE at <> 'before' AND language = 'sql' AND name IN ('check', 'index');

-- that way: NO INHERIT; and what children can have
SELECT make('t', 'plpgsql') \g /dev/null
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN INSERT INTO noted VALUES (tg_op || ' ' || new.k); RETURN NEW; END$$;
CREATE TABLE noted (what text);
ALTER TABLE t ADD CONSTRAINT before_route CHECK (t_ok(t.*)) NO INHERIT;
CREATE POLICY p ON t USING (t_ok(t)) WITH CHECK (t_ok(t.*));
CREATE TRIGGER changed AFTER UPDATE ON t FOR EACH ROW WHEN (OLD.* IS DISTINCT FROM NEW.*) EXECUTE FUNCTION note();
CREATE TRIGGER came AFTER INSERT ON t FOR EACH ROW WHEN (t_ok(NEW) AND NEW.v = 'told') EXECUTE FUNCTION note();
SELECT is(test.outcome($$SELECT router.create_route('t', router.by_integer('k', 10))$$), 'done', 'a CHECK that says NO INHERIT, policies and triggers');
CREATE TABLE t_other (v text, gone int, k int);
ALTER TABLE t_other DROP COLUMN gone;
SELECT router.attach_child('t', 't_other', '{"[11,20]"}'), router.sync('t') \g /dev/null
SELECT is(test.outcome($$INSERT INTO t VALUES (1, 'told'), (11, 'told'), (12, 'not')$$), 'done', 'rows come in');
SELECT is(left(test.outcome($$INSERT INTO t VALUES (-1, 'told')$$), 5), '23514', 'the CHECK holds in a new child');
SELECT is(left(test.outcome($$UPDATE t SET k = -5 WHERE k = 11$$), 5), '23514', 'and in one of another layout');
UPDATE t SET v = v;
UPDATE t SET v = 'x' WHERE k = 11;
SELECT is((SELECT string_agg(what, ', ' ORDER BY what) FROM noted), 'INSERT 1, INSERT 11, UPDATE 11', 'triggers look at the whole row');
ALTER TABLE t ADD CONSTRAINT later CHECK (t_ok(t.*)) NO INHERIT, DROP CONSTRAINT before_route;
SELECT is(left(test.outcome($$INSERT INTO t VALUES (-1, 'told')$$), 5), '23514', 'one that is added later does, too');
SELECT is(array(SELECT kind || ' ' || detail FROM router.check('t')), '{}', 'check is content');
SELECT * FROM finish();
