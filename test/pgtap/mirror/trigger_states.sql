-- Triggers of a child are on or off as those of its base are, in all four states: those of users, and those by which
-- core checks foreign keys, on both sides, and deferrable constraints.
\ir ../../include/helpers.sql
\set tests 34
SELECT plan(:tests);

-- How the triggers of the children differ from those of the base; on tables that both refer to, too.
CREATE FUNCTION test.states(rel regclass, base regclass) RETURNS TABLE (trigger text) LANGUAGE sql AS $$
    SELECT format('%s %s on %s %s', CASE WHEN tgisinternal THEN tgfoid::regproc::text ELSE tgname END, tgtype,
                  CASE WHEN tgrelid = rel THEN 'it' ELSE tgrelid::regclass::text END, tgenabled)
      FROM pg_trigger WHERE (tgrelid = rel OR tgconstrrelid = rel) AND tgtype & 1 = 1 AND tgname NOT IN ('~router_route', '~router_settle')
$$;
CREATE FUNCTION test.differ(base regclass) RETURNS text LANGUAGE sql AS $$
    SELECT coalesce(string_agg(format('%s %s', c.child, d.trigger), '; '), 'nothing') FROM router.children c, LATERAL (
        (SELECT trigger FROM test.states(c.child, $1) EXCEPT ALL SELECT trigger FROM test.states($1, $1)) UNION ALL
        (SELECT trigger FROM test.states($1, $1) EXCEPT ALL SELECT trigger FROM test.states(c.child, $1))) d WHERE c.base = $1
$$;
-- How many triggers of the base are in a state.
CREATE FUNCTION test.count(base regclass, state "char") RETURNS bigint LANGUAGE sql AS $$
    SELECT count(*) FROM pg_trigger WHERE (tgrelid = base OR tgconstrrelid = base) AND tgisinternal AND tgenabled = state
$$;
CREATE SCHEMA app;
CREATE TABLE app.place (id int PRIMARY KEY);
CREATE TABLE app.parted (id int PRIMARY KEY) PARTITION BY RANGE (id);
CREATE TABLE app.parted_1 PARTITION OF app.parted FOR VALUES FROM (0) TO (10);
CREATE TABLE app.parted_2 PARTITION OF app.parted DEFAULT;
INSERT INTO app.place VALUES (1);
INSERT INTO app.parted VALUES (1), (11);
CREATE FUNCTION app.note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE TABLE app.t (k int, place int REFERENCES app.place ON UPDATE CASCADE, part int REFERENCES app.parted, u int,
    CONSTRAINT uq UNIQUE (k, u) DEFERRABLE, CONSTRAINT ex EXCLUDE (k WITH =, place WITH =, u WITH =) DEFERRABLE INITIALLY DEFERRED);
CREATE TRIGGER mine BEFORE INSERT ON app.t FOR EACH ROW EXECUTE FUNCTION app.note();
CREATE CONSTRAINT TRIGGER later AFTER INSERT ON app.t DEFERRABLE FOR EACH ROW EXECUTE FUNCTION app.note();
SELECT router.create_route('app.t', router.by_integer('k', 10)) \g /dev/null
INSERT INTO app.t VALUES (1, 1, 1, 1);
SELECT is(test.differ('app.t'), 'nothing', 'all are on');
:fresh

-- ------------------------------------------------------ all off, and a child is made
BEGIN;
ALTER TABLE app.t DISABLE TRIGGER ALL;
SELECT is(test.differ('app.t'), 'nothing', 'DISABLE TRIGGER ALL of the base is followed');
INSERT INTO app.t VALUES (11, 99, 99, 1);
SELECT is(test.differ('app.t'), 'nothing', 'a child made meanwhile is as its base');
SELECT is(test.homes('app.t') , 'app.t_11_20: 1, app.t_1_10: 1', 'no foreign key stops its rows');
ALTER TABLE app.t ENABLE TRIGGER ALL;
SELECT is(test.differ('app.t'), 'nothing', 'ENABLE TRIGGER ALL wakes all of them');
SELECT throws_ok('INSERT INTO app.t VALUES (12, 99, 1, 1)', '23503', NULL, 'the foreign keys are awake');
ROLLBACK;
SELECT is(test.differ('app.t'), 'nothing', 'nothing is left after a rollback');

-- the other side
ALTER TABLE app.place DISABLE TRIGGER ALL;
ALTER TABLE app.parted DISABLE TRIGGER ALL;
INSERT INTO app.t VALUES (21, 1, 11, 1);
SELECT is(test.differ('app.t'), 'nothing', 'a child made while the tables it refers to have theirs off');
DELETE FROM app.place;
SELECT is((SELECT count(*) FROM app.t), 2::bigint, 'they do not look at it');
INSERT INTO app.place VALUES (1);
ALTER TABLE app.place ENABLE TRIGGER ALL;
ALTER TABLE app.parted ENABLE TRIGGER ALL;
SELECT is(test.differ('app.t'), 'nothing', 'on again');
SELECT throws_ok('DELETE FROM app.place', '23503', NULL, 'they look at it again');
SELECT throws_ok('DELETE FROM app.parted WHERE id = 11', '23503', NULL, 'those of partitions as well');
ALTER TABLE app.parted_2 DISABLE TRIGGER ALL;
INSERT INTO app.t VALUES (31, 1, 1, 1);
SELECT is(test.differ('app.t'), 'nothing', 'one partition only');
ALTER TABLE app.parted_2 ENABLE TRIGGER ALL;

-- ------------------------------------------------------------ each state, each trigger
SELECT tgname AS checks FROM pg_trigger WHERE tgrelid = 'app.t'::regclass AND tgfoid = '"RI_FKey_check_ins"'::regproc AND tgconstraint = (SELECT oid FROM pg_constraint WHERE conrelid = 'app.t'::regclass AND conname = 't_place_fkey') \gset
SELECT tgname AS acts FROM pg_trigger WHERE tgconstrrelid = 'app.t'::regclass AND tgrelid = 'app.place'::regclass AND tgfoid = '"RI_FKey_noaction_del"'::regproc \gset
SELECT tgname AS unique FROM pg_trigger WHERE tgrelid = 'app.t'::regclass AND tgconstraint = (SELECT oid FROM pg_constraint WHERE conrelid = 'app.t'::regclass AND conname = 'uq') \gset
CREATE FUNCTION test.each_state(rel regclass, name text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    state text;
    k int;
BEGIN
    FOREACH state IN ARRAY '{DISABLE,ENABLE REPLICA,ENABLE ALWAYS,ENABLE}'::text[] LOOP
        EXECUTE format('ALTER TABLE %s %s TRIGGER %I', rel, state, name);
        IF test.differ('app.t') <> 'nothing' THEN
            RETURN state || ': ' || test.differ('app.t');
        END IF;
        k := (SELECT max(t.k) / 10 * 10 + 10 FROM app.t);
        EXECUTE format('INSERT INTO app.t VALUES (%s, 1, 1, 1)', k + 1);
        IF test.differ('app.t') <> 'nothing' THEN
            RETURN state || ' and a new child: ' || test.differ('app.t');
        END IF;
        IF EXISTS (SELECT FROM router.check('app.t')) THEN
            RETURN state || ': router.check: ' || (SELECT string_agg(detail, '; ') FROM router.check('app.t'));
        END IF;
    END LOOP;
    RETURN 'followed';
END $$;
SELECT is(test.each_state('app.t', :'checks'), 'followed', 'what checks a foreign key');
SELECT is(test.each_state('app.place', :'acts'), 'followed', 'what acts for it on the other side');
SELECT is(test.each_state('app.t', :'unique'), 'followed', 'what checks a unique constraint at the end');
SELECT is(test.each_state('app.t', 'mine'), 'followed', 'a trigger');
SELECT is(test.each_state('app.t', 'later'), 'followed', 'a constraint trigger');
ALTER TABLE app.t DISABLE TRIGGER USER;
SELECT is(test.differ('app.t'), 'nothing', 'DISABLE TRIGGER USER');
ALTER TABLE app.t ENABLE TRIGGER USER;
SELECT is(test.differ('app.t'), 'nothing', 'ENABLE TRIGGER USER');

-- -------------------------------------------------- what differs is told and mended
ALTER TABLE app.t_1_10 DISABLE TRIGGER ALL;
SELECT is((SELECT string_agg(detail, '; ' ORDER BY detail COLLATE "C") FROM router.check('app.t')),
          'to be mended: enable trigger "later"; to be mended: enable trigger "mine"; to be mended: enable trigger "~router_move"; to be mended: set what checks constraint "t_1_10_ex" on or off as the base has it; to be mended: set what checks constraint "t_1_10_uq" on or off as the base has it; to be mended: set what checks constraint "t_part_fkey" on or off as the base has it; to be mended: set what checks constraint "t_place_fkey" on or off as the base has it', 'a child that was told by itself');
SELECT router.sync('app.t') \g /dev/null
SELECT is(test.differ('app.t'), 'nothing', 'router.sync mends it');
SELECT is_empty($$SELECT * FROM router.check('app.t')$$, 'check is silent');
ALTER TABLE ONLY app.t DISABLE TRIGGER ALL;
SELECT isnt(test.differ('app.t'), 'nothing', 'ONLY the base');
SELECT router.sync('app.t') \g /dev/null
SELECT is((SELECT count(*) FROM pg_trigger WHERE tgrelid = 'app.t_1_10'::regclass AND tgisinternal AND tgenabled <> 'D'), 0::bigint, 'router.sync takes them along');
ALTER TABLE app.t ENABLE TRIGGER ALL;
SELECT is(test.differ('app.t'), 'nothing', 'all are on again');

-- who is no superuser: a child of his own made, and mended
SELECT test.role('router_state_owner') \g /dev/null
GRANT ALL ON SCHEMA app TO router_state_owner;
GRANT REFERENCES ON app.place TO router_state_owner;
CREATE TABLE app.o (k int, place int REFERENCES app.place);
ALTER TABLE app.o OWNER TO router_state_owner;
SELECT router.create_route('app.o', router.by_integer('k', 10)) \g /dev/null
ALTER TABLE app.o DISABLE TRIGGER ALL;
SET ROLE router_state_owner;
SELECT lives_ok('INSERT INTO app.o VALUES (1, 99)', 'the owner makes a child while a superuser has all off');
SELECT is(test.outcome('ALTER TABLE app.o ENABLE TRIGGER ALL') ~ '^42501', true, 'which the owner cannot change');
RESET ROLE;
SELECT is(test.count('app.o', 'D'), 2::bigint, 'off on the base');
SELECT is(test.count('app.o_1_10', 'D'), 2::bigint, 'and on the child');
ALTER TABLE app.o ENABLE TRIGGER ALL;
SELECT is(test.count('app.o_1_10', 'D'), 0::bigint, 'and on again');
SELECT is(test.differ('app.o'), 'nothing', 'both sides');

-- an attached child, a copy
CREATE ACCESS METHOD heap2 TYPE TABLE HANDLER heap_tableam_handler;
ALTER TABLE app.t DISABLE TRIGGER ALL;
CREATE TABLE app.old (u int, part int, place int, k int);
SELECT router.attach_child('app.t', 'app.old', ARRAY['[1001,1010]']) \g /dev/null
SELECT router.sync('app.t') \g /dev/null
CALL router.move_child('app.t_21_30', access_method => 'heap2');
CALL router.move_child('app.t_1_10', access_method => 'heap2');
ALTER TABLE app.t DISABLE TRIGGER ALL;
SELECT is((SELECT count(*) FROM pg_trigger JOIN router.children ON child = tgrelid WHERE tgisinternal AND tgenabled <> 'D' AND base = 'app.t'::regclass), 0::bigint, 'an attached child and a copy');
ALTER TABLE app.t ENABLE TRIGGER ALL;
SELECT is(test.differ('app.t'), 'nothing', 'all on');

SELECT * FROM finish();
