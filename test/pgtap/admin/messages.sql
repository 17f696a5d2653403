-- what a newcomer gets wrong is said with the value, and with what to do instead
\ir ../../include/helpers.sql
SET client_min_messages = warning;
SELECT plan(24);

CREATE SCHEMA app;
CREATE TABLE app.residence (id int PRIMARY KEY, code text);
CREATE TABLE consumption (residence_id int NOT NULL, read_at timestamptz NOT NULL, read_on date NOT NULL, value numeric);

-- SQLSTATE, message and hint of a statement
CREATE FUNCTION pg_temp.said(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE message text; hint text;
BEGIN
    EXECUTE statement;
    RETURN 'done';
EXCEPTION WHEN OTHERS THEN
    GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
    RETURN concat_ws(' | ', SQLSTATE, message, hint);
END $$;

-- steps: hours only where there are some
SELECT is(pg_temp.said(format($$SELECT router.create_route('consumption', router.by_date('read_on', %L))$$, step)),
          format('22023 | invalid step "%s" for a date key | Allowed for a column of type date are ''day'', ''week'', ''month'', ''year'', or an interval that divides cleanly: months that divide a year or years, 1 or 7 days.', step),
          format('a date column by %s', step)) FROM unnest('{hour,15 minutes,6 hours,fortnight}'::text[]) step;
SELECT matches(pg_temp.said($$SELECT router.create_route('consumption', router.by_date('read_at', '7 hours'))$$),
               $$^22023 \| invalid step "7 hours" for a date key \| Allowed are 'hour', 'day', .* hours that divide a day$$, 'a timestamp may have hours');
SELECT is(pg_temp.said($$SELECT router.create_route('consumption', router.by_date('read_at', 'hour'), dry_run => true)$$), 'done', 'and has them');

-- labels
SELECT is(pg_temp.said($$SELECT router.create_route('consumption', router.by_list('residence_id', label => 'SELECT code FROM residence WHERE id = $1'))$$),
          '42P01 | relation "residence" does not exist | Write each table in a label with its schema, such as public.residence: it is run with a search_path of pg_catalog alone.', 'a label without a schema');
SELECT is(pg_temp.said($$SELECT router.create_route('consumption', router.by_list('residence_id', label => 'SELECT kode FROM app.residence WHERE id = $1'))$$),
          '42703 | column "kode" does not exist | Perhaps you meant to reference the column "residence.code".', 'other errors keep their hint');
SELECT is(pg_temp.said($$SELECT router.create_route('consumption', router.by_list('residence_id', label => 'SELECT code FROM app.residence WHERE id = $1'), dry_run => true)$$), 'done', 'a label with one');

-- templates
SELECT is(pg_temp.said(format($$SELECT router.create_route('consumption', router.by_list('residence_id'), template => %L)$$, template)),
          format('22023 | invalid value "%s" for template | A dot would be part of each child''s name. For children in a schema of their own use child_schema.', template),
          format('template %s', template)) FROM unnest(ARRAY['parts.{1}', '{base}.{1}', '{1}.']) template;
\set ON_ERROR_STOP 0
CALL router.convert('consumption', router.by_list('residence_id'), template => 'parts.{1}') \g /dev/null
SELECT is(:'LAST_ERROR_MESSAGE', 'invalid value "parts.{1}" for template', 'convert says the same');
\set ON_ERROR_STOP 1

-- the value that is bad
SELECT is(split_part(pg_temp.said(format($$SELECT router.create_route('consumption', router.by_date('read_at', 'month'), %s => %L)$$, name, value)), ' | ', 2),
          format('invalid value "%s" for %s', value, name), format('%s %s', name, value))
  FROM (VALUES ('time_zone', 'Europe/Bruxelles'), ('horizon', '-1 days'), ('hot', '00:00:00'), ('max_new_children', '-1'), ('on_missing', 'ignore'), ('on_reject', 'create'),
               ('template', 'x'), ('child_schema', 'pg_catalog')) v(name, value);

-- other keys
SELECT router.create_route('consumption', router.by_list('residence_id')) \g /dev/null
INSERT INTO consumption VALUES (1, now(), now(), 1);
SELECT is(pg_temp.said($$SELECT router.create_route('consumption', router.by_date('read_at', 'month'))$$),
          '55000 | table "consumption" cannot be a routed table | Keep the keys, or change them with CALL router.rekey, which keeps the rows.', 'other keys');
SELECT is(pg_temp.said($$SELECT router.alter_route('consumption', template => 'parts.{1}')$$),
          pg_temp.said($$SELECT router.create_route('consumption', router.by_list('residence_id'), template => 'parts.{1}')$$), 'alter_route says it of a template, too');
SELECT is(pg_temp.said($$SELECT router.drop_route('consumption', 'delete')$$),
          '22023 | invalid value "delete" for rows | ''keep'' leaves the rows in the children, ''base'' moves them into the base and drops the children.', 'drop_route');
SELECT is((SELECT count(*) FROM consumption), 1::bigint, 'nothing has changed');
SELECT * FROM finish();
