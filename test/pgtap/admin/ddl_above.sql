-- DDL that reaches a base from above: by an ordinary parent, two of them, a grandparent, a foreign one, the type that a table is OF.
\ir ../../include/helpers.sql
\set tests 62
SELECT plan(:tests);

CREATE TABLE grand (id int, at timestamp, n int, gone int);
CREATE TABLE event () INHERITS (grand);
CREATE TABLE note () INHERITS (grand);
CREATE TABLE click (l text) INHERITS (event);
CREATE TABLE diamond () INHERITS (event, note);
CREATE TABLE remark (author text) INHERITS (event);
CREATE TYPE reading AS (id int, at timestamp, n int, gone int);
CREATE TABLE typed OF reading;
CREATE TABLE typed_parent OF reading;
CREATE TABLE below_typed () INHERITS (typed_parent);
CREATE FOREIGN DATA WRAPPER nothing;
CREATE SERVER nowhere FOREIGN DATA WRAPPER nothing;
CREATE FOREIGN TABLE far (id int, at timestamp, n int, gone int) SERVER nowhere;
CREATE TABLE below_far () INHERITS (far);

CREATE TABLE shape (tab regclass, top text, word text, kind text);
INSERT INTO shape VALUES ('click', 'grand', 'COLUMN', 'TABLE'), ('diamond', 'grand', 'COLUMN', 'TABLE'), ('typed', 'reading', 'ATTRIBUTE', 'TYPE'),
    ('below_typed', 'reading', 'ATTRIBUTE', 'TYPE'), ('below_far', 'far', 'COLUMN', 'TABLE');
CREATE FUNCTION ddl(action text) RETURNS SETOF text LANGUAGE sql AS $$
    SELECT top || ': ' || test.outcome(format('ALTER %s %I %s%s', kind, top, replace(action, '#', word), CASE WHEN kind = 'TYPE' THEN ' CASCADE' ELSE '' END))
      FROM (SELECT DISTINCT top, kind, word FROM shape ORDER BY top) s
$$;

SELECT router.create_route('click', ARRAY[router.by_date('at', 'month'), router.by_list('l')]) \g /dev/null
SELECT router.create_route(tab, router.by_date('at', 'month')) FROM shape WHERE tab <> 'click'::regclass \g /dev/null
SELECT router.set_maintenance(tab, seal => '{n}') FROM shape \g /dev/null
DO $$DECLARE t regclass; BEGIN FOR t IN SELECT tab FROM shape LOOP
    EXECUTE format('INSERT INTO %s (id, at, n) VALUES (1, ''2024-01-10'', 10), (2, ''2024-02-10'', 20)', t);
    PERFORM router.add_global_key(t, '{id}');
END LOOP; END$$;
INSERT INTO remark VALUES (9, '2024-02-11', 1, 1, 'me');
CALL router.seal('typed_y2024m01', '{n}');

SELECT results_eq($$SELECT ddl('RENAME # at TO happened')$$, $$SELECT DISTINCT top || ': done' FROM shape ORDER BY 1$$, 'keys are renamed from above');
SELECT results_eq($$SELECT ddl('RENAME # n TO number')$$, $$SELECT DISTINCT top || ': done' FROM shape ORDER BY 1$$, 'sealed columns are');
SELECT results_eq($$SELECT ddl('RENAME # id TO ident')$$, $$SELECT DISTINCT top || ': done' FROM shape ORDER BY 1$$, 'columns of global keys are');
SELECT is(test.outcome(format('INSERT INTO %s (ident, happened, number) VALUES (3, ''2024-03-10'', 30)', tab)), 'done', tab || ': this session goes on') FROM shape;
:fresh
SELECT is(test.outcome(format('INSERT INTO %s (ident, happened, number) VALUES (4, ''2024-04-10'', 30)', tab)), 'done', tab || ': and a new one') FROM shape;
SELECT is((SELECT keys[1] FROM router.routes r WHERE r.base = tab), 'date(happened, month)', tab || ': the catalog has the new name') FROM shape;
SELECT is((SELECT seal::text FROM router.maintenance m WHERE m.base = tab), '{number}', tab || ': and that of the column to seal') FROM shape;
SELECT is((SELECT columns::text FROM router.global_keys m WHERE m.base = tab), '{ident}', tab || ': and that of the global key') FROM shape;
SELECT is((SELECT "column" FROM router.seals LIMIT 1), 'number', 'and of the sealed one');

SELECT is(left(x, 5 + strpos(x, ':') + 1), split_part(x, ':', 1) || ': 0A000', 'another type for the key is refused: ' || split_part(x, ':', 1)) FROM ddl('ALTER # happened TYPE timestamptz') x;
SELECT is(left(x, 5 + strpos(x, ':') + 1), split_part(x, ':', 1) || ': 2BP01', 'the key cannot be dropped: ' || split_part(x, ':', 1)) FROM ddl('DROP # happened') x;
SELECT is(left(x, 5 + strpos(x, ':') + 1), split_part(x, ':', 1) || ': 2BP01', 'nor can a column of the global key: ' || split_part(x, ':', 1)) FROM ddl('DROP # ident') x;
SELECT results_eq($$SELECT ddl('ALTER # number TYPE bigint')$$, $$SELECT DISTINCT top || ': done' FROM shape ORDER BY 1$$, 'another type for a column that is no key');
SELECT results_eq($$SELECT ddl('ALTER # ident TYPE bigint')$$, $$SELECT DISTINCT top || ': done' FROM shape ORDER BY 1$$, 'or is in a global key');
SELECT results_eq($$SELECT ddl('DROP # gone')$$, $$SELECT DISTINCT top || ': done' FROM shape ORDER BY 1$$, 'a column that is dropped');
SELECT results_eq($$SELECT ddl('ADD # more int')$$, $$SELECT DISTINCT top || ': done' FROM shape ORDER BY 1$$, 'a column that is added');
ALTER TABLE grand ALTER more SET DEFAULT 5, ADD CONSTRAINT positive CHECK (more > 0), ALTER ident SET NOT NULL;
SELECT is(test.outcome(format('INSERT INTO %s (ident, happened, number) VALUES (5, ''2024-05-10'', 30)', tab)), 'done', tab || ': rows come in') FROM shape;
SELECT is((SELECT array_agg(more) FROM (SELECT more FROM click WHERE ident = 5 UNION ALL SELECT more FROM diamond WHERE ident = 5) s), '{5,5}', 'with a default from above');
SELECT is(left(test.outcome($$INSERT INTO click (ident, happened, more) VALUES (6, '2024-05-10', -5)$$), 5), '23514', 'and a CHECK');
ALTER TABLE typed_y2024m01 DROP CONSTRAINT router_seal;
SELECT is(test.unlike(tab), 'nothing', tab || ': children are like their base') FROM shape;
SELECT is(array(SELECT kind || ' ' || detail FROM router.check(tab)), '{}', tab || ': check is content') FROM shape;
SELECT is((SELECT count(*)::int FROM router.routes), 5, 'all routes are there');

-- event triggers were off: the name of the column is old, its number is not
ALTER EVENT TRIGGER router_on_ddl_end DISABLE;
ALTER TABLE grand RENAME COLUMN happened TO at_last;
ALTER EVENT TRIGGER router_on_ddl_end ENABLE;
:fresh
SELECT is((SELECT count(*)::int FROM click WHERE at_last > '2024-04-01'), 2, 'a column that was renamed while event triggers were off is found by its number');
SELECT is(test.outcome($$INSERT INTO click (ident, at_last) VALUES (7, '2024-07-10')$$), 'done', 'and rows come in');
SELECT * FROM finish();
