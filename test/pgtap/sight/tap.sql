-- The functions for pgTAP that users have (docs/testing.md), from where make install put them: each passes and fails, and says why.
\ir ../../include/helpers.sql
\set tests 188
SELECT plan(:tests);
\set sharedir `pg_config --sharedir`
CREATE SCHEMA tap;
SET search_path = tap, public;
\ir :sharedir/extension/router_tap.sql
SELECT is((SELECT count(*) FROM pg_proc WHERE pronamespace = 'tap'::regnamespace), 16::bigint, 'they go to the schema that comes first');
\ir :sharedir/extension/router_tap.sql
SELECT is((SELECT count(*) FROM pg_proc WHERE pronamespace = 'tap'::regnamespace), 16::bigint, 'and may be loaded again');
SELECT is((SELECT count(*) FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid WHERE d.objid IN (SELECT oid FROM pg_proc WHERE pronamespace = 'tap'::regnamespace)), 0::bigint, 'as no part of an extension');
SELECT is((SELECT string_agg(proname, ', ') FROM pg_proc WHERE pronamespace = 'tap'::regnamespace AND proname NOT LIKE '\_%' AND obj_description(oid) IS NULL), NULL, 'each has a comment');
SET search_path = public, tap;

CREATE TABLE residence (id int PRIMARY KEY, code text);
INSERT INTO residence VALUES (41, NULL), (59, '42LA'), (147, 'FAISANDERIE'), (46, '360-400');
CREATE TABLE consumption (id bigint GENERATED ALWAYS AS IDENTITY, residence_id int NOT NULL REFERENCES residence, read_at timestamptz NOT NULL DEFAULT '2024-05-01', value numeric CHECK (value < 1000),
                          gone int, next int GENERATED ALWAYS AS (residence_id + 1) STORED);
ALTER TABLE consumption DROP gone;
SELECT router.create_route('consumption', router.by_list('residence_id', label => 'SELECT code FROM public.residence WHERE id = $1')) \g /dev/null
CREATE SCHEMA energy;
CREATE TABLE energy."Reading" (id int, read_at date);
SELECT router.create_route('energy."Reading"', ARRAY[router.by_list('id'), router.by_date('read_at', 'year')]) \g /dev/null
CREATE TABLE plain (id int);

-- ------------------------------------------------------------------ has_route, hasnt_route
SELECT check_test(has_route('consumption'), true, 'has_route', 'Table consumption should be routed', '');
SELECT check_test(has_route('energy."Reading"', 'words'), true, 'has_route with a schema', 'words', '');
SELECT check_test(has_route('plain'), false, 'has_route of another table', 'Table plain should be routed', '    plain is not routed');
SELECT check_test(has_route('nowhere', 'words'), false, 'has_route of no table', 'words', '    nowhere does not exist');
SELECT check_test(hasnt_route('plain'), true, 'hasnt_route', 'Table plain should not be routed', '');
SELECT check_test(hasnt_route('consumption', 'words'), false, 'hasnt_route of a routed table', 'words', '    consumption is routed by {list(residence_id)}');
SELECT check_test(hasnt_route('nowhere'), false, 'hasnt_route of no table', 'Table nowhere should not be routed', '    nowhere does not exist');

-- ------------------------------------------------------------------ route_keys_are
SELECT check_test(route_keys_are('consumption', ARRAY['list(residence_id)']), true, 'route_keys_are', 'Table consumption should be routed by the correct keys', '');
SELECT check_test(route_keys_are('energy."Reading"', (SELECT keys FROM router.routes WHERE base = 'energy."Reading"'::regclass), 'words'), true, 'route_keys_are with two keys', 'words', '');
SELECT check_test(route_keys_are('consumption', '{list(id)}'), false, 'route_keys_are with others', 'Table consumption should be routed by the correct keys',
                  E'        have: {list(residence_id)}\n        want: {list(id)}');
SELECT check_test(route_keys_are('consumption', NULL), false, 'route_keys_are with none', 'Table consumption should be routed by the correct keys',
                  E'        have: {list(residence_id)}\n        want: NULL');
SELECT check_test(route_keys_are('plain', NULL), false, 'route_keys_are of another table', 'Table plain should be routed by the correct keys', '    plain is not routed');

-- ------------------------------------------------------------------ routes_to, before there are children
SELECT check_test(routes_to('consumption', '{"residence_id": 59}', 'consumption_42LA'), true, 'routes_to by an object', 'A row of consumption should go to consumption_42LA', '');
SELECT check_test(routes_to('consumption', '{"residence_id": 59}', '"consumption_42LA"'), true, 'routes_to by a quoted name');
SELECT check_test(routes_to('consumption', '{"residence_id": 59}', 'public."consumption_42LA"', 'words'), true, 'routes_to by a name with its schema', 'words', '');
SELECT check_test(routes_to('consumption', '(1,147,2024-05-01,3.5,)', 'consumption_FAISANDERIE'), true, 'routes_to by a row literal');
SELECT check_test(routes_to('consumption', ROW(1, 41, now(), 3.5, NULL), 'consumption_41'), true, 'routes_to by a record');
SELECT check_test(routes_to('consumption', jsonb_build_object('residence_id', 46), 'consumption_360-400'), true, 'routes_to by jsonb');
SELECT check_test(routes_to('consumption', json_build_object('residence_id', 46, 'next', 7), 'consumption_360-400'), true, 'routes_to by json, with a generated column');
SELECT check_test(routes_to('energy."Reading"', '(1,2024-05-01)', '"Reading_1_y2024"'), true, 'routes_to of two keys, the child not in search_path');
SELECT check_test(routes_to('energy."Reading"', '{"id": 1, "read_at": "2024-05-01"}', 'energy."Reading_1_y2024"'), true, 'routes_to of two keys, with a schema');
SELECT check_test(routes_to('consumption', '{"residence_id": 59}', 'consumption_41'), false, 'routes_to another child', 'A row of consumption should go to consumption_41',
                  E'        have: "consumption_42LA"\n        want: consumption_41');
SELECT check_test(routes_to('consumption', '{"residence_id": 59}', NULL), false, 'routes_to NULL', NULL, E'        have: "consumption_42LA"\n        want: NULL');
SELECT check_test(routes_to('consumption', '{"residence_id": 59, "value": 1000}', 'consumption_42LA', 'words'), false, 'routes_to of a row that does not go in', 'words',
                  '    died: 23514: .*consumption_value_check', true);
SELECT check_test(routes_to('consumption', '{"residence_id": 60}', 'consumption_60', 'words'), false, 'routes_to of a row that refers to none', 'words', '    died: 23503: ', true);
SELECT check_test(routes_to('consumption', '{"residence": 59, "at": 1}', 'consumption_59', 'words'), false, 'routes_to by unknown columns', 'words', '    consumption has no column at, residence');
SELECT check_test(routes_to('consumption', '{}', 'consumption_59', 'words'), false, 'routes_to by nothing', 'words', '    the row has no columns');
SELECT check_test(routes_to('consumption', '{"residence_id"', 'consumption_59', 'words'), false, 'routes_to by bad JSON', 'words', '    died: 22P02: ', true);
SELECT check_test(routes_to('consumption', 59, 'consumption_59', 'words'), false, 'routes_to by a number', 'words', '    died: 22P02: ', true);
SELECT check_test(routes_to('plain', '(1)', 'plain', 'words'), false, 'routes_to of another table', 'words', '    plain is not routed');
SELECT is(test.children('consumption') || ', ' || test.children('energy."Reading"') || ', ' || (SELECT count(*) FROM consumption), 'none, none, 0', 'and leaves nothing');
SET router.create_in_background = on;
SELECT check_test(routes_to('consumption', '{"residence_id": 59}', 'consumption_42LA'), true, 'routes_to where workers create children');
SELECT is(test.children('consumption') || current_setting('router.create_in_background'), 'noneon', 'leaves nothing, nor the setting');
RESET router.create_in_background;
CREATE FUNCTION test.away() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE TRIGGER away BEFORE INSERT ON consumption FOR EACH ROW WHEN (NEW.value = 13) EXECUTE FUNCTION test.away();
SELECT check_test(routes_to('consumption', '{"residence_id": 59, "value": 13}', 'consumption_42LA', 'words'), false, 'routes_to of a row that a trigger drops', 'words',
                  E'        have: no row\n        want: consumption_42LA');
DROP TRIGGER away ON consumption;

-- ------------------------------------------------------------------ children_are
SELECT check_test(children_are('consumption', '{}'), true, 'children_are none');
INSERT INTO consumption (residence_id, value) VALUES (41, 1), (59, 2), (147, 3);
SELECT check_test(routes_to('consumption', '{"residence_id": 59}', 'consumption_42LA'), true, 'routes_to a child that is there');
SELECT is((SELECT count(*) FROM consumption), 3::bigint, 'leaves no row there');
SELECT check_test(has_route('consumption_41'), false, 'has_route of a child', 'Table consumption_41 should be routed', '    consumption_41 is a child of consumption');
SELECT check_test(hasnt_route('consumption_41'), true, 'hasnt_route of a child');
SELECT check_test(children_are('consumption', ARRAY['consumption_41', 'consumption_42LA', '"consumption_FAISANDERIE"']), true, 'children_are', 'Table consumption should have the correct children', '');
SELECT check_test(children_are('consumption', ARRAY['public.consumption_41', 'consumption_42LA', 'consumption_FAISANDERIE']::name[], 'words'), true, 'children_are by name[]', 'words', '');
SELECT check_test(children_are('consumption', '{consumption_FAISANDERIE,consumption_7,plain}'), false, 'children_are others', 'Table consumption should have the correct children',
                  E'    Extra children:\n        "consumption_42LA"\n        consumption_41\n    Missing children:\n        consumption_7\n        plain');
SELECT check_test(children_are('consumption', '{consumption_41,consumption_42LA,consumption_FAISANDERIE,consumption_59}', 'words'), false, 'children_are with one missing', 'words',
                  E'    Missing children:\n        consumption_59');
SELECT check_test(children_are('plain', '{}', 'words'), false, 'children_are of another table', 'words', '    plain is not routed');

-- ------------------------------------------------------------------ is_home, no_drift
SELECT check_test(is_home('consumption'), true, 'is_home', 'All rows of consumption should be at home', '');
SELECT check_test(no_drift('consumption'), true, 'no_drift', 'Nothing should be wrong with consumption', '');
SELECT check_test(no_drift(), true, 'no_drift of all', 'Nothing should be wrong with the routed tables', '');
ALTER TABLE consumption_41 ALTER value SET DEFAULT 7, ADD extra int;
SELECT check_test(no_drift('consumption', 'words'), false, 'no_drift with a column that the base lacks', 'words', '    consumption_41: column: ', true);
SELECT check_test(no_drift(description => 'words'), false, 'no_drift of all with one', 'words', '    consumption_41: column: ', true);
SELECT check_test(is_home('consumption', 'words'), true, 'is_home with another column', 'words', '');
ALTER TABLE consumption DISABLE TRIGGER USER;
COPY consumption (residence_id) FROM STDIN;
59
\.
ALTER TABLE consumption ENABLE TRIGGER USER;
SELECT check_test(is_home('consumption'), false, 'is_home with a row in the base', 'All rows of consumption should be at home', '    consumption: rows: ', true);
SELECT check_test(is_home('plain', 'words'), false, 'is_home of another table', 'words', '    plain is not routed');
SELECT check_test(no_drift('nowhere', 'words'), false, 'no_drift of no table', 'words', '    nowhere does not exist');

-- ------------------------------------------------------------------ archive_moves
CREATE TABLE sensor_log (id int, read_at timestamptz NOT NULL);
SELECT router.create_route('sensor_log', router.by_date('read_at', 'year'), hot => '7 days') \g /dev/null
INSERT INTO sensor_log VALUES (1, now()), (2, now() - interval '1 day');
SELECT check_test(routes_to('sensor_log', jsonb_build_object('id', 3, 'read_at', now()), 'sensor_log'), true, 'routes_to the base, which is hot');
SELECT check_test(archive_moves('sensor_log', 0), true, 'archive_moves nothing', 'Archiving sensor_log should move 0 rows', '');
SELECT check_test(archive_moves('sensor_log', 2, 'words'), false, 'archive_moves more than there are', 'words', E'        have: 0\n        want: 2');
SELECT check_test(archive_moves('sensor_log', NULL, 'words'), false, 'archive_moves NULL', 'words', E'        have: 0\n        want: NULL');
SELECT check_test(archive_moves('consumption', 0, 'words'), false, 'archive_moves of a base that is not hot', 'words', '    died: 55000: ', true);
SELECT check_test(archive_moves('plain', 0, 'words'), false, 'archive_moves of another table', 'words', '    plain is not routed');

SELECT check_test(archive_moves('sensor_log', 1, cutoff => (now() - interval '12 hours')::text), true, 'archive_moves up to a cutoff', 'Archiving sensor_log should move 1 row', '');
SELECT is((SELECT count(*) FROM ONLY sensor_log), 1::bigint, 'it moved');
SELECT check_test(is_home('sensor_log'), true, 'is_home of a hot base');
-- ------------------------------------------------------------------ routed_tables_are, tables_without_children_are
SELECT check_test(routed_tables_are('public', '{consumption,sensor_log}'), true, 'routed_tables_are', 'Schema public should have the correct routed tables', '');
SELECT check_test(routed_tables_are('energy', ARRAY['Reading'], 'words'), true, 'routed_tables_are with capitals', 'words', '');
SELECT check_test(routed_tables_are('public', '{consumption,plain}'), false, 'routed_tables_are others', 'Schema public should have the correct routed tables',
                  E'    Extra routed tables:\n        sensor_log\n    Missing routed tables:\n        plain');
SELECT check_test(routed_tables_are('nowhere', '{}'), true, 'routed_tables_are none');
SELECT check_test(tables_without_children_are('public', '{consumption,sensor_log,plain,residence}'), true, 'tables_without_children_are',
                  'Schema public should have the correct tables, beside children', '');
SELECT check_test(tables_without_children_are('public', '{consumption,consumption_41,sensor_log,plain}', 'words'), false, 'tables_without_children_are others', 'words',
                  E'    Extra tables:\n        residence\n    Missing tables:\n        consumption_41');

-- ------------------------------------------------------------------ as roles: an owner who loads the file himself, and somebody with no rights at all
SELECT test.role('router_tap_owner'), test.role('router_tap_stranger') \g /dev/null
CREATE SCHEMA AUTHORIZATION router_tap_owner;
GRANT USAGE ON SCHEMA router_tap_owner, tap TO PUBLIC;
-- check_test itself wants to own what pgTAP counts with
CREATE FUNCTION test.as_role(role text, test text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    result text;
BEGIN
    PERFORM set_config('role', role, true);
    EXECUTE 'SELECT ' || test INTO result;
    RESET ROLE;
    RETURN result;
END $$;
SET ROLE router_tap_owner;
SET search_path = router_tap_owner, public;
\ir :sharedir/extension/router_tap.sql
CREATE TABLE own (id int, read_at timestamptz NOT NULL);
SELECT router.create_route('own', router.by_date('read_at', 'year'), hot => '7 days') \g /dev/null
RESET ROLE;
SELECT check_test(test.as_role('router_tap_owner', $$routes_to('own', '(1,2024-05-01)', 'own_y2024')$$), true, 'routes_to as owner');
SELECT check_test(test.as_role('router_tap_owner', $$no_drift('own')$$), true, 'no_drift as owner');
SELECT check_test(test.as_role('router_tap_owner', $$archive_moves('own', 0)$$), true, 'archive_moves as owner');
SELECT check_test(test.as_role('router_tap_owner', $$no_drift(NULL, 'words')$$), false, 'no_drift of all, of which some are not his', 'words', '    consumption: not checked: ', true);
SELECT check_test(test.as_role('router_tap_stranger', $$has_route('router_tap_owner.own')$$), true, 'has_route as a stranger');
SELECT check_test(test.as_role('router_tap_stranger', $$children_are('router_tap_owner.own', '{}')$$), true, 'children_are as a stranger');
SELECT check_test(test.as_role('router_tap_stranger', $$is_home('router_tap_owner.own', 'words')$$), false, 'is_home as a stranger', 'words', '    died: 42501: must be owner of table own');
SELECT check_test(test.as_role('router_tap_stranger', $$routes_to('router_tap_owner.own', '(1,2024-05-01)', 'own_y2024', 'words')$$), false, 'routes_to as a stranger', 'words', '    died: 42501: permission denied for table own');
SELECT check_test(test.as_role('router_tap_stranger', $$archive_moves('router_tap_owner.own', 0, 'words')$$), false, 'archive_moves as a stranger', 'words', '    died: 42501: must be owner of table own');
SELECT * FROM finish();
